//! What a budget was spent on most, and what the same was before.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::super::status::Contributor;
use super::parts::Part;
use super::{Gathering, Kind};
use crate::domain::budget::BudgetPeriod;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact, add_most};
use crate::domain::spend::Basis;
use crate::domain::unpriced::{Unpriced, is_comparable};
use crate::engine::view::fill::Fill;

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

/// What it is split by where nothing has two values, with the values that it needs. What nothing is named of is said of its model.
const ALONE: [(Dimension, usize); 3] = [(Dimension::Model, 1), (Dimension::Service, 1), (Dimension::Model, 0)];

/// What something cost in one of two periods.
#[derive(Default)]
struct Side {
    cost: Decimal,
    unpriced: Unpriced,
}

impl Gathering<'_> {
    /// The biggest values of the first dimension that has more than one; else its one model, or its one service where it has none.
    pub(super) fn contributors(&self, fill: Option<&Fill>) -> Result<Vec<Contributor>, MoneyError> {
        let named = |found: &[Contributor]| found.iter().filter(|c| !c.name.is_empty()).count();
        let mut found = Vec::new();
        for (dimension, least) in SPLITS.map(|dimension| (dimension, 2)).into_iter().chain(ALONE) {
            found = self.split(dimension, fill)?;
            if named(&found) >= least {
                break;
            }
        }
        found.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.name.cmp(&b.name)));
        found.truncate(CONTRIBUTORS);
        Ok(found)
    }

    fn split(&self, dimension: Dimension, fill: Option<&Fill>) -> Result<Vec<Contributor>, MoneyError> {
        let mut values: FxHashMap<Label, [Side; 2]> = FxHashMap::default();
        for kind in self.kinds.iter() {
            let slots = values.entry(kind.dimensions.get(dimension)).or_default();
            for ((slot, more), unpriced) in slots.iter_mut().zip(kind.cost).zip(kind.unpriced) {
                slot.cost = add_exact(slot.cost, more)?;
                slot.unpriced.events += unpriced.events;
                slot.unpriced.worst_case = add_most(slot.unpriced.worst_case, unpriced.worst_case)?;
            }
            let known_to = match self.budget.basis {
                Basis::Metered => None,
                Basis::Billed | Basis::Effective if kind.derived => None,
                Basis::Billed | Basis::Effective => self.billed_to(kind.provider),
                // What is filled is known up to now.
                Basis::BilledFilled => {
                    let part = self.parts.get(kind.part);
                    let known_to = part.and_then(|part| self.billed_alone_to(part));
                    known_to.filter(|day| *day < self.today)
                }
            };
            let unknown = known_to.and_then(|day| self.unknown_from(day));
            let [_, before] = slots;
            for (_, more) in unknown.into_iter().flat_map(|day| kind.before.range(day..)) {
                before.cost = add_exact(before.cost, -*more)?;
            }
        }
        let is_whole = self.is_whole();
        let otherwise = fill.map_or_else(BTreeSet::new, |fill| self.named_otherwise(dimension, fill));
        let spent = values.into_iter().filter(|(_, [now, _])| !now.cost.is_zero());
        Ok(spent
            .map(|(name, [now, before])| {
                let compares = is_comparable([before.cost, now.cost], [before.unpriced, now.unpriced]);
                Contributor {
                    dimension,
                    name,
                    cost: now.cost,
                    before: (is_whole && compares && !otherwise.contains(&name)).then_some(before.cost),
                }
            })
            .collect())
    }

    /// Whether this period and the one before can be compared at all: not where there is none before, and not while rows of whole months
    /// are in them.
    fn is_whole(&self) -> bool {
        matches!(self.budget.period, BudgetPeriod::Calendar(_))
            && (matches!(self.budget.basis, Basis::Metered | Basis::BilledFilled)
                || !self.period.contains(self.now)
                || !self.is_by_months())
    }

    /// The values of a dimension under which a bill and the metered use behind it may have the same spend by two names: more of the
    /// period before is billed, so that one of them seems new, and the other to have fallen.
    fn named_otherwise(&self, dimension: Dimension, fill: &Fill) -> BTreeSet<Label> {
        let mut names: BTreeMap<Label, [BTreeSet<Label>; 2]> = BTreeMap::new();
        let is_spent = |kind: &&Kind<'_>| kind.usage && kind.cost.iter().any(|cost| !cost.is_zero());
        for kind in self.kinds.iter().filter(is_spent) {
            let is_bill = self.parts.get(kind.part).is_some_and(Part::is_bill);
            let [billed, metered] = names.entry(kind.provider).or_default();
            let side = if is_bill { billed } else { metered };
            side.insert(kind.dimensions.get(dimension));
        }
        let mut otherwise = BTreeSet::new();
        for (provider, [billed, metered]) in names {
            if billed.is_empty() || metered.is_empty() {
                continue;
            }
            let strange = metered.difference(&billed).copied();
            let strange: Vec<Label> = strange
                .filter(|name| !fill.is_new(provider, dimension, *name))
                .collect();
            if billed.contains(&Label::EMPTY) && !metered.contains(&Label::EMPTY) {
                // What the bill names nothing for may be of each of them.
                otherwise.extend(billed.union(&metered));
            } else if !strange.is_empty() {
                otherwise.extend(strange);
                otherwise.extend(billed.difference(&metered));
            }
        }
        otherwise
    }
}
