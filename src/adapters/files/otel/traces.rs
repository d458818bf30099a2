//! Which spans of a trace repeat the usage of their descendants: agent spans, and those of unknown operations, are priced only where
//! neither a call nor another such span below them is. A model asks no model: a call with a call right below it is a view of that.

mod beside;
mod found;
mod gaps;
mod kept;
mod parts;
mod sources;

use std::collections::{BTreeSet, HashMap};

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::agents::Nameless;
use super::names::Who;
use super::node::{Below, Call, Lent, Node, Priced, SpanKey, is_raised};
use super::nodes::{FURTHER, Nodes};
use super::split::Split;
use super::twins::{Told, Twin, Twins};

pub(in super::super) use found::Found;
use found::TakenBack;
pub(super) use gaps::Gap;
pub(in super::super) use kept::OF_RUN;

/// Spans remembered; when there are twice as many, the oldest are forgotten: 90 MB, and half as much again where all are calls that tell of caches. A little less than a power of two, at which memory
/// would be doubled.
const REMEMBERED: usize = 250_000;

/// Spans that are remembered from run to run, the newest ones: up to 6 MB of a ledger.
const KEPT: u64 = 1 << 16;

/// The traces of a run, whichever sources their spans lie in.
#[derive(Default)]
pub(in super::super) struct Traces {
    nodes: Nodes,
    /// Agent spans with usage that have no priced call below them so far.
    held: HashMap<SpanKey, UsageEvent>,
    /// Calls without usage, of which a call below them may tell it.
    gaps: HashMap<SpanKey, Gap>,
    changed: bool,
    /// Calls that may be told twice.
    twins: Twins,
    /// Calls whose model another span names.
    nameless: Nameless,
    before: Option<Before>,
    /// Whose memory it is, in the ledger.
    owner: Label,
    /// The parts that the ledger has.
    stored: BTreeSet<u64>,
    /// The sources that have read in this run, with their defaults, of which the last one reads.
    sources: Vec<Source>,
}

/// A source with its defaults.
type Source = (Label, Vec<(Dimension, Label)>);

/// What was known at a mark.
struct Before {
    held: HashMap<SpanKey, UsageEvent>,
    gaps: HashMap<SpanKey, Gap>,
    nameless: Nameless,
    changed: bool,
    stored: BTreeSet<u64>,
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
        let (own, mut what) = (Below::of(call), Call::of_span(key, call));
        what.answer = told.map_or(Label::EMPTY, |told| told.answer);
        let node = self.node(key);
        node.parent = parent;
        let view = node.below >= own && what.is_like(node.seen_by(what));
        let before = node.priced.as_ref().map(|priced| (priced.call, priced.lent));
        // One that comes again may have been handed over.
        let recorded = node.priced.is_some();
        let outdone = node.priced.as_ref().is_some_and(|priced| priced.outdone);
        let shared = before.is_some_and(|(_, lent)| lent == Lent::Shared);
        let (mut event, mut lent) = (*call, if shared { Lent::Shared } else { Lent::No });
        if let Some((of, known)) = before.filter(|(of, _)| !view && of.id != call.id && what.is_same(*of)) {
            // It was told before as another observation of that one, and comes again.
            what = what.observe(&mut event, of, self.split(of).as_ref());
            (what.id, lent) = (of.id, known);
        } else if let Some(told) = told.filter(|_| !view) {
            let upper = self.upper(parent, what);
            let mut moves = Vec::new();
            match self.twins.meet((key, &upper), call, told, &self.nodes, &mut moves) {
                Twin::None => {}
                Twin::Suspected(emitter) => found.suspected = Some(emitter),
                Twin::Same(of) => {
                    let known = self.split(of);
                    let both = what.observe(&mut event, of, known.as_ref());
                    what.rename(&mut event, of, self.twins.named(key), known.as_ref());
                    if of.id != call.id {
                        // It may part from that again, and tells then what it told itself.
                        lent = Lent::Beside;
                        self.share(key, of);
                        self.outdo(key, is_raised(&event), of);
                    } else {
                        what = both;
                        if of.tells_more(what) {
                            self.lend(key, what, found);
                        }
                    }
                    // Whatever repeats the one repeats the other.
                    what.id = of.id;
                }
            }
            // What this one tells is not remembered yet.
            for moved in moves.iter_mut().filter(|moved| moved.to.key == key) {
                moved.known = Split::of(call).as_deref().copied();
            }
            self.moved(moves, found);
        } else if let (true, Some(told)) = (view, told) {
            let (mut moves, by) = (Vec::new(), self.node(key).seen_by(what));
            if what.is_same(by) {
                self.twins.view(key, call, told, by.id, &self.nodes, &mut moves);
            }
            self.moved(moves, found);
        }
        let by = self.node(key).seen_by(what);
        let known = if view { self.split(by) } else { None };
        let asks = Who::of(call);
        let priced = |of: Call, lent: Lent, told: &UsageEvent| {
            call.at.timestamp_nanos_opt().map(|nanos| Priced {
                call: of,
                nanos,
                by_what: own,
                lent,
                split: Split::of(told),
                outdone,
                recorded,
                raised: is_raised(told),
                who: asks,
            })
        };
        let node = self.node(key);
        let counts = if !view || by.id == call.id {
            if view && what.is_same(by) {
                let more = what.tells_more(by);
                what = what.observe(&mut event, by, known.as_ref());
                if more {
                    what.name(&mut event, by);
                }
            }
            node.priced = priced(what, lent, if lent == Lent::Beside { call } else { &event });
            true
        } else if what.is_same(by) {
            let more = what.tells_more(by);
            what = what.observe(&mut event, by, known.as_ref());
            if more {
                what.name(&mut event, by);
                node.priced = priced(what.of_id(by.id), Lent::Below, &event);
            }
            self.ask(by, asks);
            true
        } else {
            found.repeats.push(call.id);
            false
        };
        self.changed = true;
        let names = (call.provider(), call.model());
        // What is below it may have come before the way up was known.
        let node = self.node(key);
        if node.below > Below::Nothing {
            let (below, calls) = (node.below, node.calls().collect::<Vec<_>>());
            for (by, _) in calls {
                self.cover(parent, (below, by), names, found);
            }
        }
        if !view {
            self.cover(parent, (own, what), names, found);
        }
        counts.then_some(event)
    }

    /// Something lies below `from`; `names`: what it asked whom for.
    fn cover(&mut self, from: SpanKey, (below, by): (Below, Call), names: (Label, Label), found: &mut Found) {
        let (mut at, mut below, mut by, mut further, mut gone) = (from, below, by, 0, None);
        while at != 0 && below > Below::Nothing {
            let mut known = false;
            if below > Below::Apart {
                (by, known) = self.tie(at, by, found);
            }
            let node = self.node(at);
            let (largest, others) = (node.by.id, node.others.as_ref());
            let answers = |id: EventId| {
                id == largest || others.is_some_and(|others| others.0.iter().any(|(known, _)| known.id == id))
            };
            let priced = node.priced.take_if(|priced| {
                let repeats = priced.by_what == Below::Apart || priced.call.is_like(by);
                // What is told of a call below it is told until that one is taken back.
                let stays = priced.lent == Lent::Below && gone != Some(priced.call.id);
                priced.by_what <= below
                    && priced.call.id != by.id
                    && repeats
                    && !stays
                    && (!answers(priced.call.id) || priced.lent == Lent::Below || gone == Some(priced.call.id))
            });
            let outer = node.priced.as_ref().filter(|outer| {
                outer.call.id == by.id && outer.is_own() && outer.call.is_same(by) && outer.call.tells_more(by)
            });
            let node = match outer.cloned() {
                None => node,
                Some(outer) => {
                    // Both have the identity of the response.
                    found.lent.extend(self.told_of(&outer, by));
                    self.node(at)
                }
            };
            // A view is of the largest of several calls of its model: the others are what a gateway asks about it. And it is of none that
            // was taken back.
            let other = node.below == below && below > Below::Apart && node.lies_beside(by, names, gone);
            if node.below >= below {
                further += 1;
                if priced.is_none() && (!other || further > FURTHER) {
                    return;
                }
            }
            if node.below < below {
                node.lies_below(below, by, names);
            }
            let next = node.parent;
            // It stands for a call beside it, too; unless that is one above it, of which it was not known, and which goes with it.
            let stands = priced.as_ref().is_some_and(|priced| {
                let shared = priced.lent == Lent::Shared && !known && gone != Some(priced.call.id);
                (shared || priced.lent == Lent::Beside) && !self.is_above(next, priced)
            });
            let beside = |priced: &Priced| stands && priced.call.is_same(by);
            // What it is a view of, by one identity, went before it: nothing is left of that.
            let whole = priced.as_ref().is_some_and(|priced| gone == Some(priced.call.id));
            gone = priced
                .as_ref()
                .filter(|priced| !beside(priced))
                .map(|priced| priced.call.id)
                .or(gone);
            let node = self.node(at);
            if node.apart {
                below = Below::Apart;
            }
            self.changed = true;
            found.repeats.extend(self.held.remove(&at).map(|held| held.id));
            if let Some(priced) = priced {
                if priced.call.is_same(by) {
                    self.ask(by, priced.who);
                }
                let more = priced.call.is_same(by) && priced.call.tells_more(by);
                if more {
                    // What it tells is of that call from now on.
                    self.node(at).priced = Some(Priced {
                        call: priced.call.of_id(by.id),
                        lent: Lent::Below,
                        ..priced.clone()
                    });
                }
                match beside(&priced) {
                    // It was told as a call beside it, which stays.
                    true => {
                        found.lent.extend(self.told_of(&priced, by).filter(|_| more));
                        found.lent.extend(priced.who.observation(by.id, names));
                    }
                    false => {
                        self.take_others(at, priced.call, by, names, found);
                        let known = self.split(by);
                        found.taken_back.push(TakenBack::of(priced, by, names, whole, known));
                    }
                }
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
        let calls: Vec<_> = if covered { node.calls().collect() } else { Vec::new() };
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
            for (by, names) in calls {
                self.cover(parent, (below, by), names, found);
            }
        }
    }

    /// Notes what Codex says of the model at a span, for the calls below it.
    pub fn name(&mut self, key: SpanKey, model: Label) {
        self.node(key).codex = Some(model);
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
            self.cover(parent, (Below::Apart, Call::of_span(key, &event)), names, found);
        }
        self.settle_gaps(found);
        self.nodes.forget(REMEMBERED);
        let named = self.nameless.named(&self.nodes);
        let mut events: Vec<UsageEvent> = self
            .held
            .drain()
            .map(|(key, mut event)| {
                found.calls += u64::from(self.nameless.take(key, &mut event, &self.nodes));
                if let Some(node) = self.nodes.get_mut(key) {
                    let nanos = event.at.timestamp_nanos_opt();
                    node.priced = nanos.map(|nanos| Priced {
                        call: Call::of_span(key, &event),
                        nanos,
                        by_what: Below::Apart,
                        lent: Lent::No,
                        split: Split::of(&event),
                        outdone: false,
                        recorded: false,
                        raised: false,
                        // What an agent is for does not say who asked for the calls below it.
                        who: Who::default(),
                    });
                }
                event
            })
            .collect();
        found.calls += named.len() as u64;
        events.extend(named);
        self.changed |= !events.is_empty();
        events.sort_by_key(|event| event.id);
        events
    }

    /// Whether so many spans are remembered that the oldest should be settled.
    pub fn full(&self) -> bool {
        self.nodes.len() > 2 * REMEMBERED || self.gaps.len() > REMEMBERED
    }
}

#[cfg(test)]
mod orders;
#[cfg(test)]
mod tests;
