//! Batches in which each call stands once.

use chrono::{DateTime, Utc};
use hashbrown::HashTable;

use super::{Besides, Dimension, EventId, Label, UsageEvent};

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
    besides: Besides,
    repeated: u64,
    /// The first and the last time of an observation.
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
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

    /// Adds an observation as one of a source, where it names none itself.
    pub fn push_from(&mut self, observation: &UsageEvent, source: Label) {
        self.widen(observation.at);
        let place = self.place(observation.id);
        self.put(place, observation, source);
    }

    /// Puts an observation at the place of its call, of which there may be none so far. Places are taken one behind the other.
    #[inline(always)]
    fn put(&mut self, place: u32, observation: &UsageEvent, source: Label) {
        if (place as usize) < self.events.len() {
            return self.merge(place, observation, source);
        }
        // A call is large: it is copied once, to where it stays.
        self.events.push(*observation);
        if let Some(event) = self.events.last_mut() {
            event.dimensions.set(Dimension::Source, source_of(observation, source));
        }
    }

    /// Where a call stands or will stand.
    #[inline(always)]
    fn place(&mut self, id: EventId) -> u32 {
        let (ids, digits) = (&mut self.ids, id.digits());
        if let Some(place) = self.places.find(digits, |place| ids.get(*place as usize) == Some(&id)) {
            return *place;
        }
        // A batch is cut long before its places need more than 32 bits.
        let place = ids.len() as u32;
        self.places.insert_unique(digits, place, |place| digits_of(ids, *place));
        ids.push(id);
        place
    }

    /// From when to when the calls were made, at least.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        self.span
    }

    #[inline(always)]
    fn widen(&mut self, at: DateTime<Utc>) {
        match &mut self.span {
            Some((first, last)) if at >= *first && at <= *last => {}
            Some((_, last)) if at > *last => *last = at,
            Some((first, _)) => *first = at,
            None => self.span = Some((at, at)),
        }
    }

    /// Makes one call of two observations.
    fn merge(&mut self, place: u32, observation: &UsageEvent, source: Label) {
        self.repeated += 1;
        if let Some(event) = self.events.get_mut(place as usize) {
            let source = source_of(observation, source);
            if !self.besides.has(event.id) && event.take_up(observation, source) {
                let at = event.at;
                return self.widen(at);
            }
            let mut observation = *observation;
            observation.dimensions.set(Dimension::Source, source);
            let better = self.besides.merge(event, &observation);
            if better != *event {
                *event = better;
                self.widen(better.at);
            }
        }
    }

    /// Adds observations as ones of a source, but for those that name one themselves.
    pub fn extend_from(&mut self, observations: &[UsageEvent], source: Label) {
        self.grow(observations.len());
        // A large batch lies far from the processor: all are looked for first, so that it waits for several at a time and not for each.
        let mut places = [0; TOGETHER];
        for some in observations.chunks(TOGETHER) {
            for (place, observation) in places.iter_mut().zip(some) {
                *place = self.place(observation.id);
            }
            let known = self.events.len();
            for (place, observation) in places.iter().zip(some) {
                if *place as usize >= known {
                    self.widen(observation.at);
                }
                self.put(*place, observation, source);
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

    /// What is kept beside them.
    pub(super) fn besides(&self) -> &Besides {
        &self.besides
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
        self.besides.clear();
        (self.repeated, self.span) = (0, None);
    }
}

/// The source that an observation names, else this one.
fn source_of(observation: &UsageEvent, source: Label) -> Label {
    match observation.dimensions.get(Dimension::Source) {
        Label::EMPTY => source,
        named => named,
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
    use proptest::prelude::*;

    use super::super::Bucket;
    use super::*;

    proptest! {
        /// However they are cut, and whether looked for together or one by one.
        #[test]
        fn what_is_added_together_is_what_is_added_one_by_one(
            calls in prop::collection::vec((0..40_u8, 0..9_i64, 0..5_u64, any::<bool>()), 0..200),
            cut in 1..100_usize,
        ) {
            let calls: Vec<UsageEvent> = calls
                .into_iter()
                .map(|(id, at, output, named)| {
                    let at = DateTime::from_timestamp_nanos(at);
                    let mut call = UsageEvent::new(EventId([id; 16]), at, "p".into(), "m".into());
                    call.tokens.set(Bucket::Output, output);
                    call.dimensions.set(Dimension::Source, if named { "own".into() } else { Label::EMPTY });
                    call
                })
                .collect();
            let (mut together, mut single) = (EventBatch::default(), EventBatch::default());
            let source = Label::new("source");
            for some in calls.chunks(cut) {
                together.extend_from(some, source);
            }
            for call in &calls {
                single.push_from(call, source);
            }
            prop_assert_eq!(together.events(), single.events());
            prop_assert_eq!(together.ids(), single.ids());
            prop_assert_eq!(together.repeated(), single.repeated());
            prop_assert!(together.ids().iter().eq(together.events().iter().map(|call| &call.id)));
        }
    }
}
