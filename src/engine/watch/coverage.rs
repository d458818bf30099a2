//! The alert about a bill that metering does not cover: spend that no source has seen.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{Condition, fact};
use crate::domain::alert::Alert;
use crate::domain::contract::Terms;
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money};
use crate::domain::notification::{Fact, Severity};
use crate::domain::period::{Calendar, Period};
use crate::domain::spend::Basis;
use crate::engine::reconcile::{Totals, reconcile};
use crate::ports::{Ledger, Pricer, StoreError};

/// The kind of these alerts.
pub const KIND: &str = "coverage";

/// Why they end.
pub const OVER: &str = "metering covers enough of the bill again, or the bound no longer applies to its month";

/// When there is an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveragePolicy {
    /// The least percentage of a provider's bill that metering has to have seen.
    pub least: Decimal,
    /// Only where at least so many dollars are billed.
    pub above: Decimal,
    /// Channels; empty: all.
    pub channels: Vec<String>,
    /// What the account has agreed.
    pub terms: Terms,
}

/// The conditions that hold: by provider, for this month and the one before.
pub fn coverage(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    policy: &CoveragePolicy,
    now: DateTime<Utc>,
) -> Result<Vec<Condition>, StoreError> {
    let this = Calendar::Month.around(now, chrono_tz::Tz::UTC);
    let last = Calendar::Month.around(this.start - TimeDelta::hours(1), chrono_tz::Tz::UTC);
    let mut conditions = Vec::new();
    for month in [last, this] {
        let found = reconcile(ledger, pricer, &policy.terms, month, false, now)?;
        for (provider, totals) in &found.providers {
            if let Some(percent) = totals.short_of(policy.least, policy.above) {
                conditions.push(condition(policy, *provider, totals, percent, month, now));
            }
        }
    }
    Ok(conditions)
}

fn condition(
    policy: &CoveragePolicy,
    provider: Label,
    totals: &Totals,
    percent: Decimal,
    month: Period,
    now: DateTime<Utc>,
) -> Condition {
    let money = |amount: Decimal| Money::new(amount, Currency::USD).to_string();
    let name = month.start.format("%Y-%m").to_string();
    let mut alert = Alert::new(
        &format!("coverage {provider}"),
        KIND,
        format!("{} % of the bill", policy.least.normalize()),
        &format!("provider={provider}"),
        Basis::Billed.name(),
        month,
        Severity::Warning,
        now,
    );
    let seen = percent.normalize();
    alert.title = format!("{provider}: metering has seen {seen} % of what is billed for {name}");
    let unseen = totals.known() - totals.covered;
    Condition {
        alert,
        channels: policy.channels.clone(),
        summary: format!(
            "{} of {} billed was not metered. `finops reconcile --period {name}` says on which days, and why.",
            money(unseen),
            money(totals.known())
        ),
        facts: facts(totals),
        labels: BTreeMap::from([
            ("provider".to_owned(), provider.as_str().to_owned()),
            ("period".to_owned(), name.clone()),
        ]),
        data: serde_json::json!({
            "provider": provider.as_str(),
            "period": month,
            "coverage_percent": percent.normalize().to_string(),
            "least_percent": policy.least.normalize().to_string(),
            "billed": totals.billed.normalize().to_string(),
            "metered": totals.metered.normalize().to_string(),
        }),
        cost: None,
        impact: None,
    }
}

/// Both sides as `finops reconcile` shows them, and what keeps them apart, as far as it does: the causes add up to billed less metered. What
/// is charged and what is taken off it stand before, where the bill is not all charges.
fn facts(totals: &Totals) -> Vec<Fact> {
    let gap = &totals.gap;
    let billed = totals.billed + totals.credits;
    let off = billed - totals.charged;
    let charged = [("Charged", totals.charged), ("Taken back, credits", off)];
    let charged = charged.into_iter().filter(|_| !off.is_zero());
    let both = [("Billed", billed), ("Metered", totals.metered)];
    let causes = [
        ("Missing calls", gap.missing_events),
        ("Token gap", gap.tokens),
        ("Price gap", gap.price),
        ("Discount, credit", gap.discount),
        ("Lag, not billed yet", gap.lag),
    ];
    let causes = causes.into_iter().filter(|(_, amount)| !amount.is_zero());
    let shown = charged.chain(both).chain(causes);
    shown
        .map(|(name, amount)| fact(name, Money::new(amount, Currency::USD).to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reconcile::Gap;

    #[test]
    fn facts_add_up_under_a_contract_with_a_refund_and_a_credit() {
        let dollars = |cents: i64| Decimal::new(cents, 2);
        let totals = Totals {
            metered: dollars(10800),
            contracted: dollars(9450),
            billed: dollars(6000),
            charged: dollars(7000),
            credits: dollars(-500),
            gap: Gap {
                missing_events: dollars(400),
                tokens: dollars(1313),
                price: dollars(750),
                discount: dollars(-1463),
                lag: dollars(-6300),
            },
            ..Totals::default()
        };
        assert_eq!(totals.gap.total(), Ok(totals.billed + totals.credits - totals.metered));
        let shown: Vec<String> = facts(&totals)
            .iter()
            .map(|f| format!("{} {}", f.label, f.value))
            .collect();
        assert_eq!(
            shown,
            [
                "Charged 70.00 USD",
                "Taken back, credits -15.00 USD",
                "Billed 55.00 USD",
                "Metered 108.00 USD",
                "Missing calls 4.00 USD",
                "Token gap 13.13 USD",
                "Price gap 7.50 USD",
                "Discount, credit -14.63 USD",
                "Lag, not billed yet -63.00 USD",
            ]
        );
    }
}
