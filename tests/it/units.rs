//! What is priced by the second, picture, page or size of a search, from the record to the receipt.

use std::path::Path;

use finops::adapters::prices::{BookKind, BookPricer, BookSpec, load};
use finops::domain::price::Quote;
use finops::domain::usage::{EventId, Extras, UsageEvent};

use crate::support::{err, finops, out};

const OWN: &str = r#"
providers = ["acme"]

[[entry]]
model = "ear"
[[entry.price]]
units = { audio_in_second = { rate = "0.001", least = 10, step = "0.5" } }
tiers.batch = { factor = "0.5" }
geographies = { us = "1.1" }

[[entry]]
model = "brush"
[[entry.price]]
units = { "images_out:1024x1024" = "0.04", "images_out:1024x1024/hd" = "0.08" }
tiers.flex = { units = { "images_out:1024x1024" = "0.01" } }

[[entry]]
model = "seer"
[[entry.price]]
rates = { input = 1, output = 2 }
units = { page = "0.003" }
search_context_1000 = { low = 5, medium = 8, high = 12 }
free_searches = { count = 10, per = "day" }
"#;

fn pricer(folder: &Path) -> BookPricer {
    let path = folder.join("own.toml");
    std::fs::write(&path, OWN).unwrap();
    let spec = BookSpec {
        name: "own".to_owned(),
        kind: BookKind::Finops,
        path,
    };
    load(None, &[spec]).unwrap()
}

fn call(model: &str, tier: &str, units: &str) -> UsageEvent {
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let mut event = UsageEvent::new(EventId::of(&[b"call"]), at, "acme".into(), model.into());
    event
        .dimensions
        .set(finops::domain::dimension::Dimension::Tier, tier.into());
    event.extras = Extras::parse(units).unwrap().label().unwrap();
    event
}

fn outcome(quote: &Quote) -> String {
    if !quote.charge.is_priced() {
        return format!("{:?}", quote.charge.outcome);
    }
    let sum: rust_decimal::Decimal = quote.lines.iter().map(|l| l.amount).sum();
    assert_eq!(sum, quote.charge.cost, "the lines are the charge");
    quote.charge.cost.normalize().to_string()
}

#[test]
fn units_have_their_variants_tiers_factors_and_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let pricer = pricer(folder.path());
    for (model, tier, units, expected) in [
        ("ear", "", "audio_in_second=12.25", "0.0125"),
        ("ear", "", "audio_in_second=0.2", "0.01"),
        ("ear", "batch", "audio_in_second=12.5", "0.00625"),
        // Seconds that nobody counted are not nothing, and pictures are no seconds.
        ("ear", "", "", "Unpriced(UsageIncomplete)"),
        ("ear", "", "images_out=1", "Unpriced(NoRate)"),
        ("brush", "", "images_out:1024x1024=3", "0.12"),
        ("brush", "", "images_out:1024x1024/hd=1", "0.08"),
        ("brush", "flex", "images_out:1024x1024=3", "0.03"),
        ("brush", "flex", "images_out:1024x1024/hd=1", "0.08"),
        // Where the price depends on the size, one that has none is not guessed.
        ("brush", "", "images_out:512x512=1", "Unpriced(NoRate)"),
        ("brush", "", "images_out=1", "Unpriced(NoRate)"),
    ] {
        let quote = pricer.books().quote(&call(model, tier, units));
        assert_eq!(outcome(&quote), expected, "{model} {tier} {units}");
    }
    let mut abroad = call("ear", "", "audio_in_second=20");
    abroad.geo = "us".into();
    assert_eq!(outcome(&pricer.books().quote(&abroad)), "0.022");
    let worst = pricer.books().quote(&call("brush", "", "images_out:512x512=2"));
    assert_eq!(
        worst.charge.worst_case.normalize().to_string(),
        "0.16",
        "the dearest picture"
    );
}

#[test]
fn a_search_costs_by_how_much_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let pricer = pricer(folder.path());
    for (units, expected) in [
        ("", "0.016"),
        ("search_context=low", "0.01"),
        ("search_context=medium", "0.016"),
        ("search_context=high", "0.024"),
        ("search_context=high page=2", "0.03"),
    ] {
        let mut event = call("seer", "", units);
        event.requests.web_searches = 2;
        assert_eq!(outcome(&pricer.books().quote(&event)), expected, "{units}");
    }
    // Which of a day's searches read much is not known of sums: the least fee is taken off.
    let terms = pricer.books().search_terms(&call("seer", "", ""), None).unwrap();
    assert_eq!(terms.rate.normalize().to_string(), "0.005");
}

#[test]
fn books_of_others_give_units_where_tokens_are_not_what_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    let map = r#"{
      "w": {"litellm_provider": "acme", "mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001},
      "film": {"litellm_provider": "acme", "mode": "video_generation", "output_cost_per_second": 0.4, "output_cost_per_second_4k": 0.6},
      "both": {"litellm_provider": "acme", "mode": "image_generation", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
               "output_cost_per_image_token": 3e-5, "output_cost_per_image": 0.039},
      "machine": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_second": 0.0114},
      "asks": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
               "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_medium": 0.008, "search_context_size_high": 0.012}}
    }"#;
    std::fs::write(&path, map).unwrap();
    let spec = BookSpec {
        name: "map".to_owned(),
        kind: BookKind::Litellm,
        path,
    };
    let pricer = load(None, &[spec]).unwrap();
    for (model, units, tokens, searches, expected) in [
        ("w", "audio_in_second=12", 0, 0, "0.0012"),
        ("film", "video_out_second=8", 0, 0, "3.2"),
        ("film", "video_out_second:720p=8", 0, 0, "3.2"),
        ("film", "video_out_second:4k=8", 0, 0, "4.8"),
        ("both", "images_out=1", 1000, 0, "0.001"),
        ("machine", "audio_in_second=1", 0, 0, "Unpriced(UnknownModel)"),
        ("asks", "search_context=high", 1000, 1, "0.013"),
        ("asks", "", 1000, 1, "0.009"),
    ] {
        let mut event = call(model, "", units);
        event.tokens.set(finops::domain::usage::Bucket::InputUncached, tokens);
        event.requests.web_searches = searches;
        assert_eq!(outcome(&pricer.books().quote(&event)), expected, "{model} {units}");
    }
}

/// Records of several makers, and what the report has to say of each.
const RECORDS: [(&str, &str, &str, &str); 13] = [
    (
        "whisper-1",
        r#"{"id":"tr-1","created":1792484104,"model":"whisper-1","text":"hi","usage":{"type":"duration","seconds":90}}"#,
        "body",
        "0.009",
    ),
    (
        "gemini-2.5-flash",
        r#"{"responseId":"g-1","createTime":"2026-10-20T08:15:04Z","modelVersion":"gemini-2.5-flash","candidates":[{"content":{},"groundingMetadata":{"webSearchQueries":["a","b"]}}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":0,"totalTokenCount":1000}}"#,
        "body",
        "0.0003",
    ),
    (
        "gemini-3.1-flash-lite",
        r#"{"responseId":"g-2","createTime":"2026-10-20T08:15:04Z","modelVersion":"gemini-3.1-flash-lite","candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}},{}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":0,"totalTokenCount":1000}}"#,
        "body",
        "0.00025",
    ),
    (
        "sonar-pro",
        r#"{"id":"px-1","created":1792484104,"object":"chat.completion","model":"sonar-pro","usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"search_context_size":"high","cost":{"total_cost":0.0185}}}"#,
        "body",
        "0.0185",
    ),
    (
        "mistral-ocr-latest",
        r#"{"created":1792484104,"id":"o-1","model":"mistral-ocr-latest","pages":[],"usage_info":{"pages_processed":12,"doc_size_bytes":4711}}"#,
        "body",
        "0.048",
    ),
    (
        "whisper-large-v3",
        r#"{"request_id":"ll-1","call_type":"atranscription","model":"whisper-large-v3","custom_llm_provider":"groq","startTime":"2026-10-20T08:15:04Z","status":"success","prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"metadata":"{\"usage_object\":{\"seconds\":4.2}}"}"#,
        "litellm",
        "0.00030833333333333",
    ),
    (
        "dall-e-3",
        r#"{"id":"ll-2","call_type":"aimage_generation","model":"dall-e-3","custom_llm_provider":"openai","startTime":1792484104.25,"status":"success","prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"model_parameters":{"size":"1024x1792","quality":"hd","n":2},"response":{"created":1792484104,"data":[{"url":"a"},{"url":"b"}]}}"#,
        "litellm",
        "0.24",
    ),
    (
        "gpt-4o-audio-preview-2024-12-17",
        r#"{"request_id":"ll-3","call_type":"acompletion","model":"gpt-4o-audio-preview-2024-12-17","custom_llm_provider":"openai","startTime":"2026-10-20T08:15:04Z","status":"success","prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"metadata":"{\"usage_object\":{\"prompt_tokens_details\":{\"audio_tokens\":900},\"completion_tokens_details\":{\"audio_tokens\":150}}}"}"#,
        "litellm",
        "0.04875",
    ),
    (
        "tts-1",
        r#"{"id":"p-1","ts":"2026-10-20T08:15:04Z","provider":"openai","model":"tts-1","units":"character_in=2000"}"#,
        "plain",
        "0.03",
    ),
    // The fee of a search goes by the version of the tool, and reasoning models pay the same for both.
    (
        "gpt-4.1-2025-04-14",
        r#"{"id":"ws-1","object":"response","created_at":1792484104,"model":"gpt-4.1-2025-04-14","tools":[{"type":"web_search","search_context_size":"low"}],"usage":{"input_tokens":1000,"output_tokens":0,"total_tokens":1000},"output":[{"type":"web_search_call","id":"ws1","status":"completed","action":{"type":"search","query":"x"}}]}"#,
        "body",
        "0.012",
    ),
    (
        "gpt-4.1-mini-2025-04-14",
        r#"{"id":"ws-2","object":"response","created_at":1792484104,"model":"gpt-4.1-mini-2025-04-14","tools":[{"type":"web_search_preview_2025_03_11","search_context_size":"low"}],"usage":{"input_tokens":1000,"output_tokens":0,"total_tokens":1000},"output":[{"type":"web_search_call","id":"ws1","status":"completed","action":{"type":"search","query":"x"}}]}"#,
        "body",
        "0.0254",
    ),
    (
        "gpt-4o-2024-08-06",
        r#"{"id":"ws-3","object":"response","created_at":1792484104,"model":"gpt-4o-2024-08-06","tools":[{"type":"web_search_preview","search_context_size":"low"}],"usage":{"input_tokens":1000,"output_tokens":0,"total_tokens":1000},"output":[{"type":"web_search_call","id":"ws1","status":"completed","action":{"type":"search","query":"x"}}]}"#,
        "body",
        "0.0275",
    ),
    (
        "gpt-5-2025-08-07",
        r#"{"id":"ws-4","object":"response","created_at":1792484104,"model":"gpt-5-2025-08-07","tools":[{"type":"web_search_preview","search_context_size":"low"}],"usage":{"input_tokens":1000,"output_tokens":0,"total_tokens":1000},"output":[{"type":"web_search_call","id":"ws1","status":"completed","action":{"type":"search","query":"x"}}]}"#,
        "body",
        "0.01125",
    ),
];

#[test]
fn records_of_seconds_pictures_and_pages_come_out_at_their_price() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = String::new();
    for (n, (_, record, kind, _)) in RECORDS.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{n}.jsonl")), format!("{record}\n")).unwrap();
        sources.push_str(&format!(
            "[[source]]\nname = \"s{n}\"\nkind = \"{kind}\"\npaths = [\"{n}.jsonl\"]\n"
        ));
    }
    std::fs::write(folder.path().join("finops.toml"), sources).unwrap();
    let run = |args: &[&str]| {
        let output = finops(folder.path(), args);
        (output.status.code(), out(&output), err(&output))
    };
    let (code, out, err) = run(&["record", "--store", "sqlite:ledger.db"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (_, out, _) = run(&[
        "report",
        "--store",
        "sqlite:ledger.db",
        "--by",
        "model",
        "--from",
        "2026-10-01",
        "--to",
        "2026-11-01",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    for (model, _, _, cost) in RECORDS {
        let rows = report["rows"].as_array().unwrap();
        let row = rows.iter().find(|r| r["model"] == model);
        assert_eq!(
            row.map(|r| r["cost_usd"].as_str().unwrap()),
            Some(cost),
            "{model}: {out}"
        );
    }
    // Both answers of Gemini searched, within what is free; how often is told.
    let searches = |model: &str| {
        let rows = report["rows"].as_array().unwrap();
        rows.iter().find(|r| r["model"] == model).unwrap()["web_searches"].clone()
    };
    assert_eq!(searches("gemini-2.5-flash"), 1);
    assert_eq!(searches("gemini-3.1-flash-lite"), 2);
    // What is stored is what was read: pricing it anew changes nothing.
    let (code, out, err) = run(&["reprice", "--store", "sqlite:ledger.db", "--from", "2026-10-01"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("restated"), "{out}");
}

#[test]
fn metrics_are_refused_by_name_and_not_read_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = r#"{"resourceMetrics":[{"resource":{"attributes":[]},"scopeMetrics":[{"metrics":[{"name":"gen_ai.client.token.usage","histogram":{"aggregationTemporality":1,"dataPoints":[{"sum":1200,"count":"3","attributes":[{"key":"gen_ai.token.type","value":{"stringValue":"input"}}]}]}}]}]}]}"#;
    std::fs::write(folder.path().join("metrics.jsonl"), format!("{metrics}\n")).unwrap();
    let output = finops(folder.path(), &["record", "--store", "sqlite:x.db", "metrics.jsonl"]);
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(told.contains("export traces instead"), "{told}");
    assert!(told.contains("recorded 0 new calls"), "{told}");
}
