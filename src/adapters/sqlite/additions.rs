//! The new calls of a batch by the row of spend that they belong to.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::codec::Broken;
use super::names::CodecError;
use super::spend::money;
use crate::domain::charge::Charge;
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, Sums, hash_metered, metered_dimensions, metered_key};
use crate::domain::usage::UsageEvent;

/// The new calls of a batch, summed by key. Where nearly every call has a key of its own, no sums are made of them.
#[derive(Default)]
pub struct Additions {
    groups: Vec<Group>,
    /// Groups by hour and dimensions.
    known: HashTable<u32>,
    /// Of groups of several calls, with their keys.
    sums: Vec<(SpendKey, Sums)>,
    /// Groups by hour, in the order of the first call within it.
    order: Vec<(Hour, u32)>,
    /// Of calls that are being added: which, the hour, the hash, and a group that may be theirs.
    next: Vec<(u32, Hour, u64, Option<u32>)>,
}

/// Calls of one key. Small, since there may be one for each call: what the first of them costs stays where it is.
struct Group {
    hour: Hour,
    mix: u64,
    /// The first of them.
    first: u32,
    /// Place of the sums, where there are more.
    sums: Option<u32>,
}

/// The calls that are added, each with its charge, in the order of adding.
#[derive(Clone, Copy)]
pub struct Added<'a> {
    /// All calls of the batch.
    pub events: &'a [UsageEvent],
    /// Where in the batch those stand that are added.
    pub places: &'a [u32],
    /// What they cost.
    pub charges: &'a [Charge],
}

impl<'a> Added<'a> {
    /// What changes calls that are known only.
    pub const NOTHING: Added<'static> = Added {
        events: &[],
        places: &[],
        charges: &[],
    };

    fn event(&self, n: u32) -> Option<&'a UsageEvent> {
        self.events.get(*self.places.get(n as usize)? as usize)
    }

    fn call(&self, n: u32) -> Result<(&'a UsageEvent, &'a Charge), Broken> {
        self.event(n).zip(self.charges.get(n as usize)).ok_or(Broken)
    }
}

impl Additions {
    /// Forgets everything; the memory is used again.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.known.clear();
        self.sums.clear();
    }

    /// Adds the calls from the `from`th on.
    pub fn extend(&mut self, added: Added<'_>, from: usize) -> Result<(), CodecError> {
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        for n in from..added.places.len() {
            let n = u32::try_from(n).map_err(|_| Broken)?;
            let event = added.event(n).ok_or(Broken)?;
            // There is nothing to be summed, and a row of nothing would stay.
            if event.is_taken_back() {
                continue;
            }
            let hour = Hour::of(event.at);
            let mut hasher = FxHasher::default();
            hour.hash(&mut hasher);
            hash_metered(&event.dimensions, &mut hasher);
            next.push((n, hour, hasher.finish(), None));
        }
        // All are looked for before any is added: the processor waits for several at a time.
        for (_, _, mix, found) in &mut next {
            let same = |group: &u32| self.groups.get(*group as usize).is_some_and(|g| g.mix == *mix);
            *found = self.known.find(*mix, same).copied();
        }
        for (n, hour, mix, found) in &next {
            self.add(added, *n, (*hour, *mix), *found)?;
        }
        self.next = next;
        Ok(())
    }

    /// Adds a call, perhaps to a group that was found for it.
    fn add(
        &mut self,
        added: Added<'_>,
        n: u32,
        (hour, mix): (Hour, u64),
        found: Option<u32>,
    ) -> Result<(), CodecError> {
        let (event, charge) = added.call(n)?;
        let (groups, sums) = (&mut self.groups, &self.sums);
        let dimensions = || metered_dimensions(&event.dimensions);
        let same = |group: &u32| {
            groups.get(*group as usize).is_some_and(|group| {
                group.mix == mix
                    && group.hour == hour
                    && match group.sums {
                        // The first call of a group of several was read long ago.
                        Some(place) => sums
                            .get(place as usize)
                            .is_some_and(|(key, _)| key.dimensions == dimensions()),
                        None => added.event(group.first).is_some_and(|first| {
                            first.dimensions == event.dimensions
                                || metered_dimensions(&first.dimensions) == dimensions()
                        }),
                    }
            })
        };
        let group = found.filter(same).or_else(|| self.known.find(mix, same).copied());
        let Some(group) = group else {
            let group = u32::try_from(groups.len()).map_err(|_| Broken)?;
            groups.push(Group {
                hour,
                mix,
                first: n,
                sums: None,
            });
            self.known
                .insert_unique(mix, group, |group| groups.get(*group as usize).map_or(0, |g| g.mix));
            return Ok(());
        };
        let group = groups.get_mut(group as usize).ok_or(Broken)?;
        let sums = match group.sums {
            Some(place) => self.sums.get_mut(place as usize),
            None => {
                let (first, charge) = added.call(group.first)?;
                group.sums = Some(u32::try_from(self.sums.len()).map_err(|_| Broken)?);
                self.sums.push((metered_key(first), Sums::of(first, charge)));
                self.sums.last_mut()
            }
        };
        let (_, sums) = sums.ok_or(Broken)?;
        sums.add_event(event, charge).map_err(money)
    }

    /// Puts the groups into the order of their hours; within one they stay in the order of recording, in which their calls lie.
    pub fn sort(&mut self) {
        self.order.clear();
        self.order
            .extend(self.groups.iter().zip(0..).map(|(group, place)| (group.hour, place)));
        // Stable: quick on what is sorted in long runs already.
        self.order.sort();
    }

    /// The groups by hour, once they are sorted.
    pub fn hours(&self) -> impl Iterator<Item = (Hour, &[(Hour, u32)])> {
        let hours = self.order.chunk_by(|(a, _), (b, _)| a == b);
        hours.filter_map(|groups| Some((groups.first()?.0, groups)))
    }

    /// What a group adds up to.
    pub fn row<'a>(&'a self, (_, place): (Hour, u32), added: Added<'a>) -> Result<Row<'a>, Broken> {
        let group = self.groups.get(place as usize).ok_or(Broken)?;
        match group.sums {
            Some(place) => self.sums.get(place as usize).map(Row::Sums).ok_or(Broken),
            None => added.call(group.first).map(|(event, charge)| Row::Call(event, *charge)),
        }
    }
}

/// A row of spend.
pub enum Row<'a> {
    /// Of one call alone.
    Call(&'a UsageEvent, Charge),
    Sums(&'a (SpendKey, Sums)),
}

impl Row<'_> {
    /// With its key, as sums.
    pub fn summed(self) -> (SpendKey, Sums) {
        match self {
            Row::Call(event, charge) => (metered_key(event), Sums::of(event, &charge)),
            Row::Sums(row) => *row,
        }
    }
}
