//! Values by the general reader of the `parquet` crate, one after the other: for columns that are written in an unusual way.

use parquet::column::reader::ColumnReader;
use parquet::data_type::{AsBytes, ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// Values as they are stored.
enum Raw {
    Int(Vec<i32>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// The rows of a column that were read last.
pub(super) struct Values {
    reader: ColumnReader,
    /// Of a value that is there.
    level: i16,
    /// Whether a row may have several.
    repeated: bool,
    present: Vec<i16>,
    repeats: Vec<i16>,
    raw: Raw,
}

impl Values {
    /// The values of a column chunk.
    pub fn new(reader: ColumnReader, column: &ColumnDescriptor) -> Result<Self> {
        let raw = match &reader {
            ColumnReader::Int32ColumnReader(_) => Raw::Int(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Raw::Long(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Raw::Float(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Raw::Double(Vec::new()),
            ColumnReader::ByteArrayColumnReader(_) => Raw::Bytes(Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(_) => Raw::Fixed(Vec::new()),
            ColumnReader::BoolColumnReader(_) | ColumnReader::Int96ColumnReader(_) => {
                return Err(ParquetError::General("a column of another type".to_owned()));
            }
        };
        Ok(Values {
            reader,
            level: column.max_def_level(),
            repeated: column.max_rep_level() > 0,
            present: Vec::new(),
            repeats: Vec::new(),
            raw,
        })
    }

    /// Reads so many rows behind those that are passed over.
    pub fn read(&mut self, behind: usize, rows: usize) -> Result<()> {
        let short_of = || ParquetError::General("a column has fewer values than there are rows".to_owned());
        self.present.clear();
        self.repeats.clear();
        let mut repeats = self.repeated.then_some(&mut self.repeats);
        macro_rules! take {
            ($reader:expr, $values:expr) => {{
                $values.clear();
                if behind > 0 && $reader.skip_records(behind)? != behind {
                    return Err(short_of());
                }
                let mut done = 0;
                while done < rows {
                    let (read, ..) = $reader.read_records(
                        rows - done,
                        Some(&mut self.present),
                        repeats.as_deref_mut(),
                        $values,
                    )?;
                    if read == 0 {
                        return Err(short_of());
                    }
                    done += read;
                }
            }};
        }
        match (&mut self.reader, &mut self.raw) {
            (ColumnReader::Int32ColumnReader(reader), Raw::Int(values)) => take!(reader, values),
            (ColumnReader::Int64ColumnReader(reader), Raw::Long(values)) => take!(reader, values),
            (ColumnReader::FloatColumnReader(reader), Raw::Float(values)) => take!(reader, values),
            (ColumnReader::DoubleColumnReader(reader), Raw::Double(values)) => take!(reader, values),
            (ColumnReader::ByteArrayColumnReader(reader), Raw::Bytes(values)) => take!(reader, values),
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Raw::Fixed(values)) => take!(reader, values),
            _ => return Err(ParquetError::General("a column of two types".to_owned())),
        }
        Ok(())
    }

    /// How many values or nothings were read, of so many rows.
    pub fn count(&self, rows: usize) -> usize {
        if self.repeated { self.repeats.len() } else { rows }
    }

    /// Of these, 0 for those that begin a row; empty where all do.
    pub fn repeats(&self) -> &[i16] {
        &self.repeats
    }

    /// Visits the bytes of each row's value, in order; none where there is none.
    pub fn visit(&self, rows: usize, mut visit: impl FnMut(Option<&[u8]>) -> Result<()>) -> Result<()> {
        let wrong = || ParquetError::General("a column has fewer values than it says".to_owned());
        macro_rules! each {
            ($values:expr, |$value:ident| $bytes:expr) => {{
                let mut values = $values.iter();
                for row in 0..rows {
                    if self.level > 0 && *self.present.get(row).ok_or_else(wrong)? != self.level {
                        visit(None)?;
                        continue;
                    }
                    let $value = values.next().ok_or_else(wrong)?;
                    visit(Some($bytes))?;
                }
            }};
        }
        match &self.raw {
            Raw::Int(values) => each!(values, |v| &v.to_le_bytes()),
            Raw::Long(values) => each!(values, |v| &v.to_le_bytes()),
            Raw::Float(values) => each!(values, |v| &v.to_le_bytes()),
            Raw::Double(values) => each!(values, |v| &v.to_le_bytes()),
            Raw::Bytes(values) => each!(values, |v| v.as_bytes()),
            Raw::Fixed(values) => each!(values, |v| v.as_bytes()),
        }
        Ok(())
    }
}
