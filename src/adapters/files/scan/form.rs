//! The form of records: the bytes that are the same in all of them, and where between them the values stand.

use super::super::scalar::Scalar;
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
/// Bytes up to which a value that is not wanted may be a fixed part of the form.
const FIXED: usize = 128;

/// The forms met last, the last first.
#[derive(Default)]
pub(in super::super) struct Forms {
    known: Vec<Form>,
}

/// One form, as learned and as used.
struct Form {
    parts: Vec<Part>,
    end: Vec<u8>,
    steps: Vec<Step>,
    tail: Vec<u8>,
}

/// A value and the bytes before it.
struct Part {
    before: Vec<u8>,
    kind: Kind,
    /// The value, if it is not wanted and was the same in all records so far.
    fixed: Option<Vec<u8>>,
}

/// Bytes to compare and a value to read.
struct Step {
    fixed: Vec<u8>,
    kind: Kind,
}

impl Forms {
    /// Reads a record of a form that is known into values that are null.
    pub fn read<'a>(&mut self, text: &'a str, values: &mut [Scalar<'a>]) -> Option<()> {
        let mut place = None;
        for (n, form) in self.known.iter().enumerate() {
            match form.read(text, values) {
                Read::Whole => {
                    place = Some(n);
                    break;
                }
                Read::Part => values.fill(Scalar::Null),
                Read::Nothing => {}
            }
        }
        let place = place?;
        if let Some(front) = self.known.get_mut(..=place) {
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
                fixed: (token.kind == Kind::Skip && value.len() <= FIXED).then(|| value.to_vec()),
            });
            at = token.to;
        }
        let end = bytes.get(at..).unwrap_or(&[]).to_vec();
        let mut form = Form {
            parts,
            end,
            steps: Vec::new(),
            tail: Vec::new(),
        };
        if let Some(place) = self.known.iter().position(|known| known.is_like(&form)) {
            // The same form with other values: what differs is no fixed part of it.
            let known = self.known.remove(place);
            for (part, old) in form.parts.iter_mut().zip(known.parts) {
                if part.fixed != old.fixed {
                    part.fixed = None;
                }
            }
        }
        form.compile();
        self.known.truncate(FORMS - 1);
        self.known.insert(0, form);
    }
}

impl Form {
    fn is_like(&self, other: &Form) -> bool {
        self.end == other.end
            && self.parts.len() == other.parts.len()
            && self
                .parts
                .iter()
                .zip(&other.parts)
                .all(|(a, b)| a.kind == b.kind && a.before == b.before)
    }

    fn compile(&mut self) {
        let mut fixed = Vec::new();
        for part in &self.parts {
            fixed.extend_from_slice(&part.before);
            match &part.fixed {
                Some(value) => fixed.extend_from_slice(value),
                None => self.steps.push(Step {
                    fixed: std::mem::take(&mut fixed),
                    kind: part.kind,
                }),
            }
        }
        fixed.extend_from_slice(&self.end);
        self.tail = fixed;
    }

    fn read<'a>(&self, text: &'a str, values: &mut [Scalar<'a>]) -> Read {
        let mut cursor = Cursor::new(text);
        let mut read = Read::Nothing;
        for step in &self.steps {
            if !begins_with(cursor.rest(), &step.fixed) {
                return read;
            }
            cursor.at += step.fixed.len();
            read = Read::Part;
            if step.read(&mut cursor, values).is_none() {
                return read;
            }
        }
        if cursor.rest() == self.tail { Read::Whole } else { read }
    }
}

/// How far a record was of a form.
enum Read {
    Whole,
    /// Some values were set.
    Part,
    Nothing,
}

impl Step {
    fn read<'a>(&self, cursor: &mut Cursor<'a>, values: &mut [Scalar<'a>]) -> Option<()> {
        match self.kind {
            Kind::Slot(slot) => *values.get_mut(usize::from(slot))? = cursor.scalar()?,
            Kind::Raw(slot) => {
                let from = cursor.at;
                cursor.skip()?;
                *values.get_mut(usize::from(slot))? = raw(cursor.text.get(from..cursor.at)?);
            }
            Kind::Skip => cursor.skip()?,
        }
        Some(())
    }
}

/// Whether one begins with the other. The pieces of a form are short: comparing words in place is faster than a call.
fn begins_with(text: &[u8], fixed: &[u8]) -> bool {
    let Some(front) = text.get(..fixed.len()) else {
        return false;
    };
    let same = |a: &[u8; 16], b: &[u8; 16]| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b);
    let ((a, a_rest), (b, b_rest)) = (front.as_chunks::<16>(), fixed.as_chunks::<16>());
    if !a.iter().zip(b).all(|(a, b)| same(a, b)) {
        return false;
    }
    match (front.last_chunk::<16>(), fixed.last_chunk::<16>()) {
        // The last words overlap those before: still one comparison.
        (Some(a), Some(b)) => same(a, b),
        _ => a_rest == b_rest,
    }
}
