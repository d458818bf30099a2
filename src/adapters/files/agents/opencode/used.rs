//! What a message of opencode, or a step of it, used.

use serde::Deserialize;

use crate::domain::label::Label;

use super::super::super::counts::Counts;
use super::super::super::line::Fault;
use super::super::super::object;
use super::super::super::scalar::Scalar;
use super::super::written;

#[derive(Deserialize, Default)]
pub(super) struct Used<'a> {
    #[serde(borrow, default)]
    input: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning: Scalar<'a>,
    #[serde(borrow, default)]
    pub total: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache: Option<Cache<'a>>,
}

#[derive(Deserialize, Default)]
struct Cache<'a> {
    #[serde(borrow, default)]
    read: Scalar<'a>,
    #[serde(borrow, default)]
    write: Scalar<'a>,
}

impl Used<'_> {
    /// What was used, and whether thoughts are within the output, though told beside it.
    ///
    /// ```text
    /// total = input + output + cached               they are within, as opencode told OpenAI's until April 2026
    /// total = input + output + cached + reasoning   they stand beside it
    /// no total                                      beside it at Gemini, where there are more of them, and in opencode 2
    /// ```
    pub fn counts(&self, (seller, model): (Label, Label), second: bool) -> Result<(Counts, bool), Fault> {
        let nothing = Cache::default();
        let cache = self.cache.as_ref().unwrap_or(&nothing);
        let reasoning = self.reasoning.count("tokens.reasoning")?;
        let mut counts = Counts {
            input: self.input.count("tokens.input")?,
            read: cache.read.count("tokens.cache.read")?,
            output: self.output.count("tokens.output")?,
            reasoning,
            total: self.total.count("tokens.total")?,
            ..written(seller.as_str(), cache.write.count("tokens.cache.write")?)
        };
        let plain = counts.input.saturating_add(counts.output);
        let all = plain.saturating_add(counts.cached());
        let gemini = model.as_str().contains("gemini") && ["google", "vertex", "opencode"].contains(&seller.as_str());
        let beside = match counts.total {
            total if total > 0 && total == all => false,
            total if total > 0 && total == all.saturating_add(reasoning) => true,
            total if total > 0 && total == plain => false,
            total if total > 0 && total == plain.saturating_add(reasoning) => true,
            _ => second || gemini || reasoning > counts.output,
        };
        if beside {
            counts.output = counts.output.saturating_add(reasoning);
        }
        Ok((counts, !beside && reasoning > 0))
    }

    /// The same with thoughts beside the output in any case: by that a message without an end is told apart.
    pub fn summed(&self, counts: &Counts) -> Result<Counts, Fault> {
        let output = self.output.count("tokens.output")?.saturating_add(counts.reasoning);
        Ok(Counts { output, ..*counts })
    }
}
