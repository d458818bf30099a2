//! What the provider says, asked seldom: kept in the ledger between the times that it is asked.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::signal::Signals;
use crate::ports::{Checkpoint, Ledger, Pricer, ProviderSignals, RecordBatch, StoreError};

/// The checkpoints of signals; no source of the settings can have a name with a space at its end.
const SOURCE: &str = "signals ";

/// What was said last by this provider account, if anything.
pub fn kept(ledger: &mut dyn Ledger, name: &str) -> Result<Option<Signals>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    Ok(known
        .get(name)
        .and_then(|Checkpoint(at)| serde_json::from_slice(at).ok()))
}

/// What every account's provider said last.
pub fn all(ledger: &mut dyn Ledger) -> Result<Vec<Signals>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    let mut by_name: Vec<_> = known.into_iter().collect();
    by_name.sort_by(|a, b| a.0.cmp(&b.0));
    let read = by_name
        .iter()
        .filter_map(|(_, Checkpoint(at))| serde_json::from_slice(at).ok());
    Ok(read.collect())
}

/// What the provider says: asked if the last answer is older than `refresh`, else the last answer. A part that could not be
/// asked keeps what was known of it.
pub fn current(
    provider: &mut dyn ProviderSignals,
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    refresh: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(Signals, bool), StoreError> {
    let last = kept(ledger, provider.name())?;
    if let Some(last) = &last
        && now >= last.asked_at
        && now - last.asked_at < refresh
        && last.unknown.is_empty()
    {
        return Ok((last.clone(), false));
    }
    let mut signals = provider.ask(now);
    if let Some(last) = last {
        let unknown = |part: &str| signals.unknown.iter().any(|u| u.starts_with(part));
        let (anomalies, budgets, forecast) = (unknown("anomalies"), unknown("budgets"), unknown("forecast"));
        if anomalies {
            signals.anomalies = last.anomalies;
        }
        if budgets {
            signals.budgets = last.budgets;
        }
        if forecast {
            signals.forecast = last.forecast;
        }
    }
    if let Ok(body) = serde_json::to_vec(&signals) {
        let mut batch = RecordBatch::default();
        batch
            .checkpoints
            .push((SOURCE.to_owned(), provider.name().to_owned(), Checkpoint(body)));
        ledger.record(&batch, pricer, now)?;
    }
    Ok((signals, true))
}
