//! Metrics of a run in CloudWatch's embedded metric format: a log line that becomes metrics, without a call.

use std::io::Write;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// The name space of the metrics.
const NAMESPACE: &str = "finops";

/// Writes the metrics of one run. `summary` is what the run answered.
pub fn emit(out: &mut dyn Write, environment: &str, summary: &Value, milliseconds: i64, at: DateTime<Utc>) {
    let length = |path: &str| Value::from(summary.pointer(path).and_then(Value::as_array).map_or(0, Vec::len));
    let whole = |path: &str| Value::from(summary.pointer(path).and_then(Value::as_u64).unwrap_or(0));
    let measures = [
        ("RunDuration", "Milliseconds", Value::from(milliseconds)),
        ("RunsCompleted", "Count", Value::from(1)),
        ("CallsRecorded", "Count", whole("/collected/recorded")),
        ("CallsUnpriced", "Count", whole("/collected/unpriced")),
        ("RecordsRejected", "Count", whole("/collected/rejected")),
        ("SourcesFailed", "Count", length("/collected/failed_sources")),
        ("PaidRequests", "Count", whole("/collected/paid_requests")),
        ("AlertsActive", "Count", length("/alerts/active")),
        ("MessagesDelivered", "Count", whole("/delivery/delivered")),
        ("MessagesWaiting", "Count", whole("/delivery/waiting")),
        ("MessagesSetAside", "Count", whole("/delivery/set_aside")),
    ];
    let metrics: Vec<Value> = measures
        .iter()
        .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
        .collect();
    let mut document = Map::new();
    document.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": at.timestamp_millis(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["Environment"]], "Metrics": metrics }],
        }),
    );
    document.insert("Environment".to_owned(), Value::from(environment));
    document.extend(measures.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    let _ = writeln!(out, "{}", Value::Object(document));
}
