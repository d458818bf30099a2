//! JSON objects of an array or of a sequence, which may span lines, and texts of such. Behind a broken one reading goes on at the next line that begins one.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2, memrchr};
use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::super::line::Fault;
use super::scan::Scan;
use super::{RECORD_LIMIT, Record, Records};

/// Line ends are looked for in so many bytes at a time: many objects may stand on one line.
const WINDOW: usize = 4096;
/// How far into its line an object may begin so that others like it are told by that.
const DEEPEST: usize = 256;
/// Bytes that may stand between where a line is indented to and the object that it begins.
const BETWEEN: usize = 16;

/// A value between objects that is none is looked at so far; a longer one ends with its line.
const LONGEST_SINGLE: usize = 64 << 10;

/// What Python and others write where no number is, though JSON has no word for it.
const NO_NUMBERS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Where an object ends.
#[derive(Clone, Copy)]
enum End {
    /// Behind its closing bracket.
    Closed(usize),
    /// It goes on behind where another one begins.
    Cut,
    /// The stream ends before it does.
    Nowhere,
    /// It is longer than any may be.
    TooFar,
}

impl Record<'_> {
    /// What is wrong with a broken one.
    pub fn fault(&self) -> Fault {
        let behind = if self.ended {
            ""
        } else {
            "; nothing behind it could be read"
        };
        match serde_json::from_slice::<IgnoredAny>(self.bytes) {
            Err(error) if !error.is_eof() => Fault::whole(format!("not valid JSON: {error}{behind}")),
            Ok(_) | Err(_) => Fault::whole(format!("it ends in the middle of a record{behind}")),
        }
    }
}

impl<R: Read> Records<R> {
    /// The next JSON object of an array or of a sequence, which may span lines. Text between objects is a record of its own.
    pub fn value(&mut self) -> io::Result<Option<Record<'_>>> {
        if !self.skip_between()? {
            return Ok(None);
        }
        if self.ahead().starts_with(b"\"{")
            && let Some(length) = self.end_of_text()?
        {
            return Ok(Some(self.take(length, End::Closed(length), false)));
        }
        if self.ahead().first() != Some(&b'{') {
            if let Some(length) = self.end_of_single()? {
                return Ok(Some(self.take(length, End::Closed(length), false)));
            }
            // What a broken one has left over may end on the line that begins the next one.
            return match begins_object(self.ahead(), DEEPEST).flatten() {
                Some(next) => Ok(Some(self.take(next, End::Cut, true))),
                None => self.line(),
            };
        }
        let (end, next) = self.end_of_value()?;
        let bytes = self.ahead();
        // Objects within it may begin lines as well: only where it is none itself the line is the next one's.
        let (length, ended, broken) = match (end, next) {
            (End::Closed(length), None) => (length, true, false),
            (End::Closed(length), Some(next)) => match is_json(bytes.get(..length).unwrap_or_default()) {
                true => (length, true, false),
                // The next one may begin on the line that ends this one, behind it.
                false => (next.min(length), true, true),
            },
            (End::Nowhere, None) => (bytes.len(), false, !begins_value(bytes)),
            (End::Nowhere, Some(next)) => match self.grows && begins_value(bytes) {
                true => (bytes.len(), false, false),
                false => (next, true, true),
            },
            (End::TooFar | End::Cut, Some(next)) => (next, true, true),
            (End::TooFar | End::Cut, None) => return self.skip_line().map(Some),
        };
        let seen = match end {
            End::Closed(end) => end,
            End::Nowhere | End::TooFar => bytes.len(),
            End::Cut => length,
        };
        self.again = self.again.saturating_sub(seen - length);
        Ok(Some(Record {
            ended,
            ..self.take(length, end, broken)
        }))
    }

    /// What is ahead up to there as a record.
    fn take(&mut self, length: usize, end: End, broken: bool) -> Record<'_> {
        let (from, at) = (self.start, self.offset);
        self.consume(length);
        let bytes = self.buffer.get(from..self.start).unwrap_or(&[]);
        let line = self.newlines + 1;
        self.newlines += memchr_iter(b'\n', bytes).count() as u64;
        Record {
            bytes,
            at,
            line,
            ended: true,
            too_long: matches!(end, End::TooFar),
            broken,
        }
    }

    /// Where the object ahead ends, and where the first line behind its own is that seems to begin another one.
    fn end_of_value(&mut self) -> io::Result<(End, Option<usize>)> {
        let column = self.column();
        let mut scan = Scan::default();
        let (mut at, mut begins_line, mut next) = (0, false, None);
        loop {
            let bytes = self.ahead().get(at..).unwrap_or_default();
            let begun = match begins_line && next.is_none() {
                true => begins_object(bytes, column),
                false => Some(None),
            };
            // What a line begins with may not be read so far.
            if begun.is_some() || self.eof {
                next = next.or(begun.flatten().map(|begun| at + begun));
                if next.is_some() && self.again == 0 {
                    return Ok((End::Cut, next));
                }
                let window = bytes.get(..WINDOW).unwrap_or(bytes);
                let line = memchr(b'\n', window);
                let window = line.and_then(|line| window.get(..=line)).unwrap_or(window);
                if let Some(end) = scan.end_of_value(window) {
                    return Ok((End::Closed(at + end), next));
                }
                at += window.len();
                begins_line = line.is_some();
                if at < self.ahead().len() {
                    continue;
                }
                if self.eof {
                    return Ok((End::Nowhere, next));
                }
            }
            if self.ahead().len() >= RECORD_LIMIT {
                return Ok((End::TooFar, next));
            }
            self.fill()?;
        }
    }

    /// Where the value ahead ends that is no object, such as `null` between two: it is told by itself, and what is behind it is read. Nothing where
    /// something else stands there.
    fn end_of_single(&mut self) -> io::Result<Option<usize>> {
        let is_text = self.ahead().first() == Some(&b'"');
        let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let (mut at, mut escaped, mut ended) = (usize::from(is_text), false, false);
        loop {
            // It may go on behind what is read ahead, and at the end of a stream that somebody is still writing.
            let Some(byte) = self.ahead().get(at).copied() else {
                if self.eof || at >= LONGEST_SINGLE {
                    return Ok(None);
                }
                self.fill()?;
                continue;
            };
            match byte {
                b',' | b']' | b'\n' if ended || !is_text => break,
                _ if is_blank(byte) && (ended || !is_text) => ended = true,
                _ if ended || byte == b'\n' => return Ok(None),
                b'"' if is_text && !escaped => ended = true,
                _ if !is_text && !is_in(&byte) => return Ok(None),
                _ => escaped = byte == b'\\' && !escaped,
            }
            at += 1;
        }
        let value = self.ahead().get(..at).unwrap_or_default();
        let is_single = is_json(value) || NO_NUMBERS.contains(&value.trim_ascii_end());
        Ok(is_single.then_some(at))
    }

    /// Where the text ahead ends, behind its closing quote; nothing where it does not.
    fn end_of_text(&mut self) -> io::Result<Option<usize>> {
        let mut at = 1;
        loop {
            match memchr2(b'"', b'\\', self.ahead().get(at..).unwrap_or_default()) {
                Some(found) if self.ahead().get(at + found) == Some(&b'"') => return Ok(Some(at + found + 1)),
                Some(found) => at += found + 2,
                None if self.eof || self.ahead().len() >= RECORD_LIMIT => return Ok(None),
                None => {
                    at = at.max(self.ahead().len());
                    self.fill()?;
                }
            }
        }
    }

    /// How far its line is indented at most that begins an object like the one ahead.
    fn column(&self) -> usize {
        let from = self.start.saturating_sub(DEEPEST).max(self.kept);
        let before = self.buffer.get(from..self.start).unwrap_or(&[]);
        let line = memrchr(b'\n', before).and_then(|end| before.get(end + 1..));
        let line = line.unwrap_or(before);
        match line.iter().all(|b| is_blank(*b) || matches!(b, b'[' | b',')) {
            true => line.len(),
            false => line.iter().take_while(|b| is_blank(**b)).count(),
        }
    }

    /// Passes over what may stand between objects; whether anything is left.
    fn skip_between(&mut self) -> io::Result<bool> {
        loop {
            let mut count = 0;
            let mut newlines = 0;
            let mut found = false;
            for byte in self.ahead() {
                match byte {
                    b'\n' => newlines += 1,
                    b' ' | b'\t' | b'\r' | b',' | b'[' | b']' | 0 => {}
                    _ => {
                        found = true;
                        break;
                    }
                }
                count += 1;
            }
            self.consume(count);
            self.newlines += newlines;
            if found {
                return Ok(true);
            }
            if self.eof {
                return Ok(false);
            }
            self.fill()?;
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Where the object begins that a line begins with, no further in than `column`; nothing where that is not to be seen so far.
fn begins_object(line: &[u8], column: usize) -> Option<Option<usize>> {
    let indent = line.iter().take(column + 1).take_while(|b| is_blank(**b)).count();
    if indent > column {
        return Some(None);
    }
    // The end of the one before it, as some write them.
    let rest = line.iter().skip(indent).take(BETWEEN);
    let at = indent + rest.take_while(|b| is_blank(**b) || matches!(b, b',' | b'}')).count();
    line.get(at).map(|byte| Some(at).filter(|_| *byte == b'{'))
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Whether bytes begin with a JSON value, or are the beginning of one.
pub(in super::super) fn begins_value(bytes: &[u8]) -> bool {
    // A number may go on, and zero bytes are room that a writer has set aside.
    let open = |byte: &u8| matches!(byte, 0 | b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let end = bytes.iter().rposition(|byte| !open(byte)).map_or(0, |at| at + 1);
    let begun = bytes.get(..end).unwrap_or_default();
    let first = Deserializer::from_slice(begun).into_iter::<IgnoredAny>().next();
    first.is_some_and(|first| first.map_or_else(|error| error.is_eof(), |_| true))
}
