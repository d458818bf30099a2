//! `finops report --files`: what files hold, told as a ledger tells it that they were recorded in.

use std::path::Path;
use std::process::Output;

use crate::support::finops;

fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(home.path().join(name), text).unwrap();
    }
    home
}

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Reports of these files as they are, and of a ledger that they were recorded in.
fn both(home: &Path, files: &[&str], report: &[&str]) -> (Output, Output) {
    let looked = finops(home, &[&["report"], report, &["--files"], files].concat());
    let ledger = ["--store", "sqlite:ledger/l.db"];
    finops(home, &[&ledger, &["record"][..], files].concat());
    let recorded = finops(home, &[&ledger, &["report"][..], report].concat());
    std::fs::remove_dir_all(home.join("ledger")).unwrap();
    (looked, recorded)
}

fn assert_same(home: &Path, files: &[&str], report: &[&str]) {
    let (looked, recorded) = both(home, files, report);
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text(&looked), text(&recorded), "{report:?}");
    assert!(looked.status.success() && !looked.stdout.is_empty(), "{report:?}");
}

const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
{"id":"b","ts":"2026-11-04T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":2000,"output_tokens":100,"team":"ads"}
{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"anthropic","model":"nobody-knows","input_tokens":5,"output_tokens":1,"team":"ads"}
{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
"#;

const CLAUDE: &str = concat!(
    r#"{"type":"assistant","timestamp":"2026-11-05T09:00:00.000Z","sessionId":"s","requestId":"r1","cwd":"/home/x/api","#,
    r#""message":{"id":"m1","model":"claude-sonnet-4-6","usage":{"input_tokens":12,"output_tokens":34,"cache_read_input_tokens":5600}}}"#,
    "\n",
);

/// Two months, accounts and currencies, tags, credits, tokens, and costs that differ on the two bases.
fn bill() -> String {
    let mut text = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
        ChargeCategory,ProviderName,SubAccountId,ServiceName,x_Model,ConsumedUnit,ConsumedQuantity,SkuMeter,Tags\n"
        .to_owned();
    for row in 0_usize..600 {
        let month = 10 + row % 2;
        let (start, end) = (format!("2026-{month}-01"), format!("2026-{}-01", month + 1));
        let (cost, currency) = (
            format!("{}{}.{:04}", ["", "-"][row / 9 % 2], row % 7, row * 13 % 10_000),
            if row % 50 == 0 { "EUR" } else { "USD" },
        );
        let tokens = row % 5 == 0;
        let (unit, meter) = if tokens {
            ("1K tokens", ["input", "output"][row / 5 % 2])
        } else {
            ("Hours", "")
        };
        text.push_str(&format!(
            "{cost},{}.5,{currency},acme,{start},{end},2026-{month}-{:02}T{:02}:00:00Z,{},AWS,{},{},{},{unit},{},{meter},\"{{\"\"team\"\":\"\"t{}\"\",\"\"project\"\":\"\"p{}\"\"}}\"\n",
            row % 3, row % 20 + 1, row % 24, ["Usage", "Usage", "Credit"][row % 3], ["s1", "s2", ""][row / 7 % 3],
            ["Bedrock", "Storage"][row / 3 % 2], if tokens { "m-1" } else { "" }, row % 11, row % 4, row % 6,
        ));
    }
    text
}

#[test]
fn usage_is_reported_as_from_a_ledger_and_nothing_is_kept() {
    let home = home(&[("usage.jsonl", USAGE), ("session.jsonl", CLAUDE)]);
    for report in [
        "--by model",
        "--by day,team --format json",
        "--by project --format csv",
        "--by source --from 2026-11-01 --to 2026-12-01 --format json",
        "--by model --where team=ads --format json",
    ] {
        let report: Vec<&str> = report.split(' ').collect();
        assert_same(home.path(), &["usage.jsonl", "session.jsonl"], &report);
        assert_same(home.path(), &["*.jsonl"], &report);
    }
    assert_eq!(names(home.path()), ["session.jsonl", "usage.jsonl"]);
}

#[test]
fn a_bill_is_reported_as_from_a_ledger_whatever_columns_the_report_needs() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE)]);
    for report in [
        "--basis billed --by day,service",
        "--basis effective --by service,category",
        "--basis billed --by month,team --where project=p1 --where project=p2",
        "--basis effective --by hour,account --where category=Usage",
        "--basis billed --by model,provider",
        "--basis billed --by source,user",
        "--basis billed-filled --by day",
        "--basis metered --by model",
        "--basis billed --by week --from 2026-10-03 --to 2026-10-20",
    ] {
        let report: Vec<&str> = report.split(' ').chain(["--format", "json"]).collect();
        assert_same(home.path(), &["bill.csv", "usage.jsonl"], &report);
    }
}

/// Every dimension, span of time, filter and period that a report has, on both bases of a bill.
fn questions() -> Vec<Vec<String>> {
    let mut questions = Vec::new();
    let axes =
        "hour day week month provider model service account team agent workflow user project source tier category";
    let filters = [
        "",
        "--where service=Bed*",
        "--where team=t1 --where team=t2 --where category=Usage",
        "--where model=m-1",
        "--from 2026-10-01 --to 2026-11-01",
        "--from 2026-10-05 --top 2",
        "--to 2026-11-15",
        "--from 2026-10-01",
        "--where account=s1 --where provider=aws",
        "--costs-only",
        "--costs-only --where category=Usage",
    ];
    for (at, axis) in axes.split(' ').enumerate() {
        for basis in ["billed", "effective"] {
            for second in ["", ",day", ",service"] {
                let filter = filters[(at + basis.len() + second.len()) % filters.len()];
                let question = format!("--basis {basis} --by {axis}{second} {filter} --format json");
                questions.push(question.split_whitespace().map(str::to_owned).collect());
            }
        }
    }
    questions.extend(filters.map(|filter| {
        let question = format!("--basis billed --by day,service {filter} --format json");
        question.split_whitespace().map(str::to_owned).collect()
    }));
    questions
}

fn assert_all_same(home: &Path, file: &str) {
    let ledger = ["--store", "sqlite:ledger/l.db"];
    assert!(
        finops(home, &[&ledger[..], &["record", file]].concat())
            .status
            .success()
    );
    for question in questions() {
        let question: Vec<&str> = question.iter().map(String::as_str).collect();
        let looked = finops(home, &[&["report"][..], &question, &["--files", file]].concat());
        let recorded = finops(home, &[&ledger[..], &["report"], &question].concat());
        let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(text(&looked), text(&recorded), "{question:?}");
        assert!(
            looked.status.success() && text(&looked).contains("\"rows\""),
            "{question:?}"
        );
    }
    std::fs::remove_dir_all(home.join("ledger")).unwrap();
}

#[test]
fn whatever_is_asked_of_a_bill_as_text_its_ledger_tells_the_same() {
    let home = home(&[("bill.csv", &bill())]);
    assert_all_same(home.path(), "bill.csv");
}

/// The same bill as Parquet, amounts as numbers of this type.
#[cfg(feature = "parquet")]
fn as_parquet(text: &str, money: &str) -> Vec<u8> {
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    use rust_decimal::prelude::ToPrimitive;

    let amounts = ["BilledCost", "EffectiveCost", "ConsumedQuantity"];
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let columns = names.iter().map(|name| match amounts.contains(&name.as_str()) {
        true => format!("required {};", money.replace('?', name)),
        false => format!("optional binary {name} (UTF8);"),
    });
    let schema = format!("message bill {{ {} }}", columns.collect::<String>());
    let schema = parquet::schema::parser::parse_message_type(&schema).unwrap();
    let mut bytes = Vec::new();
    let mut file =
        parquet::file::writer::SerializedFileWriter::new(&mut bytes, schema.into(), Default::default()).unwrap();
    for rows in rows.chunks(250) {
        let mut group = file.next_row_group().unwrap();
        for at in 0..names.len() {
            let mut column = group.next_column().unwrap().unwrap();
            let texts = rows.iter().map(|row| row.get(at).unwrap());
            let number = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
            match column.untyped() {
                ColumnWriter::DoubleColumnWriter(writer) => {
                    let values: Vec<f64> = texts.map(|text| text.parse().unwrap()).collect();
                    writer.write_batch(&values, None, None).unwrap();
                }
                ColumnWriter::Int64ColumnWriter(writer) => {
                    let values: Vec<i64> = texts
                        .map(|text| (number(text) * number("10000")).to_i64().unwrap())
                        .collect();
                    writer.write_batch(&values, None, None).unwrap();
                }
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let levels: Vec<i16> = texts.clone().map(|text| i16::from(!text.is_empty())).collect();
                    let values: Vec<ByteArray> = texts.filter(|text| !text.is_empty()).map(ByteArray::from).collect();
                    writer.write_batch(&values, Some(&levels), None).unwrap();
                }
                _ => panic!("no such column"),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

#[cfg(feature = "parquet")]
#[test]
fn whatever_is_asked_of_a_bill_as_parquet_its_ledger_tells_the_same() {
    for money in ["double ?", "int64 ? (DECIMAL(18,4))"] {
        let home = home(&[]);
        std::fs::write(home.path().join("bill.parquet"), as_parquet(&bill(), money)).unwrap();
        assert_all_same(home.path(), "bill.parquet");
        // What the bill is as text it is in this form too.
        std::fs::write(home.path().join("bill.csv"), bill()).unwrap();
        let report = |file| {
            finops(
                home.path(),
                &[
                    "report", "--basis", "billed", "--by", "day,team", "--format", "json", "--files", file,
                ],
            )
        };
        assert_eq!(report("bill.parquet").stdout, report("bill.csv").stdout);
    }
}

#[test]
fn a_report_of_costs_alone_tells_no_tokens_in_any_form() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE)]);
    for basis in ["billed", "metered"] {
        for format in ["table", "json", "jsonl", "csv", "markdown", "html"] {
            let report = ["--basis", basis, "--by", "day", "--format", format];
            assert_same(
                home.path(),
                &["bill.csv", "usage.jsonl"],
                &[&report[..], &["--costs-only"]].concat(),
            );
            let text = |args: &[&str]| {
                let output = finops(
                    home.path(),
                    &[&["report"][..], &report, args, &["--files", "bill.csv", "usage.jsonl"]].concat(),
                );
                String::from_utf8(output.stdout).unwrap()
            };
            let (all, costs) = (text(&[]), text(&["--costs-only"]));
            for word in ["input", "output", "cache"] {
                let told = |text: &str| {
                    text.to_lowercase().contains(&format!("{word}_"))
                        || text.to_lowercase().contains(&format!(" {word} "))
                };
                assert!(!told(&costs) || format == "html", "{basis} {format} {costs}");
                assert!(
                    told(&all) || word == "cache" || format == "html",
                    "{basis} {format} {all}"
                );
            }
        }
    }
}

#[test]
fn terms_of_the_account_hold_for_files_too() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE)]);
    let contract = "[[contract]]\nname = \"c\"\nprovider = \"anthropic\"\ndiscount = \"10 %\"\nfrom = \"2026-01-01\"\n";
    std::fs::write(home.path().join("finops.toml"), contract).unwrap();
    let (looked, recorded) = both(
        home.path(),
        &["bill.csv", "usage.jsonl"],
        &["--basis", "effective", "--by", "day,service", "--format", "json"],
    );
    assert_eq!(
        String::from_utf8(looked.stdout).unwrap(),
        String::from_utf8(recorded.stdout).unwrap(),
        "{}",
        String::from_utf8_lossy(&looked.stderr)
    );
}

/// A bill whose file ends in its middle, behind what tells its format.
fn cut_bill() -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let bill = bill();
    let (_, rows) = bill.split_once('\n').unwrap();
    packed.write_all(bill.as_bytes()).unwrap();
    (0..30).for_each(|_| packed.write_all(rows.as_bytes()).unwrap());
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    packed
}

#[test]
fn what_a_report_of_files_lacks_is_told_in_words_that_are_true_of_it() {
    let home = home(&[("bill.csv", &bill()), ("usage.jsonl", USAGE), ("empty.jsonl", "")]);
    let place = format!("{}/", home.path().canonicalize().unwrap().display());
    std::fs::write(home.path().join("cut.csv.gz"), cut_bill()).unwrap();
    let report = |files: &[&str]| {
        let args = "report --basis billed --by month --from 2026-10-01 --format csv --files";
        let args: Vec<&str> = args.split(' ').collect();
        let output = finops(home.path(), &[&args[..], files].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&place, "");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, rows, told) = report(&["cut.csv.gz", "bill.csv"]);
    assert_eq!((code, rows.lines().count()), (2, 1), "{rows}");
    insta::assert_snapshot!(told, @r"
    warning: no bill is told, since a file of theirs cannot be read; a report without that file tells the others (1 time)
    rejected: cut.csv.gz: cannot be read: incomplete deflate stream
    hint: `finops --store memory: record PATH --rejects FILE` keeps all of them
    warning: what is told above as not usable is missing from the report
    hint: no spend could be read from the files
    ");
    // Terms of an account change what is asked of bills, and not what is told.
    std::fs::write(
        home.path().join("finops.toml"),
        "[[contract]]\nname = \"c\"\nprovider = \"anthropic\"\ndiscount = \"10 %\"\nfrom = \"2026-01-01\"\n",
    )
    .unwrap();
    assert_eq!(report(&["cut.csv.gz", "bill.csv"]), (code, rows, told));
    std::fs::remove_file(home.path().join("finops.toml")).unwrap();

    let (code, rows, told) = report(&["bill.csv"]);
    assert_eq!((code, rows.lines().count(), told.as_str()), (0, 4, ""));
    // A file that is named alone is looked into, whatever a manifest beside it lacks.
    let part = home.path().join("part");
    std::fs::create_dir(&part).unwrap();
    std::fs::copy(home.path().join("bill.csv"), part.join("rep-00001.csv")).unwrap();
    let named = r#"{"assemblyId":"x","reportKeys":["pre/rep/20261001-20261101/rep-00001.csv","pre/rep/20261001-20261101/rep-00002.csv"]}"#;
    std::fs::write(part.join("rep-Manifest.json"), named).unwrap();
    let (code, rows, told) = report(&["part/rep-00001.csv"]);
    assert_eq!((code, rows.lines().count(), told.as_str()), (0, 4, ""));
    let (code, _, told) = report(&["empty.jsonl"]);
    assert_eq!((code, told.as_str()), (0, "hint: the files hold no spend\n"));
    let (code, _, told) = report(&["nowhere.csv"]);
    assert_eq!(code, 3);
    insta::assert_snapshot!(told, @r"
    error: source `files`: cannot read `nowhere.csv`: no such file or folder
    hint: check the spelling; looked for it at `nowhere.csv`
    warning: what is told above as not usable is missing from the report
    hint: no spend could be read from the files
    ");

    // When it is recorded, what is known of the bill does stay.
    let recorded = finops(home.path(), &["--store", "memory:", "record", "cut.csv.gz"]);
    let told = String::from_utf8(recorded.stderr).unwrap();
    assert!(
        told.contains("bills were kept as they are") && told.contains("hint: `finops --store memory: record PATH"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_is_told_as_it_is_when_recording() {
    let bad = format!("{USAGE}{{\"id\":\"d\"}}\n");
    let home = home(&[("usage.jsonl", &bad), ("notes.txt", "no usage at all\n")]);
    let looked = |paths: &[&str]| finops(home.path(), &[&["report", "--by", "model", "--files"], paths].concat());
    let recorded = |paths: &[&str]| finops(home.path(), &[&["--store", "memory:", "record"], paths].concat());
    for paths in [&["usage.jsonl"][..], &["nowhere.jsonl"], &["notes.txt", "usage.jsonl"]] {
        let (looked, recorded) = (looked(paths), recorded(paths));
        assert_eq!(looked.status.code(), recorded.status.code(), "{paths:?}");
        assert_ne!(looked.status.code(), Some(0), "{paths:?}");
        let first = |output: &Output| {
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .next()
                .map(str::to_owned)
        };
        assert_eq!(first(&looked), first(&recorded), "{paths:?}");
    }
    assert!(String::from_utf8_lossy(&looked(&["usage.jsonl"]).stdout).contains("claude-sonnet-4-6"));
    assert_eq!(
        finops(home.path(), &["report", "--source", "focus"]).status.code(),
        Some(2)
    );
    let foreign = finops(home.path(), &["report", "--source", "plain", "--files", "usage.jsonl"]);
    assert_eq!(foreign.status.code(), Some(2));
}

/// A Cost and Usage Report of two months, with what commitments cover, tokens, tags as a map and in a column, and net costs here and there.
fn cost_and_usage() -> String {
    let mut text = "bill_billing_period_start_date,bill_payer_account_id,line_item_usage_start_date,line_item_usage_account_id,\
        line_item_line_item_type,line_item_product_code,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_currency_code,\
        line_item_unblended_cost,line_item_net_unblended_cost,savings_plan_savings_plan_effective_cost,reservation_effective_cost,\
        reservation_unused_recurring_fee,reservation_reservation_a_r_n,line_item_resource_id,resource_tags,resource_tags_user_project\n"
        .to_owned();
    let kinds = [
        "Usage",
        "SavingsPlanCoveredUsage",
        "SavingsPlanNegation",
        "DiscountedUsage",
        "RIFee",
        "Credit",
        "Fee",
    ];
    for row in 0_usize..600 {
        let month = 10 + row % 2;
        let cost = format!("{}{}.{:04}", ["", "-"][row / 9 % 2], row % 7, row * 13 % 10_000);
        let resource = match row % 10 {
            0 => "arn:aws:bedrock:us-east-1::foundation-model/m-1".to_owned(),
            at => format!("arn:aws:s3:::{row}/{at}"),
        };
        text.push_str(&format!(
            "2026-{month}-01,acme,2026-{month}-{:02}T{:02}:00:00Z,{},{},{},{},{}.5,{},{},{cost},{},0.{row},4e-{},{},{},{resource},\"{{\"\"user_team\"\":\"\"t{}\"\"}}\",p{}\n",
            row % 20 + 1, row % 24, ["s1", "s2", ""][row / 7 % 3], kinds[row / 4 % kinds.len()], ["Bedrock", "Storage"][row / 3 % 2],
            ["USE1-x-output-tokens", "BoxUsage"][row / 5 % 2], row % 11, ["1K tokens", "Hrs"][row / 5 % 2], if row % 50 == 0 { "EUR" } else { "USD" },
            ["", "1.25", "NULL"][row / 2 % 3], row % 9, row % 3, ["", "arn:r"][row / 11 % 2], row % 4, row % 6,
        ));
    }
    text
}

#[test]
fn whatever_is_asked_of_a_cost_and_usage_report_its_ledger_tells_the_same() {
    let home = home(&[("cur.csv", &cost_and_usage())]);
    assert_all_same(home.path(), "cur.csv");
    let totals = |basis: &str| {
        let report = [
            "report",
            "--basis",
            basis,
            "--by",
            "category",
            "--from",
            "2026-10-01",
            "--to",
            "2026-12-01",
            "--format",
            "csv",
            "--files",
            "cur.csv",
        ];
        let told = finops(home.path(), &report).stdout;
        let mut table = csv::Reader::from_reader(told.as_slice());
        let names = table.headers().unwrap().clone();
        let place = |name: &str| names.iter().position(|other| other == name).unwrap();
        let places = [
            0,
            place("events"),
            place("output_tokens"),
            place("currency"),
            place("currency") + 1,
        ];
        let mut rows: Vec<String> = table
            .records()
            .map(|row| places.map(|at| row.as_ref().unwrap()[at].to_owned()).join(" "))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(
        totals("billed"),
        [
            "Credit 2 0 EUR -7.455",
            "Credit 82 0 USD 28.1632",
            "Purchase 164 0 USD 14.2178",
            "Purchase 4 0 EUR -15.82",
            "Usage 342 921500 USD -12.9432",
            "Usage 6 35000 EUR 12.015",
        ]
    );
    assert_eq!(
        totals("effective"),
        [
            "Credit 2 0 EUR -5.14",
            "Credit 82 0 USD 47.4946",
            "Purchase 164 0 USD 114.6008",
            "Purchase 4 0 EUR -3.325",
            "Usage 342 921500 USD 102.63018832",
            "Usage 6 35000 EUR 2.78500004",
        ]
    );
}
