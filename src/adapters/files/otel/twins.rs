//! Calls that look like one call told by two instrumentations side by side: neither span lies below the other, so that nothing says it.
//! Within one trace, the one inside the time of the other, they are one; elsewhere that is only suspected. What the tree says of a call goes first.

mod known;
mod units;

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};

use super::node::{Call, SpanKey, answer};
use super::nodes::Nodes;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use known::{adopt, answered, below, find, part, settle, suspected, take};
pub(super) use units::Move;
use units::{Seen, Unit, Waiting, place};

/// Spans remembered; beyond that the oldest are forgotten: 20 MB, 30 where each call is told by two.
const REMEMBERED: usize = 1 << 16;
/// Calls remembered of a kind: more are rarely in the air at once with the same tokens.
const OF_A_KIND: usize = 128;
/// Of these, how many are looked at for what is only suspected.
const SUSPECTS: usize = 16;

/// Where and when a call was told, and by whom.
#[derive(Clone, Copy, Default)]
pub(in super::super) struct Told {
    /// The trace.
    pub trace: u64,
    /// The instrumentation.
    pub emitter: Label,
    /// The provider as its client calls it: not every instrumentation tells the host that was asked.
    pub provider: Label,
    /// When the span ended, where it says so.
    pub end: Option<DateTime<Utc>>,
    /// Of which form its id is, where the call goes by the identity of its response.
    pub named: Option<u8>,
    /// The model, where it is that of the response.
    pub answer: Label,
    /// The family of the model that was asked for, where that is told.
    pub asked: u32,
}

/// What a call turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// The only one of its kind.
    None,
    /// One that this emitter seems to have told too, in another trace or of another model.
    Suspected(Label),
    /// One that was told before.
    Same(Call),
}

/// Provider, input and output.
type Kind = (Label, u64, u64);

/// Calls by what they are.
type Kinds = HashMap<Kind, VecDeque<Seen>, rustc_hash::FxBuildHasher>;

/// The newest calls of a source.
#[derive(Default)]
pub(super) struct Twins {
    kinds: Kinds,
    /// Of which kind a span is. What is not there any more may be named here.
    spans: HashMap<SpanKey, Kind, rustc_hash::FxBuildHasher>,
    /// The same spans, the oldest first.
    by_age: VecDeque<SpanKey>,
    before: Option<Before>,
}

/// What was known at a mark.
struct Before {
    /// How many spans.
    spans: usize,
    /// The kinds that have changed since.
    kinds: Kinds,
}

impl Twins {
    /// Marks what is known now: it can be gone back to.
    pub fn mark(&mut self) {
        self.before = Some(Before {
            spans: self.by_age.len(),
            kinds: Kinds::default(),
        });
    }

    /// Stays with what has changed since the mark.
    pub fn keep(&mut self) {
        self.before = None;
        self.forget();
    }

    /// Goes back to the mark, if there is one.
    pub fn undo(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        while self.by_age.len() > before.spans
            && let Some(key) = self.by_age.pop_back()
        {
            self.spans.remove(&key);
        }
        for (kind, seen) in before.kinds {
            match seen.is_empty() {
                true => self.kinds.remove(&kind),
                false => self.kinds.insert(kind, seen),
            };
        }
    }

    /// Forgets the oldest. Since a mark nothing is forgotten.
    fn forget(&mut self) {
        while self.before.is_none() && self.by_age.len() > REMEMBERED {
            let oldest = self.by_age.pop_front();
            let Some((oldest, kind)) = oldest.and_then(|key| Some((key, self.spans.remove(&key)?))) else {
                continue;
            };
            let Some(known) = self.kinds.get_mut(&kind) else {
                continue;
            };
            known.retain(|seen| !seen.own.has(oldest));
            if known.is_empty() {
                self.kinds.remove(&kind);
            }
        }
    }

    /// Remembers of which kind a span is. Whether it was met before.
    fn note(&mut self, key: SpanKey, kind: Kind) -> bool {
        let again = self.spans.insert(key, kind).is_some();
        if !again {
            self.by_age.push_back(key);
            self.forget();
        }
        again
    }

    /// The calls of a kind, to be changed.
    fn of(&mut self, kind: Kind) -> &mut VecDeque<Seen> {
        // Most are the only ones of their kind.
        let known = self.kinds.entry(kind).or_insert_with(|| VecDeque::with_capacity(1));
        if let Some(before) = &mut self.before {
            before.kinds.entry(kind).or_insert_with(|| known.clone());
        }
        known
    }

    /// Looks for a call of the same provider with as much input and output at the same time from another emitter, and remembers this one.
    /// `upper`: the spans above it of which it may be the call: what those tell is told of it.
    pub fn meet(
        &mut self,
        (key, upper): (SpanKey, &[SpanKey]),
        call: &UsageEvent,
        told: &Told,
        tree: &Nodes,
        moves: &mut Vec<Move>,
    ) -> Twin {
        let Some((kind, mut unit)) = unit_of(key, call, told) else {
            return Twin::None;
        };
        let again = self.note(key, kind);
        // From whom that is which lies above is not known any more.
        unit.alone = upper.iter().any(|above| !self.spans.contains_key(above));
        let known = self.of(kind);
        if known.is_empty() && upper.is_empty() {
            known.push_back(Seen::of(told.trace, unit));
            return Twin::None;
        }
        let known_as = again.then(|| find(known, key).and_then(|at| known.get(at)));
        if let Some(seen) = known_as.flatten() {
            let as_itself = seen.own.has(key) && seen.own.call.id == call.id;
            return if as_itself {
                Twin::None
            } else {
                Twin::Same(seen.own.call)
            };
        }
        let same = |seen: &Seen| seen.trace == told.trace && seen.units().any(|other| other.tells(call.id));
        let same = told.named.map(|_| known.iter().rposition(same));
        if let Some(at) = same.flatten() {
            return answered(known, at, (key, told.emitter), &unit, tree, moves).unwrap_or(Twin::None);
        }
        let (mut waiting, mut gone) = (Vec::new(), Vec::new());
        for above in upper {
            if let Some(at) = find(known, *above) {
                take(known, at, *above, &mut unit, (&mut waiting, &mut gone));
            }
        }
        let alone = gone.is_empty() && unit.spans().count() == 1;
        waiting.push(Waiting { unit, from: None });
        place(known, told.trace, waiting, tree, moves);
        let twin = settle(known, key, gone, Some(call), moves);
        while known.len() > OF_A_KIND {
            known.pop_front();
        }
        match twin {
            Some(call) => Twin::Same(call),
            None if alone => suspected(known, key).map_or(Twin::None, Twin::Suspected),
            None => Twin::None,
        }
    }

    /// The spans that tell the same call as this one, above, below or by the identity of the response.
    pub fn with(&self, key: SpanKey) -> impl Iterator<Item = SpanKey> {
        let known = self.spans.get(&key).and_then(|kind| self.kinds.get(kind));
        let unit = known.and_then(|known| known.iter().flat_map(Seen::units).find(|unit| unit.has(key)));
        unit.into_iter().flat_map(Unit::spans).map(|(key, _)| key)
    }

    /// The spans of a call of the kind of this one, and whether something was told beside it.
    pub fn hosts(&self, key: SpanKey, call: EventId) -> Option<(Vec<SpanKey>, bool)> {
        let known = self.kinds.get(self.spans.get(&key)?)?;
        let seen = known.iter().rev().find(|seen| seen.own.call.id == call)?;
        Some((seen.own.spans().map(|(key, _)| key).collect(), !seen.beside.is_empty()))
    }

    /// What the model of a call is called that is told beside another, and whether this span decides that.
    pub fn named(&self, key: SpanKey) -> Option<(Label, bool)> {
        let known = self.kinds.get(self.spans.get(&key)?)?;
        let (all, others) = known.get(find(known, key)?)?.names(key);
        let model = all?.model;
        Some((model, others.is_some_and(|others| others.model != model)))
    }

    /// A call above one that was met, which goes by this identity: what its emitter told beside that is another call.
    pub fn view(
        &mut self,
        key: SpanKey,
        call: &UsageEvent,
        told: &Told,
        by: EventId,
        tree: &Nodes,
        moves: &mut Vec<Move>,
    ) {
        let Some((kind, view)) = unit_of(key, call, told) else {
            return;
        };
        if !self.kinds.contains_key(&kind) {
            return;
        }
        let known = self.of(kind);
        let Some((at, lower)) = below(known, key, by, tree) else {
            return;
        };
        let Some(unit) = known.get_mut(at).and_then(|seen| seen.unit_mut(lower)) else {
            return;
        };
        if unit.has(key) {
            return;
        }
        unit.absorb(&view);
        part(known, at, lower, tree, moves);
        settle(known, lower, Vec::new(), Some(call), moves);
    }

    /// A call that was met turns out to lie above another one, which goes by this identity: they are one. Answers as what it goes from now on.
    pub fn tie(&mut self, upper: SpanKey, by: Call, tree: &Nodes, moves: &mut Vec<Move>) -> Option<EventId> {
        let kind = *self.spans.get(&upper)?;
        self.kinds.get(&kind)?;
        let known = self.of(kind);
        let Some((at, lower)) = below(known, upper, by.id, tree) else {
            return adopt(known, upper, by, tree, moves);
        };
        let seen = known.get_mut(at)?;
        let trace = seen.trace;
        if seen.unit_mut(lower)?.has(upper) {
            return None;
        }
        if seen.units().any(|unit| unit.has(upper)) {
            seen.join(upper, lower);
            return None;
        }
        let from = find(known, upper)?;
        let mut unit = known.get_mut(at)?.unit_mut(lower)?.clone();
        let (mut waiting, mut gone) = (Vec::new(), Vec::new());
        take(known, from, upper, &mut unit, (&mut waiting, &mut gone));
        let at = find(known, lower)?;
        let tied = known.get_mut(at)?.unit_mut(lower)?;
        (tied.tellers, tied.answer) = (unit.tellers, unit.answer);
        part(known, at, lower, tree, moves);
        place(known, trace, waiting, tree, moves);
        settle(known, lower, gone, None, moves);
        find(known, lower)
            .and_then(|at| known.get(at))
            .map(|seen| seen.own.call.id)
    }
}

/// A call as one of a kind, where it says enough.
fn unit_of(key: SpanKey, call: &UsageEvent, told: &Told) -> Option<(Kind, Unit)> {
    let (input, output) = (call.tokens.prompt(), answer(&call.tokens));
    let end = told.end.filter(|_| output > 0)?;
    let unit = Unit::of(key, call, told, end);
    Some(((told.provider, input, output), unit))
}

#[cfg(test)]
mod tests;
