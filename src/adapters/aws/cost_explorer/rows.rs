//! Rows of an answer as rows of spend.

use std::collections::BTreeMap;

use aws_sdk_costexplorer::types::{Group, MetricValue};

use super::Options;
use crate::adapters::aws::failure::{Failure, Kind};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::glob::glob_matches;
use crate::domain::label::Label;
use crate::domain::money::{Currency, parse_amount};
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums};

/// What usage can be broken down by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// The service, such as `Amazon Bedrock`.
    Service,
    /// The usage type, which names model and kind of token for Bedrock.
    UsageType,
    /// The linked account.
    Account,
    /// A cost allocation tag.
    Tag(String),
    /// The record type: usage, credit, refund, tax, …
    RecordType,
}

impl Grouping {
    /// Reads `service`, `usage-type`, `account`, `tag:NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "service" => Ok(Grouping::Service),
            "usage-type" => Ok(Grouping::UsageType),
            "account" => Ok(Grouping::Account),
            _ => match text.strip_prefix("tag:").filter(|name| !name.is_empty()) {
                Some(name) => Ok(Grouping::Tag(name.to_owned())),
                None => Err(format!(
                    "`{text}` is nothing to group by: use `service`, `usage-type`, `account` or `tag:NAME`"
                )),
            },
        }
    }
}

/// Record types that are usage; everything else is told apart by its name.
pub const USAGE: [&str; 3] = ["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"];

/// FOCUS `ChargeCategory` of a record type.
fn category(record_type: &str) -> &'static str {
    match record_type {
        "Credit" => "Credit",
        "Tax" => "Tax",
        t if USAGE.contains(&t) => "Usage",
        "Fee"
        | "RIFee"
        | "Recurring"
        | "Upfront"
        | "Purchase"
        | "SavingsPlanRecurringFee"
        | "SavingsPlanUpfrontFee" => "Purchase",
        // Refunds and the negations of discounts and savings plans.
        _ => "Adjustment",
    }
}

/// How Marketplace sells models: the service is the model.
const EDITION: &str = " (Amazon Bedrock Edition)";

/// The dimensions of a group, or `None` when its service is not recorded.
fn dimensions(options: &Options, account: Label, by: &[Grouping], keys: &[String]) -> Option<Dimensions> {
    let mut dimensions = Dimensions::default();
    dimensions.set(Dimension::Source, options.name);
    dimensions.set(Dimension::Account, account);
    dimensions.set(Dimension::Category, Label::new("Usage"));
    let mut provider = "aws";
    let mut model = None;
    for (grouping, key) in by.iter().zip(keys) {
        match grouping {
            Grouping::Service => {
                if !options.services.iter().any(|pattern| glob_matches(pattern, key)) {
                    return None;
                }
                if key.contains("Bedrock") {
                    provider = "bedrock";
                }
                model = key.strip_suffix(EDITION).map(Label::new).or(model);
                dimensions.set(Dimension::Service, Label::new(key));
            }
            Grouping::UsageType => model = model.or(Some(Label::new(key))),
            Grouping::Account => dimensions.set(Dimension::Account, Label::new(key)),
            Grouping::RecordType => dimensions.set(Dimension::Category, Label::new(category(key))),
            Grouping::Tag(name) => {
                // The answer is `name$value`; no value: the tag is not set.
                let value = key.split_once('$').map_or(key.as_str(), |(_, value)| value);
                let named = name.to_ascii_lowercase().parse().unwrap_or(Dimension::Project);
                dimensions.set(named, Label::new(value));
            }
        }
    }
    dimensions.set(Dimension::Provider, Label::new(provider));
    dimensions.set(Dimension::Model, model.unwrap_or(Label::EMPTY));
    Some(dimensions)
}

/// The names of the metrics that are asked for, with what they are.
pub fn metrics(options: &Options) -> [(&'static str, Basis); 2] {
    if options.net {
        [
            ("NetUnblendedCost", Basis::Billed),
            ("NetAmortizedCost", Basis::Effective),
        ]
    } else {
        [("UnblendedCost", Basis::Billed), ("AmortizedCost", Basis::Effective)]
    }
}

/// Adds one group of one day or hour.
pub fn add(
    rows: &mut BTreeMap<SpendKey, Sums>,
    options: &Options,
    account: Label,
    by: &[Grouping],
    hour: Hour,
    group: &Group,
) -> Result<(), Failure> {
    let odd = |lacks: &str| Failure::new(Kind::Unreachable, format!("ce:GetCostAndUsage: a group has no {lacks}"));
    if group.keys().len() < by.len() {
        return Err(odd("key for each that was asked for"));
    }
    let Some(dimensions) = dimensions(options, account, by, group.keys()) else {
        return Ok(());
    };
    let amounts = group.metrics();
    for (name, basis) in metrics(options) {
        // What is not told is unknown, and not nothing.
        let value = amounts.and_then(|all| all.get(name)).ok_or_else(|| odd(name))?;
        let (cost, currency) = amount(value, value.amount().ok_or_else(|| odd(name))?)?;
        if cost.is_zero() {
            continue;
        }
        let key = SpendKey {
            hour,
            basis,
            currency,
            dimensions,
        };
        let row = Sums {
            events: 1,
            cost,
            ..Sums::default()
        };
        let sum = rows.entry(key).or_default().add(&row);
        sum.map_err(|e| Failure::new(Kind::Refused, e.to_string()))?;
    }
    Ok(())
}

fn amount(value: &MetricValue, amount: &str) -> Result<(rust_decimal::Decimal, Currency), Failure> {
    let odd = |e: crate::domain::money::MoneyError| Failure::new(Kind::Refused, format!("ce:GetCostAndUsage: {e}"));
    let (cost, _) = parse_amount(amount).map_err(odd)?;
    let currency = value.unit().unwrap_or("USD").parse().map_err(odd)?;
    Ok((cost, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_types_stay_apart() {
        for (record_type, expected) in [
            ("Usage", "Usage"),
            ("SavingsPlanCoveredUsage", "Usage"),
            ("Credit", "Credit"),
            ("Refund", "Adjustment"),
            ("Tax", "Tax"),
            ("RIFee", "Purchase"),
            ("EdpDiscount", "Adjustment"),
        ] {
            assert_eq!(category(record_type), expected, "{record_type}");
        }
    }

    #[test]
    fn groupings_are_read_or_refused() {
        assert_eq!(Grouping::parse("tag:Team"), Ok(Grouping::Tag("Team".to_owned())));
        assert!(Grouping::parse("tag:").is_err() && Grouping::parse("record-type").is_err());
    }
}
