//! What people do to alerts: acknowledge, resolve, silence, test. Decided anew when a run changed the alert in between.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use thiserror::Error;

use crate::domain::alert::{Alert, Silence, State, Step, Transition, acknowledge, message_id, resolve};
use crate::domain::notification::{Notification, Severity, Told};
use crate::domain::period::Period;
use crate::ports::{AlertCommit, AlertStore, StoreError};

/// Times that a deed is decided anew because a run changed what it was based on.
const ATTEMPTS: usize = 5;

/// What a person does to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Looks after it until then.
    Acknowledge {
        /// Until when.
        until: DateTime<Utc>,
        /// Who.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// Calls it over.
    Resolve {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// A deed that cannot be done.
#[derive(Debug, Error)]
pub enum DeedError {
    /// No such alert.
    #[error("no alert has the id `{id}`")]
    Unknown {
        /// As given.
        id: String,
    },
    /// The id is too short.
    #[error("{count} alerts begin with `{id}`")]
    Ambiguous {
        /// As given.
        id: String,
        /// How many.
        count: usize,
    },
    /// Only what fires can be acknowledged.
    #[error("alert `{id}` is {state}, not firing")]
    NotFiring {
        /// The alert.
        id: String,
        /// Where it stands.
        state: &'static str,
    },
    /// There is nothing to resolve.
    #[error("alert `{id}` is resolved already")]
    Resolved {
        /// The alert.
        id: String,
    },
    /// No such silence.
    #[error("no silence has the id `{id}`")]
    UnknownSilence {
        /// As given.
        id: String,
    },
    /// The id is too short.
    #[error("{count} silences begin with `{id}`")]
    AmbiguousSilence {
        /// As given.
        id: String,
        /// How many.
        count: usize,
    },
    /// There is nothing to take back.
    #[error("silence `{id}` has ended already")]
    Ended {
        /// The silence.
        id: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The alert whose id begins with `id`.
pub fn find(store: &mut dyn AlertStore, id: &str) -> Result<Alert, DeedError> {
    let mut found = store.alerts(None)?;
    found.retain(|alert| alert.id.starts_with(id));
    match (found.pop(), found.len()) {
        (Some(alert), 0) => Ok(alert),
        (None, _) => Err(DeedError::Unknown { id: id.to_owned() }),
        (Some(_), more) => Err(DeedError::Ambiguous {
            id: id.to_owned(),
            count: more + 1,
        }),
    }
}

/// Does it, and puts messages to everyone who was told that the alert fires into the outbox. Answers the alert afterwards.
pub fn act(store: &mut dyn AlertStore, id: &str, deed: &Deed, now: DateTime<Utc>) -> Result<Alert, DeedError> {
    again(|| {
        let silences = store.silences()?;
        let before = find(store, id)?.under(&silences, now);
        let id = || before.id.clone();
        let step = match deed {
            Deed::Acknowledge { until, by, reason } => {
                acknowledge(&before, *until, by, reason, now).ok_or_else(|| DeedError::NotFiring {
                    id: id(),
                    state: before.state.name(),
                })?
            }
            Deed::Resolve { by, reason } => {
                resolve(&before, by, reason, now).ok_or_else(|| DeedError::Resolved { id: id() })?
            }
        };
        let (alert, commit) = told(step, now);
        store.commit(&commit)?;
        Ok(alert)
    })
}

/// Keeps a silence.
pub fn silence(store: &mut dyn AlertStore, silence: &Silence) -> Result<(), DeedError> {
    again(|| Ok(store.silence(silence)?))
}

/// Ends the silence whose id begins with `id`; it stays as what was. Answers it as it is afterwards.
pub fn unsilence(store: &mut dyn AlertStore, id: &str, now: DateTime<Utc>) -> Result<Silence, DeedError> {
    again(|| {
        let mut found = store.silences()?;
        found.retain(|silence| silence.id.starts_with(id));
        let count = found.len();
        let id = || id.to_owned();
        let mut silence = match (found.pop(), count) {
            (Some(silence), 1) => silence,
            (None, _) => return Err(DeedError::UnknownSilence { id: id() }),
            (Some(_), count) => return Err(DeedError::AmbiguousSilence { id: id(), count }),
        };
        if silence.until <= now {
            return Err(DeedError::Ended { id: silence.id });
        }
        // One that is still to come ends where it begins.
        silence.until = now.max(silence.from);
        store.silence(&silence)?;
        Ok(silence)
    })
}

/// Puts a message that is marked as a test into the outbox of these channels; answers channel and message id.
pub fn test(
    store: &mut dyn AlertStore,
    channels: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<(String, String)>, DeedError> {
    let period = Period::new(now, now + TimeDelta::minutes(1));
    let mut fresh = Alert::new("test", "test", now.to_rfc3339(), "", "", period, Severity::Info, now);
    fresh.title = "test of the way from finops to you".to_owned();
    again(|| {
        let before = store.alerts(None)?.into_iter().find(|a| a.id == fresh.id);
        let mut alert = before.unwrap_or_else(|| fresh.clone());
        // Tested twice within one second it is still two tests.
        alert.tellings += 1;
        let transition = Transition {
            alert_id: alert.id.clone(),
            at: now,
            from: (alert.version > 0).then_some(alert.state),
            to: State::Resolved,
            reason: "a test: fired and resolved at once".to_owned(),
        };
        let text = "This is a test. Nothing is wrong; a real alert would reach you the same way.";
        let message = |channel: &String| message(&alert, Told::Firing, channel, alert.title.clone(), text, now);
        let messages: Vec<Notification> = channels.iter().map(message).collect();
        let sent = messages.iter().map(|m| (m.channel.clone(), m.id.clone())).collect();
        store.commit(&AlertCommit {
            alerts: vec![alert],
            transitions: vec![transition],
            messages,
        })?;
        Ok(sent)
    })
}

/// Tries again while another run changes what the attempt was based on.
fn again<T>(mut attempt: impl FnMut() -> Result<T, DeedError>) -> Result<T, DeedError> {
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        match attempt() {
            Err(DeedError::Store(StoreError::Conflict { .. })) if left > 0 => {}
            outcome => return outcome,
        }
    }
}

fn told(step: Step, now: DateTime<Utc>) -> (Alert, AlertCommit) {
    let alert = step.alert;
    let reason = step.transitions.last().map(|t| t.reason.clone()).unwrap_or_default();
    let title = format!("{}: {reason}", alert.policy);
    let channels = alert.told_to.iter();
    let messages = step
        .tell
        .into_iter()
        .flat_map(|told| channels.clone().map(move |channel| (told, channel)))
        .map(|(told, channel)| message(&alert, told, channel, title.clone(), &reason, now))
        .collect();
    let commit = AlertCommit {
        alerts: vec![alert.clone()],
        transitions: step.transitions,
        messages,
    };
    (alert, commit)
}

fn message(alert: &Alert, told: Told, channel: &str, title: String, summary: &str, now: DateTime<Utc>) -> Notification {
    Notification {
        id: message_id(alert, channel),
        channel: channel.to_owned(),
        alert_id: alert.id.clone(),
        told,
        severity: if told == Told::Firing {
            alert.severity
        } else {
            Severity::Info
        },
        kind: alert.kind.clone(),
        title,
        summary: summary.to_owned(),
        facts: Vec::new(),
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: std::collections::BTreeMap::from([("budget".to_owned(), alert.policy.clone())]),
        data: json!({ "budget": alert.policy, "threshold": alert.threshold, "reason": summary }),
        decided_at: now,
        test: alert.kind == "test",
    }
}
