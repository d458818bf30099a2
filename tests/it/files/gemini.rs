//! What Vertex AI says of an answer beside its tokens.

use finops::adapters::files::FileFormat;
use finops::domain::usage::{Bucket, EventId};
use finops::ports::{Checkpoints, UsageSource};

use super::read_text;
use crate::support::{err, finops, json};

/// As Google's SDK writes an answer, beside bodies of others.
#[test]
fn answers_with_the_names_of_python_are_read() {
    let answer = r#"{"response_id":"g-51","model_version":"gemini-2.5-flash","create_time":"2026-10-20T08:15:04Z","candidates":[{"grounding_metadata":{"web_search_queries":["a","b"]}}],"usage_metadata":{"prompt_token_count":6000,"cached_content_token_count":4000,"tool_use_prompt_token_count":150,"candidates_token_count":500,"thoughts_token_count":1200,"total_token_count":7850,"prompt_tokens_details":[{"modality":"AUDIO","token_count":100}],"traffic_type":"ON_DEMAND_PRIORITY"}}"#;
    let other = r#"{"id":"msg_1","type":"message","created_at":1792483200,"model":"m","usage":{"input_tokens":1,"output_tokens":1},"usage_metadata":{"input_tokens":3}}"#;
    for text in [answer.to_owned(), [other, answer].join("\n")] {
        let kept = read_text("a.jsonl", &text);
        assert!(
            kept.rejected.is_empty() && kept.excluded.is_empty(),
            "{:?}",
            kept.rejected
        );
        let call = kept.calls[&EventId::of(&[b"body", b"g-51"])];
        let buckets = [
            Bucket::InputUncached,
            Bucket::AudioIn,
            Bucket::CacheRead,
            Bucket::Output,
        ];
        assert_eq!(buckets.map(|b| call.tokens.get(b)), [2050, 100, 4000, 1700]);
        assert_eq!((call.tokens.reasoning, call.requests.web_searches), (1200, 1));
        assert_eq!(
            (call.provider().as_str(), call.model().as_str(), call.tier().as_str()),
            ("vertex", "gemini-2.5-flash", "priority")
        );
    }
}

/// The tier that answered, and the modalities as the embedding interface spells them.
#[test]
fn answers_of_the_gemini_api_tell_their_tier_and_the_audio_of_embeddings() {
    let read = |usage: &str| {
        let answer = format!(
            r#"{{"responseId":"g","createTime":"2026-10-20T08:15:04Z","modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":100,"totalTokenCount":100{usage}}}}}"#
        );
        let kept = read_text("a.jsonl", &answer);
        let call = kept.calls[&EventId::of(&[b"body", b"g"])];
        (call.tier().to_string(), call.tokens.get(Bucket::AudioIn))
    };
    for (usage, tier, audio) in [
        (r#","serviceTier":"flex""#, "flex", 0),
        (r#","service_tier":"SERVICE_TIER_PRIORITY""#, "priority", 0),
        (r#","serviceTier":"unspecified""#, "", 0),
        (r#","trafficType":"ON_DEMAND_FLEX","serviceTier":"standard""#, "flex", 0),
        (
            r#","promptTokenDetails":[{"modality":"AUDIO","tokenCount":60}]"#,
            "",
            60,
        ),
    ] {
        assert_eq!(read(usage), (tier.to_owned(), audio), "{usage}");
    }
}

#[test]
fn answers_of_vertex_tell_their_tier_and_their_maps() {
    let folder = tempfile::tempdir().unwrap();
    let answer = |n: u32, traffic: &str, grounding: &str| {
        format!(
            r#"{{"responseId":"v-{n}","createTime":"2026-10-20T08:15:04Z","modelVersion":"gemini-2.5-flash","candidates":[{{"content":{{}}{grounding}}}],"usageMetadata":{{"promptTokenCount":1000000,"totalTokenCount":1000000{traffic}}}}}"#
        )
    };
    let maps = r#","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u"}},{"maps":{"uri":"u","placeId":"p"}},{"maps":{"uri":"v"}}]}"#;
    let records = [
        answer(1, "", ""),
        answer(2, r#","trafficType":"ON_DEMAND""#, maps),
        answer(3, r#","trafficType":"PROVISIONED_THROUGHPUT""#, ""),
        answer(4, r#","trafficType":"ON_DEMAND_PRIORITY""#, ""),
        answer(
            5,
            r#","trafficType":"TRAFFIC_TYPE_UNSPECIFIED""#,
            r#","groundingMetadata":{"groundingChunks":[{"web":{"uri":"maps"}}]}"#,
        ),
    ];
    std::fs::write(folder.path().join("vertex.jsonl"), records.join("\n")).unwrap();
    let settings = r#"
[store]
url = "sqlite:ledger.db"
[[source]]
name = "vertex"
kind = "body"
paths = ["vertex.jsonl"]
[[commitment]]
name = "pt"
kind = "provisioned-throughput"
dimensions = { provider = "vertex" }
amount = "24 USD"
per = "hour"
from = "2026-10-20"
to = "2026-10-21"
covers = { tier = "provisioned_*" }
"#;
    std::fs::write(folder.path().join("finops.toml"), settings).unwrap();
    let run = |args: &[&str]| {
        let output = finops(folder.path(), &[args, &["--format", "json"]].concat());
        assert!(output.status.code() < Some(2), "{}", err(&output));
        json(&output)
    };
    assert_eq!(run(&["record"])["recorded"], 5);
    let costs = |basis: &str| {
        let args = [
            "report",
            "--by",
            "tier",
            "--basis",
            basis,
            "--where",
            "category=Usage",
            "--from",
            "2026-10-01",
            "--to",
            "2026-11-01",
        ];
        let report = run(&args);
        let rows = report["rows"].as_array().unwrap().iter();
        let mut costs: Vec<(String, String, u64)> = rows
            .map(|row| {
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                (
                    text("tier"),
                    text("cost_usd"),
                    row["unpriced_events"].as_u64().unwrap_or(0),
                )
            })
            .collect();
        costs.sort();
        costs
    };
    let row = |tier: &str, cost: &str, unpriced: u64| (tier.to_owned(), cost.to_owned(), unpriced);
    let metered = [
        row("", "0.6", 0),
        row("priority", "0.54", 0),
        row("provisioned_throughput", "0.3", 0),
        // Of which 0.025 are the map.
        row("standard", "0.325", 0),
    ];
    assert_eq!(costs("metered"), metered);
    let mut effective = metered;
    effective[2].1 = "0".to_owned();
    assert_eq!(costs("effective"), effective);
    let calls = run(&["explain", "--top", "9"]);
    let receipts = calls["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| run(&["explain", call["id"].as_str().unwrap()]).to_string());
    assert_eq!(
        receipts.filter(|receipt| receipt.contains("map_query")).count(),
        1,
        "{calls}"
    );
}

/// The live interface names the answer otherwise, and the prompts of tools have modalities, too.
#[test]
fn other_names_of_what_was_answered_and_asked_by_tools_are_read() {
    let read = |usage: &str| {
        let answer = format!(
            r#"{{"responseId":"g","createTime":"2026-10-20T08:15:04Z","modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":100,{usage}}}}}"#
        );
        let kept = read_text("a.jsonl", &answer);
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
        let call = kept.only();
        let buckets = [Bucket::InputUncached, Bucket::AudioIn, Bucket::Output, Bucket::AudioOut];
        buckets.map(|bucket| call.tokens.get(bucket))
    };
    for (usage, expected) in [
        (
            r#""responseTokenCount":50,"totalTokenCount":150,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":40}]"#,
            [100, 0, 10, 40],
        ),
        (
            r#""candidatesTokenCount":50,"responseTokenCount":50,"totalTokenCount":150"#,
            [100, 0, 50, 0],
        ),
        (
            r#""toolUsePromptTokenCount":1000,"totalTokenCount":1100,"toolUsePromptTokensDetails":[{"modality":"AUDIO","tokenCount":900},{"modality":"TEXT","tokenCount":100}]"#,
            [200, 900, 0, 0],
        ),
    ] {
        assert_eq!(read(usage), expected, "{usage}");
    }
}

#[test]
fn answers_of_the_interactions_interface_are_read() {
    let answer = r#"{"id":"v1_abc","object":"interaction","model":"gemini-3.5-flash","status":"completed","created":"2026-10-20T08:00:00Z","outputs":[{"type":"text","text":"x"}],"usage":{"total_input_tokens":1000,"input_tokens_by_modality":[{"modality":"text","tokens":700},{"modality":"audio","tokens":300}],"total_cached_tokens":200,"total_output_tokens":10,"total_thought_tokens":5,"total_tool_use_tokens":40,"total_tokens":1055,"grounding_tool_count":[{"type":"google_search","count":3},{"type":"google_maps","count":2}]}}"#;
    let event = format!(r#"{{"event_type":"interaction.complete","interaction":{answer}}}"#);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jsonl"), format!("{answer}\n{event}\n")).unwrap();
    let mut kept = super::Kept::default();
    let mut source = super::source(folder.path(), Some(FileFormat::Body), &["a.jsonl"]);
    source.read(&Checkpoints::default(), &mut kept).unwrap();
    let call = kept.only();
    assert_eq!(kept.observed, 2);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let buckets = [
        Bucket::InputUncached,
        Bucket::AudioIn,
        Bucket::CacheRead,
        Bucket::Output,
    ];
    assert_eq!(buckets.map(|bucket| call.tokens.get(bucket)), [540, 300, 200, 15]);
    assert_eq!((call.tokens.reasoning, call.requests.web_searches), (5, 3));
    assert_eq!(
        (call.provider().as_str(), call.extras.as_str()),
        ("google", "map_query=1")
    );
    // What LangChain calls so is another thing.
    let other = answer
        .replace("interaction", "chain")
        .replace("\"usage\"", "\"usage_metadata\"");
    assert_eq!(read_text("a.jsonl", other).calls.len(), 0);
}

/// Vertex AI's interface in OpenAI's shape.
#[test]
fn the_tier_that_vertex_tells_in_openais_shape_is_read() {
    let read = |model: &str, properties: &str| {
        let answer = format!(
            r#"{{"id":"v","object":"chat.completion","created":1792454400,"model":"{model}","choices":[{{"finish_reason":"stop"}}],"usage":{{"completion_tokens":100,"prompt_tokens":1000,"total_tokens":1100{properties}}}}}"#
        );
        let call = read_text("a.jsonl", answer).only();
        (call.provider().to_string(), call.tier().to_string())
    };
    let told = |word: &str| format!(r#","extra_properties":{{"google":{{"traffic_type":"{word}"}}}}"#);
    for (model, properties, provider, tier) in [
        ("google/gemini-2.5-flash", told("ON_DEMAND"), "vertex", "standard"),
        ("google/gemini-2.5-flash", told("ON_DEMAND_FLEX"), "vertex", "flex"),
        (
            "google/gemini-2.5-flash",
            told("PROVISIONED_THROUGHPUT"),
            "vertex",
            "provisioned_throughput",
        ),
        ("google/gemini-2.5-flash", String::new(), "", ""),
        ("google/gemini-2.5-flash", r#","cost":0.1"#.to_owned(), "openrouter", ""),
    ] {
        assert_eq!(
            read(model, &properties),
            (provider.to_owned(), tier.to_owned()),
            "{properties}"
        );
    }
}
