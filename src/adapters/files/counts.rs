//! From a source's own counts to disjoint buckets, and the test of what the source claims about its input count.

use crate::domain::label::Label;
use crate::domain::usage::{Bucket, Tokens};

use super::line::Output;

/// What a source says about its input count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// It contains what was read from and written to a prompt cache.
    Includes,
    /// It is what was neither read nor written.
    Excludes,
}

/// The counts of one call as its source gives them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Input, with or without cached tokens.
    pub input: u64,
    /// Read from the cache.
    pub read: u64,
    /// Written for five minutes, or without a stated time to live where that is the default.
    pub write_5m: u64,
    /// Written for one hour.
    pub write_1h: u64,
    /// Written for thirty minutes.
    pub write_30m: u64,
    /// Written for twelve hours.
    pub write_12h: u64,
    /// Input beside the input count, such as the prompts of tools.
    pub beside: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// The part of output that is reasoning.
    pub reasoning: u64,
    /// The parts of input and output that are audio, images or video, in the order of [`Bucket::MEDIA`]; of input what was not
    /// read from the cache.
    pub media: [u64; Bucket::MEDIA.len()],
    /// The source's own total; 0 where it gives none.
    pub total: u64,
}

impl Counts {
    /// Read from and written to the cache.
    pub fn cached(&self) -> u64 {
        self.read + self.write_5m + self.write_1h + self.write_30m + self.write_12h
    }

    /// Whether the numbers themselves say that the input count excludes cached tokens; nothing where they do not tell.
    ///
    /// ```text
    /// read + written > input                        excludes
    /// total = input + output + read + written       excludes
    /// total = input + output                        includes
    /// ```
    fn evidence(&self) -> Option<Input> {
        let (cached, plain) = (self.cached(), self.input + self.beside + self.output);
        if cached == 0 {
            None
        } else if cached > self.input || self.total == plain + cached {
            Some(Input::Excludes)
        } else if self.total == plain {
            Some(Input::Includes)
        } else {
            None
        }
    }

    /// The disjoint buckets. A record that contradicts `declared` is told under the name of its emitter; one that was said to
    /// include cached tokens and cannot is read as excluding them.
    pub fn tokens(&self, declared: Input, emitter: &str, out: &mut Output) -> Tokens {
        let evidence = self.evidence().unwrap_or(declared);
        if evidence != declared {
            let found = match evidence {
                Input::Excludes => "input excludes cached tokens",
                Input::Includes => "totals say that input includes cached tokens, which this format excludes",
            };
            // Interned: there are as many texts as emitters.
            out.warnings.push(Label::new(&format!("{found} ({emitter})")).as_str());
        }
        self.buckets(declared, evidence)
    }

    /// The disjoint buckets of a source that makes no claim: its numbers decide, and where they do not tell, input excludes cached
    /// tokens.
    pub fn tokens_by_evidence(&self) -> Tokens {
        let evidence = self.evidence().unwrap_or(Input::Excludes);
        self.buckets(evidence, evidence)
    }

    fn buckets(&self, declared: Input, evidence: Input) -> Tokens {
        let uncached = match (declared, evidence) {
            (Input::Includes, Input::Includes) => self.input.saturating_sub(self.cached()),
            (Input::Includes | Input::Excludes, Input::Excludes) | (Input::Excludes, Input::Includes) => self.input,
        };
        let (mut uncached, mut output) = (uncached, self.output);
        let mut tokens = Tokens::default();
        for (bucket, count) in Bucket::MEDIA.into_iter().zip(self.media) {
            // A part that is larger than what is left of its whole is no part.
            let whole = if bucket.is_output() { &mut output } else { &mut uncached };
            let part = count.min(*whole);
            *whole -= part;
            tokens.set(bucket, part);
        }
        let mut tokens = tokens
            .with(Bucket::InputUncached, uncached + self.beside)
            .with(Bucket::CacheRead, self.read)
            .with(Bucket::CacheWrite5m, self.write_5m)
            .with(Bucket::CacheWrite1h, self.write_1h)
            .with(Bucket::CacheWrite30m, self.write_30m)
            .with(Bucket::CacheWrite12h, self.write_12h)
            .with(Bucket::Output, output);
        tokens.reasoning = self.reasoning.min(output);
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_overrule_a_claim_that_cannot_be_true() {
        let counts = |input, read, total| Counts {
            input,
            read,
            output: 10,
            total,
            ..Counts::default()
        };
        for (declared, given, uncached, warned) in [
            (Input::Includes, counts(100, 60, 110), 40, 0),
            (Input::Includes, counts(100, 60, 0), 40, 0),
            (Input::Includes, counts(100, 60, 170), 100, 1),
            (Input::Includes, counts(50, 60, 0), 50, 1),
            (Input::Excludes, counts(100, 60, 170), 100, 0),
            (Input::Excludes, counts(50, 60, 0), 50, 0),
            (Input::Excludes, counts(100, 60, 110), 100, 1),
            (Input::Excludes, counts(100, 0, 110), 100, 0),
        ] {
            let mut out = Output::default();
            let tokens = given.tokens(declared, "e", &mut out);
            let seen = (tokens.get(Bucket::InputUncached), out.warnings.len());
            assert_eq!(seen, (uncached, warned), "{declared:?} {given:?}");
        }
    }
}
