//! The database of opencode and of what is made of it (SQLite): a message is a row, which is written anew while it is answered.
//!
//! It is opened to be read, in short looks, so that neither program waits for the other. Rows are read in the order in which they were
//! made; of a database that was read before those that are new and those that were changed since.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::adapters::sqlite::{has_log, immutable, log};

use super::agents::Row;
use super::discover::Found;
use super::line::Fault;
use super::position::Position;
use super::read::Run;
use super::records::RECORD_LIMIT;
use super::stop::Stop;
use super::{CLOCK_SKEW, FileFormat};

/// How a database of SQLite begins.
pub(super) const SQLITE: &[u8] = b"SQLite format 3\0";

/// Rows of one look: while it lasts, what others write cannot be taken over from the log.
const ROWS: i64 = 1000;
/// Events after which a large database gets a checkpoint, so that an interrupted run does not start over.
const CHECKPOINT_EVENTS: u64 = 65_536;
/// A change may be seen later than another of a later time: by so many milliseconds at most, other clocks included.
const LATE_MS: i64 = 600_000;
/// An answer that nobody has gone on with for that long never ends.
const ANSWERING: TimeDelta = TimeDelta::hours(1);
/// How long a look waits for who changes the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the rows of a database were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reached {
    /// The number of the last row.
    row: i64,
    /// Its message: that it is still there tells that the database is the same.
    id: String,
    /// When the row was changed that was changed last, in milliseconds of the epoch.
    changed: i64,
    /// Size and time of change of the log beside it.
    log: (u64, u128),
}

impl Reached {
    /// Whether the log beside a database is as it was.
    pub fn is_log_of(&self, path: &Path) -> bool {
        self.log == log_of(path)
    }
}

fn log_of(path: &Path) -> (u64, u128) {
    let Ok(found) = log(path).metadata() else {
        return Default::default();
    };
    let changed = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    (found.len(), changed.map_or(0, |at| at.as_nanos()))
}

/// Whether a file in a folder is a database with messages. One that cannot be looked into is taken for what it is called.
pub(super) fn are_in(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let Some(name) = name.filter(|name| name.ends_with(".db")) else {
        return false;
    };
    let looked = open(path).and_then(|conn| has_messages(&conn));
    looked.unwrap_or_else(|_| name.starts_with("opencode") || name.starts_with("kilo"))
}

/// Opens a database to be read. Where all of it is in its file nothing is made beside it. SQLite alone opens it: if it is open in this process
/// already, as a ledger is, whoever else closed it would give up the locks that are held.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let is_whole = !has_log(path) && !Path::new(&journal).exists();
    let whole = if is_whole { immutable(path) } else { None };
    let conn = whole.unwrap_or_else(|| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    conn.busy_timeout(PATIENCE)?;
    // Whoever wrote the log takes over what stands in it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(conn)
}

fn has_messages(conn: &Connection) -> rusqlite::Result<bool> {
    let columns =
        "SELECT count(*) FROM pragma_table_info('message') WHERE name IN ('id', 'session_id', 'time_updated', 'data')";
    conn.query_row(columns, [], |row| row.get::<_, i64>(0))
        .map(|columns| columns == 4)
}

/// Why reading rows ends early.
enum End {
    Database(rusqlite::Error),
    Stop(Stop),
}

impl From<rusqlite::Error> for End {
    fn from(error: rusqlite::Error) -> Self {
        End::Database(error)
    }
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        End::Stop(stop)
    }
}

/// What is wrong with a database, and what to do.
fn told(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds it locked: the next run reads it".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("a damaged database ({error}): `sqlite3 FILE .recover` tells what is left of it")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => format!(
            "cannot be opened ({error}): while a part of it lies in the `-wal` beside it, files in its folder have to be written"
        ),
        _ => format!("cannot be read: {error}"),
    }
}

/// Rows that are to be read.
struct Span {
    /// Behind that of this number, to that of the other one.
    after: i64,
    to: i64,
    /// Those alone that were changed since.
    since: i64,
}

/// What was seen of some rows.
struct Look {
    rows: i64,
    /// The number of the last one, and its message.
    last: Option<(i64, String)>,
    /// When the one was changed that was changed last.
    newest: i64,
    /// The same of the first one that is still being answered.
    answering: i64,
}

impl Run<'_> {
    /// Reads a database from where its checkpoint stands.
    pub fn database(
        &mut self,
        found: &Found,
        name: &str,
        known: Option<Position>,
        fresh: Position,
    ) -> Result<(), Stop> {
        self.progress.bytes = fresh.size;
        if self.options.format.is_some_and(|format| format != FileFormat::Opencode) {
            if found.named {
                self.reject(name, 0, Fault::whole("a database, which only `opencode` has"), b"");
            }
            return Ok(());
        }
        self.understood = true;
        // As it is before anything is read: who writes meanwhile is read next time.
        let beside = log_of(&found.path);
        let known = known.filter(|known| known.is_of(&self.as_now));
        let read = open(&found.path).map_err(End::from).and_then(|conn| {
            if !has_messages(&conn)? {
                let reason = "a database without the table `message` of opencode: no known usage format";
                self.reject(name, 0, Fault::whole(reason), b"");
                return Ok(None);
            }
            let known = known.map(|known| go_on(&conn, known)).transpose()?.flatten();
            let mut position = match known {
                Some(known) => Position {
                    size: fresh.size,
                    modified: fresh.modified,
                    ..known
                },
                None => fresh,
            };
            position.format = FileFormat::Opencode.name().to_owned();
            let reached = self.new_rows(&conn, name, position.reached.clone(), Some(&position))?;
            position.reached = Some(Reached { log: beside, ..reached });
            Ok(Some(position))
        });
        match read {
            // What was taken over from the log meanwhile may have been read in part.
            Ok(Some(_)) if beside.0 == 0 && !is_as_it_was(found) => self.done(name, None),
            Ok(position) => self.done(name, position),
            Err(End::Database(error)) => {
                self.hand_over()?;
                self.unread(name, &told(&error));
                Ok(())
            }
            Err(End::Stop(stop)) => Err(stop),
        }
    }

    /// Reads all rows of a database, and keeps nothing.
    pub fn all_rows(&mut self, path: &Path, name: &str) -> Result<(), Stop> {
        let read = open(path).map_err(End::from);
        match read.and_then(|conn| self.new_rows(&conn, name, None, None)) {
            Ok(_) => Ok(()),
            Err(End::Database(error)) => Err(Stop::Io(std::io::Error::other(told(&error)))),
            Err(End::Stop(stop)) => Err(stop),
        }
    }

    /// Reads the rows that are not known, then those that were changed since; answers how far.
    fn new_rows(
        &mut self,
        conn: &Connection,
        name: &str,
        known: Option<Reached>,
        position: Option<&Position>,
    ) -> Result<Reached, End> {
        let behind = known.as_ref().map(|known| known.row);
        let mut reached = known.unwrap_or_default();
        let since = reached.changed.saturating_sub(LATE_MS);
        let mut span = Span {
            after: behind.unwrap_or(i64::MIN),
            to: i64::MAX,
            since: i64::MIN,
        };
        let (mut newest, mut answering, mut since_checkpoint) = (i64::MIN, i64::MAX, 0);
        loop {
            let look = self.look(conn, name, &span)?;
            newest = newest.max(look.newest);
            answering = answering.min(look.answering);
            since_checkpoint += self.hand_over()?;
            self.progress.lines += look.rows.unsigned_abs();
            self.tell(false);
            let is_new = span.to == i64::MAX;
            if let Some((row, id)) = look.last {
                span.after = row;
                if is_new {
                    (reached.row, reached.id) = (row, id);
                }
            }
            if look.rows < ROWS {
                let Some(to) = behind.filter(|_| is_new) else { break };
                span = Span {
                    after: i64::MIN,
                    to,
                    since,
                };
            }
            let late = self.sink.enough();
            if let Some(position) = position.filter(|_| is_new && (late || since_checkpoint >= CHECKPOINT_EVENTS)) {
                since_checkpoint = 0;
                // What was changed among those that were known is still to be looked for.
                let changed = behind.map_or(newest.min(answering), |_| reached.changed);
                let mut part = Position {
                    // Not of this size: a run that ends here has not read all of it.
                    size: position.size.saturating_sub(1),
                    reached: Some(Reached {
                        changed,
                        ..reached.clone()
                    }),
                    ..position.clone()
                };
                self.note(&mut part);
                let kept = self.sink.checkpoint(name, part.checkpoint());
                kept.map_err(Stop::from)?;
            }
            if late {
                return Err(Stop::Time.into());
            }
        }
        reached.changed = reached.changed.max(newest).min(answering);
        Ok(reached)
    }

    /// Reads some of the rows of a span.
    fn look(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let mut look = conn.prepare_cached(
            "SELECT rowid, id, session_id, time_updated, CASE WHEN octet_length(data) <= ?5 THEN data END FROM message
             WHERE rowid > ?1 AND rowid <= ?2 AND time_updated >= ?3 ORDER BY rowid LIMIT ?4",
        )?;
        let limit = i64::try_from(RECORD_LIMIT).unwrap_or(i64::MAX);
        let mut rows = look.query((span.after, span.to, span.since, ROWS, limit))?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut seen = Look {
            rows: 0,
            last: None,
            newest: i64::MIN,
            answering: i64::MAX,
        };
        while let Some(row) = rows.next()? {
            seen.rows += 1;
            let at = row.get(0)?;
            let id = row.get_ref(1)?.as_str().unwrap_or_default();
            let session = row.get_ref(2)?.as_str().unwrap_or_default();
            // A clock that was ahead once keeps nothing from being read.
            let changed = row.get_ref(3)?.as_i64().unwrap_or(now).min(now);
            if self.message(name, (at, id, session, changed), row.get_ref(4)?) {
                seen.answering = seen.answering.min(changed);
            }
            seen.newest = seen.newest.max(changed);
            let last = seen.last.get_or_insert_default();
            last.0 = at;
            id.clone_into(&mut last.1);
        }
        Ok(seen)
    }

    /// Reads a row; whether it is still being answered, so that nothing is missing of it.
    fn message(&mut self, name: &str, (at, id, session, changed): (i64, &str, &str, i64), data: ValueRef<'_>) -> bool {
        let number = u64::try_from(at).unwrap_or(0);
        let (events, open) = (self.out.events.len(), self.out.unended.len());
        let text = match data {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| "not valid UTF-8".to_owned()),
            ValueRef::Null => Err(format!("longer than {RECORD_LIMIT} bytes")),
            ValueRef::Blob(_) | ValueRef::Integer(_) | ValueRef::Real(_) => Err("expected text".to_owned()),
        };
        let read = text.map_err(|reason| Fault::field("data", reason)).and_then(|data| {
            let row = Row {
                id,
                session,
                data,
                number,
            };
            row.read(&mut self.context, &mut self.out)
        });
        if let Err(fault) = read {
            self.out.events.truncate(events);
            let raw = data.as_bytes_or_null().ok().flatten().unwrap_or_default();
            self.refuse(name, number, fault, raw);
        }
        if let Some(changed) = DateTime::from_timestamp_millis(changed) {
            for event in self.out.events.iter_mut().skip(events) {
                event.rank.at = changed;
            }
        }
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let answering =
            self.out.unended.len() > open && now.abs_diff(changed) < ANSWERING.num_milliseconds().unsigned_abs();
        if answering {
            self.out.unended.truncate(open);
        }
        answering
    }
}

/// Where reading goes on, if the database is the one that was read.
fn go_on(conn: &Connection, known: Position) -> rusqlite::Result<Option<Position>> {
    let Some(reached) = &known.reached else { return Ok(None) };
    let id = conn
        .query_row("SELECT id FROM message WHERE rowid = ?1", [reached.row], |row| {
            row.get::<_, String>(0)
        })
        .optional()?;
    Ok(id.filter(|id| *id == reached.id).map(|_| known))
}

/// Whether a file is as it was when it was found.
fn is_as_it_was(found: &Found) -> bool {
    let now = found.path.metadata();
    now.is_ok_and(|now| now.len() == found.metadata.len() && now.modified().ok() == found.metadata.modified().ok())
}
