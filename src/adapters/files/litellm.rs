//! LiteLLM spend logs: rows of `LiteLLM_SpendLogs`, as JSON lines or a JSON array. `prompt_tokens` include cached tokens.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::json::{Amount, Count, Text, When, not_json};
use super::{LineFormat, Parsed, time};
use crate::domain::dimension::Dimension;
use crate::domain::label::LabelCache;
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};

/// Reads rows of spend logs.
pub(crate) struct Litellm {
    latest: DateTime<Utc>,
    labels: LabelCache,
    warnings: [(&'static str, u64); 2],
}

const EXCLUDES: usize = 0;
const NO_TOKENS: usize = 1;

impl Litellm {
    pub(crate) fn new(latest: DateTime<Utc>) -> Self {
        let warnings = [
            ("input excludes cached tokens, although this format includes them", 0),
            ("coverage gap: successful calls without any tokens", 0),
        ];
        Litellm {
            latest,
            labels: LabelCache::default(),
            warnings,
        }
    }

    fn warn(&mut self, which: usize) {
        if let Some((_, count)) = self.warnings.get_mut(which) {
            *count += 1;
        }
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    request_id: Text<'a>,
    #[serde(borrow, default)]
    litellm_call_id: Text<'a>,
    #[serde(default)]
    spend: Amount,
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(rename = "startTime", borrow, default)]
    start_time: When<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    custom_llm_provider: Text<'a>,
    #[serde(borrow, default)]
    user: Text<'a>,
    #[serde(borrow, default)]
    end_user: Text<'a>,
    #[serde(default)]
    metadata: Option<serde_json::Value>,
    #[serde(borrow, default)]
    cache_hit: Text<'a>,
    #[serde(default)]
    request_tags: Option<serde_json::Value>,
    #[serde(borrow, default)]
    team_id: Text<'a>,
    #[serde(borrow, default)]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    user_api_key_team_alias: Option<String>,
    user_api_key_project_alias: Option<String>,
    user_api_key_user_id: Option<String>,
    usage_object: Option<UsageObject>,
    additional_usage_values: Option<UsageObject>,
    cost_breakdown: Option<CostBreakdown>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CostBreakdown {
    service_tier: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct UsageObject {
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Option<Ttl>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_creation_tokens: Count,
    cache_creation_token_details: Option<Ttl>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Ttl {
    ephemeral_1h_input_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

/// A value that is JSON or JSON as text.
fn unpacked<T: serde::de::DeserializeOwned>(value: Option<serde_json::Value>) -> Option<T> {
    let value = value?;
    match value.as_str() {
        Some(text) => serde_json::from_str(text).ok(),
        None => serde_json::from_value(value).ok(),
    }
}

impl LineFormat for Litellm {
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed {
        match serde_json::from_slice::<Row<'_>>(record) {
            Ok(row) => self.read(record, row, line, out).unwrap_or_else(|rejected| rejected),
            Err(error) => not_json(record, &error),
        }
    }

    fn warnings(&mut self) -> Vec<(String, u64)> {
        let told = self
            .warnings
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(text, n)| ((*text).to_owned(), *n))
            .collect();
        self.warnings.iter_mut().for_each(|(_, n)| *n = 0);
        told
    }
}

/// The provider as the price books name it.
fn provider(name: &str) -> &str {
    match name {
        "gemini" => "google",
        "vertex_ai" | "vertex_ai_beta" => "vertex",
        "bedrock_converse" => "bedrock",
        "text-completion-openai" => "openai",
        other => other,
    }
}

impl Litellm {
    fn read(&mut self, raw: &[u8], row: Row<'_>, line: u64, out: &mut Vec<UsageEvent>) -> Result<Parsed, Parsed> {
        let request = row.request_id.as_str();
        if request.contains("_cache_hit") || row.cache_hit.as_str().eq_ignore_ascii_case("true") {
            return Ok(Parsed::Excluded("response_cache_hits"));
        }
        let prompt = row.prompt_tokens.get("prompt_tokens")?;
        let output = row.completion_tokens.get("completion_tokens")?;
        if prompt == 0 && output == 0 {
            if row.status.as_str() == "failure" {
                return Ok(Parsed::Excluded("failed_calls"));
            }
            self.warn(NO_TOKENS);
        }
        let at = time::of_field(&row.start_time, "startTime", self.latest)?.at;
        let metadata: Metadata = unpacked(row.metadata).unwrap_or_default();
        let usage = metadata
            .usage_object
            .or(metadata.additional_usage_values)
            .unwrap_or_default();
        let details = usage.prompt_tokens_details.unwrap_or_default();
        // Both names carry the same number; never add them.
        let either = |a: Count, b: Count, field: &str| Ok::<u64, Parsed>(a.get(field)?.max(b.get(field)?));
        let read = either(
            usage.cache_read_input_tokens,
            details.cached_tokens,
            "cache_read_input_tokens",
        )?;
        let written = either(
            usage.cache_creation_input_tokens,
            details.cache_creation_tokens,
            "cache_creation_input_tokens",
        )?;
        let ttl = details
            .cache_creation_token_details
            .or(usage.cache_creation)
            .unwrap_or_default();
        let one_hour = ttl
            .ephemeral_1h_input_tokens
            .get("ephemeral_1h_input_tokens")?
            .min(written);
        let uncached = prompt.checked_sub(read.saturating_add(written)).unwrap_or_else(|| {
            self.warn(EXCLUDES);
            prompt
        });
        let id = match (request, row.litellm_call_id.as_str()) {
            ("", "") => EventId::of(&[b"litellm-content", raw]),
            ("", call) => EventId::of(&[b"litellm", call.as_bytes()]),
            // The provider's own id: the same call seen in another log counts once.
            (id, _) if ["msg_", "chatcmpl-", "resp_", "gen-"].iter().any(|p| id.starts_with(p)) => {
                EventId::of(&[b"response", id.as_bytes()])
            }
            (id, _) => EventId::of(&[b"litellm", id.as_bytes()]),
        };
        let model = row.model.label("model", &mut self.labels)?;
        let mut event = UsageEvent::new(
            id,
            at,
            self.labels.get(provider(row.custom_llm_provider.as_str())),
            model,
        );
        let mut tokens = Tokens::default()
            .with(Bucket::InputUncached, uncached)
            .with(Bucket::CacheRead, read)
            .with(Bucket::CacheWrite5m, written - one_hour)
            .with(Bucket::CacheWrite1h, one_hour)
            .with(Bucket::Output, output);
        let reasoning = usage
            .completion_tokens_details
            .unwrap_or_default()
            .reasoning_tokens
            .get("reasoning_tokens")?;
        tokens.reasoning = reasoning.min(output);
        event.tokens = tokens;
        event.rank.line = line;
        event.session = row.session_id.label("session_id", &mut self.labels)?;
        event.reported_cost = row.spend.0.filter(|c| !c.is_zero());
        let tier = metadata
            .cost_breakdown
            .unwrap_or_default()
            .service_tier
            .unwrap_or_default();
        let tier = if tier.is_empty() || tier == "default" {
            "standard"
        } else {
            &tier
        };
        let team = metadata.user_api_key_team_alias.unwrap_or_default();
        let team_id = row.team_id.as_str();
        let team = if team.is_empty() {
            team_id.strip_prefix("t-").unwrap_or(team_id)
        } else {
            &team
        };
        let user = metadata.user_api_key_user_id.unwrap_or_default();
        let users = [row.end_user.as_str(), row.user.as_str(), &user];
        let user = users.into_iter().find(|u| !u.is_empty()).unwrap_or_default();
        let project = metadata.user_api_key_project_alias.unwrap_or_default();
        let values = [
            (Dimension::Tier, tier),
            (Dimension::Team, team),
            (Dimension::User, user),
            (Dimension::Project, &project),
        ];
        for (dimension, value) in values {
            event
                .dimensions
                .set(dimension, Text(value.into()).label(dimension.name(), &mut self.labels)?);
        }
        for tag in unpacked::<Vec<String>>(row.request_tags).unwrap_or_default() {
            let Some((key, value)) = tag.split_once(':') else {
                continue;
            };
            let dimension = match key {
                "agent" => Dimension::Agent,
                "workflow" => Dimension::Workflow,
                "project" => Dimension::Project,
                "team" if event.dimensions.get(Dimension::Team).is_empty() => Dimension::Team,
                _ => continue,
            };
            event
                .dimensions
                .set(dimension, Text(value.into()).label("request_tags", &mut self.labels)?);
        }
        out.push(event);
        Ok(Parsed::Usage)
    }
}
