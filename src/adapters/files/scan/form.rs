//! Forms of records: what a log's records have in common, so that the next one is compared where it is the same and read only
//! where it differs.
//!
//! A program writes its records with the same keys in the same order, and most of its values are those of the record before. A form
//! knows both. Its *close* steps take values that have rarely changed for fixed text; when one does change, the *wide* steps
//! read all values, and the close ones are made anew.

use super::super::value::Value;
use super::cursor::End;
use super::length::RARELY;
use super::steps::{Steps, Take};

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
/// Records after which what was seen long ago counts half.
const SEEN: u64 = 1 << 14;

/// The forms met last, the last first.
#[derive(Default)]
pub(in super::super) struct Forms {
    known: Vec<Form>,
    /// Where the values of the record stood that was read last by wide steps.
    spans: Vec<(usize, usize)>,
    /// Whether the record that is read next is known to be of none of them.
    pub fits_none: bool,
}

/// One form, as learned and as used.
struct Form {
    parts: Vec<Part>,
    end: Vec<u8>,
    reads: u64,
    /// The record whose values are known as the last ones.
    looked_at: u64,
    /// Whether all values of the next record are read, to see which of them differ from one record to the next.
    look: bool,
    wide: Steps,
    close: Steps,
}

/// A value and the bytes before it.
pub(super) struct Part {
    pub before: Vec<u8>,
    pub kind: Kind,
    sort: Sort,
    /// The value in the record that was looked at last; empty if it was too long to be kept.
    pub last: Vec<u8>,
    /// Whether the close steps take it for fixed.
    fixed: bool,
    /// How often it is known whether it was another one than in the record before, and how often it was.
    seen: u64,
    changes: u64,
}

/// What the values at one place have been so far, where that makes them easier to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Natural,
    Any,
}

impl Forms {
    /// Reads a record of a form that is known into values that are null.
    pub fn read<'a>(&mut self, text: &'a str, values: &mut [Value<'a>]) -> Option<()> {
        if self.fits_none {
            return None;
        }
        self.find(text, values, End::Text).map(|_| ())
    }

    /// Reads the first line of a text, if it is of a form that is known, and answers its length without the line end. `given` says whether the
    /// values are those of a record that this has read into them, and no other form since; those that were fixed then need not be given again.
    #[inline]
    pub fn read_line<'a>(&mut self, text: &'a str, values: &mut [Value<'a>], given: &mut bool) -> Option<usize> {
        if *given
            && let Some(form) = self.known.first_mut()
            && let Some(length) = form.read_again(text, values)
        {
            return Some(length);
        }
        values.fill(Value::Null);
        let found = self.find(text, values, End::Line);
        *given = found.is_some() && self.known.first().is_some_and(|form| form.looked_at != form.reads);
        found
    }

    #[inline(never)]
    fn find<'a>(&mut self, text: &'a str, values: &mut [Value<'a>], end: End) -> Option<usize> {
        let mut forms = self.known.iter_mut().enumerate();
        let spans = &mut self.spans;
        let (place, length) = forms.find_map(|(n, form)| Some((n, form.read(text, values, spans, end)?)))?;
        if place > 0
            && let Some(front) = self.known.get_mut(..=place)
        {
            front.rotate_right(1);
        }
        Some(length)
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
                last: short(value).to_vec(),
                fixed: value.len() <= FIXED,
                seen: 0,
                changes: 0,
            });
            at = token.to;
        }
        let end = bytes.get(at..).unwrap_or(&[]).to_vec();
        let mut form = Form {
            parts,
            end,
            reads: 1,
            looked_at: 1,
            look: false,
            wide: Steps::default(),
            close: Steps::default(),
        };
        form.wide
            .make(&form.parts, &form.end, |_| false, |part| part.kind.into());
        form.close.make(&form.parts, &form.end, |part| part.fixed, Part::take);
        self.known.truncate(FORMS - 1);
        self.known.insert(0, form);
    }
}

/// A value as it is kept for comparison.
fn short(value: &[u8]) -> &[u8] {
    if value.len() <= FIXED { value } else { &[] }
}

fn sort(value: &[u8]) -> Sort {
    match value.first() {
        Some(b'"') => Sort::Text,
        Some(b'0'..=b'9') => Sort::Natural,
        _ => Sort::Any,
    }
}

impl Part {
    /// Looks at the value in a record, so many records after the one before.
    fn look(&mut self, value: &[u8], since: u64) {
        let differs = self.last.is_empty() || self.last != value;
        if self.fixed || since == 1 {
            self.seen += since;
            self.changes += u64::from(differs);
        }
        if self.seen > SEEN {
            (self.seen, self.changes) = (self.seen / 2, self.changes / 2);
        }
        if differs {
            self.last.clear();
            self.last.extend_from_slice(short(value));
        }
        if self.sort != sort(value) {
            self.sort = Sort::Any;
        }
        // A value that changes often is never taken for fixed: making the close steps costs as much as some records.
        let is_rare = self.changes.saturating_mul(RARELY) <= self.seen.max(RARELY);
        self.fixed = is_rare && !self.last.is_empty();
    }

    /// How a value that is like those before is read.
    fn take(&self) -> Take {
        match (self.kind, self.sort) {
            (Kind::Slot(slot), Sort::Text) => Take::Text(slot),
            (Kind::Slot(slot), Sort::Natural) => Take::Natural(slot),
            (Kind::Skip, Sort::Text) => Take::SkipText,
            (kind, _) => kind.into(),
        }
    }
}

impl Form {
    fn read<'a>(
        &mut self,
        text: &'a str,
        values: &mut [Value<'a>],
        spans: &mut Vec<(usize, usize)>,
        end: End,
    ) -> Option<usize> {
        self.reads += 1;
        let close = (!self.look).then(|| self.close.read(text, values, self.reads, end, false));
        close.flatten().or_else(|| self.read_wide(text, values, spans, end))
    }

    /// Reads one more line like the one that was read into these values.
    #[inline(always)]
    fn read_again<'a>(&mut self, text: &'a str, values: &mut [Value<'a>]) -> Option<usize> {
        let reads = self.reads + 1;
        let length = self.close.read(text, values, reads, End::Line, true)?;
        self.reads = reads;
        Some(length)
    }

    /// Reads a record that the close steps do not fit.
    #[cold]
    fn read_wide<'a>(
        &mut self,
        text: &'a str,
        values: &mut [Value<'a>],
        spans: &mut Vec<(usize, usize)>,
        end: End,
    ) -> Option<usize> {
        values.fill(Value::Null);
        let length = self.wide.read_places(text, values, spans, end);
        if length.is_some() {
            self.adjust(text.as_bytes(), spans);
            return length;
        }
        values.fill(Value::Null);
        self.reads -= 1;
        None
    }

    /// Makes the close steps anew after a record of which all values were read.
    fn adjust(&mut self, text: &[u8], spans: &[(usize, usize)]) {
        let since = self.reads - self.looked_at;
        for (part, (from, to)) in self.parts.iter_mut().zip(spans) {
            part.look(text.get(*from..*to).unwrap_or(&[]), since);
        }
        // Of a value that is read each time only the next record tells whether it differs.
        self.look = since > 1;
        self.looked_at = self.reads;
        self.close.make(&self.parts, &self.end, |part| part.fixed, Part::take);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, Want, read};
    use super::*;

    static KEYS: Keys = Keys {
        wanted: &[("id", Want::Slot(0)), ("session", Want::Slot(1)), ("n", Want::Slot(2))],
        others: |_| true,
    };

    #[test]
    fn a_form_is_made_anew_only_when_a_value_changes_that_rarely_does() {
        let mut forms = Forms::default();
        let (mut looks, mut last) = (0, 0);
        for n in 0..20_000_u32 {
            let text = format!(
                r#"{{"id":"call_{n:06}","session":"{}","n":{},"x":{}}}"#,
                n / 500,
                n % 7,
                n / 40
            );
            let mut values = [Value::Null; 3];
            assert!(read(&text, &KEYS, &mut forms, &mut values).is_some());
            assert!(
                matches!(values, [Value::Text(id), Value::Text(session), Value::Whole(count)]
                if id == format!("call_{n:06}") && session == (n / 500).to_string() && count == u64::from(n % 7))
            );
            let looked_at = forms.known[0].looked_at;
            looks += u64::from(looked_at != last);
            last = looked_at;
        }
        // Each of 39 new sessions, and the record behind it; besides what it takes to get to know the values.
        assert!((78..150).contains(&looks), "{looks}");
        let fixed: Vec<bool> = forms.known[0].parts.iter().map(|part| part.fixed).collect();
        assert_eq!(fixed, [false, true, false, false]);
    }
}
