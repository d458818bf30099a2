//! Finds where the fields and rows of a block of CSV end, 64 bytes at a time, without looking at what is between.

/// The ends of fields and rows in one block.
#[derive(Default)]
pub(super) struct Grid {
    /// Positions of the commas and line ends that are not in quotes.
    pub ends: Vec<u32>,
    /// For each row the number of ends up to its own, and how many line ends are in quotes within it.
    pub rows: Vec<(u32, u32)>,
    /// Where the last whole row ends, and the next begins.
    pub whole: usize,
    /// Whether the block is written in a way that only a full parser understands: a quote within a field, a line end of another kind.
    pub unusual: bool,
}

const WORD: usize = 64;

impl Grid {
    /// Looks through a block that begins where a row does.
    pub fn scan(&mut self, block: &[u8]) {
        self.ends.clear();
        self.rows.clear();
        (self.whole, self.unusual) = (0, false);
        let mut scan = Scan {
            inside: 0,
            // A row begins here: as if after a line end.
            may_open: 1,
            closed: 0,
            returned: 0,
            in_quotes: 0,
            returns: memchr::memchr(b'\r', block).is_some(),
        };
        let (words, rest) = block.as_chunks::<WORD>();
        let mut base = 0;
        for word in words {
            scan.word(word, base, self);
            base += WORD;
        }
        if !rest.is_empty() {
            // What lies behind the end changes nothing before it.
            let mut word = [0; WORD];
            for (slot, byte) in word.iter_mut().zip(rest) {
                *slot = *byte;
            }
            if rest.last().is_some_and(|b| *b == b'"' || *b == b'\r') {
                // Whether it ends a field is not known yet: the row is scanned again with what follows.
                word.iter_mut().skip(rest.len()).for_each(|slot| *slot = b'\n');
            }
            let ends = self.ends.len();
            let rows = self.rows.len();
            scan.word(&word, base, self);
            let within = |end: &u32| (*end as usize) < block.len();
            let kept = ends + self.ends.iter().skip(ends).take_while(|end| within(end)).count();
            self.ends.truncate(kept);
            let rows_kept = rows
                + self
                    .rows
                    .iter()
                    .skip(rows)
                    .take_while(|(end, _)| *end as usize <= kept)
                    .count();
            self.rows.truncate(rows_kept);
        }
        let last = self
            .rows
            .last()
            .and_then(|(ends, _)| self.ends.get((*ends as usize).checked_sub(1)?));
        self.whole = last.map_or(0, |end| *end as usize + 1);
    }
}

/// Where a scan stands between two words.
struct Scan {
    /// All ones within quotes.
    inside: u64,
    /// Whether the byte before lets a quote open a field; then whether it was a closing quote, and a carriage return.
    may_open: u64,
    closed: u64,
    returned: u64,
    /// Line ends in quotes since the row began.
    in_quotes: u32,
    /// Whether the block has carriage returns at all.
    returns: bool,
}

impl Scan {
    fn word(&mut self, word: &[u8; WORD], base: usize, grid: &mut Grid) {
        let breaks = mask(word, |b| b == b',' || b == b'\n');
        let quotes = if word.contains(&b'"') {
            mask(word, |b| b == b'"')
        } else {
            0
        };
        let (mut inside, mut quoted_lines) = (self.inside, 0);
        if quotes | inside | self.closed != 0 {
            inside ^= prefix_xor(quotes);
            let (opening, closing) = (quotes & inside, quotes & !inside);
            let may_open = (breaks | quotes) << 1 | self.may_open;
            let after_closing = closing << 1 | self.closed;
            let may_follow = breaks | quotes | mask(word, |b| b == b'\r');
            grid.unusual |= opening & !may_open != 0 || after_closing & !may_follow != 0;
            self.closed = closing >> 63;
            quoted_lines = inside & mask(word, |b| b == b'\n');
        }
        if self.returns {
            let outside = mask(word, |b| b == b'\r') & !inside;
            grid.unusual |= (outside << 1 | self.returned) & !mask(word, |b| b == b'\n') != 0;
            self.returned = outside >> 63;
        }
        self.may_open = (breaks | quotes) >> 63;
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        let mut left = breaks & !inside;
        // Blocks are far below 4 GiB.
        let base = base as u32;
        let mut seen = 0;
        while left != 0 {
            let at = left.trailing_zeros();
            grid.ends.push(base + at);
            if word.get(at as usize) == Some(&b'\n') {
                let mut quoted = std::mem::take(&mut self.in_quotes);
                if quoted_lines != 0 {
                    let before = quoted_lines & ((1 << at) - 1);
                    quoted += (before & !seen).count_ones();
                    seen = before;
                }
                grid.rows.push((grid.ends.len() as u32, quoted));
            }
            left &= left - 1;
        }
        self.in_quotes += (quoted_lines & !seen).count_ones();
    }
}

/// Ones from each odd set bit up to the bit before the next: the insides of quotes, the opening ones included.
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// Where bytes of a kind stand, as bits. Each byte becomes its own bit within its eight, for many bytes at a time where the processor can;
/// the sum of eight such bytes, which a product has in its highest byte, is then their mask.
fn mask(word: &[u8; WORD], is: impl Fn(u8) -> bool) -> u64 {
    #[rustfmt::skip]
    const BITS: [u8; WORD] = [
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
        1, 2, 4, 8, 16, 32, 64, 128,
    ];
    let mut marked = [0; WORD];
    for ((slot, byte), bit) in marked.iter_mut().zip(word).zip(&BITS) {
        *slot = if is(*byte) { *bit } else { 0 };
    }
    let (lanes, _) = marked.as_chunks::<8>();
    lanes.iter().zip((0_u32..).step_by(8)).fold(0, |mask, (lane, shift)| {
        let sum = u64::from_le_bytes(*lane).wrapping_mul(0x0101_0101_0101_0101) >> 56;
        mask | sum << shift
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_tell_where_a_byte_stands(bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), any::<u8>()], WORD)) {
            let word: [u8; WORD] = bytes.clone().try_into().unwrap();
            for wanted in [b',', b'"', b'\n'] {
                let expected = bytes.iter().rev().fold(0_u64, |mask, b| mask << 1 | u64::from(*b == wanted));
                prop_assert_eq!(mask(&word, |b| b == wanted), expected);
            }
        }

        /// Whatever is not called unusual is cut as the full parser cuts it.
        #[test]
        fn rows_and_fields_are_those_of_the_full_parser(text in r#"([a-z"]{0,3}|"([a-z,\n]|""){0,30}"|[a-z]{30,70}|\n|,|\r\n){0,60}"#) {
            let text = text + "\n";
            let mut grid = Grid::default();
            grid.scan(text.as_bytes());
            if grid.unusual {
                return Ok(());
            }
            let mut parser = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(&text.as_bytes()[..grid.whole]);
            let expected: Vec<Vec<String>> = parser
                .records()
                .map(|row| row.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let mut rows = Vec::new();
            let (mut start, mut done) = (0, 0);
            for (ends, quoted) in &grid.rows {
                let ends_of = &grid.ends[done..*ends as usize];
                let mut fields = Vec::new();
                let row_start = start;
                for end in ends_of {
                    let field = text[start..*end as usize].trim_end_matches('\r');
                    let inner = field.strip_prefix('"').and_then(|f| f.strip_suffix('"'));
                    fields.push(inner.map_or(field.to_owned(), |f| f.replace("\"\"", "\"")));
                    start = *end as usize + 1;
                }
                let lines = text[row_start..start - 1].matches('\n').count();
                prop_assert_eq!(lines, *quoted as usize);
                if fields != [""] || text[row_start..].starts_with('"') {
                    rows.push(fields);
                }
                done = *ends as usize;
            }
            prop_assert_eq!(rows, expected);
        }
    }
}
