//! Bills by the command: several sources, taking one back, amounts of any length.

use std::fs;
use std::path::Path;

use crate::support::{err, finops, json, out};

const HEADER: &str = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName\n";

fn row(cost: &str, day: u32, provider: &str) -> String {
    format!(
        "{cost},{cost},acc,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,Usage,2026-11-{day:02}T00:00:00Z,{provider},x\n"
    )
}

fn home(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("u")).unwrap();
    let source = "[[source]]\nname = \"bill\"\npaths = [\"u\"]\n";
    let text = format!("[store]\nurl = \"sqlite:l.db\"\n{source}{settings}");
    fs::write(folder.path().join("finops.toml"), text).unwrap();
    folder
}

fn billed(folder: &Path) -> String {
    let report = finops(folder, &["report", "--basis", "billed", "--format", "json"]);
    assert_eq!(report.status.code(), Some(0), "{}", err(&report));
    json(&report)["rows"][0]["cost_usd"].as_str().unwrap().to_owned()
}

#[test]
fn the_same_bill_under_two_names_is_told_and_can_be_taken_back() {
    let home = home("");
    let folder = home.path();
    // Looking for bills makes no ledger.
    let before = fs::read_dir(folder).unwrap().count();
    assert_eq!(out(&finops(folder, &["bill"])), "no bill is recorded\n");
    assert_eq!(fs::read_dir(folder).unwrap().count(), before);
    fs::write(folder.join("u/a.csv"), format!("{HEADER}{}", row("40", 1, "AWS"))).unwrap();
    let first = finops(folder, &["record", "u/a.csv"]);
    assert!(!err(&first).contains("both have bills"), "{}", err(&first));
    let run = finops(folder, &["run"]);
    let told = "`bill` and `files` both have bills of aws for `acc`, of 2026-11-01, and are added up";
    assert!(err(&run).contains(told), "{}", err(&run));
    assert_eq!(billed(folder), "80");
    let bills = json(&finops(folder, &["bill", "list", "--format", "json"]));
    let names: Vec<_> = bills["bills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bill| &bill["bill"])
        .collect();
    assert_eq!(names, ["bill/aws/acc/2026-11-01", "files/aws/acc/2026-11-01"]);
    let dry = finops(folder, &["bill", "drop", "files/*", "--dry-run"]);
    assert_eq!(
        out(&dry),
        "would take back `files/aws/acc/2026-11-01`: $40.00 billed in 2 rows\n"
    );
    assert_eq!(billed(folder), "80");
    let unknown = finops(folder, &["bill", "drop", "files/*", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(billed(folder), "80", "all or none");
    let dropped = finops(folder, &["bill", "drop", "files/*"]);
    assert_eq!(
        out(&dropped),
        "took back `files/aws/acc/2026-11-01`: $40.00 billed in 2 rows\n"
    );
    assert_eq!(billed(folder), "40");
    finops(folder, &["run"]);
    assert_eq!(billed(folder), "40");
    assert!(!out(&finops(folder, &["bill"])).contains("files/"));
    // What is left of all bills is no spend to look for elsewhere.
    finops(folder, &["bill", "drop", "bill/*"]);
    let nothing = finops(folder, &["report", "--basis", "billed"]);
    assert!(
        err(&nothing).contains("hint: what was recorded came to nothing since"),
        "{}",
        err(&nothing)
    );
}

/// What is advised where rows are refused shows them, and changes nothing: neither of a bill nor of a table of foreign columns.
#[test]
fn what_was_refused_can_be_looked_at_without_being_recorded_once_more() {
    let home = home(
        "kind = \"focus\"\n[[source]]\nname = \"table\"\nkind = \"plain\"\npaths = [\"t\"]\n[source.columns]\nts = \"when\"\nprovider = \"who\"\nmodel = \"what\"\n\
         input_tokens = \"in\"\ncost_usd = \"cost\"\n",
    );
    let folder = home.path();
    fs::create_dir(folder.join("t")).unwrap();
    let bill = format!("{HEADER}{}{}", row("40", 1, "AWS"), row("x", 2, "AWS"));
    fs::write(folder.join("u/a.csv"), bill).unwrap();
    fs::write(folder.join("u/b.csv"), format!("{HEADER}{}", row("2", 3, "AWS"))).unwrap();
    let call = |day: u32, cost: &str| format!("2026-11-0{day}T00:00:00Z,anthropic,claude-sonnet-4-5,1000,{cost}\n");
    let calls = [call(1, "1"), call(2, "Included"), call(3, "Included")].concat();
    fs::write(folder.join("t/a.csv"), format!("when,who,what,in,cost\n{calls}")).unwrap();
    let run = finops(folder, &["run"]);
    let hint = "hint: `finops --store memory: record PATH --rejects FILE` keeps all of them";
    assert!(err(&run).contains(hint), "{}", err(&run));
    let figures = || {
        let report = json(&finops(folder, &["report", "--format", "json"]));
        (
            billed(folder),
            report["total"]["events"].clone(),
            report["total"]["cost_usd"].clone(),
        )
    };
    let before = figures();
    assert_eq!(before.0, "42");
    for (path, lines, of) in [
        ("u/a.csv", vec![3], "BilledCost"),
        ("t/a.csv", vec![3, 4], "cost_usd"),
        ("t", vec![3, 4], "cost_usd"),
    ] {
        // As it is advised; and what is recorded so of a source with columns is what was recorded before.
        let stores = [&["--store", "memory:"][..], &[]];
        for store in stores.into_iter().take(if of == "BilledCost" { 1 } else { 2 }) {
            let looked = finops(folder, &[store, &["record", path, "--rejects", "r.jsonl"]].concat());
            assert_eq!(looked.status.code(), Some(2), "{path}: {}", err(&looked));
            let kept = fs::read_to_string(folder.join("r.jsonl")).unwrap();
            let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found: Vec<_> = kept.iter().map(|refused| refused["line"].as_u64().unwrap()).collect();
            assert_eq!(found, lines, "{path}: {kept:?}");
            assert!(kept.iter().all(|refused| refused["field"] == of), "{path}: {kept:?}");
            fs::remove_file(folder.join("r.jsonl")).unwrap();
            assert_eq!(figures(), before, "{path} {store:?}: {}", err(&looked));
        }
    }
    // Whoever names it means another source.
    finops(folder, &["record", "u/b.csv", "--name", "other"]);
    assert_eq!(billed(folder), "44");
}

/// Interfaces of one cloud call it otherwise, and tell accounts or not.
#[test]
fn a_bill_and_the_interface_of_the_same_costs_are_told() {
    let home = home("");
    let folder = home.path();
    fs::write(
        folder.join("u/a.csv"),
        format!("{HEADER}{}", row("40", 1, "Amazon Web Services")),
    )
    .unwrap();
    finops(folder, &["record", "u/a.csv"]);
    fs::remove_file(folder.join("u/a.csv")).unwrap();
    let answer = r#"{"GroupDefinitions":[{"Type":"DIMENSION","Key":"SERVICE"}],"ResultsByTime":[{"TimePeriod":{"Start":"2026-11-01","End":"2026-11-02"},"Groups":[{"Keys":["Amazon Bedrock"],"Metrics":{"UnblendedCost":{"Amount":"40","Unit":"USD"}}}]}]}"#;
    fs::write(folder.join("c.json"), answer).unwrap();
    let other = "\n[[source]]\nname = \"ce\"\nkind = \"cost-explorer\"\npaths = [\"c.json\"]\n";
    let settings = fs::read_to_string(folder.join("finops.toml")).unwrap();
    fs::write(folder.join("finops.toml"), settings + other).unwrap();
    let run = finops(folder, &["run"]);
    assert!(
        err(&run).contains("`ce` and `files` both have bills of"),
        "{}",
        err(&run)
    );
}

/// Whatever the names of their sources are.
#[test]
fn the_same_answer_of_two_sources_is_told() {
    let answer = r#"{"GroupDefinitions":[{"Type":"DIMENSION","Key":"SERVICE"}],"ResultsByTime":[{"TimePeriod":{"Start":"2026-11-01","End":"2026-11-02"},"Groups":[{"Keys":["Amazon Bedrock"],"Metrics":{"UnblendedCost":{"Amount":"40","Unit":"USD"}}}]}]}"#;
    for names in [["a", "b"], ["x/a", "x/b"], ["x/y/a", "x/y/b"]] {
        let source =
            |name: &str| format!("[[source]]\nname = \"{name}\"\nkind = \"cost-explorer\"\npaths = [\"c.json\"]\n");
        let home = home(&names.map(source).concat());
        fs::write(home.path().join("c.json"), answer).unwrap();
        let run = finops(home.path(), &["run"]);
        let told = format!("`{}` and `{}` both have bills of", names[0], names[1]);
        assert!(err(&run).contains(&told), "{}", err(&run));
    }
}

#[test]
fn a_ledger_stays_one_that_can_be_read_whatever_the_digits_are() {
    let contracts =
        "[[contract]]\nname = \"a\"\ndiscount = \"12.5 %\"\n[[contract]]\nname = \"b\"\ndiscount = \"8.25 %\"\n";
    let home = home(contracts);
    let folder = home.path();
    let budget = "[[budget]]\nname = \"m\"\namount = \"200 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n";
    fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    fs::write(folder.join("policies/budgets/b.toml"), budget).unwrap();
    let bill = row("80000.25", 10, "Google Cloud") + &row("2.3999999999999998e-08", 10, "Google Cloud");
    fs::write(folder.join("u/a.csv"), format!("{HEADER}{bill}")).unwrap();
    let heard = r#"{"id":"w","ts":"2026-11-10T10:00:00Z","provider":"groq","model":"whisper-large-v3","units":"audio_in_second=100.123456789"}
{"id":"g","ts":"2026-11-10T10:00:00Z","provider":"openai","model":"gpt-4o","output_tokens":10000000}
"#;
    fs::write(folder.join("u/calls.jsonl"), heard).unwrap();
    for _ in 0..2 {
        let run = finops(folder, &["run"]);
        assert_eq!(run.status.code(), Some(0), "{}", err(&run));
    }
    assert_eq!(billed(folder), "80000.250000024");
    for basis in ["metered", "effective", "billed-filled"] {
        let report = finops(folder, &["report", "--basis", basis, "--by", "day", "--format", "json"]);
        assert_eq!(report.status.code(), Some(0), "{basis}: {}", err(&report));
    }
    for command in [&["reconcile"][..], &["export"], &["explain", "w"]] {
        let done = finops(folder, command);
        assert_ne!(done.status.code(), Some(3), "{command:?}: {}", err(&done));
    }
}

/// A day of credits is not a day without spend, nor is what a budget leaves out a part of everything.
#[test]
fn what_is_below_zero_is_drawn_and_what_a_budget_of_bills_counts_is_said() {
    let home = home("[[notify]]\nname = \"out\"\nkind = \"stdout\"\n");
    let folder = home.path();
    fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let budget = |name: &str, more: &str| {
        format!("[[budget]]\nname = \"{name}\"\namount = \"150 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n{more}\n")
    };
    let budgets = budget("use", "") + &budget("net", "categories = [\"Usage\", \"Credit\"]");
    let budgets = budgets
        + &budget("asked", "scope = { category = \"credit\" }")
        + &budget("none", "").replace("150", "0")
        + &budget("less", "categories = [\"Credit\"]").replace("150", "0");
    fs::write(folder.join("policies/budgets/b.toml"), budgets).unwrap();
    let days: String = (1..=5).map(|day| row("40", day, "AWS")).collect();
    let credit = row("-100", 3, "AWS").replace("Usage", "Credit") + &row("0.00001", 6, "Azure");
    fs::write(folder.join("u/a.csv"), format!("{HEADER}{days}{credit}")).unwrap();
    let now = |args: &[&str]| finops(folder, args);
    let run = out(&now(&["run"]));
    for said in [
        "use: 133 % of this month's budget is spent",
        "$200.00 of $150.00 (133.3 %), billed, everything, Usage only",
        // Of a budget of nothing there are no percent.
        "none: $200.00 spent in this month, of a budget of nothing",
        "$200.00 of $0.00, billed, everything, Usage only",
    ] {
        assert!(run.contains(said), "{said}: {run}");
    }
    // Credits alone spend nothing of it.
    assert!(!run.contains("less:"), "{run}");
    let shown = out(&now(&["budget"]));
    for said in [
        "use (everything, Usage only, month",
        "net (everything, Usage, Credit only, month",
        "asked (category=credit, month",
        "$200.00 of $0.00, 78.3 % of the month",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let csv = out(&now(&["budget", "net", "--format", "csv"]));
    let row = csv.lines().nth(1).unwrap();
    assert!(
        row.contains(",billed,Usage;Credit,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,"),
        "{csv}"
    );
    let checked = out(&now(&["config", "check"]));
    assert!(
        checked.contains("for everything, Usage, Credit only, billed"),
        "{checked}"
    );

    let by = ["report", "--basis", "billed", "--by", "category"];
    let table = out(&now(&by));
    assert!(
        table.contains(" is below zero; the lowest day is 2026-11-03: -$60.00\n"),
        "{table}"
    );
    assert!(!out(&now(&[&by[..], &["--where", "category=Usage"]].concat())).contains("below zero"));
    assert_eq!(now(&[&by[..], &["--output", "r.html"]].concat()).status.code(), Some(0));
    let html = fs::read_to_string(folder.join("r.html")).unwrap();
    for said in [
        "the highest is $40.00 on 2026-11-01, the lowest is -$60.00 on 2026-11-03<",
        ">200.0 %<",
        ">-100.0 %<",
        "<title>2026-11-03: -$60.00</title>",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
    // The chart, the days of the credit and of the total, and its share.
    assert_eq!(html.matches("<rect class=\"below\"").count(), 4, "{html}");
    // More days than there are bars are told by the month.
    let years = [
        &by[..],
        &["--from", "2024-01-01", "--to", "2026-12-01", "--output", "r.html"],
    ]
    .concat();
    assert_eq!(now(&years).status.code(), Some(0));
    let html = fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(
        html.contains("Spend by month; the highest is $100.00 in 2026-11"),
        "{html}"
    );
}

/// What the effective basis has in October and November, each row with its cost in whatever currency.
fn effective(folder: &Path) -> Vec<String> {
    let span = ["--from", "2026-10-01", "--to", "2026-12-01"];
    let args = ["report", "--basis", "effective", "--by", "category", "--format", "json"];
    let report = finops(folder, &[&args[..], &span[..]].concat());
    assert_eq!(report.status.code(), Some(0), "{}", err(&report));
    let report = json(&report);
    let cost = |row: &serde_json::Value| row["cost_usd"].as_str().or(row["cost"].as_str()).unwrap().to_owned();
    let rows = report["rows"].as_array().unwrap().iter();
    let mut rows: Vec<String> = rows
        .map(|row| {
            format!(
                "{} {} {}",
                row["category"].as_str().unwrap(),
                row["currency"].as_str().unwrap(),
                cost(row)
            )
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn terms_of_one_currency_take_nothing_from_bills_in_another() {
    let day = |cost: &str, currency: &str, month: u32, day: u32| {
        let (month, next) = (format!("2026-{month:02}"), month + 1);
        format!(
            "{cost},{cost},p,{currency},{month}-01T00:00:00Z,2026-{next:02}-01T00:00:00Z,Usage,{month}-{day:02}T00:00:00Z,Anthropic,Claude\n"
        )
    };
    let contract = "[[contract]]\nname = \"edp\"\nprovider = \"mistral\"\ndiscount = \"10 %\"\n";
    let bought = "[[commitment]]\nname = \"scale tier\"\nkind = \"other\"\ndimensions = { provider = \"anthropic\" }\n\
                  amount = \"300 EUR\"\nunits = 1\nper = \"month\"\nfrom = \"2026-11-01\"\nto = \"2026-12-01\"\n";
    let november: String = (1..=30).map(|n| day("10", "EUR", 11, n)).collect();
    // What was bought is in the use that it is spread over.
    for terms in ["", contract, bought] {
        let home = home(terms);
        let folder = home.path();
        let text = format!("{HEADER}{}{november}", day("3", "USD", 10, 5));
        fs::write(folder.join("u/a.csv"), text).unwrap();
        let run = finops(folder, &["record"]);
        assert_eq!(run.status.code(), Some(0), "{}", err(&run));
        assert_eq!(effective(folder), ["Usage EUR 300", "Usage USD 3"], "{terms}");
    }
    // A row of the first that is of its day, as far as can be told, and one that may be of the month.
    let october = bought
        .replace("300 EUR", "310 EUR")
        .replace("2026-11", "2026-10")
        .replace("2026-12", "2026-11");
    for (cost, expected) in [
        ("10", &["Purchase EUR 300", "Usage EUR 10"][..]),
        ("155", &["Usage EUR 155"]),
    ] {
        let home = home(&october);
        let folder = home.path();
        fs::write(folder.join("u/a.csv"), format!("{HEADER}{}", day(cost, "EUR", 10, 1))).unwrap();
        assert_eq!(finops(folder, &["record"]).status.code(), Some(0));
        assert_eq!(effective(folder), expected);
    }
}

/// What the loop over the files of a bill that everybody writes does to it is told.
#[test]
fn files_of_one_bill_that_are_recorded_one_by_one_are_told_to_replace_each_other() {
    let home = home("");
    let folder = home.path();
    fs::write(folder.join("u/1.csv"), format!("{HEADER}{}", row("10", 2, "AWS"))).unwrap();
    fs::write(folder.join("u/2.csv"), format!("{HEADER}{}", row("20", 4, "AWS"))).unwrap();
    let record = |paths: &[&str]| err(&finops(folder, &[&["record"][..], paths].concat()));
    assert!(!record(&["u/1.csv"]).contains("warning"));
    let told = record(&["u/2.csv"]);
    assert!(
        told.contains("warning: days that a bill had cost on") && told.contains("(1 time)"),
        "{told}"
    );
    assert_eq!(billed(folder), "20");
    assert!(!record(&["u/1.csv", "u/2.csv"]).contains("warning"));
    assert_eq!(billed(folder), "30");
    // Some of them with others, again and again: as it was when something new came.
    fs::write(folder.join("u/3.csv"), format!("{HEADER}{}", row("40", 6, "AWS"))).unwrap();
    for pair in [["u/2.csv", "u/3.csv"], ["u/1.csv", "u/2.csv"], ["u/2.csv", "u/3.csv"]] {
        record(&pair);
        assert_eq!(billed(folder), "60", "{pair:?}");
    }
    assert!(!record(&["u/1.csv", "u/2.csv", "u/3.csv"]).contains("warning"));
    assert_eq!(billed(folder), "70");
    // One of them by itself has not changed.
    assert!(!record(&["u/1.csv"]).contains("warning"));
    assert_eq!(billed(folder), "70");
}

/// A day is billed and has effective cost: it is one day.
#[test]
fn a_restated_day_is_told_once() {
    let home = home("");
    let folder = home.path();
    let bill = |cost: &str| HEADER.to_owned() + &(1..=3).map(|day| row(cost, day, "AWS")).collect::<String>();
    fs::write(folder.join("u/a.csv"), bill("10")).unwrap();
    finops(folder, &["run"]);
    fs::write(folder.join("u/a.csv"), bill("20.5")).unwrap();
    let run = finops(folder, &["run"]);
    let told = out(&run) + &err(&run);
    assert!(told.contains("; 3 restated days"), "{told}");
    assert_eq!(billed(folder), "61.5");
}
