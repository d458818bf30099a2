//! Lines of calls that were met again, later in a file, and were no better for that.
//!
//! Of two observations of the same standing the later line wins, so that the line has to be kept, and a file that repeats what is
//! recorded (an export that overlaps the one before) tells a new one for each call. Beside the blocks this is some bytes a
//! call; within them every block would be written anew.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{Broken, Reader, put};
use super::failed;
use super::names::{CodecError, StoredNames};
use crate::domain::usage::UsageEvent;

/// The lines of a block, by place, that are later than those in it.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Later {
    lines: BTreeMap<usize, u64>,
    changed: bool,
}

impl Later {
    /// Those of a block.
    pub fn load(names: &StoredNames<'_>, block: u32) -> Result<Self, CodecError> {
        let body: Option<Vec<u8>> = names
            .conn
            .prepare_cached("SELECT body FROM event_line WHERE no = ?")
            .and_then(|mut s| s.query_row([block], |row| row.get(0)).optional())
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        Ok(Later::parse(&body.unwrap_or_default())?)
    }

    fn parse(body: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader(body);
        let mut lines = BTreeMap::new();
        while !reader.done() {
            let place = usize::try_from(reader.u64()?).map_err(|_| Broken)?;
            lines.insert(place, reader.u64()?);
        }
        Ok(Later { lines, changed: false })
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (place, line) in &self.lines {
            put(&mut body, *place as u128);
            put(&mut body, u128::from(*line));
        }
        body
    }

    /// Keeps what has changed.
    pub fn store(&self, names: &StoredNames<'_>, block: u32) -> Result<(), CodecError> {
        if !self.changed {
            return Ok(());
        }
        names
            .conn
            .prepare_cached("INSERT OR REPLACE INTO event_line (no, body) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![block, self.body()]))
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        Ok(())
    }

    /// Gives a call of the block its line.
    pub fn tell(&self, place: usize, event: &mut UsageEvent) {
        if let Some(line) = self.lines.get(&place) {
            event.rank.line = *line;
        }
    }

    /// Notes the line of a call.
    pub fn note(&mut self, place: usize, line: u64) {
        self.lines.insert(place, line);
        self.changed = true;
    }

    /// Forgets the line of a call that the block itself now tells.
    pub fn forget(&mut self, place: usize) {
        self.changed |= self.lines.remove(&place).is_some();
    }
}

/// Deletes those of blocks recorded before an instant, in seconds.
pub fn expire(conn: &Connection, path: &str, before: i64) -> Result<(), CodecError> {
    conn.execute(
        "DELETE FROM event_line WHERE no IN (SELECT no FROM event_block WHERE recorded_at < ?)",
        [before],
    )
    .map_err(|e| CodecError::Store(failed(path, &e)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_back(lines in prop::collection::btree_map(0..1024_usize, any::<u64>(), 0..50)) {
            let later = Later { lines, changed: false };
            prop_assert!(matches!(Later::parse(&later.body()), Ok(read) if read == later));
        }
    }

    #[test]
    fn bytes_that_end_early_are_an_error() {
        let mut later = Later::default();
        later.note(7, 300);
        let body = later.body();
        assert!((1..body.len()).all(|end| Later::parse(&body[..end]).is_err()));
    }
}
