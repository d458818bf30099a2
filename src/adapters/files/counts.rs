//! From a source's own counts to disjoint buckets, and the test of what the source claims about its input count.

use crate::domain::label::Label;
use crate::domain::usage::{Bucket, Tokens};

use super::line::Output;
use super::thoughts::Thoughts;

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
    /// Output, with or without reasoning.
    pub output: u64,
    /// Reasoning.
    pub reasoning: u64,
    /// Whether output contains it, where the total does not tell.
    pub thoughts: Thoughts,
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

    /// What is written to a cache stays for five minutes, as it does where no model of OpenAI's is asked: who sells these sells others, too.
    pub fn keep_for_minutes(&mut self) {
        self.write_5m = self.write_5m.saturating_add(std::mem::take(&mut self.write_30m));
    }

    /// Whether the numbers themselves say that the input count excludes cached tokens; nothing where they do not tell.
    ///
    /// ```text
    /// read + written > input                        excludes
    /// total = input + output + read + written       excludes
    /// total = input + output                        includes
    /// ```
    fn evidence(&self) -> Option<Input> {
        let (cached, plain) = (self.cached(), self.plain());
        // The same number of both: what is usual at the seller decides.
        let thought = self.thoughts == Thoughts::Beside && self.total == plain + self.reasoning;
        if cached == 0 {
            None
        } else if cached > self.input || (self.total == plain + cached && !thought) {
            Some(Input::Excludes)
        } else if self.total == plain || thought {
            Some(Input::Includes)
        } else {
            None
        }
    }

    fn plain(&self) -> u64 {
        self.input + self.beside + self.output
    }

    /// Output with all reasoning, and that part of it.
    ///
    /// ```text
    /// total = input + output + reasoning            it stands beside output
    /// reasoning > output, no total, xAI             the same
    /// ```
    fn answer(&self, evidence: Input) -> (u64, u64) {
        let (plain, total) = (self.plain(), self.total);
        let by_cache = evidence == Input::Excludes && total == plain + self.cached();
        let beside = match self.thoughts {
            _ if by_cache || total == plain => 0,
            _ if total == plain + self.reasoning => self.reasoning,
            Thoughts::Beside if total == 0 && self.reasoning > self.output => self.reasoning,
            Thoughts::Rest if self.reasoning == 0 => total.saturating_sub(plain),
            Thoughts::Within | Thoughts::Beside | Thoughts::Rest => 0,
        };
        (self.output + beside, self.reasoning.max(beside))
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
        let known = self.input + self.beside + self.answer(evidence).0;
        if self.total > known && self.total != known + self.cached() {
            let told = format!("totals hold tokens that no count tells, which are not charged ({emitter})");
            out.warnings.push(Label::new(&told).as_str());
        }
        self.buckets(declared, evidence)
    }

    /// What the numbers of a source that makes no claim say of its input; where they do not tell, it excludes cached tokens.
    pub fn by_evidence(&self) -> Input {
        self.evidence().unwrap_or(Input::Excludes)
    }

    fn buckets(&self, declared: Input, evidence: Input) -> Tokens {
        let uncached = match (declared, evidence) {
            (Input::Includes, Input::Includes) => self.input.saturating_sub(self.cached()),
            (Input::Includes | Input::Excludes, Input::Excludes) | (Input::Excludes, Input::Includes) => self.input,
        };
        let (mut output, reasoning) = self.answer(evidence);
        // The prompts of tools have modalities, too.
        let mut uncached = uncached + self.beside;
        let mut tokens = Tokens::default();
        for (bucket, count) in Bucket::MEDIA.into_iter().zip(self.media) {
            // A part that is larger than what is left of its whole is no part.
            let whole = if bucket.is_output() { &mut output } else { &mut uncached };
            let part = count.min(*whole);
            *whole -= part;
            tokens.set(bucket, part);
        }
        let mut tokens = tokens
            .with(Bucket::InputUncached, uncached)
            .with(Bucket::CacheRead, self.read)
            .with(Bucket::CacheWrite5m, self.write_5m)
            .with(Bucket::CacheWrite1h, self.write_1h)
            .with(Bucket::CacheWrite30m, self.write_30m)
            .with(Bucket::CacheWrite12h, self.write_12h)
            .with(Bucket::Output, output);
        tokens.reasoning = reasoning.min(output);
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

    #[test]
    fn reasoning_beside_the_output_is_output_where_the_numbers_or_the_seller_tell() {
        use Thoughts::{Beside, Rest, Within};
        for (thoughts, [input, read, output, reasoning, total], expected) in [
            // (output, of it reasoning, uncached, warnings)
            (Beside, [10_120, 128, 1499, 2809, 14_428], (4308, 2809, 9992, 0)),
            (Within, [10_120, 128, 1499, 2809, 14_428], (4308, 2809, 9992, 0)),
            (Beside, [32, 0, 1, 386, 0], (387, 386, 32, 0)),
            (Within, [32, 0, 1, 386, 0], (1, 1, 32, 0)),
            // Within, as a gateway has it, and where nothing tells.
            (Beside, [100, 0, 50, 20, 150], (50, 20, 100, 0)),
            (Beside, [100, 0, 50, 20, 0], (50, 20, 100, 0)),
            // As much was read from the cache.
            (Beside, [100, 20, 50, 20, 170], (70, 20, 80, 0)),
            (Within, [100, 20, 50, 20, 170], (50, 20, 100, 1)),
            // What only the total tells is what was thought, or told.
            (Rest, [20, 0, 30, 0, 850], (830, 800, 20, 0)),
            (Rest, [20, 0, 30, 0, 50], (30, 0, 20, 0)),
            (Within, [20, 0, 30, 0, 850], (30, 0, 20, 1)),
            (Beside, [20, 0, 30, 5, 850], (30, 5, 20, 1)),
        ] {
            let counts = Counts {
                input,
                read,
                output,
                reasoning,
                total,
                thoughts,
                ..Counts::default()
            };
            let mut out = Output::default();
            let tokens = counts.tokens(Input::Includes, "e", &mut out);
            let uncached = tokens.get(Bucket::InputUncached);
            let seen = (
                tokens.get(Bucket::Output),
                tokens.reasoning,
                uncached,
                out.warnings.len(),
            );
            assert_eq!(seen, expected, "{counts:?}");
        }
    }
}
