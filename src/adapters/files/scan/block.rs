//! Sixteen bytes at a time: where a text ends, and where two differ.

use wide::u8x16;

/// Bytes of a block.
pub const BLOCK: usize = 16;

/// A bit for each byte of a block that ends a text: a quote, a backslash or a control character.
#[inline(always)]
pub fn stops(block: &[u8; BLOCK]) -> u32 {
    let bytes = u8x16::new(*block);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (quotes | backslashes | controls).to_bitmask()
}

/// A bit for each byte that is the same in both.
#[inline(always)]
pub fn alike(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> u32 {
    u8x16::new(*a).simd_eq(u8x16::new(*b)).to_bitmask()
}

/// A bit for each of the first bytes of a block.
pub const fn first(count: usize) -> u32 {
    match count < BLOCK {
        true => (1 << count) - 1,
        false => (1 << BLOCK) - 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bit_stands_for_a_byte(a in any::<[u8; BLOCK]>(), b in any::<[u8; BLOCK]>(), keep in any::<u32>(), special in "[ -~\"\\\\\n\u{1f}]{16}") {
            let bit = |bits: u32, n: usize| bits >> n & 1 == 1;
            let mut other = b;
            (0..BLOCK).filter(|n| bit(keep, *n)).for_each(|n| other[n] = a[n]);
            let alike = alike(&a, &other);
            prop_assert!((0..BLOCK).all(|n| bit(alike, n) == (a[n] == other[n])) && alike >> BLOCK == 0);
            for block in [a, special.as_bytes().try_into().unwrap_or(b)] {
                let stops = stops(&block);
                let is_stop = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
                prop_assert!((0..BLOCK).all(|n| bit(stops, n) == is_stop(block[n])) && stops >> BLOCK == 0);
            }
        }
    }
}
