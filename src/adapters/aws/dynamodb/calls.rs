//! Calls in detail, packed by the thousand. A block has a time to live; who a call is stands in the identities, which have none.

use chrono::DateTime;

use super::bytes::{Broken, ColumnReader, ColumnWriter, unfold};
use crate::domain::charge::{Charge, Outcome, UnpricedReason};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};

const VERSION: u8 = 3;

/// Calls of one block: about 150 KB.
const BLOCK: u32 = 8192;

/// Bytes of one block: below the 400 KB of an item.
const BLOCK_LIMIT: usize = 350_000;

const FLAGS: usize = 0;
const AT: usize = 1;
const RANK_AT: usize = 2;
const AUTHORITY: usize = 3;
const LINE: usize = 4;
const LABELS: usize = 5; // session, speed, geo
const TOKENS: usize = 8; // one column per bucket, then reasoning
const REQUESTS: usize = TOKENS + Bucket::ALL.len() + 1;
const FRACTION: usize = REQUESTS + 1;
const REPORTED: usize = FRACTION + 1; // scale, digits
const OUTCOME: usize = REPORTED + 2; // entry or reason, scale, digits
const DIMENSIONS: usize = OUTCOME + 3;
const COLUMNS: usize = DIMENSIONS + Dimension::ALL.len();

const SIDECHAIN: u8 = 1;
const COMPLETE: u8 = 2;
const HAS_REPORTED: u8 = 4;
const UNPRICED: u8 = 8;
const HAS_REQUESTS: u8 = 16;
const SUBSECOND: u8 = 32;
const HAS_EXTRAS: u8 = 64;

/// Packs calls without their identities, in the order given.
fn pack(calls: &[(UsageEvent, Charge)]) -> Vec<u8> {
    let mut w = ColumnWriter::<COLUMNS>::new();
    for (e, charge) in calls {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let requests = e.requests != Requests::default();
        let unpriced = matches!(charge.outcome, Outcome::Unpriced(_));
        let micros = e.at.timestamp_micros();
        let subsecond = micros.rem_euclid(1_000_000) != 0;
        w.column(FLAGS).push(
            flag(e.sidechain, SIDECHAIN)
                | flag(e.rank.complete, COMPLETE)
                | flag(e.reported_cost.is_some(), HAS_REPORTED)
                | flag(unpriced, UNPRICED)
                | flag(requests, HAS_REQUESTS)
                | flag(subsecond, SUBSECOND)
                | flag(!e.extras.is_empty(), HAS_EXTRAS),
        );
        w.put_signed(AT, micros.div_euclid(1_000_000));
        if subsecond {
            w.put_signed(FRACTION, micros.rem_euclid(1_000_000));
        }
        w.put_signed(RANK_AT, e.rank.at.timestamp_micros() - micros);
        w.column(AUTHORITY).push(e.rank.authority);
        w.put(LINE, e.rank.line);
        for (offset, label) in [e.session, e.speed, e.geo].into_iter().enumerate() {
            w.put_name(LABELS + offset, label);
        }
        if !e.extras.is_empty() {
            // In the column of places: so few calls have any that a column of their own does not pay.
            w.put_name(LABELS + 2, e.extras);
        }
        for (bucket, count) in e.tokens.iter() {
            w.put(TOKENS + bucket as usize, count);
        }
        w.put(TOKENS + Bucket::ALL.len(), e.tokens.reasoning);
        if requests {
            let r = &e.requests;
            for count in [r.web_searches, r.web_fetches, r.code_executions, r.file_searches] {
                w.put(REQUESTS, count);
            }
        }
        if let Some(cost) = e.reported_cost {
            w.put_decimal(REPORTED, cost);
        }
        match charge.outcome {
            Outcome::Priced(entry) => {
                w.put_name(OUTCOME, entry);
                w.put_decimal(OUTCOME + 1, charge.cost);
            }
            Outcome::Unpriced(reason) => {
                w.put(OUTCOME, reason as u8);
                w.put_decimal(OUTCOME + 1, charge.worst_case);
            }
        }
        for (dimension, label) in e.dimensions.iter() {
            w.put_name(DIMENSIONS + dimension as usize, label);
        }
        w.end_row();
    }
    w.finish(VERSION)
}

/// Packs calls into blocks that fit an item each: calls per block, and the blocks. `None` when even a few calls do not fit,
/// which names of bounded length never cause.
pub fn blocks(calls: &[(UsageEvent, Charge)]) -> Option<(u32, Vec<Vec<u8>>)> {
    let mut size = BLOCK;
    while size > 0 {
        let bodies: Vec<Vec<u8>> = calls.chunks(size as usize).map(pack).collect();
        if bodies.iter().all(|body| body.len() <= BLOCK_LIMIT) {
            return Some((size, bodies));
        }
        size /= 4;
    }
    None
}

/// Unpacks a block. The identities are set by who looks a call up.
pub fn unpack(body: &[u8]) -> Result<Vec<(UsageEvent, Charge)>, Broken> {
    let plain = unfold(body, VERSION)?;
    let mut r = ColumnReader::<COLUMNS>::new(&plain)?;
    (0..r.rows).map(|_| row(&mut r)).collect()
}

fn row(r: &mut ColumnReader<'_, COLUMNS>) -> Result<(UsageEvent, Charge), Broken> {
    let flags = r.column(FLAGS)?.byte()?;
    let has = |bit: u8| flags & bit != 0;
    let seconds: i64 = r.column(AT)?.fit_signed()?;
    let fraction: i64 = if has(SUBSECOND) {
        r.column(FRACTION)?.fit_signed()?
    } else {
        0
    };
    let micros = seconds
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(fraction))
        .ok_or(Broken)?;
    let offset: i64 = r.column(RANK_AT)?.fit_signed()?;
    let time = |micros: i64| DateTime::from_timestamp_micros(micros).ok_or(Broken);
    let rank = Rank {
        authority: r.column(AUTHORITY)?.byte()?,
        complete: has(COMPLETE),
        at: time(micros.checked_add(offset).ok_or(Broken)?)?,
        line: r.column(LINE)?.fit()?,
    };
    let (session, speed, geo) = (r.name(LABELS)?, r.name(LABELS + 1)?, r.name(LABELS + 2)?);
    let extras = if has(HAS_EXTRAS) {
        r.name(LABELS + 2)?
    } else {
        Label::EMPTY
    };
    let mut tokens = Tokens::default();
    for bucket in Bucket::ALL {
        tokens.set(bucket, r.column(TOKENS + bucket as usize)?.fit()?);
    }
    tokens.reasoning = r.column(TOKENS + Bucket::ALL.len())?.fit()?;
    let mut requests = Requests::default();
    if has(HAS_REQUESTS) {
        requests = Requests {
            web_searches: r.column(REQUESTS)?.fit()?,
            web_fetches: r.column(REQUESTS)?.fit()?,
            code_executions: r.column(REQUESTS)?.fit()?,
            file_searches: r.column(REQUESTS)?.fit()?,
        };
    }
    let reported_cost = if has(HAS_REPORTED) {
        Some(r.decimal(REPORTED)?)
    } else {
        None
    };
    let charge = if has(UNPRICED) {
        let reason: usize = r.column(OUTCOME)?.fit()?;
        let reason = UnpricedReason::ALL.get(reason).copied().ok_or(Broken)?;
        Charge::unpriced(reason, r.decimal(OUTCOME + 1)?)
    } else {
        let entry = r.name(OUTCOME)?;
        Charge::priced(r.decimal(OUTCOME + 1)?, entry)
    };
    let mut dimensions = Dimensions::default();
    for dimension in Dimension::ALL {
        dimensions.set(dimension, r.name(DIMENSIONS + dimension as usize)?);
    }
    let event = UsageEvent {
        id: EventId([0; 16]),
        at: time(micros)?,
        dimensions,
        session,
        sidechain: has(SIDECHAIN),
        tokens,
        requests,
        speed,
        geo,
        extras,
        rank,
        reported_cost,
    };
    Ok((event, charge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    #[test]
    fn what_is_packed_is_unpacked_and_damage_is_noticed() {
        let at = DateTime::from_timestamp_micros(-1_234_567).unwrap();
        let mut event = UsageEvent::new(EventId([0; 16]), at, "p".into(), "m".into());
        event.tokens = Tokens::default()
            .with(Bucket::Output, u64::MAX)
            .with(Bucket::CacheRead, 7);
        event.tokens.reasoning = 3;
        event.requests.file_searches = 9;
        event.extras = "page=3".into();
        event.rank.line = u64::MAX;
        event.rank.complete = false;
        event.reported_cost = Some(Decimal::new(-1, 28));
        let calls = vec![
            (event, Charge::priced(Decimal::MAX, "book/x".into())),
            (event, Charge::unpriced(UnpricedReason::OutOfRange, Decimal::MIN)),
        ];
        let body = pack(&calls);
        assert_eq!(unpack(&body).unwrap(), calls);
        for cut in 0..body.len() {
            assert!(unpack(&body[..cut]).is_err(), "cut at {cut}");
        }
        let many: Vec<_> = (0..3_000).map(|n| calls[n % 2]).collect();
        let body = pack(&many);
        assert_eq!(unpack(&body).unwrap(), many);
        for cut in (0..body.len()).step_by(7) {
            assert!(unpack(&body[..cut]).is_err(), "cut at {cut}");
        }
    }
}
