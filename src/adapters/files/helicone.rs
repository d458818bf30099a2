//! Helicone exports (JSON, JSONL, CSV). The prompt count means what the provider means by it: it includes cached tokens except at
//! Anthropic and Bedrock, and the numbers are asked. Identity is the request id; the later record counts.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::counts::{Counts, Input};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::{Scalar, reported};
use super::{keys, page, searches, tags};

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
    let provider = context.label(&row.provider, "provider")?;
    let provider = provider_of(&provider.as_str().to_ascii_lowercase());
    let openai = matches!(provider.as_str(), "openai" | "azure");
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
    // Audio is a part of the counts, of which some versions have taken it out: what is larger than its whole stands beside it.
    for (whole, part) in [(&mut counts.input, heard), (&mut counts.output, said)] {
        if part > *whole {
            *whole += part;
        }
    }
    if counts.input + counts.output + counts.read + written == 0 {
        if has_failed(&row.response_status) {
            out.excluded_once.push(("failed_calls", id));
        } else {
            out.warnings.push(NO_USAGE);
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    }
    let at = context.time(&row.request_created_at, "request_created_at", out)?;
    let model = match row.response_model.str() {
        "" => &row.request_model,
        _ => &row.response_model,
    };
    let model = context.label(model, "response_model")?;
    let mut event = UsageEvent::new(id, at, context.labels.get(&provider), model);
    event.rank.line = number;
    let declared = if matches!(provider.as_str(), "anthropic" | "bedrock") {
        Input::Excludes
    } else {
        Input::Includes
    };
    event.tokens = counts.tokens(declared, "Helicone", out);
    searches::of_model(&mut event);
    event.reported_cost = reported(row.cost.map(RawValue::get), "cost")?;
    let user = context.label(&row.request_user_id, "request_user_id")?;
    event.dimensions.set(Dimension::User, user);
    tags::set_all(&mut event, row.request_properties, context)?;
    out.events.push(event);
    Ok(())
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

fn provider_of(name: &str) -> String {
    match name {
        "aws" | "amazon" => "bedrock",
        "gemini" | "google_ai_studio" => "google",
        "vertex_ai" | "google_vertex" => "vertex",
        "azure_openai" => "azure",
        "x" | "x.ai" | "x_ai" => "xai",
        other => other,
    }
    .to_owned()
}
