//! AWS Cost and Usage Reports, 2.0 and the older kind: the rows of a payer's bill, summed per billing period. A delivery replaces the
//! whole period; a line item's id is neither stable nor unique and is not used.

use std::collections::BTreeMap;

use chrono::{Datelike, Months};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{Currency, add_exact, mul_exact, parse_decimal};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::TokenSums;
use crate::domain::usage::{Bucket, MAX_TOKENS};

use super::amount::Cost;
use super::bills::Bills;
use super::focus::Row;
use super::line::{Context, Fault};
use super::memo::{Known, Way};
use super::scalar::Scalar;
use super::tags;

/// A column's name as CUR 2.0 writes it: `lineItem/UnblendedCost` is `line_item_unblended_cost`.
pub(super) fn column(name: &str) -> String {
    let mut column = String::with_capacity(name.len() + 8);
    let mut before = '_';
    for c in name.chars() {
        match c {
            '/' => column.push('_'),
            c if c.is_ascii_uppercase() => {
                if before.is_ascii_lowercase() || before.is_ascii_digit() {
                    column.push('_');
                }
                column.push(c.to_ascii_lowercase());
            }
            c => column.push(c),
        }
        before = c;
    }
    column
}

/// Adds one row to its bill.
pub(super) fn add(
    bills: &mut Bills,
    row: &Row<'_>,
    defaults: &[(Dimension, Label)],
    source: Label,
    context: &mut Context,
) -> Result<Known, Fault> {
    let kind = row.get("line_item_line_item_type");
    let billed = row.money("line_item_unblended_cost")?;
    let currency: Currency = match row.get("line_item_currency_code") {
        "" => Currency::USD,
        code => code
            .parse()
            .map_err(|_| Fault::field("line_item_currency_code", "not a currency code of three letters"))?,
    };
    let start = row.time("bill_billing_period_start_date")?;
    let end = match row.get("bill_billing_period_end_date") {
        "" => start
            .with_day(1)
            .and_then(|first| first.checked_add_months(Months::new(1)))
            .ok_or_else(|| Fault::field("bill_billing_period_start_date", "not a time"))?,
        _ => row.time("bill_billing_period_end_date")?,
    };
    let hour = Hour::of(row.time("line_item_usage_start_date")?);
    let dimensions = dimensions(row, kind, defaults, source, context)?;
    let effective = effective(row, kind, billed)?;
    let payer = match row.get("bill_payer_account_id") {
        "" => "payer",
        payer => payer,
    };
    let place = bills.place(payer, Period::new(start, end), currency, dimensions)?;
    let tokens = tokens(row, kind);
    bills.put(place, hour, Cost::Exact(billed), Cost::Exact(effective), Some(&tokens))?;
    Ok(Known { place, way: Way::Row })
}

/// What a row costs when commitments are spread over what they cover.
fn effective(row: &Row<'_>, kind: &str, billed: Decimal) -> Result<Decimal, Fault> {
    let amount = |column: &str| -> Result<Option<Decimal>, Fault> {
        match row.get(column) {
            "" => Ok(None),
            _ => row.money(column).map(Some),
        }
    };
    let net = amount("line_item_net_unblended_cost")?;
    let sum = |a: Option<Decimal>, b: Option<Decimal>, column: &str| {
        add_exact(a.unwrap_or_default(), b.unwrap_or_default()).map_err(|e| Fault::field(column, e.to_string()))
    };
    let spread = match kind {
        "SavingsPlanCoveredUsage" => match amount("savings_plan_net_savings_plan_effective_cost")? {
            Some(cost) => Some(cost),
            None => amount("savings_plan_savings_plan_effective_cost")?,
        },
        "SavingsPlanRecurringFee" => {
            let (whole, used) = (
                amount("savings_plan_total_commitment_to_date")?,
                amount("savings_plan_used_commitment")?,
            );
            match whole {
                Some(_) => Some(sum(whole, used.map(|u| -u), "savings_plan_used_commitment")?),
                None => None,
            }
        }
        // What the plan covers is charged with the usage that it covers.
        "SavingsPlanNegation" | "SavingsPlanUpfrontFee" => Some(Decimal::ZERO),
        "DiscountedUsage" => match amount("reservation_net_effective_cost")? {
            Some(cost) => Some(cost),
            None => amount("reservation_effective_cost")?,
        },
        "RIFee" => {
            let upfront = amount("reservation_unused_amortized_upfront_fee_for_billing_period")?;
            let recurring = amount("reservation_unused_recurring_fee")?;
            match upfront.or(recurring) {
                Some(_) => Some(sum(upfront, recurring, "reservation_unused_recurring_fee")?),
                None => None,
            }
        }
        "Fee" if !row.get("reservation_reservation_a_r_n").is_empty() => Some(Decimal::ZERO),
        _ => net,
    };
    Ok(spread.or(net).unwrap_or(billed))
}

/// The FOCUS category of a line item.
pub(super) fn category(kind: &str) -> &'static str {
    match kind {
        "RIFee" | "Fee" | "SavingsPlanRecurringFee" | "SavingsPlanUpfrontFee" => "Purchase",
        "Tax" => "Tax",
        "Credit" => "Credit",
        "Usage" | "DiscountedUsage" | "SavingsPlanCoveredUsage" | "SavingsPlanNegation" => "Usage",
        // Refunds and the several kinds of discount.
        _ => "Adjustment",
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
    let mut dimensions = Dimensions::default();
    let mut name = |column: &str, text: &str| context.label(&Scalar::Text(text.into()), column);
    for (dimension, column, text) in [
        (Dimension::Provider, "provider", "aws"),
        (Dimension::Service, "line_item_product_code", service),
        (
            Dimension::Account,
            "line_item_usage_account_id",
            row.get("line_item_usage_account_id"),
        ),
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
    let mut given = map(row, "resource_tags")?;
    given.extend(map(row, "cost_category")?);
    for (key, value) in flattened(row) {
        given.entry(key).or_insert(value);
    }
    for (key, value) in &given {
        let key = key.to_lowercase();
        let plain = ["user_", "user:", "aws_", "aws:"]
            .iter()
            .find_map(|front| key.strip_prefix(front))
            .unwrap_or(&key);
        if let Some(dimension) = tags::dimension(plain).filter(|_| !value.is_empty()) {
            dimensions.set(dimension, name("resource_tags", value)?);
        }
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

/// Tags that have columns of their own.
fn flattened(row: &Row<'_>) -> Vec<(String, String)> {
    let tagged = |name: &str| {
        name.strip_prefix("resource_tags_")
            .or_else(|| name.strip_prefix("cost_category_"))
            .map(str::to_owned)
    };
    let mut found: Vec<(String, String)> = row
        .columns
        .keys()
        .filter_map(|name| Some((tagged(name)?, row.get(name).to_owned())))
        .collect();
    found.sort();
    found
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

/// The model that the name of a Marketplace edition or a type of usage tells.
pub(super) fn named_model(usage: &str, service: &str) -> Option<String> {
    if let Some(edition) = service.strip_suffix(" (Amazon Bedrock Edition)") {
        return Some(edition.to_lowercase().replace([' ', '.'], "-"));
    }
    let own = usage.split_once('-').map_or(usage, |(_, rest)| rest);
    if let Some((name, _)) = own.split_once("-mantle-") {
        return Some(name.to_owned());
    }
    let novas = [
        ("NovaMicro-", "amazon.nova-micro-v1:0"),
        ("NovaLite-", "amazon.nova-lite-v1:0"),
        ("NovaPro-", "amazon.nova-pro-v1:0"),
        ("NovaPremier-", "amazon.nova-premier-v1:0"),
    ];
    let nova = novas.into_iter().find(|(front, _)| own.starts_with(front));
    nova.map(|(_, name)| name.to_owned())
}

/// The tokens that a row charges.
fn tokens(row: &Row<'_>, kind: &str) -> TokenSums {
    if category(kind) != "Usage" {
        return TokenSums::default();
    }
    usage_tokens(
        row.get("line_item_usage_type"),
        row.get("line_item_usage_amount"),
        row.get("pricing_unit"),
    )
}

/// The tokens of an amount of usage. The Marketplace counts in millions, AWS itself in thousands, unless the unit says.
pub(super) fn usage_tokens(usage: &str, amount: &str, unit: &str) -> TokenSums {
    let mut sums = TokenSums::default();
    let usage = usage.to_lowercase();
    if !usage.contains("token") {
        return sums;
    }
    let has = |part: &str| usage.contains(part);
    // `InputTokenCount` is part of the names of all cache kinds: they come first.
    let bucket = if has("cacheread") || has("cache-read") || has("cache_read") {
        Bucket::CacheRead
    } else if has("cachewrite") || has("cache-write") || has("cache_write") {
        if has("1h") || has("1-hour") {
            Bucket::CacheWrite1h
        } else {
            Bucket::CacheWrite5m
        }
    } else if has("output") {
        Bucket::Output
    } else if has("input") {
        Bucket::InputUncached
    } else {
        return sums;
    };
    let unit = unit.to_lowercase();
    let scale = if unit.contains("1k") || unit.contains("thousand") {
        1_000_u32
    } else if unit.contains("1m") || unit.contains("million") || usage.contains("-mp:") {
        1_000_000
    } else if unit == "tokens" || unit == "token" {
        1
    } else {
        1_000
    };
    let count = parse_decimal(amount)
        .ok()
        .and_then(|amount| mul_exact(amount, Decimal::from(scale)).ok())
        .map(|count| count.round())
        .filter(|count| count.abs() <= Decimal::from(MAX_TOKENS));
    if let Some(count) = count.and_then(|count| count.to_i128()) {
        sums.set(bucket, count);
    }
    sums
}
