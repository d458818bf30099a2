//! How several observations of one call become one, and batches in which each call stands once.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use hashbrown::HashTable;

use super::{Bucket, Dimension, EventId, Extras, Label, Rank, Requests, Tokens, UsageEvent};

#[cfg(test)]
mod tests;

/// Dimensions that describe the usage and come with it from the winning observation; all others come from the observation
/// that the call is attributed to.
pub const USAGE_DIMENSIONS: [Dimension; 3] = [Dimension::Provider, Dimension::Model, Dimension::Tier];

impl UsageEvent {
    /// Makes one call of two observations of it.
    ///
    /// The usage is that of the observation with the greater [`Rank`]. Its counts are taken whole: never a sum, never a maximum per
    /// field, since a final record may correct a count *down*. Where both count as much input and output and the other alone tells what of it
    /// was cached, that one's are. Only of an answer in parts ([`Rank::PARTS`]) the searches and rare
    /// quantities are the most that any part tells. Of tier, speed, geography and reported cost it keeps what it tells, and takes over
    /// from the other what it does not tell, unless it says that nothing was used.
    ///
    /// The attribution (time, session, team, …) is that of the earliest observation that is no side-track copy. Names that it does not tell are
    /// those of the other, but neither agent nor session of a side-track copy: a gateway knows the team, a session the project.
    ///
    /// Both choices are a maximum over a total order, so what is chosen does not depend on the order or grouping in which
    /// observations arrive:
    ///
    /// ```text
    /// merge(a, b) == merge(b, a)    merge(a, merge(b, c)) == merge(merge(a, b), c)    merge(a, a) == a
    /// ```
    ///
    /// The grouping of three may matter to little: to what is taken over, where two lesser observations tell it differently (then that
    /// which was met first) or one says that nothing was used; to names of observations of one moment; and to the searches of parts, where
    /// another witness comes between them.
    #[must_use]
    pub fn merge(self, other: UsageEvent) -> UsageEvent {
        let order = self.usage_order(&other);
        let (usage, lesser) = match order {
            Ordering::Less => (&other, &self),
            Ordering::Equal | Ordering::Greater => (&self, &other),
        };
        let (place, beside) = if self.place_order(&other) == Ordering::Greater {
            (&other, &self)
        } else {
            (&self, &other)
        };
        // Whoever replays a call on a side track is another agent, in another session.
        let is_copy = place.sidechain != beside.sidechain;
        let name = |own: Label, other: Label, of_track: bool| match own.is_empty() && !(is_copy && of_track) {
            true => other,
            false => own,
        };
        let (requests, extras) = match self.is_part_with(&other) {
            true => (
                self.requests.most(other.requests),
                Extras::most(self.extras, other.extras),
            ),
            false => (usage.requests, usage.extras),
        };
        let used = usage.tokens.total() > 0 || requests != Requests::default() || !extras.is_empty();
        let holes = Holes {
            equal: order == Ordering::Equal,
            fill: used,
        };
        let mut dimensions = place.dimensions;
        // Copies of one record have the same names.
        if place.dimensions != beside.dimensions {
            for dimension in Dimension::ALL {
                let [own, other] = [place, beside].map(|e| e.dimensions.get(dimension));
                dimensions.set(dimension, name(own, other, dimension == Dimension::Agent));
            }
            for dimension in USAGE_DIMENSIONS {
                dimensions.set(dimension, usage.dimensions.get(dimension));
            }
        }
        dimensions.set(Dimension::Tier, holes.fill(usage.tier(), lesser.tier()));
        UsageEvent {
            id: self.id,
            at: place.at,
            dimensions,
            session: name(place.session, beside.session, true),
            sidechain: place.sidechain,
            tokens: usage.finer(lesser),
            requests,
            speed: holes.fill(usage.speed, lesser.speed),
            geo: holes.fill(usage.geo, lesser.geo),
            extras,
            rank: usage.rank,
            reported_cost: holes.fill(usage.reported_cost, lesser.reported_cost),
        }
    }

    /// Whether nothing is left of it, since all that was told as this call is told as another: it counts as no call.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        let rank = &self.rank;
        (rank.line == Rank::TAKEN_BACK || matches!(rank.authority, Rank::SPAN_RAISED | Rank::SPAN_NOTHING))
            && self.tells_no_use()
    }

    /// Its tokens, or those of another that counts as many and alone tells of caches. What a provider sums up anew may be without.
    fn finer(&self, other: &UsageEvent) -> Tokens {
        if self.tokens == other.tokens {
            return self.tokens;
        }
        let cached = |e: &UsageEvent| e.tokens.prompt() - e.tokens.get(Bucket::InputUncached);
        let same = self.tokens.prompt() == other.tokens.prompt()
            && self.tokens.get(Bucket::Output) == other.tokens.get(Bucket::Output);
        let of_calls = self.rank.authority < Rank::REPORT && other.rank.authority < Rank::REPORT;
        match same && of_calls && cached(self) == 0 && cached(other) > 0 {
            true => Tokens {
                reasoning: self.tokens.reasoning.max(other.tokens.reasoning),
                ..other.tokens
            },
            false => self.tokens,
        }
    }

    /// Whether both are of an answer in parts.
    fn is_part_with(&self, other: &UsageEvent) -> bool {
        self.rank.authority == Rank::PARTS && other.rank.authority == Rank::PARTS
    }

    /// Which usage counts. What may be taken over does not decide: it may come from either.
    fn usage_order(&self, other: &UsageEvent) -> Ordering {
        // OpenAI's client says `openai` of whomever it asks: who tells another seller knows more.
        let key = |e: &UsageEvent| {
            let (provider, model) = (e.provider(), e.model());
            (!matches!(provider.as_str(), "" | "openai"), provider, model)
        };
        self.rank
            .standing()
            .cmp(&other.rank.standing())
            .then_with(|| self.tokens.get(Bucket::Output).cmp(&other.tokens.get(Bucket::Output)))
            .then_with(|| self.tokens.cmp(&other.tokens))
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| self.rank.authority.cmp(&other.rank.authority))
            // What counts whichever part tells it does not decide between them.
            .then_with(|| match self.is_part_with(other) {
                true => Ordering::Equal,
                false => (self.requests, self.extras).cmp(&(other.requests, other.extras)),
            })
    }

    /// Which attribution counts: the lesser one.
    fn place_order(&self, other: &UsageEvent) -> Ordering {
        let untold = |e: &UsageEvent| {
            let of_place = e.dimensions.iter().filter(|(d, _)| !USAGE_DIMENSIONS.contains(d));
            let empty = of_place.filter(|(_, name)| name.is_empty()).count();
            empty + usize::from(e.session.is_empty())
        };
        let names = |e: &UsageEvent| {
            let mut place = e.dimensions;
            USAGE_DIMENSIONS.into_iter().for_each(|d| place.set(d, Label::EMPTY));
            place
        };
        let sessions = match self.session.is_empty() || other.session.is_empty() {
            true => Ordering::Equal,
            false => self.session.cmp(&other.session),
        };
        self.sidechain
            .cmp(&other.sidechain)
            .then_with(|| self.at.cmp(&other.at))
            .then(sessions)
            .then_with(
                || match (self.dimensions, self.session) == (other.dimensions, other.session) {
                    true => Ordering::Equal,
                    // Who took names over comes before those who told them.
                    false => (untold(self).cmp(&untold(other)))
                        .then_with(|| self.session.cmp(&other.session))
                        .then_with(|| names(self).cmp(&names(other))),
                },
            )
    }
}

/// How what the usage that counts does not tell is taken over from the other observation.
#[derive(Clone, Copy)]
struct Holes {
    /// Neither counts before the other.
    equal: bool,
    /// Whether anything is taken over.
    fill: bool,
}

impl Holes {
    fn fill<T: Ord + Default>(self, told: T, other: T) -> T {
        if self.equal {
            told.max(other)
        } else if self.fill && told == T::default() {
            other
        } else {
            told
        }
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
            event.dimensions.set(Dimension::Source, source_of(observation, source));
        }
    }

    /// Where a call of the batch stands.
    #[inline(always)]
    fn place(&self, id: EventId) -> Option<u32> {
        let same = |place: &u32| self.ids.get(*place as usize) == Some(&id);
        self.places.find(id.digits(), same).copied()
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
            let mut observation = *observation;
            let source = source_of(&observation, source);
            observation.dimensions.set(Dimension::Source, source);
            let better = event.merge(observation);
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
