//! Which bills stay as they are where a file of bills cannot be read: all, unless folders are named for the periods of the bills in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

/// What is not known of the files of bills of a source.
#[derive(Default)]
pub(super) struct Doubt {
    /// Files that could not be read to their end.
    files: BTreeSet<PathBuf>,
    /// Whether what is missing may be of any bill.
    anywhere: bool,
}

/// The bills that stay.
pub(super) enum Stay {
    /// Any may be told by what cannot be read.
    All,
    /// Those whose periods begin on these days.
    Of(BTreeSet<NaiveDate>),
}

impl Stay {
    /// Whether one of them may be told by a file that cannot be read; a bill without a period may.
    pub fn has(&self, start: Option<NaiveDate>) -> bool {
        match (self, start) {
            (Stay::All, _) | (Stay::Of(_), None) => true,
            (Stay::Of(periods), Some(start)) => periods.contains(&start),
        }
    }
}

impl Doubt {
    /// A file could not be read to its end, which told these bills before, if it told any: none of them where they were too many to be kept.
    pub fn of_file(&mut self, file: &Path, before: Option<&[String]>) {
        self.files.insert(file.to_owned());
        self.anywhere |= before.is_some_and(<[String]>::is_empty);
        self.told(file, before.iter().copied().flatten().filter_map(|bill| start_of(bill)));
    }

    /// What cannot be read may lie anywhere.
    pub fn of_any_bill(&mut self) {
        self.anywhere = true;
    }

    /// A file has told bills whose periods begin on these days. One that is not in the folder of each of them shows that folders say nothing.
    pub fn told(&mut self, file: &Path, mut starts: impl Iterator<Item = NaiveDate>) {
        let period = period_of(file);
        self.anywhere |= starts.any(|start| period != Some(start));
    }

    /// The first of the files.
    pub fn first(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
    }

    /// The bills that these files may tell.
    pub fn stay(&self) -> Stay {
        let periods = self.files.iter().map(|file| period_of(file)).collect();
        match periods {
            Some(periods) if !(self.anywhere || self.files.is_empty()) => Stay::Of(periods),
            Some(_) | None => Stay::All,
        }
    }
}

/// The first day of the billing period that the folder of a file is named for, as exports of AWS and Azure have them:
/// `BILLING_PERIOD=2026-11`, `20261101-20261201`, `year=2026/month=11`; `2026-11` alike. Of folders within each other the innermost.
pub(super) fn period_of(file: &Path) -> Option<NaiveDate> {
    let folders: Vec<_> = file.parent()?.iter().map(|name| name.to_string_lossy()).collect();
    let year = |at: usize| folders.get(at.checked_sub(1)?)?.strip_prefix("year=")?.parse().ok();
    let named = |(at, name): (usize, &std::borrow::Cow<'_, str>)| {
        if let Some(number) = name.strip_prefix("month=") {
            return NaiveDate::from_ymd_opt(year(at)?, number.parse().ok()?, 1);
        }
        let key = "BILLING_PERIOD=";
        let value = name.get(..key.len()).filter(|front| front.eq_ignore_ascii_case(key));
        month(value.and_then(|key| name.get(key.len()..)).unwrap_or(name)).or_else(|| first_of_two(name))
    };
    folders.iter().enumerate().rev().find_map(named)
}

/// `2026-11`
fn month(text: &str) -> Option<NaiveDate> {
    let whole = text.len() == "2026-11".len();
    NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
        .ok()
        .filter(|_| whole)
}

/// `20261101-20261201`
fn first_of_two(text: &str) -> Option<NaiveDate> {
    let (from, to) = text.split_once('-')?;
    let day = |text: &str| {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
        NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| digits)
    };
    let (from, to) = (day(from)?, day(to)?);
    (from < to).then_some(from)
}

/// The day on which the period of a bill begins, by its identity in the ledger.
pub(super) fn start_of(identity: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(identity.rsplit('/').next()?, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_the_period_that_it_is_named_for() {
        for (file, day) in [
            ("data/BILLING_PERIOD=2026-11/a.csv.gz", "2026-11-01"),
            ("data/billing_period=2026-11/part/a.csv.gz", "2026-11-01"),
            (
                "20261101-20261130/0f8fad5b-d9cb-469f-a165-70867728950e/part_0.csv",
                "2026-11-01",
            ),
            ("cur/20261115-20261215/a.csv", "2026-11-15"),
            ("cur/year=2026/month=7/a.parquet", "2026-07-01"),
            ("2025-01/2026-11/a.csv", "2026-11-01"),
        ] {
            let told = period_of(Path::new(file)).map(|day| day.to_string());
            assert_eq!(told.as_deref(), Some(day), "{file}");
        }
        for file in [
            "a.csv",
            "2026-11.csv",
            "date=2026-11-01/a.csv",
            "2026-11-01/a.csv",
            "2026-13/a.csv",
            "month=11/a.csv",
            "year=2026/x/month=11/a.csv",
            "20261101-20261101/a.csv",
            "20261101/a.csv",
            "november/a.csv",
        ] {
            assert_eq!(period_of(Path::new(file)), None, "{file}");
        }
        assert_eq!(
            start_of("bill/aws/1/2026-11-01").map(|d| d.to_string()).as_deref(),
            Some("2026-11-01")
        );
        assert_eq!(start_of("costs/openai/2026-11-01T00"), None);
    }
}
