//! What bills have effective cost of: use of models, and what is paid by the hour or month.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::billed::{BilledDays, month, month_of};
use super::names::Names;
use super::standings::Standings;
use crate::domain::billed::biller;
use crate::domain::contract::Terms;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums};

/// What bills have effective cost of.
pub(super) struct Known {
    /// In dollars, as metered use is.
    pub use_of_models: Standings,
    /// Days of use in other currencies.
    pub elsewhere: BTreeMap<Currency, BilledDays>,
    pub purchases: Purchases,
    /// What each commitment comes to in a whole month, by its dimensions and currency.
    pub months: BTreeMap<(Dimensions, Currency, Hour), Decimal>,
}

impl Known {
    /// Whether what is paid by the hour or month is in a bill: as a purchase, or spread over the use that it covers.
    pub fn has_flat(&self, provider: Label, key: &SpendKey) -> bool {
        self.purchases.days.covers(provider, key.hour)
            || self.purchases.days.is_of_first_days(provider, key.hour)
            || self.has_use(provider, key)
            || self.is_bought_at_once(provider, key)
    }

    /// Whether use of a day is billed in the currency of a row.
    fn has_use(&self, provider: Label, key: &SpendKey) -> bool {
        match key.currency {
            Currency::USD => self.use_of_models.is_billed(provider, key.hour),
            other => (self.elsewhere.get(&other)).is_some_and(|days| days.covers(provider, key.hour)),
        }
    }

    /// Whether one day of the month has half of what it comes to in all of it: the charge of a month may stand on any day, and others
    /// beside it.
    fn is_bought_at_once(&self, provider: Label, key: &SpendKey) -> bool {
        let start = month(key.hour);
        let whole = self.months.get(&(key.dimensions, key.currency, start));
        let Some(whole) = whole.filter(|whole| **whole > Decimal::ZERO) else {
            return false;
        };
        let end = Hour(Hour::of(month_of(start).end).0 - 1);
        let place = |hour| (provider, key.currency, hour);
        let mut days = self.purchases.bought.range(place(start)..=place(end));
        days.any(|(_, cost)| cost.checked_add(*cost).is_none_or(|twice| *whole <= twice))
    }
}

/// What each commitment comes to in whole months, as far as they have begun.
pub(super) fn whole_months(
    terms: &Terms,
    period: Period,
    now: DateTime<Utc>,
) -> Result<BTreeMap<(Dimensions, Currency, Hour), Decimal>, MoneyError> {
    let mut months: BTreeMap<(Dimensions, Currency, Hour), Decimal> = BTreeMap::new();
    let end = month_of(Hour::of(period.end.min(now))).end;
    let start = month(Hour::of(period.start)).start();
    if start >= end {
        return Ok(months);
    }
    for row in terms.flat(Period::new(start, end), end, Basis::Effective) {
        let (key, sums) = row?;
        let slot = months
            .entry((key.dimensions, key.currency, month(key.hour)))
            .or_default();
        *slot = add_exact(*slot, sums.cost)?;
    }
    Ok(months)
}

/// Purchases of bills.
pub(super) struct Purchases {
    days: BilledDays,
    /// What was bought, by provider and day.
    bought: BTreeMap<(Label, Currency, Hour), Decimal>,
    /// Commitments by name, with who bills each and whose it is.
    named: Vec<(Label, String, Label)>,
}

impl Purchases {
    /// None yet.
    pub fn new(terms: &Terms, now: DateTime<Utc>) -> Self {
        let named = terms.commitments.iter().map(|commitment| {
            let provider = commitment.dimensions.get(Dimension::Provider);
            let whose = Names::spelled(provider);
            (Label::new(&commitment.name), biller(provider.as_str()), whose)
        });
        Purchases {
            days: BilledDays::new(now),
            bought: BTreeMap::new(),
            named: named.collect(),
        }
    }

    /// A row of a purchase, with the provider whose use of models it is, as far as its service tells that.
    pub fn add(&mut self, key: &SpendKey, of_models: Option<Label>, sums: &Sums) -> Result<(), MoneyError> {
        if sums.cost.is_zero() {
            return Ok(());
        }
        // One that has the name of a commitment is that, as in an own export: a cloud's row of another name may be of anything.
        let of = |d| key.dimensions.get(d);
        let service = of(Dimension::Service);
        let named = self.named.iter().find(|(name, biller_of_it, _)| {
            *name == service && biller(of(Dimension::Provider).as_str()) == *biller_of_it
        });
        let Some(provider) = named.map(|(_, _, whose)| *whose).or(of_models) else {
            return Ok(());
        };
        self.days.add(provider, key.hour);
        let slot = self.bought.entry((provider, key.currency, key.hour.day())).or_default();
        *slot = add_exact(*slot, sums.cost)?;
        Ok(())
    }
}
