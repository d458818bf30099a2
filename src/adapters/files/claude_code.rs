//! Claude Code session logs: several lines per call, copied between sessions; one call per `message.id`.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::json::{Amount, Count, Text, When, not_json};
use super::{LineFormat, Parsed, time};
use crate::domain::dimension::Dimension;
use crate::domain::label::{Label, LabelCache};
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};

/// Reads Claude Code lines.
pub(crate) struct ClaudeCode {
    latest: DateTime<Utc>,
    labels: LabelCache,
    anthropic: Label,
    bedrock: Label,
    standard: Label,
}

impl ClaudeCode {
    pub(crate) fn new(latest: DateTime<Utc>) -> Self {
        let label = Label::new;
        ClaudeCode {
            latest,
            labels: LabelCache::default(),
            anthropic: label("anthropic"),
            bedrock: label("bedrock"),
            standard: label("standard"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    timestamp: When<'a>,
    #[serde(borrow, default)]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    request_id: Text<'a>,
    #[serde(borrow, default)]
    uuid: Text<'a>,
    #[serde(default)]
    is_sidechain: Option<bool>,
    #[serde(borrow, default)]
    cwd: Text<'a>,
    #[serde(rename = "costUSD", default)]
    cost_usd: Amount,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    message: Option<Wrapped<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    #[serde(borrow, default)]
    timestamp: When<'a>,
    #[serde(borrow, default)]
    request_id: Text<'a>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    stop_reason: Text<'a>,
    #[serde(borrow, default)]
    usage: Option<Usage<'a>>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default)]
    cache_creation: Option<Split>,
    #[serde(borrow, default)]
    service_tier: Text<'a>,
    #[serde(borrow, default)]
    speed: Text<'a>,
    #[serde(borrow, default)]
    inference_geo: Text<'a>,
    #[serde(default)]
    server_tool_use: Option<Tools>,
    #[serde(borrow, default)]
    iterations: Option<Vec<Iteration<'a>>>,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct Split {
    #[serde(default)]
    ephemeral_5m_input_tokens: Count,
    #[serde(default)]
    ephemeral_1h_input_tokens: Count,
}

#[derive(Deserialize)]
struct Tools {
    #[serde(default)]
    web_search_requests: Count,
    #[serde(default)]
    web_fetch_requests: Count,
}

#[derive(Deserialize)]
struct Iteration<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default)]
    cache_creation: Option<Split>,
}

impl LineFormat for ClaudeCode {
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed {
        // Most lines of real logs are user turns and tool results without usage; a byte search is 20 times cheaper than a parse.
        if memchr::memmem::find(record, b"\"usage\"").is_none()
            && record.first() == Some(&b'{')
            && record.last() == Some(&b'}')
        {
            return Parsed::Other;
        }
        let parsed: Line<'_> = match serde_json::from_slice(record) {
            Ok(parsed) => parsed,
            Err(error) => return not_json(record, &error),
        };
        self.read(parsed, line, out).unwrap_or_else(|rejected| rejected)
    }
}

impl ClaudeCode {
    fn read(&mut self, parsed: Line<'_>, line: u64, out: &mut Vec<UsageEvent>) -> Result<Parsed, Parsed> {
        let Line {
            mut timestamp,
            session_id,
            mut request_id,
            uuid,
            is_sidechain,
            cwd,
            cost_usd,
            message,
            data,
        } = parsed;
        let message = match (message, data.and_then(|d| d.message)) {
            (Some(message), _) => message,
            (None, Some(wrapped)) => {
                // A progress line: the message of an agent, wrapped; its own time and request stand inside.
                if !matches!(wrapped.timestamp, When::Absent) {
                    timestamp = wrapped.timestamp;
                }
                if !wrapped.request_id.is_empty() {
                    request_id = wrapped.request_id;
                }
                match wrapped.message {
                    Some(message) => message,
                    None => return Ok(Parsed::Other),
                }
            }
            (None, None) => return Ok(Parsed::Other),
        };
        let Some(usage) = message.usage else {
            return Ok(Parsed::Other);
        };
        if message.model.as_str() == "<synthetic>" {
            return Ok(Parsed::Excluded("synthetic"));
        }
        let id = if !message.id.is_empty() {
            EventId::of(&[b"response", message.id.as_str().as_bytes()])
        } else if !request_id.is_empty() {
            EventId::of(&[b"claude-request", request_id.as_str().as_bytes()])
        } else if !uuid.is_empty() {
            EventId::of(&[b"claude-line", uuid.as_str().as_bytes()])
        } else {
            return Err(Parsed::rejected(
                "message.id",
                "is missing, and so are requestId and uuid",
            ));
        };
        let at = time::of_field(&timestamp, "timestamp", self.latest)?.at;
        let model = message.model.label("message.model", &mut self.labels)?;
        let on_bedrock = model.as_str().contains("anthropic.");
        let mut event = UsageEvent::new(id, at, if on_bedrock { self.bedrock } else { self.anthropic }, model);
        event.session = session_id.label("sessionId", &mut self.labels)?;
        event
            .dimensions
            .set(Dimension::Project, cwd.label("cwd", &mut self.labels)?);
        event.sidechain = is_sidechain.unwrap_or(false);
        event.rank.complete = !message.stop_reason.is_empty();
        event.rank.line = line;
        event.reported_cost = cost_usd.0.filter(|c| !c.is_zero());
        event.tokens = tokens(
            [
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_read_input_tokens,
                usage.cache_creation_input_tokens,
            ],
            usage.cache_creation,
        )?;
        let tier = usage
            .service_tier
            .label("message.usage.service_tier", &mut self.labels)?;
        event
            .dimensions
            .set(Dimension::Tier, if tier.is_empty() { self.standard } else { tier });
        event.speed = match usage.speed.as_str() {
            "" | "standard" => Label::EMPTY,
            _ => usage.speed.label("message.usage.speed", &mut self.labels)?,
        };
        event.geo = match usage.inference_geo.as_str() {
            "" | "global" | "not_available" => Label::EMPTY,
            _ => usage
                .inference_geo
                .label("message.usage.inference_geo", &mut self.labels)?,
        };
        if let Some(tools) = &usage.server_tool_use {
            event.requests.web_searches = tools
                .web_search_requests
                .small("message.usage.server_tool_use.web_search_requests")?;
            event.requests.web_fetches = tools
                .web_fetch_requests
                .small("message.usage.server_tool_use.web_fetch_requests")?;
        }
        for (n, iteration) in usage.iterations.iter().flatten().enumerate() {
            if !matches!(iteration.kind.as_str(), "advisor_message" | "compaction") {
                continue;
            }
            // Extra billable tokens that the top level does not contain, with a model of their own.
            let mut extra = event;
            let number = n.to_le_bytes();
            extra.id = EventId::of(&[b"iteration", &id.0, &number]);
            if !iteration.model.is_empty() {
                extra.dimensions.set(
                    Dimension::Model,
                    iteration
                        .model
                        .label("message.usage.iterations.model", &mut self.labels)?,
                );
            }
            extra.requests = crate::domain::usage::Requests::default();
            extra.reported_cost = None;
            extra.tokens = tokens(
                [
                    iteration.input_tokens,
                    iteration.output_tokens,
                    iteration.cache_read_input_tokens,
                    iteration.cache_creation_input_tokens,
                ],
                iteration.cache_creation,
            )?;
            out.push(extra);
        }
        out.push(event);
        Ok(Parsed::Usage)
    }
}

/// Input excludes cached tokens in this format. A write without a stated time to live lives 5 minutes.
fn tokens([input, output, read, written]: [Count; 4], split: Option<Split>) -> Result<Tokens, Parsed> {
    let split = split.unwrap_or_default();
    let one_hour = split
        .ephemeral_1h_input_tokens
        .get("message.usage.cache_creation.ephemeral_1h_input_tokens")?;
    let five_minutes = split
        .ephemeral_5m_input_tokens
        .get("message.usage.cache_creation.ephemeral_5m_input_tokens")?;
    let written = written.get("message.usage.cache_creation_input_tokens")?;
    let rest = written.saturating_sub(one_hour.saturating_add(five_minutes));
    Ok(Tokens::default()
        .with(Bucket::InputUncached, input.get("message.usage.input_tokens")?)
        .with(Bucket::CacheRead, read.get("message.usage.cache_read_input_tokens")?)
        .with(Bucket::CacheWrite5m, five_minutes.saturating_add(rest))
        .with(Bucket::CacheWrite1h, one_hour)
        .with(Bucket::Output, output.get("message.usage.output_tokens")?))
}
