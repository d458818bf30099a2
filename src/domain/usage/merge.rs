//! How several observations of one call become one.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::EventBatch;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Extras, Rank, Requests, Tokens, UsageEvent};

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
    /// The attribution (time, session, team, …) is that of the earliest observation that is no side-track copy; of those of one moment that of the
    /// first session, and where that is the same or none, each name is the first in the alphabet. Names that it does not tell are
    /// those of the other, but neither agent nor session of a side-track copy: a gateway knows the team, a session the project.
    ///
    /// Both choices are a maximum over a total order:
    ///
    /// ```text
    /// merge(a, b) == merge(b, a)    merge(a, a) == a
    /// ```
    ///
    /// Of three, what is taken over from two that tell it differently is the least of what they tell. For that what an observation that does
    /// not count has told is kept beside the call, as long as a run reads ([`Besides`]): then what is chosen does not depend on the order or
    /// grouping in which observations come. What of cached input is taken over alone is that of the one which came first.
    #[must_use]
    pub fn merge(self, other: UsageEvent) -> UsageEvent {
        joined(Observed::alone(&self), Observed::alone(&other), false).0
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

    /// Whether it is of an answer in parts.
    fn is_part(&self) -> bool {
        self.rank.authority == Rank::PARTS
    }

    /// Which usage counts. What may be taken over does not decide: it may come from either.
    fn usage_order(&self, other: &UsageEvent) -> Ordering {
        // OpenAI's client says `openai` of whomever it asks: who tells another seller knows more.
        let key = |e: &UsageEvent| {
            let (provider, model) = (e.provider(), e.model());
            (!matches!(provider.as_str(), "" | "openai"), provider, model)
        };
        let names = |e: &UsageEvent| (e.provider(), e.model());
        self.rank
            .standing()
            .cmp(&other.rank.standing())
            .then_with(|| self.tokens.get(Bucket::Output).cmp(&other.tokens.get(Bucket::Output)))
            .then_with(|| self.tokens.cmp(&other.tokens))
            // Of one seller and model the texts need not be compared.
            .then_with(|| match names(self) == names(other) {
                true => Ordering::Equal,
                false => key(self).cmp(&key(other)),
            })
            .then_with(|| self.rank.authority.cmp(&other.rank.authority))
            // What counts whichever part tells it does not decide between them.
            .then_with(|| match self.is_part() && other.is_part() {
                true => Ordering::Equal,
                false => (self.requests, self.extras).cmp(&(other.requests, other.extras)),
            })
    }
}

/// What one observation may tell and another not.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Told {
    /// All but provider and model.
    dimensions: Dimensions,
    session: Label,
    speed: Label,
    geo: Label,
    cost: Option<Decimal>,
}

impl Told {
    fn of(call: &UsageEvent) -> Told {
        let mut dimensions = call.dimensions;
        dimensions.set(Dimension::Provider, Label::EMPTY);
        dimensions.set(Dimension::Model, Label::EMPTY);
        Told {
            dimensions,
            session: call.session,
            speed: call.speed,
            geo: call.geo,
            cost: call.reported_cost,
        }
    }

    /// What it tells, and what it does not tell from another.
    fn or(self, other: Told) -> Told {
        self.each(other, first, first)
    }

    /// Of each the least that either tells.
    fn least(self, other: Told) -> Told {
        self.each(other, least, least)
    }

    fn each(
        self,
        other: Told,
        name: fn(Label, Label) -> Label,
        cost: fn(Option<Decimal>, Option<Decimal>) -> Option<Decimal>,
    ) -> Told {
        let mut dimensions = self.dimensions;
        for dimension in Dimension::ALL {
            let [own, other] = [&self, &other].map(|told| told.dimensions.get(dimension));
            dimensions.set(dimension, name(own, other));
        }
        Told {
            dimensions,
            session: name(self.session, other.session),
            speed: name(self.speed, other.speed),
            geo: name(self.geo, other.geo),
            cost: cost(self.cost, other.cost),
        }
    }

    /// The same with what comes with the usage from another.
    fn used(self, usage: &Told) -> Told {
        let mut dimensions = self.dimensions;
        dimensions.set(Dimension::Tier, usage.dimensions.get(Dimension::Tier));
        Told {
            dimensions,
            session: self.session,
            ..*usage
        }
    }

    /// What it tells of a call on the same track, or on another: whoever replays a call on a side track is another agent, in another session.
    fn of_track(mut self, same: bool) -> Told {
        if !same {
            self.dimensions.set(Dimension::Agent, Label::EMPTY);
            self.session = Label::EMPTY;
        }
        self
    }
}

fn first<T: PartialEq + Default>(one: T, other: T) -> T {
    if one == T::default() { other } else { one }
}

fn least<T: Ord + Default>(one: T, other: T) -> T {
    let none = T::default();
    if one == none || (other != none && other < one) {
        other
    } else {
        one
    }
}

/// What observations of a call have told beyond what the call tells, while more of them may come.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Beside {
    /// What the observations that count tell themselves; what the call has beyond that is taken over.
    own: Told,
    /// The least that any of them tells.
    least: Told,
    /// The most that parts of an answer tell.
    parts: (Requests, Label),
}

/// A call as it is known so far.
#[derive(Clone, Copy)]
struct Observed<'a> {
    call: &'a UsageEvent,
    beside: Option<&'a Beside>,
}

impl<'a> Observed<'a> {
    /// By one observation, or by several that agree.
    fn alone(call: &'a UsageEvent) -> Self {
        Observed { call, beside: None }
    }

    fn own(&self) -> Told {
        self.beside.map_or_else(|| Told::of(self.call), |beside| beside.own)
    }

    fn least(&self) -> Told {
        self.beside.map_or_else(|| Told::of(self.call), |beside| beside.least)
    }

    fn parts(&self) -> (Requests, Label) {
        match (self.call.is_part(), self.beside) {
            (true, _) => (self.call.requests, self.call.extras),
            (false, Some(beside)) => beside.parts,
            (false, None) => Default::default(),
        }
    }
}

/// Makes one call of two, and tells what is to be kept beside it. What was `recorded` before stands before what is of the same moment, and what it
/// tells before what else is taken over.
fn joined(one: Observed<'_>, other: Observed<'_>, recorded: bool) -> (UsageEvent, Option<Beside>) {
    let (a, b) = (one.call, other.call);
    let order = a.usage_order(b);
    let (usage, lesser) = match order {
        Ordering::Less => (b, a),
        Ordering::Equal | Ordering::Greater => (a, b),
    };
    let most = || {
        let (one, other) = (one.parts(), other.parts());
        (one.0.most(other.0), Extras::most(one.1, other.1))
    };
    let (requests, extras) = match usage.is_part() {
        true => most(),
        false => (usage.requests, usage.extras),
    };
    let tokens = usage.finer(lesser);
    if one.beside.is_none() && other.beside.is_none() && a.agrees(b) {
        let at = a.at.min(b.at);
        let call = UsageEvent {
            at,
            tokens,
            requests,
            extras,
            ..*usage
        };
        return (call, None);
    }

    let [own_of_a, own_of_b] = [one.own(), other.own()];
    let session = |own: &Told| (own.session.is_empty(), own.session);
    let earlier = (a.sidechain, a.at)
        .cmp(&(b.sidechain, b.at))
        .then_with(|| match recorded {
            true => Ordering::Equal,
            false => session(&own_of_a).cmp(&session(&own_of_b)),
        });
    let place = if earlier == Ordering::Greater { b } else { a };
    let own_of = |order: Ordering| match order {
        Ordering::Greater => own_of_a,
        Ordering::Less => own_of_b,
        Ordering::Equal if recorded => own_of_a,
        Ordering::Equal => own_of_a.least(own_of_b),
    };
    let own = own_of(earlier.reverse()).used(&own_of(order));
    let of_track = |told: Told, call: &UsageEvent| told.of_track(call.sidechain == place.sidechain);
    let rest = match recorded {
        true => of_track(Told::of(a), a).or(of_track(Told::of(b), b)),
        false => of_track(one.least(), a).least(of_track(other.least(), b)),
    };
    let mut told = own.or(rest);
    if usage.tokens.total() == 0 && requests == Requests::default() && extras.is_empty() {
        told = told.used(&own);
    }
    let mut dimensions = told.dimensions;
    dimensions.set(Dimension::Provider, usage.provider());
    dimensions.set(Dimension::Model, usage.model());
    let call = UsageEvent {
        id: a.id,
        at: place.at,
        dimensions,
        session: told.session,
        sidechain: place.sidechain,
        tokens,
        requests,
        speed: told.speed,
        geo: told.geo,
        extras,
        rank: usage.rank,
        reported_cost: told.cost,
    };
    let parts = most();
    let beside = Beside {
        own,
        least: rest,
        parts,
    };
    let tells_all = own == told && rest == told && (usage.is_part() || parts == Default::default());
    (call, (!tells_all).then_some(beside))
}

/// What is kept beside the calls that a run meets, so that the order in which it meets their observations makes no difference: two threads
/// that read take turns as it happens. Little has to be, for calls alone whose observations differ in what they tell.
#[derive(Clone, Debug, Default)]
pub struct Besides(FxHashMap<EventId, Beside>);

impl Besides {
    /// Calls of which something is kept, in 26 MB; a further one is taken to tell all that it has itself.
    const MOST: usize = 114_688;

    /// Whether something is kept beside a call.
    pub(super) fn has(&self, id: EventId) -> bool {
        self.of(id).is_some()
    }

    fn of(&self, id: EventId) -> Option<&Beside> {
        if self.0.is_empty() { None } else { self.0.get(&id) }
    }

    fn keep(&mut self, id: EventId, beside: Option<Beside>) {
        match beside {
            Some(beside) if self.0.len() < Self::MOST || self.0.contains_key(&id) => {
                self.0.insert(id, beside);
            }
            Some(_) => {}
            None if self.0.is_empty() => {}
            None => drop(self.0.remove(&id)),
        }
    }

    /// Makes one call of what was merged so far and an observation.
    #[must_use]
    pub(super) fn merge(&mut self, known: &UsageEvent, observation: &UsageEvent) -> UsageEvent {
        let beside = self.of(known.id).copied();
        let known = Observed {
            call: known,
            beside: beside.as_ref(),
        };
        let (call, beside) = joined(known, Observed::alone(observation), false);
        self.keep(call.id, beside);
        call
    }

    /// Notes a call of a batch that was not known.
    pub fn add(&mut self, batch: &EventBatch, id: EventId) {
        if let Some(beside) = batch.besides().of(id) {
            self.keep(id, Some(*beside));
        }
    }

    /// The same of many, which are not looked at where nothing is kept beside the calls of the batch.
    pub fn add_all<'a>(&mut self, batch: &EventBatch, ids: impl Iterator<Item = &'a EventId>) {
        if !batch.besides().0.is_empty() {
            ids.for_each(|id| self.add(batch, *id));
        }
    }

    /// Makes one call of a recorded one and what a batch has of it. One that was recorded before this run keeps its source and names, where the
    /// other is of the same moment: whoever reads it once more, under another name or with other settings, takes nothing away.
    #[must_use]
    pub fn join(&mut self, recorded: &UsageEvent, of_run: bool, batch: &EventBatch, call: &UsageEvent) -> UsageEvent {
        let id = recorded.id;
        let beside = self.of(id).copied();
        let known = Observed {
            call: recorded,
            beside: beside.as_ref(),
        };
        let more = Observed {
            call,
            beside: batch.besides().of(id),
        };
        let (call, beside) = joined(known, more, !of_run);
        if of_run {
            self.keep(id, beside);
        }
        call
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

mod agreeing;
#[cfg(test)]
mod tests;
