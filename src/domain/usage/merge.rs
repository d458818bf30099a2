//! How several observations of one call become one.

use std::cmp::Ordering;

use super::{Bucket, Dimension, Extras, Label, Rank, Requests, Tokens, UsageEvent};

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
            && self.tokens.total() == 0
            && self.requests == Requests::default()
            && self.extras.is_empty()
            && self.reported_cost.is_none()
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
        [self, other].iter().all(|call| call.rank.authority == Rank::PARTS)
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

#[cfg(test)]
mod tests;
