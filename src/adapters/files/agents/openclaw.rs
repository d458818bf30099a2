//! The database of OpenClaw (`openclaw-agent.sqlite`, one for each of its agents, since 2026.8): each row is a line of a session as pi writes
//! them, and never changes; later versions pack it. Sessions that were files before were copied into it line by line: the same calls. Of what it
//! asks by way of Codex's program a line is the end of a turn alone: the session files that Codex writes for it, below the agent's own folder or
//! in Codex's, tell the calls.

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use walkdir::WalkDir;

use super::super::CLOCK_SKEW;
use super::super::database::{End, Look, Span};
use super::super::discover::home;
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
/// Rows before one in which whom the session asks is looked for.
const ROWS_BEFORE: i64 = 50;
/// Files of Codex's that are looked at.
const MOST_FILES: usize = 1 << 20;

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
            "SELECT rowid, {ID}, created_at, session_id, event_json, {packed}, seq FROM transcript_events
             WHERE rowid > ?1 AND rowid <= ?2 AND created_at >= ?3 ORDER BY rowid LIMIT ?4"
        ))?;
        let mut first = conn.prepare_cached(&format!(
            "SELECT event_json, {packed} FROM transcript_events WHERE session_id = ?1 ORDER BY seq LIMIT 1"
        ))?;
        let mut before = conn.prepare_cached(&format!(
            "SELECT event_json, {packed} FROM transcript_events WHERE session_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT {ROWS_BEFORE}"
        ))?;
        let mut rows = rows.query((span.after, span.to, span.since, ROWS))?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut sessions: HashMap<String, Pi> = HashMap::new();
        let mut threads = None;
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
                let mut pi = Pi::behind(&head);
                let mut earlier = before.query((session, row.get_ref(6)?.as_i64().unwrap_or_default()))?;
                while let Some(row) = earlier.next()? {
                    if line(row, 0).is_ok_and(|line| pi.asked_by(&line)) {
                        break;
                    }
                }
                sessions.insert(session.to_owned(), pi);
            }
            let Some(pi) = sessions.get_mut(session) else { continue };
            let lengths = self.out.lengths();
            let read = line(row, 4).and_then(|line| pi.record(&line, number, &mut self.context, &mut self.out));
            if let Err(fault) = read {
                self.out.back_to(lengths);
                self.refuse(name, number, fault, session.as_bytes());
            }
            // An earlier build recorded the end of a turn: it is taken back where Codex's session tells all of it.
            if let Some((thread, nothing)) = pi.mirrored.take() {
                let threads = threads.get_or_insert_with(|| threads_of_codex(&self.context.file, self.options.env));
                if threads.contains(&thread) {
                    self.out.events.push(nothing);
                }
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

/// The sessions of Codex whose files lie below the folder of an agent of OpenClaw, or where Codex keeps its own.
fn threads_of_codex(database: &Path, env: fn(&str) -> Option<String>) -> HashSet<String> {
    let own = database.parent().map(|agent| agent.join("codex-home"));
    let of_user = env("CODEX_HOME").filter(|homes| !homes.trim().is_empty());
    let of_user = of_user.unwrap_or_else(|| "~/.codex".to_owned());
    let homes = of_user.split(',').map(|home_of| home(home_of.trim(), env));
    let folders = own.into_iter().chain(homes);
    let folders = folders.flat_map(|home| ["sessions", "archived_sessions"].map(|name| home.join(name)));
    let files = |folder: PathBuf| WalkDir::new(folder).into_iter().flatten();
    let names = folders
        .flat_map(files)
        .take(MOST_FILES)
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(thread(&name)?.to_owned())).collect()
}

/// The session whose file is called so: `rollout-2026-11-20T08-00-00-ID.jsonl`, also packed.
fn thread(name: &str) -> Option<&str> {
    let (name, _) = name.strip_prefix("rollout-")?.split_once('.')?;
    name.get("2026-11-20T08-00-00-".len()..).filter(|id| !id.is_empty())
}
