//! Gemini's usage object: its prompt count includes cached tokens; the prompts of tools and the thoughts stand beside it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Tokens, UsageEvent};

use super::counts::{Counts, Input};
use super::extras;
use super::line::{Context, Fault, Output};
use super::media::{self, Modality};
use super::object;
use super::scalar::Scalar;
use super::value::Value;

/// `usageMetadata`, also under the names that it has in Python.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, alias = "prompt_token_count")]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow, alias = "cached_content_token_count")]
    cached_content_token_count: Scalar<'a>,
    #[serde(borrow, alias = "candidates_token_count")]
    candidates_token_count: Scalar<'a>,
    #[serde(borrow, alias = "thoughts_token_count")]
    thoughts_token_count: Scalar<'a>,
    #[serde(borrow, alias = "tool_use_prompt_token_count")]
    tool_use_prompt_token_count: Scalar<'a>,
    #[serde(borrow, alias = "total_token_count")]
    total_token_count: Scalar<'a>,
    /// Answers of the embedding interface spell it with one `s`.
    #[serde(
        borrow,
        alias = "prompt_tokens_details",
        alias = "promptTokenDetails",
        alias = "prompt_token_details",
        deserialize_with = "object::list"
    )]
    prompt_tokens_details: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "cache_tokens_details", deserialize_with = "object::list")]
    cache_tokens_details: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "candidates_tokens_details", deserialize_with = "object::list")]
    candidates_tokens_details: Option<Vec<Modality<'a>>>,
    /// Vertex AI's word for the tier.
    #[serde(borrow, alias = "traffic_type")]
    traffic_type: Scalar<'a>,
    /// The Gemini API's: the tier that answered, which may be a lower one than was asked for.
    #[serde(borrow, alias = "service_tier")]
    service_tier: Scalar<'a>,
}

impl Metadata<'_> {
    /// Whether any count is given.
    pub fn is_usage(&self) -> bool {
        let counts = [
            &self.prompt_token_count,
            &self.candidates_token_count,
            &self.thoughts_token_count,
            &self.total_token_count,
        ];
        counts.iter().any(|count| !count.is_null())
    }

    /// Takes over the usage of an answer: tokens, searches of the web and of maps, and the tier if nothing else has told it.
    pub fn fill(
        &self,
        event: &mut UsageEvent,
        candidates: Option<&RawValue>,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        event.tokens = self.tokens(out)?;
        let grounded = extras::grounded(candidates, event.model().as_str());
        event.requests.web_searches = grounded.web_searches;
        event.extras = grounded.extras;
        if event.tier().is_empty() {
            let (field, tier) = self.tier();
            let tier = context.label(Value::Text(&tier), field)?;
            event.dimensions.set(Dimension::Tier, tier);
        }
        Ok(())
    }

    /// The tier that answered and the field that tells it, in the words of other providers; empty where neither does.
    fn tier(&self) -> (&'static str, String) {
        let traffic = self.traffic_type.str().to_ascii_lowercase();
        let tier = match traffic.as_str() {
            "" | "traffic_type_unspecified" => None,
            "on_demand" => Some("standard"),
            other => Some(other.strip_prefix("on_demand_").unwrap_or(other)),
        };
        if let Some(tier) = tier {
            return ("usageMetadata.trafficType", tier.to_owned());
        }
        let tier = self.service_tier.str().to_ascii_lowercase();
        let tier = match tier.strip_prefix("service_tier_").unwrap_or(&tier) {
            "unspecified" => "",
            known => known,
        };
        ("usageMetadata.serviceTier", tier.to_owned())
    }

    /// The disjoint tokens.
    pub fn tokens(&self, out: &mut Output) -> Result<Tokens, Fault> {
        Ok(self.counts()?.tokens(Input::Includes, "Gemini body", out))
    }

    /// The counts as they are told. Thoughts are output that `candidatesTokenCount` does not contain.
    pub fn counts(&self) -> Result<Counts, Fault> {
        let thoughts = self.thoughts_token_count.count("thoughtsTokenCount")?;
        Ok(Counts {
            input: self.prompt_token_count.count("promptTokenCount")?,
            read: self.cached_content_token_count.count("cachedContentTokenCount")?,
            beside: self.tool_use_prompt_token_count.count("toolUsePromptTokenCount")?,
            output: self.candidates_token_count.count("candidatesTokenCount")? + thoughts,
            reasoning: thoughts,
            media: media::gemini(
                self.prompt_tokens_details.as_deref(),
                self.cache_tokens_details.as_deref(),
                self.candidates_tokens_details.as_deref(),
            )?,
            total: self.total_token_count.count("totalTokenCount")?,
            ..Counts::default()
        })
    }
}
