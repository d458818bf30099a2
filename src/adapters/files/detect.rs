//! Tells the format of a file by its first records.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::FileFormat;

/// The format of a JSON record, by the keys that only it has.
pub(super) fn by_record(text: &str) -> Option<FileFormat> {
    let keys: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
    let has = |key: &str| keys.contains_key(key);
    if has("request_id") && has("startTime") && has("custom_llm_provider") {
        return Some(FileFormat::Litellm);
    }
    if has("parentUuid") || (has("sessionId") && (has("message") || has("uuid") || has("type"))) {
        return Some(FileFormat::ClaudeCode);
    }
    let kind = keys.get("type").map_or("", |raw| raw.get().trim_matches('"'));
    if has("payload") && matches!(kind, "session_meta" | "turn_context" | "event_msg" | "response_item") {
        return Some(FileFormat::Codex);
    }
    if kind == "summary" && has("leafUuid") {
        return Some(FileFormat::ClaudeCode);
    }
    if has("ts") && has("model") {
        return Some(FileFormat::Plain);
    }
    None
}

/// The format of a CSV file, by its header.
pub(super) fn by_header(line: &str) -> Option<FileFormat> {
    let names: Vec<&str> = line.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let has = |name: &str| names.contains(&name);
    if has("BilledCost") && has("ChargeCategory") {
        return Some(FileFormat::Focus);
    }
    (has("ts") && has("model")).then_some(FileFormat::Plain)
}

/// The format that a folder layout promises, for files whose first records say nothing.
pub(super) fn by_path(path: &str) -> Option<FileFormat> {
    if path.contains("/.claude/projects/") || path.contains("/.config/claude/projects/") {
        Some(FileFormat::ClaudeCode)
    } else if path.contains("/rollout-") && path.contains("sessions/") {
        Some(FileFormat::Codex)
    } else {
        None
    }
}
