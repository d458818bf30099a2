//! The rows of one table of others, what is noted of them, and what is told of a table whose header nobody knows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::usage::EventId;

use super::super::line::{Context, Fault, Output};
use super::super::table::given;
use super::{Columns, keys};

/// Rows of one file whose identities are compared; in a longer one the first of them tell as much.
const COMPARED: usize = 1_000_000;

/// What is told of rows that their columns should tell apart and do not.
pub const ONE_ID: &str = "rows of one file have the same `id` and differ in the rest: only the last of them counts, as more columns of `id` may tell them apart";

/// Reads the rows of one table.
pub(in super::super) struct Foreign {
    columns: Arc<Columns>,
    /// Where the wanted columns stand, or what is wrong with the header, once it is known: each row is under the same.
    places: Option<Result<Vec<usize>, Fault>>,
    told: Told,
}

impl Foreign {
    /// A reader of a table of which nothing was read so far.
    pub fn new(columns: Arc<Columns>) -> Self {
        Foreign {
            columns,
            places: None,
            told: Told::default(),
        }
    }

    /// Reads one row under the header.
    pub fn row(
        &mut self,
        header: &[String],
        row: &csv::StringRecord,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let places = self.places.get_or_insert_with(|| places(&self.columns.wanted, header));
        let places = places.as_ref().map_err(Fault::clone)?;
        let cells = places.iter().map(|at| given(row.get(*at).unwrap_or("")).into());
        let cells: Vec<Cow<'_, str>> = cells.collect();
        self.columns.observe(&cells, number, &mut self.told, context, out)
    }
}

/// Where the wanted columns stand under a header.
fn places(wanted: &[String], header: &[String]) -> Result<Vec<usize>, Fault> {
    let place = |column: &String| {
        let at = header.iter().position(|name| name == column);
        let at = at.ok_or_else(|| {
            let names: Vec<&str> = header.iter().map(String::as_str).collect();
            Fault::field(column, format!("no such column{}", keys::but(column, &names)))
        })?;
        match header.iter().rposition(|name| name == column) == Some(at) {
            true => Ok(at),
            false => Err(Fault::field(column, "given twice")),
        }
    };
    wanted.iter().map(place).collect()
}

/// Rows of one file by their identities.
#[derive(Default)]
pub(super) struct Told(HashMap<EventId, EventId>);

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
