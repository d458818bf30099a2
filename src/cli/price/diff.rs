//! `finops price diff`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{NaiveDate, TimeDelta};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{load, load_first, put, put_rows, receipt, shown};
use crate::cli::args::day;
use crate::cli::text::{counted, tokens};
use crate::cli::{CliError, Context, Exit, Format, wire};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact, add_most};
use crate::domain::percent::percent_change;
use crate::domain::period::Period;
use crate::engine::price_diff::{AsOf, ModelDiff, Side, price_diff};
use crate::engine::report::Filter;

/// Days of usage that stand for a month.
const DAYS: i64 = 30;

/// What to compare.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "finops price diff [OPTIONS] --since <DATE>\n       finops price diff [OPTIONS] --book <OLD> --book <NEW>"
)]
pub struct DiffArgs {
    /// The prices that held, and were known, on this day, against those of today
    #[arg(long, value_name = "DATE", required_unless_present = "books", value_parser = day)]
    since: Option<NaiveDate>,
    /// Against those of this day instead, which may lie ahead: announced prices
    #[arg(long, value_name = "DATE", value_parser = day)]
    until: Option<NaiveDate>,
    /// Given twice: the old and the new version of a book, each asked before all others
    #[arg(long = "book", value_name = "BOOK")]
    books: Vec<String>,
    /// Only these calls: `team=search`, `model=claude-*`
    #[arg(long = "where", value_name = "DIMENSION=PATTERN", value_parser = Filter::parse)]
    filters: Vec<Filter>,
    /// Models whose cost stays, too
    #[arg(long)]
    all: bool,
}

type Models = BTreeMap<(Label, Label), ModelDiff>;

pub(super) fn run(ctx: &mut Context<'_>, args: &DiffArgs) -> Result<Exit, CliError> {
    let today = ctx.now.date_naive();
    let (old, new) = match args.books.as_slice() {
        [] => {
            let now = load(ctx)?;
            let then = now.books().known_on(args.since.unwrap_or(today));
            (then, now.into_books())
        }
        [old, new] => (load_first(ctx, old)?, load_first(ctx, new)?),
        _ => {
            return Err(CliError::usage(
                "`--book` has to be given twice: the old and the new version, or not at all",
            ));
        }
    };
    let then = AsOf {
        books: &old,
        day: args.since.unwrap_or(today),
    };
    let now = AsOf {
        books: &new,
        day: args.until.unwrap_or(today),
    };
    let period = Period::new(ctx.now - TimeDelta::days(DAYS), ctx.now);
    let mut models = price_diff(wire::ledger_to_read(ctx)?.as_mut(), period, &args.filters, then, now)?;
    let calls: i64 = models.values().map(|m| m.calls).sum();
    models.retain(|_, model| args.all || model.differs());
    match ctx.format {
        Format::Json => put(ctx, &format!("{:#}\n", document(&models, args, period)?))?,
        Format::Jsonl => put(ctx, &format!("{}\n", document(&models, args, period)?))?,
        Format::Table if models.is_empty() => {
            put(
                ctx,
                &format!("no price change touches the {calls} calls of the last {DAYS} days\n"),
            )?;
        }
        Format::Table => {
            rows(ctx, &models)?;
            let text = detail(&models)?;
            put(ctx, &text)?;
        }
        Format::Csv | Format::Markdown | Format::Html => rows(ctx, &models)?,
    }
    Ok(Exit::Fine)
}

fn totals(models: &Models) -> Result<(Decimal, Decimal), MoneyError> {
    let mut sums = (Decimal::ZERO, Decimal::ZERO);
    for model in models.values() {
        sums = (add_exact(sums.0, model.old.cost)?, add_exact(sums.1, model.new.cost)?);
    }
    Ok(sums)
}

fn cost(side: &Side) -> String {
    match side.unpriced {
        0 => side.cost.normalize().to_string(),
        n => format!(
            "{} and {n} unpriced (at most {})",
            side.cost.normalize(),
            side.unpriced_worst_case.normalize()
        ),
    }
}

fn rows(ctx: &mut Context<'_>, models: &Models) -> Result<(), CliError> {
    let header = ["provider", "model", "calls", "tokens", "usd_then", "usd_now", "change"];
    let rows: Vec<Vec<String>> = models
        .iter()
        .map(|((provider, model), diff)| {
            vec![
                provider.as_str().to_owned(),
                model.as_str().to_owned(),
                diff.calls.to_string(),
                tokens(diff.tokens),
                cost(&diff.old),
                cost(&diff.new),
                percent_change(diff.old.cost, diff.new.cost),
            ]
        })
        .collect();
    put_rows(ctx, &header, &rows, "models")
}

fn old_of(diff: &ModelDiff) -> &Side {
    &diff.old
}

fn new_of(diff: &ModelDiff) -> &Side {
    &diff.new
}

/// The receipts of all calls together, and the total.
fn detail(models: &Models) -> Result<String, CliError> {
    let (old, new) = totals(models)?;
    let change = add_exact(new, -old)?;
    let sign = if change.is_sign_negative() { "" } else { "+" };
    let mut text = format!(
        "\nper month at list price, by the usage of the last {DAYS} days: {} USD then, {} USD now, {sign}{} USD\n",
        old.normalize(),
        new.normalize(),
        change.normalize()
    );
    for (name, of) in [("then", old_of as fn(&ModelDiff) -> &Side), ("now", new_of)] {
        let unpriced: i64 = models.values().map(|m| of(m).unpriced).sum();
        if unpriced > 0 {
            let mut worst = Decimal::ZERO;
            for model in models.values() {
                worst = add_most(worst, of(model).unpriced_worst_case)?;
            }
            let calls = counted(unpriced.unsigned_abs(), "call");
            let _ = writeln!(
                text,
                "{calls} had no price {name} and are in that sum with nothing: at most {} USD more, so that the change is not all told",
                worst.normalize()
            );
        }
    }
    for ((provider, model), diff) in models {
        let _ = writeln!(text, "\n{} {}", shown(provider.as_str()), shown(model.as_str()));
        for (name, side) in [("then", &diff.old), ("now", &diff.new)] {
            let entries: Vec<String> = side.entries.keys().map(|e| shown(e)).collect();
            let _ = writeln!(
                text,
                "  {name:<4} by {}",
                if entries.is_empty() {
                    "no entry".to_owned()
                } else {
                    entries.join(", ")
                }
            );
            for ((what, rate, per, factor, rule), (quantity, amount)) in &side.lines {
                let factor = if factor.normalize() == Decimal::ONE {
                    String::new()
                } else {
                    format!(" × {}", factor.normalize())
                };
                let _ = writeln!(
                    text,
                    "       {what}: {quantity} × {rate} / {per}{factor} = {} USD ({})",
                    amount.normalize(),
                    shown(rule)
                );
            }
        }
    }
    Ok(text)
}

fn document(models: &Models, args: &DiffArgs, period: Period) -> Result<Value, CliError> {
    let side = |side: &Side| {
        let lines: Vec<Value> = side
            .lines
            .iter()
            .map(|((what, rate, per, factor, rule), (quantity, amount))| {
                json!({
                    "what": what, "quantity": receipt::number(*quantity), "rate_usd": rate.to_string(), "per": per,
                    "factor": factor.normalize().to_string(), "amount_usd": amount.normalize().to_string(), "rule": rule,
                })
            })
            .collect();
        json!({
            "cost_usd": side.cost.normalize().to_string(), "unpriced": side.unpriced,
            "unpriced_worst_case_usd": side.unpriced_worst_case.normalize().to_string(), "entries": side.entries, "receipt": lines,
        })
    };
    let all: Vec<Value> = models
        .iter()
        .map(|((provider, model), diff)| {
            json!({
                "provider": provider.as_str(), "model": model.as_str(), "calls": diff.calls,
                "tokens": diff.tokens.to_string(), "then": side(&diff.old), "now": side(&diff.new),
            })
        })
        .collect();
    let (old, new) = totals(models)?;
    Ok(json!({
        "schema_version": 1, "since": args.since, "until": args.until, "books": args.books, "usage": period,
        "models": all, "cost_then_usd": old.normalize().to_string(), "cost_now_usd": new.normalize().to_string(),
        "change_usd": add_exact(new, -old)?.normalize().to_string(),
    }))
}
