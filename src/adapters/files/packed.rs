//! Streams that are packed with gzip or Zstandard, also in several parts one behind the other, as `cat a.gz b.gz` and programs that pack
//! in parallel make them.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::sniff::Input;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// What stands behind the first byte, 0x50 to 0x5F, of a part that is to be passed over.
const SKIPPED: [u8; 3] = [0x2A, 0x4D, 0x18];

/// What is read ahead to tell what follows, and the stream behind it.
struct Peeked<'a> {
    front: [u8; 4],
    from: usize,
    to: usize,
    input: BufReader<Input<'a>>,
}

impl Peeked<'_> {
    /// The next bytes, fewer than four only at the end of the stream. All that was read ahead before has been taken.
    fn peek(&mut self) -> io::Result<&[u8]> {
        (self.from, self.to) = (0, 0);
        while let Some(room) = self.front.get_mut(self.to..).filter(|room| !room.is_empty()) {
            match self.input.read(room) {
                Ok(0) => break,
                Ok(read) => self.to += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.ahead())
    }

    fn ahead(&self) -> &[u8] {
        self.front.get(self.from..self.to).unwrap_or_default()
    }
}

impl Read for Peeked<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead();
        if ahead.is_empty() {
            return self.input.read(target);
        }
        let count = ahead.len().min(target.len());
        target.iter_mut().zip(ahead).for_each(|(slot, byte)| *slot = *byte);
        self.from += count;
        Ok(count)
    }
}

impl BufRead for Peeked<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.from < self.to {
            return Ok(self.ahead());
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if self.from < self.to {
            self.from += count;
        } else {
            self.input.consume(count);
        }
    }
}

/// Where reading stands.
enum State<'a> {
    Between(Peeked<'a>),
    Gzip(GzDecoder<Peeked<'a>>),
    Zstd(Box<StreamingDecoder<Peeked<'a>, FrameDecoder>>),
    End,
    Failed(io::ErrorKind, String),
}

/// The decoded stream.
pub(super) struct Packed<'a>(State<'a>);

impl<'a> Packed<'a> {
    /// Whether a stream that begins so is packed in a way that is known.
    pub fn begins(front: &[u8]) -> bool {
        front.starts_with(&GZIP) || front.starts_with(&ZSTD) || is_skipped(front)
    }

    /// Decodes a stream that is packed.
    pub fn new(input: Input<'a>) -> Self {
        Packed(State::Between(Peeked {
            front: [0; 4],
            from: 0,
            to: 0,
            input: BufReader::new(input),
        }))
    }
}

fn is_skipped(front: &[u8]) -> bool {
    matches!(front, [0x50..=0x5F, rest @ ..] if rest.starts_with(&SKIPPED))
}

/// Begins the next part.
fn next(mut input: Peeked<'_>) -> io::Result<State<'_>> {
    let front = input.peek()?;
    if front.starts_with(&GZIP) {
        return Ok(State::Gzip(GzDecoder::new(input)));
    }
    if front.starts_with(&ZSTD) {
        let decoder = StreamingDecoder::new(input).map_err(|error| io::Error::other(error.to_string()))?;
        return Ok(State::Zstd(Box::new(decoder)));
    }
    if is_skipped(front) {
        let mut head = [0; 8];
        input.read_exact(&mut head)?;
        let [_, _, _, _, length @ ..] = head;
        let length = u64::from(u32::from_le_bytes(length));
        if io::copy(&mut Read::by_ref(&mut input).take(length), &mut io::sink())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(State::Between(input));
    }
    // Tapes and block devices fill what is left with zeros.
    loop {
        let rest = input.fill_buf()?;
        if rest.is_empty() {
            return Ok(State::End);
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(io::Error::other(
                "behind the end of what is packed stand bytes of something else",
            ));
        }
        let count = rest.len();
        input.consume(count);
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        loop {
            let step = match std::mem::replace(&mut self.0, State::End) {
                State::Between(input) => next(input),
                State::Gzip(mut decoder) => match decoder.read(target) {
                    Ok(0) => Ok(State::Between(decoder.into_inner())),
                    Ok(read) => {
                        self.0 = State::Gzip(decoder);
                        return Ok(read);
                    }
                    Err(error) => Err(error),
                },
                State::Zstd(mut decoder) => match decoder.read(target) {
                    Ok(0) => Ok(State::Between(decoder.into_inner())),
                    Ok(read) => {
                        self.0 = State::Zstd(decoder);
                        return Ok(read);
                    }
                    Err(error) => Err(error),
                },
                State::End => return Ok(0),
                State::Failed(kind, cause) => {
                    let error = io::Error::new(kind, cause.clone());
                    self.0 = State::Failed(kind, cause);
                    return Err(error);
                }
            };
            // Whoever asks again is not told that it has ended.
            self.0 = step.unwrap_or_else(|error| State::Failed(error.kind(), error.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    /// A part that says something to programs that know it.
    fn skipped(text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        [&[0x5E, 0x2A, 0x4D, 0x18], &length[..], text].concat()
    }

    /// A few bytes at a time, as a pipe may give them.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            let count = target.len().min(3).min(self.0.len());
            let (front, rest) = self.0.split_at(count);
            target[..count].copy_from_slice(front);
            self.0 = rest;
            Ok(count)
        }
    }

    fn read(packed: &[u8]) -> (Vec<u8>, Option<String>) {
        assert!(Packed::begins(packed));
        let mut out = Vec::new();
        let error = Packed::new(Box::new(Drops(packed))).read_to_end(&mut out).err();
        (out, error.map(|error| error.to_string()))
    }

    #[test]
    fn all_parts_are_read_whatever_stands_between_them() {
        let (a, b) = (b"first line\n".repeat(9_000), b"second\n".to_vec());
        let both = [a.clone(), b.clone()].concat();
        for packed in [
            [gzip(&a), gzip(&b)].concat(),
            [zstd(&a), zstd(&b)].concat(),
            [skipped(b"1234"), zstd(&a), skipped(b""), zstd(&b), skipped(&[7; 9_000])].concat(),
            [gzip(&a), zstd(b""), zstd(&b), vec![0; 10_240]].concat(),
        ] {
            assert!(read(&packed) == (both.clone(), None));
        }
    }

    #[test]
    fn what_is_read_before_something_goes_wrong_is_kept_and_the_rest_is_told() {
        let a = b"a line\n".to_vec();
        for whole in [gzip(&a), zstd(&a)] {
            let behind = read(&[whole.clone(), b"garbage".to_vec()].concat());
            assert_eq!(behind.0, a);
            assert!(behind.1.unwrap().contains("behind the end"));
            assert!(read(&whole[..whole.len() - 3]).1.is_some(), "cut off");
        }
        assert!(read(&skipped(b"1234")[..9]).1.is_some());
        let mut ended = Packed::new(Box::new(&b"\x1F\x8Bnothing"[..]));
        assert!(ended.read(&mut [0; 8]).is_err());
        assert!(ended.read(&mut [0; 8]).is_err(), "and again");
    }
}
