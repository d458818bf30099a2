//! A form as a list of steps: bytes to compare, a value to read, and so on to the end of a record.

use super::super::value::Value;
use super::cursor::{self, Cursor};
use super::form::{Kind, Part};
use super::raw;
use crate::domain::same::same;

/// A record in the order of its bytes.
#[derive(Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    tail: Fixed,
    /// Memory of steps that were.
    spare: Vec<Fixed>,
}

/// Bytes to compare and a value to read.
struct Step {
    fixed: Fixed,
    take: Take,
}

/// How a value is read.
#[derive(Clone, Copy)]
pub(super) enum Take {
    /// By its kind alone.
    Any(Kind),
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
    bytes: Vec<u8>,
    values: Vec<FixedValue>,
}

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
            let fixed = std::mem::replace(&mut self.tail, next);
            self.steps.push(Step { fixed, take });
            if quoted {
                self.tail.bytes.push(b'"');
            }
        }
        self.tail.bytes.extend_from_slice(end);
    }

    /// Reads a record; what is set is of no use if it is not of this form.
    #[inline]
    pub(super) fn read<'a>(&self, text: &'a str, values: &mut [Value<'a>]) -> Option<()> {
        let mut rest = text;
        for step in &self.steps {
            rest = step.read(step.fixed.pass(rest, values)?, values)?;
        }
        self.tail.pass(rest, values)?.is_empty().then_some(())
    }

    /// The same, and tells where each value stood.
    pub(super) fn read_places<'a>(
        &self,
        text: &'a str,
        values: &mut [Value<'a>],
        places: &mut Vec<(usize, usize)>,
    ) -> Option<()> {
        places.clear();
        let mut rest = text;
        for step in &self.steps {
            let value = step.fixed.pass(rest, values)?;
            rest = step.read(value, values)?;
            places.push((text.len() - value.len(), text.len() - rest.len()));
        }
        self.tail.pass(rest, values)?.is_empty().then_some(())
    }
}

impl Fixed {
    fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
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

    /// What follows the bytes, if the text begins with them.
    #[inline(always)]
    fn pass<'a>(&self, text: &'a str, values: &mut [Value<'a>]) -> Option<&'a str> {
        let (front, rest) = text.split_at_checked(self.bytes.len())?;
        if !same(front.as_bytes(), &self.bytes) {
            return None;
        }
        if !self.values.is_empty() {
            self.give(front, values)?;
        }
        Some(rest)
    }

    /// Gives the values among the bytes.
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
    fn read<'a>(&self, text: &'a str, values: &mut [Value<'a>]) -> Option<&'a str> {
        let (slot, value, rest) = match self.take {
            // What ends the text is compared with the quote that follows.
            Take::Text(slot) => {
                let (value, rest) = text.split_at_checked(cursor::stop(text.as_bytes())?)?;
                (slot, Value::Text(value), rest)
            }
            Take::Natural(slot) => {
                let (value, length) = cursor::natural(text.as_bytes())?;
                (slot, Value::Whole(value), text.get(length..)?)
            }
            Take::SkipText => {
                let mut cursor = Cursor::new(text);
                cursor.skip_to_quote()?;
                return text.get(cursor.at..);
            }
            Take::Any(kind) => return any(kind, text, values),
        };
        *values.get_mut(usize::from(slot))? = value;
        Some(rest)
    }
}

/// The same for values of any sort.
fn any<'a>(kind: Kind, text: &'a str, values: &mut [Value<'a>]) -> Option<&'a str> {
    let mut cursor = Cursor::new(text);
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
