//! The database of OpenClaw, whose rows are lines of pi's sessions.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, UsageEvent};
use rusqlite::Connection;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{Kept, read_on};

fn header(session: &str, folder: &str) -> String {
    format!(
        r#"{{"type":"session","version":3,"id":"{session}","timestamp":"2026-10-20T08:00:00.000Z","cwd":"{folder}"}}"#
    )
}

fn answer(id: &str, second: u32, provider: &str, output: u64) -> String {
    format!(
        r#"{{"type":"message","id":"{id}","parentId":"a1","timestamp":"2026-10-20T08:00:{second:02}.900Z","message":{{"role":"assistant","content":[{{"type":"text","text":"."}}],"provider":"{provider}","model":"claude-sonnet-4-6","usage":{{"input":15,"output":{output},"cacheRead":200,"cacheWrite":0}},"timestamp":17924832{second:02}100,"stopReason":"stop","responseId":"msg_{id}"}}}}"#
    )
}

fn put(conn: &Connection, session: &str, seq: i64, line: &str) {
    let at = 1_792_483_200_000_i64 + seq * 1000;
    conn.execute(
        "INSERT OR REPLACE INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?1, ?2, ?3, ?4)",
        (session, seq, line, at),
    )
    .unwrap();
}

/// Session, folder and output of the calls, in the order of their time.
fn calls(kept: &Kept) -> Vec<(String, String, u64)> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| call.at);
    let of = |call: &&UsageEvent| {
        let folder = call.dimensions.get(Dimension::Project);
        let [session, folder] = [call.session, folder].map(|name| name.as_str().to_owned());
        (session, folder, call.tokens.get(Bucket::Output))
    };
    calls.iter().map(of).collect()
}

#[test]
fn lines_of_sessions_in_a_database_count_as_those_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("openclaw-agent.sqlite")).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT, created_at INTEGER NOT NULL,
            event_zstd BLOB, PRIMARY KEY (session_id, seq)) STRICT;",
    )
    .unwrap();
    put(&conn, "s-1", 0, &header("s-1", "/srv/shop"));
    put(&conn, "s-2", 0, &header("s-2", "/srv/desk"));
    put(&conn, "s-1", 1, &answer("a2", 2, "anthropic", 7));
    put(&conn, "s-2", 1, &answer("b2", 3, "anthropic", 8));
    // What was sent to somebody.
    let sent = answer("b3", 4, "openclaw", 0).replace("claude-sonnet-4-6", "delivery-mirror");
    put(&conn, "s-2", 2, &sent);
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    let row = |session: &str, folder: &str, output| (session.to_owned(), folder.to_owned(), output);
    let both = [row("s-1", "/srv/shop", 7), row("s-2", "/srv/desk", 8)];
    assert_eq!(calls(&kept), both);
    // It goes on, also where the first line of a session is packed.
    let packed = compress_to_vec(header("s-1", "/srv/shop").as_bytes(), CompressionLevel::Fastest);
    let pack = "UPDATE transcript_events SET event_json = NULL, event_zstd = ?1 WHERE session_id = 's-1' AND seq = 0";
    conn.execute(pack, [packed]).unwrap();
    put(&conn, "s-1", 2, &answer("a3", 9, "anthropic", 9));
    put(&conn, "s-1", 3, "{\"type\":");
    read_on(folder.path(), &["."], &mut kept);
    let all = [both.to_vec(), vec![row("s-1", "/srv/shop", 9)]].concat();
    assert_eq!(calls(&kept), all);
    assert_eq!(
        (kept.rejected.len(), kept.rejected[0].line),
        (1, 7),
        "{:?}",
        kept.rejected
    );
    assert!(
        kept.excluded.is_empty() && kept.warnings.is_empty(),
        "{:?}",
        kept.warnings
    );
    // The files of before tell the same.
    let lines = [header("s-1", "/srv/shop"), answer("a2", 2, "anthropic", 7)].join("\n");
    std::fs::write(folder.path().join("s-1.jsonl"), lines).unwrap();
    let mut fresh = Kept::default();
    read_on(folder.path(), &["."], &mut fresh);
    assert_eq!(calls(&fresh), all);
}

/// What OpenClaw has programs of other agents ask is told by their sessions: Claude Code's by an answer of `cli`, Codex's by the end of each turn.
#[test]
fn answers_by_way_of_another_program_are_those_of_that_program() {
    let folder = tempfile::tempdir().unwrap();
    let agent = folder.path().join("agents/main/agent");
    std::fs::create_dir_all(&agent).unwrap();
    let conn = Connection::open(agent.join("openclaw-agent.sqlite")).unwrap();
    conn.execute_batch(
        "CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT, created_at INTEGER NOT NULL,
            PRIMARY KEY (session_id, seq)) STRICT;",
    )
    .unwrap();
    let thread = "019aa000-0000-7000-8000-000000000001";
    let by = |id: &str, second: u32, more: &str| {
        answer(id, second, "anthropic", 7).replace(r#""role":"assistant","#, &format!(r#""role":"assistant",{more},"#))
    };
    put(&conn, "s-1", 0, &header("s-1", "/srv/shop"));
    put(&conn, "s-1", 1, &answer("a1", 1, "anthropic", 7));
    put(&conn, "s-1", 2, &by("a2", 2, r#""api":"cli""#));
    let key = |turn: &str| format!(r#""idempotencyKey":"codex-app-server:{thread}:{turn}:assistant""#);
    put(&conn, "s-1", 3, &by("a3", 3, &key("t-1")));
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(calls(&kept), [("s-1".to_owned(), "/srv/shop".to_owned(), 7)]);
    assert_eq!(
        kept.excluded.get("calls_of_other_agents"),
        Some(&2),
        "{:?}",
        kept.excluded
    );

    // What an earlier build recorded of the end of a turn is taken back where Codex's session is there.
    let before = {
        put(&conn, "s-1", 3, &answer("a3", 3, "anthropic", 7));
        let mut before = Kept::default();
        read_on(folder.path(), &["."], &mut before);
        assert_eq!(before.calls.len(), 2, "one was put right");
        before
    };
    put(&conn, "s-1", 3, &by("a3", 3, &key("t-1")));
    for there in [false, true] {
        if there {
            let day = agent.join("codex-home/sessions/2026/10/20");
            std::fs::create_dir_all(&day).unwrap();
            std::fs::write(day.join(format!("rollout-2026-10-20T08-00-00-{thread}.jsonl")), "").unwrap();
        }
        let mut again = Kept {
            calls: before.calls.clone(),
            ..Kept::default()
        };
        read_on(folder.path(), &["agents/main/agent/openclaw-agent.sqlite"], &mut again);
        let counting = again.calls.values().filter(|call| !call.is_taken_back());
        assert_eq!(counting.count(), if there { 1 } else { 2 });
    }
}

/// Whom a session asks is known wherever reading begins.
#[test]
fn a_summary_is_of_the_model_that_a_session_asked_before() {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("openclaw-agent.sqlite")).unwrap();
    conn.execute_batch(
        "CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT, created_at INTEGER NOT NULL,
            PRIMARY KEY (session_id, seq)) STRICT;",
    )
    .unwrap();
    put(&conn, "s-1", 0, &header("s-1", "/srv/shop"));
    put(&conn, "s-1", 1, &answer("a1", 1, "anthropic", 7));
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    let summary = r#"{"type":"compaction","id":"c1","parentId":"a1","timestamp":"2026-10-20T08:00:30.000Z","summary":"s","usage":{"input":100,"output":9,"cacheRead":0,"cacheWrite":0}}"#;
    // An hour later nothing before it is read again.
    conn.execute(
        "INSERT INTO transcript_events VALUES ('s-1', 2, ?1, ?2)",
        (summary, 1_792_490_000_000_i64),
    )
    .unwrap();
    read_on(folder.path(), &["."], &mut kept);
    let call = kept
        .calls
        .values()
        .find(|call| call.tokens.get(Bucket::Output) == 9)
        .unwrap();
    assert_eq!(
        (call.provider().as_str(), call.model().as_str()),
        ("anthropic", "claude-sonnet-4-6")
    );
}
