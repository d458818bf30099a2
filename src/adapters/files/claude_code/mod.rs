//! Claude Code: its session logs, in which one response is written as several lines, all with the same message id, and what it prints.

mod beside;
mod gaps;
mod printed;
mod record;
mod used;

use memchr::memmem::Finder;

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Tokens, UsageEvent};

use self::beside::Signs;
use self::gaps::{foreign, without_usage};
use self::printed::Results;
use self::record::{Line, Slot, Values, Wrapper};
use self::used::{Used, with_iterations};
use super::body::Body;
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::reported;
use super::scan::{Line as Next, Lines};
use super::seller;
use super::value::Value;

/// Reads Claude Code lines.
pub(super) struct ClaudeCode {
    usage: Finder<'static>,
    api_error: Finder<'static>,
    stop_reason: Finder<'static>,
    foreign: Finder<'static>,
    signs: Signs,
    /// Who sold the last answer, and its model: searches tell neither.
    asked: Asked,
    results: Results,
    /// Whether a line told its usage. Until one does, answers are looked for that tell none: a version may have other names.
    met: bool,
}

/// A provider and a model.
type Asked = (Label, Label);

impl ClaudeCode {
    /// A reader of one file.
    pub fn new() -> Self {
        ClaudeCode {
            usage: Finder::new(b"\"usage\""),
            api_error: Finder::new(b"\"isApiErrorMessage\""),
            stop_reason: Finder::new(b"\"stop_reason\""),
            foreign: Finder::new(b"\"usageMetadata\""),
            signs: Signs::new(),
            asked: (Label::EMPTY, Label::EMPTY),
            results: Results::default(),
            met: false,
        }
    }

    /// Whether a whole line can be passed over: it has the outline of an object and names nothing that matters. Quotes
    /// inside a JSON text are escaped, so the pattern cannot be hidden or faked by message content.
    fn irrelevant(&self, text: &[u8]) -> bool {
        text.first() == Some(&b'{')
            && text.last() == Some(&b'}')
            && self.usage.find(text).is_none()
            && self.api_error.find(text).is_none()
    }
}

impl LineFormat for ClaudeCode {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let mut values = Values::default();
        if values.scan_known(text, &mut context.forms.claude_code).is_none() {
            if self.irrelevant(text.as_bytes()) {
                if !self.met && self.stop_reason.find(text.as_bytes()).is_some() {
                    // Nobody has looked whether such a line is whole.
                    return Line::parse(text).map_or(Ok(()), |line| self.general(&line, text, number, context, out));
                }
                if !self.met && self.foreign.find(text.as_bytes()).is_some() {
                    foreign(text, out);
                    return Ok(());
                }
                if !self.met && printed::is_cost_alone(text) {
                    return self.results.read(text, number, context, out);
                }
                return self.beside(text, number, context, out);
            }
            if values.scan(text, &mut context.forms.claude_code).is_none() {
                return self.general(&Line::parse(text)?, text, number, context, out);
            }
        }
        match values.get(Slot::Type).str() {
            "assistant" | "" => {
                self.met = true;
                self.answer(&values, text, number, context, out)
            }
            "result" => self.results.read(text, number, context, out),
            _ => self.beside(text, number, context, out),
        }
    }

    fn calls(&mut self, lines: &mut Lines<'_>, most: usize, context: &mut Context, out: &mut Output) {
        let read = |values: &Values<'_>, line: Next<'_>, context: &mut Context, out: &mut Output| {
            // Lines without a session are something else, and keep what was read of them.
            if !matches!(values.get(Slot::Type).str(), "assistant" | "") || values.get(Slot::SessionId).is_null() {
                return Ok(());
            }
            self.met = true;
            self.answer(values, line.text, line.number, context, out)
        };
        lines.calls(
            most,
            |forms| &mut forms.claude_code,
            Values::default(),
            context,
            out,
            read,
        );
    }

    fn save(&self) -> String {
        let (provider, model) = self.asked;
        if provider.is_empty() && self.results.is_empty() {
            return String::new();
        }
        let state = (provider.as_str(), model.as_str(), &self.results);
        serde_json::to_string(&state).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        let (provider, model, results): (String, String, Results) = serde_json::from_str(state).unwrap_or_default();
        self.asked = (Label::new(&provider), Label::new(&model));
        self.results = results;
    }
}

impl ClaudeCode {
    /// A line from the general parser. One of progress carries the line of a subagent.
    #[inline(never)]
    fn general(
        &mut self,
        line: &Line<'_>,
        text: &str,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        match line.r#type.str() {
            "assistant" | "" if line.message.is_some() => self.answer(&line.values(), text, number, context, out),
            "result" => self.results.read(text, number, context, out),
            "progress" => {
                let Some(data) = line.data else { return Ok(()) };
                // Other kinds of progress have data of other shapes and no usage.
                let Ok(wrapper) = serde_json::from_str::<Wrapper<'_>>(data.get()) else {
                    return Ok(());
                };
                let Some(inner) = wrapper.message else { return Ok(()) };
                if inner.message.is_none() || !matches!(inner.r#type.str(), "assistant" | "") {
                    return Ok(());
                }
                let mut values = inner.values();
                let outer = line.values();
                for slot in [Slot::Timestamp, Slot::SessionId, Slot::Cwd] {
                    values.set(slot, values.get(slot).or(outer.get(slot)));
                }
                values.set(Slot::IsSidechain, Value::Bool(true));
                observe(&values, number, &mut self.asked, context, out)
            }
            _ => self.beside(text, number, context, out),
        }
    }

    #[inline(always)]
    fn answer(
        &mut self,
        values: &Values<'_>,
        text: &str,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        if values.get(Slot::SessionId).is_null() {
            if printed::is_part(text) {
                self.results.pass(text, values.get(Slot::Model).str(), out);
                return Ok(());
            }
            if values.get(Slot::Timestamp).is_null() && printed::is_answer(text) {
                return Body::default().record(text, number, context, out);
            }
        }
        let at = out.events.len();
        observe(values, number, &mut self.asked, context, out)?;
        if is_of_openrouter(values.get(Slot::Id).str())
            && let Some(event) = out.events.get_mut(at)
        {
            event.reported_cost = event.reported_cost.or(record::told_cost(text)?);
        }
        Ok(())
    }

    /// A line that is no answer.
    fn beside(&self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        match self.signs.are_in(text.as_bytes()) {
            true => beside::read(text, number, self.asked, context, out),
            false => Ok(()),
        }
    }
}

fn observe(
    values: &Values<'_>,
    number: u64,
    asked: &mut Asked,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let text = |slot: Slot| values.get(slot).str();
    if text(Slot::Model) == "<synthetic>" {
        out.excluded.push("synthetic");
        return Ok(());
    }
    let used = [Slot::Input, Slot::Output, Slot::Written, Slot::Read];
    if used.into_iter().all(|slot| values.get(slot).is_null()) {
        without_usage(values, out);
        return Ok(());
    }
    let at = context.time(values.get(Slot::Timestamp), "timestamp", out)?;
    let id = text(Slot::Id);
    let other_key = if id.is_empty() { Some(key(values)?) } else { None };
    let model = context.label(values.get(Slot::Model), "message.model")?;
    let provider = match id.as_bytes() {
        // Ids may tell who sold: all that do begin so.
        [b'm', _, _, _, b'b' | b'v', ..] | [b'g', ..] => seller_by(id, model, context),
        _ => context.provider(model, seller::behind_claude_code),
    };
    *asked = (provider, model);
    let Used {
        mut tokens,
        requests,
        tier,
        speed,
        geo,
    } = Used::of(values, "message.usage", context)?;
    // Declined before anything was answered, for which Anthropic charges nothing. The call stays: it replaces what earlier lines say of it.
    if text(Slot::StopReason) == "refusal" && tokens.get(Bucket::Output) == 0 && provider.as_str() == "anthropic" {
        tokens = Tokens::default();
    }
    let session = context.label(values.get(Slot::SessionId), "sessionId")?;
    let project = context.label(values.get(Slot::Cwd), "cwd")?;
    let agent = context.label(values.get(Slot::Agent), "attributionAgent")?;
    let mut rank = Rank {
        authority: 0,
        complete: !values.get(Slot::StopReason).is_null(),
        at,
        line: number,
    };
    let mut reported_cost = None;
    if let Value::Text(cost) = values.get(Slot::Cost) {
        reported_cost = reported(Some(cost), "costUSD")?;
        // Copies into a session that is resumed say that they cost nothing: the line that was written first knows.
        rank.complete &= reported_cost.is_some() || cost == "null" || tokens.total() == 0;
    }
    let mut dimensions = Dimensions::default();
    for (dimension, name) in [
        (Dimension::Provider, provider),
        (Dimension::Model, model),
        (Dimension::Agent, agent),
        (Dimension::Project, project),
        (Dimension::Tier, tier),
    ] {
        dimensions.set(dimension, name);
    }
    let identity = match other_key {
        Some(key) => EventId::of(&key),
        None => out.pending.of(b"response", id.as_bytes()),
    };
    // Written once, where it is handed over from: a call is larger than what is read of its line.
    out.events.push(UsageEvent {
        id: identity,
        at,
        dimensions,
        session,
        sidechain: values.get(Slot::IsSidechain).is_true(),
        tokens,
        requests,
        speed,
        geo,
        extras: Label::EMPTY,
        rank,
        reported_cost,
    });
    match values.get(Slot::Iterations) {
        Value::Text(iterations) => with_iterations(iterations, values, context, out),
        Value::Null | Value::Whole(_) | Value::Negative(_) | Value::Float(_) | Value::Bool(_) | Value::Other => Ok(()),
    }
}

/// Who sold a call, where the id of its response may tell.
#[cold]
fn seller_by(id: &str, model: Label, context: &mut Context) -> Label {
    match seller::by_response(id) {
        "" if is_of_openrouter(id) => context.labels.get("openrouter"),
        "" => context.provider(model, seller::behind_claude_code),
        cloud => context.labels.get(cloud),
    }
}

/// Whether the id of a message is one of OpenRouter's.
fn is_of_openrouter(id: &str) -> bool {
    id.starts_with("gen-")
}

/// What tells the call of a line apart.
fn key<'v>(values: &Values<'v>) -> Result<[&'v [u8]; 2], Fault> {
    let text = |slot: Slot| values.get(slot).str();
    Ok(match (text(Slot::Id), text(Slot::RequestId), text(Slot::Uuid)) {
        ("", "", "") => {
            return Err(Fault::field(
                "message.id",
                "missing, and no `requestId` or `uuid` either",
            ));
        }
        ("", "", uuid) => [b"claude-code-line", uuid.as_bytes()],
        ("", request, _) => [b"claude-code-request", request.as_bytes()],
        (id, _, _) => [b"response", id.as_bytes()],
    })
}
