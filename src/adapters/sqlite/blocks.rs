//! Calls in blocks of about a thousand, in the order of recording: one row of the store each.
//!
//! The order of recording keeps together what is looked up together (copies of a call are recorded near each other), lets
//! a block expire as a whole, and makes a bulk load a handful of inserts.

use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};
use rustc_hash::FxBuildHasher;

use super::codec::{Broken, Calls, Charged, PackedCalls};
use super::failed;
use super::later::{self, Later};
use super::names::{CodecError, StoredNames};
use crate::domain::charge::Charge;
use crate::domain::usage::UsageEvent;

/// Calls after which a block is full: reading one block for a single duplicate stays far below a millisecond.
const BLOCK_EVENTS: usize = 1024;

/// The packed calls of a block; `None` when its detail has expired.
pub fn body(names: &StoredNames<'_>, block: u32) -> Result<Option<Vec<u8>>, CodecError> {
    names
        .conn
        .prepare_cached("SELECT body FROM event_block WHERE no = ?")
        .and_then(|mut s| s.query_row([block], |row| row.get(0)).optional())
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// One call of a block.
pub fn call(
    names: &mut StoredNames<'_>,
    packed: &PackedCalls<'_>,
    later: &Later,
    place: usize,
) -> Result<(UsageEvent, Charge), CodecError> {
    let (mut event, charge) = packed.get(place, names)?;
    later.tell(place, &mut event);
    Ok((event, charge))
}

/// Writes a block back.
pub fn store(names: &StoredNames<'_>, block: u32, calls: &mut Calls) -> Result<(), CodecError> {
    let mut body = Vec::new();
    calls.put(&mut body);
    names
        .conn
        .prepare_cached("UPDATE event_block SET body = ? WHERE no = ?")
        .and_then(|mut s| s.execute(params![body, block]))
        .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
    Ok(())
}

/// Adds calls behind the last block, filling it first if it is of the same day. A block is as old as the last of its calls, so that the detail
/// of none expires early.
pub struct Appender<'a> {
    no: i64,
    recorded_at: i64,
    calls: &'a mut Calls,
    body: Vec<u8>,
    changed: bool,
}

impl<'a> Appender<'a> {
    /// Where the store ends; `calls` is memory to use.
    pub fn new(names: &StoredNames<'_>, now: DateTime<Utc>, calls: &'a mut Calls) -> Result<Self, CodecError> {
        let (conn, path) = (names.conn, names.path);
        let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
        let last: Option<(i64, i64, u32)> = conn
            .prepare_cached("SELECT no, recorded_at, events FROM event_block ORDER BY no DESC LIMIT 1")
            .and_then(|mut s| s.query_row([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional())
            .map_err(fail)?;
        // Blocks that have expired leave no row behind, but the index still names them: their numbers are not used again.
        let highest: i64 = conn
            .prepare_cached("SELECT coalesce(max(no), 0) FROM event_block_gone")
            .and_then(|mut s| s.query_row([], |r| r.get(0)))
            .map_err(fail)?;
        let seconds = now.timestamp();
        let same_day = |at: i64| at.div_euclid(86_400) == seconds.div_euclid(86_400);
        calls.clear();
        let mut body = Vec::new();
        let open = last.filter(|(_, at, held)| (*held as usize) < BLOCK_EVENTS && same_day(*at));
        let (no, recorded_at) = match open {
            Some((no, recorded_at, _)) => {
                let open: Vec<u8> = conn
                    .prepare_cached("SELECT body FROM event_block WHERE no = ?")
                    .and_then(|mut s| s.query_row([no], |row| row.get(0)))
                    .map_err(fail)?;
                calls.resume(&PackedCalls::parse(&open)?);
                body = open;
                (no, recorded_at.max(seconds))
            }
            None => (last.map_or(0, |(no, ..)| no).max(highest) + 1, seconds),
        };
        Ok(Appender {
            no,
            recorded_at,
            calls,
            body,
            changed: false,
        })
    }

    /// Adds calls, and for each of them the block that it went to.
    pub fn extend(
        &mut self,
        names: &mut StoredNames<'_>,
        mut calls: &[Charged<'_>],
        now: DateTime<Utc>,
        blocks: &mut Vec<u32>,
    ) -> Result<(), CodecError> {
        while !calls.is_empty() {
            if self.len() >= BLOCK_EVENTS {
                self.flush(names)?;
                self.no += 1;
                self.recorded_at = now.timestamp();
                self.calls.clear();
            }
            let room = BLOCK_EVENTS - self.len();
            let (fitting, rest) = calls.split_at_checked(room).unwrap_or((calls, &[]));
            self.calls.extend(fitting, names)?;
            self.changed = true;
            let no = u32::try_from(self.no).map_err(|_| Broken)?;
            blocks.extend(fitting.iter().map(|_| no));
            calls = rest;
        }
        Ok(())
    }

    /// Calls in the block that is open.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Writes the block that is open.
    pub fn flush(&mut self, names: &StoredNames<'_>) -> Result<(), CodecError> {
        if std::mem::take(&mut self.changed) {
            self.body.clear();
            self.calls.put(&mut self.body);
            let held = u32::try_from(self.calls.len()).map_err(|_| Broken)?;
            names
                .conn
                .prepare_cached(
                    "INSERT OR REPLACE INTO event_block (no, recorded_at, events, body) VALUES (?, ?, ?, ?)",
                )
                .and_then(|mut s| s.execute(params![self.no, self.recorded_at, held, self.body]))
                .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        }
        Ok(())
    }
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
        later::expire(names.conn, path, before.timestamp())?;
        names
            .conn
            .execute("DELETE FROM event_block WHERE recorded_at < ?", [before.timestamp()])
            .map_err(fail)?;
        names
            .conn
            .execute("INSERT OR REPLACE INTO event_block_gone (no) VALUES (?)", [highest])
            .map_err(fail)?;
    }
    u64::try_from(gone).map_err(|_| Broken.into())
}

/// Which calls a handle has met already, or a run has recorded, one bit each: for knowing them without keeping their identities.
#[derive(Default)]
pub struct Met(HashMap<u32, Vec<u64>, FxBuildHasher>);

impl Met {
    /// Notes a call; whether it is the first time.
    pub fn first_time(&mut self, block: u32, position: usize) -> bool {
        let (word, bit) = (position / 64, 1_u64 << (position % 64));
        let Some(slot) = self.word(block, word) else {
            return false;
        };
        let first = *slot & bit == 0;
        *slot |= bit;
        first
    }

    /// Whether a call is noted.
    pub fn has(&self, block: u32, position: usize) -> bool {
        let word = self.0.get(&block).and_then(|words| words.get(position / 64));
        word.is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes calls that are new, and met with that.
    pub fn note(&mut self, block: u32, positions: Range<usize>) {
        let mut at = positions.start;
        while at < positions.end {
            let end = (at / 64 * 64 + 64).min(positions.end);
            if let Some(slot) = self.word(block, at / 64) {
                *slot |= (u64::MAX >> (64 - (end - at))) << (at % 64);
            }
            at = end;
        }
    }

    fn word(&mut self, block: u32, word: usize) -> Option<&mut u64> {
        let words = self.0.entry(block).or_default();
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words.get_mut(word)
    }
}
