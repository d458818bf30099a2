//! Gemini's usage object: its prompt count includes cached tokens; the prompts of tools and the thoughts stand beside it.

use serde::Deserialize;

use crate::domain::usage::Tokens;

use super::counts::{Counts, Input};
use super::line::{Fault, Output};
use super::media::{self, Modality};
use super::scalar::Scalar;

/// `usageMetadata`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow)]
    cached_content_token_count: Scalar<'a>,
    #[serde(borrow)]
    candidates_token_count: Scalar<'a>,
    #[serde(borrow)]
    thoughts_token_count: Scalar<'a>,
    #[serde(borrow)]
    tool_use_prompt_token_count: Scalar<'a>,
    #[serde(borrow)]
    total_token_count: Scalar<'a>,
    #[serde(borrow)]
    prompt_tokens_details: Option<Vec<Modality<'a>>>,
    #[serde(borrow)]
    cache_tokens_details: Option<Vec<Modality<'a>>>,
    #[serde(borrow)]
    candidates_tokens_details: Option<Vec<Modality<'a>>>,
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

    /// The disjoint tokens. Thoughts are output that `candidatesTokenCount` does not contain.
    pub fn tokens(&self, out: &mut Output) -> Result<Tokens, Fault> {
        let thoughts = self.thoughts_token_count.count("thoughtsTokenCount")?;
        let counts = Counts {
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
        };
        Ok(counts.tokens(Input::Includes, "Gemini body", out))
    }
}
