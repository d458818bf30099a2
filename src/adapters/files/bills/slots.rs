//! The sums of one place and hour, and what is added to them: a row, or many at once.

#[cfg(feature = "parquet")]
use super::super::amount::Amount;
use super::super::amount::{Cost, Total};
use super::super::line::Fault;
use super::{Bills, Place, Slot};
use crate::domain::money::MoneyError;
use crate::domain::period::Hour;
use crate::domain::spend::{Basis, TokenSums};
use crate::domain::usage::Bucket;

impl Bills {
    /// Where rows of a place and hour are summed.
    #[inline]
    pub fn slot(&mut self, place: Place, hour: Hour) -> Result<u32, Fault> {
        let hour = self.hour(hour);
        let Some((last, slot)) = self.last.get_mut(place.0 as usize) else {
            return Err(Fault::whole("of no known bill"));
        };
        if *last != hour {
            let next = u32::try_from(self.slots.len());
            let next = next.map_err(|_| Fault::whole("more sums than can be told apart"))?;
            *slot = *self.by_hour.entry((place, hour)).or_insert_with(|| {
                self.slots.push(Slot {
                    hour,
                    place,
                    rows: 0,
                    billed: Total::ZERO,
                    effective: Total::ZERO,
                });
                next
            });
            *last = hour;
        }
        Ok(*slot)
    }

    /// Adds costs of so many rows.
    #[inline]
    pub(super) fn add(&mut self, slot: u32, billed: Cost, effective: Cost, rows: u32) -> Result<(), Fault> {
        let only = self.basis();
        let Some(slot) = self.slots.get_mut(slot as usize) else {
            return Err(Fault::whole("of no known bill"));
        };
        let wrong = |e: MoneyError| Fault::field("BilledCost", e.to_string());
        // Both or none, so that a row that does not fit leaves no half of itself behind.
        let sums = match only {
            None => (
                slot.billed.plus(billed).map_err(wrong)?,
                slot.effective.plus(effective).map_err(wrong)?,
            ),
            Some(Basis::Effective) => (slot.billed, slot.effective.plus(effective).map_err(wrong)?),
            Some(_) => (slot.billed.plus(billed).map_err(wrong)?, slot.effective),
        };
        slot.rows = slot
            .rows
            .checked_add(rows)
            .ok_or_else(|| Fault::whole("more rows of one hour than can be counted"))?;
        (slot.billed, slot.effective) = sums;
        Ok(())
    }

    pub(super) fn count(&mut self, slot: u32, tokens: &TokenSums) {
        let sums = self.tokens.entry(slot).or_default();
        for bucket in Bucket::ALL {
            sums.set(bucket, sums.get(bucket) + tokens.get(bucket));
        }
    }

    /// Whether so many more rows can be added at once to a slot, whatever the short amounts of this scale that they have.
    #[cfg(feature = "parquet")]
    pub fn has_room(&self, slot: u32, rows: u32, scale: u32) -> bool {
        let slot = self.slots.get(slot as usize);
        slot.is_some_and(|slot| {
            let sum = match self.basis() {
                Some(Basis::Effective) => slot.effective,
                Some(_) | None => slot.billed,
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
        if *tokens != TokenSums::default() {
            self.count(slot, tokens);
        }
    }
}
