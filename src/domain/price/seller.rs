//! The names that a model has with a seller: alone, behind its provider, and under whose provider several sell.

use super::name::{Candidate, behind_route, candidates, without_route};
use super::provider::provider_key;
use crate::domain::glob::glob_matches_any_case;

/// The spelling of a provider that sells some models at another price than its namesakes, which stand in its entry's name:
/// `azure_ai/mistral-large-latest` is no `azure/mistral-large-latest`, `bedrock_mantle/x` no `bedrock/x`.
pub(super) fn own_prefix(provider: &str) -> &'static str {
    let provider = provider.trim();
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(provider));
    if is(&["azure_ai", "az.ai.inference", "azure.ai.inference"]) {
        "azure_ai/"
    } else if is(&["bedrock_mantle", "bedrock-mantle"]) {
        "bedrock_mantle/"
    } else {
        ""
    }
}

/// The one spelling of such a provider; empty for all others.
#[must_use]
pub fn sold_apart(provider: &str) -> &'static str {
    own_prefix(provider).trim_end_matches('/')
}

/// Whether a name has such a seller before it.
pub(super) fn is_apart(name: &str) -> bool {
    let front = name.split_once('/').map_or("", |(front, _)| front);
    !own_prefix(front).is_empty()
}

/// Whether a name is one of weights that anybody may serve: the organisation before it that published them at Hugging Face, where names have
/// capitals. Providers and gateways have some of these words before names in small letters.
pub(super) fn is_of_weights(name: &str) -> bool {
    let front = name.split_once('/').map_or("", |(front, _)| front).to_lowercase();
    let capitals = || name.bytes().any(|byte| byte.is_ascii_uppercase());
    match front.as_str() {
        "deepseek-ai" | "minimaxai" => true,
        "mistralai" | "moonshotai" | "qwen" => capitals(),
        _ => false,
    }
}

/// A name without its provider before it, and on Bedrock without the way that was asked.
pub(super) fn bare<'n>(provider: &str, name: &'n str) -> &'n str {
    let rest = name
        .split_once('/')
        .filter(|(front, _)| provider_key(front) == provider);
    let rest = rest.map_or(name, |(_, rest)| rest);
    match provider {
        "bedrock" => behind_route(rest),
        _ => without_route(rest),
    }
}

/// Whether a pattern has the provider before the model that it means, as gateways write one, where a record names both apart.
pub(in crate::domain) fn is_behind_provider(
    pattern: &str,
    provider: &str,
    model: &str,
    like: fn(&str, &str) -> bool,
) -> bool {
    let Some((front, rest)) = pattern.split_once('/') else {
        return false;
    };
    let named = || glob_matches_any_case(front, provider);
    let same = || !is_apart(pattern) && provider_key(front) == provider_key(provider);
    !provider.is_empty()
        && (like(rest, model) || like(behind_route(rest), model))
        && !is_apart(model)
        && (named() || same())
}

/// The names under which a model may stand, where `seller` is the provider in the spelling of the call: names that it alone has come first.
pub(super) fn names(seller: &str, model: &str) -> Vec<Candidate> {
    let provider = provider_key(seller);
    let mut tries = candidates(&provider, model);
    let prefix = own_prefix(seller);
    if !prefix.is_empty() {
        tries.iter_mut().for_each(|c| c.apart = true);
        let mut own = candidates(&provider, &format!("{prefix}{model}"));
        own.retain(|c| c.name.starts_with(prefix));
        // By whatever way the model is known, as behind its maker, the seller's own entry comes first.
        own.extend(
            tries
                .iter()
                .filter(|c| c.geography.is_empty() && !is_apart(&c.name))
                .map(|c| Candidate {
                    name: format!("{prefix}{}", c.name),
                    ..c.clone()
                }),
        );
        tries.splice(0..0, own);
    }
    tries
}
