//! Iterations of a message of Anthropic's that ran beside it.

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::line::{Context, Fault, Output};
use super::usage::{Shape, Usage};

/// Iterations that the top level does not contain are calls of their own, with the parent's identity and their place. Of those that it sums
/// up the longest prompt decides thresholds.
pub(super) fn each(
    usage: &Usage<'_>,
    id: &str,
    parent: &mut UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let Some(raw) = usage.iterations else { return Ok(()) };
    let entries: Option<Vec<Usage<'_>>> = serde_json::from_str(raw.get())
        .map_err(|e| Fault::field("usage.iterations", format!("unexpected shape: {e}")))?;
    let mut longest = 0;
    for (n, entry) in entries.unwrap_or_default().iter().enumerate() {
        if entry.kind.str() == "message" {
            longest = entry.tokens(Shape::Messages, false, out)?.prompt().max(longest);
        }
        if !matches!(entry.kind.str(), "advisor_message" | "compaction") {
            continue;
        }
        let own = context.label(&entry.model, "usage.iterations.model")?;
        let mut event = *parent;
        let number = n.to_string();
        event.id = if id.is_empty() {
            EventId::of(&[&parent.id.0, b"iteration", number.as_bytes()])
        } else {
            EventId::of(&[b"response", id.as_bytes(), b"iteration", number.as_bytes()])
        };
        if !own.is_empty() {
            event.dimensions.set(Dimension::Model, own);
        }
        event.tokens = entry.tokens(Shape::Messages, false, out)?;
        event.requests = entry.requests()?;
        event.reported_cost = None;
        out.events.push(event);
    }
    parent.asked_at_most(longest);
    Ok(())
}
