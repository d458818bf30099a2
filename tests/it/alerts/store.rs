//! The contract of alert stores, and what only the one on a file can do.

use finops::adapters::memory::alerts::MemoryAlerts;
use finops::adapters::sqlite::alerts::SqliteAlerts;
use finops::domain::alert::{Alert, Silence, State, Transition};
use finops::domain::notification::{Notification, Severity, Told};
use finops::domain::period::Period;
use finops::ports::{AlertCommit, AlertsAndOutbox, DeliveryError, Receipt, Retry, StoreError};

use super::at;

fn alert(policy: &str) -> Alert {
    let period = Period::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    let now = at("2026-11-10T12:00:00Z");
    let mut alert = Alert::new(
        policy,
        "budget_actual",
        "100 % actual".to_owned(),
        "everything",
        "metered",
        period,
        Severity::Critical,
        now,
    );
    alert.state = State::Firing;
    alert
}

fn message(id: &str) -> Notification {
    Notification {
        id: id.to_owned(),
        channel: "out".to_owned(),
        alert_id: "a".to_owned(),
        told: Told::Firing,
        severity: Severity::Critical,
        kind: "budget_actual".to_owned(),
        title: "title".to_owned(),
        summary: String::new(),
        facts: Vec::new(),
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: Default::default(),
        data: serde_json::json!({ "spent": "1.50" }),
        decided_at: at("2026-11-10T12:00:00Z"),
        test: false,
    }
}

fn commit(alerts: &[Alert], message_ids: &[&str]) -> AlertCommit {
    let transition = |a: &Alert| Transition {
        alert_id: a.id.clone(),
        at: a.opened_at,
        from: None,
        to: a.state,
        reason: "because".to_owned(),
    };
    AlertCommit {
        alerts: alerts.to_vec(),
        transitions: alerts.iter().map(transition).collect(),
        messages: message_ids.iter().map(|id| message(id)).collect(),
    }
}

fn contract(store: &mut dyn AlertsAndOutbox) {
    let (one, two) = (alert("one"), alert("two"));
    store
        .commit(&commit(std::slice::from_ref(&one), &["m1", "m2"]))
        .unwrap();
    let stored = store.alerts(None).unwrap();
    assert_eq!(
        stored,
        [Alert {
            version: 1,
            ..one.clone()
        }],
        "what was written is read, counted up"
    );
    assert_eq!(store.history(&one.id).unwrap().len(), 1);

    // Based on a version that is gone: nothing at all of the change is kept.
    let stale = store.commit(&commit(&[two.clone(), one.clone()], &["m3"]));
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    assert_eq!(store.alerts(None).unwrap(), stored);
    assert!(store.history(&two.id).unwrap().is_empty());

    // New twice in one change, and new though it is known: neither is right.
    for twice in [&[two.clone(), two.clone()][..], std::slice::from_ref(&one)] {
        let refused = store.commit(&commit(twice, &["m4"]));
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        assert_eq!(store.alerts(None).unwrap(), stored);
    }

    // Messages wait in order until accepted; a failure is counted.
    let at_noon = at("2026-11-10T12:00:00Z");
    let ids = |store: &mut dyn AlertsAndOutbox| {
        let waiting = store.claim().unwrap();
        store.release().unwrap();
        waiting
            .into_iter()
            .map(|p| (p.message.id, p.attempts))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        store.claim().unwrap().first().map(|p| p.message.clone()),
        Some(message("m1"))
    );
    let fails = |store: &mut dyn AlertsAndOutbox, message: &str, retry| {
        let one = store.waiting().unwrap().remove(0);
        let message = message.to_owned();
        let after = one.failed(&DeliveryError { message, retry }, at_noon);
        store.failed(&after).unwrap();
    };
    fails(store, "answered 400", Retry::Refused);
    let answer = Receipt {
        answer: "ok".to_owned(),
    };
    store.delivered("m2", &answer, at_noon).unwrap();
    store.delivered("m2", &answer, at_noon).unwrap();
    store.release().unwrap();
    assert_eq!(ids(store), [("m1".to_owned(), 1)]);

    // How it failed is kept; anyone may look at what waits.
    let state = |store: &mut dyn AlertsAndOutbox| {
        let one = store.waiting().unwrap().remove(0);
        (one.attempts, one.refused, one.not_before, one.reason)
    };
    assert_eq!(state(store), (1, 1, None, "answered 400".to_owned()));
    store.claim().unwrap();
    for (retry, until) in [
        (
            Retry::After(std::time::Duration::from_secs(3600)),
            Some(at("2026-11-10T13:00:00Z")),
        ),
        (Retry::Never, None),
    ] {
        fails(store, "answered 4xx", retry);
        let (_, refused, not_before, reason) = state(store);
        assert_eq!((refused, not_before, reason.as_str()), (1, until, "answered 4xx"));
    }
    store.release().unwrap();

    // Resolved alerts of a period that is over are history; the others are read for every decision.
    let mut over = stored[0].clone();
    over.state = State::Resolved;
    store.commit(&commit(&[over], &[])).unwrap();
    assert_eq!(store.alerts(Some(at("2026-11-30T23:00:00Z"))).unwrap().len(), 1);
    assert_eq!(store.alerts(Some(at("2026-12-01T00:00:00Z"))).unwrap().len(), 0);
    assert_eq!(store.alerts(None).unwrap().len(), 1);

    // One whose end is still to be told is not history, whatever its period.
    let mut owing = store.alerts(None).unwrap().remove(0);
    owing.owed = Some(Told::Resolved);
    store.commit(&commit(&[owing], &[])).unwrap();
    assert_eq!(store.alerts(Some(at("2027-12-01T00:00:00Z"))).unwrap().len(), 1);

    // A message that is repeated waits once, and behind what was decided before it at the same instant.
    let mut three = alert("three");
    for _ in 0..2 {
        store.commit(&commit(std::slice::from_ref(&three), &["a5"])).unwrap();
        three.version += 1;
    }
    assert_eq!(ids(store), [("m1".to_owned(), 3), ("a5".to_owned(), 0)]);

    // What is withdrawn leaves; told once means that it does not come back by itself.
    store.claim().unwrap();
    store.withdrawn("a5", "its channel is gone", at_noon).unwrap();
    store.release().unwrap();
    assert_eq!(ids(store), [("m1".to_owned(), 3)]);

    let mut silence = Silence {
        id: "s".to_owned(),
        policy: "o*".to_owned(),
        from: at_noon,
        until: at("2026-11-10T16:00:00Z"),
        by: "ann".to_owned(),
        reason: "migration".to_owned(),
    };
    store.silence(&silence).unwrap();
    silence.until = at_noon;
    store.silence(&silence).unwrap();
    assert_eq!(store.silences().unwrap(), [silence]);
}

/// Messages of one alert are told as it changed, whatever the clocks of those say that decided them.
fn order(store: &mut dyn AlertsAndOutbox) {
    let mut alerts = [alert("one"), alert("two")];
    for (n, decided_at) in ["12:00:20", "12:00:00", "12:00:40", "12:00:10"].into_iter().enumerate() {
        let mut commit = commit(&alerts, &[]);
        for (alert, sign) in alerts.iter_mut().zip(["a", "b"]) {
            commit.messages.push(Notification {
                alert_id: alert.id.clone(),
                decided_at: at(&format!("2026-11-10T{decided_at}Z")),
                ..message(&format!("{sign}{n}"))
            });
            alert.version += 1;
        }
        store.commit(&commit).unwrap();
    }
    let waiting = store.waiting().unwrap();
    for sign in ["a", "b"] {
        let of_alert = waiting.iter().filter(|pending| pending.message.id.starts_with(sign));
        let ids: Vec<&str> = of_alert.map(|pending| &*pending.message.id).collect();
        assert_eq!(ids, [0, 1, 2, 3].map(|n| format!("{sign}{n}")));
    }
}

#[test]
fn memory_keeps_the_contract() {
    contract(&mut MemoryAlerts::new());
    order(&mut MemoryAlerts::new());
}

#[test]
fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(&mut SqliteAlerts::open(&folder.path().join("ledger.db")).unwrap());
    order(&mut SqliteAlerts::open(&folder.path().join("other.db")).unwrap());
}

#[cfg(feature = "aws")]
#[test]
fn dynamodb_keeps_the_contract() {
    for emulator in crate::aws::emulators() {
        contract(&mut crate::aws::alerts(emulator));
        order(&mut crate::aws::alerts(emulator));
    }
}

#[test]
fn only_one_handle_delivers_at_a_time_and_messages_outlive_it() {
    use finops::ports::{AlertStore, Outbox};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut first = SqliteAlerts::open(&path).unwrap();
    let mut second = SqliteAlerts::open(&path).unwrap();
    first.commit(&commit(&[alert("one")], &["m1"])).unwrap();
    assert_eq!(first.claim().unwrap().len(), 1);
    assert_eq!(second.claim().unwrap().len(), 0, "the right is taken");
    assert_eq!(
        second.waiting().unwrap().len(),
        1,
        "and it can be seen that something waits"
    );
    drop(first);
    assert_eq!(second.claim().unwrap().len(), 1, "the right ends with its holder");
}
