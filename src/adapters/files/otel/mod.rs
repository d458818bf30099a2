//! OpenTelemetry GenAI traces as OTLP/JSON, one export request a line, with the attribute names of old and new conventions. The input
//! count should include cached tokens; identity is the response id where it is a provider's, else trace and span; agent spans repeat their
//! calls and count only where no call below them does.

mod agents;
mod attributes;
mod families;
mod frameworks;
mod gateways;
mod halves;
mod json;
mod names;
mod node;
mod nodes;
mod pairs;
mod plain;
pub(super) mod protobuf;
mod saved;
mod span;
mod split;
mod texts;
mod told;
mod traces;
mod twins;
mod wire;

use std::sync::{Arc, Mutex};

use super::line::{Context, Fault, LineFormat, Output};
use super::readers::held;
use json::Request;

pub(super) use span::span_identity;
pub(super) use traces::{Found, OF_RUN, Traces};

/// Their sums have no call behind them: no identity, no split of cached tokens, no prompt size. They can be bounded, not priced.
const METRICS: &str = "OTLP metrics are not read: their sums tell neither calls nor cached tokens apart; export traces instead (spans with `gen_ai.usage.*`)";

/// A request has one list of them for many calls and other things.
const LOGS: &str =
    "OTLP log records are not read, whatever they tell of calls; export traces (spans with `gen_ai.usage.*`)";

/// Reads OTLP/JSON.
pub(super) struct Otel {
    traces: Arc<Mutex<Traces>>,
    /// Whether records that are no export requests are faults.
    strict: bool,
}

impl Otel {
    /// A reader that shares what is known of traces with the others of its source.
    pub fn new(traces: Arc<Mutex<Traces>>) -> Self {
        Otel { traces, strict: false }
    }

    /// The same for what was sent as an export request. A file may hold records of other formats, which this one leaves.
    pub fn strict(traces: Arc<Mutex<Traces>>) -> Self {
        Otel { traces, strict: true }
    }
}

impl LineFormat for Otel {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        // A list would be taken for the fields of a request in their order.
        if !text.trim_start().starts_with('{') {
            return Err(Fault::whole("not an export request"));
        }
        let before = Lengths::of(out);
        let request = Request::read(text, line, context, out);
        let Request {
            spans,
            is_export,
            metrics,
            logs,
            ..
        } = match request {
            Ok(request) => request,
            Err(error) => {
                before.restore(out);
                return match halves::mended(text) {
                    Some(text) => self.record(&text, line, context, out),
                    None => Err(Fault::json(&error)),
                };
            }
        };
        if !self.strict
            && !is_export
            && let Some(request) = plain::request(text)
        {
            return self.record(&request, line, context, out);
        }
        // An export of nothing is one too.
        let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
        if self.strict && !is_export && !inside.trim().is_empty() {
            return Err(Fault::whole("not an export request"));
        }
        if metrics {
            out.warnings.push(METRICS);
            out.excluded.push("metrics");
        }
        if logs {
            out.warnings.push(LOGS);
            out.excluded.push("log_records");
        }
        let mut traces = held(&self.traces);
        for observed in spans {
            observed.meet(&mut traces, out);
        }
        Ok(())
    }
}

/// How much there was before a request that turns out to be damaged.
struct Lengths {
    warnings: usize,
    faults: usize,
}

impl Lengths {
    fn of(out: &Output) -> Self {
        Lengths {
            warnings: out.warnings.len(),
            faults: out.faults.len(),
        }
    }

    fn restore(self, out: &mut Output) {
        out.warnings.truncate(self.warnings);
        out.faults.truncate(self.faults);
    }
}
