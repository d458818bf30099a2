//! `finops report --files`: what files hold, told as a ledger tells it that they were recorded in.

use std::path::Path;
use std::process::{Command, Output};

fn finops(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops"));
    command.args(["--now", "2026-11-24T12:00:00Z"]).args(args);
    command.current_dir(home).env_clear().env("HOME", home);
    command.env("XDG_DATA_HOME", home.join("data")).env("LC_ALL", "C.UTF-8");
    command.output().unwrap()
}

fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(home.path().join(name), text).unwrap();
    }
    home
}

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Reports of these files as they are, and of a ledger that they were recorded in.
fn both(home: &Path, files: &[&str], report: &[&str]) -> (Output, Output) {
    let looked = finops(home, &[&["report"], report, &["--files"], files].concat());
    let ledger = ["--store", "sqlite:ledger/l.db"];
    finops(home, &[&ledger, &["record"][..], files].concat());
    let recorded = finops(home, &[&ledger, &["report"][..], report].concat());
    std::fs::remove_dir_all(home.join("ledger")).unwrap();
    (looked, recorded)
}

fn assert_same(home: &Path, files: &[&str], report: &[&str]) {
    let (looked, recorded) = both(home, files, report);
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text(&looked), text(&recorded), "{report:?}");
    assert!(looked.status.success() && !looked.stdout.is_empty(), "{report:?}");
}

const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
{"id":"b","ts":"2026-11-04T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":2000,"output_tokens":100,"team":"ads"}
{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"anthropic","model":"nobody-knows","input_tokens":5,"output_tokens":1,"team":"ads"}
{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
"#;

const CLAUDE: &str = concat!(
    r#"{"type":"assistant","timestamp":"2026-11-05T09:00:00.000Z","sessionId":"s","requestId":"r1","cwd":"/home/x/api","#,
    r#""message":{"id":"m1","model":"claude-sonnet-4-6","usage":{"input_tokens":12,"output_tokens":34,"cache_read_input_tokens":5600}}}"#,
    "\n",
);

/// Two months, accounts and currencies, tags, credits, tokens, and costs that differ on the two bases.
fn bill() -> String {
    let mut text = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
        ChargeCategory,ProviderName,SubAccountId,ServiceName,x_Model,ConsumedUnit,ConsumedQuantity,SkuMeter,Tags\n"
        .to_owned();
    for row in 0_usize..600 {
        let month = 10 + row % 2;
        let (start, end) = (format!("2026-{month}-01"), format!("2026-{}-01", month + 1));
        let (cost, currency) = (
            format!("{}{}.{:04}", ["", "-"][row / 9 % 2], row % 7, row * 13 % 10_000),
            if row % 50 == 0 { "EUR" } else { "USD" },
        );
        let tokens = row % 5 == 0;
        let (unit, meter) = if tokens {
            ("1K tokens", ["input", "output"][row / 5 % 2])
        } else {
            ("Hours", "")
        };
        text.push_str(&format!(
            "{cost},{}.5,{currency},acme,{start},{end},2026-{month}-{:02}T{:02}:00:00Z,{},AWS,{},{},{},{unit},{},{meter},\"{{\"\"team\"\":\"\"t{}\"\",\"\"project\"\":\"\"p{}\"\"}}\"\n",
            row % 3, row % 20 + 1, row % 24, ["Usage", "Usage", "Credit"][row % 3], ["s1", "s2", ""][row / 7 % 3],
            ["Bedrock", "Storage"][row / 3 % 2], if tokens { "m-1" } else { "" }, row % 11, row % 4, row % 6,
        ));
    }
    text
}

#[test]
fn usage_is_reported_as_from_a_ledger_and_nothing_is_kept() {
    let home = home(&[("usage.jsonl", USAGE), ("session.jsonl", CLAUDE)]);
    for report in [
        "--by model",
        "--by day,team --format json",
        "--by project --format csv",
        "--by source --from 2026-11-01 --to 2026-12-01 --format json",
        "--by model --where team=ads --format json",
    ] {
        let report: Vec<&str> = report.split(' ').collect();
        assert_same(home.path(), &["usage.jsonl", "session.jsonl"], &report);
        assert_same(home.path(), &["*.jsonl"], &report);
    }
    assert_eq!(names(home.path()), ["session.jsonl", "usage.jsonl"]);
}

#[test]
fn a_bill_is_reported_as_from_a_ledger_whatever_columns_the_report_needs() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE)]);
    for report in [
        "--basis billed --by day,service",
        "--basis effective --by service,category",
        "--basis billed --by month,team --where project=p1 --where project=p2",
        "--basis effective --by hour,account --where category=Usage",
        "--basis billed --by model,provider",
        "--basis billed --by source,user",
        "--basis billed-filled --by day",
        "--basis metered --by model",
        "--basis billed --by week --from 2026-10-03 --to 2026-10-20 --zone Asia/Tokyo",
    ] {
        let report: Vec<&str> = report.split(' ').chain(["--format", "json"]).collect();
        assert_same(home.path(), &["bill.csv", "usage.jsonl"], &report);
    }
}

#[test]
fn terms_of_the_account_hold_for_files_too() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE)]);
    let contract = "[[contract]]\nname = \"c\"\nprovider = \"anthropic\"\ndiscount = \"10 %\"\nfrom = \"2026-01-01\"\n";
    std::fs::write(home.path().join("finops.toml"), contract).unwrap();
    let (looked, recorded) = both(
        home.path(),
        &["bill.csv", "usage.jsonl"],
        &["--basis", "effective", "--by", "day,service", "--format", "json"],
    );
    assert_eq!(
        String::from_utf8(looked.stdout).unwrap(),
        String::from_utf8(recorded.stdout).unwrap(),
        "{}",
        String::from_utf8_lossy(&looked.stderr)
    );
}

#[test]
fn what_is_wrong_is_told_as_it_is_when_recording() {
    let bad = format!("{USAGE}{{\"id\":\"d\"}}\n");
    let home = home(&[("usage.jsonl", &bad), ("notes.txt", "no usage at all\n")]);
    let looked = |paths: &[&str]| finops(home.path(), &[&["report", "--by", "model", "--files"], paths].concat());
    let recorded = |paths: &[&str]| finops(home.path(), &[&["--store", "memory:", "record"], paths].concat());
    for paths in [&["usage.jsonl"][..], &["nowhere.jsonl"], &["notes.txt", "usage.jsonl"]] {
        let (looked, recorded) = (looked(paths), recorded(paths));
        assert_eq!(looked.status.code(), recorded.status.code(), "{paths:?}");
        assert_ne!(looked.status.code(), Some(0), "{paths:?}");
        let first = |output: &Output| {
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .next()
                .map(str::to_owned)
        };
        assert_eq!(first(&looked), first(&recorded), "{paths:?}");
    }
    assert!(String::from_utf8_lossy(&looked(&["usage.jsonl"]).stdout).contains("claude-sonnet-4-6"));
    assert_eq!(
        finops(home.path(), &["report", "--source", "focus"]).status.code(),
        Some(2)
    );
    let foreign = finops(home.path(), &["report", "--source", "plain", "--files", "usage.jsonl"]);
    assert_eq!(foreign.status.code(), Some(2));
}
