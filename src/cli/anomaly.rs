//! `finops anomaly`: what the provider found, and telling it what it was.

use super::text::clean;
use super::wire::{self, cloud};
use super::{CliError, Context, Exit, Format};
use crate::engine::signals;

/// The arguments of `finops anomaly`.
#[derive(Debug, clap::Args)]
pub struct AnomalyArgs {
    /// What to do; `list` if not given
    #[command(subcommand)]
    pub what: Option<What>,
}

/// What to do with anomalies.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Anomalies as AWS said them last; nothing is asked
    List,
    /// Tell AWS what an anomaly was
    Feedback {
        /// Its id
        id: String,
        /// What it was
        said: cloud::Said,
    },
}

/// Lists anomalies or gives feedback.
pub fn run(ctx: &mut Context<'_>, args: &AnomalyArgs) -> Result<Exit, CliError> {
    match &args.what {
        Some(What::Feedback { id, said }) => {
            cloud::feedback(ctx, id, *said)?;
            writeln!(ctx.err, "told AWS about the anomaly `{}`", clean(id))?;
            Ok(Exit::Fine)
        }
        Some(What::List) | None => list(ctx),
    }
}

fn list(ctx: &mut Context<'_>) -> Result<Exit, CliError> {
    let mut ledger = wire::ledger(ctx)?;
    let all = signals::all(ledger.as_mut())?;
    match ctx.format {
        Format::Json => {
            let anomalies: Vec<_> = all.iter().flat_map(|s| &s.anomalies).collect();
            writeln!(
                ctx.out,
                "{:#}",
                serde_json::json!({ "schema_version": 1, "anomalies": anomalies })
            )?;
        }
        Format::Jsonl => {
            for anomaly in all.iter().flat_map(|s| &s.anomalies) {
                writeln!(ctx.out, "{}", serde_json::to_string(anomaly)?)?;
            }
        }
        Format::Table => {
            for said in &all {
                writeln!(ctx.out, "as of {}", said.asked_at.format("%Y-%m-%d %H:%M UTC"))?;
                for a in &said.anomalies {
                    let state = if a.end.is_some_and(|end| end <= ctx.now) {
                        "ended"
                    } else {
                        "going on"
                    };
                    let cause = a.causes.first().map_or("", String::as_str);
                    writeln!(
                        ctx.out,
                        "{}  {}  ${}  {state}  {}",
                        clean(&a.id),
                        a.start.format("%Y-%m-%d"),
                        a.impact,
                        clean(cause)
                    )?;
                }
            }
            if all.iter().all(|s| s.anomalies.is_empty()) {
                writeln!(
                    ctx.err,
                    "no anomalies are known; `aws.anomalies = true` asks for them with each run"
                )?;
            }
        }
        Format::Csv | Format::Markdown | Format::Html => {
            return Err(CliError::usage("`finops anomaly` has no such format").hint("use `--format json` or `jsonl`"));
        }
    }
    Ok(Exit::Fine)
}
