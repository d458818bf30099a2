//! Settings, policies and arguments that mean nothing are refused, and what a command could not count or tell is said.

use std::path::Path;
use std::process::Stdio;

use crate::support::{err, finops, json, now, out, program};

const CONFIG: &str = r#"
[store]
url = "sqlite:ledger.db"

[[source]]
name = "app"
kind = "plain"
paths = ["*.jsonl"]

[[notify]]
name = "log"
kind = "file"
path = "told.log"
"#;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A folder with settings and one budget with these further keys.
fn home(settings: &str, budget: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "finops.toml", &format!("{CONFIG}{settings}"));
    let budget = format!("[[budget]]\nname = \"b\"\nperiod = \"month\"\n{budget}\n");
    write(folder.path(), "policies/budgets/b.toml", &budget);
    folder
}

/// So many dollars of a team in November.
fn usage(dollars: u64, team: &str) -> String {
    let output = dollars * 100_000;
    format!(
        r#"{{"id":"{dollars}{team}","ts":"2026-11-10T10:00:00Z","provider":"openai","model":"gpt-4o","output_tokens":{output},"team":"{team}"}}"#
    )
}

/// `logs/*/chats` names folders. One of files (`logs/*`) passes over the folders beside them, and says so where there is nothing else.
#[test]
fn a_pattern_of_folders_means_what_is_in_them() {
    for (pattern, calls) in [
        ("logs/*/chats", 2),
        ("logs/*/chat*/*.jsonl", 1),
        ("logs/*", 1),
        ("logs/**", 4),
        // Of files alone, of which there are none now: that is told, unless the folders hold none either.
        ("logs/b/*", 0),
        ("empty/*", 0),
    ] {
        let folder = home("", "amount = \"100 USD\"");
        let path = folder.path();
        let config = CONFIG.replace("*.jsonl", pattern);
        write(path, "finops.toml", &config);
        write(path, "logs/a/chats/one.jsonl", &usage(1, "a"));
        write(path, "logs/b/chats/deeper/two.jsonl", &usage(2, "b"));
        write(path, "logs/b/other/three.jsonl", &usage(3, "b"));
        write(path, "logs/four.jsonl", &usage(4, "c"));
        write(path, "empty/folder/.hidden", "");
        let run = finops(path, &["run"]);
        let told = "only folders match `logs/b/*`, and a pattern that ends in `*` means files";
        let check = finops(path, &["config", "check"]);
        let said = [err(&run), out(&check)].map(|said| said.contains(told));
        assert_eq!(
            said,
            [pattern == "logs/b/*"; 2],
            "{pattern}: {}{}",
            err(&run),
            out(&check)
        );
        let found = json(&finops(path, &["report", "--from", "2026-11-01", "--format", "json"]));
        assert_eq!(found["total"]["events"], calls, "{pattern}: {}{}", out(&run), err(&run));
    }
}

#[test]
fn names_that_are_wrong_pass_neither_a_check_nor_a_run() {
    let amount = "amount = \"100 USD\"\n";
    for (settings, budget, expected) in [
        (
            "[unpriced]\nchannels = [\"nochan\"]\n",
            "",
            "`unpriced.channels` names `nochan`, which is not configured",
        ),
        (
            "[reconcile]\nchannels = [\"log\", \"no\"]\n",
            "",
            "`reconcile.channels` names `no`, which is not configured",
        ),
        (
            "[[source]]\nname = \"c\"\nkind = \"cur\"\npaths = [\"s3://b/l/\"]\n",
            "",
            "source `c` has paths in buckets, and a kind that is not read from there",
        ),
        (
            "[[source]]\nname = \"p\"\nkind = \"bedrock\"\npaths = [\"s3://b/l/*/x\"]\n",
            "",
            "source `p` has patterns for paths in buckets",
        ),
        (
            "[[source]]\nname = \"n\"\nkind = \"bedrock\"\npaths = [\"s3://\"]\n",
            "",
            "source `n` has a path that names no bucket",
        ),
        (
            "[[cost_explorer]]\nname = \"ce\"\ngroup_by = [\"service\", \"region\"]\n",
            "",
            "`[[cost_explorer]]` `ce` groups by `region`, which is nothing to group by",
        ),
        (
            "",
            "channels = [\"lag\"]",
            "budget `b` tells channel `lag`, which is not configured",
        ),
        (
            "",
            "categories = [\"usage\", \"Usgae\"]",
            "`categories`: `Usgae` is no charge category of FOCUS; known are Usage, Purchase, Tax, Credit, Adjustment",
        ),
        (
            "",
            "scope = { category = \"Taxes\" }",
            "`scope.category`: `Taxes` is no charge category of FOCUS; known are Usage, Purchase, Tax, Credit, Adjustment",
        ),
        (
            "",
            "scope = { category = \"tax\" }\ncategories = [\"Usage\", \"Credit\"]",
            "`scope.category` asks for `tax` and `categories` counts Usage, Credit, so that nothing would count: leave `categories` out",
        ),
        (
            "",
            "scope = { model = \"gpt-*\", team = [] }",
            "`scope.team` names nothing, so that nothing would count",
        ),
    ] {
        let folder = home(settings, &format!("{amount}{budget}"));
        for command in [&["config", "check"][..], &["run"]] {
            let output = finops(folder.path(), command);
            assert_eq!(output.status.code(), Some(2), "{expected}: {}", out(&output));
            assert!(err(&output).contains(expected), "{expected}: {}", err(&output));
        }
    }
}

#[test]
fn a_bucket_on_the_command_line_is_told_where_it_belongs() {
    let folder = home("", "amount = \"100 USD\"");
    for path in ["s3://b/logs/", "s3://b/logs/*.json"] {
        let output = finops(folder.path(), &["record", path]);
        assert_eq!(output.status.code(), Some(3), "{}", err(&output));
        let said = "no path of this machine\nhint: buckets are read where a `[[source]]` of the settings has them";
        assert!(err(&output).contains(said), "{}", err(&output));
    }
}

/// What is read by position would cover everything, or price nothing.
#[test]
fn a_list_is_not_taken_for_a_table() {
    let commitment =
        "[[commitment]]\nname = \"c\"\nkind = \"ptu\"\namount = \"1 USD\"\nper = \"hour\"\nfrom = \"2026-11-01\"\n";
    for settings in [
        format!("{commitment}covers = []\n"),
        format!("{commitment}covers = [\"azure\"]\n"),
        "store = []\n".to_owned(),
        "limits = [1]\n".to_owned(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "finops.toml", &settings);
        let output = finops(folder.path(), &["config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{settings}");
        assert!(err(&output).contains("expected a table"), "{}", err(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "finops.toml",
        &format!("{commitment}covers = {{ provider = \"azure\" }}\n"),
    );
    assert!(finops(folder.path(), &["config", "check"]).status.success());
    let price = "[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = []\n";
    write(folder.path(), "policies/prices/p.toml", price);
    let output = finops(folder.path(), &["price", "list"]);
    assert!(err(&output).contains("expected a table"), "{}", err(&output));
}

#[test]
fn a_check_tells_what_cannot_be_used_and_obeys_no_name() {
    let channels = r#"
        [[notify]]
        name = "chat"
        kind = "slack"
        url = "env:CHAT"
        [[notify]]
        name = "hook"
        kind = "webhook"
        url = "env:HOOK"
    "#;
    let folder = home(channels, "amount = \"100 USD\"\nscope = { team = \"\\u001b[31mred\" }");
    write(folder.path(), "policies/budgets/below/c.toml", "");
    write(folder.path(), "policies/budgets/README.md", "");
    let mut command = now(folder.path());
    let check = command
        .args(["config", "check"])
        .env("HOOK", "https://hooks.example.com/secret");
    let output = check.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    insta::assert_snapshot!(out(&output), @r"
    settings     finops.toml
    store        ledger.db (not there yet)
    source       app: plain; 0 files
    channel      log: file
    channel      chat: slack (NOT USABLE: the environment has no `CHAT`)
    channel      hook: webhook (NOT USABLE: the host `hooks.example.com` is not allowed: name it in `allowed_hosts`)
    budget       policies/budgets/below (NOT READ)
    budget       b: $100.00 per month for team=?[31mred, metered, tells all channels
    ");
}

#[test]
#[cfg(not(feature = "aws"))]
fn a_check_tells_what_this_program_lacks_for_the_settings() {
    for settings in [
        "[[source]]\nname = \"s\"\nkind = \"bedrock\"\npaths = [\"s3://b/AWSLogs/1/\"]\n",
        "[[source]]\nname = \"o\"\nkind = \"openai-admin\"\nkey = \"secret:key\"\n",
        "[[notify]]\nname = \"t\"\nkind = \"sns\"\ntopic = \"arn:aws:sns:us-east-1:123456789012:x\"\n",
        "[[notify]]\nname = \"c\"\nkind = \"slack\"\nurl = \"secret:chat\"\n",
        "[[cost_explorer]]\nname = \"ce\"\n",
        "[aws]\nanomalies = true\n",
    ] {
        let folder = home(settings, "amount = \"1 USD\"");
        let check = finops(folder.path(), &["config", "check"]);
        assert_eq!(
            check.status.code(),
            Some(1),
            "{settings}: {}{}",
            out(&check),
            err(&check)
        );
        assert_eq!(
            out(&check).matches("built without AWS").count(),
            1,
            "{settings}: {}",
            out(&check)
        );
    }
}

#[test]
fn a_budget_tells_what_it_cannot_count() {
    let folder = home("", "amount = \"100 EUR\"");
    let other = "[[budget]]\nname = \"bill\"\nperiod = \"month\"\namount = \"100 USD\"\nbasis = \"billed\"\n";
    write(folder.path(), "policies/budgets/bill.toml", other);
    write(folder.path(), "a.jsonl", &usage(500, "search"));
    let run = out(&finops(folder.path(), &["run"]));
    let euros = "note: 500.00 USD more in this scope is not counted: the budget is in EUR";
    let bill = "note: no bill of this scope is recorded since 2026-10-01: nothing can count";
    assert!(run.contains(euros) && run.contains(bill), "{run}");
    let shown = out(&finops(folder.path(), &["budget"]));
    assert!(shown.contains(euros) && shown.contains(bill), "{shown}");
    // That no call can count is told before any is there, and where only what went wrong is told.
    let never = "calls are priced in USD, so that nothing counts to an amount in EUR; write it in USD";
    let foreign = "  no forecast: the budget is not in the currency of calls\n";
    assert!(shown.contains(foreign), "{shown}");
    let told = |categories: &str| {
        let budget = format!("[[budget]]\nname = \"b\"\nperiod = \"month\"\namount = \"100 EUR\"\n{categories}");
        write(folder.path(), "policies/budgets/b.toml", &budget);
        let [check, tests, run] = [&["config", "check"][..], &["policy", "check"], &["run", "--quiet"]]
            .map(|command| finops(folder.path(), command));
        [out(&check), out(&tests), err(&run)].map(|said| said.contains(never))
    };
    assert_eq!(told(""), [true; 3]);
    assert_eq!(told("basis = \"billed\"\n"), [false; 3], "bills are in any currency");
    assert_eq!(
        told("categories = [\"Purchase\"]\n"),
        [false; 3],
        "so is what is agreed"
    );
    assert_eq!(told(""), [true; 3]);
    let figures = json(&finops(folder.path(), &["budget", "b", "--format", "json"]));
    assert_eq!(figures["budgets"][0]["notes"][0], euros.trim_start_matches("note: "));

    // With a bill nothing is left to say.
    let row = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName\n\
        5,5,a,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,Usage,2026-11-03T00:00:00Z,AWS\n";
    write(folder.path(), "bill.csv", row);
    let recorded = finops(folder.path(), &["record", "bill.csv"]);
    assert_eq!(recorded.status.code(), Some(0), "{}", err(&recorded));
    let shown = out(&finops(folder.path(), &["budget", "bill"]));
    assert!(!shown.contains("note: ") && shown.contains("$5.00 of"), "{shown}");
}

#[test]
fn dates_beyond_all_calendars_are_refused() {
    let folder = home("", "amount = \"100 USD\"");
    let path = folder.path();
    for wrong in [
        &["report", "--from=-262143-01-01", "--to", "2026-01-01"][..],
        &["report", "--to=+262142-12-31", "--zone", "Pacific/Kiritimati"],
        &["export", "--focus", "1.2", "--from=+262142-12-01"],
        &["reconcile", "--period", "+262142-12"],
        &["reprice", "--from=-262143-01-01"],
        &["price", "diff", "--since=-262143-01-01"],
        &["price", "missing", "--from", "1899-12-31"],
        &["budget", "--now=+262142-12-31T23:59:59Z"],
        &["run", "--now=-262143-01-01T00:00:00Z"],
    ] {
        let output = crate::support::program(path).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", err(&output));
        assert!(
            err(&output).contains("is not of the years 1900 to 9999"),
            "{wrong:?}: {}",
            err(&output)
        );
    }
    let early = usage(1, "x").replace("2026-11-10T10:00:00Z", "-262143-01-01T00:00:00Z");
    write(path, "a.jsonl", &early);
    assert_eq!(finops(path, &["run"]).status.code(), Some(2), "a rejected call");
    for edge in ["1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        for command in [&["run"][..], &["budget"], &["report", "--by", "week"], &["reconcile"]] {
            let output = crate::support::program(path)
                .args(["--now", edge])
                .args(command)
                .output()
                .unwrap();
            assert!(output.status.code() < Some(4), "{edge}, {command:?}: {}", err(&output));
        }
        let day = &edge[..10];
        let output = finops(path, &["report", "--from", day, "--zone", "Pacific/Kiritimati"]);
        assert!(output.status.code() < Some(4), "{edge}: {}", err(&output));
    }
    let custom = "period = { custom = { start = \"2026-01-01T00:00:00Z\", end = \"+262142-12-31T00:00:00Z\" } }";
    let budget = format!("[[budget]]\nname = \"c\"\namount = \"1 USD\"\n{custom}\n");
    write(path, "policies/budgets/c.toml", &budget);
    let output = finops(path, &["budget"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
}

#[test]
fn a_reader_that_goes_away_hides_no_finding() {
    let folder = home("", "amount = \"1 USD\"");
    write(folder.path(), "a.jsonl", &usage(500, "search"));
    let unread = |args: &[&str]| {
        let mut child = now(folder.path()).args(args).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    assert_eq!(unread(&["run", "--fail-on", "firing"]), Some(1));
    assert_eq!(unread(&["run", "--fail-on", "firing", "--format", "json"]), Some(1));
    assert_eq!(unread(&["run"]), Some(0));
    assert_eq!(unread(&["report"]), Some(0));
    write(folder.path(), "b.jsonl", "{}\n");
    assert_eq!(unread(&["run"]), Some(2), "a record that is refused");
}

/// What a budget counts at its worst case is that for whoever asks.
#[test]
fn explain_counts_what_has_no_price_as_the_budget_does() {
    let folder = home("", "amount = \"40 USD\"\ncount_unpriced_worst_case = true\n");
    let unknown = usage(9, "a").replace("gpt-4o", "gpt-mystery-x");
    write(folder.path(), "a.jsonl", &format!("{}\n{unknown}\n", usage(5, "a")));
    assert_eq!(finops(folder.path(), &["run", "-q"]).status.code(), Some(0));
    let spent = json(&finops(folder.path(), &["budget", "--format", "json"]))["budgets"][0]["spent"].clone();
    let mut sum = rust_decimal::Decimal::ZERO;
    for which in [
        &["explain", "--top", "2", "--format", "json"][..],
        &["explain", "--top", "2", "--unpriced", "--format", "json"],
    ] {
        let list = json(&finops(folder.path(), which));
        assert_eq!(list["calls"].as_array().unwrap().len(), 1, "{list}");
        let id = list["calls"][0]["id"].as_str().unwrap();
        let budget = json(&finops(folder.path(), &["explain", id, "--format", "json"]))["budgets"][0].clone();
        assert_eq!(budget["spent"], spent, "{budget}");
        sum += budget["of_this_call"]
            .as_str()
            .unwrap()
            .parse::<rust_decimal::Decimal>()
            .unwrap();
    }
    let spent: rust_decimal::Decimal = spent.as_str().unwrap().parse().unwrap();
    assert!(sum == spent && spent > 5.into(), "{sum} {spent}");
}

#[test]
fn a_budget_names_one_currency() {
    for (keys, status) in [
        ("amount = \"5 USD\"\ncurrency = \"EUR\"", 2),
        ("amount = \"5 EUR\"\ncurrency = \"EUR\"\nbasis = \"billed\"", 0),
        ("amount = \"5\"\ncurrency = \"EUR\"\nbasis = \"billed\"", 0),
    ] {
        let folder = home("", keys);
        let checked = finops(folder.path(), &["policy", "check"]);
        assert_eq!(checked.status.code(), Some(status), "{keys}: {}", err(&checked));
        let told = out(&checked) + &err(&checked);
        assert_eq!(
            told.contains("`currency`: it is EUR, and `amount` is in USD"),
            status == 2,
            "{told}"
        );
    }
}

/// Where days begin within an hour of UTC, the rest of that hour counts to the day before.
#[test]
fn explain_counts_a_call_to_the_period_of_its_hour() {
    let folder = home("", "amount = \"100 USD\"\ntime_zone = \"Asia/Kolkata\"\n");
    // Midnight in India is half past six in the evening.
    let calls = [("18:29", 1), ("18:31", 2), ("19:00", 3)].map(|(time, dollars)| {
        let time = format!("2026-10-31T{time}:00Z");
        usage(dollars, "a").replace("2026-11-10T10:00:00Z", &time) + "\n"
    });
    write(folder.path(), "a.jsonl", &calls.concat());
    assert_eq!(finops(folder.path(), &["run", "-q"]).status.code(), Some(0));
    let top = json(&finops(
        folder.path(),
        &["explain", "--top", "3", "--from", "2026-10-01", "--format", "json"],
    ));
    let told: Vec<_> = top["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            let id = call["id"].as_str().unwrap();
            let of = json(&finops(folder.path(), &["explain", id, "--format", "json"]))["budgets"][0].clone();
            (
                of["spent"].as_str().unwrap_or_default().to_owned(),
                of["period"]["start"].to_string(),
            )
        })
        .collect();
    let spent = |at: usize| told[at].0.parse::<rust_decimal::Decimal>().unwrap();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        (spent(0), spent(1), spent(2)),
        (3.into(), 3.into(), 3.into()),
        "{told:?}"
    );
    assert!(told[0].1 != told[1].1 && told[1].1 == told[2].1, "{told:?}");
}

#[test]
fn no_table_runs_a_formula_out_of_a_log() {
    let worst = "amount = \"1 USD\"\ncount_unpriced_worst_case = true\n";
    let folder = home("", worst);
    for (file, name) in [("at", "@SUM(1)"), ("minus", "-2+3"), ("tab", "\\t=1")] {
        let budget = format!("[[budget]]\nname = \"{name}\"\nperiod = \"month\"\n{worst}");
        write(folder.path(), &format!("policies/budgets/{file}.toml"), &budget);
    }
    let call = usage(9, "=cmd()").replace("gpt-4o", "=mystery-x");
    write(folder.path(), "a.jsonl", &call);
    assert_eq!(finops(folder.path(), &["run", "-q"]).status.code(), Some(0));
    for command in [
        "explain --top 3 --unpriced",
        "price missing",
        "alert list",
        "budget",
        "report --by team,model",
        "price list",
        "reconcile",
    ] {
        let args: Vec<&str> = command.split(' ').chain(["--format", "csv"]).collect();
        let output = finops(folder.path(), &args);
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(output.stdout.as_slice());
        for cell in table
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            let number = cell
                .trim_start_matches(['-', '+'])
                .chars()
                .all(|c| "0123456789 .,%$".contains(c));
            assert!(
                number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{command}: {cell:?}"
            );
        }
        if !command.starts_with("price list") && command != "reconcile" {
            assert!(out(&output).contains("'"), "{command}: {}", out(&output));
        }
    }
}

#[test]
fn a_report_counts_by_the_days_of_its_zone_and_the_last_days_include_today() {
    let folder = home("[report]\ntime_zone = \"America/New_York\"\n", "amount = \"100 USD\"");
    let path = folder.path();
    // Three in the morning of the 23rd in Greenwich is the evening of the 22nd in New York.
    let calls = usage(1, "a").replace("2026-11-10T10:00:00Z", "2026-11-23T03:00:00Z");
    write(path, "a.jsonl", &calls);
    finops(path, &["run"]);
    let first = |more: &[&str]| {
        let asked = [&["report", "--by", "day", "--format", "json"], more].concat();
        let report = json(&finops(path, &asked));
        let day = report["rows"][0]["day"].as_str().unwrap_or("none").to_owned();
        (day, report["zone"].as_str().unwrap().to_owned())
    };
    let is = |day: &str, zone: &str| (day.to_owned(), zone.to_owned());
    assert_eq!(first(&[]), is("2026-11-22", "America/New_York"));
    assert_eq!(first(&["--zone", "UTC"]), is("2026-11-23", "UTC"));
    assert_eq!(
        first(&["--basis", "billed"]),
        is("none", "UTC"),
        "bills count by UTC days"
    );
    // It is the 24th: two days reach back to the 23rd.
    assert_eq!(first(&["--last", "2"]), is("none", "America/New_York"));
    assert_eq!(first(&["--last", "2", "--zone", "UTC"]), is("2026-11-23", "UTC"));
    assert_eq!(first(&["--last", "3"]), is("2026-11-22", "America/New_York"));

    for (wrong, said) in [
        (&["--zone", "berlin"][..], "did you mean `Europe/Berlin`"),
        (&["--zone", "Nowhere"], "write one such as `Europe/Berlin`"),
        (
            &["--from", "yesterday"],
            "`yesterday` is no day of the calendar, written as 2026-11-24",
        ),
        (&["--to", "2026-11-31"], "`2026-11-31` is no day of the calendar"),
        (&["--last", "2", "--from", "2026-11-01"], "cannot be used with"),
    ] {
        let output = finops(path, &[&["report"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(err(&output).contains(said), "{wrong:?}: {}", err(&output));
    }
    assert!(finops(path, &["report", "--from", "20261101"]).status.success());
    write(path, "finops.toml", "[report]\ntime_zone = \"New York\"\n");
    let said = err(&finops(path, &["report"]));
    assert!(said.contains("did you mean `America/New_York`"), "{said}");
}

#[test]
fn a_quiet_run_writes_its_alerts_and_nothing_else() {
    let folder = home("", "amount = \"1 USD\"");
    write(folder.path(), "finops.toml", CONFIG.split("[[notify]]").next().unwrap());
    write(folder.path(), "a.jsonl", &usage(500, "search"));
    let quiet = || finops(folder.path(), &["run", "--quiet"]);
    let told = out(&quiet());
    assert!(
        told.starts_with("[critical firing]") && !told.contains("recorded"),
        "{told}"
    );
    assert_eq!(out(&quiet()), "");
}

#[test]
fn a_budget_on_a_name_that_nothing_has_says_so() {
    let folder = home("", "amount = \"1 USD\"\nscope = { team = \"serch\" }");
    write(
        folder.path(),
        "a.jsonl",
        &(usage(500, "search") + "\n" + &usage(5, "growth")),
    );
    finops(folder.path(), &["run"]);
    let shown = out(&finops(folder.path(), &["budget"]));
    let note = "note: nothing that is recorded of late has team `serch`, so that nothing can count; there is `search`, `growth`";
    assert!(shown.contains(note), "{shown}");
    let right = "[[budget]]\nname = \"b\"\nperiod = \"month\"\namount = \"1 USD\"\nscope = { team = \"s*\" }\n";
    write(folder.path(), "policies/budgets/b.toml", right);
    assert!(!out(&finops(folder.path(), &["budget"])).contains("nothing that is recorded"));
}

#[test]
fn what_is_written_otherwise_is_told_as_it_should_be() {
    for (amount, said) in [
        ("\"$100\"", "`amount`: `$100` is no amount, write `100 USD`"),
        ("\"1,000 EUR\"", "`amount`: `1,000 EUR` is no amount, write `1000 EUR`"),
        ("100", "expected an amount in quotation marks such as `\"100 USD\"`"),
    ] {
        let folder = home("", &format!("amount = {amount}"));
        let output = finops(folder.path(), &["config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{amount}");
        assert!(err(&output).contains(said), "{}", err(&output));
    }
    let folder = home("", "amount = \"1 USD\"");
    for (args, said) in [
        (&["report", "--by", "daily"][..], "did you mean `day`?"),
        (&["report", "--by", "models"], "did you mean `model`?"),
        (&["report", "--where", "taem=x"], "did you mean `team`?"),
        (
            &["report", "--output", "x.pdf"],
            "`x.pdf`: no format has the extension `pdf`",
        ),
    ] {
        let output = finops(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(err(&output).contains(said), "{args:?}: {}", err(&output));
    }
    let said = err(&finops(folder.path(), &["report", "--files", "nope"]));
    let place = folder.path().canonicalize().unwrap().join("nope");
    assert!(
        said.contains(&format!("looked for it at `{}`", place.display())),
        "{said}"
    );
    for args in [
        &["report", "--output", "x.pdf", "--format", "csv"][..],
        &["report", "--output", "x.txt"],
        &["completions", "bash", "--output", "finops.bash"],
        &["man", "--output", "finops.1"],
    ] {
        let output = finops(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", err(&output));
    }
}

#[test]
fn a_date_that_is_written_otherwise_is_told_as_it_should_be() {
    let day = "expected a date in quotation marks such as `\"2026-11-01\"`";
    let time = "expected a time in quotation marks such as `\"2026-11-01T12:00:00Z\"`";
    let source = "[[source]]\nname = \"s\"\nkind = \"plain\"\npaths = [\"x\"]\ncolumns = { ts = \"t\" }\nstart = ";
    let contract = "[[contract]]\nname = \"c\"\ndiscount = \"5 %\"\n";
    let commitment = "[[commitment]]\nname = \"c\"\nkind = \"ptu\"\namount = \"1 USD\"\nper = \"hour\"\nfrom = ";
    let budget = "[[budget]]\nname = \"b\"\namount = \"1 USD\"\nperiod = ";
    let test = "[[test]]\nbudget = \"b\"\nname = \"t\"\nnow = ";
    let price = "providers = [\"a\"]\n[[entry]]\nmodel = \"m\"\n[[entry.price]]\nrates = { input = \"1\" }\nfrom = ";
    let (settings, budgets, tests, prices) = (
        "finops.toml",
        "policies/budgets/b.toml",
        "policies/budgets/b.test.toml",
        "policies/prices/p.toml",
    );
    for (file, text, said) in [
        (settings, format!("{source}2026-10-01"), time),
        (
            settings,
            format!("{source}\"2026-10-01\""),
            "`2026-10-01` is a day, where a time is needed: write `2026-10-01T00:00:00Z`",
        ),
        (
            settings,
            format!("{source}\"soon\""),
            "`soon` is no time such as `2026-11-01T12:00:00Z`",
        ),
        (settings, format!("{source}\"2026-10-01T00:00:00Z\""), ""),
        (settings, format!("{contract}from = 2026-01-01"), day),
        (settings, format!("{contract}to = 2026"), day),
        (settings, format!("{contract}from = \"2026-01-01\""), ""),
        (settings, format!("{commitment}2026-11-01"), day),
        (
            settings,
            "[source]\nname = \"x\"".to_owned(),
            "there may be several, so that it is written `[[source]]`",
        ),
        (
            budgets,
            format!("{budget}{{ custom = {{ start = \"2026-11-01\", end = \"2026-12-01T00:00:00Z\" }} }}"),
            "`2026-11-01` is a day, where a time is needed: write `2026-11-01T00:00:00Z`",
        ),
        (
            budgets,
            format!("{budget}{{ custom = {{ start = \"2026-11-01T00:00:00Z\", end = 2026-12-01T00:00:00Z }} }}"),
            time,
        ),
        (
            budgets,
            "[budget]\nname = \"x\"".to_owned(),
            "there may be several, so that it is written `[[budget]]`",
        ),
        (tests, format!("{test}2026-11-24T12:00:00Z"), time),
        (
            tests,
            format!("{test}\"2026-11-24\""),
            "`2026-11-24` is a day, where a time is needed",
        ),
        (
            tests,
            format!("{test}[\"2026-11-24T12:00:00Z\", 2026-11-25T12:00:00Z]"),
            time,
        ),
        (
            tests,
            format!("{test}\"2026-11-24T12:00:00Z\"\nspend = [{{ day = 2026-11-01, cost = \"3\" }}]"),
            day,
        ),
        (
            tests,
            format!("{test}[\"2026-11-24T12:00:00Z\", \"2026-11-25T12:00:00Z\"]"),
            "",
        ),
        (tests, format!("{test}\"2026-11-24T12:00:00Z\""), ""),
        (prices, format!("{price}2026-01-01"), day),
        (
            prices,
            format!("{price}\"2026-1\""),
            "`2026-1` is no date such as `2026-11-01`",
        ),
        (prices, format!("{price}\"2026-01-01\""), ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), budgets, &format!("{budget}\"month\""));
        write(folder.path(), file, &text);
        let output = finops(folder.path(), &["policy", "check"]);
        let expected = if said.is_empty() { Some(0) } else { Some(2) };
        assert_eq!(output.status.code(), expected, "{text}: {}", err(&output));
        assert!(err(&output).contains(said), "{text}: {}", err(&output));
    }
}

#[test]
fn settings_that_share_a_ledger_are_told_so() {
    let home = tempfile::tempdir().unwrap();
    let finops = |folder: &Path, args: &[&str]| {
        now(folder)
            .env("XDG_DATA_HOME", home.path())
            .args(args)
            .output()
            .unwrap()
    };
    let settings = CONFIG.replace("[store]\nurl = \"sqlite:ledger.db\"\n", "");
    let team = |name: &str, store: &str| {
        let folder = self::home("", "amount = \"1 USD\"");
        write(folder.path(), "finops.toml", &format!("{store}{settings}"));
        let budget = format!(
            "[[budget]]\nname = \"{name}\"\nperiod = \"month\"\namount = \"1 USD\"\nscope = {{ team = \"{name}\" }}\n"
        );
        write(folder.path(), "policies/budgets/b.toml", &budget);
        write(folder.path(), "a.jsonl", &usage(5, name));
        folder
    };
    let (a, b) = (team("a", ""), team("b", ""));
    assert!(
        out(&finops(a.path(), &["config", "check"]))
            .contains("note         settings without `[store] url` share this ledger")
    );
    let first = err(&finops(a.path(), &["run", "--quiet"]));
    assert!(!first.contains("are over"), "{first}");
    let said = err(&finops(b.path(), &["run", "--quiet"]));
    let told = "warning: alerts of `a` are over, since finops.toml has no such budget. If others have it, each needs a ledger of its own";
    assert!(said.contains(told), "{said}");

    // Who has a ledger of his own and takes a budget away hears what is over and no more.
    let own = team("own", "[store]\nurl = \"sqlite:own.db\"\n");
    assert!(!out(&finops(own.path(), &["config", "check"])).contains("share this ledger"));
    assert!(finops(own.path(), &["run"]).status.success());
    write(own.path(), "policies/budgets/b.toml", "");
    let said = err(&finops(own.path(), &["run"]));
    assert!(!said.contains("are over"), "{said}");
}

#[test]
fn lists_fit_the_terminal_and_one_call_is_no_calls() {
    let folder = home("", "amount = \"1 USD\"");
    let long = usage(5, "a-team-with-quite-a-long-name");
    let unknown = long
        .replace("\"id\":\"5", "\"id\":\"6")
        .replace("gpt-4o", "gpt-unheard-of-2026-11-01-preview");
    write(folder.path(), "a.jsonl", &format!("{long}\n{unknown}\n"));
    finops(folder.path(), &["run"]);
    for (width, args, kept) in [
        (70, &["explain", "--top", "2"][..], &["usd", "model"][..]),
        (100, &["price", "missing"], &["usd_at_most", "reason"]),
        (100, &["alert", "list"], &["id", "state", "budget", "what"]),
        (60, &["alert", "list"], &["id", "state", "what"]),
    ] {
        let output = now(folder.path())
            .env("COLUMNS", width.to_string())
            .args(args)
            .output()
            .unwrap();
        let text = out(&output);
        let table = text.split("\n\n").next().unwrap();
        assert!(
            table.lines().all(|line| line.chars().count() <= width),
            "{args:?}\n{table}"
        );
        let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
        assert!(kept.iter().all(|name| header.contains(name)), "{args:?}\n{table}");
        assert!(table.lines().count() > 1, "{table}");
    }
    let wide = out(&finops(folder.path(), &["alert", "list"]));
    assert!(wide.contains(" has spent ") || wide.contains("b: "), "{wide}");
    for args in [&["report"][..], &["budget"]] {
        let text = out(&finops(folder.path(), args));
        assert!(text.contains("unpriced: 1 call, "), "{text}");
    }
    let text = out(&finops(folder.path(), &["price", "missing"]));
    let rates = "rates = { input = \"\", cache_read = \"\", output = \"\" }";
    assert!(text.contains(rates), "{text}");
}

#[test]
fn a_report_by_session_tells_what_no_session_is_known_of() {
    let folder = home("", "amount = \"100 USD\"");
    let path = folder.path();
    let call = |dollars: u64, session: &str, day: &str| {
        let call = usage(dollars, "search").replace("2026-11-10", day);
        format!("{},\"session\":\"{session}\"}}\n", call.strip_suffix('}').unwrap())
    };
    let calls = [
        call(1, "s-1", "2026-11-10"),
        call(2, "s-2", "2026-11-11"),
        call(4, "s-1", "2026-11-12"),
    ];
    write(path, "a.jsonl", &(calls.concat() + &usage(8, "search") + "\n"));
    finops(path, &["run"]);
    let at = |now: &str, more: &[&str]| {
        let asked = [
            &[
                "--now",
                now,
                "report",
                "--from",
                "2026-11-01",
                "--to",
                "2026-12-01",
                "--by",
            ],
            more,
        ]
        .concat();
        program(path)
            .args([&asked[..], &["--format", "json"]].concat())
            .output()
            .unwrap()
    };
    let rows = |output: &std::process::Output| -> Vec<String> {
        let report = json(output);
        let all = report["rows"].as_array().unwrap().iter().chain([&report["total"]]);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("total").to_owned();
        all.map(|row| format!("{} {} {}", text(&row["session"]), row["events"], text(&row["cost_usd"])))
            .collect()
    };
    let before = at("2026-11-24T12:00:00Z", &["session"]);
    assert_eq!(rows(&before), [" 1 8", "s-1 2 5", "s-2 1 2", "total 4 15"]);
    assert_eq!(err(&before), "");
    // A month without spend tells what the one before cost.
    let next = [
        "--now",
        "2027-01-01T00:00:00Z",
        "report",
        "--from",
        "2026-12-01",
        "--to",
        "2027-01-01",
        "--format",
        "json",
    ];
    let next = json(&program(path).args(next).output().unwrap());
    assert_eq!(
        (&next["total"]["cost_usd"], &next["total"]["previous_cost_usd"]),
        (&"0".into(), &"15".into())
    );
    let top = at("2026-11-24T12:00:00Z", &["session", "--top", "1"]);
    assert_eq!(rows(&top), [" 1 8", "other 3 7", "total 4 15"]);
    let some = at(
        "2026-11-24T12:00:00Z",
        &["session", "--files", "a.jsonl", "--where", "team=search"],
    );
    assert_eq!(rows(&some), rows(&before));

    // A later run lets the detail go, now that there is spend of that time: the sums stay, and one more call has its session.
    let later = "2027-04-01T12:00:00Z";
    write(
        path,
        "b.jsonl",
        &(call(16, "s-3", "2026-11-20") + &call(32, "s-4", "2027-04-01")),
    );
    program(path).args(["--now", later, "run"]).output().unwrap();
    let after = at(later, &["session"]);
    assert_eq!(rows(&after), ["s-3 1 16", "(no detail) 4 15", "total 5 31"]);
    let told = "`(no detail)` is 4 calls, $15.00 of $31.00, whose sessions are no longer known";
    assert!(err(&after).contains(told), "{}", err(&after));
    let top = at(later, &["session,team", "--top", "1"]);
    assert_eq!(rows(&top), rows(&after));

    // What hours and days of other zones no longer tell.
    let kept = "`finops run` keeps spend before 2027-01-01 by the UTC day (`[store] detail_days` is 90)";
    for (axis, zone, told) in [
        ("hour", "UTC", "10:00"),
        ("day", "Europe/Berlin", "not as those of Europe/Berlin"),
        ("day", "UTC", ""),
    ] {
        let asked = &[axis, "--zone", zone];
        assert!(
            !err(&at("2026-11-24T12:00:00Z", asked)).contains("UTC day"),
            "{asked:?}"
        );
        let after = at(later, asked);
        assert_eq!(err(&after).contains(kept), !told.is_empty(), "{}", err(&after));
        assert!(err(&after).contains(told), "{}", err(&after));
    }
    let recent = [
        "--now",
        later,
        "report",
        "--by",
        "hour",
        "--from",
        "2027-01-01",
        "--format",
        "json",
    ];
    assert!(!err(&program(path).args(recent).output().unwrap()).contains(kept));

    let billed = finops(path, &["report", "--by", "session", "--basis", "billed"]);
    assert_eq!(billed.status.code(), Some(2));
    assert!(err(&billed).contains("bills know no sessions"), "{}", err(&billed));
}

#[test]
fn days_and_periods_that_begin_within_an_hour_are_told() {
    let folder = home(
        "[report]\ntime_zone = \"Asia/Kathmandu\"\n",
        "amount = \"1 USD\"\ntime_zone = \"Asia/Kolkata\"",
    );
    let check = out(&finops(folder.path(), &["config", "check"]));
    let told = |minutes, zone| {
        format!(
            "spend is summed by whole hours of UTC, so that the first {minutes} minutes of a day in {zone} count to the day before"
        )
    };
    assert!(check.contains(&format!("b: {}", told(30, "Asia/Kolkata"))), "{check}");
    assert!(
        check.contains(&format!("[report] time_zone: {}", told(45, "Asia/Kathmandu"))),
        "{check}"
    );
    let check = out(&finops(folder.path(), &["policy", "check"]));
    assert!(
        check.contains(&format!("note: b: {}", told(30, "Asia/Kolkata"))),
        "{check}"
    );
    // A test beside the budget is of the day that it names.
    let test = "[[test]]\nname = \"t\"\nnow = \"2026-11-01T12:00:00Z\"\nspend = [{ day = \"2026-11-01\", cost = \"0.5\" }]\nspent = \"0.5\"\n";
    write(folder.path(), "policies/budgets/b.test.toml", test);
    let ran = finops(folder.path(), &["policy", "test"]);
    assert!(out(&ran).contains("1 test, 0 failed"), "{}{}", out(&ran), err(&ran));
    std::fs::remove_file(folder.path().join("policies/budgets/b.test.toml")).unwrap();

    let custom = |start: &str, end: &str| {
        let budget = format!(
            "[[budget]]\nname = \"b\"\namount = \"1 USD\"\nperiod = {{ custom = {{ start = \"{start}\", end = \"{end}\" }} }}\n"
        );
        write(folder.path(), "policies/budgets/b.toml", &budget);
        assert_eq!(finops(folder.path(), &["budget"]).status.code(), Some(0));
        [["config", "check"], ["policy", "check"]].map(|args| out(&finops(folder.path(), &args)))
    };
    let told = "b: spend is summed by whole hours of UTC, so that its period counts from 2026-11-09T19:00:00Z on; \
                let it start with an hour, such as 2026-11-09T18:00:00Z";
    for check in custom("2026-11-10T00:00:00+05:30", "2026-12-01T00:00:00+05:30") {
        assert!(check.contains(told), "{check}");
    }
    // The hour in which it ends counts.
    for check in custom("2026-11-09T18:00:00Z", "2026-11-30T23:59:59Z") {
        assert!(!check.contains("b: spend"), "{check}");
    }
}

/// What the command that an alert names shows, run as it stands.
fn shown_by_the_alert(folder: &Path) -> String {
    let told = std::fs::read_to_string(folder.join("told.log")).unwrap();
    let told: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let lines = told["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line.as_str());
    let command = lines
        .filter_map(|line| line.strip_prefix("to see what it was spent on: `")?.strip_suffix('`'))
        .next()
        .unwrap();
    let command = command.replacen("finops", env!("CARGO_BIN_EXE_finops"), 1);
    let shell = std::process::Command::new("/bin/sh")
        .args(["-c", &command])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap();
    out(&shell) + &err(&shell)
}

#[test]
fn what_a_scope_counts_the_command_of_its_alert_shows_whatever_names_look_like() {
    let plain = |key: &str, value: &str| {
        let mut call = serde_json::json!({"id": "1", "ts": "2026-11-10T10:00:00Z", "provider": "openai", "model": "gpt-4o", "output_tokens": 3_000_000});
        call[key] = value.into();
        call.to_string()
    };
    let bill = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName\n\
         20,20,1,USD,2026-11-01,2026-12-01,Usage,2026-11-02T00:00:00Z,AWS,Amazon Bedrock\n\
         10,10,1,USD,2026-11-01,2026-12-01,usage,2026-11-03T00:00:00Z,AWS,Amazon EC2\n\
         5,5,1,USD,2026-11-01,2026-12-01,Tax,2026-11-03T00:00:00Z,AWS,Tax\n";
    for (scope, record) in [
        ("scope = { team = \"[infra] {x,y}\" }", plain("team", "[infra] {x,y}")),
        ("scope = { team = \" lead\" }", plain("team", " lead")),
        (
            r"scope = { project = 'C:\Users\ada\app' }",
            plain("project", r"C:\Users\ada\app"),
        ),
        ("scope = { provider = \"OpenAI\" }", plain("team", "x")),
        ("categories = [\"usage\"]", plain("team", "x")),
        ("basis = \"billed\"\nscope = { provider = \"AWS\" }", bill.to_owned()),
        (
            "basis = \"billed\"\nscope = { category = \"USAGE\", provider = \"A*\" }\ncategories = [\"Usage\", \"Tax\"]",
            bill.to_owned(),
        ),
    ] {
        let settings = "[[source]]\nname = \"bill\"\nkind = \"focus\"\npaths = [\"*.csv\"]\n";
        let folder = home(settings, &format!("amount = \"1 USD\"\n{scope}"));
        let name = if record.starts_with('{') { "a.jsonl" } else { "a.csv" };
        write(folder.path(), name, &record);
        let run = finops(folder.path(), &["run"]);
        assert!(out(&run).contains("3000 %"), "{scope}: {}{}", out(&run), err(&run));
        let shown = shown_by_the_alert(folder.path());
        assert!(shown.contains("$30.00"), "{scope}: {shown}");
    }
}

/// What a scope asks for counts, without being named a second time.
#[test]
fn a_scope_of_charge_categories_counts_them() {
    let bill = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName\n\
         30,30,1,USD,2026-11-01,2026-12-01,Usage,2026-11-02T00:00:00Z,AWS\n\
         5,5,1,USD,2026-11-01,2026-12-01,Tax,2026-11-03T00:00:00Z,AWS\n\
         -4,-4,1,USD,2026-11-01,2026-12-01,Credit,2026-11-03T00:00:00Z,AWS\n";
    for (scope, dollars) in [
        ("scope = { category = \"tax\" }", 5),
        ("scope = { category = [\"Usage\", \"T*\"] }", 35),
        ("scope = { category = \"*\" }", 31),
        ("scope = { category = \"*\" }\ncategories = [\"Tax\"]", 5),
        ("scope = { provider = \"aws\" }", 30),
    ] {
        let settings = "[[source]]\nname = \"bill\"\nkind = \"focus\"\npaths = [\"*.csv\"]\n";
        let folder = home(settings, &format!("amount = \"1 USD\"\nbasis = \"billed\"\n{scope}"));
        write(folder.path(), "a.csv", bill);
        let run = finops(folder.path(), &["run"]);
        assert!(
            out(&run).contains(&format!(" {dollars}00 %")),
            "{scope}: {}{}",
            out(&run),
            err(&run)
        );
        let shown = shown_by_the_alert(folder.path());
        assert!(shown.contains(&format!("${dollars}.00")), "{scope}: {shown}");
    }
}
