//! One packed column: reading a number of it, all of them, or what they add up to.

/// Rows above which nothing of ours is: no store holds so many in one piece.
pub const MOST_ROWS: usize = 1 << 28;

/// One packed column; the default is one of zeros.
#[derive(Clone, Copy, Default)]
pub struct Column<'a> {
    least: u64,
    width: usize,
    bytes: &'a [u8],
}

impl<'a> Column<'a> {
    /// Numbers of so many bytes each, beside what all have in common.
    pub fn new(least: u64, width: usize, bytes: &'a [u8]) -> Self {
        Column { least, width, bytes }
    }

    /// The number of a row.
    #[inline]
    pub fn get(&self, row: usize) -> u64 {
        let from = row.saturating_mul(self.width);
        let bytes = self.bytes.get(from..from.saturating_add(self.width)).unwrap_or(&[]);
        let mut wide = [0_u8; 8];
        wide.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
        self.least.wrapping_add(u64::from_le_bytes(wide))
    }

    /// How many bytes each number takes beside what all have in common.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Puts what tells the rows apart behind what is in `codes` already, one for each row; the first `bits` bits of them are used.
    pub fn append(&self, codes: &mut [u64], bits: u32) {
        match self.width {
            0 => {}
            1 => append::<1>(self.bytes, codes, bits),
            2 => append::<2>(self.bytes, codes, bits),
            3 => append::<3>(self.bytes, codes, bits),
            4 => append::<4>(self.bytes, codes, bits),
            5 => append::<5>(self.bytes, codes, bits),
            6 => append::<6>(self.bytes, codes, bits),
            7 => append::<7>(self.bytes, codes, bits),
            _ => append::<8>(self.bytes, codes, bits),
        }
    }

    /// Adds what each row has beyond what all have in common to the sum of its group, and answers what that is, with the bits that any of
    /// what was added has. Nothing is done where a sum could be too large.
    pub fn add_up(&self, groups: &[u32], sums: &mut [u64]) -> Option<(u64, u64)> {
        let bits = match self.width {
            0 => 0,
            1 => add_up::<1>(self.bytes, groups, sums),
            2 => add_up::<2>(self.bytes, groups, sums),
            3 => add_up::<3>(self.bytes, groups, sums),
            4 => add_up::<4>(self.bytes, groups, sums),
            _ => return None,
        };
        Some((self.least, bits))
    }

    /// The one number of all rows, if it is one.
    pub fn constant(&self) -> Option<u64> {
        (self.width == 0).then_some(self.least)
    }

    /// Whether all rows are zero.
    pub fn is_zero(&self) -> bool {
        self.constant() == Some(0)
    }

    /// The numbers of all rows, in place of what `into` holds.
    pub fn decode(&self, rows: usize, into: &mut Vec<u64>) {
        into.clear();
        match self.width {
            0 => into.resize(rows, self.least),
            1 => unpack::<1>(self.bytes, self.least, into),
            2 => unpack::<2>(self.bytes, self.least, into),
            3 => unpack::<3>(self.bytes, self.least, into),
            4 => unpack::<4>(self.bytes, self.least, into),
            5 => unpack::<5>(self.bytes, self.least, into),
            6 => unpack::<6>(self.bytes, self.least, into),
            7 => unpack::<7>(self.bytes, self.least, into),
            _ => unpack::<8>(self.bytes, self.least, into),
        }
    }
}

fn unpack<const W: usize>(bytes: &[u8], least: u64, into: &mut Vec<u64>) {
    into.extend(numbers::<W>(bytes).map(|number| number.wrapping_add(least)));
}

fn append<const W: usize>(bytes: &[u8], codes: &mut [u64], bits: u32) {
    for (code, number) in codes.iter_mut().zip(numbers::<W>(bytes)) {
        *code |= number.wrapping_shl(bits);
    }
}

fn add_up<const W: usize>(bytes: &[u8], groups: &[u32], sums: &mut [u64]) -> u64 {
    // No more than 2^28 rows of at most 2^32 each.
    const { assert!(W <= 4 && MOST_ROWS <= 1 << 28) };
    let mut bits = 0;
    for (group, number) in groups.iter().zip(numbers::<W>(bytes)) {
        bits |= number;
        if let Some(sum) = sums.get_mut(*group as usize) {
            *sum += number;
        }
    }
    bits
}

/// What is packed, without what all have in common.
fn numbers<const W: usize>(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<W>().0.iter().map(|chunk| {
        let mut wide = [0_u8; 8];
        if let Some(low) = wide.first_chunk_mut::<W>() {
            *low = *chunk;
        }
        u64::from_le_bytes(wide)
    })
}
