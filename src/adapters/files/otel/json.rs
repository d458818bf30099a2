//! OTLP/JSON, one span at a time: of a span only what matters is kept when the next is read, since a list of many empty ones takes few bytes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::line::{Context, Output};
use super::super::scalar::Scalar;
use super::attributes::Attributes;
use super::pairs::{OfResource, Pairs};
use super::span::{Around, Observed, Span, observe};

/// What a request holds.
pub(super) struct Request<'c, 'a> {
    context: &'c mut Context,
    out: &'c mut Output,
    line: u64,
    /// What was made of its spans.
    pub spans: Vec<Observed>,
    /// Whether it names anything that an exporter sends.
    pub is_export: bool,
    /// Whether there are metrics, and logs.
    pub metrics: bool,
    pub logs: bool,
    resource: Attributes<'a>,
    scope: Scalar<'a>,
    own: Attributes<'a>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum InRequest {
    #[serde(rename = "resourceSpans", alias = "resource_spans")]
    Spans,
    #[serde(rename = "resourceMetrics", alias = "resource_metrics")]
    Metrics,
    #[serde(rename = "resourceLogs", alias = "resource_logs")]
    Logs,
    #[serde(rename = "resourceProfiles", alias = "resource_profiles")]
    Profiles,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum InResource {
    #[serde(rename = "resource")]
    Resource,
    #[serde(rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    Scopes,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum InScope {
    #[serde(rename = "scope", alias = "instrumentationLibrary")]
    Scope,
    #[serde(rename = "spans")]
    Spans,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum InSpan {
    #[serde(rename = "traceId", alias = "trace_id")]
    Trace,
    #[serde(rename = "spanId", alias = "span_id")]
    Id,
    #[serde(rename = "parentSpanId", alias = "parent_span_id")]
    Parent,
    #[serde(rename = "startTimeUnixNano", alias = "start_time_unix_nano")]
    Start,
    #[serde(rename = "endTimeUnixNano", alias = "end_time_unix_nano")]
    End,
    #[serde(rename = "attributes")]
    Attributes,
    #[serde(rename = "status")]
    Status,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
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

/// A part of a request.
#[derive(Clone, Copy)]
enum Part {
    Request,
    ResourceSpans,
    ScopeSpans,
    Span,
}

/// Reads a part of a request, or a list of such parts.
struct Reading<'r, 'c, 'a> {
    request: &'r mut Request<'c, 'a>,
    part: Part,
    list: bool,
}

impl<'de> DeserializeSeed<'de> for Reading<'_, '_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.list, self.part) {
            (true, _) => "a list",
            (false, Part::Request) => "an export request",
            (false, Part::ResourceSpans) => "the spans of a resource",
            (false, Part::ScopeSpans) => "the spans of a scope",
            (false, Part::Span) => "a span",
        })
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.list {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let Reading { request, part, .. } = self;
        if matches!(part, Part::ResourceSpans) {
            request.is_export = true;
        }
        while list
            .next_element_seed(Reading {
                request: &mut *request,
                part,
                list: false,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        match self.part {
            _ if self.list => Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
            Part::Request => self.request.of_request(map),
            Part::ResourceSpans => self.request.of_resource(map),
            Part::ScopeSpans => self.request.of_scope(map),
            Part::Span => self.request.of_span(map),
        }
    }
}

impl<'c, 'a> Request<'c, 'a> {
    /// Reads a request.
    pub fn read(
        text: &'a str,
        line: u64,
        context: &'c mut Context,
        out: &'c mut Output,
    ) -> Result<Self, serde_json::Error> {
        let mut request = Request {
            context,
            out,
            line,
            spans: Vec::new(),
            is_export: false,
            metrics: false,
            logs: false,
            resource: Attributes::default(),
            scope: Scalar::Null,
            own: Attributes::default(),
        };
        let mut input = serde_json::Deserializer::from_str(text);
        request.part(Part::Request, false).deserialize(&mut input)?;
        input.end()?;
        Ok(request)
    }

    fn part(&mut self, part: Part, list: bool) -> Reading<'_, 'c, 'a> {
        Reading {
            request: self,
            part,
            list,
        }
    }

    /// A list of parts that came before what surrounds them.
    fn late<E: Error>(&mut self, part: Part, list: &'a RawValue) -> Result<(), E> {
        let mut input = serde_json::Deserializer::from_str(list.get());
        self.part(part, true).deserialize(&mut input).map_err(E::custom)
    }

    fn of_request<A: MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            let other = match field {
                InRequest::Spans => {
                    map.next_value_seed(self.part(Part::ResourceSpans, true))?;
                    continue;
                }
                InRequest::Metrics => &mut self.metrics,
                InRequest::Logs => &mut self.logs,
                InRequest::Profiles => &mut false,
                InRequest::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if map.next_value::<Option<IgnoredAny>>()?.is_some() {
                *other = true;
                self.is_export = true;
            }
        }
        Ok(())
    }

    fn of_resource<A: MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut known, mut late) = (false, Vec::new());
        while let Some(field) = map.next_key()? {
            match field {
                InResource::Resource => {
                    map.next_value_seed(OfResource(&mut self.resource))?;
                    known = true;
                }
                InResource::Scopes if known => map.next_value_seed(self.part(Part::ScopeSpans, true))?,
                InResource::Scopes => late.push(map.next_value::<&RawValue>()?),
                InResource::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        for list in late {
            self.late(Part::ScopeSpans, list)?;
        }
        self.resource.clear();
        Ok(())
    }

    fn of_scope<A: MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut known, mut late) = (false, Vec::new());
        while let Some(field) = map.next_key()? {
            match field {
                InScope::Scope => {
                    self.scope = map.next_value::<Option<Named<'a>>>()?.unwrap_or_default().name;
                    known = true;
                }
                InScope::Spans if known => map.next_value_seed(self.part(Part::Span, true))?,
                InScope::Spans => late.push(map.next_value::<&RawValue>()?),
                InScope::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        for list in late {
            self.late(Part::Span, list)?;
        }
        self.scope = Scalar::Null;
        Ok(())
    }

    fn of_span<A: MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let (mut trace, mut id, mut parent) = (Cow::Borrowed(""), Cow::Borrowed(""), Cow::Borrowed(""));
        let (mut start, mut end, mut failed) = (Scalar::Null, Scalar::Null, false);
        self.own.clear();
        while let Some(field) = map.next_key()? {
            match field {
                InSpan::Trace => trace = digits(map.next_value()?),
                InSpan::Id => id = digits(map.next_value()?),
                InSpan::Parent => parent = digits(map.next_value()?),
                InSpan::Start => start = map.next_value()?,
                InSpan::End => end = map.next_value()?,
                InSpan::Attributes => map.next_value_seed(Pairs(&mut self.own))?,
                InSpan::Status => failed = map.next_value::<Option<Status<'a>>>()?.is_some_and(|s| s.is_error()),
                InSpan::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let span = Span {
            trace,
            id,
            parent,
            start,
            end,
            failed,
            attributes: &mut self.own,
        };
        let around = Around {
            resource: &self.resource,
            scope: self.scope.str(),
            line: self.line,
        };
        match observe(span, &around, self.context, self.out) {
            Ok(observed) => self.spans.extend(observed),
            // One span that is not usable does not take the others of its request along.
            Err(fault) => self.out.faults.push(fault),
        }
        Ok(())
    }
}

impl Default for Named<'_> {
    fn default() -> Self {
        Named { name: Scalar::Null }
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
