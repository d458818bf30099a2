//! What gateways and observability tools export: Langfuse, Helicone, Azure API Management.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId, UsageEvent};

use super::{Kept, charged, read_text};

fn counts(call: &UsageEvent) -> Vec<u64> {
    Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect()
}

fn lines(lines: &[&str]) -> Kept {
    read_text("a.jsonl", lines.join("\n") + "\n")
}

fn observation(id: &str, rest: &str) -> String {
    format!(
        r#"{{"sessionId":"s-1","id":"{id}","traceId":"tr-1","type":"GENERATION","startTime":"2026-10-20T08:15:04.120Z","model":"gpt-5-2025-08-07","userId":"u-9","metadata":{{"team":"search"}},{rest}}}"#
    )
}

#[test]
fn the_total_says_what_langfuse_input_contains() {
    for (details, expected) in [
        // Disjoint, as its own SDK for OpenAI sends them.
        (
            r#"{"input":464,"input_cached_tokens":1536,"output":300,"total":2300}"#,
            [464, 1536, 0, 0, 0, 0, 300],
        ),
        // The whole prompt.
        (
            r#"{"input":2000,"input_cached_tokens":1536,"output":300,"total":2300}"#,
            [464, 1536, 0, 0, 0, 0, 300],
        ),
        // Reasoning beside the output.
        (
            r#"{"input":464,"input_cached_tokens":1536,"output":200,"output_reasoning_tokens":100,"total":2300}"#,
            [464, 1536, 0, 0, 0, 0, 300],
        ),
        // Reasoning inside, no total.
        (
            r#"{"input":464,"output":300,"output_reasoning":100}"#,
            [464, 0, 0, 0, 0, 0, 300],
        ),
        (
            r#"{"input":5,"input_cache_creation_5m":20,"input_cache_creation_1h":30,"cache_creation_input_tokens":50,"cache_read_input_tokens":7,"output":1}"#,
            [5, 7, 20, 30, 0, 0, 1],
        ),
    ] {
        let text = observation(
            "obs-1",
            &format!(r#""usageDetails":{details},"costDetails":{{"total":0.003772}}"#),
        );
        let call = read_text("a.json", text).only();
        assert_eq!(counts(&call), expected, "{details}");
        assert_eq!(call.reported_cost.unwrap().to_string(), "0.003772");
        assert_eq!((call.provider().as_str(), call.session.as_str()), ("openai", "s-1"));
        assert_eq!(call.dimensions.get(Dimension::Team).as_str(), "search");
    }
}

#[test]
fn other_names_of_langfuse_counts_are_known_and_what_counts_no_tokens_is_a_gap() {
    for usage in [
        r#""usageDetails":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}"#,
        r#""usageDetails":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}"#,
        r#""usageDetails":{},"usage":{"input":1000,"output":100,"unit":"TOKENS"}"#,
        r#""promptTokens":1000,"unit":"TOKENS","usageDetails":"{\"input\":1000,\"output\":100}","usage":null"#,
    ] {
        let call = read_text("a.json", observation("obs-1", usage)).only();
        assert_eq!(counts(&call), [1000, 0, 0, 0, 0, 0, 100], "{usage}");
    }
    for (usage, told) in [
        (
            r#""usageDetails":{"total":1100,"x":3}"#,
            "usage without counts of input and output (total, x): coverage gap",
        ),
        (
            r#""usage":{"input":4000,"output":1200,"total":5200,"unit":"CHARACTERS"}"#,
            "usage in CHARACTERS instead of tokens: coverage gap",
        ),
        (
            r#""usageDetails":{"input":3},"usage":{"input":3,"unit":"IMAGES"}"#,
            "usage in IMAGES instead of tokens: coverage gap",
        ),
        (r#""usage":{"unit":null}"#, "calls without usage: coverage gap"),
    ] {
        let kept = read_text("a.json", observation("obs-1", usage));
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0), "{usage}");
        assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1), "{usage}");
        assert_eq!(kept.warnings.keys().collect::<Vec<_>>(), [told]);
    }
}

#[test]
fn the_name_of_a_model_tells_langfuse_who_sold_it() {
    for (model, provider) in [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("amazon.nova-pro-v1:0", "bedrock"),
        ("claude-sonnet-4-5@20250929", "vertex"),
        ("models/gemini-2.5-flash", "google"),
        ("azure/gpt-4o", "azure"),
        ("some-deployment", ""),
    ] {
        let text = observation("obs-1", r#""usageDetails":{"input":1,"output":1}"#);
        let call = read_text("a.json", text.replace("gpt-5-2025-08-07", model)).only();
        assert_eq!((call.provider().as_str(), call.model().as_str()), (provider, model));
    }
}

/// Uncached, cached, output, reasoning, then the media.
fn with_media(call: &UsageEvent) -> Vec<u64> {
    let text = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output];
    let mut all: Vec<u64> = text.iter().map(|b| call.tokens.get(*b)).collect();
    all.push(call.tokens.reasoning);
    all.extend(Bucket::MEDIA.iter().map(|b| call.tokens.get(*b)));
    all
}

#[test]
fn audio_that_langfuse_tells_has_its_own_buckets() {
    for (details, expected) in [
        // Apart, as its SDKs take it out of OpenAI's counts; the total has all of it.
        (
            r#"{"input":100,"input_audio_tokens":40,"input_cached_tokens":60,"output":20,"output_audio_tokens":30,"output_reasoning_tokens":5,"total":255}"#,
            [100, 60, 25, 5, 40, 30, 0, 0, 0],
        ),
        // Without a total the keys are apart.
        (
            r#"{"input":100,"input_audio":40,"output":50,"output_audio":30}"#,
            [100, 0, 50, 0, 40, 30, 0, 0, 0],
        ),
        // A total that has room for input and output alone makes it a part of them.
        (
            r#"{"input":140,"input_audio_tokens":40,"output":50,"output_audio_tokens":30,"total":190}"#,
            [100, 0, 20, 0, 40, 30, 0, 0, 0],
        ),
        // More audio than input is no part of it, whatever the total says.
        (
            r#"{"input":10,"input_audio_tokens":40,"output":50,"total":60}"#,
            [10, 0, 50, 0, 40, 0, 0, 0, 0],
        ),
        // Modalities of Gemini take the text out, too.
        (
            r#"{"input":0,"input_modality_TEXT":70,"input_modality_AUDIO":30,"input_modality_VIDEO":9,"input_modality_IMAGE":1,"output":0,"output_modality_TEXT":11,"output_modality_IMAGE":2,"total":123}"#,
            [70, 0, 11, 0, 30, 0, 1, 2, 9],
        ),
    ] {
        let text = observation("obs-1", &format!(r#""usageDetails":{details}"#));
        assert_eq!(with_media(&read_text("a.json", text).only()), expected, "{details}");
    }
    let bad = observation("obs-1", r#""usageDetails":{"input":1,"output_audio_tokens":-4}"#);
    let rejected = read_text("a.json", bad).rejected;
    assert_eq!(rejected[0].field.as_deref(), Some("usageDetails.output_audio_tokens"));
}

#[test]
fn audio_that_helicone_tells_has_its_own_buckets() {
    let row = |tokens: &str| {
        format!(
            r#"{{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","response_model":"gpt-4o-audio","provider":"OPENAI",{tokens}}}"#
        )
    };
    for (tokens, expected) in [
        (
            r#""prompt_tokens":1000,"prompt_audio_tokens":300,"prompt_cache_read_tokens":100,"completion_tokens":80,"completion_audio_tokens":50"#,
            [600, 100, 30, 0, 300, 50, 0, 0, 0],
        ),
        (
            r#""prompt_tokens":100,"prompt_audio_tokens":300,"completion_tokens":0,"completion_audio_tokens":50"#,
            [100, 0, 0, 0, 300, 50, 0, 0, 0],
        ),
    ] {
        assert_eq!(
            with_media(&read_text("a.json", row(tokens)).only()),
            expected,
            "{tokens}"
        );
    }
    let table = "request_id,request_created_at,response_model,provider,prompt_tokens,prompt_audio_tokens,completion_tokens,completion_audio_tokens\n\
        h-1,2026-10-20 08:15:04.120,gpt-4o-audio,OPENAI,1000,300,80,50\n";
    let call = read_text("a.csv", table).only();
    assert_eq!(with_media(&call), [700, 0, 30, 0, 300, 50, 0, 0, 0]);
    let bad = read_text("a.json", row(r#""prompt_tokens":1,"prompt_audio_tokens":-3"#)).rejected;
    assert_eq!(bad[0].field.as_deref(), Some("prompt_audio_tokens"));
}

#[test]
fn the_last_langfuse_update_counts_and_only_generations_are_calls() {
    let first = observation(
        "obs-1",
        r#""updatedAt":"2026-10-20T08:15:09Z","usageDetails":{"input":10,"output":50}"#,
    );
    let last = observation(
        "obs-1",
        r#""updatedAt":"2026-10-20T08:15:19Z","usageDetails":{"input":10,"output":5}"#,
    );
    let kept = lines(&[
        &last,
        &first,
        &observation("span-1", r#""usageDetails":{}"#).replace("GENERATION", "SPAN"),
        &observation("obs-2", r#""usageDetails":{},"level":"ERROR""#),
        &observation("obs-3", r#""usageDetails":{"input":-1}"#),
        "{\"usageDetails\":",
    ]);
    assert_eq!((kept.calls.len(), kept.totals()[4]), (1, 5));
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
    assert_eq!(kept.rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [5, 6]);
}

/// Without a time of its own what was fetched later counts, however much it says and in whichever line.
#[test]
fn of_langfuse_observations_without_an_update_the_one_fetched_last_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String, minute: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_792_600_000 + minute * 60);
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    let seen = |output: u64| observation("obs-1", &format!(r#""usageDetails":{{"input":1,"output":{output}}}"#));
    let other = |id: &str| observation(id, r#""usageDetails":{"input":1,"output":1}"#);
    let mut kept = Kept::default();
    let mut read = |expected: u64| {
        super::read_on(folder.path(), &["*.jsonl"], &mut kept);
        assert_eq!((kept.calls.len(), kept.totals()[4]), (3, 2 + expected));
    };
    write("b.jsonl", [other("z-1"), other("z-2"), seen(10)].join("\n") + "\n", 0);
    read(10);
    write("a.jsonl", seen(900) + "\n", 5);
    read(900);
    // Mended in its place, and an older one that comes late.
    write("a.jsonl", seen(90) + "\n", 6);
    read(90);
    write("late.jsonl", [other("z-1"), other("z-2"), seen(5)].join("\n") + "\n", 3);
    read(90);
    // One that tells when it was updated is as old as it says.
    let told = observation(
        "obs-1",
        r#""updatedAt":"2026-10-20T08:15:19Z","usageDetails":{"input":1,"output":7}"#,
    );
    write("told.jsonl", told + "\n", 9);
    read(90);
}

/// The exports to blob storage, whose names are not those of the interface.
#[test]
fn scheduled_exports_of_langfuse_are_read() {
    let row = r#"{"id":"o1","trace_id":"t","project_id":"p","environment":"default","type":"GENERATION","name":"a","start_time":"2026-11-02 00:00:00.000000","end_time":"2026-11-02 00:00:09.000000","updated_at":"2026-11-02 00:10:00.000000","provided_model_name":"gpt-4o-2024-08-06","usage_details":{"input":5,"output":7,"total":12},"cost_details":{"total":0.5},"user_id":"u","session_id":"s"}"#;
    let span = r#"{"id":"o2","trace_id":"t","type":"SPAN","start_time":"2026-11-02 00:00:00.000000"}"#;
    let table = "id,trace_id,type,start_time,updated_at,provided_model_name,usage_details,cost_details,user_id,session_id\n\
        o1,t,GENERATION,2026-11-02 00:00:00.000000,2026-11-02 00:10:00.000000,gpt-4o-2024-08-06,\"{\"\"input\"\":5,\"\"output\"\":7,\"\"total\"\":12}\",\"{\"\"total\"\":0.5}\",u,s\n\
        o2,t,SPAN,2026-11-02 00:00:00.000000,,,,,,\n";
    for (name, text) in [
        ("a.jsonl", format!("{span}\n{row}\n")),
        ("a.json", format!("[{row},{span}]")),
        ("a.csv", table.to_owned()),
    ] {
        let kept = read_text(name, text);
        assert!(
            kept.warnings.is_empty() && kept.excluded.is_empty(),
            "{name}: {:?}",
            kept.warnings
        );
        let call = kept.only();
        assert_eq!(call.id, EventId::of(&[b"langfuse", b"o1"]), "{name}");
        assert_eq!(counts(&call), [5, 0, 0, 0, 0, 0, 7], "{name}");
        assert_eq!(
            (
                call.provider().as_str(),
                call.session.as_str(),
                call.dimensions.get(Dimension::User).as_str()
            ),
            ("openai", "s", "u"),
            "{name}"
        );
        assert_eq!(call.reported_cost.unwrap().to_string(), "0.5");
        assert_eq!(call.rank.at, super::time("2026-11-02T00:10:00Z"), "{name}");
    }
}

#[test]
fn an_answer_that_is_logged_with_a_trace_and_a_start_is_no_observation() {
    let answer = r#"{"trace_id":"t","start_time":"2026-11-20T10:00:00Z","id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":5}}"#;
    assert_eq!(counts(&read_text("a.jsonl", answer).only()), [1000, 0, 0, 0, 0, 0, 5]);
}

#[test]
fn a_model_of_azure_ai_in_helicones_rows_is_not_priced_as_its_namesake() {
    for (provider, seller, cost) in [
        ("azure_ai", "azure_ai", "0.0026"),
        ("azure.ai.inference", "azure_ai", "0.0026"),
        ("AZURE", "azure", "0.0104"),
    ] {
        let row = format!(
            r#"{{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","response_model":"mistral-large-latest","provider":"{provider}","prompt_tokens":1000,"completion_tokens":100}}"#
        );
        let call = read_text("a.jsonl", row).only();
        assert_eq!(
            (call.provider().as_str(), charged(&call)),
            (seller, cost.to_owned()),
            "{provider}"
        );
    }
}

#[test]
fn helicone_rows_are_read_as_json_and_as_a_table() {
    let row = |id: &str, provider: &str, tokens: &str, rest: &str| {
        format!(
            r#"{{"request_id":"{id}","request_created_at":"2026-10-20T08:15:04.120Z","request_model":"m-asked","response_model":"m-1","provider":"{provider}","request_user_id":"u-9","request_properties":{{"team":"search"}},{tokens},"cost":0.00266{rest}}}"#
        )
    };
    let tokens =
        r#""prompt_tokens":1000,"completion_tokens":80,"prompt_cache_read_tokens":512,"prompt_cache_write_tokens":88"#;
    let openai = row("h-1", "OPENAI", tokens, "");
    let anthropic = row("h-2", "ANTHROPIC", tokens, "");
    let kept = lines(&[
        &openai,
        &openai,
        &anthropic,
        &row(
            "h-3",
            "OPENAI",
            tokens,
            r#","cache_reference_id":"8b7c0000-0000-4000-8000-000000000001""#,
        ),
        &row("h-4", "OPENAI", r#""prompt_tokens":0"#, r#","response_status":429"#),
        &row("", "OPENAI", tokens, ""),
    ]);
    let of = |kept: &Kept, id: &str| kept.calls[&EventId::of(&[b"helicone", id.as_bytes()])];
    assert_eq!(counts(&of(&kept, "h-1")), [400, 512, 0, 0, 88, 0, 80]);
    assert_eq!(counts(&of(&kept, "h-2")), [1000, 512, 88, 0, 0, 0, 80]);
    assert_eq!((kept.calls.len(), kept.observed, kept.rejected.len()), (2, 3, 1));
    assert_eq!(
        (kept.excluded["failed_calls"], kept.excluded["response_cache_hits"]),
        (1, 1)
    );
    let table = "request_id,request_created_at,response_model,provider,request_user_id,request_properties,prompt_tokens,completion_tokens,prompt_cache_read_tokens,prompt_cache_write_tokens,cost,cache_reference_id\n\
        h-1,2026-10-20 08:15:04.120,m-1,OPENAI,u-9,\"{\"\"team\"\":\"\"search\"\"}\",1000,80,512,88,0.00266,NULL\n";
    let call = read_text("a.csv", table).only();
    let mut same = of(&kept, "h-1");
    same.rank = call.rank;
    assert_eq!(call, same);
}

#[test]
fn gateway_rows_of_one_call_count_once() {
    let row = |call: &str, sequence: u64, tokens: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-10-20T08:15:04.1234567Z","CorrelationId":"{call}","SequenceNumber":{sequence},"ModelName":"gpt-4o","DeploymentName":"chat-prod",{tokens}}}"#
        )
    };
    let tokens = r#""PromptTokens":1800,"CompletionTokens":220,"TotalTokens":2020"#;
    let none = r#""PromptTokens":0,"CompletionTokens":0"#;
    let wrapped = r#"{"time":"2026-10-20T08:15:04Z","category":"GatewayLlmLogs","correlationId":"c-3","properties":{"modelName":"","deploymentName":"chat-prod","promptTokens":7,"completionTokens":1}}"#;
    let kept = lines(&[
        &row("c-1", 0, tokens),
        &row("c-1", 1, tokens),
        &row("c-1", 2, none),
        &row("c-2", 0, none),
        wrapped,
        &row("", 0, tokens),
        &row("c-4", 0, r#""PromptTokens":"x""#),
    ]);
    assert_eq!((kept.calls.len(), kept.totals()[0], kept.totals()[4]), (2, 1807, 221));
    let wrapped = kept.calls[&EventId::of(&[b"apim", b"c-3"])];
    assert_eq!(
        (wrapped.provider().as_str(), wrapped.model().as_str()),
        ("azure", "chat-prod")
    );
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    assert_eq!(kept.rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [6, 7]);
    assert!(kept.warnings.keys().any(|w| w.contains("upper bound")));
}

#[test]
fn a_dump_of_litellm_rows_as_a_table_says_the_same() {
    let table = "request_id,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,metadata,cache_hit,request_tags,team_id,status\n\
        chatcmpl-1,0.0152,9000,400,2026-10-20 08:15:04.12+00,m-1,anthropic,\"{\"\"usage_object\"\":{\"\"cache_read_input_tokens\"\":7000,\"\"cache_creation_input_tokens\"\":1500}}\",None,\"[\"\"agent:coder\"\"]\",t-docs,success\n\
        chatcmpl-2,0,0,0,2026-10-20 08:15:05.12+00,m-1,anthropic,{},None,[],,failure\n";
    let kept = read_text("a.csv", table);
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
    let call = kept.only();
    assert_eq!(counts(&call), [500, 7000, 1500, 0, 0, 0, 400]);
    assert_eq!(call.dimensions.get(Dimension::Agent).as_str(), "coder");
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.0152");
}

#[test]
fn pages_of_interfaces_are_opened() {
    let one = observation("obs-1", r#""usageDetails":{"input":10,"output":5}"#);
    let bare = observation("obs-2", r#""usageDetails":{"input":1,"output":2}"#)
        .replace(r#""userId":"u-9","#, "")
        .replace(r#""sessionId":"s-1","#, "")
        .replace(r#""model""#, r#""providedModelName""#);
    let bad = observation("obs-3", r#""usageDetails":{"input":-1}"#);
    let trace = format!(r#"{{"id":"tr-1","userId":"u-9","sessionId":"s-1","observations":[{bare}]}}"#);
    let page = format!(r#"{{"data":[{one},{bad},{trace}],"meta":{{"page":1,"totalPages":1}}}}"#);
    let kept = read_text("a.json", &page);
    assert_eq!((kept.calls.len(), kept.totals()[4]), (2, 7));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("data[1].usageDetails.input"));
    for call in kept.calls.values() {
        let user = call.dimensions.get(Dimension::User).as_str();
        assert_eq!(
            (call.model().as_str(), user, call.session.as_str()),
            ("gpt-5-2025-08-07", "u-9", "s-1")
        );
    }
    assert_eq!(read_text("a.json", trace).only().tokens.total(), 3);
    let row = r#"{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","response_model":"m-1","provider":"OPENAI","prompt_tokens":10,"completion_tokens":8}"#;
    let page = format!(r#"{{"data":[{row},{{"request_id":""}}],"error":null}}"#);
    let kept = read_text("a.json", &page);
    assert_eq!((kept.calls.len(), kept.totals()[4]), (1, 8));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("data[1].request_id"));
}

/// Usage as an SDK got it, which Langfuse's server would have made flat.
#[test]
fn nested_details_in_a_langfuse_map_count() {
    let claude = r#"{"input_tokens":12,"output_tokens":210,"cache_read_input_tokens":41000,"cache_creation_input_tokens":900,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":600},"server_tool_use":{"web_search_requests":2},"service_tier":"standard"}"#;
    let chat = r#"{"prompt_tokens":2000,"completion_tokens":300,"total_tokens":2300,"prompt_tokens_details":{"cached_tokens":1536},"completion_tokens_details":{"reasoning_tokens":192,"accepted_prediction_tokens":5}}"#;
    let langchain = r#"{"input_tokens":2000,"output_tokens":300,"total_tokens":2300,"input_token_details":{"cache_read":1536},"output_token_details":{"reasoning":192}}"#;
    let none = r#"{"prompt_tokens":464,"completion_tokens":300,"total_tokens":764,"prompt_tokens_details":null,"cache_creation":null}"#;
    for (model, details, expected, reasoning, searches) in [
        ("claude-sonnet-4-6", claude, [12, 41000, 300, 600, 0, 0, 210], 0, 2),
        ("gpt-5-2025-08-07", chat, [464, 1536, 0, 0, 0, 0, 300], 192, 0),
        ("gpt-5-2025-08-07", langchain, [464, 1536, 0, 0, 0, 0, 300], 192, 0),
        ("gpt-5-2025-08-07", none, [464, 0, 0, 0, 0, 0, 300], 0, 0),
    ] {
        let text = observation("obs-1", &format!(r#""usageDetails":{details}"#)).replace("gpt-5-2025-08-07", model);
        let kept = read_text("a.json", text);
        let call = kept.only();
        assert_eq!(
            (counts(&call), call.tokens.reasoning, call.requests.web_searches),
            (expected.to_vec(), reasoning, searches),
            "{details}"
        );
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
}

/// What LangChain's integration and Langfuse's own server make of the providers' details. Uncached, read, 5m, 1h, 30m, 12h, output.
#[test]
fn keys_of_langchain_and_of_langfuses_server_are_known() {
    let flex = r#"{"input":0,"output":0,"total":2300,"input_audio":0,"input_flex_cache_read":1536,"input_flex":464,"output_audio":0,"output_flex_reasoning":192,"output_flex":108}"#;
    let priority = r#"{"input":2000,"output":300,"total":2300,"input_priority_cache_read":1536,"input_priority":464,"output_priority_reasoning":192,"output_priority":108}"#;
    let written = r#"{"input":12,"output":210,"total":42122,"input_cache_read":41000,"input_cache_creation":0,"input_ephemeral_5m_input_tokens":300,"input_ephemeral_1h_input_tokens":600}"#;
    let parts = r#"{"input":12,"output":210,"total":42122,"input_cache_read":41000,"input_cache_creation":900,"input_cache_creation_5m":300,"input_cache_creation_1h":600}"#;
    let server =
        r#"{"input":1000,"input_cached_tokens":4000,"input_cache_write_tokens":10000,"output":1000,"total":16000}"#;
    let predicted = r#"{"input":464,"input_cached_tokens":1536,"output":230,"output_accepted_prediction_tokens":50,"output_rejected_prediction_tokens":20,"total":2300}"#;
    for (model, details, expected, reasoning, tier) in [
        ("gpt-5-2025-08-07", flex, [464, 1536, 0, 0, 0, 0, 300], 192, "flex"),
        (
            "gpt-5-2025-08-07",
            &flex
                .replace("464", "500")
                .replace("1536", "1500")
                .replace(r#""input_flex":"#, r#""input_flex_cache_creation":36,"input_flex":"#),
            [464, 1500, 0, 0, 36, 0, 300],
            192,
            "flex",
        ),
        (
            "gpt-5-2025-08-07",
            priority,
            [464, 1536, 0, 0, 0, 0, 300],
            192,
            "priority",
        ),
        (
            "gpt-5-2025-08-07",
            &priority.replace(r#""total":2300,"#, ""),
            [464, 1536, 0, 0, 0, 0, 300],
            192,
            "priority",
        ),
        ("claude-sonnet-4-6", written, [12, 41000, 300, 600, 0, 0, 210], 0, ""),
        ("claude-sonnet-4-6", parts, [12, 41000, 300, 600, 0, 0, 210], 0, ""),
        ("gpt-5.6-sol", server, [1000, 4000, 0, 0, 10000, 0, 1000], 0, ""),
        ("gpt-5-2025-08-07", predicted, [464, 1536, 0, 0, 0, 0, 300], 0, ""),
    ] {
        let text = observation("obs-1", &format!(r#""usageDetails":{details}"#)).replace("gpt-5-2025-08-07", model);
        let kept = read_text("a.json", text);
        let call = kept.only();
        assert_eq!(
            (counts(&call), call.tokens.reasoning, call.tier().as_str()),
            (expected.to_vec(), reasoning, tier),
            "{details}"
        );
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    let spoken = r#"{"input":0,"input_cached_tokens":0,"input_text_tokens":400,"input_audio_tokens":600,"output":0,"output_text_tokens":100,"output_audio_tokens":200,"total":1300}"#;
    let call = read_text("a.json", observation("obs-1", &format!(r#""usageDetails":{spoken}"#))).only();
    assert_eq!(with_media(&call), [400, 0, 100, 0, 600, 200, 0, 0, 0]);
}

#[test]
fn what_a_langfuse_map_says_and_nobody_knows_is_told() {
    let of = |details: &str| read_text("a.json", observation("obs-1", &format!(r#""usageDetails":{details}"#)));
    for (details, told) in [
        (
            r#"{"input":10,"output":5,"total":9999}"#,
            "totals hold tokens that no count tells, which are not charged (Langfuse)",
        ),
        (
            r#"{"input":10,"output":5,"input_dreams":3}"#,
            "usage under keys that nobody here knows, which is not charged (Langfuse)",
        ),
    ] {
        let kept = of(details);
        assert_eq!(counts(&kept.only()), [10, 0, 0, 0, 0, 0, 5], "{details}");
        assert_eq!(kept.warnings.keys().collect::<Vec<_>>(), [told]);
    }
    // Here the total says what it is.
    let kept = of(r#"{"input_dreams":3,"output":5,"total":8}"#);
    assert_eq!(
        (counts(&kept.only()), kept.warnings.len()),
        (vec![3, 0, 0, 0, 0, 0, 5], 0)
    );
    // Each of any number of unknown keys may have as much as a call can have.
    let most = finops::domain::usage::MAX_TOKENS;
    let many = |keys: &[&str]| {
        let each = |key: &str| (0..2100).map(|n| format!(r#","{key}{n}":{most}"#)).collect::<String>();
        let others: String = keys.iter().map(|key| each(key)).collect();
        format!(r#"{{"input":1,"output":1,"total":2{others}}}"#)
    };
    for keys in [&["input_z"][..], &["input_z", "output_z"]] {
        let kept = of(&many(keys));
        assert_eq!(counts(&kept.only()), [1, 0, 0, 0, 0, 0, 1], "{keys:?}");
    }
    let kept = of(&many(&["cached_modality_"]));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1));
    let field = kept.rejected[0].field.as_deref().unwrap();
    assert!(field.starts_with("usageDetails.cached_modality_"), "{field}");
    let kept = of(r#"{"input_dreams":3}"#);
    assert_eq!((kept.calls.len(), kept.warnings.len()), (0, 1));
    let kept = of(r#"{"input":0,"output":0,"total":2300}"#);
    assert_eq!(
        (kept.calls.len(), kept.excluded.get("calls_without_usage")),
        (0, Some(&1))
    );
    assert_eq!(kept.warnings.len(), 1);
}

#[test]
fn costs_of_langfuse_are_the_total_else_the_sum_of_the_parts() {
    for (costs, expected) in [
        (r#""costDetails":{"input":0.001,"output":0.002}"#, Some("0.003")),
        (
            r#""costDetails":{"input":0.001,"output":0.002,"total":0.004}"#,
            Some("0.004"),
        ),
        (
            r#""calculatedTotalCost":0.005,"costDetails":{"input":0.001}"#,
            Some("0.005"),
        ),
        (r#""costDetails":{}"#, None),
    ] {
        let text = observation("obs-1", &format!(r#""usageDetails":{{"input":1,"output":1}},{costs}"#));
        let cost = read_text("a.json", text).only().reported_cost;
        assert_eq!(cost.map(|c| c.to_string()).as_deref(), expected, "{costs}");
    }
}

/// Of several keys for one dimension the same one counts at all times.
#[test]
fn of_two_keys_for_a_team_the_preferred_one_counts() {
    for (metadata, team) in [
        (r#"{"team_id":"t-42","team":"search"}"#, "search"),
        (r#"{"team_id":"t-42","team_name":"search"}"#, "search"),
        (r#"{"team_id":"t-42","team":""}"#, "t-42"),
        (r#"{"team_id":"t-42","team_name":null,"team":[1]}"#, "t-42"),
    ] {
        // As many as chance needs to show.
        let text: Vec<String> = (0..24)
            .map(|n| {
                observation(&format!("obs-{n}"), r#""usageDetails":{"input":1,"output":1}"#)
                    .replace(r#"{"team":"search"}"#, metadata)
            })
            .collect();
        let kept = read_text("a.jsonl", text.join("\n"));
        assert_eq!(kept.calls.len(), 24);
        let teams = kept
            .calls
            .values()
            .map(|call| call.dimensions.get(Dimension::Team).as_str());
        assert!(
            teams.clone().all(|of| of == team),
            "{metadata} {:?}",
            teams.collect::<Vec<_>>()
        );
    }
}

#[test]
fn counts_of_helicone_that_only_some_dumps_have_are_read_or_told() {
    let row = |rest: &str| {
        let text = format!(
            r#"{{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","response_model":"m-1","provider":"ANTHROPIC","prompt_tokens":10,"completion_tokens":80,{rest}}}"#
        );
        read_text("a.json", text)
    };
    let kept = row(
        r#""prompt_cache_write_tokens":900,"prompt_cache_write_5m":300,"prompt_cache_write_1h":600,"reasoning_tokens":20,"time_to_first_token":9"#,
    );
    let call = kept.only();
    assert_eq!(
        (counts(&call), call.tokens.reasoning),
        (vec![10, 0, 300, 600, 0, 0, 80], 20)
    );
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let kept = row(r#""dream_tokens":7,"nightmare_tokens":0"#);
    let told: Vec<_> = kept
        .warnings
        .iter()
        .map(|(told, count)| (told.as_str(), *count))
        .collect();
    assert_eq!(
        told,
        [("columns of tokens that nobody here knows are not charged (Helicone)", 1)]
    );
}

/// The table that Helicone's interfaces ask has names and an amount of its own.
#[test]
fn rows_of_helicones_own_table_are_read_as_its_exports_are() {
    let row = |cost: &str| {
        format!(
            r#"{{"response_id":"r1","status":200,"completion_tokens":800,"prompt_tokens":10000,"prompt_cache_read_tokens":512,"model":"gpt-4o-2024-08-06","request_id":"h-1","request_created_at":"2026-10-20 08:15:04","user_id":"u-9","provider":"OPENAI","properties":{{"team":"search"}},"cost":{cost},"cache_reference_id":"00000000-0000-0000-0000-000000000000"}}"#
        )
    };
    for (cost, reported) in [
        ("32360000", "0.03236"),
        (r#""32360000""#, "0.03236"),
        ("1500000000", "1.5"),
        // Divided by whoever asked.
        ("0.03236", "0.03236"),
    ] {
        let call = read_text("a.jsonl", row(cost)).only();
        assert_eq!(call.reported_cost.unwrap().normalize().to_string(), reported);
        let name = |dimension| call.dimensions.get(dimension).as_str();
        assert_eq!(name(Dimension::Model), "gpt-4o-2024-08-06");
        assert_eq!((name(Dimension::User), name(Dimension::Team)), ("u-9", "search"));
    }
    // An export has dollars.
    let export = row("2").replace(r#""model""#, r#""model":"gpt-4o","response_model""#);
    assert_eq!(
        read_text("a.jsonl", export).only().reported_cost.unwrap().to_string(),
        "2"
    );
    let failed = row("0")
        .replace(":800", ":0")
        .replace(":10000", ":0")
        .replace(":512", ":0")
        .replace(":200", ":500");
    assert_eq!(read_text("a.jsonl", failed).excluded.get("failed_calls"), Some(&1));
}

#[test]
fn the_answer_in_a_row_of_helicones_tells_what_the_row_does_not() {
    let row = |provider: &str, tokens: &str, body: &str| {
        format!(
            r#"{{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","request_model":"m-1","provider":"{provider}","request_user_id":"u-9",{tokens},"response_body":{body}}}"#
        )
    };
    let written = r#""prompt_tokens":"2000","completion_tokens":"80","prompt_cache_write_tokens":1000000"#;
    let claude = |output: u64| {
        format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{{"input_tokens":2000,"cache_creation_input_tokens":1000000,"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":1000000}},"output_tokens":{output},"server_tool_use":{{"web_search_requests":100}},"service_tier":"batch"}}}}"#
        )
    };
    let as_text = serde_json::to_string(&claude(80)).unwrap();
    for (body, expected) in [
        (claude(80), [2000, 0, 0, 1_000_000, 0, 0, 80]),
        (as_text, [2000, 0, 0, 1_000_000, 0, 0, 80]),
        // The beginning of a stream: the row has all of its output.
        (claude(1), [2000, 0, 1_000_000, 0, 0, 0, 80]),
    ] {
        let kept = read_text("a.json", row("ANTHROPIC", written, &body));
        let call = kept.only();
        assert_eq!(counts(&call), expected, "{body}");
        assert_eq!((call.tier().as_str(), call.requests.web_searches), ("batch", 100));
        assert_eq!(call.dimensions.get(Dimension::User).as_str(), "u-9");
        assert_eq!(
            (call.id, call.model().as_str()),
            (EventId::of(&[b"response", b"msg_1"]), "claude-sonnet-4-6")
        );
        assert_eq!(call.at.to_rfc3339(), "2026-10-20T08:15:04.120+00:00");
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    let tokens = r#""prompt_tokens":2000,"completion_tokens":80,"prompt_cache_read_tokens":1000"#;
    let flex = r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-5-2025-08-07","service_tier":"flex","choices":[],"usage":{"prompt_tokens":2000,"completion_tokens":80,"total_tokens":2080,"prompt_tokens_details":{"cached_tokens":1000}}}"#;
    for (body, tier) in [
        (flex, "flex"),
        (r#"{"helicone_message":"fetching body from signed_url: usage"}"#, ""),
        (r#""usage""#, ""),
        ("null", ""),
        (r#"{"usage":{"prompt_tokens":"many"}}"#, ""),
    ] {
        let call = read_text("a.json", row("OPENAI", tokens, body)).only();
        assert_eq!(counts(&call), [1000, 1000, 0, 0, 0, 0, 80], "{body}");
        assert_eq!(call.tier().as_str(), tier, "{body}");
    }
    // What Helicone could not count the answer tells, unless that does not know either.
    let none = r#""prompt_tokens":0,"completion_tokens":0"#;
    let nothing = r#"{"object":"chat.completion","usage":{"prompt_tokens":0,"completion_tokens":0}}"#;
    let kept = read_text("a.json", row("OPENAI", none, nothing));
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    assert_eq!(
        read_text("a.json", row("OPENAI", none, flex)).only().tokens.total(),
        2080
    );
}

/// It is the sum of the two counts, whatever they hold.
#[test]
fn a_total_of_helicones_is_no_evidence() {
    let row = r#"{"request_id":"h-1","request_created_at":"2026-10-20T08:15:04.120Z","request_model":"claude-sonnet-4-6","provider":"ANTHROPIC","prompt_tokens":"2000","completion_tokens":"80","total_tokens":"2080","prompt_cache_read_tokens":"1000","prompt_cache_write_tokens":"500"}"#;
    let kept = read_text("a.json", row);
    assert_eq!(counts(&kept.only()), [2000, 1000, 500, 0, 0, 0, 80]);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}

/// A call of nothing hides that its tokens are missing.
#[test]
fn calls_without_any_tokens_are_told() {
    let langfuse = observation(
        "obs-1",
        r#""usageDetails":{"input":0,"output":0},"calculatedTotalCost":0.0038"#,
    );
    let openrouter = r#"{"id":"gen-9","object":"chat.completion","created":1792484104,"model":"google/gemini-2.5-flash","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0.5}}"#;
    for text in [langfuse.as_str(), openrouter] {
        let kept = read_text("a.json", text);
        assert_eq!(kept.only().tokens.total(), 0);
        let told: Vec<&String> = kept.warnings.keys().collect();
        assert_eq!(told, ["successful calls without tokens: coverage gap"]);
    }
    let portal = "TimeGenerated [UTC],CorrelationId,ModelName,PromptTokens,CompletionTokens,SequenceNumber\n\
        2026-10-20T08:15:04Z,c-1,gpt-4o,7,1,0\n\
        2026-10-20T08:15:04Z,c-2,gpt-4o,0,0,0\n";
    let kept = read_text("a.csv", portal);
    assert_eq!((kept.only().tokens.total(), kept.warnings.len()), (8, 2));
    assert!(kept.warnings.contains_key("calls without usage: coverage gap"));
}

/// In the words of the answer, of whoever logged it, and of no format of ours.
#[test]
fn what_is_logged_beside_an_answer_does_not_make_it_another_format() {
    let claude = r#""id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":9}"#;
    let openai = r#""id":"chatcmpl-1","object":"chat.completion","created":1792484104,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}"#;
    let gemini = r#""responseId":"g","model":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":9}"#;
    let cohere = r#""id":"c","model":"command-a","message":{"role":"assistant"},"usage":{"tokens":{"input_tokens":7,"output_tokens":9},"billed_units":{"input_tokens":7,"output_tokens":9}}"#;
    let beside = [
        r#""sessionId":"s""#,
        r#""sessionId":"s","uuid":"u""#,
        r#""parentUuid":"p""#,
        r#""traceId":"t","startTime":"2026-10-20T08:15:04Z""#,
        r#""trace_id":"t","response_cost":0.1"#,
        r#""ts":"2026-10-20T08:15:04Z""#,
        r#""ts":"2026-10-20T08:15:04Z","model":"m""#,
    ];
    for answer in [claude, openai, gemini, cohere] {
        for beside in beside {
            let plain = !(beside.contains("\"model\"") && answer.contains("\"model\""));
            let whole = [format!("{{{answer},{beside}}}"), format!("{{{beside},{answer}}}")];
            let enclosed = [
                format!(r#"{{"response":{{{answer}}},{beside}}}"#),
                format!(r#"{{{beside},"response":{{{answer}}}}}"#),
            ];
            // LiteLLM's own payloads have the answer inside, too.
            let inside = !beside.contains("response_cost");
            let whole = whole.into_iter().filter(|_| plain);
            for text in whole.chain(enclosed.into_iter().filter(|_| inside)) {
                let kept = read_text("a.json", &*text);
                let tokens: Vec<u64> = kept.calls.values().map(|call| call.tokens.total()).collect();
                assert_eq!((tokens, kept.rejected.len()), (vec![16], 0), "{text}");
            }
        }
    }
    // Their own records stay theirs, whatever these leave out.
    let kept = lines(&[
        r#"{"sessionId":"s","uuid":"u","type":"assistant","timestamp":"2026-10-20T08:15:04Z","message":{"id":"msg_2","type":"message","model":"claude-haiku-4-5","usage":{"input_tokens":7,"output_tokens":9}}}"#,
        r#"{"sessionId":"s","uuid":"u","type":"user","message":{"role":"user","content":"usage"}}"#,
        r#"{"type":"system","sessionId":"s","uuid":"u","content":"x"}"#,
        r#"{"ts":"2026-10-20T08:15:04Z","model":"m","provider":"p","web_searches":1}"#,
        &observation("o", r#""usage":{"input":7,"output":9}"#),
    ]);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0));
    assert_eq!(kept.excluded.get("records_without_usage"), None);
    let message = r#"{"ts":"2026-10-20T08:15:04Z","model":"m","input_tokens":1,"response":{}}"#;
    assert!(read_text("a.json", message).rejected[0].reason.contains("unknown key"));
}

/// Keys of tools that others have, too, for records of their own.
#[test]
fn records_of_others_with_a_few_keys_of_a_tool_are_not_that_tools() {
    let traced = r#"{"traceId":"4b","spanId":"a1","type":"llm","name":"answer","startTime":"2026-10-20T00:00:00Z","endTime":"2026-10-20T00:00:01Z","model":"gpt-4o","usage":{"prompt_tokens":7,"completion_tokens":9}}"#;
    let kept = read_text("a.jsonl", traced);
    assert_eq!(kept.only().tokens.total(), 16);
    let observed = traced.replace(r#""type":"llm""#, r#""id":"o","type":"SPAN""#);
    let kept = read_text("a.jsonl", observed);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0));
    for record in [
        r#"{"sessionId":"s1","type":"llm_call","timestamp":"2026-10-20T00:00:00Z","model":"gpt-4o","promptTokens":1000,"completionTokens":100}"#,
        r#"{"sessionId":"s1","uuid":"7d","timestamp":"2026-10-20T00:00:01Z","model":"gpt-4o","tokens":{"prompt":1000,"completion":100}}"#,
        r#"{"sessionId":"s1","type":"assistant","message":{"role":"assistant","content":"x"},"model":"gpt-4o","token_usage":{"prompt_tokens":1000}}"#,
        r#"{"@t":"2026-10-20T00:00:01.1Z","@mt":"LLM call","CorrelationId":"0HN:0001","Model":"gpt-4o","PromptTokens":1000,"CompletionTokens":100}"#,
        r#"{"event":"llm_call","timestamp":"2026-10-20T00:00:00Z","properties":{"model":"gpt-4o","promptTokens":1000,"completionTokens":100}}"#,
    ] {
        let kept = read_text("a.jsonl", record);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1), "{record}");
        assert!(kept.rejected[0].reason.starts_with("no known usage format"), "{record}");
    }
    // The user's own choice of columns leaves out what a row says beside its counts.
    for row in [
        r#"{"TimeGenerated":"2026-10-20T08:15:04Z","CorrelationId":"c","PromptTokens":7,"CompletionTokens":1}"#,
        r#"{"time":"2026-10-20T08:15:04Z","correlationId":"c","properties":{"modelName":"gpt-4o","promptTokens":7,"completionTokens":1}}"#,
    ] {
        assert_eq!(read_text("a.jsonl", row).only().tokens.total(), 8, "{row}");
    }
}

#[test]
fn calls_without_counts_in_logs_of_api_management_are_told_however_they_are_left_out() {
    let table = "TimeGenerated,CorrelationId,SequenceNumber,ModelName,DeploymentName,PromptTokens,CompletionTokens,TotalTokens\n\
        2026-10-20T08:15:04.123Z,c-1,0,gpt-4o,chat-prod,100,20,150\n\
        2026-10-20T08:15:04.123Z,c-2,0,gpt-4o,chat-prod,,,\n\
        2026-10-20T08:15:04.123Z,c-2,1,gpt-4o,chat-prod,,,\n";
    let keys = r#"{"TimeGenerated":"2026-10-20T08:15:04Z","CorrelationId":"c-2","ModelName":"gpt-4o"}"#;
    let enclosed = r#"{"time":"2026-10-20T08:15:04Z","category":"GatewayLlmLogs","correlationId":"c-2","properties":{"modelName":"gpt-4o"}}"#;
    for (name, text) in [("a.csv", table), ("a.json", keys), ("b.json", enclosed)] {
        let kept = read_text(name, text);
        assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1), "{text}");
        assert_eq!((kept.excluded.len(), kept.rejected.len()), (1, 0), "{text}");
        assert!(
            kept.warnings.contains_key("calls without usage: coverage gap"),
            "{text}"
        );
    }
    // Of its first row the total is larger than what it is said to be of.
    let kept = read_text("a.csv", table);
    assert!(kept.warnings.keys().any(|told| told.starts_with("totals hold tokens")));
}

#[test]
fn times_of_azures_portal_and_batches_of_its_event_hubs_are_read() {
    let table = |name: &str, time: &str| {
        format!("{name},CorrelationId,ModelName,PromptTokens,CompletionTokens\n\"{time}\",c-1,gpt-4o,7,1\n")
    };
    let utc = "TimeGenerated [UTC]";
    for (time, expected) in [
        ("10/20/2026, 8:15:04.123 AM", "2026-10-20T08:15:04.123Z"),
        ("2/3/2026, 12:00:00.000 PM", "2026-02-03T12:00:00Z"),
        ("2026-10-20T08:15:04Z", "2026-10-20T08:15:04Z"),
    ] {
        let kept = read_text("a.csv", table(utc, time));
        let expected: chrono::DateTime<chrono::Utc> = expected.parse().unwrap();
        assert_eq!(
            (kept.only().at, kept.warnings.len()),
            (expected, 1),
            "{:?}",
            kept.warnings
        );
    }
    let kept = read_text("a.csv", table("TimeGenerated", "10/20/2026, 8:15:04 AM"));
    assert!(kept.warnings.contains_key("times without a zone are taken as UTC"));
    // The day first.
    for other in [
        "20/10/2026, 08:15:04.123",
        "3/10/2026, 8:15:04.123 am",
        "03/10/2026, 08:15:04",
    ] {
        let kept = read_text("a.csv", table(utc, other));
        assert!(
            kept.calls.is_empty() && kept.rejected[0].reason.contains("English (United States)"),
            "{other}"
        );
    }
    let hub = r#"{"records":[{"time":"2026-10-20T08:15:04Z","category":"GatewayLlmLogs","correlationId":"c-1","properties":{"modelName":"gpt-4o","promptTokens":7,"completionTokens":1}},{"time":"2026-10-20T08:15:04Z","category":"GatewayLogs","correlationId":"c-1","properties":{"method":"POST"}},{"category":"GatewayLlmLogs","correlationId":"c-2","properties":{"promptTokens":"x"}}]}"#;
    let kept = read_text("a.json", hub);
    assert_eq!(
        (kept.totals()[0], kept.rejected[0].field.as_deref()),
        (7, Some("records[2].PromptTokens"))
    );
    assert_eq!(kept.excluded.get("records_without_usage"), Some(&1));
}

#[test]
fn statuses_of_helicones_own_are_no_counts() {
    let row = |id: u64, status: &str| {
        format!(
            r#"{{"request_id":"h-{id}","request_created_at":"2026-10-20T08:15:04.120Z","provider":"OPENAI","response_status":{status},"prompt_tokens":0,"completion_tokens":0}}"#
        )
    };
    let statuses = [
        "-1",
        "-3",
        "-4",
        "500",
        r#""-3""#,
        r#""503 busy""#,
        "-2",
        "200",
        r#""200 OK""#,
        r#""pending""#,
        "null",
    ];
    let rows: Vec<String> = (0..).zip(statuses).map(|(id, status)| row(id, status)).collect();
    let kept = read_text("a.jsonl", rows.join("\n"));
    let of = |kind: &str| kept.excluded.get(kind).copied();
    assert_eq!(
        (of("failed_calls"), of("calls_without_usage"), kept.rejected.len()),
        (Some(6), Some(5), 0)
    );
}

/// A bill of Azure's has the subscription that pays; the key of the gateway's own is what was read first.
#[test]
fn a_call_of_api_management_is_of_the_subscription_that_pays_for_it() {
    let id = "11111111-2222-3333-4444-55555555abcd";
    let resource = format!("/SUBSCRIPTIONS/{}/RESOURCEGROUPS/X/PROVIDERS/Y", id.to_uppercase());
    let of_azure = format!("/subscriptions/{id}");
    let row = |more: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-10-20T08:15:04Z","CorrelationId":"c","ModelName":"gpt-4o","PromptTokens":7{more}}}"#
        )
    };
    let enclosed = format!(
        r#"{{"time":"2026-10-20T08:15:04Z","category":"GatewayLlmLogs","resourceId":"{resource}","correlationId":"c","properties":{{"modelName":"gpt-4o","promptTokens":7}}}}"#
    );
    for (text, account) in [
        (row(""), ""),
        (row(&format!(r#","_SubscriptionId":"{id}""#)), of_azure.as_str()),
        (row(&format!(r#","_ResourceId":"{resource}""#)), &of_azure),
        (row(r#","_ResourceId":"/elsewhere/x""#), ""),
        (enclosed.clone(), &of_azure),
        (format!(r#"{{"records":[{enclosed}]}}"#), &of_azure),
        (
            row(&format!(r#","ApimSubscriptionId":"key","_SubscriptionId":"{id}""#)),
            "key",
        ),
    ] {
        let call = read_text("a.jsonl", &text).only();
        assert_eq!(call.dimensions.get(Dimension::Account).as_str(), account, "{text}");
    }
}
