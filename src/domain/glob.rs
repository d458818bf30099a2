//! Patterns with `*` (any text) and `?` (one character), as policies and paths use them.

/// Whether the whole text matches the pattern. Runs in time proportional to the product of the lengths at worst.
///
/// ```
/// use finops::domain::glob::glob_matches;
/// assert!(glob_matches("claude-*-4-?", "claude-sonnet-4-6"));
/// assert!(!glob_matches("claude", "claude-sonnet"));
/// ```
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}
