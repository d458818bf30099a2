//! The ledger contract, run on every store.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::MemoryLedger;
use finops::adapters::sqlite::SqliteLedger;
use finops::domain::charge::{Charge, MOST, UnpricedReason};
use finops::domain::dimension::{Dimension, Dimensions};
use finops::domain::label::Label;
use finops::domain::money::Currency;
use finops::domain::period::{Hour, Period};
use finops::domain::spend::{Basis, Bill, Former, SpendKey, Sums};
use finops::domain::usage::{Bucket, EventId, Rank, Tokens, UsageEvent};
use finops::engine::reprice::{Given, RepriceQuery, reprice};
use finops::ports::{Checkpoint, Ledger, Pricer, RecordBatch, Retention, StoreError};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// 3 dollars a million of everything, except for models that begin with `unknown`.
struct Flat;

impl Pricer for Flat {
    fn price(&self, event: &UsageEvent) -> Charge {
        let cost = Decimal::from(event.tokens.total()) * Decimal::new(3, 6);
        if event.model().as_str().starts_with("unknown") {
            return Charge::unpriced(UnpricedReason::UnknownModel, cost);
        }
        Charge::priced(cost, Label::new("test/flat"))
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-11-24T12:00:00Z")
}

fn call(n: u64) -> UsageEvent {
    let time = at("2026-11-01T00:00:00Z") + TimeDelta::minutes(i64::try_from(n % 20_000).unwrap());
    let model = ["claude-sonnet-4-6", "gpt-5", "unknown-model"][usize::try_from(n % 3).unwrap()];
    let mut event = UsageEvent::new(
        EventId::of(&[b"test", &n.to_le_bytes()]),
        time,
        "p".into(),
        model.into(),
    );
    event.dimensions.set(
        Dimension::Team,
        Label::new(["search", "support"][usize::try_from(n % 2).unwrap()]),
    );
    event.session = "s-1".into();
    event.tokens = Tokens::default()
        .with(Bucket::InputUncached, 100 + n)
        .with(Bucket::Output, 7);
    if n.is_multiple_of(11) {
        Bucket::MEDIA
            .into_iter()
            .zip(n..)
            .for_each(|(b, count)| event.tokens.set(b, count));
    }
    event.requests.web_searches = u32::from(n.is_multiple_of(5));
    event.reported_cost = n.is_multiple_of(7).then(|| Decimal::new(1, 4));
    event
}

fn batch(events: impl IntoIterator<Item = UsageEvent>) -> RecordBatch {
    RecordBatch {
        events: events.into_iter().collect(),
        checkpoints: Vec::new(),
    }
}

type Rows = BTreeMap<SpendKey, Sums>;

fn always() -> Period {
    Period::new(at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z"))
}

fn rows(ledger: &mut dyn Ledger) -> Rows {
    let mut rows = Rows::new();
    ledger
        .spend(always(), &mut |key, sums| {
            rows.entry(*key).or_default().add(sums).unwrap()
        })
        .unwrap();
    rows
}

/// The rows over some dimensions only, those with web searches and those without apart; `summed` as the store sums them.
fn by(ledger: &mut dyn Ledger, wanted: &[Dimension], summed: bool) -> BTreeMap<(SpendKey, bool), Sums> {
    let mut rows = BTreeMap::<_, Sums>::new();
    let mut add = |key: &SpendKey, sums: &Sums| {
        let mut dimensions = Dimensions::default();
        wanted.iter().for_each(|d| dimensions.set(*d, key.dimensions.get(*d)));
        let key = SpendKey { dimensions, ..*key };
        rows.entry((key, sums.requests[0] != 0)).or_default().add(sums).unwrap();
    };
    let read = match summed {
        true => ledger.spend_by(always(), wanted, &mut add),
        false => ledger.spend(always(), &mut add),
    };
    read.unwrap();
    rows.retain(|_, sums| !sums.is_empty());
    rows
}

fn total(ledger: &mut dyn Ledger) -> Sums {
    let mut total = Sums::default();
    rows(ledger).values().for_each(|s| total.add(s).unwrap());
    total
}

fn stores(test: impl Fn(&str, &mut dyn FnMut() -> Box<dyn Ledger>)) {
    test("memory", &mut || Box::new(MemoryLedger::new()));
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    test("sqlite", &mut || {
        number += 1;
        Box::new(SqliteLedger::open(&folder.path().join(format!("{number}/ledger.db"))).unwrap())
    });
    #[cfg(feature = "aws")]
    for emulator in crate::aws::emulators() {
        test(emulator.name, &mut || Box::new(crate::aws::ledger(emulator, now())));
    }
}

#[test]
fn a_call_counts_once_however_often_and_in_whatever_pieces_it_comes() {
    stores(|store, open| {
        let mut ledger = open();
        let first = ledger.record(&batch((0..5000).map(call)), &Flat, now()).unwrap();
        assert_eq!((first.recorded, first.duplicates, first.known), (5000, 0, 0), "{store}");
        let once = rows(&mut *ledger);
        assert_eq!(total(&mut *ledger).events, 5000);
        assert_eq!(
            total(&mut *ledger).unpriced_events,
            i64::try_from(first.unpriced).unwrap()
        );
        assert_eq!(
            total(&mut *ledger).cost,
            first.cost,
            "{store}: the outcome tells the change of the total"
        );
        for chunk in (0..5000).rev().collect::<Vec<_>>().chunks(777) {
            let again = ledger
                .record(&batch(chunk.iter().chain(chunk).copied().map(call)), &Flat, now())
                .unwrap();
            assert_eq!((again.recorded, again.cost), (0, Decimal::ZERO), "{store}");
            assert_eq!(again.duplicates, 2 * chunk.len() as u64);
        }
        assert_eq!(rows(&mut *ledger), once, "{store}");
    });
}

/// What is told of as taken back and was never known is no call, priced or not.
#[test]
fn a_call_of_which_nothing_is_left_is_no_new_one() {
    stores(|store, open| {
        let mut ledger = open();
        let taken_back = |n: u64| {
            let mut event = UsageEvent::new(call(n).id, call(n).at, call(n).provider(), call(n).model());
            event.rank.line = Rank::TAKEN_BACK;
            event
        };
        let first = ledger.record(&batch((0..20).map(taken_back)), &Flat, now()).unwrap();
        assert_eq!((first.recorded, first.unpriced, first.duplicates), (0, 0, 0), "{store}");
        assert_eq!(total(&mut *ledger), Sums::default(), "{store}");
        let told = ledger.record(&batch([call(3), taken_back(4)]), &Flat, now()).unwrap();
        assert_eq!((told.recorded, told.duplicates), (0, 2), "{store}");
        ledger.record(&batch([call(30)]), &Flat, now()).unwrap();
        let mut visited = Vec::new();
        let mut visit = |event: &UsageEvent, _: &Charge| {
            visited.push(event.id);
            ControlFlow::Continue(())
        };
        ledger.events(always(), &mut visit).unwrap();
        assert_eq!(visited, [call(30).id], "{store}");
    });
}

#[test]
fn a_better_observation_replaces_usage_and_an_earlier_one_the_attribution() {
    stores(|store, open| {
        let mut ledger = open();
        let mut partial = call(1);
        partial.rank.complete = false;
        partial.tokens = Tokens::default().with(Bucket::Output, 1).with(Bucket::CacheRead, 900);
        ledger.record(&batch([partial]), &Flat, now()).unwrap();
        let mut last = call(1);
        last.at += TimeDelta::hours(2);
        last.dimensions.set(Dimension::Team, "late".into());
        let outcome = ledger.record(&batch([last]), &Flat, now()).unwrap();
        assert_eq!((outcome.recorded, outcome.duplicates), (0, 1), "{store}");
        let rows = rows(&mut *ledger);
        assert_eq!(rows.len(), 1, "{store}: the old row is gone");
        let (key, sums) = rows.first_key_value().unwrap();
        assert_eq!(key.dimensions.get(Dimension::Team), "support".into(), "{store}");
        assert_eq!(key.hour, Hour::of(partial.at), "{store}");
        assert_eq!(
            (sums.tokens.get(Bucket::Output), sums.tokens.get(Bucket::CacheRead)),
            (7, 0),
            "{store}"
        );
        let (event, charge) = ledger.event(last.id).unwrap().unwrap();
        assert_eq!(event, partial.merge(last));
        assert_eq!(charge, Flat.price(&event));
    });
}

/// Another source over the same file, other `defaults` when it is read anew, and what is told at the same moment under another session.
#[test]
fn a_call_that_is_known_keeps_its_source_and_names() {
    stores(|store, open| {
        let named = |source: &str, team: &str, line| {
            let mut event = call(1);
            event.dimensions.set(Dimension::Source, source.into());
            event.dimensions.set(Dimension::Team, team.into());
            event.rank.line = line;
            event
        };
        let mut ledger = open();
        let mut first = named("laptops", "search", 1);
        first.dimensions.set(Dimension::User, Label::EMPTY);
        ledger.record(&batch([first]), &Flat, now()).unwrap();
        let mut session = named("laptops", "alpha", 3);
        session.session = "s-0".into();
        let mut corrected = named("files", "alpha", 4);
        corrected.tokens = Tokens::default().with(Bucket::Output, 9);
        corrected.dimensions.set(Dimension::User, "u-1".into());
        for (n, again) in [
            named("files", "search", 1),
            named("laptops", "alpha", 2),
            session,
            corrected,
        ]
        .into_iter()
        .enumerate()
        {
            ledger.begin();
            ledger.record(&batch([again]), &Flat, now()).unwrap();
            // The same run meets it once more.
            ledger.record(&batch([again]), &Flat, now()).unwrap();
            let known = ledger.event(first.id).unwrap().unwrap().0;
            let told = [Dimension::Source, Dimension::Team].map(|name| known.dimensions.get(name));
            assert_eq!(told, ["laptops".into(), "search".into()], "{store} {n}");
            assert_eq!(
                (known.session, known.rank.line),
                (first.session, again.rank.line),
                "{store} {n}"
            );
        }
        let rows = rows(&mut *ledger);
        let (key, sums) = rows.first_key_value().unwrap();
        let told = [Dimension::Source, Dimension::Team, Dimension::User].map(|name| key.dimensions.get(name));
        assert_eq!(
            (rows.len(), told),
            (1, ["laptops".into(), "search".into(), "u-1".into()]),
            "{store}"
        );
        assert_eq!(
            sums.tokens.get(Bucket::Output),
            9,
            "{store}: the usage is the later one's"
        );
    });
}

/// Threads that read take turns as it happens.
#[test]
fn batches_of_a_run_may_come_in_any_order() {
    let told = |line, team: &str, tier: &str| {
        let mut event = call(1);
        event.rank.line = line;
        event.dimensions.set(Dimension::Team, team.into());
        event.dimensions.set(Dimension::Tier, tier.into());
        event
    };
    // Whose usage counts tells neither; of the others two differ in both.
    let all = [
        told(4, "", ""),
        told(2, "search", "priority"),
        told(1, "ads", "flex"),
        told(3, "", ""),
    ];
    stores(|store, open| {
        let mut found = BTreeSet::new();
        for order in [[0, 1, 2, 3], [2, 0, 1, 3], [1, 3, 2, 0], [3, 2, 1, 0]] {
            for cut in [1, 2] {
                let mut ledger = open();
                ledger.begin();
                for some in order.chunks(cut) {
                    let some = some.iter().map(|n: &usize| all[*n]);
                    // Calls around it, so that none is alone in its block.
                    ledger
                        .record(&batch([call(2)].into_iter().chain(some).chain([call(3)])), &Flat, now())
                        .unwrap();
                }
                let known = ledger.event(all[0].id).unwrap().unwrap().0;
                found.insert((known.dimensions, known.rank.line));
            }
        }
        assert_eq!(found.len(), 1, "{store}: {found:?}");
        let (dimensions, line) = found.first().unwrap();
        let told = [Dimension::Team, Dimension::Tier].map(|name| dimensions.get(name));
        assert_eq!((told, *line), (["ads".into(), "flex".into()], 4), "{store}");
    });
}

#[test]
fn checkpoints_are_stored_with_what_they_cover() {
    stores(|store, open| {
        let mut ledger = open();
        let mut first = batch([call(1)]);
        first
            .checkpoints
            .push(("logs".into(), "a.jsonl".into(), Checkpoint(b"1".to_vec())));
        ledger.record(&first, &Flat, now()).unwrap();
        first.checkpoints[0].2 = Checkpoint(b"2".to_vec());
        ledger.record(&first, &Flat, now()).unwrap();
        assert_eq!(
            ledger.checkpoints("logs").unwrap()["a.jsonl"],
            Checkpoint(b"2".to_vec()),
            "{store}"
        );
        assert!(ledger.checkpoints("other").unwrap().is_empty());
        for key in ["a.jsonl", "never-there.jsonl"] {
            let mut none = batch([]);
            none.checkpoints.push(("logs".into(), key.into(), Checkpoint::NONE));
            ledger.record(&none, &Flat, now()).unwrap();
            assert!(ledger.checkpoints("logs").unwrap().is_empty(), "{store}");
        }
    });
}

fn bill(rows: &[(&str, &str, i64)]) -> Bill {
    let row = |&(day, category, cents): &(&str, &str, i64)| {
        let dimensions = Dimensions::default()
            .with(Dimension::Category, category)
            .with(Dimension::Provider, "aws");
        let hour = Hour::of(at(day));
        let key = SpendKey {
            hour,
            basis: Basis::Billed,
            currency: Currency::USD,
            dimensions,
        };
        (
            key,
            Sums {
                events: 1,
                cost: Decimal::new(cents, 2),
                ..Sums::default()
            },
        )
    };
    let period = Period::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"));
    Bill {
        identity: "focus/1/2026-10".into(),
        period,
        rows: rows.iter().map(row).collect(),
        settled_before: None,
        formerly: None,
    }
}

#[test]
fn a_bill_replaces_its_period_and_what_changed_is_kept() {
    stores(|store, open| {
        let mut ledger = open();
        let (d1, d2, d3) = ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z");
        let first = bill(&[(d1, "Usage", 1000), (d1, "Credit", -400), (d2, "Usage", 500)]);
        assert!(ledger.replace_bill(&first, now()).unwrap().is_empty(), "{store}");
        assert!(
            ledger.replace_bill(&first, now()).unwrap().is_empty(),
            "{store}: the same again changes nothing"
        );
        assert_eq!(total(&mut *ledger).cost, Decimal::new(1100, 2));
        let second = bill(&[(d1, "Usage", 1000), (d2, "Usage", 700), (d3, "Usage", 1)]);
        let restated = ledger.replace_bill(&second, now()).unwrap();
        let days: Vec<_> = restated.iter().map(|r| (r.day, r.old, r.new)).collect();
        let day = |text| Hour::of(at(text));
        assert_eq!(
            days,
            [
                (day(d1), Decimal::new(600, 2), Decimal::new(1000, 2)),
                (day(d2), Decimal::new(500, 2), Decimal::new(700, 2))
            ],
            "{store}"
        );
        assert_eq!(ledger.restatements().unwrap(), restated);
        assert_eq!(total(&mut *ledger).cost, Decimal::new(1701, 2));
        let mut third = bill(&[(d1, "Usage", 1100), (d2, "Usage", 800), (d3, "Usage", 2)]);
        third.settled_before = Some(day(d2));
        let restated = ledger.replace_bill(&third, now()).unwrap();
        assert_eq!(restated.len(), 1, "{store}: days that were open may change");
        assert_eq!(restated[0].day, day(d1));
        ledger.replace_bill(&second, now()).unwrap();
        assert_eq!(rows(&mut *ledger).len(), 3, "{store}: the withdrawn credit left no row");
        // A day that a delivery leaves out and a later one has again is told both times, so that the list ends with what counts.
        let without = bill(&[(d1, "Usage", 1000), (d3, "Usage", 1)]);
        ledger.replace_bill(&without, now()).unwrap();
        let back: Vec<_> = ledger.replace_bill(&second, now()).unwrap();
        let told: Vec<_> = back.iter().map(|r| (r.day, r.old, r.new)).collect();
        assert_eq!(told, [(day(d2), Decimal::ZERO, Decimal::new(700, 2))], "{store}");
        assert!(
            ledger.replace_bill(&second, now()).unwrap().is_empty(),
            "{store}: told once"
        );
    });
}

#[test]
fn spend_ends_where_a_bill_that_is_taken_back_leaves_some() {
    stores(|store, open| {
        let mut ledger = open();
        let mut span_of = |rows: &[(&str, &str, i64)]| {
            ledger.replace_bill(&bill(rows), now()).unwrap();
            ledger.span().unwrap().map(|span| (span.start, span.end))
        };
        let span = |from: &str, to: &str| Some((at(from), at(to)));
        let row = ("2026-10-09T05:00:00Z", "Usage", 100);
        let of_row = span("2026-10-09T05:00:00Z", "2026-10-09T06:00:00Z");
        let later = ("2026-10-21T03:00:00Z", "Usage", 5);
        let earlier = ("2026-10-09T04:00:00Z", "Usage", 5);
        let all = span("2026-10-09T04:00:00Z", "2026-10-21T04:00:00Z");
        assert_eq!(span_of(&[row, later, earlier]), all, "{store}");
        assert_eq!(span_of(&[row]), of_row, "{store}");
        span_of(&[]);
        assert_eq!(span_of(&[row, later, earlier]), all, "{store}");
        // The same of days that were folded, one of which had spend at midnight alone.
        let midnight = ("2026-10-12T00:00:00Z", "Usage", 7);
        assert_eq!(span_of(&[row, later, earlier, midnight]), all, "{store}");
        let retention = Retention { detail_days: 20 };
        ledger.expire(retention, &Default::default(), now()).unwrap();
        let hours = rows(&mut *ledger).into_keys().map(|key| key.hour);
        assert!(hours.into_iter().all(|hour| hour == hour.folded()), "{store}");
        let spent = |ledger: &mut Box<dyn Ledger>, rows: &[(&str, &str, i64)]| {
            ledger.replace_bill(&bill(rows), now()).unwrap();
            ledger.expire(retention, &Default::default(), now()).unwrap();
            ledger.span().unwrap().map(|span| span.end.date_naive().to_string())
        };
        assert_eq!(
            spent(&mut ledger, &[row, later, earlier]).as_deref(),
            Some("2026-10-21")
        );
        assert_eq!(spent(&mut ledger, &[row]).as_deref(), Some("2026-10-09"), "{store}");
    });
}

#[test]
fn a_bill_takes_its_rows_from_the_one_that_a_former_version_named_otherwise() {
    stores(|store, open| {
        let mut ledger = open();
        let (d1, d2) = ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z");
        let mut rows: Vec<_> = bill(&[(d1, "Usage", 1000), (d2, "Usage", 500)]).rows.iter().collect();
        let other = |(key, sums): &(SpendKey, Sums)| {
            let dimensions = key.dimensions.with(Dimension::Provider, "google");
            (SpendKey { dimensions, ..*key }, *sums)
        };
        let of_others: Vec<_> = rows.iter().map(other).collect();
        rows.extend(of_others);
        let former = Bill {
            identity: "focus/1/2026-10-01".into(),
            rows: rows.into_iter().collect(),
            ..bill(&[])
        };
        ledger.replace_bill(&former, now()).unwrap();
        let named = |rows: &[(&str, &str, i64)]| Bill {
            identity: "focus/aws/1/2026-10-01".into(),
            formerly: Some(Former {
                identity: former.identity.clone(),
                provider: "aws".into(),
            }),
            ..bill(rows)
        };
        let restated = ledger.replace_bill(&named(&[(d1, "Usage", 1000), (d2, "Usage", 700)]), now());
        let days: Vec<_> = restated.unwrap().iter().map(|r| (r.old, r.new)).collect();
        assert_eq!(days, [(Decimal::new(500, 2), Decimal::new(700, 2))], "{store}");
        assert_eq!(
            total(&mut *ledger).cost,
            Decimal::new(3200, 2),
            "{store}: nothing counts twice"
        );
        // As it was before, the rows of the other provider as they are.
        for _ in 0..2 {
            ledger.replace_bill(&named(&[(d1, "Usage", 900)]), now()).unwrap();
            let bills = ledger.bills().unwrap();
            let sums: Vec<_> = bills
                .iter()
                .map(|bill| (bill.identity.as_str(), bill.costs[&(Basis::Billed, Currency::USD)]))
                .collect();
            let expected = [
                ("focus/1/2026-10-01", Decimal::new(1500, 2)),
                ("focus/aws/1/2026-10-01", Decimal::new(900, 2)),
            ];
            assert_eq!(sums, expected, "{store}");
        }
        assert_eq!(total(&mut *ledger).cost, Decimal::new(2400, 2), "{store}");
        // A bill of nothing is none.
        ledger.replace_bill(&named(&[]), now()).unwrap();
        let bills = ledger.bills().unwrap();
        assert_eq!(bills.len(), 1, "{store}: {bills:?}");
    });
}

#[test]
fn any_bill_in_place_of_any_other_leaves_what_it_has_itself() {
    let hour = |n: usize| format!("2026-10-0{}T0{}:00:00Z", 1 + n % 3, n % 7);
    // Rows of many hours in no order, hours that come and go, and nothing at all.
    let bills: [&[(usize, &str, i64)]; 6] = [
        &[
            (9, "Usage", 5),
            (0, "Usage", 1),
            (0, "Tax", 2),
            (4, "Usage", 3),
            (9, "Tax", 4),
            (1, "Usage", 0),
        ],
        &[(4, "Usage", 3), (0, "Usage", 1), (20, "Usage", 7)],
        &[],
        &[(2, "Credit", -9), (0, "Usage", 1), (2, "Usage", 9)],
        &[(2, "Usage", 9), (0, "Usage", 1), (2, "Credit", -9)],
        &[(0, "Usage", 1), (9, "Usage", 5), (0, "Tax", 3)],
    ];
    stores(|store, open| {
        let mut ledger = open();
        let other = Bill {
            identity: "focus/2/2026-10".into(),
            ..bill(&[("2026-10-01T00:00:00Z", "Usage", 100)])
        };
        ledger.replace_bill(&other, now()).unwrap();
        let mut told = Vec::new();
        for rows_of in bills {
            let hours: Vec<String> = rows_of.iter().map(|(n, _, _)| hour(*n)).collect();
            let given: Vec<_> = hours
                .iter()
                .zip(rows_of)
                .map(|(h, row)| (h.as_str(), row.1, row.2))
                .collect();
            let new = bill(&given);
            told.extend(ledger.replace_bill(&new, now()).unwrap());
            let mut expected = Rows::new();
            for (key, sums) in new.rows.iter().chain(other.rows.iter()) {
                expected.entry(key).or_default().add(&sums).unwrap();
            }
            assert_eq!(rows(&mut *ledger), expected, "{store}");
        }
        assert_eq!(ledger.restatements().unwrap(), told, "{store}");
        assert!(
            told.iter().all(|r| r.old != r.new) && told.len() > 4,
            "{store}: {told:?}"
        );
    });
}

#[test]
fn expiry_keeps_daily_totals_and_identities() {
    stores(|store, open| {
        let mut ledger = open();
        let recorded_at = at("2026-11-20T00:00:00Z");
        ledger.record(&batch((0..3000).map(call)), &Flat, recorded_at).unwrap();
        let before = total(&mut *ledger);
        let later = recorded_at + TimeDelta::days(95);
        // The hours of one day are still needed.
        let second = Hour::of(at("2026-11-02T00:00:00Z"));
        let mut kept = BTreeSet::from([second]);
        let gone = ledger.expire(Retention { detail_days: 90 }, &kept, later).unwrap();
        assert_eq!(gone, 3000, "{store}");
        assert_eq!(total(&mut *ledger), before, "{store}");
        let hours = |ledger: &mut dyn Ledger| rows(ledger).keys().map(|k| k.hour).collect::<BTreeSet<Hour>>();
        let (days, hour): (BTreeSet<Hour>, BTreeSet<Hour>) =
            hours(&mut *ledger).into_iter().partition(|hour| hour.day() != second);
        assert!(
            days.len() == 2 && days.iter().all(|hour| *hour == hour.folded()),
            "{store}: hours are folded into days"
        );
        assert_eq!(hour.len(), 24, "{store}: but for those that are kept");
        kept.clear();
        assert_eq!(ledger.expire(Retention { detail_days: 90 }, &kept, later).unwrap(), 0);
        assert_eq!(total(&mut *ledger), before, "{store}");
        assert_eq!(hours(&mut *ledger).len(), 3, "{store}: as long as they are");
        assert_eq!(ledger.event(call(1).id).unwrap(), None);
        let again = ledger.record(&batch((0..3001).map(call)), &Flat, later).unwrap();
        assert_eq!(
            (again.recorded, again.duplicates),
            (1, 3000),
            "{store}: a call without detail is still counted once"
        );
        assert_eq!(ledger.expire(Retention { detail_days: 90 }, &kept, later).unwrap(), 0);
        assert!(ledger.event(call(3000).id).unwrap().is_some(), "{store}");
    });
}

/// The detail of a call is kept for all of its days, whatever was recorded before it on its day, and a clock that is ahead once ends none of
/// them: a correction in time counts.
#[test]
fn a_correction_in_time_counts() {
    stores(|store, open| {
        let cost = |ledger: &mut dyn Ledger, recorded_at: &str| {
            let mut partial = call(1);
            partial.rank.complete = false;
            partial.tokens = Tokens::default().with(Bucket::Output, 1);
            ledger.record(&batch([partial]), &Flat, at(recorded_at)).unwrap()
        };
        let complete =
            |ledger: &mut dyn Ledger, now: &str| ledger.record(&batch([call(1)]), &Flat, at(now)).unwrap().cost;
        let (mut ledger, whole) = (open(), Flat.price(&call(1)).cost);
        ledger
            .record(&batch([call(2)]), &Flat, at("2026-11-10T01:00:00Z"))
            .unwrap();
        let before = cost(&mut *ledger, "2026-11-10T23:00:00Z").cost;
        let until = at("2026-11-13T02:00:00Z");
        ledger
            .expire(Retention { detail_days: 3 }, &BTreeSet::new(), until)
            .unwrap();
        let changed = complete(&mut *ledger, "2026-11-13T03:00:00Z");
        assert_eq!(changed, whole - before, "{store}");
        let mut ledger = open();
        let before = cost(&mut *ledger, "2026-11-10T23:00:00Z").cost;
        let changed = complete(&mut *ledger, "2027-03-10T23:00:00Z");
        assert_eq!(changed, whole - before, "{store}: a clock that is ahead");
    });
}

/// What a bill says of a day that was folded is in its sum, and what replaces it takes its place, also where its hours are needed since.
#[test]
fn a_bill_is_corrected_and_taken_back_after_its_days_were_folded() {
    stores(|store, open| {
        let mut ledger = open();
        let (first, second) = ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z");
        let keep = Retention { detail_days: 90 };
        let later = at("2027-02-01T00:00:00Z");
        let told = |ledger: &mut dyn Ledger| -> Vec<(Hour, i64, Decimal)> {
            let rows = rows(ledger).into_iter().filter(|(_, sums)| !sums.is_empty());
            rows.map(|(key, sums)| (key.hour, sums.events, sums.cost)).collect()
        };
        let folded = |day| Hour::of(at(day)).folded();
        let cents = |cents| Decimal::new(cents, 2);
        let kept = BTreeSet::from([Hour::of(at(first)), Hour::of(at(second))]);
        ledger
            .replace_bill(&bill(&[(first, "Usage", 2000), (second, "Usage", 2000)]), later)
            .unwrap();
        ledger.expire(keep, &BTreeSet::new(), later).unwrap();
        let mut call = call(1);
        call.at = at("2026-10-01T15:00:00Z");
        ledger.record(&batch([call]), &Flat, later).unwrap();
        let of_call = (Hour::of(call.at), 1, Flat.price(&call).cost);
        for _ in 0..2 {
            ledger
                .replace_bill(&bill(&[(first, "Usage", 500), (second, "Usage", 2000)]), later)
                .unwrap();
            let mut expected = [
                (folded(first), 1, cents(500)),
                of_call,
                (folded(second), 1, cents(2000)),
            ];
            expected.sort_unstable();
            let mut found = told(&mut *ledger);
            found.sort_unstable();
            assert_eq!(found, expected, "{store}");
            ledger.expire(keep, &kept, later).unwrap();
        }
        ledger.replace_bill(&bill(&[]), later).unwrap();
        assert_eq!(told(&mut *ledger), [of_call], "{store}");
        ledger.expire(keep, &BTreeSet::new(), later).unwrap();
        let (_, events, cost) = of_call;
        assert_eq!(told(&mut *ledger), [(folded(first), events, cost)], "{store}");
    });
}

/// Twice [`Flat`], and it knows every model.
struct Dearer;

impl Pricer for Dearer {
    fn price(&self, event: &UsageEvent) -> Charge {
        let cost = Decimal::from(event.tokens.total()) * Decimal::new(6, 6);
        Charge::priced(cost, Label::new("test/dearer"))
    }
}

#[test]
fn calls_are_visited_by_half_open_periods_until_told_to_stop() {
    stores(|store, open| {
        let mut ledger = open();
        ledger.record(&batch((0..3000).map(call)), &Flat, now()).unwrap();
        let period = Period::new(at("2026-11-01T01:00:00Z"), at("2026-11-01T03:00:00Z"));
        let mut seen = BTreeMap::new();
        let mut go_on = |event: &UsageEvent, charge: &Charge| {
            seen.insert(event.id, (*event, *charge));
            ControlFlow::Continue(())
        };
        ledger.events(period, &mut go_on).unwrap();
        assert_eq!(seen.len(), 120, "{store}");
        for n in 60..180 {
            let event = call(n);
            assert_eq!(seen[&event.id], (event, Flat.price(&event)), "{store}");
        }
        let mut visited = 0;
        let mut stop = |_: &UsageEvent, _: &Charge| {
            visited += 1;
            ControlFlow::Break(())
        };
        ledger.events(always(), &mut stop).unwrap();
        assert_eq!(visited, 1, "{store}");
    });
}

#[test]
fn calls_priced_anew_move_the_sums_once_and_leave_restatements() {
    stores(|store, open| {
        let mut ledger = open();
        ledger.record(&batch((0..3000).map(call)), &Flat, now()).unwrap();
        let before = total(&mut *ledger);
        // 2,880 calls are of the first two days; one id is not recorded, one stands twice.
        let ids: Vec<EventId> = (0..2880).chain([9_999, 0]).map(|n| call(n).id).collect();
        let out = ledger.recharge(&ids, &Dearer, now()).unwrap();
        assert_eq!(out.changed, 2880, "{store}");
        let mut reference = open();
        reference.record(&batch((0..2880).map(call)), &Dearer, now()).unwrap();
        reference.record(&batch((2880..3000).map(call)), &Flat, now()).unwrap();
        assert_eq!(rows(&mut *ledger), rows(&mut *reference), "{store}");
        let after = total(&mut *ledger);
        assert_eq!(after.cost - before.cost, out.cost, "{store}");
        assert!(after.unpriced_events < before.unpriced_events, "{store}");
        let (days, news): (Vec<_>, Vec<_>) = out.restatements.iter().map(|r| (r.day, r.new)).unzip();
        assert_eq!(
            days,
            [at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z")].map(Hour::of),
            "{store}"
        );
        let day = |day: Hour| -> Decimal {
            let of_day = rows(&mut *ledger).into_iter().filter(|(k, _)| k.hour.day() == day);
            of_day.map(|(_, s)| s.cost).sum()
        };
        let expected: Vec<Decimal> = days.into_iter().map(day).collect();
        assert_eq!(news, expected, "{store}");
        assert_eq!(ledger.restatements().unwrap(), out.restatements, "{store}");
        assert_eq!(ledger.event(call(5).id).unwrap().unwrap().1, Dearer.price(&call(5)));
        let again = ledger.recharge(&ids, &Dearer, now()).unwrap();
        assert_eq!(again, finops::ports::Recharged::default(), "{store}: once is enough");
    });
}

#[test]
fn spend_is_asked_by_half_open_periods() {
    stores(|store, open| {
        let mut ledger = open();
        assert_eq!(ledger.span().unwrap(), None);
        ledger.record(&batch((0..600).map(call)), &Flat, now()).unwrap();
        let period = Period::new(at("2026-11-01T01:00:00Z"), at("2026-11-01T03:00:00Z"));
        let mut hours = std::collections::BTreeSet::new();
        ledger
            .spend(period, &mut |key, _| {
                hours.insert(key.hour.start());
            })
            .unwrap();
        assert_eq!(
            hours.into_iter().collect::<Vec<_>>(),
            [period.start, at("2026-11-01T02:00:00Z")],
            "{store}"
        );
        let span = Period::new(at("2026-11-01T00:00:00Z"), at("2026-11-01T10:00:00Z"));
        assert_eq!(ledger.span().unwrap(), Some(span), "{store}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Any batches in any order give what the reference gives: SQLite and DynamoDB equal memory, row by row.
    #[test]
    fn stores_agree(batches in proptest::collection::vec(proptest::collection::vec((0..60_u64, 0..4_u8, 0..6_u64), 0..80), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut memory = MemoryLedger::new();
        // Over the network it takes a hundred times as long: some of the cases.
        #[cfg(feature = "aws")]
        let table = crate::aws::ministack().filter(|_| batches.len() % 3 == 0).map(|emulator| (emulator, crate::aws::create_table(emulator)));
        for calls in batches {
            // A fresh handle each time: nothing may live only in the handle.
            let mut sqlite = SqliteLedger::open(&path).unwrap();
            let calls = batch(calls.into_iter().map(|(n, variant, line)| {
                let mut event = call(n);
                event.rank.line = line;
                event.rank.complete = variant & 1 == 0;
                event.sidechain = variant & 2 != 0;
                event.at += TimeDelta::hours(i64::from(variant));
                event.tokens.set(Bucket::CacheRead, u64::from(variant));
                event
            }));
            let (a, b) = (sqlite.record(&calls, &Flat, now()).unwrap(), memory.record(&calls, &Flat, now()).unwrap());
            prop_assert_eq!((a.recorded, a.duplicates, a.unpriced, a.cost), (b.recorded, b.duplicates, b.unpriced, b.cost));
            prop_assert_eq!(rows(&mut sqlite), rows(&mut memory));
            for id in calls.events.ids() {
                prop_assert_eq!(sqlite.event(*id).unwrap(), memory.event(*id).unwrap());
            }
            for wanted in [&[][..], &[Dimension::Model], &[Dimension::Team, Dimension::Model], &Dimension::ALL] {
                prop_assert_eq!(by(&mut sqlite, wanted, true), by(&mut memory, wanted, false));
            }
            #[cfg(feature = "aws")]
            if let Some((emulator, table)) = &table {
                let mut cloud = crate::aws::open(emulator, table, now());
                let c = cloud.record(&calls, &Flat, now()).unwrap();
                prop_assert_eq!((c.recorded, c.duplicates, c.unpriced, c.cost), (b.recorded, b.duplicates, b.unpriced, b.cost));
                prop_assert_eq!(rows(&mut cloud), rows(&mut memory));
            }
        }
    }
}

/// More batches over the same hours than the store keeps apart, a folded day among them.
#[test]
fn hours_of_many_batches_are_summed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut sqlite = SqliteLedger::open(&path).unwrap();
    let mut memory = MemoryLedger::new();
    for round in 0..80_u64 {
        if round % 16 == 5 {
            sqlite = SqliteLedger::open(&path).unwrap();
        }
        let calls = batch((0..30).map(|n| call(n * 40 + 7 * round)));
        sqlite.record(&calls, &Flat, now()).unwrap();
        memory.record(&calls, &Flat, now()).unwrap();
        if round == 50 {
            let retention = Retention { detail_days: 23 };
            sqlite.expire(retention, &Default::default(), now()).unwrap();
            memory.expire(retention, &Default::default(), now()).unwrap();
        }
    }
    assert_eq!(rows(&mut sqlite), rows(&mut memory));
    assert_eq!(sqlite.span().unwrap(), memory.span().unwrap());
    let wanted = [Dimension::Model];
    assert_eq!(by(&mut sqlite, &wanted, true), by(&mut memory, &wanted, false));
}

#[test]
fn two_handles_at_once_count_each_call_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let path = &path;
            scope.spawn(move || {
                let mut ledger = SqliteLedger::open(path).unwrap();
                for chunk in 0..10 {
                    let first = (chunk + thread) % 10 * 300;
                    ledger
                        .record(&batch((first..first + 300).map(call)), &Flat, now())
                        .unwrap();
                }
            });
        }
    });
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let mut memory = MemoryLedger::new();
    memory.record(&batch((0..3000).map(call)), &Flat, now()).unwrap();
    assert_eq!(rows(&mut ledger), rows(&mut memory));
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "this is not a database, it is a text of some length".repeat(30)).unwrap();
    let before = std::fs::read(&text).unwrap();
    assert!(matches!(SqliteLedger::open(&text), Err(StoreError::Damaged { .. })));
    assert_eq!(std::fs::read(&text).unwrap(), before);

    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    let Err(error) = SqliteLedger::open(&other) else {
        panic!("another program's database must be refused")
    };
    assert!(
        error.to_string().ends_with("it is the database of another program"),
        "{error}"
    );

    let newer = folder.path().join("newer.db");
    drop(SqliteLedger::open(&newer).unwrap());
    rusqlite::Connection::open(&newer)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    assert!(matches!(
        SqliteLedger::open(&newer),
        Err(StoreError::TooNew { found: 99, .. })
    ));
}

#[test]
fn a_damaged_row_is_an_error_not_a_wrong_sum() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.record(&batch((0..10).map(call)), &Flat, now()).unwrap();
    let seen_again = |line: u64| {
        let mut event = call(1);
        event.rank.line = line;
        batch([event])
    };
    ledger.record(&seen_again(5), &Flat, now()).unwrap();
    let bill = bill(&[("2026-10-01T00:00:00Z", "Usage", 100)]);
    ledger.replace_bill(&bill, now()).unwrap();
    let damage = |table: &str| {
        let cut = rusqlite::Connection::open(&path)
            .unwrap()
            .execute(&format!("UPDATE {table} SET body = substr(body, 2)"), [])
            .unwrap();
        assert!(cut > 0, "{table} holds nothing");
    };
    damage("event_line");
    assert!(matches!(ledger.event(call(1).id), Err(StoreError::Damaged { .. })));
    let told = ledger.record(&seen_again(9), &Flat, now()).unwrap_err().to_string();
    assert!(told.contains("ledger.db"), "{told}");
    damage("bill_hour");
    assert!(matches!(
        ledger.replace_bill(&bill, now()),
        Err(StoreError::Damaged { .. })
    ));
    damage("spend_part");
    assert!(matches!(
        ledger.spend(always(), &mut |_, _| {}),
        Err(StoreError::Damaged { .. })
    ));
}

/// Prices half, and while it is asked first, another program records one more call at the prices of before.
struct Half(std::sync::Mutex<Option<SqliteLedger>>);

impl Pricer for Half {
    fn price(&self, event: &UsageEvent) -> Charge {
        if let Some(mut other) = self.0.lock().unwrap().take() {
            other.record(&batch([call(100)]), &Flat, now()).unwrap();
        }
        Charge::priced(Flat.price(event).cost / Decimal::TWO, Label::new("test/half"))
    }
}

#[test]
fn what_comes_in_while_calls_are_priced_anew_has_not_expired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let priced = [1, 3, 4, 6].map(call);
    ledger.record(&batch(priced), &Flat, now()).unwrap();
    let query = RepriceQuery {
        period: always(),
        filters: Vec::new(),
        dry_run: false,
        drop_prices: false,
        given: Given::default(),
    };
    let half = Half(std::sync::Mutex::new(Some(SqliteLedger::open(&path).unwrap())));
    let done = reprice(&mut ledger, &half, &query, now()).unwrap();
    assert_eq!((done.calls, done.changed, done.by_others), (4, 4, 0));
    assert_eq!((done.left_out, done.left_out_cost), (0, Decimal::ZERO));
}

#[test]
fn a_ledger_that_is_held_is_read_as_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l.db");
    let (mut ledger, mut other) = (SqliteLedger::open(&path).unwrap(), SqliteLedger::open(&path).unwrap());
    let calls = |ledger: &mut SqliteLedger| {
        let mut calls = 0;
        let mut count = |_: &UsageEvent, _: &Charge| {
            calls += 1;
            ControlFlow::Continue(())
        };
        ledger.events(always(), &mut count).unwrap();
        (calls, total(ledger).events)
    };
    for round in 0..3 {
        let known = i64::try_from(2 * round).unwrap();
        ledger.hold(true).unwrap();
        assert_eq!(total(&mut ledger).events, known);
        other.record(&batch([call(2 * round)]), &Flat, now()).unwrap();
        assert_eq!(calls(&mut ledger), (known, known));
        ledger.hold(false).unwrap();
        assert_eq!(calls(&mut ledger), (known + 1, known + 1));
        // And goes on writing.
        ledger.record(&batch([call(2 * round + 1)]), &Flat, now()).unwrap();
    }
}

/// Leaves calls unpriced that cost so much at most.
struct AtMost(Decimal);

impl Pricer for AtMost {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge {
            worst_case: self.0,
            ..Charge::unpriced(UnpricedReason::NoRate, Decimal::ZERO)
        }
    }
}

/// Earlier builds took the greatest decimal for what is out of range; no two of these have a sum.
#[test]
fn worst_cases_without_a_sum_are_read_and_give_way_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(&folder.path().join("ledger.db")).unwrap();
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let calls: Vec<UsageEvent> = (0..12_u8)
        .map(|n| {
            let id = EventId::of(&[b"response", &[n]]);
            UsageEvent::new(id, at, "p".into(), format!("m{n}").as_str().into())
        })
        .collect();
    let ids: Vec<EventId> = calls.iter().map(|call| call.id).collect();
    let batch = RecordBatch {
        events: calls.into_iter().collect(),
        ..RecordBatch::default()
    };
    ledger.record(&batch, &AtMost(Decimal::MAX), at).unwrap();
    let period = Period::new(at - TimeDelta::days(1), at + TimeDelta::days(1));
    let worst = |ledger: &mut SqliteLedger| {
        let (mut all, mut rows) = (Sums::default(), Sums::default());
        ledger
            .spend_by(period, &[], &mut |_, sums| all.add(sums).unwrap())
            .unwrap();
        ledger.spend(period, &mut |_, sums| rows.add(sums).unwrap()).unwrap();
        assert_eq!((all.unpriced_events, rows.unpriced_events), (12, 12));
        let [all, rows] = [all, rows].map(|sums| sums.unpriced_worst_case.round_dp(12));
        assert_eq!(all, rows);
        all
    };
    assert_eq!(worst(&mut ledger), MOST * Decimal::from(12));
    let fine: Decimal = "0.001666666666666667".parse().unwrap();
    ledger.recharge(&ids[..1], &AtMost(fine), at).unwrap();
    let mixed = worst(&mut ledger) - MOST * Decimal::from(11);
    assert_eq!(mixed, fine.round_dp(12));
    // As much with as many digits, in one row of two models.
    let large: Decimal = "50000000000.000000000000000002".parse().unwrap();
    ledger.recharge(&ids, &AtMost(large), at).unwrap();
    assert_eq!(worst(&mut ledger), Decimal::from(600_000_000_000_u64));
    let done = ledger.recharge(&ids, &AtMost(fine), at).unwrap();
    assert_eq!(done.changed, 12);
    assert_eq!(worst(&mut ledger), (fine * Decimal::from(12)).round_dp(12));
}
