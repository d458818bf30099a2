//! Which spans of a trace repeat the usage of their descendants: agent spans, and those of unknown operations, are priced only where
//! neither a call nor another such span below them is. A model asks no model: a call with a call right below it is a view of that.

use std::collections::HashMap;

use chrono::DateTime;

use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::line::Output;
use super::node::{Below, Call, Node, Priced, SpanKey};
use super::nodes::Nodes;
use super::twins::{Told, Twin, Twins};

/// Spans remembered; when there are twice as many, the oldest are forgotten: 50 MB. A little less than a power of two, at which memory
/// would be doubled.
const REMEMBERED: usize = 250_000;

/// How far up a further call below spans that have one is told.
const FURTHER: usize = 16;

/// Spans that go into a checkpoint, the newest ones: a trace is rarely open for longer than that.
const KEPT: usize = 4096;

/// The traces of one source.
#[derive(Default)]
pub(in super::super) struct Traces {
    nodes: Nodes,
    /// Agent spans with usage that have no priced call below them so far.
    held: HashMap<SpanKey, UsageEvent>,
    changed: bool,
    /// Calls that may be told twice.
    twins: Twins,
}

/// What a span turned out to be.
#[derive(Default)]
pub(in super::super) struct Found {
    /// Spans that are no spend of their own.
    pub repeats: Vec<EventId>,
    /// Spans that were priced before and must not be.
    pub taken_back: Vec<TakenBack>,
    /// Who seems to have told the call too.
    pub suspected: Option<Label>,
}

/// A span that was priced before what makes a repetition of it was met.
pub(in super::super) struct TakenBack {
    /// The same call with nothing in it.
    pub nothing: UsageEvent,
    /// It, and the call that it repeats.
    calls: (Call, Call),
}

/// How far back a call is looked for among those that were not handed over yet.
const PENDING: usize = 1024;

impl Found {
    /// Yields it.
    pub fn tell(self, out: &mut Output) {
        for back in self.taken_back {
            if !back.replace(&mut out.events) {
                out.excluded_once.push(("parent_spans", back.nothing.id));
                out.events.push(back.nothing);
            }
        }
        for id in self.repeats {
            out.excluded_once.push(("parent_spans", id));
        }
    }
}

impl TakenBack {
    /// Makes it another observation of the call that it repeats, where it was not handed over yet and both are the whole of one call.
    fn replace(&self, events: &mut [UsageEvent]) -> bool {
        let (own, by) = self.calls;
        let newest = events.len().saturating_sub(PENDING);
        let pending = events.get_mut(newest..).unwrap_or_default();
        let mut replaced = false;
        // Of one that is a view itself, its own views are with it.
        for event in pending.iter_mut().filter(|event| own.is_same(by) && event.id == own.id) {
            own.observe(event, by);
            replaced = true;
        }
        replaced
    }
}

/// The spans above one, itself first, as far as they are known.
fn ancestors(nodes: &Nodes, from: SpanKey) -> impl Iterator<Item = SpanKey> {
    let up = move |at: &SpanKey| nodes.get(*at).map(|node| node.parent).filter(|parent| *parent != 0);
    std::iter::successors(Some(from).filter(|from| *from != 0), up).take(FURTHER)
}

impl Traces {
    fn node(&mut self, key: SpanKey) -> &mut Node {
        let (node, new) = self.nodes.of(key);
        self.changed |= new;
        node
    }

    /// A call, as what counts: itself, or another observation of the call below it that it is a view of, or of one beside it. Nothing where
    /// it sums up what is below it. `told`: by whom, where it says when it ended.
    pub fn call(
        &mut self,
        key: SpanKey,
        parent: SpanKey,
        call: &UsageEvent,
        told: Option<&Told>,
        found: &mut Found,
    ) -> Option<UsageEvent> {
        let (own, mut what) = (Below::of(call), Call::of(call));
        let node = self.node(key);
        node.parent = parent;
        let (below, by) = (node.below, node.by);
        let view = below >= own && what.is_like(by);
        let mut event = *call;
        if let Some(told) = told.filter(|_| !view) {
            let nodes = &self.nodes;
            let above = |known| ancestors(nodes, parent).any(|above| above == known);
            match self.twins.meet(key, call, told, above) {
                Twin::None => {}
                Twin::Suspected(emitter) => found.suspected = Some(emitter),
                Twin::Same(of) => {
                    what.observe(&mut event, of);
                    // Whatever repeats the one repeats the other.
                    what.id = of.id;
                }
            }
        }
        let node = self.node(key);
        let counts = if !view || by.id == call.id {
            node.priced = call.at.timestamp_nanos_opt().map(|nanos| Priced {
                call: what,
                nanos,
                by_what: own,
            });
            true
        } else if what.is_same(by) {
            what.observe(&mut event, by);
            true
        } else {
            found.repeats.push(call.id);
            false
        };
        self.changed = true;
        let names = (call.provider(), call.model());
        // What is below it may have come before the way up was known.
        self.cover(parent, (below, by), names, found);
        if !view {
            self.cover(parent, (own, what), names, found);
        }
        counts.then_some(event)
    }

    /// Something lies below `from`; `names`: what it asked whom for.
    fn cover(&mut self, from: SpanKey, (below, by): (Below, Call), names: (Label, Label), found: &mut Found) {
        let (mut at, mut below, mut further, mut gone) = (from, below, 0, None);
        while at != 0 && below > Below::Nothing {
            let node = self.node(at);
            let priced = node.priced.take_if(|priced| {
                let repeats = priced.by_what == Below::Apart || priced.call.is_like(by);
                priced.by_what <= below && priced.call.id != by.id && repeats
            });
            // A view is of the largest of several calls: the others are what a gateway asks about it. And it is of none that was taken back.
            let other = by.is_larger(node.by) || gone == Some(node.by.id);
            let other = node.below == below && below > Below::Apart && other;
            if node.below >= below {
                further += 1;
                if priced.is_none() && (!other || further > FURTHER) {
                    return;
                }
            }
            if node.below < below || other {
                (node.below, node.by) = (below, by);
            }
            gone = priced.map(|priced| priced.call.id).or(gone);
            let next = node.parent;
            if node.apart {
                below = Below::Apart;
            }
            self.changed = true;
            found.repeats.extend(self.held.remove(&at).map(|held| held.id));
            if let Some(Priced { call, nanos, by_what }) = priced {
                let at = DateTime::from_timestamp_nanos(nanos);
                let mut nothing = UsageEvent::new(call.id, at, names.0, names.1);
                if by_what == Below::Apart {
                    nothing.rank.authority = 1;
                } else {
                    // A response may have other observations, which count; that of this span does not.
                    nothing.rank.line = u64::MAX;
                }
                found.taken_back.push(TakenBack {
                    nothing,
                    calls: (call, by),
                });
            }
            at = next;
        }
    }

    /// A span that is no call: `usage` where it says what its descendants used, `apart` where it is an agent or a tool.
    pub fn link(&mut self, key: SpanKey, parent: SpanKey, apart: bool, usage: Option<UsageEvent>, found: &mut Found) {
        if parent == 0 && usage.is_none() {
            return;
        }
        let node = self.node(key);
        let known = std::mem::replace(&mut node.parent, parent);
        node.apart = apart;
        let covered = node.below > Below::Nothing;
        let below = if apart { Below::Apart } else { node.below };
        let by = node.by;
        match usage {
            Some(event) if covered => found.repeats.push(event.id),
            // Also one that was priced before: recording it again changes nothing, and the time before may have failed.
            Some(event) => {
                self.held.insert(key, event);
            }
            None => {}
        }
        if covered && known != parent {
            // The way up is known only now.
            self.cover(parent, (below, by), (Label::EMPTY, Label::EMPTY), found);
        }
    }

    /// Whether agent spans wait for the calls below them.
    pub fn waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Agent spans that stand for calls that nothing else tells, at the end of what there is to read. Of those within each other the
    /// innermost, since the others repeat it.
    pub fn settle(&mut self, found: &mut Found) -> Vec<UsageEvent> {
        let within: Vec<(SpanKey, UsageEvent)> = self.held.iter().map(|(key, event)| (*key, *event)).collect();
        for (key, event) in within {
            let parent = self.nodes.get(key).map_or(0, |node| node.parent);
            let names = (event.provider(), event.model());
            self.cover(parent, (Below::Apart, Call::of(&event)), names, found);
        }
        while self.nodes.len() > REMEMBERED {
            self.nodes.forget();
        }
        let mut events: Vec<UsageEvent> = self
            .held
            .drain()
            .map(|(key, event)| {
                if let Some(node) = self.nodes.get_mut(key) {
                    let nanos = event.at.timestamp_nanos_opt();
                    node.priced = nanos.map(|nanos| Priced {
                        call: Call::of(&event),
                        nanos,
                        by_what: Below::Apart,
                    });
                }
                event
            })
            .collect();
        self.changed |= !events.is_empty();
        events.sort_by_key(|event| event.id);
        events
    }

    /// Whether so many spans are remembered that the oldest should be settled.
    pub fn full(&self) -> bool {
        self.nodes.len() > 2 * REMEMBERED
    }

    /// The newest spans as bytes, if anything changed since this was asked last.
    pub fn save(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut bytes = Vec::new();
        for (key, node) in self.nodes.newest(KEPT) {
            node.save(*key, &mut bytes);
        }
        Some(bytes)
    }

    /// Takes up what `save` gave; damaged bytes end it early.
    pub fn load(&mut self, mut bytes: &[u8]) {
        while let Some((key, node)) = Node::load(&mut bytes) {
            *self.node(key) = node;
        }
        self.changed = false;
    }
}

#[cfg(test)]
mod tests;
