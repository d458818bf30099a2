//! Iterations of a message of Anthropic's that ran beside it.

use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};

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
    raw: Option<&RawValue>,
    id: &str,
    parent: &mut UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    calls(&entries(raw)?, id, parent, context, out)
}

/// The same of usage that LiteLLM made, which adds up all iterations, whatever they are: what the others used is taken out of it. A
/// message that another model took over is that of the latter.
pub(super) fn each_of_sum(
    raw: Option<&RawValue>,
    id: &str,
    parent: &mut UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let entries = entries(raw)?;
    let took_over = entries.iter().find(|entry| entry.kind.str() == "fallback_message");
    if let Some(entry) = took_over.filter(|entry| !entry.model.is_null())
        && parent.provider().as_str() == "anthropic"
    {
        let model = context.label(&entry.model, "usage.iterations.model")?;
        parent.dimensions.set(Dimension::Model, model);
    }
    // What is odd about them is told below.
    let mut quiet = Output::default();
    let mut used = Vec::with_capacity(entries.len());
    for entry in &entries {
        used.push(entry.tokens(Shape::Messages, false, &mut quiet)?);
    }
    let sum = |count: fn(&Tokens) -> u64| used.iter().map(count).fold(0, u64::saturating_add);
    let output = |tokens: &Tokens| tokens.get(Bucket::Output);
    if parent.tokens.prompt() >= sum(Tokens::prompt) && output(&parent.tokens) >= sum(output) {
        let served = parent.model().as_str();
        for (entry, tokens) in entries.iter().zip(&used) {
            let answered = output(tokens) > 0;
            match part(
                entry.kind.str(),
                entry.model.str(),
                served,
                took_over.is_some(),
                answered,
            ) {
                Part::Beside | Part::Declined => take_out(tokens, &mut parent.tokens),
                Part::Within | Part::Unknown => {}
            }
        }
    }
    calls(&entries, id, parent, context, out)
}

fn take_out(part: &Tokens, of: &mut Tokens) {
    for (bucket, count) in part.iter() {
        of.set(bucket, of.get(bucket).saturating_sub(count));
    }
    let reasoning = of.reasoning.saturating_sub(part.reasoning);
    of.reasoning = reasoning.min(of.get(Bucket::Output));
}

fn entries(raw: Option<&RawValue>) -> Result<Vec<Usage<'_>>, Fault> {
    let entries: Option<Vec<Usage<'_>>> = raw
        .map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
        .map_err(|e| Fault::field("usage.iterations", format!("unexpected shape: {e}")))?;
    Ok(entries.unwrap_or_default())
}

fn calls(
    entries: &[Usage<'_>],
    id: &str,
    parent: &mut UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
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
        event.extras = Label::EMPTY;
        event.reported_cost = None;
        out.events.push(event);
    }
    parent.asked_at_most(longest);
    Ok(())
}
