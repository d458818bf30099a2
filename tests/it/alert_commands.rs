//! What people do about alerts and their messages, with the real program.

use std::path::Path;
use std::process::Output;

use super::support::{err, json, out, program};

const BUDGETS: [&str; 3] = ["b1", "b2", "b3"];

/// A folder with three budgets that are spent, and one channel as these lines say.
fn home(channel: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    settings(home.path(), channel);
    std::fs::create_dir_all(home.path().join("policies/budgets")).unwrap();
    let (mut budgets, mut usage) = (String::new(), String::new());
    for name in BUDGETS {
        budgets += &format!(
            "[[budget]]\nname = \"{name}\"\namount = \"1 USD\"\nperiod = \"month\"\nscope = {{ team = \"{name}\" }}\n"
        );
        usage += &format!(
            "{{\"id\":\"{name}\",\"ts\":\"2025-11-10T12:00:00Z\",\"provider\":\"openai\",\"model\":\"gpt-4o\",\
             \"output_tokens\":500000,\"team\":\"{name}\"}}\n"
        );
    }
    std::fs::write(home.path().join("policies/budgets/b.toml"), budgets).unwrap();
    std::fs::write(home.path().join("u.jsonl"), usage).unwrap();
    home
}

fn settings(home: &Path, channel: &str) {
    let text = format!(
        "[store]\nurl = \"sqlite:l.db\"\n[limits]\ndelivery_attempts = 1\n[[source]]\nname = \"g\"\nkind = \"plain\"\n\
         paths = [\"u.jsonl\"]\n[[notify]]\n{channel}\n"
    );
    std::fs::write(home.join("finops.toml"), text).unwrap();
}

fn finops(home: &Path, now: &str, args: &[&str]) -> Output {
    program(home).args(["--now", now]).args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn silences_are_listed_and_taken_back_and_one_of_nothing_says_so() {
    let home = home("name = \"log\"\nkind = \"file\"\npath = \"a.jsonl\"");
    let now = "2025-11-11T12:00:00Z";
    let silence = |budget| {
        let args = [
            "alert", "silence", "--budget", budget, "--for", "30d", "--reason", "x", "--by", "ann",
        ];
        let output = finops(home.path(), now, &args);
        assert_eq!(code(&output), 0, "{}", err(&output));
        let id = out(&output).split(['(', ')']).nth(1).unwrap().to_owned();
        (id, err(&output))
    };
    assert_eq!(silence("b1").1, "");
    let (all, said) = silence("b*");
    assert_eq!(said, "");
    let (nothing, said) = silence("serch");
    assert_eq!(
        said,
        format!(
            "warning: no budget and no open alert matches `serch`; `finops alert unsilence {nothing}` takes it back\n"
        )
    );
    let list = |all: &[&str]| {
        let args = [&["--format", "json", "alert", "silences"], all].concat();
        json(&finops(home.path(), now, &args))["silences"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(list(&[]), 3);
    let listed = out(&finops(home.path(), now, &["alert", "silences"]));
    assert!(
        listed.contains("serch") && listed.contains("2025-12-11 12:00"),
        "{listed}"
    );

    let back = |id: &str| finops(home.path(), "2025-11-11T13:00:00Z", &["alert", "unsilence", id]);
    for id in [&nothing[..6], &all] {
        assert_eq!(code(&back(id)), 0, "{}", err(&back(id)));
    }
    let twice = back(&all);
    assert_eq!(code(&twice), 2);
    assert!(
        err(&twice).contains("has ended already") && err(&twice).contains("hint: "),
        "{}",
        err(&twice)
    );
    assert!(err(&back("ffff")).contains("no silence has the id `ffff`"));
    let run = finops(home.path(), "2025-11-11T14:00:00Z", &["run"]);
    assert!(
        out(&run).ends_with("messages: 2 delivered, 0 waiting\n"),
        "only `b1` is silenced: {}",
        out(&run)
    );
    let left = json(&finops(
        home.path(),
        "2025-11-11T14:00:00Z",
        &["--format", "json", "alert", "silences"],
    ));
    assert_eq!(left["silences"][0]["policy"], "b1", "{left}");

    // A policy file that is broken keeps nobody from silencing an alert that is open.
    std::fs::write(home.path().join("policies/budgets/b.toml"), "[[budget]\n").unwrap();
    assert_eq!(silence("b2").1, "");
    assert!(silence("b9").1.contains("no budget that can be read and no open alert"));
}
