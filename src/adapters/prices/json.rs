//! Numbers of JSON documents, read from their text and never through a float.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::domain::money::{mul_exact, parse_decimal};

/// No price is so high, nor is anything else that a book tells: what calls cost by it could not be added up.
pub(super) const TOO_MUCH: u64 = 1_000_000_000_000;

/// An object whose values are kept as text.
pub(super) type Raw = BTreeMap<String, Box<RawValue>>;

/// A number, or text that is one.
pub(super) fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = raw.get().trim();
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let number = parse_decimal(text).ok()?;
    let is_negative = number.is_sign_negative() && !number.is_zero();
    (!is_negative && number < Decimal::from(TOO_MUCH)).then_some(number)
}

/// The same times a power of ten, exactly.
pub(super) fn scaled(raw: &RawValue, by: u32) -> Option<Decimal> {
    mul_exact(decimal(raw)?, Decimal::from(by)).ok().map(|d| d.normalize())
}

/// A text value.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// An object value.
pub(super) fn object(raw: &RawValue) -> Option<Raw> {
    serde_json::from_str(raw.get()).ok()
}
