//! Cuts a stream into records with bounded memory.

use std::io::{self, Read};

/// Bytes read at once. Reading into one buffer that is used again is ten times cheaper than mapping or reading whole files.
const CHUNK: usize = 256 * 1024;

/// The longest record that is parsed. Logs hold images as text, of some megabytes; what is longer is rejected unread.
pub(crate) const MAX_RECORD: usize = 64 * 1024 * 1024;

/// One step through a stream.
pub(crate) enum Step<'a> {
    /// A line without its end. `end` is the offset behind it; `complete` whether it ended with a newline.
    Line {
        /// Its bytes.
        bytes: &'a [u8],
        /// Offset behind the line.
        end: u64,
        /// Whether a newline ended it.
        complete: bool,
    },
    /// A line beyond [`MAX_RECORD`], skipped.
    TooLong {
        /// Offset behind the line.
        end: u64,
    },
    /// The end of the stream.
    End,
}

/// Reads lines.
pub(crate) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    offset: u64,
    at_end: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(from: R, offset: u64) -> Self {
        Lines {
            from,
            buffer: vec![0; CHUNK],
            start: 0,
            filled: 0,
            offset,
            at_end: false,
        }
    }

    /// The next line.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let mut searched = self.start;
        let mut skipping = false;
        loop {
            let fresh = self.buffer.get(searched..self.filled).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', fresh) {
                let (from, to) = (self.start, searched + found);
                self.start = to + 1;
                self.offset += (to + 1 - from) as u64;
                // A large read can bring the end of a line together with more than its limit.
                if skipping || to - from > MAX_RECORD {
                    return Ok(Step::TooLong { end: self.offset });
                }
                let bytes = self.buffer.get(from..to).unwrap_or_default();
                return Ok(Step::Line {
                    bytes,
                    end: self.offset,
                    complete: true,
                });
            }
            if self.filled - self.start > MAX_RECORD {
                skipping = true;
            }
            if skipping {
                self.offset += (self.filled - self.start) as u64;
                self.start = self.filled;
            }
            if self.at_end {
                let from = self.start;
                self.start = self.filled;
                self.offset += (self.filled - from) as u64;
                if skipping {
                    return Ok(Step::TooLong { end: self.offset });
                }
                if from == self.filled {
                    return Ok(Step::End);
                }
                let bytes = self.buffer.get(from..self.filled).unwrap_or_default();
                return Ok(Step::Line {
                    bytes,
                    end: self.offset,
                    complete: false,
                });
            }
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            searched = self.filled;
            if self.buffer.len() - self.filled < CHUNK {
                self.buffer.resize((self.buffer.len() * 2).max(self.filled + CHUNK), 0);
            }
            let read = self.from.read(self.buffer.get_mut(self.filled..).unwrap_or_default())?;
            self.filled += read;
            self.at_end = read == 0;
        }
    }
}

/// A line without the carriage return of CRLF, a byte-order mark, and spaces around it.
pub(crate) fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_offsets_survive_any_chunking() {
        let long = "x".repeat(3 * CHUNK);
        let text = format!("a\n\n{long}\nlast");
        let mut lines = Lines::new(text.as_bytes(), 10);
        let mut seen = Vec::new();
        while let Step::Line { bytes, end, complete } = lines.step().unwrap() {
            seen.push((bytes.len(), end, complete));
        }
        let n = long.len();
        assert_eq!(
            seen,
            [
                (1, 12, true),
                (0, 13, true),
                (n, 14 + n as u64, true),
                (4, 18 + n as u64, false)
            ]
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_in_bounded_memory() {
        let text = [b"a\n".to_vec(), vec![b'x'; MAX_RECORD + 2 * CHUNK], b"\nb\n".to_vec()].concat();
        let mut lines = Lines::new(text.as_slice(), 0);
        assert!(matches!(lines.step().unwrap(), Step::Line { bytes: b"a", .. }));
        assert!(matches!(lines.step().unwrap(), Step::TooLong { .. }));
        assert!(matches!(lines.step().unwrap(), Step::Line { bytes: b"b", .. }));
        assert!(matches!(lines.step().unwrap(), Step::End));
        assert!(lines.buffer.len() <= 3 * MAX_RECORD);
    }
}
