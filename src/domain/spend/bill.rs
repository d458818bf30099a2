//! Bills: what a provider charges for a billing period.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Basis, SpendKey, SpendRows, Sums};
use crate::domain::label::Label;
use crate::domain::money::{Currency, add_exact};
use crate::domain::period::{Hour, Period};

/// One billing period of one bill, complete: recording it replaces what was recorded under the same identity before.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// Who issued it and for what: source, provider, billing account, billing period. A later bill of the same identity replaces it.
    pub identity: String,
    /// The billing period.
    pub period: Period,
    /// Its rows, summed by key; no key twice.
    pub rows: SpendRows,
    /// Days before this one were final when the bill was last read: only a change of theirs is a restatement. None: all were.
    pub settled_before: Option<Hour>,
    /// How ledgers of former versions have it: those rows are replaced, too.
    pub formerly: Option<Former>,
}

/// A bill as former versions named it, which could hold rows of several providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its identity then.
    pub identity: String,
    /// The provider whose rows are meant.
    pub provider: Label,
}

/// A bill of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBill {
    /// [`Bill::identity`].
    pub identity: String,
    /// The first and the last day that it has rows of.
    pub days: (Hour, Hour),
    /// How many rows it is summed to.
    pub rows: u64,
    /// What it comes to.
    pub costs: BTreeMap<(Basis, Currency), Decimal>,
}

impl KnownBill {
    /// A bill of these rows; none where it has none.
    #[must_use]
    pub fn of(identity: String, rows: impl Iterator<Item = (SpendKey, Sums)>) -> Option<Self> {
        let mut days: Option<(Hour, Hour)> = None;
        let (mut count, mut costs) = (0, BTreeMap::new());
        for (key, sums) in rows {
            let day = key.hour.day();
            days = Some(days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
            let slot: &mut Decimal = costs.entry((key.basis, key.currency)).or_default();
            let cost = sums.bounded().cost;
            // Also one that comes to more than that is shown, so that it can be taken back.
            *slot = add_exact(*slot, cost).unwrap_or_else(|_| slot.saturating_add(cost));
            count += 1;
        }
        days.map(|days| KnownBill {
            identity,
            days,
            rows: count,
            costs,
        })
    }
}
