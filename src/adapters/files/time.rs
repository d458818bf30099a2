//! Instants from the many ways in which logs spell them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::money::{mul_exact, parse_decimal};

/// An instant and whether the text named its zone. Offsets, fractions of up to nine digits, a space in place of the `T`, a
/// date alone, and an epoch in digits are understood.
pub(super) fn parse_time(text: &str) -> Option<(DateTime<Utc>, bool)> {
    if let Some(at) = common(text.as_bytes()) {
        return Some((at, true));
    }
    let text = text.trim();
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Some((at, true));
    }
    for pattern in [
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f %#z",
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

fn naive(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

/// The one shape that nearly every record has, `2026-10-20T08:15:04.120Z`, without a general parser.
fn common(text: &[u8]) -> Option<DateTime<Utc>> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        b'Z',
    ] = text
    else {
        return None;
    };
    let mut digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, f1, f2, f3];
    let mut odd = false;
    for digit in &mut digits {
        *digit = digit.wrapping_sub(b'0');
        odd |= *digit > 9;
    }
    if odd {
        return None;
    }
    let [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, f1, f2, f3] = digits.map(u32::from);
    let year = i32::try_from(y1 * 1000 + y2 * 100 + y3 * 10 + y4).ok()?;
    let date = NaiveDate::from_ymd_opt(year, m1 * 10 + m2, d1 * 10 + d2)?;
    let time = date.and_hms_milli_opt(h1 * 10 + h2, n1 * 10 + n2, s1 * 10 + s2, f1 * 100 + f2 * 10 + f3)?;
    Some(time.and_utc())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_one_instant_agree() {
        let at = parse_time("2026-10-20T08:15:04.250Z").unwrap().0;
        for text in [
            "2026-10-20T10:15:04.250+02:00",
            "2026-10-20T08:15:04.2500000Z",
            "2026-10-20T08:15:04.250000000Z",
            "2026-10-20 08:15:04.250000+00:00",
            "2026-10-20 08:15:04.25+00",
            "1792484104.25",
            "1792484104250",
            "1792484104250000",
            "1792484104250000000",
        ] {
            assert_eq!(parse_time(text), Some((at, true)), "{text}");
        }
        assert_eq!(parse_time("2026-10-20 08:15:04.250"), Some((at, false)));
        for wrong in ["", "yesterday", "2026-13-01T00:00:00.000Z"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
