//! Which spans of a trace repeat the usage of their descendants: agent spans, and those of unknown operations, are priced only where
//! neither a call nor another such span below them is.

use std::collections::{HashMap, VecDeque};

use chrono::DateTime;

use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::line::Output;

/// A span by its trace and its own id.
pub(in super::super) type SpanKey = u64;

/// The key of a span; 0 for none.
pub(super) fn span_key(trace: &str, span: &str) -> SpanKey {
    if span.is_empty() {
        return 0;
    }
    let id = EventId::of(&[b"span", trace.as_bytes(), span.as_bytes()]);
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1)
}

/// What is known of a span that may have calls below it.
#[derive(Clone, Copy, Default)]
struct Node {
    parent: SpanKey,
    /// A priced call lies below.
    covered: bool,
    /// It was priced itself, before a call below it was met: its identity and time.
    priced: Option<(EventId, i64)>,
}

/// Spans remembered; beyond that the oldest are forgotten: 40 MB.
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
}

/// What a span turned out to be.
#[derive(Default)]
pub(in super::super) struct Found {
    /// Agent spans that are no spend of their own.
    pub repeats: Vec<EventId>,
    /// Agent spans that were priced by an earlier run and must not be: the same calls with nothing in them.
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

    /// A priced call lies below `parent`.
    pub fn call(&mut self, parent: SpanKey, call: &UsageEvent, found: &mut Found) {
        let mut at = parent;
        while at != 0 {
            let node = self.node(at);
            if node.covered {
                return;
            }
            node.covered = true;
            let (next, priced) = (node.parent, node.priced.take());
            self.changed = true;
            let held = self.held.remove(&at).map(|held| held.id);
            found.repeats.extend(held.or(priced.map(|(id, _)| id)));
            if let Some((id, nanos)) = priced {
                let at = DateTime::from_timestamp_nanos(nanos);
                let mut nothing = UsageEvent::new(id, at, call.provider(), call.model());
                nothing.rank.authority = 1;
                found.taken_back.push(nothing);
            }
            at = next;
        }
    }

    /// A span that is no call: `usage` where it says what its descendants used.
    pub fn link(&mut self, key: SpanKey, parent: SpanKey, usage: Option<UsageEvent>, found: &mut Found) {
        if parent == 0 && usage.is_none() {
            return;
        }
        let node = self.node(key);
        let known = std::mem::replace(&mut node.parent, parent);
        let covered = node.covered;
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
            let call = UsageEvent::new(EventId::of(&[]), DateTime::UNIX_EPOCH, Label::EMPTY, Label::EMPTY);
            self.call(parent, &call, found);
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
            self.call(parent, &event, found);
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
                    node.priced = event.at.timestamp_nanos_opt().map(|nanos| (event.id, nanos));
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
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&node.parent.to_le_bytes());
            let (id, nanos) = node.priced.unwrap_or((EventId([0; 16]), 0));
            bytes.push(u8::from(node.covered) | u8::from(node.priced.is_some()) << 1);
            if node.priced.is_some() {
                bytes.extend_from_slice(&id.0);
                bytes.extend_from_slice(&nanos.to_le_bytes());
            }
        }
        Some(bytes)
    }

    /// Takes up what `save` gave; damaged bytes end it early.
    pub fn load(&mut self, mut bytes: &[u8]) {
        fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
            let (front, rest) = bytes.split_first_chunk::<N>()?;
            *bytes = rest;
            Some(*front)
        }
        let mut next = || {
            let key = u64::from_le_bytes(take::<8>(&mut bytes)?);
            let parent = u64::from_le_bytes(take::<8>(&mut bytes)?);
            let [flags] = take::<1>(&mut bytes)?;
            let priced = if flags & 2 == 0 {
                None
            } else {
                Some((
                    EventId(take::<16>(&mut bytes)?),
                    i64::from_le_bytes(take::<8>(&mut bytes)?),
                ))
            };
            let covered = flags & 1 != 0;
            Some((
                key,
                Node {
                    parent,
                    covered,
                    priced,
                },
            ))
        };
        while let Some((key, node)) = next() {
            *self.node(key) = node;
        }
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    1 => traces.link(1, 0, Some(event(1)), &mut found),
                    2 => traces.link(2, 1, None, &mut found),
                    _ => traces.call(2, &event(3), &mut found),
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
                traces.link(span.into(), u64::from(span) - 1, usage, &mut found);
            }
            assert_eq!(traces.settle(&mut found), [event(4)], "{order:?}");
            found.repeats.sort();
            assert_eq!(found.repeats, [EventId([1; 16]), EventId([3; 16])], "{order:?}");
        }
    }

    #[test]
    fn an_agent_span_of_a_later_run_takes_the_one_above_it_back() {
        let mut traces = Traces::default();
        traces.link(1, 0, Some(event(1)), &mut Found::default());
        assert_eq!(settled(&mut traces), [event(1)]);
        traces.link(2, 1, Some(event(2)), &mut Found::default());
        let mut found = Found::default();
        assert_eq!(traces.settle(&mut found), [event(2)]);
        let back: Vec<_> = found.taken_back.iter().map(|e| (e.id, e.tokens.total())).collect();
        assert_eq!(back, [(EventId([1; 16]), 0)]);
        // Delivered once more, it still repeats.
        traces.link(1, 0, Some(event(1)), &mut found);
        assert!(!traces.waiting());
    }

    #[test]
    fn an_agent_span_without_calls_is_priced_until_one_is_met_in_a_later_run() {
        let mut traces = Traces::default();
        traces.link(1, 0, Some(event(1)), &mut Found::default());
        assert_eq!(settled(&mut traces), [event(1)]);
        let mut later = Traces::default();
        later.load(&traces.save().unwrap());
        assert!(later.save().is_none());
        let mut found = Found::default();
        later.link(1, 0, Some(event(1)), &mut found);
        assert_eq!(settled(&mut later), [event(1)]);
        later.link(1, 0, Some(event(1)), &mut found);
        later.call(1, &event(3), &mut found);
        let merged = event(1).merge(*found.taken_back.first().unwrap());
        assert_eq!((merged.id, merged.tokens.total()), (EventId([1; 16]), 0));
        Traces::default().load(&[1, 2, 3]);
    }
}
