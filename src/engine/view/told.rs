//! Which accounts of a provider can be told apart on both sides, bill and calls.

use std::collections::{BTreeMap, BTreeSet};

use super::standing::ENDED_DAYS;
use crate::domain::label::Label;
use crate::domain::period::Hour;

/// The last day on which each side names an account.
#[derive(Clone, Copy, Default)]
pub(super) struct Named {
    pub billed: Option<Hour>,
    pub metered: Option<Hour>,
}

impl Named {
    /// Whether both sides name it, and its bill stopped before that day while it was used.
    fn has_stopped(&self, before: Hour) -> bool {
        let billed = self.billed.filter(|billed| *billed < before);
        billed.is_some() && billed < self.metered
    }
}

/// How far the accounts of a provider can be told apart on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Not at all: no account is named by both, so that the names may be of two kinds.
    Together,
    /// Some metered use names no account, and may be that of any that is billed; others, named, are not billed, and of those
    /// that are some have stopped to be: each of these for itself, since what the rest is billed later says nothing of it.
    Partly {
        billed: BTreeSet<Label>,
        stopped: BTreeSet<Label>,
        others: BTreeSet<Label>,
    },
    /// Each for itself; the others are not billed.
    Each(BTreeSet<Label>, BTreeSet<Label>),
}

impl Told {
    /// What the accounts of a provider that both sides name come to.
    pub fn of(accounts: &BTreeMap<Label, Named>) -> Self {
        let by_both = |named: &Named| named.billed.is_some() && named.metered.is_some();
        if !accounts.iter().any(|(a, n)| !a.is_empty() && by_both(n)) {
            return Told::Together;
        }
        let last = accounts.values().filter_map(|named| named.billed).max();
        let awaited = Hour(last.unwrap_or(Hour(0)).0 - 24 * ENDED_DAYS);
        let names = |is: &dyn Fn(&Label, &Named) -> bool| -> BTreeSet<Label> {
            let found = accounts.iter().filter(|(account, named)| is(account, named));
            found.map(|(account, _)| *account).collect()
        };
        let has_stopped = |account: &Label, named: &Named| !account.is_empty() && named.has_stopped(awaited);
        let others = names(&|account, named| !account.is_empty() && named.billed.is_none() && named.metered.is_some());
        match accounts.get(&Label::EMPTY).is_some_and(|named| named.metered.is_some()) {
            true => Told::Partly {
                billed: names(&|account, named| named.billed.is_some() && !has_stopped(account, named)),
                stopped: names(&has_stopped),
                others,
            },
            false => Told::Each(names(&|_, named| named.billed.is_some()), others),
        }
    }

    /// What an account is compared with; nothing where it is not billed.
    pub fn group(&self, account: Label) -> Option<Label> {
        match self {
            Told::Together => Some(Label::EMPTY),
            Told::Partly { stopped, .. } if stopped.contains(&account) => Some(account),
            Told::Partly { billed, .. } => (account.is_empty() || billed.contains(&account)).then_some(Label::EMPTY),
            Told::Each(billed, _) => billed.contains(&account).then_some(account),
        }
    }

    /// Whether rows of the bill name no account, and may be of any.
    pub fn has_unnamed_rows(&self) -> bool {
        match self {
            Told::Together => true,
            Told::Partly { billed, .. } | Told::Each(billed, _) => billed.contains(&Label::EMPTY),
        }
    }

    /// Whether one account that is named by calls or bills is told apart from another one.
    pub fn are_apart(&self, one: Label, other: Label) -> bool {
        let is_named = self.group(one).is_some() || self.unbilled().any(|known| known == one);
        let are_together = self.group(one).is_some() && self.group(one) == self.group(other);
        one != other && !one.is_empty() && !other.is_empty() && is_named && !are_together
    }

    /// Those whose bill has stopped while others go on.
    pub fn stopped(&self) -> impl Iterator<Item = Label> + '_ {
        let stopped = match self {
            Told::Partly { stopped, .. } => Some(stopped),
            Told::Together | Told::Each(..) => None,
        };
        stopped.into_iter().flatten().copied()
    }

    /// Those that no bill names.
    pub fn unbilled(&self) -> impl Iterator<Item = Label> + '_ {
        let others = match self {
            Told::Together => None,
            Told::Partly { others, .. } | Told::Each(_, others) => Some(others),
        };
        others.into_iter().flatten().copied()
    }
}
