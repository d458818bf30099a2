//! Sessions of Crush: its databases, and as it prints them.

use std::path::Path;

use finops::adapters::files::FileFormat;
use finops::domain::charge::{Outcome, UnpricedReason};
use finops::domain::dimension::Dimension;
use finops::domain::usage::UsageEvent;
use finops::ports::UsageSource;
use rusqlite::Connection;

use super::{Kept, read_on, read_text, source, time};

/// A database as Crush makes it.
fn database(path: &Path) -> Connection {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, title TEXT NOT NULL,
            message_count INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
            completion_tokens INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0.0,
            updated_at INTEGER NOT NULL, created_at INTEGER NOT NULL, summary_message_id TEXT);
         CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, role TEXT NOT NULL, parts TEXT NOT NULL DEFAULT '[]',
            model TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, finished_at INTEGER, provider TEXT);",
    )
    .unwrap();
    conn
}

/// A second of 2026-10-20 08:00.
fn at(second: i64) -> i64 {
    1_792_483_200 + second
}

/// The tokens of its last call, and what it cost until a second.
fn put(conn: &Connection, id: &str, parent: Option<&str>, changed: i64, last: [i64; 2], cost: f64) {
    conn.execute(
        "INSERT INTO sessions (id, parent_session_id, title, message_count, prompt_tokens, completion_tokens, cost, updated_at, created_at)
         VALUES (?1, ?2, 't', 2, ?4, ?5, ?6, ?3, ?7)
         ON CONFLICT (id) DO UPDATE SET prompt_tokens = ?4, completion_tokens = ?5, cost = ?6, updated_at = ?3",
        (id, parent, at(changed), last[0], last[1], cost, at(0)),
    )
    .unwrap();
}

fn answer(conn: &Connection, id: &str, session: &str, provider: &str, model: &str) {
    conn.execute(
        "INSERT INTO messages (id, session_id, role, model, created_at, updated_at, provider) VALUES (?1, ?2, 'assistant', ?3, 1, 1, ?4)",
        (id, session, model, provider),
    )
    .unwrap();
}

/// Names and cost of the sessions, in the order of their ids.
fn sessions(kept: &Kept) -> Vec<[String; 4]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| call.session.as_str());
    let of = |call: &&UsageEvent| {
        assert_eq!(call.tokens.total(), 0);
        let cost = call.reported_cost.unwrap().to_string();
        let [session, provider, model] = [call.session, call.provider(), call.model()].map(|n| n.as_str().to_owned());
        [session, provider, model, cost]
    };
    calls.iter().map(of).collect()
}

fn known(rows: &[[&str; 4]]) -> Vec<[String; 4]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

#[test]
fn what_a_session_cost_stands_beside_calls_without_a_price() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("shop/.crush/crush.db"));
    put(&conn, "a", None, 5, [6000, 150], 0.0125);
    answer(&conn, "m1", "a", "anthropic", "claude-sonnet-4-6");
    // A subagent's cost is in its parent's when it has ended.
    put(&conn, "m1$$call_1", Some("a"), 5, [900, 20], 0.5);
    answer(&conn, "m2", "m1$$call_1", "openai", "gpt-5");
    let mut kept = Kept::default();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    read_on(folder.path(), &["."], &mut kept);
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(
        sessions(&kept),
        known(&[["a", "anthropic", "claude-sonnet-4-6", "0.0125"]])
    );
    let call = kept.only();
    assert_eq!(call.at, time("2026-10-20T08:00:00Z"));
    assert!(call.dimensions.get(Dimension::Project).as_str().ends_with("/shop"));
    // Nothing else would be true: its tokens are those of the last call.
    let pricer = finops::adapters::prices::load(None, &[]).unwrap();
    let charge = pricer.books().quote(&call).charge;
    assert_eq!(charge, pricer.books().charge(&call));
    assert_eq!(charge.outcome, Outcome::Unpriced(UnpricedReason::UsageIncomplete));
    assert_eq!(
        (charge.cost.is_zero(), charge.worst_case.to_string().as_str()),
        (true, "0.0125")
    );

    // It goes on, with another model: which part is whose nobody tells.
    put(&conn, "a", None, 900, [7000, 10], 0.7);
    answer(&conn, "m3", "a", "anthropic", "claude-opus-4-6");
    put(&conn, "b", None, 900, [10, 10], 0.25);
    answer(&conn, "m4", "b", "copilot", "gpt-5");
    answer(&conn, "m5", "b", "openai", "gpt-5");
    // A subscription, and one that nobody asked anything.
    put(&conn, "c", None, 900, [10, 10], 0.0);
    put(&conn, "d", None, 900, [0, 0], 0.0);
    conn.execute("UPDATE sessions SET message_count = 0 WHERE id = 'd'", [])
        .unwrap();
    read_on(folder.path(), &["."], &mut kept);
    let both = known(&[["a", "anthropic", "", "0.7"], ["b", "", "gpt-5", "0.25"]]);
    assert_eq!(sessions(&kept), both);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    // Deleted sessions stay, a copy is the same, and so is what is printed of a session.
    conn.execute("DELETE FROM sessions WHERE id = 'a'", []).unwrap();
    drop(conn);
    std::fs::copy(
        folder.path().join("shop/.crush/crush.db"),
        folder.path().join("copy.db"),
    )
    .unwrap();
    let printed = r#"{
  "meta": {
    "id": "5f",
    "uuid": "b",
    "title": "t",
    "created": "2026-10-20T10:00:00+02:00",
    "modified": "2026-10-20T10:01:00+02:00",
    "cost": 0.125,
    "prompt_tokens": 10,
    "completion_tokens": 10,
    "total_tokens": 20
  },
  "messages": [{"id":"m4","role":"assistant","created":"2026-10-20T10:00:05+02:00","model":"gpt-5","provider":"openai","parts":[]}]
}"#;
    std::fs::write(folder.path().join("b.json"), printed).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(sessions(&kept), both);
    let kept = read_text("b.json", printed);
    assert_eq!(sessions(&kept), known(&[["b", "openai", "gpt-5", "0.125"]]));
}

#[test]
fn a_database_of_crush_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("crush.db"));
    // Before providers were noted.
    conn.execute_batch("ALTER TABLE messages DROP COLUMN provider").unwrap();
    put(&conn, "a", None, 5, [6000, 150], 0.0125);
    put(&conn, "b", None, 5, [6000, 150], -1.0);
    let message = "INSERT INTO messages (id, session_id, role, model, created_at, updated_at) VALUES ('m', 'a', 'assistant', 'gpt-5', 1, 1)";
    conn.execute(message, []).unwrap();
    drop(conn);
    let mut kept = Kept::default();
    let mut goose = source(folder.path(), Some(FileFormat::Goose), &["crush.db"]);
    goose.read(&Default::default(), &mut kept).unwrap();
    assert!(
        kept.rejected[0].reason.contains("a database of `crush`"),
        "{:?}",
        kept.rejected
    );
    let mut kept = Kept::default();
    let mut crush = source(folder.path(), Some(FileFormat::Crush), &["crush.db"]);
    crush.read(&Default::default(), &mut kept).unwrap();
    assert_eq!(sessions(&kept), known(&[["a", "openai", "gpt-5", "0.0125"]]));
    assert_eq!(
        (kept.rejected.len(), kept.rejected[0].line),
        (1, 2),
        "{:?}",
        kept.rejected
    );
}
