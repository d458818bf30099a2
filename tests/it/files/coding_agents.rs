//! What coding agents trace, and what instrumentations of Bedrock mean by the words of the conventions.

use finops::domain::usage::UsageEvent;

use super::{Kept, charged, read_text};

const CLAUDE_CODE: &str = "com.anthropic.claude_code.tracing";

/// A span of this scope with its attributes as JSON values; whether it failed.
fn span(scope: &str, id: &str, parent: &str, attributes: &[(&str, &str)], failed: bool) -> String {
    let attributes: Vec<String> = attributes
        .iter()
        .map(|(key, value)| match value.parse::<u64>() {
            Ok(count) => format!(r#"{{"key":"{key}","value":{{"intValue":"{count}"}}}}"#),
            Err(_) => format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#),
        })
        .collect();
    format!(
        r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"scope":{{"name":"{scope}"}},"spans":[{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"{id}","parentSpanId":"{parent}","name":"n","startTimeUnixNano":"1792484104250000000","attributes":[{}],"status":{{"code":{}}}}}]}}]}}]}}"#,
        attributes.join(","),
        if failed { 2 } else { 1 },
    ) + "\n"
}

fn names(call: &UsageEvent) -> (&'static str, &'static str) {
    (call.provider().as_str(), call.model().as_str())
}

fn is_warned(kept: &Kept, about: &str) -> bool {
    kept.warnings.keys().any(|told| told.contains(about))
}

/// A span of Claude Code's.
fn claude_code(model: &str, more: &[(&str, &str)]) -> Kept {
    let attributes = [
        &[
            ("span.type", "llm_request"),
            ("gen_ai.system", "anthropic"),
            ("gen_ai.request.model", model),
            ("input_tokens", "53"),
            ("cache_read_tokens", "20005"),
            ("cache_creation_tokens", "1005"),
        ][..],
        more,
    ]
    .concat();
    read_text("a.jsonl", span(CLAUDE_CODE, "b7", "", &attributes, false))
}

#[test]
fn claude_code_tells_speed_and_by_the_shape_of_the_model_who_sold() {
    let answered = ("output_tokens", "105");
    for (model, seller) in [
        ("claude-opus-4-8", "anthropic"),
        ("claude-opus-4-8[1m]", "anthropic"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("claude-sonnet-4-5@20250929", "vertex"),
        ("anthropic/claude-sonnet-4.5", "anthropic"),
    ] {
        let kept = claude_code(model, &[answered, ("speed", "normal")]);
        let call = kept.only();
        assert_eq!(names(&call), (seller, model));
        assert_eq!(
            (kept.totals(), call.speed.as_str()),
            ([53, 20_005, 1005, 0, 105, 0], "")
        );
        assert!(is_warned(&kept, "charged as for 5 minutes") && is_warned(&kept, "count twice"));
    }
    let fast = claude_code("claude-opus-4-8", &[answered, ("speed", "fast")]).only();
    let standard = claude_code("claude-opus-4-8", &[answered]).only();
    assert_eq!((fast.id, fast.speed.as_str()), (standard.id, "fast"));
    assert_ne!(charged(&fast), charged(&standard));
    // What was recorded before as standard is fast when it is read again.
    assert_eq!(standard.merge(fast), fast);
    assert_eq!(fast.merge(standard), fast);
}

#[test]
fn what_claude_refused_is_free_at_anthropic_alone() {
    let refused = |model: &str, output: &str| {
        let kept = claude_code(model, &[("output_tokens", output), ("stop_reason", "refusal")]);
        (
            kept.calls.len(),
            kept.excluded.get("refused_calls").copied().unwrap_or(0),
        )
    };
    assert_eq!(refused("claude-opus-4-8", "0"), (0, 1));
    // What was answered before it declined is billed.
    assert_eq!(refused("claude-opus-4-8", "7"), (1, 0));
    assert_eq!(refused("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "0"), (1, 0));
}

#[test]
fn a_call_that_codex_traces_has_the_model_of_a_span_above_it() {
    let part = |id: &str, parent: &str, target: &str, model: &str| {
        let attributes = [("target", target), ("model", model)];
        span(
            "codex_exec",
            id,
            parent,
            &attributes[..if model.is_empty() { 1 } else { 2 }],
            false,
        )
    };
    let call = |scope: &str, total: &str| {
        let attributes = [
            ("target", "codex_core::session::turn"),
            ("gen_ai.usage.input_tokens", "10018"),
            ("gen_ai.usage.cache_read.input_tokens", "4018"),
            ("gen_ai.usage.cache_write.input_tokens", "1000"),
            ("gen_ai.usage.output_tokens", "218"),
            ("codex.usage.reasoning_output_tokens", "68"),
            (total, "10236"),
        ];
        span(scope, "01", "02", &attributes, false)
    };
    let spans = [
        call("codex_exec", "codex.usage.total_tokens"),
        part("02", "03", "codex_models_manager::manager", "gpt-5.6-luna"),
        part("03", "04", "codex_core::session::turn", "gpt-5.5"),
        part("04", "", "codex_core::tasks", "gpt-5.6-sol"),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let kept = read_text("a.jsonl", order.map(|place| spans[place].as_str()).concat());
        let call = kept.only();
        assert_eq!(names(&call), ("openai", "gpt-5.5"), "{order:?}");
        assert_eq!(kept.totals(), [5000, 4018, 0, 0, 218, 68]);
        assert_eq!(kept.warnings.len(), 1, "{:?}", kept.warnings);
        assert!(is_warned(&kept, "that Codex traces"));
    }
    // A root alone may name it.
    let kept = read_text(
        "a.jsonl",
        spans[0].clone() + &part("02", "", "codex_core::tasks", "gpt-5.5"),
    );
    assert_eq!(names(&kept.only()), ("openai", "gpt-5.5"));
    // Without one that does, it counts all the same; and what others say of a model is theirs.
    let kept = read_text("a.jsonl", spans[..2].concat());
    assert_eq!(names(&kept.only()), ("", ""));
    let other = call("lib", "total") + &spans[1] + &spans[2];
    let kept = read_text("a.jsonl", other);
    assert_eq!(names(&kept.only()), ("", ""));
    assert!(is_warned(&kept, "priced themselves"));
}

#[test]
fn gemini_cli_traces_calls_and_says_not_what_was_cached() {
    let attributes = [
        ("gen_ai.operation.name", "llm_call"),
        ("gen_ai.request.model", "gemini-2.5-pro"),
        ("gen_ai.usage.input_tokens", "10010"),
        ("gen_ai.usage.output_tokens", "60"),
    ];
    let kept = read_text("a.jsonl", span("gemini-cli", "b7", "", &attributes, false));
    assert_eq!(names(&kept.only()), ("google", "gemini-2.5-pro"));
    assert_eq!(kept.warnings.len(), 1, "{:?}", kept.warnings);
    assert!(is_warned(&kept, "charged as uncached"));
    // A failed one is told; and so is one that tells no tokens.
    for (failed, kind) in [(true, "failed_calls"), (false, "calls_without_usage")] {
        let kept = read_text("a.jsonl", span("gemini-cli", "b7", "", &attributes[..2], failed));
        assert_eq!((kept.calls.len(), kept.excluded.get(kind)), (0, Some(&1)));
    }
    let kept = read_text("a.jsonl", span("other", "b7", "", &attributes, false));
    assert!(is_warned(&kept, "priced themselves"), "a word of its own elsewhere");
}

#[test]
fn instrumentations_of_bedrock_hand_over_input_without_what_was_cached() {
    let attributes = |total: &'static str| {
        [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "aws.bedrock"),
            ("gen_ai.request.model", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("gen_ai.usage.input_tokens", "1002"),
            ("gen_ai.usage.output_tokens", "202"),
            ("gen_ai.usage.cache_read.input_tokens", "500"),
            ("gen_ai.usage.cache_creation.input_tokens", "300"),
            (total, "1204"),
        ]
    };
    for (scope, total, uncached) in [
        ("opentelemetry.instrumentation.botocore.bedrock-runtime", "none", 1002),
        // It makes the total itself, of input and output.
        (
            "opentelemetry.instrumentation.bedrock",
            "gen_ai.usage.total_tokens",
            1002,
        ),
        (
            "opentelemetry.instrumentation.anthropic",
            "gen_ai.usage.total_tokens",
            202,
        ),
        ("lib", "none", 202),
    ] {
        let kept = read_text("a.jsonl", span(scope, "b7", "", &attributes(total), false));
        assert_eq!(kept.totals(), [uncached, 500, 300, 0, 202, 0], "{scope}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

#[test]
fn a_file_of_log_records_is_told_by_name() {
    for keys in ["resourceLogs", "resource_logs"] {
        let kept = read_text("a.jsonl", format!(r#"{{"{keys}":[{{"scopeLogs":[]}}]}}"#) + "\n");
        assert_eq!((kept.calls.len(), kept.excluded.get("log_records")), (0, Some(&1)));
        assert!(is_warned(&kept, "log records are not read"), "{:?}", kept.warnings);
    }
}
