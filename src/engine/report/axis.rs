//! What rows are summed by: a dimension, or a span of time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::similar::nearest;

/// One axis of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Axis {
    /// The hour, UTC.
    Hour,
    /// The day in the zone of the report.
    Day,
    /// The week in that zone, by its Monday.
    Week,
    /// The month in that zone, by its first day.
    Month,
    /// The session or conversation, of calls whose detail is kept: sums do not know it.
    Session,
    /// The value of a dimension.
    Of(Dimension),
}

impl Axis {
    /// The name on the command line, in headers and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Axis::Hour => "hour",
            Axis::Day => "day",
            Axis::Week => "week",
            Axis::Month => "month",
            Axis::Session => "session",
            Axis::Of(dimension) => dimension.name(),
        }
    }

    /// Whether it is a span of time.
    #[must_use]
    pub fn is_time(self) -> bool {
        !matches!(self, Axis::Of(_) | Axis::Session)
    }

    /// The dimension, where it is one.
    #[must_use]
    pub fn dimension(self) -> Option<Dimension> {
        match self {
            Axis::Of(dimension) => Some(dimension),
            Axis::Hour | Axis::Day | Axis::Week | Axis::Month | Axis::Session => None,
        }
    }

    pub(super) fn value(self, hour: Hour, day: NaiveDate, dimensions: &Dimensions, session: AxisValue) -> AxisValue {
        match self {
            Axis::Session => session,
            Axis::Hour => AxisValue::Hour(hour),
            Axis::Day => AxisValue::Date(day),
            Axis::Week => AxisValue::Date(day - Days::new(u64::from(day.weekday().num_days_from_monday()))),
            Axis::Month => AxisValue::Date(day.with_day(1).unwrap_or(day)),
            Axis::Of(dimension) => AxisValue::Name(dimensions.get(dimension)),
        }
    }

    /// The spans of time that a period has of this axis, those without spend included; so many at most.
    #[must_use]
    pub fn spans(self, period: Period, zone: Tz, most: usize) -> Vec<AxisValue> {
        let last = period.end - TimeDelta::nanoseconds(1);
        let of = |at: DateTime<Utc>| {
            let session = AxisValue::NoDetail;
            self.value(Hour::of(at), day_in(at, zone), &Dimensions::default(), session)
        };
        let next = |span: &AxisValue| match (span, self) {
            (AxisValue::Hour(hour), _) => Some(AxisValue::Hour(Hour(hour.0 + 1))),
            (AxisValue::Date(day), Axis::Month) => day.checked_add_months(Months::new(1)).map(AxisValue::Date),
            (AxisValue::Date(day), Axis::Week) => day.checked_add_days(Days::new(7)).map(AxisValue::Date),
            (AxisValue::Date(day), _) => day.checked_add_days(Days::new(1)).map(AxisValue::Date),
            (AxisValue::Name(_) | AxisValue::NoDetail | AxisValue::Other, _) => None,
        };
        let first = Some(of(period.start)).filter(|_| self.is_time() && period.start <= last);
        let end = of(last.max(period.start));
        let spans = std::iter::successors(first, next);
        spans.take_while(|span| *span <= end).take(most).collect()
    }
}

/// A name that is no axis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownAxis(String);

impl FromStr for Axis {
    type Err = UnknownAxis;
    fn from_str(text: &str) -> Result<Self, UnknownAxis> {
        Ok(match text.trim() {
            "hour" => Axis::Hour,
            "day" => Axis::Day,
            "week" => Axis::Week,
            "month" => Axis::Month,
            "session" => Axis::Session,
            other => Axis::Of(
                other
                    .parse()
                    .map_err(|_| UnknownAxis(unknown(other, &["hour", "day", "week", "month", "session"])))?,
            ),
        })
    }
}

pub(super) fn unknown_dimension(text: &str) -> String {
    unknown(text, &[])
}

/// What is known instead, and what was probably meant: `daily` and `days` are `day`.
fn unknown(text: &str, more: &[&str]) -> String {
    let known: Vec<&str> = Dimension::ALL
        .iter()
        .map(|d| d.name())
        .chain(more.iter().copied())
        .collect();
    let text: String = text.chars().take(40).collect();
    let stem = text.strip_suffix("ly").unwrap_or(&text);
    let meant = nearest(stem, &known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("`{text}` is none of {}{meant}", known.join(", "))
}

/// The value of one axis in one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AxisValue {
    /// An hour.
    Hour(Hour),
    /// A day, or the first day of a week or month.
    Date(NaiveDate),
    /// The value of a dimension; empty where nothing is known.
    Name(Label),
    /// What sums have more than the calls that are kept, where sessions are asked for: calls whose detail has expired, and what
    /// is free.
    NoDetail,
    /// All names beyond the top ones.
    Other,
}

impl AxisValue {
    /// What [`AxisValue::NoDetail`] is called.
    pub const NO_DETAIL: &str = "(no detail)";
}

impl fmt::Display for AxisValue {
    /// `2026-11-24`, RFC 3339 for hours, the name, `other`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AxisValue::Hour(hour) => f.write_str(&hour.start().to_rfc3339_opts(SecondsFormat::Secs, true)),
            AxisValue::Date(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            AxisValue::Name(name) => f.write_str(name.as_str()),
            AxisValue::NoDetail => f.write_str(AxisValue::NO_DETAIL),
            AxisValue::Other => f.write_str("other"),
        }
    }
}

/// The day of an instant in a zone.
pub(super) fn day_in(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}
