//! Usage objects of providers' response bodies, one reader for all shapes: their fields have distinct names. Input includes cached
//! tokens in OpenAI's shapes (chat, responses) and excludes them in Anthropic's and Bedrock's (Messages, Converse).

mod camel;
mod cohere;
mod details;
mod watch;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::Tokens;

use self::details::{Creation, Details, Tools};
use self::watch::Unknown;
pub(super) use self::watch::{FLATTENED, watched};
use super::counts::Counts;
use super::line::{Fault, Output};
use super::media;
use super::object;
use super::scalar::Scalar;
pub(super) use super::shape::Shape;

/// The `usage` object of a response body, of whichever provider.
#[derive(Deserialize, Default)]
pub(super) struct Usage<'a> {
    // OpenAI chat completions and everything compatible with them.
    #[serde(borrow, default)]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    completion_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    total_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "watched")]
    prompt_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "watched")]
    completion_tokens_details: Option<Details<'a>>,
    // OpenAI's assistants.
    #[serde(borrow, default, deserialize_with = "watched")]
    prompt_token_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "watched")]
    completion_token_details: Option<Details<'a>>,
    /// DeepSeek and Moonshot say it here.
    #[serde(borrow, default)]
    prompt_cache_hit_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cached_tokens: Scalar<'a>,
    /// Mistral says it here, too: read nowhere, and told where nothing else says what was cached.
    #[serde(borrow, default)]
    num_cached_tokens: Scalar<'a>,
    /// Codex says it here.
    #[serde(borrow, default)]
    cached_input_tokens: Scalar<'a>,
    /// What OpenRouter charged.
    #[serde(borrow, default)]
    pub cost: Option<&'a RawValue>,
    // OpenAI responses, Anthropic messages.
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "watched")]
    input_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "watched")]
    output_tokens_details: Option<Details<'a>>,
    // OpenAI's transcriptions and its realtime interface.
    #[serde(borrow, default, deserialize_with = "watched")]
    input_token_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "watched")]
    output_token_details: Option<Details<'a>>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "watched")]
    cache_creation: Option<Creation<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    server_tool_use: Option<Tools<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub speed: Scalar<'a>,
    #[serde(borrow, default)]
    pub inference_geo: Scalar<'a>,
    #[serde(borrow, default)]
    pub iterations: Option<&'a RawValue>,
    // Bedrock Converse.
    #[serde(borrow, default, rename = "inputTokens")]
    converse_input: Scalar<'a>,
    #[serde(borrow, default, rename = "outputTokens")]
    converse_output: Scalar<'a>,
    #[serde(borrow, default, rename = "totalTokens")]
    converse_total: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheReadInputTokens")]
    converse_read: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheWriteInputTokens")]
    converse_write: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheReadInputTokenCount")]
    converse_read_count: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheWriteInputTokenCount")]
    converse_write_count: Scalar<'a>,
    #[serde(borrow, default, rename = "cacheDetails", deserialize_with = "object::list")]
    converse_details: Option<Vec<camel::CacheDetail<'a>>>,
    // The Vercel AI SDK, which has Converse's names for the rest.
    #[serde(borrow, default, rename = "cachedInputTokens")]
    sdk_read: Scalar<'a>,
    #[serde(borrow, default, rename = "reasoningTokens")]
    sdk_reasoning: Scalar<'a>,
    #[serde(borrow, default, rename = "inputTokenDetails", deserialize_with = "object::one")]
    sdk_input: Option<camel::Input<'a>>,
    #[serde(borrow, default, rename = "outputTokenDetails", deserialize_with = "object::one")]
    sdk_output: Option<camel::Output<'a>>,
    // Gemini's Interactions.
    #[serde(borrow, default)]
    total_input_tokens: Scalar<'a>,
    // Cohere.
    #[serde(borrow, default, deserialize_with = "object::one")]
    billed_units: Option<cohere::Billed<'a>>,
    // xAI.
    #[serde(borrow, default)]
    cost_in_usd_ticks: Scalar<'a>,
    // What new-api keeps of Claude's usage.
    #[serde(borrow, default)]
    claude_cache_creation_5_m_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    claude_cache_creation_1_h_tokens: Scalar<'a>,
    // TensorZero, in its own shape and in OpenAI's.
    #[serde(borrow, default)]
    provider_cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    provider_cache_write_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    tensorzero_provider_cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    tensorzero_provider_cache_write_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    tensorzero_cost: Option<&'a RawValue>,
    // Of an iteration only.
    #[serde(borrow, default, rename = "type")]
    pub kind: Scalar<'a>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    /// Counts under other names.
    #[serde(skip)]
    pub unknown: Unknown,
}

impl<'a> Usage<'a> {
    /// Whose it is; nothing where it has no usage field.
    pub fn shape(&self) -> Option<Shape> {
        let given = |fields: &[&Scalar<'_>]| fields.iter().any(|f| !f.is_null());
        if self.billed_units.is_some() {
            Some(Shape::Cohere)
        } else if given(&[&self.prompt_tokens, &self.completion_tokens]) {
            Some(Shape::Chat)
        } else if given(&[&self.converse_input, &self.converse_output]) {
            Some(self.in_camel_case())
        } else if self.input_tokens_details.is_some() || self.input_token_details.is_some() || self.is_of_codex() {
            Some(Shape::Responses)
        } else if given(&[
            &self.provider_cache_read_input_tokens,
            &self.provider_cache_write_input_tokens,
        ]) {
            // TensorZero adds up what providers leave apart.
            Some(Shape::Responses)
        } else if given(&[&self.cache_read_input_tokens, &self.cache_creation_input_tokens]) {
            // Gateways add a total.
            Some(Shape::Messages)
        } else if given(&[&self.total_tokens]) {
            Some(Shape::Responses)
        } else if given(&[&self.input_tokens, &self.output_tokens]) {
            Some(Shape::Messages)
        } else {
            None
        }
    }

    /// The same, where it is known whether the answer may be Claude's: all others' totals come with an input that includes what caches hold.
    pub fn shape_of(&self, claude: bool) -> Option<Shape> {
        let with_total = !claude && !self.total_tokens.is_null();
        self.shape().map(|shape| match shape {
            Shape::Messages if with_total => Shape::Responses,
            Shape::Sdk if claude && self.sdk_input.is_none() => Shape::SdkOfClaude,
            Shape::Chat
            | Shape::Responses
            | Shape::Messages
            | Shape::Converse
            | Shape::Sdk
            | Shape::SdkOfClaude
            | Shape::Cohere => shape,
        })
    }

    /// What all of it cost, as whoever handed it on says.
    pub fn told_cost(&self) -> Option<&'a RawValue> {
        let given = |cost: &&RawValue| cost.get() != "null";
        self.cost.filter(given).or(self.tensorzero_cost.filter(given))
    }

    /// Whether it is one of Gemini's Interactions.
    pub fn is_of_interaction(&self) -> bool {
        !self.total_input_tokens.is_null()
    }

    /// Whether it is that of pictures or films of xAI's, of which it tells the cost alone.
    pub fn is_of_ticks(&self) -> bool {
        !self.cost_in_usd_ticks.is_null()
    }

    /// Takes a total for the input where it is all that is told: of what has no output.
    pub fn has_no_output(&mut self) {
        let told = [
            &self.prompt_tokens,
            &self.completion_tokens,
            &self.input_tokens,
            &self.output_tokens,
        ];
        if told.into_iter().all(Scalar::is_null) {
            self.input_tokens = self.total_tokens.clone();
        }
    }

    /// Whether it is that of a turn of Codex, which tells no model.
    pub fn is_of_codex(&self) -> bool {
        !self.cached_input_tokens.is_null()
    }

    /// The disjoint tokens; `openai` says whose default time to live an unsplit cache write has.
    pub fn tokens(&self, shape: Shape, openai: bool, out: &mut Output) -> Result<Tokens, Fault> {
        Ok(self.counts(shape, openai)?.tokens(shape.input(), shape.name(), out))
    }

    /// The counts as they are told.
    pub fn counts(&self, shape: Shape, openai: bool) -> Result<Counts, Fault> {
        match shape {
            Shape::Chat => self.openai(
                (&self.prompt_tokens, "prompt_tokens"),
                (&self.completion_tokens, "completion_tokens"),
                self.prompt_tokens_details
                    .as_ref()
                    .or(self.prompt_token_details.as_ref()),
                self.completion_tokens_details
                    .as_ref()
                    .or(self.completion_token_details.as_ref()),
                openai,
            ),
            Shape::Responses => self.openai(
                (&self.input_tokens, "input_tokens"),
                (&self.output_tokens, "output_tokens"),
                self.input_tokens_details.as_ref().or(self.input_token_details.as_ref()),
                self.output_tokens_details
                    .as_ref()
                    .or(self.output_token_details.as_ref()),
                openai,
            ),
            Shape::Messages => self.messages(),
            Shape::Converse => self.converse(),
            Shape::Sdk => self.sdk(openai),
            Shape::SdkOfClaude => self.sdk_of_claude(),
            Shape::Cohere => self.cohere(),
        }
    }

    fn openai(
        &self,
        input: (&Scalar<'_>, &str),
        output: (&Scalar<'_>, &str),
        details: Option<&Details<'_>>,
        completion: Option<&Details<'_>>,
        openai: bool,
    ) -> Result<Counts, Fault> {
        let none = Details::default();
        let (details, completion) = (details.unwrap_or(&none), completion.unwrap_or(&none));
        // The same number under several names: never added up.
        let read = first(&[
            (&details.cached_tokens, "cached_tokens"),
            (&self.cache_read_input_tokens, "cache_read_input_tokens"),
            (&self.prompt_cache_hit_tokens, "prompt_cache_hit_tokens"),
            (&self.cached_tokens, "cached_tokens"),
            (&self.cached_input_tokens, "cached_input_tokens"),
            (&details.cached_read_tokens, "cached_read_tokens"),
            (&details.cache_read, "cache_read"),
            (
                &self.provider_cache_read_input_tokens,
                "provider_cache_read_input_tokens",
            ),
            (
                &self.tensorzero_provider_cache_read_input_tokens,
                "tensorzero_provider_cache_read_input_tokens",
            ),
        ])?;
        let written = first(&[
            (&details.cache_write_tokens, "cache_write_tokens"),
            (&details.cache_creation_tokens, "cache_creation_tokens"),
            (&self.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (&details.cached_creation_tokens, "cached_creation_tokens"),
            (&details.cached_write_tokens, "cached_write_tokens"),
            (&details.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (details.created(), "cache_creation"),
            (
                &self.provider_cache_write_input_tokens,
                "provider_cache_write_input_tokens",
            ),
            (
                &self.tensorzero_provider_cache_write_input_tokens,
                "tensorzero_provider_cache_write_input_tokens",
            ),
        ])?;
        let mut counts = Counts {
            input: input.0.count(input.1)?,
            read,
            output: output.0.count(output.1)?,
            reasoning: completion.reasoning_tokens.count("reasoning_tokens")?,
            media: media::openai(
                [&details.audio_tokens, &details.image_tokens, &details.video_tokens],
                [&completion.audio_tokens, &completion.image_tokens],
                details.cached_tokens_details.as_ref(),
            )?,
            total: self.total_tokens.count("total_tokens")?,
            ..Counts::default()
        };
        if let Some(ttl) = &details.cache_write_tokens_details {
            counts.write_30m = ttl.ttl_30m_tokens.count("ttl_30m_tokens")?;
            counts.write_12h = ttl.ttl_12h_tokens.count("ttl_12h_tokens")?;
        }
        let splits = [
            &details.cache_creation_token_details,
            &details.cached_write_token_details,
            &self.cache_creation,
        ];
        // new-api, LangChain.
        counts.write_5m = first(&[
            (
                &self.claude_cache_creation_5_m_tokens,
                "claude_cache_creation_5_m_tokens",
            ),
            (&details.ephemeral_5m_input_tokens, "ephemeral_5m_input_tokens"),
        ])?;
        counts.write_1h = first(&[
            (
                &self.claude_cache_creation_1_h_tokens,
                "claude_cache_creation_1_h_tokens",
            ),
            (&details.ephemeral_1h_input_tokens, "ephemeral_1h_input_tokens"),
        ])?;
        if let Some(split) = splits.into_iter().flatten().next() {
            split.read(&mut counts)?;
        }
        let rest = written.saturating_sub(counts.write_30m + counts.write_12h + counts.write_5m + counts.write_1h);
        let unsplit = if openai {
            &mut counts.write_30m
        } else {
            &mut counts.write_5m
        };
        *unsplit += rest;
        Ok(counts)
    }

    fn messages(&self) -> Result<Counts, Fault> {
        let mut counts = Counts {
            input: self.input_tokens.count("input_tokens")?,
            read: self.cache_read_input_tokens.count("cache_read_input_tokens")?,
            output: self.output_tokens.count("output_tokens")?,
            total: self.total_tokens.count("total_tokens")?,
            ..Counts::default()
        };
        if let Some(split) = &self.cache_creation {
            split.read(&mut counts)?;
        }
        if let Some(details) = &self.output_tokens_details {
            counts.reasoning = details.thinking_tokens.count("thinking_tokens")?;
        }
        let written = self.cache_creation_input_tokens.count("cache_creation_input_tokens")?;
        counts.write_5m += written.saturating_sub(counts.write_5m + counts.write_1h);
        Ok(counts)
    }
}

/// The first that is above zero: whoever hands an answer on may have filled in the names that he knows himself, and kept the others.
fn first(options: &[(&Scalar<'_>, &str)]) -> Result<u64, Fault> {
    for (value, field) in options.iter().filter(|(value, _)| !value.is_null()) {
        let count = value.count(field)?;
        if count > 0 {
            return Ok(count);
        }
    }
    Ok(0)
}
