//! Session files of pi, also of OpenClaw, and what its `--mode json` prints. Input excludes cached tokens; thoughts are within the output. Identity is the
//! provider's response id, which forks of a session repeat.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::{by_content, seller, without_tokens, written};

/// Reads the lines of one session.
#[derive(Default)]
pub(in super::super) struct Pi {
    session: String,
    folder: String,
    /// Whether the session began as a copy of another one.
    fork: bool,
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
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
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

impl LineFormat for Pi {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        match line.r#type.str() {
            "session" => self.begin(&line),
            "message" | "message_end" => return self.message(&line, number, context, out),
            "compaction" | "branch_summary" => {
                out.warnings
                    .push("compactions and summaries of pi: what they asked is in no session file: coverage gap");
                let id = EventId::of(&[b"pi-summary", line.id.str().as_bytes(), line.timestamp.str().as_bytes()]);
                out.excluded_once.push(("calls_without_usage", id));
            }
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> String {
        serde_json::to_string(&(&self.session, &self.folder, self.fork)).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        (self.session, self.folder, self.fork) = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Pi {
    fn begin(&mut self, line: &Line<'_>) {
        line.id.str().clone_into(&mut self.session);
        line.cwd.str().clone_into(&mut self.folder);
        self.fork = !line.parent_session.is_null();
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

    fn message(&self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let raw = line.message.filter(|raw| raw.get().starts_with('{'));
        let Some(message) = raw.map(|raw| serde_json::from_str::<Message<'_>>(raw.get())) else {
            return Ok(());
        };
        let message = message.map_err(|e| Fault::json(&e))?;
        // OpenClaw notes what it sent to people as an answer of its own, by no model.
        let is_sent = ["delivery-mirror", "gateway-injected"].contains(&message.model.str());
        if message.role.str() != "assistant" || (is_sent && message.provider.str() == "openclaw") {
            return Ok(());
        }
        let at = match message.timestamp.is_null() {
            true => context.time(&line.timestamp, "timestamp", out)?,
            false => context.time(&message.timestamp, "message.timestamp", out)?,
        };
        let model = context.label(&message.model, "message.model")?;
        let provider = context.labels.get(seller(message.provider.str(), model.as_str()));
        let used = message.usage.unwrap_or_default();
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("message.usage.{field}"));
        let counts = Counts {
            input: count(&used.input, "input")?,
            read: count(&used.cache_read, "cacheRead")?,
            output: count(&used.output, "output")?,
            total: count(&used.total_tokens, "totalTokens")?,
            ..written(provider.as_str(), count(&used.cache_write, "cacheWrite")?)
        };
        let id = match message.response_id.str() {
            "" => by_content("pi", [at, at], model.as_str(), &counts),
            id => context.response(id.as_bytes()),
        };
        // What was cut off is told with what its beginning said.
        let whole = !matches!(message.stop_reason.str(), "error" | "aborted");
        let mut event = UsageEvent::new(id, at, provider, model);
        event.tokens = counts.tokens(Input::Excludes, "pi", out);
        if event.tokens.total() == 0 {
            let answered = !message.response_id.is_null() || message.content.is_some_and(|raw| raw.get() != "[]");
            without_tokens(id, !whole && !answered, out);
            return Ok(());
        }
        event.rank.line = number;
        event.rank.complete = whole;
        event.sidechain = self.fork;
        event.session = context.label(&Scalar::Text(self.session.as_str().into()), "id")?;
        let project = context.label(&Scalar::Text(self.folder.as_str().into()), "cwd")?;
        event.dimensions.set(Dimension::Project, project);
        let cost = used.cost.and_then(|cost| cost.total).map(RawValue::get);
        event.reported_cost = reported(cost, "message.usage.cost.total")?;
        out.events.push(event);
        Ok(())
    }
}
