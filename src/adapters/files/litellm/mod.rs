//! LiteLLM spend log rows and logging payloads. The prompt count includes cached tokens, for every provider; identity is the request id
//! (the payload's `id`), the call id where that is empty.

mod place;
mod row;
mod tools;
mod usage;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::counts::{Counts, Input};
use super::extras;
use super::iterations;
use super::line::{Context, Fault, LineFormat, Output};
use super::page;
use super::scalar::{Scalar, reported};
use super::tags;
use super::thoughts::Thoughts;
use super::tier;

use self::row::{Breakdown, Hidden, Metadata, Response, Row};
use self::usage::Usage;

pub(super) use self::usage::{ground, json, of_python};

/// Reads LiteLLM rows and payloads.
pub(super) struct Litellm;

/// Mark of a call that the gateway answered from its own response cache.
const CACHE_HIT: &str = "_cache_hit";

impl LineFormat for Litellm {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if !row.is_call() {
            let page: Option<Vec<&RawValue>> = row.data.and_then(|data| serde_json::from_str(data.get()).ok());
            match page {
                Some(rows) => page_of(&rows, number, context, out),
                None => out.excluded.push("records_without_usage"),
            }
            return Ok(());
        }
        row.read(text, number, context, out)
    }
}

/// A page of an answer of the gateway's.
fn page_of(rows: &[&RawValue], number: u64, context: &mut Context, out: &mut Output) {
    page::each("data", rows, out, |text, out| {
        let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if row.is_call() {
            return row.read(text, number, context, out);
        }
        out.excluded.push("records_without_usage");
        Ok(())
    });
}

impl Row<'_> {
    /// Whether it tells of a call at all.
    fn is_call(&self) -> bool {
        !self.prompt_tokens.is_null() || !(self.start_time.is_null() || self.custom_llm_provider.is_null())
    }

    /// When the row was last written, where it says so: a later dump of a table corrects one before it, wherever in it the row stands.
    fn told_at(&self, context: &mut Context, out: &mut Output) -> Option<DateTime<Utc>> {
        let told = out.warnings.len();
        let times = [(&self.updated_at, "updated_at"), (&self.end_time, "endTime")];
        let given = times.into_iter().filter(|(time, _)| !time.is_null());
        let at = given
            .filter_map(|(time, field)| context.time(time, field, out).ok())
            .max();
        out.warnings.truncate(told);
        at
    }

    fn read(mut self, line: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let row = &mut self;
        if row.request_id.is_null() {
            row.request_id = std::mem::take(&mut row.id);
        }
        if row.request_id.str().contains(CACHE_HIT) || row.cache_hit.is_true() {
            let told = format!("{}|{:?}", row.request_id.str(), row.start_time);
            let id = EventId::of(&[b"litellm-cache", told.as_bytes()]);
            out.excluded_once.push(("response_cache_hits", id));
            return Ok(());
        }
        let text = json_text(row.metadata, "metadata")?;
        let mut metadata: Metadata<'_> = parse(text.as_deref(), "metadata")?.unwrap_or_default();
        let beside = json_text(row.cost_breakdown, "cost_breakdown").unwrap_or_default();
        let cost: Breakdown<'_> = metadata.cost_breakdown.take().unwrap_or_else(|| of(beside.as_deref()));
        let tags = json_text(row.request_tags, "request_tags")?;
        let tags: Vec<Scalar<'_>> = parse(tags.as_deref(), "request_tags")?.unwrap_or_default();
        let at = context.time(&row.start_time, "startTime", out)?;
        let gateway = context.label(&row.custom_llm_provider, "custom_llm_provider")?;
        let sold = context.sellers.of(gateway);
        let (gateway, seller) = (gateway.as_str(), sold.name);
        let provider = context.labels.get(seller);
        let told = [&metadata.usage_object, &metadata.additional_usage_values];
        let told = told.into_iter().flatten().find(|usage| usage.tells());
        let mut model = context.label(&row.model, "model")?;
        let hidden = match told {
            Some(_) if !model.is_empty() => None,
            Some(_) | None => json_text(row.hidden_params, "hidden_params").unwrap_or_default(),
        };
        let hidden: Hidden<'_> = of(hidden.as_deref());
        model = context.labels.get(bare((gateway, seller), model.as_str()));
        if model.is_empty() {
            let one = [metadata.batch_models, hidden.batch_models]
                .into_iter()
                .find_map(one_model);
            model = context.label(&Scalar::Text(one.unwrap_or_default().into()), "batch_models")?;
        }
        let mut event = UsageEvent::new(identity(row, (at, model), text.as_deref(), out), at, provider, model);
        (event.rank.authority, event.rank.line) = (Rank::GATEWAY, number);
        event.rank.at = row.told_at(context, out).unwrap_or(at).max(at);
        let told = told.or(hidden.usage_object.as_ref()).or(metadata.usage_object.as_ref());
        let response = match told {
            // What a response looks like is the provider's business.
            None => json_text(row.response, "response").unwrap_or_default(),
            Some(_) => None,
        };
        let response: Response<'_> = of(response.as_deref());
        let usage = told.or(response.usage.as_ref());
        count_tokens(row, usage, &mut event, out)?;
        let spent = row.spend.or(row.response_cost);
        event.reported_cost = reported(spent.map(RawValue::get), "spend")?;
        tools::count(row, usage, &mut event, out)?;
        if event.tokens.total() == 0 || event.requests.web_searches > 0 {
            let answer = json_text(row.response, "response").unwrap_or_default();
            event.extras = extras::of_row(row.call_type.str(), line, text.as_deref(), answer.as_deref())?;
        }
        if event.tokens.total() == 0 && event.extras.is_empty() {
            if row.status.str() == "failure" {
                out.excluded_once.push(("failed_calls", event.id));
                return Ok(());
            }
            // A file, a list, an answer that was fetched again: whoever asks a model names it.
            if model.is_empty() && event.reported_cost.is_none() {
                out.excluded.push("records_without_usage");
                return Ok(());
            }
            out.tell_empty(&event);
        }
        tools::ground(usage, &cost, &mut event, out)?;
        describe(row, &metadata, &cost, &tags, &mut event, context)?;
        place::set(row, &cost, usage, &mut event, context)?;
        if is_batch(row, &metadata) {
            // The sum of many calls: none of them is longer than a price threshold, as far as is known.
            event.rank.authority = Rank::REPORT;
            event.dimensions.set(Dimension::Tier, context.labels.get("batch"));
        }
        // Counted by the ways of the seller, and priced as it is sold there.
        event.dimensions.set(Dimension::Provider, sold.label);
        let iterations = usage.and_then(|usage| usage.iterations);
        iterations::each_of_sum(iterations, response_id(row), &mut event, context, out)?;
        out.events.push(event);
        Ok(())
    }
}

/// What a text says, where it is of the expected shape.
fn of<'a, T: Deserialize<'a> + Default>(text: Option<&'a str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The model that all calls of a batch asked.
fn one_model(names: Option<&RawValue>) -> Option<String> {
    let names: Vec<String> = serde_json::from_str(names?.get()).ok()?;
    let first = names.first()?;
    names.iter().all(|name| name == first).then(|| first.clone())
}

/// Whether a row sums up a batch, as the gateway writes one when it fetches the results.
fn is_batch(row: &Row<'_>, metadata: &Metadata<'_>) -> bool {
    let models = metadata.batch_models.map_or("", RawValue::get);
    row.call_type.str().ends_with("_batch") || models.contains('"')
}

/// JSON that may itself be wrapped in a JSON text, as database columns are.
pub(super) fn json_text<'a>(raw: Option<&'a RawValue>, field: &str) -> Result<Option<Cow<'a, str>>, Fault> {
    match raw.map(RawValue::get) {
        Some(text) if text.starts_with('"') => serde_json::from_str::<String>(text)
            .map(|inner| (!inner.trim().is_empty()).then_some(Cow::Owned(inner)))
            .map_err(|_| Fault::field(field, "not JSON")),
        other => Ok(other.map(Cow::Borrowed)),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: Option<&'a str>, field: &str) -> Result<Option<T>, Fault> {
    text.map_or(Ok(None), serde_json::from_str::<Option<T>>)
        .map_err(|e| Fault::field(field, format!("unexpected shape: {e}")))
}

fn identity(row: &Row<'_>, (at, model): (DateTime<Utc>, Label), content: Option<&str>, out: &mut Output) -> EventId {
    let id = row.request_id.str();
    if id.is_empty() {
        let call = row.litellm_call_id.str();
        if !call.is_empty() {
            return EventId::of(&[b"litellm-call", call.as_bytes()]);
        }
        out.warnings
            .push("rows without `request_id` are told apart by their content");
        let parts = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            row.start_time, row.model, row.prompt_tokens, row.completion_tokens, row.session_id
        );
        return EventId::of(&[b"litellm-content", parts.as_bytes(), content.unwrap_or("").as_bytes()]);
    }
    if tags::is_of_few(id) {
        // Rows of others have it, too.
        let told = format!("{} {model}", at.timestamp_millis());
        return EventId::of(&[b"litellm", b"row", id.as_bytes(), told.as_bytes()]);
    }
    match is_of_google(row) {
        true => tags::google_identity("litellm", id),
        false => tags::response_identity("litellm", id),
    }
}

fn is_of_google(row: &Row<'_>) -> bool {
    let gateway = row.custom_llm_provider.str();
    gateway == "gemini" || gateway.starts_with("vertex_ai")
}

/// The id where it is one that the provider gave: other logs of the same call carry it too. Else empty.
fn response_id<'r>(row: &'r Row<'_>) -> &'r str {
    let id = row.request_id.str();
    let form = tags::form_of_response(id);
    let form = form.or_else(|| is_of_google(row).then(|| tags::form_of_google(id))?);
    if form.is_some() { id } else { "" }
}

fn count_tokens(
    row: &Row<'_>,
    usage: Option<&Usage<'_>>,
    event: &mut UsageEvent,
    out: &mut Output,
) -> Result<(), Fault> {
    let empty = Usage::default();
    let usage = usage.unwrap_or(&empty);
    let plain = Counts {
        input: row.prompt_tokens.count("prompt_tokens")?,
        output: row.completion_tokens.count("completion_tokens")?,
        total: row.total_tokens.count("total_tokens")?,
        thoughts: Thoughts::of(event.provider().as_str(), false),
        ..Counts::default()
    };
    let mut counts = usage.counts(event.provider().as_str(), &plain)?;
    if counts.write_30m > 0 && event.model().as_str().contains("claude") {
        counts.keep_for_minutes();
    }
    event.tokens = counts.tokens(Input::Includes, "LiteLLM", out);
    Ok(())
}

fn describe(
    row: &Row<'_>,
    metadata: &Metadata<'_>,
    cost: &Breakdown<'_>,
    tags: &[Scalar<'_>],
    event: &mut UsageEvent,
    context: &mut Context,
) -> Result<(), Fault> {
    let mut team = context.label(&metadata.user_api_key_team_alias, "metadata.user_api_key_team_alias")?;
    if team.is_empty() {
        let id = context.label(&row.team_id, "team_id")?.as_str();
        team = context.labels.get(id.strip_prefix("t-").unwrap_or(id));
    }
    let mut user = context.label(&row.end_user, "end_user")?;
    if user.is_empty() {
        user = context.label(&row.user, "user")?;
    }
    let mut agent = Label::EMPTY;
    let mut workflow = Label::EMPTY;
    for tag in tags {
        let Some((key, value)) = tag.str().split_once(':') else {
            continue;
        };
        let target = match key {
            "agent" => &mut agent,
            "workflow" => &mut workflow,
            "team" => &mut team,
            _ => continue,
        };
        *target = context.label(&Scalar::Text(value.into()), "request_tags")?;
    }
    let usage_tier = metadata.usage_object.as_ref().map(|u| &u.service_tier);
    let mut tier = Label::EMPTY;
    for value in usage_tier.into_iter().chain([&cost.service_tier]) {
        if tier.is_empty() {
            tier = tier::of(value, "service_tier", context)?;
        }
    }
    let project = context.label(
        &metadata.user_api_key_project_alias,
        "metadata.user_api_key_project_alias",
    )?;
    for (dimension, value) in [
        (Dimension::Team, team),
        (Dimension::User, user),
        (Dimension::Agent, agent),
        (Dimension::Workflow, workflow),
        (Dimension::Tier, tier),
        (Dimension::Project, project),
    ] {
        event.dimensions.set(dimension, value);
    }
    event.session = context.label(&row.session_id, "session_id")?;
    Ok(())
}

/// A model without the words for who was asked, and on Bedrock how, that the proxy writes before it: `openai/gpt-5`. What is sold apart from its
/// namesakes keeps them.
fn bare<'m>((gateway, seller): (&str, &str), model: &'m str) -> &'m str {
    if matches!(gateway, "" | "azure_ai" | "bedrock_mantle") {
        return model;
    }
    let rest = model.strip_prefix(gateway).and_then(|rest| rest.strip_prefix('/'));
    let mut rest = rest.unwrap_or(model);
    if seller == "bedrock" {
        for front in ["bedrock/", "converse/", "invoke/"] {
            rest = rest.strip_prefix(front).unwrap_or(rest);
        }
    }
    rest
}
