//! Builds the adapters to AWS, or says that this program has none.

use crate::cli::{CliError, Context};
use crate::ports::{AlertsAndOutbox, Ledger};

#[cfg(feature = "aws")]
pub use with_aws::{alerts, ledger};

#[cfg(feature = "aws")]
mod with_aws {
    use std::sync::OnceLock;

    use super::{AlertsAndOutbox, CliError, Context, Ledger};
    use crate::adapters::aws::client::{Aws, CallLimits};
    use crate::adapters::aws::dynamodb::{DynamoAlerts, DynamoLedger, Table, TableNames};
    use crate::adapters::aws::failure::Failure;
    use crate::adapters::aws::identity;
    use crate::adapters::clock::SystemClock;
    use crate::ports::Retention;

    impl From<Failure> for CliError {
        fn from(failure: Failure) -> Self {
            CliError::incomplete(failure.to_string()).hint(failure.hint())
        }
    }

    /// The connection of this process, made once: looking for credentials and asking for the account take time.
    pub fn connection(ctx: &Context<'_>) -> Result<Aws, CliError> {
        static CONNECTION: OnceLock<Aws> = OnceLock::new();
        if let Some(aws) = CONNECTION.get() {
            return Ok(aws.clone());
        }
        let settings = &ctx.config.aws;
        let aws = Aws::from_environment(settings.region.as_deref(), CallLimits::default())?;
        if !settings.allowed_accounts.is_empty() {
            let account = identity::account(&aws)?;
            if !settings.allowed_accounts.contains(&account) {
                return Err(CliError::incomplete(format!("the account `{account}` is not allowed"))
                    .hint("nothing was read or written; name it in `aws.allowed_accounts`, or use other credentials"));
            }
        }
        Ok(CONNECTION.get_or_init(|| aws).clone())
    }

    fn names(ctx: &Context<'_>) -> TableNames {
        TableNames::of(&ctx.config.namespace, &ctx.config.environment)
    }

    /// The ledger in the account.
    pub fn ledger(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
        let table = Table::new(connection(ctx)?, names(ctx).costs);
        let keep = Retention {
            detail_days: ctx.config.store.detail_days,
        };
        Ok(Box::new(DynamoLedger::new(table, keep, ctx.now)))
    }

    /// The alerts in the account.
    pub fn alerts(ctx: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
        let table = Table::new(connection(ctx)?, names(ctx).alerts);
        Ok(Box::new(DynamoAlerts::new(table, Box::new(SystemClock), ctx.now)))
    }
}

#[cfg(not(feature = "aws"))]
fn absent() -> CliError {
    CliError::usage("this program was built without AWS").hint("build it with `cargo build --features aws`")
}

/// There is no ledger on AWS in this build.
#[cfg(not(feature = "aws"))]
pub fn ledger(_: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    Err(absent())
}

/// There are no alerts on AWS in this build.
#[cfg(not(feature = "aws"))]
pub fn alerts(_: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
    Err(absent())
}
