//! Usage and bills in files: one file per format.

pub(crate) mod admin;
mod agents;
mod ahead;
mod amount;
mod apim;
mod asked;
mod bedrock;
mod bill_files;
pub(crate) mod bills;
mod body;
mod claude_code;
mod codex;
mod columns;
mod copies;
pub(crate) mod cost_explorer;
mod counts;
mod cur;
mod cur_rows;
mod database;
mod detect;
mod discover;
mod editors;
mod extras;
mod find;
mod focus;
mod focus_tokens;
mod format;
mod formerly;
mod gemini;
mod gemini_cli;
mod grid;
mod helicone;
mod host;
mod hosted;
mod iterations;
mod joined;
mod keys;
mod langfuse;
mod line;
mod litellm;
mod manifests;
mod media;
mod memo;
mod messages;
mod mixed;
mod noted;
mod object;
mod objects;
mod one;
mod one_file;
mod otel;
mod others;
mod packed;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod plain;
mod position;
mod posted;
mod probe;
mod read;
mod readers;
mod records;
mod remember;
mod scalar;
mod scan;
mod searches;
mod seller;
mod shape;
mod sheet;
mod side_by_side;
mod sniff;
mod spans;
mod stop;
mod stores;
mod table;
mod tags;
mod thoughts;
mod tier;
mod time;
mod unread;
mod usage;
mod usual;
mod value;
mod wanted;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::UsageEvent;
use crate::ports::{Checkpoints, Progress, Sink, SourceError, UsageSource};

use codex::Sessions;
use discover::Search;
use others::Others;
use usual::Usual;

pub use asked::{Asked, WholeDays};
pub use body::read_body;
pub use columns::Columns;
pub use cur_rows::CurRows;
pub use find::FileFinder;
pub use format::{FileFormat, UnknownFormat};
pub use objects::{LARGEST_OBJECT, Listed, Object, ObjectSource, ObjectStore};
pub use one_file::same_file;
pub use plain::KNOWN_KEYS as PLAIN_KEYS;
pub(crate) use position::gave;
pub use position::taken_back;
pub use posted::{Inbox, Post, PostKind, Posted};
pub use probe::{Parser, Probed, probe};
pub use spans::Spans;

/// How far the clock of a sender may be ahead before its records count as absurd.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

/// What to read and how.
#[derive(Clone)]
pub struct FileSourceOptions {
    /// The configured name of the source.
    pub name: Label,
    /// The format; detected per file where not given.
    pub format: Option<FileFormat>,
    /// Files, folders (searched recursively, hidden ones too), globs, `~/…`, or `-` for standard input.
    pub paths: Vec<String>,
    /// Folder that relative paths start at.
    pub base: PathBuf,
    /// Values for dimensions that a record leaves empty.
    pub defaults: Vec<(Dimension, Label)>,
    /// How records of a foreign form are read as plain ones.
    pub columns: Option<Arc<Columns>>,
    /// What a report asks of bills; none where they are recorded, with all that they tell.
    pub asked: Option<Asked>,
    /// Records of a later time are rejected as implausible: now, and [`CLOCK_SKEW`] more.
    pub latest: DateTime<Utc>,
    /// Looks up an environment variable.
    pub env: fn(&str) -> Option<String>,
}

impl FileSourceOptions {
    /// Gives the defaults to dimensions that are empty, of calls that are of no other source. Whether all were.
    fn fill_in(&self, events: &mut [UsageEvent]) -> bool {
        let mut all = true;
        for event in events {
            match event.dimensions.get(Dimension::Source) {
                named if !named.is_empty() && named != self.name => all = false,
                _ => self.fill(&mut event.dimensions),
            }
        }
        all
    }

    fn fill(&self, dimensions: &mut Dimensions) {
        for (dimension, value) in &self.defaults {
            if dimensions.get(*dimension).is_empty() {
                dimensions.set(*dimension, *value);
            }
        }
    }

    /// Gives rows of a bill the defaults and the name of the source.
    fn place(&self, dimensions: &mut Dimensions) {
        self.fill(dimensions);
        dimensions.set(Dimension::Source, self.name);
    }
}

/// Usage in files.
pub struct FileSource {
    options: FileSourceOptions,
    files_only: bool,
    usual: Usual,
    /// What the other sources of the run read.
    others: Others,
    /// The traces that it has with them.
    spans: Spans,
}

impl FileSource {
    /// A source over the configured paths.
    #[must_use]
    pub fn new(options: FileSourceOptions) -> Self {
        FileSource {
            options,
            files_only: false,
            usual: Usual::default(),
            others: Others::default(),
            spans: Spans::default(),
        }
    }

    /// The same without pipes and devices, which are told as what cannot be read: a job that nobody watches would wait at them for ever.
    #[must_use]
    pub fn of_files_only(self) -> Self {
        FileSource {
            files_only: true,
            ..self
        }
    }

    /// The paths that are read.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.options.paths
    }

    /// How many files there are now; an error names what does not exist or cannot be looked into.
    pub fn found(&self) -> Result<usize, SourceError> {
        let search = self.search()?;
        let found = search.found.len();
        search.failure().map(|()| found)
    }

    /// What is told of its paths beside how many files there are: patterns that mean files where there are only folders.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        self.search().ok()?.told()
    }

    /// Whether a file is one of those that are read, by whatever name. What only lies in a folder with them and is neither usage nor a
    /// bill by its beginning, such as the report of the day before, is not.
    #[must_use]
    pub fn reads(&self, path: &Path) -> bool {
        let is_named = |given: &String| same_file(&self.options.base.join(given), path);
        let is_meant = || self.options.format.is_some() || self.options.paths.iter().any(is_named);
        self.search().is_ok_and(|search| search.holds(path)) && (is_meant() || sniff::may_be_spend(path))
    }

    /// Whether all files that another source reads are among those of this one, and there are any.
    #[must_use]
    pub fn reads_all_of(&self, other: &FileSource) -> bool {
        let (Ok(own), Ok(others)) = (self.search(), other.search()) else {
            return false;
        };
        let own: BTreeSet<&Path> = own.found.iter().map(|found| found.path.as_path()).collect();
        let is_own = others.found.iter().all(|found| own.contains(found.path.as_path()));
        is_own && !others.stdin && !others.found.is_empty()
    }

    fn search(&self) -> Result<Search, SourceError> {
        let mut search = discover::discover(&self.options.paths, &self.options.base, self.options.env)?;
        self.usual.tell(&mut search);
        if self.files_only {
            search.keep_files();
        }
        Ok(search)
    }
}

impl UsageSource for FileSource {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let search = self.search()?;
        if search.is_empty() && position::are_missed(known) {
            // A disk that is not there looks so, and a folder that was cleared.
            sink.warn(
                "no file is left of those that were read before, and no alert is resolved before its period ends",
                1,
            );
            sink.progress(Progress {
                unread: known.len() as u64,
                ..Progress::default()
            });
        }
        if let Some(told) = search.told() {
            sink.warn(&told, 1);
        }
        // At the usual places tools keep notes of their own.
        if search.is_empty() && search.passed > 0 && self.places().is_empty() {
            sink.warn(
                "files in folders, with names that end in none of .jsonl, .ndjson, .json, .csv and .parquet (also packed): name them, or give \
                 a pattern",
                search.passed,
            );
        }
        let (others, env) = (self.others.clone(), self.options.env);
        let sessions = Sessions::new(search.found.iter().map(|f| f.path.clone()).collect())
            .knowing(known)
            .and_in(move || others.files(env));
        let traces = self.spans.begin(&self.options, known, sink)?;
        unread::read_all(&self.options, search, (sessions, traces), known, sink)
    }
}
