//! What a budget was spent on most, and what the same was before.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::super::status::Contributor;
use super::parts::Part;
use super::{Gathering, Kind};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::spend::Basis;

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

impl Gathering<'_> {
    /// The biggest values of the first dimension that has more than one.
    pub(super) fn contributors(&self) -> Result<Vec<Contributor>, MoneyError> {
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
        let known_to = self.known_to();
        for kind in self.kinds.iter().flatten() {
            let slots = values.entry(kind.dimensions.get(dimension)).or_default();
            for (slot, more) in slots.iter_mut().zip(kind.cost) {
                *slot = add_exact(*slot, more)?;
            }
            let known_to = match self.budget.basis {
                Basis::Metered => None,
                Basis::Billed | Basis::Effective => Some(known_to),
                // What is filled is known up to now.
                Basis::BilledFilled => self.parts.get(kind.part).and_then(|part| self.billed_alone_to(part)),
            };
            let unknown = known_to.and_then(|day| self.unknown_from(day));
            let [_, before] = slots;
            for (_, more) in unknown.into_iter().flat_map(|day| kind.before.range(day..)) {
                *before = add_exact(*before, -*more)?;
            }
        }
        let is_comparable = self.is_comparable(dimension);
        let spent = values.into_iter().filter(|(_, [now, _])| !now.is_zero());
        Ok(spent
            .map(|(name, [cost, before])| Contributor {
                dimension,
                name,
                cost,
                before: is_comparable.then_some(before),
            })
            .collect())
    }

    /// Whether this period and the one before can be compared by the values of a dimension: not where a bill has other names than the
    /// metered use behind it, since more of the period before is billed, nor where it has rows of whole months.
    fn is_comparable(&self, dimension: Dimension) -> bool {
        if self.budget.basis == Basis::Metered {
            return true;
        }
        if self.budget.basis != Basis::BilledFilled {
            return !self.period.contains(self.now) || !self.is_by_months();
        }
        let mut names: BTreeMap<Label, [BTreeSet<Label>; 2]> = BTreeMap::new();
        let is_spent = |kind: &&Kind<'_>| kind.usage && kind.cost.iter().any(|cost| !cost.is_zero());
        for kind in self.kinds.iter().flatten().filter(is_spent) {
            let is_bill = self.parts.get(kind.part).is_some_and(Part::is_bill);
            let [billed, metered] = names.entry(kind.provider).or_default();
            let side = if is_bill { billed } else { metered };
            side.insert(kind.dimensions.get(dimension));
        }
        names.values().all(|[billed, metered]| {
            let without = [billed, metered].map(|names| names.contains(&Label::EMPTY));
            billed.is_empty() || metered.is_empty() || (metered.is_subset(billed) && without != [true, false])
        })
    }
}
