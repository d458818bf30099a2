//! OTLP traces as protobuf: the few messages and fields that usage needs, numbered as in `opentelemetry/proto/trace/v1`.

use std::fmt::Write as _;

use prost::{Message, Oneof};

use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::attributes::Attributes;
use super::span::{Around, Span, observe};
use super::traces::Traces;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<ProtoSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

fn attributes(pairs: &[KeyValue]) -> Attributes<'_> {
    let mut attributes = Attributes::default();
    for pair in pairs {
        let Some(value) = pair.value.as_ref().and_then(|v| v.value.as_ref()) else {
            continue;
        };
        let value = match value {
            Value::Text(text) => Scalar::Text(text.as_str().into()),
            Value::Bool(yes) => Scalar::Bool(*yes),
            Value::Int(n) => u64::try_from(*n).map_or(Scalar::Negative(*n), Scalar::Whole),
            Value::Double(n) => Scalar::Float(*n),
        };
        attributes.set(&pair.key, value);
    }
    attributes
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads one export request.
pub(in super::super) fn read(
    bytes: &[u8],
    traces: &mut Traces,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let request = Request::decode(bytes).map_err(|e| Fault::whole(format!("not valid protobuf: {e}")))?;
    for group in &request.resource_spans {
        let resource = attributes(group.resource.as_ref().map_or(&[], |r| &r.attributes));
        for scoped in &group.scope_spans {
            let around = Around {
                resource: &resource,
                scope: scoped.scope.as_ref().map_or("", |s| &s.name),
                line: 1,
            };
            for span in &scoped.spans {
                let span = Span {
                    trace: hex(&span.trace_id).into(),
                    id: hex(&span.span_id).into(),
                    parent: hex(&span.parent_span_id).into(),
                    start: nanos(span.start_time_unix_nano),
                    end: nanos(span.end_time_unix_nano),
                    failed: span.status.as_ref().is_some_and(|s| s.code == 2),
                    attributes: attributes(&span.attributes),
                };
                if let Err(fault) = observe(&span, &around, traces, context, out) {
                    out.faults.push(fault);
                }
            }
        }
    }
    Ok(())
}

fn nanos(time: u64) -> Scalar<'static> {
    match time {
        0 => Scalar::Null,
        time => Scalar::Whole(time),
    }
}
