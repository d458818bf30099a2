//! The amounts of a column, straight from its values.

use std::ops::Range;

use parquet::basic::{ConvertedType, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::super::amount::{Amount, TOO_MUCH};
use super::double::{MOST_OF_DOUBLE, short, short_at};
use super::segment::{Dictionary, Found, Room, Segment};
use super::text_of;
use crate::domain::money::FINEST;

/// How values are amounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Decimals of so many digits behind the point.
    Int(u32),
    /// The same.
    Long(u32),
    /// The same.
    Fixed(u32),
    /// Doubles.
    Double,
    /// Doubles of which few are looked at, so that they are kept as they are.
    Bits,
    /// By their text.
    Text,
}

/// What stands for amounts of another scale, or none.
pub(super) const OTHER: i64 = i64::MIN;
/// What stands for nothing at all.
const ABSENT: i64 = i64::MIN + 1;
/// Bits of numbers of which the sum of [`MANY`] is still one of 64 bits.
const FEW: u32 = 47;
/// So many rows are summed at most.
pub(super) const MANY: u32 = 1 << 15;

/// The rows read last.
pub(super) struct Costs {
    pub kind: Kind,
    /// By row, times ten to the power of minus `scale`.
    digits: Vec<i64>,
    scale: u32,
    /// Of the rows with [`OTHER`] those that have an amount, ascending.
    others: Vec<(usize, Amount)>,
    /// By code of the chunk's dictionary.
    meanings: Vec<(i64, Option<Amount>)>,
    values: Vec<i64>,
    /// The same of values.
    other_values: Vec<(usize, Amount)>,
}

impl Costs {
    /// None yet.
    pub fn new(column: &ColumnDescPtr, rare: bool) -> Self {
        let scale = u32::try_from(column.type_scale()).ok();
        let scale = scale.filter(|_| column.converted_type() == ConvertedType::DECIMAL);
        // Finer ones are rounded, one by one.
        let scale = scale.filter(|scale| *scale <= FINEST);
        let kind = match (column.physical_type(), scale) {
            (Physical::INT32, Some(scale)) => Kind::Int(scale),
            (Physical::INT64, Some(scale)) => Kind::Long(scale),
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(scale)) => Kind::Fixed(scale),
            (Physical::DOUBLE, None) => match rare {
                true => Kind::Bits,
                false => Kind::Double,
            },
            _ => Kind::Text,
        };
        Costs {
            kind,
            digits: Vec::new(),
            // Of costs most have as many digits as this or fewer.
            scale: scale.unwrap_or(10),
            others: Vec::new(),
            meanings: Vec::new(),
            values: Vec::new(),
            other_values: Vec::new(),
        }
    }

    /// From now on codes are those of another dictionary.
    pub fn turn(&mut self) {
        self.meanings.clear();
    }

    /// Begins with the next rows.
    pub fn begin(&mut self) {
        // Where most rows have another scale it is that of the next ones.
        if self.others.len() > self.digits.len() / 2
            && let Some((_, amount)) = self.others.last()
            && matches!(self.kind, Kind::Double | Kind::Text)
        {
            self.scale = amount.scale();
            self.meanings.clear();
        }
        self.digits.clear();
        self.others.clear();
    }

    /// Adds rows of a page.
    pub fn add(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Option<&Dictionary>,
        (segment, found): (&Segment, Found),
        room: &mut Room,
    ) -> Result<()> {
        self.values.clear();
        self.other_values.clear();
        match found {
            Found::Code(_) | Found::Codes => {
                if let Some(dictionary) = dictionary.filter(|_| self.meanings.is_empty()) {
                    let meanings = (0..dictionary.count()).map(|code| self.told(column, dictionary.value(code)));
                    self.meanings = meanings.collect();
                }
                room.fill(found);
                for code in &room.codes {
                    let (digits, other) = self.meanings.get(*code as usize).copied().unwrap_or((OTHER, None));
                    if let Some(amount) = other {
                        self.other_values.push((self.values.len(), amount));
                    }
                    self.values.push(digits);
                }
            }
            Found::Fixed(start, end) => {
                let bytes = segment.bytes().get(start..end).unwrap_or_default();
                let (eights, _) = bytes.as_chunks::<8>();
                match self.kind {
                    Kind::Long(_) | Kind::Bits => self
                        .values
                        .extend(eights.iter().map(|eight| present(i64::from_le_bytes(*eight)))),
                    Kind::Double => self.doubles(eights),
                    Kind::Int(_) | Kind::Fixed(_) | Kind::Text => self.each_value(column, (segment, found), room)?,
                }
                self.leave_out_unusual();
            }
            Found::Long => self.each_value(column, (segment, found), room)?,
        }
        let before = self.digits.len();
        if before == 0 && room.present.all() {
            std::mem::swap(&mut self.values, &mut self.digits);
        } else {
            room.present.spread(&self.values, ABSENT, &mut self.digits);
        }
        if !self.other_values.is_empty() {
            let mut rows = room.present.rows();
            let mut next = 0;
            for (value, amount) in &self.other_values {
                if let Some(row) = rows.nth(value - next) {
                    self.others.push((before + row, *amount));
                }
                next = value + 1;
            }
        }
        Ok(())
    }

    /// Leaves values that may not be costs to their text, where digits of this scale can be so many.
    fn leave_out_unusual(&mut self) {
        let most = 10_u64.checked_pow(self.scale).and_then(|ten| ten.checked_mul(TOO_MUCH));
        let most = most.filter(|most| match self.kind {
            Kind::Long(_) => *most <= i64::MAX.unsigned_abs(),
            Kind::Double => *most < MOST_OF_DOUBLE,
            // Looked at one by one, or no digits.
            Kind::Int(_) | Kind::Fixed(_) | Kind::Text | Kind::Bits => false,
        });
        let Some(most) = most else { return };
        for digits in self.values.iter_mut().filter(|digits| digits.unsigned_abs() >= most) {
            *digits = OTHER;
        }
    }

    fn doubles(&mut self, eights: &[[u8; 8]]) {
        let Some(ten) = 10_u64.checked_pow(self.scale) else {
            return;
        };
        let others = &mut self.other_values;
        self.values.extend(eights.iter().enumerate().map(|(at, eight)| {
            let bits = u64::from_le_bytes(*eight);
            short_at(bits, ten).unwrap_or_else(|| {
                let amount = short(bits).filter(|amount| amount.is_usual());
                others.extend(amount.map(|amount| (at, amount)));
                OTHER
            })
        }));
    }

    fn each_value(&mut self, column: &ColumnDescPtr, (segment, found): (&Segment, Found), room: &Room) -> Result<()> {
        room.each_value(found, segment, |value, _| {
            let (digits, other) = self.told(column, Some(value));
            if let Some(amount) = other {
                self.other_values.push((self.values.len(), amount));
            }
            self.values.push(digits);
            Ok(())
        })
    }

    /// How a value is kept: its digits, or the amount that they are not those of.
    fn told(&self, column: &ColumnDescPtr, value: Option<&[u8]>) -> (i64, Option<Amount>) {
        if self.kind == Kind::Bits {
            let bits = value.and_then(|value| value.first_chunk());
            return (bits.map_or(OTHER, |bits| present(i64::from_le_bytes(*bits))), None);
        }
        let amount = value.and_then(|value| self.kind.amount(column, value));
        let Some(amount) = amount.filter(|amount| amount.is_usual()) else {
            let empty = self.kind == Kind::Text && value.is_some_and(|value| nothing(column, value));
            return (if empty { ABSENT } else { OTHER }, None);
        };
        let up = self.scale.checked_sub(amount.scale());
        let digits = up.and_then(|up| amount.digits().checked_mul(10_i64.checked_pow(up)?));
        match digits.filter(|digits| ![OTHER, ABSENT].contains(digits)) {
            Some(digits) => (digits, None),
            None => (OTHER, Some(amount)),
        }
    }

    /// Adds one row by its value.
    pub fn push(&mut self, column: &ColumnDescPtr, value: Option<&[u8]>) {
        let (digits, other) = match value {
            Some(_) => self.told(column, value),
            None => (ABSENT, None),
        };
        if let Some(amount) = other {
            self.others.push((self.digits.len(), amount));
        }
        self.digits.push(digits);
    }

    /// The amount of a row, if it is a short one.
    #[inline]
    pub fn amount(&self, row: usize) -> Option<Amount> {
        match self.digits.get(row)? {
            &(OTHER | ABSENT) => {
                let at = self.others.binary_search_by_key(&row, |(row, _)| *row).ok()?;
                self.others.get(at).map(|(_, amount)| *amount)
            }
            bits if self.kind == Kind::Bits => short(bits.cast_unsigned()),
            digits => Amount::new(*digits, self.scale),
        }
    }

    /// The amount of a row, or nothing where it has none; none where it is not a short one.
    #[inline]
    pub fn given(&self, row: usize) -> Option<Option<Amount>> {
        match self.digits.get(row) {
            Some(&ABSENT) => Some(None),
            _ => self.amount(row).map(Some),
        }
    }

    /// The digits of rows.
    pub fn digits(&self, rows: Range<usize>) -> &[i64] {
        self.digits.get(rows).unwrap_or_default()
    }

    /// The digits and the scale of rows from the first of these on, as long as they are so few that their sum cannot be too many.
    pub fn few(&self, rows: Range<usize>) -> (&[i64], u32) {
        let digits = self.digits.get(rows).unwrap_or_default();
        // Many at a time, since hardly ever one has more.
        let short = |part: &[i64]| part.iter().fold(0, |bits, digits| bits | (digits ^ (digits >> 63))) >> FEW == 0;
        let mut count: usize = digits.chunks(64).take_while(|part| short(part)).map(<[i64]>::len).sum();
        let rest = digits.get(count..).unwrap_or_default();
        count += rest.iter().take_while(|digits| short(&[**digits])).count();
        (digits.get(..count).unwrap_or_default(), self.scale)
    }
}

impl Kind {
    /// The amount of a value.
    pub fn amount(self, column: &ColumnDescPtr, value: &[u8]) -> Option<Amount> {
        match self {
            Kind::Int(scale) => Amount::new(i64::from(i32::from_le_bytes(*value.first_chunk()?)), scale),
            Kind::Long(scale) => Amount::new(i64::from_le_bytes(*value.first_chunk()?), scale),
            Kind::Fixed(scale) => Amount::new(signed(value)?, scale),
            Kind::Double | Kind::Bits => short(u64::from_le_bytes(*value.first_chunk()?)),
            Kind::Text => Amount::usual(text_of(column, value).ok()?.as_bytes()),
        }
    }
}

/// Digits or bits that do not say that there is nothing.
#[inline]
fn present(digits: i64) -> i64 {
    if digits == ABSENT { OTHER } else { digits }
}

/// Whether a value is a text that tells nothing.
fn nothing(column: &ColumnDescPtr, value: &[u8]) -> bool {
    text_of(column, value).is_ok_and(|text| text.is_empty() || text.eq_ignore_ascii_case("null"))
}

/// A signed number of the most significant byte first, if it is a short one.
fn signed(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let sign = if negative { 0xff } else { 0 };
    let (front, last) = bytes
        .split_last_chunk::<8>()
        .map_or((&[][..], None), |(front, last)| (front, Some(last)));
    let Some(last) = last else {
        let start = if negative { -1 } else { 0 };
        return Some(bytes.iter().fold(start, |sum, byte| sum << 8 | i64::from(*byte)));
    };
    let number = i64::from_be_bytes(*last);
    (front.iter().all(|byte| *byte == sign) && (number < 0) == negative).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn signed_numbers_of_any_length(number in any::<i128>(), down in 0_u32..127, length in 1_usize..17) {
            let number = number >> down;
            let bytes = &number.to_be_bytes()[16 - length..];
            let whole = number >> (length * 8 - 1);
            prop_assume!(whole == 0 || whole == -1);
            prop_assert_eq!(signed(bytes), i64::try_from(number).ok());
        }
    }
}
