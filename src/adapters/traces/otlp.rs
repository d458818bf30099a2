//! Sends a trace by OTLP over HTTP, as JSON, to where the environment variables of OpenTelemetry say.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>, <https://opentelemetry.io/docs/specs/otlp/>.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value as Json, json};

use super::{Span, Trace, Value};
use crate::adapters::http;

/// Time for sending, unless the environment gives another: the run has ended, and its function is paid by the millisecond.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where traces go.
pub struct Exporter {
    url: SecretString,
    headers: Vec<(String, SecretString)>,
    timeout: Duration,
    resource: Vec<(String, String)>,
}

impl Exporter {
    /// As `OTEL_EXPORTER_OTLP_ENDPOINT` and its like say; `None` when there is none, or when traces are switched off.
    pub fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let off = env("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || env("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
        let either = |name: &str| {
            env(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}")).or_else(|| env(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        // The general address is completed, the one for traces is taken as it is.
        let url = env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| {
            env("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{}/v1/traces", base.trim_end_matches('/')))
        });
        let Some(url) = url.filter(|_| !off) else {
            return Ok(None);
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("OTEL_EXPORTER_OTLP_ENDPOINT is no http address; traces go by OTLP over HTTP".to_owned());
        }
        if either("PROTOCOL").is_some_and(|protocol| protocol == "grpc") {
            return Err("OTEL_EXPORTER_OTLP_PROTOCOL is `grpc`; traces go by `http/json`".to_owned());
        }
        let headers = pairs(&either("HEADERS").unwrap_or_default());
        let timeout = either("TIMEOUT").and_then(|text| text.trim().parse().ok());
        Ok(Some(Exporter {
            url: SecretString::from(url),
            headers: headers.into_iter().map(|(k, v)| (k, SecretString::from(v))).collect(),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
            resource: resource(env),
        }))
    }

    /// Sends one trace, with one attempt, in at most `limit`.
    pub fn send(&self, trace: &Trace, limit: Duration) -> Result<(), String> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        // A short value is no key, and would be found anywhere.
        let secrets = headers.iter().flat_map(|(_, value)| value.split_whitespace());
        let secrets: Vec<&str> = secrets.filter(|secret| secret.len() >= 8).collect();
        let body = document(trace, &self.resource).to_string();
        http::post(&self.url, &headers, &secrets, &body, self.timeout.min(limit))
            .map(drop)
            .map_err(|e| e.message)
    }
}

/// `name=value` pairs, divided by commas, percent-encoded where need be.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name.trim()), decoded(value.trim())))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) if *byte == b'%' => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the spans come from. What the environment says of OpenTelemetry comes before what it says of Lambda.
fn resource(env: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = pairs(&env("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
    if let Some(name) = env("OTEL_SERVICE_NAME") {
        found.retain(|(known, _)| known != "service.name");
        found.push(("service.name".to_owned(), name));
    }
    let known = [
        ("service.name", Some("finops-monitor".to_owned())),
        ("service.version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("cloud.provider", Some("aws".to_owned())),
        ("cloud.platform", Some("aws_lambda".to_owned())),
        ("cloud.region", env("AWS_REGION")),
        ("faas.name", env("AWS_LAMBDA_FUNCTION_NAME")),
        ("faas.version", env("AWS_LAMBDA_FUNCTION_VERSION")),
        ("faas.instance", env("AWS_LAMBDA_LOG_STREAM_NAME")),
    ];
    for (name, value) in known {
        if let Some(value) = value.filter(|_| found.iter().all(|(known, _)| known != name)) {
            found.push((name.to_owned(), value));
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn document(trace: &Trace, resource: &[(String, String)]) -> Json {
    let resource: Vec<Json> = resource
        .iter()
        .map(|(name, value)| json!({ "key": name, "value": { "stringValue": value } }))
        .collect();
    let spans: Vec<Json> = trace.spans.iter().map(|span| span_of(trace, span)).collect();
    let dropped = json!({ "key": "finops.spans_dropped", "value": { "intValue": trace.dropped.to_string() } });
    let about: Vec<Json> = (trace.dropped > 0).then_some(dropped).into_iter().collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{
            "scope": { "name": "finops", "version": env!("CARGO_PKG_VERSION"), "attributes": about },
            "spans": spans,
        }],
    }] })
}

fn span_of(trace: &Trace, span: &Span) -> Json {
    // 64-bit numbers are texts in OTLP's JSON.
    let at = |since: Duration| {
        let at = TimeDelta::from_std(since)
            .ok()
            .and_then(|d| trace.began.checked_add_signed(d));
        at.and_then(|at| at.timestamp_nanos_opt()).unwrap_or(0).to_string()
    };
    let attributes = span.attributes.iter().map(|(name, value)| {
        let value = match value {
            Value::Text(text) => json!({ "stringValue": text }),
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            Value::Truth(truth) => json!({ "boolValue": truth }),
        };
        json!({ "key": name, "value": value })
    });
    let mut fields = json!({
        "traceId": hex(&trace.id),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": at(span.began),
        "endTimeUnixNano": at(span.ended),
        "attributes": attributes.collect::<Vec<_>>(),
        "status": span.error.as_ref().map_or(json!({}), |why| json!({ "code": 2, "message": why })),
    });
    if let Json::Object(fields) = &mut fields {
        match (&span.parent, &trace.link) {
            (Some(parent), _) => drop(fields.insert("parentSpanId".to_owned(), Json::from(hex(parent)))),
            (None, Some((trace, span))) => {
                let link = json!([{ "traceId": trace, "spanId": span }]);
                fields.insert("links".to_owned(), link);
            }
            (None, None) => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporter(given: &[(&str, &str)]) -> Result<Option<Exporter>, String> {
        let env = |name: &str| given.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Exporter::from_environment(&env)
    }

    #[test]
    fn the_environment_says_where_to() {
        let url = |given: &[(&str, &str)]| exporter(given).unwrap().map(|e| e.url.expose_secret().to_owned());
        let (general, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        assert_eq!(url(&[]), None);
        assert_eq!(url(&[(general, "http://h:4318/")]).unwrap(), "http://h:4318/v1/traces");
        assert_eq!(
            url(&[(general, "http://h:4318"), (traces, "https://t/x")]).unwrap(),
            "https://t/x"
        );
        assert_eq!(url(&[(general, "http://h"), ("OTEL_SDK_DISABLED", "True")]), None);
        assert_eq!(url(&[(general, "http://h"), ("OTEL_TRACES_EXPORTER", "none")]), None);
        assert!(exporter(&[(general, "h:4317")]).is_err());
        assert!(exporter(&[(general, "http://h:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_err());
        let full = exporter(&[
            (general, "http://h"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, other = 1,,%zz=%"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,team=search"),
            ("OTEL_SERVICE_NAME", "monitor"),
        ]);
        let full = full.unwrap().unwrap();
        let headers: Vec<_> = full
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.expose_secret()))
            .collect();
        assert_eq!(headers, [("api-key", "a b="), ("other", "1"), ("%zz", "%")]);
        assert_eq!(full.timeout, Duration::from_millis(250));
        let value = |name: &str| full.resource.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert_eq!(
            (value("service.name"), value("team")),
            (Some("monitor"), Some("search"))
        );
        assert_eq!(full.resource.iter().filter(|(n, _)| n == "service.name").count(), 1);
    }
}
