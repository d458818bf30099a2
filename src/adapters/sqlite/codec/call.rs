//! A charged call as bytes, one number behind the other: what the first two schemas of the store had.

use super::{Broken, Names, Reader, get_counts, get_dimensions};
#[cfg(test)]
use super::{put_decimal, put_dimensions, put_label, put_signed, put_small, put_small_signed};
#[cfg(test)]
use crate::domain::charge::Outcome;
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};
use chrono::DateTime;

const SIDECHAIN: u8 = 1;
const COMPLETE: u8 = 2;
const REPORTED: u8 = 4;
const UNPRICED: u8 = 8;
const REQUESTS: u8 = 16;
const MEDIA: u8 = 32;

/// Appends one charged call, as the second schema had it.
#[cfg(test)]
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
    let at = e.at.timestamp_micros();
    put_small_signed(out, at);
    match e.rank.at == e.at {
        true => out.push(0),
        false => put_signed(out, i128::from(e.rank.at.timestamp_micros()) - i128::from(at)),
    }
    out.push(e.rank.authority);
    put_small(out, e.rank.line);
    put_dimensions(out, &e.dimensions, names)?;
    for label in [e.session, e.speed, e.geo] {
        put_label(out, label, names)?;
    }
    put_tokens(out, &e.tokens);
    if media {
        for bucket in Bucket::MEDIA {
            put_small(out, e.tokens.get(bucket));
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
            put_small(out, u64::from(count));
        }
    }
    if let Some(cost) = e.reported_cost {
        put_decimal(out, cost);
    }
    match charge.outcome {
        Outcome::Priced(entry) => {
            put_label(out, entry, names)?;
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

/// The same bytes as [`put_counts`], without wide arithmetic.
#[cfg(test)]
pub(super) fn put_tokens(out: &mut Vec<u8>, tokens: &Tokens) {
    let place = out.len();
    out.push(0);
    let mut mask = 0_u8;
    let mut put = |n: usize, count: u64| {
        if count == 0 {
            return;
        }
        mask |= 1 << n;
        match count.checked_mul(2) {
            Some(zigzag) => put_small(out, zigzag),
            None => put_signed(out, i128::from(count)),
        }
    };
    for bucket in Bucket::TEXT {
        put(bucket as usize, tokens.get(bucket));
    }
    put(Bucket::TEXT.len(), tokens.reasoning);
    if let Some(slot) = out.get_mut(place) {
        *slot = mask;
    }
}
