//! Alerts, silences and the outbox in memory.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::alert::{Alert, Silence, Transition};
use crate::ports::{AlertCommit, AlertStore, Outbox, Pending, Receipt, StoreError};

/// Keeps alerts as long as the process lives.
#[derive(Clone, Default)]
pub struct MemoryAlerts {
    alerts: BTreeMap<String, Alert>,
    transitions: Vec<Transition>,
    silences: BTreeMap<String, Silence>,
    outbox: Vec<Pending>,
}

impl MemoryAlerts {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl AlertStore for MemoryAlerts {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        let wanted = |a: &&Alert| a.is_open() || since.is_none_or(|at| a.period.end > at);
        Ok(self.alerts.values().filter(wanted).cloned().collect())
    }

    fn history(&mut self, alert_id: &str) -> Result<Vec<Transition>, StoreError> {
        Ok(self
            .transitions
            .iter()
            .filter(|t| t.alert_id == alert_id)
            .cloned()
            .collect())
    }

    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        Ok(self.silences.values().cloned().collect())
    }

    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        self.silences.insert(silence.id.clone(), silence.clone());
        Ok(())
    }

    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        let mut changed = BTreeSet::new();
        for alert in &commit.alerts {
            let current = self.alerts.get(&alert.id).map_or(0, |a| a.version);
            if current != alert.version || !changed.insert(&alert.id) {
                return Err(StoreError::Conflict {
                    what: format!("alert {}", alert.id),
                });
            }
        }
        for alert in &commit.alerts {
            self.alerts.insert(
                alert.id.clone(),
                Alert {
                    version: alert.version + 1,
                    ..alert.clone()
                },
            );
        }
        self.transitions.extend(commit.transitions.iter().cloned());
        for message in &commit.messages {
            if self.outbox.iter().all(|p| p.message.id != message.id) {
                self.outbox.push(Pending::new(message.clone()));
            }
        }
        Ok(())
    }
}

impl Outbox for MemoryAlerts {
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        Ok(self.outbox.clone())
    }

    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        Ok(self.outbox.clone())
    }

    fn delivered(&mut self, id: &str, _receipt: &Receipt, _at: DateTime<Utc>) -> Result<(), StoreError> {
        self.outbox.retain(|p| p.message.id != id);
        Ok(())
    }

    fn failed(&mut self, after: &Pending) -> Result<(), StoreError> {
        self.outbox
            .iter_mut()
            .filter(|p| p.message.id == after.message.id)
            .for_each(|p| *p = after.clone());
        Ok(())
    }

    fn release(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
