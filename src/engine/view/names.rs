//! Providers in one spelling, and which companies sell models.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::billed::{billed_provider, billing_company};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::price::provider_key;
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::ports::StoreError;

/// Found once per name: a ledger has many rows and few names.
#[derive(Default)]
pub struct Names {
    billed: FxHashMap<(Label, Label, bool), Charges>,
    metered: FxHashMap<Label, Label>,
    /// Those whose calls are metered: what they bill is use of models, whoever they are.
    called: FxHashSet<Label>,
    /// Whether every company is taken for one of these.
    presumed: bool,
}

/// What a row of a bill charges.
#[derive(Clone, Copy)]
struct Charges {
    /// The provider whose use of models it is by what it says itself.
    models: Option<Label>,
    /// The company, and whether it sells models alone if there are calls to it.
    company: Option<(Label, bool)>,
}

impl Names {
    /// The names in the rows that `spend` visits, each of which `visit` takes. Rows of companies of which it is not known whether they sell
    /// models come last: it is when all calls were seen.
    pub fn of(
        spend: impl FnOnce(&mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError>,
        visit: &mut dyn FnMut(&mut Names, &SpendKey, &Sums),
    ) -> Result<Names, StoreError> {
        let mut names = Names::default();
        let mut waiting: Vec<(SpendKey, Sums)> = Vec::new();
        spend(&mut |key, sums| {
            if key.basis == Basis::Metered {
                names.metered(key);
            } else if names.may_be_models(key) {
                waiting.push((*key, *sums));
                return;
            }
            visit(&mut names, key, sums);
        })?;
        for (key, sums) in &waiting {
            visit(&mut names, key, sums);
        }
        Ok(names)
    }

    /// Those of a ledger in which calls of these providers are metered.
    #[must_use]
    pub fn calling(providers: impl IntoIterator<Item = Label>) -> Names {
        Names {
            called: providers.into_iter().collect(),
            ..Names::default()
        }
    }

    /// The same where calls are compared with bills later, provider by provider: what is named as calls may be is use of models.
    #[must_use]
    pub fn presumed() -> Names {
        Names {
            presumed: true,
            ..Names::default()
        }
    }

    /// The provider whose use a row of a bill charges; none where it is no use of models.
    pub fn billed(&mut self, key: &SpendKey) -> Option<Label> {
        let Charges { models, company } = self.charges(key);
        let called = company.filter(|(company, sells)| *sells && (self.presumed || self.called.contains(company)));
        models.or(called.map(|(company, _)| company))
    }

    /// The company whose bill a row is of, but for the clouds.
    pub fn company(&mut self, key: &SpendKey) -> Option<Label> {
        self.charges(key).company.map(|(company, _)| company)
    }

    /// Whether a row is of models only if there are calls to its company, and none was seen.
    fn may_be_models(&mut self, key: &SpendKey) -> bool {
        let Charges { models, company } = self.charges(key);
        models.is_none() && company.is_some_and(|(company, sells)| sells && !self.called.contains(&company))
    }

    fn charges(&mut self, key: &SpendKey) -> Charges {
        let of = |d| key.dimensions.get(d);
        let name = (
            of(Dimension::Provider),
            of(Dimension::Service),
            of(Dimension::Model).is_empty(),
        );
        *self.billed.entry(name).or_insert_with(|| Charges {
            models: billed_provider(&key.dimensions),
            company: billing_company(&key.dimensions),
        })
    }

    /// The provider of a metered row.
    pub fn metered(&mut self, key: &SpendKey) -> Label {
        let name = key.dimensions.get(Dimension::Provider);
        let called = &mut self.called;
        *self.metered.entry(name).or_insert_with(|| {
            let spelled = Names::spelled(name);
            called.insert(spelled);
            spelled
        })
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
    use crate::domain::money::Currency;
    use crate::domain::period::Hour;

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

    /// Whatever comes first: rows of a company are use of models where there are calls to it.
    #[test]
    fn a_company_whose_calls_are_metered_sells_models() {
        let row = |basis, provider: &str| {
            let key = SpendKey {
                hour: Hour(0),
                basis,
                currency: Currency::USD,
                dimensions: Dimensions::default().with(Dimension::Provider, provider),
            };
            (key, Sums::default())
        };
        let rows = [
            row(Basis::Billed, "DeepInfra, Inc."),
            row(Basis::Billed, "Acme"),
            row(Basis::Billed, "OpenAI"),
            row(Basis::Effective, "Databricks"),
            row(Basis::Metered, "deepinfra"),
            row(Basis::Metered, "databricks"),
            row(Basis::Billed, "DeepInfra"),
        ];
        let mut told = Vec::new();
        let spend = |visit: &mut dyn FnMut(&SpendKey, &Sums)| {
            rows.iter().for_each(|(key, sums)| visit(key, sums));
            Ok(())
        };
        let names = Names::of(spend, &mut |names, key, _| {
            let billed = (key.basis != Basis::Metered).then(|| names.billed(key).unwrap_or_default());
            told.extend(billed.map(|billed| (key.dimensions.get(Dimension::Provider), billed)));
        });
        let expected = [
            ("OpenAI", "openai"),
            ("Databricks", ""),
            ("DeepInfra", "deepinfra"),
            ("DeepInfra, Inc.", "deepinfra"),
            ("Acme", ""),
        ];
        assert_eq!(told, expected.map(|(row, of)| (Label::new(row), Label::new(of))));
        let (key, _) = row(Basis::Billed, "DeepInfra Inc.");
        assert_eq!(names.unwrap().billed(&key), Some(Label::new("deepinfra")));
        assert_eq!(Names::default().billed(&key), None);
    }
}
