//! Saved answers of AWS Cost Explorer (`aws ce get-cost-and-usage`): costs by day or hour. An answer replaces an earlier one for the same
//! period; a page that follows one with a token for the next is a part of the same answer.

pub(crate) mod group;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::dimension::Dimensions;
use crate::domain::money::Currency;
use crate::domain::period::Period;
use crate::domain::spend::TokenSums;

use super::bills::{BillRow, CostBucket};
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::Scalar;
use group::{Named, QUANTITY};

/// One page.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'a> {
    #[serde(borrow, default)]
    group_definitions: Vec<Definition<'a>>,
    #[serde(borrow, default)]
    results_by_time: Vec<Slot<'a>>,
    #[serde(borrow, default)]
    next_page_token: Scalar<'a>,
}

/// What groups are made by.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    key: Scalar<'a>,
}

/// One day or hour.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Slot<'a> {
    #[serde(borrow)]
    time_period: Span<'a>,
    #[serde(borrow, default)]
    total: Metrics<'a>,
    #[serde(borrow, default)]
    groups: Vec<Group<'a>>,
    #[serde(borrow, default)]
    estimated: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Span<'a> {
    #[serde(borrow, default)]
    start: Scalar<'a>,
    #[serde(borrow, default)]
    end: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group<'a> {
    #[serde(borrow, default)]
    keys: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    metrics: Metrics<'a>,
}

type Metrics<'a> = BTreeMap<String, Metric<'a>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric<'a> {
    #[serde(borrow, default)]
    amount: Scalar<'a>,
    #[serde(borrow, default)]
    unit: Scalar<'a>,
}

/// What the invoice will say, and the same spread over what it belongs to; the first that was asked for counts.
const BILLED: [&str; 2] = ["UnblendedCost", "NetUnblendedCost"];
const EFFECTIVE: [&str; 2] = ["NetAmortizedCost", "AmortizedCost"];

/// Reads saved answers.
#[derive(Default)]
pub(super) struct CostExplorer {
    /// Whether the record before named a further page.
    unfinished: bool,
}

impl LineFormat for CostExplorer {
    fn record(&mut self, text: &str, _line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let page: Page<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let continues = std::mem::replace(&mut self.unfinished, !page.next_page_token.str().is_empty());
        for result in &page.results_by_time {
            let start = context.time(&result.time_period.start, "TimePeriod.Start", &mut Output::default())?;
            // Exclusive, and for the present month still to come.
            let (end, _) = result.time_period.end.time("TimePeriod.End")?;
            if end <= start {
                return Err(Fault::field("TimePeriod.End", "not after `TimePeriod.Start`"));
            }
            if result.estimated.is_true() {
                out.warnings.push("costs that AWS still estimates");
            }
            let mut rows = Vec::with_capacity(result.groups.len());
            let whole = Group {
                keys: Vec::new(),
                metrics: BTreeMap::new(),
            };
            let ungrouped = (page.group_definitions.is_empty()).then_some((&whole, &result.total));
            let groups = result.groups.iter().map(|group| (group, &group.metrics));
            for (group, metrics) in groups.chain(ungrouped) {
                match row(
                    &page.group_definitions,
                    (&group.keys, metrics),
                    start,
                    context,
                    &mut out.faults,
                ) {
                    Ok(Some(row)) => rows.push(row),
                    Ok(None) => {}
                    Err(fault) => out.faults.push(fault),
                }
            }
            out.buckets.push(CostBucket {
                account: "cost-explorer",
                period: Period::new(start, end),
                rows,
                continues,
            });
        }
        Ok(())
    }

    fn unfinished(&self) -> Option<Fault> {
        let reason = "names a further page that is not in this file: the pages of an answer are read from one file, in their order";
        self.unfinished.then(|| Fault::field("NextPageToken", reason))
    }
}

/// The row of a group; nothing where nothing was charged.
fn row(
    definitions: &[Definition<'_>],
    (keys, metrics): (&[Cow<'_, str>], &Metrics<'_>),
    at: DateTime<Utc>,
    context: &mut Context,
    faults: &mut Vec<Fault>,
) -> Result<Option<BillRow>, Fault> {
    let asked = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, metrics.get(name)?)));
    let (billed, effective) = match (asked(BILLED), asked(EFFECTIVE)) {
        (Some(billed), effective) => (billed, effective.unwrap_or(billed)),
        (None, Some(effective)) => (effective, effective),
        (None, None) => return Err(Fault::field("Metrics", "no cost: ask for `UnblendedCost`")),
    };
    let (cost, currency) = money(billed, context)?;
    let (spread, other) = money(effective, context)?;
    if currency != other {
        return Err(Fault::field("Metrics", "two currencies in one group"));
    }
    let mut named = Named::default();
    for (definition, key) in definitions.iter().zip(keys) {
        named.take(definition.r#type.str(), definition.key.str(), key);
    }
    let tokens = match metrics.get(QUANTITY) {
        Some(quantity) => {
            let tokens = named.tokens(quantity.amount.str(), quantity.unit.str());
            tokens.unwrap_or_else(|reason| {
                faults.push(Fault::usage(QUANTITY, reason));
                TokenSums::default()
            })
        }
        None => TokenSums::default(),
    };
    if cost.is_zero() && spread.is_zero() && tokens == TokenSums::default() {
        return Ok(None);
    }
    let mut dimensions = Dimensions::default();
    for (dimension, name) in named.names() {
        dimensions.set(dimension, context.label(&Scalar::Text(name), "Keys")?);
    }
    Ok(Some(BillRow {
        at,
        currency,
        dimensions,
        billed: cost,
        effective: spread,
        tokens,
    }))
}

fn money((name, metric): (&'static str, &Metric<'_>), context: &mut Context) -> Result<(Decimal, Currency), Fault> {
    let amount = context
        .amount(metric.amount.str())
        .map_err(|reason| Fault::field(name, reason))?;
    let currency = match metric.unit.str() {
        "" => Currency::USD,
        code => code
            .parse()
            .map_err(|_| Fault::field(name, "not in a currency of three letters"))?,
    };
    Ok((amount, currency))
}
