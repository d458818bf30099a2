//! The real binary, killed at random moments: totals stay exact, every alert is delivered, never under two identities.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const KILLS: u64 = 200;
const CALLS_PER_ROUND: u64 = 200;

/// A small generator of evenly spread numbers (SplitMix64), so that a failing seed can be replayed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

const CONFIG: &str = r#"
[store]
url = "sqlite:ledger.db"

[[source]]
name = "app"
kind = "plain"
paths = ["usage"]

[[notify]]
name = "ops"
kind = "file"
path = "told.jsonl"

[[notify]]
name = "owner"
kind = "file"
path = "told-owner.jsonl"
"#;

const BUDGETS: &str = r#"
[[budget]]
name = "search"
scope = { team = "search" }
amount = "1.00"
currency = "USD"
period = "month"

[[budget]]
name = "everything"
amount = "40.00"
currency = "USD"
period = "month"
"#;

fn finops(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops"));
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .env("NO_COLOR", "1");
    command.args(["--config", "finops.toml", "--now", "2026-11-24T12:00:00Z"]);
    command.stdin(Stdio::null());
    command
}

fn append(folder: &Path, round: u64, random: &mut Random) {
    let mut text = String::new();
    for i in 0..CALLS_PER_ROUND {
        let n = round * CALLS_PER_ROUND + i;
        let (day, team) = (1 + n % 23, ["search", "support"][usize::try_from(n % 2).unwrap()]);
        writeln!(
            text,
            r#"{{"id":"c{n}","ts":"2026-11-{day:02}T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5-20251001","input_tokens":{},"output_tokens":{},"team":"{team}"}}"#,
            n % 997,
            n % 89,
        )
        .unwrap();
    }
    // A repetition of what may have been recorded already.
    let again = text.lines().next().unwrap().to_owned();
    writeln!(text, "{again}").unwrap();
    let file = folder.join(format!("usage/{}.jsonl", random.next() % 5));
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn totals(folder: &Path, store: &str) -> serde_json::Value {
    let mut command = finops(folder);
    command.args([
        "--store",
        store,
        "report",
        "--by",
        "day,team",
        "--from",
        "2026-11-01",
        "--to",
        "2026-12-01",
    ]);
    let output = command.args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn told(folder: &Path, file: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut messages: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join(file)).unwrap_or_default().lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("a killed writer leaves no half line");
        let text = |key: &str| message[key].as_str().unwrap().to_owned();
        messages
            .entry((text("alert_id"), text("told")))
            .or_default()
            .insert(text("id"));
    }
    messages
}

#[test]
fn killed_at_random_moments_nothing_is_lost_doubled_or_told_under_two_identities() {
    let seed = std::env::var("FINOPS_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(42);
    println!("seed {seed} (set FINOPS_SEED to replay another)");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("usage")).unwrap();
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    std::fs::write(folder.join("finops.toml"), CONFIG).unwrap();
    std::fs::write(folder.join("policies/budgets/test.toml"), BUDGETS).unwrap();

    let mut finished = 0;
    for round in 0..KILLS {
        append(folder, round, &mut random);
        let mut run = finops(folder);
        let mut child = run
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.next() % 60_000));
        finished += u64::from(child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    println!("{finished} of {KILLS} runs had finished before they were killed");
    assert!(
        finished < KILLS,
        "no run was killed while it worked: the test tests nothing"
    );
    for _ in 0..2 {
        let last = finops(folder).arg("run").output().unwrap();
        assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    }

    let clean = finops(folder)
        .args(["--store", "sqlite:clean.db", "record", "usage"])
        .output()
        .unwrap();
    assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stderr));
    let (killed, clean) = (totals(folder, "sqlite:ledger.db"), totals(folder, "sqlite:clean.db"));
    assert_eq!(killed["rows"], clean["rows"]);
    assert_eq!(killed["total"]["events"], KILLS * CALLS_PER_ROUND);

    let ops = told(folder, "told.jsonl");
    assert!(
        ops.keys().any(|(_, told)| told == "firing"),
        "the budget of the search team must have fired: {ops:?}"
    );
    assert_eq!(
        ops.keys().collect::<Vec<_>>(),
        told(folder, "told-owner.jsonl").keys().collect::<Vec<_>>()
    );
    for (step, ids) in ops.iter().chain(&told(folder, "told-owner.jsonl")) {
        assert_eq!(ids.len(), 1, "{step:?} was told under several identities: {ids:?}");
    }
}
