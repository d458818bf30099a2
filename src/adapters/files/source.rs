//! The [`UsageSource`] over files: finds them, reads what is new, detects the format, hands events over.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::claude_code::ClaudeCode;
use super::codex::Codex;
use super::litellm::Litellm;
use super::plain::{PlainCsv, PlainJson};
use super::reader::{Lines, Step, trimmed};
use super::{FileFormat, LineFormat, Parsed, detect, discover, focus};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::UsageEvent;
use crate::ports::{Checkpoint, Checkpoints, Progress, Rejection, Sink, SourceError, UsageSource};

/// Bytes at the head of a file by which a grown file is told from another one under the same name.
const HEAD: u64 = 1024;

/// Lines after which a checkpoint is set within a file.
const CHECKPOINT_LINES: u64 = 65_536;

/// The largest JSON document (an array, or objects over several lines) that is read as a whole.
const MAX_DOCUMENT: u64 = 512 * 1024 * 1024;

/// What a file source reads.
pub struct FileSourceOptions {
    /// Becomes the `source` dimension.
    pub name: Label,
    /// The format; detected per file if not given.
    pub format: Option<FileFormat>,
    /// Files, folders, globs, `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// Whether a path that does not exist is an error; the usual places of a tool may be missing.
    pub must_exist: bool,
    /// Values for dimensions that a record leaves empty.
    pub defaults: Vec<(Dimension, Label)>,
    /// Records later than this are rejected as implausible.
    pub latest: DateTime<Utc>,
}

/// Reads usage from files.
pub struct FileSource {
    options: FileSourceOptions,
}

/// Where reading a file has come to.
#[derive(Serialize, Deserialize, Clone, PartialEq)]
struct Position {
    size: u64,
    modified: u64,
    offset: u64,
    line: u64,
    head: String,
    format: String,
    state: String,
}

impl FileSource {
    /// A source over the given paths.
    #[must_use]
    pub fn new(options: FileSourceOptions) -> Self {
        FileSource { options }
    }

    /// How many files it finds now, with the paths that do not exist.
    #[must_use]
    pub fn found(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut files, mut missing, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for path in &self.options.paths {
            match discover::files(path) {
                Ok(found) => files.extend(found.into_iter().filter(|f| seen.insert(f.clone()))),
                Err(_) => missing.push(path.clone()),
            }
        }
        (files, missing)
    }

    fn format(&self, format: FileFormat) -> Option<Box<dyn LineFormat>> {
        let latest = self.options.latest;
        Some(match format {
            FileFormat::ClaudeCode => Box::new(ClaudeCode::new(latest)),
            FileFormat::Codex => Box::new(Codex::new(latest)),
            FileFormat::Litellm => Box::new(Litellm::new(latest)),
            FileFormat::Plain => Box::new(PlainJson::new(latest)),
            FileFormat::PlainCsv => Box::new(PlainCsv::new(latest)),
            FileFormat::Focus => return None,
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    SourceError::Read {
        what: path.display().to_string(),
        cause: error.to_string(),
        hint: "check that the file exists and that you may read it".to_owned(),
    }
}

impl UsageSource for FileSource {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        if self.options.paths.iter().any(|p| p.as_os_str() == "-") {
            self.stream("-", &mut io::stdin().lock(), sink)?;
        }
        let paths: Vec<PathBuf> = self
            .options
            .paths
            .iter()
            .filter(|p| p.as_os_str() != "-")
            .cloned()
            .collect();
        let listed = FileSource {
            options: FileSourceOptions {
                paths,
                ..self.options_copy()
            },
        };
        let (files, missing) = listed.found();
        let (mut pending, mut unchanged) = (Vec::new(), Vec::new());
        let mut expected = 0;
        for path in files {
            let meta = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?;
            let modified = meta
                .modified()
                .ok()
                .and_then(|m| m.duration_since(UNIX_EPOCH).ok())
                .unwrap_or_default();
            let modified = u64::try_from(modified.as_nanos()).unwrap_or_default();
            let position = known
                .get(&*path.to_string_lossy())
                .and_then(|c| serde_json::from_slice::<Position>(&c.0).ok());
            if position
                .as_ref()
                .is_some_and(|p| p.size == meta.len() && p.modified == modified)
            {
                unchanged.push((path, meta.len(), modified, position));
                continue;
            }
            expected += meta.len() - position.as_ref().map_or(0, |p| p.offset.min(meta.len()));
            pending.push((path, meta.len(), modified, position));
        }
        sink.progress(Progress {
            expected_bytes: expected,
            ..Progress::default()
        });
        let mut bills = focus::Bills::new(self.options.name);
        let mut failure = None;
        for (path, size, modified, position) in pending {
            match self.file(&path, size, modified, position, &mut bills, sink) {
                Err(SourceError::Read { what, cause, hint }) => {
                    failure.get_or_insert(SourceError::Read { what, cause, hint });
                }
                other => other?,
            }
        }
        if !bills.is_empty() {
            // A billing period may lie in several files: it is replaced as a whole, so that all of them are read again.
            unchanged.retain(|(.., p)| p.as_ref().is_some_and(|p| p.format == FileFormat::Focus.name()));
            for (path, size, modified, _) in unchanged {
                self.file(&path, size, modified, None, &mut bills, sink)?;
            }
        }
        bills.hand_over(sink)?;
        if let (true, Some(path)) = (self.options.must_exist, missing.first()) {
            return Err(unreadable(path, &io::Error::from(io::ErrorKind::NotFound)));
        }
        failure.map_or(Ok(()), Err)
    }
}

impl FileSource {
    fn options_copy(&self) -> FileSourceOptions {
        let o = &self.options;
        FileSourceOptions {
            name: o.name,
            format: o.format,
            paths: Vec::new(),
            must_exist: o.must_exist,
            defaults: o.defaults.clone(),
            latest: o.latest,
        }
    }

    fn file(
        &self,
        path: &Path,
        size: u64,
        modified: u64,
        position: Option<Position>,
        bills: &mut focus::Bills,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
        let name = path.to_string_lossy().into_owned();
        let fail = |e: io::Error| unreadable(path, &e);
        let mut file = File::open(path).map_err(fail)?;
        let mut first = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut first).map_err(fail)?;
        let head = |len: u64| {
            let kept = first
                .get(..usize::try_from(len.min(HEAD)).unwrap_or_default())
                .unwrap_or(&first);
            blake3::hash(kept).to_hex().to_string()
        };
        file.rewind().map_err(fail)?;
        let packed = first.starts_with(b"\x1f\x8b") || first.starts_with(b"\x28\xb5\x2f\xfd");
        // Compressed files and documents are read as a whole: their identities make that safe.
        let start = position.filter(|p| !packed && p.offset <= size && p.head == head(p.offset));
        let mut at = start.unwrap_or_else(|| Position {
            size: 0,
            modified: 0,
            offset: 0,
            line: 0,
            head: String::new(),
            format: String::new(),
            state: String::new(),
        });
        file.seek(SeekFrom::Start(at.offset)).map_err(fail)?;
        sink.progress(Progress {
            files: 1,
            ..Progress::default()
        });
        let stream: Box<dyn Read> = if first.starts_with(b"\x1f\x8b") {
            Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))
        } else if packed {
            let decoder = ruzstd::decoding::StreamingDecoder::new(BufReader::new(file))
                .map_err(|e| fail(io::Error::other(e.to_string())))?;
            Box::new(decoder)
        } else {
            Box::new(file)
        };
        let mut reading = Reading {
            source: self,
            name: &name,
            path,
            sink,
            format: None,
            events: Vec::new(),
            bills,
        };
        reading.run(stream, &mut at)?;
        at.size = size;
        at.modified = modified;
        at.head = head(at.offset);
        let body = serde_json::to_vec(&at).map_err(|e| fail(io::Error::other(e)))?;
        sink.checkpoint(&name, Checkpoint(body))?;
        Ok(())
    }

    fn stream(&self, name: &str, from: &mut dyn Read, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let mut bills = focus::Bills::new(self.options.name);
        let mut at = Position {
            size: 0,
            modified: 0,
            offset: 0,
            line: 0,
            head: String::new(),
            format: String::new(),
            state: String::new(),
        };
        sink.progress(Progress {
            files: 1,
            ..Progress::default()
        });
        let mut reading = Reading {
            source: self,
            name,
            path: Path::new(name),
            sink,
            format: None,
            events: Vec::new(),
            bills: &mut bills,
        };
        reading.run(Box::new(from), &mut at)?;
        bills.hand_over(sink)?;
        Ok(())
    }
}

/// One file being read.
struct Reading<'a> {
    source: &'a FileSource,
    name: &'a str,
    path: &'a Path,
    sink: &'a mut dyn Sink,
    format: Option<Box<dyn LineFormat>>,
    events: Vec<UsageEvent>,
    bills: &'a mut focus::Bills,
}

impl Reading<'_> {
    fn run(&mut self, stream: Box<dyn Read + '_>, at: &mut Position) -> Result<(), SourceError> {
        let path = self.path.to_path_buf();
        let fail = |e: io::Error| unreadable(&path, &e);
        if let Ok(format) = at.format.parse::<FileFormat>() {
            self.format = self.source.format(format);
            if let Some(format) = &mut self.format {
                format.restore(&at.state);
            }
        }
        let mut lines = Lines::new(stream, at.offset);
        let mut told = at.offset;
        let mut unchecked = 0;
        loop {
            let (record, end, complete) = match lines.step().map_err(fail)? {
                Step::End => break,
                Step::TooLong { end } => {
                    (at.line, at.offset) = (at.line + 1, end);
                    let reason = format!("is longer than {} MB", super::reader::MAX_RECORD >> 20);
                    self.reject(at.line, None, reason, &[]);
                    self.sink.progress(Progress {
                        lines: 1,
                        bytes: end - std::mem::replace(&mut told, end),
                        ..Progress::default()
                    });
                    continue;
                }
                Step::Line { bytes, end, complete } => (trimmed(bytes), end, complete),
            };
            if record.is_empty() {
                (at.line, at.offset) = (at.line + u64::from(complete), end);
                continue;
            }
            if self.format.is_none() && at.line == 0 {
                let document =
                    record.first() == Some(&b'[') || (record.first() == Some(&b'{') && !is_json(record) && complete);
                if document {
                    let before = [record, b"\n"].concat();
                    return self.document(before, &mut lines, at);
                }
            }
            if self.format.is_none() {
                let Some(format) = self.source.options.format.or_else(|| detect::of_record(record)) else {
                    at.line += 1;
                    at.offset = end;
                    let reason = "is in no known usage format".to_owned();
                    let line = record.to_vec();
                    self.reject(at.line, None, reason, &line);
                    self.sink.progress(Progress {
                        lines: 1,
                        ..Progress::default()
                    });
                    if at.line > 20 {
                        // Twenty records of no known format: not a usage file.
                        break;
                    }
                    continue;
                };
                let format = if format == FileFormat::Plain && record.first() != Some(&b'{') {
                    FileFormat::PlainCsv
                } else {
                    format
                };
                if format == FileFormat::Focus {
                    let header = [record, b"\n"].concat();
                    FileFormat::Focus.name().clone_into(&mut at.format);
                    return self.focus(&header, lines, at);
                }
                at.format = format.name().to_owned();
                self.format = self.source.format(format);
            }
            let Some(format) = &mut self.format else { break };
            let parsed = format.parse(record, at.line + 1, &mut self.events);
            if !complete && matches!(parsed, Parsed::Rejected { .. }) {
                // The writer is in the middle of this line: read it again when the file has grown.
                self.sink
                    .warn("a last line is not complete yet and is left for the next run", 1);
                break;
            }
            (at.line, at.offset) = (at.line + 1, end);
            let rejected = if let Parsed::Rejected { field, reason } = parsed {
                Some((field, reason, record.to_vec()))
            } else {
                if let Parsed::Excluded(kind) = parsed {
                    self.sink.exclude(kind, 1);
                }
                None
            };
            if let Some((field, reason, raw)) = rejected {
                self.events.clear();
                self.reject(at.line, field, reason, &raw);
            }
            self.hand_over()?;
            unchecked += 1;
            if unchecked % 1024 == 0 {
                let bytes = end - std::mem::replace(&mut told, end);
                self.sink.progress(Progress {
                    lines: 1024,
                    bytes,
                    ..Progress::default()
                });
            }
            if unchecked == CHECKPOINT_LINES {
                unchecked = 0;
                self.set_state(at);
            }
        }
        self.set_state(at);
        self.sink.progress(Progress {
            lines: unchecked % 1024,
            bytes: at.offset.saturating_sub(told),
            ..Progress::default()
        });
        let warnings = self.format.as_mut().map(|f| f.warnings()).unwrap_or_default();
        warnings
            .into_iter()
            .for_each(|(about, count)| self.sink.warn(&about, count));
        Ok(())
    }

    fn set_state(&self, at: &mut Position) {
        if let Some(format) = &self.format {
            at.state = format.state();
        }
    }

    fn hand_over(&mut self) -> Result<(), SourceError> {
        for mut event in self.events.drain(..) {
            for (dimension, value) in &self.source.options.defaults {
                if event.dimensions.get(*dimension).is_empty() {
                    event.dimensions.set(*dimension, *value);
                }
            }
            self.sink.usage(event)?;
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, field: Option<String>, reason: String, raw: &[u8]) {
        let raw = raw.get(..Rejection::RAW_LIMIT).unwrap_or(raw).to_vec();
        self.sink.reject(Rejection {
            file: self.name.to_owned(),
            line,
            field,
            reason,
            raw,
        });
    }

    /// A JSON array, or objects spread over several lines: read as a whole, one record per element.
    fn document(
        &mut self,
        mut text: Vec<u8>,
        lines: &mut Lines<Box<dyn Read + '_>>,
        at: &mut Position,
    ) -> Result<(), SourceError> {
        let path = self.path.to_path_buf();
        loop {
            match lines.step().map_err(|e| unreadable(&path, &e))? {
                Step::End => break,
                Step::TooLong { .. } => self.reject(0, None, "has a line that is too long".to_owned(), &[]),
                Step::Line { bytes, end, .. } => {
                    at.offset = end;
                    text.extend_from_slice(bytes);
                    text.push(b'\n');
                }
            }
            if text.len() as u64 > MAX_DOCUMENT {
                self.reject(
                    1,
                    None,
                    format!(
                        "is a JSON document above {} MB: write one record a line",
                        MAX_DOCUMENT >> 20
                    ),
                    &[],
                );
                return Ok(());
            }
        }
        at.offset = 0;
        let records: Result<Vec<&RawValue>, serde_json::Error> = if text.trim_ascii_start().first() == Some(&b'[') {
            serde_json::from_slice(&text)
        } else {
            serde_json::Deserializer::from_slice(&text)
                .into_iter::<&RawValue>()
                .collect()
        };
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                let line = u64::try_from(error.line()).unwrap_or_default();
                self.reject(line, None, format!("is not usable JSON: {error}"), &[]);
                return Ok(());
            }
        };
        for (record, line) in records.into_iter().zip(1..) {
            let record = record.get().as_bytes();
            if self.format.is_none() {
                let found = self.source.options.format.or_else(|| detect::of_record(record));
                self.format = found.and_then(|f| self.source.format(f));
            }
            self.sink.progress(Progress {
                lines: 1,
                bytes: record.len() as u64,
                ..Progress::default()
            });
            let parsed = match &mut self.format {
                Some(format) => format.parse(record, line, &mut self.events),
                None => Parsed::rejected("", "is in no known usage format"),
            };
            match parsed {
                Parsed::Rejected { field, reason } => {
                    self.events.clear();
                    self.reject(line, field, reason, record);
                }
                Parsed::Excluded(kind) => self.sink.exclude(kind, 1),
                Parsed::Usage | Parsed::Other => {}
            }
            self.hand_over()?;
        }
        Ok(())
    }

    fn focus(
        &mut self,
        header: &[u8],
        mut lines: Lines<Box<dyn Read + '_>>,
        at: &mut Position,
    ) -> Result<(), SourceError> {
        let path = self.path.to_path_buf();
        let mut text = header.to_vec();
        // Cells may hold line breaks, so that the CSV reader gets the bytes as they are.
        let rest = focus::Rest::new(&mut lines);
        let stream = io::Cursor::new(std::mem::take(&mut text)).chain(rest);
        let name = self.name.to_owned();
        self.bills
            .read(&name, stream, &self.source.options.defaults, self.sink)
            .map_err(|e| unreadable(&path, &e))?;
        // A changed bill is read as a whole again.
        at.offset = 0;
        Ok(())
    }
}

/// Whether a line is one JSON value.
fn is_json(record: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok()
}
