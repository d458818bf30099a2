//! The database of opencode.

use std::path::Path;

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, UsageEvent};
use finops::ports::UsageSource;
use rusqlite::Connection;

use super::{Kept, read_on, source, time};

/// A database as opencode makes it.
fn database(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE session (id text PRIMARY KEY, title text NOT NULL);
         CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,
            time_updated integer NOT NULL, data text NOT NULL);
         CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, data text NOT NULL);",
    )
    .unwrap();
    conn
}

/// The time of a second of 2026-10-20 08:00, in milliseconds.
fn at(second: i64) -> i64 {
    1_792_483_200_000 + second * 1000
}

fn put(conn: &Connection, id: &str, session: &str, changed: i64, data: &str) {
    conn.execute(
        "INSERT INTO message VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT (id) DO UPDATE SET time_updated = ?3, data = ?4",
        (id, session, changed, data),
    )
    .unwrap();
}

/// A message that was asked at a second, and is answered five seconds later.
fn answered(second: i64, output: u64) -> String {
    let (begun, ended, total) = (at(second), at(second + 5), 10_150 + output);
    format!(
        r#"{{"parentID":"msg_0","role":"assistant","mode":"build","agent":"build","path":{{"cwd":"/srv/shop","root":"/"}},"cost":0.0105,"tokens":{{"total":{total},"input":6000,"output":{output},"reasoning":100,"cache":{{"read":4050,"write":0}}}},"modelID":"gpt-5","providerID":"openai","time":{{"created":{begun},"completed":{ended}}},"finish":"stop"}}"#
    )
}

/// The same while it is answered.
fn begun(second: i64) -> String {
    let data = answered(second, 0);
    let ended = format!(r#","completed":{}"#, at(second + 5));
    data.replace(&ended, "")
        .replace("6000", "0")
        .replace("4050", "0")
        .replace(r#""reasoning":100"#, r#""reasoning":0"#)
}

fn user(second: i64) -> String {
    format!(
        r#"{{"role":"user","time":{{"created":{}}},"summary":{{"diffs":[]}}}}"#,
        at(second)
    )
}

/// Output of the calls, in their order.
fn outputs(kept: &Kept) -> Vec<u64> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| call.at);
    calls.iter().map(|call| call.tokens.get(Bucket::Output)).collect()
}

fn read(folder: &Path, kept: &mut Kept) {
    read_on(folder, &["."], kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn messages_of_a_database_count_once_as_they_are_at_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let conn = database(&path);
    put(&conn, "msg_0", "ses_1", at(0), &user(0));
    put(&conn, "msg_1", "ses_1", at(6), &answered(1, 150));
    put(&conn, "msg_2", "ses_1", at(10), &begun(10));
    let mut kept = Kept::default();
    // The program is running: all of it lies in the log, and somebody writes.
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    read(folder.path(), &mut kept);
    conn.execute_batch("COMMIT").unwrap();
    assert_eq!((outputs(&kept), kept.observed), (vec![250], 1), "{:?}", kept.warnings);
    let call = kept.calls.values().next().unwrap();
    let names = [call.provider(), call.model(), call.session].map(|name| name.as_str().to_owned());
    assert_eq!(names, ["openai", "gpt-5", "ses_1"]);
    assert_eq!(call.dimensions.get(Dimension::Project).as_str(), "/srv/shop");
    assert_eq!(call.dimensions.get(Dimension::Agent).as_str(), "build");
    assert_eq!(call.at, time("2026-10-20T08:00:01Z"));
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.0105");
    assert_eq!((kept.progress.files, kept.progress.lines), (1, 3));

    // Nothing is new: nothing is read.
    read(folder.path(), &mut kept);
    assert_eq!((kept.progress.files, kept.progress.lines), (1, 3));

    // It is answered, one is put right, and one is new; an hour later only what was changed last is read again.
    put(&conn, "msg_2", "ses_1", at(15), &answered(10, 20));
    put(&conn, "msg_1", "ses_1", at(16), &answered(1, 400));
    put(&conn, "msg_3", "ses_2", at(3600), &answered(3595, 30));
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [500, 120, 130]);
    put(&conn, "msg_4", "ses_2", at(7200), &answered(7195, 40));
    let (observed, lines) = (kept.observed, kept.progress.lines);
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [500, 120, 130, 140]);
    assert_eq!((kept.observed - observed, kept.progress.lines - lines), (2, 2));
    // Less is the last word, too, and a row of old times is a new one.
    put(&conn, "msg_1", "ses_1", at(7300), &answered(1, 50));
    put(&conn, "msg_5", "ses_0", at(2), &answered(-600, 60));
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [160, 150, 120, 130, 140]);

    // The log is taken over when the program ends, and what it leaves is one file.
    drop(conn);
    assert_eq!(names_in(folder.path()), ["opencode.db"]);
    let observed = kept.observed;
    read(folder.path(), &mut kept);
    assert_eq!(
        (outputs(&kept), kept.observed - observed),
        (vec![160, 150, 120, 130, 140], 2)
    );
    let mut fresh = Kept::default();
    read(folder.path(), &mut fresh);
    assert_eq!((outputs(&fresh), fresh.observed), (vec![160, 150, 120, 130, 140], 5));
    assert_eq!(names_in(folder.path()), ["opencode.db"], "nothing is left behind");
    assert!(
        fresh.warnings.is_empty() && fresh.excluded.is_empty(),
        "{:?}",
        fresh.warnings
    );
    // What was recorded stays when it is deleted.
    std::fs::remove_file(&path).unwrap();
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept).len(), 5);
}

#[test]
fn forks_and_messages_in_files_are_the_same_calls() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("kilo.db"));
    put(&conn, "msg_1", "ses_1", at(6), &answered(1, 150));
    put(&conn, "msg_9", "ses_2", at(900), &answered(1, 150));
    put(&conn, "msg_10", "ses_2", at(906), &answered(901, 20));
    drop(conn);
    let storage = folder.path().join("storage/message/ses_1");
    std::fs::create_dir_all(&storage).unwrap();
    let message = answered(1, 150).replacen('{', "{\n\"id\":\"msg_1\",\"sessionID\":\"ses_1\",", 1);
    std::fs::write(storage.join("msg_1.json"), message).unwrap();
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    assert_eq!((outputs(&kept), kept.observed), (vec![250, 120], 4));
    // With its kind, too, and by its name.
    for paths in [&["."][..], &["kilo.db"]] {
        let mut kept = Kept::default();
        let mut source = source(folder.path(), Some(FileFormat::Opencode), paths);
        source.read(&Default::default(), &mut kept).unwrap();
        assert_eq!(outputs(&kept), [250, 120]);
        assert!(
            kept.warnings.is_empty() && kept.rejected.is_empty(),
            "{:?}",
            kept.warnings
        );
    }
}

#[test]
fn another_database_in_its_place_is_read_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let conn = database(&path);
    for second in 1..=3 {
        put(&conn, &format!("msg_{second}"), "ses_1", at(9000), &answered(second, 1));
    }
    drop(conn);
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    std::fs::remove_file(&path).unwrap();
    let conn = database(&path);
    for second in 11..=13 {
        put(&conn, &format!("msg_{second}"), "ses_1", at(20), &answered(second, 2));
    }
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [101, 101, 101, 102, 102, 102]);
    // Of a database whose rows are numbered anew nothing counts twice.
    conn.execute_batch("DELETE FROM message WHERE id = 'msg_11'; VACUUM")
        .unwrap();
    put(&conn, "msg_14", "ses_1", at(20), &answered(14, 3));
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [101, 101, 101, 102, 102, 102, 103]);
}

#[test]
fn a_large_database_is_read_on_where_the_time_was_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut conn = database(&folder.path().join("opencode.db"));
    let all = conn.transaction().unwrap();
    for second in 0..2500 {
        put(
            &all,
            &format!("msg_{second}"),
            "ses_1",
            at(second),
            &answered(second, 1),
        );
    }
    all.commit().unwrap();
    let mut kept = Kept {
        enough: Some(Box::new(|| true)),
        ..Kept::default()
    };
    for expected in [1000, 2000, 2500] {
        read(folder.path(), &mut kept);
        assert_eq!(kept.calls.len(), expected);
        // What is changed meanwhile is looked for when reading goes on.
        put(&conn, "msg_5", "ses_1", at(9000), &answered(5, 7));
    }
    assert_eq!((outputs(&kept)[5], kept.observed < 4000), (107, true));
    kept.enough = None;
    read(folder.path(), &mut kept);
    assert_eq!((outputs(&kept)[5], kept.calls.len()), (107, 2500));
    let observed = kept.observed;
    read(folder.path(), &mut kept);
    assert_eq!(kept.observed, observed);
}

/// Whatever one run gets to: what is left becomes less, also where all rows were changed within minutes and more are changed meanwhile.
#[test]
fn each_run_leaves_less_of_a_large_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut conn = database(&folder.path().join("opencode.db"));
    let all = conn.transaction().unwrap();
    for second in 0..4500 {
        let id = format!("msg_{second}");
        put(&all, &id, "ses_1", at(10_000), &answered(second, 1));
    }
    all.commit().unwrap();
    let begin = || Kept {
        enough: Some(Box::new(|| true)),
        ..Kept::default()
    };
    // Nobody writes: each row is read once, and then none.
    let mut kept = begin();
    for _ in 0..6 {
        read(folder.path(), &mut kept);
    }
    assert_eq!((kept.calls.len(), kept.observed), (4500, 4500));

    // One message is written anew after each run: those before the place of a run, and those behind it.
    let mut kept = begin();
    let mut output = vec![101; 4500];
    for run in 0..40 {
        read(folder.path(), &mut kept);
        let (second, told) = ((run * 997) % 4500, 2 + run);
        put(
            &conn,
            &format!("msg_{second}"),
            "ses_1",
            at(10_000 + 300 * run),
            &answered(second, told.unsigned_abs()),
        );
        output[usize::try_from(second).unwrap()] = 100 + told.unsigned_abs();
    }
    assert_eq!(kept.calls.len(), 4500);
    for _ in 0..12 {
        read(folder.path(), &mut kept);
    }
    assert_eq!(outputs(&kept), output);
    let observed = kept.observed;
    read(folder.path(), &mut kept);
    assert_eq!(kept.observed, observed, "all is read");
}

#[test]
fn what_is_no_message_is_told_and_the_others_count() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    put(&conn, "msg_1", "ses_1", at(6), "{\"role\":\"assist");
    put(&conn, "msg_2", "ses_1", at(15), &answered(10, 20));
    // Nobody goes on with it: an hour has passed.
    put(&conn, "msg_3", "ses_1", at(20), &begun(20));
    let late = time("2026-11-29T23:50:00Z").timestamp_millis();
    let now = format!(r#"{{"role":"assistant","time":{{"created":{late}}}}}"#);
    put(&conn, "msg_4", "ses_1", late, &now);
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(outputs(&kept), [120]);
    assert_eq!(
        (kept.rejected.len(), kept.rejected[0].line),
        (1, 1),
        "{:?}",
        kept.rejected
    );
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
}

#[test]
fn a_database_that_cannot_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str| {
        let mut kept = Kept::default();
        read_on(folder.path(), &[name], &mut kept);
        assert!(kept.calls.is_empty() && kept.checkpoints.is_empty());
        assert_eq!(kept.rejected.len(), 1, "{:?}", kept.rejected);
        kept.rejected[0].reason.clone()
    };
    let foreign = Connection::open(folder.path().join("foreign.db")).unwrap();
    foreign
        .execute_batch("CREATE TABLE message (id text, body text)")
        .unwrap();
    drop(foreign);
    assert!(told("foreign.db").contains("without the table `message` of opencode"));

    let conn = database(&folder.path().join("damaged.db"));
    for second in 0..200 {
        put(
            &conn,
            &format!("msg_{second}"),
            "ses_1",
            at(second),
            &answered(second, 1),
        );
    }
    drop(conn);
    let mut bytes = std::fs::read(folder.path().join("damaged.db")).unwrap();
    bytes[16_384..].fill(7);
    std::fs::write(folder.path().join("opencode.db"), &bytes).unwrap();
    std::fs::remove_file(folder.path().join("damaged.db")).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["opencode.db"], &mut kept);
    let reason = &kept.rejected.last().unwrap().reason;
    assert!(reason.contains("damaged") && reason.contains(".recover"), "{reason}");
    std::fs::remove_file(folder.path().join("opencode.db")).unwrap();

    let locked = database(&folder.path().join("opencode.db"));
    locked
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE other (id text); COMMIT")
        .unwrap();
    assert!(told("opencode.db").contains("locked"), "{}", told("opencode.db"));
    // In a folder other databases are nobody's, and one that is locked is told.
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.rejected.len(), 1, "{:?}", kept.rejected);
    assert!(kept.rejected[0].file.ends_with("opencode.db"));
    drop(locked);
    let mut kept = Kept::default();
    let mut source = source(folder.path(), Some(FileFormat::Pi), &["opencode.db"]);
    source.read(&Default::default(), &mut kept).unwrap();
    assert!(
        kept.rejected[0]
            .reason
            .contains("a database of `opencode`, not of `pi`")
    );
}

/// The tables of opencode 2 beside those of version 1.
const SECOND: &str = "CREATE TABLE session_v2 (id text PRIMARY KEY, directory text NOT NULL, fork_session_id text);
     CREATE TABLE session_message (id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL, seq integer NOT NULL,
        time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);
     INSERT INTO session_v2 VALUES ('ses_1', '/srv/shop', NULL), ('ses_2', '/srv/desk', NULL), ('ses_3', '/srv/shop', 'ses_1');";

fn put_second(conn: &Connection, (id, session, kind): (&str, &str, &str), [created, changed]: [i64; 2], data: &str) {
    conn.execute(
        "INSERT INTO session_message VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET time_updated = ?5, data = ?6",
        (id, session, kind, created, changed, data),
    )
    .unwrap();
}

/// What opencode 2 keeps of an answer, or of what made a session shorter.
fn second(output: u64, time: &str) -> String {
    format!(
        r#"{{"agent":"plan","model":{{"id":"claude-sonnet-4-6","providerID":"anthropic"}},"cost":0.6,"tokens":{{"input":100,"output":{output},"reasoning":7,"cache":{{"read":0,"write":0}}}},"time":{{{time}}}}}"#
    )
}

#[test]
fn messages_of_opencode_2_count_beside_those_of_version_1() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    put(&conn, "msg_1", "ses_1", at(8), &answered(1, 150));
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [250]);

    conn.execute_batch(SECOND).unwrap();
    conn.execute("UPDATE message SET time_created = ?1", [at(1)]).unwrap();
    let time = |from: i64, to: i64| format!(r#""created":{},"completed":{}"#, at(from), at(to));
    // What it took over has its id, and when the row was changed as its end; a fork has that under another id.
    let taken = second(150, &time(1, 8)).replace("claude-sonnet-4-6", "gpt-5");
    put_second(&conn, ("msg_1", "ses_1", "assistant"), [at(1), at(8)], &taken);
    put_second(&conn, ("msg_f_0", "ses_3", "assistant"), [at(1), at(8)], &taken);
    put_second(&conn, ("msg_0", "ses_1", "user"), [at(0), at(0)], r#"{"text":"go"}"#);
    // Its own, one of which is copied by a fork, too; one that is still being answered; and what it asked to make a session shorter.
    let own = second(20, &time(100, 105));
    put_second(&conn, ("msg_2", "ses_1", "assistant"), [at(100), at(106)], &own);
    put_second(&conn, ("msg_f_2", "ses_3", "assistant"), [at(100), at(106)], &own);
    let open = second(0, &format!(r#""created":{}"#, at(110)));
    put_second(&conn, ("msg_3", "ses_2", "assistant"), [at(110), at(110)], &open);
    let shorter = second(33, &format!(r#""created":{}"#, at(120)));
    put_second(&conn, ("msg_4", "ses_2", "compaction"), [at(120), at(121)], &shorter);
    put_second(
        &conn,
        ("msg_5", "ses_2", "compaction"),
        [at(122), at(123)],
        r#"{"status":"running","time":{"created":1}}"#,
    );
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [250, 27, 40], "{:?}", kept.warnings);
    let call = kept
        .calls
        .values()
        .find(|call| call.at == super::time("2026-10-20T08:01:40Z"))
        .unwrap();
    let names = [call.provider(), call.model(), call.session].map(|name| name.as_str().to_owned());
    assert_eq!(names[..2], ["anthropic", "claude-sonnet-4-6"]);
    assert_eq!(call.dimensions.get(Dimension::Project).as_str(), "/srv/shop");
    assert_eq!(call.dimensions.get(Dimension::Agent).as_str(), "plan");
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.6");

    // Both go on; what is not changed is not read again.
    put(&conn, "msg_9", "ses_9", at(7000), &answered(6990, 1));
    put_second(
        &conn,
        ("msg_3", "ses_2", "assistant"),
        [at(110), at(7000)],
        &second(5, &time(110, 6999)),
    );
    read(folder.path(), &mut kept);
    assert_eq!(outputs(&kept), [250, 27, 12, 40, 101]);
    let lines = kept.progress.lines;
    read(folder.path(), &mut kept);
    assert_eq!(kept.progress.lines, lines);
    let mut fresh = Kept::default();
    read(folder.path(), &mut fresh);
    assert_eq!(outputs(&fresh), outputs(&kept));
    assert!(
        fresh.warnings.is_empty() && fresh.excluded.is_empty(),
        "{:?}",
        fresh.warnings
    );

    // A new installation has no other table; one of version 1 alone repeats here what it told.
    conn.execute_batch("DROP TABLE part; DROP TABLE message").unwrap();
    let mut fresh = Kept::default();
    read(folder.path(), &mut fresh);
    assert_eq!(outputs(&fresh), [157, 27, 12, 40]);
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    conn.execute_batch(SECOND).unwrap();
    conn.execute_batch("DROP TABLE session_v2").unwrap();
    put(&conn, "msg_1", "ses_1", at(8), &answered(1, 150));
    put_second(&conn, ("evt_1", "ses_1", "assistant"), [at(1), at(6)], &taken);
    put_second(&conn, ("evt_2", "ses_2", "assistant"), [at(100), at(106)], &own);
    let mut fresh = Kept::default();
    read(folder.path(), &mut fresh);
    assert_eq!(outputs(&fresh), [250, 27]);
}

#[test]
fn a_large_database_of_opencode_2_is_read_on_where_the_time_was_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut conn = database(&folder.path().join("opencode.db"));
    conn.execute_batch(SECOND).unwrap();
    let all = conn.transaction().unwrap();
    for place in 0..1500 {
        put(&all, &format!("msg_{place}"), "ses_9", at(place), &answered(place, 1));
        let time = format!(r#""created":{},"completed":{}"#, at(place), at(place + 3));
        let id = format!("msg_b{place}");
        put_second(
            &all,
            (&id, "ses_1", "assistant"),
            [at(place), at(place)],
            &second(1, &time),
        );
    }
    all.commit().unwrap();
    let mut kept = Kept {
        enough: Some(Box::new(|| true)),
        ..Kept::default()
    };
    for expected in [1000, 2500, 3000, 3000] {
        read(folder.path(), &mut kept);
        assert_eq!(kept.calls.len(), expected);
    }
    assert_eq!(kept.observed, 3000);
}

/// Makes the checkpoints those of an earlier build.
fn as_an_earlier_build_left_it(kept: &mut Kept) {
    for checkpoint in kept.checkpoints.values_mut() {
        let text = String::from_utf8(checkpoint.0.clone()).unwrap();
        assert!(text.contains(r#","readers":1"#), "{text}");
        checkpoint.0 = text.replace(r#","readers":1"#, "").into_bytes();
    }
}

#[test]
fn rows_that_an_earlier_build_read_are_read_once_more_and_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    put(&conn, "msg_1", "ses_1", at(6), &answered(1, 150));
    drop(conn);
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    as_an_earlier_build_left_it(&mut kept);
    read(folder.path(), &mut kept);
    read(folder.path(), &mut kept);
    assert_eq!((outputs(&kept), kept.observed), (vec![250], 2));
}

/// A message of many steps, which tells the tokens of the last one and what all of them cost.
fn turn(second: i64) -> String {
    let told = answered(second, 150).replace(r#""total":10300,"#, "");
    told.replace("0.0105", "0.5")
}

/// The end of a step.
fn step(output: u64) -> String {
    format!(
        r#"{{"reason":"tool-calls","cost":0.1,"tokens":{{"input":5,"output":{output},"reasoning":0,"cache":{{"read":8,"write":9}}}},"type":"step-finish"}}"#
    )
}

/// Until autumn 2025 a message was all steps of a turn.
#[test]
fn each_step_of_an_old_message_is_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    conn.execute_batch("CREATE INDEX part_message_idx ON part (message_id)")
        .unwrap();
    let old = turn(1);
    put(&conn, "msg_1", "ses_1", at(6), &old);
    for (id, data) in [
        ("prt_1", step(11)),
        ("prt_2", step(12)),
        ("prt_3", step(150)),
        ("prt_4", r#"{"type":"text","text":"step-finish"}"#.to_owned()),
    ] {
        conn.execute("INSERT INTO part VALUES (?1, 'msg_1', ?2)", [id, &data])
            .unwrap();
    }
    drop(conn);
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    let mut told = outputs(&kept);
    told.sort_unstable();
    assert_eq!(told, [11, 12, 150]);
    let costs = kept.calls.values().filter_map(|call| call.reported_cost);
    assert!(costs.map(|cost| cost.to_string()).all(|cost| cost == "0.1"));
    // In files.
    let storage = folder.path().join("storage");
    std::fs::create_dir_all(storage.join("message/ses_1")).unwrap();
    std::fs::create_dir_all(storage.join("part/msg_1")).unwrap();
    let message = old.replacen('{', "{\n\"id\":\"msg_1\",\"sessionID\":\"ses_1\",", 1);
    std::fs::write(storage.join("message/ses_1/msg_1.json"), message).unwrap();
    for (name, data) in [
        ("prt_1.json", step(11)),
        ("prt_2.json", step(12)),
        ("prt_3.json", step(150)),
    ] {
        std::fs::write(storage.join("part/msg_1").join(name), data).unwrap();
    }
    let mut files = Kept::default();
    read_on(folder.path(), &["storage/message"], &mut files);
    let ids = |kept: &Kept| kept.calls.keys().copied().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids(&files), ids(&kept), "{:?}", files.rejected);
}

/// Earlier builds told a turn as one call, at what all its steps cost.
#[test]
fn the_last_step_of_a_recorded_turn_is_reported_at_what_it_cost_itself() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    put(&conn, "msg_1", "ses_1", at(6), &turn(1));
    let costs = |kept: &Kept| {
        let costs = kept.calls.values().filter_map(|call| call.reported_cost);
        costs.map(|cost| cost.to_string()).collect::<Vec<_>>()
    };
    // Without an index its parts are not looked up, as they were not before.
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    assert_eq!(costs(&kept), ["0.5"]);
    conn.execute_batch("CREATE INDEX part_message_idx ON part (message_id)")
        .unwrap();
    for (id, output) in [("prt_1", 11), ("prt_2", 12), ("prt_3", 150)] {
        conn.execute("INSERT INTO part VALUES (?1, 'msg_1', ?2)", [id, &step(output)])
            .unwrap();
    }
    as_an_earlier_build_left_it(&mut kept);
    read(folder.path(), &mut kept);
    assert_eq!(costs(&kept), ["0.1", "0.1", "0.1"]);
}

#[test]
fn a_step_that_cannot_be_read_is_passed_over_and_its_message_counts() {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder.path().join("opencode.db"));
    conn.execute_batch("CREATE INDEX part_message_idx ON part (message_id)")
        .unwrap();
    put(&conn, "msg_1", "ses_1", at(6), &turn(1));
    put(&conn, "msg_2", "ses_1", at(16), &answered(11, 20));
    for (id, data) in [
        ("prt_1", step(11)),
        ("prt_2", step(12).replace("12", "-12")),
        ("prt_3", step(13).replace("13", "18446744073709551615")),
        ("prt_4", step(14).replace("0.1", "\"much\"")),
        ("prt_5", step(15)),
        ("prt_6", step(16)),
        ("prt_7", step(150)),
    ] {
        conn.execute("INSERT INTO part VALUES (?1, 'msg_1', ?2)", [id, &data])
            .unwrap();
    }
    conn.execute_batch(
        "UPDATE part SET data = CAST(data AS BLOB) WHERE id = 'prt_5';
         UPDATE part SET data = CAST(X'22737465702D66696E697368FF22' AS TEXT) WHERE id = 'prt_6';",
    )
    .unwrap();
    let mut kept = Kept::default();
    read(folder.path(), &mut kept);
    let mut told = outputs(&kept);
    told.sort_unstable();
    assert_eq!(told, [11, 14, 120, 150]);
    let costs = kept.calls.values().filter_map(|call| call.reported_cost);
    assert_eq!(
        costs.map(|cost| cost.to_string()).filter(|cost| cost == "0.1").count(),
        2
    );
}
