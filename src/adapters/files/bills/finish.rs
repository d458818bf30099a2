//! The bills once all rows are known: which deliveries count, and whether their sums can be kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rust_decimal::Decimal;

use super::deliveries::choose;
use super::slots::Slots;
use super::{BillKey, Bills, Common, Rows, bill, identity, of_bucket};
use crate::adapters::files::line::Fault;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, Total, mul_exact};
use crate::domain::period::Period;
use crate::domain::spend::{Basis, Bill, Former, SpendKey, SpendRows, Sums};

/// What is told beside the bills.
#[derive(Default)]
pub(in crate::adapters::files) struct Told {
    /// What could not be added up.
    pub faults: Vec<Fault>,
    /// What was decided on deliveries that lie beside each other.
    pub warnings: Vec<String>,
}

impl Bills {
    /// The bills, complete, in order of account and period, each built when it is asked for; and what is told beside them.
    pub fn finish(self, source: Label) -> (impl Iterator<Item = Bill>, Told) {
        let bases = match self.basis() {
            None => vec![Basis::Billed, Basis::Effective],
            Some(one) => vec![one],
        };
        let mut told = Told::default();
        let buckets: Vec<Bill> = self
            .buckets
            .into_values()
            .map(|(_, bucket)| {
                of_bucket(&bucket, source).unwrap_or_else(|fault| {
                    told.faults.push(fault);
                    bill(identity(&bucket, source), bucket.period, Rows::new())
                })
            })
            .collect();
        let (common, slots) = (self.common, self.slots);
        let by_bill = sorted(&common, &slots, self.periods.len());
        let mut by_key: BTreeMap<BillKey, Vec<(u32, u32)>> = BTreeMap::new();
        for ((key, delivery), number) in self.numbers {
            by_key.entry(key).or_default().push((delivery, number));
        }
        let list = |number: u32| by_bill.get(number as usize).map(Vec::as_slice).unwrap_or_default();
        let mut drafts: Vec<(BillKey, Vec<u32>)> = Vec::with_capacity(by_key.len());
        for (key, all) in by_key {
            let beside = all.iter().filter_map(|(delivery, number)| {
                let at = (*delivery as usize).checked_sub(1)?;
                Some((self.deliveries.get(at)?, *number))
            });
            let beside: Vec<_> = beside.collect();
            let mut numbers: Vec<u32> = all.iter().map(|(_, number)| *number).collect();
            if beside.len() > 1 {
                let of: Vec<_> = beside
                    .iter()
                    .map(|(delivery, number)| (*delivery, list(*number)))
                    .collect();
                let basis = bases.first().copied().unwrap_or(Basis::Billed);
                let verdict = choose(&of, (&common, &slots), basis, &key.words());
                let gone = verdict.gone.iter().filter_map(|at| beside.get(*at));
                let gone: BTreeSet<u32> = gone.map(|(_, number)| *number).collect();
                numbers.retain(|number| !gone.contains(number));
                told.warnings.extend(verdict.told);
            }
            match fits(numbers.iter().flat_map(|number| list(*number)), &common, &slots, &bases) {
                Ok(()) => drafts.push((key, numbers)),
                Err(e) => told
                    .faults
                    .push(Fault::whole(format!("{} is left out: {e}", key.words()))),
            }
        }
        let mut by_bill = by_bill;
        let periods = self.periods;
        let drafts = drafts.into_iter().filter_map(move |(key, numbers)| {
            let period = |number: &u32| periods.get(*number as usize).copied();
            let mut all = numbers.iter().filter_map(period);
            let first = all.next()?;
            let period = all.fold(first, |a, b| Period::new(a.start.min(b.start), a.end.max(b.end)));
            let lists: Vec<Vec<u32>> = numbers
                .iter()
                .filter_map(|number| by_bill.get_mut(*number as usize).map(std::mem::take))
                .collect();
            let rows = match lists.as_slice() {
                [one] => rows(&common, &slots, one, &bases),
                many => {
                    let parts: Vec<_> = many.iter().map(|list| rows(&common, &slots, list, &bases)).collect();
                    together(&parts)
                }
            };
            let formerly = Former {
                identity: key.before(source),
                provider: key.provider,
            };
            Some(Bill {
                identity: key.identity(source),
                period,
                rows,
                settled_before: None,
                formerly: Some(formerly),
            })
        });
        (drafts.chain(buckets), told)
    }
}

/// Whether what a bill comes to can be told and added to others: a ledger that it is in must stay one that can be read.
fn fits<'a>(
    of: impl Iterator<Item = &'a u32> + Clone,
    common: &[Common],
    slots: &Slots,
    bases: &[Basis],
) -> Result<(), MoneyError> {
    // Zeros at the end, which are there or not by how a file is written, decide nothing.
    let [as_is, plain]: [fn(Decimal) -> Decimal; 2] = [|cost| cost, |cost| cost.normalize()];
    comes_to(of.clone(), common, slots, bases, as_is).or_else(|_| comes_to(of, common, slots, bases, plain))
}

fn comes_to<'a>(
    of: impl Iterator<Item = &'a u32>,
    common: &[Common],
    slots: &Slots,
    bases: &[Basis],
    digits: fn(Decimal) -> Decimal,
) -> Result<(), MoneyError> {
    // A bill has one currency, as a rule: looked up where it was found last.
    let mut totals: Vec<(Option<Currency>, Vec<Total>)> = Vec::new();
    for slot in of.filter_map(|number| slots.get(*number)) {
        let currency = common.get(slot.place.0 as usize).map(|common| common.currency);
        let at = totals
            .iter()
            .position(|(known, _)| *known == currency)
            .unwrap_or_else(|| {
                totals.push((currency, bases.iter().map(|_| Total::default()).collect()));
                totals.len() - 1
            });
        let Some((_, of_currency)) = totals.get_mut(at) else {
            continue;
        };
        for (basis, total) in bases.iter().zip(of_currency) {
            total.add(digits(slots.cost(slot, *basis)))?;
        }
    }
    totals.iter().flat_map(|(_, totals)| totals).try_for_each(|total| {
        let sum = total.sum()?;
        mul_exact(sum.normalize(), Decimal::TEN).map(drop)
    })
}

/// Rows of several parts of a bill, each key once: of each part they stand in order already.
fn together(parts: &[SpendRows]) -> SpendRows {
    let mut all = SpendRows::with_capacity(parts.iter().map(SpendRows::len).sum());
    let mut rows: Vec<_> = parts.iter().map(SpendRows::iter).collect();
    let mut heads = vec![Sums::default(); rows.len()];
    let mut next: BinaryHeap<Reverse<(SpendKey, usize)>> = BinaryHeap::with_capacity(rows.len());
    let mut last: Option<(SpendKey, Sums)> = None;
    let mut waiting: Vec<usize> = (0..rows.len()).collect();
    loop {
        for part in waiting.drain(..) {
            if let (Some(rows), Some(head)) = (rows.get_mut(part), heads.get_mut(part))
                && let Some((key, sums)) = rows.next()
            {
                *head = sums;
                next.push(Reverse((key, part)));
            }
        }
        let Some(Reverse((key, part))) = next.pop() else { break };
        let sums = heads.get(part).copied().unwrap_or_default();
        waiting.push(part);
        match &mut last {
            // What comes to more digits than a sum has was left out before.
            Some((known, sum)) if *known == key => {
                sum.add(&sums).ok();
            }
            _ => {
                if let Some((known, sum)) = last.replace((key, sums)) {
                    all.push(&known, &sum);
                }
            }
        }
    }
    if let Some((known, sum)) = last {
        all.push(&known, &sum);
    }
    all
}

/// The slots of each bill, in order of hour, currency and dimensions.
fn sorted(common: &[Common], slots: &Slots, bills: usize) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0_u32..).take(common.len()).collect();
    // Names are compared once per place here, not once per row.
    order.sort_by_key(|place| common.get(*place as usize).copied());
    let mut ranks = vec![0_u32; order.len()];
    for (rank, place) in (0_u32..).zip(order) {
        if let Some(slot) = ranks.get_mut(place as usize) {
            *slot = rank;
        }
    }
    let mut by_bill: Vec<Vec<(i64, u32, u32)>> = vec![Vec::new(); bills];
    // A place whose first row did not fit has none.
    for (number, slot) in (0_u32..).zip(slots.iter()).filter(|(_, slot)| slot.rows > 0) {
        let place = slot.place.0 as usize;
        let (Some(common), Some(rank)) = (common.get(place), ranks.get(place)) else {
            continue;
        };
        if let Some(list) = by_bill.get_mut(common.bill as usize) {
            list.push((slot.hour.0, *rank, number));
        }
    }
    let lists = by_bill.into_iter().map(|mut list| {
        list.sort_unstable();
        list.into_iter().map(|(_, _, number)| number).collect()
    });
    lists.collect()
}

/// The rows of slots that stand in order: of each hour those of one basis before those of the other.
fn rows(common: &[Common], slots: &Slots, of: &[u32], bases: &[Basis]) -> SpendRows {
    let hour = |number: &u32| slots.get(*number).map(|slot| slot.hour);
    let mut rows = SpendRows::with_capacity(of.len() * bases.len());
    for same in of.chunk_by(|a, b| hour(a) == hour(b)) {
        for basis in bases.iter().copied() {
            for number in same {
                let Some(slot) = slots.get(*number) else { continue };
                let Some(common) = common.get(slot.place.0 as usize) else {
                    continue;
                };
                let key = SpendKey {
                    hour: slot.hour,
                    basis,
                    currency: common.currency,
                    dimensions: common.dimensions,
                };
                rows.push(&key, &slots.sums(slot, basis));
            }
        }
    }
    rows
}
