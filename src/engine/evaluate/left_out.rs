//! What the figures of a budget leave out: spend in other currencies, a bill that is not there, and one that is not counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::budget::Budget;
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money, MoneyError, add_exact};
use crate::domain::period::Period;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::engine::view::fill::is_usage;
use crate::engine::view::names::Names;

/// A combination of dimensions that a budget leaves out, or not.
#[derive(Clone, Copy)]
struct Kind {
    /// Its currency, where it would count but for that.
    other: Option<Currency>,
    /// Whether it is a row of a bill that the budget is about.
    billed: bool,
    /// Whether it would count if the budget counted bills.
    uncounted: bool,
    /// Whose use of models a bill of effective cost tells outside of the scope.
    beside: Option<Label>,
}

/// What one budget leaves out. None of it is zero, and none of it can be added.
pub(super) struct LeftOut<'a> {
    budget: &'a Budget,
    period: Period,
    /// The start of the period before.
    from: DateTime<Utc>,
    /// The combinations that it leaves out.
    kinds: Vec<Kind>,
    others: BTreeMap<Currency, Decimal>,
    billed: bool,
    /// What bills say of the period, where the budget counts what is metered and nothing is.
    uncounted: Decimal,
    metered: bool,
    /// Providers with metered use in the scope, with effective cost of use that bills tell in it, and beside it in this period.
    effective: [BTreeSet<Label>; 3],
}

impl<'a> LeftOut<'a> {
    pub fn new(budget: &'a Budget, period: Period) -> Self {
        LeftOut {
            budget,
            period,
            from: budget.period_at(period.start - TimeDelta::seconds(1)).start,
            kinds: Vec::new(),
            others: BTreeMap::new(),
            billed: false,
            uncounted: Decimal::ZERO,
            metered: false,
            effective: Default::default(),
        }
    }

    /// Takes note of a combination of dimensions that was not seen before, and tells its place if its rows are looked at. `metered_too` says
    /// whether there is a metered row of these dimensions: effective cost that is derived from one has the same, and comes after it.
    pub fn kind(&mut self, key: &SpendKey, metered_too: bool, names: &mut Names) -> Option<usize> {
        let beside = self.effective(key, metered_too, names);
        let currency = self.budget.amount.currency();
        let other = Some(key.currency).filter(|other| *other != currency);
        self.metered |= key.basis == Basis::Metered && self.budget.covers(key);
        let kind = Kind {
            other: other.filter(|_| self.budget.counts(&SpendKey { currency, ..*key })),
            billed: key.basis == Basis::Billed && self.budget.scope.matches(&key.dimensions),
            uncounted: key.basis == Basis::Billed && self.budget.covers(key),
            beside,
        };
        if kind.other.is_none() && !kind.billed && !kind.uncounted && kind.beside.is_none() {
            return None;
        }
        self.kinds.push(kind);
        Some(self.kinds.len() - 1)
    }

    /// Takes note of whose effective cost is in the scope, and tells whose is beside it.
    fn effective(&mut self, key: &SpendKey, derived: bool, names: &mut Names) -> Option<Label> {
        if self.budget.basis != Basis::Effective || !is_usage(key) {
            return None;
        }
        let is_inside = self.budget.scope.matches(&key.dimensions);
        let [metered, told, _] = &mut self.effective;
        match key.basis {
            Basis::Metered => {
                if is_inside {
                    metered.insert(names.metered(key));
                }
                None
            }
            Basis::Effective if !derived => {
                let provider = names.billed(key)?;
                if is_inside {
                    told.insert(provider);
                }
                (!is_inside).then_some(provider)
            }
            Basis::Effective | Basis::Billed | Basis::BilledFilled => None,
        }
    }

    pub fn row(&mut self, kind: usize, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
        let Some(Kind {
            other,
            billed,
            uncounted,
            beside,
        }) = self.kinds.get(kind).copied()
        else {
            return Ok(());
        };
        self.billed |= billed && key.hour.start() >= self.from;
        let [.., others] = &mut self.effective;
        others.extend(beside.filter(|_| self.period.contains(key.hour.start())));
        if uncounted && self.period.contains(key.hour.start()) {
            self.uncounted = add_exact(self.uncounted, sums.cost)?;
        }
        if let Some(currency) = other.filter(|_| self.period.contains(key.hour.start())) {
            let slot = self.others.entry(currency).or_default();
            *slot = add_exact(*slot, sums.cost)?;
        }
        Ok(())
    }

    /// What has to be said beside the figures.
    pub fn notes(self) -> Vec<String> {
        let own = self.budget.amount.currency();
        let others = self.others.into_iter().filter(|(_, cost)| !cost.is_zero());
        let mut notes: Vec<String> = others
            .map(|(currency, cost)| {
                let cost = Money::new(cost, currency);
                format!("{cost} more in this scope is not counted: the budget is in {own}")
            })
            .collect();
        if self.budget.basis == Basis::Billed && !self.billed {
            let since = self.from.with_timezone(&self.budget.zone).format("%Y-%m-%d");
            notes.push(format!(
                "no bill of this scope is recorded since {since}: nothing can count"
            ));
        }
        let [metered, told, others] = &self.effective;
        for provider in metered.iter().filter(|p| others.contains(p) && !told.contains(p)) {
            notes.push(format!(
                "the bill of {provider} does not tell this scope apart: of days that it tells nothing counts; `basis = \"billed, metered where late\"` counts calls on them, too"
            ));
        }
        if self.budget.basis == Basis::Metered && !self.metered && !self.uncounted.is_zero() {
            let cost = Money::new(self.uncounted, own);
            notes.push(format!(
                "{cost} of bills in this scope is not counted: the budget counts calls; `basis = \"billed\"` counts bills"
            ));
        }
        notes
    }
}
