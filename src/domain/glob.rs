//! Patterns with `*` (any text) and `?` (one character), as policies and paths use them.

use std::str::Chars;

/// Whether the whole text matches the pattern. Runs in time proportional to the product of the lengths at worst.
///
/// ```
/// use finops::domain::glob::glob_matches;
/// assert!(glob_matches("claude-*-4-?", "claude-sonnet-4-6"));
/// assert!(!glob_matches("claude", "claude-sonnet"));
/// ```
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |a, b| a == b)
}

/// The same without regard to case.
#[must_use]
pub fn glob_matches_any_case(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |a, b| a == b || a.to_lowercase().eq(b.to_lowercase()))
}

fn matches(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and from where on it was tried.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let (mut after, mut rest) = (pattern.clone(), text.clone());
        match (after.next(), rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((after.clone(), text.clone()));
                pattern = after;
            }
            (Some(_), None) => return false,
            (Some(c), Some(d)) if c == '?' || same(c, d) => (pattern, text) = (after, rest),
            (Some(_) | None, Some(_)) => match &mut star {
                // The last star takes one character more.
                Some((after, from)) => {
                    from.next();
                    (pattern, text) = (after.clone(), from.clone());
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("**", "x", true),
            ("", "x", false),
            ("?", "", false),
            ("?", "é", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("*ab", "aab", true),
            ("a*", "b", false),
            ("ab", "a", false),
            (r"C:\Users\[ada]{x}", r"C:\Users\[ada]{x}", true),
            ("AWS", "aws", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(glob_matches_any_case("Ä*WS", "ä-Aws") && !glob_matches_any_case("AWS", "aw"));
    }
}
