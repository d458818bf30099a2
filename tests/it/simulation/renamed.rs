//! Channels that are renamed while messages wait for them, with every fault at every call of the run that hands them over.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use finops::domain::alert::message_id;
use finops::domain::usage::{Bucket, EventId};
use finops::ports::{AlertStore, Outbox};

use super::ports::{Fate, Fault, Shared};
use super::{Manner, Month, run};

/// A run with this one channel, that can be used or not.
fn run_with(month: &Month, names: &'static [&'static str], usable: usize, fate: Fate, now: DateTime<Utc>) -> Shared {
    month.world.lock().unwrap().now = now;
    let shared = Shared::new(&month.world, fate, now.timestamp().unsigned_abs());
    let manner = Manner {
        names,
        usable,
        ..Manner::plain(now)
    };
    let done = run(&shared, manner);
    assert!(done.is_ok() || fate != Fate::Fine, "{done:?}");
    shared
}

#[test]
fn a_fault_at_each_call_of_a_hand_over_loses_nothing_and_tells_nothing_twice() {
    for fault in [Fault::Before, Fault::After, Fault::Refused, Fault::Lost] {
        let mut calls = 0;
        loop {
            let mut month = Month::new(7);
            month.calls(month.start);
            // One budget tells a channel that its policy names, the other one all; both are spent.
            for (n, team) in [(8, 0), (9, 1)] {
                let mut world = month.world.lock().unwrap();
                let mut much = world.feed[team];
                (much.id, much.rank.complete) = (EventId([n; 16]), true);
                much.tokens.set(Bucket::Output, 90_000);
                world.feed.push(much);
            }
            let day = |n| month.start + TimeDelta::days(n);
            for n in [1, 4] {
                run_with(&month, &["old"], 0, Fate::Fine, day(n));
            }
            let shared = run_with(&month, &["new"], 1, Fate::At(calls, fault), day(4));
            let met = shared.process().calls > calls;
            run_with(&month, &["new"], 1, Fate::Fine, day(5));
            told_once(&month);
            if !met {
                break;
            }
            calls += 1;
        }
        assert!(calls >= 20, "such a run makes more calls than {calls}");
    }
}

/// The channel of now was told each telling of each alert, in order, and nothing waits. Between the first and the last there may be
/// reminders that gave way.
fn told_once(month: &Month) {
    let mut world = month.world.lock().unwrap();
    assert!(world.alerts.waiting().unwrap().is_empty(), "nothing waits");
    let mut known = HashSet::new();
    let mut heard: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in world.received.iter().filter(|message| known.insert(&message.id)) {
        assert_eq!(message.channel, "new");
        heard.entry(&message.alert_id).or_default().push(&message.id);
    }
    let alerts = world.alerts.clone().alerts(None).unwrap();
    let mut tellings = 0;
    for mut alert in alerts {
        let ids: Vec<String> = (1..=alert.tellings)
            .map(|number| {
                alert.tellings = number;
                message_id(&alert, "new")
            })
            .collect();
        let mut heard = heard.remove(alert.id.as_str()).unwrap_or_default();
        assert_eq!(
            (heard.first().copied(), heard.last().copied()),
            (ids.first().map(String::as_str), ids.last().map(String::as_str)),
            "{}",
            alert.title
        );
        tellings += ids.len();
        let mut left = ids.iter();
        heard.retain(|id| !left.any(|telling| telling == id));
        assert!(heard.is_empty(), "out of order: {heard:?} of {ids:?}");
    }
    assert!(heard.is_empty() && tellings >= 4, "{tellings} {heard:?}");
}
