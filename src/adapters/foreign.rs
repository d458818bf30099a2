//! Foreign names in messages for people: they stay on their line and are read in the direction that they are written in.

/// Whether a character could forge a line or turn the direction of writing: control characters, line separators, and the marks,
/// embeddings and isolates of bidirectional text.
pub fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text for a chat that formats: the three control characters by entity, so that neither a mention nor a link can be smuggled
/// in; of the `marks` that format, each that stands where it could do so gets a zero-width space behind it. Commands between
/// backticks, and marks within a word (`my_app`), are left as they are: someone will copy them.
pub fn inert(text: &str, marks: &[char]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '`'
            && let Some((code, behind)) = after.split_once('`')
            && !code.trim().is_empty()
            && !code.contains('\n')
        {
            out.push('`');
            for c in code.chars() {
                put(&mut out, c);
                if c == '@' && marks.contains(&c) {
                    out.push('\u{200b}');
                }
            }
            out.push('`');
            (rest, before) = (behind, '`');
            continue;
        }
        put(&mut out, c);
        let within = before.is_alphanumeric() && after.chars().next().is_some_and(char::is_alphanumeric);
        if marks.contains(&c) && (!within || c == '@') {
            out.push('\u{200b}');
        }
        (rest, before) = (after, c);
    }
    out
}

fn put(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c if is_unruly(c) => out.push(' '),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_whole_and_what_formats_does_not() {
        let marks = ['*', '_', '~', '`', '@'];
        for (text, shown) in [
            ("run `finops price missing` now", "run `finops price missing` now"),
            ("my_app and 2*3", "my_app and 2*3"),
            ("*bold* _it_", "*\u{200b}bold*\u{200b} _\u{200b}it_\u{200b}"),
            (
                "<!channel> & `<!here>` @all",
                "&lt;!channel&gt; &amp; `&lt;!here&gt;` @\u{200b}all",
            ),
            ("one ` alone, `` empty", "one ` alone, ``\u{200b} empty"),
            ("`@here`", "`@\u{200b}here`"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(inert(text, &marks), shown, "{text}");
        }
    }
}
