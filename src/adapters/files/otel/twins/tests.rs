//! Calls that are told side by side.

use super::*;
use crate::domain::usage::{Bucket, EventId, Rank};

fn at(millisecond: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000 + millisecond).unwrap()
}

fn call(id: u8, start: i64, output: u64) -> UsageEvent {
    let mut call = UsageEvent::new(EventId([id; 16]), at(start), "p".into(), "m".into());
    call.rank.authority = Rank::SPAN;
    call.tokens.set(Bucket::Output, output);
    call
}

fn told(trace: u64, emitter: &str, end: i64) -> Told {
    Told {
        trace,
        emitter: emitter.into(),
        end: Some(at(end)),
        named: None,
        ..Told::default()
    }
}

/// Meets one of no known place in its trace, or below one.
fn meeting(twins: &mut Twins, key: SpanKey, upper: &[SpanKey], call: &UsageEvent, told: &Told) -> Twin {
    twins.meet((key, upper), call, told, &Nodes::default(), &mut Vec::new())
}

/// Meets calls in one trace; the numbers are those of the spans.
fn meet(twins: &mut Twins, id: u8, emitter: &str, (start, end): (i64, i64), output: u64) -> Option<u8> {
    match meeting(twins, id.into(), &[], &call(id, start, output), &told(1, emitter, end)) {
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
    // Of so many kinds none is forgotten before it is known what stays.
    for kinds in [0, REMEMBERED as u64 + 1] {
        twins.mark();
        assert_eq!(meet(&mut twins, 2, "b", (100, 800), 100), Some(1), "{kinds}");
        for kind in 0..kinds {
            let other = call(3, 0, 1_000 + kind);
            meeting(&mut twins, 1_000 + kind, &[], &other, &told(1, "a", 900));
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

/// As two exporters write them, each into a file of its own.
#[test]
fn of_many_kinds_the_oldest_are_forgotten() {
    let mut twins = Twins::default();
    let mut joined = |emitter: &str, kinds: std::ops::Range<u64>, key: u64| {
        kinds
            .filter(|kind| {
                let call = call(emitter.as_bytes()[0], 0, 1 + kind);
                let twin = meeting(&mut twins, key + kind, &[], &call, &told(1, emitter, 900));
                matches!(twin, Twin::Same(_))
            })
            .count()
    };
    let many = REMEMBERED as u64 / 2;
    assert_eq!(joined("a", 0..many, 1), 0);
    assert_eq!(joined("b", 0..many, 1 << 32), REMEMBERED / 2);
    assert_eq!(joined("a", many..2 * many, 1), 0);
    assert_eq!(joined("c", many..2 * many, 1 << 33), REMEMBERED / 2);
    assert_eq!(joined("d", 0..many, 1 << 34), 0);
    assert!(twins.kinds.len() <= REMEMBERED && twins.spans.len() <= REMEMBERED && twins.by_age.len() <= REMEMBERED);
}

#[test]
fn other_traces_and_models_are_suspected_and_what_lies_above_is_left_to_the_tree() {
    let mut twins = Twins::default();
    let told = |trace, emitter| told(trace, emitter, 900);
    let first = meeting(&mut twins, 1, &[], &call(1, 0, 7), &told(1, "a"));
    assert_eq!(first, Twin::None);
    let elsewhere = meeting(&mut twins, 2, &[], &call(2, 0, 7), &told(2, "b"));
    assert_eq!(elsewhere, Twin::Suspected("a".into()));
    let mut other = call(3, 0, 7);
    other
        .dimensions
        .set(crate::domain::dimension::Dimension::Model, "n".into());
    let another = meeting(&mut twins, 3, &[], &other, &told(1, "c"));
    assert_eq!(another, Twin::Suspected("b".into()));
    let mut twins = Twins::default();
    meeting(&mut twins, 1, &[], &call(1, 0, 7), &told(1, "a"));
    let below = meeting(&mut twins, 2, &[1], &call(2, 10, 7), &told(1, "b"));
    assert_eq!(below, Twin::None);
    let beside = meeting(&mut twins, 3, &[], &call(3, 10, 7), &told(1, "a"));
    assert_eq!(beside, Twin::None, "of that emitter another tells the call already");
}
