//! Whether the file of a ledger is still the one that its path names.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::failed;
use super::ledger::SqliteLedger;
use crate::ports::StoreError;

/// Where the open file of a ledger was found. SQLite goes on writing to a file that was moved, deleted or replaced, and what it writes is
/// then in no ledger that anyone reads.
pub(super) struct Place {
    path: PathBuf,
    /// What tells files apart, where the system has it.
    id: Option<(u64, u64)>,
}

impl Place {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Place {
            path: path.to_owned(),
            id: id(&path.metadata()?),
        })
    }

    /// Why what is written would be lost.
    pub fn lost(&self) -> Option<String> {
        match self.path.metadata() {
            Ok(found) if id(&found) == self.id => None,
            Ok(_) => Some(
                "another file is in the place of the one that is open; what writes to it has to be started anew"
                    .to_owned(),
            ),
            Err(cause) => Some(format!(
                "the file that is open is not in its place any more ({cause}); what writes to it has to be started anew"
            )),
        }
    }
}

#[cfg(unix)]
fn id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn id(_: &Metadata) -> Option<(u64, u64)> {
    None
}

impl SqliteLedger {
    /// The same ledger, for what cannot be read again: every change survives a power cut, which is slower, and none succeeds once the
    /// file is not the one at `path` any more.
    pub fn durable(mut self, path: &Path) -> Result<Self, StoreError> {
        let conn = self.handle.settled(&self.path)?;
        conn.execute_batch("PRAGMA synchronous = FULL")
            .map_err(|e| failed(&self.path, &e))?;
        let place = Place::of(path).map_err(|cause| StoreError::Failed {
            path: self.path.clone(),
            cause: cause.to_string(),
        })?;
        self.place = Some(place);
        Ok(self)
    }
}
