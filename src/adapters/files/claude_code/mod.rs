//! Claude Code session logs: one response is written as several lines, all with the same message id.

mod record;

use memchr::memmem::Finder;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, Rank, Tokens, UsageEvent};

use self::record::{Line, Slot, Usage, Values, Wrapper};
use super::iterations::{self, Part};
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::{Scalar, reported};
use super::seller;
use super::value::Value;

/// Reads Claude Code lines.
pub(super) struct ClaudeCode {
    usage: Finder<'static>,
    api_error: Finder<'static>,
}

impl ClaudeCode {
    /// A reader; it keeps nothing between lines.
    pub fn new() -> Self {
        ClaudeCode {
            usage: Finder::new(b"\"usage\""),
            api_error: Finder::new(b"\"isApiErrorMessage\""),
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
        let mut values = Values::default();
        if values.scan_known(text, &mut context.forms.claude_code).is_none() {
            if self.irrelevant(text.as_bytes()) {
                return Ok(());
            }
            if values.scan(text, &mut context.forms.claude_code).is_none() {
                return general(&Line::parse(text)?, number, context, out);
            }
        }
        if matches!(values.get(Slot::Type).str(), "assistant" | "") {
            observe(&values, number, context, out)
        } else {
            Ok(())
        }
    }
}

/// A line from the general parser. One of progress carries the line of a subagent.
fn general(line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    match line.r#type.str() {
        "assistant" | "" if line.message.is_some() => observe(&line.values(), number, context, out),
        "progress" => {
            let Some(data) = line.data else { return Ok(()) };
            // Other kinds of progress have data of other shapes and no usage.
            let Ok(wrapper) = serde_json::from_str::<Wrapper<'_>>(data.get()) else {
                return Ok(());
            };
            let Some(inner) = wrapper.message else { return Ok(()) };
            if inner.message.is_none() || !matches!(inner.r#type.str(), "assistant" | "") {
                return Ok(());
            }
            let mut values = inner.values();
            let outer = line.values();
            for slot in [Slot::Timestamp, Slot::SessionId, Slot::Cwd] {
                values.set(slot, values.get(slot).or(outer.get(slot)));
            }
            values.set(Slot::IsSidechain, Value::Bool(true));
            observe(&values, number, context, out)
        }
        _ => Ok(()),
    }
}

fn observe(values: &Values<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
    let text = |slot: Slot| values.get(slot).str();
    if text(Slot::Model) == "<synthetic>" {
        out.excluded.push("synthetic");
        return Ok(());
    }
    let used = [Slot::Input, Slot::Output, Slot::Written, Slot::Read];
    if used.into_iter().all(|slot| values.get(slot).is_null()) {
        if values.get(Slot::IsApiErrorMessage).is_true() {
            out.excluded.push("failed_calls");
        } else if !values.get(Slot::StopReason).is_null() {
            out.warnings.push(NO_USAGE);
            let id = context.response(text(Slot::Id).as_bytes());
            out.excluded_once.push(("calls_without_usage", id));
        }
        return Ok(());
    }
    let at = context.time(values.get(Slot::Timestamp), "timestamp", out)?;
    let key: [&[u8]; 2] = match (text(Slot::Id), text(Slot::RequestId), text(Slot::Uuid)) {
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
    let model = context.label(values.get(Slot::Model), "message.model")?;
    // Written where it is handed over from: a call is larger than what is read of its line.
    let identity = match key {
        [b"response", id] => context.response(id),
        key => EventId::of(&key),
    };
    let provider = match seller::by_response(text(Slot::Id)) {
        "" => context.provider(model, provider_of),
        cloud => context.labels.get(cloud),
    };
    out.events.push(UsageEvent::new(identity, at, provider, model));
    let Some(event) = out.events.last_mut() else {
        return Ok(());
    };
    fill(event, values, "message.usage", context)?;
    // Declined before anything was answered, for which Anthropic charges nothing. The call stays: it replaces what earlier lines say of it.
    if text(Slot::StopReason) == "refusal"
        && event.tokens.get(Bucket::Output) == 0
        && event.provider().as_str() == "anthropic"
    {
        event.tokens = Tokens::default();
    }
    event.session = context.label(values.get(Slot::SessionId), "sessionId")?;
    let project = context.label(values.get(Slot::Cwd), "cwd")?;
    event.dimensions.set(Dimension::Project, project);
    event.sidechain = values.get(Slot::IsSidechain).is_true();
    event.rank = Rank {
        authority: 0,
        complete: !values.get(Slot::StopReason).is_null(),
        at,
        line: number,
    };
    if let Value::Text(cost) = values.get(Slot::Cost) {
        event.reported_cost = reported(Some(cost), "costUSD")?;
    }
    if let Value::Text(iterations) = values.get(Slot::Iterations) {
        let (parent, at) = (*event, out.events.len() - 1);
        let longest = extras(iterations, &key, &parent, context, out)?;
        if let Some(event) = out.events.get_mut(at) {
            event.asked_at_most(longest);
        }
    }
    Ok(())
}

/// Prompts up to here cost the same at Anthropic, however many are summed up.
const SHORT: u64 = 200_000;

/// Iterations that the top level does not contain are calls of their own. Answers the longest prompt of those that it sums up, where that
/// may decide the price.
fn extras(
    json: &str,
    key: &[&[u8]; 2],
    parent: &UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<u64, Fault> {
    let entries: Option<Vec<Usage<'_>>> = serde_json::from_str(json)
        .map_err(|e| Fault::field("message.usage.iterations", format!("unexpected shape: {e}")))?;
    let entries = entries.unwrap_or_default();
    let fallback = entries.iter().any(|entry| entry.r#type.str() == "fallback_message");
    let served = parent.model().as_str();
    let mut longest = 0;
    for (n, entry) in entries.iter().enumerate() {
        let answered = !matches!(entry.output_tokens, Scalar::Null | Scalar::Whole(0));
        match iterations::part(entry.r#type.str(), entry.model.str(), served, fallback, answered) {
            Part::Beside => {}
            Part::Within if parent.tokens.prompt() > SHORT => {
                let mut one = *parent;
                fill(&mut one, &entry.values(), "message.usage.iterations", context)?;
                longest = one.tokens.prompt().max(longest);
                continue;
            }
            Part::Within | Part::Declined => continue,
            Part::Unknown => {
                out.warnings.push(iterations::UNKNOWN);
                continue;
            }
        }
        let own = context.label(&entry.model, "message.usage.iterations.model")?;
        let model = if own.is_empty() { parent.model() } else { own };
        let [space, id] = *key;
        let id = EventId::of(&[space, id, b"iteration", n.to_string().as_bytes()]);
        // Who sold the message sold what was done for it.
        let provider = match parent.provider() {
            cloud if matches!(cloud.as_str(), "bedrock" | "vertex") => cloud,
            _ => context.provider(model, provider_of),
        };
        let mut event = UsageEvent::new(id, parent.at, provider, model);
        fill(&mut event, &entry.values(), "message.usage.iterations", context)?;
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
    Ok(longest)
}

/// Takes over the usage; a fault names its field below `path`.
fn fill(event: &mut UsageEvent, values: &Values<'_>, path: &str, context: &mut Context) -> Result<(), Fault> {
    take_over(event, values, context).map_err(|fault| Fault {
        field: fault.field.map(|f| format!("{path}.{f}")),
        reason: fault.reason,
    })
}

fn take_over(event: &mut UsageEvent, values: &Values<'_>, context: &mut Context) -> Result<(), Fault> {
    let count = |slot: Slot, field: &str| values.get(slot).count(field);
    let small = |slot: Slot, field: &str| values.get(slot).small(field);
    let written = count(Slot::Written, "cache_creation_input_tokens")?;
    let five = count(Slot::Written5m, "cache_creation.ephemeral_5m_input_tokens")?;
    let hour = count(Slot::Written1h, "cache_creation.ephemeral_1h_input_tokens")?;
    // What the split does not explain was written at the default time to live.
    let five = five + written.saturating_sub(five + hour);
    let output = count(Slot::Output, "output_tokens")?;
    let tokens = &mut event.tokens;
    tokens.set(Bucket::InputUncached, count(Slot::Input, "input_tokens")?);
    tokens.set(Bucket::CacheRead, count(Slot::Read, "cache_read_input_tokens")?);
    tokens.set(Bucket::CacheWrite5m, five);
    tokens.set(Bucket::CacheWrite1h, hour);
    tokens.set(Bucket::Output, output);
    tokens.reasoning = count(Slot::Thinking, "output_tokens_details.thinking_tokens")?.min(output);
    let requests = &mut event.requests;
    requests.web_searches = small(Slot::WebSearches, "server_tool_use.web_search_requests")?;
    requests.web_fetches = small(Slot::WebFetches, "server_tool_use.web_fetch_requests")?;
    requests.code_executions = small(Slot::CodeExecutions, "server_tool_use.code_execution_requests")?;
    let tier = context.label(values.get(Slot::ServiceTier), "service_tier")?;
    event.dimensions.set(Dimension::Tier, tier);
    let speed = values.get(Slot::Speed);
    if !speed.is_null() && speed.str() != "standard" {
        event.speed = context.label(speed, "speed")?;
    }
    let geo = values.get(Slot::InferenceGeo);
    if !geo.is_null() && !matches!(geo.str(), "global" | "not_available") {
        event.geo = context.label(geo, "inference_geo")?;
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
