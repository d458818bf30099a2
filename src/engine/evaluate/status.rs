//! Where each budget stands: figures only, no decision.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::budget::Budget;
use crate::domain::dimension::Dimension;
use crate::domain::forecast::{Forecast, forecast};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::{Period, midnight};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::engine::view::fill::Fill;
use crate::engine::view::names::Names;
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
    let mut failure = None;
    ledger.spend(Period::new(start, now), &mut |key, sums| {
        for gathered in &mut gathering {
            if let Err(error) = gathered.row(key, sums) {
                failure.get_or_insert(error);
            }
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let providers: Vec<BTreeSet<Label>> = gathering.iter().map(|g| g.metered.clone()).collect();
    let mut statuses = gathering
        .into_iter()
        .map(|g| g.status().map_err(StoreError::from))
        .collect::<Result<Vec<_>, _>>()?;
    if budgets.iter().any(|b| b.basis == Basis::BilledFilled) {
        let fill = Fill::read(ledger, now)?;
        for (status, providers) in statuses.iter_mut().zip(providers) {
            if status.budget.basis == Basis::BilledFilled {
                status.notes = fill.notes(&providers);
            }
        }
    }
    Ok(statuses)
}

/// The rows of one budget, summed the ways that its status needs.
struct Gathering<'a> {
    budget: &'a Budget,
    now: DateTime<Utc>,
    period: Period,
    before: Period,
    from: DateTime<Utc>,
    spent: Sums,
    daily: BTreeMap<NaiveDate, Decimal>,
    by: BTreeMap<Dimension, HashMap<Label, [Decimal; 2]>>,
    /// Providers of the calls of the period, where a bill may be late.
    metered: BTreeSet<Label>,
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
        let by = SPLITS.into_iter().map(|d| (d, HashMap::new())).collect();
        Gathering {
            budget,
            now,
            period,
            before,
            from,
            spent: Sums::default(),
            daily: BTreeMap::new(),
            by,
            metered: BTreeSet::new(),
        }
    }

    fn row(&mut self, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        let at = key.hour.start();
        if at < self.from || !self.budget.counts(key) {
            return Ok(());
        }
        if self.budget.basis == Basis::BilledFilled && self.period.contains(at) {
            self.metered.extend(Names::default().billed(key));
        }
        let cost = self.cost(sums)?;
        let day = at.with_timezone(&self.budget.zone).date_naive();
        let slot = self.daily.entry(day).or_default();
        *slot = add_exact(*slot, cost)?;
        let current = self.period.contains(at);
        if current {
            self.spent.add(sums)?;
        }
        if current || self.before.contains(at) {
            for (dimension, values) in &mut self.by {
                let [now, before] = values.entry(key.dimensions.get(*dimension)).or_default();
                let slot = if current { now } else { before };
                *slot = add_exact(*slot, cost)?;
            }
        }
        Ok(())
    }

    fn cost(&self, sums: &Sums) -> Result<Decimal, MoneyError> {
        if self.budget.count_unpriced {
            add_exact(sums.cost, sums.unpriced_worst_case)
        } else {
            Ok(sums.cost)
        }
    }

    fn status(self) -> Result<BudgetStatus, MoneyError> {
        let spent = self.cost(&self.spent)?;
        let amount = self.budget.amount.amount();
        let daily = self.complete_days();
        let forecast = forecast(self.period, self.budget.zone, &daily, spent, amount, self.now);
        Ok(BudgetStatus {
            contributors: self.contributors(),
            budget: self.budget.clone(),
            period: self.period,
            now: self.now,
            spent,
            forecast,
            unpriced_events: self.spent.unpriced_events,
            unpriced_tokens: self.spent.unpriced_tokens,
            unpriced_worst_case: self.spent.unpriced_worst_case,
            notes: Vec::new(),
        })
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
        while day < today && midnight(day, zone) < self.now {
            days.push((day, self.daily.get(&day).copied().unwrap_or_default()));
            day = day + Days::new(1);
        }
        days
    }

    fn contributors(&self) -> Vec<Contributor> {
        let telling = |d: &&Dimension| {
            self.by.get(d).is_some_and(|values| {
                values
                    .iter()
                    .filter(|(name, [now, _])| !name.is_empty() && !now.is_zero())
                    .count()
                    > 1
            })
        };
        let dimension = SPLITS.iter().find(telling).copied().unwrap_or(Dimension::Model);
        let values = self.by.get(&dimension).into_iter().flatten();
        let mut all: Vec<Contributor> = values
            .filter(|(_, [now, _])| !now.is_zero())
            .map(|(name, [now, before])| Contributor {
                dimension,
                name: *name,
                cost: *now,
                before: *before,
            })
            .collect();
        all.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.name.cmp(&b.name)));
        all.truncate(CONTRIBUTORS);
        all
    }
}
