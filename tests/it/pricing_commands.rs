//! Commands about prices over a recorded ledger, through the real binary.

use std::path::Path;
use std::process::{Command, Output};

struct Home(tempfile::TempDir);

impl Home {
    /// A ledger with this usage and these settings.
    fn new(settings: &str, usage: &str) -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("finops.toml", &format!("[store]\nurl = \"sqlite:x.db\"\n{settings}"));
        home.write("usage.jsonl", usage);
        let output = home.run(&["record", "usage.jsonl", "--now", NOW]);
        assert!(output.status.success(), "{}", err(&output));
        home
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_finops"))
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut args = args.to_vec();
        args.extend(["--format", "json", "--now", NOW]);
        let output = self.run(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{args:?}: {cause}: {text}{}", err(&output)))
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const NOW: &str = "2026-11-24T12:00:00Z";

/// Calls of two days, of a model that only the overlay knows, and of one that all books know.
const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000}
{"id":"b","ts":"2026-11-03T11:00:00Z","provider":"acme","model":"acme-1","input_tokens":1000000,"output_tokens":1000000}
{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"acme","model":"acme-1","input_tokens":2000000,"output_tokens":0}
"#;

const OWN: &str = r#"
providers = ["acme"]
version = "2026-11-20"
[[entry]]
model = "acme-1"
[[entry.price]]
to = "2026-11-15"
rates = { input = 2, output = 6 }
[[entry.price]]
from = "2026-11-15"
known_from = "2026-11-20"
rates = { input = 3, output = 6 }
"#;

#[test]
fn repricing_restates_once_and_only_what_changed() {
    let home = Home::new("", USAGE);
    let total = || home.json(&["report"])["total"].clone();
    assert_eq!(
        (&total()["cost_usd"], &total()["unpriced_events"]),
        (&"3.015".into(), &2.into())
    );
    home.write("policies/prices/own.toml", OWN);
    let dry = home.json(&["reprice", "--from", "2026-11-01", "--dry-run"]);
    assert_eq!((&dry["changed"], &dry["cost_change_usd"]), (&2.into(), &"12".into()));
    assert_eq!(total()["cost_usd"], "3.015", "a dry run stores nothing");
    let real = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!((&real["changed"], &real["cost_change_usd"]), (&2.into(), &"12".into()));
    let restated = real["restatements"].as_array().unwrap();
    let figures: Vec<_> = restated
        .iter()
        .map(|r| (r["old"].as_str().unwrap(), r["new"].as_str().unwrap()))
        .collect();
    assert_eq!(figures.len(), 2);
    assert_eq!((figures[0].1, figures[1].1), ("11.015", "4"));
    assert_eq!(
        (&total()["cost_usd"], &total()["unpriced_events"]),
        (&"15.015".into(), &0.into())
    );
    let again = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!(
        (&again["changed"], &again["restatements"]),
        (&0.into(), &serde_json::json!([]))
    );
    // Another book first, for one day and one model only.
    home.write("other.toml", &OWN.replace("input = 2", "input = 4"));
    let args = [
        "reprice",
        "--from",
        "2026-11-04",
        "--to",
        "2026-11-05",
        "--book",
        "other.toml",
        "--where",
        "model=acme-*",
    ];
    assert_eq!(home.json(&args)["cost_change_usd"], "4");
    assert_eq!(total()["cost_usd"], "19.015");
    let wrong = home.run(&["reprice", "--from", "2026-11-04", "--to", "2026-11-04"]);
    assert_eq!(wrong.status.code(), Some(2));
    let wrong = home.run(&["reprice", "--from", "2026-11-04", "--book", "nowhere"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", err(&wrong));
}

#[test]
fn two_runs_at_once_reprice_each_call_once() {
    let usage: String = (0..3000)
        .map(|n| {
            let minute = n % 60;
            format!("{{\"id\":\"c{n}\",\"ts\":\"2026-11-03T10:{minute:02}:00Z\",\"provider\":\"acme\",\"model\":\"acme-1\",\"input_tokens\":1000000,\"output_tokens\":0}}\n")
        })
        .collect();
    let home = Home::new("", &usage);
    home.write("policies/prices/own.toml", OWN);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| home.run(&["reprice", "--from", "2026-11-01", "--now", NOW])))
            .collect();
        for run in runs {
            let output = run.join().unwrap();
            assert!(output.status.success(), "{}", err(&output));
        }
    });
    let total = &home.json(&["report"])["total"];
    assert_eq!((&total["cost_usd"], &total["events"]), (&"6000".into(), &3000.into()));
}

#[test]
fn a_price_change_is_shown_as_what_it_does_to_the_month() {
    let home = Home::new("", USAGE);
    home.write("policies/prices/own.toml", OWN);
    // 3 M input and 1 M output of the last 30 days: 3·2 + 6 then, 3·3 + 6 now.
    let diff = home.json(&["price", "diff", "--since", "2026-11-10"]);
    assert_eq!(
        (&diff["cost_then_usd"], &diff["cost_now_usd"], &diff["change_usd"]),
        (&"12".into(), &"15".into(), &"3".into())
    );
    let models = diff["models"].as_array().unwrap();
    assert_eq!(models.len(), 1, "the other model costs the same");
    assert_eq!(models[0]["now"]["entries"]["policies/acme/acme-1@2026-11-15"], 2);
    let lines = models[0]["then"]["receipt"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|l| l["what"] == "input_uncached" && l["quantity"] == 3_000_000 && l["amount_usd"] == "6")
    );
    // It held on the 16th already, but nobody knew.
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-16"])["change_usd"],
        "3"
    );
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-20"])["change_usd"],
        "0"
    );
    assert_eq!(
        home.json(&["price", "diff", "--since", "2026-11-20", "--until", "2026-11-14"])["change_usd"],
        "-3"
    );
    // Two versions of a book.
    home.write("new.toml", &OWN.replace("output = 6", "output = 7"));
    home.write("old.toml", OWN);
    let versions = home.json(&["price", "diff", "--book", "old.toml", "--book", "new.toml"]);
    assert_eq!(versions["change_usd"], "1");
    assert_eq!(
        home.run(&["price", "diff", "--book", "old.toml"]).status.code(),
        Some(2)
    );
    let table = home.run(&["price", "diff", "--since", "2026-11-10", "--now", NOW]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("12 USD then, 15 USD now, +3 USD"), "{text}");
    assert!(text.contains("input_uncached: 3000000 × 3 / 1000000 = 9 USD"), "{text}");
}

/// Two models that share three free searches a day.
const SEARCHES: &str = r#"
providers = ["acme"]
[[entry]]
model = "s-1"
[[entry.price]]
rates = { input = 1 }
web_search_1000 = 10
free_searches = { count = 3, per = "day", group = "s" }
[[entry]]
model = "s-2"
[[entry.price]]
rates = { input = 1 }
web_search_1000 = 20
free_searches = { count = 3, per = "day", group = "s" }
"#;

fn searching(id: &str, at: &str, model: &str, searches: u32) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"{at}\",\"provider\":\"acme\",\"model\":\"{model}\",\"input_tokens\":1000000,\"output_tokens\":0,\"web_searches\":{searches}}}\n"
    )
}

#[test]
fn the_first_searches_of_a_day_are_free_whatever_the_order_of_recording() {
    let day = "2026-11-03";
    let lines = [
        searching("a", &format!("{day}T08:10:00Z"), "s-1", 2),
        searching("b", &format!("{day}T09:10:00Z"), "s-2", 2),
        searching("c", &format!("{day}T10:10:00Z"), "s-1", 2),
        searching("d", "2026-11-04T00:10:00Z", "s-2", 4),
    ];
    let mut totals = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let home = Home::new("", "");
        home.write("policies/prices/own.toml", SEARCHES);
        for n in order {
            // Each in a run of its own, twice.
            home.write("more.jsonl", &format!("{}{}", lines[n], lines[n]));
            assert!(home.run(&["record", "more.jsonl", "--now", NOW]).status.success());
        }
        let cost = |args: &[&str]| {
            let mut all = vec!["report"];
            all.extend(args);
            home.json(&all)["total"]["cost_usd"].as_str().unwrap().to_owned()
        };
        // 4 dollars of tokens. Day one: 2 free, then 1 of 2 free, then none: 0.02 + 0.02; day two: 3 of 4 free: 0.02.
        assert_eq!(cost(&[]), "4.06");
        assert_eq!(cost(&["--from", "2026-11-03", "--to", "2026-11-04"]), "3.04");
        assert_eq!(cost(&["--from", "2026-11-04", "--to", "2026-11-05"]), "1.02");
        totals.push(home.json(&["report", "--by", "hour,model"])["rows"].clone());
        let id = |at: &str| {
            let calls = home.json(&["explain", "--top", "9"]);
            let calls = calls["calls"].as_array().unwrap().clone();
            let call = calls
                .iter()
                .find(|c| c["at"].as_str().unwrap().starts_with(at))
                .unwrap();
            call["id"].as_str().unwrap().to_owned()
        };
        let second = home.json(&["explain", &id("2026-11-03T09")]);
        assert_eq!(second["price"]["cost_usd"], "1.04", "the fee of the call is whole");
        let free = &second["free_searches"];
        assert_eq!(
            (&free["used_before"], &free["free"], &free["amount_usd"]),
            (&2.into(), &1.into(), &"-0.02".into())
        );
        assert_eq!(second["hour"]["sums"]["cost_usd"], "1.02", "the sum has it taken off");
    }
    assert_eq!(totals[0], totals[1]);
}
