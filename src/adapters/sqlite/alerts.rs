//! Alerts, silences and the outbox on SQLite.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{failed, open};
use crate::domain::alert::{Alert, Silence, Transition};
use crate::ports::{AlertCommit, AlertStore, Outbox, Pending, Receipt, StoreError};

/// The alert tables of a store.
pub struct SqliteAlerts {
    conn: Connection,
    path: String,
    lock_path: PathBuf,
    lock: Option<File>,
}

impl SqliteAlerts {
    /// Opens the store at `path`, creating or migrating it; every use of it waits so long for another process.
    pub fn open_within(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let conn = open(path, busy_timeout)?;
        // What people were told must survive a power cut, or it would be told again.
        conn.execute_batch("PRAGMA synchronous = FULL")
            .map_err(|e| failed(&path.display().to_string(), &e))?;
        Ok(Self::of(conn, path))
    }

    /// The alert tables of an open store.
    pub(super) fn of(conn: Connection, path: &Path) -> Self {
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".outbox.lock");
        SqliteAlerts {
            conn,
            path: path.display().to_string(),
            lock_path: lock_path.into(),
            lock: None,
        }
    }

    fn fail(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |e| failed(&path, &e)
    }

    fn rows<T: DeserializeOwned>(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql).map_err(self.fail())?;
        let texts = statement
            .query_map(values, |row| row.get::<_, String>(0))
            .map_err(self.fail())?;
        texts
            .map(|text| decoded(&self.path, &text.map_err(self.fail())?))
            .collect()
    }
}

fn decoded<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged {
        path: path.to_owned(),
        cause: e.to_string(),
    })
}

fn encoded<T: Serialize>(path: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Failed {
        path: path.to_owned(),
        cause: e.to_string(),
    })
}

impl AlertStore for SqliteAlerts {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        let since = since.map_or(i64::MIN, |at| at.timestamp());
        self.rows(
            "SELECT body FROM alert WHERE open = 1 OR period_end > ? ORDER BY id",
            [since],
        )
    }

    fn history(&mut self, alert_id: &str) -> Result<Vec<Transition>, StoreError> {
        self.rows("SELECT body FROM transition WHERE alert_id = ? ORDER BY no", [alert_id])
    }

    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        self.rows("SELECT body FROM silence ORDER BY id", [])
    }

    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        let body = encoded(&self.path, silence)?;
        let done = self.conn.execute(
            "INSERT OR REPLACE INTO silence (id, body) VALUES (?, ?)",
            params![silence.id, body],
        );
        done.map(|_| ()).map_err(self.fail())
    }

    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        let fail = self.fail();
        let path = self.path.clone();
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&fail)?;
        for alert in &commit.alerts {
            let next = Alert {
                version: alert.version + 1,
                ..alert.clone()
            };
            let body = encoded(&path, &next)?;
            let (old, new) = (alert.version.cast_signed(), next.version.cast_signed());
            let (open, end) = (next.is_open(), next.period.end.timestamp());
            let changed = if alert.version == 0 {
                tx.execute(
                    "INSERT OR IGNORE INTO alert (id, version, open, period_end, body) VALUES (?, ?, ?, ?, ?)",
                    params![next.id, new, open, end, body],
                )
            } else {
                tx.execute(
                    "UPDATE alert SET version = ?, open = ?, period_end = ?, body = ? WHERE id = ? AND version = ?",
                    params![new, open, end, body, next.id, old],
                )
            };
            if changed.map_err(&fail)? == 0 {
                return Err(StoreError::Conflict {
                    what: format!("alert {}", alert.id),
                });
            }
        }
        for transition in &commit.transitions {
            tx.execute(
                "INSERT INTO transition (alert_id, body) VALUES (?, ?)",
                params![transition.alert_id, encoded(&path, transition)?],
            )
            .map_err(&fail)?;
        }
        for message in &commit.messages {
            tx.execute(
                "INSERT OR IGNORE INTO outbox (id, body) VALUES (?, ?)",
                params![message.id, encoded(&path, message)?],
            )
            .map_err(&fail)?;
        }
        tx.commit().map_err(&fail)
    }
}

impl Outbox for SqliteAlerts {
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        let io = |e: std::io::Error| StoreError::Failed {
            path: self.path.clone(),
            cause: e.to_string(),
        };
        let file = File::options()
            .create(true)
            .append(true)
            .open(&self.lock_path)
            .map_err(io)?;
        // A lock of the operating system: it ends with the process, however that ends.
        if file.try_lock().is_err() {
            return Ok(Vec::new());
        }
        self.lock = Some(file);
        self.waiting()
    }

    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT body, attempts, refused, not_before, reason FROM outbox ORDER BY no")
            .map_err(self.fail())?;
        let rows = statement
            .query_map([], |row| {
                let until: Option<i64> = row.get(3)?;
                let reason: Option<String> = row.get(4)?;
                Ok((
                    row.get::<_, String>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    until,
                    reason.unwrap_or_default(),
                ))
            })
            .map_err(self.fail())?;
        rows.map(|row| {
            let (body, attempts, refused, until, reason) = row.map_err(self.fail())?;
            Ok(Pending {
                message: decoded(&self.path, &body)?,
                attempts,
                refused,
                not_before: until.and_then(|second| DateTime::from_timestamp(second, 0)),
                reason,
            })
        })
        .collect()
    }

    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError> {
        let fail = self.fail();
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&fail)?;
        tx.execute(
            "INSERT OR IGNORE INTO receipt (id, at, answer, body) SELECT id, ?2, ?3, body FROM outbox WHERE id = ?1",
            params![id, at.timestamp(), receipt.answer],
        )
        .map_err(&fail)?;
        tx.execute("DELETE FROM outbox WHERE id = ?", [id]).map_err(&fail)?;
        tx.commit().map_err(&fail)
    }

    fn failed(&mut self, after: &Pending) -> Result<(), StoreError> {
        let until = after.not_before.map(|until| until.timestamp());
        let done = self.conn.execute(
            "UPDATE outbox SET attempts = ?, refused = ?, not_before = ?, reason = ? WHERE id = ?",
            params![after.attempts, after.refused, until, after.reason, after.message.id],
        );
        done.map(|_| ()).map_err(self.fail())
    }

    fn release(&mut self) -> Result<(), StoreError> {
        self.lock = None;
        Ok(())
    }
}
