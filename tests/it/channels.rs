//! Channels against real HTTP servers on loopback.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use finops::adapters::console::{FileChannel, text};
use finops::adapters::memory::MemoryAlerts;
use finops::adapters::slack::{Slack, payload};
use finops::adapters::webhook::{Webhook, signature};
use finops::domain::notification::{Fact, Notification, Severity, Told};
use finops::engine::notify::{Delivery, DeliveryLimits, deliver_again, deliver_pending};
use finops::ports::{
    AlertCommit, AlertStore, Clock, DeliveryError, Notifier, Outbox, Pending, Receipt, Retry, StoreError,
};
use proptest::prelude::*;
use secrecy::SecretString;

const DAY: Duration = Duration::from_secs(86_400);
const T0: DateTime<Utc> = DateTime::from_timestamp(1_790_000_000, 0).unwrap();

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Play {
    Answer(&'static str),
    Hang,
    /// Takes the request and closes without an answer: the reply is lost.
    Lose,
    /// Sends exactly this and closes: the reply is cut.
    Cut(&'static str),
}

fn serve(script: Vec<Play>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for play in script {
            let (mut peer, _) = listener.accept().unwrap();
            let (mut request, mut chunk) = (Vec::new(), [0_u8; 4096]);
            loop {
                let read = peer.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let done = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let head = head.to_lowercase();
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
                    length.is_some_and(|l| body.len() >= l.trim().parse::<usize>().unwrap())
                });
                if done || read == 0 {
                    log.lock().unwrap().push(text);
                    break;
                }
            }
            match play {
                Play::Answer(head) => {
                    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                    let _ = peer.write_all(answer.as_bytes());
                }
                Play::Hang => std::thread::sleep(Duration::from_secs(2)),
                Play::Lose => {}
                Play::Cut(part) => {
                    let _ = peer.write_all(part.as_bytes());
                }
            }
            let _ = peer.shutdown(Shutdown::Both);
        }
    });
    (url, seen)
}

fn message(id: &str, channel: &str) -> Notification {
    Notification {
        id: id.to_owned(),
        channel: channel.to_owned(),
        alert_id: "a1".to_owned(),
        told: Told::Firing,
        severity: Severity::Critical,
        kind: "budget_actual".to_owned(),
        title: "Budget <!channel> \u{1b}[31mé is spent".to_owned(),
        summary: "see *this* & `that`\nforged".to_owned(),
        facts: vec![Fact {
            label: "Spent".to_owned(),
            value: "$10.00 <of> $9.00".to_owned(),
        }],
        lines: vec!["team_a \u{202e}$9".to_owned()],
        owner: Some("<@U1>".to_owned()),
        runbook: None,
        labels: BTreeMap::new(),
        data: serde_json::Value::Null,
        decided_at: T0,
        test: true,
    }
}

fn both(url: &str) -> Vec<Box<dyn Notifier>> {
    let url = || SecretString::from(url.to_owned());
    vec![
        Box::new(Slack::new("c".to_owned(), url(), &[]).unwrap()),
        Box::new(Webhook::new("c".to_owned(), url(), Some("key".to_owned().into()), &[]).unwrap()),
    ]
}

#[test]
fn every_http_channel_sorts_answers() {
    let after = Retry::After(Duration::from_secs(7));
    let dated = "503 Busy\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nRetry-After: Tue, 24 Nov 2026 10:00:07 GMT";
    let cases = [
        (Play::Answer("200 OK"), None),
        (Play::Answer("429 Slow\r\nRetry-After: 7"), Some(after)),
        (Play::Answer(dated), Some(after)),
        (
            Play::Answer("429 Slow\r\nRetry-After: 999999999999"),
            Some(Retry::After(DAY)),
        ),
        (Play::Answer("500 Oops"), Some(Retry::Backoff)),
        // What is wrong with one message, and what is wrong with the channel.
        (Play::Answer("400 Bad"), Some(Retry::Refused)),
        (Play::Answer("413 Long"), Some(Retry::Refused)),
        (Play::Answer("422 Odd"), Some(Retry::Refused)),
        (Play::Answer("401 Who"), Some(Retry::Never)),
        (Play::Answer("403 No"), Some(Retry::Never)),
        (Play::Answer("404 None"), Some(Retry::Never)),
        (Play::Answer("410 Gone"), Some(Retry::Never)),
        (
            Play::Answer("302 Found\r\nLocation: http://127.0.0.1:1/x"),
            Some(Retry::Never),
        ),
        (Play::Hang, Some(Retry::Backoff)),
        (Play::Lose, Some(Retry::Backoff)),
        // Cut within the head nothing is known; once the status is there, the rest of the answer does not matter.
        (Play::Cut("HTTP/1.1 20"), Some(Retry::Backoff)),
        (Play::Cut("HTTP/1.1 200 OK\r\nContent-Le"), Some(Retry::Backoff)),
        (Play::Cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"), None),
        (
            Play::Cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            None,
        ),
        (
            Play::Cut("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nno"),
            Some(after),
        ),
    ];
    for (case, (play, expected)) in cases.into_iter().enumerate() {
        for at in 0..2 {
            let (url, seen) = serve(vec![play]);
            // Only one that hangs is to run out of time.
            let timeout = Duration::from_secs(if matches!(play, Play::Hang) { 1 } else { 20 });
            let outcome = both(&url)[at].deliver(&message("m1", "c"), timeout);
            let error = outcome.err();
            assert_eq!(
                error.as_ref().map(|e| e.retry),
                expected,
                "case {case} channel {at}: {error:?}"
            );
            assert!(!format!("{error:?}").contains("s3cret"));
            assert_eq!(seen.lock().unwrap().len(), 1);
        }
    }
}

#[test]
fn a_webhook_signs_its_body_and_names_the_message() {
    let (url, seen) = serve(vec![Play::Answer("200 OK")]);
    both(&url)[1]
        .deliver(&message("m1", "c"), Duration::from_secs(2))
        .unwrap();
    // Computed with Python's hmac, so that the recipe of docs/channels.md holds.
    let known = signature(&"key".to_owned().into(), "1790000000", r#"{"id":"m1"}"#);
    assert_eq!(
        known,
        "a3a1a411dab15bd9b76f8a359beef41136f0954ac6ac261e5f8bd0202fe3cf6b"
    );
    let request = seen.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    let expected = signature(&"key".to_owned().into(), "1790000000", body);
    assert!(head.contains("idempotency-key: m1") && head.contains("x-finops-message-id: m1"));
    assert!(head.contains("x-finops-timestamp: 1790000000"));
    assert!(head.contains(&format!("x-finops-signature: v1={expected}")), "{head}");
}

/// Time passes only by sleeping, and the date jumps back an hour at every look.
#[derive(Default)]
struct FakeClock(Mutex<Vec<Duration>>);

impl FakeClock {
    fn slept(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> DateTime<Utc> {
        T0 - TimeDelta::hours(i64::try_from(self.0.lock().unwrap().len()).unwrap())
    }
    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }
    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

fn clock() -> FakeClock {
    FakeClock::default()
}

#[derive(Default)]
struct FakeOutbox {
    waiting: Vec<Notification>,
    locked: u32,
    released: u32,
}

impl Outbox for FakeOutbox {
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        self.waiting()
    }
    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        Ok(self.waiting.iter().cloned().map(Pending::new).collect())
    }
    fn delivered(&mut self, id: &str, _: &Receipt, _: DateTime<Utc>) -> Result<(), StoreError> {
        if self.locked > 0 {
            self.locked -= 1;
            return Err(StoreError::Locked { path: "x".to_owned() });
        }
        self.waiting.retain(|m| m.id != id);
        Ok(())
    }
    fn failed(&mut self, _: &Pending) -> Result<(), StoreError> {
        Ok(())
    }
    fn release(&mut self) -> Result<(), StoreError> {
        self.released += 1;
        Ok(())
    }
}

struct Dead(Mutex<u32>, Retry);

impl Notifier for Dead {
    fn channel(&self) -> &str {
        "dead"
    }
    fn deliver(&self, _: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        *self.0.lock().unwrap() += 1;
        Err(DeliveryError {
            message: "no".to_owned(),
            retry: self.1,
        })
    }
}

const LIMITS: DeliveryLimits = DeliveryLimits {
    attempts: 3,
    timeout: Duration::from_secs(2),
    budget: Duration::from_secs(60),
    at_once: 1,
};

#[test]
fn a_lost_reply_repeats_the_message_under_one_id_and_a_locked_store_is_tried_again() {
    let (url, seen) = serve(vec![Play::Lose, Play::Answer("200 OK")]);
    let mut outbox = FakeOutbox {
        waiting: vec![message("m1", "c")],
        locked: 2,
        released: 0,
    };
    let channels = vec![both(&url).remove(1)];
    let summary = deliver_pending(&mut outbox, &channels, &clock(), LIMITS, 1).unwrap();
    assert_eq!((summary.delivered, summary.waiting), (1, 0));
    assert!(outbox.waiting.is_empty() && outbox.released == 1);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|r| r.to_lowercase().contains("idempotency-key: m1")));
}

#[test]
fn channels_fail_apart_and_the_next_run_delivers() {
    let (url, seen) = serve(vec![Play::Answer("200 OK"); 2]);
    let all = vec![
        message("m1", "dead"),
        message("m2", "dead"),
        message("m3", "c"),
        message("m4", "gone"),
        message("m5", "c"),
    ];
    let mut outbox = FakeOutbox {
        waiting: all,
        ..FakeOutbox::default()
    };
    let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Dead(Mutex::new(0), Retry::Backoff)), both(&url).remove(0)];
    let clock = clock();
    let summary = deliver_pending(&mut outbox, &channels, &clock, LIMITS, 1).unwrap();
    assert_eq!((summary.delivered, summary.waiting), (2, 3));
    assert_eq!(summary.failed.keys().collect::<Vec<_>>(), ["dead", "gone"]);
    // Two pauses of backoff for the dead channel's one tried message, then Slack's second between two messages.
    assert_eq!(clock.slept().len(), 3);
    assert_eq!(clock.slept().last(), Some(&Duration::from_secs(1)));
    assert_eq!(seen.lock().unwrap().len(), 2);

    let (url, _) = serve(vec![Play::Answer("200 OK"); 2]);
    let webhook = Webhook::new("dead".to_owned(), url.into(), None, &[]).unwrap();
    let summary = deliver_pending(&mut outbox, &[Box::new(webhook)], &clock, LIMITS, 1).unwrap();
    assert_eq!((summary.delivered, outbox.waiting.len()), (2, 1));
}

#[test]
fn a_retry_after_beyond_the_budget_waits_for_the_next_run() {
    let mut outbox = FakeOutbox {
        waiting: vec![message("m1", "dead")],
        ..FakeOutbox::default()
    };
    let dead = Dead(Mutex::new(0), Retry::After(Duration::from_secs(61)));
    let clock = clock();
    let summary = deliver_pending(&mut outbox, &[Box::new(dead)], &clock, LIMITS, 1).unwrap();
    assert_eq!((summary.waiting, outbox.waiting.len()), (1, 1));
    assert!(clock.slept().is_empty());
}

/// Takes messages after a while.
struct Slow(&'static str, Duration);

impl Notifier for Slow {
    fn channel(&self) -> &str {
        self.0
    }
    fn deliver(&self, _: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        std::thread::sleep(self.1.min(timeout));
        if self.1 > timeout {
            let message = "no answer in time".to_owned();
            let retry = Retry::Backoff;
            return Err(DeliveryError { message, retry });
        }
        let answer = "ok".to_owned();
        Ok(Receipt { answer })
    }
}

#[test]
fn a_channel_that_hangs_keeps_no_other_waiting_and_the_time_is_bounded() {
    let second = Duration::from_secs(1);
    let slow = |name| Box::new(Slow(name, second / 20)) as Box<dyn Notifier>;
    let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Slow("hung", second * 60)), slow("c"), slow("d"), slow("e")];
    let messages = ["hung", "c", "d", "e"].map(|c| message(&format!("to {c}"), c));
    let mut outbox = FakeOutbox {
        waiting: messages.to_vec(),
        locked: 2,
        released: 0,
    };
    let limits = DeliveryLimits {
        timeout: second * 60,
        budget: second * 3,
        at_once: 16,
        ..LIMITS
    };
    let clock = finops::adapters::clock::SystemClock;
    let began = std::time::Instant::now();
    let summary = deliver_pending(&mut outbox, &channels, &clock, limits, 1).unwrap();
    assert_eq!((summary.delivered, summary.waiting), (3, 1), "{summary:?}");
    assert_eq!(summary.failed.keys().collect::<Vec<_>>(), ["hung"]);
    assert_eq!((outbox.waiting.len(), outbox.released), (1, 1));
    assert!(began.elapsed() < second * 30, "the hung one would take a minute");
}

#[test]
fn what_has_no_time_left_waits_and_is_counted() {
    let (url, seen) = serve(vec![Play::Answer("200 OK"); 3]);
    let mut outbox = FakeOutbox {
        waiting: ["m1", "m2", "m3", "m4", "m5"].map(|id| message(id, "c")).to_vec(),
        ..FakeOutbox::default()
    };
    let limits = DeliveryLimits {
        budget: Duration::from_millis(2500),
        ..LIMITS
    };
    let clock = clock();
    // Slack's pace is one message a second.
    let summary = deliver_pending(&mut outbox, &[both(&url).remove(0)], &clock, limits, 1).unwrap();
    assert_eq!((summary.delivered, summary.waiting, summary.late), (3, 2, 2));
    assert!(summary.failed.is_empty());
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[test]
fn a_store_that_fails_stops_every_channel() {
    struct Broken(FakeOutbox);
    impl Outbox for Broken {
        fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
            self.0.claim()
        }
        fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
            self.0.waiting()
        }
        fn delivered(&mut self, _: &str, _: &Receipt, _: DateTime<Utc>) -> Result<(), StoreError> {
            let (path, cause) = ("x".to_owned(), "disk full".to_owned());
            Err(StoreError::Failed { path, cause })
        }
        fn failed(&mut self, _: &Pending) -> Result<(), StoreError> {
            Ok(())
        }
        fn release(&mut self) -> Result<(), StoreError> {
            self.0.release()
        }
    }
    for at_once in [1, 2] {
        let waiting = (0..20).map(|n| message(&format!("m{n}"), ["c", "d"][n % 2])).collect();
        let mut outbox = Broken(FakeOutbox {
            waiting,
            ..FakeOutbox::default()
        });
        let fast = |name| Box::new(Slow(name, Duration::ZERO)) as Box<dyn Notifier>;
        let limits = DeliveryLimits { at_once, ..LIMITS };
        let failed = deliver_pending(&mut outbox, &[fast("c"), fast("d")], &clock(), limits, 1);
        assert!(matches!(failed, Err(StoreError::Failed { .. })), "{failed:?}");
        assert_eq!(outbox.0.released, 1);
    }
}

/// Takes what does not tell of `a1`, and says what else it does with that; keeps what it was asked to take.
struct Picky(Retry, Arc<Mutex<Vec<String>>>);

impl Notifier for Picky {
    fn channel(&self) -> &str {
        "c"
    }
    fn deliver(&self, message: &Notification, _: Duration) -> Result<Receipt, DeliveryError> {
        self.1.lock().unwrap().push(message.id.clone());
        if message.alert_id == "a1" {
            return Err(DeliveryError {
                message: "answered 400".to_owned(),
                retry: self.0,
            });
        }
        let answer = "ok".to_owned();
        Ok(Receipt { answer })
    }
}

/// An outbox with these messages for `c`, by id and alert.
fn outbox(messages: &[(&str, &str)]) -> MemoryAlerts {
    let mut store = MemoryAlerts::new();
    let of = |(id, alert): &(&str, &str)| Notification {
        alert_id: (*alert).to_owned(),
        ..message(id, "c")
    };
    let messages = messages.iter().map(of).collect();
    let commit = AlertCommit {
        messages,
        ..AlertCommit::default()
    };
    store.commit(&commit).unwrap();
    store
}

/// Stands still, so many hours after the messages were decided.
struct Still(i64);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        T0 + TimeDelta::hours(self.0)
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {}
}

#[test]
fn a_message_that_is_refused_holds_back_its_own_alert_alone() {
    for (retry, asked, delivered) in [
        (Retry::Refused, &["m1", "m2", "m4"][..], 2),
        (Retry::Never, &["m1", "m2"], 1),
    ] {
        let mut store = outbox(&[("m1", "a2"), ("m2", "a1"), ("m3", "a1"), ("m4", "a3")]);
        let seen = Arc::default();
        let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Picky(retry, Arc::clone(&seen)))];
        let summary = deliver_pending(&mut store, &channels, &Still(0), LIMITS, 1).unwrap();
        assert_eq!(*seen.lock().unwrap(), asked, "m3 tells of what m2 could not");
        assert_eq!((summary.delivered, summary.waiting), (delivered, 4 - delivered));
        let refused: Vec<&str> = summary.refused.iter().map(|r| r.id.as_str()).collect();
        let channel_failed = summary.failed.contains_key("c");
        assert_eq!(
            (refused.len(), channel_failed),
            if delivered == 2 { (1, false) } else { (0, true) }
        );
    }
}

#[test]
fn what_is_refused_for_a_day_is_set_aside_tried_on_and_in_nobodys_way() {
    let mut store = outbox(&[("m1", "a1"), ("m2", "a2")]);
    let mut run = |hours, retry| {
        let seen = Arc::default();
        let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Picky(retry, Arc::clone(&seen)))];
        let summary = deliver_pending(&mut store, &channels, &Still(hours), LIMITS, 1).unwrap();
        let asked = seen.lock().unwrap().clone();
        (
            asked.join(" "),
            summary.waiting,
            summary.set_aside,
            summary.refused.first().map(|r| r.set_aside),
        )
    };
    // An outage is no refusal, however long.
    assert_eq!(run(0, Retry::Backoff), ("m1 m1 m1".to_owned(), 2, 0, None));
    assert_eq!(run(40, Retry::Never), ("m1".to_owned(), 2, 0, None));
    // Many refusals within a day are one bad day.
    for hour in [1, 2, 3, 23] {
        assert_eq!(run(hour, Retry::Refused).2, 0);
    }
    assert_eq!(
        run(24, Retry::Refused),
        ("m1".to_owned(), 0, 1, Some(true)),
        "and it says so"
    );
    assert_eq!(
        run(25, Retry::Refused),
        ("m1".to_owned(), 0, 1, None),
        "it stays, and is tried"
    );
    // What the alert tells later is not held back any more.
    let later = Notification {
        alert_id: "a1".to_owned(),
        ..message("m3", "c")
    };
    let commit = AlertCommit {
        messages: vec![later],
        ..AlertCommit::default()
    };
    store.commit(&commit).unwrap();
    let seen = Arc::default();
    let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Picky(Retry::Refused, Arc::clone(&seen)))];
    deliver_pending(&mut store, &channels, &Still(26), LIMITS, 1).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["m1", "m3"]);

    let (url, requests) = serve(vec![Play::Answer("200 OK"); 2]);
    let again = Delivery {
        channels: &[both(&url).remove(1)],
        clock: &Still(27),
        limits: LIMITS,
        jitter_seed: 1,
    };
    let summary = deliver_again(&mut store, again).unwrap();
    assert_eq!((summary.delivered, summary.waiting, summary.set_aside), (2, 0, 0));
    assert_eq!(requests.lock().unwrap().len(), 2);
    assert!(store.waiting().unwrap().is_empty());
}

#[test]
fn a_rest_that_a_channel_asked_for_holds_over_runs_and_not_longer_than_a_day() {
    let mut store = outbox(&[("m1", "a1"), ("m2", "a2")]);
    let mut run = |hours, rest| {
        let seen = Arc::default();
        let channels: Vec<Box<dyn Notifier>> = vec![Box::new(Picky(Retry::After(rest), Arc::clone(&seen)))];
        let summary = deliver_pending(&mut store, &channels, &Still(hours), LIMITS, 1).unwrap();
        let asked = seen.lock().unwrap().len();
        (
            asked,
            summary.waiting,
            summary.failed.get("c").cloned().unwrap_or_default(),
        )
    };
    assert_eq!(run(0, DAY * 1000), (1, 2, "answered 400".to_owned()));
    let (asked, waiting, why) = run(23, DAY);
    assert_eq!((asked, waiting), (0, 2));
    assert!(why.starts_with("it asked to be left alone until 20"), "{why}");
    assert_eq!(run(24, DAY).0, 1);
    // A clock that was set back a month does not make it a month.
    assert_eq!(run(24 - 24 * 30, DAY).0, 1);
}

#[test]
fn writers_of_one_file_do_not_interleave() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.jsonl");
    const EACH: usize = 25;
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let channel = FileChannel::new("log".to_owned(), path.clone());
            scope.spawn(move || {
                for n in 0..EACH {
                    let mut message = message(&format!("{writer}-{n}"), "log");
                    // Far longer than what a pipe or a buffer takes at once.
                    message.summary = "wide é ".repeat(2_000 + n);
                    channel.deliver(&message, Duration::from_secs(1)).unwrap();
                }
            });
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let mut ids: Vec<String> = text
        .lines()
        .map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).expect("a whole line");
            message["id"].as_str().unwrap().to_owned()
        })
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), text.ends_with('\n')), (4 * EACH, true));
}

#[test]
fn text_for_a_terminal_is_inert() {
    let shown = text(&message("m1", "c"));
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(
        shown.starts_with("[TEST] [critical firing] Budget <!channel> \u{fffd}[31mé is spent\n"),
        "{shown}"
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}']));
}

fn strings(value: &serde_json::Value, visit: &mut dyn FnMut(&str)) {
    let plain = value.get("type").and_then(|t| t.as_str()) == Some("plain_text");
    match value {
        serde_json::Value::String(s) => visit(s),
        serde_json::Value::Array(all) => all.iter().for_each(|v| strings(v, visit)),
        serde_json::Value::Object(map) if !plain => map.values().for_each(|v| strings(v, visit)),
        _ => {}
    }
}

fn characters(value: &serde_json::Value) -> usize {
    let mut sum = 0;
    match value {
        serde_json::Value::String(s) => sum += s.chars().count(),
        serde_json::Value::Array(all) => sum += all.iter().map(characters).sum::<usize>(),
        serde_json::Value::Object(map) => {
            sum += map
                .iter()
                .filter(|(k, _)| *k != "type")
                .map(|(_, v)| characters(v))
                .sum::<usize>();
        }
        _ => {}
    }
    sum
}

/// All text of the blocks, and how many there are.
fn shown(facts: Vec<Fact>, lines: Vec<String>) -> (String, usize) {
    let mut m = message("m1", "c");
    (m.facts, m.lines) = (facts, lines);
    let payload = payload(&m);
    let blocks = payload["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50 && characters(&payload["blocks"]) <= 40_000);
    let mut text = String::new();
    strings(&payload["blocks"], &mut |s| text.push_str(&format!("{s}\n")));
    (text, blocks.len())
}

#[test]
fn what_is_too_much_for_slack_is_spread_then_shortened_then_counted() {
    let fact = |n: usize, size: usize| Fact {
        label: format!("Fact {n}."),
        value: "Ω".repeat(size),
    };
    let all = |count: usize, size: usize| (0..count).map(|n| fact(n, size)).collect::<Vec<_>>();
    let line = |n: usize| format!("line {n}. {}", "y ".repeat(60));
    let lines: Vec<String> = (0..40).map(line).collect();

    // More than ten facts, one that is no field, more lines than one section takes: spread, nothing is cut.
    let mut facts = all(15, 20);
    facts.insert(3, fact(99, 5_000));
    let (text, blocks) = shown(facts, lines.clone());
    assert!((0..15).all(|n| text.contains(&format!("*Fact {n}.*"))) && text.contains("*Fact 99.*"));
    assert_eq!(text.matches('Ω').count(), 15 * 20 + 5_000);
    assert!(lines.iter().all(|l| text.contains(l.trim_end())));
    assert!(!text.contains("alert show") && blocks > 6, "{blocks}");

    // Too long as it is: every fact is there, the long ones are cut, and it says where the rest is.
    let (text, _) = shown(all(90, 900), Vec::new());
    assert!((0..90).all(|n| text.contains(&format!("*Fact {n}.*"))));
    assert!(
        text.contains('…') && text.contains("Shortened. In full: `finops alert show a1`"),
        "{text}"
    );

    // Too many: the first ones, and how many more there are.
    let (text, _) = shown(all(2_000, 900), lines);
    let facts = text.matches("*Fact ").count();
    assert!(facts > 90 && text.contains(&format!("*Fact {}.*", facts - 1)));
    let lines = 40 - text.matches("• line ").count();
    let rest = format!(
        "{} more facts, {lines} more lines: `finops alert show a1`",
        2_000 - facts
    );
    assert!(text.contains(&rest), "{rest}: {text}");

    // Many small facts are bounded by the number of blocks.
    let (text, blocks) = shown(all(600, 3), Vec::new());
    let facts = text.matches("*Fact ").count();
    assert!(blocks == 50 && facts > 400, "{blocks} {facts}");
    assert!(text.contains(&format!("{} more facts: `finops alert show a1`", 600 - facts)));
}

#[test]
fn many_alerts_at_once_are_counted_and_lead_to_their_list() {
    let mut m = message("m1", "c");
    m.data = serde_json::json!({ "count": 300, "alerts": [] });
    m.lines = (0..200).map(|n| format!("model {n}. {}", "y ".repeat(150))).collect();
    m.lines.push("and 100 more: `finops alert list`".to_owned());
    m.runbook = Some("https://wiki/~5f3a/_x_?a&b".to_owned());
    let mut text = String::new();
    strings(&payload(&m), &mut |s| text.push_str(&format!("{s}\n")));
    let named = text.matches("• model ").count();
    assert!((50..200).contains(&named), "{named}");
    assert!(
        text.contains(&format!("{} more alerts: `finops alert list`", 300 - named)),
        "{text}"
    );
    // Neither one of them stands for all, nor is the way to what to do broken by what formats.
    assert!(
        text.contains("· 300 alerts: `finops alert list`") && !text.contains("a1"),
        "{text}"
    );
    assert!(text.contains("runbook https://wiki/~5f3a/_x_?a&amp;b\n"), "{text}");
    // What is over is in the list of all alone.
    m.told = Told::Resolved;
    let mut text = String::new();
    strings(&payload(&m), &mut |s| text.push_str(&format!("{s}\n")));
    assert!(text.contains("300 alerts: `finops alert list --all`"), "{text}");
}

#[test]
fn a_foreign_name_forges_no_line_in_slack() {
    let mut m = message("m1", "c");
    let name = "agent\nSpent \u{202e}$0\u{2028}\u{200f}x";
    (m.title, m.summary) = (name.to_owned(), name.to_owned());
    m.facts = vec![Fact {
        label: name.to_owned(),
        value: name.to_owned(),
    }];
    (m.lines, m.owner, m.runbook) = (vec![name.to_owned()], Some(name.to_owned()), Some(name.to_owned()));
    let text = payload(&m).to_string();
    assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{200f}']), "{text}");
    assert_eq!(
        text.matches("agent Spent  $0  x").count(),
        9,
        "each on its line: {text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_message_is_within_the_limits_of_slack(
        words in "[a<>&*`é日😀\n]{0,80}", times in 0_usize..80, count in 0_usize..30,
    ) {
        let long = words.repeat(times);
        let mut m = message("m1", "c");
        (m.title, m.summary, m.alert_id, m.runbook) = (long.clone(), long.clone(), words.clone(), Some(long.clone()));
        m.facts = vec![Fact { label: long.clone(), value: long.clone() }; count];
        m.lines = vec![long; count];
        let payload = payload(&m);
        let blocks = payload["blocks"].as_array().unwrap();
        prop_assert!(blocks.len() <= 50);
        prop_assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        for block in blocks {
            prop_assert!(block["text"]["text"].as_str().is_none_or(|t| t.chars().count() <= 3000));
            let fields = block["fields"].as_array().map_or(&[][..], |f| f);
            prop_assert!(fields.len() <= 10);
            prop_assert!(fields.iter().all(|f| f["text"].as_str().unwrap().chars().count() <= 2000));
        }
        prop_assert!(characters(&payload["blocks"]) <= 40_000);
        let mut bad = false;
        strings(&payload, &mut |s| bad |= s.contains(['<', '>']));
        prop_assert!(!bad);
    }
}
