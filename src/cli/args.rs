//! The arguments of every command.

use std::ffi::OsString;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};

use super::{ColorWhen, Format};
use crate::domain::plausible::plausible;

/// Records AI and cloud spend exactly and tells the right person once.
///
/// Exit codes: 0 fine; 1 findings (a firing alert with --fail-on, a failed check, a newly recorded call without a price in strict mode);
/// 2 wrong usage, configuration or input; 3 could not complete or could not verify.
#[derive(Debug, Parser)]
#[command(name = "finops", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// What every command accepts.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command accepts, before and after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The settings [default: finops.toml in the current folder, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "FINOPS_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Where spend is kept: sqlite:PATH, dynamodb: or memory:
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "FINOPS_STORE",
        hide_env_values = true
    )]
    pub store: Option<String>,
    /// How data is written [default: by the extension of --output, else table]
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,
    /// The instant that counts as now, RFC 3339
    #[arg(long, global = true, value_name = "RFC3339", value_parser = now)]
    pub now: Option<DateTime<Utc>>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

fn now(text: &str) -> Result<DateTime<Utc>, String> {
    let now = text
        .parse()
        .map_err(|_| format!("`{text}` is no RFC 3339 time such as 2026-11-24T12:00:00Z"))?;
    plausible(now)
}

/// The name of a source: what the ledger keeps for itself has names that end in a blank.
pub(super) fn source_name(text: &str) -> Result<String, String> {
    match text.trim() {
        trimmed if trimmed == text && !text.is_empty() => Ok(text.to_owned()),
        _ => Err("a name is not empty, and has no blank at its beginning or end".to_owned()),
    }
}

/// A day.
pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    let written = |form| NaiveDate::parse_from_str(text, form).ok();
    let compact = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let day = written("%Y-%m-%d").or_else(|| compact.then(|| written("%Y%m%d")).flatten());
    day.ok_or_else(|| format!("`{text}` is no day of the calendar, written as 2026-11-24"))
        .and_then(plausible)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect, record, evaluate budgets, move alerts and tell people
    Run(super::run::RunArgs),
    /// Record usage and bills from files
    Record(super::record::RecordArgs),
    /// Receive usage over HTTP
    Serve(super::serve::ServeArgs),
    /// Show what was spent
    Report(super::report::ReportArgs),
    /// Show budgets and their pace
    Budget(super::budget::BudgetArgs),
    /// Show, acknowledge, silence, resolve and test alerts, and look after their messages
    Alert(super::alert::AlertArgs),
    /// Show what this program may do in an AWS account
    Aws(super::aws::AwsArgs),
    /// Show anomalies that AWS found, and tell it what they were
    Anomaly(super::anomaly::AnomalyArgs),
    /// List the bills of the ledger, and take some back
    Bill(super::bill::BillArgs),
    /// Check policies and run the tests beside them
    Policy(super::policy::PolicyArgs),
    /// Price a call, list and check price books
    Price(super::price::PriceArgs),
    /// Explain what one recorded call cost, from the raw record to the sums; list calls
    Explain(super::explain::ExplainArgs),
    /// Compare metered, reported and billed cost, and say where they part
    Reconcile(super::reconcile::ReconcileArgs),
    /// Write spend as a FOCUS table for other tools: what is computed from calls, and flat costs; what bills say is not in it
    Export(super::export::ExportArgs),
    /// Price recorded calls anew and restate what changes
    Reprice(super::reprice::RepriceArgs),
    /// Write a commented finops.toml and an example budget
    Init(super::init::InitArgs),
    /// Check, show and describe the settings
    Config(super::config::ConfigArgs),
    /// Print shell completions
    Completions(super::completions::CompletionsArgs),
    /// Print the man page, or write all of them
    Man(super::completions::ManArgs),
}

impl Command {
    /// Whether the command reads the settings. The others work where the settings are broken or absent.
    #[must_use]
    pub fn needs_config(&self) -> bool {
        match self {
            Command::Init(_) | Command::Aws(_) | Command::Completions(_) | Command::Man(_) => false,
            Command::Config(args) => args.needs_config(),
            Command::Run(_)
            | Command::Record(_)
            | Command::Serve(_)
            | Command::Report(_)
            | Command::Budget(_)
            | Command::Alert(_)
            | Command::Anomaly(_)
            | Command::Bill(_)
            | Command::Policy(_)
            | Command::Price(_)
            | Command::Explain(_)
            | Command::Reconcile(_)
            | Command::Export(_)
            | Command::Reprice(_) => true,
        }
    }
}

const OUTPUT_ID: &str = "output_file";

impl Cli {
    /// The command tree with everything in it: for parsing, completions and man pages.
    #[must_use]
    pub fn tree() -> clap::Command {
        add_output(Cli::command())
    }

    /// Reads a command line; the second part is where `--output` sends data.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<(Self, Option<PathBuf>), clap::Error> {
        let matches = Cli::tree().try_get_matches_from(args)?;
        let output = find_output(&matches);
        Ok((Cli::from_arg_matches(&matches)?, output))
    }
}

/// Adds `--output` to every command that has no `--output` of its own. `price quote --output N` counts tokens, so that a
/// global argument of that name, which clap copies into every command, is not possible.
fn add_output(command: clap::Command) -> clap::Command {
    let taken = command.get_arguments().any(|arg| arg.get_long() == Some("output"));
    let command = if taken {
        command
    } else {
        command.arg(
            Arg::new(OUTPUT_ID)
                .long("output")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help_heading("Global options")
                .help("Write data to this file"),
        )
    };
    command.mut_subcommands(add_output)
}

fn find_output(matches: &ArgMatches) -> Option<PathBuf> {
    let here = || matches.try_get_one::<PathBuf>(OUTPUT_ID).ok().flatten().cloned();
    matches
        .subcommand()
        .and_then(|(_, inner)| find_output(inner))
        .or_else(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_well_formed() {
        Cli::tree().debug_assert();
    }

    #[test]
    fn output_is_accepted_before_and_after_the_command() {
        for line in [
            ["finops", "--output", "a.json", "report"],
            ["finops", "report", "--output", "a.json"],
        ] {
            let (_, output) = Cli::read(line.map(OsString::from)).unwrap();
            assert_eq!(output, Some(PathBuf::from("a.json")), "{line:?}");
        }
    }
}
