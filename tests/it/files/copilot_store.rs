//! The store of GitHub Copilot CLI, which tells each call, beside the files of its sessions.

use std::path::Path;

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, UsageEvent};
use finops::ports::UsageSource as _;
use rusqlite::Connection;

use super::{Kept, options, time};

/// Reads all of a folder at a time.
fn read_at(folder: &Path, now: &str, kept: &mut Kept) {
    let known = kept.checkpoints.clone();
    let mut options = options(folder, None, &["."]);
    options.latest = time(now) + finops::adapters::files::CLOCK_SKEW;
    let mut source = finops::adapters::files::FileSource::new(options);
    source.read(&known, kept).unwrap();
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

fn line(kind: &str, at: &str, data: &str) -> String {
    format!(r#"{{"type":"{kind}","data":{{{data}}},"id":"e-{kind}-{at}","timestamp":"{at}","parentId":null}}"#) + "\n"
}

fn begin(id: &str, kind: &str, at: &str) -> String {
    let data = format!(r#""sessionId":"{id}","version":1,"copilotVersion":"1.0.78","context":{{"cwd":"/srv/shop"}}"#);
    line(kind, at, &data)
}

fn answer(at: &str) -> String {
    line(
        "assistant.message",
        at,
        r#""messageId":"m","model":"gpt-5","outputTokens":20"#,
    )
}

/// What a process tells of so many calls at its end.
fn end(at: &str, calls: u64) -> String {
    let [input, output, read] = [10_000, 20, 1000].map(|count| count * calls);
    let usage =
        format!(r#""inputTokens":{input},"outputTokens":{output},"cacheReadTokens":{read},"cacheWriteTokens":0"#);
    let metrics = format!(r#""modelMetrics":{{"gpt-5":{{"requests":{{"count":{calls}}},"usage":{{{usage}}}}}}}"#);
    line("session.shutdown", at, &metrics)
}

fn record(at: &str) -> String {
    let usage = r#""model":"gpt-5","inputTokens":10000,"outputTokens":20,"cacheReadTokens":1000"#;
    line(
        "session.usage_record",
        at,
        &format!(r#""usage":{{{usage},"apiCallId":"{at}"}}"#),
    )
}

fn session(folder: &Path, id: &str, lines: &[String]) {
    let folder = folder.join("session-state").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("events.jsonl"), lines.concat()).unwrap();
}

/// Calls of sessions, by their times.
fn store(folder: &Path, calls: &[(&str, &str)]) {
    let conn = Connection::open(folder.join("session-store.db")).unwrap();
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER);
         CREATE TABLE IF NOT EXISTS assistant_usage_events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, turn_index INTEGER,
            created_at TEXT, model TEXT, copilot_usage_model TEXT, input_tokens INTEGER, output_tokens INTEGER,
            cache_read_tokens INTEGER, cache_write_tokens INTEGER, reasoning_tokens INTEGER, total_nano_aiu INTEGER)",
    )
    .unwrap();
    for (session, at) in calls {
        conn.execute(
            "INSERT INTO assistant_usage_events (session_id, created_at, model, input_tokens, output_tokens, cache_read_tokens,
                cache_write_tokens, reasoning_tokens, total_nano_aiu) VALUES (?1, ?2, 'gpt-5', 10000, 20, 1000, 0, 5, 1157500000)",
            [session, at],
        )
        .unwrap();
    }
}

/// Uncached and output of each call, in the order of time.
fn counts(kept: &Kept) -> Vec<[u64; 2]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| (call.at, call.id));
    let of = |call: &&UsageEvent| [Bucket::InputUncached, Bucket::Output].map(|bucket| call.tokens.get(bucket));
    calls.iter().map(of).collect()
}

#[test]
fn calls_of_the_store_count_where_the_file_of_their_session_tells_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let [first, second] = ["2026-10-20T08:01:00.000Z", "2026-10-20T08:02:00.000Z"];
    let begun = |id| begin(id, "session.start", "2026-10-20T08:00:00.000Z");
    let killed = [begun("killed"), answer(first), answer(second)];
    session(path, "killed", &killed);
    session(
        path,
        "ended",
        &[begun("ended"), answer(first), answer(second), end(second, 2)],
    );
    session(path, "told", &[begun("told"), record(first), record(second)]);
    // Its end, if there was one, may have been recorded.
    store(
        path,
        &[("killed", first), ("killed", "2026-10-20 08:02:00"), ("gone", first)],
    );
    store(
        path,
        &[("ended", first), ("ended", second), ("told", first), ("told", second)],
    );
    let mut kept = Kept::default();
    read_at(path, "2026-11-30T00:00:00Z", &mut kept);
    let one = [9000, 20];
    let mut told = counts(&kept);
    told.sort();
    assert_eq!(told, [one, one, one, one, [18_000, 40]]);
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&1),
        "of the session that has no file"
    );
    let alone = |about: &String| about.contains("whose session has no file");
    assert!(kept.warnings.keys().any(alone), "{:?}", kept.warnings);
    assert!(
        !kept.warnings.keys().any(|about| about.contains("zone")),
        "{:?}",
        kept.warnings
    );
    let call = kept
        .calls
        .values()
        .find(|call| call.session.as_str() == "killed")
        .unwrap();
    assert_eq!(
        [call.provider(), call.model(), call.dimensions.get(Dimension::Project)].map(|name| name.as_str()),
        ["github-copilot", "gpt-5", "/srv/shop"]
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.011575");
    assert_eq!(call.tokens.reasoning, 5);
    // A call more of one that had ended; nothing of the others.
    store(path, &[("ended", "2026-11-01T08:00:00.000Z")]);
    read_at(path, "2026-11-30T00:00:00Z", &mut kept);
    assert_eq!(kept.calls.len(), 5);
}

#[test]
fn a_session_waits_for_its_sum_a_week() {
    let begun = begin("s", "session.start", "2026-12-20T08:00:00.000Z");
    let first = "2026-12-20T08:01:00.000Z";
    let one = [9000, 20];
    for (ended, expected) in [
        (vec![], vec![one]),
        // It ended as it should.
        (vec![end("2026-12-22T08:00:00.000Z", 1)], vec![one]),
        // Somebody went on with it later: now the store tells, and no sum.
        (
            vec![answer("2027-01-04T08:00:00.000Z"), end("2027-01-04T08:00:09.000Z", 2)],
            vec![one, one],
        ),
        // And a later version tells each call.
        (
            vec![
                begin("s", "session.resume", "2027-01-04T08:00:00.000Z"),
                record("2027-01-04T08:00:00.000Z"),
                end("2027-01-04T08:00:09.000Z", 2),
            ],
            vec![one, one],
        ),
    ] {
        let all: Vec<String> = [begun.clone(), answer(first)]
            .into_iter()
            .chain(ended.clone())
            .collect();
        let is_late = ended.len() > 1;
        // However often it is read meanwhile.
        for looks in [
            &["2027-01-06T00:00:00Z"][..],
            &["2026-12-21T00:00:00Z", "2026-12-30T00:00:00Z", "2027-01-06T00:00:00Z"],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            let mut kept = Kept::default();
            for now in looks {
                let has_ended = now.starts_with("2027") || (*now > "2026-12-29" && !is_late);
                match has_ended {
                    true => session(path, "s", &all),
                    false => session(path, "s", &all[..2]),
                }
                if counts(&kept).is_empty() && !path.join("session-store.db").exists() {
                    store(path, &[("s", first)]);
                }
                if has_ended && is_late {
                    store(path, &[("s", "2027-01-04T08:00:00.000Z")]);
                }
                read_at(path, now, &mut kept);
                if *now == "2026-12-21T00:00:00Z" {
                    assert!(kept.calls.is_empty());
                }
            }
            assert_eq!(counts(&kept), expected, "{ended:?} {looks:?}");
        }
    }
}
