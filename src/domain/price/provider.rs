//! How a provider is spelled.

use super::seller::own_prefix;

/// Providers as price books name them, each with what else records, bills and people call it, in small letters. Blanks are written as `_`.
pub const SPELLINGS: [(&str, &[&str]); 32] = [
    ("anthropic", &[]),
    (
        "azure",
        &[
            "az.ai.inference",
            "az.ai.openai",
            "azure-anthropic",
            "azure-openai",
            "azure.ai.inference",
            "azure.ai.openai",
            "azure_ai",
            "azure_anthropic",
            "azure_openai",
            "azure_text",
            "azureopenai",
        ],
    ),
    (
        "bedrock",
        &[
            "amazon",
            "amazon-bedrock",
            "amazon_bedrock",
            "aws",
            "aws.bedrock",
            "aws_bedrock",
            "bedrock-mantle",
            "bedrock_converse",
            "bedrock_mantle",
        ],
    ),
    ("cerebras", &[]),
    (
        "cloudflare",
        &[
            "cloudflare-workers-ai",
            "cloudflare_workers_ai",
            "workers-ai",
            "workers_ai",
        ],
    ),
    ("cohere", &["cohere_chat"]),
    (
        "dashscope",
        &["alibaba", "alibaba-cloud", "alibaba_cloud", "alibabacloud", "qwen"],
    ),
    ("deepseek", &["deepseek-ai", "deepseek_ai"]),
    ("fireworks", &["fireworks-ai", "fireworks_ai"]),
    // Agents write models.dev's names, which LiteLLM's map spells otherwise.
    ("github-copilot", &["github_copilot"]),
    (
        "google",
        &[
            "gcp.gemini",
            "gcp.gen_ai",
            "gemini",
            "google-ai",
            "google-ai-studio",
            "google-generativeai",
            "google-genai",
            "google-gla",
            "google_ai",
            "google_ai_studio",
            "google_genai",
            "google_generativeai",
        ],
    ),
    ("groq", &["groq_ai"]),
    ("llama.cpp", &[]),
    ("lmstudio", &[]),
    ("minimax", &["minimax-ai", "minimax_ai", "minimaxai"]),
    ("mistral", &["mistral-ai", "mistral_ai", "mistralai"]),
    ("moonshot", &["moonshot_ai", "moonshotai"]),
    ("novita", &["novita-ai", "novita_ai"]),
    // models.dev's name; LiteLLM has that of the product.
    ("nvidia", &["nvidia-nim", "nvidia_nim"]),
    ("ollama", &[]),
    ("openai", &["text-completion-openai"]),
    ("opencode-go", &["opencode_go"]),
    ("openrouter", &[]),
    ("perplexity", &[]),
    ("together", &["together-ai", "together_ai", "togetherai"]),
    ("vercel", &["vercel-ai-gateway", "vercel_ai_gateway"]),
    (
        "vertex",
        &[
            "gcp.vertex_ai",
            "google-vertex",
            "google-vertex-ai",
            "google-vertexai",
            "google_vertex",
            "google_vertex_ai",
            "google_vertexai",
            "vertex-ai",
            "vertex_ai",
            "vertex_ai_beta",
            "vertexai",
        ],
    ),
    ("vllm", &[]),
    ("voyage", &["voyage_ai", "voyageai"]),
    (
        "watsonx",
        &[
            "ibm",
            "ibm-cloud",
            "ibm-watsonx",
            "ibm.watsonx.ai",
            "ibm_cloud",
            "ibm_watsonx",
        ],
    ),
    ("xai", &["x-ai", "x.ai", "x_ai"]),
    // Zhipu's Chinese platform has other prices and stays apart.
    ("zai", &["z-ai", "z.ai", "z_ai"]),
];

/// What a gateway writes before the maker of a model: `vertex_ai-llama_models`.
const WITH_MAKER: &str = "vertex_ai-";

/// Companies whose bills charge more than models, by names that calls have for what they sell of these.
const COMPANIES: [&str; 9] = [
    "alibaba",
    "alibaba-cloud",
    "alibaba_cloud",
    "alibabacloud",
    "amazon",
    "aws",
    "ibm",
    "ibm-cloud",
    "ibm_cloud",
];

/// The provider that goes by a name, in whatever letters, as price books spell it; nothing of a name that nobody knows.
#[must_use]
pub fn known_provider(name: &str) -> Option<&'static str> {
    let name = name.trim();
    let of = |(own, others): &(&'static str, &[&str])| {
        let is_it = is_spelled(own, name) || others.iter().any(|other| is_spelled(other, name));
        is_it.then_some(*own)
    };
    SPELLINGS.iter().find_map(of).or_else(|| {
        let front = name.get(..WITH_MAKER.len())?;
        front.eq_ignore_ascii_case(WITH_MAKER).then_some("vertex")
    })
}

/// One spelling for each provider, whatever the log calls it.
#[must_use]
pub fn provider_key(provider: &str) -> String {
    match known_provider(provider) {
        Some(known) => known.to_owned(),
        None => provider.trim().to_lowercase(),
    }
}

/// Whether a name is that of a company whose bills charge more than models.
#[must_use]
pub fn is_company(name: &str) -> bool {
    COMPANIES.iter().any(|company| is_spelled(company, name.trim()))
}

/// Whether a pattern is another spelling of a provider of calls. What bills are of is meant as it is written (`AWS`, `Azure`): that is more than
/// models. So is what has prices of its own (`azure_ai`), which is a part of what sells under the other name.
pub(in crate::domain) fn is_other_spelling(pattern: &str, provider: &str) -> bool {
    let of_calls = |name: &str| !name.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b' ');
    let part = own_prefix(pattern);
    known_provider(provider).is_some_and(|known| known_provider(pattern) == Some(known))
        && of_calls(provider)
        && !is_company(provider)
        && !is_company(pattern)
        && (part.is_empty() || part == own_prefix(provider))
}

/// Whether a name is this one, which is in small letters and has `_` for blanks: people and SDKs write `Mistral AI`.
fn is_spelled(known: &str, name: &str) -> bool {
    let same = |(one, other): (u8, u8)| one == other.to_ascii_lowercase() || (one == b'_' && other == b' ');
    known.len() == name.len() && known.bytes().zip(name.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_provider_in_any_letters_and_no_other_ones() {
        let mut seen = std::collections::BTreeSet::new();
        for (own, others) in SPELLINGS {
            for name in others.iter().chain([&own]).copied() {
                assert!(seen.insert(name) && name == name.to_lowercase(), "{name}");
                for name in [
                    name.to_owned(),
                    name.to_uppercase(),
                    name.replace('_', " "),
                    format!(" {name} "),
                ] {
                    assert_eq!(provider_key(&name), own, "{name}");
                }
            }
        }
        assert!(COMPANIES.iter().all(|company| seen.contains(company)));
        assert_eq!(provider_key("vertex_ai-llama_models"), "vertex");
        assert_eq!(provider_key(" My Gateway"), "my gateway");
        assert_eq!(known_provider("bigmodel"), None);
    }
}
