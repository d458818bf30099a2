//! Cuts a stream of bytes into records with one reused buffer: lines, or JSON values that may span lines.

mod rows;
mod scan;
mod values;

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::ports::Rejection;

pub(super) use self::rows::{Broken, Rows, Wrong};
pub(super) use self::values::begins_value;

/// Longest record that is kept in memory. Longer ones (images in base64) are passed over, so memory stays bounded.
pub(super) const RECORD_LIMIT: usize = 64 << 20;
const BUFFER: usize = 128 << 10;
/// Bytes behind the beginnings of broken records that are looked at a second time, as whoever looks for an end finds it far behind or nowhere.
/// When they are used up, a record ends at the latest where a line seems to begin another one: reading takes time in proportion to what is read.
const AGAIN: usize = RECORD_LIMIT;

/// One record.
pub(super) struct Record<'b> {
    /// Its bytes without the line end; of one that is too long only the beginning.
    pub bytes: &'b [u8],
    /// Where these begin in the stream.
    pub at: u64,
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Whether its end was seen: a newline, or the closing bracket.
    pub ended: bool,
    /// Longer than [`RECORD_LIMIT`].
    pub too_long: bool,
    /// Whether it is damaged, so that nothing that may follow completes it.
    pub broken: bool,
}

impl Record<'_> {
    /// Without blanks around it, and without the comma behind an object that was cut out of an array.
    pub fn trimmed(&self) -> &[u8] {
        let bytes = self.bytes.trim_ascii();
        match bytes.strip_suffix(b",").map(<[u8]>::trim_ascii_end) {
            Some(object) if object.starts_with(b"{") && object.ends_with(b"}") => object,
            Some(_) | None => bytes,
        }
    }
}

impl Broken {
    /// Why it is left out.
    pub fn reason(&self) -> String {
        match self.wrong {
            Wrong::TooLong => format!("longer than {RECORD_LIMIT} bytes"),
            Wrong::Open => "a quote that is opened in this row is never closed".to_owned(),
            Wrong::Wide(values, names) => format!("{values} values under {names} names"),
        }
    }
}

/// How far a stream is read.
pub(super) struct Behind<'b> {
    /// Bytes of the decoded stream.
    pub offset: u64,
    /// Line ends among them.
    pub newlines: u64,
    /// The last of these bytes, as far as they are kept.
    pub bytes: &'b [u8],
}

impl Behind<'_> {
    /// Bytes that are kept at most.
    pub const MOST: usize = 1024;
}

/// A stream of records.
pub(super) struct Records<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the bytes begin that stood before `start` in the stream.
    kept: usize,
    start: usize,
    end: usize,
    eof: bool,
    /// Whether zero bytes before a record were passed over.
    zeros: bool,
    /// Where zero bytes began behind which nothing was read so far, with what stood before them.
    before_zeros: Option<(u64, Vec<u8>)>,
    /// The last byte that was read.
    last: u8,
    /// What went wrong while more was read ahead.
    failed: Option<io::Error>,
    /// Bytes of the decoded stream before the next record.
    pub offset: u64,
    /// Line ends before the next record.
    pub newlines: u64,
    /// Whether the stream may be of a file that somebody is still writing.
    pub grows: bool,
    /// Bytes that may still be looked at a second time.
    again: usize,
    /// Where in the stream the lines end that were given together last.
    given: u64,
}

impl<R: Read> Records<R> {
    /// Records of `input`, which stands at `offset` behind so many line ends.
    pub fn new(input: R, offset: u64, newlines: u64) -> Self {
        Self::with_buffer(input, offset, newlines, Vec::new())
    }

    /// The same with a buffer that another stream has left.
    pub fn with_buffer(input: R, offset: u64, newlines: u64, mut buffer: Vec<u8>) -> Self {
        if buffer.len() != BUFFER {
            buffer = vec![0; BUFFER];
        }
        Records {
            input,
            buffer,
            kept: 0,
            start: 0,
            end: 0,
            eof: false,
            zeros: false,
            before_zeros: None,
            last: b'\n',
            failed: None,
            offset,
            newlines,
            grows: false,
            again: AGAIN,
            given: 0,
        }
    }

    /// Notes what stood before the stream, which nothing was read of so far.
    pub fn stood_before(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            (self.start, self.end) = (bytes.len(), bytes.len());
        }
    }

    /// How far the stream was read before the record read last, or some more; also where that is within what is read ahead.
    pub fn behind(&self, offset: u64, newlines: u64) -> Behind<'_> {
        let back = usize::try_from(self.offset.saturating_sub(offset)).unwrap_or(usize::MAX);
        let ahead = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let end = self.start.saturating_sub(back).saturating_add(ahead);
        let from = end.saturating_sub(Behind::MOST).max(self.kept);
        Behind {
            offset,
            newlines,
            bytes: self.buffer.get(from..end).unwrap_or(&[]),
        }
    }

    /// How far the stream was read to its end. Zero bytes there are room that a writer has set aside: what he writes into it is still to come.
    pub fn end(&self) -> Behind<'_> {
        match &self.before_zeros {
            Some((offset, bytes)) => Behind {
                offset: *offset,
                newlines: self.newlines,
                bytes,
            },
            None => self.behind(self.offset, self.newlines),
        }
    }

    /// Whether zero bytes were passed over since this was asked last.
    pub fn passed_zeros(&mut self) -> bool {
        std::mem::take(&mut self.zeros)
    }

    /// The same, not forgetting it.
    pub fn has_passed_zeros(&self) -> bool {
        self.zeros
    }

    /// Passes over zero bytes: who goes on at his old place in a file that was emptied leaves them, and a machine that lost power.
    pub fn skip_zeros(&mut self) -> io::Result<()> {
        let before = self.behind(self.offset, self.newlines);
        self.before_zeros = Some((before.offset, before.bytes.to_vec()));
        loop {
            let count = self.ahead().iter().take_while(|byte| **byte == 0).count();
            self.zeros |= count > 0;
            self.consume(count);
            if self.start < self.end {
                self.before_zeros = None;
            }
            if self.start < self.end || self.eof {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Whether the stream, which was read to its end, ended with a line end.
    pub fn ends_a_line(&self) -> bool {
        self.last == b'\n'
    }

    /// The buffer, for another stream.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// What was read ahead and the stream behind it, for a reader with a buffer of its own.
    pub fn into_rest(mut self) -> (Vec<u8>, R) {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.start);
        (self.buffer, self.input)
    }

    /// What is read ahead: at least `least` bytes and one line end, unless the stream has less.
    pub fn peek(&mut self, least: usize) -> io::Result<&[u8]> {
        while !self.eof
            && self.end - self.start < RECORD_LIMIT
            && (self.end - self.start < least || memchr(b'\n', self.ahead()).is_none())
        {
            if let Err(error) = self.fill() {
                if self.start == self.end {
                    return Err(error);
                }
                // What was read before it is for its reader; it is told behind that.
                self.failed = Some(error);
                break;
            }
        }
        Ok(self.ahead())
    }

    /// Passes over a byte-order mark.
    pub fn skip_mark(&mut self) -> io::Result<()> {
        if self.peek(3)?.starts_with(b"\xEF\xBB\xBF") {
            self.consume(3);
        }
        Ok(())
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or(&[])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads more; answers by how much what was there moved towards the front.
    fn fill(&mut self) -> io::Result<usize> {
        let moved = self.start.saturating_sub(Behind::MOST).max(self.kept);
        if moved > 0 {
            self.buffer.copy_within(moved..self.end, 0);
            self.end -= moved;
            self.start -= moved;
            self.kept = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
        loop {
            match self.input.read(room) {
                Ok(0) => {
                    self.eof = true;
                    break;
                }
                Ok(read) => {
                    self.end += read;
                    self.last = self.buffer.get(self.end - 1).copied().unwrap_or(self.last);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// The next line; empty ones too.
    pub fn line(&mut self) -> io::Result<Option<Record<'_>>> {
        let mut scanned = self.start;
        loop {
            if self.buffer.get(self.start) == Some(&0) && self.start < self.end {
                self.skip_zeros()?;
                scanned = self.start;
            }
            let found = memchr(b'\n', self.buffer.get(scanned..self.end).unwrap_or(&[]));
            let (from, to) = (self.start, found.map_or(self.end, |at| scanned + at));
            if found.is_none() && !self.eof {
                if to - from >= RECORD_LIMIT {
                    return self.skip_line().map(Some);
                }
                scanned = to - self.fill()?;
                continue;
            }
            if found.is_none() && from == to {
                return Ok(None);
            }
            let at = self.offset;
            self.consume(to - from + usize::from(found.is_some()));
            let line = self.newlines + 1;
            self.newlines += u64::from(found.is_some());
            let bytes = self.buffer.get(from..to).unwrap_or(&[]);
            return Ok(Some(Record {
                bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
                at,
                line,
                ended: found.is_some(),
                too_long: false,
                broken: false,
            }));
        }
    }

    /// The lines that are read ahead in a usual buffer, as far as they are text: behind one that is not it is looked anew. None where they were given before.
    pub fn whole_lines(&self) -> &str {
        if self.offset < self.given {
            return "";
        }
        let lines = up_to_line_end(self.ahead().get(..BUFFER).unwrap_or(self.ahead()));
        simdutf8::compat::from_utf8(lines).unwrap_or_else(|error| {
            let valid = lines.get(..error.valid_up_to()).unwrap_or(&[]);
            std::str::from_utf8(up_to_line_end(valid)).unwrap_or("")
        })
    }

    /// Notes that so many bytes and lines of [`Records::whole_lines`] were read, and so many more bytes left to [`Records::line`].
    pub fn pass(&mut self, bytes: usize, lines: u64, left: usize) {
        self.consume(bytes);
        self.newlines += lines;
        self.given = self.given.max(self.offset + left as u64);
        self.zeros &= bytes == 0;
    }

    /// Passes over a line beyond the limit, keeping its beginning at the front of the buffer.
    fn skip_line(&mut self) -> io::Result<Record<'_>> {
        let head = self.ahead().get(..Rejection::RAW_LIMIT).unwrap_or(&[]).to_vec();
        let (at, line) = (self.offset, self.newlines + 1);
        // A 64 MiB buffer is not kept for the sake of one line.
        self.offset += (self.end - self.start) as u64;
        self.buffer = head;
        let kept = self.buffer.len();
        self.buffer.resize(kept + BUFFER, 0);
        (self.kept, self.start, self.end) = (kept, kept, kept);
        let ended = loop {
            let room = self.buffer.get_mut(kept..).unwrap_or(&mut []);
            let read = match self.input.read(room) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if read == 0 {
                self.eof = true;
                break false;
            }
            let fresh = self.buffer.get(kept..kept + read).unwrap_or(&[]);
            if let Some(at) = memchr(b'\n', fresh) {
                self.offset += at as u64 + 1;
                (self.start, self.end) = (kept + at + 1, kept + read);
                self.newlines += 1;
                break true;
            }
            self.offset += read as u64;
        };
        Ok(Record {
            bytes: self.buffer.get(..kept).unwrap_or(&[]),
            at,
            line,
            ended,
            too_long: true,
            broken: false,
        })
    }
}

impl<R: Read> Read for Records<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && !self.eof {
            self.fill()?;
        }
        let count = target.len().min(self.end - self.start);
        for (slot, byte) in target.iter_mut().zip(self.ahead()) {
            *slot = *byte;
        }
        self.consume(count);
        Ok(count)
    }
}

/// The bytes up to the last line end among them, and with it.
fn up_to_line_end(bytes: &[u8]) -> &[u8] {
    let end = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests;
