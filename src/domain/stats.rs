//! Statistics over floats. Results are estimates, never money.
#![expect(clippy::float_arithmetic, reason = "the one module where estimates are computed")]

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

/// Days of history from which weekday factors are taken: below two weeks each weekday has one value at most.
const WEEKDAY_DAYS: usize = 14;

/// Days of history from which it is taken what is usual, and how days scatter.
const USUAL_DAYS: usize = 28;

/// How many times the median day one may cost to be expected again. What is above it once was a batch; at two of the last three days it
/// is a new level.
const UNUSUAL: f64 = 3.0;

/// Days above that in [`USUAL_DAYS`] that may be batches.
const RARE: usize = 2;

/// z of the 80 % interval of the normal distribution (10 % on either side).
const Z80: f64 = 1.281_551_6;

/// A daily run rate: what a coming day will cost, by weekday, and how much days scatter around it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRate {
    mean: f64,
    factors: [f64; 7],
    deviation: f64,
    unusual: Vec<usize>,
}

impl RunRate {
    /// From complete days, oldest first, each with its weekday (Monday 0). `None` below 3 days: silence beats guessing.
    #[must_use]
    pub fn of(days: &[(usize, Decimal)]) -> Option<RunRate> {
        if days.len() < 3 {
            return None;
        }
        let values: Vec<(usize, f64)> = days.iter().map(|(w, v)| (*w % 7, v.to_f64().unwrap_or(0.0))).collect();
        let unusual = outliers(&values);
        let usual: Vec<(usize, (usize, f64))> = (0..)
            .zip(values.iter().copied())
            .filter(|(at, _)| !unusual.contains(at))
            .collect();
        let mean = usual.iter().map(|(_, (_, v))| v).sum::<f64>() / usual.len().max(1) as f64;
        let mut factors = [1.0; 7];
        if values.len() >= WEEKDAY_DAYS && mean > 0.0 {
            for (weekday, factor) in factors.iter_mut().enumerate() {
                let same = usual.iter().filter(|(_, (w, _))| *w == weekday);
                let same: Vec<f64> = same.map(|(_, (_, v))| *v).collect();
                // Shrunk towards 1 by one pseudo-day, so that a single odd Sunday does not decide all Sundays.
                *factor = (same.iter().sum::<f64>() / mean + 1.0) / (same.len() as f64 + 1.0);
            }
        }
        // The level is that of the days since the last complete week: a rise shows at once, a weekend does not look like a fall.
        let recent = || {
            usual
                .iter()
                .filter(|(at, _)| at + 7 >= values.len())
                .map(|(_, day)| day)
        };
        let expected: f64 = recent().map(|(w, _)| factors.get(*w).copied().unwrap_or(1.0)).sum();
        let level = if expected > 0.0 {
            recent().map(|(_, v)| v).sum::<f64>() / expected
        } else {
            0.0
        };
        // What is not expected again may happen again all the same: it widens the interval.
        let squares: f64 = values
            .iter()
            .rev()
            .take(USUAL_DAYS)
            .map(|(w, v)| (v - level * factors.get(*w).copied().unwrap_or(1.0)).powi(2))
            .sum();
        let deviation = (squares / ((values.len() as f64).min(USUAL_DAYS as f64) - 1.0)).sqrt();
        Some(RunRate {
            mean: level,
            factors,
            deviation,
            unusual,
        })
    }

    /// The positions of days that cost so much more than usual that they are not expected again.
    #[must_use]
    pub fn unusual(&self) -> &[usize] {
        &self.unusual
    }

    /// What these coming days (weekday, share of the day that is left) will cost: low, middle, high of the 80 % interval.
    /// The scatter of single days adds up by the root, the doubt about the level itself in proportion.
    #[must_use]
    pub fn ahead(&self, days: &[(usize, f64)], observed: usize) -> [Decimal; 3] {
        let middle: f64 = days
            .iter()
            .map(|(w, s)| self.mean * self.factors.get(w % 7).copied().unwrap_or(1.0) * s)
            .sum();
        let length: f64 = days.iter().map(|(_, s)| s).sum();
        let doubt = length / (observed.min(7) as f64).sqrt();
        let spread = Z80 * self.deviation * (length + doubt * doubt).sqrt();
        [middle - spread, middle, middle + spread]
            .map(|v| Decimal::from_f64(v.max(0.0)).unwrap_or_default().round_dp(6))
    }

    /// What one coming day of this weekday will cost.
    #[must_use]
    pub fn day(&self, weekday: usize) -> Decimal {
        let value = self.mean * self.factors.get(weekday % 7).copied().unwrap_or(1.0);
        Decimal::from_f64(value.max(0.0)).unwrap_or_default().round_dp(6)
    }
}

/// What a day of the last weeks usually costs. Where most cost nothing, one of those that cost something, unless these are rare; of a
/// scope that is too new to say so, the least of them is no rarity.
fn usual(values: &[(usize, f64)]) -> f64 {
    let lately = || values.iter().rev().take(USUAL_DAYS).map(|(_, v)| *v);
    let used = lately().filter(|v| *v > 0.0);
    let median = median(lately());
    if median == 0.0 && used.clone().count() > RARE {
        self::median(used)
    } else if median == 0.0 && values.len() < USUAL_DAYS && used.clone().count() > 1 {
        used.fold(f64::INFINITY, f64::min)
    } else {
        median
    }
}

/// The positions of single days that are far above the others. What is above them on more than two days in four weeks, or on a weekday
/// that usually is, is how it is.
fn outliers(values: &[(usize, f64)]) -> Vec<usize> {
    let usual = usual(values);
    let most = usual * UNUSUAL;
    // A day far below the others, as in an office at a weekend, says nothing of the level.
    let busy = values.iter().rev().filter(|(_, v)| *v * UNUSUAL >= usual);
    let is_level = busy.take(3).filter(|(_, v)| *v > most).count() > 1;
    if usual < 0.0 || is_level {
        return Vec::new();
    }
    let above: Vec<usize> = (0..)
        .zip(values)
        .filter(|(_, (_, v))| *v > most)
        .map(|(at, _)| at)
        .collect();
    let is_rare = |at: usize| above.iter().filter(|other| other.abs_diff(at) < USUAL_DAYS).count() <= RARE;
    let is_of_its_weekday = |at: usize, (weekday, value): (usize, f64)| {
        let others = (0..)
            .zip(values)
            .filter(|(other, (w, _))| *w == weekday && *other != at);
        // Where nothing is usual, a little on the same weekday makes nothing of this usual.
        let least = if usual > 0.0 { most } else { value / UNUSUAL };
        // On either side of it, so that a weekday that was so once does not stay so.
        let near = others.filter(|(other, _)| usize::abs_diff(*other, at) <= USUAL_DAYS);
        median(near.map(|(_, (_, v))| *v)) > least
    };
    above
        .iter()
        .copied()
        .filter(|at| is_rare(*at) && values.get(*at).is_some_and(|day| !is_of_its_weekday(*at, *day)))
        .collect()
}

/// The middle one, the higher of two; 0 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The probability that a quantity exceeds `bound`, given the middle and upper end of its 80 % interval.
#[must_use]
pub fn probability_above(bound: Decimal, middle: Decimal, high: Decimal) -> f64 {
    let [bound, middle, high] = [bound, middle, high].map(|v| v.to_f64().unwrap_or(0.0));
    let sigma = (high - middle) / Z80;
    if sigma <= 0.0 {
        return if middle > bound { 1.0 } else { 0.0 };
    }
    // Logistic approximation of the normal distribution, within 0.01 of it (Bowling et al. 2009).
    let z = (middle - bound) / sigma;
    1.0 / (1.0 + (-(0.07056 * z.powi(3) + 1.5976 * z)).exp())
}

/// The share of a span that has passed, 0 to 1.
#[must_use]
pub fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        1.0
    } else {
        (part as f64 / whole as f64).clamp(0.0, 1.0)
    }
}

/// A share of 0 to 1 as whole percent.
#[must_use]
pub fn percent(share: f64) -> Decimal {
    Decimal::from_f64(share * 100.0).unwrap_or_default().round()
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::RunRate;

    /// So many days, of which the first is a Thursday, as 2026-10-01 is.
    fn days(count: usize, cost: impl Fn(usize, usize) -> i64) -> Vec<(usize, Decimal)> {
        let weekday = |at: usize| (at + 3) % 7;
        (0..count)
            .map(|at| (weekday(at), Decimal::new(cost(at, weekday(at)), 2)))
            .collect()
    }

    /// What four weeks to come will cost, in whole dollars, and which days are not expected again.
    fn ahead(days: &[(usize, Decimal)]) -> (i64, Vec<usize>) {
        let rate = RunRate::of(days).unwrap();
        let week: Decimal = (0..7).map(|weekday| rate.day(weekday)).sum();
        let whole = (week * Decimal::from(4)).round();
        (i64::try_from(whole).unwrap(), rate.unusual().to_vec())
    }

    #[test]
    fn what_comes_back_is_expected_again_on_each_day_of_the_week() {
        type Series = fn(usize, usize) -> i64;
        let series: [(&str, Series); 5] = [
            ("a batch each Sunday", |_, w| if w == 6 { 7000 } else { 500 }),
            ("batches on Tuesdays and Fridays", |_, w| {
                if w == 1 || w == 4 { 6000 } else { 600 }
            }),
            ("three days a week over cents", |_, w| {
                if w == 0 || w == 2 || w == 4 { 5000 } else { 2 }
            }),
            ("Sundays alone", |_, w| if w == 6 { 7000 } else { 0 }),
            (
                "Tuesdays and Fridays alone",
                |_, w| if w == 1 || w == 4 { 6000 } else { 0 },
            ),
        ];
        for (name, cost) in series {
            let week: i64 = (0..7).map(|w| cost(0, w)).sum();
            // From four weeks on, and on whatever day one looks.
            for count in 28..62 {
                let (found, unusual) = ahead(&days(count, cost));
                assert!(unusual.is_empty(), "{name}, {count} days: {unusual:?}");
                let off = (found * 100 - week * 4).abs();
                assert!(off * 5 < week * 4, "{name}, {count} days: {found} for {}", week * 4);
            }
        }
    }

    #[test]
    fn a_batch_where_most_days_cost_nothing_is_not_expected_again() {
        let cents = |batch: usize| move |at: usize, w: usize| if at == batch { 9000 } else { 2 * i64::from(w == 0) };
        for (name, batch, first, cost) in [
            (
                "on the sixth Monday of cents",
                39,
                40,
                &cents(39) as &dyn Fn(usize, usize) -> i64,
            ),
            ("on the second Monday", 11, 12, &cents(11)),
            ("and nothing ever before", 0, 3, &|at, _| if at == 0 { 9000 } else { 0 }),
        ] {
            for count in first..first + 8 {
                let (found, unusual) = ahead(&days(count, cost));
                assert!(
                    found == 0 && unusual == [batch],
                    "{name}, {count} days: {found} {unusual:?}"
                );
            }
        }
        // Two working days, and the days off behind them.
        for count in 3..9 {
            let (found, unusual) = ahead(&days(count, |at, _| if at < 2 { 9000 } else { 0 }));
            assert!(found > 300 && unusual.is_empty(), "{count} days: {found} {unusual:?}");
        }
        // Twice on the same day of the week it comes each week, and on two of three days it is a level.
        let weekly = days(14, |_, w| if w == 0 { 9000 } else { 0 });
        assert!(ahead(&weekly).0 > 300, "{:?}", ahead(&weekly));
        let new = days(30, |at, _| if at == 27 || at == 29 { 9000 } else { 0 });
        assert!(ahead(&new).0 > 300, "{:?}", ahead(&new));
    }

    #[test]
    fn a_step_up_at_an_office_stays_one_over_weekends() {
        // From a Monday on, and from a Thursday on, so that a weekend comes after two days.
        for step in [39, 42] {
            let cost = |at: usize, w: usize| match w {
                5 | 6 => 30,
                _ if at < step => 800,
                _ => 4000,
            };
            for count in step + 2..=61 {
                let (found, unusual) = ahead(&days(count, cost));
                assert!(unusual.is_empty(), "{step}, {count} days: {unusual:?}");
                // Five days of $8 come to $160 in four weeks.
                assert!(count < step + 3 || found > 400, "{step}, {count} days: {found}");
            }
        }
    }

    #[test]
    fn what_comes_once_is_not_expected_again() {
        for batch in [5, 12, 27, 35, 39] {
            let (found, unusual) = ahead(&days(40, |at, _| if at == batch { 50_000 } else { 1000 }));
            assert_eq!(unusual, vec![batch]);
            assert_eq!(found, 280, "{batch}");
        }
        // Two in four weeks, on different weekdays.
        let (found, unusual) = ahead(&days(40, |at, _| if at == 20 || at == 31 { 50_000 } else { 1000 }));
        assert_eq!(unusual, vec![20, 31]);
        assert_eq!(found, 280);
        // A third one is how it is.
        let often = |at: usize, _: usize| if [20, 31, 36].contains(&at) { 50_000 } else { 1000 };
        assert!(ahead(&days(40, often)).1.is_empty());
    }
}
