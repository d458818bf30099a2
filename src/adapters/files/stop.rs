//! Why reading ends early, and what is left then.

use std::io;

use super::discover::Found;
use super::position::Position;
use super::read::Run;
use super::records::Behind;
use super::side_by_side::Todo;
use crate::ports::{Rest, SourceError, StoreError};

/// Lines after which progress is told.
const PROGRESS_LINES: u64 = 4096;
/// Bytes after which it is, where lines are long or few.
const PROGRESS_BYTES: u64 = 16 << 20;

/// Reading cannot go on: with this file, or at all.
pub(super) enum Stop {
    /// This file cannot be read.
    Io(io::Error),
    /// The ledger refused what was read.
    Store(StoreError),
    /// The time is used up: the next run goes on from the last checkpoint.
    Time,
    /// The file is not understood by itself: it is read after those that are.
    Later,
}

impl Stop {
    /// The failure of the source as a whole.
    pub fn source(self) -> SourceError {
        let cause = match self {
            Stop::Store(error) => return error.into(),
            Stop::Io(error) => error.to_string(),
            // Only files have checkpoints: standard input never stops for it.
            Stop::Time | Stop::Later => "the time is used up".to_owned(),
        };
        SourceError::Read {
            what: "-".to_owned(),
            cause,
            hint: "standard input was named as a source".to_owned(),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}

/// Whether a record was read to its end.
#[derive(PartialEq, Eq)]
pub(super) enum Whole {
    Complete,
    Incomplete,
}

/// How much of a file was read.
#[derive(PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// The time was used up before its end.
    Part,
    /// It is not understood by itself.
    Nothing,
}

impl Run<'_> {
    /// Tells progress, where there is some; always when it is told `now`.
    pub fn tell(&mut self, now: bool) {
        if now || self.progress.lines >= PROGRESS_LINES {
            let mut read = std::mem::take(&mut self.progress);
            if self.packed {
                read.bytes = 0;
            }
            self.sink.progress(read);
        }
    }

    /// Tells progress, where much was read since it was told; then it is time to look at the clock.
    pub fn looks_up(&mut self) -> bool {
        let much = self.progress.lines >= PROGRESS_LINES || self.progress.bytes >= PROGRESS_BYTES;
        if much {
            self.tell(true);
        }
        much
    }

    /// Keeps how far the file at hand is read, where reading can go on there, and stops when the time is used up. What is packed is unpacked
    /// once more up to there.
    pub fn pause(
        &mut self,
        name: &str,
        position: Option<&Position>,
        at: &Behind<'_>,
        state: impl FnOnce() -> String,
    ) -> Result<(), Stop> {
        let position = position.filter(|position| position.resumable || self.packed);
        if let Some(position) = position {
            let mut part = position.in_part(at.offset);
            part.reach(at, state());
            self.note(&mut part);
            self.sink.checkpoint(name, part.checkpoint())?;
        }
        // What can only be read from its front is read to its end: begun anew at each run it would keep all behind it from being read.
        match position.is_some() && self.returns && self.sink.enough() {
            true => Err(Stop::Time),
            false => Ok(()),
        }
    }

    /// Whether the time was used up while files were read side by side; then the sink is told what is left of them and of the others.
    pub fn leaves_behind(&mut self, left: &[&Found], others: &[Todo<'_>]) -> bool {
        let leaves = !left.is_empty();
        if leaves {
            let rest = left.iter().copied().chain(others.iter().map(|(found, _)| *found));
            let bytes = rest.clone().map(|found| found.metadata.len()).sum();
            let files = rest.count() as u64;
            self.sink.left(Rest { files, bytes });
        }
        leaves
    }

    /// Whether the time is used up after the first of these files, which may have been left in its middle; then the sink is
    /// told what is left.
    pub fn leaves(&mut self, files: &[Todo<'_>]) -> bool {
        let rest = files.get(usize::from(!self.stopped)..).unwrap_or_default();
        let leaves = self.stopped || (!rest.is_empty() && self.sink.enough());
        if leaves {
            self.sink.left(Rest {
                files: rest.len() as u64,
                bytes: rest.iter().map(|(found, _)| found.metadata.len()).sum(),
            });
        }
        leaves
    }
}
