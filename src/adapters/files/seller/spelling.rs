//! How records spell who sells: one place for all formats, before anything is compared with a name. What nobody knows stays as it is written.

use crate::domain::label::Label;
use crate::domain::price::{is_company, known_provider, sold_apart};

use super::FRONTS;

/// Who sells, told by a name of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Seller {
    /// The provider of the call, [`named`].
    pub label: Label,
    /// The seller by whose ways it is counted, [`told`].
    pub name: &'static str,
    /// Whether prices are found by how it is written (`azure.ai.inference`), or budgets by the company (`aws`).
    pub apart: bool,
}

impl Seller {
    fn of(told_as: Label) -> Self {
        let text = told_as.as_str();
        Seller {
            label: Label::new(named(text)),
            name: told(text),
            apart: !sold_apart(text).is_empty() || is_company(text),
        }
    }
}

/// Sellers by the names that were met. Names are looked at once.
#[derive(Default)]
pub(in super::super) struct Sellers(Vec<(Label, Seller)>);

/// Names that are remembered.
const NAMES: usize = 32;

impl Sellers {
    /// The one that a name tells.
    #[inline]
    pub fn of(&mut self, name: Label) -> Seller {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, seller)) => *seller,
            None => self.meet(name),
        }
    }

    #[cold]
    fn meet(&mut self, name: Label) -> Seller {
        let seller = Seller::of(name);
        if self.0.len() < NAMES {
            self.0.push((name, seller));
        }
        seller
    }
}

/// The provider as price books and the ledger name it, from a record's name for it. The Vercel AI SDK writes its interface behind: `openai.chat`.
/// What has prices of its own under another's name (`azure_ai`, which is `azure.ai.inference` in OpenTelemetry's conventions) keeps its own, by which
/// prices and maps are found.
pub(in super::super) fn named(name: &str) -> &str {
    let apart = sold_apart(name);
    match known_provider(name) {
        Some(_) if !apart.is_empty() => apart,
        Some(known) => known,
        None => by_interface(name),
    }
}

fn by_interface(name: &str) -> &str {
    match name.split_once('.') {
        Some((front, interface)) if front.eq_ignore_ascii_case("google") && interface.starts_with("vertex") => "vertex",
        Some((front, _)) if has_interfaces(front) => named(front),
        Some(_) | None => name,
    }
}

fn has_interfaces(name: &str) -> bool {
    WITH_INTERFACES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a provider goes by this name, also one that runs models on a machine of one's own; not a name that somebody gave to a gateway.
pub(in super::super) fn is_known(name: &str) -> bool {
    let front = name.split_once('.').map_or(name, |(front, _)| front);
    WITH_INTERFACES.contains(&front)
        || GIVEN_TO_NONE.contains(&name)
        || FRONTS.iter().any(|(_, provider)| *provider == name)
}

/// The seller that goes by a name, however it is spelled; empty where nobody is known to.
pub(in super::super) fn known(name: &str) -> &'static str {
    let own = named(name);
    let key = known_provider(own).unwrap_or(own);
    SELLERS.into_iter().find(|seller| *seller == key).unwrap_or("")
}

/// The seller that a record names, in the spelling of price books where it is one of theirs: what another sells has no price of theirs.
pub(in super::super) fn told(name: &str) -> &str {
    match known(name) {
        "" => named(name),
        known => known,
    }
}

/// Those that the price book has, and programs that run models on a machine of one's own.
const SELLERS: [&str; 26] = [
    "anthropic",
    "azure",
    "bedrock",
    "cerebras",
    "cohere",
    "dashscope",
    "deepseek",
    "fireworks",
    "google",
    "groq",
    "llama.cpp",
    "lmstudio",
    "minimax",
    "mistral",
    "moonshot",
    "ollama",
    "openai",
    "openrouter",
    "perplexity",
    "together",
    "vertex",
    "vllm",
    "voyage",
    "watsonx",
    "xai",
    "zai",
];

/// Providers behind whose names the name of an interface may stand.
const WITH_INTERFACES: [&str; 17] = [
    "openai",
    "anthropic",
    "azure",
    "azure-openai",
    "google",
    "vertex",
    "bedrock",
    "amazon-bedrock",
    "xai",
    "groq",
    "mistral",
    "cohere",
    "deepseek",
    "perplexity",
    "openrouter",
    "togetherai",
    "fireworks",
];

/// Further spellings that no settings give to a gateway of one's own. Of one that stands behind any other, the name of the model tells who is paid.
const GIVEN_TO_NONE: [&str; 34] = [
    "AWS",
    "Anthropic",
    "Azure",
    "AzureOpenAI",
    "Google",
    "MistralAI",
    "OpenAI",
    "VertexAI",
    "amazon_bedrock",
    "aws",
    "aws.bedrock",
    "az.ai.inference",
    "az.ai.openai",
    "azureopenai",
    "cerebras",
    "fireworks_ai",
    "gcp.gemini",
    "gcp.gen_ai",
    "gcp.vertex_ai",
    "gemini",
    "google-vertex",
    "google-vertex-ai",
    "google_genai",
    "google_vertexai",
    "ibm.watsonx.ai",
    "lmstudio",
    "mistral_ai",
    "mistralai",
    "ollama",
    "together_ai",
    "vertex_ai",
    "vertexai",
    "vllm",
    "x_ai",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_who_sells() {
        for (name, seller) in [
            ("openai.chat", "openai"),
            ("openai.responses", "openai"),
            ("anthropic.messages", "anthropic"),
            ("google.generative-ai", "google"),
            ("google.vertex.chat", "vertex"),
            ("vertex.anthropic.messages", "vertex"),
            ("azure-openai.chat", "azure"),
            ("azure.responses", "azure"),
            ("amazon-bedrock", "bedrock"),
            ("xai.chat", "xai"),
            ("google_vertexai", "vertex"),
            ("aws.bedrock", "bedrock"),
            ("ibm.watsonx.ai", "watsonx"),
            ("OpenAI.Chat", "openai"),
            ("togetherai.chat", "together"),
            ("DeepSeek", "deepseek"),
            ("azure_ai", "azure_ai"),
            ("bedrock-mantle", "bedrock_mantle"),
            ("azure.ai.inference", "azure_ai"),
            ("az.ai.inference", "azure_ai"),
            ("azure.ai.openai", "azure"),
            ("my.gateway", "my.gateway"),
            ("My-Gateway", "My-Gateway"),
            ("", ""),
        ] {
            assert_eq!(named(name), seller, "{name}");
        }
        for (name, seller) in [
            ("Azure OpenAI", "azure"),
            ("AzureOpenAI", "azure"),
            ("Google AI Studio", "google"),
            ("anthropic.messages", "anthropic"),
            ("together_ai", "together"),
            ("ollama", "ollama"),
            ("acme-gateway", ""),
            ("", ""),
        ] {
            assert_eq!(known(name), seller, "{name}");
        }
        for (name, seller) in [
            ("azure_ai", "azure"),
            ("github_copilot", "github-copilot"),
            ("Acme", "Acme"),
        ] {
            assert_eq!(told(name), seller, "{name}");
        }
    }
}
