//! Foreign text on a screen: names come from logs that anyone can write.

/// The text with `mark` in place of what a screen obeys instead of showing it: control characters, line separators, marks that turn the
/// reading direction, and what has no width, so that a name forges no line and none that looks like another one.
#[must_use]
pub fn shown(text: &str, mark: char) -> String {
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        let turning = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        // What joins or parts letters is one of Persian, and of pictures; it has no business beside those of ASCII.
        let joins = matches!(c, '\u{200c}' | '\u{200d}')
            && !before.is_ascii()
            && chars.peek().is_some_and(|next| !next.is_ascii());
        out.push(if c.is_control() || (turning && !joins) { mark } else { c });
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_forge_no_line_and_turn_no_text() {
        for (text, expected) in [
            ("a\u{1b}[31mb\r\n\u{202e}c\u{9b}d", "a?[31mb???c?d"),
            ("\u{2028}\u{2029}\u{85}", "???"),
            ("\u{2066}a\u{2069}\u{200e}\u{feff}", "?a???"),
            ("a\u{200d}b é\u{200b}é\u{61c}", "a?b é?é?"),
        ] {
            assert_eq!(shown(text, '?'), expected, "{text:?}");
        }
        assert_eq!(shown("a\nb", '\u{fffd}'), "a\u{fffd}b");
    }

    #[test]
    fn names_of_all_languages_stay_as_they_are() {
        for name in ["Zürich 東京", "👩\u{200d}💻", "می\u{200c}خواهم", "שלום"] {
            assert_eq!(shown(name, '?'), name);
        }
    }
}
