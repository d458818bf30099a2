//! `finops record`.

use super::{CliError, Context, Exit};

/// The arguments of `finops record`.
#[derive(Debug, clap::Args)]
pub struct RecordArgs {}

/// Runs `finops record`.
pub fn run(_ctx: &mut Context<'_>, _args: &RecordArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops record` is not available in this build"))
}
