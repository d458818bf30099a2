//! Which sources `finops serve` records. No settings name them, so that the ledger remembers.

use chrono::{DateTime, Utc};

use crate::domain::label::Label;
use crate::ports::{Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// The checkpoints of the server itself; no source of the settings can have a name with a space at its end.
const SOURCE: &str = "finops serve ";

/// The sources that were ever received.
pub(super) fn received(ledger: &mut dyn Ledger) -> Result<Vec<Label>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    Ok(known.keys().map(|name| Label::new(name)).collect())
}

/// Remembers that a source is received.
pub fn remember_received(
    name: Label,
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if received(ledger)?.contains(&name) {
        return Ok(());
    }
    let mut batch = RecordBatch::default();
    let since = Checkpoint(now.to_rfc3339().into_bytes());
    batch.checkpoints.push((SOURCE.to_owned(), name.to_string(), since));
    ledger.record(&batch, pricer, now)?;
    Ok(())
}
