//! What collecting did, and what can be concluded from it.

use std::collections::BTreeMap;

use crate::domain::label::Label;
use crate::domain::period::Period;
use crate::domain::spend::{Basis, Restatement};
use crate::ports::{Recorded, Rejection, Rest};

/// Whether all that there is was read: else what is missing is unknown, and nothing may be concluded from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    /// Of usage.
    pub usage: bool,
    /// Of bills, beside all usage.
    pub bills: bool,
}

impl Complete {
    /// Nothing is missing.
    pub const ALL: Complete = Complete {
        usage: true,
        bills: true,
    };

    /// Whether everything that counts on a basis is known.
    #[must_use]
    pub fn on(self, basis: Basis) -> bool {
        match basis {
            Basis::Metered => self.usage,
            Basis::Billed | Basis::Effective | Basis::BilledFilled => self.usage && self.bills,
        }
    }
}

/// A source that failed as a whole. What it handed over before is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSource {
    /// Its name.
    pub source: Label,
    /// What happened, with the cause.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What collecting did. Nothing that was read is missing from these counts.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Files with something new in them.
    pub files: u64,
    /// Lines or records read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Requests that the provider charges for, each a cent.
    pub paid_requests: u64,
    /// What was recorded, and what was known already.
    pub recorded: Recorded,
    /// Records that are no spend, by kind.
    pub excluded: BTreeMap<&'static str, u64>,
    /// From when to when the calls were made that were met.
    pub met: Option<Period>,
    /// Things worth telling once, with how often they occurred.
    pub warnings: BTreeMap<String, u64>,
    /// Records that were not usable.
    pub rejected: u64,
    /// The first of them, by source, file and line.
    pub first_rejections: Vec<Rejection>,
    /// Files that could not be read. What they hold is unknown.
    pub unread: u64,
    /// Rows of bills and of costs that were refused, and bills that were not told. What they cost is unknown.
    pub unknown_costs: u64,
    /// Days of bills that changed after they had been recorded.
    pub restatements: Vec<Restatement>,
    /// Bills recorded or replaced.
    pub bills: u64,
    /// Sources that failed as a whole.
    pub failed_sources: Vec<FailedSource>,
    /// What is left for the next run, since the time was used up. Nothing that is missing here was lost.
    pub left: Vec<LeftOver>,
}

/// What a source has left for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOver {
    /// Its name.
    pub source: Label,
    /// How much; unknown for a source that was not begun.
    pub rest: Option<Rest>,
}

impl Collection {
    /// Distinct calls met in the input, whether the ledger knew them or not.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.recorded.recorded + self.recorded.known
    }

    /// What was read whole. A record of usage that was refused leaves what is known of its call as it is, and the others count; a bill is
    /// replaced by what could be read of it, so that a row that was refused is missing of a sum that was known.
    #[must_use]
    pub fn complete(&self) -> Complete {
        let all = self.failed_sources.is_empty() && self.left.is_empty() && self.unread == 0;
        Complete {
            usage: all,
            bills: all && self.unknown_costs == 0,
        }
    }

    /// Records that are no spend.
    #[must_use]
    pub fn excluded_total(&self) -> u64 {
        self.excluded.values().sum()
    }
}
