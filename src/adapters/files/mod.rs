//! Usage and bills in files: one file per format.

mod claude_code;
mod codex;
mod detect;
pub mod discover;
mod focus;
mod json;
mod litellm;
mod plain;
mod reader;
mod source;
mod time;

use std::str::FromStr;

pub use plain::FIELDS as PLAIN_FIELDS;
pub use source::{FileSource, FileSourceOptions};

use crate::domain::usage::UsageEvent;

/// The formats that files are read in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileFormat {
    /// Claude Code session logs.
    ClaudeCode,
    /// OpenAI Codex session logs.
    Codex,
    /// LiteLLM spend logs.
    Litellm,
    /// The plain format of this program, as JSON lines.
    Plain,
    /// The plain format of this program, as CSV.
    PlainCsv,
    /// FOCUS cost and usage, as CSV.
    Focus,
}

impl FileFormat {
    /// The name in the configuration and in `--source`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::ClaudeCode => "claude-code",
            FileFormat::Codex => "codex",
            FileFormat::Litellm => "litellm",
            FileFormat::Plain => "plain",
            FileFormat::PlainCsv => "plain-csv",
            FileFormat::Focus => "focus",
        }
    }
}

impl FromStr for FileFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        use FileFormat::{ClaudeCode, Codex, Focus, Litellm, Plain, PlainCsv};
        [ClaudeCode, Codex, Litellm, Plain, PlainCsv, Focus]
            .into_iter()
            .find(|f| f.name() == text)
            .ok_or_else(|| format!("`{text}` is not a usage format"))
    }
}

/// What one record turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Parsed {
    /// Usage; the events were handed out.
    Usage,
    /// Something else that such files hold.
    Other,
    /// A call that is no spend, by kind.
    Excluded(&'static str),
    /// Not usable.
    Rejected {
        /// The offending field.
        field: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
}

impl Parsed {
    pub(crate) fn rejected(field: &str, reason: impl Into<String>) -> Self {
        let field = if field.is_empty() { None } else { Some(field.to_owned()) };
        Parsed::Rejected {
            field,
            reason: reason.into(),
        }
    }
}

/// A format of one record per line (or per element of a JSON array).
///
/// To add a format: implement this in a file of its own, add a [`FileFormat`] variant, a line in `detect.rs`, and a fixture.
pub(crate) trait LineFormat {
    /// Reads one record.
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed;

    /// What must be remembered to go on behind the last record, as text.
    fn state(&self) -> String {
        String::new()
    }

    /// Goes on where [`LineFormat::state`] was taken.
    fn restore(&mut self, _state: &str) {}

    /// Warnings gathered since the last call, with how often each occurred.
    fn warnings(&mut self) -> Vec<(String, u64)> {
        Vec::new()
    }
}
