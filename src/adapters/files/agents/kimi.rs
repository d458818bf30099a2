//! Session files of Kimi CLI and of Kimi Code (`wire.jsonl`). Input excludes cached tokens; thoughts are within the output. Identity is the
//! response id that the provider gave, at Kimi Code time, model and tokens. Kimi CLI's name neither model nor provider nor folder: the settings
//! may. Kimi Code's have the name that the settings give a model, and what that is stands in the request before. What a subagent of Kimi CLI
//! asks for is in a file of its own, and in that of the session, too, unless it works in the background.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::{by_content, seller, without_tokens};

/// Where the files of a session's subagents lie.
const SUBAGENTS: &str = "subagents";

const OF_SUBAGENT: &str = "calls of Kimi CLI's subagents without an id, which the session may tell, too: those of the background are a coverage gap";

/// Models that one session names.
const MODELS: usize = 64;

/// Reads the lines of one session.
#[derive(Default)]
pub(in super::super) struct Kimi {
    at: State,
}

/// What lines of Kimi Code tell of those behind them.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// What the names in the settings mean.
    models: BTreeMap<String, String>,
    folder: String,
}

/// A line of Kimi Code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Noted<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    model_alias: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    environment_disclosure: Option<Place<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    message: Option<Told<'a>>,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    /// Of a subagent.
    #[serde(borrow, default, deserialize_with = "object::one")]
    event: Option<Box<Told<'a>>>,
    #[serde(borrow, default)]
    message_id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    token_usage: Option<Used<'a>>,
}

/// What a call used, in the names of Kimi CLI or of Kimi Code.
#[derive(Deserialize)]
struct Used<'a> {
    #[serde(borrow, default, alias = "inputOther")]
    input_other: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default, alias = "inputCacheRead")]
    input_cache_read: Scalar<'a>,
    #[serde(borrow, default, alias = "inputCacheCreation")]
    input_cache_creation: Scalar<'a>,
}

impl Used<'_> {
    fn counts(&self) -> Result<Counts, Fault> {
        Ok(Counts {
            input: self.input_other.count("token_usage.input_other")?,
            read: self.input_cache_read.count("token_usage.input_cache_read")?,
            write_5m: self.input_cache_creation.count("token_usage.input_cache_creation")?,
            output: self.output.count("token_usage.output")?,
            ..Counts::default()
        })
    }
}

impl LineFormat for Kimi {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        // Other messages have payloads of all kinds.
        if !text.contains("\"StatusUpdate\"") {
            if OF_CODE.iter().any(|kind| text.contains(kind)) {
                return self.of_code(text, number, context, out);
            }
            return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Ok(()),
                Err(error) => Err(Fault::json(&error)),
            };
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(mut told) = line.message else {
            return Ok(());
        };
        while told.r#type.str() == "SubagentEvent" {
            match told.payload.and_then(|payload| payload.event) {
                Some(event) => told = *event,
                None => return Ok(()),
            }
        }
        let Some(payload) = told.payload.filter(|_| told.r#type.str() == "StatusUpdate") else {
            return Ok(());
        };
        let Some(used) = &payload.token_usage else {
            // It tells how full the context is.
            return Ok(());
        };
        let at = context.time(&line.timestamp, "timestamp", out)?;
        of_cli(at, &payload.message_id, used, number, context, out)
    }

    fn save(&self) -> String {
        serde_json::to_string(&self.at).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.at = serde_json::from_str(state).unwrap_or_default();
    }
}

/// Kinds of lines of Kimi Code that matter.
const OF_CODE: [&str; 3] = ["\"usage.record\"", "\"llm.request\"", "\"profile.bind\""];

impl Kimi {
    fn of_code(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Noted<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        match (line.r#type.str(), &line.usage, &line.environment_disclosure) {
            ("llm.request", _, _) if !line.model_alias.is_null() && self.at.models.len() < MODELS => {
                let (alias, model) = (line.model_alias.str(), line.model.str());
                self.at.models.insert(alias.to_owned(), model.to_owned());
                Ok(())
            }
            ("profile.bind", _, Some(place)) => {
                place.cwd.str().clone_into(&mut self.at.folder);
                Ok(())
            }
            ("usage.record", Some(used), _) => self.spent(&line, used, number, context, out),
            _ => Ok(()),
        }
    }

    /// A call of Kimi Code, also one beside the session: each is told once.
    fn spent(
        &self,
        line: &Noted<'_>,
        used: &Used<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let at = context.time(&line.time, "time", out)?;
        let counts = used.counts()?;
        let named = line.model.str();
        let model = match self.at.models.get(named).filter(|model| !model.is_empty()) {
            Some(model) => context.labels.get(model),
            None => context.label(&line.model, "model")?,
        };
        // The name in the settings: whatever was read before, the line has it.
        let id = by_content("kimi-code", [at, at], named, &counts);
        let provider = context.labels.get(seller("", model.as_str()));
        let mut event = call(id, at, [provider, model], &counts, (number, "Kimi Code"), out);
        if let Some(event) = &mut event {
            let project = context.label(&Scalar::Text(self.at.folder.as_str().into()), "cwd")?;
            event.dimensions.set(Dimension::Project, project);
        }
        out.events.extend(event);
        Ok(())
    }
}

/// Whether a file is one of a subagent.
fn is_of_subagent(file: &Path) -> bool {
    let folder = file.parent().and_then(Path::parent);
    folder.is_some_and(|folder| folder.ends_with(SUBAGENTS))
}

fn of_cli(
    at: DateTime<Utc>,
    id: &Scalar<'_>,
    used: &Used<'_>,
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let counts = used.counts()?;
    let id = match id.str() {
        // Each file has a time of its own for the same call.
        "" if is_of_subagent(&context.file) => {
            let id = by_content("kimi-cli-subagent", [at, at], "", &counts);
            out.warnings.push(OF_SUBAGENT);
            out.excluded_once.push(("calls_without_usage", id));
            return Ok(());
        }
        "" => by_content("kimi-cli", [at, at], "", &counts),
        id => context.response(id.as_bytes()),
    };
    let names = [Label::EMPTY, Label::EMPTY];
    let event = call(id, at, names, &counts, (number, "Kimi CLI"), out);
    out.events.extend(event);
    Ok(())
}

/// A call; none without tokens.
fn call(
    id: EventId,
    at: DateTime<Utc>,
    [provider, model]: [Label; 2],
    counts: &Counts,
    (number, emitter): (u64, &str),
    out: &mut Output,
) -> Option<UsageEvent> {
    let mut event = UsageEvent::new(id, at, provider, model);
    event.tokens = counts.tokens(Input::Excludes, emitter, out);
    if event.tokens.total() == 0 {
        without_tokens(id, false, out);
        return None;
    }
    event.rank.line = number;
    Some(event)
}
