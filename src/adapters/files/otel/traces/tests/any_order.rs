//! Trees of spans in every order, handed over after any of them: the same calls with the same tokens, under the same names.

use super::super::super::families::family;
use super::*;

/// A span of a call, or of none, such as a request to a server or a tool.
#[derive(Clone, Copy)]
struct Span {
    key: SpanKey,
    parent: SpanKey,
    /// Empty where it is no call.
    emitter: &'static str,
    /// When it began and ended, in milliseconds.
    times: (i64, i64),
    asked: &'static str,
    /// The model of the response, where it tells that.
    answer: &'static str,
    agent: &'static str,
    read: u64,
    output: u64,
    tier: &'static str,
}

fn span(key: SpanKey, parent: SpanKey, emitter: &'static str, times: (i64, i64)) -> Span {
    Span {
        key,
        parent,
        emitter,
        times,
        asked: "gpt-4o",
        answer: "",
        agent: emitter,
        read: 0,
        output: 10,
        tier: "",
    }
}

impl Span {
    fn meet(&self, traces: &mut Traces, out: &mut Output) {
        let mut found = Found::default();
        if self.emitter.is_empty() {
            traces.link(self.key, self.parent, self.agent == "tool", None, &mut found);
            return found.tell(out);
        }
        let at = |ms| DateTime::from_timestamp_millis(1_790_000_000_000 + ms).unwrap();
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.key.to_be_bytes());
        let model = if self.answer.is_empty() {
            self.asked
        } else {
            self.answer
        };
        let mut call = UsageEvent::new(EventId(id), at(self.times.0), "openai".into(), model.into());
        call.rank.authority = Rank::SPAN;
        call.tokens.set(Bucket::InputUncached, 800 - self.read);
        call.tokens.set(Bucket::CacheRead, self.read);
        call.tokens.set(Bucket::Output, self.output);
        call.dimensions.set(Dimension::Agent, self.agent.into());
        call.dimensions.set(Dimension::Tier, self.tier.into());
        let told = Told {
            trace: 7,
            emitter: self.emitter.into(),
            end: Some(at(self.times.1)),
            answer: self.answer.into(),
            asked: family(self.asked),
            ..Told::default()
        };
        let event = traces.call(self.key, self.parent, &call, Some(&told), &mut found);
        out.events.extend(event);
        found.tell(out);
    }
}

/// Model, agent, tier, and tokens from the cache, of each call.
type Calls = Vec<(&'static str, &'static str, &'static str, u64)>;

/// What counts of spans in this order, handed over after some of them, where, if `runs`, another run begins.
fn calls(spans: &[Span], order: &[usize], ends: u32, runs: bool) -> Calls {
    let kept = met(
        order,
        |nth| ends & 1 << nth != 0,
        runs,
        |place, traces, out| {
            spans[place].meet(traces, out);
        },
    );
    let told = kept.values().filter(|call| call.tokens.total() > 0);
    let mut told: Calls = told
        .map(|call| {
            assert_eq!(call.tokens.prompt(), 800, "{order:?}");
            let agent = call.dimensions.get(Dimension::Agent).as_str();
            let read = call.tokens.get(Bucket::CacheRead);
            (call.model().as_str(), agent, call.tier().as_str(), read)
        })
        .collect();
    told.sort_unstable();
    told
}

fn always(about: &str, spans: &[Span], expected: &[(&'static str, &'static str, &'static str, u64)], runs: bool) {
    for order in orders(spans.len()) {
        for ends in 0..1_u32 << (spans.len() - 1) {
            let seen = calls(spans, &order, ends, runs);
            assert_eq!(seen, expected, "{about}, {order:?}, ends {ends:b}, runs: {runs}");
        }
    }
}

#[test]
fn who_asked_is_told_by_the_outermost_span_of_a_call() {
    // Also where all begin at once.
    for step in [0, 1] {
        let one = span(1, 0, "boss", (0, 100));
        let two = span(2, 1, "gateway", (step, 99));
        let three = span(3, 2, "library", (2 * step, 98));
        for runs in [false, true] {
            always("two", &[one, two], &[("gpt-4o", "boss", "", 0)], runs);
            // What only one of them tells is not lost with it.
            let (mut upper, mut lower) = (one, two);
            (upper.read, lower.tier) = (700, "priority");
            always("more", &[upper, lower], &[("gpt-4o", "boss", "priority", 700)], runs);
        }
        always("three", &[one, two, three], &[("gpt-4o", "boss", "", 0)], false);
        let mut cached = [one, two, three];
        (cached[0].read, cached[2].read) = (700, 700);
        always("three with caches", &cached, &[("gpt-4o", "boss", "", 700)], false);
        // A request between them, and what a tool asks.
        let mut tool = span(9, 3, "", (1, 50));
        tool.agent = "tool";
        let far = Span {
            output: 20,
            ..span(4, 9, "inner", (5, 40))
        };
        let tree = [one, span(8, 1, "", (step, 99)), Span { parent: 8, ..three }, tool, far];
        always(
            "tree",
            &tree,
            &[("gpt-4o", "boss", "", 0), ("gpt-4o", "inner", "", 0)],
            false,
        );
    }
}

#[test]
fn the_model_of_a_call_told_side_by_side_is_that_of_the_response_whoever_comes_first() {
    let one = span(1, 99, "x", (0, 100));
    let two = Span {
        answer: "gpt-4o-2024-08-06",
        agent: "x",
        ..span(2, 99, "y", (1, 99))
    };
    let expected = |tier, read| [("gpt-4o-2024-08-06", "x", tier, read)];
    for asked in ["gpt-4o", "my-deployment"] {
        for (read, tier) in [(0, ""), (700, ""), (0, "priority"), (700, "priority")] {
            for tells in 0..4_u8 {
                let (mut one, mut two) = (Span { asked, ..one }, Span { asked, ..two });
                *(if tells & 1 == 0 { &mut one.read } else { &mut two.read }) = read;
                *(if tells & 2 == 0 { &mut one.tier } else { &mut two.tier }) = tier;
                always(asked, &[one, two], &expected(tier, read), false);
            }
        }
        // What the library tells below one of them is the same call.
        let (one, two) = (Span { asked, ..one }, Span { asked, ..two });
        let below = Span {
            answer: two.answer,
            asked,
            agent: "x",
            ..span(3, 1, "library", (2, 98))
        };
        always(asked, &[one, below], &expected("", 0), false);
        if asked == "gpt-4o" {
            always("below one", &[one, two, below], &expected("", 0), false);
        }
    }
    // Another deployment, or another response, is another call.
    let other = Span {
        asked: "my-other",
        ..one
    };
    let both = [("gpt-4o-2024-08-06", "x", "", 0), ("my-other", "x", "", 0)];
    always("another", &[other, two], &both, false);
}

/// Whatever lies below what, of calls, requests and tools.
#[test]
fn the_calls_of_a_chain_and_who_asked_depend_on_no_order_and_no_grouping() {
    for kinds in 0..3_u32.pow(5) {
        let names = ["boss", "gateway", "library", "inner", "last"];
        let mut output = 10;
        let chain = names.into_iter().zip(0..).map(|(name, place)| {
            let (key, ms) = (u64::from(place) + 1, i64::from(place));
            let mut one = span(key, key - 1, name, (ms, 200 - ms));
            match kinds / 3_u32.pow(place) % 3 {
                // What a tool asks is answered with more.
                0 => (one.emitter, one.agent, output) = ("", "tool", output + 10),
                1 => one.emitter = "",
                _ => one.output = output,
            }
            one
        });
        let spans: Vec<Span> = chain.collect();
        let expected = calls(&spans, &[0, 1, 2, 3, 4], 0, false);
        for (nth, order) in (0..).zip(orders(5)) {
            for ends in [0b1111, nth % 16] {
                let seen = calls(&spans, &order, ends, false);
                assert_eq!(seen, expected, "kinds {kinds}, {order:?}, ends {ends:b}");
            }
        }
    }
}
