//! What `claude -p` prints as JSON: a result that sums up by model what its process has used, and the lines on the way to it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use memchr::memmem;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::body::Body;
use super::super::line::{Context, Fault, LineFormat as _, NO_USAGE, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::seller;
use super::super::tags::content_identity;
use super::super::value::Value;
use super::record::{Slot, Usage, Values};
use super::used::Used;

/// What is told of results.
const RESULTS: &str =
    "results that Claude Code prints: its session logs tell the same calls, and where both are read they count twice";
/// What is told of results of several models, or with calls beside the session.
const UNSPLIT: &str = "results that Claude Code prints do not say how long all was to be cached: charged as 5 minutes";

/// What is told of results of versions that do not sum up by model.
const ALONE: &str = "results that older versions of Claude Code print sum up a session's own answers, if anything: what subagents and calls beside it used is in none: coverage gap";

/// Sessions whose last result is remembered. A file holds the results of one, as a rule.
const SESSIONS: usize = 8;

/// The last results of a file: a process that is given several prompts sums up all of them in each result.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Results {
    last: Vec<Summed>,
    /// The model that answered last. Older versions' results name none, and sum up the answers of the session alone.
    #[serde(default)]
    model: String,
}

#[derive(Serialize, Deserialize)]
struct Summed {
    session: String,
    models: BTreeMap<String, Counts>,
    /// The line that it stands in.
    line: u64,
}

/// What was used.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    input: u64,
    read: u64,
    written: u64,
    output: u64,
    searches: u64,
    /// In dollars, as Claude Code reckons it.
    cost: Decimal,
}

/// One result.
#[derive(Deserialize)]
struct Printed<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default)]
    uuid: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    /// Of the last prompt, without calls beside the session.
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, rename = "modelUsage")]
    models: Option<BTreeMap<Cow<'a, str>, Model<'a>>>,
    /// The same in versions before 1.0.
    #[serde(borrow, default)]
    total_cost: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "total_cost_usd")]
    cost: Option<&'a RawValue>,
}

/// What all calls of one model have used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    web_search_requests: Scalar<'a>,
    #[serde(borrow, default)]
    context_window: Scalar<'a>,
    #[serde(borrow, default, rename = "costUSD")]
    cost: Option<&'a RawValue>,
}

/// Whether an answer is one that is printed, not one of a session log.
#[cold]
pub(super) fn is_part(text: &str) -> bool {
    let has = |key: &str| memmem::find(text.as_bytes(), key.as_bytes()).is_some();
    has("\"session_id\"") && has("\"parent_tool_use_id\"")
}

/// Whether it is one of a version that does not say whose it is: no result tells the same.
#[cold]
pub(super) fn is_answer(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"\"session_id\"").is_some()
}

/// Whether a line without usage is a result that tells what all cost.
#[cold]
pub(super) fn is_cost_alone(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"\"total_cost").is_some()
        && serde_json::from_str::<Printed<'_>>(text).is_ok_and(|result| result.r#type.str() == "result")
}

/// What waits for the result of a session.
fn session(id: &str) -> EventId {
    EventId::of(&[b"claude-code-session", id.as_bytes()])
}

impl Results {
    /// Whether nothing printed was met.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty() && self.model.is_empty()
    }

    /// Passes over an answer on the way to a result: it tells its usage as it was before anything was answered.
    #[cold]
    pub fn pass(&mut self, text: &str, model: &str, out: &mut Output) {
        out.excluded.push("parts_of_results");
        if model == "<synthetic>" {
            return;
        }
        model.clone_into(&mut self.model);
        if let Ok(line) = serde_json::from_str::<Printed<'_>>(text) {
            let waits = session(line.session_id.str());
            // Once: what is held shall have grown where the result takes it away.
            out.unended.retain(|waiting| *waiting != waits);
            out.unended.push(waits);
        }
    }

    /// Reads one: a call for each model, of what was used since the result before.
    #[cold]
    pub fn read(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let result: Printed<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if result.models.is_none() && result.cost.or(result.total_cost).is_some() {
            out.warnings.push(ALONE);
        }
        let nothing = BTreeMap::new();
        let given = match &result.models {
            Some(models) => models,
            None if result.usage.is_none() && !self.model.is_empty() => return Ok(()),
            None if result.usage.is_none() => {
                out.warnings.push(NO_USAGE);
                out.excluded_once
                    .push(("calls_without_usage", session(result.session_id.str())));
                return Ok(());
            }
            // Nobody says of which model: as any answer of none.
            None if self.model.is_empty() => {
                let at = out.events.len();
                Body::default().record(text, number, context, out)?;
                if let Some(event) = out.events.get_mut(at) {
                    let cost = reported(result.cost.map(RawValue::get), "total_cost_usd")?;
                    event.reported_cost = event.reported_cost.or(cost);
                }
                return Ok(());
            }
            None => &nothing,
        };
        let at = match (&result.timestamp, context.fallback) {
            (Scalar::Null, Some(at)) => {
                out.warnings
                    .push("records without a time are charged at their file's time of change, or when they came");
                at
            }
            (time, _) => context.time(time, "timestamp", out)?,
        };
        let mut models = BTreeMap::new();
        for (name, model) in given {
            let told = model.counts().map_err(|fault| Fault {
                field: fault.field.map(|field| format!("modelUsage.{name}.{field}")),
                ..fault
            })?;
            models.insert(name.to_string(), told);
        }
        let usage = result.usage.as_ref().map(Usage::values).unwrap_or_default();
        let turn = Counts::of(&usage)?;
        if result.models.is_none() {
            let cost = reported(result.cost.map(RawValue::get), "total_cost_usd")?.unwrap_or_default();
            let searches = usage
                .get(Slot::WebSearches)
                .small("usage.server_tool_use.web_search_requests")?;
            let told = Counts {
                searches: searches.into(),
                cost,
                ..turn
            };
            models.insert(self.model.clone(), told);
        }
        let id = result.session_id.str();
        let before = self
            .last
            .iter()
            // Two that stand behind each other are of a process each: one that is given several prompts prints more than their results.
            .find(|last| last.session == id && last.line.checked_add(1) != Some(number))
            .map(|last| &last.models);
        let before = before.filter(|before| goes_on(before, &models, &turn));
        let since = |name: &str, told: &Counts| match before.and_then(|before| before.get(name)) {
            Some(before) => told.beyond(before),
            None => *told,
        };
        // The model of the session is the one that may have used what its answers have.
        let mut may = models.iter().filter(|(name, told)| since(name, told).holds(&turn));
        let main = may
            .next()
            .map(|(name, _)| name.as_str())
            .filter(|_| may.next().is_none());
        let events = out.events.len();
        for (name, told) in &models {
            let used = since(name, told);
            if used.is_nothing() {
                continue;
            }
            let model = context.label(Value::Text(name), "modelUsage")?;
            let provider = context.provider(model, seller::behind_claude_code);
            let identity = match result.uuid.str() {
                "" => content_identity("claude-code-result", text).to_string(),
                uuid => uuid.to_owned(),
            };
            let identity = EventId::of(&[b"claude-code-result", identity.as_bytes(), name.as_bytes()]);
            let mut event = UsageEvent::new(identity, at, provider, model);
            let values = used.values(&usage, main == Some(name.as_str()));
            Used::of(&values, "usage", context)?.give(&mut event);
            let split = main.is_some_and(|main| main == name) && used.written == turn.written;
            if used.written > 0 && !split {
                out.warnings.push(UNSPLIT);
            }
            event.session = context.label(&result.session_id, "session_id")?;
            event.rank = Rank {
                authority: 0,
                complete: true,
                at,
                line: number,
            };
            event.reported_cost = (!used.cost.is_zero()).then_some(used.cost);
            if let Some(model) = given.get(name.as_str()) {
                event.asked_at_most(model.context_window.count("modelUsage.contextWindow").unwrap_or(0));
            }
            out.events.push(event);
        }
        let waits = session(id);
        out.unended.retain(|waiting| *waiting != waits);
        out.ended.push(waits);
        match out.events.len() > events {
            true => out.warnings.push(RESULTS),
            false => out.excluded.push("records_without_usage"),
        }
        self.last.retain(|last| last.session != id);
        self.last.insert(
            0,
            Summed {
                session: id.to_owned(),
                models,
                line: number,
            },
        );
        self.last.truncate(SESSIONS);
        Ok(())
    }
}

/// Whether a result sums up what the one before did, too, and not what another process of the same session has used: that of all that came
/// since then the last prompt is a part, by each count.
fn goes_on(before: &BTreeMap<String, Counts>, now: &BTreeMap<String, Counts>, turn: &Counts) -> bool {
    let grown = before
        .iter()
        .all(|(name, before)| now.get(name).is_some_and(|now| now.holds(before)));
    let sum = |models: &BTreeMap<String, Counts>| models.values().fold(Counts::default(), |sum, one| sum.and(one));
    grown && sum(now).beyond(&sum(before)).holds(turn)
}

impl Model<'_> {
    fn counts(&self) -> Result<Counts, Fault> {
        Ok(Counts {
            input: self.input_tokens.count("inputTokens")?,
            read: self.cache_read_input_tokens.count("cacheReadInputTokens")?,
            written: self.cache_creation_input_tokens.count("cacheCreationInputTokens")?,
            output: self.output_tokens.count("outputTokens")?,
            searches: self.web_search_requests.small("webSearchRequests")?.into(),
            cost: reported(self.cost.map(RawValue::get), "costUSD")?.unwrap_or_default(),
        })
    }
}

impl Counts {
    /// Those of the usage in it.
    fn of(usage: &Values<'_>) -> Result<Self, Fault> {
        let count = |slot, field: &str| usage.get(slot).count(field);
        Ok(Counts {
            input: count(Slot::Input, "usage.input_tokens")?,
            read: count(Slot::Read, "usage.cache_read_input_tokens")?,
            written: count(Slot::Written, "usage.cache_creation_input_tokens")?,
            output: count(Slot::Output, "usage.output_tokens")?,
            searches: 0,
            cost: Decimal::ZERO,
        })
    }

    fn map(&self, other: &Counts, count: fn(u64, u64) -> u64, cost: Decimal) -> Counts {
        Counts {
            input: count(self.input, other.input),
            read: count(self.read, other.read),
            written: count(self.written, other.written),
            output: count(self.output, other.output),
            searches: count(self.searches, other.searches),
            cost,
        }
    }

    fn beyond(&self, less: &Counts) -> Counts {
        self.map(
            less,
            u64::saturating_sub,
            self.cost.saturating_sub(less.cost).max(Decimal::ZERO),
        )
    }

    fn and(&self, more: &Counts) -> Counts {
        self.map(more, u64::saturating_add, self.cost.saturating_add(more.cost))
    }

    /// Whether none of its counts is less.
    fn holds(&self, other: &Counts) -> bool {
        let (all, of) = (self.all(), other.all());
        all.iter().zip(of).all(|(count, other)| *count >= other)
    }

    fn all(&self) -> [u64; 5] {
        [self.input, self.read, self.written, self.output, self.searches]
    }

    fn is_nothing(&self) -> bool {
        self.all() == [0; 5] && self.cost.is_zero()
    }

    /// As a usage that tells these counts; of the model of the session also what its own answers say of them.
    fn values<'v>(&self, usage: &Values<'v>, main: bool) -> Values<'v> {
        let mut values = Values::default();
        let shared = [Slot::ServiceTier, Slot::InferenceGeo];
        let own = [Slot::Speed, Slot::Written5m, Slot::Written1h];
        let own = own.into_iter().filter(|_| main);
        for slot in shared.into_iter().chain(own) {
            values.set(slot, usage.get(slot));
        }
        for (slot, count) in [
            (Slot::Input, self.input),
            (Slot::Read, self.read),
            (Slot::Written, self.written),
            (Slot::Output, self.output),
            (Slot::WebSearches, self.searches),
        ] {
            values.set(slot, Value::Whole(count));
        }
        values
    }
}
