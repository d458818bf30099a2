//! Response bodies of providers as applications log them: OpenAI (chat, responses; also Azure OpenAI, OpenRouter and what is
//! compatible), Anthropic Messages, Bedrock Converse, Gemini, Cohere; bare or in an envelope, batch output files included. OpenAI's and Gemini's
//! input includes cached tokens, Anthropic's and Converse's
//! excludes them, Cohere bills none. Identity is the body's id (content without one); of several
//! bodies with one id the last of a stream counts.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Requests, Tokens, UsageEvent};

use super::extras::{self, Seconds};
use super::gemini::Metadata;
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::Scalar;
use super::searches;
use super::tags;
use super::usage::{Shape, Usage};

#[derive(Deserialize, Default)]
struct Record<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, rename = "responseId")]
    response_id: Scalar<'a>,
    #[serde(borrow, default)]
    object: Scalar<'a>,
    #[serde(borrow, default)]
    status: Scalar<'a>,
    #[serde(borrow, default)]
    created: Scalar<'a>,
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    #[serde(borrow, default, rename = "createTime")]
    create_time: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow, default)]
    ts: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default, rename = "modelVersion")]
    model_version: Scalar<'a>,
    #[serde(borrow, default, rename = "modelId")]
    model_id: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    prompt_filter_results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    user: Scalar<'a>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "usageMetadata")]
    usage_metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    candidates: Option<&'a RawValue>,
    /// Where Cohere's older answers and its embeddings keep their usage.
    #[serde(borrow, default)]
    meta: Option<Usage<'a>>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    // Envelopes.
    #[serde(borrow, default)]
    custom_id: Scalar<'a>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    fn envelope(&self) -> Option<&'a RawValue> {
        let object = |raw: &&'a RawValue| raw.get().starts_with('{');
        [self.response, self.body, self.result, self.message]
            .into_iter()
            .flatten()
            .find(object)
    }

    /// Whether it is a chat completion itself, not only what someone kept of it.
    fn is_answer(&self) -> bool {
        self.object.str().starts_with("chat.completion")
    }

    fn failed(&self) -> bool {
        self.error.is_some_and(|e| e.get() != "null") || self.status.str() == "failed"
    }
}

/// What the envelopes around a body say.
#[derive(Clone, Copy)]
struct Outer<'s, 'a> {
    record: Option<&'s Record<'a>>,
    batch: bool,
    depth: u32,
}

/// Envelopes in envelopes that are opened.
const DEEPEST: u32 = 4;

/// Reads response bodies.
pub(super) struct Body;

impl LineFormat for Body {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let outer = Outer {
            record: None,
            batch: false,
            depth: 0,
        };
        one(text, outer, number, context, out)
    }
}

fn one(text: &str, outer: Outer<'_, '_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let mut record: Record<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    record.usage = record.usage.or(record.meta.take());
    let shape = record.usage.as_ref().and_then(Usage::shape);
    let gemini = record.usage_metadata.as_ref().filter(|m| m.is_usage());
    let mut units = Label::EMPTY;
    if shape.is_none() && gemini.is_none() {
        if let Some(inner) = record.envelope().filter(|_| outer.depth < DEEPEST) {
            let outer = Outer {
                batch: outer.batch || !record.custom_id.is_null(),
                depth: outer.depth + 1,
                record: Some(outer.record.unwrap_or(&record)),
            };
            return one(inner.get(), outer, number, context, out);
        }
        units = extras::of(text, Seconds::Heard)?;
    }
    if shape.is_none() && gemini.is_none() && units.is_empty() {
        let failed = record.failed() || outer.record.is_some_and(Record::failed);
        let id = identity(&record, text, out);
        if failed {
            out.excluded_once.push(("failed_calls", id));
        } else if matches!(record.object.str(), "chat.completion" | "text_completion") {
            out.warnings.push("calls without usage: coverage gap");
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    }
    let at = instant(&record, outer, context, out)?;
    let model = [&record.model, &record.model_version, &record.model_id]
        .into_iter()
        .find(|m| !m.is_null())
        .unwrap_or(&Scalar::Null);
    let model = context.label(model, "model")?;
    let provider = provider(&record, shape, model.as_str());
    let id = identity(&record, text, out);
    let mut event = UsageEvent::new(id, at, context.labels.get(provider), model);
    event.rank.line = number;
    event.extras = units;
    let tier = if outer.batch {
        context.labels.get("batch")
    } else {
        tier(&record, context)?
    };
    event.dimensions.set(Dimension::Tier, tier);
    describe(&record, &mut event, context)?;
    if let Some(outer) = outer.record {
        describe(outer, &mut event, context)?;
    }
    match (shape, &record.usage, gemini) {
        (Some(shape), Some(usage), _) => {
            event.tokens = usage.tokens_of(shape, provider, record.is_answer(), out)?;
            event.requests = usage.requests()?;
            searches::of_items(record.output, &mut event.requests);
            event.reported_cost = extras::reported_cost(usage.cost.map(RawValue::get))?;
            extras::search_and_units(text, provider, &mut event)?;
            speed_and_place(usage, &mut event, context)?;
            iterations(usage, record.id.str(), &mut event, context, out)?;
        }
        (_, _, Some(gemini)) => gemini.fill(&mut event, record.candidates, context, out)?,
        (Some(_) | None, _, None) => {}
    }
    out.events.push(event);
    Ok(())
}

fn instant(
    record: &Record<'_>,
    outer: Outer<'_, '_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<chrono::DateTime<chrono::Utc>, Fault> {
    let of = |record: &'_ Record<'_>, context: &mut Context, out: &mut Output| {
        for (value, field) in [
            (&record.created, "created"),
            (&record.created_at, "created_at"),
            (&record.create_time, "createTime"),
            (&record.timestamp, "timestamp"),
            (&record.time, "time"),
            (&record.ts, "ts"),
        ] {
            if !value.is_null() {
                return context.time(value, field, out).map(Some);
            }
        }
        Ok(None)
    };
    if let Some(at) = of(record, context, out)? {
        return Ok(at);
    }
    if let Some(outer) = outer.record
        && let Some(at) = of(outer, context, out)?
    {
        return Ok(at);
    }
    let at = context.fallback.ok_or_else(|| Fault::field("timestamp", "missing"))?;
    out.warnings
        .push("records without a time are charged at their file's time of change");
    Ok(at)
}

fn identity(record: &Record<'_>, text: &str, out: &mut Output) -> EventId {
    match [record.id.str(), record.response_id.str()]
        .into_iter()
        .find(|id| !id.is_empty())
    {
        Some(id) => tags::response_identity("body", id),
        None => {
            out.warnings
                .push("records without an id are told apart by their content");
            tags::content_identity("body", text)
        }
    }
}

/// Who sells the call: what the body says of itself, else what the name of the model tells.
fn provider(record: &Record<'_>, shape: Option<Shape>, model: &str) -> &'static str {
    let usage = record.usage.as_ref();
    if shape == Some(Shape::Cohere) {
        "cohere"
    } else if shape == Some(Shape::Converse) || model.contains("anthropic.") || model.starts_with("arn:aws") {
        "bedrock"
    } else if by_model(model) == "perplexity" {
        "perplexity"
    } else if !record.provider.is_null()
        || usage.is_some_and(|u| u.cost.is_some())
        || record.id.str().starts_with("gen-")
    {
        "openrouter"
    } else if record.prompt_filter_results.is_some() {
        "azure"
    } else {
        by_model(model)
    }
}

/// The provider that names its models so; empty where the name does not tell.
pub(super) fn by_model(model: &str) -> &'static str {
    let known = [
        ("claude", "anthropic"),
        ("gpt-oss", ""),
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("codex-", "openai"),
        ("computer-use-", "openai"),
        ("text-embedding-", "openai"),
        ("ft:gpt-", "openai"),
        ("gemini-", "google"),
        ("text-embedding-0", "google"),
        ("grok-", "xai"),
        ("deepseek-", "deepseek"),
        ("mistral-", "mistral"),
        ("codestral-", "mistral"),
        ("magistral-", "mistral"),
        ("ministral-", "mistral"),
        ("command-", "cohere"),
        ("embed-", "cohere"),
        ("sonar", "perplexity"),
        ("whisper-1", "openai"),
        ("whisper-large", "groq"),
    ];
    known
        .iter()
        .find(|(front, _)| model.starts_with(front))
        .map_or("", |(_, provider)| provider)
}

fn tier(record: &Record<'_>, context: &mut Context) -> Result<Label, Fault> {
    let own = &record.service_tier;
    let tier = match &record.usage {
        Some(usage) if own.is_null() => &usage.service_tier,
        Some(_) | None => own,
    };
    match tier.str() {
        // What was asked for is not what was served.
        "auto" => Ok(Label::EMPTY),
        "default" => Ok(context.labels.get("standard")),
        _ => context.label(tier, "service_tier"),
    }
}

fn describe(record: &Record<'_>, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
    tags::set_all(event, record.metadata, context)?;
    tags::set(event, "user", &record.user, context)
}

fn speed_and_place(usage: &Usage<'_>, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
    if usage.speed.str() != "standard" {
        event.speed = context.label(&usage.speed, "usage.speed")?;
    }
    if !matches!(usage.inference_geo.str(), "global" | "not_available") {
        event.geo = context.label(&usage.inference_geo, "usage.inference_geo")?;
    }
    Ok(())
}

/// Iterations that the top level does not contain are calls of their own, with the parent's identity and their place. Of those that it sums
/// up the longest prompt decides thresholds.
fn iterations(
    usage: &Usage<'_>,
    id: &str,
    parent: &mut UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let Some(raw) = usage.iterations else { return Ok(()) };
    let entries: Option<Vec<Usage<'_>>> = serde_json::from_str(raw.get())
        .map_err(|e| Fault::field("usage.iterations", format!("unexpected shape: {e}")))?;
    let mut longest = 0;
    for (n, entry) in entries.unwrap_or_default().iter().enumerate() {
        if entry.kind.str() == "message" {
            longest = entry.tokens(Shape::Messages, false, out)?.prompt().max(longest);
        }
        if !matches!(entry.kind.str(), "advisor_message" | "compaction") {
            continue;
        }
        let own = context.label(&entry.model, "usage.iterations.model")?;
        let mut event = *parent;
        let number = n.to_string();
        event.id = if id.is_empty() {
            EventId::of(&[&parent.id.0, b"iteration", number.as_bytes()])
        } else {
            EventId::of(&[b"response", id.as_bytes(), b"iteration", number.as_bytes()])
        };
        if !own.is_empty() {
            event.dimensions.set(Dimension::Model, own);
        }
        event.tokens = entry.tokens(Shape::Messages, false, out)?;
        event.requests = entry.requests()?;
        event.reported_cost = None;
        out.events.push(event);
    }
    parent.asked_at_most(longest);
    Ok(())
}

/// The buckets of a response body, for whoever has one at hand: nothing where it holds no usage.
pub fn read_body(text: &str) -> Result<Option<(Tokens, Requests)>, String> {
    let mut record: Record<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    record.usage = record.usage.or(record.meta.take());
    let mut out = Output::default();
    let told = |fault: Fault| format!("{}: {}", fault.field.unwrap_or_default(), fault.reason);
    if let Some(usage) = &record.usage
        && let Some(shape) = usage.shape()
    {
        let provider = provider(&record, Some(shape), record.model.str());
        let tokens = usage
            .tokens_of(shape, provider, record.is_answer(), &mut out)
            .map_err(told)?;
        return Ok(Some((tokens, usage.requests().map_err(told)?)));
    }
    match record.usage_metadata.as_ref().filter(|m| m.is_usage()) {
        Some(gemini) => Ok(Some((gemini.tokens(&mut out).map_err(told)?, Requests::default()))),
        None => Ok(None),
    }
}
