//! `finops budget`.

use super::{CliError, Context, Exit};

/// The arguments of `finops budget`.
#[derive(Debug, clap::Args)]
pub struct BudgetArgs {}

/// Runs `finops budget`.
pub fn run(_ctx: &mut Context<'_>, _args: &BudgetArgs) -> Result<Exit, CliError> {
    Err(CliError::incomplete("`finops budget` is not available in this build"))
}
