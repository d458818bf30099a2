//! Names in the scope of a budget that nothing has: such a budget stays at nothing and green whatever is spent.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::domain::budget::Budget;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::similar::nearest;
use crate::domain::spend::{Basis, SpendKey};

/// Names kept of one dimension, to propose some.
const KEPT: usize = 100;
/// Names proposed.
const PROPOSED: usize = 3;

/// The values of one dimension that spend on one basis has, each with the provider where a pattern may name that before it.
#[derive(Default)]
struct Values {
    all: FxHashSet<(Label, Label)>,
    /// The first names, to propose some.
    first: BTreeSet<&'static str>,
}

/// What spend is recorded of, in the dimensions that budgets ask for.
pub(super) struct Unmet {
    values: BTreeMap<(Basis, Dimension), Values>,
}

impl Unmet {
    /// Nothing yet, of what these budgets ask for.
    pub fn new<'a>(budgets: impl Iterator<Item = &'a Budget>) -> Self {
        let asked = budgets.flat_map(|budget| {
            let dimensions = budget.scope.0.keys();
            dimensions.flat_map(|dimension| bases(budget.basis).map(|basis| ((basis, *dimension), Values::default())))
        });
        Unmet {
            values: asked.collect(),
        }
    }

    /// Takes note of a combination of dimensions that was not seen before.
    pub fn kind(&mut self, key: &SpendKey) {
        for ((basis, dimension), values) in &mut self.values {
            if *basis != key.basis {
                continue;
            }
            let value = key.dimensions.get(*dimension);
            let provider = match *dimension == Dimension::Model {
                true => key.dimensions.get(Dimension::Provider),
                false => Label::EMPTY,
            };
            if values.all.insert((provider, value)) && !value.is_empty() && values.first.len() < KEPT {
                values.first.insert(value.as_str());
            }
        }
    }

    /// What has to be said beside the figures of a budget.
    pub fn notes(&self, budget: &Budget) -> impl Iterator<Item = String> {
        let unmet = budget.scope.0.iter().filter_map(|(dimension, patterns)| {
            let values = bases(budget.basis).filter_map(|basis| self.values.get(&(basis, *dimension)));
            let values: Vec<&Values> = values.collect();
            let is_met = patterns
                .iter()
                .any(|p| values.iter().any(|values| values.meet(*dimension, p)));
            let others: BTreeSet<&'static str> = values.iter().flat_map(|values| &values.first).copied().collect();
            (!is_met && !others.is_empty()).then_some((dimension, patterns, others))
        });
        unmet.map(|(dimension, patterns, others)| {
            let asked = patterns.join("`, `");
            let there: Vec<String> = proposed(patterns, &others).into_iter().map(|name| format!("`{name}`")).collect();
            let more = if others.len() > there.len() { ", …" } else { "" };
            format!(
                "nothing that is recorded of late has {dimension} `{asked}`, so that nothing can count; there is {}{more}",
                there.join(", ")
            )
        })
    }
}

impl Values {
    /// Whether any of them is one that a pattern asks for.
    fn meet(&self, dimension: Dimension, pattern: &str) -> bool {
        match dimension.asks_for_one(pattern) {
            true => self.all.contains(&(Label::EMPTY, Label::new(pattern))),
            false => self
                .all
                .iter()
                .any(|(provider, value)| dimension.is_like_of(*provider, pattern, *value)),
        }
    }
}

/// The bases of which rows count to a budget.
fn bases(basis: Basis) -> impl Iterator<Item = Basis> {
    let filled = (basis == Basis::BilledFilled).then_some(Basis::Metered);
    [basis].into_iter().chain(filled)
}

/// Those first that hold what was asked for, or are nearly it.
fn proposed(patterns: &[String], others: &BTreeSet<&'static str>) -> Vec<&'static str> {
    let all: Vec<&'static str> = others.iter().copied().collect();
    let mut first: Vec<&'static str> = Vec::new();
    for pattern in patterns {
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
