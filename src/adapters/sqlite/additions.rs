//! The new calls of a batch by the row of spend that they belong to.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::codec::{Broken, Charged, PlainRow};
use super::names::CodecError;
use super::spend::money;
use super::tally::{Tally, are_small};
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimensions;
use crate::domain::period::{Hour, Seconds};
use crate::domain::spend::{SpendKey, Sums, hash_metered, metered_dimensions, metered_key};
use crate::domain::usage::UsageEvent;

/// The new calls of a batch, summed by key. Where nearly every call has a key of its own, no sums are made of them.
#[derive(Default)]
pub struct Additions {
    groups: Vec<Group>,
    /// Groups by hour and dimensions.
    known: HashTable<u32>,
    /// Of groups of several usual calls.
    tallies: Vec<Tally>,
    /// Of groups of several calls of which one is not usual, with their keys.
    sums: Vec<(SpendKey, Sums)>,
    /// Groups by hour, in the order of the first call within it.
    order: Vec<(Hour, u32)>,
    /// Calls that are being added.
    next: Vec<Next>,
    /// The groups that they have begun.
    fresh: Fresh,
    seconds: Seconds,
}

/// Calls of one key. Small, since there may be one for each call: what the first of them costs stays where it is.
struct Group {
    hour: Hour,
    mix: u64,
    /// The first of them.
    first: u32,
    several: Several,
}

/// What several calls of a group add up to.
#[derive(Clone, Copy)]
enum Several {
    /// There is one alone.
    None,
    /// Place of their tally.
    Usual(u32),
    /// Place of their sums.
    Any(u32),
}

/// What groups may have been added since those of some calls were looked for together: most often none is the call's own, and what was not
/// found then needs not be looked for again.
#[derive(Default)]
struct Fresh([u64; 16]);

impl Fresh {
    fn word(&mut self, mix: u64) -> (Option<&mut u64>, u64) {
        let bit = mix % (64 * 16);
        (self.0.get_mut((bit / 64) as usize), 1 << (bit % 64))
    }

    fn insert(&mut self, mix: u64) {
        if let (Some(word), bit) = self.word(mix) {
            *word |= bit;
        }
    }

    fn may_hold(&mut self, mix: u64) -> bool {
        let (word, bit) = self.word(mix);
        word.is_none_or(|word| *word & bit != 0)
    }
}

/// A call that is being added.
struct Next {
    call: u32,
    hour: Hour,
    mix: u64,
    /// A group that may be its own.
    found: Option<u32>,
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
        self.tallies.clear();
        self.sums.clear();
    }

    /// Adds these calls, which are those from the `from`th on of all that are added.
    pub fn extend(&mut self, calls: &[Charged<'_>], added: Added<'_>, from: usize) -> Result<(), CodecError> {
        let from = u32::try_from(from).map_err(|_| Broken)?;
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        next.extend((from..).zip(calls).map(|(call, (event, _))| {
            let hour = self.seconds.hour(event.at);
            let mut hasher = FxHasher::default();
            hour.hash(&mut hasher);
            hash_metered(&event.dimensions, &mut hasher);
            let mix = hasher.finish();
            let found = None;
            Next { call, hour, mix, found }
        }));
        // All are looked for before any is added: the processor waits for several at a time.
        for Next { mix, found, .. } in &mut next {
            let same = |group: &u32| self.groups.get(*group as usize).is_some_and(|g| g.mix == *mix);
            *found = self.known.find(*mix, same).copied();
        }
        let are_small = are_small(calls);
        self.fresh = Fresh::default();
        for next in &next {
            let call = calls.get((next.call - from) as usize).ok_or(Broken)?;
            // There is nothing to be summed of what was taken back, and a row of nothing would stay.
            if !call.0.is_taken_back() {
                self.add(added, next, call, are_small)?;
            }
        }
        self.next = next;
        Ok(())
    }

    /// Adds a call, perhaps to a group that was found for it.
    fn add(
        &mut self,
        added: Added<'_>,
        next: &Next,
        (event, charge): &Charged<'_>,
        is_small: bool,
    ) -> Result<(), CodecError> {
        let (groups, tallies, sums) = (&mut self.groups, &self.tallies, &self.sums);
        let are = |known: &Dimensions| {
            known.are(&event.dimensions) || metered_dimensions(known) == metered_dimensions(&event.dimensions)
        };
        let same = |group: &u32| {
            groups.get(*group as usize).is_some_and(|group| {
                group.mix == next.mix
                    && group.hour == next.hour
                    && match group.several {
                        Several::None => added.event(group.first).is_some_and(|first| are(&first.dimensions)),
                        Several::Usual(place) => tallies.get(place as usize).is_some_and(|t| are(&t.dimensions)),
                        Several::Any(place) => sums.get(place as usize).is_some_and(|(key, _)| are(&key.dimensions)),
                    }
            })
        };
        let group = match next.found {
            Some(found) if same(&found) => Some(found),
            None if !self.fresh.may_hold(next.mix) => None,
            _ => self.known.find(next.mix, same).copied(),
        };
        let Some(group) = group else {
            let group = u32::try_from(groups.len()).map_err(|_| Broken)?;
            groups.push(Group {
                hour: next.hour,
                mix: next.mix,
                first: next.call,
                several: Several::None,
            });
            self.fresh.insert(next.mix);
            self.known.insert_unique(next.mix, group, |group| {
                groups.get(*group as usize).map_or(0, |g| g.mix)
            });
            return Ok(());
        };
        let group = groups.get_mut(group as usize).ok_or(Broken)?;
        if let Several::None = group.several {
            let (first, charge) = added.call(group.first)?;
            group.several = match Tally::of(first, charge) {
                Some(tally) => {
                    self.tallies.push(tally);
                    Several::Usual(u32::try_from(self.tallies.len() - 1).map_err(|_| Broken)?)
                }
                None => {
                    self.sums.push((metered_key(first), Sums::of(first, charge)));
                    Several::Any(u32::try_from(self.sums.len() - 1).map_err(|_| Broken)?)
                }
            };
        }
        if let Several::Usual(place) = group.several {
            let tally = self.tallies.get_mut(place as usize).ok_or(Broken)?;
            if is_small && tally.add(event, charge) {
                return Ok(());
            }
            let (first, _) = added.call(group.first)?;
            self.sums.push((metered_key(first), tally.plain().sums()));
            group.several = Several::Any(u32::try_from(self.sums.len() - 1).map_err(|_| Broken)?);
        }
        let Several::Any(place) = group.several else {
            return Err(Broken.into());
        };
        let (_, sums) = self.sums.get_mut(place as usize).ok_or(Broken)?;
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
        match group.several {
            Several::Any(place) => self.sums.get(place as usize).map(Row::Sums).ok_or(Broken),
            Several::Usual(place) => {
                let tally = self.tallies.get(place as usize).ok_or(Broken)?;
                Ok(Row::Plain(tally.plain()))
            }
            Several::None => {
                let (event, charge) = added.call(group.first)?;
                Ok(PlainRow::of(event, charge).map_or(Row::Call(event, *charge), Row::Plain))
            }
        }
    }
}

/// A row of spend.
pub enum Row<'a> {
    /// Of usual calls.
    Plain(PlainRow<'a>),
    /// Of one call alone.
    Call(&'a UsageEvent, Charge),
    Sums(&'a (SpendKey, Sums)),
}

impl Row<'_> {
    /// With its key, as sums.
    pub fn summed(self, hour: Hour) -> (SpendKey, Sums) {
        match self {
            Row::Plain(plain) => (plain.key(hour), plain.sums()),
            Row::Call(event, charge) => (metered_key(event), Sums::of(event, &charge)),
            Row::Sums(row) => *row,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::charge::UnpricedReason;
    use crate::domain::dimension::Dimension;
    use crate::domain::usage::{Bucket, EventId, Rank};

    fn charged() -> impl Strategy<Value = (UsageEvent, Charge)> {
        let count =
            prop_oneof![3 => Just(0), 5 => 0..100_000_u64, 1 => Just(1 << 30), 1 => 0..10_000_000_000_000_000_u64];
        let counts = prop::collection::vec(count, 3);
        let cost = (
            prop_oneof![8 => 0..1_000_000_i64, 1 => Just(i64::MAX), 1 => Just(-5)],
            prop_oneof![8 => Just(9), 1 => Just(7_u32)],
        );
        let rare = (
            prop::option::weighted(0.05, 1..4_u32),
            prop::bool::weighted(0.05),
            prop::bool::weighted(0.05),
            prop::bool::weighted(0.05),
        );
        (0..3_i64, 0..3_usize, 0..3_usize, counts, cost, rare).prop_map(
            |(hour, model, category, counts, (cost, scale), rare)| {
                let at = DateTime::from_timestamp(1_790_000_000 + hour * 3600, 5).unwrap();
                let mut event = UsageEvent::new(EventId([1; 16]), at, "p".into(), ["a", "b", ""][model].into());
                event
                    .dimensions
                    .set(Dimension::Category, ["", "Usage", "Tax"][category].into());
                let buckets = [Bucket::InputUncached, Bucket::Output, Bucket::VideoIn];
                buckets
                    .into_iter()
                    .zip(counts)
                    .for_each(|(bucket, count)| event.tokens.set(bucket, count));
                event.tokens.reasoning = event.tokens.get(Bucket::Output) / 3;
                let (searches, is_unpriced, is_reported, is_taken_back) = rare;
                event.requests.web_searches = searches.unwrap_or(0);
                event.reported_cost = is_reported.then(|| Decimal::new(cost / 3, scale));
                if is_taken_back {
                    event.tokens = Default::default();
                    event.rank.line = Rank::TAKEN_BACK;
                }
                let cost = Decimal::new(cost, scale);
                let charge = match is_unpriced {
                    true => Charge::unpriced(UnpricedReason::NoRate, cost),
                    false => Charge::priced(cost, "entry".into()),
                };
                (event, charge)
            },
        )
    }

    proptest! {
        #[test]
        fn calls_are_summed_as_one_by_one(calls in prop::collection::vec(charged(), 0..150), together in 1..70_usize) {
            let mut expected: BTreeMap<SpendKey, Sums> = BTreeMap::new();
            for (event, charge) in calls.iter().filter(|(event, _)| !event.is_taken_back()) {
                expected.entry(metered_key(event)).or_default().add(&Sums::of(event, charge)).unwrap();
            }
            let (events, charges): (Vec<_>, Vec<_>) = calls.iter().copied().unzip();
            let places: Vec<u32> = (0..events.len() as u32).collect();
            let mut additions = Additions::default();
            for _ in 0..2 {
                additions.clear();
                for (from, some) in (0..).step_by(together).zip(calls.chunks(together)) {
                    let to = from + some.len();
                    let added = Added { events: &events, places: &places[..to], charges: &charges[..to] };
                    let some: Vec<Charged<'_>> = some.iter().map(|(event, charge)| (event, *charge)).collect();
                    prop_assert!(additions.extend(&some, added, from).is_ok());
                }
            }
            additions.sort();
            let added = Added { events: &events, places: &places, charges: &charges };
            let mut found = BTreeMap::new();
            for (hour, groups) in additions.hours() {
                for group in groups {
                    let Ok(row) = additions.row(*group, added) else { panic!("a row is there") };
                    let (key, sums) = row.summed(hour);
                    prop_assert_eq!(key.hour, hour);
                    prop_assert!(found.insert(key, sums).is_none());
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
