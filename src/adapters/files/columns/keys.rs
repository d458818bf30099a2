//! Names that are not there, and what was meant by them.

use serde_json::Value;

use crate::domain::similar::nearest;

/// Keys of a record that are looked at, and how far down.
const MOST: usize = 256;
const DEEP: usize = 5;
/// Names of fewer letters may differ in one of them and mean another thing.
const SHORT: usize = 4;

/// What is told behind a name that is not there: the nearest of those that are.
pub fn but(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(near) => format!(", the nearest is `{near}`"),
        None => String::new(),
    }
}

/// Whether one name is surely a slip of the other: at most one letter more, less or another, or two swapped, whatever their case and the
/// signs between words. What only resembles the other (`cache_read`, `cache_write`; `in`, `id`) may be a second thing.
pub fn is_slip(named: &str, there: &str) -> bool {
    let letters = |name: &str| -> Vec<char> {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let (one, other) = (letters(named), letters(there));
    let letters_of_last = |name: &str| name.rsplit('.').next().unwrap_or(name).chars().count();
    if one != other && letters_of_last(named).max(letters_of_last(there)) < SHORT {
        return false;
    }
    let (mut one, mut other) = (one.as_slice(), other.as_slice());
    while let (Some((a, rest)), Some((b, others))) = (one.split_first(), other.split_first())
        && a == b
    {
        (one, other) = (rest, others);
    }
    while let (Some((a, rest)), Some((b, others))) = (one.split_last(), other.split_last())
        && a == b
    {
        (one, other) = (rest, others);
    }
    match (one, other) {
        ([a, b], [c, d]) => a == d && b == c,
        ([], []) => true,
        // A figure makes another thing: `p50`, `p90`.
        ([a], [b]) => !a.is_numeric() && !b.is_numeric(),
        ([a], []) | ([], [a]) => !a.is_numeric(),
        _ => false,
    }
}

/// The keys of a record, those within others with dots between.
pub fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(record) = serde_json::from_str(text) {
        add(&record, "", DEEP, &mut found);
    }
    found
}

fn add(value: &Value, front: &str, deep: usize, found: &mut Vec<String>) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        if found.len() >= MOST {
            return;
        }
        let path = format!("{front}{key}");
        match value {
            Value::Object(_) if deep > 0 => add(value, &format!("{path}."), deep - 1, found),
            Value::Object(_) | Value::Array(_) => {}
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_slip;

    #[test]
    fn a_slip_is_told_from_another_thing() {
        for (one, other, expected) in [
            ("promt_tokens", "prompt_tokens", true),
            ("promptTokens", "prompt_tokens", true),
            ("usage.prompt_token", "usage.prompt_tokens", true),
            ("prmopt_tokens", "prompt_tokens", true),
            ("prompt-tokens", "prompt_tokens", true),
            ("cache_read_tokens", "cache_write_tokens", false),
            ("tokens_in", "tokens_out", false),
            ("input_tokens", "cached_input_tokens", false),
            ("p50", "p90", false),
            ("usage.in", "usage.id", false),
            ("rate50", "rate90", false),
            ("", "ab", false),
        ] {
            assert_eq!(is_slip(one, other), expected, "{one} {other}");
            assert_eq!(is_slip(other, one), expected, "{other} {one}");
        }
    }
}
