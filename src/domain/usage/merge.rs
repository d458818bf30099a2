//! How several observations of one call become one, and batches in which each call stands once.

use std::cmp::Ordering;

use hashbrown::HashTable;

use super::{Bucket, Dimension, EventId, Extras, Label, Rank, UsageEvent};

/// Dimensions that describe the usage and come with it from the winning observation; all others come from the observation
/// that the call is attributed to.
pub const USAGE_DIMENSIONS: [Dimension; 3] = [Dimension::Provider, Dimension::Model, Dimension::Tier];

impl UsageEvent {
    /// Makes one call of two observations of it.
    ///
    /// The usage is that of the observation with the greater [`Rank`], whole: never a sum, never a maximum per field, since
    /// a final record may correct a count *down*. Only of an answer in parts ([`Rank::PARTS`]) the searches and rare quantities are
    /// the most that any part tells. The attribution (time, session, team, …) is that of the earliest
    /// observation that is not a side-track copy. All choices are a maximum over a total order, so the result does not
    /// depend on the order or grouping in which observations arrive.
    ///
    /// ```text
    /// merge(a, b) == merge(b, a)    merge(a, merge(b, c)) == merge(merge(a, b), c)    merge(a, a) == a
    /// ```
    #[must_use]
    pub fn merge(self, other: UsageEvent) -> UsageEvent {
        let usage = if self.usage_order(&other) == Ordering::Less {
            &other
        } else {
            &self
        };
        let place = if self.place_order(&other) == Ordering::Greater {
            &other
        } else {
            &self
        };
        let (requests, extras) = match self.is_part_with(&other) {
            true => (
                self.requests.most(other.requests),
                Extras::most(self.extras, other.extras),
            ),
            false => (usage.requests, usage.extras),
        };
        let mut dimensions = place.dimensions;
        for dimension in USAGE_DIMENSIONS {
            dimensions.set(dimension, usage.dimensions.get(dimension));
        }
        UsageEvent {
            id: self.id,
            at: place.at,
            dimensions,
            session: place.session,
            sidechain: place.sidechain,
            tokens: usage.tokens,
            requests,
            speed: usage.speed,
            geo: usage.geo,
            extras,
            rank: usage.rank,
            reported_cost: usage.reported_cost,
        }
    }

    /// Whether both are of an answer in parts.
    fn is_part_with(&self, other: &UsageEvent) -> bool {
        self.rank.authority == Rank::PARTS && other.rank.authority == Rank::PARTS
    }

    fn usage_order(&self, other: &UsageEvent) -> Ordering {
        // What counts whichever part tells it does not decide between them.
        let told_apart = !self.is_part_with(other);
        let output = |e: &UsageEvent| e.tokens.get(Bucket::Output);
        self.rank
            .cmp(&other.rank)
            .then_with(|| output(self).cmp(&output(other)))
            .then_with(|| self.tokens.cmp(&other.tokens))
            .then_with(|| match told_apart {
                true => self.requests.cmp(&other.requests),
                false => Ordering::Equal,
            })
            .then_with(|| {
                let key = |e: &UsageEvent| {
                    (
                        USAGE_DIMENSIONS.map(|d| e.dimensions.get(d)),
                        e.speed,
                        e.geo,
                        if told_apart { e.extras } else { Label::EMPTY },
                        e.reported_cost,
                    )
                };
                key(self).cmp(&key(other))
            })
    }

    fn place_order(&self, other: &UsageEvent) -> Ordering {
        self.sidechain
            .cmp(&other.sidechain)
            .then_with(|| self.at.cmp(&other.at))
            .then_with(|| self.session.cmp(&other.session))
            .then_with(|| {
                // Of names that differ those of whoever tells more of them count.
                let others = |e: &UsageEvent| {
                    let mut place = e.dimensions;
                    USAGE_DIMENSIONS.into_iter().for_each(|d| place.set(d, Label::EMPTY));
                    (place.iter().filter(|(_, name)| name.is_empty()).count(), place)
                };
                others(self).cmp(&others(other))
            })
    }
}

/// Calls after which a batch gets room for all that it may hold.
const MANY: usize = 512;
/// Observations that are looked for before any of them is added.
const TOGETHER: usize = 64;

/// Observations with each call once: further ones of the same call are merged as they come.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    events: Vec<UsageEvent>,
    /// Of each event. They are compared far more often than the rest is read, and lie together here.
    ids: Vec<EventId>,
    places: HashTable<u32>,
    repeated: u64,
}

impl EventBatch {
    /// Calls that are recorded at once: 21 MB of memory, held twice (being filled, being recorded).
    pub const ENOUGH: usize = 81_920;
    /// Calls of a batch that nobody could record so far; a kill loses at most this much work.
    pub const FULL: usize = Self::ENOUGH / 5 * 6;

    /// Adds an observation.
    pub fn push(&mut self, observation: &UsageEvent) {
        self.push_from(observation, observation.dimensions.get(Dimension::Source));
    }

    /// Adds an observation as one of a source.
    pub fn push_from(&mut self, observation: &UsageEvent, source: Label) {
        if let Some(place) = self.place(observation.id) {
            self.merge(place, observation, source);
            return;
        }
        let (ids, digits) = (&mut self.ids, observation.id.digits());
        // A batch is cut long before its places need more than 32 bits.
        let place = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        self.places.insert_unique(digits, place, |place| digits_of(ids, *place));
        ids.push(observation.id);
        // A call is large: it is copied once, to where it stays.
        self.events.push(*observation);
        if let Some(event) = self.events.last_mut() {
            event.dimensions.set(Dimension::Source, source);
        }
    }

    /// Where a call of the batch stands.
    #[inline(always)]
    fn place(&self, id: EventId) -> Option<u32> {
        let same = |place: &u32| self.ids.get(*place as usize) == Some(&id);
        self.places.find(id.digits(), same).copied()
    }

    /// Makes one call of two observations.
    fn merge(&mut self, place: u32, observation: &UsageEvent, source: Label) {
        self.repeated += 1;
        if let Some(event) = self.events.get_mut(place as usize) {
            let mut observation = *observation;
            observation.dimensions.set(Dimension::Source, source);
            let better = event.merge(observation);
            if better != *event {
                *event = better;
            }
        }
    }

    /// Adds observations as ones of a source.
    pub fn extend_from(&mut self, observations: &[UsageEvent], source: Label) {
        self.grow(observations.len());
        // A large batch lies far from the processor: all are looked for first, so that it waits for several at a time and not for each.
        let mut met = [None; TOGETHER];
        for some in observations.chunks(TOGETHER) {
            for (met, observation) in met.iter_mut().zip(some) {
                *met = self.place(observation.id);
            }
            for (met, observation) in met.iter().zip(some) {
                match met {
                    Some(place) => self.merge(*place, observation, source),
                    // One of these may have come before it just now.
                    None => self.push_from(observation, source),
                }
            }
        }
    }

    /// Makes room for so many more calls: in a batch of many for all that it may hold, since growing it step by step would copy it
    /// several times.
    fn grow(&mut self, more: usize) {
        if self.events.len() >= MANY && self.events.capacity() < Self::FULL {
            self.reserve(Self::FULL + MANY.max(more));
        }
    }

    /// Whether it is worth it to record it.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.events.len() >= Self::ENOUGH
    }

    /// Whether it has to be recorded.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events.len() >= Self::FULL
    }

    fn reserve(&mut self, calls: usize) {
        self.events.reserve_exact(calls.saturating_sub(self.events.len()));
        self.ids.reserve_exact(calls.saturating_sub(self.ids.len()));
        let more = calls.saturating_sub(self.places.len());
        self.places.reserve(more, |place| digits_of(&self.ids, *place));
    }

    /// The calls in the order of their first observation.
    #[must_use]
    pub fn events(&self) -> &[UsageEvent] {
        &self.events
    }

    /// Their identities.
    #[must_use]
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }

    /// How many calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Observations that repeated a call of the batch.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Empties it; the memory is kept for the next batch.
    pub fn clear(&mut self) {
        self.events.clear();
        self.ids.clear();
        self.places.clear();
        self.repeated = 0;
    }
}

fn digits_of(ids: &[EventId], place: u32) -> u64 {
    ids.get(place as usize).map_or(0, |id| id.digits())
}

impl<'a> Extend<&'a UsageEvent> for EventBatch {
    fn extend<I: IntoIterator<Item = &'a UsageEvent>>(&mut self, observations: I) {
        observations.into_iter().for_each(|o| self.push(o));
    }
}

impl FromIterator<UsageEvent> for EventBatch {
    fn from_iter<I: IntoIterator<Item = UsageEvent>>(observations: I) -> Self {
        let mut batch = EventBatch::default();
        observations.into_iter().for_each(|o| batch.push(&o));
        batch
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::super::Tokens;
    use super::*;

    fn arbitrary() -> impl Strategy<Value = UsageEvent> {
        (
            0..3_i64,
            0..3_i64,
            any::<bool>(),
            any::<bool>(),
            0..3_u64,
            0..3_u64,
            0..3_usize,
            0..3_usize,
            0..2_u64,
            (0..4_u32, 0..4_usize, any::<bool>()),
        )
            .prop_map(
                |(at, rank_at, sidechain, complete, line, output, session, team, input, (searches, units, parts))| {
                    let time = |s| DateTime::from_timestamp(1_790_000_000 + s, 0).unwrap();
                    let models = ["m-a", "m-b", "m-c"];
                    let mut e = UsageEvent::new(EventId([1; 16]), time(at), "p".into(), models[session].into());
                    e.sidechain = sidechain;
                    e.session = ["s-a", "s-b", "s-c"][session].into();
                    e.dimensions.set(Dimension::Team, ["t-a", "", "t-c"][team].into());
                    e.dimensions.set(Dimension::Agent, ["", "a-b", ""][session].into());
                    e.tokens = Tokens::default()
                        .with(Bucket::Output, output)
                        .with(Bucket::InputUncached, input);
                    e.requests.web_searches = searches % 3;
                    e.requests.web_fetches = searches / 3;
                    e.extras = ["", "map_query=1", "page=2 map_query=1", "search_context=low"][units].into();
                    e.rank = Rank {
                        authority: if parts { Rank::PARTS } else { 0 },
                        complete,
                        at: time(rank_at),
                        line,
                    };
                    e
                },
            )
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_order_grouping_or_repetition(a in arbitrary(), b in arbitrary(), c in arbitrary()) {
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(b.merge(c)), a.merge(b).merge(c));
            prop_assert_eq!(a.merge(a), a);
            prop_assert_eq!(a.merge(b).merge(b), a.merge(b));
        }
    }

    #[test]
    fn a_final_record_beats_a_larger_partial_and_may_correct_downwards() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut partial = UsageEvent::new(EventId([2; 16]), at, "anthropic".into(), "m".into());
        partial.rank.complete = false;
        partial.tokens = Tokens::default().with(Bucket::Output, 900).with(Bucket::CacheRead, 50);
        let mut last = partial;
        last.rank.complete = true;
        last.tokens = Tokens::default().with(Bucket::Output, 210);
        assert_eq!(partial.merge(last).tokens, last.tokens);
    }

    #[test]
    fn of_an_answer_in_parts_the_most_searches_count_and_of_others_the_last_record() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut begun = UsageEvent::new(EventId([2; 16]), at, "google".into(), "m".into());
        begun.rank.complete = false;
        begun.requests.web_searches = 2;
        begun.extras = "map_query=1".into();
        let mut ended = begun;
        ended.rank.complete = true;
        ended.requests.web_searches = 1;
        ended.extras = "page=3".into();
        ended.tokens = Tokens::default().with(Bucket::Output, 210);
        assert_eq!(begun.merge(ended), ended);
        (begun.rank.authority, ended.rank.authority) = (Rank::PARTS, Rank::PARTS);
        let call = begun.merge(ended);
        assert_eq!((call.tokens, call.requests.web_searches), (ended.tokens, 2));
        assert_eq!(call.extras.as_str(), "page=3 map_query=1");
    }

    #[test]
    fn a_name_that_one_observation_tells_is_not_lost_to_one_that_does_not() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let unnamed = UsageEvent::new(EventId([2; 16]), at, "anthropic".into(), "m".into());
        let mut named = unnamed;
        named.dimensions.set(Dimension::Team, "search".into());
        assert_eq!(unnamed.merge(named), named);
        let mut earlier = unnamed;
        earlier.at -= chrono::TimeDelta::seconds(1);
        assert_eq!(
            named.merge(earlier).dimensions,
            earlier.dimensions,
            "whose call it is, is told by the first"
        );
    }

    #[test]
    fn a_batch_holds_each_call_once_and_counts_the_rest() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let event = |n: u8| UsageEvent::new(EventId([n; 16]), at, "p".into(), "m".into());
        let mut batch: EventBatch = [event(1), event(2), event(1)].into_iter().collect();
        batch.extend([&event(2), &event(3)]);
        let ids: Vec<EventId> = batch.events().iter().map(|e| e.id).collect();
        assert_eq!(ids, [EventId([1; 16]), EventId([2; 16]), EventId([3; 16])]);
        assert_eq!(batch.repeated(), 2);
        batch.clear();
        batch.push(&event(1));
        assert_eq!((batch.len(), batch.repeated()), (1, 0));
    }
}
