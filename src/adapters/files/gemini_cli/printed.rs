//! What Gemini CLI prints at its end with `--output-format json` and `stream-json`: what each model was used for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::super::tags::content_identity;
use super::super::thoughts::Thoughts;

/// What is told of them.
const PRINTED: &str =
    "sums that Gemini CLI prints: its session files tell the same calls, and where both are read they count twice";

/// What a process used.
#[derive(Deserialize)]
pub(super) struct Stats<'a> {
    #[serde(borrow, default)]
    models: Option<BTreeMap<Cow<'a, str>, Model<'a>>>,
}

/// Of one model: `tokens` of `json`, the others of `stream-json`.
#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    api: Option<Asked<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    tokens: Option<Tokens<'a>>,
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cached: Scalar<'a>,
    #[serde(borrow, default)]
    total_tokens: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(borrow, default)]
    total_requests: Scalar<'a>,
}

#[derive(Deserialize)]
struct Tokens<'a> {
    #[serde(borrow, default)]
    prompt: Scalar<'a>,
    #[serde(borrow, default)]
    candidates: Scalar<'a>,
    #[serde(borrow, default)]
    cached: Scalar<'a>,
    #[serde(borrow, default)]
    thoughts: Scalar<'a>,
    #[serde(borrow, default)]
    tool: Scalar<'a>,
    #[serde(borrow, default)]
    total: Scalar<'a>,
}

impl Model<'_> {
    fn counts(&self) -> Result<Counts, Fault> {
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("stats.models.{field}"));
        let Some(used) = &self.tokens else {
            // What was thought is told by the total alone.
            return Ok(Counts {
                input: count(&self.input_tokens, "input_tokens")?,
                read: count(&self.cached, "cached")?,
                output: count(&self.output_tokens, "output_tokens")?,
                total: count(&self.total_tokens, "total_tokens")?,
                thoughts: Thoughts::Rest,
                ..Counts::default()
            });
        };
        let thoughts = count(&used.thoughts, "tokens.thoughts")?;
        Ok(Counts {
            input: count(&used.prompt, "tokens.prompt")?,
            read: count(&used.cached, "tokens.cached")?,
            beside: count(&used.tool, "tokens.tool")?,
            output: count(&used.candidates, "tokens.candidates")?.saturating_add(thoughts),
            reasoning: thoughts,
            total: count(&used.total, "tokens.total")?,
            ..Counts::default()
        })
    }

    fn is_one_call(&self) -> bool {
        let asked = self.api.as_ref().map(|api| &api.total_requests);
        asked.is_some_and(|asked| matches!(asked, Scalar::Whole(1)))
    }
}

impl Stats<'_> {
    /// A call for each model.
    #[cold]
    pub fn read(
        &self,
        text: &str,
        time: &Scalar<'_>,
        (session, number): (&str, u64),
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let at = match (time, context.fallback) {
            (Scalar::Null, Some(at)) => {
                out.warnings
                    .push("records without a time are charged at their file's time of change, or when they came");
                at
            }
            (time, _) => context.time(time, "timestamp", out)?,
        };
        let whole = content_identity("gemini-cli-result", text).to_string();
        for (name, model) in self.models.iter().flatten() {
            let tokens = model.counts()?.tokens(Input::Includes, "Gemini CLI", out);
            if tokens.total() == 0 {
                // Each try of it failed.
                continue;
            }
            let id = EventId::of(&[b"gemini-cli-result", whole.as_bytes(), name.as_bytes()]);
            let label = context.label(&Scalar::Text(name.as_ref().into()), "stats.models")?;
            let mut event = UsageEvent::new(id, at, context.labels.get("google"), label);
            event.tokens = tokens;
            event.session = context.label(&Scalar::Text(session.into()), "session_id")?;
            event.rank.line = number;
            if !model.is_one_call() {
                event.rank.authority = Rank::REPORT;
            }
            out.warnings.push(PRINTED);
            out.events.push(event);
        }
        Ok(())
    }
}
