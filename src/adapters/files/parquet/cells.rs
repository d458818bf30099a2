//! Columns of a bill in Parquet, many rows at a time.

use std::sync::Arc;

use parquet::basic::Type as Physical;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::super::amount::Amount;
use super::chunk::Chunks;
use super::codes::Codes;
use super::costs::Costs;
use super::nested::Nested;
use super::pages::Pages;
use super::segment::{Dictionary, Room, Segment, Unread};
use super::texts::Text;
use super::values::Values;
use crate::domain::period::Hour;
use crate::domain::usage::Bucket;

mod spots;

use spots::{Few, Spot};

/// Where values come from.
enum Source {
    None,
    Pages(Pages),
    /// What pages are not read for.
    Values(Values),
    /// Several values a row.
    Nested(Box<Nested>),
}

/// What rows are read as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Texts that come again and again.
    Text,
    /// Amounts, of which hardly one is that of another row.
    Amount,
    /// Amounts of which few are looked at.
    RareAmount,
}

/// One column.
pub(super) struct Column {
    leaf: usize,
    descr: ColumnDescPtr,
    role: Role,
    source: Source,
    /// Rows of the group before those that are read.
    done: usize,
    /// Rows behind these that are passed over.
    behind: usize,
    rows: usize,
    /// Whether the last rows were read.
    ready: bool,
    segments: Vec<Segment>,
    spots: Vec<Spot>,
    /// Of how many rows the value was found by itself.
    alone: u32,
    room: Room,
    pub codes: Codes,
    pub costs: Costs,
    /// In place of costs, where the last rows are values of one size in one page and few are looked at.
    few: Option<Few>,
    /// The hours of codes, as far as they were asked for, and of which dictionary the codes are.
    hours: Vec<Option<Hour>>,
    hours_of: u64,
}

impl Column {
    /// The column of one leaf of the schema; none where its values are no plain texts or numbers.
    pub fn new(leaf: usize, descr: ColumnDescPtr, role: Role) -> Option<Self> {
        if descr.max_rep_level() > 0 || descr.path().parts().len() != 1 {
            return None;
        }
        if matches!(descr.physical_type(), Physical::BOOLEAN | Physical::INT96) {
            return None;
        }
        Some(Self::of(leaf, descr, role))
    }

    fn of(leaf: usize, descr: ColumnDescPtr, role: Role) -> Self {
        Column {
            leaf,
            role,
            source: Source::None,
            done: 0,
            behind: 0,
            rows: 0,
            ready: false,
            segments: Vec::new(),
            spots: Vec::new(),
            alone: 0,
            room: Room::default(),
            codes: Codes::new(),
            costs: Costs::new(&descr, role == Role::RareAmount),
            few: None,
            hours: Vec::new(),
            hours_of: 0,
            descr,
        }
    }

    /// The column of a root of the schema that holds several values a row; none where it is of a shape that is not read here.
    pub fn nested(schema: &SchemaDescriptor, root: usize) -> Option<Self> {
        let nested = Nested::of(schema, root)?;
        let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)?;
        Some(Column {
            source: Source::Nested(Box::new(nested)),
            ..Self::of(leaf, schema.column(leaf), Role::Text)
        })
    }

    /// Goes on with the values of a row group.
    pub fn open(&mut self, group: &dyn RowGroupReader, chunks: &Arc<Chunks>) -> Result<()> {
        if let Source::Nested(nested) = &mut self.source {
            (self.done, self.behind) = (0, 0);
            return nested.open(group, chunks);
        }
        let of = group.metadata();
        let chunk = of.columns().get(self.leaf).ok_or_else(no_such_column)?;
        let pages = chunks.pages(chunk, usize::try_from(of.num_rows()).unwrap_or(0))?;
        (self.done, self.behind) = (0, 0);
        self.segments.clear();
        self.codes.turn();
        self.costs.turn();
        match Pages::new(pages, &self.descr) {
            Some(pages) => self.source = Source::Pages(pages),
            None => self.fall_back(group, 0)?,
        }
        Ok(())
    }

    /// Goes on with the general reader behind so many rows of the group.
    fn fall_back(&mut self, group: &dyn RowGroupReader, behind: usize) -> Result<()> {
        let reader = group.get_column_reader(self.leaf)?;
        self.source = Source::Values(Values::new(reader, &self.descr)?);
        (self.done, self.behind) = (0, behind);
        self.codes.turn();
        Ok(())
    }

    /// Forgets the texts where they are too many; whether it did, so that their numbers mean nothing any more.
    pub fn bounded(&mut self) -> bool {
        let full = self.codes.texts.full();
        if full {
            self.codes.forget();
            self.hours.clear();
        }
        if let Source::Nested(nested) = &mut self.source {
            nested.bound(full);
        }
        full
    }

    /// Leaves out so many rows, unless they are asked for later.
    pub fn pass(&mut self, rows: usize) {
        self.behind += rows;
        self.rows = rows;
        self.ready = false;
    }

    /// Reads the last of the rows that were left out.
    pub fn need(&mut self, group: &dyn RowGroupReader) -> Result<()> {
        if self.ready {
            return Ok(());
        }
        self.behind = self.behind.saturating_sub(self.rows);
        self.read(group, self.rows)
    }

    /// Reads so many rows.
    pub fn read(&mut self, group: &dyn RowGroupReader, rows: usize) -> Result<()> {
        self.rows = rows;
        if let Source::Nested(nested) = &mut self.source {
            self.codes.begin();
            nested.read(group, self.behind, rows, &mut self.codes)?;
            self.done += self.behind + rows;
            (self.behind, self.ready) = (0, true);
            return Ok(());
        }
        match self.read_pages() {
            Ok(()) => {}
            Err(Unread::Wrong(error)) => return Err(error),
            Err(Unread::Unusual) => {
                self.fall_back(group, self.done + self.behind)?;
                self.begin();
                self.read_values()?;
            }
        }
        self.done += self.behind + rows;
        self.behind = 0;
        self.ready = true;
        Ok(())
    }

    fn begin(&mut self) {
        if let Some(few) = &mut self.few {
            few.size = 0;
        }
        self.segments.clear();
        self.spots.clear();
        self.alone = 0;
        self.codes.begin();
        self.costs.begin();
    }

    fn read_pages(&mut self) -> std::result::Result<(), Unread> {
        self.begin();
        let Source::Pages(pages) = &mut self.source else {
            return Ok(self.read_values()?);
        };
        pages.skip(self.behind)?;
        let mut left = self.rows;
        while left > 0 {
            let (segment, found) = pages.next(left, &mut self.room)?;
            let (dictionary, at) = (pages.dictionary.as_ref(), (&segment, found));
            match self.role {
                Role::Text => {
                    let whole = segment.rows == self.rows;
                    self.codes.add(&self.descr, dictionary, at, &mut self.room, whole)?;
                }
                Role::RareAmount if segment.rows == self.rows && Few::of(at, &mut self.few, &mut self.room) => {}
                Role::Amount | Role::RareAmount => self.costs.add(&self.descr, dictionary, at, &mut self.room)?,
            }
            left = left.saturating_sub(segment.rows);
            self.segments.push(segment);
        }
        Ok(())
    }

    fn read_values(&mut self) -> Result<()> {
        let Source::Values(values) = &mut self.source else {
            return Err(ParquetError::General("a column that was not opened".to_owned()));
        };
        values.read(self.behind, self.rows)?;
        let (codes, costs, descr) = (&mut self.codes, &mut self.costs, &self.descr);
        match self.role {
            Role::Text => values.visit(self.rows, |value| codes.push(descr, value)),
            Role::Amount | Role::RareAmount => values.visit(self.rows, |value| {
                costs.push(descr, value);
                Ok(())
            }),
        }
    }

    /// The number of a row's text.
    pub fn number(&mut self, row: usize) -> Result<u32> {
        self.codes.number(&self.descr, dictionary(&self.source), row)
    }

    /// The amount of a row, if it is a short one.
    pub fn amount(&mut self, row: usize) -> Option<Amount> {
        let Some(few) = self.few.as_mut().filter(|few| few.size > 0) else {
            return self.costs.amount(row);
        };
        let segment = self.segments.first()?;
        self.costs.kind.amount(&self.descr, few.value(segment, row)?)
    }

    /// The hour of a row, if its text is a time.
    pub fn hour(&mut self, row: usize) -> Result<Option<Hour>> {
        let number = self.number(row)?;
        let hour = self.codes.texts.hour(number);
        let (space, _) = self.codes.space();
        if std::mem::replace(&mut self.hours_of, space) != space {
            self.hours.clear();
        }
        let code = self.codes.code(row) as usize;
        if code >= self.hours.len() {
            self.hours.resize(code + 1, None);
        }
        if let Some(slot) = self.hours.get_mut(code) {
            *slot = hour;
        }
        Ok(hour)
    }

    /// The hour of a code that was asked for before.
    pub fn known_hour(&self, code: u32) -> Option<Hour> {
        let hour = self.hours.get(code as usize).copied().flatten();
        hour.filter(|_| self.codes.space().0 == self.hours_of)
    }

    /// The kind of token that a row's text names.
    pub fn bucket(&mut self, row: usize) -> Result<Option<Bucket>> {
        let number = self.number(row)?;
        Ok(self.codes.texts.bucket(number))
    }

    /// The text of a row that was read, or what is wrong with it.
    pub fn text(&mut self, row: usize) -> Result<Text> {
        match self.role {
            Role::Text => {
                let number = self.number(row)?;
                Ok(self.codes.texts.text(number).cloned().unwrap_or(Ok(String::new())))
            }
            Role::Amount | Role::RareAmount => self.stored(row),
        }
    }
}

fn no_such_column() -> ParquetError {
    ParquetError::General("a row group without a column of its file".to_owned())
}

fn dictionary(source: &Source) -> Option<&Dictionary> {
    match source {
        Source::Pages(pages) => pages.dictionary.as_ref(),
        Source::None | Source::Values(_) | Source::Nested(_) => None,
    }
}
