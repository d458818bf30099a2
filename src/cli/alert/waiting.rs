//! Messages that no channel has accepted yet.

use serde_json::json;

use super::show::rows;
use crate::adapters::clock::SystemClock;
use crate::cli::text::clean;
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::engine::notify::{Delivery, deliver_again};
use crate::ports::{AlertsAndOutbox, Pending};

/// Lists them, oldest first.
pub fn list(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox) -> Result<Exit, CliError> {
    let waiting = store.waiting()?;
    let state = |p: &Pending| match p.rests_until(ctx.now) {
        _ if p.is_set_aside() => "set aside".to_owned(),
        Some(until) => format!("not before {}", until.format("%Y-%m-%d %H:%M")),
        None => "waits".to_owned(),
    };
    let document = |p: &Pending| {
        json!({
            "message": p.message, "state": state(p), "attempts": p.attempts, "refused": p.refused, "not_before": p.not_before,
            "reason": p.reason,
        })
    };
    match ctx.format {
        Format::Json => {
            let all: Vec<_> = waiting.iter().map(document).collect();
            writeln!(ctx.out, "{:#}", json!({ "schema_version": 1, "waiting": all }))?;
        }
        Format::Jsonl => waiting.iter().try_for_each(|p| writeln!(ctx.out, "{}", document(p)))?,
        Format::Table if waiting.is_empty() => writeln!(ctx.out, "no message waits")?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            let cells = waiting.iter().map(|p| {
                vec![
                    p.message.id.clone(),
                    clean(&p.message.channel),
                    state(p),
                    p.attempts.to_string(),
                    p.message.decided_at.format("%Y-%m-%d %H:%M").to_string(),
                    clean(&p.message.title),
                    clean(&p.reason),
                ]
            });
            let cells = cells.collect();
            rows(
                ctx,
                ["id", "channel", "state", "attempts", "since", "what", "last failure"],
                cells,
            )?;
        }
    }
    Ok(Exit::Fine)
}

/// Tries all of them now, also where a channel asked to be left alone.
pub fn retry(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox) -> Result<Exit, CliError> {
    let channels = wire::channels(ctx)?;
    let delivery = Delivery {
        channels: &channels,
        clock: &SystemClock,
        limits: wire::delivery(ctx),
        jitter_seed: 1,
    };
    let summary = deliver_again(store, delivery)?;
    writeln!(
        ctx.out,
        "messages: {} delivered, {} waiting, {} set aside",
        summary.delivered, summary.waiting, summary.set_aside
    )?;
    super::told(ctx, &summary)
}
