//! Alerts as people and programs read them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli::text::{Align, Column, Cut, clean, csv_cell, table, unicode_locale};
use crate::cli::{CliError, Context, Exit, Format};
use crate::domain::alert::{Alert, State, Transition};
use crate::domain::period::Period;
use crate::engine::deed::find;
use crate::engine::explain::always;
use crate::ports::AlertsAndOutbox;

/// Lists alerts.
pub fn list(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, all: bool) -> Result<Exit, CliError> {
    let mut alerts = store.alerts(None)?;
    alerts.retain(|alert| all || alert.state != State::Resolved);
    alerts.sort_by(|a, b| b.opened_at.cmp(&a.opened_at).then_with(|| a.id.cmp(&b.id)));
    match ctx.format {
        Format::Json => writeln!(
            ctx.out,
            "{:#}",
            json!({ "schema_version": 1, "alerts": alerts.iter().map(object).collect::<Vec<_>>() })
        )?,
        Format::Jsonl => alerts
            .iter()
            .try_for_each(|alert| writeln!(ctx.out, "{}", object(alert)))?,
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
                cut: match name {
                    "what" | "reason" | "last failure" => Cut::Sentence,
                    "budget" => Cut::Name,
                    _ => Cut::Never,
                },
            });
            let text = table(&columns, &rows, 0, ctx.room, unicode_locale());
            writeln!(ctx.out, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

/// The instants that a period is told by: of what goes on no end, and of what always is none at all.
fn bounds(period: Period) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let end = Some(period.end).filter(|end| *end < always().end);
    let start = Some(period.start).filter(|start| end.is_some() || *start > DateTime::UNIX_EPOCH);
    (start, end)
}

/// An alert for programs.
pub fn object(alert: &Alert) -> Value {
    let (start, end) = bounds(alert.period);
    let mut object = json!(alert);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("period".to_owned(), json!({ "start": start, "end": end }));
    }
    object
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

/// When the figures of an alert were so, where its title is of a later evaluation.
fn as_told(alert: &Alert) -> Option<String> {
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
    let at = alert
        .figures_at
        .or(alert.told_at)
        .filter(|at| *at != alert.evaluated_at)?;
    let figures = !alert.facts.is_empty() || !alert.lines.is_empty();
    figures.then(|| match alert.figures_at {
        Some(_) => format!("as of {}; as told {}", day(alert.evaluated_at), day(at)),
        None => format!("as of {}; as told before", day(alert.evaluated_at)),
    })
}

/// Shows one alert with its history.
pub fn show(ctx: &mut Context<'_>, store: &mut dyn AlertsAndOutbox, id: &str) -> Result<Exit, CliError> {
    let alert = find(store, id)?;
    let history = store.history(&alert.id)?;
    let document = || json!({ "schema_version": 1, "alert": object(&alert), "history": history });
    match ctx.format {
        Format::Table => {}
        Format::Json => return Ok(writeln!(ctx.out, "{:#}", document()).map(|()| Exit::Fine)?),
        Format::Jsonl => return Ok(writeln!(ctx.out, "{}", document()).map(|()| Exit::Fine)?),
        Format::Csv | Format::Markdown | Format::Html => {
            return Err(
                CliError::usage("`finops alert show` has no such format").hint("use `--format json` or `jsonl`")
            );
        }
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
    match bounds(alert.period) {
        (Some(_), Some(_)) => writeln!(ctx.out, "  period {}", alert.period)?,
        (Some(start), None) => writeln!(ctx.out, "  period from {} on", start.format("%Y-%m-%dT%H:%MZ"))?,
        (None, _) => {}
    }
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
    if let Some(when) = as_told(&alert) {
        writeln!(ctx.out, "  {when}:")?;
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
