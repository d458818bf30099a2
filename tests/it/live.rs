//! Providers' administration interfaces, live, through the real program and into a real ledger.

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use crate::admin::{days_until, serve};
use crate::support::{err, json, out, program};

const NONE: &str = r#"{"object":"page","data":[],"has_more":false,"next_page":null}"#;

/// A folder whose settings name one live source.
fn folder(url: &str, kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[store]\nurl = \"sqlite:l.db\"\n[limits]\ntime_budget_seconds = 10\n[[source]]\nname = \"live\"\nkind = \"{kind}\"\nkey = \"env:ADMIN_KEY\"\nurl = \"{url}\"\n"
    );
    std::fs::write(folder.path().join("finops.toml"), settings).unwrap();
    folder
}

fn run_at(folder: &Path, key: &str, now: &str, args: &[&str]) -> Output {
    let mut program = program(folder);
    program.env("ADMIN_KEY", key).args(["--now", now]).args(args);
    program.output().unwrap()
}

const NOW: &str = "2026-10-21T12:00:00Z";

fn record(folder: &Path) -> Output {
    run_at(folder, "sk-s3cret", NOW, &["record"])
}

#[test]
fn an_answer_of_another_shape_is_not_taken_for_nothing() {
    let (url, seen) = serve(|_, _| ("200 OK".to_owned(), r#"{"hello":"world"}"#.to_owned()));
    let folder = folder(&url, "anthropic-admin");
    for _ in 0..2 {
        let output = record(folder.path());
        assert_eq!(output.status.code(), Some(3), "{}", err(&output));
        assert!(err(&output).contains("it has no `data`"), "{}", err(&output));
    }
    let asked = seen.lock().unwrap().clone();
    assert_eq!(asked.len(), 4);
    assert!(
        asked.iter().all(|head| head.contains("starting_at=2026-09-20T")),
        "{asked:?}"
    );
}

#[test]
fn a_key_that_no_header_takes_is_named_by_where_it_stands() {
    let (url, seen) = serve(|_, _| ("200 OK".to_owned(), NONE.to_owned()));
    let folder = folder(&url, "openai-admin");
    for key in [
        "sk-s3cret\n",
        "sk-s3\r\nx-other: cret",
        "sk-\u{7f}s3cret",
        "sk-\u{1}s3cret",
    ] {
        let output = run_at(folder.path(), key, NOW, &["record"]);
        let told = err(&output);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("`env:ADMIN_KEY` holds a line break"), "{told}");
        assert!(!told.contains("s3") && !told.contains("url"), "{told}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_redirect_is_named_as_one() {
    let (url, seen) = serve(|_, _| ("302 Found\r\nLocation: http://127.0.0.1:9/".to_owned(), String::new()));
    let output = record(folder(&url, "openai-admin").path());
    assert_eq!(output.status.code(), Some(3));
    assert!(
        err(&output).contains("hint: the address answers with a redirect, which is not followed"),
        "{}",
        err(&output)
    );
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[test]
fn the_days_that_are_asked_for_follow_now() {
    let (url, seen) = serve(|path, _| {
        (
            "200 OK".to_owned(),
            days_until(path, std::time::SystemTime::now().into()),
        )
    });
    let folder = folder(&url, "anthropic-admin");
    let asked = |now: &str| {
        let output = run_at(folder.path(), "sk-s3cret", now, &["record"]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let heads = std::mem::take(&mut *seen.lock().unwrap());
        let (_, day) = heads[0].split_once("starting_at=").unwrap();
        day[..10].to_owned()
    };
    assert_eq!(asked("2026-03-31T12:00:00Z"), "2026-02-28");
    assert_eq!(asked("2026-04-02T12:00:00Z"), "2026-03-24");
    // A day that is yet to come is not one that was answered for.
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    assert_eq!(asked("2199-01-01T00:00:00Z"), "2026-03-26");
    let last = asked("2199-01-01T00:00:00Z").parse::<chrono::NaiveDate>().unwrap();
    assert!((today - last).num_days() <= 8, "{last}");
}

#[test]
fn rejected_parts_of_a_live_answer_are_told_by_their_address_with_a_hint_that_is_true_for_them() {
    let (url, _) = serve(|path, _| {
        let body = match path.contains("cost_report") {
            true => {
                r#"{"data":[{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{"amount":"x","currency":"USD"}]}],"has_more":false}"#
            }
            false => NONE,
        };
        ("200 OK".to_owned(), body.to_owned())
    });
    let told = err(&record(folder(&url, "anthropic-admin").path()));
    assert!(
        told.contains(&format!("rejected: {url}/v1/organizations/cost_report: `amount`: ")),
        "{told}"
    );
    assert!(told.contains(" (2026-10-20)"), "{told}");
    let hint = "hint: live answers are not kept: usage is asked for again for seven days, costs until they are known";
    assert!(told.contains(hint), "{told}");
    assert!(!told.contains("hint: `finops record PATH"), "{told}");
}

fn costs(folder: &Path) -> serde_json::Value {
    let args = [
        "report",
        "--from",
        "2026-10-01",
        "--to",
        "2026-11-01",
        "--basis",
        "billed",
        "--by",
        "day",
        "--format",
        "json",
    ];
    let output = run_at(folder, "", NOW, &args);
    json(&output)["rows"].clone()
}

/// Answers the costs and the completions with these bodies, one after another.
fn two(first: &'static str, costs: [&'static str; 2]) -> (String, Arc<Mutex<usize>>) {
    let round = Arc::new(Mutex::new(0));
    let at = Arc::clone(&round);
    let (url, _) = serve(move |path, _| {
        let body = match (path.contains("/costs"), path.contains("completions")) {
            (true, _) => costs[*at.lock().unwrap()],
            (_, true) => first,
            _ => NONE,
        };
        ("200 OK".to_owned(), body.to_owned())
    });
    (url, round)
}

#[test]
fn a_day_without_costs_replaces_what_it_cost_before() {
    let before = r#"{"object":"page","data":[{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{"object":"organization.costs.result","amount":{"value":2.5,"currency":"usd"},"line_item":"x, input"}]}],"has_more":false}"#;
    let after = r#"{"object":"page","data":[{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[]}],"has_more":false}"#;
    let (url, round) = two(NONE, [before, after]);
    let folder = folder(&url, "openai-admin");
    assert!(record(folder.path()).status.success());
    assert_eq!(costs(folder.path())[0]["cost_usd"], "2.5");
    *round.lock().unwrap() = 1;
    let output = record(folder.path());
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    assert_eq!(costs(folder.path()), serde_json::json!([]), "{}", costs(folder.path()));
}

#[test]
fn usage_that_is_told_anew_under_other_values_is_taken_back_in_the_ledger() {
    let told = |tier: &str| {
        format!(
            r#"{{"data":[{{"start_time":1792454400,"end_time":1792540800,"results":[{{"object":"organization.usage.completions.result","input_tokens":1000000,"model":"gpt-5-mini-2025-08-07","service_tier":{tier}}}]}}],"has_more":false}}"#
        )
    };
    let (url, _) = serve(move |path, n| {
        let body = match path.contains("completions") {
            true => told(if n < 3 { "null" } else { "\"default\"" }),
            false => NONE.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let folder = folder(&url, "openai-admin");
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let output = record(folder.path());
        assert!(output.status.success(), "{}", err(&output));
        let args = [
            "report",
            "--from",
            "2026-10-01",
            "--to",
            "2026-11-01",
            "--by",
            "model",
            "--format",
            "json",
        ];
        let report = json(&run_at(folder.path(), "", NOW, &args));
        let row = &report["rows"][0];
        assert_eq!(
            (&row["cost_usd"], &row["unpriced_events"]),
            (&"0.25".into(), &0.into()),
            "{row}"
        );
        tokens.push((
            row["input_uncached_tokens"].clone(),
            err(&output).contains("were taken back"),
        ));
    }
    let million = serde_json::json!(1_000_000);
    assert_eq!(
        tokens,
        [(million.clone(), false), (million.clone(), true), (million, false)]
    );
}

#[test]
fn usage_that_is_taken_back_of_a_model_without_a_price_is_not_unpriced() {
    for model in ["\"gpt-99-unknown\"", "null"] {
        let told = move |n: usize| {
            let model = if n < 3 { model } else { "\"gpt-5-2025-08-07\"" };
            format!(
                r#"{{"data":[{{"start_time":1792454400,"end_time":1792540800,"results":[{{"object":"organization.usage.completions.result","input_tokens":1000000,"output_tokens":0,"model":{model}}}]}}],"has_more":false}}"#
            )
        };
        let (url, _) = serve(move |path, n| {
            let body = if path.contains("completions") {
                told(n)
            } else {
                NONE.to_owned()
            };
            ("200 OK".to_owned(), body)
        });
        let folder = folder(&url, "openai-admin");
        let missing = || run_at(folder.path(), "", NOW, &["price", "missing"]);
        assert!(record(folder.path()).status.success());
        assert_eq!(missing().status.code(), Some(1), "{}", out(&missing()));
        assert!(record(folder.path()).status.success());
        assert_eq!(
            missing().status.code(),
            Some(0),
            "{}{}",
            out(&missing()),
            err(&missing())
        );
        let report = [
            "report",
            "--from",
            "2026-10-01",
            "--to",
            "2026-11-01",
            "--format",
            "json",
        ];
        let report = json(&run_at(folder.path(), "", NOW, &report));
        let total = &report["total"];
        assert_eq!(
            (&total["cost_usd"], &total["unpriced_events"]),
            (&"1.25".into(), &0.into()),
            "{total}"
        );
    }
}

#[test]
fn an_address_with_a_password_or_a_query_is_refused_unseen() {
    for url in [
        "https://bob:PASSW0RD@gw.invalid",
        "http://127.0.0.1:9/gw?token=PASSW0RD",
    ] {
        let folder = folder(url, "openai-admin");
        for args in [["config", "check"].as_slice(), &["record"]] {
            let output = run_at(folder.path(), "sk-s3cret", NOW, args);
            let told = out(&output) + &err(&output);
            assert_eq!(output.status.code(), Some(2), "{told}");
            assert!(
                told.contains("has a `url` with a user name, a password or a query"),
                "{told}"
            );
            assert!(!told.contains("PASSW0RD"), "{told}");
        }
    }
}
