//! What usual calls add up to, in numbers that are added without a look at each.

use super::codec::{Charged, PlainRow};
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimensions;
use crate::domain::usage::{Bucket, UsageEvent};

/// Bits of a count that is added so. A batch has less than 2^32 calls: no sum of theirs has more than 62.
const COUNT: u32 = 30;

/// Calls of one key and one scale of cost.
pub struct Tally {
    /// Of the first of them. That one was read long ago.
    pub dimensions: Dimensions,
    calls: u32,
    scale: u32,
    tokens: [u64; Bucket::ALL.len()],
    reasoning: u64,
    cost: u64,
}

/// Whether all counts of tokens are small enough to be added.
pub fn are_small(calls: &[Charged<'_>]) -> bool {
    let bits = calls.iter().fold(0, |bits, (event, _)| bits | bits_of(event));
    bits >> COUNT == 0
}

#[inline]
fn bits_of(event: &UsageEvent) -> u64 {
    let counts = event.tokens.counts().iter();
    counts.fold(event.tokens.reasoning, |bits, count| bits | count)
}

impl Tally {
    /// Begins with a call, if it is usual.
    pub fn of(event: &UsageEvent, charge: &Charge) -> Option<Self> {
        let plain = PlainRow::of(event, charge).filter(|_| bits_of(event) >> COUNT == 0)?;
        Some(Tally {
            dimensions: event.dimensions,
            calls: 1,
            scale: plain.scale,
            tokens: *plain.tokens,
            reasoning: plain.reasoning,
            cost: plain.cost,
        })
    }

    /// Adds a call whose counts are small; whether that could be done, which it is not where a call is not usual.
    #[inline]
    pub fn add(&mut self, event: &UsageEvent, charge: &Charge) -> bool {
        let Some(plain) = PlainRow::of(event, charge).filter(|plain| plain.scale == self.scale) else {
            return false;
        };
        let cost = self.cost.checked_add(plain.cost).filter(|cost| cost >> 63 == 0);
        let Some((calls, cost)) = self.calls.checked_add(1).zip(cost) else {
            return false;
        };
        (self.calls, self.cost) = (calls, cost);
        // Nothing wraps: `COUNT` bits, at most as often as there are calls.
        const { assert!(COUNT + u32::BITS <= 62) };
        for (sum, count) in self.tokens.iter_mut().zip(plain.tokens) {
            *sum = sum.wrapping_add(*count);
        }
        self.reasoning += plain.reasoning;
        true
    }

    /// As a row of spend.
    pub fn plain(&self) -> PlainRow<'_> {
        PlainRow {
            dimensions: &self.dimensions,
            calls: self.calls,
            tokens: &self.tokens,
            reasoning: self.reasoning,
            scale: self.scale,
            cost: self.cost,
        }
    }
}
