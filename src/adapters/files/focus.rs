//! FOCUS 1.0 to 1.2 tables: the rows of a provider's bill, summed per billing account and billing period.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::focus::category;
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::Hour;

use super::amount::Cost;
use super::bills::Bills;
use super::focus_tokens;
use super::line::{Context, Fault};
use super::memo::{Known, Spread, Way};
use super::scalar::Scalar;
use super::tags;
use super::time::{FAR_AWAY, billing_period, is_far, parse_time};

/// The columns of one row.
pub(super) struct Row<'a> {
    /// Position by column name.
    pub columns: &'a HashMap<String, usize>,
    /// The values.
    pub values: &'a csv::StringRecord,
}

impl<'a> Row<'a> {
    /// The text of a column; empty where it is null or absent.
    pub(super) fn get(&self, column: &str) -> &'a str {
        let text = self
            .columns
            .get(column)
            .and_then(|at| self.values.get(*at))
            .unwrap_or("");
        if text.eq_ignore_ascii_case("null") { "" } else { text }
    }

    /// The amount of a column.
    pub fn money(&self, column: &str, context: &mut Context) -> Result<Decimal, Fault> {
        match self.get(column) {
            "" => Err(Fault::field(column, "missing")),
            text => context.amount(text).map_err(|reason| Fault::field(column, reason)),
        }
    }

    /// The instant of a column.
    pub fn time(&self, column: &str) -> Result<DateTime<Utc>, Fault> {
        match self.get(column) {
            "" => Err(Fault::field(column, "missing")),
            text => parse_time(text)
                .map(|(at, _)| at)
                .ok_or_else(|| Fault::field(column, "not a time")),
        }
    }
}

/// Columns that decide where a row is summed, and whether it counts tokens.
pub(super) const SHARED: [&str; 15] = [
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "BillingAccountId",
    "ProviderName",
    "ServiceProviderName",
    "SubAccountId",
    "x_Model",
    "x_model",
    "x_ModelId",
    "ServiceName",
    "ChargeCategory",
    "Tags",
    "ConsumedUnit",
    "PricingUnit",
];

/// The other columns that are read of every row.
const OWN: [&str; 3] = ["BilledCost", "EffectiveCost", "ChargePeriodStart"];

/// A budget counts the categories that it names: a row of none of these would be in none.
const NO_CATEGORY: &str = "none of Usage, Purchase, Tax, Credit and Adjustment";

/// Whether a column is read.
pub(super) fn reads(column: &str) -> bool {
    OWN.contains(&column) || SHARED.contains(&column) || focus_tokens::READ.contains(&column)
}

/// A column's name as FOCUS writes it: many a database hands out names in small or in capital letters.
pub(super) fn column(name: &str) -> &str {
    if reads(name) {
        return name;
    }
    let mut known = OWN.into_iter().chain(SHARED).chain(focus_tokens::READ);
    known.find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// Adds one row to its bill.
pub(super) fn add(
    bills: &mut Bills,
    row: &Row<'_>,
    defaults: &[(Dimension, Label)],
    source: Label,
    context: &mut Context,
) -> Result<Known, Fault> {
    let billed = row.money("BilledCost", context)?;
    let effective = row.money("EffectiveCost", context)?;
    let currency: Currency = row
        .get("BillingCurrency")
        .parse()
        .map_err(|_| Fault::field("BillingCurrency", "not a currency code of three letters"))?;
    let hour = Hour::of(row.time("ChargePeriodStart")?);
    let [start, end] = ["BillingPeriodStart", "BillingPeriodEnd"];
    let period = billing_period((row.time(start)?, start), (row.time(end)?, end), context.latest)?;
    if is_far(period.start, hour) {
        return Err(Fault::field("ChargePeriodStart", FAR_AWAY));
    }
    if bills.needs("ChargeCategory") {
        match row.get("ChargeCategory") {
            "" => return Err(Fault::field("ChargeCategory", "missing")),
            other if category(plain(other)).is_some() => {}
            _ => return Err(Fault::field("ChargeCategory", NO_CATEGORY)),
        }
    }
    let dimensions = dimensions(row, defaults, source, context)?;
    let place = bills.place(row.get("BillingAccountId"), period, currency, dimensions)?;
    let (way, tokens) = match focus_tokens::counts(row) {
        true => (Way::Tokens, focus_tokens::tokens(row).map(Some)),
        false => (Way::Costs, Ok(None)),
    };
    let (billed, effective) = (Cost::Exact(billed), Cost::Exact(effective));
    let counted = tokens.as_ref().ok().and_then(Option::as_ref);
    bills.put(place, hour, billed, effective, counted)?;
    tokens?;
    Ok(Known {
        place,
        way,
        spread: Spread::Own,
    })
}

fn dimensions(
    row: &Row<'_>,
    defaults: &[(Dimension, Label)],
    source: Label,
    context: &mut Context,
) -> Result<Dimensions, Fault> {
    let mut dimensions = Dimensions::default();
    let mut name = |column: &str, text: &str| context.label(&Scalar::Text(text.into()), column);
    let provider = ["ProviderName", "ServiceProviderName"]
        .into_iter()
        .map(|column| row.get(column))
        .find(|text| !text.is_empty())
        .unwrap_or("")
        .to_lowercase();
    let account = match row.get("SubAccountId") {
        "" => row.get("BillingAccountId"),
        sub => sub,
    };
    dimensions.set(Dimension::Provider, name("ProviderName", plain(&provider))?);
    dimensions.set(Dimension::Model, name("x_Model", plain(focus_tokens::model(row)))?);
    dimensions.set(Dimension::Service, name("ServiceName", plain(row.get("ServiceName")))?);
    dimensions.set(Dimension::Account, name("SubAccountId", plain(account))?);
    let told = plain(row.get("ChargeCategory"));
    dimensions.set(
        Dimension::Category,
        name("ChargeCategory", category(told).unwrap_or(told))?,
    );
    dimensions.set(Dimension::Source, source);
    let tags = row.get("Tags");
    if !tags.is_empty() {
        let pairs = pairs(tags)?;
        let mut given = Vec::new();
        for (key, value) in &pairs {
            let named = tags::named_of_bill(key, &["user_", "user:"]);
            if let Some(named) = named.filter(|_| !value.str().is_empty()) {
                given.push((named, value.str()));
            }
        }
        for (dimension, value) in tags::preferred(given) {
            dimensions.set(dimension, name("Tags", value)?);
        }
    }
    for (dimension, value) in defaults {
        if dimensions.get(*dimension).is_empty() {
            dimensions.set(*dimension, *value);
        }
    }
    Ok(dimensions)
}

/// The name in a cell without the apostrophe that keeps a spreadsheet from running it. Within the object of tags it would run none.
fn plain(name: &str) -> &str {
    let rest = name.strip_prefix('\'');
    rest.filter(|rest| rest.trim_start_matches('\'').starts_with(['=', '+', '-', '@']))
        .unwrap_or(name)
}

/// Tags in the order of their keys: an object, or the list of keys and values that BigQuery makes of one.
fn pairs(text: &str) -> Result<Vec<(Cow<'_, str>, Scalar<'_>)>, Fault> {
    #[derive(Deserialize)]
    struct Pair<'a> {
        #[serde(borrow)]
        key: Cow<'a, str>,
        #[serde(borrow, default)]
        value: Scalar<'a>,
    }
    if text.starts_with('[') {
        let pairs: Vec<Pair<'_>> = serde_json::from_str(text)
            .map_err(|_| Fault::field("Tags", "neither a JSON object nor a list of `key` and `value`"))?;
        let mut pairs: Vec<_> = pairs.into_iter().map(|pair| (pair.key, pair.value)).collect();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        return Ok(pairs);
    }
    let tags: BTreeMap<Cow<'_, str>, Scalar<'_>> =
        serde_json::from_str(text).map_err(|_| Fault::field("Tags", "not a JSON object"))?;
    Ok(tags.into_iter().collect())
}
