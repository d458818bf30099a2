//! What `defaults` of a source give to its calls, also to those that were recorded before.

use std::path::Path;
use std::process::Output;

use crate::support::{err, finops, json, out};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A folder with a source of this kind and further keys.
fn source(folder: &Path, kind: &str, more: &str) {
    let text = format!("[store]\nurl = \"sqlite:l.db\"\n[[source]]\nname = \"a\"\nkind = \"{kind}\"\n{more}\n");
    write(folder, "finops.toml", &text);
}

/// Ninety dollars of Claude Code on a day of November.
fn session(day: u32) -> String {
    let usage = r#""usage":{"input_tokens":30000000,"output_tokens":0}"#;
    format!(
        r#"{{"cwd":"/srv/shop","sessionId":"s1","type":"assistant","uuid":"u{day}","timestamp":"2026-11-{day}T08:15:04.120Z","requestId":"r{day}","message":{{"id":"msg_{day}","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn",{usage}}}}}"#
    ) + "\n"
}

fn team(folder: &Path, team: &str) -> String {
    let report = json(&finops(folder, &["report", "--by", "team", "--format", "json"]));
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["team"] == team);
    row.map_or("0".to_owned(), |row| row["cost_usd"].as_str().unwrap().to_owned())
}

fn fine(output: Output) -> Output {
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    output
}

#[test]
fn a_team_that_is_given_later_is_told_and_given_to_what_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // At its usual place, where no path says so.
    let log = ".claude/projects/-srv-shop/s1.jsonl";
    write(path, log, &session(20));
    let budget =
        "[[budget]]\nname = \"search\"\nscope = { team = \"search\" }\namount = \"100 USD\"\nperiod = \"month\"\n";
    write(path, "policies/budgets/s.toml", budget);
    source(path, "claude-code", "");
    assert_eq!(err(&fine(finops(path, &["run"]))), "");
    source(path, "claude-code", "defaults = { team = \"search\", agent = \"cc\" }");
    write(path, log, &(session(20) + &session(24)));
    let run = fine(finops(path, &["run"]));
    let told = "1 call of this month of source `a` lacks what its `defaults` give now (team, agent), and counts without it. \
        `finops reprice --from 2026-11-20` gives it to them";
    assert!(err(&run).contains(told), "{}", err(&run));
    assert_eq!((team(path, "search"), team(path, "")), ("90".into(), "90".into()));

    let reprice = |more: &[&str]| {
        let args = [&["reprice", "--from", "2026-11-20", "--format", "json"], more].concat();
        let done = json(&fine(finops(path, &args)));
        (
            done["named"].as_i64().unwrap(),
            done["changed"].as_i64().unwrap(),
            done["left_out"]["calls"].as_i64().unwrap(),
        )
    };
    assert_eq!(reprice(&["--dry-run"]), (1, 0, 0));
    assert_eq!(team(path, "search"), "90");
    assert_eq!(reprice(&["--where", "team=nobody"]), (0, 0, 0));
    assert_eq!(reprice(&[]), (1, 0, 0));
    assert_eq!((team(path, "search"), team(path, "")), ("180".into(), "0".into()));
    let run = fine(finops(path, &["run"]));
    assert!(out(&run).contains("180 % of this month's budget"), "{}", out(&run));
    assert_eq!(err(&run), "");
    assert_eq!(reprice(&[]), (0, 0, 0));
    // What a record says, and what was given before, stays.
    source(path, "claude-code", "defaults = { team = \"ads\" }");
    assert_eq!(reprice(&[]), (0, 0, 0));
    assert_eq!(team(path, "search"), "180");
}

#[test]
fn a_model_that_is_given_later_prices_what_is_recorded_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let tokens = r#"{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":300,"reasoning_output_tokens":120,"total_tokens":4300}"#;
    write(
        path,
        "cx/rollout-a.jsonl",
        &format!(
            "{{\"timestamp\":\"2026-11-20T08:00:00.000Z\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"s-1\",\"cli_version\":\"0.145.0\",\"cwd\":\"/srv/shop\"}}}}\n\
             {{\"timestamp\":\"2026-11-20T08:00:09.000Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{tokens},\"last_token_usage\":{tokens}}}}}}}\n"
        ),
    );
    source(path, "codex", "paths = [\"cx\"]");
    fine(finops(path, &["run"]));
    let missing = finops(path, &["price", "missing"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        out(&missing).contains("`defaults` of the `[[source]]`"),
        "{}",
        out(&missing)
    );
    assert!(
        out(&missing).contains("then `finops reprice --from 2026-11-20`"),
        "{}",
        out(&missing)
    );
    source(
        path,
        "codex",
        "paths = [\"cx\"]\ndefaults = { model = \"gpt-5-codex\" }",
    );
    let done = json(&fine(finops(
        path,
        &["reprice", "--from", "2026-11-20", "--format", "json"],
    )));
    assert_eq!(
        (&done["named"], &done["changed"], &done["cost_change_usd"]),
        (&1.into(), &1.into(), &"0.006875".into())
    );
    assert_eq!(done["restatements"].as_array().unwrap().len(), 1, "{done}");
    fine(finops(path, &["price", "missing"]));
}

/// What `report` has by one dimension: its values and their costs.
fn by(folder: &Path, dimension: &str) -> String {
    let report = json(&finops(folder, &["report", "--by", dimension, "--format", "json"]));
    let rows = report["rows"].as_array().unwrap().iter();
    let rows = rows.map(|row| {
        format!(
            "{} {}",
            row[dimension].as_str().unwrap(),
            row["cost_usd"].as_str().unwrap()
        )
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows.join(", ")
}

/// Five calls of three dollars.
fn table(calls: std::ops::Range<u32>) -> String {
    let rows = calls.map(|n| format!("c{n},2026-11-2{n}T08:00:00Z,anthropic,claude-sonnet-4-6,1000000\n"));
    rows.fold("id,ts,provider,model,input_tokens\n".to_owned(), |all, row| all + &row)
}

#[test]
fn what_is_recorded_keeps_its_source_whoever_reads_the_file_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "logs/a.csv", &table(1..6));
    let sources = |names: &[&str]| {
        let one = |name: &&str| format!("[[source]]\nname = \"{name}\"\nkind = \"plain\"\npaths = [\"logs\"]\n");
        let all: String = names.iter().map(one).collect();
        write(path, "finops.toml", &format!("[store]\nurl = \"sqlite:l.db\"\n{all}"));
    };
    sources(&["laptops"]);
    fine(finops(path, &["run"]));
    fine(finops(path, &["record", "logs/a.csv"]));
    fine(finops(path, &["record", "--name", "aaa", "logs/a.csv"]));
    assert_eq!(by(path, "source"), "laptops 15");
    // A second source over the file, which is new to it, and a row more for both.
    sources(&["laptops", "desks"]);
    fine(finops(path, &["run"]));
    assert_eq!(by(path, "source"), "laptops 15");
    write(path, "logs/a.csv", &table(1..7));
    fine(finops(path, &["run"]));
    assert_eq!(
        by(path, "source"),
        "desks 3, laptops 15",
        "of two that come together the first in the alphabet"
    );

    std::fs::remove_file(path.join("l.db")).unwrap();
    fine(finops(path, &["record", "logs/a.csv"]));
    sources(&["alpha"]);
    fine(finops(path, &["run"]));
    assert_eq!(by(path, "source"), "files 18");
}

#[test]
fn what_is_recorded_keeps_its_team_when_the_one_that_is_given_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let source = |team: &str| {
        source(
            path,
            "plain",
            &format!("paths = [\"logs\"]\ndefaults = {{ team = \"{team}\" }}"),
        )
    };
    for (given, calls) in [("search", 1..4), ("alpha", 1..5), ("zeta", 1..6)] {
        source(given);
        write(path, "logs/a.csv", &table(calls));
        fine(finops(path, &["run"]));
    }
    assert_eq!(by(path, "team"), "alpha 3, search 9, zeta 3");
    // The same file under another name.
    source("beta");
    std::fs::copy(path.join("logs/a.csv"), path.join("logs/b.csv")).unwrap();
    fine(finops(path, &["run"]));
    assert_eq!(by(path, "team"), "alpha 3, search 9, zeta 3");
}
