//! Silences: kept, listed and taken back.

use chrono::TimeDelta;
use serde_json::json;

use super::show::rows;
use crate::cli::text::clean;
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::domain::alert::{Silence, digest};
use crate::domain::glob::glob_matches;
use crate::engine::deed;
use crate::ports::AlertsAndOutbox;

/// Keeps a silence, and says if there is nothing that it silences.
pub fn silence(
    ctx: &mut Context<'_>,
    store: &mut dyn AlertsAndOutbox,
    policy: &str,
    length: TimeDelta,
    by: &str,
    reason: &str,
) -> Result<Exit, CliError> {
    let until = ctx.now + length;
    let silence = Silence {
        id: digest(&["silence", policy, by, reason, &ctx.now.to_rfc3339()]),
        policy: policy.to_owned(),
        from: ctx.now,
        until,
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    deed::silence(store, &silence)?;
    writeln!(
        ctx.out,
        "silenced `{}` until {} ({})",
        clean(policy),
        until.format("%Y-%m-%d %H:%M UTC"),
        silence.id
    )?;
    // Whoever is woken by an alert must be able to silence it though a policy file is broken.
    let budgets = wire::budgets(ctx).map(|all| all.into_iter().map(|budget| budget.name).collect::<Vec<_>>());
    let open = store.alerts(Some(ctx.now))?.into_iter().filter(|alert| alert.is_open());
    let names = budgets.iter().flatten().cloned().chain(open.map(|alert| alert.policy));
    if !names.into_iter().any(|name| glob_matches(policy, &name)) {
        let doubt = if budgets.is_ok() { "" } else { " that can be read" };
        writeln!(
            ctx.err,
            "warning: no budget{doubt} and no open alert matches `{}`; `finops alert unsilence {}` takes it back",
            clean(policy),
            silence.id
        )?;
    }
    Ok(Exit::Fine)
}

/// Lists silences, the one that ends last first.
pub fn list(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, all: bool) -> Result<Exit, CliError> {
    let mut silences = store.silences()?;
    silences.retain(|silence| all || ctx.now < silence.until);
    silences.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.id.cmp(&b.id)));
    match ctx.format {
        Format::Json => writeln!(ctx.out, "{:#}", json!({ "schema_version": 1, "silences": silences }))?,
        Format::Jsonl => silences
            .iter()
            .try_for_each(|silence| writeln!(ctx.out, "{}", json!(silence)))?,
        Format::Table if silences.is_empty() => writeln!(ctx.out, "no silences")?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            let cells = silences.iter().map(|silence| {
                vec![
                    silence.id.clone(),
                    clean(&silence.policy),
                    silence.from.format("%Y-%m-%d %H:%M").to_string(),
                    silence.until.format("%Y-%m-%d %H:%M").to_string(),
                    clean(&silence.by),
                    clean(&silence.reason),
                ]
            });
            let cells = cells.collect();
            rows(ctx, ["id", "budget", "from", "until", "by", "reason"], cells)?;
        }
    }
    Ok(Exit::Fine)
}

/// Ends a silence now.
pub fn unsilence(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, id: &str) -> Result<Exit, CliError> {
    let silence = deed::unsilence(store, id, ctx.now)?;
    writeln!(
        ctx.out,
        "`{}` is not silenced by {} any more; the next run tells what is due",
        clean(&silence.policy),
        silence.id
    )?;
    Ok(Exit::Fine)
}
