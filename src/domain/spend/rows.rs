//! Rows of spend side by side, in a tenth of the memory that a key and its sums take: bills have millions of them.

use std::fmt;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use rust_decimal::Decimal;
use rustc_hash::FxBuildHasher;

use super::{Basis, SpendKey, Sums, TokenSums};
use crate::domain::dimension::Dimensions;
use crate::domain::money::Currency;
use crate::domain::period::Hour;
use crate::domain::usage::Bucket;

/// Rows in order of their hours; those of one hour in the order in which they were given.
///
/// Most rows have nothing but a cost of few digits and a count, and share their dimensions with others: that is what a row holds, and the rest
/// of the few that have more lies apart. What comes out is what was put in.
#[derive(Clone, Default)]
pub struct SpendRows {
    rows: Vec<Row>,
    groups: Vec<Group>,
    /// The groups by what is in them.
    numbers: HashTable<usize>,
    further: Vec<Further>,
}

/// What rows of other hours and bases have in common.
type Group = (Currency, Dimensions);

#[derive(Clone, Copy)]
struct Row {
    hour: Hour,
    group: usize,
    /// Of the cost.
    digits: i64,
    /// Where the first of its further measures lies.
    further: usize,
    events: u32,
    scale: u8,
    basis: Basis,
    /// How many further measures it has: fewer than there are kinds of them.
    more: u8,
}

/// A measure that few rows have.
#[derive(Clone, Copy)]
enum Further {
    Tokens(Bucket, i128),
    Reasoning(i128),
    Requests(u8, i64),
    /// More events than a row counts.
    Events(i64),
    UnpricedEvents(i64),
    UnpricedTokens(i128),
    /// A cost of more digits than a row holds.
    Cost(Decimal),
    ReportedCost(Decimal),
    WorstCase(Decimal),
}

impl Further {
    fn set(self, sums: &mut Sums) {
        match self {
            Further::Tokens(bucket, sum) => sums.tokens.set(bucket, sum),
            Further::Reasoning(sum) => sums.tokens.reasoning = sum,
            Further::Requests(kind, sum) => {
                if let Some(slot) = sums.requests.get_mut(usize::from(kind)) {
                    *slot = sum;
                }
            }
            Further::Events(sum) => sums.events = sum,
            Further::UnpricedEvents(sum) => sums.unpriced_events = sum,
            Further::UnpricedTokens(sum) => sums.unpriced_tokens = sum,
            Further::Cost(sum) => sums.cost = sum,
            Further::ReportedCost(sum) => sums.reported_cost = sum,
            Further::WorstCase(sum) => sums.unpriced_worst_case = sum,
        }
    }
}

impl SpendRows {
    /// None yet, with room for so many.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        SpendRows {
            rows: Vec::with_capacity(rows),
            ..SpendRows::default()
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (SpendKey, Sums)> + Clone + '_ {
        self.part(&self.rows).iter()
    }

    /// Those of each hour, the earliest first.
    pub fn hours(&self) -> impl Iterator<Item = HourRows<'_>> {
        self.rows.chunk_by(|a, b| a.hour == b.hour).map(|rows| self.part(rows))
    }

    fn part<'a>(&'a self, rows: &'a [Row]) -> HourRows<'a> {
        HourRows { all: self, rows }
    }

    /// Adds one, which is quick in order of hours.
    pub fn push(&mut self, key: &SpendKey, sums: &Sums) {
        let row = self.pack(key, sums);
        if self.is_last(row.hour) {
            self.rows.push(row);
        } else {
            let at = self.rows.partition_point(|other| other.hour <= row.hour);
            self.rows.insert(at, row);
        }
    }

    fn is_last(&self, hour: Hour) -> bool {
        self.rows.last().is_none_or(|last| last.hour <= hour)
    }

    fn pack(&mut self, key: &SpendKey, sums: &Sums) -> Row {
        // Taken apart completely: a new measure does not compile until it is kept.
        let Sums {
            events,
            tokens,
            requests,
            cost,
            reported_cost,
            unpriced_events,
            unpriced_tokens,
            unpriced_worst_case,
        } = *sums;
        let further = self.further.len();
        let mut more = |measure: Further| self.further.push(measure);
        if tokens != TokenSums::default() {
            for (bucket, sum) in Bucket::ALL.into_iter().zip(tokens.buckets) {
                if sum != 0 {
                    more(Further::Tokens(bucket, sum));
                }
            }
            if tokens.reasoning != 0 {
                more(Further::Reasoning(tokens.reasoning));
            }
        }
        for (kind, sum) in (0..).zip(requests) {
            if sum != 0 {
                more(Further::Requests(kind, sum));
            }
        }
        if unpriced_events != 0 {
            more(Further::UnpricedEvents(unpriced_events));
        }
        if unpriced_tokens != 0 {
            more(Further::UnpricedTokens(unpriced_tokens));
        }
        // A zero may have a scale of its own.
        if !is_nothing(reported_cost) {
            more(Further::ReportedCost(reported_cost));
        }
        if !is_nothing(unpriced_worst_case) {
            more(Further::WorstCase(unpriced_worst_case));
        }
        let digits = i64::try_from(cost.mantissa()).unwrap_or_else(|_| {
            more(Further::Cost(cost));
            0
        });
        let events = u32::try_from(events).unwrap_or_else(|_| {
            more(Further::Events(events));
            0
        });
        Row {
            hour: key.hour,
            group: self.group((key.currency, key.dimensions)),
            digits,
            further,
            events,
            scale: cost.scale() as u8,
            basis: key.basis,
            more: (self.further.len() - further) as u8,
        }
    }

    fn group(&mut self, group: Group) -> usize {
        let SpendRows { groups, numbers, .. } = self;
        let hash = |group: &Group| FxBuildHasher.hash_one(group);
        let same = |number: &usize| groups.get(*number) == Some(&group);
        if let Some(number) = numbers.find(hash(&group), same) {
            return *number;
        }
        let number = groups.len();
        groups.push(group);
        numbers.insert_unique(hash(&group), number, |number| groups.get(*number).map_or(0, hash));
        number
    }
}

fn is_nothing(cost: Decimal) -> bool {
    cost.is_zero() && cost.scale() == 0
}

/// Rows of one hour.
#[derive(Clone, Copy)]
pub struct HourRows<'a> {
    all: &'a SpendRows,
    rows: &'a [Row],
}

impl<'a> HourRows<'a> {
    /// Which.
    #[must_use]
    pub fn hour(&self) -> Option<Hour> {
        self.rows.first().map(|row| row.hour)
    }

    /// All of them, as they are kept.
    pub fn packed(self) -> impl Iterator<Item = SpendRow<'a>> + Clone {
        self.rows.iter().filter_map(move |row| {
            Some(SpendRow {
                row,
                group: self.all.groups.get(row.group)?,
                further: match row.more {
                    0 => &[],
                    more => self.all.further.get(row.further..row.further + usize::from(more))?,
                },
            })
        })
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = (SpendKey, Sums)> + Clone + 'a {
        self.packed().map(|row| (row.key(), row.sums()))
    }
}

/// One row as it is kept.
#[derive(Clone, Copy)]
pub struct SpendRow<'a> {
    row: &'a Row,
    group: &'a Group,
    further: &'a [Further],
}

impl<'a> SpendRow<'a> {
    /// What it is summed by.
    #[must_use]
    pub fn key(&self) -> SpendKey {
        let (currency, dimensions) = *self.group;
        SpendKey {
            hour: self.row.hour,
            basis: self.row.basis,
            currency,
            dimensions,
        }
    }

    /// Where the figure comes from.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.row.basis
    }

    /// Currency of the cost.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.group.0
    }

    /// Values of all dimensions.
    #[must_use]
    pub fn dimensions(&self) -> &'a Dimensions {
        &self.group.1
    }

    /// All its measures.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            events: i64::from(self.row.events),
            cost: Decimal::new(self.row.digits, u32::from(self.row.scale)),
            ..Sums::default()
        };
        self.further.iter().for_each(|measure| measure.set(&mut sums));
        sums
    }

    /// Its events, and digits and scale of its cost: all of its measures unless it [has further ones](Self::has_more).
    #[must_use]
    pub fn few(&self) -> (u32, i64, u8) {
        (self.row.events, self.row.digits, self.row.scale)
    }

    /// Whether it has further measures, or one that takes more room than usual.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.further.is_empty()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.row.events == 0 && self.sums().is_empty()
    }
}

impl Extend<(SpendKey, Sums)> for SpendRows {
    fn extend<I: IntoIterator<Item = (SpendKey, Sums)>>(&mut self, rows: I) {
        let mut in_order = true;
        for (key, sums) in rows {
            in_order &= self.is_last(key.hour);
            let row = self.pack(&key, &sums);
            self.rows.push(row);
        }
        if !in_order {
            self.rows.sort_by_key(|row| row.hour);
        }
    }
}

impl FromIterator<(SpendKey, Sums)> for SpendRows {
    fn from_iter<I: IntoIterator<Item = (SpendKey, Sums)>>(rows: I) -> Self {
        let rows = rows.into_iter();
        let mut packed = SpendRows::with_capacity(rows.size_hint().0);
        packed.extend(rows);
        packed
    }
}

impl PartialEq for SpendRows {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for SpendRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
