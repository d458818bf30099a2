//! Calls that look like one call told by two instrumentations side by side: neither span lies below the other, so that nothing says it.
//! Within one trace, the one inside the time of the other, they are one; elsewhere that is only suspected.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::node::{Call, SpanKey};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, UsageEvent};

/// Kinds of calls remembered; beyond that remembering starts anew.
const REMEMBERED: usize = 1 << 14;
/// Calls remembered of a kind: more are rarely in the air at once with the same tokens.
const OF_A_KIND: usize = 16;
/// Instrumentations that may tell one call.
const TELLERS: usize = 3;
/// By how much clocks of different fineness may disagree on what is within what.
const FINENESS: TimeDelta = TimeDelta::milliseconds(5);

/// Where and when a call was told, and by whom.
#[derive(Clone, Copy)]
pub(in super::super) struct Told {
    /// The trace.
    pub trace: u64,
    /// The instrumentation.
    pub emitter: Label,
    /// When the span ended, where it says so.
    pub end: Option<DateTime<Utc>>,
}

/// A call that was met.
#[derive(Clone)]
struct Seen {
    trace: u64,
    call: Call,
    /// The spans that told it, the first one first, and from whom they are.
    tellers: [(SpanKey, Label); TELLERS],
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Seen {
    fn is_within(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        self.start + FINENESS >= start && self.end <= end + FINENESS
    }

    fn is_around(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        self.start <= start + FINENESS && self.end + FINENESS >= end
    }
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

/// Calls by provider and tokens.
type Kinds = HashMap<(Label, u64, u64), Vec<Seen>, rustc_hash::FxBuildHasher>;

/// The newest calls of a source.
#[derive(Default)]
pub(super) struct Twins {
    kinds: Kinds,
    before: Option<Before>,
}

/// What was known at a mark, of what has changed since.
#[derive(Default)]
struct Before {
    /// Kinds that have changed.
    kinds: Kinds,
    /// All of them, with these changes, where remembering started anew.
    all: Option<Kinds>,
}

impl Twins {
    /// Marks what is known now: it can be gone back to.
    pub fn mark(&mut self) {
        self.before = Some(Before::default());
    }

    /// Stays with what has changed since the mark.
    pub fn keep(&mut self) {
        self.before = None;
    }

    /// Goes back to the mark, if there is one.
    pub fn undo(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        if let Some(all) = before.all {
            self.kinds = all;
        }
        for (kind, seen) in before.kinds {
            match seen.is_empty() {
                true => self.kinds.remove(&kind),
                false => self.kinds.insert(kind, seen),
            };
        }
    }

    /// The calls of a kind, to be changed.
    fn of(&mut self, kind: (Label, u64, u64)) -> &mut Vec<Seen> {
        if self.kinds.len() >= REMEMBERED {
            let all = std::mem::take(&mut self.kinds);
            if let Some(before) = &mut self.before {
                before.all.get_or_insert(all);
            }
        }
        let known = self.kinds.entry(kind).or_default();
        if let Some(before) = self.before.as_mut().filter(|before| before.all.is_none()) {
            before.kinds.entry(kind).or_insert_with(|| known.clone());
        }
        known
    }

    /// Looks for a call of the same provider with as much input and output at the same time from another emitter, and remembers this one.
    /// `above` says whether a span lies above that of the call: what those tell is told by the tree.
    pub fn meet(&mut self, key: SpanKey, call: &UsageEvent, told: &Told, above: impl Fn(SpanKey) -> bool) -> Twin {
        let (input, output) = (call.tokens.prompt(), call.tokens.get(Bucket::Output));
        let Some(until) = told.end.filter(|_| output > 0) else {
            return Twin::None;
        };
        let (start, end, own) = (call.at, until, Call::of(call));
        let known = self.of((call.provider(), input, output));
        let again = |seen: &&Seen| seen.tellers.iter().any(|(known, _)| *known == key);
        if let Some(seen) = known.iter().find(again) {
            let [(first, _), ..] = seen.tellers;
            return if first == key {
                Twin::None
            } else {
                Twin::Same(seen.call)
            };
        }
        known.retain(|seen| {
            let [(first, _), ..] = seen.tellers;
            seen.trace != told.trace || !above(first)
        });
        let mut twin = Twin::None;
        for seen in known.iter_mut().rev() {
            let together = seen.start <= end && start <= seen.end;
            let other = seen.tellers.iter().all(|(_, emitter)| *emitter != told.emitter);
            if !together || !other || seen.call.id == own.id {
                continue;
            }
            let [(_, first), ..] = seen.tellers;
            let nested = seen.is_within(start, end) || seen.is_around(start, end);
            let free = seen.tellers.iter_mut().find(|(key, _)| *key == 0);
            if let Some(free) = free.filter(|_| seen.trace == told.trace && nested && seen.call.is_of(own)) {
                *free = (key, told.emitter);
                return Twin::Same(seen.call);
            }
            if twin == Twin::None {
                twin = Twin::Suspected(first);
            }
        }
        if known.len() >= OF_A_KIND {
            known.remove(0);
        }
        known.push(Seen {
            trace: told.trace,
            call: own,
            tellers: [(key, told.emitter), (0, Label::EMPTY), (0, Label::EMPTY)],
            start,
            end,
        });
        twin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::usage::EventId;

    fn at(millisecond: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_790_000_000_000 + millisecond).unwrap()
    }

    fn call(id: u8, start: i64, output: u64) -> UsageEvent {
        let mut call = UsageEvent::new(EventId([id; 16]), at(start), "p".into(), "m".into());
        call.tokens.set(Bucket::Output, output);
        call
    }

    /// Meets calls in one trace; the numbers are those of the spans.
    fn meet(twins: &mut Twins, id: u8, emitter: &str, (start, end): (i64, i64), output: u64) -> Option<u8> {
        let told = Told {
            trace: 1,
            emitter: emitter.into(),
            end: Some(at(end)),
        };
        match twins.meet(id.into(), &call(id, start, output), &told, |_| false) {
            Twin::Same(call) => Some(call.id.0[0]),
            Twin::None | Twin::Suspected(_) => None,
        }
    }

    #[test]
    fn what_two_tell_of_one_trace_within_each_other_is_one_call() {
        let mut twins = Twins::default();
        assert_eq!(meet(&mut twins, 1, "a", (0, 900), 100), None);
        for _ in 0..2 {
            assert_eq!(
                meet(&mut twins, 2, "b", (100, 800), 100),
                Some(1),
                "also where it is sent again"
            );
        }
        assert_eq!(meet(&mut twins, 3, "c", (99, 801), 100), Some(1), "a third one");
        assert_eq!(
            meet(&mut twins, 4, "b", (200, 800), 100),
            None,
            "another call of one of them"
        );
        assert_eq!(
            meet(&mut twins, 5, "a", (202, 803), 100),
            Some(4),
            "clocks of other fineness"
        );
        assert_eq!(
            meet(&mut twins, 6, "d", (300, 999), 100),
            None,
            "neither is within the other"
        );
        assert_eq!(meet(&mut twins, 7, "a", (2_000, 2_100), 100), None, "later");
        assert_eq!(meet(&mut twins, 8, "b", (2_000, 2_100), 101), None, "other tokens");
    }

    /// Many equal calls at once, each told twice: pairs, whatever the order.
    #[test]
    fn equal_calls_at_once_are_joined_one_to_one() {
        for order in [[1, 2, 3, 11, 12, 13], [1, 11, 2, 12, 3, 13], [11, 12, 1, 2, 3, 13]] {
            let mut twins = Twins::default();
            let joined: Vec<u8> = order
                .into_iter()
                .filter_map(|id| meet(&mut twins, id, if id > 10 { "b" } else { "a" }, (0, 900), 7))
                .collect();
            assert_eq!(joined.len(), 3, "{order:?}");
            assert!(
                (1..3).all(|n| joined[n - 1..n] != joined[n..=n]),
                "{order:?}: {joined:?}"
            );
        }
    }

    #[test]
    fn what_was_met_since_a_mark_can_be_undone() {
        let mut twins = Twins::default();
        assert_eq!(meet(&mut twins, 1, "a", (0, 900), 100), None);
        // So many kinds make remembering start anew.
        for kinds in [0, REMEMBERED as u64 + 1] {
            twins.mark();
            assert_eq!(meet(&mut twins, 2, "b", (100, 800), 100), Some(1), "{kinds}");
            for kind in 0..kinds {
                meet(&mut twins, 3, "a", (0, 900), 1_000 + kind);
            }
            assert_eq!(meet(&mut twins, 4, "c", (100, 800), 77), None);
            twins.undo();
        }
        assert_eq!(
            meet(&mut twins, 5, "b", (100, 800), 77),
            None,
            "what was with it is gone"
        );
        assert_eq!(
            meet(&mut twins, 6, "b", (100, 800), 100),
            Some(1),
            "and it is free again"
        );
    }

    #[test]
    fn other_traces_and_models_are_suspected_and_what_lies_above_is_left_to_the_tree() {
        let told = |trace, emitter: &str| Told {
            trace,
            emitter: emitter.into(),
            end: Some(at(900)),
        };
        let mut twins = Twins::default();
        assert_eq!(twins.meet(1, &call(1, 0, 7), &told(1, "a"), |_| false), Twin::None);
        let elsewhere = twins.meet(2, &call(2, 0, 7), &told(2, "b"), |_| false);
        assert_eq!(elsewhere, Twin::Suspected("a".into()));
        let mut other = call(3, 0, 7);
        other
            .dimensions
            .set(crate::domain::dimension::Dimension::Model, "n".into());
        assert_eq!(
            twins.meet(3, &other, &told(1, "c"), |_| false),
            Twin::Suspected("b".into())
        );
        let mut twins = Twins::default();
        twins.meet(1, &call(1, 0, 7), &told(1, "a"), |_| false);
        let below = twins.meet(2, &call(2, 10, 7), &told(1, "b"), |key| key == 1);
        assert_eq!(below, Twin::None);
    }
}
