//! Rows by the codes of the columns that they share: the codes of a row are put side by side into one number, which is looked up.

use std::hash::{BuildHasher, RandomState};

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

/// Combinations after which all are forgotten.
const LIMIT: usize = 1 << 20;

/// The combinations of codes met so far.
pub(super) struct Combined {
    /// What the codes of each column mean, and the bits of one.
    layout: Vec<(u64, u32)>,
    /// By what was put together so far, where all codes do not fit side by side: the number that stands for it from there on.
    parts: Vec<HashTable<(u64, u32)>>,
    known: HashTable<(u64, Met)>,
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
            keys: Vec::new(),
            same: None,
            seed: [random.hash_one(0) | 1, random.hash_one(1)],
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.known.clear();
    }

    /// Puts the codes of so many rows together.
    pub fn combine<'c>(&mut self, columns: impl Iterator<Item = &'c Column> + Clone, rows: usize) {
        let layout = columns.clone().map(|column| column.codes.space());
        if !layout.clone().eq(self.layout.iter().copied()) {
            self.layout.clear();
            self.layout.extend(layout);
            self.clear();
        }
        if self.known.len() > LIMIT || self.parts.iter().any(|part| part.len() > LIMIT) {
            self.clear();
        }
        self.same = Some(0);
        let (mut used, mut part) = (0, 0);
        for (column, bits) in columns.zip(self.layout.clone().into_iter().map(|(_, bits)| bits)) {
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

    /// What is known of rows with this key.
    #[inline]
    pub fn get(&self, key: u64) -> Option<Met> {
        let same = |(known, _): &(u64, Met)| *known == key;
        self.known.find(hash(self.seed, key), same).map(|(_, met)| *met)
    }

    /// Keeps what was found out about a key that is not known.
    pub fn insert(&mut self, key: u64, met: Met) {
        let seed = self.seed;
        self.known
            .insert_unique(hash(seed, key), (key, met), |(known, _)| hash(seed, *known));
    }
}

fn at(code: u32, bit: u32) -> u64 {
    u64::from(code).checked_shl(bit).unwrap_or(0)
}

fn hash([seed, other]: [u64; 2], key: u64) -> u64 {
    mixed(key ^ seed, other)
}
