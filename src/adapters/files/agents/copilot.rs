//! Session files of GitHub Copilot CLI (`events.jsonl`). Input includes cached tokens; thoughts are within the output. Identity is the
//! response id that the provider gave. What a call costs at GitHub is told in its own requests, not in money. Versions that write no record of
//! each call tell what all used when they end.

mod sums;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use self::sums::{End, Sum, Sums};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::{seller, without_tokens, written};

/// Who sells what is not asked with a key of one's own.
const GITHUB: &str = "github-copilot";

/// What is told of a version that writes no record of each call.
const ENDS: &str = "sessions of Copilot CLI of a version that tells what it used when it ends: a sum for each model, charged at that time";

/// Ids of answers that are remembered: parts of one stand near each other.
const NEAR: usize = 8;

/// Reads the lines of one session.
#[derive(Default)]
pub(in super::super) struct Copilot {
    at: State,
    /// Answers whose usage the end of the process may tell.
    waiting: BTreeSet<EventId>,
}

#[derive(Serialize, Deserialize)]
struct State {
    session: String,
    folder: String,
    /// What the session has told; nothing where an earlier version read its beginning, of which records were met then.
    #[serde(default)]
    sums: Option<Sums>,
    /// Whether this process writes a record of each call.
    #[serde(default)]
    records: bool,
    /// The last answers.
    #[serde(default)]
    answers: Vec<String>,
}

impl Default for State {
    fn default() -> Self {
        State {
            session: String::new(),
            folder: String::new(),
            sums: Some(Sums::default()),
            records: false,
            answers: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begin<'a> {
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    context: Option<Place<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    api_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    is_byok: Scalar<'a>,
    #[serde(borrow, default)]
    model_provider: Scalar<'a>,
    #[serde(borrow, default)]
    provider_type: Scalar<'a>,
    #[serde(borrow, default)]
    api_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    accounting: Option<Accounting<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accounting<'a> {
    #[serde(borrow, default)]
    source_session_id: Scalar<'a>,
}

impl Used<'_> {
    /// Who is paid: GitHub, unless the key is the user's own.
    fn seller(&self) -> &str {
        let model = self.model.str();
        match (self.model_provider.str(), self.provider_type.str()) {
            _ if !self.is_byok.is_true() => GITHUB,
            (_, "azure") => "azure",
            // The kind of interface says nothing then.
            ("other", _) => seller("", model),
            (provider, _) => seller(provider, model),
        }
    }
}

impl LineFormat for Copilot {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(data) = line.data.map(RawValue::get).filter(|data| data.starts_with('{')) else {
            return Ok(());
        };
        match line.r#type.str() {
            "session.start" | "session.resume" => {
                let begin: Begin<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                if !begin.session_id.is_null() {
                    begin.session_id.str().clone_into(&mut self.at.session);
                }
                if let Some(place) = begin.context {
                    place.cwd.str().clone_into(&mut self.at.folder);
                }
                // What the process before has not told when it ended is told by none.
                self.waiting.clear();
                self.at.records = false;
                if let Some(sums) = &mut self.at.sums {
                    sums.begin();
                }
                Ok(())
            }
            "session.usage_record" => {
                let record: Record<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                match &record.usage {
                    Some(used) => self.call(&line, used, number, context, out),
                    None => Ok(()),
                }
            }
            "assistant.message" => {
                let message: Message<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                self.message(&line, &message, context, out)
            }
            "session.shutdown" => {
                let end: End<'_> = serde_json::from_str(data).map_err(|e| Fault::json(&e))?;
                self.end(&line, &end, number, context, out)
            }
            _ => Ok(()),
        }
    }

    fn save(&self) -> String {
        serde_json::to_string(&self.at).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.at = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Copilot {
    fn call(
        &mut self,
        line: &Line<'_>,
        used: &Used<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let id = match used.api_call_id.str() {
            "" if line.id.str().is_empty() => return Err(Fault::field("id", "missing")),
            "" => EventId::of(&[b"copilot-cli", line.id.str().as_bytes()]),
            id => context.response(id.as_bytes()),
        };
        let model = context.label(&used.model, "data.usage.model")?;
        let provider = context.labels.get(used.seller());
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("data.usage.{field}"));
        let counts = Counts {
            input: count(&used.input_tokens, "inputTokens")?,
            read: count(&used.cache_read_tokens, "cacheReadTokens")?,
            output: count(&used.output_tokens, "outputTokens")?,
            reasoning: count(&used.reasoning_tokens, "reasoningTokens")?,
            ..written(provider.as_str(), count(&used.cache_write_tokens, "cacheWriteTokens")?)
        };
        self.at.records = true;
        if let Some(sums) = &mut self.at.sums {
            sums.add(model.as_str(), Sum::of(&counts));
        }
        let mut event = UsageEvent::new(id, at, provider, model);
        event.tokens = counts.tokens(Input::Includes, "Copilot CLI", out);
        if event.tokens.total() == 0 {
            without_tokens(id, false, out);
            return Ok(());
        }
        event.rank.line = number;
        self.place(&mut event, context)?;
        let session = used.accounting.as_ref().map(|accounting| &accounting.source_session_id);
        if let Some(session) = session.filter(|session| !session.is_null()) {
            event.session = context.label(session, "data.usage.accounting.sourceSessionId")?;
        }
        out.events.push(event);
        Ok(())
    }

    /// Where the session is.
    fn place(&self, event: &mut UsageEvent, context: &mut Context) -> Result<(), Fault> {
        event.session = context.label(&Scalar::Text(self.at.session.as_str().into()), "data.sessionId")?;
        let project = context.label(&Scalar::Text(self.at.folder.as_str().into()), "cwd")?;
        event.dimensions.set(Dimension::Project, project);
        Ok(())
    }

    /// An answer, of which a record before it or the end of the process tells what it used.
    fn message(
        &mut self,
        line: &Line<'_>,
        message: &Message<'_>,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        if message.api_call_id.is_null() && message.output_tokens.is_null() {
            return Ok(());
        }
        let id = match message.api_call_id.str() {
            "" => EventId::of(&[b"copilot-cli", line.id.str().as_bytes()]),
            id => context.response(id.as_bytes()),
        };
        let name = id.to_string();
        if self.at.answers.contains(&name) {
            // Another part of it.
            return Ok(());
        }
        self.at.answers.insert(0, name);
        self.at.answers.truncate(NEAR);
        if let Some(sums) = &mut self.at.sums {
            sums.answer(message.output_tokens.count("data.outputTokens")?);
        }
        if !self.at.records {
            out.unended.push(id);
            self.waiting.insert(id);
        }
        Ok(())
    }

    /// The end of a process, which sums up what was used: a call for each model, as far as nothing told it. Each was shorter than the sum.
    fn end(
        &mut self,
        line: &Line<'_>,
        end: &End<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let Some(sums) = &mut self.at.sums else {
            return Ok(());
        };
        let told = end.sums()?;
        if told.is_empty() {
            return Ok(());
        }
        if line.id.str().is_empty() {
            return Err(Fault::field("id", "missing"));
        }
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let waiting = std::mem::take(&mut self.waiting);
        out.unended.retain(|id| !waiting.contains(id));
        out.ended.extend(waiting);
        for (name, used) in sums.end(&told, self.at.records) {
            let id = EventId::of(&[b"copilot-cli-end", line.id.str().as_bytes(), name.as_bytes()]);
            let model = context.label(&Scalar::Text(name.into()), "data.modelMetrics")?;
            let mut event = UsageEvent::new(id, at, context.labels.get(GITHUB), model);
            let counts = Counts {
                input: used.input,
                read: used.read,
                output: used.output,
                reasoning: used.reasoning,
                ..written(GITHUB, used.written)
            };
            event.tokens = counts.tokens(Input::Includes, "Copilot CLI", out);
            event.rank.line = number;
            if used.calls != 1 {
                event.rank.authority = Rank::REPORT;
            }
            out.warnings.push(ENDS);
            self.place(&mut event, context)?;
            out.events.push(event);
        }
        Ok(())
    }
}
