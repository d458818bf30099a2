//! `finops reconcile`.

mod closing;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::price::{load, put, put_rows};
use super::reported::Bound;
use super::text::{clean, money};
use super::{CliError, Context, Exit, Format, wire};
use crate::config::coverage;
use crate::domain::label::Label;
use crate::domain::money::{Currency, Money};
use crate::domain::period::{Calendar, Period};
use crate::domain::plausible::plausible;
use crate::domain::spend::TokenSums;
use crate::domain::usage::Bucket;
use crate::engine::reconcile::{Cell, Gap, Reconciliation, Totals, reconcile};
use crate::engine::told_twice::{ToldTwice, told_twice};
use closing::{closing, more_than_billed};

/// The arguments of `finops reconcile`.
#[derive(Debug, clap::Args)]
pub struct ReconcileArgs {
    /// The month, or a single day [default: this month]
    #[arg(long, value_name = "YYYY-MM[-DD]", value_parser = period)]
    pub period: Option<Period>,
    /// Only this provider, as calls name it
    #[arg(long)]
    pub provider: Option<String>,
    /// Every day and model, also where bill and meter agree or the bill is late
    #[arg(long)]
    pub all: bool,
    /// Tokens of both sides by kind, too
    #[arg(long)]
    pub tokens: bool,
    /// Exit with 1 when metering has seen less than this part of a provider's bill, and with 3 when its calls are not billed: `95`
    /// [default: `[reconcile] min_coverage`, if there is one]
    #[arg(long, value_name = "PERCENT", value_parser = coverage)]
    pub min_coverage: Option<Decimal>,
}

fn period(text: &str) -> Result<Period, String> {
    let wrong = || format!("`{text}` is neither a month such as 2026-11 nor a day such as 2026-11-24");
    let (day, calendar) = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => (day, Calendar::Day),
        Err(_) => (
            NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| wrong())?,
            Calendar::Month,
        ),
    };
    let at: DateTime<Utc> = plausible(day)?.and_time(NaiveTime::MIN).and_utc();
    Ok(calendar.around(at, chrono_tz::Tz::UTC))
}

/// Lays the three sides beside each other.
pub fn run(ctx: &mut Context<'_>, args: &ReconcileArgs) -> Result<Exit, CliError> {
    let period = args
        .period
        .unwrap_or_else(|| Calendar::Month.around(ctx.now, chrono_tz::Tz::UTC));
    let (pricer, terms) = (load(ctx)?, wire::terms(ctx)?);
    let mut ledger = wire::ledger_to_read(ctx)?;
    let mut found = reconcile(ledger.as_mut(), &pricer, &terms, period, true, ctx.now)?;
    let mut twice = told_twice(ledger.as_mut(), wire::TELLS, period.until(ctx.now), &[], &[])?;
    drop(ledger);
    if let Some(provider) = &args.provider {
        let key = crate::domain::price::provider_key(provider);
        found.cells.retain(|cell| cell.provider.as_str() == key);
        found.providers.retain(|name, _| name.as_str() == key);
        found.other_currencies.retain(|name, _| name.as_str() == key);
        found.by_month.retain(|name| name.as_str() == key);
        found.late.retain(|(name, _), _| name.as_str() == key);
        twice.retain(|pair| pair.provider.as_str() == key);
    }
    let total = found.total()?;
    let bound = Bound::of(ctx, args.min_coverage)?;
    let short = super::reported::findings(ctx, &found, bound.as_ref().map(|b| b.missed(&found)))?;
    match ctx.format {
        Format::Json => put(
            ctx,
            &format!("{:#}\n", document(&found, &total, (period, &twice), bound.as_ref())?),
        )?,
        Format::Jsonl => {
            for cell in &found.cells {
                let line = cell_object(cell)?;
                put(ctx, &format!("{line}\n"))?;
            }
        }
        Format::Csv | Format::Markdown if args.tokens => kinds(ctx, &found)?,
        Format::Csv | Format::Markdown | Format::Html => days(ctx, &found, true)?,
        Format::Table => {
            let head = format!(
                "bill against meter, {} to {} (UTC), USD\n\n",
                period.start.format("%Y-%m-%d"),
                (period.end - chrono::TimeDelta::seconds(1)).format("%Y-%m-%d")
            );
            put(ctx, &head)?;
            if found.cells.is_empty() {
                let of = args.provider.as_deref().map(|name| format!(" of `{}`", clean(name)));
                let of = of.unwrap_or_default();
                let months = if found.by_month.is_empty() {
                    ""
                } else {
                    ", but what is billed by whole months or weeks"
                };
                let unit = super::reported::unit(&found);
                put(
                    ctx,
                    &format!("nothing{of} is metered or billed{unit} in that time{months}\n"),
                )?;
                put(ctx, &others(&found))?;
            } else {
                providers(ctx, &found, &total)?;
                days(ctx, &found, args.all)?;
                if args.tokens {
                    put(ctx, "\n")?;
                    kinds(ctx, &found)?;
                }
                let text = closing(&found, &total, &twice)?;
                put(ctx, &text)?;
            }
        }
    }
    // Rows alone have no place for it.
    if !matches!(ctx.format, Format::Table | Format::Json) && ctx.verbosity > 0 {
        for line in more_than_billed(&found, &twice) {
            let _ = writeln!(ctx.err, "note: {line}");
        }
    }
    for line in &short {
        let _ = writeln!(ctx.err, "finding: {line}");
    }
    match args.min_coverage {
        Some(least) => super::reported::covered(&found, &total, least, !short.is_empty()),
        None if short.is_empty() => Ok(Exit::Fine),
        None => Ok(Exit::Findings),
    }
}

fn shown(amount: Decimal) -> String {
    if amount.is_zero() {
        return String::new();
    }
    let text = money(Money::new(amount, Currency::USD));
    text.replace('$', "")
}

fn percent(totals: &Totals) -> String {
    totals
        .metered_percent()
        .map_or_else(|| "-".to_owned(), |percent| format!("{} %", percent.normalize()))
}

const GAPS: [&str; 5] = ["missing_calls", "token_gap", "price_gap", "discount_credit", "lag"];

fn parts(gap: &Gap) -> [Decimal; 5] {
    [gap.missing_events, gap.tokens, gap.price, gap.discount, gap.lag]
}

fn providers(ctx: &mut Context<'_>, found: &Reconciliation, total: &Totals) -> Result<(), CliError> {
    let mut header = vec!["provider", "metered", "reported", "billed"];
    header.extend(GAPS);
    header.extend(["coverage", "billed_to"]);
    let row = |name: &str, t: &Totals| {
        let mut row = vec![name.to_owned(), shown(t.metered), shown(t.reported.cost)];
        row.push(shown(t.billed + t.credits));
        row.extend(parts(&t.gap).map(shown));
        row.push(percent(t));
        row.push(
            t.through
                .map_or_else(String::new, |d| d.start().format("%Y-%m-%d").to_string()),
        );
        row
    };
    let mut rows: Vec<Vec<String>> = found.providers.iter().map(|(name, t)| row(name.as_str(), t)).collect();
    if rows.len() > 1 {
        rows.push(row("total", total));
    }
    put_rows(ctx, &header, &rows, "providers")
}

fn days(ctx: &mut Context<'_>, found: &Reconciliation, all: bool) -> Result<(), CliError> {
    let table = ctx.format == Format::Table;
    let mut header = vec!["day", "provider", "model", "calls", "metered", "reported", "billed"];
    header.extend(GAPS);
    let cell = |amount: Decimal| {
        if table {
            shown(amount)
        } else {
            amount.normalize().to_string()
        }
    };
    let rows: Vec<Vec<String>> = found
        .cells
        .iter()
        .filter(|c| {
            // What is only late says nothing yet.
            let [causes @ .., _] = parts(&c.gap);
            all || causes.iter().any(|part| part.abs() >= Decimal::new(1, 2))
        })
        .map(|c| {
            let mut row = vec![
                c.start.start().format("%Y-%m-%d").to_string(),
                c.provider.as_str().to_owned(),
                model(c.model).to_owned(),
                c.metered.calls.to_string(),
                cell(c.metered.list),
                cell(c.reported.cost),
                cell(c.billed.usage + c.billed.credits),
            ];
            row.extend(parts(&c.gap).map(cell));
            row
        })
        .collect();
    if table {
        let billed = found.cells.iter().any(|cell| cell.billed.rows > 0);
        let text = match (rows.is_empty(), billed) {
            (true, true) => "\nno billed day differs by a cent or more\n",
            (true, false) => "\nnothing is billed in that time: there is no day to compare\n",
            (false, _) => "\n",
        };
        put(ctx, text)?;
    }
    if !rows.is_empty() || !table {
        put_rows(ctx, &header, &rows, "days")?;
    }
    Ok(())
}

/// Tokens by day, provider, model and kind.
fn kinds(ctx: &mut Context<'_>, found: &Reconciliation) -> Result<(), CliError> {
    let header = ["day", "provider", "model", "kind", "metered", "billed", "difference"];
    let mut rows = Vec::new();
    for cell in &found.cells {
        let counts_any = cell.billed.tokens.total() != 0;
        for bucket in Bucket::ALL {
            let (metered, billed) = (cell.metered.tokens.get(bucket), cell.billed.tokens.get(bucket));
            if metered == 0 && billed == 0 {
                continue;
            }
            let known = |text: String| if counts_any { text } else { String::new() };
            rows.push(vec![
                cell.start.start().format("%Y-%m-%d").to_string(),
                cell.provider.as_str().to_owned(),
                model(cell.model).to_owned(),
                bucket.name().to_owned(),
                metered.to_string(),
                known(billed.to_string()),
                known((billed - metered).to_string()),
            ]);
        }
    }
    put_rows(ctx, &header, &rows, "tokens")
}

fn model(label: Label) -> &'static str {
    if label.is_empty() { "(all)" } else { label.as_str() }
}

fn currencies(found: &Reconciliation) -> BTreeSet<Currency> {
    found.other_currencies.values().flatten().copied().collect()
}

/// What of the bills is not compared.
fn others(found: &Reconciliation) -> String {
    let line = |currency| format!("bills in {currency} are not compared: what is metered is in USD\n");
    currencies(found).into_iter().map(line).collect()
}

fn amount(value: Decimal) -> String {
    value.normalize().to_string()
}

fn gap_object(gap: &Gap) -> Result<Value, CliError> {
    let mut object = serde_json::Map::new();
    for (name, part) in GAPS.into_iter().zip(parts(gap)) {
        object.insert(format!("{name}_usd"), amount(part).into());
    }
    object.insert("total_usd".to_owned(), amount(gap.total()?).into());
    Ok(object.into())
}

fn tokens(sums: &TokenSums) -> Value {
    let all = Bucket::ALL.into_iter().filter(|b| sums.get(*b) != 0);
    all.map(|b| (b.name().to_owned(), Value::from(sums.get(b).to_string())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn cell_object(c: &Cell) -> Result<Value, CliError> {
    Ok(json!({
        "day": c.start.start(), "provider": c.provider.as_str(), "model": c.model.as_str(),
        "metered": {
            "calls": c.metered.calls, "unpriced": c.metered.unpriced, "unpriced_worst_case_usd": amount(c.metered.worst_case), "cost_usd": amount(c.metered.list),
            "contracted_cost_usd": amount(c.metered.contracted), "tokens": tokens(&c.metered.tokens),
        },
        "reported": {
            "calls": c.reported.calls, "cost_usd": amount(c.reported.cost), "computed_usd": amount(c.reported.computed), "expired_usd": amount(c.reported.expired),
        },
        "billed": {
            "rows": c.billed.rows, "cost_usd": amount(c.billed.usage), "credits_usd": amount(c.billed.credits),
            "other_usd": amount(c.billed.other), "tokens": tokens(&c.billed.tokens),
        },
        "gap": gap_object(&c.gap)?,
    }))
}

fn totals_object(t: &Totals) -> Result<Value, CliError> {
    Ok(json!({
        "metered_usd": amount(t.metered), "contracted_usd": amount(t.contracted), "calls": t.calls, "unpriced": t.unpriced, "unpriced_worst_case_usd": amount(t.worst_case),
        "reported_calls": t.reported.calls, "reported_usd": amount(t.reported.cost),
        "reported_computed_usd": amount(t.reported.computed), "reported_expired_usd": amount(t.reported.expired), "billed_usd": amount(t.billed), "charged_usd": amount(t.charged),
        "credits_usd": amount(t.credits), "other_usd": amount(t.other), "gap": gap_object(&t.gap)?, "covered_usd": amount(t.covered),
        "coverage_percent": t.coverage().map(amount), "metered_percent": t.metered_percent().map(amount), "billed_through": t.through.map(|d| d.start()),
    }))
}

fn document(
    found: &Reconciliation,
    total: &Totals,
    (period, twice): (Period, &[ToldTwice]),
    bound: Option<&Bound>,
) -> Result<Value, CliError> {
    let cells = found.cells.iter().map(cell_object).collect::<Result<Vec<_>, _>>()?;
    let mut providers = serde_json::Map::new();
    for (name, totals) in &found.providers {
        providers.insert(name.as_str().to_owned(), totals_object(totals)?);
    }
    Ok(json!({
        "schema_version": 1, "period": period, "currency": "USD", "cells": cells, "providers": providers,
        "by_month": found.by_month.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "other_currencies": currencies(found).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "told_twice": twice.iter().map(|pair| json!({
            "provider": pair.provider.as_str(), "sums": pair.sums.as_str(), "calls": pair.calls.as_str(),
            "first_day": pair.first.start(), "days": pair.days,
        })).collect::<Vec<_>>(),
        "total": totals_object(total)?, "min_coverage_percent": bound.map(|bound| amount(bound.least)),
    }))
}
