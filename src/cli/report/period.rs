//! Which period a report is about, and which one it is compared with.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::cli::CliError;
use crate::domain::period::{Calendar, Period, midnight};

/// Days shown when this month has no spend.
const FALLBACK_DAYS: i64 = 30;

/// The period and the one before.
pub fn chosen(
    (from, to): (Option<NaiveDate>, Option<NaiveDate>),
    zone: Tz,
    now: DateTime<Utc>,
    span: Option<Period>,
) -> Result<(Period, Period), CliError> {
    let month = Calendar::Month.around(now, zone);
    let period = match (from, to) {
        (None, None) => match span {
            Some(span) if span.end <= month.start || span.start >= month.end => last_days(span, zone),
            _ => month,
        },
        (from, to) => {
            let start = from.map_or_else(
                || {
                    to.map_or(month.start, |to| {
                        Calendar::Month
                            .around(midnight(to, zone) - TimeDelta::hours(1), zone)
                            .start
                    })
                },
                |day| midnight(day, zone),
            );
            let end = to.map_or(month.end, |day| midnight(day, zone));
            if end <= start {
                let shown = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive().to_string();
                return Err(
                    CliError::usage(format!("the period from {} to {} is empty", shown(start), shown(end)))
                        .hint("`--to` is the day after the last one: for November `--from 2026-11-01 --to 2026-12-01`"),
                );
            }
            Period::new(start, end)
        }
    };
    Ok((period, before(period, zone, now)))
}

fn last_days(span: Period, zone: Tz) -> Period {
    let last = Calendar::Day.around(span.end - TimeDelta::seconds(1), zone);
    let first = last.start.with_timezone(&zone).date_naive() - TimeDelta::days(FALLBACK_DAYS - 1);
    Period::new(midnight(first, zone), last.end)
}

/// A whole calendar month is compared with the month before, all else with the span of equal length before; a period that
/// is not over with as much of the one before.
pub fn before(period: Period, zone: Tz, now: DateTime<Utc>) -> Period {
    let elapsed = period.until(now.max(period.start)).length();
    let month = Calendar::Month.around(period.start, zone);
    let whole = if month == period {
        Calendar::Month.around(period.start - TimeDelta::hours(1), zone)
    } else {
        period.previous()
    };
    if elapsed >= period.length() || elapsed <= TimeDelta::zero() {
        return whole;
    }
    Period::new(whole.start, (whole.start + elapsed).min(whole.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn shown(from: Option<&str>, to: Option<&str>, now: &str, span: Option<(&str, &str)>) -> String {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let span = span.map(|(start, end)| Period::new(at(start), at(end)));
        match chosen((from.map(day), to.map(day)), Tz::UTC, at(now), span) {
            Ok((period, previous)) => format!("{period} after {previous}"),
            Err(error) => error.message,
        }
    }

    #[test]
    fn periods_are_what_was_asked_or_what_has_spend() {
        let now = "2026-11-24T12:00:00Z";
        let recent = Some(("2026-10-01T00:00:00Z", "2026-11-24T10:00:00Z"));
        let old = Some(("2026-01-01T00:00:00Z", "2026-03-05T10:00:00Z"));
        insta::assert_snapshot!(shown(None, None, now, recent), @"2026-11-01T00:00Z to 2026-12-01T00:00Z after 2026-10-01T00:00Z to 2026-10-24T12:00Z");
        insta::assert_snapshot!(shown(None, None, now, old), @"2026-02-04T00:00Z to 2026-03-06T00:00Z after 2026-01-05T00:00Z to 2026-02-04T00:00Z");
        insta::assert_snapshot!(shown(Some("2026-09-01"), Some("2026-10-01"), now, old), @"2026-09-01T00:00Z to 2026-10-01T00:00Z after 2026-08-01T00:00Z to 2026-09-01T00:00Z");
        insta::assert_snapshot!(shown(None, Some("2026-10-01"), now, old), @"2026-09-01T00:00Z to 2026-10-01T00:00Z after 2026-08-01T00:00Z to 2026-09-01T00:00Z");
        insta::assert_snapshot!(shown(Some("2026-11-02"), Some("2026-11-01"), now, old), @"the period from 2026-11-02 to 2026-11-01 is empty");
    }
}
