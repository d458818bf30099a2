//! Looks for the end of a row of a CSV file.

use memchr::{memchr_iter, memchr2, memchr3};

/// Where a scan stands within a row.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum At {
    /// Where a value begins: only there a quote opens one.
    #[default]
    Value,
    /// In a value that is not in quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// Behind a quote that closes a value, or is the first of two that mean one.
    Closed,
}

/// A row that is looked through.
#[derive(Default)]
pub struct Row {
    /// Where it begins.
    pub start: usize,
    /// How far it is looked through.
    pub seen: usize,
    /// Where the scan stands.
    pub at: At,
    /// Whether it has quotes.
    pub quotes: bool,
    /// Commas that are not in quotes, as far as it is looked through behind the first quote.
    commas: usize,
    /// Behind the first line end in quotes.
    pub second_line: Option<usize>,
    /// Whether text follows a closed quote on a further line: what closed may have opened the next one.
    pub odd: bool,
}

impl Row {
    /// One that begins there.
    pub fn of(start: usize) -> Self {
        Row {
            start,
            seen: start,
            ..Row::default()
        }
    }

    /// Goes on to where the row ends, behind its line end; nothing where more bytes are needed. `short` ends it with its line.
    pub fn end(&mut self, bytes: &[u8], short: bool) -> Option<usize> {
        if !self.quotes {
            let rest = bytes.get(self.seen..).unwrap_or_default();
            let found = memchr3(b'"', b'\n', b'\r', rest).map(|at| self.seen + at);
            match found.and_then(|at| Some((at, bytes.get(at)?))) {
                None => {
                    self.seen = bytes.len();
                    return None;
                }
                Some((_, b'"')) => (self.quotes, self.seen) = (true, self.start),
                Some((at, _)) => {
                    self.seen = at + 1;
                    return Some(self.seen);
                }
            }
        }
        while let Some(byte) = bytes.get(self.seen) {
            if self.at == At::Quoted {
                let rest = bytes.get(self.seen..).unwrap_or_default();
                let Some(found) = memchr2(b'"', b'\n', rest) else {
                    self.seen = bytes.len();
                    return None;
                };
                self.seen += found + 1;
                if rest.get(found) == Some(&b'"') {
                    self.at = At::Closed;
                    continue;
                }
                self.second_line.get_or_insert(self.seen);
                if short {
                    return Some(self.seen);
                }
                continue;
            }
            self.seen += 1;
            self.at = match (self.at, byte) {
                (_, b'\n' | b'\r') => return Some(self.seen),
                (_, b',') => {
                    self.commas += 1;
                    At::Value
                }
                (At::Value | At::Closed, b'"') => At::Quoted,
                (At::Closed, _) => {
                    self.odd |= self.second_line.is_some();
                    At::Plain
                }
                (At::Value | At::Plain | At::Quoted, _) => At::Plain,
            };
        }
        None
    }

    /// How many values it has, looked through to its end.
    pub fn width(&self, bytes: &[u8]) -> usize {
        let commas = match self.quotes {
            true => self.commas,
            false => memchr_iter(b',', bytes.get(self.start..self.seen).unwrap_or_default()).count(),
        };
        commas + 1
    }
}
