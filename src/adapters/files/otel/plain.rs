//! A span a line as OpenTelemetry's SDK for JavaScript holds it, which GitHub Copilot writes to a file of its own: attributes are an object
//! with plain values, times are seconds and nanoseconds.

use serde_json::{Map, Value, json};

/// GitHub as its Copilot names it, and as seller of models.
const GITHUB: [&str; 2] = ["github", "github-copilot"];

/// The export request that says the same; nothing of what is no such span.
#[cold]
pub(super) fn request(text: &str) -> Option<String> {
    let Value::Object(span) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let (trace, id) = (span.get("traceId")?.as_str()?, span.get("spanId")?.as_str()?);
    let start = nanoseconds(span.get("startTime")?)?;
    let attributes = span.get("attributes")?.as_object()?;
    let around = |name: &str| span.get(name).cloned().unwrap_or_default();
    let (resource, scope) = (around("resource"), around("instrumentationScope"));
    let parent = span.get("parentSpanContext").and_then(|parent| parent.get("spanId"));
    let parent = span.get("parentSpanId").or(parent);
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": listed(resource.get("attributes").and_then(Value::as_object))},
        "scopeSpans": [{
            "scope": {"name": scope.get("name")},
            "spans": [{
                "traceId": trace,
                "spanId": id,
                "parentSpanId": parent,
                "name": span.get("name"),
                "startTimeUnixNano": start,
                "endTimeUnixNano": span.get("endTime").and_then(nanoseconds),
                "attributes": listed(Some(attributes)),
                "status": span.get("status"),
            }],
        }],
    }]});
    Some(request.to_string())
}

/// A time of two numbers in nanoseconds of the epoch.
fn nanoseconds(time: &Value) -> Option<String> {
    let [seconds, rest] = time.as_array()?.as_slice() else {
        return None;
    };
    let nanoseconds = seconds.as_u64()?.checked_mul(1_000_000_000)?;
    Some(nanoseconds.checked_add(rest.as_u64()?)?.to_string())
}

fn listed(attributes: Option<&Map<String, Value>>) -> Vec<Value> {
    let one = |(key, value): (&String, &Value)| {
        let [own, seller] = GITHUB;
        let value = match key.as_str() {
            "gen_ai.provider.name" | "gen_ai.system" if value == own => any(&Value::from(seller)),
            _ => any(value),
        };
        json!({"key": key, "value": value})
    };
    attributes.into_iter().flatten().map(one).collect()
}

/// A value with the name of its type.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(yes) => json!({"boolValue": yes}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(list) => json!({"arrayValue": {"values": list.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(_) => json!({"stringValue": value.to_string()}),
    }
}
