//! Settings of pricing: names that only the owner can explain, and what is told of calls without a price.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::percent;
use crate::domain::money::parse_decimal;
use crate::domain::price::NameMap;

/// `[[price_map]]`: a name in the logs and the model that it stands for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceMapConfig {
    /// The name in the logs: a deployment, an application inference profile, an alias. `*` and `?` allowed.
    pub name: String,
    /// Only calls of this provider; of any by default.
    #[serde(default)]
    pub provider: String,
    /// Only calls of this account, `*` and `?` allowed; of any by default.
    #[serde(default)]
    pub account: String,
    /// The model as a price book names it.
    #[serde(default)]
    pub model: String,
    /// The provider whose price counts; that of the call by default.
    #[serde(default)]
    pub as_provider: String,
    /// It runs on machines of your own: priced at 0 by rule, which is not unpriced. Instead of `model`.
    #[serde(default)]
    pub free: bool,
}

impl From<&PriceMapConfig> for NameMap {
    fn from(map: &PriceMapConfig) -> Self {
        NameMap {
            provider: map.provider.clone(),
            account: map.account.clone(),
            name: map.name.clone(),
            model: map.model.clone(),
            as_provider: map.as_provider.clone(),
            free: map.free,
        }
    }
}

/// `[unpriced]`: the alert about calls without a price, one per provider and model, told once.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UnpricedConfig {
    /// Whether to alert.
    pub alert: bool,
    /// Only where they may cost at least so many dollars, as text: `"1.50"`.
    pub above: String,
    /// Channels; all by default.
    pub channels: Vec<String>,
}

impl Default for UnpricedConfig {
    fn default() -> Self {
        UnpricedConfig {
            alert: true,
            above: "0".to_owned(),
            channels: Vec::new(),
        }
    }
}

impl UnpricedConfig {
    /// [`UnpricedConfig::above`] as a number.
    pub fn least(&self) -> Result<Decimal, String> {
        parse_decimal(&self.above).map_err(|e| e.to_string()).and_then(|d| {
            if d.is_sign_negative() && !d.is_zero() {
                Err(format!("`{d}` is negative"))
            } else {
                Ok(d)
            }
        })
    }
}

/// `[reconcile]`: the alert about bills that metering does not cover.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReconcileConfig {
    /// The least percentage of a provider's bill that metering has to have seen: `"95 %"`. Empty: no alert.
    pub min_coverage: String,
    /// Only where at least so many dollars are billed in a month.
    pub above: String,
    /// By how much what sources say that calls cost may differ from what the price books say before `finops reconcile` has a finding.
    pub reported_tolerance: String,
    /// Channels; all by default.
    pub channels: Vec<String>,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        ReconcileConfig {
            min_coverage: String::new(),
            above: "1".to_owned(),
            reported_tolerance: "10 %".to_owned(),
            channels: Vec::new(),
        }
    }
}

/// A part of a bill: `95` or `95 %`, all of it at most.
pub fn coverage(text: &str) -> Result<Decimal, String> {
    let least = percent(text)?;
    if least > Decimal::ONE_HUNDRED {
        return Err(format!("`{text}` is above 100 %"));
    }
    Ok(least)
}

impl ReconcileConfig {
    /// [`ReconcileConfig::min_coverage`] and [`ReconcileConfig::above`] as numbers; none where there is no alert.
    pub fn bound(&self) -> Result<Option<(Decimal, Decimal)>, String> {
        let above = parse_decimal(&self.above).map_err(|e| e.to_string())?;
        self.tolerance()?;
        if self.min_coverage.trim().is_empty() {
            return Ok(None);
        }
        Ok(Some((coverage(&self.min_coverage)?, above)))
    }

    /// [`ReconcileConfig::reported_tolerance`] in percent.
    pub fn tolerance(&self) -> Result<Decimal, String> {
        percent(&self.reported_tolerance)
    }
}
