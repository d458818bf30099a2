//! Providers' administration interfaces, live, through the real program and into a real ledger.

use std::path::Path;
use std::process::Output;

use crate::admin::serve;
use crate::support::{err, program};

/// A folder whose settings name one live source.
fn folder(url: &str, kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[store]\nurl = \"sqlite:l.db\"\n[limits]\ntime_budget_seconds = 10\n[[source]]\nname = \"live\"\nkind = \"{kind}\"\nkey = \"env:ADMIN_KEY\"\nurl = \"{url}\"\n"
    );
    std::fs::write(folder.path().join("finops.toml"), settings).unwrap();
    folder
}

fn run_at(folder: &Path, key: &str, now: &str, args: &[&str]) -> Output {
    let mut program = program(folder);
    program.env("ADMIN_KEY", key).args(["--now", now]).args(args);
    program.output().unwrap()
}

const NOW: &str = "2026-10-21T12:00:00Z";

fn record(folder: &Path) -> Output {
    run_at(folder, "sk-s3cret", NOW, &["record"])
}

#[test]
fn an_answer_of_another_shape_is_not_taken_for_nothing() {
    let (url, seen) = serve(|_, _| ("200 OK".to_owned(), r#"{"hello":"world"}"#.to_owned()));
    let folder = folder(&url, "anthropic-admin");
    for _ in 0..2 {
        let output = record(folder.path());
        assert_eq!(output.status.code(), Some(3), "{}", err(&output));
        assert!(err(&output).contains("it has no `data`"), "{}", err(&output));
    }
    let asked = seen.lock().unwrap().clone();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[0], asked[2], "the same days again");
}
