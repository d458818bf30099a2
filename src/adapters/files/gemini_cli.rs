//! Session files of Gemini CLI, and of Qwen Code, which began as a copy of it and writes lines in the outline of Claude Code's.

mod printed;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::counts::{Counts, Input};
use super::gemini::Metadata;
use super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::object;
use super::scalar::Scalar;
use super::seller;
use printed::Stats;

/// Tools that ask a model of their own, of which nothing else is written.
const ASKING: [&str; 2] = ["google_web_search", "web_fetch"];

/// Reads the lines of one session.
#[derive(Default)]
pub(super) struct GeminiCli {
    /// The session, as Gemini CLI tells it once.
    session: String,
    /// Whether Qwen Code wrote a line for each answer that it got: the message made of it tells the same again.
    answers: bool,
}

/// A line of either, or a whole session as older versions of Gemini CLI write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default)]
    uuid: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage_metadata: Option<Metadata<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    system_payload: Option<System<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    tokens: Option<Used<'a>>,
    #[serde(borrow, default, deserialize_with = "object::list")]
    tool_calls: Option<Vec<Tool<'a>>>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default, rename = "$set", deserialize_with = "object::one")]
    set: Option<Set<'a>>,
    /// What it prints.
    #[serde(borrow, default, rename = "session_id")]
    printed_session: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    stats: Option<Stats<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    name: Scalar<'a>,
}

/// `tokens` of Gemini CLI's messages.
#[derive(Deserialize)]
struct Used<'a> {
    #[serde(borrow, default)]
    input: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    cached: Scalar<'a>,
    #[serde(borrow, default)]
    thoughts: Scalar<'a>,
    #[serde(borrow, default)]
    tool: Scalar<'a>,
    #[serde(borrow, default)]
    total: Scalar<'a>,
}

impl Used<'_> {
    /// Thoughts stand beside the output. Of Qwen Code, which asks many, the total tells whether they do.
    fn counts(&self, of_qwen: bool) -> Result<Counts, Fault> {
        let thoughts = self.thoughts.count("tokens.thoughts")?;
        let beside = if of_qwen { 0 } else { thoughts };
        Ok(Counts {
            input: self.input.count("tokens.input")?,
            read: self.cached.count("tokens.cached")?,
            beside: self.tool.count("tokens.tool")?,
            output: self.output.count("tokens.output")?.saturating_add(beside),
            reasoning: thoughts,
            total: self.total.count("tokens.total")?,
            ..Counts::default()
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct System<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    ui_event: Option<Answer<'a>>,
}

/// What Qwen Code notes of an answer.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, rename = "event.name")]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    response_id: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    input_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    output_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    cached_content_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    thoughts_token_count: Scalar<'a>,
    #[serde(borrow, default)]
    total_token_count: Scalar<'a>,
}

impl Answer<'_> {
    /// Whether thoughts stand beside the output is told by the total.
    fn counts(&self) -> Result<Counts, Fault> {
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("systemPayload.uiEvent.{field}"));
        Ok(Counts {
            input: count(&self.input_token_count, "input_token_count")?,
            read: count(&self.cached_content_token_count, "cached_content_token_count")?,
            output: count(&self.output_token_count, "output_token_count")?,
            reasoning: count(&self.thoughts_token_count, "thoughts_token_count")?,
            total: count(&self.total_token_count, "total_token_count")?,
            ..Counts::default()
        })
    }
}

impl LineFormat for GeminiCli {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if !line.uuid.is_null() {
            return self.of_qwen(&line, number, context, out);
        }
        if !line.session_id.str().is_empty() {
            line.session_id.str().clone_into(&mut self.session);
        }
        if !line.printed_session.str().is_empty() {
            line.printed_session.str().clone_into(&mut self.session);
        }
        if let Some(stats) = &line.stats {
            return stats.read(text, &line.timestamp, (&self.session, number), context, out);
        }
        let set = line.set.as_ref().and_then(|set| set.messages.as_deref());
        for message in [line.messages.as_deref(), set].into_iter().flatten().flatten() {
            // What another version keeps among the messages is none.
            if let Ok(message) = serde_json::from_str::<Line<'_>>(message.get())
                && let Err(fault) = self.message(&message, number, context, out)
            {
                out.faults.push(fault);
            }
        }
        self.message(&line, number, context, out)
    }

    fn save(&self) -> String {
        serde_json::to_string(&(&self.session, self.answers)).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        (self.session, self.answers) = serde_json::from_str(state).unwrap_or_default();
    }
}

impl GeminiCli {
    /// A message of Gemini CLI, or of Qwen Code while its sessions were of the same form. It is written again when its tools have run.
    fn message(&self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let of_qwen = match line.r#type.str() {
            "gemini" => false,
            "qwen" => true,
            _ => return Ok(()),
        };
        for tool in line
            .tool_calls
            .iter()
            .flatten()
            .filter(|tool| ASKING.contains(&tool.name.str()))
        {
            out.warnings.push(match of_qwen {
                true => "searches and fetches of Qwen Code: what the model that they ask used is in no session file: coverage gap",
                false => "searches and fetches of Gemini CLI: what the model that they ask used is in no session file: coverage gap",
            });
            let id = EventId::of(&[b"gemini-cli-tool", tool.id.str().as_bytes()]);
            out.excluded_once.push(("calls_without_usage", id));
        }
        let id = line.id.str();
        if id.is_empty() {
            return Err(Fault::field("id", "missing"));
        }
        let whose: &[u8] = if of_qwen { b"qwen-code" } else { b"gemini-cli" };
        let id = EventId::of(&[whose, id.as_bytes()]);
        let Some(used) = &line.tokens else {
            // It may be written again with them.
            out.unended.push(id);
            return Ok(());
        };
        let (sold_by, emitter): (fn(&str) -> &'static str, _) = match of_qwen {
            true => (of_qwen_code, "Qwen Code"),
            false => (|_| "google", "Gemini CLI"),
        };
        let mut event = call(line, id, (&line.model, sold_by), number, context, out)?;
        event.session = context.label(&Scalar::Text(self.session.as_str().into()), "sessionId")?;
        event.tokens = used.counts(of_qwen)?.tokens(Input::Includes, emitter, out);
        out.tell_empty(&event);
        out.events.push(event);
        Ok(())
    }

    fn of_qwen(&mut self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let noted = line.system_payload.as_ref().and_then(|system| system.ui_event.as_ref());
        let noted = noted.filter(|answer| answer.name.str() == "qwen-code.api_response");
        let told = line.usage_metadata.as_ref().filter(|usage| usage.is_usage());
        let (model, counts) = match (noted, told) {
            (Some(answer), _) => {
                self.answers = true;
                (&answer.model, answer.counts()?)
            }
            (None, _) if line.r#type.str() != "assistant" || self.answers => return Ok(()),
            (None, Some(usage)) => {
                // As above, also where thoughts are within the output.
                let counts = usage.counts()?;
                let output = counts.output.saturating_sub(counts.reasoning);
                (&line.model, Counts { output, ..counts })
            }
            // Claude Code's own lines have another role, and may stand in one file with these.
            (None, None) if line.message.as_ref().is_none_or(|m| m.role.str() != "model") => return Ok(()),
            (None, None) => {
                out.warnings.push(NO_USAGE);
                out.excluded.push("calls_without_usage");
                return Ok(());
            }
        };
        let id = match noted.map_or("", |answer| answer.response_id.str()) {
            "" => EventId::of(&[b"qwen-code", line.uuid.str().as_bytes()]),
            id => context.response(id.as_bytes()),
        };
        let mut event = call(line, id, (model, of_qwen_code), number, context, out)?;
        event.session = context.label(&line.session_id, "sessionId")?;
        let project = context.label(&line.cwd, "cwd")?;
        event.dimensions.set(Dimension::Project, project);
        event.tokens = counts.tokens(Input::Includes, "Qwen Code", out);
        out.tell_empty(&event);
        out.events.push(event);
        Ok(())
    }
}

fn call(
    line: &Line<'_>,
    id: EventId,
    (model, sold_by): (&Scalar<'_>, fn(&str) -> &'static str),
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<UsageEvent, Fault> {
    let at = context.time(&line.timestamp, "timestamp", out)?;
    let model = context.label(model, "model")?;
    let provider = context.labels.get(sold_by(model.as_str()));
    let mut event = UsageEvent::new(id, at, provider, model);
    event.rank.line = number;
    Ok(event)
}

/// Qwen Code does not say whom it asks: its own models are Alibaba Cloud's.
fn of_qwen_code(model: &str) -> &'static str {
    match seller::by_model(model) {
        "" if model.starts_with("qwen") && !model.contains(['/', ':']) => "dashscope",
        seller => seller,
    }
}
