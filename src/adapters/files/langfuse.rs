//! Langfuse observations, as its API and exports give them. The keys of a usage map are apart from each other, but what `input` contains
//! depends on the SDK that sent it, so the numbers decide. Identity is the id; a record of the same id is an update and replaces.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::counts::Counts;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::litellm::json_text;
use super::scalar::{Scalar, reported};
use super::{page, seller, tags};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    start_time: Scalar<'a>,
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
    #[serde(borrow, default)]
    level: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    provided_model_name: Scalar<'a>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    /// Of what `usage` counts; tokens where nothing is said.
    #[serde(borrow, default)]
    unit: Scalar<'a>,
    #[serde(borrow, default)]
    usage_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cost_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    calculated_total_cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total_price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_id: Scalar<'a>,
    #[serde(borrow, default)]
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
    let id = EventId::of(&[b"langfuse", seen.id.str().as_bytes()]);
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
    let Some(counts) = counts(details)?.filter(|_| unit.is_none_or(in_tokens)) else {
        if seen.level.str() == "ERROR" {
            out.excluded_once.push(("failed_calls", id));
        } else {
            out.warnings.push(gap(details, unit.unwrap_or("")));
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    };
    let at = context.time(&seen.start_time, "startTime", out)?;
    let model = if seen.model.is_null() {
        &seen.provided_model_name
    } else {
        &seen.model
    };
    let model = context.label(model, "model")?;
    let provider = context.labels.get(seller::by_model(model.as_str()));
    let mut event = UsageEvent::new(id, at, provider, model);
    event.rank.line = number;
    if !seen.updated_at.is_null() {
        event.rank.at = context.time(&seen.updated_at, "updatedAt", out)?;
    }
    event.tokens = counts.tokens_by_evidence();
    event.reported_cost = cost(&seen)?;
    event.session = context.label(&seen.session_id, "sessionId")?;
    event
        .dimensions
        .set(Dimension::User, context.label(&seen.user_id, "userId")?);
    tags::set_all(&mut event, seen.metadata, context)?;
    out.events.push(event);
    Ok(())
}

/// A usage map: its keys are free.
type Details<'a> = HashMap<Cow<'a, str>, Scalar<'a>>;

fn details_of<'a>(text: Option<&'a str>, field: &str) -> Result<Details<'a>, Fault> {
    let parsed: Option<Details<'a>> = text
        .map(serde_json::from_str)
        .transpose()
        .map_err(|e| Fault::field(field, format!("unexpected shape: {e}")))?;
    Ok(parsed.unwrap_or_default())
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

/// The counts of a usage map; none where it has neither input nor output.
fn counts(details: &Details<'_>) -> Result<Option<Counts>, Fault> {
    let mut known = false;
    let mut counts = Counts::default();
    let mut reasoning = 0;
    let [mut heard, mut said, mut seen, mut drawn, mut watched] = [0; Bucket::MEDIA.len()];
    // What integrations of Gemini tell of text, once they tell its modalities.
    let (mut read, mut written) = (0, 0);
    for (key, value) in details {
        let slot = match key.as_ref() {
            "input_audio" | "input_audio_tokens" | "input_modality_AUDIO" => &mut heard,
            "output_audio" | "output_audio_tokens" | "output_modality_AUDIO" => &mut said,
            "input_image" | "input_image_tokens" | "input_modality_IMAGE" => &mut seen,
            "output_image" | "output_image_tokens" | "output_modality_IMAGE" => &mut drawn,
            "input_video" | "input_video_tokens" | "input_modality_VIDEO" => &mut watched,
            "input_modality_TEXT" => &mut read,
            "output_modality_TEXT" => &mut written,
            "input" | "promptTokens" | "prompt_tokens" | "inputTokens" | "input_tokens" | "prompt" => &mut counts.input,
            "output" | "completionTokens" | "completion_tokens" | "outputTokens" | "output_tokens" | "completion" => {
                &mut counts.output
            }
            "total" | "totalTokens" | "total_tokens" => {
                counts.total = counts.total.max(value.count(&format!("usageDetails.{key}"))?);
                continue;
            }
            "input_cached_tokens" | "cache_read_input_tokens" | "input_cache_read" => &mut counts.read,
            "input_cache_creation_1h" => &mut counts.write_1h,
            key if key.starts_with("input_cache_creation") || key == "cache_creation_input_tokens" => {
                &mut counts.write_5m
            }
            key if key.starts_with("output_reasoning") => &mut reasoning,
            _ => continue,
        };
        known |= !value.is_null();
        // The same number under two names: never both.
        *slot = (*slot).max(value.count(&format!("usageDetails.{key}"))?);
    }
    if !known {
        return Ok(None);
    }
    // The whole write beside its parts.
    if details.contains_key("cache_creation_input_tokens") && counts.write_1h > 0 {
        counts.write_5m = counts.write_5m.saturating_sub(counts.write_1h);
    }
    counts.media = [heard, said, seen, drawn, watched];
    let (prompt, answer) = (heard + seen + watched + read, said + drawn + written);
    // Most take audio, images and modalities out of input and output, some the reasoning, too: what makes the total tells. Where
    // nothing does, the keys of a map are apart, and reasoning is the part of the output that it is for the providers.
    let makes_total = |(media, thought): (bool, bool)| {
        let media = if media { prompt + answer } else { 0 };
        let plain = counts.input + counts.output + media + if thought { reasoning } else { 0 };
        counts.total > 0 && [plain, plain + counts.cached()].contains(&counts.total)
    };
    let ways = [(true, true), (true, false), (false, true), (false, false)];
    let (media, thought) = ways.into_iter().find(|way| makes_total(*way)).unwrap_or((true, false));
    if media || prompt > counts.input || answer > counts.output {
        counts.input += prompt;
        counts.output += answer;
    }
    if thought || reasoning > counts.output {
        counts.output += reasoning;
    }
    counts.reasoning = reasoning;
    Ok(Some(counts))
}

fn cost(seen: &Observation<'_>) -> Result<Option<rust_decimal::Decimal>, Fault> {
    #[derive(Deserialize, Default)]
    struct Costs<'a> {
        #[serde(borrow, default)]
        total: Option<&'a RawValue>,
    }
    let details = json_text(seen.cost_details, "costDetails")?;
    let details: Costs<'_> = details
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let cost = [seen.calculated_total_cost, seen.total_price, details.total];
    reported(
        cost.into_iter().flatten().next().map(RawValue::get),
        "calculatedTotalCost",
    )
}
