//! Which calls something is about.

use super::dimension::{Dimension, Dimensions};
use super::glob::glob_matches_any_case;
use super::price::provider_key;

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
    /// The service tier, `*` and `?` allowed, in any case.
    pub tier: String,
}

impl Which {
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
        let same = || provider_key(&self.provider) == provider_key(dimensions.get(Dimension::Provider).as_str());
        (like(&self.provider, Dimension::Provider) || same())
            && named(&self.model, Dimension::Model)
            && like(&self.account, Dimension::Account)
            && like(&self.source, Dimension::Source)
            && named(&self.tier, Dimension::Tier)
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
        assert!(!which("", "", "prod").matches(&call));
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
