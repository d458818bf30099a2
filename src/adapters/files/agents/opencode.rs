//! Messages of opencode and of what is made of it (Kilo CLI): a file each, a row of a database each, or in what `opencode export` prints.
//! Input excludes cached tokens; whether thoughts stand beside the output the total tells, or else the seller. A message tells no id of its
//! provider's, and a fork of a session copies it under another one: identity is when it began and ended, and its model. Until autumn 2025 a
//! message was all steps of a turn and told the tokens of the last one: those before it are calls of their own.

mod steps;
mod used;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::Input;
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::value::Value;
use super::{by_content, seller, without_tokens};
pub(in super::super) use steps::MOST_BYTES as STEP_BYTES;
use steps::{Step, lie_beside};
use used::Used;

/// Reads messages and exported sessions.
pub(in super::super) struct Opencode;

#[derive(Deserialize)]
struct Document<'a> {
    /// Of a session; beside its parts, of a message.
    #[serde(borrow, default)]
    info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
    /// Of a message that is exported.
    #[serde(borrow, default)]
    parts: Option<&'a RawValue>,
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
    /// Both in opencode 2.
    #[serde(borrow, default, rename = "model")]
    both: Option<&'a RawValue>,
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

/// The model of a message of opencode 2.
#[derive(Deserialize, Default)]
struct Both<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, rename = "providerID")]
    provider: Scalar<'a>,
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

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    /// Its name in opencode 2.
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
}

impl Failure<'_> {
    /// Whether it is none: what people broke off was answered in part.
    fn is_broken_off(&self) -> bool {
        self.name.str() == "MessageAbortedError" || self.r#type.str() == "aborted"
    }
}

impl LineFormat for Opencode {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let document: Document<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        match (document.messages, document.info) {
            (Some(messages), _) => {
                for message in messages {
                    let told: Document<'_> = serde_json::from_str(message.get()).map_err(|e| Fault::json(&e))?;
                    if let Some(info) = told.info
                        && let Err(fault) = Told::exported(info, told.parts).read(number, context, out)
                    {
                        out.faults.push(fault);
                    }
                }
                Ok(())
            }
            (None, Some(info)) => Told::exported(info, document.parts).read(number, context, out),
            (None, None) => Told::new(text).read(number, context, out),
        }
    }
}

/// A row of the database: the ids of the message and of its session stand in columns of their own.
pub(in super::super) struct Row<'a> {
    pub id: &'a str,
    pub session: &'a str,
    pub data: &'a str,
    pub number: u64,
    /// In opencode 2 what a message is, and where its session works.
    pub second: Option<(&'a str, &'a str)>,
    /// The ends of its steps, the first one first.
    pub steps: Vec<String>,
}

impl Row<'_> {
    /// Reads it as the message that it is.
    pub fn read(&self, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let told = Told {
            row: Some((self.id, self.session)),
            second: self.second,
            steps: Steps::Known(self.steps.iter().filter_map(|step| Step::of(step)).collect()),
            ..Told::new(self.data)
        };
        told.read(self.number, context, out)
    }
}

/// A message, and what is told beside it.
struct Told<'a> {
    text: &'a str,
    /// Its id and its session's.
    row: Option<(&'a str, &'a str)>,
    second: Option<(&'a str, &'a str)>,
    steps: Steps<'a>,
}

/// The ends of a message's steps.
enum Steps<'a> {
    Known(Vec<Step<'a>>),
    /// In files beside that of the message, if anywhere.
    Beside,
}

impl<'a> Told<'a> {
    fn new(text: &'a str) -> Self {
        Told {
            text,
            row: None,
            second: None,
            steps: Steps::Beside,
        }
    }

    fn exported(info: &'a RawValue, parts: Option<&'a RawValue>) -> Self {
        let parts: Option<Vec<&RawValue>> = parts.and_then(|parts| serde_json::from_str(parts.get()).ok());
        let parts = parts.unwrap_or_default().into_iter();
        Told {
            steps: Steps::Known(parts.filter_map(|part| Step::of(part.get())).collect()),
            ..Told::new(info.get())
        }
    }

    fn read(self, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let message: Message<'_> = serde_json::from_str(self.text).map_err(|e| Fault::json(&e))?;
        match self.second {
            Some(("compaction", _)) => return self.compaction(&message, number, context, out),
            Some(("assistant", _)) => {}
            Some(_) => return Ok(()),
            None if message.role.str() != "assistant" => return Ok(()),
            None => {}
        }
        let id = self.row.map_or(message.id.str(), |(id, _)| id);
        let own = EventId::of(&[b"opencode-message", id.as_bytes()]);
        let unknown = Times::default();
        let times = message.time.as_ref().unwrap_or(&unknown);
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
        let (provider, model) = message.asked(context)?;
        let nothing = Used::default();
        let used = message.tokens.as_ref().unwrap_or(&nothing);
        let (counts, within) = used.counts((provider, model), self.second.is_some())?;
        // Two times tell it apart, whatever its tokens: these may be put right later.
        let told = [at, ended].map(|time| time.timestamp_millis());
        let id = match ended > at {
            true => EventId::of(&[b"opencode", format!("{told:?} {model}").as_bytes()]),
            false => by_content("opencode", [at, ended], model.as_str(), &used.summed(&counts)?),
        };
        let mut event = UsageEvent::new(id, at, provider, model);
        self.describe(&mut event, &message, number, context)?;
        event.tokens = counts.tokens(Input::Excludes, "opencode", out);
        event.reported_cost = reported(message.cost.map(RawValue::get), "cost")?;
        // Since each step is a message of its own, its total is told.
        let in_files = match &self.steps {
            Steps::Beside if used.total.is_null() => lie_beside(&context.file, message.id.str()),
            Steps::Beside | Steps::Known(_) => Vec::new(),
        };
        let steps: Vec<Step<'_>> = match self.steps {
            Steps::Known(steps) => steps,
            Steps::Beside => in_files.iter().filter_map(|step| Step::of(step)).collect(),
        };
        let turn = steps.split_last().filter(|(_, before)| !before.is_empty());
        if within || turn.is_some() {
            // Before thoughts counted twice, and a turn at what all its steps cost: what counts now stands above that.
            event.rank.at += TimeDelta::milliseconds(1);
        }
        if let Some((last, before)) = turn {
            event.reported_cost = last.cost();
            for (at, step) in before.iter().enumerate() {
                // A step that tells no counts is passed over, and keeps its place.
                let Ok((counts, _)) = step.used.counts((provider, model), false) else {
                    continue;
                };
                let tokens = counts.tokens(Input::Excludes, "opencode", out);
                if tokens.total() > 0 {
                    out.events.push(UsageEvent {
                        id: EventId::of(&[b"opencode-step", format!("{told:?} {model} {at}").as_bytes()]),
                        tokens,
                        reported_cost: step.cost(),
                        ..event
                    });
                }
            }
        }
        if event.tokens.total() == 0 {
            let failed = message.error.is_some_and(|error| !error.is_broken_off());
            without_tokens(own, failed, out);
            return Ok(());
        }
        out.events.push(event);
        Ok(())
    }

    /// What opencode 2 asked to make a session shorter. Those that it took over from 1 tell nothing: that told them as messages.
    fn compaction(
        &self,
        message: &Message<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let Some(used) = &message.tokens else { return Ok(()) };
        let unknown = Times::default();
        let times = message.time.as_ref().unwrap_or(&unknown);
        let at = context.time(&times.created, "time.created", out)?;
        let (provider, model) = message.asked(context)?;
        let (counts, _) = used.counts((provider, model), true)?;
        let id = by_content("opencode-compaction", [at, at], model.as_str(), &counts);
        let mut event = UsageEvent::new(id, at, provider, model);
        self.describe(&mut event, message, number, context)?;
        event.tokens = counts.tokens(Input::Excludes, "opencode", out);
        event.reported_cost = reported(message.cost.map(RawValue::get), "cost")?;
        if event.tokens.total() > 0 {
            out.events.push(event);
        }
        Ok(())
    }

    /// Says where and by which agent it was asked.
    fn describe(
        &self,
        event: &mut UsageEvent,
        message: &Message<'_>,
        number: u64,
        context: &mut Context,
    ) -> Result<(), Fault> {
        event.rank.line = number;
        event.session = match self.row {
            Some((_, session)) => context.label(Value::Text(session), "session_id")?,
            None => context.label(&message.session, "sessionID")?,
        };
        let agent = match message.agent.is_null() {
            true => context.label(&message.mode, "mode")?,
            false => context.label(&message.agent, "agent")?,
        };
        event.dimensions.set(Dimension::Agent, agent);
        let project = match (&message.path, self.second) {
            (Some(path), _) => context.label(&path.cwd, "path.cwd")?,
            (None, Some((_, folder))) => context.label(Value::Text(folder), "directory")?,
            (None, None) => return Ok(()),
        };
        event.dimensions.set(Dimension::Project, project);
        Ok(())
    }
}

impl Message<'_> {
    /// Who sold it, and the model.
    fn asked(&self, context: &mut Context) -> Result<(Label, Label), Fault> {
        let both = self.both.filter(|raw| raw.get().starts_with('{'));
        let both: Both<'_> = both
            .map(|raw| serde_json::from_str(raw.get()))
            .transpose()
            .map_err(|e| Fault::json(&e))?
            .unwrap_or_default();
        let (provider, model) = match self.model.is_null() {
            true => (&both.provider, context.label(&both.id, "model.id")?),
            false => (&self.provider, context.label(&self.model, "modelID")?),
        };
        let seller = match model.is_empty() && provider.is_null() {
            true => Label::EMPTY,
            false => context.labels.get(seller(provider.str(), model.as_str())),
        };
        Ok((seller, model))
    }
}
