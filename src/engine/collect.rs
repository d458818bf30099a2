//! Collects usage and bills from sources into the ledger, in bounded batches.

mod alike;
mod collection;
mod emptied;
mod twice;

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use chrono::{DateTime, Utc};

use crate::domain::label::Label;
use crate::domain::money::add_exact;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, Restatement};
use crate::domain::usage::{EventBatch, UsageEvent};
use crate::ports::{
    ALL_SOURCES, Checkpoint, Checkpoints, Ledger, OF_ALL, Pricer, Progress, RecordBatch, Recorded, Rejection, Rest,
    Sink, SourceError, StoreError, UsageSource,
};

use alike::Alike;
pub use collection::{Collection, Complete, FailedSource, LeftOver};
use emptied::Emptied;

/// Rejections shown; all are counted.
const SHOWN_REJECTIONS: usize = 10;

/// Reads every source to its end and records what is new. A source that fails never stops the others; a ledger that fails
/// stops everything, since nothing could be kept. Asked in between, `enough` says whether the time for it is used up: then
/// what was read is recorded and the rest is left to the next run.
///
/// Reading has a thread of its own: while one batch is recorded, the next is read and merged.
pub fn collect<'a>(
    sources: &mut [Box<dyn UsageSource>],
    ledger: &'a mut dyn Ledger,
    pricer: &'a dyn Pricer,
    now: DateTime<Utc>,
    observer: &'a mut (dyn FnMut(&Progress) + Send),
    rejects: Option<&'a mut (dyn Write + Send)>,
    enough: &'a (dyn Fn() -> bool + Sync),
) -> Result<Collection, StoreError> {
    ledger.begin();
    let recorder = Mutex::new(Recorder {
        ledger,
        pricer,
        now,
        recorded: Recorded::default(),
        restatements: Vec::new(),
        bills: 0,
        billed: None,
        met: None,
    });
    let mut reading = Reading {
        observer,
        rejects,
        enough,
        alike: (sources.len() > 1).then(Alike::default),
        out: Collection::default(),
    };
    for source in sources {
        let name = source.name();
        if enough() {
            reading.out.left.push(LeftOver {
                source: name,
                rest: None,
            });
            continue;
        }
        let known = held(&recorder).ledger.checkpoints(name.as_str())?;
        let read = thread::scope(|scope| -> Result<Result<(), SourceError>, StoreError> {
            // One batch is filled while another is recorded; an emptied one goes back to be filled again.
            let (jobs, work) = mpsc::sync_channel(0);
            let (back, emptied) = Emptied::channel();
            let reader = thread::Builder::new().name("read".to_owned()).spawn_scoped(scope, || {
                let mut collector = Collector {
                    recorder: &recorder,
                    jobs,
                    emptied,
                    source: name,
                    events: EventBatch::default(),
                    checkpoints: HashMap::new(),
                    shown_before: reading.out.first_rejections.len(),
                    reading: &mut reading,
                };
                let read = source.read(&known, &mut collector);
                collector.flush().map_err(SourceError::from).and(read)
            });
            let reader = reader.map_err(|error| StoreError::Failed {
                path: name.to_string(),
                cause: format!("no thread to read it: {error}"),
            })?;
            // Leaving early drops the channel, at which the reader stops.
            record(&recorder, work, &back)?;
            match reader.join() {
                Ok(read) => Ok(read),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        match read {
            Ok(()) => {}
            Err(SourceError::Store(error)) => return Err(error),
            Err(SourceError::Read { what, cause, hint }) => {
                let message = format!("cannot read `{what}`: {cause}");
                reading.out.failed_sources.push(FailedSource {
                    source: name,
                    message,
                    hint,
                });
            }
        }
    }
    let recorder = recorder.into_inner().unwrap_or_else(PoisonError::into_inner);
    recorder.ledger.settle()?;
    if let Some(billed) = recorder.billed {
        for about in twice::told(recorder.ledger, billed)? {
            reading.out.warnings.insert(about, 1);
        }
    }
    let alike = reading.alike.iter().flat_map(Alike::told);
    reading.out.warnings.extend(alike);
    // What the loop over the files of one bill leaves behind: each file is taken for the whole of it.
    let gone = |day: &&Restatement| day.basis == Basis::Billed && !day.old.is_zero() && day.new.is_zero();
    let gone = recorder.restatements.iter().filter(gone).count();
    if gone > 0 {
        let gone = u64::try_from(gone).unwrap_or(u64::MAX);
        reading.out.warnings.insert(DAYS_GONE.to_owned(), gone);
    }
    Ok(Collection {
        recorded: recorder.recorded,
        restatements: recorder.restatements,
        bills: recorder.bills,
        met: recorder.met,
        ..reading.out
    })
}

/// About days of a bill of which nothing is left.
const DAYS_GONE: &str = "days that a bill had cost on, and has none on as it was read now; where it is one of several files, record all of them at once";

/// What the reader hands to the recorder.
enum Job {
    Batch(RecordBatch),
    Bill(Bill),
}

/// The side of the ledger.
struct Recorder<'a> {
    ledger: &'a mut dyn Ledger,
    pricer: &'a dyn Pricer,
    now: DateTime<Utc>,
    recorded: Recorded,
    restatements: Vec<Restatement>,
    bills: u64,
    /// The time of the bills that were recorded.
    billed: Option<Period>,
    /// The time of the calls that were met.
    met: Option<Period>,
}

impl Recorder<'_> {
    fn absorb(&mut self, more: &Recorded) -> Result<(), StoreError> {
        self.recorded.recorded += more.recorded;
        self.recorded.known += more.known;
        self.recorded.duplicates += more.duplicates;
        self.recorded.unpriced += more.unpriced;
        self.recorded.cost = add_exact(self.recorded.cost, more.cost)?;
        Ok(())
    }

    /// Records a batch and empties it.
    fn batch(&mut self, batch: &mut RecordBatch) -> Result<(), StoreError> {
        if let Some((first, last)) = batch.events.span() {
            let own = Period::new(first, Hour(Hour::of(last).0 + 1).start());
            self.met = Some(self.met.map_or(own, |met| met.with(own)));
        }
        let recorded = self.ledger.record_ahead(batch, self.pricer, self.now)?;
        self.absorb(&recorded)?;
        batch.events.clear();
        Ok(())
    }

    fn bill(&mut self, bill: &Bill) -> Result<(), StoreError> {
        let restated = self.ledger.replace_bill(bill, self.now)?;
        self.restatements.extend(restated);
        self.bills += 1;
        let hours = bill.rows.hours().filter_map(|rows| rows.hour());
        let hours = hours.fold(None, |span: Option<(Hour, Hour)>, hour| {
            Some(span.map_or((hour, hour), |(first, last)| (first.min(hour), last.max(hour))))
        });
        if let Some((first, last)) = hours {
            let own = Period::new(first.start(), Hour(last.0 + 1).start());
            self.billed = Some(self.billed.map_or(own, |billed| billed.with(own)));
        }
        Ok(())
    }
}

/// Records what comes until the reader has ended.
fn record(recorder: &Mutex<Recorder<'_>>, jobs: Receiver<Job>, back: &Sender<EventBatch>) -> Result<(), StoreError> {
    for job in jobs {
        match job {
            Job::Batch(mut batch) => {
                held(recorder).batch(&mut batch)?;
                // A reader that has ended needs it no more.
                drop(back.send(batch.events));
            }
            Job::Bill(bill) => held(recorder).bill(&bill)?,
        }
    }
    Ok(())
}

/// The recorder, while it is this thread's. One that panicked ends the run.
fn held<'m, 'r>(recorder: &'m Mutex<Recorder<'r>>) -> MutexGuard<'m, Recorder<'r>> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the sources share on the side of reading.
struct Reading<'a> {
    observer: &'a mut (dyn FnMut(&Progress) + Send),
    rejects: Option<&'a mut (dyn Write + Send)>,
    enough: &'a (dyn Fn() -> bool + Sync),
    /// Where there are several sources.
    alike: Option<Alike>,
    out: Collection,
}

/// The sink of one source.
struct Collector<'a, 'r> {
    recorder: &'a Mutex<Recorder<'r>>,
    jobs: SyncSender<Job>,
    emptied: Emptied,
    source: Label,
    events: EventBatch,
    checkpoints: HashMap<String, Checkpoint>,
    /// Rejections shown of the sources before.
    shown_before: usize,
    reading: &'a mut Reading<'r>,
}

impl Collector<'_, '_> {
    /// Keeps a rejection that is among the first of its source by file and line, in whatever order threads tell them.
    fn show(&mut self, rejection: Rejection) {
        // In the order in which files are read, which is that of paths and not of their texts.
        let (file, line) = (Path::new(&rejection.file), rejection.line);
        let shown = &mut self.reading.out.first_rejections;
        let own = shown.get(self.shown_before..).unwrap_or_default();
        let at = own.partition_point(|known| (Path::new(&known.file), known.line) <= (file, line));
        let at = self.shown_before + at;
        if at < SHOWN_REJECTIONS {
            shown.truncate(SHOWN_REJECTIONS - 1);
            shown.insert(at, rejection);
        }
    }

    fn look(&mut self, calls: &[UsageEvent]) {
        if let Some(alike) = &mut self.reading.alike {
            alike.look(self.source, calls);
        }
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        // The recorder has failed, and its own error is the one that is told.
        self.jobs.send(job).map_err(|_| StoreError::Failed {
            path: self.source.to_string(),
            cause: "recording has stopped".to_owned(),
        })
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.events.is_empty() && self.checkpoints.is_empty() {
            return Ok(());
        }
        let source = self.source;
        let checkpoints = self.checkpoints.drain();
        let checkpoints = checkpoints.map(|(key, at)| of_whom(source, key, at)).collect();
        let events = std::mem::take(&mut self.events);
        self.send(Job::Batch(RecordBatch { events, checkpoints }))?;
        self.events = self.emptied.take();
        Ok(())
    }
}

/// A checkpoint with the source under which it is kept.
fn of_whom(source: Label, key: String, at: Checkpoint) -> (String, String, Checkpoint) {
    let source = if key.starts_with(OF_ALL) {
        ALL_SOURCES
    } else {
        source.as_str()
    };
    (source.to_owned(), key, at)
}

impl Sink for Collector<'_, '_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.look(events);
        self.events.extend_from(events, self.source);
        if self.events.is_enough() { self.flush() } else { Ok(()) }
    }

    fn batch(&mut self, events: &mut EventBatch, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        self.flush()?;
        if events.is_empty() && checkpoints.is_empty() {
            return Ok(());
        }
        self.look(events.events());
        let source = self.source;
        let checkpoints = checkpoints.into_iter();
        let mut batch = RecordBatch {
            events: std::mem::take(events),
            checkpoints: checkpoints.map(|(key, at)| of_whom(source, key, at)).collect(),
        };
        // By the thread that has read it: what it reads next waits for this anyway.
        held(self.recorder).batch(&mut batch)?;
        *events = batch.events;
        Ok(())
    }

    fn is_recording(&self) -> bool {
        self.recorder
            .try_lock()
            .map_or(true, |recorder| !recorder.ledger.is_settled())
    }

    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.flush()?;
        self.send(Job::Bill(bill))
    }

    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        self.checkpoints.insert(key.to_owned(), at);
        Ok(())
    }

    fn of_all(&self) -> Result<Checkpoints, StoreError> {
        held(self.recorder).ledger.checkpoints(ALL_SOURCES)
    }

    fn keeps_rejections(&self) -> bool {
        self.reading.rejects.is_some()
    }

    fn reject(&mut self, rejection: Rejection) {
        self.reading.out.rejected += 1;
        if let Some(file) = &mut self.reading.rejects {
            let line = serde_json::json!({
                "file": rejection.file,
                "line": rejection.line,
                "field": rejection.field,
                "reason": rejection.reason,
                "raw": String::from_utf8_lossy(&rejection.raw),
            });
            if let Err(error) = writeln!(file, "{line}") {
                *self
                    .reading
                    .out
                    .warnings
                    .entry(format!("rejected records could not be kept: {error}"))
                    .or_default() += 1;
                self.reading.rejects = None;
            }
        }
        self.show(rejection);
    }

    fn exclude(&mut self, kind: &'static str, count: u64) {
        *self.reading.out.excluded.entry(kind).or_default() += count;
    }

    fn warn(&mut self, about: &str, count: u64) {
        *self.reading.out.warnings.entry(about.to_owned()).or_default() += count;
    }

    fn progress(&mut self, read: Progress) {
        self.reading.out.files += read.files;
        self.reading.out.unread += read.unread;
        self.reading.out.unknown_costs += read.unknown_costs;
        self.reading.out.lines += read.lines;
        self.reading.out.bytes += read.bytes;
        self.reading.out.paid_requests += read.paid_requests;
        (self.reading.observer)(&read);
    }

    fn enough(&self) -> bool {
        (self.reading.enough)()
    }

    fn left(&mut self, rest: Rest) {
        self.reading.out.left.push(LeftOver {
            source: self.source,
            rest: Some(rest),
        });
    }
}
