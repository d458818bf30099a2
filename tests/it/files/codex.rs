//! Codex session logs.

use std::io::Write;

use finops::domain::usage::{Bucket, UsageEvent};

use super::{Kept, read_on};

fn meta(id: &str, more: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-10-20T08:00:00.000Z","type":"session_meta","payload":{{"id":"{id}","cwd":"/srv/shop"{more}}}}}
{{"timestamp":"2026-10-20T08:00:01.000Z","type":"turn_context","payload":{{"model":"gpt-5-codex"}}}}
"#
    )
}

fn usage(counts: [u64; 3]) -> String {
    let [input, cached, output] = counts;
    format!(
        r#"{{"input_tokens":{input},"cached_input_tokens":{cached},"output_tokens":{output},"reasoning_output_tokens":{}}}"#,
        output / 2
    )
}

fn event(second: u32, total: Option<[u64; 3]>, last: Option<[u64; 3]>) -> String {
    let field = |name: &str, counts: Option<[u64; 3]>| counts.map(|c| format!(r#""{name}":{}"#, usage(c)));
    let fields: Vec<String> = [field("total_token_usage", total), field("last_token_usage", last)]
        .into_iter()
        .flatten()
        .collect();
    format!(
        r#"{{"timestamp":"2026-10-20T08:01:{second:02}.000Z","type":"event_msg","payload":{{"type":"token_count","info":{{{}}}}}}}
"#,
        fields.join(",")
    )
}

const FIRST: [u64; 3] = [4000, 1000, 300];
const SECOND: [u64; 3] = [9000, 5000, 500];
const STEP: [u64; 3] = [5000, 4000, 200];

fn counts(kept: &Kept) -> Vec<[u64; 3]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|e| (e.at, e.tokens));
    let get = |e: &UsageEvent, b| e.tokens.get(b);
    calls
        .iter()
        .map(|e| {
            [
                get(e, Bucket::InputUncached),
                get(e, Bucket::CacheRead),
                get(e, Bucket::Output),
            ]
        })
        .collect()
}

fn read(files: &[(&str, String)]) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    kept
}

fn parent() -> String {
    meta("s-1", "")
        + &event(9, Some(FIRST), Some(FIRST))
        + &event(12, Some(FIRST), Some(FIRST))
        + r#"{"timestamp":"2026-10-20T08:01:13.000Z","type":"event_msg","payload":{"type":"token_count","info":null}}"#
        + "\n"
        + &event(20, Some(SECOND), Some(STEP))
}

#[test]
fn usage_is_the_growth_of_the_counter() {
    let kept = read(&[("rollout-1.jsonl", parent())]);
    assert_eq!(counts(&kept), [[3000, 1000, 300], [1000, 4000, 200]]);
    assert!(
        kept.calls
            .values()
            .all(|e| e.model().as_str() == "gpt-5-codex" && e.provider().as_str() == "openai")
    );
    assert_eq!(kept.excluded.get("repeated_counters"), Some(&1));
}

#[test]
fn a_reset_counts_the_last_call_and_a_lone_last_counts_once() {
    let text = parent()
        + &event(30, Some(FIRST), Some(FIRST))
        + &event(40, None, Some([50, 0, 5]))
        + &event(40, None, Some([50, 0, 5]))
        + &event(41, None, Some([50, 0, 5]));
    let kept = read(&[("rollout-1.jsonl", text)]);
    let more = [[3000, 1000, 300], [50, 0, 5], [50, 0, 5]];
    assert_eq!(counts(&kept)[2..], more);
}

#[test]
fn a_fork_counts_only_what_its_parent_has_not() {
    let child = meta("s-2", r#","forked_from_id":"s-1""#)
        + &meta("s-1", "")
        + &event(50, Some(FIRST), Some(FIRST))
        + &event(50, Some(SECOND), Some(STEP))
        + &event(51, Some(SECOND), Some(STEP))
        + &event(52, Some([9100, 5000, 510]), Some([100, 0, 10]));
    let kept = read(&[("rollout-1.jsonl", parent()), ("rollout-2.jsonl", child.clone())]);
    assert_eq!(counts(&kept), [[3000, 1000, 300], [1000, 4000, 200], [100, 0, 10]]);

    let alone = read(&[("rollout-2.jsonl", child)]);
    assert_eq!(alone.warnings.values().sum::<u64>(), 1, "the history is not verified");

    let fresh = meta("s-3", r#","parent_thread_id":"s-1","thread_source":"subagent""#)
        + &event(53, Some([70, 0, 7]), Some([70, 0, 7]));
    let kept = read(&[("rollout-1.jsonl", parent()), ("rollout-3.jsonl", fresh)]);
    assert_eq!(
        counts(&kept).last(),
        Some(&[70, 0, 7]),
        "an agent with a context of its own"
    );
}

#[test]
fn a_growing_session_goes_on_with_its_counter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl");
    let text = parent();
    let (before, after) = text.split_at(text.len() - 20);
    std::fs::write(&path, before).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.observed, 1);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(file, "{after}").unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(
        (kept.observed, counts(&kept)),
        (2, vec![[3000, 1000, 300], [1000, 4000, 200]])
    );
}

/// Two requests of 200,000 between two events are not one beyond the threshold of 272,000.
#[test]
fn growth_of_several_requests_is_no_long_prompt() {
    let session = meta("s-1", "").replace("gpt-5-codex", "gpt-5.6-sol");
    for (last, cost) in [
        (Some([200_000, 0, 500]), "1.62"),
        (Some([100_000, 0, 500]), "3.23"),
        (Some([400_000, 0, 1000]), "3.23"),
        (None, "3.23"),
    ] {
        let kept = read(&[("a.jsonl", session.clone() + &event(1, Some([400_000, 0, 1000]), last))]);
        assert_eq!(super::charged(&kept.only()), cost, "{last:?}");
    }
}
