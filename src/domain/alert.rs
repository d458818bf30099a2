//! Alerts and their lifecycle, as one pure function.
//!
//! Two axes: the *state* (pending → firing → acknowledged → resolved) and the *suppression* (a silence, or a graver alert
//! that says the same). A suppressed alert lives on; it is only not told.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::glob::glob_matches;
use super::notification::{Severity, Told};
use super::period::Period;

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Seen, but not often enough to tell.
    Pending,
    /// True now.
    Firing,
    /// True, and someone looks after it until a given time.
    Acknowledged,
    /// Over.
    Resolved,
}

impl State {
    /// The name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Firing => "firing",
            State::Acknowledged => "acknowledged",
            State::Resolved => "resolved",
        }
    }

    /// Whether the condition holds and has been confirmed.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, State::Firing | State::Acknowledged)
    }
}

/// One alert. Its identity is policy + scope + period + threshold + basis: the same condition never makes a second one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Digest of the identity, 16 hexadecimal digits.
    pub id: String,
    /// The policy (the budget's name).
    pub policy: String,
    /// `budget_actual`, `budget_forecast`, `test`.
    pub kind: String,
    /// The threshold, such as `100 % actual`.
    pub threshold: String,
    /// The period it is about.
    pub period: Period,
    /// How urgent it is while it fires.
    pub severity: Severity,
    /// Where it stands.
    pub state: State,
    /// Why it is not told, if it is not.
    pub suppressed: Option<String>,
    /// Grows with every stored change; a writer names the one it has read.
    pub version: u64,
    /// Evaluations in a row that saw the condition while pending.
    pub confirmations: u32,
    /// When the condition was first seen, this time.
    pub opened_at: DateTime<Utc>,
    /// When it was last evaluated.
    pub evaluated_at: DateTime<Utc>,
    /// When it was last told.
    pub told_at: Option<DateTime<Utc>>,
    /// Whether anyone was told that it fires, this time.
    pub told_firing: bool,
    /// The channels that were told that it fires: they are told how it goes on, whatever the policy says by then.
    #[serde(default)]
    pub told_to: Vec<String>,
    /// A person called it over while its condition held: it stays over until the condition was seen to be gone.
    #[serde(default)]
    pub dismissed: bool,
    /// Messages decided so far: numbers them.
    pub tellings: u64,
    /// Until when it is acknowledged, and by whom.
    pub acknowledged: Option<(DateTime<Utc>, String)>,
    /// Title at the last evaluation.
    pub title: String,
}

/// What an evaluation found about an alert's condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The condition holds.
    Above,
    /// It no longer holds, but not by enough to call it over (hysteresis).
    Within,
    /// It does not hold.
    Clear(&'static str),
    /// Not known: data is missing. Never resolves anything.
    Unknown,
    /// It is over whatever the figures say: the period has ended, the policy is gone.
    Over(&'static str),
}

/// How a kind of alert behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behaviour {
    /// Evaluations in a row that must see the condition before it fires.
    pub confirmations: u32,
    /// Time after which a firing alert is told again.
    pub remind_after: Option<TimeDelta>,
}

/// A change of state, kept for ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transition {
    /// The alert.
    pub alert_id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// State before; none for a new alert.
    pub from: Option<State>,
    /// State after.
    pub to: State,
    /// Why.
    pub reason: String,
}

/// What one evaluation does to one alert.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The alert afterwards.
    pub alert: Alert,
    /// Changes of state, in order.
    pub transitions: Vec<Transition>,
    /// What to tell, if anything.
    pub tell: Option<Told>,
}

/// Mutes the alerts of some policies for some time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Silence {
    /// Identity.
    pub id: String,
    /// Pattern over policy names.
    pub policy: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Silence {
    /// Whether it mutes a policy at an instant.
    #[must_use]
    pub fn mutes(&self, policy: &str, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until && glob_matches(&self.policy, policy)
    }
}

/// The digest of an identity, 16 hexadecimal digits.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|p| p.as_bytes()).collect();
    super::usage::EventId::of(&parts).to_string().chars().take(16).collect()
}

/// The identity of a message: one per alert, telling and channel, whatever run decides or delivers it.
#[must_use]
pub fn message_id(alert: &Alert, channel: &str) -> String {
    digest(&["message", &alert.id, &alert.tellings.to_string(), channel])
}

impl Alert {
    /// An alert about a condition that has not been seen yet; [`step`] decides whether it comes to life.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the identity, and an identity has no optional part"
    )]
    pub fn new(
        policy: &str,
        kind: &str,
        threshold: String,
        scope: &str,
        basis: &str,
        period: Period,
        severity: Severity,
        now: DateTime<Utc>,
    ) -> Self {
        let start = period.start.to_rfc3339();
        Alert {
            id: digest(&["alert", policy, kind, &threshold, scope, basis, &start]),
            policy: policy.to_owned(),
            kind: kind.to_owned(),
            threshold,
            period,
            severity,
            state: State::Resolved,
            suppressed: None,
            version: 0,
            confirmations: 0,
            opened_at: now,
            evaluated_at: now,
            told_at: None,
            told_firing: false,
            told_to: Vec::new(),
            dismissed: false,
            tellings: 0,
            acknowledged: None,
            title: String::new(),
        }
    }
}

/// Decides what an evaluation does to an alert. Pure: the same input gives the same step, in any process, at any time.
///
/// `None` when nothing is to be stored: the condition does not hold and did not hold before.
#[must_use]
pub fn step(
    before: &Alert,
    verdict: &Verdict,
    suppressed: Option<String>,
    behaviour: Behaviour,
    now: DateTime<Utc>,
) -> Option<Step> {
    let mut alert = before.clone();
    let mut transitions = Vec::new();
    let mut tell = None;
    let known = before.version > 0;
    let mut go = |alert: &mut Alert, to: State, reason: &str| {
        let from = if known || !transitions.is_empty() {
            Some(alert.state)
        } else {
            None
        };
        alert.state = to;
        transitions.push(Transition {
            alert_id: alert.id.clone(),
            at: now,
            from,
            to,
            reason: reason.to_owned(),
        });
    };
    match (before.state, verdict) {
        (State::Resolved, Verdict::Above) if before.dismissed => return None,
        (State::Resolved, Verdict::Clear(_)) if before.dismissed => alert.dismissed = false,
        (State::Resolved, Verdict::Above) => {
            alert.opened_at = now;
            alert.confirmations = 1;
            (alert.told_firing, alert.acknowledged) = (false, None);
            let to = if behaviour.confirmations > 1 {
                State::Pending
            } else {
                State::Firing
            };
            go(&mut alert, to, "the threshold is passed");
        }
        (State::Resolved, _) => return None,
        (State::Pending, Verdict::Above) if now > before.evaluated_at => {
            alert.confirmations += 1;
            if alert.confirmations >= behaviour.confirmations {
                go(
                    &mut alert,
                    State::Firing,
                    "the threshold is passed at evaluations in a row",
                );
            }
        }
        // Evaluated twice at one instant: one observation.
        (State::Pending, Verdict::Above | Verdict::Unknown) => {}
        (State::Pending, Verdict::Within | Verdict::Clear(_)) => go(&mut alert, State::Resolved, "it did not last"),
        (State::Pending, Verdict::Over(reason)) => go(&mut alert, State::Resolved, reason),
        (State::Firing | State::Acknowledged, Verdict::Clear(reason) | Verdict::Over(reason)) => {
            go(&mut alert, State::Resolved, reason);
            if alert.told_firing {
                tell = Some(Told::Resolved);
            }
        }
        (State::Acknowledged, Verdict::Above | Verdict::Within | Verdict::Unknown) => {
            if before.acknowledged.as_ref().is_none_or(|(until, _)| *until <= now) {
                alert.acknowledged = None;
                go(&mut alert, State::Firing, "the acknowledgement has expired");
                // Told at once, as a reminder: whoever looked after it no longer does.
                alert.told_at = alert.told_at.map(|_| DateTime::UNIX_EPOCH);
            }
        }
        (State::Firing, Verdict::Above | Verdict::Within | Verdict::Unknown) => {}
    }
    alert.suppressed = suppressed;
    if alert.state == State::Firing && alert.suppressed.is_none() {
        if !alert.told_firing {
            alert.told_firing = true;
            tell = Some(Told::Firing);
        } else if behaviour
            .remind_after
            .zip(alert.told_at)
            .is_some_and(|(after, at)| now - at >= after)
        {
            tell = Some(Told::Reminder);
        }
    }
    if tell.is_some() {
        alert.told_at = Some(now);
        alert.tellings += 1;
    }
    alert.evaluated_at = now.max(before.evaluated_at);
    Some(Step {
        alert,
        transitions,
        tell,
    })
}

/// A person acknowledges: the alert stays true, reminders stop until `until`.
#[must_use]
pub fn acknowledge(before: &Alert, until: DateTime<Utc>, by: &str, reason: &str, now: DateTime<Utc>) -> Option<Step> {
    if !before.state.is_active() {
        return None;
    }
    let why = if reason.is_empty() {
        format!("acknowledged by {by}")
    } else {
        format!("acknowledged by {by}: {reason}")
    };
    let told = if before.told_firing {
        Some(Told::Acknowledged)
    } else {
        None
    };
    let mut step = moved(before, State::Acknowledged, &why, told, now);
    step.alert.acknowledged = Some((until, by.to_owned()));
    Some(step)
}

/// A person resolves: it comes back only if the condition is seen anew.
#[must_use]
pub fn resolve(before: &Alert, by: &str, reason: &str, now: DateTime<Utc>) -> Option<Step> {
    if before.state == State::Resolved {
        return None;
    }
    let told = if before.told_firing { Some(Told::Resolved) } else { None };
    let mut step = moved(
        before,
        State::Resolved,
        &format!("resolved by {by}: {reason}"),
        told,
        now,
    );
    step.alert.dismissed = true;
    Some(step)
}

fn moved(before: &Alert, to: State, reason: &str, tell: Option<Told>, now: DateTime<Utc>) -> Step {
    let mut alert = before.clone();
    alert.state = to;
    if tell.is_some() {
        alert.told_at = Some(now);
        alert.tellings += 1;
    }
    let transition = Transition {
        alert_id: alert.id.clone(),
        at: now,
        from: Some(before.state),
        to,
        reason: reason.to_owned(),
    };
    Step {
        alert,
        transitions: vec![transition],
        tell,
    }
}

/// The verdict on a value against its threshold: clear only below `clear_below`, which is the threshold itself or, for
/// forecasts, 5 points lower.
#[must_use]
pub fn verdict(value: Decimal, threshold: Decimal, clear_below: Decimal, cleared: &'static str) -> Verdict {
    if value >= threshold {
        Verdict::Above
    } else if value >= clear_below {
        Verdict::Within
    } else {
        Verdict::Clear(cleared)
    }
}
