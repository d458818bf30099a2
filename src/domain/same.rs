//! Whether two short texts are the same, found out where it is asked: calling a function costs as much as comparing.

/// Bytes beyond which calling a function is worth it.
const SHORT: usize = 64;

/// The same as `a == b`, for texts of a few words.
#[inline(always)]
#[must_use]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    // Pieces from the front and as many that end at the end, some of which may have been compared before.
    match a.len() {
        length if length != b.len() => false,
        0 => true,
        1..4 => (a.first(), a.get(a.len() / 2), a.last()) == (b.first(), b.get(b.len() / 2), b.last()),
        4..8 => ends::<4>(a, b),
        8..16 => ends::<8>(a, b),
        16..32 => ends::<16>(a, b),
        32..=SHORT => ends::<32>(a, b),
        _ => a == b,
    }
}

#[inline(always)]
fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    match (
        a.first_chunk::<N>(),
        b.first_chunk::<N>(),
        a.last_chunk::<N>(),
        b.last_chunk::<N>(),
    ) {
        (Some(first), Some(also_first), Some(last), Some(also_last)) => (first == also_first) & (last == also_last),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_the_same_if_all_their_bytes_are(text in prop::collection::vec(any::<u8>(), 0..100), at in 0..100_usize, longer in 0..3_usize) {
            let mut other = text.clone();
            prop_assert!(same(&text, &other));
            if let Some(byte) = other.get_mut(at) {
                *byte = byte.wrapping_add(1);
                prop_assert!(!same(&text, &other));
            }
            let mut other = text.clone();
            other.extend(std::iter::repeat_n(0, longer));
            prop_assert_eq!(same(&text, &other), longer == 0);
        }
    }
}
