//! Reads many files with two threads, where no file depends on what another holds.
//!
//! Each thread reads, merges what it has read, and records that while the other reads. Recording takes less time than reading, so that
//! both are busy: who has read enough records it when the other does not, and goes on reading while it does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
/// Calls of which it is worth it to record them, when no other thread does.
const ENOUGH: usize = EventBatch::ENOUGH / 4 * 3;
/// The same towards the end, where the other thread has little left to do meanwhile.
const FEW: usize = EventBatch::ENOUGH / 4;
/// Bytes of a call in a log, as an estimate of how much is left.
const BYTES_PER_CALL: u64 = 700;
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
        | FileFormat::GeminiCli
        | FileFormat::Pi
        | FileFormat::Opencode
        | FileFormat::CopilotCli
        | FileFormat::KimiCli
        | FileFormat::Goose
        | FileFormat::Crush
        | FileFormat::Cline
        | FileFormat::Amp
        | FileFormat::Droid
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
    // Bytes of the files that no thread has taken yet.
    let ahead = AtomicU64::new(bytes);
    let unread = Mutex::new((Vec::new(), Vec::new()));
    let work = |first: usize| -> Result<(), SourceError> {
        let mut own = Own::new(options.name, &sink, &ahead, first);
        let mut run = Run::new(options, shared.clone(), &mut own);
        run.by_itself = true;
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((found, position)) = todo.get(at) else { break };
            ahead.fetch_sub(found.metadata.len(), Ordering::Relaxed);
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
        let other = other.spawn_scoped(scope, || work(ENOUGH / 2));
        let read = work(ENOUGH);
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
    /// Bytes that no thread has taken yet.
    ahead: &'a AtomicU64,
    events: EventBatch,
    /// Calls from which on the batch is recorded when no other thread records.
    enough: usize,
    checkpoints: Vec<(String, Checkpoint)>,
    keeps_rejections: bool,
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
    fn new(source: Label, main: &'a Mutex<&'s mut dyn Sink>, ahead: &'a AtomicU64, first: usize) -> Self {
        Own {
            source,
            main,
            ahead,
            events: EventBatch::default(),
            enough: first,
            checkpoints: Vec::new(),
            keeps_rejections: held(main).keeps_rejections(),
            told: Told::default(),
        }
    }

    /// Waits for this thread's turn, and records what it has read.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.record(held(self.main))
    }

    fn record(&mut self, mut main: MutexGuard<'_, &'s mut dyn Sink>) -> Result<(), StoreError> {
        self.told.hand_on(*main);
        main.batch(&mut self.events, std::mem::take(&mut self.checkpoints))
    }

    /// Calls of which the next batch is made: less and less towards the end.
    fn worth_it(&self) -> usize {
        let share = self.ahead.load(Ordering::Relaxed) / (READERS as u64 * BYTES_PER_CALL);
        usize::try_from(share).unwrap_or(ENOUGH).clamp(FEW, ENOUGH)
    }

    fn end(mut self) -> Result<(), StoreError> {
        self.flush()
    }
}

impl Sink for Own<'_, '_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.events.extend_from(events, self.source);
        if self.events.len() < self.enough {
            return Ok(());
        }
        let main = match self.main.try_lock() {
            Ok(main) if !main.is_recording() || self.events.is_full() => main,
            Ok(_) => return Ok(()),
            Err(_) if !self.events.is_full() => return Ok(()),
            Err(_) => held(self.main),
        };
        self.record(main)?;
        self.enough = self.worth_it();
        Ok(())
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

    fn keeps_rejections(&self) -> bool {
        self.keeps_rejections
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
