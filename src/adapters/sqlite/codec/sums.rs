//! A row of spend as bytes one behind the other, as older schemas kept it.

use super::{Broken, Names, Reader, get_counts, get_dimensions};
#[cfg(test)]
use super::{put_counts, put_decimal, put_dimensions, put_signed};
use crate::domain::charge::summable;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::usage::Bucket;

/// Set in the first byte of a row that has audio, images or video.
const MEDIA: u8 = 128;

/// Appends one row of spend as older schemas kept it; its hour is kept by the caller.
#[cfg(test)]
pub fn put_spend<N: Names>(out: &mut Vec<u8>, key: &SpendKey, sums: &Sums, names: &mut N) -> Result<(), N::Error> {
    let media = Bucket::MEDIA.into_iter().any(|bucket| sums.tokens.get(bucket) != 0);
    out.push(key.basis as u8 | if media { MEDIA } else { 0 });
    out.extend_from_slice(key.currency.code().as_bytes());
    put_dimensions(out, &key.dimensions, names)?;
    put_signed(out, i128::from(sums.events));
    put_counts(
        out,
        Bucket::TEXT.into_iter().map(|b| sums.tokens.get(b)),
        sums.tokens.reasoning,
    );
    if media {
        for bucket in Bucket::MEDIA {
            put_signed(out, sums.tokens.get(bucket));
        }
    }
    for count in sums.requests {
        put_signed(out, i128::from(count));
    }
    put_decimal(out, sums.cost);
    put_decimal(out, sums.reported_cost);
    put_signed(out, i128::from(sums.unpriced_events));
    put_signed(out, sums.unpriced_tokens);
    put_decimal(out, sums.unpriced_worst_case);
    Ok(())
}

/// Reads one row of spend of an hour.
pub fn get_spend<N: Names>(from: &mut Reader<'_>, hour: Hour, names: &mut N) -> Result<(SpendKey, Sums), N::Error> {
    let first = from.byte()?;
    let basis = usize::from(first & !MEDIA);
    let basis = Basis::ALL.get(basis).copied().ok_or(Broken)?;
    let code: [u8; 3] = from.array()?;
    let currency: Currency = std::str::from_utf8(&code)
        .ok()
        .and_then(|c| c.parse().ok())
        .ok_or(Broken)?;
    let dimensions = get_dimensions(from, names)?;
    let mut sums = Sums {
        events: from.i64()?,
        ..Sums::default()
    };
    let (counts, reasoning) = get_counts(from)?;
    for (bucket, count) in Bucket::TEXT.into_iter().zip(counts) {
        sums.tokens.set(bucket, count);
    }
    sums.tokens.reasoning = reasoning;
    if first & MEDIA != 0 {
        for bucket in Bucket::MEDIA {
            sums.tokens.set(bucket, from.signed()?);
        }
    }
    for slot in &mut sums.requests {
        *slot = from.i64()?;
    }
    sums.cost = from.decimal()?;
    sums.reported_cost = from.decimal()?;
    sums.unpriced_events = from.i64()?;
    sums.unpriced_tokens = from.signed()?;
    sums.unpriced_worst_case = summable(from.decimal()?);
    Ok((
        SpendKey {
            hour,
            basis,
            currency,
            dimensions,
        },
        sums,
    ))
}
