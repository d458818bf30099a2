//! Session files of pi, also of OpenClaw, and what its `--mode json` prints. Input excludes cached tokens; thoughts are within the output. Identity is the
//! provider's response id, which forks of a session repeat; of what is no answer the entry's id and time. An answer is of the model that gave it;
//! a summary names none and is of the one that the session asks. What OpenClaw has other agents' programs ask is told by their own sessions.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::value::Value;
use super::{RESELLERS, by_content, seller, without_tokens, written};

/// Bytes at most of a session's beginning that are looked through for whom it asked.
const MOST_ABOVE: u64 = 256 << 20;

/// Reads the lines of one session.
#[derive(Default)]
pub(in super::super) struct Pi {
    session: String,
    folder: String,
    /// Whether the session began as a copy of another one.
    fork: bool,
    /// Whom the session asks now, and for which model.
    provider: String,
    model: String,
    /// Whether that is not known of what was read before: earlier builds did not keep it.
    forgot: bool,
    /// The session of Codex that tells the line at hand, and what takes back what was recorded of that.
    pub mirrored: Option<(String, UsageEvent)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
    #[serde(borrow, default)]
    parent_session: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    model_id: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    /// Whether an extension made it, of whatever model.
    #[serde(borrow, default)]
    from_hook: Scalar<'a>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    api: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    /// The one that answered, where it is not the one that was asked.
    #[serde(borrow, default)]
    response_model: Scalar<'a>,
    #[serde(borrow, default)]
    tool_call_id: Scalar<'a>,
    #[serde(borrow, default)]
    idempotency_key: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    response_id: Scalar<'a>,
    #[serde(borrow, default)]
    stop_reason: Scalar<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    input: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write: Scalar<'a>,
    /// The part of it that is kept for an hour.
    #[serde(borrow, default)]
    cache_write_1h: Scalar<'a>,
    #[serde(borrow, default)]
    total_tokens: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    cost: Option<Cost<'a>>,
}

#[derive(Deserialize)]
struct Cost<'a> {
    #[serde(borrow, default)]
    total: Option<&'a RawValue>,
}

impl Message<'_> {
    /// Whether it is what OpenClaw notes of something that it sent to people, as an answer of its own by no model.
    fn is_sent(&self) -> bool {
        self.provider.str() == "openclaw" && ["delivery-mirror", "gateway-injected"].contains(&self.model.str())
    }
}

impl Used<'_> {
    /// What it is said to cost.
    fn reported(&self, place: &str) -> Result<Option<Decimal>, Fault> {
        let total = self.cost.as_ref().and_then(|cost| cost.total);
        reported(total.map(RawValue::get), place)
    }

    /// What was used of a seller.
    fn counts(&self, seller: &str, place: &str) -> Result<Counts, Fault> {
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("{place}.{field}"));
        let all_written = count(&self.cache_write, "cacheWrite")?;
        let for_an_hour = count(&self.cache_write_1h, "cacheWrite1h")?.min(all_written);
        Ok(Counts {
            input: count(&self.input, "input")?,
            read: count(&self.cache_read, "cacheRead")?,
            output: count(&self.output, "output")?,
            total: count(&self.total_tokens, "totalTokens")?,
            write_1h: for_an_hour,
            ..written(seller, all_written - for_an_hour)
        })
    }
}

impl LineFormat for Pi {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        match line.r#type.str() {
            "session" => self.begin(&line),
            "model_change" => self.asks(&line.provider, &line.model_id),
            "message" | "message_end" => return self.message(&line, number, context, out),
            "compaction" | "branch_summary" | "usage" => return self.beside(&line, number, context, out),
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> String {
        let state = (&self.session, &self.folder, self.fork, &self.provider, &self.model);
        serde_json::to_string(&state).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        (self.session, self.folder, self.fork, self.provider, self.model) =
            serde_json::from_str(state).unwrap_or_else(|_| {
                // As earlier builds wrote it.
                let (session, folder, fork) = serde_json::from_str(state).unwrap_or_default();
                (session, folder, fork, String::new(), String::new())
            });
        self.forgot = self.model.is_empty();
    }
}

impl Pi {
    fn begin(&mut self, line: &Line<'_>) {
        line.id.str().clone_into(&mut self.session);
        line.cwd.str().clone_into(&mut self.folder);
        self.fork = !line.parent_session.is_null();
    }

    fn asks(&mut self, provider: &Scalar<'_>, model: &Scalar<'_>) {
        provider.str().clone_into(&mut self.provider);
        model.str().clone_into(&mut self.model);
    }

    /// A reader of the lines behind the first one of a session.
    pub fn behind(first: &str) -> Self {
        let mut pi = Pi::default();
        if let Ok(line) = serde_json::from_str::<Line<'_>>(first)
            && line.r#type.str() == "session"
        {
            pi.begin(&line);
        }
        pi
    }

    /// Takes up whom the session asked by an earlier line; answers whether that tells.
    pub fn asked_by(&mut self, earlier: &str) -> bool {
        let Ok(line) = serde_json::from_str::<Line<'_>>(earlier) else {
            return false;
        };
        match (line.r#type.str(), line.message) {
            ("model_change", _) => self.asks(&line.provider, &line.model_id),
            ("message", Some(raw)) => {
                let message = serde_json::from_str::<Message<'_>>(raw.get());
                if let Ok(message) = message.as_ref()
                    && message.role.str() == "assistant"
                    && !message.is_sent()
                {
                    self.asks(&message.provider, &message.model);
                }
            }
            _ => {}
        }
        !self.model.is_empty()
    }

    fn message(&mut self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let raw = line.message.filter(|raw| raw.get().starts_with('{'));
        let Some(message) = raw.map(|raw| serde_json::from_str::<Message<'_>>(raw.get())) else {
            return Ok(());
        };
        let message = message.map_err(|e| Fault::json(&e))?;
        let at = |context: &mut Context, out: &mut Output| match message.timestamp.is_null() {
            true => context.time(&line.timestamp, "timestamp", out),
            false => context.time(&message.timestamp, "message.timestamp", out),
        };
        match message.role.str() {
            "assistant" if !message.is_sent() => {
                let at = at(context, out)?;
                self.answer(&message, at, number, context, out)
            }
            "toolResult" if message.usage.is_some() => {
                let at = at(context, out)?;
                self.tool(&message, at, number, context, out)
            }
            _ => Ok(()),
        }
    }

    fn answer(
        &mut self,
        message: &Message<'_>,
        at: DateTime<Utc>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        self.asks(&message.provider, &message.model);
        let asked = context.label(&message.model, "message.model")?;
        let answered = context.label(&message.response_model, "message.responseModel")?;
        // Who sells models of others under names of its own charges by what was asked of it.
        let by_name = RESELLERS.contains(&message.provider.str()) && !asked.as_str().ends_with("auto");
        let model = if answered.is_empty() || by_name {
            asked
        } else {
            answered
        };
        let provider = context.labels.get(seller(message.provider.str(), model.as_str()));
        let nothing = Used::default();
        let used = message.usage.as_ref().unwrap_or(&nothing);
        let counts = used.counts(provider.as_str(), "message.usage")?;
        let id = match message.response_id.str() {
            "" => by_content("pi", [at, at], asked.as_str(), &counts),
            id => context.response(id.as_bytes()),
        };
        let mirrored = message.idempotency_key.str().strip_prefix("codex-app-server:");
        if mirrored.is_some() || message.api.str() == "cli" {
            out.excluded_once.push(("calls_of_other_agents", id));
            let thread = mirrored.and_then(|key| key.split(':').next());
            self.mirrored = thread.map(|thread| {
                let mut nothing = UsageEvent::new(id, at, provider, model);
                nothing.rank.line = Rank::TAKEN_BACK;
                (thread.to_owned(), nothing)
            });
            return Ok(());
        }
        // What was cut off is told with what its beginning said.
        let whole = !matches!(message.stop_reason.str(), "error" | "aborted");
        let mut event = self.call(id, at, (provider, model), number, context)?;
        event.tokens = counts.tokens(Input::Excludes, "pi", out);
        if event.tokens.total() == 0 {
            let answered = !message.response_id.is_null() || message.content.is_some_and(|raw| raw.get() != "[]");
            without_tokens(id, !whole && !answered, out);
            return Ok(());
        }
        event.rank.complete = whole;
        if model != asked || counts.write_1h > 0 {
            // Before it was charged as what was asked, and as kept for minutes: what is told now stands above that.
            event.rank.at += TimeDelta::milliseconds(1);
        }
        event.reported_cost = used.reported("message.usage.cost.total")?;
        out.events.push(event);
        Ok(())
    }

    /// What a tool asked of models, which are not told: one sum of all its calls.
    fn tool(
        &self,
        message: &Message<'_>,
        at: DateTime<Utc>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let Some(used) = &message.usage else { return Ok(()) };
        let counts = used.counts("", "message.usage")?;
        let begun = at.timestamp_millis().to_string();
        let id = EventId::of(&[b"pi-tool", message.tool_call_id.str().as_bytes(), begun.as_bytes()]);
        let mut event = self.call(id, at, (Label::EMPTY, Label::EMPTY), number, context)?;
        event.tokens = counts.tokens(Input::Excludes, "pi", out);
        if event.tokens.total() > 0 {
            event.rank.authority = Rank::REPORT;
            event.reported_cost = used.reported("message.usage.cost.total")?;
            out.warnings
                .push("tools of pi tell what they used of models, and not of which: such calls have no price");
            out.events.push(event);
        }
        Ok(())
    }

    /// A request that is no answer: for a summary, or to keep a cache.
    fn beside(&mut self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let raw = line.usage.filter(|raw| raw.get().starts_with('{'));
        let used: Option<Used<'_>> = raw
            .map(|raw| serde_json::from_str(raw.get()))
            .transpose()
            .map_err(|e| Fault::json(&e))?;
        let is_summary = line.r#type.str() != "usage";
        if std::mem::take(&mut self.forgot) && self.model.is_empty() {
            // No call is read again, but whom the lines above asked.
            let above = usize::try_from(number.saturating_sub(1)).unwrap_or_default();
            let file = File::open(&context.file).map(|file| BufReader::new(file.take(MOST_ABOVE)));
            let lines = file.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
            lines.take(above).for_each(|line| _ = self.asked_by(&line));
        }
        let (provider, model) = match (is_summary, line.from_hook.is_true()) {
            (false, _) => (line.provider.str(), line.model.str()),
            (true, false) => (self.provider.as_str(), self.model.as_str()),
            (true, true) => ("", ""),
        };
        let model = context.label(Value::Text(model), "model")?;
        let provider = match model.is_empty() {
            true => Label::EMPTY,
            false => context.labels.get(seller(provider, model.as_str())),
        };
        let used = used.unwrap_or_default();
        let tokens = used
            .counts(provider.as_str(), "usage")?
            .tokens(Input::Excludes, "pi", out);
        let (entry, begun) = (line.id.str().as_bytes(), line.timestamp.str().as_bytes());
        if tokens.total() == 0 {
            if is_summary {
                out.warnings.push(
                    "compactions and summaries of pi without usage, as it wrote them until July 2026: coverage gap",
                );
                let id = EventId::of(&[b"pi-summary", entry, begun]);
                out.excluded_once.push(("calls_without_usage", id));
            }
            return Ok(());
        }
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let id = EventId::of(&[b"pi-usage", entry, begun]);
        let mut event = self.call(id, at, (provider, model), number, context)?;
        event.tokens = tokens;
        event.reported_cost = used.reported("usage.cost.total")?;
        out.events.push(event);
        Ok(())
    }

    /// A call of the session, of nothing so far.
    fn call(
        &self,
        id: EventId,
        at: DateTime<Utc>,
        (provider, model): (Label, Label),
        number: u64,
        context: &mut Context,
    ) -> Result<UsageEvent, Fault> {
        let mut event = UsageEvent::new(id, at, provider, model);
        event.rank.line = number;
        event.sidechain = self.fork;
        event.session = context.label(Value::Text(&self.session), "id")?;
        let project = context.label(Value::Text(&self.folder), "cwd")?;
        event.dimensions.set(Dimension::Project, project);
        Ok(event)
    }
}
