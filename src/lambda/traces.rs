//! The trace of a run: begun with its event, sent when its answer is given. Whatever goes wrong here is a line in the log.

use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::Value as Json;

use super::job::{Answer, Invocation};
use super::log;
use crate::adapters::clock::SystemClock;
use crate::adapters::traces::{Attributes, Exporter, Tracer, Value};
use crate::ports::Clock;

/// Kept back from the time of an event, so that sending never outlasts it.
const RESERVE: TimeDelta = TimeDelta::milliseconds(500);

/// Takes and sends traces, where the environment names a place for them.
pub struct Traces {
    tracer: Tracer,
    exporter: Option<Exporter>,
    cold: bool,
}

impl Traces {
    /// As the environment says. A setting that cannot be followed is told and switches traces off.
    pub fn new(env: &dyn Fn(&str) -> Option<String>, out: &mut dyn Write) -> Self {
        let exporter = Exporter::from_environment(env).unwrap_or_else(|error| {
            log::line(out, "warn", "", &format!("no traces are sent: {error}"));
            None
        });
        Traces {
            tracer: exporter.as_ref().map_or_else(Tracer::default, |_| Tracer::on()),
            exporter,
            cold: true,
        }
    }

    /// A run begins.
    pub fn begin(&self, event: &Invocation) -> Tracer {
        self.tracer.begin(&event.request_id);
        self.tracer.clone()
    }

    /// The run has ended and its answer is given: its trace is sent.
    pub fn end(&mut self, event: &Invocation, result: &Result<Answer, String>, out: &mut dyn Write) {
        let cold = std::mem::replace(&mut self.cold, false);
        let Some(exporter) = &self.exporter else { return };
        let (more, error) = outcome(result);
        let mut about: Attributes = vec![
            ("faas.invocation_id", Value::from(event.request_id.as_str())),
            ("faas.coldstart", Value::Truth(cold)),
            ("cloud.resource_id", Value::from(event.function_arn.as_str())),
        ];
        about.extend(more);
        let Some(mut trace) = self.tracer.finish("run", about, error) else {
            return;
        };
        trace.link = x_ray(&event.trace);
        let left = match event.deadline_ms.and_then(DateTime::from_timestamp_millis) {
            Some(deadline) => (deadline - SystemClock.now() - RESERVE)
                .to_std()
                .unwrap_or(Duration::ZERO),
            None => Duration::MAX,
        };
        let sent = match left {
            Duration::ZERO => Err("the event left no time".to_owned()),
            left => exporter.send(&trace, left),
        };
        if let Err(error) = sent {
            log::line(
                out,
                "warn",
                &event.request_id,
                &format!("the trace was not sent: {error}"),
            );
        }
    }
}

/// What the summary says of the run, and why it counts as failed.
fn outcome(result: &Result<Answer, String>) -> (Attributes, Option<String>) {
    let summary = match result {
        Ok(answer) => &answer.summary,
        Err(error) => return (Vec::new(), Some(error.clone())),
    };
    let numbers = [
        ("finops.exit_code", "/exit_code"),
        ("finops.calls_recorded", "/collected/recorded"),
        ("finops.paid_requests", "/collected/paid_requests"),
        ("finops.messages_delivered", "/delivery/delivered"),
        ("finops.messages_waiting", "/delivery/waiting"),
    ];
    let found = numbers.into_iter().filter_map(|(name, path)| {
        let number = summary.pointer(path).and_then(Json::as_i64)?;
        Some((name, Value::Number(number)))
    });
    let failed = summary.pointer("/collected/failed_sources").and_then(Json::as_array);
    let failed: Vec<&str> = failed.into_iter().flatten().filter_map(Json::as_str).collect();
    let error = (!failed.is_empty()).then(|| format!("failed sources: {}", failed.join(", ")));
    (found.collect(), error)
}

/// The ids that X-Ray gave to the event, as OpenTelemetry writes them: linked to, since nobody may have kept that trace.
fn x_ray(header: &str) -> Option<(String, String)> {
    let part = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name));
    let (time, unique) = part("Root=1-")?.split_once('-')?;
    let (trace, parent) = (format!("{time}{unique}"), part("Parent=")?.to_owned());
    let is_id = |id: &str, digits: usize| id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit());
    (is_id(&trace, 32) && is_id(&parent, 16)).then_some((trace, parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_ray_ids_are_linked_where_they_are_whole() {
        let header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
        let ids = (
            "5bef4de7ad49b0e87f6ef6c87fc2e700".to_owned(),
            "9a9197af755a6419".to_owned(),
        );
        assert_eq!(x_ray(header), Some(ids));
        for broken in ["", "Root=1-5bef4de7", "Root=1-5bef4de7-ad49;Parent=9a9197af755a6419"] {
            assert_eq!(x_ray(broken), None, "{broken}");
        }
    }
}
