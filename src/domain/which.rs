//! Which calls something is about.

use super::dimension::{Dimension, Dimensions};
use super::price::provider_key;

/// Which calls are meant. An empty part means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// The provider, in any spelling, `*` and `?` allowed.
    pub provider: String,
    /// The model, `*` and `?` allowed.
    pub model: String,
    /// The account, `*` and `?` allowed.
    pub account: String,
    /// The configured source, `*` and `?` allowed.
    pub source: String,
    /// The service tier, `*` and `?` allowed.
    pub tier: String,
}

impl Which {
    /// Whether charges with these dimensions are meant.
    #[must_use]
    pub fn matches(&self, dimensions: &Dimensions) -> bool {
        let like = |pattern: &str, dimension: Dimension| {
            pattern.is_empty() || dimension.is_like(pattern, dimensions.get(dimension))
        };
        let same = || provider_key(&self.provider) == provider_key(dimensions.get(Dimension::Provider).as_str());
        (like(&self.provider, Dimension::Provider) || same())
            && like(&self.model, Dimension::Model)
            && like(&self.account, Dimension::Account)
            && like(&self.source, Dimension::Source)
            && like(&self.tier, Dimension::Tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
