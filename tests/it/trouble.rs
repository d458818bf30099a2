//! The world around the ledger fails: someone else holds it, the disk is full. A clear error, and nothing is lost or half done.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::{NOW, err, finops, json, now, out};

const CONFIG: &str = r#"
[store]
url = "sqlite:ledger.db"
busy_timeout_ms = 200

[[source]]
name = "app"
kind = "plain"
paths = ["usage"]

[[notify]]
name = "log"
kind = "file"
path = "told.jsonl"
"#;

const BUDGET: &str = "[[budget]]\nname = \"all\"\namount = \"0.01 USD\"\nperiod = \"month\"\n";

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir_all(path.join("usage")).unwrap();
    std::fs::create_dir_all(path.join("policies/budgets")).unwrap();
    std::fs::write(path.join("finops.toml"), CONFIG).unwrap();
    std::fs::write(path.join("policies/budgets/all.toml"), BUDGET).unwrap();
    folder
}

/// Calls that no compression makes small.
fn calls(folder: &Path, name: &str, count: u32) {
    let mut text = String::new();
    for n in 0..count {
        let (day, hash) = (1 + n % 23, blake3(n, name));
        writeln!(
            text,
            r#"{{"id":"{name}-{n}","ts":"2026-11-{day:02}T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":{},"output_tokens":{},"project":"{hash}"}}"#,
            n * 7919 % 100_003,
            n % 89,
        )
        .unwrap();
    }
    std::fs::write(folder.join("usage").join(name), text).unwrap();
}

fn blake3(n: u32, name: &str) -> String {
    finops::domain::alert::digest(&[name, &n.to_string()])
}

fn events(folder: &Path) -> i64 {
    let output = finops(folder, &["report", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    json(&output)["total"]["events"].as_i64().unwrap()
}

fn assert_sound(ledger: &Path) {
    let check: String = Connection::open(ledger)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_ledger_that_another_process_holds_is_told_after_the_time_that_is_set() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 10);
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    calls(path, "b.jsonl", 10);

    let mut other = Connection::open(path.join("ledger.db")).unwrap();
    let held = other
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let began = Instant::now();
    let locked = finops(path, &["run"]);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "thirty seconds are the default"
    );
    assert_eq!(locked.status.code(), Some(3), "{}", err(&locked));
    insta::assert_snapshot!(err(&locked), @r"
    error: the ledger `ledger.db` is locked by another process
    hint: nothing was written; run it again when the other process has ended
    ");
    assert_eq!(events(path), 10, "reading goes on while another one writes");
    drop(held);

    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    assert_eq!(events(path), 20);
    assert_sound(&path.join("ledger.db"));
}

#[test]
#[cfg(unix)]
fn a_disk_that_is_full_is_told_and_the_ledger_is_as_it_was() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 50);
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    let (before, told) = (events(path), std::fs::read(path.join("told.jsonl")).unwrap());
    calls(path, "b.jsonl", 20_000);

    // Half a megabyte more than there is: the write-ahead log ends in the middle of the batch. The signal that would kill the
    // process is ignored, so that the write fails as on a full disk.
    let blocks = std::fs::metadata(path.join("ledger.db")).unwrap().len() / 512 + 1_000;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut limited = Command::new("sh");
    limited.current_dir(path).env_clear().env("HOME", path);
    limited.args(["-c", &script, env!("CARGO_BIN_EXE_finops"), "--now", NOW, "run"]);
    let full = limited.output().unwrap();
    assert_eq!(full.status.code(), Some(3), "{}{}", out(&full), err(&full));
    let text = err(&full);
    assert!(
        text.starts_with("error: the ledger `") && text.contains("failed: "),
        "{text}"
    );
    assert!(
        text.contains("\nhint: check the path, its permissions and the free space"),
        "{text}"
    );

    assert_eq!(events(path), before, "nothing of the batch is there");
    assert_eq!(std::fs::read(path.join("told.jsonl")).unwrap(), told);
    assert_sound(&path.join("ledger.db"));
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    assert_eq!(events(path), 20_050, "with space again, all of it is");
    assert_sound(&path.join("ledger.db"));
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_told() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 10);
    finops(path, &["record"]);
    for args in [
        &["report", "--format", "json"][..],
        &["report", "--output", "/dev/full"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = now(path).args(args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", err(&output));
        assert!(err(&output).contains("No space left"), "{args:?}: {}", err(&output));
    }
}
