//! The names that a model has with a seller under whose provider several sell.

use super::name::{Candidate, candidates, provider_key, without_route};

/// The spelling of a provider that sells some models at another price than its namesakes, which stand in its entry's name:
/// `azure_ai/mistral-large-latest` is no `azure/mistral-large-latest`, `bedrock_mantle/x` no `bedrock/x`.
fn own_prefix(provider: &str) -> &'static str {
    match provider.trim().to_lowercase().as_str() {
        "azure_ai" | "az.ai.inference" | "azure.ai.inference" => "azure_ai/",
        "bedrock_mantle" | "bedrock-mantle" => "bedrock_mantle/",
        _ => "",
    }
}

/// A name without its provider before it, and an ARN without the way that was asked.
pub(super) fn bare<'n>(provider: &str, name: &'n str) -> &'n str {
    let rest = name
        .split_once('/')
        .filter(|(front, _)| provider_key(front) == provider);
    without_route(rest.map_or(name, |(_, rest)| rest))
}

/// The names under which a model may stand, where `seller` is the provider in the spelling of the call: names that it alone has come first.
pub(super) fn names(seller: &str, model: &str) -> Vec<Candidate> {
    let provider = provider_key(seller);
    let mut tries = candidates(&provider, model);
    let prefix = own_prefix(seller);
    if !prefix.is_empty() {
        let own = candidates(&provider, &format!("{prefix}{model}"));
        tries.splice(0..0, own.into_iter().filter(|c| c.name.starts_with(prefix)));
    }
    tries
}
