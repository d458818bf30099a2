//! What usual calls cost: tokens of text times rates, in numbers so small that no product and no sum of them is too large.

use rust_decimal::Decimal;

use super::card::Prepared;
use crate::domain::usage::{Bucket, Rank, UsageEvent};

/// Bits of a count of tokens that is usual: a quarter of a billion.
const COUNT: u32 = 28;
const LARGEST: u64 = (1 << COUNT) - 1;
/// Buckets of text, which stand before the others.
const TEXT: usize = Bucket::TEXT.len();

/// The rates of a card for text.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    rates: [u32; TEXT],
    /// The bits that no usual count of a bucket has: all of them where it has no rate.
    beyond: [u64; TEXT],
    scale: u32,
}

impl Usual {
    /// Rates in units of 10^-scale USD; none where one is unusually high.
    pub(super) fn of(units: &[Option<u64>; Bucket::ALL.len()], scale: u32) -> Option<Self> {
        let mut usual = Usual {
            rates: [0; TEXT],
            beyond: [!LARGEST; TEXT],
            scale,
        };
        for ((rate, beyond), units) in usual.rates.iter_mut().zip(&mut usual.beyond).zip(units) {
            match units {
                Some(units) => *rate = u32::try_from(*units).ok()?,
                None => *beyond = u64::MAX,
            }
        }
        Some(usual)
    }

    /// What a call costs; nothing is said of one that is not usual.
    #[inline]
    pub(super) fn cost(&self, event: &UsageEvent) -> Option<Decimal> {
        let requests = &event.requests;
        let asked = requests.web_searches | requests.file_searches | requests.code_executions;
        if asked != 0 || !event.extras.is_empty() || event.rank.authority == Rank::COST_ALONE {
            return None;
        }
        let (text, media) = event.tokens.counts().split_first_chunk::<TEXT>()?;
        let (mut unusual, mut sum) = (media.iter().fold(0, |bits, count| bits | count), 0_u64);
        for ((count, rate), beyond) in text.iter().zip(&self.rates).zip(&self.beyond) {
            unusual |= count & beyond;
            // Of usual counts no product has more than 60 bits, so that the sum of them fits. What wraps of others is not looked at.
            const { assert!(COUNT + u32::BITS <= 60 && TEXT < 16) };
            sum = sum.wrapping_add(count.wrapping_mul(u64::from(*rate)));
        }
        if unusual != 0 {
            return None;
        }
        Some(Decimal::from_parts(
            sum as u32,
            (sum >> 32) as u32,
            0,
            false,
            self.scale,
        ))
    }
}

impl Prepared {
    /// The exact cost of a call for which nothing but tokens is paid, in numbers that calls have.
    #[inline]
    pub(super) fn usual_cost(&self, event: &UsageEvent) -> Option<Decimal> {
        let card = match self.cards.as_slice() {
            [one] => one,
            _ => self.card(event.prompt_size())?,
        };
        card.usual.as_ref()?.cost(event)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::adapters::prices::built_in;
    use crate::domain::price::Books;
    use crate::domain::usage::EventId;

    static BOOKS: LazyLock<Books> = LazyLock::new(|| Books::new(vec![built_in()]));

    fn count() -> impl Strategy<Value = u64> {
        prop_oneof![4 => Just(0), 4 => 0..300_000_u64, 1 => Just(LARGEST), 1 => Just(LARGEST + 1), 1 => 0..10_000_000_000_000_000_u64]
    }

    proptest! {
        #[test]
        fn usual_calls_cost_what_any_call_costs(
            counts in prop::collection::vec(count(), Bucket::ALL.len()), model in 0..5_usize, searches in prop::option::weighted(0.1, 0..3_u32),
            authority in prop_oneof![6 => Just(0), 1 => Just(Rank::REPORT), 1 => Just(Rank::REPORT_LONG), 1 => Just(Rank::COST_ALONE)],
            is_text in prop::bool::weighted(0.8), fewest in 0..TEXT,
        ) {
            let (provider, model) = [
                ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-5"), ("openai", "gpt-5"), ("gemini", "gemini-2.5-pro"), ("openai", "whisper-1"),
            ][model];
            let mut event = UsageEvent::new(EventId([1; 16]), DateTime::from_timestamp(1_790_000_000, 0).unwrap(), provider.into(), model.into());
            let counted = |bucket: &Bucket| !is_text || (fewest..TEXT).contains(&(*bucket as usize));
            let counts = Bucket::ALL.into_iter().zip(counts).filter(|(bucket, _)| counted(bucket));
            counts.for_each(|(bucket, count)| event.tokens.set(bucket, count));
            event.requests.web_searches = searches.unwrap_or(0);
            event.rank.authority = authority;
            prop_assert_eq!(BOOKS.charge(&event), BOOKS.charge_with(&BOOKS.plan(&event), &event));
        }
    }
}
