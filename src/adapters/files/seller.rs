//! Who sells a call, told by the names that records have for providers, models and responses.

mod claude;
mod gateway;
mod spelling;

pub(super) use claude::behind_claude_code;
pub(super) use gateway::{around, behind_gateway, is_host};
pub(super) use spelling::{Sellers, is_known, known, named, told};

/// Seller and model of a name as frameworks are given it: `openai:gpt-4o`.
pub(super) fn before(name: &str) -> Option<(&'static str, &str)> {
    let (front, model) = name.split_once(':')?;
    // On Bedrock a version stands behind the colon, at OpenRouter a variant, and at Ollama a tag, also of what is called as its maker.
    if model.is_empty() || front.contains(['.', '/']) || (TAGGED.contains(&front) && by_model(model) != front) {
        return None;
    }
    Some((known(front), model)).filter(|(seller, _)| !seller.is_empty())
}

/// Models at Ollama that are called as their makers.
const TAGGED: [&str; 2] = ["mistral", "qwen"];

/// The cloud that Anthropic's ids of messages name; empty for one of its own interface, and for other ids.
pub(super) fn by_response(id: &str) -> &'static str {
    match id.strip_prefix("msg_").and_then(|rest| rest.get(..5)) {
        Some("bdrk_") => "bedrock",
        Some("vrtx_") => "vertex",
        Some(_) | None => "",
    }
}

/// The provider that names its models so; empty where the name does not tell.
pub(super) fn by_model(model: &str) -> &'static str {
    if of_bedrock(model) {
        return "bedrock";
    }
    // Vertex AI's versions of Claude, and its names of resources.
    let resource = ["publishers/", "projects/"]
        .iter()
        .any(|front| model.starts_with(front));
    if (model.starts_with("claude-") && model.contains('@')) || (resource && model.contains("publishers/")) {
        return "vertex";
    }
    FRONTS
        .iter()
        .find(|(front, _)| model.starts_with(front))
        .map_or("", |(_, provider)| provider)
}

/// The seller that the name of a model makes likely, `by_model`, unless the settings name one who may be: a maker's models are sold by others,
/// too, and a maker sells none of another's.
pub(super) fn likely(by_model: &'static str, model: &str, default: &'static str) -> &'static str {
    let guessed = MAKERS.contains(&by_model) && !model.contains('/');
    match guessed && !default.is_empty() && !MAKERS.contains(&known(default)) {
        true => default,
        false => by_model,
    }
}

/// Sellers of what they make.
const MAKERS: [&str; 13] = [
    "anthropic",
    "cohere",
    "dashscope",
    "deepseek",
    "google",
    "minimax",
    "mistral",
    "moonshot",
    "openai",
    "perplexity",
    "voyage",
    "xai",
    "zai",
];

/// How names of models begin, the longer of two before the shorter.
const FRONTS: [(&str, &str); 45] = [
    ("claude", "anthropic"),
    ("gpt-oss", ""),
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("codex-", "openai"),
    ("computer-use-", "openai"),
    ("text-embedding-0", "google"),
    ("text-embedding-", "openai"),
    ("ft:gpt-", "openai"),
    ("gemini-", "google"),
    ("models/gemini-", "google"),
    ("grok-", "xai"),
    // An organisation at Hugging Face: whoever serves these weights answers so, and DeepSeek itself does not.
    ("deepseek-ai/", ""),
    ("deepseek-", "deepseek"),
    ("mistral-", "mistral"),
    ("open-mistral-", "mistral"),
    ("open-mixtral-", "mistral"),
    ("codestral-", "mistral"),
    ("magistral-", "mistral"),
    ("ministral-", "mistral"),
    ("pixtral-", "mistral"),
    ("devstral-", "mistral"),
    ("voxtral-", "mistral"),
    ("command-", "cohere"),
    ("embed-", "cohere"),
    ("sonar", "perplexity"),
    ("voyage-", "voyage"),
    ("rerank-2", "voyage"),
    ("whisper-1", "openai"),
    ("whisper-large", "groq"),
    // LiteLLM's names, as far as no other gateway has the same before its own: `openai/…` may be OpenRouter's.
    ("bedrock/", "bedrock"),
    ("azure/", "azure"),
    ("vertex_ai/", "vertex"),
    ("gemini/", "google"),
    ("groq/", "groq"),
    ("xai/", "xai"),
    ("mistral/", "mistral"),
    ("openrouter/", "openrouter"),
    ("together_ai/", "together"),
    ("fireworks_ai/", "fireworks"),
    ("cohere_chat/", "cohere"),
    ("text-completion-openai/", "openai"),
];

/// The same where a program asks one maker's interface of whoever offers it, under names that others than the maker may have, too, and where
/// nothing else tells who was asked.
fn by_maker(model: &str) -> &'static str {
    match by_model(model) {
        // Ollama's have a tag.
        "" if !model.contains(['/', ':']) => {
            let maker = OPEN.iter().find(|(front, _)| model.starts_with(front));
            // What else is called so has open weights.
            let closed = ["plus", "max", "turbo", "flash", "long"];
            match maker {
                Some((_, maker)) => maker,
                None if model.starts_with("qwen") && model.split('-').any(|part| closed.contains(&part)) => "dashscope",
                None => "",
            }
        }
        seller => seller,
    }
}

/// How makers of models with open weights call them.
const OPEN: [(&str, &str); 4] = [
    ("glm-", "zai"),
    ("kimi-", "moonshot"),
    ("moonshot-", "moonshot"),
    ("MiniMax-", "minimax"),
];

/// Whether a name is one of Amazon Bedrock's: an ARN, or a vendor before the model, perhaps behind a geography.
fn of_bedrock(model: &str) -> bool {
    if model.contains("anthropic.") || model.starts_with("arn:aws") {
        return true;
    }
    let places = ["us", "eu", "apac", "jp", "au", "ca", "sa", "us-gov", "global"];
    let name = match model.split_once('.') {
        Some((place, rest)) if places.contains(&place) => rest,
        Some(_) | None => model,
    };
    name.split_once('.')
        .is_some_and(|(vendor, rest)| VENDORS.contains(&vendor) && !rest.is_empty())
}

const VENDORS: [&str; 19] = [
    "ai21",
    "amazon",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "xai",
    "zai",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_who_sells() {
        for (model, seller) in [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
            ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock"),
            ("amazon.nova-pro-v1:0", "bedrock"),
            ("us.meta.llama3-3-70b-instruct-v1:0", "bedrock"),
            ("openai.gpt-oss-120b-1:0", "bedrock"),
            ("claude-sonnet-4-5@20250929", "vertex"),
            ("claude-sonnet-4-5-20250929", "anthropic"),
            ("publishers/google/models/gemini-2.5-flash", "vertex"),
            (
                "projects/p/locations/us-east5/publishers/anthropic/models/claude-x",
                "vertex",
            ),
            ("projects/x", ""),
            ("text-embedding-005", "google"),
            ("text-embedding-3-small", "openai"),
            ("open-mistral-nemo", "mistral"),
            ("models/gemini-2.5-flash", "google"),
            ("vertex_ai/gemini-2.5-pro", "vertex"),
            ("openai/gpt-4o", ""),
            ("gpt-oss-120b", ""),
            ("deepseek-ai/DeepSeek-R1", ""),
            ("deepseek-ai/deepseek-v3", ""),
            ("deepseek-chat", "deepseek"),
            ("my.deployment", ""),
            ("gpt-4.1", "openai"),
        ] {
            assert_eq!(by_model(model), seller, "{model}");
        }
        for (name, parts) in [
            ("openai:gpt-4o", Some(("openai", "gpt-4o"))),
            ("google-gla:gemini-2.5-flash", Some(("google", "gemini-2.5-flash"))),
            (
                "bedrock:us.amazon.nova-lite-v1:0",
                Some(("bedrock", "us.amazon.nova-lite-v1:0")),
            ),
            (
                "mistral:mistral-large-latest",
                Some(("mistral", "mistral-large-latest")),
            ),
            ("mistral:7b", None),
            ("qwen:latest", None),
            ("deepseek-r1:7b", None),
            ("ft:gpt-4o-2024-08-06:acme::x", None),
            ("anthropic.claude-3-haiku-20240307-v1:0", None),
            ("openai/gpt-4o:online", None),
            ("openai:", None),
        ] {
            assert_eq!(before(name), parts, "{name}");
        }
        for (id, seller) in [
            ("msg_bdrk_01", "bedrock"),
            ("msg_vrtx_01", "vertex"),
            ("msg_01", ""),
            ("msg_é", ""),
        ] {
            assert_eq!(by_response(id), seller, "{id}");
        }
    }
}
