//! Under which name the two sides of a comparison meet: a log names a snapshot or an inference profile, a bill the edition.

use super::name::{cut_date, without_version};
use super::place::names_a_place;

/// Makers that Bedrock puts before the names of their models.
const MAKERS: [&str; 16] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "meta",
    "minimax",
    "mistral",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "xai",
    "zai",
];

/// The family of a model: its name without place, maker, version suffix and date of the snapshot. For comparing what two
/// sides say of one model, never for a price: members of a family may cost different amounts.
#[must_use]
pub fn model_family(model: &str) -> String {
    let mut name = model.trim().to_lowercase();
    // A model of one's own has no family to be compared with.
    if name.starts_with("ft:") {
        return name;
    }
    name = name.rsplit('/').next().unwrap_or_default().to_owned();
    if names_a_place(&name)
        && let Some((_, rest)) = name.split_once('.')
    {
        name = rest.to_owned();
    }
    if let Some((maker, rest)) = name.split_once('.')
        && MAKERS.contains(&maker)
    {
        name = rest.to_owned();
    }
    // `whisper-large-v3` ends in its name.
    if name.contains(':') {
        name = without_version(&name);
    }
    if let Some((base, version)) = name.split_once('@') {
        let alias = matches!(version, "default" | "latest");
        name = if alias {
            base.to_owned()
        } else {
            format!("{base}-{version}")
        };
    }
    if let Some((family, _)) = cut_date(&name) {
        name = family;
    }
    if let Some(family) = name.strip_suffix("-latest") {
        name = family.to_owned();
    }
    if name.starts_with("claude-") {
        name = name.replace('.', "-");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_model_meet_and_those_of_others_do_not() {
        for (name, family) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("gpt-4o-mini", "gpt-4o-mini"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
            ("Claude-Sonnet-4.5", "claude-sonnet-4-5"),
            ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
            ("claude-sonnet-4-6", "claude-sonnet-4-6"),
            ("eu.amazon.nova-lite-v1:0", "nova-lite"),
            ("gemini-2.5-flash", "gemini-2.5-flash"),
            ("accounts/fireworks/models/kimi-k3", "kimi-k3"),
            ("whisper-large-v3", "whisper-large-v3"),
            ("ft:gpt-4o-2024-08-06:org::id", "ft:gpt-4o-2024-08-06:org::id"),
        ] {
            assert_eq!(model_family(name), family, "{name}");
        }
    }
}
