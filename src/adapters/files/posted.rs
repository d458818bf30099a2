//! Usage that was sent to us instead of read from a file: traces and records in the bodies of requests.

use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use memchr::memchr;
use serde::de::IgnoredAny;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::spend::Bill;
use crate::domain::usage::UsageEvent;
use crate::ports::{Checkpoint, Checkpoints, Progress, Rejection, Sink, SourceError, StoreError, UsageSource};

use super::line::{Fault, LineFormat};
use super::otel::{Otel, Traces, protobuf};
use super::read::Run;
use super::readers::{Shared, held};
use super::remember::TRACES;
use super::sniff::{DETECT_BYTES, Framing, framing};
use super::stop::Stop;
use super::{CLOCK_SKEW, FileSourceOptions};

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostKind {
    /// One OTLP/JSON export request.
    JsonTraces,
    /// One OTLP export request as protobuf.
    ProtobufTraces,
    /// Records of any format that files may have, one a line or as JSON values.
    Records,
}

/// One body.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its encoding.
    pub kind: PostKind,
    /// Its bytes, unpacked.
    pub body: Vec<u8>,
}

/// What became of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Observations handed over.
    pub accepted: u64,
    /// Parts that were not usable.
    pub rejected: u64,
    /// What is wrong with the first of them.
    pub first: Option<String>,
    /// Nothing of it could be read.
    pub unreadable: bool,
}

/// Keeps what later bodies need to know of earlier ones: the spans of traces.
pub struct Inbox {
    name: Label,
    defaults: Vec<(Dimension, Label)>,
    traces: Option<Arc<Mutex<Traces>>>,
}

impl Inbox {
    /// An inbox of the configured name.
    #[must_use]
    pub fn new(name: Label, defaults: Vec<(Dimension, Label)>) -> Self {
        Inbox {
            name,
            defaults,
            traces: None,
        }
    }

    /// Tells that what the newest source has read is durable. What one has read of which this is not told never was: its bodies come again.
    pub fn recorded(&mut self) {
        if let Some(traces) = &self.traces {
            held(traces).keep();
        }
    }

    /// A source of these bodies, received at `now`; records of a later day are refused. `known` is what the ledger keeps of this source and of all. The second
    /// part tells what became of each body once the source was read.
    pub fn source(
        &mut self,
        posts: Vec<Post>,
        now: DateTime<Utc>,
        known: &Checkpoints,
    ) -> (Box<dyn UsageSource>, Arc<Mutex<Vec<Posted>>>) {
        let traces = self.traces.get_or_insert_with(|| {
            // Files may be read meanwhile: what is remembered of those is not this one's to write.
            let mut traces = Traces::resume(self.name, known);
            traces.told_by(self.name, self.defaults.clone());
            if let Some(formerly) = known.get(TRACES) {
                traces.load_formerly(&formerly.0);
            }
            Arc::new(Mutex::new(traces))
        });
        {
            let mut traces = held(traces);
            traces.undo();
            traces.mark();
        }
        let outcome = Arc::new(Mutex::new(Vec::new()));
        let source = PostedSource {
            options: FileSourceOptions {
                name: self.name,
                format: None,
                paths: Vec::new(),
                base: PathBuf::new(),
                defaults: self.defaults.clone(),
                columns: None,
                asked: None,
                latest: now + CLOCK_SKEW,
                env: |_| None,
            },
            shared: Shared::new(Vec::new(), Arc::clone(traces), None),
            now,
            posts,
            outcome: Arc::clone(&outcome),
        };
        (Box::new(source), outcome)
    }
}

struct PostedSource {
    options: FileSourceOptions,
    shared: Shared,
    now: DateTime<Utc>,
    posts: Vec<Post>,
    outcome: Arc<Mutex<Vec<Posted>>>,
}

/// The name of a body in rejections.
const NAME: &str = "request";

impl UsageSource for PostedSource {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, _known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let mut outcomes = Vec::with_capacity(self.posts.len());
        for post in &self.posts {
            let mut counting = Counting {
                inner: &mut *sink,
                has_lines: post.kind == PostKind::Records,
                posted: Posted::default(),
            };
            let waiting = held(&self.shared.traces).unsettled();
            let mut run = Run::new(&self.options, self.shared.clone(), &mut counting);
            // A body without times is of now, as far as anyone can tell.
            run.context.fallback = Some(self.now);
            let read = match post.kind {
                PostKind::Records => run.records_of(post, NAME),
                PostKind::JsonTraces | PostKind::ProtobufTraces => run.traces_of(post, NAME),
            };
            match read {
                // What is wrong with one body is told its sender: the others are recorded, and that it is sent again helps nobody.
                Err(Stop::Io(cause)) => run.reject(NAME, 0, Fault::whole(cause.to_string()), b""),
                read => read.map_err(Stop::source)?,
            }
            let mut posted = counting.posted;
            // What waits for the calls below it is told with the others', and was understood here.
            posted.accepted += held(&self.shared.traces).unsettled().saturating_sub(waiting);
            posted.unreadable = posted.accepted == 0 && posted.rejected > 0;
            outcomes.push(posted);
        }
        // What waits for the calls below it is recorded all the same: an acknowledged span must not live in memory alone.
        Run::new(&self.options, self.shared.clone(), sink)
            .settle_traces()
            .map_err(Stop::source)?;
        *held(&self.outcome) = outcomes;
        Ok(())
    }
}

impl Run<'_> {
    fn records_of(&mut self, post: &Post, name: &str) -> Result<(), Stop> {
        // A list of no records is a body without any.
        if serde_json::from_slice::<[IgnoredAny; 0]>(&post.body).is_ok() {
            return Ok(());
        }
        // A body is whole: its last record ends, though nothing may say so. Of a table it is not known whether rows are missing of it.
        let end: &[u8] = if is_table(&post.body) { b"" } else { b"\n" };
        let input = Box::new(Cursor::new(post.body.as_slice()).chain(end));
        self.stream(input, name, true, None, None)?;
        self.tell(true);
        self.finish_bills().map_err(|error| match error {
            SourceError::Store(error) => Stop::Store(error),
            SourceError::Read { cause, .. } => Stop::Io(std::io::Error::other(cause)),
        })
    }

    fn traces_of(&mut self, post: &Post, name: &str) -> Result<(), Stop> {
        let traces = Arc::clone(&self.shared.traces);
        let result = if post.kind == PostKind::ProtobufTraces {
            protobuf::read(&post.body, &mut held(&traces), &mut self.context, &mut self.out)
        } else {
            let text = String::from_utf8_lossy(&post.body);
            Otel::strict(traces).record(&text, 1, &mut self.context, &mut self.out)
        };
        if let Err(fault) = result {
            self.reject(name, 1, fault, &post.body);
        }
        self.parts(name, 1, b"");
        self.hand_over().map(|_| ())
    }
}

/// Whether a body has a header, and rows under it.
fn is_table(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let line = memchr(b'\n', body).unwrap_or(body.len());
    framing(body.get(..line.max(DETECT_BYTES)).unwrap_or(body)) == Framing::Table
}

/// Passes everything on and counts it.
struct Counting<'a> {
    inner: &'a mut dyn Sink,
    /// Whether the lines of the body mean anything to its sender.
    has_lines: bool,
    posted: Posted,
}

impl Sink for Counting<'_> {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.posted.accepted += events.len() as u64;
        self.inner.usage(events)
    }
    fn bill(&mut self, bill: Bill) -> Result<(), StoreError> {
        self.posted.accepted += 1;
        self.inner.bill(bill)
    }
    fn checkpoint(&mut self, key: &str, at: Checkpoint) -> Result<(), StoreError> {
        self.inner.checkpoint(key, at)
    }
    fn reject(&mut self, rejection: Rejection) {
        self.posted.rejected += 1;
        // What is wrong with the whole says more than what is wrong with a part of it.
        let of_whole = rejection.line == 0;
        if of_whole || self.posted.first.is_none() {
            let at = match self.has_lines && !of_whole {
                true => format!("line {}: ", rejection.line),
                false => String::new(),
            };
            let field = rejection.field.iter().map(|field| format!("`{field}`: "));
            self.posted.first = Some(format!("{at}{}{}", field.collect::<String>(), rejection.reason));
        }
        self.inner.reject(rejection);
    }
    fn exclude(&mut self, kind: &'static str, count: u64) {
        self.posted.accepted += count;
        self.inner.exclude(kind, count);
    }
    fn warn(&mut self, about: &str, count: u64) {
        self.inner.warn(about, count);
    }
    fn progress(&mut self, read: Progress) {
        self.inner.progress(read);
    }
}

#[cfg(test)]
mod tests;
