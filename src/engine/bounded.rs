//! A time limit around a source: it ends cleanly, what it handed over is kept, and the next run goes on from there.

use std::cell::Cell;

use chrono::{DateTime, Utc};

use crate::domain::label::Label;
use crate::domain::spend::Bill;
use crate::domain::usage::UsageEvent;
use crate::ports::{Checkpoint, Checkpoints, Clock, Progress, Rejection, Sink, SourceError, StoreError, UsageSource};

/// A source that stops at an instant.
pub struct Bounded<'a> {
    inner: Box<dyn UsageSource>,
    clock: &'a dyn Clock,
    until: DateTime<Utc>,
}

impl<'a> Bounded<'a> {
    /// `inner`, until `until` by `clock`.
    #[must_use]
    pub fn new(inner: Box<dyn UsageSource>, clock: &'a dyn Clock, until: DateTime<Utc>) -> Self {
        Bounded { inner, clock, until }
    }

    fn over(&self) -> SourceError {
        SourceError::Read {
            what: self.inner.name().as_str().to_owned(),
            cause: "the time of this run is over".to_owned(),
            hint: "what was read is kept, and the next run goes on; `limits.time_budget_seconds` is the time of a run"
                .to_owned(),
        }
    }
}

impl UsageSource for Bounded<'_> {
    fn name(&self) -> Label {
        self.inner.name()
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        if self.clock.now() >= self.until {
            return Err(self.over());
        }
        let stopped = Cell::new(false);
        let mut limited = Limited {
            inner: sink,
            clock: self.clock,
            until: self.until,
            stopped: &stopped,
        };
        match self.inner.read(known, &mut limited) {
            Err(SourceError::Store(_)) if stopped.get() => Err(self.over()),
            outcome => outcome,
        }
    }
}

struct Limited<'a> {
    inner: &'a mut dyn Sink,
    clock: &'a dyn Clock,
    until: DateTime<Utc>,
    stopped: &'a Cell<bool>,
}

impl Limited<'_> {
    fn check(&self) -> Result<(), StoreError> {
        if self.clock.now() < self.until {
            return Ok(());
        }
        self.stopped.set(true);
        Err(StoreError::Conflict {
            what: "the time of this run".to_owned(),
        })
    }
}

impl Sink for Limited<'_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.inner.usage(events)?;
        self.check()
    }

    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.inner.bill(bill)?;
        self.check()
    }

    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        // Kept before the clock is asked: what it covers has been handed over.
        self.inner.checkpoint(key, at)?;
        self.check()
    }

    fn reject(&mut self, rejection: Rejection) {
        self.inner.reject(rejection);
    }

    fn exclude(&mut self, kind: &'static str, count: u64) {
        self.inner.exclude(kind, count);
    }

    fn warn(&mut self, about: &str, count: u64) {
        self.inner.warn(about, count);
    }

    fn progress(&mut self, read: Progress) {
        self.inner.progress(read);
    }
}
