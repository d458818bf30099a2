//! Sessions of Goose: its database, what it exported, and the files that it kept before.

use std::path::Path;

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, UsageEvent};
use finops::ports::UsageSource;
use rusqlite::Connection;

use super::{Kept, charged, read_on, read_text, source, time};

/// A database as Goose makes it: since 1.42, or before.
fn database(path: &Path, with_ledger: bool) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', session_type TEXT NOT NULL DEFAULT 'user',
            working_dir TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            total_tokens INTEGER, input_tokens INTEGER, output_tokens INTEGER, accumulated_total_tokens INTEGER,
            accumulated_input_tokens INTEGER, accumulated_output_tokens INTEGER, accumulated_cost REAL,
            provider_name TEXT, model_config_json TEXT);
         CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL REFERENCES sessions(id),
            role TEXT NOT NULL, content_json TEXT NOT NULL, created_timestamp INTEGER NOT NULL);",
    )
    .unwrap();
    if with_ledger {
        migrate(&conn);
    }
    conn
}

/// What 1.39 and 1.42 make of a database.
fn migrate(conn: &Connection) {
    conn.execute_batch(
        "ALTER TABLE sessions ADD COLUMN accumulated_cache_read_tokens INTEGER;
         ALTER TABLE sessions ADD COLUMN accumulated_cache_write_tokens INTEGER;
         ALTER TABLE sessions ADD COLUMN parent_session_id TEXT;
         CREATE TABLE usage_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE, created_timestamp INTEGER NOT NULL, model TEXT,
            input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, cache_read_tokens INTEGER,
            cache_write_tokens INTEGER, cost REAL, cost_source TEXT, is_compaction INTEGER DEFAULT 0);",
    )
    .unwrap();
}

/// A time of 2026-10-20, in seconds of the epoch.
fn at(text: &str) -> i64 {
    time(&format!("2026-10-20T{text}Z")).timestamp()
}

fn begin(conn: &Connection, id: &str, provider: &str, model: &str) {
    let config = format!(r#"{{"model_name":"{model}","context_limit":200000}}"#);
    conn.execute(
        "INSERT INTO sessions (id, working_dir, created_at, updated_at, provider_name, model_config_json)
         VALUES (?1, '/srv/shop', '2026-10-20 08:00:00', '2026-10-20 08:00:00', ?2, ?3)",
        (id, provider, config),
    )
    .unwrap();
}

/// Adds to the sums of a session, as all versions do.
fn add(conn: &Connection, id: &str, changed: &str, [input, output]: [i64; 2], cost: f64) {
    let changed = format!("2026-10-20 {changed}");
    conn.execute(
        "UPDATE sessions SET updated_at = ?2, total_tokens = ?3 + ?4, input_tokens = ?3, output_tokens = ?4,
            accumulated_input_tokens = coalesce(accumulated_input_tokens, 0) + ?3,
            accumulated_output_tokens = coalesce(accumulated_output_tokens, 0) + ?4,
            accumulated_total_tokens = coalesce(accumulated_total_tokens, 0) + ?3 + ?4,
            accumulated_cost = coalesce(accumulated_cost, 0) + ?5 WHERE id = ?1",
        (id, changed, input, output, cost),
    )
    .unwrap();
}

/// A row of the ledger, as it is written with the sums.
fn tell(conn: &Connection, id: &str, ended: &str, model: Option<&str>, counts: [i64; 4], cost: f64, by: &str) {
    let [input, output, read, written] = counts;
    conn.execute(
        "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens, total_tokens,
            cache_read_tokens, cache_write_tokens, cost, cost_source) VALUES (?1, ?2, ?3, ?4, ?5, ?4 + ?5, ?6, ?7, ?8, ?9)",
        (id, at(ended), model, input, output, read, written, cost, by),
    )
    .unwrap();
}

fn call(conn: &Connection, id: &str, ended: &str, counts: [i64; 4]) {
    add(conn, id, ended, [counts[0], counts[1]], 0.0125);
    tell(conn, id, ended, Some("claude-sonnet-4-6"), counts, 0.0125, "estimated");
}

fn read(folder: &Path, kept: &mut Kept) {
    read_on(folder, &["."], kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}

/// Uncached, read, written and output of the calls, in their order.
fn counts(kept: &Kept) -> Vec<[u64; 4]> {
    let of = |call: &&UsageEvent| {
        let buckets = [
            Bucket::InputUncached,
            Bucket::CacheRead,
            Bucket::CacheWrite5m,
            Bucket::Output,
        ];
        buckets.map(|bucket| call.tokens.get(bucket))
    };
    ordered(kept).iter().map(of).collect()
}

fn ordered(kept: &Kept) -> Vec<&UsageEvent> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| (call.at, call.tokens));
    calls
}

#[test]
fn each_call_of_the_ledger_counts_once_with_what_it_took_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let conn = database(&path, true);
    begin(&conn, "20261020_1", "anthropic", "claude-opus-4-6");
    begin(&conn, "20261020_2", "anthropic", "claude-opus-4-6");
    begin(&conn, "20261020_3", "anthropic", "claude-opus-4-6");
    let task =
        "UPDATE sessions SET session_type = 'sub_agent', parent_session_id = '20261020_1' WHERE id = '20261020_2'";
    conn.execute(task, []).unwrap();
    call(&conn, "20261020_1", "08:00:05", [6000, 150, 4000, 500]);
    call(&conn, "20261020_2", "08:00:09", [900, 20, 0, 0]);
    let mut kept = Kept::default();
    // Goose is running: all of it lies in the log, and it writes.
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    read(folder.path(), &mut kept);
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!(counts(&kept), [[1500, 4000, 500, 150], [900, 0, 0, 20]]);
    let calls = ordered(&kept);
    let names = |call: &UsageEvent| {
        let of = |dimension| call.dimensions.get(dimension);
        let names = [
            call.provider(),
            call.model(),
            call.session,
            of(Dimension::Project),
            of(Dimension::Agent),
        ];
        names.map(|name| name.as_str().to_owned())
    };
    assert_eq!(
        names(calls[0]),
        ["anthropic", "claude-sonnet-4-6", "20261020_1", "/srv/shop", ""]
    );
    assert_eq!(
        names(calls[1]),
        ["anthropic", "claude-sonnet-4-6", "20261020_2", "/srv/shop", "sub_agent"]
    );
    assert_eq!(calls[0].at, time("2026-10-20T08:00:05Z"));
    assert_eq!(calls[0].reported_cost.unwrap().to_string(), "0.0125");
    assert_eq!(charged(calls[0]), "0.009825");
    assert_eq!((kept.progress.files, kept.progress.lines), (1, 3));
    // Nothing is new: nothing is read. Then a session goes on, and hours later those alone are read that were changed since.
    read(folder.path(), &mut kept);
    assert_eq!(kept.progress.lines, 3);
    call(&conn, "20261020_1", "08:10:00", [6200, 30, 6000, 0]);
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept)[2], [200, 6000, 0, 30]);
    call(&conn, "20261020_1", "12:00:00", [100, 10, 0, 0]);
    read(folder.path(), &mut kept);
    let lines = kept.progress.lines;
    call(&conn, "20261020_2", "12:30:00", [100, 11, 0, 0]);
    read(folder.path(), &mut kept);
    assert_eq!((kept.calls.len(), kept.progress.lines - lines), (5, 2));
    // What was recorded stays when a session is deleted, and one that gets its number is another one.
    conn.execute_batch(
        "DELETE FROM usage_ledger WHERE session_id = '20261020_2'; DELETE FROM sessions WHERE id = '20261020_2'",
    )
    .unwrap();
    begin(&conn, "20261020_2", "anthropic", "claude-opus-4-6");
    conn.execute(
        "UPDATE sessions SET created_at = '2026-10-20 13:00:00' WHERE id = '20261020_2'",
        [],
    )
    .unwrap();
    call(&conn, "20261020_2", "13:00:05", [100, 12, 0, 0]);
    read(folder.path(), &mut kept);
    assert_eq!(kept.calls.len(), 6);
    drop(conn);
    // A copy is the same; another machine's sessions have the same numbers.
    let other = database(&folder.path().join("other.db"), true);
    begin(&other, "20261020_1", "openai", "gpt-5");
    other
        .execute("UPDATE sessions SET created_at = '2026-10-20 09:00:00'", [])
        .unwrap();
    call(&other, "20261020_1", "09:00:05", [100, 13, 0, 0]);
    drop(other);
    std::fs::copy(&path, folder.path().join("copy.db")).unwrap();
    read(folder.path(), &mut kept);
    assert_eq!(kept.calls.len(), 7);
}

#[test]
fn sums_of_a_session_are_one_record_that_grows_and_is_not_counted_again_when_calls_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("sessions.db"), false);
    begin(&conn, "20261020_1", "openai", "gpt-5");
    begin(&conn, "20261020_2", "openai", "gpt-5");
    add(&conn, "20261020_1", "08:05:00", [250_000, 100], 0.01);
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    add(&conn, "20261020_1", "23:55:00", [50_000, 200], 0.02);
    read(folder.path(), &mut kept);
    let sum = [300_000, 0, 0, 300];
    assert_eq!(counts(&kept), [sum]);
    let summed = kept.only();
    // It counts to when it began, as one of many calls each of which is short.
    assert_eq!((summed.at, summed.prompt_size()), (time("2026-10-20T08:00:00Z"), 0));
    assert_eq!(summed.reported_cost.unwrap().to_string(), "0.03");
    assert_eq!(kept.observed, 2);
    // A version that tells each call takes over: with the next one it carries forward what was summed up before.
    migrate(&conn);
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [sum]);
    tell(
        &conn,
        "20261020_1",
        "23:59:00",
        None,
        [300_000, 300, 0, 0],
        0.03,
        "carried_forward",
    );
    call(&conn, "20261020_1", "23:59:00", [900, 20, 300, 0]);
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [sum, [600, 300, 0, 20]]);
    assert_eq!(ordered(&kept)[0].reported_cost.unwrap().to_string(), "0.03");
    assert_eq!(ordered(&kept)[0].model().as_str(), "gpt-5");
    // An older version goes on with it.
    add(&conn, "20261020_1", "23:59:30", [100, 5], 0.001);
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [[300_100, 0, 0, 305], [600, 300, 0, 20]]);
    let mut fresh = Kept::default();
    read(folder.path(), &mut fresh);
    assert_eq!((counts(&fresh), fresh.observed), (counts(&kept), 2));
}

#[test]
fn sessions_in_files_and_exports_are_those_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    // Goose took its files over when it made the database, with times of these files.
    let told = r#"{"working_dir":"/srv/shop","description":"d","schedule_id":null,"message_count":2,"total_tokens":40,"input_tokens":30,"output_tokens":10,"accumulated_total_tokens":320,"accumulated_input_tokens":300,"accumulated_output_tokens":20}"#;
    let begun = at("07:00:00");
    let file = format!(
        "{told}\n{{\"role\":\"user\",\"created\":{begun},\"content\":[{{\"type\":\"text\",\"text\":\"go\"}}]}}\n{{\"role\":\"assistant\",\"created\":{},\"content\":[]}}\n",
        begun + 4
    );
    std::fs::write(folder.path().join("20251020_090000.jsonl"), file).unwrap();
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [[300, 0, 0, 20]]);
    let call = kept.only();
    assert_eq!((call.at, call.model().as_str()), (time("2026-10-20T07:00:00Z"), ""));
    let conn = database(&folder.path().join("sessions.db"), false);
    begin(&conn, "20251020_090000", "google", "gemini-2.5-pro");
    for (seconds, role) in [(0, "user"), (4, "assistant")] {
        let message = "INSERT INTO messages (session_id, role, content_json, created_timestamp) VALUES ('20251020_090000', ?1, '[]', ?2)";
        conn.execute(message, (role, begun + seconds)).unwrap();
    }
    add(&conn, "20251020_090000", "08:00:00", [500, 30], 0.0);
    // What Gemini thought is in the total alone.
    conn.execute("UPDATE sessions SET accumulated_total_tokens = 600", [])
        .unwrap();
    let export = format!(
        "{{\n\"id\":\"20251020_090000\",\"working_dir\":\"/srv/shop\",\"created_at\":\"2026-10-20T08:00:00Z\",\"updated_at\":\"2026-10-20T07:59:00Z\",\n\"accumulated_total_tokens\":320,\"accumulated_input_tokens\":300,\"accumulated_output_tokens\":20,\"conversation\":[{{\"role\":\"user\",\"created\":{begun},\"content\":[]}}]\n}}"
    );
    std::fs::write(folder.path().join("export.json"), export).unwrap();
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [[500, 0, 0, 100]]);
    let call = kept.only();
    let names = [call.provider(), call.model()].map(|name| name.as_str().to_owned());
    assert_eq!(
        (call.at, names),
        (
            time("2026-10-20T07:00:00Z"),
            ["google".to_owned(), "gemini-2.5-pro".to_owned()]
        )
    );

    // An export of a session with a number is the database's, too.
    begin(&conn, "20261020_7", "openai", "gpt-5");
    add(&conn, "20261020_7", "08:30:00", [700, 40], 0.0);
    let export = r#"{"id":"20261020_7","created_at":"2026-10-20T08:00:00+00:00","updated_at":"2026-10-20T08:29:00+00:00","working_dir":"/srv/shop","provider_name":"openai","model_config":{"model_name":"gpt-5"},"accumulated_total_tokens":640,"accumulated_input_tokens":600,"accumulated_output_tokens":40,"accumulated_cost":0.5}"#;
    std::fs::write(folder.path().join("export.json"), export).unwrap();
    read(folder.path(), &mut kept);
    assert_eq!(counts(&kept), [[500, 0, 0, 100], [700, 0, 0, 40]]);
    // One that would tell calls again is not read.
    let kept = read_text(
        "export.json",
        r#"{"id":"20261020_8","created_at":"2026-10-20T08:00:00Z","usage":{"input_tokens":5},"accumulated_usage":{"input_tokens":600,"output_tokens":9}}"#,
    );
    assert!(
        kept.calls.is_empty() && kept.rejected[0].reason.contains("since 1.39"),
        "{:?}",
        kept.rejected
    );
}

#[test]
fn what_others_tell_or_nobody_tells_is_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("sessions.db"), true);
    // Claude Code's own session tells what it was asked.
    begin(&conn, "20261020_1", "claude-code", "sonnet");
    call(&conn, "20261020_1", "08:00:05", [6000, 150, 0, 0]);
    begin(&conn, "20261020_2", "openai", "gpt-5");
    call(&conn, "20261020_2", "08:00:05", [0, 0, 0, 0]);
    begin(&conn, "20261020_3", "openai", "gpt-5");
    call(&conn, "20261020_3", "08:00:05", [-7, 5, 0, 0]);
    begin(&conn, "20261020_4", "aws_bedrock", "us.anthropic.claude-sonnet-4-6");
    call(&conn, "20261020_4", "08:00:05", [1430, 119, 1426, 0]);
    // Bedrock's total holds what was cached, and Goose adds it once more.
    conn.execute(
        "UPDATE usage_ledger SET total_tokens = 2975 WHERE session_id = '20261020_4'",
        [],
    )
    .unwrap();
    // Before there were sums.
    begin(&conn, "20261020_5", "openai", "gpt-5");
    conn.execute("UPDATE sessions SET total_tokens = 50 WHERE id = '20261020_5'", [])
        .unwrap();
    begin(&conn, "20261020_6", "openai", "gpt-5");
    drop(conn);
    let mut kept = Kept::default();
    read_on(folder.path(), &["sessions.db"], &mut kept);
    assert_eq!(counts(&kept), [[4, 1426, 0, 119]]);
    assert_eq!(ordered(&kept)[0].provider().as_str(), "bedrock");
    let told = |kind| kept.excluded.get(kind).copied();
    assert_eq!(
        (told("calls_of_other_agents"), told("calls_without_usage")),
        (Some(1), Some(2))
    );
    assert_eq!(
        (kept.rejected.len(), kept.rejected[0].line),
        (1, 3),
        "{:?}",
        kept.rejected
    );

    // Its database is not opencode's, and those of versions before 1.16 name no model.
    let mut kept = Kept::default();
    let mut other = source(folder.path(), Some(FileFormat::Opencode), &["sessions.db"]);
    other.read(&Default::default(), &mut kept).unwrap();
    assert!(
        kept.rejected[0].reason.contains("a database of `goose`"),
        "{:?}",
        kept.rejected
    );
    let old = Connection::open(folder.path().join("old.db")).unwrap();
    old.execute_batch(
        "CREATE TABLE sessions (id TEXT PRIMARY KEY, description TEXT, working_dir TEXT NOT NULL, created_at TIMESTAMP,
            updated_at TIMESTAMP, accumulated_total_tokens INTEGER, accumulated_input_tokens INTEGER, accumulated_output_tokens INTEGER);
         INSERT INTO sessions VALUES ('20251020_1', '', '/srv/shop', '2025-10-20 08:00:00', '2025-10-20T08:00:01.25+00:00', 320, 300, 20)",
    )
    .unwrap();
    drop(old);
    let mut kept = Kept::default();
    let mut goose = source(folder.path(), Some(FileFormat::Goose), &["old.db"]);
    goose.read(&Default::default(), &mut kept).unwrap();
    let call = kept.only();
    assert_eq!((call.at, call.model().as_str()), (time("2025-10-20T08:00:00Z"), ""));
    assert_eq!(call.rank.at, time("2025-10-20T08:00:01Z"));
}
