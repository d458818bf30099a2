//! Rows of spend of one hour by column.

use rust_decimal::Decimal;

use super::columns::{Columns, Frame};
use super::plain::PlainRow;
use super::{
    Broken, Names, Reader, fill_dimensions, fill_labels, number_of, signed, signed_wide, unsigned, unsigned_wide,
};
use crate::domain::charge::summable;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, HourRows, SpendKey, SpendRow, Sums, usage_category};
use crate::domain::usage::{Bucket, Tokens};

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

    fn wide(&mut self, row: usize, low: usize, high: usize, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.frame.replace(row, low, unsigned(value)),
            Err(_) => {
                let wide = unsigned_wide(value);
                self.frame.replace(row, low, wide as u64);
                self.frame.replace(row, high, (wide >> 64) as u64);
            }
        }
    }

    fn decimal(&mut self, row: usize, column: usize, high: usize, value: Decimal) {
        self.frame.replace(row, column, u64::from(value.scale()));
        self.wide(row, column + 1, high, value.mantissa());
    }

    /// Adds a row.
    pub fn push<N: Names>(&mut self, key: &SpendKey, sums: &Sums, names: &mut N) -> Result<(), N::Error> {
        self.key(key.basis, key.currency, &key.dimensions, names)?;
        self.measures(self.frame.rows(), sums);
        self.frame.end_row();
        Ok(())
    }

    fn measures(&mut self, row: usize, sums: &Sums) {
        self.frame.replace(row, EVENTS, unsigned(sums.events));
        for bucket in Bucket::ALL {
            let n = bucket as usize;
            self.wide(row, TOKENS + n, HIGH_TOKENS + n, sums.tokens.get(bucket));
        }
        self.wide(row, REASONING, HIGH_REASONING, sums.tokens.reasoning);
        for (n, count) in (REQUESTS..).zip(sums.requests) {
            self.frame.replace(row, n, unsigned(count));
        }
        self.frame.replace(row, UNPRICED_EVENTS, unsigned(sums.unpriced_events));
        self.wide(row, UNPRICED_TOKENS, HIGH_UNPRICED_TOKENS, sums.unpriced_tokens);
        self.decimal(row, COST, HIGH_COST, sums.cost);
        self.decimal(row, REPORTED_COST, HIGH_REPORTED_COST, sums.reported_cost);
        self.decimal(row, WORST_CASE, HIGH_WORST_CASE, sums.unpriced_worst_case);
    }

    /// Adds rows of a bill: what [`Rows::push`] makes of each, column by column.
    pub fn extend_from<N: Names>(&mut self, rows: HourRows<'_>, names: &mut N) -> Result<(), N::Error> {
        let filled = self.fill_from(rows, names);
        if filled.is_err() {
            *self = Rows::default();
        }
        filled
    }

    fn fill_from<N: Names>(&mut self, rows: HourRows<'_>, names: &mut N) -> Result<(), N::Error> {
        let frame = &mut self.frame;
        let rows: Vec<SpendRow<'_>> = rows.packed().collect();
        frame.fill(BASIS, rows.iter().map(|row| row.basis() as u64));
        frame.fill(CURRENCY, rows.iter().map(|row| code(row.currency())));
        fill_dimensions(
            frame,
            DIMENSIONS,
            Dimension::ALL.into_iter(),
            rows.iter().map(SpendRow::dimensions),
            names,
        )?;
        frame.fill(EVENTS, rows.iter().map(|row| unsigned(i64::from(row.few().0))));
        frame.fill(COST, rows.iter().map(|row| u64::from(row.few().2)));
        frame.fill(COST + 1, rows.iter().map(|row| unsigned(row.few().1)));
        let first = frame.rows();
        for (row, packed) in (first..).zip(&rows).filter(|(_, row)| row.has_more()) {
            self.measures(row, &packed.sums());
        }
        self.frame.end_rows(rows.len());
        Ok(())
    }

    /// Adds rows of usual calls: what [`Rows::push`] makes of each, column by column.
    pub fn extend<N: Names>(&mut self, rows: &[PlainRow<'_>], names: &mut N) -> Result<(), N::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let counted = Tokens::counted(rows.iter().map(|row| row.tokens));
        let bits = rows.iter().fold(0, |bits, row| bits | row.reasoning);
        // What is as large as that has more bits than a column when it gets a sign.
        if counted.iter().fold(bits, |bits, count| bits | count) >> 62 != 0 {
            for row in rows {
                self.push(&row.key(Hour(0)), &row.sums(), names)?;
            }
            return Ok(());
        }
        let filled = self.fill(rows, &counted, names);
        if filled.is_err() {
            *self = Rows::default();
        }
        filled
    }

    fn fill<N: Names>(
        &mut self,
        rows: &[PlainRow<'_>],
        counted: &[u64; Bucket::ALL.len()],
        names: &mut N,
    ) -> Result<(), N::Error> {
        let frame = &mut self.frame;
        frame.repeat(BASIS, Basis::Metered as u64, rows.len());
        frame.repeat(CURRENCY, code(Currency::USD), rows.len());
        fill_dimensions(
            frame,
            DIMENSIONS,
            Dimension::ALL.into_iter().filter(|d| *d != Dimension::Category),
            rows.iter().map(|row| row.dimensions),
            names,
        )?;
        let category = |row: &PlainRow<'_>| match row.dimensions.get(Dimension::Category) {
            Label::EMPTY => usage_category(),
            label => label,
        };
        let column = DIMENSIONS + Dimension::Category as usize;
        fill_labels(frame, column, rows.iter().map(category), names)?;
        frame.fill_steady(EVENTS, rows.iter().map(|row| u64::from(row.calls) << 1));
        for (n, _) in counted.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let count = |row: &PlainRow<'_>| row.tokens.get(n).map_or(0, |count| count << 1);
            frame.fill(TOKENS + n, rows.iter().map(count));
        }
        frame.fill(REASONING, rows.iter().map(|row| row.reasoning << 1));
        frame.fill_steady(COST, rows.iter().map(|row| u64::from(row.scale)));
        frame.fill(COST + 1, rows.iter().map(|row| row.cost << 1));
        frame.end_rows(rows.len());
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

fn currency(number: u64) -> Result<Currency, Broken> {
    if number == code(Currency::USD) {
        return Ok(Currency::USD);
    }
    let [_, _, _, _, _, bytes @ ..] = number.to_be_bytes();
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
        sums.unpriced_worst_case = summable(decimal(WORST_CASE, HIGH_WORST_CASE)?);
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
