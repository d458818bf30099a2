//! One way into every parser without a file or a ledger: what fuzzers and the replay of their corpus go through.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use crate::domain::label::Label;
use crate::domain::spend::Bill;
use crate::domain::usage::{Bucket, MAX_TOKENS, UsageEvent};
use crate::ports::{Checkpoint, Progress, Rejection, Sink, StoreError};

use super::line::Fault;
use super::otel::{Traces, protobuf};
use super::read::Run;
use super::readers::Shared;
use super::readers::held;
use super::stop::Stop;
use super::{FileFormat, FileSourceOptions};

/// What some bytes were read as.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probed {
    /// Calls.
    pub events: Vec<UsageEvent>,
    /// Bills.
    pub bills: Vec<Bill>,
    /// What was refused: line and reason.
    pub rejected: Vec<(u64, String)>,
    /// Records that are no spend.
    pub excluded: u64,
}

/// Which parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    /// That of a format of files; none given, the one that is detected.
    File(Option<FileFormat>),
    /// That of OTLP as protobuf.
    Protobuf,
}

/// Reads bytes as a whole file, or as the body of a request.
#[must_use]
pub fn probe(parser: Parser, bytes: &[u8]) -> Probed {
    let format = match parser {
        Parser::File(format) => format,
        Parser::Protobuf => Some(FileFormat::Otel),
    };
    probed(format, |run| match parser {
        Parser::File(_) => run.stream(Box::new(Cursor::new(bytes)), "probe", true, None, None),
        Parser::Protobuf => {
            let traces = Arc::clone(&run.shared.traces);
            if let Err(fault) = protobuf::read(bytes, &mut held(&traces), &mut run.context, &mut run.out) {
                run.reject("probe", 1, fault, bytes);
            }
            run.parts("probe", 1, bytes);
            run.hand_over().map(|_| ())
        }
    })
}

/// What a run without a ledger reads.
pub(super) fn probed(format: Option<FileFormat>, read: impl FnOnce(&mut Run<'_>) -> Result<(), Stop>) -> Probed {
    let options = FileSourceOptions {
        name: Label::new("probe"),
        format,
        paths: Vec::new(),
        base: PathBuf::new(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: latest(),
        env: |_| None,
    };
    let shared = Shared::new(Vec::new(), Arc::new(Mutex::new(Traces::default())), None);
    let mut probed = Probed::default();
    let mut run = Run::new(&options, shared, &mut probed);
    run.context.fallback = Some(latest());
    if read(&mut run).and_then(|()| run.settle_traces()).is_err() {
        run.reject("probe", 0, Fault::whole("cannot be read"), b"");
    }
    // The sink below never fails.
    let _ = run.finish_bills();
    probed
}

/// 2027-01-01: records of a later time are absurd.
fn latest() -> DateTime<Utc> {
    DateTime::from_timestamp(1_798_761_600, 0).unwrap_or_default()
}

impl Probed {
    /// What must be true whatever the bytes were; the first thing that is not.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.events.iter().find_map(|event| {
            let output = event.tokens.get(Bucket::Output);
            let wrong = if event.tokens.reasoning > output {
                "more reasoning than output"
            } else if Bucket::ALL.iter().any(|b| event.tokens.get(*b) > 2 * MAX_TOKENS) {
                "a count beyond its limit"
            } else if event.at > latest() {
                "a time beyond its limit"
            } else {
                return None;
            };
            Some(format!("{wrong}: {event:?}"))
        })
    }
}

impl Sink for Probed {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.events.extend_from_slice(events);
        Ok(())
    }
    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.bills.push(bill);
        Ok(())
    }
    fn checkpoint(&mut self, _key: &str, _at: Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }
    fn reject(&mut self, rejection: Rejection) {
        self.rejected.push((rejection.line, rejection.reason));
    }
    fn exclude(&mut self, _kind: &'static str, count: u64) {
        self.excluded += count;
    }
    fn warn(&mut self, _about: &str, _count: u64) {}
    fn progress(&mut self, _read: Progress) {}
}
