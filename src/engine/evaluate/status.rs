//! Where each budget stands: figures only, no decision.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use crate::domain::billed::billed_provider;
use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::forecast::{Forecast, forecast};
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::engine::evaluate::left_out::LeftOut;
use crate::engine::view::fill::Fill;
use crate::ports::{Ledger, StoreError};

/// Days of history that a forecast looks at.
const HISTORY_DAYS: i64 = 56;

/// Contributors named.
const CONTRIBUTORS: usize = 3;

/// Something that a budget was spent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributor {
    /// What the budget is split by.
    pub dimension: Dimension,
    /// The value.
    pub name: Label,
    /// Its cost in the period so far.
    pub cost: Decimal,
    /// Its cost in the same part of the period before.
    pub before: Decimal,
}

/// Where a budget stands at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStatus {
    /// The budget.
    pub budget: Budget,
    /// The period around the instant.
    pub period: Period,
    /// The instant.
    pub now: DateTime<Utc>,
    /// Spent so far, in the budget's currency; with the worst case of unpriced events where the budget counts it.
    pub spent: Decimal,
    /// The projected end of the period.
    pub forecast: Option<Forecast>,
    /// The biggest contributors.
    pub contributors: Vec<Contributor>,
    /// Events without a price.
    pub unpriced_events: i64,
    /// Their tokens.
    pub unpriced_tokens: i128,
    /// The most they may cost.
    pub unpriced_worst_case: Decimal,
    /// What else is to be said of the figures: where they are estimates.
    pub notes: Vec<String>,
}

impl BudgetStatus {
    /// Percent of the amount that is spent, to one decimal; a budget of nothing is spent by anything.
    #[must_use]
    pub fn percent(&self, value: Decimal) -> Decimal {
        let amount = self.budget.amount.amount();
        let percent = (value * Decimal::ONE_HUNDRED).checked_div(amount);
        percent
            .unwrap_or(if value.is_zero() {
                Decimal::ZERO
            } else {
                Decimal::from(999)
            })
            .round_dp(1)
    }

    /// Percent of the period that has passed, to one decimal.
    #[must_use]
    pub fn percent_of_period(&self) -> Decimal {
        let passed = (self.now - self.period.start)
            .num_seconds()
            .clamp(0, self.period.length().num_seconds());
        let whole = self.period.length().num_seconds().max(1);
        (Decimal::from(passed * 100) / Decimal::from(whole)).round_dp(1)
    }
}

/// Reads the ledger once and computes where every budget stands.
pub fn statuses(
    budgets: &[Budget],
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<Vec<BudgetStatus>, StoreError> {
    let mut gathering: Vec<Gathering<'_>> = budgets.iter().map(|budget| Gathering::new(budget, now)).collect();
    let Some(start) = gathering.iter().map(|g| g.from).min() else {
        return Ok(Vec::new());
    };
    let mut left_out: Vec<LeftOut<'_>> = budgets.iter().map(|budget| LeftOut::new(budget, now)).collect();
    let mut failure = None;
    // Many rows share few combinations of dimensions: whether one counts is asked once.
    let mut kinds: FxHashMap<(Basis, Currency, Dimensions), usize> = FxHashMap::default();
    ledger.spend(Period::new(start, now), &mut |key, sums| {
        let next = kinds.len();
        let kind = *kinds.entry((key.basis, key.currency, key.dimensions)).or_insert(next);
        for (gathered, left_out) in gathering.iter_mut().zip(&mut left_out) {
            if kind == next {
                gathered.kind(key);
                left_out.kind(key);
            }
            let read = gathered.row(kind, key, sums);
            if let Err(error) = read.and_then(|()| left_out.row(kind, key, sums)) {
                failure.get_or_insert(error);
            }
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let late = budgets.iter().any(|b| b.basis == Basis::BilledFilled);
    let fill = if late { Some(Fill::read(ledger, now)?) } else { None };
    let mut statuses = Vec::with_capacity(gathering.len());
    for (gathered, left_out) in gathering.into_iter().zip(left_out) {
        let mut notes = match &fill {
            Some(fill) if gathered.budget.basis == Basis::BilledFilled => fill.notes(&gathered.providers()),
            _ => Vec::new(),
        };
        notes.extend(left_out.notes());
        statuses.push(BudgetStatus {
            notes,
            ..gathered.status()?
        });
    }
    Ok(statuses)
}

/// What one combination of dimensions cost in the period so far, and in the same part of the one before.
struct Kind {
    dimensions: Dimensions,
    cost: [Decimal; 2],
}

/// The rows of one budget, summed the ways that its status needs.
struct Gathering<'a> {
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
    kinds: Vec<Option<Kind>>,
    /// The last hour seen and its day: neighbouring rows mostly share it, and zones are slow.
    last: (Hour, NaiveDate),
}

/// What a budget may be split by, the most telling first.
const SPLITS: [Dimension; 6] = [
    Dimension::Team,
    Dimension::Agent,
    Dimension::Workflow,
    Dimension::Project,
    Dimension::Model,
    Dimension::Service,
];

impl<'a> Gathering<'a> {
    fn new(budget: &'a Budget, now: DateTime<Utc>) -> Self {
        let period = budget.period_at(now);
        let earlier = budget.period_at(period.start - TimeDelta::seconds(1));
        // The same part of the period before: on the 10th, its first ten days.
        let before = Period::new(earlier.start, (earlier.start + (now - period.start)).min(period.start));
        let from = before.start.min(now - TimeDelta::days(HISTORY_DAYS)).min(period.start);
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
        }
    }

    /// Takes note of a combination of dimensions that was not seen before.
    fn kind(&mut self, key: &SpendKey) {
        self.kinds.push(self.budget.counts(key).then_some(Kind {
            dimensions: key.dimensions,
            cost: [Decimal::ZERO; 2],
        }));
    }

    fn row(&mut self, kind: usize, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        let Some(Some(kind)) = self.kinds.get_mut(kind) else {
            return Ok(());
        };
        let at = key.hour.start();
        if at < self.from {
            return Ok(());
        }
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

    fn status(self) -> Result<BudgetStatus, MoneyError> {
        let amount = self.budget.amount.amount();
        let daily = self.complete_days();
        let forecast = forecast(self.period, self.budget.zone, &daily, self.spent, amount, self.now);
        Ok(BudgetStatus {
            contributors: self.contributors()?,
            budget: self.budget.clone(),
            period: self.period,
            now: self.now,
            spent: self.spent,
            forecast,
            unpriced_events: self.unpriced_events,
            unpriced_tokens: self.unpriced_tokens,
            unpriced_worst_case: self.unpriced_worst_case,
            notes: Vec::new(),
        })
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

    /// Local days from the first one with spend to yesterday, those without spend included.
    fn complete_days(&self) -> Vec<(NaiveDate, Decimal)> {
        let zone = self.budget.zone;
        let today = self.now.with_timezone(&zone).date_naive();
        let oldest = (self.now - TimeDelta::days(HISTORY_DAYS))
            .with_timezone(&zone)
            .date_naive();
        let Some(first) = self.daily.keys().copied().find(|d| *d > oldest) else {
            return Vec::new();
        };
        let mut days = Vec::new();
        let mut day = first;
        while day < today {
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

fn day_in(hour: Hour, budget: &Budget) -> NaiveDate {
    hour.start().with_timezone(&budget.zone).date_naive()
}
