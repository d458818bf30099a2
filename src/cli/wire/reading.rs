//! Stores of commands that only read: they create none, and take one that may not be written.

use std::path::Path;

use super::{busy_timeout, cloud, view};
use crate::adapters::memory::{MemoryAlerts, MemoryLedger};
use crate::adapters::sqlite::{SqliteAlerts, SqliteLedger};
use crate::cli::{CliError, Context};
use crate::config::StoreUrl;
use crate::domain::budget::{Budget, Scope};
use crate::ports::{AlertsAndOutbox, Ledger};

/// The ledger that the settings name, to be read.
pub fn ledger_to_read(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    filled_to_read(ctx, None)
}

/// The same for these budgets, one of which may need its basis computed.
pub fn ledger_to_read_for(ctx: &Context<'_>, budgets: &[Budget]) -> Result<Box<dyn Ledger>, CliError> {
    filled_to_read(ctx, super::filling(budgets))
}

/// The same; `fill` computes the basis "billed, metered where late" for figures of a scope.
pub fn filled_to_read(ctx: &Context<'_>, fill: Option<Scope>) -> Result<Box<dyn Ledger>, CliError> {
    let mut stored: Box<dyn Ledger> = match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryLedger::new()),
        StoreUrl::Dynamodb => cloud::ledger(ctx)?,
        StoreUrl::Sqlite(path) if is_there(ctx, &path)? => {
            Box::new(SqliteLedger::open_to_read(&path, busy_timeout(ctx))?)
        }
        StoreUrl::Sqlite(_) => Box::new(MemoryLedger::new()),
    };
    // Calls and sums are read one after the other and compared: of one moment, while others record.
    stored.hold(true)?;
    view(ctx, stored, fill)
}

/// The alerts beside the ledger, to be read.
pub fn alerts_to_read(ctx: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
    Ok(match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryAlerts::new()),
        StoreUrl::Dynamodb => cloud::alerts(ctx)?,
        StoreUrl::Sqlite(path) if is_there(ctx, &path)? => {
            Box::new(SqliteAlerts::open_to_read(&path, busy_timeout(ctx))?)
        }
        StoreUrl::Sqlite(_) => Box::new(MemoryAlerts::new()),
    })
}

/// Whether there is a ledger. Before the first run there is none, and it is empty; one that was asked for by name has to be there.
fn is_there(ctx: &Context<'_>, path: &Path) -> Result<bool, CliError> {
    let there = path.try_exists().map_err(|cause| {
        CliError::incomplete(format!("cannot look for the ledger `{}`: {cause}", path.display()))
            .hint("check the path and its permissions")
    })?;
    if !there && ctx.config.store.named {
        return Err(CliError::usage(format!("no such ledger: `{}`", path.display()))
            .hint("check `--store`; `finops run` and `finops record` create one"));
    }
    Ok(there)
}
