//! Whose each row of a bill is, and of which days: accounts are told apart, and parts of bills known, as where late bills are filled.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::shape::{Day, ONE, Shape, Sheet, latest};
use crate::domain::label::Label;
use crate::domain::money::MoneyError;
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::spend::Sums;
use crate::engine::view::billed::month;
use crate::engine::view::standings::{Collected, Standings, compared_from};

/// The provider, and the account where bill and calls tell it apart.
pub(super) type Whose = (Label, Label);

/// Provider, account, the family of the model, and when.
pub(super) type At = (Label, Label, Label, Hour);

/// The rows of bills and the days of metered use, being collected.
pub(super) struct Rows {
    period: Period,
    now: DateTime<Utc>,
    days: FxHashMap<At, Day>,
    collected: Collected,
}

/// Where each row of a bill stands.
pub(super) struct Places {
    period: Period,
    now: DateTime<Utc>,
    standings: Standings,
    shapes: BTreeMap<Whose, Shape>,
    /// The months of which a model has one row, of bills that are by days otherwise.
    months: BTreeSet<(Whose, Label, Hour)>,
}

/// How far a day is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Billing {
    /// It is.
    Whole,
    /// Further rows may come.
    Part,
    /// It is behind the last billed day of the account, or before the first.
    None,
}

impl Rows {
    pub(super) fn new(period: Period, now: DateTime<Utc>) -> Rows {
        Rows {
            period,
            now,
            days: FxHashMap::default(),
            collected: Collected::new(now),
        }
    }

    /// All that has to be collected: bills of later days say how far is billed, and rows of weeks before reach into the period.
    pub(super) fn around(&self) -> Period {
        let earlier = month(Hour(month(Hour::of(self.period.start)).0 - 1));
        let [_, last] = latest(self.now);
        let start = earlier.min(last).min(compared_from(self.now));
        Period::new(start.start(), self.now.max(self.period.end))
    }

    fn day(&mut self, (provider, account, family, hour): At) -> &mut Day {
        self.days.entry((provider, account, family, hour.day())).or_default()
    }

    /// Use was metered, at what it costs the account.
    pub(super) fn metered(&mut self, at: At, cost: Decimal) -> Result<(), MoneyError> {
        let (provider, account, _, hour) = at;
        self.collected.metered(provider, account, hour, cost)?;
        self.day(at).meter(cost)
    }

    /// A bill has rows of use. What it takes back says neither how far it has come nor of how many days its rows are; rows that count
    /// tokens are of use, however much is taken back of it.
    pub(super) fn billed(&mut self, at: At, names_model: bool, sums: &Sums) -> Result<(), MoneyError> {
        let (provider, account, _, hour) = at;
        self.collected.billed(provider, account, hour, sums.cost)?;
        if names_model {
            self.day(at).names_model = true;
        }
        if sums.cost < Decimal::ZERO && sums.tokens.total() <= 0 {
            return Ok(());
        }
        self.day(at).bill(sums.cost)
    }

    /// What the rows are of.
    pub(super) fn places(self) -> Result<Places, MoneyError> {
        let Rows { period, now, days, .. } = self;
        let mut places = Places {
            period,
            now,
            standings: self.collected.stand(true)?,
            shapes: BTreeMap::new(),
            months: BTreeSet::new(),
        };
        let mut bills: BTreeMap<Whose, Sheet> = BTreeMap::new();
        let mut models: BTreeMap<(Whose, Label), Sheet> = BTreeMap::new();
        for ((provider, account, family, day), both) in &days {
            let whose = places.whose(*provider, *account, *day);
            let bill = bills.entry(whose).or_insert_with(|| Sheet::new(now));
            bill.add(*day, both)?;
            let model = models.entry((whose, *family)).or_insert_with(|| Sheet::new(now));
            model.add(*day, both)?;
        }
        let begin = month(Hour::of(period.start));
        places.shapes = bills.iter().map(|(whose, bill)| (*whose, bill.shape(begin))).collect();
        for ((whose, family), model) in &models {
            let shape = places.shapes.get(whose).filter(|shape| shape.weeks.is_none());
            let Some(shape) = shape else { continue };
            let firsts = model.firsts().into_iter().filter(|first| !shape.months.contains(first));
            let months = firsts.filter(|first| model.is_month_of_model(*first));
            places.months.extend(months.map(|first| (*whose, *family, first)));
        }
        Ok(places)
    }
}

impl Places {
    /// Whose bill use of an account is compared with.
    pub(super) fn whose(&self, provider: Label, account: Label, hour: Hour) -> Whose {
        let around = Hour::of(self.period.start);
        (provider, self.standings.whose(provider, account, around, hour))
    }

    /// The first hour of the row that an hour is compared with: of its day, week or month; nothing where the period has only a part of that.
    pub(super) fn start(&self, whose: Whose, family: Label, hour: Hour) -> Option<Hour> {
        let Places { period, now, .. } = self;
        let first = month(hour);
        let shape = self.shapes.get(&whose);
        if shape.is_some_and(|shape| shape.months.contains(&first)) || self.months.contains(&(whose, family, first)) {
            let whole = Calendar::Month.around(first.start(), chrono_tz::Tz::UTC);
            return (whole.start >= period.start && whole.end <= period.end).then_some(first);
        }
        let row = shape.and_then(|shape| {
            let weeks = shape.weeks.as_ref()?;
            let start = shape.starts.row(ONE, hour, weeks)?;
            Some((start, weeks.end(start).start()))
        });
        let Some((start, end)) = row else {
            return Some(hour.day());
        };
        // A week that goes on has come as far as the period.
        let is_part = start.start() < period.start || (period.end < end && period.end < *now);
        (!is_part).then_some(start)
    }

    /// How far the day of a place is billed.
    pub(super) fn billing(&self, whose: Whose, day: Hour) -> Billing {
        let shape = self.shapes.get(&whose);
        let span = shape.and_then(|shape| shape.first.zip(shape.through));
        let is_within = span.is_some_and(|(first, through)| first <= day && day <= through);
        match (is_within, self.standings.is_part(whose, day, self.now)) {
            (false, _) => Billing::None,
            (true, true) => Billing::Part,
            (true, false) => Billing::Whole,
        }
    }

    /// The last day that each has billed.
    pub(super) fn through(&self) -> BTreeMap<Whose, Hour> {
        let last = |(whose, shape): (&Whose, &Shape)| Some((*whose, shape.through?));
        self.shapes.iter().filter_map(last).collect()
    }

    /// Those whose bills name no models.
    pub(super) fn without_models(&self) -> BTreeSet<Whose> {
        let without = |(_, shape): &(&Whose, &Shape)| shape.through.is_some() && !shape.names_models;
        self.shapes.iter().filter(without).map(|(whose, _)| *whose).collect()
    }
}
