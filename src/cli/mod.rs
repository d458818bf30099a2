//! The switch: arguments in, text and an exit code out. Decides nothing. One file per command.

pub mod alert;
pub mod anomaly;
pub mod args;
pub mod aws;
pub mod bill;
pub mod budget;
pub mod completions;
pub mod config;
pub mod explain;
pub mod export;
pub mod init;
pub mod policy;
pub mod price;
pub mod reconcile;
pub mod record;
pub mod report;
mod reported;
pub mod reprice;
pub mod run;
pub mod serve;
pub mod text;
pub mod wire;

mod start;
mod whole;

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

pub use start::main;

use crate::adapters::policies::PolicyError;
use crate::adapters::sqlite::SqliteLedger;
use crate::adapters::traces::Tracer;
use crate::config::{Config, ConfigError};
use crate::engine::view::View;
use crate::ports::StoreError;

/// How a command ended. The process exits with the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Findings: a firing alert with `--fail-on`, a failed check, a newly recorded call without a price in strict mode.
    Findings = 1,
    /// Wrong usage, configuration or input.
    Usage = 2,
    /// Could not complete or could not verify.
    Incomplete = 3,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
        }
    }
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
    /// What the command had found out when its output failed.
    pub found: Exit,
}

impl CliError {
    /// Wrong usage, configuration or input: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError {
            exit: Exit::Usage,
            message: message.into(),
            hint: None,
            found: Exit::Fine,
        }
    }

    /// Could not complete: exit code 3.
    pub fn incomplete(message: impl Into<String>) -> Self {
        CliError {
            exit: Exit::Incomplete,
            message: message.into(),
            hint: None,
            found: Exit::Fine,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl CliError {
    /// The same of a command whose work was done, with this outcome, before its output failed.
    #[must_use]
    pub fn after(self, found: Exit) -> Self {
        CliError { found, ..self }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        CliError::incomplete(format!("cannot write the output: {error}"))
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        CliError::incomplete(format!("cannot write the output: {error}"))
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let told = match error.is_of_system() {
            true => CliError::incomplete(error.to_string()),
            false => CliError::usage(error.to_string()),
        };
        let hint = error.hint().map(str::to_owned);
        CliError { hint, ..told }
    }
}

impl From<PolicyError> for CliError {
    fn from(error: PolicyError) -> Self {
        let told = match &error {
            PolicyError::Read { .. } => CliError::incomplete(error.to_string()),
            PolicyError::Parse { .. } | PolicyError::Value { .. } => CliError::usage(error.to_string()),
        };
        told.hint(error.hint())
    }
}

impl From<crate::domain::money::MoneyError> for CliError {
    fn from(error: crate::domain::money::MoneyError) -> Self {
        CliError::incomplete(error.to_string())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            StoreError::Locked { .. } => "nothing was written; run it again when the other process has ended",
            StoreError::Damaged { path, .. } if path.starts_with("dynamodb:") => {
                "nothing was overwritten; a point-in-time recovery of the table into another one has the item as it was"
            }
            StoreError::Damaged { cause, .. } if cause == SqliteLedger::FOREIGN => {
                "leave the file and those beside it as they are, and name another one with `--store sqlite:PATH` or `[store] url`"
            }
            StoreError::Damaged { .. } => {
                "where it is no ledger, name another file with `--store` or `[store] url`; else restore it from a backup, after `-wal` and `-shm` of its name beside it are removed, or move all three away and record again"
            }
            StoreError::TooNew { .. } => {
                "nothing was written; use the newer program that wrote it, or another `--store`"
            }
            StoreError::Conflict { .. } => "run it again: it decides anew on what is true now",
            StoreError::Failed { path, .. } if path.starts_with("dynamodb:") => {
                "a change is whole or not there at all: run it again when the cause is gone"
            }
            StoreError::Failed { path, .. } if path == SqliteLedger::TEMPORARY => {
                "a report of files needs room for them in the folder of temporary files: set `TMPDIR` to a folder that has it"
            }
            StoreError::Failed { path, cause } if path == View::BOOKS => {
                return CliError::usage(cause.clone()).hint(price::BOOKS_HINT);
            }
            StoreError::Failed { cause, .. } if cause.contains("readonly") => {
                "check its permissions, and those of `-wal` and `-shm` of its name beside it: who writes it has to be allowed to write them, too"
            }
            StoreError::Failed { .. } => {
                "check the path, its permissions and the free space; `--store sqlite:PATH` uses another"
            }
            StoreError::Money(_) => {
                "an amount is absurdly large: `finops explain --top 3` shows the dearest calls, `finops bill list` what the bills of the ledger come to, and `finops bill drop` takes one back"
            }
        };
        CliError::incomplete(error.to_string()).hint(hint)
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
    #[value(alias = "md")]
    Markdown,
    /// One HTML file with everything in it, for `report`.
    Html,
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
    /// When the run began that has `limits.time_budget_seconds`, as `Clock::elapsed` tells it; nothing for what takes the time that it needs.
    pub begun: Option<std::time::Duration>,
    /// Whether `out` gets colour.
    pub color: bool,
    /// Whether `err` is a terminal, so that progress bars make sense.
    pub interactive: bool,
    /// Columns of the terminal, or what tables take where there is none.
    pub room: text::Room,
    /// 0 quiet, 1 normal, 2 and more verbose.
    pub verbosity: u8,
    /// Takes the spans of a run; off on the command line.
    pub tracer: Tracer,
    /// Data.
    pub out: &'a mut dyn Write,
    /// Talk.
    pub err: &'a mut dyn Write,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_without_a_path_is_made_room_for_by_its_folder() {
        let failed = |path: &str| StoreError::Failed {
            path: path.to_owned(),
            cause: "database or disk is full".to_owned(),
        };
        let hint = |path: &str| CliError::from(failed(path)).hint.unwrap();
        assert!(hint(SqliteLedger::TEMPORARY).contains("TMPDIR"));
        assert!(hint("ledger.db").contains("--store"));
    }
}
