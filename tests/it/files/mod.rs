//! Usage formats: fixtures and hostile input.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod admin;
mod again;
mod agents;
mod agents_of_files;
mod answers;
mod bedrock;
mod bodies;
mod body;
mod broken;
mod claude_beside;
mod claude_code;
mod codex;
mod coding_agents;
mod columns;
mod copilot;
mod corpus;
mod cost_explorer;
mod crush;
mod cur;
mod deliveries;
mod find;
mod focus;
mod frameworks;
mod gateways;
mod gemini;
mod gemini_cli;
mod generated;
mod goose;
mod joined;
mod litellm;
mod messages;
mod mixed;
mod objects;
mod openclaw;
mod otel;
mod otel_gateways;
mod parquet;
mod parquet_encodings;
mod plain;
mod relays;
mod side_by_side;
mod span_texts;
mod spans;
mod spellings;
mod streams;
mod tables;
mod witnesses;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use finops::adapters::files::{FileFormat, FileSource, FileSourceOptions};
use finops::domain::label::Label;
use finops::domain::spend::Bill;
use finops::domain::usage::{Bucket, EventId, UsageEvent};
use finops::ports::{Checkpoint, Checkpoints, OF_ALL, Progress, Rejection, Sink, StoreError, UsageSource};

/// Keeps everything, calls merged by identity as a ledger does.
#[derive(Default)]
pub struct Kept {
    pub calls: HashMap<EventId, UsageEvent>,
    pub observed: usize,
    pub bills: Vec<Bill>,
    pub checkpoints: Checkpoints,
    /// Those that are of all sources.
    pub of_all: Checkpoints,
    pub rejected: Vec<Rejection>,
    pub excluded: BTreeMap<&'static str, u64>,
    pub warnings: BTreeMap<String, u64>,
    pub progress: Progress,
    pub keeps_rejections: bool,
    /// Whether the time is used up.
    pub enough: Option<Box<dyn Fn() -> bool + Send>>,
}

impl Sink for Kept {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        for event in events {
            self.observed += 1;
            self.calls
                .entry(event.id)
                .and_modify(|known| *known = known.merge(*event))
                .or_insert(*event);
        }
        Ok(())
    }
    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.bills.push(bill);
        Ok(())
    }
    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        let own = if key.starts_with(OF_ALL) {
            &mut self.of_all
        } else {
            &mut self.checkpoints
        };
        own.insert(key.to_owned(), at);
        Ok(())
    }
    fn of_all(&self) -> Result<Checkpoints, StoreError> {
        Ok(self.of_all.clone())
    }
    fn keeps_rejections(&self) -> bool {
        self.keeps_rejections
    }
    fn enough(&self) -> bool {
        self.enough.as_ref().is_some_and(|enough| enough())
    }
    fn reject(&mut self, rejection: Rejection) {
        self.rejected.push(rejection);
    }
    fn exclude(&mut self, kind: &'static str, count: u64) {
        *self.excluded.entry(kind).or_default() += count;
    }
    fn warn(&mut self, about: &str, count: u64) {
        *self.warnings.entry(about.to_owned()).or_default() += count;
    }
    fn progress(&mut self, read: Progress) {
        self.progress.files += read.files;
        self.progress.lines += read.lines;
        self.progress.bytes += read.bytes;
        self.progress.expected_bytes += read.expected_bytes;
        self.progress.unknown_costs += read.unknown_costs;
    }
}

impl Kept {
    /// Sums over the merged calls: uncached, read, 5m, 1h, output, reasoning.
    pub fn totals(&self) -> [u64; 6] {
        let sum = |bucket| self.calls.values().map(|e| e.tokens.get(bucket)).sum();
        [
            sum(Bucket::InputUncached),
            sum(Bucket::CacheRead),
            sum(Bucket::CacheWrite5m),
            sum(Bucket::CacheWrite1h),
            sum(Bucket::Output),
            self.calls.values().map(|e| e.tokens.reasoning).sum(),
        ]
    }

    pub fn only(&self) -> UsageEvent {
        assert_eq!((self.calls.len(), self.rejected.as_slice()), (1, &[][..]));
        *self.calls.values().next().unwrap()
    }
}

/// Material that lies beside the project, if this machine has it. The folder is looked up at run time, so that a test
/// binary can be pointed at another checkout.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let found = Path::new(&root).join("../shared").join(path);
    if !found.exists() {
        println!("skipped: nothing at {}", found.display());
    }
    found.exists().then_some(found)
}

pub fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn source(base: &Path, format: Option<FileFormat>, paths: &[&str]) -> FileSource {
    FileSource::new(options(base, format, paths))
}

fn options(base: &Path, format: Option<FileFormat>, paths: &[&str]) -> FileSourceOptions {
    FileSourceOptions {
        name: Label::new("test"),
        format,
        paths: paths.iter().map(|p| (*p).to_owned()).collect(),
        base: base.to_owned(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: time("2026-12-01T00:00:00Z"),
        env: |_| None,
    }
}

/// Reads into what was kept before.
pub fn read_on(base: &Path, paths: &[&str], kept: &mut Kept) {
    let known = kept.checkpoints.clone();
    source(base, None, paths).read(&known, kept).unwrap();
}

/// What a call costs by the built-in book.
pub fn charged(call: &UsageEvent) -> String {
    let pricer = finops::adapters::prices::load(None, &[]).unwrap();
    let quote = pricer.books().quote(call);
    assert!(quote.charge.is_priced(), "{:?}", quote.charge);
    quote.charge.cost.normalize().to_string()
}

/// Makes a file one with which nobody goes on: it was last changed days before the clock of these tests, whatever the machine's says. Files
/// of other lengths were changed at other times.
pub fn aged(file: &Path) {
    let file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    let length = std::time::Duration::from_millis(file.metadata().unwrap().len());
    let changed = std::time::SystemTime::from(time("2026-11-20T12:00:00Z")) + length;
    file.set_modified(changed).unwrap();
}

/// Writes one file and reads it.
pub fn read_text(name: &str, content: impl AsRef<[u8]>) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    aged(&folder.path().join(name));
    let mut kept = Kept::default();
    read_on(folder.path(), &[name], &mut kept);
    kept
}
