//! `finops run`.

use super::{CliError, Context, Exit};

/// The arguments of `finops run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {}

/// Runs `finops run`.
pub fn run(_ctx: &mut Context<'_>, _args: &RunArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops run` is not available in this build"))
}
