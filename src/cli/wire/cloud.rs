//! Builds the adapters to AWS, or says that this program has none.

#[cfg(feature = "aws")]
pub use with_aws::{
    alerts, bills, bucket, feedback, heartbeat, lacking, ledger, permissions, queries, query, secret, signals, sns,
};
#[cfg(not(feature = "aws"))]
pub use without_aws::{
    alerts, bills, bucket, feedback, heartbeat, lacking, ledger, permissions, queries, query, secret, signals, sns,
};

/// Parts of the program, each with the IAM actions that it calls.
pub type Permissions = Vec<(&'static str, Vec<&'static str>)>;

/// What a person says about an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Said {
    /// It was one
    Yes,
    /// It was none
    No,
    /// It was planned
    Planned,
}

#[cfg(feature = "aws")]
mod with_aws {
    use std::cell::RefCell;
    use std::sync::OnceLock;
    use std::time::Duration;

    use chrono::TimeDelta;
    use secrecy::SecretString;

    use super::{Permissions, Said};
    use crate::adapters::aws::athena::{self, Athena};
    use crate::adapters::aws::client::{Aws, CallLimits};
    use crate::adapters::aws::cost_explorer::{CostExplorer, Grouping, Options};
    use crate::adapters::aws::dynamodb::{DynamoAlerts, DynamoLedger, Table, TableNames, heartbeats};
    use crate::adapters::aws::failure::Failure;
    use crate::adapters::aws::identity;
    use crate::adapters::aws::paid::{FileMeter, MemoryMeter, MonthMeter, PaidBudget, SharedBudget, TableMeter};
    use crate::adapters::aws::request::Deadline;
    use crate::adapters::aws::s3::{Bucket, OutOfReach};
    use crate::adapters::aws::secrets;
    use crate::adapters::aws::signals::{AwsSignals, Feedback, Wanted, give_feedback};
    use crate::adapters::aws::sns::Sns;
    use crate::adapters::clock::SystemClock;
    use crate::adapters::files::ObjectStore;
    use crate::cli::wire::{time_budget, time_left};
    use crate::cli::{CliError, Context};
    use crate::config::{AthenaConfig, StoreUrl};
    use crate::domain::label::Label;
    use crate::domain::signal::Signals;
    use crate::engine::cycle::time_for_reading;
    use crate::engine::signals::{current, unasked};
    use crate::ports::{AlertsAndOutbox, Clock as _, Ledger, Notifier, Pricer, Retention, UsageSource};

    impl From<Failure> for CliError {
        fn from(failure: Failure) -> Self {
            CliError::incomplete(failure.to_string()).hint(failure.hint())
        }
    }

    /// Why nothing of AWS can be used: nothing.
    #[must_use]
    pub fn lacking() -> Option<String> {
        None
    }

    /// The connection of this process, made once: looking for credentials takes time. Whoever uses it asks by himself whether the account may
    /// be used.
    fn unconfirmed(ctx: &Context<'_>) -> Result<Aws, CliError> {
        static CONNECTION: OnceLock<Aws> = OnceLock::new();
        if let Some(aws) = CONNECTION.get() {
            return Ok(aws.clone());
        }
        let aws = Aws::from_environment(ctx.config.aws.region.as_deref(), CallLimits::default(), &ctx.tracer)?;
        Ok(CONNECTION.get_or_init(|| aws).clone())
    }

    /// The same to an account that may be used, which is asked once.
    fn connection(ctx: &Context<'_>) -> Result<Aws, CliError> {
        static CONFIRMED: OnceLock<()> = OnceLock::new();
        let aws = unconfirmed(ctx)?;
        if !ctx.config.aws.allowed_accounts.is_empty() && CONFIRMED.get().is_none() {
            account(ctx, &aws)?;
            CONFIRMED.get_or_init(|| ());
        }
        Ok(aws)
    }

    thread_local! {
        /// Which account this run is of, or why that is not known; the run is told by its beginning.
        static ACCOUNT: RefCell<Option<(Duration, Result<String, Failure>)>> = const { RefCell::new(None) };
    }

    /// The own account, if it may be used. A run asks once: where nobody answers, waiting takes the time that all else needs.
    fn account(ctx: &Context<'_>, aws: &Aws) -> Result<String, Failure> {
        let known = ACCOUNT.with(|slot| slot.borrow().clone());
        if let Some((_, answer)) = known.filter(|(begun, _)| ctx.begun == Some(*begun)) {
            return answer;
        }
        // As what is secret has: a quarter of a run.
        let until = ctx.begun.map(|begun| begun + time_budget(ctx) / 4);
        let answer = identity::allowed_until(aws, &ctx.config.aws.allowed_accounts, until);
        if let Some(begun) = ctx.begun {
            ACCOUNT.with(|slot| slot.replace(Some((begun, answer.clone()))));
        }
        answer
    }

    /// What the right to deliver lasts longer than delivering may take: for clocks that differ.
    const LEASE_RESERVE: std::time::Duration = std::time::Duration::from_secs(10);

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
        let alerts = DynamoAlerts::new(table, Box::new(SystemClock), ctx.now);
        let limits = crate::cli::wire::delivery(ctx);
        Ok(Box::new(
            alerts.holding_for(limits.budget + limits.timeout + LEASE_RESERVE),
        ))
    }

    /// A channel to a topic.
    pub fn sns(ctx: &Context<'_>, name: String, topic: &str) -> Result<Box<dyn Notifier>, String> {
        let aws = connection(ctx).map_err(|e| e.message)?;
        Ok(Box::new(Sns::new(name, aws, topic)?))
    }

    /// A secret of the account.
    pub fn secret(ctx: &Context<'_>, name: &str) -> Result<SecretString, String> {
        let aws = connection(ctx).map_err(|e| e.message)?;
        // Together they take a quarter of a run: what does not answer leaves the rest to the others.
        let until = ctx.begun.map(|begun| begun + time_budget(ctx) / 4);
        secrets::secret(&aws, name, until).map_err(|e| format!("{e}; {}", e.hint()))
    }

    /// A bucket with usage in it.
    pub fn bucket(ctx: &Context<'_>, name: &str, region: Option<&str>) -> Result<Box<dyn ObjectStore>, CliError> {
        let calls = deadline(ctx).map(|deadline| deadline.calls);
        Ok(match connection(ctx) {
            Ok(aws) => Box::new(Bucket::new(&aws, name, region).until(calls)),
            Err(error) => Box::new(OutOfReach(words(error))),
        })
    }

    fn words(error: CliError) -> String {
        match error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message,
        }
    }

    /// When what a run reads has to be there. Calls under way may take half of the time that is kept for evaluating.
    fn deadline(ctx: &Context<'_>) -> Option<Deadline> {
        ctx.begun?;
        let (now, left) = (SystemClock.elapsed(), time_left(ctx));
        let reading = time_for_reading(left);
        Some(Deadline {
            reading: now + reading,
            calls: now + (left + reading) / 2,
        })
    }

    /// Keeps the heartbeat of a run.
    pub fn heartbeat(ctx: &Context<'_>, request_id: &str, summary: &serde_json::Value) -> Result<(), CliError> {
        let mut table = Table::new(connection(ctx)?, names(ctx).alerts);
        heartbeats::keep(&mut table, request_id, &summary.to_string(), ctx.now)?;
        Ok(())
    }

    thread_local! {
        /// What this run may still ask for money; a new one with the sources of each run.
        static PAID: RefCell<Option<SharedBudget>> = const { RefCell::new(None) };
    }

    fn paid(ctx: &Context<'_>, anew: bool) -> Result<SharedBudget, CliError> {
        let known = PAID.with(|slot| slot.borrow().clone());
        if let Some(budget) = known.filter(|_| !anew) {
            return Ok(budget);
        }
        let meter: Box<dyn MonthMeter> = match ctx.config.store_url()? {
            StoreUrl::Dynamodb => Box::new(TableMeter(Table::new(connection(ctx)?, names(ctx).costs))),
            StoreUrl::Memory => Box::new(MemoryMeter::default()),
            StoreUrl::Sqlite(path) => {
                let mut beside = path.into_os_string();
                beside.push(".paid-requests");
                Box::new(FileMeter(beside.into()))
            }
        };
        let limits = &ctx.config.aws;
        let budget = PaidBudget::new(meter, limits.paid_requests_per_run, limits.paid_requests_per_month);
        let budget = budget.keeping(ctx.config.bill_requests(), refresh(ctx));
        let budget = SharedBudget::new(budget);
        PAID.with(|slot| slot.replace(Some(budget.clone())));
        Ok(budget)
    }

    fn refresh(ctx: &Context<'_>) -> TimeDelta {
        TimeDelta::hours(i64::from(ctx.config.aws.refresh_hours))
    }

    /// The bills of Cost Explorer. An account that cannot be used fails alone, when it is read.
    pub fn bills(ctx: &Context<'_>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
        let own = unconfirmed(ctx)?;
        let paid = paid(ctx, true)?;
        let mut sources: Vec<Box<dyn UsageSource>> = Vec::new();
        for given in &ctx.config.cost_explorers {
            let group_by: Result<Vec<Grouping>, String> =
                given.group_by.iter().map(|text| Grouping::parse(text)).collect();
            let options = Options {
                name: Label::new(&given.name),
                services: given.services.clone(),
                group_by: group_by.map_err(CliError::usage)?,
                hourly: given.hourly,
                net: given.net,
                months: given.months,
                as_whom: [given.role.clone(), given.external_id.clone()],
                allowed_accounts: ctx.config.aws.allowed_accounts.clone(),
                refresh: refresh(ctx),
                patience: time_for_reading(time_budget(ctx)),
                deadline: deadline(ctx),
                now: ctx.now,
            };
            let aws = match &given.role {
                Some(role) => own.assume(role, given.external_id.as_deref()),
                None => own.clone(),
            };
            sources.push(Box::new(CostExplorer::new(aws, options, paid.clone())));
        }
        Ok(sources)
    }

    /// What a source in Athena reads.
    fn table(given: &AthenaConfig) -> athena::sql::Table {
        athena::sql::Table {
            database: given.database.clone(),
            table: given.table.clone(),
            partition: given.partition.clone(),
            product_name: given.product_name(),
            products: given.products.clone(),
            tags: given.tags.clone(),
            amortized: given.amortized,
            net: given.net.unwrap_or(given.amortized),
        }
    }

    /// Whether what a source in Athena reads can be asked for.
    ///
    /// # Errors
    /// A name that is none.
    pub fn query(given: &AthenaConfig) -> Result<(), String> {
        table(given).check()
    }

    /// The bills in Athena. An account that cannot be used fails alone, too.
    pub fn queries(ctx: &Context<'_>) -> Result<Vec<Box<dyn UsageSource>>, CliError> {
        let own = unconfirmed(ctx)?;
        let mut sources: Vec<Box<dyn UsageSource>> = Vec::new();
        for given in &ctx.config.athenas {
            let options = athena::Options {
                name: Label::new(&given.name),
                table: table(given),
                workgroup: given.workgroup.clone(),
                output: given.output.clone(),
                most_bytes: u64::from(given.max_scan_gb) * 1_000_000_000,
                months: given.months,
                defaults: given
                    .defaults
                    .iter()
                    .map(|(dimension, value)| (*dimension, Label::new(value)))
                    .collect(),
                refresh: refresh(ctx),
                patience: time_for_reading(time_budget(ctx)),
                deadline: deadline(ctx),
                as_whom: [given.role.clone(), given.external_id.clone()],
                allowed_accounts: ctx.config.aws.allowed_accounts.clone(),
                now: ctx.now,
            };
            let aws = match &given.role {
                Some(role) => own.assume(role, given.external_id.as_deref()),
                None => own.clone(),
            };
            let source = Athena::new(&aws, options).map_err(|cause| {
                CliError::usage(format!("`[[athena]]` `{}`: {cause}", given.name))
                    .hint("names are of letters, digits and `_`; of a map one key is named, as in `resource_tags['user_team']`")
            })?;
            sources.push(Box::new(source));
        }
        Ok(sources)
    }

    /// What AWS says about the own account; what it said last and what is unknown, where it does not say which account that is.
    pub fn signals(ctx: &Context<'_>, ledger: &mut dyn Ledger, pricer: &dyn Pricer) -> Result<Vec<Signals>, CliError> {
        let settings = &ctx.config.aws;
        let wanted = Wanted {
            anomalies: settings.anomalies,
            budgets: settings.budgets,
            forecast: settings.forecast,
        };
        let known = unconfirmed(ctx).and_then(|aws| Ok((account(ctx, &aws)?, aws)));
        let (account, aws) = match known {
            Ok(known) => known,
            Err(error) => {
                let said = unasked(wanted.off(), &words(error), ledger, refresh(ctx), ctx.now)?;
                return Ok(vec![said]);
            }
        };
        // The sources of this run have begun its budget; without them this does, also in a process that has run before.
        let budget = paid(ctx, ctx.config.cost_explorers.is_empty())?;
        // They are asked before anything is read, and leave half of the run to it.
        let until = ctx.begun.map(|begun| begun + time_budget(ctx) / 2);
        let mut provider = AwsSignals::new(aws, account, wanted, budget).until(until);
        let (mut signals, asked) = current(&mut provider, ledger, pricer, refresh(ctx), ctx.now)?;
        if !asked {
            signals.paid_requests = 0;
        }
        Ok(vec![signals])
    }

    /// The IAM actions of each part.
    pub fn permissions() -> Result<Permissions, CliError> {
        let mut parts = std::collections::BTreeMap::<&str, std::collections::BTreeSet<&str>>::new();
        for part in crate::adapters::aws::permissions::ALL {
            parts.entry(part.sid).or_default().extend(part.actions);
        }
        Ok(parts
            .into_iter()
            .map(|(sid, actions)| (sid, actions.into_iter().collect()))
            .collect())
    }

    /// Tells AWS what a person says about an anomaly.
    pub fn feedback(ctx: &Context<'_>, id: &str, said: Said) -> Result<(), CliError> {
        let said = match said {
            Said::Yes => Feedback::Yes,
            Said::No => Feedback::No,
            Said::Planned => Feedback::Planned,
        };
        let paid = paid(ctx, true)?;
        give_feedback(&connection(ctx)?, id, said, &mut paid.hold(), ctx.now)?;
        Ok(())
    }
}

#[cfg(not(feature = "aws"))]
mod without_aws;
