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
    /// Use in other currencies.
    pub elsewhere: BTreeMap<Currency, Elsewhere>,
    pub purchases: Purchases,
    /// What each commitment comes to in a whole month, by its dimensions and currency.
    pub months: BTreeMap<(Dimensions, Currency, Hour), Decimal>,
}

impl Known {
    /// Whether what is paid by the hour or month is in a bill: as a purchase, or spread over the use that it covers.
    pub fn has_flat(&self, provider: Label, key: &SpendKey) -> bool {
        let in_month = (key.dimensions, key.currency, month(key.hour));
        let in_month = self.months.get(&in_month).copied().unwrap_or_default();
        self.has_use(provider, key, in_month) || self.is_bought(provider, key, in_month)
    }

    /// Whether use of a day is billed in the currency of a row.
    fn has_use(&self, provider: Label, key: &SpendKey, in_month: Decimal) -> bool {
        let account = key.dimensions.get(Dimension::Account);
        match key.currency {
            Currency::USD => self.use_of_models.has_flat((provider, account), key.hour, in_month),
            other => (self.elsewhere.get(&other)).is_some_and(|of| of.has_flat(provider, key.hour, in_month)),
        }
    }

    /// Whether something was bought on a day, or on one day of its month half of what the row comes to in all of it: the charge of a month
    /// may stand on any day, and others beside it. What another account bought, as far as accounts are told apart, is not meant.
    fn is_bought(&self, provider: Label, key: &SpendKey, in_month: Decimal) -> bool {
        let account = key.dimensions.get(Dimension::Account);
        let of_another = |whose| (self.use_of_models).are_apart(provider, whose, account, key.hour);
        let is_meant = |(whose, _): &(Label, Currency)| !of_another(*whose);
        let today = self.purchases.bought.get(&(provider, key.hour.day()));
        if today.is_some_and(|bought| bought.keys().any(is_meant)) {
            return true;
        }
        let end = Hour(Hour::of(month_of(key.hour).end).0 - 1);
        let mut days = self
            .purchases
            .bought
            .range((provider, month(key.hour))..=(provider, end));
        days.any(|(_, bought)| {
            let meant = bought.iter().filter(|(of, _)| of.1 == key.currency && is_meant(of));
            let sum = meant.map(|(_, cost)| *cost).try_fold(Decimal::ZERO, add_exact);
            sum.map_or(true, |sum| is_half(sum, in_month))
        })
    }
}

/// Whether a cost is half of what a commitment comes to in a month at least.
fn is_half(cost: Decimal, in_month: Decimal) -> bool {
    in_month > Decimal::ZERO && cost.checked_add(cost).is_none_or(|twice| in_month <= twice)
}

/// Use that is billed in another currency than calls are metered in.
pub(super) struct Elsewhere {
    days: BilledDays,
    /// By provider and day.
    costs: BTreeMap<(Label, Hour), Decimal>,
}

impl Elsewhere {
    /// None yet.
    pub fn new(now: DateTime<Utc>) -> Self {
        Elsewhere {
            days: BilledDays::new(now),
            costs: BTreeMap::new(),
        }
    }

    /// A row of use.
    pub fn add(&mut self, provider: Label, hour: Hour, cost: Decimal) -> Result<(), MoneyError> {
        self.days.add(provider, hour);
        let slot = self.costs.entry((provider, hour.day())).or_default();
        *slot = add_exact(*slot, cost)?;
        Ok(())
    }

    /// Whether the bill has a flat cost of an hour: use of that day, or a row of the month that has half of what that comes to in it.
    fn has_flat(&self, provider: Label, hour: Hour, in_month: Decimal) -> bool {
        let of = |day| self.costs.get(&(provider, day));
        let has_half = || of(month(hour)).is_some_and(|cost| is_half(*cost, in_month));
        of(hour.day()).is_some() || (self.days.is_monthly(provider, hour) && has_half())
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
    /// What was bought, by provider and day, and whose it is.
    bought: BTreeMap<(Label, Hour), BTreeMap<(Label, Currency), Decimal>>,
    /// Commitments by name, with who bills each and whose it is.
    named: Vec<(Label, String, Label)>,
}

impl Purchases {
    /// None yet.
    pub fn new(terms: &Terms) -> Self {
        let named = terms.commitments.iter().map(|commitment| {
            let provider = commitment.dimensions.get(Dimension::Provider);
            let whose = Names::spelled(provider);
            (Label::new(&commitment.name), biller(provider.as_str()), whose)
        });
        Purchases {
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
        let bought = self.bought.entry((provider, key.hour.day())).or_default();
        let slot = bought.entry((of(Dimension::Account), key.currency)).or_default();
        *slot = add_exact(*slot, sums.cost)?;
        Ok(())
    }
}
