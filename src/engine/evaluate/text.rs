//! What an alert says: pace, not just a percentage.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::status::BudgetStatus;
use crate::domain::alert::{Alert, message_id};
use crate::domain::budget::{BudgetPeriod, Threshold, ThresholdKind};
use crate::domain::forecast::Forecast;
use crate::domain::money::Money;
use crate::domain::notification::{Fact, Notification, Severity, Told};
use crate::domain::period::Calendar;

/// An amount as people read it: `$1,240.00`, with cents; other currencies by code.
#[must_use]
pub fn amount(value: Decimal, status: &BudgetStatus) -> String {
    let currency = status.budget.amount.currency();
    let money = Money::new(value.abs(), currency);
    let places = if value.abs() < Decimal::ONE && !value.is_zero() {
        4
    } else {
        2
    };
    let text = money.rounded(places).to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value.is_sign_negative() && !value.is_zero() {
        "-"
    } else {
        ""
    };
    match currency.code() {
        "USD" => format!("{sign}${grouped}.{cents}"),
        code => format!("{sign}{grouped}.{cents} {code}"),
    }
}

/// The title of a threshold's alert: what happened to whom.
#[must_use]
pub fn title(status: &BudgetStatus, threshold: &Threshold) -> String {
    let (name, period) = (&status.budget.name, status.budget.period_name());
    match (threshold.kind, &status.forecast) {
        (ThresholdKind::Forecast, Some(forecast)) => {
            format!(
                "{name}: on course for {} % of this {period}'s budget",
                status.percent(forecast.end).round()
            )
        }
        _ if status.has_ended() => format!(
            "{name}: {} % of the budget of {} was spent",
            status.percent(status.spent).round(),
            ended(status)
        ),
        _ => format!(
            "{name}: {} % of this {period}'s budget is spent",
            status.percent(status.spent).round()
        ),
    }
}

/// A period that has ended, by name: `2026-11-10`, `November 2026`.
fn ended(status: &BudgetStatus) -> String {
    let zone = status.budget.zone;
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let (first, last) = (day(status.period.start), day(status.period.end - TimeDelta::seconds(1)));
    match status.budget.period {
        BudgetPeriod::Calendar(Calendar::Day) => first.to_string(),
        BudgetPeriod::Calendar(Calendar::Month) => first.format("%B %Y").to_string(),
        BudgetPeriod::Calendar(Calendar::Year) => first.format("%Y").to_string(),
        BudgetPeriod::Calendar(Calendar::Week | Calendar::Quarter) | BudgetPeriod::Custom(_) => {
            format!("{first} to {last}")
        }
    }
}

/// The message of one telling for one channel.
#[must_use]
pub fn notification(
    status: &BudgetStatus,
    threshold: &Threshold,
    alert: &Alert,
    told: Told,
    reason: &str,
    channel: &str,
) -> Notification {
    let budget = &status.budget;
    let mut labels = BTreeMap::from([
        ("budget".to_owned(), budget.name.clone()),
        ("scope".to_owned(), budget.scope.text()),
        ("period".to_owned(), status.period.start.format("%Y-%m-%d").to_string()),
    ]);
    for (dimension, patterns) in &budget.scope.0 {
        labels.insert(dimension.name().to_owned(), patterns.join("|"));
    }
    let title = match told {
        Told::Resolved => format!("{}: resolved, {reason}", budget.name),
        Told::Firing | Told::Reminder | Told::Acknowledged => alert.title.clone(),
    };
    Notification {
        id: message_id(alert, channel),
        channel: channel.to_owned(),
        alert_id: alert.id.clone(),
        told,
        severity: if told == Told::Resolved {
            Severity::Info
        } else {
            alert.severity
        },
        kind: alert.kind.clone(),
        title,
        summary: summary(status, threshold),
        facts: alert.facts.clone(),
        lines: alert.lines.clone(),
        owner: budget.owner.clone(),
        runbook: budget.runbook.clone(),
        labels,
        data: data(status, threshold),
        decided_at: status.now,
        test: false,
    }
}

fn summary(status: &BudgetStatus, threshold: &Threshold) -> String {
    if status.has_ended() {
        return format!(
            "{} of {} spent ({} %) in {}, which has ended.",
            amount(status.spent, status),
            amount(status.budget.amount.amount(), status),
            status.percent(status.spent),
            ended(status),
        );
    }
    let pace = format!(
        "{} of {} spent ({} %) when {} % of the {} has passed",
        amount(status.spent, status),
        amount(status.budget.amount.amount(), status),
        status.percent(status.spent),
        status.percent_of_period(),
        status.budget.period_name(),
    );
    match (threshold.kind, &status.forecast) {
        (ThresholdKind::Forecast, Some(f)) => {
            let chance = f.chance_above(status.budget.amount.amount());
            format!("{pace}; chance of ending above the budget: {chance} %.")
        }
        _ => format!("{pace}."),
    }
}

/// The figures of a status, most important first.
#[must_use]
pub fn facts(status: &BudgetStatus) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact {
        label: label.to_owned(),
        value,
    };
    let mut facts = vec![
        fact(
            "Spent",
            format!(
                "{} of {} ({} %), {}",
                amount(status.spent, status),
                amount(status.budget.amount.amount(), status),
                status.percent(status.spent),
                status.budget.basis.name()
            ),
        ),
        fact(
            "Period",
            if status.has_ended() {
                format!(
                    "{}, ended {}",
                    ended(status),
                    status.period.end.format("%Y-%m-%d %H:%M UTC")
                )
            } else {
                format!(
                    "{} % has passed, ends {}",
                    status.percent_of_period(),
                    status.period.end.format("%Y-%m-%d %H:%M UTC")
                )
            },
        ),
    ];
    if status.has_ended() {
        return facts;
    }
    match &status.forecast {
        Some(f) => {
            let range = format!(
                "{} ({} %), 80 % range {} to {}",
                amount(f.end, status),
                status.percent(f.end),
                amount(f.low, status),
                amount(f.high, status)
            );
            facts.push(fact("Projected end", range));
            facts.push(fact("Runs out", runs_out(status, f)));
        }
        None => facts.push(fact("Projected end", "unknown: fewer than 3 complete days".to_owned())),
    }
    facts
}

/// When all of the amount is spent: a day to come, or the day on which it was.
#[must_use]
pub fn runs_out(status: &BudgetStatus, forecast: &Forecast) -> String {
    match (status.spent_up, forecast.runs_out) {
        (Some(day), _) => format!("spent since {day}"),
        (None, Some(day)) => day.to_string(),
        (None, None) => "not in this period".to_owned(),
    }
}

/// What it was spent on and what is unpriced.
#[must_use]
pub fn lines(status: &BudgetStatus) -> Vec<String> {
    let mut lines = Vec::new();
    for c in &status.contributors {
        let change = if c.before.is_zero() {
            "new".to_owned()
        } else {
            let percent = ((c.cost - c.before) * Decimal::ONE_HUNDRED)
                .checked_div(c.before)
                .unwrap_or_default()
                .round();
            format!("{}{percent} %", if percent.is_sign_negative() { "" } else { "+" })
        };
        let name = if c.name.is_empty() { "(none)" } else { c.name.as_str() };
        let before = amount(c.before, status);
        let period = status.budget.period_name();
        lines.push(format!(
            "{} {name}: {} ({change}, {before} by then last {period})",
            c.dimension,
            amount(c.cost, status)
        ));
    }
    if status.unpriced_events > 0 {
        lines.push(format!(
            "unpriced: {} {}, {} tokens, at most {}{}",
            status.unpriced_events,
            if status.unpriced_events == 1 { "call" } else { "calls" },
            status.unpriced_tokens,
            amount(status.unpriced_worst_case, status),
            if status.budget.count_unpriced {
                ", counted"
            } else {
                ", not counted"
            }
        ));
    }
    lines.extend(notes(status));
    lines
}

/// Lines for what is estimated or left out.
fn notes(status: &BudgetStatus) -> impl Iterator<Item = String> + '_ {
    status.notes.iter().map(|note| format!("note: {note}"))
}

/// The figures for programs.
#[must_use]
pub fn figures(status: &BudgetStatus) -> serde_json::Value {
    let money = |value: Decimal| value.normalize().to_string();
    let f = status.forecast.as_ref();
    serde_json::json!({
        "budget": status.budget.name,
        "version": status.budget.version(),
        "scope": status.budget.scope.text(),
        "basis": status.budget.basis.name(),
        "currency": status.budget.amount.currency().code(),
        "period": { "start": status.period.start, "end": status.period.end },
        "amount": money(status.budget.amount.amount()),
        "spent": money(status.spent),
        "spent_percent": money(status.percent(status.spent)),
        "period_percent": money(status.percent_of_period()),
        "spent_up": status.spent_up,
        "forecast": f.map(|f| serde_json::json!({
            "end": money(f.end),
            "low": money(f.low),
            "high": money(f.high),
            "percent": money(status.percent(f.end)),
            "days": f.days,
            "runs_out": status.spent_up.or(f.runs_out),
        })),
        "contributors": status.contributors.iter().map(|c| serde_json::json!({
            "dimension": c.dimension.name(),
            "name": c.name.as_str(),
            "cost": money(c.cost),
            "before": money(c.before),
        })).collect::<Vec<_>>(),
        "unpriced_events": status.unpriced_events,
        "unpriced_tokens": status.unpriced_tokens.to_string(),
        "unpriced_worst_case": money(status.unpriced_worst_case),
        "notes": status.notes,
    })
}

fn data(status: &BudgetStatus, threshold: &Threshold) -> serde_json::Value {
    let mut data = figures(status);
    if let Some(map) = data.as_object_mut() {
        map.insert(
            "threshold_percent".to_owned(),
            threshold.percent.normalize().to_string().into(),
        );
        map.insert("threshold_kind".to_owned(), threshold.kind.name().into());
    }
    data
}
