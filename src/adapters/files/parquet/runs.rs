//! Numbers as Parquet packs them: runs of one number, and groups of eight numbers of a few bits each.

use parquet::errors::{ParquetError, Result};

/// Where reading stands in numbers that lie within the bytes of a page. The bytes are given at each call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    at: usize,
    end: usize,
    /// Bits of a number.
    width: u32,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Same {
        number: u32,
        left: usize,
    },
    /// Eight numbers to `width` bytes, from `start` on.
    Packed {
        start: usize,
        next: usize,
        left: usize,
    },
}

/// Bytes that are looked at to unpack eight numbers of any width.
const WINDOW: usize = 40;

impl Runs {
    /// The numbers of `width` bits that lie between two places.
    pub fn new(at: usize, end: usize, width: u32) -> Result<Self> {
        if width > 32 {
            return Err(wrong("numbers of more than 32 bits"));
        }
        Ok(Runs {
            at,
            end,
            width,
            run: Run::Same { number: 0, left: 0 },
        })
    }

    /// Appends the next numbers. Where they are all one run nothing is appended and that number is answered.
    pub fn take(&mut self, bytes: &[u8], count: usize, out: &mut Vec<u32>) -> Result<Option<u32>> {
        let mut wanted = count;
        while wanted > 0 {
            match &mut self.run {
                Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } => self.turn(bytes)?,
                Run::Same { number, left } => {
                    let taken = wanted.min(*left);
                    *left -= taken;
                    if taken == count {
                        return Ok(Some(*number));
                    }
                    out.resize(out.len() + taken, *number);
                    wanted -= taken;
                }
                Run::Packed { start, next, left } => {
                    let taken = wanted.min(*left);
                    unpack(bytes, *start, self.width, *next, taken, out);
                    *next += taken;
                    *left -= taken;
                    wanted -= taken;
                }
            }
        }
        Ok(None)
    }

    /// Passes over the next numbers.
    pub fn skip(&mut self, bytes: &[u8], count: usize) -> Result<()> {
        let mut wanted = count;
        while wanted > 0 {
            match &mut self.run {
                Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } => self.turn(bytes)?,
                Run::Same { left, .. } => {
                    let taken = wanted.min(*left);
                    *left -= taken;
                    wanted -= taken;
                }
                Run::Packed { next, left, .. } => {
                    let taken = wanted.min(*left);
                    *next += taken;
                    *left -= taken;
                    wanted -= taken;
                }
            }
        }
        Ok(())
    }

    /// Begins the next run.
    fn turn(&mut self, bytes: &[u8]) -> Result<()> {
        let mut header = 0_u64;
        for shift in (0..).step_by(7) {
            if shift > 35 {
                return Err(wrong("a run of no length"));
            }
            let byte = bytes.get(self.at).filter(|_| self.at < self.end);
            let byte = byte.ok_or_else(|| wrong("fewer numbers than there are values"))?;
            self.at += 1;
            header |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let length = usize::try_from(header >> 1).map_err(|_| wrong("a run of no length"))?;
        let here = bytes.get(self.at..self.end).unwrap_or_default();
        let width = self.width as usize;
        if header & 1 == 1 {
            // What is missing of the last group is missed only if it is asked for.
            let there = (here.len() * 8).checked_div(width).unwrap_or(usize::MAX);
            self.run = Run::Packed {
                start: self.at,
                next: 0,
                left: length.saturating_mul(8).min(there),
            };
            self.at += length.saturating_mul(width).min(here.len());
        } else {
            let size = width.div_ceil(8);
            let stored = here.get(..size).ok_or_else(|| wrong("a run without its number"))?;
            let number = stored.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            self.at += size;
            self.run = Run::Same { number, left: length };
        }
        Ok(())
    }
}

/// Appends numbers of a packed run, from the one at `next` on.
fn unpack(bytes: &[u8], start: usize, width: u32, next: usize, count: usize, out: &mut Vec<u32>) {
    out.reserve(count);
    let single = |at: usize| {
        let bit = at.saturating_mul(width as usize);
        let there = bytes.get(start.saturating_add(bit / 8)..).unwrap_or_default();
        let word = word(there);
        ((word >> (bit % 8)) & ((1 << width) - 1)) as u32
    };
    let head = count.min((8 - next % 8) % 8);
    out.extend((next..next + head).map(single));
    let (first, groups) = ((next + head) / 8, (count - head) / 8);
    let packed = bytes
        .get(start.saturating_add(first.saturating_mul(width as usize))..)
        .unwrap_or_default();
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_groups::<$width>(packed, groups, out),)*
                // No number has bits.
                _ => out.resize(out.len() + groups * 8, 0),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    let done = next + head + groups * 8;
    out.extend((done..next + count).map(single));
}

fn unpack_groups<const WIDTH: usize>(packed: &[u8], groups: usize, out: &mut Vec<u32>) {
    let before = out.len();
    out.resize(before + groups * 8, 0);
    let (slots, _) = out.get_mut(before..).unwrap_or_default().as_chunks_mut::<8>();
    let mut rest = packed;
    for eight in slots {
        *eight = match rest.first_chunk::<WINDOW>() {
            Some(window) => group::<WIDTH>(window),
            None => {
                let mut window = [0; WINDOW];
                window.iter_mut().zip(rest).for_each(|(slot, byte)| *slot = *byte);
                group::<WIDTH>(&window)
            }
        };
        rest = rest.get(WIDTH..).unwrap_or_default();
    }
}

/// Eight numbers of a width that is known when this is compiled, so that every shift is.
fn group<const WIDTH: usize>(window: &[u8; WINDOW]) -> [u32; 8] {
    let mut eight = [0; 8];
    for (at, slot) in eight.iter_mut().enumerate() {
        let bit = at * WIDTH;
        let eight_bytes = window.get(bit / 8..).and_then(|there| there.first_chunk());
        let word = eight_bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        *slot = ((word >> (bit % 8)) & ((1 << WIDTH) - 1)) as u32;
    }
    eight
}

/// Up to eight bytes as a number, the lowest first.
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

fn wrong(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Packs numbers by the format's words, in runs and groups by turns.
    fn packed(parts: &[(bool, Vec<u32>)], width: u32) -> (Vec<u8>, Vec<u32>) {
        let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
        let varint = |bytes: &mut Vec<u8>, mut number: usize| {
            while number > 0x7f {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
        };
        let mask = ((1_u64 << width) - 1) as u32;
        for (same, of) in parts {
            let of: Vec<u32> = of.iter().map(|number| number & mask).collect();
            if *same {
                let (number, count) = (of[0], of.len() * 37);
                varint(&mut bytes, count << 1);
                bytes.extend(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
                numbers.extend(vec![number; count]);
            } else {
                let groups = of.len().div_ceil(8);
                varint(&mut bytes, groups << 1 | 1);
                let mut bits = vec![0_u8; groups * width as usize];
                for (at, number) in of.iter().enumerate() {
                    for bit in (0..width).filter(|bit| number >> bit & 1 == 1) {
                        let place = at * width as usize + bit as usize;
                        bits[place / 8] |= 1 << (place % 8);
                    }
                }
                bytes.extend(bits);
                numbers.extend(of.iter().copied().chain(vec![0; groups * 8 - of.len()]));
            }
        }
        (bytes, numbers)
    }

    proptest! {
        #[test]
        fn numbers_come_back_however_they_are_taken(
            width in 0_u32..=32,
            parts in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u32>(), 1..90)), 1..6),
            steps in prop::collection::vec((any::<bool>(), 0_usize..70), 1..40),
            before in 0_usize..9,
        ) {
            let (stored, numbers) = packed(&parts, width);
            let mut bytes = vec![0xa5; before];
            bytes.extend(&stored);
            let mut runs = Runs::new(before, bytes.len(), width).unwrap();
            let mut at = 0;
            for (skip, count) in steps.into_iter().cycle().take(500) {
                let count = count.min(numbers.len() - at);
                if skip {
                    runs.skip(&bytes, count).unwrap();
                } else {
                    let mut out = Vec::new();
                    if let Some(number) = runs.take(&bytes, count, &mut out).unwrap() {
                        prop_assert!(out.is_empty());
                        out.resize(count, number);
                    }
                    prop_assert_eq!(&out, &numbers[at..at + count]);
                }
                at += count;
            }
            prop_assert!(runs.skip(&bytes, numbers.len() - at + 1).is_err(), "there are no more");
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0_u32..40, count in 0_usize..5_000) {
            let Ok(runs) = Runs::new(0, bytes.len(), width) else { return Ok(()) };
            let mut out = Vec::new();
            let taken = { runs }.take(&bytes, count, &mut out);
            prop_assert!(out.len() <= count);
            prop_assert_eq!({ runs }.skip(&bytes, count).is_ok(), taken.is_ok());
        }
    }
}
