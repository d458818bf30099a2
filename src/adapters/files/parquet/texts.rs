//! The texts of a column by number: a value that comes again is known by its bytes, most often by where they lie.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use parquet::errors::{ParquetError, Result};

use super::super::focus_tokens;
use super::super::time::parse_time;
use crate::domain::period::Hour;
use crate::domain::usage::Bucket;

/// A text, or what is wrong with it.
pub(super) type Text = std::result::Result<String, String>;

/// The texts of a column, by number. Number 0 is that of nothing.
pub(super) struct Texts {
    /// The values as they are stored, and as texts or what is wrong with them.
    known: Vec<(Box<[u8]>, Text)>,
    numbers: HashTable<u32>,
    /// The values met last.
    recent: Vec<Recent>,
    hours: Vec<Option<Hour>>,
    buckets: Vec<Option<Bucket>>,
    hasher: RandomState,
    bytes: usize,
}

/// A value by what tells it without a look at its bytes.
#[derive(Clone, Copy, Default)]
struct Recent {
    /// Where it lies, or its bits.
    id: u64,
    length: usize,
    /// The batch in which it lies there.
    batch: u32,
    /// None yet where it is 0.
    number: u32,
}

/// Places of [`Texts::recent`], a power of two.
const RECENT: usize = 4096;
/// Bytes of texts after which a column forgets them.
const LIMIT: usize = 16 << 20;

impl Texts {
    /// None yet but that of nothing.
    pub fn new() -> Self {
        Texts {
            known: vec![(Box::default(), Ok(String::new()))],
            numbers: HashTable::new(),
            recent: vec![Recent::default(); RECENT],
            hours: Vec::new(),
            buckets: Vec::new(),
            hasher: RandomState::new(),
            bytes: 0,
        }
    }

    /// The number of a value. A value that is longer than eight bytes stays where it lies as long as `batch` is the same.
    pub fn number(&mut self, value: &[u8], batch: u32, text: impl FnOnce() -> Text) -> Result<u32> {
        // A short one is told by its bits, wherever it lies.
        let (id, batch) = match short(value) {
            Some(bits) => (bits, 0),
            None => (value.as_ptr() as u64, batch),
        };
        let known = |number: u32| {
            self.known
                .get(number as usize)
                .is_some_and(|(known, _)| **known == *value)
        };
        let place = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % RECENT;
        let now = |number| Recent {
            id,
            length: value.len(),
            batch,
            number,
        };
        if let Some(met) = self.recent.get_mut(place).filter(|met| met.number > 0 && met.id == id) {
            if met.length == value.len() && met.batch == batch {
                return Ok(met.number);
            }
            if known(met.number) {
                *met = now(met.number);
                return Ok(met.number);
            }
        }
        let hash = self.hasher.hash_one(value);
        let number = match self.numbers.find(hash, |number| known(*number)) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.known.len()).map_err(|_| too_many())?;
                self.known.push((value.into(), text()));
                self.bytes += 2 * value.len() + 64;
                let (hasher, values) = (&self.hasher, &self.known);
                let of = |number: &u32| {
                    values
                        .get(*number as usize)
                        .map_or(0, |(value, _)| hasher.hash_one(&**value))
                };
                self.numbers.insert_unique(hash, number, of);
                number
            }
        };
        if let Some(slot) = self.recent.get_mut(place) {
            *slot = now(number);
        }
        Ok(number)
    }

    /// The number of a text that is not looked for by its bytes.
    pub fn keep(&mut self, text: Text) -> Result<u32> {
        let number = u32::try_from(self.known.len()).map_err(|_| too_many())?;
        self.bytes += 64 + text.as_ref().map_or_else(String::len, String::len);
        self.known.push((Box::default(), text));
        Ok(number)
    }

    /// The hour that a text names.
    pub fn hour(&mut self, number: u32) -> Option<Hour> {
        while self.hours.len() < self.known.len() {
            let text = self
                .known
                .get(self.hours.len())
                .and_then(|(_, text)| text.as_ref().ok());
            let at = text.and_then(|text| parse_time(text));
            self.hours.push(at.map(|(at, _)| Hour::of(at)));
        }
        self.hours.get(number as usize).copied().flatten()
    }

    /// The kind of token that a text names.
    pub fn bucket(&mut self, number: u32) -> Option<Bucket> {
        while self.buckets.len() < self.known.len() {
            let text = self.known.get(self.buckets.len());
            let text = text.and_then(|(_, text)| text.as_ref().ok());
            self.buckets.push(text.and_then(|text| focus_tokens::bucket(text)));
        }
        self.buckets.get(number as usize).copied().flatten()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// The text of a number.
    pub fn text(&self, number: u32) -> Option<&Text> {
        self.known.get(number as usize).map(|(_, text)| text)
    }

    /// Whether it is time to forget them.
    pub fn full(&self) -> bool {
        self.bytes > LIMIT
    }
}

fn too_many() -> ParquetError {
    ParquetError::General("more texts than can be told apart".to_owned())
}

/// The bits of a value of up to eight bytes.
fn short(value: &[u8]) -> Option<u64> {
    (value.len() <= 8).then(|| value.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}
