//! The family of a model: its name without what differs from place to place.

/// The model without its maker, place, version and date; 0 for none.
pub(super) fn family(model: &str) -> u32 {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let mut name = name.split(['@', ':']).next().unwrap_or(name);
    while let Some((front, rest)) = name.split_once('.')
        && !front.bytes().any(|b| b.is_ascii_digit())
    {
        name = rest;
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut hash: u32 = 0;
    for part in name.split(['-', '.', '_']) {
        if part.len() >= 4 && digits(part) {
            break;
        }
        if part.is_empty() || part == "latest" || part.strip_prefix('v').is_some_and(digits) {
            continue;
        }
        for byte in part.bytes().chain([b'-']) {
            hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(16_777_619);
        }
    }
    hash
}

/// Whether a name has a place or a maker in front of the model, as those of Bedrock's profiles have.
pub(super) fn is_placed(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.split_once('.')
        .is_some_and(|(front, _)| !front.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_same_under_names_with_places_makers_and_dates() {
        let sonnet = family("claude-sonnet-4-5");
        for name in [
            "claude-sonnet-4-5-20250929",
            "anthropic/claude-sonnet-4.5",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "Claude-Sonnet-4-5-latest",
        ] {
            assert_eq!(family(name), sonnet, "{name}");
        }
        assert_eq!(family("gpt-4.1-2025-04-14"), family("openai/gpt-4.1"));
        assert_ne!(family("gpt-5"), family("gpt-5-mini"));
        assert_ne!(family("claude-opus-4-5"), sonnet);
        assert_eq!(family(""), family("/"));
        let placed = ["eu.amazon.nova-pro-v1:0", "arn:x/global.anthropic.claude-opus-4-5"];
        assert!(placed.into_iter().all(is_placed));
        assert!(
            !["claude-sonnet-4.5", "openai/gpt-4.1", "gpt-4o", ""]
                .into_iter()
                .any(is_placed)
        );
    }
}
