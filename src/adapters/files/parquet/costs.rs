//! The amounts of a column, straight from its values.

use parquet::basic::{ConvertedType, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::super::amount::Amount;
use super::double::short;
use super::segment::{Dictionary, Found, Room, Segment};
use super::text_of;

/// How values are amounts.
#[derive(Clone, Copy)]
enum Kind {
    Int(u32),
    Long(u32),
    Fixed(u32),
    Double,
    /// By their text.
    Text,
}

/// The rows read last.
pub(super) struct Costs {
    kind: Kind,
    each: Vec<Option<Amount>>,
    /// By code of the chunk's dictionary.
    meanings: Vec<Option<Amount>>,
    values: Vec<Option<Amount>>,
}

impl Costs {
    /// None yet.
    pub fn new(column: &ColumnDescPtr) -> Self {
        let scale = u32::try_from(column.type_scale()).ok();
        let scale = scale.filter(|_| column.converted_type() == ConvertedType::DECIMAL);
        let kind = match (column.physical_type(), scale) {
            (Physical::INT32, Some(scale)) => Kind::Int(scale),
            (Physical::INT64, Some(scale)) => Kind::Long(scale),
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(scale)) => Kind::Fixed(scale),
            (Physical::DOUBLE, None) => Kind::Double,
            _ => Kind::Text,
        };
        Costs {
            kind,
            each: Vec::new(),
            meanings: Vec::new(),
            values: Vec::new(),
        }
    }

    /// From now on codes are those of another dictionary.
    pub fn turn(&mut self) {
        self.meanings.clear();
    }

    /// Begins with the next rows.
    pub fn begin(&mut self) {
        self.each.clear();
    }

    /// Adds rows of a page.
    pub fn add(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Option<&Dictionary>,
        (segment, found): (&Segment, Found),
        room: &mut Room,
    ) -> Result<()> {
        let kind = self.kind;
        self.values.clear();
        match found {
            Found::Code(_) | Found::Codes => {
                if let Some(dictionary) = dictionary.filter(|_| self.meanings.is_empty()) {
                    let values =
                        (0..dictionary.count()).map(|code| dictionary.value(code).and_then(|v| kind.amount(column, v)));
                    self.meanings.extend(values);
                }
                room.fill(found);
                let meaning = |code: &u32| self.meanings.get(*code as usize).copied().flatten();
                self.values.extend(room.codes.iter().map(meaning));
            }
            Found::Fixed(start, end) => {
                let bytes = segment.bytes().get(start..end).unwrap_or_default();
                let (eights, _) = bytes.as_chunks::<8>();
                match kind {
                    Kind::Long(scale) => self.values.extend(
                        eights
                            .iter()
                            .map(|eight| Amount::new(i64::from_le_bytes(*eight), scale)),
                    ),
                    Kind::Double => self
                        .values
                        .extend(eights.iter().map(|eight| short(u64::from_le_bytes(*eight)))),
                    Kind::Int(_) | Kind::Fixed(_) | Kind::Text => room.each_value(found, segment, |value, _| {
                        self.values.push(kind.amount(column, value));
                        Ok(())
                    })?,
                }
            }
            Found::Long => room.each_value(found, segment, |value, _| {
                self.values.push(kind.amount(column, value));
                Ok(())
            })?,
        }
        if self.each.is_empty() && room.present.all() {
            std::mem::swap(&mut self.values, &mut self.each);
        } else {
            room.present.spread(&self.values, None, &mut self.each);
        }
        Ok(())
    }

    /// Adds one row by its value.
    pub fn push(&mut self, column: &ColumnDescPtr, value: Option<&[u8]>) {
        self.each.push(value.and_then(|value| self.kind.amount(column, value)));
    }

    /// By row, if it is a short one.
    pub fn each(&self) -> &[Option<Amount>] {
        &self.each
    }
}

impl Kind {
    fn amount(self, column: &ColumnDescPtr, value: &[u8]) -> Option<Amount> {
        match self {
            Kind::Int(scale) => Amount::new(i64::from(i32::from_le_bytes(*value.first_chunk()?)), scale),
            Kind::Long(scale) => Amount::new(i64::from_le_bytes(*value.first_chunk()?), scale),
            Kind::Fixed(scale) => Amount::new(signed(value)?, scale),
            Kind::Double => short(u64::from_le_bytes(*value.first_chunk()?)),
            Kind::Text => Amount::usual(text_of(column, value).ok()?.as_bytes()),
        }
    }
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
