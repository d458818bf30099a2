//! FOCUS 1.0 to 1.2 tables: the rows of a provider's bill, summed per billing account and billing period.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{Currency, parse_decimal};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, Sums};

use super::focus_tokens;
use super::line::{Context, Fault};
use super::scalar::Scalar;
use super::time::parse_time;

/// One bill being read: its period and its sums.
struct Draft {
    period: Period,
    rows: HashMap<SpendKey, Sums>,
}

/// The bills of one source. All files of a source are read before any bill is told, since a bill may be spread over several.
#[derive(Default)]
pub(super) struct Bills {
    drafts: BTreeMap<(String, DateTime<Utc>), Draft>,
}

/// The columns of one row.
pub(super) struct Row<'a> {
    /// Position by column name.
    pub columns: &'a HashMap<String, usize>,
    /// The values.
    pub values: &'a csv::StringRecord,
}

impl<'a> Row<'a> {
    pub(super) fn get(&self, column: &str) -> &'a str {
        let text = self
            .columns
            .get(column)
            .and_then(|at| self.values.get(*at))
            .unwrap_or("");
        if text.eq_ignore_ascii_case("null") { "" } else { text }
    }

    fn money(&self, column: &str) -> Result<Decimal, Fault> {
        match self.get(column) {
            "" => Err(Fault::field(column, "missing")),
            text => parse_decimal(text).map_err(|e| Fault::field(column, e.to_string())),
        }
    }

    fn time(&self, column: &str) -> Result<DateTime<Utc>, Fault> {
        match self.get(column) {
            "" => Err(Fault::field(column, "missing")),
            text => parse_time(text)
                .map(|(at, _)| at)
                .ok_or_else(|| Fault::field(column, "not a time")),
        }
    }
}

impl Bills {
    /// Adds one row to its bill.
    pub fn add(
        &mut self,
        row: &Row<'_>,
        defaults: &[(Dimension, Label)],
        source: Label,
        context: &mut Context,
    ) -> Result<(), Fault> {
        let (billed, effective) = (row.money("BilledCost")?, row.money("EffectiveCost")?);
        let currency: Currency = row
            .get("BillingCurrency")
            .parse()
            .map_err(|_| Fault::field("BillingCurrency", "not a currency code of three letters"))?;
        let at = row.time("ChargePeriodStart")?;
        let period = Period::new(row.time("BillingPeriodStart")?, row.time("BillingPeriodEnd")?);
        let dimensions = dimensions(row, defaults, source, context)?;
        let tokens = focus_tokens::tokens(row);
        let account = row.get("BillingAccountId").to_owned();
        let draft = self.drafts.entry((account, period.start)).or_insert_with(|| Draft {
            period,
            rows: HashMap::new(),
        });
        draft.period.end = draft.period.end.max(period.end);
        // Both bases or none: a row that does not fit leaves no half of itself behind.
        let mut sums = Vec::with_capacity(2);
        for (basis, cost) in [(Basis::Billed, billed), (Basis::Effective, effective)] {
            let key = SpendKey {
                hour: Hour::of(at),
                basis,
                currency,
                dimensions,
            };
            let mut sum = draft.rows.get(&key).copied().unwrap_or_default();
            sum.add(&Sums {
                events: 1,
                cost,
                tokens,
                ..Sums::default()
            })
            .map_err(|e| Fault::field("BilledCost", e.to_string()))?;
            sums.push((key, sum));
        }
        draft.rows.extend(sums);
        Ok(())
    }

    /// The bills, complete, in order of account and period.
    pub fn finish(self, source: Label) -> Vec<Bill> {
        self.drafts
            .into_iter()
            .map(|((account, start), draft)| {
                let mut rows: Vec<(SpendKey, Sums)> = draft.rows.into_iter().collect();
                rows.sort_by_key(|(key, _)| *key);
                Bill {
                    identity: format!("{source}/{account}/{}", start.format("%Y-%m-%d")),
                    period: draft.period,
                    rows,
                }
            })
            .collect()
    }
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
    dimensions.set(Dimension::Provider, name("ProviderName", &provider)?);
    dimensions.set(Dimension::Model, name("x_Model", focus_tokens::model(row))?);
    dimensions.set(Dimension::Service, name("ServiceName", row.get("ServiceName"))?);
    dimensions.set(Dimension::Account, name("SubAccountId", account)?);
    dimensions.set(Dimension::Category, name("ChargeCategory", row.get("ChargeCategory"))?);
    dimensions.set(Dimension::Source, source);
    let tags = row.get("Tags");
    if !tags.is_empty() {
        let tags: BTreeMap<String, Scalar<'_>> =
            serde_json::from_str(tags).map_err(|_| Fault::field("Tags", "not a JSON object"))?;
        for (key, value) in &tags {
            let key = key.to_lowercase();
            let plain = key
                .strip_prefix("user_")
                .or_else(|| key.strip_prefix("user:"))
                .unwrap_or(&key);
            let dimension = match plain {
                "team" => Dimension::Team,
                "agent" => Dimension::Agent,
                "workflow" => Dimension::Workflow,
                "user" => Dimension::User,
                "project" => Dimension::Project,
                _ => continue,
            };
            dimensions.set(dimension, name("Tags", value.str())?);
        }
    }
    for (dimension, value) in defaults {
        if dimensions.get(*dimension).is_empty() {
            dimensions.set(*dimension, *value);
        }
    }
    Ok(dimensions)
}
