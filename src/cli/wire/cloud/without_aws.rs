//! What a program that was built without AWS says of it.

use secrecy::SecretString;

use super::{Permissions, Said};
use crate::adapters::files::ObjectStore;
use crate::cli::{CliError, Context};
use crate::config::AthenaConfig;
use crate::domain::signal::Signals;
use crate::ports::{AlertsAndOutbox, Ledger, Notifier, Pricer, UsageSource};

fn absent() -> CliError {
    CliError::usage("this program was built without AWS")
        .hint("build it with `cargo install --locked --path . --features aws`")
}

/// Why nothing of AWS can be used.
#[must_use]
pub fn lacking() -> Option<String> {
    Some("this program was built without AWS: build it with `--features aws`".to_owned())
}

/// There is no ledger on AWS in this build.
pub fn ledger(_: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    Err(absent())
}

/// There are no alerts on AWS in this build.
pub fn alerts(_: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
    Err(absent())
}

/// There are no topics in this build.
pub fn sns(_: &Context<'_>, _: String, _: &str) -> Result<Box<dyn Notifier>, String> {
    Err(absent().message)
}

/// There are no secrets in this build.
pub fn secret(_: &Context<'_>, _: &str) -> Result<SecretString, String> {
    Err(absent().message)
}

/// There are no buckets in this build.
pub fn bucket(_: &Context<'_>, _: &str, _: Option<&str>) -> Result<Box<dyn ObjectStore>, CliError> {
    Err(absent())
}

/// There are no heartbeats in this build.
pub fn heartbeat(_: &Context<'_>, _: &str, _: &serde_json::Value) -> Result<(), CliError> {
    Err(absent())
}

/// There is no Cost Explorer in this build.
pub fn bills(_: &Context<'_>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    Err(absent())
}

/// There is no Athena in this build, and nothing is wrong with what is not asked.
pub fn query(_: &AthenaConfig) -> Result<(), String> {
    Ok(())
}

/// There is no Athena in this build.
pub fn queries(_: &Context<'_>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    Err(absent())
}

/// There is nobody to ask in this build.
pub fn signals(_: &Context<'_>, _: &mut dyn Ledger, _: &dyn Pricer) -> Result<Vec<Signals>, CliError> {
    Err(absent())
}

/// Nothing is called in this build.
pub fn permissions() -> Result<Permissions, CliError> {
    Err(absent())
}

/// There is nobody to tell in this build.
pub fn feedback(_: &Context<'_>, _: &str, _: Said) -> Result<(), CliError> {
    Err(absent())
}
