//! Iterations of a message of Anthropic's that ran beside it.

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::line::{Context, Fault, Output};
use super::usage::{Shape, Usage};

/// What is told of an iteration of a kind that nobody here knows.
pub(super) const UNKNOWN: &str = "iterations of an unknown kind, of which the message may not hold what they used";

/// What an iteration is for the usage at the top level of its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Summed up there.
    Within,
    /// Not in there: a call of its own.
    Beside,
    /// Declined before anything was answered, which is not billed.
    Declined,
    /// Nobody knows.
    Unknown,
}

/// What an iteration of this kind and model is. Where a model took over from one that declined (`fallback`), the top level is what
/// `served`, the model that answered, used, and what the other one answered until then is billed beside it.
pub(super) fn part(kind: &str, model: &str, served: &str, fallback: bool, answered: bool) -> Part {
    match kind {
        "message" if fallback && !model.is_empty() && model != served => match answered {
            true => Part::Beside,
            false => Part::Declined,
        },
        "message" | "fallback_message" | "" => Part::Within,
        "advisor_message" | "compaction" => Part::Beside,
        _ => Part::Unknown,
    }
}

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
    let entries = entries.unwrap_or_default();
    let fallback = entries.iter().any(|entry| entry.kind.str() == "fallback_message");
    let served = parent.model().as_str();
    let mut longest = 0;
    for (n, entry) in entries.iter().enumerate() {
        let tokens = entry.tokens(Shape::Messages, false, out)?;
        let answered = tokens.get(Bucket::Output) > 0;
        match part(entry.kind.str(), entry.model.str(), served, fallback, answered) {
            Part::Beside => {}
            Part::Within => {
                longest = tokens.prompt().max(longest);
                continue;
            }
            Part::Declined => continue,
            Part::Unknown => {
                out.warnings.push(UNKNOWN);
                continue;
            }
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
        event.tokens = tokens;
        event.requests = entry.requests()?;
        event.reported_cost = None;
        out.events.push(event);
    }
    parent.asked_at_most(longest);
    Ok(())
}
