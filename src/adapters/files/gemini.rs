//! Gemini's usage object: its prompt count includes cached tokens; the prompts of tools and the thoughts stand beside it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Rank, Tokens, UsageEvent};

use super::counts::{Counts, Input};
use super::extras::{self, LookedUp};
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
    /// The live interface's name for it.
    #[serde(borrow, alias = "response_token_count")]
    response_token_count: Scalar<'a>,
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
    #[serde(borrow, alias = "response_tokens_details", deserialize_with = "object::list")]
    response_tokens_details: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "tool_use_prompt_tokens_details", deserialize_with = "object::list")]
    tool_use_prompt_tokens_details: Option<Vec<Modality<'a>>>,
    /// Vertex AI's word for the tier.
    #[serde(borrow, alias = "traffic_type")]
    traffic_type: Scalar<'a>,
    /// The Gemini API's: the tier that answered, which may be a lower one than was asked for.
    #[serde(borrow, alias = "service_tier")]
    service_tier: Scalar<'a>,
    /// What tools looked up, where the usage itself tells it.
    #[serde(skip)]
    looked_up: LookedUp,
}

/// `usage` of an answer of the Interactions interface, in Google's own names and in those of Vertex AI.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Interaction<'a> {
    #[serde(borrow, alias = "totalInputTokens")]
    total_input_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalCachedTokens")]
    total_cached_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalOutputTokens")]
    total_output_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalThoughtTokens")]
    total_thought_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalToolUseTokens")]
    total_tool_use_tokens: Scalar<'a>,
    #[serde(borrow, alias = "totalTokens")]
    total_tokens: Scalar<'a>,
    #[serde(borrow, alias = "inputTokensByModality", deserialize_with = "object::list")]
    input_tokens_by_modality: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "cachedTokensByModality", deserialize_with = "object::list")]
    cached_tokens_by_modality: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "outputTokensByModality", deserialize_with = "object::list")]
    output_tokens_by_modality: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "toolUseTokensByModality", deserialize_with = "object::list")]
    tool_use_tokens_by_modality: Option<Vec<Modality<'a>>>,
    #[serde(borrow, alias = "groundingToolCount", deserialize_with = "object::list")]
    grounding_tool_count: Option<Vec<Tool<'a>>>,
}

/// How often an interaction asked a tool that searches.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow)]
    count: Scalar<'a>,
}

/// The usage of an answer of the Interactions interface, as that of any other answer of Gemini's.
pub(super) fn of_interaction(text: &str) -> serde_json::Result<Option<Metadata<'_>>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        usage: Option<Interaction<'a>>,
    }
    let Some(usage) = serde_json::from_str::<Answer<'_>>(text)?.usage else {
        return Ok(None);
    };
    let asked = |what: &str| {
        let tools = usage.grounding_tool_count.iter().flatten();
        let counts = tools.filter(|tool| tool.kind.str().eq_ignore_ascii_case(what));
        counts.fold(0_u32, |sum, tool| {
            sum.saturating_add(tool.count.small("count").unwrap_or(0))
        })
    };
    Ok(Some(Metadata {
        looked_up: LookedUp {
            queries: asked("google_search"),
            maps: asked("google_maps") > 0,
        },
        prompt_token_count: usage.total_input_tokens,
        cached_content_token_count: usage.total_cached_tokens,
        candidates_token_count: usage.total_output_tokens,
        thoughts_token_count: usage.total_thought_tokens,
        tool_use_prompt_token_count: usage.total_tool_use_tokens,
        total_token_count: usage.total_tokens,
        prompt_tokens_details: usage.input_tokens_by_modality,
        cache_tokens_details: usage.cached_tokens_by_modality,
        candidates_tokens_details: usage.output_tokens_by_modality,
        tool_use_prompt_tokens_details: usage.tool_use_tokens_by_modality,
        ..Metadata::default()
    }))
}

/// The tier that Vertex AI tells in answers of OpenAI's shape.
pub(super) fn tier_of_chat(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        usage: Usage<'a>,
    }
    #[derive(Deserialize)]
    struct Usage<'a> {
        #[serde(borrow)]
        extra_properties: Properties<'a>,
    }
    #[derive(Deserialize)]
    struct Properties<'a> {
        #[serde(borrow)]
        google: Google<'a>,
    }
    #[derive(Deserialize)]
    struct Google<'a> {
        #[serde(borrow)]
        traffic_type: Scalar<'a>,
    }
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    of_traffic(answer.usage.extra_properties.google.traffic_type.str())
}

/// The tier in Vertex AI's word for it.
fn of_traffic(traffic: &str) -> Option<String> {
    match traffic.to_ascii_lowercase().as_str() {
        "" | "traffic_type_unspecified" => None,
        "on_demand" => Some("standard".to_owned()),
        other => Some(other.strip_prefix("on_demand_").unwrap_or(other).to_owned()),
    }
}

impl Metadata<'_> {
    /// Whether any count is given.
    pub fn is_usage(&self) -> bool {
        let counts = [
            &self.prompt_token_count,
            &self.candidates_token_count,
            &self.response_token_count,
            &self.thoughts_token_count,
            &self.total_token_count,
        ];
        counts.iter().any(|count| !count.is_null())
    }

    /// Whether it counts tokens of a modality that nobody here knows, which are charged as text.
    pub fn has_unknown(&self) -> bool {
        let details = [
            &self.prompt_tokens_details,
            &self.cache_tokens_details,
            &self.candidates_tokens_details,
            &self.response_tokens_details,
            &self.tool_use_prompt_tokens_details,
        ];
        details.into_iter().flatten().flatten().any(Modality::is_unknown)
    }

    /// Whether it tells what Vertex AI alone tells.
    pub fn is_of_vertex(&self) -> bool {
        of_traffic(self.traffic_type.str()).is_some()
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
        let looked_up = extras::looked_up(candidates).with(&self.looked_up);
        event.requests.web_searches = looked_up.web_searches(event.model().as_str());
        event.extras = looked_up.extras();
        // Of a stream the first chunk may be the only one that tells what was looked up, while the last one tells all tokens.
        event.rank.authority = Rank::PARTS;
        if event.tier().is_empty() {
            let (field, tier) = self.tier();
            let tier = context.label(Value::Text(&tier), field)?;
            event.dimensions.set(Dimension::Tier, tier);
        }
        Ok(())
    }

    /// The tier that answered and the field that tells it, in the words of other providers; empty where neither does.
    fn tier(&self) -> (&'static str, String) {
        if let Some(tier) = of_traffic(self.traffic_type.str()) {
            return ("usageMetadata.trafficType", tier);
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
        let answer = match self.candidates_token_count.is_null() {
            true => self.response_token_count.count("responseTokenCount")?,
            false => self.candidates_token_count.count("candidatesTokenCount")?,
        };
        let answered = self.candidates_tokens_details.as_ref();
        Ok(Counts {
            input: self.prompt_token_count.count("promptTokenCount")?,
            read: self.cached_content_token_count.count("cachedContentTokenCount")?,
            beside: self.tool_use_prompt_token_count.count("toolUsePromptTokenCount")?,
            output: answer + thoughts,
            reasoning: thoughts,
            media: media::gemini(
                [
                    self.prompt_tokens_details.as_deref(),
                    self.tool_use_prompt_tokens_details.as_deref(),
                ],
                self.cache_tokens_details.as_deref(),
                answered.or(self.response_tokens_details.as_ref()).map(Vec::as_slice),
            )?,
            total: self.total_token_count.count("totalTokenCount")?,
            ..Counts::default()
        })
    }
}
