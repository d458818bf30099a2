//! Session files of pi, opencode, GitHub Copilot CLI and Kimi CLI.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId, UsageEvent};

use super::{Kept, read_on, time};

pub(super) fn read(kept: &mut Kept, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    read_on(folder.path(), &["."], kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

pub(super) fn fresh(files: &[(&str, &str)]) -> Kept {
    let mut kept = Kept::default();
    read(&mut kept, files);
    kept
}

/// Uncached, read, written, output and thoughts of each call.
pub(super) fn counts(kept: &Kept) -> Vec<[u64; 5]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|e| (e.at, e.tokens));
    let of = |e: &UsageEvent| {
        let get = |bucket| e.tokens.get(bucket);
        let written = get(Bucket::CacheWrite5m) + get(Bucket::CacheWrite30m);
        let plain = get(Bucket::InputUncached);
        [
            plain,
            get(Bucket::CacheRead),
            written,
            get(Bucket::Output),
            e.tokens.reasoning,
        ]
    };
    calls.into_iter().map(of).collect()
}

fn response(id: &str) -> EventId {
    EventId::of(&[b"response", id.as_bytes()])
}

pub(super) fn names(call: &UsageEvent) -> [String; 4] {
    let project = call.dimensions.get(Dimension::Project);
    [call.provider(), call.model(), call.session, project].map(|label| label.as_str().to_owned())
}

const PI: &str = r#"{"type":"session","version":3,"id":"s-1","timestamp":"2026-10-20T08:00:00.000Z","cwd":"/srv/shop"}
{"type":"model_change","id":"a0","parentId":null,"timestamp":"2026-10-20T08:00:00.500Z","provider":"anthropic","modelId":"claude-sonnet-4-6"}
{"type":"message","id":"a1","parentId":"a0","timestamp":"2026-10-20T08:00:01.000Z","message":{"role":"user","content":[{"type":"text","text":"go"}],"timestamp":1792483201000}}
"#;

fn pi(id: &str, second: u32, usage: &str, more: &str) -> String {
    format!(
        r#"{{"type":"message","id":"{id}","parentId":"a1","timestamp":"2026-10-20T08:00:{second:02}.900Z","message":{{"role":"assistant","content":[],"api":"anthropic-messages","provider":"anthropic","model":"claude-sonnet-4-6","usage":{{{usage}}},"timestamp":17924832{second:02}100{more}}}}}
"#
    )
}

const PI_USED: &str = r#""input":1523,"output":252,"cacheRead":20152,"cacheWrite":1152,"totalTokens":23079,"cost":{"input":0.1,"total":0.0187146}"#;
const PI_ZERO: &str = r#""input":0,"output":0,"cacheRead":0,"cacheWrite":0,"totalTokens":0,"cost":{"total":0}"#;

#[test]
fn an_answer_of_pi_counts_once_however_often_its_session_is_forked() {
    let answered = pi("a2", 2, PI_USED, r#","stopReason":"stop","responseId":"msg_7""#);
    // Some interfaces give no id.
    let nameless = pi("a3", 3, r#""input":10,"output":4"#, r#","stopReason":"stop""#);
    let cut = pi(
        "a4",
        4,
        r#""input":12,"output":1,"cacheRead":5"#,
        r#","stopReason":"error","responseId":"msg_8""#,
    );
    let refused = pi("a5", 5, PI_ZERO, r#","stopReason":"error","errorMessage":"529""#);
    let untold = pi("a6", 6, PI_ZERO, r#","stopReason":"stop","responseId":"msg_9""#);
    let compacted = r#"{"type":"compaction","id":"a7","parentId":"a6","timestamp":"2026-10-20T08:00:07.000Z","summary":"s","tokensBefore":9}"#;
    let lines = format!("{answered}{nameless}{cut}{refused}{untold}{compacted}\n");
    let all = [[1523, 20152, 1152, 252, 0], [10, 0, 0, 4, 0], [12, 5, 0, 1, 0]];
    let mut kept = fresh(&[("a.jsonl", &format!("{PI}{lines}"))]);
    assert_eq!(counts(&kept), all);
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1), "{:?}", kept.excluded);
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&2),
        "untold and compacted"
    );
    let call = kept.calls[&response("msg_7")];
    assert_eq!(names(&call), ["anthropic", "claude-sonnet-4-6", "s-1", "/srv/shop"]);
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.0187146");
    assert_eq!(call.at, time("2026-10-20T08:00:02.100Z"), "when it was asked");
    assert!(!kept.calls[&response("msg_8")].rank.complete, "cut off");

    // A fork begins with the same lines, and stays no owner of them.
    let fork = PI
        .replace("s-1", "s-2")
        .replace("/srv/shop", "/srv/fork")
        .replace(r#""cwd""#, r#""parentSession":"a.jsonl","cwd""#);
    let own = pi("a8", 8, PI_USED, r#","stopReason":"stop","responseId":"msg_10""#);
    read(&mut kept, &[("b.jsonl", &format!("{fork}{lines}{own}"))]);
    assert_eq!(counts(&kept).len(), 4);
    assert_eq!(names(&kept.calls[&response("msg_7")])[2], "s-1");
    assert_eq!(names(&kept.calls[&response("msg_10")])[2..], ["s-2", "/srv/fork"]);

    // What is printed says the same, and parts of it before; a provider's answer that somebody else logged is the same call.
    let front = r#""type":"message","id":"a2","parentId":"a1","timestamp":"2026-10-20T08:00:02.900Z","#;
    let printed_as = |kind: &str| answered.replace(front, &format!("{kind},"));
    let printed = [
        PI.lines().next().unwrap(),
        &printed_as(r#""type":"message_update","assistantMessageEvent":{"type":"start"}"#),
        &printed_as(r#""type":"message_end""#),
        &printed_as(r#""type":"turn_end""#),
    ]
    .join("\n");
    let kept = fresh(&[("c.jsonl", &printed)]);
    assert_eq!(counts(&kept), all[..1], "{printed}");
    let told = (&kept.warnings, &kept.excluded);
    assert!(
        kept.calls.contains_key(&response("msg_7")) && kept.warnings.is_empty(),
        "{told:?}"
    );
    let body = r#"{"id":"msg_7","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","created_at":"2026-10-20T08:00:02Z","usage":{"input_tokens":1523,"output_tokens":252,"cache_read_input_tokens":20152,"cache_creation_input_tokens":1152}}"#;
    let kept = fresh(&[("a.jsonl", &format!("{PI}{answered}{body}\n"))]);
    assert_eq!(counts(&kept), all[..1]);
}

#[test]
fn a_session_of_pi_is_read_on_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut kept = Kept::default();
    let first = pi("a2", 2, PI_USED, r#","stopReason":"stop","responseId":"msg_7""#);
    std::fs::write(&path, format!("{PI}{first}")).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    let second = pi("a3", 3, PI_USED, r#","stopReason":"stop","responseId":"msg_8""#);
    std::fs::write(&path, format!("{PI}{first}{second}")).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.observed, 2);
    assert_eq!(names(&kept.calls[&response("msg_8")])[2..], ["s-1", "/srv/shop"]);
}

/// Earlier builds did not keep which model a session asks: the lines above tell it.
#[test]
fn a_summary_of_pi_behind_what_an_earlier_build_read_has_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut kept = Kept::default();
    let first = pi("a2", 2, PI_USED, r#","stopReason":"stop","responseId":"msg_7""#);
    std::fs::write(&path, format!("{PI}{first}")).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    for checkpoint in kept.checkpoints.values_mut() {
        let text = String::from_utf8(checkpoint.0.clone()).unwrap();
        let asked = r#",\"anthropic\",\"claude-sonnet-4-6\""#;
        assert!(text.contains(asked), "{text}");
        checkpoint.0 = text.replace(asked, "").into_bytes();
    }
    let usage = r#""usage":{"input":11,"output":4,"cacheRead":0,"cacheWrite":0,"totalTokens":15}"#;
    let summary = format!(r#"{{"type":"compaction","id":"c1","timestamp":"2026-10-20T08:00:10.000Z",{usage}}}"#);
    std::fs::write(&path, format!("{PI}{first}{summary}\n")).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!((kept.observed, kept.calls.len()), (2, 2));
    let call = kept.calls.values().find(|call| call.tokens.prompt() == 11).unwrap();
    assert_eq!(names(call), ["anthropic", "claude-sonnet-4-6", "s-1", "/srv/shop"]);
}

fn opencode(id: &str, session: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{
  "id": "{id}",
  "sessionID": "{session}",
  "role": "assistant",
  "parentID": "msg_0",
  "modelID": "gpt-5",
  "providerID": "openai",
  "mode": "build",
  "agent": "build",
  "path": {{
    "cwd": "/srv/shop",
    "root": "/"
  }},
  "time": {{
    "created": 17924832{second:02}000{more}
}}"#
    )
}

const OC_USED: &str = r#", "completed": 1792483259000}, "cost": 0.01050625, "tokens": {"input": 6000, "output": 150, "reasoning": 100, "cache": {"read": 4050, "write": 0}}, "finish": "stop""#;
const OC_ZERO: &str =
    r#""cost": 0, "tokens": {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}"#;

#[test]
fn a_message_of_opencode_counts_once_in_files_exports_and_forks() {
    let used = opencode("msg_1", "ses_1", 2, OC_USED);
    let user = r#"{
  "id": "msg_0",
  "sessionID": "ses_1",
  "role": "user",
  "time": {
    "created": 1792483200000
  },
  "model": {"providerID": "openai", "modelID": "gpt-5"}
}"#;
    let part = r#"{"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "type": "step-finish", "tokens": {"input": 6000, "output": 150}, "cost": 0.01}"#;
    let mut kept = fresh(&[("msg_1.json", &used), ("msg_0.json", user), ("prt_1.json", part)]);
    assert_eq!(counts(&kept), [[6000, 4050, 0, 150, 100]]);
    let call = kept.only();
    assert_eq!(names(&call), ["openai", "gpt-5", "ses_1", "/srv/shop"]);
    assert_eq!(call.dimensions.get(Dimension::Agent).as_str(), "build");
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.01050625");
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);

    // A fork copies it under another id; the database holds it without its ids; an export has all of a session.
    let copy = opencode("msg_9", "ses_2", 2, OC_USED);
    let next = opencode("msg_10", "ses_2", 3, OC_USED);
    let total = next.replace(r#""input": 6000"#, r#""total": 10300, "input": 6000"#);
    let row: String = used
        .lines()
        .filter(|line| !line.contains("\"id\"") && !line.contains("sessionID"))
        .map(str::trim)
        .collect();
    let info =
        r#"{"id": "ses_2", "projectID": "global", "directory": "/srv/shop", "cost": 0.02, "tokens": {"input": 12000}}"#;
    let export = format!(
        "{{\n  \"info\": {info},\n  \"messages\": [\n{{\"info\": {user},\n\"parts\": []}},\n{{\"info\": {copy},\n\"parts\": [{part}]}},\n{{\"info\": {total}, \"parts\": []}}\n]\n}}\n"
    );
    read(
        &mut kept,
        &[("export.json", &export), ("rows.jsonl", &format!("{row}\n{row}\n"))],
    );
    assert_eq!(counts(&kept), [[6000, 4050, 0, 150, 100], [6000, 4050, 0, 250, 100]]);
}

#[test]
fn thoughts_of_opencode_are_where_the_total_or_the_seller_says() {
    for (names, used, expected) in [
        // As it told OpenAI's until April 2026, and since then.
        (
            ["openai", "gpt-5"],
            r#""total": 16690, "input": 14746, "output": 1944, "reasoning": 1360"#,
            1944,
        ),
        (
            ["openai", "gpt-5"],
            r#""total": 16690, "input": 14746, "output": 584, "reasoning": 1360"#,
            1944,
        ),
        (
            ["openai", "gpt-5"],
            r#""input": 14746, "output": 1944, "reasoning": 1360"#,
            1944,
        ),
        (
            ["openai", "gpt-5"],
            r#""input": 14746, "output": 44, "reasoning": 1360"#,
            1404,
        ),
        (
            ["google", "gemini-2.5-pro"],
            r#""input": 10, "output": 40, "reasoning": 30"#,
            70,
        ),
        (
            ["google", "gemini-2.5-pro"],
            r#""total": 50, "input": 10, "output": 40, "reasoning": 30"#,
            40,
        ),
        (
            ["anthropic", "claude-opus-4-6"],
            r#""total": 50, "input": 10, "output": 40, "reasoning": 0"#,
            40,
        ),
    ] {
        let tokens = format!(r#""tokens": {{{used}, "cache": {{"read": 0, "write": 0}}}}"#);
        let more = format!(r#", "completed": 1792483259000}}, "cost": 1, {tokens}"#);
        let message = opencode("msg_1", "ses_1", 2, &more);
        let message = message
            .replace("\"openai\"", &format!("\"{}\"", names[0]))
            .replace("\"gpt-5\"", &format!("\"{}\"", names[1]));
        let kept = fresh(&[("msg_1.json", &message)]);
        assert_eq!(kept.only().tokens.get(Bucket::Output), expected, "{used}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

#[test]
fn an_exported_message_of_many_steps_is_as_many_calls() {
    let used = OC_USED.replace("250", "150");
    let message = opencode("msg_1", "ses_1", 2, &used);
    let step = r#"{"type": "step-finish", "tokens": {"input": 5, "output": 150, "reasoning": 0, "cache": {"read": 0, "write": 0}}, "cost": 0.01}"#;
    let info = r#"{"id": "ses_1", "projectID": "global", "directory": "/srv/shop"}"#;
    let export =
        format!("{{\n\"info\": {info},\n\"messages\": [{{\"info\": {message},\n\"parts\": [{step}, {step}]}}]\n}}\n");
    let kept = fresh(&[("export.json", &export)]);
    assert_eq!(counts(&kept), [[5, 0, 0, 150, 0], [6000, 4050, 0, 150, 100]]);
}

#[test]
fn what_pi_asked_beside_its_answers_is_told_by_its_entries() {
    let entry = |kind: &str, id: &str, more: &str| {
        format!(r#"{{"type":"{kind}","id":"{id}","parentId":"a2","timestamp":"2026-10-20T08:00:1{id}.000Z"{more}}}"#)
    };
    let usage = |input: u64| {
        format!(
            r#","usage":{{"input":{input},"output":4,"cacheRead":0,"cacheWrite":0,"totalTokens":{},"cost":{{"total":0.5}}}}"#,
            input + 4
        )
    };
    let of_tool = format!(
        r#"{{"type":"message","id":"t1","parentId":"a2","timestamp":"2026-10-20T08:00:20.000Z","message":{{"role":"toolResult","toolCallId":"call_1","toolName":"subagent","content":[]{},"timestamp":1792483220000}}}}"#,
        usage(15)
    );
    let lines = [
        PI.trim_end(),
        &entry("compaction", "1", &usage(11)),
        &entry("model_change", "2", r#","provider":"openai","modelId":"gpt-5""#),
        &entry("branch_summary", "3", &usage(12)),
        &entry(
            "usage",
            "4",
            &format!(
                r#","kind":"cache_warm","provider":"anthropic","model":"claude-opus-4-6"{}"#,
                usage(13)
            ),
        ),
        &entry("compaction", "5", &format!(r#","fromHook":true{}"#, usage(14))),
        &of_tool,
        &entry("compaction", "6", ""),
        "",
    ]
    .join("\n");
    // A fork repeats them.
    let fork = lines
        .replace(r#""cwd""#, r#""parentSession":"a.jsonl","cwd""#)
        .replace("s-1", "s-2");
    let kept = fresh(&[("a.jsonl", &lines), ("b.jsonl", &fork)]);
    let mut told: Vec<(u64, [String; 4])> = kept
        .calls
        .values()
        .map(|call| (call.tokens.prompt(), names(call)))
        .collect();
    told.sort();
    let told: Vec<_> = told
        .iter()
        .map(|(input, [seller, model, session, _])| (*input, seller.as_str(), model.as_str(), session.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (11, "anthropic", "claude-sonnet-4-6", "s-1"),
            (12, "openai", "gpt-5", "s-1"),
            (13, "anthropic", "claude-opus-4-6", "s-1"),
            (14, "", "", "s-1"),
            (15, "", "", "s-1"),
        ]
    );
    assert!(kept.calls.values().all(|call| call.reported_cost.is_some()));
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&1),
        "{:?}",
        kept.excluded
    );
}

#[test]
fn an_answer_of_pi_is_of_the_model_that_gave_it_and_tells_how_long_a_cache_is_kept() {
    let by = |model: &str| format!(r#","stopReason":"stop","responseModel":"{model}""#);
    let used = r#""input":10,"output":4,"cacheRead":0,"cacheWrite":100,"cacheWrite1h":70,"totalTokens":114"#;
    let kept = fresh(&[("a.jsonl", &format!("{PI}{}", pi("a2", 2, used, &by("claude-opus-4-8"))))]);
    let call = kept.only();
    assert_eq!(names(&call)[..2], ["anthropic", "claude-opus-4-8"]);
    let written = [Bucket::CacheWrite5m, Bucket::CacheWrite1h].map(|bucket| call.tokens.get(bucket));
    assert_eq!(written, [30, 70]);
    // The same call as an earlier build read it.
    let before = used.replace(r#","cacheWrite1h":70"#, "");
    let before = fresh(&[(
        "a.jsonl",
        &format!("{PI}{}", pi("a2", 2, &before, r#","stopReason":"stop""#)),
    )]);
    assert_eq!(before.only().id, call.id);
    assert_eq!(names(&before.only().merge(call))[1], "claude-opus-4-8");
    assert_eq!(names(&call.merge(before.only()))[1], "claude-opus-4-8");
    // GitHub charges by what was asked of it.
    for (asked, answered) in [("gpt-5", "gpt-5"), ("auto", "gpt-5-2025-08-07")] {
        let line = pi("a2", 2, used, &by("gpt-5-2025-08-07")).replace("\"anthropic\"", "\"github-copilot\"");
        let line = line.replace("claude-sonnet-4-6", asked);
        let kept = fresh(&[("a.jsonl", &format!("{PI}{line}"))]);
        assert_eq!(names(&kept.only())[..2], ["github-copilot", answered]);
    }
}

#[test]
fn an_answer_that_a_log_keeps_beside_names_like_theirs_is_still_an_answer() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1792483200,"model":"gpt-5","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    for beside in [
        r#""sessionID":"s","role":"chat""#,
        r#""info":{"level":1},"sessionID":"s""#,
        r#""modelID":"m","providerID":"p""#,
        r#""type":"session","cwd":"/srv""#,
        r#""type":"message","parentId":"p""#,
    ] {
        let kept = fresh(&[("a.jsonl", &format!("{{{beside},\"response\":{body}}}\n"))]);
        assert_eq!(counts(&kept), [[7, 0, 0, 3, 0]], "{beside}");
    }
}

#[test]
fn a_message_of_opencode_without_tokens_says_why() {
    for (more, kind) in [
        (format!("}}, {OC_ZERO}"), "calls_without_usage"),
        (
            format!(r#", "completed": 1792483209000}}, "error": {{"name": "APIError", "data": {{}}}}, {OC_ZERO}"#),
            "failed_calls",
        ),
        (
            format!(r#"}}, "error": {{"name": "MessageAbortedError"}}, {OC_ZERO}"#),
            "calls_without_usage",
        ),
        (
            format!(r#", "completed": 1792483209000}}, {OC_ZERO}"#),
            "calls_without_usage",
        ),
    ] {
        let kept = fresh(&[("msg_1.json", &opencode("msg_1", "ses_1", 2, &more))]);
        assert!(kept.calls.is_empty());
        assert_eq!(kept.excluded.get(kind), Some(&1), "{more}: {:?}", kept.excluded);
        assert_eq!(
            kept.warnings.len(),
            usize::from(kind != "failed_calls"),
            "{:?}",
            kept.warnings
        );
    }
}

#[test]
fn a_usage_record_of_copilot_is_a_call_of_whoever_is_paid() {
    let start = r#"{"type":"session.start","data":{"sessionId":"s-1","version":1,"context":{"cwd":"/srv/shop"}},"id":"e1","timestamp":"2026-10-20T08:00:00.000Z","parentId":null}"#;
    let record = |id: &str, usage: &str| {
        format!(
            r#"{{"type":"session.usage_record","data":{{"usage":{{"outputTokens":270,"reasoningTokens":101,"cost":1.0,{usage}}}}},"id":"{id}","timestamp":"2026-10-20T08:00:02.000Z","parentId":"e1"}}"#
        )
    };
    let own = r#""model":"claude-sonnet-4.5","inputTokens":23043,"cacheReadTokens":20170,"cacheWriteTokens":1170,"isByok":true,"modelProvider":"anthropic","apiCallId":"msg_7""#;
    let other = r#""model":"gpt-5","inputTokens":10051,"cacheReadTokens":4051,"isByok":true,"modelProvider":"other","providerType":"openai","apiCallId":"resp_7""#;
    let sold = r#""model":"gpt-5","inputTokens":10,"isByok":false"#;
    // The same calls as a sum.
    let end = r#"{"type":"session.shutdown","data":{"modelMetrics":{"gpt-5":{"usage":{"inputTokens":10061,"outputTokens":540}}}},"id":"e9","timestamp":"2026-10-20T08:01:00.000Z","parentId":"e1"}"#;
    let said = r#"{"type":"assistant.message","data":{"model":"gpt-5","content":"done","apiCallId":"resp_7","outputTokens":270},"id":"e8","timestamp":"2026-10-20T08:00:02.000Z","parentId":"e1"}"#;
    let text = [
        start,
        said,
        &record("e2", own),
        &record("e3", other),
        &record("e4", sold),
        end,
        "",
    ]
    .join("\n");
    let kept = fresh(&[("events.jsonl", &text)]);
    assert_eq!(
        counts(&kept),
        [
            [10, 0, 0, 270, 101],
            [1703, 20170, 1170, 270, 101],
            [6000, 4051, 0, 270, 101]
        ]
    );
    let call = kept.calls[&response("msg_7")];
    assert_eq!(names(&call), ["anthropic", "claude-sonnet-4.5", "s-1", "/srv/shop"]);
    assert_eq!(call.reported_cost, None, "requests are no dollars");
    assert_eq!(names(&kept.calls[&response("resp_7")])[0], "openai");
    assert!(
        kept.calls
            .values()
            .any(|call| call.provider().as_str() == "github-copilot")
    );
}

#[test]
fn a_status_of_kimi_cli_that_tells_tokens_is_a_call() {
    let status = |payload: &str| {
        format!(r#"{{"timestamp": 1792483202.25, "message": {{"type": "StatusUpdate", "payload": {{{payload}}}}}}}"#)
    };
    let used = r#""token_usage": {"input_other": 6000, "output": 204, "input_cache_read": 4004, "input_cache_creation": 7}, "message_id": "chatcmpl-7""#;
    let text = [
        r#"{"type": "metadata", "protocol_version": "1.9"}"#,
        r#"{"timestamp": 1792483201.5, "message": {"type": "TurnBegin", "payload": {"user_input": "\"StatusUpdate\""}}}"#,
        &status(used),
        &status(r#""context_usage": 0.5, "token_usage": null, "message_id": null"#),
        &status(used),
        "",
    ]
    .join("\n");
    let kept = fresh(&[("wire.jsonl", &text)]);
    assert_eq!(counts(&kept), [[6000, 4004, 7, 204, 0]]);
    let call = kept.calls[&response("chatcmpl-7")];
    assert_eq!(call.at, time("2026-10-20T08:00:02.25Z"));
    assert_eq!(names(&call), ["", "", "", ""], "the settings may tell");
}

/// A subagent in the foreground is told by the session, too, one in the background by its own file alone.
#[test]
fn a_subagent_of_kimi_cli_counts_once_in_the_session_and_in_its_own_file() {
    let status = |at: &str, id: &str| {
        let used = r#"{"input_other": 6000, "output": 204, "input_cache_read": 0, "input_cache_creation": 0}"#;
        let payload = format!(r#"{{"token_usage": {used}, "message_id": {id}}}"#);
        (
            at.to_owned(),
            format!(r#"{{"type": "StatusUpdate", "payload": {payload}}}"#),
        )
    };
    let own = |(at, message): (String, String)| format!(r#"{{"timestamp": {at}, "message": {message}}}"#) + "\n";
    let forwarded = |(at, event): (String, String)| {
        let payload = format!(r#"{{"agent_id": "a1", "subagent_type": "coder", "event": {event}}}"#);
        format!(r#"{{"timestamp": {at}, "message": {{"type": "SubagentEvent", "payload": {payload}}}}}"#) + "\n"
    };
    let begin = r#"{"type": "metadata", "protocol_version": "1.9"}"#.to_owned() + "\n";
    let session = [
        begin.clone(),
        forwarded(status("1792483202.251", "\"chatcmpl-1\"")),
        forwarded(status("1792483203.251", "null")),
    ];
    let subagent = [
        begin,
        own(status("1792483202.25", "\"chatcmpl-1\"")),
        own(status("1792483203.25", "null")),
        own(status("1792483204.25", "\"chatcmpl-2\"")),
    ];
    let files = [
        ("s/wire.jsonl", &*session.concat()),
        ("s/subagents/a1/wire.jsonl", &*subagent.concat()),
    ];
    let kept = fresh(&files);
    assert_eq!(counts(&kept).len(), 3);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    let told = |about: &String| about.contains("subagents without an id");
    assert!(kept.warnings.keys().any(told), "{:?}", kept.warnings);
}

#[test]
fn a_usage_record_of_kimi_code_is_a_call_of_the_model_that_its_name_means() {
    let used = r#""usage":{"inputOther":6000,"output":201,"inputCacheRead":4001,"inputCacheCreation":3}"#;
    let record = |model: &str, scope: &str, at: u64| {
        format!(
            r#"{{"type":"usage.record","agentId":"main","model":"{model}",{used},"usageScope":"{scope}","time":{at}}}"#
        )
    };
    let text = [
        r#"{"type":"metadata","protocol_version":"1.5","created_at":1792483200000}"#,
        r#"{"type":"profile.bind","agentId":"main","modelAlias":"k2","environmentDisclosure":{"cwd":"/srv/shop"},"time":1792483201000}"#,
        r#"{"type":"llm.request","agentId":"main","kind":"loop","provider":"openai","model":"kimi-k2-0905-preview","modelAlias":"k2","time":1792483201500}"#,
        &record("k2", "turn", 1_792_483_202_250),
        // The same call, as two other lines tell it.
        &format!(r#"{{"type":"context.append_loop_event","agentId":"main","event":{{"type":"step.end",{used},"messageId":"chatcmpl-7"}},"time":1792483202300}}"#),
        &format!(r#"{{"message":{{"message":{{"role":"assistant","content":[]}},"meta":{{"model":{{"provider":"agent-loop","model":"agent-loop"}},{used},"messageId":"chatcmpl-7"}}}},"type":"agent.message.appended","time":1792483202300,"kind":"event"}}"#),
        &record("kimi-code/kimi-for-coding", "session", 1_792_483_203_000),
        "",
    ]
    .join("\n");
    let mut kept = fresh(&[("wire.jsonl", &text)]);
    assert_eq!(counts(&kept), [[6000, 4001, 3, 201, 0]; 2]);
    assert!(
        kept.excluded.is_empty() && kept.warnings.is_empty(),
        "{:?}",
        kept.excluded
    );
    let mut told: Vec<_> = kept.calls.values().map(names).collect();
    told.sort();
    let [first, second] = ["kimi-code/kimi-for-coding", "kimi-k2-0905-preview"].map(|model| {
        let seller = if model == "kimi-k2-0905-preview" {
            "moonshot"
        } else {
            ""
        };
        [seller, model, "", "/srv/shop"].map(str::to_owned)
    });
    assert_eq!(told, [first, second]);
    // A fork repeats what it began from.
    read(&mut kept, &[("wire.jsonl", &text)]);
    assert_eq!(kept.calls.len(), 2);
}

#[test]
fn usage_under_unknown_names_is_told_as_a_gap() {
    for (usage, gaps) in [
        (r#"{"input":1523,"output":252}"#, 1),
        (r#"{"tokensIn":0.5e3}"#, 1),
        (r#"{"input":0,"output":0.0}"#, 0),
        (r#"{"kind":"x","parts":{"n":1}}"#, 0),
        (r#"{"input":-1}"#, 0),
        ("null", 0),
    ] {
        let line = format!(r#"{{"id":"a1","created":1792483200,"model":"gpt-5","usage":{usage}}}"#);
        let kept = fresh(&[("a.jsonl", &line)]);
        assert!(kept.calls.is_empty());
        let told = kept.excluded.get("calls_without_usage").copied().unwrap_or_default();
        assert_eq!(told, gaps, "{usage}: {:?}", kept.excluded);
        let named = kept
            .warnings
            .keys()
            .any(|about| about.contains("no count that is known"));
        assert_eq!(named, gaps == 1, "{:?}", kept.warnings);
    }
    // What uses no model uses other things.
    let other = r#"{"id":"a1","time":"2026-10-20T08:00:00Z","usage":{"cpu":12,"memory":3}}"#;
    let kept = fresh(&[("a.jsonl", other)]);
    assert!(!kept.excluded.contains_key("calls_without_usage"));
}
