//! Where reading a file stands: what a checkpoint of this adapter holds.

use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::domain::usage::EventId;
use crate::ports::Checkpoint;

use super::FileFormat;

/// Bytes at the front of a file that tell whether it is still the same file.
pub(super) const HEAD: usize = 1024;

/// Serialised as JSON; a checkpoint that does not parse is as good as none, since identities make reading again safe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Size of the file when it was read.
    pub size: u64,
    /// Its time of change, in nanoseconds.
    pub modified: u64,
    /// Bytes read of the decoded stream.
    pub offset: u64,
    /// Line ends before that.
    pub newlines: u64,
    /// Length of the digested front.
    pub head_len: usize,
    /// Digest of the front.
    pub head: String,
    /// Name of the format.
    pub format: String,
    /// Whether reading can go on at `offset`.
    pub resumable: bool,
    /// State of the format.
    pub state: String,
}

impl Position {
    /// Where a file begins whose front is `head`.
    pub fn fresh(metadata: &Metadata, head: &[u8]) -> Self {
        Position {
            size: metadata.len(),
            modified: modified(metadata),
            offset: 0,
            newlines: 0,
            head_len: head.len(),
            head: digest(head),
            format: String::new(),
            resumable: false,
            state: String::new(),
        }
    }

    /// Where the end of a file of bills is of which nothing counts.
    pub fn of_bill(metadata: &Metadata) -> Self {
        Position {
            format: FileFormat::Focus.name().to_owned(),
            ..Position::fresh(metadata, b"")
        }
    }

    /// Keeps the identities of the bills that a file told.
    pub fn name(&mut self, bills: &[String]) {
        self.state = serde_json::to_string(bills).unwrap_or_default();
    }

    /// These identities.
    pub fn names(&self) -> Vec<String> {
        serde_json::from_str(&self.state).unwrap_or_default()
    }

    /// Reads a checkpoint.
    pub fn parse(checkpoint: &Checkpoint) -> Option<Self> {
        serde_json::from_slice(&checkpoint.0).ok()
    }

    /// Writes it.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether rows of a bill were read there.
    pub fn is_of_bill(&self) -> bool {
        self.format.parse().is_ok_and(FileFormat::is_bill)
    }

    /// Whether the file is as it was.
    pub fn is_current(&self, metadata: &Metadata) -> bool {
        self.size == metadata.len() && self.modified == modified(metadata)
    }
}

/// Time of change in nanoseconds of the epoch; 0 where the system does not tell.
fn modified(metadata: &Metadata) -> u64 {
    metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .and_then(|d| u64::try_from(d.as_nanos()).ok())
        .unwrap_or(0)
}

/// Digest of the front of a file.
pub(super) fn digest(head: &[u8]) -> String {
    EventId::of(&[b"head", head]).to_string()
}
