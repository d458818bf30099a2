//! What the provider says, asked seldom: kept in the ledger between the times that it is asked.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use crate::domain::signal::{ANOMALIES, BUDGETS, FORECAST, Signals};
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

/// What the provider says: asked if the last answer is older than `refresh` or of another month, else the last answer. A part that
/// could not be asked keeps what was known of it, and is asked again, alone, after half that time.
pub fn current(
    provider: &mut dyn ProviderSignals,
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    refresh: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(Signals, bool), StoreError> {
    let last = kept(ledger, provider.name())?;
    let fresh = |last: &&Signals| {
        let age = now - last.asked_at;
        last.off == provider.off() && age >= TimeDelta::zero() && age < refresh && is_same_period(last, now)
    };
    let fresh = last.as_ref().filter(fresh).cloned();
    if let Some(last) = &fresh
        && (last.unknown.is_empty() || now - last.tried_at.unwrap_or(last.asked_at) < refresh / 2)
    {
        return Ok((last.clone(), false));
    }
    let known: Vec<&str> = [ANOMALIES, BUDGETS, FORECAST]
        .into_iter()
        .filter(|part| fresh.as_ref().is_some_and(|last| !last.is_unknown(part)))
        .collect();
    let mut signals = provider.ask(&known, now);
    signals.tried_at = Some(now);
    if let Some(mut last) = last {
        last.budgets.retain(|budget| budget.is_current(now));
        last.forecast = last.forecast.filter(|forecast| forecast.period.contains(now));
        let keeps = |part: &str| known.contains(&part) || signals.is_unknown(part);
        let (anomalies, budgets, forecast) = (keeps(ANOMALIES), keeps(BUDGETS), keeps(FORECAST));
        if anomalies {
            signals.anomalies = last.anomalies;
        }
        if budgets {
            signals.budgets = last.budgets;
        }
        if forecast {
            signals.forecast = last.forecast;
        }
        if !known.is_empty() {
            signals.asked_at = last.asked_at;
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

/// Whether everything in an answer is about a period that still runs: the month's, and that of each budget.
fn is_same_period(last: &Signals, now: DateTime<Utc>) -> bool {
    let month = |at: DateTime<Utc>| (at.year(), at.month());
    month(last.asked_at) == month(now) && last.budgets.iter().all(|budget| budget.is_current(now))
}
