//! Names in the scope of a budget that nothing has: such a budget stays at nothing and green whatever is spent.

use std::collections::BTreeSet;

use crate::domain::budget::Budget;
use crate::domain::dimension::Dimension;
use crate::domain::similar::nearest;
use crate::domain::spend::{Basis, SpendKey};

/// Names kept of one dimension, to propose some.
const KEPT: usize = 100;
/// Names proposed.
const PROPOSED: usize = 3;

/// One dimension of a scope.
struct Clause<'a> {
    dimension: Dimension,
    patterns: &'a [String],
    met: bool,
    others: BTreeSet<&'static str>,
}

/// The dimensions of one budget's scope that no row of spend has met so far.
pub(super) struct Unmet<'a> {
    basis: Basis,
    clauses: Vec<Clause<'a>>,
}

impl<'a> Unmet<'a> {
    pub fn new(budget: &'a Budget) -> Self {
        let clause = |(dimension, patterns): (&Dimension, &'a Vec<String>)| Clause {
            dimension: *dimension,
            patterns,
            met: false,
            others: BTreeSet::new(),
        };
        Unmet {
            basis: budget.basis,
            clauses: budget.scope.0.iter().map(clause).collect(),
        }
    }

    /// Takes note of a combination of dimensions that was not seen before.
    pub fn kind(&mut self, key: &SpendKey) {
        let counts = key.basis == self.basis || (self.basis == Basis::BilledFilled && key.basis == Basis::Metered);
        if !counts {
            return;
        }
        for clause in self.clauses.iter_mut().filter(|clause| !clause.met) {
            let (dimension, value) = (clause.dimension, key.dimensions.get(clause.dimension));
            clause.met = clause.patterns.iter().any(|p| key.dimensions.are_like(dimension, p));
            let value = value.as_str();
            if !value.is_empty() && clause.others.len() < KEPT {
                clause.others.insert(value);
            }
        }
    }

    /// What has to be said beside the figures.
    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        let unmet = self
            .clauses
            .iter()
            .filter(|clause| !clause.met && !clause.others.is_empty());
        unmet.map(|clause| {
            let asked = clause.patterns.join("`, `");
            let there: Vec<String> = clause.proposed().into_iter().map(|name| format!("`{name}`")).collect();
            let more = if clause.others.len() > there.len() { ", …" } else { "" };
            format!(
                "nothing that is recorded of late has {} `{asked}`, so that nothing can count; there is {}{more}",
                clause.dimension,
                there.join(", ")
            )
        })
    }
}

impl Clause<'_> {
    /// Those first that hold what was asked for, or are nearly it.
    fn proposed(&self) -> Vec<&'static str> {
        let all: Vec<&'static str> = self.others.iter().copied().collect();
        let mut first: Vec<&'static str> = Vec::new();
        for pattern in self.patterns {
            let stem = pattern.trim_matches('*').to_lowercase();
            first.extend(
                all.iter()
                    .filter(|name| !stem.is_empty() && name.to_lowercase().contains(&stem)),
            );
            first.extend(nearest(pattern, &all));
        }
        first.extend(all);
        let mut proposed: Vec<&'static str> = Vec::new();
        for name in first {
            if proposed.len() < PROPOSED && !proposed.contains(&name) {
                proposed.push(name);
            }
        }
        proposed
    }
}
