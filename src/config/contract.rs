//! Settings of what an account has agreed: `[[contract]]` and `[[commitment]]`.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::domain::amount::{amount_text, parse_amount};
use crate::domain::contract::{Commitment, Contract, ContractKind, Per, Terms};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money, mul_exact, parse_decimal};
use crate::domain::plausible::plausible;
use crate::domain::table::optional;
use crate::domain::which::Which;
use crate::domain::written::{day_text, optional_day_text};

/// `[[contract]]`: a percentage on list prices. Several that fit apply one on the other, in this order.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractConfig {
    /// In receipts.
    pub name: String,
    /// Only calls of this provider, in any spelling, `*` and `?` allowed.
    #[serde(default)]
    pub provider: String,
    /// Only these models, `*` and `?` allowed.
    #[serde(default)]
    pub model: String,
    /// Only this account, `*` and `?` allowed.
    #[serde(default)]
    pub account: String,
    /// Only calls of this source, `*` and `?` allowed.
    #[serde(default)]
    pub source: String,
    /// Only calls of this service tier, `*` and `?` allowed; `standard` are also those whose record tells none.
    #[serde(default)]
    pub tier: String,
    /// Less than list: `"12.5 %"`.
    #[serde(default)]
    pub discount: Option<String>,
    /// More than what is paid, for resale: `"8 %"`. Instead of `discount`.
    #[serde(default)]
    pub margin: Option<String>,
    /// First UTC day.
    #[serde(default, deserialize_with = "optional_day_text")]
    pub from: Option<String>,
    /// First UTC day on which it no longer holds.
    #[serde(default, deserialize_with = "optional_day_text")]
    pub to: Option<String>,
}

/// The kinds of flat costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommitmentKind {
    /// Amazon Bedrock model units.
    ProvisionedThroughput,
    /// Azure OpenAI provisioned throughput units.
    Ptu,
    /// Subscriptions by person.
    Seats,
    /// Anything else.
    Other,
}

/// Which calls a commitment pays for.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoversConfig {
    /// The provider, in any spelling, `*` and `?` allowed.
    pub provider: String,
    /// The models, `*` and `?` allowed.
    pub model: String,
    /// The account, `*` and `?` allowed.
    pub account: String,
    /// The source, `*` and `?` allowed.
    pub source: String,
    /// The service tier, `*` and `?` allowed: `provisioned_throughput`; `standard` is also that of calls whose record tells none.
    pub tier: String,
}

/// `[[commitment]]`: capacity or seats at a flat cost, used or not.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitmentConfig {
    /// Becomes the `service` of its cost.
    pub name: String,
    /// What it is.
    pub kind: CommitmentKind,
    /// Dimensions of its cost: `{ provider = "azure", model = "gpt-4o", team = "search" }`.
    #[serde(default)]
    pub dimensions: BTreeMap<Dimension, String>,
    /// What one unit costs, as text: `"39.60 USD"`.
    #[serde(deserialize_with = "amount_text")]
    pub amount: String,
    /// For how long that pays: `hour` or `month`.
    pub per: PerConfig,
    /// Units; 1 by default.
    #[serde(default = "one")]
    pub units: u32,
    /// First UTC day.
    #[serde(deserialize_with = "day_text")]
    pub from: String,
    /// First UTC day on which it no longer holds.
    #[serde(default, deserialize_with = "optional_day_text")]
    pub to: Option<String>,
    /// Calls that it pays for: their effective cost is zero.
    #[serde(default, deserialize_with = "optional")]
    pub covers: Option<CoversConfig>,
}

/// The span that an amount pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerConfig {
    /// Every hour.
    Hour,
    /// Every calendar month, UTC.
    Month,
}

fn one() -> u32 {
    1
}

/// Percent from `12 %`, `12%` or `12`.
pub(super) fn percent(text: &str) -> Result<Decimal, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let percent = parse_decimal(number).map_err(|_| format!("`{text}` is not a percentage such as `12.5 %`"))?;
    if percent.is_sign_negative() && !percent.is_zero() {
        return Err(format!("`{text}` is negative"));
    }
    Ok(percent)
}

fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| format!("`{text}` is not a date such as 2026-11-01"))
        .and_then(plausible)
}

fn span(from: Option<&str>, to: Option<&str>) -> Result<(Option<NaiveDate>, Option<NaiveDate>), String> {
    let (from, to) = (from.map(day).transpose()?, to.map(day).transpose()?);
    match (from, to) {
        (Some(a), Some(b)) if a >= b => Err(format!("`from` {a} is not before `to` {b}")),
        both => Ok(both),
    }
}

impl ContractConfig {
    fn contract(&self) -> Result<Contract, String> {
        let (kind, text) = match (&self.discount, &self.margin) {
            (Some(text), None) => (ContractKind::Discount, text),
            (None, Some(text)) => (ContractKind::Margin, text),
            (None, None) | (Some(_), Some(_)) => return Err("give either `discount` or `margin`".to_owned()),
        };
        let percent = percent(text)?;
        let most = if kind == ContractKind::Discount {
            Decimal::ONE_HUNDRED
        } else {
            Decimal::from(1000)
        };
        if percent > most || percent.normalize().scale() > 4 {
            return Err(format!("`{text}` is above {most} % or finer than 0.0001 %"));
        }
        let (from, to) = span(self.from.as_deref(), self.to.as_deref())?;
        Ok(Contract {
            name: self.name.clone(),
            which: Which {
                provider: self.provider.clone(),
                model: self.model.clone(),
                account: self.account.clone(),
                source: self.source.clone(),
                tier: self.tier.clone(),
            },
            from,
            to,
            kind,
            percent,
        })
    }
}

impl CommitmentConfig {
    fn commitment(&self) -> Result<Commitment, String> {
        let (amount, unit) = parse_amount(&self.amount).map_err(|e| format!("`amount`: {e}"))?;
        let currency = unit.unwrap_or(Currency::USD);
        if amount.is_sign_negative() || amount > Decimal::from(1_000_000_000) || amount.normalize().scale() > 6 {
            return Err("`amount` is negative, above 1,000,000,000, or has more than 6 decimals".to_owned());
        }
        let amount = mul_exact(amount, Decimal::from(self.units)).map_err(|e| e.to_string())?;
        let (from, to) = span(Some(&self.from), self.to.as_deref())?;
        let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let from = from.map(start).filter(|from| Terms::plausible(*from));
        let mut dimensions = Dimensions::default();
        for (dimension, value) in &self.dimensions {
            dimensions.set(*dimension, Label::new(value));
        }
        Ok(Commitment {
            name: self.name.clone(),
            dimensions,
            amount: Money::new(amount, currency),
            per: match self.per {
                PerConfig::Hour => Per::Hour,
                PerConfig::Month => Per::Month,
            },
            from: from.ok_or("`from` is absurd")?,
            to: to.map(start),
            covers: self.covers.as_ref().map(|c| Which {
                provider: c.provider.clone(),
                model: c.model.clone(),
                account: c.account.clone(),
                source: c.source.clone(),
                tier: c.tier.clone(),
            }),
        })
    }
}

impl Config {
    /// What the account has agreed, or what is wrong with it: section, name, cause.
    pub fn terms(&self) -> Result<Terms, (&'static str, String, String)> {
        let contracts = self
            .contracts
            .iter()
            .map(|c| c.contract().map_err(|cause| ("contract", c.name.clone(), cause)));
        let commitments = self
            .commitments
            .iter()
            .map(|c| c.commitment().map_err(|cause| ("commitment", c.name.clone(), cause)));
        Ok(Terms {
            contracts: contracts.collect::<Result<_, _>>()?,
            commitments: commitments.collect::<Result<_, _>>()?,
        })
    }
}
