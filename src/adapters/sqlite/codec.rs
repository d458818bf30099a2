//! How calls and sums of spend are packed into bytes: variable-length integers, names by number.
//!
//! Packed rows are 4 to 8 times smaller than SQL rows and are written by the thousand in one statement. The layouts are
//! versioned by the schema version of the store.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::charge::{Charge, Outcome, UnpricedReason};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};

/// The bytes are not what this version writes.
#[derive(Debug)]
pub struct Broken;

/// Numbers for names and back, backed by the store.
pub trait Names {
    /// What looking a name up can fail with.
    type Error: From<Broken>;
    /// The number of a name, given out if new.
    fn number(&mut self, label: Label) -> Result<u64, Self::Error>;
    /// The name of a number.
    fn label(&mut self, number: u64) -> Result<Label, Self::Error>;
}

/// Appends an unsigned integer, 7 bits a byte.
pub fn put(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i128) {
    put(out, ((value << 1) ^ (value >> 127)).cast_unsigned());
}

fn put_decimal(out: &mut Vec<u8>, value: Decimal) {
    out.push(value.scale() as u8);
    put_signed(out, value.mantissa());
}

/// Reads what [`put`] and its kin wrote.
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// Whether everything is read.
    pub fn done(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let (&first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Broken)?;
        self.0 = rest;
        Ok(*head)
    }

    /// An unsigned integer.
    pub fn get(&mut self) -> Result<u128, Broken> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// An unsigned integer of at most 64 bits.
    pub fn u64(&mut self) -> Result<u64, Broken> {
        u64::try_from(self.get()?).map_err(|_| Broken)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.get()?).map_err(|_| Broken)
    }

    fn signed(&mut self) -> Result<i128, Broken> {
        let value = self.get()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn i64(&mut self) -> Result<i64, Broken> {
        i64::try_from(self.signed()?).map_err(|_| Broken)
    }

    fn decimal(&mut self) -> Result<Decimal, Broken> {
        let scale = u32::from(self.byte()?);
        Decimal::try_from_i128_with_scale(self.signed()?, scale).map_err(|_| Broken)
    }

    fn time(&mut self) -> Result<DateTime<Utc>, Broken> {
        DateTime::from_timestamp_micros(self.i64()?).ok_or(Broken)
    }
}

const SIDECHAIN: u8 = 1;
const COMPLETE: u8 = 2;
const REPORTED: u8 = 4;
const UNPRICED: u8 = 8;
const REQUESTS: u8 = 16;
const MEDIA: u8 = 32;

/// Set in the first byte of a row of spend that has audio, images or video.
const MEDIA_SUMS: u8 = 128;

/// Appends one charged call.
pub fn put_event<N: Names>(out: &mut Vec<u8>, e: &UsageEvent, charge: &Charge, names: &mut N) -> Result<(), N::Error> {
    let unpriced = matches!(charge.outcome, Outcome::Unpriced(_));
    let requests = e.requests != Requests::default();
    let media = e.tokens.has_media();
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.extend_from_slice(&e.id.0);
    out.push(
        flag(e.sidechain, SIDECHAIN)
            | flag(e.rank.complete, COMPLETE)
            | flag(e.reported_cost.is_some(), REPORTED)
            | flag(unpriced, UNPRICED)
            | flag(requests, REQUESTS)
            | flag(media, MEDIA),
    );
    put_signed(out, i128::from(e.at.timestamp_micros()));
    put_signed(
        out,
        i128::from(e.rank.at.timestamp_micros()) - i128::from(e.at.timestamp_micros()),
    );
    out.push(e.rank.authority);
    put(out, u128::from(e.rank.line));
    put_dimensions(out, &e.dimensions, names)?;
    for label in [e.session, e.speed, e.geo] {
        put(out, u128::from(names.number(label)?));
    }
    put_counts(
        out,
        Bucket::TEXT.into_iter().map(|b| i128::from(e.tokens.get(b))),
        i128::from(e.tokens.reasoning),
    );
    if media {
        for bucket in Bucket::MEDIA {
            put(out, u128::from(e.tokens.get(bucket)));
        }
    }
    if requests {
        let Requests {
            web_searches,
            web_fetches,
            code_executions,
            file_searches,
        } = e.requests;
        for count in [web_searches, web_fetches, code_executions, file_searches] {
            put(out, u128::from(count));
        }
    }
    if let Some(cost) = e.reported_cost {
        put_decimal(out, cost);
    }
    match charge.outcome {
        Outcome::Priced(entry) => {
            put(out, u128::from(names.number(entry)?));
            put_decimal(out, charge.cost);
        }
        Outcome::Unpriced(reason) => {
            out.push(reason as u8);
            put_decimal(out, charge.worst_case);
        }
    }
    Ok(())
}

/// Reads one charged call.
pub fn get_event<N: Names>(from: &mut Reader<'_>, names: &mut N) -> Result<(UsageEvent, Charge), N::Error> {
    let id = EventId(from.array()?);
    let flags = from.byte()?;
    let at = from.time()?;
    let rank_offset = from.i64()?;
    let rank_at = at
        .timestamp_micros()
        .checked_add(rank_offset)
        .and_then(DateTime::from_timestamp_micros)
        .ok_or(Broken)?;
    let (authority, line) = (from.byte()?, from.u64()?);
    let dimensions = get_dimensions(from, names)?;
    let mut label = |from: &mut Reader<'_>| -> Result<Label, N::Error> { names.label(from.u64()?) };
    let (session, speed, geo) = (label(from)?, label(from)?, label(from)?);
    let mut tokens = Tokens::default();
    let (counts, reasoning) = get_counts(from)?;
    for (bucket, count) in Bucket::TEXT.into_iter().zip(counts) {
        tokens.set(bucket, u64::try_from(count).map_err(|_| Broken)?);
    }
    tokens.reasoning = u64::try_from(reasoning).map_err(|_| Broken)?;
    if flags & MEDIA != 0 {
        for bucket in Bucket::MEDIA {
            tokens.set(bucket, from.u64()?);
        }
    }
    let mut requests = Requests::default();
    if flags & REQUESTS != 0 {
        requests.web_searches = from.u32()?;
        requests.web_fetches = from.u32()?;
        requests.code_executions = from.u32()?;
        requests.file_searches = from.u32()?;
    }
    let reported_cost = if flags & REPORTED != 0 {
        Some(from.decimal()?)
    } else {
        None
    };
    let charge = if flags & UNPRICED != 0 {
        let reason = UnpricedReason::ALL
            .get(usize::from(from.byte()?))
            .copied()
            .ok_or(Broken)?;
        Charge::unpriced(reason, from.decimal()?)
    } else {
        let entry = label(from)?;
        Charge::priced(from.decimal()?, entry)
    };
    let rank = Rank {
        authority,
        complete: flags & COMPLETE != 0,
        at: rank_at,
        line,
    };
    let sidechain = flags & SIDECHAIN != 0;
    let event = UsageEvent {
        id,
        at,
        dimensions,
        session,
        sidechain,
        tokens,
        requests,
        speed,
        geo,
        rank,
        reported_cost,
    };
    Ok((event, charge))
}

/// Appends one row of spend; its hour is kept by the caller.
pub fn put_spend<N: Names>(out: &mut Vec<u8>, key: &SpendKey, sums: &Sums, names: &mut N) -> Result<(), N::Error> {
    let media = Bucket::MEDIA.into_iter().any(|bucket| sums.tokens.get(bucket) != 0);
    out.push(key.basis as u8 | if media { MEDIA_SUMS } else { 0 });
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
    let basis = usize::from(first & !MEDIA_SUMS);
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
    if first & MEDIA_SUMS != 0 {
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
    sums.unpriced_worst_case = from.decimal()?;
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

fn put_dimensions<N: Names>(out: &mut Vec<u8>, dimensions: &Dimensions, names: &mut N) -> Result<(), N::Error> {
    for (_, label) in dimensions.iter() {
        put(out, u128::from(names.number(label)?));
    }
    Ok(())
}

fn get_dimensions<N: Names>(from: &mut Reader<'_>, names: &mut N) -> Result<Dimensions, N::Error> {
    let mut dimensions = Dimensions::default();
    for dimension in Dimension::ALL {
        let number = from.u64()?;
        if number != 0 {
            dimensions.set(dimension, names.label(number)?);
        }
    }
    Ok(dimensions)
}

/// Buckets, most of them zero: a mask of those that are not, then their values. Bit 7 stands for reasoning.
fn put_counts(out: &mut Vec<u8>, counts: impl Iterator<Item = i128> + Clone, reasoning: i128) {
    let all = || {
        counts
            .clone()
            .chain(std::iter::once(reasoning))
            .enumerate()
            .filter(|(_, n)| *n != 0)
    };
    out.push(all().fold(0_u8, |mask, (i, _)| mask | 1 << i));
    all().for_each(|(_, n)| put_signed(out, n));
}

fn get_counts(from: &mut Reader<'_>) -> Result<([i128; Bucket::TEXT.len()], i128), Broken> {
    let mask = from.byte()?;
    let mut counts = [0_i128; Bucket::TEXT.len()];
    for (i, slot) in counts.iter_mut().enumerate() {
        if mask & (1 << i) != 0 {
            *slot = from.signed()?;
        }
    }
    let reasoning = if mask & (1 << Bucket::TEXT.len()) != 0 {
        from.signed()?
    } else {
        0
    };
    Ok((counts, reasoning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Nameless;
    impl Names for Nameless {
        type Error = Broken;
        fn number(&mut self, _: Label) -> Result<u64, Broken> {
            Ok(0)
        }
        fn label(&mut self, _: u64) -> Result<Label, Broken> {
            Ok(Label::EMPTY)
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(value in any::<i128>(), small in any::<u64>(), mantissa in any::<i64>(), scale in 0_u32..28) {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            put(&mut out, u128::from(small));
            put_decimal(&mut out, Decimal::new(mantissa, scale));
            let mut from = Reader(&out);
            prop_assert_eq!(from.signed().unwrap(), value);
            prop_assert_eq!(from.u64().unwrap(), small);
            prop_assert_eq!(from.decimal().unwrap(), Decimal::new(mantissa, scale));
            prop_assert!(from.done());
        }

        #[test]
        fn hostile_bytes_are_an_error_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(get_event(&mut Reader(&bytes), &mut Nameless));
            drop(get_spend(&mut Reader(&bytes), Hour(0), &mut Nameless));
        }
    }
}
