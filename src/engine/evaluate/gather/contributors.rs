//! What a budget was spent on most, and what the same was before.

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::super::status::Contributor;
use super::Gathering;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};

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
        let unknown = self.unknown_from();
        for kind in self.kinds.iter().flatten() {
            let slots = values.entry(kind.dimensions.get(dimension)).or_default();
            for (slot, more) in slots.iter_mut().zip(kind.cost) {
                *slot = add_exact(*slot, more)?;
            }
            let [_, before] = slots;
            for (_, more) in unknown.into_iter().flat_map(|day| kind.before.range(day..)) {
                *before = add_exact(*before, -*more)?;
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
