//! Delivering after a deed, and what was not told, as people read it.

use std::time::Duration;

use super::super::text::clean;
use super::super::{CliError, Context, Exit, wire};
use crate::adapters::clock::SystemClock;
use crate::engine::cycle::named;
use crate::engine::notify::{Delivery, DeliveryLimits, DeliverySummary, Routes, deliver_pending, deliver_routed};
use crate::ports::{AlertsAndOutbox, Notifier};

/// How long a person waits for channels. What asks to be left alone for longer is told by the next run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refused messages that are named one by one.
const NAMED: usize = 10;

/// Delivers what waits. Where the policies cannot be read, what waits for a channel that is gone is left to the next run.
pub fn deliver(
    ctx: &Context<'_>,
    store: &mut dyn AlertsAndOutbox,
    channels: &[Box<dyn Notifier>],
) -> Result<DeliverySummary, CliError> {
    let limits = wire::delivery(ctx);
    let delivery = Delivery {
        channels,
        clock: &SystemClock,
        limits: DeliveryLimits {
            budget: limits.budget.min(PATIENCE),
            ..limits
        },
        jitter_seed: 1,
    };
    let (Ok(budgets), Ok(watch)) = (wire::budgets(ctx), wire::watch(ctx)) else {
        let Delivery { clock, limits, .. } = delivery;
        return Ok(deliver_pending(store, channels, clock, limits, delivery.jitter_seed)?);
    };
    let routes = Routes {
        configured: &wire::channel_names(ctx),
        named: &|alert| named(&budgets, &watch, alert).to_vec(),
    };
    Ok(deliver_routed(store, &routes, delivery)?)
}

/// Says what was not told, and how that ends the command.
pub fn told(ctx: &mut Context<'_>, summary: &DeliverySummary) -> Result<Exit, CliError> {
    for moved in &summary.handed {
        let (channel, many) = (clean(&moved.channel), messages(moved.messages));
        let to = moved.to.iter().map(|to| format!("`{}`", clean(to)));
        let to = to.collect::<Vec<_>>().join(", ");
        let what = match (moved.dropped, to.is_empty()) {
            (false, _) => format!("{many} for it handed to {to}"),
            (true, false) => format!("{many} for it dropped, which {to} is told too"),
            (true, true) => format!("{many} for it dropped"),
        };
        writeln!(
            ctx.err,
            "warning: channel `{channel}` is not configured any more: {what}"
        )?;
    }
    for (channel, reason) in &summary.failed {
        writeln!(
            ctx.err,
            "warning: channel `{}` did not accept its messages: {reason}",
            clean(channel)
        )?;
    }
    for refused in summary.refused.iter().take(NAMED) {
        let end = if refused.set_aside {
            "it is set aside: still tried at each run, but told here no more"
        } else {
            "the next run tries it again"
        };
        writeln!(
            ctx.err,
            "warning: channel `{}` refused the message {} (`{}`): {}; {end}",
            clean(&refused.channel),
            refused.id,
            clean(&refused.title),
            refused.reason
        )?;
    }
    let more = summary.refused.len().saturating_sub(NAMED);
    if more > 0 {
        writeln!(
            ctx.err,
            "warning: {} more refused; `finops alert waiting` lists them",
            messages(more as u64)
        )?;
    }
    if summary.late > 0 {
        writeln!(
            ctx.err,
            "warning: no time was left for {} messages; the next run delivers them",
            summary.late
        )?;
    }
    if summary.taken {
        writeln!(
            ctx.err,
            "warning: another run is delivering, so that {} not tried here; what it leaves waits for the next run",
            match summary.waiting {
                1 => "1 message was".to_owned(),
                n => format!("{n} messages were"),
            }
        )?;
    }
    let all = summary.failed.is_empty() && summary.refused.is_empty() && summary.late == 0 && !summary.taken;
    Ok(if all { Exit::Fine } else { Exit::Incomplete })
}

fn messages(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} message{plural}")
}
