//! AWS Cost and Usage Reports, 2.0 and the older kind: the rows of a payer's bill, summed per billing period. A delivery replaces the
//! whole period; a line item's id is neither stable nor unique and is not used.

mod columns;
mod cost;
mod usage;

use std::collections::BTreeMap;

use chrono::{Datelike, Months};

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::TokenSums;

pub(super) use columns::{column, keep_tags, narrow, wanted};
#[cfg(feature = "aws")]
pub(crate) use cost::USAGE;
pub(super) use cost::category;
pub(super) use usage::{Counted, named_model, usage_tokens};

use cost::{effective, spread};

use super::amount::Cost;
use super::asked::Asked;
use super::bills::Bills;
use super::focus::Row;
use super::line::{Context, Fault};
use super::memo::{Known, Spread, Way};
use super::scalar::Scalar;
use super::tags;
use super::time::{FAR_AWAY, billing_period, is_far};
use super::wanted::{CostColumns, Reduce, Wanted};

/// Adds one row to its bill.
pub(super) fn add(
    bills: &mut Bills,
    row: &Row<'_>,
    defaults: &[(Dimension, Label)],
    source: Label,
    context: &mut Context,
) -> Result<Known, Fault> {
    let kind = row.get("line_item_line_item_type");
    let billed = row.money("line_item_unblended_cost", context)?;
    let currency: Currency = match row.get("line_item_currency_code") {
        "" => Currency::USD,
        code => code
            .parse()
            .map_err(|_| Fault::field("line_item_currency_code", "not a currency code of three letters"))?,
    };
    let [from, to] = ["bill_billing_period_start_date", "bill_billing_period_end_date"];
    let start = row.time(from)?;
    let end = match row.get(to) {
        "" => start
            .with_day(1)
            .and_then(|first| first.checked_add_months(Months::new(1)))
            .ok_or_else(|| Fault::field(from, "not a time"))?,
        _ => row.time(to)?,
    };
    let period = billing_period((start, from), (end, to), context.latest)?;
    let hour = Hour::of(row.time(columns::AT)?);
    if is_far(start, hour) {
        return Err(Fault::field(columns::AT, FAR_AWAY));
    }
    let dimensions = dimensions(row, kind, defaults, source, context)?;
    let effective = effective(row, kind, billed, context)?;
    let payer = match row.get("bill_payer_account_id") {
        "" => "payer",
        payer => payer,
    };
    let place = bills.place(payer, period, currency, dimensions)?;
    let counted = counted(row, kind);
    let tokens = counted.map(|counted| tokens_of(row, counted)).transpose();
    let (billed, effective) = (Cost::Exact(billed), Cost::Exact(effective));
    let known = tokens.as_ref().ok().and_then(Option::as_ref);
    bills.put(place, hour, billed, effective, known).map_err(own_names)?;
    tokens?;
    let (way, spread) = match (spread(row, kind), counted) {
        (None, _) => (Way::Row, Spread::Own),
        (Some(spread), None) => (Way::Costs, spread),
        (Some(spread), Some(counted)) => (Way::Counted(counted), spread),
    };
    Ok(Known { place, way, spread })
}

/// How the amount of usage of a row counts tokens, if it does.
fn counted(row: &Row<'_>, kind: &str) -> Option<Counted> {
    let is_usage = category(kind) == "Usage";
    is_usage.then(|| Counted::of(row.get("line_item_usage_type"), row.get("pricing_unit")))?
}

fn tokens_of(row: &Row<'_>, counted: Counted) -> Result<TokenSums, Fault> {
    let tokens = counted.tokens_of_text(row.get(columns::QUANTITY));
    tokens.map_err(|reason| Fault::usage(columns::QUANTITY, reason))
}

/// The tokens of a row.
pub(super) fn tokens(row: &Row<'_>) -> Result<TokenSums, Fault> {
    let counted = counted(row, row.get("line_item_line_item_type"));
    counted.map_or_else(|| Ok(TokenSums::default()), |counted| tokens_of(row, counted))
}

/// What is wrong with a sum of costs, under the name that its column has here. An effective cost may stand in one of many.
fn own_names(fault: Fault) -> Fault {
    let billed = fault.field.as_deref() == Some("BilledCost");
    Fault {
        field: billed.then(|| columns::BILLED.to_owned()),
        ..fault
    }
}

fn dimensions(
    row: &Row<'_>,
    kind: &str,
    defaults: &[(Dimension, Label)],
    source: Label,
    context: &mut Context,
) -> Result<Dimensions, Fault> {
    let product = map(row, "product")?;
    let own = |key: &str| product.get(key).map_or("", |value| value.as_str());
    let service = [
        own("product_name"),
        row.get("product_product_name"),
        row.get("line_item_product_code"),
    ]
    .into_iter()
    .find(|text| !text.is_empty())
    .unwrap_or("");
    // Who used it, else who pays.
    let account = ["line_item_usage_account_id", "bill_payer_account_id"]
        .into_iter()
        .map(|column| row.get(column))
        .find(|text| !text.is_empty())
        .unwrap_or("");
    let mut dimensions = Dimensions::default();
    let mut name = |column: &str, text: &str| context.label(&Scalar::Text(text.into()), column);
    for (dimension, column, text) in [
        (Dimension::Provider, "provider", "aws"),
        (Dimension::Service, "line_item_product_code", service),
        (Dimension::Account, "line_item_usage_account_id", account),
        (Dimension::Category, "line_item_line_item_type", category(kind)),
        (
            Dimension::User,
            "line_item_iam_principal",
            row.get("line_item_iam_principal"),
        ),
    ] {
        dimensions.set(dimension, name(column, text)?);
    }
    dimensions.set(Dimension::Model, name("line_item_resource_id", &model(row, service))?);
    dimensions.set(Dimension::Source, source);
    let maps = [map(row, "resource_tags")?, map(row, "cost_category")?];
    let given = maps.into_iter().flatten().chain(flattened(row));
    let given = given.filter(|(_, value)| !value.is_empty());
    let given = given.filter_map(|(key, value)| Some((tagged(&key)?, value)));
    for (dimension, value) in tags::preferred(given.collect()) {
        dimensions.set(dimension, name("resource_tags", &value)?);
    }
    for (dimension, value) in defaults {
        if dimensions.get(*dimension).is_empty() {
            dimensions.set(*dimension, *value);
        }
    }
    Ok(dimensions)
}

/// A column that holds a map as JSON.
fn map(row: &Row<'_>, column: &str) -> Result<BTreeMap<String, String>, Fault> {
    let text = row.get(column);
    if !text.starts_with('{') {
        return Ok(BTreeMap::new());
    }
    let map: BTreeMap<String, Scalar<'_>> =
        serde_json::from_str(text).map_err(|_| Fault::field(column, "not a JSON object"))?;
    Ok(map
        .into_iter()
        .map(|(key, value)| (key, value.str().to_owned()))
        .collect())
}

/// The dimension that a tag sets, if any, and its place among those that set it.
fn tagged(key: &str) -> Option<(Dimension, u8)> {
    let key = key.split_once(columns::FURTHER).map_or(key, |(key, _)| key);
    tags::named_of_bill(key, &["user_", "user:", "aws_", "aws:"])
}

/// The tag whose column this is, if it has one of its own.
fn tag_of(column: &str) -> Option<&str> {
    column
        .strip_prefix("resource_tags_")
        .or_else(|| column.strip_prefix("cost_category_"))
}

/// Tags that have columns of their own, those of resources before cost categories as with maps.
fn flattened(row: &Row<'_>) -> impl Iterator<Item = (String, String)> {
    let columns = row.columns.keys();
    let mut found: Vec<(bool, &str, String)> = columns
        .filter_map(|name| {
            Some((
                name.starts_with("cost_category_"),
                tag_of(name)?,
                row.get(name).to_owned(),
            ))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, tag, value)| (tag.to_owned(), value))
}

/// The model, where the row tells: by its resource, the name of a Marketplace edition, or the type of usage.
fn model(row: &Row<'_>, service: &str) -> String {
    let resource = row.get("line_item_resource_id");
    if let Some((_, name)) = ["foundation-model/", ":inference-profile/"]
        .iter()
        .find_map(|part| resource.split_once(part))
    {
        return name.to_owned();
    }
    if let Some(model) = named_model(row.get("line_item_usage_type"), service) {
        return model;
    }
    // An application's own profile: the user's map knows what it stands for.
    if resource.contains(":application-inference-profile/") {
        return resource.to_owned();
    }
    String::new()
}
