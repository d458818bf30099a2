//! Providers in one spelling.

use std::collections::HashMap;

use crate::domain::billed::billed_provider;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::price::provider_key;
use crate::domain::spend::SpendKey;

/// Found once per name: a ledger has many rows and few names.
#[derive(Default)]
pub struct Names {
    billed: HashMap<(Label, Label, bool), Option<Label>>,
    metered: HashMap<Label, Label>,
}

impl Names {
    /// The provider whose use a row of a bill charges; none where it is no use of models.
    pub fn billed(&mut self, key: &SpendKey) -> Option<Label> {
        let of = |d| key.dimensions.get(d);
        let name = (
            of(Dimension::Provider),
            of(Dimension::Service),
            of(Dimension::Model).is_empty(),
        );
        *self
            .billed
            .entry(name)
            .or_insert_with(|| billed_provider(&key.dimensions))
    }

    /// The provider of a metered row.
    pub fn metered(&mut self, key: &SpendKey) -> Label {
        let name = key.dimensions.get(Dimension::Provider);
        *self.metered.entry(name).or_insert_with(|| Names::spelled(name))
    }

    /// The one spelling of a metered provider.
    #[must_use]
    pub fn spelled(name: Label) -> Label {
        Label::new(&provider_key(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dimension::Dimensions;

    /// A row of an own export names the provider as calls do.
    #[test]
    fn a_provider_has_one_spelling_on_both_sides() {
        for (provider, spelled) in [
            ("google_genai", "google"),
            ("google_ai_studio", "google"),
            ("google-generativeai", "google"),
            ("google_vertexai", "vertex"),
            ("google_vertex", "vertex"),
            ("Azure OpenAI", "azure"),
            ("azure_anthropic", "azure"),
            ("Mistral AI", "mistral"),
            ("Together AI", "together"),
            ("Fireworks AI", "fireworks"),
            ("Voyage AI", "voyage"),
            ("openai", "openai"),
            ("my gateway", "my gateway"),
        ] {
            assert_eq!(Names::spelled(Label::new(provider)).as_str(), spelled);
            let row = Dimensions::default()
                .with(Dimension::Provider, &provider.to_lowercase())
                .with(Dimension::Service, &format!("{provider} models"))
                .with(Dimension::Model, "m");
            assert_eq!(billed_provider(&row), Some(Label::new(spelled)), "{provider}");
        }
    }
}
