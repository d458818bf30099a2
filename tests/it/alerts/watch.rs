//! Alerts about calls without a price: one per model, told once, over when they are priced.

use chrono::{DateTime, Utc};
use finops::adapters::memory::{MemoryAlerts, MemoryLedger};
use finops::domain::charge::{Charge, UnpricedReason};
use finops::domain::usage::{Bucket, EventId, Tokens, UsageEvent};
use finops::engine::collect::Complete;
use finops::engine::watch::{UnpricedPolicy, WatchPolicy, watch_all};
use finops::ports::{Ledger, Outbox, Pricer, RecordBatch};
use rust_decimal::Decimal;

use super::at;
use finops::domain::alert::Alert;
use finops::domain::notification::Severity;
use finops::domain::period::Period;
use finops::engine::deed::{Deed, act};
use finops::engine::watch::{Condition, watch};
use finops::ports::AlertStore;

/// A dollar a token, for models that are known.
struct Knows(&'static [&'static str]);

impl Pricer for Knows {
    fn price(&self, event: &UsageEvent) -> Charge {
        let cost = Decimal::from(event.tokens.total());
        if self.0.contains(&event.model().as_str()) {
            Charge::priced(cost, "test".into())
        } else {
            Charge::unpriced(UnpricedReason::UnknownModel, cost)
        }
    }
}

fn call(n: u8, day: &str, model: &str) -> UsageEvent {
    let time: DateTime<Utc> = at(&format!("{day}T10:00:00Z"));
    let mut event = UsageEvent::new(EventId([n; 16]), time, "p".into(), model.into());
    event.tokens = Tokens::default().with(Bucket::Output, u64::from(n));
    event
}

struct Scene {
    ledger: MemoryLedger,
    store: MemoryAlerts,
    above: i64,
    seen: usize,
}

impl Scene {
    fn record(&mut self, events: Vec<UsageEvent>) {
        let batch = RecordBatch {
            events: events.into_iter().collect(),
            ..RecordBatch::default()
        };
        self.ledger
            .record(&batch, &Knows(&["known"]), at("2026-11-20T00:00:00Z"))
            .unwrap();
    }

    fn run(&mut self, day: &str, complete: bool) -> Vec<String> {
        let policy = WatchPolicy {
            unpriced: Some(UnpricedPolicy {
                above: self.above.into(),
                channels: Vec::new(),
            }),
            ..WatchPolicy::default()
        };
        let channels = ["out".to_owned()];
        let now = at(&format!("{day}T12:00:00Z"));
        watch_all(
            &policy,
            &Knows(&[]),
            &channels,
            &mut self.ledger,
            &mut self.store,
            Complete {
                usage: complete,
                bills: complete,
            },
            now,
        )
        .unwrap();
        let all = self.store.claim().unwrap();
        let told = all.iter().skip(self.seen);
        let told = told
            .map(|p| format!("{} {}", p.message.told, p.message.title))
            .collect();
        self.seen = all.len();
        told
    }
}

#[test]
fn a_model_without_a_price_is_told_once_and_ends_when_it_is_priced() {
    let mut scene = Scene {
        ledger: MemoryLedger::new(),
        store: MemoryAlerts::new(),
        above: 3,
        seen: 0,
    };
    scene.record(vec![call(9, "2026-11-02", "known"), call(2, "2026-11-02", "new")]);
    assert_eq!(scene.run("2026-11-02", true), [""; 0], "below the least amount");
    scene.record(vec![call(3, "2026-11-03", "new"), call(4, "2026-11-03", "other")]);
    let first = [
        "firing p new: 2 calls without a price, at most 5.00 USD",
        "firing p other: 1 call without a price, at most 4.00 USD",
    ];
    assert_eq!(scene.run("2026-11-03", true), first);
    scene.record(vec![call(5, "2026-12-01", "new")]);
    for day in ["2026-11-04", "2026-11-30", "2026-12-01"] {
        assert_eq!(scene.run(day, true), [""; 0], "told once, not once a month");
    }
    let ids = [2, 3, 5].map(|n| EventId([n; 16]));
    scene
        .ledger
        .recharge(&ids, &Knows(&["new"]), at("2026-12-02T00:00:00Z"))
        .unwrap();
    assert_eq!(scene.run("2026-12-02", false), [""; 0], "missing data resolves nothing");
    assert_eq!(
        scene.run("2026-12-02", true),
        ["resolved unpriced p new: resolved, all its calls have a price"]
    );
}

#[test]
fn calls_that_are_too_old_to_be_watched_have_no_price_for_that() {
    let mut scene = Scene {
        ledger: MemoryLedger::new(),
        store: MemoryAlerts::new(),
        above: 0,
        seen: 0,
    };
    scene.record(vec![call(3, "2026-11-03", "new")]);
    assert_eq!(scene.run("2026-11-03", true).len(), 1);
    assert_eq!(
        scene.run("2027-01-10", true),
        ["resolved unpriced p new: resolved, no call of the last 62 days is without a price, older ones still are"]
    );
}

#[test]
fn a_condition_about_a_month_that_is_over_comes_and_goes_and_stays_where_it_was_called_over() {
    let condition = || {
        let month = Period::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        let alert = Alert::new(
            "coverage aws",
            "coverage",
            "90 % of the bill".to_owned(),
            "provider=aws",
            "billed",
            month,
            Severity::Warning,
            at("2026-12-03T00:00:00Z"),
        );
        Condition {
            alert,
            channels: Vec::new(),
            summary: String::new(),
            facts: Vec::new(),
            labels: Default::default(),
            data: serde_json::Value::Null,
            cost: None,
            impact: None,
        }
    };
    let mut store = MemoryAlerts::new();
    let channels = ["out".to_owned()];
    let run = |store: &mut MemoryAlerts, day: &str, holds: bool| {
        let conditions: Vec<Condition> = holds.then(condition).into_iter().collect();
        let now = at(&format!("2026-12-{day}T12:00:00Z"));
        let found = watch("coverage", &conditions, &|_| "covered", &channels, store, true, now);
        found.unwrap().messages
    };
    assert_eq!(run(&mut store, "03", true), 1);
    assert_eq!(run(&mut store, "04", false), 1, "resolved");
    assert_eq!(run(&mut store, "05", true), 1, "it is back");
    let id = store.alerts(None).unwrap().remove(0).id;
    let (by, reason) = ("ann".to_owned(), "known".to_owned());
    act(
        &mut store,
        &id,
        &Deed::Resolve { by, reason },
        at("2026-12-05T13:00:00Z"),
    )
    .unwrap();
    for day in ["06", "20", "31"] {
        assert_eq!(run(&mut store, day, true), 0, "called over");
    }
}

#[test]
fn an_alert_that_an_earlier_version_stored_is_read() {
    let stored = r#"{"id":"a","policy":"unpriced p new","kind":"unpriced","threshold":"calls without a price",
        "period":{"start":"1970-01-01T00:00:00Z","end":"2500-01-01T00:00:00Z"},"severity":"warning","state":"firing",
        "suppressed":null,"version":3,"confirmations":1,"opened_at":"2026-11-01T00:00:00Z","evaluated_at":"2026-11-01T00:00:00Z",
        "told_at":"2026-11-01T00:00:00Z","tellings":1,"acknowledged":null,"title":"t"}"#;
    let alert: Alert = serde_json::from_str(stored).unwrap();
    assert_eq!((alert.definition, alert.told_cost), (None, None));
}
