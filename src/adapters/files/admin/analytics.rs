//! Rows of Anthropic's analytics: what tells them apart, and those that hold what they are grouped by and their counts in objects of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use crate::domain::money::parse_decimal;

use super::super::line::Fault;
use super::super::scalar::Scalar;

/// A row of the analytics of usage, with what it is grouped by and its counts beside each other as in the reports by person; nothing where it
/// is no such row.
pub(super) fn flat(raw: &RawValue) -> Result<Option<Box<RawValue>>, Fault> {
    let read = |raw: &RawValue| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(raw.get());
    let mut row = read(raw).map_err(|e| Fault::json(&e))?;
    if row.contains_key("group") && row.contains_key("cost") {
        let what = "costs are not read row by row: ask for the cost report (`cost_report`)";
        return Err(Fault::field("cost", what));
    }
    let (Some(group), Some(usage)) = (row.remove("group"), row.remove("usage")) else {
        return Ok(None);
    };
    for part in [group, usage] {
        row.extend(read(&part).map_err(|e| Fault::json(&e))?);
    }
    to_raw_value(&row).map(Some).map_err(|e| Fault::json(&e))
}

/// Keys of a row that are read one by one. What else it is grouped by tells rows apart, whatever comes to be added.
const OWN: [&str; 13] = [
    "api_key_id",
    "workspace_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "account_id",
    "service_account_id",
    "rbac_group_id",
    "starting_at",
    "ending_at",
    "currency",
];

/// Whether a text says of a row how much, or when it was written, which may change when it is told again. Databases write numbers as text.
fn may_change(key: &str, text: &str) -> bool {
    let names = ["_tokens", "_requests", "_at"];
    names.iter().any(|name| key.ends_with(name)) || (!key.ends_with("_id") && parse_decimal(text).is_ok())
}

/// What a row says of itself beside its counts and the keys that all rows have.
pub(super) fn further(raw: &RawValue) -> Vec<Scalar<'static>> {
    let told: BTreeMap<Cow<'_, str>, Scalar<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
    let told = told.into_iter().filter(|(key, _)| !OWN.contains(&key.as_ref()));
    told.filter_map(|(key, value)| match value {
        Scalar::Text(text) if may_change(&key, &text) => None,
        Scalar::Text(text) => Some(Scalar::Text(format!("{key}={text}").into())),
        Scalar::Null | Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => {
            None
        }
    })
    .collect()
}
