//! Which spans of a trace repeat the usage of their descendants: agent spans, and those of unknown operations, are priced only where
//! neither a call nor another such span below them is. A model asks no model: a call with a call right below it is a view of that.

use std::collections::{HashMap, VecDeque};

use chrono::DateTime;

use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::line::Output;
use super::node::{Below, Node, SpanKey, brief};
use super::twins::Twins;

/// Spans remembered; beyond that the oldest are forgotten: 60 MB.
const REMEMBERED: usize = 1 << 19;

/// Spans that go into a checkpoint, the newest ones: a trace is rarely open for longer than that.
const KEPT: usize = 4096;

/// The traces of one source.
#[derive(Default)]
pub(in super::super) struct Traces {
    nodes: HashMap<SpanKey, Node, rustc_hash::FxBuildHasher>,
    order: VecDeque<SpanKey>,
    /// Agent spans with usage that have no priced call below them so far.
    held: HashMap<SpanKey, UsageEvent>,
    changed: bool,
    /// Calls that may be told twice.
    pub(super) twins: Twins,
}

/// What a span turned out to be.
#[derive(Default)]
pub(in super::super) struct Found {
    /// Spans that are no spend of their own.
    pub repeats: Vec<EventId>,
    /// Spans that were priced before and must not be: the same calls with nothing in them.
    pub taken_back: Vec<UsageEvent>,
}

impl Found {
    /// Yields it.
    pub fn tell(self, out: &mut Output) {
        for id in self.repeats {
            out.excluded_once.push(("parent_spans", id));
        }
        out.events.extend(self.taken_back);
    }
}

impl Traces {
    fn node(&mut self, key: SpanKey) -> &mut Node {
        if !self.nodes.contains_key(&key) {
            self.order.push_back(key);
            self.changed = true;
        }
        self.nodes.entry(key).or_default()
    }

    /// A call; whether it is spend of its own. One with the identity of the call below it is the same observation of that, and as good.
    pub fn call(&mut self, key: SpanKey, parent: SpanKey, call: &UsageEvent, found: &mut Found) -> bool {
        let (own, id) = (Below::of(call), brief(call.id));
        let node = self.node(key);
        node.parent = parent;
        let covered = node.below >= own;
        let repeats = covered && node.by != id;
        if repeats {
            found.repeats.push(call.id);
        } else {
            node.priced = call.at.timestamp_nanos_opt().map(|nanos| (call.id, nanos, own));
        }
        let (below, by) = if covered { (node.below, node.by) } else { (own, id) };
        self.changed = true;
        self.cover(parent, (below, by), (call.provider(), call.model()), found);
        !repeats
    }

    /// Something lies below `from`; `names`: what it asked whom for.
    fn cover(&mut self, from: SpanKey, (below, by): (Below, u64), names: (Label, Label), found: &mut Found) {
        let (mut at, mut below) = (from, below);
        while at != 0 {
            let node = self.node(at);
            if node.below >= below {
                return;
            }
            (node.below, node.by) = (below, by);
            let next = node.parent;
            let priced = node
                .priced
                .take_if(|(id, _, by_what)| *by_what <= below && brief(*id) != by);
            if node.apart {
                below = Below::Apart;
            }
            self.changed = true;
            let held = self.held.remove(&at).map(|held| held.id);
            found.repeats.extend(held.or(priced.map(|(id, ..)| id)));
            if let Some((id, nanos, _)) = priced {
                let at = DateTime::from_timestamp_nanos(nanos);
                let mut nothing = UsageEvent::new(id, at, names.0, names.1);
                nothing.rank.authority = 1;
                found.taken_back.push(nothing);
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
            let parent = self.nodes.get(&key).map_or(0, |node| node.parent);
            let names = (event.provider(), event.model());
            self.cover(parent, (Below::Apart, brief(event.id)), names, found);
        }
        while self.order.len() > REMEMBERED {
            if let Some(key) = self.order.pop_front() {
                self.nodes.remove(&key);
            }
        }
        let mut events: Vec<UsageEvent> = self
            .held
            .drain()
            .map(|(key, event)| {
                if let Some(node) = self.nodes.get_mut(&key) {
                    let nanos = event.at.timestamp_nanos_opt();
                    node.priced = nanos.map(|nanos| (event.id, nanos, Below::Apart));
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
        self.order.len() > 2 * REMEMBERED
    }

    /// The newest spans as bytes, if anything changed since this was asked last.
    pub fn save(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let skipped = self.order.len().saturating_sub(KEPT);
        let mut bytes = Vec::new();
        for (key, node) in self
            .order
            .iter()
            .skip(skipped)
            .filter_map(|k| Some((k, self.nodes.get(k)?)))
        {
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
mod tests {
    use super::*;
    use crate::domain::usage::Bucket;

    fn event(n: u8) -> UsageEvent {
        let at = DateTime::from_timestamp(1_790_000_000 + i64::from(n), 0).unwrap();
        UsageEvent::new(EventId([n; 16]), at, "p".into(), "m".into())
    }

    fn settled(traces: &mut Traces) -> Vec<UsageEvent> {
        traces.settle(&mut Found::default())
    }

    /// Root 1, tool 2, call 3 below it: whatever order they come in, the root is a repetition.
    #[test]
    fn the_order_of_spans_does_not_matter() {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut traces = Traces::default();
            let mut found = Found::default();
            for span in order {
                match span {
                    1 => traces.link(1, 0, true, Some(event(1)), &mut found),
                    2 => traces.link(2, 1, true, None, &mut found),
                    _ => assert!(traces.call(3, 2, &event(3), &mut found)),
                }
            }
            assert_eq!(found.repeats, [EventId([1; 16])], "{order:?}");
            assert!(settled(&mut traces).is_empty() && !traces.waiting());
        }
    }

    /// Agents 1, 3 and 4, tool 2, each below the one before: whatever order they come in, the innermost agent stands for all.
    #[test]
    fn of_agent_spans_within_each_other_the_innermost_is_priced() {
        for order in [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2], [2, 4, 1, 3]] {
            let mut traces = Traces::default();
            let mut found = Found::default();
            for span in order {
                let usage = (span != 2).then(|| event(span));
                traces.link(span.into(), u64::from(span) - 1, true, usage, &mut found);
            }
            assert_eq!(traces.settle(&mut found), [event(4)], "{order:?}");
            found.repeats.sort();
            assert_eq!(found.repeats, [EventId([1; 16]), EventId([3; 16])], "{order:?}");
        }
    }

    fn answer(n: u8) -> UsageEvent {
        let mut call = event(n);
        call.tokens.set(Bucket::Output, 100);
        call
    }

    /// What is spend of the calls of a chain, each right below the one before, that come in this order.
    fn spend(chain: &[UsageEvent], order: &[u64], between: Option<bool>) -> Vec<u8> {
        let mut traces = Traces::default();
        let mut kept = std::collections::BTreeMap::new();
        for key in order {
            // Keys of 10 and more are of what lies between.
            let mut found = Found::default();
            let parent = |key: u64| match between {
                Some(_) if key > 1 => key + 9,
                _ => key - 1,
            };
            match chain.get(usize::try_from(*key).unwrap().wrapping_sub(1)) {
                Some(call) if traces.call(*key, parent(*key), call, &mut found) => {
                    kept.insert(call.id.0[0], call.tokens.total());
                }
                Some(_) => {}
                None => traces.link(*key, key - 10, between.unwrap(), None, &mut found),
            }
            for nothing in found.taken_back {
                kept.insert(nothing.id.0[0], 0);
            }
            let mut later = Traces::default();
            if let Some(saved) = traces.save() {
                later.load(&saved);
                traces = later;
            }
        }
        kept.into_iter()
            .filter(|(_, total)| *total > 0)
            .map(|(id, _)| id)
            .collect()
    }

    #[test]
    fn a_call_above_a_call_is_a_view_of_it_in_any_order_and_over_runs() {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            assert_eq!(
                spend(&[answer(1), answer(2), answer(3)], &order, None),
                [3],
                "{order:?}"
            );
        }
        for order in [[1, 2], [2, 1]] {
            assert_eq!(spend(&[answer(1), answer(1)], &order, None), [1], "the same identity");
            let mut embedding = event(2);
            embedding.tokens.set(Bucket::InputUncached, 9);
            assert_eq!(
                spend(&[answer(1), embedding], &order, None),
                [1, 2],
                "looked up by the gateway"
            );
        }
        for order in [[1, 11, 2], [2, 11, 1], [11, 1, 2], [1, 2, 11], [2, 1, 11], [11, 2, 1]] {
            let chain = [answer(1), answer(2)];
            assert_eq!(spend(&chain, &order, Some(true)), [1, 2], "a tool that asks: {order:?}");
            assert_eq!(spend(&chain, &order, Some(false)), [2], "a request: {order:?}");
        }
    }

    #[test]
    fn an_agent_span_of_a_later_run_takes_the_one_above_it_back() {
        let mut traces = Traces::default();
        traces.link(1, 0, true, Some(event(1)), &mut Found::default());
        assert_eq!(settled(&mut traces), [event(1)]);
        traces.link(2, 1, true, Some(event(2)), &mut Found::default());
        let mut found = Found::default();
        assert_eq!(traces.settle(&mut found), [event(2)]);
        let back: Vec<_> = found.taken_back.iter().map(|e| (e.id, e.tokens.total())).collect();
        assert_eq!(back, [(EventId([1; 16]), 0)]);
        // Delivered once more, it still repeats.
        traces.link(1, 0, true, Some(event(1)), &mut found);
        assert!(!traces.waiting());
    }

    #[test]
    fn an_agent_span_without_calls_is_priced_until_one_is_met_in_a_later_run() {
        let mut traces = Traces::default();
        traces.link(1, 0, true, Some(event(1)), &mut Found::default());
        assert_eq!(settled(&mut traces), [event(1)]);
        let mut later = Traces::default();
        later.load(&traces.save().unwrap());
        assert!(later.save().is_none());
        let mut found = Found::default();
        later.link(1, 0, true, Some(event(1)), &mut found);
        assert_eq!(settled(&mut later), [event(1)]);
        later.link(1, 0, true, Some(event(1)), &mut found);
        later.call(3, 1, &event(3), &mut found);
        let merged = event(1).merge(*found.taken_back.first().unwrap());
        assert_eq!((merged.id, merged.tokens.total()), (EventId([1; 16]), 0));
        Traces::default().load(&[1, 2, 3]);
    }
}
