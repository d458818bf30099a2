//! The last day of a report, of which it mostly holds a part: a sum by the day alone would pass for all of it.

use chrono::{DateTime, NaiveDate, Utc};

/// The last day that the rows tell of, if they do not reach its end, and the instant at which its rows stand; `day` and `hour` are the columns
/// with the day of a row and its last hour. A report that tells no hours has whole days.
pub(super) fn part_of_day(
    rows: &[Vec<String>],
    day: Option<usize>,
    hour: Option<usize>,
    now: DateTime<Utc>,
) -> Option<(NaiveDate, String)> {
    let told = rows.iter().filter_map(|row| {
        let day = row.get(day?)?.get(..10)?.parse::<NaiveDate>().ok()?;
        let hour: u32 = row.get(hour?)?.parse().ok()?;
        Some((day, hour))
    });
    let told: Vec<(NaiveDate, u32)> = told.filter(|(day, _)| *day <= now.date_naive()).collect();
    let has_hours = told.iter().any(|(_, hour)| *hour > 0);
    let (day, hour) = told.into_iter().max()?;
    // At midnight, and where days are folded, whole days stand.
    let at = match hour {
        0 | 10 => hour + 1,
        _ => hour,
    };
    (has_hours && hour < 23).then(|| (day, format!("{day}T{at:02}:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_the_report_does_not_reach_the_end_of_is_a_part() {
        let part = |rows: &[[&str; 2]]| {
            let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).into()).collect();
            let now = "2026-11-10T12:00:00Z".parse().unwrap();
            part_of_day(&rows, Some(0), Some(1), now).map(|(day, at)| (day.to_string(), at))
        };
        let at = |hour: &str| Some(("2026-11-09".to_owned(), format!("2026-11-09T{hour}:00:00Z")));
        let [before, last] = [["2026-11-08", "23"], ["2026-11-09", "07"]];
        assert_eq!(part(&[before, last]), at("07"));
        assert_eq!(part(&[before, ["2026-11-09", "22"], last]), at("22"));
        // Hours at which whole days stand are none of a part.
        assert_eq!(part(&[before, ["2026-11-09", "00"]]), at("01"));
        assert_eq!(part(&[before, ["2026-11-09", "10"], last]), at("11"));
        assert_eq!(part(&[["2026-11-09", "23"], last]), None, "all of it");
        // A report by the day, or a column of dates.
        assert_eq!(part(&[["2026-11-08", "00"], ["2026-11-09", "00"]]), None);
        assert_eq!(part(&[["2026-11-08", ""], ["2026-11-09", ""]]), None);
        // What is charged ahead tells nothing of how far the report goes.
        assert_eq!(part(&[before, last, ["2026-11-30", "00"]]), at("07"));
    }
}
