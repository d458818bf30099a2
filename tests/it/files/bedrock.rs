//! Amazon Bedrock model invocation logs.

use std::io::Write as _;

use finops::domain::dimension::Dimension;
use finops::domain::usage::{Bucket, EventId};

use super::{charged, read_on, read_text};

fn log(request: &str, rest: &str) -> String {
    format!(
        r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-10-20T08:15:04Z","accountId":"123456789012","identity":{{"arn":"arn:aws:iam::123456789012:role/app"}},"region":"eu-west-1","requestId":"{request}","operation":"Converse","modelId":"eu.m-1","requestMetadata":{{"team":"search","workflow":"wf-1"}},{rest}}}"#
    )
}

const STREAM: &str = r#""input":{"inputTokenCount":40,"cacheReadInputTokenCount":1200,"cacheWriteInputTokenCount":3000},"output":{"outputBodyJson":[{"type":"message_start","message":{"usage":{"input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000},"output_tokens":1}}},{"type":"message_delta","usage":{"output_tokens":220}}],"outputTokenCount":220}"#;
const CONVERSE: &str = r#""input":{"inputTokenCount":40,"cacheReadInputTokenCount":1200,"cacheWriteInputTokenCount":3000},"output":{"outputBodyJson":{"usage":{"inputTokens":40,"cacheDetails":[{"inputTokens":2000,"ttl":"1h"},{"inputTokens":1000,"ttl":"5m"}]}},"outputTokenCount":220}"#;
const BODY_ONLY: &str = r#""input":{},"output":{"outputBodyJson":[{"messageStart":{}},{"metadata":{"usage":{"inputTokens":40,"cacheReadInputTokens":1200,"cacheWriteInputTokens":3000,"outputTokens":220,"totalTokens":4460,"cacheDetails":[{"inputTokens":2000,"ttl":"1h"}]}}}]}"#;

#[test]
fn the_write_split_comes_from_the_body_whatever_its_shape() {
    for rest in [STREAM, CONVERSE, BODY_ONLY] {
        let call = read_text("a.json", log("r-1", rest)).only();
        let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
        assert_eq!(counts, [40, 1200, 1000, 2000, 0, 0, 220], "{rest}");
        assert_eq!(
            call.id,
            EventId::of(&[b"bedrock", b"123456789012", b"eu-west-1", b"r-1"])
        );
        let name = |d| call.dimensions.get(d).as_str();
        assert_eq!(
            (name(Dimension::Provider), name(Dimension::Model)),
            ("bedrock", "eu.m-1")
        );
        assert_eq!((name(Dimension::Team), name(Dimension::Workflow)), ("search", "wf-1"));
        assert_eq!(name(Dimension::Account), "123456789012");
        assert_eq!(name(Dimension::User), "arn:aws:iam::123456789012:role/app");
    }
}

#[test]
fn the_tier_that_served_a_call_stands_in_the_body() {
    for (rest, tier) in [
        (
            CONVERSE.replace(r#""usage":"#, r#""serviceTier":{"type":"flex"},"usage":"#),
            "flex",
        ),
        (
            BODY_ONLY.replace(r#""metadata":{"#, r#""metadata":{"serviceTier":{"type":"priority"},"#),
            "priority",
        ),
        (
            CONVERSE.replace(r#""usage":"#, r#""serviceTier":{"type":"default"},"usage":"#),
            "standard",
        ),
        (
            CONVERSE.replace(r#""usage":"#, r#""text":"\"serviceTier\"","usage":"#),
            "",
        ),
        // Of OpenAI's models, asked in their own words.
        (
            CONVERSE.replace(r#""usage":"#, r#""choices":[],"service_tier":"flex","usage":"#),
            "flex",
        ),
        (
            CONVERSE.replace(r#""usage":"#, r#""choices":[],"service_tier":"default","usage":"#),
            "standard",
        ),
    ] {
        let call = read_text("a.json", log("r-1", &rest)).only();
        assert_eq!((call.tier().as_str(), call.tokens.total()), (tier, 4460), "{rest}");
    }
}

/// How long what was written to the cache stays says the answer, else the request.
#[test]
fn writes_whose_answer_lies_elsewhere_stay_as_long_as_the_request_says_or_are_told() {
    let told = "invocation logs without the body of the answer do not say how long what was written to the cache stays: charged as for 5 minutes";
    let counts = r#""inputTokenCount":40,"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":3000"#;
    let elsewhere = r#""outputBodyS3Path":"s3://b/data/y.json.gz","outputTokenCount":220"#;
    let here = r#""outputBodyJson":{"usage":{"inputTokens":40,"cacheWriteInputTokens":3000,"outputTokens":220}},"outputTokenCount":220"#;
    let hour = r#"{"cachePoint":{"type":"default","ttl":"1h"}}"#;
    let minutes = r#"{"cachePoint":{"type":"default"}}"#;
    let hours = format!(r#"{{"system":[{{"text":"x"}},{hour}]}}"#);
    let both = format!(r#"{{"system":[{hour}],"messages":[{{"content":[{minutes}]}}]}}"#);
    let minutes = format!(r#"{{"system":[{minutes}]}}"#);
    for (model, request, output, writes, warned) in [
        ("m-1", "", elsewhere, [3000, 0], true),
        ("m-1", "", here, [3000, 0], false),
        ("amazon.nova-pro-v1:0", "", elsewhere, [3000, 0], false),
        ("m-1", hours.as_str(), elsewhere, [0, 3000], false),
        ("m-1", hours.as_str(), here, [3000, 0], false),
        ("m-1", minutes.as_str(), elsewhere, [3000, 0], false),
        ("m-1", both.as_str(), elsewhere, [3000, 0], true),
        (
            "m-1",
            r#"{"system":[{"type":"text","text":"\"ttl\":\"5m\"","cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#,
            elsewhere,
            [0, 3000],
            false,
        ),
        ("m-1", r#"{"messages":[]}"#, elsewhere, [3000, 0], true),
    ] {
        let request = match request {
            "" => String::new(),
            request => format!(r#","inputBodyJson":{request}"#),
        };
        let rest = format!(r#""input":{{{counts}{request}}},"output":{{{output}}}"#);
        let kept = read_text("a.json", log("r-1", &rest).replace("eu.m-1", model));
        let seen = [Bucket::CacheWrite5m, Bucket::CacheWrite1h].map(|b| kept.only().tokens.get(b));
        assert_eq!(seen, writes, "{rest}");
        assert_eq!(kept.warnings.contains_key(told), warned, "{rest}: {:?}", kept.warnings);
    }
}

/// They cost more than others, and no book says how much: never the price of others.
#[test]
fn calls_that_are_optimised_for_latency_have_a_speed() {
    let one = r#"{"performanceConfig":{"latency":"optimized"},"usage":{"inputTokens":40,"outputTokens":220}}"#;
    let stream = format!(r#"[{{"messageStart":{{}}}},{{"metadata":{one}}}]"#);
    let standard = one.replace("optimized", "standard");
    for (body, speed) in [
        (one, "optimized"),
        (stream.as_str(), "optimized"),
        (standard.as_str(), ""),
    ] {
        let rest =
            format!(r#""input":{{"inputTokenCount":40}},"output":{{"outputBodyJson":{body},"outputTokenCount":220}}"#);
        assert_eq!(
            read_text("a.json", log("r-1", &rest)).only().speed.as_str(),
            speed,
            "{body}"
        );
    }
    let answer = format!(r#"{{"timestamp":"2026-10-20T08:15:04Z","modelId":"amazon.nova-pro-v1:0","response":{one}}}"#);
    assert_eq!(read_text("a.json", answer).only().speed.as_str(), "optimized");
}

/// The Region tells where a model answers that is asked by its bare id; a profile answers where its name says.
#[test]
fn a_bare_id_costs_what_it_costs_in_the_region_that_was_asked() {
    let counts = r#""input":{"inputTokenCount":1000},"output":{"outputTokenCount":1000}"#;
    for (region, model, expected) in [
        ("sa-east-1", "meta.llama3-8b-instruct-v1:0", ("sa-east-1", "0.00151")),
        ("us-east-1", "meta.llama3-8b-instruct-v1:0", ("us-east-1", "0.0009")),
        ("eu-north-1", "meta.llama3-8b-instruct-v1:0", ("eu-north-1", "0.0009")),
        (
            "us-gov-west-1",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("us-gov-west-1", "0.0216"),
        ),
        (
            "eu-west-1",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("eu-west-1", "0.0198"),
        ),
        (
            "us-gov-west-1",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("", "0.018"),
        ),
        ("sa-east-1", "eu.amazon.nova-micro-v1:0", ("", "0.00023")),
        (
            "sa-east-1",
            "arn:aws:bedrock:sa-east-1:123456789012:inference-profile/eu.amazon.nova-micro-v1:0",
            ("", "0.00023"),
        ),
        ("", "meta.llama3-8b-instruct-v1:0", ("", "0.0009")),
    ] {
        let text = log("r-1", counts).replace("eu-west-1", region).replace("eu.m-1", model);
        let call = read_text("a.json", text).only();
        assert_eq!(
            (call.geo.as_str(), charged(&call).as_str()),
            expected,
            "{region} {model}"
        );
    }
}

#[test]
fn exports_of_cloudwatch_are_unwrapped() {
    let inner = log("r-1", CONVERSE);
    let text = serde_json::to_string(&inner).unwrap();
    for wrapped in [
        format!("2026-10-20T08:15:05.120Z {inner}"),
        format!(r#"{{"@timestamp":"x","@message":{text}}}"#),
        format!(r#"{{"timestamp":1792484104250,"message":{text},"ingestionTime":1792484104251}}"#),
        format!(
            r#"{{"events":[{{"timestamp":1,"message":"hello"}},{{"timestamp":2,"message":{text}}}],"nextForwardToken":"f"}}"#
        ),
        format!(
            r#"{{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{{"id":"1","timestamp":2,"message":{text}}}]}}"#
        ),
    ] {
        assert_eq!(read_text("a.json", &wrapped).only().tokens.total(), 4460, "{wrapped}");
    }
}

#[test]
fn failures_repetitions_and_bad_records_are_told() {
    let failed = log(
        "r-2",
        r#""errorCode":"ThrottlingException","input":{"inputBodyJson":{}}"#,
    );
    let cut = log("r-3", &format!(r#""errorCode":"ModelStreamErrorException",{CONVERSE}"#));
    let lines = [
        log("r-1", CONVERSE),
        failed.clone(),
        failed,
        cut,
        log("", CONVERSE),
        log(
            "r-4",
            r#""input":{"inputTokenCount":-5},"output":{"outputTokenCount":1}"#,
        ),
        log("r-5", r#""input":{},"output":{}"#),
        log("r-1", STREAM),
        r#"{"schemaType":"ModelInvocationLog","#.to_owned(),
        String::new(),
    ];
    let kept = read_text("a.jsonl", lines.join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (2, 3));
    assert_eq!(kept.excluded.get("failed_calls"), Some(&1));
    assert_eq!(kept.excluded.get("duplicate_records"), Some(&1));
    assert_eq!(kept.excluded.get("calls_without_usage"), Some(&1));
    let told: Vec<_> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
    assert_eq!(
        told,
        [(5, Some("requestId")), (6, Some("input.inputTokenCount")), (9, None)]
    );
}

#[test]
fn the_layout_in_s3_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let hour = "AWSLogs/123456789012/BedrockModelInvocationLogs/eu-west-1/2026/10/20/08";
    std::fs::create_dir_all(folder.path().join(hour)).unwrap();
    for (n, request) in ["r-1", "r-2"].into_iter().enumerate() {
        let path = folder.path().join(format!("{hour}/20261020T08{n}_x.json.gz"));
        let mut packed =
            flate2::write::GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
        packed.write_all(log(request, CONVERSE).as_bytes()).unwrap();
        packed.finish().unwrap();
    }
    let mut kept = super::Kept::default();
    read_on(folder.path(), &["AWSLogs"], &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (2, 0));
}

#[test]
fn what_the_log_does_not_count_the_body_does() {
    let usage = r#""usage":{"input_tokens":40,"cache_read_input_tokens":1200,"cache_creation_input_tokens":3000,"output_tokens":220}"#;
    let converse = r#"{"usage":{"inputTokens":40,"outputTokens":220,"cacheReadInputTokens":1200,"cacheWriteInputTokens":3000,"totalTokens":4460}}"#;
    let metrics = r#"[{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":40,"outputTokenCount":220,"cacheReadInputTokenCount":1200,"cacheWriteInputTokenCount":3000}}]"#;
    let stream = format!(
        r#"[{{"type":"message_start","message":{{{usage}}}}},{{"type":"message_delta","usage":{{"output_tokens":220}}}}]"#
    );
    let bodies = [
        format!("{{{usage}}}"),
        stream,
        converse.to_owned(),
        format!(r#"[{{"metadata":{converse}}}]"#),
        metrics.to_owned(),
    ];
    let whole = [40, 1200, 3000, 0, 0, 0, 220];
    for body in &bodies {
        for (input, output, expected) in [
            (r#""inputTokenCount":40"#, r#","outputTokenCount":220"#, whole),
            // All input in one number.
            (r#""inputTokenCount":4240"#, r#","outputTokenCount":220"#, whole),
            (r#""inputTokenCount":40"#, "", whole),
            (r#""inputTokenCount":null"#, r#","outputTokenCount":220"#, whole),
            // What the log says counts.
            (
                r#""inputTokenCount":40,"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":7"#,
                r#","outputTokenCount":9"#,
                [40, 0, 7, 0, 0, 0, 9],
            ),
        ] {
            let rest = format!(r#""input":{{{input}}},"output":{{"outputBodyJson":{body}{output}}}"#);
            let call = read_text("a.json", log("r-1", &rest)).only();
            let counts: Vec<u64> = Bucket::TEXT.iter().map(|b| call.tokens.get(*b)).collect();
            assert_eq!(counts, expected, "{rest}");
        }
    }
}

#[test]
fn counts_of_metas_models_and_of_titan_stand_in_their_bodies() {
    let one = r#"{"generation":"x","prompt_token_count":40,"generation_token_count":220,"stop_reason":"stop"}"#;
    let stream = r#"[{"generation":"x","prompt_token_count":40,"generation_token_count":1},{"generation":"","prompt_token_count":null,"generation_token_count":220}]"#;
    let titan = r#"{"inputTextTokenCount":40,"results":[{"tokenCount":220,"outputText":"x"}]}"#;
    let titan_stream = r#"[{"outputText":"x","totalOutputTextTokenCount":null,"inputTextTokenCount":null},{"totalOutputTextTokenCount":220,"inputTextTokenCount":40}]"#;
    for body in [one, stream, titan, titan_stream] {
        let rest = format!(r#""input":{{}},"output":{{"outputBodyJson":{body}}}"#);
        let call = read_text("a.json", log("r-1", &rest)).only();
        let counts = [Bucket::InputUncached, Bucket::Output].map(|b| call.tokens.get(b));
        assert_eq!(counts, [40, 220], "{body}");
        if body.starts_with('{') {
            let batch = format!(r#"{{"recordId":"R1","modelInput":{{}},"modelOutput":{body}}}"#);
            let call = read_text("a.jsonl", batch).only();
            let counts = [Bucket::InputUncached, Bucket::Output].map(|b| call.tokens.get(b));
            assert_eq!(
                (counts, call.tier().as_str(), call.provider().as_str()),
                ([40, 220], "batch", "bedrock"),
                "{body}"
            );
        }
    }
    let embedding = r#"{"recordId":"R1","modelInput":{},"modelOutput":{"embedding":[0.1],"inputTextTokenCount":9}}"#;
    assert_eq!(read_text("a.jsonl", embedding).only().tokens.total(), 9);
}

#[test]
fn bodies_that_lie_beside_the_logs_are_no_calls() {
    let folder = tempfile::tempdir().unwrap();
    let hour = folder
        .path()
        .join("AWSLogs/1/BedrockModelInvocationLogs/eu-west-1/2026/10/20/08");
    std::fs::create_dir_all(hour.join("data")).unwrap();
    std::fs::write(hour.join("a.json"), log("r-1", CONVERSE)).unwrap();
    let body = r#"{"id":"msg_bdrk_01","type":"message","model":"m","usage":{"input_tokens":40,"output_tokens":220}}"#;
    std::fs::write(hour.join("data/r-1_output.json"), body).unwrap();
    for path in ["AWSLogs", "AWSLogs/**/*.json"] {
        let mut kept = super::Kept::default();
        read_on(folder.path(), &[path], &mut kept);
        assert_eq!((kept.calls.len(), kept.rejected.len()), (1, 0), "{path}");
    }
}

#[test]
fn a_total_of_converse_that_says_that_input_includes_cached_tokens_is_told() {
    let told = "totals say that input includes cached tokens, which this format excludes (Bedrock invocation log)";
    for (input, warned) in [(4240, true), (40, false)] {
        let body = format!(
            r#"{{"usage":{{"inputTokens":{input},"outputTokens":220,"cacheReadInputTokens":1200,"cacheWriteInputTokens":3000,"totalTokens":4460}}}}"#
        );
        let rest = format!(
            r#""input":{{"inputTokenCount":{input},"cacheReadInputTokenCount":1200,"cacheWriteInputTokenCount":3000}},"output":{{"outputBodyJson":{body},"outputTokenCount":220}}"#
        );
        let kept = read_text("a.json", log("r-1", &rest));
        assert_eq!(kept.only().tokens.get(Bucket::InputUncached), input);
        assert_eq!(kept.warnings.contains_key(told), warned, "{:?}", kept.warnings);
    }
}
