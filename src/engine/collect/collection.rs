//! What collecting did, for summaries.

use std::collections::BTreeMap;

use crate::domain::label::Label;
use crate::domain::spend::Restatement;
use crate::ports::{Recorded, Rejection, Rest};

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
    /// Things worth telling once, with how often they occurred.
    pub warnings: BTreeMap<String, u64>,
    /// Records that were not usable.
    pub rejected: u64,
    /// The first of them, by source, file and line.
    pub first_rejections: Vec<Rejection>,
    /// Files that could not be read. What they hold is unknown.
    pub unread: u64,
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

    /// Whether all that there is was read: else what is missing is unknown, and nothing may be concluded from it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed_sources.is_empty() && self.left.is_empty() && self.unread == 0
    }

    /// Records that are no spend.
    #[must_use]
    pub fn excluded_total(&self) -> u64 {
        self.excluded.values().sum()
    }
}
