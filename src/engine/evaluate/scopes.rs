//! Which budgets a combination of dimensions may concern, without asking each of them: a ledger may have a hundred thousand
//! combinations, and a company a budget for each of its developers.

use rustc_hash::FxHashMap;

use crate::domain::budget::Budget;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::spend::Basis;

/// Budgets by the values that they ask for.
pub(super) struct Scopes<'a> {
    /// Those of which one dimension has to have one of a few values.
    named: FxHashMap<(Dimension, Label), Vec<usize>>,
    /// The dimensions in `named`.
    dimensions: Vec<Dimension>,
    /// The others, to be asked each.
    others: Vec<(usize, &'a Budget)>,
}

impl<'a> Scopes<'a> {
    /// Of budgets by their places.
    pub fn new(budgets: impl Iterator<Item = &'a Budget>) -> Self {
        let mut scopes = Scopes {
            named: FxHashMap::default(),
            dimensions: Vec::new(),
            others: Vec::new(),
        };
        for (at, budget) in budgets.enumerate() {
            let mut clauses = budget.scope.0.iter();
            let named = clauses.find(|(dimension, patterns)| patterns.iter().all(|p| dimension.asks_for_one(p)));
            // What effective cost tells beside its scope a budget says, too.
            match named.filter(|_| budget.basis != Basis::Effective) {
                Some((dimension, patterns)) => scopes.name(at, *dimension, patterns),
                None => scopes.others.push((at, budget)),
            }
        }
        scopes
    }

    fn name(&mut self, at: usize, dimension: Dimension, patterns: &[String]) {
        if !self.dimensions.contains(&dimension) {
            self.dimensions.push(dimension);
        }
        for pattern in patterns {
            let named = self.named.entry((dimension, Label::new(pattern))).or_default();
            // A value may be given twice.
            if named.last() != Some(&at) {
                named.push(at);
            }
        }
    }

    /// The places of all budgets that have these dimensions in their scope, and of some that do not.
    pub fn around(&self, dimensions: &Dimensions) -> impl Iterator<Item = usize> {
        let named = self.dimensions.iter();
        let named = named.filter_map(|dimension| self.named.get(&(*dimension, dimensions.get(*dimension))));
        let others = self.others.iter();
        let others = others.filter(|(_, budget)| budget.basis == Basis::Effective || budget.scope.matches(dimensions));
        named.flatten().copied().chain(others.map(|(at, _)| *at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::budget::{BudgetPeriod, Scope};
    use crate::domain::money::Money;
    use crate::domain::period::Calendar;

    fn budget(scope: Vec<(Dimension, Vec<String>)>, basis: Basis) -> Budget {
        Budget {
            name: "b".to_owned(),
            scope: Scope(scope.into_iter().collect()),
            amount: Money::new(rust_decimal::Decimal::ONE, crate::domain::money::Currency::USD),
            period: BudgetPeriod::Calendar(Calendar::Month),
            zone: chrono_tz::UTC,
            basis,
            categories: vec!["Usage".to_owned()],
            count_unpriced: false,
            thresholds: Budget::default_ladder(),
            owner: None,
            runbook: None,
            channels: Vec::new(),
            remind_every_hours: 24,
        }
    }

    fn dimension() -> impl Strategy<Value = Dimension> {
        prop::sample::select(vec![
            Dimension::Provider,
            Dimension::Model,
            Dimension::Team,
            Dimension::User,
        ])
    }

    proptest! {
        #[test]
        fn whoever_has_a_combination_in_scope_is_asked_once(
            scopes in prop::collection::vec((prop::collection::vec((dimension(), prop::collection::vec("[abA*?]{1,2}", 1..4)), 0..3), any::<bool>()), 0..12),
            values in prop::collection::vec((dimension(), "[abA]{0,2}"), 0..5),
        ) {
            let basis = |is_effective| if is_effective { Basis::Effective } else { Basis::Metered };
            let budgets: Vec<Budget> = scopes.into_iter().map(|(scope, is_effective)| budget(scope, basis(is_effective))).collect();
            let dimensions = values.iter().fold(Dimensions::default(), |all, (dimension, value)| all.with(*dimension, value));
            let mut around: Vec<usize> = Scopes::new(budgets.iter()).around(&dimensions).collect();
            around.sort_unstable();
            let asked = |budget: &Budget| {
                let names_one = |(dimension, patterns): (&Dimension, &Vec<String>)| {
                    let values = patterns.iter().all(|p| dimension.asks_for_one(p));
                    values.then(|| patterns.iter().any(|p| dimensions.are_like(*dimension, p)))
                };
                let named = budget.scope.0.iter().find_map(names_one);
                budget.basis == Basis::Effective || named.unwrap_or_else(|| budget.scope.matches(&dimensions))
            };
            let expected: Vec<usize> = (0..budgets.len()).filter(|at| asked(&budgets[*at])).collect();
            prop_assert_eq!(&around, &expected);
            prop_assert!(budgets.iter().enumerate().all(|(at, budget)| !budget.scope.matches(&dimensions) || around.contains(&at)));
        }
    }
}
