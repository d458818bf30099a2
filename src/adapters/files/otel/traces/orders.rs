//! Equal calls at once, each told by several spans: so many calls count in any order, over requests and runs.

use chrono::{DateTime, TimeDelta};

use super::tests::met;
use super::*;
use crate::adapters::files::line::Output;
use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, Rank};
mod together;

/// A span of a call, in milliseconds from the first.
#[derive(Clone, Copy)]
struct Span {
    key: SpanKey,
    parent: SpanKey,
    /// Empty where it is no call, such as a request to a server.
    emitter: &'static str,
    times: (i64, i64),
    /// The number of its response, where it tells that.
    response: Option<u8>,
    /// Tokens from the cache.
    read: u64,
    tier: &'static str,
}

fn span(key: SpanKey, parent: SpanKey, emitter: &'static str, times: (i64, i64)) -> Span {
    Span {
        key,
        parent,
        emitter,
        times,
        response: None,
        read: 0,
        tier: "",
    }
}

impl Span {
    fn with(self, response: Option<u8>, read: u64) -> Self {
        Span { response, read, ..self }
    }

    fn meet(&self, traces: &mut Traces, out: &mut Output) {
        let at = |ms| DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::milliseconds(ms);
        let mut id = [0; 16];
        match self.response {
            Some(n) => id[..2].copy_from_slice(&[1, n]),
            None => id[8..].copy_from_slice(&self.key.to_be_bytes()),
        }
        if self.emitter.is_empty() {
            let mut found = Found::default();
            traces.link(self.key, self.parent, false, None, &mut found);
            return found.tell(out);
        }
        let mut call = UsageEvent::new(EventId(id), at(self.times.0), "p".into(), "m".into());
        call.rank.authority = Rank::SPAN;
        call.tokens.set(Bucket::InputUncached, 800 - self.read);
        call.tokens.set(Bucket::CacheRead, self.read);
        call.tokens.set(Bucket::Output, 1);
        call.dimensions.set(Dimension::Tier, self.tier.into());
        let told = Told {
            trace: 7,
            emitter: self.emitter.into(),
            end: Some(at(self.times.1)),
            named: self.response.map(|n| n / 100),
            ..Told::default()
        };
        let mut found = Found::default();
        out.events
            .extend(traces.call(self.key, self.parent, &call, Some(&told), &mut found));
        found.tell(out);
    }
}

/// How many calls count of spans that come in this order, and their tokens from caches. After some of them what was told is handed over, and
/// then, where `runs`, another run begins.
fn counted(spans: &[Span], order: &[usize], ends: impl Fn(usize) -> bool, runs: bool) -> (usize, u64) {
    let kept = met(order, ends, runs, |place, traces, out| spans[place].meet(traces, out));
    let calls = kept.values().filter(|call| call.tokens.total() > 0);
    let tier = spans.iter().map(|span| span.tier).max().unwrap_or("");
    let whole = |call: &UsageEvent| (call.tokens.prompt(), call.tokens.get(Bucket::Output)) == (800, 1);
    assert!(
        calls.clone().all(|call| whole(call) && call.tier().as_str() == tier),
        "{order:?}"
    );
    calls.fold((0, 0), |(calls, read), call| {
        (calls + 1, read + call.tokens.get(Bucket::CacheRead))
    })
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

/// All orders, handed over after any of them.
fn always(about: &str, spans: &[Span], expected: (usize, u64), runs: bool) {
    for order in orders(spans.len()) {
        for ends in 0..1_u32 << (spans.len() - 1) {
            let seen = counted(spans, &order, |nth| ends & 1 << nth != 0, runs);
            assert_eq!(seen, expected, "{about}, {order:?}, ends {ends:b}, runs: {runs}");
        }
    }
}

fn shuffled(many: usize, seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut order: Vec<usize> = (0..many).collect();
    for last in (1..many).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, usize::try_from(state % (last as u64 + 1)).unwrap());
    }
    order
}

fn often(about: &str, spans: &[Span], expected: (usize, u64), runs: bool) {
    for seed in 0..200 {
        let every = [1, 3, 7, 1000][usize::try_from(seed % 4).unwrap()];
        let seen = counted(spans, &shuffled(spans.len(), seed), |nth| nth % every == 0, runs);
        assert_eq!(seen, expected, "{about}, seed {seed}, every {every}, runs: {runs}");
    }
}

/// Which of the spans of a call tell its response.
const RESPONSES: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// Pairs of a span of the program's and one of a gateway's or library's below it, or beside it.
fn pairs(many: u8, below: bool, (outer, inner): (bool, bool), read: u64) -> Vec<Span> {
    let pair = |n: u8| {
        let (key, ms) = (u64::from(n) + 1, i64::from(n));
        let response = |told: bool| told.then_some(n);
        let parent = if below { key } else { 999 };
        [
            span(key, 999, "app", (ms, 1000 - 3 * ms)).with(response(outer), read),
            span(key + 100, parent, "gateway", (ms + 1, 999 - 3 * ms)).with(response(inner), 0),
        ]
    };
    (0..many).flat_map(pair).collect()
}

#[test]
fn equal_calls_at_once_that_are_told_one_below_the_other_all_count() {
    for responses in RESPONSES {
        for read in [0, 700] {
            for runs in [false, true] {
                let about = format!("{responses:?}");
                always(&about, &pairs(2, true, responses, read), (2, 2 * read), runs);
                often(&about, &pairs(20, true, responses, read), (20, 20 * read), runs);
            }
        }
    }
}

#[test]
fn equal_calls_at_once_that_are_told_side_by_side_count_once() {
    for responses in RESPONSES {
        for read in [0, 700] {
            let about = format!("{responses:?}");
            always(&about, &pairs(2, false, responses, read), (2, 2 * read), false);
            often(&about, &pairs(20, false, responses, read), (20, 20 * read), false);
        }
    }
}

#[test]
fn what_is_told_below_and_beside_counts_once() {
    for responses in RESPONSES {
        // A third instrumentation beside the pair.
        let mut three = pairs(2, true, responses, 0);
        three.extend([span(201, 999, "third", (0, 1001)), span(202, 999, "third", (1, 998))]);
        let about = format!("{responses:?}");
        let orders = orders(6);
        for order in &orders {
            for every in [2, 100] {
                let seen = counted(&three, order, |nth| nth % every == 1, false);
                assert_eq!(seen, (2, 0), "{about}, {order:?}");
            }
        }
        let mut many = pairs(10, true, responses, 0);
        many.extend((0..10).map(|n: i64| span(201 + n.unsigned_abs(), 999, "third", (n, 1000 - 3 * n))));
        often(&about, &many, (10, 0), false);
        // One pair below each other, and one side by side.
        let mut mixed = pairs(1, true, responses, 0);
        mixed.extend(pairs(2, false, responses, 0).split_off(2));
        always(&about, &mixed, (2, 0), false);
    }
}

/// As many as there are, and nearly at the same time as the next one.
#[test]
fn of_many_at_once_the_nearest_in_time_are_one() {
    for many in [10, 16, 40, 100] {
        let of = |emitter, n: i64| match emitter {
            "x" => span(n.unsigned_abs() + 1, 999, "x", (n, 1000 + n)),
            _ => span(n.unsigned_abs() + 501, 999, "y", (n + 1, 999 + n)),
        };
        let spans: Vec<Span> = ["x", "y"]
            .into_iter()
            .flat_map(|emitter| (0..many).map(move |n| of(emitter, n)))
            .collect();
        let calls = usize::try_from(many).unwrap();
        let in_turn: Vec<usize> = (0..2 * calls).collect();
        assert_eq!(counted(&spans, &in_turn, |_| false, false), (calls, 0));
        for seed in 0..20 {
            let seen = counted(&spans, &shuffled(spans.len(), seed), |nth| nth % 5 == 0, false);
            assert_eq!(seen, (calls, 0), "{many}, seed {seed}");
        }
    }
}

/// Calls that the program tells, a gateway below it, and a library below that. Between the program's span and the gateway's is one that is no call.
fn chains(many: u8, emitters: [&'static str; 3], responses: [bool; 3], read: u64) -> Vec<Span> {
    let chain = |n: u8| {
        let (key, ms) = (u64::from(n) + 1, i64::from(n));
        let [app, gateway, library] = emitters;
        let response = |place: usize| responses[place].then_some(n);
        [
            span(key, 999, app, (ms, 1000 - 5 * ms)).with(response(0), read),
            span(key + 100, key, "", (ms + 1, 999 - 5 * ms)),
            span(key + 200, key + 100, gateway, (ms + 2, 998 - 5 * ms)).with(response(1), 0),
            span(key + 300, key + 200, library, (ms + 3, 997 - 5 * ms)).with(response(2), 0),
        ]
    };
    (0..many).flat_map(chain).collect()
}

#[test]
fn calls_that_three_tell_one_below_the_other_count_once() {
    for emitters in [
        ["app", "gateway", "library"],
        ["app", "gateway", "app"],
        ["app", "gateway", "gateway"],
    ] {
        for responses in [[false; 3], [true; 3], [false, true, true], [true, false, false]] {
            let about = format!("{emitters:?}, {responses:?}");
            for read in [0, 700] {
                let chain = chains(1, emitters, responses, read);
                always(&about, &chain, (1, read), false);
                for order in orders(4) {
                    for ends in 0..8_u32 {
                        let place = |of| order.iter().position(|place| *place == of).unwrap();
                        let run = |of| (ends & ((1 << place(of)) - 1)).count_ones();
                        // Nothing tells then that the library's is of the two that were told side by side in an earlier run.
                        let apart = run(0) == run(2) && run(0) < run(1).min(run(3)) && place(3) < place(1);
                        if !apart {
                            let seen = counted(&chain, &order, |nth| ends & 1 << nth != 0, true);
                            assert_eq!(seen, (1, read), "{about}, {order:?}, runs end: {ends:b}");
                        }
                    }
                }
            }
            for many in [2, 9] {
                often(&about, &chains(many, emitters, responses, 0), (many.into(), 0), false);
            }
        }
    }
}

/// A call that the program tells, a gateway and a library below it, with a span that is no call between both where `between` says so.
fn chain(between: [bool; 2], responses: [bool; 3], read: u64) -> Vec<Span> {
    let response = |place: usize| responses[place].then_some(0);
    let below = |key: SpanKey, link: bool| key + u64::from(link);
    let [gateway, library] = [below(1, between[0]), below(10, between[1])];
    let spans = [
        span(1, 999, "app", (0, 1000)).with(response(0), read),
        span(10, gateway, "gateway", (2, 998)).with(response(1), 0),
        span(20, library, "library", (4, 996)).with(response(2), 0),
    ];
    let links = [
        (between[0], span(2, 1, "", (1, 999))),
        (between[1], span(11, 10, "", (3, 997))),
    ];
    let links = links.into_iter().filter_map(|(is, link)| is.then_some(link));
    spans.into_iter().chain(links).collect()
}

#[test]
fn what_the_program_and_the_gateway_tell_of_one_response_goes_with_it() {
    for between in [[false, false], [false, true]] {
        for read in [0, 700] {
            let spans = chain(between, [true, true, false], read);
            for order in orders(spans.len()) {
                assert_eq!(
                    counted(&spans, &order, |_| false, false),
                    (1, read),
                    "{between:?}, {order:?}"
                );
            }
            // The library's comes in a run after both.
            for order in [[0, 1, 2], [1, 0, 2]] {
                let order: Vec<usize> = order.into_iter().take(2).chain(3..spans.len()).chain([2]).collect();
                let ends = spans.len() - 2;
                let seen = counted(&spans, &order, |nth| nth == ends, true);
                assert_eq!(seen, (1, read), "{between:?}, {order:?}, over runs");
            }
        }
    }
}

#[test]
fn a_response_that_the_program_and_the_library_tell_counts_where_the_gateway_comes_last() {
    for read in [0, 700] {
        let spans = chain([false, true], [true, false, true], read);
        always("one run", &spans, (1, read), false);
        for order in orders(4) {
            // Where only the program's was told in the run before, what the gateway's takes over is taken for all that is told of the response.
            for ends in (0..3).filter(|ends| (ends, order.as_slice()) != (&0, &[0, 2, 1, 3])) {
                let seen = counted(&spans, &order, |nth| nth == ends, true);
                assert_eq!(seen, (1, read), "{order:?}, a run ends after {ends}");
            }
        }
    }
}

/// The library's span is told in a run before, and what links it to the gateway's after that.
#[test]
fn what_is_told_beside_a_call_goes_with_it_to_one_of_an_earlier_run() {
    for responses in [
        [false; 3],
        [true, false, false],
        [false, false, true],
        [true, false, true],
    ] {
        for read in [0, 700] {
            let spans = chain([true, true], responses, read);
            // The library's, and then those of the program (0), the gateway (1) and the links below them (3, 4).
            for order in orders(4) {
                let order: Vec<usize> = order.into_iter().map(|place| [0, 1, 3, 4][place]).collect();
                let order = [&[2], order.as_slice()].concat();
                let seen = counted(&spans, &order, |nth| nth == 0, true);
                assert_eq!(seen, (1, read), "{responses:?}, {order:?}");
            }
        }
    }
}

#[test]
fn what_lies_far_below_is_seen_to_be_below() {
    let branch = |n: u8| {
        let (top, ms) = (u64::from(n) * 100 + 1, i64::from(n));
        let between = (1..=20).map(move |step| span(top + step, top + step - 1, "", (ms, 1000)));
        let ends = [
            span(top, 999, "app", (ms, 1000)),
            span(top + 21, top + 20, "library", (ms + 1, 999)),
        ];
        ends.into_iter().chain(between)
    };
    let spans: Vec<Span> = (0..2).flat_map(branch).collect();
    often("far below", &spans, (2, 0), false);
}

#[test]
fn other_responses_are_other_calls() {
    let one = span(1, 999, "x", (0, 1000)).with(Some(1), 0);
    let two = span(2, 999, "y", (10, 990)).with(Some(2), 0);
    always("two agents", &[one, two], (2, 0), false);
    // Nobody knows of which of them a third one is, but not of both.
    // Of another provider's form: a gateway that speaks for it.
    always("two forms", &[one, two.with(Some(102), 0)], (1, 0), false);
    always("another", &[one, two, span(3, 999, "z", (5, 995))], (2, 0), false);
}

/// Delivered again with what lies below it, after it was handed over.
#[test]
fn a_call_that_comes_again_with_the_one_below_it_counts_once() {
    for responses in RESPONSES {
        let pair = pairs(1, true, responses, 700);
        for order in [[0, 0, 1], [0, 1, 0], [1, 0, 1]] {
            for ends in 0..4_u8 {
                let seen = counted(&pair, &order, |nth| ends & 1 << nth != 0, false);
                assert_eq!(seen, (1, 700), "{responses:?}, {order:?}, ends {ends:b}");
            }
        }
    }
}
