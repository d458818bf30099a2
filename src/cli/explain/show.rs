//! An explanation as people and programs read it.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::cli::price::{put, put_fitted, put_rows, receipt};
use crate::cli::text::{self, clean};
use crate::cli::{CliError, Context, Exit, Format};
use crate::domain::charge::{Charge, Outcome};
use crate::domain::contract::Agreed;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::Money;
use crate::domain::spend::Sums;
use crate::domain::usage::UsageEvent;
use crate::engine::explain::{Counted, Explanation};
use crate::ports::Located;

use super::place;

fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// Lists calls with their price, or with what they may cost at most.
pub fn list(ctx: &mut Context<'_>, calls: &[(UsageEvent, Charge)], unpriced: bool) -> Result<Exit, CliError> {
    let amount = if unpriced { "usd_at_most" } else { "usd" };
    let header = ["id", "at", "provider", "model", "team", "tokens", amount, "priced_by"];
    let rows: Vec<Vec<String>> = calls
        .iter()
        .map(|(event, charge)| {
            let (amount, by) = match charge.outcome {
                Outcome::Priced(entry) => (exact(charge.cost), entry.as_str().to_owned()),
                Outcome::Unpriced(reason) => (exact(charge.worst_case), format!("unpriced: {reason}")),
            };
            vec![
                event.id.to_string(),
                event.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                event.provider().as_str().to_owned(),
                event.model().as_str().to_owned(),
                event.dimensions.get(Dimension::Team).as_str().to_owned(),
                event.tokens.total().to_string(),
                amount,
                by,
            ]
        })
        .collect();
    put_fitted(ctx, &header, &rows, "calls")?;
    Ok(Exit::Fine)
}

/// Shows one call.
pub fn explanation(
    ctx: &mut Context<'_>,
    e: &Explanation,
    agreed: &Agreed,
    located: Option<&Located>,
) -> Result<Exit, CliError> {
    match ctx.format {
        Format::Json => put(ctx, &format!("{:#}\n", document(e, agreed, located)))?,
        Format::Jsonl => put(ctx, &format!("{}\n", document(e, agreed, located)))?,
        Format::Csv | Format::Markdown | Format::Html => {
            put_rows(ctx, &receipt::HEADER, &receipt::rows(&e.quote), "receipt")?
        }
        Format::Table => put(ctx, &page(e, agreed, located))?,
    }
    Ok(if e.charge.is_priced() {
        Exit::Fine
    } else {
        Exit::Findings
    })
}

fn page(e: &Explanation, agreed: &Agreed, located: Option<&Located>) -> String {
    let event = &e.event;
    let mut out = format!(
        "call {}\n{} {} at {}\n\n",
        event.id,
        clean(event.provider().as_str()),
        clean(event.model().as_str()),
        event.at.format("%Y-%m-%d %H:%M:%S UTC"),
    );
    if !e.is_current() {
        let stored = match e.charge.outcome {
            Outcome::Priced(entry) => format!("{} USD by {}", exact(e.charge.cost), clean(entry.as_str())),
            Outcome::Unpriced(reason) => format!("unpriced, {reason}, at most {} USD", exact(e.charge.worst_case)),
        };
        let _ = writeln!(
            out,
            "stored: {stored}\nThe price books say something else now; `finops reprice --from {}` stores it. Their receipt:\n",
            event.at.format("%Y-%m-%d")
        );
    }
    out += &receipt::text(&e.quote);
    if let Some(free) = &e.free {
        let _ = writeln!(
            out,
            "free     {} of {} searches, -{} USD: {} of {} a {} were used before, shared by `{}`; taken off in the sums",
            free.free,
            event.requests.web_searches,
            exact(free.amount),
            text::count(free.used_before),
            text::count(free.allowance.count),
            free.allowance.per.name(),
            clean(&free.allowance.group)
        );
    }
    out += &receipt::agreed_text(&e.quote, agreed);
    if let Some(reported) = event.reported_cost {
        let _ = writeln!(
            out,
            "reported {} USD by a record of the call, kept beside",
            exact(reported)
        );
    }
    let _ = writeln!(out, "\nfrom the raw record to the sums");
    let _ = writeln!(out, "record   {}", record(event));
    out += &place::text(&e.inputs, located);
    let _ = writeln!(out, "summed   under {}", dimensions(&e.key.dimensions));
    let hour = e.key.hour.start();
    if e.folded {
        out += "hour     folded into its day: the detail of hours has expired\n";
    } else {
        let _ = writeln!(out, "hour     {}: {}", hour.format("%Y-%m-%d %H:00 UTC"), sums(&e.hour));
    }
    let _ = writeln!(out, "day      {}: {}", hour.format("%Y-%m-%d UTC"), sums(&e.day));
    if e.budgets.is_empty() {
        out += "budgets  none counts it\n";
    }
    for counted in &e.budgets {
        let _ = writeln!(out, "budget   {}", budget(counted, e));
    }
    out
}

fn record(event: &UsageEvent) -> String {
    let or = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { clean(text) };
    let line = if event.rank.line == 0 {
        String::new()
    } else {
        format!(", usage from line {} of a file", event.rank.line)
    };
    let session = event.session.as_str();
    let session = if session.is_empty() {
        String::new()
    } else {
        format!(", session {}", clean(session))
    };
    let state = if event.rank.complete {
        ""
    } else {
        ", of a call that had not ended"
    };
    let side = if event.sidechain { ", on a side track" } else { "" };
    let seen = if event.rank.at == event.at {
        String::new()
    } else {
        format!(", written {}", event.rank.at.format("%Y-%m-%d %H:%M:%S UTC"))
    };
    let source = or(event.dimensions.get(Dimension::Source).as_str(), "(no name)");
    format!("source {source}{session}{line}{seen}{state}{side}")
}

fn dimensions(all: &Dimensions) -> String {
    let named = all.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = named
        .map(|(d, value)| format!("{d}={}", clean(value.as_str())))
        .collect();
    pairs.join(" ")
}

fn sums(sums: &Sums) -> String {
    let unpriced = if sums.unpriced_events > 0 {
        let worst = exact(sums.unpriced_worst_case);
        format!(
            ", {} of them unpriced (at most {worst} USD more)",
            text::count(sums.unpriced_events)
        )
    } else {
        String::new()
    };
    let calls = if sums.events == 1 { "call" } else { "calls" };
    format!(
        "{} {calls}, {} tokens, {} USD{unpriced}",
        text::count(sums.events),
        text::tokens(sums.tokens.total()),
        exact(sums.cost)
    )
}

fn budget(counted: &Counted, e: &Explanation) -> String {
    let Counted {
        budget, period, spent, ..
    } = counted;
    let money = |amount| text::money(Money::new(amount, budget.amount.currency()));
    let percent = |cost: Decimal| {
        let percent = (cost * Decimal::ONE_HUNDRED).checked_div(budget.amount.amount());
        percent.map(|percent| percent.round_dp(4).normalize())
    };
    // What has no price is no part of what is spent; that is not the same as nothing.
    let share = match e.charge.is_priced() || budget.count_unpriced {
        true => percent(e.share(counted)).map(|percent| format!("; this call is {percent} % of the budget")),
        false => percent(e.charge.worst_case)
            .map(|percent| format!("; this call is not in it: unpriced, at most {percent} % of the budget")),
    };
    format!(
        "{} ({} from {}): {} of {} spent{}",
        clean(&budget.name),
        budget.period_name(),
        period.start.with_timezone(&budget.zone).format("%Y-%m-%d"),
        money(*spent),
        money(budget.amount.amount()),
        share.unwrap_or_default()
    )
}

fn document(e: &Explanation, agreed: &Agreed, located: Option<&Located>) -> Value {
    let event = &e.event;
    let tokens: serde_json::Map<String, Value> = event
        .tokens
        .iter()
        .map(|(bucket, count)| (format!("{}_tokens", bucket.name()), count.into()))
        .chain([("reasoning_tokens".to_owned(), event.tokens.reasoning.into())])
        .collect();
    let names: serde_json::Map<String, Value> = event
        .dimensions
        .iter()
        .map(|(d, value)| (d.name().to_owned(), value.as_str().into()))
        .collect();
    let stored = match e.charge.outcome {
        Outcome::Priced(entry) => json!({"priced": true, "cost_usd": exact(e.charge.cost), "entry": entry.as_str()}),
        Outcome::Unpriced(reason) => {
            json!({"priced": false, "reason": reason, "worst_case_usd": exact(e.charge.worst_case)})
        }
    };
    let measures = |s: &Sums| {
        json!({
            "events": s.events, "tokens": s.tokens.total().to_string(), "cost_usd": exact(s.cost),
            "unpriced_events": s.unpriced_events, "unpriced_worst_case_usd": exact(s.unpriced_worst_case),
        })
    };
    let budgets: Vec<Value> = e
        .budgets
        .iter()
        .map(|c| {
            json!({
                "budget": c.budget.name, "period": c.period, "spent": exact(c.spent),
                "amount": exact(c.budget.amount.amount()), "currency": c.budget.amount.currency(), "basis": c.budget.basis.name(),
                "of_this_call": exact(e.share(c)),
            })
        })
        .collect();
    let mut price = receipt::document(&e.quote);
    receipt::add_agreed(&mut price, &e.quote, agreed);
    json!({
        "schema_version": 1,
        "id": event.id.to_string(),
        "at": event.at,
        "dimensions": names,
        "tokens": tokens,
        "speed": event.speed.as_str(),
        "geo": event.geo.as_str(),
        "units": event.extras.as_str(),
        "web_searches": event.requests.web_searches,
        "stored": stored,
        "current": e.is_current(),
        "price": price,
        "free_searches": e.free.as_ref().map(|f| json!({
            "free": f.free, "used_before": f.used_before, "count": f.allowance.count, "per": f.allowance.per.name(),
            "group": f.allowance.group, "amount_usd": exact(-f.amount),
        })),
        "reported_cost_usd": event.reported_cost.map(exact),
        "record": {
            "source": event.dimensions.get(Dimension::Source).as_str(),
            "session": event.session.as_str(),
            "line": (event.rank.line > 0).then_some(event.rank.line),
            "written_at": event.rank.at,
            "complete": event.rank.complete,
            "sidechain": event.sidechain,
            "inputs": e.inputs,
            "place": located.and_then(|l| l.found.as_ref()).map(place::object),
            "search": located.map(place::search),
        },
        "hour": { "start": e.key.hour.start(), "folded_into_day": e.folded, "sums": measures(&e.hour) },
        "day": { "start": e.key.hour.day().start(), "sums": measures(&e.day) },
        "budgets": budgets,
    })
}
