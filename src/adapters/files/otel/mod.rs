//! OpenTelemetry GenAI traces as OTLP/JSON, one export request a line, with the attribute names of old and new conventions. The input
//! count should include cached tokens; identity is the response id where it is a provider's, else trace and span; agent spans repeat their
//! calls and count only where no call below them does.

mod attributes;
mod node;
mod nodes;
pub(super) mod protobuf;
mod span;
mod told;
mod traces;
mod twins;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::line::{Context, Fault, LineFormat, Output};
use super::readers::held;
use super::scalar::Scalar;
use attributes::Attributes;
use span::{Around, Span, observe};

pub(super) use traces::{Found, Traces};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default, rename = "resourceSpans", alias = "resource_spans")]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
    #[serde(default, rename = "resourceMetrics", alias = "resource_metrics")]
    resource_metrics: Option<IgnoredAny>,
    #[serde(default, rename = "resourceLogs", alias = "resource_logs")]
    resource_logs: Option<IgnoredAny>,
    #[serde(default, rename = "resourceProfiles", alias = "resource_profiles")]
    resource_profiles: Option<IgnoredAny>,
}

impl Request<'_> {
    /// Whether it names anything that an exporter sends.
    fn is_export(&self) -> bool {
        self.resource_spans.is_some()
            || self.resource_metrics.is_some()
            || self.resource_logs.is_some()
            || self.resource_profiles.is_some()
    }
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    resource: Option<Resource<'a>>,
    #[serde(
        borrow,
        default,
        rename = "scopeSpans",
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans"
    )]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow, default, alias = "instrumentationLibrary")]
    scope: Option<Scope<'a>>,
    #[serde(borrow, default)]
    spans: Vec<JsonSpan<'a>>,
}

#[derive(Deserialize)]
struct Scope<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
}

#[derive(Deserialize)]
struct JsonSpan<'a> {
    #[serde(borrow, default, rename = "traceId", alias = "trace_id")]
    trace: Scalar<'a>,
    #[serde(borrow, default, rename = "spanId", alias = "span_id")]
    id: Scalar<'a>,
    #[serde(borrow, default, rename = "parentSpanId", alias = "parent_span_id")]
    parent: Scalar<'a>,
    #[serde(borrow, default, rename = "startTimeUnixNano", alias = "start_time_unix_nano")]
    start: Scalar<'a>,
    #[serde(borrow, default, rename = "endTimeUnixNano", alias = "end_time_unix_nano")]
    end: Scalar<'a>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
    #[serde(borrow, default)]
    status: Option<Status<'a>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow, default)]
    code: Scalar<'a>,
}

impl Status<'_> {
    fn is_error(&self) -> bool {
        matches!(self.code, Scalar::Whole(2)) || self.code.str() == "STATUS_CODE_ERROR"
    }
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow, default)]
    key: Scalar<'a>,
    #[serde(borrow, default)]
    value: AnyValue<'a>,
}

/// A value under the name of its type, of which only the value matters.
#[derive(Default)]
struct AnyValue<'a>(Scalar<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;
        impl<'de> Visitor<'de> for Typed {
            type Value = AnyValue<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue<'de>, A::Error> {
                let mut value = AnyValue::default();
                while map.next_key::<IgnoredAny>()?.is_some() {
                    value.0 = map.next_value()?;
                }
                Ok(value)
            }
            fn visit_unit<E>(self) -> Result<AnyValue<'de>, E> {
                Ok(AnyValue::default())
            }
        }
        deserializer.deserialize_any(Typed)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Attributes<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Attributes<'de>, A::Error> {
                let mut attributes = Attributes::default();
                while let Some(pair) = seq.next_element::<KeyValue<'de>>()? {
                    attributes.set(pair.key.str(), pair.value.0);
                }
                Ok(attributes)
            }
            fn visit_unit<E>(self) -> Result<Attributes<'de>, E> {
                Ok(Attributes::default())
            }
        }
        deserializer.deserialize_any(All)
    }
}

/// Their sums have no call behind them: no identity, no split of cached tokens, no prompt size. They can be bounded, not priced.
const METRICS: &str = "OTLP metrics are not read: their sums tell neither calls nor cached tokens apart; export traces instead (spans with `gen_ai.usage.*`)";

/// Reads OTLP/JSON.
pub(super) struct Otel {
    traces: Arc<Mutex<Traces>>,
    /// Whether records that are no export requests are faults.
    strict: bool,
}

impl Otel {
    /// A reader that shares what is known of traces with the others of its source.
    pub fn new(traces: Arc<Mutex<Traces>>) -> Self {
        Otel { traces, strict: false }
    }

    /// The same for what was sent as an export request. A file may hold records of other formats, which this one leaves.
    pub fn strict(traces: Arc<Mutex<Traces>>) -> Self {
        Otel { traces, strict: true }
    }
}

fn digits<'a>(id: Scalar<'a>) -> Cow<'a, str> {
    match id {
        Scalar::Text(text) if text.bytes().any(|b| b.is_ascii_uppercase()) => text.to_ascii_lowercase().into(),
        Scalar::Text(text) => text,
        Scalar::Null | Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => {
            Cow::Borrowed("")
        }
    }
}

impl LineFormat for Otel {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        // A list would be taken for the fields of a request in their order.
        if !text.trim_start().starts_with('{') {
            return Err(Fault::whole("not an export request"));
        }
        let request: Request<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        // An export of nothing is one too.
        let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
        if self.strict && !request.is_export() && !inside.trim().is_empty() {
            return Err(Fault::whole("not an export request"));
        }
        if request.resource_metrics.is_some() {
            out.warnings.push(METRICS);
            out.excluded.push("metrics");
        }
        let mut traces = held(&self.traces);
        for group in request.resource_spans.unwrap_or_default() {
            let resource = group.resource.map(|r| r.attributes).unwrap_or_default();
            for scoped in group.scope_spans {
                let scope = scoped.scope.map(|s| s.name).unwrap_or_default();
                let around = Around {
                    resource: &resource,
                    scope: scope.str(),
                    line,
                };
                for span in scoped.spans {
                    let span = Span {
                        trace: digits(span.trace),
                        id: digits(span.id),
                        parent: digits(span.parent),
                        start: span.start,
                        end: span.end,
                        failed: span.status.is_some_and(|s| s.is_error()),
                        attributes: span.attributes,
                    };
                    // One span that is not usable does not take the others of its request along.
                    if let Err(fault) = observe(&span, &around, &mut traces, context, out) {
                        out.faults.push(fault);
                    }
                }
            }
        }
        Ok(())
    }
}
