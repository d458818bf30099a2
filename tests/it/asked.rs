//! What is asked of a ledger: whose days dates are, which period is meant without any, and what is said of calls that are gone.

use std::fs;
use std::path::Path;

use crate::support::{err, finops, json, out};

const BILL: &str = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName\n\
100,100,p,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-10-05T00:00:00Z,2026-10-06T00:00:00Z,Usage,AWS,Amazon EC2\n";

fn call(id: &str, at: &str, model: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"ts\":\"{at}\",\"provider\":\"anthropic\",\"model\":\"{model}\",\"input_tokens\":1000000}}\n"
    )
}

fn home(settings: &str, calls: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = "[[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"u.jsonl\"]\n";
    let settings = format!("[store]\nurl = \"sqlite:l.db\"\n{settings}[unpriced]\nalert = false\n{source}");
    fs::write(folder.path().join("finops.toml"), settings).unwrap();
    fs::write(folder.path().join("u.jsonl"), calls).unwrap();
    run(folder.path(), &["run", "--quiet"]);
    folder
}

fn run(folder: &Path, args: &[&str]) -> String {
    let output = finops(folder, args);
    assert!(output.status.code() < Some(2), "{args:?}: {}", err(&output));
    out(&output)
}

#[test]
fn a_date_is_a_day_of_the_zone_that_reports_count_by() {
    let calls = call("1", "2026-11-01T02:30:00Z", "claude-sonnet-4-6")
        + &call("2", "2026-11-05T10:30:00Z", "claude-sonnet-4-6")
        + &call("3", "2026-11-01T02:31:00Z", "nobody-knows");
    let home = home("[report]\ntime_zone = \"America/New_York\"\n", &calls);
    let folder = home.path();
    let november = ["--from", "2026-11-01", "--to", "2026-12-01"];
    let report = run(folder, &[&["report", "--format", "json"][..], &november].concat());
    assert_eq!(json_of(&report)["total"]["events"], 1, "{report}");
    let listed = run(
        folder,
        &[&["explain", "--top", "9", "--format", "json"][..], &november].concat(),
    );
    assert_eq!(json_of(&listed)["calls"].as_array().unwrap().len(), 1, "{listed}");
    let missing = |more: &[&str]| run(folder, &[&["price", "missing"][..], more].concat());
    assert!(missing(&["--from", "2026-10-31", "--to", "2026-11-01"]).contains("nobody-knows"));
    assert!(missing(&["--from", "2026-11-01T02:31:00Z"]).contains("nobody-knows"));
    // What was not looked at is not called priced.
    assert_eq!(missing(&november), "no call that was asked for is without a price\n");
    let at_most = run(folder, &["explain", "--top", "9", "--unpriced", "--format", "json"]);
    let at_most = json_of(&at_most)["calls"][0]["usd_at_most"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(at_most.parse::<rust_decimal::Decimal>().is_ok(), "{at_most}");
}

fn json_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_seller_in_two_spellings_is_one() {
    let calls = call("1", "2026-11-05T10:30:00Z", "claude-sonnet-4-6")
        + &call("2", "2026-11-05T10:30:00Z", "claude-sonnet-4-6").replace("anthropic", "Anthropic")
        + &call("3", "2026-11-05T10:30:00Z", "claude-sonnet-4-6").replace("anthropic", "Acme");
    let home = home("", &calls);
    let report = json_of(&run(home.path(), &["report", "--by", "provider", "--format", "json"]));
    let rows = report["rows"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .map(|row| (row["provider"].as_str().unwrap(), row["events"].as_i64().unwrap()))
        .collect();
    assert_eq!(rows, [("anthropic", 2), ("Acme", 1)]);
}

#[test]
fn without_dates_the_last_spend_of_the_basis_is_shown() {
    let home = home("", &call("1", "2026-11-20T10:30:00Z", "claude-sonnet-4-6"));
    let folder = home.path();
    fs::write(folder.join("bill.csv"), BILL).unwrap();
    run(folder, &["record", "bill.csv"]);
    let billed = finops(
        folder,
        &["report", "--basis", "billed", "--by", "service", "--format", "json"],
    );
    let billed = json(&billed);
    assert_eq!(billed["total"]["cost_usd"], "100", "{billed}");
    let shown = run(folder, &["report", "--basis", "billed", "--by", "service"]);
    assert!(shown.contains("records") && !shown.contains("calls"), "{shown}");
    assert!(run(folder, &["report"]).contains("calls"));
}

#[test]
fn calls_whose_detail_has_expired_are_said_to_be_gone() {
    let old =
        call("1", "2026-06-05T10:30:00Z", "claude-sonnet-4-6") + &call("2", "2026-06-05T11:30:00Z", "nobody-knows");
    let home = home("", &old);
    let folder = home.path();
    fs::write(
        folder.join("u.jsonl"),
        old + &call("3", "2026-11-20T10:30:00Z", "claude-sonnet-4-6"),
    )
    .unwrap();
    run(folder, &["run", "--quiet"]);
    let listed = finops(folder, &["explain", "--top", "9"]);
    assert!(err(&listed).contains("those before 2026-08-"), "{}", err(&listed));
    let listed = finops(folder, &["explain", "--top", "9", "--from", "2026-11-01"]);
    assert!(!err(&listed).contains("those before"), "{}", err(&listed));
    // An export has what such calls may cost as the report has it.
    let exported = run(
        folder,
        &["export", "--focus", "1.2", "--from", "2026-06-01", "--to", "2026-07-01"],
    );
    let mut reader = csv::Reader::from_reader(exported.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let of = |row: &csv::StringRecord, name: &str| {
        let at = header.iter().position(|column| column == name).unwrap();
        row[at].to_owned()
    };
    let unpriced: Vec<_> = rows.iter().filter(|row| of(row, "x_Unpriced") == "true").collect();
    assert_eq!((rows.len(), unpriced.len()), (2, 1), "{exported}");
    let report = run(
        folder,
        &[
            "report",
            "--from",
            "2026-06-01",
            "--to",
            "2026-07-01",
            "--format",
            "json",
        ],
    );
    let report = json_of(&report);
    assert_eq!(
        report["total"]["unpriced_worst_case_usd"],
        of(unpriced[0], "x_UnpricedWorstCase")
    );
    assert_eq!(of(unpriced[0], "ListUnitPrice"), "");
    assert_eq!(of(unpriced[0], "x_Calls"), "1");
}
