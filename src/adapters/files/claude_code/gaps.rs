//! Answers of whose usage nothing is known.

use crate::domain::usage::EventId;

use super::super::line::Output;
use super::key;
use super::record::{Line, Slot, Values};

/// An answer that is whole and of whose usage nothing is known is a gap, unless another of its lines tells it.
#[cold]
pub fn without_usage(values: &Values<'_>, out: &mut Output) {
    if values.get(Slot::IsApiErrorMessage).is_true() {
        out.excluded.push("failed_calls");
    } else if !values.get(Slot::StopReason).is_null()
        && let Ok(key) = key(values)
    {
        out.unended.push(EventId::of(&key));
    }
}

/// Another program writes its sessions in this outline and the usage as Gemini does (Qwen Code), which is told as a gap.
#[cold]
pub fn foreign(text: &str, out: &mut Output) {
    if let Ok(line) = Line::parse(text)
        && let Ok(key) = key(&line.values())
    {
        out.unended.push(EventId::of(&key));
    }
}
