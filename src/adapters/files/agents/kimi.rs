//! Session files of Kimi CLI (`wire.jsonl`). Input excludes cached tokens; thoughts are within the output. Identity is the response id that
//! the provider gave. The files name neither model nor provider nor folder: the settings may.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::domain::label::Label;
use crate::domain::usage::UsageEvent;

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::{by_content, without_tokens};

/// Reads the lines of one session.
pub(in super::super) struct Kimi;

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

#[derive(Deserialize)]
struct Used<'a> {
    #[serde(borrow, default)]
    input_other: Scalar<'a>,
    #[serde(borrow, default)]
    output: Scalar<'a>,
    #[serde(borrow, default)]
    input_cache_read: Scalar<'a>,
    #[serde(borrow, default)]
    input_cache_creation: Scalar<'a>,
}

impl LineFormat for Kimi {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        // Other messages have payloads of all kinds.
        if !text.contains("\"StatusUpdate\"") {
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
        call(at, &payload.message_id, used, number, context, out)
    }
}

fn call(
    at: DateTime<Utc>,
    id: &Scalar<'_>,
    used: &Used<'_>,
    number: u64,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let counts = Counts {
        input: used.input_other.count("token_usage.input_other")?,
        read: used.input_cache_read.count("token_usage.input_cache_read")?,
        write_5m: used.input_cache_creation.count("token_usage.input_cache_creation")?,
        output: used.output.count("token_usage.output")?,
        ..Counts::default()
    };
    let id = match id.str() {
        "" => by_content("kimi-cli", [at, at], "", &counts),
        id => context.response(id.as_bytes()),
    };
    let mut event = UsageEvent::new(id, at, Label::EMPTY, Label::EMPTY);
    event.tokens = counts.tokens(Input::Excludes, "Kimi CLI", out);
    if event.tokens.total() == 0 {
        without_tokens(id, false, out);
        return Ok(());
    }
    event.rank.line = number;
    out.events.push(event);
    Ok(())
}
