//! The alert about calls without a price: one per provider and model, told once. Unknown must never pass for free.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{Condition, fact};
use crate::domain::alert::Alert;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::Money;
use crate::domain::notification::Severity;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Sums};
use crate::engine::explain::always;
use crate::ports::{Ledger, StoreError};

/// The kind of these alerts.
pub const KIND: &str = "unpriced";

/// Why they end.
pub const OVER: &str = "all its calls of the last 62 days have a price";

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

/// The conditions that hold.
pub fn unpriced(
    ledger: &mut dyn Ledger,
    policy: &UnpricedPolicy,
    now: DateTime<Utc>,
) -> Result<Vec<Condition>, StoreError> {
    let mut models: BTreeMap<(Label, Label), (Sums, Hour)> = BTreeMap::new();
    let mut failed = None;
    let period = Period::new(now - TimeDelta::days(DAYS), now);
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
    Ok(models
        .into_iter()
        .filter(|(_, (sums, _))| sums.unpriced_events > 0 && sums.unpriced_worst_case >= policy.above)
        .map(|((provider, model), (sums, first))| condition(policy, (provider, model), &sums, first, now))
        .collect())
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
    }
}
