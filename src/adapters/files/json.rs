//! JSON values as foreign logs write them: text that is borrowed where possible, counts that may be numbers or text, and
//! never a value that makes the whole record unreadable.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Parsed;
use crate::domain::label::{Label, LabelCache, MAX_LABEL_BYTES};
use crate::domain::usage::MAX_TOKENS;

/// Text, borrowed from the line unless it holds escapes. Null and values of other types are the empty text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The label, or a rejection when the name is too long to be one.
    pub(crate) fn label(&self, field: &str, cache: &mut LabelCache) -> Result<Label, Parsed> {
        if self.0.len() > MAX_LABEL_BYTES {
            return Err(Parsed::rejected(
                field,
                format!("is longer than {MAX_LABEL_BYTES} bytes"),
            ));
        }
        Ok(cache.get(&self.0))
    }
}

/// A count of tokens or requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Count {
    #[default]
    Absent,
    Value(u64),
    Bad(&'static str),
}

impl Count {
    /// The count; absent is zero.
    pub(crate) fn get(self, field: &str) -> Result<u64, Parsed> {
        match self {
            Count::Absent => Ok(0),
            Count::Value(n) if n > MAX_TOKENS => Err(Parsed::rejected(field, format!("is above {MAX_TOKENS}: absurd"))),
            Count::Value(n) => Ok(n),
            Count::Bad(reason) => Err(Parsed::rejected(field, reason)),
        }
    }

    /// The count of requests; absent is zero.
    pub(crate) fn small(self, field: &str) -> Result<u32, Parsed> {
        u32::try_from(self.get(field)?).map_err(|_| Parsed::rejected(field, "is absurdly large"))
    }

    pub(crate) fn from_text(text: &str) -> Count {
        let text = text.trim();
        if text.is_empty() {
            return Count::Absent;
        }
        let digits = text.strip_suffix(".0").unwrap_or(text);
        match digits.parse::<u64>() {
            Ok(n) => Count::Value(n),
            Err(_) if text.starts_with('-') && text.get(1..).is_some_and(|t| t.parse::<u64>().is_ok()) => {
                Count::Bad("is negative")
            }
            Err(_) => Count::Bad("is not a whole number"),
        }
    }
}

/// An amount of money as its text, so that no float ever touches it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amount(pub Option<Decimal>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(deserializer)?;
        Ok(Amount(
            crate::domain::money::parse_decimal(raw.get().trim_matches('"')).ok(),
        ))
    }
}

/// An instant as text or epoch number.
#[derive(Clone, Debug, Default)]
pub(crate) enum When<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Number(String),
    Bad,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E>(self, n: u64) -> Result<Count, E> {
                Ok(Count::Value(n))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Count, E> {
                Ok(u64::try_from(n).map_or(Count::Bad("is negative"), Count::Value))
            }
            fn visit_f64<E>(self, n: f64) -> Result<Count, E> {
                // Floats are exact up to 2^53; beyond that the digits that were written are lost.
                if n < 0.0 {
                    return Ok(Count::Bad("is negative"));
                }
                if n.fract() != 0.0 || !n.is_finite() {
                    return Ok(Count::Bad("is not a whole number"));
                }
                if n > 9_007_199_254_740_992.0 {
                    return Ok(Count::Bad("is absurdly large"));
                }
                Ok(format!("{n:.0}")
                    .parse()
                    .map_or(Count::Bad("is not a whole number"), Count::Value))
            }
            fn visit_str<E>(self, text: &str) -> Result<Count, E> {
                Ok(Count::from_text(text))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count::Bad("is not a whole number"))
            }
            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count::Absent)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Count::Bad("is not a whole number"))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count::Bad("is not a whole number"))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(n.to_string())))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(n.to_string())))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_bool<E>(self, b: bool) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(if b { "true" } else { "false" })))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for When<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de serde_json::value::RawValue>::deserialize(deserializer)?.get();
        Ok(match raw.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<Text<'de>>(raw) {
                Ok(text) => When::Text(text.0),
                Err(_) => When::Bad,
            },
            Some(b'n') => When::Absent,
            Some(b'0'..=b'9' | b'-') => When::Number(raw.to_owned()),
            _ => When::Bad,
        })
    }
}

/// What is wrong with a line that is no JSON object of the expected shape.
pub(crate) fn not_json(record: &[u8], error: &serde_json::Error) -> Parsed {
    if std::str::from_utf8(record).is_err() {
        return Parsed::rejected("", "is not UTF-8");
    }
    if error.is_eof() {
        return Parsed::rejected("", "is cut off: the JSON does not end");
    }
    Parsed::rejected("", format!("is not usable JSON (column {})", error.column()))
}
