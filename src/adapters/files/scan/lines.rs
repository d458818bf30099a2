//! Whole lines of text, of which those of forms that are known are read one behind the other, without a look for where each of them ends.

use memchr::memchr;

use super::super::line::{Context, Fault, FormsByFormat, Output};
use super::super::value::Value;
use super::Forms;

/// Lines that are all there, each with its end.
pub(in super::super) struct Lines<'t> {
    rest: &'t str,
    /// The number of the next one.
    number: u64,
}

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Line<'t> {
    pub text: &'t str,
    pub number: u64,
}

impl<'t> Lines<'t> {
    /// The lines of a text, which ends with one; so many were before.
    pub fn new(text: &'t str, before: u64) -> Self {
        Lines {
            rest: text,
            number: before + 1,
        }
    }

    /// What is still to be read.
    pub fn rest(&self) -> &'t str {
        self.rest
    }

    /// How many were read, if so many were before the first of them.
    pub fn since(&self, before: u64) -> u64 {
        self.number.saturating_sub(before + 1)
    }

    /// Takes the next line, whatever it is.
    pub fn take(&mut self) -> Option<Line<'t>> {
        let end = memchr(b'\n', self.rest.as_bytes())?;
        let (text, number) = (self.rest.get(..end)?, self.number);
        self.pass(end + 1)?;
        Some(Line {
            text: text.strip_suffix('\r').unwrap_or(text),
            number,
        })
    }

    fn pass(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        self.number += 1;
        Some(())
    }

    /// Takes the lines that `read` makes calls of, up to so many, as long as each is of a form of `forms`; `read` gets what was read of it into
    /// `values`. The first line of another kind stays, and nothing is left of what was read of it.
    #[inline(always)]
    pub fn calls<V: AsMut<[Value<'t>]>>(
        &mut self,
        most: usize,
        forms: fn(&mut FormsByFormat) -> &mut Forms,
        mut values: V,
        context: &mut Context,
        out: &mut Output,
        mut read: impl FnMut(&V, Line<'t>, &mut Context, &mut Output) -> Result<(), Fault>,
    ) {
        let mut known = std::mem::take(forms(&mut context.forms));
        let mut given = false;
        for _ in 0..most {
            if self.rest.is_empty() {
                break;
            }
            let Some(length) = known.read_line(self.rest, values.as_mut(), &mut given) else {
                known.fits_none = true;
                break;
            };
            let Some((text, end)) = self.rest.split_at_checked(length) else {
                break;
            };
            let (before, cut) = (out.lengths(), context.cut);
            let [events, ..] = before;
            let line = Line {
                text,
                number: self.number,
            };
            let is_read = read(&values, line, context, out).is_ok();
            if !is_read || out.events.len() == events {
                out.back_to(before);
                context.cut = cut;
                break;
            }
            let line_end = 1 + usize::from(end.as_bytes().first() == Some(&b'\r'));
            if self.pass(length + line_end).is_none() {
                break;
            }
        }
        *forms(&mut context.forms) = known;
    }
}
