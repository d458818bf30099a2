//! Whose database it is: the tables that each agent has.

use rusqlite::Connection;

use super::{FileFormat, agents, messages};

/// Whose database it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// opencode's, or of what is made of it.
    Messages,
    /// Those of opencode 2, which may stand beside them.
    SessionMessages,
    Goose,
    Crush,
    /// Its sessions are pi's.
    Openclaw,
}

impl Store {
    /// All of them.
    pub const ALL: [Store; 5] = [
        Store::Messages,
        Store::SessionMessages,
        Store::Goose,
        Store::Crush,
        Store::Openclaw,
    ];

    /// The one that has such tables.
    pub fn of(conn: &Connection) -> rusqlite::Result<Option<Store>> {
        for store in Store::ALL {
            if store.is_in(conn)? {
                return Ok(Some(store));
            }
        }
        Ok(None)
    }

    /// Another one of the same agent in the same database.
    pub fn beside(self, conn: &Connection) -> rusqlite::Result<Option<Store>> {
        match self {
            Store::Messages if Store::SessionMessages.is_in(conn)? => Ok(Some(Store::SessionMessages)),
            Store::Messages | Store::SessionMessages | Store::Goose | Store::Crush | Store::Openclaw => Ok(None),
        }
    }

    fn is_in(self, conn: &Connection) -> rusqlite::Result<bool> {
        let known = columns(conn, self.table())?;
        let mut wanted = self.columns().iter();
        Ok(wanted.all(|column| known.iter().any(|own| own == column)))
    }

    /// The format of its records.
    pub fn format(self) -> FileFormat {
        match self {
            Store::Messages | Store::SessionMessages => FileFormat::Opencode,
            Store::Goose => FileFormat::Goose,
            Store::Crush => FileFormat::Crush,
            Store::Openclaw => FileFormat::Pi,
        }
    }

    /// The table whose rows are read.
    pub fn table(self) -> &'static str {
        match self {
            Store::Messages => "message",
            Store::SessionMessages => "session_message",
            Store::Goose | Store::Crush => "sessions",
            Store::Openclaw => "transcript_events",
        }
    }

    /// What tells a row of it, as text.
    pub fn id(self) -> &'static str {
        match self {
            Store::Messages | Store::SessionMessages | Store::Goose | Store::Crush => "id",
            Store::Openclaw => agents::openclaw::ID,
        }
    }

    /// Columns of it that tell whose it is.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Store::Messages => &["id", "session_id", "time_updated", "data"],
            Store::SessionMessages => &["id", "session_id", "type", "time_created", "time_updated", "data"],
            Store::Goose => &agents::goose::COLUMNS,
            Store::Crush => &agents::crush::COLUMNS,
            Store::Openclaw => &agents::openclaw::COLUMNS,
        }
    }

    /// Rows of one look.
    pub fn rows(self) -> i64 {
        match self {
            Store::Messages | Store::SessionMessages => messages::ROWS,
            Store::Goose => agents::goose::ROWS,
            Store::Crush => agents::crush::ROWS,
            Store::Openclaw => agents::openclaw::ROWS,
        }
    }
}

/// The names of a table's columns; none of one that is not there.
pub(super) fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut names = conn.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    names.query_map([table], |row| row.get(0))?.collect()
}
