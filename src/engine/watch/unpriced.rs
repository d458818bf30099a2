//! The alert about calls without a price: one per provider and model, told once. Unknown must never pass for free.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{Condition, Watched, fact, watch};
use crate::domain::alert::Alert;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::Money;
use crate::domain::notification::Severity;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Sums};
use crate::engine::explain::always;
use crate::ports::{AlertStore, Ledger, StoreError};

/// The kind of these alerts.
pub const KIND: &str = "unpriced";

/// Why they end: nothing of it is without a price any more.
const PRICED: &str = "all its calls have a price";
/// See [`PRICED`]: what is without one is old.
const OLDER: &str = "no call of the last 62 days is without a price, older ones still are";
/// See [`PRICED`]: what is without one is little.
const LITTLE: &str = "what is left without a price costs less than what is told";
/// See [`PRICED`]: nobody looks.
const OFF: &str = "calls without a price are not watched any more";

/// Days that are looked at: two whole months, so that a month that is just closed is still watched.
const DAYS: i64 = 62;

/// When there is an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnpricedPolicy {
    /// Only where the calls may cost at least so many dollars.
    pub above: Decimal,
    /// Channels; empty: all.
    pub channels: Vec<String>,
}

/// Moves the alerts. Why one is over is looked up: a call that is too old to be watched has no price for that.
pub(super) fn watch_unpriced(
    policy: Option<&UnpricedPolicy>,
    channels: &[String],
    ledger: &mut dyn Ledger,
    store: &mut dyn AlertStore,
    complete: bool,
    now: DateTime<Utc>,
) -> Result<Watched, StoreError> {
    let Some(policy) = policy else {
        return watch(KIND, &[], &|_| OFF, channels, store, complete, now);
    };
    let from = now - TimeDelta::days(DAYS);
    let models = without_price(ledger, Period::new(from, now))?;
    let all: Vec<(Condition, bool)> = models
        .into_iter()
        .map(|(name, (sums, first))| (condition(policy, name, &sums, first, now), is_told(&sums, policy)))
        .collect();
    let little: BTreeSet<String> = all
        .iter()
        .filter(|(_, told)| !told)
        .map(|(c, _)| c.alert.id.clone())
        .collect();
    let told: Vec<Condition> = all.into_iter().filter_map(|(c, told)| told.then_some(c)).collect();
    let mut old = BTreeSet::new();
    let ends = |a: &Alert| a.kind == KIND && a.is_open() && !told.iter().any(|c| c.alert.id == a.id);
    if store.alerts(Some(now))?.iter().any(ends) {
        let models = without_price(ledger, Period::new(always().start, from))?;
        let ids = models
            .into_iter()
            .map(|(name, (sums, first))| condition(policy, name, &sums, first, now).alert.id);
        old.extend(ids);
    }
    let over = |alert: &Alert| match (little.contains(&alert.id), old.contains(&alert.id)) {
        (true, _) => LITTLE,
        (false, true) => OLDER,
        (false, false) => PRICED,
    };
    watch(KIND, &told, &over, channels, store, complete, now)
}

fn is_told(sums: &Sums, policy: &UnpricedPolicy) -> bool {
    sums.unpriced_worst_case >= policy.above
}

/// Provider and model of calls without a price, with what they sum up to and when the first one was.
type Models = BTreeMap<(Label, Label), (Sums, Hour)>;

fn without_price(ledger: &mut dyn Ledger, period: Period) -> Result<Models, StoreError> {
    let mut models = Models::new();
    let mut failed = None;
    ledger.spend(period, &mut |key, sums| {
        if key.basis == Basis::Metered && sums.unpriced_events != 0 {
            let name = (
                key.dimensions.get(Dimension::Provider),
                key.dimensions.get(Dimension::Model),
            );
            let (sum, first) = models.entry(name).or_insert((Sums::default(), key.hour));
            *first = key.hour.min(*first);
            failed = failed.take().or_else(|| sum.add(sums).err());
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    models.retain(|_, (sums, _)| sums.unpriced_events > 0);
    Ok(models)
}

fn condition(
    policy: &UnpricedPolicy,
    (provider, model): (Label, Label),
    sums: &Sums,
    first: Hour,
    now: DateTime<Utc>,
) -> Condition {
    let name = |label: Label, none: &str| {
        if label.is_empty() {
            none.to_owned()
        } else {
            label.as_str().to_owned()
        }
    };
    let (provider, model) = (name(provider, "(no provider)"), name(model, "(no model)"));
    let worst = Money::new(sums.unpriced_worst_case, crate::domain::money::Currency::USD);
    let calls = if sums.unpriced_events == 1 { "call" } else { "calls" };
    // It belongs to the model, not to a month: told once.
    let for_ever = Period::new(DateTime::UNIX_EPOCH, always().end);
    let mut alert = Alert::new(
        &format!("unpriced {provider} {model}"),
        KIND,
        "calls without a price".to_owned(),
        &format!("provider={provider} model={model}"),
        Basis::Metered.name(),
        for_ever,
        Severity::Warning,
        now,
    );
    alert.title = format!(
        "{provider} {model}: {} {calls} without a price, at most {worst}",
        sums.unpriced_events
    );
    Condition {
        alert,
        channels: policy.channels.clone(),
        summary: format!(
            "Its cost is in no total since {}. `finops price missing` says why, and what to write.",
            first.start().format("%Y-%m-%d")
        ),
        facts: vec![
            fact("Calls without a price", sums.unpriced_events.to_string()),
            fact("Their tokens", sums.unpriced_tokens.to_string()),
            fact("At most", worst.to_string()),
        ],
        labels: BTreeMap::from([
            ("provider".to_owned(), provider.clone()),
            ("model".to_owned(), model.clone()),
        ]),
        data: serde_json::json!({
            "provider": provider,
            "model": model,
            "unpriced_events": sums.unpriced_events,
            "unpriced_tokens": sums.unpriced_tokens.to_string(),
            "unpriced_worst_case": sums.unpriced_worst_case.normalize().to_string(),
            "since": first.start(),
            "days": DAYS,
        }),
        cost: Some(sums.unpriced_worst_case),
        impact: None,
    }
}
