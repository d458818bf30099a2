//! Tells once which sources were recorded by earlier runs and are not read any more, though the settings never named them.

use chrono::{DateTime, Utc};

use super::watch::SOURCE;
use crate::domain::label::Label;
use crate::ports::{Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// Where it is kept which were told.
const TOLD: &str = "unread";

/// Those of `unread` that the ledger has recorded and that were not told before. Remembers them. Of a ledger that does not know its sources
/// without more, none.
pub fn newly_unread(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    unread: &[Label],
    now: DateTime<Utc>,
) -> Result<Vec<Label>, StoreError> {
    if unread.is_empty() {
        return Ok(Vec::new());
    }
    let recorded = ledger.sources()?.unwrap_or_default();
    let kept = ledger.checkpoints(SOURCE)?;
    let told = kept.get(TOLD).map(|Checkpoint(text)| String::from_utf8_lossy(text));
    let mut told: Vec<Label> = told.iter().flat_map(|text| text.lines()).map(Label::new).collect();
    let is_new = |name: &&Label| recorded.contains(name) && !told.contains(name);
    let new: Vec<Label> = unread.iter().filter(is_new).copied().collect();
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
