//! Which days a provider has billed. A bill may have a row an hour, a day or a month.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::label::Label;
use crate::domain::period::{Calendar, Hour, Period};

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

/// The hours from one row of a bill to the next where all are whole weeks apart: it is one by weeks. Two rows may be so by chance.
pub(super) fn weeks<'a>(days: impl Iterator<Item = &'a Hour> + Clone) -> Option<i64> {
    let steps = days.clone().zip(days.skip(1)).map(|(one, next)| next.0 - one.0);
    let are_weeks = steps.clone().count() > 1 && steps.clone().all(|step| step % (7 * 24) == 0);
    steps.min().filter(|_| are_weeks)
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

    /// The hours that each row of a provider's bill is of, where it is one by weeks.
    #[must_use]
    pub fn weeks(&self, provider: Label) -> Option<i64> {
        weeks(self.days.get(&provider)?.iter())
    }

    /// The day of the row that an hour is billed with, where each is of so many hours.
    #[must_use]
    pub fn row(&self, provider: Label, hour: Hour, hours: i64) -> Option<Hour> {
        let days = self.days.get(&provider)?;
        let before = days.range(..=hour.day()).next_back().copied();
        before.filter(|row| hour.0 < row.0 + hours)
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
        assert_eq!(daily.weeks(provider), None);
    }

    #[test]
    fn rows_that_are_whole_weeks_apart_are_of_weeks() {
        let provider = Label::new("p");
        let day = |day: i64| Hour(24 * (20_000 + day));
        for (rows, expected) in [
            (&[0, 7][..], None),
            (&[0, 7, 14], Some(7)),
            (&[0, 7, 21], Some(7)),
            (&[0, 14, 28], Some(14)),
            (&[0, 7, 14, 15], None),
            (&[0, 2, 4], None),
        ] {
            let mut bill = BilledDays::new(day(40).start());
            rows.iter().for_each(|row| bill.add(provider, day(*row)));
            assert_eq!(bill.weeks(provider), expected.map(|days| 24 * days), "{rows:?}");
        }
        let mut bill = BilledDays::new(day(40).start());
        for row in [0, 7, 14] {
            bill.add(provider, day(row));
        }
        let of = |at: i64| bill.row(provider, Hour(day(at).0 + 5), 7 * 24);
        let expected = [None, Some(0), Some(0), Some(14), None];
        assert_eq!([-1, 0, 6, 20, 21].map(of), expected.map(|row| row.map(day)));
    }
}
