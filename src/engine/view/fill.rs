//! The tail of a bill that is late: metered spend, scaled by how bill and meter compared last.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::billed::{BilledDays, month};
use super::names::Names;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::ports::{Ledger, StoreError};

/// Days that are compared at least: two billing periods.
const DAYS: i64 = 62;

/// Decimals of a factor, and of what it scales: an estimate.
const FACTOR_DECIMALS: u32 = 4;
const COST_DECIMALS: u32 = 12;

/// How a provider's bill stands against its metered spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// First hour of the last UTC day that is billed.
    pub through: Hour,
    /// Billed use of models on the compared days.
    pub billed: Decimal,
    /// Metered spend on the same days.
    pub metered: Decimal,
    /// Billed by metered; 1 where nothing was metered.
    pub factor: Decimal,
}

/// The tails of all providers that have billed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// By provider, in the spelling of [`Names`].
    pub tails: BTreeMap<Label, Tail>,
}

impl Fill {
    /// Compares bills with metered spend up to an instant.
    pub fn read(ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Fill, StoreError> {
        type Days = BTreeMap<(Label, Hour), Decimal>;
        let (mut billed, mut metered): (Days, Days) = (Days::new(), Days::new());
        let mut names = Names::default();
        let mut failed: Option<MoneyError> = None;
        let mut bills = BilledDays::new(now);
        // From the first of a month on, so that the row of a whole month is not cut off.
        let start = month(Hour::of(now - TimeDelta::days(DAYS))).start();
        ledger.spend(Period::new(start, now), &mut |key, sums| {
            let (provider, days) = match key.basis {
                Basis::Billed if is_usage(key) => (names.billed(key), &mut billed),
                Basis::Metered if is_usage(key) => (Some(names.metered(key)), &mut metered),
                Basis::Billed | Basis::Metered | Basis::Effective | Basis::BilledFilled => (None, &mut metered),
            };
            let Some(provider) = provider.filter(|_| key.currency == Currency::USD) else {
                return;
            };
            if key.basis == Basis::Billed {
                bills.add(provider, key.hour);
            }
            let slot = days.entry((provider, key.hour.day())).or_default();
            match add_exact(*slot, sums.cost) {
                Ok(sum) => *slot = sum,
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut tails = BTreeMap::new();
        for provider in bills.providers() {
            let of = |days: &Days| -> Vec<(Hour, Decimal)> {
                days.iter()
                    .filter(|((p, _), _)| *p == provider)
                    .map(|((_, day), cost)| (*day, *cost))
                    .collect()
            };
            let days = of(&billed);
            let Some(through) = bills.through(provider) else {
                continue;
            };
            let first = days.iter().map(|(day, _)| *day).min().unwrap_or(through);
            let sum = |days: &[(Hour, Decimal)]| -> Result<Decimal, MoneyError> {
                days.iter()
                    .filter(|(day, _)| first <= *day && *day <= through)
                    .try_fold(Decimal::ZERO, |sum, (_, cost)| add_exact(sum, *cost))
            };
            let (billed, metered) = (sum(&days)?, sum(&of(&metered))?);
            let factor = billed
                .checked_div(metered)
                .filter(|factor| !factor.is_sign_negative())
                .unwrap_or(Decimal::ONE)
                .round_dp_with_strategy(FACTOR_DECIMALS, RoundingStrategy::MidpointAwayFromZero);
            let tail = Tail {
                through,
                billed,
                metered,
                factor,
            };
            tails.insert(provider, tail);
        }
        Ok(Fill { tails })
    }

    /// The row of the filled basis that a row of another one makes.
    pub(super) fn row(&self, names: &mut Names, key: &SpendKey, sums: &Sums) -> Option<(SpendKey, Sums)> {
        let filled = SpendKey {
            basis: Basis::BilledFilled,
            ..*key
        };
        match key.basis {
            Basis::Billed => Some((filled, *sums)),
            Basis::Metered if is_usage(key) => {
                let tail = self.tails.get(&names.metered(key));
                if tail.is_some_and(|tail| key.hour.day() <= tail.through) {
                    return None;
                }
                let factor = tail.map_or(Decimal::ONE, |tail| tail.factor);
                let scaled = |amount: Decimal| {
                    let product = amount.checked_mul(factor).unwrap_or(amount);
                    product.round_dp_with_strategy(COST_DECIMALS, RoundingStrategy::MidpointAwayFromZero)
                };
                let sums = Sums {
                    cost: scaled(sums.cost),
                    unpriced_worst_case: scaled(sums.unpriced_worst_case),
                    ..*sums
                };
                Some((filled, sums))
            }
            Basis::Metered | Basis::Effective | Basis::BilledFilled => None,
        }
    }

    /// What has to be said beside a figure of this basis: how far each provider has billed, and what is estimated since.
    #[must_use]
    pub fn notes(&self, wanted: &BTreeSet<Label>) -> Vec<String> {
        let tails = self.tails.iter().filter(|(provider, _)| wanted.contains(*provider));
        let mut notes: Vec<String> = tails
            .map(|(provider, tail)| {
                format!(
                    "{provider} is billed to {}; since then metered × {}, as bill and meter compared up to then",
                    tail.through.start().format("%Y-%m-%d"),
                    tail.factor.normalize()
                )
            })
            .collect();
        let unbilled = wanted.iter().filter(|p| !self.tails.contains_key(*p));
        notes.extend(unbilled.map(|provider| format!("{provider} has no bill yet: metered as it is")));
        notes
    }
}

/// Whether a row is about use, as opposed to taxes, credits and purchases.
#[must_use]
pub fn is_usage(key: &SpendKey) -> bool {
    let category = key.dimensions.get(Dimension::Category);
    category.is_empty() || category.as_str().eq_ignore_ascii_case("usage")
}
