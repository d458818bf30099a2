//! Writes charges as a FOCUS 1.2 table in CSV. Null is an empty cell.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::focus::FocusCharge;
use crate::domain::period::Calendar;

/// The columns: FOCUS ones by name, then ours.
pub const COLUMNS: [&str; 40] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Calls",
    "x_Model",
    "x_ServiceTier",
    "x_Source",
    "x_Unpriced",
    "x_UnpricedWorstCase",
    "x_User",
];

/// Writes a header and a line per charge. `account` identifies who pays, where the charges do not say.
pub fn write(charges: &[FocusCharge], account: &str, out: &mut dyn Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    for charge in charges {
        let cells = cells(charge, account);
        writer.write_record(COLUMNS.map(|column| cells.get(column).map_or("", String::as_str)))?;
    }
    writer.flush()?;
    Ok(())
}

fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn cells(charge: &FocusCharge, account: &str) -> BTreeMap<&'static str, String> {
    let of = |dimension| harmless(charge.dimensions.get(dimension).as_str());
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    let month = Calendar::Month.around(charge.period.start, chrono_tz::Tz::UTC);
    let provider = or(of(Dimension::Provider), "unknown");
    let category = or(of(Dimension::Category), "Usage");
    let purchase = category == "Purchase";
    let model = of(Dimension::Model);
    let mut cells = BTreeMap::from([
        ("BilledCost", number(charge.effective)),
        ("BillingAccountId", account.to_owned()),
        ("BillingCurrency", charge.currency.code().to_owned()),
        ("BillingPeriodEnd", time(month.end)),
        ("BillingPeriodStart", time(month.start)),
        ("ChargeCategory", category),
        ("ChargeDescription", harmless(&charge.description)),
        (
            "ChargeFrequency",
            if purchase { "Recurring" } else { "Usage-Based" }.to_owned(),
        ),
        ("ChargePeriodEnd", time(charge.period.end)),
        ("ChargePeriodStart", time(charge.period.start)),
        ("ContractedCost", number(charge.contracted)),
        ("EffectiveCost", number(charge.effective)),
        ("InvoiceIssuerName", provider.clone()),
        ("ListCost", number(charge.list)),
        (
            "PricingCategory",
            match (charge.unpriced, charge.committed) {
                (Some(_), _) => "Other",
                (None, true) => "Committed",
                (None, false) => "Standard",
            }
            .to_owned(),
        ),
        ("PricingQuantity", number(charge.quantity)),
        ("PricingUnit", charge.unit.clone()),
        ("ProviderName", provider.clone()),
        ("PublisherName", provider.clone()),
        ("ServiceCategory", "AI and Machine Learning".to_owned()),
        ("ServiceName", or(of(Dimension::Service), &format!("{provider} models"))),
        (
            "SkuId",
            format!("{provider}/{}/{}", or(model.clone(), "-"), charge.meter),
        ),
        ("SkuMeter", charge.meter.clone()),
        ("SkuPriceId", harmless(&charge.entry)),
        ("SubAccountId", of(Dimension::Account)),
        ("SubAccountName", of(Dimension::Account)),
        ("Tags", tags(charge)),
        ("x_Calls", charge.calls.to_string()),
        ("x_Model", model),
        ("x_ServiceTier", of(Dimension::Tier)),
        ("x_Source", of(Dimension::Source)),
        ("x_User", of(Dimension::User)),
    ]);
    if let Some((quantity, unit)) = charge.consumed {
        cells.insert("ConsumedQuantity", number(quantity));
        cells.insert("ConsumedUnit", unit.to_owned());
    }
    if let Some(price) = charge.list_unit_price {
        cells.insert("ListUnitPrice", number(price));
    }
    if let Some(price) = charge.contracted_unit_price {
        cells.insert("ContractedUnitPrice", number(price));
    }
    if let Some(worst) = charge.unpriced {
        cells.insert("x_Unpriced", "true".to_owned());
        cells.insert("x_UnpricedWorstCase", number(worst));
    }
    cells
}

/// Names come from logs that anyone can write: one that a spreadsheet would run as a formula gets an apostrophe in front.
fn harmless(text: &str) -> String {
    // One that begins with apostrophes before such a sign gets one more, so that the reader takes off what was put there.
    if text
        .trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
    {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Key and value pairs as a JSON object; nothing where there is none.
fn tags(charge: &FocusCharge) -> String {
    let named = [
        Dimension::Team,
        Dimension::Agent,
        Dimension::Workflow,
        Dimension::User,
        Dimension::Project,
    ];
    let tags: serde_json::Map<String, serde_json::Value> = named
        .into_iter()
        .map(|d| (d, charge.dimensions.get(d)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(d, value)| (d.name().to_owned(), value.as_str().into()))
        .collect();
    if tags.is_empty() {
        String::new()
    } else {
        serde_json::Value::Object(tags).to_string()
    }
}
