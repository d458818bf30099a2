//! Several accounts by role, each failing alone; and every way that Cost Explorer can be asked to break a bill down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use finops::adapters::sqlite::SqliteLedger;
use finops::domain::dimension::Dimension;
use finops::domain::period::Period;
use finops::domain::spend::Basis;
use finops::ports::Ledger as _;
use serde_json::{Value, json};

use super::bill::{asked, seed};
use super::command::{finops, text};
use super::emulator::{Emulator, moto_with};
use super::proxy::{Fault, Proxy};

fn run(folder: &Path, emulator: &Emulator, url: &str) -> (Value, String, Option<i32>) {
    let output = finops(folder, emulator)
        .env("AWS_ENDPOINT_URL", url)
        .args(["--now", "2026-11-24T12:00:00Z", "run", "--format", "json"])
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (document, text(&output), output.status.code())
}

#[test]
fn of_several_accounts_each_fails_alone() {
    let Some(emulator) = moto_with("accounts") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let other = |name: &str, account: &str| {
        format!(
            "[[cost_explorer]]\nname = \"{name}\"\nrole = \"arn:aws:iam::{account}:role/{name}\"\nexternal_id = \"x\"\n"
        )
    };
    let config = format!(
        "[store]\nurl = \"sqlite:ledger.db\"\n[aws]\nallowed_accounts = [\"123456789012\", \"210987654321\", \"310987654321\", \"410987654321\"]\n\
         {}{}{}{}[[cost_explorer]]\nname = \"own\"\n\
         [[athena]]\nname = \"cur\"\ndatabase = \"b\"\ntable = \"t\"\nrole = \"arn:aws:iam::999999999999:role/foreign\"\n",
        other("refused", "310987654321"),
        other("fine", "210987654321"),
        other("foreign", "999999999999"),
        other("throttled", "410987654321"),
    );
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    let cost = |payer: &str, amount: &str| json!({ "payer": payer, "day": "2026-11-10", "service": "Amazon Bedrock", "usage_type": "t", "record_type": "Usage", "amount": amount });
    let costs = [
        cost("123456789012", "1.25"),
        cost("210987654321", "2.50"),
        cost("999999999999", "99"),
        cost("410987654321", "7"),
    ];
    seed(&emulator, &json!({ "costs": costs }));
    let proxy = Proxy::start(&emulator.url, 3);
    proxy.set(1000, &[Fault::Denied]);
    proxy.only("role%2Frefused");
    // One that was refused before is asked again by the next run, the others not within their interval.
    let (said, words, code) = run(folder, &emulator, &proxy.url);
    assert_eq!(
        said["collected"]["failed_sources"],
        json!(["refused", "foreign", "cur"]),
        "{words}"
    );
    assert_eq!(code, Some(3));
    assert!(words.contains("access denied: by the proxy"), "{words}");
    let not_allowed = words.matches("the account `999999999999` is not in `aws.allowed_accounts`");
    assert_eq!(not_allowed.count(), 2, "{words}");
    assert!(
        words.contains("name it in `aws.allowed_accounts`, or take another `role`"),
        "{words}"
    );
    assert_eq!(
        said["collected"]["paid_requests"], 6,
        "two for each account that may be asked: {words}"
    );
    assert_eq!(asked(&emulator).len(), 6);

    let report = finops(folder, &emulator)
        .args([
            "--now",
            "2026-11-24T12:00:00Z",
            "report",
            "--basis",
            "billed",
            "--by",
            "source,account",
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let rows: BTreeSet<(String, String, String)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("source"), text("account"), text("cost_usd"))
        })
        .collect();
    let row = |source: &str, account: &str, cost: &str| (source.to_owned(), account.to_owned(), cost.to_owned());
    let expected = [
        row("own", "123456789012", "1.25"),
        row("fine", "210987654321", "2.5"),
        row("throttled", "410987654321", "7"),
    ];
    assert_eq!(rows, BTreeSet::from(expected));

    proxy.set(0, &[]);
    let (said, words, _) = run(folder, &emulator, &proxy.url);
    assert_eq!(
        said["collected"]["failed_sources"],
        json!(["foreign", "cur"]),
        "{words}"
    );
    assert_eq!(
        said["collected"]["paid_requests"], 2,
        "only the one that was refused: {words}"
    );
}

#[test]
fn a_bill_is_broken_down_by_hour_account_and_tag_with_net_and_amortised_costs() {
    let Some(emulator) = moto_with("breakdown") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config =
        |more: &str| format!("[store]\nurl = \"sqlite:ledger.db\"\n[[cost_explorer]]\nname = \"bill\"\n{more}");
    let cost = |day: &str, hour: u32, account: &str, tag: &str, amount: &str| {
        json!({ "day": day, "hour": hour, "service": "Amazon Bedrock", "usage_type": "t", "record_type": "Usage", "account": account, "tag": tag,
                "amount": "100", "metrics": { "NetUnblendedCost": amount, "NetAmortizedCost": "0.5" } })
    };
    seed(
        &emulator,
        &json!({ "costs": [
        cost("2026-11-02", 7, "210987654321", "search", "1"),
        cost("2026-11-20", 7, "210987654321", "search", "2"),
        cost("2026-11-20", 8, "210987654321", "", "4"),
        cost("2026-11-20", 8, "310987654321", "search", "8"),
    ] }),
    );
    // Patterns without the service in the answer would take in the bill of every service.
    std::fs::write(
        folder.join("finops.toml"),
        config("group_by = [\"account\", \"tag:Team\"]\n"),
    )
    .unwrap();
    let (_, words, code) = run(folder, &emulator, &emulator.url);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("picks services by pattern"), "{words}");

    let whole = "services = [\"Amazon Bedrock\"]\ngroup_by = [\"account\", \"tag:Team\"]\nhourly = true\nnet = true\nmonths = 1\n";
    std::fs::write(folder.join("finops.toml"), config(whole)).unwrap();
    let (said, words, code) = run(folder, &emulator, &emulator.url);
    assert_eq!(
        (code, &said["collected"]["paid_requests"]),
        (Some(0), &json!(3)),
        "{words}"
    );
    let questions: BTreeMap<(String, String), Value> = asked(&emulator)
        .into_iter()
        .map(|r| {
            let text = |path: &str| r["body"].pointer(path).and_then(Value::as_str).unwrap().to_owned();
            ((text("/Granularity"), text("/TimePeriod/Start")), r["body"].clone())
        })
        .collect();
    let hourly = &questions[&("HOURLY".to_owned(), "2026-11-11T00:00:00Z".to_owned())];
    assert_eq!(hourly["TimePeriod"]["End"], "2026-11-25T00:00:00Z");
    assert_eq!(hourly["Metrics"], json!(["NetUnblendedCost", "NetAmortizedCost"]));
    assert_eq!(
        hourly["GroupBy"],
        json!([{ "Type": "DIMENSION", "Key": "LINKED_ACCOUNT" }, { "Type": "TAG", "Key": "Team" }])
    );
    assert_eq!(
        hourly["Filter"]["And"][1],
        json!({ "Dimensions": { "Key": "SERVICE", "Values": ["Amazon Bedrock"] } })
    );
    let always = Period::new(
        "2020-01-01T00:00:00Z".parse().unwrap(),
        "2030-01-01T00:00:00Z".parse().unwrap(),
    );
    let mut found = BTreeSet::new();
    let mut ledger = SqliteLedger::open(&folder.join("ledger.db")).unwrap();
    ledger
        .spend(always, &mut |key, sums| {
            let name = |d: Dimension| key.dimensions.get(d).to_string();
            let at = key.hour.start().format("%dT%H").to_string();
            let basis = if key.basis == Basis::Billed {
                "billed"
            } else {
                "effective"
            };
            found.insert(format!(
                "{at} {} {} {basis} {}",
                name(Dimension::Account),
                name(Dimension::Team),
                sums.cost.normalize()
            ));
        })
        .unwrap();
    let expected = [
        "02T00 210987654321 search billed 1",
        "02T00 210987654321 search effective 0.5",
        "20T07 210987654321 search billed 2",
        "20T07 210987654321 search effective 0.5",
        "20T08 210987654321  billed 4",
        "20T08 210987654321  effective 0.5",
        "20T08 310987654321 search billed 8",
        "20T08 310987654321 search effective 0.5",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
