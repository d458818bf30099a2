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

/// Google's interface may tell in an early chunk alone what an answer was looked up in.
#[test]
fn what_any_chunk_says_it_looked_up_counts_once() {
    let looked = |model: &str, text: &str| {
        let grounding =
            r#","groundingMetadata":{"webSearchQueries":["a","b"],"groundingChunks":[{"maps":{"uri":"u"}}]}"#;
        part(GEMINI, "s-1", 5, grounding).replace("gemini-2.5-flash", model)
            + "\n"
            + &part(GEMINI, "s-1", 40, text).replace("gemini-2.5-flash", model)
            + "\n"
    };
    let again = r#","groundingMetadata":{"webSearchQueries":["a"]}"#;
    for (model, between, searches) in [
        ("gemini-3-flash-preview", "", 2),
        ("gemini-3-flash-preview", again, 2),
        ("gemini-2.5-flash", again, 1),
    ] {
        let begun = looked(model, between);
        let ended = part(GEMINI, "s-1", 900, r#","finishReason":"STOP""#).replace("gemini-2.5-flash", model) + "\n";
        // In one file; in several, whichever is read first; in one that goes on.
        for files in [
            vec![format!("{begun}{ended}")],
            vec![begun.clone(), ended.clone()],
            vec![ended.clone(), begun.clone()],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut kept = Kept::default();
            for (n, text) in files.iter().chain(&files).enumerate() {
                std::fs::write(folder.path().join(format!("{n}.jsonl")), text).unwrap();
                read_on(folder.path(), &["."], &mut kept);
            }
            let call = kept.only();
            assert_eq!(
                (kept.totals()[4], call.requests.web_searches),
                (900, searches),
                "{model}"
            );
            assert_eq!(call.extras.as_str(), "map_query=1");
        }
    }
}

/// In a stream of Azure's the part with the usage does not say whose it is.
#[test]
fn a_stream_is_azures_whichever_of_its_parts_says_so() {
    let chunk = |id: &str, rest: &str| {
        format!(
            r#"{{"id":"{id}","object":"chat.completion.chunk","created":1792484104,"model":"gpt-4o-2024-11-20",{rest}}}"#
        ) + "\n"
    };
    let filtered =
        r#""choices":[{"delta":{"content":"x"},"content_filter_results":{"hate":{"filtered":false}}}],"usage":null"#;
    let said = r#""choices":[{"delta":{"content":"\"content_filter_results\":1"}}],"usage":null"#;
    let usage = r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}"#;
    let begun = [
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#
            .to_owned()
            + "\n",
        chunk("chatcmpl-1", filtered),
        chunk("chatcmpl-2", said),
        chunk("chatcmpl-1", filtered),
    ]
    .concat();
    let ended = chunk("chatcmpl-2", usage) + &chunk("chatcmpl-1", usage);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    for cut in [false, true] {
        let mut kept = Kept::default();
        if cut {
            std::fs::write(&file, &begun).unwrap();
            read_on(folder.path(), &["."], &mut kept);
        }
        std::fs::write(&file, format!("{begun}{ended}")).unwrap();
        read_on(folder.path(), &["."], &mut kept);
        let mut sellers: Vec<_> = kept.calls.values().map(|call| call.provider().to_string()).collect();
        sellers.sort();
        assert_eq!(sellers, ["azure", "openai"], "{cut}");
    }
    let response = r#"{"id":"resp_1","object":"response","created_at":1792484104,"status":"completed","model":"gpt-5.4","content_filters":[{"blocked":false}],"usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}}"#;
    assert_eq!(read_text("a.json", response).only().provider().as_str(), "azure");
}

#[test]
fn parts_of_a_stream_without_an_id_are_told() {
    let warned = |text: &str| {
        let kept = read_text("a.jsonl", text);
        kept.warnings
            .keys()
            .any(|about| about.contains("parts of streams without an id"))
    };
    let nameless = |end: &str| part(GEMINI, "", 5, end);
    assert!(warned(&nameless("")));
    assert!(!warned(&nameless(r#","finishReason":"STOP""#)));
    assert!(!warned(&part(GEMINI, "s-1", 5, "")));
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
