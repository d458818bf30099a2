//! The embedded store: one SQLite file that everyone can open, back up and copy.

mod additions;
pub mod alerts;
mod bill;
mod blocks;
mod codec;
mod detail;
mod handle;
mod index;
mod later;
pub mod ledger;
mod migrate;
mod names;
mod parts;
mod place;
mod reader;
mod record;
mod sort;
mod spend;
mod tally;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::ports::StoreError;

pub use alerts::SqliteAlerts;
pub use ledger::SqliteLedger;
pub(in crate::adapters) use reader::{has_log, immutable, log};

/// Marks the file as ours (`FINO`), so that another program's database is never written to.
const APPLICATION_ID: i64 = 0x4649_4e4f;

/// How long a writer waits for another process, if nothing else is said. A batch takes far below a second; half a minute means
/// that something hangs.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than that nobody waits, and SQLite counts milliseconds in 31 bits.
const MAX_BUSY_TIMEOUT: Duration = Duration::from_secs(3600);

/// Why a file cannot be written that may only be read, in SQLite's words.
const READ_ONLY: &str = "attempt to write a readonly database";

/// Prepared statements that are kept: all that there are.
const STATEMENTS: usize = 64;

/// A step from one schema version to the next: statements, and what no statement can say.
type Migration = (
    &'static str,
    Option<fn(&Connection, &str) -> Result<(), names::CodecError>>,
);

/// The steps from each schema version to the next. Never change one that was released: append.
const MIGRATIONS: [Migration; 6] = [("
    CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE event_block (no INTEGER PRIMARY KEY, recorded_at INTEGER NOT NULL, events INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE event_index (part INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (part, seq)) WITHOUT ROWID;
    CREATE TABLE spend_hour (hour INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE spend_day (hour INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE bill (identity TEXT PRIMARY KEY, recorded_at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE restatement (no INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE checkpoint (source TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
    CREATE TABLE alert (id TEXT PRIMARY KEY, version INTEGER NOT NULL, open INTEGER NOT NULL, period_end INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE transition (no INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX transition_alert ON transition (alert_id);
    CREATE TABLE silence (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT, body TEXT NOT NULL);
    CREATE TABLE receipt (id TEXT PRIMARY KEY, at INTEGER NOT NULL, answer TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
", None), ("
    CREATE TABLE event_run (no INTEGER PRIMARY KEY, entries INTEGER NOT NULL, fences BLOB NOT NULL, bloom BLOB NOT NULL);
    CREATE TABLE event_run_page (no INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE event_block_gone (no INTEGER PRIMARY KEY);
    INSERT INTO event_block_gone SELECT seq FROM event_index WHERE part = -1;
    CREATE TABLE spend_part (no INTEGER PRIMARY KEY, body BLOB NOT NULL);
    INSERT INTO spend_part SELECT hour * 64, body FROM spend_hour;
    DROP TABLE spend_hour;
", Some(index::migrate)), ("", Some(migrate::by_column)), ("
    CREATE TABLE event_line (no INTEGER PRIMARY KEY, body BLOB NOT NULL);
", None), ("
    ALTER TABLE bill RENAME TO bill_whole;
    CREATE TABLE bill (no INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, recorded_at INTEGER NOT NULL);
    CREATE TABLE bill_hour (bill INTEGER NOT NULL, hour INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (bill, hour)) WITHOUT ROWID;
", Some(migrate::bills_by_hour)), ("
    ALTER TABLE outbox ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox ADD COLUMN not_before INTEGER;
", None)];

impl SqliteLedger {
    /// Why a file cannot be used that is a database of somebody else's.
    pub const FOREIGN: &str = "it is the database of another program";

    /// Opens the ledger at `path`, creating or migrating it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, BUSY_TIMEOUT)
    }
}

impl SqliteAlerts {
    /// Opens the store at `path`, creating or migrating it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, BUSY_TIMEOUT)
    }
}

/// Opens a store, creating or migrating it. A file that is not one of ours is refused and left as it is.
pub fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let shown = path.display().to_string();
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::Failed {
            path: shown.clone(),
            cause: e.to_string(),
        })?;
    }
    let fail = |e: rusqlite::Error| failed(&shown, &e);
    let mut conn = Connection::open(path).map_err(fail)?;
    // SQLite would make the files beside it, which could not be written any more than it, also when it could.
    if conn.is_readonly("main").map_err(fail)? {
        return Err(StoreError::Failed {
            path: shown,
            cause: READ_ONLY.to_owned(),
        });
    }
    conn.busy_timeout(busy_timeout.min(MAX_BUSY_TIMEOUT)).map_err(fail)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    // One statement, one snapshot: another process may be creating the store right now.
    let (application, version, tables): (i64, i64, i64) = conn
        .query_row(
            "SELECT application_id, (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)
             FROM pragma_application_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(fail)?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(StoreError::Damaged {
            path: shown,
            cause: SqliteLedger::FOREIGN.to_owned(),
        });
    }
    if version > known {
        return Err(StoreError::TooNew {
            path: shown,
            found: version,
            known,
        });
    }
    // Rows are packed blobs of many kilobytes; larger pages keep their overflow chains short. Only a new store takes it.
    conn.execute_batch("PRAGMA page_size = 16384").map_err(fail)?;
    // What a bulk load adds to a new store is written once without the log ahead of it, else twice.
    if application == 0 {
        conn.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))
            .map_err(fail)?;
    } else {
        write_ahead(&conn).map_err(fail)?;
    }
    conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000;")
        .map_err(fail)?;
    if version < known {
        bring_up(&mut conn, &shown, known)?;
    }
    Ok(conn)
}

/// Switches to write-ahead logging. SQLite answers "busy" at once, without waiting, while another process switches or writes a new
/// store without the log; after some tries the store is used as it is, which is as safe.
fn write_ahead(conn: &Connection) -> rusqlite::Result<()> {
    for _ in 0..25 {
        match conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(e)
                if matches!(
                    e.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                ) =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
    Ok(())
}

fn bring_up(conn: &mut Connection, path: &str, known: i64) -> Result<(), StoreError> {
    let fail = |e: rusqlite::Error| failed(path, &e);
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fail)?;
    // Asked again under the lock: another process may have migrated in the meantime.
    let version: i64 = tx
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(fail)?;
    for (statements, convert) in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        tx.execute_batch(statements).map_err(fail)?;
        if let Some(convert) = convert {
            convert(&tx, path).map_err(|e| e.at(path))?;
        }
    }
    tx.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};"
    ))
    .map_err(fail)?;
    tx.commit().map_err(fail)
}

/// What an SQLite error means to the user of a store.
pub(crate) fn failed(path: &str, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let cause = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged { path, cause },
        _ => StoreError::Failed { path, cause },
    }
}

#[cfg(test)]
mod tests;
