//! Answers of providers in the lines of loggers, under any name or as a text.

use std::borrow::Cow;

use super::{ENVELOPES, FileFormat, Seen, USAGE, bit, by_keys, keys};

/// The answer of a provider that a text begins with: an object, or the text of one.
pub(in super::super) fn answer(text: &[u8]) -> Option<Cow<'_, str>> {
    answer_in(text, 0)
}

fn answer_in(text: &[u8], depth: u32) -> Option<Cow<'_, str>> {
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
    is_answer(object.as_bytes(), depth).then_some(object)
}

/// Whether loggers and those who ship logs put what was logged under this name, as a text or as an object: Docker, Fluent Bit, journald, Loki,
/// Google Cloud, Splunk, CloudWatch.
pub(in super::super) fn is_logged(key: &[u8]) -> bool {
    matches!(
        key,
        b"log" | b"msg" | b"message" | b"MESSAGE" | b"@message" | b"line" | b"textPayload" | b"_raw" | b"llm_response"
    )
}

/// Whether they put a record there whole: Elasticsearch and Google Cloud. One that counts no tokens is none of ours.
pub(super) fn is_whole(key: &[u8], value: &[u8]) -> bool {
    matches!(key, b"_source" | b"jsonPayload")
        && value.starts_with(b"{")
        && memchr::memmem::find(keys::value(value), b"oken").is_some()
}

/// What a record of a logger holds: the first answer, or record with usage, under such a name.
pub(in super::super) fn logged(text: &str) -> Option<Cow<'_, str>> {
    let mut found = None;
    keys::each(text.as_bytes(), |key, value| {
        if is_whole(key, value) && by_keys(value, 1) == Some(FileFormat::Body) {
            found = std::str::from_utf8(keys::value(value)).ok().map(Cow::Borrowed);
        } else if is_logged(key) {
            found = answer(keys::value(value));
        }
        found.is_none()
    });
    found
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
            key if is_logged(key) => inner.push(value),
            _ => {}
        }
        seen.keys |= bit(key);
        true
    });
    let named = seen.has(USAGE) && seen.object.starts_with(b"\"");
    let around = || depth < ENVELOPES && inner.into_iter().any(|inner| answer_in(inner, depth + 1).is_some());
    gemini || named || seen.is_answer() || around()
}
