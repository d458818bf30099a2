//! Rows of spend of one hour by column.

use rust_decimal::Decimal;

use super::columns::{Columns, Frame};
use super::{Broken, Names, Reader, number_of, signed, signed_wide, unsigned, unsigned_wide};
use crate::domain::charge::{Charge, Outcome};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::usage::{Bucket, Requests, UsageEvent};

// The columns, in the order of storage.
pub(super) const BASIS: usize = 0;
pub(super) const CURRENCY: usize = 1;
pub(super) const DIMENSIONS: usize = 2;
pub(super) const EVENTS: usize = DIMENSIONS + Dimension::ALL.len();
pub(super) const TOKENS: usize = EVENTS + 1;
pub(super) const REASONING: usize = TOKENS + Bucket::ALL.len();
pub(super) const REQUESTS: usize = REASONING + 1;
pub(super) const UNPRICED_EVENTS: usize = REQUESTS + 4;
pub(super) const UNPRICED_TOKENS: usize = UNPRICED_EVENTS + 1;
/// Scale and low half of each cost.
pub(super) const COST: usize = UNPRICED_TOKENS + 1;
pub(super) const REPORTED_COST: usize = COST + 2;
pub(super) const WORST_CASE: usize = REPORTED_COST + 2;
/// High halves of what is wide: tokens, reasoning, unpriced tokens, costs. Hardly any row has them.
pub(super) const HIGH_TOKENS: usize = WORST_CASE + 2;
pub(super) const HIGH_REASONING: usize = HIGH_TOKENS + Bucket::ALL.len();
pub(super) const HIGH_UNPRICED_TOKENS: usize = HIGH_REASONING + 1;
pub(super) const HIGH_COST: usize = HIGH_UNPRICED_TOKENS + 1;
pub(super) const HIGH_REPORTED_COST: usize = HIGH_COST + 1;
pub(super) const HIGH_WORST_CASE: usize = HIGH_REPORTED_COST + 1;
pub(super) const COLUMNS: usize = HIGH_WORST_CASE + 1;

/// Rows of one hour being packed.
#[derive(Default)]
pub struct Rows {
    frame: Frame<COLUMNS>,
}

impl Rows {
    /// Forgets all; the memory is used again.
    pub fn clear(&mut self) {
        self.frame.clear();
    }

    /// Appends all rows.
    pub fn put(&mut self, out: &mut Vec<u8>) {
        self.frame.put(out);
    }

    fn key<N: Names>(
        &mut self,
        basis: Basis,
        currency: Currency,
        dimensions: &Dimensions,
        names: &mut N,
    ) -> Result<(), N::Error> {
        self.frame.set(BASIS, basis as u64);
        self.frame.set(CURRENCY, code(currency));
        for (n, label) in dimensions.iter() {
            self.frame.set(DIMENSIONS + n as usize, number_of(label, names)?);
        }
        Ok(())
    }

    fn wide(&mut self, low: usize, high: usize, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.frame.set(low, unsigned(value)),
            Err(_) => {
                let wide = unsigned_wide(value);
                self.frame.set(low, wide as u64);
                self.frame.set(high, (wide >> 64) as u64);
            }
        }
    }

    fn count(&mut self, low: usize, high: usize, count: u64) {
        match count.checked_mul(2) {
            Some(zigzag) => self.frame.set(low, zigzag),
            None => self.wide(low, high, i128::from(count)),
        }
    }

    fn decimal(&mut self, column: usize, high: usize, value: Decimal) {
        self.frame.set(column, u64::from(value.scale()));
        self.wide(column + 1, high, value.mantissa());
    }

    /// Adds a row.
    pub fn push<N: Names>(&mut self, key: &SpendKey, sums: &Sums, names: &mut N) -> Result<(), N::Error> {
        self.key(key.basis, key.currency, &key.dimensions, names)?;
        self.frame.set(EVENTS, unsigned(sums.events));
        for bucket in Bucket::ALL {
            let n = bucket as usize;
            self.wide(TOKENS + n, HIGH_TOKENS + n, sums.tokens.get(bucket));
        }
        self.wide(REASONING, HIGH_REASONING, sums.tokens.reasoning);
        for (n, count) in (REQUESTS..).zip(sums.requests) {
            self.frame.set(n, unsigned(count));
        }
        self.frame.set(UNPRICED_EVENTS, unsigned(sums.unpriced_events));
        self.wide(UNPRICED_TOKENS, HIGH_UNPRICED_TOKENS, sums.unpriced_tokens);
        self.decimal(COST, HIGH_COST, sums.cost);
        self.decimal(REPORTED_COST, HIGH_REPORTED_COST, sums.reported_cost);
        self.decimal(WORST_CASE, HIGH_WORST_CASE, sums.unpriced_worst_case);
        self.frame.end_row();
        Ok(())
    }

    /// Adds the row of one call: what [`Rows::push`] makes of [`Sums::of`] it, without building that first.
    pub fn push_call<N: Names>(
        &mut self,
        key: &SpendKey,
        event: &UsageEvent,
        charge: &Charge,
        names: &mut N,
    ) -> Result<(), N::Error> {
        let plain = event.requests == Requests::default()
            && event.reported_cost.is_none()
            && matches!(charge.outcome, Outcome::Priced(_));
        if !plain {
            return self.push(key, &Sums::of(event, charge), names);
        }
        self.key(key.basis, key.currency, &key.dimensions, names)?;
        self.frame.set(EVENTS, unsigned(1));
        for (bucket, count) in event.tokens.iter().filter(|(_, count)| *count != 0) {
            let n = bucket as usize;
            self.count(TOKENS + n, HIGH_TOKENS + n, count);
        }
        self.count(REASONING, HIGH_REASONING, event.tokens.reasoning);
        self.decimal(COST, HIGH_COST, charge.cost);
        self.frame.end_row();
        Ok(())
    }
}

/// A currency as a number.
fn code(currency: Currency) -> u64 {
    currency
        .code()
        .bytes()
        .fold(0, |code, byte| code << 8 | u64::from(byte))
}

fn currency(code: u64) -> Result<Currency, Broken> {
    let [_, _, _, _, _, bytes @ ..] = code.to_be_bytes();
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Broken)
}

fn basis(number: u64) -> Result<Basis, Broken> {
    let number = usize::try_from(number).map_err(|_| Broken)?;
    Basis::ALL.get(number).copied().ok_or(Broken)
}

/// Packed rows of one hour.
pub struct PackedRows<'a> {
    pub(super) columns: Columns<'a, COLUMNS>,
}

impl<'a> PackedRows<'a> {
    /// Reads what [`Rows::put`] wrote.
    pub fn parse(body: &'a [u8]) -> Result<Self, Broken> {
        let mut reader = Reader(body);
        let columns = Columns::parse(&mut reader)?;
        if reader.done() {
            Ok(PackedRows { columns })
        } else {
            Err(Broken)
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.columns.rows
    }

    /// Whether any row has web searches.
    pub fn has_searches(&self) -> bool {
        !self.columns.column(REQUESTS).is_zero()
    }

    pub(super) fn key<N: Names>(
        &self,
        row: usize,
        hour: Hour,
        wanted: impl Fn(Dimension) -> bool,
        names: &mut N,
    ) -> Result<SpendKey, N::Error> {
        let mut dimensions = Dimensions::default();
        for dimension in Dimension::ALL.into_iter().filter(|d| wanted(*d)) {
            let number = self.columns.get(DIMENSIONS + dimension as usize, row);
            if number != 0 {
                dimensions.set(dimension, names.label(number)?);
            }
        }
        Ok(SpendKey {
            hour,
            basis: basis(self.columns.get(BASIS, row))?,
            currency: currency(self.columns.get(CURRENCY, row))?,
            dimensions,
        })
    }

    /// One row.
    pub fn get<N: Names>(&self, row: usize, hour: Hour, names: &mut N) -> Result<(SpendKey, Sums), N::Error> {
        let of = |column: usize| self.columns.get(column, row);
        let wide = |low: usize, high: usize| signed_wide(u128::from(of(low)) | u128::from(of(high)) << 64);
        let decimal = |column: usize, high: usize| number(of(column), wide(column + 1, high));
        let mut sums = Sums {
            events: signed(of(EVENTS)),
            ..Sums::default()
        };
        for bucket in Bucket::ALL {
            let n = bucket as usize;
            sums.tokens.set(bucket, wide(TOKENS + n, HIGH_TOKENS + n));
        }
        sums.tokens.reasoning = wide(REASONING, HIGH_REASONING);
        for (n, slot) in (REQUESTS..).zip(&mut sums.requests) {
            *slot = signed(of(n));
        }
        sums.unpriced_events = signed(of(UNPRICED_EVENTS));
        sums.unpriced_tokens = wide(UNPRICED_TOKENS, HIGH_UNPRICED_TOKENS);
        sums.cost = decimal(COST, HIGH_COST)?;
        sums.reported_cost = decimal(REPORTED_COST, HIGH_REPORTED_COST)?;
        sums.unpriced_worst_case = decimal(WORST_CASE, HIGH_WORST_CASE)?;
        Ok((self.key(row, hour, |_| true, names)?, sums))
    }
}

pub(super) fn number(scale: u64, mut mantissa: i128) -> Result<Decimal, Broken> {
    let mut scale = u32::try_from(scale).map_err(|_| Broken)?;
    // A sum may have more digits than its parts, some of which are zeros at the end.
    while scale > 0 && mantissa.unsigned_abs() >> 96 != 0 && mantissa % 10 == 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| Broken)
}
