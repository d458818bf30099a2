//! Usage under names that nobody here knows.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What is told of such usage, whatever its names: anything may stand in a map that is called so.
pub(super) const UNKNOWN: &str = "calls whose usage has no count that is known: coverage gap";

/// What is told of such counts beside others that are known.
pub(super) const BESIDE: &str = "counts of tokens in `usage` under names that nobody here knows are not read: what was cached, written or heard may be \
     charged as plain input and output";

/// Words in names of counts of tokens.
const OF_TOKENS: [&str; 5] = ["token", "input", "output", "prompt", "completion"];

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    usage: BTreeMap<String, &'a RawValue>,
}

/// Whether a usage none of whose counts is known has one of tokens above zero.
pub(super) fn is_told(text: &str) -> bool {
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(text) else {
        return false;
    };
    answer
        .usage
        .iter()
        .filter(|(_, raw)| counts(raw.get()))
        .any(|(name, _)| OF_TOKENS.iter().any(|word| name.to_ascii_lowercase().contains(word)))
}

/// Whether a value is a number above zero.
fn counts(value: &str) -> bool {
    let digits = value.split(['e', 'E']).next().unwrap_or(value);
    value.starts_with(|first: char| first.is_ascii_digit()) && digits.chars().any(|c| matches!(c, '1'..='9'))
}
