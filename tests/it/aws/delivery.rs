//! The right to deliver, which two runs must not have at once however long a channel makes one of them wait; and a call that hangs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::aws::Aws;
use finops::adapters::aws::client::CallLimits;
use finops::adapters::aws::dynamodb::{DynamoAlerts, Table};
use finops::adapters::clock::SystemClock;
use finops::cli::{CliError, Exit};
use finops::domain::notification::Notification;
use finops::engine::notify::{DeliveryLimits, deliver_pending};
use finops::ports::{AlertCommit, AlertStore as _, Clock, DeliveryError, Notifier, Outbox as _, Receipt, Retry};

use super::proxy::{Fault, Proxy};
use super::{connect, create_table, emulators};

fn start() -> DateTime<Utc> {
    "2026-11-10T12:00:00Z".parse().unwrap()
}

fn message(id: &str) -> Notification {
    let message = serde_json::json!({
        "id": id, "channel": "out", "alert_id": "a", "told": "firing", "severity": "critical", "kind": "budget_actual", "title": "t",
        "summary": "", "facts": [], "lines": [], "owner": null, "runbook": null, "labels": {}, "data": {}, "decided_at": start(), "test": false,
    });
    serde_json::from_value(message).unwrap()
}

/// Time passes only by sleeping; someone looks in while it does.
#[derive(Clone)]
struct Slept {
    seconds: Arc<AtomicU64>,
    #[expect(clippy::type_complexity, reason = "set once, in the test")]
    meanwhile: Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>,
}

impl Clock for Slept {
    fn now(&self) -> DateTime<Utc> {
        start() + TimeDelta::from_std(self.elapsed()).unwrap()
    }
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }
    fn sleep(&self, duration: Duration) {
        self.seconds.fetch_add(duration.as_secs(), Ordering::SeqCst);
        if let Some(look) = self.meanwhile.lock().unwrap().as_mut() {
            look();
        }
    }
}

/// Says "later" once, with a long pause.
struct Busy(AtomicU32);

impl Notifier for Busy {
    fn channel(&self) -> &str {
        "out"
    }
    fn deliver(&self, _: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(DeliveryError {
                message: "busy".to_owned(),
                retry: Retry::After(Duration::from_secs(400)),
            });
        }
        Ok(Receipt {
            answer: "ok".to_owned(),
        })
    }
}

#[test]
fn a_channel_that_makes_us_wait_long_is_still_ours_alone() {
    for emulator in emulators() {
        let table = create_table(emulator);
        let clock = Slept {
            seconds: Arc::default(),
            meanwhile: Arc::default(),
        };
        let open = || {
            let table = Table::new(connect(emulator), table.clone());
            DynamoAlerts::new(table, Box::new(clock.clone()), start()).holding_for(Duration::from_secs(610))
        };
        let mut ours = open();
        let commit = AlertCommit {
            messages: vec![message("m1")],
            ..AlertCommit::default()
        };
        ours.commit(&commit).unwrap();

        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut theirs, looked) = (open(), Arc::clone(&seen));
        *clock.meanwhile.lock().unwrap() = Some(Box::new(move || {
            looked.lock().unwrap().push(theirs.claim().unwrap().len());
        }));
        let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Busy(AtomicU32::new(0)))];
        let limits = DeliveryLimits {
            attempts: 4,
            timeout: Duration::from_secs(10),
            budget: Duration::from_secs(600),
            at_once: 1,
        };
        let done = deliver_pending(&mut ours, &channels, &clock, limits, 1).unwrap();
        assert_eq!((done.delivered, done.waiting), (1, 0), "{}", emulator.name);
        assert_eq!(
            *seen.lock().unwrap(),
            [0],
            "{}: after 400 s the other run still waits",
            emulator.name
        );
        assert!(open().claim().unwrap().is_empty(), "told once");
    }
}

/// Takes everything.
struct Willing(AtomicU32);

impl Notifier for Willing {
    fn channel(&self) -> &str {
        "out"
    }
    fn deliver(&self, _: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Receipt {
            answer: "ok".to_owned(),
        })
    }
}

/// DynamoDB says that it throttles a transaction as a reason for cancelling it.
#[test]
fn a_transaction_that_is_throttled_is_tried_again_and_what_a_channel_took_is_told_once() {
    let reasons = ["ThrottlingError", "ProvisionedThroughputExceeded"];
    for (emulator, reason) in emulators().iter().zip(reasons.into_iter().cycle()) {
        let table = create_table(emulator);
        let proxy = Proxy::start(&emulator.url, 7);
        proxy.only("TransactWriteItems");
        let fault = Fault::Cancelled(reason);
        proxy.set(1000, &[fault]);
        let open = |attempts: u32| {
            let limits = CallLimits {
                attempts,
                ..CallLimits::default()
            };
            let table = Table::new(Aws::at_emulator(&proxy.url, limits).unwrap(), table.clone());
            DynamoAlerts::new(table, Box::new(SystemClock), start())
        };
        let commit = |id: &str| AlertCommit {
            messages: vec![message(id)],
            ..AlertCommit::default()
        };
        let mut ours = open(4);
        proxy.times(1);
        ours.commit(&commit("m1")).unwrap();
        // Once more, when the channel has taken it.
        proxy.times(1);
        let limits = DeliveryLimits {
            attempts: 4,
            timeout: Duration::from_secs(10),
            budget: Duration::from_secs(600),
            at_once: 1,
        };
        let channel = || -> Vec<Box<dyn Notifier>> { vec![Box::new(Willing(AtomicU32::new(0)))] };
        let done = deliver_pending(&mut ours, &channel(), &SystemClock, limits, 1).unwrap();
        assert_eq!((done.delivered, done.waiting), (1, 0), "{}: {reason}", emulator.name);
        let again = deliver_pending(&mut ours, &channel(), &SystemClock, limits, 1).unwrap();
        assert_eq!((again.delivered, again.waiting), (0, 0), "told once");
        assert_eq!(proxy.count(fault), 2, "{}: {reason}", emulator.name);

        // It does not end.
        proxy.times(u64::MAX);
        let error = open(2).commit(&commit("m2")).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "dynamodb:TransactWriteItems: throttled after retries ({reason}); the next run goes on"
            )),
            "{error}"
        );
        assert_eq!(proxy.count(fault), 4, "two attempts");
    }
}

#[test]
fn a_transaction_that_is_cancelled_for_good_is_not_tried_again() {
    for emulator in emulators() {
        let table = create_table(emulator);
        let proxy = Proxy::start(&emulator.url, 8);
        proxy.only("TransactWriteItems");
        for reason in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
            proxy.set(1000, &[Fault::Cancelled(reason)]);
            let aws = Aws::at_emulator(&proxy.url, CallLimits::default()).unwrap();
            let mut ours = DynamoAlerts::new(Table::new(aws, table.clone()), Box::new(SystemClock), start());
            let commit = AlertCommit {
                messages: vec![message("m1")],
                ..AlertCommit::default()
            };
            let error = ours.commit(&commit).unwrap_err().to_string();
            let words = format!("cancelled (None, {reason}); check the settings");
            assert!(error.contains(&words), "{error}");
            assert_eq!(proxy.count(Fault::Cancelled(reason)), 1, "{}", emulator.name);
        }
    }
}

#[test]
fn a_call_that_hangs_ends_in_words_and_exit_code_3() {
    let Some(emulator) = super::emulator::moto() else {
        return;
    };
    let proxy = Proxy::start(&emulator.url, 5);
    proxy.set(1000, &[Fault::Hang]);
    let limits = CallLimits {
        attempt: Duration::from_secs(1),
        operation: Duration::from_secs(30),
        attempts: 2,
    };
    let mut table = Table::new(Aws::at_emulator(&proxy.url, limits).unwrap(), "any".to_owned());
    let failure = table.get(("a".to_owned(), "b".to_owned())).unwrap_err();
    assert!(proxy.broken.lock().unwrap()[&Fault::Hang] >= 2, "it was tried again");
    let error = CliError::from(failure);
    assert_eq!(error.exit, Exit::Incomplete);
    assert_eq!(error.message, "dynamodb:GetItem: no answer in time, after retries");
}
