//! The tour: its data is what its generator writes, and what the README shows of it is true.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs the program over the tour as `scripts/tour.sh` does and answers its JSON.
fn finops(ledger: &Path, args: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_finops"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "--config",
            "examples/tour/finops.toml",
            "--now",
            "2026-11-24T12:00:00Z",
            "--format",
            "json",
            "--store",
        ])
        .arg(format!("sqlite:{}", ledger.display()))
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{args:?}: {error}\n{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_tour_counts_each_call_once_and_names_what_has_no_price() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.db");
    let first = finops(&ledger, &["record"]);
    // 5 lines were written while an answer streamed, 21 stand again in the resumed session.
    for (key, expected) in [
        ("files", 4),
        ("lines", 3770),
        ("recorded", 3744),
        ("duplicates", 26),
        ("unpriced", 24),
        ("rejected", 0),
    ] {
        assert_eq!(first[key], expected, "{key} of {first}");
    }
    let report = || {
        finops(
            &ledger,
            &[
                "report",
                "--by",
                "team,model",
                "--from",
                "2026-10-01",
                "--to",
                "2026-12-01",
            ],
        )
    };
    let before = report();
    assert_eq!(before["total"]["cost_usd"], first["cost_usd"]);
    assert_eq!(before["total"]["unpriced_events"], 24);

    let again = finops(&ledger, &["record"]);
    assert_eq!(
        (&again["recorded"], &again["cost_usd"]),
        (&0.into(), &"0".into()),
        "{again}"
    );
    assert_eq!(report(), before);
}

#[test]
fn the_readme_shows_the_exact_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- tour:begin").unwrap();
    let (block, _) = rest.split_once("<!-- tour:end -->").unwrap();
    let (_, block) = block.split_once("```text\n").unwrap();
    let shown = block.trim_end().trim_end_matches("```");
    if shown.trim().is_empty() {
        println!("skipped: scripts/readme-output.sh has not filled the README yet");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let mut expected = String::new();
    for line in shown.lines().filter(|line| line.starts_with("$ ")) {
        if !expected.is_empty() {
            expected.push('\n');
        }
        expected.push_str(&format!("{line}\n"));
        let Some(args) = line.strip_prefix("$ finops ") else {
            continue;
        };
        let args = args.split(' ').map(|arg| {
            if arg.starts_with("sqlite:") {
                store.as_str()
            } else {
                arg
            }
        });
        let output = Command::new(env!("CARGO_BIN_EXE_finops"))
            .current_dir(root.join("examples/tour"))
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .env("LC_ALL", "C.UTF-8")
            .args(args)
            .output()
            .unwrap();
        expected.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    assert!(
        shown == expected,
        "run scripts/readme-output.sh; now it is:\n{expected}"
    );
}

#[test]
fn the_generator_writes_the_committed_usage() {
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour");
    let fresh = tempfile::tempdir().unwrap();
    let run = Command::new("python3")
        .arg(tour.join("generate.py"))
        .arg(fresh.path())
        .status();
    let Ok(status) = run else {
        println!("skipped: python3 is not installed");
        return;
    };
    assert!(status.success());
    let mut compared = 0;
    for folder in ["usage", "claude/projects/-srv-shop"] {
        let names = |base: &Path| {
            let mut names: Vec<_> = fs::read_dir(base.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&tour), names(fresh.path()), "{folder}");
        for name in names(&tour) {
            let committed = fs::read(tour.join(folder).join(&name)).unwrap();
            let written = fs::read(fresh.path().join(folder).join(&name)).unwrap();
            assert!(
                committed == written,
                "{folder}/{} differs: run examples/tour/generate.py",
                name.display()
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}
