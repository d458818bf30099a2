//! The identity index: which block holds which call. Calls are counted once over all files and all time, so that this is
//! asked for every observation.
//!
//! A batch adds one run of identities, sorted by fingerprint; runs of like size are merged when there are many (a
//! log-structured merge tree, O'Neil 1996). A filter per run answers nearly all questions about calls that are new, so
//! that a large index costs a bulk load little, and a small batch little of a large index.

mod bloom;
mod run;

use std::collections::BTreeMap;

use rusqlite::Connection;

use self::bloom::Bloom;
use self::run::{Cursor, Entry, Run, Writer, packed};
use super::codec::Broken;
use super::names::CodecError;
use super::sort::sort_spread;
use crate::domain::usage::EventId;

/// Runs of like size that are merged into one.
const FAN: usize = 16;
/// Entries that are sorted at a time when runs are merged.
const MERGED: usize = 16_384;
/// Entries up to which runs are of the first size.
const SMALLEST: usize = 8192;

/// The runs as this handle knows them.
#[derive(Default)]
pub struct Index {
    runs: Option<Vec<Run>>,
    recent: Option<Recent>,
    scratch: Scratch,
}

/// One filter over the runs that a bulk load has added: nearly all questions of the load are answered by it alone.
struct Recent {
    filter: Bloom,
    entries: usize,
    runs: Vec<i64>,
}

/// Entries of that filter, after which it begins anew.
const RECENT: usize = 1 << 20;

/// Memory that is used again from batch to batch.
#[derive(Default)]
struct Scratch {
    keys: Vec<u128>,
    spare: Vec<u128>,
    wanted: Vec<(u64, u32)>,
    doubtful: Vec<(u64, u32)>,
    possible: Vec<(u64, u32)>,
}

/// The part of an identity that the index keeps.
fn fingerprint(id: EventId) -> u64 {
    let [_, _, c, d, e, f, g, h, i, j, ..] = id.0;
    u64::from_be_bytes([c, d, e, f, g, h, i, j])
}

/// How many times [`FAN`] of the smallest runs it is as large as.
fn size_class(run: &Run) -> u32 {
    (run.entries / SMALLEST).checked_ilog(FAN).map_or(0, |class| class + 1)
}

impl Index {
    /// Forgets what was loaded: another process has written, or a transaction was rolled back.
    pub fn clear(&mut self) {
        self.runs = None;
        self.recent = None;
    }

    fn load(
        &mut self,
        conn: &Connection,
        path: &str,
    ) -> Result<(&mut Vec<Run>, &mut Option<Recent>, &mut Scratch), CodecError> {
        let runs = match &mut self.runs {
            Some(runs) => runs,
            slot @ None => slot.insert(run::list(conn, path)?),
        };
        Ok((runs, &mut self.recent, &mut self.scratch))
    }

    /// The blocks that may hold the calls: (position in `ids`, block), most often none or one for each.
    pub fn find(
        &mut self,
        conn: &Connection,
        path: &str,
        ids: impl Iterator<Item = EventId>,
    ) -> Result<Vec<(u32, u32)>, CodecError> {
        let mut found = Vec::new();
        let (runs, recent, scratch) = self.load(conn, path)?;
        if runs.is_empty() {
            return Ok(found);
        }
        let Scratch {
            wanted,
            doubtful,
            possible,
            ..
        } = scratch;
        let asked = ids.zip(0..).map(|(id, position)| (fingerprint(id), position));
        wanted.clear();
        doubtful.clear();
        match recent {
            // Nearly all questions of a load end here.
            Some(recent) if runs.iter().all(|run| recent.runs.contains(&run.no)) => {
                doubtful.extend(asked.filter(|(f, _)| recent.filter.may_hold(*f)));
            }
            Some(recent) => {
                wanted.extend(asked);
                doubtful.extend(wanted.iter().copied().filter(|(f, _)| recent.filter.may_hold(*f)));
            }
            None => wanted.extend(asked),
        }
        for run in runs {
            let covered = recent.as_ref().is_some_and(|recent| recent.runs.contains(&run.no));
            let asked = if covered { &*doubtful } else { &*wanted };
            run.prepare(conn, path, asked.len())?;
            possible.clear();
            possible.extend(asked.iter().copied().filter(|(f, _)| run.may_hold(*f)));
            possible.sort_unstable();
            run.find(conn, path, possible, &mut found)?;
        }
        Ok(found)
    }

    /// The blocks that may hold these calls, each with its calls.
    pub fn blocks_of(
        &mut self,
        conn: &Connection,
        path: &str,
        ids: &[EventId],
    ) -> Result<BTreeMap<u32, Vec<EventId>>, CodecError> {
        let mut wanted: BTreeMap<u32, Vec<EventId>> = BTreeMap::new();
        for (position, block) in self.find(conn, path, ids.iter().copied())? {
            let id = ids.get(position as usize).ok_or(Broken)?;
            wanted.entry(block).or_default().push(*id);
        }
        Ok(wanted)
    }

    /// Adds calls with their blocks.
    pub fn add(
        &mut self,
        conn: &Connection,
        path: &str,
        calls: impl Iterator<Item = (EventId, u32)>,
    ) -> Result<(), CodecError> {
        self.add_entries(conn, path, calls.map(|(id, block)| (fingerprint(id), block)))
    }

    /// Adds entries as one run.
    pub fn add_entries(
        &mut self,
        conn: &Connection,
        path: &str,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<(), CodecError> {
        let (runs, recent, Scratch { keys, spare, .. }) = self.load(conn, path)?;
        keys.clear();
        keys.extend(entries.map(packed));
        if keys.is_empty() {
            return Ok(());
        }
        sort(keys, spare, 0, 1);
        let no = runs.last().map_or(1, |run| run.no + 1);
        let mut writer = Writer::new(conn, path, no, keys.len());
        if keys.len() >= SMALLEST
            && recent
                .as_ref()
                .is_none_or(|recent| recent.entries + keys.len() > RECENT)
        {
            *recent = Some(Recent {
                filter: Bloom::new(RECENT.max(keys.len())),
                entries: 0,
                runs: Vec::new(),
            });
        }
        let mut covering = recent.as_mut().filter(|recent| recent.entries + keys.len() <= RECENT);
        writer.extend(keys, covering.as_mut().map(|recent| &mut recent.filter))?;
        runs.push(writer.finish()?);
        if let Some(recent) = covering {
            recent.entries += keys.len();
            recent.runs.push(no);
        }
        while let Some(class) = crowded(runs) {
            merge(conn, path, runs, class, recent.as_mut(), (keys, spare))?;
        }
        Ok(())
    }
}

/// Sorts entries whose fingerprints are spread evenly over one of so many parts of all, which begins with `least`.
fn sort(keys: &mut Vec<u128>, spare: &mut Vec<u128>, least: u64, parts: u128) {
    sort_spread(keys, spare, |key, buckets| {
        // How many buckets there would be over all parts.
        let all = u64::try_from(parts * buckets as u128).unwrap_or(u64::MAX);
        let within = ((key >> 32) as u64).saturating_sub(least);
        ((u128::from(within) * u128::from(all)) >> 64) as usize
    });
}

/// A size of which there are too many runs.
fn crowded(runs: &[Run]) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    runs.iter()
        .for_each(|run| *counts.entry(size_class(run)).or_default() += 1);
    counts
        .into_iter()
        .find(|(_, count)| *count >= FAN)
        .map(|(class, _)| class)
}

/// Makes one run of all runs of a size, with one page of each in memory.
fn merge(
    conn: &Connection,
    path: &str,
    runs: &mut Vec<Run>,
    class: u32,
    recent: Option<&mut Recent>,
    (keys, spare): (&mut Vec<u128>, &mut Vec<u128>),
) -> Result<(), CodecError> {
    let no = runs.last().map_or(1, |run| run.no + 1);
    let (old, kept): (Vec<Run>, Vec<Run>) = std::mem::take(runs).into_iter().partition(|r| size_class(r) == class);
    let mut cursors: Vec<Cursor<'_>> = old.iter().map(|run| Cursor::new(conn, path, run)).collect();
    let entries: usize = old.iter().map(|r| r.entries).sum();
    let mut writer = Writer::new(conn, path, no, entries);
    // A part of all fingerprints after the other. Sorting a part anew is several times faster than comparing the least of each run.
    let parts = entries.div_ceil(MERGED) as u128;
    let mut least = 0;
    for part in 1..=parts {
        let last = u64::try_from((part << 64) / parts - 1).unwrap_or(u64::MAX);
        keys.clear();
        cursors.iter_mut().try_for_each(|cursor| cursor.take_to(last, keys))?;
        sort(keys, spare, least, parts);
        writer.extend(keys, None)?;
        least = last.saturating_add(1);
    }
    let merged = writer.finish()?;
    if let Some(recent) = recent
        && old.iter().all(|run| recent.runs.contains(&run.no))
    {
        recent.runs.push(no);
    }
    for run in &old {
        run.delete(conn, path)?;
    }
    *runs = kept;
    runs.push(merged);
    Ok(())
}

/// Makes a run of the index of the first schema: entries spread over parts by the first 12 bits of the identity.
pub fn migrate(conn: &Connection, path: &str) -> Result<(), CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(super::failed(path, &e));
    let mut entries = Vec::new();
    {
        let mut statement = conn
            .prepare("SELECT body FROM event_index WHERE part >= 0")
            .map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let mut body = row.get_ref(0).map_err(fail)?.as_blob().map_err(|_| Broken)?;
            while let Some((head, rest)) = body.split_first_chunk::<8>() {
                let mut reader = super::codec::Reader(rest);
                let block = u32::try_from(reader.get()?).map_err(|_| Broken)?;
                entries.push((u64::from_le_bytes(*head), block));
                body = reader.0;
            }
        }
    }
    Index::default().add_entries(conn, path, entries.into_iter())?;
    conn.execute_batch("DROP TABLE event_index").map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> EventId {
        EventId::of(&[b"test", &n.to_le_bytes()])
    }

    #[test]
    fn every_call_is_found_after_any_number_of_merges() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE event_run (no INTEGER PRIMARY KEY, entries INTEGER NOT NULL, fences BLOB NOT NULL, bloom BLOB NOT NULL);
             CREATE TABLE event_run_page (no INTEGER PRIMARY KEY, body BLOB NOT NULL);",
        )
        .unwrap();
        let mut index = Index::default();
        let block = |n: u64| u32::try_from(n % 7).unwrap();
        let mut next = 0;
        for batch in 0..40_u64 {
            let size = [1, 3000, 20_000][usize::try_from(batch % 3).unwrap()];
            let calls = (next..next + size).map(|n| (id(n), block(n)));
            assert!(index.add(&conn, "test", calls).is_ok());
            next += size;
        }
        assert!(index.runs.as_ref().unwrap().len() < 32);
        let mut fresh = Index::default();
        for index in [&mut index, &mut fresh] {
            let Ok(found) = index.find(&conn, "test", (0..next + 5000).map(id)) else {
                panic!("the index can be read");
            };
            let mut found: Vec<(u32, u32)> = found;
            found.sort_unstable();
            let expected: Vec<(u32, u32)> = (0..next).map(|n| (u32::try_from(n).unwrap(), block(n))).collect();
            assert_eq!(found, expected);
        }
        let Ok(one) = Index::default().find(&conn, "test", std::iter::once(id(5))) else {
            panic!("the index can be read");
        };
        assert_eq!(one, [(0, 5)]);
    }
}
