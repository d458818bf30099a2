//! The FOCUS export: its columns against the rules, its figures against the ledger, and the way back through the reader.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::support::program;

/// Calls that pay in every way: caches, thresholds, a batch tier, a geography, searches, an account, tags, no price.
const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:10:00Z","provider":"anthropic","model":"claude-sonnet-4-5","input_tokens":1000,"cache_read_tokens":250000,"cache_write_5m_tokens":7,"cache_write_1h_tokens":11,"output_tokens":500,"web_searches":3,"team":"search, \"core\"","agent":"bot"}
{"id":"b","ts":"2026-11-03T11:10:00Z","provider":"anthropic","model":"claude-sonnet-4-5","input_tokens":1000,"output_tokens":500,"team":"search, \"core\"","agent":"bot"}
{"id":"c","ts":"2026-11-03T12:10:00Z","provider":"anthropic","model":"claude-opus-4-8","service_tier":"batch","input_tokens":333,"output_tokens":77,"account":"123456789012"}
{"id":"d","ts":"2026-11-04T00:00:00Z","provider":"bedrock","model":"us.anthropic.claude-haiku-4-5-20251001-v1:0","input_tokens":10,"output_tokens":7}
{"id":"e","ts":"2026-11-04T09:00:00Z","provider":"acme","model":"acme-9","input_tokens":5,"output_tokens":3,"team":"ads"}
{"id":"g","ts":"2026-11-05T09:00:00Z","provider":"=1+1","model":"@SUM(A1)","input_tokens":5,"output_tokens":3,"user":"-2","team":"=x"}
{"id":"l","ts":"2026-11-05T09:10:00Z","provider":"=1+1","model":"'=m","input_tokens":5,"output_tokens":3,"user":"'-2","team":"'=x"}
{"id":"h","ts":"2026-11-06T09:00:00Z","provider":"acme","model":"painter-1","units":"images_out=40"}
{"id":"i","ts":"2026-11-06T10:00:00Z","provider":"acme","model":"finder-1","web_searches":3,"output_tokens":0}
{"id":"j","ts":"2026-11-07T10:00:00Z","provider":"azure","model":"gpt-4o","input_tokens":1000,"output_tokens":10}
{"id":"k","ts":"2026-11-08T10:00:00Z","provider":"openai","model":"whisper-1","input_tokens":1000,"output_tokens":7,"units":"audio_in_second=12.5"}
{"id":"f","ts":"2026-11-30T23:59:59Z","provider":"openai","model":"gpt-5","input_tokens":2000,"cache_read_tokens":8000,"output_tokens":1000,"reasoning_tokens":600}
"#;

const SETTINGS: &str = r#"
[store]
url = "sqlite:x.db"
[[contract]]
name = "edp"
provider = "anthropic"
discount = "12.5 %"
[[commitment]]
name = "ptu chat"
kind = "ptu"
dimensions = { provider = "azure", model = "gpt-4o" }
amount = "100 USD"
per = "month"
from = "2026-11-01"
covers = { provider = "azure", model = "gpt-4o" }
"#;

struct Home(tempfile::TempDir);

impl Home {
    fn new(settings: &str) -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("finops.toml", settings);
        home.write("usage.jsonl", USAGE);
        assert!(home.run(&["record", "usage.jsonl"]).status.success());
        home
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = program(self.0.path());
        command.args(args).args(["--now", "2026-12-02T00:00:00Z"]);
        command.output().unwrap()
    }

    fn rows(&self, args: &[&str]) -> Vec<BTreeMap<String, String>> {
        let mut all = vec![
            "export",
            "--focus",
            "1.2",
            "--from",
            "2026-11-01",
            "--to",
            "2026-12-01",
            "--output",
            "focus.csv",
        ];
        all.extend(args);
        let output = self.run(&all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut reader = csv::Reader::from_path(self.0.path().join("focus.csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            header
                .iter()
                .map(str::to_owned)
                .zip(row.iter().map(str::to_owned))
                .collect()
        });
        rows.collect()
    }

    /// The most that calls without a price may cost, as the report has it.
    fn worst_case(&self) -> Decimal {
        let args = [
            "report",
            "--from",
            "2026-11-01",
            "--to",
            "2026-12-01",
            "--format",
            "json",
        ];
        let json: serde_json::Value = serde_json::from_slice(&self.run(&args).stdout).unwrap();
        number(json["total"]["unpriced_worst_case_usd"].as_str().unwrap())
    }

    fn total(&self, basis: &str) -> (Decimal, Decimal) {
        let by = |category: &str| {
            let which = format!("category={category}");
            let args = [
                "report",
                "--basis",
                basis,
                "--from",
                "2026-11-01",
                "--to",
                "2026-12-01",
                "--format",
                "json",
                "--where",
                &which,
            ];
            let text = self.run(&args).stdout;
            let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
            number(json["total"]["cost_usd"].as_str().unwrap())
        };
        (by("Usage"), by("Purchase"))
    }
}

fn number(text: &str) -> Decimal {
    assert!(
        !text.contains(['e', 'E', ',', ' ', '+']),
        "`{text}` is not in the numeric format"
    );
    text.parse().unwrap()
}

/// What a mandatory column of FOCUS 1.2 may hold; written from the specification.
enum Form {
    Number,
    Time,
    Text,
    Currency,
    OneOf(&'static [&'static str]),
}

const MANDATORY: [(&str, bool, Form); 23] = [
    ("BilledCost", false, Form::Number),
    ("BillingAccountId", false, Form::Text),
    ("BillingAccountName", true, Form::Text),
    ("BillingCurrency", false, Form::Currency),
    ("BillingPeriodEnd", false, Form::Time),
    ("BillingPeriodStart", false, Form::Time),
    (
        "ChargeCategory",
        false,
        Form::OneOf(&["Usage", "Purchase", "Tax", "Credit", "Adjustment"]),
    ),
    ("ChargeClass", true, Form::OneOf(&["Correction"])),
    ("ChargeDescription", true, Form::Text),
    ("ChargePeriodEnd", false, Form::Time),
    ("ChargePeriodStart", false, Form::Time),
    ("ContractedCost", false, Form::Number),
    ("EffectiveCost", false, Form::Number),
    ("InvoiceIssuerName", false, Form::Text),
    ("ListCost", false, Form::Number),
    ("PricingQuantity", true, Form::Number),
    ("PricingUnit", true, Form::Text),
    ("ProviderName", false, Form::Text),
    ("PublisherName", false, Form::Text),
    ("ServiceCategory", false, Form::OneOf(&["AI and Machine Learning"])),
    ("ServiceName", false, Form::Text),
    (
        "ChargeFrequency",
        false,
        Form::OneOf(&["One-Time", "Recurring", "Usage-Based"]),
    ),
    ("Tags", true, Form::Text),
];

fn fits(form: &Form, text: &str) -> bool {
    match form {
        Form::Number => {
            number(text);
            true
        }
        Form::Time => text.ends_with('Z') && text.parse::<DateTime<Utc>>().is_ok() && text.len() == 20,
        Form::Text => true,
        Form::Currency => text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()),
        Form::OneOf(allowed) => allowed.contains(&text),
    }
}

#[test]
fn every_row_keeps_the_rules_of_its_columns() {
    let home = Home::new(SETTINGS);
    for grain in ["day", "hour"] {
        let rows = home.rows(&["--by", grain]);
        assert!(rows.len() > 20);
        for row in &rows {
            for (column, null, form) in &MANDATORY {
                let text = row.get(*column).unwrap_or_else(|| panic!("`{column}` is missing"));
                assert!(
                    if text.is_empty() { *null } else { fits(form, text) },
                    "{column}: `{text}`"
                );
            }
            let price = |cost: &str, unit: &str| {
                if !row[unit].is_empty() {
                    let product = number(&row[unit]) * number(&row["PricingQuantity"]);
                    assert_eq!(product, number(&row[cost]), "{unit} × quantity is {cost}: {row:?}");
                    assert!(!number(&row[unit]).is_sign_negative(), "{unit}: {row:?}");
                }
            };
            price("ListCost", "ListUnitPrice");
            price("ContractedCost", "ContractedUnitPrice");
            let (start, end) = (&row["ChargePeriodStart"], &row["ChargePeriodEnd"]);
            assert!(
                start < end && &row["BillingPeriodStart"] <= start && end <= &row["BillingPeriodEnd"],
                "{row:?}"
            );
            if !row["Tags"].is_empty() {
                assert!(
                    serde_json::from_str::<BTreeMap<String, String>>(&row["Tags"]).is_ok(),
                    "{row:?}"
                );
            }
            assert_eq!(
                row["ConsumedQuantity"].is_empty(),
                row["ConsumedUnit"].is_empty(),
                "{row:?}"
            );
        }
    }
}

#[test]
fn the_shared_specification_finds_nothing_wrong() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = ["../shared", "../../shared"].map(|p| root.join(p).join("data/focus-spec/columns.json"));
    let Some(text) = beside.iter().find_map(|path| std::fs::read_to_string(path).ok()) else {
        println!("skipped: no shared specification");
        return;
    };
    let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
    let columns = spec["v1.2"].as_array().unwrap();
    let home = Home::new(SETTINGS);
    let rows = home.rows(&[]);
    let given: BTreeSet<&String> = rows[0].keys().collect();
    let mut known = BTreeSet::new();
    for column in columns {
        let name = column["column"].as_str().unwrap().to_owned();
        known.insert(name.clone());
        if column["Feature level"] == "Mandatory" {
            assert!(given.contains(&name), "mandatory `{name}` is missing");
        }
        if !given.contains(&name) {
            continue;
        }
        let allowed: Option<Vec<&str>> = column["allowed"]
            .as_array()
            .map(|a| a.iter().map(|v| v.as_str().unwrap()).collect());
        for row in &rows {
            let text = row[&name].as_str();
            if text.is_empty() {
                assert_eq!(column["Allows nulls"], "True", "`{name}` is null: {row:?}");
                continue;
            }
            if let Some(allowed) = &allowed {
                assert!(allowed.contains(&text), "`{name}`: `{text}` is not allowed");
            }
            match column["Data type"].as_str().unwrap() {
                "Decimal" => {
                    let value = number(text);
                    let range = column["Number range"].as_str().unwrap_or("");
                    assert!(
                        !range.contains("non-negative") || !value.is_sign_negative(),
                        "`{name}`: {text}"
                    );
                }
                "Date/Time" => assert!(fits(&Form::Time, text), "`{name}`: {text}"),
                "JSON" => assert!(
                    serde_json::from_str::<serde_json::Value>(text).is_ok(),
                    "`{name}`: {text}"
                ),
                _ => {}
            }
        }
    }
    for name in given {
        assert!(
            known.contains(name) || name.starts_with("x_"),
            "`{name}` is neither of FOCUS nor marked as ours"
        );
    }
}

#[test]
fn figures_are_those_of_the_ledger_and_come_back_through_the_reader() {
    let home = Home::new(SETTINGS);
    let (metered, flat) = home.total("metered");
    let (effective, _) = home.total("effective");
    assert_eq!(flat, Decimal::from(100));
    for grain in ["hour", "day"] {
        let rows = home.rows(&["--by", grain]);
        let sum = |column: &str, category: &str| -> Decimal {
            let of = rows.iter().filter(|row| row["ChargeCategory"] == category);
            of.map(|row| number(&row[column])).sum()
        };
        assert_eq!(sum("ListCost", "Usage"), metered, "{grain}");
        assert_eq!(sum("EffectiveCost", "Usage"), effective, "{grain}");
        assert_eq!(sum("ListCost", "Purchase"), flat, "{grain}");
    }
    // The kinds of tokens are meters of their own, at the price that the prompt's size calls for.
    let rows = home.rows(&[]);
    let worst = rows.iter().filter(|row| !row["x_UnpricedWorstCase"].is_empty());
    let worst: Decimal = worst.map(|row| number(&row["x_UnpricedWorstCase"])).sum();
    assert_eq!(worst, home.worst_case());
    let prices = |category: &str| -> BTreeSet<(&str, &str)> {
        let of = rows.iter().filter(|row| row["PricingCategory"] == category);
        of.map(|row| (row["x_Model"].as_str(), row["SkuPriceId"].as_str()))
            .collect()
    };
    assert!(prices("Committed").iter().all(|(model, _)| *model == "gpt-4o") && !prices("Committed").is_empty());
    let capacity: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row["ChargeCategory"] == "Purchase")
        .map(|row| row["SkuPriceId"].as_str())
        .collect();
    assert_eq!(capacity, BTreeSet::from(["commitment/ptu chat@2026-11"]));
    let of = |meter: &str, model: &str| {
        let all = rows.iter().filter(|r| r["SkuMeter"] == meter && r["x_Model"] == model);
        all.map(|r| (r["ConsumedQuantity"].as_str(), r["ListUnitPrice"].as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("cache read tokens", "claude-sonnet-4-5"), [("250000", "0.6")]);
    assert_eq!(
        of("output tokens", "claude-sonnet-4-5"),
        [("500", "15"), ("500", "22.5")]
    );
    assert_eq!(of("output tokens", "claude-opus-4-8"), [("77", "12.5")]);
    assert_eq!(of("web searches", "claude-sonnet-4-5"), [("3", "10")]);
    assert_eq!(
        of("input tokens", "acme-9"),
        [("5", "")],
        "no price is no price of zero"
    );
    // Tokens of what is priced by something else cost nothing, and were used.
    assert_eq!(of("input tokens", "whisper-1"), [("1000", "0")]);
    assert_eq!(of("output tokens", "whisper-1"), [("7", "0")]);
    // A call without tokens is one, too.
    assert_eq!(of("images_out", "painter-1"), [("40", "")]);
    assert_eq!(of("web searches", "finder-1"), [("3", "")]);

    let back = Home(tempfile::tempdir().unwrap());
    back.write("finops.toml", "[store]\nurl = \"sqlite:y.db\"\n");
    std::fs::copy(home.0.path().join("focus.csv"), back.0.path().join("focus.csv")).unwrap();
    let output = back.run(&["record", "focus.csv", "--format", "json"]);
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["rejected"], 0, "{read}");
    assert_eq!(back.total("billed"), (effective, flat));
    assert_eq!(back.total("effective"), (effective, flat));
    let args = [
        "report",
        "--basis",
        "billed",
        "--from",
        "2026-11-01",
        "--to",
        "2026-12-01",
        "--format",
        "json",
        "--by",
        "team,model",
    ];
    let json: serde_json::Value = serde_json::from_slice(&back.run(&args).stdout).unwrap();
    let rows = json["rows"].as_array().unwrap();
    // What was kept from being run as a formula has its own name again.
    assert!(
        rows.iter().any(|r| r["model"] == "@SUM(A1)" && r["team"] == "=x"),
        "{rows:?}"
    );
    // So has one that had an apostrophe of its own.
    assert!(
        rows.iter().any(|r| r["model"] == "'=m" && r["team"] == "'=x"),
        "{rows:?}"
    );
    let search = rows.iter().find(|r| r["team"] == "search, \"core\"").unwrap();
    assert_eq!(
        (
            &search["cache_read_tokens"],
            &search["cache_write_1h_tokens"],
            &search["output_tokens"]
        ),
        (&250_000.into(), &11.into(), &1000.into())
    );
    let whisper = rows.iter().find(|r| r["model"] == "whisper-1").unwrap();
    assert_eq!(
        (&whisper["input_uncached_tokens"], &whisper["output_tokens"]),
        (&1000.into(), &7.into())
    );
}

#[test]
fn what_has_no_receipt_any_more_is_a_charge_of_its_own() {
    let home = Home::new(
        "[store]\nurl = \"sqlite:x.db\"\ndetail_days = 1\n[unpriced]\nalert = false\n[[source]]\nname = \"u\"\npaths = [\"usage.jsonl\"]\n",
    );
    let before = home.total("metered");
    // Two days later all detail has expired: there is spend of that time.
    let call = r#"{"id":"later","ts":"2026-12-06T10:00:00Z","provider":"openai","model":"gpt-5","output_tokens":1}"#;
    home.write("usage.jsonl", &format!("{USAGE}{call}\n"));
    let mut later = program(home.0.path());
    let output = later.args(["run", "--now", "2026-12-09T00:00:00Z"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = home.rows(&[]);
    assert!(rows.iter().all(|r| r["SkuMeter"] == "use without receipts"), "{rows:?}");
    let sum: Decimal = rows.iter().map(|r| number(&r["ListCost"])).sum();
    assert_eq!((sum, home.total("metered")), (before.0, before));
}

#[test]
fn only_known_versions_and_real_periods_are_written() {
    let home = Home::new(SETTINGS);
    for wrong in [
        &["export"][..],
        &["export", "--focus", "0.9"],
        &["export", "--focus", "1.2", "--format", "json"],
        &["export", "--focus", "1.2", "--from", "2026-11-02", "--to", "2026-11-02"],
    ] {
        assert_eq!(home.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// The same use is in what is metered and in what is billed: rows of both would add up to no report. That bills are left out is said.
#[test]
fn an_export_says_what_bills_have_that_it_does_not() {
    let home = Home::new(SETTINGS);
    let calls = home.rows(&[]);
    let told = |args: &[&str]| {
        let all = [&["export", "--focus", "1.2", "--output", "x.csv"], args].concat();
        String::from_utf8(home.run(&all).stderr).unwrap()
    };
    let november = ["--from", "2026-11-01"];
    assert!(!told(&november).contains("bills"), "{}", told(&november));
    home.write(
        "bill.csv",
        "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ProviderName,ServiceName\n\
         12,11,USD,a,2026-11-01,2026-12-01,2026-11-01T00:00:00Z,Usage,Anthropic,Claude API\n\
         1.5,1.5,USD,a,2026-11-01,2026-12-01,2026-11-02T00:00:00Z,Usage,Anthropic,Claude API\n\
         2,2,EUR,a,2026-11-01,2026-12-01,2026-11-02T00:00:00Z,Usage,Anthropic,Claude API\n",
    );
    assert!(home.run(&["record", "bill.csv"]).status.success());
    let said = told(&november);
    assert!(
        said.contains("bills, which say 2.00 EUR and $13.50 for this time") && said.contains("--basis billed"),
        "{said}"
    );
    assert!(!told(&["--from", "2026-10-01"]).contains("bills"));
    assert_eq!(told(&["--from", "2026-11-01", "--quiet"]), "");
    assert_eq!(home.rows(&[]), calls);
}
