//! What is noted of the rows of one file, and what is told of a table whose header nobody knows.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::usage::EventId;

use super::super::line::Fault;

/// Rows of one file whose identities are compared; in a longer one the first of them tell as much.
const COMPARED: usize = 1_000_000;

/// What is told of rows that their columns should tell apart and do not.
pub const ONE_ID: &str = "rows of one file have the same `id` and differ in the rest: only the last of them counts, as more columns of `id` may tell them apart";

/// Rows of one file by their identities.
#[derive(Default)]
pub(in super::super) struct Told(HashMap<EventId, EventId>);

impl Told {
    /// Whether a row of this identity said something else before.
    pub fn otherwise(&mut self, id: EventId, cells: &[Cow<'_, str>]) -> bool {
        if self.0.len() >= COMPARED {
            return false;
        }
        let parts: Vec<&[u8]> = cells.iter().map(|cell| cell.as_bytes()).collect();
        let content = EventId::of(&parts);
        self.0.insert(id, content).is_some_and(|known| known != content)
    }
}

/// What is told of a file of no known format that begins so: the way to read it, where it may be a table, or records that count tokens.
pub(in super::super) fn unknown(front: &[u8]) -> Fault {
    let first = front.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii();
    let is_record = first.starts_with(b"{") && memchr::memmem::find(first, b"okens\"").is_some();
    let is_table = is_record || (!first.starts_with(b"{") && !first.starts_with(b"[") && first.contains(&b','));
    Fault::whole(match is_table && std::str::from_utf8(first).is_ok() {
        true => {
            "no known usage format; of a table or a log with a row for each call or sum, `kind = \"plain\"` with `[source.columns]` says which \
             column or key is what: docs/usage-format.md"
        }
        false => "no known usage format",
    })
}
