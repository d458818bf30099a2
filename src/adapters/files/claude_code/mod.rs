//! Claude Code session logs: one response is written as several lines, all with the same message id.

mod record;

use chrono::{DateTime, Utc};
use memchr::memmem::Finder;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, UsageEvent};

use self::record::{Line, Usage, Wrapper};
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::{Scalar, reported};
use super::scan::Forms;

/// Reads Claude Code lines.
pub(super) struct ClaudeCode {
    usage: Finder<'static>,
    api_error: Finder<'static>,
    forms: Forms,
}

impl ClaudeCode {
    /// A reader; all that it keeps between lines is their form.
    pub fn new() -> Self {
        ClaudeCode {
            usage: Finder::new(b"\"usage\""),
            api_error: Finder::new(b"\"isApiErrorMessage\""),
            forms: Forms::default(),
        }
    }

    /// Whether a whole line can be passed over: it has the outline of an object and names nothing that matters. Quotes
    /// inside a JSON text are escaped, so the pattern cannot be hidden or faked by message content.
    fn irrelevant(&self, text: &[u8]) -> bool {
        text.first() == Some(&b'{')
            && text.last() == Some(&b'}')
            && self.usage.find(text).is_none()
            && self.api_error.find(text).is_none()
    }
}

impl LineFormat for ClaudeCode {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line = match Line::scan_known(text, &mut self.forms) {
            Some(line) => line,
            None if self.irrelevant(text.as_bytes()) => return Ok(()),
            None => match Line::scan(text, &mut self.forms) {
                Some(line) => line,
                None => Line::parse(text)?,
            },
        };
        match line.r#type.str() {
            "assistant" | "" => observe(&line, None, number, context, out),
            "progress" => {
                let Some(data) = line.data else { return Ok(()) };
                // Other kinds of progress have data of other shapes and no usage.
                let Ok(wrapper) = serde_json::from_str::<Wrapper<'_>>(data.get()) else {
                    return Ok(());
                };
                match wrapper.message {
                    Some(inner) if matches!(inner.r#type.str(), "assistant" | "") => {
                        observe(&inner, Some(&line), number, context, out)
                    }
                    Some(_) | None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

fn or<'s, 'a>(own: &'s Scalar<'a>, outer: Option<&'s Scalar<'a>>) -> &'s Scalar<'a> {
    if own.is_null() { outer.unwrap_or(own) } else { own }
}

fn observe(
    line: &Line<'_>,
    outer: Option<&Line<'_>>,
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let Some(message) = &line.message else { return Ok(()) };
    if message.model.str() == "<synthetic>" {
        out.excluded.push("synthetic");
        return Ok(());
    }
    let used = |u: &Usage<'_>| {
        ![
            &u.input_tokens,
            &u.output_tokens,
            &u.cache_creation_input_tokens,
            &u.cache_read_input_tokens,
        ]
        .iter()
        .all(|s| s.is_null())
    };
    let Some(usage) = message.usage.as_ref().filter(|u| used(u)) else {
        if line.is_api_error_message.is_true() {
            out.excluded.push("failed_calls");
        }
        return Ok(());
    };
    let at = context.time(or(&line.timestamp, outer.map(|o| &o.timestamp)), "timestamp", out)?;
    let key: [&[u8]; 2] = match (message.id.str(), line.request_id.str(), line.uuid.str()) {
        ("", "", "") => {
            return Err(Fault::field(
                "message.id",
                "missing, and no `requestId` or `uuid` either",
            ));
        }
        ("", "", uuid) => [b"claude-code-line", uuid.as_bytes()],
        ("", request, _) => [b"claude-code-request", request.as_bytes()],
        (id, _, _) => [b"response", id.as_bytes()],
    };
    let model = context.label(&message.model, "message.model")?;
    // Written where it is handed over from: a call is larger than what is read of its line.
    out.events.push(blank(EventId::of(&key), at, model, context));
    let Some(event) = out.events.last_mut() else {
        return Ok(());
    };
    fill(event, usage, "message.usage", context)?;
    event.session = context.label(or(&line.session_id, outer.map(|o| &o.session_id)), "sessionId")?;
    event.dimensions.set(
        Dimension::Project,
        context.label(or(&line.cwd, outer.map(|o| &o.cwd)), "cwd")?,
    );
    event.sidechain = line.is_sidechain.is_true() || outer.is_some();
    event.rank = Rank {
        authority: 0,
        complete: !message.stop_reason.is_null(),
        at,
        line: number,
    };
    event.reported_cost = reported(line.cost.map(RawValue::get), "costUSD")?;
    if let Some(iterations) = usage.iterations {
        let parent = *event;
        extras(iterations, &key, &parent, context, out)?;
    }
    Ok(())
}

/// Iterations that the top level does not contain are calls of their own.
fn extras(
    raw: &RawValue,
    key: &[&[u8]; 2],
    parent: &UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let entries: Option<Vec<Usage<'_>>> = serde_json::from_str(raw.get())
        .map_err(|e| Fault::field("message.usage.iterations", format!("unexpected shape: {e}")))?;
    for (n, entry) in entries.unwrap_or_default().iter().enumerate() {
        if !matches!(entry.r#type.str(), "advisor_message" | "compaction") {
            continue;
        }
        let own = context.label(&entry.model, "message.usage.iterations.model")?;
        let model = if own.is_empty() { parent.model() } else { own };
        let [space, id] = *key;
        let id = EventId::of(&[space, id, b"iteration", n.to_string().as_bytes()]);
        let mut event = blank(id, parent.at, model, context);
        fill(&mut event, entry, "message.usage.iterations", context)?;
        event
            .dimensions
            .set(Dimension::Project, parent.dimensions.get(Dimension::Project));
        if event.tier().is_empty() {
            event.dimensions.set(Dimension::Tier, parent.tier());
        }
        event.session = parent.session;
        event.sidechain = parent.sidechain;
        event.rank = parent.rank;
        out.events.push(event);
    }
    Ok(())
}

fn blank(id: EventId, at: DateTime<Utc>, model: Label, context: &mut Context) -> UsageEvent {
    UsageEvent::new(id, at, context.provider(model, provider_of), model)
}

/// Takes over the usage; a fault names its field below `path`.
fn fill(event: &mut UsageEvent, usage: &Usage<'_>, path: &str, context: &mut Context) -> Result<(), Fault> {
    let named = |fault: Fault| Fault {
        field: fault.field.map(|f| format!("{path}.{f}")),
        reason: fault.reason,
    };
    let count = |value: &Scalar<'_>, field: &str| value.count(field).map_err(named);
    let written = count(&usage.cache_creation_input_tokens, "cache_creation_input_tokens")?;
    let (five, hour) = match &usage.cache_creation {
        Some(split) => (
            count(
                &split.ephemeral_5m_input_tokens,
                "cache_creation.ephemeral_5m_input_tokens",
            )?,
            count(
                &split.ephemeral_1h_input_tokens,
                "cache_creation.ephemeral_1h_input_tokens",
            )?,
        ),
        None => (0, 0),
    };
    // What the split does not explain was written at the default time to live.
    let five = five + written.saturating_sub(five + hour);
    let output = count(&usage.output_tokens, "output_tokens")?;
    event
        .tokens
        .set(Bucket::InputUncached, count(&usage.input_tokens, "input_tokens")?);
    event.tokens.set(
        Bucket::CacheRead,
        count(&usage.cache_read_input_tokens, "cache_read_input_tokens")?,
    );
    event.tokens.set(Bucket::CacheWrite5m, five);
    event.tokens.set(Bucket::CacheWrite1h, hour);
    event.tokens.set(Bucket::Output, output);
    if let Some(details) = &usage.output_tokens_details {
        let thinking = count(&details.thinking_tokens, "output_tokens_details.thinking_tokens")?;
        event.tokens.reasoning = thinking.min(output);
    }
    if let Some(tools) = &usage.server_tool_use {
        let small = |value: &Scalar<'_>, field: &str| value.small(field).map_err(named);
        event.requests.web_searches = small(&tools.web_search_requests, "server_tool_use.web_search_requests")?;
        event.requests.web_fetches = small(&tools.web_fetch_requests, "server_tool_use.web_fetch_requests")?;
        event.requests.code_executions = small(
            &tools.code_execution_requests,
            "server_tool_use.code_execution_requests",
        )?;
    }
    event.dimensions.set(
        Dimension::Tier,
        context.label(&usage.service_tier, "service_tier").map_err(named)?,
    );
    if usage.speed.str() != "standard" {
        event.speed = context.label(&usage.speed, "speed").map_err(named)?;
    }
    if !matches!(usage.inference_geo.str(), "global" | "not_available") {
        event.geo = context.label(&usage.inference_geo, "inference_geo").map_err(named)?;
    }
    Ok(())
}

/// Behind a gateway the shape of the model id tells who sells the call.
fn provider_of(model: &str) -> &'static str {
    if model.contains("anthropic.") || model.starts_with("arn:aws") {
        "bedrock"
    } else if model.contains('@') {
        "vertex"
    } else {
        "anthropic"
    }
}
