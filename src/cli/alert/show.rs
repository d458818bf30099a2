//! Alerts as people and programs read them.

use serde_json::json;

use crate::cli::text::{Align, Column, clean, csv_cell, table, unicode_locale};
use crate::cli::{CliError, Context, Exit, Format};
use crate::domain::alert::{Alert, State, Transition};
use crate::engine::deed::find;
use crate::ports::AlertsAndOutbox;

/// Lists alerts.
pub fn list(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, all: bool) -> Result<Exit, CliError> {
    let mut alerts = store.alerts(None)?;
    alerts.retain(|alert| all || alert.state != State::Resolved);
    alerts.sort_by(|a, b| b.opened_at.cmp(&a.opened_at).then_with(|| a.id.cmp(&b.id)));
    match ctx.format {
        Format::Json => writeln!(ctx.out, "{:#}", json!({ "schema_version": 1, "alerts": alerts }))?,
        Format::Jsonl => alerts
            .iter()
            .try_for_each(|alert| writeln!(ctx.out, "{}", json!(alert)))?,
        Format::Table if alerts.is_empty() => writeln!(ctx.out, "no alerts")?,
        Format::Table | Format::Csv | Format::Markdown | Format::Html => {
            let names = ["id", "state", "severity", "budget", "threshold", "since", "what"];
            rows(ctx, names, alerts.iter().map(cells).collect())?;
        }
    }
    Ok(Exit::Fine)
}

/// Rows of text under these names, in a format for people; a last column of text gives way where there is no room.
pub fn rows<const N: usize>(ctx: &mut Context<'_>, names: [&str; N], rows: Vec<Vec<String>>) -> Result<(), CliError> {
    match ctx.format {
        Format::Csv => {
            let lines = std::iter::once(names.map(str::to_owned).to_vec()).chain(rows);
            for line in lines {
                let cell = |c: &String| format!("\"{}\"", csv_cell(c).replace('"', "\"\""));
                let quoted: Vec<String> = line.iter().map(cell).collect();
                writeln!(ctx.out, "{}", quoted.join(","))?;
            }
        }
        Format::Markdown => {
            writeln!(ctx.out, "| {} |\n|{}", names.join(" | "), " --- |".repeat(names.len()))?;
            for row in rows {
                let row: Vec<String> = row.iter().map(|c| c.replace('|', "\\|")).collect();
                writeln!(ctx.out, "| {} |", row.join(" | "))?;
            }
        }
        Format::Table | Format::Html | Format::Json | Format::Jsonl => {
            let columns = names.map(|name| Column {
                header: name.to_owned(),
                align: Align::Left,
                // The title says what the threshold and the budget are.
                drop_order: match name {
                    "threshold" | "attempts" | "by" => 4,
                    "since" | "from" => 3,
                    "severity" => 2,
                    "budget" | "channel" => 1,
                    _ => 0,
                },
                cut: matches!(name, "budget" | "what" | "reason" | "last failure"),
            });
            let text = table(&columns, &rows, 0, ctx.width, unicode_locale());
            writeln!(ctx.out, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

fn cells(alert: &Alert) -> Vec<String> {
    let state = if alert.suppressed.is_some() && alert.state != State::Resolved {
        format!("{}, suppressed", alert.state.name())
    } else {
        alert.state.name().to_owned()
    };
    vec![
        alert.id.clone(),
        state,
        alert.severity.to_string(),
        clean(&alert.policy),
        alert.threshold.clone(),
        alert.opened_at.format("%Y-%m-%d %H:%M").to_string(),
        clean(&alert.title),
    ]
}

/// Shows one alert with its history.
pub fn show(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, id: &str) -> Result<Exit, CliError> {
    let alert = find(store, id)?;
    let history = store.history(&alert.id)?;
    if matches!(ctx.format, Format::Json | Format::Jsonl) {
        writeln!(
            ctx.out,
            "{:#}",
            json!({ "schema_version": 1, "alert": alert, "history": history })
        )?;
        return Ok(Exit::Fine);
    }
    writeln!(
        ctx.out,
        "{}\n  {} {}, {}, {}",
        clean(&alert.title),
        alert.severity,
        alert.state.name(),
        alert.threshold,
        alert.id
    )?;
    writeln!(ctx.out, "  period {}", alert.period)?;
    if let Some(why) = &alert.suppressed {
        writeln!(ctx.out, "  not told: {}", clean(why))?;
    }
    if let Some((until, by)) = &alert.acknowledged {
        writeln!(
            ctx.out,
            "  acknowledged by {} until {}",
            clean(by),
            until.format("%Y-%m-%d %H:%M UTC")
        )?;
    }
    for fact in &alert.facts {
        writeln!(ctx.out, "  {}: {}", clean(&fact.label), clean(&fact.value))?;
    }
    for line in &alert.lines {
        writeln!(ctx.out, "  - {}", clean(line))?;
    }
    for Transition {
        at, from, to, reason, ..
    } in history
    {
        let from = from.map_or("new", State::name);
        writeln!(
            ctx.out,
            "  {}  {from} -> {}: {}",
            at.format("%Y-%m-%d %H:%M UTC"),
            to.name(),
            clean(&reason)
        )?;
    }
    Ok(Exit::Fine)
}
