//! Spans that gateways send: OpenRouter (Broadcast), Bifrost and Cloudflare's AI Gateway.

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, UsageEvent};

use super::{Kept, read_text};

/// An attribute: text, or a number as JSON writes it.
type Attribute<'a> = (&'a str, &'a str);

fn span(id: &str, parent: &str, attributes: &[Attribute<'_>]) -> String {
    let attribute = |(key, value): &Attribute<'_>| {
        let kind = match value.parse::<u64>() {
            Ok(_) => "intValue",
            Err(_) if value.parse::<f64>().is_ok() => "doubleValue",
            Err(_) => return format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#),
        };
        format!(r#"{{"key":"{key}","value":{{"{kind}":{value}}}}}"#)
    };
    let attributes: Vec<String> = attributes.iter().map(attribute).collect();
    format!(
        r#"{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"{id}","parentSpanId":"{parent}","name":"n","startTimeUnixNano":"1792484104250000000","endTimeUnixNano":"1792484105250000000","attributes":[{}]}}"#,
        attributes.join(",")
    )
}

fn read(gateway: &str, spans: &[String]) -> Kept {
    let resource = format!(r#"{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{gateway}"}}}}]}}"#);
    let spans = spans.join(",");
    let text = format!(
        r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"scope":{{"name":"{gateway}"}},"spans":[{spans}]}}]}}]}}"#
    );
    read_text("a.jsonl", text)
}

/// Uncached, read, written for 5 minutes and for an hour, output, audio of both sides.
fn counts(call: &UsageEvent) -> [u64; 7] {
    [
        Bucket::InputUncached,
        Bucket::CacheRead,
        Bucket::CacheWrite5m,
        Bucket::CacheWrite1h,
        Bucket::Output,
        Bucket::AudioIn,
        Bucket::AudioOut,
    ]
    .map(|bucket| call.tokens.get(bucket))
}

fn cost(call: &UsageEvent) -> String {
    call.reported_cost.map_or_else(String::new, |cost| cost.to_string())
}

fn name(call: &UsageEvent, dimension: Dimension) -> &'static str {
    call.dimensions.get(dimension).as_str()
}

const ASKED: [Attribute<'static>; 4] = [
    ("gen_ai.operation.name", "chat"),
    ("gen_ai.provider.name", "anthropic"),
    ("gen_ai.request.model", "anthropic/claude-sonnet-4.6"),
    ("gen_ai.response.id", "gen-1795860000-abcdefghijklmnopqrst"),
];

#[test]
fn what_openrouter_broadcasts_is_its_call_with_its_cost_and_what_became_of_it_is_silent() {
    let root = [
        &ASKED[..],
        &[
            ("span.type", "generation"),
            ("gen_ai.usage.input_tokens", "31508"),
            ("gen_ai.usage.output_tokens", "200"),
            ("gen_ai.usage.input_tokens.cached", "500"),
            ("gen_ai.usage.input_tokens.cache_write", "30000"),
            ("gen_ai.usage.input_tokens.cache_write_5m", "10000"),
            ("gen_ai.usage.input_tokens.cache_write_1h", "20000"),
            ("gen_ai.usage.total_cost", "0.1862"),
            ("trace.metadata.openrouter.provider_name", "Amazon Bedrock"),
            ("trace.metadata.openrouter.api_key_name", "web shop"),
            ("trace.metadata.team", "search"),
        ],
    ]
    .concat();
    let part = |id: &str, what: &str| {
        let asked = [
            ("span.type", "span"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.response.id", what),
        ];
        span(id, "01", &asked)
    };
    let parts = [
        part("02", "gen-1795860000-abcdefghijklmnopqrst:attempt-0"),
        part("03", "gen-1795860000-abcdefghijklmnopqrst:generation"),
    ];
    let root = span("01", "", &root);
    for spans in [
        [root.clone(), parts[0].clone(), parts[1].clone()],
        [parts[0].clone(), parts[1].clone(), root],
    ] {
        let kept = read("openrouter", &spans);
        assert!(
            kept.warnings.is_empty() && kept.excluded.is_empty(),
            "{:?}",
            kept.warnings
        );
        let call = kept.only();
        assert_eq!(counts(&call), [1008, 500, 10_000, 20_000, 200, 0, 0]);
        assert_eq!(
            (name(&call, Dimension::Provider), cost(&call).as_str()),
            ("openrouter", "0.1862")
        );
        assert_eq!(
            (name(&call, Dimension::Team), name(&call, Dimension::Project)),
            ("search", "web shop")
        );
    }
}

#[test]
fn the_id_of_an_answer_of_openrouters_tells_who_sold_it_whoever_traces() {
    let used = [("gen_ai.usage.input_tokens", "70"), ("gen_ai.usage.output_tokens", "7")];
    for (provider, seller) in [("openai", "openrouter"), ("our-gateway", "our-gateway")] {
        let own = [
            ("gen_ai.provider.name", provider),
            ASKED[0],
            ASKED[2],
            ASKED[3],
            used[0],
            used[1],
        ];
        let call = read("lib", &[span("01", "", &own)]).only();
        assert_eq!(name(&call, Dimension::Provider), seller);
    }
    // Of another's nothing is said.
    let own = [
        ASKED[0],
        ASKED[1],
        ASKED[2],
        ("gen_ai.response.id", "msg_01"),
        used[0],
        used[1],
    ];
    let call = read("lib", &[span("01", "", &own)]).only();
    assert_eq!(name(&call, Dimension::Provider), "anthropic");
}

#[test]
fn what_bifrost_tells_of_caches_and_audio_is_read_by_the_names_of_each_of_its_versions() {
    let base = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "claude-sonnet-4-6"),
        ("gen_ai.usage.prompt_tokens", "31508"),
        ("gen_ai.usage.completion_tokens", "200"),
        ("gen_ai.usage.cost", "0.12"),
        ("gen_ai.team_name", "search"),
        ("gen_ai.virtual_key_name", "web shop"),
    ];
    let old = [
        ("gen_ai.usage.prompt_token_details.cached_read_tokens", "500"),
        ("gen_ai.usage.prompt_token_details.cached_write_tokens", "30000"),
    ];
    let new = [
        ("gen_ai.usage.cache_read.input_tokens", "500"),
        ("gen_ai.usage.cache_creation.input_tokens", "30000"),
    ];
    let split = [
        ("gen_ai.usage.prompt_token_details.cached_write_tokens_5m", "10000"),
        ("gen_ai.usage.prompt_token_details.cached_write_tokens_1h", "20000"),
    ];
    let audio = [
        ("gen_ai.usage.prompt_token_details.audio_tokens", "300"),
        ("gen_ai.usage.completion_token_details.audio_tokens", "50"),
    ];
    let hour = [1008, 500, 10_000, 20_000, 200, 0, 0];
    for (told, expected) in [
        (old.to_vec(), [1008, 500, 30_000, 0, 200, 0, 0]),
        ([&old[..], &new].concat(), [1008, 500, 30_000, 0, 200, 0, 0]),
        ([&new[..], &split].concat(), hour),
        ([&split[..], &new].concat(), hour),
        (audio.to_vec(), [31_208, 0, 0, 0, 150, 300, 50]),
    ] {
        let call = read("bifrost-otel-plugin", &[span("01", "", &[&base[..], &told].concat())]).only();
        assert_eq!(counts(&call), expected, "{told:?}");
        assert_eq!((cost(&call).as_str(), name(&call, Dimension::Team)), ("0.12", "search"));
        assert_eq!(name(&call, Dimension::Project), "web shop");
    }
}

#[test]
fn calls_of_cloudflares_gateway_are_of_the_provider_that_it_names_and_what_was_cached_is_not_told() {
    for (provider, model, seller) in [
        ("openai", "gpt-4o", "openai"),
        ("azure-openai", "gpt-4o", "azure"),
        ("google-ai-studio", "gemini-2.5-pro", "google"),
        ("google-vertex-ai", "gemini-2.5-pro", "vertex"),
        ("aws-bedrock", "claude-sonnet-4-6", "bedrock"),
        ("grok", "grok-4", "xai"),
        ("openrouter", "openai/gpt-4o", "openrouter"),
        ("workers-ai", "@cf/meta/llama-3.1-8b-instruct", "cloudflare"),
    ] {
        let told = [
            ("gen_ai.request.model", model),
            ("gen_ai.model.provider", provider),
            ("gen_ai.usage.input_tokens", "1608"),
            ("gen_ai.usage.output_tokens", "208"),
            ("gen_ai.usage.cost", "0.0051"),
            ("team", "search"),
        ];
        let kept = read("ai-gateway", &[span("01", "", &told)]);
        let warned: Vec<&String> = kept.warnings.keys().collect();
        assert!(
            matches!(warned.as_slice(), [one] if one.contains("Cloudflare's AI Gateway")),
            "{warned:?}"
        );
        let call = kept.only();
        assert_eq!(
            (name(&call, Dimension::Provider), name(&call, Dimension::Model)),
            (seller, model)
        );
        assert_eq!(
            (cost(&call).as_str(), name(&call, Dimension::Team)),
            ("0.0051", "search")
        );
        assert_eq!(counts(&call), [1608, 0, 0, 0, 208, 0, 0]);
    }
}
