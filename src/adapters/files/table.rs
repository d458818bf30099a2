//! Tables: rows of a CSV file under their header, for the formats that have one.

use std::collections::HashMap;
use std::io;

use csv::StringRecord;

use crate::domain::spend::{Basis, TokenSums};

use super::FileFormat;
use super::asked::Asked;
use super::cur;
use super::focus::{self, Row};
use super::focus_tokens;
use super::line::{Fault, LineFormat};
use super::memo::Known;
use super::plain;
#[cfg(not(feature = "parquet"))]
use super::position::Position;
use super::read::Run;
use super::records::{Records, Rows, Wrong};
use super::sheet::Sheet;
use super::sniff::{DETECT_BYTES, Input};
use super::stop::Stop;
use super::wanted::{CostColumns, Wanted};

impl Run<'_> {
    /// Rows of the plain format; whether all of them were read.
    pub fn plain_table(&mut self, records: Records<Input<'_>>, name: &str) -> Result<bool, Stop> {
        let (columns, mut told) = (self.shared.columns.clone(), super::columns::Told::default());
        self.table(records, name, |run, header, row, line| match &columns {
            Some(columns) => columns.csv_row(header, row, line, &mut told, &mut run.context, &mut run.out),
            None => plain::csv_row(header, row, line, &mut run.context, &mut run.out),
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
        // The parser counts the second half of a CRLF to the next row.
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
        if is_separated_otherwise(&header) {
            self.sink.warn(SEPARATED_OTHERWISE, 1);
        }
        let (mut row, mut before) = (StringRecord::new(), StringRecord::new());
        // Whether the row before is read when the next one has begun.
        let mut held = false;
        let mut refused = false;
        loop {
            let (line, byte) = (table.position().line() + crlf, table.position().byte());
            let next = table.read_record(&mut row);
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
                        refused = self.row(name, &header, (&before, line, crlf), &mut read)?;
                    }
                    return Ok(Last { refused, ended, left });
                }
                Ok(true) => {
                    let first = waits && !std::mem::replace(&mut held, waits);
                    if waits {
                        std::mem::swap(&mut row, &mut before);
                    }
                    if !first {
                        refused = self.row(name, &header, (&row, line, crlf), &mut read)?;
                    }
                }
                Err(error) if error.is_io_error() => return Err(csv_io(error).into()),
                Err(error) => {
                    refused = true;
                    self.reject(name, line, Fault::whole(error.to_string()), b"");
                }
            }
            self.progress.lines += 1;
            self.progress.bytes += table.position().byte() - byte;
            self.tell(false);
        }
    }

    /// Reads one row; whether it was refused.
    fn row(
        &mut self,
        name: &str,
        header: &[String],
        (row, line, crlf): (&StringRecord, u64, u64),
        read: &mut impl FnMut(&mut Self, &[String], &StringRecord, u64) -> Result<(), Fault>,
    ) -> Result<bool, Stop> {
        let line = row.position().map_or(line, |p| p.line() + crlf);
        let result = if row.len() == header.len() {
            read(self, header, row, line)
        } else {
            let reason = format!("{} values under {} names", row.len(), header.len());
            Err(Fault::whole(reason))
        };
        let refused = result.as_ref().is_err_and(|fault| !fault.costs_count);
        if let Err(fault) = result {
            self.reject(name, line, fault, row.as_slice().as_bytes());
        }
        self.hand_over()?;
        Ok(refused)
    }
}

/// What is said of tables as spreadsheets write them where a comma is for decimals.
const SEPARATED_OTHERWISE: &str = "tables with semicolons or tabs between their columns, or `sep=` before the header, are not read: save them with commas";

fn is_separated_otherwise(header: &[String]) -> bool {
    let has = |name: &String| name.contains([';', '\t']) || name.to_lowercase().starts_with("sep=");
    header
        .first()
        .is_some_and(|first| has(first) && header.iter().skip(1).all(String::is_empty))
}

/// The last row of a table.
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

/// The columns of a bill, however its rows are stored.
pub(super) struct Columns {
    format: FileFormat,
    by_name: HashMap<String, usize>,
    /// One that is read and is there twice: which of the two counts, nobody knows.
    twice: Option<String>,
}

impl Columns {
    /// Columns of these names, as far as they are needed.
    pub fn new(format: FileFormat, names: &[String], asked: Option<&Asked>) -> Self {
        let name = |name: &String| match format == FileFormat::Cur {
            true => cur::column(name),
            false => focus::column(name).to_owned(),
        };
        let mut by_name: HashMap<String, usize> = names.iter().enumerate().map(|(at, n)| (name(n), at)).collect();
        if format == FileFormat::Cur {
            cur::keep_tags(&mut by_name, names);
        }
        if let Some(asked) = asked.filter(|_| format == FileFormat::Cur) {
            cur::narrow(&mut by_name, asked);
        }
        if let Some(asked) = asked.filter(|_| format == FileFormat::Focus) {
            by_name.retain(|name, _| asked.needs(name));
            let costs = match asked.basis {
                Some(Basis::Billed) => Some(("BilledCost", "EffectiveCost")),
                Some(Basis::Effective) => Some(("EffectiveCost", "BilledCost")),
                Some(Basis::Metered | Basis::BilledFilled) | None => None,
            };
            // Of a cost that is not asked for no sum is kept.
            if let Some((asked, other)) = costs
                && let Some(at) = by_name.get(asked).copied()
                && let Some(other) = by_name.get_mut(other)
            {
                *other = at;
            }
        }
        let twice = names
            .iter()
            .enumerate()
            .find(|(at, one)| decides(format, one) && names.iter().skip(at + 1).any(|other| same(format, one, other)));
        Columns {
            format,
            by_name,
            twice: twice.map(|(_, name)| name.clone()),
        }
    }

    /// What is read of these columns, where rows of the same texts are summed alike.
    pub fn wanted(&self) -> Option<Wanted> {
        if self.twice.is_some() {
            return None;
        }
        if self.format == FileFormat::Cur {
            return cur::wanted(&self.by_name);
        }
        let own = ["BilledCost", "EffectiveCost", "ChargePeriodStart"];
        let at = |name: &&str| self.by_name.get(*name).copied();
        let [billed, effective, charged] = own.each_ref().map(at);
        let counted = focus_tokens::COUNTED.iter().map(|(quantity, _)| quantity);
        let mut wanted = Wanted {
            positions: focus_tokens::READ.iter().filter_map(at).collect(),
            shared: focus::SHARED.iter().filter_map(at).collect(),
            reduced: Vec::new(),
            costs: CostColumns {
                billed: billed?,
                effective: Some(effective?),
                or_billed: false,
                lists: [const { Vec::new() }; 2],
            },
            at: charged?,
            quantity: None,
            rare: counted.filter_map(at).collect(),
        };
        wanted.arrange();
        Some(wanted)
    }

    /// The same columns for rows that hold only the `wanted` of them.
    pub fn narrowed(&self, wanted: &Wanted) -> Columns {
        let by_name = self.by_name.iter();
        let by_name = by_name.filter_map(|(name, at)| Some((name.clone(), wanted.positions.binary_search(at).ok()?)));
        Columns {
            format: self.format,
            by_name: by_name.collect(),
            twice: None,
        }
    }

    /// Where the column of a name is.
    #[cfg(feature = "parquet")]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The tokens of a row.
    pub fn tokens(&self, values: &StringRecord) -> Result<TokenSums, Fault> {
        let row = Row {
            columns: &self.by_name,
            values,
        };
        match self.format == FileFormat::Cur {
            true => cur::tokens(&row),
            false => focus_tokens::tokens(&row),
        }
    }

    /// Adds a row to its bill.
    pub fn add(&self, run: &mut Run<'_>, values: &StringRecord) -> Result<Known, Fault> {
        if let Some(name) = &self.twice {
            return Err(Fault::field(name, "given twice"));
        }
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

/// Whether what a row costs, whose it is or when it was charged is told by a column.
fn decides(format: FileFormat, name: &str) -> bool {
    match format == FileFormat::Cur {
        true => ["line_item_", "bill_", "savings_plan_", "reservation_", "pricing_"]
            .iter()
            .any(|front| cur::column(name).starts_with(front)),
        false => focus::reads(focus::column(name)),
    }
}

/// Whether two names are of one column.
fn same(format: FileFormat, one: &str, other: &str) -> bool {
    one == other || (format == FileFormat::Focus && focus::column(one) == focus::column(other))
}

fn csv_io(error: csv::Error) -> io::Error {
    io::Error::other(error.to_string())
}
