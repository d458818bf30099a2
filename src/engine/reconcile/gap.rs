//! Splits the gap between bill and meter into its causes. The parts always add up to the gap exactly.

use rust_decimal::{Decimal, RoundingStrategy};

use super::gather::{Part, Place, Sides};
use super::meet::{SAMPLE, fee, sample};
use super::rows::Billing;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::usage::{Bucket, Tokens};
use crate::ports::Pricer;

/// Billed less metered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Billed where nothing was metered: calls that no source has seen.
    pub missing_events: Decimal,
    /// Another number of tokens, at the price that the metered ones have.
    pub tokens: Decimal,
    /// The same tokens at another price: what no other cause explains.
    pub price: Decimal,
    /// The contract's percentages, what commitments pay for, the bill's credits, and what it takes back of days without calls.
    pub discount: Decimal,
    /// Metered on days that are not billed yet, or in part.
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

/// Decimals of what is divided, in dollars.
pub(super) const DECIMALS: u32 = 12;

/// What a place says: why its sides differ, and how much of its bill metering has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Split {
    pub(super) gap: Gap,
    pub(super) covered: Decimal,
    /// What metering has beyond its bill.
    pub(super) beyond: Decimal,
    /// What calls without a price may explain of the rest, at most.
    pub(super) unknown: Decimal,
}

pub(super) fn split(pricer: &dyn Pricer, place: Place, sides: &Sides, billing: Billing) -> Result<Split, MoneyError> {
    let (metered, billed) = (&sides.metered, &sides.billed);
    let mut gap = Gap::default();
    let (mut covered, mut unknown) = (Decimal::ZERO, Decimal::ZERO);
    if billing == Billing::None {
        gap.lag = -metered.list;
        // What is taken back of a time that is not billed yet is no use of it.
        gap.discount = add_exact(billed.credits, billed.usage.min(Decimal::ZERO))?;
        gap.price = billed.usage.max(Decimal::ZERO);
        return Ok(Split {
            gap,
            covered,
            unknown,
            ..Split::default()
        });
    }
    if metered.calls == 0 && metered.list.is_zero() {
        // What is taken back is a credit, and no use that was not seen.
        gap.missing_events = billed.usage.max(Decimal::ZERO);
        gap.discount = add_exact(billed.credits, billed.usage.min(Decimal::ZERO))?;
        return Ok(Split {
            gap,
            covered,
            unknown,
            ..Split::default()
        });
    }
    gap.discount = add_exact(add_exact(metered.effective, -metered.list)?, billed.credits)?;
    // What a commitment pays for has been seen, too, if it is billed nevertheless.
    covered = metered.contracted.min(billed.usage).max(Decimal::ZERO);
    if billed.tokens.total() == 0 {
        let rest = add_exact(billed.usage, -covered)?.max(Decimal::ZERO);
        unknown = metered.worst_case.min(rest).max(Decimal::ZERO);
    }
    let late = add_exact(billed.usage, -metered.effective)?;
    if billing == Billing::Part && late < Decimal::ZERO {
        gap.lag = late;
        if billed.tokens.total() != 0 {
            covered = seen(&kinds(pricer, place, sides)?, billed.usage)?;
        }
        return Ok(Split {
            gap,
            covered,
            unknown,
            ..Split::default()
        });
    }
    let mut beyond = Decimal::ZERO;
    if billed.tokens.total() != 0 {
        let kinds = kinds(pricer, place, sides)?;
        beyond = more(&kinds, billed.usage)?;
        gap.tokens = token_gap(&kinds, sides, fee(pricer, place.0, place.1.0, sides)?)?;
        covered = seen(&kinds, billed.usage)?;
    } else if billed.usage.is_zero() {
        // Metered and not billed at all: none of its tokens were.
        gap.tokens = -metered.effective;
    } else if billed.usage > Decimal::ZERO {
        beyond = (-late).max(Decimal::ZERO);
    }
    let whole = add_exact(add_exact(billed.usage, billed.credits)?, -metered.list)?;
    gap.price = add_exact(whole, -add_exact(gap.discount, gap.tokens)?)?;
    Ok(Split {
        gap,
        covered,
        beyond,
        unknown,
    })
}

/// The tokens of one kind on both sides, with their value at list rates.
struct Kind {
    metered: Decimal,
    billed: Decimal,
    counts: (i128, i128),
}

impl Kind {
    /// Whether the bill says how many there were. One that tells other kinds and not this one may have it in a row whose
    /// unit or meter is not understood.
    fn told(&self) -> bool {
        self.counts.1 != 0
    }
}

fn kinds(pricer: &dyn Pricer, (day, (provider, _), _): Place, sides: &Sides) -> Result<Vec<Kind>, MoneyError> {
    let rate = |part: &Part, bucket: Bucket| {
        let mut call = sample(day, provider, part.model, part.account);
        call.tokens = Tokens::default().with(bucket, u64::from(SAMPLE));
        let cost = pricer.price(&call).cost;
        cost.checked_div(Decimal::from(SAMPLE)).unwrap_or_default()
    };
    let times = |rate: Decimal, count: i128| {
        let count = Decimal::try_from_i128_with_scale(count, 0).map_err(|_| MoneyError::Overflow)?;
        rate.checked_mul(count).ok_or(MoneyError::Overflow)
    };
    let mut kinds = Vec::new();
    for bucket in Bucket::ALL {
        let counts = (sides.metered.tokens.get(bucket), sides.billed.tokens.get(bucket));
        if counts == (0, 0) {
            continue;
        }
        // Of several models the mean: of those with such tokens, else of all that was metered.
        let (has_kind, has_any) = (counts.0 != 0, sides.metered.tokens.total() != 0);
        let weight = |part: &Part| match (has_kind, has_any) {
            (true, _) => part.tokens.get(bucket),
            (false, true) => part.tokens.total(),
            (false, false) => 1,
        };
        let (mut value, mut weights) = (Decimal::ZERO, 0_i128);
        for part in sides.parts.iter().filter(|part| weight(part) != 0) {
            value = add_exact(value, times(rate(part, bucket), weight(part))?)?;
            weights += weight(part);
        }
        let mean = value.checked_div(times(Decimal::ONE, weights)?).unwrap_or_default();
        kinds.push(Kind {
            metered: rounded(times(mean, counts.0)?),
            billed: rounded(times(mean, counts.1)?),
            counts,
        });
    }
    Ok(kinds)
}

fn rounded(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero)
}

/// As much of a value as one amount is of another; all of it where there is no other.
fn ratio(value: Decimal, part: Decimal, whole: Decimal) -> Result<Decimal, MoneyError> {
    if whole.is_zero() {
        return Ok(value);
    }
    let product = value.checked_mul(part).ok_or(MoneyError::Overflow)?;
    product.checked_div(whole).ok_or(MoneyError::Overflow)
}

fn sum(amounts: impl Iterator<Item = Decimal>) -> Result<Decimal, MoneyError> {
    let mut amounts = amounts;
    amounts.try_fold(Decimal::ZERO, add_exact)
}

/// What the differing tokens cost, at what the metered ones cost here: list rates times what tier, place and contract make
/// of them.
fn token_gap(kinds: &[Kind], sides: &Sides, fee: Decimal) -> Result<Decimal, MoneyError> {
    let list = sum(kinds.iter().map(|kind| kind.metered))?;
    let metered = &sides.metered;
    let tokens = add_exact(metered.list, -fee.max(Decimal::ZERO))?;
    // Where the cost has less than all of the tokens it says nothing of tier and place, but of the contract.
    let of_tokens = metered.unpriced == 0 && !list.is_zero() && (tokens > Decimal::ZERO || fee <= Decimal::ZERO);
    let scaled = |value: Decimal| -> Result<Decimal, MoneyError> {
        let agreed = ratio(value, metered.effective, metered.list)?;
        let value = if of_tokens {
            ratio(agreed, tokens, list)?
        } else {
            agreed
        };
        Ok(rounded(value))
    };
    let told = || kinds.iter().filter(|kind| kind.told());
    let billed = scaled(sum(told().map(|kind| kind.billed))?)?;
    let metered = scaled(sum(told().map(|kind| kind.metered))?)?;
    // What the bill charges beyond the kinds that it tells may be for those that it does not.
    let untold = scaled(sum(kinds.iter().filter(|kind| !kind.told()).map(|kind| kind.metered))?)?;
    let rest = add_exact(sides.billed.usage, -billed)?.max(Decimal::ZERO).min(untold);
    add_exact(add_exact(billed, -metered)?, add_exact(rest, -untold)?)
}

/// How much of the bill's use metering has seen, by the kinds of tokens that the bill tells: a bill at another price is no
/// less seen.
fn seen(kinds: &[Kind], usage: Decimal) -> Result<Decimal, MoneyError> {
    let told = || kinds.iter().filter(|kind| kind.told());
    let all = sum(told().map(|kind| kind.billed))?;
    let (part, whole) = if all > Decimal::ZERO {
        (sum(told().map(|kind| kind.metered.min(kind.billed)))?, all)
    } else {
        // Without a rate, by their number.
        let count = |count: i128| Decimal::try_from_i128_with_scale(count, 0).map_err(|_| MoneyError::Overflow);
        let part = told().map(|kind| kind.counts.0.min(kind.counts.1)).sum();
        (count(part)?, count(told().map(|kind| kind.counts.1).sum())?)
    };
    if part >= whole {
        return Ok(usage.max(Decimal::ZERO));
    }
    share(usage, part, whole)
}

/// What metering has beyond that, in the same measure.
fn more(kinds: &[Kind], usage: Decimal) -> Result<Decimal, MoneyError> {
    let told = || kinds.iter().filter(|kind| kind.told());
    let all = sum(told().map(|kind| kind.billed))?;
    if all <= Decimal::ZERO {
        return Ok(Decimal::ZERO);
    }
    let beyond = told().map(|kind| (kind.metered - kind.billed).max(Decimal::ZERO));
    share(usage, sum(beyond)?, all)
}

/// As much of what is billed as a part is of a whole.
fn share(usage: Decimal, part: Decimal, whole: Decimal) -> Result<Decimal, MoneyError> {
    let product = usage.checked_mul(part.max(Decimal::ZERO));
    let seen = product.and_then(|product| product.checked_div(whole));
    Ok(rounded(seen.ok_or(MoneyError::Overflow)?).max(Decimal::ZERO))
}
