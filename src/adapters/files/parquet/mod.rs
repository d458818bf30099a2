//! Bills as Parquet: FOCUS and CUR rows, read column names and values as the tables of text have them.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use chrono::{DateTime, TimeDelta};
use csv::StringRecord;
use parquet::basic::{Compression, Type as Physical};
use parquet::data_type::{ByteArray, Decimal as Stored};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::ColumnDescPtr;
use rust_decimal::Decimal;
use serde_json::Value;

mod bill;
mod cells;
mod chunk;
mod codes;
mod combine;
mod costs;
mod double;
mod leaf;
mod nested;
mod pages;
mod present;
mod runs;
mod segment;
mod tally;
mod texts;
mod values;

use bill::Bill;
use chunk::Chunks;
use texts::Text;

use super::detect;
use super::line::Fault;
use super::position::Position;
use super::read::Run;
use super::stop::Stop;
use super::table::Columns;

/// Rows that are read at once.
const BATCH: usize = 4096;
/// More rows than this for each byte of a file are none that someone wrote: even where all are alike a page says so anew. What is damaged
/// must not keep the machine busy with rows that there are not.
const ROWS_OF_A_BYTE: i128 = 4096;

impl Run<'_> {
    /// Reads a Parquet file.
    pub fn parquet(&mut self, file: File, name: &str, position: Position) -> Result<(), Stop> {
        let size = position.size;
        // A bill that is read in part must not replace a whole one.
        let (whole, refused) = (std::mem::replace(&mut self.bills_whole, false), self.refused);
        // The decoder checks less than it should: what a damaged file makes of it is a failure of that file alone.
        let read = catch_unwind(AssertUnwindSafe(|| self.rows(file, name)));
        match read {
            Ok(Ok(Some(format))) => {
                self.bills_whole = whole;
                let of_usage = std::mem::take(&mut self.out.faults_of_usage);
                let costs = (self.refused - refused).saturating_sub(of_usage);
                self.progress.unknown_costs += costs;
                let position = Position {
                    format,
                    resumable: false,
                    ..position
                };
                let position = Some(position).filter(|_| costs == 0);
                self.bill_positions.push((name.to_owned(), position));
            }
            Ok(Ok(None)) => {
                self.bills_whole = whole;
                self.reject(name, 0, Fault::whole("no known usage format"), b"");
            }
            Ok(Err(RowsEnd::Fault(fault))) => self.reject(name, 0, fault, b""),
            Ok(Err(RowsEnd::Stop(stop))) => return Err(stop),
            Err(_) => self.reject(name, 0, Fault::whole("not valid Parquet: the decoder failed"), b""),
        }
        self.progress.bytes = size;
        Ok(())
    }

    /// Reads all rows; answers the name of their format.
    fn rows(&mut self, file: File, name: &str) -> Result<Option<String>, RowsEnd> {
        let chunks = Chunks::of(file.try_clone().map_err(|error| wrong(error.into()))?);
        let reader = SerializedFileReader::new(file).map_err(wrong)?;
        let groups = reader.metadata().row_groups().iter();
        let claimed = groups.map(|group| i128::from(group.num_rows().max(0))).sum::<i128>();
        if claimed > i128::from(chunks.length()) * ROWS_OF_A_BYTE {
            let (length, rows) = (chunks.length(), claimed);
            let reason = format!("not valid Parquet: it says that it has {rows} rows in {length} bytes");
            return Err(RowsEnd::Fault(Fault::whole(reason)));
        }
        let columns = reader
            .metadata()
            .row_groups()
            .iter()
            .flat_map(RowGroupMetaData::columns);
        // The decoder takes it for granted.
        if columns.into_iter().any(|chunk| !lies_somewhere(chunk)) {
            let reason = "not valid Parquet: it says that a column begins before the file";
            return Err(RowsEnd::Fault(Fault::whole(reason)));
        }
        let chunks_of = |group: &RowGroupMetaData| {
            group
                .columns()
                .iter()
                .map(|chunk| chunk.compression())
                .collect::<Vec<_>>()
        };
        let mut packed = reader.metadata().row_groups().iter().flat_map(chunks_of);
        if let Some(unknown) = packed.find(|packed| !unpacked(*packed)) {
            let name = unknown.to_string();
            let name = name.split('(').next().unwrap_or_default();
            let reason = format!("compressed with {name}, which is not read: write it with SNAPPY, ZSTD, GZIP or LZ4");
            return Err(RowsEnd::Fault(Fault::whole(reason)));
        }
        let schema = reader.metadata().file_metadata().schema();
        let names = schema.get_fields().iter().map(|f| f.name().trim().to_owned());
        let names: Vec<String> = names.collect();
        let Some(format) = detect::by_header(&names.join(",")).filter(|f| f.is_bill()) else {
            return Ok(None);
        };
        let columns = Columns::new(format, &names, self.options.asked.as_ref());
        if let Some(mut bill) = columns
            .wanted()
            .and_then(|wanted| Bill::of(&columns, &wanted, &reader, chunks))
        {
            self.cells(&mut bill, &reader, name)?;
            return Ok(Some(format.name().to_owned()));
        }
        let mut values = StringRecord::new();
        for (at, row) in reader.get_row_iter(None).map_err(wrong)?.enumerate() {
            let row = row.map_err(wrong)?;
            values.clear();
            let mut fault = None;
            for (_, field) in row.get_column_iter() {
                let text = text(field).unwrap_or_else(|reason| {
                    fault = Some(Fault::whole(reason));
                    String::new()
                });
                values.push_field(text.trim());
            }
            let result = fault.map_or_else(|| columns.add(self, &values).map(|_| ()), Err);
            if let Err(fault) = result {
                self.reject(name, at as u64 + 1, fault, values.as_slice().as_bytes());
            }
            self.hand_over().map_err(RowsEnd::Stop)?;
            self.progress.lines += 1;
        }
        Ok(Some(format.name().to_owned()))
    }
}

impl Run<'_> {
    fn cells(&mut self, bill: &mut Bill, reader: &SerializedFileReader<File>, name: &str) -> Result<(), RowsEnd> {
        let mut before = 0;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(wrong)?;
            bill.open(group.as_ref()).map_err(wrong)?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            while left > 0 {
                let rows = left.min(BATCH);
                left -= rows;
                bill.read(group.as_ref(), rows).map_err(wrong)?;
                let mut row = 0;
                while row < rows {
                    let until;
                    (row, until) = bill
                        .same_hour(&mut self.bills, group.as_ref(), row, rows)
                        .map_err(wrong)?;
                    self.uncounted(bill, group.as_ref(), name, before)?;
                    row = bill.known_rows(&mut self.bills, row, until).map_err(wrong)?;
                    if row == until {
                        continue;
                    }
                    if let Err(fault) = bill.row(self, group.as_ref(), row).map_err(wrong)? {
                        self.reject(name, before + row as u64 + 1, fault, bill.last_row());
                    }
                    row += 1;
                }
                before += rows as u64;
                self.hand_over().map_err(RowsEnd::Stop)?;
                self.progress.lines += rows as u64;
                self.tell(false);
            }
        }
        bill.tally.hand_over(&mut self.bills);
        Ok(())
    }

    /// Tells the rows that were summed and whose tokens cannot be read.
    fn uncounted(
        &mut self,
        bill: &mut Bill,
        group: &dyn RowGroupReader,
        name: &str,
        before: u64,
    ) -> Result<(), RowsEnd> {
        for (row, slot) in std::mem::take(&mut bill.tally.uncounted) {
            let fault = bill.uncounted(&mut self.bills, group, row, slot).map_err(wrong)?;
            if let Some(fault) = fault {
                self.reject(name, before + row as u64 + 1, fault, bill.last_row());
            }
        }
        Ok(())
    }
}

/// Whether a file is a Parquet file without rows, as its end says.
pub(super) fn without_rows(path: &Path) -> bool {
    let rows = catch_unwind(|| {
        let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
        let groups = reader.metadata().row_groups().iter();
        Some(groups.map(|group| i128::from(group.num_rows().max(0))).sum::<i128>())
    });
    matches!(rows, Ok(Some(0)))
}

fn lies_somewhere(chunk: &ColumnChunkMetaData) -> bool {
    let starts = [Some(chunk.data_page_offset()), chunk.dictionary_page_offset()];
    chunk.compressed_size() >= 0 && starts.into_iter().flatten().all(|start| start >= 0)
}

/// Whether columns that are compressed in a way can be read.
fn unpacked(compression: Compression) -> bool {
    match compression {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::LZ4
        | Compression::LZ4_RAW
        | Compression::ZSTD(_) => true,
        Compression::BROTLI(_) | Compression::LZO => false,
    }
}

fn wrong(error: ParquetError) -> RowsEnd {
    RowsEnd::Fault(Fault::whole(format!("not valid Parquet: {error}")))
}

enum RowsEnd {
    Fault(Fault),
    Stop(Stop),
}

/// The text of a value of a column as it is stored, or what is wrong with it. Blanks around it are those of a column of one width, and no part
/// of it, as in a table of text; within a map they are.
fn text_of(column: &ColumnDescPtr, value: &[u8]) -> Text {
    let short = || "a value that is too short".to_owned();
    let four = || value.first_chunk::<4>().ok_or_else(short);
    let eight = || value.first_chunk::<8>().ok_or_else(short);
    let field = match column.physical_type() {
        Physical::INT32 => Field::convert_int32(column, i32::from_le_bytes(*four()?)),
        Physical::INT64 => Field::convert_int64(column, i64::from_le_bytes(*eight()?)),
        Physical::FLOAT => Field::Float(f32::from_le_bytes(*four()?)),
        Physical::DOUBLE => Field::Double(f64::from_le_bytes(*eight()?)),
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => {
            Field::convert_byte_array(column, ByteArray::from(value.to_vec())).map_err(|error| error.to_string())?
        }
        Physical::BOOLEAN | Physical::INT96 => return Err("a value of no text".to_owned()),
    };
    let text = text(&field)?;
    let inside = text.trim();
    match column.path().parts().len() > 1 || inside.len() == text.len() {
        true => Ok(text),
        false => Ok(inside.to_owned()),
    }
}

/// A value as a table of text would have it.
fn text(field: &Field) -> Result<String, String> {
    Ok(match field {
        Field::Null => String::new(),
        Field::Bool(v) => v.to_string(),
        Field::Byte(v) => v.to_string(),
        Field::Short(v) => v.to_string(),
        Field::Int(v) => v.to_string(),
        Field::Long(v) | Field::TimestampMillis(v) | Field::TimestampMicros(v) | Field::TimeMicros(v) => v.to_string(),
        Field::TimeMillis(v) => v.to_string(),
        Field::UByte(v) => v.to_string(),
        Field::UShort(v) => v.to_string(),
        Field::UInt(v) => v.to_string(),
        Field::ULong(v) => v.to_string(),
        Field::Float16(v) => v.to_string(),
        // The shortest text that means this very number: what a writer that had text before started from.
        Field::Float(v) => v.to_string(),
        Field::Double(v) => v.to_string(),
        Field::Decimal(v) => decimal(v)?,
        Field::Str(v) => v.clone(),
        Field::Bytes(v) => String::from_utf8(v.data().to_vec()).map_err(|_| "bytes that are no text".to_owned())?,
        Field::Date(days) => DateTime::UNIX_EPOCH
            .checked_add_signed(TimeDelta::days(i64::from(*days)))
            .ok_or("a date beyond all calendars")?
            .date_naive()
            .to_string(),
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => json(field)?.to_string(),
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everything else is no container, and told as text"
)]
fn json(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Group(row) => object(row)?,
        Field::ListInternal(list) => list.elements().iter().map(json).collect::<Result<Vec<_>, _>>()?.into(),
        Field::MapInternal(map) => {
            let pairs = map.entries().iter();
            let pairs = pairs.map(|(key, value)| Ok((text(key)?, json(value)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        _ => text(field)?.into(),
    })
}

fn object(row: &Row) -> Result<Value, String> {
    let pairs = row
        .get_column_iter()
        .map(|(name, field)| Ok((name.clone(), json(field)?)));
    Ok(Value::Object(pairs.collect::<Result<_, String>>()?))
}

/// A stored decimal: a signed number of the most significant byte first, and a scale.
fn decimal(stored: &Stored) -> Result<String, String> {
    let bytes = stored.data();
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let start = if negative { -1_i128 } else { 0 };
    let mantissa = bytes.iter().try_fold(start, |sum, byte| {
        sum.checked_mul(256).and_then(|s| s.checked_add(i128::from(*byte)))
    });
    let short = mantissa
        .zip(u32::try_from(stored.scale()).ok())
        .and_then(|(mantissa, scale)| Decimal::try_from_i128_with_scale(mantissa, scale).ok());
    short.map_or_else(|| long_decimal(bytes, negative, stored.scale()), |d| Ok(d.to_string()))
}

/// The same of a number of any length.
fn long_decimal(bytes: &[u8], negative: bool, scale: i32) -> Result<String, String> {
    if bytes.len() > 32 {
        return Err("a decimal that is too large".to_owned());
    }
    // Nine digits each, the last ones first.
    let mut parts = vec![0_u64];
    for byte in bytes {
        // One less than the opposite, which has no sign.
        let mut more = u64::from(if negative { !byte } else { *byte });
        for part in &mut parts {
            let sum = *part * 256 + more;
            (*part, more) = (sum % 1_000_000_000, sum / 1_000_000_000);
        }
        if more > 0 {
            parts.push(more);
        }
    }
    if negative {
        let full = parts.iter().take_while(|part| **part == 999_999_999).count();
        parts.iter_mut().take(full).for_each(|part| *part = 0);
        match parts.get_mut(full) {
            Some(part) => *part += 1,
            None => parts.push(1),
        }
    }
    let digits: String = parts.iter().rev().map(|part| format!("{part:09}")).collect();
    Ok(format!(
        "{}{digits}e{}",
        if negative { "-" } else { "" },
        -i64::from(scale)
    ))
}
