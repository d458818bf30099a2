//! Databases of coding agents (SQLite), which write to them meanwhile.
//!
//! They are opened to be read, in short looks, so that neither program waits for the other. Rows are read in the order in which they were
//! made; of a database that was read before those that are new and those that were changed since.

mod reached;

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::adapters::sqlite::{has_log, immutable};

use super::discover::Found;
use super::line::Fault;
use super::position::Position;
use super::read::Run;
use super::stop::Stop;
use super::stores::Store;
use reached::{Again, log_of};
pub(super) use reached::{Reached, Span};

/// How a database of SQLite begins.
pub(super) const SQLITE: &[u8] = b"SQLite format 3\0";

/// Events after which a large database gets a checkpoint, so that an interrupted run does not start over.
const CHECKPOINT_EVENTS: u64 = 65_536;
/// How long a look waits for who changes the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a file in a folder is a database of an agent. One that cannot be looked into is taken for what it is called.
pub(super) fn are_in(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let Some(name) = name.filter(|name| name.ends_with(".db") || name.ends_with(".sqlite")) else {
        return false;
    };
    let looked = open(path).and_then(|conn| Ok(Store::of(&conn)?.is_some()));
    let of_goose = || name == "sessions.db" && path.parent().is_some_and(|folder| folder.ends_with("sessions"));
    let called = |own: &str| name.starts_with(own);
    looked.unwrap_or_else(|_| ["opencode", "kilo", "crush", "openclaw-agent"].into_iter().any(called) || of_goose())
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

/// Why reading rows ends early.
pub(super) enum End {
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

/// What was seen of some rows.
pub(super) struct Look {
    pub rows: i64,
    /// The number of the last one, and its message.
    pub last: Option<(i64, String)>,
    /// When the one was changed that was changed last.
    pub newest: i64,
    /// The same of the first one that is still being answered.
    pub answering: i64,
}

impl Default for Look {
    fn default() -> Self {
        Look {
            rows: 0,
            last: None,
            newest: i64::MIN,
            answering: i64::MAX,
        }
    }
}

impl Look {
    /// Notes that a row was seen, and when it was changed.
    pub fn row(&mut self, at: i64, id: &str, changed: i64) {
        self.rows += 1;
        self.newest = self.newest.max(changed);
        let last = self.last.get_or_insert_default();
        last.0 = at;
        id.clone_into(&mut last.1);
    }
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
        let wanted = self.options.format;
        if wanted.is_some_and(|format| Store::ALL.iter().all(|store| store.format() != format)) {
            if found.named {
                let mut those = Store::ALL.map(|store| store.format().name()).to_vec();
                those.dedup();
                let those = those.join("`, `");
                self.reject(
                    name,
                    0,
                    Fault::whole(format!("a database, which only `{those}` have")),
                    b"",
                );
            }
            return Ok(());
        }
        self.understood = true;
        // As it is before anything is read: who writes meanwhile is read next time.
        let beside = log_of(&found.path);
        let known = known.filter(|known| known.is_of(&self.as_now));
        let read = open(&found.path).map_err(End::from).and_then(|conn| {
            let Some(store) = Store::of(&conn)? else {
                let reason =
                    "a database without the table `message` of opencode (`session_message` of opencode 2), `sessions` of Goose or Crush or `transcript_events` of OpenClaw: no known usage format";
                self.reject(name, 0, Fault::whole(reason), b"");
                return Ok(None);
            };
            if let Some(format) = wanted.filter(|format| *format != store.format()) {
                if found.named {
                    let reason = format!("a database of `{}`, not of `{format}`", store.format());
                    self.reject(name, 0, Fault::whole(reason), b"");
                }
                return Ok(None);
            }
            let known = known.map(|known| go_on(&conn, store, known)).transpose()?.flatten();
            let mut position = match known {
                Some(mut known) => {
                    let was_left = known.size == size_in_part(fresh.size) && known.modified == fresh.modified;
                    if let Some(reached) = &mut known.reached {
                        reached.goes_on(was_left && reached.log == beside);
                        reached.log = beside;
                    }
                    Position {
                        size: fresh.size,
                        modified: fresh.modified,
                        ..known
                    }
                }
                None => Position {
                    reached: Some(Reached::nothing(beside)),
                    ..fresh
                },
            };
            position.format = store.format().name().to_owned();
            let reached = position.reached.clone().unwrap_or_default();
            let alone = |part: Reached| part;
            let mut reached = self.new_rows(&conn, store, name, reached, Some((&position, &alone)))?;
            if let Some(store) = store.beside(&conn)? {
                let other = reached.beside.take().map(|other| *other);
                let other = match other {
                    Some(other) if is_there(&conn, store, &other)? => other,
                    Some(_) | None => Reached::nothing(beside),
                };
                let with = |part: Reached| Reached {
                    beside: Some(Box::new(part)),
                    ..reached.clone()
                };
                let other = self.new_rows(&conn, store, name, other, Some((&position, &with)))?;
                reached = with(other);
            }
            position.reached = Some(reached);
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
        let read = read.and_then(|conn| match Store::of(&conn)? {
            Some(store) => {
                for store in [Some(store), store.beside(&conn)?].into_iter().flatten() {
                    self.new_rows(&conn, store, name, Reached::nothing(Default::default()), None)?;
                }
                Ok(())
            }
            None => Ok(()),
        });
        match read {
            Ok(()) => Ok(()),
            Err(End::Database(error)) => Err(Stop::Io(std::io::Error::other(told(&error)))),
            Err(End::Stop(stop)) => Err(stop),
        }
    }

    /// Reads the rows that are known and were changed since, then those that are not known; answers how far. A run that ends in between keeps
    /// its place within that in the whole database.
    fn new_rows(
        &mut self,
        conn: &Connection,
        store: Store,
        name: &str,
        mut reached: Reached,
        position: Option<(&Position, &dyn Fn(Reached) -> Reached)>,
    ) -> Result<Reached, End> {
        let behind = reached.row;
        let again = reached.again.as_ref().map(|again| again.row);
        let mut span = match again {
            Some(row) => Span::changed(row, behind, reached.changed),
            None => Span::new(behind),
        };
        let (mut newest, mut since_checkpoint) = (i64::MIN, 0);
        // Those that a look begins with it meets.
        let met = again == Some(i64::MIN);
        let mut answering = reached.answering.filter(|_| !met).unwrap_or(i64::MAX);
        loop {
            let look = match store {
                Store::Messages => self.messages(conn, name, &span)?,
                Store::SessionMessages => self.session_messages(conn, name, &span)?,
                Store::Goose => self.goose(conn, name, &span)?,
                Store::Crush => self.crush(conn, name, &span)?,
                Store::Openclaw => self.openclaw(conn, name, &span)?,
            };
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
            let changed = reached.changed.max(newest).min(answering);
            if look.rows < store.rows() {
                if is_new {
                    (reached.changed, reached.answering) = (changed, None);
                    return Ok(reached);
                }
                span = match reached.again.take() {
                    Some(Again {
                        changed: Some(left),
                        moved: true,
                        ..
                    }) => {
                        reached.changed = left.min(answering);
                        (newest, answering, reached.again) = (i64::MIN, i64::MAX, Some(Again::BEGIN));
                        Span::changed(i64::MIN, behind, reached.changed)
                    }
                    Some(_) | None => {
                        reached.changed = changed;
                        Span::new(behind)
                    }
                };
                // Whatever the time is: each run reads new ones.
                continue;
            }
            let late = self.sink.enough();
            if let Some((position, whole)) = position.filter(|_| late || since_checkpoint >= CHECKPOINT_EVENTS) {
                since_checkpoint = 0;
                let mut part = Position {
                    // A run that ends here has not read all of it.
                    size: size_in_part(position.size),
                    reached: Some(whole(reached.in_part(&span, changed, answering))),
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
    }
}

/// The size that is noted of a database that was read in part: not its own.
fn size_in_part(size: u64) -> u64 {
    size.saturating_sub(1)
}

/// Where reading goes on, if the database is the one that was read.
fn go_on(conn: &Connection, store: Store, known: Position) -> rusqlite::Result<Option<Position>> {
    let Some(reached) = &known.reached else { return Ok(None) };
    Ok(is_there(conn, store, reached)?.then_some(known))
}

/// Whether the last row that was read is still there, and was read as rows are now.
fn is_there(conn: &Connection, store: Store, reached: &Reached) -> rusqlite::Result<bool> {
    if !reached.is_of_now() || reached.row == i64::MIN {
        return Ok(reached.is_of_now());
    }
    let id = format!("SELECT {} FROM {} WHERE rowid = ?1", store.id(), store.table());
    let id = conn
        .query_row(&id, [reached.row], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(id.is_some_and(|id| id == reached.id))
}

/// Whether a file is as it was when it was found.
fn is_as_it_was(found: &Found) -> bool {
    let now = found.path.metadata();
    now.is_ok_and(|now| now.len() == found.metadata.len() && now.modified().ok() == found.metadata.modified().ok())
}
