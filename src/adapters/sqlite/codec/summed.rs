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
    /// What tells groups apart: the same numbers in the same group.
    codes: Vec<u64>,
    /// The group of each row.
    groups: Vec<u32>,
    all: Groups,
    column: Vec<u64>,
    high: Vec<u64>,
    small: Vec<u64>,
    sums: Vec<i128>,
}

/// The groups of some rows.
#[derive(Default)]
struct Groups {
    groups: Vec<Group>,
    /// Where each code leads most likely, by its bits. What is left of other rows is found out by the code.
    likely: Vec<u32>,
    known: HashTable<u32>,
}

struct Group {
    code: u64,
    /// The first of its rows.
    first: u32,
    rows: u32,
}

/// Places for groups that are found without the table.
const LIKELY: usize = 256;
/// Bytes of a code.
const CODE: usize = 8;
/// Bytes of a group's number.
const NUMBER: usize = 4;

impl Groups {
    /// Finds the group of each code.
    fn find(&mut self, codes: &[u64], groups: &mut Vec<u32>) {
        let Groups {
            groups: all,
            likely,
            known,
        } = self;
        let mix = |code: u64| code.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        all.clear();
        known.clear();
        likely.resize(LIKELY, 0);
        groups.clear();
        groups.extend((0_u32..).zip(codes).map(|(row, code)| {
            let hash = mix(*code);
            let mut other = 0;
            let likely = likely.get_mut((hash >> 56) as usize).unwrap_or(&mut other);
            if let Some(group) = all.get_mut(*likely as usize).filter(|group| group.code == *code) {
                group.rows += 1;
                return *likely;
            }
            // The table looks at the first bits and at the last.
            let hash = hash.rotate_left(32);
            let same = |group: &u32| all.get(*group as usize).is_some_and(|group| group.code == *code);
            let group = match known.find(hash, same) {
                Some(group) => *group,
                None => {
                    let group = all.len() as u32;
                    all.push(Group {
                        code: *code,
                        first: row,
                        rows: 0,
                    });
                    known.insert_unique(hash, group, |group| {
                        let code = all.get(*group as usize).map_or(0, |group| group.code);
                        mix(code).rotate_left(32)
                    });
                    group
                }
            };
            if let Some(group) = all.get_mut(group as usize) {
                group.rows += 1;
            }
            *likely = group;
            group
        }));
    }
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
        let groups = memory.all.groups.len();
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
        let firsts: Vec<usize> = memory.all.groups.iter().map(|group| group.first as usize).collect();
        let first = |n: usize| firsts.get(n).copied().ok_or(Broken);
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
        for (row, sums) in firsts.into_iter().zip(sums) {
            visit(self.key(row, hour, wanted, names)?, sums)?;
        }
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
        let Summing {
            codes,
            groups,
            all,
            column: numbers,
            ..
        } = memory;
        codes.clear();
        codes.resize(rows, 0);
        // Bytes of the codes that are used. Few columns take more than one, so that nearly always all fit.
        let mut used = 0;
        let mut room = |codes: &mut Vec<u64>, used: &mut usize, width: usize| {
            if *used + width > CODE {
                all.find(codes, groups);
                codes
                    .iter_mut()
                    .zip(&*groups)
                    .for_each(|(code, group)| *code = u64::from(*group));
                *used = NUMBER;
            }
            let bits = *used as u32 * 8;
            *used += width;
            bits
        };
        for column in [BASIS, CURRENCY, COST, REPORTED_COST, WORST_CASE]
            .into_iter()
            .chain(dimensions)
        {
            let column = self.columns.column(column);
            if column.width() <= NUMBER {
                let bits = room(codes, &mut used, column.width());
                column.append(codes, bits);
                continue;
            }
            // Its own numbers in place of what it has.
            column.decode(rows, numbers);
            let (mut own, mut of_own) = (Groups::default(), Vec::new());
            own.find(numbers, &mut of_own);
            let bits = room(codes, &mut used, NUMBER);
            let places = codes.iter_mut().zip(of_own);
            places.for_each(|(code, group)| *code |= u64::from(group).wrapping_shl(bits));
        }
        let searches = self.columns.column(REQUESTS);
        if !searches.is_zero() {
            searches.decode(rows, numbers);
            let bits = room(codes, &mut used, 1);
            let places = codes.iter_mut().zip(&*numbers);
            places.for_each(|(code, searches)| *code |= u64::from(*searches != 0).wrapping_shl(bits));
        }
        all.find(codes, groups);
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
            all,
            column,
            high: tops,
            small,
            sums,
            ..
        } = memory;
        let all = &all.groups;
        sums.clear();
        if high.is_none() {
            small.clear();
            small.resize(all.len(), 0);
            // Numbers without a sign are even as they are stored.
            if let Some((least, bits)) = low.add_up(groups, small)
                && (least | bits) & 1 == 0
                && least >> 63 == 0
            {
                let each = all.iter().zip(small).enumerate();
                return each
                    .map(|(n, (group, sum))| {
                        let sum = u128::from(*sum) + u128::from(least) * u128::from(group.rows);
                        (n, (sum / 2).cast_signed())
                    })
                    .try_for_each(|(n, sum)| take(n, sum));
            }
        }
        sums.resize(all.len(), 0);
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
