//! Which metered provider a row of a bill is about: clouds bill models among a hundred other services.

mod company;

pub use company::{Company, biller, billing_company};
use company::{company, is_seller};

use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::price::provider_key;

/// What Cost Explorer calls the service of taxes: those of an account together, of no service.
pub const TAX: &str = "Tax";

/// Words in the names of services that sell models.
const MODEL_SERVICES: [&str; 20] = [
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
    "watsonx.ai",
    "workers ai",
    "token factory",
    "serverless inference",
    "inference api",
    "inference providers",
    "ai endpoints",
    "ai gateway",
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

/// The provider, as calls name it, whose use a row of a bill charges; none where it tells no use of models. [`billing_company`] says of whom it
/// may be such use all the same, and what else calls may name that company.
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
    let known = is_seller(&key) || sells_models || names_model;
    known.then(|| Label::new(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("IBM", "watsonx.ai", Some("watsonx")),
            ("IBM Cloud", "watsonx.ai Runtime", Some("watsonx")),
            ("IBM", "watsonx.data", None),
            ("Nebius B.V.", "Token Factory", Some("nebius")),
            ("Nebius", "Compute Cloud", None),
            ("Vultr", "Serverless Inference", Some("vultr")),
            ("Lambda, Inc.", "Inference API", Some("lambda")),
            ("Lambda, Inc.", "GPU Instances", None),
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
