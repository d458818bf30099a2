//! A JSON or CSV value that is read without judging it, so that a wrong one can be reported by the name of its field.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::money::{FINEST, parse_amount, parse_decimal};

use super::line::Fault;
use super::value::Value;

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

impl Scalar<'_> {
    /// Whether nothing was given.
    pub fn is_null(&self) -> bool {
        matches!(self, Scalar::Null)
    }

    /// The text; empty unless text.
    pub fn str(&self) -> &str {
        Value::from(self).str()
    }

    /// Whether it says yes, as JSON or as text.
    pub fn is_true(&self) -> bool {
        Value::from(self).is_true()
    }

    /// A count: 0 when absent, exact or refused.
    pub fn count(&self, field: &str) -> Result<u64, Fault> {
        Value::from(self).count(field)
    }

    /// A small count of requests.
    pub fn small(&self, field: &str) -> Result<u32, Fault> {
        Value::from(self).small(field)
    }

    /// An instant and whether it named its zone.
    pub fn time(&self, field: &str) -> Result<(DateTime<Utc>, bool), Fault> {
        Value::from(self).time(field)
    }
}

/// More USD than any call costs: a sum of such amounts could not be told to the last digit.
const MOST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Reported money from its JSON or CSV text, rounded as amounts of bills are where it has more digits than can be summed; none for nothing,
/// null and zero.
pub(super) fn reported(raw: Option<&str>, field: &str) -> Result<Option<Decimal>, Fault> {
    let text = raw.unwrap_or("").trim().trim_matches('"');
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    let amount = match parse_decimal(text) {
        Ok(exact) if exact.scale() <= FINEST => exact,
        Ok(_) | Err(_) => {
            parse_amount(text)
                .map_err(|_| Fault::field(field, "not a decimal number"))?
                .0
        }
    };
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(Fault::field(field, "negative cost"));
    }
    if amount > MOST {
        return Err(Fault::field(field, "more than any call costs"));
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
