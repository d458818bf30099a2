//! Reads the members of a JSON record at the speed of its bytes, without building anything.
//!
//! It knows the common shape only: plain keys, texts without escapes, natural numbers. On anything else it gives up, and the
//! general parser reads the record again and judges it: the two differ in speed, never in what a record means. Text that is
//! passed over is not checked for control characters.

use memchr::memchr2;

use super::scalar::Scalar;

/// Nesting beyond this is left to the general parser.
const MAX_DEPTH: u32 = 64;
/// Bytes of a text that are looked at eight at a time before a search with wider steps takes over.
const SHORT: usize = 64;

/// What a key of an object means; the number is the reader's own.
pub(super) type Field = u8;
/// A key that the reader does not want.
pub(super) const UNKNOWN: Field = u8::MAX;

/// The keys of an object that a reader wants.
pub(super) struct Keys {
    /// Tells the objects of one format apart.
    pub object: u8,
    /// Key by field number.
    pub names: &'static [&'static str],
}

/// The order of keys, learned from the record before: programs write their keys in one order, and comparing with what is
/// expected is much faster than reading and looking up.
#[derive(Default)]
pub(super) struct Shape {
    steps: Vec<Step>,
}

struct Step {
    object: u8,
    field: Field,
    /// The key as written, with its quotes, the colon and spaces.
    written: Vec<u8>,
}

/// Keys that are remembered per record, and bytes of one.
const MAX_STEPS: usize = 128;
const MAX_KEY: usize = 64;
/// How many expected keys may be absent at a time before a key counts as new.
const AHEAD: usize = 3;

/// A place in the text of one record.
pub(super) struct Scan<'a, 's> {
    text: &'a str,
    at: usize,
    depth: u32,
    shape: &'s mut Shape,
    step: usize,
}

impl<'a, 's> Scan<'a, 's> {
    /// Reads a record that is one object, giving each field to `member`, which must read its value; `None` when the general
    /// parser has to read it.
    pub fn record(
        text: &'a str,
        shape: &'s mut Shape,
        keys: &Keys,
        member: impl FnMut(&mut Self, Field) -> Option<()>,
    ) -> Option<()> {
        let mut scan = Scan {
            text,
            at: 0,
            depth: 0,
            shape,
            step: 0,
        };
        scan.object(keys, member)?;
        scan.blank();
        (scan.at == text.len()).then_some(())
    }

    /// Reads a key and what follows it up to its value.
    fn key(&mut self, keys: &Keys) -> Option<Field> {
        let rest = self.text.as_bytes().get(self.at..)?;
        for ahead in 0..AHEAD {
            let Some(step) = self.shape.steps.get(self.step + ahead) else {
                break;
            };
            if step.object == keys.object && rest.starts_with(&step.written) {
                self.at += step.written.len();
                self.step += ahead + 1;
                return Some(step.field);
            }
        }
        let from = self.at;
        let name = self.any_key()?;
        let field = keys.names.iter().position(|k| *k == name);
        let field = field.and_then(|n| Field::try_from(n).ok()).unwrap_or(UNKNOWN);
        let written = self.text.as_bytes().get(from..self.at)?;
        if self.step < MAX_STEPS && written.len() <= MAX_KEY {
            if self.shape.steps.len() <= self.step {
                self.shape.steps.push(Step {
                    object: keys.object,
                    field,
                    written: written.to_vec(),
                });
            } else if let Some(step) = self.shape.steps.get_mut(self.step) {
                (step.object, step.field) = (keys.object, field);
                step.written.clear();
                step.written.extend_from_slice(written);
            }
            self.step += 1;
        }
        Some(field)
    }

    fn any_key(&mut self) -> Option<&'a str> {
        let key = self.text()?;
        self.blank();
        self.take(b':')?;
        self.blank();
        Some(key)
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn blank(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let found = self.byte() == byte;
        self.at += usize::from(found);
        found.then_some(())
    }

    /// Reads an object.
    pub fn object(&mut self, keys: &Keys, mut member: impl FnMut(&mut Self, Field) -> Option<()>) -> Option<()> {
        self.items(b'{', b'}', |scan| {
            let field = scan.key(keys)?;
            member(scan, field)
        })
    }

    /// Reads what stands between two brackets, item by item.
    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.blank();
        if self.take(close).is_none() {
            loop {
                item(self)?;
                self.blank();
                if self.take(b',').is_none() {
                    self.take(close)?;
                    break;
                }
                self.blank();
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// Whether an object follows; `null` is passed over.
    pub fn object_follows(&mut self) -> Option<bool> {
        match self.byte() {
            b'{' => Some(true),
            b'n' => self.word("null").map(|()| false),
            _ => None,
        }
    }

    /// Reads a text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let from = self.at;
        self.at = stop(self.text.as_bytes(), from, usize::MAX)?;
        let text = self.text.get(from..self.at)?;
        self.take(b'"')?;
        Some(text)
    }

    /// Reads a simple value.
    pub fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.byte() {
            b'"' => self.text().map(|text| Scalar::Text(text.into())),
            b'0'..=b'9' => self.whole().map(Scalar::Whole),
            b't' => self.word("true").map(|()| Scalar::Bool(true)),
            b'f' => self.word("false").map(|()| Scalar::Bool(false)),
            b'n' => self.word("null").map(|()| Scalar::Null),
            _ => None,
        }
    }

    fn whole(&mut self) -> Option<u64> {
        let from = self.at;
        let mut value = 0_u64;
        while let digit @ b'0'..=b'9' = self.byte() {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let padded = self.at - from > 1 && self.text.as_bytes().get(from) == Some(&b'0');
        (!padded && !matches!(self.byte(), b'.' | b'e' | b'E')).then_some(value)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    /// Passes over a value.
    pub fn skip(&mut self) -> Option<()> {
        match self.byte() {
            b'"' => self.skip_text(),
            b'{' => self.items(b'{', b'}', |scan| {
                scan.any_key()?;
                scan.skip()
            }),
            b'[' => self.items(b'[', b']', Self::skip),
            b'-' => {
                self.at += 1;
                self.skip_number()
            }
            b'0'..=b'9' => self.skip_number(),
            _ => self.scalar().map(|_| ()),
        }
    }

    fn skip_number(&mut self) -> Option<()> {
        let from = self.at;
        while matches!(self.byte(), b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') {
            self.at += 1;
        }
        // The grammar of the rare kinds is the general parser's business.
        let digits = self.text.as_bytes().get(from..self.at)?;
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(())
    }

    fn skip_text(&mut self) -> Option<()> {
        self.take(b'"')?;
        let bytes = self.text.as_bytes();
        loop {
            let near = stop(bytes, self.at, SHORT)?;
            self.at = match bytes.get(near)? {
                b'"' | b'\\' => near,
                _ => near + memchr2(b'"', b'\\', bytes.get(near..)?)?,
            };
            if self.take(b'"').is_some() {
                return Some(());
            }
            // An escape is two bytes; the digits of `\u` hold neither a quote nor a backslash.
            self.at += 2;
        }
    }

    /// The value's own text.
    pub fn raw(&mut self) -> Option<&'a str> {
        let from = self.at;
        self.skip()?;
        self.text.get(from..self.at)
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the next quote, backslash or control character stands, or about `within` bytes on if there is none before.
fn stop(bytes: &[u8], from: usize, within: usize) -> Option<usize> {
    // The lowest marked byte of each mask is exact (Hacker's Delight, 6-1); only bytes above a true one may be marked wrongly.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(0x20 * ONES) & !word & HIGHS;
        let marks = zero(word ^ (u64::from(b'"') * ONES)) | zero(word ^ (u64::from(b'\\') * ONES)) | control;
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at - from >= within {
            return Some(at);
        }
    }
    let rest = bytes.get(at..)?;
    let found = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
    Some(at + found)
}

#[cfg(test)]
mod tests;
