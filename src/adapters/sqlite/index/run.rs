//! A run: identities in the order of their fingerprints, in pages that are read one by one.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::codec::Broken;
use super::super::failed;
use super::super::names::CodecError;
use super::bloom::Bloom;

/// Fingerprint of a call and the block that holds it.
pub type Entry = (u64, u32);

/// Bytes of an entry on a page.
const ENTRY: usize = 12;
/// Entries of a page: as many as fit into one page of the store.
const PAGE: usize = 1350;
/// Bits of a page's number within its run.
const PAGE_BITS: u32 = 24;

/// A stored run.
pub struct Run {
    pub no: i64,
    pub entries: usize,
    /// First fingerprint of each page.
    fences: Vec<u64>,
    bloom: Option<Bloom>,
}

fn key(run: i64, page: usize) -> Result<i64, Broken> {
    let page = i64::try_from(page).map_err(|_| Broken)?;
    Ok((run << PAGE_BITS) | page)
}

/// All runs, without their filters.
pub fn list(conn: &Connection, path: &str) -> Result<Vec<Run>, CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut statement = conn
        .prepare_cached("SELECT no, entries, fences FROM event_run ORDER BY no")
        .map_err(fail)?;
    let mut rows = statement.query([]).map_err(fail)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        let fences = row.get_ref(2).map_err(fail)?.as_blob().map_err(|_| Broken)?;
        runs.push(Run {
            no: row.get(0).map_err(fail)?,
            entries: usize::try_from(row.get::<_, i64>(1).map_err(fail)?).map_err(|_| Broken)?,
            fences: fences
                .as_chunks::<8>()
                .0
                .iter()
                .map(|f| u64::from_le_bytes(*f))
                .collect(),
            bloom: None,
        });
    }
    Ok(runs)
}

impl Run {
    /// Loads the filter, if so many questions make it worth its size.
    pub fn prepare(&mut self, conn: &Connection, path: &str, questions: usize) -> Result<(), CodecError> {
        // A question costs a page, a filter about a tenth of all pages.
        if self.bloom.is_some() || questions.saturating_mul(10) < self.fences.len() {
            return Ok(());
        }
        let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
        let mut statement = conn
            .prepare_cached("SELECT bloom FROM event_run WHERE no = ?")
            .map_err(fail)?;
        // Read where SQLite holds it: a filter of a large run has many megabytes.
        let bloom = statement
            .query_row([self.no], |row| Ok(Bloom::parse(row.get_ref(0)?.as_blob()?)))
            .map_err(fail)?;
        self.bloom = Some(bloom?);
        Ok(())
    }

    /// Whether the run may hold a fingerprint.
    pub fn may_hold(&self, fingerprint: u64) -> bool {
        self.bloom.as_ref().is_none_or(|b| b.may_hold(fingerprint))
    }

    /// The blocks of these fingerprints, which must be sorted: (position in `wanted`, block).
    pub fn find(
        &self,
        conn: &Connection,
        path: &str,
        wanted: &[(u64, u32)],
        found: &mut Vec<(u32, u32)>,
    ) -> Result<(), CodecError> {
        let mut page = Vec::new();
        let mut loaded = None;
        for (fingerprint, position) in wanted {
            // Equal fingerprints may run over the end of a page.
            let mut number = self.fences.partition_point(|f| f < fingerprint).saturating_sub(1);
            while self.fences.get(number).is_some_and(|first| first <= fingerprint) {
                if loaded != Some(number) {
                    read_page(conn, path, self.no, number, &mut page)?;
                    loaded = Some(number);
                }
                let start = page.partition_point(|(f, _)| f < fingerprint);
                let same = page.iter().skip(start).take_while(|(f, _)| f == fingerprint);
                found.extend(same.map(|(_, block)| (*position, *block)));
                number += 1;
            }
        }
        Ok(())
    }

    /// Removes the run from the store.
    pub fn delete(&self, conn: &Connection, path: &str) -> Result<(), CodecError> {
        let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
        let (from, to) = (key(self.no, 0)?, key(self.no + 1, 0)?);
        conn.prepare_cached("DELETE FROM event_run_page WHERE no >= ? AND no < ?")
            .and_then(|mut s| s.execute([from, to]))
            .map_err(fail)?;
        conn.prepare_cached("DELETE FROM event_run WHERE no = ?")
            .and_then(|mut s| s.execute([self.no]))
            .map_err(fail)?;
        Ok(())
    }
}

fn read_page(conn: &Connection, path: &str, run: i64, page: usize, into: &mut Vec<Entry>) -> Result<(), CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    into.clear();
    let mut statement = conn
        .prepare_cached("SELECT body FROM event_run_page WHERE no = ?")
        .map_err(fail)?;
    let read = statement
        .query_row([key(run, page)?], |row| {
            let (entries, rest) = row.get_ref(0)?.as_blob()?.as_chunks::<ENTRY>();
            into.extend(entries.iter().map(|entry| {
                let [a, b, c, d, e, f, g, h, block @ ..] = *entry;
                (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes(block))
            }));
            Ok(rest.is_empty())
        })
        .optional()
        .map_err(fail)?;
    match read {
        Some(true) => Ok(()),
        Some(false) | None => Err(Broken.into()),
    }
}

/// Writes a run, whose entries come in the order of fingerprints.
pub struct Writer<'a> {
    conn: &'a Connection,
    path: &'a str,
    no: i64,
    entries: usize,
    fences: Vec<u64>,
    bloom: Bloom,
    page: Vec<u8>,
    before: u64,
}

impl<'a> Writer<'a> {
    /// Begins a run of so many entries.
    pub fn new(conn: &'a Connection, path: &'a str, no: i64, entries: usize) -> Self {
        Writer {
            conn,
            path,
            no,
            entries: 0,
            fences: Vec::with_capacity(entries / PAGE + 1),
            bloom: Bloom::new(entries),
            page: Vec::with_capacity(PAGE * ENTRY),
            before: 0,
        }
    }

    /// Adds entries, also to a filter over more than this run.
    pub fn extend(&mut self, mut keys: &[u128], mut over: Option<&mut Bloom>) -> Result<(), CodecError> {
        while !keys.is_empty() {
            let from = self.page.len();
            let room = PAGE - from / ENTRY;
            let (fitting, rest) = keys.split_at_checked(room).unwrap_or((keys, &[]));
            if let (0, Some(first)) = (from, fitting.first()) {
                self.fences.push(unpacked(*first).0);
            }
            self.page.resize(from + fitting.len() * ENTRY, 0);
            let slots = self.page.get_mut(from..).unwrap_or(&mut []).as_chunks_mut::<ENTRY>().0;
            for (slot, key) in slots.iter_mut().zip(fitting) {
                let (fingerprint, block) = unpacked(*key);
                if fingerprint < self.before {
                    return Err(Broken.into());
                }
                self.before = fingerprint;
                let [a, b, c, d, e, f, g, h] = fingerprint.to_le_bytes();
                let [i, j, k, l] = block.to_le_bytes();
                *slot = [a, b, c, d, e, f, g, h, i, j, k, l];
                match &mut over {
                    Some(over) => self.bloom.insert_with(over, fingerprint),
                    None => self.bloom.insert(fingerprint),
                }
            }
            self.entries += fitting.len();
            if self.page.len() >= PAGE * ENTRY {
                self.flush()?;
            }
            keys = rest;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CodecError> {
        if self.page.is_empty() {
            return Ok(());
        }
        let key = key(self.no, self.fences.len() - 1)?;
        self.conn
            .prepare_cached("INSERT INTO event_run_page (no, body) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![key, self.page]))
            .map_err(|e| CodecError::Store(failed(self.path, &e)))?;
        self.page.clear();
        Ok(())
    }

    /// Ends the run.
    pub fn finish(mut self) -> Result<Run, CodecError> {
        self.flush()?;
        let fences: Vec<u8> = self.fences.iter().flat_map(|f| f.to_le_bytes()).collect();
        let entries = i64::try_from(self.entries).map_err(|_| Broken)?;
        self.conn
            .prepare_cached("INSERT INTO event_run (no, entries, fences, bloom) VALUES (?, ?, ?, ?)")
            .and_then(|mut s| s.execute(params![self.no, entries, fences, self.bloom.bytes()]))
            .map_err(|e| CodecError::Store(failed(self.path, &e)))?;
        Ok(Run {
            no: self.no,
            entries: self.entries,
            fences: self.fences,
            bloom: Some(self.bloom),
        })
    }
}

/// Reads a run from its beginning, one page in memory at a time.
pub struct Cursor<'a> {
    conn: &'a Connection,
    path: &'a str,
    run: i64,
    pages: usize,
    next_page: usize,
    page: Vec<Entry>,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first entry.
    pub fn new(conn: &'a Connection, path: &'a str, run: &Run) -> Self {
        Cursor {
            conn,
            path,
            run: run.no,
            pages: run.fences.len(),
            next_page: 0,
            page: Vec::new(),
            at: 0,
        }
    }

    /// Appends the entries up to a fingerprint, and moves on behind them.
    pub fn take_to(&mut self, last: u64, into: &mut Vec<u128>) -> Result<(), CodecError> {
        loop {
            let rest = self.page.get(self.at..).unwrap_or(&[]);
            let taken = rest.partition_point(|(fingerprint, _)| *fingerprint <= last);
            into.extend(rest.iter().take(taken).map(|entry| packed(*entry)));
            self.at += taken;
            if taken < rest.len() || self.next_page >= self.pages {
                return Ok(());
            }
            read_page(self.conn, self.path, self.run, self.next_page, &mut self.page)?;
            self.next_page += 1;
            self.at = 0;
        }
    }
}

/// An entry as a number of the same order.
pub fn packed((fingerprint, block): Entry) -> u128 {
    u128::from(fingerprint) << 32 | u128::from(block)
}

/// The entry of such a number.
pub fn unpacked(packed: u128) -> Entry {
    ((packed >> 32) as u64, packed as u32)
}
