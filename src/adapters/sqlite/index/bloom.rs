//! A filter that says of most fingerprints that a run does not hold them, at the price of one cache line.
//!
//! A blocked Bloom filter (Putze, Sanders, Singler 2007): the first bits choose a block of 512 bits, the others choose
//! [`BITS`] of them. At 10 bits per fingerprint about one in a hundred is let through wrongly.

use super::super::codec::Broken;

/// Bits set per fingerprint.
const BITS: u32 = 6;
/// Bits per fingerprint.
const DENSITY: usize = 10;
/// Words of 64 bits in a block.
const WORDS: usize = 8;

/// The filter of a run.
pub struct Bloom {
    blocks: Vec<[u64; WORDS]>,
}

impl Bloom {
    /// An empty filter for so many fingerprints.
    pub fn new(entries: usize) -> Self {
        Bloom {
            blocks: vec![[0; WORDS]; (entries * DENSITY).div_ceil(64 * WORDS).max(1)],
        }
    }

    fn place(&self, fingerprint: u64) -> usize {
        // Multiplying keeps the order: sorted fingerprints walk through the blocks in order.
        let place = (u128::from(fingerprint) * self.blocks.len() as u128) >> 64;
        usize::try_from(place).unwrap_or(0)
    }

    /// Adds a fingerprint.
    #[inline]
    pub fn insert(&mut self, fingerprint: u64) {
        let place = self.place(fingerprint);
        let Some(block) = self.blocks.get_mut(place) else {
            return;
        };
        for (word, bit) in chosen(fingerprint) {
            if let Some(slot) = block.get_mut(word) {
                *slot |= bit;
            }
        }
    }

    /// Adds a fingerprint to two filters, for which its bits are found out once.
    #[inline]
    pub fn insert_with(&mut self, other: &mut Bloom, fingerprint: u64) {
        let places = (self.place(fingerprint), other.place(fingerprint));
        let Some((block, of_other)) = self.blocks.get_mut(places.0).zip(other.blocks.get_mut(places.1)) else {
            return;
        };
        for (word, bit) in chosen(fingerprint) {
            for block in [&mut *block, &mut *of_other] {
                if let Some(slot) = block.get_mut(word) {
                    *slot |= bit;
                }
            }
        }
    }

    /// Whether the run may hold it. All bits are looked at: which of them is the first that is missing nobody can foretell, and a processor that
    /// foretells it wrongly waits for the block before it asks for the next one's.
    #[inline]
    pub fn may_hold(&self, fingerprint: u64) -> bool {
        let Some(block) = self.blocks.get(self.place(fingerprint)) else {
            return true;
        };
        let missing = chosen(fingerprint).fold(0, |missing, (word, bit)| {
            missing | (bit & !block.get(word).copied().unwrap_or(u64::MAX))
        });
        missing == 0
    }

    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.blocks.len() * WORDS * 8);
        let words = self.blocks.iter().flatten();
        words.for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// From bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let (blocks, rest) = bytes.as_chunks::<{ WORDS * 8 }>();
        if !rest.is_empty() || blocks.is_empty() {
            return Err(Broken);
        }
        let word = |chunk: &[u8; 8]| u64::from_le_bytes(*chunk);
        let blocks = blocks.iter().map(|bytes| {
            let mut block = [0; WORDS];
            block
                .iter_mut()
                .zip(bytes.as_chunks::<8>().0)
                .for_each(|(to, from)| *to = word(from));
            block
        });
        Ok(Bloom {
            blocks: blocks.collect(),
        })
    }
}

/// Word and bit within a block.
fn chosen(fingerprint: u64) -> impl Iterator<Item = (usize, u64)> {
    let mixed = fingerprint.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (fingerprint >> 29);
    (0..BITS).map(move |n| {
        let nine = (mixed >> (n * 9)) & 511;
        ((nine >> 6) as usize, 1_u64 << (nine & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed_and_little_is_let_through() {
        let spread = |n: u64| {
            // splitmix64, Steele et al. 2014
            let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let mut bloom = Bloom::new(50_000);
        (0..50_000).for_each(|n| bloom.insert(spread(n)));
        let stored = Bloom::parse(&bloom.bytes()).unwrap_or_else(|_| Bloom::new(1));
        assert!((0..50_000).all(|n| stored.may_hold(spread(n))));
        let wrong = (50_000..150_000).filter(|n| stored.may_hold(spread(*n))).count();
        assert!(wrong < 3_000, "{wrong} of 100,000");
        assert!(Bloom::parse(&[0; 63]).is_err());
    }
}
