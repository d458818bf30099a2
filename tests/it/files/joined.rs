//! One call, as several witnesses tell it: logs of gateways, spans, answers, exports and the provider's own log. Whatever two of them share
//! an id of the response (or of AWS's request), they are one call, in either order, in one run or in two.

use serde_json::{Value, json};

use super::{Kept, aged, read_on};

const AT: &str = "2026-10-20T08:15:04Z";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// Reads records, each in a file of its own, in this order, in one run or one after the other.
fn calls(records: &[&Value], runs: bool) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    for (n, record) in records.iter().enumerate() {
        let file = folder.path().join(format!("{n}.jsonl"));
        std::fs::write(&file, format!("{record}\n")).unwrap();
        aged(&file);
        if runs {
            read_on(folder.path(), &[&format!("{n}.jsonl")], &mut kept);
        }
    }
    if !runs {
        read_on(folder.path(), &["*.jsonl"], &mut kept);
    }
    assert_eq!(kept.rejected, [], "{records:?}");
    kept
}

fn span(attributes: &Value) -> Value {
    let of = |value: &Value| match value {
        Value::Number(n) => json!({"intValue": n.to_string()}),
        other => json!({"stringValue": other}),
    };
    let attributes: Vec<Value> = attributes
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({"key": key, "value": of(value)}))
        .collect();
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "app"}, "spans": [{
        "traceId": TRACE, "spanId": SPAN, "name": "chat", "kind": 3,
        "startTimeUnixNano": "1792484104000000000", "endTimeUnixNano": "1792484105000000000",
        "attributes": attributes,
    }]}]}]})
}

fn chat_span(provider: &str, model: &str, id: &str) -> Value {
    span(&json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.response.model": model, "gen_ai.response.id": id,
        "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 300,
    }))
}

fn row(provider: &str, model: &str, id: &str) -> Value {
    json!({
        "request_id": id, "call_type": "acompletion", "startTime": AT, "endTime": AT, "model": model, "custom_llm_provider": provider,
        "prompt_tokens": 2000, "completion_tokens": 300, "total_tokens": 2300, "spend": 0.01, "metadata": "{}", "cache_hit": "None",
    })
}

fn langfuse(model: &str, id: &str, trace: &str) -> Value {
    json!({
        "id": id, "traceId": trace, "type": "GENERATION", "startTime": AT, "model": model,
        "usageDetails": {"input": 2000, "output": 300, "total": 2300}, "calculatedTotalCost": 0.01,
    })
}

fn helicone(provider: &str, model: &str, answer: &Value) -> Value {
    json!({
        "request_id": "3f2b8a1c-0000-4000-8000-00000000a00c", "request_created_at": AT, "request_model": model, "response_model": model,
        "provider": provider, "prompt_tokens": 2000, "completion_tokens": 300, "total_tokens": 2300, "response_status": 200,
        "response_body": answer,
    })
}

/// An answer of OpenAI's form, as it is logged.
fn answer(model: &str, id: &str) -> Value {
    json!({
        "id": id, "object": "chat.completion", "created": 1_792_484_104, "model": model, "choices": [],
        "usage": {"prompt_tokens": 2000, "completion_tokens": 300, "total_tokens": 2300},
    })
}

#[test]
fn witnesses_of_one_call_that_share_its_id_are_one_call() {
    let mut groups: Vec<Vec<Value>> = Vec::new();
    for (provider, model, id) in [
        ("openai", "gpt-5", "chatcmpl-CRb5xqLwVPMnJsO7mB0Dz"),
        ("openai", "gpt-5", "chatcmpl-019a3f2b8a1c"),
        ("openai", "gpt-3.5-turbo-instruct", "cmpl-7QyqpwdfhqwajicIEznoc6Q47XAyW"),
        ("xai", "grok-4", "da2f5c3e-9b1a-4b6e-8f0d-3c2b1a0f9e8d"),
        ("deepseek", "deepseek-chat", "6f1b9a52-1111-4222-8333-444455556666"),
        ("mistral", "mistral-large-2512", "cb1a2e3d4f5061728394a5b6c7d8e9f0"),
    ] {
        let body = answer(model, id);
        let callback = format!("time-08-15-04-120000_{id}");
        groups.push(vec![
            row(provider, model, id),
            chat_span(provider, model, id),
            helicone(provider, model, &body),
            body,
            langfuse(model, &callback, "9c"),
        ]);
    }
    let gemini = "mAitaLmkHPPlz7IPvtfUqQ4";
    groups.push(vec![
        json!({"responseId": gemini, "modelVersion": "gemini-2.5-pro", "createTime": AT, "candidates": [],
            "usageMetadata": {"promptTokenCount": 2000, "candidatesTokenCount": 300, "totalTokenCount": 2300}}),
        row("gemini", "gemini-2.5-pro", gemini),
        chat_span("gcp.gemini", "gemini-2.5-pro", gemini),
    ]);
    // A span, handed over by Langfuse's SDK, and the observation that the server makes of it.
    groups.push(vec![
        span(&json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5",
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 300,
        })),
        langfuse("gpt-5", SPAN, TRACE),
    ]);
    let mut of_span = langfuse("gpt-5", SPAN, TRACE);
    of_span["metadata"] = json!({"attributes": {"gen_ai.response.id": "chatcmpl-CRb5xqLwVPMnJsO7mB0Dz"}});
    groups.push(vec![of_span, answer("gpt-5", "chatcmpl-CRb5xqLwVPMnJsO7mB0Dz")]);
    // OpenRouter's answer and a record of the plain format that has its id.
    groups.push(vec![
        json!({"id": "gen-1760948104-AbCdEf", "ts": AT, "provider": "openrouter", "model": "openai/gpt-5", "input_tokens": 2000, "output_tokens": 300}),
        chat_span("openrouter", "openai/gpt-5", "gen-1760948104-AbCdEf"),
    ]);
    // Bedrock: a message has an id of its own, an answer of Converse goes by its request.
    let (model, request) = (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "5c0f7a1e-0000-4000-8000-00000000a001",
    );
    let log = |body: Value| {
        json!({
            "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": AT, "accountId": "123456789012", "region": "us-east-1",
            "requestId": request, "operation": "InvokeModel", "modelId": model, "input": {"inputTokenCount": 2000},
            "output": {"outputTokenCount": 300, "outputBodyJson": body},
        })
    };
    let message = json!({
        "id": "msg_bdrk_01AbCdEfGh", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001", "content": [],
        "stop_reason": "end_turn", "usage": {"input_tokens": 2000, "output_tokens": 300},
    });
    let stream = json!([
        {"type": "message_start", "message": message},
        {"type": "message_delta", "usage": {"output_tokens": 300}},
    ]);
    for body in [message.clone(), stream] {
        groups.push(vec![
            log(body),
            json!({"timestamp": AT, "response": message}),
            chat_span("aws.bedrock", model, "msg_bdrk_01AbCdEfGh"),
            json!({
                "isSidechain": false, "cwd": "/srv/shop", "sessionId": "3c9a0c1e-0000-4000-8000-000000000001", "version": "2.1.30",
                "type": "assistant", "uuid": "u1", "timestamp": AT, "requestId": "req_1", "message": message,
            }),
        ]);
    }
    groups.push(vec![
        log(json!({"output": {"message": {"role": "assistant", "content": []}}, "usage": {"inputTokens": 2000, "outputTokens": 300}})),
        json!({
            "modelId": model, "ResponseMetadata": {"RequestId": request, "HTTPHeaders": {"date": "Tue, 20 Oct 2026 08:15:04 GMT"}},
            "output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn", "metrics": {"latencyMs": 900},
            "usage": {"inputTokens": 2000, "outputTokens": 300, "totalTokens": 2300},
        }),
        span(&json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock", "gen_ai.request.model": model, "aws.request_id": request,
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 300,
        })),
    ]);
    for group in groups {
        for (n, one) in group.iter().enumerate() {
            for other in group.iter().skip(n + 1) {
                for (pair, runs) in [
                    ([one, other], false),
                    ([other, one], false),
                    ([one, other], true),
                    ([other, one], true),
                ] {
                    let kept = calls(&pair, runs);
                    assert_eq!(kept.calls.len(), 1, "{runs} {pair:#?} {:#?}", kept.calls);
                    let [input, .., output, _] = kept.totals();
                    assert_eq!((input, output), (2000, 300), "{pair:#?}");
                }
            }
        }
        let kept = calls(&group.iter().collect::<Vec<_>>(), false);
        assert_eq!(kept.calls.len(), 1, "{group:#?}");
    }
}

#[test]
fn numbers_that_a_server_draws_among_few_are_no_identities() {
    // Ollama's ids are one of 999: <https://github.com/ollama/ollama/blob/main/middleware/openai.go>.
    let of = |created: u64, tokens: u64| {
        json!({
            "id": "chatcmpl-417", "object": "chat.completion", "created": created, "model": "qwen3:8b", "system_fingerprint": "fp_ollama",
            "choices": [], "usage": {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1},
        })
    };
    let (one, other) = (of(1_792_484_104, 10), of(1_792_484_900, 20));
    let kept = calls(&[&one, &other, &one], false);
    assert_eq!((kept.calls.len(), kept.totals()[0]), (2, 30));
    let mut later = row("openai", "qwen3:8b", "chatcmpl-417");
    later["startTime"] = json!("2026-10-20T09:00:00Z");
    let kept = calls(&[&row("openai", "qwen3:8b", "chatcmpl-417"), &later], false);
    assert_eq!(kept.calls.len(), 2);
    // Nor is what names the trace one: it is of several calls.
    let trace = chat_span("openai", "gpt-5", TRACE);
    let mut next = trace.clone();
    next["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = json!("00f067aa0ba902b7");
    next["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"] = json!("1792484110000000000");
    next["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["endTimeUnixNano"] = json!("1792484111000000000");
    let kept = calls(&[&trace, &next], false);
    assert_eq!(kept.calls.len(), 2);
}
