//! Tables: rows of a CSV file under their header, for the formats that have one.

use std::collections::HashMap;
use std::io;

use csv::StringRecord;

use super::FileFormat;
use super::cur;
use super::focus::{self, Row};
use super::line::{Fault, LineFormat};
use super::plain;
#[cfg(not(feature = "parquet"))]
use super::position::Position;
use super::read::Run;
use super::records::Records;
use super::sniff::{DETECT_BYTES, Input};
use super::stop::Stop;

impl Run<'_> {
    /// Rows of the plain format.
    pub fn plain_table(&mut self, records: Records<Input<'_>>, name: &str) -> Result<(), Stop> {
        let columns = self.shared.columns.clone();
        self.table(records, name, |run, header, row, line| match &columns {
            Some(columns) => columns.csv_row(header, row, line, &mut run.context, &mut run.out),
            None => plain::csv_row(header, row, line, &mut run.context, &mut run.out),
        })
    }

    /// Rows of a bill.
    pub fn bill_table(&mut self, records: Records<Input<'_>>, name: &str, format: FileFormat) -> Result<(), Stop> {
        let mut columns = None;
        self.table(records, name, |run, header, values, _| {
            columns
                .get_or_insert_with(|| Columns::new(format, header))
                .add(run, values)
        })
    }

    /// Rows of a format whose records are objects elsewhere: a row is the object of its values.
    pub fn record_table(
        &mut self,
        records: Records<Input<'_>>,
        name: &str,
        reader: &mut dyn LineFormat,
    ) -> Result<(), Stop> {
        self.table(records, name, |run, header, row, line| {
            let values = header.iter().zip(row.iter());
            let given = values.filter(|(_, value)| !value.is_empty() && !value.eq_ignore_ascii_case("null"));
            let object: serde_json::Map<String, serde_json::Value> =
                given.map(|(key, value)| (key.clone(), value.into())).collect();
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
        mut records: Records<Input<'_>>,
        name: &str,
        mut read: impl FnMut(&mut Self, &[String], &StringRecord, u64) -> Result<(), Fault>,
    ) -> Result<(), Stop> {
        // The parser counts the second half of a CRLF to the next row.
        let crlf = u64::from(
            records
                .peek(DETECT_BYTES)?
                .split(|b| *b == b'\n')
                .next()
                .is_some_and(|l| l.ends_with(b"\r")),
        );
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(records);
        let header: Vec<String> = table.headers().map_err(csv_io)?.iter().map(str::to_owned).collect();
        let mut row = StringRecord::new();
        loop {
            let (line, byte) = (table.position().line() + crlf, table.position().byte());
            match table.read_record(&mut row) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    let line = row.position().map_or(line, |p| p.line() + crlf);
                    let result = if row.len() == header.len() {
                        read(self, &header, &row, line)
                    } else {
                        let reason = format!("{} values under {} names", row.len(), header.len());
                        Err(Fault::whole(reason))
                    };
                    if let Err(fault) = result {
                        self.reject(name, line, fault, row.as_slice().as_bytes());
                    }
                    self.hand_over()?;
                }
                Err(error) if error.is_io_error() => return Err(csv_io(error).into()),
                Err(error) => self.reject(name, line, Fault::whole(error.to_string()), b""),
            }
            self.progress.lines += 1;
            self.progress.bytes += table.position().byte() - byte;
            self.tell(false);
        }
    }
}

/// The columns of a bill, however its rows are stored.
pub(super) struct Columns {
    format: FileFormat,
    by_name: HashMap<String, usize>,
}

impl Columns {
    /// Columns of these names.
    pub fn new(format: FileFormat, names: &[String]) -> Self {
        let name = |name: &String| match format == FileFormat::Cur {
            true => cur::column(name),
            false => name.clone(),
        };
        Columns {
            format,
            by_name: names.iter().enumerate().map(|(at, n)| (name(n), at)).collect(),
        }
    }

    /// Adds a row to its bill.
    pub fn add(&self, run: &mut Run<'_>, values: &StringRecord) -> Result<(), Fault> {
        let row = Row {
            columns: &self.by_name,
            values,
        };
        let (options, bills, context) = (run.options, &mut run.bills, &mut run.context);
        let add = match self.format == FileFormat::Cur {
            true => cur::add,
            false => focus::add,
        };
        add(bills, &row, &options.defaults, options.name, context)
    }
}

fn csv_io(error: csv::Error) -> io::Error {
    io::Error::other(error.to_string())
}
