//! `finops completions` and `finops man`.

use std::path::PathBuf;

use super::args::Cli;
use super::{CliError, Context, Exit};

/// The arguments of `finops completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The arguments of `finops man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write one page per command into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Prints a completion script.
pub fn run(ctx: &mut Context<'_>, args: &CompletionsArgs) -> Result<Exit, CliError> {
    // The generator panics where it cannot write, so that it gets memory to write to.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::tree(), "finops", &mut script);
    ctx.out.write_all(&script)?;
    Ok(Exit::Fine)
}

/// Prints the main man page or writes all of them.
pub fn man(ctx: &mut Context<'_>, args: &ManArgs) -> Result<Exit, CliError> {
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::tree()).render(&mut page)?;
        ctx.out.write_all(&page)?;
        return Ok(Exit::Fine);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::tree(), dir))
        .map_err(|cause| CliError::incomplete(format!("cannot write man pages to `{}`: {cause}", dir.display())))?;
    Ok(Exit::Fine)
}
