//! `finops price`.

use super::{CliError, Context, Exit};

/// The arguments of `finops price`.
#[derive(Debug, clap::Args)]
pub struct PriceArgs {}

/// Runs `finops price`.
pub fn run(_ctx: &mut Context<'_>, _args: &PriceArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops price` is not available in this build"))
}
