//! LiteLLM spend log rows.

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId};
use finops::ports::{Checkpoints, UsageSource};

use super::{Kept, charged, read_text, source};

fn row(id: &str, provider: &str, cache_hit: &str, status: &str, tokens: [u64; 6]) -> String {
    let [prompt, output, read, write, five, hour] = tokens;
    let usage = format!(
        r#"{{"usage_object":{{"prompt_tokens_details":{{"cached_tokens":{read},"cache_creation_tokens":{write},"cache_creation_token_details":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}}}},"cache_read_input_tokens":{read},"cache_creation_input_tokens":{write}}}}}"#
    );
    format!(
        r#"{{"request_id":"{id}","spend":0.015225000000000001,"prompt_tokens":{prompt},"completion_tokens":{output},"startTime":"2026-10-20 08:15:04.120000+00:00","model":"m-1","custom_llm_provider":"{provider}","user":"u-9","metadata":{},"cache_hit":"{cache_hit}","request_tags":"[\"workflow:wf-03\",\"agent:coder\"]","team_id":"t-docs","organization_id":null,"end_user":"","session_id":"s-44","status":"{status}"}}"#,
        serde_json::to_string(&usage).unwrap()
    )
}

#[test]
fn cached_tokens_are_taken_out_of_the_prompt() {
    let call = read_text(
        "a.jsonl",
        row(
            "chatcmpl-1",
            "gemini",
            "None",
            "success",
            [9000, 400, 7000, 1500, 1000, 300],
        ),
    )
    .only();
    assert_eq!(call.id, EventId::of(&[b"response", b"chatcmpl-1"]));
    let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
    assert_eq!(counts, [500, 7000, 1200, 300, 0, 0, 400]);
    let names = ["google", "m-1", "", "", "docs", "coder", "wf-03", "u-9"];
    assert!(
        Dimension::ALL
            .iter()
            .zip(names)
            .all(|(d, n)| call.dimensions.get(*d).as_str() == n)
    );
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.015225000000000001");
}

/// A row as the interface gives it: `fields` are added, `metadata` is its text.
fn told(fields: &str, metadata: &str) -> String {
    let metadata = serde_json::to_string(metadata).unwrap();
    format!(
        r#"{{"request_id":"r-1","spend":0,"startTime":"2026-10-20T08:15:04Z","metadata":{metadata},"cache_hit":"None","request_tags":"[]","status":"success",{fields}}}"#
    )
}

#[test]
fn reasoning_that_xai_leaves_out_of_the_output_is_added() {
    for (total, expected) in [(14_428, (4308, 2809)), (11_619, (1499, 1499))] {
        let fields = format!(
            r#""call_type":"acompletion","model":"grok-4.20","custom_llm_provider":"xai","prompt_tokens":10120,"completion_tokens":1499,"total_tokens":{total}"#
        );
        let usage = r#"{"usage_object":{"prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}}}"#;
        let call = read_text("a.json", told(&fields, usage)).only();
        assert_eq!((call.tokens.get(Bucket::Output), call.tokens.reasoning), expected);
    }
}

/// 1,000,000 input tokens of a batch are no prompt of 1,000,000: $2.00, where a single call would be $7.25.
#[test]
fn a_row_that_sums_up_a_batch_is_charged_as_batch_and_below_the_thresholds() {
    let fields = |kind: &str| {
        format!(
            r#""call_type":"{kind}","model":"gpt-5.4","custom_llm_provider":"openai","prompt_tokens":1000000,"completion_tokens":100000,"total_tokens":1100000"#
        )
    };
    for (kind, metadata, tier, cost) in [
        ("aretrieve_batch", "{}", "batch", "2"),
        ("aresponses", r#"{"batch_models":["gpt-5.4"]}"#, "batch", "2"),
        ("aresponses", r#"{"batch_models":[]}"#, "", "7.25"),
        ("batch_completion", r#"{"batch_models":null}"#, "", "7.25"),
    ] {
        let call = read_text("a.json", told(&fields(kind), metadata)).only();
        assert_eq!(call.tier().as_str(), tier, "{kind} {metadata}");
        assert_eq!(charged(&call), cost, "{kind} {metadata}");
    }
}

#[test]
fn a_page_of_the_interface_is_opened_and_what_is_no_row_is_counted() {
    let row = |id: &str, prompt: &str| {
        told(
            &format!(
                r#""model":"gpt-4o","custom_llm_provider":"openai","prompt_tokens":{prompt},"completion_tokens":100"#
            ),
            "{}",
        )
        .replace("r-1", id)
    };
    let rows = [row("r-1", "1000"), row("r-2", "-5"), row("r-3", "7"), "{}".to_owned()];
    let page = format!(r#"{{"data":[{}],"total":4,"page":1}}"#, rows.join(","));
    for format in [None, Some(FileFormat::Litellm)] {
        let folder = tempfile::tempdir().unwrap();
        let kept = |text: &str| {
            std::fs::write(folder.path().join("a.json"), text).unwrap();
            let mut kept = Kept::default();
            source(folder.path(), format, &["a.json"])
                .read(&Checkpoints::new(), &mut kept)
                .unwrap();
            kept
        };
        let paged = kept(&page);
        assert_eq!((paged.calls.len(), paged.totals()[0]), (2, 1007), "{format:?}");
        assert_eq!(paged.excluded.get("records_without_usage"), Some(&1));
        let wrong: Vec<_> = paged
            .rejected
            .iter()
            .map(|r| r.field.as_deref().unwrap_or(""))
            .collect();
        assert_eq!(wrong, ["data[1].prompt_tokens"]);
        if format.is_some() {
            let none = kept(r#"{"error":"not found"}"#);
            assert_eq!(none.excluded.get("records_without_usage"), Some(&1));
        }
    }
}

#[test]
fn usage_that_only_the_answer_of_a_payload_tells_is_read_in_its_own_shape() {
    for (usage, expected, reasoning) in [
        (
            r#"{"input_tokens":2000,"input_tokens_details":{"cached_tokens":1024},"output_tokens":200,"output_tokens_details":{"reasoning_tokens":128}}"#,
            [976, 1024, 0, 0, 0, 0, 200],
            128,
        ),
        (
            r#"{"prompt_tokens":2000,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":8}}"#,
            [976, 1024, 0, 0, 0, 0, 200],
            8,
        ),
        (
            r#"{"cache_read_input_tokens":24,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":400,"ephemeral_1h_input_tokens":600}}"#,
            [976, 24, 400, 600, 0, 0, 200],
            0,
        ),
    ] {
        let text = format!(
            r#"{{"id":"resp_a1","trace_id":"t1","status":"success","custom_llm_provider":"openai","response_cost":0.0033,"startTime":1792484104.25,"model":"gpt-5-2025-08-07","total_tokens":2200,"prompt_tokens":2000,"completion_tokens":200,"metadata":{{}},"response":{{"id":"resp_a1","usage":{usage}}}}}"#
        );
        let call = read_text("a.json", text).only();
        let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
        assert_eq!(
            (counts, call.tokens.reasoning),
            (expected.to_vec(), reasoning),
            "{usage}"
        );
    }
}

/// Where a call was answered, and how fast, changes what it costs.
#[test]
fn places_and_speeds_that_a_row_tells_are_charged() {
    let row = |model: &str, provider: &str, base: &str, metadata: &str| {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{provider}","api_base":"{base}","prompt_tokens":1000,"completion_tokens":100"#
        );
        let call = read_text("a.json", told(&fields, metadata)).only();
        (call.geo.to_string(), call.speed.to_string(), charged(&call))
    };
    let residency = r#"{"cost_breakdown":{"data_residency":"eu"}}"#;
    let location = r#"{"cost_breakdown":{"vertex_location":"us-east5"}}"#;
    let global = r#"{"cost_breakdown":{"vertex_location":"global"},"usage_object":{"inference_geo":"not_available","speed":"standard"}}"#;
    let fast = r#"{"usage_object":{"speed":"fast","inference_geo":"us"}}"#;
    let (claude, opus) = ("claude-sonnet-4-5@20250929", "claude-opus-4-8");
    for (model, provider, base, metadata, expected) in [
        ("gpt-5.4", "openai", "", residency, ("eu", "", "0.0044")),
        (
            "gpt-5.4",
            "openai",
            "https://eu.api.openai.com/v1",
            "{}",
            ("eu", "", "0.0044"),
        ),
        (
            "gpt-5.4",
            "openai",
            "https://api.openai.com/v1",
            "{}",
            ("", "", "0.004"),
        ),
        (
            "gpt-4o",
            "openai",
            "https://us.api.openai.com",
            "{}",
            ("us", "", "0.0035"),
        ),
        (opus, "anthropic", "", fast, ("us", "fast", "0.0165")),
        (claude, "vertex_ai", "", location, ("us-east5", "", "0.00495")),
        (
            claude,
            "vertex_ai",
            "https://us-east5-aiplatform.googleapis.com/v1/projects/x",
            "{}",
            ("us-east5", "", "0.00495"),
        ),
        (claude, "vertex_ai", "", global, ("", "", "0.0045")),
        (
            claude,
            "vertex_ai",
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/x",
            "{}",
            ("eu", "", "0.00495"),
        ),
        (
            claude,
            "vertex_ai",
            "https://aiplatform.googleapis.com/v1/projects/x",
            "{}",
            ("", "", "0.0045"),
        ),
        (
            "meta.llama3-8b-instruct-v1:0",
            "bedrock",
            "https://bedrock-runtime.sa-east-1.amazonaws.com/model/x/converse",
            "{}",
            ("sa-east-1", "", "0.000601"),
        ),
        (
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock",
            "https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/x/converse",
            "{}",
            ("", "", "0.00495"),
        ),
        (
            "gemini-2.5-flash",
            "vertex_ai",
            "",
            location,
            ("us-east5", "", "0.00055"),
        ),
    ] {
        let (geo, speed, cost) = row(model, provider, base, metadata);
        assert_eq!(
            (geo.as_str(), speed.as_str(), cost.as_str()),
            expected,
            "{model} {base} {metadata}"
        );
    }
}

/// OpenAI's transcriptions and its realtime interface name the parts in the singular.
#[test]
fn audio_and_cached_tokens_are_read_under_openais_singular_names() {
    let transcribed = r#"{"usage_object":{"type":"tokens","input_tokens":1000,"output_tokens":1000,"total_tokens":2000,"input_token_details":{"text_tokens":0,"audio_tokens":1000}}}"#;
    let realtime = r#"{"usage_object":{"input_token_details":{"text_tokens":700,"audio_tokens":300,"cached_tokens":400,"cached_tokens_details":{"text_tokens":300,"audio_tokens":100}},"output_token_details":{"text_tokens":600,"audio_tokens":400}}}"#;
    for (model, metadata, counts) in [
        ("gpt-4o-transcribe", transcribed, [0, 0, 1000, 1000, 0]),
        ("gpt-realtime", realtime, [400, 400, 200, 600, 400]),
    ] {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"openai","prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000"#
        );
        let call = read_text("a.json", told(&fields, metadata)).only();
        let buckets = [
            Bucket::InputUncached,
            Bucket::CacheRead,
            Bucket::AudioIn,
            Bucket::Output,
            Bucket::AudioOut,
        ];
        assert_eq!(buckets.map(|b| call.tokens.get(b)), counts, "{model}");
    }
}

/// Models that search before each answer are charged for it, told or not; for sonar-pro by how much the search read.
#[test]
fn a_row_of_a_model_that_always_searches_has_a_search() {
    let row = |model: &str, provider: &str, usage: &str| {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{provider}","prompt_tokens":1000,"completion_tokens":50"#
        );
        let call = read_text("a.json", told(&fields, &format!(r#"{{"usage_object":{{{usage}}}}}"#))).only();
        (call.requests.web_searches, charged(&call))
    };
    for (model, provider, usage, searches, cost) in [
        (
            "sonar-pro",
            "perplexity",
            r#""search_context_size":"low""#,
            1,
            "0.00975",
        ),
        (
            "perplexity/sonar",
            "perplexity",
            r#""search_context_size":"high""#,
            1,
            "0.01305",
        ),
        ("gpt-4o-search-preview-2025-03-11", "openai", "", 1, "0.028"),
        (
            "gpt-5-search-api",
            "openai",
            r#""server_tool_use":{"web_search_requests":3}"#,
            3,
            "0.03175",
        ),
        ("gpt-4o", "openai", "", 0, "0.003"),
    ] {
        assert_eq!(row(model, provider, usage), (searches, cost.to_owned()), "{model}");
    }
}

#[test]
fn a_model_of_azure_ai_or_bedrocks_mantle_is_not_priced_as_its_namesake() {
    // Whatever the built-in book has apart.
    let mantle = include_str!("../../../policies/prices/bedrock.toml").lines();
    let mantle = mantle.filter_map(|line| line.strip_prefix("model = \"bedrock_mantle/")?.strip_suffix('"'));
    for model in mantle {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"bedrock_mantle","prompt_tokens":1,"completion_tokens":1"#
        );
        let call = read_text("a.json", told(&fields, "{}")).only();
        assert_eq!(call.model().as_str(), format!("bedrock_mantle/{model}"));
    }
    for (gateway, model, provider, cost) in [
        ("bedrock_mantle", "openai.gpt-6-sol", "bedrock", "0.0033"),
        ("bedrock", "openai.gpt-6-sol", "bedrock", "0.003"),
        ("bedrock_mantle", "anthropic.claude-haiku-4-5", "bedrock", "0.0015"),
        ("bedrock_mantle", "xai.grok-4.6", "bedrock", "0.00286"),
    ] {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{gateway}","prompt_tokens":1000,"completion_tokens":100"#
        );
        let call = read_text("a.json", told(&fields, "{}")).only();
        assert_eq!(
            (call.provider().as_str(), charged(&call)),
            (provider, cost.to_owned()),
            "{gateway} {model}"
        );
    }
    for (provider, model, cost) in [
        ("azure_ai", "mistral-large-latest", "0.0026"),
        ("azure_ai", "azure_ai/mistral-large-latest", "0.0026"),
        ("azure", "mistral-large-latest", "0.0104"),
        ("azure_ai", "gpt-5.4", "0.004"),
    ] {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{provider}","prompt_tokens":1000,"completion_tokens":100"#
        );
        let call = read_text("a.json", told(&fields, "{}")).only();
        assert_eq!(
            (call.provider().as_str(), charged(&call)),
            ("azure", cost.to_owned()),
            "{provider} {model}"
        );
    }
}

#[test]
fn what_is_no_spend_and_what_contradicts_itself_is_told() {
    let rows = [
        row(
            "chatcmpl-1_cache_hit1792484104.25",
            "openai",
            "False",
            "success",
            [10, 1, 0, 0, 0, 0],
        ),
        row("chatcmpl-2", "openai", "True", "success", [10, 1, 0, 0, 0, 0]),
        row("chatcmpl-3", "openai", "None", "failure", [0; 6]),
        row("chatcmpl-4", "openai", "None", "failure", [10, 1, 0, 0, 0, 0]),
        row("x-5", "openai", "None", "success", [10, 1, 90, 5, 0, 0]),
        row("x-6", "openai", "None", "success", [0; 6]),
    ];
    let array = format!("[{}]", rows.join(",\n"));
    for kept in [read_text("a.jsonl", rows.join("\n")), read_text("a.json", array)] {
        assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0));
        assert_eq!(kept.excluded.get("response_cache_hits"), Some(&2));
        assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
        let odd = kept.calls[&EventId::of(&[b"litellm", b"x-5"])];
        assert_eq!((odd.tokens.prompt(), odd.tokens.get(Bucket::CacheWrite30m)), (105, 5));
        assert_eq!(kept.warnings.len(), 2, "{:?}", kept.warnings);
    }
}

/// Rows of versions before there was a usage object, and payloads that have it beside their metadata.
#[test]
fn usage_beside_the_usage_object_is_read_where_that_is_missing() {
    let usage = r#"{"prompt_tokens_details":{"cached_tokens":7000},"cache_creation_input_tokens":1500,"cache_read_input_tokens":7000}"#;
    let tokens = r#""model":"claude-sonnet-4-6","custom_llm_provider":"anthropic","prompt_tokens":9000,"completion_tokens":400,"total_tokens":9400"#;
    let hidden = format!(r#"{tokens},"hidden_params":{{"usage_object":{usage}}}"#);
    for (fields, metadata) in [
        (tokens, format!(r#"{{"additional_usage_values":{usage}}}"#)),
        (
            tokens,
            format!(r#"{{"usage_object":null,"additional_usage_values":{usage}}}"#),
        ),
        (
            tokens,
            format!(r#"{{"usage_object":{{"prompt_tokens":9000}},"additional_usage_values":{usage}}}"#),
        ),
        (&hidden, "{}".to_owned()),
        (&hidden, r#"{"additional_usage_values":{}}"#.to_owned()),
    ] {
        let call = read_text("a.json", told(fields, &metadata)).only();
        let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
        assert_eq!(counts, [500, 7000, 1500, 0, 0, 0, 400], "{metadata}");
        assert_eq!(charged(&call), "0.015225");
    }
}
