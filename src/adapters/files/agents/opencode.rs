//! Messages of opencode and of what is made of it (Kilo CLI): a file each, a row of a database each, or in what `opencode export` prints.
//! Input excludes cached tokens; thoughts stand beside the output. A message tells no id of its provider's, and a fork of a session copies it
//! under another one: identity is when it began and ended, and its model.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::value::Value;
use super::{by_content, seller, without_tokens, written};

/// Reads messages and exported sessions.
pub(in super::super) struct Opencode;

#[derive(Deserialize)]
struct Document<'a> {
    /// Of a session; beside its parts, of a message.
    #[serde(borrow, default)]
    info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, rename = "sessionID")]
    session: Scalar<'a>,
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default, rename = "modelID")]
    model: Scalar<'a>,
    #[serde(borrow, default, rename = "providerID")]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    agent: Scalar<'a>,
    #[serde(borrow, default)]
    mode: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    path: Option<Path<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    time: Option<Times<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    tokens: Option<Used<'a>>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    error: Option<Failure<'a>>,
}

#[derive(Deserialize)]
struct Path<'a> {
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Times<'a> {
    #[serde(borrow, default)]
    created: Scalar<'a>,
    #[serde(borrow, default)]
    completed: Scalar<'a>,
}

#[derive(Deserialize, Default)]
struct Used<'a> {
    #[serde(borrow, default)]
    input: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning: Scalar<'a>,
    #[serde(borrow, default)]
    total: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cache: Option<Cache<'a>>,
}

#[derive(Deserialize, Default)]
struct Cache<'a> {
    #[serde(borrow, default)]
    read: Scalar<'a>,
    #[serde(borrow, default)]
    write: Scalar<'a>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
}

impl LineFormat for Opencode {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let document: Document<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        match (document.messages, document.info) {
            (Some(messages), _) => {
                for message in messages {
                    let told: Document<'_> = serde_json::from_str(message.get()).map_err(|e| Fault::json(&e))?;
                    if let Some(info) = told.info
                        && let Err(fault) = one(info.get(), None, number, context, out)
                    {
                        out.faults.push(fault);
                    }
                }
                Ok(())
            }
            (None, Some(info)) => one(info.get(), None, number, context, out),
            (None, None) => one(text, None, number, context, out),
        }
    }
}

/// A row of the database: the ids of the message and of its session stand in columns of their own.
pub(in super::super) struct Row<'a> {
    pub id: &'a str,
    pub session: &'a str,
    pub data: &'a str,
    pub number: u64,
}

impl Row<'_> {
    /// Reads it as the message that it is.
    pub fn read(&self, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        one(self.data, Some((self.id, self.session)), self.number, context, out)
    }
}

/// Reads a message, whose id and session may be told beside it.
fn one(
    text: &str,
    beside: Option<(&str, &str)>,
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let message: Message<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
    if message.role.str() != "assistant" {
        return Ok(());
    }
    let id = beside.map_or(message.id.str(), |(id, _)| id);
    let own = EventId::of(&[b"opencode-message", id.as_bytes()]);
    let times = message.time.unwrap_or_default();
    if times.completed.is_null() && message.error.is_none() {
        // It is still being answered, or its end was never written.
        out.unended.push(own);
        return Ok(());
    }
    let at = context.time(&times.created, "time.created", out)?;
    let ended = match times.completed.is_null() {
        true => at,
        false => context.time(&times.completed, "time.completed", out)?,
    };
    let model = context.label(&message.model, "modelID")?;
    let provider = context.labels.get(seller(message.provider.str(), model.as_str()));
    let used = message.tokens.unwrap_or_default();
    let cache = used.cache.unwrap_or_default();
    let reasoning = used.reasoning.count("tokens.reasoning")?;
    let counts = Counts {
        input: used.input.count("tokens.input")?,
        read: cache.read.count("tokens.cache.read")?,
        output: used.output.count("tokens.output")?.saturating_add(reasoning),
        reasoning,
        total: used.total.count("tokens.total")?,
        ..written(provider.as_str(), cache.write.count("tokens.cache.write")?)
    };
    // Two times tell it apart, whatever its tokens: these may be put right later.
    let told = [at, ended].map(|time| time.timestamp_millis());
    let id = match ended > at {
        true => EventId::of(&[b"opencode", format!("{told:?} {model}").as_bytes()]),
        false => by_content("opencode", [at, ended], model.as_str(), &counts),
    };
    let mut event = UsageEvent::new(id, at, provider, model);
    event.tokens = counts.tokens(Input::Excludes, "opencode", out);
    if event.tokens.total() == 0 {
        // What people broke off was answered in part.
        let failed = message
            .error
            .is_some_and(|error| error.name.str() != "MessageAbortedError");
        without_tokens(own, failed, out);
        return Ok(());
    }
    event.rank.line = number;
    event.session = match beside {
        Some((_, session)) => context.label(Value::Text(session), "session_id")?,
        None => context.label(&message.session, "sessionID")?,
    };
    let agent = match message.agent.is_null() {
        true => context.label(&message.mode, "mode")?,
        false => context.label(&message.agent, "agent")?,
    };
    event.dimensions.set(Dimension::Agent, agent);
    if let Some(path) = &message.path {
        let project = context.label(&path.cwd, "path.cwd")?;
        event.dimensions.set(Dimension::Project, project);
    }
    event.reported_cost = reported(message.cost.map(RawValue::get), "cost")?;
    out.events.push(event);
    Ok(())
}
