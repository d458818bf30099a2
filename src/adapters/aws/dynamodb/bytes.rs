//! Small stable building blocks of packed items: variable-length integers, columns, names by number, deflate.
//!
//! Every body begins with a version byte, so that a later program can read what this one wrote.

use std::collections::HashMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rust_decimal::Decimal;

use super::fold;
use crate::domain::label::Label;

/// The bytes are not what this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Bytes of all columns from which each is folded by itself: below, what that takes in all weighs more.
const LARGE: usize = 4096;

/// A body deflated as one.
const WHOLE: u8 = 0;

/// A body with each column folded by itself.
const BY_COLUMN: u8 = 1;

/// Bytes that one body may unfold to: bounds the memory that a crafted item can take.
const UNFOLDED_LIMIT: u64 = 256 << 20;

/// Appends an unsigned integer, 7 bits a byte, low bits first.
pub fn put(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// Appends a signed integer: small magnitudes stay short.
pub fn put_signed(out: &mut Vec<u8>, value: i128) {
    put(out, ((value << 1) ^ (value >> 127)).cast_unsigned());
}

/// Appends bytes with their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u128);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether everything is read.
    pub fn done(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Broken> {
        let (&first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(first)
    }

    /// A fixed number of bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Broken)?;
        self.0 = rest;
        Ok(*head)
    }

    /// An unsigned integer.
    pub fn get(&mut self) -> Result<u128, Broken> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    /// An unsigned integer that fits the type wanted.
    pub fn fit<T: TryFrom<u128>>(&mut self) -> Result<T, Broken> {
        T::try_from(self.get()?).map_err(|_| Broken)
    }

    /// A signed integer.
    pub fn signed(&mut self) -> Result<i128, Broken> {
        let value = self.get()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A signed integer that fits the type wanted.
    pub fn fit_signed<T: TryFrom<i128>>(&mut self) -> Result<T, Broken> {
        T::try_from(self.signed()?).map_err(|_| Broken)
    }

    /// Bytes with their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length: usize = self.fit()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or(Broken)?;
        self.0 = rest;
        Ok(head)
    }

    /// Text with its length.
    pub fn text(&mut self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Broken)
    }
}

/// Compresses.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    // Writing into memory cannot fail; if it ever did, the reader would say that the bytes are broken.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Unfolds what [`deflate`] compressed, within bounds.
pub fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut out = Vec::new();
    let mut decoder = DeflateDecoder::new(bytes).take(UNFOLDED_LIMIT + 1);
    decoder.read_to_end(&mut out).map_err(|_| Broken)?;
    if out.len() as u64 > UNFOLDED_LIMIT {
        return Err(Broken);
    }
    Ok(out)
}

/// Rows taken apart into columns: equal things lie together and compress.
pub struct ColumnWriter<const N: usize> {
    columns: [Vec<u8>; N],
    nowhere: Vec<u8>,
    names: Vec<Label>,
    numbers: HashMap<Label, usize>,
    rows: usize,
}

impl<const N: usize> ColumnWriter<N> {
    /// No rows yet.
    pub fn new() -> Self {
        ColumnWriter {
            columns: std::array::from_fn(|_| Vec::new()),
            nowhere: Vec::new(),
            names: Vec::new(),
            numbers: HashMap::new(),
            rows: 0,
        }
    }

    /// A row is complete.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// A column by its number. A number that does not exist writes nowhere, and the reader says so.
    pub fn column(&mut self, at: usize) -> &mut Vec<u8> {
        match self.columns.get_mut(at) {
            Some(column) => column,
            None => &mut self.nowhere,
        }
    }

    /// An unsigned integer into a column.
    pub fn put(&mut self, column: usize, value: impl Into<u128>) {
        put(self.column(column), value.into());
    }

    /// A signed integer into a column.
    pub fn put_signed(&mut self, column: usize, value: impl Into<i128>) {
        put_signed(self.column(column), value.into());
    }

    /// A name into a column, by number.
    pub fn put_name(&mut self, column: usize, label: Label) {
        let next = self.names.len();
        let number = *self.numbers.entry(label).or_insert_with(|| {
            self.names.push(label);
            next
        });
        put(self.column(column), number as u128);
    }

    /// An exact decimal into two columns: scale and digits.
    pub fn put_decimal(&mut self, column: usize, value: Decimal) {
        put(self.column(column), u128::from(value.scale()));
        put_signed(self.column(column + 1), value.mantissa());
    }

    /// The whole body: deflated as one while it is small, else each column in the form that suits it.
    pub fn finish(self, version: u8) -> Vec<u8> {
        let mut plain = Vec::new();
        put(&mut plain, self.rows as u128);
        put(&mut plain, self.names.len() as u128);
        self.names
            .iter()
            .for_each(|name| put_bytes(&mut plain, name.as_str().as_bytes()));
        let mut out = vec![version];
        if self.columns.iter().map(Vec::len).sum::<usize>() < LARGE {
            self.columns.iter().for_each(|column| put_bytes(&mut plain, column));
            out.push(WHOLE);
            out.extend(deflate(&plain));
        } else {
            out.push(BY_COLUMN);
            put_bytes(&mut out, &deflate(&plain));
            put(&mut out, N as u128);
            self.columns.iter().for_each(|column| fold::fold(column, &mut out));
        }
        out
    }
}

/// Reads columns back, row by row.
pub struct ColumnReader<'a, const N: usize> {
    columns: [Reader<'a>; N],
    names: Vec<Label>,
    /// Rows that the body says it has.
    pub rows: usize,
}

/// The unfolded body, after its version.
pub fn unfold(body: &[u8], version: u8) -> Result<Vec<u8>, Broken> {
    let mut reader = Reader(body);
    if reader.byte()? != version {
        return Err(Broken);
    }
    match reader.byte()? {
        WHOLE => inflate(reader.0),
        BY_COLUMN => {
            let mut plain = inflate(reader.bytes()?)?;
            let count: u32 = reader.fit()?;
            let mut left = fold::limit();
            for _ in 0..count {
                put_bytes(&mut plain, &fold::unfold(&mut reader, &mut left)?);
            }
            if reader.done() { Ok(plain) } else { Err(Broken) }
        }
        _ => Err(Broken),
    }
}

impl<'a, const N: usize> ColumnReader<'a, N> {
    /// Of an unfolded body.
    pub fn new(plain: &'a [u8]) -> Result<Self, Broken> {
        let mut reader = Reader(plain);
        let rows: usize = reader.fit()?;
        let count: usize = reader.fit()?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(Label::new(reader.text()?));
        }
        let mut columns = [Reader(&[]); N];
        for column in &mut columns {
            *column = Reader(reader.bytes()?);
        }
        // A row has at least a byte somewhere: a count beyond that is a lie that would cost memory.
        if !reader.done() || rows > plain.len() {
            return Err(Broken);
        }
        Ok(ColumnReader { columns, names, rows })
    }

    /// A column by its number.
    pub fn column(&mut self, at: usize) -> Result<&mut Reader<'a>, Broken> {
        self.columns.get_mut(at).ok_or(Broken)
    }

    /// A name of a column.
    pub fn name(&mut self, column: usize) -> Result<Label, Broken> {
        let number: usize = self.column(column)?.fit()?;
        self.names.get(number).copied().ok_or(Broken)
    }

    /// An exact decimal of two columns.
    pub fn decimal(&mut self, column: usize) -> Result<Decimal, Broken> {
        let scale: u32 = self.column(column)?.fit()?;
        Decimal::try_from_i128_with_scale(self.column(column + 1)?.signed()?, scale).map_err(|_| Broken)
    }
}
