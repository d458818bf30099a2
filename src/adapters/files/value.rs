//! A value as it is looked at: what a [`Scalar`] holds or what a scan found, copied for the price of a text's address.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::money::parse_decimal;
use crate::domain::usage::MAX_TOKENS;

use super::line::Fault;
use super::scalar::Scalar;
use super::time::{epoch, parse_time, whole_epoch};

/// Any value. Its kind is a word of its own: it is copied in words then, and what reads a part of a copy does not wait for it to be put
/// together of odd pieces.
#[derive(Default, Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum Value<'a> {
    /// Absent or null.
    #[default]
    Null,
    /// Text.
    Text(&'a str),
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

impl<'a> From<&'a Scalar<'_>> for Value<'a> {
    fn from(scalar: &'a Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Text(text) => Value::Text(text),
            Scalar::Whole(n) => Value::Whole(*n),
            Scalar::Negative(n) => Value::Negative(*n),
            Scalar::Float(n) => Value::Float(*n),
            Scalar::Bool(b) => Value::Bool(*b),
            Scalar::Other => Value::Other,
        }
    }
}

impl<'a> Value<'a> {
    /// Whether nothing was given.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        matches!(self, Value::Null)
    }

    /// This, or another if nothing was given.
    pub fn or(self, other: Value<'a>) -> Value<'a> {
        if self.is_null() { other } else { self }
    }

    /// The text; empty unless text.
    #[inline(always)]
    pub fn str(self) -> &'a str {
        match self {
            Value::Text(text) => text,
            Value::Null | Value::Whole(_) | Value::Negative(_) | Value::Float(_) | Value::Bool(_) | Value::Other => "",
        }
    }

    /// Whether it says yes, as JSON or as text.
    #[inline(always)]
    pub fn is_true(self) -> bool {
        match self {
            Value::Bool(yes) => yes,
            Value::Text(text) => text.eq_ignore_ascii_case("true"),
            Value::Null | Value::Whole(_) | Value::Negative(_) | Value::Float(_) | Value::Other => false,
        }
    }

    /// A count: 0 when absent, exact or refused.
    #[inline(always)]
    pub fn count(self, field: &str) -> Result<u64, Fault> {
        // One after the other: of all kinds at once it would be a jump by a table.
        if let Value::Whole(count) = self
            && count <= MAX_TOKENS
        {
            return Ok(count);
        }
        if self.is_null() { Ok(0) } else { self.odd_count(field) }
    }

    #[cold]
    fn odd_count(self, field: &str) -> Result<u64, Fault> {
        let count = match self {
            Value::Null => 0,
            Value::Whole(n) => n,
            Value::Negative(_) => return Err(Fault::field(field, "negative count")),
            Value::Float(value) => whole(&value.to_string(), field)
                .and_then(|n| (n <= EXACT_FLOAT).then_some(n).ok_or_else(|| too_large(field)))?,
            Value::Text(text) if text.trim().is_empty() => 0,
            Value::Text(text) => whole(text.trim(), field)?,
            Value::Bool(_) | Value::Other => return Err(Fault::field(field, "expected a whole number")),
        };
        if count > MAX_TOKENS {
            return Err(too_large(field));
        }
        Ok(count)
    }

    /// A small count of requests, which hardly any record has.
    #[inline(always)]
    pub fn small(self, field: &str) -> Result<u32, Fault> {
        if self.is_null() {
            return Ok(0);
        }
        u32::try_from(self.count(field)?).map_err(|_| Fault::field(field, format!("larger than {}", u32::MAX)))
    }

    /// An instant and whether it named its zone.
    pub fn time(self, field: &str) -> Result<(DateTime<Utc>, bool), Fault> {
        let wrong = || Fault::field(field, "not a time");
        match self {
            Value::Null => Err(Fault::field(field, "missing")),
            Value::Text(text) => parse_time(text).ok_or_else(wrong),
            Value::Whole(n) => whole_epoch(n).map(|t| (t, true)).ok_or_else(wrong),
            Value::Negative(n) => epoch(Decimal::from(n)).map(|t| (t, true)).ok_or_else(wrong),
            Value::Float(value) => parse_decimal(&value.to_string())
                .ok()
                .and_then(epoch)
                .map(|t| (t, true))
                .ok_or_else(wrong),
            Value::Bool(_) | Value::Other => Err(wrong()),
        }
    }
}

fn too_large(field: &str) -> Fault {
    Fault::field(field, format!("larger than {MAX_TOKENS}, or not exact"))
}

fn whole(text: &str, field: &str) -> Result<u64, Fault> {
    // As Java, Spark and R write large ones.
    if text.contains(['e', 'E']) {
        let value = parse_decimal(text).ok().filter(|value| value.fract().is_zero());
        let value = value.ok_or_else(|| Fault::field(field, "not a whole number"))?;
        return whole(&value.normalize().to_string(), field);
    }
    let digits = match text.split_once('.') {
        // Whoever writes a count as a fraction writes one zero, or six.
        Some((whole, "000")) if whole.len() <= 3 && !whole.trim_start_matches('0').is_empty() => {
            let reason = "not a whole number: a dot of thousands, or three digits of a fraction";
            return Err(Fault::field(field, reason));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_with_an_exponent_is_whole_where_it_is_and_a_dot_of_thousands_is_no_point() {
        let count = |text: &str| Value::Text(text).count("n").map_err(|fault| fault.reason);
        for (text, expected) in [
            ("1.0E7", 10_000_000),
            ("1e+05", 100_000),
            ("1.2345678E7", 12_345_678),
            ("0E-10", 0),
            ("123.0", 123),
            ("250.000000", 250),
            ("250.", 250),
            ("0.000", 0),
        ] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
        for text in [
            "250.000",
            "1.000",
            "1.000.000",
            "1.5E0",
            "1.5e-3",
            "-1E3",
            "1E40",
            "E5",
            "1E",
            "e",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
        assert!(count("250.000").unwrap_err().contains("thousands"));
    }

    #[test]
    fn a_count_that_is_too_large_is_refused_with_the_limit_that_it_has() {
        let most = u64::from(u32::MAX);
        assert_eq!(Value::Whole(most).small("web_searches").ok(), Some(u32::MAX));
        let fault = |value: Value<'_>| format!("{:?}", value.small("web_searches").err());
        assert!(fault(Value::Whole(most + 1)).contains("larger than 4294967295"));
        assert!(fault(Value::Whole(u64::MAX)).contains("larger than 10000000000000000"));
    }
}
