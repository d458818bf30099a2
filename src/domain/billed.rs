//! Which metered provider a row of a bill is about: clouds bill models among a hundred other services.

use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::price::provider_key;

/// Words in the names of services that sell models.
const MODEL_SERVICES: [&str; 14] = [
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
    "model serving",
    "watsonx",
    "workers ai",
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
const DAUGHTERS: [&str; 25] = [
    " systems",
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

/// Companies under whose roof much else is sold, beside the clouds: of these no row is of models but those that say so.
const ROOFS: [&str; 14] = [
    "oracle",
    "ibm",
    "databricks",
    "snowflake",
    "cloudflare",
    "vercel",
    "digitalocean",
    "ovh",
    "ovhcloud",
    "scaleway",
    "tencent cloud",
    "huawei cloud",
    "nvidia",
    "github",
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
    cloud(&name).map_or_else(|| company(&name), str::to_owned)
}

fn cloud(name: &str) -> Option<&'static str> {
    let mut clouds = CLOUDS.iter();
    let cloud = clouds.find(|(words, _)| words.iter().any(|word| name.contains(word)));
    cloud.map(|(_, cloud)| *cloud)
}

/// The words of the clouds' names, and the one spelling of each.
const CLOUDS: [([&str; 2], &str); 3] = [
    (["amazon", "aws"], "aws"),
    (["microsoft", "azure"], "azure"),
    (["google", "gcp"], "google"),
];

/// The company that a row of a bill is of, as calls to it would name it, and whether all of its rows are of models if there are calls to it;
/// none of a cloud's row.
#[must_use]
pub fn billing_company(dimensions: &Dimensions) -> Option<(Label, bool)> {
    let name = dimensions.get(Dimension::Provider).as_str().trim().to_lowercase();
    let is_cloud = cloud(&name).is_some();
    let key = company(&name);
    (!is_cloud && !key.is_empty()).then(|| (Label::new(&key), !ROOFS.contains(&key.as_str())))
}

/// The provider, as calls name it, whose use a row of a bill charges; none where it tells no use of models. [`billing_company`] says of whom it
/// may be such use all the same.
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
    fn a_company_that_is_not_known_may_sell_models_where_it_sells_nothing_else() {
        for (provider, expected) in [
            ("DeepInfra, Inc.", Some(("deepinfra", true))),
            ("Novita AI", Some(("novita", true))),
            ("Platform Team", Some(("platform team", true))),
            ("Oracle", Some(("oracle", false))),
            ("Databricks, Inc.", Some(("databricks", false))),
            ("Amazon Web Services", None),
            ("Microsoft", None),
            ("", None),
        ] {
            let row = Dimensions::default().with(Dimension::Provider, provider);
            let expected = expected.map(|(company, sells)| (Label::new(company), sells));
            assert_eq!(billing_company(&row), expected, "{provider}");
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
            ("Cerebras Systems Inc.", "Inference", Some("cerebras")),
            ("Cohere UK Ltd.", "API", Some("cohere")),
            ("gateway europe", "m", None),
            ("Character.ai", "Chat", None),
            ("Bank of Ireland", "Fees", None),
            ("Together Health Inc", "Visits", None),
            ("Oracle", "Compute", None),
            ("Oracle", "Oracle Cloud Infrastructure Generative AI", Some("oracle")),
            ("Databricks, Inc.", "Model Serving", Some("databricks")),
            ("DeepInfra", "Inference", None),
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
