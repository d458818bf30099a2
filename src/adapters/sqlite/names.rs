//! Numbers for names: the store keeps each name once.

use rusqlite::{Connection, OptionalExtension};

use super::codec::{Broken, Names, UNKNOWN};
use super::{failed, parts};
use crate::domain::label::Label;
use crate::ports::StoreError;

/// What is known of the name table so far. Numbers never change, so that this only grows; after a rolled back transaction
/// it must be forgotten.
#[derive(Default)]
pub struct NameCache {
    /// Number by label index, [`UNKNOWN`] where not known.
    numbers: Vec<u64>,
    /// Label by number, the empty one where not known.
    labels: Vec<Label>,
    /// Where the parts of hours lie.
    pub parts: parts::Known,
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
            self.numbers.resize(label.index() + 1, UNKNOWN);
        }
        // No name has the number of none.
        if let Some(none) = self.numbers.first_mut() {
            *none = 0;
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
        self.parts.clear();
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
    fn known(&self, label: Label) -> u64 {
        let number = self.cache.numbers.get(label.index()).copied().unwrap_or(UNKNOWN);
        if label.is_empty() { 0 } else { number }
    }

    #[inline]
    fn first(&self) -> &[u64] {
        &self.cache.numbers
    }

    fn number(&mut self, label: Label) -> Result<u64, CodecError> {
        match self.known(label) {
            UNKNOWN => {}
            number => return Ok(number),
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
