//! Prices of what is no token: seconds, pictures, pages, characters; and of searches by how much they read. Only calls that have
//! such quantities come here.

use rust_decimal::Decimal;

use super::book::{Fees, Price, Tier};
use super::card::Prepared;
use super::quote::ReceiptLine;
use crate::domain::charge::UnpricedReason;
use crate::domain::money::{MoneyError, add_exact, bounded, mul_bounded, mul_exact, mul_fine};
use crate::domain::usage::{Extras, SearchContext, Unit, UnitKey, UsageEvent};

/// What one unit costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitRate {
    /// USD for one.
    pub rate: Decimal,
    /// The least amount of a call that is billed; zero: what it is.
    pub least: Decimal,
    /// Amounts are billed in multiples of this, rounded up; zero: as they are.
    pub step: Decimal,
}

impl UnitRate {
    /// The amount that is billed: rounded up to a step, then at least the least.
    pub(super) fn billed(&self, amount: Decimal) -> Result<Decimal, MoneyError> {
        let rounded = if self.step.is_zero() {
            amount
        } else {
            let steps = amount.checked_div(self.step).ok_or(MoneyError::Overflow)?.ceil();
            mul_exact(steps, self.step)?
        };
        Ok(rounded.max(self.least).normalize())
    }
}

/// The rate of one unit with its origin.
#[derive(Clone, Debug)]
pub(super) struct RatedUnit {
    key: UnitKey,
    rate: UnitRate,
    rule: String,
}

/// Whether a unit is paid for like a search: the same in every tier, at any speed and place.
fn is_fee(key: &UnitKey) -> bool {
    key.unit == Unit::MapQuery
}

/// The rates of a tier: its own, then its factor on the standard ones, then those.
pub(super) fn rated_units(price: &Price, tier: Option<&Tier>, tier_name: &str) -> Result<Vec<RatedUnit>, MoneyError> {
    let mut all = Vec::new();
    let only_of_tier = tier
        .into_iter()
        .flat_map(|t| &t.units)
        .filter(|(key, _)| !price.units.contains_key(key));
    for (key, standard) in price.units.iter().chain(only_of_tier) {
        let own = tier.and_then(|t| t.units.get(key));
        let factor = tier.and_then(|t| t.factor).filter(|_| !is_fee(key));
        let by_factor = factor.map(|f| mul_fine(standard.rate, f)).transpose()?;
        let (rate, rule) = match (own, by_factor, tier) {
            (Some(own), ..) => (*own, tier_name),
            (None, Some(rate), _) => (UnitRate { rate, ..*standard }, tier_name),
            (None, None, _) if is_fee(key) => (*standard, "fee"),
            (None, None, Some(_)) => (*standard, "no own rate in this tier: standard"),
            (None, None, None) => (*standard, "standard"),
        };
        all.push(RatedUnit {
            key: key.clone(),
            rate,
            rule: rule.to_owned(),
        });
    }
    Ok(all)
}

/// The fee per thousand searches of that size, and whether the book has one for it.
pub(super) fn search_fee(fees: &Fees, size: Option<SearchContext>) -> Option<(Decimal, bool)> {
    let own = size.and_then(|size| fees.search_context.get(&size)).copied();
    own.map(|rate| (rate, true))
        .or(fees.web_search.map(|rate| (rate, false)))
}

impl Prepared {
    /// The rate of a unit: of its variant, or the one without a variant, which is for all others.
    fn unit(&self, key: &UnitKey) -> Option<&RatedUnit> {
        let of = |variant: &str| {
            let same = |u: &&RatedUnit| u.key.unit == key.unit && u.key.variant == variant;
            self.units.iter().find(same)
        };
        // A book that names variants only has no price for any other.
        of(&key.variant).or_else(|| of(""))
    }

    fn factor(&self) -> Result<Decimal, MoneyError> {
        self.factors
            .iter()
            .try_fold(Decimal::ONE, |all, (_, one)| mul_fine(all, *one))
    }

    /// A line for each unit that has a rate, and the units that have none.
    pub(super) fn unit_lines(&self, event: &UsageEvent) -> Result<(Vec<ReceiptLine>, Vec<UnitKey>), MoneyError> {
        let (mut lines, mut without) = (Vec::new(), Vec::new());
        let all = self.factor()?;
        for (key, amount) in Extras::of(event.extras).units() {
            let Some(rated) = self.unit(key) else {
                without.push(key.clone());
                continue;
            };
            let billed = rated.rate.billed(*amount)?;
            let factor = if is_fee(key) { Decimal::ONE } else { all };
            let mut rule = rated.rule.clone();
            if billed != amount.normalize() {
                rule = format!("{rule}, {} billed as {billed}", amount.normalize());
            }
            let rate = rated.rate.rate.normalize();
            lines.push(ReceiptLine {
                what: key.to_string(),
                quantity: billed,
                rate,
                per: 1,
                factor,
                amount: mul_bounded(billed, mul_fine(rate, factor)?.normalize())?.normalize(),
                rule,
            });
        }
        Ok((lines, without))
    }

    /// The cost of a call that has units, or of one whose price is by unit.
    pub(super) fn cost_with_units(&self, event: &UsageEvent) -> Result<Decimal, UnpricedReason> {
        if event.extras.is_empty() {
            return Err(UnpricedReason::UsageIncomplete);
        }
        let out_of_range = |_| UnpricedReason::OutOfRange;
        let (lines, without) = self.unit_lines(event).map_err(out_of_range)?;
        // A picture or second beside tokens that are paid for is paid for with them; what is looked up is no token.
        let by_tokens = !self.by_unit && event.tokens.total() > 0;
        if without.iter().any(|key| !by_tokens || is_fee(key)) {
            return Err(UnpricedReason::NoRate);
        }
        if self.by_unit && lines.is_empty() {
            return Err(UnpricedReason::UsageIncomplete);
        }
        let mut counted = *event;
        if self.by_unit {
            // Tokens are not what this price is for.
            counted.tokens = Default::default();
        }
        let sum = self.counted(&counted)?;
        let mut sum = Decimal::try_from_i128_with_scale(sum, self.scale).map_err(|_| UnpricedReason::OutOfRange)?;
        for line in &lines {
            sum = add_exact(sum, line.amount).map_err(out_of_range)?;
        }
        let searches = event.requests.web_searches;
        let size = Extras::of(event.extras).search_context;
        if let (1.., Some(plain), Some((rate, true))) =
            (searches, self.price_fees.web_search, search_fee(&self.price_fees, size))
        {
            let more = add_exact(rate, -plain)
                .and_then(|more| mul_bounded(more.normalize(), Decimal::new(i64::from(searches), 3)))
                .map_err(out_of_range)?;
            sum = add_exact(sum, more).map_err(out_of_range)?;
        }
        Ok(self.minimum.map_or(sum, |least| sum.max(bounded(least))).normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_billed_in_steps_and_at_least_the_least() {
        let rate = |least, step| UnitRate {
            rate: Decimal::ONE,
            least: Decimal::from(least),
            step: Decimal::from(step),
        };
        for (rate, amount, billed) in [
            (rate(0, 0), "4.25", "4.25"),
            (rate(10, 0), "4.25", "10"),
            (rate(10, 1), "10.001", "11"),
            (rate(0, 6), "12", "12"),
            (rate(0, 6), "12.000000001", "18"),
        ] {
            let found = rate.billed(amount.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), billed, "{rate:?}");
        }
    }
}
