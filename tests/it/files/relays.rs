//! Answers as relays hand them on and as tools of observability keep them, in words of their own.

use std::fmt::Write as _;

use finops::adapters::files::FileSource;
use finops::adapters::prices::load;
use finops::domain::dimension::Dimension;
use finops::domain::label::Label;
use finops::domain::usage::UsageEvent;
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, charged, options, read_text, time};

fn told(kept: &Kept, about: &str) -> bool {
    kept.warnings.keys().any(|warning| warning.contains(about))
}

/// A chat completion of this model with this usage, and more beside it.
fn chat(model: &str, usage: &str, more: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1792484104,"model":"{model}","choices":[]{more},"usage":{{"prompt_tokens":31508,"completion_tokens":200,"total_tokens":31708{usage}}}}}"#
    )
}

fn is_priced(call: &UsageEvent) -> bool {
    load(None, &[]).unwrap().books().quote(call).charge.is_priced()
}

/// All say the same: 1,008 tokens beside 500 read and 30,000 written for an hour.
#[test]
fn what_relays_say_of_caches_is_read_under_their_names() {
    let newer = r#""cached_tokens":500,"cache_write_tokens":30000,"#;
    let bifrost = r#""cached_read_tokens":500,"cached_write_tokens":30000,"cached_write_token_details":{"cached_write_tokens_5m":0,"cached_write_tokens_1h":30000}"#;
    let of_new_api = r#""cached_tokens":500,"cached_creation_tokens":30000"#;
    let beside = r#","claude_cache_creation_5_m_tokens":0,"claude_cache_creation_1_h_tokens":30000,"input_tokens":31508,"output_tokens":0"#;
    for usage in [
        format!(r#","prompt_tokens_details":{{{bifrost}}}"#),
        format!(r#","prompt_tokens_details":{{{newer}{bifrost}}}"#),
        format!(r#","prompt_tokens_details":{{"cached_tokens":0,{}}}"#, &bifrost),
        format!(r#","prompt_tokens_details":{{{of_new_api}}}{beside}"#),
        format!(r#","prompt_tokens_details":{{"cache_write_tokens":30000,{of_new_api}}}{beside}"#),
    ] {
        let kept = read_text("a.jsonl", chat("claude-sonnet-4-6", &usage, ""));
        assert_eq!(kept.totals(), [1008, 500, 0, 30000, 200, 0], "{usage}");
        assert_eq!(charged(&kept.only()), "0.186174", "{usage}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    // OpenAI's assistants.
    let run = chat("gpt-4o", r#","prompt_token_details":{"cached_tokens":30500}"#, "")
        .replace("chat.completion", "thread.run");
    let kept = read_text("a.jsonl", run);
    assert_eq!(kept.totals(), [1008, 30500, 0, 0, 200, 0]);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // For how long is not always told.
    let alibaba = r#","prompt_tokens_details":{"cached_tokens":500,"cache_creation_input_tokens":30000,"cache_creation":{"ephemeral_5m_input_tokens":30000},"cache_type":"ephemeral"}"#;
    for usage in [
        alibaba,
        r#","prompt_tokens_details":{"cached_tokens":500},"tensorzero_provider_cache_write_input_tokens":30000"#,
    ] {
        let kept = read_text("a.jsonl", chat("claude-sonnet-4-6", usage, ""));
        assert_eq!(kept.totals(), [1008, 500, 30000, 0, 200, 0], "{usage}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    let langchain = r#"{"id":"r1","created_at":"2026-11-01T00:00:00Z","model":"claude-sonnet-4-6","usage":{"input_tokens":31508,"output_tokens":200,"total_tokens":31708,"input_token_details":{"cache_read":500,"cache_creation":30000}}}"#;
    assert_eq!(read_text("a.jsonl", langchain).totals(), [1008, 500, 30000, 0, 200, 0]);
    for (details, [short, long]) in [
        (
            r#""cache_creation":0,"ephemeral_5m_input_tokens":30000,"ephemeral_1h_input_tokens":0"#,
            [30000, 0],
        ),
        (
            r#""cache_creation":30000,"ephemeral_1h_input_tokens":30000"#,
            [0, 30000],
        ),
    ] {
        let kept = read_text("a.jsonl", langchain.replace(r#""cache_creation":30000"#, details));
        assert_eq!(kept.totals(), [1008, 500, short, long, 200, 0], "{details}");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    // Mistral says it twice.
    let mistral = r#","prompt_tokens_details":{"cached_tokens":500},"num_cached_tokens":500"#;
    let kept = read_text("a.jsonl", chat("mistral-large-latest", mistral, ""));
    assert_eq!(kept.totals(), [31008, 500, 0, 0, 200, 0]);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}

/// Told once a run, whatever the names are.
#[test]
fn counts_under_names_that_nobody_knows_are_told() {
    let about = "under names that nobody here knows";
    for usage in [
        r#","num_cached_tokens":800"#,
        r#","cached_content_token_count":800"#,
        r#","cached_prompt":{"tokens":800}"#,
        r#","prompt_tokens_details":{"cached_tokens":1,"written_tokens":3}"#,
    ] {
        let kept = read_text("a.jsonl", chat("gpt-4o", usage, ""));
        assert!(told(&kept, about), "{usage}: {:?}", kept.warnings);
        assert_eq!(kept.totals()[4], 200, "{usage}");
    }
    let mut many = String::new();
    for number in 0..50 {
        let usage = format!(r#","new_{number}_tokens":{}"#, number + 1);
        let text = chat("gpt-4o", &usage, "").replace("chatcmpl-1", &format!("chatcmpl-{number}"));
        writeln!(many, "{text}").unwrap();
    }
    let kept = read_text("a.jsonl", many);
    assert_eq!((kept.calls.len(), kept.warnings.len()), (50, 1));
    assert_eq!(kept.warnings.values().next(), Some(&50));
    // What is no count, or a part of what is known.
    for usage in [
        r#","new_tokens":0,"tokens_per_second":55,"max_tokens":4096,"queue_time":3,"num_sources_used":0"#,
        r#","prompt_cache_miss_tokens":31008,"prompt_cache_hit_tokens":500,"reasoning_tokens":3"#,
        r#","completion_tokens_details":{"accepted_prediction_tokens":5,"rejected_prediction_tokens":6,"text_tokens":200}"#,
    ] {
        let kept = read_text("a.jsonl", chat("gpt-4o", usage, ""));
        assert!(kept.warnings.is_empty(), "{usage}: {:?}", kept.warnings);
    }
}

#[test]
fn who_was_asked_is_told_by_relays_and_by_what_a_server_of_ones_own_leaves() {
    let bifrost = |provider: &str| {
        format!(r#","extra_fields":{{"request_type":"chat_completion","provider":"{provider}","latency":9}}"#)
    };
    let llama = r#","system_fingerprint":"b5576-c9bbc775","timings":{"prompt_n":1008,"cache_n":600,"predicted_per_second":90.1}"#;
    for (model, more, provider, priced) in [
        ("gpt-4o", bifrost("azure"), "azure", true),
        ("claude-sonnet-4-5", bifrost("vertex"), "vertex", true),
        ("gpt-4o", bifrost("my-own"), "openai", true),
        ("gpt-4o", r#","extra_fields":[1]"#.to_owned(), "openai", true),
        ("gpt-3.5-turbo", llama.to_owned(), "llama.cpp", false),
        (
            "gpt-3.5-turbo",
            format!(r#"{llama},"provider":"openai""#),
            "llama.cpp",
            false,
        ),
        (
            "gpt-3.5-turbo",
            format!(r#"{llama},"provider":"my-box""#),
            "my-box",
            false,
        ),
        (
            "gpt-4o",
            r#","system_fingerprint":"b5576-c9bbc775""#.to_owned(),
            "llama.cpp",
            false,
        ),
        (
            "gpt-4o",
            r#","system_fingerprint":"fp_44709d6fcb","timings":{"total":3}"#.to_owned(),
            "openai",
            true,
        ),
        (
            "tensorzero::model_name::anthropic::claude-sonnet-4-5",
            String::new(),
            "anthropic",
            true,
        ),
        ("tensorzero::model_name::mine", String::new(), "", false),
    ] {
        let call = read_text("a.jsonl", chat(model, "", &more)).only();
        assert_eq!(
            (call.provider().as_str(), is_priced(&call)),
            (provider, priced),
            "{model} {more}"
        );
    }
    // Around it others may say who they think was asked.
    let text = format!(r#"{{"provider":"openai","response":{}}}"#, chat("gpt-4o", "", llama));
    assert_eq!(read_text("a.jsonl", text).only().provider().as_str(), "llama.cpp");
}

/// Settings come after what a record tells, and before what the name of a model makes likely.
#[test]
fn the_seller_of_the_settings_comes_before_a_guess_and_after_what_is_told() {
    let read = |text: String, seller: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
        let mut options = options(folder.path(), None, &["a.jsonl"]);
        options.defaults = vec![(Dimension::Provider, Label::new(seller))];
        let mut kept = Kept::default();
        FileSource::new(options)
            .read(&Checkpoints::default(), &mut kept)
            .unwrap();
        kept.only().provider().as_str().to_owned()
    };
    let plain = |model: &str| chat(model, "", "");
    for (text, default, provider) in [
        (plain("gpt-4o"), "azure", "azure"),
        (plain("claude-sonnet-4-5"), "azure", "azure"),
        (plain("gemini-2.5-pro"), "vertex", "vertex"),
        (plain("gpt-4o"), "acme-gateway", "acme-gateway"),
        (plain("my-deployment"), "azure", "azure"),
        // A maker sells nothing of another's.
        (plain("claude-sonnet-4-5"), "openai", "anthropic"),
        (plain("my-model"), "openai", "openai"),
        // What is told.
        (
            plain("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            "azure",
            "bedrock",
        ),
        (plain("vertex_ai/gemini-2.5-pro"), "azure", "vertex"),
        (chat("gpt-4o", "", r#","provider":"openai""#), "azure", "openai"),
        (
            chat("llama-3.3-70b-versatile", "", r#","x_groq":{"id":"r"}"#),
            "azure",
            "groq",
        ),
        (
            format!(r#"{{"provider":"openai","response":{}}}"#, plain("gpt-4o")),
            "azure",
            "openai",
        ),
        (plain("gpt-4o"), "", "openai"),
    ] {
        assert_eq!(read(text.clone(), default), provider, "{default}: {text}");
    }
}

fn span(kind: &str, model: &str, usage: &str, more: &str) -> String {
    format!(
        r#"{{"id":"s1","trace_id":"t1","name":"x"{kind},"start_time":"2026-10-28T10:00:00.123456Z","model":"{model}","usage":{{{usage}}}{more}}}"#
    )
}

#[test]
fn spans_of_opik_are_calls_with_what_the_provider_counted() {
    let llm = r#","type":"llm""#;
    let sums = r#""prompt_tokens":2006,"completion_tokens":406,"total_tokens":2412"#;
    let claude = format!(
        r#"{sums},"original_usage.input_tokens":1206,"original_usage.output_tokens":406,"original_usage.cache_read_input_tokens":500,"original_usage.cache_creation_input_tokens":300,"original_usage.cache_creation.ephemeral_1h_input_tokens":100,"original_usage.cache_creation.ephemeral_5m_input_tokens":200,"original_usage.server_tool_use.web_search_requests":2"#
    );
    let more = r#","provider":"anthropic","total_estimated_cost":0.0123456789,"metadata":{"id":"msg_01","created_from":"anthropic","team":"search","usage":{"service_tier":"batch","input_tokens":7}}"#;
    let kept = read_text("a.jsonl", span(llm, "claude-sonnet-4-5", &claude, more));
    let call = kept.only();
    assert_eq!(kept.totals(), [1206, 500, 200, 100, 406, 0]);
    assert_eq!((call.provider().as_str(), call.tier().as_str()), ("anthropic", "batch"));
    assert_eq!(
        (call.at, call.requests.web_searches),
        (time("2026-10-28T10:00:00.123456Z"), 2)
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.0123456789");
    assert_eq!(call.dimensions.get(Dimension::Team).as_str(), "search");
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // The answer itself, kept elsewhere, is the same call; the span's name is no answer's.
    let answer = r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1206,"output_tokens":406}}"#;
    let both = [span(llm, "claude-sonnet-4-5", &claude, more), answer.to_owned()].join("\n");
    assert_eq!(read_text("a.jsonl", both).calls.len(), 1);

    let openai = r#""prompt_tokens":1203,"completion_tokens":403,"total_tokens":1606,"original_usage.prompt_tokens":1203,"original_usage.completion_tokens":403,"original_usage.total_tokens":1606,"original_usage.prompt_tokens_details.cached_tokens":600,"original_usage.completion_tokens_details.reasoning_tokens":150"#;
    for (host, provider) in [
        ("openai", "openai"),
        ("127.0.0.1", "openai"),
        ("my-res.openai.azure.com", "azure"),
        ("openrouter.ai", "openrouter"),
        ("acme", "acme"),
    ] {
        let kept = read_text(
            "a.jsonl",
            span(llm, "gpt-4o", openai, &format!(r#","provider":"{host}""#)),
        );
        assert_eq!(kept.totals(), [603, 600, 0, 0, 403, 150], "{host}");
        assert_eq!(kept.only().provider().as_str(), provider);
    }
    for (usage, provider, totals) in [
        (
            r#""prompt_tokens":9,"original_usage.prompt_token_count":1000,"original_usage.candidates_token_count":100,"original_usage.cached_content_token_count":400,"original_usage.total_token_count":1100"#,
            "google_ai",
            [600, 400, 0, 0, 100, 0],
        ),
        (
            r#""prompt_tokens":9,"original_usage.inputTokens":1000,"original_usage.outputTokens":100,"original_usage.totalTokens":1500,"original_usage.cacheReadInputTokens":400"#,
            "bedrock",
            [1000, 400, 0, 0, 100, 0],
        ),
        // A form that nobody knows: what Opik makes of all of them, and it is told.
        (
            r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"original_usage.asked":1000,"original_usage.kept_tokens":400"#,
            "acme",
            [1000, 0, 0, 0, 100, 0],
        ),
    ] {
        let kept = read_text(
            "a.jsonl",
            span(llm, "m", usage, &format!(r#","provider":"{provider}""#)),
        );
        assert_eq!(kept.totals(), totals, "{usage}");
        assert_eq!(told(&kept, "nobody here knows"), provider == "acme", "{usage}");
    }
    // What has the sum of others: other spans, and traces.
    for (kind, model) in [(r#","type":"general""#, "gpt-4o"), ("", "")] {
        let kept = read_text("a.jsonl", span(kind, model, openai, ""));
        assert_eq!((kept.calls.len(), kept.excluded.get("parts_of_results")), (0, Some(&1)));
        assert!(told(&kept, "sum of those that are"), "{:?}", kept.warnings);
    }
}

#[test]
fn inferences_of_tensorzero_have_the_providers_usage() {
    let inference = |variant: &str, usage: &str, raw: &str| {
        format!(
            r#"{{"inference_id":"01a22870-8cfa","episode_id":"e","variant_name":"{variant}","content":[],"usage":{{"input_tokens":1989,"output_tokens":389,"provider_cache_read_input_tokens":500,"provider_cache_write_input_tokens":300{usage}}},"raw_usage":{raw},"finish_reason":"stop"}}"#
        )
    };
    let raw = r#"[{"provider_type":"gcp_vertex_anthropic","data":{"input_tokens":1189,"cache_creation_input_tokens":300,"cache_read_input_tokens":500,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100},"output_tokens":389}}]"#;
    let kept = read_text("a.jsonl", inference("mine", r#","cost":0.00123"#, raw));
    assert_eq!(kept.totals(), [1189, 500, 200, 100, 389, 0]);
    let call = kept.only();
    assert_eq!((call.provider().as_str(), call.model().as_str()), ("vertex", ""));
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.00123");
    assert!(!told(&kept, "without an id"), "{:?}", kept.warnings);
    // Without it: their sums, which hold what was cached.
    for raw in ["null", "[]", r#"[{"provider_type":"dummy","data":{}}]"#] {
        let kept = read_text("a.jsonl", inference("anthropic::claude-sonnet-4-5", "", raw));
        assert_eq!(kept.totals(), [1189, 500, 300, 0, 389, 0], "{raw}");
        assert_eq!(kept.only().model().as_str(), "claude-sonnet-4-5");
        assert_eq!(kept.only().provider().as_str(), "anthropic");
    }
}

#[test]
fn rows_of_portkey_tell_the_seller_and_count_where_no_answer_was_kept() {
    let row = |id: &str, org: &str, response: &str, more: &str| {
        format!(
            r#"{{"id":"{id}","trace_id":"t","created_at":"2026-11-20T10:00:00.000Z"{response},"is_success":1,"ai_org":"{org}","ai_model":"gpt-4o","req_units":100000,"res_units":200,"total_units":100200,"cost":25.2,"cost_currency":"USD","response_status_code":200{more},"metadata":{{"_user":"ada","team":"search"}}}}"#
        )
    };
    let answer = format!(r#","response":{}"#, chat("gpt-4o-2024-08-06", "", ""));
    let call = read_text("a.jsonl", row("p1", "azure-openai", &answer, "")).only();
    assert_eq!((call.provider().as_str(), call.tokens.prompt()), ("azure", 31508));
    assert_eq!(call.reported_cost.unwrap().normalize().to_string(), "0.252");
    assert_eq!(call.dimensions.get(Dimension::Team).as_str(), "search");
    // A stream, or nothing.
    for response in [
        r#","response":{"choices":[]}"#,
        "",
        r#","response":null,"request":{"model":"x"}"#,
    ] {
        let kept = read_text("a.jsonl", row("p2", "bedrock", response, ""));
        let call = kept.only();
        assert_eq!((call.provider().as_str(), call.model().as_str()), ("bedrock", "gpt-4o"));
        assert_eq!(
            (call.at, kept.totals()),
            (time("2026-11-20T10:00:00Z"), [100_000, 0, 0, 0, 200, 0])
        );
        assert!(told(&kept, "Portkey"), "{:?}", kept.warnings);
    }
    let none = row("p3", "openai", "", "").replace(r#""req_units":100000,"res_units":200,"#, "");
    let failed = row("p4", "openai", "", "").replace(r#""is_success":1"#, r#""is_success":0"#);
    let kept = read_text("a.jsonl", [none, failed].join("\n"));
    let excluded = |kind: &str| kept.excluded.get(kind).copied();
    assert_eq!(
        (excluded("calls_without_usage"), excluded("failed_calls")),
        (Some(1), Some(1))
    );
    assert!(told(&kept, "coverage gap"));
}

/// Others have such names beside answers, too.
#[test]
fn answers_with_the_names_of_tensorzero_or_portkey_beside_them_stay_what_they_are() {
    let plain = read_text("a.jsonl", chat("gpt-4o", "", "")).only();
    for beside in [r#","inference_id":"abc""#, r#","ai_org":"openai""#] {
        let call = read_text("a.jsonl", chat("gpt-4o", "", beside)).only();
        assert_eq!(
            (call.id, call.model(), call.tokens),
            (plain.id, plain.model(), plain.tokens),
            "{beside}"
        );
        assert_eq!(call.provider().as_str(), "openai", "{beside}");
    }
}

#[test]
fn groqs_flex_costs_what_its_standard_tier_costs() {
    let call = |tier: &str| {
        let more = format!(r#","service_tier":"{tier}","x_groq":{{"id":"r"}}"#);
        read_text("a.jsonl", chat("openai/gpt-oss-120b", "", &more)).only()
    };
    assert_eq!(charged(&call("flex")), charged(&call("on_demand")));
    assert!(!is_priced(&call("performance")));
}

#[test]
fn the_model_of_the_ai_sdk_may_stand_in_its_response() {
    let text = r#"{"finishReason":"stop","usage":{"inputTokens":100000,"outputTokens":100,"totalTokens":100100,"cachedInputTokens":90000},"response":{"id":"chatcmpl-9","timestamp":"2026-11-01T10:00:00Z","modelId":"gpt-4o-2024-08-06"}}"#;
    let kept = read_text("a.jsonl", text);
    let call = kept.only();
    assert_eq!(
        (call.provider().as_str(), kept.totals()),
        ("openai", [10000, 90000, 0, 0, 100, 0])
    );
    assert_eq!(
        (call.at, charged(&call).as_str()),
        (time("2026-11-01T10:00:00Z"), "0.1385")
    );
    let routed = r#"{"timestamp":"2026-11-01T10:00:00Z","provider":"openrouter","model":"anthropic/claude-sonnet-4.5","usage":{"inputTokens":100000,"outputTokens":100,"totalTokens":100100,"cachedInputTokens":90000}}"#;
    assert_eq!(read_text("a.jsonl", routed).totals(), [10000, 90000, 0, 0, 100, 0]);
}
