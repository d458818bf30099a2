//! One bill of AWS in every way that there is: asked of Cost Explorer, as its saved answers, as a Cost and Usage Report and by Athena.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use finops::adapters::aws::athena::sql::Table;
use serde_json::{Value, json};

use super::athena::{COLUMNS, embedded, row, seed as seed_athena};
use super::bill::{asked, seed};
use super::command::{finops, text};
use super::emulator::{Emulator, moto_with};

const ACCOUNT: &str = "123456789012";
const CLAUDE: &str = "Claude Sonnet 4.6 (Amazon Bedrock Edition)";

/// Service, type of usage, record type, billed, effective, amount of usage, its unit.
type Charge = [&'static str; 7];

/// What each of two days has. Fees, credits and taxes have no type of usage here, since no answer that tells record types tells it too.
const CHARGES: [Charge; 14] = [
    [
        CLAUDE,
        "USE1-MP:USE1_InputTokenCount-Units",
        "Usage",
        "3.3",
        "3.3",
        "1",
        "Units",
    ],
    [
        CLAUDE,
        "USE1-MP:USE1_CacheReadInputTokenCount-Units",
        "Usage",
        "1.24",
        "1.24",
        "3.76",
        "Units",
    ],
    [
        CLAUDE,
        "USE1-MP:USE1_OutputTokenCount-Units",
        "Usage",
        "1.65",
        "1.65",
        "0.1",
        "Units",
    ],
    [
        "Amazon Bedrock",
        "USE1-NovaLite-input-tokens",
        "Usage",
        "0.06",
        "0.06",
        "1000",
        "1K tokens",
    ],
    [
        "Amazon Bedrock",
        "USE1-NovaLite-output-tokens",
        "Usage",
        "0.024",
        "0.024",
        "100",
        "1K tokens",
    ],
    ["Amazon Bedrock", "", "Credit", "-3", "-3", "0", ""],
    ["Amazon Bedrock", "", "Tax", "0.25", "0.25", "0", ""],
    [CLAUDE, "", "Refund", "-0.5", "-0.5", "0", ""],
    [
        "Amazon SageMaker",
        "USE1-Host:ml.m5",
        "SavingsPlanCoveredUsage",
        "10",
        "7",
        "24",
        "Hours",
    ],
    [
        "Amazon SageMaker",
        "USE1-Host:ml.m5",
        "SavingsPlanNegation",
        "-10",
        "0",
        "24",
        "Hours",
    ],
    ["Amazon SageMaker", "", "SavingsPlanRecurringFee", "7", "0", "0", ""],
    ["Amazon OpenSearch Service", "", "Upfront", "1000", "0", "0", ""],
    ["Amazon OpenSearch Service", "", "Recurring", "100", "12.5", "0", ""],
    [
        "Amazon Kendra",
        "USE1-KendraIndexHours",
        "Usage",
        "1.4",
        "1.4",
        "24",
        "Hours",
    ],
];

const DAYS: [&str; 2] = ["2026-11-02", "2026-11-03"];

fn costs() -> Vec<Value> {
    let of_day = |day: &&str| {
        CHARGES.map(|[service, usage, record, billed, effective, quantity, unit]| {
            let unit = if unit == "Units" { "N/A" } else { unit };
            // It tells tax of the account, and of no service.
            let service = if record == "Tax" { "Tax" } else { service };
            json!({ "day": day, "service": service, "usage_type": usage, "record_type": record, "amount": billed,
                "metrics": { "AmortizedCost": effective }, "quantity": quantity, "unit": unit })
        })
    };
    DAYS.iter().flat_map(of_day).collect()
}

fn report() -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS.map(|(column, _)| column)).unwrap();
    for day in DAYS {
        for [service, usage, record, billed, effective, quantity, unit] in CHARGES {
            let kind = match record {
                "Upfront" => "Fee",
                "Recurring" => "RIFee",
                same => same,
            };
            let product = json!({ "product_name": service }).to_string();
            let mut values = vec![
                ("line_item_product_code", "code"),
                ("line_item_usage_account_id", ACCOUNT),
                ("line_item_line_item_type", kind),
                ("line_item_usage_type", usage),
                ("line_item_usage_amount", quantity),
                ("pricing_unit", unit),
                ("line_item_resource_id", ""),
                ("resource_tags", ""),
                ("product", product.as_str()),
            ];
            values.extend(match kind {
                "SavingsPlanCoveredUsage" => vec![("savings_plan_savings_plan_effective_cost", effective)],
                "SavingsPlanRecurringFee" => vec![
                    ("savings_plan_total_commitment_to_date", billed),
                    ("savings_plan_used_commitment", billed),
                ],
                "RIFee" => vec![("reservation_unused_recurring_fee", effective)],
                "Fee" => vec![("reservation_reservation_a_r_n", "arn:aws:es:r")],
                _ => Vec::new(),
            });
            table.write_record(row(&format!("{day}T00"), billed, &values)).unwrap();
        }
    }
    String::from_utf8(table.into_inner().unwrap()).unwrap()
}

const NOW: &str = "2026-11-04T12:00:00Z";

fn run(folder: &Path, emulator: &Emulator, args: &[&str]) -> (Value, String) {
    let output = finops(folder, emulator).args(["--now"]).args(args).output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (document, text(&output))
}

/// What each source tells, by all that rows are told apart by: cost and tokens of each kind.
fn told(folder: &Path, emulator: &Emulator, basis: &str) -> BTreeMap<String, BTreeSet<String>> {
    let by = "source,day,provider,service,model,account,category";
    let args = [NOW, "report", "--basis", basis, "--by", by, "--format", "json"];
    let (report, words) = run(folder, emulator, &args);
    let rows = report["rows"].as_array().unwrap_or_else(|| panic!("{words}"));
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        let tokens: Vec<String> = row
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, count)| key.ends_with("_tokens") && **count != json!(0))
            .map(|(key, count)| format!("{key} {count}"))
            .collect();
        if text("cost_usd") != "0" || !tokens.is_empty() {
            let names = by.split(',').skip(1).map(text).collect::<Vec<_>>().join(" | ");
            let line = format!("{names}: {} {}", text("cost_usd"), tokens.join(" "));
            told.entry(text("source")).or_default().insert(line);
        }
    }
    told
}

#[test]
fn a_month_is_the_same_whichever_way_it_comes() {
    let Some(emulator) = moto_with("one-bill") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["usage", "rest", "cur"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let saved = |name: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"cost-explorer\"\npaths = [\"{name}\"]\ndefaults = {{ account = \"{ACCOUNT}\" }}\n"
        )
    };
    let settings = format!(
        "[store]\nurl = \"sqlite:ledger.db\"\n{}{}[[source]]\nname = \"cur\"\nkind = \"cur\"\npaths = [\"cur\"]\n\
         [[cost_explorer]]\nname = \"live\"\nservices = [\"*\"]\nmonths = 1\n\
         [[athena]]\nname = \"athena\"\ndatabase = \"billing\"\ntable = \"cur2\"\nmonths = 1\noutput = \"s3://answers/finops/\"\n",
        saved("usage"),
        saved("rest"),
    );
    std::fs::write(folder.join("finops.toml"), settings).unwrap();
    std::fs::write(folder.join("cur/cur.csv"), report()).unwrap();
    seed(&emulator, &json!({ "costs": costs() }));
    let table = Table {
        database: "billing".to_owned(),
        table: "cur2".to_owned(),
        partition: "billing_period".to_owned(),
        product_name: "product['product_name']".to_owned(),
        amortized: true,
        net: true,
        ..Table::default()
    };
    seed_athena(
        &emulator,
        &embedded(&report(), &table.statement(&["2026-11".to_owned()])),
    );
    let (_, words) = run(folder, &emulator, &["2026-11-04T11:00:00Z", "run"]);
    let twice = format!("`cur` and `live` both have bills of aws for `{ACCOUNT}`, of 2026-11-02 and 1 more days");
    assert!(words.contains(&twice), "{words}");
    // The answers to these very questions, kept.
    for question in asked(&emulator) {
        let by = question["body"]["GroupBy"][1]["Key"].as_str().unwrap();
        let name = if by == "USAGE_TYPE" { "usage" } else { "rest" };
        let answer = emulator.call("ce", "AWSInsightsIndexService.GetCostAndUsage", &question["body"]);
        std::fs::write(folder.join(name).join("answer.json"), answer.to_string()).unwrap();
    }
    let (_, words) = run(folder, &emulator, &[NOW, "run"]);
    for basis in ["billed", "effective"] {
        let mut told = told(folder, &emulator, basis);
        let (usage, rest) = (told.remove("usage").unwrap(), told.remove("rest").unwrap());
        told.insert("saved".to_owned(), usage.union(&rest).cloned().collect());
        let cur = told["cur"].clone();
        assert_eq!(told.len(), 4, "{basis}: {told:?} {words}");
        for (source, rows) in &told {
            let rows: BTreeSet<String> = rows
                .iter()
                .map(|row| row.replace("| aws | Tax |", "| aws | Amazon Bedrock |"))
                .collect();
            assert_eq!(rows, cur, "{basis}: {source} beside `cur`");
        }
        let claude = format!(
            "2026-11-02 | aws | {CLAUDE} | claude-sonnet-4-6 | {ACCOUNT} | Usage: 6.19 cache_read_tokens 3760000 input_uncached_tokens 1000000 output_tokens 100000"
        );
        assert!(cur.contains(&claude), "{cur:?}");
        let bought = "2026-11-03 | aws | Amazon OpenSearch Service |  | 123456789012 | Purchase: ";
        let paid = if basis == "billed" { "1100 " } else { "12.5 " };
        assert!(cur.contains(&format!("{bought}{paid}")), "{cur:?}");
    }
}

/// What is asked live meets the calls that it charges, however it is broken down: nothing is missing and nothing counts twice.
#[test]
fn a_live_bill_meets_its_calls() {
    let Some(emulator) = moto_with("meets") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut calls, mut costs) = (String::new(), Vec::new());
    for n in 1..=20 {
        let day = format!("2026-11-{n:02}");
        for model in ["us.anthropic.claude-sonnet-4-6", "us.amazon.nova-lite-v1:0"] {
            let call = json!({ "id": format!("{n}{model}"), "ts": format!("{day}T10:00:00Z"), "provider": "bedrock", "model": model,
                "input_tokens": 1_000_000, "output_tokens": 100_000 });
            calls += &format!("{call}\n");
        }
        for [service, usage, record, billed, _, quantity, unit] in CHARGES {
            let is_call = [CLAUDE, "Amazon Bedrock"].contains(&service) && !usage.contains("Cache");
            if record == "Usage" && is_call {
                costs.push(
                    json!({ "day": day, "service": service, "usage_type": usage, "record_type": record, "amount": billed,
                    "account": ACCOUNT, "quantity": quantity, "unit": unit }),
                );
            }
        }
        let plan = [("SavingsPlanCoveredUsage", "10"), ("SavingsPlanNegation", "-10")];
        costs.extend(plan.map(|(record, amount)| {
            json!({ "day": day, "service": "Amazon SageMaker", "usage_type": "USE1-Host:ml.m5", "record_type": record, "amount": amount,
                "account": ACCOUNT })
        }));
    }
    std::fs::write(folder.join("calls.jsonl"), calls).unwrap();
    seed(&emulator, &json!({ "costs": costs }));
    let budgets = folder.join("policies/budgets");
    std::fs::create_dir_all(&budgets).unwrap();
    let budget = |name: &str, scope: &str, basis: &str| {
        format!(
            "[[budget]]\nname = \"{name}\"\namount = \"1000 USD\"\nperiod = \"month\"\nbasis = \"{basis}\"\nscope = {{ {scope} }}\n"
        )
    };
    let late = "billed, metered where late";
    let all = [
        budget("aws", "provider = \"aws\"", "billed"),
        budget("all", "", "billed"),
        budget("late", "", late),
    ];
    std::fs::write(budgets.join("a.toml"), all.concat()).unwrap();
    let in_full = format!("services = [\"Amazon Bedrock\", \"{CLAUDE}\"]\n");
    // Where services are told and types of usage are not, what AWS itself sells has neither a model nor tokens beside what has one.
    for (number, (asks, tells_usage, is_exact)) in (0..).zip([
        (String::new(), true, true),
        ("group_by = [\"service\"]\n".to_owned(), false, false),
        (format!("{in_full}group_by = [\"account\"]\n"), false, true),
    ]) {
        let settings = format!(
            "[store]\nurl = \"sqlite:l{number}.db\"\n[[source]]\nname = \"calls\"\nkind = \"plain\"\npaths = [\"calls.jsonl\"]\n\
             [[cost_explorer]]\nname = \"live\"\nmonths = 1\n{asks}"
        );
        std::fs::write(folder.join("finops.toml"), settings).unwrap();
        let now = "2026-11-22T12:00:00Z";
        let (_, words) = run(folder, &emulator, &[now, "run"]);
        let args = [
            now,
            "reconcile",
            "--period",
            "2026-11",
            "--min-coverage",
            "98",
            "--format",
            "json",
        ];
        let (compared, told) = run(folder, &emulator, &args);
        assert!(told.ends_with("Some(0)"), "{asks}: {told} {words}");
        let bedrock = &compared["providers"]["bedrock"];
        assert_eq!(bedrock["gap"]["total_usd"], "0", "{asks}: {told}");
        assert!(!is_exact || bedrock["coverage_percent"] == "100", "{asks}: {told}");
        let (budgets, told) = run(folder, &emulator, &[now, "budget", "--format", "json"]);
        let spent: BTreeMap<&str, &Value> = budgets["budgets"]
            .as_array()
            .unwrap_or_else(|| panic!("{told}"))
            .iter()
            .map(|budget| (budget["budget"].as_str().unwrap(), &budget["spent"]))
            .collect();
        let each = json!("100.68");
        assert_eq!(
            spent,
            BTreeMap::from([("all", &each), ("aws", &each), ("late", &each)]),
            "{asks}: {told}"
        );
        let by = ["report", "--basis", "billed", "--by", "model", "--format", "json"];
        let (report, told) = run(folder, &emulator, &[&[now], &by[..]].concat());
        let models = report["rows"].as_array().unwrap().iter();
        let models: BTreeSet<&str> = models.map(|row| row["model"].as_str().unwrap()).collect();
        assert!(
            !tells_usage || models.is_superset(&BTreeSet::from(["claude-sonnet-4-6", "amazon.nova-lite-v1:0"])),
            "{told}"
        );
    }
}

/// What an earlier build recorded of a month is replaced, also where that month was closed.
#[test]
fn a_month_that_was_recorded_under_other_names_is_asked_once_more_and_replaced() {
    let Some(emulator) = moto_with("renamed") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = "[store]\nurl = \"sqlite:ledger.db\"\n[[cost_explorer]]\nname = \"live\"\n";
    std::fs::write(folder.join("finops.toml"), settings).unwrap();
    let cost = |day: &str| json!({ "day": day, "service": "Amazon Bedrock", "usage_type": "USE1-NovaLite-input-tokens", "record_type": "Usage", "amount": "5" });
    seed(&emulator, &json!({ "costs": [cost("2026-10-20"), cost("2026-11-20")] }));
    run(folder, &emulator, &["2026-11-24T00:00:00Z", "run"]);
    let database = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    let closed = "UPDATE checkpoint SET key = 'closed' WHERE source = 'live' AND key = 'closed-2'";
    assert_eq!(database.execute(closed, []).unwrap(), 1);
    drop(database);
    let before = asked(&emulator).len();
    run(folder, &emulator, &["2026-11-24T12:00:00Z", "run"]);
    let starts: BTreeSet<String> = asked(&emulator)
        .iter()
        .skip(before)
        .map(|question| question["body"]["TimePeriod"]["Start"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(starts, BTreeSet::from(["2026-10-01".to_owned()]));
    let (report, _) = run(
        folder,
        &emulator,
        &[
            "2026-11-24T12:00:00Z",
            "report",
            "--basis",
            "billed",
            "--from",
            "2026-10-01",
            "--by",
            "provider,model",
            "--format",
            "json",
        ],
    );
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&report["rows"][0]["provider"], &report["rows"][0]["cost_usd"]),
        (&json!("aws"), &json!("10"))
    );
}
