//! Opens a store to be read alone: also one that this user may not write, or whose folder takes no file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{APPLICATION_ID, MAX_BUSY_TIMEOUT, MIGRATIONS, SqliteAlerts, SqliteLedger, failed, open};
use crate::ports::StoreError;

impl SqliteLedger {
    /// Opens the ledger at `path`, which has to be there, to be read.
    pub fn open_to_read(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        Self::of(open_to_read(path, busy_timeout)?, path)
    }
}

impl SqliteAlerts {
    /// Opens the store at `path`, which has to be there, to be read.
    pub fn open_to_read(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        Ok(Self::of(open_to_read(path, busy_timeout)?, path))
    }
}

/// As one that is written, where that is allowed: then it is converted, and waits are as usual. Else as it is.
fn open_to_read(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    match open(path, busy_timeout) {
        Err(error @ StoreError::Failed { .. }) => as_it_is(path, busy_timeout).ok_or(error),
        opened => opened,
    }
}

fn as_it_is(path: &Path, busy_timeout: Duration) -> Option<Connection> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    // Others may have it open.
    if log(path).exists() || Path::new(&journal).exists() {
        let plain = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
        if let Some(conn) = plain.filter(is_current) {
            conn.busy_timeout(busy_timeout.min(MAX_BUSY_TIMEOUT)).ok()?;
            return Some(conn);
        }
    }
    // Without the files beside it that SQLite wants to make: all of it is in the one file, unless there is a log. They would be left there,
    // and be in the way when it is to be written again.
    if has_log(path) {
        return None;
    }
    let conn = immutable(path).and_then(Result::ok);
    conn.filter(is_current)
}

/// Whether something stands in the log beside a database, which its file does not have yet.
pub(in crate::adapters) fn has_log(path: &Path) -> bool {
    log(path).metadata().is_ok_and(|log| log.len() > 0)
}

/// The write-ahead log beside a database.
pub(in crate::adapters) fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// Opens a database as the one file that it is: nothing is made beside it, and nobody is waited for. Without a result where its path is no
/// text.
pub(in crate::adapters) fn immutable(path: &Path) -> Option<rusqlite::Result<Connection>> {
    let escaped = |c: char| match c {
        '%' | '?' | '#' => format!("%{:02x}", u32::from(c)),
        c => c.to_string(),
    };
    let address: String = path.to_str()?.chars().map(escaped).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Some(Connection::open_with_flags(
        format!("file:{address}?immutable=1"),
        flags,
    ))
}

/// Whether it can be read, and is of this version of the program.
fn is_current(conn: &Connection) -> bool {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let ask = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).ok();
    ask("PRAGMA application_id") == Some(APPLICATION_ID)
        && ask("PRAGMA user_version") == Some(known)
        && ask("SELECT count(*) FROM alert").is_some()
}

impl SqliteLedger {
    fn of(conn: Connection, path: &Path) -> Result<Self, StoreError> {
        let path = path.display().to_string();
        let mode: String = conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .map_err(|e| failed(&path, &e))?;
        Ok(Self::over(conn, path, mode != "wal"))
    }
}
