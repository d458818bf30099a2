//! The parts of the counts of a usage object.

use serde::Deserialize;

use crate::domain::usage::{Bucket, Requests, Tokens};

use super::super::counts::Counts;
use super::super::line::Fault;
use super::super::media::Cached;
use super::super::object;
use super::super::scalar::Scalar;
use super::watch::{Unknown, Watched};
use super::{Shape, Usage, watched};

/// Parts of input or output in OpenAI's shapes.
#[derive(Deserialize, Default)]
pub(super) struct Details<'a> {
    #[serde(borrow, default)]
    pub cached_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub cache_creation_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub cache_write_tokens_details: Option<Ttl<'a>>,
    #[serde(borrow, default, deserialize_with = "watched")]
    pub cache_creation_token_details: Option<Creation<'a>>,
    // Bifrost.
    #[serde(borrow, default)]
    pub cached_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub cached_write_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "watched")]
    pub cached_write_token_details: Option<Creation<'a>>,
    /// new-api.
    #[serde(borrow, default)]
    pub cached_creation_tokens: Scalar<'a>,
    /// Alibaba's.
    #[serde(borrow, default)]
    pub cache_creation_input_tokens: Scalar<'a>,
    // LangChain. Alibaba's parts of the latter have its name.
    #[serde(borrow, default)]
    pub cache_read: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation: Scalar<'a>,
    #[serde(borrow, default)]
    pub ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub ephemeral_1h_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub thinking_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub video_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub cached_tokens_details: Option<Cached<'a>>,
    #[serde(skip)]
    pub unknown: Unknown,
}

impl<'a> Details<'a> {
    /// What was written to a cache, in LangChain's words.
    pub fn created(&self) -> &Scalar<'a> {
        match matches!(self.cache_creation, Scalar::Other) {
            true => &Scalar::Null,
            false => &self.cache_creation,
        }
    }
}

impl Watched for Details<'_> {
    fn knows(name: &str) -> bool {
        matches!(
            name,
            "cached_tokens"
                | "cache_write_tokens"
                | "cache_creation_tokens"
                | "cache_write_tokens_details"
                | "cache_creation_token_details"
                | "cached_read_tokens"
                | "cached_write_tokens"
                | "cached_write_token_details"
                | "cached_creation_tokens"
                | "cache_creation_input_tokens"
                | "cache_read"
                | "cache_creation"
                | "ephemeral_5m_input_tokens"
                | "ephemeral_1h_input_tokens"
                | "reasoning_tokens"
                | "thinking_tokens"
                | "audio_tokens"
                | "image_tokens"
                | "video_tokens"
                | "cached_tokens_details"
                // Parts of the counts without a price of their own.
                | "text_tokens"
                | "accepted_prediction_tokens"
                | "rejected_prediction_tokens"
        )
    }

    fn unknown(&mut self) -> &mut Unknown {
        &mut self.unknown
    }
}

#[derive(Deserialize, Default)]
pub(super) struct Ttl<'a> {
    #[serde(borrow, default)]
    pub ttl_30m_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    pub ttl_12h_tokens: Scalar<'a>,
}

/// How long what was written stays, at Claude.
#[derive(Deserialize, Default)]
pub(super) struct Creation<'a> {
    #[serde(borrow, default, alias = "cached_write_tokens_5m")]
    ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default, alias = "cached_write_tokens_1h")]
    ephemeral_1h_input_tokens: Scalar<'a>,
    #[serde(skip)]
    pub unknown: Unknown,
}

impl Watched for Creation<'_> {
    fn knows(name: &str) -> bool {
        matches!(
            name,
            "ephemeral_5m_input_tokens"
                | "ephemeral_1h_input_tokens"
                | "cached_write_tokens_5m"
                | "cached_write_tokens_1h"
        )
    }

    fn unknown(&mut self) -> &mut Unknown {
        &mut self.unknown
    }
}

impl Creation<'_> {
    pub fn read(&self, counts: &mut Counts) -> Result<(), Fault> {
        counts.write_5m = self
            .ephemeral_5m_input_tokens
            .count("cache_creation.ephemeral_5m_input_tokens")?;
        counts.write_1h = self
            .ephemeral_1h_input_tokens
            .count("cache_creation.ephemeral_1h_input_tokens")?;
        Ok(())
    }
}

#[derive(Deserialize, Default)]
pub(super) struct Tools<'a> {
    #[serde(borrow, default)]
    pub web_search_requests: Scalar<'a>,
    #[serde(borrow, default)]
    pub web_fetch_requests: Scalar<'a>,
    #[serde(borrow, default)]
    pub code_execution_requests: Scalar<'a>,
}

impl Usage<'_> {
    /// What is billed per request.
    pub fn requests(&self) -> Result<Requests, Fault> {
        let Some(tools) = &self.server_tool_use else {
            return Ok(Requests {
                web_searches: self.agents_searches.small("webSearchRequests")?,
                ..Requests::default()
            });
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

    /// Whether it has counts of what was cached under names that belong to other shapes than its own, and nothing of it was read:
    /// whether its input holds them nobody knows.
    pub fn has_others(&self, shape: Shape, read: &Tokens) -> bool {
        let camel = [
            &self.converse_read,
            &self.converse_write,
            &self.converse_read_count,
            &self.converse_write_count,
            &self.sdk_read,
            &self.agents_write,
        ];
        let snake = [
            &self.cached_tokens,
            &self.cached_input_tokens,
            &self.prompt_cache_hit_tokens,
            &self.cache_read_input_tokens,
            &self.cache_creation_input_tokens,
        ];
        let is_count = |value: &&Scalar<'_>| value.count("").is_ok_and(|count| count > 0);
        let cached = [
            Bucket::CacheRead,
            Bucket::CacheWrite5m,
            Bucket::CacheWrite1h,
            Bucket::CacheWrite30m,
            Bucket::CacheWrite12h,
        ];
        cached.into_iter().all(|bucket| read.get(bucket) == 0)
            && match shape {
                Shape::Chat | Shape::Responses | Shape::Messages => camel.iter().any(is_count),
                Shape::Converse | Shape::Sdk | Shape::SdkOfClaude => snake.iter().any(is_count),
                Shape::Cohere => false,
            }
    }

    /// Whether it has counts of tokens under names that nobody here knows, at its top or in its details.
    pub fn has_unknown(&self) -> bool {
        let details = [
            &self.prompt_tokens_details,
            &self.completion_tokens_details,
            &self.prompt_token_details,
            &self.completion_token_details,
            &self.input_tokens_details,
            &self.output_tokens_details,
            &self.input_token_details,
            &self.output_token_details,
        ];
        let is_count = |value: &Scalar<'_>| value.count("").is_ok_and(|count| count > 0);
        let cached = details
            .into_iter()
            .flatten()
            .any(|details| is_count(&details.cached_tokens));
        // Others have these, too, and nobody knows whether their input holds them.
        let as_pydantic = [
            &self.cache_read_tokens,
            &self.cache_write_tokens,
            &self.cache_write_1h_tokens,
            &self.input_audio_tokens,
            &self.cache_audio_read_tokens,
            &self.output_audio_tokens,
        ];
        self.unknown.counts
            || (!self.is_of_pydantic() && as_pydantic.into_iter().any(is_count))
            || (is_count(&self.num_cached_tokens) && !cached)
            || details.into_iter().flatten().any(|details| details.unknown.counts)
            || self.cache_creation.as_ref().is_some_and(|split| split.unknown.counts)
    }
}
