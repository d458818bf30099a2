//! One call that several logs tell: whose usage counts, whose names, and what is taken over from the others.

use std::path::Path;

use serde_json::{Value, json};

use super::super::support::{err, json as parsed, out, program};

/// OpenAI's answers tell when they were made in whole seconds.
const MADE: i64 = 1_792_484_104;
const ID: &str = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG";

/// 464 uncached, 1536 cached and 300 answered tokens: $0.003772, half of it at flex and in batches.
fn usage() -> Value {
    json!({"prompt_tokens": 2000, "completion_tokens": 300, "total_tokens": 2300,
        "prompt_tokens_details": {"cached_tokens": 1536}})
}

fn answer(more: &Value) -> Value {
    let mut answer = json!({"id": ID, "object": "chat.completion", "created": MADE, "model": "gpt-5-2025-08-07",
        "choices": [], "usage": usage()});
    for (key, value) in more.as_object().unwrap() {
        answer[key] = value.clone();
    }
    answer
}

/// A row of LiteLLM's that tells whose the call is, and began a little earlier than the provider answered.
fn row(start: &str) -> Value {
    json!({"request_id": ID, "call_type": "acompletion", "spend": 0.01, "total_tokens": 2300, "prompt_tokens": 2000,
        "completion_tokens": 300, "startTime": start, "endTime": "2026-10-20T08:15:07Z", "model": "gpt-5-2025-08-07",
        "custom_llm_provider": "openai", "user": "u-9", "status": "success", "cache_hit": "None",
        "metadata": json!({"user_api_key_team_alias": "docs", "usage_object": usage()}).to_string()})
}

fn span(provider: &str, model: &str, id: &str, more: &[(&str, Value)]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.response.model", model),
        text("gen_ai.response.id", id),
    ];
    attributes.extend(more.iter().map(|(key, value)| json!({"key": key, "value": value})));
    json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": [{
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "chat",
        "startTimeUnixNano": format!("{MADE}120000000"), "endTimeUnixNano": format!("{}000000000", MADE + 2),
        "attributes": attributes}]}]}]})
}

fn span_of_answer(more: &[(&str, Value)]) -> Value {
    let count = |n: &str| json!({"intValue": n});
    let counts = [
        ("gen_ai.usage.input_tokens", count("2000")),
        ("gen_ai.usage.cache_read.input_tokens", count("1536")),
        ("gen_ai.usage.output_tokens", count("300")),
    ];
    span("openai", "gpt-5-2025-08-07", ID, &[&counts[..], more].concat())
}

fn run(folder: &Path, args: &[&str]) -> Value {
    let output = program(folder)
        .args(["--now", "2026-10-28T00:00:00Z", "--format", "json"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.code() < Some(2), "{args:?} {}", err(&output));
    parsed(&output)
}

/// The only call of a ledger.
fn only(folder: &Path, store: &str) -> Value {
    let calls = run(folder, &["--store", store, "explain", "--top", "9"]);
    let calls = calls["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1, "{calls:?}");
    run(folder, &["--store", store, "explain", calls[0]["id"].as_str().unwrap()])
}

/// What becomes of two records of a call, which do not depend on their order and on the run that reads them.
fn call(one: &Value, other: &Value) -> Value {
    let mut told: Vec<Value> = Vec::new();
    for (n, [first, second]) in [[one, other], [other, one]].into_iter().enumerate() {
        for apart in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = format!("sqlite:{n}-{apart}.db");
            for (name, record) in [("a.jsonl", first), ("b.jsonl", second)] {
                std::fs::write(folder.path().join(name), format!("{record}\n")).unwrap();
            }
            let runs: &[&[&str]] = if apart {
                &[&["a.jsonl"], &["b.jsonl"]]
            } else {
                &[&["a.jsonl", "b.jsonl"]]
            };
            for files in runs {
                run(folder.path(), &[&["--store", &store, "record"], *files].concat());
            }
            let call = only(folder.path(), &store);
            told.push(
                json!({"cost": call["price"]["cost_usd"], "reported": call["reported_cost_usd"],
                "at": call["at"], "names": call["dimensions"]}),
            );
        }
    }
    assert!(told.iter().all(|call| *call == told[0]), "{told:#?}");
    told.remove(0)
}

#[test]
fn a_finer_clock_takes_neither_tier_nor_caches_from_the_answer() {
    let flex = answer(&json!({"service_tier": "flex"}));
    let told = call(&flex, &span_of_answer(&[]));
    assert_eq!(
        (&told["cost"], &told["names"]["tier"]),
        (&json!("0.001886"), &json!("flex"))
    );

    let in_batch = json!({"id": "batch_req_1", "custom_id": "c", "error": null,
        "response": {"status_code": 200, "request_id": "r", "body": answer(&json!({}))}});
    let told = call(&in_batch, &row("2026-10-20T08:15:04.500Z"));
    assert_eq!(
        (&told["cost"], &told["names"]["tier"]),
        (&json!("0.001886"), &json!("batch"))
    );
    assert_eq!(
        (&told["reported"], &told["names"]["team"]),
        (&json!("0.01"), &json!("docs"))
    );

    let id = "msg_014V2hNpSyWC4KMQ3yRF6GWk";
    let body = json!({"timestamp": "2026-10-20T08:15:04Z", "response": {"id": id, "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-6", "stop_reason": "end_turn", "usage": {"input_tokens": 12, "output_tokens": 210,
        "cache_creation_input_tokens": 900, "cache_read_input_tokens": 41000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 900}}}});
    let counts = [
        ("gen_ai.usage.input_tokens", json!({"intValue": "41912"})),
        ("gen_ai.usage.output_tokens", json!({"intValue": "210"})),
    ];
    let told = call(&body, &span("anthropic", "claude-sonnet-4-6", id, &counts));
    assert_eq!(told["cost"], "0.020886", "for an hour, and read from the cache");
}

#[test]
fn what_the_better_witness_does_not_tell_is_taken_from_the_others() {
    let tier = [("openai.response.service_tier", json!({"stringValue": "flex"}))];
    let told = call(&row("2026-10-20T08:15:04.500Z"), &span_of_answer(&tier));
    assert_eq!(
        (&told["cost"], &told["names"]["tier"]),
        (&json!("0.001886"), &json!("flex"))
    );
    assert_eq!(told["reported"], "0.01");
    let standard = answer(&json!({"service_tier": "default"}));
    let told = call(&standard, &span_of_answer(&tier));
    assert_eq!(
        (&told["cost"], &told["names"]["tier"]),
        (&json!("0.003772"), &json!("standard"))
    );
}

#[test]
fn a_witness_without_names_takes_none_from_a_call() {
    for start in ["2026-10-20T08:15:03.500Z", "2026-10-20T08:15:04.500Z"] {
        let told = call(&row(start), &answer(&json!({})));
        let names = &told["names"];
        assert_eq!(
            (&names["team"], &names["user"]),
            (&json!("docs"), &json!("u-9")),
            "{start}"
        );
        assert_eq!(told["cost"], "0.003772");
    }
}

#[test]
fn an_alert_stays_and_explain_says_what_is_true_when_a_witness_without_names_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("policies/budgets")).unwrap();
    write(
        "policies/budgets/docs.toml",
        "[[budget]]\nname = \"docs\"\nscope = { team = \"docs\" }\namount = \"0.001 USD\"\nperiod = \"month\"\n",
    );
    let of_gateway = row("2026-10-20T08:15:04.500Z");
    write("gateway.jsonl", &format!("{of_gateway}\n"));
    write("answers.jsonl", &format!("{}\n", answer(&json!({}))));
    let source = |name: &str, kind: &str| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npaths = [\"{name}.jsonl\"]\n")
    };
    let settings =
        "policies = \"policies\"\n[store]\nurl = \"sqlite:l.db\"\n".to_owned() + &source("gateway", "litellm");
    let alerts = || {
        run(folder.path(), &["run"]);
        let alerts = run(folder.path(), &["alert", "list"]);
        let alerts = alerts["alerts"].as_array().unwrap().iter();
        let steps: Vec<String> = alerts
            .map(|alert| format!("{} {}", alert["id"], alert["state"]))
            .collect();
        steps
    };
    write("finops.toml", &settings);
    let before = alerts();
    assert!(before.iter().any(|step| step.contains("firing")), "{before:?}");
    write("finops.toml", &(settings + &source("answers", "body")));
    assert_eq!(alerts(), before, "nothing has changed for the team");

    let told = run(folder.path(), &["explain", "--top", "1"]);
    let id = told["calls"][0]["id"].as_str().unwrap();
    let page = out(&program(folder.path())
        .args(["--now", "2026-10-28T00:00:00Z", "explain", id])
        .output()
        .unwrap());
    for said in [
        "reported 0.01 USD by a record of the call, kept beside",
        "record   source answers, usage from line 1 of a file",
        "answers.jsonl:1",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
}
