//! The identity index: which block holds which call. Calls are counted once over all files and all time, so that this is
//! asked for every observation.
//!
//! Identities are spread over [`PARTS`] parts by their first bits. A part is a sorted list of (fingerprint, block); the store
//! keeps it as a few segments, appended by batch and merged when they become many. A lookup loads one part, so that a small
//! batch touches little of a large index.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::codec::{Broken, Reader, put};
use super::failed;
use super::names::CodecError;
use crate::domain::usage::EventId;

/// Number of parts: a 12-bit prefix. At 10 million calls a part holds 2,441 identities, 29 KB.
const PARTS: usize = 4096;

/// Segments of one part that are merged into one when there are more: bounds the reads of a lookup.
const MAX_SEGMENTS: i64 = 8;

struct Part {
    /// Sorted by fingerprint.
    entries: Vec<(u64, u32)>,
    /// Entries from here on are not stored yet.
    fresh: Vec<(u64, u32)>,
    next_segment: i64,
}

/// The parts that this handle has met.
pub struct Index {
    parts: Vec<Option<Part>>,
    dirty: Vec<usize>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            parts: (0..PARTS).map(|_| None).collect(),
            dirty: Vec::new(),
        }
    }
}

fn split(id: EventId) -> (usize, u64) {
    let [a, b, c, d, e, f, g, h, i, j, ..] = id.0;
    let part = usize::from(u16::from_be_bytes([a, b]) >> 4);
    (part, u64::from_be_bytes([c, d, e, f, g, h, i, j]))
}

impl Index {
    /// Forgets what was loaded: another process has written, or a transaction was rolled back.
    pub fn clear(&mut self) {
        self.parts.iter_mut().for_each(|p| *p = None);
        self.dirty.clear();
    }

    /// The blocks that may hold the call, most often none or one.
    pub fn find(
        &mut self,
        conn: &Connection,
        path: &str,
        id: EventId,
    ) -> Result<impl Iterator<Item = u32> + use<>, CodecError> {
        let (part, fingerprint) = split(id);
        let part = self.part(conn, path, part)?;
        let start = part.entries.partition_point(|(f, _)| *f < fingerprint);
        let stored = part.entries.iter().skip(start).take_while(|(f, _)| *f == fingerprint);
        let found: smallest::Blocks = stored
            .chain(part.fresh.iter().filter(|(f, _)| *f == fingerprint))
            .map(|(_, block)| *block)
            .collect();
        Ok(found.into_iter())
    }

    /// The blocks that may hold these calls, each with its calls.
    pub fn blocks_of(
        &mut self,
        conn: &Connection,
        path: &str,
        ids: &[EventId],
    ) -> Result<BTreeMap<u32, Vec<EventId>>, CodecError> {
        let mut wanted: BTreeMap<u32, Vec<EventId>> = BTreeMap::new();
        for id in ids {
            for block in self.find(conn, path, *id)? {
                wanted.entry(block).or_default().push(*id);
            }
        }
        Ok(wanted)
    }

    /// Notes that a block holds the call.
    pub fn insert(&mut self, conn: &Connection, path: &str, id: EventId, block: u32) -> Result<(), CodecError> {
        let (number, fingerprint) = split(id);
        let part = self.part(conn, path, number)?;
        if part.fresh.is_empty() {
            self.dirty.push(number);
        }
        // Borrowed again: the push above ended the first borrow.
        if let Some(Some(part)) = self.parts.get_mut(number) {
            part.fresh.push((fingerprint, block));
        }
        Ok(())
    }

    /// Writes what was noted since the last call.
    pub fn flush(&mut self, conn: &Connection, path: &str) -> Result<(), CodecError> {
        let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
        self.dirty.sort_unstable();
        for number in std::mem::take(&mut self.dirty) {
            let Some(Some(part)) = self.parts.get_mut(number) else {
                continue;
            };
            let key = i64::try_from(number).map_err(|_| Broken)?;
            part.fresh.sort_unstable();
            let merge = part.next_segment >= MAX_SEGMENTS;
            let fresh = std::mem::take(&mut part.fresh);
            let segment = if merge { 0 } else { part.next_segment };
            let body = if merge { Vec::new() } else { encode(&fresh) };
            part.entries.extend(fresh);
            part.entries.sort();
            let body = if merge {
                conn.prepare_cached("DELETE FROM event_index WHERE part = ?")
                    .and_then(|mut s| s.execute([key]))
                    .map_err(fail)?;
                encode(&part.entries)
            } else {
                body
            };
            conn.prepare_cached("INSERT INTO event_index (part, seq, body) VALUES (?, ?, ?)")
                .and_then(|mut s| s.execute(params![key, segment, body]))
                .map_err(fail)?;
            part.next_segment = segment + 1;
        }
        Ok(())
    }

    fn part(&mut self, conn: &Connection, path: &str, number: usize) -> Result<&mut Part, CodecError> {
        let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
        let slot = self.parts.get_mut(number).ok_or(Broken)?;
        if let Some(part) = slot {
            return Ok(part);
        }
        let mut part = Part {
            entries: Vec::new(),
            fresh: Vec::new(),
            next_segment: 0,
        };
        let mut statement = conn
            .prepare_cached("SELECT seq, body FROM event_index WHERE part = ? ORDER BY seq")
            .map_err(fail)?;
        let mut rows = statement
            .query([i64::try_from(number).map_err(|_| Broken)?])
            .map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            part.next_segment = row.get::<_, i64>(0).map_err(fail)? + 1;
            let body = row.get_ref(1).map_err(fail)?.as_blob().map_err(|_| Broken)?;
            decode(body, &mut part.entries)?;
        }
        part.entries.sort();
        Ok(slot.insert(part))
    }
}

fn encode(entries: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 11);
    for (fingerprint, block) in entries {
        out.extend_from_slice(&fingerprint.to_le_bytes());
        put(&mut out, u128::from(*block));
    }
    out
}

fn decode(mut body: &[u8], into: &mut Vec<(u64, u32)>) -> Result<(), Broken> {
    while let Some((head, rest)) = body.split_first_chunk::<8>() {
        let mut reader = Reader(rest);
        let block = u32::try_from(reader.get()?).map_err(|_| Broken)?;
        into.push((u64::from_le_bytes(*head), block));
        body = reader.0;
    }
    if body.is_empty() { Ok(()) } else { Err(Broken) }
}

mod smallest {
    //! A list that is nearly always of length 0 or 1, without allocating for those.

    #[derive(Default)]
    pub struct Blocks {
        first: Option<u32>,
        more: Vec<u32>,
    }

    impl FromIterator<u32> for Blocks {
        fn from_iter<I: IntoIterator<Item = u32>>(iter: I) -> Self {
            let mut iter = iter.into_iter();
            Blocks {
                first: iter.next(),
                more: iter.collect(),
            }
        }
    }

    impl IntoIterator for Blocks {
        type Item = u32;
        type IntoIter = std::iter::Chain<std::option::IntoIter<u32>, std::vec::IntoIter<u32>>;
        fn into_iter(self) -> Self::IntoIter {
            self.first.into_iter().chain(self.more)
        }
    }
}
