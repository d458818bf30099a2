//! The tail of a bill that is late: metered spend, scaled by how bill and meter compared last.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::billed::{BilledDays, month};
use super::names::Names;
use crate::domain::budget::Scope;
use crate::domain::dimension::Dimension;
use crate::domain::glob::glob_matches;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tail {
    /// First hour of the first UTC day that is billed; nothing where bills begin before the days that are compared.
    pub since: Option<Hour>,
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
    /// What the rows of its bill name, by provider.
    told: BTreeMap<Label, BTreeSet<Dimension>>,
}

/// Metered use that stands for rows of a bill which do not tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scaled {
    /// Whose bill it is, in the spelling of [`Names`].
    pub provider: Label,
    tail: Tail,
}

impl Scaled {
    /// What a metered row of a billed day stands for; nothing of another.
    #[must_use]
    pub fn of(&self, key: &SpendKey, sums: &Sums) -> Option<Sums> {
        self.tail.covers(key.hour).then(|| scaled(sums, self.tail.factor))
    }

    /// What has to be said beside a figure with it.
    #[must_use]
    pub fn note(&self, provider: Label) -> String {
        format!(
            "the bill of {provider} does not tell this scope apart: on billed days metered × {}, as bill and meter compared",
            self.tail.factor.normalize()
        )
    }
}

impl Tail {
    /// Whether bills say what that hour cost.
    fn covers(&self, hour: Hour) -> bool {
        let day = hour.day();
        day <= self.through && self.since.is_none_or(|since| since <= day)
    }
}

impl Fill {
    /// Compares bills with metered spend up to an instant.
    pub fn read(ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Fill, StoreError> {
        type Days = BTreeMap<(Label, Hour), Decimal>;
        let (mut billed, mut metered): (Days, Days) = (Days::new(), Days::new());
        let mut names = Names::default();
        let mut failed: Option<MoneyError> = None;
        let mut bills = BilledDays::new(now);
        let mut told: BTreeMap<Label, BTreeSet<Dimension>> = BTreeMap::new();
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
                let told = told.entry(provider).or_default();
                told.extend(
                    Dimension::ALL
                        .into_iter()
                        .filter(|d| !key.dimensions.get(*d).is_empty()),
                );
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
                since: Some(first).filter(|first| first.start() > start),
                through,
                billed,
                metered,
                factor,
            };
            tails.insert(provider, tail);
        }
        Ok(Fill { tails, told })
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
                if tail.is_some_and(|tail| tail.covers(key.hour)) {
                    return None;
                }
                let factor = tail.map_or(Decimal::ONE, |tail| tail.factor);
                Some((filled, scaled(sums, factor)))
            }
            Basis::Metered | Basis::Effective | Basis::BilledFilled => None,
        }
    }

    /// How a metered row stands for rows of a bill within a scope that asks for something which that bill never names: its
    /// rows are all outside, though some of what they charge is inside.
    #[must_use]
    pub fn untold(&self, names: &mut Names, key: &SpendKey, scope: &Scope) -> Option<Scaled> {
        if key.basis != Basis::Metered || !is_usage(key) {
            return None;
        }
        let provider = names.metered(key);
        let (tail, told) = (self.tails.get(&provider)?, self.told.get(&provider)?);
        let asked = |(dimension, patterns): (&Dimension, &Vec<String>)| {
            !told.contains(dimension) && !patterns.iter().any(|pattern| glob_matches(pattern, ""))
        };
        scope.0.iter().any(asked).then_some(Scaled { provider, tail: *tail })
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

/// The same with its amounts scaled.
fn scaled(sums: &Sums, factor: Decimal) -> Sums {
    let scaled = |amount: Decimal| {
        let product = amount.checked_mul(factor).unwrap_or(amount);
        product.round_dp_with_strategy(COST_DECIMALS, RoundingStrategy::MidpointAwayFromZero)
    };
    Sums {
        cost: scaled(sums.cost),
        unpriced_worst_case: scaled(sums.unpriced_worst_case),
        ..*sums
    }
}

/// Whether a row is about use, as opposed to taxes, credits and purchases.
#[must_use]
pub fn is_usage(key: &SpendKey) -> bool {
    let category = key.dimensions.get(Dimension::Category);
    category.is_empty() || category.as_str().eq_ignore_ascii_case("usage")
}
