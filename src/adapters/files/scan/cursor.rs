//! A place in the text of a JSON record, and the values that can be read there without building anything.

use memchr::{memchr2, memchr3};

use super::super::value::Value;
use super::block::{BLOCK, stops};

/// Nesting beyond this is left to the general parser.
const MAX_DEPTH: u32 = 64;
/// Bytes of a text that are looked at sixteen at a time before a search with wider steps takes over.
const SHORT: usize = 64;

/// A place in a text.
pub struct Cursor<'a> {
    pub text: &'a str,
    pub at: usize,
    depth: u32,
    /// Whether a record ends where a line does; else line ends are white space.
    line: bool,
}

/// What ends a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The end of the text.
    Text,
    /// The end of its first line.
    Line,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(text: &'a str) -> Self {
        Self::before(text, End::Text)
    }

    /// The same where a record ends there.
    pub fn before(text: &'a str, end: End) -> Self {
        Cursor {
            text,
            at: 0,
            depth: 0,
            line: end == End::Line,
        }
    }

    /// What follows.
    pub fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or(&[])
    }

    /// The byte here, 0 at the end.
    pub fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over white space.
    pub fn blank(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\r') || (self.byte() == b'\n' && !self.line) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let found = self.byte() == byte;
        self.at += usize::from(found);
        found.then_some(())
    }

    /// Reads what stands between two brackets, item by item.
    pub fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
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

    /// Reads a key and the colon behind it.
    pub fn key(&mut self) -> Option<&'a str> {
        let key = self.plain_text()?;
        self.blank();
        self.take(b':')?;
        self.blank();
        Some(key)
    }

    /// Reads a text without escapes.
    #[inline(always)]
    fn plain_text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let from = self.at;
        let end = from + stop(self.rest())?;
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(from..end)
    }

    /// Reads a simple value. Always inline: a value that goes through memory on its way out costs more than finding it.
    #[inline(always)]
    pub fn scalar(&mut self) -> Option<Value<'a>> {
        match self.byte() {
            b'"' => self.plain_text().map(Value::Text),
            b'0'..=b'9' => self.whole().map(Value::Whole),
            b't' => self.word("true").map(|()| Value::Bool(true)),
            b'f' => self.word("false").map(|()| Value::Bool(false)),
            b'n' => self.word("null").map(|()| Value::Null),
            _ => None,
        }
    }

    #[inline(always)]
    fn whole(&mut self) -> Option<u64> {
        let (value, length) = natural(self.rest())?;
        self.at += length;
        (!matches!(self.byte(), b'.' | b'e' | b'E' | b'0'..=b'9')).then_some(value)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.rest().starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    /// Passes over a value.
    pub fn skip(&mut self) -> Option<()> {
        match self.byte() {
            b'"' => self.skip_text(),
            b'{' => self.items(b'{', b'}', |cursor| {
                cursor.key()?;
                cursor.skip()
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
        let number = self.rest();
        let length = number
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            .unwrap_or(number.len());
        self.at += length;
        let number = number.get(..length)?;
        // The grammar of the rare kinds is the general parser's business.
        let plain = number.iter().all(u8::is_ascii_digit) && (length == 1 || number.first() != Some(&b'0'));
        (length > 0 && plain).then_some(())
    }

    fn skip_text(&mut self) -> Option<()> {
        self.take(b'"')?;
        self.skip_to_quote()?;
        self.take(b'"')
    }

    /// Passes over the rest of a text, up to the quote that ends it.
    #[inline]
    pub fn skip_to_quote(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..)?;
            let window = rest.get(..SHORT).unwrap_or(rest);
            let near = stop(window).unwrap_or(window.len().saturating_sub(1));
            self.at += match rest.get(near)? {
                b'"' | b'\\' => near,
                // No further than to the end of the line, however far the next quote is.
                _ if self.line => near + memchr3(b'"', b'\\', b'\n', rest.get(near..)?)?,
                _ => near + memchr2(b'"', b'\\', rest.get(near..)?)?,
            };
            match self.byte() {
                b'"' => return Some(()),
                b'\n' => return None,
                _ => {}
            }
            // An escape is two bytes; the digits of `\u` hold neither a quote nor a backslash.
            if self.line && bytes.get(self.at + 1) == Some(&b'\n') {
                return None;
            }
            self.at += 2;
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The number that a word begins with and its length, if it is shorter than the word.
#[inline(always)]
fn few_digits(word: [u8; 8]) -> Option<(u64, usize)> {
    // A digit becomes its value; what is none becomes more than nine, and has its highest bit set then or with 0x76 added to it.
    let digits = u64::from_le_bytes(word) ^ (u64::from(b'0') * ONES);
    let odd = (digits.wrapping_add(0x76 * ONES) | digits) & HIGHS;
    let bits = odd.trailing_zeros() & !7;
    if bits == 0 || bits == 64 {
        return None;
    }
    // Digits move to the end of the word, zeros fill its front; then pairs, fours and all eight are joined.
    let digits = digits << (64 - bits);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let value = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    Some((value, (bits / 8) as usize))
}

/// The same, one by one. Eighteen digits cannot overflow.
fn digits(rest: &[u8]) -> (u64, usize) {
    let mut value = 0_u64;
    let mut length = 0;
    for byte in rest.iter().take(18) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u64::from(digit);
        length += 1;
    }
    (value, length)
}

/// The number that digits make at the beginning of a text and their count, without looking at what follows.
#[inline(always)]
pub fn natural(text: &[u8]) -> Option<(u64, usize)> {
    let word = text.first_chunk::<8>();
    if let Some((word, (value, length))) = word.and_then(|word| Some((word, few_digits(*word)?))) {
        let [first, ..] = *word;
        // Both are asked, whether a number is zero or not: which it is next, no processor foresees.
        let is_plain = (first != b'0') | (length == 1);
        return is_plain.then_some((value, length));
    }
    many_digits(text)
}

/// The same for more digits, or at the end of a text.
#[inline(never)]
fn many_digits(text: &[u8]) -> Option<(u64, usize)> {
    let (value, length) = digits(text);
    let padded = length > 1 && text.first() == Some(&b'0');
    (length > 0 && !padded).then_some((value, length))
}

/// Where the next quote, backslash or control character stands.
#[inline(always)]
pub fn stop(text: &[u8]) -> Option<usize> {
    let (blocks, tail) = text.as_chunks::<BLOCK>();
    for (n, block) in blocks.iter().enumerate() {
        let stops = stops(block);
        if stops != 0 {
            return Some(n * BLOCK + stops.trailing_zeros() as usize);
        }
    }
    let found = tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
    Some(text.len() - tail.len() + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_digits_are_read_as_many_are(number in "[0-9]{0,8}", after in "[ -~]{8}") {
            let text = format!("{number}{after}");
            let word = *text.as_bytes().first_chunk::<8>().unwrap();
            let expected = digits(&word);
            match few_digits(word) {
                Some(few) => prop_assert_eq!(few, expected),
                None => prop_assert!(expected.1 == 0 || expected.1 == 8),
            }
        }

        #[test]
        fn the_first_stop_is_found(mut text in prop::collection::vec(0x20_u8..=0xff, 0..80), at in 0..80_usize, byte in any::<u8>()) {
            if let Some(slot) = text.get_mut(at) {
                *slot = byte;
            }
            prop_assert_eq!(stop(&text), text.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)));
        }

        #[test]
        fn few_digits_are_told_from_any_bytes(word in any::<[u8; 8]>()) {
            let expected = digits(&word);
            prop_assert!(few_digits(word).is_none_or(|few| few == expected));
        }
    }
}
