//! What people are told by whole runs: of what they are held to, as it is now, and so that they can act on it.

use std::path::Path;

use finops::adapters::policies::load_budgets;
use finops::domain::alert::Alert;
use finops::domain::notification::Severity;
use finops::domain::period::Period;
use serde_json::Value;

use crate::support::program;

/// A home with usage in one file for each source, a bill, budgets, and a channel that is a file.
struct Home {
    folder: tempfile::TempDir,
    seen: usize,
}

const MONTH: &str = "[[budget]]\nname = \"b\"\namount = \"AMOUNT USD\"\nperiod = \"month\"\n";

fn month(amount: &str) -> String {
    MONTH.replace("AMOUNT", amount)
}

fn rung(percent: u32, kind: &str) -> String {
    format!("[[budget.threshold]]\npercent = {percent}\nkind = \"{kind}\"\n")
}

impl Home {
    fn new(sources: &[&str], budgets: &str) -> Self {
        let home = Home {
            folder: tempfile::tempdir().unwrap(),
            seen: 0,
        };
        let mut settings = "[store]\nurl = \"sqlite:l.db\"\n".to_owned();
        for name in sources {
            let (kind, path) = match *name {
                "bill" => ("focus", "bill.csv".to_owned()),
                _ => ("plain", format!("{name}.jsonl")),
            };
            settings += &format!("[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npaths = [\"{path}\"]\n");
            home.write(&path, "");
        }
        settings += "[[notify]]\nname = \"out\"\nkind = \"file\"\npath = \"told.jsonl\"\n";
        home.write("finops.toml", &settings);
        std::fs::create_dir_all(home.path().join("policies/budgets")).unwrap();
        home.budgets(budgets);
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn budgets(&self, text: &str) {
        self.write("policies/budgets/b.toml", text);
    }

    /// Adds calls of a model at times; a dollar each for a tenth of a million tokens of `gpt-4o`.
    fn calls(&self, source: &str, model: &str, dollars: u32, times: impl IntoIterator<Item = String>) {
        let path = self.path().join(format!("{source}.jsonl"));
        let mut text = std::fs::read_to_string(&path).unwrap();
        for at in times {
            let (id, tokens) = (text.len(), dollars * 100_000);
            text += &format!(
                "{{\"id\":\"{source}{id}\",\"ts\":\"{at}\",\"provider\":\"openai\",\"model\":\"{model}\",\"output_tokens\":{tokens},\"team\":\"search\"}}\n"
            );
        }
        std::fs::write(path, text).unwrap();
    }

    /// A bill of rows: cost, day, category.
    fn bill(&self, rows: &[(i32, u32, &str)]) {
        let mut text = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName\n".to_owned();
        for (cost, day, category) in rows {
            let end = day + 1;
            text += &format!(
                "{cost},{cost},USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-{day:02}T00:00:00Z,2026-11-{end:02}T00:00:00Z,{category},AWS,API\n"
            );
        }
        self.write("bill.csv", &text);
    }

    /// Runs and answers the messages that are told anew.
    fn run(&mut self, now: &str) -> Vec<Value> {
        let ran = program(self.path())
            .args(["--now", now, "run", "--quiet"])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{now}: {errors}");
        let text = std::fs::read_to_string(self.path().join("told.jsonl")).unwrap_or_default();
        let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let new = all[self.seen..].to_vec();
        self.seen = all.len();
        new
    }

    /// The same as `told title`.
    fn titles(&mut self, now: &str) -> Vec<String> {
        let text = |m: &Value| format!("{} {}", m["told"].as_str().unwrap(), m["title"].as_str().unwrap());
        self.run(now).iter().map(text).collect()
    }

    /// Takes from the ledger since when budgets are as they are.
    fn forget_budgets(&self) {
        let store = rusqlite::Connection::open(self.path().join("l.db")).unwrap();
        let gone = store
            .execute("DELETE FROM checkpoint WHERE key = 'budgets'", [])
            .unwrap();
        assert_eq!(gone, 1);
    }

    fn budget(&self, now: &str) -> Value {
        let args = ["--format", "json", "--now", now, "budget"];
        let ran = program(self.path()).args(args).output().unwrap();
        let all: Value = serde_json::from_slice(&ran.stdout).unwrap();
        all["budgets"][0].clone()
    }

    fn forecast(&self, now: &str) -> f64 {
        let budget = self.budget(now);
        budget["forecast"]["end"].as_str().unwrap().parse().unwrap()
    }
}

/// Ten in the morning of days of November.
fn november(days: std::ops::RangeInclusive<u32>) -> Vec<String> {
    days.map(|day| format!("2026-11-{day:02}T10:00:00Z")).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn nobody_is_held_against_a_period_that_had_ended_before_the_budget_was_so() {
    let mut home = Home::new(&["a"], &month("200"));
    home.calls("a", "gpt-4o", 5, november(1..=30));
    assert_eq!(home.titles("2026-11-30T18:00:00Z"), NOTHING, "75 %");
    // Lowered, named anew, added, with another rung, of another scope: none of it held in November.
    let day = "[[budget]]\nname = \"day\"\namount = \"4 USD\"\nperiod = \"day\"\n";
    for budgets in [
        month("100"),
        MONTH.replace("\"b\"", "\"renamed\"").replace("AMOUNT", "120"),
        month("100") + day,
        month("200") + &rung(50, "actual"),
        month("100") + "scope = { team = \"search\" }\n",
    ] {
        home.budgets(&budgets);
        assert_eq!(home.titles("2026-12-02T12:00:00Z"), NOTHING, "{budgets}");
    }
    home.budgets(&month("200"));
    home.run("2026-12-02T13:00:00Z");

    // One that held all the time is held against what comes in late.
    let mut home = Home::new(&["a"], &month("200"));
    home.run("2026-11-30T18:00:00Z");
    home.calls("a", "gpt-4o", 250, november(30..=30));
    home.budgets(&(month("200") + "owner = \"ann\"\nremind_every_hours = 12\n"));
    assert_eq!(
        home.titles("2026-12-02T12:00:00Z"),
        ["firing b: 125 % of the budget of November 2026 was spent"]
    );
    // So is one whose ledger is of a version that kept nothing of it, even before the first rung is passed.
    let mut home = Home::new(&["a"], &month("200"));
    home.calls("a", "gpt-4o", 5, november(1..=30));
    home.run("2026-11-30T18:00:00Z");
    home.forget_budgets();
    home.calls("a", "gpt-4o", 250, ["2026-11-30T20:00:00Z".to_owned()]);
    assert_eq!(
        home.titles("2026-12-01T06:00:00Z"),
        ["firing b: 200 % of the budget of November 2026 was spent"]
    );
    // Or where newer spend was recorded, but an alert says that it held.
    let mut home = Home::new(&["a"], &(month("200") + &rung(50, "actual") + &rung(100, "actual")));
    home.calls("a", "gpt-4o", 5, november(1..=30));
    assert_eq!(home.titles("2026-11-30T18:00:00Z").len(), 1);
    home.calls("a", "gpt-4o", 1, ["2026-12-01T01:00:00Z".to_owned()]);
    home.run("2026-12-01T02:00:00Z");
    home.forget_budgets();
    home.calls("a", "gpt-4o", 250, ["2026-11-30T20:00:00Z".to_owned()]);
    assert_eq!(
        home.titles("2026-12-01T06:00:00Z"),
        ["firing b: 200 % of the budget of November 2026 was spent"]
    );
    // An installation that has just begun knows of no promise.
    let mut home = Home::new(&["a"], &month("100"));
    home.calls("a", "gpt-4o", 5, november(1..=30));
    assert_eq!(home.titles("2026-12-02T12:00:00Z"), NOTHING);
}

#[test]
fn calls_without_a_price_are_told_once_and_at_ten_times_the_cost() {
    let mut home = Home::new(&["a"], &month("1000000"));
    home.calls("a", "no-such-model", 1, november(1..=1));
    let first = home.titles("2026-11-01T12:00:00Z");
    assert!(
        first.len() == 1 && first[0].contains("1 call without a price"),
        "{first:?}"
    );
    // It grows tenfold: told again, once.
    home.calls("a", "no-such-model", 2, november(2..=2));
    assert_eq!(home.titles("2026-11-02T12:00:00Z"), NOTHING);
    home.calls("a", "no-such-model", 30, november(3..=3));
    let grown = home.titles("2026-11-03T12:00:00Z");
    assert!(
        grown.len() == 1 && grown[0].starts_with("reminder openai no-such-model: 3 calls"),
        "{grown:?}"
    );
    assert_eq!(home.titles("2026-11-04T12:00:00Z"), NOTHING);
    // A budget that it may bring above a threshold says so, and tells nothing beside it.
    home.budgets(&month("100"));
    assert_eq!(home.titles("2026-11-04T13:00:00Z"), NOTHING);
    assert_ne!(home.budget("2026-11-04T13:00:00Z")["unpriced_worst_case"], "0");
}

#[test]
fn many_unknown_models_are_one_message_and_what_is_critical_comes_first() {
    let mut home = Home::new(&["a"], &(month("100") + &rung(100, "actual")));
    for model in 0..30 {
        home.calls("a", &format!("no-such-model-{model}"), 1, november(1..=1));
    }
    let told = home.run("2026-11-01T12:00:00Z");
    let unpriced: Vec<&Value> = told.iter().filter(|m| m["kind"] == "unpriced").collect();
    assert_eq!(unpriced.len(), 1);
    let title = unpriced[0]["title"].as_str().unwrap();
    assert!(
        title.starts_with("30 models have calls without a price, at most "),
        "{title}"
    );
    assert_eq!(unpriced[0]["lines"].as_array().unwrap().len(), 30);
    assert_eq!(home.titles("2026-11-01T13:00:00Z"), NOTHING, "all of them are told");

    // What waits for a channel is told by its urgency.
    home.write("told.jsonl", "");
    home.seen = 0;
    std::fs::remove_file(home.path().join("told.jsonl")).unwrap();
    std::fs::create_dir(home.path().join("told.jsonl")).unwrap();
    let refused = |now: &str| {
        let ran = program(home.path())
            .args(["--now", now, "run", "--quiet"])
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(3));
    };
    home.calls("a", "another-model", 1, november(2..=2));
    refused("2026-11-02T12:00:00Z");
    home.calls("a", "gpt-4o", 120, november(2..=2));
    refused("2026-11-02T13:00:00Z");
    std::fs::remove_dir(home.path().join("told.jsonl")).unwrap();
    let told = home.run("2026-11-02T14:00:00Z");
    let kinds: Vec<&str> = told.iter().map(|m| m["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"budget_actual"), "{kinds:?}");
    assert!(kinds.contains(&"unpriced"));
}

#[test]
fn a_message_says_when_of_which_period_by_which_rung_and_what_to_do() {
    let budget = month("100") + "time_zone = \"Europe/Berlin\"\nscope = { team = \"search\" }\n" + &rung(100, "actual");
    let mut home = Home::new(&["a"], &budget);
    home.calls("a", "gpt-4o", 120, november(2..=2));
    let told = home.run("2026-11-02T12:00:00Z").remove(0);
    assert_eq!(told["labels"]["period"], "2026-11-01", "by the zone of the budget");
    assert!(
        told["summary"].as_str().unwrap().ends_with("; threshold 100 % actual."),
        "{told}"
    );
    let (facts, lines) = (told["facts"].to_string(), told["lines"].to_string());
    assert!(
        facts.contains("ends 2026-12-01 00:00 Europe/Berlin") && facts.contains("team=search"),
        "{facts}"
    );
    let id = told["alert_id"].as_str().unwrap();
    assert!(lines.contains(&format!("`finops alert ack {id} --for 8h`")), "{lines}");
    let lines = told["lines"].as_array().unwrap();
    let mut commands = lines.iter().filter_map(|line| line.as_str()?.split('`').nth(1));
    let report = commands.next().unwrap();
    assert_eq!(
        report,
        "finops report --by day --from 2026-11-01 --to 2026-12-01 --zone Europe/Berlin --where team=search --where category=Usage"
    );
    let args = report.split(' ').skip(1);
    let shown = program(home.path())
        .args(["--format", "json"])
        .args(args)
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["total"]["cost_usd"], "120");
    let reminder = home.run("2026-11-03T11:59:00Z").remove(0);
    assert_eq!(reminder["told"], "reminder", "a day later, but for a minute");
    assert!(
        reminder["facts"].to_string().contains("2026-11-02 13:00 Europe/Berlin"),
        "since when: {reminder}"
    );
}

#[test]
fn usage_that_has_not_come_in_yet_is_expected_and_not_nothing() {
    // Twelve dollars a day, two days late.
    let home = |days: std::ops::RangeInclusive<u32>, budget: &str| {
        let home = Home::new(&["a", "b"], budget);
        home.calls("a", "gpt-4o", 12, november(days));
        home
    };
    let october = |home: &Home, source: &str| {
        let days = (10..=31).map(|day| format!("2026-10-{day}T10:00:00Z"));
        home.calls(source, "gpt-4o", 12, days);
    };
    let mut late = home(1..=6, &month("400"));
    october(&late, "a");
    late.run("2026-11-08T18:00:00Z");
    assert_eq!(late.forecast("2026-11-08T18:00:00Z"), 360.0);
    let notes = late.budget("2026-11-08T18:00:00Z")["notes"].to_string();
    assert!(
        notes.contains("usage of the source `a` has come in to 2026-11-06"),
        "{notes}"
    );
    assert!(late.forecast("2026-11-30T18:00:00Z") < 100.0, "it has ended");
    // Of 72 dollars that are known and 12 for each day to come in the eightieth was spent on the 7th.
    late.budgets(&month("80"));
    let found = late.budget("2026-11-08T18:00:00Z");
    assert_eq!(found["forecast"]["runs_out"], "2026-11-07", "{found}");

    // A small one keeps nobody from seeing that a big one has fallen.
    let mut small = Home::new(&["a", "b"], &month("2000"));
    small.calls("a", "gpt-4o", 1, november(1..=8));
    small.calls("b", "gpt-4o", 100, november(1..=8));
    small.calls("b", "gpt-4o", 10, november(9..=15));
    small.run("2026-11-16T00:00:00Z");
    let found = small.forecast("2026-11-16T00:00:00Z");
    assert!((1000.0..1100.0).contains(&found), "{found}");
    let notes = small.budget("2026-11-16T00:00:00Z")["notes"].to_string();
    assert!(notes.contains("`a` has come in to 2026-11-08"), "{notes}");

    // Beside one that goes on, and fails for weeks.
    let mut fails = home(1..=3, &month("800"));
    october(&fails, "a");
    october(&fails, "b");
    fails.calls("b", "gpt-4o", 12, november(1..=20));
    fails.run("2026-11-03T18:00:00Z");
    std::fs::remove_file(fails.path().join("a.jsonl")).unwrap();
    let now = "2026-11-20T18:00:00Z";
    program(fails.path()).args(["--now", now, "run"]).output().unwrap();
    let notes = fails.budget(now)["notes"].to_string();
    assert!(
        notes.contains("the source `a` could not be read since 2026-11-20"),
        "{notes}"
    );
    assert!(fails.forecast(now) > 700.0, "{}", fails.forecast(now));
}

/// Nobody knows yet whose it would be.
#[test]
fn a_source_that_never_answered_is_told_of_every_budget_that_may_be_about_it() {
    let scoped = |source: &str| month("100") + &format!("scope = {{ source = \"{source}\" }}\n");
    let home = Home::new(&["a", "new"], &month("100"));
    home.calls("a", "gpt-4o", 1, november(1..=5));
    std::fs::remove_file(home.path().join("new.jsonl")).unwrap();
    let now = "2026-11-06T12:00:00Z";
    for (budget, is_told) in [
        (month("100"), true),
        (month("100") + "basis = \"billed\"\n", true),
        (scoped("n*"), true),
        (scoped("a"), false),
    ] {
        home.budgets(&budget);
        let run = program(home.path()).args(["--now", now, "run"]).output().unwrap();
        assert_eq!(run.status.code(), Some(3));
        let notes = home.budget(now)["notes"].to_string();
        let told = notes.contains("the source `new` could not be read since 2026-11-06");
        assert_eq!(told, is_told, "{budget}: {notes}");
        assert!(!notes.contains("`a` could not"), "{notes}");
    }
}

#[test]
fn what_is_told_of_a_budget_names_the_sources_that_fail_in_the_same_run() {
    let mut home = Home::new(&["a", "b"], &(month("100") + &rung(100, "actual")));
    for source in ["a", "b"] {
        home.calls(source, "gpt-4o", 8, november(1..=5));
    }
    home.run("2026-11-05T12:00:00Z");
    let (file, aside) = (home.path().join("b.jsonl"), home.path().join("aside"));
    let told = |home: &mut Home, now: &str| {
        program(home.path())
            .args(["--now", now, "run", "--quiet"])
            .output()
            .unwrap();
        let text = std::fs::read_to_string(home.path().join("told.jsonl")).unwrap();
        let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        home.seen = all.len();
        all.last().unwrap().to_string()
    };
    home.calls("a", "gpt-4o", 30, november(6..=6));
    std::fs::rename(&file, &aside).unwrap();
    let first = told(&mut home, "2026-11-06T12:00:00Z");
    assert!(
        first.contains("110 %") && first.contains("`b` could not be read since 2026-11-06"),
        "{first}"
    );
    std::fs::rename(&aside, &file).unwrap();
    home.calls("b", "gpt-4o", 30, november(7..=7));
    let second = told(&mut home, "2026-11-07T13:00:00Z");
    assert!(
        second.contains("140 %") && !second.contains("could not be read"),
        "{second}"
    );
}

#[test]
fn what_no_rung_has_told_is_told_though_a_lower_one_was() {
    let budget = month("640") + "remind_every_hours = 0\n" + &rung(50, "actual") + &rung(100, "forecast");
    let mut home = Home::new(&["a"], &budget);
    home.calls("a", "gpt-4o", 20, november(1..=16));
    assert_eq!(home.titles("2026-11-16T12:00:00Z").len(), 1, "half of it is spent");
    home.run("2026-11-16T13:00:00Z");
    home.calls("a", "gpt-4o", 400, november(17..=17));
    home.run("2026-11-17T12:00:00Z");
    let told = home.titles("2026-11-17T18:00:00Z");
    assert!(
        told.len() == 1 && told[0].starts_with("firing b: on course for"),
        "{told:?}"
    );
}

#[test]
fn one_day_or_one_credit_is_no_level_and_today_is_not_half_over() {
    let mut home = Home::new(&["a"], &month("1000"));
    let october = (1..=31).map(|day| format!("2026-10-{day:02}T10:00:00Z"));
    home.calls("a", "gpt-4o", 10, october.chain(november(1..=12)));
    home.calls("a", "gpt-4o", 490, november(10..=10));
    home.run("2026-11-13T00:00:00Z");
    assert!((760.0..860.0).contains(&home.forecast("2026-11-13T00:00:00Z")));
    let notes = home.budget("2026-11-13T00:00:00Z")["notes"].to_string();
    assert!(
        notes.contains("500.00 USD on 2026-11-10 is far above other days"),
        "{notes}"
    );

    let budget = month("160") + "basis = \"billed\"\ncategories = [\"Usage\", \"Credit\"]\n";
    let mut home = Home::new(&["bill"], &budget);
    let mut rows: Vec<_> = (1..=4).map(|day| (10, day, "Usage")).collect();
    rows.push((-90, 2, "Credit"));
    home.bill(&rows);
    home.run("2026-11-05T00:00:00Z");
    assert_eq!(home.forecast("2026-11-05T00:00:00Z"), 210.0);
    // Billed to yesterday: what has passed of today is not billed, and not nothing.
    assert_eq!(home.forecast("2026-11-05T18:00:00Z"), 210.0);
    // What is billed of today already is no reason to expect nothing more.
    home.bill(
        &(1..=5)
            .map(|day| (if day == 5 { 300 } else { 10 }, day, "Usage"))
            .collect::<Vec<_>>(),
    );
    home.run("2026-11-05T00:30:00Z");
    let found = home.forecast("2026-11-05T18:00:00Z");
    assert!((590.0..600.0).contains(&found), "{found}");
    // A credit of every day goes on.
    let rows: Vec<_> = (1..=4)
        .flat_map(|day| [(10, day, "Usage"), (-4, day, "Credit")])
        .collect();
    home.bill(&rows);
    home.run("2026-11-05T01:00:00Z");
    assert_eq!(home.forecast("2026-11-05T01:00:00Z"), 180.0);
}

#[test]
fn of_expected_rungs_the_highest_is_told_and_what_is_spent_mutes_it() {
    let ladder = [(80, "forecast"), (100, "forecast"), (120, "forecast"), (100, "actual")];
    let ladder: String = ladder.iter().map(|(percent, kind)| rung(*percent, kind)).collect();
    let mut home = Home::new(&["a"], &(month("100") + &ladder));
    home.calls("a", "gpt-4o", 6, november(1..=5));
    home.run("2026-11-05T12:00:00Z");
    let told = home.run("2026-11-06T12:00:00Z");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]["summary"]
            .as_str()
            .unwrap()
            .ends_with("threshold 120 % forecast.")
    );
    let told = home.run("2026-11-07T12:00:00Z");
    assert_eq!(told.len(), 1, "one reminder");
    let since = told[0]["facts"].as_array().unwrap().last().unwrap();
    assert_eq!(
        since["value"], "2026-11-06 12:00 UTC",
        "not since it was seen once: {since}"
    );
    home.calls("a", "gpt-4o", 6, november(6..=18));
    let told = home.titles("2026-11-18T12:00:00Z");
    assert_eq!(
        told.len(),
        2,
        "spent, and a reminder of what is still to come: {told:?}"
    );
    home.calls("a", "gpt-4o", 6, november(19..=21));
    let told = home.titles("2026-11-21T12:00:00Z");
    assert_eq!(told, ["reminder b: 126 % of this month's budget is spent"]);
}

#[test]
fn an_end_says_what_was_done_to_the_budget_and_what_is_left_of_it_is_not_rounded_away() {
    let budget = month("100") + "basis = \"billed\"\n" + &rung(100, "actual");
    let with = |categories: &str| budget.replacen("basis", &format!("categories = [{categories}]\nbasis"), 1);
    let mut home = Home::new(&["bill"], &with("\"Usage\", \"Tax\""));
    home.bill(&[(80, 1, "Usage"), (30, 1, "Tax")]);
    assert_eq!(home.titles("2026-11-02T12:00:00Z").len(), 1);
    home.budgets(&with("\"Usage\""));
    assert_eq!(
        home.titles("2026-11-02T13:00:00Z"),
        ["resolved b: resolved, the budget was changed"]
    );

    // Another scope is another alert, and the budget is not gone.
    let scope = "scope = { service = \"API\" }\nbasis";
    home.budgets(&with("\"Usage\", \"Tax\""));
    assert_eq!(home.titles("2026-11-02T14:00:00Z").len(), 1);
    home.budgets(&with("\"Usage\"").replacen("basis", scope, 1));
    assert_eq!(
        home.titles("2026-11-02T15:00:00Z"),
        ["resolved b: resolved, the budget was changed"]
    );
    let most = &home.budget("2026-11-02T15:00:00Z")["contributors"][0];
    assert_eq!(
        (most["dimension"].as_str(), most["name"].as_str()),
        (Some("service"), Some("API"))
    );

    let mut home = Home::new(&["a"], &month("250.01"));
    home.calls("a", "gpt-4o", 250, november(1..=1));
    assert_eq!(home.titles("2026-11-01T12:00:00Z"), NOTHING);
    assert_eq!(home.budget("2026-11-01T12:00:00Z")["spent_percent"], "99.9");
}

#[test]
fn a_severity_that_is_changed_holds_for_what_fires() {
    let budget = |severity: &str| month("10") + &rung(50, "actual") + &format!("severity = \"{severity}\"\n");
    let mut home = Home::new(&["a"], &budget("warning"));
    home.calls("a", "gpt-4o", 6, november(3..=3));
    assert_eq!(home.run("2026-11-03T12:00:00Z")[0]["severity"], "warning");
    home.budgets(&budget("critical"));
    let told = home.run("2026-11-04T12:00:00Z");
    assert_eq!(
        (&told[0]["told"], &told[0]["severity"]),
        (&"reminder".into(), &"critical".into())
    );
}

#[test]
fn a_custom_period_counts_from_its_hour_and_has_none_before_it() {
    let custom = |start: &str, zone: &str| {
        let period = format!("{{ custom = {{ start = \"{start}\", end = \"2026-12-15T00:00:00Z\" }} }}");
        let ladder = rung(100, "actual");
        format!("[[budget]]\nname = \"b\"\namount = \"10 USD\"\nperiod = {period}\ntime_zone = \"{zone}\"\n{ladder}")
    };
    for (start, zone, has_report) in [
        ("2026-11-01T00:00:00Z", "UTC", true),
        ("2026-11-01T02:00:00Z", "UTC", false),
        ("2026-11-01T00:00:00Z", "Europe/Berlin", false),
        ("2026-11-01T12:00:00Z", "UTC", false),
    ] {
        let mut home = Home::new(&["a"], &custom(start, zone));
        // Half an hour before it begins, mostly on the same day by its zone; then a dollar a day.
        let early = start.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::TimeDelta::minutes(30);
        home.calls("a", "gpt-4o", 60, [early.to_rfc3339()]);
        home.calls(
            "a",
            "gpt-4o",
            1,
            (1..=6).map(|day| format!("2026-11-{day:02}T20:30:00Z")),
        );
        home.calls("a", "gpt-4o", 5, november(7..=7));
        let told = home.run("2026-11-07T12:00:00Z");
        let text = told[0].to_string();
        assert_eq!(told[0]["data"]["spent"], "11", "{start} {zone}");
        assert_eq!(told[0]["data"]["spent_up"], "2026-11-07", "{start} {zone}");
        assert_eq!(text.contains("finops report"), has_report, "{start} {zone}: {text}");
        assert!(!text.contains("by then last"), "{start} {zone}: {text}");
        assert!(!text.contains("far above other days"), "{start} {zone}: {text}");
    }
}

#[test]
fn what_a_period_counts_stays_when_its_first_day_is_old() {
    for (zone, at, expected) in [
        // The evening of 31 December, and the first hour of 1 January.
        ("America/New_York", "2026-01-01T02:30:00Z", "1"),
        ("Europe/Berlin", "2025-12-31T23:30:00Z", "31"),
    ] {
        let year = month("20").replace("month", "year") + &format!("time_zone = \"{zone}\"\nremind_every_hours = 0\n");
        let mut home = Home::new(&["a"], &(year + &rung(100, "actual")));
        home.calls("a", "gpt-4o", 30, [at.to_owned()]);
        let first = home.titles("2026-01-02T00:00:00Z").len();
        assert_eq!(first, usize::from(expected == "31"), "{zone}");
        home.calls("a", "gpt-4o", 1, ["2026-04-01T20:30:00Z".to_owned()]);
        for now in ["2026-04-02T00:00:00Z", "2026-04-03T00:00:00Z", "2026-04-04T00:00:00Z"] {
            assert_eq!(home.titles(now), NOTHING, "{zone}: {now}");
        }
        assert_eq!(home.budget("2026-04-04T00:00:00Z")["spent"], expected, "{zone}");
    }
}

#[test]
fn what_costs_nothing_any_more_is_on_course_for_what_is_spent() {
    let year = |amount: &str| month(amount).replace("month", "year");
    let mut home = Home::new(&["a"], &year("36"));
    home.calls(
        "a",
        "gpt-4o",
        5,
        (1..=6).map(|day| format!("2026-01-{day:02}T02:30:00Z")),
    );
    for now in ["2026-01-06T12:00:00Z", "2026-01-07T12:00:00Z", "2026-02-26T00:00:00Z"] {
        home.run(now);
    }
    let told = home.titles("2026-03-10T00:00:00Z");
    assert_eq!(told, ["reminder b: on course for 83 % of this year's budget"]);
    home.budgets(&year("300"));
    assert_eq!(
        home.titles("2026-03-12T00:00:00Z"),
        ["resolved b: resolved, the budget was raised"]
    );
    assert_eq!(home.forecast("2026-03-13T00:00:00Z"), 30.0);
}

#[test]
fn a_batch_that_is_not_expected_again_is_not_told_as_a_course() {
    let mut home = Home::new(&["a"], &month("440"));
    let usual = (1..=30).map(|day| format!("2026-09-{day:02}T03:00:00Z"));
    let usual = usual.chain((1..=31).map(|day| format!("2026-10-{day:02}T03:00:00Z")));
    home.calls("a", "gpt-4o", 10, usual.chain(november(1..=7)));
    home.calls("a", "gpt-4o", 50, november(6..=6));
    for now in ["2026-11-07T12:00:00Z", "2026-11-08T00:00:00Z"] {
        assert_eq!(home.titles(now), NOTHING, "{now}");
    }
    // $120 and 23 days of $10.
    assert_eq!(home.forecast("2026-11-08T00:00:00Z"), 350.0);
}

/// A ledger that begins within a month does not know what that month cost.
#[test]
fn a_period_that_is_known_in_part_is_compared_with_none() {
    let begun = || {
        let home = Home::new(&["a", "bill"], &month("10"));
        let october = (10..=31).map(|day| format!("2026-10-{day}T10:00:00Z"));
        home.calls("a", "gpt-4o", 1, october);
        home.calls("a", "gpt-4o", 1, november(1..=12));
        home
    };
    let mut home = begun();
    let now = "2026-11-12T12:00:00Z";
    let told = home.run(now);
    assert!(!told.is_empty() && !told.iter().any(|m| m.to_string().contains("by then last month")));
    let compared = |home: &Home| {
        let said = |args: &[&str]| {
            let ran = program(home.path()).args(["--now", now]).args(args).output().unwrap();
            String::from_utf8(ran.stdout).unwrap()
        };
        let report: Value = serde_json::from_str(&said(&["report", "--format", "json"])).unwrap();
        let all = [
            said(&["run"]).contains("this month: $12.00 metered (+300 % against last month)"),
            said(&["report"]).contains("trend"),
            said(&["report", "--format", "html"]).contains("Against the period before"),
            report["previous_known"].is_null(),
            home.budget(now)["contributors"][0]["before"] == "3",
        ];
        assert_eq!(report["total"]["previous_cost_usd"], "3");
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all[0]
    };
    assert!(!compared(&home));
    // Nothing on its first days is nothing where there was something before.
    for before in ["2026-09-20T10:00:00Z", "2025-12-30T10:00:00Z"] {
        let mut home = begun();
        home.calls("a", "gpt-4o", 1, [before.to_owned()]);
        home.run(now);
        assert!(compared(&home), "{before}");
    }
    // What was billed before is no usage that was metered.
    let mut late = Home::new(&["a", "bill"], &month("1000"));
    late.bill(&[(1, 1, "Usage"), (1, 20, "Usage")]);
    late.calls("a", "gpt-4o", 1, november(20..=30));
    late.calls(
        "a",
        "gpt-4o",
        1,
        (1..=24).map(|day| format!("2026-12-{day:02}T10:00:00Z")),
    );
    let now = "2026-12-24T12:00:00Z";
    late.run(now);
    for (basis, known) in [("metered", false), ("billed", true)] {
        let args = [
            "--now",
            now,
            "report",
            "--from",
            "2026-12-01",
            "--basis",
            basis,
            "--format",
            "json",
        ];
        let ran = program(late.path()).args(args).output().unwrap();
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(report["previous_known"].is_null(), known, "{report}");
    }
}

/// The same values in another order, or a provider in other letters, count the same.
#[test]
fn a_scope_that_is_only_written_otherwise_is_the_same_one() {
    let scope = |scope: &str| month("3") + &format!("scope = {{ {scope} }}\n");
    let written = [
        r#"team = ["search", "b", "search"], provider = "OpenAI""#,
        r#"provider = "openai", team = ["b", "search"]"#,
        r#"team = ["b", "search"], provider = ["openai", "OPENAI"]"#,
    ];
    let mut home = Home::new(&["a"], &scope(written[0]));
    home.calls("a", "gpt-4o", 4, november(3..=3));
    assert_eq!(home.titles("2026-11-05T10:00:00Z").len(), 1);
    for (scopes, hour) in written.iter().skip(1).zip(11..) {
        home.budgets(&scope(scopes));
        assert_eq!(home.titles(&format!("2026-11-05T{hour}:00:00Z")), NOTHING, "{scopes}");
    }
    home.budgets(&scope(r#"team = "search", provider = "openai""#));
    assert_eq!(
        home.titles("2026-11-05T14:00:00Z").len(),
        2,
        "another one, and the first is over"
    );
}

/// Earlier versions told alerts and rungs apart by the way in which a scope is written.
#[test]
fn what_an_earlier_version_opened_goes_on() {
    let day =
        "[[budget]]\nname = \"b\"\namount = \"3 USD\"\nperiod = \"day\"\nscope = { team = [\"search\", \"b\"] }\n";
    let mut home = Home::new(&["a"], day);
    home.calls("a", "gpt-4o", 4, november(3..=3));
    let first = home.run("2026-11-03T11:00:00Z");
    assert_eq!(first.len(), 1);
    let now = first[0]["alert_id"].as_str().unwrap();
    let period = Period::new(
        "2026-11-03T00:00:00Z".parse().unwrap(),
        "2026-11-04T00:00:00Z".parse().unwrap(),
    );
    let then = Alert::new(
        "b",
        "budget_actual",
        "100 % actual".to_owned(),
        "team=search|b",
        "metered",
        period,
        Severity::Critical,
        period.start,
    );
    assert_ne!(then.id, now);
    let store = rusqlite::Connection::open(home.path().join("l.db")).unwrap();
    let renamed = store.execute(
        "UPDATE alert SET id = ?2, body = replace(body, ?1, ?2) WHERE id = ?1",
        [now, &then.id],
    );
    assert_eq!(renamed.unwrap(), 1);
    // Since when its rungs are there, kept by what they were known as.
    let kept: Vec<u8> = store
        .query_row("SELECT body FROM checkpoint WHERE key = 'budgets'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let kept: serde_json::Map<String, Value> = serde_json::from_slice(&kept).unwrap();
    let budget = &load_budgets(&home.path().join("policies")).unwrap()[0];
    let former = kept.into_iter().map(|(name, since)| {
        let name = name.replace(&budget.definition(), &budget.definition_as_written());
        (name, since)
    });
    let former = serde_json::to_vec(&former.collect::<serde_json::Map<_, _>>()).unwrap();
    store
        .execute("UPDATE checkpoint SET body = ? WHERE key = 'budgets'", [former])
        .unwrap();
    assert_eq!(home.titles("2026-11-03T12:00:00Z"), NOTHING, "it goes on");
    // What comes in late of a day that has ended is told as of a budget that was there.
    home.calls("a", "gpt-4o", 4, ["2026-11-02T10:00:00Z".to_owned()]);
    assert_eq!(home.titles("2026-11-03T13:00:00Z"), NOTHING, "the budget came after it");
    home.calls("a", "gpt-4o", 4, ["2026-11-04T10:00:00Z".to_owned()]);
    let late = home.titles("2026-11-05T09:00:00Z");
    assert!(late.iter().any(|title| title.starts_with("firing b")), "{late:?}");
}

/// Who takes a bill back says that its money is not there: no file of it is missed.
#[test]
fn a_bill_that_is_taken_back_ends_its_alerts_though_no_file_is_left() {
    for drop_first in [false, true] {
        let mut home = Home::new(&["bill"], &(month("100") + "basis = \"billed\"\n"));
        home.bill(&[(120, 3, "Usage")]);
        assert_eq!(home.titles("2026-11-09T12:00:00Z").len(), 1);
        let drop = |home: &Home| {
            let args = ["--now", "2026-11-09T13:00:00Z", "bill", "drop", "bill/*"];
            let dropped = program(home.path()).args(args).output().unwrap();
            assert_eq!(
                dropped.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&dropped.stderr)
            );
        };
        let moved = home.path().join("bill.csv");
        if drop_first {
            drop(&home);
            std::fs::remove_file(&moved).unwrap();
        } else {
            std::fs::rename(&moved, home.path().join("wrong")).unwrap();
            std::fs::create_dir(&moved).unwrap();
            // A folder of nothing: a disk that is not there looks so, too.
            assert_eq!(home.titles("2026-11-09T12:30:00Z"), NOTHING);
            drop(&home);
            std::fs::remove_dir(&moved).unwrap();
        }
        std::fs::create_dir(&moved).unwrap();
        let told = home.titles("2026-11-09T15:00:00Z");
        assert_eq!(
            told,
            ["resolved b: resolved, spend was restated below the threshold"],
            "{drop_first}"
        );
    }
}

/// The settings say to the hour what is agreed: it is neither expected to go on behind its end nor unknown before it begins.
#[test]
fn a_commitment_is_expected_from_its_first_hour_to_its_last() {
    for (dates, first, second) in [
        ("from = \"2026-01-01\"\nto = \"2026-11-16\"", 390.0, 390.0),
        ("from = \"2026-11-08\"", 582.0, 582.0),
        ("from = \"2026-11-16\"", 390.0, 390.0),
        ("from = \"2026-12-01\"", 30.0, 30.0),
        ("from = \"2026-01-01\"", 750.0, 750.0),
    ] {
        let budget = month("500") + "categories = [\"Usage\", \"Purchase\"]\n";
        let mut home = Home::new(&["a"], &budget);
        let settings = std::fs::read_to_string(home.path().join("finops.toml")).unwrap();
        let commitment = format!(
            "[[commitment]]\nname = \"ptu\"\nkind = \"ptu\"\ndimensions = {{ provider = \"azure\" }}\namount = \"1 USD\"\nunits = 1\nper = \"hour\"\n{dates}\n"
        );
        home.write("finops.toml", &format!("{settings}{commitment}"));
        home.calls("a", "gpt-4o", 1, november(1..=19));
        for (now, expected) in [("2026-11-11T12:00:00Z", first), ("2026-11-19T12:00:00Z", second)] {
            home.run(now);
            let found = home.forecast(now);
            assert!(
                (found - expected).abs() < 1.0,
                "{dates} at {now}: {found}, not {expected}"
            );
            let notes = home.budget(now)["notes"].to_string();
            assert_eq!(notes, "[]", "{dates} at {now}");
        }
    }
}

/// Calls that had no price did not cost nothing: what costs something now is neither new nor ten times as dear.
#[test]
fn what_has_no_price_is_compared_with_nothing() {
    let now = "2026-11-12T12:00:00Z";
    // What of a month has no price: half of it, all of the one before, a little.
    for (unpriced, tokens, is_compared) in [(11, 3_000_000, false), (10, 3_000_000, false), (10, 300, true)] {
        let mut home = Home::new(&["a"], &month("10"));
        let mut text = String::new();
        let mut call = |month: u32, day: u32, team: &str, model: &str, tokens: u32| {
            let id = text.len();
            text += &format!(
                "{{\"id\":\"{id}\",\"ts\":\"2026-{month:02}-{day:02}T10:00:00Z\",\"provider\":\"openai\",\"model\":\"{model}\",\"output_tokens\":{tokens},\"team\":\"{team}\"}}\n"
            );
        };
        call(9, 20, "ops", "gpt-4o", 100_000);
        for (month, day) in [10, 11]
            .into_iter()
            .flat_map(|month| (1..=12).map(move |day| (month, day)))
        {
            call(month, day, "ops", "gpt-4o", 100_000);
            call(
                month,
                day,
                "search",
                "gpt-4o",
                if month == unpriced { 100_000 } else { 300_000 },
            );
            if month == unpriced {
                call(month, day, "search", "zephyr-9", tokens);
            }
        }
        home.write("a.jsonl", &text);
        let told = home.run(now).iter().map(Value::to_string).collect::<String>();
        let search = told.split("team search: ").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(search.contains("by then last month"), is_compared, "{search}");
        assert!(
            told.contains("team ops: $12.00 (0 %, $12.00 by then last month)"),
            "{told}"
        );
        let said = |args: &[&str]| {
            let ran = program(home.path()).args(["--now", now]).args(args).output().unwrap();
            String::from_utf8(ran.stdout).unwrap()
        };
        let report = said(&["report", "--by", "team"]);
        let row = |name: &str| {
            let row = report.lines().find(|line| line.starts_with(name)).unwrap();
            row.contains(" %")
        };
        let all = [
            said(&["run"]).contains("against last month"),
            said(&["report", "--format", "html"]).contains("Against the period before"),
            row("search"),
            row("total"),
        ];
        assert_eq!(all, [is_compared; 4], "{report}");
        assert!(row("ops"), "{report}");
    }
}

#[test]
fn a_run_of_the_past_says_that_it_leaves_what_fires() {
    let mut home = Home::new(&["a"], &month("1"));
    home.calls("a", "gpt-4o", 1, november(2..=2).into_iter().chain(november(12..=20)));
    let title = |told: &str, percent: u32| format!("{told} b: {percent} % of this month's budget is spent");
    assert_eq!(home.titles("2026-11-20T12:00:00Z"), [title("firing", 1000)]);
    let ran = program(home.path())
        .args(["--now", "2026-11-12T09:00:00Z", "run", "-q"])
        .output()
        .unwrap();
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert!(
        errors.contains("warning: alerts are known as of 2026-11-20 12:00 UTC, this run is of 2026-11-12 09:00 UTC"),
        "{errors}"
    );
    assert_eq!(home.titles("2026-11-20T12:15:00Z"), NOTHING);
    assert_eq!(home.titles("2026-11-21T12:00:00Z"), [title("reminder", 1000)]);
}

/// What costs more than before costs more, though a credit made that less than nothing.
#[test]
fn a_change_from_below_nothing_has_the_sign_of_the_change() {
    let budget = month("100") + "basis = \"billed\"\ncategories = [\"Usage\", \"Credit\"]\n" + &rung(50, "actual");
    let mut home = Home::new(&["bill"], &budget);
    let mut text = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName\n".to_owned();
    for (month, cost, category) in [(10, 10, "Usage"), (10, -15, "Credit"), (11, 12, "Usage")] {
        for day in 1..=9 {
            let charged = format!("2026-{month}-{day:02}T00:00:00Z,2026-{month}-{:02}T00:00:00Z", day + 1);
            let billed = format!("2026-{month}-01T00:00:00Z,2026-{}-01T00:00:00Z", month + 1);
            text += &format!("{cost},{cost},USD,1,{billed},{charged},{category},AWS,API\n");
        }
    }
    home.write("bill.csv", &text);
    let told = home.run("2026-11-10T12:00:00Z")[0].to_string();
    let line = "service API: $108.00 (+340 %, -$45.00 by then last month)";
    assert!(told.contains(line), "{told}");
}

#[test]
fn a_day_is_compared_with_the_day_before() {
    let daily = month("10").replace("\"month\"", "\"day\"") + &rung(50, "actual");
    let mut home = Home::new(&["a"], &daily);
    home.calls("a", "gpt-4o", 6, november(1..=10));
    let told = home.run("2026-11-10T12:00:00Z")[0].to_string();
    assert!(told.contains("(0 %, $6.00 by then the day before)"), "{told}");
}

/// There is no part of nothing.
#[test]
fn a_budget_of_nothing_has_no_percentage() {
    let mut home = Home::new(&["a"], &(month("0") + &rung(100, "actual")));
    home.calls("a", "gpt-4o", 6, november(1..=9));
    let now = "2026-11-10T12:00:00Z";
    let told = home.run(now)[0]["data"].clone();
    for figures in [told, home.budget(now)] {
        assert_eq!(figures["spent"], "54");
        assert_eq!(
            (&figures["spent_percent"], &figures["forecast"]["percent"]),
            (&Value::Null, &Value::Null)
        );
        assert!(figures["forecast"]["end"].is_string(), "{figures}");
    }
}
