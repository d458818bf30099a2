//! One leaf of a column that holds several values a row, as numbers of texts.

use std::sync::Arc;

use parquet::basic::Type as Physical;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::Chunks;
use super::codes::Codes;
use super::pages::Pages;
use super::segment::{Room, Unread};
use super::texts::Text;
use super::values::Values;

/// Values that are read at once.
const STEP: usize = 4096;
/// Values that a batch of rows may have: a damaged file must not keep more of them in memory.
const MOST: usize = 4 << 20;

/// Where values come from.
enum Source {
    None,
    Pages(Pages),
    /// What pages are not read for.
    Values(Values),
}

/// The values of one leaf.
pub(super) struct Leaf {
    leaf: usize,
    descr: ColumnDescPtr,
    source: Source,
    codes: Codes,
    room: Room,
    /// Of the chunk, those that are not read yet.
    left: usize,
    /// Rows of the group before those that were read last.
    done: usize,
    /// Of these rows and of what was read ahead, by number; 0 is nothing.
    numbers: Vec<u32>,
    /// Where among them each row begins.
    starts: Vec<usize>,
    /// Rows of the last reading.
    rows: usize,
}

impl Leaf {
    /// One leaf of the schema; none where its values are no texts or numbers, or lie too deep.
    pub fn new(leaf: usize, descr: ColumnDescPtr) -> Option<Self> {
        if descr.max_rep_level() > 1 || matches!(descr.physical_type(), Physical::BOOLEAN | Physical::INT96) {
            return None;
        }
        Some(Leaf {
            leaf,
            descr,
            source: Source::None,
            codes: Codes::new(),
            room: Room::default(),
            left: 0,
            done: 0,
            numbers: Vec::new(),
            starts: Vec::new(),
            rows: 0,
        })
    }

    /// Goes on with the values of a row group.
    pub fn open(&mut self, group: &dyn RowGroupReader, chunks: &Arc<Chunks>) -> Result<()> {
        let of = group.metadata();
        let chunk = of.columns().get(self.leaf);
        let chunk = chunk.ok_or_else(|| wrong("a row group without a column of its file"))?;
        let values = usize::try_from(chunk.num_values()).map_err(|_| wrong("fewer values than none"))?;
        let pages = chunks.pages(chunk, values)?;
        (self.left, self.done, self.rows) = (values, 0, 0);
        self.numbers.clear();
        self.starts.clear();
        self.codes.turn();
        match Pages::new(pages, &self.descr) {
            Some(pages) => self.source = Source::Pages(pages),
            None => self.fall_back(group)?,
        }
        Ok(())
    }

    /// Goes on with the general reader.
    fn fall_back(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        self.source = Source::Values(Values::new(group.get_column_reader(self.leaf)?, &self.descr)?);
        self.codes.turn();
        Ok(())
    }

    /// Forgets the texts where they are too many; whether it did, so that numbers mean nothing any more.
    pub fn bounded(&mut self) -> bool {
        if !self.codes.texts.full() {
            return false;
        }
        self.pass();
        // What was read ahead keeps its texts.
        let ahead: Vec<u32> = self.numbers.clone();
        let texts: Vec<Text> = ahead.iter().map(|number| self.text(*number)).collect();
        self.codes.forget();
        for ((slot, number), text) in self.numbers.iter_mut().zip(ahead).zip(texts) {
            // Far fewer than there are numbers.
            *slot = if number == 0 {
                0
            } else {
                self.codes.texts.keep(text).unwrap_or(0)
            };
        }
        true
    }

    /// Leaves the rows that were read last.
    fn pass(&mut self) {
        let end = self.starts.get(self.rows).copied().unwrap_or(self.numbers.len());
        self.numbers.drain(..end);
        self.starts.drain(..self.rows.min(self.starts.len()));
        self.starts.iter_mut().for_each(|start| *start -= end);
        self.done += self.rows;
        self.rows = 0;
    }

    /// Reads so many rows.
    pub fn read(&mut self, group: &dyn RowGroupReader, rows: usize) -> Result<()> {
        self.pass();
        match self.read_pages(rows) {
            Ok(()) => {}
            Err(Unread::Wrong(error)) => return Err(error),
            Err(Unread::Unusual) => {
                self.fall_back(group)?;
                self.read_values(self.done, rows)?;
            }
        }
        if self.starts.len() < rows {
            return Err(wrong("a column has fewer values than there are rows"));
        }
        self.rows = rows;
        Ok(())
    }

    fn read_pages(&mut self, rows: usize) -> std::result::Result<(), Unread> {
        let Source::Pages(pages) = &mut self.source else {
            return Ok(self.read_values(0, rows)?);
        };
        // The last row goes on until another begins.
        while self.starts.len() <= rows && self.left > 0 {
            let (segment, found) = pages.next(self.left.min(STEP), &mut self.room)?;
            self.left -= segment.rows.min(self.left);
            begin(&mut self.starts, self.numbers.len(), segment.rows, self.room.repeats())?;
            let dictionary = pages.dictionary.as_ref();
            self.codes.begin();
            let at = (&segment, found);
            self.codes.add(&self.descr, dictionary, at, &mut self.room, true)?;
            for value in 0..segment.rows {
                self.numbers.push(self.codes.number(&self.descr, dictionary, value)?);
            }
            if self.numbers.len() > MOST {
                return Err(Unread::Wrong(wrong("rows of more values than can be kept")));
            }
        }
        Ok(())
    }

    fn read_values(&mut self, behind: usize, rows: usize) -> Result<()> {
        let Source::Values(values) = &mut self.source else {
            return Err(wrong("a column that was not opened"));
        };
        values.read(behind, rows)?;
        self.numbers.clear();
        self.starts.clear();
        self.codes.begin();
        let (codes, descr, numbers) = (&mut self.codes, &self.descr, &mut self.numbers);
        values.visit(values.count(rows), |value| {
            codes.push(descr, value)?;
            numbers.push(codes.last());
            Ok(())
        })?;
        let repeats = values
            .repeats()
            .iter()
            .map(|level| u32::from(*level != 0))
            .collect::<Vec<_>>();
        begin(&mut self.starts, 0, self.numbers.len(), &repeats)
    }

    /// The numbers of a row that was read.
    pub fn row(&self, row: usize) -> &[u32] {
        let start = self.starts.get(row).copied().unwrap_or(0);
        let end = self.starts.get(row + 1).copied().unwrap_or(self.numbers.len());
        self.numbers.get(start..end).unwrap_or_default()
    }

    /// The text of a number.
    pub fn text(&self, number: u32) -> Text {
        let text = self.codes.texts.text(number);
        text.cloned().unwrap_or_else(|| Ok(String::new()))
    }
}

/// Notes which of the next `count` values begin a row: all of them where nothing is said of that.
fn begin(starts: &mut Vec<usize>, before: usize, count: usize, repeats: &[u32]) -> Result<()> {
    if repeats.is_empty() {
        starts.extend(before..before + count);
        return Ok(());
    }
    let first = repeats.iter().enumerate().filter(|(_, level)| **level == 0);
    starts.extend(first.map(|(at, _)| before + at));
    if starts.first().is_some_and(|start| *start > 0) || (starts.is_empty() && count > 0) {
        return Err(wrong("values that belong to no row"));
    }
    Ok(())
}

fn wrong(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
