//! What a line of Claude Code tells of usage: that of its message, and that of the requests that the message took.

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Requests, Tokens, UsageEvent};

use super::super::iterations::{self, Part};
use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::seller;
use super::super::tier;
use super::key;
use super::record::{Slot, Usage, Values};

/// The same fault, of a field below a path.
#[cold]
fn below(path: &str, fault: Fault) -> Fault {
    Fault {
        field: fault.field.map(|f| format!("{path}.{f}")),
        ..fault
    }
}

/// What was used.
pub(super) struct Used {
    pub tokens: Tokens,
    pub requests: Requests,
    pub tier: Label,
    /// Empty where it is the usual one.
    pub speed: Label,
    /// The same.
    pub geo: Label,
}

impl Used {
    /// What values tell; a fault names its field below a path.
    #[inline(always)]
    pub fn of(values: &Values<'_>, path: &str, context: &mut Context) -> Result<Self, Fault> {
        take_over(values, context).map_err(|fault| below(path, fault))
    }

    /// Says it of a call. What it tells of neither speed nor place stays.
    pub fn give(self, event: &mut UsageEvent) {
        (event.tokens, event.requests) = (self.tokens, self.requests);
        event.dimensions.set(Dimension::Tier, self.tier);
        for (to, told) in [(&mut event.speed, self.speed), (&mut event.geo, self.geo)] {
            if !told.is_empty() {
                *to = told;
            }
        }
    }
}

#[inline(always)]
fn take_over(values: &Values<'_>, context: &mut Context) -> Result<Used, Fault> {
    let count = |slot: Slot, field: &str| values.get(slot).count(field);
    let small = |slot: Slot, field: &str| values.get(slot).small(field);
    let written = count(Slot::Written, "cache_creation_input_tokens")?;
    let five = count(Slot::Written5m, "cache_creation.ephemeral_5m_input_tokens")?;
    let hour = count(Slot::Written1h, "cache_creation.ephemeral_1h_input_tokens")?;
    // What the split does not explain was written at the default time to live.
    let five = five + written.saturating_sub(five + hour);
    let output = count(Slot::Output, "output_tokens")?;
    let mut tokens = Tokens::default();
    tokens.set(Bucket::InputUncached, count(Slot::Input, "input_tokens")?);
    tokens.set(Bucket::CacheRead, count(Slot::Read, "cache_read_input_tokens")?);
    tokens.set(Bucket::CacheWrite5m, five);
    tokens.set(Bucket::CacheWrite1h, hour);
    tokens.set(Bucket::Output, output);
    tokens.reasoning = count(Slot::Thinking, "output_tokens_details.thinking_tokens")?.min(output);
    let requests = Requests {
        web_searches: small(Slot::WebSearches, "server_tool_use.web_search_requests")?,
        web_fetches: small(Slot::WebFetches, "server_tool_use.web_fetch_requests")?,
        code_executions: small(Slot::CodeExecutions, "server_tool_use.code_execution_requests")?,
        ..Requests::default()
    };
    let tier = tier::of(values.get(Slot::ServiceTier), "service_tier", context)?;
    let mut name = |slot: Slot, field: &str, usual: [&str; 2]| {
        let value = values.get(slot);
        if value.is_null() || usual.contains(&value.str()) {
            return Ok(Label::EMPTY);
        }
        context.label(value, field)
    };
    let speed = name(Slot::Speed, "speed", ["standard"; 2])?;
    let geo = name(Slot::InferenceGeo, "inference_geo", ["global", "not_available"])?;
    Ok(Used {
        tokens,
        requests,
        tier,
        speed,
        geo,
    })
}

/// Where iterations stand.
const PATH: &str = "message.usage.iterations";
/// Prompts up to here cost the same at Anthropic, however many are summed up.
const SHORT: u64 = 200_000;

/// Adds to the last call the calls that its iterations are.
#[cold]
pub(super) fn with_iterations(
    json: &str,
    values: &Values<'_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let Some(at) = out.events.len().checked_sub(1) else {
        return Ok(());
    };
    let Some(parent) = out.events.get(at).copied() else {
        return Ok(());
    };
    let longest = extras(json, &key(values)?, &parent, context, out)?;
    if let Some(event) = out.events.get_mut(at) {
        event.asked_at_most(longest);
    }
    Ok(())
}

/// Iterations that the top level does not contain are calls of their own. Answers the longest prompt of those that it sums up, where that
/// may decide the price.
fn extras(
    json: &str,
    key: &[&[u8]; 2],
    parent: &UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<u64, Fault> {
    let entries: Option<Vec<Usage<'_>>> =
        serde_json::from_str(json).map_err(|e| Fault::field(PATH, format!("unexpected shape: {e}")))?;
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
                Used::of(&entry.values(), PATH, context)?.give(&mut one);
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
            cloud if matches!(cloud.as_str(), "bedrock" | "vertex" | "openrouter") => cloud,
            _ => context.provider(model, seller::behind_claude_code),
        };
        let mut event = UsageEvent::new(id, parent.at, provider, model);
        Used::of(&entry.values(), PATH, context)?.give(&mut event);
        for dimension in [Dimension::Project, Dimension::Agent] {
            event.dimensions.set(dimension, parent.dimensions.get(dimension));
        }
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
