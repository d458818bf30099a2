//! Calls in blocks of about a thousand, in the order of recording: one row of the store each.
//!
//! The order of recording keeps together what is looked up together (copies of a call are recorded near each other), lets
//! a block expire as a whole, and makes a bulk load a handful of inserts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{Broken, Reader, get_event, put_event};
use super::failed;
use super::names::{CodecError, StoredNames};
use crate::domain::charge::Charge;
use crate::domain::usage::UsageEvent;

/// Calls after which a block is full: decoding one block for a single duplicate stays below a millisecond.
const BLOCK_EVENTS: i64 = 1024;

/// Reads a block; `None` when its detail has expired.
pub fn load(names: &mut StoredNames<'_>, block: u32) -> Result<Option<Vec<(UsageEvent, Charge)>>, CodecError> {
    let path = names.path;
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let body: Option<Vec<u8>> = names
        .conn
        .prepare_cached("SELECT body FROM event_block WHERE no = ?")
        .and_then(|mut s| s.query_row([block], |row| row.get(0)).optional())
        .map_err(fail)?;
    let Some(body) = body else { return Ok(None) };
    let mut reader = Reader(&body);
    let mut rows = Vec::with_capacity(usize::try_from(BLOCK_EVENTS).unwrap_or_default());
    while !reader.done() {
        rows.push(get_event(&mut reader, names)?);
    }
    Ok(Some(rows))
}

/// Writes a block back.
pub fn store(names: &mut StoredNames<'_>, block: u32, rows: &[(UsageEvent, Charge)]) -> Result<(), CodecError> {
    let mut body = Vec::with_capacity(rows.len() * 96);
    for (event, charge) in rows {
        put_event(&mut body, event, charge, names)?;
    }
    names
        .conn
        .prepare_cached("UPDATE event_block SET body = ? WHERE no = ?")
        .and_then(|mut s| s.execute(params![body, block]))
        .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
    Ok(())
}

/// Adds calls behind the last block, filling it first if it was begun on the same day. Answers where each call went:
/// (block, position).
pub fn append(
    names: &mut StoredNames<'_>,
    rows: &[(&UsageEvent, Charge)],
    now: DateTime<Utc>,
) -> Result<Vec<(u32, usize)>, CodecError> {
    let path = names.path;
    let conn: &Connection = names.conn;
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let last: Option<(i64, i64, i64)> = conn
        .prepare_cached("SELECT no, recorded_at, events FROM event_block ORDER BY no DESC LIMIT 1")
        .and_then(|mut s| s.query_row([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional())
        .map_err(fail)?;
    // Blocks that have expired leave no row behind, but the index still names them: their numbers are not used again.
    let highest: i64 = conn
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event_index WHERE part = -1")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(fail)?;
    let seconds = now.timestamp();
    let mut places = Vec::with_capacity(rows.len());
    let mut rest = rows;
    let mut next = last.map_or(0, |(no, ..)| no).max(highest) + 1;
    let mut open = last.filter(|(_, at, n)| *n < BLOCK_EVENTS && at.div_euclid(86_400) == seconds.div_euclid(86_400));
    while !rest.is_empty() {
        let (no, recorded_at, held) = open.take().unwrap_or_else(|| {
            next += 1;
            (next - 1, seconds, 0)
        });
        let room = usize::try_from(BLOCK_EVENTS - held).unwrap_or(1).min(rest.len());
        let (now_in, later) = rest.split_at(room);
        rest = later;
        let mut body: Vec<u8> = if held > 0 {
            conn.prepare_cached("SELECT body FROM event_block WHERE no = ?")
                .and_then(|mut s| s.query_row([no], |row| row.get(0)))
                .map_err(fail)?
        } else {
            Vec::with_capacity(room * 96)
        };
        let block = u32::try_from(no).map_err(|_| Broken)?;
        let first = usize::try_from(held).map_err(|_| Broken)?;
        for (i, (event, charge)) in now_in.iter().enumerate() {
            put_event(&mut body, event, charge, names)?;
            places.push((block, first + i));
        }
        let events = held + i64::try_from(room).map_err(|_| Broken)?;
        conn.prepare_cached("INSERT OR REPLACE INTO event_block (no, recorded_at, events, body) VALUES (?, ?, ?, ?)")
            .and_then(|mut s| s.execute(params![no, recorded_at, events, body]))
            .map_err(fail)?;
    }
    Ok(places)
}

/// Deletes blocks recorded before an instant; answers how many calls lost their detail.
pub fn expire(names: &mut StoredNames<'_>, before: DateTime<Utc>) -> Result<u64, CodecError> {
    let path = names.path;
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let (gone, highest): (i64, i64) = names
        .conn
        .query_row(
            "SELECT coalesce(sum(events), 0), coalesce(max(no), 0) FROM event_block WHERE recorded_at < ?",
            [before.timestamp()],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .map_err(fail)?;
    if gone > 0 {
        names
            .conn
            .execute("DELETE FROM event_block WHERE recorded_at < ?", [before.timestamp()])
            .map_err(fail)?;
        // Part -1 of the index remembers the highest block number ever deleted.
        names
            .conn
            .execute(
                "INSERT OR REPLACE INTO event_index (part, seq, body) VALUES (-1, ?, x'')",
                [highest],
            )
            .map_err(fail)?;
    }
    u64::try_from(gone).map_err(|_| Broken.into())
}

/// Which calls a handle has met already, one bit each: for counting distinct calls without keeping their identities.
#[derive(Default)]
pub struct Met(HashMap<u32, Vec<u64>>);

impl Met {
    /// Notes a call; whether it is the first time.
    pub fn first_time(&mut self, block: u32, position: usize) -> bool {
        let words = self.0.entry(block).or_default();
        let (word, bit) = (position / 64, 1_u64 << (position % 64));
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let Some(slot) = words.get_mut(word) else { return false };
        let first = *slot & bit == 0;
        *slot |= bit;
        first
    }
}
