//! Rows of one hour, summed by what they share before they are added to their bill.

use std::ops::Range;

use parquet::errors::Result;
use parquet::file::reader::RowGroupReader;

use super::super::amount::Amount;
use super::super::bills::Bills;
use super::super::memo::Way;
use super::bill::Bill;
use super::combine::{Keys, Met};
use super::costs::MANY;
use crate::domain::period::Hour;

/// Fewer rows than this are added one by one.
const FEW: usize = 16;

/// Sums that are not added to their bill yet, by the number of their combination.
#[derive(Default)]
pub(super) struct Tally {
    sums: Vec<Sum>,
    /// Which of them there are.
    touched: Vec<u32>,
    /// Rows that count tokens.
    counting: Vec<(usize, u32)>,
    /// Those among them whose tokens cannot be read, with where they are added.
    pub uncounted: Vec<(usize, u32)>,
    /// Counts how often the combinations were forgotten.
    space: u64,
    /// Of all the sums.
    hour: Option<Hour>,
    scale: u32,
    rows: u32,
}

#[derive(Clone, Copy)]
struct Sum {
    digits: i64,
    rows: u32,
    /// Where it is added, once there is a row.
    slot: u32,
    way: Way,
}

impl Tally {
    /// Adds one row; whether it is one that can be.
    #[inline]
    fn add(&mut self, row: usize, number: u32, digits: i64, first: &mut impl FnMut(u32) -> Option<u32>) -> bool {
        let Some(sum) = self.sums.get_mut(number as usize) else {
            return false;
        };
        if sum.rows == 0 {
            if sum.way == Way::Row {
                return false;
            }
            let Some(slot) = first(number) else { return false };
            sum.slot = slot;
            self.touched.push(number);
        }
        if matches!(sum.way, Way::Tokens | Way::Counted(_)) {
            self.counting.push((row, number));
        }
        // Of fewer rows and digits than would make too many.
        sum.digits = sum.digits.wrapping_add(digits);
        sum.rows = sum.rows.wrapping_add(1);
        true
    }

    /// Adds the sums to their bill.
    pub fn hand_over(&mut self, bills: &mut Bills) {
        for number in self.touched.drain(..) {
            let Some(sum) = self.sums.get_mut(number as usize) else {
                continue;
            };
            if let Some(amount) = Amount::new(sum.digits, self.scale) {
                // There was room for so many before the first of them.
                bills.add_rows(sum.slot, amount, sum.rows).ok();
            }
            (sum.digits, sum.rows) = (0, 0);
        }
        self.rows = 0;
    }
}

impl Bill {
    /// Adds rows from one on that are charged for one hour, as long as nothing more than their costs and tokens must be found out.
    /// Answers the first that was not added, and before which the next are better added one by one.
    pub fn same_hour(
        &mut self,
        bills: &mut Bills,
        group: &dyn RowGroupReader,
        from: usize,
        rows: usize,
    ) -> Result<(usize, usize)> {
        let single = (from, rows.min(from + FEW));
        // Of both costs there would be two sums.
        if !self.costs.one() {
            return Ok((from, rows));
        }
        let (Some(charged), Some(costs)) = (self.cells.get(self.at), self.cells.get(self.costs.billed)) else {
            return Ok(single);
        };
        let code = charged.codes.code(from);
        let end = match charged.codes.same() {
            Some(_) => rows,
            None => {
                let each = charged.codes.each().get(from..rows).unwrap_or_default();
                from + each.iter().take_while(|other| **other == code).count()
            }
        };
        let (digits, scale) = costs.costs.few(from..end);
        let end = from + digits.len();
        let Some(hour) = charged.known_hour(code).filter(|_| digits.len() >= FEW) else {
            return Ok(single);
        };
        let hour = Some(bills.hour(hour));
        let more = u32::try_from(digits.len()).unwrap_or(MANY);
        let (tally, space) = (&mut self.tally, self.combined.space());
        if (tally.hour, tally.scale, tally.space) != (hour, scale, space) || tally.rows + more > MANY {
            tally.hand_over(bills);
        }
        if tally.space != space {
            tally.sums.clear();
        }
        (tally.hour, tally.scale, tally.space) = (hour, scale, space);
        let mut next = from;
        loop {
            next = self.add(bills, next..end);
            let key = self.combined.key(next);
            if next == end || self.combined.number(key).is_some() {
                break;
            }
            // Met before, under other codes.
            let Some(met) = self.recall(next)? else { break };
            self.combined.insert(key, met);
        }
        let added = u32::try_from(next - from).unwrap_or(MANY);
        self.tally.rows += added;
        let mut counting = std::mem::take(&mut self.tally.counting);
        for (row, number) in counting.drain(..) {
            let slot = self.tally.sums.get(number as usize).map(|sum| sum.slot);
            if let Some((met, slot)) = self.combined.met().get(number as usize).copied().zip(slot) {
                match self.tokens(group, row, met)? {
                    Some(tokens) => bills.add_tokens(slot, &tokens),
                    None => self.tally.uncounted.push((row, slot)),
                }
            }
        }
        self.tally.counting = counting;
        // One that is not known stands in the way.
        Ok((next, if next < end { next + 1 } else { next }))
    }

    /// Adds rows to the sums, and answers the first that is not.
    fn add(&mut self, bills: &mut Bills, rows: Range<usize>) -> usize {
        let (tally, met) = (&mut self.tally, self.combined.met());
        let new = met.iter().skip(tally.sums.len());
        tally.sums.extend(new.map(|met| Sum {
            digits: 0,
            rows: 0,
            slot: 0,
            way: met.known.way,
        }));
        let (hour, scale) = (tally.hour, tally.scale);
        let mut first = |number: u32| {
            let Met { known, .. } = met.get(number as usize)?;
            let slot = bills.slot(known.place, hour?).ok()?;
            bills.has_room(slot, MANY, scale).then_some(slot)
        };
        let Some(costs) = self.cells.get(self.costs.billed) else {
            return rows.start;
        };
        let digits = costs.costs.digits(rows.clone());
        let mut next = rows.start;
        match self.combined.keys(rows) {
            Keys::Same(key) => {
                let number = self.combined.number(key).unwrap_or(u32::MAX);
                for digits in digits {
                    if !tally.add(next, number, *digits, &mut first) {
                        break;
                    }
                    next += 1;
                }
            }
            Keys::Direct(numbers, keys) => {
                for (key, digits) in keys.iter().zip(digits) {
                    // Counted from one on; none is the last number that there is.
                    let number = numbers
                        .get(*key as usize)
                        .map_or(u32::MAX, |number| number.wrapping_sub(1));
                    if !tally.add(next, number, *digits, &mut first) {
                        break;
                    }
                    next += 1;
                }
            }
            Keys::Each(keys) => {
                for (key, digits) in keys.iter().zip(digits) {
                    let number = self.combined.number(*key).unwrap_or(u32::MAX);
                    if !tally.add(next, number, *digits, &mut first) {
                        break;
                    }
                    next += 1;
                }
            }
        }
        next
    }
}
