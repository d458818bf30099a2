//! What only one of two spans of a call tells, while only the other one tells of caches.

use super::*;

/// Pairs of which the outer ones tell of caches, or the inner ones, and one of each the tier.
fn told(below: bool, responses: (bool, bool), inner_reads: bool, inner_tier: bool) -> Vec<Span> {
    let mut spans = pairs(2, below, responses, 0);
    for (place, span) in spans.iter_mut().enumerate() {
        let inner = place % 2 == 1;
        span.read = if inner == inner_reads { 700 } else { 0 };
        span.tier = if inner == inner_tier { "priority" } else { "" };
    }
    spans
}

#[test]
fn a_call_has_the_tier_that_one_span_tells_and_the_caches_that_the_other_tells() {
    for (inner_reads, inner_tier) in [(false, false), (false, true), (true, false), (true, true)] {
        for responses in RESPONSES {
            let about = format!("{responses:?}, caches {inner_reads}, tier {inner_tier}");
            for runs in [false, true] {
                let below = told(true, responses, inner_reads, inner_tier);
                always(&about, &below, (2, 1400), runs);
            }
            let beside = told(false, responses, inner_reads, inner_tier);
            always(&about, &beside, (2, 1400), false);
        }
    }
}

#[test]
fn of_two_tiers_that_was_answered_which_was_not_asked_for() {
    for (outer, inner) in [
        ("priority", "standard"),
        ("standard", "flex"),
        ("standard", ""),
        ("", "standard"),
    ] {
        let mut spans = pairs(1, true, (false, true), 700);
        (spans[0].tier, spans[1].tier) = (outer, inner);
        for order in orders(2) {
            let (mut traces, mut out) = (Traces::default(), Output::default());
            order.iter().for_each(|place| spans[*place].meet(&mut traces, &mut out));
            let calls = out.events.iter().copied().filter(|call| call.tokens.total() > 0);
            let call = calls.reduce(UsageEvent::merge).unwrap();
            assert_eq!(call.tier().as_str(), "standard", "{outer} {inner} {order:?}");
            assert_eq!(call.tokens.get(Bucket::CacheRead), 700);
        }
    }
}

/// Of three, one below the other, one tells of caches and some a tier.
#[test]
fn caches_that_one_of_three_spans_tells_are_not_lost_to_a_tier_that_another_tells() {
    for told in (0..64_usize).filter(|told| (told % 8).count_ones() < 2) {
        for which in 0..8_usize {
            let has = |set: usize, place: usize| set >> place & 1 == 1;
            let responses = [0, 1, 2].map(|place| has(which, place));
            let mut spans = chain([false, false], responses, 0);
            for (place, span) in spans.iter_mut().enumerate() {
                span.read = if has(told, place) { 700 } else { 0 };
                span.tier = if has(told, place + 3) { "priority" } else { "" };
            }
            let read = if told % 8 > 0 { 700 } else { 0 };
            for order in orders(3) {
                let kept = met(
                    &order,
                    |_| false,
                    false,
                    |place, traces, out| spans[place].meet(traces, out),
                );
                let calls = kept.values().filter(|call| call.tokens.total() > 0);
                let seen: Vec<_> = calls
                    .map(|call| (call.tokens.prompt(), call.tokens.get(Bucket::CacheRead)))
                    .collect();
                assert_eq!(seen, [(800, read)], "{told:06b}, {responses:?}, {order:?}");
            }
        }
    }
}
