//! Numbers for names: the store keeps each name once.

use std::hash::{Hash, Hasher};

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHasher;

use super::codec::{Broken, Names};
use super::failed;
use crate::domain::dimension::Dimensions;
use crate::domain::label::Label;
use crate::ports::StoreError;

/// What is known of the name table so far. Numbers never change, so that this only grows; after a rolled back transaction
/// it must be forgotten.
#[derive(Default)]
pub struct NameCache {
    /// Number by label index, 0 where not known.
    numbers: Vec<u64>,
    /// Label by number, the empty one where not known.
    labels: Vec<Label>,
    /// What dimensions were packed into, by [`place`].
    packed: PackedCache,
}

/// Dimensions packed lately. Where hardly any come again, looking for them costs more than it saves: then it rests for a while.
#[derive(Default)]
struct PackedCache {
    entries: Vec<Packed>,
    hits: u32,
    misses: u32,
    idle: u32,
}

/// Questions after which the cache judges itself, and for how many it rests.
const JUDGED: u32 = 1024;
const REST: u32 = 16 * JUDGED;

impl PackedCache {
    fn is_idle(&mut self) -> bool {
        self.idle = self.idle.saturating_sub(1);
        self.idle > 0
    }

    fn hit(&mut self) {
        self.hits += 1;
        self.judge();
    }

    fn missed(&mut self) {
        self.misses += 1;
        self.judge();
    }

    fn judge(&mut self) {
        if self.hits + self.misses >= JUDGED {
            if self.hits < self.misses {
                self.idle = REST;
            }
            (self.hits, self.misses) = (0, 0);
        }
    }

    fn keep(&mut self, dimensions: &Dimensions, packed: &[u8]) {
        self.entries.resize(PLACES, Packed::default());
        let slot = self.entries.get_mut(place(dimensions));
        let (Some(slot), Ok(length)) = (slot, u8::try_from(packed.len())) else {
            return;
        };
        if let Some(bytes) = slot.bytes.get_mut(..packed.len()) {
            bytes.copy_from_slice(packed);
            (slot.dimensions, slot.length) = (*dimensions, length);
        }
    }
}

/// Dimensions and what they were packed into; nothing while empty.
#[derive(Clone, Default)]
struct Packed {
    dimensions: Dimensions,
    length: u8,
    bytes: [u8; PACKED_BYTES],
}

/// Longest packed dimensions that are remembered: more than two bytes for each.
const PACKED_BYTES: usize = 32;
/// Packed dimensions that are remembered, a power of two: the calls of some sessions in turns.
const PLACES: usize = 256;

fn place(dimensions: &Dimensions) -> usize {
    let mut hasher = FxHasher::default();
    dimensions.hash(&mut hasher);
    (hasher.finish() >> 32) as usize % PLACES
}

impl NameCache {
    fn note(&mut self, label: Label, number: u64) -> Result<(), Broken> {
        let place = usize::try_from(number).map_err(|_| Broken)?;
        // The store counts its names from 1 without gaps; a number far beyond is no name's.
        if place > MOST_NAMES {
            return Err(Broken);
        }
        if self.labels.len() <= place {
            self.labels.resize(place + 1, Label::EMPTY);
        }
        if self.numbers.len() <= label.index() {
            self.numbers.resize(label.index() + 1, 0);
        }
        if let (Some(known), Some(slot)) = (self.labels.get_mut(place), self.numbers.get_mut(label.index())) {
            *known = label;
            *slot = number;
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.labels.clear();
        self.packed.entries.clear();
    }
}

/// More names than any store has: a gigabyte of them.
const MOST_NAMES: usize = 1 << 27;

/// The name table within one transaction.
pub struct StoredNames<'a> {
    /// The transaction.
    pub conn: &'a Connection,
    /// The store, for errors.
    pub path: &'a str,
    /// What is known.
    pub cache: &'a mut NameCache,
}

/// A failure of the codec or of the store.
pub enum CodecError {
    /// The bytes are damaged.
    Broken,
    /// The store failed.
    Store(StoreError),
}

impl From<Broken> for CodecError {
    fn from(_: Broken) -> Self {
        CodecError::Broken
    }
}

impl CodecError {
    /// As an error of the store at `path`.
    pub fn at(self, path: &str) -> StoreError {
        match self {
            CodecError::Broken => StoreError::Damaged {
                path: path.to_owned(),
                cause: "a packed row cannot be read".to_owned(),
            },
            CodecError::Store(error) => error,
        }
    }
}

impl Names for StoredNames<'_> {
    type Error = CodecError;

    #[inline]
    fn known(&self, label: Label) -> Option<u64> {
        if label.is_empty() {
            return Some(0);
        }
        self.cache.numbers.get(label.index()).copied().filter(|n| *n != 0)
    }

    fn number(&mut self, label: Label) -> Result<u64, CodecError> {
        if let Some(number) = self.known(label) {
            return Ok(number);
        }
        let fail = |e: rusqlite::Error| CodecError::Store(failed(self.path, &e));
        let text = label.as_str();
        let known: Option<i64> = self
            .conn
            .prepare_cached("SELECT number FROM name WHERE text = ?")
            .and_then(|mut s| s.query_row([text], |row| row.get(0)).optional())
            .map_err(fail)?;
        let number = match known {
            Some(number) => number,
            None => {
                self.conn
                    .prepare_cached("INSERT INTO name (text) VALUES (?)")
                    .and_then(|mut s| s.execute([text]))
                    .map_err(fail)?;
                self.conn.last_insert_rowid()
            }
        };
        let number = u64::try_from(number).map_err(|_| Broken)?;
        self.cache.note(label, number)?;
        Ok(number)
    }

    fn put_packed(&mut self, dimensions: &Dimensions, out: &mut Vec<u8>) -> bool {
        let cache = &mut self.cache.packed;
        if cache.is_idle() {
            return false;
        }
        let known = cache.entries.get(place(dimensions));
        let Some(known) = known.filter(|known| known.length > 0 && known.dimensions == *dimensions) else {
            cache.missed();
            return false;
        };
        out.extend_from_slice(known.bytes.get(..usize::from(known.length)).unwrap_or(&[]));
        cache.hit();
        true
    }

    fn remember_packed(&mut self, dimensions: &Dimensions, packed: &[u8]) {
        let cache = &mut self.cache.packed;
        if cache.idle == 0 {
            cache.keep(dimensions, packed);
        }
    }

    fn label(&mut self, number: u64) -> Result<Label, CodecError> {
        if number == 0 {
            return Ok(Label::EMPTY);
        }
        let place = usize::try_from(number).map_err(|_| Broken)?;
        if let Some(label) = self.cache.labels.get(place).filter(|l| !l.is_empty()) {
            return Ok(*label);
        }
        let key = i64::try_from(number).map_err(|_| Broken)?;
        let text: Option<String> = self
            .conn
            .prepare_cached("SELECT text FROM name WHERE number = ?")
            .and_then(|mut s| s.query_row([key], |row| row.get(0)).optional())
            .map_err(|e| CodecError::Store(failed(self.path, &e)))?;
        let label = Label::new(&text.ok_or(Broken)?);
        self.cache.note(label, number)?;
        Ok(label)
    }
}
