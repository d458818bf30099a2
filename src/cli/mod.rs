//! The switch: arguments in, text and an exit code out. Decides nothing. One file per command.

pub mod alert;
pub mod args;
pub mod budget;
pub mod completions;
pub mod config;
pub mod init;
pub mod price;
pub mod record;
pub mod report;
pub mod run;
pub mod text;
pub mod wire;

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

use crate::config::Config;

/// How a command ended. The process exits with the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Findings: a firing alert with `--fail-on`, a failed check, an unpriced event in strict mode.
    Findings = 1,
    /// Wrong usage, configuration or input.
    Usage = 2,
    /// Could not complete or could not verify.
    Incomplete = 3,
}

/// An expected error: what happened and what to do.
#[derive(Debug)]
pub struct CliError {
    /// Exit code.
    pub exit: Exit,
    /// Lower case, no full stop, user input in backticks, cause last.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl CliError {
    /// Wrong usage, configuration or input: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError {
            exit: Exit::Usage,
            message: message.into(),
            hint: None,
        }
    }

    /// Could not complete: exit code 3.
    pub fn incomplete(message: impl Into<String>) -> Self {
        CliError {
            exit: Exit::Incomplete,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// A Markdown table.
    Markdown,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What every command works with. Data goes to `out`, talk (progress, logs, hints) to `err`, always.
pub struct Context<'a> {
    /// The checked settings.
    pub config: Config,
    /// Output format.
    pub format: Format,
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
    /// Whether `out` gets colour.
    pub color: bool,
    /// Whether `err` is a terminal, so that progress bars make sense.
    pub interactive: bool,
    /// Columns of the terminal; 100 where there is none.
    pub width: usize,
    /// 0 quiet, 1 normal, 2 and more verbose.
    pub verbosity: u8,
    /// Data.
    pub out: &'a mut dyn Write,
    /// Talk.
    pub err: &'a mut dyn Write,
}
