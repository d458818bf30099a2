//! What is not known yet, or no longer hour by hour: bills that are late, and days that were folded. Neither is zero.

use std::path::Path;

use crate::support::program;

/// A home with usage of one team, a bill and budgets.
struct Home(tempfile::TempDir);

impl Home {
    fn new(budgets: &str) -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        let source = |name: &str, kind: &str, path: &str| {
            format!("[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npaths = [\"{path}\"]\n")
        };
        let channel = "[[notify]]\nname = \"out\"\nkind = \"stdout\"\n";
        let store = "[store]\nurl = \"sqlite:l.db\"\n";
        let sources = [
            source("usage", "plain", "usage.jsonl"),
            source("bill", "focus", "bill.csv"),
        ];
        home.write("finops.toml", &format!("{store}{channel}{}", sources.concat()));
        std::fs::create_dir_all(home.path().join("policies/budgets")).unwrap();
        home.write("policies/budgets/b.toml", budgets);
        home.write("usage.jsonl", "");
        home.bill(&[]);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Calls of ten dollars each, of team `s`.
    fn calls(&self, times: impl IntoIterator<Item = String>) {
        let call = |at: String| {
            format!(
                r#"{{"id":"{at}","ts":"{at}","provider":"openai","model":"gpt-4o","output_tokens":1000000,"team":"s"}}"#
            ) + "\n"
        };
        self.write("usage.jsonl", &times.into_iter().map(call).collect::<String>());
    }

    /// Rows of a bill: what, from and to which day.
    fn bill(&self, rows: &[(&str, &str, &str)]) {
        let header = "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName\n";
        let row = |(cost, from, to): &(&str, &str, &str)| {
            format!(
                "{cost},{cost},{cost},{cost},USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,{from}T00:00:00Z,{to}T00:00:00Z,Usage,OpenAI,API\n"
            )
        };
        self.write(
            "bill.csv",
            &format!("{header}{}", rows.iter().map(row).collect::<String>()),
        );
    }

    /// The titles that a run tells.
    fn run(&self, now: &str) -> Vec<String> {
        let (code, text, errors) = self.outcome(now);
        assert_eq!(code, Some(0), "{text}{errors}");
        Self::titles(&text)
    }

    /// How a run ends, and what it says.
    fn outcome(&self, now: &str) -> (Option<i32>, String, String) {
        let run = program(self.path()).args(["--now", now, "run"]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (run.status.code(), text(run.stdout), text(run.stderr))
    }

    fn titles(text: &str) -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('['))
            .map(str::to_owned)
            .collect()
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        let run = program(self.path())
            .args(["--format", "json"])
            .args(args)
            .output()
            .unwrap();
        serde_json::from_slice(&run.stdout).unwrap()
    }

    fn budget(&self, now: &str) -> serde_json::Value {
        self.json(&["--now", now, "budget"])["budgets"][0].clone()
    }
}

fn days(days: std::ops::RangeInclusive<u32>) -> Vec<[String; 2]> {
    days.map(|day| [day, day + 1].map(|day| format!("2026-11-{day:02}")))
        .collect()
}

#[test]
fn a_scope_that_no_bill_names_stays_above_its_budget_when_the_bill_comes() {
    let home = Home::new(
        "[[budget]]\nname = \"team\"\namount = \"150 USD\"\nperiod = \"month\"\nbasis = \"billed, metered where late\"\nscope = { team = \"s\" }\n",
    );
    home.calls((1..=20).map(|day| format!("2026-11-{day:02}T10:00:00Z")));
    assert_eq!(
        home.run("2026-11-21T12:00:00Z"),
        ["[critical firing] team: 133 % of this month's budget is spent"]
    );
    // The bill agrees with the meter but for a discount of a tenth, and has no teams.
    let days = days(1..=10);
    let rows: Vec<_> = days
        .iter()
        .map(|[from, to]| ("9", from.as_str(), to.as_str()))
        .collect();
    home.bill(&rows);
    assert_eq!(home.run("2026-11-21T13:00:00Z"), [""; 0]);
    let status = home.budget("2026-11-21T13:00:00Z");
    assert_eq!(status["spent"], "180");
    let notes = status["notes"].to_string();
    assert!(
        notes.contains("does not tell this scope apart: on billed days metered × 0.9"),
        "{notes}"
    );
    let all = |from: &str| {
        let report = [
            "--now",
            "2026-11-21T13:00:00Z",
            "report",
            "--basis",
            "billed-filled",
            "--from",
            from,
        ];
        home.json(&report)["total"]["cost_usd"].clone()
    };
    assert_eq!(all("2026-11-01"), "180", "as much as all of it");
    // What was used before the first bill is not nothing.
    home.calls(
        (1..=20)
            .map(|day| format!("2026-11-{day:02}T10:00:00Z"))
            .chain(["2026-10-20T10:00:00Z".to_owned()]),
    );
    home.run("2026-11-21T13:00:00Z");
    assert_eq!(all("2026-10-01"), "189");
}

#[test]
fn days_that_are_not_billed_yet_are_expected_and_not_zero() {
    let home =
        Home::new("[[budget]]\nname = \"bill\"\namount = \"1000 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n");
    let days = days(1..=4);
    let rows: Vec<_> = days
        .iter()
        .map(|[from, to]| ("40", from.as_str(), to.as_str()))
        .collect();
    home.bill(&rows);
    home.run("2026-11-07T12:00:00Z");
    assert_eq!(
        home.run("2026-11-07T18:00:00Z"),
        ["[warning firing] bill: on course for 120 % of this month's budget"]
    );
    let status = home.budget("2026-11-07T18:00:00Z");
    assert_eq!(
        (&status["spent"], &status["forecast"]["end"]),
        (&"160".into(), &"1200".into())
    );
    assert!(
        status["notes"].to_string().contains("all is billed to 2026-11-04"),
        "{status}"
    );

    // A row of a whole month is no day of which many follow.
    home.bill(&[("300", "2026-11-01", "2026-12-01")]);
    let status = {
        home.run("2026-11-20T12:00:00Z");
        home.budget("2026-11-20T12:00:00Z")
    };
    assert_eq!(
        (&status["spent"], &status["forecast"]),
        (&"300".into(), &serde_json::Value::Null)
    );
    assert!(status["notes"].to_string().contains("rows of whole months"), "{status}");
}

#[test]
fn what_is_billed_after_a_day_has_ended_is_told_when_it_is() {
    let home = Home::new("[[budget]]\nname = \"day\"\namount = \"20 USD\"\nperiod = \"day\"\nbasis = \"billed\"\n");
    for last in 10..=12 {
        let days = days(10..=last);
        let rows: Vec<_> = days
            .iter()
            .map(|[from, to]| ("40", from.as_str(), to.as_str()))
            .collect();
        home.bill(&rows);
        let told = home.run(&format!("2026-11-{:02}T18:00:00Z", last + 2));
        let title = format!("[critical firing] day: 200 % of the budget of 2026-11-{last} was spent");
        assert_eq!(told.iter().filter(|t| **t == title).count(), 1, "{told:?}");
        assert_eq!(told.iter().filter(|t| t.contains("firing")).count(), 1, "{told:?}");
    }
}

#[test]
fn what_is_folded_stays_on_its_day_in_most_zones_and_bills_are_of_utc_days() {
    let home = Home::new(
        "[[budget]]\nname = \"quarter\"\namount = \"15 USD\"\nperiod = \"quarter\"\ntime_zone = \"America/New_York\"\n",
    );
    home.calls(["2026-04-01T14:00:00Z".to_owned(), "2026-06-30T14:00:00Z".to_owned()]);
    let months = |zone: &str| {
        let period = [
            "--from",
            "2026-04-01",
            "--to",
            "2026-07-01",
            "--zone",
            zone,
            "--by",
            "month",
        ];
        let report = home.json(&[&["--now", "2026-07-01T02:00:00Z", "report"][..], &period].concat());
        report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["month"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(home.run("2026-06-30T18:00:00Z").len(), 1);
    // The first of April is older than ninety days by now: its hours are folded.
    home.run("2026-07-01T01:00:00Z");
    assert_eq!(home.run("2026-07-01T02:00:00Z"), [""; 0], "nothing is over");
    for zone in ["America/New_York", "Pacific/Honolulu", "Asia/Tokyo", "Pacific/Auckland"] {
        let found = months(zone);
        assert_eq!(
            found.first().map(String::as_str),
            Some("\"2026-04-01\""),
            "{zone}: {found:?}"
        );
    }

    let report = ["report", "--basis", "billed", "--zone", "America/New_York"];
    let refused = program(home.path()).args(report).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let budget = "[[budget]]\nname = \"b\"\namount = \"1 USD\"\nperiod = \"month\"\nbasis = \"billed\"\ntime_zone = \"Asia/Tokyo\"\n";
    home.write("policies/budgets/b.toml", budget);
    let refused = program(home.path()).arg("budget").output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(2) && text.contains("bills count by UTC days"),
        "{text}"
    );
}

#[test]
fn a_budget_of_calls_says_so_where_there_is_only_a_bill() {
    let budget = "[[budget]]\nname = \"b\"\namount = \"100 USD\"\nperiod = \"month\"\n";
    let home = Home::new(budget);
    home.bill(&[("300", "2026-11-01", "2026-11-02")]);
    home.run("2026-11-20T12:00:00Z");
    let notes = home.budget("2026-11-20T12:00:00Z")["notes"].to_string();
    assert!(
        notes.contains("300.00 USD of bills in this scope is not counted"),
        "{notes}"
    );
    home.calls(["2026-11-03T10:00:00Z".to_owned()]);
    home.run("2026-11-20T12:00:00Z");
    assert_eq!(home.budget("2026-11-20T12:00:00Z")["notes"], serde_json::json!([]));
    let check = program(home.path()).args(["config", "check"]).output().unwrap();
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        text.contains("per month for everything, metered, tells all channels"),
        "{text}"
    );
}

#[test]
fn a_row_of_a_bill_that_is_refused_is_unknown_and_resolves_nothing_on_a_bill() {
    let budget = |name: &str, amount: &str, basis: &str| {
        format!(
            "[[budget]]\nname = \"{name}\"\namount = \"{amount} USD\"\nperiod = \"month\"\nbasis = \"{basis}\"\n[[budget.threshold]]\npercent = 100\nkind = \"actual\"\n"
        )
    };
    let home = Home::new(&(budget("bill", "200", "billed") + &budget("usage", "25", "metered")));
    home.calls((1..=3).map(|day| format!("2026-11-{day:02}T10:00:00Z")));
    let rows = |cost| [(cost, "2026-11-01", "2026-11-02"), ("5", "2026-11-02", "2026-11-03")];
    home.bill(&rows("300"));
    assert_eq!(home.run("2026-11-21T12:00:00Z").len(), 2);
    // Three hundred, written as no number is. At each run it is told, and what is metered is whole.
    home.bill(&rows("\"300,00\""));
    home.write(
        "policies/budgets/b.toml",
        &(budget("bill", "200", "billed") + &budget("usage", "45", "metered")),
    );
    for (hour, told) in [(13, 1), (14, 0)] {
        let (code, text, errors) = home.outcome(&format!("2026-11-21T{hour}:00:00Z"));
        assert_eq!(code, Some(2), "{text}{errors}");
        let titles = Home::titles(&text);
        assert_eq!(titles.len(), told, "{titles:?}");
        assert!(
            titles.iter().all(|title| title.contains("usage: resolved")),
            "{titles:?}"
        );
        assert!(errors.contains("1 part of bills could not be read"), "{errors}");
    }
    // A broken line of usage leaves what is known, and keeps nothing from being resolved.
    home.bill(&rows("30"));
    home.calls(["2026-11-04T10:00:00Z".to_owned(), "\"".to_owned()]);
    let (code, text, errors) = home.outcome("2026-11-21T15:00:00Z");
    assert_eq!(code, Some(2), "{text}{errors}");
    let titles = Home::titles(&text);
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert!(titles[0].contains("bill: resolved, spend was restated"), "{titles:?}");
}
