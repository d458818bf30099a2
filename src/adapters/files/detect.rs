//! Recognises a format by its first records.

use serde::Deserialize;

use super::FileFormat;

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "sessionId", default)]
    session_id: Option<serde::de::IgnoredAny>,
    #[serde(rename = "parentUuid", default)]
    parent_uuid: Option<Option<serde::de::IgnoredAny>>,
    #[serde(rename = "type", default)]
    kind: Option<serde_json::Value>,
    #[serde(default)]
    payload: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    request_id: Option<serde::de::IgnoredAny>,
    #[serde(rename = "startTime", default)]
    start_time: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    custom_llm_provider: Option<Option<serde::de::IgnoredAny>>,
    #[serde(default)]
    ts: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    provider: Option<serde::de::IgnoredAny>,
}

/// The format of a record, if it shows.
pub(crate) fn of_record(record: &[u8]) -> Option<FileFormat> {
    if record.first() != Some(&b'{') {
        return of_header(record);
    }
    let keys: Keys = serde_json::from_slice(record).ok()?;
    let kind = keys.kind.as_ref().and_then(|k| k.as_str()).unwrap_or_default();
    if matches!(kind, "session_meta" | "turn_context" | "event_msg" | "response_item") && keys.payload.is_some() {
        return Some(FileFormat::Codex);
    }
    if keys.request_id.is_some() && keys.start_time.is_some() && keys.custom_llm_provider.is_some() {
        return Some(FileFormat::Litellm);
    }
    if keys.session_id.is_some() || keys.parent_uuid.is_some() {
        return Some(FileFormat::ClaudeCode);
    }
    (keys.ts.is_some() && keys.provider.is_some()).then_some(FileFormat::Plain)
}

fn of_header(record: &[u8]) -> Option<FileFormat> {
    let row = super::plain::cells(record)?;
    let has = |name: &str| row.iter().any(|cell| cell.trim() == name);
    if has("BilledCost") && has("ChargeCategory") {
        return Some(FileFormat::Focus);
    }
    (has("ts") && has("provider") && has("model")).then_some(FileFormat::PlainCsv)
}
