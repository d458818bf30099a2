//! What frameworks tell of calls in words of their own, and what some emitters mean by the words of the conventions.

use finops::domain::usage::{Bucket, UsageEvent};
use serde_json::{Value, json};

use super::span_texts::{line, with};
use super::{Kept, read_on, read_text};

fn one(scope: &str, attributes: &Value) -> Kept {
    read_text("a.jsonl", line(scope, (1, 1, 0), (0, 1000), attributes))
}

/// Uncached, read, written for five minutes and an hour, output, of it reasoning.
fn told(kept: &Kept) -> [u64; 6] {
    kept.totals()
}

fn names(call: &UsageEvent) -> (&'static str, &'static str, &'static str) {
    (call.provider().as_str(), call.model().as_str(), call.tier().as_str())
}

#[test]
fn the_scope_tells_whose_input_excludes_what_was_cached() {
    let span = |provider: &str, model: &str| {
        json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": 1026, "gen_ai.usage.output_tokens": 226,
            "gen_ai.usage.cache_read.input_tokens": 500, "gen_ai.usage.cache_creation.input_tokens": 300})
    };
    let claude = "claude-sonnet-4-5-20250929";
    for (scope, provider, model, uncached) in [
        ("agent_framework", "anthropic", claude, 1026),
        ("agent_framework", "aws.bedrock", "amazon.nova-pro-v1:0", 1026),
        ("agent_framework", "google.vertex.ai", claude, 1026),
        ("agent_framework", "microsoft.agent_framework", claude, 1026),
        ("agent_framework", "openai", "anthropic/claude-sonnet-4.5", 226),
        ("agent_framework", "google", "gemini-2.5-pro", 226),
        ("openlit.instrumentation.anthropic", "anthropic", claude, 1026),
        ("openlit.instrumentation.bedrock", "aws.bedrock", claude, 1026),
        ("openlit.instrumentation.litellm", "anthropic", claude, 226),
        ("lib", "anthropic", claude, 226),
    ] {
        let kept = one(scope, &span(provider, model));
        let call = kept.only();
        let seen = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|of| call.tokens.get(of));
        assert_eq!(seen, [uncached, 500, 226], "{scope} {provider}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    let openai = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 600});
    assert_eq!(told(&one("agent_framework", &openai))[..2], [400, 600]);
}

#[test]
fn the_scope_tells_whose_output_excludes_what_was_thought() {
    let span = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "gemini-2.5-pro",
        "gen_ai.usage.input_tokens": 1014, "gen_ai.usage.output_tokens": 214, "gen_ai.usage.reasoning_tokens": 150});
    let gemini = "openlit.instrumentation.google_ai_studio";
    for (scope, output) in [(gemini, 364), ("openlit.instrumentation.langchain", 214), ("lib", 214)] {
        assert_eq!(told(&one(scope, &span)), [1014, 0, 0, 0, output, 150], "{scope}");
    }
}

#[test]
fn mastra_tells_how_long_what_was_written_stays_and_what_is_audio() {
    let span = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic.messages",
        "gen_ai.request.model": "claude-sonnet-4-5-20250929",
        "gen_ai.usage.input_tokens": 1815, "gen_ai.usage.output_tokens": 215, "gen_ai.usage.cache_read.input_tokens": 500,
        "gen_ai.usage.cache_creation.input_tokens": 300, "gen_ai.usage.cache_creation.5m_input_tokens": 200,
        "gen_ai.usage.cache_creation.1h_input_tokens": 100});
    let call = one("@mastra/otel-exporter", &span).only();
    let seen = [Bucket::InputUncached, Bucket::CacheWrite5m, Bucket::CacheWrite1h].map(|of| call.tokens.get(of));
    assert_eq!(seen, [1015, 200, 100]);
    let heard = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai.chat", "gen_ai.request.model": "gpt-audio",
        "gen_ai.usage.input_tokens": 1028, "gen_ai.usage.output_tokens": 228,
        "gen_ai.usage.audio_input_tokens": 300, "gen_ai.usage.audio_output_tokens": 50});
    let call = one("@mastra/otel-exporter", &heard).only();
    let of = [Bucket::InputUncached, Bucket::AudioIn, Bucket::Output, Bucket::AudioOut];
    assert_eq!(of.map(|of| call.tokens.get(of)), [728, 300, 178, 50]);
}

/// A span of MLflow's, which writes texts as JSON.
fn mlflow(kind: &str, model: &str, usage: &Value, answer: &Value) -> Value {
    let mut span =
        json!({"mlflow.spanType": format!("\"{kind}\""), "user": "\"u-1\"", "mlflow.spanOutputs": answer.to_string()});
    for (key, value) in [
        ("mlflow.llm.model", json!(model)),
        ("mlflow.chat.tokenUsage", usage.clone()),
    ] {
        if !value.is_null() && value != "" {
            span[key] = json!(value.to_string());
        }
    }
    span
}

#[test]
fn calls_that_mlflow_traces_count_with_what_their_answers_tell() {
    let scope = "mlflow.tracing.provider";
    let usage =
        json!({"input_tokens": 1004, "output_tokens": 204, "total_tokens": 1208, "cache_read_input_tokens": 600});
    let chat = json!({"id": "chatcmpl-one1", "model": "gpt-4o-2024-08-06", "service_tier": "priority", "choices": [],
        "usage": {"prompt_tokens": 1004, "completion_tokens": 204, "total_tokens": 1208,
            "prompt_tokens_details": {"cached_tokens": 600}, "completion_tokens_details": {"reasoning_tokens": 150}}});
    let kept = one(scope, &mlflow("CHAT_MODEL", "gpt-4o-2024-08-06", &usage, &chat));
    assert_eq!(told(&kept), [404, 600, 0, 0, 204, 150]);
    let call = kept.only();
    assert_eq!(names(&call), ("openai", "gpt-4o-2024-08-06", "priority"));
    assert_eq!(
        call.id,
        finops::domain::usage::EventId::of(&[b"response", b"chatcmpl-one1"])
    );
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // Without an answer that is one, what MLflow counts: Claude's input with what was cached.
    let usage = json!({"input_tokens": 1808, "output_tokens": 208, "total_tokens": 2016, "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 300, "cache_creation_input_tokens_above_1hr": 100});
    let raw = json!({"id": "msg_01", "model": "claude-sonnet-4-5-20250929", "usage": {"input_tokens": 1008, "output_tokens": 208,
        "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300, "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 100, "ephemeral_5m_input_tokens": 200}}});
    for answer in [raw, json!("hello"), json!([1])] {
        let kept = one(scope, &mlflow("LLM", "claude-sonnet-4-5-20250929", &usage, &answer));
        let call = kept.only();
        let of = [
            Bucket::InputUncached,
            Bucket::CacheRead,
            Bucket::CacheWrite5m,
            Bucket::CacheWrite1h,
        ];
        assert_eq!(of.map(|of| call.tokens.get(of)), [1008, 500, 200, 100], "{answer}");
    }
    let embedded =
        json!({"data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 1007, "total_tokens": 1007}});
    let kept = one(
        scope,
        &mlflow("EMBEDDING", "text-embedding-3-small", &Value::Null, &embedded),
    );
    assert_eq!(told(&kept), [1007, 0, 0, 0, 0, 0]);
    // What Gemini thought is told by the total alone.
    let usage = json!({"input_tokens": 100, "output_tokens": 20, "total_tokens": 150});
    let kept = one(scope, &mlflow("LLM", "gemini-2.5-pro", &usage, &json!("hello")));
    assert_eq!(told(&kept), [100, 0, 0, 0, 50, 30]);
    // A function that someone marked asks nobody, a model without usage is a gap; an agent repeats what is below it.
    let kept = one(scope, &mlflow("LLM", "", &Value::Null, &json!("hello")));
    assert!(kept.calls.is_empty() && kept.excluded.is_empty());
    let kept = one(scope, &mlflow("LLM", "gpt-4o", &Value::Null, &json!("hello")));
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("calls_without_usage")),
        (0, Some(&1))
    );
    let call = mlflow("CHAT_MODEL", "gpt-4o", &usage, &json!("hello"));
    let lines = [
        line(scope, (1, 2, 1), (10, 900), &call),
        line(
            scope,
            (1, 1, 0),
            (0, 1000),
            &mlflow("AGENT", "", &usage, &json!("hello")),
        ),
    ];
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!((kept.calls.len(), kept.excluded.get("parent_spans")), (1, Some(&1)));
}

fn genkit(kind: &str, name: &str, output: &Value) -> Value {
    json!({"genkit:type": "action", "genkit:metadata:subtype": kind, "genkit:name": name, "genkit:output": output.to_string()})
}

#[test]
fn calls_that_genkit_traces_count_with_what_their_answers_tell() {
    let scope = "genkit-tracer";
    let usage = json!({"inputTokens": 1002, "outputTokens": 202, "totalTokens": 1204});
    let raw = json!({"id": "chatcmpl-one1", "model": "gpt-4o-2024-08-06", "service_tier": "priority",
        "usage": {"prompt_tokens": 1002, "completion_tokens": 202, "total_tokens": 1204, "prompt_tokens_details": {"cached_tokens": 600}}});
    let kept = one(
        scope,
        &genkit("model", "openai/gpt-4o", &json!({"usage": usage, "raw": raw})),
    );
    assert_eq!(told(&kept), [402, 600, 0, 0, 202, 0]);
    assert_eq!(names(&kept.only()), ("openai", "gpt-4o-2024-08-06", "priority"));
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let claude = json!({"id": "msg_01", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 1008, "output_tokens": 208,
        "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300}});
    let usage = json!({"inputTokens": 1008, "outputTokens": 208});
    let kept = one(
        scope,
        &genkit(
            "model",
            "anthropic/claude-sonnet-4-5",
            &json!({"usage": usage, "custom": claude}),
        ),
    );
    assert_eq!(told(&kept), [1008, 500, 300, 0, 208, 0]);
    // Gemini's thoughts stand beside its output, whether its own answer is told or Genkit's counts alone.
    let usage = json!({"inputTokens": 1000, "outputTokens": 200, "totalTokens": 1350, "thoughtsTokens": 150, "cachedContentTokens": 600});
    let raw = json!({"responseId": "r", "modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 1000,
        "candidatesTokenCount": 200, "thoughtsTokenCount": 150, "cachedContentTokenCount": 600, "totalTokenCount": 1350}});
    for (name, seller) in [
        ("googleai/gemini-2.5-pro", "google"),
        ("vertexai/gemini-2.5-pro", "vertex"),
    ] {
        for output in [json!({"usage": usage}), json!({"usage": usage, "raw": raw})] {
            let kept = one(scope, &genkit("model", name, &output));
            assert_eq!(told(&kept), [400, 600, 0, 0, 350, 150], "{output}");
            assert_eq!(names(&kept.only()), (seller, "gemini-2.5-pro", ""));
        }
    }
    // What repeats it is no call; a model without usage is a gap.
    let again =
        json!({"genkit:type": "util", "genkit:name": "generate", "genkit:output": json!({"usage": usage}).to_string()});
    let kept = one(scope, &again);
    assert!(kept.calls.is_empty() && kept.excluded.is_empty());
    let kept = one(
        scope,
        &genkit("embedder", "openai/text-embedding-3-small", &json!({"embeddings": []})),
    );
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("calls_without_usage")),
        (0, Some(&1))
    );
}

#[test]
fn logfires_spans_of_openais_agents_tell_caches_and_tier_in_texts() {
    let base = json!({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 1016, "gen_ai.usage.output_tokens": 216});
    let usage = r#"{"requests":1,"input_tokens":1016,"output_tokens":216,"total_tokens":1232,"input_tokens_details":{"cached_tokens":600},"output_tokens_details":{"reasoning_tokens":0}}"#;
    let answer = r#"{"id":"resp_1","model":"gpt-4o-2024-08-06","service_tier":"priority","usage":{"input_tokens":1016,"input_tokens_details":{"cached_tokens":600},"output_tokens":216,"total_tokens":1232}}"#;
    for (scope, more, cached, tier) in [
        ("logfire.openai_agents", json!({"usage": usage}), 600, ""),
        ("logfire.openai_agents", json!({"response": answer}), 600, "priority"),
        // Elsewhere nobody knows what such words mean.
        ("lib", json!({"usage": usage, "response": answer}), 0, ""),
    ] {
        let kept = one(scope, &with(&base, &more));
        assert_eq!(told(&kept), [1016 - cached, cached, 0, 0, 216, 0], "{scope} {more}");
        assert_eq!(kept.only().tier().as_str(), tier);
    }
}

#[test]
fn calls_on_the_span_of_an_agent_of_googles_adk_are_warned_of() {
    let span = json!({"gen_ai.agent.description": "", "gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-2.5-flash", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2});
    for (kind, warned) in [("LLM", 1), ("", 0)] {
        let kept = one(
            "gcp.vertex.agent",
            &with(&span, &json!({"openinference.span.kind": kind})),
        );
        assert_eq!(
            (kept.calls.len(), kept.warnings.len()),
            (1, warned),
            "{:?}",
            kept.warnings
        );
    }
}

const GAP: &str = "calls without usage: coverage gap";

#[test]
fn a_call_without_usage_is_a_gap_only_where_none_of_its_model_lies_below_it() {
    let asked = |operation: &str, model: &str| json!({"gen_ai.operation.name": operation, "gen_ai.provider.name": "openai", "gen_ai.request.model": model});
    let used = |operation: &str, model: &str, output: u64| {
        let counts = json!({"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": output});
        with(&asked(operation, model), &counts)
    };
    let chat = used("chat", "gpt-4o-2024-08-06", 200);
    let embedding = used("embeddings", "text-embedding-3-small", 0);
    for (upper, between, lower, gaps) in [
        (asked("chat", "gpt-4o"), json!({}), &chat, 0),
        (asked("chat", "gpt-4o"), json!({"http.method": "POST"}), &chat, 0),
        (json!({"openinference.span.kind": "LLM"}), json!({}), &chat, 0),
        (asked("embeddings", "text-embedding-3-small"), json!({}), &embedding, 0),
        // What it asked itself is told by none of these.
        (asked("chat", "gpt-4.1"), json!({}), &chat, 1),
        (asked("chat", "gpt-4o"), json!({}), &embedding, 1),
        (json!({"openinference.span.kind": "LLM"}), json!({}), &embedding, 1),
        (
            asked("chat", "gpt-4o"),
            json!({"gen_ai.operation.name": "execute_tool"}),
            &chat,
            1,
        ),
    ] {
        let lines = [
            line("one", (1, 1, 0), (0, 1000), &upper),
            line("x", (1, 2, 1), (1, 999), &between),
            line("two", (1, 3, 2), (10, 900), lower),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            let kept = read_text("a.jsonl", order.map(|place| lines[place].as_str()).join("\n"));
            let told = kept.excluded.get("calls_without_usage").copied().unwrap_or(0);
            assert_eq!((kept.calls.len(), told), (1, gaps), "{upper} {between} {order:?}");
            assert_eq!(kept.warnings.get(GAP).copied().unwrap_or(0), gaps);
            let repeats = kept.excluded.get("parent_spans").copied().unwrap_or(0);
            assert_eq!(repeats, 1 - gaps);
        }
    }
}

/// The upper one tells what was cached and the name of a deployment, the lower one what answered.
#[test]
fn the_model_of_the_response_is_the_calls_whichever_of_two_tells_it() {
    let upper = json!({"openinference.span.kind": "LLM", "llm.model_name": "my-gpt", "llm.provider": "azure",
        "llm.token_count.prompt": 1002, "llm.token_count.completion": 202, "llm.token_count.prompt_details.cache_read": 600});
    let lower = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "my-gpt",
        "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 1002, "gen_ai.usage.output_tokens": 202});
    for id in ["", "chatcmpl-one1"] {
        for more in [json!({}), json!({"openai.response.service_tier": "priority"})] {
            let lower = with(&with(&lower, &more), &json!({"gen_ai.response.id": id}));
            let lines = [
                line("one", (1, 1, 0), (0, 1000), &upper),
                line("x", (1, 2, 1), (1, 999), &json!({"http.method": "POST"})),
                line("two", (1, 3, 2), (10, 900), &lower),
            ];
            let expected = |kept: &Kept, about: &str| {
                let calls: Vec<&UsageEvent> = kept.calls.values().filter(|call| call.tokens.total() > 0).collect();
                let [call] = calls[..] else {
                    panic!("{about}: {calls:?}")
                };
                let of = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output].map(|of| call.tokens.get(of));
                assert_eq!(
                    (call.model().as_str(), of),
                    ("gpt-4o-2024-08-06", [402, 600, 202]),
                    "{about}"
                );
            };
            for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0]] {
                let ordered = order.map(|place| lines[place].as_str());
                expected(&read_text("a.jsonl", ordered.join("\n")), &format!("{order:?} {id}"));
                // Each in a run of its own.
                let (folder, mut kept) = (tempfile::tempdir().unwrap(), Kept::default());
                for many in 1..=3 {
                    std::fs::write(folder.path().join("a.jsonl"), ordered[..many].join("\n") + "\n").unwrap();
                    read_on(folder.path(), &["a.jsonl"], &mut kept);
                }
                expected(&kept, &format!("{order:?} {id}, run by run"));
            }
        }
    }
}

/// What was asked for on Bedrock names the profile, which is a tenth cheaper than the region that the bare model stands for.
#[test]
fn a_profile_is_kept_where_the_response_names_the_model_alone() {
    let profile = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for (asked, answered, expected) in [
        (profile, "claude-sonnet-4-5-20250929", profile),
        (profile, "anthropic.claude-sonnet-4-5-20250929-v1:0", profile),
        ("my-profile", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        ("gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        (
            "us.anthropic.claude-opus-4-5-v1:0",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5-20250929",
        ),
    ] {
        let upper = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": asked,
            "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20});
        let lower = with(&upper, &json!({"gen_ai.response.model": answered}));
        let upper = with(&upper, &json!({"gen_ai.usage.cache_read.input_tokens": 40}));
        let lines = [
            line("one", (1, 1, 0), (0, 1000), &upper),
            line("two", (1, 2, 1), (10, 900), &lower),
        ];
        for order in [[0, 1], [1, 0]] {
            let kept = read_text("a.jsonl", order.map(|place| lines[place].as_str()).join("\n"));
            let told: Vec<(&str, u64)> = kept
                .calls
                .values()
                .filter(|call| call.tokens.total() > 0)
                .map(|call| (call.model().as_str(), call.tokens.get(Bucket::CacheRead)))
                .collect();
            assert_eq!(told, [(expected, 40)], "{asked} {order:?}");
        }
    }
}
