//! Structured logs: one JSON document a line.

use std::io::Write;

use crate::adapters::clock::SystemClock;
use crate::ports::Clock;

/// Writes one line. That a log cannot be written is no reason to stop.
pub fn line(out: &mut dyn Write, level: &str, request_id: &str, message: &str) {
    let document = serde_json::json!({
        "timestamp": SystemClock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "level": level,
        "request_id": request_id,
        "message": message,
    });
    let _ = writeln!(out, "{document}");
}

/// Takes what a command says for people and writes it as structured lines.
pub fn talk(out: &mut dyn Write, request_id: &str, text: &[u8]) {
    for said in String::from_utf8_lossy(text).lines().filter(|l| !l.trim().is_empty()) {
        let (level, message) = match said.split_once(": ") {
            Some(("error", rest)) => ("error", rest),
            Some(("warning" | "rejected", rest)) => ("warn", rest),
            Some(("hint", rest)) => ("info", rest),
            _ => ("info", said),
        };
        line(out, level, request_id, message);
    }
}
