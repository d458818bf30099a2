//! What a request to Bedrock asked to be kept in a cache.

use serde_json::Value;
use serde_json::value::RawValue;

/// How long what a request marks is to stay in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// All of it for an hour.
    Hour,
    /// None of it for an hour.
    Minutes,
    /// A part of it for an hour, or nothing is marked, or the request is not at hand.
    Unknown,
}

/// How long all is to stay that a request marks: with points of Converse, with Claude's own marks otherwise.
pub(super) fn stay(request: Option<&RawValue>) -> Stay {
    let request = request.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let (mut marks, mut hours) = (0_u32, 0_u32);
    count(&request.unwrap_or(Value::Null), &mut marks, &mut hours);
    match (marks, hours) {
        (0, _) => Stay::Unknown,
        (_, 0) => Stay::Minutes,
        (marks, hours) if marks == hours => Stay::Hour,
        _ => Stay::Unknown,
    }
}

fn count(value: &Value, marks: &mut u32, hours: &mut u32) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                if matches!(key.as_str(), "cachePoint" | "cache_control") && inner.is_object() {
                    *marks = marks.saturating_add(1);
                    let hour = inner.get("ttl").and_then(Value::as_str) == Some("1h");
                    *hours = hours.saturating_add(hour.into());
                } else {
                    count(inner, marks, hours);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| count(inner, marks, hours)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
