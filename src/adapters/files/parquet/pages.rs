//! The pages of a column chunk: the `parquet` crate finds and unpacks them, their values are read here, many at a time.

use std::rc::Rc;

use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

use super::chunk::Packed;
use super::runs::Runs;
use super::segment::{Cursor, Dictionary, Found, Plain, Present, Read, Room, Segment, Unread, Values, wrong};

/// Rows that are passed over at once: what a page says of its rows must not decide how much memory is taken.
const STEP: usize = 1 << 16;

/// The pages of one column in one row group.
pub(super) struct Pages {
    packed: Packed,
    plain: Plain,
    optional: bool,
    /// Of the chunk, once it was met.
    pub dictionary: Option<Dictionary>,
    open: Option<Segment>,
    present: Present,
}

impl Pages {
    /// The pages of a column that has one value a row at most.
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
            optional: match column.max_def_level() {
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
        let (levels, at) = match page {
            Page::DataPageV2 {
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let start = *rep_levels_byte_len as usize;
                let end = start.saturating_add(*def_levels_byte_len as usize);
                (start..end, end)
            }
            Page::DataPage { .. } if !self.optional => (0..0, 0),
            Page::DataPage { def_level_encoding, .. } => {
                if *def_level_encoding != Encoding::RLE {
                    return Err(Unread::Unusual);
                }
                let length = bytes.first_chunk().ok_or_else(too_short)?;
                let end = 4_usize.saturating_add(u32::from_le_bytes(*length) as usize);
                (4..end, end)
            }
            Page::DictionaryPage { .. } => return Err(Unread::Unusual),
        };
        if at > bytes.len() {
            return Err(too_short());
        }
        let levels = self
            .optional
            .then(|| Runs::new(levels.start, levels.end, 1))
            .transpose()?;
        let encoding = page.encoding();
        if encoding == Encoding::PLAIN {
            let values = Values::Plain(at);
            return Ok(Cursor { levels, values });
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
        let values = Values::Codes(Runs::new(start, bytes.len(), u32::from(width))?);
        Ok(Cursor { levels, values })
    }
}
