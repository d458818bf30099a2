//! Foreign names in messages for people: they stay on their line, and format and mention nothing.

use crate::domain::screen::shown;

/// Text for a chat that formats: the three control characters by entity, so that neither a mention nor a link can be smuggled
/// in; of the `marks` that format, each that stands where it could do so gets a zero-width space behind it. Commands between
/// backticks, and marks within a word (`my_app`), are left as they are: someone will copy them.
pub fn inert(text: &str, marks: &[char]) -> String {
    let text = shown(text, ' ');
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '`'
            && let Some((code, behind)) = after.split_once('`')
            && !code.trim().is_empty()
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

/// The same for where it says what to do: an address in it, up to the next blank, stays whole, since someone will follow it. An invisible
/// character in it leads nowhere. The owner wrote it; where foreign names are, use [`inert`].
pub fn followed(text: &str, marks: &[char]) -> String {
    let text = shown(text, ' ');
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    while let Some(at) = ["https://", "http://"]
        .iter()
        .filter_map(|scheme| rest.find(scheme))
        .min()
    {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let end = from.find(char::is_whitespace).unwrap_or(from.len());
        let (address, behind) = from.split_at_checked(end).unwrap_or((from, ""));
        out.push_str(&inert(before, marks));
        address.chars().for_each(|c| put(&mut out, c));
        rest = behind;
    }
    out + &inert(rest, marks)
}

/// Cuts out of the middle, to so many characters with the mark: a name stands at the beginning, what happened to it at the end.
pub fn cut_within(text: &str, limit: usize, mark: &str) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(mark.chars().count());
    let head = kept * 2 / 5;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - (kept - head)).collect();
    format!("{start}{mark}{end}")
}

fn put(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
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

    #[test]
    fn an_address_to_follow_is_whole() {
        let marks = ['*', '_', '~', '`', '@'];
        for (text, shown) in [
            (
                "https://a.example/~ann/X_(y)/_b/*?c=1&d",
                "https://a.example/~ann/X_(y)/_b/*?c=1&amp;d",
            ),
            (
                "see *this*: http://w/~a and _then_ https://w/@b",
                "see *\u{200b}this*\u{200b}: http://w/~a and _\u{200b}then_\u{200b} https://w/@b",
            ),
            ("https://a/<!channel>\u{202e}x", "https://a/&lt;!channel&gt; x"),
            ("page ~ann", "page ~\u{200b}ann"),
            ("", ""),
        ] {
            assert_eq!(followed(text, &marks), shown, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        assert_eq!(cut_within("0123456789", 10, "..."), "0123456789");
        assert_eq!(cut_within("0123456789ß", 10, "…"), "012…56789ß");
        assert_eq!(cut_within("0123456789", 3, "..."), "...");
    }
}
