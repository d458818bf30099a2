//! LiteLLM's usage objects: what its rows, payloads and spans say beside their plain counts.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{Extras, UsageEvent};

use super::super::counts::Counts;
use super::super::extras::LookedUp;
use super::super::line::Fault;
use super::super::media::{self, Cached};
use super::super::object;
use super::super::scalar::Scalar;
use super::super::searches::{OfXai, XaiTools};

#[derive(Deserialize, Default)]
pub(super) struct Usage<'a> {
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    prompt_tokens_details: Option<Prompt<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    completion_tokens_details: Option<Completion<'a>>,
    // A payload may tell the answer's own usage alone: OpenAI responses, Anthropic messages.
    #[serde(borrow, default, deserialize_with = "object::one")]
    input_tokens_details: Option<Prompt<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    output_tokens_details: Option<Completion<'a>>,
    // OpenAI's transcriptions and its realtime interface.
    #[serde(borrow, default, deserialize_with = "object::one")]
    input_token_details: Option<Prompt<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    output_token_details: Option<Completion<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache_creation: Option<Split<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    server_tool_use: Option<Tools<'a>>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub speed: Scalar<'a>,
    /// Perplexity's deep research.
    #[serde(borrow, default)]
    num_search_queries: Scalar<'a>,
    #[serde(borrow, default)]
    pub inference_geo: Scalar<'a>,
    /// Moonshot says it here.
    #[serde(borrow, default)]
    cached_tokens: Scalar<'a>,
    /// Of Anthropic; all counts hold what they used.
    #[serde(borrow, default)]
    pub iterations: Option<&'a RawValue>,
    // xAI.
    #[serde(borrow, default)]
    num_sources_used: Scalar<'a>,
    #[serde(borrow, default)]
    num_server_side_tools_used: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    server_side_tool_usage_details: Option<XaiTools<'a>>,
    #[serde(borrow, default)]
    cost_in_usd_ticks: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Prompt<'a> {
    #[serde(borrow, default)]
    cached_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache_creation_token_details: Option<Split<'a>>,
    #[serde(borrow, default)]
    audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    video_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cached_tokens_details: Option<Cached<'a>>,
    #[serde(borrow, default)]
    web_search_requests: Scalar<'a>,
    /// Gemini.
    #[serde(borrow, default)]
    google_maps_grounding_requests: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Split<'a> {
    #[serde(borrow, default)]
    ephemeral_5m_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    ephemeral_1h_input_tokens: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Completion<'a> {
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    audio_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    image_tokens: Scalar<'a>,
}

#[derive(Deserialize)]
struct Tools<'a> {
    #[serde(borrow, default)]
    web_search_requests: Scalar<'a>,
}

impl Usage<'_> {
    /// Whether it says anything of parts of the counts.
    pub fn tells(&self) -> bool {
        let counts = [
            &self.cache_read_input_tokens,
            &self.cache_creation_input_tokens,
            &self.num_search_queries,
            &self.cached_tokens,
        ];
        counts.into_iter().any(|count| !count.is_null())
            || self.of_prompt().is_some()
            || self.of_answer().is_some()
            || self.cache_creation.is_some()
            || self.server_tool_use.is_some()
    }

    /// What is told of the parts of the prompt.
    fn of_prompt(&self) -> Option<&Prompt<'_>> {
        let names = [
            &self.prompt_tokens_details,
            &self.input_tokens_details,
            &self.input_token_details,
        ];
        names.into_iter().flatten().next()
    }

    /// The same of the answer.
    fn of_answer(&self) -> Option<&Completion<'_>> {
        let names = [
            &self.completion_tokens_details,
            &self.output_tokens_details,
            &self.output_token_details,
        ];
        names.into_iter().flatten().next()
    }

    /// Plain counts with all that is told of their parts. The input count includes what was read from caches and written to them.
    pub fn counts(&self, provider: &str, plain: &Counts) -> Result<Counts, Fault> {
        let (no_details, no_split) = (Prompt::default(), Split::default());
        let details = self.of_prompt().unwrap_or(&no_details);
        // The same number under two names: never both.
        let first = |options: [(&Scalar<'_>, &str); 3]| {
            let given = options.into_iter().find(|(value, _)| !value.is_null());
            given.map_or(Ok(0), |(value, field)| {
                value.count(&format!("metadata.usage_object.{field}"))
            })
        };
        let read = first([
            (&self.cache_read_input_tokens, "cache_read_input_tokens"),
            (&details.cached_tokens, "prompt_tokens_details.cached_tokens"),
            (&self.cached_tokens, "cached_tokens"),
        ])?;
        let split = [&details.cache_creation_token_details, &self.cache_creation];
        let split = split.into_iter().flatten().next().unwrap_or(&no_split);
        let five = split.ephemeral_5m_input_tokens.count("ephemeral_5m_input_tokens")?;
        let hour = split.ephemeral_1h_input_tokens.count("ephemeral_1h_input_tokens")?;
        let written = first([
            (&self.cache_creation_input_tokens, "cache_creation_input_tokens"),
            (
                &details.cache_creation_tokens,
                "prompt_tokens_details.cache_creation_tokens",
            ),
            (&details.cache_write_tokens, "prompt_tokens_details.cache_write_tokens"),
        ])?
        .max(five + hour);
        let rest = written - five - hour;
        let openai = matches!(provider, "openai" | "azure");
        let no_completion = Completion::default();
        let answer = self.of_answer().unwrap_or(&no_completion);
        Ok(Counts {
            read,
            write_5m: if openai { five } else { five + rest },
            write_1h: hour,
            write_30m: if openai { rest } else { 0 },
            reasoning: answer.reasoning_tokens.count("reasoning_tokens")?,
            media: media::openai(
                [&details.audio_tokens, &details.image_tokens, &details.video_tokens],
                [&answer.audio_tokens, &answer.image_tokens],
                details.cached_tokens_details.as_ref(),
            )?,
            ..*plain
        })
    }

    /// Searches on the web, of which all tell the same, and whether there was a map.
    pub fn looked_up(&self) -> Result<LookedUp, Fault> {
        let tools = self
            .server_tool_use
            .as_ref()
            .map_or(&Scalar::Null, |t| &t.web_search_requests);
        let details = self.of_prompt().map_or(&Scalar::Null, |d| &d.web_search_requests);
        let told = [tools, details, &self.num_search_queries];
        let told = told.into_iter().find(|n| !n.is_null());
        let maps = self.of_prompt().map_or(Ok(0), |d| {
            d.google_maps_grounding_requests.small("google_maps_grounding_requests")
        })?;
        Ok(LookedUp {
            queries: told.map_or(Ok(0), |n| n.small("web_search_requests"))?,
            maps: maps > 0,
        })
    }

    /// What only xAI tells.
    pub fn of_xai(&self) -> OfXai<'_, '_> {
        OfXai {
            sources: &self.num_sources_used,
            used: &self.num_server_side_tools_used,
            tools: self.server_side_tool_usage_details.as_ref(),
            ticks: &self.cost_in_usd_ticks,
        }
    }
}

/// Adds what an answer of Gemini's was looked up in, where LiteLLM hands it on in OpenAI's shape.
pub(in super::super) fn ground(answer: &str, event: &mut UsageEvent) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        usage: Option<Usage<'a>>,
    }
    let may_tell = || {
        let keys = ["\"web_search_requests\"", "\"google_maps_grounding_requests\""];
        let holds = |key: &str| memmem::find(answer.as_bytes(), key.as_bytes()).is_some();
        keys.into_iter().any(holds)
    };
    if matches!(event.provider().as_str(), "google" | "vertex")
        && may_tell()
        && let Ok(Answer { usage: Some(usage) }) = serde_json::from_str(answer)
    {
        let found = usage.looked_up()?;
        let searches = found.web_searches(event.model().as_str());
        event.requests.web_searches = event.requests.web_searches.max(searches);
        event.extras = Extras::most(event.extras, found.extras());
    }
    Ok(())
}

/// The counts of a usage object as Python writes one, as LiteLLM's spans have it; nothing where it is cut.
pub(in super::super) fn of_python(text: &str, provider: &str, plain: &Counts) -> Result<Option<Counts>, Fault> {
    match serde_json::from_str::<Usage<'_>>(&json(text)) {
        Ok(usage) => usage.counts(provider, plain).map(Some),
        Err(_) => Ok(None),
    }
}

/// Python's literals in JSON: quotes of either kind, and three words.
pub(in super::super) fn json(python: &str) -> String {
    let mut json = String::with_capacity(python.len());
    let mut chars = python.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                json.push('"');
                while let Some(inside) = chars.next().filter(|next| *next != c) {
                    match inside {
                        '"' => json.push_str("\\\""),
                        '\\' => match chars.next() {
                            Some('\'') => json.push('\''),
                            escaped => json.extend(['\\'].into_iter().chain(escaped)),
                        },
                        _ => json.push(inside),
                    }
                }
                json.push('"');
            }
            c if c.is_ascii_alphabetic() => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(char::is_ascii_alphabetic) {
                    word.push(next);
                }
                json.push_str(match word.as_str() {
                    "None" => "null",
                    "True" => "true",
                    "False" => "false",
                    other => other,
                });
            }
            c => json.push(c),
        }
    }
    json
}
