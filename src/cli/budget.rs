//! `finops budget`.

use rust_decimal::Decimal;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::text::{bar, clean, counted, csv_cell, paint, unicode_locale};
use super::{CliError, Context, Exit, Format, wire};
use crate::domain::budget::{Threshold, ThresholdKind};
use crate::domain::forecast::Forecast;
use crate::domain::glob::glob_matches;
use crate::engine::evaluate::BudgetStatus;
use crate::engine::evaluate::status::statuses;
use crate::engine::evaluate::text::{amount, figures, part};

/// The arguments of `finops budget`.
#[derive(Debug, clap::Args)]
pub struct BudgetArgs {
    /// Only budgets whose name matches, `*` and `?` allowed
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Columns of a name.
const NAME: usize = 16;

/// Cells of a bar.
const BAR: usize = 24;

/// Shows where budgets stand.
pub fn run(ctx: &mut Context<'_>, args: &BudgetArgs) -> Result<Exit, CliError> {
    let mut budgets = wire::budgets(ctx)?;
    if let Some(name) = &args.name {
        budgets.retain(|b| glob_matches(name, &b.name));
        if budgets.is_empty() {
            return Err(
                CliError::usage(format!("no budget matches `{name}`")).hint("`finops budget` lists all of them")
            );
        }
    }
    let statuses = statuses(&budgets, wire::ledger_to_read_for(ctx, &budgets)?.as_mut(), ctx.now)?;
    let rows: Vec<Value> = statuses.iter().map(figures).collect();
    match ctx.format {
        Format::Table if statuses.is_empty() => {
            writeln!(
                ctx.out,
                "no budgets: write one below `{}`",
                ctx.config.policies_dir().join("budgets").display()
            )?;
        }
        Format::Table => {
            for status in &statuses {
                let text = block(ctx, status);
                ctx.out.write_all(text.as_bytes())?;
            }
        }
        Format::Json => writeln!(
            ctx.out,
            "{:#}",
            serde_json::json!({ "schema_version": 1, "budgets": rows })
        )?,
        Format::Jsonl => rows.iter().try_for_each(|row| writeln!(ctx.out, "{row}"))?,
        Format::Csv | Format::Markdown | Format::Html => table(ctx, &rows)?,
    }
    Ok(Exit::Fine)
}

/// The bar with its pace marker: what is spent, against how much of the period has passed.
fn pace(status: &BudgetStatus, unicode: bool, color: bool) -> String {
    let whole = status.budget.amount.amount();
    let drawn = bar(status.spent, whole, BAR, unicode);
    let at = (status.percent_of_period() * Decimal::from(BAR) / Decimal::ONE_HUNDRED).round();
    let at = usize::try_from(at.mantissa()).unwrap_or(0).min(BAR - 1);
    let marker = if unicode { '┃' } else { '|' };
    let text: String = drawn
        .chars()
        .enumerate()
        .map(|(i, c)| if i == at { marker } else { c })
        .collect();
    let percent = status.percent(status.spent);
    let warns = |t: &Threshold, end| t.kind == ThresholdKind::Forecast && status.percent(end) >= t.percent;
    let ahead = |f: &Forecast| f.end > whole || status.budget.thresholds.iter().any(|t| warns(t, f.end));
    let ahead = status.forecast.as_ref().is_some_and(ahead);
    let code = if percent >= Decimal::ONE_HUNDRED {
        31
    } else if ahead {
        33
    } else {
        32
    };
    paint(&text, code, color)
}

/// One budget in one line.
#[must_use]
pub fn line(ctx: &Context<'_>, status: &BudgetStatus) -> String {
    let unicode = unicode_locale();
    let end = match &status.forecast {
        Some(f) if status.budget.amount.is_zero() => format!("on course for {}", amount(f.end, status)),
        Some(f) => format!("on course for {} %", status.whole_percent(f.end)),
        None => status.why_unforeseen().to_owned(),
    };
    let spent = match status.budget.amount.is_zero() {
        // Of nothing there are no percent.
        true => amount(status.spent, status),
        false => format!("{:>5} %", status.whole_percent(status.spent)),
    };
    let name = clean(&status.budget.name);
    format!(
        "{name}{} {} {spent} of {}, {end}",
        " ".repeat(NAME.saturating_sub(name.width())),
        pace(status, unicode, ctx.color),
        amount(status.budget.amount.amount(), status),
    )
}

fn block(ctx: &Context<'_>, status: &BudgetStatus) -> String {
    let unicode = unicode_locale();
    let (budget, money) = (&status.budget, |value| amount(value, status));
    let owner = budget
        .owner
        .as_ref()
        .map(|o| format!(", owner {}", clean(o)))
        .unwrap_or_default();
    let mut text = format!(
        "{} ({}, {} {}{owner})\n  {} {} of {}{}, {} % of the {} has passed\n",
        paint(&clean(&budget.name), 1, ctx.color),
        clean(&budget.about()),
        budget.period_name(),
        status.period.start.with_timezone(&budget.zone).format("from %Y-%m-%d"),
        pace(status, unicode, ctx.color),
        money(status.spent),
        money(budget.amount.amount()),
        part(status.spent, status),
        status.percent_of_period(),
        budget.period_name(),
    );
    match &status.forecast {
        Some(f) => {
            let out = match (status.spent_up, f.runs_out) {
                (Some(day), _) => format!("spent since {day}"),
                (None, Some(day)) => format!("runs out {day}"),
                (None, None) => "it lasts".to_owned(),
            };
            text += &format!(
                "  projected end {}{}, 80 % range {} to {}, {out}\n",
                money(f.end),
                part(f.end, status),
                money(f.low),
                money(f.high),
            );
        }
        None if status.period.contains(status.now) && budget.counts_no_calls().is_none() => {
            text += &format!("  projected end {}\n", status.unknown_end());
        }
        None => text += &format!("  {}\n", status.why_unforeseen()),
    }
    let names: Vec<String> = status
        .contributors
        .iter()
        .map(|c| {
            let name = if c.name.is_empty() { "(none)" } else { c.name.as_str() };
            format!("{} {}", clean(name), money(c.cost))
        })
        .collect();
    if let Some(first) = status.contributors.first() {
        text += &format!("  most by {}: {}\n", first.dimension, names.join(", "));
    }
    if status.unpriced_events > 0 {
        text += &format!(
            "  unpriced: {}, at most {}{}\n",
            counted(status.unpriced_events.unsigned_abs(), "call"),
            money(status.unpriced_worst_case),
            if budget.count_unpriced {
                ", counted"
            } else {
                ", not counted"
            }
        );
    }
    for note in &status.notes {
        text += &format!("  note: {}\n", clean(note));
    }
    text
}

/// The columns of a table, and where their figures are.
const COLUMNS: [(&str, &str); 15] = [
    ("budget", "/budget"),
    ("scope", "/scope"),
    ("currency", "/currency"),
    ("amount", "/amount"),
    ("spent", "/spent"),
    ("spent_percent", "/spent_percent"),
    ("period_percent", "/period_percent"),
    ("unpriced_events", "/unpriced_events"),
    ("unpriced_worst_case", "/unpriced_worst_case"),
    ("basis", "/basis"),
    ("categories", "/categories"),
    ("period_start", "/period/start"),
    ("period_end", "/period/end"),
    ("forecast_end", "/forecast/end"),
    ("runs_out", "/forecast/runs_out"),
];

fn table(ctx: &mut Context<'_>, rows: &[Value]) -> Result<(), CliError> {
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    };
    let cell = |row: &Value, at: &str| match row.pointer(at) {
        Some(Value::Array(all)) => all.iter().map(text).collect::<Vec<_>>().join(";"),
        Some(value) => text(value),
        None => String::new(),
    };
    let names = COLUMNS.map(|(name, _)| name);
    if ctx.format == Format::Markdown {
        writeln!(
            ctx.out,
            "| {} |\n|{}",
            names.join(" | "),
            " --- |".repeat(COLUMNS.len())
        )?;
        for row in rows {
            let cells: Vec<String> = COLUMNS
                .iter()
                .map(|(_, at)| clean(&cell(row, at)).replace('|', "\\|"))
                .collect();
            writeln!(ctx.out, "| {} |", cells.join(" | "))?;
        }
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| CliError::incomplete(format!("cannot write CSV: {e}"));
    writer.write_record(names).map_err(failed)?;
    for row in rows {
        let cells = COLUMNS.iter().map(|(_, at)| csv_cell(&cell(row, at)));
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| CliError::incomplete(format!("cannot write CSV: {e}")))?;
    Ok(ctx.out.write_all(&bytes)?)
}
