//! Collects usage and bills from sources into the ledger, in bounded batches.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use chrono::{DateTime, Utc};

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::spend::{Bill, Restatement};
use crate::domain::usage::{EventBatch, UsageEvent};
use crate::ports::{
    Checkpoint, Ledger, Pricer, Progress, RecordBatch, Recorded, Rejection, Rest, Sink, SourceError, StoreError,
    UsageSource,
};

/// Observations held before they are recorded: 70 MB of memory, and a kill loses at most this much work. Hourly sums and the
/// identity index are rewritten once per batch, so that small batches cost more in writing than in reading.
const BATCH_EVENTS: usize = 250_000;

/// Rejections shown; all are counted.
const SHOWN_REJECTIONS: usize = 10;

/// A source that failed as a whole. What it handed over before is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSource {
    /// Its name.
    pub source: Label,
    /// What happened, with the cause.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What collecting did. Nothing that was read is missing from these counts.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Files with something new in them.
    pub files: u64,
    /// Lines or records read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Requests that the provider charges for, each a cent.
    pub paid_requests: u64,
    /// What was recorded, and what was known already.
    pub recorded: Recorded,
    /// Records that are no spend, by kind.
    pub excluded: BTreeMap<&'static str, u64>,
    /// Things worth telling once, with how often they occurred.
    pub warnings: BTreeMap<String, u64>,
    /// Records that were not usable.
    pub rejected: u64,
    /// The first of them.
    pub first_rejections: Vec<Rejection>,
    /// Days of bills that changed after they had been recorded.
    pub restatements: Vec<Restatement>,
    /// Bills recorded or replaced.
    pub bills: u64,
    /// Sources that failed as a whole.
    pub failed_sources: Vec<FailedSource>,
    /// What is left for the next run, since the time was used up. Nothing that is missing here was lost.
    pub left: Vec<LeftOver>,
}

/// What a source has left for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOver {
    /// Its name.
    pub source: Label,
    /// How much; unknown for a source that was not begun.
    pub rest: Option<Rest>,
}

impl Collection {
    /// Distinct calls met in the input, whether the ledger knew them or not.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.recorded.recorded + self.recorded.known
    }

    /// Records that are no spend.
    #[must_use]
    pub fn excluded_total(&self) -> u64 {
        self.excluded.values().sum()
    }
}

/// Reads every source to its end and records what is new. A source that fails never stops the others; a ledger that fails
/// stops everything, since nothing could be kept. Asked in between, `enough` says whether the time for it is used up: then
/// what was read is recorded and the rest is left to the next run.
pub fn collect<'a>(
    sources: &mut [Box<dyn UsageSource>],
    ledger: &'a mut dyn Ledger,
    pricer: &'a dyn Pricer,
    now: DateTime<Utc>,
    observer: &'a mut dyn FnMut(&Progress),
    rejects: Option<&'a mut dyn Write>,
    enough: &'a dyn Fn() -> bool,
) -> Result<Collection, StoreError> {
    let mut collector = Collector {
        ledger,
        pricer,
        now,
        observer,
        rejects,
        enough,
        source: Label::EMPTY,
        events: EventBatch::default(),
        checkpoints: HashMap::new(),
        out: Collection::default(),
    };
    for source in sources {
        collector.source = source.name();
        if enough() {
            collector.out.left.push(LeftOver {
                source: collector.source,
                rest: None,
            });
            continue;
        }
        let known = collector.ledger.checkpoints(collector.source.as_str())?;
        match source.read(&known, &mut collector) {
            Ok(()) => {}
            Err(SourceError::Store(error)) => return Err(error),
            Err(SourceError::Read { what, cause, hint }) => {
                let message = format!("cannot read `{what}`: {cause}");
                collector.out.failed_sources.push(FailedSource {
                    source: collector.source,
                    message,
                    hint,
                });
            }
        }
        collector.flush()?;
    }
    Ok(collector.out)
}

struct Collector<'a> {
    ledger: &'a mut dyn Ledger,
    pricer: &'a dyn Pricer,
    now: DateTime<Utc>,
    observer: &'a mut dyn FnMut(&Progress),
    rejects: Option<&'a mut dyn Write>,
    enough: &'a dyn Fn() -> bool,
    source: Label,
    events: EventBatch,
    checkpoints: HashMap<String, Checkpoint>,
    out: Collection,
}

impl Collector<'_> {
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.events.is_empty() && self.checkpoints.is_empty() {
            return Ok(());
        }
        let source = self.source.as_str();
        let checkpoints = self
            .checkpoints
            .drain()
            .map(|(key, at)| (source.to_owned(), key, at))
            .collect();
        let mut batch = RecordBatch {
            events: std::mem::take(&mut self.events),
            checkpoints,
        };
        let recorded = self.ledger.record(&batch, self.pricer, self.now)?;
        self.out.recorded.absorb(&recorded)?;
        // The allocation is used again for the next batch.
        batch.events.clear();
        self.events = batch.events;
        Ok(())
    }
}

impl Sink for Collector<'_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        for event in events {
            let mut event = *event;
            event.dimensions.set(Dimension::Source, self.source);
            self.events.push(&event);
        }
        if self.events.len() >= BATCH_EVENTS {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.flush()?;
        let restated = self.ledger.replace_bill(&bill, self.now)?;
        self.out.restatements.extend(restated);
        self.out.bills += 1;
        Ok(())
    }

    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        self.checkpoints.insert(key.to_owned(), at);
        Ok(())
    }

    fn reject(&mut self, rejection: Rejection) {
        self.out.rejected += 1;
        if let Some(file) = &mut self.rejects {
            let line = serde_json::json!({
                "file": rejection.file,
                "line": rejection.line,
                "field": rejection.field,
                "reason": rejection.reason,
                "raw": String::from_utf8_lossy(&rejection.raw),
            });
            if let Err(error) = writeln!(file, "{line}") {
                *self
                    .out
                    .warnings
                    .entry(format!("rejected records could not be kept: {error}"))
                    .or_default() += 1;
                self.rejects = None;
            }
        }
        if self.out.first_rejections.len() < SHOWN_REJECTIONS {
            self.out.first_rejections.push(rejection);
        }
    }

    fn exclude(&mut self, kind: &'static str, count: u64) {
        *self.out.excluded.entry(kind).or_default() += count;
    }

    fn warn(&mut self, about: &str, count: u64) {
        *self.out.warnings.entry(about.to_owned()).or_default() += count;
    }

    fn progress(&mut self, read: Progress) {
        self.out.files += read.files;
        self.out.lines += read.lines;
        self.out.bytes += read.bytes;
        self.out.paid_requests += read.paid_requests;
        (self.observer)(&read);
    }

    fn enough(&self) -> bool {
        (self.enough)()
    }

    fn left(&mut self, rest: Rest) {
        self.out.left.push(LeftOver {
            source: self.source,
            rest: Some(rest),
        });
    }
}
