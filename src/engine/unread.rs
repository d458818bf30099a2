//! Tells once which sources were recorded by earlier runs and are not read any more, though the settings never named them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::watch::SOURCE;
use crate::domain::label::Label;
use crate::ports::{Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// Where it is kept which were told.
const TOLD: &str = "unread";

/// A source that is not read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its name.
    pub name: Label,
    /// The folders that it was read from.
    pub places: Vec<PathBuf>,
}

impl Unread {
    /// Whether a file of one of its places was read: what somebody recorded from elsewhere under its name was not continued before, either.
    fn was_read(&self, ledger: &mut dyn Ledger) -> Result<bool, StoreError> {
        let files = ledger.checkpoints(self.name.as_str())?;
        let lies_there = |file: &String| self.places.iter().any(|place| Path::new(file).starts_with(place));
        Ok(files.keys().any(lies_there))
    }
}

/// Those of `unread` that the ledger has recorded and that were not told before. Remembers them. Of a ledger that does not know its sources
/// without more, none.
pub fn newly_unread(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    unread: &[Unread],
    now: DateTime<Utc>,
) -> Result<Vec<Label>, StoreError> {
    if unread.is_empty() {
        return Ok(Vec::new());
    }
    let recorded = ledger.sources()?.unwrap_or_default();
    let kept = ledger.checkpoints(SOURCE)?;
    let told = kept.get(TOLD).map(|Checkpoint(text)| String::from_utf8_lossy(text));
    let mut told: Vec<Label> = told.iter().flat_map(|text| text.lines()).map(Label::new).collect();
    let mut new = Vec::new();
    for source in unread {
        if recorded.contains(&source.name) && !told.contains(&source.name) && source.was_read(ledger)? {
            new.push(source.name);
        }
    }
    if !new.is_empty() {
        told.extend(&new);
        let names: Vec<&str> = told.iter().copied().map(Label::as_str).collect();
        let at = Checkpoint(names.join("\n").into_bytes());
        let mut batch = RecordBatch::default();
        batch.checkpoints.push((SOURCE.to_owned(), TOLD.to_owned(), at));
        ledger.record(&batch, pricer, now)?;
    }
    Ok(new)
}
