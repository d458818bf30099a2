//! Columns of numbers folded small, each in the form that is shortest for it: bits of equal width for numbers without a pattern,
//! deflate for those with one.
//!
//! A column is a sequence of variable-length integers, as [`super::bytes::put`] writes them, and is given back byte for byte.

use super::bytes::{Broken, Reader, deflate, inflate, put, put_bytes};

const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;
const BITS: u8 = 2;

/// Bytes that the columns of one body may unfold to: bounds the memory that a crafted item can take.
const UNFOLDED_LIMIT: usize = 256 << 20;

/// Below this deflate has nothing to gain.
const SHORT: usize = 16;

/// Appends a column.
pub fn fold(column: &[u8], out: &mut Vec<u8>) {
    let mut best = (PLAIN, column.to_vec());
    let deflated = (column.len() > SHORT).then(|| (DEFLATED, deflate(column)));
    for other in [deflated, in_bits(column).map(|bits| (BITS, bits))]
        .into_iter()
        .flatten()
    {
        if other.1.len() < best.1.len() {
            best = other;
        }
    }
    out.push(best.0);
    put_bytes(out, &best.1);
}

/// Reads a column, which may take `left` bytes; what it takes is subtracted.
pub fn unfold(reader: &mut Reader<'_>, left: &mut usize) -> Result<Vec<u8>, Broken> {
    let form = reader.byte()?;
    let body = reader.bytes()?;
    let column = match form {
        PLAIN => body.to_vec(),
        DEFLATED => inflate(body)?,
        BITS => out_of_bits(body, *left)?,
        _ => return Err(Broken),
    };
    *left = left.checked_sub(column.len()).ok_or(Broken)?;
    Ok(column)
}

/// What the columns of one body may take together.
pub fn limit() -> usize {
    UNFOLDED_LIMIT
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Count, least number, common step, width, and each number's steps above the least in so many bits. `None` where the bytes
/// are not such numbers or too large.
fn in_bits(column: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(column);
    let mut numbers: Vec<u64> = Vec::with_capacity(column.len());
    while !reader.done() {
        numbers.push(reader.fit().ok()?);
    }
    let mut again = Vec::with_capacity(column.len());
    numbers.iter().for_each(|n| put(&mut again, u128::from(*n)));
    if again != column {
        return None;
    }
    let (least, most) = (*numbers.iter().min()?, *numbers.iter().max()?);
    let step = numbers.iter().fold(0, |step, n| gcd(n - least, step)).max(1);
    let width = 64 - ((most - least) / step).leading_zeros();
    let mut out = Vec::new();
    put(&mut out, numbers.len() as u128);
    put(&mut out, u128::from(least));
    put(&mut out, u128::from(step));
    put(&mut out, u128::from(width));
    let (mut bits, mut held) = (0_u128, 0);
    for number in numbers {
        bits |= u128::from((number - least) / step) << held;
        held += width;
        while held >= 8 {
            out.push(u8::try_from(bits & 0xff).ok()?);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(u8::try_from(bits & 0xff).ok()?);
    }
    Some(out)
}

fn out_of_bits(body: &[u8], left: usize) -> Result<Vec<u8>, Broken> {
    let mut reader = Reader(body);
    let (count, least, step): (usize, u64, u64) = (reader.fit()?, reader.fit()?, reader.fit()?);
    let width: u32 = reader.fit()?;
    // A number takes a byte at least: a count beyond that is a lie that would cost memory.
    if width > 64 || count > left || reader.0.len() as u128 != (count as u128 * u128::from(width)).div_ceil(8) {
        return Err(Broken);
    }
    let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
    let mut out = Vec::with_capacity(count);
    let (mut bits, mut held) = (0_u128, 0);
    for _ in 0..count {
        while held < width {
            bits |= u128::from(reader.byte()?) << held;
            held += 8;
        }
        let steps = u64::try_from(bits & u128::from(mask)).map_err(|_| Broken)?;
        bits >>= width;
        held -= width;
        let number = steps
            .checked_mul(step)
            .and_then(|above| above.checked_add(least))
            .ok_or(Broken)?;
        put(&mut out, u128::from(number));
        if out.len() > left {
            return Err(Broken);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(numbers: &[u128]) -> Vec<u8> {
        let mut column = Vec::new();
        numbers.iter().for_each(|n| put(&mut column, *n));
        column
    }

    proptest! {
        #[test]
        fn a_column_comes_back_byte_for_byte(
            least in any::<u64>(), span in 0..64_u32, step in 1..2000_u64, seeds in proptest::collection::vec(any::<u64>(), 0..400),
            raw in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let number = |seed: &u64| u128::from(least) + u128::from(seed >> span) * u128::from(step);
            for column in [column(&seeds.iter().map(number).collect::<Vec<_>>()), raw] {
                let mut folded = Vec::new();
                fold(&column, &mut folded);
                prop_assert!(folded.len() <= column.len() + 6);
                let mut left = limit();
                prop_assert_eq!(unfold(&mut Reader(&folded), &mut left), Ok(column.clone()));
                prop_assert_eq!(left, limit() - column.len());
                if !column.is_empty() {
                    prop_assert_eq!(unfold(&mut Reader(&folded), &mut (column.len() - 1)), Err(Broken));
                }
            }
        }

        #[test]
        fn damage_is_an_error_or_other_numbers_and_never_much_memory(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut left = 1000;
            if let Ok(column) = unfold(&mut Reader(&bytes), &mut left) {
                prop_assert!(column.len() <= 1000);
            }
        }
    }

    #[test]
    fn numbers_take_the_bits_that_they_need() {
        let numbers: Vec<u128> = (0..8000_u128).map(|n| 1_795_000_000 + n * 7919 % 1024 * 1000).collect();
        let mut folded = Vec::new();
        fold(&column(&numbers), &mut folded);
        assert!(folded.len() <= 8000 * 10 / 8 + 20, "{}", folded.len());
        let mut same = Vec::new();
        fold(&column(&[0; 8000]), &mut same);
        assert!(same.len() < 12);
    }
}
