//! What the header of a table and the place of a file say.

use super::{ENVELOPES, FileFormat, by_keys};

/// The format of a CSV file, by its header.
pub(in crate::adapters::files) fn by_header(line: &str) -> Option<FileFormat> {
    let names: Vec<&str> = line.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let has = |name: &str| names.contains(&name);
    // Databases hand out names in small or in capital letters.
    let any = |name: &str| names.iter().any(|given| given.eq_ignore_ascii_case(name));
    if any("BilledCost") && any("ChargeCategory") {
        return Some(FileFormat::Focus);
    }
    if has("line_item_line_item_type") || has("lineItem/LineItemType") {
        return Some(FileFormat::Cur);
    }
    if has("ts") && has("model") {
        return Some(FileFormat::Plain);
    }
    // Exports of records as tables have the records' keys as names.
    let keys: Vec<String> = names.iter().map(|name| format!("{name:?}:null")).collect();
    let format = by_keys(format!("{{{}}}", keys.join(",")).as_bytes(), ENVELOPES)?;
    format.in_tables().then_some(format)
}

/// The format that a folder layout promises, for files whose first records say nothing.
pub(in crate::adapters::files) fn by_path(path: &str) -> Option<FileFormat> {
    let of_claude = ["/.claude/projects/", "/.config/claude/projects/"];
    // Beside the log of a subagent lies what it is called.
    let names_agent = path.contains("/subagents/agent-") && path.ends_with(".meta.json");
    if names_agent || of_claude.into_iter().any(|folder| path.contains(folder)) {
        Some(FileFormat::ClaudeCode)
    } else if path.contains("/rollout-") && path.contains("sessions/") {
        Some(FileFormat::Codex)
    } else if path.contains("/.factory/sessions/") {
        // The messages of sessions, whose sums lie beside them.
        Some(FileFormat::Droid)
    } else {
        None
    }
}
