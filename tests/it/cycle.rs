//! A run that has no time to read everything: what it read is kept, evaluated and told; the next run goes on.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use finops::adapters::admin::telling;
use finops::adapters::files::{FileFormat, FileSource, FileSourceOptions};
use finops::adapters::memory::{MemoryAlerts, MemoryLedger};
use finops::domain::alert::{Alert, Silence, Transition};
use finops::domain::charge::{Charge, UnpricedReason};
use finops::domain::label::Label;
use finops::domain::notification::Notification;
use finops::domain::spend::{SpendKey, Sums};
use finops::domain::usage::UsageEvent;
use finops::engine::collect::collect;
use finops::engine::cycle::{Cycle, Parts, cycle};
use finops::engine::notify::DeliveryLimits;
use finops::engine::watch::{UnpricedPolicy, WatchPolicy};
use finops::ports::{
    AlertCommit, AlertStore, Checkpoints, Clock, DeliveryError, Ledger, Notifier, Outbox, Pending, Pricer, Receipt,
    Rejection, Retention, Sink, SourceError, StoreError, UsageSource,
};
use rust_decimal::Decimal;

use super::alerts::{at, budget};

const NOW: &str = "2026-11-24T12:00:00Z";

/// A second passes at each look.
#[derive(Default)]
struct Slow(Mutex<Duration>);

impl Clock for Slow {
    fn now(&self) -> DateTime<Utc> {
        at(NOW)
    }
    fn elapsed(&self) -> Duration {
        let mut passed = self.0.lock().unwrap();
        *passed += Duration::from_secs(1);
        *passed
    }
    fn sleep(&self, _: Duration) {}
}

struct Cent;

impl Pricer for Cent {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge::priced(Decimal::new(1, 2), Label::new("flat"))
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Notifier for Log {
    fn channel(&self) -> &str {
        "log"
    }
    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        assert!(timeout > Duration::ZERO, "time for one attempt is kept");
        self.0.lock().unwrap().push(message.told.to_string());
        Ok(Receipt { answer: String::new() })
    }
}

fn calls(folder: &Path, name: &str, count: usize) {
    let mut text = String::new();
    for n in 0..count {
        let ts = "2026-11-20T10:00:00Z";
        writeln!(
            text,
            r#"{{"id":"{name}{n}","ts":"{ts}","provider":"p","model":"m","output_tokens":1}}"#
        )
        .unwrap();
    }
    std::fs::write(folder.join(name), text).unwrap();
}

fn source(folder: &Path, name: &str, paths: &str) -> Box<dyn UsageSource> {
    Box::new(FileSource::new(FileSourceOptions {
        name: Label::new(name),
        format: Some(FileFormat::Plain),
        paths: vec![paths.to_owned()],
        base: folder.to_path_buf(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: at(NOW),
        env: |_| None,
    }))
}

struct Scene {
    folder: tempfile::TempDir,
    ledger: MemoryLedger,
    alerts: MemoryAlerts,
}

impl Scene {
    fn run(&mut self, seconds: u64) -> Cycle {
        let path = self.folder.path();
        let mut sources = vec![source(path, "many", "many-*"), source(path, "huge", "huge")];
        cycle(
            Parts {
                sources: &mut sources,
                tells: telling,
                pricer: &Cent,
                ledger: &mut self.ledger,
                alerts: &mut self.alerts,
                budgets: &[budget("all", "0.05")],
                watch: &WatchPolicy::default(),
                channels: &[Box::new(Log::default())],
                channel_names: &["log".to_owned()],
                clock: &Slow::default(),
                limits: DeliveryLimits {
                    attempts: 1,
                    timeout: Duration::from_secs(10),
                    budget: Duration::from_secs(seconds),
                    at_once: 1,
                },
                time_budget: Duration::from_secs(seconds),
                retention: Retention { detail_days: 90 },
                observer: &mut |_| {},
            },
            at(NOW),
        )
        .unwrap()
    }

    fn events(&mut self) -> i64 {
        let mut events = 0;
        let ever = finops::domain::period::Period::new(DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC);
        let mut visit = |_: &SpendKey, sums: &Sums| events += sums.events;
        self.ledger.spend(ever, &mut visit).unwrap();
        events
    }
}

#[test]
fn a_run_out_of_time_keeps_what_it_read_tells_and_goes_on_where_it_was() {
    let mut scene = Scene {
        folder: tempfile::tempdir().unwrap(),
        ledger: MemoryLedger::new(),
        alerts: MemoryAlerts::new(),
    };
    let path = scene.folder.path().to_path_buf();
    (0..5).for_each(|n| calls(&path, &format!("many-{n}"), 10));
    // One long log: it is left and taken up in its middle.
    calls(&path, "huge", 70_000);

    // Three quarters of five seconds: the clock is looked at before each source and between files.
    let first = scene.run(5);
    let left: Vec<(&str, Option<u64>)> = first
        .collection
        .left
        .iter()
        .map(|l| (l.source.as_str(), l.rest.map(|r| r.files)))
        .collect();
    assert_eq!(left, [("many", Some(2)), ("huge", None)]);
    assert_eq!(scene.events(), 30);
    assert_eq!(first.evaluation.active.len(), 1, "it is evaluated");
    assert_eq!((first.delivery.delivered, first.delivery.waiting), (1, 0), "and told");

    let second = scene.run(5);
    let left: Vec<(&str, Option<u64>)> = second
        .collection
        .left
        .iter()
        .map(|l| (l.source.as_str(), l.rest.map(|r| r.files)))
        .collect();
    assert_eq!(left, [("huge", Some(1))]);
    let between = scene.events();
    assert!(between > 1_050 && between < 70_050, "{between}");

    let third = scene.run(600);
    assert!(third.collection.left.is_empty(), "{:?}", third.collection.left);
    assert_eq!(scene.events(), 70_050);
    assert_eq!(
        third.collection.recorded.recorded,
        70_050 - between.unsigned_abs(),
        "only the rest was new"
    );
    assert_eq!(third.collection.recorded.duplicates, 0, "nothing is read twice");
}

/// A source of rejections alone, in this order.
struct Rejecting(&'static str, Vec<(&'static str, u64, &'static str)>);

impl UsageSource for Rejecting {
    fn name(&self) -> Label {
        Label::new(self.0)
    }
    fn read(&mut self, _: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        for (file, line, reason) in &self.1 {
            sink.reject(Rejection {
                file: (*file).to_owned(),
                line: *line,
                field: None,
                reason: (*reason).to_owned(),
                raw: Vec::new(),
            });
        }
        Ok(())
    }
}

#[test]
fn the_rejections_that_are_shown_do_not_depend_on_which_thread_was_faster() {
    let of_one = |n: u64| ("b/1", n, "one");
    let of_two = |n: u64| ("b-c/2", n, "two");
    // Of one line several parts may be wrong: they stay in their order.
    let ends = [("b/1", 9, "x"), ("b/1", 9, "a"), ("b/1", 0, "whole")];
    let orders: [Vec<_>; 3] = [
        (1..9).map(of_one).chain(ends).chain((1..9).map(of_two)).collect(),
        (1..9).map(of_two).chain((1..9).map(of_one)).chain(ends).collect(),
        (1..9).flat_map(|n| [of_two(n), of_one(n)]).chain(ends).collect(),
    ];
    for order in orders {
        let first = Rejecting("first", vec![("z", 5, "other"), ("z", 4, "other")]);
        let mut sources: Vec<Box<dyn UsageSource>> = vec![Box::new(first), Box::new(Rejecting("second", order))];
        let mut ledger = MemoryLedger::new();
        let done = collect(&mut sources, &mut ledger, &Cent, at(NOW), &mut |_| {}, None, &|| false).unwrap();
        assert_eq!(done.rejected, 21);
        let shown = done.first_rejections.iter();
        let shown: Vec<_> = shown.map(|r| (r.file.as_str(), r.line, r.reason.as_str())).collect();
        let mut expected = vec![("z", 4, "other"), ("z", 5, "other"), ("b/1", 0, "whole")];
        expected.extend((1..8).map(of_one));
        assert_eq!(shown, expected);
    }
}

/// A store in which another run is always faster where it is not about budgets.
struct Contended(MemoryAlerts);

impl AlertStore for Contended {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        self.0.alerts(since)
    }
    fn history(&mut self, id: &str) -> Result<Vec<Transition>, StoreError> {
        self.0.history(id)
    }
    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        self.0.silences()
    }
    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        self.0.silence(silence)
    }
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        match commit.alerts.iter().find(|alert| !alert.kind.starts_with("budget_")) {
            Some(alert) => Err(StoreError::Conflict { what: alert.id.clone() }),
            None => self.0.commit(commit),
        }
    }
}

impl Outbox for Contended {
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        self.0.claim()
    }
    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        self.0.waiting()
    }
    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.0.delivered(id, receipt, at)
    }
    fn failed(&mut self, after: &Pending) -> Result<(), StoreError> {
        self.0.failed(after)
    }
    fn release(&mut self) -> Result<(), StoreError> {
        self.0.release()
    }
}

/// A cent for what is known.
struct Knows;

impl Pricer for Knows {
    fn price(&self, event: &UsageEvent) -> Charge {
        match event.model().as_str() {
            "m" => Charge::priced(Decimal::new(1, 2), Label::new("flat")),
            _ => Charge::unpriced(UnpricedReason::UnknownModel, Decimal::ONE),
        }
    }
}

#[test]
fn what_fails_in_watching_keeps_no_budget_from_being_told() {
    let folder = tempfile::tempdir().unwrap();
    calls(folder.path(), "many-1", 9);
    let unknown = r#"{"id":"x","ts":"2026-11-20T10:00:00Z","provider":"p","model":"x","output_tokens":1}"#;
    std::fs::write(folder.path().join("many-2"), unknown).unwrap();
    let mut alerts = Contended(MemoryAlerts::new());
    let ran = cycle(
        Parts {
            sources: &mut [source(folder.path(), "many", "many-*")],
            tells: telling,
            pricer: &Knows,
            ledger: &mut MemoryLedger::new(),
            alerts: &mut alerts,
            budgets: &[budget("all", "0.05")],
            watch: &WatchPolicy {
                unpriced: Some(UnpricedPolicy::default()),
                ..WatchPolicy::default()
            },
            channels: &[Box::new(Log::default())],
            channel_names: &["log".to_owned()],
            clock: &Slow::default(),
            limits: DeliveryLimits {
                attempts: 1,
                timeout: Duration::from_secs(10),
                budget: Duration::from_secs(1_000),
                at_once: 1,
            },
            time_budget: Duration::from_secs(1_000),
            retention: Retention { detail_days: 90 },
            observer: &mut |_| {},
        },
        at(NOW),
    );
    assert!(matches!(ran, Err(StoreError::Conflict { .. })), "{ran:?}");
    let told = alerts
        .0
        .alerts(None)
        .unwrap()
        .iter()
        .map(|alert| alert.tellings)
        .sum::<u64>();
    assert_eq!(told, 1, "decided");
    assert!(alerts.0.waiting().unwrap().is_empty(), "and told");
}
