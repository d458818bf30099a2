//! Groups of an answer as rows of a bill.

use aws_sdk_costexplorer::types::{Group, GroupDefinitionType, MetricValue};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::Options;
use super::ask::Question;
use crate::adapters::aws::failure::{Failure, Kind};
use crate::adapters::files::bills::BillRow;
use crate::adapters::files::cost_explorer::group::{Named, QUANTITY};
use crate::domain::billed::TAX;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::glob::glob_matches;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, parse_amount};
use crate::domain::spend::TokenSums;

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

    /// What Cost Explorer calls it.
    pub fn definition(&self) -> (GroupDefinitionType, &str) {
        match self {
            Grouping::Service => (GroupDefinitionType::Dimension, "SERVICE"),
            Grouping::UsageType => (GroupDefinitionType::Dimension, "USAGE_TYPE"),
            Grouping::Account => (GroupDefinitionType::Dimension, "LINKED_ACCOUNT"),
            Grouping::RecordType => (GroupDefinitionType::Dimension, "RECORD_TYPE"),
            Grouping::Tag(name) => (GroupDefinitionType::Tag, name.as_str()),
        }
    }
}

/// The metrics of what is billed and of what is effective.
const fn costs(options: &Options) -> [&'static str; 2] {
    match options.net {
        true => ["NetUnblendedCost", "NetAmortizedCost"],
        false => ["UnblendedCost", "AmortizedCost"],
    }
}

/// The metrics that are asked for. How much was used costs nothing more, and tells the tokens of a type of usage; of several types together
/// it is a sum of everything.
pub fn metrics(options: &Options, question: &Question) -> Vec<&'static str> {
    let quantity = question.by.contains(&Grouping::UsageType).then_some(QUANTITY);
    costs(options).into_iter().chain(quantity).collect()
}

/// What a group of an answer tells.
pub enum Told {
    /// A row.
    Row {
        /// The row.
        row: Box<BillRow>,
        /// Whether its amount of usage could be read.
        read: bool,
    },
    /// Tax, which Cost Explorer tells of no service, where it is not recorded.
    Tax(Currency, Decimal),
    /// Its service is not recorded, or nothing was used and charged.
    Nothing,
}

/// What one group of one day or hour tells.
pub fn row(
    options: &Options,
    account: Label,
    question: &Question,
    at: DateTime<Utc>,
    group: &Group,
) -> Result<Told, Failure> {
    let odd = |lacks: &str| Failure::new(Kind::Unreachable, format!("ce:GetCostAndUsage: a group has no {lacks}"));
    if group.keys().len() < question.by.len() {
        return Err(odd("key for each that was asked for"));
    }
    let by_service = question.by.contains(&Grouping::Service);
    // Where an answer tells no services they are named in full, so that nothing else is in it.
    let used: Vec<String> = options.services.iter().filter(|name| *name != TAX).cloned().collect();
    let mut named = match by_service {
        true => Named::default(),
        false => Named::among(&used),
    };
    for (grouping, key) in question.by.iter().zip(group.keys()) {
        let (kind, name) = grouping.definition();
        named.take(kind.as_str(), name, key);
    }
    let patterns = &options.services;
    let left_out = by_service && !patterns.iter().any(|pattern| glob_matches(pattern, named.service));
    let tax = named.service == TAX && !question.usage;
    if left_out && !tax {
        return Ok(Told::Nothing);
    }
    let amounts = group.metrics();
    // What is not told is unknown, and not nothing.
    let told = |name: &str| {
        let value = amounts.and_then(|all| all.get(name)).ok_or_else(|| odd(name))?;
        money(value, value.amount().ok_or_else(|| odd(name))?)
    };
    let [billed, effective] = costs(options);
    let ((billed, currency), (effective, other)) = (told(billed)?, told(effective)?);
    if currency != other {
        return Err(odd("single currency"));
    }
    let tokens = match amounts.and_then(|all| all.get(QUANTITY)) {
        Some(used) => named.tokens(used.amount().unwrap_or_default(), used.unit().unwrap_or_default()),
        None if question.by.contains(&Grouping::UsageType) => Err(QUANTITY.to_owned()),
        None => Ok(TokenSums::default()),
    };
    let (read, tokens) = (tokens.is_ok(), tokens.unwrap_or_default());
    if billed.is_zero() && effective.is_zero() && read && tokens == TokenSums::default() {
        return Ok(Told::Nothing);
    }
    if left_out {
        return Ok(Told::Tax(currency, billed));
    }
    let mut dimensions = Dimensions::default();
    for (dimension, name) in named.names() {
        dimensions.set(dimension, Label::new(&name));
    }
    dimensions.set(Dimension::Source, options.name);
    if dimensions.get(Dimension::Account).is_empty() {
        dimensions.set(Dimension::Account, account);
    }
    let row = Box::new(BillRow {
        at,
        currency,
        dimensions,
        billed,
        effective,
        tokens,
    });
    Ok(Told::Row { row, read })
}

fn money(value: &MetricValue, amount: &str) -> Result<(Decimal, Currency), Failure> {
    let odd = |e: MoneyError| Failure::new(Kind::Refused, format!("ce:GetCostAndUsage: {e}"));
    let (cost, _) = parse_amount(amount).map_err(odd)?;
    let currency = value.unit().unwrap_or("USD").parse().map_err(odd)?;
    Ok((cost, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groupings_are_read_or_refused() {
        assert_eq!(Grouping::parse("tag:Team"), Ok(Grouping::Tag("Team".to_owned())));
        assert!(Grouping::parse("tag:").is_err() && Grouping::parse("record-type").is_err());
    }
}
