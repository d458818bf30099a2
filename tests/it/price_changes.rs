//! What changes of prices and books are told as.

use crate::pricing_commands::{Home, text};
use crate::support::{NOW, err};

const MILLION: &str = "\"input_tokens\":1000000,\"output_tokens\":0";

fn call(id: &str, at: &str, model: &str) -> String {
    format!("{{\"id\":\"{id}\",\"ts\":\"{at}\",\"provider\":\"acme\",\"model\":\"{model}\",{MILLION}}}\n")
}

fn book(prices: &str) -> String {
    format!("providers = [\"acme\"]\nversion = \"1\"\n[[entry]]\nmodel = \"a\"\n{prices}")
}

#[test]
fn a_price_by_weekday_has_not_changed_because_another_weekday_is_compared() {
    let weekend = "[[entry.price]]\nrates = { input = 2 }\n[[entry.price]]\nrates = { input = 1 }\nhours = { from = \"00:00\", to = \"00:00\", weekdays = [6, 7] }\n";
    let usage: String = (2..23)
        .map(|day| call(&format!("c{day}"), &format!("2026-11-{day:02}T02:00:00Z"), "a"))
        .collect();
    let home = Home::new("", &usage);
    home.write("policies/prices/own.toml", &book(weekend));
    // A Saturday against a Tuesday: 15 weekdays and 6 days of weekends.
    let diff = home.json(&["price", "diff", "--since", "2026-11-21", "--all"]);
    assert_eq!(
        (&diff["cost_then_usd"], &diff["cost_now_usd"]),
        (&"36".into(), &"36".into())
    );
    assert!(text(&home.run(&["price", "diff", "--since", "2026-11-21", "--now", NOW])).starts_with("no price change"));
}

#[test]
fn what_had_no_price_then_is_said_beside_the_total() {
    let home = Home::new("", &call("1", "2026-11-20T02:00:00Z", "a"));
    home.write(
        "policies/prices/own.toml",
        &book("[[entry.price]]\nfrom = \"2026-11-15\"\nrates = { input = 1 }\n"),
    );
    let told = text(&home.run(&["price", "diff", "--since", "2026-11-10", "--now", NOW]));
    assert!(
        told.contains("1 call had no price then") && told.contains("0 and 1 unpriced (at most"),
        "{told}"
    );
}

#[test]
fn another_version_of_a_book_is_told_before_it_prices_and_no_price_is_lost_silently() {
    let map = |rate: &str| {
        format!(
            "{{\"acme/one\":{{\"litellm_provider\":\"acme\",\"mode\":\"chat\",\"input_cost_per_token\":{rate},\"output_cost_per_token\":{rate}}}}}"
        )
    };
    let home = Home::new("", "");
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:x.db\"\n[[source]]\nname = \"u\"\npaths = [\"u/*\"]\n[[price_book]]\nname = \"m\"\nkind = \"litellm\"\npath = \"map.json\"\n",
    );
    home.write("map.json", &map("1e-05"));
    home.write("u/a.jsonl", &call("1", "2026-11-20T01:00:00Z", "one"));
    let run = || home.run(&["run", "--now", NOW, "--strict"]);
    for _ in 0..2 {
        let same = run();
        assert!(
            same.status.success() && !err(&same).contains("price book"),
            "{}",
            err(&same)
        );
    }
    home.write("map.json", &map("0"));
    let other = run();
    assert_eq!(other.status.code(), Some(1));
    assert!(
        err(&other).contains("price book `m` is not as in the run before. Of 1 call that it priced in the last 62 days, 1 would cost nothing now"),
        "{}",
        err(&other)
    );
    assert!(run().status.success(), "it is told once");
}

#[test]
fn restatements_can_be_read() {
    let home = Home::new("", &call("1", "2026-11-20T01:00:00Z", "a"));
    assert!(text(&home.run(&["reprice", "--list"])).contains("nothing was restated"));
    home.write(
        "policies/prices/own.toml",
        &book("[[entry.price]]\nrates = { input = 3 }\n"),
    );
    let done = home.json(&["reprice", "--from", "2026-11-01"]);
    assert_eq!(done["restatements"][0]["day"], "2026-11-20");
    let list = home.json(&["reprice", "--list"])["restatements"].clone();
    assert_eq!(
        (
            &list[0]["day"],
            &list[0]["before"],
            &list[0]["after"],
            &list[0]["cause"]
        ),
        (&"2026-11-20".into(), &"0".into(), &"3".into(), &"priced anew".into())
    );
    assert_eq!(
        home.json(&["reprice", "--list", "--from", "2026-11-21"])["restatements"],
        serde_json::json!([])
    );
}

#[test]
fn what_is_outside_the_period_has_not_expired() {
    let usage: String = ["10", "50"]
        .iter()
        .flat_map(|m| ["a", "nope"].map(|model| call(&format!("{model}{m}"), &format!("2026-11-20T10:{m}:00Z"), model)))
        .collect();
    let home = Home::new("", "");
    home.write(
        "policies/prices/own.toml",
        &book("[[entry.price]]\nrates = { input = 3 }\n"),
    );
    home.write("usage.jsonl", &usage);
    assert!(home.run(&["record", "usage.jsonl", "--now", NOW]).status.success());
    let half = "2026-11-20T10:30:00Z";
    for args in [
        ["--from", "2026-11-20", "--to", half],
        ["--from", half, "--to", "2026-11-21"],
    ] {
        let missing = home.json(&[&["price", "missing"][..], &args].concat())["missing"].clone();
        let missing = missing.as_array().unwrap();
        assert_eq!((missing.len(), &missing[0]["calls"]), (1, &1.into()), "{missing:?}");
        let left = home.json(&[&["reprice", "--dry-run"][..], &args].concat())["left_out"].clone();
        assert_eq!(left["calls"], 0, "{args:?}");
    }
}

#[test]
fn an_unpriced_model_is_no_zero_in_markdown() {
    let home = Home::new("", &call("1", "2026-11-20T01:00:00Z", "nope"));
    let told = text(&home.run(&["report", "--from", "2026-11-01", "--format", "markdown", "--now", NOW]));
    assert!(
        !told.contains("$0.00") && told.contains("| unpriced | 1 |") && told.contains("at most $"),
        "{told}"
    );
    let told = text(&home.run(&["reconcile", "--period", "2026-11", "--now", NOW]));
    assert!(told.contains("calls without a price: 1, at most $"), "{told}");
}

#[test]
fn a_call_is_told_with_the_budgets_that_count_it_on_other_bases() {
    let contract = "[[contract]]\nname = \"edp\"\nprovider = \"openai\"\ndiscount = \"10 %\"\n";
    // A folded day stands at ten, where this one has an hour of its own.
    let usage = [("1", "10", "1000000"), ("2", "09", "100000")].map(|(id, hour, tokens)| {
        format!("{{\"id\":\"{id}\",\"ts\":\"2026-11-10T{hour}:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\"output_tokens\":{tokens}}}\n")
    });
    let home = Home::new(contract, &usage.concat());
    let bases = ["metered", "effective", "billed, metered where late", "billed"];
    let budgets: String = bases
        .iter()
        .map(|basis| {
            format!("[[budget]]\nname = \"{basis}\"\namount = \"150 USD\"\nperiod = \"month\"\nbasis = \"{basis}\"\n")
        })
        .collect();
    home.write("policies/budgets/b.toml", &budgets);
    let calls = home.json(&["explain", "--top", "2"])["calls"].clone();
    for (call, expected) in [
        (0, ["billed, metered where late: 10", "effective: 9", "metered: 10"]),
        (1, ["billed, metered where late: 1", "effective: 0.9", "metered: 1"]),
    ] {
        let told = home.json(&["explain", calls[call]["id"].as_str().unwrap()])["budgets"].clone();
        let mut told: Vec<String> = told
            .as_array()
            .unwrap()
            .iter()
            .map(|b| {
                format!(
                    "{}: {}",
                    b["budget"].as_str().unwrap(),
                    b["of_this_call"].as_str().unwrap()
                )
            })
            .collect();
        told.sort();
        assert_eq!(told, expected);
    }
}

#[test]
fn a_cost_that_sources_tell_otherwise_is_a_finding() {
    let usage = call("1", "2026-11-20T01:00:00Z", "a").replace("}", ",\"cost_usd\":\"3.5\"}");
    let home = Home::new("", "");
    home.write(
        "policies/prices/own.toml",
        &book("[[entry.price]]\nrates = { input = 3 }\n"),
    );
    home.write("usage.jsonl", &usage);
    assert!(home.run(&["record", "usage.jsonl", "--now", NOW]).status.success());
    let reconcile = || home.run(&["reconcile", "--period", "2026-11", "--now", NOW]);
    let told = reconcile();
    assert_eq!(told.status.code(), Some(1));
    assert!(
        err(&told).contains("finding: acme: calls with a cost of their own: 1, $3.50"),
        "{}",
        err(&told)
    );
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:x.db\"\n[reconcile]\nreported_tolerance = \"20 %\"\n",
    );
    assert!(reconcile().status.success());
}

#[test]
fn a_cost_is_compared_only_where_the_books_have_one_as_agreed_and_with_its_fees() {
    let costs = |id: &str, model: &str, cost: &str| {
        call(id, "2026-11-20T01:00:00Z", model).replace('}', &format!(",\"cost_usd\":\"{cost}\"}}"))
    };
    let contract = "[[contract]]\nname = \"edp\"\nprovider = \"acme\"\ndiscount = \"15 %\"\n";
    let search = "{\"id\":\"1\",\"ts\":\"2026-11-20T01:00:00Z\",\"provider\":\"google\",\"model\":\"gemini-2.5-flash\",\"input_tokens\":10,\"output_tokens\":0,\"web_searches\":100,\"cost_usd\":\"3.5\"}\n";
    for (settings, usage) in [
        ("", costs("1", "a", "3") + &costs("2", "nope", "4")),
        (contract, costs("1", "a", "2.55")),
        ("", search.to_owned()),
    ] {
        let home = Home::new(settings, "");
        home.write(
            "policies/prices/own.toml",
            &book("[[entry.price]]\nrates = { input = 3 }\n"),
        );
        home.write("usage.jsonl", &usage);
        assert!(home.run(&["record", "usage.jsonl", "--now", NOW]).status.success());
        let told = home.run(&["reconcile", "--period", "2026-11", "--now", NOW]);
        assert!(told.status.success(), "{usage}: {}", err(&told));
    }
}

/// Unknown is not below a threshold.
#[test]
fn an_alert_is_not_over_because_its_calls_have_lost_their_price() {
    let usage: String = (2..8)
        .map(|day| call(&format!("c{day}"), &format!("2026-11-{day:02}T02:00:00Z"), "a"))
        .collect();
    let home = Home::new("[[source]]\nname = \"u\"\npaths = [\"u/*\"]\n", "");
    let price = |rate: &str| {
        home.write(
            "policies/prices/own.toml",
            &book(&format!("[[entry.price]]\nrates = {{ input = \"{rate}\" }}\n")),
        );
    };
    price("2");
    home.write("u/a.jsonl", &usage);
    home.write(
        "policies/budgets/b.toml",
        "[[budget]]\nname = \"all\"\namount = \"10 USD\"\nperiod = \"month\"\n[[budget.threshold]]\npercent = 100\nkind = \"actual\"\n",
    );
    let run = |now: &str| {
        let ran = home.run(&["run", "--now", now]);
        assert!(ran.status.code() < Some(2), "{}", err(&ran));
        text(&ran)
    };
    assert!(run("2026-11-24T12:00:00Z").contains("firing"));
    std::fs::remove_file(home.path().join("policies/prices/own.toml")).unwrap();
    home.json(&["reprice", "--from", "2026-11-01", "--drop-prices"]);
    let unknown = run("2026-11-24T13:00:00Z");
    assert!(!unknown.contains("resolved"), "{unknown}");
    price("0.5");
    home.json(&["reprice", "--from", "2026-11-01"]);
    let known = run("2026-11-24T14:00:00Z");
    assert!(
        known.contains("resolved, spend was restated below the threshold"),
        "{known}"
    );
}

/// What is tried before it is put into `policies/prices` holds as it will there.
#[test]
fn a_file_of_own_prices_holds_as_an_own_price() {
    let usage: String = (2..8)
        .map(|day| {
            let call = call(&format!("c{day}"), &format!("2026-11-{day:02}T02:00:00Z"), "a");
            call.replace('{', "{\"geo\":\"us\",")
        })
        .collect();
    let home = Home::new("", "");
    let price = |rate: u32| book(&format!("[[entry.price]]\nrates = {{ input = {rate} }}\n"));
    home.write("policies/prices/own.toml", &price(1));
    home.write("new.toml", &price(5));
    home.write("usage.jsonl", &usage);
    assert!(home.run(&["record", "usage.jsonl", "--now", NOW]).status.success());
    let diff = home.json(&[
        "price",
        "diff",
        "--book",
        "policies/prices/own.toml",
        "--book",
        "new.toml",
    ]);
    assert_eq!(diff["change_usd"], "24");
    let tried = ["reprice", "--from", "2026-11-01", "--book", "new.toml", "--dry-run"];
    assert_eq!(home.json(&tried)["cost_change_usd"], "24");
    std::fs::remove_file(home.path().join("policies/prices/own.toml")).unwrap();
    assert_eq!(home.json(&tried)["kept_prices"]["calls"], 0);
    // A table of nothing says why it is a finding.
    let lost = home.run(&["reprice", "--from", "2026-11-01", "--format", "csv", "--now", NOW]);
    assert_eq!((lost.status.code(), text(&lost).lines().count()), (Some(1), 1));
    assert!(
        err(&lost).contains("6 calls, 6 USD, would have no price any more"),
        "{}",
        err(&lost)
    );
    let none = home.run(&["reprice", "--from", "2026-11-01", "--book", "nope.toml", "--now", NOW]);
    assert!(
        err(&none).contains("hint: name a file, or a `[[price_book]]`"),
        "{}",
        err(&none)
    );
}

/// Another version of what is built in has prices of the same places as that.
#[test]
fn a_version_of_the_built_in_book_prices_what_that_does() {
    let home = Home::new("", "");
    let call = |geo: &str| {
        format!(
            "{{\"id\":\"{geo}\",\"ts\":\"2026-11-24T10:00:00Z\",\"provider\":\"xai\",\"model\":\"grok-4.20-beta-0309-reasoning\",\"output_tokens\":1000000,\"geo\":\"{geo}\"}}\n"
        )
    };
    home.write("usage.jsonl", &["eu", "us", "jp"].map(call).concat());
    assert!(home.run(&["record", "usage.jsonl", "--now", NOW]).status.code() < Some(2));
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/prices/xai.toml");
    home.write("next.toml", &std::fs::read_to_string(built_in).unwrap());
    let tried = ["reprice", "--from", "2026-11-01", "--book", "next.toml", "--dry-run"];
    assert_eq!(home.json(&tried)["cost_change_usd"], "0");
}

#[test]
fn calls_that_have_expired_are_told_with_their_own_days() {
    let home = Home::new("detail_days = 10\n[[source]]\nname = \"u\"\npaths = [\"u/*\"]\n", "");
    let calls = |days: std::ops::Range<u32>| -> String {
        days.map(|day| call(&format!("c{day}"), &format!("2026-11-{day:02}T15:00:00Z"), "nope"))
            .collect()
    };
    for (name, days, now) in [("a", 2..5, "2026-11-05T12:00:00Z"), ("b", 20..24, NOW)] {
        home.write(&format!("u/{name}.jsonl"), &calls(days));
        let run = home.run(&["run", "--now", now]);
        assert!(run.status.code() < Some(2), "{}", err(&run));
    }
    let missing = home.json(&["price", "missing"])["missing"].clone();
    let told: Vec<(bool, i64, &str, &str)> = missing
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            let day = |key: &str| &m[key].as_str().unwrap()[..10];
            (
                m["reason"] == "unknown_model",
                m["calls"].as_i64().unwrap(),
                day("first"),
                day("last"),
            )
        })
        .collect();
    assert!(told.contains(&(true, 4, "2026-11-20", "2026-11-23")), "{told:?}");
    assert!(told.contains(&(false, 3, "2026-11-02", "2026-11-04")), "{told:?}");
}
