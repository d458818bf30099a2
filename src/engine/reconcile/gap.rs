//! Splits the gap between bill and meter into its causes. The parts always add up to the gap exactly.

use rust_decimal::{Decimal, RoundingStrategy};

use super::gather::{Place, Sides};
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::spend::TokenSums;
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};
use crate::ports::Pricer;

/// Billed less metered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Billed where nothing was metered: calls that no source has seen.
    pub missing_events: Decimal,
    /// Another number of tokens, at list price.
    pub tokens: Decimal,
    /// The same tokens at another price: what no other cause explains.
    pub price: Decimal,
    /// The contract's percentages and the bill's credits.
    pub discount: Decimal,
    /// Metered on days that are not billed yet.
    pub lag: Decimal,
}

impl Gap {
    /// All parts: billed with credits, less metered at list price.
    pub fn total(&self) -> Result<Decimal, MoneyError> {
        [self.tokens, self.price, self.discount, self.lag]
            .into_iter()
            .try_fold(self.missing_events, add_exact)
    }

    /// Adds another gap, part by part.
    pub fn add(&mut self, other: &Gap) -> Result<(), MoneyError> {
        for (sum, more) in [
            (&mut self.missing_events, other.missing_events),
            (&mut self.tokens, other.tokens),
            (&mut self.price, other.price),
            (&mut self.discount, other.discount),
            (&mut self.lag, other.lag),
        ] {
            *sum = add_exact(*sum, more)?;
        }
        Ok(())
    }
}

/// Tokens of which a rate is asked: few enough to stay below every threshold.
const SAMPLE: u64 = 1_000;

/// Decimals of a token gap in dollars: a rate times a count that both are exact, cut for display.
const DECIMALS: u32 = 12;

pub(super) fn split(pricer: &dyn Pricer, place: Place, sides: &Sides, lagging: bool) -> Result<Gap, MoneyError> {
    let (metered, billed) = (&sides.metered, &sides.billed);
    let mut gap = Gap::default();
    if lagging {
        gap.lag = -metered.list;
        gap.discount = billed.credits;
        gap.price = billed.usage;
        return Ok(gap);
    }
    if metered.calls == 0 && metered.list.is_zero() {
        gap.missing_events = billed.usage;
        gap.discount = billed.credits;
        return Ok(gap);
    }
    gap.discount = add_exact(add_exact(metered.contracted, -metered.list)?, billed.credits)?;
    gap.tokens = if billed.tokens.total() != 0 {
        token_gap(pricer, place, &metered.tokens, &billed.tokens)?
    } else if billed.usage.is_zero() {
        // Metered and not billed at all: none of its tokens were.
        -metered.contracted
    } else {
        Decimal::ZERO
    };
    let whole = add_exact(add_exact(billed.usage, billed.credits)?, -metered.list)?;
    gap.price = add_exact(whole, -add_exact(gap.discount, gap.tokens)?)?;
    Ok(gap)
}

/// What the differing tokens cost at the list rate of each bucket.
fn token_gap(
    pricer: &dyn Pricer,
    (day, provider, model): Place,
    metered: &TokenSums,
    billed: &TokenSums,
) -> Result<Decimal, MoneyError> {
    let mut gap = Decimal::ZERO;
    for bucket in Bucket::ALL {
        let more = billed.get(bucket) - metered.get(bucket);
        if more == 0 {
            continue;
        }
        let mut call = UsageEvent::new(EventId([0; 16]), day.start(), provider, model);
        call.tokens = Tokens::default().with(bucket, SAMPLE);
        let rate = pricer
            .price(&call)
            .cost
            .checked_div(Decimal::from(SAMPLE))
            .unwrap_or_default();
        let more = Decimal::try_from_i128_with_scale(more, 0).map_err(|_| MoneyError::Overflow)?;
        let amount = rate.checked_mul(more).ok_or(MoneyError::Overflow)?;
        gap = add_exact(
            gap,
            amount.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero),
        )?;
    }
    Ok(gap)
}
