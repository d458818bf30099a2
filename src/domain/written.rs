//! Dates and times as the owner writes them in settings, policies and price books: as text, in quotation marks. TOML has dates of its own,
//! which stand without them; who writes one is told how it is written here.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What is expected where a day is.
const DAY: &str = "a date in quotation marks such as `\"2026-11-01\"`";

/// What is expected where a time is.
const INSTANT: &str = "a time in quotation marks such as `\"2026-11-01T12:00:00Z\"`";

/// Reads a day that may be left away.
pub fn optional_day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
    from.deserialize_str(Written(DAY, day)).map(Some)
}

/// Reads a day as it stands.
pub fn day_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_str(Written(DAY, as_it_stands))
}

/// The same of one that may be left away.
pub fn optional_day_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    day_text(from).map(Some)
}

/// Reads a time.
pub fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    from.deserialize_str(Written(INSTANT, time))
}

/// The same of one that may be left away.
pub fn optional_instant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    instant(from).map(Some)
}

/// Reads a time, or a list of them.
pub fn instants<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<DateTime<Utc>>, D::Error> {
    from.deserialize_any(Several)
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no date such as `2026-11-01`"))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| match text.parse::<NaiveDate>() {
        Ok(day) => format!("`{text}` is a day, where a time is needed: write `{day}T00:00:00Z`"),
        Err(_) => format!("`{text}` is no time such as `2026-11-01T12:00:00Z`"),
    })
}

fn as_it_stands(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// What is expected, and how its text is read.
struct Written<T>(&'static str, fn(&str) -> Result<T, String>);

impl<'de, T> Visitor<'de> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
    /// A date of TOML's own comes as a map: that word would help nobody.
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::custom(format!("expected {}", self.0)))
    }
}

struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Vec<DateTime<Utc>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{INSTANT}, or a list of such")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        time(text).map(|one| vec![one]).map_err(E::custom)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(One(next)) = list.next_element()? {
            all.push(next);
        }
        Ok(all)
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(A::Error::custom(format!("expected {INSTANT}, or a list of such")))
    }
}

/// An element of a list of times.
struct One(DateTime<Utc>);

impl<'de> serde::Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        instant(from).map(One)
    }
}
