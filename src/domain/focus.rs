//! Charges in the terms of FOCUS, for handing spend to other tools.

use rust_decimal::Decimal;

use super::dimension::Dimensions;
use super::money::Currency;
use super::period::Period;

/// What `ChargeCategory` may say.
pub const CATEGORIES: [&str; 5] = ["Usage", "Purchase", "Tax", "Credit", "Adjustment"];

/// A charge category as FOCUS writes it, told in whatever letters; none of what is none.
#[must_use]
pub fn category(told: &str) -> Option<&'static str> {
    CATEGORIES.into_iter().find(|known| known.eq_ignore_ascii_case(told))
}

/// One charge: a span of time, the dimensions, and one meter at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FocusCharge {
    /// `ChargePeriodStart` and `ChargePeriodEnd`.
    pub period: Period,
    /// Provider, model, service, account, team, …; the category is `ChargeCategory`.
    pub dimensions: Dimensions,
    /// `BillingCurrency`.
    pub currency: Currency,
    /// `SkuMeter`: `input tokens`, `web searches`, …
    pub meter: String,
    /// `ChargeDescription`.
    pub description: String,
    /// `ConsumedQuantity` with its unit.
    pub consumed: Option<(Decimal, &'static str)>,
    /// `PricingQuantity`.
    pub quantity: Decimal,
    /// `PricingUnit`.
    pub unit: String,
    /// `ListUnitPrice`, not negative; none for what has no price.
    pub list_unit_price: Option<Decimal>,
    /// `ContractedUnitPrice`.
    pub contracted_unit_price: Option<Decimal>,
    /// `ListCost`: quantity × list unit price, exactly.
    pub list: Decimal,
    /// `ContractedCost`.
    pub contracted: Decimal,
    /// `EffectiveCost`, and `BilledCost`: what no bill has said yet.
    pub effective: Decimal,
    /// Whether a commitment pays for it: `PricingCategory` is `Committed`.
    pub committed: bool,
    /// `SkuPriceId`: the entry of the price book, or the commitment; empty where several or none priced it.
    pub entry: String,
    /// Why there is no price, and the most that it may cost.
    pub unpriced: Option<Decimal>,
    /// Calls that it charges.
    pub calls: i64,
}
