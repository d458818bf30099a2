//! What spend can be broken down by.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::glob::{glob_matches, glob_matches_any_case};
use super::label::Label;
use super::price::{is_behind_provider, is_other_spelling, tier_name};

/// One axis that every charge carries a value for. The order is the order of storage: new ones go to the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Dimension {
    /// Who sells the call: `anthropic`, `openai`, `bedrock`, `google`, … (`gen_ai.provider.name`, shortened).
    Provider,
    /// The model as the response names it (`gen_ai.response.model`).
    Model,
    /// FOCUS `ServiceName`, for rows of a bill.
    Service,
    /// The account or sub-account that pays (FOCUS `SubAccountId`).
    Account,
    /// The team that owns the call.
    Team,
    /// The agent or application that made the call (`gen_ai.agent.name`).
    Agent,
    /// The workflow that the call belongs to (`gen_ai.workflow.name`).
    Workflow,
    /// The user on whose behalf the call was made.
    User,
    /// The project, repository or working folder.
    Project,
    /// The configured source that reported the call.
    Source,
    /// The service tier that was billed: `standard`, `batch`, `flex`, `priority`.
    Tier,
    /// FOCUS `ChargeCategory`: `Usage`, `Purchase`, `Tax`, `Credit`, `Adjustment`. Credits never mask usage.
    Category,
}

impl Dimension {
    /// All of them, in storage order.
    pub const ALL: [Dimension; 12] = [
        Dimension::Provider,
        Dimension::Model,
        Dimension::Service,
        Dimension::Account,
        Dimension::Team,
        Dimension::Agent,
        Dimension::Workflow,
        Dimension::User,
        Dimension::Project,
        Dimension::Source,
        Dimension::Tier,
        Dimension::Category,
    ];

    /// The name in reports, policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Provider => "provider",
            Dimension::Model => "model",
            Dimension::Service => "service",
            Dimension::Account => "account",
            Dimension::Team => "team",
            Dimension::Agent => "agent",
            Dimension::Workflow => "workflow",
            Dimension::User => "user",
            Dimension::Project => "project",
            Dimension::Source => "source",
            Dimension::Tier => "tier",
            Dimension::Category => "category",
        }
    }

    /// Whether a value is one that a pattern with `*` and `?` asks for. A provider of calls is meant in any spelling, and a tier in any
    /// letters: earlier versions recorded either as it was written.
    #[must_use]
    pub fn is_like(self, pattern: &str, value: Label) -> bool {
        let value = value.as_str();
        if self == Dimension::Tier {
            return glob_matches_any_case(tier_name(pattern), tier_name(value));
        }
        match self.is_in_any_case() {
            true => {
                let other = || self == Dimension::Provider && is_other_spelling(pattern, value);
                glob_matches_any_case(pattern, value) || other()
            }
            false => glob_matches(pattern, value),
        }
    }

    /// Whether its values are meant in any case, as providers and charge categories are: a bill says `AWS`, the ledger `aws`.
    #[must_use]
    pub fn is_in_any_case(self) -> bool {
        match self {
            Dimension::Provider | Dimension::Category => true,
            Dimension::Model
            | Dimension::Service
            | Dimension::Account
            | Dimension::Team
            | Dimension::Agent
            | Dimension::Workflow
            | Dimension::User
            | Dimension::Project
            | Dimension::Source
            | Dimension::Tier => false,
        }
    }

    /// The same of what a provider sold: a pattern may have it before the model (`openai/gpt-*`), as gateways write one.
    #[must_use]
    pub fn is_like_of(self, provider: Label, pattern: &str, value: Label) -> bool {
        let behind = || is_behind_provider(pattern, provider.as_str(), value.as_str(), glob_matches);
        self.is_like(pattern, value) || (self == Dimension::Model && behind())
    }

    /// Whether a pattern asks for one value, written as it is, and for nothing else.
    #[must_use]
    pub fn asks_for_one(self, pattern: &str) -> bool {
        use Dimension::{Category, Model, Provider, Tier};
        let is_literal = !matches!(self, Provider | Category | Model | Tier);
        is_literal && !pattern.is_empty() && !pattern.contains(['*', '?'])
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no dimension.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{text}` is not a dimension")]
pub struct UnknownDimension {
    text: String,
}

impl FromStr for Dimension {
    type Err = UnknownDimension;
    fn from_str(text: &str) -> Result<Self, UnknownDimension> {
        Dimension::ALL
            .into_iter()
            .find(|d| d.name() == text)
            .ok_or_else(|| UnknownDimension {
                text: text.chars().take(40).collect(),
            })
    }
}

/// A value for every dimension; the empty label where a source does not say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Dimensions([Label; Dimension::ALL.len()]);

impl Hash for Dimensions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_or(Dimension::Category, Label::EMPTY, state);
    }
}

impl Dimensions {
    /// The value of one dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> Label {
        self.0.get(dimension as usize).copied().unwrap_or_default()
    }

    /// Whether the value of one dimension is one that a pattern asks for.
    #[must_use]
    pub fn are_like(&self, dimension: Dimension, pattern: &str) -> bool {
        dimension.is_like_of(self.get(Dimension::Provider), pattern, self.get(dimension))
    }

    /// Sets the value of one dimension.
    pub fn set(&mut self, dimension: Dimension, value: Label) {
        if let Some(slot) = self.0.get_mut(dimension as usize) {
            *slot = value;
        }
    }

    /// The same with one value set: for building in one expression.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, value: &str) -> Self {
        self.set(dimension, Label::new(value));
        self
    }

    /// What all of these have in common.
    #[inline(always)]
    pub(crate) fn common<'a>(mut all: impl Iterator<Item = &'a Dimensions>) -> Common {
        let first = all.next().copied().unwrap_or_default();
        let own = first.0.map(|label| label.index() as u32);
        let mut differ = [0; Dimension::ALL.len()];
        // Side by side, in what the processor has for it.
        for dimensions in all {
            for ((differ, label), own) in differ.iter_mut().zip(&dimensions.0).zip(&own) {
                *differ |= label.index() as u32 ^ own;
            }
        }
        Common { first, differ }
    }

    /// Hashes them as if one that is empty had a value. Nothing is copied for it: what was just written in small pieces is slow to read in
    /// large ones.
    #[inline(always)]
    pub(crate) fn hash_or<H: Hasher>(&self, dimension: Dimension, value: Label, state: &mut H) {
        const { assert!(Dimension::ALL.len().is_multiple_of(2), "none is left over") };
        let half = |place: usize, label: Label| match label {
            Label::EMPTY if place == dimension as usize => value.index() as u64,
            label => label.index() as u64,
        };
        // Two at a time: every call is looked up by all of them.
        for (pair, [a, b]) in self.0.as_chunks::<2>().0.iter().enumerate() {
            state.write_u64(half(2 * pair, *a) << 32 | half(2 * pair + 1, *b));
        }
    }

    /// Whether both have the same values. All are looked at together, which is faster where most that are compared are the same.
    #[inline]
    pub(crate) fn are(&self, other: &Dimensions) -> bool {
        let differ = |(a, b): (&Label, &Label)| a.index() as u32 ^ b.index() as u32;
        self.0.iter().zip(&other.0).fold(0, |all, pair| all | differ(pair)) == 0
    }

    /// Dimension and value pairs in storage order, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, Label)> + '_ {
        Dimension::ALL.into_iter().zip(self.0.iter().copied())
    }
}

/// What several dimensions have in common.
pub(crate) struct Common {
    first: Dimensions,
    /// The bits in which any of the others differs from the first.
    differ: [u32; Dimension::ALL.len()],
}

impl Common {
    /// The one value of a dimension that all of them have.
    #[inline]
    pub(crate) fn get(&self, dimension: Dimension) -> Option<Label> {
        let is_one = self.differ.get(dimension as usize).is_some_and(|differ| *differ == 0);
        is_one.then(|| self.first.get(dimension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_of_calls_is_meant_in_any_spelling_and_a_tier_in_any_letters() {
        for (dimension, pattern, value, meant) in [
            (Dimension::Provider, "bedrock", "bedrock_converse", true),
            (Dimension::Provider, "bedrock_converse", "bedrock", true),
            (Dimension::Provider, "aws_bedrock", "bedrock_converse", true),
            (Dimension::Provider, "Azure OpenAI", "azure", true),
            (Dimension::Provider, "google-gla", "google", true),
            (Dimension::Provider, "my-gateway", "My-Gateway", true),
            (Dimension::Provider, "google", "vertex", false),
            (Dimension::Provider, "bed*", "aws.bedrock", false),
            // What sells apart is a part of the other.
            (Dimension::Provider, "azure", "azure_ai", true),
            (Dimension::Provider, "azure_ai", "azure", false),
            (Dimension::Provider, "azure_ai", "azure_openai", false),
            (Dimension::Provider, "bedrock-mantle", "bedrock_mantle", true),
            // Bills.
            (Dimension::Provider, "bedrock", "aws", false),
            (Dimension::Provider, "bedrock", "AWS", false),
            (Dimension::Provider, "aws", "AWS", true),
            (Dimension::Provider, "aws", "bedrock", false),
            (Dimension::Provider, "Amazon", "bedrock", false),
            (Dimension::Provider, "watsonx", "ibm", false),
            (Dimension::Provider, "azure_openai", "Azure", false),
            (Dimension::Provider, "mistral", "Mistral AI", false),
            (Dimension::Tier, "flex", "Flex", true),
            (Dimension::Tier, "PRIORITY", "priority", true),
            (Dimension::Tier, "default", "standard", true),
            (Dimension::Tier, "stand*", "default", true),
            (Dimension::Tier, "auto", "", false),
            (Dimension::Tier, "standard", "", false),
            (Dimension::Tier, "priority", "fast", false),
        ] {
            let is_like = dimension.is_like(pattern, value.into());
            assert_eq!(is_like, meant, "{pattern} {value}");
        }
    }

    #[test]
    fn a_model_is_meant_with_and_without_its_provider() {
        for (pattern, provider, model, meant) in [
            ("openai/*", "openai", "gpt-5", true),
            ("openai/gpt-*", "openai", "openai/gpt-5", true),
            ("anthropic/claude-*", "Anthropic", "claude-sonnet-4-6", true),
            ("vertex_ai/gemini-*", "vertex", "gemini-2.5-flash", true),
            ("*/gpt-*", "openai", "gpt-5", true),
            ("bedrock/converse/us.*", "bedrock", "us.amazon.nova-lite-v1:0", true),
            ("openrouter/openai/*", "openrouter", "openai/gpt-5", true),
            ("openai/*", "openrouter", "openai/gpt-5", true),
            ("openai/gpt-4*", "openai", "gpt-5", false),
            ("openai/*", "azure", "gpt-5", false),
            ("openai/GPT-*", "openai", "gpt-5", false),
            ("*/gpt-*", "", "gpt-5", false),
            ("openai*", "openai", "gpt-5", false),
            // Sold apart from its namesakes.
            ("azure/*", "azure", "azure_ai/x", false),
            ("azure_ai/*", "azure", "x", false),
            ("azure_ai/*", "azure_ai", "x", true),
        ] {
            let call = Dimensions::default()
                .with(Dimension::Provider, provider)
                .with(Dimension::Model, model);
            assert_eq!(
                call.are_like(Dimension::Model, pattern),
                meant,
                "{pattern} {provider} {model}"
            );
        }
        let other = Dimensions::default()
            .with(Dimension::Provider, "openai")
            .with(Dimension::Team, "a");
        assert!(!other.are_like(Dimension::Team, "openai/a"));
    }
}
