//! Finds the keys of a JSON object's outermost level without parsing what they hold.

use memchr::memchr2;

/// Calls `visit` with each key of the outermost object, as written, and the text from its value on, until it answers
/// `false`. Text that is no JSON is walked as far as it looks like it: the parser says later what is wrong with it.
pub(super) fn each<'t>(text: &'t [u8], mut visit: impl FnMut(&'t [u8], &'t [u8]) -> bool) {
    let mut rest = match text.trim_ascii_start().strip_prefix(b"{") {
        Some(rest) => rest,
        None => return,
    };
    loop {
        rest = blank(rest);
        let Some(inner) = rest.strip_prefix(b"\"") else { return };
        let Some(end) = text_end(inner) else { return };
        let key = inner.get(..end).unwrap_or(&[]);
        rest = inner.get(end + 1..).unwrap_or(&[]).trim_ascii_start();
        rest = match rest.strip_prefix(b":") {
            Some(rest) => rest.trim_ascii_start(),
            None => return,
        };
        if !visit(key, rest) {
            return;
        }
        rest = rest.get(value_length(rest)..).unwrap_or(&[]);
    }
}

fn blank(text: &[u8]) -> &[u8] {
    let skipped = text
        .iter()
        .take_while(|b| b.is_ascii_whitespace() || **b == b',')
        .count();
    text.get(skipped..).unwrap_or(&[])
}

/// Where the text ends whose opening quote stands before `inner`.
fn text_end(inner: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inner.get(at..)?)?;
        if inner.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// The value that `text` begins with.
pub(super) fn value(text: &[u8]) -> &[u8] {
    text.get(..value_length(text)).unwrap_or(text)
}

/// Bytes of the value that `text` begins with.
fn value_length(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => match text_end(text.get(at + 1..).unwrap_or(&[])) {
                Some(end) => at += end + 1,
                None => return text.len(),
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_keys_are_seen_whatever_texts_hold() {
        let text = br#" {"a" : {"x":[1,{"y":"}"}]}, "b":"\"c\": {", "d\"e":null,"f":[],"g":-1.5e3}"#;
        let mut seen = Vec::new();
        each(text, |key, value| {
            seen.push((String::from_utf8_lossy(key).into_owned(), value_length(value)));
            true
        });
        let expected = [("a", 19), ("b", 10), ("d\\\"e", 4), ("f", 2), ("g", 6)];
        assert_eq!(seen, expected.map(|(key, length)| (key.to_owned(), length)));
    }

    #[test]
    fn damaged_text_ends_the_walk() {
        for text in [
            "",
            "{",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":\"b",
            "{\"a\":{\"b\":1",
            "[1]",
            "{\"a\\",
        ] {
            each(text.as_bytes(), |_, _| true);
        }
    }
}
