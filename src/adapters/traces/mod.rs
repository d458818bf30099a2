//! Traces of a run: spans for the run, each source, each channel and each call to AWS, kept in memory until the run has ended.
//!
//! Tracing never fails and never waits: what does not fit is counted and left out.

mod around;
mod otlp;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use around::{TracedChannel, TracedSource};
pub use otlp::Exporter;

use super::clock::SystemClock;
use crate::ports::Clock as _;

/// Spans kept of one run: 400 KB. A run makes some hundreds.
const MAX_SPANS: usize = 2_000;

/// Characters of a text in a span.
const TEXT_LIMIT: usize = 300;

/// What a span stands for, with the numbers of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A part of the run.
    Internal = 1,
    /// The run: someone asked for it.
    Server = 2,
    /// A question to someone else.
    Client = 3,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.chars().take(TEXT_LIMIT).collect())
    }
}

/// Attributes by their names in the semantic conventions of OpenTelemetry.
pub type Attributes = Vec<(&'static str, Value)>;

/// One span that has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its id.
    pub id: [u8; 8],
    /// The id of the span around it; `None` for the run.
    pub parent: Option<[u8; 8]>,
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub kind: Kind,
    /// When it began, since the beginning of the run.
    pub began: Duration,
    /// When it ended, since the beginning of the run.
    pub ended: Duration,
    /// What is known about it.
    pub attributes: Attributes,
    /// Why it failed.
    pub error: Option<String>,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its id.
    pub id: [u8; 16],
    /// When it began.
    pub began: DateTime<Utc>,
    /// Its spans; the run itself is the last.
    pub spans: Vec<Span>,
    /// Spans that did not fit.
    pub dropped: u64,
    /// Another trace with one of its spans, in hexadecimal, that this one belongs to.
    pub link: Option<(String, String)>,
}

struct Open {
    id: [u8; 16],
    began: DateTime<Utc>,
    began_elapsed: Duration,
    next: u64,
    spans: Vec<Span>,
    dropped: u64,
}

impl Open {
    fn elapsed(&self) -> Duration {
        SystemClock.elapsed().saturating_sub(self.began_elapsed)
    }

    fn new_id(&mut self) -> [u8; 8] {
        self.next += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.id).update(&self.next.to_be_bytes());
        first(hasher.finalize().as_bytes())
    }
}

/// The first bytes of a hash, never all zero: that would be no id.
fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut id = [0; N];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    if id == [0; N] { [1; N] } else { id }
}

thread_local! {
    /// The spans that this thread is in.
    static INSIDE: RefCell<Vec<[u8; 8]>> = const { RefCell::new(Vec::new()) };
}

/// Takes the spans of one run after the other; by default it takes none.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Mutex<Option<Open>>>>);

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "Tracer(on)" } else { "Tracer(off)" })
    }
}

impl Tracer {
    /// One that takes spans.
    #[must_use]
    pub fn on() -> Self {
        Tracer(Some(Arc::default()))
    }

    /// Whether spans are taken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn open(&self) -> Option<MutexGuard<'_, Option<Open>>> {
        // A panic elsewhere leaves nothing half done here.
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A run begins. `unique` tells it from all others.
    pub fn begin(&self, unique: &str) {
        let Some(mut open) = self.open() else { return };
        let began = SystemClock.now();
        let mut hasher = blake3::Hasher::new();
        hasher.update(unique.as_bytes());
        hasher.update(&began.timestamp_micros().to_be_bytes());
        *open = Some(Open {
            id: first(hasher.finalize().as_bytes()),
            began,
            began_elapsed: SystemClock.elapsed(),
            next: 0,
            spans: Vec::new(),
            dropped: 0,
        });
    }

    /// A span begins, inside the one that this thread is in. It ends with what is returned.
    #[must_use]
    pub fn span(&self, name: &str, kind: Kind, attributes: Attributes) -> Running {
        let begun = self.open().and_then(|mut open| {
            let open = open.as_mut()?;
            Some((open.new_id(), open.elapsed()))
        });
        let parent = INSIDE.with_borrow(|inside| inside.last().copied());
        Running {
            tracer: self.clone(),
            entered: false,
            begun: begun.map(|(id, began)| Span {
                id,
                parent,
                name: name.to_owned(),
                kind,
                began,
                ended: began,
                attributes,
                error: None,
            }),
        }
    }

    /// The run has ended: everything that was taken, with the run itself around it.
    #[must_use]
    pub fn finish(&self, name: &str, attributes: Attributes, error: Option<String>) -> Option<Trace> {
        let mut open = self.open()?.take()?;
        let (id, ended) = (open.new_id(), open.elapsed());
        let mut spans = std::mem::take(&mut open.spans);
        for span in &mut spans {
            span.parent = span.parent.or(Some(id));
        }
        spans.push(Span {
            id,
            parent: None,
            name: name.to_owned(),
            kind: Kind::Server,
            began: Duration::ZERO,
            ended,
            attributes,
            error,
        });
        Some(Trace {
            id: open.id,
            began: open.began,
            spans,
            dropped: open.dropped,
            link: None,
        })
    }
}

/// A span that has not ended. It ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    tracer: Tracer,
    entered: bool,
    begun: Option<Span>,
}

impl Running {
    /// Spans that begin on this thread from now on are inside this one, until it ends, on this thread.
    #[must_use]
    pub fn entered(mut self) -> Self {
        if let Some(span) = &self.begun {
            INSIDE.with_borrow_mut(|inside| inside.push(span.id));
            self.entered = true;
        }
        self
    }

    /// Something more is known.
    pub fn set(&mut self, name: &'static str, value: Value) {
        if let Some(span) = &mut self.begun {
            span.attributes.push((name, value));
        }
    }

    /// It failed.
    pub fn fail(&mut self, why: &str) {
        if let Some(span) = &mut self.begun {
            span.error = Some(why.chars().take(TEXT_LIMIT).collect());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut span) = self.begun.take() else { return };
        if self.entered {
            INSIDE.with_borrow_mut(|inside| inside.retain(|id| *id != span.id));
        }
        let Some(mut open) = self.tracer.open() else { return };
        let Some(open) = open.as_mut() else { return };
        if open.spans.len() >= MAX_SPANS {
            open.dropped += 1;
            return;
        }
        span.ended = open.elapsed();
        open.spans.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_nest_by_thread_and_what_does_not_fit_is_counted() {
        let off = Tracer::default();
        off.begin("run");
        drop(off.span("nothing", Kind::Internal, Vec::new()));
        assert!(off.finish("run", Vec::new(), None).is_none());

        let tracer = Tracer::on();
        drop(tracer.span("before the run", Kind::Internal, Vec::new()));
        tracer.begin("run");
        {
            let _outer = tracer.span("outer", Kind::Internal, Vec::new()).entered();
            let mut inner = tracer.span("inner", Kind::Client, vec![("n", Value::Number(1))]);
            inner.fail("broken");
        }
        drop(tracer.span("beside", Kind::Internal, Vec::new()));
        let trace = tracer.finish("run", Vec::new(), None).unwrap();
        let names: Vec<&str> = trace.spans.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["inner", "outer", "beside", "run"]);
        let [inner, outer, beside, run] = trace.spans.as_slice() else {
            panic!()
        };
        assert_eq!(inner.parent, Some(outer.id));
        assert_eq!(
            (outer.parent, beside.parent, run.parent),
            (Some(run.id), Some(run.id), None)
        );
        assert_eq!(inner.error.as_deref(), Some("broken"));

        tracer.begin("run");
        for _ in 0..MAX_SPANS + 3 {
            drop(tracer.span("many", Kind::Internal, Vec::new()));
        }
        let second = tracer.finish("run", Vec::new(), None).unwrap();
        assert_eq!((second.spans.len(), second.dropped), (MAX_SPANS + 1, 3));
        assert_ne!(second.id, trace.id);
        assert!(tracer.finish("run", Vec::new(), None).is_none(), "each run ends once");
    }
}
