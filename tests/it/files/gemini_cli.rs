//! Session files of Gemini CLI and of Qwen Code.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId, UsageEvent};

use super::{Kept, read_on};

const BEGIN: &str = r#"{"sessionId":"s-1","projectHash":"46","startTime":"2026-10-20T08:00:00.000Z","kind":"main"}
{"$set":{"messages":[{"id":"u-0","timestamp":"2026-10-20T08:00:00.000Z","type":"user","content":[{"text":"context"}]}]}}
{"id":"u-1","timestamp":"2026-10-20T08:00:01.000Z","type":"user","content":[{"text":"go"}]}
"#;

fn message(id: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":"2026-10-20T08:00:{second:02}.000Z","type":"gemini","content":"","model":"gemini-2.5-pro"{more}}}"#
    )
}

const FIRST: &str = r#","tokens":{"input":10001,"output":51,"cached":4001,"thoughts":21,"tool":0,"total":10073}"#;
const SECOND: &str = r#","tokens":{"input":10003,"output":53,"cached":4003,"thoughts":23,"tool":300,"total":10379}"#;
const SEARCH: &str = r#","toolCalls":[{"id":"t-1","name":"google_web_search"}]"#;

fn read(kept: &mut Kept, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    read_on(folder.path(), &["."], kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

fn counts(kept: &Kept) -> Vec<[u64; 4]> {
    let mut calls: Vec<&UsageEvent> = kept.calls.values().collect();
    calls.sort_by_key(|e| (e.at, e.tokens));
    let get = |e: &UsageEvent, b| e.tokens.get(b);
    let of = |e: &UsageEvent| {
        let tokens = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|b| get(e, b));
        [tokens[0], tokens[1], tokens[2], e.tokens.reasoning]
    };
    calls.into_iter().map(of).collect()
}

const READ: [[u64; 4]; 2] = [[6000, 4001, 72, 21], [6300, 4003, 76, 23]];

#[test]
fn a_message_of_gemini_cli_counts_once_however_often_it_is_written() {
    let again = message("g-2", 3, &format!("{SECOND}{SEARCH}"));
    let lines = [message("g-1", 2, FIRST), message("g-2", 3, SECOND), again];
    let text = format!("{BEGIN}{}\n", lines.join("\n"));
    let mut kept = Kept::default();
    read(&mut kept, &[("session-1.jsonl", &text)]);
    assert_eq!(counts(&kept), READ);
    for call in kept.calls.values() {
        let named = [call.provider(), call.model(), call.session];
        assert_eq!(
            named.map(|label| label.as_str().to_owned()),
            ["google", "gemini-2.5-pro", "s-1"]
        );
    }
    assert_eq!(
        kept.excluded.get("calls_without_usage"),
        Some(&1),
        "{:?}",
        kept.excluded
    );
    assert_eq!(
        kept.warnings.len(),
        1,
        "what the search asked a model: {:?}",
        kept.warnings
    );

    // A session as older versions write it, as a whole.
    let old = format!(
        r#"{{"sessionId":"s-1","projectHash":"46","startTime":"2026-10-20T08:00:00.000Z","messages":[{}]}}"#,
        lines.join(",\n  ")
    );
    read(&mut kept, &[("session-1.json", &old)]);
    assert_eq!(counts(&kept), READ);

    // The rest in another run.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session-1.jsonl");
    let mut kept = Kept::default();
    let front = format!("{BEGIN}{}\n", message("g-1", 2, ""));
    std::fs::write(&path, &front).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1), "no tokens so far");
    std::fs::write(&path, format!("{front}{}\n", lines.join("\n"))).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(counts(&kept), READ);
    assert!(kept.calls.values().all(|call| call.session.as_str() == "s-1"));
}

fn qwen(uuid: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{"uuid":"{uuid}","parentUuid":null,"sessionId":"s-2","timestamp":"2026-10-20T08:00:{second:02}.000Z","cwd":"/srv/shop",{more}}}
"#
    )
}

#[test]
fn an_answer_of_qwen_code_counts_once_and_is_no_line_of_claude_codes() {
    let asked = qwen(
        "q-1",
        1,
        r#""type":"user","message":{"role":"user","parts":[{"text":"go"}]}"#,
    );
    let noted = |usage: &str| {
        let event = format!(
            r#""event.name":"qwen-code.api_response","response_id":"chatcmpl-1","model":"qwen3-coder-plus"{usage}"#
        );
        qwen(
            "q-2",
            2,
            &format!(r#""type":"system","subtype":"ui_telemetry","systemPayload":{{"uiEvent":{{{event}}}}}"#),
        )
    };
    let noted = noted(
        r#","input_token_count":10001,"output_token_count":201,"cached_content_token_count":4001,"thoughts_token_count":51,"total_token_count":10202"#,
    );
    let told = qwen(
        "q-3",
        3,
        r#""type":"assistant","model":"qwen3-coder-plus","message":{"role":"model","parts":[]},"usageMetadata":{"promptTokenCount":10001,"candidatesTokenCount":201,"thoughtsTokenCount":51,"totalTokenCount":10202,"cachedContentTokenCount":4001}"#,
    );
    for text in [
        format!("{asked}{noted}{told}"),
        format!("{asked}{told}"),
        format!("{asked}{noted}"),
    ] {
        let mut kept = Kept::default();
        read(&mut kept, &[("chat.jsonl", &text)]);
        assert_eq!(counts(&kept), [[6000, 4001, 201, 51]], "{text}");
        let call = kept.only();
        assert_eq!(call.provider().as_str(), "dashscope");
        assert_eq!(call.dimensions.get(Dimension::Project).as_str(), "/srv/shop");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
        if text.contains("chatcmpl-1") {
            assert_eq!(call.id, EventId::of(&[b"response", b"chatcmpl-1"]), "the provider's");
        }
    }
    let untold = qwen(
        "q-3",
        3,
        r#""type":"assistant","model":"m","message":{"role":"model","parts":[]}"#,
    );
    let mut kept = Kept::default();
    read(&mut kept, &[("chat.jsonl", &format!("{asked}{untold}"))]);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));

    // A question in Google's shape that an application logs beside its answer.
    let logged = r#"{"timestamp":"2026-10-20T08:00:00Z","message":{"role":"user","parts":[{"text":"go"}]},"response":{"responseId":"r-1","modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":2,"totalTokenCount":12}}}"#;
    let mut kept = Kept::default();
    read(&mut kept, &[("log.jsonl", logged)]);
    assert_eq!(counts(&kept), [[10, 0, 2, 0]]);
}

/// Its total says whether thoughts stand beside the output, which depends on whom it asked.
#[test]
fn a_message_of_qwen_code_of_2025_is_of_whoever_makes_its_model() {
    let said = |id: &str, model: &str, tokens: &str| {
        format!(
            r#"{{"id":"{id}","timestamp":"2025-11-20T08:00:02.000Z","type":"qwen","content":"","model":"{model}","tokens":{{{tokens}}}}}"#
        )
    };
    let within = r#""input":10001,"output":51,"cached":4001,"thoughts":21,"tool":0,"total":10052"#;
    let beside = r#""input":10003,"output":53,"cached":4003,"thoughts":23,"tool":0,"total":10079"#;
    let messages = [said("q-1", "qwen3-coder-plus", within), said("q-2", "mine", beside)].join(",");
    let text = format!(
        r#"{{"sessionId":"s-1","projectHash":"46","startTime":"2025-11-20T08:00:00.000Z","messages":[{messages}]}}"#
    );
    let mut kept = Kept::default();
    read(&mut kept, &[("session-1.json", &text)]);
    assert_eq!(counts(&kept), [[6000, 4001, 51, 21], [6000, 4003, 76, 23]]);
    let mut sold: Vec<[&str; 3]> = kept
        .calls
        .values()
        .map(|call| [call.provider(), call.model(), call.session].map(|label| label.as_str()))
        .collect();
    sold.sort_unstable();
    assert_eq!(sold, [["", "mine", "s-1"], ["dashscope", "qwen3-coder-plus", "s-1"]]);
}

#[test]
fn what_stands_behind_a_session_in_one_file_is_read_too() {
    let claude = r#"{"parentUuid":"u-0","isSidechain":false,"message":{"id":"msg_1","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":20}},"requestId":"req_1","type":"assistant","uuid":"u-1","timestamp":"2026-10-20T08:15:04.120Z","cwd":"/srv/shop","sessionId":"s-9","version":"2.1.197"}"#;
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1792483200,"model":"gpt-5","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    for front in [
        format!("{BEGIN}{}", message("g-1", 2, FIRST)),
        qwen("q-1", 4, r#""type":"user","message":{"role":"user","parts":[]}"#),
    ] {
        let own = usize::from(front.contains("gemini-2.5-pro"));
        let mut kept = Kept::default();
        read(&mut kept, &[("a.jsonl", &format!("{front}\n{claude}\n{body}\n"))]);
        let mut models: Vec<&str> = kept.calls.values().map(|call| call.model().as_str()).collect();
        models.sort_unstable();
        let expected = ["claude-sonnet-4-6", "gemini-2.5-pro", "gpt-5"];
        let expected: Vec<&str> = expected
            .into_iter()
            .filter(|m| own == 1 || !m.starts_with("gemini"))
            .collect();
        assert_eq!(models, expected);
    }
}

#[test]
fn what_gemini_cli_prints_at_its_end_is_a_sum_for_each_model() {
    let json = r#"{"session_id":"s-1","response":"hi","stats":{"models":{"gemini-2.5-pro":{"api":{"totalRequests":2,"totalErrors":0},"tokens":{"input":3676,"prompt":24939,"candidates":20,"total":25113,"cached":21263,"thoughts":154,"tool":0}},"gemini-2.5-flash":{"api":{"totalRequests":1},"tokens":{"input":8965,"prompt":8965,"candidates":10,"total":9033,"cached":0,"thoughts":30,"tool":28}},"gemini-3-pro":{"api":{"totalRequests":3,"totalErrors":3},"tokens":{"input":0,"prompt":0,"candidates":0,"total":0,"cached":0,"thoughts":0,"tool":0}}},"tools":{"totalCalls":1}}}"#;
    let stream = r#"{"type":"init","timestamp":"2026-10-20T08:00:00.000Z","session_id":"s-2","model":"gemini-2.5-pro"}
{"type":"message","role":"assistant","content":"hi","delta":true,"timestamp":"2026-10-20T08:00:02.000Z"}
{"type":"result","status":"success","stats":{"total_tokens":257,"input_tokens":50,"output_tokens":200,"cached":10,"input":40,"duration_ms":3000,"tool_calls":1,"models":{"gemini-2.5-pro":{"total_tokens":257,"input_tokens":50,"output_tokens":200,"cached":10,"input":40}}},"timestamp":"2026-10-20T08:00:03.000Z"}
"#;
    for (name, text, expected) in [
        ("out.json", json, vec![[3676, 21_263, 174, 154], [8993, 0, 40, 30]]),
        ("out.jsonl", stream, vec![[40, 10, 207, 7]]),
    ] {
        let mut kept = Kept::default();
        read(&mut kept, &[(name, text)]);
        let of = |call: &UsageEvent| {
            let [plain, read, output] =
                [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|bucket| call.tokens.get(bucket));
            [plain, read, output, call.tokens.reasoning]
        };
        let mut told: Vec<[u64; 4]> = kept.calls.values().map(of).collect();
        told.sort();
        assert_eq!(told, expected, "{name}");
        assert!(
            kept.rejected.is_empty() && kept.excluded.is_empty(),
            "{:?}",
            kept.excluded
        );
        assert!(
            kept.warnings.keys().any(|about| about.contains("count twice")),
            "{:?}",
            kept.warnings
        );
    }
}
