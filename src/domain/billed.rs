//! Which metered provider a row of a bill is about: clouds bill models among a hundred other services.

use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::price::provider_key;

/// Words in the names of services that sell models.
const MODEL_SERVICES: [&str; 11] = [
    "bedrock",
    "openai",
    "anthropic",
    "claude",
    "foundry",
    "cognitive services",
    "azure ai",
    "gemini",
    "vertex",
    "generative",
    "mistral",
];

/// Words in the names of services that stand beside them under one roof: `Azure AI Search`, `Azure AI Speech`.
const OTHER_SERVICES: [&str; 8] = [
    "search",
    "speech",
    "vision",
    "document",
    "language",
    "translator",
    "video indexer",
    "content safety",
];

/// What the service of Google's own models is called where spend is exported.
const GOOGLE_MODELS: &str = "google models";

/// What stands behind a company's name on invoices.
const LEGAL_FORMS: [&str; 8] = [" llc", " opco", " inc", " pbc", " ltd", " limited", " gmbh", " ai"];

/// What may also stand behind the names of sellers of models: other legal forms, and the country that a daughter sells in. Names of one's
/// own, of gateways for instance, end so too and are whole.
const DAUGHTERS: [&str; 24] = [
    " corp",
    " corporation",
    " co",
    " plc",
    " sas",
    " sarl",
    " bv",
    " b.v",
    " ag",
    " gk",
    " k.k",
    " kk",
    " pte",
    " pvt",
    " pty",
    " ireland",
    " uk",
    " germany",
    " france",
    " japan",
    " india",
    " singapore",
    " canada",
    " europe",
];

/// Sellers of models alone: everything they bill is use of models.
const SELLERS: [&str; 19] = [
    "anthropic",
    "openai",
    "bedrock",
    "vertex",
    "mistral",
    "xai",
    "deepseek",
    "groq",
    "cohere",
    "openrouter",
    "together",
    "fireworks",
    "moonshot",
    "cerebras",
    "dashscope",
    "minimax",
    "perplexity",
    "voyage",
    "zai",
];

/// A company's name as people say it: `openai opco, llc` and, with the forms of daughters, `openai ireland ltd.` are `openai`.
fn without_legal_form<'a>(name: &'a str, more: &[&str]) -> &'a str {
    let mut name = name.split(',').next().unwrap_or(name).trim();
    loop {
        let plain = name.strip_suffix('.').unwrap_or(name);
        let mut forms = LEGAL_FORMS.iter().chain(more);
        match forms.find_map(|form| plain.strip_suffix(form)) {
            Some(short) => name = short.trim(),
            None => return name,
        }
    }
}

/// The seller that a company's name on an invoice is of, in one spelling: of those that sell models alone, their daughters and web addresses too.
fn company(name: &str) -> String {
    let short = without_legal_form(name, &DAUGHTERS);
    let address = match short {
        "together computer" => Some("together"),
        _ => short.strip_suffix(".ai").or_else(|| short.strip_suffix(".com")),
    };
    let mut sellers = [Some(short), address].into_iter().flatten().map(provider_key);
    sellers
        .find(|seller| SELLERS.contains(&seller.as_str()))
        .unwrap_or_else(|| provider_key(without_legal_form(name, &[])))
}

/// Who sends a bill, in one spelling, whatever it is about: a cloud has several names.
#[must_use]
pub fn biller(provider: &str) -> String {
    let name = provider.trim().to_lowercase();
    let clouds = [
        (["amazon", "aws"], "aws"),
        (["microsoft", "azure"], "azure"),
        (["google", "gcp"], "google"),
    ];
    let cloud = clouds
        .iter()
        .find(|(words, _)| words.iter().any(|word| name.contains(word)));
    cloud.map_or_else(|| company(&name), |(_, cloud)| (*cloud).to_owned())
}

/// The provider, as calls name it, whose use a row of a bill charges; none where it is no use of models.
#[must_use]
pub fn billed_provider(dimensions: &Dimensions) -> Option<Label> {
    let service = dimensions.get(Dimension::Service).as_str().to_lowercase();
    let provider = dimensions.get(Dimension::Provider).as_str().trim().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| service.contains(word));
    let names_model = !dimensions.get(Dimension::Model).is_empty();
    let own = ["openai", "generative"].iter().any(|word| service.contains(word));
    let sells_models = has(&MODEL_SERVICES) && (names_model || own || !has(&OTHER_SERVICES));
    let is = |words: &[&str]| words.iter().any(|word| provider.contains(word));
    if is(&["amazon", "aws"]) {
        // Models that run on machines of one's own have a service that says so.
        let models = sells_models || (names_model && service.is_empty());
        return models.then(|| Label::new("bedrock"));
    }
    if is(&["microsoft", "azure"]) {
        return (sells_models || names_model).then(|| Label::new("azure"));
    }
    if is(&["google", "gcp"]) {
        // As calls name it, in an own export: no company is called so.
        let key = provider_key(&provider);
        if names_model && provider != key && ["google", "vertex"].contains(&key.as_str()) {
            return Some(Label::new(&key));
        }
        let own = ["gemini", "generative language", GOOGLE_MODELS];
        let own = own.iter().any(|word| service.contains(word)) && !service.contains("vertex");
        return (sells_models || names_model).then(|| Label::new(if own { "google" } else { "vertex" }));
    }
    let key = company(&provider);
    // Sellers of models alone, and rows that name the model: everything they bill is use of models.
    let known = SELLERS.contains(&key.as_str()) || sells_models || names_model;
    known.then(|| Label::new(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_sellers_lose_more_than_their_legal_form() {
        for (name, expected) in [
            ("Gateway Europe", "gateway europe"),
            ("my corp", "my corp"),
            ("Acme, Inc.", "acme"),
            ("OpenAI Ireland Ltd", "openai"),
            ("X.AI Corp.", "xai"),
        ] {
            assert_eq!(biller(name), expected);
        }
    }

    #[test]
    fn only_rows_about_models_stand_for_calls() {
        for (provider, service, expected) in [
            ("AWS", "Amazon Bedrock", Some("bedrock")),
            ("aws", "Claude Sonnet 4.5 (Amazon Bedrock Edition)", Some("bedrock")),
            ("Amazon Web Services", "Amazon Simple Queue Service", None),
            // Notebooks and training are no calls of Bedrock's models.
            ("AWS", "Amazon SageMaker", None),
            ("Microsoft", "Azure OpenAI Service", Some("azure")),
            ("Microsoft", "Cognitive Services", Some("azure")),
            ("Microsoft", "Azure AI Search", None),
            ("Google Cloud", "Vertex AI", Some("vertex")),
            ("Google Cloud", "Gemini API", Some("google")),
            ("anthropic", "Claude API", Some("anthropic")),
            ("Google", "Generative Language API", Some("google")),
            ("OpenAI, LLC", "API", Some("openai")),
            ("OpenAI OpCo, LLC", "API", Some("openai")),
            ("Anthropic, PBC", "Claude API", Some("anthropic")),
            ("Mistral AI", "La Plateforme", Some("mistral")),
            ("Together AI", "Inference", Some("together")),
            // Their companies elsewhere, and other forms.
            ("OpenAI Ireland Ltd", "API", Some("openai")),
            ("Anthropic Ireland, Limited", "Claude API", Some("anthropic")),
            ("Mistral AI SAS", "La Plateforme", Some("mistral")),
            ("X.AI Corp.", "API", Some("xai")),
            ("X.AI LLC", "API", Some("xai")),
            ("Together Computer Inc.", "Inference", Some("together")),
            ("Fireworks.ai, Inc.", "Inference", Some("fireworks")),
            ("Cohere UK Ltd.", "API", Some("cohere")),
            ("gateway europe", "m", None),
            ("Character.ai", "Chat", None),
            ("Bank of Ireland", "Fees", None),
            ("Together Health Inc", "Visits", None),
            ("Oracle", "Compute", None),
        ] {
            let row = Dimensions::default()
                .with(Dimension::Provider, provider)
                .with(Dimension::Service, service);
            let found = billed_provider(&row).map(|l| l.as_str().to_owned());
            assert_eq!(found.as_deref(), expected, "{provider} {service}");
        }
        let on_machines = Dimensions::default()
            .with(Dimension::Provider, "aws")
            .with(Dimension::Service, "Amazon SageMaker")
            .with(Dimension::Model, "m");
        assert_eq!(billed_provider(&on_machines), None);
        // A row that names its model, such as those of an own export.
        for (provider, service, expected) in [
            ("aws", "", "bedrock"),
            ("azure", "azure models", "azure"),
            ("Microsoft", "Azure Machine Learning", "azure"),
            ("google", "google models", "google"),
            ("Google Cloud", "Compute Engine", "vertex"),
        ] {
            let row = Dimensions::default()
                .with(Dimension::Provider, provider)
                .with(Dimension::Service, service)
                .with(Dimension::Model, "m");
            assert_eq!(
                billed_provider(&row),
                Some(Label::new(expected)),
                "{provider} {service}"
            );
        }
    }
}
