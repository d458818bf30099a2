//! The pages of a column chunk: the `parquet` crate finds and unpacks them, their values are read here, many at a time.

use std::ops::Range;
use std::rc::Rc;

use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

use super::chunk::Packed;
use super::present::Present;
use super::runs::Runs;
use super::segment::{Cursor, Dictionary, Found, Plain, Read, Room, Segment, Unread, Values, wrong};

/// Rows that are passed over at once: what a page says of its rows must not decide how much memory is taken.
const STEP: usize = 1 << 16;

/// The pages of one column in one row group.
pub(super) struct Pages {
    packed: Packed,
    plain: Plain,
    /// The level of a value that is there: how much around it may be absent.
    full: u32,
    /// Whether a row may have several values.
    repeated: bool,
    /// Of the chunk, once it was met.
    pub dictionary: Option<Dictionary>,
    open: Option<Segment>,
    present: Present,
}

impl Pages {
    /// The pages of a column; none where they are too unusual.
    pub fn new(packed: Packed, column: &ColumnDescriptor) -> Option<Self> {
        let plain = match column.physical_type() {
            Physical::INT32 | Physical::FLOAT => Plain::Fixed(4),
            Physical::INT64 | Physical::DOUBLE => Plain::Fixed(8),
            Physical::BYTE_ARRAY => Plain::Long,
            Physical::FIXED_LEN_BYTE_ARRAY => {
                Plain::Fixed(usize::try_from(column.type_length()).ok().filter(|l| *l > 0)?)
            }
            Physical::BOOLEAN | Physical::INT96 => return None,
        };
        Some(Pages {
            packed,
            plain,
            full: u32::try_from(column.max_def_level()).ok()?,
            repeated: match column.max_rep_level() {
                0 => false,
                1 => true,
                _ => return None,
            },
            dictionary: None,
            open: None,
            present: Present::default(),
        })
    }

    /// The next rows, at least one and no more than so many, read into `room`.
    pub fn next(&mut self, most: usize, room: &mut Room) -> Read<(Segment, Found)> {
        let mut segment = self.here()?.clone();
        segment.rows = segment.rows.min(most);
        let mut cursor = segment.cursor;
        let found = cursor.read(&segment, room)?;
        self.advance(segment.rows, cursor);
        Ok((segment, found))
    }

    /// Passes over so many rows; whole pages without a look at them.
    pub fn skip(&mut self, rows: usize) -> Read<()> {
        let mut left = rows;
        while left > 0 {
            if self.open.as_ref().is_none_or(|open| open.rows == 0)
                && let Some(next) = self.packed.reader.peek_next_page()?
                && !next.is_dict
                && let Some(whole) = next.num_rows.or(next.num_levels)
                && whole <= left
            {
                self.packed.reader.skip_next_page()?;
                left -= whole;
                continue;
            }
            let mut segment = self.here()?.clone();
            segment.rows = segment.rows.min(left).min(STEP);
            let mut cursor = segment.cursor;
            cursor.skip(&segment, &mut self.present)?;
            self.advance(segment.rows, cursor);
            left -= segment.rows;
        }
        Ok(())
    }

    fn advance(&mut self, rows: usize, cursor: Cursor) {
        if let Some(open) = &mut self.open {
            open.rows -= rows;
            open.cursor = cursor;
        }
    }

    /// The rest of the page that is open, which has a row.
    fn here(&mut self) -> Read<&Segment> {
        while self.open.as_ref().is_none_or(|open| open.rows == 0) {
            match self.packed.next()? {
                None => return Err(wrong("a column has fewer values than there are rows")),
                Some(page) if page.is_dictionary_page() => {
                    if !matches!(page.encoding(), Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                        return Err(Unread::Unusual);
                    }
                    if self.dictionary.is_some() {
                        return Err(wrong("a column with two dictionaries"));
                    }
                    self.dictionary = Some(Dictionary::of(page, self.plain)?);
                }
                Some(page) => {
                    if page.num_values() as usize > self.packed.rows {
                        return Err(wrong("a page of more rows than its row group"));
                    }
                    let cursor = self.begin(&page)?;
                    self.open = Some(Segment {
                        rows: page.num_values() as usize,
                        page: Rc::new(page),
                        cursor,
                        plain: self.plain,
                        codes: self.dictionary.as_ref().map_or(0, Dictionary::count),
                    });
                }
            }
        }
        self.open
            .as_ref()
            .ok_or_else(|| wrong("a column has fewer values than there are rows"))
    }

    fn begin(&self, page: &Page) -> Read<Cursor> {
        let bytes = page.buffer().as_ref();
        let too_short = || wrong("levels beyond the end of their page");
        let (repeats, levels) = match page {
            Page::DataPageV2 {
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let start = *rep_levels_byte_len as usize;
                (0..start, start..start.saturating_add(*def_levels_byte_len as usize))
            }
            Page::DataPage {
                def_level_encoding,
                rep_level_encoding,
                ..
            } => {
                // Each behind its length, where there are any.
                let part = |has: bool, encoding: &Encoding, at: usize| match has {
                    false => Ok(at..at),
                    true if *encoding != Encoding::RLE => Err(Unread::Unusual),
                    true => {
                        let length = bytes.get(at..).and_then(|rest| rest.first_chunk());
                        let start = at + 4;
                        let length = u32::from_le_bytes(*length.ok_or_else(too_short)?) as usize;
                        Ok(start..start.saturating_add(length))
                    }
                };
                let repeats = part(self.repeated, rep_level_encoding, 0)?;
                let levels = part(self.full > 0, def_level_encoding, repeats.end)?;
                (repeats, levels)
            }
            Page::DictionaryPage { .. } => return Err(Unread::Unusual),
        };
        let at = levels.end;
        if at > bytes.len() || repeats.end > levels.start {
            return Err(too_short());
        }
        let runs = |part: Range<usize>, highest: u32| {
            let width = u32::BITS - highest.leading_zeros();
            (highest > 0)
                .then(|| Runs::new(part.start, part.end, width))
                .transpose()
        };
        let cursor = |values: Values| -> Read<Cursor> {
            Ok(Cursor {
                repeats: runs(repeats.clone(), u32::from(self.repeated))?,
                levels: runs(levels.clone(), self.full)?,
                full: self.full,
                values,
            })
        };
        let encoding = page.encoding();
        if encoding == Encoding::PLAIN {
            return cursor(Values::Plain(at));
        }
        if !matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) {
            return Err(Unread::Unusual);
        }
        if self.dictionary.is_none() {
            return Err(wrong("codes without a dictionary"));
        }
        // A page without any value may end here.
        let width = bytes.get(at).copied().unwrap_or(0);
        let start = bytes.len().min(at.saturating_add(1));
        cursor(Values::Codes(Runs::new(start, bytes.len(), u32::from(width))?))
    }
}
