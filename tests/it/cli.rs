//! The real binary: what it prints and how it exits.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{NOW, err, json, out, program};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.path());
        command.args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Two priced calls of two teams, one of a model that nobody knows, and a repetition.
const USAGE: &str = r#"{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
{"id":"b","ts":"2026-11-04T10:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":2000,"cache_read_tokens":50000,"output_tokens":100,"team":"=ads|x"}
{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"anthropic","model":"claude-nobody-9","input_tokens":2000,"output_tokens":100,"team":"search"}
{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":1000000,"output_tokens":1000,"team":"search"}
"#;

fn recorded() -> Home {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    let output = home.run(&["record", "usage.jsonl", "--now", NOW, "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    home
}

#[test]
fn every_command_has_help_and_wrong_usage_exits_with_2() {
    let home = Home::new();
    for command in [
        "run",
        "record",
        "report",
        "budget",
        "alert",
        "bill",
        "price",
        "explain",
        "export",
        "reconcile",
        "reprice",
        "init",
        "config",
        "completions",
        "man",
    ] {
        let output = home.run(&[command, "--help"]);
        assert_eq!(code(&output), 0, "{command}");
        assert!(out(&output).contains("Usage:") && err(&output).is_empty(), "{command}");
    }
    for wrong in [
        &["reprot"][..],
        &["report", "--by", "colour"],
        &["report", "--where", "team"],
        &["report", "--from", "yesterday"],
        &["report", "--from", "2026-11-02", "--to", "2026-11-01"],
        &["--store", "mysql:x", "report"],
        &["--config", "nowhere.toml", "report"],
        &["-q", "-v", "report"],
    ] {
        let output = home.run(wrong);
        assert_eq!(code(&output), 2, "{wrong:?}");
        assert!(out(&output).is_empty(), "{wrong:?} writes talk on stdout");
        assert!(err(&output).starts_with("error: "), "{wrong:?}: {}", err(&output));
    }
}

#[test]
fn recording_counts_once_and_says_so() {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    let args = ["--format", "json", "record", "usage.jsonl", "--now", NOW];
    let first = json(&home.run(&args));
    assert_eq!(first["recorded"], 3);
    assert_eq!(first["duplicates"], 1);
    assert_eq!(first["unpriced"], 1);
    assert_eq!(first["lines"], 4);
    assert!(home.path().join("data/finops/ledger.db").is_file());
    let second = json(&home.run(&args));
    assert_eq!((&second["recorded"], &second["cost_usd"]), (&0.into(), &"0".into()));
}

#[test]
fn logs_are_read_where_tools_keep_them() {
    let session = |id: &str| {
        format!(
            r#"{{"timestamp":"2026-11-05T08:00:00Z","type":"session_meta","payload":{{"id":"{id}"}}}}
{{"timestamp":"2026-11-05T08:00:01Z","type":"turn_context","payload":{{"model":"gpt-5-codex"}}}}
{{"timestamp":"2026-11-05T08:00:09Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":4000,"output_tokens":300}}}}}}}}
"#
        )
    };
    let message = r#"{"type":"assistant","timestamp":"2026-11-05T10:00:00Z","sessionId":"s","message":{"id":"msg_1","model":"claude-haiku-4-5","usage":{"input_tokens":9,"output_tokens":9}}}
"#;
    let home = Home::new();
    let record = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["--store", "memory:", "--format", "json", "record", "--now", NOW]);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let recorded = |variables: &[(&str, &str)]| json(&record(variables))["recorded"].clone();
    let none = record(&[]);
    assert_eq!(code(&none), 0);
    for place in [".config/claude/projects", ".claude/projects", ".codex/sessions"] {
        let place = home.path().join(place);
        assert!(err(&none).contains(&place.display().to_string()), "{}", err(&none));
    }
    home.write(".codex/sessions/2026/11/05/rollout-1.jsonl", &session("s-1"));
    home.write("elsewhere/claude/projects/p/s.jsonl", message);
    let config = home.path().join("elsewhere");
    let config = config.to_str().unwrap();
    let without = record(&[]);
    assert_eq!(
        (json(&without)["recorded"].clone(), err(&without)),
        (1.into(), String::new())
    );
    assert_eq!(recorded(&[("XDG_CONFIG_HOME", config)]), 2);
    let codex = home.path().join(".codex/sessions");
    assert_eq!(recorded(&[("CODEX_HOME", codex.to_str().unwrap())]), 1);
    // What a variable names is as explicit as a path.
    for variable in ["CLAUDE_CONFIG_DIR", "CODEX_HOME"] {
        let missing = record(&[(variable, "nowhere")]);
        assert_eq!(code(&missing), 3);
        assert!(
            err(&missing).contains("nowhere") && err(&missing).contains(variable),
            "{}",
            err(&missing)
        );
    }
}

#[test]
fn bad_records_and_strictness_decide_the_exit_code() {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    let strict = home.run(&["record", "usage.jsonl", "--now", NOW, "--strict"]);
    assert_eq!(code(&strict), 1, "{}", err(&strict));
    home.write(
        "bad.jsonl",
        &format!(
            "{USAGE}{{\"id\":\"z\",\"ts\":\"1970-01-01T00:00:00Z\",\"provider\":\"p\",\"model\":\"m\",\"output_tokens\":-1}}\n"
        ),
    );
    let bad = home.run(&["record", "bad.jsonl", "--now", NOW, "--rejects", "rejects.jsonl"]);
    assert_eq!(code(&bad), 2);
    assert!(err(&bad).contains("bad.jsonl:5: "), "{}", err(&bad));
    let rejected = std::fs::read(home.path().join("rejects.jsonl")).unwrap();
    assert!(!rejected.is_empty());
    // The hint of a run that has kept them nowhere can be followed.
    assert_eq!(code(&home.run(&["record", "bad.jsonl", "--now", NOW])), 0);
    let again = home.run(&["record", "bad.jsonl", "--now", NOW, "--rejects", "again.jsonl"]);
    assert_eq!(code(&again), 2);
    assert_eq!(std::fs::read(home.path().join("again.jsonl")).unwrap(), rejected);
    let missing = home.run(&["record", "nowhere.jsonl", "--now", NOW]);
    assert_eq!(code(&missing), 3);
    assert!(err(&missing).contains("hint: "), "{}", err(&missing));
}

#[test]
fn a_report_is_data_on_stdout_in_every_format() {
    let home = recorded();
    let report = json(&home.run(&["report", "--by", "team", "--format", "json", "--now", NOW]));
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["rows"][0]["team"], "search");
    assert_eq!(report["rows"][0]["input_uncached_tokens"], 1_002_000);
    assert_eq!(report["rows"][0]["cost_usd"], "3.015");
    assert_eq!(report["rows"][0]["unpriced_events"], 1);
    assert_eq!(report["total"]["events"], 3);
    assert_eq!(report["period"]["start"], "2026-11-01T00:00:00Z");

    let lines = out(&home.run(&["report", "--by", "day,model", "--format", "jsonl", "--now", NOW]));
    assert_eq!(lines.lines().count(), 3);
    assert!(lines.contains("\"day\":\"2026-11-03\""));

    let csv = out(&home.run(&["report", "--by", "team", "--format", "csv", "--now", NOW]));
    assert!(csv.contains("\n'=ads|x,"), "{csv}");
    let markdown = out(&home.run(&["report", "--by", "team", "--format", "markdown", "--now", NOW]));
    assert!(markdown.contains("| =ads\\|x | "), "{markdown}");
}

#[test]
fn a_name_that_looks_like_what_stands_for_others_is_told_apart() {
    let home = Home::new();
    let call = |team: &str, tokens: u32| {
        format!(
            r#"{{"id":"{team}{tokens}","ts":"2026-11-03T10:00:00Z","provider":"openai","model":"gpt-4o","output_tokens":{tokens},"team":"{team}"}}"#
        ) + "\n"
    };
    let usage = [("other", 5000), ("(no team)", 4000), ("", 3000), ("ads", 2), ("web", 1)];
    home.write("usage.jsonl", &usage.map(|(team, tokens)| call(team, tokens)).concat());
    assert_eq!(code(&home.run(&["record", "usage.jsonl", "--now", NOW])), 0);
    let report = |format: &str| {
        let args = ["report", "--by", "team", "--top", "3", "--now", NOW, "--format", format];
        home.run(&args)
    };
    let told = json(&report("json"));
    let teams: Vec<&str> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["team"].as_str().unwrap())
        .collect();
    assert_eq!(teams, ["other", "(no team)", "", "(other)"]);
    let csv = out(&report("csv"));
    assert!(csv.contains("\nother,") && csv.contains("\n(other),"), "{csv}");
    for format in ["table", "markdown", "html"] {
        let text = out(&report(format)).replace("&quot;", "\"");
        assert!(
            text.contains("\"(no team)\"") && text.contains("(other)"),
            "{format}: {text}"
        );
    }
}

#[test]
fn output_goes_to_a_file_in_the_format_of_its_name() {
    let home = recorded();
    for args in [
        ["--output", "a.json", "report", "--now", NOW],
        ["report", "--output", "a.json", "--now", NOW],
    ] {
        let output = home.run(&args);
        assert_eq!((code(&output), out(&output)), (0, String::new()), "{}", err(&output));
        let text = std::fs::read_to_string(home.path().join("a.json")).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        std::fs::remove_file(home.path().join("a.json")).unwrap();
    }
}

/// Every element is closed in order; void ones need not be. Enough to see that no name broke out of its place.
fn assert_nested(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let name = tag.split(['>', ' ', '\n']).next().unwrap();
        if name.starts_with('!') || ["meta", "br"].contains(&name) {
            continue;
        }
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "before `{}`", &tag[..tag.len().min(60)]),
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_report_as_html_is_one_file_that_loads_nothing_and_obeys_no_name() {
    let home = Home::new();
    let evil = r#"\"><script src=\"https://example.com/x.js\"></script><img onerror='x' "#;
    home.write("usage.jsonl", &USAGE.replace("=ads|x", evil));
    home.run(&["record", "usage.jsonl", "--now", NOW]);
    let args = ["report", "--by", "team,model", "--output", "r.html", "--now", NOW];
    let output = home.run(&args);
    assert_eq!((code(&output), out(&output)), (0, String::new()), "{}", err(&output));
    let html = std::fs::read_to_string(home.path().join("r.html")).unwrap();
    assert_nested(&html);
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert!(
        html.contains("&lt;script src=&quot;https://example.com/x.js&quot;&gt;"),
        "{html}"
    );
    for loads in [
        "<script",
        "<img",
        "<link",
        "<iframe",
        "src=\"",
        "href=\"",
        "url(",
        "@import",
        "javascript:",
    ] {
        assert!(!html.contains(loads), "{loads}");
    }
    // Rounded for people, exact for programs; what has no price is not shown as nothing.
    assert!(html.contains(r#"<data value="3.015">$3.02</data>"#), "{html}");
    assert!(
        html.contains("Unpriced: 1 call, ") && html.contains(">unpriced</span>"),
        "{html}"
    );
    assert!(html.contains("<caption>") && html.matches("scope=\"row\"").count() > 6);

    let timed = out(&home.run(&["report", "--by", "day", "--format", "html", "--now", NOW]));
    assert_nested(&timed);
    assert!(
        timed.contains(r#"<time datetime="2026-11-03">"#) && timed.contains("Spend by day"),
        "{timed}"
    );
    // Every day has its place, also one without spend.
    let days = |html: &str| {
        let chart = html.split("class=\"chart\" ").nth(1).unwrap();
        chart.split("preserveAspectRatio").next().unwrap().to_owned()
    };
    assert_eq!(days(&timed), "viewBox=\"0 0 240 1000\" ");
    assert_eq!(days(&timed), days(&html));
    let months = [
        "report",
        "--by",
        "month",
        "--from",
        "2026-08-01",
        "--format",
        "html",
        "--now",
        NOW,
    ];
    let months = out(&home.run(&months));
    assert!(months.contains("the highest is $3.02 in 2026-11"), "{months}");
    assert_eq!(days(&months), "viewBox=\"0 0 40 1000\" ");
    let empty = out(&home.run(&["report", "--format", "html", "--now", NOW, "--where", "team=nobody"]));
    assert_nested(&empty);
    assert!(empty.contains("No spend."));
    let other = home.run(&["budget", "--format", "html"]);
    assert_eq!(code(&other), 2, "{}", err(&other));
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let home = recorded();
    let plain = home.run(&["report", "--now", NOW]);
    assert!(!out(&plain).contains('\u{1b}'));
    let coloured = home.run(&["report", "--now", NOW, "--color", "always"]);
    assert!(out(&coloured).contains('\u{1b}'));
    let ascii = home
        .command(&["report", "--now", NOW])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(out(&ascii).is_ascii());
}

#[test]
fn a_broken_configuration_is_pointed_at() {
    let home = Home::new();
    home.write("finops.toml", "namespace = \"a\"\n\n[stoer]\nurl = \"memory:\"\n");
    let output = home.run(&["report"]);
    assert_eq!(code(&output), 2);
    insta::assert_snapshot!(err(&output), @r#"
    error: `finops.toml:3:2`: unknown field `stoer`
    hint: did you mean `store`?
    "#);
    // What does not need the settings works all the same.
    assert_eq!(code(&home.run(&["completions", "bash"])), 0);
    assert_eq!(code(&home.run(&["config", "schema"])), 0);
}

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let home = Home::new();
    assert_eq!(code(&home.run(&["init"])), 0);
    let check = home.run(&["config", "check"]);
    assert_eq!(code(&check), 0, "{}{}", out(&check), err(&check));
    assert!(out(&check).contains("finops.db"), "{}", out(&check));
    home.write("finops.toml", "namespace = \"mine\"\n");
    let again = home.run(&["init"]);
    assert_eq!(code(&again), 2);
    assert!(err(&again).contains("exists already"));
    assert_eq!(
        std::fs::read_to_string(home.path().join("finops.toml")).unwrap(),
        "namespace = \"mine\"\n"
    );
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let home = Home::new();
    home.write(
        "notes.db",
        "these are my notes, not a database, and they are long enough to be a header\n",
    );
    let output = home.run(&["--store", "sqlite:notes.db", "report"]);
    assert_eq!(code(&output), 3, "{}", err(&output));
    assert!(err(&output).contains("hint: where it is no ledger, name another file"));
    assert!(
        std::fs::read_to_string(home.path().join("notes.db"))
            .unwrap()
            .starts_with("these")
    );
    // What lies beside a database of somebody else's may hold what was written last.
    let other = rusqlite::Connection::open(home.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let output = home.run(&["--store", "sqlite:other.db", "report"]);
    assert_eq!(code(&output), 3, "{}", err(&output));
    let told = err(&output);
    assert!(
        told.contains("hint: leave the file and those beside it as they are") && !told.contains("remove"),
        "{told}"
    );
}

/// What is shown where the month has no spend is of another time: rows alone do not say of which.
#[test]
fn a_report_of_a_month_without_spend_says_of_which_days_it_is() {
    let home = recorded();
    let report = |now: &str, args: &[&str]| {
        let output = home.run(&[&["report", "--format", "csv", "--now", now], args].concat());
        assert_eq!(code(&output), 0, "{}", err(&output));
        err(&output)
    };
    let told =
        "hint: this month has no such spend so far: these figures are of 2026-10-06 to 2026-11-04; `--from` chooses\n";
    for now in ["2026-12-01T00:10:00Z", "2027-03-01T00:00:00Z", "2026-10-30T00:00:00Z"] {
        assert_eq!(report(now, &[]), told, "{now}");
    }
    assert_eq!(report("2026-12-01T00:10:00Z", &["--quiet"]), "");
    assert_eq!(report("2026-11-24T00:00:00Z", &[]), "");
    assert_eq!(report("2026-12-01T00:10:00Z", &["--from", "2026-11-01"]), "");
}

#[test]
fn what_belongs_to_no_time_tells_none_and_a_format_that_is_not_there_is_refused() {
    let home = recorded();
    home.run(&["run", "--quiet", "--now", NOW]);
    let list = json(&home.run(&["alert", "list", "--format", "json"]));
    let alert = &list["alerts"][0];
    assert_eq!(alert["kind"], "unpriced", "{list}");
    assert_eq!(alert["period"], serde_json::json!({ "start": null, "end": null }));
    let id = alert["id"].as_str().unwrap();
    let shown = out(&home.run(&["alert", "show", id]));
    assert!(
        shown.contains("claude-nobody-9") && !shown.contains("period"),
        "{shown}"
    );
    assert_eq!(
        out(&home.run(&["alert", "show", id, "--format", "jsonl"]))
            .lines()
            .count(),
        1
    );
    for args in [
        ["alert", "show", id].as_slice(),
        &["config", "check"],
        &["config", "show"],
    ] {
        let output = home.run(&[args, &["--format", "csv"]].concat());
        assert_eq!((code(&output), out(&output)), (2, String::new()), "{args:?}");
        assert!(err(&output).contains("has no such format"), "{}", err(&output));
    }
}

#[test]
fn no_output_takes_the_place_of_the_ledger_or_of_what_is_read() {
    let home = Home::new();
    home.write("logs/usage.jsonl", USAGE);
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:l.db\"\n[[source]]\nname = \"a\"\nkind = \"plain\"\npaths = [\"logs\"]\n",
    );
    let kept = |name: &str| std::fs::read(home.path().join(name)).unwrap();
    let refused = |args: &[&str], what: &str| {
        let output = home.run(&[args, &["--now", NOW]].concat());
        assert_eq!(code(&output), 2, "{args:?}: {}", err(&output));
        assert!(err(&output).contains(what), "{args:?}: {}", err(&output));
    };
    // One that is to be made is spared, too.
    refused(&["record", "--rejects", "l.db"], "the ledger");
    refused(&["record", "--output", "l.db", "--format", "json"], "the ledger");
    assert!(!home.path().join("l.db").exists());
    assert_eq!(code(&home.run(&["record", "--now", NOW])), 0);
    let (ledger, usage) = (kept("l.db"), kept("logs/usage.jsonl"));
    std::fs::hard_link(home.path().join("logs/usage.jsonl"), home.path().join("linked.json")).unwrap();
    refused(&["record", "--rejects", "logs/../l.db"], "the ledger");
    refused(&["report", "--output", "l.db", "--format", "json"], "the ledger");
    for to in ["logs/usage.jsonl", "linked.json"] {
        for args in [
            ["record", "--rejects", to].as_slice(),
            &["record", "logs/*.jsonl", "--rejects", to],
            &["record", "logs", "--output", to],
            &["report", "--output", to],
            &["report", "--files", "logs", "--output", to],
        ] {
            refused(args, "one of the files that are read");
        }
    }
    home.write("policies/budgets/a.toml", "");
    for to in [
        "finops.toml",
        "policies/budgets/a.toml",
        "logs/../policies/budgets/a.toml",
    ] {
        refused(&["record", "--rejects", to], "a part of the settings");
        refused(
            &["report", "--files", "logs", "--output", to, "--format", "json"],
            "a part of the settings",
        );
    }
    // Nor of a command that needs no settings.
    refused(&["man", "--output", "l.db"], "the ledger");
    refused(
        &["completions", "bash", "--output", "logs/usage.jsonl"],
        "one of the files that are read",
    );
    refused(
        &["config", "schema", "--output", "finops.toml", "--format", "json"],
        "a part of the settings",
    );
    assert!(!kept("finops.toml").is_empty());
    assert!(kept("l.db") == ledger && kept("logs/usage.jsonl") == usage);
    // Beside them there is room, also for what is there already.
    for _ in 0..2 {
        let fine = home.run(&["record", "logs", "--rejects", "r", "--output", "o.json", "--now", NOW]);
        assert_eq!(code(&fine), 0, "{}", err(&fine));
    }
    assert_eq!(kept("r"), b"");
    // What an earlier run wrote into a folder that is read is nothing that is read.
    home.write("more/a.jsonl", &format!("{USAGE}{{\"id\":\"b\",\"ts\":\"x\"}}\n"));
    for _ in 0..2 {
        home.run(&[
            "record",
            "more",
            "--rejects",
            "more/r.jsonl",
            "--output",
            "more/o.json",
            "--format",
            "json",
            "--now",
            NOW,
        ]);
        let report = home.run(&[
            "report",
            "--files",
            "more",
            "--output",
            "more/report.csv",
            "--format",
            "csv",
            "--now",
            NOW,
        ]);
        assert_eq!(code(&report), 2, "what is refused is told: {}", err(&report));
        assert!(!err(&report).contains("files that are read"), "{}", err(&report));
        let told = String::from_utf8(kept("more/r.jsonl")).unwrap();
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// Every command with its whole name, and its long options.
fn commands(command: &clap::Command, name: &str, out: &mut Vec<(String, Vec<String>)>) {
    let options = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let options = options.filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
    out.push((name.to_owned(), options));
    for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
        commands(inner, &format!("{name}-{}", inner.get_name()), out);
    }
}

#[test]
fn man_pages_name_every_option_of_every_command() {
    let home = Home::new();
    assert!(out(&home.run(&["man"])).contains(".TH finops 1"));
    assert_eq!(code(&home.run(&["man", "--out", "man"])), 0);
    let mut all = Vec::new();
    commands(&finops::cli::args::Cli::tree(), "finops", &mut all);
    assert!(all.len() > 20, "{all:?}");
    for (name, options) in all {
        let page = std::fs::read_to_string(home.path().join(format!("man/{name}.1"))).expect(&name);
        assert!(page.contains(&format!(".TH {name} 1")), "{name}");
        let shown = page.replace("\\-", "-");
        assert!(shown.contains(".SH SYNOPSIS"), "{name}");
        for option in options {
            assert!(shown.contains(&format!("--{option}")), "{name} --{option}");
        }
    }
}

#[test]
fn completions_know_every_command_and_option_and_complete() {
    let home = Home::new();
    let mut all = Vec::new();
    commands(&finops::cli::args::Cli::tree(), "finops", &mut all);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = out(&home.run(&["completions", shell]));
        for (name, options) in &all {
            let last = name.rsplit('-').next().unwrap();
            assert!(script.contains(last), "{shell} {name}");
            for option in options {
                assert!(script.contains(option.as_str()), "{shell} {name} --{option}");
            }
        }
    }
    home.write("finops.bash", &out(&home.run(&["completions", "bash"])));
    let complete = |words: &str, at: usize| {
        let script = format!(
            "set -e; . ./finops.bash; COMP_WORDS=({words}); COMP_CWORD={at}; \
             _finops finops \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{}]}}\"; echo \"${{COMPREPLY[@]}}\"",
            at - 1
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(home.path())
            .output();
        let output = output.ok()?;
        assert!(output.status.success(), "{}", err(&output));
        Some(out(&output).trim().to_owned())
    };
    let Some(found) = complete("finops repo", 1) else {
        println!("skipped: bash is not installed");
        return;
    };
    assert_eq!(found, "report");
    assert_eq!(complete("finops alert sil", 2).unwrap(), "silence silences");
    assert_eq!(complete("finops report --fro", 2).unwrap(), "--from");
    assert!(complete("finops report --format m", 3).unwrap().contains("markdown"));
}

#[test]
fn a_run_over_configured_sources_tells_the_month() {
    let home = Home::new();
    home.write("logs/usage.jsonl", USAGE);
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:x.db\"\n[[source]]\nname = \"app\"\npaths = [\"logs\"]\n",
    );
    let output = home.run(&["run", "--now", NOW]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("$3.0"), "{}", out(&output));
    assert!(home.path().join("x.db").is_file());
}

#[test]
fn a_run_for_programs_writes_nothing_but_json_on_stdout_also_when_an_alert_fires() {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:x.db\"\n[[source]]\nname = \"app\"\npaths = [\"usage.jsonl\"]\n",
    );
    home.write(
        "policies/budgets/b.toml",
        "[[budget]]\nname = \"all\"\namount = \"1 USD\"\nperiod = \"month\"\n",
    );
    let args = ["run", "--now", NOW, "--format", "json", "--fail-on", "firing"];
    let output = home.run(&args);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert_eq!(
        json(&output)["delivery"]["delivered"],
        2,
        "the budget, and the call without a price"
    );
    assert!(err(&output).contains("firing] all: "), "{}", err(&output));
    assert!(
        err(&output).contains("anthropic claude-nobody-9: 1 call without a price"),
        "{}",
        err(&output)
    );
    let again = json(&home.run(&args));
    assert_eq!(again["delivery"]["delivered"], 0, "told once");
    let id = again["alerts"]["active"][0]["id"].as_str().unwrap();
    let shown = out(&home.run(&["alert", "show", id]));
    assert!(
        shown.contains("Spent: $3.02 of $1.00") && shown.contains("new -> firing"),
        "{shown}"
    );
    let acted = home.run(&["alert", "ack", id, "--by", "ann", "--now", NOW]);
    assert_eq!(code(&acted), 0, "{}", err(&acted));
    assert!(
        out(&acted).contains("acknowledged by ann") && out(&acted).contains("acknowledged until"),
        "{}",
        out(&acted)
    );
    let nothing = home.run(&["alert", "resolve", "ffff", "--reason", "x"]);
    assert_eq!(
        (code(&nothing), err(&nothing).contains("hint: ")),
        (2, true),
        "{}",
        err(&nothing)
    );
}

#[test]
fn a_channel_without_its_secret_gets_its_messages_once_it_has_one() {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    home.write(
        "finops.toml",
        "[[source]]\nname = \"app\"\npaths = [\"usage.jsonl\"]\n\n[unpriced]\nalert = false\n[[notify]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"env:HOOK\"\n\n\
         [[notify]]\nname = \"log\"\nkind = \"file\"\npath = \"told.jsonl\"\n",
    );
    home.write(
        "policies/budgets/b.toml",
        "[[budget]]\nname = \"b\"\namount = \"1 USD\"\nperiod = \"month\"\n",
    );
    let args = ["--now", NOW, "--format", "json", "run"];
    let first = home.run(&args);
    assert_eq!(code(&first), 3, "{}", err(&first));
    assert!(err(&first).contains("the environment has no `HOOK`"), "{}", err(&first));
    assert_eq!(json(&first)["delivery"]["delivered"], 1, "the other channel is told");
    assert_eq!(json(&first)["delivery"]["waiting"], 1);

    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", server.local_addr().unwrap());
    let answer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = server.accept().unwrap();
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while !String::from_utf8_lossy(&seen).contains("\"schema_version\"") {
            let read = stream.read(&mut chunk).unwrap();
            seen.extend_from_slice(&chunk[..read]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
    });
    let second = home.command(&args).env("HOOK", address).output().unwrap();
    assert_eq!(code(&second), 0, "{}", err(&second));
    assert_eq!(json(&second)["delivery"]["delivered"], 1, "only what waited is told");
    answer.join().unwrap();
}

#[test]
fn a_call_is_explained_from_its_record_to_its_budget() {
    let home = recorded();
    home.write("finops.toml", "");
    home.write(
        "policies/budgets/a.toml",
        "[[budget]]\nname = \"search\"\nscope = { team = \"search\" }\namount = \"100 USD\"\nperiod = \"month\"\n",
    );
    let list = json(&home.run(&["explain", "--top", "5", "--format", "json"]));
    let calls = list["calls"].as_array().unwrap();
    let costs: Vec<&str> = calls.iter().map(|c| c["usd"].as_str().unwrap()).collect();
    assert_eq!(
        costs,
        ["3.015", "0.0075"],
        "the most expensive first, unpriced ones apart"
    );
    let id = calls[0]["id"].as_str().unwrap();

    let whole = json(&home.run(&["explain", id, "--format", "json"]));
    assert_eq!(whole["stored"]["cost_usd"], "3.015");
    assert_eq!(whole["price"]["cost_usd"], "3.015");
    assert_eq!(whole["current"], true);
    assert_eq!(whole["record"]["line"], 4, "of two equal copies the later line wins");
    assert_eq!(whole["record"]["inputs"].as_array().unwrap().len(), 1);
    assert_eq!(whole["hour"]["sums"]["cost_usd"], "3.015");
    assert_eq!(whole["budgets"][0]["budget"], "search");
    assert_eq!(whole["budgets"][0]["spent"], "3.015");
    let lines = whole["price"]["receipt"].as_array().unwrap();
    let sum: rust_decimal::Decimal = lines
        .iter()
        .map(|l| {
            l["amount_usd"]
                .as_str()
                .unwrap()
                .parse::<rust_decimal::Decimal>()
                .unwrap()
        })
        .sum();
    assert_eq!(sum.normalize().to_string(), "3.015", "the lines add up");

    let page = out(&home.run(&["explain", &id[..8]]));
    for said in [
        "total",
        "built-in",
        "usage.jsonl",
        "team=search",
        "budget   search",
        "usage from line 4 of a file",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }

    let file = home.path().join("usage.jsonl").canonicalize().unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(whole["record"]["place"]["file"], file);
    assert_eq!(whole["record"]["place"]["line"], 4);
    let found = format!("\nfile     {file}:4, behind 1 other observation of the call\n");
    assert!(page.contains(&found), "{page}");
    let page = out(&home.run(&["explain", id, "--search-seconds", "0"]));
    let named = format!("\nfile     not looked for: one of 1 input\n         {file}\n");
    assert!(page.contains(&named), "{page}");
    std::fs::remove_file(file).unwrap();
    let page = out(&home.run(&["explain", id]));
    let gone = format!("\nfile     not found in 1 file of its source\n         1 cannot be read: {file}: ");
    assert!(page.contains(&gone), "{page}");
    let lost = json(&home.run(&["explain", id, "--format", "json"]));
    assert_eq!(lost["record"]["place"], serde_json::Value::Null);
    assert_eq!(lost["record"]["search"]["files_unreadable"], 1);

    let unpriced = home.run(&["explain", "--top", "1", "--unpriced", "--format", "json"]);
    let id = json(&unpriced)["calls"][0]["id"].as_str().unwrap().to_owned();
    let output = home.run(&["explain", &id]);
    assert_eq!(code(&output), 1, "unpriced is a finding");
    assert!(out(&output).contains("unpriced: unknown model"), "{}", out(&output));
    let share = "; this call is not in it: unpriced, at most ";
    assert!(out(&output).contains(share), "{}", out(&output));

    // What came by standard input stands in no file; columns of a foreign table are read as the settings say.
    home.write(
        "finops.toml",
        "[[source]]\nname = \"table\"\nkind = \"plain\"\npaths = [\"table.csv\"]\ncolumns = { ts = \"when\", model = \"what\", output_tokens = \"out\" }\nvalues = { provider = \"anthropic\" }\n",
    );
    home.write("table.csv", "when,what,out\n2026-11-05T10:00:00Z,claude-haiku-4-5,9\n");
    home.write(
        "piped.jsonl",
        &USAGE.replace("\"a\"", "\"p\"").replace("search", "piped"),
    );
    let piped = std::fs::File::open(home.path().join("piped.jsonl")).unwrap();
    let args = ["record", "-", "--name", "pipe", "--now", NOW];
    assert!(home.command(&args).stdin(piped).output().unwrap().status.success());
    assert_eq!(code(&home.run(&["record", "--now", NOW])), 0);
    // So does a bill.
    home.write("bill.csv", "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,BillingAccountId,ProviderName,ServiceName,ChargeCategory,ChargePeriodStart\n1.25,1.25,USD,2026-11-01,2026-12-01,a,AWS,S3,Usage,2026-11-02\n");
    let bill = || std::fs::File::open(home.path().join("bill.csv")).unwrap();
    let args = [
        "report", "--files", "-", "--basis", "billed", "--now", NOW, "--format", "json",
    ];
    let report = json(&home.command(&args).stdin(bill()).output().unwrap());
    assert_eq!(report["total"]["cost_usd"], "1.25");
    // What tells no time is of now, as what is received.
    home.write(
        "answer.json",
        r#"{"id":"msg_9","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":100}}"#,
    );
    for (known, new) in [(0, 1), (1, 0)] {
        let answer = std::fs::File::open(home.path().join("answer.json")).unwrap();
        let args = ["record", "-", "--name", "answers", "--format", "json"];
        let recorded = json(&home.command(&args).stdin(answer).output().unwrap());
        assert_eq!(
            (&recorded["recorded"], &recorded["rejected"]),
            (&new.into(), &0.into()),
            "{known}: {recorded}"
        );
        assert!(
            recorded["warnings"].to_string().contains("or when they came"),
            "{recorded}"
        );
    }
    let args = ["record", "-", "--name", "piped-bill", "--now", NOW, "--format", "json"];
    let recorded = json(&home.command(&args).stdin(bill()).output().unwrap());
    assert_eq!(recorded["bills"], 1, "{recorded}");
    for (which, said) in [
        ("source=pipe", "\nfile     none: it came by standard input".to_owned()),
        ("source=table", "/table.csv:2\n".to_owned()),
    ] {
        let list = home.run(&["explain", "--top", "1", "--where", which, "--format", "json"]);
        let id = json(&list)["calls"][0]["id"].as_str().unwrap().to_owned();
        let page = out(&home.run(&["explain", &id]));
        assert!(page.contains(&said), "{page}");
    }

    for wrong in ["0123456789abcdef0123456789abcdef", "0123", "xyz", "ab"] {
        let output = home.run(&["explain", wrong]);
        assert_eq!(code(&output), 2, "{wrong}");
        assert!(
            err(&output).contains("hint: `finops explain --top 10`"),
            "{}",
            err(&output)
        );
    }
}

/// A dashboard writes a row for each day and key: one of nothing is no call, and no price is missing for it.
#[test]
fn for_rows_of_nothing_no_price_is_missing() {
    let home = Home::new();
    home.write(
        "usage.csv",
        "day,key,model,in\n2026-11-03,a,claude-sonnet-4-6,1000\n2026-11-03,b,nobody-knows,0\n",
    );
    home.write(
        "finops.toml",
        "[store]\nurl = \"sqlite:x.db\"\n[[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.csv\"]\n\
         [source.columns]\nid = [\"day\", \"key\", \"model\"]\nts = \"day\"\nmodel = \"model\"\ninput_tokens = \"in\"\n[source.values]\nprovider = \"anthropic\"\n",
    );
    assert_eq!(code(&home.run(&["run", "--now", NOW])), 0);
    let missing = home.run(&["price", "missing", "--format", "json"]);
    assert_eq!(
        (code(&missing), &json(&missing)["missing"]),
        (0, &serde_json::json!([]))
    );
    let again = json(&home.run(&["reprice", "--from", "2026-11-01", "--dry-run", "--format", "json"]));
    assert_eq!(again["calls"], 1, "{again}");
}

#[test]
fn calls_without_a_price_are_listed_with_what_to_write_and_priced_by_it() {
    let home = Home::new();
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x1";
    home.write(
        "usage.jsonl",
        &format!(
            r#"{{"id":"a","ts":"2026-11-03T10:00:00Z","provider":"bedrock","model":"{arn}","input_tokens":1000,"output_tokens":10}}
{{"id":"b","ts":"2026-11-04T10:00:00Z","provider":"bedrock","model":"{arn}","input_tokens":1000,"output_tokens":10}}
{{"id":"c","ts":"2026-11-04T11:00:00Z","provider":"ollama","model":"llama-9:70b","input_tokens":2000,"output_tokens":100}}
{{"id":"d","ts":"2026-11-04T12:00:00Z","provider":"anthropic","model":"claude-haiku-4-5","input_tokens":2000,"output_tokens":100}}
"#
        ),
    );
    let settings = "[store]\nurl = \"sqlite:x.db\"\n[[source]]\nname = \"app\"\npaths = [\"usage.jsonl\"]\n";
    home.write("finops.toml", settings);
    let first = json(&home.run(&["run", "--now", NOW, "--format", "json"]));
    let kinds = |run: &serde_json::Value| -> Vec<String> {
        let changed = run["alerts"]["changed"].as_array().unwrap();
        changed
            .iter()
            .map(|a| format!("{} {}", a["policy"].as_str().unwrap(), a["state"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(
        kinds(&first),
        [
            format!("unpriced bedrock {arn} firing"),
            "unpriced ollama llama-9:70b firing".to_owned()
        ]
    );
    let output = home.run(&["price", "missing", "--format", "json"]);
    assert_eq!(code(&output), 1);
    let rows = json(&output)["missing"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 2);
    let of = |reason: &str| rows.iter().find(|r| r["reason"] == reason).unwrap();
    let opaque = of("opaque_name");
    assert_eq!((&opaque["calls"], &opaque["tokens"]), (&2.into(), &"2020".into()));
    assert_eq!(opaque["first"], "2026-11-03T10:00:00Z");
    assert_eq!(opaque["last"], "2026-11-04T10:00:00Z");
    assert!(of("unknown_model")["snippet"].as_str().unwrap().contains("llama-9:70b"));

    // The snippet, with the one thing filled in that only the owner knows, and a rule for the own machine.
    let snippet = opaque["snippet"].as_str().unwrap();
    let map = snippet.replace(
        "model = \"\"",
        "model = \"us.anthropic.claude-sonnet-4-5-20250929-v1:0\"",
    );
    let own = "[[price_map]]\nprovider = \"ollama\"\nname = \"llama-*\"\nfree = true\n";
    home.write("finops.toml", &format!("{settings}{map}{own}"));
    let table = out(&home.run(&["price", "missing"]));
    assert!(
        table.contains("3 of them have a price by now: `finops reprice --from 2026-11-03`"),
        "{table}"
    );
    let quote = json(&home.run(&[
        "price",
        "quote",
        "--provider",
        "bedrock",
        "--model",
        arn,
        "--input",
        "1000",
        "--output",
        "10",
        "--at",
        "2026-11-03",
        "--format",
        "json",
    ]));
    assert_eq!(quote["cost_usd"], "0.003465");
    assert!(quote["matched_by"].as_str().unwrap().starts_with("own map"), "{quote}");
    let free = json(&home.run(&[
        "price",
        "quote",
        "--provider",
        "ollama",
        "--model",
        "llama-9:70b",
        "--input",
        "9",
        "--format",
        "json",
    ]));
    assert_eq!((&free["priced"], &free["cost_usd"]), (&true.into(), &"0".into()));
    assert_eq!(free["book"], "rule");
    // Fees by count: $2.50 a thousand file searches, $0.03 a container.
    let tools =
        "price quote --provider openai --model gpt-5 --at 2026-11-03 --file-search 2 --code-execution 1 --format json";
    let tools = json(&home.run(&tools.split(' ').collect::<Vec<_>>()));
    assert_eq!(tools["cost_usd"], "0.035");
}

#[test]
fn contracts_and_flat_costs_make_the_effective_basis_until_a_bill_knows_better() {
    let home = Home::new();
    home.write("usage.jsonl", USAGE);
    let bill = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,\
                ChargePeriodEnd,ChargeCategory,ProviderName,ServiceName\n\
                2.5,2.25,USD,1,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-03T00:00:00Z,2026-11-04T00:00:00Z,Usage,Anthropic,Claude API\n";
    let settings = r#"
[store]
url = "sqlite:x.db"
[[contract]]
name = "edp"
provider = "anthropic"
discount = "10 %"
[[contract]]
name = "resale"
model = "claude-haiku-*"
margin = "5 %"
from = "2026-11-01"
[[commitment]]
name = "assistant seats"
kind = "seats"
dimensions = { provider = "anthropic", team = "search" }
amount = "30 USD"
units = 4
per = "month"
from = "2026-11-01"
"#;
    home.write("finops.toml", settings);
    let record = |file: &str| assert_eq!(code(&home.run(&["record", file, "--now", NOW])), 0);
    record("usage.jsonl");
    let cost = |basis: &str, which: &str| {
        let args = [
            "report",
            "--basis",
            basis,
            "--where",
            which,
            "--format",
            "json",
            "--now",
            "2026-12-02T00:00:00Z",
            "--from",
            "2026-11-01",
            "--to",
            "2026-12-01",
        ];
        json(&home.run(&args))["total"]["cost_usd"].as_str().unwrap().to_owned()
    };
    // 3.015 and 0.0075 at list; 10 % less, the second 5 % more after that.
    assert_eq!(cost("metered", "category=Usage"), "3.0225");
    assert_eq!(cost("effective", "category=Usage"), "2.7205875");
    assert_eq!(
        cost("metered", "category=Purchase"),
        "120",
        "kept apart, exact over the month"
    );
    assert_eq!(cost("effective", "category=*"), "122.7205875");
    let quote = json(&home.run(&[
        "price",
        "quote",
        "--provider",
        "anthropic",
        "--model",
        "claude-haiku-4-5",
        "--input",
        "1000000",
        "--at",
        "2026-11-04",
        "--format",
        "json",
    ]));
    let names: Vec<&str> = quote["contract"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["what"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["10 % discount", "5 % margin"]);
    assert_eq!(
        (&quote["list_cost_usd"], &quote["effective_cost_usd"]),
        (&"1".into(), &"0.945".into())
    );

    home.write("bill.csv", bill);
    record("bill.csv");
    // The day that is billed counts as billed, the other as agreed; nothing twice.
    assert_eq!(cost("effective", "category=Usage"), "2.2570875");
    home.write("finops.toml", &settings.replace("10 %", "110 %"));
    let output = home.run(&["report"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("`[[contract]]` `edp`"), "{}", err(&output));
}
