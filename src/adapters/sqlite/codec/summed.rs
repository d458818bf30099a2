//! Rows of spend summed over the dimensions that nobody asks for, column by column.

use hashbrown::HashTable;
use rust_decimal::Decimal;

use super::rows::*;
use super::{Broken, Names, signed, signed_wide};
use crate::domain::charge::summable;
use crate::domain::dimension::Dimension;
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, Sums};
use crate::domain::usage::Bucket;

/// Memory for summing that is used again.
#[derive(Default)]
pub struct Summing {
    /// The columns that tell groups apart.
    keys: Vec<Vec<u64>>,
    /// The group of each row.
    groups: Vec<u32>,
    /// A row of each group.
    firsts: Vec<u32>,
    known: HashTable<u32>,
    column: Vec<u64>,
    high: Vec<u64>,
    sums: Vec<i128>,
}

impl PackedRows<'_> {
    /// The rows summed over the dimensions that are not wanted. A key may come more than once.
    pub fn summed<N: Names>(
        &self,
        hour: Hour,
        wanted: impl Fn(Dimension) -> bool + Copy,
        names: &mut N,
        memory: &mut Summing,
        mut visit: impl FnMut(SpendKey, Sums) -> Result<(), N::Error>,
    ) -> Result<(), N::Error> {
        self.group(wanted, memory);
        let groups = memory.firsts.len();
        let mut sums = vec![Sums::default(); groups];
        let narrow = |value: i128| i64::try_from(value).map_err(|_| Broken);
        self.add_up(EVENTS, None, memory, |n, sum| {
            sums.get_mut(n).ok_or(Broken)?.events = narrow(sum)?;
            Ok(())
        })?;
        for bucket in Bucket::ALL {
            let n = bucket as usize;
            self.add_up(TOKENS + n, Some(HIGH_TOKENS + n), memory, |n, sum| {
                sums.get_mut(n).ok_or(Broken)?.tokens.set(bucket, sum);
                Ok(())
            })?;
        }
        self.add_up(REASONING, Some(HIGH_REASONING), memory, |n, sum| {
            sums.get_mut(n).ok_or(Broken)?.tokens.reasoning = sum;
            Ok(())
        })?;
        for request in 0..4 {
            self.add_up(REQUESTS + request, None, memory, |n, sum| {
                let slot = sums.get_mut(n).and_then(|s| s.requests.get_mut(request));
                *slot.ok_or(Broken)? = narrow(sum)?;
                Ok(())
            })?;
        }
        self.add_up(UNPRICED_EVENTS, None, memory, |n, sum| {
            sums.get_mut(n).ok_or(Broken)?.unpriced_events = narrow(sum)?;
            Ok(())
        })?;
        self.add_up(UNPRICED_TOKENS, Some(HIGH_UNPRICED_TOKENS), memory, |n, sum| {
            sums.get_mut(n).ok_or(Broken)?.unpriced_tokens = sum;
            Ok(())
        })?;
        let firsts = std::mem::take(&mut memory.firsts);
        let first = |n: usize| firsts.get(n).map(|row| *row as usize).ok_or(Broken);
        // The scale is one within a group.
        self.add_up(COST + 1, Some(HIGH_COST), memory, |n, sum| {
            sums.get_mut(n).ok_or(Broken)?.cost = number(self.columns.get(COST, first(n)?), sum)?;
            Ok(())
        })?;
        self.add_up(REPORTED_COST + 1, Some(HIGH_REPORTED_COST), memory, |n, sum| {
            let scale = self.columns.get(REPORTED_COST, first(n)?);
            sums.get_mut(n).ok_or(Broken)?.reported_cost = number(scale, sum)?;
            Ok(())
        })?;
        self.add_up_by(
            WORST_CASE + 1,
            Some(HIGH_WORST_CASE),
            memory,
            summable_digits,
            |n, sum| {
                let scale = self.columns.get(WORST_CASE, first(n)?);
                sums.get_mut(n).ok_or(Broken)?.unpriced_worst_case = most(scale, sum)?;
                Ok(())
            },
        )?;
        for (row, sums) in firsts.iter().zip(sums) {
            visit(self.key(*row as usize, hour, wanted, names)?, sums)?;
        }
        memory.firsts = firsts;
        Ok(())
    }

    /// Finds the groups: rows that are alike in everything that is wanted, in the scales of their costs, and in whether they have
    /// web searches.
    fn group(&self, wanted: impl Fn(Dimension) -> bool, memory: &mut Summing) {
        let rows = self.columns.rows;
        let dimensions = Dimension::ALL
            .into_iter()
            .filter(|d| wanted(*d))
            .map(|d| DIMENSIONS + d as usize);
        let scales = [COST, REPORTED_COST, WORST_CASE];
        let mut used = 0;
        for column in [BASIS, CURRENCY].into_iter().chain(scales).chain(dimensions) {
            let column = self.columns.column(column);
            if column.constant().is_some() {
                continue;
            }
            if memory.keys.len() <= used {
                memory.keys.push(Vec::new());
            }
            if let Some(key) = memory.keys.get_mut(used) {
                column.decode(rows, key);
            }
            used += 1;
        }
        let searches = self.columns.column(REQUESTS);
        if !searches.is_zero() {
            if memory.keys.len() <= used {
                memory.keys.push(Vec::new());
            }
            if let Some(key) = memory.keys.get_mut(used) {
                searches.decode(rows, key);
                key.iter_mut().for_each(|n| *n = u64::from(*n != 0));
            }
            used += 1;
        }
        let keys = memory.keys.get(..used).unwrap_or(&[]);
        memory.groups.clear();
        memory.firsts.clear();
        memory.known.clear();
        // Mixed column by column: the compiler makes wide steps of it.
        memory.column.clear();
        memory.column.resize(rows, 0);
        for key in keys {
            for (mix, value) in memory.column.iter_mut().zip(key) {
                *mix = (*mix ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            }
        }
        let hashes = &memory.column;
        let same = |a: u32, b: u32| keys.iter().all(|key| key.get(a as usize) == key.get(b as usize));
        let hash = |row: u32| {
            hashes
                .get(row as usize)
                .copied()
                .unwrap_or(0)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        for row in 0..rows as u32 {
            let firsts = &mut memory.firsts;
            let known = memory.known.find(hash(row), |group| {
                firsts.get(*group as usize).is_some_and(|first| same(*first, row))
            });
            let group = match known {
                Some(group) => *group,
                None => {
                    let group = firsts.len() as u32;
                    firsts.push(row);
                    memory.known.insert_unique(hash(row), group, |group| {
                        firsts.get(*group as usize).map_or(0, |first| hash(*first))
                    });
                    group
                }
            };
            memory.groups.push(group);
        }
    }

    /// Adds up a column by group and hands over each group's sum.
    fn add_up(
        &self,
        low: usize,
        high: Option<usize>,
        memory: &mut Summing,
        take: impl FnMut(usize, i128) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.add_up_by(low, high, memory, |wide| wide, take)
    }

    /// The same with another value in place of those that are wide.
    fn add_up_by(
        &self,
        low: usize,
        high: Option<usize>,
        memory: &mut Summing,
        of: impl Fn(i128) -> i128,
        mut take: impl FnMut(usize, i128) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let (low, high) = (self.columns.column(low), high.map(|h| self.columns.column(h)));
        let high = high.filter(|high| !high.is_zero());
        if low.is_zero() && high.is_none() {
            return Ok(());
        }
        let Summing {
            groups,
            column,
            high: tops,
            sums,
            ..
        } = memory;
        let count = groups.iter().max().map_or(0, |most| *most as usize + 1);
        sums.clear();
        sums.resize(count, 0);
        low.decode(self.columns.rows, column);
        match high {
            None => {
                for (group, value) in groups.iter().zip(&*column) {
                    if let Some(sum) = sums.get_mut(*group as usize) {
                        *sum += i128::from(signed(*value));
                    }
                }
            }
            Some(high) => {
                high.decode(self.columns.rows, tops);
                for ((group, low), high) in groups.iter().zip(&*column).zip(&*tops) {
                    let value = of(signed_wide(u128::from(*low) | u128::from(*high) << 64));
                    if let Some(sum) = sums.get_mut(*group as usize) {
                        *sum = sum.checked_add(value).ok_or(Broken)?;
                    }
                }
            }
        }
        sums.iter().enumerate().try_for_each(|(n, sum)| take(n, *sum))
    }
}

/// The digits of a worst case as it can be added up: what has none of that is whole.
fn summable_digits(digits: i128) -> i128 {
    Decimal::try_from_i128_with_scale(digits, 0).map_or(digits, |amount| summable(amount).mantissa())
}

/// A sum of worst cases, without its finest digits where there are too many.
fn most(mut scale: u64, mut digits: i128) -> Result<Decimal, Broken> {
    while scale > 0 && digits.unsigned_abs() >> 96 != 0 {
        (digits, scale) = (digits / 10, scale - 1);
    }
    number(scale, digits)
}
