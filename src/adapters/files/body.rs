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
use super::iterations;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::searches;
use super::usage::{Shape, Usage};
use super::{seller, tags, tier};

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
    x_groq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt_filter_results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service_tier: Scalar<'a>,
    #[serde(borrow, default, rename = "serviceTier")]
    bedrock_tier: Option<&'a RawValue>,
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
    // Of batches of Gemini, Vertex AI and Bedrock.
    #[serde(borrow, default)]
    key: Scalar<'a>,
    #[serde(borrow, default)]
    processed_time: Scalar<'a>,
    #[serde(borrow, default, rename = "modelOutput")]
    model_output: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    fn envelope(&self) -> Option<&'a RawValue> {
        let object = |raw: &&'a RawValue| raw.get().starts_with('{');
        [self.response, self.body, self.result, self.message, self.model_output]
            .into_iter()
            .flatten()
            .find(object)
    }

    /// Whether it is a line of a batch's output.
    fn of_batch(&self) -> bool {
        let gemini = self.response.is_some() && !(self.key.is_null() && self.processed_time.is_null());
        !self.custom_id.is_null() || self.model_output.is_some() || gemini
    }

    /// The cloud whose batches have such lines.
    fn cloud(&self) -> &'static str {
        match (self.model_output, self.processed_time.is_null()) {
            (Some(_), _) => "bedrock",
            (None, false) => "vertex",
            (None, true) => "",
        }
    }

    /// Whether it is a chat completion itself, not only what someone kept of it.
    fn is_answer(&self) -> bool {
        self.object.str().starts_with("chat.completion")
    }

    fn failed(&self) -> bool {
        // Vertex AI's status is the reason of a failure, else empty.
        let refused = !self.processed_time.is_null() && !self.status.str().is_empty();
        self.error.is_some_and(|e| e.get() != "null") || self.status.str() == "failed" || refused
    }
}

/// What the envelopes around a body say.
#[derive(Clone, Copy)]
struct Outer<'s, 'a> {
    record: Option<&'s Record<'a>>,
    batch: bool,
    /// The cloud that sold what stands inside; empty where the envelopes do not tell.
    cloud: &'static str,
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
            cloud: "",
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
                batch: outer.batch || record.of_batch(),
                cloud: if outer.cloud.is_empty() {
                    record.cloud()
                } else {
                    outer.cloud
                },
                depth: outer.depth + 1,
                record: Some(outer.record.unwrap_or(&record)),
            };
            return one(inner.get(), outer, number, context, out);
        }
        units = extras::of(text, Seconds::Heard)?;
    }
    if shape.is_none() && gemini.is_none() && units.is_empty() {
        let failed = record.failed() || outer.record.is_some_and(Record::failed);
        without_usage(&record, text, outer, failed, out);
        return Ok(());
    }
    let at = instant(&record, outer, context, out)?;
    let model = [&record.model, &record.model_version, &record.model_id]
        .into_iter()
        .find(|m| !m.is_null())
        .unwrap_or(&Scalar::Null);
    let model = context.label(model, "model")?;
    let provider = match outer.cloud {
        "" => provider(&record, shape, model.as_str()),
        cloud => cloud,
    };
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
            iterations::each(usage, record.id.str(), &mut event, context, out)?;
        }
        (_, _, Some(gemini)) => gemini.fill(&mut event, record.candidates, context, out)?,
        (Some(_) | None, _, None) => {}
    }
    out.events.push(event);
    Ok(())
}

/// Says of a call that its record has no usage; a part of a stream may be followed by one that has it.
fn without_usage(record: &Record<'_>, text: &str, outer: Outer<'_, '_>, failed: bool, out: &mut Output) {
    let id = identity(record, text, out);
    let part = matches!(record.object.str(), "chat.completion.chunk" | "text_completion");
    let gap = match record.object.str() {
        "chat.completion" | "chat.completion.chunk" | "text_completion" => true,
        "response" => matches!(record.status.str(), "completed" | "incomplete"),
        // A model whose answers tell their usage in a way that nobody here knows.
        _ => outer.cloud == "bedrock",
    };
    if failed {
        out.excluded_once.push(("failed_calls", id));
    } else if part && !record.id.str().is_empty() {
        out.unended.push(id);
    } else if gap {
        out.warnings.push(NO_USAGE);
        out.excluded_once.push(("calls_without_usage", id));
    }
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
            (&record.processed_time, "processed_time"),
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
    } else if !seller::by_response(record.id.str()).is_empty() {
        seller::by_response(record.id.str())
    } else if seller::by_model(model) == "perplexity" {
        "perplexity"
    } else if !record.provider.is_null()
        || usage.is_some_and(|u| u.cost.is_some())
        || record.id.str().starts_with("gen-")
    {
        "openrouter"
    } else if record.prompt_filter_results.is_some() {
        "azure"
    } else if record.x_groq.is_some() {
        "groq"
    } else {
        seller::by_model(model)
    }
}

fn tier(record: &Record<'_>, context: &mut Context) -> Result<Label, Fault> {
    let own = &record.service_tier;
    let tier = match &record.usage {
        Some(usage) if own.is_null() => &usage.service_tier,
        Some(_) | None => own,
    };
    match tier.is_null() {
        true => tier::of_bedrock(record.bedrock_tier, context),
        false => tier::of(tier, "service_tier", context),
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
