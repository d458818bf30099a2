//! Usage objects of providers' response bodies, one reader for all shapes: their fields have distinct names. Input includes cached
//! tokens in OpenAI's shapes (chat, responses) and excludes them in Anthropic's and Bedrock's (Messages, Converse).

mod camel;
mod cohere;
mod details;
mod openai;
mod watch;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::Tokens;

use self::details::{Creation, Details, Tools};
use self::watch::Unknown;
pub(super) use self::watch::{FLATTENED, watched};
use super::counts::Counts;
use super::line::{Fault, Output};
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
    // Claude's agents, which have Converse's names for the rest.
    #[serde(borrow, default, rename = "cacheCreationInputTokens")]
    agents_write: Scalar<'a>,
    #[serde(borrow, default, rename = "webSearchRequests")]
    agents_searches: Scalar<'a>,
    #[serde(borrow, default, rename = "costUSD")]
    agents_cost: Option<&'a RawValue>,
    // OpenAI's agents in JavaScript: one object, or one for each request.
    #[serde(borrow, default, rename = "inputTokensDetails")]
    js_input: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "outputTokensDetails")]
    js_output: Option<&'a RawValue>,
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
    // Pydantic AI, whose input holds what caches do, whoever answered.
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_1h_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    input_audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_audio_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_audio_tokens: Scalar<'a>,
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
        } else if self.is_of_pydantic() {
            Some(Shape::Responses)
        } else if given(&[&self.cache_read_input_tokens, &self.cache_creation_input_tokens]) {
            // Gateways add a total.
            Some(Shape::Messages)
        } else if given(&[&self.total_tokens, &self.cached_tokens])
            || self.prompt_tokens_details.is_some()
            || self.prompt_token_details.is_some()
        {
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
            // Claude's input never holds what caches do, under whatever name a log has that.
            Shape::Responses if claude && self.is_flat() => Shape::Messages,
            Shape::Sdk if claude && self.sdk_input.is_none() && self.js_input.is_none() => Shape::SdkOfClaude,
            Shape::Chat
            | Shape::Responses
            | Shape::Messages
            | Shape::Converse
            | Shape::Sdk
            | Shape::SdkOfClaude
            | Shape::Cohere => shape,
        })
    }

    /// Whether it tells neither a total nor anything of caches.
    pub fn is_bare(&self) -> bool {
        self.total_tokens.is_null() && self.prompt_tokens_details.is_none() && self.cached_tokens.is_null()
    }

    /// Whether it tells input, output and what was cached, and nothing else of its shape.
    fn is_flat(&self) -> bool {
        let details = [
            self.input_tokens_details.is_some(),
            self.input_token_details.is_some(),
            self.prompt_tokens_details.is_some(),
            self.prompt_token_details.is_some(),
        ];
        let of_others = self.is_of_codex() || self.is_of_pydantic();
        !self.cached_tokens.is_null() && self.total_tokens.is_null() && !of_others && !details.contains(&true)
    }

    /// What all of it cost, as whoever handed it on says.
    pub fn told_cost(&self) -> Option<&'a RawValue> {
        let given = |cost: &&RawValue| cost.get() != "null";
        let told = [self.cost, self.tensorzero_cost, self.agents_cost];
        told.into_iter().flatten().find(given)
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
        if self.is_total_alone() {
            self.input_tokens = self.total_tokens.clone();
        }
    }

    /// Whether neither input nor output is told.
    pub fn is_total_alone(&self) -> bool {
        let told = [
            &self.prompt_tokens,
            &self.completion_tokens,
            &self.input_tokens,
            &self.output_tokens,
        ];
        told.into_iter().all(Scalar::is_null) && !self.total_tokens.is_null()
    }

    /// Whether it is that of a turn of Codex, which tells no model.
    pub fn is_of_codex(&self) -> bool {
        !self.cached_input_tokens.is_null()
    }

    /// Whether it is Pydantic AI's, which writes all its names.
    pub fn is_of_pydantic(&self) -> bool {
        !self.cache_audio_read_tokens.is_null() && !self.input_audio_tokens.is_null()
    }

    /// The disjoint tokens; `openai` says whose default time to live an unsplit cache write has.
    pub fn tokens(&self, shape: Shape, openai: bool, out: &mut Output) -> Result<Tokens, Fault> {
        Ok(self.counts(shape, openai)?.tokens(shape.input(), shape.name(), out))
    }

    /// The counts as they are told.
    pub fn counts(&self, shape: Shape, openai: bool) -> Result<Counts, Fault> {
        let chat = [&self.prompt_tokens_details, &self.prompt_token_details];
        let responses = [&self.input_tokens_details, &self.input_token_details];
        let of_chat = [&self.completion_tokens_details, &self.completion_token_details];
        let of_responses = [&self.output_tokens_details, &self.output_token_details];
        match shape {
            Shape::Chat => self.openai(
                (&self.prompt_tokens, "prompt_tokens"),
                (&self.completion_tokens, "completion_tokens"),
                [either(chat), either(responses)],
                [either(of_chat), either(of_responses)],
                openai,
            ),
            Shape::Responses => self.openai(
                (&self.input_tokens, "input_tokens"),
                (&self.output_tokens, "output_tokens"),
                // Alibaba's own interface has what was cached under the other name.
                [either(responses), either(chat)],
                [either(of_responses), either(of_chat)],
                openai,
            ),
            Shape::Messages => self.messages(),
            Shape::Converse => self.converse(),
            Shape::Sdk => self.sdk(openai),
            Shape::SdkOfClaude => self.sdk_of_claude(),
            Shape::Cohere => self.cohere(),
        }
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

/// The one that is given of two spellings.
fn either<'u, 'a>([one, other]: [&'u Option<Details<'a>>; 2]) -> Option<&'u Details<'a>> {
    one.as_ref().or(other.as_ref())
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
