//! Evaluates budgets and moves alerts: reads once, decides purely, writes once.

mod command;
mod gather;
mod held;
mod judge;
mod left_out;
mod scopes;
pub mod status;
pub mod text;
mod unmet;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

pub use command::quoted;
pub use held::remember_budgets;
pub use status::{BudgetStatus, Standings};

use judge::{Muting, behaviour, is_late, judge};

use super::collect::Complete;
use crate::domain::alert::{APART, Alert, Behaviour, Silence, State, Step, Verdict, step};
use crate::domain::budget::{Budget, Scope, Threshold, ThresholdKind};
use crate::domain::notification::{Notification, Told};
use crate::ports::{AlertCommit, AlertStore, Ledger, StoreError};

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

impl Evaluation {
    /// The instant as of which alerts that fire were evaluated before, where that is later by more than clocks are apart.
    #[must_use]
    pub fn is_behind(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let held = self.active.iter().filter(|alert| alert.behind_since.is_some());
        let newest = held.map(|alert| alert.evaluated_at).max();
        newest.filter(|at| *at - now > APART)
    }
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
    held::held(&mut statuses, ledger)?;
    let mut attempt = 0;
    loop {
        let known = store.alerts(Some(now - Budget::LATEST))?;
        let silences = store.silences()?;
        let mut decided = decide(&statuses, channels, &known, &silences, complete, now);
        // What seems new may begin like an alert that was over long ago, of a budget whose period was a shorter one.
        if decided.commit.alerts.iter().any(|alert| alert.version == 0) {
            decided = decide(&statuses, channels, &store.alerts(None)?, &silences, complete, now);
        }
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
    let known: BTreeMap<&str, &Alert> = known.iter().map(|a| (a.id.as_str(), a)).collect();
    let mut left = known.clone();
    for status in statuses {
        let silenced = silences.iter().find(|s| s.mutes(&status.budget.name, now));
        let mut muting = Muting::default();
        let mut ladder: Vec<&Threshold> = status.budget.thresholds.iter().collect();
        ladder.sort_by_key(|t| (t.kind, std::cmp::Reverse(t.percent)));
        // Where a period that has ended was heading interests nobody.
        ladder.retain(|t| t.kind == ThresholdKind::Actual || !is_late(status));
        for threshold in ladder {
            let fresh = new_alert(status, threshold, &known, now);
            // A rung given twice is one alert: two first versions of it could never be stored.
            if !seen.insert(fresh.id.clone()) {
                continue;
            }
            let mut before = left.remove(fresh.id.as_str()).cloned().unwrap_or(fresh);
            before.severity = threshold.severity;
            if before.dismissed {
                // Whoever called the graver alert over has heard of it.
                muting.fires(threshold);
            }
            let inhibited = muting.of(status, threshold, &before).map(str::to_owned);
            let verdict = judge(status, threshold, &before, complete.on(status.budget.basis));
            let after = step(
                &before,
                &verdict,
                inhibited.or_else(|| silenced.map(Silence::text)),
                behaviour(status, threshold.kind),
                now,
            );
            let Some(mut after) = after else { continue };
            // What nobody is told of, since it stands below its threshold by now, speaks for no lower one.
            if after.alert.state.is_active() && (after.alert.told_firing || verdict == Verdict::Above) {
                muting.fires(threshold);
            }
            if after.alert.behind_since.is_some() {
                absorb(&mut decided, after, Vec::new());
                continue;
            }
            // It goes on being measured against the amount of which the figures said that it is passed.
            if before.against.is_none() || !matches!(verdict, Verdict::Within | Verdict::Unknown) {
                after.alert.against = Some(status.budget.amount.amount());
                after.alert.definition = Some(status.budget.definition());
            }
            after.alert.title = text::title(status, threshold);
            let summary = text::summary(status, threshold);
            let data = text::data(status, threshold);
            tell(&mut decided, status, after, channels, summary, data);
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
            judge::ENDED
        } else if statuses.iter().any(|status| has_rung(status, alert)) {
            judge::CHANGED
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

/// Writes the messages of what is to be told of a budget's alert.
fn tell(
    decided: &mut Decided,
    status: &BudgetStatus,
    mut after: Step,
    channels: &[String],
    summary: String,
    data: serde_json::Value,
) {
    let Some(told) = after.tell else {
        return absorb(decided, after, Vec::new());
    };
    after.alert.facts = text::facts(status);
    after.alert.figures_at = Some(status.now);
    after.alert.lines = text::lines(status);
    text::to_do(status, &mut after.alert, told);
    if told == Told::Firing {
        let named = &status.budget.channels;
        after.alert.told_to = if named.is_empty() { channels } else { named }.to_vec();
    }
    let late = if status.has_ended() { judge::ENDED } else { LATE };
    let reason = after.transitions.last().map_or(late, |t| t.reason.as_str());
    let message = text::Message {
        status,
        alert: &after.alert,
        told,
        reason,
        summary,
        data,
    };
    let messages = after.alert.told_to.iter().map(|c| message.to(c)).collect();
    absorb(decided, after, messages);
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

/// The alert of a rung, as it is before anything was seen.
fn new_alert(
    status: &BudgetStatus,
    threshold: &Threshold,
    known: &BTreeMap<&str, &Alert>,
    now: DateTime<Utc>,
) -> Alert {
    let budget = &status.budget;
    let of = |scope: &Scope| {
        Alert::new(
            &budget.name,
            &format!("budget_{}", threshold.kind.name()),
            rung(threshold),
            &scope.text(),
            budget.basis.name(),
            status.period,
            threshold.severity,
            now,
        )
    };
    let is_known = |alert: &Alert| {
        known.contains_key(alert.id.as_str()) || known.contains_key(alert.told_apart_by_its_end().id.as_str())
    };
    // Earlier versions told scopes apart by the way in which they are written: what they opened goes on.
    let (alert, as_written) = (of(&budget.scope.meant()), of(&budget.scope));
    let alert = match !is_known(&alert) && is_known(&as_written) {
        true => as_written,
        false => alert,
    };
    // Alerts are known by the start of their period; where the budget had one of another end, this one is told apart by its own.
    let apart = alert.told_apart_by_its_end();
    let is_other = |other: &&Alert| other.period.end != status.period.end;
    if known.contains_key(apart.id.as_str()) || known.get(alert.id.as_str()).is_some_and(is_other) {
        apart
    } else {
        alert
    }
}

fn rung(threshold: &Threshold) -> String {
    format!("{} % {}", threshold.percent.normalize(), threshold.kind.name())
}

/// Whether a budget still has the rung that an alert is about.
fn has_rung(status: &BudgetStatus, alert: &Alert) -> bool {
    let budget = &status.budget;
    budget.name == alert.policy && budget.thresholds.iter().any(|t| rung(t) == alert.threshold)
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
