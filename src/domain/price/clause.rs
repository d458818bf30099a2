//! Match clauses of price books that describe names instead of listing them.

/// A condition on a lower-case name. A clause that leaves a rest of the name open accepts only dates and versions there:
/// `starts_with: "opus-5"` must not price `opus-5-5`, a successor that it never heard of.
#[derive(Clone, Debug)]
pub enum Clause {
    /// The name is this.
    Equals(String),
    /// The name begins with this.
    StartsWith(String),
    /// The name ends with this.
    EndsWith(String),
    /// The name has this in it.
    Contains(String),
    /// The name matches this expression.
    Regex(regex_lite::Regex),
    /// One of them holds.
    Or(Vec<Clause>),
    /// All of them hold.
    And(Vec<Clause>),
}

impl Clause {
    /// Whether the name, in lower case, is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Clause::Equals(text) => name == text,
            Clause::StartsWith(text) => name
                .strip_prefix(text.as_str())
                .is_some_and(|rest| open_end(text, rest)),
            Clause::EndsWith(text) => name.ends_with(text.as_str()),
            Clause::Contains(text) => name
                .match_indices(text.as_str())
                .any(|(at, _)| name.get(at + text.len()..).is_some_and(|rest| open_end(text, rest))),
            Clause::Regex(expression) => expression.is_match(name),
            Clause::Or(any) => any.iter().any(|c| c.matches(name)),
            Clause::And(all) => all.iter().all(|c| c.matches(name)),
        }
    }
}

fn open_end(pattern: &str, rest: &str) -> bool {
    if rest.is_empty() {
        return true;
    }
    let open = |c: char| !c.is_ascii_alphanumeric();
    if !rest.starts_with(open) && !pattern.ends_with(open) {
        // The clause stops within a word: only a date or revision that it began may go on
        // (`…-2025` + `0514`, `…-0` + `01`).
        let before = pattern.bytes().rev().take_while(u8::is_ascii_digit).count();
        let after = rest.bytes().take_while(u8::is_ascii_digit).count();
        let revision = pattern.ends_with("-0") && after == 2;
        if before == 0 || after == 0 || (before + after < 6 && !revision) {
            return false;
        }
        return rest.get(after..).is_some_and(|rest| open_end("-", rest));
    }
    let mut seen = false;
    rest.split(['-', '@', ':']).filter(|t| !t.is_empty()).all(|token| {
        let digits = token.bytes().all(|b| b.is_ascii_digit());
        let version = token
            .strip_prefix('v')
            .is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
        let word = matches!(token, "latest" | "preview" | "exp" | "beta" | "default");
        let fine = word || version || (digits && (seen || token.len() >= 3));
        seen |= fine;
        fine
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_end_takes_dates_and_versions_and_no_siblings() {
        let starts = |p: &str, n: &str| Clause::StartsWith(p.into()).matches(n);
        assert!(starts("opus-5", "opus-5-20260101"));
        assert!(starts("opus-5", "opus-5"));
        assert!(starts("sonnet-4-2025", "sonnet-4-20250514"));
        assert!(starts("flash", "flash-preview-05-20"));
        assert!(starts("flash-0", "flash-001"));
        assert!(!starts("opus-5", "opus-5-5"));
        assert!(!starts("opus-5", "opus-5.5"));
        assert!(!starts("opus-5", "opus-50"));
        assert!(!starts("flash", "flash-lite"));
        assert!(Clause::Contains("nova-lite".into()).matches("us.amazon.nova-lite-v1:0"));
    }
}
