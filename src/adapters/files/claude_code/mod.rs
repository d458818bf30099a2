//! Claude Code: its session logs, in which one response is written as several lines, all with the same message id, and what it prints.

mod beside;
mod gaps;
mod printed;
mod record;

use memchr::memmem::Finder;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Rank, Tokens, UsageEvent};

use self::beside::Signs;
use self::gaps::{foreign, without_usage};
use self::printed::Results;
use self::record::{Line, Slot, Usage, Values, Wrapper};
use super::body::Body;
use super::iterations::{self, Part};
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::{Scalar, reported};
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
    let key = key(values)?;
    let model = context.label(values.get(Slot::Model), "message.model")?;
    // Written where it is handed over from: a call is larger than what is read of its line.
    let identity = match key {
        [b"response", id] => context.response(id),
        key => EventId::of(&key),
    };
    let provider = match seller::by_response(text(Slot::Id)) {
        "" if is_of_openrouter(text(Slot::Id)) => context.labels.get("openrouter"),
        "" => context.provider(model, seller::behind_claude_code),
        cloud => context.labels.get(cloud),
    };
    *asked = (provider, model);
    out.events.push(UsageEvent::new(identity, at, provider, model));
    let Some(event) = out.events.last_mut() else {
        return Ok(());
    };
    fill(event, values, "message.usage", context)?;
    // Declined before anything was answered, for which Anthropic charges nothing. The call stays: it replaces what earlier lines say of it.
    if text(Slot::StopReason) == "refusal"
        && event.tokens.get(Bucket::Output) == 0
        && event.provider().as_str() == "anthropic"
    {
        event.tokens = Tokens::default();
    }
    event.session = context.label(values.get(Slot::SessionId), "sessionId")?;
    let project = context.label(values.get(Slot::Cwd), "cwd")?;
    event.dimensions.set(Dimension::Project, project);
    let agent = values.get(Slot::Agent);
    if !agent.is_null() {
        event
            .dimensions
            .set(Dimension::Agent, context.label(agent, "attributionAgent")?);
    }
    event.sidechain = values.get(Slot::IsSidechain).is_true();
    event.rank = Rank {
        authority: 0,
        complete: !values.get(Slot::StopReason).is_null(),
        at,
        line: number,
    };
    if let Value::Text(cost) = values.get(Slot::Cost) {
        event.reported_cost = reported(Some(cost), "costUSD")?;
        // Copies into a session that is resumed say that they cost nothing: the line that was written first knows.
        event.rank.complete &= event.reported_cost.is_some() || cost == "null" || event.tokens.total() == 0;
    }
    if let Value::Text(iterations) = values.get(Slot::Iterations) {
        let (parent, at) = (*event, out.events.len() - 1);
        let longest = extras(iterations, &key, &parent, context, out)?;
        if let Some(event) = out.events.get_mut(at) {
            event.asked_at_most(longest);
        }
    }
    Ok(())
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

/// Prompts up to here cost the same at Anthropic, however many are summed up.
const SHORT: u64 = 200_000;

/// Iterations that the top level does not contain are calls of their own. Answers the longest prompt of those that it sums up, where that
/// may decide the price.
fn extras(
    json: &str,
    key: &[&[u8]; 2],
    parent: &UsageEvent,
    context: &mut Context,
    out: &mut Output,
) -> Result<u64, Fault> {
    let entries: Option<Vec<Usage<'_>>> = serde_json::from_str(json)
        .map_err(|e| Fault::field("message.usage.iterations", format!("unexpected shape: {e}")))?;
    let entries = entries.unwrap_or_default();
    let fallback = entries.iter().any(|entry| entry.r#type.str() == "fallback_message");
    let served = parent.model().as_str();
    let mut longest = 0;
    for (n, entry) in entries.iter().enumerate() {
        let answered = !matches!(entry.output_tokens, Scalar::Null | Scalar::Whole(0));
        match iterations::part(entry.r#type.str(), entry.model.str(), served, fallback, answered) {
            Part::Beside => {}
            Part::Within if parent.tokens.prompt() > SHORT => {
                let mut one = *parent;
                fill(&mut one, &entry.values(), "message.usage.iterations", context)?;
                longest = one.tokens.prompt().max(longest);
                continue;
            }
            Part::Within | Part::Declined => continue,
            Part::Unknown => {
                out.warnings.push(iterations::UNKNOWN);
                continue;
            }
        }
        let own = context.label(&entry.model, "message.usage.iterations.model")?;
        let model = if own.is_empty() { parent.model() } else { own };
        let [space, id] = *key;
        let id = EventId::of(&[space, id, b"iteration", n.to_string().as_bytes()]);
        // Who sold the message sold what was done for it.
        let provider = match parent.provider() {
            cloud if matches!(cloud.as_str(), "bedrock" | "vertex" | "openrouter") => cloud,
            _ => context.provider(model, seller::behind_claude_code),
        };
        let mut event = UsageEvent::new(id, parent.at, provider, model);
        fill(&mut event, &entry.values(), "message.usage.iterations", context)?;
        for dimension in [Dimension::Project, Dimension::Agent] {
            event.dimensions.set(dimension, parent.dimensions.get(dimension));
        }
        if event.tier().is_empty() {
            event.dimensions.set(Dimension::Tier, parent.tier());
        }
        event.session = parent.session;
        event.sidechain = parent.sidechain;
        event.rank = parent.rank;
        out.events.push(event);
    }
    Ok(longest)
}

/// Takes over the usage; a fault names its field below `path`.
fn fill(event: &mut UsageEvent, values: &Values<'_>, path: &str, context: &mut Context) -> Result<(), Fault> {
    take_over(event, values, context).map_err(|fault| Fault {
        field: fault.field.map(|f| format!("{path}.{f}")),
        ..fault
    })
}

fn take_over(event: &mut UsageEvent, values: &Values<'_>, context: &mut Context) -> Result<(), Fault> {
    let count = |slot: Slot, field: &str| values.get(slot).count(field);
    let small = |slot: Slot, field: &str| values.get(slot).small(field);
    let written = count(Slot::Written, "cache_creation_input_tokens")?;
    let five = count(Slot::Written5m, "cache_creation.ephemeral_5m_input_tokens")?;
    let hour = count(Slot::Written1h, "cache_creation.ephemeral_1h_input_tokens")?;
    // What the split does not explain was written at the default time to live.
    let five = five + written.saturating_sub(five + hour);
    let output = count(Slot::Output, "output_tokens")?;
    let tokens = &mut event.tokens;
    tokens.set(Bucket::InputUncached, count(Slot::Input, "input_tokens")?);
    tokens.set(Bucket::CacheRead, count(Slot::Read, "cache_read_input_tokens")?);
    tokens.set(Bucket::CacheWrite5m, five);
    tokens.set(Bucket::CacheWrite1h, hour);
    tokens.set(Bucket::Output, output);
    tokens.reasoning = count(Slot::Thinking, "output_tokens_details.thinking_tokens")?.min(output);
    let requests = &mut event.requests;
    requests.web_searches = small(Slot::WebSearches, "server_tool_use.web_search_requests")?;
    requests.web_fetches = small(Slot::WebFetches, "server_tool_use.web_fetch_requests")?;
    requests.code_executions = small(Slot::CodeExecutions, "server_tool_use.code_execution_requests")?;
    let tier = context.label(values.get(Slot::ServiceTier), "service_tier")?;
    event.dimensions.set(Dimension::Tier, tier);
    let speed = values.get(Slot::Speed);
    if !speed.is_null() && speed.str() != "standard" {
        event.speed = context.label(speed, "speed")?;
    }
    let geo = values.get(Slot::InferenceGeo);
    if !geo.is_null() && !matches!(geo.str(), "global" | "not_available") {
        event.geo = context.label(geo, "inference_geo")?;
    }
    Ok(())
}
