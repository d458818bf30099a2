//! Searches that cost nothing, wherever calls and sums meet.

use crate::pricing_commands::{BILL, Home, SEARCHES, text};
use crate::support::{NOW, err};

/// A call of `model` with so many searches and a million tokens, which cost one dollar.
fn call(id: &str, at: &str, model: &str, searches: u32) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"{at}\",\"provider\":\"acme\",\"model\":\"{model}\",\"input_tokens\":1000000,\"output_tokens\":0,\"web_searches\":{searches},\"session\":\"{id}\"}}\n"
    )
}

/// A ledger with this usage by prices with free searches, recorded soon after it was made.
fn home(settings: &str, usage: &str, now: &str) -> Home {
    let home = Home::new(settings, "");
    home.write("policies/prices/own.toml", SEARCHES);
    home.write("more.jsonl", usage);
    let output = home.run(&["record", "more.jsonl", "--now", now]);
    assert!(output.status.success(), "{}", err(&output));
    home
}

fn cost(home: &Home, args: &[&str]) -> String {
    let report = home.json(&[&["report", "--from", "2026-10-01"], args].concat());
    report["total"]["cost_usd"].as_str().unwrap().to_owned()
}

#[test]
fn a_call_without_a_price_takes_no_free_search_from_the_others_nor_does_folding() {
    // Too small for the fee of a search to be in what it may cost.
    let unpriced = call("u", "2026-10-20T06:20:00Z", "s-1", 0)
        .replace("1000000", "1")
        .replace("\"output_tokens\":0", "\"output_tokens\":5");
    let usage = call("a", "2026-10-20T01:10:00Z", "s-1", 3) + &unpriced;
    let home = home(
        "detail_days = 10\n[[source]]\nname = \"u\"\npaths = [\"u/*\"]\n",
        &usage,
        "2026-10-20T12:00:00Z",
    );
    assert_eq!(cost(&home, &[]), "1", "three searches are free");
    home.write("u/later.jsonl", &call("b", "2026-11-23T01:00:00Z", "s-1", 0));
    let run = home.run(&["run", "--now", NOW]);
    assert!(run.status.code() < Some(2), "{}", err(&run));
    assert_eq!(
        cost(&home, &["--to", "2026-11-01"]),
        "1",
        "the hours are folded into a day"
    );
    // In one hour the same.
    let usage = usage.replace("T01:10", "T06:10");
    let home = self::home("", &usage, NOW);
    assert_eq!(cost(&home, &[]), "1");
    // Searches that have no price themselves: no more is charged than they may cost.
    let usage =
        unpriced.replace("\"web_searches\":0", "\"web_searches\":1") + &call("c", "2026-10-20T06:30:00Z", "s-1", 2);
    let home = self::home("", &usage, NOW);
    let total: f64 = cost(&home, &[]).parse().unwrap();
    assert!((1.0..=1.02).contains(&total), "{total}");
}

#[test]
fn calls_are_told_with_what_is_free_of_them() {
    let usage = call("x", "2026-11-03T08:10:00Z", "s-1", 2) + &call("y", "2026-11-03T08:20:00Z", "s-1", 2);
    let settings = "[[budget]]\nname = \"m\"\namount = \"10 USD\"\nperiod = \"month\"\n";
    let home = home("", &usage, NOW);
    home.write("policies/budgets/b.toml", settings);
    let rows = home.json(&["report", "--by", "session", "--from", "2026-11-03"])["rows"].clone();
    let told: Vec<(String, String)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["session"].as_str().unwrap().to_owned(),
                row["cost_usd"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [("y", "1.01"), ("x", "1")].map(|(session, cost)| (session.to_owned(), cost.to_owned()));
    assert_eq!(told, expected, "no rest without detail");
    let calls = home.json(&["explain", "--top", "2"])["calls"].clone();
    let mut shares: Vec<String> = Vec::new();
    for call in calls.as_array().unwrap() {
        let one = home.json(&["explain", call["id"].as_str().unwrap()]);
        shares.push(one["budgets"][0]["of_this_call"].as_str().unwrap().to_owned());
    }
    shares.sort();
    assert_eq!(shares, ["1", "1.01"]);
    let diff = home.json(&["price", "diff", "--since", "2026-11-01", "--all"]);
    assert_eq!(
        (&diff["cost_then_usd"], &diff["cost_now_usd"]),
        (&"2.01".into(), &"2.01".into())
    );
}

#[test]
fn what_is_left_as_it_is_has_its_own_cost() {
    let first = call("old", "2026-11-01T01:00:00Z", "s-1", 0);
    let home = home(
        "detail_days = 10\n[[source]]\nname = \"u\"\npaths = [\"u/*\"]\n",
        &first,
        "2026-11-01T12:00:00Z",
    );
    home.write("u/later.jsonl", &call("b", "2026-11-23T01:00:00Z", "s-1", 3));
    let run = home.run(&["run", "--now", NOW]);
    assert!(run.status.code() < Some(2), "{}", err(&run));
    let told = home.json(&["reprice", "--from", "2026-11-01", "--dry-run"]);
    assert_eq!(
        (&told["left_out"]["calls"], &told["left_out"]["cost_usd"]),
        (&1.into(), &"1".into()),
        "{told}"
    );
}

#[test]
fn a_bill_of_the_searches_that_are_due_meets_those() {
    // 1,600 searches of which 1,500 are free: 3.50 beside 3.00 of tokens.
    let usage = r#"{"id":"a","ts":"2026-11-03T08:10:00Z","provider":"google","model":"gemini-2.5-flash","input_tokens":10000000,"web_searches":1600}"#;
    let home = home("", usage, NOW);
    let row = |cost: &str, rest: &str| {
        format!(
            "{cost},{cost},USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-03T00:00:00Z,2026-11-04T00:00:00Z,Usage,Google,Gemini API,{rest}\n"
        )
    };
    let bill = [
        row("3", "10000000,Tokens,input tokens,gemini-2.5-flash"),
        row("3.5", "100,Queries,Grounding with Google Search,"),
    ]
    .concat();
    home.write("bill.csv", &format!("{BILL}{bill}"));
    assert!(home.run(&["record", "bill.csv", "--now", NOW]).status.success());
    let found = home.json(&["reconcile", "--period", "2026-11"]);
    for cell in found["cells"].as_array().unwrap() {
        assert_eq!(cell["gap"]["total_usd"], "0", "{cell}");
        assert_eq!(cell["gap"]["price_gap_usd"], "0", "{cell}");
    }
    assert!(text(&home.run(&["reconcile", "--period", "2026-11", "--now", NOW])).contains("100 %"));
}

#[test]
fn free_searches_are_in_no_factor_and_google_is_not_vertex() {
    let call = |day: u32| {
        format!(
            "{{\"id\":\"{day}\",\"ts\":\"2026-11-{day:02}T10:00:00Z\",\"provider\":\"google\",\"model\":\"gemini-2.5-flash\",\"output_tokens\":40000000,\"web_searches\":1000}}\n"
        )
    };
    let home = home("", &(1..=20).map(call).collect::<String>(), NOW);
    let budget = "[[budget]]\nname = \"late\"\namount = \"1950 USD\"\nperiod = \"month\"\nbasis = \"billed, metered where late\"\n";
    home.write("policies/budgets/b.toml", budget);
    let notes = |home: &Home| home.json(&["budget"])["budgets"][0]["notes"].to_string();
    assert!(
        notes(&home).contains("google has no bill yet: metered as it is"),
        "{}",
        notes(&home)
    );
    let row = |day: u32| {
        let [day, next] = [day, day + 1].map(|day| format!("2026-11-{day:02}T00:00:00Z"));
        format!(
            "100,100,USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,{day},{next},Usage,Google Cloud,Gemini API,,,,\n"
        )
    };
    let rows: String = (1..=15).map(row).collect();
    home.write("bill.csv", &format!("{BILL}{rows}"));
    assert!(home.run(&["record", "bill.csv", "--now", NOW]).status.success());
    assert_eq!(cost(&home, &["--basis", "billed-filled"]), "2000");
    assert_eq!(home.json(&["budget"])["budgets"][0]["spent"], "2000");
    let notes = notes(&home);
    assert!(
        notes.contains("google is billed to 2026-11-15; since then metered × 1,"),
        "{notes}"
    );
    assert!(!notes.contains("vertex"), "{notes}");
}

/// The prices that are compared say on each side which searches are free.
#[test]
fn searches_are_free_by_the_prices_of_each_side() {
    let days = (1..11).map(|day| call(&format!("c{day}"), &format!("2026-11-{day:02}T08:00:00Z"), "s-1", 2));
    let home = home("", &days.collect::<String>(), NOW);
    let free = "free_searches = { count = 3, per = \"day\", group = \"s\" }";
    let diff = |args: &[&str]| {
        let diff = home.json(&[&["price", "diff", "--all"], args].concat());
        [&diff["cost_then_usd"], &diff["cost_now_usd"]].map(|cost| cost.as_str().unwrap().to_owned())
    };
    // Ten calls of a dollar, each with two searches of a cent.
    home.write("old.toml", SEARCHES);
    home.write("new.toml", &SEARCHES.replace("count = 3", "count = 1"));
    let books = ["--book", "old.toml", "--book", "new.toml"];
    assert_eq!(diff(&books), ["10", "10.1"]);
    home.write("new.toml", &SEARCHES.replace(&format!("{free}\n"), ""));
    assert_eq!(diff(&books), ["10", "10.2"]);
    let ended = format!("to = \"2026-11-05\"\nrates = {{ input = 1 }}\nweb_search_1000 = 10\n{free}\n");
    let own = format!(
        "providers = [\"acme\"]\n[[entry]]\nmodel = \"s-1\"\n[[entry.price]]\n{ended}[[entry.price]]\n{}",
        ended.replace("to =", "from =").replace(free, "")
    );
    home.write("policies/prices/own.toml", &own);
    assert_eq!(diff(&["--since", "2026-11-03"]), ["10", "10.2"]);
    // What was used of a month before these thirty days is not free again.
    let october = call("o1", "2026-10-05T08:00:00Z", "s-1", 2) + &call("o2", "2026-10-26T08:00:00Z", "s-1", 2);
    let home = self::home("", &october, NOW);
    home.write("old.toml", SEARCHES);
    home.write("new.toml", &SEARCHES.replace("\"day\"", "\"month\""));
    let diff = home.json(&[&["price", "diff", "--all"], &books[..]].concat());
    assert_eq!([&diff["cost_then_usd"], &diff["cost_now_usd"]], ["1", "1.01"]);
}
