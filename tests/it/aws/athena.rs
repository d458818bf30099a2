//! A bill in Athena: the statement that is sent, run by SQLite over the same rows that the file adapter reads, gives the same bill.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use finops::adapters::aws::Aws;
use finops::adapters::aws::athena::sql::Table;
use finops::adapters::aws::athena::{Athena, Options};
use finops::adapters::aws::request::Deadline;
use finops::adapters::clock::SystemClock;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::spend::{Basis, Bill};
use finops::domain::usage::Bucket;
use finops::ports::{Clock as _, UsageSource};
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use super::connect;
use super::emulator::{Emulator, moto_with};
use super::lambda::respond;
use crate::files::{Kept, read_text, time};
use crate::support::program;

/// The columns of the report, each with what most rows have in it; those of the last two are of products and tags.
pub(super) const COLUMNS: [(&str, &str); 34] = [
    ("bill_billing_period_start_date", ""),
    ("bill_payer_account_id", "111111111111"),
    ("bill_invoice_id", "1"),
    ("line_item_usage_start_date", ""),
    ("line_item_usage_account_id", "123456789012"),
    ("line_item_line_item_type", "Usage"),
    ("line_item_product_code", "AmazonBedrock"),
    ("line_item_usage_type", "USE1-NovaLite-output-tokens"),
    ("line_item_usage_amount", "1"),
    ("pricing_unit", "1K tokens"),
    ("line_item_unblended_cost", ""),
    ("line_item_net_unblended_cost", ""),
    ("line_item_currency_code", "USD"),
    (
        "line_item_resource_id",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    ),
    ("line_item_iam_principal", ""),
    ("resource_tags_user_agent", ""),
    ("savings_plan_savings_plan_effective_cost", ""),
    ("savings_plan_net_savings_plan_effective_cost", ""),
    ("savings_plan_total_commitment_to_date", ""),
    ("savings_plan_used_commitment", ""),
    ("reservation_effective_cost", ""),
    ("reservation_net_effective_cost", ""),
    ("reservation_unused_amortized_upfront_fee_for_billing_period", ""),
    ("reservation_unused_recurring_fee", ""),
    ("reservation_net_unused_amortized_upfront_fee_for_billing_period", ""),
    ("reservation_net_unused_recurring_fee", ""),
    ("savings_plan_recurring_commitment_for_billing_period", ""),
    ("savings_plan_net_recurring_commitment_for_billing_period", ""),
    ("savings_plan_amortized_upfront_commitment_for_billing_period", ""),
    ("savings_plan_net_amortized_upfront_commitment_for_billing_period", ""),
    ("reservation_reservation_a_r_n", ""),
    ("cost_category", ""),
    ("product", r#"{"product_name":"Amazon Bedrock"}"#),
    ("resource_tags", r#"{"user_team":"search"}"#),
];

/// A row of a day and hour, with these values in place of the usual ones, by the end of their columns' names.
pub(super) fn row(at: &str, cost: &str, values: &[(&str, &str)]) -> Vec<String> {
    let value = |(column, usual): &(&str, &str)| match *column {
        "bill_billing_period_start_date" => format!("{}-01T00:00:00Z", &at[..7]),
        "line_item_usage_start_date" => format!("{at}:00:00Z"),
        "line_item_unblended_cost" => cost.to_owned(),
        _ => {
            let given = values.iter().find(|(name, _)| column == name);
            given.map_or(*usual, |(_, value)| value).to_owned()
        }
    };
    COLUMNS.iter().map(value).collect()
}

const NET: &str = "line_item_net_unblended_cost";
const KIND: &str = "line_item_line_item_type";
const PLAN: &str = "savings_plan_savings_plan_effective_cost";
const NET_PLAN: &str = "savings_plan_net_savings_plan_effective_cost";
const RESERVED: &str = "reservation_effective_cost";

fn report(november: &[Vec<String>], refund: &[Vec<String>]) -> String {
    let docs = ("resource_tags", r#"{"user_team":"docs"}"#);
    let october = [
        row(
            "2026-10-20T08",
            "0.0102",
            &[(NET, "0.0091"), ("line_item_usage_amount", "42.5")],
        ),
        row(
            "2026-10-20T09",
            "0.1000000004",
            &[(NET, "0.09"), ("line_item_usage_amount", "7.5")],
        ),
        row(
            "2026-10-21T09",
            "0.3",
            &[(NET, "0.25"), docs, ("resource_tags_user_agent", "bot")],
        ),
        row(
            "2026-10-21T10",
            "0.07",
            &[(KIND, "Tax"), ("resource_tags", ""), ("product", "")],
        ),
        // Of costs after discounts some rows have none.
        row("2026-10-22T08", "2.5", &[]),
        row("2026-10-22T09", "1.5", &[(NET, "0.75")]),
        row(
            "2026-10-23T08",
            "1.5",
            &[
                (KIND, "SavingsPlanCoveredUsage"),
                (NET, "1.25"),
                (PLAN, "0.75"),
                (NET_PLAN, "0.5"),
            ],
        ),
        row(
            "2026-10-23T09",
            "1.5",
            &[(KIND, "SavingsPlanCoveredUsage"), (PLAN, "0.75")],
        ),
        row(
            "2026-10-23T10",
            "1.5",
            &[(KIND, "SavingsPlanCoveredUsage"), (NET, "1.25")],
        ),
        row("2026-10-23T11", "1.5", &[(KIND, "SavingsPlanCoveredUsage")]),
        row(
            "2026-10-24T08",
            "2.5",
            &[
                (KIND, "DiscountedUsage"),
                (RESERVED, "1.5"),
                ("reservation_net_effective_cost", "1.25"),
            ],
        ),
        row("2026-10-24T09", "2.5", &[(KIND, "DiscountedUsage"), (RESERVED, "1.5")]),
        row(
            "2026-10-25T08",
            "8",
            &[
                (KIND, "SavingsPlanRecurringFee"),
                ("savings_plan_total_commitment_to_date", "8"),
                ("savings_plan_used_commitment", "6.5"),
            ],
        ),
        row(
            "2026-10-25T09",
            "4",
            &[(KIND, "SavingsPlanRecurringFee"), ("savings_plan_used_commitment", "3")],
        ),
        row(
            "2026-10-26T08",
            "4",
            &[(KIND, "RIFee"), ("reservation_unused_recurring_fee", "0.5")],
        ),
        row(
            "2026-10-26T09",
            "4",
            &[
                (KIND, "RIFee"),
                ("reservation_unused_recurring_fee", "0.5"),
                ("reservation_unused_amortized_upfront_fee_for_billing_period", "0.25"),
            ],
        ),
        row("2026-10-26T10", "4", &[(KIND, "RIFee"), (NET, "3.5")]),
        // What discounts leave of what was not used, of fees and of commitments that recur or were paid at once.
        row(
            "2026-10-26T11",
            "4",
            &[
                (KIND, "RIFee"),
                ("reservation_unused_recurring_fee", "0.5"),
                ("reservation_net_unused_recurring_fee", "0.25"),
                ("reservation_unused_amortized_upfront_fee_for_billing_period", "8"),
                ("reservation_net_unused_amortized_upfront_fee_for_billing_period", "6.5"),
            ],
        ),
        row(
            "2026-10-30T08",
            "8",
            &[
                (KIND, "SavingsPlanRecurringFee"),
                ("savings_plan_total_commitment_to_date", "8"),
                ("savings_plan_used_commitment", "6.5"),
                ("savings_plan_recurring_commitment_for_billing_period", "3.5"),
                ("savings_plan_net_recurring_commitment_for_billing_period", "1.75"),
                ("savings_plan_amortized_upfront_commitment_for_billing_period", "4.5"),
                (
                    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
                    "4.5",
                ),
            ],
        ),
        row(
            "2026-10-31T08",
            "0",
            &[
                (KIND, "SavingsPlanRecurringFee"),
                ("savings_plan_total_commitment_to_date", "8"),
                ("savings_plan_used_commitment", "4"),
                ("savings_plan_recurring_commitment_for_billing_period", "0"),
                ("savings_plan_net_recurring_commitment_for_billing_period", "0"),
                ("savings_plan_amortized_upfront_commitment_for_billing_period", "4.5"),
                (
                    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
                    "3.375",
                ),
            ],
        ),
        row(
            "2026-10-27T08",
            "4",
            &[(KIND, "Fee"), ("reservation_reservation_a_r_n", "arn:aws:rds:r")],
        ),
        // What the Marketplace sells says what it is in its name alone.
        row(
            "2026-10-28T08",
            "0.5",
            &[
                ("line_item_product_code", "5s3vshb47hh81rh3chrif8hdh6"),
                ("line_item_usage_type", "USE1-MP:USE1_InputTokenCount-Units"),
                ("pricing_unit", "Units"),
                ("line_item_resource_id", ""),
                ("line_item_iam_principal", "arn:aws:iam::123456789012:user/ana"),
                (
                    "product",
                    r#"{"product_name":"Claude Sonnet 4.5 (Amazon Bedrock Edition)"}"#,
                ),
            ],
        ),
        row("2026-09-02T08", "99", &[]),
    ];
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS.map(|(column, _)| column)).unwrap();
    for row in october.iter().chain(november).chain(refund) {
        table.write_record(row).unwrap();
    }
    String::from_utf8(table.into_inner().unwrap()).unwrap()
}

fn november(cost: &str, payer: &str) -> Vec<Vec<String>> {
    vec![row(
        "2026-11-02T08",
        cost,
        &[("bill_invoice_id", ""), ("bill_payer_account_id", payer)],
    )]
}

fn table() -> Table {
    Table {
        database: "billing".to_owned(),
        table: "cur2".to_owned(),
        partition: "billing_period".to_owned(),
        product_name: "product['product_name']".to_owned(),
        products: vec!["Amazon%".to_owned(), "%(Amazon Bedrock Edition)".to_owned()],
        tags: BTreeMap::from([
            (Dimension::Team, "resource_tags['user_team']".to_owned()),
            (Dimension::Agent, "resource_tags_user_agent".to_owned()),
            (Dimension::User, "line_item_iam_principal".to_owned()),
        ]),
        amortized: true,
        net: true,
    }
}

/// The statement as SQLite has it, which asks for the key of a map by an operator.
fn in_sqlite(statement: &str) -> String {
    let mut parts = statement.split("element_at(");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (map, rest) = part.split_once(", ").unwrap();
        text += &format!("({map} ->> {rest}");
    }
    text
}

/// The answer of the embedded database to a statement, as Athena would give it.
pub(super) fn embedded(report: &str, statement: &str) -> Value {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let columns = COLUMNS.map(|(column, _)| column);
    database
        .execute_batch(&format!(
            "ATTACH ':memory:' AS billing; CREATE TABLE billing.cur2 ({}, billing_period)",
            columns.join(", ")
        ))
        .unwrap();
    for line in csv::Reader::from_reader(report.as_bytes()).records() {
        let line = line.unwrap();
        let mut values: Vec<Option<&str>> = line.iter().map(|v| (!v.is_empty()).then_some(v)).collect();
        values.push(line.get(0).map(|start| &start[..7]));
        let marks = vec!["?"; values.len()].join(", ");
        database
            .execute(
                &format!("INSERT INTO billing.cur2 VALUES ({marks})"),
                rusqlite::params_from_iter(values),
            )
            .unwrap();
    }
    let mut prepared = database.prepare(&in_sqlite(statement)).unwrap();
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

pub(super) fn seed(emulator: &Emulator, answer: &Value) {
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
        deadline: None,
        as_whom: [None, None],
        allowed_accounts: Vec::new(),
        now: time(now),
    }
}

/// Month, basis, day, and what rows are told apart by: cost and tokens.
type Sums = BTreeMap<(String, Basis, String, String), (rust_decimal::Decimal, i128)>;

fn sums(bills: &[Bill]) -> Sums {
    let mut sums = Sums::new();
    for bill in bills
        .iter()
        .filter(|bill| bill.period.start >= time("2026-10-01T00:00:00Z"))
    {
        for (key, row) in bill.rows.iter() {
            let names = [
                Dimension::Provider,
                Dimension::Account,
                Dimension::Service,
                Dimension::Category,
                Dimension::Model,
                Dimension::Team,
                Dimension::Agent,
                Dimension::User,
            ];
            let names = names.map(|dimension| key.dimensions.get(dimension).as_str().to_owned());
            let sum = sums
                .entry((
                    bill.identity.clone(),
                    key.basis,
                    key.hour.start().date_naive().to_string(),
                    names.join(" | "),
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
    let months = ["2026-10".to_owned(), "2026-11".to_owned()];
    let mut kept = Kept::default();
    let read = |now: &str, report: String, kept: &mut Kept| {
        seed(&emulator, &embedded(&report, &table().statement(&months)));
        let known = kept.checkpoints.clone();
        kept.bills.clear();
        Athena::new(&connect(&emulator), options(now))
            .unwrap()
            .read(&known, kept)
            .unwrap();
        let from_file = read_text("cur.csv", report);
        assert_eq!(from_file.rejected, []);
        (sums(&kept.bills), sums(&from_file.bills))
    };
    let payer = "111111111111";
    let (by_query, by_file) = read("2026-11-03T00:00:00Z", report(&november("0.5", payer), &[]), &mut kept);
    assert_eq!(by_query, by_file);
    assert!(by_query.len() >= 22, "{by_query:?}");
    let effective = |day: &str| -> rust_decimal::Decimal {
        let of_day = by_query
            .iter()
            .filter(|((_, basis, at, _), _)| *basis == Basis::Effective && at == day);
        of_day.map(|(_, (cost, _))| *cost).sum()
    };
    assert_eq!(
        ["2026-10-30", "2026-10-31"].map(|day| effective(day).normalize().to_string()),
        ["0.75", "3"],
        "the unused 1.5 and 4, at what discounts leave of them"
    );
    let claude = by_query
        .iter()
        .find(|((.., names), _)| names.contains("claude-sonnet-4-5"));
    let ((.., names), (_, tokens)) = claude.unwrap();
    assert_eq!(
        names,
        "aws | 123456789012 | Claude Sonnet 4.5 (Amazon Bedrock Edition) | Usage | claude-sonnet-4-5 | search |  | arn:aws:iam::123456789012:user/ana"
    );
    assert_eq!(*tokens, 1_000_000);

    // October is invoiced, and a refund comes after that.
    let refund = [row(
        "2026-10-21T12",
        "-0.5",
        &[("bill_invoice_id", ""), (KIND, "Refund")],
    )];
    let (by_query, by_file) = read(
        "2026-11-10T00:00:00Z",
        report(&november("0.75", payer), &refund),
        &mut kept,
    );
    assert_eq!(by_query, by_file);
    assert!(
        by_query
            .iter()
            .any(|((.., names), (cost, _))| names.contains("Adjustment") && cost.is_sign_negative())
    );

    // Within the time of rest nothing is asked.
    kept.bills.clear();
    let known = kept.checkpoints.clone();
    let mut source = Athena::new(&connect(&emulator), options("2026-11-10T01:00:00Z")).unwrap();
    source.read(&known, &mut kept).unwrap();
    assert!(kept.bills.is_empty());

    // November is another payer's now, and only that one's.
    let (by_query, by_file) = read(
        "2026-11-11T00:00:00Z",
        report(&november("0.75", "222222222222"), &refund),
        &mut kept,
    );
    assert_eq!(by_query, by_file);
    let empty: Vec<&str> = kept
        .bills
        .iter()
        .filter(|bill| bill.rows.is_empty())
        .map(|bill| bill.identity.as_str())
        .collect();
    assert_eq!(empty, ["test/aws/111111111111/2026-11-01"]);
    // No row of a month is not the same as a month of nothing.
    let (by_query, _) = read("2026-11-12T00:00:00Z", report(&[], &refund), &mut kept);
    assert!(by_query.keys().all(|(identity, ..)| identity.ends_with("2026-10-01")));
    assert!(kept.bills.iter().all(|bill| !bill.rows.is_empty()));
    assert!(
        kept.warnings
            .keys()
            .any(|about| about.contains("no row of their month any more")),
        "{:?}",
        kept.warnings
    );
}

#[test]
fn a_table_may_lack_the_columns_of_commitments_discounts_and_maps() {
    let plain = Table {
        product_name: String::new(),
        products: Vec::new(),
        tags: BTreeMap::new(),
        amortized: false,
        net: false,
        ..table()
    };
    let months = ["2026-10".to_owned()];
    for (table, unwanted) in [
        (plain.clone(), &["reservation", "savings", "net_", "product_name"][..]),
        (
            Table {
                amortized: true,
                ..plain.clone()
            },
            &["net_"],
        ),
        (Table { net: true, ..plain }, &["reservation", "savings"]),
    ] {
        let statement = table.statement(&months);
        assert!(unwanted.iter().all(|column| !statement.contains(column)), "{statement}");
        embedded(&report(&[], &[]), &statement);
    }
}

#[test]
fn a_check_of_the_settings_finds_a_column_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let check = |tag: &str| {
        let settings = format!(
            "[store]\nurl = \"sqlite:l.db\"\n[[athena]]\nname = \"cur\"\ndatabase = \"b\"\ntable = \"t\"\ntags = {{ team = \"{tag}\" }}\n"
        );
        std::fs::write(folder.path().join("finops.toml"), settings).unwrap();
        program(folder.path()).args(["config", "check"]).output().unwrap()
    };
    assert_eq!(check("resource_tags['user_team']").status.code(), Some(0));
    let output = check("resource_tags[user_team]");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("NOT USABLE: `resource_tags[user_team]` is neither a column nor a key of one"),
        "{told}"
    );
}

#[test]
fn an_answer_that_is_wrong_in_one_row_is_refused_whole() {
    let Some(emulator) = moto_with("athena-wrong") else {
        return;
    };
    let statement = table().statement(&["2026-10".to_owned(), "2026-11".to_owned()]);
    let mut answer = embedded(&report(&november("0.5", "111111111111"), &[]), &statement);
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
    assert!(kept.bills.is_empty() && kept.checkpoints.keys().eq(["failed"]));
}

/// Answers each call by its name and notes it, as long as it is asked.
fn stub(answer: fn(&str) -> Value) -> (String, Arc<Mutex<Vec<String>>>) {
    stub_that(move |name| Some((200, answer(name))), |name, _| name.to_owned())
}

/// Answers each call by its name, or breaks the connection off, and notes something of it.
fn stub_that<N: Send + 'static>(
    answer: impl Fn(&str) -> Option<(u16, Value)> + Send + 'static,
    note: fn(&str, &Value) -> N,
) -> (String, Arc<Mutex<Vec<N>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let called = Arc::<Mutex<Vec<N>>>::default();
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
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = answer(&name);
            kept.lock()
                .unwrap()
                .push(note(&name, &serde_json::from_slice(&body).unwrap()));
            if let Some((status, body)) = answer {
                respond(&mut stream, status, "connection: close\r\n", &body.to_string());
            }
        }
    });
    (url, called)
}

#[test]
fn a_start_whose_answer_is_lost_is_one_statement_and_rests_like_one_that_is_paid_for() {
    for status in [None, Some(500)] {
        let answer = move |_: &str| status.map(|status| (status, json!({ "__type": "InternalServerException" })));
        let (url, called) = stub_that(answer, |_, body| {
            body["ClientRequestToken"].as_str().unwrap().to_owned()
        });
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let mut kept = Kept::default();
        let read = |now: &str, kept: &mut Kept| {
            let known = kept.checkpoints.clone();
            let read = Athena::new(&aws, options(now)).unwrap().read(&known, kept);
            let tokens = std::mem::take(&mut *called.lock().unwrap());
            (format!("{:?}", read.unwrap_err()), tokens)
        };
        let (failed, first) = read("2026-11-20T12:00:00Z", &mut kept);
        assert!(
            failed.contains("it may be paid for, and is asked again after half of"),
            "{failed}"
        );
        assert_eq!(first.len(), 4, "retried");
        assert!(
            first
                .iter()
                .all(|token| *token == first[0] && (32..=128).contains(&token.len())),
            "{first:?}"
        );
        let (failed, none) = read("2026-11-20T15:59:00Z", &mut kept);
        assert!(
            failed.contains("not asked before 2026-11-20T16:00:00Z") && none.is_empty(),
            "{failed}"
        );
        let (_, second) = read("2026-11-20T16:00:00Z", &mut kept);
        assert!(second.len() == 4 && second[0] != first[0], "another statement");
    }
    // What was throttled, or found nobody, cost nothing.
    let (throttling, _called) = stub_that(|_| Some((400, json!({ "__type": "ThrottlingException" }))), |_, _| ());
    for url in [throttling.as_str(), "http://127.0.0.1:9"] {
        let aws = Aws::at_emulator(url, super::LIMITS).unwrap();
        let mut kept = Kept::default();
        let mut source = Athena::new(&aws, options("2026-11-20T12:00:00Z")).unwrap();
        source.read(&Default::default(), &mut kept).unwrap_err();
        assert!(kept.checkpoints.is_empty(), "{url}");
    }
}

#[test]
fn a_statement_that_ended_is_recorded_however_much_it_scanned() {
    let (url, called) = stub(|name| match name {
        "GetQueryExecution" => json!({ "QueryExecution": {
            "Status": { "State": "SUCCEEDED" }, "Statistics": { "DataScannedInBytes": 2_000_000_000_u64 },
        } }),
        name => {
            let statement = table().statement(&["2026-10".to_owned(), "2026-11".to_owned()]);
            let answer = embedded(&report(&november("0.5", "111111111111"), &[]), &statement);
            let info = json!({ "ColumnInfo": answer["column_info"] });
            ended(
                name,
                json!({ "ResultSet": { "Rows": answer["rows"], "ResultSetMetadata": info } }),
            )
        }
    });
    let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
    let mut kept = Kept::default();
    let mut source = Athena::new(&aws, options("2026-11-20T12:00:00Z")).unwrap();
    source.read(&Default::default(), &mut kept).unwrap();
    assert_eq!(kept.bills.len(), 2);
    let told = "a statement had scanned 2000000000 bytes when it ended, `max_scan_gb` allows 1000000000: its answer is recorded";
    assert!(
        kept.warnings.keys().any(|about| about.starts_with(told)),
        "{:?}",
        kept.warnings
    );
    assert!(!called.lock().unwrap().contains(&"StopQueryExecution".to_owned()));
    assert!(!kept.checkpoints.contains_key("failed"));
}

#[test]
fn a_statement_ends_with_the_time_of_its_run() {
    let read = |state: &'static str, seconds: [u64; 2]| {
        let answer = move |name: &str| match name {
            "StartQueryExecution" => json!({ "QueryExecutionId": "q" }),
            "GetQueryExecution" => json!({ "QueryExecution": { "Status": { "State": state } } }),
            _ => json!({}),
        };
        let (url, called) = stub_that(move |name| Some((200, answer(name))), |name, _| name.to_owned());
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let begun = SystemClock.elapsed();
        let [reading, calls] = seconds.map(|seconds| begun + std::time::Duration::from_secs(seconds));
        let mut options = options("2026-11-20T12:00:00Z");
        options.deadline = Some(Deadline { reading, calls });
        let mut kept = Kept::default();
        let read = Athena::new(&aws, options).unwrap().read(&Default::default(), &mut kept);
        assert!(SystemClock.elapsed() - begun < std::time::Duration::from_secs(10));
        let called = std::mem::take(&mut *called.lock().unwrap());
        let failed = read.err().map(|error| format!("{error:?}")).unwrap_or_default();
        (failed, called, kept.checkpoints.contains_key("failed"))
    };
    let (failed, called, rests) = read("RUNNING", [1, 2]);
    assert!(
        failed.contains("took too long and was stopped") && failed.contains("raise `limits.time_budget_seconds`"),
        "{failed}"
    );
    assert!(!failed.contains("goes on where this one stopped"), "{failed}");
    assert_eq!(
        (called.last().map(String::as_str), rests),
        (Some("StopQueryExecution"), true)
    );
    // What waited in the queue has scanned nothing, and is sent again by the next run.
    let (failed, called, rests) = read("QUEUED", [1, 2]);
    assert!(failed.contains("it cost nothing"), "{failed}");
    assert_eq!(
        (called.last().map(String::as_str), rests),
        (Some("StopQueryExecution"), false)
    );
    // Where no time is left nothing is sent.
    assert_eq!(read("RUNNING", [0, 1]), (String::new(), Vec::new(), false));
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
    let log = called;
    let called = log.lock().unwrap();
    assert_eq!(
        *called,
        ["StartQueryExecution", "GetQueryExecution", "StopQueryExecution"]
    );
    drop(called);
    // It is paid for: the next run does not send it again at once.
    let known = kept.checkpoints.clone();
    let at = |now: &str| {
        Athena::new(&aws, options(now))
            .unwrap()
            .read(&known, &mut Kept::default())
            .unwrap_err()
            .to_string()
    };
    assert!(at("2026-11-20T15:59:00Z").contains("not asked before 2026-11-20T16:00:00Z, since"));
    assert_eq!(log.lock().unwrap().len(), 3);
    assert!(
        at("2026-11-20T16:00:00Z")
            .starts_with("cannot read `the Athena table billing.cur2`: the statement was stopped")
    );
    // With other settings it is sent at once.
    let mut more = options("2026-11-20T12:05:00Z");
    more.most_bytes += 1;
    let error = Athena::new(&aws, more).unwrap().read(&known, &mut Kept::default());
    assert!(error.unwrap_err().to_string().contains("it scanned 2000000000 bytes"));
    let mut elsewhere = options("2026-11-20T12:05:00Z");
    elsewhere.as_whom = [Some("arn:aws:iam::210987654321:role/finops".to_owned()), None];
    let mut patient = options("2026-11-20T12:05:00Z");
    patient.patience *= 2;
    for other in [elsewhere, patient] {
        let error = Athena::new(&aws, other).unwrap().read(&known, &mut Kept::default());
        assert!(error.unwrap_err().to_string().contains("it scanned 2000000000 bytes"));
    }
    // What failed cost nothing, and may be mended by now.
    let (url, _) = stub(|name| match name {
        "StartQueryExecution" => json!({ "QueryExecutionId": "q" }),
        _ => json!({ "QueryExecution": { "Status": { "State": "FAILED", "StateChangeReason": "TABLE_NOT_FOUND" } } }),
    });
    let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
    let mut source = Athena::new(&aws, options("2026-11-20T12:00:00Z")).unwrap();
    let mut kept = Kept::default();
    let error = source.read(&Default::default(), &mut kept).unwrap_err().to_string();
    assert!(
        error.contains("TABLE_NOT_FOUND") && kept.checkpoints.is_empty(),
        "{error}"
    );
}

/// A statement that has ended, and these pages of its answer.
fn ended(name: &str, page: Value) -> Value {
    match name {
        "StartQueryExecution" => json!({ "QueryExecutionId": "q" }),
        "GetQueryExecution" => json!({ "QueryExecution": { "Status": { "State": "SUCCEEDED" } } }),
        _ => page,
    }
}

#[test]
fn pages_without_an_end_are_not_followed_and_a_first_answer_without_rows_is_told() {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let round: fn(&str) -> Value = |name| ended(name, json!({ "ResultSet": {}, "NextToken": "1" }));
    let ever: fn(&str) -> Value = |name| {
        let next = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        ended(name, json!({ "ResultSet": {}, "NextToken": next }))
    };
    let read = |answer: fn(&str) -> Value| {
        let (url, _) = stub(answer);
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let mut options = options("2026-11-20T12:00:00Z");
        options.patience = std::time::Duration::from_secs(1);
        let mut kept = Kept::default();
        let read = Athena::new(&aws, options).unwrap().read(&Default::default(), &mut kept);
        (read.err().map(|error| error.to_string()).unwrap_or_default(), kept)
    };
    for (answer, words) in [
        (round, "names a page that was asked for"),
        (ever, "did not end in time"),
    ] {
        let (error, kept) = read(answer);
        assert!(error.contains(words) && kept.bills.is_empty(), "{error}");
    }
    let columns: fn(&str) -> Value = |name| {
        let statement = table().statement(&["2026-11".to_owned()]);
        let answer = embedded(&report(&[], &[]), &statement.replace("'2026-11'", "'none'"));
        ended(
            name,
            json!({ "ResultSet": { "Rows": answer["rows"], "ResultSetMetadata": { "ColumnInfo": answer["column_info"] } } }),
        )
    };
    let (error, kept) = read(columns);
    assert_eq!((error.as_str(), kept.bills.len()), ("", 0));
    let told = "no row of billing.cur2 has its `billing_period` among 2026-10, 2026-11: check `partition` and `products` if it has rows";
    assert_eq!(kept.warnings.get(told), Some(&1), "{:?}", kept.warnings);
}

/// A report of these rows.
fn of_rows(rows: &[Vec<String>]) -> String {
    let mut report = csv::Writer::from_writer(Vec::new());
    report.write_record(COLUMNS.map(|(column, _)| column)).unwrap();
    for row in rows {
        report.write_record(row).unwrap();
    }
    String::from_utf8(report.into_inner().unwrap()).unwrap()
}

/// An answer with these rows, and the statements that are sent for it.
fn answering(rows: &[Vec<String>], months: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let months: Vec<String> = months.iter().map(|month| (*month).to_owned()).collect();
    let answer = embedded(&of_rows(rows), &table().statement(&months));
    let info = json!({ "ColumnInfo": answer["column_info"] });
    let page = json!({ "ResultSet": { "Rows": answer["rows"], "ResultSetMetadata": info } });
    stub_that(
        move |name| Some((200, ended(name, page.clone()))),
        |_, body| body["QueryString"].as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn months_since_the_first_reading_are_read_until_they_are_invoiced() {
    let (mut kept, mut october) = (Kept::default(), None);
    let open = [("bill_invoice_id", "")];
    let [first, last, november] = ["2026-10-24T08", "2026-10-31T20", "2026-11-01T08"];
    for (now, invoiced, rows, months) in [
        ("2026-10-25", false, &[first][..], &["2026-10"][..]),
        ("2026-11-01", false, &[first], &["2026-10", "2026-11"]),
        ("2026-11-02", false, &[first, last], &["2026-10", "2026-11"]),
        ("2026-11-03", false, &[first, last, november], &["2026-10", "2026-11"]),
        ("2026-11-05", true, &[first, last, november], &["2026-10", "2026-11"]),
        // To the month before refunds come late.
        ("2026-11-06", true, &[first, last, november], &["2026-10", "2026-11"]),
        (
            "2026-12-01",
            true,
            &[first, last, november],
            &["2026-10", "2026-11", "2026-12"],
        ),
    ] {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|at| {
                let is_open = !(invoiced && at.starts_with("2026-10"));
                row(at, "10", if is_open { &open[..] } else { &[] })
            })
            .collect();
        let (url, sent) = answering(&rows, months);
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let known = kept.checkpoints.clone();
        kept.bills.clear();
        let options = Options {
            months: 1,
            ..options(&format!("{now}T12:00:00Z"))
        };
        Athena::new(&aws, options).unwrap().read(&known, &mut kept).unwrap();
        let asked = format!(" IN ('{}')", months.join("', '"));
        let statement = sent.lock().unwrap().remove(0);
        assert!(statement.contains(&asked), "{now}: {statement}");
        let billed = sums(&kept.bills)
            .into_iter()
            .filter(|((bill, basis, ..), _)| bill.ends_with("2026-10-01") && *basis == Basis::Billed);
        october = Some(billed.map(|(_, (cost, _))| cost).sum::<rust_decimal::Decimal>()).filter(|cost| !cost.is_zero());
    }
    assert_eq!(october.map(|cost| cost.normalize().to_string()).as_deref(), Some("20"));
}

#[test]
fn the_last_day_of_a_report_is_known_to_be_a_part() {
    let read = |last: &str| {
        let rows = [
            row("2026-11-08T23", "10", &[]),
            row("2026-11-09T00", "1", &[]),
            row(last, "1", &[]),
        ];
        let (url, _) = answering(&rows, &["2026-10", "2026-11"]);
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let mut kept = Kept::default();
        let mut source = Athena::new(&aws, options("2026-11-10T08:00:00Z")).unwrap();
        source.read(&Default::default(), &mut kept).unwrap();
        let rows = kept.bills.iter().flat_map(|bill| bill.rows.iter());
        let hours = rows.filter(|(key, _)| key.basis == Basis::Billed).map(|(key, _)| {
            let at = key.hour.start();
            at.format("%m-%dT%H").to_string()
        });
        let hours: std::collections::BTreeSet<String> = hours.collect();
        hours.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(read("2026-11-09T07"), ["11-08T00", "11-09T07"]);
    assert_eq!(read("2026-11-09T15"), ["11-08T00", "11-09T15"]);
    assert_eq!(read("2026-11-09T23"), ["11-08T00", "11-09T00"], "all of it");
}

#[test]
fn a_forecast_on_a_bill_in_athena_is_that_on_the_same_bill_as_a_file() {
    let Some(emulator) = moto_with("tail") else { return };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [athena, file] = folders.each_ref().map(tempfile::TempDir::path);
    let source = "[[athena]]\nname = \"cur\"\ndatabase = \"billing\"\ntable = \"cur2\"\noutput = \"s3://answers/\"\n";
    let files = "[[source]]\nname = \"cur\"\nkind = \"cur\"\npaths = [\"cur.csv\"]\n";
    for (folder, source) in [(athena, source), (file, files)] {
        let settings = format!("[store]\nurl = \"sqlite:l.db\"\n{source}");
        std::fs::write(folder.join("finops.toml"), settings).unwrap();
        std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
        let budget = "[[budget]]\nname = \"m\"\nscope = { provider = \"aws\" }\namount = \"300 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n\
                      [[budget.threshold]]\npercent = 100\nkind = \"forecast\"\n";
        std::fs::write(folder.join("policies/budgets/m.toml"), budget).unwrap();
    }
    // 24 equal hours a day, 309.60 in a month, told a day later.
    let first = time("2026-10-01T00:00:00Z");
    for hours in [0, 8, 16] {
        let now = time("2026-11-10T00:00:00Z") + chrono::TimeDelta::hours(hours);
        let told = (now - chrono::TimeDelta::hours(24) - first).num_hours();
        let at = |hour| first + chrono::TimeDelta::hours(hour);
        let rows: Vec<Vec<String>> = (0..told)
            .map(|hour| row(&at(hour).format("%Y-%m-%dT%H").to_string(), "0.43", &[]))
            .collect();
        let months = ["2026-10".to_owned(), "2026-11".to_owned()];
        let report = of_rows(&rows);
        seed(&emulator, &embedded(&report, &table().statement(&months)));
        std::fs::write(file.join("cur.csv"), &report).unwrap();
        let run = |folder: &std::path::Path| {
            let mut command = super::command::finops(folder, &emulator);
            let now = now.to_rfc3339();
            let output = command
                .args(["--now", &now, "run", "--format", "json"])
                .output()
                .unwrap();
            let words = super::command::text(&output);
            let mut said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}"));
            (
                said["budgets"].take(),
                said["alerts"]["active"].as_array().map(Vec::len),
                words,
            )
        };
        let ((by_query, fired, words), (by_file, fired_by_file, _)) = (run(athena), run(file));
        assert_eq!(by_query[0]["forecast"], by_file[0]["forecast"], "{now} {words}");
        assert_eq!(by_query[0]["notes"], by_file[0]["notes"], "{now} {words}");
        // In two runs in a row.
        assert_eq!(
            (fired, fired_by_file),
            (Some(usize::from(hours > 0)), fired),
            "{now} {words}"
        );
    }
}
