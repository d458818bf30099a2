//! Numbers of many rows, kept by column: each as its distance from what they have in common, in as few bytes as the greatest
//! distance needs (frame of reference). One row can be read without the others, one column without the others too.

use super::column::{Column, MOST_ROWS};
use super::{Broken, Reader, put_small};

/// Rows being collected, in `K` columns of at most 64.
pub struct Frame<const K: usize> {
    rows: usize,
    /// One bit for each column that has had a number other than zero.
    present: u64,
    /// One bit for each column of which it is not known in what its numbers differ.
    unknown: u64,
    /// The bits in which any number of a column differs from the first of it, as far as it is filled.
    differ: [u64; K],
    /// Shorter than there are rows where the last ones are zero.
    columns: [Vec<u64>; K],
}

impl<const K: usize> Default for Frame<K> {
    fn default() -> Self {
        const { assert!(K <= 64, "a column is a bit of the mask of those that are there") };
        Frame {
            rows: 0,
            present: 0,
            unknown: 0,
            differ: [0; K],
            columns: std::array::from_fn(|_| Vec::new()),
        }
    }
}

impl<const K: usize> Frame<K> {
    /// Sets a number of the row that is being added; what is not set is zero.
    #[inline]
    pub fn set(&mut self, column: usize, value: u64) {
        if value != 0 {
            self.replace(self.rows, column, value);
        }
    }

    /// Sets a number of a row.
    #[inline]
    pub fn replace(&mut self, row: usize, column: usize, value: u64) {
        let Some(numbers) = self.columns.get_mut(column) else {
            return;
        };
        match numbers.get_mut(row) {
            Some(slot) => *slot = value,
            None if value == 0 => return,
            None => {
                numbers.resize(row, 0);
                numbers.push(value);
            }
        }
        self.present |= u64::from(value != 0) << column;
        self.unknown |= 1 << column;
    }

    /// Ends the row that is being added.
    #[inline]
    pub fn end_row(&mut self) {
        self.end_rows(1);
    }

    /// Sets a column of rows that are being added together; answers the bits that any of the numbers has.
    #[inline(always)]
    pub fn fill(&mut self, column: usize, values: impl Iterator<Item = u64>) -> u64 {
        let Some((numbers, differ)) = self.columns.get_mut(column).zip(self.differ.get_mut(column)) else {
            return 0;
        };
        self.unknown |= u64::from(pad(numbers, differ, self.rows)) << column;
        numbers.extend(values);
        let added = numbers.get(self.rows..).unwrap_or(&[]);
        let Some(first) = added.first().copied() else { return 0 };
        let apart = added.iter().fold(0, |apart, value| apart | (value ^ first));
        let bits = first | apart;
        if bits == 0 {
            numbers.truncate(self.rows);
        }
        *differ |= apart | (first ^ numbers.first().copied().unwrap_or(first));
        self.present |= u64::from(bits != 0) << column;
        bits
    }

    /// The same of a column whose numbers are most often one over and over, which is found out before any of them is kept.
    #[inline(always)]
    pub fn fill_steady(&mut self, column: usize, values: impl ExactSizeIterator<Item = u64> + Clone) -> u64 {
        let rows = values.len();
        let (any, all) = (values.clone()).fold((0, u64::MAX), |(any, all), value| (any | value, all & value));
        if any == all || rows == 0 {
            self.repeat(column, any, rows);
            return any;
        }
        self.fill(column, values)
    }

    /// Sets a column of so many rows that are being added together to one number.
    pub fn repeat(&mut self, column: usize, value: u64, rows: usize) {
        let there = self.columns.get_mut(column).zip(self.differ.get_mut(column));
        let Some((numbers, differ)) = there.filter(|_| value != 0 && rows != 0) else {
            return;
        };
        self.unknown |= u64::from(pad(numbers, differ, self.rows)) << column;
        numbers.resize(self.rows + rows, value);
        *differ |= value ^ numbers.first().copied().unwrap_or(value);
        self.present |= 1 << column;
    }

    /// Ends so many rows that were added together.
    #[inline]
    pub fn end_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// A number of a row.
    pub fn get(&self, row: usize, column: usize) -> u64 {
        self.columns
            .get(column)
            .and_then(|numbers| numbers.get(row))
            .copied()
            .unwrap_or(0)
    }

    /// How many rows have ended.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Forgets all rows; the memory is used again.
    pub fn clear(&mut self) {
        present(&mut self.columns, self.present).for_each(|(_, numbers)| numbers.clear());
        (self.rows, self.present, self.unknown) = (0, 0, 0);
        self.differ = [0; K];
    }

    /// Appends all rows.
    pub fn put(&mut self, out: &mut Vec<u8>) {
        let rows = self.rows;
        put_small(out, rows as u64);
        out.extend_from_slice(&self.present.to_le_bytes());
        for ((n, numbers), differ) in self.columns.iter_mut().enumerate().zip(&mut self.differ) {
            if self.present >> n & 1 == 0 {
                continue;
            }
            if pad(numbers, differ, rows) || self.unknown >> n & 1 != 0 {
                *differ = apart(numbers);
            }
            put_column(out, numbers, *differ);
        }
        self.unknown = 0;
    }

    /// Goes on where packed rows end.
    pub fn resume(&mut self, packed: &Columns<'_, K>) {
        self.clear();
        self.rows = packed.rows;
        for (n, numbers) in self.columns.iter_mut().enumerate() {
            let packed = packed.column(n);
            if !packed.is_zero() {
                packed.decode(self.rows, numbers);
                self.present |= 1 << n;
                self.unknown |= 1 << n;
            }
        }
    }
}

/// The columns of a mask.
fn present(columns: &mut [Vec<u64>], mask: u64) -> impl Iterator<Item = (usize, &mut Vec<u64>)> {
    columns.iter_mut().enumerate().filter(move |(n, _)| mask >> n & 1 != 0)
}

/// Makes a column as long as there are rows; whether something was taken off it, in which it may have differed.
#[inline]
fn pad(numbers: &mut Vec<u64>, differ: &mut u64, rows: usize) -> bool {
    let before = numbers.len();
    if before != rows {
        if before < rows {
            *differ |= numbers.first().copied().unwrap_or(0);
        }
        numbers.resize(rows, 0);
    }
    before > rows
}

/// The bits in which any number differs from the first.
fn apart(values: &[u64]) -> u64 {
    let first = values.first().copied().unwrap_or(0);
    values.iter().fold(0, |apart, value| apart | (value ^ first))
}

fn put_column(out: &mut Vec<u8>, values: &[u64], differ: u64) {
    // Most columns are one number over and over, or have their first bits in common: these are the least that any of them can be, which is found
    // out for many numbers at a time, unlike the least that one is.
    let first = values.first().copied().unwrap_or(0);
    let width = bytes_of(differ);
    let least = match width {
        8 => 0,
        width => first >> (8 * width) << (8 * width),
    };
    out.push(width as u8);
    put_small(out, least);
    match width {
        1 => out.extend(values.iter().map(|value| *value as u8)),
        2 => pack::<2>(out, values),
        3 => pack::<3>(out, values),
        4 => pack::<4>(out, values),
        5 => pack::<5>(out, values),
        6 => pack::<6>(out, values),
        7 => pack::<7>(out, values),
        8 => pack::<8>(out, values),
        _ => {}
    }
}

fn bytes_of(value: u64) -> usize {
    (64 - value.leading_zeros()).div_ceil(8) as usize
}

/// What tells numbers apart: what they have in common is none of these bits.
fn pack<const W: usize>(out: &mut Vec<u8>, values: &[u64]) {
    let from = out.len();
    out.resize(from + W * values.len(), 0);
    let Some(body) = out.get_mut(from..) else { return };
    for (slot, value) in body.as_chunks_mut::<W>().0.iter_mut().zip(values) {
        if let Some(bytes) = value.to_le_bytes().first_chunk::<W>() {
            *slot = *bytes;
        }
    }
}

/// Packed rows.
pub struct Columns<'a, const K: usize> {
    /// How many.
    pub rows: usize,
    /// Where each column stands among those that are there; a column of zeros is the first of them. Many parts have few rows, so that room
    /// for all columns that there may be would cost more than what is read.
    places: [u8; K],
    there: Vec<Column<'a>>,
}

impl<'a, const K: usize> Columns<'a, K> {
    /// Reads what [`Frame::put`] wrote.
    pub fn parse(from: &mut Reader<'a>) -> Result<Self, Broken> {
        let rows = usize::try_from(from.u64()?).map_err(|_| Broken)?;
        if rows > MOST_ROWS {
            return Err(Broken);
        }
        let mask = u64::from_le_bytes(from.array()?);
        if K < 64 && mask >> K != 0 {
            return Err(Broken);
        }
        let mut places = [0; K];
        let mut there = Vec::with_capacity(1 + mask.count_ones() as usize);
        there.push(Column::default());
        for (_, place) in (0..).zip(&mut places).filter(|(n, _)| mask & (1_u64 << n) != 0) {
            let width = usize::from(from.byte()?);
            let least = from.u64()?;
            if width > 8 {
                return Err(Broken);
            }
            let (bytes, rest) = from.0.split_at_checked(width * rows).ok_or(Broken)?;
            from.0 = rest;
            // At most 64 columns stand before it.
            *place = there.len() as u8;
            there.push(Column::new(least, width, bytes));
        }
        Ok(Columns { rows, places, there })
    }

    /// A column.
    #[inline]
    pub fn column(&self, column: usize) -> Column<'a> {
        self.find(column).copied().unwrap_or_default()
    }

    /// One number.
    #[inline]
    pub fn get(&self, column: usize, row: usize) -> u64 {
        self.find(column).map_or(0, |c| c.get(row))
    }

    #[inline]
    fn find(&self, column: usize) -> Option<&Column<'a>> {
        self.there.get(usize::from(*self.places.get(column)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![2 => Just(0), 2 => Just(7), 1 => 0..300_u64, 1 => any::<u64>()]
    }

    proptest! {
        #[test]
        fn rows_come_back_one_by_one_by_column_and_to_go_on(
            rows in prop::collection::vec((any::<u64>(), 0..5_u64, 0..70_000_u64, prop::bool::weighted(0.1)), 0..200),
            cut in 0..200_usize,
        ) {
            let fill = |frame: &mut Frame<5>, rows: &[(u64, u64, u64, bool)]| {
                for (a, b, c, d) in rows {
                    frame.set(0, *a);
                    frame.set(1, *b);
                    frame.set(2, 1_000_000 + c);
                    frame.set(4, u64::from(*d));
                    frame.end_row();
                }
            };
            let (mut whole, mut parts) = (Frame::<5>::default(), Frame::<5>::default());
            fill(&mut whole, &rows);
            let mut bytes = Vec::new();
            whole.put(&mut bytes);
            let packed = Columns::<5>::parse(&mut Reader(&bytes)).unwrap();
            prop_assert_eq!(packed.rows, rows.len());
            for (n, (a, b, c, d)) in rows.iter().enumerate() {
                let read: Vec<u64> = (0..5).map(|k| packed.get(k, n)).collect();
                prop_assert_eq!(read, [*a, *b, 1_000_000 + c, 0, u64::from(*d)]);
            }
            let mut column = Vec::new();
            packed.column(2).decode(rows.len(), &mut column);
            prop_assert!(column.iter().zip(&rows).all(|(read, row)| *read == 1_000_000 + row.2));

            let (first, second) = rows.split_at(cut.min(rows.len()));
            fill(&mut parts, first);
            let mut half = Vec::new();
            parts.put(&mut half);
            let mut resumed = Frame::<5>::default();
            resumed.resume(&Columns::parse(&mut Reader(&half)).unwrap());
            fill(&mut resumed, second);
            let mut again = Vec::new();
            resumed.put(&mut again);
            let again = Columns::<5>::parse(&mut Reader(&again)).unwrap();
            prop_assert!((0..rows.len()).all(|n| (0..5).all(|k| again.get(k, n) == packed.get(k, n))));

            for row in 0..rows.len() {
                resumed.replace(row, 3, row as u64);
                resumed.replace(row, 0, 0);
            }
            let mut changed = Vec::new();
            resumed.put(&mut changed);
            let changed = Columns::<5>::parse(&mut Reader(&changed)).unwrap();
            prop_assert!((0..rows.len()).all(|n| changed.get(3, n) == n as u64 && changed.get(0, n) == 0
                && [1, 2, 4].into_iter().all(|k| changed.get(k, n) == packed.get(k, n))));
        }

        /// However a column was filled: together, with one number, number by number, twice.
        #[test]
        fn columns_are_packed_as_number_by_number(
            parts in prop::collection::vec((prop::collection::vec(number(), 0..9), 0..5_u8, number()), 0..9), again in any::<bool>(),
        ) {
            let (mut frame, mut single) = (Frame::<3>::default(), Frame::<3>::default());
            for _ in 0..=u8::from(again) {
                [&mut frame, &mut single].into_iter().for_each(Frame::clear);
                for (numbers, how, one) in &parts {
                    let numbers = || numbers.iter().map(|number| if *how == 1 { *one } else { *number });
                    match how {
                        0 => drop(frame.fill(1, numbers())),
                        1 => frame.repeat(1, *one, numbers().len()),
                        2 => drop(frame.fill_steady(1, numbers())),
                        3 => {
                            frame.fill(1, numbers().map(u64::swap_bytes));
                            frame.fill(1, numbers());
                        }
                        _ => (frame.rows..).zip(numbers()).for_each(|(row, number)| frame.replace(row, 1, number)),
                    }
                    frame.end_rows(numbers().len());
                    for number in numbers() {
                        single.set(1, number);
                        single.end_row();
                    }
                }
                let bytes = [&mut frame, &mut single].map(|frame| {
                    let mut bytes = Vec::new();
                    frame.put(&mut bytes);
                    bytes
                });
                prop_assert_eq!(&bytes[0], &bytes[1]);
            }
        }

        #[test]
        fn hostile_bytes_are_an_error_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(packed) = Columns::<5>::parse(&mut Reader(&bytes)) {
                let _ = (0..5).map(|k| packed.get(k, packed.rows)).max();
            }
        }
    }
}
