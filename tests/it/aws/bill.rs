//! Cost Explorer, Budgets and Anomaly Detection through the real binary: what is asked, what it may cost, what is told.

use std::path::Path;
use std::process::Output;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::command::{finops, text};
use super::emulator::{Emulator, moto_with};
use super::proxy::{Fault, Proxy};
use crate::files::time;

const CONFIG: &str = "[store]\nurl = \"sqlite:ledger.db\"\n\
    [[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.jsonl\"]\n\
    [[cost_explorer]]\nname = \"bill\"\n\
    [aws]\nallowed_accounts = [\"123456789012\"]\n";

pub(super) fn seed(emulator: &Emulator, known: &Value) {
    std::fs::write(emulator.data.as_ref().unwrap(), known.to_string()).unwrap();
}

pub(super) fn asked(emulator: &Emulator) -> Vec<Value> {
    let log = emulator.data.as_ref().unwrap().with_extension("json.log");
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run(folder: &Path, emulator: &Emulator, now: &str) -> (Value, Output) {
    let mut command = finops(folder, emulator);
    let output = command
        .args(["--now", now, "run", "--format", "json"])
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (document, output)
}

fn cost(day: &str, service: &str, record_type: &str, amount: &str) -> Value {
    json!({ "day": day, "service": service, "usage_type": "USE1-tokens", "record_type": record_type, "amount": amount })
}

#[test]
fn a_bill_is_asked_seldom_paged_whole_and_never_beyond_the_cap() {
    let Some(emulator) = moto_with("bill") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("usage.jsonl"), "").unwrap();
    std::fs::write(folder.join("finops.toml"), CONFIG).unwrap();
    let costs = json!([
        cost("2026-10-02", "Amazon Bedrock", "Usage", "1.0000000001"),
        cost(
            "2026-11-10",
            "Claude Opus 4.5 (Amazon Bedrock Edition)",
            "Usage",
            "2.50"
        ),
        cost("2026-11-10", "Amazon Bedrock", "Credit", "-3.00"),
        // Cost Explorer tells tax of the account, and of no service.
        cost("2026-11-10", "Tax", "Tax", "0.25"),
        cost("2026-11-10", "Amazon Elastic Compute Cloud - Compute", "Usage", "99.00"),
    ]);
    // 25 days a page: October and November are three pages for each of the two questions.
    seed(
        &emulator,
        &json!({ "costs": costs, "page_days": 25, "estimated_from": "2026-11-23" }),
    );
    let (first, output) = run(folder, &emulator, "2026-11-24T12:00:00Z");
    assert_eq!(first["collected"]["paid_requests"], 6, "{}", text(&output));
    assert_eq!(first["collected"]["bills"], 2);
    let untold = "warning: 0.25 USD of taxes are not recorded: Cost Explorer tells those of the whole account";
    assert!(text(&output).contains(untold), "{}", text(&output));
    let requests = asked(&emulator);
    assert_eq!(requests.len(), 6);
    assert!(
        requests
            .iter()
            .all(|r| r["body"]["TimePeriod"] == json!({ "Start": "2026-10-01", "End": "2026-11-25" })),
        "the end is exclusive, so that today is inside"
    );
    let (again, _) = run(folder, &emulator, "2026-11-24T18:00:00Z");
    assert_eq!(
        again["collected"]["paid_requests"], 0,
        "within the refresh interval nothing is asked"
    );
    // October is closed by now: only November is asked, in one page each.
    let (later, _) = run(folder, &emulator, "2026-11-25T12:00:00Z");
    assert_eq!(later["collected"]["paid_requests"], 2, "{later}");
    assert_eq!(later["collected"]["restatements"], 0);

    let report = finops(folder, &emulator)
        .args([
            "--now",
            "2026-11-25T12:00:00Z",
            "report",
            "--basis",
            "billed",
            "--by",
            "category,service,model",
        ])
        .args(["--from", "2026-10-01", "--to", "2026-12-01", "--format", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let mut rows: Vec<(String, String)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
            (
                format!("{} {} {}", text("category"), text("service"), text("model")),
                text("cost_usd"),
            )
        })
        .collect();
    rows.sort();
    let expected = [
        ("Credit Amazon Bedrock ", "-3"),
        ("Usage Amazon Bedrock ", "1.0000000001"),
        ("Usage Claude Opus 4.5 (Amazon Bedrock Edition) claude-opus-4-5", "2.5"),
    ];
    assert_eq!(rows, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));

    // A cap in the middle of an answer: nothing of it is recorded, the other sources are, and the exit code says so.
    let before = asked(&emulator).len();
    std::fs::write(
        folder.join("finops.toml"),
        format!("{CONFIG}paid_requests_per_month = 11\n"),
    )
    .unwrap();
    seed(
        &emulator,
        &json!({ "costs": [cost("2026-11-10", "Amazon Bedrock", "Usage", "7.00")], "page_days": 10 }),
    );
    let (capped, output) = run(folder, &emulator, "2026-11-26T12:00:00Z");
    assert_eq!(capped["collected"]["failed_sources"], json!(["bill"]));
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output).contains("paid requests of 2026-11 are used up"),
        "{}",
        text(&output)
    );
    assert_eq!(asked(&emulator).len() - before, 3, "the eleventh was the last");
    let (_, _) = run(folder, &emulator, "2026-11-27T12:00:00Z");
    assert_eq!(
        asked(&emulator).len() - before,
        3,
        "no more in this month, whatever run asks"
    );
}

#[test]
fn an_answer_that_does_not_tell_what_was_asked_is_none_and_is_not_paid_for_again_at_once() {
    let Some(emulator) = moto_with("untold") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("usage.jsonl"), "").unwrap();
    std::fs::write(folder.join("finops.toml"), CONFIG).unwrap();
    let costs = json!([cost("2026-11-10", "Amazon Bedrock", "Usage", "40")]);
    seed(&emulator, &json!({ "costs": costs }));
    let (first, output) = run(folder, &emulator, "2026-11-20T00:30:00Z");
    assert_eq!(first["collected"]["bills"], 2, "{}", text(&output));
    let day = |day: &str, groups: Value| json!({ "TimePeriod": { "Start": day, "End": day }, "Groups": groups });
    let group = |metrics: Value| json!({ "Keys": ["Usage", "Amazon Bedrock"], "Metrics": metrics });
    let (amount, none) = (
        json!({ "Amount": "1", "Unit": "USD" }),
        json!({ "Amount": null, "Unit": null }),
    );
    for (number, (instead, words)) in (0..).zip([
        (json!({}), "does not tell of 2026-11-01"),
        (json!({ "error": "forbidden" }), "does not tell of 2026-11-01"),
        (json!({ "ResultsByTime": null }), "does not tell of 2026-11-01"),
        (
            json!({ "ResultsByTime": [day("2026-11-01", json!([])), day("2026-11-03", json!([]))] }),
            "does not tell of 2026-11-02",
        ),
        (
            json!({ "ResultsByTime": [day("2026-11-01", json!([group(json!({ "UnblendedCost": amount }))]))] }),
            "no AmortizedCost",
        ),
        (
            json!({ "ResultsByTime": [day("2026-11-01", json!([group(json!({ "UnblendedCost": none }))]))] }),
            "no UnblendedCost",
        ),
        (
            json!({ "ResultsByTime": [day("2026-11-01", json!([{ "Keys": [], "Metrics": {} }]))] }),
            "no key",
        ),
    ]) {
        seed(&emulator, &json!({ "instead": instead }));
        let begin = time("2026-11-20T09:00:00Z") + TimeDelta::hours(4 * number);
        let hour = |hours: i64| (begin + TimeDelta::hours(hours)).to_rfc3339();
        let (said, output) = run(folder, &emulator, &hour(0));
        assert_eq!(said["collected"]["failed_sources"], json!(["bill"]), "{instead}");
        assert!(text(&output).contains(words), "{instead}: {}", text(&output));
        let before = asked(&emulator).len();
        let (_, output) = run(folder, &emulator, &hour(3));
        assert_eq!((asked(&emulator).len(), output.status.code()), (before, Some(3)));
        assert!(
            text(&output).contains("since the last question failed"),
            "{}",
            text(&output)
        );
    }
    // With other settings it is another question.
    let more = format!("{CONFIG}paid_requests_per_run = 7\n");
    std::fs::write(folder.join("finops.toml"), more).unwrap();
    let before = asked(&emulator).len();
    run(folder, &emulator, "2026-11-21T12:30:00Z");
    assert_eq!(asked(&emulator).len(), before + 1);
    let report = |now: &str| {
        let args = ["--now", now, "report", "--basis", "billed", "--format", "json"];
        let output = finops(folder, &emulator).args(args).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["rows"][0]["cost_usd"].clone()
    };
    assert_eq!(report("2026-11-22T00:00:00Z"), "40");
    // A month of nothing is told by its days.
    seed(&emulator, &json!({ "costs": [] }));
    let (again, output) = run(folder, &emulator, "2026-11-22T00:00:00Z");
    assert_eq!(
        (&again["collected"]["bills"], output.status.code()),
        (&json!(1), Some(0)),
        "{}",
        text(&output)
    );
    assert_ne!(report("2026-11-22T00:00:00Z"), "40");
}

#[test]
fn what_aws_says_is_told_beside_our_own_figures() {
    let Some(emulator) = moto_with("said") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let account = "123456789012";
    let call = r#"{"id":"c1","ts":"2026-11-10T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5-20251001","input_tokens":1000000,"output_tokens":0}"#;
    std::fs::write(folder.join("usage.jsonl"), format!("{call}\n")).unwrap();
    std::fs::write(
        folder.join("finops.toml"),
        format!("{CONFIG}anomalies = true\nbudgets = true\nforecast = true\n"),
    )
    .unwrap();
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let ours = "[[budget]]\nname = \"ours\"\namount = \"0.50 USD\"\nperiod = \"month\"\n";
    std::fs::write(folder.join("policies/budgets/ours.toml"), ours).unwrap();
    for (name, actual, filter) in [
        ("ours", "60", json!({})),
        ("theirs", "70", json!({})),
        ("dead", "0", json!({ "Service": ["Amazon Bedrock"] })),
        ("quiet", "0", json!({ "Service": ["Amazon Kendra"] })),
        ("not begun", "0", json!({})),
        ("ended", "70", json!({})),
    ] {
        let day = |text: &str| time(&format!("{text}T00:00:00Z")).timestamp();
        let (start, end) = match name {
            "not begun" => ("2026-12-01", "2087-06-15"),
            "ended" => ("2026-01-01", "2026-11-01"),
            _ => ("2026-01-01", "2087-06-15"),
        };
        let budget = json!({
            "AccountId": account,
            "Budget": {
                "BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "CostFilters": filter,
                "TimePeriod": { "Start": day(start), "End": day(end) },
                "BudgetLimit": { "Amount": "50", "Unit": "USD" },
                "CalculatedSpend": { "ActualSpend": { "Amount": actual, "Unit": "USD" }, "ForecastedSpend": { "Amount": "90", "Unit": "USD" } },
            },
        });
        emulator.call("budgets", "AWSBudgetServiceGateway.CreateBudget", &budget);
    }
    let anomaly = |impact: u32| {
        json!([{
            "AnomalyId": "a-1", "AnomalyStartDate": "2026-11-22", "AnomalyEndDate": "2026-11-25", "MonitorArn": "arn:aws:ce::123456789012:anomalymonitor/1",
            "AnomalyScore": { "MaxScore": 1.0, "CurrentScore": 1.0 },
            "Impact": { "MaxImpact": impact, "TotalImpact": impact },
            "RootCauses": [{ "Service": "Amazon Bedrock", "Region": "us-east-1" }],
        }])
    };
    let known = |impact: u32| {
        json!({
            "costs": [cost("2026-11-10", "Amazon Bedrock", "Usage", "2.50"), cost("2026-11-10", "Amazon Bedrock", "Credit", "-2.50")],
            "anomalies": anomaly(impact),
            "forecast": {
                "Total": { "Amount": "12.34", "Unit": "USD" },
                "ForecastResultsByTime": [{ "TimePeriod": { "Start": "2026-11-24", "End": "2026-12-01" }, "MeanValue": "12.34",
                    "PredictionIntervalLowerBound": "10", "PredictionIntervalUpperBound": "15" }],
            },
        })
    };
    seed(&emulator, &known(100));
    // The bill is read in the same run, after AWS was asked: dead budgets are seen by the next.
    run(folder, &emulator, "2026-11-24T01:00:00Z");
    let (said, output) = run(folder, &emulator, "2026-11-24T12:00:00Z");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let active = said["alerts"]["active"].as_array().unwrap();
    let mut alerts: Vec<(&str, &str)> = active
        .iter()
        .map(|a| (a["kind"].as_str().unwrap(), a["policy"].as_str().unwrap()))
        .filter(|(kind, _)| *kind != "budget_forecast")
        .collect();
    alerts.sort_unstable();
    let dead = active.iter().find(|a| a["policy"] == "dead").unwrap();
    assert_eq!(dead["severity"], "info", "credits come to all of it: {dead}");
    let expected = [
        ("aws_anomaly", "cost anomaly detection"),
        ("aws_budget", "theirs"),
        ("aws_budget_dead", "dead"),
        ("budget_actual", "ours"),
    ];
    assert_eq!(alerts, expected, "one alert on `ours`, with two witnesses");
    assert_eq!(said["aws"]["confirmed_budgets"], json!(["ours"]));
    assert_eq!(said["aws"]["signals"][0]["forecast"]["mean"], "12.34");
    let interval = asked(&emulator)
        .into_iter()
        .find(|r| r["call"] == "GetAnomalies")
        .unwrap();
    assert_eq!(
        interval["body"]["DateInterval"]["EndDate"], "2026-11-24",
        "inclusive here"
    );

    // It grows: the alert is changed, nobody is told a second time.
    seed(&emulator, &known(250));
    let (grown, _) = run(folder, &emulator, "2026-11-25T00:00:00Z");
    let alert = grown["alerts"]["active"]
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["kind"] == "aws_anomaly")
        .unwrap()
        .clone();
    assert!(alert["title"].as_str().unwrap().contains("250.00"), "{alert}");
    assert_eq!(alert["tellings"], 1);

    let feedback = finops(folder, &emulator)
        .args(["anomaly", "feedback", "a-1", "planned"])
        .output()
        .unwrap();
    assert_eq!(feedback.status.code(), Some(0), "{}", text(&feedback));
    let given = asked(&emulator)
        .into_iter()
        .find(|r| r["call"] == "ProvideAnomalyFeedback")
        .unwrap();
    assert_eq!(given["body"]["Feedback"], "PLANNED_ACTIVITY");
    // The end is the last day on which it was seen.
    for (now, state) in [("2026-11-25T18:00:00Z", "going on"), ("2026-11-26T00:00:00Z", "ended")] {
        let list = finops(folder, &emulator)
            .args(["--now", now, "anomaly", "list"])
            .output()
            .unwrap();
        let line = format!("a-1  2026-11-22  $250.00  {state}  Amazon Bedrock");
        assert!(text(&list).contains(&line), "{}", text(&list));
    }
}

#[test]
fn every_way_of_failing_has_its_words_and_exit_code_3() {
    let Some(emulator) = super::emulator::moto() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    super::create_table_named(emulator, "broken-ai-costs-local");
    std::fs::write(folder.path().join("finops.toml"), "namespace = \"broken\"\n").unwrap();
    let proxy = Proxy::start(&emulator.url, 7);
    let report = |fault: Fault| {
        proxy.set(1000, &[fault]);
        let mut command = finops(folder.path(), emulator);
        command.env("AWS_ENDPOINT_URL", &proxy.url);
        text(&command.args(["--store", "dynamodb:", "report"]).output().unwrap())
    };
    for (fault, words) in [
        (Fault::Throttle, "throttled after retries (ThrottlingException)"),
        (
            Fault::Unavailable,
            "AWS answered 503 (InternalServerError), after retries",
        ),
        (Fault::Cut, "the connection broke off, after retries"),
        (Fault::Denied, "access denied: by the proxy"),
        (Fault::Expired, "the credentials have expired"),
    ] {
        let said = report(fault);
        assert!(said.contains(words) && said.ends_with("Some(3)"), "{fault:?}: {said}");
    }
}

/// What a report of billed spend says, by these dimensions.
fn billed(folder: &Path, emulator: &Emulator, by: &str) -> Vec<String> {
    let args = [
        "--now",
        "2027-01-04T00:00:00Z",
        "report",
        "--basis",
        "billed",
        "--by",
        by,
    ];
    let span = ["--from", "2026-10-01", "--to", "2027-02-01", "--format", "json"];
    let output = finops(folder, emulator).args(args).args(span).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap().iter();
    let told = rows.map(|row| {
        let names = by.split(',').map(|name| row[name].as_str().unwrap_or_default());
        names
            .chain([row["cost_usd"].as_str().unwrap()])
            .collect::<Vec<_>>()
            .join(" | ")
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

#[test]
fn a_month_is_asked_to_its_end_whenever_the_runs_come() {
    let Some(emulator) = moto_with("months") else { return };
    let days = (0..100).map(|day| {
        (time("2026-10-01T00:00:00Z") + TimeDelta::days(day))
            .format("%Y-%m-%d")
            .to_string()
    });
    let costs: Vec<Value> = days.map(|day| cost(&day, "Amazon Bedrock", "Usage", "1")).collect();
    seed(&emulator, &json!({ "costs": costs }));
    let [november, december, january] = ["2026-11-01 | 30", "2026-12-01 | 31", "2027-01-01 | 3"];
    for (months, runs, expected) in [
        (
            1,
            &["2026-11-03", "2026-12-03", "2027-01-03"][..],
            &[november, december, january][..],
        ),
        (
            1,
            &["2026-11-10", "2026-11-14", "2026-12-02", "2027-01-03"],
            &[november, december, january],
        ),
        (
            2,
            &["2026-11-10", "2027-01-03"],
            &["2026-10-01 | 31", november, december, january],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let config = format!("[store]\nurl = \"sqlite:l.db\"\n[[cost_explorer]]\nname = \"bill\"\nmonths = {months}\n");
        std::fs::write(folder.join("finops.toml"), config).unwrap();
        for day in runs {
            let (said, output) = run(folder, &emulator, &format!("{day}T23:00:00Z"));
            assert_eq!(said["collected"]["paid_requests"], 2, "{}", text(&output));
        }
        assert_eq!(billed(folder, &emulator, "month"), expected, "{months} {runs:?}");
    }
}

#[test]
fn tax_is_recorded_where_it_is_named_and_told_where_it_is_not() {
    let Some(emulator) = moto_with("tax") else { return };
    let costs = [
        cost("2026-11-03", "Amazon Bedrock", "Usage", "1"),
        cost("2026-11-03", "Tax", "Tax", "7"),
        cost("2026-11-04", "Tax", "Tax", "0.5"),
    ];
    seed(&emulator, &json!({ "costs": costs }));
    for (services, by, recorded) in [
        ("[\"Amazon Bedrock\"]", "[\"account\"]", false),
        ("[\"*Bedrock*\"]", "[\"service\"]", false),
        ("[\"Amazon Bedrock\", \"Tax\"]", "[\"account\"]", true),
        ("[\"*Bedrock*\", \"Tax\"]", "[\"service\"]", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let config = format!(
            "[store]\nurl = \"sqlite:l.db\"\n[[cost_explorer]]\nname = \"bill\"\nservices = {services}\ngroup_by = {by}\n"
        );
        std::fs::write(folder.join("finops.toml"), config).unwrap();
        let (_, output) = run(folder, &emulator, "2026-11-24T12:00:00Z");
        let words = text(&output);
        let told = words.contains("7.5 USD of taxes are not recorded");
        assert!(told != recorded && words.ends_with("Some(0)"), "{services}: {words}");
        let mut expected = vec!["Amazon Bedrock | Usage | 1"];
        expected.extend(recorded.then_some("Tax | Tax | 7.5"));
        assert_eq!(
            billed(folder, &emulator, "service,category"),
            expected,
            "{services}: {words}"
        );
    }
}

/// An account that is new has no forecast, which is an answer.
#[test]
fn a_forecast_that_aws_does_not_have_yet_is_no_failure() {
    let Some(emulator) = moto_with("new-account") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("usage.jsonl"), "").unwrap();
    let config = CONFIG.replace("[[cost_explorer]]\nname = \"bill\"\n", "") + "forecast = true\n";
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    seed(&emulator, &json!({ "forecast": "DataUnavailableException" }));
    for (now, times) in [
        ("2026-11-24T12:00:00Z", 1),
        ("2026-11-24T16:30:00Z", 1),
        ("2026-11-24T20:30:00Z", 2),
    ] {
        let output = finops(folder, &emulator).args(["--now", now, "run"]).output().unwrap();
        let words = text(&output);
        assert!(
            words.contains("AWS has no forecast yet") && words.ends_with("Some(0)"),
            "{now}: {words}"
        );
        assert_eq!(asked(&emulator).len(), times, "{now}");
    }
}

const CALL: &str = r#"{"id":"c2","ts":"2026-11-24T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5-20251001","input_tokens":5000000,"output_tokens":0}"#;

fn budget_of_a_dollar(folder: &Path) {
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let budget = "[[budget]]\nname = \"ours\"\namount = \"1 USD\"\nperiod = \"month\"\n";
    std::fs::write(folder.join("policies/budgets/ours.toml"), budget).unwrap();
}

fn active(said: &Value) -> Vec<&str> {
    let active = said["alerts"]["active"].as_array().unwrap().iter();
    let mut kinds: Vec<&str> = active.map(|alert| alert["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn where_aws_does_not_say_who_we_are_what_it_said_counts_and_all_else_goes_on() {
    let Some(emulator) = moto_with("who") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("usage.jsonl"), "").unwrap();
    budget_of_a_dollar(folder);
    let config = "[store]\nurl = \"sqlite:ledger.db\"\n[[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.jsonl\"]\n\
        [aws]\nanomalies = true\nbudgets = true\n";
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    let anomaly = json!([{
        "AnomalyId": "a-1", "AnomalyStartDate": "2026-11-22", "MonitorArn": "arn:aws:ce::123456789012:anomalymonitor/1",
        "AnomalyScore": { "MaxScore": 1.0, "CurrentScore": 1.0 }, "Impact": { "MaxImpact": 100, "TotalImpact": 100 },
        "RootCauses": [{ "Service": "Amazon Bedrock" }],
    }]);
    seed(&emulator, &json!({ "anomalies": anomaly }));
    let proxy = Proxy::start(&emulator.url, 11);
    proxy.only("Action=GetCallerIdentity");
    let run = |now: &str| {
        let mut command = finops(folder, &emulator);
        command.env("AWS_ENDPOINT_URL", &proxy.url);
        let output = command
            .args(["--now", now, "run", "--format", "json"])
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        (said, text(&output))
    };
    let (said, words) = run("2026-11-24T10:30:00Z");
    assert_eq!(active(&said), ["aws_anomaly"], "{words}");
    // What was said is fresh: nothing is missing.
    proxy.set(1000, &[Fault::Expired]);
    std::fs::write(folder.join("usage.jsonl"), format!("{CALL}\n")).unwrap();
    let (said, words) = run("2026-11-24T11:30:00Z");
    assert!(words.ends_with("Some(0)"), "{words}");
    assert_eq!(
        (active(&said), &said["collected"]["recorded"]),
        (vec!["aws_anomaly", "budget_actual"], &json!(1))
    );
    // It is not any more: each part is unknown, and resolves nothing.
    let (said, words) = run("2026-11-24T19:30:00Z");
    for part in ["anomalies", "budgets"] {
        let why = format!(
            "error: AWS could not be asked for {part}: sts:GetCallerIdentity: the credentials have expired; renew"
        );
        assert!(words.contains(&why) && words.ends_with("Some(3)"), "{words}");
    }
    assert_eq!(active(&said), ["aws_anomaly", "budget_actual"]);
    // Nothing was asked, so that nothing has to rest.
    let before = asked(&emulator).len();
    proxy.set(0, &[]);
    let (_, words) = run("2026-11-24T19:45:00Z");
    assert!(words.ends_with("Some(0)"), "{words}");
    assert_eq!(asked(&emulator).len(), before + 1);
}

#[test]
fn an_account_that_cannot_be_confirmed_is_not_asked_and_all_else_goes_on() {
    let Some(emulator) = moto_with("unconfirmed") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("usage.jsonl"), format!("{CALL}\n")).unwrap();
    budget_of_a_dollar(folder);
    let config = format!(
        "{CONFIG}anomalies = true\n[[athena]]\nname = \"cur\"\ndatabase = \"b\"\ntable = \"t\"\noutput = \"s3://answers/\"\n\
         [[source]]\nname = \"logs\"\nkind = \"bedrock\"\npaths = [\"s3://logs/AWSLogs/\"]\n\
         [[notify]]\nname = \"file\"\nkind = \"file\"\npath = \"told.jsonl\"\n\
         [[notify]]\nname = \"topic\"\nkind = \"sns\"\ntopic = \"arn:aws:sns:us-east-1:123456789012:t\"\n"
    );
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    seed(&emulator, &json!({ "costs": [] }));
    let proxy = Proxy::start(&emulator.url, 11);
    proxy.set(1000, &[Fault::Denied]);
    proxy.only("Action=GetCallerIdentity");
    let mut command = finops(folder, &emulator);
    command.env("AWS_ENDPOINT_URL", &proxy.url);
    let now = ["--now", "2026-11-24T12:00:00Z", "run", "--format", "json"];
    let output = command.args(now).output().unwrap();
    let words = text(&output);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}"));
    let mut failed: Vec<&str> = said["collected"]["failed_sources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["bill", "cur", "logs"], "{words}");
    assert_eq!(
        (&said["collected"]["recorded"], output.status.code()),
        (&json!(1), Some(3)),
        "{words}"
    );
    assert!(
        words.contains("could not be asked for anomalies: sts:GetCallerIdentity"),
        "{words}"
    );
    assert!(words.contains("warning: channel `topic` cannot be used"), "{words}");
    assert!(
        std::fs::read_to_string(folder.join("told.jsonl"))
            .unwrap()
            .contains("ours"),
        "{words}"
    );
    assert_eq!(
        (&said["delivery"]["waiting"], asked(&emulator).len()),
        (&json!(1), 0),
        "{words}"
    );
    // Each bill asks when it is read; bucket, topic and signals share one question.
    assert_eq!(proxy.broken.lock().unwrap().values().sum::<u64>(), 3, "{words}");
}

#[test]
fn a_cap_that_no_run_can_keep_is_found_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = |bills: usize, more: &str| {
        let bill =
            |n| format!("[[cost_explorer]]\nname = \"bill{n}\"\nrole = \"arn:aws:iam::21098765432{n}:role/finops\"\n");
        let bills: String = (0..bills).map(bill).collect();
        let config = format!("[store]\nurl = \"sqlite:l.db\"\n{bills}[aws]\npaid_requests_per_month = 1000\n{more}");
        std::fs::write(folder.path().join("finops.toml"), config).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_finops"));
        let command = command.current_dir(folder.path()).env("HOME", folder.path());
        text(&command.args(["config", "check"]).output().unwrap())
    };
    for (bills, more, needed) in [
        (3, "", None),
        (4, "", Some("8 requests a run of at most 6 (NOT ENOUGH")),
        (4, "paid_requests_per_run = 8\n", None),
        (
            1,
            "paid_requests_per_run = 3\nanomalies = true\nforecast = true\n",
            Some("4 requests a run of at most 3 (NOT ENOUGH"),
        ),
    ] {
        let said = check(bills, more);
        assert_eq!(said.contains("NOT ENOUGH"), needed.is_some(), "{said}");
        assert!(
            needed.is_none_or(|words| said.contains(words) && said.ends_with("Some(1)")),
            "{said}"
        );
    }
}
