//! Builds the adapters to AWS, or says that this program has none.

use crate::cli::{CliError, Context};
use crate::ports::{AlertsAndOutbox, Ledger, Notifier};

#[cfg(feature = "aws")]
pub use with_aws::{alerts, heartbeat, ledger, sns};

#[cfg(feature = "aws")]
mod with_aws {
    use std::sync::OnceLock;

    use super::{AlertsAndOutbox, CliError, Context, Ledger, Notifier};
    use crate::adapters::aws::client::{Aws, CallLimits};
    use crate::adapters::aws::dynamodb::heartbeats;
    use crate::adapters::aws::dynamodb::{DynamoAlerts, DynamoLedger, Table, TableNames};
    use crate::adapters::aws::failure::Failure;
    use crate::adapters::aws::identity;
    use crate::adapters::aws::sns::Sns;
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

    /// A channel to a topic.
    pub fn sns(ctx: &Context<'_>, name: String, topic: &str) -> Result<Box<dyn Notifier>, String> {
        let aws = connection(ctx).map_err(|e| e.message)?;
        Ok(Box::new(Sns::new(name, aws, topic)?))
    }

    /// Keeps the heartbeat of a run.
    pub fn heartbeat(ctx: &Context<'_>, request_id: &str, summary: &serde_json::Value) -> Result<(), CliError> {
        let mut table = Table::new(connection(ctx)?, names(ctx).alerts);
        heartbeats::keep(&mut table, request_id, &summary.to_string(), ctx.now)?;
        Ok(())
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

/// There are no heartbeats in this build.
#[cfg(not(feature = "aws"))]
pub fn heartbeat(_: &Context<'_>, _: &str, _: &serde_json::Value) -> Result<(), CliError> {
    Err(absent())
}

/// There are no topics in this build.
#[cfg(not(feature = "aws"))]
pub fn sns(_: &Context<'_>, _: String, _: &str) -> Result<Box<dyn Notifier>, String> {
    Err(absent().message)
}

/// There are no alerts on AWS in this build.
#[cfg(not(feature = "aws"))]
pub fn alerts(_: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
    Err(absent())
}
