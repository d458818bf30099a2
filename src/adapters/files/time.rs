//! Instants from the many ways in which logs spell them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::money::{mul_exact, parse_decimal};
use crate::domain::period::{Hour, Period};
use crate::domain::plausible::is_plausible;

use super::line::Fault;

/// An instant and whether the text named its zone. Offsets, fractions of up to nine digits, a space in place of the `T`, a
/// date alone, and an epoch in digits are understood.
pub(super) fn parse_time(text: &str) -> Option<(DateTime<Utc>, bool)> {
    let usual = Times::default().usual(text).map(|at| (at, true));
    // What cannot be counted with is no time of a call.
    let at = usual.or_else(|| unusual(text).map(|(at, named)| (unleaped(at), named)));
    at.filter(|(at, _)| is_plausible(at))
}

/// The end of the second before in place of a leap second, which is no second of the epoch.
fn unleaped(at: DateTime<Utc>) -> DateTime<Utc> {
    at.with_nanosecond(at.nanosecond().min(999_999_999)).unwrap_or(at)
}

fn unusual(text: &str) -> Option<(DateTime<Utc>, bool)> {
    let text = text.trim();
    // ISO 8601 has the comma as a decimal sign, too, and loggers of Python and Java write it.
    if let Some((seconds, fraction)) = text.split_once(',') {
        let is_clock =
            seconds.len() == "2026-10-20 08:15:04".len() && fraction.starts_with(|c: char| c.is_ascii_digit());
        return is_clock.then(|| unusual(&format!("{seconds}.{fraction}"))).flatten();
    }
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Some((at, true));
    }
    for pattern in [
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f %#z",
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%d %H:%M%#z",
    ] {
        if let Ok(at) = DateTime::parse_from_str(text, pattern) {
            return Some((at.to_utc(), true));
        }
    }
    if let Some(naive) = text.strip_suffix(" UTC").and_then(naive) {
        return Some((Utc.from_utc_datetime(&naive), true));
    }
    if let Some(naive) = naive(text) {
        return Some((Utc.from_utc_datetime(&naive), false));
    }
    parse_decimal(text).ok().and_then(epoch).map(|at| (at, true))
}

/// The midnight of a date alone.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
    day.and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc())
}

fn naive(text: &str) -> Option<NaiveDateTime> {
    let patterns = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    patterns
        .iter()
        .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())
        .or_else(|| date(text).map(|midnight| midnight.naive_utc()))
}

/// Reads the shapes that nearly every record has, `2026-10-20T08:15:04.120Z`, `2026-10-20 08:15:04+00:00` and an epoch in digits, without a
/// general parser. The records of a log lie near each other: the hour of the one before is most often the hour of the next.
pub(super) struct Times {
    date: [u8; 10],
    day: NaiveDate,
    /// What the time read last has in front of its minute, as [`Written`] has it, and the seconds of the day until then.
    hour: (u64, u64),
    until: u32,
}

/// What no text is.
const NO_HOUR: (u64, u64) = (u64::MAX, u64::MAX);

impl Default for Times {
    fn default() -> Self {
        Times {
            date: [0; 10],
            day: NaiveDate::default(),
            hour: NO_HOUR,
            until: 0,
        }
    }
}

/// A time of the commonest shape, `2026-10-20T08:15:04.120Z`, in pieces.
struct Written {
    /// The hour and what stands before it, in two numbers that share some bytes.
    hour: (u64, u64),
    /// `15:04.12`.
    clock: u64,
    /// `0Z`.
    rest: [u8; 2],
}

impl Written {
    #[inline(always)]
    fn of(text: &str) -> Option<Self> {
        let (text, []) = text.as_bytes().split_first_chunk::<24>()? else {
            return None;
        };
        let (hour, rest) = text.split_first_chunk::<14>()?;
        let (clock, rest) = rest.split_first_chunk::<8>()?;
        Some(Written {
            hour: ends(hour)?,
            clock: u64::from_le_bytes(*clock),
            rest: *rest.first_chunk()?,
        })
    }

    /// Seconds and milliseconds of the hour.
    #[inline(always)]
    fn within_hour(&self) -> Option<(u32, u32)> {
        const SHAPE: u64 = u64::from_le_bytes(*b"00:00.00");
        // Carries into the highest bit of a byte what is above nine in place of a digit, or anything in place of another sign.
        const LIMITS: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
        let digits = self.clock ^ SHAPE;
        let [last, zone] = self.rest;
        let last = last.wrapping_sub(b'0');
        if (digits | digits.wrapping_add(LIMITS)) & 0x8080_8080_8080_8080 != 0 || last > 9 || zone != b'Z' {
            return None;
        }
        // Tens and ones of each pair, where its tens stand.
        let [minutes, _, _, seconds, _, _, hundredths, _] =
            digits.wrapping_mul(10).wrapping_add(digits >> 8).to_le_bytes();
        let millis = u32::from(hundredths) * 10 + u32::from(last);
        (minutes < 60 && seconds < 60).then_some((u32::from(minutes) * 60 + u32::from(seconds), millis))
    }
}

/// The first eight and the last eight bytes.
#[inline(always)]
fn ends(text: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
}

impl Times {
    /// The instant, if the text is of such a shape.
    #[inline(always)]
    pub fn usual(&mut self, text: &str) -> Option<DateTime<Utc>> {
        self.same_hour(text).or_else(|| self.other(text))
    }

    /// The instant, if it lies in the hour of the time before and is written as that was.
    #[inline(always)]
    fn same_hour(&self, text: &str) -> Option<DateTime<Utc>> {
        let written = Written::of(text)?;
        let (seconds, millis) = written.within_hour()?;
        if written.hour != self.hour {
            return None;
        }
        let time = NaiveTime::from_num_seconds_from_midnight_opt(self.until + seconds, millis * 1_000_000)?;
        Some(self.day.and_time(time).and_utc())
    }

    #[inline(never)]
    fn other(&mut self, text: &str) -> Option<DateTime<Utc>> {
        let Some(at) = self.written(text) else {
            return counted(text.as_bytes());
        };
        if let Some(written) = Written::of(text) {
            (self.hour, self.until) = (written.hour, at.num_seconds_from_midnight() / 3600 * 3600);
        }
        Some(at)
    }

    fn written(&mut self, text: &str) -> Option<DateTime<Utc>> {
        let (date, time) = text.as_bytes().split_first_chunk::<10>()?;
        let (clock, rest) = time.split_first_chunk::<9>()?;
        let &[b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
            return None;
        };
        let nanos = match rest {
            &[b'.', f1, f2, f3, b'Z'] => number([f1, f2, f3])? * 1_000_000,
            rest => fraction(rest)?,
        };
        if self.date != *date {
            let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
                return None;
            };
            let year = i32::try_from(number([y1, y2, y3, y4])?).ok()?;
            self.day = NaiveDate::from_ymd_opt(year, number([m1, m2])?, number([d1, d2])?)?;
            self.date = *date;
            // Another day has other hours.
            self.hour = NO_HOUR;
        }
        let (hour, minute, second) = (number([h1, h2])?, number([m1, m2])?, number([s1, s2])?);
        let time = self.day.and_hms_nano_opt(hour, minute, second, nanos)?;
        Some(time.and_utc())
    }
}

/// Nanoseconds of what stands behind the seconds of a time in UTC.
fn fraction(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00"))?;
    let digits = match digits {
        [] => return Some(0),
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut nine = [b'0'; 9];
    nine.iter_mut().zip(digits).for_each(|(slot, digit)| *slot = *digit);
    number(nine)
}

fn number<const N: usize>(digits: [u8; N]) -> Option<u32> {
    digits.into_iter().try_fold(0, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then_some(sum * 10 + u32::from(digit))
    })
}

/// The instant of an epoch in seconds or finer, all digits.
fn counted(text: &[u8]) -> Option<DateTime<Utc>> {
    if !(10..=19).contains(&text.len()) {
        return None;
    }
    let value = text.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then_some(sum * 10 + u64::from(digit))
    })?;
    whole_epoch(value)
}

/// The instant of a whole epoch, as [`epoch`] tells it.
pub(super) fn whole_epoch(value: u64) -> Option<DateTime<Utc>> {
    let factor = match value {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let nanos = i64::try_from(value.checked_mul(factor)?).ok()?;
    Some(DateTime::from_timestamp_nanos(nanos))
}

/// The instant of an epoch whose unit its size tells: seconds, milliseconds, microseconds or nanoseconds.
pub(super) fn epoch(value: Decimal) -> Option<DateTime<Utc>> {
    let size = value.abs();
    let factor = [
        (100_000_000_000_i64, 1_000_000_000_i64),
        (100_000_000_000_000, 1_000_000),
        (100_000_000_000_000_000, 1_000),
    ]
    .into_iter()
    .find(|(limit, _)| size < Decimal::from(*limit))
    .map_or(1, |(_, factor)| factor);
    let nanos = mul_exact(value, Decimal::from(factor)).ok()?.trunc().to_i64()?;
    Some(DateTime::from_timestamp_nanos(nanos))
}

/// 2000-01-01: no cloud has a bill of before.
const FIRST_BILL: DateTime<Utc> = DateTime::from_timestamp_nanos(946_684_800_000_000_000);
/// Days from the beginning of a billing period: what is charged earlier is corrected within years, and what is bought is no longer.
const FAR: i64 = 5 * 366;

/// What is told of such a charge.
pub(super) const FAR_AWAY: &str = "implausible time, years away from the billing period";

/// The billing period from one instant to another, each with the column that tells it.
pub(super) fn billing_period(
    (start, from): (DateTime<Utc>, &str),
    (end, to): (DateTime<Utc>, &str),
    latest: DateTime<Utc>,
) -> Result<Period, Fault> {
    if start < FIRST_BILL {
        return Err(Fault::field(from, "implausible time before 2000"));
    }
    if start > latest {
        return Err(Fault::field(from, "implausible time in the future"));
    }
    if end < start || is_far(start, Hour::of(end)) {
        return Err(Fault::field(
            to,
            format!("implausible end of a period from {}", start.date_naive()),
        ));
    }
    Ok(Period::new(start, end))
}

/// Whether a charge is years away from the beginning of its billing period, so that its time is mistaken.
pub(super) fn is_far(start: DateTime<Utc>, charged: Hour) -> bool {
    let day = |hour: Hour| hour.0.div_euclid(24);
    (day(charged) - day(Hour::of(start))).abs() > FAR
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_epochs_are_those_of_decimals(value in any::<u64>(), digits in 0..20_u32) {
            let value = value % 10_u64.saturating_pow(digits).max(1);
            prop_assert_eq!(whole_epoch(value), epoch(Decimal::from(value)));
        }
    }

    proptest! {
        /// Times that lie in one hour or two, some of them with a byte that is wrong.
        #[test]
        fn a_time_is_read_as_if_none_had_been_before(
            times in prop::collection::vec((0..3_u32, 0..62_u32, 0..62_u32, 0..1000_u32, any::<bool>(), 0..60_usize, any::<u8>()), 1..20)
        ) {
            let mut times_before = Times::default();
            for (hour, minute, second, millis, space, at, byte) in times {
                let between = if space { ' ' } else { 'T' };
                let text = format!("2026-10-2{}{between}{:02}:{minute:02}:{second:02}.{millis:03}Z", hour % 2, 22 + hour);
                let mut text = text.into_bytes();
                if let Some(slot) = text.get_mut(at) {
                    *slot = byte % 128;
                }
                let text = String::from_utf8(text).unwrap();
                prop_assert_eq!(times_before.usual(&text), Times::default().written(&text).or_else(|| counted(text.as_bytes())), "{}", text);
            }
        }
    }

    #[test]
    fn all_spellings_of_one_instant_agree() {
        let at = parse_time("2026-10-20T08:15:04.250Z").unwrap().0;
        for text in [
            "2026-10-20T10:15:04.250+02:00",
            "2026-10-20T08:15:04.25Z",
            "2026-10-20 08:15:04.250Z",
            "2026-10-20 08:15:04.250+00:00",
            "2026-10-20T08:15:04.2500000Z",
            "2026-10-20T08:15:04.250000000Z",
            "2026-10-20 08:15:04.250000+00:00",
            "2026-10-20 08:15:04.25+00",
            "2026-10-20T08:15:04,250Z",
            "2026-10-20 10:15:04,250+0200",
            "1792484104.25",
            "1792484104250",
            "1792484104250000",
            "1792484104250000000",
        ] {
            assert_eq!(parse_time(text), Some((at, true)), "{text}");
        }
        assert_eq!(parse_time("2026-10-20 08:15:04.250"), Some((at, false)));
        assert_eq!(parse_time("2026-10-20 08:15:04,250"), Some((at, false)));
        let whole = parse_time("2026-10-20T08:15:04.000Z");
        for text in [
            "2026-10-20T08:15:04Z",
            "2026-10-20 08:15:04+00:00",
            "2026-10-20T09:15:04+01:00",
        ] {
            assert_eq!(parse_time(text), whole, "{text}");
        }
        let minute = parse_time("2026-10-20T08:15:00Z");
        for text in [
            "2026-10-20T08:15Z",
            "2026-10-20 08:15Z",
            "2026-10-20 08:15 UTC",
            "2026-10-20T09:15+01:00",
            "2026-10-20 10:15+0200",
        ] {
            assert_eq!(parse_time(text), minute, "{text}");
        }
        assert_eq!(parse_time("2026-10-20T08:15"), minute.map(|(at, _)| (at, false)));
        // A leap second is of the day that it ends, and kept as it is read.
        for leap in ["2026-11-19T23:59:60.000Z", "2026-11-20T00:59:60.25+01:00"] {
            let (at, _) = parse_time(leap).unwrap();
            assert_eq!(at.to_rfc3339(), "2026-11-19T23:59:59.999999999+00:00", "{leap}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-13-01T00:00:00.000Z",
            "2026-10-20T08:15:04.Z",
            "2026-10-20T08:15:04.x2Z",
            "2026-10-20 08:15:04,",
            "2026-10-20 08:15:04,250,000",
            "1792484104,25",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
