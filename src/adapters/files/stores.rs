//! Whose database it is: the tables that each agent has.

use rusqlite::Connection;

use super::{FileFormat, agents, messages};

/// Whose database it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// opencode's, or of what is made of it.
    Messages,
    Goose,
    Crush,
    /// Its sessions are pi's.
    Openclaw,
    Copilot,
}

impl Store {
    /// All of them.
    pub const ALL: [Store; 5] = [
        Store::Messages,
        Store::Goose,
        Store::Crush,
        Store::Openclaw,
        Store::Copilot,
    ];

    /// The one that has such tables.
    pub fn of(conn: &Connection) -> rusqlite::Result<Option<Store>> {
        for store in Store::ALL {
            let known = columns(conn, store.table())?;
            if store
                .columns()
                .iter()
                .all(|column| known.iter().any(|own| own == column))
            {
                return Ok(Some(store));
            }
        }
        Ok(None)
    }

    /// The format of its records.
    pub fn format(self) -> FileFormat {
        match self {
            Store::Messages => FileFormat::Opencode,
            Store::Goose => FileFormat::Goose,
            Store::Crush => FileFormat::Crush,
            Store::Openclaw => FileFormat::Pi,
            Store::Copilot => FileFormat::CopilotCli,
        }
    }

    /// The table whose rows are read.
    pub fn table(self) -> &'static str {
        match self {
            Store::Messages => "message",
            Store::Goose | Store::Crush => "sessions",
            Store::Openclaw => "transcript_events",
            Store::Copilot => agents::copilot::store::TABLE,
        }
    }

    /// What tells a row of it, as text.
    pub fn id(self) -> &'static str {
        match self {
            Store::Messages | Store::Goose | Store::Crush => "id",
            Store::Openclaw => agents::openclaw::ID,
            Store::Copilot => agents::copilot::store::ID,
        }
    }

    /// Columns of it that tell whose it is.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Store::Messages => &["id", "session_id", "time_updated", "data"],
            Store::Goose => &agents::goose::COLUMNS,
            Store::Crush => &agents::crush::COLUMNS,
            Store::Openclaw => &agents::openclaw::COLUMNS,
            Store::Copilot => &agents::copilot::store::COLUMNS,
        }
    }

    /// Rows of one look.
    pub fn rows(self) -> i64 {
        match self {
            Store::Messages => messages::ROWS,
            Store::Goose => agents::goose::ROWS,
            Store::Crush => agents::crush::ROWS,
            Store::Openclaw => agents::openclaw::ROWS,
            Store::Copilot => agents::copilot::store::ROWS,
        }
    }
}

/// The names of a table's columns; none of one that is not there.
pub(super) fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut names = conn.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    names.query_map([table], |row| row.get(0))?.collect()
}
