//! The reader of each format, and the one that tells record by record which format it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::FileFormat;
use super::admin::{AnthropicAdmin, OpenaiAdmin};
use super::apim::Apim;
use super::bedrock::Bedrock;
use super::body::Body;
use super::claude_code::ClaudeCode;
use super::codex::{Codex, Sessions};
use super::columns::{Columns, Mapped};
use super::cost_explorer::CostExplorer;
use super::detect;
use super::helicone::Helicone;
use super::langfuse::Langfuse;
use super::line::{Context, Fault, LineFormat, Output};
use super::litellm::Litellm;
use super::otel::{Otel, Traces};
use super::plain::Plain;

/// What the readers of one source share.
#[derive(Clone)]
pub(super) struct Shared {
    /// Session files, for forks of sessions.
    pub sessions: Arc<Sessions>,
    /// Spans seen, for agent spans.
    pub traces: Arc<Mutex<Traces>>,
    /// How foreign records are read as plain ones.
    pub columns: Option<Arc<Columns>>,
}

/// What readers share, held. A reader that panicked has left it whole: nothing is changed in two steps.
pub(super) fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reader of a format; of one that was detected, one that also takes records of other formats among them.
pub(super) fn reader(format: FileFormat, detected: bool, shared: &Shared) -> Box<dyn LineFormat> {
    if detected && format.is_mixed() {
        return Box::new(Mixed {
            usual: format,
            shared: shared.clone(),
            readers: Vec::new(),
        });
    }
    single(format, shared)
}

fn single(format: FileFormat, shared: &Shared) -> Box<dyn LineFormat> {
    if let Some(columns) = shared.columns.as_ref().filter(|_| format == FileFormat::Plain) {
        return Box::new(Mapped(Arc::clone(columns)));
    }
    match format {
        FileFormat::ClaudeCode => Box::new(ClaudeCode::new()),
        FileFormat::Codex => Box::new(Codex::new(Arc::clone(&shared.sessions))),
        FileFormat::Litellm => Box::new(Litellm),
        // Bills are tables and have no reader of records.
        FileFormat::Plain | FileFormat::Focus | FileFormat::Cur => Box::new(Plain),
        FileFormat::Otel => Box::new(Otel::new(Arc::clone(&shared.traces))),
        FileFormat::Bedrock => Box::new(Bedrock),
        FileFormat::Body => Box::new(Body),
        FileFormat::Apim => Box::new(Apim),
        FileFormat::Langfuse => Box::new(Langfuse),
        FileFormat::Helicone => Box::new(Helicone),
        FileFormat::OpenaiAdmin => Box::new(OpenaiAdmin::default()),
        FileFormat::AnthropicAdmin => Box::new(AnthropicAdmin::default()),
        FileFormat::CostExplorer => Box::new(CostExplorer::default()),
    }
}

/// Reads records of several formats from one file.
struct Mixed {
    /// The format of records that do not tell.
    usual: FileFormat,
    shared: Shared,
    readers: Vec<(FileFormat, Box<dyn LineFormat>)>,
}

impl Mixed {
    fn of(&mut self, format: FileFormat) -> Option<&mut dyn LineFormat> {
        let at = match self.readers.iter().position(|(known, _)| *known == format) {
            Some(at) => at,
            None => {
                self.readers.push((format, single(format, &self.shared)));
                self.readers.len() - 1
            }
        };
        self.readers
            .get_mut(at)
            .map(|(_, reader)| reader.as_mut() as &mut dyn LineFormat)
    }
}

impl LineFormat for Mixed {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let format = match detect::by_record(text) {
            Some(format) => format,
            // What is no JSON at all is told as the damaged record that it is.
            None if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => self.usual,
            None => {
                out.excluded.push("records_without_usage");
                return Ok(());
            }
        };
        if format.is_bill() {
            return Err(Fault::whole(format!(
                "a record of the format {format}, which needs a file of its own"
            )));
        }
        match self.of(format) {
            Some(reader) => reader.record(text, line, context, out),
            None => Ok(()),
        }
    }
}
