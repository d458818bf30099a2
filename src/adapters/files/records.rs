//! Cuts a stream of bytes into records with one reused buffer: lines, or JSON values that may span lines.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter};

use crate::ports::Rejection;

/// Longest record that is kept in memory. Longer ones (images in base64) are passed over, so memory stays bounded.
pub(super) const RECORD_LIMIT: usize = 64 << 20;
const BUFFER: usize = 128 << 10;

/// One record.
pub(super) struct Record<'b> {
    /// Its bytes without the line end; of one that is too long only the beginning.
    pub bytes: &'b [u8],
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Whether its end was seen: a newline, or the closing bracket.
    pub ended: bool,
    /// Longer than [`RECORD_LIMIT`].
    pub too_long: bool,
}

/// A stream of records.
pub(super) struct Records<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    /// The last byte that was read.
    last: u8,
    /// What went wrong while more was read ahead.
    failed: Option<io::Error>,
    /// Bytes of the decoded stream before the next record.
    pub offset: u64,
    /// Line ends before the next record.
    pub newlines: u64,
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
            start: 0,
            end: 0,
            eof: false,
            last: b'\n',
            failed: None,
            offset,
            newlines,
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
        let moved = self.start;
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
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
            self.consume(to - from + usize::from(found.is_some()));
            let line = self.newlines + 1;
            self.newlines += u64::from(found.is_some());
            let bytes = self.buffer.get(from..to).unwrap_or(&[]);
            return Ok(Some(Record {
                bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
                line,
                ended: found.is_some(),
                too_long: false,
            }));
        }
    }

    /// Passes over a line beyond the limit, keeping its beginning at the front of the buffer.
    fn skip_line(&mut self) -> io::Result<Record<'_>> {
        let head = self.ahead().get(..Rejection::RAW_LIMIT).unwrap_or(&[]).to_vec();
        let line = self.newlines + 1;
        // A 64 MiB buffer is not kept for the sake of one line.
        self.offset += (self.end - self.start) as u64;
        self.buffer = head;
        let kept = self.buffer.len();
        self.buffer.resize(kept + BUFFER, 0);
        (self.start, self.end) = (kept, kept);
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
            line,
            ended,
            too_long: true,
        })
    }

    /// The next JSON object of an array or of a sequence, which may span lines. Text between objects is a record of its own.
    pub fn value(&mut self) -> io::Result<Option<Record<'_>>> {
        if !self.skip_between()? {
            return Ok(None);
        }
        if self.ahead().first() != Some(&b'{') {
            return self.line();
        }
        let mut scan = Scan::default();
        let mut at = self.start;
        let length = loop {
            if let Some(end) = scan.end_of_value(self.buffer.get(at..self.end).unwrap_or(&[])) {
                break Some(at + end - self.start);
            }
            at = self.end;
            if self.eof {
                break None;
            }
            if self.end - self.start >= RECORD_LIMIT {
                return self.skip_line().map(Some);
            }
            at -= self.fill()?;
        };
        let (from, to) = (self.start, length.map_or(self.end, |n| self.start + n));
        self.consume(to - from);
        let bytes = self.buffer.get(from..to).unwrap_or(&[]);
        let line = self.newlines + 1;
        self.newlines += memchr_iter(b'\n', bytes).count() as u64;
        Ok(Some(Record {
            bytes,
            line,
            ended: length.is_some(),
            too_long: false,
        }))
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
                    b' ' | b'\t' | b'\r' | b',' | b'[' | b']' => {}
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

/// Where a scan through JSON text stands; brackets inside of texts do not count.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    fn end_of_value(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_whatever_their_ends() {
        let mut records = Records::new(&b"a\r\n\nb"[..], 0, 0);
        let mut seen = Vec::new();
        while let Some(r) = records.line().unwrap() {
            seen.push((r.bytes.to_vec(), r.line, r.ended));
        }
        assert_eq!(
            seen,
            [(b"a".to_vec(), 1, true), (vec![], 2, true), (b"b".to_vec(), 3, false)]
        );
        assert_eq!(records.offset, 5);
    }

    #[test]
    fn a_line_beyond_the_limit_is_passed_over() {
        let text = io::repeat(b'x').take(100 << 20).chain(&b"\n{}\n"[..]);
        let mut records = Records::new(text, 0, 0);
        let long = records.line().unwrap().unwrap();
        assert!(long.too_long && long.ended);
        assert_eq!(long.bytes.len(), Rejection::RAW_LIMIT);
        let next = records.line().unwrap().unwrap();
        assert_eq!((next.bytes, next.line), (&b"{}"[..], 2));
        assert_eq!(records.offset, (100 << 20) + 4);
        assert!(records.buffer.len() < 2 << 20);
    }

    #[test]
    fn values_may_span_lines_and_stand_in_an_array() {
        let mut records = Records::new(&b"[\n {\"a\": \"}\\\"\",\n  \"b\": [1]},\n {}\n]\n"[..], 0, 0);
        let first = records.value().unwrap().unwrap();
        assert_eq!((first.line, first.ended), (2, true));
        assert!(first.bytes.ends_with(b"[1]}"));
        let second = records.value().unwrap().unwrap();
        assert_eq!((second.line, second.bytes), (4, &b"{}"[..]));
        assert!(records.value().unwrap().is_none());
    }
}
