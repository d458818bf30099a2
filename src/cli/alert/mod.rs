//! `finops alert`.

mod show;
mod silences;
mod told;
mod waiting;

use chrono::TimeDelta;
use serde_json::json;

use super::text::clean;
use super::{CliError, Context, Exit, Format, wire};
use crate::engine::deed::{self, Deed, DeedError};
use crate::ports::AlertsAndOutbox;

pub use show::object;
pub use told::told;

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
        #[arg(long, env = "USER", default_value = "someone", value_parser = who)]
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
        #[arg(long, env = "USER", default_value = "someone", value_parser = who)]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Silences that have not ended
    Silences {
        /// Ended ones too
        #[arg(long)]
        all: bool,
    },
    /// End a silence now
    Unsilence {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Messages that no channel has accepted yet, and why
    Waiting,
    /// Try again now all that waits, also where a channel asked to be left alone
    Retry,
    /// Call it over; it comes back only if it is seen anew
    Resolve {
        /// Its id, or the beginning of it
        id: String,
        /// Who
        #[arg(long, env = "USER", default_value = "someone", value_parser = who)]
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

/// Where nobody has logged in, as in containers, the environment may name an empty user.
fn who(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(match text.trim() {
        "" => "someone".to_owned(),
        name => name.to_owned(),
    })
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("`{text}` is not a time such as 30m, 24h or 7d, up to 366d");
    let (number, unit) = text.split_at(text.char_indices().last().map_or(0, |(at, _)| at));
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
    let mut store = match args.what {
        None | Some(What::List { .. } | What::Show { .. } | What::Silences { .. } | What::Waiting) => {
            wire::alerts_to_read(ctx)?
        }
        Some(_) => wire::alerts(ctx)?,
    };
    let store = store.as_mut();
    match args.what.as_ref().unwrap_or(&What::List { all: false }) {
        What::List { all } => show::list(ctx, store, *all),
        What::Show { id } => show::show(ctx, store, id),
        What::Ack { id, length, by, reason } => {
            let until = ctx.now + *length;
            let said = format!("acknowledged until {}", until.format("%Y-%m-%d %H:%M UTC"));
            let (by, reason) = (by.clone(), reason.clone());
            act(ctx, store, id, &Deed::Acknowledge { until, by, reason }, &said)
        }
        What::Resolve { id, by, reason } => {
            let (by, reason) = (by.clone(), reason.clone());
            act(ctx, store, id, &Deed::Resolve { by, reason }, "resolved")
        }
        What::Silence {
            budget,
            length,
            by,
            reason,
        } => silences::silence(ctx, store, budget, *length, by, reason),
        What::Silences { all } => silences::list(ctx, store, *all),
        What::Unsilence { id } => silences::unsilence(ctx, store, id),
        What::Waiting => waiting::list(ctx, store),
        What::Retry => waiting::retry(ctx, store),
        What::Test { channel } => test(ctx, store, channel.as_deref()),
    }
}

impl From<DeedError> for CliError {
    fn from(error: DeedError) -> Self {
        let message = error.to_string();
        match error {
            DeedError::Store(error) => error.into(),
            DeedError::Unknown { .. } => CliError::usage(message).hint("`finops alert list --all` shows all ids"),
            DeedError::Ambiguous { .. } | DeedError::AmbiguousSilence { .. } => {
                CliError::usage(message).hint("give more of the id")
            }
            DeedError::UnknownSilence { .. } | DeedError::Ended { .. } => {
                CliError::usage(message).hint("`finops alert silences` shows those that have not ended")
            }
            DeedError::NotFiring { .. } | DeedError::Resolved { .. } => {
                CliError::usage(message).hint("`finops alert show ID` says how it came to that")
            }
        }
    }
}

/// Does what a person asks for and tells everyone who was told that the alert fires.
fn act(
    ctx: &mut Context<'_>,
    store: &mut dyn AlertsAndOutbox,
    id: &str,
    what: &Deed,
    said: &str,
) -> Result<Exit, CliError> {
    let channels = wire::channels(ctx)?;
    let alert = deed::act(store, id, what, ctx.now)?;
    // It is done, however long the channels take, and whoever reads this.
    let shown = writeln!(ctx.out, "{said}: {}", clean(&alert.title)).and_then(|()| ctx.out.flush());
    let summary = told::deliver(ctx, store, &channels)?;
    shown?;
    told(ctx, &summary)
}

fn test(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, only: Option<&str>) -> Result<Exit, CliError> {
    let channels = wire::channels(ctx)?;
    let names = channels.iter().map(|c| c.channel());
    let names: Vec<String> = names
        .filter(|c| only.is_none_or(|o| o == *c))
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        let cause = match only {
            Some(name) => format!("no channel `{name}` can be used"),
            None => "no channel can be used".to_owned(),
        };
        return Err(CliError::usage(cause).hint("`finops config check` lists them"));
    }
    let sent = deed::test(store, &names, ctx.now)?;
    let mut summary = told::deliver(ctx, store, &channels)?;
    // How others take what waits for them is no answer to whether this one works.
    let is_asked = |channel: &str| only.is_none_or(|only| only == channel);
    summary.failed.retain(|channel, _| is_asked(channel));
    summary.refused.retain(|refused| is_asked(&refused.channel));
    // A message leaves the outbox only when its channel has accepted it, whoever delivered it.
    let waiting = store.waiting()?;
    let mut messages = Vec::new();
    for (channel, id) in sent {
        let waits = waiting.iter().any(|p| p.message.id == id);
        let state = if waits { "waits" } else { "accepted" };
        writeln!(ctx.err, "{}: message {id} {state}", clean(&channel))?;
        messages.push(json!({ "channel": channel, "message": id, "state": state }));
    }
    match ctx.format {
        Format::Json => writeln!(ctx.out, "{:#}", json!({ "schema_version": 1, "messages": messages }))?,
        Format::Jsonl => messages.iter().try_for_each(|m| writeln!(ctx.out, "{m}"))?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {}
    }
    told(ctx, &summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_is_someone() {
        assert_eq!(
            [" ", "", "ada"].map(who),
            ["someone", "someone", "ada"].map(|name| Ok(name.to_owned()))
        );
    }

    #[test]
    fn times_are_read_and_nonsense_is_refused() {
        assert_eq!(duration("24h"), Ok(TimeDelta::hours(24)));
        for text in ["", "h", "5é", "-1h", "0m", "999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
