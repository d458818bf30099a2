//! One call to a model as observed in some log, normalised to disjoint token buckets, and how several observations of the
//! same call become one.

mod batch;
mod extras;
mod id;
mod merge;
mod rank;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::dimension::{Dimension, Dimensions};
use super::label::Label;

pub use batch::EventBatch;
pub use extras::{Extras, MAX_UNITS, SearchContext, Unit, UnitKey};
pub use id::{EventId, PendingIds};
pub use merge::{Besides, USAGE_DIMENSIONS};
pub use rank::Rank;

/// The disjoint token buckets: a call's tokens are the sum over them, a call's price too. The order is the order of storage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Bucket {
    /// Text input at the plain input rate.
    InputUncached,
    /// Input read from the prompt cache.
    CacheRead,
    /// Input written to a prompt cache for 5 minutes (also a write without a stated time to live).
    CacheWrite5m,
    /// Input written to a prompt cache for 1 hour.
    CacheWrite1h,
    /// Input written to a prompt cache for 30 minutes (OpenAI).
    CacheWrite30m,
    /// Input written to a prompt cache for 12 hours (OpenAI).
    CacheWrite12h,
    /// Text output, reasoning included.
    Output,
    /// Audio in the prompt.
    AudioIn,
    /// Audio answered.
    AudioOut,
    /// Images in the prompt.
    ImageIn,
    /// Images answered.
    ImageOut,
    /// Video in the prompt.
    VideoIn,
}

impl Bucket {
    /// All of them, in storage order: those of text, then the others.
    pub const ALL: [Bucket; 12] = [
        Bucket::InputUncached,
        Bucket::CacheRead,
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::CacheWrite30m,
        Bucket::CacheWrite12h,
        Bucket::Output,
        Bucket::AudioIn,
        Bucket::AudioOut,
        Bucket::ImageIn,
        Bucket::ImageOut,
        Bucket::VideoIn,
    ];

    /// Audio, images and video: most calls have none of it.
    pub const MEDIA: [Bucket; 5] = [
        Bucket::AudioIn,
        Bucket::AudioOut,
        Bucket::ImageIn,
        Bucket::ImageOut,
        Bucket::VideoIn,
    ];

    /// What stands in the prompt: all but output.
    pub const PROMPT: [Bucket; 9] = [
        Bucket::InputUncached,
        Bucket::CacheRead,
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::CacheWrite30m,
        Bucket::CacheWrite12h,
        Bucket::AudioIn,
        Bucket::ImageIn,
        Bucket::VideoIn,
    ];

    /// Text, cached or not.
    pub const TEXT: [Bucket; 7] = [
        Bucket::InputUncached,
        Bucket::CacheRead,
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::CacheWrite30m,
        Bucket::CacheWrite12h,
        Bucket::Output,
    ];

    /// The name in receipts; reports add `_tokens`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Bucket::InputUncached => "input_uncached",
            Bucket::CacheRead => "cache_read",
            Bucket::CacheWrite5m => "cache_write_5m",
            Bucket::CacheWrite1h => "cache_write_1h",
            Bucket::CacheWrite30m => "cache_write_30m",
            Bucket::CacheWrite12h => "cache_write_12h",
            Bucket::Output => "output",
            Bucket::AudioIn => "audio_in",
            Bucket::AudioOut => "audio_out",
            Bucket::ImageIn => "image_in",
            Bucket::ImageOut => "image_out",
            Bucket::VideoIn => "video_in",
        }
    }

    /// Whether the model made it; all else is prompt.
    #[must_use]
    pub fn is_output(self) -> bool {
        matches!(self, Bucket::Output | Bucket::AudioOut | Bucket::ImageOut)
    }
}

/// The largest token count one record may claim. A real call has at most some millions; usage reports sum up to 1e13.
/// Beyond this a record is absurd and is rejected, so that no sum of theirs can overflow.
pub const MAX_TOKENS: u64 = 10_000_000_000_000_000;

/// Tokens of one call per bucket. `reasoning` is a part of output, never added to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Tokens {
    buckets: [u64; Bucket::ALL.len()],
    /// Part of [`Bucket::Output`], kept for prices that differ and for reports.
    pub reasoning: u64,
}

impl Tokens {
    /// The count of one bucket.
    #[must_use]
    pub fn get(&self, bucket: Bucket) -> u64 {
        self.buckets.get(bucket as usize).copied().unwrap_or(0)
    }

    /// Sets the count of one bucket.
    pub fn set(&mut self, bucket: Bucket, count: u64) {
        if let Some(slot) = self.buckets.get_mut(bucket as usize) {
            *slot = count;
        }
    }

    /// The same with one bucket set: for building in one expression.
    #[must_use]
    pub fn with(mut self, bucket: Bucket, count: u64) -> Self {
        self.set(bucket, count);
        self
    }

    /// Bucket and count pairs in storage order, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        Bucket::ALL.into_iter().zip(self.buckets.iter().copied())
    }

    /// The counts in storage order.
    #[inline]
    pub(crate) fn counts(&self) -> &[u64; Bucket::ALL.len()] {
        &self.buckets
    }

    /// In each bucket something that is zero where all of these have zero, and at least as large as the largest.
    #[inline(always)]
    pub(crate) fn counted<'a>(all: impl Iterator<Item = &'a [u64; Bucket::ALL.len()]>) -> [u64; Bucket::ALL.len()] {
        // Handed on as a whole, so that it stays in registers.
        all.fold([0; Bucket::ALL.len()], |mut bits, counts| {
            for (bits, count) in bits.iter_mut().zip(counts) {
                *bits |= count;
            }
            bits
        })
    }

    /// Whether there is anything but text.
    #[must_use]
    pub fn has_media(&self) -> bool {
        Bucket::MEDIA.into_iter().any(|bucket| self.get(bucket) > 0)
    }

    /// Size of the prompt that decides price thresholds: everything but output.
    #[must_use]
    pub fn prompt(&self) -> u64 {
        Bucket::PROMPT
            .into_iter()
            .fold(0, |sum, bucket| sum.saturating_add(self.get(bucket)))
    }

    /// All tokens of the call.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().fold(0, |sum, (_, n)| sum.saturating_add(n))
    }
}

/// Things of a call that are billed by count, not by token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug, Serialize, Deserialize)]
pub struct Requests {
    /// Server-side web searches.
    pub web_searches: u32,
    /// Server-side web fetches.
    pub web_fetches: u32,
    /// Server-side code executions.
    pub code_executions: u32,
    /// File searches.
    pub file_searches: u32,
}

impl Requests {
    /// The most of each that either tells.
    #[must_use]
    pub fn most(self, other: Requests) -> Requests {
        Requests {
            web_searches: self.web_searches.max(other.web_searches),
            web_fetches: self.web_fetches.max(other.web_fetches),
            code_executions: self.code_executions.max(other.code_executions),
            file_searches: self.file_searches.max(other.file_searches),
        }
    }
}

/// One observation of one call, normalised. Copyable: names are interned.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct UsageEvent {
    /// Who this call is.
    pub id: EventId,
    /// When the call was made; decides the hour it is charged to and the price that applies.
    pub at: DateTime<Utc>,
    /// Provider, model, tier, team, agent, … `Source` is set by the engine where it is empty.
    pub dimensions: Dimensions,
    /// Session or conversation, for telling copies apart.
    pub session: Label,
    /// A copy on a side track (subagent replay): attributed to it only if no main-track copy exists.
    pub sidechain: bool,
    /// Disjoint token counts.
    pub tokens: Tokens,
    /// Counts billed per request.
    pub requests: Requests,
    /// `fast`, or empty.
    pub speed: Label,
    /// Inference geography (`us`), or empty.
    pub geo: Label,
    /// Rare quantities as [`Extras::label`] writes them, or empty.
    pub extras: Label,
    /// Standing of the usage against other observations.
    pub rank: Rank,
    /// What the source says the call cost, in USD. Kept beside the computed cost, never used in its place.
    pub reported_cost: Option<Decimal>,
}

impl UsageEvent {
    /// An observation with only identity, time, provider and model set: the start for an adapter's record.
    #[must_use]
    #[inline]
    pub fn new(id: EventId, at: DateTime<Utc>, provider: Label, model: Label) -> Self {
        let mut dimensions = Dimensions::default();
        dimensions.set(Dimension::Provider, provider);
        dimensions.set(Dimension::Model, model);
        UsageEvent {
            id,
            at,
            dimensions,
            session: Label::EMPTY,
            sidechain: false,
            tokens: Tokens::default(),
            requests: Requests::default(),
            speed: Label::EMPTY,
            geo: Label::EMPTY,
            extras: Label::EMPTY,
            rank: Rank {
                authority: 0,
                complete: true,
                at,
                line: 0,
            },
            reported_cost: None,
        }
    }

    /// The size that price thresholds are compared with: of the prompt, for a sum over many calls that of any of them, for a call
    /// that asked the model several times that of the longest.
    #[must_use]
    pub fn prompt_size(&self) -> u64 {
        match self.rank.authority {
            Rank::REPORT => 0,
            Rank::REPORT_LONG => 200_001,
            _ if self.extras.is_empty() => self.tokens.prompt(),
            _ => {
                let longest = Extras::of(self.extras).longest_prompt.unwrap_or(u64::MAX);
                self.tokens.prompt().min(longest)
            }
        }
    }

    /// Notes that the model was asked several times, at most with a prompt of so many tokens; short ones decide no price.
    pub fn asked_at_most(&mut self, longest: u64) {
        /// The least threshold of any price.
        const SHORT: u64 = 32_000;
        let all = self.tokens.prompt();
        if longest == 0 || longest >= all || all <= SHORT {
            return;
        }
        let mut extras = Extras::of(self.extras);
        let (thousands, rest) = (longest / 1000 * 1000, longest % 1000);
        extras.longest_prompt = Some(thousands + if rest == 0 { 0 } else { 500 });
        self.extras = extras.label().unwrap_or(self.extras);
    }

    /// Whether it counts nothing that has a price: no token, no request and no unit. How much a search reads is no search.
    #[must_use]
    pub fn counts_nothing(&self) -> bool {
        self.tokens.total() == 0
            && self.requests == Requests::default()
            && (self.extras.is_empty() || Extras::of(self.extras).units().is_empty())
    }

    /// Whether it tells no use: it counts nothing, and no cost of it is reported.
    #[must_use]
    pub fn tells_no_use(&self) -> bool {
        self.reported_cost.is_none() && self.counts_nothing()
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> Label {
        self.dimensions.get(Dimension::Provider)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Label {
        self.dimensions.get(Dimension::Model)
    }

    /// The service tier.
    #[must_use]
    pub fn tier(&self) -> Label {
        self.dimensions.get(Dimension::Tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_no_larger_for_what_few_calls_have() {
        assert!(size_of::<UsageEvent>() <= 272, "{}", size_of::<UsageEvent>());
    }

    #[test]
    fn of_several_prompts_the_longest_is_compared_with_thresholds() {
        let mut event = UsageEvent::new(EventId([7; 16]), DateTime::UNIX_EPOCH, "p".into(), "m".into());
        event.tokens.set(Bucket::InputUncached, 300_000);
        for (longest, size) in [
            (0, 300_000),
            (300_000, 300_000),
            (200_000, 200_000),
            (200_001, 200_500),
            (199_999, 199_500),
        ] {
            let mut one = event;
            one.asked_at_most(longest);
            assert_eq!(one.prompt_size(), size, "{longest}");
        }
    }

    #[test]
    fn the_prompt_is_all_that_is_not_output() {
        let prompt: Vec<Bucket> = Bucket::ALL.into_iter().filter(|b| !b.is_output()).collect();
        assert_eq!(Bucket::PROMPT.as_slice(), prompt);
    }
}
