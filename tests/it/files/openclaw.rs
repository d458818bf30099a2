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
        "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?1, ?2, ?3, ?4)",
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
