//! How far the rows of a database were read, and which come next.
//!
//! A read that takes several runs notes its place, also that among the rows that were known before: what is left becomes less with each run.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::adapters::sqlite::log;

/// A change may be seen later than another of a later time: by so many milliseconds at most, other clocks included.
const LATE_MS: i64 = 600_000;

/// Changes when more of the rows is understood than before, so that all of them are read anew: identities make that safe.
const READERS: u8 = 1;

/// How far the rows of a database were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Reached {
    /// The number of the last row.
    pub row: i64,
    /// Its message: that it is still there tells that the database is the same.
    pub id: String,
    /// When the row was changed that was changed last, in milliseconds of the epoch.
    pub changed: i64,
    /// Size and time of change of the log beside it.
    pub log: (u64, u128),
    /// When the first row was changed that was still being answered, where a run ended before all rows were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answering: Option<i64>,
    /// The rows that were known are to be looked at once more, for what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// By which readers; 0 where an earlier version read them.
    #[serde(default)]
    pub readers: u8,
    /// How far the rows of another table of the same agent were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Box<Reached>>,
}

/// How far the rows that were known were looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The number of the last one.
    pub row: i64,
    /// The newest change that was known when a run ended in the middle of this look: what was changed since may lie before its place.
    pub changed: Option<i64>,
    /// Whether anything was changed while it was left.
    pub moved: bool,
}

impl Again {
    /// None was looked at so far.
    pub const BEGIN: Again = Again {
        row: i64::MIN,
        changed: None,
        moved: false,
    };
}

impl Reached {
    /// None was read so far; the log beside it is this one.
    pub fn nothing(log: (u64, u128)) -> Self {
        Reached {
            row: i64::MIN,
            log,
            readers: READERS,
            ..Reached::default()
        }
    }

    /// Whether the log beside a database is as it was, and nothing more is understood of its rows now.
    pub fn is_log_of(&self, path: &Path) -> bool {
        self.log == log_of(path) && self.is_of_now()
    }

    /// Whether rows were read as they are read now.
    pub fn is_of_now(&self) -> bool {
        self.readers == READERS
    }

    /// Reading goes on. Where the database is as it was when a run left it, nothing was changed.
    pub fn goes_on(&mut self, as_it_was: bool) {
        if let Some(beside) = &mut self.beside {
            beside.goes_on(as_it_was);
        }
        if let Some(again) = &mut self.again {
            again.moved |= !as_it_was;
        } else if !as_it_was {
            self.again = Some(Again::BEGIN);
        }
    }

    /// How far they were read where a run may end: in the middle of a span, with what was changed last so far.
    pub fn in_part(&self, span: &Span, changed: i64, answering: i64) -> Self {
        let mut part = Reached {
            answering: Some(answering).filter(|at| *at != i64::MAX),
            ..self.clone()
        };
        match &mut part.again {
            Some(again) => {
                again.row = span.after;
                again.changed.get_or_insert(changed);
            }
            None => part.changed = changed,
        }
        part
    }
}

/// Size and time of change of the log beside a database.
pub fn log_of(path: &Path) -> (u64, u128) {
    let Ok(found) = log(path).metadata() else {
        return Default::default();
    };
    let changed = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    (found.len(), changed.map_or(0, |at| at.as_nanos()))
}

/// Rows that are to be read.
pub(in super::super) struct Span {
    /// Behind that of this number, to that of the other one.
    pub after: i64,
    pub to: i64,
    /// Those alone that were changed since.
    pub since: i64,
}

impl Span {
    /// Rows behind one.
    pub fn new(after: i64) -> Self {
        Span {
            after,
            to: i64::MAX,
            since: i64::MIN,
        }
    }

    /// Rows behind one and up to another that were changed when this one was or later.
    pub fn changed(after: i64, to: i64, changed: i64) -> Self {
        Span {
            after,
            to,
            since: changed.saturating_sub(LATE_MS),
        }
    }
}
