//! Of how many days the rows of one bill are: it may have one for each day, week or month, and does not say so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::{Calendar, Hour};
use crate::engine::view::billed::{BilledDays, Weeks, month};

/// Under which the days of the one bill are kept.
pub(super) const ONE: Label = Label::EMPTY;

/// What both sides say of one day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Day {
    pub(super) billed: Option<Decimal>,
    pub(super) metered: Option<Decimal>,
    /// Whether a row of the bill names a model.
    pub(super) names_model: bool,
}

impl Day {
    /// Adds what was metered.
    pub(super) fn meter(&mut self, cost: Decimal) -> Result<(), MoneyError> {
        self.metered = Some(add_exact(self.metered.unwrap_or_default(), cost)?);
        Ok(())
    }

    /// Adds what is billed.
    pub(super) fn bill(&mut self, cost: Decimal) -> Result<(), MoneyError> {
        self.billed = Some(add_exact(self.billed.unwrap_or_default(), cost)?);
        Ok(())
    }

    /// Whether its row is of more than what was metered on it.
    fn is_of_more(&self) -> bool {
        let Some(billed) = self.billed else { return false };
        let metered = self.metered.unwrap_or_default();
        metered.checked_add(metered).is_some_and(|twice| twice <= billed)
    }
}

/// The rows of a bill and the days of use that it is of.
pub(super) struct Sheet {
    now: DateTime<Utc>,
    days: BTreeMap<Hour, Day>,
}

/// What the rows of a bill are of.
pub(super) struct Shape {
    /// The months of which the row of the first is of all of it, so far or as a whole.
    pub(super) months: BTreeSet<Hour>,
    pub(super) weeks: Option<Weeks>,
    /// The days that rows begin on; of weeks, those of weeks.
    pub(super) starts: BilledDays,
    /// The first day that is known to be billed.
    pub(super) first: Option<Hour>,
    /// The last day that is billed; of a bill by months, the last day of the last month.
    pub(super) through: Option<Hour>,
    /// Whether rows name models.
    pub(super) names_models: bool,
}

/// The first hours of this month and the one before.
pub(super) fn latest(now: DateTime<Utc>) -> [Hour; 2] {
    let this = month(Hour::of(now));
    [this, month(Hour(this.0 - 1))]
}

impl Sheet {
    pub(super) fn new(now: DateTime<Utc>) -> Sheet {
        let days = BTreeMap::new();
        Sheet { now, days }
    }

    /// Adds a day of an account or a model.
    pub(super) fn add(&mut self, day: Hour, both: &Day) -> Result<(), MoneyError> {
        let sum = self.days.entry(day).or_default();
        both.metered.map_or(Ok(()), |cost| sum.meter(cost))?;
        both.billed.map_or(Ok(()), |cost| sum.bill(cost))?;
        sum.names_model |= both.names_model;
        Ok(())
    }

    /// The days that have rows, from one on.
    fn rows(&self, from: Hour) -> impl Iterator<Item = Hour> + '_ {
        let rows = self.days.range(from..).filter(|(_, both)| both.billed.is_some());
        rows.map(|(day, _)| *day)
    }

    fn billed(&self, from: Hour) -> BilledDays {
        let mut days = BilledDays::new(self.now);
        self.rows(from).for_each(|day| days.add(ONE, day));
        days
    }

    /// Whether the row of the first of a month is by all signs of that month, though there are rows of other days: these are few beside the
    /// days of use as far as they go, and it is twice what was metered on its own day and half of what was metered in the month.
    fn is_of_month(&self, first: Hour) -> bool {
        let days = &self.days;
        let end = Hour::of(Calendar::Month.around(first.start(), chrono_tz::Tz::UTC).end);
        let of_first = days.get(&first).copied().unwrap_or_default();
        let later = || days.range(Hour(first.0 + 24)..end);
        let last = later().rev().find(|(_, day)| day.billed.is_some()).map(|(day, _)| *day);
        let (mut rows, mut used) = (0, 0);
        let mut metered = of_first.metered;
        for (at, day) in later() {
            rows += usize::from(day.billed.is_some());
            used += usize::from(day.metered.is_some() && last.is_none_or(|last| *at <= last));
            let sum = metered.unwrap_or_default().checked_add(day.metered.unwrap_or_default());
            let Some(sum) = sum else { return false };
            metered = Some(sum);
        }
        let twice = of_first.billed.and_then(|billed| billed.checked_add(billed));
        let metered = metered.filter(|metered| *metered > Decimal::ZERO);
        let has_half = metered.is_some_and(|metered| twice.is_some_and(|twice| metered <= twice));
        has_half && of_first.is_of_more() && 2 * rows < used
    }

    /// The rows that are by all signs of more than a day, where most days of use have none: the others are corrections.
    fn large(&self) -> BilledDays {
        let mut large = BilledDays::new(self.now);
        let (mut small, mut used) = (0, 0);
        for (day, both) in &self.days {
            if both.is_of_more() {
                large.add(ONE, *day);
            } else {
                small += usize::from(both.billed.is_some());
                used += usize::from(both.metered.is_some());
            }
        }
        match 2 * small < used {
            true => large,
            false => BilledDays::new(self.now),
        }
    }

    /// Whether no row stands on another day than the first of a month.
    fn is_of_firsts(&self) -> bool {
        self.rows(Hour(i64::MIN)).all(|day| month(day) == day)
    }

    /// Whether the first row of a bill may be of its whole month, which goes on: its day explains less than it is, and there is use of later
    /// days. No month before says more.
    fn may_be_of_month(&self, this: Hour) -> bool {
        let row = self.days.get(&this).copied().unwrap_or_default();
        let is_more = row
            .billed
            .is_some_and(|billed| row.metered.unwrap_or_default() < billed);
        let mut later = self.days.range(Hour(this.0 + 24)..);
        is_more && self.is_of_firsts() && later.any(|(_, both)| both.metered.is_some())
    }

    /// Whether the row of the first of a month is of all of it. While that goes on, where the month before had one row too, or there is none.
    fn is_month(&self, bills: &BilledDays, lately: &BilledDays, first: Hour) -> bool {
        let of = |days: &BilledDays, first: Hour| days.is_of_first_days(ONE, first) || self.is_of_month(first);
        let [this, last] = latest(self.now);
        if first < this {
            return of(bills, first);
        }
        first == this && of(lately, this) && (of(lately, last) || self.may_be_of_month(this))
    }

    /// Whether the one row of a model in a month is of all of that month, by all signs, though the bill has rows by days of others.
    pub(super) fn is_month_of_model(&self, first: Hour) -> bool {
        let end = Hour::of(Calendar::Month.around(first.start(), chrono_tz::Tz::UTC).end);
        let is_alone = self.rows(first).take_while(|day| *day < end).eq([first]);
        let [this, last] = latest(self.now);
        let is_known = || first < this || self.is_of_month(last) || self.is_of_firsts();
        is_alone && self.is_of_month(first) && is_known()
    }

    /// The first days of the months that there is anything of.
    pub(super) fn firsts(&self) -> BTreeSet<Hour> {
        self.days.keys().map(|day| month(*day)).collect()
    }

    /// What the rows are of, for a comparison that begins in a month.
    pub(super) fn shape(&self, begin: Hour) -> Shape {
        let [_, last] = latest(self.now);
        let (bills, lately) = (self.billed(begin), self.billed(last));
        let mut shape = Shape {
            months: BTreeSet::new(),
            weeks: None,
            starts: BilledDays::new(self.now),
            first: self.rows(Hour(i64::MIN)).next(),
            through: None,
            names_models: self.days.range(begin..).any(|(_, both)| both.names_model),
        };
        if bills.providers().next().is_none() {
            return shape;
        }
        let used = self.days.iter().filter(|(_, both)| both.metered.is_some());
        let used: BTreeSet<Hour> = used.map(|(day, _)| *day).collect();
        let known = bills.weeks(ONE, &used).or_else(|| lately.weeks(ONE, &used));
        let large = self.large();
        let among_others = large.weeks(ONE, &used).filter(|_| known.is_none());
        let is_start = |day: &Hour| among_others.is_none() || large.covers(ONE, *day);
        let starts = self.rows(Hour(i64::MIN)).filter(is_start);
        starts.for_each(|day| shape.starts.add(ONE, day));
        shape.weeks = known.or(among_others);
        let months = self.firsts().into_iter();
        shape.months = months.filter(|first| self.is_month(&bills, &lately, *first)).collect();
        shape.through = bills.through(ONE).map(|last| {
            let month = Calendar::Month.around(last.start(), chrono_tz::Tz::UTC);
            let is_month = month.end <= self.now && shape.months.contains(&Hour::of(month.start));
            if is_month {
                Hour(Hour::of(month.end).0 - 24)
            } else {
                last
            }
        });
        shape
    }
}
