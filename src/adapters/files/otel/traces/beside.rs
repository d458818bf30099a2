//! What is told side by side, as the tree of spans goes on: what counts as which call.

use super::super::names::Who;
use super::super::node::{Call, Lent, Priced, SpanKey};
use super::super::split::Split;
use super::super::twins::Move;
use super::found::TakenBack;
use super::{Found, Traces};
use crate::domain::label::Label;
use crate::domain::usage::UsageEvent;

impl Traces {
    /// What is known of the tokens of a call.
    pub(super) fn split(&self, call: Call) -> Option<Split> {
        let priced = self.nodes.get(call.key)?.priced.as_ref()?;
        let split = priced.split.as_deref().filter(|_| priced.call.id == call.id);
        split.copied()
    }

    /// What a span tells of another call, with what that tells itself.
    pub(super) fn told_of(&self, priced: &Priced, of: Call) -> Option<UsageEvent> {
        let mut told = priced.observation(of)?;
        if let Some(known) = self.split(of) {
            known.complete(&mut told);
        }
        priced.call.name(&mut told, of);
        Some(told)
    }

    /// Notes who asked for a call, as a span above it tells.
    pub(super) fn ask(&mut self, call: Call, who: Who) {
        let priced = self.nodes.get_mut(call.key).and_then(|node| node.priced.as_mut());
        if let Some(priced) = priced.filter(|priced| priced.call.id == call.id) {
            priced.who = priced.who.first(who);
        }
    }

    /// The calls above of which one may be the call.
    pub(super) fn upper(&self, parent: SpanKey, call: Call) -> Vec<SpanKey> {
        let is_it = |key: &SpanKey| {
            let priced = self.nodes.get(*key).and_then(|node| node.priced.as_ref());
            priced.is_some_and(|priced| priced.lent != Lent::Below && priced.call.is_same(call))
        };
        self.nodes.views(parent).filter(is_it).collect()
    }

    /// Whether what was told as one beside the other turns out to lie one below the other: this one, and one from there upwards.
    pub(super) fn is_above(&self, from: SpanKey, lower: &Priced) -> bool {
        let priced = |key| self.nodes.get(key).and_then(|node| node.priced.as_ref());
        let mut above = self.nodes.views(from).filter_map(priced);
        let beside = |priced: &Priced| priced.lent == Lent::Beside;
        let is_one = |upper: &Priced| upper.call.id == lower.call.id && beside(upper) != beside(lower);
        above.any(|upper| upper.lent != Lent::Below && is_one(upper))
    }

    /// Has the response that a span tells told by one that tells more of caches.
    pub(super) fn lend(&self, key: SpanKey, call: Call, found: &mut Found) {
        let priced = |key| self.nodes.get(key).and_then(|node| node.priced.as_ref());
        // What lies above it is told by the tree.
        let beside = |other: &SpanKey| !self.nodes.is_view(*other, key);
        let others = self.twins.with(key).filter(beside).filter_map(priced);
        let others = others.filter(|other| other.call.id == call.id && other.call.tells_more(call));
        // One tells what those before it told, too.
        let most = others.max_by_key(|other| (other.call.caches(), other.call.detail.count_ones()));
        let named = self.twins.named(key);
        found.lent.extend(most.and_then(|other| {
            let mut told = other.observation(call)?;
            call.rename(&mut told, call, named, None);
            Some(told)
        }));
    }

    /// Notes whether other spans count as a call, which is of the kind of a span's.
    pub(super) fn share(&mut self, key: SpanKey, call: Call) {
        let (spans, shared) = self.twins.hosts(key, call.id).unwrap_or_default();
        for key in spans {
            let priced = self.nodes.get_mut(key).and_then(|node| node.priced.as_mut());
            if let Some(priced) = priced.filter(|priced| priced.is_own()) {
                priced.lent = if shared { Lent::Shared } else { Lent::No };
            }
        }
    }

    /// Notes that what tells more than a call, beside it, counts in its place, where it does.
    pub(super) fn outdo(&mut self, key: SpanKey, counts: bool, call: Call) {
        if !counts {
            return;
        }
        let (spans, _) = self.twins.hosts(key, call.id).unwrap_or_default();
        for key in spans {
            let priced = self.nodes.get_mut(key).and_then(|node| node.priced.as_mut());
            if let Some(priced) = priced.filter(|priced| priced.is_own()) {
                priced.outdone = true;
            }
        }
    }

    /// Notes what counts as another call than it did.
    pub(super) fn moved(&mut self, mut moves: Vec<Move>, found: &mut Found) {
        for Move {
            spans,
            from,
            to,
            above,
            as_itself,
            ..
        } in &moves
        {
            for key in spans {
                let up: Vec<SpanKey> = self.nodes.ancestors(*key).collect();
                for key in up {
                    if let Some(node) = self.nodes.get_mut(key) {
                        node.becomes(from.id, to.id);
                    }
                }
                let Some(node) = self.nodes.get_mut(*key) else {
                    continue;
                };
                if let Some(priced) = node.priced.as_mut().filter(|priced| priced.call.id == from.id) {
                    priced.call.id = to.id;
                    if *above {
                        priced.lent = Lent::Below;
                        node.priced.take_if(|priced| !priced.call.tells_more(*to));
                    } else if *as_itself && priced.lent == Lent::Beside {
                        priced.lent = Lent::No;
                    }
                }
            }
        }
        for moved in &mut moves {
            let key = moved.spans.first().copied().unwrap_or(0);
            self.share(key, moved.from);
            self.share(key, moved.to);
            moved.named = self.twins.named(key);
            let decides = moved.named.is_some_and(|(_, decides)| decides);
            let counts = |told: &UsageEvent| told.id != moved.to.id && (decides || Call::of(told).tells_more(moved.to));
            self.outdo(key, moved.told.iter().any(counts), moved.to);
        }
        for moved in &mut moves {
            for told in moved.told.iter().filter(|_| moved.above) {
                self.ask(moved.to, Who::of(told));
            }
            moved.known = moved.known.or_else(|| self.split(moved.to));
        }
        found.moved.extend(moves);
    }

    /// Notes that what lies below a call is that call, where both are known as told beside others. Answers as what it goes from now on, and
    /// whether it is known what was told beside the call.
    pub(super) fn tie(&mut self, at: SpanKey, by: Call, found: &mut Found) -> (Call, bool) {
        let priced = self.nodes.get(at).and_then(|node| node.priced.as_ref());
        if !priced.is_some_and(|priced| priced.lent != Lent::Below && priced.call.is_same(by)) {
            return (by, false);
        }
        let mut moves = Vec::new();
        let id = self.twins.tie(at, by, &self.nodes, &mut moves);
        self.moved(moves, found);
        (by.of_id(id.unwrap_or(by.id)), self.twins.with(at).next().is_some())
    }

    /// Takes back what was told beside a span with the same response, and is told of this call too.
    pub(super) fn take_others(&mut self, at: SpanKey, call: Call, by: Call, names: (Label, Label), found: &mut Found) {
        let others: Vec<SpanKey> = self.twins.with(at).filter(|other| *other != at).collect();
        let above: Vec<SpanKey> = self.nodes.ancestors(at).collect();
        let known = self.split(by);
        for other in others {
            let node = self.nodes.get_mut(other);
            let priced = node.and_then(|node| {
                node.priced
                    .take_if(|priced| priced.is_own() && priced.call.id == call.id)
            });
            if let Some(priced) = priced {
                if priced.call.is_same(by) {
                    self.ask(by, priced.who);
                }
                let back = TakenBack::of(priced, by, names, true, known);
                found.taken_back.push(back);
                // What is met above it later lies above this call. Above both the way up goes on.
                let own = self
                    .nodes
                    .ancestors(other)
                    .take_while(|key| call.is_same(by) && !above.contains(key));
                for key in own.collect::<Vec<_>>() {
                    if let Some(node) = self.nodes.get_mut(key) {
                        node.becomes(call.id, by.id);
                    }
                }
            }
        }
    }
}
