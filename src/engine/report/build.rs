//! Adds rows of spend up, ranks and sorts them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Offset, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::axis::day_in;
use super::{Axis, AxisValue, Daily, ReportQuery, Row, Section, selects};
use crate::domain::charge::Charge;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, Sums, TokenSums, metered_key};
use crate::domain::usage::UsageEvent;

/// Longest daily series, so that a report over a thousand years stays small.
const MAX_DAYS: usize = 4_000;

type Rows = FxHashMap<Vec<AxisValue>, Row>;

pub(super) struct Builder<'a> {
    query: &'a ReportQuery,
    shift: TimeDelta,
    first_day: NaiveDate,
    /// The last hour of the period.
    last_hour: Hour,
    days: usize,
    sections: BTreeMap<(bool, Currency), Rows>,
    /// The last hour seen and its day: neighbouring rows mostly share it, and zones are slow.
    last: (Hour, NaiveDate),
    key: Vec<AxisValue>,
    /// The last hour that was added.
    told: Option<Hour>,
    /// Whose session what is added belongs to.
    session: AxisValue,
}

impl<'a> Builder<'a> {
    pub fn new(query: &'a ReportQuery) -> Self {
        let period = query.period;
        let first_day = day_in(period.start, query.zone);
        let end = day_in((period.end - TimeDelta::nanoseconds(1)).max(period.start), query.zone);
        let timed = query.by.iter().any(|axis| axis.is_time());
        let days = match usize::try_from((end - first_day).num_days() + 1) {
            Ok(days) if !timed => days.min(MAX_DAYS),
            _ => 0,
        };
        let hour = Hour::of(period.start);
        Builder {
            query,
            shift: period.start - query.previous.start,
            first_day,
            last_hour: Hour::of((period.end - TimeDelta::nanoseconds(1)).max(period.start)),
            days,
            sections: BTreeMap::new(),
            last: (hour, day_in(hour.start(), query.zone)),
            key: Vec::new(),
            told: None,
            session: AxisValue::NoDetail,
        }
    }

    /// Moves a call out of what sums alone know into its session.
    pub fn move_call(&mut self, event: &UsageEvent, charge: &Charge, is_previous: bool) -> Result<(), MoneyError> {
        let (key, sums) = (metered_key(event), Sums::of(event, charge));
        if sums.is_empty() {
            return Ok(());
        }
        let mut less = Sums::default();
        less.subtract(&sums)?;
        for (session, sums) in [(AxisValue::NoDetail, less), (AxisValue::Name(event.session), sums)] {
            self.session = session;
            match is_previous {
                true => self.add_previous(&key, &sums)?,
                false => self.add(&key, &sums)?,
            }
        }
        Ok(())
    }

    pub fn add(&mut self, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        // Whatever is asked for: what is used no more is in no row of a bill.
        if key.basis == self.query.basis {
            self.told = self.told.max(Some(key.hour));
        }
        if !self.selects(key) {
            return Ok(());
        }
        let sums = &self.shown(sums);
        let day = self.day(key.hour);
        let offset = usize::try_from((day - self.first_day).num_days()).ok();
        let offset = offset.filter(|day| *day < self.days);
        self.change(key, key.hour, |row| {
            row.sums.add(sums)?;
            match offset {
                Some(day) => row.daily.add(day, sums.cost),
                None => Ok(()),
            }
        })
    }

    /// The end of the last UTC day of which something was added.
    pub fn told_to(&self) -> Option<DateTime<Utc>> {
        self.told.map(|last| last.day().start() + TimeDelta::days(1))
    }

    pub fn add_previous(&mut self, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        if !self.selects(key) {
            return Ok(());
        }
        let sums = &self.shown(sums);
        // What a longer month had at its end is compared with the last day of this one, at the same hours.
        let moved = self.moved(key.hour);
        let days_over = (moved.0 - self.last_hour.0).max(0).saturating_add(23) / 24;
        let moved = Hour(moved.0 - 24 * days_over);
        self.change(key, moved, |row| row.previous.add(sums))
    }

    /// The hour of the period that one of the period before is compared with: at the same time of its day, also where clocks were changed
    /// in between.
    fn moved(&self, hour: Hour) -> Hour {
        let zone = self.query.zone;
        if zone == Tz::UTC {
            return Hour::of(hour.start() + self.shift);
        }
        let ahead =
            |at: DateTime<Utc>| TimeDelta::seconds(at.with_timezone(&zone).offset().fix().local_minus_utc().into());
        // The two begin so many days apart by the clocks of the zone.
        let apart = self.shift + (ahead(self.query.period.start) - ahead(self.query.previous.start));
        let days = TimeDelta::days((apart + TimeDelta::hours(12)).num_days());
        let by_days = hour.start() + days;
        Hour::of(by_days + (ahead(hour.start()) - ahead(by_days)))
    }

    /// What is shown of sums.
    fn shown<'s>(&self, sums: &'s Sums) -> Cow<'s, Sums> {
        match self.query.tokens {
            true => Cow::Borrowed(sums),
            false => Cow::Owned(without_tokens(sums)),
        }
    }

    fn selects(&self, key: &SpendKey) -> bool {
        key.basis == self.query.basis && selects(&self.query.filters, &key.dimensions)
    }

    fn day(&mut self, hour: Hour) -> NaiveDate {
        if self.last.0 != hour {
            self.last = (hour, day_in(hour.start(), self.query.zone));
        }
        self.last.1
    }

    fn change<T>(&mut self, key: &SpendKey, hour: Hour, change: impl FnOnce(&mut Row) -> T) -> T {
        let day = self.day(hour);
        let values = self
            .query
            .by
            .iter()
            .map(|axis| axis.value(hour, day, &key.dimensions, self.session));
        self.key.clear();
        self.key.extend(values);
        let section = (key.currency != Currency::USD, key.currency);
        let rows = self.sections.entry(section).or_default();
        // The key is copied only for a row that is new.
        if let Some(row) = rows.get_mut(self.key.as_slice()) {
            return change(row);
        }
        let fresh = empty(self.key.clone());
        change(rows.entry(self.key.clone()).or_insert(fresh))
    }

    pub fn finish(self) -> Result<Vec<Section>, MoneyError> {
        let (mut sections, mut nothing) = (Vec::new(), None);
        for ((_, currency), rows) in self.sections {
            let total = sum(Vec::new(), rows.values())?;
            let rows = match self.query.top {
                Some(top) => fold(self.query, rows, top)?,
                None => rows.into_values().collect(),
            };
            let (mut rows, mut gone): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| !row.sums.is_empty());
            gone.retain(|row| !row.previous.is_empty());
            rows.sort_by_cached_key(|row| order(&self.query.by, row));
            gone.sort_by_cached_key(|row| order(&self.query.by, row));
            let is_empty = total.sums.is_empty();
            let section = Section {
                currency,
                rows,
                gone,
                total,
                days: self.days,
            };
            if !is_empty {
                sections.push(section);
            } else if currency == Currency::USD {
                // What was spent before is told all the same.
                nothing = Some(section);
            }
        }
        if sections.is_empty() {
            sections.push(nothing.unwrap_or_else(|| Section {
                currency: Currency::USD,
                rows: Vec::new(),
                gone: Vec::new(),
                total: empty(Vec::new()),
                days: self.days,
            }));
        }
        Ok(sections)
    }
}

fn empty(key: Vec<AxisValue>) -> Row {
    Row {
        key,
        sums: Sums::default(),
        previous: Sums::default(),
        daily: Daily::default(),
    }
}

fn without_tokens(sums: &Sums) -> Sums {
    Sums {
        tokens: TokenSums::default(),
        ..*sums
    }
}

fn absorb(into: &mut Row, row: &Row) -> Result<(), MoneyError> {
    into.sums.add(&row.sums)?;
    into.previous.add(&row.previous)?;
    into.daily.absorb(&row.daily)
}

fn sum<'r>(key: Vec<AxisValue>, rows: impl Iterator<Item = &'r Row>) -> Result<Row, MoneyError> {
    let mut total = empty(key);
    for row in rows {
        absorb(&mut total, row)?;
    }
    Ok(total)
}

/// Keeps the names that cost most over the whole period and folds the others into one row per span of time.
fn fold(query: &ReportQuery, rows: Rows, top: usize) -> Result<Vec<Row>, MoneyError> {
    let only_time = query.by.iter().all(|axis| axis.is_time());
    let ranked = |axis: &Axis| only_time || !axis.is_time();
    let names = |row: &Row| -> Vec<AxisValue> {
        let pairs = query.by.iter().zip(&row.key);
        pairs
            .filter(|(axis, _)| ranked(axis))
            .map(|(_, value)| *value)
            .collect()
    };
    let mut costs: BTreeMap<Vec<AxisValue>, Decimal> = BTreeMap::new();
    for row in rows.values() {
        let slot = costs.entry(names(row)).or_default();
        *slot = add_exact(*slot, row.sums.cost)?;
    }
    let mut ranking: Vec<_> = costs.into_iter().collect();
    ranking.sort_by_key(|(_, cost)| Reverse(*cost));
    let kept: BTreeSet<Vec<AxisValue>> = ranking.into_iter().take(top).map(|(names, _)| names).collect();
    let mut folded: BTreeMap<Vec<AxisValue>, Row> = BTreeMap::new();
    for row in rows.into_values() {
        let key = if kept.contains(&names(&row)) || row.key.contains(&AxisValue::NoDetail) {
            row.key.clone()
        } else {
            let pairs = query.by.iter().zip(&row.key);
            pairs
                .map(|(axis, value)| if ranked(axis) { AxisValue::Other } else { *value })
                .collect()
        };
        let slot = folded.entry(key.clone()).or_insert_with(|| empty(key));
        absorb(slot, &row)?;
    }
    Ok(folded.into_values().collect())
}

/// Time ascending, `other` and what has no detail last, cost descending, names ascending.
fn order(by: &[Axis], row: &Row) -> (Vec<AxisValue>, bool, Reverse<Decimal>, Vec<AxisValue>) {
    let times = by.iter().zip(&row.key).filter(|(axis, _)| axis.is_time());
    (
        times.map(|(_, value)| *value).collect(),
        row.key.contains(&AxisValue::Other) || row.key.contains(&AxisValue::NoDetail),
        Reverse(row.sums.cost),
        row.key.clone(),
    )
}
