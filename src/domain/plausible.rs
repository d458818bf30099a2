//! The years that a date may lie in: beyond them calendars and time zones cannot be counted with.

use std::fmt::Display;

use chrono::Datelike;

/// The first and the last of them.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// Whether a date lies in a year that can be counted with.
#[must_use]
pub fn is_plausible(date: &impl Datelike) -> bool {
    YEARS.contains(&date.year())
}

/// The date, if it lies in such a year.
///
/// ```
/// use chrono::NaiveDate;
/// use finops::domain::plausible::plausible;
/// assert!(plausible(NaiveDate::from_ymd_opt(9999, 12, 31).unwrap()).is_ok());
/// assert_eq!(
///     plausible(NaiveDate::MAX).unwrap_err(),
///     "+262142-12-31 is not of the years 1900 to 9999"
/// );
/// ```
pub fn plausible<D: Datelike + Display>(date: D) -> Result<D, String> {
    let (first, last) = (YEARS.start(), YEARS.end());
    match is_plausible(&date) {
        true => Ok(date),
        false => Err(format!("{date} is not of the years {first} to {last}")),
    }
}
