//! The new calls of a batch by the row of spend that they belong to.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::codec::Broken;
use super::names::CodecError;
use super::spend::money;
use crate::domain::charge::Charge;
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, Sums, metered_dimensions, metered_key};
use crate::domain::usage::UsageEvent;

/// The new calls of a batch, summed by key. Where nearly every call has a key of its own, no sums are made of them.
#[derive(Default)]
pub struct Additions {
    groups: Vec<Group>,
    /// Groups by hour and dimensions.
    known: HashTable<u32>,
    /// Of groups of several calls.
    sums: Vec<Sums>,
    /// Groups by hour, in the order of the first call within it.
    order: Vec<(Hour, u32)>,
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

    /// Adds the call at `call` of the batch.
    pub fn push(
        &mut self,
        events: &[UsageEvent],
        call: u32,
        event: &UsageEvent,
        charge: Charge,
    ) -> Result<(), CodecError> {
        let hour = Hour::of(event.at);
        let dimensions = metered_dimensions(event);
        let mut hasher = FxHasher::default();
        (hour, dimensions).hash(&mut hasher);
        let mix = hasher.finish();
        let groups = &mut self.groups;
        let same = |group: &u32| {
            groups.get(*group as usize).is_some_and(|group| {
                let first = events.get(group.call as usize);
                group.mix == mix
                    && group.hour == hour
                    && first.is_some_and(|first| {
                        first.dimensions == event.dimensions || metered_dimensions(first) == dimensions
                    })
            })
        };
        let Some(group) = self.known.find(mix, same) else {
            let place = u32::try_from(groups.len()).map_err(|_| Broken)?;
            groups.push(Group {
                hour,
                mix,
                call,
                charge,
                sums: None,
            });
            self.known
                .insert_unique(mix, place, |group| groups.get(*group as usize).map_or(0, |g| g.mix));
            return Ok(());
        };
        let group = groups.get_mut(*group as usize).ok_or(Broken)?;
        let sums = match group.sums {
            Some(place) => self.sums.get_mut(place as usize),
            None => {
                let first = events.get(group.call as usize).ok_or(Broken)?;
                group.sums = Some(u32::try_from(self.sums.len()).map_err(|_| Broken)?);
                self.sums.push(Sums::of(first, &group.charge));
                self.sums.last_mut()
            }
        };
        sums.ok_or(Broken)?.add_event(event, &charge).map_err(money)
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
        let event = events.get(group.call as usize).ok_or(Broken)?;
        Ok(match group.sums {
            Some(place) => Row::Sums(metered_key(event), self.sums.get(place as usize).ok_or(Broken)?),
            None => Row::Call(event, group.charge),
        })
    }
}

/// A row of spend.
pub enum Row<'a> {
    /// Of one call alone.
    Call(&'a UsageEvent, Charge),
    Sums(SpendKey, &'a Sums),
}

impl Row<'_> {
    /// With its key, as sums.
    pub fn summed(self) -> (SpendKey, Sums) {
        match self {
            Row::Call(event, charge) => (metered_key(event), Sums::of(event, &charge)),
            Row::Sums(key, sums) => (key, *sums),
        }
    }
}
