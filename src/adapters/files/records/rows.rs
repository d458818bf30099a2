//! Rows of a CSV file, whole ones, for a parser behind: one whose quotes are never closed is left out, so that it swallows none of those behind it.

mod row;

use std::collections::VecDeque;
use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::{RECORD_LIMIT, Records};
use crate::ports::Rejection;

use self::row::{At, Row};

/// Rows left out one behind the other that are told each: they wait in memory for the next sound one.
const TOLD_APART: usize = 4096;

/// What is left out.
pub(in super::super) struct Broken {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// How long it is without its line ends.
    pub length: u64,
    /// Its beginning.
    pub head: Vec<u8>,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Why a row is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Wrong {
    /// Longer than [`RECORD_LIMIT`].
    TooLong,
    /// Its quotes are not closed.
    Open,
    /// So many values under so many names, each of which would take many times the memory of its comma.
    Wide(usize, usize),
}

/// Rows longer than this are counted before they are cut into values: a row of usage is far shorter.
const LONG_ROW: usize = 256 << 10;

/// A stream of rows.
pub(in super::super) struct Rows<R> {
    records: Records<R>,
    /// How many of the bytes ahead are of whole rows.
    ready: usize,
    /// Line ends before the row behind these.
    lines: u64,
    /// Line ends to be handed on in place of what is left out, so that lines are counted right.
    blank: usize,
    /// Values of the first row.
    width: usize,
    /// What lines end with: a line feed, or a carriage return where there is no other end.
    line_end: u8,
    /// Bytes that were handed on.
    handed: u64,
    /// Rows that are handed on: where each ends in that, and on which line it begins. Blank lines are none.
    begun: VecDeque<(u64, u64)>,
    /// Rows that are left out, until they are told.
    broken: Vec<Broken>,
    /// Whether the stream ends in quotes.
    open: bool,
    /// Whether its last row is left, as it may still be written.
    left: bool,
}

impl<R: Read> Rows<R> {
    /// Rows of `records`, of which the first one is the header.
    pub fn new(records: Records<R>) -> Self {
        let ahead = records.ahead();
        let line_end = match memchr(b'\n', ahead).is_none() && memchr(b'\r', ahead).is_some() {
            true => b'\r',
            false => b'\n',
        };
        Rows {
            records,
            ready: 0,
            lines: 0,
            blank: 0,
            width: 0,
            line_end,
            handed: 0,
            begun: VecDeque::new(),
            broken: Vec::new(),
            open: false,
            left: false,
        }
    }

    /// What was left out since this was asked last.
    pub fn broken(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.broken)
    }

    /// Line on which the row begins that ends there in what was handed on; those before it are forgotten.
    pub fn line(&mut self, end: u64) -> u64 {
        while let Some((behind, line)) = self.begun.front() {
            if *behind >= end {
                return *line;
            }
            self.begun.pop_front();
        }
        self.lines + 1
    }

    /// Whether the stream, which was read to its end, ends in quotes.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the last row was left, as it may still be written.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Whether what was handed on ends with a line end.
    pub fn ends_a_line(&self) -> bool {
        self.left || self.records.ends_a_line()
    }

    /// Looks for whole rows ahead.
    fn find(&mut self) -> io::Result<()> {
        let mut row = Row::default();
        loop {
            let bytes = self.records.ahead();
            let mut lines = self.lines;
            let (mut out, mut wrong) = (None, Wrong::Open);
            while let Some(end) = row.end(bytes, self.records.again == 0) {
                let cut = row.at == At::Quoted;
                out = match (cut, row.odd) {
                    (true, _) => Some(end),
                    (false, true) => self.next_row(row.second_line, end),
                    (false, false) => None,
                };
                if let (None, Some(wide)) = (out, self.too_wide(&row, bytes, end)) {
                    (out, wrong) = (Some(end), wide);
                }
                if out.is_some() {
                    break;
                }
                let within = bytes.get(row.start..end).unwrap_or_default();
                if !matches!(within, [b'\n' | b'\r']) {
                    if self.width == 0 {
                        self.width = row.width(bytes);
                    }
                    let end = self.handed + (self.blank + end) as u64;
                    self.begun.push_back((end, lines + 1));
                }
                lines += match row.quotes {
                    true => memchr_iter(self.line_end, within).count() as u64,
                    false => u64::from(within.last() == Some(&self.line_end)),
                };
                self.ready = end;
                row = Row::of(end);
            }
            self.lines = lines;
            if self.ready > 0 {
                return Ok(());
            }
            if let Some(next) = out {
                self.leave_out(row.seen, next, wrong);
                row = Row::default();
                continue;
            }
            let (length, eof) = (self.records.ahead().len(), self.records.eof);
            if !eof && length < RECORD_LIMIT {
                self.records.fill()?;
                continue;
            }
            if length == 0 {
                return Ok(());
            }
            if eof && row.at != At::Quoted {
                // As where a line end stands behind it.
                let Some(next) = self.next_row(row.second_line.filter(|_| row.odd), length) else {
                    match self.too_wide(&row, self.records.ahead(), length) {
                        Some(wide) => self.leave_out(length, length, wide),
                        None => self.end_with(length),
                    }
                    return Ok(());
                };
                self.leave_out(length, next, Wrong::Open);
                row = Row::default();
                continue;
            }
            let next = self.next_row(row.second_line, length);
            self.open |= eof;
            match next {
                Some(next) if eof => self.leave_out(length, next, Wrong::Open),
                Some(next) => self.leave_out(length, next, Wrong::TooLong),
                // It may be the last one, and just that.
                None if eof && self.records.grows => {
                    self.left = true;
                    self.records.consume(length);
                    return Ok(());
                }
                None if eof && self.width > 0 => {
                    self.end_with(length);
                    return Ok(());
                }
                // Without its header a table tells nothing.
                None if eof => self.leave_out(length, length, Wrong::Open),
                None if row.at == At::Quoted => self.pass_over()?,
                None => self.pass_line()?,
            }
            row = Row::default();
        }
    }

    /// Takes all that is ahead as the last row.
    fn end_with(&mut self, length: usize) {
        self.ready = length;
        let end = self.handed + (self.blank + length) as u64;
        self.begun.push_back((end, self.lines + 1));
    }

    /// Whether a row has more values than there are names, where that is worth to be looked at.
    fn too_wide(&self, row: &Row, bytes: &[u8], end: usize) -> Option<Wrong> {
        let values = (self.width > 0 && end - row.start > LONG_ROW).then(|| row.width(bytes))?;
        (values > self.width).then_some(Wrong::Wide(values, self.width))
    }

    /// Where the first of the lines from there on is that looks like a row of this table.
    fn next_row(&self, from: Option<usize>, end: usize) -> Option<usize> {
        let bytes = self.records.ahead();
        let mut from = from.filter(|_| self.width > 1)?;
        while let Some(rest) = bytes.get(from..end).filter(|rest| !rest.is_empty()) {
            let line = memchr(b'\n', rest).and_then(|at| rest.get(..=at)).unwrap_or(rest);
            let mut row = Row::default();
            row.end(line, true);
            if row.at != At::Quoted && row.width(line) == self.width {
                return Some(from);
            }
            from += line.len();
        }
        None
    }

    /// Leaves out what is ahead up to `next`; it was looked at up to `seen`.
    fn leave_out(&mut self, seen: usize, next: usize, wrong: Wrong) {
        let out = self.records.ahead().get(..next).unwrap_or_default();
        let newlines = memchr_iter(b'\n', out).count();
        let lines = memchr_iter(self.line_end, out).count() as u64;
        let head = out.get(..Rejection::RAW_LIMIT).unwrap_or(out).to_vec();
        self.note((next - newlines) as u64, head, wrong);
        self.blank += newlines;
        self.lines += lines;
        self.records.again = self.records.again.saturating_sub(seen - next);
        self.records.consume(next);
    }

    fn note(&mut self, length: u64, head: Vec<u8>, wrong: Wrong) {
        let many = self.broken.len() >= TOLD_APART;
        match self.broken.last_mut() {
            Some(last) if many => last.length += length,
            Some(_) | None => self.broken.push(Broken {
                line: self.lines + 1,
                length,
                head,
                wrong,
            }),
        }
    }

    /// Leaves out what is ahead, to the next line that looks like a row.
    fn pass_over(&mut self) -> io::Result<()> {
        let head = self.records.ahead();
        let head = head.get(..Rejection::RAW_LIMIT).unwrap_or(head).to_vec();
        let (mut length, mut newlines, mut begins_line) = (0, 0, false);
        loop {
            let bytes = self.records.ahead();
            let eof = self.records.eof;
            let whole = match eof {
                true => bytes.len(),
                false => memrchr(b'\n', bytes).map_or(0, |at| at + 1),
            };
            let from = match begins_line {
                true => Some(0),
                false => memchr(b'\n', bytes).map(|at| at + 1),
            };
            let next = self.next_row(from, whole);
            let out = match next {
                Some(next) => next,
                None if whole > 0 => whole,
                // The rest of its line is to come.
                None if begins_line && bytes.len() < RECORD_LIMIT => 0,
                None => bytes.len(),
            };
            begins_line = whole > 0 || out == 0;
            newlines += memchr_iter(b'\n', bytes.get(..out).unwrap_or_default()).count();
            length += out as u64;
            self.records.consume(out);
            if next.is_some() || eof {
                break;
            }
            self.records.fill()?;
        }
        self.note(length.saturating_sub(newlines as u64), head, Wrong::TooLong);
        self.blank += newlines;
        self.lines += newlines as u64;
        Ok(())
    }

    /// Leaves out what is ahead, to the next line end behind it.
    fn pass_line(&mut self) -> io::Result<()> {
        let newlines = memchr_iter(b'\n', self.records.ahead()).count();
        let from = self.records.offset;
        let record = self.records.skip_line()?;
        let (head, ended) = (record.bytes.to_vec(), record.ended);
        let newlines = newlines + usize::from(ended);
        let length = self.records.offset - from;
        self.note(length.saturating_sub(newlines as u64), head, Wrong::TooLong);
        self.blank += newlines;
        self.lines += newlines as u64;
        Ok(())
    }
}

impl<R: Read> Read for Rows<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.blank == 0 && self.ready == 0 {
            self.find()?;
        }
        if self.blank > 0 {
            let count = target.len().min(self.blank);
            target.iter_mut().take(count).for_each(|slot| *slot = b'\n');
            self.blank -= count;
            self.handed += count as u64;
            return Ok(count);
        }
        let count = target.len().min(self.ready);
        for (slot, byte) in target.iter_mut().zip(self.records.ahead().iter().take(count)) {
            *slot = *byte;
        }
        self.records.consume(count);
        self.ready -= count;
        self.handed += count as u64;
        Ok(count)
    }
}
