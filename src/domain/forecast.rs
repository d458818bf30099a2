//! Where a period's spend will end, with an interval. An estimate, typed so: it is shown and compared, never added to spend.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::period::{Period, midnight};
use super::stats::{RunRate, percent, probability_above, share};

/// Complete days below which there is no forecast.
pub const MIN_COMPLETE_DAYS: usize = 3;

/// A projected end of a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Middle of the projection: spent so far plus the run rate of what is left.
    pub end: Decimal,
    /// Lower end of the 80 % interval.
    pub low: Decimal,
    /// Upper end of the 80 % interval.
    pub high: Decimal,
    /// What is spent already: the period ends no lower.
    pub spent: Decimal,
    /// Complete days that it rests on.
    pub days: usize,
    /// The day on which the bound will be reached, within the period, also one that has passed where what has not come in yet reaches it;
    /// nothing where it has been.
    pub runs_out: Option<NaiveDate>,
    /// Days that cost so much more than usual that they are not expected again, oldest first.
    pub unusual: Vec<NaiveDate>,
}

impl Forecast {
    /// The probability in whole percent that the period ends above `bound`.
    #[must_use]
    pub fn chance_above(&self, bound: Decimal) -> Decimal {
        percent(self.probability_above(bound))
    }

    /// The probability, 0 to 1, that the period ends above `bound`.
    #[must_use]
    pub fn probability_above(&self, bound: Decimal) -> f64 {
        if self.spent > bound || (self.spent == bound && self.end > bound) {
            return 1.0;
        }
        probability_above(bound, self.end, self.high)
    }
}

/// Projects a period's end from the days before `now`.
///
/// `daily` holds complete local days, oldest first, without gaps, today left out; `spent` is the period's spend so far.
/// Spend to date plus, for each coming day, the level of the last 7 days times the factor of its weekday, and what is `agreed` to be paid on
/// it, which is neither in `daily` nor uncertain. A single day far above the others is in what is spent, and not in the level.
#[must_use]
pub fn forecast(
    period: Period,
    zone: Tz,
    daily: &[(NaiveDate, Decimal)],
    spent: Decimal,
    bound: Decimal,
    now: DateTime<Utc>,
    agreed: &BTreeMap<NaiveDate, Decimal>,
) -> Option<Forecast> {
    if daily.len() < MIN_COMPLETE_DAYS || !period.contains(now) {
        return None;
    }
    let weekday = |day: NaiveDate| day.weekday().num_days_from_monday() as usize;
    let days: Vec<(usize, Decimal)> = daily.iter().map(|(day, cost)| (weekday(*day), *cost)).collect();
    let rate = RunRate::of(&days)?;
    let today = now.with_timezone(&zone).date_naive();
    let mut ahead = Vec::new();
    let mut day = today;
    let mut sum = spent;
    let reached = spent >= bound;
    let mut runs_out = None;
    let mut start = midnight(day, zone);
    while start < period.end && ahead.len() < 400 {
        let next = day + Days::new(1);
        let end = midnight(next, zone);
        let left = share(
            (end.min(period.end) - now.max(start)).num_seconds(),
            (end - start).num_seconds(),
        );
        ahead.push((weekday(day), left));
        let [_, cost, _] = rate.ahead(&[(weekday(day), left)], daily.len());
        sum += cost + agreed.get(&day).copied().unwrap_or_default();
        if !reached && runs_out.is_none() && sum >= bound {
            runs_out = Some(day);
        }
        (day, start) = (next, end);
    }
    let [low, middle, high] = rate.ahead(&ahead, daily.len());
    let fixed = spent + agreed.values().sum::<Decimal>();
    Some(Forecast {
        end: fixed + middle,
        low: fixed + low,
        high: fixed + high,
        spent,
        days: daily.len(),
        runs_out,
        unusual: rate
            .unusual()
            .iter()
            .filter_map(|at| daily.get(*at))
            .map(|(day, _)| *day)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::period::Calendar;

    fn november(days: &[i64], now: &str, spent: i64) -> Option<Forecast> {
        let now: DateTime<Utc> = now.parse().unwrap();
        let first = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
        let daily: Vec<_> = (0..)
            .map(|d| first + Days::new(d))
            .zip(days.iter().map(|d| Decimal::from(*d)))
            .collect();
        forecast(
            Calendar::Month.around(now, Tz::UTC),
            Tz::UTC,
            &daily,
            spent.into(),
            250.into(),
            now,
            &BTreeMap::new(),
        )
    }

    #[test]
    fn silent_below_three_complete_days() {
        assert_eq!(november(&[10, 10], "2026-11-03T00:00:00Z", 20), None);
        assert!(november(&[10, 10, 10], "2026-11-04T00:00:00Z", 30).is_some());
    }

    #[test]
    fn steady_spend_goes_on() {
        let forecast = november(&[10; 10], "2026-11-11T00:00:00Z", 100).unwrap();
        assert_eq!(
            (forecast.end, forecast.low, forecast.high),
            (300.into(), 300.into(), 300.into())
        );
        assert_eq!(forecast.runs_out, NaiveDate::from_ymd_opt(2026, 11, 25));
        assert!(forecast.probability_above(250.into()) > 0.99);
    }

    #[test]
    fn one_expensive_day_is_spent_and_not_expected_again_and_two_are_a_new_level() {
        let mut days = vec![10; 10];
        days.push(500);
        for more in 0..3 {
            let spent: i64 = days.iter().sum();
            let now = format!("2026-11-{}T00:00:00Z", 12 + more);
            let forecast = november(&days, &now, spent).unwrap();
            assert_eq!(forecast.end, Decimal::from(790), "{forecast:?}");
            assert!(forecast.high > Decimal::from(1_000), "it may come again: {forecast:?}");
            assert_eq!(forecast.unusual, [NaiveDate::from_ymd_opt(2026, 11, 11).unwrap()]);
            days.push(10);
        }
        let risen = [10, 10, 10, 10, 10, 10, 10, 10, 10, 40, 40];
        let forecast = november(&risen, "2026-11-12T00:00:00Z", 170).unwrap();
        assert!(
            forecast.end > Decimal::from(500) && forecast.unusual.is_empty(),
            "{forecast:?}"
        );
    }

    #[test]
    fn weekends_are_expected_to_be_weekends() {
        // November 2026 begins on a Sunday: two whole weeks of 20 on workdays, nothing at weekends.
        let days: Vec<i64> = (0..14).map(|d| if d % 7 == 0 || d % 7 == 6 { 0 } else { 20 }).collect();
        let forecast = november(&days, "2026-11-15T00:00:00Z", 200).unwrap();
        let (low, high) = (Decimal::from(400), Decimal::from(450));
        assert!(
            forecast.end > low && forecast.end < high,
            "11 workdays and 5 weekend days are ahead: {forecast:?}"
        );
        assert!(forecast.low < forecast.end && forecast.end < forecast.high);
    }

    #[test]
    fn what_is_spent_is_not_uncertain_and_what_is_agreed_neither() {
        let spent = november(&[1, 19, 2, 20, 1, 260], "2026-11-30T18:00:00Z", 251).unwrap();
        assert!(spent.high - spent.end > Decimal::ONE, "{spent:?}");
        assert_eq!(spent.chance_above(250.into()), Decimal::ONE_HUNDRED, "{spent:?}");
        assert!(spent.chance_above(260.into()) < Decimal::ONE_HUNDRED, "{spent:?}");

        let now: DateTime<Utc> = "2026-11-11T00:00:00Z".parse().unwrap();
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let daily: Vec<_> = (1..=10).map(|at| (day(at), Decimal::ONE)).collect();
        let agreed = (11..=15).map(|at| (day(at), Decimal::from(24))).collect();
        let period = Calendar::Month.around(now, Tz::UTC);
        let found = forecast(period, Tz::UTC, &daily, 250.into(), 350.into(), now, &agreed).unwrap();
        assert_eq!((found.low, found.end, found.high), (390.into(), 390.into(), 390.into()));
        assert_eq!(found.runs_out, Some(day(14)));
    }
}
