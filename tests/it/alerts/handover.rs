//! Channels that are renamed or removed while alerts live on them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::memory::MemoryAlerts;
use finops::domain::alert::{Alert, Silence, Transition};
use finops::domain::budget::{Budget, ThresholdKind};
use finops::domain::notification::Notification;
use finops::engine::collect::Complete;
use finops::engine::evaluate::evaluate;
use finops::engine::notify::{Delivery, DeliveryLimits, DeliverySummary, Routes, deliver_routed};
use finops::ports::{
    AlertCommit, AlertStore, AlertsAndOutbox, Clock, DeliveryError, Notifier, Outbox, Pending, Receipt, Retry,
    StoreError,
};
use rust_decimal::Decimal;

use super::{FakeLedger, at, budget};

/// Accepts or refuses everything; tells what it took.
struct Channel(String, bool, Arc<Mutex<Vec<String>>>);

impl Notifier for Channel {
    fn channel(&self) -> &str {
        &self.0
    }
    fn deliver(&self, message: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        if !self.1 {
            return Err(DeliveryError {
                message: "gone".to_owned(),
                retry: Retry::Never,
            });
        }
        let told = format!("{} {}", message.told, self.0);
        self.2.lock().unwrap().push(told);
        let answer = "ok".to_owned();
        Ok(Receipt { answer })
    }
}

struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {}
}

struct Scene<S = MemoryAlerts> {
    ledger: FakeLedger,
    store: S,
    budget: Budget,
    now: DateTime<Utc>,
}

impl Scene {
    fn new(named: &[&str]) -> Self {
        let mut ledger = FakeLedger::default();
        ledger.set(at("2026-11-02T10:00:00Z"), "search", Decimal::from(120));
        let mut budget = budget("total", "100");
        budget.thresholds.retain(|rung| rung.kind == ThresholdKind::Actual);
        budget.channels = named.iter().map(|name| (*name).to_owned()).collect();
        Scene {
            ledger,
            store: MemoryAlerts::new(),
            budget,
            now: at("2026-11-02T12:00:00Z"),
        }
    }
}

impl<S: AlertsAndOutbox> Scene<S> {
    /// A run a day later; `dead` names a channel that takes nothing. Answers what was told.
    fn run(&mut self, configured: &[&str], dead: &str) -> Result<(Vec<String>, DeliverySummary), StoreError> {
        self.now += TimeDelta::days(1);
        let names: Vec<String> = configured.iter().map(|name| (*name).to_owned()).collect();
        let budgets = std::slice::from_ref(&self.budget);
        evaluate(
            budgets,
            &names,
            &mut self.ledger,
            &mut self.store,
            Complete::ALL,
            self.now,
        )?;
        let told = Arc::default();
        let channel = |name: &String| {
            let channel = Channel(name.clone(), name != dead, Arc::clone(&told));
            Box::new(channel) as Box<dyn Notifier>
        };
        let channels: Vec<Box<dyn Notifier>> = names.iter().map(channel).collect();
        let routes = Routes {
            configured: &names,
            named: &|_: &Alert| self.budget.channels.clone(),
        };
        let delivery = Delivery {
            channels: &channels,
            clock: &At(self.now),
            limits: DeliveryLimits {
                attempts: 1,
                timeout: Duration::from_secs(1),
                budget: Duration::from_secs(60),
                at_once: 1,
            },
            jitter_seed: 1,
        };
        let summary = deliver_routed(&mut self.store, &routes, delivery)?;
        let told = told.lock().unwrap().clone();
        Ok((told, summary))
    }

    /// The same where all goes well: what was told, and `channel to dropped messages` of what was handed over.
    fn told(&mut self, configured: &[&str]) -> (Vec<String>, Vec<String>) {
        let (told, summary) = self.run(configured, "").unwrap();
        assert_eq!((summary.waiting, summary.failed.len()), (0, 0), "{summary:?}");
        let handed = summary.handed.iter();
        let handed = handed.map(|h| format!("{} {} {} {}", h.channel, h.to.join("+"), h.dropped, h.messages));
        (told, handed.collect())
    }
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn what_waits_for_a_channel_that_was_renamed_goes_to_those_of_now() {
    let mut scene = Scene::new(&[]);
    for _ in 0..2 {
        let (told, summary) = scene.run(&["old"], "old").unwrap();
        assert!(told.is_empty() && summary.waiting > 0);
    }
    let (told, handed) = scene.told(&["new"]);
    assert_eq!(
        told,
        ["firing new", "reminder new"],
        "in order, the last reminder for all of them"
    );
    assert_eq!(handed, ["old new false 3"]);
    // From now on it is the new one's alert.
    assert_eq!(scene.told(&["new"]), (words(&["reminder new"]), Vec::new()));
    scene
        .ledger
        .set(at("2026-11-02T10:00:00Z"), "search", Decimal::from(20));
    assert_eq!(scene.told(&["new"]), (words(&["resolved new"]), Vec::new()));
}

#[test]
fn an_alert_goes_on_where_its_channel_is_gone() {
    // Told to one that is gone since: those of now hear how it goes on, and an id never comes twice.
    let mut scene = Scene::new(&[]);
    assert_eq!(scene.told(&["old"]).0, ["firing old"]);
    let (told, handed) = scene.told(&["a", "b"]);
    assert_eq!(told, ["reminder a", "reminder b"]);
    assert_eq!(handed, ["old a+b false 1"]);

    // Told to two: who is left hears each thing once.
    let mut scene = Scene::new(&[]);
    let (told, _) = scene.run(&["old", "ops"], "old").unwrap();
    assert_eq!(told, ["firing ops"]);
    let (told, handed) = scene.told(&["new", "ops"]);
    assert_eq!(told, ["reminder ops"]);
    assert_eq!(handed, ["old ops true 2"]);
    assert_eq!(scene.told(&["new", "ops"]), (words(&["reminder ops"]), Vec::new()));

    // Two that are gone were told the same: it is told once.
    let mut scene = Scene::new(&[]);
    assert_eq!(scene.told(&["old", "older"]).0, ["firing old", "firing older"]);
    assert_eq!(scene.told(&["new"]).0, ["reminder new"]);
}

#[test]
fn a_policy_says_who_hears_of_it_instead_and_one_that_names_nobody_tells_all() {
    let mut scene = Scene::new(&["team"]);
    assert_eq!(scene.told(&["team", "ops"]).0, ["firing team"]);
    scene.budget.channels = words(&["squad"]);
    assert_eq!(scene.told(&["squad", "ops"]).0, ["reminder squad"]);

    let mut scene = Scene::new(&["typo"]);
    let (told, handed) = scene.told(&["a", "b"]);
    assert_eq!(told, ["firing a", "firing b"]);
    assert_eq!(handed, ["typo a+b false 1"]);
}

/// Dies once, before a message is withdrawn.
struct Dying(MemoryAlerts, bool);

impl AlertStore for Dying {
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
        self.0.commit(commit)
    }
}

impl Outbox for Dying {
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
    fn withdrawn(&mut self, id: &str, why: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        if std::mem::take(&mut self.1) {
            let (path, cause) = ("x".to_owned(), "died".to_owned());
            return Err(StoreError::Failed { path, cause });
        }
        self.0.withdrawn(id, why, at)
    }
    fn release(&mut self) -> Result<(), StoreError> {
        self.0.release()
    }
}

#[test]
fn a_hand_over_that_dies_half_way_tells_nothing_twice() {
    let mut scene = Scene::new(&[]);
    scene.run(&["old"], "old").unwrap();
    let mut scene = Scene {
        store: Dying(scene.store, true),
        ledger: scene.ledger,
        budget: scene.budget,
        now: scene.now,
    };
    assert!(scene.run(&["new"], "").is_err());
    let (told, handed) = scene.told(&["new"]);
    assert_eq!(told, ["firing new", "reminder new"]);
    assert_eq!(handed, ["old new true 2"]);
}
