//! `finops reprice`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::price::{instant, load, load_first, put, put_rows};
use super::text::{count, counted};
use super::{CliError, Context, Exit, Format, wire};
use crate::adapters::prices::BookPricer;
use crate::domain::period::Period;
use crate::domain::spend::{REPRICED, Restatement};
use crate::engine::explain::always;
use crate::engine::report::Filter;
use crate::engine::reprice::{Change, ChangeKey, RepriceQuery, Repriced, reprice};

/// The arguments of `finops reprice`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "finops reprice [OPTIONS] --from <DATE>\n       finops reprice [OPTIONS] --list")]
pub struct RepriceArgs {
    /// Calls from this UTC day or RFC 3339 time on
    #[arg(long, value_name = "DATE", value_parser = instant, required_unless_present = "list")]
    pub from: Option<DateTime<Utc>>,
    /// Calls before this date or RFC 3339 time [default: all after]
    #[arg(long, value_name = "DATE", value_parser = instant)]
    pub to: Option<DateTime<Utc>>,
    /// Ask this book before all others: a `[[price_book]]` by name, or a file
    #[arg(long, value_name = "BOOK")]
    pub book: Option<String>,
    /// Only these calls: `team=search`, `model=claude-*`
    #[arg(long = "where", value_name = "DIMENSION=PATTERN", value_parser = Filter::parse)]
    pub filters: Vec<Filter>,
    /// Say what would change and store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take the price away from calls that the books have none for any more, too; they are left as they are otherwise
    #[arg(long)]
    pub drop_prices: bool,
    /// List what was restated instead: days whose recorded cost changed, with the cause
    #[arg(long, conflicts_with_all = ["book", "filters", "dry_run", "drop_prices"])]
    pub list: bool,
}

/// Prices recorded calls anew.
pub fn run(ctx: &mut Context<'_>, args: &RepriceArgs) -> Result<Exit, CliError> {
    let all = always();
    let (start, end) = (args.from.unwrap_or(all.start), args.to.unwrap_or(all.end));
    if end <= start {
        return Err(CliError::usage("`--to` is not after `--from`")
            .hint("`--to` is the day after the last one: for November `--from 2026-11-01 --to 2026-12-01`"));
    }
    if args.list {
        return list(ctx, Period::new(start, end));
    }
    let pricer: BookPricer = match &args.book {
        Some(book) => load_first(ctx, book)?.into(),
        None => load(ctx)?,
    };
    let query = RepriceQuery {
        period: Period::new(start, end),
        filters: args.filters.clone(),
        dry_run: args.dry_run,
        drop_prices: args.drop_prices,
        given: wire::given(ctx),
    };
    // Where nothing is stored, a ledger that may only be read will do.
    let mut ledger = if args.dry_run {
        wire::ledger_to_read(ctx)?
    } else {
        wire::ledger(ctx)?
    };
    let done = reprice(ledger.as_mut(), &pricer, &query, ctx.now)?;
    // A pager may hold the output for hours, and writers' log would grow meanwhile.
    drop(ledger);
    match ctx.format {
        Format::Json => put(ctx, &format!("{:#}\n", document(&done, args.dry_run)))?,
        Format::Jsonl => put(ctx, &format!("{}\n", document(&done, args.dry_run)))?,
        Format::Csv | Format::Markdown | Format::Html => {
            rows(ctx, &done)?;
            if done.kept_prices > 0 {
                // Talk that cannot be shown is no reason to fail.
                let _ = writeln!(ctx.err, "note: {}", kept(&done));
            }
        }
        Format::Table => {
            if !done.changes.is_empty() {
                rows(ctx, &done)?;
                put(ctx, "\n")?;
            }
            put(ctx, &summary(&done, args.dry_run))?;
        }
    }
    Ok(if done.kept_prices > 0 {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

/// What was restated of the days that begin within the period, oldest first as it was seen.
fn list(ctx: &mut Context<'_>, period: Period) -> Result<Exit, CliError> {
    let mut all = wire::ledger_to_read(ctx)?.restatements()?;
    all.retain(|r| period.contains(r.day.start()));
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|r| {
            vec![
                r.day.start().format("%Y-%m-%d").to_string(),
                r.basis.name().to_owned(),
                r.currency.code().to_owned(),
                r.old.normalize().to_string(),
                r.new.normalize().to_string(),
                r.seen_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                if r.bill == REPRICED {
                    "priced anew".to_owned()
                } else {
                    format!("bill {}", r.bill)
                },
            ]
        })
        .collect();
    if rows.is_empty() && ctx.format == Format::Table {
        put(ctx, "nothing was restated\n")?;
        return Ok(Exit::Fine);
    }
    let header = ["day", "basis", "currency", "before", "after", "seen_at", "cause"];
    put_rows(ctx, &header, &rows, "restatements")?;
    Ok(Exit::Fine)
}

fn restated(r: &Restatement) -> Value {
    json!({
        "day": r.day.start().format("%Y-%m-%d").to_string(), "basis": r.basis, "currency": r.currency,
        "old": r.old.normalize().to_string(), "new": r.new.normalize().to_string(), "seen_at": r.seen_at, "bill": r.bill,
    })
}

fn rows(ctx: &mut Context<'_>, done: &Repriced) -> Result<(), CliError> {
    let header = [
        "provider",
        "model",
        "calls",
        "usd_before",
        "usd_after",
        "priced_by",
        "now_by",
    ];
    let row = |((provider, model, old, new), change): (&ChangeKey, &Change)| {
        vec![
            provider.as_str().to_owned(),
            model.as_str().to_owned(),
            change.calls.to_string(),
            usd(change.old).unwrap_or_else(|| "unpriced".to_owned()),
            usd(change.new).unwrap_or_else(|| "unpriced".to_owned()),
            old.clone(),
            new.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = done.changes.iter().map(row).collect();
    put_rows(ctx, &header, &rows, "changes")
}

fn usd(amount: Option<Decimal>) -> Option<String> {
    amount.map(|amount| amount.normalize().to_string())
}

fn kept(done: &Repriced) -> String {
    format!(
        "{}, {} USD, would have no price any more and keep theirs; `--drop-prices` takes it away",
        counted(done.kept_prices.unsigned_abs(), "call"),
        done.kept_prices_cost.normalize()
    )
}

fn summary(done: &Repriced, dry_run: bool) -> String {
    let sign = if done.cost.is_sign_negative() { "" } else { "+" };
    let mut text = format!(
        "{} of {} {} another charge: {sign}{} USD\n",
        count(done.changed),
        counted(done.calls.unsigned_abs(), "call"),
        if dry_run { "would get" } else { "got" },
        done.cost.normalize()
    );
    if done.named > 0 {
        let _ = writeln!(
            text,
            "{} {} what {} lacked of the `defaults` of the source",
            counted(done.named.unsigned_abs(), "call"),
            if dry_run { "would get" } else { "got" },
            if done.named == 1 { "it" } else { "they" },
        );
    }
    if done.by_others > 0 {
        let _ = writeln!(
            text,
            "another run gave theirs to {} meanwhile",
            counted(u64::try_from(done.by_others).unwrap_or(0), "call")
        );
    }
    let calls = |of: fn(&Change) -> bool| done.changes.values().filter(|c| of(c)).map(|c| c.calls).sum::<i64>();
    for (calls, told) in [
        (
            calls(|c| c.old.is_some() && c.new.is_none()),
            "had a price and have none now; their cost is unknown, not zero",
        ),
        (
            calls(|c| c.old.is_none() && c.new.is_some()),
            "had no price and have one now",
        ),
    ] {
        if calls > 0 {
            let _ = writeln!(text, "of these {} {told}", count(calls));
        }
    }
    if done.kept_prices > 0 {
        let _ = writeln!(text, "{}", kept(done));
    }
    if !dry_run && !done.restatements.is_empty() {
        let days: std::collections::BTreeSet<_> = done.restatements.iter().map(|r| r.day.0).collect();
        let _ = writeln!(text, "days restated: {}", days.len());
    }
    if done.left_out > 0 {
        let _ = writeln!(
            text,
            "left as they are: {}, {} USD, whose detail has expired; sums alone cannot be priced anew exactly",
            counted(done.left_out.unsigned_abs(), "call"),
            done.left_out_cost.normalize()
        );
    }
    text
}

fn document(done: &Repriced, dry_run: bool) -> Value {
    let changes: Vec<Value> = done
        .changes
        .iter()
        .map(|((provider, model, old, new), c)| {
            json!({
                "provider": provider.as_str(), "model": model.as_str(), "calls": c.calls, "priced_by": old, "now_by": new,
                "cost_before_usd": usd(c.old), "cost_after_usd": usd(c.new),
            })
        })
        .collect();
    json!({
        "schema_version": 1, "dry_run": dry_run, "calls": done.calls, "changed": done.changed, "named": done.named, "changed_by_others": done.by_others,
        "cost_change_usd": done.cost.normalize().to_string(), "changes": changes, "restatements": done.restatements.iter().map(restated).collect::<Vec<_>>(),
        "kept_prices": { "calls": done.kept_prices, "cost_usd": done.kept_prices_cost.normalize().to_string() },
        "left_out": { "calls": done.left_out, "cost_usd": done.left_out_cost.normalize().to_string() },
    })
}
