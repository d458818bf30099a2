//! Which days a provider has billed. A bill may have a row an hour, a day or a month.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::contract::Terms;
use crate::domain::label::Label;
use crate::domain::money::MoneyError;
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums};

/// Hours of a week.
const WEEK_HOURS: i64 = 7 * 24;

/// Rows that tell a bill by weeks: two may be whole weeks apart by chance.
const MANY_WEEKS: usize = 3;

/// The first hours of days on which bills have rows, by provider.
#[derive(Clone, Debug, Default)]
pub struct BilledDays {
    days: BTreeMap<Label, BTreeSet<Hour>>,
    now: DateTime<Utc>,
}

/// The first hour of the month of a day.
#[must_use]
pub fn month(day: Hour) -> Hour {
    Hour::of(month_of(day).start)
}

pub(super) fn month_of(day: Hour) -> Period {
    Calendar::Month.around(day.start(), chrono_tz::Tz::UTC)
}

/// A bill whose rows are of weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weeks {
    /// The first day of one of them.
    first: Hour,
    /// The hours that each is of.
    pub hours: i64,
    /// Whether one in which a month ends has two rows, as of two billing periods.
    split: bool,
}

impl Weeks {
    /// What rows are of by the days that they begin on, and those of metered use. Three or more that are whole weeks apart may be
    /// of a weekday on which alone something is used, so in half of those that have use some of it must be of later days.
    pub(super) fn of(rows: &BTreeSet<Hour>, used: &BTreeSet<Hour>) -> Option<Weeks> {
        let is_first = |day: &Hour| month(*day) == *day;
        let first = *rows.iter().find(|day| !is_first(day))?;
        let (begun, rest): (Vec<Hour>, Vec<Hour>) = rows.iter().partition(|day| (day.0 - first.0) % WEEK_HOURS == 0);
        let steps = begun.iter().zip(begun.iter().skip(1));
        let hours = steps.map(|(one, next)| next.0 - one.0).min()?;
        if begun.len() < MANY_WEEKS || !rest.iter().all(is_first) {
            return None;
        }
        let split = !rest.is_empty();
        let weeks = Weeks { first, hours, split };
        let mut spread: BTreeMap<Hour, bool> = BTreeMap::new();
        for day in used {
            if let Some(row) = weeks.row(rows, *day) {
                *spread.entry(row).or_default() |= row != *day;
            }
        }
        let many = spread.values().filter(|is_spread| **is_spread).count();
        (many > 0 && 2 * many >= spread.len()).then_some(weeks)
    }

    /// The first day behind those that a row is of.
    #[must_use]
    pub fn end(&self, row: Hour) -> Hour {
        // The second row of a week is of what the first has left.
        let into = row.0 - self.first.0;
        let left = match into % WEEK_HOURS {
            0 => self.hours,
            _ => self.hours - into.rem_euclid(self.hours),
        };
        let end = Hour(row.0 + left);
        match self.split {
            true => end.min(Hour::of(month_of(row).end)),
            false => end,
        }
    }

    /// The first day of the row that a day is billed with.
    fn row(&self, rows: &BTreeSet<Hour>, day: Hour) -> Option<Hour> {
        let before = rows.range(..=day).next_back().copied();
        before.filter(|row| day < self.end(*row))
    }
}

impl BilledDays {
    /// None yet; `now` says which months are over.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        BilledDays {
            days: BTreeMap::new(),
            now,
        }
    }

    /// A bill has a row at this hour.
    pub fn add(&mut self, provider: Label, hour: Hour) {
        self.days.entry(provider).or_default().insert(hour.day());
    }

    /// Providers with a bill.
    pub fn providers(&self) -> impl Iterator<Item = Label> + '_ {
        self.days.keys().copied()
    }

    /// Whether the provider's row of the first day of this month stands for the whole month: all its rows are of first days,
    /// and the month is over. While it goes on, the first day may be all that is billed so far.
    #[must_use]
    pub fn is_monthly(&self, provider: Label, day: Hour) -> bool {
        month_of(day).end <= self.now && self.is_of_first_days(provider, day)
    }

    /// Whether the first day of this month has a row, and no other day of any month.
    #[must_use]
    pub fn is_of_first_days(&self, provider: Label, day: Hour) -> bool {
        let billed = self.days.get(&provider);
        billed.is_some_and(|days| days.contains(&month(day)) && days.iter().all(|day| month(*day) == *day))
    }

    /// What each row of a provider's bill is of, where it is one by weeks, given the days of metered use.
    #[must_use]
    pub fn weeks(&self, provider: Label, used: &BTreeSet<Hour>) -> Option<Weeks> {
        Weeks::of(self.days.get(&provider)?, used)
    }

    /// The first day of the row that an hour is billed with, where each is of a week.
    #[must_use]
    pub fn row(&self, provider: Label, hour: Hour, weeks: &Weeks) -> Option<Hour> {
        weeks.row(self.days.get(&provider)?, hour.day())
    }

    /// Whether that day is billed.
    #[must_use]
    pub fn covers(&self, provider: Label, day: Hour) -> bool {
        self.days.get(&provider).is_some_and(|days| days.contains(&day.day())) || self.is_monthly(provider, day)
    }

    /// The last day that is billed.
    #[must_use]
    pub fn through(&self, provider: Label) -> Option<Hour> {
        let last = *self.days.get(&provider)?.last()?;
        Some(if self.is_monthly(provider, last) {
            Hour::of(month_of(last).end - TimeDelta::hours(1)).day()
        } else {
            last
        })
    }
}

pub(super) fn effective(terms: &Terms, key: &SpendKey, sums: &Sums) -> Result<(SpendKey, Sums), MoneyError> {
    let at = key.hour.start();
    let cost = |amount| Ok(terms.agreed(&key.dimensions, at, amount)?.effective);
    let key = SpendKey {
        basis: Basis::Effective,
        ..*key
    };
    let sums = Sums {
        cost: cost(sums.cost)?,
        unpriced_worst_case: cost(sums.unpriced_worst_case)?,
        ..*sums
    };
    Ok((key, sums))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_by_months_covers_its_months_once_they_are_over() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let day = |text: &str| Hour::of(at(&format!("2026-{text}T00:00:00Z")));
        let provider = Label::new("p");
        let mut monthly = BilledDays::new(at("2026-11-24T00:00:00Z"));
        monthly.add(provider, day("10-01"));
        assert!(monthly.covers(provider, day("10-31")) && !monthly.covers(provider, day("11-01")));
        assert_eq!(monthly.through(provider), Some(day("10-31")));
        monthly.add(provider, day("11-01"));
        assert!(monthly.covers(provider, day("11-01")) && !monthly.covers(provider, day("11-02")));
        assert_eq!(monthly.through(provider), Some(day("11-01")));
        let mut daily = BilledDays::new(at("2026-11-24T00:00:00Z"));
        daily.add(provider, day("10-01"));
        daily.add(provider, day("10-02"));
        assert!(daily.covers(provider, day("10-02")) && !daily.covers(provider, day("10-03")));
        assert_eq!(daily.through(provider), Some(day("10-02")));
        assert_eq!(daily.weeks(provider, &BTreeSet::from([day("10-03")])), None);
    }

    #[test]
    fn rows_that_are_whole_weeks_apart_are_of_weeks_where_use_is_of_days_between() {
        let provider = Label::new("p");
        // Of 2024-10-04 on: day 28 is the first of November.
        let day = |day: i64| Hour(24 * (20_000 + day));
        let each: Vec<i64> = (0..40).collect();
        let mondays: Vec<i64> = (0..6).map(|week| 7 * week).collect();
        let some = |more: &[i64]| [&mondays, more].concat();
        for (rows, used, expected) in [
            (&[0, 7][..], &each, None),
            (&[0, 7, 14], &each, Some(7)),
            (&[0, 7, 21], &each, Some(7)),
            (&[0, 14, 28], &each, Some(14)),
            (&[0, 7, 14, 15], &each, None),
            (&[0, 2, 4], &each, None),
            // Split where a month ends.
            (&[3, 10, 17, 24, 28, 31], &each, Some(7)),
            (&[3, 10, 17, 24, 29, 31], &each, None),
            // Used on that weekday alone, or but for one day; before calls were metered; not at all.
            (&[0, 7, 14, 21], &mondays, None),
            (&[0, 7, 14, 21], &some(&[9]), None),
            (&[0, 7, 14, 21], &some(&[1, 9]), Some(7)),
            (&[0, 7, 14, 21], &(22..30).collect(), Some(7)),
            (&[0, 7, 14, 21], &vec![40], None),
            (&[0, 7, 14, 21], &Vec::new(), None),
        ] {
            let mut bill = BilledDays::new(day(40).start());
            rows.iter().for_each(|row| bill.add(provider, day(*row)));
            let weeks = bill.weeks(provider, &used.iter().copied().map(day).collect());
            assert_eq!(
                weeks.map(|weeks| weeks.hours),
                expected.map(|days| 24 * days),
                "{rows:?} {used:?}"
            );
        }
        let of = |rows: &[i64], days: &[i64]| {
            let mut bill = BilledDays::new(day(40).start());
            rows.iter().for_each(|row| bill.add(provider, day(*row)));
            let weeks = bill.weeks(provider, &each.iter().copied().map(day).collect()).unwrap();
            let row = |at: &i64| bill.row(provider, Hour(day(*at).0 + 5), &weeks);
            let rows = days.iter().map(row).map(|row| row.map(|row| row.0 / 24 - 20_000));
            rows.collect::<Vec<_>>()
        };
        assert_eq!(
            of(&[0, 7, 14], &[-1, 0, 6, 20, 21]),
            [None, Some(0), Some(0), Some(14), None]
        );
        // The last row of a split week is of what is left of it, or of what its month has.
        assert_eq!(
            of(&[3, 10, 17, 24, 28], &[24, 27, 28, 30, 31]),
            [Some(24), Some(24), Some(28), Some(28), None]
        );
        assert_eq!(
            of(&[-5, -3, 2, 9, 16, 23], &[-4, -3, 1, 23, 27, 28]),
            [Some(-5), Some(-3), Some(-3), Some(23), Some(23), None]
        );
    }
}
