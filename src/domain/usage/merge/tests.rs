//! Merging is a maximum over a total order, and what a part of an answer tells.

use chrono::DateTime;
use proptest::prelude::*;

use super::super::Tokens;
use super::*;

fn arbitrary() -> impl Strategy<Value = UsageEvent> {
    (
        0..3_i64,
        0..3_i64,
        any::<bool>(),
        any::<bool>(),
        0..3_u64,
        0..3_u64,
        0..3_usize,
        0..3_usize,
        0..2_u64,
        (0..4_u32, 0..4_usize, any::<bool>()),
    )
        .prop_map(
            |(at, rank_at, sidechain, complete, line, output, session, team, input, (searches, units, parts))| {
                let time = |s| DateTime::from_timestamp(1_790_000_000 + s, 0).unwrap();
                let models = ["m-a", "m-b", "m-c"];
                let mut e = UsageEvent::new(EventId([1; 16]), time(at), "p".into(), models[session].into());
                e.sidechain = sidechain;
                e.session = ["s-a", "s-b", "s-c"][session].into();
                e.dimensions.set(Dimension::Team, ["t-a", "", "t-c"][team].into());
                e.dimensions.set(Dimension::Agent, ["", "a-b", ""][session].into());
                e.tokens = Tokens::default()
                    .with(Bucket::Output, output)
                    .with(Bucket::InputUncached, input);
                e.requests.web_searches = searches % 3;
                e.requests.web_fetches = searches / 3;
                e.extras = ["", "map_query=1", "page=2 map_query=1", "search_context=low"][units].into();
                e.rank = Rank {
                    authority: if parts { Rank::PARTS } else { 0 },
                    complete,
                    at: time(rank_at),
                    line,
                };
                e
            },
        )
}

proptest! {
    #[test]
    fn merging_does_not_depend_on_order_grouping_or_repetition(
        a in arbitrary(), b in arbitrary(), c in arbitrary(), parts in any::<bool>()
    ) {
        let of_one_kind = [a, b, c].map(|mut e| {
            e.rank.authority = if parts { Rank::PARTS } else { 0 };
            e
        });
        for ([a, b, c], mixed) in [(of_one_kind, false), ([a, b, c], true)] {
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(a), a);
            prop_assert_eq!(a.merge(b).merge(b), a.merge(b));
            let (mut one, other) = (a.merge(b.merge(c)), a.merge(b).merge(c));
            // Beside what was recorded before parts were told apart, the searches are those of the parts that come together.
            if mixed {
                (one.requests, one.extras) = (other.requests, other.extras);
            }
            prop_assert_eq!(one, other);
        }
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
    let mut earlier = unnamed;
    earlier.at -= chrono::TimeDelta::seconds(1);
    assert_eq!(
        named.merge(earlier).dimensions,
        earlier.dimensions,
        "whose call it is, is told by the first"
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
