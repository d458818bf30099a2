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
            "chatcmpl-one1",
            "gemini",
            "None",
            "success",
            [9000, 400, 7000, 1500, 1000, 300],
        ),
    )
    .only();
    assert_eq!(call.id, EventId::of(&[b"response", b"chatcmpl-one1"]));
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
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            ("bedrock_mantle", model)
        );
    }
    for (gateway, model, provider, cost) in [
        ("bedrock_mantle", "openai.gpt-6-sol", "bedrock_mantle", "0.0033"),
        ("bedrock", "openai.gpt-6-sol", "bedrock", "0.003"),
        (
            "bedrock_mantle",
            "anthropic.claude-haiku-4-5",
            "bedrock_mantle",
            "0.0015",
        ),
        ("bedrock_mantle", "xai.grok-4.6", "bedrock_mantle", "0.00286"),
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
    for (provider, model, seller, cost) in [
        ("azure_ai", "mistral-large-latest", "azure_ai", "0.0026"),
        ("azure.ai.inference", "mistral-large-latest", "azure_ai", "0.0026"),
        ("azure.ai.openai", "mistral-large-latest", "azure", "0.0104"),
        ("azure_ai", "azure_ai/mistral-large-latest", "azure_ai", "0.0026"),
        ("azure", "mistral-large-latest", "azure", "0.0104"),
        ("azure_ai", "gpt-5.4", "azure_ai", "0.004"),
    ] {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{provider}","prompt_tokens":1000,"completion_tokens":100"#
        );
        let call = read_text("a.json", told(&fields, "{}")).only();
        assert_eq!(
            (call.provider().as_str(), charged(&call)),
            (seller, cost.to_owned()),
            "{provider} {model}"
        );
    }
    // So does a price of the owner's, whether the row has the seller before the model or not.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prices")).unwrap();
    for (n, (name, seller)) in [
        ("azure_ai/own", "azure_ai"),
        ("azure_ai/gpt-5.4", "azure"),
        ("bedrock_mantle/openai.gpt-6-sol", "bedrock"),
    ]
    .into_iter()
    .enumerate()
    {
        let book = format!(
            "providers = [\"{seller}\"]\n[[entry]]\nmodel = \"{name}\"\n[[entry.price]]\nrates = {{ input = 7, output = 7 }}\n"
        );
        std::fs::write(folder.path().join(format!("prices/{n}.toml")), book).unwrap();
    }
    let pricer = finops::adapters::prices::load(Some(folder.path()), &[]).unwrap();
    for (provider, model, own) in [
        ("azure_ai", "own", true),
        ("azure_ai", "azure_ai/own", true),
        ("azure.ai.inference", "gpt-5.4", true),
        ("azure", "own", false),
        ("azure", "gpt-5.4", false),
        ("bedrock_mantle", "openai.gpt-6-sol", true),
        ("bedrock", "openai.gpt-6-sol", false),
    ] {
        let fields = format!(
            r#""model":"{model}","custom_llm_provider":"{provider}","prompt_tokens":1000,"completion_tokens":1000"#
        );
        let call = read_text("a.json", told(&fields, "{}")).only();
        let charge = pricer.books().quote(&call).charge;
        let found = charge.is_priced() && charge.cost.normalize().to_string() == "0.014";
        assert_eq!(found, own, "{provider} {model}: {charge:?}");
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
        row("chatcmpl-one2", "openai", "True", "success", [10, 1, 0, 0, 0, 0]),
        row("chatcmpl-one3", "openai", "None", "failure", [0; 6]),
        row("chatcmpl-one4", "openai", "None", "failure", [10, 1, 0, 0, 0, 0]),
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

/// A logging payload, as callbacks and buckets have it: `fields` are added.
fn payload(model: &str, provider: &str, [prompt, output]: [u64; 2], usage: &str, fields: &str) -> String {
    let total = prompt + output;
    format!(
        r#"{{"id":"p-1","trace_id":"t","status":"success","custom_llm_provider":"{provider}","model":"{model}","response_cost":0.01,"startTime":1792484104.25,"total_tokens":{total},"prompt_tokens":{prompt},"completion_tokens":{output},"metadata":{{"usage_object":{{"prompt_tokens":{prompt},"completion_tokens":{output}{usage}}}}}{fields}}}"#
    )
}

/// Rows have it in their metadata, payloads beside it: the same call costs the same in both.
#[test]
fn tier_and_place_of_a_payload_are_those_of_its_row() {
    let cached = |n: u64| format!(r#","prompt_tokens_details":{{"cached_tokens":{n}}}"#);
    let written = r#","prompt_tokens_details":{"cached_tokens":7000,"cache_creation_token_details":{"ephemeral_5m_input_tokens":600,"ephemeral_1h_input_tokens":900}}"#;
    for (model, provider, counts, usage, cost, expected) in [
        (
            "gpt-5.4",
            "openai",
            [9000, 500],
            cached(3000),
            r#"{"service_tier":"priority","data_residency":null}"#,
            ("priority", "", "0.0465"),
        ),
        (
            "gpt-5-2025-08-07",
            "openai",
            [1000, 80],
            cached(512),
            r#"{"service_tier":"flex"}"#,
            ("flex", "", "0.000737"),
        ),
        (
            "claude-sonnet-4-5@20250929",
            "vertex_ai",
            [9000, 400],
            written.to_owned(),
            r#"{"vertex_location":"us-east5"}"#,
            ("", "us-east5", "0.018975"),
        ),
        (
            "gpt-5.4",
            "openai",
            [1000, 100],
            cached(0),
            r#"{"data_residency":"eu"}"#,
            ("", "eu", "0.0044"),
        ),
        ("gpt-5.4", "openai", [1000, 100], cached(0), "null", ("", "", "0.004")),
    ] {
        let beside = payload(model, provider, counts, &usage, &format!(r#","cost_breakdown":{cost}"#));
        let within = payload(model, provider, counts, &usage, "")
            .replace(r#""metadata":{"#, &format!(r#""metadata":{{"cost_breakdown":{cost},"#));
        for text in [beside, within] {
            let call = read_text("a.json", &text).only();
            let told = (call.tier().to_string(), call.geo.to_string(), charged(&call));
            let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
            assert_eq!(told, expected, "{text}");
        }
    }
}

/// $0.012875 of tokens, a cent for each search, a quarter of one for the files and three for the session.
#[test]
fn tools_of_an_answer_are_counted_by_its_items_and_where_only_their_cost_is_known_that_is_told() {
    let items = r#"{"object":"response","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}},{"type":"file_search_call"},{"type":"code_interpreter_call","container_id":"c1"},{"type":"message"}]}"#;
    let text = serde_json::to_string(items).unwrap();
    let called = r#"{"object":"chat.completion","choices":[{"message":{"tool_calls":[{"function":{"name":"x"}}],"function_call":null}}]}"#;
    let cost = r#","cost_breakdown":{"tool_usage_cost":0.03}"#;
    let searched = r#","server_tool_use":{"web_search_requests":2}"#;
    let uncounted =
        "tools of which a row tells the cost and not the number (`tool_usage_cost`) are not charged: coverage gap";
    for (usage, fields, requests, expected, warnings) in [
        (
            "",
            format!(r#"{cost},"call_type":"responses","response":{items}"#),
            [2, 1, 1],
            "0.065375",
            vec![],
        ),
        (
            "",
            format!(r#","call_type":"aresponses","response":{text}"#),
            [2, 1, 1],
            "0.065375",
            vec![],
        ),
        // Told twice, counted once.
        (
            searched,
            format!(r#"{cost},"response":{items}"#),
            [2, 1, 1],
            "0.065375",
            vec![],
        ),
        (
            "",
            format!(r#"{cost},"call_type":"responses","response":{{}}"#),
            [0, 0, 0],
            "0.012875",
            vec![uncounted],
        ),
        (
            "",
            format!(r#","cost_breakdown":{{"tool_usage_cost":0.0}},"call_type":"acompletion","response":{called}"#),
            [0, 0, 0],
            "0.012875",
            vec![],
        ),
    ] {
        let usage = format!(r#","prompt_tokens_details":{{"cached_tokens":3000}}{usage}"#);
        let kept = read_text(
            "a.json",
            payload("gpt-5-2025-08-07", "openai", [9000, 500], &usage, &fields),
        );
        let call = kept.only();
        let counted = call.requests;
        assert_eq!(
            [counted.web_searches, counted.file_searches, counted.code_executions],
            requests,
            "{fields}"
        );
        assert_eq!(charged(&call), expected, "{fields}");
        assert_eq!(kept.warnings.keys().collect::<Vec<_>>(), warnings, "{fields}");
    }
}

#[test]
fn searches_maps_and_cached_tokens_in_providers_own_keys_are_read() {
    let with = |model: &str, provider: &str, counts: [u64; 2], usage: &str| {
        read_text("a.json", payload(model, provider, counts, usage, "")).only()
    };
    let read = |model: &str, provider: &str, usage: &str| with(model, provider, [1000, 350], usage);
    // xAI's, by tool or by source.
    let tools = r#","num_sources_used":0,"num_server_side_tools_used":7,"cost_in_usd_ticks":377500000,"server_side_tool_usage_details":{"web_search_calls":3,"x_search_calls":2,"code_interpreter_calls":2}"#;
    for (usage, searches, executions) in [
        (tools, 5, 2),
        (r#","num_sources_used":7"#, 7, 0),
        (r#","num_sources_used":0"#, 0, 0),
    ] {
        let call = read("grok-4-1-fast-reasoning", "xai", usage);
        assert_eq!(
            (call.requests.web_searches, call.requests.code_executions),
            (searches, executions),
            "{usage}"
        );
        assert_eq!(call.reported_cost.unwrap().to_string(), "0.01");
        assert_eq!(read("m", "openai", usage).requests.web_searches, 0);
    }
    // Gemini's: one map an answer, and before generation 3 one search.
    let map = r#","prompt_tokens_details":{"google_maps_grounding_requests":2}"#;
    let web = r#","prompt_tokens_details":{"web_search_requests":3}"#;
    for (model, provider, usage, searches, extras) in [
        ("gemini-2.5-flash", "gemini", map, 0, "map_query=1"),
        ("gemini-2.5-flash", "vertex_ai", web, 1, ""),
        ("gemini-3-flash-preview", "gemini", web, 3, ""),
    ] {
        let call = read(model, provider, usage);
        assert_eq!(
            (call.requests.web_searches, call.extras.as_str()),
            (searches, extras),
            "{model} {usage}"
        );
    }
    assert_eq!(charged(&read("gemini-2.5-flash", "gemini", map)), "0.026175");
    // Moonshot's, and the video of a prompt.
    let moonshot = r#","prompt_tokens_details":null,"cached_tokens":600"#;
    let video = r#","prompt_tokens_details":{"text_tokens":100,"video_tokens":900}"#;
    for (usage, buckets) in [(moonshot, [400, 600, 0]), (video, [100, 0, 900]), ("", [1000, 0, 0])] {
        let call = read("m", "moonshot", usage);
        let told = [Bucket::InputUncached, Bucket::CacheRead, Bucket::VideoIn].map(|b| call.tokens.get(b));
        assert_eq!(told, buckets, "{usage}");
    }
    assert_eq!(
        charged(&with("gemini-embedding-2", "gemini", [1000, 0], video)),
        "0.01082"
    );
}

/// LiteLLM adds up all iterations: those of another model come out of the sum.
#[test]
fn iterations_of_another_model_are_taken_out_of_what_litellm_adds_up() {
    let advisor = r#","prompt_tokens_details":{"cached_tokens":50,"cache_creation_tokens":30},"cache_creation_input_tokens":30,"cache_read_input_tokens":50,"iterations":[{"type":"message","input_tokens":400,"output_tokens":100},{"type":"advisor_message","model":"claude-opus-4-8","input_tokens":1970,"output_tokens":500,"cache_creation_input_tokens":30},{"type":"message","input_tokens":550,"output_tokens":100,"cache_read_input_tokens":50}]"#;
    let fallback = r#","iterations":[{"type":"message","model":"claude-fable-5","input_tokens":2000,"output_tokens":500},{"type":"fallback_message","model":"claude-opus-4-8","input_tokens":1000,"output_tokens":200}]"#;
    let declined = fallback.replace(r#""output_tokens":500"#, r#""output_tokens":0"#);
    let without = advisor
        .replace(r#""cache_creation_tokens":30"#, r#""x":0"#)
        .replace(r#""cache_creation_input_tokens":30,"cache_read"#, r#""cache_read"#);
    let (sonnet, fable, opus) = ("claude-sonnet-4-6", "claude-fable-5", "claude-opus-4-8");
    for (model, counts, usage, main, other) in [
        (
            sonnet,
            [3000, 700],
            advisor,
            (sonnet, [950, 50, 0, 200]),
            Some((1, opus, [1970, 0, 30, 500])),
        ),
        // Counts that do not hold them stay as they are.
        (
            sonnet,
            [1000, 200],
            without.as_str(),
            (sonnet, [950, 50, 0, 200]),
            Some((1, opus, [1970, 0, 30, 500])),
        ),
        (
            fable,
            [3000, 700],
            fallback,
            (opus, [1000, 0, 0, 200]),
            Some((0, fable, [2000, 0, 0, 500])),
        ),
        (fable, [3000, 200], declined.as_str(), (opus, [1000, 0, 0, 200]), None),
    ] {
        // A chat completion that the gateway answered has the same numbers.
        let (prompt, output) = (counts[0], counts[1]);
        let body = format!(
            r#"{{"id":"chatcmpl-one1","object":"chat.completion","created":1792484104,"model":"{model}","usage":{{"prompt_tokens":{prompt},"completion_tokens":{output}{usage}}}}}"#
        );
        for text in [
            payload(model, "anthropic", counts, usage, "").replace("p-1", "chatcmpl-one1"),
            body,
        ] {
            let kept = read_text("a.json", &text);
            let told = |id: EventId| {
                let call = kept.calls[&id];
                let buckets = [
                    Bucket::InputUncached,
                    Bucket::CacheRead,
                    Bucket::CacheWrite5m,
                    Bucket::Output,
                ];
                (call.model().to_string(), buckets.map(|b| call.tokens.get(b)))
            };
            let own = told(EventId::of(&[b"response", b"chatcmpl-one1"]));
            assert_eq!(own, (main.0.to_owned(), main.1), "{text}");
            assert_eq!(kept.calls.len(), 1 + usize::from(other.is_some()), "{text}");
            if let Some((n, model, counts)) = other {
                let id = EventId::of(&[b"response", b"chatcmpl-one1", b"iteration", n.to_string().as_bytes()]);
                assert_eq!(told(id), (model.to_owned(), counts), "{text}");
            }
        }
    }
}

/// A gateway logs files, lists and answers that are fetched again like calls, without a model.
#[test]
fn what_asks_no_model_is_no_call_and_takes_nothing_from_one() {
    let created = payload(
        "gpt-5-2025-08-07",
        "openai",
        [9000, 500],
        "",
        r#","call_type":"aresponses""#,
    )
    .replace("p-1", "resp_1");
    let fetched = payload("", "openai", [0, 0], "", r#","call_type":"aget_responses""#)
        .replace("p-1", "resp_1")
        .replace("1792484104.25", "1792484999.25")
        .replace("0.01", "0.0");
    let file = r#"{"request_id":"file-1","call_type":"create_file","custom_llm_provider":"","model":"","startTime":"2026-10-20T08:15:04Z","spend":0.0,"status":"success","prompt_tokens":0,"completion_tokens":0,"metadata":"{}"}"#;
    let kept = read_text("a.jsonl", [&created, &fetched, file].join("\n"));
    assert_eq!(
        (kept.only().model().as_str(), kept.totals()[0]),
        ("gpt-5-2025-08-07", 9000)
    );
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&2));
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // What cost something, or asked a model, is told.
    for odd in [
        file.replace("0.0", "0.5"),
        file.replace(r#""model":"""#, r#""model":"m""#),
    ] {
        let kept = read_text("a.jsonl", odd);
        assert_eq!((kept.calls.len(), kept.warnings.len()), (1, 1));
    }
}

#[test]
fn a_batch_has_the_model_that_all_its_calls_asked() {
    for (names, model) in [
        (r#"["gpt-4o-2024-08-06","gpt-4o-2024-08-06"]"#, "gpt-4o-2024-08-06"),
        (r#"["gpt-4o","gpt-5"]"#, ""),
        ("[]", ""),
        ("null", ""),
    ] {
        let kind = r#","call_type":"aretrieve_batch""#;
        let beside = format!(r#"{kind},"hidden_params":{{"batch_models":{names}}}"#);
        let within = payload("", "openai", [2000, 160], "", kind)
            .replace(r#""metadata":{"#, &format!(r#""metadata":{{"batch_models":{names},"#));
        for text in [payload("", "openai", [2000, 160], "", &beside), within] {
            let call = read_text("a.json", &text).only();
            assert_eq!(
                (call.model().as_str(), call.tier().as_str()),
                (model, "batch"),
                "{text}"
            );
            if !model.is_empty() {
                // Half of 2.5 and 10 a million.
                assert_eq!(charged(&call), "0.0033");
            }
        }
    }
}

/// The proxy writes the provider before the model, a library in the program does not.
#[test]
fn a_model_has_one_name_whether_a_proxy_or_a_program_asked_it() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x";
    let routed = format!("bedrock/converse/{arn}");
    for (gateway, model, provider, name) in [
        ("openai", "openai/gpt-5-2025-08-07", "openai", "gpt-5-2025-08-07"),
        (
            "anthropic",
            "anthropic/claude-sonnet-4-6",
            "anthropic",
            "claude-sonnet-4-6",
        ),
        ("gemini", "gemini/gemini-2.5-flash", "google", "gemini-2.5-flash"),
        (
            "vertex_ai",
            "vertex_ai/claude-sonnet-4-5@20250929",
            "vertex",
            "claude-sonnet-4-5@20250929",
        ),
        ("azure", "azure/my-deploy", "azure", "my-deploy"),
        ("azure", "azure/eu/gpt-4o", "azure", "eu/gpt-4o"),
        (
            "bedrock",
            "invoke/us.amazon.nova-lite-v1:0",
            "bedrock",
            "us.amazon.nova-lite-v1:0",
        ),
        ("bedrock", &routed, "bedrock", arn),
        (
            "text-completion-openai",
            "gpt-3.5-turbo-instruct",
            "openai",
            "gpt-3.5-turbo-instruct",
        ),
        ("cohere_chat", "command-a-03-2025", "cohere", "command-a-03-2025"),
        // A part of the name.
        ("groq", "openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
        ("openrouter", "openrouter/openai/gpt-5", "openrouter", "openai/gpt-5"),
        (
            "azure_ai",
            "azure_ai/mistral-large-latest",
            "azure_ai",
            "azure_ai/mistral-large-latest",
        ),
        ("openai", "openai", "openai", "openai"),
    ] {
        let call = read_text("a.json", payload(model, gateway, [10, 1], "", "")).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            (provider, name),
            "{model}"
        );
    }
}

/// What LiteLLM answers in OpenAI's shape has more than OpenAI says.
#[test]
fn answers_that_litellm_hands_on_are_read_with_what_it_adds() {
    let answer = |model: &str, usage: &str| {
        let text = format!(
            r#"{{"id":"chatcmpl-one1","created":1792484104,"model":"{model}","object":"chat.completion","choices":[],"usage":{{{usage}}}}}"#
        );
        read_text("a.json", text).only()
    };
    let split = r#""completion_tokens":10,"prompt_tokens":107100,"total_tokens":107110,"prompt_tokens_details":{"cached_tokens":7000,"cache_creation_tokens":100000,"cache_creation_token_details":{"ephemeral_5m_input_tokens":30000,"ephemeral_1h_input_tokens":70000}},"cache_creation_input_tokens":100000,"cache_read_input_tokens":7000"#;
    let nothing = split.replace("30000", "null").replace("70000", "null");
    for (usage, expected) in [
        (split, [100, 7000, 30_000, 70_000]),
        (nothing.as_str(), [100, 7000, 100_000, 0]),
    ] {
        let tokens = answer("claude-sonnet-4-5-20250929", usage).tokens;
        let seen: Vec<u64> = Bucket::TEXT.iter().take(4).map(|b| tokens.get(*b)).collect();
        assert_eq!(seen, expected, "{usage}");
    }
    for (model, details, searches, maps) in [
        ("gemini-3-pro-preview", r#""web_search_requests":3"#, 3, false),
        // Before its third generation the answer is charged.
        ("gemini-2.5-flash", r#""web_search_requests":3"#, 1, false),
        ("gemini-3-pro-preview", r#""google_maps_grounding_requests":1"#, 0, true),
        ("gemini-3-pro-preview", r#""web_search_requests":null"#, 0, false),
    ] {
        let usage = format!(
            r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{{{details}}}"#
        );
        let call = answer(model, &usage);
        let seen = (call.requests.web_searches, call.extras.as_str().contains("map"));
        assert_eq!(seen, (searches, maps), "{model} {details}: {}", call.extras);
    }
}
