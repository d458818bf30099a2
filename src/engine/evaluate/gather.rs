//! Sums the rows of one budget the ways that its status needs.

mod agreed;
mod contributors;
mod days;
mod expected;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

pub(super) use agreed::{Flat, flat};
use parts::{Part, add, part, spread};

use super::status::BudgetStatus;
use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact, add_most};
use crate::domain::period::{Hour, Period, midnight};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::unpriced::Unpriced;
use crate::engine::view::fill::{Fill, Scaled, is_usage};
use crate::engine::view::names::Names;

/// Days of history that a forecast looks at.
const HISTORY_DAYS: i64 = 56;

/// What is known of all sources of usage, how far they told and since when one cannot be read, and of what is agreed.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The last hour of which a source has told something.
    pub newest: BTreeMap<Label, Hour>,
    /// Sources of which something is recorded, whatever it is.
    pub told: BTreeSet<Label>,
    /// Sources that could not be read at the last run.
    pub failing: BTreeMap<String, DateTime<Utc>>,
    /// What is agreed at flat costs.
    pub flat: Vec<Flat>,
}

/// What one combination of dimensions cost in the period so far, and in the same part of the one before.
struct Kind<'a> {
    dimensions: Dimensions,
    /// Where its days are in [`Gathering::parts`].
    part: usize,
    /// Where they are in [`Gathering::measured`], if it is metered use that fills bills.
    measured: Option<usize>,
    cost: [Decimal; 2],
    /// What of that has no price.
    unpriced: [Unpriced; 2],
    /// The latter by day, of what bills say: of this period they may tell less so far than has passed.
    before: BTreeMap<NaiveDate, Decimal>,
    /// Whether it is usage, which goes on, and no fee, tax or credit.
    usage: bool,
    /// Its days of history that have spend: bit 0 is today.
    days: u64,
    /// Metered use that stands for what a bill does not tell apart.
    scaled: Option<Scaled<'a>>,
    /// Whose it is, in one spelling.
    provider: Label,
    /// Whether it is use of models.
    models: bool,
    /// Made of metered use or of what is agreed, not told by a bill.
    derived: bool,
    /// Where it is told by a bill and filled: how bills stand.
    bills: Option<&'a Fill>,
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
    today: NaiveDate,
    period: Period,
    before: Period,
    from: DateTime<Utc>,
    spent: Decimal,
    unpriced_events: i64,
    unpriced_tokens: i128,
    unpriced_worst_case: Decimal,
    /// The same by what is awaited together; added up when all rows are read.
    parts: Vec<Part>,
    /// Metered use that fills bills, as it is metered, on billed days too.
    measured: Vec<Part>,
    daily: BTreeMap<NaiveDate, Decimal>,
    /// The first and the last day of the period, and what of them is not in it, where it begins or ends within a day.
    edges: [NaiveDate; 2],
    outside: BTreeMap<NaiveDate, Decimal>,
    /// What of the days is no usage, and what of usage is taken back.
    other: [BTreeMap<NaiveDate, Decimal>; 2],
    /// The combinations that count.
    kinds: Vec<Kind<'a>>,
    /// The last hour seen and its day: neighbouring rows mostly share it, and zones are slow.
    last: (Hour, NaiveDate),
    /// That day's bit in [`Kind::days`].
    bit: u64,
    /// How far bills go, by provider; nothing where what counts is metered.
    /// Where bills are filled it matters if nothing in the scope fills them.
    billed: BTreeMap<Label, Billed>,
    /// The same of what is derived.
    derived: BTreeMap<Label, Hour>,
    /// Whether metered use of the scope fills bills: then it is known behind them, and where there is none, none was made.
    filled: bool,
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
        let (hour, today) = (Hour::of(from), now.with_timezone(&budget.zone).date_naive());
        Gathering {
            budget,
            now,
            today,
            period,
            before,
            from,
            spent: Decimal::ZERO,
            unpriced_events: 0,
            unpriced_tokens: 0,
            unpriced_worst_case: Decimal::ZERO,
            parts: Vec::new(),
            measured: Vec::new(),
            daily: BTreeMap::new(),
            edges: [period.start, period.end - TimeDelta::seconds(1)].map(|at| day_in(Hour::of(at), budget)),
            outside: BTreeMap::new(),
            other: Default::default(),
            kinds: Vec::new(),
            last: (hour, day_in(hour, budget)),
            bit: bit(today, day_in(hour, budget)),
            billed: BTreeMap::new(),
            derived: BTreeMap::new(),
            filled: false,
        }
    }

    /// The part of the period before that this one is compared with.
    pub(super) fn before(&self) -> Period {
        self.before
    }

    /// From when on rows are looked at.
    pub(super) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Takes note of a combination of dimensions that was not seen before, and tells its place if it counts. `metered_too` says whether there
    /// is a metered row of these dimensions: what is derived from one has the same, and comes after it.
    pub(super) fn kind(
        &mut self,
        key: &SpendKey,
        metered_too: bool,
        fill: Option<&'a Fill>,
        names: &mut Names,
    ) -> Option<usize> {
        let derived = metered_too && matches!(self.budget.basis, Basis::Effective | Basis::BilledFilled);
        let fills = self.budget.basis == Basis::BilledFilled && self.budget.covers(key);
        let metered = fills && key.basis == Basis::Metered && is_usage(key);
        self.filled |= metered;
        let scaled = fill
            .filter(|_| fills)
            .and_then(|fill| fill.untold(names, key, &self.budget.scope));
        // Only rows of bills have a service that says whose models they charge.
        let models = match derived || key.basis == Basis::Metered {
            true => Some(names.metered(key)),
            false => names.billed(key),
        };
        let usage = key
            .dimensions
            .get(Dimension::Category)
            .as_str()
            .eq_ignore_ascii_case("usage");
        let bills = fill.filter(|fill| {
            let is_row = self.budget.basis == Basis::BilledFilled && usage && !derived && scaled.is_none();
            is_row && models.is_some_and(|provider| fill.has_bill(provider))
        });
        let is_undivided = |fill: &Fill| {
            let provider = models.filter(|_| fills && !derived);
            provider.is_some_and(|provider| fill.is_undivided(provider, key, &self.budget.scope))
        };
        let counts = (self.budget.counts(key) && !fill.is_some_and(is_undivided)) || scaled.is_some();
        let provider = models.unwrap_or(key.dimensions.get(Dimension::Provider));
        let [source, biller, account] =
            [Dimension::Source, Dimension::Provider, Dimension::Account].map(|dimension| key.dimensions.get(dimension));
        // Of what only bills tell each bill is awaited by itself.
        let is_bill = self.budget.basis == Basis::BilledFilled && usage && !derived && scaled.is_none();
        let whose = if is_bill { [provider, biller] } else { [Label::EMPTY; 2] };
        let measured = metered.then(|| part(&mut self.measured, source, [provider, account]));
        if let Some(part) = measured.and_then(|at| self.measured.get_mut(at)) {
            part.untold |= scaled.is_some();
        }
        if !counts && !metered {
            return None;
        }
        let part = part(&mut self.parts, source, whose);
        self.kinds.push(Kind {
            dimensions: key.dimensions,
            part,
            measured,
            cost: [Decimal::ZERO; 2],
            unpriced: Default::default(),
            before: BTreeMap::new(),
            usage,
            days: 0,
            scaled,
            provider,
            models: models.is_some(),
            derived,
            bills,
        });
        Some(self.kinds.len() - 1)
    }

    /// Adds a row of the combination in that place.
    pub(super) fn row(&mut self, kind: usize, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        let Some(kind) = self.kinds.get_mut(kind) else {
            return Ok(());
        };
        let at = key.hour.start();
        if at < self.from {
            return Ok(());
        }
        if self.last.0 != key.hour {
            self.last = (key.hour, day_in(key.hour, self.budget));
            self.bit = bit(self.today, self.last.1);
        }
        let day = self.last.1;
        if let Some(measured) = kind.measured.and_then(|at| self.measured.get_mut(at)) {
            kind.days |= self.bit;
            add(&mut measured.daily, day, self.budget.cost_of(sums)?)?;
        }
        let scaled;
        let sums = match (kind.scaled, kind.measured) {
            (Some(scale), _) => match scale.of(key, sums) {
                Some(of) => {
                    scaled = of;
                    &scaled
                }
                // Behind the bill it is a row of this basis already.
                None => return Ok(()),
            },
            (None, Some(_)) => return Ok(()),
            (None, None) => sums,
        };
        let cost = self.budget.cost_of(sums)?;
        let last_day = kind.last_day(key.hour);
        let last = last_day.map(|last| last.start().date_naive());
        let part = self.parts.get_mut(kind.part).map(|part| &mut part.daily);
        let [other, taken_back] = &mut self.other;
        let beside = match (kind.usage, cost < Decimal::ZERO) {
            (false, _) => Some(other),
            (true, true) => Some(taken_back),
            (true, false) => None,
        };
        for daily in part.into_iter().chain(beside) {
            // As much on each day as far as it has come.
            spread(daily, day, last.map(|last| last.min(self.today)), cost)?;
        }
        kind.days |= self.bit;
        let is_bill = self.parts.get(kind.part).is_some_and(Part::is_bill);
        if matches!(self.budget.basis, Basis::Billed | Basis::Effective) || is_bill {
            if kind.derived {
                let last = self.derived.entry(kind.provider).or_insert(key.hour);
                *last = (*last).max(key.hour);
            } else {
                let whose = match is_bill {
                    true => kind.dimensions.get(Dimension::Provider),
                    false => kind.provider,
                };
                let billed = self.billed.entry(whose).or_insert(Billed {
                    last: key.hour,
                    hourly: false,
                });
                billed.last = billed.last.max(last_day.unwrap_or(key.hour));
                // Days that are folded stand at an hour of theirs, whatever they were.
                billed.hourly |= key.hour != key.hour.day() && key.hour != key.hour.folded();
            }
        }
        let [now, before] = &mut kind.cost;
        let [unpriced_now, unpriced_before] = &mut kind.unpriced;
        let is_inside = self.period.contains(at);
        if !is_inside && last.is_none() && self.edges.contains(&day) {
            add(&mut self.outside, day, cost)?;
        }
        if is_inside {
            *now = add_exact(*now, cost)?;
            unpriced_now.add(sums)?;
            self.spent = add_exact(self.spent, cost)?;
            self.unpriced_events += sums.unpriced_events;
            self.unpriced_tokens += sums.unpriced_tokens;
            self.unpriced_worst_case = add_most(self.unpriced_worst_case, sums.unpriced_worst_case)?;
        } else if last.is_some() {
            // Those of its days that are in the same part of the period before.
            let mut days = BTreeMap::new();
            spread(&mut days, day, last, cost)?;
            for (on, cost) in days {
                if self.before.contains(midnight(on, self.budget.zone)) {
                    *before = add_exact(*before, cost)?;
                    add(&mut kind.before, on, cost)?;
                }
            }
        } else if self.before.contains(at) {
            *before = add_exact(*before, cost)?;
            unpriced_before.add(sums)?;
            if self.budget.basis != Basis::Metered {
                add(&mut kind.before, day, cost)?;
            }
        }
        Ok(())
    }

    /// What the rows add up to.
    pub(super) fn status(mut self, fill: Option<&Fill>, sources: &Sources) -> Result<BudgetStatus, MoneyError> {
        for (day, cost) in self.parts.iter().flat_map(|part| &part.daily) {
            add(&mut self.daily, *day, *cost)?;
        }
        let fill = fill.filter(|_| self.budget.basis == Basis::BilledFilled);
        let currency = self.budget.amount.currency();
        let mut notes = fill.map_or_else(Vec::new, |fill| {
            fill.notes(&self.providers(), &self.budget.scope, currency)
        });
        let rows = self.kinds.iter().filter(|kind| kind.bills.is_some());
        let billed = rows.map(|kind| kind.provider).collect();
        notes.extend(fill.map_or_else(Vec::new, |fill| fill.short_notes(&billed, self.period)));
        let untold: BTreeSet<String> = self.kinds.iter().filter_map(Kind::untold).collect();
        notes.extend(untold);
        let (forecast, said) = self.forecast(fill, sources)?;
        notes.extend(said);
        notes.extend(self.failing(sources));
        Ok(BudgetStatus {
            contributors: self.contributors(fill)?,
            budget: self.budget.clone(),
            period: self.period,
            now: self.now,
            spent: self.spent,
            spent_up: self.spent_up()?,
            forecast,
            is_bare: self.daily.is_empty(),
            unpriced_events: self.unpriced_events,
            unpriced_tokens: self.unpriced_tokens,
            unpriced_worst_case: self.unpriced_worst_case,
            notes,
        })
    }

    /// The providers that it is spent on, in one spelling.
    fn providers(&self) -> BTreeSet<Label> {
        let spent = self
            .kinds
            .iter()
            .filter(|kind| kind.cost.first().is_some_and(|now| !now.is_zero()));
        spent.filter(|kind| kind.models).map(|kind| kind.provider).collect()
    }
}

impl Kind<'_> {
    /// What has to be said where a bill does not tell this apart, and some of it was spent.
    fn untold(&self) -> Option<String> {
        let [now, _] = self.cost;
        self.scaled.filter(|_| !now.is_zero()).map(|scaled| scaled.note())
    }

    /// The last day that a row is of, where the bill has rows of several days.
    fn last_day(&self, hour: Hour) -> Option<Hour> {
        let account = self.dimensions.get(Dimension::Account);
        let end = self.bills?.row_end(self.provider, account, hour)?;
        Some(Hour(end.0 - 24))
    }
}

/// The bit of a day, seen from today, in [`Kind::days`].
fn bit(today: NaiveDate, day: NaiveDate) -> u64 {
    let age = u32::try_from((today - day).num_days());
    age.map_or(0, |age| 1_u64.checked_shl(age).unwrap_or(0))
}

fn day_in(hour: Hour, budget: &Budget) -> NaiveDate {
    hour.start().with_timezone(&budget.zone).date_naive()
}
