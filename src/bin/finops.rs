//! The command line of the engine.

use std::process::ExitCode;

/// Batches of events are allocated and freed by the hundred megabytes; this allocator keeps the pages in between.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Not locked: a channel may write to standard output while a command runs.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(finops::cli::main(std::env::args_os(), &mut out, &mut err).code())
}
