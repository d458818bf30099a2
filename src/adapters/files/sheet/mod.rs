//! Bills as CSV, fast: rows are cut without a parser, and what they share is looked up. What is written in an unusual way goes through the
//! full parser, with the same result.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use csv::StringRecord;

use super::FileFormat;
use super::amount::{Amount, Cost};
use super::asked::Asked;
use super::grid::Grid;
use super::line::Fault;
use super::memo::{Memo, Way};
use super::read::Run;
use super::records::{RECORD_LIMIT, Records};
use super::sniff::{DETECT_BYTES, Input};
use super::stop::Stop;
use super::table::{Columns, cut_off};
use super::time::parse_time;
use super::wanted::Wanted;
use crate::domain::period::Hour;
use crate::domain::spend::TokenSums;

/// Bytes that are cut at once: they stay near the processor.
const BLOCK: usize = 256 << 10;
/// Texts of times that are remembered.
const TIMES: usize = 65_536;

/// A bill as CSV, of which the header is read.
pub(super) struct Sheet<'i> {
    format: FileFormat,
    /// The first line as it stands, with its end.
    header: Vec<u8>,
    /// How many columns there are.
    width: usize,
    wanted: Wanted,
    /// Neighbours among the shared columns: first and last.
    shared: Vec<(usize, usize)>,
    /// The wanted columns.
    columns: Columns,
    block: Vec<u8>,
    filled: usize,
    input: Input<'i>,
    ended: bool,
    /// Whether the last row had no end.
    cut: bool,
    /// Lines before the block.
    lines: u64,
    memo: Memo,
    hours: Hours,
    /// Of the row at hand: the texts it shares, and its wanted values.
    texts: Vec<u8>,
    values: StringRecord,
}

/// Texts of times and their hours.
#[derive(Default)]
struct Hours {
    last: Option<(Vec<u8>, Hour)>,
    known: HashMap<Vec<u8>, Hour, rustc_hash::FxBuildHasher>,
}

impl Hours {
    fn of(&mut self, text: &[u8]) -> Option<Hour> {
        if let Some((last, hour)) = &self.last
            && last == text
        {
            return Some(*hour);
        }
        let hour = match self.known.get(text) {
            Some(hour) => *hour,
            None => {
                let hour = Hour::of(parse_time(std::str::from_utf8(text).ok()?)?.0);
                if self.known.len() >= TIMES {
                    self.known.clear();
                }
                self.known.insert(text.to_vec(), hour);
                hour
            }
        };
        self.last = Some((text.to_vec(), hour));
        Some(hour)
    }
}

/// The fields of one row.
struct Fields<'b> {
    block: &'b [u8],
    start: usize,
    ends: &'b [u32],
}

impl<'b> Fields<'b> {
    fn start(&self, at: usize) -> Option<usize> {
        match at.checked_sub(1) {
            Some(before) => Some(*self.ends.get(before)? as usize + 1),
            None => Some(self.start),
        }
    }

    /// A field as it is written, with what ends it.
    fn span(&self, first: usize, last: usize) -> &'b [u8] {
        let bounds = self.start(first).zip(self.ends.get(last));
        bounds
            .and_then(|(start, end)| self.block.get(start..=*end as usize))
            .unwrap_or(&[])
    }

    /// A field as it is written.
    fn raw(&self, at: usize) -> &'b [u8] {
        match self.span(at, at) {
            [field @ .., b'\r', b'\n'] | [field @ .., b',' | b'\n'] => field,
            whole => whole,
        }
    }

    /// A field without its quotes; one with quotes in it keeps them doubled.
    fn plain(&self, at: usize) -> &'b [u8] {
        match self.raw(at) {
            [b'"', text @ .., b'"'] => text,
            text => text,
        }
    }

    /// The amount of a field, or nothing where it has none; none where it is not a short one.
    #[inline]
    fn amount(&self, at: usize) -> Option<Option<Amount>> {
        match self.plain(at) {
            b"" => Some(None),
            text => match Amount::of_text(text) {
                None if text.eq_ignore_ascii_case(b"null") => Some(None),
                amount => amount.map(Some),
            },
        }
    }

    /// Puts the text of a field behind those of others.
    fn push(&self, at: usize, values: &mut StringRecord) {
        let text = std::str::from_utf8(self.plain(at)).unwrap_or_default();
        if text.contains('"') {
            values.push_field(text.replace("\"\"", "\"").trim());
        } else {
            values.push_field(text.trim());
        }
    }
}

impl<'i> Sheet<'i> {
    /// A table of which the header is read; as it was if it is for the full parser.
    pub fn of(
        mut records: Records<Input<'i>>,
        format: FileFormat,
        asked: Option<&Asked>,
    ) -> io::Result<Result<Self, Records<Input<'i>>>> {
        let front = records.peek(DETECT_BYTES)?;
        let Some(end) = memchr::memchr(b'\n', front) else {
            return Ok(Err(records));
        };
        let header = front.get(..=end).unwrap_or_default().to_vec();
        let quotes = header.iter().filter(|b| **b == b'"').count();
        let mut parser = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(header.as_slice());
        let names: Vec<String> = match parser.headers() {
            // A line end in quotes, or none at all that counts.
            Ok(names) if quotes % 2 == 0 && !header.trim_ascii().is_empty() => {
                names.iter().map(str::to_owned).collect()
            }
            _ => return Ok(Err(records)),
        };
        let columns = Columns::new(format, &names, asked);
        let Some(wanted) = columns.wanted() else {
            return Ok(Err(records));
        };
        let mut shared: Vec<(usize, usize)> = Vec::new();
        for at in &wanted.shared {
            match shared.last_mut() {
                Some((_, last)) if *last + 1 == *at => *last = *at,
                _ => shared.push((*at, *at)),
            }
        }
        let (mut block, input) = records.into_rest();
        block.drain(..header.len());
        let filled = block.len();
        block.resize(filled.max(BLOCK), 0);
        Ok(Ok(Sheet {
            format,
            header,
            width: names.len(),
            columns: columns.narrowed(&wanted),
            wanted,
            shared,
            block,
            filled,
            input,
            ended: false,
            cut: false,
            lines: 1,
            memo: Memo::default(),
            hours: Hours::default(),
            texts: Vec::new(),
            values: StringRecord::new(),
        }))
    }

    /// Fills the block as far as the stream goes; a last row without an end gets one.
    fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.filled < self.block.len() {
            match self.input.read(self.block.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = true;
                    self.block.truncate(self.filled);
                    if self.block.last().is_some_and(|b| *b != b'\n') {
                        self.block.push(b'\n');
                        self.filled += 1;
                        self.cut = true;
                    }
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds one row, with whatever of it is known.
    fn row(&mut self, run: &mut Run<'_>, fields: &Fields<'_>) -> Result<(), Fault> {
        if fields.ends.len() != self.width {
            let reason = format!("{} values under {} names", fields.ends.len(), self.width);
            return Err(Fault::whole(reason));
        }
        self.texts.clear();
        for (first, last) in &self.shared {
            self.texts.extend_from_slice(fields.span(*first, *last));
        }
        for (at, reduce) in &self.wanted.reduced {
            let text = reduce(fields.plain(*at));
            // Behind it its length, so that what is before it can be told from it.
            self.texts.extend_from_slice(text);
            self.texts.extend_from_slice(&text.len().to_le_bytes());
        }
        let (known, hash) = self.memo.get(&self.texts);
        if let Some(known) = known.filter(|known| known.way != Way::Row)
            && let Some(billed) = Amount::of_text(fields.plain(self.wanted.costs.billed))
            && let Some(effective) = self
                .wanted
                .costs
                .effective(known.spread, billed, |at| fields.amount(at))
            && let Some(hour) = self.hours.of(fields.plain(self.wanted.at))
            && let Some(tokens) = self.tokens(fields, known.way)
        {
            let (billed, effective) = (Cost::Short(billed), Cost::Short(effective));
            let put = run.bills.put(known.place, hour, billed, effective, tokens.as_ref());
            // What does not fit is told below, with its column.
            if put.is_ok() {
                return Ok(());
            }
        }
        self.take(fields);
        let found = self.columns.add(run, &self.values)?;
        if known.is_none() {
            self.memo.insert(&self.texts, hash, found);
        }
        Ok(())
    }

    /// The tokens of a row, if it counts any; none where its amount of usage is not a short one, or cannot be read.
    fn tokens(&mut self, fields: &Fields<'_>, way: Way) -> Option<Option<TokenSums>> {
        match way {
            Way::Costs | Way::Row => Some(None),
            Way::Tokens => {
                self.take(fields);
                self.columns.tokens(&self.values).ok().map(Some)
            }
            Way::Counted(counted) => {
                let quantity = match self.wanted.quantity {
                    Some(at) => fields.amount(at)?,
                    None => None,
                };
                match quantity {
                    Some(quantity) => counted.tokens(quantity.into()).map(Some),
                    None => Some(None),
                }
            }
        }
    }

    fn take(&mut self, fields: &Fields<'_>) {
        self.values.clear();
        for at in &self.wanted.positions {
            fields.push(*at, &mut self.values);
        }
    }

    /// What is in the block from `start`, under the header.
    fn under_header(&mut self, start: usize, end: usize) -> Cursor<Vec<u8>> {
        let mut text = self.header.clone();
        text.extend_from_slice(self.block.get(start..end).unwrap_or_default());
        Cursor::new(text)
    }
}

impl Run<'_> {
    /// Reads a bill as CSV.
    pub fn sheet(&mut self, mut sheet: Sheet<'_>, name: &str) -> Result<(), Stop> {
        let mut grid = Grid::default();
        loop {
            sheet.fill()?;
            grid.scan(sheet.block.get(..sheet.filled).unwrap_or_default());
            let lines_before = sheet.lines - 1;
            // A row that ends nowhere, or is written in an unusual way: the rest is for the full parser.
            if grid.unusual || (sheet.ended && grid.whole < sheet.filled) {
                let front = sheet.under_header(0, sheet.filled);
                let rest: Input<'_> = Box::new(front.chain(sheet.input));
                return self.bill_rows(Records::new(rest, 0, 0), name, sheet.format, lines_before, sheet.cut);
            }
            if grid.whole == 0 {
                if sheet.ended {
                    self.bills.cut = sheet.cut;
                    return Ok(());
                }
                if sheet.filled >= RECORD_LIMIT {
                    let line = sheet.lines + 1;
                    let reason = format!("the row of line {line} is longer than {RECORD_LIMIT} bytes");
                    return Err(io::Error::other(reason).into());
                }
                sheet.block.resize(sheet.block.len() * 2, 0);
                continue;
            }
            let block = std::mem::take(&mut sheet.block);
            let rows = block.get(..grid.whole).unwrap_or_default();
            if simdutf8::basic::from_utf8(rows).is_ok() {
                let refused = self.rows_of(&mut sheet, rows, &grid, name);
                let last = sheet.ended && grid.whole == sheet.filled;
                sheet.block = block;
                if refused && last && sheet.cut {
                    return Err(cut_off());
                }
            } else {
                sheet.block = block;
                let front: Input<'_> = Box::new(sheet.under_header(0, grid.whole));
                self.bill_rows(Records::new(front, 0, 0), name, sheet.format, lines_before, sheet.cut)?;
                sheet.lines += grid.rows.iter().map(|(_, quoted)| u64::from(*quoted) + 1).sum::<u64>();
            }
            self.hand_over()?;
            self.tell(false);
            sheet.block.copy_within(grid.whole..sheet.filled, 0);
            sheet.filled -= grid.whole;
        }
    }

    /// The rows that a grid has found in a block; whether the last one was refused.
    fn rows_of(&mut self, sheet: &mut Sheet<'_>, block: &[u8], grid: &Grid, name: &str) -> bool {
        let mut refused = false;
        let (mut first, mut start) = (0, 0);
        for (end, quoted) in &grid.rows {
            let ends = grid.ends.get(first..*end as usize).unwrap_or_default();
            let fields = Fields { block, start, ends };
            let next = ends.last().map_or(start, |end| *end as usize + 1);
            let line = sheet.lines + 1;
            let row = block.get(start..next).unwrap_or_default();
            // An empty line is no row.
            if !matches!(row, [b'\n'] | [b'\r', b'\n']) {
                let result = sheet.row(self, &fields);
                refused = result.as_ref().is_err_and(|fault| !fault.costs_count);
                if let Err(fault) = result {
                    self.reject(name, line, fault, row.trim_ascii_end());
                }
                self.progress.lines += 1;
            }
            self.progress.bytes += row.len() as u64;
            sheet.lines += u64::from(*quoted) + 1;
            (first, start) = (*end as usize, next);
        }
        refused
    }
}

#[cfg(test)]
mod cur_tests;
#[cfg(test)]
mod tests;
