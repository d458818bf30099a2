//! What tests share: the real program in a folder of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;
use std::process::{Command, Output};

/// The instant that counts as now.
pub const NOW: &str = "2026-11-24T12:00:00Z";

/// The program in a folder that is its home. Of the environment of the tests it sees nothing.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops"));
    command.current_dir(folder).env_clear().env("HOME", folder);
    command
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("LC_ALL", "C.UTF-8");
    command
}

/// The same, told that it is [`NOW`].
pub fn now(folder: &Path) -> Command {
    let mut command = program(folder);
    command.args(["--now", NOW]);
    command
}

/// Runs it then with these arguments.
pub fn finops(folder: &Path, args: &[&str]) -> Output {
    now(folder).args(args).output().unwrap()
}

/// What it wrote to standard output.
pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it wrote to standard error.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it wrote to standard output, as JSON.
pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{cause}: {}{}", out(output), err(output)))
}
