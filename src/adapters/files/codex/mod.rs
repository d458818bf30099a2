//! Codex session logs: usage is the growth of a cumulative counter, and what answers tell that it leaves away; forks may begin with a copy
//! of their parent.

mod forks;
mod lines;
mod state;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use memchr::memmem::Finder;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::scalar::Scalar;
use super::seller;
use super::tier;
use forks::Step;
use lines::{Answer, Counts, Info, Line, Message};
use state::State;

pub(super) use forks::Sessions;

/// Reads the lines of one session.
pub(super) struct Codex {
    state: State,
    sessions: Arc<Sessions>,
    /// The steps of the parent, once looked for.
    parent: Option<Vec<Step>>,
    kinds: [Finder<'static>; 5],
}

impl Codex {
    /// A reader for one file.
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Codex {
            state: State::default(),
            sessions,
            parent: None,
            kinds: [
                // The counter's events and answers.
                "\"token_",
                "\"session_meta\"",
                "\"turn_context\"",
                "\"thread_settings_applied\"",
                "\"compacted\"",
            ]
            .map(Finder::new),
        }
    }
}

impl LineFormat for Codex {
    fn record(&mut self, text: &str, line_number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        if line_number == 1 && text.contains("\"instructions\"") {
            lines::tell_early(text, out);
        }
        let whole = text.starts_with('{') && text.ends_with('}');
        if whole && self.kinds.iter().all(|kind| kind.find(text.as_bytes()).is_none()) {
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let shape = |e: serde_json::Error| Fault::field("payload", format!("unexpected shape: {e}"));
        let Some(payload) = line.payload.map(RawValue::get) else {
            return Ok(());
        };
        match line.r#type.str() {
            "session_meta" => self.state.begin(&line, &serde_json::from_str(payload).map_err(shape)?),
            "token_usage_record" => {
                let answer: Answer<'_> = serde_json::from_str(payload).map_err(shape)?;
                return self.answered(&line, &answer, line_number, context, out);
            }
            "compacted" => self.state.compact(),
            "turn_context" => self.state.turn(&serde_json::from_str(payload).map_err(shape)?),
            "event_msg" => {
                let message: Message<'_> = serde_json::from_str(payload).map_err(shape)?;
                match (message.r#type.str(), message.info, message.thread_settings) {
                    ("token_count", Some(info), _) => return self.observe(&line, &info, line_number, context, out),
                    ("thread_settings_applied", _, Some(settings)) => self.state.settings(&settings),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> String {
        serde_json::to_string(&self.state).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.state = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Codex {
    fn observe(
        &mut self,
        line: &Line<'_>,
        info: &Info<'_>,
        line_number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        if !info.tells() {
            // No step of the counter: the next one would be taken for a new beginning.
            out.warnings.push(NO_USAGE);
            out.excluded.push("calls_without_usage");
            return Ok(());
        }
        let (total, last) = info.counts()?;
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let parent = (self.sessions.as_ref(), &mut self.parent);
        let Some((used, id)) = self.state.step((total, last), (line, at), parent, out) else {
            return Ok(());
        };
        let named = context.label(&info.model, "payload.info.model")?;
        let mut event = self.call(id, at, named, line_number, context)?;
        fill(&mut event, &used, info.excludes(), out);
        // Several requests may lie between two events: of the last one the prompt is known, of those before it what is left.
        if let Some(last) = last {
            event.asked_at_most(used.input.saturating_sub(last.input).max(last.input));
        }
        out.events.push(event);
        Ok(())
    }

    fn answered(
        &mut self,
        line: &Line<'_>,
        answer: &Answer<'_>,
        line_number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let Some(counts) = answer.counts()? else {
            out.warnings.push(NO_USAGE);
            out.excluded.push("calls_without_usage");
            return Ok(());
        };
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let Some(id) = self.state.answer(answer, counts, &self.sessions) else {
            return Ok(());
        };
        let mut event = self.call(id, at, Label::EMPTY, line_number, context)?;
        fill(&mut event, &counts.0, answer.excludes(), out);
        out.events.push(event);
        Ok(())
    }

    /// A call, with what the session tells of it.
    fn call(
        &self,
        id: EventId,
        at: DateTime<Utc>,
        named: Label,
        line_number: u64,
        context: &mut Context,
    ) -> Result<UsageEvent, Fault> {
        let state = |text: &str| Scalar::Text(text.to_owned().into());
        let model = if named.is_empty() {
            context.label(&state(&self.state.model), "turn_context.model")?
        } else {
            named
        };
        let provider = context.label(
            &state(seller(&self.state.provider, model.as_str())),
            "session_meta.model_provider",
        )?;
        let mut event = UsageEvent::new(id, at, provider, model);
        event.session = context.label(&state(&self.state.session), "session_meta.id")?;
        let project = context.label(&state(&self.state.cwd), "session_meta.cwd")?;
        event.dimensions.set(Dimension::Project, project);
        let tier = tier::of(&state(&self.state.tier), "service_tier", context)?;
        event.dimensions.set(Dimension::Tier, tier);
        event.rank.line = line_number;
        Ok(event)
    }
}

fn fill(event: &mut UsageEvent, used: &Counts, excludes: bool, out: &mut Output) {
    let cached = used.cached.saturating_add(used.written);
    let within = used.input.checked_sub(cached).filter(|_| !excludes);
    let uncached = within.unwrap_or_else(|| {
        out.warnings.push("input excludes cached tokens (Codex)");
        used.input
    });
    event.tokens.set(Bucket::InputUncached, uncached);
    event.tokens.set(Bucket::CacheRead, used.cached);
    event.tokens.set(Bucket::CacheWrite30m, used.written);
    event.tokens.set(Bucket::Output, used.output);
    event.tokens.reasoning = used.reasoning.min(used.output);
}

/// Who sells what a session asks of a provider of this name: one of Codex's own names, or one of the user's configuration, which says
/// where the requests go, most often to a gateway, and not who is paid: then the name of the model tells. Sessions of versions that tell
/// no provider are OpenAI's.
fn seller<'a>(provider: &'a str, model: &str) -> &'a str {
    match provider {
        "" => "openai",
        "oss" => "ollama",
        other if seller::is_known(other) => seller::named(other),
        gateway => seller::named(seller::behind_gateway(gateway, model)),
    }
}
