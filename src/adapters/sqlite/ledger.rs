//! The [`Ledger`] on SQLite.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, DropBehavior, TransactionBehavior};

use super::additions::Additions;
use super::bill;
use super::blocks::{self, Met};
use super::codec::{Calls, PackedCalls, Summing};
use super::handle::Handle;
use super::index::Index;
use super::later::Later;
use super::names::{CodecError, NameCache, StoredNames};
use super::place::Place;
use super::spend;
use super::{detail, failed, open, record, write_ahead};
use crate::adapters::counting::counting;
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, KnownBill, Restatement, SpendKey, Sums};
use crate::domain::usage::{Besides, EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

/// A ledger in one SQLite file. Safe with several processes: each change is one immediate transaction.
pub struct SqliteLedger {
    pub(super) handle: Handle,
    pub(super) path: String,
    /// Where its file has to be for a change to succeed; nothing where that is not looked at.
    pub(super) place: Option<Place>,
    state: State,
}

/// What the handle remembers between calls; all of it can be read again from the store.
#[derive(Default)]
pub(super) struct State {
    pub names: NameCache,
    pub index: Index,
    pub met: Met,
    /// Calls that this run has recorded.
    pub of_run: Met,
    pub besides: Besides,
    pub additions: Additions,
    pub calls: Calls,
    pub summing: Summing,
    /// Where each new call of a batch stands, what it costs, and where it went.
    pub places: Vec<u32>,
    pub charges: Vec<Charge>,
    pub blocks: Vec<u32>,
    data_version: Option<i64>,
    /// Whether the store is still written without the log ahead of it.
    new: bool,
}

/// Calls of a batch from which on a bulk load is expected to go on.
const BULK: usize = 16_384;

impl SqliteLedger {
    /// Opens the ledger at `path`, creating or migrating it; every use of it waits so long for another process.
    pub fn open_within(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let conn = open(path, busy_timeout)?;
        let path = path.display().to_string();
        let mode: String = conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .map_err(|e| failed(&path, &e))?;
        Ok(Self::over(conn, path, mode != "wal"))
    }

    /// A ledger over an open store, which may be a `new` one.
    pub(super) fn over(conn: Connection, path: String, new: bool) -> Self {
        let state = State {
            new,
            ..State::default()
        };
        let handle = Handle::new(conn);
        SqliteLedger {
            handle,
            path,
            place: None,
            state,
        }
    }

    /// What errors of [`SqliteLedger::temporary`] name in place of a path.
    pub const TEMPORARY: &str = "temporary ledger";

    /// A ledger of this handle alone, which ends with it. It lies in memory as long as it is small, then in a file without a name in
    /// SQLite's folder for such files (`SQLITE_TMPDIR`, `TMPDIR`, `/var/tmp`).
    pub fn temporary() -> Result<Self, StoreError> {
        // SQLite's name for such a database is none.
        let mut ledger = Self::open_within(Path::new(""), Duration::ZERO)?;
        Self::TEMPORARY.clone_into(&mut ledger.path);
        Ok(ledger)
    }

    /// What there is to work with, when the transaction before has ended.
    fn ready(&mut self) -> Result<(&mut Connection, &str, &mut State), StoreError> {
        let conn = self.handle.settled(&self.path);
        if conn.is_err() {
            self.state.forget();
        }
        // Before and after each change: what is lost is not acknowledged, and no more is written to where nobody looks.
        if let Some(cause) = self.place.as_ref().and_then(Place::lost) {
            let path = self.path.clone();
            return Err(StoreError::Failed { path, cause });
        }
        Ok((conn?, &self.path, &mut self.state))
    }

    /// Runs `work` in one immediate transaction: all or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &str, &mut State) -> Result<T, CodecError>,
    ) -> Result<T, StoreError> {
        let written = self.begin(work)?;
        self.handle.commit();
        self.settle().map(|()| written)
    }

    /// Runs `work` in an immediate transaction that is left open if it succeeds.
    fn begin<T>(
        &mut self,
        work: impl FnOnce(&Connection, &str, &mut State) -> Result<T, CodecError>,
    ) -> Result<T, StoreError> {
        let (conn, path, state) = self.ready()?;
        let mut tx = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| failed(path, &e))?;
        let result = refresh(&tx, path, state).and_then(|()| work(&tx, path, state));
        match &result {
            Ok(_) => tx.set_drop_behavior(DropBehavior::Ignore),
            Err(_) => state.forget(),
        }
        result.map_err(|e| e.at(path))
    }
}

impl State {
    /// Forgets what may not have been stored.
    fn forget(&mut self) {
        self.names.clear();
        self.index.clear();
    }
}

/// Forgets the cached index if another process has written since.
fn refresh(conn: &Connection, path: &str, state: &mut State) -> Result<(), CodecError> {
    let version: i64 = conn
        .query_row("PRAGMA data_version", [], |row| row.get(0))
        .map_err(|e| CodecError::Store(failed(path, &e)))?;
    if state.data_version.is_some_and(|known| known != version) {
        state.index.clear();
        state.names.parts.clear();
    }
    state.data_version = Some(version);
    Ok(())
}

impl Ledger for SqliteLedger {
    fn begin(&mut self) {
        self.state.of_run.clear();
        self.state.besides.clear();
    }

    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        let recorded = self.write(|conn, path, state| record::record(conn, path, state, batch, pricer, now))?;
        if self.state.new && batch.events.len() < BULK {
            self.state.new = false;
            let (conn, path, _) = self.ready()?;
            write_ahead(conn).map_err(|e| failed(path, &e))?;
        }
        Ok(recorded)
    }

    fn record_ahead(
        &mut self,
        batch: &RecordBatch,
        pricer: &dyn Pricer,
        now: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        // With the log ahead of the store nothing is waited for.
        if !self.state.new || batch.events.len() < BULK {
            return self.record(batch, pricer, now);
        }
        let recorded = self.begin(|conn, path, state| record::record(conn, path, state, batch, pricer, now))?;
        self.handle.commit_behind();
        Ok(recorded)
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.ready().map(drop)
    }

    fn hold(&mut self, held: bool) -> Result<(), StoreError> {
        let (conn, path, _) = self.ready()?;
        let statement = if held { "BEGIN" } else { "COMMIT" };
        conn.execute_batch(statement).map_err(|e| failed(path, &e))
    }

    fn is_settled(&self) -> bool {
        self.handle.is_settled()
    }

    fn replace_bill(&mut self, given: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        self.write(|conn, path, state| {
            let cache = &mut state.names;
            bill::replace(&mut StoredNames { conn, path, cache }, given, now)
        })
    }

    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        let (conn, path, state) = self.ready()?;
        let tx = conn.savepoint().map_err(|e| failed(path, &e))?;
        let mut names = StoredNames {
            conn: &tx,
            path,
            cache: &mut state.names,
        };
        bill::all(&mut names).map_err(|e| e.at(path))
    }

    fn bill_identities(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let (conn, path, _) = self.ready()?;
        bill::identities(conn, path).map(Some)
    }

    fn sources(&mut self) -> Result<Option<Vec<Label>>, StoreError> {
        let (conn, path, _) = self.ready()?;
        let fail = |e: rusqlite::Error| failed(path, &e);
        let mut statement = conn
            .prepare_cached("SELECT DISTINCT source FROM checkpoint")
            .map_err(fail)?;
        let found = statement
            .query_map([], |row| Ok(Label::new(row.get_ref(0)?.as_str()?)))
            .map_err(fail)?;
        found.collect::<Result<_, _>>().map(Some).map_err(fail)
    }

    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        let (conn, path, _) = self.ready()?;
        let fail = |e: rusqlite::Error| failed(path, &e);
        let mut statement = conn
            .prepare_cached("SELECT key, body FROM checkpoint WHERE source = ?")
            .map_err(fail)?;
        let rows = statement
            .query_map([source], |row| Ok((row.get(0)?, Checkpoint(row.get(1)?))))
            .map_err(fail)?;
        rows.collect::<Result<_, _>>().map_err(fail)
    }

    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        let (conn, path, state) = self.ready()?;
        let fail = |e: rusqlite::Error| failed(path, &e);
        // One read transaction, so that a batch recorded meanwhile is seen whole or not at all; within one that is held, a part of it.
        let tx = conn.savepoint().map_err(fail)?;
        let mut names = StoredNames {
            conn: &tx,
            path,
            cache: &mut state.names,
        };
        spend::visit(
            &mut names,
            first_hour(period.start),
            first_hour(period.end),
            &mut |key, sums| {
                visit(key, sums);
                Ok(())
            },
        )
        .map_err(|e| e.at(path))
    }

    fn spend_by(
        &mut self,
        period: Period,
        wanted: &[Dimension],
        visit: &mut dyn FnMut(&SpendKey, &Sums),
    ) -> Result<(), StoreError> {
        let (conn, path, state) = self.ready()?;
        let tx = conn.savepoint().map_err(|e| failed(path, &e))?;
        let mut names = StoredNames {
            conn: &tx,
            path,
            cache: &mut state.names,
        };
        let hours = [period.start, period.end].map(first_hour);
        spend::visit_summed(&mut names, hours, wanted, &mut state.summing, visit).map_err(|e| e.at(path))
    }

    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        let (conn, path, state) = self.ready()?;
        let tx = conn.savepoint().map_err(|e| failed(path, &e))?;
        let mut names = StoredNames {
            conn: &tx,
            path,
            cache: &mut state.names,
        };
        let span = spend::span(&mut names).map_err(|e| e.at(path))?;
        Ok(span.map(|(first, last)| Period::new(first.start(), Hour(last.0 + 1).start())))
    }

    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        let (conn, path, state) = self.ready()?;
        refresh(conn, path, state).map_err(|e| e.at(path))?;
        let found = state
            .index
            .find(conn, path, std::iter::once(id))
            .map_err(|e| e.at(path))?;
        let mut names = StoredNames {
            conn,
            path,
            cache: &mut state.names,
        };
        for (_, block) in found {
            let Some(body) = blocks::body(&names, block).map_err(|e| e.at(path))? else {
                continue;
            };
            let packed = PackedCalls::parse(&body).map_err(|e| CodecError::from(e).at(path))?;
            if let Some(place) = packed.place(id) {
                let later = Later::load(&names, block).map_err(|e| e.at(path))?;
                let call = blocks::call(&mut names, &packed, &later, place);
                return call.map(Some).map_err(|e| e.at(path));
            }
        }
        Ok(None)
    }

    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (conn, path, state) = self.ready()?;
        detail::visit(conn, path, &mut state.names, period, &mut counting(visit))
    }

    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        self.write(|conn, path, state| {
            let wanted = state.index.blocks_of(conn, path, ids)?;
            let cache = &mut state.names;
            detail::recharge(&mut StoredNames { conn, path, cache }, wanted, pricer, now)
        })
    }

    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        let (conn, path, _) = self.ready()?;
        bill::told(conn, path)
    }

    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = now - TimeDelta::days(i64::from(retention.detail_days));
        let last_hour = Hour::of(before).day();
        self.write(|conn, path, state| {
            let mut names = StoredNames {
                conn,
                path,
                cache: &mut state.names,
            };
            spend::fold(&mut names, last_hour, kept)?;
            blocks::expire(&mut names, before)
        })
    }
}

/// The first hour that starts at or after an instant.
pub(super) fn first_hour(at: DateTime<Utc>) -> i64 {
    let hour = Hour::of(at);
    if hour.start() < at { hour.0 + 1 } else { hour.0 }
}
