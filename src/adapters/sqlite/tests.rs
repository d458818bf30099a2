//! Ledgers of older schemas.

use chrono::DateTime;
use rust_decimal::Decimal;

use super::*;
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, Sums, metered_key};
use crate::domain::usage::{Bucket, EventId, UsageEvent};
use crate::ports::{Ledger, Outbox, Pricer, RecordBatch, Retention};

/// A store as the first steps of the schema left it, without what was in it.
fn older(path: &Path, steps: usize) -> Connection {
    let conn = Connection::open(path).unwrap();
    for (statements, _) in &MIGRATIONS[..steps] {
        conn.execute_batch(statements).unwrap();
    }
    conn
}

#[test]
fn calls_of_the_first_schema_are_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let id = EventId::of(&[b"response", b"msg_01"]);
    {
        let conn = older(&path, 1);
        let mut body = id.0[2..10].to_vec();
        body.reverse();
        body.push(3);
        let part = u16::from_be_bytes([id.0[0], id.0[1]]) >> 4;
        conn.execute(
            "INSERT INTO event_index VALUES (?, 0, ?)",
            rusqlite::params![part, body],
        )
        .unwrap();
        conn.execute("INSERT INTO event_index VALUES (-1, 2, x'')", []).unwrap();
        conn.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        ))
        .unwrap();
    }
    let conn = open(&path, BUSY_TIMEOUT).unwrap();
    let found = index::Index::default().find(&conn, "test", std::iter::once(id));
    assert!(found.is_ok_and(|found| found == [(0, 3)]));
    let gone: i64 = conn
        .query_row("SELECT max(no) FROM event_block_gone", [], |r| r.get(0))
        .unwrap();
    assert_eq!(gone, 2);
}

#[test]
fn calls_and_sums_of_the_second_schema_come_out_by_column() {
    let at = DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap();
    let mut calls = Vec::new();
    for n in 0..40_u8 {
        let id = EventId::of(&[b"response", &[n]]);
        let mut event = UsageEvent::new(id, at, "anthropic".into(), "claude-x".into());
        event.at -= chrono::TimeDelta::microseconds(i64::from(n) * 1_001);
        event.session = "s".into();
        event.sidechain = n % 2 == 0;
        event.rank.line = u64::from(n);
        event
            .dimensions
            .set(Dimension::Team, ["a", "b"][usize::from(n % 2)].into());
        event.tokens.set(Bucket::Output, u64::from(n) << (n % 40));
        event.tokens.set(Bucket::AudioIn, u64::from(n % 3));
        event.tokens.reasoning = u64::from(n / 2);
        event.requests.web_fetches = u32::from(n % 5);
        event.reported_cost = (n % 4 == 0).then(|| Decimal::new(-i64::from(n), 7));
        let cost = Decimal::from_i128_with_scale(i128::from(n) << 70, 12);
        let charge = match n % 6 {
            0 => Charge::unpriced(UnpricedReason::NoRate, cost),
            _ => Charge::priced(cost, "book/entry".into()),
        };
        calls.push((event, charge));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    {
        let conn = older(&path, 2);
        let mut cache = names::NameCache::default();
        let mut names = names::StoredNames {
            conn: &conn,
            path: "test",
            cache: &mut cache,
        };
        let mut block = Vec::new();
        let mut part = Vec::new();
        for (event, charge) in &calls {
            assert!(codec::put_event(&mut block, event, charge, &mut names).is_ok());
            let (key, sums) = (metered_key(event), Sums::of(event, charge));
            assert!(codec::put_spend(&mut part, &key, &sums, &mut names).is_ok());
        }
        conn.execute("INSERT INTO event_block VALUES (1, 0, 40, ?)", [block])
            .unwrap();
        let hour = metered_key(&calls[0].0).hour.0;
        conn.execute(
            "INSERT INTO spend_part VALUES (?, ?)",
            rusqlite::params![hour * 64, part],
        )
        .unwrap();
        let ids = calls.iter().map(|(event, _)| (event.id, 1));
        assert!(index::Index::default().add(&conn, "test", ids).is_ok());
        conn.execute_batch(&format!(
            "DROP TABLE event_index; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 2;"
        ))
        .unwrap();
    }
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let mut expected = Sums::default();
    for (event, charge) in &calls {
        assert_eq!(ledger.event(event.id).unwrap(), Some((*event, *charge)));
        expected.add(&Sums::of(event, charge)).unwrap();
    }
    let always = Period::new(DateTime::UNIX_EPOCH, at + chrono::TimeDelta::days(1));
    for wanted in [&[][..], &[Dimension::Team], &Dimension::ALL] {
        let mut sums = Sums::default();
        ledger
            .spend_by(always, wanted, &mut |_, row| sums.add(row).unwrap())
            .unwrap();
        assert_eq!(sums, expected);
    }
    let mut sums = Sums::default();
    ledger.spend(always, &mut |_, row| sums.add(row).unwrap()).unwrap();
    assert_eq!(sums, expected);
}

#[test]
fn bills_of_the_fourth_schema_are_replaced_as_those_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let start = Hour(497_222).start();
    let period = Period::new(start, start + chrono::TimeDelta::days(9));
    let row = |n: i64| {
        let key = SpendKey {
            // In no order, as some sources tell them.
            hour: Hour(497_222 + n * 7 % 50),
            basis: Basis::Billed,
            currency: Currency::USD,
            dimensions: Dimensions::default().with(Dimension::Model, &format!("m{}", n / 50)),
        };
        let mut sums = Sums {
            events: n,
            cost: Decimal::new(n, 3),
            ..Sums::default()
        };
        sums.tokens.set(Bucket::VideoIn, i128::from(n % 3));
        (key, sums)
    };
    let rows: Vec<(SpendKey, Sums)> = (1..400).map(row).collect();
    {
        let conn = older(&path, 4);
        let mut cache = names::NameCache::default();
        let mut names = names::StoredNames {
            conn: &conn,
            path: "test",
            cache: &mut cache,
        };
        let mut body = Vec::new();
        for (key, sums) in &rows {
            codec::put(&mut body, u128::try_from(key.hour.0).unwrap());
            assert!(codec::put_spend(&mut body, key, sums, &mut names).is_ok());
        }
        for (at, (key, sums)) in (0..).zip(&rows) {
            let mut part = Vec::new();
            let row = std::iter::once((*key, *sums));
            assert!(spend::pack(&mut names, row, &mut codec::Rows::default(), &mut part).is_ok());
            let number = parts::number(at / 50, key.hour.0);
            conn.execute("INSERT INTO spend_part VALUES (?, ?)", rusqlite::params![number, part])
                .unwrap();
        }
        conn.execute("INSERT INTO bill VALUES ('a', 5, ?), ('b', 6, x'')", [body])
            .unwrap();
        conn.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 4;"
        ))
        .unwrap();
    }
    let bill = |rows: &[(SpendKey, Sums)]| Bill {
        identity: "a".to_owned(),
        period,
        rows: rows.iter().copied().collect(),
        settled_before: None,
        formerly: None,
    };
    let stored = |ledger: &mut SqliteLedger| {
        let mut found = Vec::new();
        ledger
            .spend(period, &mut |key, sums| found.push((*key, *sums)))
            .unwrap();
        found.sort_by_key(|(key, _)| *key);
        found
    };
    let sorted = |mut rows: Vec<(SpendKey, Sums)>| {
        rows.sort_by_key(|(key, _)| *key);
        rows
    };
    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(ledger.replace_bill(&bill(&rows), start).unwrap(), []);
    assert!(stored(&mut ledger) == sorted(rows.clone()));
    let kept: Vec<(String, i64)> = ledger
        .handle
        .settled("")
        .unwrap()
        .prepare("SELECT identity, recorded_at FROM bill ORDER BY identity")
        .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .unwrap();
    assert_eq!(kept, [("a".to_owned(), 5), ("b".to_owned(), 6)]);
    let restated = ledger.replace_bill(&bill(&rows[200..]), start).unwrap();
    let less: Decimal = restated.iter().map(|r| r.old - r.new).sum();
    assert_eq!(less, rows[..200].iter().map(|(_, sums)| sums.cost).sum());
    assert!(stored(&mut ledger) == sorted(rows[200..].to_vec()));
}

#[test]
fn a_message_that_waits_in_an_older_ledger_waits_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let message = serde_json::json!({
        "id": "m1", "channel": "out", "alert_id": "a", "told": "firing", "severity": "critical", "kind": "budget_actual", "title": "t",
        "summary": "", "facts": [], "lines": [], "owner": null, "runbook": null, "labels": {}, "data": {},
        "decided_at": "2026-11-10T12:00:00Z", "test": false,
    });
    let conn = older(&path, 5);
    let values = rusqlite::params!["m1", 7, "no connection", message.to_string()];
    conn.execute(
        "INSERT INTO outbox (id, attempts, reason, body) VALUES (?, ?, ?, ?)",
        values,
    )
    .unwrap();
    let version = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 5;");
    conn.execute_batch(&version).unwrap();
    drop(conn);
    let waiting = SqliteAlerts::open(&path).unwrap().waiting().unwrap().remove(0);
    let kept = (
        waiting.attempts,
        waiting.refused,
        waiting.not_before,
        waiting.reason.as_str(),
    );
    assert_eq!(kept, (7, 0, None, "no connection"));
}

/// A pricer that leaves calls out.
struct Forgetful;

impl Pricer for Forgetful {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge::unpriced(UnpricedReason::NoRate, Decimal::ZERO)
    }
    fn price_all(&self, events: &[&UsageEvent], charges: &mut Vec<Charge>) {
        charges.extend(events.iter().skip(1).map(|event| self.price(event)));
    }
}

#[test]
fn calls_that_nobody_has_priced_are_not_recorded_as_fewer() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(&folder.path().join("ledger.db")).unwrap();
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let ids = [EventId::of(&[b"response", b"a"]), EventId::of(&[b"response", b"b"])];
    let batch = RecordBatch {
        events: ids
            .map(|id| UsageEvent::new(id, at, "p".into(), "m".into()))
            .into_iter()
            .collect(),
        ..RecordBatch::default()
    };
    let error = ledger.record(&batch, &Forgetful, at).unwrap_err().to_string();
    assert!(error.contains("1 of 2 calls were priced"), "{error}");
    assert!(ids.into_iter().all(|id| ledger.event(id).unwrap().is_none()));
}

/// Charges nothing.
struct Free;

impl Pricer for Free {
    fn price(&self, _: &UsageEvent) -> Charge {
        Charge::priced(Decimal::ZERO, "free".into())
    }
}

#[test]
fn a_later_line_is_kept_beside_the_block_until_the_call_itself_gets_better_or_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let call = |n: u8, line: u64, output: u64| {
        let mut event = UsageEvent::new(EventId::of(&[b"response", &[n]]), at, "p".into(), "m".into());
        event.rank.line = line;
        event.tokens.set(Bucket::Output, output);
        event
    };
    let mut record = |events: &[UsageEvent]| {
        let batch = RecordBatch {
            events: events.iter().copied().collect(),
            ..RecordBatch::default()
        };
        ledger.record(&batch, &Free, at).unwrap();
        let stored = events.first().and_then(|e| ledger.event(e.id).unwrap()).unwrap().0;
        (stored.rank.line, stored.tokens.get(Bucket::Output))
    };
    let look = |sql: &str| -> Vec<u8> {
        let conn = Connection::open(&path).unwrap();
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let block = || look("SELECT body FROM event_block");
    let lines = || look("SELECT coalesce((SELECT body FROM event_line), x'')");

    let all: Vec<UsageEvent> = (0..100).map(|n| call(n, u64::from(n), 7)).collect();
    record(&all);
    let before = block();
    assert_eq!(record(&[call(3, 900, 7), call(5, 800, 7)]), (900, 7));
    assert!(block() == before, "a later line changed the block");
    assert!(!lines().is_empty());
    // Of three observations of one standing the last line wins, whatever came first.
    assert_eq!(record(&[call(3, 850, 6)]), (900, 7));
    assert_eq!(record(&[call(3, 950, 5)]), (950, 5));
    assert!(block() != before);
    assert_eq!(record(&[call(5, 790, 1)]), (800, 7));

    let keep = Retention { detail_days: 1 };
    assert_eq!(
        ledger
            .expire(keep, &Default::default(), at + chrono::TimeDelta::days(3))
            .unwrap(),
        100
    );
    assert!(lines().is_empty());
}

#[test]
fn what_was_recorded_ahead_is_seen_by_the_next_question_and_a_commit_that_fails_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open_within(&path, Duration::from_millis(20)).unwrap();
    // Of two observations of a call the one of `m-1` wins.
    let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let many = |first: u32| {
        let calls = (first..).take(16_384).map(|n| {
            let id = EventId::of(&[b"response", &n.to_le_bytes()]);
            UsageEvent::new(id, at, "p".into(), format!("m-{}", first / 8192).as_str().into())
        });
        RecordBatch {
            events: calls.collect(),
            ..RecordBatch::default()
        }
    };
    let models = |ledger: &mut SqliteLedger| {
        let mut models = std::collections::BTreeMap::new();
        let hour = Period::new(at, at + chrono::TimeDelta::hours(1));
        ledger
            .events(hour, &mut |event, _| {
                *models
                    .entry(event.dimensions.get(Dimension::Model).to_string())
                    .or_insert(0) += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        models.into_iter().collect::<Vec<_>>()
    };
    let counts = |some: &[(&str, i32)]| some.iter().map(|(m, n)| ((*m).to_owned(), *n)).collect::<Vec<_>>();

    ledger.record_ahead(&many(0), &Free, at).unwrap();
    let recorded = ledger.record_ahead(&many(8192), &Free, at).unwrap();
    assert_eq!((recorded.recorded, recorded.duplicates), (8192, 8192));
    assert_eq!(models(&mut ledger), counts(&[("m-0", 8192), ("m-1", 16_384)]));

    // Who reads holds the commit up for longer than it waits.
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM event_block").unwrap();
    let recorded = ledger.record_ahead(&many(32_768), &Free, at).unwrap();
    assert_eq!(recorded.recorded, 16_384);
    assert!(matches!(ledger.settle(), Err(StoreError::Locked { .. })));
    assert!(ledger.settle().is_ok());
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(models(&mut ledger), counts(&[("m-0", 8192), ("m-1", 16_384)]));
    let recorded = ledger.record_ahead(&many(32_768), &Free, at).unwrap();
    assert_eq!(recorded.recorded, 16_384, "none of it was stored, names neither");
    drop(ledger);
    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(
        models(&mut ledger),
        counts(&[("m-0", 8192), ("m-1", 16_384), ("m-4", 16_384)])
    );
}
