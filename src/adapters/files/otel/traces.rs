//! Which spans of a trace repeat the usage of their descendants: agent spans, and those of unknown operations, are priced only where
//! neither a call nor another such span below them is. A model asks no model: a call with a call right below it is a view of that.

use std::collections::HashMap;

use chrono::DateTime;

use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::line::Output;
use super::node::{Below, Call, Lent, Node, Priced, SpanKey};
use super::nodes::Nodes;
use super::split::{Split, Splits};
use super::twins::{Told, Twin, Twins};

/// Spans remembered; when there are twice as many, the oldest are forgotten: 60 MB, and half as much again where all are calls that tell of caches. A little less than a power of two, at which memory
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
    before: Option<Before>,
}

/// What was known at a mark.
struct Before {
    held: HashMap<SpanKey, UsageEvent>,
    changed: bool,
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
    lent: Lent,
    split: Option<Box<Split>>,
    /// Whether the ledger has it, whatever became of what was read of it in this run.
    recorded: bool,
}

/// How far back a call is looked for among those that were not handed over yet.
const PENDING: usize = 1024;

impl Found {
    /// Yields it.
    pub fn tell(self, out: &mut Output) {
        for back in self.taken_back {
            let replaced = back.replace(&mut out.events);
            if !replaced || back.recorded {
                out.excluded_once.push(("parent_spans", back.nothing.id));
                out.events.push(back.nothing);
            }
            if !replaced {
                out.events.extend(back.lend());
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
        // What was emptied stays so.
        let whole = |event: &&mut UsageEvent| own.is_same(by) && event.tokens.total() > 0;
        for event in pending.iter_mut().filter(whole) {
            let itself = event.at == self.nothing.at;
            if event.id == own.id {
                // Of one that is a view itself, its own views are with it, some of which tell its usage.
                match event.rank.authority {
                    0 => own.observe(event, by),
                    _ => event.id = by.id,
                }
                replaced |= itself;
            } else if event.id == by.id {
                replaced |= self.lent == Lent::Below && itself && event.rank.authority > 0;
            }
        }
        replaced
    }

    /// What it tells of the call that it repeats, where that one tells less of caches.
    fn lend(&self) -> Option<UsageEvent> {
        let (own, by) = self.calls;
        let split = self.split.as_ref().filter(|_| own.is_same(by) && own.tells_more(by));
        split.map(|split| split.observation(by.id, self.nothing.at))
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
        let before = node.priced.as_ref().map(|priced| priced.call);
        let recorded = node.priced.as_ref().is_some_and(|priced| priced.recorded);
        let (mut event, mut lent) = (*call, Lent::No);
        if let Some(of) = before.filter(|of| !view && of.id != call.id && what.is_same(*of)) {
            // It was told before as another observation of that one, and comes again.
            what.observe(&mut event, of);
            what.id = of.id;
        } else if let Some(told) = told.filter(|_| !view) {
            let nodes = &self.nodes;
            let above = |known| ancestors(nodes, parent).any(|above| above == known);
            match self.twins.meet(key, call, told, above) {
                Twin::None => {}
                Twin::Suspected(emitter) => found.suspected = Some(emitter),
                Twin::Same(of) => {
                    what.observe(&mut event, of);
                    if what.tells_more(of) {
                        lent = Lent::Beside;
                    }
                    // Whatever repeats the one repeats the other.
                    what.id = of.id;
                }
            }
        }
        let priced = |of: Call, lent: Lent| {
            call.at.timestamp_nanos_opt().map(|nanos| Priced {
                call: of,
                nanos,
                by_what: own,
                lent,
                split: Split::of(call),
                recorded,
            })
        };
        let node = self.node(key);
        let counts = if !view || by.id == call.id {
            node.priced = priced(what, lent);
            true
        } else if what.is_same(by) {
            what.observe(&mut event, by);
            if what.tells_more(by) {
                node.priced = priced(what.of_id(by.id), Lent::Below);
            }
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
                // What is told of a call below it is told until that one is taken back.
                let stays = priced.lent == Lent::Below && gone != Some(priced.call.id);
                priced.by_what <= below && priced.call.id != by.id && repeats && !stays
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
            gone = priced.as_ref().map(|priced| priced.call.id).or(gone);
            let next = node.parent;
            if node.apart {
                below = Below::Apart;
            }
            self.changed = true;
            found.repeats.extend(self.held.remove(&at).map(|held| held.id));
            if let Some(priced) = priced {
                let nanos = DateTime::from_timestamp_nanos(priced.nanos);
                let mut nothing = UsageEvent::new(priced.call.id, nanos, names.0, names.1);
                let lent = priced.lent != Lent::No;
                if priced.by_what == Below::Apart || lent {
                    nothing.rank.authority = 1;
                }
                if priced.by_what != Below::Apart || lent {
                    // A response may have other observations, which count; that of this span does not.
                    nothing.rank.line = u64::MAX;
                }
                if priced.call.is_same(by) && priced.call.tells_more(by) {
                    // What it tells is of that call from now on.
                    let call = priced.call.of_id(by.id);
                    let lent = Lent::Below;
                    self.node(at).priced = Some(Priced {
                        call,
                        lent,
                        ..priced.clone()
                    });
                }
                found.taken_back.push(TakenBack {
                    nothing,
                    calls: (priced.call, by),
                    recorded: priced.recorded,
                    lent: priced.lent,
                    split: priced.split,
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
        self.nodes.forget(REMEMBERED);
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
                        lent: Lent::No,
                        split: Split::of(&event),
                        recorded: false,
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
        let (mut bytes, mut splits) = (Vec::new(), Splits::default());
        for (key, node) in self.nodes.newest(KEPT) {
            node.save(*key, &mut splits, &mut bytes);
        }
        Some(bytes)
    }

    /// Takes up what `save` gave; damaged bytes end it early.
    pub fn load(&mut self, mut bytes: &[u8]) {
        let mut splits = Splits::default();
        while let Some((key, node)) = Node::load(&mut splits, &mut bytes) {
            *self.node(key) = node;
        }
        self.changed = false;
    }

    /// Marks what is known now: it can be gone back to.
    pub fn mark(&mut self) {
        self.nodes.mark();
        self.twins.mark();
        self.before = Some(Before {
            held: self.held.clone(),
            changed: self.changed,
        });
    }

    /// Stays with what has changed since the mark.
    pub fn keep(&mut self) {
        self.nodes.keep();
        self.twins.keep();
        self.before = None;
        self.nodes.forget(REMEMBERED);
    }

    /// Goes back to the mark, if there is one.
    pub fn undo(&mut self) {
        self.nodes.undo();
        self.twins.undo();
        if let Some(before) = self.before.take() {
            (self.held, self.changed) = (before.held, before.changed);
        }
    }
}

#[cfg(test)]
mod tests;
