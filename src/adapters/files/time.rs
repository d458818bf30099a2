//! Instants as logs write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::Parsed;
use super::json::When;

/// An instant, and whether its zone was assumed to be UTC because the text has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Instant {
    pub at: DateTime<Utc>,
    pub zone_assumed: bool,
}

/// Reads `2026-10-20T08:15:04.120Z`, other offsets, a space instead of `T`, 0 to 9 decimals, no zone (taken as UTC).
pub(crate) fn parse(text: &str) -> Option<Instant> {
    if let Some(at) = fixed(text.as_bytes()) {
        return Some(Instant {
            at,
            zone_assumed: false,
        });
    }
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(Instant {
            at: at.to_utc(),
            zone_assumed: false,
        });
    }
    if let Ok(at) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(Instant {
            at: at.to_utc(),
            zone_assumed: false,
        });
    }
    let naive = NaiveDateTime::parse_from_str(&text.replacen(' ', "T", 1), "%Y-%m-%dT%H:%M:%S%.f").ok();
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|d| d.and_hms_opt(0, 0, 0))
    };
    if let Some(naive) = naive.or_else(day) {
        return Some(Instant {
            at: naive.and_utc(),
            zone_assumed: true,
        });
    }
    epoch(text).map(|at| Instant {
        at,
        zone_assumed: false,
    })
}

/// The shape that nearly every log uses, without the general parser: `YYYY-MM-DDThh:mm:ss.mmmZ`.
fn fixed(text: &[u8]) -> Option<DateTime<Utc>> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        mo0,
        mo1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        mi0,
        mi1,
        b':',
        s0,
        s1,
        b'.',
        f0,
        f1,
        f2,
        b'Z',
    ] = *text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |n, d| {
            if d.is_ascii_digit() {
                Some(n * 10 + u32::from(d - b'0'))
            } else {
                None
            }
        })
    };
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(number(&[y0, y1, y2, y3])?).ok()?,
        number(&[mo0, mo1])?,
        number(&[d0, d1])?,
    )?;
    let time = date.and_hms_milli_opt(
        number(&[h0, h1])?,
        number(&[mi0, mi1])?,
        number(&[s0, s1])?,
        number(&[f0, f1, f2])?,
    )?;
    Some(time.and_utc())
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size; decimals of seconds allowed.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let value = crate::domain::money::parse_decimal(text).ok()?;
    let whole = i64::try_from(value.trunc().mantissa()).ok()?;
    match whole.unsigned_abs() {
        0..100_000_000_000 => {
            let nanos = (value.fract() * rust_decimal::Decimal::from(1_000_000_000)).trunc();
            DateTime::from_timestamp(whole, u32::try_from(nanos.mantissa().abs()).ok()?)
        }
        100_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(whole),
        100_000_000_000_000..100_000_000_000_000_000 => DateTime::from_timestamp_micros(whole),
        _ => Some(DateTime::from_timestamp_nanos(whole)),
    }
}

/// The instant of a field, within what is plausible: not before 2018 (no model was sold), not after `latest`.
pub(crate) fn of_field(when: &When<'_>, field: &str, latest: DateTime<Utc>) -> Result<Instant, Parsed> {
    let parsed = match when {
        When::Absent => return Err(Parsed::rejected(field, "is missing")),
        When::Text(text) => parse(text),
        When::Number(text) => epoch(text).map(|at| Instant {
            at,
            zone_assumed: false,
        }),
        When::Bad => None,
    };
    let Some(instant) = parsed else {
        return Err(Parsed::rejected(field, "is not a time"));
    };
    if instant.at.timestamp() < 1_514_764_800 {
        return Err(Parsed::rejected(
            field,
            format!("is implausible: {} is before 2018", instant.at.format("%Y-%m-%d")),
        ));
    }
    if instant.at > latest {
        return Err(Parsed::rejected(
            field,
            format!("is implausible: {} is in the future", instant.at.format("%Y-%m-%d")),
        ));
    }
    Ok(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_instant() {
        for (text, want) in [
            ("2026-10-20T08:15:04.120Z", "2026-10-20T08:15:04.120Z"),
            ("2026-10-20T08:15:04Z", "2026-10-20T08:15:04Z"),
            ("2026-10-20T10:15:04.1234567+02:00", "2026-10-20T08:15:04.123456700Z"),
            ("2026-10-20 12:00:00.000000+00:00", "2026-10-20T12:00:00Z"),
            ("2026-10-20T08:15:04", "2026-10-20T08:15:04Z"),
            ("1792484104", "2026-10-20T08:15:04Z"),
            ("1792484104250", "2026-10-20T08:15:04.250Z"),
            ("1792484104250000", "2026-10-20T08:15:04.250Z"),
            ("1792484104250000000", "2026-10-20T08:15:04.250Z"),
            ("1792484104.25", "2026-10-20T08:15:04.250Z"),
        ] {
            assert_eq!(
                parse(text).unwrap().at,
                want.parse::<DateTime<Utc>>().unwrap(),
                "{text}"
            );
        }
        assert!(parse("2026-10-20T08:15:04").unwrap().zone_assumed);
        assert_eq!(parse("2026-13-20T08:15:04.120Z"), None);
        assert_eq!(parse("yesterday"), None);
    }
}
