//! Files that the system does not let be read: what they hold is unknown, which is not the same as a record that is not usable.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::ports::{Checkpoints, Sink, SourceError};

use super::FileSourceOptions;
use super::codex::Sessions;
use super::discover::Search;
use super::otel::Traces;
use super::read::read_found;
use super::readers::{Shared, held};

/// Those of one source, with the cause, whichever thread came by them.
#[derive(Clone, Default)]
pub(super) struct Unread(Arc<Mutex<BTreeMap<String, String>>>);

impl Unread {
    /// Whether it is the system that refuses: a permission, a disk. What a file holds may as well be what cannot be unpacked.
    pub fn is_of_system(error: &io::Error) -> bool {
        error.raw_os_error().is_some()
    }

    /// Notes one.
    pub fn note(&self, name: &str, cause: &io::Error) {
        held(&self.0).insert(name.to_owned(), cause.to_string());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        held(&self.0).is_empty()
    }
}

/// Reads what was found. The source fails where a part of it could not be looked into or read; all else counts.
pub(super) fn read_all(
    options: &FileSourceOptions,
    mut search: Search,
    (sessions, traces): (Sessions, Arc<Mutex<Traces>>),
    known: &Checkpoints,
    sink: &mut dyn Sink,
) -> Result<(), SourceError> {
    let unread = Unread::default();
    let shared = Shared::of(sessions, traces, options.columns.clone()).missing(&unread);
    read_found(options, &search, shared, known, sink)?;
    for (what, cause) in held(&unread.0).iter() {
        search.miss(SourceError::Read {
            what: what.clone(),
            cause: cause.clone(),
            hint: "check the file and its permissions; what could be read is recorded".to_owned(),
        });
    }
    search.failure()
}
