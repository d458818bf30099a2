//! Calls that a provider tells in sums and other sources one by one: both count, and every command that adds them up says so.

use std::path::Path;
use std::process::Output;

use crate::admin::serve;
use crate::support::{err, finops, json, now, out, program};

/// A call of 1,000 tokens in and 100 out on a day of November: $0.0045 of Claude Sonnet.
fn call(day: u32, model: &str, more: &str) -> String {
    format!(
        r#"{{"id":"c{day}{model}","ts":"2026-11-{day:02}T09:00:00Z","provider":"anthropic","model":"{model}","input_tokens":1000,"output_tokens":100{more}}}"#
    ) + "\n"
}

/// What Anthropic says that was used on that day; the same tokens.
fn usage(day: u32, model: &str, workspace: &str) -> String {
    format!(
        r#"{{"data":[{{"starting_at":"2026-11-{day:02}T00:00:00Z","ending_at":"2026-11-{:02}T00:00:00Z","results":[{{"uncached_input_tokens":1000,"cache_read_input_tokens":0,"output_tokens":100,"api_key_id":"k","workspace_id":{workspace},"model":"{model}","service_tier":"standard"}}]}}],"has_more":false,"next_page":null}}"#,
        day + 1
    ) + "\n"
}

/// What it cost, in cents.
fn costs(day: u32, cents: &str) -> String {
    format!(
        r#"{{"data":[{{"starting_at":"2026-11-{day:02}T00:00:00Z","ending_at":"2026-11-{:02}T00:00:00Z","results":[{{"currency":"USD","amount":"{cents}","description":"Claude Sonnet 4.6 Usage","cost_type":"tokens","model":"claude-sonnet-4-6","token_type":"output_tokens"}}]}}],"has_more":false,"next_page":null}}"#,
        day + 1
    ) + "\n"
}

const SONNET: &str = "claude-sonnet-4-6";

/// Two sources, with these lines beside their paths.
fn home(calls: &str, sums: &str, [of_calls, of_sums]: [&str; 2]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[store]\nurl = \"sqlite:l.db\"\n[[source]]\nname = \"laptops\"\npaths = [\"calls.jsonl\"]\n{of_calls}\n\
         [[source]]\nname = \"org\"\nkind = \"anthropic-admin\"\npaths = [\"sums.json\"]\n{of_sums}\n"
    );
    write(folder.path(), "finops.toml", &settings);
    write(folder.path(), "calls.jsonl", calls);
    write(folder.path(), "sums.json", sums);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Three days of calls, two of which are told in sums, too.
fn both() -> tempfile::TempDir {
    let calls: String = [18, 19, 20].map(|day| call(day, SONNET, "")).concat();
    let sums: String = [19, 20].map(|day| usage(day, SONNET, "null")).concat();
    home(&calls, &sums, ["", ""])
}

fn fine(output: &Output) -> &Output {
    assert_eq!(output.status.code(), Some(0), "{}{}", out(output), err(output));
    output
}

const WARNING: &str = "warning: `org` tells sums of all calls to anthropic and `laptops` tells single ones, of 2026-11-19 and one more day, and \
    metered spend adds them up: where they are the same calls, give budgets and reports one of them (`scope = { source = \"laptops\" }`, \
    `--where source=laptops`), or take one out of the settings; where they are not, `defaults = { account = \"…\" }` of each source tells them \
    apart (1 time)\n";

const NOTE: &str = "`org` tells sums of all calls to anthropic and `laptops` tells single ones, of 2026-11-19 and one more day, and metered spend \
    adds them up: calls that are in both count twice; `--where source=NAME` counts one of them";

#[test]
fn every_run_and_record_says_so_also_where_there_is_nothing_new() {
    let home = both();
    let run = finops(home.path(), &["run"]);
    assert_eq!(err(fine(&run)), WARNING);
    assert_eq!(
        out(&run),
        format!(
            "recorded 5 new calls, $0.0225, from 5 lines in 2 files\nthis month: $0.0225 metered\n  note: {NOTE}\n\
             alerts: 0 active, 0 changed; messages: 0 delivered, 0 waiting\n"
        )
    );
    for command in ["run", "record"] {
        let again = finops(home.path(), &[command]);
        assert_eq!(err(fine(&again)), WARNING, "{command}");
        assert!(out(&again).starts_with("recorded 0 new calls"), "{}", out(&again));
    }
    let told = json(&finops(home.path(), &["run", "--format", "json"]));
    assert_eq!(told["collected"]["warnings"].as_object().unwrap().len(), 1, "{told}");
    assert_eq!(told["month"]["notes"], serde_json::json!([NOTE]));
    assert_eq!(err(&finops(home.path(), &["run", "--quiet"])), "");
    // Long after, it is of no run any more, unless it is read.
    let later = ["--now", "2027-01-02T12:00:00Z"];
    let run = program(home.path()).args(later).arg("run").output().unwrap();
    assert_eq!(err(fine(&run)), "");
    std::fs::remove_file(home.path().join("l.db")).unwrap();
    let record = program(home.path()).args(later).arg("record").output().unwrap();
    assert_eq!(err(fine(&record)), WARNING);
}

#[test]
fn whoever_gave_each_budget_one_of_them_is_not_warned() {
    let budget = |name: &str, scope: &str| {
        format!("[[budget]]\nname = \"{name}\"\nscope = {{ {scope} }}\namount = \"9 USD\"\nperiod = \"month\"\n")
    };
    for (scopes, warned) in [
        (&["source = \"laptops\""][..], false),
        (&["source = \"laptops\"", "source = \"org\""], false),
        (&["source = \"laptops\"", "provider = \"anthropic\""], true),
        (&["source = [\"laptops\", \"org\"]"], true),
        // It counts neither.
        (&["provider = \"openai\""], true),
        (&["source = \"org\"", "model = \"gpt-*\""], false),
    ] {
        let home = both();
        let budgets = scopes
            .iter()
            .enumerate()
            .map(|(n, scope)| budget(&format!("b{n}"), scope));
        write(home.path(), "policies/budgets/b.toml", &budgets.collect::<String>());
        for command in ["record", "run"] {
            let done = finops(home.path(), &[command]);
            assert_eq!(
                err(fine(&done)),
                if warned { WARNING } else { "" },
                "{command} {scopes:?}"
            );
            // The figure that holds both says so in any case.
            assert_eq!(out(&done).contains(NOTE), command == "run", "{}", out(&done));
        }
    }
}

#[test]
fn it_is_told_only_where_the_two_may_be_of_the_same_calls() {
    let account = |name: &str| format!("defaults = {{ account = \"{name}\" }}");
    let (a, b) = (&account("a"), &account("b"));
    let day = |model: &str, more: &str| call(19, model, more);
    let project = |name: &str| format!(r#","project":"{name}""#);
    // No source tells it.
    let flat = "[[commitment]]\nname = \"seats\"\nkind = \"seats\"\ndimensions = { provider = \"anthropic\" }\namount = \"30 USD\"\n\
        units = 1\nper = \"month\"\nfrom = \"2026-11-01\"";
    let cases: [(&str, String, String, [&str; 2], bool); 13] = [
        ("same", day(SONNET, ""), usage(19, SONNET, "null"), ["", ""], true),
        (
            "other day",
            call(18, SONNET, ""),
            usage(19, SONNET, "null"),
            ["", ""],
            false,
        ),
        (
            "other model",
            day("claude-haiku-4-5", ""),
            usage(19, SONNET, "null"),
            ["", ""],
            false,
        ),
        (
            "snapshot",
            day("claude-sonnet-4-5", ""),
            usage(19, "claude-sonnet-4-5-20250929", "null"),
            ["", ""],
            true,
        ),
        (
            "other snapshot",
            day("claude-3-5-sonnet-20240620", ""),
            usage(19, "claude-3-5-sonnet-20241022", "null"),
            ["", ""],
            false,
        ),
        ("accounts", day(SONNET, ""), usage(19, SONNET, "null"), [a, b], false),
        ("one account", day(SONNET, ""), usage(19, SONNET, "null"), [a, a], true),
        (
            "account unknown",
            day(SONNET, ""),
            usage(19, SONNET, "null"),
            ["", b],
            true,
        ),
        // A folder is no workspace.
        (
            "projects of two kinds",
            day(SONNET, &project("/srv/shop")),
            usage(19, SONNET, "\"wrkspc_1\""),
            ["", ""],
            true,
        ),
        (
            "projects",
            day(SONNET, &project("p1")) + &call(17, SONNET, &project("p2")),
            usage(19, SONNET, "\"p2\""),
            ["", ""],
            false,
        ),
        (
            "a flat cost",
            call(18, SONNET, ""),
            usage(19, SONNET, "null"),
            ["", flat],
            false,
        ),
        ("costs alone", day(SONNET, ""), costs(19, "0.45"), ["", ""], false),
        (
            "other provider",
            day(SONNET, "").replace("\"anthropic\"", "\"bedrock\""),
            usage(19, SONNET, "null"),
            ["", ""],
            false,
        ),
    ];
    for (what, calls, sums, defaults, told) in cases {
        let home = home(&calls, &sums, defaults);
        let run = finops(home.path(), &["run"]);
        assert_eq!(
            err(fine(&run)).contains("tells sums of all calls"),
            told,
            "{what}: {}",
            err(&run)
        );
        assert!(told || err(&run).is_empty(), "{what}: {}", err(&run));
    }
}

#[test]
fn a_report_says_so_below_its_figures_in_every_format() {
    let home = both();
    fine(&finops(home.path(), &["record"]));
    let report = |args: &[&str]| finops(home.path(), &[&["report"], args].concat());
    assert!(
        out(&report(&[])).ends_with(&format!("\nnote: {NOTE}\n")),
        "{}",
        out(&report(&[]))
    );
    let document = json(&report(&["--format", "json"]));
    assert_eq!(document["notes"], serde_json::json!([NOTE]));
    let markdown = out(&report(&["--format", "markdown"])).replace('\\', "");
    assert!(markdown.ends_with(&format!("\nNote: {NOTE}\n")), "{markdown}");
    let html = out(&report(&["--format", "html"]));
    assert!(
        html.contains("role=\"note\">Note: `org` tells sums of all calls to anthropic"),
        "{html}"
    );
    for rows in ["csv", "jsonl"] {
        assert_eq!(err(&report(&["--format", rows])), format!("note: {NOTE}\n"));
    }
    assert!(
        out(&report(&["--by", "source"])).contains("note: "),
        "their total adds them up, too"
    );
    for apart in [
        &["--where", "source=org"][..],
        &["--where", "source=laptops"],
        &["--where", "model=gpt-*"],
        &["--from", "2026-11-18", "--to", "2026-11-19"],
        &["--basis", "billed"],
    ] {
        let report = report(apart);
        assert!(!out(&report).contains("note: "), "{apart:?}: {}", out(&report));
    }
}

#[test]
fn one_source_that_has_both_is_told_by_its_calls() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "calls.jsonl", &call(19, SONNET, ""));
    write(folder.path(), "sums.json", &usage(19, SONNET, "null"));
    write(folder.path(), "later.json", &usage(21, SONNET, "null"));
    let both = "`files` tells both sums of all calls to anthropic and single ones, of 2026-11-19, and metered spend adds them up: ";
    let record = |paths: &[&str]| finops(folder.path(), &[&["record"], paths].concat());
    assert_eq!(err(fine(&record(&["calls.jsonl", "later.json"]))), "");
    let told = record(&["sums.json"]);
    assert_eq!(
        err(fine(&told)),
        format!(
            "warning: {both}where they are the same calls, record each under a name of its own in a new ledger, so that budgets and reports can \
             be given one of them (1 time)\n"
        )
    );
    let note = format!("note: {both}calls that are in both count twice\n");
    assert!(out(&finops(folder.path(), &["report"])).ends_with(&note));
    let files = finops(folder.path(), &["report", "--files", "calls.jsonl", "sums.json"]);
    assert!(out(fine(&files)).ends_with(&note), "{}", out(&files));
}

#[test]
fn what_is_asked_live_is_known_by_its_questions() {
    let (url, _) = serve(|path, _| {
        let body = match path.contains("usage_report") {
            true => usage(19, SONNET, "null"),
            false => r#"{"data":[],"has_more":false,"next_page":null}"#.to_owned(),
        };
        ("200 OK".to_owned(), body)
    });
    let home = home(
        &call(19, SONNET, ""),
        "",
        ["", &format!("key = \"env:KEY\"\nurl = \"{url}\"")],
    );
    let settings = std::fs::read_to_string(home.path().join("finops.toml")).unwrap();
    write(
        home.path(),
        "finops.toml",
        &settings.replace("paths = [\"sums.json\"]\n", ""),
    );
    for _ in 0..2 {
        let run = now(home.path()).env("KEY", "k").arg("run").output().unwrap();
        assert!(
            err(fine(&run)).starts_with("warning: `org` tells sums of all calls to anthropic and `laptops` tells single ones, of 2026-11-19, and"),
            "{}",
            err(&run)
        );
    }
}

#[test]
fn a_reconciliation_calls_more_than_all_by_its_name_and_says_who_tells_it() {
    let calls = call(10, SONNET, "");
    let sums = usage(10, SONNET, "null") + &costs(10, "0.45");
    let home = home(&calls, &sums, ["", ""]);
    fine(&finops(home.path(), &["record"]));
    let month = ["reconcile", "--period", "2026-11", "--all"];
    let reconcile = |more: &[&str]| finops(home.path(), &[&month[..], more].concat());
    let found = reconcile(&["--min-coverage", "95"]);
    insta::assert_snapshot!(out(fine(&found)), @r"
    bill against meter, 2026-11-01 to 2026-11-30 (UTC), USD

    provider   metered  reported  billed  missing_calls  token_gap  price_gap  discount_credit  lag  coverage   billed_to
    anthropic   0.0090            0.0045                            -0.0045                             200 %  2026-11-10

           day  provider   model              calls  metered  reported  billed  missing_calls  token_gap  price_gap  discount_credit  lag
    2026-11-10  anthropic  claude-sonnet-4-6      2   0.0090            0.0045                            -0.0045

    billed less metered: -$0.0045. Metered is 200 % of what is billed.
    `org` tells sums of all calls to anthropic and `laptops` tells single ones, of 2026-11-10, and metered spend adds them up: calls that are in both count twice; `--where source=NAME` counts one of them
    a gap below zero is what metering has more than the bill: of tokens in token_gap, of their price in price_gap, and of both in price_gap where the bill counts no tokens
    ");
    let document = json(&reconcile(&["--format", "json"]));
    let anthropic = &document["providers"]["anthropic"];
    assert_eq!(anthropic["coverage_percent"], "100");
    assert_eq!(anthropic["metered_percent"], "200");
    assert_eq!(
        document["told_twice"],
        serde_json::json!([{
            "provider": "anthropic", "sums": "org", "calls": "laptops", "first_day": "2026-11-10T00:00:00Z", "days": 1,
        }])
    );
    assert!(err(&reconcile(&["--format", "csv"])).starts_with("note: `org` tells sums of all calls to anthropic"));
    let other = reconcile(&["--provider", "openai", "--format", "json"]);
    assert_eq!(json(&other)["told_twice"], serde_json::json!([]));

    // A bill that both sides tell once is covered, and no more.
    std::fs::remove_file(home.path().join("l.db")).unwrap();
    write(home.path(), "calls.jsonl", "");
    fine(&finops(home.path(), &["record"]));
    let once = reconcile(&[]);
    assert!(
        out(&once).contains("Metering has seen 100 % of what is billed.\n"),
        "{}",
        out(&once)
    );
    assert!(!out(&once).contains("sums of all calls"), "{}", out(&once));
}
