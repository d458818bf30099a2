//! Helicone exports (JSON, JSONL, CSV). The prompt count means what the provider means by it: it includes cached tokens except at
//! Anthropic and Bedrock, and the numbers are asked. Where the provider's own answer stands in a row it tells more than the row. Identity is the
//! request id; the later record counts.

use chrono::DateTime;
use memchr::memmem;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::body::Body;
use super::counts::{Counts, Input};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::litellm::json_text;
use super::scalar::{Scalar, reported};
use super::{keys, page, searches, seller, tags};

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    request_id: Scalar<'a>,
    #[serde(borrow, default)]
    request_created_at: Scalar<'a>,
    #[serde(borrow, default)]
    request_model: Scalar<'a>,
    #[serde(borrow, default)]
    response_model: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    request_user_id: Scalar<'a>,
    #[serde(borrow, default)]
    request_properties: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_status: Scalar<'a>,
    // The names in its table (`request_response_rmt`), from which its interfaces make the others.
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    user_id: Scalar<'a>,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Scalar<'a>,
    /// The provider's answer, or who has it.
    #[serde(borrow, default)]
    response_body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    completion_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    total_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    prompt_cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    prompt_cache_write_tokens: Scalar<'a>,
    // Parts of what was written, by how long it stays.
    #[serde(borrow, default, alias = "prompt_cache_write_5m_tokens")]
    prompt_cache_write_5m: Scalar<'a>,
    #[serde(borrow, default, alias = "prompt_cache_write_1h_tokens")]
    prompt_cache_write_1h: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    prompt_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    completion_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cache_reference_id: Scalar<'a>,
    /// Of a page of the interface.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What stands for "not from the cache".
const NO_REFERENCE: &str = "00000000-0000-0000-0000-000000000000";

/// Reads exports.
pub(super) struct Helicone;

impl LineFormat for Helicone {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if let Some(rows) = row.data.and_then(page::records) {
            page::each("data", &rows, out, |text, out| {
                let row: Row<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
                tell_unknown(text, out);
                read(&row, number, context, out)
            });
            return Ok(());
        }
        tell_unknown(text, out);
        read(&row, number, context, out)
    }
}

/// Columns of counts that are read.
const COUNTS: [&[u8]; 10] = [
    b"prompt_tokens",
    b"completion_tokens",
    b"total_tokens",
    b"prompt_cache_read_tokens",
    b"prompt_cache_write_tokens",
    b"prompt_cache_write_5m_tokens",
    b"prompt_cache_write_1h_tokens",
    b"reasoning_tokens",
    b"prompt_audio_tokens",
    b"completion_audio_tokens",
];

/// Says of a count that nobody here knows that it is not charged: dumps of other versions have other columns.
fn tell_unknown(text: &str, out: &mut Output) {
    keys::each(text.as_bytes(), |key, value| {
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let counts = value.first().is_some_and(|digit| (b'1'..=b'9').contains(digit));
        if counts && key.ends_with(b"_tokens") && !COUNTS.contains(&key) {
            out.warnings
                .push("columns of tokens that nobody here knows are not charged (Helicone)");
        }
        true
    });
}

fn read(row: &Row<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let id = row.request_id.str();
    if id.is_empty() {
        return Err(Fault::field("request_id", "missing"));
    }
    let id = EventId::of(&[b"helicone", id.as_bytes()]);
    if !matches!(row.cache_reference_id.str(), "" | NO_REFERENCE) {
        out.excluded_once.push(("response_cache_hits", id));
        return Ok(());
    }
    let id = response_of(row).map_or(id, |response| tags::response_identity("helicone", &response));
    let provider = context.label(&row.provider, "provider")?;
    let provider = provider.as_str().to_ascii_lowercase();
    let provider = provider_of(&provider);
    let openai = matches!(provider, "openai" | "azure");
    let five = row.prompt_cache_write_5m.count("prompt_cache_write_5m")?;
    let hour = row.prompt_cache_write_1h.count("prompt_cache_write_1h")?;
    let written = row.prompt_cache_write_tokens.count("prompt_cache_write_tokens")?;
    let written = written.max(five + hour);
    // What the split does not explain was written at the default time to live.
    let rest = written - five - hour;
    let heard = row.prompt_audio_tokens.count("prompt_audio_tokens")?;
    let said = row.completion_audio_tokens.count("completion_audio_tokens")?;
    let mut counts = Counts {
        input: row.prompt_tokens.count("prompt_tokens")?,
        read: row.prompt_cache_read_tokens.count("prompt_cache_read_tokens")?,
        write_5m: five + if openai { 0 } else { rest },
        write_1h: hour,
        write_30m: if openai { rest } else { 0 },
        reasoning: row.reasoning_tokens.count("reasoning_tokens")?,
        output: row.completion_tokens.count("completion_tokens")?,
        media: [heard, said, 0, 0, 0],
        total: row.total_tokens.count("total_tokens")?,
        ..Counts::default()
    };
    // Made of these two, it says nothing of what they hold.
    if counts.total == counts.input + counts.output {
        counts.total = 0;
    }
    // Audio is a part of the counts, of which some versions have taken it out: what is larger than its whole stands beside it.
    for (whole, part) in [(&mut counts.input, heard), (&mut counts.output, said)] {
        if part > *whole {
            *whole += part;
        }
    }
    let answer = answer(row, number, context);
    if answer.refused {
        out.excluded_once.push(("refused_calls", id));
        return Ok(());
    }
    if counts.input + counts.output + counts.read + written == 0 && answer.call.is_none() {
        if has_failed(or(&row.response_status, &row.status)) {
            out.excluded_once.push(("failed_calls", id));
        } else {
            out.warnings.push(NO_USAGE);
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    }
    let at = context.time(&row.request_created_at, "request_created_at", out)?;
    let asked = context.label(or(&row.request_model, &row.model), "request_model")?;
    let answered = answer.call.as_ref().map_or(Label::EMPTY, UsageEvent::model);
    let model = match context.label(&row.response_model, "response_model")? {
        Label::EMPTY if answered.is_empty() => asked,
        Label::EMPTY => answered,
        told => told,
    };
    if counts.write_30m > 0 && model.as_str().contains("claude") {
        counts.keep_for_minutes();
    }
    let mut event = UsageEvent::new(id, at, context.labels.get(provider), model);
    (event.rank.authority, event.rank.line) = (Rank::GATEWAY, number);
    let declared = if matches!(provider, "anthropic" | "bedrock") {
        Input::Excludes
    } else {
        Input::Includes
    };
    event.tokens = counts.tokens(declared, "Helicone", out);
    if let Some(call) = &answer.call {
        take_over(call, &mut event);
    }
    searches::of_model(&mut event);
    event.reported_cost = row.cost()?;
    let user = context.label(or(&row.request_user_id, &row.user_id), "request_user_id")?;
    event.dimensions.set(Dimension::User, user);
    tags::set_all(&mut event, row.request_properties.or(row.properties), context)?;
    for mut beside in answer.beside {
        (beside.at, beside.rank.authority) = (event.at, Rank::GATEWAY);
        for dimension in [Dimension::Provider, Dimension::User, Dimension::Team] {
            beside.dimensions.set(dimension, event.dimensions.get(dimension));
        }
        out.events.push(beside);
    }
    out.events.push(event);
    Ok(())
}

/// The first of two that is given and not empty.
fn or<'r, 'a>(one: &'r Scalar<'a>, other: &'r Scalar<'a>) -> &'r Scalar<'a> {
    match one.is_null() || matches!(one, Scalar::Text(text) if text.is_empty()) {
        true => other,
        false => one,
    }
}

impl Row<'_> {
    /// What Helicone says that the call cost. Its table has whole billionths of a USD.
    fn cost(&self) -> Result<Option<Decimal>, Fault> {
        let text = self.cost.map_or("", RawValue::get).trim_matches('"');
        let of_table = !self.model.is_null() && self.request_model.is_null() && self.response_model.is_null();
        match text.parse::<u64>() {
            Ok(billionths) if of_table => {
                let (whole, rest) = (billionths / BILLION, billionths % BILLION);
                reported(Some(&format!("{whole}.{rest:09}")), "cost")
            }
            Ok(_) | Err(_) => reported(Some(text), "cost"),
        }
    }
}

const BILLION: u64 = 1_000_000_000;

/// The id of the provider's answer, where the row holds it and other logs may have it.
fn response_of(row: &Row<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default, alias = "responseId")]
        id: Scalar<'a>,
    }
    let text = json_text(row.response_body, "response_body").ok()??;
    let named: Named<'_> = serde_json::from_str(&text).ok()?;
    let id = named.id.str();
    tags::form_of_response(id).map(|_| id.to_owned())
}

/// What a provider's answer says.
#[derive(Default)]
struct Answer {
    call: Option<UsageEvent>,
    /// Calls that it tells of and does not contain.
    beside: Vec<UsageEvent>,
    /// Whether it was declined before anything was answered, which is not billed.
    refused: bool,
}

/// The provider's answer, where the row holds it and it tells usage. What is wrong with it is no fault of the row, which has counts of its own.
fn answer(row: &Row<'_>, number: u64, context: &mut Context) -> Answer {
    let text = row.response_body.map_or("", RawValue::get);
    // Who asks for a batch or a response again names no model.
    let asks = !or(&row.request_model, &row.model).str().is_empty();
    if !asks || memmem::find(text.as_bytes(), b"usage").is_none() {
        return Answer::default();
    }
    let Ok(Some(text)) = json_text(row.response_body, "response_body") else {
        return Answer::default();
    };
    let mut told = Output::default();
    // Most answers say no time, and that of the row counts.
    let fallback = context.fallback.replace(DateTime::UNIX_EPOCH);
    let read = Body::default().record(&text, number, context, &mut told);
    context.fallback = fallback;
    let call = read.ok().and_then(|()| told.events.pop());
    let call = call.filter(|call| call.tokens.total() > 0 || !call.extras.is_empty());
    let refused = told.excluded_once.iter().any(|(kind, _)| *kind == "refused_calls");
    match call {
        Some(call) => Answer {
            call: Some(call),
            beside: told.events,
            refused,
        },
        None => Answer {
            refused,
            ..Answer::default()
        },
    }
}

/// Takes over what an answer says of a call beside the row's counts, and its own, unless they are fewer: the first part of a stream has not all.
fn take_over(answer: &UsageEvent, event: &mut UsageEvent) {
    if answer.tokens.total() >= event.tokens.total() {
        event.tokens = answer.tokens;
    }
    event.requests = event.requests.most(answer.requests);
    event.extras = answer.extras;
    event.speed = answer.speed;
    event.geo = answer.geo;
    event.dimensions.set(Dimension::Tier, answer.tier());
}

/// Whether a status says that the call failed. Helicone has some of its own: of these one is that it is still under way, the others are that it
/// timed out, was cancelled or was blocked.
fn has_failed(status: &Scalar<'_>) -> bool {
    const PENDING: i64 = -2;
    let status = match status {
        Scalar::Whole(code) => i64::try_from(*code).unwrap_or(0),
        Scalar::Negative(code) => *code,
        Scalar::Text(text) => {
            let word = text.split_ascii_whitespace().next().unwrap_or("");
            let code = word.split('.').next().unwrap_or("");
            code.parse().unwrap_or(0)
        }
        Scalar::Null | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => 0,
    };
    status >= 400 || (status < 0 && status != PENDING)
}

/// Who sells, by Helicone's name for it, of which one is short.
fn provider_of(name: &str) -> &str {
    match name {
        "x" => "xai",
        other => seller::named(other),
    }
}
