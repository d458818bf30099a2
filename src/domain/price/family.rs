//! Under which name the two sides of a comparison meet: a log names a snapshot or an inference profile, a bill the edition.

use chrono::NaiveDate;

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
    family_and_date(model).0
}

/// The date of the snapshot that a name tells; none where it may be of any.
#[must_use]
pub fn model_snapshot(model: &str) -> Option<NaiveDate> {
    family_and_date(model).1
}

fn family_and_date(model: &str) -> (String, Option<NaiveDate>) {
    let mut name = model.trim().to_lowercase();
    // A model of one's own has no family to be compared with.
    if name.starts_with("ft:") {
        return (name, None);
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
    let mut date = None;
    if let Some((family, day)) = cut_date(&name) {
        (name, date) = (family, Some(day));
    }
    if let Some(family) = name.strip_suffix("-latest") {
        name = family.to_owned();
    }
    if name.starts_with("claude-") {
        name = name.replace('.', "-");
    }
    (name, date)
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

    #[test]
    fn a_snapshot_is_known_by_its_date_however_it_is_written() {
        let day = NaiveDate::from_ymd_opt(2025, 9, 29);
        for (name, date) in [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", day),
            ("claude-sonnet-4-5@20250929", day),
            ("claude-sonnet-4-5", None),
            ("gpt-4o-latest", None),
        ] {
            assert_eq!(model_snapshot(name), date, "{name}");
        }
    }
}
