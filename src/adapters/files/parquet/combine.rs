//! Rows by the codes of the columns that they share: the codes of a row are put side by side into one number, which is looked up.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use hashbrown::HashTable;

use super::super::memo::{Known, mixed};
use super::cells::Column;

/// What is known of rows with the same codes.
#[derive(Clone, Copy)]
pub(super) struct Met {
    /// Where they are summed, and how they are read.
    pub known: Known,
    /// How many tokens each of the two units is, 0 where it is none.
    pub scales: [u32; 2],
}

/// What one column is in a key.
#[derive(Clone, Copy)]
struct Part {
    /// What its codes mean, and the bits of one.
    space: (u64, u32),
    /// The code of all rows so far: then it is not in the key.
    fixed: Option<u32>,
}

impl Part {
    fn bits(self) -> u32 {
        if self.fixed.is_some() { 0 } else { self.space.1 }
    }
}

/// Combinations after which all are forgotten.
const LIMIT: usize = 1 << 20;

/// Bits of keys for which a place each is kept, which is quicker than a table of those that there are.
const DIRECT: u32 = 16;

/// The combinations of codes met so far.
pub(super) struct Combined {
    layout: Vec<Part>,
    /// By what was put together so far, where all codes do not fit side by side: the number that stands for it from there on.
    parts: Vec<HashTable<(u64, u32)>>,
    /// The numbers of keys that something is known of.
    known: HashTable<(u64, u32)>,
    /// The same by key, one more than they are; empty where keys are too long.
    direct: Vec<u32>,
    /// By number.
    met: Vec<Met>,
    /// Counts how often they were forgotten.
    space: u64,
    /// By row.
    keys: Vec<u64>,
    /// The key of all rows.
    same: Option<u64>,
    seed: [u64; 2],
}

impl Combined {
    /// None yet.
    pub fn new() -> Self {
        // Unknown outside of the process, so that no file can be made whose rows all meet in one place.
        let random = RandomState::new();
        Combined {
            layout: Vec::new(),
            parts: Vec::new(),
            known: HashTable::new(),
            direct: Vec::new(),
            met: Vec::new(),
            space: 0,
            keys: Vec::new(),
            same: None,
            seed: [random.hash_one(0) | 1, random.hash_one(1)],
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.known.clear();
        self.met.clear();
        self.space += 1;
        self.direct.clear();
        let bits: u32 = self.layout.iter().map(|part| part.bits()).sum();
        if bits <= DIRECT {
            self.direct.resize(1 << bits, 0);
        }
    }

    /// Puts the codes of so many rows together.
    pub fn combine<'c>(&mut self, columns: impl Iterator<Item = &'c Column> + Clone, rows: usize) {
        if self.follow(columns.clone()) {
            self.clear();
        }
        if self.met.len() > LIMIT || self.parts.iter().any(|part| part.len() > LIMIT) {
            self.clear();
        }
        self.same = Some(0);
        let (mut used, mut part) = (0, 0);
        let layout = std::mem::take(&mut self.layout);
        let varying = columns.zip(&layout).filter(|(_, part)| part.fixed.is_none());
        for (column, bits) in varying.map(|(column, part)| (column, part.bits())) {
            if used + bits > u64::BITS {
                self.shorten(part);
                part += 1;
                used = u32::BITS;
            }
            match (column.codes.same(), self.same) {
                (Some(code), Some(key)) => self.same = Some(key | at(code, used)),
                (Some(code), None) => self.keys.iter_mut().for_each(|key| *key |= at(code, used)),
                (None, Some(key)) => {
                    self.same = None;
                    self.keys.clear();
                    self.keys
                        .extend(column.codes.each().iter().map(|code| key | at(*code, used)));
                    self.keys.resize(rows, key);
                }
                (None, None) => {
                    for (key, code) in self.keys.iter_mut().zip(column.codes.each()) {
                        *key |= at(*code, used);
                    }
                }
            }
            used += bits;
        }
        self.layout = layout;
    }

    /// Follows what the codes of columns mean now; whether keys mean something else than before.
    fn follow<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> bool {
        let mut changed = false;
        for (at, column) in columns.enumerate() {
            let new = Part {
                space: column.codes.space(),
                fixed: column.codes.same(),
            };
            match self.layout.get_mut(at) {
                Some(part) if part.space == new.space => {
                    // A column that was not the same everywhere stays in the key: it may come and go.
                    if part.fixed.is_some() && part.fixed != new.fixed {
                        part.fixed = None;
                        changed = true;
                    }
                }
                Some(part) => {
                    *part = new;
                    changed = true;
                }
                None => {
                    self.layout.push(new);
                    changed = true;
                }
            }
        }
        changed
    }

    /// Replaces what was put together by numbers of 32 bits.
    fn shorten(&mut self, part: usize) {
        while self.parts.len() <= part {
            self.parts.push(HashTable::new());
        }
        let seed = self.seed;
        let Some(table) = self.parts.get_mut(part) else {
            return;
        };
        let mut number = |key: u64| {
            let hash = hash(seed, key);
            if let Some((_, number)) = table.find(hash, |(known, _)| *known == key) {
                return u64::from(*number);
            }
            // Fewer than the limit and the rows of one batch.
            let next = u32::try_from(table.len()).unwrap_or(u32::MAX);
            table.insert_unique(hash, (key, next), |(known, _)| self::hash(seed, *known));
            u64::from(next)
        };
        self.same = self.same.map(&mut number);
        if self.same.is_none() {
            self.keys.iter_mut().for_each(|key| *key = number(*key));
        }
    }

    /// The key of a row.
    #[inline]
    pub fn key(&self, row: usize) -> u64 {
        self.same.or_else(|| self.keys.get(row).copied()).unwrap_or(0)
    }

    /// The keys of rows, or the one of them all.
    pub fn keys(&self, rows: Range<usize>) -> Keys<'_> {
        match self.same {
            Some(key) => Keys::Same(key),
            None => {
                let keys = self.keys.get(rows).unwrap_or_default();
                match self.direct.is_empty() {
                    true => Keys::Each(keys),
                    false => Keys::Direct(&self.direct, keys),
                }
            }
        }
    }

    /// The number of a key that something is known of: these are counted from 0 on.
    #[inline]
    pub fn number(&self, key: u64) -> Option<u32> {
        if !self.direct.is_empty() {
            let number = self.direct.get(usize::try_from(key).ok()?)?;
            return number.checked_sub(1);
        }
        let same = |(known, _): &(u64, u32)| *known == key;
        self.known.find(hash(self.seed, key), same).map(|(_, number)| *number)
    }

    /// Numbers mean the same as long as this stays the same.
    pub fn space(&self) -> u64 {
        self.space
    }

    /// What is known of rows by number.
    pub fn met(&self) -> &[Met] {
        &self.met
    }

    /// What is known of rows with this key.
    #[inline]
    pub fn get(&self, key: u64) -> Option<Met> {
        self.met.get(self.number(key)? as usize).copied()
    }

    /// Keeps what was found out about a key that is not known.
    pub fn insert(&mut self, key: u64, met: Met) {
        // Fewer than the limit and the rows of one batch.
        let number = u32::try_from(self.met.len()).unwrap_or(u32::MAX);
        self.met.push(met);
        let slot = usize::try_from(key).ok().and_then(|key| self.direct.get_mut(key));
        if let Some(slot) = slot {
            *slot = number.saturating_add(1);
            return;
        }
        let seed = self.seed;
        self.known
            .insert_unique(hash(seed, key), (key, number), |(known, _)| hash(seed, *known));
    }
}

/// The keys of rows.
#[derive(Clone, Copy)]
pub(super) enum Keys<'k> {
    /// All have this.
    Same(u64),
    /// By row, and a number for each key, one more than that of [`Combined::number`] or 0.
    Direct(&'k [u32], &'k [u64]),
    /// By row.
    Each(&'k [u64]),
}

/// A code from a bit on, of which there are 64; in a form that a processor computes for several at once.
#[inline(always)]
fn at(code: u32, bit: u32) -> u64 {
    u64::from(code).wrapping_shl(bit)
}

fn hash([seed, other]: [u64; 2], key: u64) -> u64 {
    mixed(key ^ seed, other)
}
