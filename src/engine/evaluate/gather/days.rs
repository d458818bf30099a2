//! The days of the period itself, as far as they are in it, and those before by which it goes on.

use std::borrow::Cow;

use chrono::{Days, NaiveDate, TimeDelta};
use rust_decimal::Decimal;

use super::agreed::Daily;
use super::{Gathering, HISTORY_DAYS};
use crate::domain::money::{MoneyError, add_exact};

/// The last days with use by which it is told whether a bill takes back something on each: a discount may be new.
const TAKEN_BACK_DAYS: usize = 14;

/// Times the median by which what is no usage may go on.
const USUAL: Decimal = Decimal::from_parts(3, 0, 0, false, 0);

impl Gathering<'_> {
    /// The day on which all of the amount had been spent, if it has been.
    pub(super) fn spent_up(&self) -> Result<Option<NaiveDate>, MoneyError> {
        let amount = self.budget.amount.amount();
        if self.spent.is_zero() || self.spent < amount {
            return Ok(None);
        }
        let mut sum = Decimal::ZERO;
        for (day, cost) in self.in_period() {
            sum = add_exact(sum, cost)?;
            if sum >= amount {
                return Ok(Some(day));
            }
        }
        Ok(None)
    }

    /// The days of the period that have spend, with what of it is in the period.
    pub(super) fn in_period(&self) -> impl Iterator<Item = (NaiveDate, Decimal)> {
        let [first, last] = self.edges;
        let days = self.daily.range(first..).take_while(move |(day, _)| **day <= last);
        days.map(|(day, cost)| {
            let outside = self.outside.get(day).copied().unwrap_or_default();
            (*day, cost.checked_sub(outside).unwrap_or(*cost))
        })
    }

    /// The first day with spend that is looked at.
    pub(super) fn oldest(&self, daily: &Daily) -> Option<NaiveDate> {
        daily.range(self.looked_at()..).next().map(|(day, _)| *day)
    }

    /// The first day that is looked at, with spend or without.
    fn looked_at(&self) -> NaiveDate {
        let from = (self.now - TimeDelta::days(HISTORY_DAYS)).with_timezone(&self.budget.zone);
        from.date_naive() + Days::new(1)
    }

    /// Local days from the first one that is looked at and has spend, or had it before, to the one before `end`, those without spend included
    /// and what is `agreed` left out. Of what is no usage, and of what is taken back, only that is in them which comes on most days, and as
    /// much as is usual: a credit, a fee, a tax or a refund that came once does not come daily.
    pub(super) fn days_before(&self, end: NaiveDate, agreed: &Daily) -> Result<Vec<(NaiveDate, Decimal)>, MoneyError> {
        let [other, taken_back] = &self.other;
        let (all, other) = (less(&self.daily, agreed)?, less(other, agreed)?);
        // What had spend earlier and none since costs nothing now, which is known.
        let earlier = (!self.daily.is_empty() || !agreed.is_empty()).then(|| self.looked_at());
        let Some(first) = self.oldest(&all).or(earlier) else {
            return Ok(Vec::new());
        };
        let of = |daily: &Daily, day: &NaiveDate| daily.get(day).copied().unwrap_or_default();
        let dates: Vec<NaiveDate> = first.iter_days().take_while(|day| *day < end).collect();
        // What is taken back goes on with the use that it is of.
        let used = dates.iter().rev().filter(|day| of(&all, day) != of(taken_back, day));
        let lately = used.take(TAKEN_BACK_DAYS).map(|day| of(taken_back, day));
        let usual = [
            bound(dates.iter().map(|day| of(&other, day)).collect()),
            bound(lately.collect()),
        ];
        let mut days: Vec<(NaiveDate, Decimal)> = Vec::new();
        for (at, day) in dates.iter().enumerate() {
            let mut cost = of(&all, day);
            for (daily, bound) in [&*other, taken_back].into_iter().zip(usual) {
                let beside = of(daily, day);
                let goes_on = beside.clamp(bound.min(Decimal::ZERO), bound.max(Decimal::ZERO));
                cost = add_exact(cost, add_exact(goes_on, -beside)?)?;
            }
            // Where it is in one sum with the use, that is unknown: as on the same day of the week before.
            let taken = of(taken_back, day);
            if !taken.is_zero() && cost.is_zero() {
                let before = at.checked_sub(7).and_then(|at| days.get(at));
                cost = before.map_or(cost, |(_, cost)| *cost);
            }
            days.push((*day, cost));
        }
        Ok(days)
    }
}

/// The same days without what is agreed.
fn less<'d>(daily: &'d Daily, agreed: &Daily) -> Result<Cow<'d, Daily>, MoneyError> {
    let mut daily = Cow::Borrowed(daily);
    for (day, cost) in agreed {
        if let Some(known) = daily.get(day) {
            let rest = add_exact(*known, -*cost)?;
            daily.to_mut().insert(*day, rest);
        }
    }
    if !agreed.is_empty() {
        daily.to_mut().retain(|_, rest| !rest.is_zero());
    }
    Ok(daily)
}

/// As much as may go on of what costs so on single days.
fn bound(mut daily: Vec<Decimal>) -> Decimal {
    daily.sort_unstable();
    let usual = daily.get(daily.len() / 2).copied().unwrap_or_default();
    usual.checked_mul(USUAL).unwrap_or(usual)
}
