//! A JSON or CSV value that is read without judging it, so that a wrong one can be reported by the name of its field.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::money::parse_decimal;
use crate::domain::usage::MAX_TOKENS;

use super::line::Fault;
use super::time::{epoch, parse_time};

/// Any value, borrowed where possible.
#[derive(Default, Debug, Clone)]
pub(super) enum Scalar<'a> {
    /// Absent or null.
    #[default]
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A natural number.
    Whole(u64),
    /// A negative integer.
    Negative(i64),
    /// A number with a point or an exponent, or beyond 64 bits.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// An array or object.
    Other,
}

/// Largest integer below which every integer has a float of its own.
const EXACT_FLOAT: u64 = 1 << 53;

impl Scalar<'_> {
    /// Whether nothing was given.
    pub fn is_null(&self) -> bool {
        matches!(self, Scalar::Null)
    }

    /// The text; empty unless text.
    pub fn str(&self) -> &str {
        match self {
            Scalar::Text(text) => text,
            Scalar::Null
            | Scalar::Whole(_)
            | Scalar::Negative(_)
            | Scalar::Float(_)
            | Scalar::Bool(_)
            | Scalar::Other => "",
        }
    }

    /// Whether it says yes, as JSON or as text.
    pub fn is_true(&self) -> bool {
        matches!(self, Scalar::Bool(true)) || self.str().eq_ignore_ascii_case("true")
    }

    /// A count: 0 when absent, exact or refused.
    #[inline]
    pub fn count(&self, field: &str) -> Result<u64, Fault> {
        match self {
            Scalar::Null => Ok(0),
            Scalar::Whole(count) if *count <= MAX_TOKENS => Ok(*count),
            Scalar::Whole(_)
            | Scalar::Negative(_)
            | Scalar::Float(_)
            | Scalar::Text(_)
            | Scalar::Bool(_)
            | Scalar::Other => self.odd_count(field),
        }
    }

    fn odd_count(&self, field: &str) -> Result<u64, Fault> {
        let count = match self {
            Scalar::Null => 0,
            Scalar::Whole(n) => *n,
            Scalar::Negative(_) => return Err(Fault::field(field, "negative count")),
            Scalar::Float(value) => whole(&value.to_string(), field)
                .and_then(|n| (n <= EXACT_FLOAT).then_some(n).ok_or_else(|| too_large(field)))?,
            Scalar::Text(text) if text.trim().is_empty() => 0,
            Scalar::Text(text) => whole(text.trim(), field)?,
            Scalar::Bool(_) | Scalar::Other => return Err(Fault::field(field, "expected a whole number")),
        };
        if count > MAX_TOKENS {
            return Err(too_large(field));
        }
        Ok(count)
    }

    /// A small count of requests.
    pub fn small(&self, field: &str) -> Result<u32, Fault> {
        u32::try_from(self.count(field)?).map_err(|_| too_large(field))
    }

    /// An instant and whether it named its zone.
    pub fn time(&self, field: &str) -> Result<(DateTime<Utc>, bool), Fault> {
        let wrong = || Fault::field(field, "not a time");
        match self {
            Scalar::Null => Err(Fault::field(field, "missing")),
            Scalar::Text(text) => parse_time(text).ok_or_else(wrong),
            Scalar::Whole(n) => epoch(Decimal::from(*n)).map(|t| (t, true)).ok_or_else(wrong),
            Scalar::Negative(n) => epoch(Decimal::from(*n)).map(|t| (t, true)).ok_or_else(wrong),
            Scalar::Float(value) => parse_decimal(&value.to_string())
                .ok()
                .and_then(epoch)
                .map(|t| (t, true))
                .ok_or_else(wrong),
            Scalar::Bool(_) | Scalar::Other => Err(wrong()),
        }
    }
}

fn too_large(field: &str) -> Fault {
    Fault::field(field, format!("larger than {MAX_TOKENS}, or not exact"))
}

fn whole(text: &str, field: &str) -> Result<u64, Fault> {
    let digits = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        Some(_) => {
            return Err(Fault::field(
                field,
                if text.starts_with('-') {
                    "negative count"
                } else {
                    "not a whole number"
                },
            ));
        }
        None => text,
    };
    if digits.starts_with('-') {
        return Err(Fault::field(field, "negative count"));
    }
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::field(field, "not a whole number"));
    }
    digits.parse().map_err(|_| too_large(field))
}

/// Reported money from its JSON or CSV text: exact; none for nothing, null and zero.
pub(super) fn reported(raw: Option<&str>, field: &str) -> Result<Option<Decimal>, Fault> {
    let text = raw.unwrap_or("").trim().trim_matches('"');
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    let amount = parse_decimal(text).map_err(|_| Fault::field(field, "not a decimal number"))?;
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(Fault::field(field, "negative cost"));
    }
    Ok((!amount.is_zero()).then_some(amount))
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Whole(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Scalar<'de>, E> {
        Ok(u64::try_from(v).map_or(Scalar::Negative(v), Scalar::Whole))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(v))
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(v)))
    }
    fn visit_str<E>(self, v: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(v.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(json: &str) -> Result<u64, String> {
        let scalar: Scalar<'_> = serde_json::from_str(json).unwrap();
        scalar.count("n").map_err(|f| f.reason)
    }

    #[test]
    fn counts_are_exact_or_refused() {
        assert_eq!(count("9007199254740993"), Ok(9_007_199_254_740_993));
        assert_eq!(count("\"9007199254740993\""), Ok(9_007_199_254_740_993));
        assert_eq!(count("123.0"), Ok(123));
        assert_eq!(count("\"123.0\""), Ok(123));
        assert_eq!(count("null"), Ok(0));
        for wrong in [
            "123.5",
            "-1",
            "\"-1\"",
            "1e30",
            "[]",
            "true",
            "\"abc\"",
            "99999999999999999",
            "-0.5",
        ] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reported_money_is_read_from_its_text() {
        assert_eq!(reported(Some("3e-07"), "c").unwrap().unwrap().to_string(), "0.0000003");
        assert_eq!(reported(Some("0.0"), "c"), Ok(None));
        assert!(reported(Some("-1"), "c").is_err());
    }
}
