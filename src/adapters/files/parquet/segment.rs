//! Rows of one page: which of them have a value, and the codes or values of these.

use std::rc::Rc;

use parquet::column::page::Page;
use parquet::errors::ParquetError;

use super::present::Present;
use super::runs::Runs;

/// Why a page is not read here.
pub(super) enum Unread {
    /// It is written in a way that the general reader knows.
    Unusual,
    /// It is damaged.
    Wrong(ParquetError),
}

impl From<ParquetError> for Unread {
    fn from(error: ParquetError) -> Self {
        Unread::Wrong(error)
    }
}

/// What is read, or why it is not.
pub(super) type Read<T> = Result<T, Unread>;

/// How values lie one behind the other.
#[derive(Clone, Copy)]
pub(super) enum Plain {
    /// So many bytes each.
    Fixed(usize),
    /// Each behind its length.
    Long,
}

/// The values that a chunk's codes stand for.
pub(super) struct Dictionary {
    page: Page,
    /// Where each lies; of values of one size it follows.
    places: Vec<(usize, usize)>,
    size: usize,
    count: usize,
}

impl Dictionary {
    /// The values of a page.
    pub fn of(page: Page, plain: Plain) -> Read<Self> {
        let bytes = page.buffer().as_ref();
        let count = page.num_values() as usize;
        let mut places = Vec::new();
        let size = match plain {
            Plain::Fixed(size) => {
                if bytes.len() / size < count {
                    return Err(wrong("a dictionary with fewer values than it says"));
                }
                size
            }
            Plain::Long => {
                let mut at = 0;
                for _ in 0..count {
                    places.push(next_long(bytes, &mut at)?);
                }
                0
            }
        };
        Ok(Dictionary {
            page,
            places,
            size,
            count,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bytes of a value.
    pub fn value(&self, code: usize) -> Option<&[u8]> {
        let bytes = self.page.buffer().as_ref();
        if self.size > 0 {
            let start = code.checked_mul(self.size)?;
            return bytes.get(start..start.checked_add(self.size)?);
        }
        let (start, end) = self.places.get(code)?;
        bytes.get(*start..*end)
    }
}

/// Where a value that stands behind its length lies.
fn next_long(bytes: &[u8], at: &mut usize) -> Read<(usize, usize)> {
    let length = bytes.get(*at..).and_then(|rest| rest.first_chunk());
    let length = length.ok_or_else(|| wrong("fewer values than a page says"))?;
    let start = *at + 4;
    let end = start.saturating_add(u32::from_le_bytes(*length) as usize);
    if end > bytes.len() {
        return Err(wrong("a value beyond the end of its page"));
    }
    *at = end;
    Ok((start, end))
}

/// Whether all codes are below a limit: in a form that a processor computes for several at once.
fn all_below(codes: &[u32], limit: usize) -> bool {
    let Ok(limit) = i32::try_from(limit) else {
        return codes.iter().all(|code| (*code as usize) < limit);
    };
    // Below zero is what has no place among those that a number of 31 bits counts.
    !codes.iter().fold(false, |any, code| {
        let code = code.cast_signed();
        any | (code >= limit) | (code < 0)
    })
}

/// Where reading stands in a page.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// Of a column that may have several values a row: whether they begin one.
    pub repeats: Option<Runs>,
    /// Of a column that may be empty: whether rows have a value.
    pub levels: Option<Runs>,
    /// The level of those that have.
    pub full: u32,
    pub values: Values,
}

/// Where reading stands in the values of a page.
#[derive(Clone, Copy)]
pub(super) enum Values {
    Codes(Runs),
    Plain(usize),
}

/// Rows of one page that follow each other. It can be read more than once.
#[derive(Clone)]
pub(super) struct Segment {
    pub page: Rc<Page>,
    pub cursor: Cursor,
    pub plain: Plain,
    /// Values of the dictionary.
    pub codes: usize,
    /// How many; of a column that may have several values a row, how many of these.
    pub rows: usize,
}

/// The values of a segment.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// All have this code.
    Code(u32),
    /// Their codes are in the room.
    Codes,
    /// The values themselves, of one size: where they lie in the segment's bytes.
    Fixed(usize, usize),
    /// The values themselves: where they lie is in the room.
    Long,
}

/// What reading needs room for.
#[derive(Default)]
pub(super) struct Room {
    pub present: Present,
    /// 0 for each value that begins a row, where not all do.
    repeats: Vec<u32>,
    pub codes: Vec<u32>,
    pub places: Vec<(usize, usize)>,
}

impl Room {
    /// The code of all rows of what was found, or that of nothing, where they are all alike.
    pub fn one_code(&self, found: Found, nothing: u32) -> Option<u32> {
        match found {
            _ if self.present.count == 0 => Some(nothing),
            Found::Code(code) if self.present.count == self.present.rows => Some(code),
            Found::Code(_) | Found::Codes | Found::Fixed(..) | Found::Long => None,
        }
    }

    /// For each value 0 if it begins a row; empty where all do.
    pub fn repeats(&self) -> &[u32] {
        &self.repeats
    }

    /// Writes a code that all values have once for each.
    pub fn fill(&mut self, found: Found) {
        if let Found::Code(code) = found {
            self.codes.resize(self.present.count, code);
        }
    }

    /// Visits the values that lie in a page.
    pub fn each_value(
        &self,
        found: Found,
        segment: &Segment,
        mut visit: impl FnMut(&[u8], usize) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        match (found, segment.plain) {
            (Found::Fixed(start, end), Plain::Fixed(size)) => {
                let values = segment.bytes().get(start..end).unwrap_or_default();
                let mut values = values.chunks_exact(size).zip((start..).step_by(size));
                values.try_for_each(|(value, at)| visit(value, at))
            }
            (Found::Long, _) => {
                let value = |(start, end): (usize, usize)| segment.bytes().get(start..end).unwrap_or_default();
                let mut places = self.places.iter();
                places.try_for_each(|place| visit(value(*place), place.0))
            }
            (Found::Fixed(..) | Found::Code(_) | Found::Codes, _) => Ok(()),
        }
    }
}

impl Segment {
    /// The bytes of its page.
    pub fn bytes(&self) -> &[u8] {
        self.page.buffer().as_ref()
    }

    /// Reads the rows once more.
    pub fn again(&self, room: &mut Room) -> Read<Found> {
        let mut cursor = self.cursor;
        cursor.read(self, room)
    }
}

impl Cursor {
    /// Reads the rows of a segment that begins here.
    pub fn read(&mut self, segment: &Segment, room: &mut Room) -> Read<Found> {
        let bytes = segment.bytes();
        self.repeats(bytes, segment.rows, &mut room.repeats)?;
        self.present(bytes, segment.rows, &mut room.present)?;
        let count = room.present.count;
        match &mut self.values {
            Values::Codes(runs) => {
                room.codes.clear();
                let same = runs.take(bytes, count, &mut room.codes)?;
                let within = match same {
                    Some(code) => (code as usize) < segment.codes,
                    None => all_below(&room.codes, segment.codes),
                };
                if !within {
                    return Err(wrong("a code that its dictionary does not have"));
                }
                Ok(same.map_or(Found::Codes, Found::Code))
            }
            Values::Plain(at) => match segment.plain {
                Plain::Fixed(size) => {
                    let start = *at;
                    *at = start.saturating_add(count.saturating_mul(size));
                    if *at > bytes.len() {
                        return Err(wrong("fewer values than a page says"));
                    }
                    Ok(Found::Fixed(start, *at))
                }
                Plain::Long => {
                    room.places.clear();
                    for _ in 0..count {
                        room.places.push(next_long(bytes, at)?);
                    }
                    Ok(Found::Long)
                }
            },
        }
    }

    /// Passes over them.
    pub fn skip(&mut self, segment: &Segment, present: &mut Present) -> Read<()> {
        let bytes = segment.bytes();
        if let Some(repeats) = &mut self.repeats {
            repeats.skip(bytes, segment.rows)?;
        }
        self.present(bytes, segment.rows, present)?;
        match &mut self.values {
            Values::Codes(runs) => runs.skip(bytes, present.count)?,
            Values::Plain(at) => match segment.plain {
                Plain::Fixed(size) => *at = at.saturating_add(present.count.saturating_mul(size)),
                Plain::Long => {
                    for _ in 0..present.count {
                        next_long(bytes, at)?;
                    }
                }
            },
        }
        Ok(())
    }

    fn repeats(&mut self, bytes: &[u8], count: usize, out: &mut Vec<u32>) -> Read<()> {
        out.clear();
        if let Some(repeats) = &mut self.repeats
            && let Some(level) = repeats.take(bytes, count, out)?
            && level > 0
        {
            out.resize(count, level);
        }
        Ok(())
    }

    fn present(&mut self, bytes: &[u8], rows: usize, present: &mut Present) -> Read<()> {
        present.levels.clear();
        (present.rows, present.count) = (rows, rows);
        let Some(levels) = &mut self.levels else {
            return Ok(());
        };
        let highest = match levels.take(bytes, rows, &mut present.levels)? {
            Some(level) => {
                present.count = rows * usize::from(level == self.full);
                level
            }
            None if self.full > 1 => {
                let mut highest = 0;
                for level in &mut present.levels {
                    highest = highest.max(*level);
                    *level = u32::from(*level == self.full);
                    present.count += *level as usize;
                }
                present.count -= rows;
                highest
            }
            None => {
                // In forms that a processor computes for several at once; rows are far fewer than numbers of 32 bits.
                let count = present.levels.iter().fold(0_u32, |sum, level| sum.wrapping_add(*level));
                present.count = count as usize;
                present.levels.iter().fold(0, |bits, level| bits | level)
            }
        };
        if highest > self.full {
            return Err(wrong("a level that there is not"));
        }
        Ok(())
    }
}

/// A damaged page.
pub(super) fn wrong(what: &str) -> Unread {
    Unread::Wrong(ParquetError::General(what.to_owned()))
}
