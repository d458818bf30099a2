//! What counts of the spans of a trace, in every order.

mod any_order;
mod models;
mod parts;

use chrono::DateTime;

use super::*;
use crate::adapters::files::line::Output;
use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, Rank};
use crate::ports::{Checkpoint, Checkpoints};

/// The calls that are kept of spans in an order, handed over after some of them and at the end, where a run may end, too.
pub(super) fn met(
    order: &[usize],
    ends: impl Fn(usize) -> bool,
    runs: bool,
    meet: impl Fn(usize, &mut Traces, &mut Output),
) -> std::collections::BTreeMap<EventId, UsageEvent> {
    let (mut traces, mut out) = (Traces::default(), Output::default());
    let mut kept = std::collections::BTreeMap::<EventId, UsageEvent>::new();
    let mut ledger = Checkpoints::new();
    for (nth, place) in order.iter().enumerate() {
        meet(*place, &mut traces, &mut out);
        if ends(nth) || nth + 1 == order.len() {
            for call in out.events.drain(..) {
                let known = kept.get(&call.id).copied().unwrap_or(call);
                kept.insert(call.id, known.merge(call));
            }
            if runs {
                restart(&mut traces, &mut ledger);
            }
        }
    }
    kept
}

/// Ends a run and begins the next one, with what the ledger keeps.
pub(super) fn restart(traces: &mut Traces, ledger: &mut Checkpoints) {
    ledger.extend(traces.save());
    ledger.retain(|_, at| *at != Checkpoint::NONE);
    *traces = Traces::resume(Label::EMPTY, ledger);
}

fn event(n: u8) -> UsageEvent {
    let at = DateTime::from_timestamp(1_790_000_000 + i64::from(n), 0).unwrap();
    let mut call = UsageEvent::new(EventId([n; 16]), at, "p".into(), "m".into());
    call.rank.authority = Rank::SPAN;
    call
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
                _ => assert!(traces.call(3, 2, &event(3), None, &mut found).is_some()),
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

/// A call of a model with so much output, which began as many seconds later as its number.
fn answer(n: u8, model: &str, output: u64) -> UsageEvent {
    let mut call = event(n);
    call.dimensions.set(Dimension::Model, model.into());
    call.tokens.set(Bucket::Output, output);
    call
}

/// What is spend of spans that come in this order, each with its number, that of its parent and its call, or whether it is a tool:
/// by identity what they answered and the second at which they began. Each comes in a run of its own, or all in one request.
fn spend(spans: &[(u64, u64, Result<UsageEvent, bool>)], order: &[usize], runs: bool) -> Vec<(u8, u64, i64)> {
    let mut traces = Traces::default();
    let mut kept = std::collections::BTreeMap::<u8, UsageEvent>::new();
    let mut out = Output::default();
    let mut ledger = Checkpoints::new();
    for place in order {
        let (key, parent, what) = spans[*place];
        let mut found = Found::default();
        match what {
            Ok(call) => out.events.extend(traces.call(key, parent, &call, None, &mut found)),
            Err(tool) => traces.link(key, parent, tool, None, &mut found),
        }
        found.tell(&mut out);
        if runs {
            restart(&mut traces, &mut ledger);
        }
        if runs || place == order.last().unwrap() {
            for call in out.events.drain(..) {
                let known = kept.get(&call.id.0[0]).copied().unwrap_or(call);
                kept.insert(call.id.0[0], known.merge(call));
            }
        }
    }
    let kept = kept.into_iter().filter(|(_, call)| call.tokens.total() > 0);
    kept.map(|(id, call)| (id, call.tokens.get(Bucket::Output), call.at.timestamp() - 1_790_000_000))
        .collect()
}

fn orders(spans: usize) -> Vec<Vec<usize>> {
    if spans == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(spans - 1);
    let places = |order: &Vec<usize>| {
        (0..spans)
            .map(|at| [&order[..at], &[spans - 1], &order[at..]].concat())
            .collect::<Vec<_>>()
    };
    shorter.iter().flat_map(places).collect()
}

/// Whatever the order is, in one request and over runs, these identities are spend, with so much output.
fn always(spans: &[(u64, u64, Result<UsageEvent, bool>)], expected: &[(u8, u64)]) {
    for order in orders(spans.len()) {
        for runs in [false, true] {
            let seen: Vec<(u8, u64)> = spend(spans, &order, runs)
                .iter()
                .map(|(id, output, _)| (*id, *output))
                .collect();
            assert_eq!(seen, expected, "{order:?}, runs: {runs}");
        }
    }
}

#[test]
fn a_call_above_a_call_is_a_view_of_it_in_any_order_and_over_runs() {
    let (one, two, three) = (answer(1, "m", 100), answer(2, "m-20260101", 100), answer(3, "m", 100));
    let chain = [(1, 0, Ok(one)), (2, 1, Ok(two)), (3, 2, Ok(three))];
    always(&chain, &[(3, 100)]);
    let mut outer = one;
    outer.id = three.id;
    // The innermost and the outermost have the identity of the answer.
    always(&[(1, 0, Ok(outer)), chain[1], chain[2]], &[(3, 100)]);
    always(&[chain[0], (2, 1, Ok(outer))], &[(3, 100)]);
    always(&[chain[0], (11, 1, Err(false)), (2, 11, Ok(two))], &[(2, 100)]);
    // One that sums up those below it.
    let sum = answer(1, "m", 150);
    always(
        &[(1, 0, Ok(sum)), (2, 1, Ok(two)), (3, 1, Ok(answer(3, "m", 50)))],
        &[(2, 100), (3, 50)],
    );
    // Delivered again.
    assert_eq!(spend(&chain, &[2, 1, 0, 0, 1, 2, 0], true), [(3, 100, 1)]);
}

#[test]
fn a_call_that_is_no_view_of_that_below_it_is_spend_of_its_own() {
    let one = answer(1, "m", 100);
    let two = answer(2, "m", 100);
    always(
        &[(1, 0, Ok(one)), (11, 1, Err(true)), (2, 11, Ok(two))],
        &[(1, 100), (2, 100)],
    );
    let mut embedding = event(2);
    embedding.tokens.set(Bucket::InputUncached, 9);
    let alone = spend(&[(1, 0, Ok(one)), (2, 1, Ok(embedding))], &[1, 0], true);
    assert_eq!(alone.len(), 2, "looked up by the gateway");
    // What a gateway asks about the call, alone and beside it.
    let judge = answer(2, "m-mini", 5);
    always(&[(1, 0, Ok(one)), (2, 1, Ok(judge))], &[(1, 100), (2, 5)]);
    let asked = answer(3, "m-9", 100);
    always(
        &[(1, 0, Ok(one)), (2, 1, Ok(judge)), (3, 1, Ok(asked))],
        &[(2, 5), (3, 100)],
    );
}

#[test]
fn of_two_views_the_better_usage_counts_and_the_outer_one_tells_who_asked() {
    let (mut one, two) = (answer(1, "m", 100), answer(2, "m", 100));
    let view = [(1, 0, Ok(one)), (2, 1, Ok(two))];
    // In one request and where what is below comes first, as it does, the view is known.
    assert_eq!(spend(&view, &[1, 0], true), [(2, 100, 1)]);
    assert_eq!(spend(&view, &[1, 0], false), [(2, 100, 1)]);
    assert_eq!(spend(&view, &[0, 1], false), [(2, 100, 1)]);
    // Only the view tells what was cached.
    one.tokens.set(Bucket::CacheRead, 7);
    for order in [[0, 1], [1, 0]] {
        let mut out = Output::default();
        let mut traces = Traces::default();
        for place in order {
            let (key, parent, call) = [(1, 0, one), (2, 1, two)][place];
            let mut found = Found::default();
            out.events.extend(traces.call(key, parent, &call, None, &mut found));
            found.tell(&mut out);
        }
        let merged = out.events.iter().copied().reduce(UsageEvent::merge).unwrap();
        assert_eq!(
            (merged.id, merged.tokens.get(Bucket::CacheRead)),
            (two.id, 7),
            "{order:?}"
        );
    }
}

#[test]
fn what_is_taken_back_has_the_names_of_the_call_below_also_where_the_way_up_is_known_last() {
    let call = answer(3, "m-9", 100);
    for agent in [false, true] {
        for ends in [&[][..], &[0, 1], &[0], &[1]] {
            for order in [[1, 3], [3, 1]] {
                let (mut traces, mut found) = (Traces::default(), Found::default());
                let mut ledger = Checkpoints::new();
                for (nth, key) in order.into_iter().enumerate() {
                    match (key, agent) {
                        (3, _) => drop(traces.call(3, 2, &call, None, &mut found)),
                        (_, true) => traces.link(1, 0, true, Some(answer(1, "", 100)), &mut found),
                        _ => drop(traces.call(1, 0, &answer(1, "", 100), None, &mut found)),
                    }
                    settled(&mut traces);
                    if ends.contains(&nth) {
                        restart(&mut traces, &mut ledger);
                    }
                }
                traces.link(2, 1, false, None, &mut found);
                let [back] = found.taken_back.as_slice() else {
                    panic!("{agent}, {ends:?}, {order:?}");
                };
                let names = (back.nothing.provider(), back.nothing.model());
                assert_eq!(names, ("p".into(), "m-9".into()), "{agent}, {ends:?}, {order:?}");
            }
        }
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
    let back: Vec<_> = found
        .taken_back
        .iter()
        .map(|b| (b.nothing.id, b.nothing.tokens.total()))
        .collect();
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
    let mut ledger = Checkpoints::new();
    restart(&mut traces, &mut ledger);
    let mut later = traces;
    assert!(later.save().is_empty());
    let mut found = Found::default();
    later.link(1, 0, true, Some(event(1)), &mut found);
    assert_eq!(settled(&mut later), [event(1)]);
    later.link(1, 0, true, Some(event(1)), &mut found);
    later.call(3, 1, &event(3), None, &mut found);
    let merged = event(1).merge(found.taken_back.first().unwrap().nothing);
    assert_eq!((merged.id, merged.tokens.total()), (EventId([1; 16]), 0));
    let damaged = ledger.into_keys().map(|key| (key, Checkpoint(vec![1, 2, 3])));
    assert_eq!(Traces::resume(Label::EMPTY, &damaged.collect()).nodes.len(), 0);
}

/// What only the upper span tells of caches counts wherever it comes from: these spans in every order, those of each run handed over at its
/// end, are these calls with so many tokens from the cache. Each is told twice over where `again`.
fn cached(spans: &[(u64, u64, UsageEvent)], expected: &[(u8, u64)], again: bool) {
    let all: u32 = (1 << spans.len()) - 1;
    for order in orders(spans.len()) {
        for ends in (all / 2 + 1)..=all {
            let (mut traces, mut out) = (Traces::default(), Output::default());
            let mut kept = std::collections::BTreeMap::<u8, UsageEvent>::new();
            let mut ledger = Checkpoints::new();
            for place in order.iter().chain(order.iter().filter(|_| again)) {
                let (key, parent, call) = spans[*place];
                let mut found = Found::default();
                out.events.extend(traces.call(key, parent, &call, None, &mut found));
                found.tell(&mut out);
                let nth = order.iter().position(|known| known == place).unwrap();
                if ends & 1 << nth != 0 {
                    restart(&mut traces, &mut ledger);
                    for call in out.events.drain(..) {
                        let known = kept.get(&call.id.0[0]).copied().unwrap_or(call);
                        kept.insert(call.id.0[0], known.merge(call));
                    }
                }
            }
            let told: Vec<_> = kept
                .values()
                .filter(|call| call.tokens.total() > 0)
                .map(|call| (call.id.0[0], call.tokens.get(Bucket::CacheRead), call.tokens.prompt()))
                .collect();
            let expected: Vec<_> = expected.iter().map(|(id, read)| (*id, *read, 10)).collect();
            assert_eq!(told, expected, "{order:?}, runs end: {ends:b}");
        }
    }
}

#[test]
fn what_an_upper_span_tells_of_caches_counts_in_any_order_and_over_runs() {
    let plain = |n: u8| {
        let mut call = answer(n, "m", 100);
        call.tokens.set(Bucket::InputUncached, 10);
        call
    };
    let telling = |n: u8| {
        let mut call = plain(n);
        call.tokens.set(Bucket::InputUncached, 3);
        call.tokens.set(Bucket::CacheRead, 7);
        call
    };
    for again in [false, true] {
        cached(&[(1, 0, telling(1)), (2, 1, plain(2))], &[(2, 7)], again);
        cached(&[(1, 0, telling(1)), (2, 1, telling(2))], &[(2, 7)], again);
        // With others between them, one of which tells it.
        for tells in 1..4 {
            let of = |n| if n == tells { telling(n) } else { plain(n) };
            cached(&[(1, 0, of(1)), (2, 1, of(2)), (3, 2, of(3))], &[(3, 7)], again);
            cached(
                &[(1, 0, of(1)), (2, 1, of(2)), (3, 2, of(3)), (4, 3, of(4))],
                &[(4, 7)],
                again,
            );
        }
    }
}

#[test]
fn what_an_upper_span_tells_of_one_call_stays_where_another_comes_beside_that() {
    let mut outer = answer(1, "m", 100);
    outer.tokens.set(Bucket::CacheRead, 7);
    let (large, small) = (answer(2, "m", 100), answer(3, "m", 60));
    always(
        &[(1, 0, Ok(outer)), (2, 1, Ok(large)), (3, 1, Ok(small))],
        &[(2, 100), (3, 60)],
    );
}

#[test]
fn what_was_not_recorded_is_taken_back_again() {
    let mut traces = Traces::default();
    traces.link(1, 0, true, Some(event(1)), &mut Found::default());
    traces.call(11, 0, &answer(11, "m", 100), None, &mut Found::default());
    settled(&mut traces);
    traces.save();
    for _ in 0..3 {
        traces.undo();
        traces.mark();
        let mut found = Found::default();
        assert!(traces.call(3, 1, &event(3), None, &mut found).is_some());
        assert!(traces.call(12, 11, &answer(12, "m", 100), None, &mut found).is_some());
        let back: Vec<_> = found.taken_back.iter().map(|back| back.nothing.id.0[0]).collect();
        assert_eq!(back, [1, 11]);
        assert!(!traces.save().is_empty());
    }
    traces.keep();
    traces.undo();
    let mut found = Found::default();
    traces.call(3, 1, &event(3), None, &mut found);
    assert!(found.taken_back.is_empty());
}
