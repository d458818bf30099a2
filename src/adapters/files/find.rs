//! Looks again into the files that a source was read from, for the record of a call.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::domain::spend::Bill;
use crate::domain::usage::UsageEvent;
use crate::ports::{
    Checkpoint, Checkpoints, Located, Progress, RecordFinder, RecordPlace, Rejection, Sink, StoreError,
};

use super::codex::Sessions;
use super::otel::Traces;
use super::position::Position;
use super::read::Run;
use super::readers::Shared;
use super::remember::TRACES;
use super::sniff::unpack;
use super::stop::Stop;
use super::unread::Unread;
use super::{FileFormat, FileSourceOptions};

/// Finds records in files.
pub struct FileFinder {
    /// How the source is read. Its paths do not matter: what was read from is known.
    options: FileSourceOptions,
}

impl FileFinder {
    /// A finder in the files of a source that is read so.
    #[must_use]
    pub fn new(options: FileSourceOptions) -> Self {
        FileFinder { options }
    }

    fn look(&self, file: &Known<'_>, sessions: &Arc<Sessions>, looking: &mut Looking<'_>) -> io::Result<()> {
        let path = Path::new(file.path);
        // What was a file may be a pipe now, at which one would wait.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("no file any more"));
        }
        let opened = File::open(path)?;
        let changed = opened.metadata()?.modified().ok().map(Into::into);
        let (input, _) = unpack(Box::new(Watched {
            inner: opened,
            enough: looking.enough,
        }))?;
        // A file may hold several formats, which are told apart anew, record by record; one of a bill holds one.
        let known: Option<FileFormat> = file.position.format.parse().ok();
        let read_as = known.filter(|format| format.is_bill());
        let options = FileSourceOptions {
            name: self.options.name,
            format: read_as.or(self.options.format),
            paths: Vec::new(),
            base: PathBuf::new(),
            defaults: Vec::new(),
            columns: self.options.columns.clone(),
            asked: None,
            latest: self.options.latest,
            env: self.options.env,
        };
        let shared = Shared {
            sessions: Arc::clone(sessions),
            traces: Arc::new(Mutex::new(Traces::default())),
            columns: self.options.columns.clone(),
            else_as: known,
            unread: Unread::default(),
            formerly: Arc::default(),
        };
        let mut run = Run::new(&options, shared, looking);
        run.context.fallback = changed;
        path.clone_into(&mut run.context.file);
        let read = match file.position.reached {
            Some(_) => run.all_rows(path, file.path),
            None => run.stream(input, file.path, true, None, None),
        };
        match read.and_then(|()| run.settle_traces()) {
            Err(Stop::Io(error)) => Err(error),
            // The sink refuses more when it has what it looks for.
            Ok(()) | Err(Stop::Store(_) | Stop::Time | Stop::Later) => Ok(()),
        }
    }
}

impl RecordFinder for FileFinder {
    fn find(&mut self, call: &UsageEvent, inputs: &Checkpoints, enough: &(dyn Fn() -> bool + Sync)) -> Located {
        let mut located = Located::default();
        let (files, elsewhere) = known(call, inputs);
        located.elsewhere = elsewhere;
        let sessions = files.iter().map(|file| PathBuf::from(file.path)).collect();
        let sessions = Arc::new(Sessions::new(sessions));
        for (at, file) in files.iter().enumerate() {
            let mut looking = Looking::new(call, enough);
            let read = if enough() {
                Ok(())
            } else {
                self.look(file, &sessions, &mut looking)
            };
            let place = |line| RecordPlace {
                file: file.path.to_owned(),
                line,
            };
            located.others += looking.others;
            located.another = located.another.take().or_else(|| looking.another.map(place));
            if let Some(line) = looking.found {
                located.searched += 1;
                located.found = Some(place(line));
                break;
            }
            if enough() {
                located.left = (files.len() - at) as u64;
                break;
            }
            match read {
                Ok(()) => located.searched += 1,
                Err(cause) => {
                    located.unreadable += 1;
                    let told = || format!("{}: {cause}", file.path);
                    located.first_unreadable = located.first_unreadable.take().or_else(|| Some(told()));
                }
            }
        }
        located
    }
}

/// A file that was read.
struct Known<'k> {
    path: &'k str,
    position: Position,
}

/// The files that may hold a call, the likeliest first, and how many inputs are no files: those whose name holds its session, then those
/// that were changed after it was made, the one changed next to it first. A copy may be older than what it says, so the others follow.
fn known<'k>(call: &UsageEvent, inputs: &'k Checkpoints) -> (Vec<Known<'k>>, u64) {
    let made = call.at.min(call.rank.at).timestamp_nanos_opt().unwrap_or(0);
    let made = u64::try_from(made).unwrap_or(0);
    let session = call.session.as_str();
    let mut elsewhere = 0;
    let mut files = Vec::new();
    for (path, checkpoint) in inputs.iter().filter(|(key, _)| *key != TRACES) {
        let Some(position) = Position::parse(checkpoint) else {
            elsewhere += 1;
            continue;
        };
        let of_costs = matches!(
            position.format.parse(),
            Ok(FileFormat::Focus | FileFormat::Cur | FileFormat::CostExplorer)
        );
        if !of_costs {
            files.push(Known { path, position });
        }
    }
    files.sort_by_cached_key(|file| {
        let named = !session.is_empty() && file.path.contains(session);
        let changed = file.position.modified;
        (
            Reverse(named),
            changed < made,
            changed.abs_diff(made),
            file.path.to_owned(),
        )
    });
    (files, elsewhere)
}

/// A stream that ends with an error when the time is used up.
struct Watched<'a, R> {
    inner: R,
    enough: &'a (dyn Fn() -> bool + Sync),
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.enough)() {
            return Err(io::Error::other("the time is used up"));
        }
        self.inner.read(buffer)
    }
}

/// Looks at each observation that is read from one file, and keeps none.
struct Looking<'a> {
    call: &'a UsageEvent,
    enough: &'a (dyn Fn() -> bool + Sync),
    found: Option<u64>,
    others: u64,
    another: Option<u64>,
}

impl<'a> Looking<'a> {
    fn new(call: &'a UsageEvent, enough: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Looking {
            call,
            enough,
            found: None,
            others: 0,
            another: None,
        }
    }
}

impl Sink for Looking<'_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        for seen in events.iter().filter(|seen| seen.id == self.call.id) {
            let (rank, kept) = (&seen.rank, &self.call.rank);
            // Its usage is taken from one observation as a whole, of which an earlier version did not keep who told it.
            let witness = rank.authority == kept.authority || rank.at == kept.at;
            if witness && rank.line == kept.line && rank.complete == kept.complete && seen.tokens == self.call.tokens {
                self.found = Some(rank.line);
                return Err(StoreError::Failed {
                    path: self.call.id.to_string(),
                    cause: "found".to_owned(),
                });
            }
            self.others += 1;
            self.another.get_or_insert(rank.line);
        }
        Ok(())
    }

    fn bill(&mut self, _: Bill) -> Result<(), StoreError> {
        Ok(())
    }

    fn checkpoint(&mut self, _: &str, _: Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }

    fn enough(&self) -> bool {
        (self.enough)()
    }

    fn reject(&mut self, _: Rejection) {}

    fn exclude(&mut self, _: &'static str, _: u64) {}

    fn warn(&mut self, _: &str, _: u64) {}

    fn progress(&mut self, _: Progress) {}
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::label::Label;
    use crate::domain::usage::EventId;

    fn position(format: &str, changed_minute: u64) -> Checkpoint {
        let text = format!(
            r#"{{"size":1,"modified":{},"offset":1,"newlines":1,"head_len":0,"head":"","format":"{format}","resumable":true,"state":""}}"#,
            (1_790_000_000 + 60 * changed_minute) * 1_000_000_000
        );
        Checkpoint(text.into_bytes())
    }

    #[test]
    fn the_likeliest_files_come_first_and_bills_not_at_all() {
        let made = DateTime::from_timestamp(1_790_000_000 + 60 * 10, 0).unwrap();
        let mut call = UsageEvent::new(EventId([1; 16]), made, "p".into(), "m".into());
        let inputs: Checkpoints = [
            ("/before", position("plain", 9)),
            ("/long-before", position("plain", 1)),
            ("/after", position("plain", 12)),
            ("/long-after", position("plain", 50)),
            ("/s-1.jsonl", position("claude-code", 2)),
            ("/bill.csv", position("focus", 11)),
            (
                "s3://bucket/logs",
                Checkpoint(b"{\"closed\":null,\"read\":{}}".to_vec()),
            ),
            (TRACES, Checkpoint(vec![1, 2])),
        ]
        .map(|(key, at)| (key.to_owned(), at))
        .into();
        let order = |call: &UsageEvent| {
            let (files, elsewhere) = known(call, &inputs);
            assert_eq!(elsewhere, 1);
            files.iter().map(|f| f.path.to_owned()).collect::<Vec<_>>()
        };
        let by_time = ["/after", "/long-after", "/before", "/s-1.jsonl", "/long-before"];
        assert_eq!(order(&call), by_time);
        call.session = Label::new("s-1");
        let by_session = ["/s-1.jsonl", "/after", "/long-after", "/before", "/long-before"];
        assert_eq!(order(&call), by_session);
    }
}
