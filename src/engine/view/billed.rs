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
    pub(super) fn is_of_first_days(&self, provider: Label, day: Hour) -> bool {
        let billed = self.days.get(&provider);
        billed.is_some_and(|days| days.contains(&month(day)) && days.iter().all(|day| month(*day) == *day))
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
    }
}
