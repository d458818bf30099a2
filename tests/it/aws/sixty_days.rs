//! Two months of daily runs on an emulator, with faults in between and processes killed: totals equal the seed to the cent, every
//! alert is told once, paid requests stay below their cap.
//!
//! Short by default; `scripts/aws-proof.sh` runs all sixty days with a hundred kills.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::command::finops;
use super::create_table_named;
use super::emulator::{Emulator, moto_with};
use super::proxy::{Fault, Proxy};
use super::sns::Topic;
use finops::ports::Ledger as _;

const FIRST: &str = "2026-10-01";
const MONTH_CAP: usize = 400;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

fn day(n: u64) -> NaiveDate {
    FIRST.parse::<NaiveDate>().unwrap() + Days::new(n)
}

/// What the account is charged, as it is known on day `today`. On day 35 AWS restates the fifth day.
fn costs(today: u64) -> Vec<Value> {
    let mut rows = Vec::new();
    for n in 0..=today {
        let usage = Decimal::new(i64::try_from(1234 + n * 7 % 91).unwrap(), 2);
        let restated = if n == 4 && today >= 35 {
            Decimal::new(500, 2)
        } else {
            Decimal::ZERO
        };
        let spike = if (20..23).contains(&n) {
            Decimal::new(9000, 2)
        } else {
            Decimal::ZERO
        };
        let mut add = |service: &str, usage_type: &str, record_type: &str, amount: Decimal| {
            rows.push(json!({ "day": day(n), "service": service, "usage_type": usage_type, "record_type": record_type, "amount": amount.to_string() }));
        };
        add("Amazon Bedrock", "USE1-Nova-input-tokens", "Usage", usage + restated);
        add("Amazon Bedrock", "USE1-Nova-output-tokens", "Usage", spike);
        add(
            "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
            "Global-InputTokens",
            "Usage",
            Decimal::new(777, 2),
        );
        // A credit that hides all of it, but for what is restated later.
        add("Amazon Bedrock", "", "Credit", -(usage + spike + Decimal::new(777, 2)));
        add(
            "Amazon Elastic Compute Cloud - Compute",
            "BoxUsage",
            "Usage",
            Decimal::new(99_999, 2),
        );
    }
    rows
}

fn anomalies(today: u64) -> Value {
    if !(21..30).contains(&today) {
        return json!([]);
    }
    let days = today.min(23) - 20;
    let end = if today > 23 { json!(day(22)) } else { Value::Null };
    let impact = 90 * days;
    json!([{
        "AnomalyId": "anomaly-1", "AnomalyStartDate": day(20), "AnomalyEndDate": end, "MonitorArn": "arn:aws:ce::123456789012:anomalymonitor/1",
        "AnomalyScore": { "MaxScore": 0.9, "CurrentScore": 0.8 },
        "Impact": { "MaxImpact": impact, "TotalImpact": impact, "TotalActualSpend": impact + 60, "TotalExpectedSpend": 60 },
        "RootCauses": [{ "Service": "Amazon Bedrock", "Region": "us-east-1", "UsageType": "USE1-Nova-output-tokens" }],
    }])
}

fn seed(emulator: &Emulator, today: u64) {
    let known = json!({
        "costs": costs(today),
        "estimated_from": day(today.saturating_sub(1)),
        "page_days": 25,
        "anomalies": anomalies(today),
    });
    // Whole or not at all: the emulator may be reading.
    let path = emulator.data.as_ref().unwrap();
    std::fs::write(path.with_extension("new"), known.to_string()).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn sixty_days_of_runs_with_faults_and_kills() {
    let Some(emulator) = moto_with("sixty") else { return };
    let (days, kills) = (number("FINOPS_DAYS", 10), number("FINOPS_KILLS", 6));
    let random_seed = number("FINOPS_SEED", 42);
    println!("{days} days, {kills} kills, seed {random_seed}");
    let mut random = Random(random_seed);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    create_table_named(&emulator, "sixty-ai-costs-test");
    create_table_named(&emulator, "sixty-cost-alerts-test");
    let topic = Topic::new(&emulator, "sixty", None);
    let config = format!(
        "namespace = \"sixty\"\nenvironment = \"test\"\n[store]\nurl = \"dynamodb:\"\n\
         [limits]\ntime_budget_seconds = 60\n\
         [aws]\nregion = \"us-east-1\"\nallowed_accounts = [\"123456789012\"]\npaid_requests_per_run = 30\n\
         paid_requests_per_month = {MONTH_CAP}\nanomalies = true\n\
         [[cost_explorer]]\nname = \"bill\"\n\
         [[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.jsonl\"]\n\
         [[notify]]\nname = \"file\"\nkind = \"file\"\npath = \"told.jsonl\"\n\
         [[notify]]\nname = \"topic\"\nkind = \"sns\"\ntopic = \"{}\"\n",
        topic.arn
    );
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let budget = "[[budget]]\nname = \"bill\"\namount = \"150 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n";
    std::fs::write(folder.join("policies/budgets/bill.toml"), budget).unwrap();
    let proxy = Proxy::start(&emulator.url, random_seed);
    let run = |today: u64, url: &str| {
        let mut run = finops(folder, &emulator);
        run.env("AWS_ENDPOINT_URL", url);
        run.args(["--now", &format!("{}T18:00:00Z", day(today)), "run", "--format", "json"]);
        run
    };
    let mut killed = 0;
    for today in 0..days {
        seed(&emulator, today);
        let mut line = std::fs::read_to_string(folder.join("usage.jsonl")).unwrap_or_default();
        for n in 0..20 {
            line.push_str(&format!(
                "{{\"id\":\"d{today}-{n}\",\"ts\":\"{}T10:00:00Z\",\"provider\":\"anthropic\",\"model\":\"claude-haiku-4-5-20251001\",\"input_tokens\":{},\"output_tokens\":{}}}\n",
                day(today), 1000 + n, 50 + today
            ));
        }
        std::fs::write(folder.join("usage.jsonl"), line).unwrap();
        proxy.set(
            40,
            &[
                Fault::Delay,
                Fault::Unavailable,
                Fault::Throttle,
                Fault::Cut,
                Fault::LostReply,
            ],
        );
        while killed < kills * (today + 1) / days {
            let mut child = run(today, &proxy.url)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(random.below(500)));
            killed += 1;
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let output = run(today, &proxy.url).output().unwrap();
        let code = output.status.code();
        assert!(
            code == Some(0) || code == Some(3),
            "{}: {code:?} {}",
            day(today),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    println!("faults: {:?}", proxy.broken.lock().unwrap());
    // The last word, without faults, when the right to deliver of a killed run has ended.
    for round in 0.. {
        let clean = run(days - 1, &emulator.url).output().unwrap();
        assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stderr));
        let said: Value = serde_json::from_slice(&clean.stdout).unwrap();
        if said["delivery"]["waiting"] == 0 {
            break;
        }
        assert!(round < 60, "messages wait for ever: {said}");
        std::thread::sleep(Duration::from_secs(3));
    }

    // Totals equal the seed to the cent, category by category.
    let report = |args: &[&str]| -> Value {
        let mut report = finops(folder, &emulator);
        report.args([
            "--now",
            &format!("{}T18:00:00Z", day(days - 1)),
            "report",
            "--format",
            "json",
            "--from",
            FIRST,
            "--to",
            "2027-01-01",
        ]);
        let output = report.args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let mut expected: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in costs(days - 1)
        .iter()
        .filter(|r| r["service"].as_str().unwrap().contains("Bedrock"))
    {
        let amount: Decimal = row["amount"].as_str().unwrap().parse().unwrap();
        *expected
            .entry(row["record_type"].as_str().unwrap().to_owned())
            .or_default() += amount;
    }
    let billed = report(&["--basis", "billed", "--by", "category"]);
    let mut found: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in billed["rows"].as_array().unwrap() {
        let amount: Decimal = row["cost_usd"].as_str().unwrap().parse().unwrap();
        found.insert(row["category"].as_str().unwrap().to_owned(), amount);
    }
    println!("billed: {found:?}");
    assert_eq!(found, expected);
    let restated = if days > 35 { Decimal::new(500, 2) } else { Decimal::ZERO };
    assert_eq!(
        found["Usage"] + found["Credit"],
        restated,
        "the credit hides all the rest"
    );
    if days > 35 {
        let mut ledger = super::open(
            &emulator,
            "sixty-ai-costs-test",
            "2026-12-01T00:00:00Z".parse().unwrap(),
        );
        let found = ledger.restatements().unwrap();
        let days: BTreeSet<String> = found.iter().map(|r| r.day.start().date_naive().to_string()).collect();
        assert_eq!(days, BTreeSet::from([day(4).to_string()]), "{found:?}");
        assert!(found.iter().all(|r| r.new - r.old == Decimal::new(500, 2)));
    }
    assert_eq!(report(&["--by", "provider"])["total"]["events"], days * 20);

    // Each alert is told once per channel: one identity for each step, the same alerts on both.
    let file: Vec<Value> = std::fs::read_to_string(folder.join("told.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let heard = topic.read(&emulator);
    let heard: Vec<Value> = heard
        .iter()
        .map(|t| serde_json::from_str(t["Message"].as_str().unwrap()).unwrap())
        .collect();
    let steps = |messages: &[Value]| {
        let mut steps: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
        for m in messages.iter().filter(|m| m["told"] != "reminder") {
            let text = |key: &str| m[key].as_str().unwrap().to_owned();
            steps
                .entry((text("kind"), text("alert_id"), text("told")))
                .or_default()
                .insert(text("id"));
        }
        steps
    };
    let (file, heard) = (steps(&file), steps(&heard));
    for ((kind, _, told), ids) in file.iter().chain(&heard) {
        assert_eq!(ids.len(), 1, "{kind} {told} was told under several identities");
    }
    assert_eq!(file.keys().collect::<Vec<_>>(), heard.keys().collect::<Vec<_>>());
    let kinds: BTreeSet<(&str, &str)> = file
        .keys()
        .map(|(kind, _, told)| (kind.as_str(), told.as_str()))
        .collect();
    println!("told: {kinds:?}");
    assert!(
        kinds.contains(&("budget_actual", "firing")),
        "usage is not masked by the credit"
    );
    if days > 30 {
        assert!(kinds.contains(&("aws_anomaly", "firing")) && kinds.contains(&("aws_anomaly", "resolved")));
    }

    // No month saw more paid requests than allowed, kills and faults included.
    let log = std::fs::read_to_string(emulator.data.as_ref().unwrap().with_extension("json.log")).unwrap();
    println!(
        "paid requests that arrived: {} in {days} days, cap {MONTH_CAP} a month",
        log.lines().count()
    );
    let taken = |month: &str| {
        let key = json!({ "TableName": "sixty-ai-costs-test", "Key": { "pk": { "S": "paid" }, "sk": { "S": month } } });
        let item = emulator.call("dynamodb", "DynamoDB_20120810.GetItem", &key);
        item["Item"]["taken"]["N"]
            .as_str()
            .map_or(0, |n| n.parse::<usize>().unwrap())
    };
    let all = taken("2026-10") + taken("2026-11");
    assert!(taken("2026-10") <= MONTH_CAP && taken("2026-11") <= MONTH_CAP);
    assert!(
        log.lines().count() <= all,
        "every request was counted before it was made"
    );
}
