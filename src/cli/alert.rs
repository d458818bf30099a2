//! `finops alert`.

use super::{CliError, Context, Exit};

/// The arguments of `finops alert`.
#[derive(Debug, clap::Args)]
pub struct AlertArgs {}

/// Runs `finops alert`.
pub fn run(_ctx: &mut Context<'_>, _args: &AlertArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops alert` is not available in this build"))
}
