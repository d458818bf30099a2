//! The messages of opencode 2: rows of `session_message` in the same database, whose kind and session's folder stand in columns.
//!
//! It took over the messages of version 1 once, with their ids and other times; those count as `message` has them, and so do copies of them in
//! forks. Where version 1 alone was used, its rows here are what it told in `message`, too.

use std::collections::{HashMap, HashSet};

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::super::CLOCK_SKEW;
use super::super::database::{End, Look, Span};
use super::super::read::Run;
use super::super::records::RECORD_LIMIT;
use super::super::stores::columns;
use super::{Place, ROWS};

/// Sessions of which one was forked from the next.
const FORKS: usize = 16;

impl Run<'_> {
    /// Reads some of the messages of a span.
    pub fn session_messages(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let mut look = conn.prepare_cached(
            "SELECT rowid, id, session_id, time_updated, type, time_created, CASE WHEN octet_length(data) <= ?5 THEN data END
             FROM session_message WHERE rowid > ?1 AND rowid <= ?2 AND time_updated >= ?3 ORDER BY rowid LIMIT ?4",
        )?;
        let limit = i64::try_from(RECORD_LIMIT).unwrap_or(i64::MAX);
        let mut rows = look.query((span.after, span.to, span.since, ROWS, limit))?;
        let mut sessions = Sessions::of(conn)?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let kind = row.get_ref(4)?.as_str().unwrap_or_default();
            let mut place = Place {
                at: row.get(0)?,
                id: row.get_ref(1)?.as_str().unwrap_or_default(),
                session: row.get_ref(2)?.as_str().unwrap_or_default(),
                // A clock that was ahead once keeps nothing from being read.
                changed: row.get_ref(3)?.as_i64().unwrap_or(now).min(now),
                second: None,
            };
            seen.row(place.at, place.id, place.changed);
            if !["assistant", "compaction"].contains(&kind) {
                continue;
            }
            let created = row.get_ref(5)?.as_i64().unwrap_or_default();
            if sessions.first_has(place.id, place.session, created)? {
                continue;
            }
            place.second = Some((kind, sessions.folder(place.session)?));
            if self.message(name, place, row.get_ref(6)?, Vec::new()) {
                seen.answering = seen.answering.min(place.changed);
            }
        }
        Ok(seen)
    }
}

/// What a session tells.
#[derive(Default)]
struct Session {
    folder: String,
    /// The one that it was forked from.
    parent: Option<String>,
}

/// The sessions of a database, and which messages version 1 has.
struct Sessions<'c> {
    look: Option<CachedStatement<'c>>,
    known: HashMap<String, Session>,
    first: First<'c>,
}

/// Which messages version 1 has, as far as its table is there.
enum First<'c> {
    None,
    /// By the session: that of version 1 alone.
    Sessions(CachedStatement<'c>),
    /// By the id, and by session and time.
    Messages(CachedStatement<'c>, Times<'c>),
}

/// When the messages of version 1 were created, by their session: of each session looked up once.
struct Times<'c> {
    look: CachedStatement<'c>,
    known: HashMap<String, HashSet<i64>>,
}

impl Times<'_> {
    /// Whether a session has a message of a time.
    fn has(&mut self, session: &str, created: i64) -> rusqlite::Result<bool> {
        if let Some(times) = self.known.get(session) {
            return Ok(times.contains(&created));
        }
        let times = self
            .look
            .query_map([session], |row| Ok(row.get_ref(0)?.as_i64().ok()))?;
        let times = times
            .filter_map(Result::transpose)
            .collect::<rusqlite::Result<HashSet<i64>>>()?;
        let has = times.contains(&created);
        self.known.insert(session.to_owned(), times);
        Ok(has)
    }
}

impl<'c> Sessions<'c> {
    fn of(conn: &'c Connection) -> rusqlite::Result<Self> {
        let has = |table: &str, names: &[&str]| -> rusqlite::Result<bool> {
            let known = columns(conn, table)?;
            Ok(names.iter().all(|name| known.iter().any(|own| own == name)))
        };
        let is_second = has("session_v2", &["id", "directory"])?;
        let table = if is_second { "session_v2" } else { "session" };
        let parent = match has(table, &["fork_session_id"])? {
            true => "fork_session_id",
            false => "NULL",
        };
        let look = match has(table, &["id", "directory"])? {
            true => Some(conn.prepare_cached(&format!("SELECT directory, {parent} FROM {table} WHERE id = ?1"))?),
            false => None,
        };
        let first = match (has("message", &["id", "session_id", "time_created"])?, is_second) {
            (false, _) => First::None,
            (true, false) => {
                First::Sessions(conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE session_id = ?1)")?)
            }
            (true, true) => First::Messages(
                conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)")?,
                Times {
                    look: conn.prepare_cached("SELECT time_created FROM message WHERE session_id = ?1")?,
                    known: HashMap::new(),
                },
            ),
        };
        Ok(Sessions {
            look,
            known: HashMap::new(),
            first,
        })
    }

    fn session(&mut self, id: &str) -> rusqlite::Result<&Session> {
        if !self.known.contains_key(id) {
            let read = |row: &rusqlite::Row<'_>| {
                let text = |at: usize| -> rusqlite::Result<String> {
                    Ok(row.get_ref(at)?.as_str().unwrap_or_default().to_owned())
                };
                Ok(Session {
                    folder: text(0)?,
                    parent: Some(text(1)?).filter(|parent| !parent.is_empty()),
                })
            };
            let found = match &mut self.look {
                Some(look) => look.query_row([id], read).optional()?,
                None => None,
            };
            self.known.insert(id.to_owned(), found.unwrap_or_default());
        }
        Ok(self.known.entry(id.to_owned()).or_default())
    }

    /// Where a session works.
    fn folder(&mut self, id: &str) -> rusqlite::Result<&str> {
        self.session(id).map(|session| session.folder.as_str())
    }

    /// Whether version 1 has a message, itself or as that of which it is a copy.
    fn first_has(&mut self, id: &str, session: &str, created: i64) -> rusqlite::Result<bool> {
        let mut session = session.to_owned();
        for _ in 0..FORKS {
            let has = match &mut self.first {
                First::None => return Ok(false),
                First::Sessions(by_session) => by_session.query_row([&session], |row| row.get(0))?,
                First::Messages(by_id, by_time) => {
                    by_id.query_row([id], |row| row.get::<_, bool>(0))? || by_time.has(&session, created)?
                }
            };
            match self.session(&session)?.parent.clone() {
                _ if has => return Ok(true),
                Some(parent) => session = parent,
                None => return Ok(false),
            }
        }
        Ok(false)
    }
}
