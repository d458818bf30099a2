//! Forms of records: what a log's records have in common, so that the next one is compared where it is the same and read only
//! where it differs.
//!
//! A program writes its records with the same keys in the same order, and most of its values are those of the record before. A form
//! knows both. Its *close* steps take values that have rarely changed for fixed text; when one does change, the *wide* steps
//! read all values, and the close ones are made anew.

use super::super::value::Value;
use super::cursor::{self, Cursor};
use super::raw;
use crate::domain::same::same;

/// A value of a record that was walked through.
pub struct Token {
    pub from: usize,
    pub to: usize,
    pub kind: Kind,
}

/// What a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A simple value that is wanted.
    Slot(u8),
    /// A value whose text is wanted.
    Raw(u8),
    /// Not wanted.
    Skip,
}

/// Forms that are remembered: programs write a few kinds of records in turns.
const FORMS: usize = 4;
/// Bytes up to which a value may be a fixed part of the form.
const FIXED: usize = 128;
/// A value that changed more often than once in so many records is never taken for fixed: making the close steps costs as much as some
/// records.
const RARELY: u64 = 64;

/// The forms met last, the last first.
#[derive(Default)]
pub(in super::super) struct Forms {
    known: Vec<Form>,
    /// Where the values of the record stood that was read last by wide steps.
    spans: Vec<(usize, usize)>,
}

/// One form, as learned and as used.
struct Form {
    parts: Vec<Part>,
    end: Vec<u8>,
    reads: u64,
    wide: Steps,
    close: Steps,
}

/// A value and the bytes before it.
struct Part {
    before: Vec<u8>,
    kind: Kind,
    sort: Sort,
    /// The value in the record before; empty if it was too long to be kept.
    last: Vec<u8>,
    /// How often it was another one than in the record before.
    changes: u64,
}

/// What the values at one place have been so far, where that makes them easier to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Natural,
    Any,
}

/// A record in the order of its bytes.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    tail: Fixed,
}

/// Bytes to compare and a value to read.
struct Step {
    fixed: Fixed,
    take: Take,
}

/// How a value is read.
#[derive(Clone, Copy)]
enum Take {
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

impl Forms {
    /// Reads a record of a form that is known into values that are null.
    pub fn read<'a>(&mut self, text: &'a str, values: &mut [Value<'a>]) -> Option<()> {
        let mut place = None;
        for (n, form) in self.known.iter_mut().enumerate() {
            if form.read(text, values, &mut self.spans) {
                place = Some(n);
                break;
            }
        }
        let place = place?;
        if place > 0
            && let Some(front) = self.known.get_mut(..=place)
        {
            front.rotate_right(1);
        }
        Some(())
    }

    /// Learns the form of a record that was walked through.
    pub fn learn(&mut self, text: &str, tokens: &[Token]) {
        let bytes = text.as_bytes();
        let mut parts = Vec::with_capacity(tokens.len());
        let mut at = 0;
        for token in tokens {
            let (Some(before), Some(value)) = (bytes.get(at..token.from), bytes.get(token.from..token.to)) else {
                return;
            };
            parts.push(Part {
                before: before.to_vec(),
                kind: token.kind,
                sort: sort(value),
                last: short(value),
                changes: 0,
            });
            at = token.to;
        }
        let end = bytes.get(at..).unwrap_or(&[]).to_vec();
        let mut form = Form {
            parts,
            end,
            reads: 1,
            wide: Steps::default(),
            close: Steps::default(),
        };
        form.wide = form.steps(|_| false, |part| Take::Any(part.kind));
        form.close = form.steps(|part| !part.last.is_empty(), Part::take);
        self.known.truncate(FORMS - 1);
        self.known.insert(0, form);
    }
}

/// A value as it is kept for comparison.
fn short(value: &[u8]) -> Vec<u8> {
    if value.len() <= FIXED {
        value.to_vec()
    } else {
        Vec::new()
    }
}

fn sort(value: &[u8]) -> Sort {
    match value.first() {
        Some(b'"') => Sort::Text,
        Some(b'0'..=b'9') => Sort::Natural,
        _ => Sort::Any,
    }
}

impl Part {
    /// How a value that is like those before is read.
    fn take(&self) -> Take {
        match (self.kind, self.sort) {
            (Kind::Slot(slot), Sort::Text) => Take::Text(slot),
            (Kind::Slot(slot), Sort::Natural) => Take::Natural(slot),
            (Kind::Skip, Sort::Text) => Take::SkipText,
            (kind, _) => Take::Any(kind),
        }
    }
}

impl Form {
    fn read<'a>(&mut self, text: &'a str, values: &mut [Value<'a>], spans: &mut Vec<(usize, usize)>) -> bool {
        self.reads += 1;
        if self.close.read(text, values).is_some() {
            return true;
        }
        values.fill(Value::Null);
        if self.wide.read_places(text, values, spans).is_some() {
            self.adjust(text.as_bytes(), spans);
            return true;
        }
        values.fill(Value::Null);
        self.reads -= 1;
        false
    }

    /// Makes the close steps anew after a record that they did not fit.
    fn adjust(&mut self, text: &[u8], spans: &[(usize, usize)]) {
        for (part, (from, to)) in self.parts.iter_mut().zip(spans) {
            let value = text.get(*from..*to).unwrap_or(&[]);
            if part.last.is_empty() || part.last != value {
                part.changes += 1;
                part.last = short(value);
                if part.sort != sort(value) {
                    part.sort = Sort::Any;
                }
            }
        }
        let reads = self.reads;
        let rarely = |part: &Part| part.changes.saturating_mul(RARELY) <= reads.max(RARELY);
        self.close = self.steps(|part| !part.last.is_empty() && rarely(part), Part::take);
    }

    fn steps(&self, is_fixed: impl Fn(&Part) -> bool, take: impl Fn(&Part) -> Take) -> Steps {
        let mut steps = Steps::default();
        for part in &self.parts {
            steps.tail.bytes.extend_from_slice(&part.before);
            if is_fixed(part) && steps.tail.add(part) {
                continue;
            }
            let take = take(part);
            let quoted = matches!(take, Take::Text(_) | Take::SkipText);
            if quoted {
                steps.tail.bytes.push(b'"');
            }
            let fixed = std::mem::take(&mut steps.tail);
            steps.steps.push(Step { fixed, take });
            if quoted {
                steps.tail.bytes.push(b'"');
            }
        }
        steps.tail.bytes.extend_from_slice(&self.end);
        steps
    }
}

impl Fixed {
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

impl Steps {
    /// Reads a record; what is set is of no use if it is not of this form.
    #[inline]
    fn read<'a>(&self, text: &'a str, values: &mut [Value<'a>]) -> Option<()> {
        let mut rest = text;
        for step in &self.steps {
            rest = step.read(step.fixed.pass(rest, values)?, values)?;
        }
        self.tail.pass(rest, values)?.is_empty().then_some(())
    }

    /// The same, and tells where each value stood.
    fn read_places<'a>(&self, text: &'a str, values: &mut [Value<'a>], places: &mut Vec<(usize, usize)>) -> Option<()> {
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
