//! A price made ready: one list rate, origin and factor per bucket and prompt size, and the same as whole numbers for speed.

use rust_decimal::Decimal;

use super::book::{Above, Entry, Fees, Hours, Price, Rates, Tier};
use super::terms::{geography_of, speed_of, tier_of};
use super::units::{RatedUnit, rated_units};
use super::usual::Usual;
use crate::domain::charge::UnpricedReason;
use crate::domain::label::Label;
use crate::domain::money::{FINEST, MoneyError, bounded, mul_fine};
use crate::domain::usage::{Bucket, Requests, UsageEvent};

/// A factor on the token cost and why it applies.
pub(super) type Factor = (String, Decimal);

/// What the call asks for beside the model.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) tier: &'a str,
    pub(super) speed: &'a str,
    pub(super) geography: &'a str,
    pub(super) free: bool,
}

/// The rate of one bucket with its origin.
#[derive(Clone, Debug)]
pub(super) struct Rated {
    /// USD per million tokens before factors.
    pub(super) list: Decimal,
    pub(super) rule: String,
    units: i128,
}

/// The rates of one prompt size.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) above: Option<Above>,
    pub(super) buckets: [Option<Rated>; Bucket::ALL.len()],
    pub(super) reasoning: Option<Rated>,
    /// The units of the buckets that have a rate, where that is all that counts: no rate of reasoning, none beyond 64 bits.
    units: Option<[Option<u64>; Bucket::ALL.len()]>,
    pub(super) usual: Option<Usual>,
}

/// All that is needed to charge calls of one (provider, model, tier, speed, geography) on one day at some hours.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// By falling threshold, the base last.
    pub(super) cards: Vec<Card>,
    pub(super) factors: Vec<Factor>,
    pub(super) price_fees: Fees,
    pub(super) minimum: Option<Decimal>,
    pub(super) notes: Vec<String>,
    /// Rates of seconds, pictures and the like.
    pub(super) units: Vec<RatedUnit>,
    /// Whether it is they alone that are paid for: the book has no rate of tokens.
    pub(super) by_unit: bool,
    fees: Vec<Fee>,
    minimum_units: Option<i128>,
    pub(super) scale: u32,
}

/// A fee by count.
#[derive(Clone, Debug)]
pub(super) struct Fee {
    pub(super) what: &'static str,
    /// USD per thousand.
    pub(super) rate: Decimal,
    count: fn(&Requests) -> u32,
    units: i128,
}

/// The price with the hours at which it applies.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) hours: Option<Hours>,
    pub(super) price: Result<Prepared, UnpricedReason>,
    pub(super) from: String,
    /// What its calls are told to be priced by.
    pub(super) label: Label,
    /// Whether the book dates this price.
    pub(super) dated: bool,
}

/// Rates are per million tokens.
const MILLION_SCALE: u32 = 6;
/// Digits behind the point of a rate with its factors: what one token costs can be summed, so that any number of them can.
pub(super) const RATE_SCALE: u32 = FINEST - MILLION_SCALE;
/// 28 decimals are what a decimal holds.
const MAX_SCALE: u32 = 28;

impl Prepared {
    pub(super) fn new(price: &Price, entry: &Entry, terms: Terms<'_>) -> Result<Self, UnpricedReason> {
        let mut notes = Vec::new();
        for note in [&price.note] {
            if !note.is_empty() {
                notes.push(note.clone());
            }
        }
        let tier = tier_of(price, terms.tier)?;
        let mut factors = Vec::new();
        if let Some(factor) = speed_of(price, terms.speed)? {
            factors.push((format!("speed {}", terms.speed), factor));
        }
        if let Some((what, factor)) = geography_of(price, terms.geography)? {
            if terms.geography.is_empty() {
                notes.push(format!(
                    "book disagreement: `{}` without a geography is taken as in-region",
                    entry.id
                ));
            }
            factors.push((what, factor));
        }
        if terms.free {
            factors.push(("free variant".to_owned(), Decimal::ZERO));
        }
        let sizes = thresholds(price, tier).chain([None]);
        let cards: Result<Vec<Card>, _> = sizes.map(|above| card(price, tier, terms.tier, above)).collect();
        let mut prepared = Prepared {
            cards: cards.map_err(|_| UnpricedReason::OutOfRange)?,
            factors,
            price_fees: price.fees.clone(),
            minimum: price.minimum,
            notes,
            units: rated_units(price, tier, terms.tier).map_err(|_| UnpricedReason::OutOfRange)?,
            by_unit: false,
            fees: fees(&price.fees),
            minimum_units: None,
            scale: 0,
        };
        prepared.by_unit = !prepared.units.is_empty() && prepared.cards.iter().all(|c| c.rated().next().is_none());
        prepared.scale_up()?;
        Ok(prepared)
    }

    /// Every effective rate as a whole number of 10^-scale USD.
    fn scale_up(&mut self) -> Result<(), UnpricedReason> {
        let mut factor = Decimal::ONE;
        for (_, one) in &self.factors {
            factor = mul_fine(factor, *one).map_err(|_| UnpricedReason::OutOfRange)?;
        }
        let effective = |list| effective(list, factor).map_err(|_| UnpricedReason::OutOfRange);
        let mut scale = self.fees.iter().map(|fee| fee.rate.scale() + 3).max().unwrap_or(0);
        let minimum = self.minimum.map(|d| bounded(d).normalize());
        scale = scale.max(minimum.map_or(0, |d| d.scale()));
        for rated in self.cards.iter().flat_map(Card::rated) {
            scale = scale.max(effective(rated.list)?.scale() + MILLION_SCALE);
        }
        if scale > MAX_SCALE {
            return Err(UnpricedReason::OutOfRange);
        }
        let units = |rate: Decimal, per: u32| {
            10_i128
                .checked_pow(scale - per - rate.scale())
                .and_then(|p| rate.mantissa().checked_mul(p))
                .ok_or(UnpricedReason::OutOfRange)
        };
        for fee in &mut self.fees {
            fee.units = units(fee.rate, 3)?;
        }
        self.minimum_units = minimum.map(|d| units(d, 0)).transpose()?;
        for rated in self.cards.iter_mut().flat_map(Card::rated_mut) {
            rated.units = units(effective(rated.list)?, MILLION_SCALE)?;
        }
        for card in &mut self.cards {
            let small = card.rated().all(|rated| u64::try_from(rated.units).is_ok());
            let units = |rated: &Option<Rated>| rated.as_ref().and_then(|r| u64::try_from(r.units).ok());
            card.units = (small && card.reasoning.is_none()).then(|| card.buckets.each_ref().map(units));
            let by_tokens = !self.by_unit && self.price_fees.request.is_none() && self.minimum.is_none();
            card.usual = card
                .units
                .as_ref()
                .filter(|_| by_tokens)
                .and_then(|units| Usual::of(units, scale));
        }
        self.scale = scale;
        Ok(())
    }

    /// The rates that the prompt's size calls for.
    pub(super) fn card(&self, prompt: u64) -> Option<&Card> {
        self.cards
            .iter()
            .find(|c| c.above.as_ref().is_none_or(|a| a.covers(prompt)))
    }

    /// The exact cost.
    pub(super) fn cost(&self, event: &UsageEvent) -> Result<Decimal, UnpricedReason> {
        if self.by_unit || !event.extras.is_empty() {
            return self.cost_with_units(event);
        }
        let sum = self.counted(event)?;
        let sum = self.minimum_units.map_or(sum, |least| sum.max(least));
        // Not normalised: amounts of one scale are added fastest.
        Decimal::try_from_i128_with_scale(sum, self.scale).map_err(|_| UnpricedReason::OutOfRange)
    }

    /// The cost of tokens and fees, in units of 10^-scale USD.
    pub(super) fn counted(&self, event: &UsageEvent) -> Result<i128, UnpricedReason> {
        let (tokens, requests) = (&event.tokens, &event.requests);
        let card = self.card(event.prompt_size()).ok_or(UnpricedReason::NoRate)?;
        let mut sum = 0_i128;
        let mut add = |count: u64, units: i128| -> Result<(), UnpricedReason> {
            sum = i128::from(count)
                .checked_mul(units)
                .and_then(|part| sum.checked_add(part))
                .ok_or(UnpricedReason::OutOfRange)?;
            Ok(())
        };
        if let Some(units) = &card.units {
            // What nearly all calls are.
            let mut text = 0_u128;
            for ((_, count), units) in tokens.iter().zip(units) {
                if count > 0 {
                    let part = u128::from(count) * u128::from(units.ok_or(UnpricedReason::NoRate)?);
                    text = text.checked_add(part).ok_or(UnpricedReason::OutOfRange)?;
                }
            }
            add(1, i128::try_from(text).map_err(|_| UnpricedReason::OutOfRange)?)?;
        } else {
            for ((bucket, count), rated) in tokens.iter().zip(&card.buckets) {
                let mut count = count;
                if bucket == Bucket::Output
                    && let Some(reasoning) = &card.reasoning
                {
                    let part = tokens.reasoning.min(count);
                    count -= part;
                    add(part, reasoning.units)?;
                }
                if count > 0 {
                    add(count, rated.as_ref().ok_or(UnpricedReason::NoRate)?.units)?;
                }
            }
        }
        let asked = requests.web_searches | requests.file_searches | requests.code_executions;
        if asked > 0 && self.lacks_fee(requests) {
            return Err(UnpricedReason::NoRate);
        }
        if asked > 0 || self.price_fees.request.is_some() {
            for fee in &self.fees {
                add(u64::from((fee.count)(requests)), fee.units)?;
            }
        }
        Ok(sum)
    }

    /// Whether a call asks for something that has its fee elsewhere and none here.
    fn lacks_fee(&self, requests: &Requests) -> bool {
        let fees = &self.price_fees;
        let asked = [
            (requests.web_searches, fees.web_search),
            (requests.file_searches, fees.file_search),
            (requests.code_executions, fees.code_execution),
        ];
        asked.into_iter().any(|(count, fee)| count > 0 && fee.is_none())
    }

    /// The fees of a call with how often each is due.
    pub(super) fn fees(&self, requests: &Requests) -> impl Iterator<Item = (&Fee, u32)> {
        self.fees
            .iter()
            .map(|fee| (fee, (fee.count)(requests)))
            .filter(|(_, count)| *count > 0)
    }
}

/// A rate with its factors, as it is charged.
pub(super) fn effective(list: Decimal, factor: Decimal) -> Result<Decimal, MoneyError> {
    Ok(mul_fine(list, factor)?.normalize().round_dp(RATE_SCALE))
}

fn fees(price: &Fees) -> Vec<Fee> {
    type Count = fn(&Requests) -> u32;
    let all: [(&'static str, Option<Decimal>, Count); 4] = [
        ("web_search", price.web_search, |r| r.web_searches),
        ("file_search", price.file_search, |r| r.file_searches),
        ("code_execution", price.code_execution, |r| r.code_executions),
        ("request", price.request, |_| 1),
    ];
    let given = all.into_iter().filter_map(|(what, rate, count)| {
        Some(Fee {
            what,
            rate: rate?.normalize().round_dp(FINEST - 3),
            count,
            units: 0,
        })
    });
    given.collect()
}

impl Card {
    fn rated(&self) -> impl Iterator<Item = &Rated> {
        self.buckets.iter().flatten().chain(&self.reasoning)
    }

    fn rated_mut(&mut self) -> impl Iterator<Item = &mut Rated> {
        self.buckets.iter_mut().flatten().chain(&mut self.reasoning)
    }
}

fn thresholds<'a>(price: &'a Price, tier: Option<&'a Tier>) -> impl Iterator<Item = Option<&'a Above>> {
    let mut all: Vec<&Above> = price.above.iter().collect();
    for own in tier.into_iter().flat_map(|t| &t.above) {
        if !all.iter().any(|a| a.prompt == own.prompt) {
            all.push(own);
        }
    }
    all.sort_by_key(|a| std::cmp::Reverse(a.prompt));
    all.into_iter().map(Some)
}

fn card(price: &Price, tier: Option<&Tier>, tier_name: &str, above: Option<&Above>) -> Result<Card, MoneyError> {
    let level = |list: &'_ [Above]| -> Option<Rates> {
        let at = above?.prompt;
        // A bucket that the upper level leaves out keeps the rate of the next lower one.
        let mut merged = Rates::default();
        for step in list.iter().filter(|a| a.prompt <= at) {
            for (bucket, rate) in step.rates.iter() {
                merged.set(bucket, rate);
            }
            merged.reasoning = step.rates.reasoning.or(merged.reasoning);
        }
        Some(merged)
    };
    let (upper, tier_upper) = (level(&price.above), tier.and_then(|t| level(&t.above)));
    let size = above.map(|a| format!("prompt {} {}", if a.inclusive { "≥" } else { ">" }, a.prompt));
    let pick = |of: &dyn Fn(&Rates) -> Option<Decimal>| -> Result<Option<Rated>, MoneyError> {
        let rated = |list: Decimal, parts: [&str; 2]| {
            let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
            Rated {
                list,
                rule: if parts.is_empty() {
                    "standard".to_owned()
                } else {
                    parts.join(", ")
                },
                units: 0,
            }
        };
        let size = size.as_deref().unwrap_or("");
        let standard_upper = upper.as_ref().and_then(of);
        if let Some(tier) = tier {
            if let Some(rate) = tier_upper.as_ref().and_then(of) {
                return Ok(Some(rated(rate, [size, tier_name])));
            }
            if let Some(factor) = tier.factor
                && let Some(rate) = standard_upper.or_else(|| of(&price.rates))
            {
                let size = if standard_upper.is_some() { size } else { "" };
                return Ok(Some(rated(mul_fine(rate, factor)?, [size, tier_name])));
            }
            if standard_upper.is_none()
                && let Some(rate) = of(&tier.rates)
            {
                return Ok(Some(rated(rate, ["", tier_name])));
            }
        }
        let missing = if tier.is_some() {
            "no own rate in this tier: standard"
        } else {
            ""
        };
        let upper = standard_upper.map(|rate| rated(rate, [size, missing]));
        Ok(upper.or_else(|| of(&price.rates).map(|rate| rated(rate, ["", missing]))))
    };
    let mut buckets = [const { None }; Bucket::ALL.len()];
    for (slot, bucket) in buckets.iter_mut().zip(Bucket::ALL) {
        *slot = pick(&|rates| rates.get(bucket))?;
    }
    let text = buckets.first().cloned().flatten();
    if let (Some(read), Some(input)) = (buckets.get_mut(Bucket::CacheRead as usize), text.clone())
        && read.is_none()
    {
        // Without a rate of its own a cached token is an input token.
        *read = Some(Rated {
            rule: format!("{}, no cache discount", input.rule),
            ..input
        });
    }
    // Where images and video are not priced apart they are priced as text; audio only where the book says so.
    let audio = price.audio_as_text.then_some(Bucket::AudioIn);
    for bucket in [Bucket::ImageIn, Bucket::VideoIn].into_iter().chain(audio) {
        if let (Some(slot), Some(input)) = (buckets.get_mut(bucket as usize), &text)
            && slot.is_none()
        {
            *slot = Some(Rated {
                rule: format!("{}, as text", input.rule),
                ..input.clone()
            });
        }
    }
    Ok(Card {
        above: above.cloned(),
        buckets,
        reasoning: pick(&|rates| rates.reasoning)?,
        units: None,
        usual: None,
    })
}
