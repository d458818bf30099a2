//! Builds adapters from the configuration.

pub mod cloud;
mod meant;
mod reading;
mod sources;
mod spare;
mod unread;

use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::{CliError, Context, Format};
use crate::adapters::admin::telling;
use crate::adapters::clock::SystemClock;
use crate::adapters::console::{FileChannel, StdoutChannel};
use crate::adapters::memory::{MemoryAlerts, MemoryLedger};
use crate::adapters::policies::{has_budgets, load_budgets};
use crate::adapters::prices::BookPricer;
use crate::adapters::secret;
use crate::adapters::slack::Slack;
use crate::adapters::sqlite::{SqliteAlerts, SqliteLedger};
use crate::adapters::traces::TracedChannel;
use crate::adapters::webhook::Webhook;
use crate::config::{ChannelConfig, ChannelKind, Config, SourceKind, StoreUrl};
use crate::domain::budget::{Budget, Scope};
use crate::domain::contract::Terms;
use crate::domain::label::Label;
use crate::domain::signal::Signals;
use crate::domain::spend::Basis;
use crate::engine::notify::DeliveryLimits;
use crate::engine::told_twice::Tells;
use crate::engine::view::View;
use crate::engine::watch::{CoveragePolicy, RunPolicy, UnpricedPolicy, WatchPolicy};
use crate::ports::{AlertsAndOutbox, Clock as _, Ledger, Notifier, Pricer};

pub use self::meant::meant;
pub use self::reading::{alerts_to_read, filled_to_read, ledger_to_read, ledger_to_read_for};
pub use self::sources::{configured, finder, format, given, look, looked_in, sources};
pub use self::spare::spare;
pub use self::unread::unread;

/// How a source tells usage, by its checkpoints.
pub const TELLS: Tells = telling;

/// The ledger that the settings name, as its account sees it.
pub fn ledger(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    view(ctx, stored(ctx, false)?, None)
}

/// The same for these budgets, one of which may need its basis computed.
pub fn ledger_for(ctx: &Context<'_>, budgets: &[Budget]) -> Result<Box<dyn Ledger>, CliError> {
    view(ctx, stored(ctx, false)?, filling(budgets))
}

/// The basis "billed, metered where late", where one of these budgets has it: each looks to its scope itself.
pub fn filling(budgets: &[Budget]) -> Option<Scope> {
    let late = budgets.iter().any(|b| b.basis == Basis::BilledFilled);
    late.then(Scope::default)
}

/// The same, so that what it has answered for survives a power cut: for what cannot be read again.
pub fn durable_ledger(ctx: &Context<'_>) -> Result<Box<dyn Ledger>, CliError> {
    view(ctx, stored(ctx, true)?, None)
}

fn view(ctx: &Context<'_>, stored: Box<dyn Ledger>, fill: Option<Scope>) -> Result<Box<dyn Ledger>, CliError> {
    let (terms, settings) = (terms(ctx)?, ctx.config.clone());
    let books = move || {
        super::price::load_from(&settings)
            .map(BookPricer::into_books)
            .map_err(|e| e.message)
    };
    let view = View::new(stored, terms, Box::new(books), ctx.now);
    Ok(Box::new(view.filling(fill)))
}

/// What the account has agreed.
pub fn terms(ctx: &Context<'_>) -> Result<Terms, CliError> {
    ctx.config.terms().map_err(|(section, name, cause)| {
        CliError::usage(format!("the `[[{section}]]` `{name}` is not usable: {cause}"))
    })
}

fn stored(ctx: &Context<'_>, durable: bool) -> Result<Box<dyn Ledger>, CliError> {
    Ok(match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryLedger::new()),
        StoreUrl::Dynamodb => cloud::ledger(ctx)?,
        StoreUrl::Sqlite(path) => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|cause| {
                    CliError::incomplete(format!("cannot create the folder `{}`: {cause}", folder.display()))
                        .hint("`--store sqlite:PATH` uses another place")
                })?;
            }
            if !durable {
                return Ok(Box::new(SqliteLedger::open_within(&path, busy_timeout(ctx))?));
            }
            Box::new(SqliteLedger::open_within(&path, busy_timeout(ctx).min(ANSWERED_WITHIN))?.durable(&path)?)
        }
    })
}

/// How long a ledger that others hold is waited for where somebody waits for an answer: exporters do for ten seconds.
const ANSWERED_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

fn busy_timeout(ctx: &Context<'_>) -> std::time::Duration {
    std::time::Duration::from_millis(ctx.config.store.busy_timeout_ms)
}

/// The alerts beside the ledger.
pub fn alerts(ctx: &Context<'_>) -> Result<Box<dyn AlertsAndOutbox>, CliError> {
    Ok(match ctx.config.store_url()? {
        StoreUrl::Memory => Box::new(MemoryAlerts::new()),
        StoreUrl::Dynamodb => cloud::alerts(ctx)?,
        StoreUrl::Sqlite(path) => Box::new(SqliteAlerts::open_within(&path, busy_timeout(ctx))?),
    })
}

/// What providers say about the account, asked if it is time to.
pub fn signals(ctx: &Context<'_>, ledger: &mut dyn Ledger, pricer: &dyn Pricer) -> Result<Vec<Signals>, CliError> {
    match asks_aws(&ctx.config) {
        true => cloud::signals(ctx, ledger, pricer),
        false => Ok(Vec::new()),
    }
}

/// Whether the settings ask for anything that AWS says of the account.
#[must_use]
pub fn asks_aws(config: &Config) -> bool {
    config.aws.anomalies || config.aws.budgets || config.aws.forecast
}

/// Keeps the heartbeat of a run where the store has a place for it.
pub fn heartbeat(ctx: &Context<'_>, request_id: &str, summary: &serde_json::Value) -> Result<(), CliError> {
    match ctx.config.store_url()? {
        StoreUrl::Dynamodb => cloud::heartbeat(ctx, request_id, summary),
        StoreUrl::Memory | StoreUrl::Sqlite(_) => Ok(()),
    }
}

/// The folder of policies. Where the settings say that there is one, it has to be there.
pub fn policies(config: &Config) -> Result<PathBuf, CliError> {
    let folder = config.policies_dir();
    let there = folder.try_exists().map_err(|cause| {
        CliError::incomplete(format!("cannot look into the policies `{}`: {cause}", folder.display()))
            .hint("check the folder and its permissions")
    })?;
    if config.policies_named && !there {
        return Err(
            CliError::usage(format!("there are no policies at `{}`", folder.display()))
                .hint("`policies` of the settings names this folder; an empty one says that there are no budgets"),
        );
    }
    Ok(folder)
}

/// The budgets of the policies folder.
pub fn budgets(ctx: &Context<'_>) -> Result<Vec<Budget>, CliError> {
    let folder = policies(&ctx.config)?;
    let budgets = load_budgets(&folder)?;
    let names = channel_names(ctx);
    for budget in &budgets {
        if let Some(channel) = budget.channels.iter().find(|channel| !names.contains(channel)) {
            return Err(CliError::usage(format!(
                "budget `{}` tells channel `{channel}`, which is not configured",
                budget.name
            ))
            .hint(format!("configured are: {}", names.join(", "))));
        }
    }
    Ok(budgets)
}

/// Why a channel cannot be used as it is; nothing where that is asked of an account when it is needed.
#[must_use]
pub fn unusable(ctx: &Context<'_>, channel: &ChannelConfig) -> Option<String> {
    if channel.kind == ChannelKind::Sns || is_kept(channel) {
        return None;
    }
    if let (ChannelKind::File, Some(path)) = (channel.kind, &channel.path) {
        let path = ctx.config.resolve(path);
        let file = FileChannel::new(channel.name.clone(), path.clone());
        return file
            .is_without_folder()
            .then(|| format!("the folder of `{}` is not there", path.display()));
    }
    build(ctx, channel).err()
}

/// Whether the address or the key of a channel is kept in the account.
#[must_use]
pub fn is_kept(channel: &ChannelConfig) -> bool {
    let kept = |spec: &Option<String>| spec.as_deref().is_some_and(|spec| spec.starts_with("secret:"));
    kept(&channel.url) || kept(&channel.secret)
}

/// Refuses to run without the folder of budgets while alerts of theirs are open: that it is not there does not end them.
pub fn without_budgets(ctx: &Context<'_>, alerts: &mut dyn AlertsAndOutbox) -> Result<(), CliError> {
    let folder = ctx.config.policies_dir();
    if has_budgets(&folder)? {
        return Ok(());
    }
    let known = alerts.alerts(Some(ctx.now))?;
    let open = known
        .iter()
        .filter(|alert| alert.is_open() && alert.kind.starts_with("budget_"));
    let Some(first) = open.min_by(|a, b| a.policy.cmp(&b.policy)) else {
        return Ok(());
    };
    let folder = folder.join("budgets");
    Err(CliError::usage(format!(
        "there are no budgets at `{}`, and alerts of theirs are open: the first is of `{}`",
        folder.display(),
        first.policy
    ))
    .hint("nothing was read or told; where the budgets are meant to be gone, an empty folder says so"))
}

/// What is watched beside the budgets.
pub fn watch(ctx: &Context<'_>) -> Result<WatchPolicy, CliError> {
    let settings = &ctx.config.unpriced;
    let above = settings.least().map_err(CliError::usage)?;
    let unpriced = settings.alert.then(|| UnpricedPolicy {
        above,
        channels: settings.channels.clone(),
    });
    let settings = &ctx.config.reconcile;
    let coverage = match settings.bound().map_err(CliError::usage)? {
        Some((least, above)) => Some(CoveragePolicy {
            least,
            above,
            channels: settings.channels.clone(),
            terms: terms(ctx)?,
        }),
        None => None,
    };
    let hours = |count: u32| (count > 0).then(|| TimeDelta::hours(i64::from(count)));
    let by_days = ctx.config.sources.iter().filter(|source| {
        let kind = source.kind;
        kind == Some(SourceKind::OpenaiAdmin) || kind == Some(SourceKind::AnthropicAdmin)
    });
    let runs = RunPolicy {
        every: hours(ctx.config.runs.expected_every_hours),
        stale_after: hours(ctx.config.runs.stale_after_hours),
        by_days: by_days.map(|source| Label::new(&source.name)).collect(),
    };
    Ok(WatchPolicy {
        unpriced,
        coverage,
        runs,
        signals: Vec::new(),
    })
}

/// The configured channels; standard output where none is configured. A channel whose secret is missing is named, and its
/// messages wait: the others are told.
pub fn channels(ctx: &mut Context<'_>) -> Result<Vec<Box<dyn Notifier>>, CliError> {
    let stdout = ChannelConfig {
        name: "stdout".to_owned(),
        kind: ChannelKind::Stdout,
        path: None,
        url: None,
        secret: None,
        topic: None,
        allowed_hosts: Vec::new(),
    };
    let configured = if ctx.config.channels.is_empty() {
        vec![stdout]
    } else {
        ctx.config.channels.clone()
    };
    let mut channels: Vec<Box<dyn Notifier>> = Vec::new();
    for channel in configured {
        match build(ctx, &channel) {
            Ok(built) if ctx.tracer.is_on() => {
                channels.push(Box::new(TracedChannel::new(built, ctx.tracer.clone())));
            }
            Ok(built) => channels.push(built),
            Err(cause) => writeln!(ctx.err, "warning: channel `{}` cannot be used: {cause}", channel.name)?,
        }
    }
    Ok(channels)
}

fn build(ctx: &Context<'_>, channel: &ChannelConfig) -> Result<Box<dyn Notifier>, String> {
    let name = channel.name.clone();
    let url = || secret(ctx, channel.url.as_deref().ok_or("`url` is missing")?);
    Ok(match channel.kind {
        ChannelKind::Stdout => Box::new(StdoutChannel::new(name, terminal(ctx.format))),
        ChannelKind::File => {
            let path = channel.path.as_ref().ok_or("`path` is missing")?;
            Box::new(FileChannel::new(name, ctx.config.resolve(path)))
        }
        ChannelKind::Sns => cloud::sns(ctx, name, channel.topic.as_deref().ok_or("`topic` is missing")?)?,
        ChannelKind::Slack => Box::new(Slack::new(name, url()?, &channel.allowed_hosts)?),
        ChannelKind::Webhook => {
            let key = channel.secret.as_deref().map(|spec| secret(ctx, spec)).transpose()?;
            Box::new(Webhook::new(name, url()?, key, &channel.allowed_hosts)?)
        }
    })
}

/// Where text for people goes: beside data for programs it would make that unreadable.
fn terminal(format: Format) -> Box<dyn std::io::Write + Send> {
    if format == Format::Table {
        Box::new(std::io::stdout())
    } else {
        Box::new(std::io::stderr())
    }
}

/// The names of all configured channels, also of those that cannot be used now.
#[must_use]
pub fn channel_names(ctx: &Context<'_>) -> Vec<String> {
    match ctx.config.channels.as_slice() {
        [] => vec!["stdout".to_owned()],
        given => given.iter().map(|channel| channel.name.clone()).collect(),
    }
}

/// The bounds of delivering.
#[must_use]
pub fn delivery(ctx: &Context<'_>) -> DeliveryLimits {
    let limits = &ctx.config.limits;
    DeliveryLimits {
        attempts: limits.delivery_attempts.max(1),
        timeout: std::time::Duration::from_secs(limits.delivery_timeout_seconds.max(1)),
        budget: time_budget(ctx),
        at_once: CHANNELS_AT_ONCE,
    }
}

/// Channels delivered to at the same time: threads that mostly wait.
const CHANNELS_AT_ONCE: usize = 16;

/// The time for a whole run.
#[must_use]
pub fn time_budget(ctx: &Context<'_>) -> std::time::Duration {
    std::time::Duration::from_secs(ctx.config.limits.time_budget_seconds)
}

/// What is left of it; a quarter at least, so that a slow beginning does not keep everything from being read.
#[must_use]
pub fn time_left(ctx: &Context<'_>) -> std::time::Duration {
    let budget = time_budget(ctx);
    let passed = ctx.begun.map(|begun| SystemClock.elapsed().saturating_sub(begun));
    budget.saturating_sub(passed.unwrap_or_default()).max(budget / 4)
}

/// The price books: `policies/prices` over the built-in one over the configured ones.
pub fn pricer(ctx: &Context<'_>) -> Result<Box<dyn Pricer>, CliError> {
    Ok(Box::new(super::price::load(ctx)?))
}

/// A secret where it is kept: `env:NAME`, or `secret:NAME` in the account's Secrets Manager.
fn secret(ctx: &Context<'_>, spec: &str) -> Result<SecretString, String> {
    match spec.strip_prefix("secret:") {
        Some(name) => cloud::secret(ctx, name),
        None => secret::resolve(spec, &env),
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
