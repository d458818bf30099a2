//! One event: the time that it allows, the run, its metrics and its heartbeat.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{log, metrics};
use crate::adapters::clock::SystemClock;
use crate::adapters::traces::Tracer;
use crate::cli::run::{RunArgs, run as run_once};
use crate::cli::text::Room;
use crate::cli::{Context, Format, wire};
use crate::config::Config;
use crate::domain::plausible::is_plausible;
use crate::ports::Clock;

/// Kept back from the time of an event: for ending cleanly and answering.
const RESERVE: TimeDelta = TimeDelta::seconds(10);

/// The least time that a run is given; an event with less is refused rather than begun.
const LEAST: TimeDelta = TimeDelta::seconds(5);

/// One event with what the runtime says about it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Names it in logs.
    pub request_id: String,
    /// When it must be answered, in milliseconds since 1970.
    pub deadline_ms: Option<i64>,
    /// The function that was called.
    pub function_arn: String,
    /// The trace that it belongs to.
    pub trace: String,
    /// The event itself. `now` in it stands for the clock: for repeating a run of the past.
    pub event: Value,
}

/// What a run answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The summary of `finops run --format json`, with how it ended.
    pub summary: Value,
}

/// Runs the job for one event. A source that fails does not fail the run; its name is in the summary.
pub fn run(config: &Config, event: &Invocation, tracer: Tracer, out: &mut dyn Write) -> Result<Answer, String> {
    let started = SystemClock.now();
    let now = event
        .event
        .get("now")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<DateTime<Utc>>().ok())
        .filter(is_plausible)
        .unwrap_or(started);
    let config = within(config, event.deadline_ms, started)?;
    let (mut answer, mut talk) = (Vec::new(), Vec::new());
    let environment = config.environment.clone();
    let mut ctx = Context {
        config,
        format: Format::Jsonl,
        now,
        begun: None,
        color: false,
        interactive: false,
        room: Room::UNASKED,
        verbosity: 1,
        tracer,
        out: &mut answer,
        err: &mut talk,
    };
    let arguments = RunArgs {
        fail_on: None,
        strict: false,
    };
    let outcome = run_once(&mut ctx, &arguments);
    let heartbeat = |ctx: &Context<'_>, summary: &Value| wire::heartbeat(ctx, &event.request_id, summary);
    let result = match outcome {
        Ok(exit) => {
            let milliseconds = (SystemClock.now() - started).num_milliseconds();
            let (config, tracer) = (ctx.config.clone(), ctx.tracer.clone());
            let mut summary: Value =
                serde_json::from_slice(&answer).map_err(|e| format!("the summary is broken: {e}"))?;
            if let Value::Object(fields) = &mut summary {
                fields.insert("exit_code".to_owned(), Value::from(exit.code()));
                fields.insert("request_id".to_owned(), Value::from(event.request_id.as_str()));
                fields.insert("run_at".to_owned(), Value::from(now.to_rfc3339()));
                fields.insert("milliseconds".to_owned(), Value::from(milliseconds));
            }
            let (mut nothing, mut said) = (Vec::new(), Vec::new());
            let after = Context {
                config,
                format: Format::Jsonl,
                now,
                begun: None,
                color: false,
                interactive: false,
                room: Room::UNASKED,
                verbosity: 1,
                tracer,
                out: &mut nothing,
                err: &mut said,
            };
            if let Err(error) = heartbeat(&after, &summary) {
                log::line(
                    out,
                    "warn",
                    &event.request_id,
                    &format!("the heartbeat was not kept: {}", error.message),
                );
            }
            metrics::emit(out, &environment, &summary, milliseconds, now);
            Ok(Answer { summary })
        }
        Err(error) => Err(match error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message,
        }),
    };
    log::talk(out, &event.request_id, &talk);
    result
}

/// The settings, with the time that the event leaves, and with the job itself watched.
fn within(config: &Config, deadline_ms: Option<i64>, started: DateTime<Utc>) -> Result<Config, String> {
    let mut config = config.clone();
    if let Some(deadline) = deadline_ms.and_then(DateTime::from_timestamp_millis) {
        let left = deadline - started - RESERVE;
        if left < LEAST {
            return Err("the event leaves too little time for a run; raise the function's timeout".to_owned());
        }
        let seconds = u64::try_from(left.num_seconds()).unwrap_or(0);
        config.limits.time_budget_seconds = config.limits.time_budget_seconds.min(seconds);
    }
    for (setting, usual) in [
        (&mut config.runs.expected_every_hours, 24),
        (&mut config.runs.stale_after_hours, 48),
    ] {
        if *setting == 0 {
            *setting = usual;
        }
    }
    Ok(config)
}
