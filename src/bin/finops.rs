//! The command line of the engine.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    ExitCode::from(finops::cli::main(std::env::args_os(), &mut out, &mut err).code())
}
