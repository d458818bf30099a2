//! Providers in one spelling, and which companies sell models.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::fill::is_usage;
use crate::domain::billed::{Company, billed_provider, billing_company};
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
    /// Those whose calls are metered.
    called: FxHashSet<Label>,
    /// The one service of which each company bills use of which it is not known what it sells, by its shortest spelling; none of several.
    /// What such a company bills is use of models where there are calls to it and nothing else is on its bills; else what is [`INFERENCE`].
    services: FxHashMap<Label, Option<Label>>,
    /// Whether there are taken to be calls to every company.
    presumed: bool,
}

/// What a row of a bill charges.
#[derive(Clone, Copy)]
struct Charges {
    /// The provider whose use of models it is by what it says itself.
    models: Option<Label>,
    /// The company, but for the clouds.
    company: Option<Company>,
    /// Whether its service is what calls are, if the company sells models at all.
    is_inference: bool,
}

/// What a service is called that is calls and nothing else, beside others of a company (`Fine-tuning`, `Storage`).
const INFERENCE: &str = "inference";

impl Names {
    /// The names in the rows that `spend` visits, each of which `visit` takes. Rows of companies of which it is not known what they sell come
    /// last: it is when all calls and all services were seen.
    pub fn of(
        spend: impl FnOnce(&mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError>,
        visit: &mut dyn FnMut(&mut Names, &SpendKey, &Sums),
    ) -> Result<Names, StoreError> {
        let mut names = Names::default();
        let mut waiting: Vec<(SpendKey, Sums)> = Vec::new();
        spend(&mut |key, sums| {
            if key.basis == Basis::Metered {
                names.metered(key);
            } else if names.waits(key) {
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

    /// Those of a ledger in which calls of these providers are metered, and these companies bill [several](Names::several) services.
    #[must_use]
    pub fn calling(providers: impl IntoIterator<Item = Label>, several: &BTreeSet<Label>) -> Names {
        Names {
            called: providers.into_iter().collect(),
            services: several.iter().map(|company| (*company, None)).collect(),
            ..Names::default()
        }
    }

    /// Companies of which it is not known what they sell, with several services, by their shortest spellings.
    #[must_use]
    pub fn several(&self) -> BTreeSet<Label> {
        let several = self.services.iter().filter(|(_, service)| service.is_none());
        several.map(|(company, _)| *company).collect()
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
        let Charges {
            models,
            company,
            is_inference,
        } = self.charges(key);
        let Some(company) = company else {
            return models;
        };
        let name = self.called_as(&company);
        let sells = || {
            let is_called = self.presumed || self.called.contains(&name);
            let has_others = self.services.get(&company.shortest()) == Some(&None);
            company.is_open && is_called && (is_inference || !has_others)
        };
        (models.is_some() || sells()).then_some(name)
    }

    /// What calls to a company name it, the longest name first.
    fn called_as(&self, company: &Company) -> Label {
        let mut spellings = company.spellings.into_iter();
        spellings
            .find(|name| self.called.contains(name))
            .unwrap_or(company.name)
    }

    /// The company whose bill a row is of, but for the clouds.
    pub fn company(&mut self, key: &SpendKey) -> Option<Label> {
        let company = self.charges(key).company;
        company.map(|company| self.called_as(&company))
    }

    /// Whether what a row is of, and how calls name its company, is known only when all rows were seen.
    fn waits(&mut self, key: &SpendKey) -> bool {
        let Charges { models, company, .. } = self.charges(key);
        let Some(company) = company.filter(|company| company.is_open) else {
            return false;
        };
        let service = key.dimensions.get(Dimension::Service);
        // Effective cost of calls names none.
        if is_usage(key) && (key.basis == Basis::Billed || !service.is_empty()) {
            let one = self.services.entry(company.shortest()).or_insert(Some(service));
            *one = one.filter(|one| *one == service);
        }
        let [longest, ..] = company.spellings;
        models.is_none() || !self.called.contains(&longest)
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
            is_inference: of(Dimension::Service).as_str().trim().eq_ignore_ascii_case(INFERENCE),
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
        let of = |basis, provider: &str, service: &str| {
            let dimensions = Dimensions::default().with(Dimension::Provider, provider);
            let key = SpendKey {
                hour: Hour(0),
                basis,
                currency: Currency::USD,
                dimensions: dimensions.with(Dimension::Service, service),
            };
            (key, Sums::default())
        };
        let row = |basis, provider: &str| of(basis, provider, "");
        let rows = [
            row(Basis::Billed, "DeepInfra, Inc."),
            row(Basis::Billed, "Acme"),
            row(Basis::Billed, "OpenAI"),
            row(Basis::Effective, "Databricks"),
            row(Basis::Metered, "deepinfra"),
            row(Basis::Metered, "databricks"),
            row(Basis::Billed, "DeepInfra"),
            row(Basis::Billed, "Hugging Face"),
            row(Basis::Metered, "huggingface"),
            // Machines beside models, and one of the rows says that it is of models.
            of(Basis::Billed, "Farm B.V.", "Machines"),
            of(Basis::Billed, "Farm", "Generative"),
            of(Basis::Billed, "Farm", "Answers"),
            row(Basis::Metered, "farm"),
            // What says that it is calls, of one to which there are calls.
            of(Basis::Billed, "Siliconfarm, Inc.", "Inference"),
            of(Basis::Billed, "Siliconfarm", "Fine-tuning"),
            of(Basis::Billed, "Lambda", "Inference"),
            of(Basis::Billed, "Other", "Inference"),
            of(Basis::Billed, "Other", "Storage"),
            row(Basis::Metered, "siliconfarm"),
            row(Basis::Metered, "lambda"),
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
            ("Lambda", ""),
            ("DeepInfra, Inc.", "deepinfra"),
            ("Acme", ""),
            ("DeepInfra", "deepinfra"),
            ("Hugging Face", "huggingface"),
            ("Farm B.V.", ""),
            ("Farm", "farm"),
            ("Farm", ""),
            ("Siliconfarm, Inc.", "siliconfarm"),
            ("Siliconfarm", ""),
            ("Other", ""),
            ("Other", ""),
        ];
        assert_eq!(told, expected.map(|(row, of)| (Label::new(row), Label::new(of))));
        let (key, _) = row(Basis::Billed, "DeepInfra Inc.");
        let mut names = names.unwrap();
        assert_eq!(names.billed(&key), Some(Label::new("deepinfra")));
        let several = ["farm", "other", "siliconfarm"].map(Label::new);
        assert_eq!(names.several(), BTreeSet::from(several));
        let (inference, _) = of(Basis::Billed, "Siliconfarm", "INFERENCE");
        assert_eq!(names.billed(&inference), Some(Label::new("siliconfarm")));
        let (machines, _) = of(Basis::Billed, "Farm B.V.", "Machines");
        let called = || ["farm"].map(Label::new);
        assert_eq!(Names::calling(called(), &names.several()).billed(&machines), None);
        let alone = Names::calling(called(), &BTreeSet::new()).billed(&machines);
        assert_eq!(alone, Some(Label::new("farm")));
        assert_eq!(Names::default().billed(&key), None);
    }
}
