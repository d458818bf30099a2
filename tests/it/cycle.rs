//! A run that has no time to read everything: what it read is kept, evaluated and told; the next run goes on.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use finops::adapters::files::{FileFormat, FileSource, FileSourceOptions};
use finops::adapters::memory::{MemoryAlerts, MemoryLedger};
use finops::domain::charge::Charge;
use finops::domain::label::Label;
use finops::domain::notification::Notification;
use finops::domain::spend::{SpendKey, Sums};
use finops::domain::usage::UsageEvent;
use finops::engine::cycle::{Cycle, Parts, cycle};
use finops::engine::notify::DeliveryLimits;
use finops::engine::watch::WatchPolicy;
use finops::ports::{Clock, DeliveryError, Ledger, Notifier, Pricer, Receipt, Retention, UsageSource};
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
    assert!(between > 50_000 && between < 70_050, "{between}");

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
