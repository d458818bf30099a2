//! The sums of one place and hour, and what is added to them: a row, or many at once.

use rust_decimal::Decimal;

use super::super::amount::{Amount, Cost, Total};
use super::super::line::Fault;
use super::super::time::{FAR_AWAY, is_far};
use super::{Bills, Place};
use crate::domain::money::MoneyError;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, Sums, TokenSums};
use crate::domain::usage::Bucket;

/// The sums of one place and hour, in as few bytes as may be: there are as many as a ledger will have rows.
pub(super) struct Slot {
    pub hour: Hour,
    /// Billed and effective, each with its scale.
    digits: [i64; 2],
    /// Where its first sum of tokens lies, counted from 1; 0 for none.
    tokens: usize,
    pub place: Place,
    pub rows: u32,
    scales: [u8; 2],
}

/// In place of a scale: the digits are the number of a sum that has more of them.
const LONG: u8 = u8::MAX;

/// A sum of tokens of one slot.
struct TokenSum {
    sum: i128,
    /// Where the next of this slot lies, as in the slot.
    next: usize,
    bucket: Bucket,
}

/// All of them.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Sums of costs that have, or once had, more digits than a slot holds.
    long: Vec<Decimal>,
    tokens: Vec<TokenSum>,
}

impl Slot {
    /// Adds costs of few digits, to both sums even where one is not asked for, if they are of the scale of those before and come to few
    /// digits too.
    #[inline]
    fn add_short(&mut self, billed: Amount, effective: Amount, rows: u32) -> Option<()> {
        let scales = [billed.scale() as u8, effective.scale() as u8];
        if self.scales != scales && self.rows > 0 {
            return None;
        }
        let [a, b] = self.digits;
        let sums = [a.checked_add(billed.digits())?, b.checked_add(effective.digits())?];
        self.rows = self.rows.checked_add(rows)?;
        (self.digits, self.scales) = (sums, scales);
        Some(())
    }
}

/// Where rows of one place are summed, by hour.
#[derive(Default)]
pub(super) struct HoursOfPlace {
    /// Of the row before: rows of a bill tend to follow in time.
    last: Option<(Hour, u32)>,
    /// In order of their hours, which is the order in which they came.
    slots: Vec<u32>,
}

impl Slots {
    pub fn get(&self, number: u32) -> Option<&Slot> {
        self.slots.get(number as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The cost of one.
    pub fn cost(&self, slot: &Slot, basis: Basis) -> Decimal {
        let [billed, effective] = slot.digits;
        let [up, down] = slot.scales;
        let cost = match basis {
            Basis::Billed => self.total(billed, up),
            Basis::Effective | Basis::Metered | Basis::BilledFilled => self.total(effective, down),
        };
        cost.into()
    }

    /// What the ledger keeps of one.
    pub fn sums(&self, slot: &Slot, basis: Basis) -> Sums {
        let mut sums = Sums {
            events: i64::from(slot.rows),
            cost: self.cost(slot, basis),
            ..Sums::default()
        };
        let mut next = slot.tokens;
        while let Some(tokens) = next.checked_sub(1).and_then(|at| self.tokens.get(at)) {
            sums.tokens.set(tokens.bucket, tokens.sum);
            next = tokens.next;
        }
        sums
    }

    /// Billed and effective.
    fn totals(&self, slot: &Slot) -> [Total; 2] {
        let [a, b] = slot.digits;
        let [up, down] = slot.scales;
        [self.total(a, up), self.total(b, down)]
    }

    #[inline]
    fn total(&self, digits: i64, scale: u8) -> Total {
        if scale == LONG {
            let sum = usize::try_from(digits).ok().and_then(|at| self.long.get(at));
            return Total::Exact(sum.copied().unwrap_or_default());
        }
        Total::short(digits, scale)
    }

    /// Adds tokens of a slot to those that it has.
    pub fn count(&mut self, number: u32, tokens: &TokenSums) {
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return;
        };
        for bucket in Bucket::ALL {
            let more = tokens.get(bucket);
            if more == 0 {
                continue;
            }
            let mut next = slot.tokens;
            loop {
                match next.checked_sub(1).and_then(|at| self.tokens.get_mut(at)) {
                    Some(known) if known.bucket == bucket => {
                        known.sum += more;
                        break;
                    }
                    Some(other) => next = other.next,
                    None => {
                        self.tokens.push(TokenSum {
                            sum: more,
                            next: slot.tokens,
                            bucket,
                        });
                        slot.tokens = self.tokens.len();
                        break;
                    }
                }
            }
        }
    }
}

/// Keeps a sum in place of another.
#[inline]
fn keep(total: Total, digits: &mut i64, scale: &mut u8, long: &mut Vec<Decimal>) {
    // A place for long sums stays one: sums that grow and shrink by turns take no more room.
    if *scale == LONG {
        let known = usize::try_from(*digits).ok().and_then(|at| long.get_mut(at));
        if let Some(known) = known {
            *known = total.into();
        }
        return;
    }
    match total {
        Total::Short(amount) => (*digits, *scale) = (amount.digits(), amount.scale() as u8),
        Total::Exact(sum) => {
            (*digits, *scale) = (long.len() as i64, LONG);
            long.push(sum);
        }
    }
}

impl Bills {
    /// Where rows of a place and hour are summed.
    #[inline]
    pub fn slot(&mut self, place: Place, hour: Hour) -> Result<u32, Fault> {
        let hour = self.hour(hour);
        let Some(of_place) = self.hours.get_mut(place.0 as usize) else {
            return Err(Fault::whole("of no known bill"));
        };
        match of_place.last {
            Some((last, slot)) if last == hour => Ok(slot),
            Some(_) | None => self.slot_of(place, hour),
        }
    }

    fn slot_of(&mut self, place: Place, hour: Hour) -> Result<u32, Fault> {
        let Bills {
            hours,
            late,
            slots,
            common,
            periods,
            ..
        } = self;
        let Some(of_place) = hours.get_mut(place.0 as usize) else {
            return Err(Fault::whole("of no known bill"));
        };
        let next = u32::try_from(slots.slots.len());
        let next = next.map_err(|_| Fault::whole("more sums than can be told apart"))?;
        let hour_of = |slot: &u32| slots.get(*slot).map(|slot| slot.hour);
        let newest = of_place.slots.last().and_then(hour_of);
        let known = if newest < Some(hour) {
            None
        } else {
            let at = of_place.slots.binary_search_by_key(&Some(hour), hour_of);
            let in_order = at.ok().and_then(|at| of_place.slots.get(at));
            in_order.or_else(|| late.get(&(place, hour))).copied()
        };
        let slot = known.unwrap_or(next);
        if known.is_none() {
            let bill = common.get(place.0 as usize).map(|common| common.bill as usize);
            let period = bill.and_then(|bill| periods.get(bill));
            if period.is_some_and(|period| is_far(period.start, hour)) {
                return Err(Fault::whole(FAR_AWAY));
            }
            slots.slots.push(Slot {
                hour,
                digits: [0; 2],
                tokens: 0,
                place,
                rows: 0,
                scales: [0; 2],
            });
            if newest < Some(hour) {
                of_place.slots.push(next);
            } else {
                late.insert((place, hour), next);
            }
        }
        of_place.last = Some((hour, slot));
        Ok(slot)
    }

    /// Adds costs of so many rows.
    #[inline]
    pub(super) fn add(&mut self, slot: u32, billed: Cost, effective: Cost, rows: u32) -> Result<(), Fault> {
        if let (Cost::Short(billed), Cost::Short(effective)) = (billed, effective)
            && let Some(slot) = self.slots.slots.get_mut(slot as usize)
            && slot.add_short(billed, effective, rows).is_some()
        {
            return Ok(());
        }
        self.add_any(slot, billed, effective, rows)
    }

    /// The same for costs of any length.
    #[inline(never)]
    fn add_any(&mut self, slot: u32, billed: Cost, effective: Cost, rows: u32) -> Result<(), Fault> {
        let only = self.basis();
        let unknown = || Fault::whole("of no known bill");
        let known = self.slots.get(slot).ok_or_else(unknown)?;
        let wrong = |column: &'static str| move |e: MoneyError| Fault::field(column, e.to_string());
        // Both or none, so that a row that does not fit leaves no half of itself behind.
        let [was_billed, was_effective] = self.slots.totals(known);
        let is_billed = match only {
            Some(Basis::Effective) => was_billed,
            Some(_) | None => was_billed.plus(billed).map_err(wrong("BilledCost"))?,
        };
        let is_effective = match only {
            Some(Basis::Effective) | None => was_effective.plus(effective).map_err(wrong("EffectiveCost"))?,
            Some(_) => was_effective,
        };
        let Slots { slots, long, .. } = &mut self.slots;
        let slot = slots.get_mut(slot as usize).ok_or_else(unknown)?;
        slot.rows = slot
            .rows
            .checked_add(rows)
            .ok_or_else(|| Fault::whole("more rows of one hour than can be counted"))?;
        let [a, b] = &mut slot.digits;
        let [up, down] = &mut slot.scales;
        keep(is_billed, a, up, long);
        keep(is_effective, b, down, long);
        Ok(())
    }

    /// Whether so many more rows can be added at once to a slot, whatever the short amounts of this scale that they have.
    #[cfg(feature = "parquet")]
    pub fn has_room(&self, slot: u32, rows: u32, scale: u32) -> bool {
        let slot = self.slots.get(slot);
        slot.is_some_and(|slot| {
            let [billed, effective] = self.slots.totals(slot);
            let sum = match self.basis() {
                Some(Basis::Effective) => effective,
                Some(_) | None => billed,
            };
            sum.has_room(scale) && slot.rows.checked_add(rows).is_some()
        })
    }

    /// Adds so many rows for which there is room, whose costs of the only basis come to this.
    #[cfg(feature = "parquet")]
    pub fn add_rows(&mut self, slot: u32, sum: Amount, rows: u32) -> Result<(), Fault> {
        self.add(slot, Cost::Short(sum), Cost::Short(sum), rows)
    }

    /// Adds the tokens of a row that is added.
    #[cfg(feature = "parquet")]
    pub fn add_tokens(&mut self, slot: u32, tokens: &TokenSums) {
        self.slots.count(slot, tokens);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Delivery;
    use super::*;
    use crate::domain::dimension::{Dimension, Dimensions};
    use crate::domain::money::{Currency, add_exact};
    use crate::domain::period::Period;
    use crate::domain::spend::SpendKey;

    fn cost() -> impl Strategy<Value = Decimal> {
        let digits = prop_oneof![4 => (-900_i64..900).prop_map(i128::from), 1 => any::<i64>().prop_map(i128::from),
            1 => any::<i64>().prop_map(|n| i128::from(n) << 10)];
        (digits, 0_u32..4).prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale))
    }

    proptest! {
        #[test]
        fn rows_in_any_order_come_to_the_sums_of_their_keys(
            rows in prop::collection::vec((0..3_u8, 0..6_i64, cost(), cost(), 0..3_usize, 0..2_i128), 0..60),
            parts in prop::collection::vec(0..4_u8, 60),
        ) {
            let mut bills = Bills::default();
            let mut expected: BTreeMap<SpendKey, Sums> = BTreeMap::new();
            let start = Hour(480_000).start();
            for ((model, hour, billed, effective, bucket, count), part) in rows.into_iter().zip(parts) {
                // In folders of which none lies beside another, so that all are parts.
                let delivery = Delivery { folder: format!("{part}/bill").into(), ..Delivery::default() };
                bills.begin(Some(&delivery).filter(|_| part > 0));
                let dimensions = Dimensions::default().with(Dimension::Model, &format!("m{model}"));
                let hour = Hour(480_000 + hour);
                let place = bills.place("a", Period::new(start, start), Currency::USD, dimensions).unwrap();
                let mut tokens = TokenSums::default();
                tokens.set(Bucket::ALL[bucket], count);
                let short = |cost: Decimal| {
                    let digits = i64::try_from(cost.mantissa()).ok();
                    let amount = digits.and_then(|digits| Amount::new(digits, cost.scale()));
                    amount.map_or(Cost::Exact(cost), Cost::Short)
                };
                bills.put(place, hour, short(billed), short(effective), Some(&tokens)).unwrap();
                for (basis, cost) in [(Basis::Billed, billed), (Basis::Effective, effective)] {
                    let key = SpendKey { hour, basis, currency: Currency::USD, dimensions };
                    let sums = expected.entry(key).or_default();
                    sums.add(&Sums { events: 1, tokens, ..Sums::default() }).unwrap();
                    sums.cost = add_exact(sums.cost, cost).unwrap();
                }
            }
            let (told, faults) = bills.finish("test".into());
            prop_assert!(faults.faults.is_empty());
            let told: Vec<(SpendKey, Sums)> = told.flat_map(|bill| bill.rows.iter().collect::<Vec<_>>()).collect();
            prop_assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
