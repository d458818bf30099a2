//! Evaluates budgets and moves alerts: reads once, decides purely, writes once.

mod gather;
mod left_out;
pub mod status;
pub mod text;
mod unmet;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

pub use status::{BudgetStatus, Standings};

use super::collect::Complete;
use crate::domain::alert::{Alert, Behaviour, Silence, State, Step, Verdict, step, verdict};
use crate::domain::budget::{Budget, BudgetPeriod, Threshold, ThresholdKind};
use crate::domain::notification::{Notification, Told};
use crate::ports::{AlertCommit, AlertStore, Ledger, StoreError};

/// Percentage points below its threshold at which a forecast alert is over. Forecasts waver; alerts must not.
const HYSTERESIS: u32 = 5;

/// Times that a decision is made anew because another run changed what it was based on.
const ATTEMPTS: usize = 5;

/// Why an end is told that was not told when it came.
const LATE: &str = "it ended while it was suppressed";

/// What an evaluation found and changed.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Where the budgets stand.
    pub statuses: Vec<BudgetStatus>,
    /// Alerts that changed state, as they are now, with what was decided to tell.
    pub changed: Vec<(Alert, Option<Told>)>,
    /// Alerts that are firing or acknowledged now.
    pub active: Vec<Alert>,
    /// Messages put into the outbox.
    pub messages: usize,
}

/// Evaluates all budgets. `complete` says what was read whole: with data missing of its basis no budget's alert is resolved.
pub fn evaluate(
    budgets: &[Budget],
    channels: &[String],
    ledger: &mut dyn Ledger,
    store: &mut dyn AlertStore,
    complete: Complete,
    now: DateTime<Utc>,
) -> Result<Evaluation, StoreError> {
    let Standings { current, mut ended } = status::standings(budgets, ledger, now)?;
    let mut statuses = current.clone();
    statuses.append(&mut ended);
    let mut attempt = 0;
    loop {
        let known = store.alerts(Some(now - Budget::LATEST))?;
        let silences = store.silences()?;
        let decided = decide(&statuses, channels, &known, &silences, complete, now);
        attempt += 1;
        match store.commit(&decided.commit) {
            Ok(()) => {
                let messages = decided.commit.messages.len();
                return Ok(Evaluation {
                    statuses: current,
                    changed: decided.changed,
                    active: decided.active,
                    messages,
                });
            }
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// What [`decide`] decided.
#[derive(Debug, Default)]
pub struct Decided {
    /// To be stored.
    pub commit: AlertCommit,
    /// Alerts that changed state, with what is told.
    pub changed: Vec<(Alert, Option<Told>)>,
    /// Alerts that are firing or acknowledged afterwards.
    pub active: Vec<Alert>,
}

/// Decides, purely, what these figures do to the alerts.
#[must_use]
pub fn decide(
    statuses: &[BudgetStatus],
    channels: &[String],
    known: &[Alert],
    silences: &[Silence],
    complete: Complete,
    now: DateTime<Utc>,
) -> Decided {
    let mut decided = Decided::default();
    let mut seen = BTreeSet::new();
    let mut left: BTreeMap<&str, &Alert> = known.iter().map(|a| (a.id.as_str(), a)).collect();
    for status in statuses {
        let silenced = silences.iter().find(|s| s.mutes(&status.budget.name, now));
        // The gravest actual threshold that fires: it mutes lower ones, and forecasts of no more than its own percentage.
        let mut firing: Option<Decimal> = None;
        let mut ladder: Vec<&Threshold> = status.budget.thresholds.iter().collect();
        ladder.sort_by_key(|t| (t.kind, std::cmp::Reverse(t.percent)));
        // Where a period that has ended was heading interests nobody.
        ladder.retain(|t| t.kind == ThresholdKind::Actual || !is_late(status));
        for threshold in ladder {
            let fresh = new_alert(status, threshold, now);
            // A rung given twice is one alert: two first versions of it could never be stored.
            if !seen.insert(fresh.id.clone()) {
                continue;
            }
            let before = left.remove(fresh.id.as_str()).cloned().unwrap_or(fresh);
            if threshold.kind == ThresholdKind::Actual && before.dismissed {
                // Whoever called the graver alert over has heard of it.
                firing = firing.max(Some(threshold.percent));
            }
            let mut suppressed = silenced.map(Silence::text);
            if firing.is_some_and(|percent| percent >= threshold.percent) {
                suppressed = Some(inhibited(threshold.kind).to_owned());
            }
            let after = step(
                &before,
                &judge(status, threshold, &before, complete.on(status.budget.basis)),
                suppressed,
                behaviour(status, threshold),
                now,
            );
            let Some(mut after) = after else { continue };
            after.alert.against = Some(status.budget.amount.amount());
            after.alert.title = text::title(status, threshold);
            if threshold.kind == ThresholdKind::Actual && after.alert.state.is_active() {
                firing = firing.max(Some(threshold.percent));
            }
            if after.tell.is_some() {
                after.alert.facts = text::facts(status);
                after.alert.lines = text::lines(status);
            }
            if after.tell == Some(Told::Firing) {
                let named = &status.budget.channels;
                after.alert.told_to = if named.is_empty() {
                    channels.to_vec()
                } else {
                    named.clone()
                };
            }
            let told_to = &after.alert.told_to;
            let reason = after.transitions.last().map_or(LATE, |t| t.reason.as_str()).to_owned();
            let messages = after.tell.into_iter().flat_map(|told| {
                told_to
                    .iter()
                    .map(|c| text::notification(status, threshold, &after.alert, told, &reason, c))
                    .collect::<Vec<_>>()
            });
            let messages = messages.collect();
            absorb(&mut decided, after, messages);
        }
    }
    // What is left belongs to a period that has ended or to a budget or threshold that is gone.
    for alert in left
        .into_values()
        .filter(|a| a.is_open() && a.kind.starts_with("budget_"))
        // Seen from the past (a clock set back, `--now`), later periods are not over.
        .filter(|a| a.period.start <= now)
    {
        let reason = if alert.state == State::Resolved {
            LATE
        } else if alert.period.end <= now {
            "the period has ended"
        } else {
            "its budget or threshold is gone"
        };
        let quiet = Behaviour {
            confirmations: 1,
            remind_after: None,
        };
        let silenced = silences.iter().find(|s| s.mutes(&alert.policy, now)).map(Silence::text);
        let Some(after) = step(alert, &Verdict::Over(reason), silenced, quiet, now) else {
            continue;
        };
        let messages = match after.tell {
            Some(told) => after
                .alert
                .told_to
                .iter()
                .map(|c| farewell(&after.alert, told, reason, c, now))
                .collect(),
            None => Vec::new(),
        };
        absorb(&mut decided, after, messages);
    }
    decided
}

fn absorb(decided: &mut Decided, after: Step, messages: Vec<Notification>) {
    if after.alert.state.is_active() {
        decided.active.push(after.alert.clone());
    }
    if !after.transitions.is_empty() || after.tell.is_some() {
        decided.changed.push((after.alert.clone(), after.tell));
    }
    decided.commit.alerts.push(after.alert);
    decided.commit.transitions.extend(after.transitions);
    decided.commit.messages.extend(messages);
}

fn new_alert(status: &BudgetStatus, threshold: &Threshold, now: DateTime<Utc>) -> Alert {
    let budget = &status.budget;
    Alert::new(
        &budget.name,
        &format!("budget_{}", threshold.kind.name()),
        format!("{} % {}", threshold.percent.normalize(), threshold.kind.name()),
        &budget.scope.text(),
        budget.basis.name(),
        status.period,
        threshold.severity,
        now,
    )
}

fn behaviour(status: &BudgetStatus, threshold: &Threshold) -> Behaviour {
    let hours = status.budget.remind_every_hours;
    Behaviour {
        // A forecast must hold at two evaluations in a row; what is spent is spent.
        confirmations: if threshold.kind == ThresholdKind::Forecast {
            2
        } else {
            1
        },
        remind_after: if hours > 0 {
            Some(TimeDelta::hours(i64::from(hours)))
        } else {
            None
        },
    }
}

/// Why a graver alert mutes one of this kind.
fn inhibited(kind: ThresholdKind) -> &'static str {
    match kind {
        ThresholdKind::Actual => "inhibited: a higher threshold is passed",
        ThresholdKind::Forecast => "inhibited: the budget is already spent",
    }
}

/// Whether it is a recurring period that has ended: the budget is about the next one by now.
fn is_late(status: &BudgetStatus) -> bool {
    status.has_ended() && matches!(status.budget.period, BudgetPeriod::Calendar(_))
}

/// What the figures say of a threshold, whose alert stood so `before`.
fn judge(status: &BudgetStatus, threshold: &Threshold, before: &Alert, complete: bool) -> Verdict {
    if !status.period.contains(status.now) {
        let lately = status.has_ended() && status.now - status.period.end < status.budget.late();
        // What came in late: it is told once, and over at the next evaluation. What fired before ends here.
        let unseen =
            before.version == 0 || (before.state == State::Resolved && before.evaluated_at < status.period.end);
        let is_above = exact_percent(status, status.spent) >= threshold.percent;
        return if threshold.kind == ThresholdKind::Actual && lately && unseen && is_above {
            Verdict::Above
        } else {
            Verdict::Over("the period has ended")
        };
    }
    let raised = before
        .against
        .is_some_and(|amount| amount < status.budget.amount.amount());
    let cleared = |otherwise| if raised { "the budget was raised" } else { otherwise };
    let found = match threshold.kind {
        ThresholdKind::Actual => verdict(
            exact_percent(status, status.spent),
            threshold.percent,
            threshold.percent,
            cleared("spend was restated below the threshold"),
        ),
        ThresholdKind::Forecast => match &status.forecast {
            Some(f) => {
                let clear = threshold.percent - Decimal::from(HYSTERESIS);
                verdict(
                    exact_percent(status, f.end),
                    threshold.percent,
                    clear,
                    cleared("the forecast has fallen below the threshold"),
                )
            }
            None => Verdict::Unknown,
        },
    };
    // Missing data makes spend look smaller than it is.
    if complete || found == Verdict::Above {
        found
    } else {
        Verdict::Unknown
    }
}

fn exact_percent(status: &BudgetStatus, value: Decimal) -> Decimal {
    let percent = (value * Decimal::ONE_HUNDRED).checked_div(status.budget.amount.amount());
    percent.unwrap_or(if value.is_zero() { Decimal::ZERO } else { Decimal::MAX })
}

/// The last message of an alert whose figures are no longer computed.
fn farewell(alert: &Alert, told: Told, reason: &str, channel: &str, now: DateTime<Utc>) -> Notification {
    Notification {
        id: crate::domain::alert::message_id(alert, channel),
        channel: channel.to_owned(),
        alert_id: alert.id.clone(),
        told,
        severity: crate::domain::notification::Severity::Info,
        kind: alert.kind.clone(),
        title: format!("{}: resolved, {reason}", alert.policy),
        summary: format!("The alert on {} is over: {reason}.", alert.threshold),
        facts: Vec::new(),
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: BTreeMap::from([("budget".to_owned(), alert.policy.clone())]),
        data: serde_json::json!({ "budget": alert.policy, "threshold": alert.threshold, "reason": reason }),
        decided_at: now,
        test: false,
    }
}
