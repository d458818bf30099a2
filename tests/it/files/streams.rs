//! Answers in parts that lie in different files, and answers that say nothing of their usage.

use super::{Kept, read_on, read_text};

const GEMINI: &str = r#"{"responseId":"ID","modelVersion":"gemini-2.5-flash","createTime":"2026-11-02T00:00:00Z","candidates":[{"content":{"parts":[{"text":"x"}]}END}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":OUT}}"#;
const CHUNK: &str = r#"{"id":"ID","object":"chat.completion.chunk","created":1793577600,"model":"m","choices":[{"delta":{"content":"x"},"finish_reason":END}],"usage":{"prompt_tokens":10,"completion_tokens":OUT}}"#;
const MESSAGE: &str = r#"{"type":"message_start","timestamp":"2026-11-02T00:00:00Z","message":{"id":"ID","type":"message","model":"claude-haiku-4-5","stop_reason":END,"usage":{"input_tokens":10,"output_tokens":OUT}}}"#;

fn part(form: &str, id: &str, output: u64, end: &str) -> String {
    form.replace("\"ID\"", &format!("\"{id}\""))
        .replace("OUT", &output.to_string())
        .replace("END", end)
}

#[test]
fn the_end_of_a_stream_counts_in_whichever_file_and_line_it_lies() {
    let python = GEMINI
        .replace("responseId", "response_id")
        .replace("modelVersion", "model_version")
        .replace("createTime", "create_time")
        .replace("usageMetadata", "usage_metadata")
        .replace("promptTokenCount", "prompt_token_count")
        .replace("candidatesTokenCount", "candidates_token_count");
    for (form, going_on, end) in [
        (GEMINI, "", r#","finishReason":"STOP""#),
        (&python, r#","finish_reason":null"#, r#","finish_reason":"STOP""#),
        (CHUNK, "null", r#""stop""#),
        (MESSAGE, "null", r#""end_turn""#),
    ] {
        let (begun, ended) = (part(form, "s-1", 5, going_on), part(form, "s-1", 900, end));
        // What tells how much was used may be a chunk of its own.
        let usage = ended.replace(r#"{"delta":{"content":"x"},"finish_reason":"stop"}"#, "");
        let others = ["a", "b"].map(|id| part(form, id, 1, end)).join("\n") + "\n";
        for (rotated, new) in [(&begun, &ended), (&ended, &begun), (&begun, &usage), (&usage, &begun)] {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
            write("app.jsonl.1", format!("{others}{rotated}\n"));
            write("app.jsonl", format!("{new}\n"));
            let mut kept = Kept::default();
            read_on(folder.path(), &["."], &mut kept);
            assert_eq!((kept.calls.len(), kept.totals()[4]), (3, 902), "{rotated} {new}");
        }
    }
}

const GAP: &str = "calls without usage: coverage gap";

#[test]
fn answers_that_count_nothing_that_is_known_are_gaps() {
    let claude = r#"{"type":"assistant","timestamp":"2026-10-20T08:15:04.120Z","sessionId":"s","uuid":"u","requestId":"r","message":{"id":"msg_1","model":"claude-haiku-4-5","stop_reason":"end_turn","usage":{"inputTokens":500,"outputTokens":3}}}"#;
    let anthropic = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","usage":{"inputTokenz":5}}"#;
    let gemini = r#"{"responseId":"g","modelVersion":"gemini-2.5-pro","createTime":"2026-10-20T08:15:04Z","candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokens":60}}"#;
    let codex = r#"{"timestamp":"2026-10-20T08:01:00Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"inputTokens":5}}}}"#;
    let renamed = claude.replace("\"usage\"", "\"used\"");
    let again = |text: &str| format!("{text}\n{text}\n");
    for text in [
        again(claude),
        again(&claude.replace(r#"{"inputTokens":500,"outputTokens":3}"#, "null")),
        again(&renamed),
        anthropic.to_owned(),
        again(gemini),
        codex.to_owned(),
    ] {
        let kept = read_text("a.jsonl", &text);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0), "{text}");
        assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1), "{text}");
        assert_eq!(kept.warnings.get(GAP), Some(&1), "{text}");
    }
    // What goes on, what failed, and what another part of the same answer tells, is none; nor is a line without usage among those that have it.
    let told = claude.replace("inputTokens", "input_tokens");
    let counted = gemini
        .replace(r#""finishReason":"STOP""#, "")
        .replace("promptTokens", "promptTokenCount");
    for text in [
        claude.replace("\"end_turn\"", "null"),
        claude.replace(r#""type""#, r#""isApiErrorMessage":true,"type""#),
        renamed.replace("claude-haiku-4-5", "<synthetic>"),
        renamed.replace(r#""type":"assistant""#, r#""type":"user""#),
        format!("{claude}\n{told}\n"),
        format!("{told}\n{}\n", renamed.replace("msg_1", "msg_2")),
        format!("{counted}\n{gemini}\n"),
        gemini.replace("STOP", "").replace(r#""finishReason":"""#, ""),
    ] {
        let kept = read_text("a.jsonl", &text);
        assert_eq!(kept.rejected.len(), 0, "{text}");
        assert_eq!(kept.warnings.get(GAP), None, "{text}");
    }
}

#[test]
fn a_list_in_the_place_of_an_object_is_not_taken_for_its_fields() {
    let claude = r#"{"type":"assistant","timestamp":"2026-10-20T08:15:04.120Z","sessionId":"s","uuid":"u","requestId":"r","message":{"id":"msg_1","model":"claude-haiku-4-5","stop_reason":"end_turn","usage":HERE}}"#;
    let body = r#"{"id":"c-1","object":"chat.completion","created":1792484104,"model":"gpt-5","usage":HERE}"#;
    let gemini = r#"{"responseId":"g","modelVersion":"gemini-2.5-pro","createTime":"2026-10-20T08:15:04Z","usageMetadata":HERE}"#;
    let bedrock = r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-10-20T08:15:04Z","accountId":"1","region":"r","requestId":"q","modelId":"m","input":HERE,"output":{"outputTokenCount":3}}"#;
    let codex = r#"{"timestamp":"2026-10-20T08:01:00Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":HERE}}}"#;
    let costs = r#"{"object":"page","data":[{"object":"bucket","start_time":1792454400,"end_time":1792540800,"results":[{"object":"organization.costs.result","amount":HERE}]}],"has_more":false}"#;
    for (form, here) in [
        (claude, "[1]"),
        (claude, r#"{"input_tokens":1,"cache_creation":[1]}"#),
        (body, "[1]"),
        (body, r#"{"prompt_tokens":1,"prompt_tokens_details":[1]}"#),
        (gemini, "[1]"),
        (gemini, r#"{"promptTokenCount":1,"promptTokensDetails":[["AUDIO",1]]}"#),
        (bedrock, "[1]"),
        (codex, "[1]"),
        (costs, r#"[1,"usd"]"#),
    ] {
        let kept = read_text("a.json", form.replace("HERE", here));
        assert_eq!(
            (kept.calls.len(), kept.bills.len(), kept.rejected.len()),
            (0, 0, 1),
            "{form} {here}"
        );
        let reason = &kept.rejected[0].reason;
        assert!(
            reason.contains("invalid type: sequence, expected an object"),
            "{reason}"
        );
    }
    // As PHP writes an object without keys.
    let details = r#"{"prompt_tokens":1,"prompt_tokens_details":[],"cache_creation":null}"#;
    assert_eq!(
        read_text("a.json", body.replace("HERE", details)).only().tokens.total(),
        1
    );
    // What is nobody's usage may be anything.
    let kept = read_text(
        "a.json",
        body.replace("HERE", details)
            .replace("\"id\"", "\"meta\":[\"x\"],\"id\""),
    );
    assert_eq!(kept.only().tokens.total(), 1);
}
