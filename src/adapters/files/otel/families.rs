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

/// How many places and makers a name has in front of the model, as those of Bedrock's profiles have.
pub(super) fn in_front(model: &str) -> usize {
    let name = model.rsplit('/').next().unwrap_or(model);
    let (front, _) = name.rsplit_once('.').unwrap_or_default();
    let is_one = |part: &&str| !part.is_empty() && !part.bytes().any(|b| b.is_ascii_digit());
    front.split('.').take_while(is_one).count()
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
        for (name, expected) in [
            ("global.anthropic.claude-sonnet-4.5", 2),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0",
                2,
            ),
            ("amazon.nova-pro-v1:0", 1),
            ("openai/gpt-4.1", 0),
            ("command-r", 0),
            ("", 0),
        ] {
            assert_eq!(in_front(name), expected, "{name}");
        }
    }
}
