//! How long the text at one place of a form usually is.

use super::block::{BLOCK, first, stops};
use super::cursor::stop;

/// A length that changed more often than this, and more often than once in [`RARELY`] records, is not foreseen any more.
const CHANGES: u64 = 8;
/// A value that changes more often than once in so many records changes often.
pub const RARELY: u64 = 64;

/// The length of the texts at one place. Where all are of one length, what follows is known before the text is looked at: the processor reads on
/// there and checks the text beside it, where it would have to find its end first.
#[derive(Clone, Copy, Default)]
pub struct Length {
    /// The length of the text before; 0 if none was seen, or if they differ.
    usual: usize,
    /// Within a block, the bits of a text of this length and of what ends it.
    within: u32,
    /// How often it was another one.
    changes: u64,
}

impl Length {
    /// Where the text ends, at a quote, a backslash or a control character; `reads` is how many records were read by the form.
    #[inline(always)]
    pub fn of(&mut self, text: &[u8], reads: u64) -> Option<usize> {
        let stops = self.stops(text);
        if self.is_usual(text, stops) {
            return Some(self.usual);
        }
        let length = match stops {
            0 => stop(text)?,
            stops => stops.trailing_zeros() as usize,
        };
        self.missed(length, reads);
        Some(length)
    }

    /// Where the text ends that stands before a quote, if it is as long as the one before it.
    #[inline(always)]
    pub fn foreseen(&self, text: &[u8]) -> Option<usize> {
        let stops = self.stops(text);
        (self.is_usual(text, stops) && text.get(self.usual) == Some(&b'"')).then_some(self.usual)
    }

    /// What ends a text within the first block; none if there is none.
    #[inline(always)]
    fn stops(&self, text: &[u8]) -> u32 {
        text.first_chunk::<BLOCK>().map_or(0, stops)
    }

    #[inline(always)]
    fn is_usual(&self, text: &[u8], found: u32) -> bool {
        match self.usual {
            0 => false,
            // Nothing before, and something there.
            1..BLOCK => (found & self.within) == (self.within.wrapping_add(1) >> 1),
            usual => {
                let last = text.get(..=usual).and_then(<[u8]>::last_chunk::<BLOCK>);
                last.is_some_and(|block| found | (stops(block) ^ (1 << (BLOCK - 1))) == 0)
            }
        }
    }

    /// Notes the length of a text that was not foreseen, unless none is foreseen any more.
    #[inline(always)]
    pub fn missed(&mut self, length: usize, reads: u64) {
        if self.usual != 0 || self.changes == 0 {
            self.note(length, reads);
        }
    }

    #[inline(never)]
    fn note(&mut self, length: usize, reads: u64) {
        self.changes += 1;
        let is_rare = self.changes <= CHANGES || self.changes.saturating_mul(RARELY) <= reads;
        // Beyond two blocks there may be a stop between them.
        self.usual = match is_rare && length < 2 * BLOCK {
            true => length,
            false => 0,
        };
        self.within = first(length + 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_was_before_the_end_is_the_first_stop(
            texts in prop::collection::vec(("[a-z é]{0,40}|[a-z]{7}|[a-z]{24}", "[\"\\\\\n]", "[a-z\"\\\\]{0,40}"), 1..30),
            reads in prop_oneof![Just(0_u64), Just(u64::MAX)],
        ) {
            let mut length = Length::default();
            for (text, end, after) in texts {
                let all = format!("{text}{end}{after}");
                if let Some(foreseen) = length.foreseen(all.as_bytes()) {
                    prop_assert_eq!((foreseen, end.as_str()), (text.len(), "\""));
                }
                prop_assert_eq!(length.of(all.as_bytes(), reads), Some(text.len()));
            }
            prop_assert_eq!(length.of(b"open", reads), None);
        }
    }

    #[test]
    fn a_length_is_foreseen_while_it_rarely_changes() {
        for usual in [1, 4, 15, 16, 17, 31] {
            let text = |length: usize| format!("{}\"{}", "x".repeat(length), "y".repeat(40));
            let mut length = Length::default();
            length.of(text(usual).as_bytes(), 1);
            assert_eq!(length.foreseen(text(usual).as_bytes()), Some(usual));
            for other in 0..100 {
                length.of(text(1 + other % 7).as_bytes(), 1);
            }
            assert_eq!(length.foreseen(text(usual).as_bytes()), None);
        }
    }
}
