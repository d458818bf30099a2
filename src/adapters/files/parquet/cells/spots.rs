//! Single values of a column that is read many rows at a time: where they lie in its pages.

use parquet::errors::{ParquetError, Result};

use super::super::segment::{Found, Plain, Room, Segment, Unread};
use super::super::text_of;
use super::super::texts::Text;
use super::{Column, Source, dictionary};

/// Values of a batch that are found each by itself; of more than that all are.
const ALONE: u32 = 64;

/// Where the value of a row lies.
#[derive(Clone, Copy)]
pub(super) enum Spot {
    Nowhere,
    Dictionary(u32),
    /// Of the segment with this number.
    Page(usize, usize, usize),
}

impl Column {
    /// The text of a row from its value.
    pub(super) fn stored(&mut self, row: usize) -> Result<Text> {
        let nothing = || Ok(Ok(String::new()));
        let mut text = None;
        if let Source::Values(values) = &self.source {
            let mut at = 0;
            values.visit(self.rows.min(row + 1), |value| {
                text = value.filter(|_| at == row).map(|value| text_of(&self.descr, value));
                at += 1;
                Ok(())
            })?;
            return text.map_or_else(nothing, Ok);
        }
        if let (Some(few), Some(segment)) = (self.few.as_mut().filter(|few| few.size > 0), self.segments.first()) {
            let value = few.value(segment, row);
            return value.map_or_else(nothing, |value| Ok(text_of(&self.descr, value)));
        }
        let spot = match self.spots.is_empty() && self.alone < ALONE {
            true => {
                self.alone += 1;
                self.spot(row)?
            }
            false => {
                if self.spots.is_empty() {
                    self.find_spots()?;
                }
                self.spots.get(row).copied().unwrap_or(Spot::Nowhere)
            }
        };
        let value = match spot {
            Spot::Nowhere => None,
            Spot::Dictionary(code) => dictionary(&self.source).and_then(|d| d.value(code as usize)),
            Spot::Page(segment, start, end) => self.segments.get(segment).and_then(|s| s.bytes().get(start..end)),
        };
        value.map_or_else(nothing, |value| Ok(text_of(&self.descr, value)))
    }

    /// Finds where the value of one row lies.
    fn spot(&mut self, row: usize) -> Result<Spot> {
        let mut before = row;
        for (at, segment) in self.segments.iter().enumerate() {
            if before >= segment.rows {
                before -= segment.rows;
                continue;
            }
            let found = segment.again(&mut self.room).map_err(twice)?;
            let present = &self.room.present;
            let Some(place) = present.place(before) else { break };
            let spot = match (found, segment.plain) {
                (Found::Code(code), _) => Some(Spot::Dictionary(code)),
                (Found::Codes, _) => self.room.codes.get(place).map(|code| Spot::Dictionary(*code)),
                (Found::Fixed(start, _), Plain::Fixed(size)) => {
                    let start = start.saturating_add(place.saturating_mul(size));
                    Some(Spot::Page(at, start, start.saturating_add(size)))
                }
                (Found::Long | Found::Fixed(..), _) => {
                    let place = self.room.places.get(place);
                    place.map(|(start, end)| Spot::Page(at, *start, *end))
                }
            };
            return Ok(spot.unwrap_or(Spot::Nowhere));
        }
        Ok(Spot::Nowhere)
    }

    /// Finds where the values of the last rows lie.
    fn find_spots(&mut self) -> Result<()> {
        let mut values = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let found = segment.again(&mut self.room).map_err(twice)?;
            values.clear();
            match found {
                Found::Code(_) | Found::Codes => {
                    self.room.fill(found);
                    values.extend(self.room.codes.iter().map(|code| Spot::Dictionary(*code)));
                }
                Found::Fixed(..) | Found::Long => self.room.each_value(found, segment, |value, start| {
                    values.push(Spot::Page(at, start, start + value.len()));
                    Ok(())
                })?,
            }
            self.room.present.spread(&values, Spot::Nowhere, &mut self.spots);
        }
        Ok(())
    }
}

/// Values of one size in one page of which few are looked at.
pub(super) struct Few {
    /// Where they begin, and the bytes of each; 0 where this says nothing.
    start: usize,
    pub size: usize,
    /// 1 or 0 for each row, if not all are alike.
    levels: Vec<u32>,
    /// A row and the values before it.
    at: (usize, usize),
}

impl Few {
    /// Whether the rows of a page are such ones.
    pub fn of((segment, found): (&Segment, Found), few: &mut Option<Few>, room: &mut Room) -> bool {
        let (Found::Fixed(start, _), Plain::Fixed(size)) = (found, segment.plain) else {
            return false;
        };
        if room.present.count == 0 {
            return false;
        }
        let few = few.get_or_insert(Few {
            start: 0,
            size: 0,
            levels: Vec::new(),
            at: (0, 0),
        });
        (few.start, few.size, few.at) = (start, size, (0, 0));
        few.levels.clear();
        if !room.present.all() {
            room.present.take_levels(&mut few.levels);
        }
        true
    }

    /// The value of a row, if it has one. Rows are mostly asked for in order.
    pub fn value<'s>(&mut self, segment: &'s Segment, row: usize) -> Option<&'s [u8]> {
        let place = if self.levels.is_empty() {
            row
        } else {
            let (from, before) = if self.at.0 <= row { self.at } else { (0, 0) };
            let between = self.levels.get(from..row)?;
            self.at = (row, before + between.iter().fold(0, |sum, level| sum + *level as usize));
            if *self.levels.get(row)? != 1 {
                return None;
            }
            self.at.1
        };
        let start = self.start.checked_add(place.checked_mul(self.size)?)?;
        segment.bytes().get(start..start.checked_add(self.size)?)
    }
}

fn twice(unread: Unread) -> ParquetError {
    match unread {
        Unread::Wrong(error) => error,
        Unread::Unusual => ParquetError::General("a page that reads in two ways".to_owned()),
    }
}
