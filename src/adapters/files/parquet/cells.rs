//! Columns of a bill in Parquet, many rows at a time: each value becomes a number that stands for its text.

use parquet::basic::{ConvertedType, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{AsBytes, ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::record::Field;
use parquet::schema::types::ColumnDescPtr;

use super::super::amount::Amount;
use super::double::short;
use super::text;
use super::texts::{Text, Texts};
use crate::domain::period::Hour;

/// Values as they are stored.
enum Raw {
    Int(Vec<i32>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// One column.
pub(super) struct Column {
    leaf: usize,
    descr: ColumnDescPtr,
    reader: Option<ColumnReader>,
    /// Rows of the group that are passed over.
    behind: usize,
    present: Vec<i16>,
    /// Counts the times that values were read.
    batch: u32,
    raw: Raw,
    texts: Texts,
    numbers: Vec<u32>,
    amounts: Vec<Option<Amount>>,
}

impl Column {
    /// The column of one leaf of the schema; none where its values are no plain texts or numbers.
    pub fn new(leaf: usize, descr: ColumnDescPtr) -> Option<Self> {
        if descr.max_rep_level() > 0 || descr.path().parts().len() != 1 {
            return None;
        }
        let raw = match descr.physical_type() {
            Physical::INT32 => Raw::Int(Vec::new()),
            Physical::INT64 => Raw::Long(Vec::new()),
            Physical::FLOAT => Raw::Float(Vec::new()),
            Physical::DOUBLE => Raw::Double(Vec::new()),
            Physical::BYTE_ARRAY => Raw::Bytes(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => Raw::Fixed(Vec::new()),
            Physical::BOOLEAN | Physical::INT96 => return None,
        };
        Some(Column {
            leaf,
            descr,
            reader: None,
            behind: 0,
            present: Vec::new(),
            batch: 0,
            raw,
            texts: Texts::new(),
            numbers: Vec::new(),
            amounts: Vec::new(),
        })
    }

    /// Goes on with the values of a row group.
    pub fn open(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        self.reader = Some(group.get_column_reader(self.leaf)?);
        self.behind = 0;
        Ok(())
    }

    /// Forgets the texts where they are too many; whether it did, so that their numbers mean nothing any more.
    pub fn bounded(&mut self) -> bool {
        let full = self.texts.full();
        if full {
            self.texts = Texts::new();
        }
        full
    }

    /// Leaves out so many rows, unless a later one is read.
    pub fn pass(&mut self, rows: usize) {
        self.behind += rows;
        self.numbers.clear();
        self.amounts.clear();
    }

    /// Reads the last of the rows that were left out, of which only a few texts are needed.
    pub fn again(&mut self, rows: usize) -> Result<()> {
        self.behind = self.behind.saturating_sub(rows);
        self.read(rows)
    }

    /// Reads the values of so many rows as they are stored.
    fn read(&mut self, rows: usize) -> Result<()> {
        let short_of = || ParquetError::General("a column has fewer values than there are rows".to_owned());
        self.present.clear();
        let behind = std::mem::take(&mut self.behind);
        macro_rules! take {
            ($reader:expr, $values:expr) => {{
                $values.clear();
                if behind > 0 && $reader.skip_records(behind)? != behind {
                    return Err(short_of());
                }
                let mut done = 0;
                while done < rows {
                    let (read, ..) = $reader.read_records(rows - done, Some(&mut self.present), None, $values)?;
                    if read == 0 {
                        return Err(short_of());
                    }
                    done += read;
                }
            }};
        }
        match (&mut self.reader, &mut self.raw) {
            (Some(ColumnReader::Int32ColumnReader(reader)), Raw::Int(values)) => take!(reader, values),
            (Some(ColumnReader::Int64ColumnReader(reader)), Raw::Long(values)) => take!(reader, values),
            (Some(ColumnReader::FloatColumnReader(reader)), Raw::Float(values)) => take!(reader, values),
            (Some(ColumnReader::DoubleColumnReader(reader)), Raw::Double(values)) => take!(reader, values),
            (Some(ColumnReader::ByteArrayColumnReader(reader)), Raw::Bytes(values)) => take!(reader, values),
            (Some(ColumnReader::FixedLenByteArrayColumnReader(reader)), Raw::Fixed(values)) => take!(reader, values),
            _ => return Err(ParquetError::General("a column of two types".to_owned())),
        }
        Ok(())
    }

    /// Reads so many rows as numbers that stand for texts.
    pub fn read_texts(&mut self, rows: usize) -> Result<()> {
        self.read(rows)?;
        // Values lie where they are until the next ones are read.
        self.batch += 1;
        let (descr, texts, batch) = (&self.descr, &mut self.texts, self.batch);
        let of_bytes = |value: ByteArray| {
            Field::convert_byte_array(descr, value)
                .map_err(|e| e.to_string())
                .and_then(|f| text(&f))
        };
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        macro_rules! number {
            ($values:expr, |$value:ident| $number:expr) => {
                spread_out(
                    &self.present,
                    self.descr.max_def_level(),
                    $values,
                    rows,
                    &mut numbers,
                    0,
                    |$value| $number,
                )?
            };
        }
        match &self.raw {
            Raw::Int(values) => number!(values, |v| {
                texts.number(&v.to_le_bytes(), u64::from(v.cast_unsigned()), 0, || {
                    text(&Field::convert_int32(descr, *v))
                })
            }),
            Raw::Long(values) => number!(values, |v| {
                texts.number(&v.to_le_bytes(), v.cast_unsigned(), 0, || {
                    text(&Field::convert_int64(descr, *v))
                })
            }),
            Raw::Float(values) => number!(values, |v| {
                texts.number(&v.to_le_bytes(), u64::from(v.to_bits()), 0, || {
                    text(&Field::convert_float(descr, *v))
                })
            }),
            Raw::Double(values) => number!(values, |v| {
                texts.number(&v.to_le_bytes(), v.to_bits(), 0, || {
                    text(&Field::convert_double(descr, *v))
                })
            }),
            Raw::Bytes(values) => number!(values, |v| {
                let bytes = v.as_bytes();
                texts.number(bytes, bytes.as_ptr() as u64, batch, || of_bytes(v.clone()))
            }),
            Raw::Fixed(values) => number!(values, |v| {
                texts.number(v.as_bytes(), v.as_bytes().as_ptr() as u64, batch, || {
                    of_bytes(ByteArray::from(v.as_bytes().to_vec()))
                })
            }),
        }
        self.numbers = numbers;
        Ok(())
    }

    /// Reads so many rows as amounts, where they are short ones; and as texts where one is not.
    pub fn read_amounts(&mut self, rows: usize) -> Result<()> {
        let scale = u32::try_from(self.descr.type_scale()).ok();
        let scale = scale.filter(|_| self.descr.converted_type() == ConvertedType::DECIMAL);
        let mut amounts = std::mem::take(&mut self.amounts);
        amounts.clear();
        match (&self.raw, scale) {
            (Raw::Long(_) | Raw::Int(_) | Raw::Fixed(_), Some(_)) | (Raw::Double(_), None) => self.read(rows)?,
            _ => {
                self.read_texts(rows)?;
                let texts = self.numbers.iter().map(|number| self.texts.text(*number));
                amounts.extend(texts.map(|text| Amount::usual(text?.as_ref().ok()?.as_bytes())));
                self.amounts = amounts;
                return Ok(());
            }
        }
        let level = self.descr.max_def_level();
        macro_rules! amount {
            ($values:expr, |$value:ident| $amount:expr) => {
                spread_out(
                    &self.present,
                    level,
                    $values,
                    rows,
                    &mut amounts,
                    None,
                    |$value| Ok($amount),
                )?
            };
        }
        match (&self.raw, scale) {
            (Raw::Long(values), Some(scale)) => amount!(values, |v| Amount::new(*v, scale)),
            (Raw::Int(values), Some(scale)) => amount!(values, |v| Amount::new(i64::from(*v), scale)),
            (Raw::Fixed(values), Some(scale)) => {
                amount!(values, |v| signed(v.as_bytes()).and_then(|v| Amount::new(v, scale)))
            }
            (Raw::Double(values), _) => amount!(values, |v| short(v.to_bits())),
            _ => {}
        }
        self.amounts = amounts;
        Ok(())
    }

    /// The number of a row's text.
    pub fn number(&self, row: usize) -> u32 {
        self.numbers.get(row).copied().unwrap_or(0)
    }

    /// The amount of a row, if it is a short one.
    pub fn amount(&self, row: usize) -> Option<Amount> {
        self.amounts.get(row).copied().flatten()
    }

    /// The hour of a row, if its text is a time.
    pub fn hour(&mut self, row: usize) -> Option<Hour> {
        self.texts.hour(self.number(row))
    }

    /// The text of a row that was read, or what is wrong with it.
    pub fn text(&self, row: usize) -> Text {
        if self.numbers.is_empty() {
            return self.stored(row);
        }
        let text = self.texts.text(self.number(row));
        text.map_or(Ok(String::new()), Clone::clone)
    }

    /// The text of a row from its value.
    fn stored(&self, row: usize) -> Text {
        let level = self.descr.max_def_level();
        if level > 0 && self.present.get(row) != Some(&level) {
            return Ok(String::new());
        }
        let length = match &self.raw {
            Raw::Int(values) => values.len(),
            Raw::Long(values) => values.len(),
            Raw::Float(values) => values.len(),
            Raw::Double(values) => values.len(),
            Raw::Bytes(values) => values.len(),
            Raw::Fixed(values) => values.len(),
        };
        let at = if level == 0 || length == self.present.len() {
            row
        } else {
            self.present.iter().take(row).filter(|l| **l == level).count()
        };
        let field = match &self.raw {
            Raw::Int(values) => values.get(at).map(|v| Ok(Field::convert_int32(&self.descr, *v))),
            Raw::Long(values) => values.get(at).map(|v| Ok(Field::convert_int64(&self.descr, *v))),
            Raw::Double(values) => values.get(at).map(|v| Ok(Field::convert_double(&self.descr, *v))),
            Raw::Float(values) => values.get(at).map(|v| Ok(Field::convert_float(&self.descr, *v))),
            Raw::Bytes(values) => values
                .get(at)
                .map(|v| Field::convert_byte_array(&self.descr, v.clone())),
            Raw::Fixed(values) => {
                let bytes = values.get(at).map(|v| ByteArray::from(v.as_bytes().to_vec()));
                bytes.map(|bytes| Field::convert_byte_array(&self.descr, bytes))
            }
        };
        match field {
            None => Ok(String::new()),
            Some(Ok(field)) => text(&field),
            Some(Err(error)) => Err(error.to_string()),
        }
    }
}

/// Puts what becomes of each value where its row is; rows without a value get `none`.
fn spread_out<V, T: Copy>(
    present: &[i16],
    level: i16,
    values: &[V],
    rows: usize,
    out: &mut Vec<T>,
    none: T,
    mut of: impl FnMut(&V) -> Result<T>,
) -> Result<()> {
    out.reserve(rows);
    let wrong = || ParquetError::General("a column has fewer values than it says".to_owned());
    let mut values = values.iter();
    if level == 0 {
        for _ in 0..rows {
            out.push(of(values.next().ok_or_else(wrong)?)?);
        }
        return Ok(());
    }
    if present.len() < rows {
        return Err(wrong());
    }
    for at in present.iter().take(rows) {
        out.push(if *at == level {
            of(values.next().ok_or_else(wrong)?)?
        } else {
            none
        });
    }
    Ok(())
}

/// A signed number of the most significant byte first, if it is a short one.
fn signed(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let start = if negative { -1_i128 } else { 0 };
    let number = bytes
        .iter()
        .try_fold(start, |sum, byte| sum.checked_mul(256)?.checked_add(i128::from(*byte)));
    i64::try_from(number?).ok()
}
