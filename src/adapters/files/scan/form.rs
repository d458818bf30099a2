//! Forms of records: what a log's records have in common, so that the next one is compared where it is the same and read only
//! where it differs.
//!
//! A program writes its records with the same keys in the same order, and most of its values are those of the record before. A form
//! knows both. Its *close* steps take values that have rarely changed for fixed text; when one does change, the *wide* steps
//! read all values, and the close ones are made anew.

use super::super::value::Value;
use super::cursor::Cursor;
use super::raw;

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
/// Bytes up to which fixed parts are compared word by word.
const SHORT: usize = 40;
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
    /// The value in the record before; empty if it was too long to be kept.
    last: Vec<u8>,
    /// How often it was another one than in the record before.
    changes: u64,
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
    kind: Kind,
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
        form.wide = form.steps(|_| false);
        form.close = form.steps(|part| !part.last.is_empty());
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

impl Form {
    fn read<'a>(&mut self, text: &'a str, values: &mut [Value<'a>], spans: &mut Vec<(usize, usize)>) -> bool {
        self.reads += 1;
        if self.close.read(text, values, |_, _| {}) {
            return true;
        }
        values.fill(Value::Null);
        spans.clear();
        if self.wide.read(text, values, |from, to| spans.push((from, to))) {
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
            }
        }
        let reads = self.reads;
        self.close =
            self.steps(|part| !part.last.is_empty() && part.changes.saturating_mul(RARELY) <= reads.max(RARELY));
    }

    fn steps(&self, is_fixed: impl Fn(&Part) -> bool) -> Steps {
        let mut steps = Steps::default();
        for part in &self.parts {
            steps.tail.bytes.extend_from_slice(&part.before);
            if !(is_fixed(part) && steps.tail.add(part)) {
                steps.steps.push(Step {
                    fixed: std::mem::take(&mut steps.tail),
                    kind: part.kind,
                });
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

    /// Passes over the bytes if they stand here.
    #[inline]
    fn read<'a>(&self, cursor: &mut Cursor<'a>, values: &mut [Value<'a>]) -> bool {
        let from = cursor.at;
        if !begins(cursor.rest(), &self.bytes) {
            return false;
        }
        cursor.at = from + self.bytes.len();
        for FixedValue { slot, kind } in &self.values {
            let value = match *kind {
                FixedKind::Text(start, end) => match cursor.text.get(from + start..from + end) {
                    Some(text) => Value::Text(text),
                    None => return false,
                },
                FixedKind::Whole(n) => Value::Whole(n),
                FixedKind::Bool(b) => Value::Bool(b),
            };
            if let Some(place) = values.get_mut(*slot) {
                *place = value;
            }
        }
        true
    }
}

/// Whether a text begins with another one: what is short is compared here, since calling a function costs as much.
#[inline]
fn begins(text: &[u8], with: &[u8]) -> bool {
    let Some((front, _)) = text.split_at_checked(with.len()) else {
        return false;
    };
    // Words from the front, and one that ends at the end, some of which may have been compared before.
    match (front.last_chunk::<8>(), with.last_chunk::<8>()) {
        (Some(last), Some(also)) if with.len() <= SHORT => {
            let words = front.as_chunks::<8>().0.iter().zip(with.as_chunks::<8>().0);
            let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
            let other = words.fold(word(last) ^ word(also), |other, (a, b)| other | (word(a) ^ word(b)));
            other == 0
        }
        _ => front == with,
    }
}

impl Steps {
    /// Reads a record and tells where each value stood; what is set is of no use if it is not of this form.
    #[inline]
    fn read<'a>(&self, text: &'a str, values: &mut [Value<'a>], mut span: impl FnMut(usize, usize)) -> bool {
        let mut cursor = Cursor::new(text);
        for step in &self.steps {
            if !step.fixed.read(&mut cursor, values) {
                return false;
            }
            let from = cursor.at;
            if !step.read(&mut cursor, values) {
                return false;
            }
            span(from, cursor.at);
        }
        self.tail.read(&mut cursor, values) && cursor.at == text.len()
    }
}

impl Step {
    #[inline(always)]
    fn read<'a>(&self, cursor: &mut Cursor<'a>, values: &mut [Value<'a>]) -> bool {
        match self.kind {
            Kind::Slot(slot) => match (cursor.scalar(), values.get_mut(usize::from(slot))) {
                (Some(value), Some(place)) => *place = value,
                _ => return false,
            },
            Kind::Raw(slot) => {
                let from = cursor.at;
                let skipped = cursor.skip().and_then(|()| cursor.text.get(from..cursor.at));
                match (skipped, values.get_mut(usize::from(slot))) {
                    (Some(text), Some(place)) => *place = raw(text),
                    _ => return false,
                }
            }
            Kind::Skip => return cursor.skip().is_some(),
        }
        true
    }
}
