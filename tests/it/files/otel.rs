//! OpenTelemetry GenAI traces.

use std::slice::from_ref;

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId};

use super::{Kept, charged, read_on, read_text};

/// A span with text attributes and counts.
fn span(id: &str, parent: &str, texts: &[(&str, &str)], counts: &[(&str, u64)]) -> String {
    let texts = texts
        .iter()
        .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#));
    let counts = counts
        .iter()
        .map(|(key, value)| format!(r#"{{"value":{{"intValue":"{value}"}},"key":"{key}"}}"#));
    let attributes: Vec<String> = texts.chain(counts).collect();
    format!(
        r#"{{"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"{id}","parentSpanId":"{parent}","name":"n","startTimeUnixNano":"1792484104250000000","attributes":[{}]}}"#,
        attributes.join(",")
    )
}

fn request(spans: &[String]) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"helpdesk"}}}}]}},"scopeSpans":[{{"scope":{{"name":"lib"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

const CHAT: [(&str, &str); 4] = [
    ("gen_ai.operation.name", "chat"),
    ("gen_ai.provider.name", "aws.bedrock"),
    ("gen_ai.request.model", "m-asked"),
    ("gen_ai.response.model", "m-1"),
];

const COUNTS: [(&str, u64); 5] = [
    ("gen_ai.usage.input_tokens", 31_200),
    ("gen_ai.usage.output_tokens", 150),
    ("gen_ai.usage.cache_read.input_tokens", 30_000),
    ("gen_ai.usage.cache_creation.input_tokens", 800),
    ("gen_ai.usage.reasoning.output_tokens", 50),
];

fn agent(id: &str, parent: &str) -> String {
    span(
        id,
        parent,
        &[("gen_ai.operation.name", "invoke_agent"), CHAT[1], CHAT[2]],
        &COUNTS,
    )
}

#[test]
fn a_call_has_disjoint_buckets_and_the_names_of_its_span_and_resource() {
    let texts = [&CHAT[..], &[("team", "search"), ("gen_ai.conversation.id", "c-1")]].concat();
    let call = read_text("a.jsonl", request(&[span("b7", "", &texts, &COUNTS)])).only();
    let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
    assert_eq!(
        (counts, call.tokens.reasoning),
        (vec![400, 30_000, 800, 0, 0, 0, 150], 50)
    );
    let name = |d| call.dimensions.get(d).as_str();
    assert_eq!((name(Dimension::Provider), name(Dimension::Model)), ("bedrock", "m-1"));
    assert_eq!((name(Dimension::Team), name(Dimension::Agent)), ("search", "helpdesk"));
    assert_eq!(call.session.as_str(), "c-1");
    assert_eq!(
        call.id,
        EventId::of(&[b"otel", b"0af7651916cd43dd8448eb211c80319c", b"b7"])
    );
}

#[test]
fn old_names_snake_case_and_a_providers_response_id_are_understood() {
    let text = r#"{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"aa","span_id":"b7","start_time_unix_nano":1792484104250000000,"attributes":[{"key":"gen_ai.system","value":{"string_value":"openai"}},{"key":"gen_ai.response.id","value":{"string_value":"chatcmpl-one9"}},{"key":"gen_ai.usage.prompt_tokens","value":{"int_value":70}},{"key":"gen_ai.usage.completion_tokens","value":{"int_value":7}}]}]}]}]}"#;
    let call = read_text("a.jsonl", text).only();
    assert_eq!((call.tokens.prompt(), call.tokens.total()), (70, 77));
    assert_eq!(call.id, EventId::of(&[b"response", b"chatcmpl-one9"]));
}

#[test]
fn failed_calls_repetitions_and_spans_without_identity_are_told() {
    let failed = span("f1", "", &[CHAT[0], CHAT[1], ("error.type", "timeout")], &[]);
    let cut = span("f2", "", &[&CHAT[..], &[("error.type", "timeout")]].concat(), &COUNTS);
    let zeros = span("0000000000000000", "", &CHAT, &COUNTS);
    let lines = [
        request(&[failed.clone(), cut.clone(), span("", "", &CHAT, &COUNTS), zeros]),
        request(&[
            failed,
            cut,
            span("n", "", &CHAT, &[("gen_ai.usage.input_tokens", u64::MAX)]),
        ]),
        request(&[span("x", "", &[("http.method", "GET")], &[])]),
        "{\"resourceSpans\":[".to_owned() + &"[".repeat(10_000),
        String::new(),
    ];
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (1, 2));
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
    assert_eq!(kept.excluded.get("duplicate_records"), Some(&1));
    let reasons: Vec<String> = kept
        .rejected
        .iter()
        .map(|r| format!("{}: {}", r.line, r.reason))
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[..2].iter().all(|r| r.starts_with("1: a span without identity")));
}

#[test]
fn a_trace_of_zeros_is_a_trace() {
    let spans = [agent("a1", ""), span("c1", "a1", &CHAT, &COUNTS)];
    let zeros = request(&spans).replace("0AF7651916CD43DD8448EB211C80319C", &"0".repeat(32));
    let kept = read_text("a.jsonl", zeros);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 0));
}

#[test]
fn agent_spans_count_only_where_no_call_below_them_does() {
    let tool = span("t1", "a1", &[("gen_ai.operation.name", "execute_tool")], &[]);
    let call = span("c1", "t1", &CHAT, &COUNTS);
    let lone = agent("a2", "");
    let all = [agent("a1", ""), tool, call, lone];
    // Whatever the order, and over several lines.
    for order in [[0, 1, 2, 3], [2, 1, 0, 3], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let text: Vec<String> = order.iter().map(|n| request(&[all[*n].clone()])).collect();
        let kept = read_text("a.jsonl", text.join("\n"));
        assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 300), "{order:?}");
        assert_eq!(kept.excluded.get("parent_spans"), Some(&1));
        assert_eq!(kept.warnings.len(), 1, "{:?}", kept.warnings);
    }
}

#[test]
fn a_call_that_arrives_a_run_later_takes_its_agent_span_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, request(&[agent("a1", "")]) + "\n").unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    assert_eq!(kept.totals()[4], 150);
    let both = request(&[agent("a1", "")]) + "\n" + &request(&[span("c1", "a1", &CHAT, &COUNTS)]) + "\n";
    std::fs::write(&path, both).unwrap();
    read_on(folder.path(), &["a.jsonl"], &mut kept);
    assert_eq!(kept.totals()[4], 150);
    assert_eq!(kept.calls.values().filter(|c| c.tokens.total() > 0).count(), 1);
}

#[test]
fn an_emitter_that_excludes_cached_tokens_is_named() {
    let counts = [COUNTS[1], COUNTS[2], ("gen_ai.usage.input_tokens", 400)];
    let kept = read_text("a.jsonl", request(&[span("b7", "", &CHAT, &counts)]));
    assert_eq!(kept.warnings.get("input excludes cached tokens (lib)"), Some(&1));
    assert_eq!(kept.only().tokens.prompt(), 30_400);
}

/// Spans of emitters that have words of their own, each with what it says of itself.
#[test]
fn calls_of_other_emitters_count_whatever_they_call_the_operation() {
    let old = [
        ("gen_ai.usage.prompt_tokens", 1000),
        ("gen_ai.usage.completion_tokens", 100),
    ];
    let inference = [
        ("llm.token_count.prompt", 1000),
        ("llm.token_count.completion", 100),
        ("llm.token_count.prompt_details.cache_read", 600),
        ("llm.token_count.completion_details.reasoning", 40),
    ];
    let litellm = [("gen_ai.system", "openai"), ("gen_ai.request.model", "gpt-4o")];
    let openinference = [("llm.provider", "openai"), ("llm.model_name", "gpt-4o")];
    for (operation, names, counts, expected) in [
        // LiteLLM's callback, of the versions without and with the convention's name behind its own.
        (
            &[("llm.request.type", "acompletion")][..],
            litellm,
            &old[..],
            [1000, 0, 100, 0],
        ),
        (
            &[("llm.request.type", "acompletion"), ("gen_ai.operation.name", "chat")],
            litellm,
            &old,
            [1000, 0, 100, 0],
        ),
        (&[("llm.request.type", "aresponses")], litellm, &old, [1000, 0, 100, 0]),
        (
            &[("gen_ai.operation.name", "responses")],
            litellm,
            &old,
            [1000, 0, 100, 0],
        ),
        // Semantic Kernel.
        (
            &[("gen_ai.operation.name", "chat.completions")],
            litellm,
            &[
                ("gen_ai.response.prompt_tokens", 1000),
                ("gen_ai.response.completion_tokens", 100),
            ],
            [1000, 0, 100, 0],
        ),
        (
            &[("openinference.span.kind", "LLM")],
            openinference,
            &inference,
            [400, 600, 100, 40],
        ),
    ] {
        let texts = [operation, &names].concat();
        let kept = read_text("a.jsonl", request(&[span("b7", "", &texts, counts)]));
        let call = kept.only();
        let t = call.tokens;
        let seen = [
            t.get(Bucket::InputUncached),
            t.get(Bucket::CacheRead),
            t.get(Bucket::Output),
            t.reasoning,
        ];
        assert_eq!(seen, expected, "{operation:?}");
        assert_eq!((call.provider().as_str(), call.model().as_str()), ("openai", "gpt-4o"));
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

#[test]
fn no_span_with_tokens_vanishes() {
    let unknown =
        |id: &str, parent: &str| span(id, parent, &[("gen_ai.operation.name", "judge"), CHAT[2]], &COUNTS[..2]);
    let kept = read_text("a.jsonl", request(&[unknown("u1", "")]));
    assert_eq!((kept.only().tokens.total(), kept.warnings.len()), (31_350, 1));
    // With a call below it, it repeats that.
    let kept = read_text(
        "a.jsonl",
        request(&[unknown("u1", ""), span("c1", "u1", &CHAT, &COUNTS[..2])]),
    );
    assert_eq!((kept.only().tokens.total(), kept.warnings.len()), (31_350, 0));
    assert_eq!(kept.excluded.get("parent_spans"), Some(&1));
    // What a tool says is said by the call that asked for it.
    let tool = span("t1", "", &[("openinference.span.kind", "TOOL")], &COUNTS[..2]);
    let kept = read_text("a.jsonl", request(&[tool]));
    assert_eq!((kept.calls.len(), kept.excluded.get("tool_spans")), (0, Some(&1)));
    assert_eq!(kept.warnings.len(), 1);
}

#[test]
fn of_agent_spans_within_each_other_one_counts() {
    let all = [agent("w1", ""), agent("a1", "w1"), agent("a2", "w1")];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let text: Vec<String> = order.iter().map(|n| request(&[all[*n].clone()])).collect();
        let kept = read_text("a.jsonl", text.join("\n"));
        assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 300), "{order:?}");
        assert_eq!(kept.excluded.get("parent_spans"), Some(&1));
    }
}

/// The Vercel AI SDK names its steps and interfaces; outer steps repeat the inner ones.
#[test]
fn steps_of_the_vercel_ai_sdk_are_calls_of_the_provider_behind_the_interface() {
    let names =
        |provider: &'static str, model: &'static str| [("gen_ai.system", provider), ("gen_ai.request.model", model)];
    let inner = [
        ("ai.operationId", "ai.generateText.doGenerate"),
        ("ai.response.id", "chatcmpl-one7"),
    ];
    let outer = [
        ("ai.operationId", "ai.generateText"),
        ("ai.model.provider", "openai.chat"),
        ("ai.model.id", "gpt-4o"),
    ];
    let tokens = [("gen_ai.usage.input_tokens", 2000), ("gen_ai.usage.output_tokens", 100)];
    let cached = [("ai.usage.cachedInputTokens", 1500)];
    let total = [("ai.usage.totalTokens", 2100)];
    let rest = [
        ("ai.usage.inputTokenDetails.noCacheTokens", 300),
        ("ai.usage.inputTokenDetails.cacheWriteTokens", 200),
    ];
    for (provider, model, counts, seller, expected) in [
        (
            "openai.chat",
            "gpt-4o",
            [&tokens[..], &cached, &total].concat(),
            "openai",
            [500, 1500, 0, 100],
        ),
        // Of Claude, version 5 hands over what was neither read nor written, and makes a total of that.
        (
            "anthropic.messages",
            "claude-sonnet-4-5",
            [&tokens[..], &cached, &total].concat(),
            "anthropic",
            [2000, 1500, 0, 100],
        ),
        // Version 6 tells all parts.
        (
            "vertex.anthropic.messages",
            "claude-sonnet-4-5",
            [&tokens[..], &cached, &total, &rest].concat(),
            "vertex",
            [300, 1500, 200, 100],
        ),
    ] {
        let call = span("c1", "o1", &[&inner[..], &names(provider, model)].concat(), &counts);
        let around = span(
            "o1",
            "",
            &outer,
            &[("ai.usage.promptTokens", 2000), ("ai.usage.completionTokens", 100)],
        );
        let kept = read_text("a.jsonl", request(&[around, call]));
        let call = kept.only();
        let t = |bucket| call.tokens.get(bucket);
        let seen = [
            t(Bucket::InputUncached),
            t(Bucket::CacheRead),
            t(Bucket::CacheWrite5m),
            t(Bucket::Output),
        ];
        assert_eq!((call.provider().as_str(), seen), (seller, expected), "{provider}");
        assert_eq!(call.id, EventId::of(&[b"response", b"chatcmpl-one7"]));
        assert_eq!(
            (kept.excluded.get("parent_spans"), kept.warnings.len()),
            (Some(&1), 0),
            "{:?}",
            kept.warnings
        );
    }
    let embed = [
        ("ai.operationId", "ai.embed.doEmbed"),
        ("ai.model.provider", "openai.embedding"),
        ("ai.model.id", "text-embedding-3-small"),
    ];
    let call = read_text(
        "a.jsonl",
        request(&[span("e1", "", &embed, &[("ai.usage.tokens", 12)])]),
    )
    .only();
    assert_eq!((call.provider().as_str(), call.tokens.prompt()), ("openai", 12));
}

/// Frameworks trace their calls, and so do the providers' libraries below them.
#[test]
fn a_call_that_is_told_by_two_instrumentations_counts_once() {
    let names = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "strands-agents"),
        ("gen_ai.request.model", "claude-sonnet-4-5"),
        ("gen_ai.conversation.id", "c-1"),
        ("user.id", "ann"),
    ];
    // It began before the other, and does not tell how long what was written stays.
    let view = span("v1", "", &names, &COUNTS).replace("4104250000000", "4104240000000");
    let names = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
        ("gen_ai.response.id", "msg_1"),
    ];
    let hour = ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", 800);
    let inner = span("i1", "v1", &names, &[&COUNTS[..], &[hour]].concat());
    let lines = |first: &String, second: &String| request(from_ref(first)) + "\n" + &request(from_ref(second));
    for text in [
        lines(&view, &inner),
        lines(&inner, &view),
        request(&[view.clone(), inner.clone()]),
        request(&[inner.clone(), view.clone()]),
    ] {
        let kept = read_text("a.jsonl", text);
        let call = kept.only();
        assert_eq!(call.id, EventId::of(&[b"response", b"msg_1"]));
        assert_eq!(
            (call.tokens.get(Bucket::Output), call.tokens.get(Bucket::CacheWrite1h)),
            (150, 800)
        );
        let user = call.dimensions.get(Dimension::User).as_str();
        assert_eq!(
            (call.model().as_str(), call.session.as_str(), user),
            ("claude-sonnet-4-5-20250929", "c-1", "ann")
        );
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    // The call below says nothing of its usage.
    let silent = span("i1", "v1", &names, &[]);
    for order in [[&view, &silent], [&silent, &view]] {
        let kept = read_text("a.jsonl", lines(order[0], order[1]));
        assert_eq!((kept.only().tokens.total(), kept.excluded.len()), (31_350, 1));
    }
    // What came a run before is taken back.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut kept = Kept::default();
    for text in [request(from_ref(&view)), lines(&view, &inner)] {
        std::fs::write(&path, text + "\n").unwrap();
        read_on(folder.path(), &["a.jsonl"], &mut kept);
        assert_eq!(kept.totals()[4], 150);
    }
    assert_eq!(kept.excluded.get("parent_spans"), Some(&1));
    // A tool that the call ran asks for itself.
    let tool = span("t1", "v1", &[("gen_ai.operation.name", "execute_tool")], &[]);
    let below = span("i1", "t1", &CHAT, &COUNTS);
    let marked = span("t1", "v1", &[("traceloop.span.kind", "tool")], &[]);
    for tool in [tool, marked] {
        let kept = read_text("a.jsonl", request(&[below.clone(), tool, view.clone()]));
        assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 300));
    }
}

#[test]
fn writes_to_caches_are_told_apart_by_how_long_they_stay() {
    let anthropic = [
        CHAT[0],
        ("gen_ai.provider.name", "anthropic"),
        ("anthropic.response.service_tier", "priority"),
    ];
    for (five, hour) in [
        (
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        ),
        (
            "gen_ai.usage.details.ephemeral_5m_input_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
        ),
    ] {
        for counts in [
            [&COUNTS[..], &[(five, 200), (hour, 600)]].concat(),
            [&COUNTS[..], &[(hour, 600)]].concat(),
            [&COUNTS[..3], &[(five, 200), (hour, 600)]].concat(),
        ] {
            let call = read_text("a.jsonl", request(&[span("b7", "", &anthropic, &counts)])).only();
            let counts: Vec<u64> = Bucket::TEXT.iter().take(4).map(|b| call.tokens.get(*b)).collect();
            assert_eq!(counts, [400, 30_000, 200, 600]);
            assert_eq!(call.dimensions.get(Dimension::Tier).as_str(), "priority");
        }
    }
}

/// What of the counts is audio or was cached, in the words of OpenInference and Pydantic AI.
#[test]
fn audio_and_cached_tokens_of_other_emitters_are_read() {
    let openai = [
        CHAT[0],
        ("gen_ai.system", "openai"),
        ("gen_ai.request.model", "gpt-4o-audio-preview-2024-12-17"),
    ];
    let langsmith = r#"{\"input_tokens\":1000000,\"output_tokens\":50000,\"total_tokens\":1050000,\"input_token_details\":{\"audio\":600000},\"output_token_details\":{\"audio\":20000}}"#;
    let plain = [
        ("gen_ai.usage.input_tokens", 1_000_000),
        ("gen_ai.usage.output_tokens", 50_000),
    ];
    let read = |names: &[(&str, &str)], counts: &[(&str, u64)]| {
        read_text("a.jsonl", request(&[span("b7", "", names, counts)])).only()
    };
    for (text, counts) in [
        (
            None,
            &[
                ("llm.token_count.prompt_details.audio", 600_000),
                ("llm.token_count.completion_details.audio", 20_000),
            ][..],
        ),
        (
            None,
            &[
                ("gen_ai.usage.details.input_audio_tokens", 600_000),
                ("gen_ai.usage.details.output_audio_tokens", 20_000),
            ],
        ),
        (Some(("langsmith.metadata.usage_metadata", langsmith)), &[]),
    ] {
        let names: Vec<_> = openai.into_iter().chain(text).collect();
        let call = read(&names, &[&plain, counts].concat());
        assert_eq!(charged(&call), "26.9", "{counts:?}");
    }
    // Audio that was read from the cache is a part of what was.
    let cached = [
        ("gen_ai.usage.details.cache_read_tokens", 500_000),
        ("gen_ai.usage.details.cached_content_tokens", 500_000),
        ("gen_ai.usage.details.audio_prompt_tokens", 600_000),
        ("gen_ai.usage.details.cache_audio_read_tokens", 400_000),
    ];
    let tokens = read(&openai, &[&plain[..], &cached].concat()).tokens;
    let kinds = [Bucket::InputUncached, Bucket::CacheRead, Bucket::AudioIn];
    assert_eq!(kinds.map(|kind| tokens.get(kind)), [300_000, 500_000, 200_000]);
    // Before its version 1 Pydantic AI told what was cached in the provider's own words, and later in both.
    let own = [
        ("gen_ai.usage.details.cache_read_input_tokens", 600_000),
        ("gen_ai.usage.details.cache_creation_input_tokens", 100_000),
        ("gen_ai.usage.details.cache_read_tokens", 600_000),
        ("gen_ai.usage.details.cache_write_tokens", 100_000),
    ];
    let claude = [CHAT[0], ("gen_ai.system", "anthropic"), CHAT[2]];
    for (names, told, expected) in [
        (
            &openai,
            &[("gen_ai.usage.details.cached_tokens", 600_000)][..],
            [400_000, 600_000, 0],
        ),
        (&claude, &own[..2], [300_000, 600_000, 100_000]),
        (&claude, &own, [300_000, 600_000, 100_000]),
    ] {
        let tokens = read(names, &[&plain, told].concat()).tokens;
        let kinds = [Bucket::InputUncached, Bucket::CacheRead, Bucket::CacheWrite5m];
        assert_eq!(kinds.map(|kind| tokens.get(kind)), expected, "{told:?}");
    }
}

/// One of two instrumentations may tell what of a call was audio, also all of it.
#[test]
fn a_call_counts_once_though_only_one_instrumentation_tells_its_audio() {
    let plain = [("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 500)];
    for said in [200, 500] {
        let audio = [&plain[..], &[("gen_ai.usage.details.output_audio_tokens", said)]].concat();
        for (upper, lower) in [(&plain[..], &audio[..]), (&audio, &plain)] {
            let spans = [span("v1", "", &CHAT, upper), span("i1", "v1", &CHAT, lower)];
            for spans in [spans.clone(), [spans[1].clone(), spans[0].clone()]] {
                let kept = read_text("a.jsonl", request(&spans));
                assert_eq!(kept.only().tokens.total(), 1500);
            }
        }
    }
}

#[test]
fn the_host_that_was_asked_tells_where_a_call_was_answered() {
    for (asked, answered, host, geo) in [
        (
            "m.a-v1:0",
            "m.a-v1:0",
            "bedrock-runtime.sa-east-1.amazonaws.com",
            "sa-east-1",
        ),
        ("us.m.a-v1:0", "m.a-v1:0", "bedrock-runtime.sa-east-1.amazonaws.com", ""),
        ("m.a-v1:0", "m.a-v1:0", "gateway.example.com", ""),
    ] {
        let names = [
            CHAT[0],
            CHAT[1],
            ("gen_ai.request.model", asked),
            ("gen_ai.response.model", answered),
            ("server.address", host),
        ];
        let call = read_text("a.jsonl", request(&[span("b7", "", &names, &COUNTS)])).only();
        assert_eq!(call.geo.as_str(), geo, "{asked} {host}");
    }
    for (provider, host, geo) in [
        ("openai", "eu.api.openai.com", "eu"),
        ("openai", "api.openai.com", ""),
        ("gcp.vertex_ai", "us-east5-aiplatform.googleapis.com", "us-east5"),
        ("gcp.vertex_ai", "aiplatform.eu.rep.googleapis.com", "eu"),
        ("gcp.vertex_ai", "aiplatform.googleapis.com", ""),
        ("anthropic", "eu.api.openai.com", ""),
    ] {
        let names = [
            CHAT[0],
            ("gen_ai.provider.name", provider),
            ("gen_ai.request.model", "m"),
            ("server.address", host),
        ];
        let call = read_text("a.jsonl", request(&[span("b7", "", &names, &COUNTS)])).only();
        assert_eq!(call.geo.as_str(), geo, "{provider} {host}");
    }
}

/// OpenAI's client calls whomever it asks `openai`.
#[test]
fn a_host_that_is_known_decides_who_sold_what_openais_client_asked() {
    for (system, host, model, provider) in [
        ("openai", "myres.openai.azure.com", "gpt-4o-2024-08-06", "azure"),
        ("openai", "openrouter.ai", "anthropic/claude-sonnet-4.5", "openrouter"),
        ("openai", "api.deepseek.com", "deepseek-chat", "deepseek"),
        ("openai.chat", "api.groq.com", "llama-3.3-70b-versatile", "groq"),
        (
            "openai",
            "bedrock-runtime.us-east-1.amazonaws.com",
            "openai.gpt-oss-120b-1:0",
            "bedrock",
        ),
        (
            "openai",
            "generativelanguage.googleapis.com",
            "gemini-2.5-flash",
            "google",
        ),
        ("openai", "api.openai.com", "gpt-4o", "openai"),
        ("openai", "litellm.internal", "gpt-4o", "openai"),
        ("openai", "localhost", "gpt-4o", "openai"),
        ("azure.ai.openai", "api.openai.com", "gpt-4o", "azure"),
        ("groq", "openrouter.ai", "m", "groq"),
    ] {
        let names = [
            CHAT[0],
            ("gen_ai.system", system),
            ("gen_ai.request.model", model),
            ("server.address", host),
        ];
        let call = read_text("a.jsonl", request(&[span("b7", "", &names, &COUNTS)])).only();
        assert_eq!(call.provider().as_str(), provider, "{system} {host}");
        // How long its caches keep is told by who sells, all else of its usage by the client.
        let long = if matches!(provider, "openai" | "azure") {
            Bucket::CacheWrite30m
        } else {
            Bucket::CacheWrite5m
        };
        assert_eq!(
            (call.tokens.get(long), call.tokens.prompt()),
            (800, 31_200),
            "{system} {host}"
        );
    }
    // What Azure AI sells under the name of an older model of Azure OpenAI's has a price of its own.
    for (key, system, provider, cost) in [
        ("gen_ai.provider.name", "azure.ai.inference", "azure_ai", "0.0026"),
        ("gen_ai.system", "az.ai.inference", "azure_ai", "0.0026"),
        ("gen_ai.provider.name", "azure.ai.openai", "azure", "0.0104"),
    ] {
        let names = [CHAT[0], (key, system), ("gen_ai.request.model", "mistral-large-latest")];
        let counts = [("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 100)];
        let call = read_text("a.jsonl", request(&[span("b8", "", &names, &counts)])).only();
        assert_eq!(
            (call.provider().as_str(), super::charged(&call)),
            (provider, cost.to_owned()),
            "{system}"
        );
    }
    // What Gemini thought is told by the total alone.
    let gemini = [
        CHAT[0],
        ("gen_ai.system", "openai"),
        ("gen_ai.request.model", "gemini-2.5-flash"),
        ("server.address", "generativelanguage.googleapis.com"),
    ];
    let counts = [
        ("gen_ai.usage.input_tokens", 100),
        ("gen_ai.usage.output_tokens", 10),
        ("gen_ai.usage.total_tokens", 150),
    ];
    let call = read_text("a.jsonl", request(&[span("b7", "", &gemini, &counts)])).only();
    assert_eq!((call.tokens.get(Bucket::Output), call.tokens.reasoning), (50, 40));
}

/// `os.environ.get("TEAM", "")` is no name.
#[test]
fn an_empty_attribute_is_none_and_of_several_the_first_of_the_list_counts_in_any_order() {
    let resource = |own: &[(&str, &str)], outer: &[(&str, &str)]| {
        let outer: Vec<String> = outer
            .iter()
            .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
            .collect();
        let own = span("b7", "", &[&CHAT[..], own].concat(), &COUNTS);
        let text = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{}]}},"scopeSpans":[{{"scope":{{"name":"lib"}},"spans":[{own}]}}]}}]}}"#,
            outer.join(",")
        );
        read_text("a.jsonl", text).only()
    };
    for (own, outer, dimension, expected) in [
        (&[("team", "")][..], &[("team", "r")][..], Dimension::Team, "r"),
        (&[("team", " ")], &[("team", "r")], Dimension::Team, "r"),
        (
            &[("team", ""), ("team.name", "s")],
            &[("team", "r")],
            Dimension::Team,
            "s",
        ),
        (&[("team.name", "s"), ("team", "")], &[], Dimension::Team, "s"),
        (&[("team.name", "a"), ("team", "b")], &[], Dimension::Team, "b"),
        (&[("team", "b"), ("team.name", "a")], &[], Dimension::Team, "b"),
        (&[("service.team", "c"), ("team.name", "a")], &[], Dimension::Team, "a"),
        (&[("project", "")], &[("project", "r")], Dimension::Project, "r"),
        (
            &[("cloud.account.id", "")],
            &[("cloud.account.id", "1")],
            Dimension::Account,
            "1",
        ),
        (
            &[("gen_ai.agent.name", "")],
            &[("service.name", "svc")],
            Dimension::Agent,
            "svc",
        ),
        (
            &[("gen_ai.agent.name", "")],
            &[("service.name", "")],
            Dimension::Agent,
            "",
        ),
    ] {
        let call = resource(own, outer);
        assert_eq!(call.dimensions.get(dimension).as_str(), expected, "{own:?} {outer:?}");
    }
}

/// Not every instrumentation tells the host.
#[test]
fn two_spans_of_one_call_of_which_one_tells_the_host_are_one() {
    let told = |id: &str, scope: &str, parent: &str, host: &str| {
        let names = [
            CHAT[0],
            ("gen_ai.system", "openai"),
            ("gen_ai.request.model", "gpt-4o"),
            ("server.address", host),
        ];
        let span = span(id, parent, &names, &COUNTS).replace(
            "\"attributes\"",
            "\"endTimeUnixNano\":\"1792484105250000000\",\"attributes\"",
        );
        request(&[span]).replace("\"lib\"", &format!("\"{scope}\""))
    };
    // Side by side, and one below the other.
    for (parent, upper) in [("a1", "a1"), ("b7", "a1")] {
        let lines = [
            told("b7", "one", upper, ""),
            told("b8", "two", parent, "myres.openai.azure.com"),
        ];
        for text in [lines.join("\n"), [lines[1].as_str(), &lines[0]].join("\n")] {
            let call = read_text("a.jsonl", text).only();
            if parent == "b7" {
                assert_eq!(call.provider().as_str(), "azure");
            }
        }
    }
}

/// LiteLLM's callback tells what was cached in a text as Python writes it.
#[test]
fn spans_of_litellm_tell_what_was_cached_in_their_usage_object() {
    let usage = "{'completion_tokens': 400, 'prompt_tokens': 8553, 'note': 'it\\\\'s \\\"one\\\"', 'completion_tokens_details': {'reasoning_tokens': 7, 'text_tokens': None}, 'prompt_tokens_details': {'cached_tokens': 7000, 'cache_creation_tokens': 1500, 'cache_creation_token_details': {'ephemeral_5m_input_tokens': 600, 'ephemeral_1h_input_tokens': 900}}, 'cost': 8.7e-05, 'flag': True, 'cache_creation_input_tokens': 1500, 'cache_read_input_tokens': 7000}";
    let plain = [
        ("gen_ai.usage.input_tokens", 8553),
        ("gen_ai.usage.output_tokens", 400),
        ("gen_ai.usage.total_tokens", 8953),
    ];
    let names = |usage| {
        [
            ("llm.request.type", "completion"),
            ("gen_ai.system", "anthropic"),
            ("metadata.usage_object", usage),
        ]
    };
    let kept = read_text("a.jsonl", request(&[span("b7", "", &names(usage), &plain)]));
    let call = kept.only();
    let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
    assert_eq!(
        (counts, call.tokens.reasoning),
        (vec![53, 7000, 600, 900, 0, 0, 400], 7)
    );
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let cut = read_text("a.jsonl", request(&[span("b7", "", &names(&usage[..80]), &plain)]));
    assert_eq!((cut.only().tokens.prompt(), cut.warnings.len()), (8553, 1));
}

#[test]
fn what_gemini_thought_is_charged_where_only_the_total_tells() {
    let gemini = [
        CHAT[0],
        ("gen_ai.provider.name", "gcp.gen_ai"),
        ("gen_ai.request.model", "gemini-2.5-flash"),
    ];
    let counts = |output| {
        [
            ("gen_ai.usage.input_tokens", 6009),
            ("gen_ai.usage.output_tokens", output),
            ("gen_ai.usage.total_tokens", 7709),
        ]
    };
    for (output, reasoning) in [(500, 1200), (1700, 0)] {
        let kept = read_text("a.jsonl", request(&[span("b7", "", &gemini, &counts(output))]));
        let tokens = kept.only().tokens;
        assert_eq!((tokens.get(Bucket::Output), tokens.reasoning), (1700, reasoning));
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

/// Text attributes of other emitters, each with its own words for what was cached.
#[test]
fn what_was_cached_is_read_where_a_text_tells_it() {
    let langsmith = r#"{\"input_tokens\":8553,\"output_tokens\":400,\"total_tokens\":8953,\"input_token_details\":{\"cache_read\":7000,\"cache_creation\":0,\"ephemeral_5m_input_tokens\":600,\"ephemeral_1h_input_tokens\":900},\"output_token_details\":{\"reasoning\":7}}"#;
    let vercel = r#"{\"anthropic\":{\"usage\":{\"input_tokens\":53,\"output_tokens\":400,\"cache_creation_input_tokens\":1500,\"cache_read_input_tokens\":7000,\"cache_creation\":{\"ephemeral_5m_input_tokens\":600,\"ephemeral_1h_input_tokens\":900}}}}"#;
    let included = [("gen_ai.usage.input_tokens", 8553), ("gen_ai.usage.output_tokens", 400)];
    // Version 5 says what was neither read nor written, of streams also what was read.
    let excluded = [("gen_ai.usage.input_tokens", 53), ("gen_ai.usage.output_tokens", 400)];
    let streamed = [&excluded[..], &[("ai.usage.cachedInputTokens", 7000)]].concat();
    for (text, counts, reasoning) in [
        (("langsmith.metadata.usage_metadata", langsmith), &included[..], 7),
        (("ai.response.providerMetadata", vercel), &excluded, 0),
        (("ai.response.providerMetadata", vercel), &streamed, 0),
    ] {
        let names = [
            CHAT[0],
            ("gen_ai.system", "anthropic"),
            ("gen_ai.request.model", "claude-sonnet-4-5"),
            text,
        ];
        let kept = read_text("a.jsonl", request(&[span("b7", "", &names, counts)]));
        let call = kept.only();
        let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
        assert_eq!(
            (counts, call.tokens.reasoning),
            (vec![53, 7000, 600, 900, 0, 0, 400], reasoning),
            "{text:?}"
        );
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

/// What Langfuse's own SDK tells has no names of the conventions.
#[test]
fn spans_of_langfuse_are_calls() {
    let usage = r#"{\"input\": 464, \"input_cached_tokens\": 1536, \"output\": 300}"#;
    let names = [
        ("langfuse.observation.type", "generation"),
        ("langfuse.observation.model.name", "gpt-5-2025-08-07"),
        (
            "langfuse.observation.cost_details",
            r#"{\"input\":0.001,\"output\":0.002}"#,
        ),
        ("langfuse.observation.usage_details", usage),
        ("session.id", "s-1"),
    ];
    let kept = read_text("a.jsonl", request(&[span("b7", "", &names, &[])]));
    let call = kept.only();
    let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
    assert_eq!(counts, [464, 1536, 0, 0, 0, 0, 300]);
    assert_eq!(
        (call.provider().as_str(), call.model().as_str(), call.session.as_str()),
        ("openai", "gpt-5-2025-08-07", "s-1")
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.003");
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);

    let flex = r#"{\"input\":0,\"output\":0,\"total\":2300,\"input_flex_cache_read\":1536,\"input_flex\":464,\"output_flex\":300}"#;
    let names = [names[0], names[1], ("langfuse.observation.usage_details", flex)];
    let call = read_text("a.jsonl", request(&[span("b7", "", &names, &[])])).only();
    assert_eq!((call.tokens.total(), call.tier().as_str()), (2300, "flex"));

    // A generation that says nothing is a gap; what is no call of a model is nothing.
    let empty = [("langfuse.observation.type", "generation"), names[1]];
    let other = [("langfuse.observation.type", "tool"), names[1]];
    let kept = read_text(
        "a.jsonl",
        request(&[span("b7", "", &empty, &[]), span("b8", "", &other, &[])]),
    );
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("calls_without_usage")),
        (0, Some(&1))
    );
}

#[test]
fn the_tier_in_langchains_keys_is_read_where_langsmith_exports_them() {
    for tier in ["flex", "priority"] {
        let usage = format!(
            r#"{{\"input_token_details\":{{\"{tier}_cache_read\":1536,\"{tier}\":464}},\"output_token_details\":{{\"{tier}_reasoning\":192,\"{tier}\":108}}}}"#
        );
        let names = [
            CHAT[0],
            ("gen_ai.system", "openai"),
            ("gen_ai.request.model", "gpt-5-2025-08-07"),
            // As emitters write it that stream.
            ("gen_ai.response.model", ""),
            ("langsmith.metadata.usage_metadata", usage.as_str()),
        ];
        let counts = [("gen_ai.usage.input_tokens", 2000), ("gen_ai.usage.output_tokens", 300)];
        let call = read_text("a.jsonl", request(&[span("b7", "", &names, &counts)])).only();
        let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
        assert_eq!((counts, call.tokens.reasoning), (vec![464, 1536, 0, 0, 0, 0, 300], 192));
        assert_eq!(
            (call.tier().as_str(), call.model().as_str()),
            (tier, "gpt-5-2025-08-07")
        );
    }
}

/// What the Vercel AI SDK hands over of Bedrock's and Gemini's answers.
#[test]
fn what_other_providers_answered_is_read_too() {
    let bedrock = r#"{\"bedrock\":{\"usage\":{\"cacheWriteInputTokens\":1500}}}"#;
    let nothing = r#"{\"bedrock\":{\"usage\":{\"cacheWriteInputTokens\":null}}}"#;
    let gemini = r#"{\"google\":{\"usageMetadata\":{\"promptTokenCount\":9000,\"cachedContentTokenCount\":8000,\"candidatesTokenCount\":400,\"thoughtsTokenCount\":600,\"totalTokenCount\":10000}}}"#;
    for (system, model, text, expected) in [
        (
            "amazon-bedrock",
            "anthropic.claude-x",
            bedrock,
            ([9000, 0, 1500], [400, 0]),
        ),
        (
            "amazon-bedrock",
            "anthropic.claude-x",
            nothing,
            ([9000, 0, 0], [400, 0]),
        ),
        (
            "google.generative-ai",
            "gemini-2.5-flash",
            gemini,
            ([1000, 8000, 0], [1000, 600]),
        ),
    ] {
        let names = [
            ("ai.operationId", "ai.generateText.doGenerate"),
            ("gen_ai.system", system),
            ("gen_ai.request.model", model),
            ("ai.response.providerMetadata", text),
        ];
        let counts = [("ai.usage.promptTokens", 9000), ("ai.usage.completionTokens", 400)];
        let kept = read_text("a.jsonl", request(&[span("b7", "", &names, &counts)]));
        let t = kept.only().tokens;
        let prompt = [Bucket::InputUncached, Bucket::CacheRead, Bucket::CacheWrite5m].map(|b| t.get(b));
        assert_eq!((prompt, [t.get(Bucket::Output), t.reasoning]), expected, "{text}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

#[test]
fn what_an_emitter_says_that_a_call_cost_is_kept() {
    for name in ["gen_ai.cost.total_cost", "operation.cost"] {
        let call = span("b7", "", &CHAT, &COUNTS);
        let cost = format!(r#"{{"key":"{name}","value":{{"doubleValue":8.6984e-4}}}},"#);
        let call = call.replacen(r#""attributes":["#, &format!(r#""attributes":[{cost}"#), 1);
        let call = read_text("a.jsonl", request(&[call])).only();
        assert_eq!(call.reported_cost.unwrap().to_string(), "0.00086984");
    }
}

#[test]
fn two_instrumentations_side_by_side_tell_one_call_of_a_trace_and_are_warned_of_elsewhere() {
    let at = |id: &str, from: u64, to: u64, scope: &str| {
        let times =
            format!(r#""startTimeUnixNano":"17924841{from:02}000000000","endTimeUnixNano":"17924841{to:02}000000000""#);
        let span = span(id, "root", &CHAT, &COUNTS).replace(r#""startTimeUnixNano":"1792484104250000000""#, &times);
        request(&[span]).replace(r#""name":"lib""#, &format!(r#""name":"{scope}""#))
    };
    let about = "calls that look like one told by two instrumentations, and count twice (one, two)";
    let spans = [
        at("s1", 10, 20, "one"),
        at("s2", 11, 19, "two"),
        at("s3", 30, 40, "one"),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let kept = read_text("a.jsonl", order.map(|n| spans[n].as_str()).join("\n"));
        let calls = kept.calls.len();
        assert_eq!((calls, kept.warnings.get(about)), (2, None), "{:?}", kept.warnings);
    }
    let elsewhere = spans.map(|line| line.replace(r#""traceId":""#, r#""traceId":"e"#));
    let text = [at("s1", 10, 20, "one"), elsewhere[1].clone()].join("\n");
    let kept = read_text("a.jsonl", text);
    let calls = kept.calls.len();
    assert_eq!((calls, kept.warnings.get(about)), (2, Some(&1)), "{:?}", kept.warnings);
}

/// A program's spans, and those of a gateway below them: by who wrote them, and by time.
#[test]
fn equal_calls_at_once_count_each_though_two_tell_them() {
    let line = |id: &str, parent: &str, (from, to): (u64, u64), scope: &str, response: &str| {
        let texts = [&CHAT[..], &[("gen_ai.response.id", response)]].concat();
        let texts = if response.is_empty() { &CHAT } else { &texts[..] };
        let times =
            format!(r#""startTimeUnixNano":"17924841{from:03}00000000","endTimeUnixNano":"17924841{to:03}00000000""#);
        let span = span(id, parent, texts, &COUNTS).replace(r#""startTimeUnixNano":"1792484104250000000""#, &times);
        request(&[span]).replace(r#""name":"lib""#, &format!(r#""name":"{scope}""#))
    };
    let response = |told: bool, n: u64| if told { format!("chatcmpl-{n}") } else { String::new() };
    for told in [false, true] {
        for below in [true, false] {
            let outer = |n: u64| line(&format!("a{n}"), "root", (100 + n, 900 - n), "app", &response(told, n));
            let inner = |n: u64| {
                let parent = if below { format!("a{n}") } else { "root".to_owned() };
                line(
                    &format!("b{n}"),
                    &parent,
                    (100 + n, 899 - n),
                    "gateway",
                    &response(told, n),
                )
            };
            let (outer, inner): (Vec<_>, Vec<_>) = (0..20).map(|n| (outer(n), inner(n))).unzip();
            let by_start = outer
                .iter()
                .zip(&inner)
                .flat_map(|(one, two)| [one.clone(), two.clone()]);
            for lines in [
                [&outer[..], &inner].concat(),
                [&inner[..], &outer].concat(),
                by_start.collect(),
            ] {
                let kept = read_text("a.jsonl", lines.join("\n"));
                let calls = kept.calls.values().filter(|call| call.tokens.total() > 0).count();
                assert_eq!(
                    (calls, kept.totals()[4]),
                    (20, 20 * 150),
                    "told: {told}, below: {below}"
                );
                assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
            }
        }
    }
}

#[test]
fn what_only_a_framework_tells_of_caches_counts_where_its_file_is_read_first() {
    let outer = request(&[span("f1", "", &CHAT, &COUNTS)]) + "\n";
    let inner = request(&[span("l1", "f1", &CHAT, &COUNTS[..2])]) + "\n";
    let mut totals = Vec::new();
    for files in [[&outer, &inner], [&inner, &outer]] {
        // In one run and in two.
        for runs in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let mut kept = Kept::default();
            for (name, content) in ["a.jsonl", "b.jsonl"].into_iter().zip(files) {
                // Longer than what is held before it is handed over.
                let others: String = (0..200)
                    .map(|n| {
                        request(&[span(
                            &format!("{name}{n}"),
                            "",
                            &CHAT,
                            &[("gen_ai.usage.output_tokens", n)],
                        )]) + "\n"
                    })
                    .collect();
                std::fs::write(folder.path().join(name), content.to_owned() + &others).unwrap();
                if runs == 2 {
                    read_on(folder.path(), &[name], &mut kept);
                }
            }
            if runs == 1 {
                read_on(folder.path(), &["a.jsonl", "b.jsonl"], &mut kept);
            }
            let [uncached, read, written, _, output, _] = kept.totals();
            totals.push((uncached, read, written, output));
        }
    }
    assert_eq!(totals, [(400, 30_000, 800, 2 * 19_900 + 150); 4]);
}

#[test]
fn calls_that_claude_code_traces_count_with_what_was_cached() {
    let texts = [
        ("span.type", "llm_request"),
        ("gen_ai.system", "anthropic"),
        ("gen_ai.request.model", "claude-opus-4-8[1m]"),
        ("gen_ai.response.id", "req_1"),
        ("session.id", "s1"),
    ];
    let counts = [
        ("input_tokens", 1000),
        ("output_tokens", 50),
        ("cache_read_tokens", 3000),
        ("cache_creation_tokens", 200),
    ];
    let text = |counts: &[(&str, u64)]| {
        request(&[span("b7", "", &texts, counts)]).replace(r#""lib""#, r#""com.anthropic.claude_code.tracing""#)
    };
    let kept = read_text("a.jsonl", text(&counts));
    let call = kept.only();
    assert_eq!(kept.totals(), [1000, 3000, 200, 0, 50, 0]);
    assert_eq!((call.session.as_str(), call.provider().as_str()), ("s1", "anthropic"));
    let told: Vec<&String> = kept.warnings.keys().collect();
    assert!(
        told.len() == 2 && told.iter().all(|told| told.contains("session logs")),
        "{told:?}"
    );
    // Another program's words of that name mean what nobody knows; and a span that says whom it asked and no more may surround the call.
    for silent in [request(&[span("b7", "", &texts, &counts)]), text(&[])] {
        let kept = read_text("a.jsonl", silent);
        assert_eq!((kept.calls.len(), kept.excluded.len()), (0, 0));
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

#[test]
fn what_surrounds_spans_may_stand_behind_them() {
    let whole = request(&[span("b7", "", &CHAT, &COUNTS)]);
    let parts: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let group = &parts["resourceSpans"][0];
    let scoped = format!(
        r#"{{"spans":{},"scope":{{"name":"lib"}}}}"#,
        group["scopeSpans"][0]["spans"]
    );
    let turned = format!(
        r#"{{"x":[1],"resourceSpans":[{{"scopeSpans":[{scoped}],"resource":{}}}]}}"#,
        group["resource"]
    );
    let (one, two) = (read_text("a.jsonl", whole).only(), read_text("a.jsonl", &turned).only());
    assert_eq!(one, two);
    assert_eq!(two.dimensions.get(Dimension::Agent).as_str(), "helpdesk");
    // Of a line that is cut nothing counts, whatever stands before the cut.
    let cut = turned.replace(r#""spans":["#, r#""spans":[{"traceId":"a","spanId":"","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]},"#);
    let kept = read_text("a.jsonl", cut[..cut.len() - 3].to_owned() + "\n");
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{:?}", kept.rejected);
}

/// What a name cannot be is not given, as in protobuf; the call counts.
#[test]
fn a_name_that_is_no_text_costs_no_call() {
    for value in [
        r#"{"arrayValue":{"values":[{"stringValue":"a"}]}}"#,
        r#"{"kvlistValue":{"values":[]}}"#,
        r#"{"bytesValue":"MTI="}"#,
        r#"{"boolValue":true}"#,
        r#"{"doubleValue":4.5}"#,
    ] {
        let keys = [
            "team",
            "user.id",
            "gen_ai.conversation.id",
            "gen_ai.provider.name",
            "gen_ai.response.model",
            "gen_ai.response.service_tier",
            "agent",
        ];
        let odd: Vec<String> = keys
            .iter()
            .map(|key| format!(r#"{{"key":"{key}","value":{value}}}"#))
            .collect();
        let texts = [CHAT[0], ("gen_ai.system", "openai"), CHAT[2]];
        let span = span("b7", "", &texts, &[COUNTS[0]])
            .replace("\"attributes\":[", &format!("\"attributes\":[{},", odd.join(",")));
        let call = read_text("a.jsonl", request(&[span])).only();
        let name = |d| call.dimensions.get(d).as_str();
        assert_eq!(
            (name(Dimension::Team), name(Dimension::Agent), call.session.as_str()),
            ("", "helpdesk", ""),
            "{value}"
        );
        assert_eq!(
            (name(Dimension::Provider), name(Dimension::Model)),
            ("openai", "m-asked"),
            "{value}"
        );
    }
    // A number is a name, also below zero, as hashes are.
    for (number, name) in [("7", "7"), ("\"-42\"", "-42")] {
        let span = span("b7", "", &CHAT, &[COUNTS[0]]).replace(
            "\"attributes\":[",
            &format!(r#""attributes":[{{"key":"team","value":{{"intValue":{number}}}}},"#),
        );
        let call = read_text("a.jsonl", request(&[span])).only();
        assert_eq!(call.dimensions.get(Dimension::Team).as_str(), name);
    }
}
