//! `finops report`.

use super::{CliError, Context, Exit};

/// The arguments of `finops report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {}

/// Runs `finops report`.
pub fn run(_ctx: &mut Context<'_>, _args: &ReportArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops report` is not available in this build"))
}
