//! What a call's tier, speed and geography mean for a price.

use rust_decimal::Decimal;

use super::book::{Price, Tier};
use super::card::Factor;
use crate::domain::charge::UnpricedReason;

/// Whether a tier is what every price has.
#[must_use]
pub fn is_standard_tier(tier: &str) -> bool {
    matches!(
        tier,
        "" | "standard" | "default" | "auto" | "on_demand" | "on-demand" | "standard_only"
    )
}

/// The tier that a text names, in the letters that it has: `default` is the standard one.
#[must_use]
pub fn tier_name(tier: &str) -> &str {
    match tier.eq_ignore_ascii_case("default") {
        true => "standard",
        false => tier,
    }
}

/// One word for each service tier, whatever a record calls it: `standard` also where it tells none.
#[must_use]
pub fn tier_key(tier: &str) -> String {
    let lower = tier.trim().to_lowercase();
    let key = match lower.as_str() {
        standard if is_standard_tier(standard) => "standard",
        "batches" => "batch",
        "fast" => "priority",
        _ => return lower,
    };
    key.to_owned()
}

/// Whether a speed is what every price has.
#[must_use]
pub fn is_standard_speed(speed: &str) -> bool {
    matches!(speed, "" | "standard" | "normal" | "default")
}

/// Whether a geography says that there is none.
#[must_use]
pub fn is_no_place(geography: &str) -> bool {
    matches!(geography, "" | "global" | "default" | "not_available" | "none")
}

/// The tier's own terms; nothing for the standard tier.
pub(super) fn tier_of<'a>(price: &'a Price, tier: &str) -> Result<Option<&'a Tier>, UnpricedReason> {
    if let Some(own) = price.tiers.get(tier) {
        return Ok(Some(own));
    }
    match tier {
        standard if is_standard_tier(standard) => Ok(None),
        // Paid by the hour, which a commitment tells; what the call would cost without it is its list price.
        "provisioned_throughput" => Ok(None),
        "batches" => price.tiers.get("batch").map(Some).ok_or(UnpricedReason::UnknownTier),
        // The service tier `fast` is another name of `priority`.
        "fast" => price.tiers.get("priority").map(Some).ok_or(UnpricedReason::UnknownTier),
        _ => Err(UnpricedReason::UnknownTier),
    }
}

pub(super) fn speed_of(price: &Price, speed: &str) -> Result<Option<Decimal>, UnpricedReason> {
    match price.speeds.get(speed) {
        Some(factor) => Ok(Some(*factor)),
        None if is_standard_speed(speed) => Ok(None),
        None => Err(UnpricedReason::UnknownTier),
    }
}

pub(super) fn geography_of(price: &Price, geography: &str) -> Result<Option<Factor>, UnpricedReason> {
    // A word that says nothing is no other place than none. `global` is one, where the book has it.
    let geography = match geography {
        "default" | "not_available" | "none" => "",
        told => told,
    };
    let named = |factor: &Decimal| {
        let what = if geography.is_empty() {
            "in-region".to_owned()
        } else {
            format!("geography {geography}")
        };
        (*factor != Decimal::ONE).then_some((what, *factor))
    };
    if let Some(factor) = price.geographies.get(geography) {
        return Ok(named(factor));
    }
    if is_no_place(geography) {
        return Ok(None);
    }
    price.geographies.get("*").map(named).ok_or(UnpricedReason::UnknownTier)
}
