//! The texts of a column as numbers: codes of the chunk's own dictionary where it has one, so that a row costs no look at its text.

use parquet::basic::Type as Physical;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;

use super::super::wanted::Reduce;
use super::segment::{Dictionary, Found, Room, Segment};
use super::text_of;
use super::texts::{Text, Texts};

/// A meaning that was not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// The rows read last, by code.
pub(super) struct Codes {
    /// All that the file has of this column.
    pub texts: Texts,
    /// As much of a value as matters, where not all of it does.
    reduce: Option<Reduce>,
    /// Whether codes are those of the chunk's dictionary, and not numbers of texts.
    local: bool,
    /// By code of the dictionary; the last is that of nothing.
    meanings: Vec<u32>,
    /// Counts the dictionaries.
    space: u64,
    /// The code of all rows.
    same: Option<u32>,
    /// By row, where they are not all the same.
    each: Vec<u32>,
    numbers: Vec<u32>,
    batch: u32,
}

impl Codes {
    /// None yet.
    pub fn new() -> Self {
        Codes {
            texts: Texts::new(),
            reduce: None,
            local: false,
            meanings: Vec::new(),
            space: 0,
            same: None,
            each: Vec::new(),
            numbers: Vec::new(),
            batch: 0,
        }
    }

    /// Rows whose values are the same as far as they matter have one code.
    pub fn reduce(&mut self, reduce: Reduce) {
        self.reduce = Some(reduce);
    }

    /// From now on codes are those of another dictionary.
    pub fn turn(&mut self) {
        self.meanings.clear();
        self.space += 1;
    }

    /// Forgets the texts.
    pub fn forget(&mut self) {
        self.texts = Texts::new();
        self.turn();
    }

    /// Begins with the next rows.
    pub fn begin(&mut self) {
        // Values lie where they are until the next ones are read.
        self.batch = self.batch.wrapping_add(1);
        // Codes of a dictionary tell more than what matters.
        self.local = self.reduce.is_none();
        self.same = None;
        self.each.clear();
    }

    /// Adds rows of a page; `whole` where there are no others.
    pub fn add(
        &mut self,
        column: &ColumnDescPtr,
        dictionary: Option<&Dictionary>,
        (segment, found): (&Segment, Found),
        room: &mut Room,
        whole: bool,
    ) -> Result<()> {
        let count = dictionary.map_or(0, Dictionary::count);
        let nothing = u32::try_from(count).map_err(|_| too_many())?;
        if self.meanings.len() != count + 1 {
            self.turn();
            self.meanings.resize(count + 1, UNKNOWN);
            if let Some(last) = self.meanings.last_mut() {
                *last = 0;
            }
        }
        match found {
            Found::Code(_) | Found::Codes => {
                if let Some(code) = room.one_code(found, nothing).filter(|_| whole) {
                    self.same = Some(match self.local {
                        true => code,
                        false => self.meaning(column, dictionary, code)?,
                    });
                    return Ok(());
                }
                room.fill(found);
                let before = self.each.len();
                if before == 0 && room.present.all() {
                    std::mem::swap(&mut room.codes, &mut self.each);
                } else {
                    room.present.spread(&room.codes, nothing, &mut self.each);
                }
                if !self.local {
                    self.explain(column, dictionary, before)?;
                }
            }
            Found::Fixed(..) | Found::Long => {
                if std::mem::take(&mut self.local) {
                    self.explain(column, dictionary, 0)?;
                }
                let mut numbers = std::mem::take(&mut self.numbers);
                numbers.clear();
                room.each_value(found, segment, |value, _| {
                    numbers.push(self.value_number(column, value)?);
                    Ok(())
                })?;
                room.present.spread(&numbers, 0, &mut self.each);
                self.numbers = numbers;
            }
        }
        Ok(())
    }

    /// Adds one row by its value.
    pub fn push(&mut self, column: &ColumnDescPtr, value: Option<&[u8]>) -> Result<()> {
        self.local = false;
        let number = match value {
            None => 0,
            Some(value) => self.value_number(column, value)?,
        };
        self.each.push(number);
        Ok(())
    }

    /// Adds one row by the number of its text.
    pub fn push_number(&mut self, number: u32) {
        self.local = false;
        self.each.push(number);
    }

    /// The number of a text that was put together.
    pub fn number_of(&mut self, text: Text) -> Result<u32> {
        // It lies nowhere for long.
        self.batch = self.batch.wrapping_add(1);
        match text {
            Ok(text) => self.texts.number(text.as_bytes(), self.batch, || Ok(text.clone())),
            Err(_) => self.texts.keep(text),
        }
    }

    /// The number of a value, as far as it matters.
    fn value_number(&mut self, column: &ColumnDescPtr, value: &[u8]) -> Result<u32> {
        let reduce = self.reduce.filter(|_| column.physical_type() == Physical::BYTE_ARRAY);
        let value = match reduce.map_or(value, |reduce| reduce(value)) {
            b"" if reduce.is_some() => return Ok(0),
            value => value,
        };
        self.texts.number(value, self.batch, || text_of(column, value))
    }

    /// Turns codes of the dictionary into numbers of texts, from a row on.
    fn explain(&mut self, column: &ColumnDescPtr, dictionary: Option<&Dictionary>, from: usize) -> Result<()> {
        let mut each = std::mem::take(&mut self.each);
        for code in each.iter_mut().skip(from) {
            *code = self.meaning(column, dictionary, *code)?;
        }
        self.each = each;
        Ok(())
    }

    fn meaning(&mut self, column: &ColumnDescPtr, dictionary: Option<&Dictionary>, code: u32) -> Result<u32> {
        let place = code as usize;
        match self.meanings.get_mut(place) {
            Some(known) if *known != UNKNOWN => Ok(*known),
            Some(_) => {
                let value = dictionary.and_then(|d| d.value(place)).ok_or_else(no_such_code)?;
                let number = self.value_number(column, value)?;
                if let Some(slot) = self.meanings.get_mut(place) {
                    *slot = number;
                }
                Ok(number)
            }
            None => Err(no_such_code()),
        }
    }

    /// The number of a row's text.
    pub fn number(&mut self, column: &ColumnDescPtr, dictionary: Option<&Dictionary>, row: usize) -> Result<u32> {
        let code = self.code(row);
        if self.local {
            self.meaning(column, dictionary, code)
        } else {
            Ok(code)
        }
    }

    /// The code of a row. Rows of one code have one text, as long as [`Codes::space`] stays the same.
    #[inline]
    pub fn code(&self, row: usize) -> u32 {
        self.same.or_else(|| self.each.get(row).copied()).unwrap_or(0)
    }

    /// The code of the last row.
    pub fn last(&self) -> u32 {
        self.each.last().copied().unwrap_or(0)
    }

    /// The code of all rows.
    pub fn same(&self) -> Option<u32> {
        self.same
    }

    /// The codes by row, where they are not all the same.
    pub fn each(&self) -> &[u32] {
        &self.each
    }

    /// What codes mean now, and the bits that one takes.
    pub fn space(&self) -> (u64, u32) {
        if self.local {
            return (self.space, bits(self.meanings.len().saturating_sub(1)));
        }
        // They become more from batch to batch.
        (0, bits(self.texts.count()).next_multiple_of(4))
    }
}

/// Bits of a number.
fn bits(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}

fn too_many() -> ParquetError {
    ParquetError::General("more texts than can be told apart".to_owned())
}

fn no_such_code() -> ParquetError {
    ParquetError::General("a code that its dictionary does not have".to_owned())
}
