//! Pages of gateways' interfaces: lists of records in an envelope.

use serde_json::value::RawValue;

use super::line::{Fault, Output};

/// The records of a list; none where it only names them.
pub(super) fn records(list: &RawValue) -> Option<Vec<&RawValue>> {
    let list: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    list.iter().all(|one| one.get().starts_with('{')).then_some(list)
}

/// Reads the records of a page's list. One that is not usable does not take the others along.
pub(super) fn each(
    list: &str,
    records: &[&RawValue],
    out: &mut Output,
    mut read: impl FnMut(&str, &mut Output) -> Result<(), Fault>,
) {
    for (n, raw) in records.iter().enumerate() {
        let before = out.events.len();
        if let Err(fault) = read(raw.get(), out) {
            out.events.truncate(before);
            let field = fault.field.map(|field| format!(".{field}")).unwrap_or_default();
            out.faults
                .push(Fault::field(&format!("{list}[{n}]{field}"), fault.reason));
        }
    }
}
