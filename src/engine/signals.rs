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
    let (signals, asked) = asked(provider, last, refresh, now);
    if asked && let Ok(body) = serde_json::to_vec(&signals) {
        let mut batch = RecordBatch::default();
        batch
            .checkpoints
            .push((SOURCE.to_owned(), provider.name().to_owned(), Checkpoint(body)));
        ledger.record(&batch, pricer, now)?;
    }
    Ok((signals, asked))
}

/// The same where it cannot be told whose account would be asked, and why: what is known is what the account said that was asked last. Nothing
/// is kept of it, so that the next run that can ask does so at once.
pub fn unasked(
    off: Vec<String>,
    why: &str,
    ledger: &mut dyn Ledger,
    refresh: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Signals, StoreError> {
    let last = all(ledger)?.into_iter().max_by_key(|said| said.asked_at);
    let asked_at = last.as_ref().map_or(now, |said| said.asked_at);
    let (signals, _) = asked(&mut Nobody { off, why }, last, refresh, now);
    Ok(Signals {
        asked_at,
        paid_requests: 0,
        ..signals
    })
}

/// A provider that answers nothing.
struct Nobody<'a> {
    off: Vec<String>,
    why: &'a str,
}

impl ProviderSignals for Nobody<'_> {
    fn name(&self) -> &str {
        ""
    }

    fn off(&self) -> Vec<String> {
        self.off.clone()
    }

    fn ask(&mut self, known: &[&str], now: DateTime<Utc>) -> Signals {
        let wanted = PARTS.into_iter().filter(|part| !self.off.iter().any(|off| off == part));
        let unknown = wanted.filter(|part| !known.contains(part));
        Signals {
            asked_at: now,
            unknown: unknown.map(|part| format!("{part}: {}", self.why)).collect(),
            off: self.off.clone(),
            ..Signals::default()
        }
    }
}

/// All that a provider can be asked.
const PARTS: [&str; 3] = [ANOMALIES, BUDGETS, FORECAST];

/// What the provider says or has said, and whether it was asked now.
fn asked(
    provider: &mut dyn ProviderSignals,
    last: Option<Signals>,
    refresh: TimeDelta,
    now: DateTime<Utc>,
) -> (Signals, bool) {
    let fresh = |last: &&Signals| {
        let age = now - last.asked_at;
        last.off == provider.off() && age >= TimeDelta::zero() && age < refresh && is_same_period(last, now)
    };
    let fresh = last.as_ref().filter(fresh).cloned();
    if let Some(last) = &fresh
        && (last.unknown.is_empty() || now - last.tried_at.unwrap_or(last.asked_at) < refresh / 2)
    {
        return (last.clone(), false);
    }
    let known: Vec<&str> = PARTS
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
    (signals, true)
}

/// Whether everything in an answer is about a period that still runs: the month's, and that of each budget.
fn is_same_period(last: &Signals, now: DateTime<Utc>) -> bool {
    let month = |at: DateTime<Utc>| (at.year(), at.month());
    month(last.asked_at) == month(now) && last.budgets.iter().all(|budget| budget.is_current(now))
}
