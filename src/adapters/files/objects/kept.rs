//! What is kept of the objects below a prefix from run to run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Object;
use crate::domain::usage::EventId;

/// What is kept of a prefix from run to run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Progressed {
    /// The last day that is over: it and those before it are read whole, but for those that lack something.
    pub closed: Option<NaiveDate>,
    /// Days of which something could not be fetched when they were read last.
    #[serde(default)]
    pub lacking: BTreeSet<NaiveDate>,
    /// Objects that were read, by digest: of open days, and of no day.
    pub read: BTreeMap<String, BTreeSet<String>>,
    /// Those that hold bills, in the same way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bills: BTreeMap<String, BTreeSet<String>>,
    /// Days of which a record was refused because its time is still to come: the earliest such time, in seconds of the epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub until: BTreeMap<String, i64>,
    /// Folders of a day below which later days were found, such as that of an archive: what is still to come there is not of that day.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub outer: BTreeSet<String>,
    /// Whether days are closed with what lies in folders `data` that are none of Bedrock's, which an earlier version passed over.
    #[serde(default)]
    pub into_data: bool,
}

impl Progressed {
    /// Whether an object was read as it is.
    pub fn has(&self, day: Option<NaiveDate>, object: &Object) -> bool {
        let known = [&self.read, &self.bills].into_iter();
        let mut known = known.filter_map(|known| known.get(&named(day)));
        known.any(|known| known.contains(&digest(object)))
    }

    /// Forgets the objects of days that nobody looks at again. Those that an earlier version closed are looked at until they are whole.
    pub fn forget_closed(&mut self) {
        let (mut read, mut bills) = (std::mem::take(&mut self.read), std::mem::take(&mut self.bills));
        for known in [&mut read, &mut bills] {
            known.retain(|day, known| {
                let is_over = || self.into_data && day.parse().is_ok_and(|day| self.is_closed(day));
                !known.is_empty() && !is_over()
            });
        }
        (self.read, self.bills) = (read, bills);
    }

    /// Forgets objects of no day, where there are none.
    pub fn forget_dayless(&mut self) {
        self.read.remove(&named(None));
        self.bills.remove(&named(None));
    }

    /// Opens the days again of which a record was refused for a time that has come.
    pub fn reopen(&mut self, latest: DateTime<Utc>) {
        let come: Vec<String> = self
            .until
            .iter()
            .filter(|(_, until)| **until <= latest.timestamp())
            .map(|(day, _)| day.clone())
            .collect();
        for day in come {
            self.until.remove(&day);
            self.read.remove(&day);
            self.lacking.extend(day.parse::<NaiveDate>());
        }
    }

    /// Forgets objects of a day that are not there any more, or not as they were read.
    pub fn keep(&mut self, day: Option<NaiveDate>, objects: &[Object]) {
        for known in [&mut self.read, &mut self.bills] {
            if let Some(known) = known.get_mut(&named(day)) {
                let there: BTreeSet<String> = objects.iter().map(digest).collect();
                known.retain(|digest| there.contains(digest));
            }
        }
    }

    /// The day that a path names. An outer folder gives none to what is right in it.
    pub fn day(&self, path: &str) -> Option<NaiveDate> {
        let below = self.outer.iter().filter_map(|outer| path.strip_prefix(outer.as_str()));
        match below.min_by_key(|rest| rest.len()) {
            Some(rest) if day_of(rest).is_none() => None,
            _ => day_of(path),
        }
    }

    /// Notes that a folder of a later day lies in one of a day.
    pub fn nest(&mut self, folder: &str) {
        let mut above = folder.match_indices('/').filter_map(|(at, _)| folder.get(..=at));
        let outer = above.find(|above| self.day(above).is_some());
        self.outer.extend(outer.map(str::to_owned));
    }

    /// Whether a day is read whole, so that nothing of it is looked at again.
    pub fn is_closed(&self, day: NaiveDate) -> bool {
        self.closed.is_some_and(|closed| day <= closed) && !self.lacking.contains(&day)
    }

    /// Days in the order in which they are read: those that lack something after all others.
    pub fn order(&self, day: Option<NaiveDate>) -> (bool, Option<NaiveDate>) {
        (day.is_some_and(|day| self.lacking.contains(&day)), day)
    }
}

/// The key of a day.
pub(super) fn named(day: Option<NaiveDate>) -> String {
    day.map_or_else(String::new, |day| day.to_string())
}

/// What an object is remembered by, as it was written.
pub(super) fn digest(object: &Object) -> String {
    let size = object.size.to_le_bytes();
    let [a, b, c, d, e, f, g, h, ..] =
        EventId::of(&[b"object", object.key.as_bytes(), &size, object.version.as_bytes()]).0;
    format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// The day that a path names, `…/2026/10/20/…`, `…/year=2026/month=10/day=20/…` or `…/dt=2026-10-20/…`: of several the latest, since what
/// lies in a folder of a day was written no earlier.
pub(super) fn day_of(path: &str) -> Option<NaiveDate> {
    let parts: Vec<&str> = path.split('/').collect();
    let of_one = parts.iter().filter_map(|part| dated(part));
    parts.windows(3).filter_map(date).chain(of_one).max()
}

/// Whether a folder is that of a day itself: `…/2026/10/20/`.
pub(super) fn ends_with_day(folder: &str) -> bool {
    let parts: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
    let is_dated = || parts.last().is_some_and(|part| dated(part).is_some());
    parts.last_chunk::<3>().is_some_and(|parts| date(parts).is_some()) || is_dated()
}

/// Whether a folder is a partition of a day: `…/day=20/`, `…/dt=2026-10-20/`.
pub(super) fn is_partition(folder: &str) -> bool {
    let last = folder.trim_end_matches('/').rsplit('/').next();
    last.is_some_and(|last| last.contains('=')) && ends_with_day(folder)
}

/// The keys of partitions that year, month and day are told by, and those of a whole day.
const YEAR: [&str; 2] = ["year", "y"];
const MONTH: [&str; 2] = ["month", "m"];
const DAY: [&str; 2] = ["day", "d"];
const OF_DAY: [&str; 4] = ["dt", "ds", "date", "day"];

fn date(parts: &[&str]) -> Option<NaiveDate> {
    let [year, month, day] = parts else { return None };
    let (year, month, day) = match (month.len(), day.len()) {
        (2, 2) => (*year, *month, *day),
        _ => (keyed(year, &YEAR)?, keyed(month, &MONTH)?, keyed(day, &DAY)?),
    };
    if year.len() != 4 {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// The value of a partition that has one of these keys.
fn keyed<'p>(part: &'p str, keys: &[&str]) -> Option<&'p str> {
    let (key, value) = part.split_once('=')?;
    keys.iter()
        .any(|known| key.eq_ignore_ascii_case(known))
        .then_some(value)
}

/// The day of `dt=2026-10-20`. A date without a key may be that of a version, or of a week, and what lies below it come later.
fn dated(part: &str) -> Option<NaiveDate> {
    let value = keyed(part, &OF_DAY)?;
    value.parse().ok().filter(|_| value.len() == 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_by_their_folders() {
        let day = |text: &str| day_of(text).map(|day| day.to_string());
        assert_eq!(
            day("logs/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/10/20/08/a.json.gz").as_deref(),
            Some("2026-10-20")
        );
        assert_eq!(
            day("copy/2025/01/15/logs/2026/10/20/08/").as_deref(),
            Some("2026-10-20")
        );
        assert_eq!(
            day("copies/2026/11/15/logs/2026/10/20/08/").as_deref(),
            Some("2026-11-15")
        );
        for keyed in [
            "otel/year=2026/month=10/day=20/hour=08/minute=15/traces_1.json",
            "x/Year=2026/month=10/day=20/",
            "x/dt=2026-10-20/a.gz",
            "x/date=2026-10-20/",
        ] {
            assert_eq!(day(keyed).as_deref(), Some("2026-10-20"), "{keyed}");
        }
        assert_eq!(day("x/year=2026/month=3/day=7/").as_deref(), Some("2026-03-07"));
        for of_day in ["x/year=2026/month=10/day=20/", "dt=2026-10-20/"] {
            assert!(is_partition(of_day) && !is_partition("logs/2026/10/20/"), "{of_day}");
            assert!(
                ends_with_day(of_day) && !ends_with_day(&format!("{of_day}hour=08/")),
                "{of_day}"
            );
        }
        assert!(ends_with_day("logs/2026/10/20/") && !ends_with_day("logs/2026/10/20/08/") && !ends_with_day("10/20/"));
        for none in [
            "a/b.json",
            "2026/10/",
            "x/2026/13/01/a",
            "1/2/3",
            // Of a version, of a month, and numbers of something else.
            "v/2026-10-20/a.json",
            "x/month=2026-10-01/",
            "tenant=2026/shard=10/part=20/",
            "year=26/month=10/day=20/",
        ] {
            assert_eq!(day(none), None, "{none}");
        }
        let mut known = Progressed::default();
        known.nest("copy/2025/01/15/logs/2026/10/20/");
        known.nest("copy/2025/01/15/logs/2026/10/20/x/2026/10/21/");
        let day = |text: &str| known.day(text).map(|day| day.to_string());
        for none in [
            "copy/2025/01/15/",
            "copy/2025/01/15/logs/2026/",
            "copy/2025/01/15/logs/2026/10/20/x/",
        ] {
            assert_eq!(day(none), None, "{none}");
        }
        assert_eq!(day("copy/2025/01/15/logs/2026/10/19/").as_deref(), Some("2026-10-19"));
        assert_eq!(day("copy/2025/01/16/").as_deref(), Some("2025-01-16"));
    }
}
