//! Merging is a maximum over a total order, and what a part of an answer tells.

use chrono::DateTime;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::super::{Bucket, EventBatch, EventId, Rank, Tokens};
use super::*;

const AUTHORITIES: [u8; 7] = [
    0,
    Rank::PARTS,
    Rank::GATEWAY,
    Rank::SPAN,
    Rank::SPAN_RAISED,
    Rank::SPAN_NOTHING,
    Rank::REPORT,
];

/// OpenAI's client says so of whomever it asks.
#[test]
fn who_tells_another_seller_than_openai_is_right_whichever_comes_first() {
    let time = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let told = |seller: &str| UsageEvent::new(EventId([1; 16]), time, seller.into(), "m".into());
    for seller in ["azure", "groq", "xai"] {
        for other in ["", "openai"] {
            for [first, second] in [[seller, other], [other, seller]] {
                let call = told(first).merge(told(second));
                assert_eq!(call.provider().as_str(), seller, "{first} {second}");
            }
        }
    }
}

pub(super) fn arbitrary() -> impl Strategy<Value = UsageEvent> {
    let times = (0..3_i64, 0..3_i64, 0..3_u64);
    let counts = (0..3_u64, 0..2_u64, 0..4_u32, 0..4_usize);
    let standing = (any::<bool>(), any::<bool>(), 0..AUTHORITIES.len());
    let told = (any::<[Option<bool>; 8]>(), 0..3_usize);
    (times, counts, standing, told).prop_map(
        |((at, rank_at, line), (output, input, searches, units), (sidechain, complete, who), (told, model))| {
            let time = |s| DateTime::from_timestamp(1_790_000_000 + s, 0).unwrap();
            let models = ["m-a", "m-b", "m-c"];
            let mut e = UsageEvent::new(EventId([1; 16]), time(at), "p".into(), models[model].into());
            e.sidechain = sidechain;
            e.tokens = Tokens::default()
                .with(Bucket::Output, output)
                .with(Bucket::InputUncached, input);
            e.requests.web_searches = searches % 3;
            e.requests.web_fetches = searches / 3;
            e.extras = ["", "map_query=1", "page=2 map_query=1", "search_context=low"][units].into();
            e.rank = Rank {
                authority: AUTHORITIES[who],
                complete,
                at: time(rank_at),
                line,
            };
            // Of what may be taken over several tell this and several that.
            let [team, user, agent, session, tier, speed, geo, cost] = told;
            let name = |told: Option<bool>| told.map_or(Label::EMPTY, |a| if a { "a" } else { "b" }.into());
            for (dimension, told) in [
                (Dimension::Team, team),
                (Dimension::User, user),
                (Dimension::Agent, agent),
                (Dimension::Tier, tier),
            ] {
                e.dimensions.set(dimension, name(told));
            }
            (e.session, e.speed, e.geo) = (name(session), name(speed), name(geo));
            e.reported_cost = cost.map(|a| Decimal::new(if a { 5 } else { 7 }, 2));
            e
        },
    )
}

/// What a run makes of observations of a call that come in batches of so many.
fn recorded(before: Option<UsageEvent>, observations: &[UsageEvent], batch: usize) -> UsageEvent {
    let (mut run, mut known) = (Besides::default(), before);
    for some in observations.chunks(batch) {
        let batch: EventBatch = some.iter().copied().collect();
        let call = batch.events()[0];
        known = Some(match known {
            Some(known) => run.join(&known, before.is_none(), &batch, &call),
            None => {
                run.add(&batch, call.id);
                call
            }
        });
    }
    known.unwrap()
}

proptest! {
    #[test]
    fn merging_does_not_depend_on_order_or_repetition(a in arbitrary(), b in arbitrary()) {
        prop_assert_eq!(a.merge(b), b.merge(a));
        prop_assert_eq!(a.merge(a), a);
        prop_assert_eq!(a.merge(b).merge(b), a.merge(b));
    }

    /// Whatever they tell, and however two threads that read cut their batches.
    #[test]
    fn a_run_makes_the_same_call_of_any_order_and_any_batches(
        (one, other) in proptest::collection::vec(arbitrary(), 1..8)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cuts in [1..8_usize, 1..8_usize],
        again in 0..8_usize,
    ) {
        let call = recorded(None, &one, cuts[0]);
        prop_assert_eq!(recorded(None, &other, cuts[1]), call);
        let again: Vec<UsageEvent> = other.iter().chain(one.iter().take(again)).copied().collect();
        prop_assert_eq!(recorded(None, &again, cuts[1]), call, "some of them twice");
    }

    /// Another source over the same files, or other `defaults` when they are read anew.
    #[test]
    fn a_call_that_was_recorded_before_keeps_the_names_it_has_where_the_time_is_the_same(
        before in arbitrary(),
        more in proptest::collection::vec(arbitrary(), 1..4),
        batch in 1..4_usize,
    ) {
        let mut before = before;
        before.dimensions.set(Dimension::Source, "z".into());
        let more: Vec<UsageEvent> = more
            .into_iter()
            .map(|mut e| {
                (e.at, e.sidechain) = (before.at, before.sidechain);
                e.dimensions.set(Dimension::Source, "a".into());
                e
            })
            .collect();
        let call = recorded(Some(before), &more, batch);
        for (dimension, name) in before.dimensions.iter() {
            if !name.is_empty() && !USAGE_DIMENSIONS.contains(&dimension) {
                prop_assert_eq!(call.dimensions.get(dimension), name);
            }
        }
        prop_assert!(before.session.is_empty() || call.session == before.session);
        // What is told of its use beside may come back, where another witness stood between.
        let again = recorded(Some(call), &[before], 1);
        let whose = |e: &UsageEvent| {
            let mut names = e.dimensions;
            USAGE_DIMENSIONS.iter().for_each(|dimension| names.set(*dimension, Label::EMPTY));
            (names, e.session, e.at, e.rank)
        };
        prop_assert_eq!(whose(&again), whose(&call));
        // The usage is that of the greatest, as ever.
        prop_assert_eq!(call.rank, recorded(None, &more, batch).merge(before).rank);
    }
}

#[test]
fn a_part_does_not_replace_a_whole_answer_that_was_recorded_before_parts_were_told_apart() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let mut whole = UsageEvent::new(EventId([2; 16]), at, "google".into(), "m".into());
    whole.rank.complete = true;
    whole.tokens = Tokens::default().with(Bucket::Output, 5000);
    let mut part = whole;
    (part.rank.authority, part.rank.complete) = (Rank::PARTS, false);
    part.tokens = Tokens::default().with(Bucket::Output, 5);
    assert_eq!(whole.merge(part), whole);
    part.rank.complete = true;
    part.tokens = whole.tokens;
    part.requests.web_searches = 1;
    assert_eq!(
        whole.merge(part),
        part,
        "read again, the same answer tells its searches"
    );
}

#[test]
fn a_final_record_beats_a_larger_partial_and_may_correct_downwards() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let mut partial = UsageEvent::new(EventId([2; 16]), at, "anthropic".into(), "m".into());
    partial.rank.complete = false;
    partial.tokens = Tokens::default().with(Bucket::Output, 900).with(Bucket::CacheRead, 50);
    let mut last = partial;
    last.rank.complete = true;
    last.tokens = Tokens::default().with(Bucket::Output, 210);
    assert_eq!(partial.merge(last).tokens, last.tokens);
}

#[test]
fn of_an_answer_in_parts_the_most_searches_count_and_of_others_the_last_record() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let mut begun = UsageEvent::new(EventId([2; 16]), at, "google".into(), "m".into());
    begun.rank.complete = false;
    begun.requests.web_searches = 2;
    begun.extras = "map_query=1".into();
    let mut ended = begun;
    ended.rank.complete = true;
    ended.requests.web_searches = 1;
    ended.extras = "page=3".into();
    ended.tokens = Tokens::default().with(Bucket::Output, 210);
    assert_eq!(begun.merge(ended), ended);
    (begun.rank.authority, ended.rank.authority) = (Rank::PARTS, Rank::PARTS);
    let call = begun.merge(ended);
    assert_eq!((call.tokens, call.requests.web_searches), (ended.tokens, 2));
    assert_eq!(call.extras.as_str(), "page=3 map_query=1");
}

#[test]
fn a_name_that_one_observation_tells_is_not_lost_to_one_that_does_not() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let unnamed = UsageEvent::new(EventId([2; 16]), at, "anthropic".into(), "m".into());
    let mut named = unnamed;
    named.dimensions.set(Dimension::Team, "search".into());
    assert_eq!(unnamed.merge(named), named);
    let second = chrono::TimeDelta::seconds(1);
    let mut earlier = unnamed;
    earlier.at -= second;
    let merged = named.merge(earlier);
    assert_eq!((merged.dimensions, merged.at), (named.dimensions, earlier.at));
    assert_eq!(merged.merge(named), merged);
    assert_eq!(merged.merge(earlier), merged);
    let mut of_another = named;
    of_another.dimensions.set(Dimension::Team, "docs".into());
    of_another.dimensions.set(Dimension::Project, "shop".into());
    (of_another.session, of_another.at) = ("s-1".into(), named.at + second);
    let merged = of_another.merge(named);
    assert_eq!(
        merged.dimensions.get(Dimension::Team),
        "search".into(),
        "of two the earlier one"
    );
    let told = (merged.dimensions.get(Dimension::Project), merged.session);
    assert_eq!(told, ("shop".into(), "s-1".into()), "what only one tells is the call's");
    // A copy on a side track decides nothing: its agent and session are those that replayed the call.
    of_another.sidechain = true;
    of_another.at = named.at - second;
    of_another.dimensions.set(Dimension::Agent, "explore".into());
    let merged = of_another.merge(named);
    assert_eq!(
        (merged.at, merged.session, merged.sidechain),
        (named.at, named.session, false)
    );
    let told = [Dimension::Team, Dimension::Project, Dimension::Agent].map(|name| merged.dimensions.get(name));
    assert_eq!(told, ["search".into(), "shop".into(), Label::EMPTY]);
}

/// Three see one call by clocks of their own: the order of the classes decides, and not the clock.
#[test]
fn the_answer_comes_before_a_gateways_log_and_that_before_a_span_whatever_their_clocks_say() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let observed = |authority, later, read: u64| {
        let mut e = UsageEvent::new(EventId([2; 16]), at, "p".into(), "m".into());
        e.tokens = Tokens::default().with(Bucket::Output, 9).with(Bucket::CacheRead, read);
        (e.rank.authority, e.rank.at) = (authority, at + chrono::TimeDelta::seconds(later));
        e
    };
    let rising = [
        Rank::SPAN,
        Rank::SPAN_RAISED,
        Rank::SPAN_NOTHING,
        Rank::GATEWAY,
        0,
        Rank::REPORT,
    ];
    for (n, pair) in (0_i64..).zip(rising.windows(2)) {
        let [lesser, greater] = [observed(pair[0], 9, 1), observed(pair[1], -n, 2)];
        assert_eq!(lesser.merge(greater).tokens, greater.tokens, "{pair:?}");
        assert_eq!(greater.merge(lesser).rank, greater.rank, "{pair:?}");
    }
    // What goes on is told better by whoever saw the end.
    let (mut partial, span) = (observed(0, 9, 1), observed(Rank::SPAN, 0, 2));
    partial.rank.complete = false;
    assert_eq!(partial.merge(span).tokens, span.tokens);
    assert_eq!(
        observed(0, 0, 1).merge(observed(Rank::PARTS, 1, 2)).rank.authority,
        Rank::PARTS
    );
}

#[test]
fn what_the_usage_does_not_tell_is_taken_over_and_what_it_tells_stays() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let mut answer = UsageEvent::new(EventId([2; 16]), at, "openai".into(), "m".into());
    answer.tokens = Tokens::default().with(Bucket::Output, 9);
    answer.dimensions.set(Dimension::Tier, "flex".into());
    let mut row = answer;
    row.rank.authority = Rank::GATEWAY;
    row.dimensions.set(Dimension::Tier, "standard".into());
    row.tokens.set(Bucket::CacheRead, 500);
    (row.speed, row.geo) = ("fast".into(), "us".into());
    row.reported_cost = Some(Decimal::new(5, 2));
    for merged in [answer.merge(row), row.merge(answer), row.merge(answer).merge(row)] {
        assert_eq!(
            (merged.tokens, merged.tier()),
            (answer.tokens, "flex".into()),
            "its own"
        );
        assert_eq!((merged.speed, merged.geo), (row.speed, row.geo));
        assert_eq!(merged.reported_cost, row.reported_cost);
        // Its end takes nothing away from a call that was completed so.
        let mut end = answer;
        end.rank.line = 7;
        assert_eq!(
            merged.merge(end),
            UsageEvent {
                rank: end.rank,
                ..merged
            }
        );
    }
    // The same counts, of which one alone tells what was cached.
    let mut split = answer;
    split.rank.authority = Rank::GATEWAY;
    let (mut bare, cached) = (answer, 500);
    bare.tokens.set(Bucket::InputUncached, 700 + cached);
    split.tokens.set(Bucket::InputUncached, 700);
    split.tokens.set(Bucket::CacheRead, cached);
    for merged in [bare.merge(split), split.merge(bare), bare.merge(split).merge(bare)] {
        assert_eq!((merged.tokens, merged.rank), (split.tokens, bare.rank));
    }
    let mut nothing = answer;
    nothing.tokens = Tokens::default();
    assert_eq!(
        nothing.merge(row).reported_cost,
        None,
        "what costs nothing is not said to have cost"
    );
}

#[test]
fn a_batch_holds_each_call_once_and_counts_the_rest() {
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let event = |n: u8| UsageEvent::new(EventId([n; 16]), at, "p".into(), "m".into());
    let mut batch: EventBatch = [event(1), event(2), event(1)].into_iter().collect();
    batch.extend([&event(2), &event(3)]);
    let ids: Vec<EventId> = batch.events().iter().map(|e| e.id).collect();
    assert_eq!(ids, [EventId([1; 16]), EventId([2; 16]), EventId([3; 16])]);
    assert_eq!(batch.repeated(), 2);
    batch.clear();
    batch.push(&event(1));
    assert_eq!((batch.len(), batch.repeated()), (1, 0));
}
