//! Answers of providers in the lines of loggers, under any name or as a text.

use std::borrow::Cow;

use super::{ENVELOPES, Seen, USAGE, bit, keys};

/// The answer of a provider that a text begins with: an object, or the text of one.
pub(in super::super) fn answer(text: &[u8]) -> Option<Cow<'_, str>> {
    // Most texts are what people say.
    let may = text.starts_with(b"{") || text.get(1..).is_some_and(|t| t.trim_ascii_start().starts_with(b"{"));
    let object = match *text.first().filter(|_| may)? {
        b'{' => Cow::Borrowed(std::str::from_utf8(text).ok()?),
        b'"' => Cow::Owned(
            serde_json::Deserializer::from_slice(text)
                .into_iter::<String>()
                .next()?
                .ok()?,
        ),
        _ => return None,
    };
    is_answer(object.as_bytes(), 0).then_some(object)
}

/// Whether an object is an answer, or what streams have of one, not only something with usage.
fn is_answer(text: &[u8], depth: u32) -> bool {
    let (mut seen, mut gemini) = (Seen::default(), false);
    let mut inner = Vec::new();
    keys::each(text, |key, value| {
        match key {
            b"type" => seen.kind = value,
            b"object" => seen.object = value,
            b"usageMetadata" => gemini = true,
            b"response" | b"body" | b"result" | b"message" | b"interaction" if value.starts_with(b"{") => {
                inner.push(value);
            }
            _ => {}
        }
        seen.keys |= bit(key);
        true
    });
    let named = seen.has(USAGE) && seen.object.starts_with(b"\"");
    let around = || depth < ENVELOPES && inner.into_iter().any(|inner| is_answer(inner, depth + 1));
    gemini || named || seen.is_answer() || around()
}
