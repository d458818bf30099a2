//! `finops alert`.

mod show;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::text::clean;
use super::{CliError, Context, Exit, wire};
use crate::adapters::clock::SystemClock;
use crate::domain::alert::{Alert, Silence, State, Step, Transition, acknowledge, digest, message_id, resolve};
use crate::domain::notification::{Notification, Severity, Told};
use crate::domain::period::Period;
use crate::engine::notify::deliver_pending;
use crate::ports::{AlertCommit, AlertsAndOutbox};

/// The arguments of `finops alert`.
#[derive(Debug, clap::Args)]
pub struct AlertArgs {
    /// What to do; `list` if not given
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What to do with alerts.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Alerts that are not resolved
    List {
        /// Resolved ones too
        #[arg(long)]
        all: bool,
    },
    /// One alert with its history
    Show {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Say that someone looks after it: no reminders until then
    Ack {
        /// Its id, or the beginning of it
        id: String,
        /// For how long: 30m, 24h, 7d
        #[arg(long = "for", default_value = "24h", value_parser = duration, value_name = "TIME")]
        length: TimeDelta,
        /// Who
        #[arg(long, env = "USER", default_value = "someone")]
        by: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Tell nothing about some budgets for some time
    Silence {
        /// Name of the budget, `*` and `?` allowed
        #[arg(long)]
        budget: String,
        /// For how long: 30m, 24h, 7d
        #[arg(long = "for", value_parser = duration, value_name = "TIME")]
        length: TimeDelta,
        /// Who
        #[arg(long, env = "USER", default_value = "someone")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Call it over; it comes back only if it is seen anew
    Resolve {
        /// Its id, or the beginning of it
        id: String,
        /// Who
        #[arg(long, env = "USER", default_value = "someone")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Send a message that is marked as a test through the whole path
    Test {
        /// Only to this channel
        #[arg(long)]
        channel: Option<String>,
    },
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("`{text}` is not a time such as 30m, 24h or 7d");
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let length = match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    length
        .filter(|l| *l > TimeDelta::zero() && *l <= TimeDelta::days(366))
        .ok_or_else(wrong)
}

/// Lists, shows and moves alerts.
pub fn run(ctx: &mut Context<'_>, args: &AlertArgs) -> Result<Exit, CliError> {
    let mut store = wire::alerts(ctx)?;
    let store = store.as_mut();
    match args.what.as_ref().unwrap_or(&What::List { all: false }) {
        What::List { all } => show::list(ctx, store, *all),
        What::Show { id } => show::show(ctx, store, id),
        What::Ack { id, length, by, reason } => {
            let alert = find(store, id)?;
            let until = ctx.now + *length;
            let step = acknowledge(&alert, until, by, reason, ctx.now).ok_or_else(|| {
                CliError::usage(format!("alert `{}` is {}, not firing", alert.id, alert.state.name()))
            })?;
            let said = format!("acknowledged until {}", until.format("%Y-%m-%d %H:%M UTC"));
            deed(ctx, store, step, &said)
        }
        What::Resolve { id, by, reason } => {
            let alert = find(store, id)?;
            let step = resolve(&alert, by, reason, ctx.now)
                .ok_or_else(|| CliError::usage(format!("alert `{}` is resolved already", alert.id)))?;
            deed(ctx, store, step, "resolved")
        }
        What::Silence {
            budget,
            length,
            by,
            reason,
        } => {
            let until = ctx.now + *length;
            let id = digest(&["silence", budget, by, reason, &ctx.now.to_rfc3339()]);
            let silence = Silence {
                id,
                policy: budget.clone(),
                from: ctx.now,
                until,
                by: by.clone(),
                reason: reason.clone(),
            };
            store.silence(&silence)?;
            writeln!(
                ctx.out,
                "silenced `{}` until {}",
                clean(budget),
                until.format("%Y-%m-%d %H:%M UTC")
            )?;
            Ok(Exit::Fine)
        }
        What::Test { channel } => test(ctx, store, channel.as_deref()),
    }
}

fn find(store: &mut dyn AlertsAndOutbox, id: &str) -> Result<Alert, CliError> {
    let mut found: Vec<Alert> = store
        .alerts(None)?
        .into_iter()
        .filter(|a| a.id.starts_with(id))
        .collect();
    match (found.pop(), found.len()) {
        (Some(alert), 0) => Ok(alert),
        (None, _) => {
            Err(CliError::usage(format!("no alert has the id `{id}`")).hint("`finops alert list --all` shows all ids"))
        }
        (Some(_), more) => {
            Err(CliError::usage(format!("{} alerts begin with `{id}`", more + 1)).hint("give more of the id"))
        }
    }
}

/// Stores what a person did and tells everyone who was told that the alert fires.
fn deed(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, step: Step, said: &str) -> Result<Exit, CliError> {
    let channels = wire::channels(ctx)?;
    let budgets = wire::budgets(ctx)?;
    let only = budgets
        .iter()
        .find(|b| b.name == step.alert.policy)
        .map(|b| b.channels.clone())
        .unwrap_or_default();
    let reason = step.transitions.last().map(|t| t.reason.clone()).unwrap_or_default();
    let told_to = channels
        .iter()
        .map(|c| c.channel())
        .filter(|c| only.is_empty() || only.iter().any(|o| o == c));
    let messages = step
        .tell
        .into_iter()
        .flat_map(|told| told_to.clone().map(move |c| (told, c)))
        .map(|(told, channel)| {
            message(
                &step.alert,
                told,
                channel,
                format!("{}: {reason}", step.alert.policy),
                &reason,
                ctx.now,
            )
        })
        .collect();
    let title = clean(&step.alert.title);
    store.commit(&AlertCommit {
        alerts: vec![step.alert],
        transitions: step.transitions,
        messages,
    })?;
    let summary = deliver_pending(store, &channels, &SystemClock, wire::delivery(ctx), 1)?;
    writeln!(ctx.out, "{said}: {title}")?;
    told(ctx, &summary)
}

fn told(ctx: &mut Context<'_>, summary: &crate::engine::notify::DeliverySummary) -> Result<Exit, CliError> {
    for (channel, reason) in &summary.failed {
        writeln!(
            ctx.err,
            "warning: channel `{channel}` did not accept its messages: {reason}"
        )?;
    }
    Ok(if summary.failed.is_empty() {
        Exit::Fine
    } else {
        Exit::Incomplete
    })
}

fn message(alert: &Alert, told: Told, channel: &str, title: String, summary: &str, now: DateTime<Utc>) -> Notification {
    Notification {
        id: message_id(alert, channel),
        channel: channel.to_owned(),
        alert_id: alert.id.clone(),
        told,
        severity: if told == Told::Firing {
            alert.severity
        } else {
            Severity::Info
        },
        kind: alert.kind.clone(),
        title,
        summary: summary.to_owned(),
        facts: Vec::new(),
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: std::collections::BTreeMap::from([("budget".to_owned(), alert.policy.clone())]),
        data: json!({ "budget": alert.policy, "threshold": alert.threshold, "reason": summary }),
        decided_at: now,
        test: alert.kind == "test",
    }
}

fn test(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, only: Option<&str>) -> Result<Exit, CliError> {
    let channels = wire::channels(ctx)?;
    let names: Vec<&str> = channels
        .iter()
        .map(|c| c.channel())
        .filter(|c| only.is_none_or(|o| o == *c))
        .collect();
    if names.is_empty() {
        let wanted = only.unwrap_or("any");
        return Err(
            CliError::usage(format!("no channel `{wanted}` can be used")).hint("`finops config check` lists them")
        );
    }
    let period = Period::new(ctx.now, ctx.now + TimeDelta::minutes(1));
    let stamp = ctx.now.to_rfc3339();
    let mut alert = Alert::new("test", "test", stamp, "", "", period, Severity::Info, ctx.now);
    alert.title = "test of the way from finops to you".to_owned();
    let before = store.alerts(None)?.into_iter().find(|a| a.id == alert.id);
    alert = before.unwrap_or(alert);
    // Tested twice within one second it is still two tests.
    alert.tellings += 1;
    let from = if alert.version == 0 { None } else { Some(alert.state) };
    let reason = "a test: fired and resolved at once".to_owned();
    let transitions = vec![Transition {
        alert_id: alert.id.clone(),
        at: ctx.now,
        from,
        to: State::Resolved,
        reason,
    }];
    let text = "This is a test. Nothing is wrong; a real alert would reach you the same way.";
    let messages: Vec<Notification> = names
        .iter()
        .map(|c| message(&alert, Told::Firing, c, alert.title.clone(), text, ctx.now))
        .collect();
    let sent: Vec<(String, String)> = messages.iter().map(|m| (m.channel.clone(), m.id.clone())).collect();
    store.commit(&AlertCommit {
        alerts: vec![alert],
        transitions,
        messages,
    })?;
    let summary = deliver_pending(store, &channels, &SystemClock, wire::delivery(ctx), 1)?;
    for (channel, id) in sent {
        let state = if summary.failed.contains_key(&channel) {
            "waits"
        } else {
            "accepted"
        };
        writeln!(ctx.err, "{channel}: message {id} {state}")?;
    }
    told(ctx, &summary)
}
