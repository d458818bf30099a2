//! What usual calls cost: tokens times rates, in numbers so small that no product and no sum of them is too large.

use rust_decimal::Decimal;

use super::card::Prepared;
use crate::domain::usage::{Bucket, Rank, UsageEvent};

/// Bits of a count of tokens that is usual: a quarter of a billion.
const COUNT: u32 = 28;
const LARGEST: u64 = (1 << COUNT) - 1;

/// The rates of a card.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    rates: [u32; Bucket::ALL.len()],
    /// All bits of the buckets that have no rate.
    lacking: [u64; Bucket::ALL.len()],
    scale: u32,
}

impl Usual {
    /// Rates in units of 10^-scale USD; none where one is unusually high.
    pub(super) fn of(units: &[Option<u64>; Bucket::ALL.len()], scale: u32) -> Option<Self> {
        let mut usual = Usual {
            rates: [0; Bucket::ALL.len()],
            lacking: [0; Bucket::ALL.len()],
            scale,
        };
        for ((rate, lacking), units) in usual.rates.iter_mut().zip(&mut usual.lacking).zip(units) {
            match units {
                Some(units) => *rate = u32::try_from(*units).ok()?,
                None => *lacking = u64::MAX,
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
        // None of the products has more than 60 bits, so that the sum of twelve fits: nothing wraps.
        const { assert!(COUNT + u32::BITS <= 60 && Bucket::ALL.len() < 16) };
        let (mut bits, mut lacking, mut sum) = (0, 0, 0_u64);
        let rated = event.tokens.counts().iter().zip(&self.rates).zip(&self.lacking);
        for ((count, rate), lacks) in rated {
            bits |= count;
            lacking |= count & lacks;
            sum = sum.wrapping_add((count & LARGEST).wrapping_mul(u64::from(*rate)));
        }
        if bits > LARGEST || lacking != 0 {
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
        ) {
            let (provider, model) = [
                ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-5"), ("openai", "gpt-5"), ("gemini", "gemini-2.5-pro"), ("openai", "whisper-1"),
            ][model];
            let mut event = UsageEvent::new(EventId([1; 16]), DateTime::from_timestamp(1_790_000_000, 0).unwrap(), provider.into(), model.into());
            Bucket::ALL.into_iter().zip(counts).for_each(|(bucket, count)| event.tokens.set(bucket, count));
            event.requests.web_searches = searches.unwrap_or(0);
            event.rank.authority = authority;
            prop_assert_eq!(BOOKS.charge(&event), BOOKS.charge_with(&BOOKS.plan(&event), &event));
        }
    }
}
