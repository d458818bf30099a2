//! Which of a bill's columns are read, and what for.

use super::amount::Amount;
use super::memo::Spread;

/// As much of a value as matters.
pub(super) type Reduce = fn(&[u8]) -> &[u8];

/// What is read of a bill's columns.
pub(super) struct Wanted {
    /// Positions, ascending.
    pub positions: Vec<usize>,
    /// Those among them that decide where a row is summed, and how it is read.
    pub shared: Vec<usize>,
    /// Further ones that decide it, by as much of their values as matters.
    pub reduced: Vec<(usize, Reduce)>,
    /// Of costs.
    pub costs: CostColumns,
    /// Of the time of the charge.
    pub at: usize,
    /// Of the amount of usage that [`super::memo::Way::Counted`] counts.
    pub quantity: Option<usize>,
    /// Amounts of which few are looked at.
    pub rare: Vec<usize>,
}

/// The columns of costs.
pub(super) struct CostColumns {
    /// Of the billed cost.
    pub billed: usize,
    /// Of the effective cost.
    pub effective: Option<usize>,
    /// Whether the billed cost stands for an effective cost that is not given.
    pub or_billed: bool,
    /// Those of effective costs that [`Spread::Listed`] names.
    pub lists: [Vec<usize>; 2],
}

impl Wanted {
    /// Puts the positions of all that is named into their order.
    pub fn arrange(&mut self) {
        self.shared.sort_unstable();
        let reduced = self.reduced.iter().map(|(at, _)| at);
        let others = self.shared.iter().chain(reduced).chain(&self.rare).copied();
        let own = [self.at].into_iter().chain(self.quantity);
        self.positions.extend(others.chain(own).chain(self.costs.all()));
        self.positions.sort_unstable();
        self.positions.dedup();
    }
}

impl CostColumns {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        let own = [self.billed].into_iter().chain(self.effective);
        own.chain(self.lists.iter().flatten().copied())
    }

    /// The same columns by their places among positions that ascend.
    #[cfg(feature = "parquet")]
    pub fn places(&self, positions: &[usize]) -> Option<Self> {
        let place = |at: usize| positions.binary_search(&at).ok();
        let list = |list: &Vec<usize>| list.iter().filter_map(|at| place(*at)).collect();
        Some(CostColumns {
            billed: place(self.billed)?,
            effective: self.effective.and_then(place),
            or_billed: self.or_billed,
            lists: self.lists.each_ref().map(list),
        })
    }

    /// Whether billed and effective cost are one.
    #[inline]
    pub fn one(&self) -> bool {
        self.effective == Some(self.billed)
    }

    /// The effective cost of a row, by the amounts of its columns; none where it is more than one of few digits. Of an amount `Some(None)`
    /// says that nothing is given.
    #[inline]
    pub fn effective(
        &self,
        spread: Spread,
        billed: Amount,
        amount: impl Fn(usize) -> Option<Option<Amount>>,
    ) -> Option<Amount> {
        if self.one() {
            return Some(billed);
        }
        // What is wrong with it is told even where it does not count.
        let own = match self.effective {
            Some(at) => amount(at)?,
            None => None,
        };
        match spread {
            Spread::Own => {}
            Spread::Nothing => return Amount::new(0, billed.scale()),
            Spread::Listed(list) => {
                for at in self.lists.get(list)? {
                    if let Some(cost) = amount(*at)? {
                        return Some(cost);
                    }
                }
            }
        }
        own.or(Some(billed).filter(|_| self.or_billed))
    }
}
