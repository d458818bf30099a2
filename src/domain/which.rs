//! Which calls something is about.

use super::dimension::{Dimension, Dimensions};
use super::glob::glob_matches;
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
        let like =
            |pattern: &str, dimension| pattern.is_empty() || glob_matches(pattern, dimensions.get(dimension).as_str());
        let of_provider = || {
            let provider = provider_key(dimensions.get(Dimension::Provider).as_str());
            provider_key(&self.provider) == provider
                || (self.provider.contains(['*', '?']) && glob_matches(&self.provider.to_lowercase(), &provider))
        };
        (self.provider.is_empty() || of_provider())
            && like(&self.model, Dimension::Model)
            && like(&self.account, Dimension::Account)
            && like(&self.source, Dimension::Source)
            && like(&self.tier, Dimension::Tier)
    }
}
