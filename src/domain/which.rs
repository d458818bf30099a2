//! Which calls something is about.

use super::dimension::{Dimension, Dimensions};
use super::glob::glob_matches_any_case;
use super::price::{is_behind_provider, provider_key, tier_key};

/// Which calls are meant. An empty part means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// The provider, in any spelling, `*` and `?` allowed.
    pub provider: String,
    /// The model, `*` and `?` allowed, in any case.
    pub model: String,
    /// The account, `*` and `?` allowed.
    pub account: String,
    /// The configured source, `*` and `?` allowed.
    pub source: String,
    /// The service tier, `*` and `?` allowed, in any case and spelling; `standard` is also that of calls whose record tells none.
    pub tier: String,
}

impl Which {
    /// As text: `provider=bedrock model=claude-*`.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = [
            ("provider", &self.provider),
            ("model", &self.model),
            ("account", &self.account),
            ("source", &self.source),
            ("tier", &self.tier),
        ];
        let given = parts.into_iter().filter(|(_, pattern)| !pattern.is_empty());
        let text: Vec<String> = given.map(|(name, pattern)| format!("{name}={pattern}")).collect();
        if text.is_empty() {
            "all calls".to_owned()
        } else {
            text.join(" ")
        }
    }

    /// Whether charges with these dimensions are meant.
    #[must_use]
    pub fn matches(&self, dimensions: &Dimensions) -> bool {
        let like = |pattern: &str, dimension: Dimension| {
            pattern.is_empty() || dimension.is_like(pattern, dimensions.get(dimension))
        };
        // A price is found for a model and a tier whatever their case, so that what is agreed about them holds whatever their case.
        let named = |pattern: &str, dimension| {
            pattern.is_empty() || glob_matches_any_case(pattern, dimensions.get(dimension).as_str())
        };
        let value = |dimension: Dimension| dimensions.get(dimension).as_str();
        let behind = || {
            let (seller, model) = (value(Dimension::Provider), value(Dimension::Model));
            is_behind_provider(&self.model, seller, model, glob_matches_any_case)
        };
        let same = || provider_key(&self.provider) == provider_key(dimensions.get(Dimension::Provider).as_str());
        // Nor does a price ask whether a record calls its tier `standard` or tells none.
        let same_tier = || tier_key(&self.tier) == tier_key(dimensions.get(Dimension::Tier).as_str());
        (like(&self.provider, Dimension::Provider) || same())
            && (named(&self.model, Dimension::Model) || behind())
            && like(&self.account, Dimension::Account)
            && like(&self.source, Dimension::Source)
            && (named(&self.tier, Dimension::Tier) || same_tier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_and_tiers_are_meant_in_any_case_and_accounts_as_they_are_written() {
        let mut call = Dimensions::default();
        call.set(Dimension::Model, "us.anthropic.Claude-sonnet-4-6".into());
        call.set(Dimension::Tier, "Batch".into());
        call.set(Dimension::Account, "Prod".into());
        let which = |model: &str, tier: &str, account: &str| Which {
            model: model.into(),
            tier: tier.into(),
            account: account.into(),
            ..Which::default()
        };
        assert!(which("*claude*", "batch", "Prod").matches(&call));
        assert!(which("*CLAUDE-sonnet-4-?", "", "").matches(&call));
        assert!(!which("*claude*", "flex", "").matches(&call));
        call.set(Dimension::Provider, "bedrock".into());
        assert!(which("bedrock/*CLAUDE*", "", "").matches(&call));
        assert!(!which("anthropic/*claude*", "", "").matches(&call));
        assert!(!which("", "", "prod").matches(&call));
    }

    #[test]
    fn the_standard_tier_is_also_that_of_calls_that_tell_none_and_others_are_meant_in_any_spelling() {
        for (asked, standard, batch, priority) in [
            ("", [true; 4], [true; 2], [true; 2]),
            ("standard", [true; 4], [false; 2], [false; 2]),
            ("Default", [true; 4], [false; 2], [false; 2]),
            ("batch", [false; 4], [true; 2], [false; 2]),
            ("priority", [false; 4], [false; 2], [true; 2]),
            ("b*", [false; 4], [true; 2], [false; 2]),
        ] {
            let which = Which {
                tier: asked.to_owned(),
                ..Which::default()
            };
            let meant = |tier: &str| which.matches(&Dimensions::default().with(Dimension::Tier, tier));
            assert_eq!(["", "standard", "default", "on_demand"].map(meant), standard, "{asked}");
            assert_eq!(["batch", "Batches"].map(meant), batch, "{asked}");
            assert_eq!(["priority", "fast"].map(meant), priority, "{asked}");
        }
    }

    #[test]
    fn a_provider_is_meant_in_any_spelling_or_by_a_pattern() {
        for (asked, is, meant) in [
            ("", "anthropic", true),
            ("*", "anthropic", true),
            ("anth*", "Anthropic", true),
            ("AWS", "bedrock", true),
            ("anth", "anthropic", false),
            ("open*", "anthropic", false),
        ] {
            let which = Which {
                provider: asked.to_owned(),
                ..Which::default()
            };
            let call = Dimensions::default().with(Dimension::Provider, is);
            assert_eq!(which.matches(&call), meant, "{asked} {is}");
        }
    }
}
