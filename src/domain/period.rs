//! Half-open spans of time `[start, end)` and the calendar periods that budgets and reports use.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A half-open span `[start, end)` of UTC instants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Period {
    /// First instant inside.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl Period {
    /// A span; an `end` before `start` gives the empty span at `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Period {
            start,
            end: end.max(start),
        }
    }

    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }

    /// Its length.
    #[must_use]
    pub fn length(&self) -> TimeDelta {
        self.end - self.start
    }

    /// The part of it before `now`.
    #[must_use]
    pub fn until(&self, now: DateTime<Utc>) -> Period {
        Period::new(self.start, self.end.min(now))
    }

    /// The whole hours that it touches.
    #[must_use]
    pub fn in_hours(&self) -> Period {
        let end = Hour::of(self.end);
        let end = if end.start() < self.end { Hour(end.0 + 1) } else { end };
        Period::new(Hour::of(self.start).start(), end.start())
    }

    /// The least span that holds both.
    #[must_use]
    pub fn with(&self, other: Period) -> Period {
        Period::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The span of equal length that ends where this one starts: what a trend compares with.
    #[must_use]
    pub fn previous(&self) -> Period {
        Period::new(self.start - self.length(), self.start)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {}",
            self.start.format("%Y-%m-%dT%H:%MZ"),
            self.end.format("%Y-%m-%dT%H:%MZ")
        )
    }
}

/// A recurring calendar period. Weeks start on Monday (ISO 8601).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
    /// Three calendar months, starting with January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

impl Calendar {
    /// The period that contains `at`, by the calendar of `zone`.
    #[must_use]
    pub fn around(self, at: DateTime<Utc>, zone: Tz) -> Period {
        let day = at.with_timezone(&zone).date_naive();
        let first = match self {
            Calendar::Day => day,
            Calendar::Week => day - Days::new(u64::from(day.weekday().num_days_from_monday())),
            Calendar::Month => day.with_day(1).unwrap_or(day),
            Calendar::Quarter => NaiveDate::from_ymd_opt(day.year(), (day.month0() / 3) * 3 + 1, 1).unwrap_or(day),
            Calendar::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap_or(day),
        };
        let next = match self {
            Calendar::Day => first + Days::new(1),
            Calendar::Week => first + Days::new(7),
            Calendar::Month => first + Months::new(1),
            Calendar::Quarter => first + Months::new(3),
            Calendar::Year => first + Months::new(12),
        };
        Period::new(midnight(first, zone), midnight(next, zone))
    }
}

/// The first instant of a day in a zone. Where a clock change skips midnight, the first instant after the gap.
#[must_use]
pub fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN);
    for minutes in (0..=180).step_by(15) {
        if let Some(at) = zone
            .from_local_datetime(&(local + TimeDelta::minutes(minutes)))
            .earliest()
        {
            return at.with_timezone(&Utc);
        }
    }
    local.and_utc()
}

/// How many minutes of each day, at its beginning, are of an hour of UTC that began on the day before, now or in half a year: spend of
/// them is summed with it. Nothing where the zone is whole hours off.
#[must_use]
pub fn minutes_before_an_hour(zone: Tz, now: DateTime<Utc>) -> Option<i64> {
    let minutes = [now, now + TimeDelta::days(182)].map(|at| {
        let start = midnight(at.with_timezone(&zone).date_naive(), zone);
        (-start.timestamp()).rem_euclid(3600) / 60
    });
    minutes.into_iter().max().filter(|minutes| *minutes > 0)
}

/// Hours since 1970-01-01T00:00Z: the grain at which spend is summed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour that contains an instant.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        Hour(at.timestamp().div_euclid(3600))
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.saturating_mul(3600), 0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The hour at which the sum of a UTC day stands when its hours are folded: one that is of the same date everywhere from
    /// Hawaii (UTC-10) to New Zealand's summer (UTC+13), so that what is old stays on its day and in its month in their zones too.
    #[must_use]
    pub fn folded(self) -> Hour {
        Hour(self.day().0 + Self::FOLDED)
    }

    /// That hour's number in its day.
    pub const FOLDED: i64 = 10;

    /// The first hour of the same UTC day.
    #[must_use]
    pub fn day(self) -> Hour {
        Hour(self.0.div_euclid(24) * 24)
    }
}

/// Where instants lie on the scale of seconds, one after the other: the calendar is asked once for all that are of one day.
#[derive(Default)]
pub(crate) struct Seconds {
    date: NaiveDate,
    midnight: i64,
}

impl Seconds {
    /// The same as [`DateTime::timestamp`].
    #[inline]
    pub(crate) fn of(&mut self, at: DateTime<Utc>) -> i64 {
        let at = at.naive_utc();
        if at.date() != self.date {
            self.date = at.date();
            self.midnight = self.date.and_time(NaiveTime::MIN).and_utc().timestamp();
        }
        self.midnight + i64::from(at.time().num_seconds_from_midnight())
    }

    /// The same as [`Hour::of`].
    #[inline]
    pub(crate) fn hour(&mut self, at: DateTime<Utc>) -> Hour {
        Hour(self.of(at).div_euclid(3600))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seconds_are_those_of_the_calendar(times in prop::collection::vec((-8_000_000_000_000_i64..8_000_000_000_000, 0..2_000_000_000_u32), 0..20)) {
            let mut seconds = Seconds::default();
            for (second, nanos) in times {
                let second = if nanos >= 1_000_000_000 { second.div_euclid(60) * 60 + 59 } else { second };
                for at in [second, second + 1, second + 86_400].map(|at| DateTime::from_timestamp(at, nanos % 1_000_000_000)) {
                    let at = at.unwrap();
                    prop_assert_eq!(seconds.of(at), at.timestamp());
                    prop_assert_eq!(seconds.hour(at), Hour::of(at));
                }
                if let Some(leap) = DateTime::from_timestamp(second, nanos) {
                    prop_assert_eq!(seconds.of(leap), leap.timestamp());
                }
            }
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn calendar_periods_follow_the_zone_and_its_clock_changes() {
        for (calendar, zone, now, start, end) in [
            (
                Calendar::Month,
                "UTC",
                "2026-11-24T08:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                Calendar::Month,
                "America/New_York",
                "2026-11-01T03:00:00Z",
                "2026-10-01T04:00:00Z",
                "2026-11-01T04:00:00Z",
            ),
            (
                Calendar::Day,
                "America/New_York",
                "2026-11-01T12:00:00Z",
                "2026-11-01T04:00:00Z",
                "2026-11-02T05:00:00Z",
            ),
            (
                Calendar::Week,
                "UTC",
                "2026-11-22T23:59:59Z",
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Calendar::Quarter,
                "UTC",
                "2026-11-24T08:00:00Z",
                "2026-10-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                Calendar::Year,
                "UTC",
                "2026-02-28T08:00:00Z",
                "2026-01-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            // Midnight does not exist on this day in this zone.
            (
                Calendar::Day,
                "America/Santiago",
                "2026-09-06T12:00:00Z",
                "2026-09-06T04:00:00Z",
                "2026-09-07T03:00:00Z",
            ),
        ] {
            let period = calendar.around(at(now), zone.parse().unwrap());
            assert_eq!(
                (period.start, period.end),
                (at(start), at(end)),
                "{calendar:?} in {zone} around {now}"
            );
        }
    }

    #[test]
    fn days_of_some_zones_begin_within_an_hour() {
        for (zone, minutes) in [
            ("UTC", None),
            ("America/New_York", None),
            ("Asia/Kolkata", Some(30)),
            ("Asia/Kathmandu", Some(45)),
            ("America/St_Johns", Some(30)),
            // Half an hour off in winter alone, and its clocks change by that.
            ("Australia/Lord_Howe", Some(30)),
        ] {
            for now in ["2026-06-24T08:00:00Z", "2026-12-24T08:00:00Z"] {
                let found = minutes_before_an_hour(zone.parse().unwrap(), at(now));
                assert_eq!(found, minutes, "{zone} {now}");
            }
        }
    }

    #[test]
    fn the_end_is_outside() {
        let period = Period::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        assert!(period.contains(period.start) && !period.contains(period.end));
        assert_eq!(period.previous().end, period.start);
        assert_eq!(Hour::of(at("1969-12-31T23:30:00Z")), Hour(-1));
    }
}
