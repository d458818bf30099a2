//! Where each budget stands: figures only, no decision.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use rustc_hash::{FxHashMap, FxHashSet};

use super::gather::{Gathering, Sources, flat};
use super::left_out::LeftOut;
use super::scopes::Scopes;
use super::unmet::Unmet;
use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::forecast::Forecast;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey};
use crate::engine::begin::{BEGINNING, is_known, tells};
use crate::engine::view::fill::Fill;
use crate::engine::view::names::Names;
use crate::engine::watch::failing_sources;
use crate::ports::{Ledger, StoreError};

/// Something that a budget was spent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributor {
    /// What the budget is split by.
    pub dimension: Dimension,
    /// The value.
    pub name: Label,
    /// Its cost in the period so far.
    pub cost: Decimal,
    /// Its cost in the same part of the period before, where the two can be compared.
    pub before: Option<Decimal>,
}

/// Where a budget stands at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetStatus {
    /// The budget.
    pub budget: Budget,
    /// The period around the instant, or one that has ended lately.
    pub period: Period,
    /// The instant.
    pub now: DateTime<Utc>,
    /// Spent so far, in the budget's currency; with the worst case of unpriced events where the budget counts it.
    pub spent: Decimal,
    /// The day, by the budget's zone, on which all of the amount had been spent.
    pub spent_up: Option<NaiveDate>,
    /// The projected end of the period.
    pub forecast: Option<Forecast>,
    /// The biggest contributors.
    pub contributors: Vec<Contributor>,
    /// Whether nothing of it is recorded, as far back as a forecast looks.
    pub is_bare: bool,
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
    /// Whether its period is over: what it stands at is what has come in of it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.period.end <= self.now
    }

    /// Why there is no forecast, where there is none.
    #[must_use]
    pub fn why_unforeseen(&self) -> &'static str {
        if self.has_ended() {
            "the period has ended"
        } else if self.now < self.period.start {
            "the period has not begun"
        } else if self.budget.counts_no_calls().is_some() {
            "no forecast: the budget is not in the currency of calls"
        } else if self.is_bare {
            "no forecast without spend in eight weeks"
        } else {
            "no forecast below 3 complete days"
        }
    }

    /// The same of a period that goes on, where the end is named and not known.
    #[must_use]
    pub fn unknown_end(&self) -> &'static str {
        match self.is_bare {
            true => "unknown: nothing was spent in eight weeks",
            false => "unknown: fewer than 3 complete days",
        }
    }

    /// Percent of the amount, unrounded: as many as there are where the amount is nothing and anything is spent of it, which credits are not.
    #[must_use]
    pub fn exact_percent(&self, value: Decimal) -> Decimal {
        let percent = value.checked_mul(Decimal::ONE_HUNDRED);
        let percent = percent.and_then(|hundredfold| hundredfold.checked_div(self.budget.amount.amount()));
        percent.unwrap_or(match value > Decimal::ZERO {
            true => Decimal::MAX,
            false => Decimal::ZERO,
        })
    }

    /// Percent of the amount that is spent, to one decimal; a budget of nothing is spent by anything, and one of which something is left
    /// is not spent.
    #[must_use]
    pub fn percent(&self, value: Decimal) -> Decimal {
        self.percent_to(value, 1)
    }

    /// The same in whole percent.
    #[must_use]
    pub fn whole_percent(&self, value: Decimal) -> Decimal {
        self.percent_to(value, 0)
    }

    fn percent_to(&self, value: Decimal, places: u32) -> Decimal {
        let percent = Some(self.exact_percent(value)).filter(|percent| *percent < Decimal::MAX);
        let percent = percent.unwrap_or(Decimal::from(999));
        let rounded = percent.round_dp(places);
        if percent < Decimal::ONE_HUNDRED && rounded >= Decimal::ONE_HUNDRED {
            Decimal::ONE_HUNDRED - Decimal::new(1, places)
        } else {
            rounded
        }
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

/// Where budgets stand.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// In the periods around the instant, one for each budget.
    pub current: Vec<BudgetStatus>,
    /// In periods that have ended so lately that spend may still come in ([`Budget::ended`]).
    pub ended: Vec<BudgetStatus>,
}

/// Reads the ledger once and computes where every budget stands.
pub fn statuses(
    budgets: &[Budget],
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<Vec<BudgetStatus>, StoreError> {
    let periods = budgets.iter().map(|budget| (budget, budget.period_at(now)));
    read(periods.collect(), ledger, now)
}

/// The same with the periods that have ended lately.
pub fn standings(budgets: &[Budget], ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Standings, StoreError> {
    let mut periods: Vec<(&Budget, Period)> = budgets.iter().map(|b| (b, b.period_at(now))).collect();
    for budget in budgets {
        periods.extend(budget.ended(now).into_iter().map(|period| (budget, period)));
    }
    let mut current = read(periods, ledger, now)?;
    let ended = current.split_off(budgets.len().min(current.len()));
    Ok(Standings { current, ended })
}

/// A budget that a combination of dimensions concerns.
struct Asking {
    /// Its place.
    at: usize,
    /// The place of the combination in what is gathered of it, where it counts.
    gathered: Option<usize>,
    /// And in what is left out of it.
    left_out: Option<usize>,
}

fn read(
    periods: Vec<(&Budget, Period)>,
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<Vec<BudgetStatus>, StoreError> {
    let late = periods.iter().any(|(budget, _)| budget.basis == Basis::BilledFilled);
    let mut gathering: Vec<Gathering<'_>> = periods
        .iter()
        .map(|(budget, period)| Gathering::new(budget, *period, now))
        .collect();
    let Some(start) = gathering.iter().map(Gathering::from).min() else {
        return Ok(Vec::new());
    };
    let fill = if late {
        Some(Fill::read(ledger, start, now)?)
    } else {
        None
    };
    let mut left_out: Vec<LeftOut<'_>> = periods
        .iter()
        .map(|(budget, period)| LeftOut::new(budget, *period))
        .collect();
    let budgets = || periods.iter().map(|(budget, _)| *budget);
    let scopes = Scopes::new(budgets());
    let mut unmet = Unmet::new(budgets());
    let mut sources = Sources {
        failing: failing_sources(ledger)?,
        flat: flat(ledger, now)?,
        ..Sources::default()
    };
    // The newest hour of each combination of metered spend, whatever budgets are about.
    let mut newest: Vec<Option<(Label, Hour)>> = Vec::new();
    // Each combination with its first hour.
    let mut oldest: Vec<SpendKey> = Vec::new();
    // Who asks for each combination.
    let mut asked: Vec<Range<usize>> = Vec::new();
    let mut asking: Vec<Asking> = Vec::new();
    // Dimensions of metered rows, where something may be derived from them.
    let derives = budgets().any(|budget| matches!(budget.basis, Basis::Effective | Basis::BilledFilled));
    let mut metered: FxHashSet<Dimensions> = FxHashSet::default();
    let mut failure = None;
    let mut names = fill.as_ref().map_or_else(Names::presumed, Fill::row_names);
    // Many rows share few combinations of dimensions: whether one counts is asked once.
    let mut kinds: FxHashMap<(Basis, Currency, Dimensions), usize> = FxHashMap::default();
    ledger.spend(Period::new(start, now), &mut |key, sums| {
        let next = kinds.len();
        let kind = *kinds.entry((key.basis, key.currency, key.dimensions)).or_insert(next);
        if kind == next {
            oldest.push(*key);
            unmet.kind(key);
            let is_metered = key.basis == Basis::Metered;
            newest.push(is_metered.then(|| (key.dimensions.get(Dimension::Source), key.hour)));
            if derives && is_metered {
                metered.insert(key.dimensions);
            }
            let metered_too = metered.contains(&key.dimensions);
            let first = asking.len();
            for at in scopes.around(&key.dimensions) {
                let (Some(gathered), Some(left_out)) = (gathering.get_mut(at), left_out.get_mut(at)) else {
                    continue;
                };
                let gathered = gathered.kind(key, metered_too, fill.as_ref(), &mut names);
                let left_out = left_out.kind(key, metered_too, &mut names);
                if gathered.is_some() || left_out.is_some() {
                    asking.push(Asking { at, gathered, left_out });
                }
            }
            asked.push(first..asking.len());
        }
        if let Some(first) = oldest.get_mut(kind) {
            first.hour = key.hour.min(first.hour);
        }
        if let Some(Some((_, hour))) = newest.get_mut(kind) {
            *hour = key.hour.max(*hour);
        }
        let asking = asked.get(kind).and_then(|asked| asking.get(asked.clone()));
        for asking in asking.into_iter().flatten() {
            let mut read = Ok(());
            if let (Some(kind), Some(gathered)) = (asking.gathered, gathering.get_mut(asking.at)) {
                read = gathered.row(kind, key, sums);
            }
            if let (Some(kind), Some(left_out)) = (asking.left_out, left_out.get_mut(asking.at)) {
                read = read.and_then(|()| left_out.row(kind, key, sums));
            }
            if let Err(error) = read {
                failure.get_or_insert(error);
            }
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    sources.told = oldest.iter().map(|key| key.dimensions.get(Dimension::Source)).collect();
    for (source, hour) in newest.into_iter().flatten() {
        let slot = sources.newest.entry(source).or_insert(hour);
        *slot = hour.max(*slot);
    }
    let mut statuses = Vec::with_capacity(gathering.len());
    // Whether a period before is known at all is asked once: budgets share few periods.
    let mut known: FxHashMap<(Basis, Period), bool> = FxHashMap::default();
    for (gathered, left_out) in gathering.into_iter().zip(left_out) {
        let before = gathered.before();
        let mut status = gathered.status(fill.as_ref(), &sources)?;
        let basis = status.budget.basis;
        if status.contributors.iter().any(|c| c.before.is_some()) {
            let is_known = match known.get(&(basis, before)) {
                Some(known) => *known,
                None => {
                    let begun = |key: &SpendKey| tells(basis, key) && key.hour.start() < before.start + BEGINNING;
                    let is_known = oldest.iter().any(begun) || is_known(ledger, basis, before)?;
                    known.insert((basis, before), is_known);
                    is_known
                }
            };
            if !is_known {
                status.contributors.iter_mut().for_each(|c| c.before = None);
            }
        }
        status.notes.extend(left_out.notes());
        status.notes.extend(unmet.notes(&status.budget));
        statuses.push(status);
    }
    Ok(statuses)
}
