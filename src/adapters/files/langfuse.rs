//! Langfuse observations, as its API and exports give them, the scheduled ones with other names. The keys of a usage map are apart from
//! each other, but what `input` contains depends on the SDK that sent it, so the numbers decide. Identity is the id; a record of the same
//! id is an update and replaces.

mod map;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use memchr::memmem;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::add_exact;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use self::map::{Details, Told};
use super::counts::Counts;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::litellm::json_text;
use super::otel::span_identity;
use super::scalar::{Scalar, reported};
use super::{page, seller, tags};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Scalar<'a>,
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default, alias = "start_time")]
    start_time: Scalar<'a>,
    #[serde(borrow, default, alias = "updated_at")]
    updated_at: Scalar<'a>,
    #[serde(borrow, default)]
    level: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default, alias = "provided_model_name")]
    provided_model_name: Scalar<'a>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    /// Of what `usage` counts; tokens where nothing is said.
    #[serde(borrow, default)]
    unit: Scalar<'a>,
    #[serde(borrow, default, alias = "usage_details")]
    usage_details: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "cost_details")]
    cost_details: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "total_cost")]
    calculated_total_cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total_price: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "user_id")]
    user_id: Scalar<'a>,
    #[serde(borrow, default, alias = "session_id")]
    session_id: Scalar<'a>,
    /// Of a page of the interface.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// Of a trace.
    #[serde(borrow, default)]
    observations: Option<&'a RawValue>,
}

/// Reads observations.
pub(super) struct Langfuse;

impl LineFormat for Langfuse {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        one(text, number, DEEPEST, context, out)
    }
}

/// Observations in traces in pages are opened.
const DEEPEST: u32 = 2;

fn one(text: &str, number: u64, depth: u32, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let seen: Observation<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    for (name, raw) in [("data", seen.data), ("observations", seen.observations)] {
        if let Some(inner) = raw.filter(|_| depth > 0).and_then(page::records) {
            let before = out.events.len();
            page::each(name, &inner, out, |text, out| {
                one(text, number, depth - 1, context, out)
            });
            // What a trace says of its calls.
            let (session, user) = (
                context.label(&seen.session_id, "sessionId")?,
                context.label(&seen.user_id, "userId")?,
            );
            for event in out.events.iter_mut().skip(before) {
                if event.session.is_empty() {
                    event.session = session;
                }
                if event.dimensions.get(Dimension::User).is_empty() {
                    event.dimensions.set(Dimension::User, user);
                }
            }
            return Ok(());
        }
    }
    if !matches!(seen.r#type.str(), "GENERATION" | "EMBEDDING" | "") {
        return Ok(());
    }
    if seen.id.str().is_empty() {
        return Err(Fault::field("id", "missing"));
    }
    let id = identity(&seen);
    let (details, usage) = (
        json_text(seen.usage_details, "usageDetails")?,
        json_text(seen.usage, "usage")?,
    );
    let details = details_of(details.as_deref(), "usageDetails")?;
    let usage = details_of(usage.as_deref(), "usage")?;
    let unit = [usage.get("unit"), Some(&seen.unit)];
    let unit = unit
        .into_iter()
        .flatten()
        .map(Scalar::str)
        .find(|unit| !unit.is_empty());
    let details = if details.is_empty() { &usage } else { &details };
    let model = if seen.model.is_null() {
        &seen.provided_model_name
    } else {
        &seen.model
    };
    let provider = seller::by_model(model.str());
    let told = match unit.is_none_or(in_tokens) {
        true => map::read(details, matches!(provider, "openai" | "azure"), out)?,
        false => None,
    };
    let Some(told) = told else {
        if seen.level.str() == "ERROR" {
            out.excluded_once.push(("failed_calls", id));
        } else {
            out.warnings.push(gap(details, unit.unwrap_or("")));
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    };
    let at = time(&seen.start_time, "startTime", context, out)?;
    let model = context.label(model, "model")?;
    let provider = context.labels.get(provider);
    let mut event = UsageEvent::new(id, at, provider, model);
    (event.rank.authority, event.rank.line) = (Rank::GATEWAY, number);
    if !seen.updated_at.is_null() {
        event.rank.at = time(&seen.updated_at, "updatedAt", context, out)?;
    } else if let Some(fetched) = context.fallback {
        // An observation is filled in after it was begun: what was fetched later knows more.
        event.rank.at = fetched;
    }
    let Told { counts, tier } = told;
    event.tokens = counts.tokens(counts.by_evidence(), "Langfuse", out);
    event.dimensions.set(Dimension::Tier, context.labels.get(tier));
    if let Some(searches) = details.get("web_search_requests") {
        event.requests.web_searches = searches.small("usageDetails.web_search_requests")?;
    }
    event.reported_cost = cost(&seen)?;
    event.session = context.label(&seen.session_id, "sessionId")?;
    event
        .dimensions
        .set(Dimension::User, context.label(&seen.user_id, "userId")?);
    tags::set_all(&mut event, seen.metadata, context)?;
    out.tell_empty(&event);
    out.events.push(event);
    Ok(())
}

/// Who an observation is. LiteLLM names those that it hands over by the time and the id of the response; where an SDK handed over a span, its ids
/// are the observation's.
fn identity(seen: &Observation<'_>) -> EventId {
    let (id, trace) = (seen.id.str(), seen.trace_id.str());
    // `time-08-15-04-120000_` before it.
    let timed = id.strip_prefix("time-").and_then(|rest| rest.split_once('_'));
    let form = |id: &&str| tags::form_of_response(id).or_else(|| tags::form_of_google(id));
    if let Some(response) = timed.map(|(_, id)| id).filter(|id| form(id).is_some()) {
        return tags::shared_identity(response);
    }
    if let Some(response) = response_of_span(seen.metadata) {
        return tags::shared_identity(&response);
    }
    let digits = |id: &str, count: usize| id.len() == count && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digits(id, 16) && digits(trace, 32) {
        true => span_identity(trace, id),
        false => EventId::of(&[b"langfuse", id.as_bytes()]),
    }
}

/// The id of the response among the attributes of a span that an SDK handed over.
fn response_of_span(metadata: Option<&RawValue>) -> Option<String> {
    let name = "gen_ai.response.id";
    memmem::find(metadata?.get().as_bytes(), name.as_bytes())?;
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow)]
        attributes: &'a RawValue,
    }
    let text = json_text(metadata, "metadata").ok()??;
    let kept: Kept<'_> = serde_json::from_str(&text).ok()?;
    let attributes = json_text(Some(kept.attributes), "attributes").ok()??;
    let attributes: BTreeMap<Cow<'_, str>, Scalar<'_>> = serde_json::from_str(&attributes).ok()?;
    let id = attributes.get(name)?.str();
    tags::form_of_response(id).map(|_| id.to_owned())
}

/// A time, which Langfuse means in UTC where it names no zone.
fn time(value: &Scalar<'_>, field: &str, context: &mut Context, out: &mut Output) -> Result<DateTime<Utc>, Fault> {
    let told = out.warnings.len();
    let at = context.time(value, field, out);
    out.warnings.truncate(told);
    at
}

/// A usage map. What an SDK handed over as the provider told it, nested, gets the keys that Langfuse's server makes of it.
fn details_of<'a>(text: Option<&'a str>, field: &str) -> Result<Details<'a>, Fault> {
    let shape = |e: serde_json::Error| Fault::field(field, format!("unexpected shape: {e}"));
    let Some(text) = text else {
        return Ok(Details::default());
    };
    let parsed: Option<BTreeMap<Cow<'a, str>, &'a RawValue>> = serde_json::from_str(text).map_err(shape)?;
    let mut details = Details::default();
    for (key, raw) in parsed.unwrap_or_default() {
        let side = match key.as_ref() {
            _ if !raw.get().starts_with('{') => None,
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => Some("input_"),
            "completion_tokens_details" | "output_tokens_details" | "output_token_details" => Some("output_"),
            "cache_creation" => Some("cache_creation_"),
            "server_tool_use" => Some(""),
            _ => None,
        };
        let Some(side) = side else {
            details.insert(key, serde_json::from_str(raw.get()).map_err(shape)?);
            continue;
        };
        let parts: Option<Details<'a>> = serde_json::from_str(raw.get()).map_err(shape)?;
        for (part, value) in parts.unwrap_or_default() {
            details.insert(Cow::Owned(format!("{side}{part}")), value);
        }
    }
    Ok(details)
}

fn in_tokens(unit: &str) -> bool {
    ["token", "tokens"].iter().any(|name| unit.eq_ignore_ascii_case(name))
}

/// What to say of usage of which nothing can be counted.
fn gap(details: &Details<'_>, unit: &str) -> &'static str {
    let mut keys: Vec<&str> = details.keys().map(Cow::as_ref).filter(|key| *key != "unit").collect();
    keys.sort_unstable();
    let text = if !(unit.is_empty() || in_tokens(unit)) {
        format!("usage in {} instead of tokens: coverage gap", short(unit))
    } else if keys.is_empty() {
        NO_USAGE.to_owned()
    } else {
        let keys = keys.join(", ");
        format!(
            "usage without counts of input and output ({}): coverage gap",
            short(&keys)
        )
    };
    // Interned: there are as many texts as there are ways to write usage.
    Label::new(&text).as_str()
}

/// Strangers choose keys and units: a name is cut before it goes into a text.
fn short(name: &str) -> &str {
    let end = name.char_indices().nth(60).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or("")
}

fn cost(seen: &Observation<'_>) -> Result<Option<Decimal>, Fault> {
    let whole = [seen.calculated_total_cost, seen.total_price]
        .into_iter()
        .flatten()
        .next();
    let whole = reported(whole.map(RawValue::get), "calculatedTotalCost")?;
    let details = json_text(seen.cost_details, "costDetails")?;
    match (whole, details) {
        (None, Some(details)) => cost_of(&details),
        (whole, _) => Ok(whole),
    }
}

/// What a map of costs says: its total, else what its parts come to.
pub(super) fn cost_of(details: &str) -> Result<Option<Decimal>, Fault> {
    let Ok(parts) = serde_json::from_str::<BTreeMap<Cow<'_, str>, Option<&RawValue>>>(details) else {
        return Ok(None);
    };
    let amount = |raw: Option<&RawValue>| reported(raw.map(RawValue::get), "costDetails");
    if let Some(total) = parts.get("total").copied().flatten() {
        return amount(Some(total));
    }
    let mut sum = Decimal::ZERO;
    for part in parts.into_values() {
        let part = amount(part)?.unwrap_or_default();
        sum = add_exact(sum, part).map_err(|e| Fault::field("costDetails", e.to_string()))?;
    }
    Ok((!sum.is_zero()).then_some(sum))
}

/// The counts that Langfuse's own SDK tells in the attributes of a span; nothing where it tells none.
pub(super) fn of_span(text: &str, openai: bool, out: &mut Output) -> Result<Option<Counts>, Fault> {
    let details = details_of(Some(text), "langfuse.observation.usage_details")?;
    Ok(map::read(&details, openai, out)?.map(|told| told.counts))
}

fn parsed(text: &str) -> Option<Told> {
    let details: Details<'_> = serde_json::from_str(text).ok()?;
    map::read(&details, false, &mut Output::default()).ok().flatten()
}

/// Whether such a text tells usage.
pub(super) fn tells(text: &str) -> bool {
    parsed(text).is_some()
}

/// The tier that such a text names; empty where none.
pub(super) fn tier_of(text: &str) -> &'static str {
    parsed(text).map_or("", |told| told.tier)
}
