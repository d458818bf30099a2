//! Charged calls by column: their identities, and all else as numbers.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::columns::{Columns, Frame};
use super::{Broken, Names, Reader, fill_dimensions, fill_labels, signed, unsigned};
use crate::domain::charge::{Charge, Outcome, UnpricedReason};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::Seconds;
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};

const SIDECHAIN: u64 = 1;
const COMPLETE: u64 = 2;
const REPORTED: u64 = 4;
const UNPRICED: u64 = 8;

const NANOS_OF_MILLI: u32 = 1_000_000;

// The columns, in the order of storage.
const FLAGS: usize = 0;
const AT_MILLIS: usize = 1;
const AT_MICROS: usize = 2;
const RANK_OFFSET: usize = 3;
const AUTHORITY: usize = 4;
const LINE: usize = 5;
const DIMENSIONS: usize = 6;
const SESSION: usize = DIMENSIONS + Dimension::ALL.len();
const SPEED: usize = SESSION + 1;
const GEO: usize = SPEED + 1;
const TOKENS: usize = GEO + 1;
const REASONING: usize = TOKENS + Bucket::ALL.len();
const REQUESTS: usize = REASONING + 1;
/// Entry of the price book, or the reason for none.
const ENTRY: usize = REQUESTS + 4;
/// Scale, low and high half of the cost; of a call without a price the worst case.
const COST: usize = ENTRY + 1;
const REPORTED_COST: usize = COST + 3;
const EXTRAS: usize = REPORTED_COST + 3;
const COLUMNS: usize = EXTRAS + 1;

/// A call and what it costs.
pub type Charged<'e> = (&'e UsageEvent, Charge);

/// Calls being packed.
#[derive(Default)]
pub struct Calls {
    ids: Vec<EventId>,
    frame: Frame<COLUMNS>,
    /// One call by itself.
    one: Frame<COLUMNS>,
}

impl Calls {
    /// Calls that are best added together: they lie in the nearest cache while their columns are filled one after another.
    pub const TOGETHER: usize = 64;

    /// How many.
    pub fn len(&self) -> usize {
        self.frame.rows()
    }

    /// Forgets all; the memory is used again.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.frame.clear();
    }

    /// Adds calls.
    pub fn extend<N: Names>(&mut self, calls: &[Charged<'_>], names: &mut N) -> Result<(), N::Error> {
        if let Err(error) = fill(&mut self.frame, calls, names) {
            *self = Calls::default();
            return Err(error);
        }
        self.frame.end_rows(calls.len());
        self.ids.extend(calls.iter().map(|(e, _)| e.id));
        Ok(())
    }

    /// Puts another observation in the place of the same call.
    pub fn replace<N: Names>(
        &mut self,
        row: usize,
        e: &UsageEvent,
        charge: &Charge,
        names: &mut N,
    ) -> Result<(), N::Error> {
        self.one.clear();
        if let Err(error) = fill(&mut self.one, &[(e, *charge)], names) {
            *self = Calls::default();
            return Err(error);
        }
        (0..COLUMNS).for_each(|column| self.frame.replace(row, column, self.one.get(0, column)));
        Ok(())
    }

    /// Appends all calls.
    pub fn put(&mut self, out: &mut Vec<u8>) {
        self.frame.put(out);
        self.ids.iter().for_each(|id| out.extend_from_slice(&id.0));
    }

    /// Goes on where packed calls end.
    pub fn resume(&mut self, packed: &PackedCalls<'_>) {
        self.ids.clear();
        self.ids.extend(packed.ids.iter().map(|id| EventId(*id)));
        self.frame.resume(&packed.columns);
    }
}

/// The numbers of calls, column by column. What no call of them has is passed over.
fn fill<N: Names>(frame: &mut Frame<COLUMNS>, calls: &[Charged<'_>], names: &mut N) -> Result<(), N::Error> {
    let each = || calls.iter();
    let events = || calls.iter().map(|(e, _)| *e);
    let flags = frame.fill_steady(FLAGS, each().map(flags));
    let (mut seconds, mut finer) = (Seconds::default(), 0);
    let millis = |e: &UsageEvent| {
        let nanos = e.at.timestamp_subsec_nanos();
        finer |= nanos % NANOS_OF_MILLI;
        ordered(seconds.of(e.at) * 1000 + i64::from(nanos / NANOS_OF_MILLI))
    };
    frame.fill(AT_MILLIS, events().map(millis));
    if finer != 0 {
        let micros = |e: &UsageEvent| u64::from(e.at.timestamp_subsec_micros() % 1000);
        frame.fill(AT_MICROS, events().map(micros));
    }
    // Most are the same, and counting them costs more than looking.
    if events().any(|e| e.rank.at != e.at) {
        let mut seconds = [Seconds::default(), Seconds::default()];
        frame.fill(
            RANK_OFFSET,
            events().map(|e| match e.rank.at == e.at {
                true => 0,
                false => unsigned(offset(e, &mut seconds)),
            }),
        );
    }
    frame.fill_steady(AUTHORITY, events().map(|e| u64::from(e.rank.authority)));
    frame.fill(LINE, events().map(|e| e.rank.line));
    fill_dimensions(
        frame,
        DIMENSIONS,
        Dimension::ALL.into_iter(),
        events().map(|e| &e.dimensions),
        names,
    )?;
    fill_labels(frame, SESSION, events().map(|e| e.session), names)?;
    // Hardly any call has these.
    let rare = events().fold((0, 0), |(labels, counts), e| {
        let [a, b, c, d] = requests(&e.requests);
        let given = e.speed.index() as u32 | e.geo.index() as u32 | e.extras.index() as u32;
        (labels | given, counts | a | b | c | d)
    });
    if rare.0 != 0 {
        fill_labels(frame, SPEED, events().map(|e| e.speed), names)?;
        fill_labels(frame, GEO, events().map(|e| e.geo), names)?;
        fill_labels(frame, EXTRAS, events().map(|e| e.extras), names)?;
    }
    let counted = Tokens::counted(events().map(|e| e.tokens.counts()));
    for (bucket, _) in Bucket::ALL.into_iter().zip(counted).filter(|(_, bits)| *bits != 0) {
        frame.fill(TOKENS + bucket as usize, events().map(|e| e.tokens.get(bucket)));
    }
    frame.fill(REASONING, events().map(|e| e.tokens.reasoning));
    if rare.1 != 0 {
        for n in 0..4 {
            let count = |e: &UsageEvent| requests(&e.requests).get(n).map_or(0, |count| u64::from(*count));
            frame.fill(REQUESTS + n, events().map(count));
        }
    }
    let entry = |charge: &Charge| match charge.outcome {
        Outcome::Priced(entry) => entry,
        Outcome::Unpriced(_) => Label::EMPTY,
    };
    fill_labels(frame, ENTRY, each().map(|(_, charge)| entry(charge)), names)?;
    if flags & UNPRICED != 0 {
        for (row, (_, charge)) in (frame.rows()..).zip(calls) {
            if let Outcome::Unpriced(reason) = charge.outcome {
                frame.replace(row, ENTRY, reason as u64);
            }
        }
    }
    if flags & UNPRICED == 0 {
        decimals(frame, COST, || each().map(|(_, charge)| charge.cost));
    } else {
        decimals(frame, COST, || {
            each().map(|(_, charge)| match charge.outcome {
                Outcome::Priced(_) => charge.cost,
                Outcome::Unpriced(_) => charge.worst_case,
            })
        });
    }
    if flags & REPORTED != 0 {
        decimals(frame, REPORTED_COST, || {
            events().map(|e| e.reported_cost.unwrap_or_default())
        });
    }
    Ok(())
}

/// From the time of a call to that of its rank, in microseconds: wrapping, so that the distance of any two instants fits.
#[inline]
fn offset(e: &UsageEvent, [one, other]: &mut [Seconds; 2]) -> i64 {
    let micros = |seconds: i64, at: DateTime<Utc>| {
        (seconds.wrapping_mul(1_000_000)).wrapping_add(i64::from(at.timestamp_subsec_micros()))
    };
    micros(one.of(e.rank.at), e.rank.at).wrapping_sub(micros(other.of(e.at), e.at))
}

fn flags((e, charge): &Charged<'_>) -> u64 {
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    flag(e.sidechain, SIDECHAIN)
        | flag(e.rank.complete, COMPLETE)
        | flag(e.reported_cost.is_some(), REPORTED)
        | flag(matches!(charge.outcome, Outcome::Unpriced(_)), UNPRICED)
}

fn decimals<I: ExactSizeIterator<Item = Decimal> + Clone>(
    frame: &mut Frame<COLUMNS>,
    column: usize,
    values: impl Fn() -> I,
) {
    let wide = |value: Decimal| super::unsigned_wide(value.mantissa());
    frame.fill_steady(column, values().map(|value| u64::from(value.scale())));
    let mut high = 0;
    let low = |value: Decimal| {
        let parts = value.unpack();
        // What costs mostly are.
        if parts.hi == 0 && parts.mid >> 31 == 0 && !parts.negative {
            return u64::from(parts.mid) << 33 | u64::from(parts.lo) << 1;
        }
        let wide = wide(value);
        high |= wide >> 64;
        wide as u64
    };
    frame.fill(column + 1, values().map(low));
    if high != 0 {
        frame.fill(column + 2, values().map(|value| (wide(value) >> 64) as u64));
    }
}

/// Keeps the order of times before 1970.
fn ordered(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

fn requests(requests: &Requests) -> [u32; 4] {
    let Requests {
        web_searches,
        web_fetches,
        code_executions,
        file_searches,
    } = *requests;
    [web_searches, web_fetches, code_executions, file_searches]
}

/// Packed calls.
pub struct PackedCalls<'a> {
    ids: &'a [[u8; 16]],
    columns: Columns<'a, COLUMNS>,
}

impl<'a> PackedCalls<'a> {
    /// Reads what [`Calls::put`] wrote.
    pub fn parse(body: &'a [u8]) -> Result<Self, Broken> {
        let mut reader = Reader(body);
        let columns = Columns::parse(&mut reader)?;
        let (ids, rest) = reader.0.as_chunks::<16>();
        if ids.len() != columns.rows || !rest.is_empty() {
            return Err(Broken);
        }
        Ok(PackedCalls { ids, columns })
    }

    /// The identities, in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = EventId> + 'a {
        self.ids.iter().map(|id| EventId(*id))
    }

    /// The place of a call.
    pub fn place(&self, id: EventId) -> Option<usize> {
        self.ids.iter().position(|known| *known == id.0)
    }

    /// One call.
    pub fn get<N: Names>(&self, row: usize, names: &mut N) -> Result<(UsageEvent, Charge), N::Error> {
        let id = EventId(*self.ids.get(row).ok_or(Broken)?);
        let of = |column: usize| self.columns.get(column, row);
        let flags = of(FLAGS);
        let millis = (of(AT_MILLIS) ^ (1 << 63)).cast_signed();
        let micros = i64::try_from(of(AT_MICROS)).map_err(|_| Broken)?;
        let micros = millis
            .checked_mul(1000)
            .and_then(|m| m.checked_add(micros))
            .ok_or(Broken)?;
        let at = DateTime::from_timestamp_micros(micros).ok_or(Broken)?;
        let rank_at = match of(RANK_OFFSET) {
            0 => at,
            offset => DateTime::from_timestamp_micros(micros.wrapping_add(signed(offset))).ok_or(Broken)?,
        };
        let mut dimensions = Dimensions::default();
        for dimension in Dimension::ALL {
            let number = of(DIMENSIONS + dimension as usize);
            if number != 0 {
                dimensions.set(dimension, names.label(number)?);
            }
        }
        let mut label = |column: usize| -> Result<Label, N::Error> { names.label(of(column)) };
        let (session, speed, geo) = (label(SESSION)?, label(SPEED)?, label(GEO)?);
        let extras = match of(EXTRAS) {
            0 => Label::EMPTY,
            _ => label(EXTRAS)?,
        };
        let mut tokens = Tokens::default();
        for bucket in Bucket::ALL {
            tokens.set(bucket, of(TOKENS + bucket as usize));
        }
        tokens.reasoning = of(REASONING);
        let count = |n: usize| u32::try_from(of(REQUESTS + n)).map_err(|_| Broken);
        let requests = Requests {
            web_searches: count(0)?,
            web_fetches: count(1)?,
            code_executions: count(2)?,
            file_searches: count(3)?,
        };
        let cost = self.decimal(COST, row)?;
        let charge = if flags & UNPRICED != 0 {
            let reason = usize::try_from(of(ENTRY)).ok().and_then(|n| UnpricedReason::ALL.get(n));
            Charge::unpriced(*reason.ok_or(Broken)?, cost)
        } else {
            Charge::priced(cost, label(ENTRY)?)
        };
        let reported_cost = match flags & REPORTED {
            0 => None,
            _ => Some(self.decimal(REPORTED_COST, row)?),
        };
        let event = UsageEvent {
            id,
            at,
            dimensions,
            session,
            sidechain: flags & SIDECHAIN != 0,
            tokens,
            requests,
            speed,
            geo,
            extras,
            rank: Rank {
                authority: u8::try_from(of(AUTHORITY)).map_err(|_| Broken)?,
                complete: flags & COMPLETE != 0,
                at: rank_at,
                line: of(LINE),
            },
            reported_cost,
        };
        Ok((event, charge))
    }

    fn decimal(&self, column: usize, row: usize) -> Result<Decimal, Broken> {
        let of = |n: usize| self.columns.get(column + n, row);
        let wide = u128::from(of(1)) | u128::from(of(2)) << 64;
        let scale = u32::try_from(of(0)).map_err(|_| Broken)?;
        Decimal::try_from_i128_with_scale(super::signed_wide(wide), scale).map_err(|_| Broken)
    }
}
