//! Charged calls by column: their identities, and all else as numbers.

use chrono::DateTime;
use rust_decimal::Decimal;

use super::columns::{Columns, Frame};
use super::{Broken, Names, Reader, number_of, signed, unsigned};
use crate::domain::charge::{Charge, Outcome, UnpricedReason};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Requests, Tokens, UsageEvent};

const SIDECHAIN: u64 = 1;
const COMPLETE: u64 = 2;
const REPORTED: u64 = 4;
const UNPRICED: u64 = 8;

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
const COLUMNS: usize = REPORTED_COST + 3;

/// Calls being packed.
#[derive(Default)]
pub struct Calls {
    ids: Vec<EventId>,
    frame: Frame<COLUMNS>,
}

impl Calls {
    /// How many.
    pub fn len(&self) -> usize {
        self.frame.rows()
    }

    /// Forgets all; the memory is used again.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.frame.clear();
    }

    /// Adds a call.
    #[inline]
    pub fn push<N: Names>(&mut self, e: &UsageEvent, charge: &Charge, names: &mut N) -> Result<(), N::Error> {
        let frame = &mut self.frame;
        each(e, charge, names, |column, value| frame.set(column, value))?;
        frame.end_row();
        self.ids.push(e.id);
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
        let frame = &mut self.frame;
        (0..COLUMNS).for_each(|column| frame.replace(row, column, 0));
        each(e, charge, names, |column, value| frame.replace(row, column, value))
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

/// The numbers of a call, by column.
#[inline]
fn each<N: Names>(
    e: &UsageEvent,
    charge: &Charge,
    names: &mut N,
    mut set: impl FnMut(usize, u64),
) -> Result<(), N::Error> {
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let unpriced = matches!(charge.outcome, Outcome::Unpriced(_));
    let flags = flag(e.sidechain, SIDECHAIN)
        | flag(e.rank.complete, COMPLETE)
        | flag(e.reported_cost.is_some(), REPORTED)
        | flag(unpriced, UNPRICED);
    set(FLAGS, flags);
    let at = e.at.timestamp_micros();
    set(AT_MILLIS, ordered(at.div_euclid(1000)));
    set(AT_MICROS, at.rem_euclid(1000).cast_unsigned());
    if e.rank.at != e.at {
        // Wrapping, so that the distance of any two instants fits.
        let offset = e.rank.at.timestamp_micros().wrapping_sub(at);
        set(RANK_OFFSET, unsigned(offset));
    }
    set(AUTHORITY, u64::from(e.rank.authority));
    set(LINE, e.rank.line);
    for (n, label) in e.dimensions.iter() {
        set(DIMENSIONS + n as usize, number_of(label, names)?);
    }
    set(SESSION, number_of(e.session, names)?);
    set(SPEED, number_of(e.speed, names)?);
    set(GEO, number_of(e.geo, names)?);
    for (bucket, count) in e.tokens.iter() {
        set(TOKENS + bucket as usize, count);
    }
    set(REASONING, e.tokens.reasoning);
    if e.requests != Requests::default() {
        let counts = requests(&e.requests);
        (REQUESTS..).zip(counts).for_each(|(n, c)| set(n, u64::from(c)));
    }
    match charge.outcome {
        Outcome::Priced(entry) => {
            set(ENTRY, number_of(entry, names)?);
            set_decimal(&mut set, COST, charge.cost);
        }
        Outcome::Unpriced(reason) => {
            set(ENTRY, reason as u64);
            set_decimal(&mut set, COST, charge.worst_case);
        }
    }
    if let Some(cost) = e.reported_cost {
        set_decimal(&mut set, REPORTED_COST, cost);
    }
    Ok(())
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

fn set_decimal(set: &mut impl FnMut(usize, u64), column: usize, value: Decimal) {
    let wide = super::unsigned_wide(value.mantissa());
    set(column, u64::from(value.scale()));
    set(column + 1, wide as u64);
    set(column + 2, (wide >> 64) as u64);
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
