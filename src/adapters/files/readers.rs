//! The reader of each format, and what the readers of one source share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::FileFormat;
use super::admin::{AnthropicAdmin, OpenaiAdmin};
use super::agents::{Amp, Cline, Copilot, Crush, Droid, Goose, Kimi, Opencode, Pi};
use super::apim::Apim;
use super::bedrock::Bedrock;
use super::body::Body;
use super::claude_code::ClaudeCode;
use super::codex::{Codex, Sessions};
use super::columns::{Columns, Mapped};
use super::cost_explorer::CostExplorer;
use super::formerly::Formerly;
use super::gemini_cli::GeminiCli;
use super::helicone::Helicone;
use super::langfuse::Langfuse;
use super::line::LineFormat;
use super::litellm::Litellm;
use super::mixed::{Mixed, Mostly};
use super::otel::{Otel, Traces};
use super::plain::Plain;
use super::unread::Unread;

/// What the readers of one source share.
#[derive(Clone)]
pub(super) struct Shared {
    /// Session files, for forks of sessions.
    pub sessions: Arc<Sessions>,
    /// Spans seen, for agent spans.
    pub traces: Arc<Mutex<Traces>>,
    /// How foreign records are read as plain ones.
    pub columns: Option<Arc<Columns>>,
    /// What a file is taken for whose records and path tell nothing.
    pub else_as: Option<FileFormat>,
    /// Files that could not be read.
    pub unread: Unread,
    /// What is known of files that were read before.
    pub formerly: Arc<Formerly>,
}

impl Shared {
    /// What readers of these session files share.
    pub fn new(sessions: Vec<PathBuf>, traces: Arc<Mutex<Traces>>, columns: Option<Arc<Columns>>) -> Self {
        Self::of(Sessions::new(sessions), traces, columns)
    }

    /// The same where more is known of the sessions.
    pub fn of(sessions: Sessions, traces: Arc<Mutex<Traces>>, columns: Option<Arc<Columns>>) -> Self {
        Shared {
            sessions: Arc::new(sessions),
            traces,
            columns,
            else_as: None,
            unread: Unread::default(),
            formerly: Arc::default(),
        }
    }

    /// The same where files that could not be read are noted there.
    pub fn missing(self, unread: &Unread) -> Self {
        Shared {
            unread: unread.clone(),
            ..self
        }
    }
}

/// What readers share, held. A reader that panicked has left it whole: nothing is changed in two steps.
pub(super) fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reader of a format; of one that was detected, one that also takes records of other formats among them.
pub(super) fn reader(format: FileFormat, detected: bool, shared: &Shared) -> Box<dyn LineFormat> {
    if !detected || format.is_bill() {
        return single(format, shared);
    }
    match format {
        FileFormat::ClaudeCode => Box::new(Mostly::new(format, &["\"isSidechain\""], ClaudeCode::new(), shared)),
        FileFormat::Codex => {
            let codex = Codex::new(Arc::clone(&shared.sessions));
            let signs = ["\"type\":\"response_item\"", "\"type\":\"event_msg\""];
            Box::new(Mostly::new(format, &signs, codex, shared))
        }
        FileFormat::Plain if shared.columns.is_none() => Box::new(Mostly::new(format, &["\"ts\""], Plain, shared)),
        // Theirs are few, and begin as others do.
        FileFormat::GeminiCli => Box::new(Mostly::new(format, &[], GeminiCli::default(), shared)),
        FileFormat::Pi => Box::new(Mostly::new(format, &[], Pi::default(), shared)),
        FileFormat::Opencode => Box::new(Mostly::new(format, &[], Opencode, shared)),
        FileFormat::CopilotCli => Box::new(Mostly::new(format, &[], Copilot::default(), shared)),
        FileFormat::KimiCli => Box::new(Mostly::new(format, &[], Kimi::default(), shared)),
        FileFormat::Goose => Box::new(Mostly::new(format, &[], Goose::default(), shared)),
        FileFormat::Crush => Box::new(Mostly::new(format, &[], Crush, shared)),
        FileFormat::Cline => Box::new(Mostly::new(format, &[], Cline::default(), shared)),
        FileFormat::Amp => Box::new(Mostly::new(format, &[], Amp, shared)),
        FileFormat::Droid => Box::new(Mostly::new(format, &[], Droid::new(&shared.formerly), shared)),
        // Columns of the user's own choice hold nothing else.
        FileFormat::Plain => single(format, shared),
        FileFormat::Litellm
        | FileFormat::Otel
        | FileFormat::Bedrock
        | FileFormat::Body
        | FileFormat::Apim
        | FileFormat::Langfuse
        | FileFormat::Helicone
        | FileFormat::Focus
        | FileFormat::Cur
        | FileFormat::OpenaiAdmin
        | FileFormat::AnthropicAdmin
        | FileFormat::CostExplorer => Box::new(Mixed::new(format, shared)),
    }
}

/// The reader of one format.
pub(super) fn single(format: FileFormat, shared: &Shared) -> Box<dyn LineFormat> {
    if let Some(columns) = shared.columns.as_ref().filter(|_| format == FileFormat::Plain) {
        return Box::new(Mapped::new(Arc::clone(columns)));
    }
    match format {
        FileFormat::ClaudeCode => Box::new(ClaudeCode::new()),
        FileFormat::Codex => Box::new(Codex::new(Arc::clone(&shared.sessions))),
        FileFormat::GeminiCli => Box::new(GeminiCli::default()),
        FileFormat::Pi => Box::new(Pi::default()),
        FileFormat::Opencode => Box::new(Opencode),
        FileFormat::CopilotCli => Box::new(Copilot::default()),
        FileFormat::KimiCli => Box::new(Kimi::default()),
        FileFormat::Goose => Box::new(Goose::default()),
        FileFormat::Crush => Box::new(Crush),
        FileFormat::Cline => Box::new(Cline::default()),
        FileFormat::Amp => Box::new(Amp),
        FileFormat::Droid => Box::new(Droid::new(&shared.formerly)),
        FileFormat::Litellm => Box::new(Litellm),
        // Bills are tables and have no reader of records.
        FileFormat::Plain | FileFormat::Focus | FileFormat::Cur => Box::new(Plain),
        FileFormat::Otel => Box::new(Otel::new(Arc::clone(&shared.traces))),
        FileFormat::Bedrock => Box::new(Bedrock),
        FileFormat::Body => Box::new(Body::default()),
        FileFormat::Apim => Box::new(Apim),
        FileFormat::Langfuse => Box::new(Langfuse),
        FileFormat::Helicone => Box::new(Helicone),
        FileFormat::OpenaiAdmin => Box::new(OpenaiAdmin::default()),
        FileFormat::AnthropicAdmin => Box::new(AnthropicAdmin::default()),
        FileFormat::CostExplorer => Box::new(CostExplorer::default()),
    }
}
