//! Threads of Amp (`threads/T-….json`), a file each, written anew as a whole. Input excludes cached tokens; of models other than Claude what was
//! not found in the cache is told as written to it, which is plain input. A message tells no id of its provider's, and a thread that goes on
//! from another one may begin with its messages: identity is when it was answered, its model and its tokens.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::usage::{EventId, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::{answering, by_content, without_tokens};

/// Who is paid: Amp sells models of others.
const SELLER: &str = "amp";

/// Reads threads.
pub(in super::super) struct Amp;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thread<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    created: Scalar<'a>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage_ledger: Option<Ledger<'a>>,
}

#[derive(Deserialize)]
struct Ledger<'a> {
    #[serde(borrow, default, deserialize_with = "object::list")]
    events: Option<Vec<Entry<'a>>>,
}

/// What versions of 2025 noted of an inference.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    tokens: Option<Noted<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Noted<'a> {
    #[serde(borrow, default)]
    input: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    message_id: Scalar<'a>,
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    state: Option<State<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    total_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
}

/// What of a thread concerns a call of it.
struct Call<'c> {
    id: Option<EventId>,
    at: &'c Scalar<'c>,
    model: &'c Scalar<'c>,
    counts: Counts,
    input: Input,
}

impl LineFormat for Amp {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let thread: Thread<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let mut told = false;
        for message in thread.messages.iter().flatten() {
            // What another version keeps among the messages is none.
            let Ok(message) = serde_json::from_str::<Message<'_>>(message.get()) else {
                continue;
            };
            if let Some(used) = message.usage.as_ref().filter(|_| message.role.str() == "assistant") {
                told = true;
                if let Err(fault) = thread.answer(&message, used, number, context, out) {
                    out.faults.push(fault);
                }
            }
        }
        // Both tell of the same calls, and the messages more of each.
        let entries = thread.usage_ledger.as_ref().and_then(|ledger| ledger.events.as_ref());
        for entry in entries.into_iter().flatten().filter(|_| !told) {
            if let Err(fault) = thread.entry(entry, number, context, out) {
                out.faults.push(fault);
            }
        }
        Ok(())
    }
}

impl Thread<'_> {
    /// Who something of this thread is that tells no time of its own.
    fn own(&self, of: &str, id: &Scalar<'_>) -> EventId {
        let id = match id {
            Scalar::Text(text) => text.to_string(),
            Scalar::Whole(number) => number.to_string(),
            Scalar::Null | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => String::new(),
        };
        EventId::of(&[of.as_bytes(), self.id.str().as_bytes(), id.as_bytes()])
    }

    fn answer(
        &self,
        message: &Message<'_>,
        used: &Used<'_>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let own = self.own("amp-message", &message.message_id);
        if message
            .state
            .as_ref()
            .is_some_and(|state| state.r#type.str() == "streaming")
        {
            let at = context.time(&used.timestamp, "usage.timestamp", out)?;
            answering(own, at, context, out);
            return Ok(());
        }
        let given = used.input_tokens.count("usage.inputTokens")?;
        let read = used.cache_read_input_tokens.count("usage.cacheReadInputTokens")?;
        let made = used
            .cache_creation_input_tokens
            .count("usage.cacheCreationInputTokens")?;
        let whole = used.total_input_tokens.count("usage.totalInputTokens")?;
        let claude = used.model.str().contains("claude");
        let counts = Counts {
            input: if claude { given } else { given.saturating_add(made) },
            write_5m: if claude { made } else { 0 },
            read,
            output: used.output_tokens.count("usage.outputTokens")?,
            ..Counts::default()
        };
        // Some of its tools tell the whole input in its place.
        let input = match !claude && read > 0 && whole == counts.input {
            true => Input::Includes,
            false => Input::Excludes,
        };
        let times = [&used.timestamp, &message.created_at];
        let call = match times.into_iter().find(|time| !time.is_null()) {
            Some(at) => Call {
                id: None,
                at,
                model: &used.model,
                counts,
                input,
            },
            None => Call {
                id: Some(own),
                at: &self.created,
                model: &used.model,
                counts,
                input,
            },
        };
        self.call(&call, number, context, out)
    }

    fn entry(&self, entry: &Entry<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let Some(tokens) = &entry.tokens else { return Ok(()) };
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("usageLedger.events.tokens.{field}"));
        let counts = Counts {
            input: count(&tokens.input, "input")?,
            output: count(&tokens.output, "output")?,
            read: count(&tokens.cache_read_input_tokens, "cacheReadInputTokens")?,
            write_5m: count(&tokens.cache_creation_input_tokens, "cacheCreationInputTokens")?,
            ..Counts::default()
        };
        let call = Call {
            id: (!entry.id.is_null()).then(|| self.own("amp-entry", &entry.id)),
            at: &entry.timestamp,
            model: &entry.model,
            counts,
            input: Input::Excludes,
        };
        self.call(&call, number, context, out)
    }

    fn call(&self, call: &Call<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let at = context.time(call.at, "usage.timestamp", out)?;
        let model = context.label(call.model, "usage.model")?;
        let counts = &call.counts;
        let id = call
            .id
            .unwrap_or_else(|| by_content("amp", [at, at], model.as_str(), counts));
        let mut event = UsageEvent::new(id, at, context.labels.get(SELLER), model);
        event.tokens = counts.tokens(call.input, "Amp", out);
        if event.tokens.total() == 0 {
            without_tokens(id, false, out);
            return Ok(());
        }
        event.rank.line = number;
        event.session = context.label(&self.id, "id")?;
        out.events.push(event);
        Ok(())
    }
}
