//! Bills as Parquet: FOCUS and CUR rows, read column names and values as the tables of text have them.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, TimeDelta};
use csv::StringRecord;
use parquet::data_type::Decimal as Stored;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use rust_decimal::Decimal;
use serde_json::Value;

use super::detect;
use super::line::Fault;
use super::position::Position;
use super::read::Run;
use super::stop::Stop;
use super::table::Columns;

impl Run<'_> {
    /// Reads a Parquet file.
    pub fn parquet(&mut self, file: File, name: &str, position: Position) -> Result<(), Stop> {
        let size = position.size;
        // A bill that is read in part must not replace a whole one.
        let whole = std::mem::replace(&mut self.bills_whole, false);
        // The decoder checks less than it should: what a damaged file makes of it is a failure of that file alone.
        let read = catch_unwind(AssertUnwindSafe(|| self.rows(file, name)));
        match read {
            Ok(Ok(Some(format))) => {
                self.bills_whole = whole;
                let position = Position {
                    format,
                    resumable: false,
                    ..position
                };
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
        let wrong = |e: parquet::errors::ParquetError| RowsEnd::Fault(Fault::whole(format!("not valid Parquet: {e}")));
        let reader = SerializedFileReader::new(file).map_err(wrong)?;
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
        let Some(format) = detect::by_header(&names.join(",")).filter(|f| f.is_bill()) else {
            return Ok(None);
        };
        let columns = Columns::new(format, &names);
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
                values.push_field(&text);
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

enum RowsEnd {
    Fault(Fault),
    Stop(Stop),
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
    let wrong = || "a decimal that is too large".to_owned();
    let bytes = stored.data();
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let start = if negative { -1_i128 } else { 0 };
    let mantissa = bytes.iter().try_fold(start, |sum, byte| {
        sum.checked_mul(256).and_then(|s| s.checked_add(i128::from(*byte)))
    });
    let scale = u32::try_from(stored.scale()).map_err(|_| wrong())?;
    Decimal::try_from_i128_with_scale(mantissa.ok_or_else(wrong)?, scale)
        .map(|d| d.to_string())
        .map_err(|_| wrong())
}
