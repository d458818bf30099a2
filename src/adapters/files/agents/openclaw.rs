//! The database of OpenClaw (`openclaw-agent.sqlite`, one for each of its agents, since 2026.8): each row is a line of a session as pi writes
//! them, and never changes; later versions pack it. Sessions that were files before were copied into it line by line: the same calls.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::CLOCK_SKEW;
use super::super::database::{End, Look, Span};
use super::super::line::{Fault, LineFormat};
use super::super::packed::Packed;
use super::super::read::Run;
use super::super::records::RECORD_LIMIT;
use super::super::stores::columns;
use super::Pi;

/// Columns of `transcript_events` that are OpenClaw's.
pub(in super::super) const COLUMNS: [&str; 4] = ["session_id", "seq", "event_json", "created_at"];
/// Rows of one look.
pub(in super::super) const ROWS: i64 = 1000;
/// What tells a row.
pub(in super::super) const ID: &str = "session_id || ' ' || seq || ' ' || created_at";

impl Run<'_> {
    /// Reads some of the lines of a span.
    pub fn openclaw(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let packed = match columns(conn, "transcript_events")?
            .iter()
            .any(|own| own == "event_zstd")
        {
            true => "event_zstd",
            false => "NULL",
        };
        let mut rows = conn.prepare_cached(&format!(
            "SELECT rowid, {ID}, created_at, session_id, event_json, {packed} FROM transcript_events
             WHERE rowid > ?1 AND rowid <= ?2 AND created_at >= ?3 ORDER BY rowid LIMIT ?4"
        ))?;
        let mut first = conn.prepare_cached(&format!(
            "SELECT event_json, {packed} FROM transcript_events WHERE session_id = ?1 ORDER BY seq LIMIT 1"
        ))?;
        let mut rows = rows.query((span.after, span.to, span.since, ROWS))?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut sessions: HashMap<String, Pi> = HashMap::new();
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            // A clock that was ahead once keeps nothing from being read.
            let changed = row.get_ref(2)?.as_i64().unwrap_or(now).min(now);
            seen.row(at, row.get_ref(1)?.as_str().unwrap_or_default(), changed);
            let number = u64::try_from(at).unwrap_or(0);
            let session = row.get_ref(3)?.as_str().unwrap_or_default();
            if !sessions.contains_key(session) {
                let head = first.query_row([session], |row| Ok(line(row, 0))).optional()?;
                let head = head.and_then(Result::ok).unwrap_or_default();
                sessions.insert(session.to_owned(), Pi::behind(&head));
            }
            let Some(pi) = sessions.get_mut(session) else { continue };
            let before = self.out.lengths();
            let read = line(row, 4).and_then(|line| pi.record(&line, number, &mut self.context, &mut self.out));
            if let Err(fault) = read {
                self.out.back_to(before);
                self.refuse(name, number, fault, session.as_bytes());
            }
        }
        Ok(seen)
    }
}

/// The line in a row, as it is or packed.
fn line(row: &Row<'_>, at: usize) -> Result<String, Fault> {
    let cell = |at| row.get_ref(at).unwrap_or(ValueRef::Null);
    let unpacked = match (cell(at), cell(at + 1)) {
        (ValueRef::Text(text), _) => text.to_vec(),
        (_, ValueRef::Blob(packed)) => {
            let packed = Packed::new(Box::new(Cursor::new(packed)));
            let mut line = Vec::new();
            let read = packed.take(RECORD_LIMIT as u64 + 1).read_to_end(&mut line);
            read.map_err(|error| Fault::field("event_zstd", error.to_string()))?;
            if line.len() > RECORD_LIMIT {
                return Err(Fault::field("event_zstd", format!("longer than {RECORD_LIMIT} bytes")));
            }
            line
        }
        _ => return Err(Fault::field("event_json", "expected text")),
    };
    String::from_utf8(unpacked).map_err(|_| Fault::field("event_json", "not valid UTF-8"))
}
