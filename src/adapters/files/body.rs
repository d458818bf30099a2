//! Response bodies of providers as applications log them: OpenAI (chat, responses; also Azure OpenAI, OpenRouter and what is
//! compatible), Anthropic Messages, Bedrock Converse, Gemini, Cohere; bare or in an envelope, batch output files included. OpenAI's and Gemini's
//! input includes cached tokens, Anthropic's and Converse's
//! excludes them, Cohere bills none. Identity is the body's id (content without one); of several
//! bodies with one id the last of a stream counts.

mod record;
mod unknown;

use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Requests, Tokens, UsageEvent};

use self::record::Record;
use super::extras::{self, Seconds};
use super::gemini;
use super::iterations;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::searches;
use super::usage::{Shape, Usage};
use super::{seller, tags, tier};

/// What the envelopes around a body say.
#[derive(Clone, Copy)]
struct Outer<'s, 'a> {
    record: Option<&'s Record<'a>>,
    batch: bool,
    /// The cloud that sold what stands inside; empty where the envelopes do not tell.
    cloud: &'static str,
    depth: u32,
}

/// What is told of a stream without an id: nothing says which of its parts belong together.
const PARTS_WITHOUT_ID: &str =
    "parts of streams without an id are charged as calls each: the prompts of such streams count several times";

/// Envelopes in envelopes that are opened.
const DEEPEST: u32 = 4;

/// Streams of Azure's whose usage may still follow.
const STREAMS: usize = 64;

/// Reads response bodies.
#[derive(Default)]
pub(super) struct Body {
    /// Streams that are Azure's by what they said so far; the part with the usage does not tell.
    azure: Vec<EventId>,
}

impl LineFormat for Body {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let outer = Outer {
            record: None,
            batch: false,
            cloud: "",
            depth: 0,
        };
        one(text, outer, number, &mut self.azure, context, out)
    }

    fn save(&self) -> String {
        let ids: Vec<String> = self.azure.iter().map(EventId::to_string).collect();
        ids.join(" ")
    }

    fn load(&mut self, state: &str) {
        self.azure = state.split(' ').filter_map(|id| id.parse().ok()).collect();
    }
}

fn one(
    text: &str,
    outer: Outer<'_, '_>,
    number: u64,
    azure: &mut Vec<EventId>,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let record = Record::parse(text).map_err(|e| Fault::json(&e))?;
    let shape = record.shape();
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
            return one(inner.get(), outer, number, azure, context, out);
        }
        units = extras::of(text, Seconds::Heard)?;
    }
    if shape.is_none() && gemini.is_none() && units.is_empty() {
        let failed = record.failed() || outer.record.is_some_and(Record::failed);
        without_usage(&record, text, outer, failed, azure, out);
        return Ok(());
    }
    let at = instant(&record, outer, context, out)?;
    // Answers of Converse and of some other interfaces name none; who logged them may.
    let own = record.model();
    let told = outer.record.filter(|_| own.is_null()).map_or(own, Record::model);
    let model = context.label(told, "model")?;
    let id = identity(&record, text, out);
    if record.is_turn() {
        out.warnings.push(TURN);
    }
    let vertex = vertex_tier(&record, text);
    let provider = match outer.cloud {
        "" if vertex.is_some() => "vertex",
        "" => provider(&record, shape, model.as_str(), azure.contains(&id)),
        cloud => cloud,
    };
    let mut event = UsageEvent::new(id, at, context.labels.get(provider), model);
    event.rank.line = number;
    event.rank.complete = !record.goes_on();
    if !event.rank.complete && record.own_id().is_empty() {
        out.warnings.push(PARTS_WITHOUT_ID);
    }
    event.extras = units;
    let tier = if outer.batch {
        context.labels.get("batch")
    } else if let Some(tier) = vertex {
        context.label(&Scalar::Text(tier.into()), "traffic_type")?
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
            event.tokens = usage.tokens_of(shape, (provider, model.as_str()), record.is_answer(), out)?;
            // Anthropic charges nothing for it.
            if provider == "anthropic" && record.is_refused(shape, &event.tokens) {
                out.excluded_once.push(("refused_calls", id));
                return Ok(());
            }
            event.requests = usage.requests()?;
            if searches::of_items(record.output, &mut event.requests) {
                out.warnings.push(searches::DRAWN);
            }
            event.reported_cost = extras::reported_cost(usage.cost.map(RawValue::get))?;
            extras::search_and_units(text, provider, &mut event)?;
            speed_and_place(usage, &mut event, context)?;
            // In OpenAI's shape they come from a gateway, which adds them up.
            let each = match shape == Shape::Chat {
                true => iterations::each_of_sum,
                false => iterations::each,
            };
            each(usage.iterations, record.id.str(), &mut event, context, out)?;
        }
        (_, _, Some(gemini)) => gemini.fill(&mut event, record.candidates, context, out)?,
        (Some(_) | None, _, None) => {}
    }
    out.tell_empty(&event);
    out.events.push(event);
    Ok(())
}

/// The sum of a turn's calls shares nothing with these but the session.
const TURN: &str = "turns that `codex exec --json` printed: its session files tell their calls too, and where both are read they count twice";

/// Says of a call that its record has no usage; a part of a stream may be followed by one that has it.
fn without_usage(
    record: &Record<'_>,
    text: &str,
    outer: Outer<'_, '_>,
    failed: bool,
    azure: &mut Vec<EventId>,
    out: &mut Output,
) {
    let id = identity(record, text, out);
    let part = matches!(record.object.str(), "chat.completion.chunk" | "text_completion");
    if part && !record.id.str().is_empty() && !azure.contains(&id) && record.is_of_azure() {
        azure.truncate(STREAMS - 1);
        azure.insert(0, id);
    }
    let answered = record.is_end();
    // Others use things, too.
    let names_model = !record.model().is_null() || outer.record.is_some_and(|outer| !outer.model().is_null());
    let gap = match record.object.str() {
        _ if answered => true,
        "chat.completion" | "chat.completion.chunk" | "text_completion" => true,
        "response" => matches!(record.status.str(), "completed" | "incomplete"),
        // A model whose answers tell their usage in a way that nobody here knows.
        _ => outer.cloud == "bedrock",
    };
    if failed {
        out.excluded_once.push(("failed_calls", id));
    } else if part && !record.id.str().is_empty() || answered && !record.response_id.str().is_empty() {
        // Earlier parts may have had it, too.
        out.unended.push(id);
    } else if gap {
        out.warnings.push(NO_USAGE);
        out.excluded_once.push(("calls_without_usage", id));
    } else if names_model && let Some(told) = record.usage.as_ref().and_then(|_| unknown::told(text)) {
        out.warnings.push(told);
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
            (&record.python_time, "create_time"),
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
    match record.own_id() {
        "" => {
            out.warnings
                .push("records without an id are told apart by their content");
            tags::content_identity("body", text)
        }
        id => tags::response_identity("body", id),
    }
}

/// Who sells the call: what the body says of itself (`azure`: what earlier parts of its stream said), else what the name of the model tells.
fn provider(record: &Record<'_>, shape: Option<Shape>, model: &str, azure: bool) -> &'static str {
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
    } else if azure || record.is_of_azure() {
        "azure"
    } else if record.x_groq.is_some() {
        "groq"
    } else if model.is_empty() && usage.is_some_and(Usage::is_of_codex) {
        "openai"
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

/// The tier that Vertex AI tells where it answers in OpenAI's shape.
fn vertex_tier(record: &Record<'_>, text: &str) -> Option<String> {
    let may = record.usage.is_some() && record.model().str().starts_with("google/");
    // Others sell models of this name, too.
    let may = may && text.contains("\"extra_properties\"");
    may.then(|| gemini::tier_of_chat(text)).flatten()
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
    let record = Record::parse(text).map_err(|e| e.to_string())?;
    let mut out = Output::default();
    let told = |fault: Fault| format!("{}: {}", fault.field.unwrap_or_default(), fault.reason);
    if let Some(usage) = &record.usage
        && let Some(shape) = record.shape()
    {
        let provider = provider(&record, Some(shape), record.model.str(), false);
        let tokens = usage
            .tokens_of(shape, (provider, record.model.str()), record.is_answer(), &mut out)
            .map_err(told)?;
        return Ok(Some((tokens, usage.requests().map_err(told)?)));
    }
    match record.usage_metadata.as_ref().filter(|m| m.is_usage()) {
        Some(gemini) => Ok(Some((gemini.tokens(&mut out).map_err(told)?, Requests::default()))),
        None => Ok(None),
    }
}
