//! A bill in Athena: the statement that is sent, run by SQLite over the same rows that the file adapter reads, gives the same bill.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use finops::adapters::aws::Aws;
use finops::adapters::aws::athena::sql::Table;
use finops::adapters::aws::athena::{Athena, Options};
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::spend::{Basis, Bill};
use finops::domain::usage::Bucket;
use finops::ports::UsageSource;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use super::connect;
use super::emulator::{Emulator, moto_with};
use super::lambda::respond;
use crate::files::{Kept, read_text, time};

const HEADER: &str = "bill_billing_period_start_date,bill_payer_account_id,bill_invoice_id,line_item_usage_start_date,line_item_usage_account_id,line_item_line_item_type,line_item_product_code,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_unblended_cost,line_item_net_unblended_cost,line_item_currency_code,line_item_resource_id,resource_tags_user_team,savings_plan_savings_plan_effective_cost,savings_plan_total_commitment_to_date,savings_plan_used_commitment,reservation_effective_cost,reservation_unused_amortized_upfront_fee_for_billing_period,reservation_unused_recurring_fee,reservation_reservation_a_r_n";

/// Month, invoice, hour, kind, type of usage, amount, cost, net cost, team, cost under a plan.
fn row(columns: [&str; 10]) -> String {
    let [month, invoice, hour, kind, usage, amount, cost, net, team, plan] = columns;
    format!(
        "{month}-01T00:00:00Z,111111111111,{invoice},{month}-{hour}:00:00Z,123456789012,{kind},AmazonBedrock,{usage},{amount},1K tokens,{cost},{net},USD,arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0,{team},{plan},,,,,,\n"
    )
}

fn report(november: &str) -> String {
    let rows = [
        [
            "2026-10",
            "1",
            "20T08",
            "Usage",
            "USE1-NovaLite-output-tokens",
            "42.5",
            "0.0102",
            "0.0091",
            "search",
            "",
        ],
        [
            "2026-10",
            "1",
            "20T09",
            "Usage",
            "USE1-NovaLite-output-tokens",
            "7.5",
            "0.1000000004",
            "0.09",
            "search",
            "",
        ],
        [
            "2026-10",
            "1",
            "21T09",
            "Usage",
            "USE1-NovaLite-input-tokens",
            "10",
            "0.3",
            "0.3",
            "docs",
            "",
        ],
        [
            "2026-10",
            "1",
            "21T10",
            "SavingsPlanCoveredUsage",
            "USE1-NovaLite-input-tokens",
            "10",
            "0.3",
            "",
            "docs",
            "0.2",
        ],
        ["2026-10", "1", "21T10", "Tax", "", "1", "0.07", "", "", ""],
        [
            "2026-11",
            "",
            "02T08",
            "Usage",
            "USE1-NovaLite-output-tokens",
            "1",
            november,
            "",
            "search",
            "",
        ],
        [
            "2026-09",
            "1",
            "02T08",
            "Usage",
            "USE1-NovaLite-output-tokens",
            "1",
            "99",
            "",
            "search",
            "",
        ],
    ];
    format!("{HEADER}\n{}", rows.map(row).concat())
}

fn table() -> Table {
    Table {
        database: "billing".to_owned(),
        table: "cur2".to_owned(),
        partition: "billing_period".to_owned(),
        products: vec!["Amazon%".to_owned()],
        tags: BTreeMap::from([(Dimension::Team, "resource_tags_user_team".to_owned())]),
        amortized: true,
    }
}

/// The answer of the embedded database to a statement, as Athena would give it.
fn embedded(report: &str, statement: &str) -> Value {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let columns: Vec<&str> = HEADER.split(',').collect();
    database
        .execute_batch(&format!(
            "ATTACH ':memory:' AS billing; CREATE TABLE billing.cur2 ({}, billing_period)",
            columns.join(", ")
        ))
        .unwrap();
    for line in report.lines().skip(1) {
        let mut values: Vec<Option<&str>> = line.split(',').map(|v| (!v.is_empty()).then_some(v)).collect();
        values.push(line.get(..7));
        let marks = vec!["?"; values.len()].join(", ");
        database
            .execute(
                &format!("INSERT INTO billing.cur2 VALUES ({marks})"),
                rusqlite::params_from_iter(values),
            )
            .unwrap();
    }
    let mut prepared = database.prepare(statement).unwrap();
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let cell = |text: &str| json!({ "VarCharValue": text });
    let mut rows = vec![json!({ "Data": names.iter().map(|name| cell(name)).collect::<Vec<_>>() })];
    let mut found = prepared.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let cells = (0..names.len()).map(|at| match row.get_ref(at).unwrap() {
            ValueRef::Null => json!({}),
            ValueRef::Integer(n) => cell(&n.to_string()),
            ValueRef::Real(n) => cell(&n.to_string()),
            ValueRef::Text(text) | ValueRef::Blob(text) => cell(std::str::from_utf8(text).unwrap()),
        });
        rows.push(json!({ "Data": cells.collect::<Vec<_>>() }));
    }
    let info = names.iter().map(|name| {
        json!({"CatalogName": "", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": "varchar",
            "Precision": 0, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": false})
    });
    json!({ "rows": rows, "column_info": info.collect::<Vec<_>>() })
}

fn seed(emulator: &Emulator, answer: &Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    agent
        .post(format!("{}/moto-api/static/athena/query-results", emulator.url))
        .header("content-type", "application/json")
        .send(json!({ "results": [answer] }).to_string())
        .unwrap();
}

fn options(now: &str) -> Options {
    Options {
        name: Label::new("test"),
        table: table(),
        workgroup: "primary".to_owned(),
        output: Some("s3://answers/finops/".to_owned()),
        most_bytes: 1_000_000_000,
        months: 2,
        defaults: Vec::new(),
        refresh: chrono::TimeDelta::hours(8),
        patience: std::time::Duration::from_secs(20),
        now: time(now),
    }
}

/// Month, basis, day, team, category, model: cost and tokens.
type Sums = BTreeMap<(String, Basis, String, String, String, String), (rust_decimal::Decimal, i128)>;

fn sums(bills: &[Bill]) -> Sums {
    let mut sums = Sums::new();
    for bill in bills
        .iter()
        .filter(|bill| bill.period.start >= time("2026-10-01T00:00:00Z"))
    {
        for (key, row) in bill.rows.iter() {
            let of = |dimension| key.dimensions.get(dimension).as_str().to_owned();
            let sum = sums
                .entry((
                    bill.identity.clone(),
                    key.basis,
                    key.hour.start().date_naive().to_string(),
                    of(Dimension::Team),
                    of(Dimension::Category),
                    of(Dimension::Model),
                ))
                .or_default();
            sum.0 += row.cost;
            sum.1 += row.tokens.get(Bucket::Output) + row.tokens.get(Bucket::InputUncached);
        }
    }
    sums
}

#[test]
fn the_statement_gives_the_bill_that_the_file_gives() {
    let Some(emulator) = moto_with("athena") else { return };
    let months = |months: &[&str]| months.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
    let mut kept = Kept::default();
    let read = |now: &str, november: &str, asked: &[&str], kept: &mut Kept| {
        seed(
            &emulator,
            &embedded(&report(november), &table().statement(&months(asked))),
        );
        let known = kept.checkpoints.clone();
        kept.bills.clear();
        Athena::new(&connect(&emulator), options(now))
            .unwrap()
            .read(&known, kept)
            .unwrap();
        let from_file = read_text("cur.csv", report(november));
        assert_eq!(from_file.rejected, []);
        (sums(&kept.bills), sums(&from_file.bills))
    };
    let (by_query, by_file) = read("2026-11-03T00:00:00Z", "0.5", &["2026-10", "2026-11"], &mut kept);
    assert_eq!(by_query, by_file);
    assert!(by_query.len() >= 8, "{by_query:?}");

    // October is invoiced and not read again; what changed in November is.
    let (by_query, mut by_file) = read("2026-11-10T00:00:00Z", "0.75", &["2026-11"], &mut kept);
    by_file.retain(|(identity, ..), _| identity.ends_with("2026-11-01"));
    assert_eq!(by_query, by_file);
    assert!(!by_query.is_empty());

    // Within the time of rest nothing is asked.
    kept.bills.clear();
    let known = kept.checkpoints.clone();
    let mut source = Athena::new(&connect(&emulator), options("2026-11-10T01:00:00Z")).unwrap();
    source.read(&known, &mut kept).unwrap();
    assert!(kept.bills.is_empty());
}

#[test]
fn an_answer_that_is_wrong_in_one_row_is_refused_whole() {
    let Some(emulator) = moto_with("athena-wrong") else {
        return;
    };
    let statement = table().statement(&["2026-10".to_owned(), "2026-11".to_owned()]);
    let mut answer = embedded(&report("0.5"), &statement);
    let at = answer["column_info"]
        .as_array()
        .unwrap()
        .iter()
        .position(|column| column["Name"] == "line_item_unblended_cost")
        .unwrap();
    answer["rows"][2]["Data"][at]["VarCharValue"] = "much".into();
    seed(&emulator, &answer);
    let mut kept = Kept::default();
    let mut source = Athena::new(&connect(&emulator), options("2026-11-03T00:00:00Z")).unwrap();
    let error = source.read(&Default::default(), &mut kept).unwrap_err().to_string();
    assert!(error.contains("line_item_unblended_cost"), "{error}");
    assert!(kept.bills.is_empty() && kept.checkpoints.is_empty());
}

/// Answers each call by its name and notes it, as long as it is asked.
fn stub(answer: fn(&str) -> Value) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let called = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&called);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut name, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((header, value)) = line.trim().split_once(": ") else {
                    if line.trim().is_empty() {
                        break;
                    }
                    continue;
                };
                match header.to_ascii_lowercase().as_str() {
                    "x-amz-target" => name = value.rsplit('.').next().unwrap().to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let body = answer(&name).to_string();
            kept.lock().unwrap().push(name);
            respond(&mut stream, 200, "connection: close\r\n", &body);
        }
    });
    (url, called)
}

#[test]
fn a_statement_that_scans_too_much_is_stopped_and_nothing_is_recorded() {
    let (url, called) = stub(|name| match name {
        "StartQueryExecution" => json!({ "QueryExecutionId": "q" }),
        "GetQueryExecution" => json!({ "QueryExecution": {
            "Status": { "State": "RUNNING" }, "Statistics": { "DataScannedInBytes": 2_000_000_000_u64 },
        } }),
        _ => json!({}),
    });
    let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
    let mut source = Athena::new(&aws, options("2026-11-20T12:00:00Z")).unwrap();
    let mut kept = Kept::default();
    let error = source.read(&Default::default(), &mut kept).unwrap_err().to_string();
    assert!(error.contains("it scanned 2000000000 bytes"), "{error}");
    assert!(kept.bills.is_empty());
    let called = called.lock().unwrap();
    assert_eq!(
        *called,
        ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution"]
    );
}
