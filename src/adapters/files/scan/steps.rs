//! A form as a list of steps: bytes to compare, a value to read, and so on to the end of a record.

use memchr::memchr;

use super::super::value::Value;
use super::block::{BLOCK, alike, first};
use super::cursor::{self, Cursor, End};
use super::form::{Kind, Part};
use super::length::Length;
use super::raw;

/// A record in the order of its bytes.
#[derive(Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    tail: Fixed,
    /// Memory of steps that were.
    spare: Vec<Fixed>,
    /// Whether none of the bytes is a line end.
    one_line: bool,
}

/// Bytes to compare and a value to read.
struct Step {
    fixed: Fixed,
    take: Take,
    length: Length,
}

/// How a value is read.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Take {
    /// By its kind alone.
    Slot(u8),
    Raw(u8),
    Skip,
    /// A text between quotes that belong to the fixed bytes.
    Text(u8),
    /// The same, not wanted.
    SkipText,
    /// A natural number.
    Natural(u8),
}

/// Bytes to compare and the values in them.
#[derive(Default)]
struct Fixed {
    /// The first of the bytes, and which of these there are.
    front: [u8; BLOCK],
    within: u32,
    length: usize,
    /// The last of them, where there are more.
    back: [u8; BLOCK],
    /// What stands between the first block and the last one, up to where that begins.
    middle: Vec<[u8; BLOCK]>,
    bytes: Vec<u8>,
    values: Vec<FixedValue>,
}

/// Fixed bytes up to here are compared block by block; beyond it calling a function is worth it.
const FEW: usize = 6 * BLOCK;

/// A wanted value among fixed bytes.
struct FixedValue {
    slot: usize,
    kind: FixedKind,
}

enum FixedKind {
    /// At this place of the fixed bytes.
    Text(usize, usize),
    Whole(u64),
    Bool(bool),
}

impl Steps {
    /// Makes them of the parts of a form, in the memory of those before.
    pub(super) fn make(
        &mut self,
        parts: &[Part],
        end: &[u8],
        is_fixed: impl Fn(&Part) -> bool,
        take: impl Fn(&Part) -> Take,
    ) {
        self.spare.extend(self.steps.drain(..).map(|step| step.fixed));
        self.tail.clear();
        for part in parts {
            self.tail.bytes.extend_from_slice(&part.before);
            if is_fixed(part) && self.tail.add(part) {
                continue;
            }
            let take = take(part);
            let quoted = matches!(take, Take::Text(_) | Take::SkipText);
            if quoted {
                self.tail.bytes.push(b'"');
            }
            let mut next = self.spare.pop().unwrap_or_default();
            next.clear();
            let mut fixed = std::mem::replace(&mut self.tail, next);
            fixed.seal();
            self.steps.push(Step {
                fixed,
                take,
                length: Length::default(),
            });
            if quoted {
                self.tail.bytes.push(b'"');
            }
        }
        self.tail.bytes.extend_from_slice(end);
        self.tail.seal();
        let mut fixed = self.steps.iter().map(|step| &step.fixed).chain([&self.tail]);
        self.one_line = fixed.all(|fixed| memchr(b'\n', &fixed.bytes).is_none());
    }

    /// Reads the record that a text begins with and answers its length; what is set is of no use if it is not of this form. So many records
    /// were read by the form; where `given` says so, the values among the fixed bytes are known.
    #[inline(always)]
    pub(super) fn read<'a>(
        &mut self,
        text: &'a str,
        values: &mut [Value<'a>],
        reads: u64,
        end: End,
        given: bool,
    ) -> Option<usize> {
        if end == End::Line && !self.one_line {
            return None;
        }
        let mut rest = text;
        for step in &mut self.steps {
            rest = step.read(step.fixed.pass(rest, values, given)?, values, reads, end)?;
        }
        let rest = self.tail.pass(rest, values, given)?;
        end.is_before(rest).then_some(text.len() - rest.len())
    }

    /// The same, and tells where each value stood.
    pub(super) fn read_places<'a>(
        &mut self,
        text: &'a str,
        values: &mut [Value<'a>],
        places: &mut Vec<(usize, usize)>,
        end: End,
    ) -> Option<usize> {
        if end == End::Line && !self.one_line {
            return None;
        }
        places.clear();
        let mut rest = text;
        for step in &mut self.steps {
            let value = step.fixed.pass(rest, values, false)?;
            rest = step.read(value, values, 0, end)?;
            places.push((text.len() - value.len(), text.len() - rest.len()));
        }
        let rest = self.tail.pass(rest, values, false)?;
        end.is_before(rest).then_some(text.len() - rest.len())
    }
}

impl Fixed {
    fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
    }

    /// Makes them ready to be compared.
    fn seal(&mut self) {
        self.length = self.bytes.len();
        self.within = first(self.length);
        self.front = [0; BLOCK];
        self.front
            .iter_mut()
            .zip(&self.bytes)
            .for_each(|(to, from)| *to = *from);
        self.back = self.bytes.last_chunk().copied().unwrap_or_default();
        let before_back = self.length.saturating_sub(BLOCK);
        self.middle.clear();
        let blocks = self.bytes.as_chunks::<BLOCK>().0.iter().enumerate().skip(1);
        let blocks = blocks.take_while(|(n, _)| n * BLOCK < before_back);
        self.middle.extend(blocks.map(|(_, block)| *block));
    }

    /// Adds a value, if it can be a fixed one.
    fn add(&mut self, part: &Part) -> bool {
        let Ok(text) = std::str::from_utf8(&part.last) else {
            return false;
        };
        let from = self.bytes.len();
        let (slot, value) = match part.kind {
            Kind::Skip => (None, Value::Null),
            Kind::Slot(slot) => match Cursor::new(text).scalar() {
                Some(value) => (Some(slot), value),
                None => return false,
            },
            Kind::Raw(slot) => (Some(slot), raw(text)),
        };
        let kind = match value {
            Value::Null => None,
            // Of a simple text what stands between the quotes.
            Value::Text(found) => {
                let quote = usize::from(found.len() < text.len());
                Some(FixedKind::Text(from + quote, from + quote + found.len()))
            }
            Value::Whole(n) => Some(FixedKind::Whole(n)),
            Value::Bool(b) => Some(FixedKind::Bool(b)),
            Value::Negative(_) | Value::Float(_) | Value::Other => return false,
        };
        self.bytes.extend_from_slice(&part.last);
        let value = slot.zip(kind).map(|(slot, kind)| FixedValue {
            slot: usize::from(slot),
            kind,
        });
        self.values.extend(value);
        true
    }

    /// What follows the bytes, if a text begins with them.
    #[inline(always)]
    fn pass<'a>(&self, text: &'a str, values: &mut [Value<'a>], given: bool) -> Option<&'a str> {
        let rest = text.get(self.length..)?;
        let is_same = match text.as_bytes().first_chunk::<BLOCK>() {
            Some(front) if self.length <= BLOCK => alike(front, &self.front) & self.within == self.within,
            Some(front) => alike(front, &self.front) == first(BLOCK) && self.ends(text.as_bytes()),
            None => text.as_bytes().starts_with(&self.bytes),
        };
        if !is_same {
            return None;
        }
        if !given && !self.values.is_empty() {
            self.give(text, values)?;
        }
        Some(rest)
    }

    /// Whether what stands behind the first block is the same too.
    #[inline(always)]
    fn ends(&self, text: &[u8]) -> bool {
        let Some(bytes) = text.get(..self.length) else {
            return false;
        };
        let last = bytes.last_chunk::<BLOCK>();
        last.is_some_and(|last| alike(last, &self.back) == first(BLOCK))
            && (self.length <= 2 * BLOCK || self.holds(bytes))
    }

    /// Whether what stands between the first block and the last one is the same too.
    #[inline(always)]
    fn holds(&self, bytes: &[u8]) -> bool {
        if self.length > FEW {
            return bytes == self.bytes.as_slice();
        }
        let mut rest = bytes.get(BLOCK..).unwrap_or(&[]);
        for known in &self.middle {
            let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() else {
                return false;
            };
            if alike(block, known) != first(BLOCK) {
                return false;
            }
            rest = behind;
        }
        true
    }

    /// Gives the values among the bytes.
    #[inline(never)]
    fn give<'a>(&self, front: &'a str, values: &mut [Value<'a>]) -> Option<()> {
        for FixedValue { slot, kind } in &self.values {
            let value = match *kind {
                FixedKind::Text(start, end) => Value::Text(front.get(start..end)?),
                FixedKind::Whole(n) => Value::Whole(n),
                FixedKind::Bool(b) => Value::Bool(b),
            };
            *values.get_mut(*slot)? = value;
        }
        Some(())
    }
}

impl Step {
    /// Reads the value that a text begins with; answers what follows.
    #[inline(always)]
    fn read<'a>(&mut self, text: &'a str, values: &mut [Value<'a>], reads: u64, end: End) -> Option<&'a str> {
        match self.take {
            // What ends the text is compared with the quote that follows.
            Take::Text(slot) => {
                let (value, rest) = text.split_at_checked(self.length.of(text.as_bytes(), reads)?)?;
                *values.get_mut(usize::from(slot))? = Value::Text(value);
                Some(rest)
            }
            Take::Natural(slot) => {
                let (value, length) = cursor::natural(text.as_bytes())?;
                *values.get_mut(usize::from(slot))? = Value::Whole(value);
                text.get(length..)
            }
            Take::SkipText => match self.length.foreseen(text.as_bytes()) {
                Some(length) => text.get(length..),
                None => self.skip(text, reads, end),
            },
            // A text, where there may be something else.
            Take::Slot(slot) if text.as_bytes().first() == Some(&b'"') => {
                let text = text.get(1..)?;
                let (value, rest) = text.split_at_checked(self.length.of(text.as_bytes(), reads)?)?;
                *values.get_mut(usize::from(slot))? = Value::Text(value);
                rest.strip_prefix('"')
            }
            Take::Slot(slot) => any(Kind::Slot(slot), text, values, end),
            Take::Raw(slot) => any(Kind::Raw(slot), text, values, end),
            Take::Skip => any(Kind::Skip, text, values, end),
        }
    }

    /// What follows a text of which only the end is wanted.
    #[inline(never)]
    fn skip<'a>(&mut self, text: &'a str, reads: u64, end: End) -> Option<&'a str> {
        let mut cursor = Cursor::before(text, end);
        cursor.skip_to_quote()?;
        self.length.missed(cursor.at, reads);
        text.get(cursor.at..)
    }
}

/// The same for values of any sort.
#[inline(never)]
fn any<'a>(kind: Kind, text: &'a str, values: &mut [Value<'a>], end: End) -> Option<&'a str> {
    let mut cursor = Cursor::before(text, end);
    match kind {
        Kind::Slot(slot) => *values.get_mut(usize::from(slot))? = cursor.scalar()?,
        Kind::Raw(slot) => {
            cursor.skip()?;
            *values.get_mut(usize::from(slot))? = raw(text.get(..cursor.at)?);
        }
        Kind::Skip => cursor.skip()?,
    }
    text.get(cursor.at..)
}

impl End {
    /// Whether a record before such a text ends there.
    #[inline(always)]
    fn is_before(self, rest: &str) -> bool {
        match self {
            End::Text => rest.is_empty(),
            End::Line => matches!(rest.as_bytes(), [b'\n', ..] | [b'\r', b'\n', ..]),
        }
    }
}

impl From<Kind> for Take {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Slot(slot) => Take::Slot(slot),
            Kind::Raw(slot) => Take::Raw(slot),
            Kind::Skip => Take::Skip,
        }
    }
}
