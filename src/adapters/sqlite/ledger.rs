//! The [`Ledger`] on SQLite.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use rustc_hash::FxBuildHasher;

use super::blocks::{self, Met};
use super::codec::{Reader, get_spend, put_spend};
use super::index::Index;
use super::names::{CodecError, NameCache, StoredNames};
use super::{detail, failed, open};
use crate::domain::charge::Charge;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, Restatement, SpendKey, Sums, metered_key};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

pub(super) type Delta = HashMap<SpendKey, Sums, FxBuildHasher>;

/// A ledger in one SQLite file. Safe with several processes: each change is one immediate transaction.
pub struct SqliteLedger {
    pub(super) conn: Connection,
    pub(super) path: String,
    state: State,
}

/// What the handle remembers between calls; all of it can be read again from the store.
#[derive(Default)]
struct State {
    names: NameCache,
    index: Index,
    met: Met,
    data_version: Option<i64>,
}

impl SqliteLedger {
    /// Opens the ledger at `path`, creating or migrating it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteLedger {
            conn: open(path)?,
            path: path.display().to_string(),
            state: State::default(),
        })
    }

    /// Runs `work` in one immediate transaction: all or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &str, &mut State) -> Result<T, CodecError>,
    ) -> Result<T, StoreError> {
        let path = self.path.as_str();
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| failed(path, &e))?;
        let result = refresh(&tx, path, &mut self.state)
            .and_then(|()| work(&tx, path, &mut self.state))
            .and_then(|value| {
                tx.commit()
                    .map(|()| value)
                    .map_err(|e| CodecError::Store(failed(path, &e)))
            });
        if result.is_err() {
            self.state.names.clear();
            self.state.index.clear();
        }
        result.map_err(|e| e.at(path))
    }
}

/// Forgets the cached index if another process has written since.
fn refresh(conn: &Connection, path: &str, state: &mut State) -> Result<(), CodecError> {
    let version: i64 = conn
        .query_row("PRAGMA data_version", [], |row| row.get(0))
        .map_err(|e| CodecError::Store(failed(path, &e)))?;
    if state.data_version.is_some_and(|known| known != version) {
        state.index.clear();
    }
    state.data_version = Some(version);
    Ok(())
}

pub(super) fn money(error: crate::domain::money::MoneyError) -> CodecError {
    CodecError::Store(error.into())
}

impl Ledger for SqliteLedger {
    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        let events = batch.events.events();
        self.write(|conn, path, state| {
            let mut names = StoredNames {
                conn,
                path,
                cache: &mut state.names,
            };
            let mut outcome = Recorded {
                duplicates: batch.events.repeated(),
                ..Recorded::default()
            };
            let mut delta = Delta::default();
            let mut known = vec![false; events.len()];
            let mut wanted: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
            for (i, event) in events.iter().enumerate() {
                for block in state.index.find(conn, path, event.id)? {
                    wanted.entry(block).or_default().push(i);
                }
            }
            for (block, candidates) in wanted {
                let Some(mut rows) = blocks::load(&mut names, block)? else {
                    // The detail has expired: the fingerprint is all that is left to know the call by.
                    for i in candidates {
                        mark(&mut known, i);
                        outcome.duplicates += 1;
                    }
                    continue;
                };
                let places: HashMap<EventId, usize, FxBuildHasher> = rows
                    .iter()
                    .enumerate()
                    .map(|(place, (event, _))| (event.id, place))
                    .collect();
                let mut dirty = false;
                for i in candidates {
                    let Some(event) = events.get(i) else { continue };
                    let Some((place, row)) = places.get(&event.id).and_then(|p| Some((*p, rows.get_mut(*p)?))) else {
                        continue;
                    };
                    mark(&mut known, i);
                    outcome.duplicates += 1;
                    outcome.known += u64::from(state.met.first_time(block, place));
                    let better = row.0.merge(*event);
                    if better == row.0 {
                        continue;
                    }
                    let charge = pricer.price(&better);
                    take(&mut delta, &row.0, &row.1)?;
                    give(&mut delta, &better, &charge)?;
                    outcome.cost =
                        crate::domain::money::add_exact(outcome.cost, charge.cost - row.1.cost).map_err(money)?;
                    *row = (better, charge);
                    dirty = true;
                }
                if dirty {
                    blocks::store(&mut names, block, &rows)?;
                }
            }
            let mut fresh: Vec<(&UsageEvent, Charge)> = Vec::with_capacity(events.len());
            for (event, _) in events.iter().zip(&known).filter(|(_, known)| !**known) {
                let charge = pricer.price(event);
                give(&mut delta, event, &charge)?;
                outcome.cost = crate::domain::money::add_exact(outcome.cost, charge.cost).map_err(money)?;
                outcome.unpriced += u64::from(!charge.is_priced());
                fresh.push((event, charge));
            }
            outcome.recorded = fresh.len() as u64;
            let places = blocks::append(&mut names, &fresh, now)?;
            for ((event, _), (block, place)) in fresh.iter().zip(places) {
                state.met.first_time(block, place);
                state.index.insert(conn, path, event.id, block)?;
            }
            state.index.flush(conn, path)?;
            apply(&mut names, delta)?;
            for (source, key, Checkpoint(body)) in &batch.checkpoints {
                conn.prepare_cached("INSERT OR REPLACE INTO checkpoint (source, key, body) VALUES (?, ?, ?)")
                    .and_then(|mut s| s.execute(params![source, key, body]))
                    .map_err(|e| CodecError::Store(failed(path, &e)))?;
            }
            Ok(outcome)
        })
    }

    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        self.write(|conn, path, state| {
            let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
            let mut names = StoredNames {
                conn,
                path,
                cache: &mut state.names,
            };
            let old: Option<Vec<u8>> = conn
                .query_row("SELECT body FROM bill WHERE identity = ?", [&bill.identity], |row| {
                    row.get(0)
                })
                .optional()
                .map_err(fail)?;
            let mut before = Vec::new();
            if let Some(body) = &old {
                let mut reader = Reader(body);
                while !reader.done() {
                    let hour = Hour(i64::try_from(reader.u64()?).map_err(|_| super::codec::Broken)?);
                    before.push(get_spend(&mut reader, hour, &mut names)?);
                }
            }
            let restated = if old.is_some() {
                crate::domain::spend::restatements(bill, &before, now).map_err(money)?
            } else {
                Vec::new()
            };
            let mut delta = Delta::default();
            for (key, sums) in &before {
                delta.entry(*key).or_default().subtract(sums).map_err(money)?;
            }
            let mut body = Vec::new();
            for (key, sums) in &bill.rows {
                delta.entry(*key).or_default().add(sums).map_err(money)?;
                super::codec::put(&mut body, u128::try_from(key.hour.0).map_err(|_| super::codec::Broken)?);
                put_spend(&mut body, key, sums, &mut names)?;
            }
            delta.retain(|_, sums| !sums.is_empty());
            if delta.is_empty() && old.is_some() {
                return Ok(restated);
            }
            apply(&mut names, delta)?;
            conn.execute(
                "INSERT OR REPLACE INTO bill (identity, recorded_at, body) VALUES (?, ?, ?)",
                params![bill.identity, now.timestamp(), body],
            )
            .map_err(fail)?;
            for restatement in &restated {
                let text = serde_json::to_string(restatement).map_err(|_| super::codec::Broken)?;
                conn.execute("INSERT INTO restatement (body) VALUES (?)", [text])
                    .map_err(fail)?;
            }
            Ok(restated)
        })
    }

    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        let fail = |e: rusqlite::Error| failed(&self.path, &e);
        let mut statement = self
            .conn
            .prepare_cached("SELECT key, body FROM checkpoint WHERE source = ?")
            .map_err(fail)?;
        let rows = statement
            .query_map([source], |row| Ok((row.get(0)?, Checkpoint(row.get(1)?))))
            .map_err(fail)?;
        rows.collect::<Result<_, _>>().map_err(fail)
    }

    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        let path = self.path.as_str();
        let fail = |e: rusqlite::Error| failed(path, &e);
        // One read transaction, so that a batch recorded meanwhile is seen whole or not at all.
        let tx = self.conn.transaction().map_err(fail)?;
        let mut names = StoredNames {
            conn: &tx,
            path,
            cache: &mut self.state.names,
        };
        let bounds = [first_hour(period.start), first_hour(period.end)];
        let mut statement = tx
            .prepare_cached(
                "SELECT hour, body FROM spend_day WHERE hour >= ?1 AND hour < ?2
                 UNION ALL SELECT hour, body FROM spend_hour WHERE hour >= ?1 AND hour < ?2",
            )
            .map_err(fail)?;
        let mut rows = statement.query(bounds).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let hour = Hour(row.get(0).map_err(fail)?);
            let body = row
                .get_ref(1)
                .map_err(fail)?
                .as_blob()
                .map_err(|_| CodecError::Broken.at(path))?;
            let mut reader = Reader(body);
            while !reader.done() {
                let (key, sums) = get_spend(&mut reader, hour, &mut names).map_err(|e| e.at(path))?;
                visit(&key, &sums);
            }
        }
        Ok(())
    }

    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        let (first, last): (Option<i64>, Option<i64>) = self
            .conn
            .query_row(
                "SELECT min(hour), max(hour) FROM (SELECT min(hour) AS hour FROM spend_hour UNION ALL SELECT max(hour)
                 FROM spend_hour UNION ALL SELECT min(hour) FROM spend_day UNION ALL SELECT max(hour) FROM spend_day)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(|e| failed(&self.path, &e))?;
        Ok(first
            .zip(last)
            .map(|(a, b)| Period::new(Hour(a).start(), Hour(b + 1).start())))
    }

    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        let path = self.path.as_str();
        refresh(&self.conn, path, &mut self.state).map_err(|e| e.at(path))?;
        let found = self.state.index.find(&self.conn, path, id).map_err(|e| e.at(path))?;
        let mut names = StoredNames {
            conn: &self.conn,
            path,
            cache: &mut self.state.names,
        };
        for block in found {
            let rows = blocks::load(&mut names, block)
                .map_err(|e| e.at(path))?
                .unwrap_or_default();
            if let Some(row) = rows.into_iter().find(|(event, _)| event.id == id) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        detail::visit(&mut self.conn, &self.path, &mut self.state.names, period, visit)
    }

    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        self.write(|conn, path, state| {
            let wanted = state.index.blocks_of(conn, path, ids)?;
            let cache = &mut state.names;
            detail::recharge(&mut StoredNames { conn, path, cache }, wanted, pricer, now)
        })
    }

    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        let fail = |e: rusqlite::Error| failed(&self.path, &e);
        let mut statement = self
            .conn
            .prepare("SELECT body FROM restatement ORDER BY no")
            .map_err(fail)?;
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
        texts
            .map(|text| serde_json::from_str(&text.map_err(fail)?).map_err(|_| CodecError::Broken.at(&self.path)))
            .collect()
    }

    fn expire(&mut self, retention: Retention, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = now - TimeDelta::days(i64::from(retention.detail_days));
        let last_hour = Hour::of(before).day();
        self.write(|conn, path, state| {
            let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
            let mut names = StoredNames {
                conn,
                path,
                cache: &mut state.names,
            };
            let mut days: BTreeMap<Hour, Delta> = BTreeMap::new();
            {
                let mut statement = conn
                    .prepare("SELECT hour, body FROM spend_hour WHERE hour < ?")
                    .map_err(fail)?;
                let mut rows = statement.query([last_hour.0]).map_err(fail)?;
                while let Some(row) = rows.next().map_err(fail)? {
                    let hour = Hour(row.get(0).map_err(fail)?);
                    let body: Vec<u8> = row.get(1).map_err(fail)?;
                    let day = days.entry(hour.day()).or_default();
                    let mut reader = Reader(&body);
                    while !reader.done() {
                        let (mut key, sums) = get_spend(&mut reader, hour, &mut names)?;
                        key.hour = hour.day();
                        day.entry(key).or_default().add(&sums).map_err(money)?;
                    }
                }
            }
            for (day, rows) in days {
                merge_into(&mut names, "spend_day", day, rows)?;
            }
            conn.execute("DELETE FROM spend_hour WHERE hour < ?", [last_hour.0])
                .map_err(fail)?;
            blocks::expire(&mut names, before)
        })
    }
}

fn mark(known: &mut [bool], i: usize) {
    if let Some(slot) = known.get_mut(i) {
        *slot = true;
    }
}

/// The first hour that starts at or after an instant.
pub(super) fn first_hour(at: DateTime<Utc>) -> i64 {
    let hour = Hour::of(at);
    if hour.start() < at { hour.0 + 1 } else { hour.0 }
}

pub(super) fn give(delta: &mut Delta, event: &UsageEvent, charge: &Charge) -> Result<(), CodecError> {
    delta
        .entry(metered_key(event))
        .or_default()
        .add(&Sums::of(event, charge))
        .map_err(money)
}

pub(super) fn take(delta: &mut Delta, event: &UsageEvent, charge: &Charge) -> Result<(), CodecError> {
    delta
        .entry(metered_key(event))
        .or_default()
        .subtract(&Sums::of(event, charge))
        .map_err(money)
}

/// Adds changes to the hourly sums.
pub(super) fn apply(names: &mut StoredNames<'_>, delta: Delta) -> Result<(), CodecError> {
    let mut hours: BTreeMap<Hour, Delta> = BTreeMap::new();
    for (key, sums) in delta {
        hours.entry(key.hour).or_default().insert(key, sums);
    }
    hours
        .into_iter()
        .try_for_each(|(hour, rows)| merge_into(names, "spend_hour", hour, rows))
}

fn merge_into(names: &mut StoredNames<'_>, table: &str, hour: Hour, mut rows: Delta) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let old: Option<Vec<u8>> = conn
        .prepare_cached(&format!("SELECT body FROM {table} WHERE hour = ?"))
        .and_then(|mut s| s.query_row([hour.0], |row| row.get(0)).optional())
        .map_err(fail)?;
    if let Some(body) = old {
        let mut reader = Reader(&body);
        while !reader.done() {
            let (key, sums) = get_spend(&mut reader, hour, names)?;
            rows.entry(key).or_default().add(&sums).map_err(money)?;
        }
    }
    rows.retain(|_, sums| !sums.is_empty());
    if rows.is_empty() {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE hour = ?"))
            .and_then(|mut s| s.execute([hour.0]))
            .map_err(fail)?;
        return Ok(());
    }
    let mut body = Vec::with_capacity(rows.len() * 64);
    for (key, sums) in &rows {
        put_spend(&mut body, key, sums, names)?;
    }
    conn.prepare_cached(&format!("INSERT OR REPLACE INTO {table} (hour, body) VALUES (?, ?)"))
        .and_then(|mut s| s.execute(params![hour.0, body]))
        .map_err(fail)?;
    Ok(())
}
