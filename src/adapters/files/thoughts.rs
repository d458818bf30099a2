//! Where a source keeps what a model thought: mostly within its output count, at some sellers beside it, at one not at all.

use crate::domain::usage::Tokens;

use super::line::{Fault, Output};
use super::usage::{Shape, Usage};

/// What a seller's output count holds of the reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// All of it, unless the total proves otherwise.
    #[default]
    Within,
    /// None of it at xAI itself; gateways on the way add it. Without a total it is certain where there is more of it than output.
    Beside,
    /// None of it, and nothing tells how much it is but the total: Gemini's endpoint in OpenAI's shape.
    Rest,
}

impl Thoughts {
    /// What is known of a provider; `whole`: what is read is its answer itself, not an excerpt that someone else made.
    pub fn of(provider: &str, whole: bool) -> Self {
        match provider {
            "xai" => Thoughts::Beside,
            "google" | "vertex" if whole => Thoughts::Rest,
            _ => Thoughts::Within,
        }
    }
}

impl Usage<'_> {
    /// The disjoint tokens of a provider's answer.
    pub fn tokens_of(
        &self,
        shape: Shape,
        (provider, model): (&str, &str),
        whole: bool,
        out: &mut Output,
    ) -> Result<Tokens, Fault> {
        // Whoever hands OpenAI's models on hands on for how long they keep what is written. Azure sells Claude, too.
        let of_openai = matches!(provider, "openai" | "azure") && !model.contains("claude");
        let openai = of_openai || model.starts_with("openai/");
        let mut counts = self.counts(shape, openai)?;
        counts.thoughts = Thoughts::of(provider, whole);
        Ok(counts.tokens(shape.input(), shape.name(), out))
    }
}
