//! Reads many files with two threads, where no file depends on what another holds.
//!
//! Each thread reads, merges what it has read, and waits while that is recorded, during which the other reads. Recording takes less
//! time than reading, so that both are busy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::domain::label::Label;
use crate::domain::spend::Bill;
use crate::domain::usage::{EventBatch, UsageEvent};
use crate::ports::{Checkpoint, Progress, Rejection, Rest as Left, Sink, SourceError, StoreError};

use super::discover::Found;
use super::position::Position;
use super::read::Run;
use super::readers::{Shared, held};
use super::stop::Extent;
use super::{FileFormat, FileSourceOptions};

/// Bytes to be read from which on a second thread is worth its start; below, files are read in their order.
const MANY_BYTES: u64 = 32 << 20;
/// Threads that read. One more would wait: two already record half of the time.
const READERS: usize = 2;
/// Rejections that are held back until it is this thread's turn.
const HELD_BACK: usize = 64;

/// A file and where reading it stands.
pub(super) type Todo<'f> = (&'f Found, Option<Position>);

/// Whether files of a format are understood each by itself: its records refer to no other file, and nothing is summed over files.
pub(super) fn by_itself(format: FileFormat) -> bool {
    match format {
        FileFormat::ClaudeCode | FileFormat::Codex | FileFormat::Plain => true,
        // Spans wait for those of other files, records without spend are told apart across files, bills are summed over all.
        FileFormat::Otel
        | FileFormat::Litellm
        | FileFormat::Bedrock
        | FileFormat::Body
        | FileFormat::Apim
        | FileFormat::Langfuse
        | FileFormat::Helicone
        | FileFormat::Focus
        | FileFormat::Cur
        | FileFormat::OpenaiAdmin
        | FileFormat::AnthropicAdmin
        | FileFormat::CostExplorer => false,
    }
}

/// What is not read.
#[derive(Default)]
pub(super) struct Rest<'f> {
    /// Files that are to be read one after another.
    pub in_order: Vec<Todo<'f>>,
    /// Files that were not begun or not read to their end, since the time was used up.
    pub left: Vec<&'f Found>,
}

/// Reads what can be read side by side; answers what cannot.
pub(super) fn read<'f>(
    options: &FileSourceOptions,
    shared: &Shared,
    todo: Vec<Todo<'f>>,
    sink: &mut dyn Sink,
) -> Result<Rest<'f>, SourceError> {
    let bytes = todo.iter().map(|(found, _)| found.metadata.len()).sum::<u64>();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if todo.len() < READERS || bytes < MANY_BYTES || cores < READERS {
        return Ok(Rest {
            in_order: todo,
            left: Vec::new(),
        });
    }
    let sink = Mutex::new(sink);
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let unread = Mutex::new((Vec::new(), Vec::new()));
    let work = |first: usize| -> Result<(), SourceError> {
        let mut own = Own::new(options.name, &sink, first);
        let mut run = Run::new(options, shared.clone(), &mut own);
        run.by_itself = true;
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((found, position)) = todo.get(at) else { break };
            match run.one(found, position.clone()) {
                Ok(Extent::Whole) => {}
                Ok(Extent::Part) => held(&unread).1.push(at),
                Ok(Extent::Nothing) => held(&unread).0.push(at),
                Err(error) => {
                    stopped.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            if run.stopped || run.sink.enough() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        own.end().map_err(SourceError::from)
    };
    thread::scope(|scope| {
        // Without a second thread the first reads all.
        let other = thread::Builder::new().name("read".to_owned());
        // Its first batch is half of one, so that the two do not want to record at the same time.
        let other = other.spawn_scoped(scope, || work(EventBatch::FULL / 2));
        let read = work(EventBatch::FULL);
        match other.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(also)) => read.and(also),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => read,
        }
    })?;
    let (mut in_order, mut left) = unread.into_inner().unwrap_or_else(PoisonError::into_inner);
    in_order.sort_unstable();
    left.extend(next.into_inner()..todo.len());
    let of = |at: usize| todo.get(at).cloned();
    Ok(Rest {
        in_order: in_order.into_iter().filter_map(of).collect(),
        left: left.into_iter().filter_map(of).map(|(found, _)| found).collect(),
    })
}

/// The sink of one thread: it merges what it is given, and hands on much at a time.
struct Own<'a, 's> {
    source: Label,
    main: &'a Mutex<&'s mut dyn Sink>,
    events: EventBatch,
    /// Calls at which the batch is recorded.
    full: usize,
    checkpoints: Vec<(String, Checkpoint)>,
    told: Told,
}

/// What is told when it is this thread's turn.
#[derive(Default)]
struct Told {
    progress: Progress,
    excluded: BTreeMap<&'static str, u64>,
    warnings: BTreeMap<String, u64>,
    rejections: Vec<Rejection>,
}

impl Told {
    fn hand_on(&mut self, main: &mut dyn Sink) {
        main.progress(std::mem::take(&mut self.progress));
        for (kind, count) in std::mem::take(&mut self.excluded) {
            main.exclude(kind, count);
        }
        for (about, count) in std::mem::take(&mut self.warnings) {
            main.warn(&about, count);
        }
        for rejection in self.rejections.drain(..) {
            main.reject(rejection);
        }
    }
}

impl<'a, 's> Own<'a, 's> {
    fn new(source: Label, main: &'a Mutex<&'s mut dyn Sink>, first: usize) -> Self {
        Own {
            source,
            main,
            events: EventBatch::default(),
            full: first,
            checkpoints: Vec::new(),
            told: Told::default(),
        }
    }

    /// Waits for this thread's turn, and until what it has read is recorded.
    fn flush(&mut self) -> Result<(), StoreError> {
        let mut main = held(self.main);
        self.told.hand_on(*main);
        main.batch(&mut self.events, std::mem::take(&mut self.checkpoints))
    }

    fn end(mut self) -> Result<(), StoreError> {
        self.flush()
    }
}

impl Sink for Own<'_, '_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.events.extend_from(events, self.source);
        if self.events.len() < self.full {
            return Ok(());
        }
        self.full = EventBatch::FULL;
        self.flush()
    }

    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.flush()?;
        held(self.main).bill(bill)
    }

    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        // Only the last of a file counts, and files are read one after another.
        match self.checkpoints.last_mut() {
            Some((known, last)) if known == key => *last = at,
            _ => self.checkpoints.push((key.to_owned(), at)),
        }
        Ok(())
    }

    fn reject(&mut self, rejection: Rejection) {
        self.told.rejections.push(rejection);
        if self.told.rejections.len() >= HELD_BACK {
            self.told.hand_on(*held(self.main));
        }
    }

    fn exclude(&mut self, kind: &'static str, count: u64) {
        *self.told.excluded.entry(kind).or_default() += count;
    }

    fn warn(&mut self, about: &str, count: u64) {
        *self.told.warnings.entry(about.to_owned()).or_default() += count;
    }

    fn progress(&mut self, read: Progress) {
        self.told.progress.add(read);
        // While the other thread records, reading goes on.
        if let Ok(mut main) = self.main.try_lock() {
            self.told.hand_on(*main);
        }
    }

    fn enough(&self) -> bool {
        self.main.try_lock().is_ok_and(|main| main.enough())
    }

    fn left(&mut self, rest: Left) {
        held(self.main).left(rest);
    }
}
