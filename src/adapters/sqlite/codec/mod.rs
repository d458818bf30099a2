//! How calls and sums of spend are packed into bytes: variable-length integers, names by number.
//!
//! Packed rows are 4 to 8 times smaller than SQL rows and are written by the thousand in one statement. The layouts are
//! versioned by the schema version of the store.

mod call;
mod calls;
mod column;
mod columns;
mod plain;
mod rows;
mod summed;
mod sums;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::Bucket;

use columns::Frame;

pub use call::get_event;
#[cfg(test)]
pub use call::put_event;
pub use calls::{Calls, Charged, PackedCalls};
pub use plain::PlainRow;
pub use rows::{PackedRows, Rows};
pub use summed::Summing;
pub use sums::get_spend;
#[cfg(test)]
pub use sums::put_spend;

/// The bytes are not what this version writes.
#[derive(Debug)]
pub struct Broken;

/// In place of the number of a name that has none yet.
pub const UNKNOWN: u64 = u64::MAX;

/// Numbers for names and back, backed by the store.
pub trait Names {
    /// What looking a name up can fail with.
    type Error: From<Broken>;
    /// The number of a name that has been met before, 0 for no name; otherwise [`UNKNOWN`].
    fn known(&self, label: Label) -> u64;
    /// The same of the first names by [their index](Label::index), as far as they are at hand.
    fn first(&self) -> &[u64] {
        &[]
    }
    /// The number of a name, given out if new.
    fn number(&mut self, label: Label) -> Result<u64, Self::Error>;
    /// The name of a number.
    fn label(&mut self, number: u64) -> Result<Label, Self::Error>;
}

/// Appends an unsigned integer, 7 bits a byte.
pub fn put(out: &mut Vec<u8>, mut value: u128) {
    while value > u128::from(u64::MAX) {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    put_small(out, value as u64);
}

/// The same for the numbers that nearly all are.
#[inline]
fn put_small(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x4000 => out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]),
        _ => put_longer(out, value),
    }
}

fn put_longer(out: &mut Vec<u8>, mut value: u64) {
    // Ten bytes of 7 bits hold every number.
    let mut bytes = [0_u8; 10];
    let mut length = out.len();
    for byte in &mut bytes {
        length += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
    }
    // All ten and then back is faster than as many as there are.
    out.extend_from_slice(&bytes);
    out.truncate(length);
}

#[cfg(test)]
fn put_small_signed(out: &mut Vec<u8>, value: i64) {
    put_small(out, unsigned(value));
}

#[cfg(test)]
fn put_signed(out: &mut Vec<u8>, value: i128) {
    match i64::try_from(value) {
        Ok(small) => put_small_signed(out, small),
        Err(_) => put(out, unsigned_wide(value)),
    }
}

#[cfg(test)]
fn put_decimal(out: &mut Vec<u8>, value: Decimal) {
    out.push(value.scale() as u8);
    put_signed(out, value.mantissa());
}

/// Reads what [`put`] and its kin wrote.
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// Whether everything is read.
    pub fn done(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let (&first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Broken)?;
        self.0 = rest;
        Ok(*head)
    }

    /// An unsigned integer.
    pub fn get(&mut self) -> Result<u128, Broken> {
        // Nine bytes hold 63 bits: nearly all numbers are read without wide arithmetic.
        let mut small = 0_u64;
        for (n, byte) in self.0.iter().take(9).enumerate() {
            small |= u64::from(byte & 0x7f) << (7 * n);
            if *byte < 0x80 {
                self.0 = self.0.get(n + 1..).unwrap_or(&[]);
                return Ok(u128::from(small));
            }
        }
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// An unsigned integer of at most 64 bits.
    pub fn u64(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.get()?).map_err(|_| Broken)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.get()?).map_err(|_| Broken)
    }

    fn signed(&mut self) -> Result<i128, Broken> {
        Ok(signed_wide(self.get()?))
    }

    fn i64(&mut self) -> Result<i64, Broken> {
        i64::try_from(self.signed()?).map_err(|_| Broken)
    }

    fn decimal(&mut self) -> Result<Decimal, Broken> {
        let scale = u32::from(self.byte()?);
        Decimal::try_from_i128_with_scale(self.signed()?, scale).map_err(|_| Broken)
    }

    fn time(&mut self) -> Result<DateTime<Utc>, Broken> {
        DateTime::from_timestamp_micros(self.i64()?).ok_or(Broken)
    }
}

#[cfg(test)]
fn put_label<N: Names>(out: &mut Vec<u8>, label: Label, names: &mut N) -> Result<(), N::Error> {
    put_small(out, number_of(label, names)?);
    Ok(())
}

#[inline]
fn number_of<N: Names>(label: Label, names: &mut N) -> Result<u64, N::Error> {
    match names.known(label) {
        UNKNOWN => names.number(label),
        number => Ok(number),
    }
}

/// Sets a column of rows that are being added together to the numbers of names, which may all be the same.
#[inline(always)]
fn fill_labels<const K: usize, N: Names>(
    frame: &mut Frame<K>,
    column: usize,
    labels: impl ExactSizeIterator<Item = Label> + Clone,
    names: &mut N,
) -> Result<(), N::Error> {
    // Of calls that stand together most have the same.
    let first = labels.clone().next().unwrap_or_default();
    let differ = (labels.clone()).fold(0, |differ, label| {
        differ | (label.index() as u32 ^ first.index() as u32)
    });
    if differ == 0 {
        let number = number_of(first, names)?;
        frame.repeat(column, number, labels.len());
        return Ok(());
    }
    fill_various(frame, column, labels, names)
}

/// The same of names that differ.
#[inline(always)]
fn fill_various<const K: usize, N: Names>(
    frame: &mut Frame<K>,
    column: usize,
    labels: impl Iterator<Item = Label> + Clone,
    names: &mut N,
) -> Result<(), N::Error> {
    let first = names.first();
    let known = |label: Label| first.get(label.index()).copied().unwrap_or(UNKNOWN);
    let bits = frame.fill(column, labels.clone().map(known));
    // No store has so many names that their numbers have all bits together.
    if bits == UNKNOWN {
        labels.clone().try_for_each(|label| number_of(label, names).map(drop))?;
        frame.fill(column, labels.map(|label| names.known(label)));
    }
    Ok(())
}

/// Sets the columns of these dimensions; that of the first of all is the column `from`.
#[inline(always)]
fn fill_dimensions<'d, const K: usize, N: Names>(
    frame: &mut Frame<K>,
    from: usize,
    wanted: impl Iterator<Item = Dimension>,
    all: impl ExactSizeIterator<Item = &'d Dimensions> + Clone,
    names: &mut N,
) -> Result<(), N::Error> {
    let common = Dimensions::common(all.clone());
    for dimension in wanted {
        let column = from + dimension as usize;
        match common.get(dimension) {
            Some(Label::EMPTY) => {}
            Some(one) => {
                let number = number_of(one, names)?;
                frame.repeat(column, number, all.len());
            }
            None => fill_various(frame, column, all.clone().map(|d| d.get(dimension)), names)?,
        }
    }
    Ok(())
}

/// A signed number as an unsigned one that is small where it is (zigzag).
fn unsigned(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// The same of wide numbers; one that fits into 64 bits is the same number there.
fn unsigned_wide(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

fn signed_wide(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
fn put_dimensions<N: Names>(out: &mut Vec<u8>, dimensions: &Dimensions, names: &mut N) -> Result<(), N::Error> {
    for (_, label) in dimensions.iter() {
        put_label(out, label, names)?;
    }
    Ok(())
}

fn get_dimensions<N: Names>(from: &mut Reader<'_>, names: &mut N) -> Result<Dimensions, N::Error> {
    let mut dimensions = Dimensions::default();
    for dimension in Dimension::ALL {
        let number = from.u64()?;
        if number != 0 {
            dimensions.set(dimension, names.label(number)?);
        }
    }
    Ok(dimensions)
}

/// Buckets, most of them zero: a mask of those that are not, then their values. Bit 7 stands for reasoning.
#[cfg(test)]
fn put_counts(out: &mut Vec<u8>, counts: impl Iterator<Item = i128> + Clone, reasoning: i128) {
    let all = || {
        counts
            .clone()
            .chain(std::iter::once(reasoning))
            .enumerate()
            .filter(|(_, n)| *n != 0)
    };
    out.push(all().fold(0_u8, |mask, (i, _)| mask | 1 << i));
    all().for_each(|(_, n)| put_signed(out, n));
}

fn get_counts(from: &mut Reader<'_>) -> Result<([i128; Bucket::TEXT.len()], i128), Broken> {
    let mask = from.byte()?;
    let mut counts = [0_i128; Bucket::TEXT.len()];
    for (i, slot) in counts.iter_mut().enumerate() {
        if mask & (1 << i) != 0 {
            *slot = from.signed()?;
        }
    }
    let reasoning = if mask & (1 << Bucket::TEXT.len()) != 0 {
        from.signed()?
    } else {
        0
    };
    Ok((counts, reasoning))
}

#[cfg(test)]
mod tests;
