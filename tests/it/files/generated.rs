//! Generated usage with exact expected totals, where the generator is at hand.

use std::process::Command;

use finops::domain::dimension::Dimension;
use finops::domain::usage::Bucket;

use super::{Kept, read_on};

fn check(mode: &str, out: &str) {
    let Some(generator) = super::shared("bench/gen_usage.py") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(generator)
        .args([mode, "2000", out, "--files", "30"])
        .current_dir(folder.path())
        .status();
    if !status.is_ok_and(|s| s.success()) {
        println!("skipped: the generator does not run here");
        return;
    }
    let text = std::fs::read_to_string(folder.path().join(format!("{out}.expected.json"))).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &[out], &mut kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected.first());
    assert_eq!(kept.calls.len() as u64, expected["events"]);
    assert_eq!(kept.progress.lines, expected["lines"]);
    assert_eq!(kept.progress.bytes, expected["bytes"]);
    assert_eq!(kept.progress.bytes, kept.progress.expected_bytes);
    let names = [
        "input_uncached",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "reasoning",
    ];
    let totals = kept.totals();
    for (name, total) in names.iter().zip(totals) {
        assert_eq!(total, expected["totals"][name], "{name}");
    }
    for (model, row) in expected["by_model"].as_object().unwrap() {
        let of_model = || kept.calls.values().filter(|e| e.model().as_str() == model);
        assert_eq!(of_model().count() as u64, row["events"], "{model}");
        assert!(of_model().all(|e| e.provider().as_str() == row["provider"]), "{model}");
    }
    for (day, row) in expected["by_day"].as_object().unwrap() {
        let of_day = kept.calls.values().filter(|e| e.at.date_naive().to_string() == *day);
        assert_eq!(of_day.count() as u64, row["events"], "{day}");
    }
    by_label(&kept, &expected["by_team"], Dimension::Team);
    for (kind, count) in expected["excluded"].as_object().unwrap() {
        let seen = kept.excluded.get(kind.as_str()).copied().unwrap_or(0);
        let repeated = if kind.starts_with("duplicate_") {
            (kept.observed - kept.calls.len()) as u64
        } else {
            0
        };
        if mode == "mixed" {
            assert_eq!(seen + repeated, *count, "{kind}");
        }
    }
    read_on(folder.path(), &[out], &mut kept);
    assert_eq!(
        (kept.totals(), kept.progress.lines),
        (totals, expected["lines"].as_u64().unwrap())
    );
}

fn by_label(kept: &Kept, expected: &serde_json::Value, dimension: Dimension) {
    for (label, row) in expected.as_object().into_iter().flatten() {
        let own = || {
            kept.calls
                .values()
                .filter(|e| e.dimensions.get(dimension).as_str() == label)
        };
        assert_eq!(own().count() as u64, row["events"], "{label}");
        let output: u64 = own().map(|e| e.tokens.get(Bucket::Output)).sum();
        assert_eq!(output, row["output"], "{label}");
    }
}

#[test]
fn mixed_totals_are_exact() {
    check("mixed", "mixed.jsonl");
}

#[test]
fn claude_totals_are_exact() {
    check("claude", "home");
}

#[test]
fn neutral_totals_are_exact() {
    check("neutral", "neutral.jsonl");
}
