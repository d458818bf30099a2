//! What instrumentations tell of a call in attributes of text, and two of them together.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, Extras, Unit};
use serde_json::{Value, json};

use super::{Kept, read_text};

/// A line with one span: its scope, its trace, itself, its parent, its times and its attributes.
pub(super) fn line(
    scope: &str,
    (trace, id, parent): (u64, u64, u64),
    (start, end): (u64, u64),
    attributes: &Value,
) -> String {
    let value = |value: &Value| match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        other => json!({"intValue": other.to_string()}),
    };
    let attributes = attributes.as_object().unwrap().iter();
    let attributes: Vec<Value> = attributes
        .map(|(key, told)| json!({"key": key, "value": value(told)}))
        .collect();
    let at = |ms: u64| (1_792_484_104_000_000_000 + ms * 1_000_000).to_string();
    let span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "parentSpanId": format!("{parent:016x}"),
        "startTimeUnixNano": at(start), "endTimeUnixNano": at(end), "attributes": attributes,
    });
    json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": [span]}]}]}).to_string()
}

pub(super) fn with(base: &Value, more: &Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    Value::Object(all)
}

fn one(attributes: &Value) -> Kept {
    read_text("a.jsonl", line("one", (1, 1, 0), (0, 1000), attributes))
}

fn openai() -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 200,
    })
}

#[test]
fn what_only_one_of_two_spans_tells_is_told_of_the_call() {
    let base = openai();
    for (about, more) in [
        ("tier", json!({"openai.response.service_tier": "priority"})),
        ("place", json!({"server.address": "eu.api.openai.com"})),
        (
            "audio",
            json!({"gen_ai.usage.details.input_audio_tokens": 300, "gen_ai.usage.details.output_audio_tokens": 50}),
        ),
    ] {
        let alone = one(&with(&base, &more)).only();
        let told = |call: &finops::domain::usage::UsageEvent| (call.tier(), call.geo, call.tokens);
        for caches in [json!({}), json!({"gen_ai.usage.cache_read.input_tokens": 400})] {
            let plain = with(&base, &caches);
            let read = caches.as_object().unwrap().len() as u64 * 400;
            let mut expected = told(&alone);
            expected
                .2
                .set(Bucket::InputUncached, expected.2.get(Bucket::InputUncached) - read);
            expected.2.set(Bucket::CacheRead, read);
            for response in [json!({}), json!({"gen_ai.response.id": "chatcmpl-one1"})] {
                let teller = with(&with(&base, &more), &response);
                for (parent, upper, lower) in [(1, &teller, &plain), (1, &plain, &teller), (9, &teller, &plain)] {
                    let above = if parent == 1 { 0 } else { 9 };
                    let lines = [
                        line("one", (1, 1, above), (0, 1000), upper),
                        line("two", (1, 2, parent), (10, 900), lower),
                    ];
                    for text in [lines.join("\n"), [lines[1].as_str(), &lines[0]].join("\n")] {
                        let call = read_text("a.jsonl", text).only();
                        assert_eq!(told(&call), expected, "{about}, {response}, {caches}, {parent}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_tier_stands_in_texts() {
    let base = openai();
    let span = json!({"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1000, "llm.token_count.completion": 200});
    let answer =
        |tier: &str| format!(r#"{{"id":"chatcmpl-one1","service_tier":"{tier}","usage":{{"prompt_tokens":1000}}}}"#);
    let asked = json!({"llm.invocation_parameters": r#"{"service_tier":"priority"}"#});
    for (attributes, tier) in [
        (
            with(
                &base,
                &json!({"ai.response.providerMetadata": r#"{"openai":{"serviceTier":"priority"}}"#}),
            ),
            "priority",
        ),
        (with(&base, &json!({"gen_ai.cost.service_tier": "flex"})), "flex"),
        (
            with(
                &base,
                &json!({"gen_ai.request.service_tier": "flex", "gen_ai.cost.service_tier": "default"}),
            ),
            "standard",
        ),
        (
            with(
                &base,
                &json!({"langfuse.observation.model.parameters": r#"{"service_tier":"flex"}"#}),
            ),
            "flex",
        ),
        (with(&span, &asked), "priority"),
        (
            with(&with(&span, &asked), &json!({"output.value": answer("default")})),
            "standard",
        ),
        (with(&span, &json!({"output.value": answer("priority")})), "priority"),
        // What a model writes is no answer of its provider, and what may be is not what was.
        (
            with(&span, &json!({"output.value": r#"{"service_tier":"priority"}"#})),
            "",
        ),
        (
            with(
                &span,
                &json!({"llm.invocation_parameters": r#"{"service_tier":"auto"}"#}),
            ),
            "",
        ),
    ] {
        assert_eq!(one(&attributes).only().tier().as_str(), tier, "{attributes}");
    }
}

#[test]
fn usage_that_a_span_hands_over_whole_is_read_with_all_its_parts() {
    let claude = json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-4-1",
        "gen_ai.usage.input_tokens": 1828, "gen_ai.usage.output_tokens": 228,
        "gen_ai.usage.cache_read.input_tokens": 500, "gen_ai.usage.cache_creation.input_tokens": 300,
    });
    let raw = r#"{"cache_creation":{"ephemeral_1h_input_tokens":100,"ephemeral_5m_input_tokens":200},"cache_creation_input_tokens":300,"cache_read_input_tokens":500,"input_tokens":1028,"output_tokens":228,"server_tool_use":{"web_search_requests":2},"service_tier":"standard"}"#;
    let heard = r#"{"completion_tokens":200,"prompt_tokens":1000,"total_tokens":1200,"completion_tokens_details":{"audio_tokens":50},"prompt_tokens_details":{"audio_tokens":300,"cached_tokens":0}}"#;
    let langfuse = |usage: &str| {
        json!({"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": usage})
    };
    let chat = r#"{"completion_tokens": 80, "prompt_tokens": 1000, "total_tokens": 1080, "completion_tokens_details": {"reasoning_tokens": 30}, "prompt_tokens_details": {"cached_tokens": 512}}"#;
    let responses = r#"{"input_tokens": 9000, "output_tokens": 500, "total_tokens": 9500, "input_tokens_details": {"cached_tokens": 3000, "cache_write_tokens": 2000}}"#;
    // Uncached, read, written for five and thirty minutes and an hour, output, audio in and out, reasoning, searches.
    for (attributes, expected) in [
        (
            with(&claude, &json!({"gen_ai.usage.raw": raw})),
            [1028, 500, 200, 0, 100, 228, 0, 0, 0, 2],
        ),
        (
            with(&openai(), &json!({"gen_ai.usage.raw": heard})),
            [700, 0, 0, 0, 0, 150, 300, 50, 0, 0],
        ),
        (
            with(&openai(), &json!({"gen_ai.usage.raw": "cut {"})),
            [1000, 0, 0, 0, 0, 200, 0, 0, 0, 0],
        ),
        (langfuse(chat), [488, 512, 0, 0, 0, 80, 0, 0, 30, 0]),
        (langfuse(responses), [4000, 3000, 0, 2000, 0, 500, 0, 0, 0, 0]),
        (langfuse(heard), [700, 0, 0, 0, 0, 150, 300, 50, 0, 0]),
        (
            langfuse(r#"{"input": 10, "output": 5, "input_cached_tokens": 90}"#),
            [10, 90, 0, 0, 0, 5, 0, 0, 0, 0],
        ),
    ] {
        let call = one(&attributes).only();
        let told = [
            Bucket::InputUncached,
            Bucket::CacheRead,
            Bucket::CacheWrite5m,
            Bucket::CacheWrite30m,
            Bucket::CacheWrite1h,
            Bucket::Output,
            Bucket::AudioIn,
            Bucket::AudioOut,
        ];
        let told = told.map(|bucket| call.tokens.get(bucket)).into_iter();
        let told: Vec<u64> = told
            .chain([call.tokens.reasoning, call.requests.web_searches.into()])
            .collect();
        assert_eq!(told, expected, "{attributes}");
    }
}

fn litellm(system: &str, model: &str, usage: &str) -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": system, "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 9000, "gen_ai.usage.output_tokens": 400, "metadata.usage_object": usage,
    })
}

#[test]
fn litellms_spans_tell_searches_speed_and_place() {
    let fast = "{'prompt_tokens': 9000, 'server_tool_use': {'web_search_requests': 3}, 'inference_geo': 'us', 'speed': 'fast', 'service_tier': 'standard', 'iterations': None}";
    let call = one(&litellm("anthropic", "claude-opus-4-8", fast)).only();
    let told = (
        call.requests.web_searches,
        call.geo.as_str(),
        call.speed.as_str(),
        call.tier().as_str(),
    );
    assert_eq!(told, (3, "us", "fast", "standard"));

    let vertex = with(
        &litellm("vertex_ai", "claude-sonnet-4-5@20250929", "{}"),
        &json!({"gen_ai.cost.vertex_location": "us-east5"}),
    );
    assert_eq!(one(&vertex).only().geo.as_str(), "us-east5");
    let grounded = litellm(
        "gemini",
        "gemini-3-pro",
        "{'prompt_tokens_details': {'web_search_requests': 3, 'google_maps_grounding_requests': 1}}",
    );
    assert_eq!(one(&grounded).only().requests.web_searches, 3);
    let searched = one(&litellm(
        "perplexity",
        "sonar-pro",
        "{'prompt_tokens_details': None, 'search_context_size': 'high'}",
    ))
    .only();
    assert_eq!((searched.requests.web_searches, searched.extras.is_empty()), (1, false));
}

#[test]
fn litellms_spans_of_openinference_tell_how_long_what_was_written_stays() {
    let metadata = r#"{"team": "search", "usage_object": {"prompt_tokens": 9000, "prompt_tokens_details": {"cached_tokens": 7000, "cache_creation_tokens": 1500, "cache_creation_token_details": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 900}}, "server_tool_use": {"web_search_requests": 3}, "cache_creation_input_tokens": 1500, "cache_read_input_tokens": 7000}}"#;
    let mut span = json!({
        "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-6", "llm.provider": "anthropic",
        "llm.token_count.prompt": 9000, "llm.token_count.completion": 400, "llm.token_count.prompt_details.cache_read": 7000,
        "llm.token_count.prompt_details.cache_write": 1500, "llm.cost.total": 0.04725, "metadata": metadata,
    });
    let call = one(&span).only();
    let written = [Bucket::CacheWrite5m, Bucket::CacheWrite1h].map(|bucket| call.tokens.get(bucket));
    assert_eq!((written, call.requests.web_searches), ([600, 900], 3));
    assert_eq!(
        call.reported_cost.map(|cost| cost.to_string()).as_deref(),
        Some("0.04725")
    );
    // What contradicts the attributes is not of them.
    span["llm.token_count.prompt_details.cache_write"] = json!(1600);
    assert_eq!(one(&span).only().tokens.get(Bucket::CacheWrite5m), 1600);
}

#[test]
fn no_call_of_litellm_vanishes_for_want_of_tokens() {
    let span = |operation: &str, asked: &str, usage: &str| {
        json!({"gen_ai.operation.name": operation, "gen_ai.system": "", "gen_ai.request.model": asked.split_once('/').unwrap().1,
            "litellm.provider.model": asked, "metadata.usage_object": usage})
    };
    let heard = one(&span(
        "transcription",
        "openai/whisper-1",
        "{'type': 'duration', 'seconds': 27.0}",
    ))
    .only();
    let units = Extras::of(heard.extras).units().to_vec();
    assert_eq!(
        (heard.provider().as_str(), units.len(), units[0].0.unit),
        ("openai", 1, Unit::AudioInSecond)
    );
    let ranked = one(&span("rerank", "cohere/rerank-v3.5", "{}"));
    assert_eq!(
        (ranked.calls.len(), ranked.excluded.get("calls_without_usage")),
        (0, Some(&1))
    );
    let embedded = with(
        &span("embedding", "voyage/voyage-3.5", "{'prompt_tokens': 45}"),
        &json!({"gen_ai.usage.input_tokens": 45, "gen_ai.usage.output_tokens": 0}),
    );
    assert_eq!(
        one(&embedded).only().dimensions.get(Dimension::Provider).as_str(),
        "voyage"
    );
    // Of others such names say nothing.
    let other = one(&json!({"gen_ai.operation.name": "speech", "gen_ai.request.model": "m"}));
    assert!(other.calls.is_empty() && other.excluded.is_empty());
}

#[test]
fn calls_in_two_traces_with_one_response_are_not_warned_of() {
    let about = "calls that look like one told by two instrumentations, and count twice (one, two)";
    for (second, warned) in [("chatcmpl-one1", None), ("chatcmpl-one2", None), ("", Some(&1))] {
        let of = |id: &str| with(&openai(), &json!({"gen_ai.response.id": id}));
        let lines = [
            line("one", (1, 1, 0), (0, 1000), &of("chatcmpl-one1")),
            line("two", (2, 2, 0), (10, 900), &of(second)),
        ];
        let kept = read_text("a.jsonl", lines.join("\n"));
        assert_eq!(kept.warnings.get(about), warned, "{second} {:?}", kept.warnings);
    }
}
