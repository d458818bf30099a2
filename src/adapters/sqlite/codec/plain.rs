//! A row of spend of usual calls: metered, priced, with nothing but tokens.

use rust_decimal::Decimal;

use crate::domain::charge::{Charge, Outcome};
use crate::domain::dimension::Dimensions;
use crate::domain::money::{Currency, FINEST};
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums, TokenSums, metered_dimensions};
use crate::domain::usage::{Bucket, Requests, UsageEvent};

/// What such calls add up to.
#[derive(Clone, Copy)]
pub struct PlainRow<'a> {
    /// As the calls have them: without a category they are usage.
    pub dimensions: &'a Dimensions,
    /// How many.
    pub calls: u32,
    pub tokens: &'a [u64; Bucket::ALL.len()],
    pub reasoning: u64,
    /// Digits of the cost behind the point.
    pub scale: u32,
    /// The cost without its point, in at most 63 bits.
    pub cost: u64,
}

impl<'a> PlainRow<'a> {
    /// Of one call, if it is usual.
    #[inline]
    pub fn of(event: &'a UsageEvent, charge: &Charge) -> Option<Self> {
        let cost = charge.cost.unpack();
        let is_plain = event.requests == Requests::default()
            && event.reported_cost.is_none()
            && !event.is_taken_back()
            && matches!(charge.outcome, Outcome::Priced(_))
            && !cost.negative
            && cost.hi == 0
            && cost.mid >> 31 == 0
            && cost.scale <= FINEST;
        is_plain.then(|| PlainRow {
            dimensions: &event.dimensions,
            calls: 1,
            tokens: event.tokens.counts(),
            reasoning: event.tokens.reasoning,
            scale: cost.scale,
            cost: u64::from(cost.mid) << 32 | u64::from(cost.lo),
        })
    }

    /// What it is summed by.
    pub fn key(&self, hour: Hour) -> SpendKey {
        SpendKey {
            hour,
            basis: Basis::Metered,
            currency: Currency::USD,
            dimensions: metered_dimensions(self.dimensions),
        }
    }

    /// The same as any calls have them.
    pub fn sums(&self) -> Sums {
        let mut tokens = TokenSums::default();
        for (bucket, count) in Bucket::ALL.into_iter().zip(self.tokens) {
            tokens.set(bucket, i128::from(*count));
        }
        tokens.reasoning = i128::from(self.reasoning);
        let (low, middle) = (self.cost as u32, (self.cost >> 32) as u32);
        Sums {
            events: i64::from(self.calls),
            tokens,
            cost: Decimal::from_parts(low, middle, 0, false, self.scale),
            ..Sums::default()
        }
    }
}
