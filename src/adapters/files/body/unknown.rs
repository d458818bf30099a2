//! Usage under names that nobody here knows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::label::Label;

/// Names that are told, and bytes of each.
const TOLD: usize = 4;
const LONGEST: usize = 30;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    usage: BTreeMap<String, &'a RawValue>,
}

/// What is told of a usage none of whose counts is known, if any of them is above zero.
pub(super) fn told(text: &str) -> Option<&'static str> {
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    let names: Vec<&str> = answer
        .usage
        .iter()
        .filter(|(name, raw)| counts(raw.get()) && name.len() <= LONGEST && !name.contains(|c: char| c.is_control()))
        .map(|(name, _)| name.as_str())
        .take(TOLD)
        .collect();
    let known = format!(
        "calls whose usage has no count that is known, but `{}`: coverage gap",
        names.join("`, `")
    );
    // Interned: there are as many texts as programs.
    (!names.is_empty()).then(|| Label::new(&known).as_str())
}

/// Whether a value is a number above zero.
fn counts(value: &str) -> bool {
    let digits = value.split(['e', 'E']).next().unwrap_or(value);
    value.starts_with(|first: char| first.is_ascii_digit()) && digits.chars().any(|c| matches!(c, '1'..='9'))
}
