//! Which metered provider a row of a bill is about: clouds bill models among a hundred other services.

use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::price::provider_key;

/// Words in the names of services that sell models.
const MODEL_SERVICES: [&str; 12] = [
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
    "sagemaker",
    "mistral",
];

/// The provider, as calls name it, whose use a row of a bill charges; none where it is no use of models.
#[must_use]
pub fn billed_provider(dimensions: &Dimensions) -> Option<Label> {
    let service = dimensions.get(Dimension::Service).as_str().to_lowercase();
    let provider = dimensions.get(Dimension::Provider).as_str().trim().to_lowercase();
    let sells_models = MODEL_SERVICES.iter().any(|word| service.contains(word));
    let is = |words: &[&str]| words.iter().any(|word| provider.contains(word));
    if is(&["amazon", "aws"]) {
        return sells_models.then(|| Label::new("bedrock"));
    }
    if is(&["microsoft", "azure"]) {
        return sells_models.then(|| Label::new("azure"));
    }
    if is(&["google", "gcp"]) {
        let own = service.contains("gemini") && !service.contains("vertex");
        return sells_models.then(|| Label::new(if own { "google" } else { "vertex" }));
    }
    let key = provider_key(&provider);
    // Sellers of models alone, and rows that name the model: everything they bill is use of models.
    let seller = [
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
    let known = seller.contains(&key.as_str()) || sells_models || !dimensions.get(Dimension::Model).is_empty();
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
            ("Microsoft", "Azure OpenAI Service", Some("azure")),
            ("Google Cloud", "Vertex AI", Some("vertex")),
            ("Google Cloud", "Gemini API", Some("google")),
            ("anthropic", "Claude API", Some("anthropic")),
            ("Oracle", "Compute", None),
        ] {
            let row = Dimensions::default()
                .with(Dimension::Provider, provider)
                .with(Dimension::Service, service);
            let found = billed_provider(&row).map(|l| l.as_str().to_owned());
            assert_eq!(found.as_deref(), expected, "{provider} {service}");
        }
    }
}
