//! Usage objects of providers' response bodies, one reader for all shapes: their fields have distinct names. Input includes cached
//! tokens in OpenAI's shapes (chat, responses) and excludes them in Anthropic's and Bedrock's (Messages, Converse).

mod camel;
mod cohere;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Requests, Tokens};

use super::counts::Counts;
use super::line::{Fault, Output};
use super::media::{self, Cached};
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
    #[serde(borrow, default, deserialize_with = "object::one")]
    prompt_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    completion_tokens_details: Option<Details<'a>>,
    /// DeepSeek and Moonshot say it here.
    #[serde(borrow, default)]
    prompt_cache_hit_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cached_tokens: Scalar<'a>,
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
    #[serde(borrow, default, deserialize_with = "object::one")]
    input_tokens_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    output_tokens_details: Option<Details<'a>>,
    // OpenAI's transcriptions and its realtime interface.
    #[serde(borrow, default, deserialize_with = "object::one")]
    input_token_details: Option<Details<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    output_token_details: Option<Details<'a>>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
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
    // Of an iteration only.
    #[serde(borrow, default, rename = "type")]
    pub kind: Scalar<'a>,
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Details<'a> {
    #[serde(borrow, default)]
    cached_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache_write_tokens_details: Option<Ttl<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache_creation_token_details: Option<Creation<'a>>,
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    thinking_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    video_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cached_tokens_details: Option<Cached<'a>>,
}

#[derive(Deserialize, Default)]
struct Ttl<'a> {
    #[serde(borrow, default)]
    ttl_30m_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ttl_12h_tokens: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Creation<'a> {
    #[serde(borrow, default)]
    ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ephemeral_1h_input_tokens: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Tools<'a> {
    #[serde(borrow, default)]
    web_search_requests: Scalar<'a>,
    #[serde(borrow, default)]
    web_fetch_requests: Scalar<'a>,
    #[serde(borrow, default)]
    code_execution_requests: Scalar<'a>,
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
                self.prompt_tokens_details.as_ref(),
                self.completion_tokens_details.as_ref(),
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
        ])?;
        let written = first(&[
            (&details.cache_write_tokens, "cache_write_tokens"),
            (&details.cache_creation_tokens, "cache_creation_tokens"),
            (&self.cache_creation_input_tokens, "cache_creation_input_tokens"),
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
        let split = details.cache_creation_token_details.as_ref();
        if let Some(split) = split.or(self.cache_creation.as_ref()) {
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

    /// What is billed per request.
    pub fn requests(&self) -> Result<Requests, Fault> {
        let Some(tools) = &self.server_tool_use else {
            return Ok(Requests::default());
        };
        Ok(Requests {
            web_searches: tools.web_search_requests.small("server_tool_use.web_search_requests")?,
            web_fetches: tools.web_fetch_requests.small("server_tool_use.web_fetch_requests")?,
            code_executions: tools
                .code_execution_requests
                .small("server_tool_use.code_execution_requests")?,
            ..Requests::default()
        })
    }
}

impl Creation<'_> {
    fn read(&self, counts: &mut Counts) -> Result<(), Fault> {
        counts.write_5m = self
            .ephemeral_5m_input_tokens
            .count("cache_creation.ephemeral_5m_input_tokens")?;
        counts.write_1h = self
            .ephemeral_1h_input_tokens
            .count("cache_creation.ephemeral_1h_input_tokens")?;
        Ok(())
    }
}

/// The first that is given.
fn first(options: &[(&Scalar<'_>, &str)]) -> Result<u64, Fault> {
    let given = options.iter().find(|(value, _)| !value.is_null());
    given.map_or(Ok(0), |(value, field)| value.count(field))
}
