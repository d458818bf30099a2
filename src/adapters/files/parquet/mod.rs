//! Bills as Parquet: FOCUS and CUR rows, read column names and values as the tables of text have them.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, TimeDelta};
use csv::StringRecord;
use parquet::data_type::Decimal as Stored;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use rust_decimal::Decimal;
use serde_json::Value;

mod cells;
mod double;
mod texts;

use cells::Column;

use super::amount::Cost;
use super::detect;
use super::line::Fault;
use super::memo::{Memo, Way};
use super::position::Position;
use super::read::Run;
use super::stop::Stop;
use super::table::{Columns, Wanted};

/// Rows that are read at once.
const BATCH: usize = 4096;

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
        let reader = SerializedFileReader::new(file).map_err(wrong)?;
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
        let Some(format) = detect::by_header(&names.join(",")).filter(|f| f.is_bill()) else {
            return Ok(None);
        };
        let columns = Columns::new(format, &names);
        if let Some(mut cells) = columns.wanted().and_then(|wanted| Cells::of(&columns, wanted, &reader)) {
            self.cells(&mut cells, &reader, name)?;
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

/// A bill whose columns are read each by itself.
struct Cells {
    columns: Columns,
    /// In order of [`Wanted::positions`].
    cells: Vec<Column>,
    /// Of these the ones that rows share.
    shared: Vec<usize>,
    billed: usize,
    effective: usize,
    at: usize,
    memo: Memo,
    key: Vec<u8>,
    values: StringRecord,
}

impl Cells {
    /// None where a wanted column holds more than one value a row, or values of another kind.
    fn of(columns: &Columns, wanted: Wanted, reader: &SerializedFileReader<File>) -> Option<Self> {
        let schema = reader.metadata().file_metadata().schema_descr();
        let column = |root: &usize| {
            let mut leaves = (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == *root);
            let leaf = leaves.next()?;
            Column::new(leaf, schema.column(leaf)).filter(|_| leaves.next().is_none())
        };
        let place = |at: usize| wanted.positions.binary_search(&at).ok();
        Some(Cells {
            cells: wanted.positions.iter().map(column).collect::<Option<Vec<_>>>()?,
            shared: wanted.shared.iter().filter_map(|at| place(*at)).collect(),
            billed: place(wanted.billed)?,
            effective: place(wanted.effective)?,
            at: place(wanted.at)?,
            columns: columns.narrowed(&wanted),
            memo: Memo::default(),
            key: Vec::new(),
            values: StringRecord::new(),
        })
    }

    /// Reads the next rows of a group, without the columns that only few rows need.
    fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        if self.cells.iter_mut().fold(false, |any, cell| cell.bounded() | any) {
            // The numbers of texts have another meaning now.
            self.memo = Memo::default();
        }
        for (at, cell) in self.cells.iter_mut().enumerate() {
            if at == self.billed || at == self.effective {
                cell.read_amounts(rows)?;
            } else if at == self.at || self.shared.contains(&at) {
                cell.read_texts(rows)?;
            } else {
                cell.pass(rows);
            }
        }
        Ok(())
    }

    /// Reads what was passed over.
    fn read_rest(&mut self, rows: usize) -> Result<(), ParquetError> {
        for (at, cell) in self.cells.iter_mut().enumerate() {
            let own = [self.billed, self.effective, self.at].contains(&at) || self.shared.contains(&at);
            if !own {
                cell.again(rows)?;
            }
        }
        Ok(())
    }

    /// Puts the texts of a row together; those of its costs only where they are needed.
    fn take(&mut self, row: usize, costs: bool) -> Result<(), Fault> {
        self.values.clear();
        let mut fault = None;
        for (at, cell) in self.cells.iter().enumerate() {
            if !costs && (at == self.billed || at == self.effective) {
                self.values.push_field("");
                continue;
            }
            match cell.text(row) {
                Ok(text) => self.values.push_field(&text),
                Err(reason) => {
                    self.values.push_field("");
                    fault = Some(Fault::whole(reason));
                }
            }
        }
        fault.map_or(Ok(()), Err)
    }
}

impl Run<'_> {
    fn cells(&mut self, cells: &mut Cells, reader: &SerializedFileReader<File>, name: &str) -> Result<(), RowsEnd> {
        let mut number = 0;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(wrong)?;
            for cell in &mut cells.cells {
                cell.open(group.as_ref()).map_err(wrong)?;
            }
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            while left > 0 {
                let rows = left.min(BATCH);
                left -= rows;
                cells.read(rows).map_err(wrong)?;
                let mut whole = false;
                for row in 0..rows {
                    number += 1;
                    if let Err(fault) = self.cell_row(cells, row, rows, &mut whole)? {
                        self.reject(name, number, fault, cells.values.as_slice().as_bytes());
                    }
                }
                self.hand_over().map_err(RowsEnd::Stop)?;
                self.progress.lines += rows as u64;
                self.tell(false);
            }
        }
        Ok(())
    }

    /// Adds one row, with whatever of it is known.
    fn cell_row(
        &mut self,
        cells: &mut Cells,
        row: usize,
        rows: usize,
        whole: &mut bool,
    ) -> Result<Result<(), Fault>, RowsEnd> {
        cells.key.clear();
        for at in &cells.shared {
            let number = cells.cells.get(*at).map_or(0, |cell| cell.number(row));
            cells.key.extend_from_slice(&number.to_le_bytes());
        }
        let (known, hash) = cells.memo.get(&cells.key);
        let amount = |at: usize| cells.cells.get(at).and_then(|cell| cell.amount(row));
        let costs = amount(cells.billed).zip(amount(cells.effective));
        let hour = cells.cells.get_mut(cells.at).and_then(|cell| cell.hour(row));
        let fast = known.filter(|known| known.way != Way::Row).zip(costs).zip(hour);
        if let Some(((known, (billed, effective)), hour)) = fast
            && known.way == Way::Costs
        {
            return Ok(self
                .bills
                .put(known.place, hour, Cost::Short(billed), Cost::Short(effective), None));
        }
        if !std::mem::replace(whole, true) {
            cells.read_rest(rows).map_err(wrong)?;
        }
        if let Err(fault) = cells.take(row, fast.is_none()) {
            return Ok(Err(fault));
        }
        if let Some(((known, (billed, effective)), hour)) = fast {
            let tokens = cells.columns.tokens(&cells.values);
            let (billed, effective) = (Cost::Short(billed), Cost::Short(effective));
            return Ok(self.bills.put(known.place, hour, billed, effective, Some(&tokens)));
        }
        Ok(cells.columns.add(self, &cells.values).map(|found| {
            if known.is_none() {
                cells.memo.insert(&cells.key, hash, found);
            }
        }))
    }
}

fn wrong(error: ParquetError) -> RowsEnd {
    RowsEnd::Fault(Fault::whole(format!("not valid Parquet: {error}")))
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
