//! What an alert says: pace, not just a percentage.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::command;
use super::status::BudgetStatus;
use crate::domain::alert::{Alert, message_id};
use crate::domain::budget::{BudgetPeriod, Threshold, ThresholdKind};
use crate::domain::forecast::Forecast;
use crate::domain::money::Money;
use crate::domain::notification::{Fact, Notification, Severity, Told};
use crate::domain::percent::percent_change;
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
    let rounded = money.rounded(places);
    // What is shown as nothing would read as nothing.
    let tiny = rounded.is_zero() && !value.is_zero();
    let rounded = if tiny { Decimal::new(1, places) } else { rounded };
    let text = rounded.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let negative = value.is_sign_negative() && !value.is_zero();
    let sign = match (tiny, negative) {
        (true, true) => ">-",
        (true, false) => "<",
        (false, true) => "-",
        (false, false) => "",
    };
    match currency.code() {
        "USD" => format!("{sign}${grouped}.{cents}"),
        code => format!("{sign}{grouped}.{cents} {code}"),
    }
}

/// An amount's part of the budget, in brackets; of a budget of nothing there are no parts.
#[must_use]
pub fn part(value: Decimal, status: &BudgetStatus) -> String {
    match status.budget.amount.is_zero() {
        true => String::new(),
        false => format!(" ({} %)", status.percent(value)),
    }
}

/// The title of a threshold's alert: what happened to whom.
#[must_use]
pub fn title(status: &BudgetStatus, threshold: &Threshold) -> String {
    let (name, period) = (&status.budget.name, status.budget.period_name());
    match (threshold.kind, &status.forecast) {
        (ThresholdKind::Forecast, Some(forecast)) if status.budget.amount.is_zero() => format!(
            "{name}: on course for {} in this {period}, of a budget of nothing",
            amount(forecast.end, status)
        ),
        _ if status.budget.amount.is_zero() => {
            let when = if status.has_ended() {
                ended(status)
            } else {
                format!("this {period}")
            };
            format!(
                "{name}: {} spent in {when}, of a budget of nothing",
                amount(status.spent, status)
            )
        }
        (ThresholdKind::Forecast, Some(forecast)) => {
            format!(
                "{name}: on course for {} % of this {period}'s budget",
                status.whole_percent(forecast.end)
            )
        }
        _ if status.has_ended() => format!(
            "{name}: {} % of the budget of {} was spent",
            status.whole_percent(status.spent),
            ended(status)
        ),
        _ => format!(
            "{name}: {} % of this {period}'s budget is spent",
            status.whole_percent(status.spent)
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

/// The messages of one telling.
pub(super) struct Message<'a> {
    pub status: &'a BudgetStatus,
    pub alert: &'a Alert,
    pub told: Told,
    /// Why it is over, if it is.
    pub reason: &'a str,
    pub summary: String,
    pub data: serde_json::Value,
}

impl Message<'_> {
    /// The one for a channel.
    pub fn to(&self, channel: &str) -> Notification {
        let (budget, alert) = (&self.status.budget, self.alert);
        let start = self.status.period.start.with_timezone(&budget.zone);
        let mut labels = BTreeMap::from([
            ("budget".to_owned(), budget.name.clone()),
            ("scope".to_owned(), budget.scope.text()),
            ("period".to_owned(), start.format("%Y-%m-%d").to_string()),
        ]);
        for (dimension, patterns) in &budget.scope.0 {
            labels.insert(dimension.name().to_owned(), patterns.join("|"));
        }
        let (title, severity) = match self.told {
            Told::Resolved => (format!("{}: resolved, {}", budget.name, self.reason), Severity::Info),
            Told::Firing | Told::Reminder | Told::Acknowledged => (alert.title.clone(), alert.severity),
        };
        Notification {
            id: message_id(alert, channel),
            channel: channel.to_owned(),
            alert_id: alert.id.clone(),
            told: self.told,
            severity,
            kind: alert.kind.clone(),
            title,
            summary: self.summary.clone(),
            facts: alert.facts.clone(),
            lines: alert.lines.clone(),
            owner: budget.owner.clone(),
            runbook: budget.runbook.clone(),
            labels,
            data: self.data.clone(),
            decided_at: self.status.now,
            test: false,
        }
    }
}

/// Adds what the alert has to say beside the figures: since when it fires, and what to do.
pub(super) fn to_do(status: &BudgetStatus, alert: &mut Alert, told: Told) {
    if told == Told::Reminder {
        let since = local(alert.opened_at, status);
        let label = "Firing since".to_owned();
        alert.facts.push(Fact { label, value: since });
    }
    let report = command::report(status).map(|command| format!("to see what it was spent on: `{command}`"));
    alert.lines.extend(report);
    if told != Told::Resolved {
        let command = command::acknowledge(alert);
        alert
            .lines
            .push(format!("to take it over, without reminders meanwhile: `{command}`"));
    }
}

/// An instant by the clock of the budget's zone.
fn local(at: DateTime<Utc>, status: &BudgetStatus) -> String {
    let zone = status.budget.zone;
    format!("{} {}", at.with_timezone(&zone).format("%Y-%m-%d %H:%M"), zone.name())
}

/// How bad it is, and which rung of the ladder says so.
pub(super) fn summary(status: &BudgetStatus, threshold: &Threshold) -> String {
    let rung = format!("{} % {}", threshold.percent.normalize(), threshold.kind.name());
    if status.has_ended() {
        return format!(
            "{} of {} spent{} in {}, which has ended; threshold {rung}.",
            amount(status.spent, status),
            amount(status.budget.amount.amount(), status),
            part(status.spent, status),
            ended(status),
        );
    }
    let chance = match (threshold.kind, &status.forecast) {
        (ThresholdKind::Forecast, Some(f)) => {
            let chance = f.chance_above(status.budget.amount.amount());
            format!("; chance of ending above the budget: {chance} %")
        }
        _ => String::new(),
    };
    format!(
        "{} of {} spent{} when {} % of the {} has passed{chance}; threshold {rung}.",
        amount(status.spent, status),
        amount(status.budget.amount.amount(), status),
        part(status.spent, status),
        status.percent_of_period(),
        status.budget.period_name(),
    )
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
                "{} of {}{}, {}, {}",
                amount(status.spent, status),
                amount(status.budget.amount.amount(), status),
                part(status.spent, status),
                status.budget.basis.name(),
                status.budget.about()
            ),
        ),
        fact(
            "Period",
            if status.has_ended() {
                format!("{}, ended {}", ended(status), local(status.period.end, status))
            } else {
                format!(
                    "{} % has passed, ends {}",
                    status.percent_of_period(),
                    local(status.period.end, status)
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
                "{}{}, 80 % range {} to {}",
                amount(f.end, status),
                part(f.end, status),
                amount(f.low, status),
                amount(f.high, status)
            );
            facts.push(fact("Projected end", range));
            facts.push(fact("Runs out", runs_out(status, f)));
        }
        None => facts.push(fact("Projected end", status.unknown_end().to_owned())),
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
        let name = if c.name.is_empty() { "(none)" } else { c.name.as_str() };
        let compared = c.before.map(|before| {
            let change = match percent_change(before, c.cost) {
                none if none.is_empty() => "0 %".to_owned(),
                change => change,
            };
            let before = amount(before, status);
            let when = match status.budget.period {
                BudgetPeriod::Calendar(Calendar::Day) => "the day before".to_owned(),
                BudgetPeriod::Calendar(_) | BudgetPeriod::Custom(_) => format!("last {}", status.budget.period_name()),
            };
            format!(" ({change}, {before} by then {when})")
        });
        lines.push(format!(
            "{} {name}: {}{}",
            c.dimension,
            amount(c.cost, status),
            compared.unwrap_or_default()
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
    // Of a budget of nothing there are no parts.
    let percent = |value: Decimal| (!status.budget.amount.is_zero()).then(|| money(status.percent(value)));
    let f = status.forecast.as_ref();
    serde_json::json!({
        "budget": status.budget.name,
        "version": status.budget.version(),
        "scope": status.budget.scope.text(),
        "basis": status.budget.basis.name(),
        "categories": status.budget.categories,
        "currency": status.budget.amount.currency().code(),
        "period": { "start": status.period.start, "end": status.period.end },
        "amount": money(status.budget.amount.amount()),
        "spent": money(status.spent),
        "spent_percent": percent(status.spent),
        "period_percent": money(status.percent_of_period()),
        "spent_up": status.spent_up,
        "forecast": f.map(|f| serde_json::json!({
            "end": money(f.end),
            "low": money(f.low),
            "high": money(f.high),
            "percent": percent(f.end),
            "days": f.days,
            "runs_out": status.spent_up.or(f.runs_out),
        })),
        "contributors": status.contributors.iter().map(|c| serde_json::json!({
            "dimension": c.dimension.name(),
            "name": c.name.as_str(),
            "cost": money(c.cost),
            "before": c.before.map(money),
        })).collect::<Vec<_>>(),
        "unpriced_events": status.unpriced_events,
        "unpriced_tokens": status.unpriced_tokens.to_string(),
        "unpriced_worst_case": money(status.unpriced_worst_case),
        "notes": status.notes,
    })
}

/// The same with the rung.
pub(super) fn data(status: &BudgetStatus, threshold: &Threshold) -> serde_json::Value {
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
