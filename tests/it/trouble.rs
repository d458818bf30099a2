//! The world around the ledger fails: someone else holds it, the disk is full. A clear error, and nothing is lost or half done.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::{NOW, err, finops, json, now, out, program};

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

#[test]
#[cfg(target_os = "linux")]
fn output_for_which_there_is_no_room_leaves_the_earlier_file() {
    let folder = home();
    let path = folder.path();
    let limited = |blocks: u32| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut limited = Command::new("sh");
        limited.current_dir(path).env_clear().env("HOME", path);
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_finops"), "completions", "bash"]);
        limited.args(["--output", "written"]).output().unwrap()
    };
    let target = || std::fs::read_to_string(path.join("of-last-night")).unwrap();
    std::fs::write(path.join("of-last-night"), "whole").unwrap();
    std::os::unix::fs::symlink("of-last-night", path.join("written")).unwrap();
    let full = limited(1);
    assert_eq!(full.status.code(), Some(3), "{}", err(&full));
    assert!(err(&full).contains("cannot write `written`"), "{}", err(&full));
    assert_eq!(target(), "whole");
    let whole = limited(1000);
    assert_eq!(whole.status.code(), Some(0), "{}", err(&whole));
    assert!(target().contains("complete"), "{}", target());
    let left = std::fs::read_dir(path).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".part")
    });
    assert_eq!(left.count(), 0);
    assert!(path.join("written").is_symlink());
}

/// The program as someone who is not allowed everything, wherever the program lies: what it is started from is at hand already.
#[cfg(target_os = "linux")]
fn nobody(folder: &Path) -> Command {
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return program(folder);
    }
    for entry in walkdir::WalkDir::new(folder) {
        chown(entry.unwrap().path(), Some(65_534), None).unwrap();
    }
    let mut command = Command::new("/proc/self/fd/0");
    command.stdin(std::fs::File::open(env!("CARGO_BIN_EXE_finops")).unwrap());
    command.current_dir(folder).env_clear().env("HOME", folder).uid(65_534);
    command
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_may_not_be_read_is_told_and_resolves_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = home();
    let path = folder.path();
    std::fs::write(
        path.join("finops.toml"),
        CONFIG.replace("\"usage\"", "\"usage/*/*.jsonl\""),
    )
    .unwrap();
    std::fs::write(path.join("policies/budgets/all.toml"), BUDGET.replace("0.01", "300")).unwrap();
    let spend = |name: &str, days: std::ops::Range<u32>| {
        let line = |day| {
            format!(
                "{{\"id\":\"{day}\",\"ts\":\"2026-11-{day:02}T10:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"output_tokens\":1000000}}\n"
            )
        };
        std::fs::create_dir(path.join("usage").join(name)).unwrap();
        std::fs::write(
            path.join("usage").join(name).join("a.jsonl"),
            days.map(line).collect::<String>(),
        )
        .unwrap();
    };
    spend("open", 1..11);
    let run = |now: &str, args: &[&str]| nobody(path).args(["--now", now]).args(args).output().unwrap();
    for now in ["2026-11-11T00:00:00Z", "2026-11-11T06:00:00Z"] {
        let output = run(now, &["run"]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    }
    let told = || std::fs::read_to_string(path.join("told.jsonl")).unwrap();
    assert!(told().contains("firing"), "{}", told());
    spend("closed", 11..18);
    nobody(path);
    let closed = path.join("usage/closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    let output = run("2026-11-18T00:00:00Z", &["run"]);
    assert_eq!(output.status.code(), Some(3), "{}", out(&output));
    assert!(
        err(&output).contains("/closed`: Permission denied (os error 13)"),
        "{}",
        err(&output)
    );
    assert!(!told().contains("resolved"), "{}", told());

    // However it is named, it is told, and the others are read.
    for named in ["usage", "usage/**/*.jsonl", "usage/closed/a.jsonl", "usage/closed"] {
        let output = run(NOW, &["--store", "memory:", "record", "usage/open/a.jsonl", named]);
        let (told, what) = (err(&output), out(&output));
        assert_eq!(output.status.code(), Some(3), "{named}: {told}");
        assert!(told.contains("Permission denied"), "{named}: {told}");
        assert!(what.contains("10 new calls"), "{named}: {what}");
    }
    // What the pattern cannot mean does not matter.
    let output = run(NOW, &["--store", "memory:", "record", "usage/open*/*.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let check = out(&run(NOW, &["config", "check"]));
    assert!(check.contains("app: plain; NOT READABLE: cannot read"), "{check}");

    // What can be seen and not opened is no more known than that, and no record that is refused.
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(closed.join("a.jsonl"), std::fs::Permissions::from_mode(0o000)).unwrap();
    let output = run("2026-11-18T06:00:00Z", &["run"]);
    let (said, text) = (err(&output), out(&output));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("/closed/a.jsonl`: Permission denied (os error 13)"),
        "{said}"
    );
    assert!(said.contains("hint: check the file and its permissions"), "{said}");
    assert!(!said.contains("rejected") && !said.contains("--rejects"), "{said}");
    assert!(
        text.contains("note: the source `app` could not be read since "),
        "{text}"
    );
    assert!(!told().contains("resolved"), "{}", told());

    // Rows of the bills of others may lie in it.
    let bill = "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,BillingAccountId,ProviderName,ServiceName,ChargeCategory,ChargePeriodStart\n";
    let row = "1.25,1.25,USD,2026-11-01,2026-12-01,a,AWS,S3,Usage,2026-11-02\n";
    std::fs::write(path.join("bill.csv"), format!("{bill}{row}")).unwrap();
    let output = run(
        NOW,
        &["--store", "memory:", "record", "bill.csv", "usage/closed/a.jsonl"],
    );
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(err(&output).contains("bills were kept as they are"), "{}", err(&output));
    // What cannot be unpacked is what the file holds: it is refused.
    std::fs::write(path.join("cut.jsonl.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1]).unwrap();
    let output = run(NOW, &["--store", "memory:", "record", "cut.jsonl.gz"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));

    // Nor does a disk that is not there, under whose name there is an empty folder.
    std::fs::rename(path.join("usage"), path.join("elsewhere")).unwrap();
    std::fs::create_dir(path.join("usage")).unwrap();
    let output = run("2026-11-18T12:00:00Z", &["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(
        err(&output).contains("no file is left of those that were read before"),
        "{}",
        err(&output)
    );
    assert!(!told().contains("resolved"), "{}", told());
}

/// The others of its source go on telling what they hold: what it tells no more is expected as before.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_may_not_be_read_is_carried_on_in_forecasts() {
    use std::os::unix::fs::PermissionsExt;
    let folder = home();
    let path = folder.path();
    let budget = |team| {
        format!(
            "[[budget]]\nname = \"{team}\"\namount = \"300 USD\"\nperiod = \"month\"\nscope = {{ team = \"{team}\" }}\n"
        )
    };
    std::fs::write(path.join("policies/budgets/all.toml"), budget("b") + &budget("c")).unwrap();
    // Team c spends a tenth from the day on from which b's file may not be read.
    let spend = |team: &str, days: std::ops::RangeInclusive<u32>| {
        let line = |day| {
            let tokens = if team == "c" && day <= 10 { 1_000_000 } else { 100_000 };
            format!(
                "{{\"id\":\"{team}{day}\",\"ts\":\"2026-11-{day:02}T10:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"output_tokens\":{tokens},\"team\":\"{team}\"}}\n"
            )
        };
        std::fs::write(
            path.join(format!("usage/{team}.jsonl")),
            days.map(line).collect::<String>(),
        )
        .unwrap();
    };
    let run = |day: u32, args: &[&str]| {
        let now = format!("2026-11-{day}T01:00:00Z");
        nobody(path).args(["--now", &now]).args(args).output().unwrap()
    };
    spend("c", 1..=10);
    spend("b", 1..=10);
    assert_eq!(run(11, &["run"]).status.code(), Some(0));
    for day in 12..=19 {
        spend("c", 1..=day - 1);
        spend("b", 1..=day - 1);
        let closed = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(path.join("usage/b.jsonl"), closed).unwrap();
        assert_eq!(run(day, &["run"]).status.code(), Some(3));
    }
    let told = json(&run(19, &["--format", "json", "budget"]));
    let budget = &told["budgets"][0];
    let of = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert!((of(&budget["spent"]) - 10.0).abs() < 0.01, "{budget}");
    let end = of(&budget["forecast"]["end"]);
    assert!((28.0..31.0).contains(&end), "{end}");
    // 108 dollars, and twelve days of one; ten times that if it went on from before the other file was closed.
    let end = of(&told["budgets"][1]["forecast"]["end"]);
    assert!((115.0..130.0).contains(&end), "{end}");
}

#[test]
#[cfg(target_os = "linux")]
fn settings_in_a_folder_of_any_name_find_their_files() {
    use std::os::unix::ffi::OsStrExt;
    let folder = home();
    let strange = folder.path().join(std::ffi::OsStr::from_bytes(b"nu\xff[a]"));
    std::fs::create_dir_all(strange.join("usage")).unwrap();
    std::fs::copy(folder.path().join("finops.toml"), strange.join("finops.toml")).unwrap();
    calls(folder.path(), "a.jsonl", 3);
    std::fs::rename(folder.path().join("usage/a.jsonl"), strange.join("usage/a.jsonl")).unwrap();
    for paths in ["usage/*.jsonl", "./usage/../*/a.jsonl", "*/**"] {
        let settings = CONFIG.replace("\"usage\"", &format!("{paths:?}"));
        std::fs::write(strange.join("finops.toml"), settings).unwrap();
        let mut command = now(folder.path());
        command.arg("--config").arg(strange.join("finops.toml"));
        let output = command.args(["--store", "memory:", "record"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{paths}: {}", err(&output));
        assert!(
            out(&output).starts_with("recorded 3 new calls"),
            "{paths}: {}",
            out(&output)
        );
    }
}

#[test]
fn a_clock_that_was_ahead_once_folds_nothing_away() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 30);
    let early =
        r#"{"id":"e","ts":"2026-11-05T03:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","output_tokens":1}"#;
    std::fs::write(path.join("usage/early.jsonl"), early).unwrap();
    let at = |now: &str, args: &[&str]| {
        let output = program(path).args(["--now", now]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
        output
    };
    at(NOW, &["run"]);
    let hours = || json(&at(NOW, &["report", "--by", "hour", "--format", "json"]))["rows"].clone();
    let (before, ahead) = (hours(), "2027-11-24T12:00:00Z");
    at(ahead, &["run"]);
    at(ahead, &["run"]);
    assert_eq!(hours(), before, "days have hours as before");
    let dearest = out(&at(NOW, &["explain", "--top", "1"]));
    assert!(dearest.contains("claude-haiku-4-5"), "{dearest}");

    // With usage of that time, all of it is old.
    let later =
        r#"{"id":"z","ts":"2027-11-24T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","output_tokens":1}"#;
    std::fs::write(path.join("usage/b.jsonl"), later).unwrap();
    at(ahead, &["run"]);
    let hours = hours();
    let told: Vec<&str> = hours
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["hour"].as_str().unwrap())
        .collect();
    assert!(told.iter().all(|hour| hour.ends_with("T10:00:00Z")), "{told:?}");
}

#[test]
fn policies_that_are_not_there_are_no_reason_to_resolve_alerts() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 30);
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    let told = std::fs::read_to_string(path.join("told.jsonl")).unwrap();
    assert!(told.contains("firing"), "{told}");
    for gone in ["policies", "policies/budgets"] {
        std::fs::rename(path.join(gone), path.join("elsewhere")).unwrap();
        let output = finops(path, &["run"]);
        assert_eq!(output.status.code(), Some(2), "{}", out(&output));
        insta::allow_duplicates! {
            insta::assert_snapshot!(err(&output), @r"
            error: there are no budgets at `policies/budgets`, and alerts of theirs are open: the first is of `all`
            hint: nothing was read or told; where the budgets are meant to be gone, an empty folder says so
            ");
        }
        std::fs::rename(path.join("elsewhere"), path.join(gone)).unwrap();
    }
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(path.join("told.jsonl")).unwrap(), told);

    std::fs::write(path.join("finops.toml"), format!("policies = \"polices\"\n{CONFIG}")).unwrap();
    for command in [&["run"][..], &["config", "check"], &["budget"], &["record"]] {
        let output = finops(path, command);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", out(&output));
        insta::allow_duplicates! {
            insta::assert_snapshot!(err(&output), @r"
            error: there are no policies at `polices`
            hint: `policies` of the settings names this folder; an empty one says that there are no budgets
            ");
        }
    }
    // Where they are meant to be gone, their alerts end.
    std::fs::write(path.join("finops.toml"), CONFIG).unwrap();
    std::fs::remove_file(path.join("policies/budgets/all.toml")).unwrap();
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    let told = std::fs::read_to_string(path.join("told.jsonl")).unwrap();
    assert!(told.contains("its budget or threshold is gone"), "{told}");
}

#[test]
fn a_command_that_only_reads_makes_no_ledger() {
    let folder = home();
    let path = folder.path();
    let commands = [
        "report",
        "budget",
        "alert list",
        "explain --top 1",
        "export --focus 1.2",
        "reconcile",
        "price missing",
        "alert silences",
        "alert waiting",
    ];
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let output = finops(path, &[&["--store", "sqlite:ledgre.db"], args.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{command}: {}", out(&output));
        let told = err(&output).replace(&format!("{}/", path.display()), "");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @r"
            error: no such ledger: `ledgre.db`
            hint: check `--store`; `finops run` and `finops record` create one
            ");
        }
        // Before the first run there is nothing, and that is all right.
        let output = finops(path, &args);
        assert_ne!(output.status.code(), Some(2), "{command}: {}", err(&output));
    }
    let ledgers = std::fs::read_dir(path).unwrap().filter(|e| {
        let name = e.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".db")
    });
    assert_eq!(ledgers.count(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_ledger_that_may_only_be_read_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 30);
    assert_eq!(finops(path, &["run"]).status.code(), Some(0));
    let set = |mode: [u32; 2]| {
        for (name, mode) in [("ledger.db", mode[0]), ("", mode[1])] {
            std::fs::set_permissions(path.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let commands = [
        &["report", "--by", "day", "--format", "json"][..],
        &["budget"],
        &["alert", "list"],
        &["explain", "--top", "3"],
        &["reprice", "--from", "2026-01-01", "--dry-run"],
    ];
    let read = |args: &[&str]| {
        let output = nobody(path).args(["--now", NOW]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
        out(&output)
    };
    let before = commands.map(read);
    for mode in [[0o444, 0o555], [0o444, 0o755], [0o644, 0o555]] {
        set(mode);
        for (args, before) in commands.into_iter().zip(&before) {
            assert_eq!(read(args), *before, "{args:?} {mode:?}");
        }
        let run = nobody(path).args(["--now", NOW, "run"]).output().unwrap();
        assert!(
            run.status.code() == Some(3) || mode[0] == 0o644,
            "{mode:?}: {}",
            err(&run)
        );
        set([0o644, 0o755]);
        // Nothing is left beside it that keeps it from being written again.
        let run = nobody(path).args(["--now", NOW, "run"]).output().unwrap();
        assert_eq!(run.status.code(), Some(0), "{mode:?}: {}", err(&run));
    }
    // Those that another program left are named.
    set([0o444, 0o755]);
    for beside in ["ledger.db-wal", "ledger.db-shm"] {
        std::fs::write(path.join(beside), "").unwrap();
        std::fs::set_permissions(path.join(beside), std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    set([0o644, 0o755]);
    let run = nobody(path).args(["--now", NOW, "run"]).output().unwrap();
    assert_eq!(run.status.code(), Some(3), "{}", err(&run));
    assert!(err(&run).contains("`-wal` and `-shm` of its name"), "{}", err(&run));
}

#[test]
#[cfg(target_os = "linux")]
fn settings_and_policies_that_may_not_be_read_are_not_wrong() {
    use std::os::unix::fs::PermissionsExt;
    let folder = home();
    let path = folder.path();
    nobody(path);
    for closed in [
        "policies/budgets/all.toml",
        "policies/budgets",
        "policies",
        "finops.toml",
    ] {
        let mode = |mode| std::fs::set_permissions(path.join(closed), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        let run = nobody(path).args(["--now", NOW, "run"]).output().unwrap();
        mode(0o755);
        let said = err(&run);
        assert_eq!(run.status.code(), Some(3), "{closed}: {said}");
        assert!(said.contains("Permission denied (os error 13)"), "{closed}: {said}");
        assert!(said.contains("\nhint: check the "), "{closed}: {said}");
        assert!(said.contains(" permissions\n"), "{closed}: {said}");
    }
    let missing = program(path)
        .args(["--config", "nothing.toml", "run"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("`finops init` writes"), "{}", err(&missing));
}

#[test]
fn whoever_holds_the_output_does_not_hold_the_ledger() {
    let folder = home();
    let path = folder.path();
    calls(path, "many.jsonl", 4_000);
    let (mut unknown, mut book) = (String::new(), "providers = [\"acme\"]\n".to_owned());
    for n in 0..2_000 {
        let call = format!(r#""ts":"2026-11-20T10:00:00Z","provider":"acme","model":"model-{n}","input_tokens":9"#);
        writeln!(unknown, r#"{{"id":"u-{n}",{call}}}"#).unwrap();
        writeln!(
            book,
            "[[entry]]\nmodel = \"model-{n}\"\n[[entry.price]]\nrates = {{ input = \"1\", output = \"1\" }}"
        )
        .unwrap();
    }
    std::fs::write(path.join("usage/unknown.jsonl"), unknown).unwrap();
    std::fs::write(path.join("own.toml"), book).unwrap();
    assert_eq!(finops(path, &["record"]).status.code(), Some(0));
    let other = Connection::open(path.join("ledger.db")).unwrap();
    other
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE other (n)")
        .unwrap();
    for args in [
        &["report", "--by", "project", "--format", "csv"][..],
        &["explain", "--top", "4000", "--format", "csv"],
        &[
            "reprice",
            "--from",
            "2026-01-01",
            "--dry-run",
            "--book",
            "own.toml",
            "--format",
            "csv",
        ],
    ] {
        // Of what stands in the log whoever reads keeps it.
        other.execute("INSERT INTO other VALUES (1)", []).unwrap();
        let mut reader = now(path).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = reader.stdout.take().unwrap();
        output.read_exact(&mut [0]).unwrap();
        let busy: i64 = other
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .unwrap();
        assert!(reader.try_wait().unwrap().is_none(), "{args:?} has ended");
        assert_eq!(busy, 0, "{args:?}");
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert!(reader.wait().unwrap().success(), "{args:?}");
        assert!(rest.len() > 65_536, "{args:?}: {}", rest.len());
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_settings_is_told_and_not_waited_at() {
    let folder = home();
    let path = folder.path();
    calls(path, "a.jsonl", 10);
    let made = Command::new("mkfifo").arg(path.join("pipe")).status().unwrap();
    assert!(made.success());
    let config = CONFIG.replace("[\"usage\"]", "[\"usage\", \"pipe\"]");
    std::fs::write(path.join("finops.toml"), config).unwrap();
    let output = finops(path, &["run"]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(err(&output).contains("no regular file"), "{}", err(&output));
    assert_eq!(events(path), 10);
}
