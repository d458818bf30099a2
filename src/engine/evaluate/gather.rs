//! Sums the rows of one budget the ways that its status needs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use rustc_hash::{FxHashMap, FxHashSet};

use super::status::{BudgetStatus, Contributor};
use crate::domain::billed::billed_provider;
use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::forecast::{Forecast, forecast};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::{Hour, Period, midnight};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::engine::view::fill::{Fill, Scaled};
use crate::engine::view::names::Names;

/// Days of history that a forecast looks at.
const HISTORY_DAYS: i64 = 56;

/// Days behind the others after which a provider's bill has ended, and is not just late.
const ENDED_DAYS: u64 = 7;

/// Contributors named.
const CONTRIBUTORS: usize = 3;

/// What a budget may be split by, the most telling first.
const SPLITS: [Dimension; 6] = [
    Dimension::Team,
    Dimension::Agent,
    Dimension::Workflow,
    Dimension::Project,
    Dimension::Model,
    Dimension::Service,
];

/// What one combination of dimensions cost in the period so far, and in the same part of the one before.
struct Kind<'a> {
    dimensions: Dimensions,
    cost: [Decimal; 2],
    /// Metered use that stands for what a bill does not tell apart.
    scaled: Option<Scaled<'a>>,
    /// Whose it is, in one spelling.
    provider: Label,
    /// Made of metered use or of what is agreed, not told by a bill.
    derived: bool,
}

/// The last hour on which a provider's bill has a row.
#[derive(Clone, Copy)]
struct Billed {
    last: Hour,
    /// Whether it has rows of hours: then the last day may be a part of one.
    hourly: bool,
}

/// The rows of one budget and period.
pub(super) struct Gathering<'a> {
    budget: &'a Budget,
    now: DateTime<Utc>,
    period: Period,
    before: Period,
    from: DateTime<Utc>,
    spent: Decimal,
    unpriced_events: i64,
    unpriced_tokens: i128,
    unpriced_worst_case: Decimal,
    daily: BTreeMap<NaiveDate, Decimal>,
    /// By the number of the combination; `None` for one that does not count.
    kinds: Vec<Option<Kind<'a>>>,
    /// The last hour seen and its day: neighbouring rows mostly share it, and zones are slow.
    last: (Hour, NaiveDate),
    /// How far bills go, by provider; nothing where what counts is metered.
    billed: BTreeMap<Label, Billed>,
    /// The same of what is derived.
    derived: BTreeMap<Label, Hour>,
    /// Dimensions of metered rows: what is derived from them has the same, and comes after them.
    metered: FxHashSet<Dimensions>,
}

impl<'a> Gathering<'a> {
    /// Nothing yet, of the period around `now` or one that has ended.
    pub(super) fn new(budget: &'a Budget, period: Period, now: DateTime<Utc>) -> Self {
        let earlier = budget.period_at(period.start - TimeDelta::seconds(1));
        // The same part of the period before: on the 10th, its first ten days.
        let passed = now.min(period.end) - period.start;
        let before = Period::new(earlier.start, (earlier.start + passed).min(period.start));
        let mut from = before.start.min(period.start);
        if period.contains(now) {
            from = from.min(now - TimeDelta::days(HISTORY_DAYS));
        }
        let hour = Hour::of(from);
        Gathering {
            budget,
            now,
            period,
            before,
            from,
            spent: Decimal::ZERO,
            unpriced_events: 0,
            unpriced_tokens: 0,
            unpriced_worst_case: Decimal::ZERO,
            daily: BTreeMap::new(),
            kinds: Vec::new(),
            last: (hour, day_in(hour, budget)),
            billed: BTreeMap::new(),
            derived: BTreeMap::new(),
            metered: FxHashSet::default(),
        }
    }

    /// From when on rows are looked at.
    pub(super) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Takes note of a combination of dimensions that was not seen before.
    pub(super) fn kind(&mut self, key: &SpendKey, fill: Option<&'a Fill>, names: &mut Names) {
        let scaled = fill
            .filter(|_| self.budget.basis == Basis::BilledFilled && self.budget.covers(key))
            .and_then(|fill| fill.untold(names, key, &self.budget.scope));
        if self.budget.basis == Basis::Effective && key.basis == Basis::Metered {
            self.metered.insert(key.dimensions);
        }
        let counts = self.budget.counts(key) || scaled.is_some();
        self.kinds.push(counts.then_some(Kind {
            dimensions: key.dimensions,
            cost: [Decimal::ZERO; 2],
            scaled,
            provider: billed_provider(&key.dimensions).unwrap_or(key.dimensions.get(Dimension::Provider)),
            derived: self.metered.contains(&key.dimensions),
        }));
    }

    /// Adds a row of that combination.
    pub(super) fn row(&mut self, kind: usize, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        let Some(Some(kind)) = self.kinds.get_mut(kind) else {
            return Ok(());
        };
        let at = key.hour.start();
        if at < self.from {
            return Ok(());
        }
        let scaled;
        let sums = match kind.scaled {
            Some(scale) => match scale.of(key, sums) {
                Some(of) => {
                    scaled = of;
                    &scaled
                }
                // Behind the bill it is a row of this basis already.
                None => return Ok(()),
            },
            None => sums,
        };
        let cost = if self.budget.count_unpriced {
            add_exact(sums.cost, sums.unpriced_worst_case)?
        } else {
            sums.cost
        };
        if self.last.0 != key.hour {
            self.last = (key.hour, day_in(key.hour, self.budget));
        }
        let slot = self.daily.entry(self.last.1).or_default();
        *slot = add_exact(*slot, cost)?;
        if matches!(self.budget.basis, Basis::Billed | Basis::Effective) {
            if kind.derived {
                let last = self.derived.entry(kind.provider).or_insert(key.hour);
                *last = (*last).max(key.hour);
            } else {
                let billed = self.billed.entry(kind.provider).or_insert(Billed {
                    last: key.hour,
                    hourly: false,
                });
                billed.last = billed.last.max(key.hour);
                // Days that are folded stand at an hour of theirs, whatever they were.
                billed.hourly |= key.hour != key.hour.day() && key.hour != key.hour.folded();
            }
        }
        let [now, before] = &mut kind.cost;
        if self.period.contains(at) {
            *now = add_exact(*now, cost)?;
            self.spent = add_exact(self.spent, cost)?;
            self.unpriced_events += sums.unpriced_events;
            self.unpriced_tokens += sums.unpriced_tokens;
            self.unpriced_worst_case = add_exact(self.unpriced_worst_case, sums.unpriced_worst_case)?;
        } else if self.before.contains(at) {
            *before = add_exact(*before, cost)?;
        }
        Ok(())
    }

    /// What the rows add up to.
    pub(super) fn status(self, fill: Option<&Fill>) -> Result<BudgetStatus, MoneyError> {
        let fill = fill.filter(|_| self.budget.basis == Basis::BilledFilled);
        let mut notes = fill.map_or_else(Vec::new, |fill| fill.notes(&self.providers()));
        let untold: BTreeSet<String> = self.kinds.iter().flatten().filter_map(Kind::untold).collect();
        notes.extend(untold);
        let (forecast, note) = self.forecast()?;
        notes.extend(note);
        Ok(BudgetStatus {
            contributors: self.contributors()?,
            budget: self.budget.clone(),
            period: self.period,
            now: self.now,
            spent: self.spent,
            spent_up: self.spent_up()?,
            forecast,
            unpriced_events: self.unpriced_events,
            unpriced_tokens: self.unpriced_tokens,
            unpriced_worst_case: self.unpriced_worst_case,
            notes,
        })
    }

    /// The day on which all of the amount had been spent, if it has been.
    fn spent_up(&self) -> Result<Option<NaiveDate>, MoneyError> {
        let amount = self.budget.amount.amount();
        if self.spent.is_zero() || self.spent < amount {
            return Ok(None);
        }
        let mut sum = Decimal::ZERO;
        for (day, cost) in self.in_period() {
            sum = add_exact(sum, *cost)?;
            if sum >= amount {
                return Ok(Some(*day));
            }
        }
        Ok(None)
    }

    /// The days of the period that have spend.
    fn in_period(&self) -> impl Iterator<Item = (&NaiveDate, &Decimal)> {
        let day = |at: DateTime<Utc>| at.with_timezone(&self.budget.zone).date_naive();
        let last = day(self.period.end - TimeDelta::seconds(1));
        let first = day(self.period.start);
        self.daily.range(first..).take_while(move |(day, _)| **day <= last)
    }

    /// Where the period will end, and what has to be said of it.
    fn forecast(&self) -> Result<(Option<Forecast>, Option<String>), MoneyError> {
        if !self.period.contains(self.now) {
            return Ok((None, None));
        }
        let zone = self.budget.zone;
        let today = self.now.with_timezone(&zone).date_naive();
        let known_to = self.known_to(today);
        let days = self.days_before(known_to);
        let amount = self.budget.amount.amount();
        if known_to == today {
            return Ok((forecast(self.period, zone, &days, self.spent, amount, self.now), None));
        }
        if self.daily.iter().all(|(day, cost)| day.day() == 1 || cost.is_zero()) {
            let note = "the bill has rows of whole months, of which no forecast can be made".to_owned();
            return Ok((None, Some(note)));
        }
        // What no bill tells yet is unknown and not nothing: the days that are billed go on.
        let start = midnight(known_to, zone).max(self.period.start);
        let mut known = Decimal::ZERO;
        for (_, cost) in self.in_period().take_while(|(day, _)| **day < known_to) {
            known = add_exact(known, *cost)?;
        }
        let found = forecast(self.period, zone, &days, known, amount, start).map(|found| Forecast {
            end: found.end.max(self.spent),
            low: found.low.max(self.spent),
            high: found.high.max(self.spent),
            ..found
        });
        let note = known_to
            .pred_opt()
            .filter(|_| found.is_some())
            .map(|day| format!("all is billed to {day}; the forecast goes on from there"));
        Ok((found, note))
    }

    /// The first day that is not known whole: today, or where a bill ends.
    fn known_to(&self, today: NaiveDate) -> NaiveDate {
        let next = |billed: &Billed| {
            let day = billed.last.start().date_naive();
            let part = billed.hourly && billed.last.0.rem_euclid(24) != 23;
            if part { day } else { day + Days::new(1) }
        };
        // Where metered use goes on behind the bill, nothing is awaited.
        let awaited = |(provider, billed): &(&Label, &Billed)| {
            self.derived.get(*provider).is_none_or(|last| *last <= billed.last)
        };
        let awaited: Vec<&Billed> = self.billed.iter().filter(awaited).map(|(_, billed)| billed).collect();
        let newest = awaited.iter().copied().map(next).max().unwrap_or(today);
        let late = awaited
            .into_iter()
            .map(next)
            .filter(|day| *day + Days::new(ENDED_DAYS) >= newest);
        late.min().unwrap_or(today).min(today)
    }

    /// The providers that it is spent on, in one spelling.
    fn providers(&self) -> BTreeSet<Label> {
        let spent = self
            .kinds
            .iter()
            .flatten()
            .filter(|kind| kind.cost.first().is_some_and(|now| !now.is_zero()));
        spent.filter_map(|kind| billed_provider(&kind.dimensions)).collect()
    }

    /// Local days from the first one with spend to the one before `end`, those without spend included.
    fn days_before(&self, end: NaiveDate) -> Vec<(NaiveDate, Decimal)> {
        let oldest = (self.now - TimeDelta::days(HISTORY_DAYS))
            .with_timezone(&self.budget.zone)
            .date_naive();
        let Some(first) = self.daily.keys().copied().find(|d| *d > oldest) else {
            return Vec::new();
        };
        let mut days = Vec::new();
        let mut day = first;
        while day < end {
            days.push((day, self.daily.get(&day).copied().unwrap_or_default()));
            day = day + Days::new(1);
        }
        days
    }

    /// The biggest values of the first dimension that has more than one.
    fn contributors(&self) -> Result<Vec<Contributor>, MoneyError> {
        let mut found = Vec::new();
        for dimension in SPLITS {
            found = self.split(dimension)?;
            if found.iter().filter(|c| !c.name.is_empty()).count() > 1 {
                break;
            }
            found.clear();
        }
        if found.is_empty() {
            found = self.split(Dimension::Model)?;
        }
        found.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.name.cmp(&b.name)));
        found.truncate(CONTRIBUTORS);
        Ok(found)
    }

    fn split(&self, dimension: Dimension) -> Result<Vec<Contributor>, MoneyError> {
        let mut values: FxHashMap<Label, [Decimal; 2]> = FxHashMap::default();
        for kind in self.kinds.iter().flatten() {
            let slots = values.entry(kind.dimensions.get(dimension)).or_default();
            for (slot, more) in slots.iter_mut().zip(kind.cost) {
                *slot = add_exact(*slot, more)?;
            }
        }
        let spent = values.into_iter().filter(|(_, [now, _])| !now.is_zero());
        Ok(spent
            .map(|(name, [cost, before])| Contributor {
                dimension,
                name,
                cost,
                before,
            })
            .collect())
    }
}

impl Kind<'_> {
    /// What has to be said where a bill does not tell this apart, and some of it was spent.
    fn untold(&self) -> Option<String> {
        let [now, _] = self.cost;
        self.scaled.filter(|_| !now.is_zero()).map(|scaled| scaled.note())
    }
}

fn day_in(hour: Hour, budget: &Budget) -> NaiveDate {
    hour.start().with_timezone(&budget.zone).date_naive()
}
