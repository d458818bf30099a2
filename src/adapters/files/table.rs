//! Tables: rows of a CSV file under their header, for the formats that have one.

mod columns;
mod written;

use std::io;

use csv::StringRecord;

use super::FileFormat;
use super::columns::Foreign;
use super::line::{Fault, LineFormat};
use super::plain;
#[cfg(not(feature = "parquet"))]
use super::position::Position;
use super::read::Run;
use super::records::{Records, Rows, Wrong};
use super::sheet::Sheet;
use super::sniff::{DETECT_BYTES, Input};
use super::stop::Stop;

pub(super) use self::columns::Columns;
pub(super) use self::written::given;
use self::written::{SEPARATED_OTHERWISE, is_no_header, is_separated_otherwise, of_another_width};

impl Run<'_> {
    /// Rows of the plain format; whether all of them were read.
    pub fn plain_table(&mut self, records: Records<Input<'_>>, name: &str) -> Result<bool, Stop> {
        let mut foreign = self.shared.columns.clone().map(Foreign::new);
        let mut own = plain::Rows::default();
        self.table(records, name, |run, header, row, line| match &mut foreign {
            Some(foreign) => foreign.row(header, row, line, &mut run.context, &mut run.out),
            None => own.row(header, row, line, &mut run.context, &mut run.out),
        })
    }

    /// Rows of a bill.
    pub fn bill_table(&mut self, records: Records<Input<'_>>, name: &str, format: FileFormat) -> Result<(), Stop> {
        match Sheet::of(records, format, self.options.asked.as_ref())? {
            Ok(sheet) => self.sheet(sheet, name)?,
            Err(records) => self.bill_rows(records, name, format, 0, false)?,
        }
        // Of a last column that is cut the row says nothing.
        match self.written && self.bills.ended_before && self.bills.cut {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }

    /// Rows of a bill through a full parser, behind so many lines that were read before; `cut` where the last of them had no end.
    pub fn bill_rows(
        &mut self,
        records: Records<Input<'_>>,
        name: &str,
        format: FileFormat,
        lines_before: u64,
        cut: bool,
    ) -> Result<(), Stop> {
        let mut columns = None;
        let last = self.table_behind(records, name, (lines_before, false, true), |run, header, values, _| {
            let columns = columns.get_or_insert_with(|| Columns::new(format, header, run.options.asked.as_ref()));
            columns.add(run, values).map(|_| ())
        })?;
        self.bills.cut = cut || !last.ended;
        match last.refused && self.bills.cut {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }

    /// Rows of a format whose records are objects elsewhere: a row is the object of its values. Whether all of them were read.
    pub fn record_table(
        &mut self,
        records: Records<Input<'_>>,
        name: &str,
        reader: &mut dyn LineFormat,
    ) -> Result<bool, Stop> {
        self.table(records, name, |run, header, row, line| {
            let mut object = serde_json::Map::new();
            for (key, value) in header.iter().zip(row.iter().map(given)) {
                // Of two values, as joined tables have them, nobody knows which one counts.
                if !(key.is_empty() || value.is_empty())
                    && let Some(other) = object.insert(key.clone(), value.into())
                    && other != value
                {
                    return Err(Fault::field(key, "given twice, with different values"));
                }
            }
            let text = serde_json::Value::Object(object).to_string();
            let before = run.out.events.len();
            let result = reader.record(&text, line, &mut run.context, &mut run.out);
            if result.is_err() {
                run.out.events.truncate(before);
            }
            result
        })
    }

    /// What a build without the decoder does with a Parquet file.
    #[cfg(not(feature = "parquet"))]
    pub fn parquet(&mut self, _: std::fs::File, name: &str, position: Position) -> Result<(), Stop> {
        self.progress.bytes = position.size;
        let reason = "a Parquet file, which this build cannot read: it lacks the feature `parquet`";
        self.reject(name, 0, Fault::whole(reason), b"");
        self.bills_whole = false;
        Ok(())
    }

    fn table(
        &mut self,
        records: Records<Input<'_>>,
        name: &str,
        read: impl FnMut(&mut Self, &[String], &StringRecord, u64) -> Result<(), Fault>,
    ) -> Result<bool, Stop> {
        let last = self.table_behind(records, name, (0, self.waits_for_ends, false), read)?;
        if last.left {
            let about =
                "last rows without a line end in files that were changed within the hour: left for the next run";
            self.sink.warn(about, 1);
        }
        Ok(!last.left)
    }

    fn table_behind(
        &mut self,
        mut records: Records<Input<'_>>,
        name: &str,
        (lines_before, waits, of_bill): (u64, bool, bool),
        mut read: impl FnMut(&mut Self, &[String], &StringRecord, u64) -> Result<(), Fault>,
    ) -> Result<Last, Stop> {
        // The number of a row is one of the line that it begins on, or of a blank one before it: rows without an id are known by it. The
        // parser counts the second half of a CRLF to the next row.
        let crlf = lines_before
            + u64::from(
                records
                    .peek(DETECT_BYTES)?
                    .split(|b| *b == b'\n')
                    .next()
                    .is_some_and(|l| l.ends_with(b"\r")),
            );
        records.grows = waits;
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(Rows::new(records));
        let header: Vec<String> = table.headers().map_err(csv_io)?.iter().map(str::to_owned).collect();
        let kind = self
            .options
            .format
            .filter(|_| !of_bill && self.shared.columns.is_none());
        if let Some(fault) = is_no_header(&header, kind) {
            let end = table.position().byte();
            let line = lines_before + table.get_mut().line(end);
            self.reject(name, line, fault, &written::text(&StringRecord::from(header)));
            return Ok(Last::default());
        }
        if is_separated_otherwise(&header) {
            self.sink.warn(SEPARATED_OTHERWISE, 1);
        }
        let (mut row, mut before) = (StringRecord::new(), StringRecord::new());
        let mut place_before = Place::default();
        // Whether the row before is read when the next one has begun.
        let mut held = false;
        let mut refused = false;
        loop {
            let byte = table.position().byte();
            let next = table.read_record(&mut row);
            let end = table.position().byte();
            let mut place = Place {
                line: lines_before + table.get_mut().line(end),
                number: row.position().map_or(0, csv::Position::line) + crlf,
            };
            for broken in table.get_mut().broken() {
                let line = lines_before + broken.line;
                // What is behind a row of too many values is whole.
                let wide = matches!(broken.wrong, Wrong::Wide(..));
                refused |= wide;
                if of_bill && !wide {
                    return Err(open(line));
                }
                self.progress.bytes += broken.length;
                self.reject(name, line, Fault::whole(broken.reason()), &broken.head);
            }
            match next {
                Ok(false) => {
                    let rows = table.get_ref();
                    let ended = rows.ends_a_line();
                    if of_bill && rows.is_open() {
                        return Err(cut_off());
                    }
                    let left = rows.has_left() || (held && !ended);
                    if held && ended {
                        refused = self.row(name, &header, (&before, place_before), &mut read)?;
                    }
                    return Ok(Last { refused, ended, left });
                }
                Ok(true) => {
                    let first = waits && !std::mem::replace(&mut held, waits);
                    if waits {
                        std::mem::swap(&mut row, &mut before);
                        std::mem::swap(&mut place, &mut place_before);
                    }
                    if !first {
                        refused = self.row(name, &header, (&row, place), &mut read)?;
                    }
                }
                Err(error) if error.is_io_error() => return Err(csv_io(error).into()),
                Err(error) => {
                    refused = true;
                    self.reject(name, place.line, Fault::whole(error.to_string()), b"");
                }
            }
            self.progress.lines += 1;
            self.progress.bytes += end - byte;
            self.tell(false);
        }
    }

    /// Reads one row; whether it was refused.
    fn row(
        &mut self,
        name: &str,
        header: &[String],
        (row, place): (&StringRecord, Place),
        read: &mut impl FnMut(&mut Self, &[String], &StringRecord, u64) -> Result<(), Fault>,
    ) -> Result<bool, Stop> {
        let result = match row.len() == header.len() {
            true => read(self, header, row, place.number),
            false => Err(of_another_width(row, header)),
        };
        let refused = result.as_ref().is_err_and(|fault| !fault.costs_count);
        if let Err(fault) = result {
            self.reject(name, place.line, fault, &written::text(row));
        }
        self.hand_over()?;
        Ok(refused)
    }
}

/// Where a row stands in its file.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Line on which it begins.
    line: u64,
    /// What it is known by.
    number: u64,
}

/// The last row of a table.
#[derive(Default)]
struct Last {
    /// Whether it was refused.
    refused: bool,
    /// Whether a line end stood behind it.
    ended: bool,
    /// Whether it was left for the next run.
    left: bool,
}

/// What is said of a bill whose last row was refused and has no end: rows are missing of it.
pub(super) fn cut_off() -> Stop {
    io::Error::other("it ends in the middle of a row").into()
}

/// The same of one with a quote that swallows what is behind it.
fn open(line: u64) -> Stop {
    io::Error::other(format!(
        "a quote that is opened in the row of line {line} is never closed"
    ))
    .into()
}

fn csv_io(error: csv::Error) -> io::Error {
    io::Error::other(error.to_string())
}
