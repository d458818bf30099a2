//! Codex session logs.

use std::io::Write;

use finops::adapters::files::FileSource;
use finops::domain::usage::{Bucket, UsageEvent};
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, read_on, source};

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
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
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

/// Versions before 0.80 count from nothing when a session is resumed, in the same file. A prompt grows: the first one may be larger than
/// all that was counted before.
#[test]
fn a_session_that_is_resumed_may_count_anew_beyond_what_was_counted() {
    let grown = [12_000, 6000, 600];
    let text = meta("s-1", "")
        + &event(9, Some(FIRST), Some(FIRST))
        + &event(10, Some(FIRST), Some(FIRST))
        + &event(20, Some(grown), Some(grown))
        + &event(21, Some(grown), Some(grown))
        + &event(30, Some([17_000, 10_000, 800]), Some(STEP));
    let kept = read(&[("rollout-1.jsonl", text)]);
    assert_eq!(counts(&kept), [[3000, 1000, 300], [6000, 6000, 600], [1000, 4000, 200]]);
    assert_eq!(kept.excluded.get("repeated_counters"), Some(&2));
}

/// What tells nothing of its calls is told once, copied or not.
#[test]
fn compactions_that_no_counter_tells_and_sessions_without_one_are_told() {
    let line = |second: u32| {
        format!(
            "{{\"timestamp\":\"2026-10-20T08:01:{second}.000Z\",\"type\":\"compacted\",\"payload\":{{\"message\":\"\"}}}}\n"
        )
    };
    let nothing = Some([0, 0, 0]);
    let remote = parent() + &line(21) + &event(22, Some(SECOND), nothing) + &event(23, Some(SECOND), nothing);
    // Asked for within the session, the counter has it.
    let grown = [10_000, 5000, 550];
    let local = event(30, Some(grown), Some([1000, 0, 50])) + &line(31) + &event(32, Some(grown), Some([1000, 0, 50]));
    let kept = read(&[("rollout-1.jsonl", remote.clone() + &local)]);
    let told = |kept: &Kept| (kept.excluded.get("calls_without_usage").copied(), kept.warnings.len());
    assert_eq!(
        (told(&kept), kept.calls.len()),
        ((Some(1), 1), 3),
        "{:?}",
        kept.warnings
    );
    let answered = compacted();
    let at = answered.len() - 3;
    let answered = answered[..at].concat() + &line(11) + &answered[at..].concat();
    let kept = read(&[("rollout-1.jsonl", answered)]);
    assert_eq!(told(&kept), (None, 0), "{:?}", kept.warnings);

    let early = r#"{"id":"5","timestamp":"2025-08-20T08:00:00.000Z","instructions":null}
{"record_type":"state"}
{"type":"message","id":"m1","role":"assistant","content":[{"type":"output_text","text":"hello"}]}
"#;
    let kept = read(&[("sessions/2025/rollout-1.jsonl", early.to_owned())]);
    assert_eq!(
        (told(&kept), kept.calls.len()),
        ((Some(1), 1), 0),
        "{:?}",
        kept.warnings
    );
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

/// An event of a counter that also tells what was written to caches: input, cached, written, output.
fn writing(second: u32, total: [u64; 4], last: [u64; 4]) -> String {
    let usage = |[input, cached, written, output]: [u64; 4]| {
        format!(
            r#"{{"input_tokens":{input},"cached_input_tokens":{cached},"cache_write_input_tokens":{written},"output_tokens":{output}}}"#
        )
    };
    let (total, last) = (usage(total), usage(last));
    format!(
        r#"{{"timestamp":"2026-10-20T08:01:{second:02}.000Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{total},"last_token_usage":{last}}}}}}}
"#
    )
}

#[test]
fn what_is_written_to_caches_has_its_own_price() {
    let session = meta("s-1", "").replace("gpt-5-codex", "gpt-5.6-sol");
    let first = [100_000, 20_000, 80_000, 1000];
    let kept = read(&[("a.jsonl", session.clone() + &writing(1, first, first))]);
    let call = kept.only();
    assert_eq!(call.tokens.get(Bucket::InputUncached), 0);
    assert_eq!(call.tokens.get(Bucket::CacheWrite30m), 80_000);
    assert_eq!(super::charged(&call), "0.428");
    // A version that does not tell them has the same calls.
    let before = session + &event(1, Some([100_000, 20_000, 1000]), Some([100_000, 20_000, 1000]));
    let before = before.replace(r#""reasoning_output_tokens":500"#, r#""reasoning_output_tokens":0"#);
    assert_eq!(read(&[("a.jsonl", before)]).only().id, call.id);
}

/// The checkpoint of a version that read neither writes nor tiers: four counts, and no field that came later.
fn saved_by_an_earlier_version(kept: &mut Kept) {
    for checkpoint in kept.checkpoints.values_mut() {
        let mut position: serde_json::Value = serde_json::from_slice(&checkpoint.0).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(position["state"].as_str().unwrap()).unwrap();
        state["total"].as_array_mut().unwrap().truncate(4);
        for later in ["tier", "began", "history_start", "writes", "provider", "guessed"] {
            state.as_object_mut().unwrap().remove(later).unwrap();
        }
        position["state"] = state.to_string().into();
        checkpoint.0 = position.to_string().into_bytes();
    }
}

#[test]
fn a_session_that_an_earlier_version_has_read_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout-1.jsonl");
    let first = [100_000, 20_000, 80_000, 1000];
    let session = meta("s-1", "") + &writing(1, first, first);
    std::fs::write(&path, &session).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    saved_by_an_earlier_version(&mut kept);
    let more = writing(2, first, first) + &writing(3, [210_000, 120_000, 85_000, 1500], [110_000, 100_000, 5000, 500]);
    std::fs::write(&path, session + &more).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.observed, 2, "the repetition is none");
    assert_eq!(counts(&kept), [[0, 20_000, 1000], [5000, 100_000, 500]]);
    let written: u64 = kept.calls.values().map(|e| e.tokens.get(Bucket::CacheWrite30m)).sum();
    assert_eq!(written, 85_000);
}

#[test]
fn calls_are_priced_at_the_tier_that_the_session_asks_for() {
    let settings = |tier: &str| {
        format!(
            r#"{{"timestamp":"2026-10-20T08:00:30.000Z","type":"event_msg","payload":{{"type":"thread_settings_applied","thread_settings":{{"model":"gpt-5.4"{tier}}}}}}}
"#
        )
    };
    let count = |second: u32, times: u64| {
        let total = [100_000 * times, 20_000 * times, 1000 * times];
        event(second, Some(total), Some([100_000, 20_000, 1000]))
    };
    for (tier, cost) in [
        (r#","service_tier":"priority""#, "0.44"),
        (r#","service_tier":"fast""#, "0.44"),
        (r#","service_tier":null"#, "0.22"),
        ("", "0.22"),
    ] {
        let text = meta("s-1", "") + &settings(tier) + &count(1, 1);
        assert_eq!(super::charged(&read(&[("a.jsonl", text)]).only()), cost, "{tier}");
    }
    let turn = r#"{"timestamp":"2026-10-20T08:01:02.000Z","type":"turn_context","payload":{"model":"gpt-5.4","service_tier":"priority"}}
"#;
    let fast = settings(r#","service_tier":"priority""#);
    let text =
        meta("s-1", "") + &settings("") + &count(1, 1) + turn + &count(3, 2) + &settings("") + &count(4, 3) + &fast;
    let kept = read(&[("a.jsonl", text + &count(5, 4))]);
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|call| call.at);
    let costs: Vec<String> = calls.into_iter().map(super::charged).collect();
    assert_eq!(costs, ["0.22", "0.44", "0.22", "0.44"]);
}

const COPY: [[u64; 3]; 3] = [[3000, 1000, 300], [1000, 4000, 200], [100, 0, 10]];

fn own() -> String {
    event(52, Some([9100, 5000, 510]), Some([100, 0, 10]))
}

#[test]
fn a_parent_is_known_however_it_is_told() {
    let spawned = r#","source":{"subagent":{"thread_spawn":{"parent_thread_id":"s-1","depth":1}}}"#;
    let copied = event(50, Some(FIRST), Some(FIRST)) + &event(50, Some(SECOND), Some(STEP));
    for child in [
        meta("s-2", spawned) + &meta("s-1", r#","source":"cli""#) + &copied + &own(),
        // Nothing but the parent's own first line.
        meta("s-2", "") + &meta("s-1", "") + &copied + &own(),
        // The last turn alone is copied.
        meta("s-2", spawned) + &event(50, Some(SECOND), Some(STEP)) + &own(),
        // The parent's lines are referred to, and its counter goes on.
        meta("s-2", r#","forked_from_id":"s-1""#) + &own(),
    ] {
        let kept = read(&[("rollout-1.jsonl", parent()), ("rollout-2.jsonl", child.clone())]);
        assert_eq!(counts(&kept), COPY, "{child}");
        assert_eq!(kept.warnings.len(), 0);
    }
    // Its own first line again is no parent.
    let again = parent() + &meta("s-1", "") + &event(30, Some([9100, 5000, 510]), Some([100, 0, 10]));
    assert_eq!(counts(&read(&[("rollout-1.jsonl", again)])), COPY);
}

#[test]
fn a_parent_that_is_packed_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = ruzstd::encoding::compress_to_vec(parent().as_bytes(), level);
    std::fs::write(folder.path().join("rollout-1.jsonl.zst"), packed).unwrap();
    let copied = event(50, Some(FIRST), Some(FIRST)) + &event(50, Some(SECOND), Some(STEP));
    let child = meta("s-2", r#","forked_from_id":"s-1""#) + &copied + &own();
    std::fs::write(folder.path().join("rollout-2.jsonl"), child).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!((counts(&kept), kept.warnings.len()), (COPY.to_vec(), 0));
}

/// A child whose copies are spread over seconds, so that nothing but the parent's steps tells them.
fn spread() -> String {
    meta("s-2", r#","forked_from_id":"s-1""#)
        + &event(30, Some(FIRST), Some(FIRST))
        + &event(40, Some(SECOND), Some(STEP))
        + &own()
}

#[test]
fn of_several_copies_of_a_parent_the_longest_is_asked_and_then_the_others() {
    let older = meta("s-1", "") + &event(9, Some(FIRST), Some(FIRST));
    for copy in ["backup/rollout-1.jsonl", "zbackup/rollout-1.jsonl"] {
        let kept = read(&[
            (copy, older.clone()),
            ("sessions/rollout-1.jsonl", parent()),
            ("sessions/rollout-2.jsonl", spread()),
        ]);
        assert_eq!((counts(&kept), kept.warnings.len()), (COPY.to_vec(), 0), "{copy}");
    }
    // A copy that went on in another way.
    let other = older + &event(30, Some([4100, 1000, 310]), Some([100, 0, 10])) + &event(31, Some(STEP), Some(FIRST));
    let own_calls = |kept: &Kept| kept.calls.values().filter(|e| e.session.as_str() == "s-2").count();
    let kept = read(&[("a.jsonl", other), ("b.jsonl", parent()), ("c.jsonl", spread())]);
    assert_eq!(own_calls(&kept), 1);
}

#[test]
fn a_parent_is_found_behind_what_is_blank_or_damaged() {
    for front in [
        "",
        "\u{feff}",
        "\n",
        "\r\n \n",
        "\u{feff}\n",
        "{\"timestamp\":\"2026-10-20T08:00:00.000Z\",\"ty}\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1.jsonl"), front.to_owned() + &parent()).unwrap();
        std::fs::write(folder.path().join("2.jsonl"), spread()).unwrap();
        let mut kept = Kept::default();
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!(counts(&kept), COPY, "{front:?}");
    }
}

#[test]
fn a_fork_that_was_moved_or_packed_keeps_what_was_known_of_it_when_its_parent_is_gone() {
    let pack = |text: &str| {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(text.as_bytes(), level)
    };
    let more = spread() + &event(55, Some([9300, 5000, 520]), Some([200, 0, 10]));
    let later = [200, 0, 10];
    for (text, name, packed, expected) in [
        (spread(), "archived/2.jsonl", false, COPY.to_vec()),
        (spread(), "2.jsonl.zst", true, COPY.to_vec()),
        (more.clone(), "archived/2.jsonl", false, [&COPY[..], &[later]].concat()),
        // The same session in another file, that begins with what is its own.
        (
            meta("s-2", r#","forked_from_id":"s-1""#) + &event(55, Some([9300, 5000, 520]), Some([200, 0, 10])),
            "other.jsonl",
            false,
            [&COPY[..], &[later]].concat(),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("archived")).unwrap();
        std::fs::write(at("1.jsonl"), parent()).unwrap();
        std::fs::write(at("2.jsonl"), spread()).unwrap();
        let mut kept = Kept::default();
        read_on(folder.path(), &["."], &mut kept);
        std::fs::remove_file(at("1.jsonl")).unwrap();
        std::fs::remove_file(at("2.jsonl")).unwrap();
        let bytes = if packed { pack(&text) } else { text.into_bytes() };
        std::fs::write(at(name), bytes).unwrap();
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!(counts(&kept), expected, "{name}");
    }
}

#[test]
fn a_parent_may_lie_in_the_folder_of_another_source() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("one/1.jsonl", parent()),
        ("one/2.jsonl", spread()),
        ("two/2.jsonl", spread()),
    ] {
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut sources = ["two", "one"].map(|path| source(folder.path(), None, &[path]));
    FileSource::acquaint(&mut sources);
    let mut kept = Kept::default();
    for source in &mut sources {
        source.read(&Checkpoints::new(), &mut kept).unwrap();
    }
    assert_eq!((counts(&kept), kept.warnings.len()), (COPY.to_vec(), 0));
}

/// Lines with their numbers in the session.
fn numbered(first: usize, lines: &str) -> String {
    let lines = lines.lines().enumerate();
    lines
        .map(|(n, line)| line.replacen('{', &format!(r#"{{"ordinal":{},"#, first + n), 1) + "\n")
        .collect()
}

#[test]
fn a_copy_is_told_without_the_parent_by_numbers_and_by_time() {
    // Lines of a copy have their own times, before the child began, or those of copying.
    let at = |line: String, time: &str| line.replacen("08:01:50.000", time, 1);
    let copied = at(event(50, Some(FIRST), Some(FIRST)), "07:30:00.000")
        + &at(event(50, Some(SECOND), Some(STEP)), "08:00:00.200");
    let child = meta("s-2", r#","forked_from_id":"s-1""#) + &copied + &own();
    let kept = read(&[("rollout-2.jsonl", child)]);
    assert_eq!(counts(&kept), [[100, 0, 10]]);
    assert_eq!(kept.warnings.values().sum::<u64>(), 1, "the history is not verified");

    let child = meta("s-2", r#","parent_thread_id":"s-1","subagent_history_start_ordinal":4"#)
        + &event(50, Some(FIRST), Some(FIRST))
        + &event(50, Some(SECOND), Some(STEP))
        + &own();
    let kept = read(&[("rollout-2.jsonl", numbered(0, &child))]);
    assert_eq!((counts(&kept), kept.warnings.len()), (vec![[100, 0, 10]], 0));
}

#[test]
fn a_total_that_says_that_input_excludes_cached_tokens_is_believed() {
    for (total, uncached) in [(5300, 4000), (4300, 3000)] {
        let text = meta("s-1", "") + &event(9, Some(FIRST), Some(FIRST));
        let text = text.replace(
            r#""output_tokens":300"#,
            &format!(r#""output_tokens":300,"total_tokens":{total}"#),
        );
        let kept = read(&[("a.jsonl", text)]);
        assert_eq!(counts(&kept), [[uncached, 1000, 300]], "{total}");
        let warned = kept.warnings.contains_key("input excludes cached tokens (Codex)");
        assert_eq!(warned, total == 5300, "{:?}", kept.warnings);
    }
}

#[test]
fn lines_that_come_without_their_session_count_their_growth_and_are_told() {
    let lines = [
        event(1, Some([4000, 1000, 300]), Some([4000, 1000, 300])),
        event(2, Some([4000, 1000, 300]), Some([4000, 1000, 300])),
        event(3, Some([9000, 5000, 500]), Some([5000, 4000, 200])),
        event(4, Some([9500, 5000, 510]), None),
    ];
    let mut kept = Kept::default();
    for line in &lines[..3] {
        let one = read(&[("a.jsonl", line.clone())]);
        assert!(one.warnings.keys().any(|told| told.contains("without the session")));
        kept.calls.extend(one.calls);
    }
    assert_eq!(counts(&kept), [[3000, 1000, 300], [1000, 4000, 200]]);
    // A file that was cut.
    let cut = read(&[("a.jsonl", lines[2..].concat())]);
    assert_eq!(counts(&cut), [[1000, 4000, 200], [500, 0, 10]]);
    let whole = read(&[("a.jsonl", format!("{}{}", meta("s", ""), lines.concat()))]);
    assert_eq!(whole.warnings.len(), 0);
}

/// What newer versions tell of one answer, of the session `s-1`.
fn answer(second: u32, id: &str, used: [u64; 3], all: [u64; 3]) -> String {
    let (used, all) = (usage(used), usage(all));
    format!(
        r#"{{"timestamp":"2026-10-20T08:01:{second:02}.000Z","type":"token_usage_record","payload":{{"thread_id":"s-1","response_id":"{id}","usage":{used},"thread_token_usage":{all}}}}}
"#
    )
}

/// The answers and the counter of a session that was compacted between its two steps.
fn compacted() -> Vec<String> {
    vec![
        meta("s-1", ""),
        answer(9, "resp_1", FIRST, FIRST),
        event(10, Some(FIRST), Some(FIRST)),
        answer(11, "resp_2", [7000, 0, 20], [11_000, 1000, 320]),
        event(12, Some(FIRST), Some([0, 0, 0])),
        answer(20, "resp_3", STEP, [16_000, 5000, 520]),
        event(21, Some(SECOND), Some(STEP)),
    ]
}

const COMPACTED: [[u64; 3]; 3] = [[3000, 1000, 300], [7000, 0, 20], [1000, 4000, 200]];

#[test]
fn answers_tell_what_the_counter_leaves_away_and_count_once_with_it() {
    let lines = compacted();
    assert_eq!(counts(&read(&[("a.jsonl", lines.concat())])), COMPACTED);
    // Line by line, each in a run of its own.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut kept = Kept::default();
    for end in 1..=lines.len() {
        std::fs::write(&path, lines[..end].concat()).unwrap();
        read_on(folder.path(), &["."], &mut kept);
    }
    assert_eq!((kept.observed, counts(&kept)), (3, COMPACTED.to_vec()));
    // Recorded by a version that read the counter alone, or while one wrote that told nothing else: only what that left away is new.
    let counter = lines.iter().filter(|line| !line.contains("token_usage_record"));
    std::fs::write(&path, counter.cloned().collect::<String>()).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(counts(&kept), [COMPACTED[0], COMPACTED[2]]);
    std::fs::write(&path, lines.concat()).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(counts(&kept), COMPACTED);
}

#[test]
fn a_session_may_change_between_versions_that_tell_answers_and_such_that_do_not() {
    let third = [12_000, 6000, 600];
    let text = parent()
        + &answer(30, "resp_3", [3000, 1000, 100], third)
        + &event(31, Some(third), Some([3000, 1000, 100]))
        // Two alike before the counter has grown.
        + &answer(40, "resp_4", [50, 0, 6], [12_050, 6000, 606])
        + &answer(41, "resp_5", [50, 0, 6], [12_100, 6000, 612])
        // An older version goes on.
        + &event(50, Some([12_100, 6000, 612]), Some([50, 0, 6]))
        + &event(51, Some([12_300, 6000, 622]), Some([200, 0, 10]));
    let kept = read(&[("a.jsonl", text)]);
    let more = [[2000, 1000, 100], [50, 0, 6], [50, 0, 6], [200, 0, 10]];
    assert_eq!(counts(&kept)[2..], more, "two answers may be one step of the counter");
}

/// Such a fork has no line of its parent, whose counter goes on in it.
#[test]
fn a_fork_that_refers_to_its_parent_holds_no_copies() {
    let refers = r#","forked_from_id":"s-1","history_base":{"thread_id":"s-1","end_ordinal_exclusive":4}"#;
    let begin = meta("s-2", refers);
    let own = |id: &str| answer(1, id, STEP, SECOND).replace("s-1", "s-2");
    let counted = event(1, Some(SECOND), Some(STEP));
    // An answer that was cut: beside the counter stands what the parent's last one used.
    let cut = event(1, Some(SECOND), Some(FIRST));
    for fork in [
        begin.clone() + &counted,
        begin.clone() + &own("resp_9") + &counted,
        begin.clone() + &own("resp_9") + &cut,
        // The parent's answers were more than its counter tells.
        begin.clone() + &answer(1, "resp_9", STEP, [16_000, 5000, 520]).replace("s-1", "s-2") + &counted,
    ] {
        // Answered within the second.
        let fork = fork.replace("08:01:01", "08:00:00");
        let alone = read(&[("b.jsonl", fork.clone())]);
        assert_eq!(counts(&alone), [[1000, 4000, 200]], "{fork}");
        assert!(alone.warnings.is_empty(), "{:?}", alone.warnings);
        let both = read(&[("a.jsonl", parent()), ("b.jsonl", fork)]);
        assert_eq!(both.calls.len(), 3, "the same question was asked in both");
    }
    // Lines of the parent that a fork holds are the parent's.
    let copies = meta("s-3", r#","forked_from_id":"s-1""#) + &compacted()[1..].concat();
    let kept = read(&[("a.jsonl", compacted().concat()), ("c.jsonl", copies)]);
    assert_eq!(counts(&kept), COMPACTED);
}

/// A fork of lines of another session that it does not hold.
fn referring(id: &str, (of, end): (&str, usize), lines: &str) -> String {
    let more =
        format!(r#","forked_from_id":"{of}","history_base":{{"thread_id":"{of}","end_ordinal_exclusive":{end}}}"#);
    numbered(end, &(meta(id, &more) + lines))
}

#[test]
fn a_fork_begins_at_the_counter_that_its_parent_stood_at() {
    let whole = numbered(0, &parent());
    let older: String = whole.lines().take(4).map(|line| line.to_owned() + "\n").collect();
    // What Codex tells where the usage limit is reached before anything was answered.
    let limit = event(50, Some(SECOND), Some(STEP));
    let answered = answer(51, "resp_9", [100, 0, 10], [9100, 5000, 510]).replace("s-1", "s-2");
    // A call that was cut: beside the counter stands what the parent's last one used.
    let cut = event(52, Some([9100, 5000, 510]), Some(STEP));
    let (first, second) = ([3000, 1000, 300], [1000, 4000, 200]);
    let fork = |end, lines: &str| referring("s-2", ("s-1", end), lines);
    for (forks, expected) in [
        (vec![fork(6, &limit)], vec![first, second]),
        (vec![fork(6, &(limit.clone() + &limit + &own()))], COPY.to_vec()),
        (vec![fork(6, &(limit.clone() + &answered + &own()))], COPY.to_vec()),
        (vec![fork(6, &own())], COPY.to_vec()),
        (vec![fork(6, &cut)], COPY.to_vec()),
        // A fork of one that had told nothing.
        (
            vec![fork(6, ""), referring("s-3", ("s-2", 8), &limit)],
            vec![first, second],
        ),
        // From before the parent's last call: the same was asked, and answered, once more.
        (vec![fork(4, &limit)], vec![first, second, second]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("1.jsonl"), &older).unwrap();
        std::fs::write(at("2.jsonl"), &whole).unwrap();
        let mut kept = Kept::default();
        for (n, text) in forks.iter().enumerate() {
            std::fs::write(at(&format!("fork-{n}.jsonl")), text).unwrap();
        }
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!((counts(&kept), kept.warnings.len()), (expected.clone(), 0), "{forks:?}");
        // Moved, and the parent is gone.
        std::fs::remove_file(at("1.jsonl")).unwrap();
        std::fs::remove_file(at("2.jsonl")).unwrap();
        for n in 0..forks.len() {
            std::fs::rename(at(&format!("fork-{n}.jsonl")), at(&format!("moved-{n}.jsonl"))).unwrap();
        }
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!(counts(&kept), expected, "{forks:?}");
    }
}

/// What was recorded from the counter is told again by an answer, though the parent's answers are more than its counter.
#[test]
fn the_first_call_of_a_fork_of_a_compacted_session_counts_once() {
    let answered = answer(51, "resp_9", [100, 0, 10], [16_100, 5000, 530]).replace("s-1", "s-2");
    let texts = [
        numbered(0, &compacted().concat()),
        referring("s-2", ("s-1", 8), &(answered + &own())),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    let path = |name: &str, n: usize| folder.path().join(format!("{name}-{n}.jsonl"));
    for (n, text) in texts.iter().enumerate() {
        let counter = text.lines().filter(|line| !line.contains("token_usage_record"));
        let counter: String = counter.map(|line| line.to_owned() + "\n").collect();
        std::fs::write(path("sessions", n), counter).unwrap();
    }
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(counts(&kept), COPY);
    for (n, text) in texts.iter().enumerate() {
        std::fs::remove_file(path("sessions", n)).unwrap();
        std::fs::write(path("archived", n), text).unwrap();
    }
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(counts(&kept), [&COMPACTED[..], &[[100, 0, 10]]].concat());
}

#[test]
fn who_sold_a_call_is_whom_the_session_asks() {
    let provider = |more: &str, line: &str| {
        let text = meta("s-1", more) + line + &event(9, Some(FIRST), Some(FIRST));
        read(&[("a.jsonl", text)]).only()
    };
    let first = provider("", "");
    for (name, seller) in [
        ("openai", "openai"),
        ("azure", "azure"),
        ("openrouter", "openrouter"),
        ("amazon-bedrock", "bedrock"),
        ("oss", "ollama"),
        ("lmstudio", "lmstudio"),
        // A name of the user's own says where requests go; the model is OpenAI's.
        ("our-proxy", "openai"),
    ] {
        let call = provider(&format!(r#","model_provider":"{name}""#), "");
        assert_eq!((call.provider().as_str(), call.id), (seller, first.id), "{name}");
    }
    assert_eq!(first.provider().as_str(), "openai");
    for (model, seller) in [
        ("openai/gpt-5", "openai"),
        ("anthropic/claude-sonnet-4-6", "anthropic"),
        ("our-model", "our-proxy"),
    ] {
        let text = meta("s-1", r#","model_provider":"our-proxy""#).replace("gpt-5-codex", model);
        let call = read(&[("a.jsonl", text + &event(9, Some(FIRST), Some(FIRST)))]).only();
        assert_eq!(call.provider().as_str(), seller, "{model}");
    }
    let applied = r#"{"timestamp":"2026-10-20T08:00:30.000Z","type":"event_msg","payload":{"type":"thread_settings_applied","thread_settings":{"model_provider_id":"azure"}}}
"#;
    assert_eq!(
        provider(r#","model_provider":"openai""#, applied).provider().as_str(),
        "azure"
    );
}
