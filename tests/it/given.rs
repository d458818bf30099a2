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
