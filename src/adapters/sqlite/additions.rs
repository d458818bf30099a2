//! The new calls of a batch by the row of spend that they belong to.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::codec::{Broken, Charged};
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
    /// Of calls that are being added: the hour, the hash, and a group that may be theirs.
    next: Vec<(Hour, u64, Option<u32>)>,
}

/// Calls of one key.
struct Group {
    hour: Hour,
    mix: u64,
    /// The first of them.
    call: u32,
    charge: Charge,
    /// Place of the sums, where there are more.
    sums: Option<u32>,
}

impl Additions {
    /// Forgets everything; the memory is used again.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.known.clear();
        self.sums.clear();
    }

    /// Adds calls, which stand at these places of the batch.
    pub fn extend(&mut self, events: &[UsageEvent], places: &[u32], calls: &[Charged<'_>]) -> Result<(), CodecError> {
        self.next.clear();
        for (event, _) in calls {
            let hour = Hour::of(event.at);
            let mut hasher = FxHasher::default();
            hour.hash(&mut hasher);
            hash_metered(&event.dimensions, &mut hasher);
            self.next.push((hour, hasher.finish(), None));
        }
        // All are looked for before any is added: the processor waits for several at a time.
        for (_, mix, found) in &mut self.next {
            let same = |group: &u32| self.groups.get(*group as usize).is_some_and(|g| g.mix == *mix);
            *found = self.known.find(*mix, same).copied();
        }
        let mut next = std::mem::take(&mut self.next);
        let added = next
            .drain(..)
            .zip(places.iter().zip(calls))
            .try_for_each(|((hour, mix, found), (place, call))| self.add(events, (hour, mix), found, *place, call));
        self.next = next;
        added
    }

    /// Adds a call, perhaps to a group that was found for it.
    fn add(
        &mut self,
        events: &[UsageEvent],
        (hour, mix): (Hour, u64),
        found: Option<u32>,
        place: u32,
        (event, charge): &Charged<'_>,
    ) -> Result<(), CodecError> {
        let (groups, sums) = (&mut self.groups, &self.sums);
        let same = |group: &u32| {
            groups.get(*group as usize).is_some_and(|group| {
                // The first call of a group of several was read long ago.
                let first = match group.sums {
                    Some(place) => sums.get(place as usize).map(|(key, _)| &key.dimensions),
                    None => events.get(group.call as usize).map(|first| &first.dimensions),
                };
                group.mix == mix
                    && group.hour == hour
                    && first.is_some_and(|first| {
                        *first == event.dimensions || metered_dimensions(first) == metered_dimensions(&event.dimensions)
                    })
            })
        };
        let group = found.filter(same).or_else(|| self.known.find(mix, same).copied());
        let Some(group) = group else {
            let group = u32::try_from(groups.len()).map_err(|_| Broken)?;
            groups.push(Group {
                hour,
                mix,
                call: place,
                charge: *charge,
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
                let first = events.get(group.call as usize).ok_or(Broken)?;
                group.sums = Some(u32::try_from(self.sums.len()).map_err(|_| Broken)?);
                self.sums.push((metered_key(first), Sums::of(first, &group.charge)));
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
    pub fn row<'a>(&'a self, (_, place): (Hour, u32), events: &'a [UsageEvent]) -> Result<Row<'a>, Broken> {
        let group = self.groups.get(place as usize).ok_or(Broken)?;
        Ok(match group.sums {
            Some(place) => Row::Sums(self.sums.get(place as usize).ok_or(Broken)?),
            None => Row::Call(events.get(group.call as usize).ok_or(Broken)?, group.charge),
        })
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
