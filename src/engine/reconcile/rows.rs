//! Which days a row of a bill is of: a bill may have one for each day, week or month, and does not say so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::spend::Sums;
use crate::engine::view::billed::{BilledDays, Weeks, month};

/// What both sides say of one day.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    billed: Option<Decimal>,
    metered: Option<Decimal>,
}

impl Day {
    /// Whether its row is of more than what was metered on it.
    fn is_of_more(&self) -> bool {
        let Some(billed) = self.billed else { return false };
        let metered = self.metered.unwrap_or_default();
        metered.checked_add(metered).is_some_and(|twice| twice <= billed)
    }
}

/// The rows of bills and the days of metered use, being collected.
pub(super) struct Rows {
    period: Period,
    now: DateTime<Utc>,
    /// Since the first of the month that the period begins in.
    bills: BilledDays,
    /// Since the month before this one.
    lately: BilledDays,
    days: BTreeMap<Label, BTreeMap<Hour, Day>>,
}

/// Where each row of a bill stands.
pub(super) struct Places {
    rows: Rows,
    /// The months of which the row of the first is of all of it, so far or as a whole.
    months: BTreeSet<(Label, Hour)>,
    weeks: BTreeMap<Label, Weeks>,
    /// The days that rows begin on; of weeks, those of weeks.
    starts: BilledDays,
}

impl Rows {
    pub(super) fn new(period: Period, now: DateTime<Utc>) -> Rows {
        let (bills, lately) = (BilledDays::new(now), BilledDays::new(now));
        let days = BTreeMap::new();
        Rows {
            period,
            now,
            bills,
            lately,
            days,
        }
    }

    /// The first hours of this month and the one before.
    fn latest(&self) -> [Hour; 2] {
        let this = month(Hour::of(self.now));
        [this, month(Hour(this.0 - 1))]
    }

    /// All that has to be collected: bills of later days say how far is billed, and rows of weeks before reach into the period.
    pub(super) fn around(&self) -> Period {
        let earlier = month(Hour(month(Hour::of(self.period.start)).0 - 1));
        let [_, last] = self.latest();
        Period::new(earlier.min(last).start(), self.now.max(self.period.end))
    }

    fn day(&mut self, provider: Label, hour: Hour) -> &mut Day {
        self.days.entry(provider).or_default().entry(hour.day()).or_default()
    }

    /// Use was metered, at what was agreed.
    pub(super) fn metered(&mut self, provider: Label, hour: Hour, cost: Decimal) -> Result<(), MoneyError> {
        let sum = &mut self.day(provider, hour).metered;
        *sum = Some(add_exact(sum.unwrap_or_default(), cost)?);
        Ok(())
    }

    /// A bill has rows of use. What it takes back says neither how far it has come nor of how many days its rows are; rows that count
    /// tokens are of use, however much is taken back of it.
    pub(super) fn billed(&mut self, provider: Label, hour: Hour, sums: &Sums) -> Result<(), MoneyError> {
        let cost = sums.cost;
        if cost < Decimal::ZERO && sums.tokens.total() <= 0 {
            return Ok(());
        }
        let [_, last] = self.latest();
        if hour >= last {
            self.lately.add(provider, hour);
        }
        if hour >= month(Hour::of(self.period.start)) {
            self.bills.add(provider, hour);
        }
        let sum = &mut self.day(provider, hour).billed;
        *sum = Some(add_exact(sum.unwrap_or_default(), cost)?);
        Ok(())
    }

    /// Providers with a bill.
    pub(super) fn providers(&self) -> impl Iterator<Item = Label> + '_ {
        self.bills.providers()
    }

    /// Whether the row of the first of a month is by all signs of that month, though there are rows of other days: these are few beside the
    /// days of use as far as they go, and it is twice what was metered on its own day and half of what was metered in the month.
    fn is_of_month(&self, provider: Label, first: Hour) -> bool {
        let Some(days) = self.days.get(&provider) else {
            return false;
        };
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
    fn large(&self, provider: Label) -> BilledDays {
        let mut large = BilledDays::new(self.now);
        let (mut small, mut used) = (0, 0);
        for (day, both) in self.days.get(&provider).into_iter().flatten() {
            if both.is_of_more() {
                large.add(provider, *day);
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

    /// What the rows are of.
    pub(super) fn places(self) -> Places {
        let mut weeks = BTreeMap::new();
        let mut starts = BilledDays::new(self.now);
        let mut months = BTreeSet::new();
        for provider in self.providers() {
            let days = || self.days.get(&provider).into_iter().flatten();
            let used: BTreeSet<Hour> = days()
                .filter(|(_, d)| d.metered.is_some())
                .map(|(day, _)| *day)
                .collect();
            let known = self.bills.weeks(provider, &used);
            let known = known.or_else(|| self.lately.weeks(provider, &used));
            let large = self.large(provider);
            let among_others = large.weeks(provider, &used).filter(|_| known.is_none());
            let is_start = |(day, both): &(&Hour, &Day)| match among_others {
                Some(_) => large.covers(provider, **day),
                None => both.billed.is_some(),
            };
            days().filter(is_start).for_each(|(day, _)| starts.add(provider, *day));
            weeks.extend(known.or(among_others).map(|weeks| (provider, weeks)));
            let firsts: BTreeSet<Hour> = days().map(|(day, _)| month(*day)).collect();
            let is_month = |first: &Hour| self.is_month(provider, *first);
            months.extend(firsts.into_iter().filter(is_month).map(|first| (provider, first)));
        }
        Places {
            rows: self,
            months,
            weeks,
            starts,
        }
    }

    /// Whether the row of the first of a month is of all of it. While that goes on, where the month before had one row too.
    fn is_month(&self, provider: Label, first: Hour) -> bool {
        let of = |days: &BilledDays, first: Hour| {
            days.is_of_first_days(provider, first) || self.is_of_month(provider, first)
        };
        let [this, last] = self.latest();
        if first < this {
            return of(&self.bills, first);
        }
        first == this && of(&self.lately, this) && of(&self.lately, last)
    }
}

impl Places {
    /// The first hour of the row that an hour is compared with: of its day, week or month; nothing where the period has only a part of that.
    pub(super) fn start(&self, provider: Label, hour: Hour) -> Option<Hour> {
        let Rows { period, now, .. } = self.rows;
        let first = month(hour);
        if self.months.contains(&(provider, first)) {
            let whole = Calendar::Month.around(first.start(), chrono_tz::Tz::UTC);
            return (whole.start >= period.start && whole.end <= period.end).then_some(first);
        }
        let row = self.weeks.get(&provider).and_then(|weeks| {
            let start = self.starts.row(provider, hour, weeks)?;
            Some((start, weeks.end(start).start()))
        });
        let Some((start, end)) = row else {
            return Some(hour.day());
        };
        // A week that goes on has come as far as the period.
        let is_part = start.start() < period.start || (period.end < end && period.end < now);
        (!is_part).then_some(start)
    }

    /// The last day that each provider has billed.
    pub(super) fn through(&self) -> BTreeMap<Label, Hour> {
        let last = |provider: Label| {
            let last = self.rows.bills.through(provider)?;
            let month = Calendar::Month.around(last.start(), chrono_tz::Tz::UTC);
            let is_month = month.end <= self.rows.now && self.months.contains(&(provider, Hour::of(month.start)));
            let end = Hour(Hour::of(month.end).0 - 24);
            Some((provider, if is_month { end } else { last }))
        };
        self.rows.providers().filter_map(last).collect()
    }
}
