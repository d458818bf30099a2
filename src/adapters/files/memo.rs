//! Rows of a bill by what they share: where they are summed is found out once for each combination of texts, and then looked up.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::bills::Place;
use super::cur::Counted;

/// What is known of rows with the same shared texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Where they are summed.
    pub place: Place,
    /// What else of them is read.
    pub way: Way,
    /// Where their effective cost stands.
    pub spread: Spread,
}

/// How a row is read whose place is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Its costs and its hour.
    Costs,
    /// These and its tokens.
    Tokens,
    /// These and an amount of usage, which counts tokens like this.
    Counted(Counted),
    /// As if nothing were known.
    Row,
}

/// Where the effective cost of a row stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spread {
    /// In its own column.
    Own,
    /// In the first column that is given of one of the lists that there are; where none is, in its own.
    Listed(usize),
    /// It is nothing.
    Nothing,
}

/// Bytes of combinations after which all are forgotten: texts that never repeat must not grow the memory without bound.
const LIMIT: usize = 64 << 20;

/// The combinations met so far.
pub(super) struct Memo {
    entries: HashTable<Entry>,
    texts: Vec<u8>,
    seed: [u64; 2],
}

struct Entry {
    hash: u64,
    start: usize,
    length: usize,
    known: Known,
}

impl Default for Memo {
    fn default() -> Self {
        // Unknown outside of the process, so that no file can be made whose texts all meet in one place.
        let random = RandomState::new();
        Memo {
            entries: HashTable::new(),
            texts: Vec::new(),
            seed: [random.hash_one(0) | 1, random.hash_one(1)],
        }
    }
}

impl Memo {
    /// What is known of rows with this combination of texts, and its hash.
    pub fn get(&self, texts: &[u8]) -> (Option<Known>, u64) {
        let hash = self.hash(texts);
        let same = |entry: &Entry| {
            entry.hash == hash && self.texts.get(entry.start..entry.start + entry.length) == Some(texts)
        };
        (self.entries.find(hash, same).map(|entry| entry.known), hash)
    }

    /// Keeps what was found out about a combination that is not known.
    pub fn insert(&mut self, texts: &[u8], hash: u64, known: Known) {
        if self.texts.len() + texts.len() > LIMIT {
            self.texts.clear();
            self.entries.clear();
        }
        let entry = Entry {
            hash,
            start: self.texts.len(),
            length: texts.len(),
            known,
        };
        self.texts.extend_from_slice(texts);
        self.entries.insert_unique(hash, entry, |entry| entry.hash);
    }

    /// All that is known.
    #[cfg(test)]
    pub fn each(&self, mut visit: impl FnMut(Known)) {
        self.entries.iter().for_each(|entry| visit(entry.known));
    }

    fn hash(&self, texts: &[u8]) -> u64 {
        let [mut hash, other] = self.seed;
        let (lanes, rest) = texts.as_chunks::<16>();
        let mut last = [0; 16];
        for (slot, byte) in last.iter_mut().zip(rest) {
            *slot = *byte;
        }
        for lane in lanes.iter().chain([&last]) {
            let number = u128::from_le_bytes(*lane);
            hash = mixed(hash ^ number as u64, other ^ (number >> 64) as u64);
        }
        mixed(hash ^ texts.len() as u64, other)
    }
}

/// Both halves of a product: each bit of it depends on most of both factors.
pub(super) fn mixed(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_of_equal_texts_alone_and_memory_is_bounded() {
        let mut memo = Memo::default();
        let known = Known {
            place: Place::default(),
            way: Way::Tokens,
            spread: Spread::Own,
        };
        let (nothing, hash) = memo.get(b"a,b,");
        assert!(nothing.is_none());
        memo.insert(b"a,b,", hash, known);
        assert_eq!(memo.get(b"a,b,").0.map(|k| k.way), Some(Way::Tokens));
        assert!(memo.get(b"a,b").0.is_none() && memo.get(b"").0.is_none());
        let long = vec![b'x'; LIMIT / 2];
        for first in [b'1', b'2', b'3'] {
            let mut text = long.clone();
            text[0] = first;
            let (_, hash) = memo.get(&text);
            memo.insert(&text, hash, known);
        }
        assert!(memo.texts.len() <= LIMIT && memo.get(b"a,b,").0.is_none());
    }
}
