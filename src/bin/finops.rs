//! The command line of the engine.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Not locked: a channel may write to standard output while a command runs.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(finops::cli::main(std::env::args_os(), &mut out, &mut err).code())
}
