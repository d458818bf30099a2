//! Sessions of Cline CLI and of Cline's extension since version 4 (`~/.cline/data/sessions/*/*.messages.json`): one object with all messages,
//! written anew at each step. Input includes cached tokens, whatever the provider.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::super::counts::{Counts, Input};
use super::super::super::line::{Context, Fault, Output};
use super::super::super::object;
use super::super::super::scalar::{Scalar, reported};
use super::super::super::value::Value;
use super::super::{without_tokens, written};
use super::{AGENTS, Cline, Line, paid, plain};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    ts: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    model_info: Option<Asked<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    metrics: Option<Used<'a>>,
}

#[derive(Deserialize, Default)]
struct Asked<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
}

impl Cline {
    /// Reads the messages of a session.
    pub(super) fn session(
        &mut self,
        session: &Line<'_>,
        messages: &[&RawValue],
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        // What the model is asked with when a session was made shorter: copies of its messages, and sums of them.
        let name = context.file.file_name().map(|name| name.to_string_lossy());
        if name.is_some_and(|name| name.ends_with(".compaction.json")) {
            return Ok(());
        }
        for message in messages {
            // What another version keeps among the messages is none.
            let Ok(message) = serde_json::from_str::<Message<'_>>(message.get()) else {
                continue;
            };
            if let Some(used) = &message.metrics
                && let Err(fault) = self.answer(session, &message, used, number, context, out)
            {
                out.faults.push(fault);
            }
        }
        Ok(())
    }

    fn answer(
        &mut self,
        session: &Line<'_>,
        message: &Message<'_>,
        used: &Used<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let asked = message.model_info.as_ref();
        let (provider, model) = asked.map_or(("", ""), |asked| (asked.provider.str(), asked.id.str()));
        let at = context.time(&message.ts, "messages.ts", out)?;
        let id = match message.id.str() {
            "" => return Err(Fault::field("messages.id", "missing")),
            id => EventId::of(&[b"cline-message", format!("{id} {}", at.timestamp_millis()).as_bytes()]),
        };
        // The sum of a task of an older version with which the session begins; calls that other agents' own sessions tell.
        if provider == "unknown" || AGENTS.contains(&provider) {
            out.excluded_once.push(("parts_of_results", id));
            return Ok(());
        }
        let paid = paid(provider, model, context.seller);
        let counts = Counts {
            input: used.input_tokens.count("metrics.inputTokens")?,
            output: used.output_tokens.count("metrics.outputTokens")?,
            read: used.cache_read_tokens.count("metrics.cacheReadTokens")?,
            ..written(paid, used.cache_write_tokens.count("metrics.cacheWriteTokens")?)
        };
        let tokens = counts.tokens(Input::Includes, "Cline", out);
        if tokens.total() == 0 {
            without_tokens(id, false, out);
            return Ok(());
        }
        let (model, is_fast) = plain(model);
        let model = context.label(Value::Text(model), "modelInfo.id")?;
        let mut event = UsageEvent::new(id, at, context.labels.get(paid), model);
        event.tokens = tokens;
        if is_fast {
            event.speed = context.labels.get("fast");
        }
        event.rank.line = number;
        event.session = context.label(&session.session_id, "sessionId")?;
        let folder = &self.beside(context).folder;
        event.dimensions.set(Dimension::Project, context.labels.get(folder));
        // The others are named: a subagent, a member of a team.
        if session.agent.str() != "lead" {
            event
                .dimensions
                .set(Dimension::Agent, context.label(&session.agent, "agent")?);
        }
        event.reported_cost = reported(used.cost.map(RawValue::get), "metrics.cost")?;
        out.events.push(event);
        Ok(())
    }
}
