//! Response bodies of providers.

use finops::adapters::files::read_body;
use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId, UsageEvent};

use super::{charged, read_text, shared};

fn counts(call: &UsageEvent) -> Vec<u64> {
    Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect()
}

const CHAT: &str = r#"{"id":"chatcmpl-A1","object":"chat.completion","created":1792484104,"model":"gpt-5-2025-08-07","choices":[],"usage":{"prompt_tokens":2000,"completion_tokens":300,"total_tokens":2300,"prompt_tokens_details":{"cached_tokens":1536},"completion_tokens_details":{"reasoning_tokens":192}},"service_tier":"flex"}"#;
const RESPONSES: &str = r#"{"id":"resp_B2","object":"response","created_at":1792484104,"status":"completed","model":"gpt-5.6-sol","output":[{"type":"web_search_call"},{"type":"message"},{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page","url":"https://e.x"}},{"type":"web_search_call","action":{"type":"find_in_page"}}],"usage":{"input_tokens":15000,"input_tokens_details":{"cached_tokens":4000,"cache_write_tokens":10000},"output_tokens":1000,"output_tokens_details":{"reasoning_tokens":600},"total_tokens":16000},"service_tier":"default","metadata":{"team":"search"}}"#;
const OPENROUTER: &str = r#"{"id":"gen-9","object":"chat.completion","created":1792484104,"provider":"Google","model":"google/gemini-2.5-flash","usage":{"prompt_tokens":270,"completion_tokens":28,"total_tokens":298,"cost":0.000151,"prompt_tokens_details":{"cached_tokens":70,"cache_write_tokens":50}}}"#;
const AZURE: &str = r#"{"id":"chatcmpl-Z","object":"chat.completion","created":1792484104,"model":"gpt-4o-2024-08-06","prompt_filter_results":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#;
const GEMINI: &str = r#"{"responseId":"g-51","modelVersion":"gemini-2.5-flash","createTime":"2026-10-20T08:15:04Z","usageMetadata":{"promptTokenCount":6000,"cachedContentTokenCount":4000,"toolUsePromptTokenCount":150,"candidatesTokenCount":500,"thoughtsTokenCount":1200,"totalTokenCount":7850}}"#;
const ANTHROPIC: &str = r#"{"timestamp":"2026-10-20T08:15:04Z","id":"msg_0Q","type":"message","role":"assistant","model":"claude-sonnet-4-6","stop_reason":"end_turn","usage":{"input_tokens":700,"cache_creation_input_tokens":90,"cache_read_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":60},"output_tokens":90,"service_tier":"standard","inference_geo":"us","server_tool_use":{"web_search_requests":3},"iterations":[{"type":"message","input_tokens":300,"output_tokens":40},{"type":"advisor_message","model":"claude-opus-4-8","input_tokens":900,"output_tokens":20},{"type":"message","input_tokens":400,"output_tokens":50}]}}"#;
const CONVERSE: &str = r#"{"time":"2026-10-20T08:15:04Z","modelId":"us.anthropic.claude-haiku-4-5-20251001-v1:0","usage":{"inputTokens":10,"outputTokens":20,"totalTokens":430,"cacheReadInputTokens":300,"cacheWriteInputTokens":100,"cacheDetails":[{"ttl":"1h","inputTokens":40}]}}"#;

#[test]
fn each_shape_gives_its_buckets_and_provider() {
    for (body, provider, tier, expected, reasoning) in [
        (CHAT, "openai", "flex", [464, 1536, 0, 0, 0, 0, 300], 192),
        (
            RESPONSES,
            "openai",
            "standard",
            [1000, 4000, 0, 0, 10_000, 0, 1000],
            600,
        ),
        (OPENROUTER, "openrouter", "", [150, 70, 50, 0, 0, 0, 28], 0),
        (AZURE, "azure", "", [10, 0, 0, 0, 0, 0, 2], 0),
        (GEMINI, "google", "", [2150, 4000, 0, 0, 0, 0, 1700], 1200),
        (CONVERSE, "bedrock", "", [10, 300, 60, 40, 0, 0, 20], 0),
    ] {
        let call = read_text("a.json", body).only();
        assert_eq!(
            (counts(&call), call.tokens.reasoning),
            (expected.to_vec(), reasoning),
            "{body}"
        );
        assert_eq!(
            (call.provider().as_str(), call.tier().as_str()),
            (provider, tier),
            "{body}"
        );
        assert_eq!(call.at, super::time("2026-10-20T08:15:04Z"));
    }
    let call = read_text("a.json", RESPONSES).only();
    assert_eq!(
        (
            call.requests.web_searches,
            call.dimensions.get(Dimension::Team).as_str()
        ),
        (2, "search")
    );
    let cost = read_text("a.json", OPENROUTER).only().reported_cost;
    assert_eq!(cost.unwrap().to_string(), "0.000151");
}

/// Reasoning that the seller's output count leaves out, in full at xAI, in the total alone at Gemini's endpoint in OpenAI's shape.
/// Transcriptions and the realtime interface name the parts in the singular.
#[test]
fn audio_is_read_under_openais_singular_names() {
    let realtime = r#""usage":{"total_tokens":253000,"input_tokens":132000,"output_tokens":121000,"input_token_details":{"text_tokens":119000,"audio_tokens":13000,"image_tokens":0,"cached_tokens":64000,"cached_tokens_details":{"text_tokens":64000,"audio_tokens":0}},"output_token_details":{"text_tokens":30000,"audio_tokens":91000}}"#;
    let transcribed = r#""usage":{"type":"tokens","input_tokens":1000000,"input_token_details":{"text_tokens":0,"audio_tokens":1000000},"output_tokens":1000000,"total_tokens":2000000}"#;
    for (model, usage, expected) in [
        ("gpt-realtime", realtime, "6.9656"),
        ("gpt-4o-transcribe", transcribed, "16"),
    ] {
        let text = format!(r#"{{"model":"{model}","created":1792484104,{usage}}}"#);
        assert_eq!(charged(&read_text("a.json", text).only()), expected, "{model}");
    }
}

#[test]
fn reasoning_that_only_the_total_holds_is_output() {
    let body = |model: &str, rest: &str| {
        format!(
            r#"{{"id":"c-1","object":"chat.completion","created":1792484104,"model":"{model}","choices":[],"usage":{{{rest}}}}}"#
        )
    };
    let xai = r#""prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"prompt_tokens_details":{"cached_tokens":128},"completion_tokens_details":{"reasoning_tokens":2809}"#;
    let rest = r#""prompt_tokens":20,"completion_tokens":30,"total_tokens":850"#;
    for (text, provider, expected, reasoning, warned) in [
        (body("grok-4.20", xai), "xai", [9992, 128, 0, 0, 0, 0, 4308], 2809, 0),
        (body("gemini-2.5-pro", rest), "google", [20, 0, 0, 0, 0, 0, 830], 800, 0),
        // What was kept of an answer, and another seller's, are not guessed at.
        (
            body("gemini-2.5-pro", rest).replace("chat.completion", "kept"),
            "google",
            [20, 0, 0, 0, 0, 0, 30],
            0,
            1,
        ),
        (body("gpt-5", rest), "openai", [20, 0, 0, 0, 0, 0, 30], 0, 1),
    ] {
        let kept = read_text("a.json", &text);
        assert_eq!(kept.warnings.len(), warned, "{text}: {:?}", kept.warnings);
        let call = kept.only();
        assert_eq!(call.provider().as_str(), provider);
        assert_eq!(
            (counts(&call), call.tokens.reasoning),
            (expected.to_vec(), reasoning),
            "{text}"
        );
    }
}

#[test]
fn answers_of_models_that_always_search_have_a_search() {
    let body = AZURE.replace(r#""prompt_filter_results":[],"#, "");
    let body = |model: &str| body.replace("gpt-4o-2024-08-06", model);
    for (model, searches) in [
        ("gpt-4o-search-preview-2025-03-11", 1),
        ("gpt-5-search-api", 1),
        ("sonar", 1),
        ("sonar-deep-research", 0),
        ("gpt-4o", 0),
    ] {
        let call = read_text("a.json", body(model)).only();
        assert_eq!(call.requests.web_searches, searches, "{model}");
    }
    let agent = |usage: &str| {
        format!(
            r#"{{"id":"resp_1","object":"response","created_at":1795168800,"status":"completed","model":"perplexity/sonar","output":[],"usage":{{"input_tokens":100000,"input_tokens_details":{{"cached_tokens":0}},"output_tokens":10000,"total_tokens":110000,"cost":{{"currency":"USD","input_cost":0.025,"output_cost":0.025,"total_cost":0.05}}{usage}}}}}"#
        )
    };
    let tools = r#","tool_calls_details":{"web_search":{"invocation":2}}"#;
    for (usage, searches, cost) in [
        ("", 0, "0.05"),
        (r#","tool_calls_details":{"fetch_url":{"invocation":1}}"#, 0, "0.05"),
        (tools, 2, "0.055"),
    ] {
        let call = read_text("a.json", agent(usage)).only();
        assert_eq!(
            (call.provider().as_str(), call.requests.web_searches),
            ("perplexity", searches),
            "{usage}"
        );
        assert_eq!(charged(&call), cost, "{usage}");
    }
    let chat = body("perplexity/sonar").replace(r#""model""#, r#""provider":"perplexity","model""#);
    assert_eq!(read_text("a.json", chat).only().requests.web_searches, 1);
}

#[test]
fn iterations_of_another_model_are_calls_of_their_own() {
    let kept = read_text("a.jsonl", [ANTHROPIC, ANTHROPIC].join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (2, 4));
    let main = kept.calls[&EventId::of(&[b"response", b"msg_0Q"])];
    assert_eq!(counts(&main), [700, 5, 30, 60, 0, 0, 90]);
    assert_eq!((main.geo.as_str(), main.requests.web_searches), ("us", 3));
    let advisor = kept.calls[&EventId::of(&[b"response", b"msg_0Q", b"iteration", b"1"])];
    assert_eq!(
        (advisor.model().as_str(), counts(&advisor)),
        ("claude-opus-4-8", vec![900, 0, 0, 0, 0, 0, 20])
    );
    assert_eq!(advisor.requests.web_searches, 0);
}

/// The threshold of long prompts is one of each time that the model is asked, not of their sum.
#[test]
fn iterations_that_are_each_below_a_threshold_cost_the_lower_price() {
    let with = |first: u64, second: u64| {
        let all = first + second;
        ANTHROPIC
            .replace("claude-sonnet-4-6", "claude-sonnet-4-5-20250929")
            .replace(r#""service_tier":"standard","inference_geo":"us","server_tool_use":{"web_search_requests":3},"#, "")
            .replace(r#""cache_creation_input_tokens":90,"cache_read_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":60},"#, "")
            .replace(r#""input_tokens":700"#, &format!(r#""input_tokens":{all}"#))
            .replace(r#""input_tokens":300"#, &format!(r#""input_tokens":{first}"#))
            .replace(r#""input_tokens":400"#, &format!(r#""input_tokens":{second}"#))
    };
    let line = |body: &str| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-10-20T08:15:04Z","sessionId":"s-1","uuid":"u-1","message":{body}}}"#
        )
    };
    for (first, second, cost) in [
        // 3 and 15, 6 and 22.5 dollars.
        (100_000, 110_000, "0.63135"),
        (100, 200_000, "0.60165"),
        (100, 200_001, "1.202631"),
    ] {
        let body = with(first, second);
        for kept in [read_text("a.json", &body), read_text("a.jsonl", line(&body))] {
            let main = kept.calls[&EventId::of(&[b"response", b"msg_0Q"])];
            assert_eq!(super::charged(&main), cost, "{first} {second}");
            let advisor = kept.calls[&EventId::of(&[b"response", b"msg_0Q", b"iteration", b"1"])];
            assert!(advisor.extras.is_empty());
        }
    }
}

#[test]
fn batch_output_is_opened_and_billed_as_batch() {
    let ok = format!(
        r#"{{"id":"batch_req_1","custom_id":"c-1","response":{{"status_code":200,"request_id":"q","body":{CHAT}}},"error":null}}"#
    );
    let failed = r#"{"id":"batch_req_2","custom_id":"c-2","response":null,"error":{"code":"batch_expired"}}"#;
    let anthropic = format!(r#"{{"custom_id":"c-3","result":{{"type":"succeeded","message":{ANTHROPIC}}}}}"#);
    let kept = read_text("a.jsonl", [&ok, failed, &ok, &anthropic].map(String::from).join("\n"));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 0));
    assert!(kept.calls.values().all(|call| call.tier().as_str() == "batch"));
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
}

#[test]
fn batches_of_other_clouds_are_billed_as_batch_too() {
    let gemini = r#"{"responseId":"g-9","modelVersion":"gemini-2.5-flash","createTime":"2026-10-20T08:15:04Z","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1}}"#;
    let claude = r#"{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":10,"output_tokens":1}}"#;
    for (line, provider) in [
        (format!(r#"{{"key":"req-1","response":{gemini}}}"#), "google"),
        (
            format!(r#"{{"status":"","processed_time":"2026-10-20T08:15:04.1+00:00","request":{{"contents":[]}},"response":{gemini}}}"#),
            "vertex",
        ),
        (format!(r#"{{"recordId":"R1","modelInput":{{"messages":[]}},"modelOutput":{claude}}}"#), "bedrock"),
        (
            r#"{"modelInput":{},"modelOutput":{"output":{"message":{}},"usage":{"inputTokens":10,"outputTokens":1,"totalTokens":11}},"recordId":"R2"}"#.to_owned(),
            "bedrock",
        ),
    ] {
        let call = read_text("a.jsonl", &line).only();
        assert_eq!((call.provider().as_str(), call.tier().as_str()), (provider, "batch"), "{line}");
        assert_eq!(counts(&call), [10, 0, 0, 0, 0, 0, 1], "{line}");
    }
    let lines = [
        r#"{"recordId":"R3","modelInput":{},"error":{"errorCode":400}}"#,
        r#"{"status":"Bad Request","processed_time":"2026-10-20T08:15:04Z","request":{},"response":{},"custom_id":"c"}"#,
        r#"{"recordId":"R4","modelInput":{},"modelOutput":{"tokensOfText":8,"outputs":[{"text":"x"}]}}"#,
    ];
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 0));
    let told = ["failed_calls", "calls_without_usage"].map(|kind| kept.excluded.get(kind).copied());
    assert_eq!(told, [Some(2), Some(1)]);
}

#[test]
fn the_answer_tells_who_sold_it_and_at_which_tier() {
    let claude = |id: &str| {
        format!(
            r#"{{"id":"{id}","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","created_at":"2026-10-20T08:15:04Z","usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let groq = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1792484104,"model":"llama-3.3-70b-versatile","x_groq":{"id":"req_1"},"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let converse = r#"{"time":"2026-10-20T08:15:04Z","modelId":"zai.glm-4.7","usage":{"inputTokens":1,"outputTokens":1},"serviceTier":{"type":"priority"}}"#;
    for (body, provider, tier) in [
        (claude("msg_bdrk_015pNYi6"), "bedrock", ""),
        (claude("msg_vrtx_015pNYi6"), "vertex", ""),
        (claude("msg_015pNYi6"), "anthropic", ""),
        (groq.to_owned(), "groq", ""),
        (converse.to_owned(), "bedrock", "priority"),
        (converse.replace("priority", "default"), "bedrock", "standard"),
    ] {
        let call = read_text("a.json", &body).only();
        assert_eq!(
            (call.provider().as_str(), call.tier().as_str()),
            (provider, tier),
            "{body}"
        );
    }
}

#[test]
fn a_stream_that_never_tells_its_usage_is_a_gap_and_one_that_does_is_none() {
    let chunk = |id: &str, rest: &str| {
        format!(r#"{{"id":"{id}","object":"chat.completion.chunk","created":1792484104,"model":"gpt-4o",{rest}}}"#)
    };
    let part = r#""choices":[{"delta":{"content":"x"}}],"usage":null"#;
    let end = r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}"#;
    let response = r#"{"id":"resp_1","object":"response","created_at":1792484104,"status":"in_progress","model":"gpt-5","usage":null}"#;
    let mut lines = Vec::new();
    for _ in 0..100 {
        lines.extend([chunk("chatcmpl-1", part), chunk("chatcmpl-2", part)]);
    }
    lines.extend([chunk("chatcmpl-2", end), response.to_owned()]);
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!(kept.only().tokens.total(), 12);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&2));
    assert_eq!(kept.warnings.get("calls without usage: coverage gap"), Some(&2));
    let kept = read_text("a.jsonl", response.replace("in_progress", "completed"));
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
}

#[test]
fn streams_without_usage_and_bodies_without_identity_are_told() {
    let chunk = |n: u64| {
        format!(
            r#"{{"responseId":"g-1","modelVersion":"gemini-2.5-pro","createTime":"2026-10-20T08:15:04Z","usageMetadata":{{"promptTokenCount":100,"candidatesTokenCount":{n}}}}}"#
        )
    };
    let lines = [
        chunk(5),
        chunk(50),
        chunk(20),
        CHAT.replace(r#""usage""#, r#""usages""#),
        CONVERSE.to_owned(),
        CONVERSE.replace(r#""time":"2026-10-20T08:15:04Z","#, ""),
        AZURE.replace("10,", "-10,"),
        "{\"object\":\"chat.completion\"".to_owned(),
        String::new(),
    ];
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (3, 5));
    assert_eq!(kept.totals()[4], 20 + 20 + 20);
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    let lines: Vec<u64> = kept.rejected.iter().map(|r| r.line).collect();
    assert_eq!(lines, [7, 8]);
    assert!(
        kept.warnings.keys().any(|w| w.contains("time of change")),
        "{:?}",
        kept.warnings
    );
}

/// Real usage objects with the reading that a price data project has of them. Theirs is the whole input under one name; where ours differs,
/// `docs/pricing.md` says why.
#[test]
fn real_usage_objects_are_read_as_the_truth_says() {
    let Some(path) = shared("data/genai-prices/usages.json") else {
        return;
    };
    let cases: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut unread = Vec::new();
    let mut different = Vec::new();
    for case in &cases {
        let body = case["body"].to_string();
        let Some((tokens, requests)) = read_body(&body).unwrap_or_else(|e| panic!("{body}: {e}")) else {
            unread.push(body);
            continue;
        };
        let writes = [
            Bucket::CacheWrite5m,
            Bucket::CacheWrite1h,
            Bucket::CacheWrite30m,
            Bucket::CacheWrite12h,
        ];
        let written: u64 = writes.iter().map(|b| tokens.get(*b)).sum();
        let ours = [
            ("input_tokens", tokens.prompt()),
            ("output_tokens", tokens.total() - tokens.prompt()),
            ("input_audio_tokens", tokens.get(Bucket::AudioIn)),
            ("output_audio_tokens", tokens.get(Bucket::AudioOut)),
            ("output_image_tokens", tokens.get(Bucket::ImageOut)),
            ("cache_read_tokens", tokens.get(Bucket::CacheRead)),
            ("cache_write_tokens", written),
            ("output_reasoning_tokens", tokens.reasoning),
            ("web_searches", u64::from(requests.web_searches)),
        ];
        // Several readings by several providers' rules: that of the model's own maker where it has one, else any.
        let model = case["model"].as_str().unwrap_or("");
        let makers = [
            ("claude", "anthropic"),
            ("gpt", "openai"),
            ("gemini", "google"),
            ("google/", "openrouter"),
        ];
        let maker = makers
            .iter()
            .find(|(front, _)| model.starts_with(front))
            .map_or("", |(_, maker)| maker);
        let readings: Vec<&serde_json::Value> = case["extracted"].as_array().unwrap().iter().collect();
        let is_own = |reading: &&serde_json::Value| {
            let by = reading["extractors"].as_array().unwrap();
            by.iter().any(|extractor| extractor["provider_id"] == maker)
        };
        let own = readings.iter().any(is_own);
        let truths: Vec<&serde_json::Value> = readings
            .into_iter()
            .filter(|reading| !own || is_own(reading))
            .map(|reading| &reading["usage"])
            .collect();
        let count = |truth: &serde_json::Value, name: &str| truth[name].as_u64().unwrap_or(0);
        // Theirs has cached audio in both counts, ours only among what was read from the cache.
        let twice = |truth: &serde_json::Value, name: &str| {
            if name == "input_audio_tokens" {
                count(truth, "cache_audio_read_tokens")
            } else {
                0
            }
        };
        let equal = |truth: &&serde_json::Value| {
            ours.iter()
                .all(|(name, n)| count(truth, name) == *n + twice(truth, name))
        };
        if !truths.is_empty() && !truths.iter().any(equal) {
            different.push(format!("{body}\n  ours {ours:?}\n  truth {truths:?}"));
        }
    }
    println!(
        "{} bodies, {} without usage, {} different",
        cases.len(),
        unread.len(),
        different.len()
    );
    assert!(cases.len() > 1500);
    assert_eq!((unread.as_slice(), different.as_slice()), (&[][..], &[][..]));
}

/// What a model answered until it declined is billed beside the answer of the one that took over; what it was only asked is not.
const FALLBACK: &str = r#"{"id":"msg_F","type":"message","role":"assistant","model":"claude-opus-4-8","stop_reason":"end_turn","timestamp":"2026-10-20T08:15:04Z","usage":{"input_tokens":41200,"output_tokens":264,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"iterations":[{"type":"message","model":"claude-fable-5","input_tokens":40800,"output_tokens":5000},{"type":"message","model":"claude-opus-4-8","input_tokens":200,"output_tokens":4},{"type":"fallback_message","model":"claude-opus-4-8","input_tokens":41000,"output_tokens":260}]}}"#;

#[test]
fn what_was_answered_before_a_fallback_is_a_call_of_its_own() {
    let line = |body: &str| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-10-20T08:15:04Z","sessionId":"s-1","uuid":"u-1","message":{body}}}"#
        )
    };
    for kept in [read_text("a.json", FALLBACK), read_text("a.jsonl", line(FALLBACK))] {
        assert_eq!(kept.calls.len(), 2, "{:?}", kept.rejected);
        let declined = kept.calls[&EventId::of(&[b"response", b"msg_F", b"iteration", b"0"])];
        assert_eq!(
            (declined.model().as_str(), counts(&declined)),
            ("claude-fable-5", vec![40_800, 0, 0, 0, 0, 0, 5000])
        );
        let main = kept.calls[&EventId::of(&[b"response", b"msg_F"])];
        assert_eq!(counts(&main), [41_200, 0, 0, 0, 0, 0, 264]);
        assert!(kept.warnings.is_empty());
    }
    let before = FALLBACK.replace(r#""output_tokens":5000"#, r#""output_tokens":0"#);
    for kept in [read_text("a.json", &before), read_text("a.jsonl", line(&before))] {
        assert_eq!(counts(&kept.only()), [41_200, 0, 0, 0, 0, 0, 264]);
    }
    // One of the turns was longer than the threshold of this model.
    let long = FALLBACK
        .replace("claude-opus-4-8", "claude-sonnet-4-5-20250929")
        .replace("41200", "250200")
        .replace("41000", "250000");
    let long = long.replace(r#""output_tokens":5000"#, r#""output_tokens":0"#);
    for kept in [read_text("a.json", &long), read_text("a.jsonl", line(&long))] {
        assert_eq!(super::charged(&kept.only()), "1.50714");
    }
    let odd = FALLBACK.replace("fallback_message", "daydream");
    for kept in [read_text("a.json", &odd), read_text("a.jsonl", line(&odd))] {
        assert_eq!((kept.calls.len(), kept.warnings.len()), (1, 1), "{:?}", kept.warnings);
    }
}

#[test]
fn what_claude_refuses_before_it_answers_costs_nothing() {
    let refused = r#"{"id":"msg_R","type":"message","role":"assistant","model":"claude-fable-5","stop_reason":"refusal","content":[],"timestamp":"2026-10-20T08:15:04Z","usage":{"input_tokens":40800,"output_tokens":0}}"#;
    let kept = read_text("a.json", refused);
    assert_eq!((kept.calls.len(), kept.excluded.get("refused_calls")), (0, Some(&1)));
    // In the middle of an answer it costs what it does, and nobody says so of other sellers.
    for charged in [
        refused.replace(r#""output_tokens":0"#, r#""output_tokens":7"#),
        refused.replace("msg_R", "msg_bdrk_R"),
        refused.replace(r#""refusal""#, r#""end_turn""#),
    ] {
        let call = read_text("a.json", &charged).only();
        assert_eq!(call.tokens.prompt(), 40_800, "{charged}");
    }
    // In a session log it replaces what an earlier line says.
    let line = |body: &str| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-10-20T08:15:04Z","sessionId":"s-1","uuid":"u-1","message":{body}}}"#
        )
    };
    let begun = refused.replace(r#""refusal""#, "null");
    let kept = read_text("a.jsonl", [line(&begun), line(refused), line(&begun)].join("\n"));
    assert_eq!(kept.only().tokens.total(), 0);
}

#[test]
fn a_total_that_a_gateway_adds_to_claudes_usage_does_not_make_it_openais() {
    let of = |total: u64| {
        read_text(
            "a.json",
            format!(
                r#"{{"id":"msg_1","type":"message","model":"claude-sonnet-4-6","created_at":1792483200,"usage":{{"input_tokens":1000,"cache_read_input_tokens":900,"output_tokens":100,"total_tokens":{total}}}}}"#
            ),
        )
    };
    let kept = of(2000);
    assert_eq!(
        (counts(&kept.only()), kept.warnings.len()),
        (vec![1000, 900, 0, 0, 0, 0, 100], 0)
    );
    let kept = of(1100);
    assert_eq!(counts(&kept.only()), [1000, 900, 0, 0, 0, 0, 100]);
    let told = "totals say that input includes cached tokens, which this format excludes (Anthropic body)";
    assert!(kept.warnings.contains_key(told), "{:?}", kept.warnings);
    // Of others a total comes with an input that includes what caches hold, as it does without these names.
    let of = |model: &str, kind: &str| {
        let text = format!(
            r#"{{"id":"x"{kind},"model":"{model}","created_at":1792483200,"usage":{{"input_tokens":1000,"cache_read_input_tokens":200,"output_tokens":100,"total_tokens":1100}}}}"#
        );
        let kept = read_text("a.json", text);
        (counts(&kept.only()), kept.warnings.len())
    };
    for model in ["gpt-4o", "gemini-2.5-pro"] {
        assert_eq!(of(model, ""), (vec![800, 200, 0, 0, 0, 0, 100], 0), "{model}");
    }
    let messages = (vec![1000, 200, 0, 0, 0, 0, 100], 1);
    assert_eq!(of("eu.anthropic.claude-haiku-4-5", ""), messages);
    assert_eq!(of("kimi-k2", r#","type":"message""#), messages);
}

#[test]
fn a_turn_of_codex_in_its_output_is_read_with_what_was_cached() {
    let kept = read_text(
        "a.json",
        r#"{"type":"turn.completed","usage":{"input_tokens":24763,"cached_input_tokens":24448,"output_tokens":122}}"#,
    );
    let told = |about: &&String| about.contains("codex exec --json") && about.contains("count twice");
    assert!(kept.warnings.keys().any(|about| told(&about)), "{:?}", kept.warnings);
    let call = kept.only();
    assert_eq!(counts(&call), [315, 24_448, 0, 0, 0, 0, 122]);
    assert_eq!((call.provider().as_str(), call.model().as_str()), ("openai", ""));
    // The same key beside a model says nothing of who sold it.
    let text = r#"{"id":"x","created_at":1792483200,"model":"claude-sonnet-4-6","usage":{"input_tokens":1000,"cached_input_tokens":200,"output_tokens":10}}"#;
    assert_eq!(read_text("a.json", text).only().provider().as_str(), "anthropic");
}

/// Only Gemini's answers are told apart by it: others were recorded by their content before it was read.
#[test]
fn a_response_id_of_others_is_no_identity() {
    let body = |input: u32, rest: &str| {
        format!(
            r#"{{"response_id":"resp_1","created_at":1792483200,"model":"gpt-4o","usage":{{"prompt_tokens":{input},"completion_tokens":5}}{rest}}}"#
        )
    };
    let known = r#","usage_metadata":{"prompt_token_count":1,"candidates_token_count":1}"#;
    for rest in ["", known] {
        let kept = read_text("a.jsonl", [body(1, rest), body(2, rest)].join("\n"));
        assert_eq!((kept.calls.len(), kept.warnings.len()), (2, 1), "{rest}");
        assert!(!kept.calls.contains_key(&EventId::of(&[b"body", b"resp_1"])));
    }
}

#[test]
fn what_openai_keeps_for_half_an_hour_it_keeps_behind_openrouter_too() {
    let body = |model: &str| {
        format!(
            r#"{{"id":"gen-9","object":"chat.completion","created":1792484104,"model":"{model}","usage":{{"prompt_tokens":270,"completion_tokens":28,"total_tokens":298,"cost":0.1,"prompt_tokens_details":{{"cached_tokens":0,"cache_write_tokens":200}}}}}}"#
        )
    };
    let call = read_text("a.json", body("openai/gpt-5.6-sol")).only();
    assert_eq!(counts(&call), [70, 0, 0, 0, 200, 0, 28]);
    let call = read_text("a.json", body("anthropic/claude-sonnet-4.6")).only();
    assert_eq!(counts(&call), [70, 0, 200, 0, 0, 0, 28]);
}

/// Their fees are in no book, so that such calls are unpriced; what xAI says they cost is known.
#[test]
fn tools_that_xai_ran_and_what_it_says_all_cost_are_read_from_its_usage() {
    let chat = r#"{"id":"x","object":"chat.completion","created":1792454400,"model":"grok-4.3","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,HERE}}"#;
    let response = r#"{"id":"x","object":"response","created_at":1792454400,"status":"completed","model":"grok-4.3","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"search"}}],"usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100,HERE}}"#;
    let details = r#""num_sources_used":9,"num_server_side_tools_used":24,"cost_in_usd_ticks":1215000000,"server_side_tool_usage_details":{"web_search_calls":1,"x_search_calls":23,"code_interpreter_calls":2,"file_search_calls":0,"mcp_calls":4}"#;
    let none = r#""num_sources_used":0,"num_server_side_tools_used":0,"cost_in_usd_ticks":15000000,"server_side_tool_usage_details":{"web_search_calls":0,"x_search_calls":0,"code_interpreter_calls":0}"#;
    let pricer = finops::adapters::prices::load(None, &[]).unwrap();
    let own = chat.replace("grok-4.3", "my-model");
    for (form, told, requests, cost) in [
        (
            chat,
            r#""num_sources_used":20,"cost_in_usd_ticks":5015000000"#,
            [20, 0],
            Some("0.5015"),
        ),
        (response, details, [24, 2], Some("0.1215")),
        (response, r#""num_server_side_tools_used":2"#, [2, 0], None),
        (chat, none, [0, 0], Some("0.0015")),
        (chat, r#""cost_in_usd_ticks":0"#, [0, 0], None),
        (chat, r#""num_server_side_tools_used":3"#, [3, 0], None),
        (own.as_str(), details, [24, 2], Some("0.1215")),
    ] {
        let call = read_text("a.json", form.replace("HERE", told)).only();
        assert_eq!(
            [call.requests.web_searches, call.requests.code_executions],
            requests,
            "{told}"
        );
        assert_eq!(
            call.reported_cost.map(|cost| cost.to_string()).as_deref(),
            cost,
            "{told}"
        );
        let known = form != own;
        if known {
            assert_eq!(call.provider().as_str(), "xai");
            let priced = pricer.books().quote(&call).charge.is_priced();
            assert_eq!(priced, requests == [0, 0], "{told}");
        }
    }
    let wrong = read_text("a.json", chat.replace("HERE", r#""num_sources_used":-1"#));
    assert_eq!(wrong.rejected.len(), 1);
}

#[test]
fn a_picture_that_a_tool_made_is_told() {
    let told = |kind: &str| {
        let kept = read_text("a.json", RESPONSES.replacen("web_search_call", kind, 1));
        kept.warnings
            .keys()
            .any(|about| about.contains("pictures that a tool made"))
    };
    assert!(told("image_generation_call"));
    assert!(!told("web_search_call"));
}

/// Mistral's answer has neither an id nor a time, and its usage under a name of its own.
#[test]
fn pages_that_mistral_read_are_known_by_their_usage() {
    let bare = r#"{"pages":[{"index":0,"markdown":"x"}],"model":"mistral-ocr-2505-completion","usage_info":{"pages_processed":7,"doc_size_bytes":100}}"#;
    let logged = format!(r#"{{"timestamp":"2026-10-20T08:15:04Z","response":{bare}}}"#);
    for text in [bare, &logged] {
        let call = read_text("a.jsonl", text).only();
        assert_eq!(
            (call.provider().as_str(), call.extras.as_str()),
            ("mistral", "page=7"),
            "{text}"
        );
        assert_eq!(super::charged(&call), "0.007");
    }
}

#[test]
fn a_model_that_only_the_envelope_names_is_that_of_the_answer() {
    let converse = r#"{"output":{"message":{}},"usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}"#;
    let chat = r#"{"id":"c-1","object":"chat.completion","model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":100}}"#;
    let (nova, time) = ("us.amazon.nova-lite-v1:0", "2026-10-20T08:15:04Z");
    for (key, answer, provider, model) in [
        ("modelId", converse, "bedrock", nova),
        ("model", converse, "bedrock", nova),
        ("model", chat, "openai", "gpt-4o"),
        ("x", converse, "bedrock", ""),
    ] {
        let text = format!(r#"{{"timestamp":"{time}","{key}":"{nova}","response":{answer}}}"#);
        let call = read_text("a.jsonl", &text).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            (provider, model),
            "{text}"
        );
    }
}

const AT: &str = "2026-11-20T00:00:00Z";

/// A record of this model with this usage, and more before it.
fn bare(more: &str, model: &str, usage: &str) -> String {
    format!(r#"{{"timestamp":"{AT}",{more}"model":"{model}","usage":{{{usage}}}}}"#)
}

fn is_priced(call: &UsageEvent) -> bool {
    let pricer = finops::adapters::prices::load(None, &[]).unwrap();
    pricer.books().quote(call).charge.is_priced()
}

const BESIDE: &str = "under names that nobody here knows";

fn told(kept: &super::Kept, about: &str) -> bool {
    kept.warnings.keys().any(|warning| warning.contains(about))
}

/// What Claude answers with on Bedrock says nothing of the place, what was asked for does.
#[test]
fn the_profile_that_was_asked_of_bedrock_is_the_model_where_the_answer_has_its_makers_name() {
    let message = |more: &str| {
        format!(
            r#"{{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",{more}"content":[],"stop_reason":"end_turn","usage":{{"input_tokens":100000,"output_tokens":100}}}}"#
        )
    };
    let global = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let log = |around: &str| format!(r#"{{"timestamp":"{AT}",{around}"response":{}}}"#, message(""));
    for text in [
        log(&format!(r#""modelId":"{global}","#)),
        log(&format!(r#""model":"{global}","#)),
        log(&format!(r#""request":{{"modelId":"{global}"}},"#)),
        log(&format!(r#""model":"my-alias","request":{{"model":"{global}"}},"#)),
        message(&format!(r#""timestamp":"{AT}","modelId":"{global}","#)),
        bare(
            r#""provider":"bedrock","#,
            global,
            r#""input_tokens":100000,"output_tokens":100"#,
        ),
    ] {
        let call = read_text("a.jsonl", &text).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str(), charged(&call).as_str()),
            ("bedrock", global, "0.3015"),
            "{text}"
        );
    }
    // Another model answered, nobody of Bedrock's was asked, or only a map of prices tells what was.
    for around in [
        r#""modelId":"global.anthropic.claude-opus-4-8","#,
        r#""modelId":"global.anthropic.claude-sonnet-4-v1:0","#,
        r#""model":"claude-sonnet-4-5","#,
        r#""modelId":"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x1","#,
        r#""request":"anthropic.","#,
        "",
    ] {
        let call = read_text("a.jsonl", log(around)).only();
        assert_eq!(call.model().as_str(), "claude-sonnet-4-5-20250929", "{around}");
        assert_eq!(charged(&call), "0.33165", "{around}");
    }
    // The seller likewise.
    let jamba = r#"{"id":"c","object":"chat.completion","model":"jamba-1.5-large","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let cohere = r#"{"id":"e","meta":{"billed_units":{"input_tokens":1000,"output_tokens":1}}}"#;
    for (asked, answer) in [("ai21.jamba-1-5-large-v1:0", jamba), ("cohere.command-r-v1:0", cohere)] {
        let text = format!(r#"{{"timestamp":"{AT}","modelId":"{asked}","response":{answer}}}"#);
        let call = read_text("a.jsonl", text).only();
        assert_eq!((call.provider().as_str(), call.model().as_str()), ("bedrock", asked));
    }
}

#[test]
fn answers_of_alibabas_own_interface_tell_what_was_cached_and_are_one_for_each_id() {
    let answer = |input: &str, rest: &str| {
        format!(
            r#"{{"timestamp":"{AT}","provider":"dashscope","model":"qwen3-coder-plus","response":{{"status_code":200,"request_id":"r1","code":"","message":"","output":{rest},"usage":{{"input_tokens":30000,"output_tokens":100,"total_tokens":30100,{input}}}}}}}"#
        )
    };
    let ended = r#"{"choices":[{"finish_reason":"stop","message":{}}]}"#;
    for (details, buckets) in [
        (r#""prompt_tokens_details":{"cached_tokens":28000}"#, [2000, 28000, 0]),
        (
            r#""prompt_tokens_details":{"cached_tokens":0,"cache_type":"ephemeral","cache_creation":{"ephemeral_5m_input_tokens":28000},"cache_creation_input_tokens":28000}"#,
            [2000, 0, 28000],
        ),
        (
            r#""input_tokens_details":{"text_tokens":30000},"prompt_tokens_details":{"cached_tokens":28000}"#,
            [2000, 28000, 0],
        ),
        (r#""input_tokens_details":{"text_tokens":30000}"#, [30000, 0, 0]),
    ] {
        let kept = read_text("a.jsonl", answer(details, ended));
        assert_eq!(counts(&kept.only())[..3], buckets, "{details}");
        assert!(kept.warnings.is_empty(), "{details}: {:?}", kept.warnings);
    }
    // Parts of a stream have the usage so far; the word for no reason is one.
    let part = |n: u32, reason: &str| {
        let text = answer(
            r#""plugins":{}"#,
            &format!(
                r#"{{"text":null,"finish_reason":null,"choices":[{{"finish_reason":"{reason}","message":{{}}}}]}}"#
            ),
        );
        let told = format!(r#""output_tokens":{n},"total_tokens":{}"#, 30_000 + n);
        text.replace(r#""output_tokens":100,"total_tokens":30100"#, &told)
    };
    let text = [part(10, "null"), part(50, "stop"), part(20, "null")].join("\n");
    let kept = read_text("a.jsonl", text);
    assert_eq!((kept.only().tokens.get(Bucket::Output), kept.observed), (50, 3));
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let plain = |reason: &str| {
        answer(
            r#""plugins":{}"#,
            &format!(r#"{{"text":"x","finish_reason":"{reason}"}}"#),
        )
    };
    assert_eq!(
        read_text("a.jsonl", [plain("null"), plain("stop")].join("\n"))
            .calls
            .len(),
        1
    );
    // Ids of requests to somebody's own service are none of answers.
    let own = |n: u32| {
        format!(
            r#"{{"timestamp":"{AT}","request_id":"r1","model":"gpt-4o","output":{{"finish_reason":"stop"}},"usage":{{"prompt_tokens":{n},"completion_tokens":1,"total_tokens":3}}}}"#
        )
    };
    assert_eq!(read_text("a.jsonl", [own(1), own(2)].join("\n")).calls.len(), 2);
}

/// Google's older SDK for Python writes enums as numbers.
#[test]
fn modalities_of_gemini_are_known_by_number_and_behind_the_name_of_their_kind() {
    let answer = |model: &str, prompt: &str, answer: &str| {
        format!(
            r#"{{"candidates":[{{"finish_reason":1}}],"usage_metadata":{{"prompt_token_count":10000,"candidates_token_count":1000,"total_token_count":11000,"prompt_tokens_details":[{{"modality":{prompt},"token_count":10000}}],"candidates_tokens_details":[{{"modality":{answer},"token_count":1000}}]}},"model_version":"{model}","response_id":"g1","create_time":"{AT}"}}"#
        )
    };
    for heard in ["4", r#""AUDIO""#, r#""MediaModality.AUDIO""#, r#""audio""#] {
        let kept = read_text("a.json", answer("gemini-2.5-flash", heard, "1"));
        let tokens = kept.only().tokens;
        assert_eq!(
            (tokens.get(Bucket::AudioIn), tokens.get(Bucket::InputUncached)),
            (10_000, 0),
            "{heard}"
        );
        assert!(!told(&kept, BESIDE), "{heard}");
    }
    let call = read_text("a.json", answer("gemini-2.5-flash-image", r#""DOCUMENT""#, "2")).only();
    assert_eq!(call.tokens.get(Bucket::ImageOut), 1000);
    // What nobody knows is charged as text, and told.
    for other in ["7", r#""SMELL""#] {
        let kept = read_text("a.json", answer("gemini-2.5-flash", other, "1"));
        assert!(told(&kept, BESIDE), "{other}: {:?}", kept.warnings);
        assert_eq!(kept.only().tokens.get(Bucket::InputUncached), 10_000);
    }
}

/// Whoever serves open weights answers under their name, and sells them at prices of his own.
#[test]
fn names_of_weights_and_of_servers_of_ones_own_are_no_makers() {
    let chat = |model: &str, more: &str| {
        format!(
            r#"{{"id":"c1","object":"chat.completion","created":1792484104,"model":"{model}","choices":[]{more},"usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    let ollama = r#","system_fingerprint":"fp_ollama""#;
    for (model, more, provider, priced) in [
        ("deepseek-ai/DeepSeek-R1", "", "", false),
        ("deepseek-ai/deepseek-r1", "", "", false),
        ("MiniMaxAI/MiniMax-M2", "", "", false),
        ("mistralai/Mistral-Small-24B-Instruct-2501", "", "", false),
        ("Qwen/Qwen3-Max", "", "", false),
        (
            "deepseek-ai/DeepSeek-V3",
            r#","provider":"together""#,
            "together",
            false,
        ),
        ("deepseek-ai/DeepSeek-V3", r#","provider":"deepseek""#, "deepseek", true),
        ("deepseek-r1", ollama, "ollama", false),
        ("mistral-small:24b", ollama, "ollama", false),
        // What is sold by who made it, and what gateways write before it.
        ("deepseek-r1", "", "deepseek", true),
        (
            "deepseek-chat",
            r#","system_fingerprint":"fp_8802369eaa""#,
            "deepseek",
            true,
        ),
        ("mistral-small-latest", "", "mistral", true),
        ("mistralai/mistral-small", "", "", true),
        ("minimax/MiniMax-M2", "", "", true),
        ("deepseek/deepseek-chat", "", "", true),
    ] {
        let call = read_text("a.jsonl", chat(model, more)).only();
        assert_eq!(
            (call.provider().as_str(), is_priced(&call)),
            (provider, priced),
            "{model} {more}"
        );
    }
}

/// Who sold it is told alike beside an answer and around it.
#[test]
fn a_seller_that_no_price_book_has_is_none_of_the_makers_calls() {
    for (provider, model) in [
        ("databricks", "claude-sonnet-4-5"),
        ("github", "gpt-4o"),
        ("deepinfra", "deepseek-ai/DeepSeek-V3"),
    ] {
        let chat = CHAT.replace("gpt-5-2025-08-07", model);
        let around = format!(r#"{{"timestamp":"{AT}","provider":"{provider}","response":{chat}}}"#);
        let beside = chat.replacen('{', &format!(r#"{{"provider":"{provider}","#), 1);
        for text in [around, beside] {
            let call = read_text("a.jsonl", &text).only();
            assert_eq!(
                (call.provider().as_str(), is_priced(&call)),
                (provider, false),
                "{text}"
            );
        }
    }
}

#[test]
fn what_was_cached_is_read_or_told_whosever_names_it_has() {
    let js = r#""requests":2,"inputTokens":100000,"outputTokens":100,"totalTokens":100100,"inputTokensDetails":[{"cached_tokens":50000},{"cached_tokens":40000}],"outputTokensDetails":[{"reasoning_tokens":50}]"#;
    let one =
        r#""inputTokens":100000,"outputTokens":100,"totalTokens":100100,"inputTokensDetails":{"cachedTokens":90000}"#;
    let flat = r#""input_tokens":100000,"cached_tokens":90000,"output_tokens":100,"reasoning_tokens":50"#;
    let twice = r#""prompt_tokens":100000,"completion_tokens":100,"input_tokens_details":{"cached_tokens":90000}"#;
    let agents = r#""inputTokens":1000,"outputTokens":100,"cacheReadInputTokens":90000,"cacheCreationInputTokens":9000,"webSearchRequests":1,"costUSD":0.07525,"contextWindow":200000"#;
    let camel = r#""inputTokens":1000,"outputTokens":100,"cacheReadInputTokens":90000"#;
    let (gpt, claude) = ("gpt-4o", "claude-sonnet-4-5");
    for (model, usage, provider, cost) in [
        (gpt, js, "openai", "0.1385"),
        (gpt, one, "openai", "0.1385"),
        (gpt, flat, "openai", "0.1385"),
        (gpt, twice, "openai", "0.1385"),
        (claude, agents, "anthropic", "0.07525"),
        (claude, camel, "anthropic", "0.0315"),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            camel,
            "bedrock",
            "0.03465",
        ),
    ] {
        let kept = read_text("a.jsonl", bare("", model, usage));
        let call = kept.only();
        assert_eq!(
            (call.provider().as_str(), charged(&call).as_str()),
            (provider, cost),
            "{usage}"
        );
        assert!(!told(&kept, BESIDE), "{usage}: {:?}", kept.warnings);
    }
    let reported = read_text("a.jsonl", bare("", claude, agents)).only().reported_cost;
    assert_eq!(reported.unwrap().to_string(), "0.07525");
    // Converse tells a total, and is Bedrock's under whatever name it is logged.
    let converse = r#""inputTokens":1000,"outputTokens":100,"totalTokens":91100,"cacheReadInputTokens":90000"#;
    assert_eq!(
        read_text("a.jsonl", bare("", claude, converse))
            .only()
            .provider()
            .as_str(),
        "bedrock"
    );
    // Of others nobody knows whether the input holds it.
    for usage in [
        r#""prompt_tokens":1000,"completion_tokens":1,"cacheReadInputTokens":900"#,
        r#""input_tokens":1000,"output_tokens":1,"cachedInputTokens":900"#,
        r#""inputTokens":1000,"outputTokens":1,"totalTokens":1001,"cached_tokens":900"#,
        r#""input_tokens":1000,"output_tokens":1,"cache_read_tokens":900"#,
    ] {
        let kept = read_text("a.jsonl", bare("", gpt, usage));
        assert!(told(&kept, BESIDE), "{usage}: {:?}", kept.warnings);
        assert_eq!(kept.only().tokens.prompt(), 1000, "{usage}");
    }
    let both = r#""prompt_tokens":1000,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":900},"cachedInputTokens":900"#;
    assert!(!told(&read_text("a.jsonl", bare("", gpt, both)), BESIDE));
}

/// Loggers of Python and Java write a decimal comma, and `time` is how long something took to many.
#[test]
fn a_time_with_a_comma_is_one_and_what_is_none_leaves_the_next() {
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":100}}"#;
    let log = |around: &str| format!(r#"{{{around},"response":{message}}}"#);
    for (around, at) in [
        (r#""timestamp":"2026-11-20 10:00:00,123""#, "2026-11-20T10:00:00.123Z"),
        (
            r#""timestamp":"2026-11-20T11:00:00,123+01:00""#,
            "2026-11-20T10:00:00.123Z",
        ),
        (r#""date":"2026-11-20","time":"10:00:00""#, "2026-11-20T00:00:00Z"),
        (
            r#""time":0.53,"datetime":"2026-11-20T10:00:00Z""#,
            "2026-11-20T10:00:00Z",
        ),
        (r#""time":532,"ts":"2026-11-20T10:00:00Z""#, "2026-11-20T10:00:00Z"),
    ] {
        assert_eq!(read_text("a.jsonl", log(around)).only().at, super::time(at), "{around}");
    }
    let kept = read_text("a.jsonl", log(r#""time":0.53"#));
    assert!(told(&kept, "without a time"), "{:?}", kept.warnings);
    assert_eq!(kept.only().tokens.prompt(), 1000);
    // What is still to come is read when it has.
    let kept = read_text("a.jsonl", log(r#""time":"2027-11-20T10:00:00Z","date":"2026-11-20""#));
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 1));
}

/// Its input holds what caches do, whoever answered.
#[test]
fn messages_of_pydantic_ai_name_who_answered_and_what_was_cached() {
    let usage = r#""input_tokens":30000,"cache_write_tokens":0,"cache_write_1h_tokens":0,"cache_read_tokens":28000,"output_tokens":100,"output_reasoning_tokens":0,"input_audio_tokens":0,"cache_audio_read_tokens":0,"output_audio_tokens":0,"audio_seconds":0.0,"details":{},"cost":null"#;
    let message = |model: &str, provider: &str, id: &str, usage: &str| {
        format!(
            r#"[{{"parts":[],"timestamp":null,"kind":"request"}},{{"parts":[{{"content":"a","provider_name":null,"part_kind":"text"}}],"usage":{{{usage}}},"model_name":"{model}","timestamp":"{AT}","kind":"response","provider_name":"{provider}","provider_response_id":"{id}"}}]"#
        )
    };
    for (model, provider, id, seller, cost) in [
        (
            "claude-sonnet-4-5-20250929",
            "anthropic",
            "msg_1",
            "anthropic",
            "0.0159",
        ),
        ("gpt-4o-2024-08-06", "openai", "chatcmpl-1", "openai", "0.041"),
        ("gemini-2.5-flash", "google-gla", "x", "google", "0.00169"),
    ] {
        let kept = read_text("a.json", message(model, provider, id, usage));
        let call = kept.only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str(), charged(&call).as_str()),
            (seller, model, cost)
        );
        assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    }
    let written = usage
        .replace(r#""cache_write_tokens":0"#, r#""cache_write_tokens":1500"#)
        .replace(r#""cache_write_1h_tokens":0"#, r#""cache_write_1h_tokens":1000"#);
    let call = read_text("a.json", message("claude-sonnet-4-5", "anthropic", "msg_1", &written)).only();
    assert_eq!(counts(&call)[..4], [500, 28000, 500, 1000]);
    assert_eq!(call.id, EventId::of(&[b"response", b"msg_1"]));
    // Its usage alone.
    let call = read_text("a.jsonl", bare("", "gpt-4o", usage)).only();
    assert_eq!(counts(&call)[..2], [2000, 28000]);
}

#[test]
fn names_of_frameworks_and_tiers_mean_what_providers_call_so() {
    let used = r#""prompt_tokens":1000,"completion_tokens":100"#;
    for (name, provider, model) in [
        ("openai:gpt-4o", "openai", "gpt-4o"),
        ("google-gla:gemini-2.5-flash", "google", "gemini-2.5-flash"),
        (
            "bedrock:us.amazon.nova-lite-v1:0",
            "bedrock",
            "us.amazon.nova-lite-v1:0",
        ),
        ("gpt-4o ", "openai", "gpt-4o"),
        ("mistral:7b", "", "mistral:7b"),
        ("openai/gpt-4o", "", "openai/gpt-4o"),
    ] {
        let call = read_text("a.jsonl", bare("", name, used)).only();
        assert_eq!(
            (call.provider().as_str(), call.model().as_str()),
            (provider, model),
            "{name}"
        );
    }
    let call = read_text("a.jsonl", bare(r#""provider":"azure","#, "openai:gpt-4o", used)).only();
    assert_eq!((call.provider().as_str(), call.model().as_str()), ("azure", "gpt-4o"));
    for tier in ["Flex", "FLEX", "flex"] {
        let call = read_text("a.json", CHAT.replace(r#""flex""#, &format!(r#""{tier}""#))).only();
        assert_eq!(call.tier().as_str(), "flex");
    }
}

#[test]
fn answers_that_failed_or_were_kept_are_no_calls_and_ranks_have_no_output() {
    let failed = |code: u32, tokens: u32| {
        format!(
            r#"{{"id":"06","object":"chat.completion","created":1792484104,"model":"MiniMax-M2","choices":null,"usage":{{"prompt_tokens":{tokens},"completion_tokens":0,"total_tokens":{tokens}}},"base_resp":{{"status_code":{code},"status_msg":"x"}}}}"#
        )
    };
    let created = |cached: bool, more: &str| {
        format!(
            r#"{{"timestamp":"{AT}",{more}"content":"hi","usage":{{"prompt_tokens":10,"completion_tokens":5}},"cached":{cached},"model":"gpt-4o"}}"#
        )
    };
    let autogen = r#""finish_reason":"stop","#;
    for (text, kind) in [
        (failed(1008, 0), Some("failed_calls")),
        (failed(0, 0), None),
        (failed(1008, 7), None),
        (created(true, autogen), Some("response_cache_hits")),
        (created(false, autogen), None),
        (created(true, ""), None),
    ] {
        let kept = read_text("a.jsonl", &text);
        assert_eq!(kept.calls.len(), usize::from(kind.is_none()), "{text}");
        assert_eq!(kept.excluded.keys().next().copied(), kind, "{text}");
    }
    let jina =
        r#"{"model":"jina-reranker-v3","usage":{"total_tokens":815},"results":[{"index":0,"relevance_score":0.4}]}"#;
    assert_eq!(read_text("a.json", jina).only().tokens.prompt(), 815);
    let other = jina.replace("relevance_score", "text");
    assert_eq!(read_text("a.json", other).only().tokens.total(), 0);
}
