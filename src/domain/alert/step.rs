//! The lifecycle: what an evaluation or a person does to an alert, as pure functions.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Alert, Behaviour, State, Step, Transition, Verdict};
use crate::domain::notification::Told;

/// How much earlier than after its time a reminder may come, at most.
const LEEWAY: TimeDelta = TimeDelta::minutes(30);

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
    if let Some(alert) = seen_from_the_past(before, now) {
        return Some(Step {
            alert,
            transitions: Vec::new(),
            tell: None,
        });
    }
    let mut alert = before.clone();
    let mut transitions = Vec::new();
    let known = before.version > 0;
    // Of what is not measured against a budget the threshold may be a least.
    let seen = if before.kind.starts_with("budget_") {
        "the threshold is passed"
    } else {
        "the condition holds"
    };
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
        // Another host, whose clock is a little ahead, has told that its period is over.
        (State::Resolved, Verdict::Above) if told_by_a_clock_ahead(before, now) => return None,
        (State::Resolved, Verdict::Above) if !before.dismissed => {
            alert.opened_at = now;
            alert.confirmations = 1;
            // Whoever was not told yet that it was over need not be told that it is not.
            alert.told_firing = before.told_firing && before.owed.is_some();
            (alert.owed, alert.acknowledged) = (None, None);
            let to = if behaviour.confirmations > 1 {
                State::Pending
            } else {
                State::Firing
            };
            go(&mut alert, to, seen);
        }
        (State::Resolved, Verdict::Clear(_)) if before.dismissed => alert.dismissed = false,
        (State::Resolved, _) if before.owed.is_some() => {}
        (State::Resolved, _) => return None,
        (State::Pending, Verdict::Above) if now != before.evaluated_at => {
            alert.confirmations += 1;
            if alert.confirmations >= behaviour.confirmations {
                alert.opened_at = now;
                go(&mut alert, State::Firing, &format!("{seen} at evaluations in a row"));
            }
        }
        // Evaluated twice at one instant: one observation.
        (State::Pending, Verdict::Above | Verdict::Unknown) => {}
        (State::Pending, Verdict::Within | Verdict::Clear(_)) => go(&mut alert, State::Resolved, "it did not last"),
        (State::Pending | State::Firing | State::Acknowledged, Verdict::Over(reason))
        | (State::Firing | State::Acknowledged, Verdict::Clear(reason)) => go(&mut alert, State::Resolved, reason),
        (State::Acknowledged, Verdict::Above | Verdict::Within | Verdict::Unknown) => {
            if before.acknowledged.as_ref().is_none_or(|(until, _)| *until <= now) {
                alert.acknowledged = None;
                go(&mut alert, State::Firing, "the acknowledgement has expired");
                // Told even where reminders are off: whoever looked after it no longer does.
                alert.owed = alert.told_firing.then_some(Told::Reminder);
            }
        }
        (State::Firing, Verdict::Above | Verdict::Within | Verdict::Unknown) => {}
    }
    if before.state != State::Resolved && alert.state == State::Resolved {
        alert.owed = alert.told_firing.then_some(Told::Resolved);
    }
    // A clock that was ahead once must not hold back what is due until it is that late again.
    let believed_since = before.behind_since.filter(|_| now < before.evaluated_at);
    alert.told_at = before.told_at.map(|at| at.min(believed_since.unwrap_or(now)));
    alert.suppressed = suppressed;
    alert.behind_since = None;
    let tell = due(&alert, verdict, behaviour, now);
    settle(&mut alert, tell, now);
    alert.evaluated_at = now;
    Some(Step {
        alert,
        transitions,
        tell,
    })
}

/// How long evaluations go on by an earlier clock before that is believed, and the later one was ahead.
const BELIEVED: TimeDelta = TimeDelta::days(1);

/// The alert as it is, where it was evaluated as of a later instant already: what was spent by then is not there yet, seen from a past that
/// is looked at again or by a clock that is behind, so that nothing is over, and what was told need not be told again.
fn seen_from_the_past(before: &Alert, now: DateTime<Utc>) -> Option<Alert> {
    // What was not confirmed yet is told to nobody, and what is over may come back.
    let stays = before.state.is_active() || before.owed.is_some() || before.dismissed;
    if now >= before.evaluated_at || !stays {
        return None;
    }
    let since = before.behind_since.filter(|since| *since <= now).unwrap_or(now);
    (now - since < BELIEVED).then(|| Alert {
        behind_since: Some(since),
        ..before.clone()
    })
}

/// How far clocks of hosts that share a store are apart at most.
pub const APART: TimeDelta = TimeDelta::hours(1);

/// Whether it was told that its period is over, at an instant that is yet to come.
fn told_by_a_clock_ahead(before: &Alert, now: DateTime<Utc>) -> bool {
    let end = before.period.end;
    now < end && before.told_at.is_some_and(|at| at >= end && at - now <= APART)
}

/// What an alert has to tell now, if anything.
fn due(alert: &Alert, verdict: &Verdict, behaviour: Behaviour, now: DateTime<Utc>) -> Option<Told> {
    if alert.suppressed.is_some() {
        return None;
    }
    // What stands below its threshold, whether it is over is known or not, is no news.
    let holds = !matches!(verdict, Verdict::Within | Verdict::Unknown);
    let reminded = || {
        // Runs come some seconds or minutes earlier or later than a day before.
        let since = behaviour.remind_after.zip(alert.told_at);
        holds && since.is_some_and(|(after, at)| now - at >= after - (after / 10).min(LEEWAY))
    };
    match alert.state {
        State::Firing if !alert.told_firing => holds.then_some(Told::Firing),
        State::Firing if alert.owed.is_some() || reminded() => Some(Told::Reminder),
        State::Resolved => alert.owed,
        State::Pending | State::Firing | State::Acknowledged => None,
    }
}

/// Notes what is told, so that it is told once.
fn settle(alert: &mut Alert, tell: Option<Told>, now: DateTime<Utc>) {
    let Some(told) = tell else { return };
    alert.owed = None;
    alert.told_firing = told != Told::Resolved;
    alert.told_at = Some(now);
    alert.tellings += 1;
}

/// A person acknowledges: the alert stays true, reminders stop until `until`.
#[must_use]
pub fn acknowledge(before: &Alert, until: DateTime<Utc>, by: &str, reason: &str, now: DateTime<Utc>) -> Option<Step> {
    if !before.state.is_active() {
        return None;
    }
    let mut why = format!("acknowledged by {by} until {}", until.format("%Y-%m-%d %H:%M UTC"));
    if !reason.is_empty() {
        why.push_str(&format!(": {reason}"));
    }
    let mut alert = before.clone();
    alert.acknowledged = Some((until, by.to_owned()));
    alert.owed = None;
    Some(moved(alert, State::Acknowledged, &why, Told::Acknowledged, now))
}

/// A person resolves: it comes back only if the condition is seen anew.
#[must_use]
pub fn resolve(before: &Alert, by: &str, reason: &str, now: DateTime<Utc>) -> Option<Step> {
    if before.state == State::Resolved {
        return None;
    }
    let mut alert = before.clone();
    alert.dismissed = true;
    alert.owed = before.told_firing.then_some(Told::Resolved);
    let why = format!("resolved by {by}: {reason}");
    Some(moved(alert, State::Resolved, &why, Told::Resolved, now))
}

/// Moves an alert by hand. Told are those who believe that it fires, unless it is suppressed.
fn moved(mut alert: Alert, to: State, reason: &str, told: Told, now: DateTime<Utc>) -> Step {
    let transition = Transition {
        alert_id: alert.id.clone(),
        at: now,
        from: Some(alert.state),
        to,
        reason: reason.to_owned(),
    };
    alert.state = to;
    let tell = (alert.told_firing && alert.suppressed.is_none()).then_some(told);
    settle(&mut alert, tell, now);
    Step {
        alert,
        transitions: vec![transition],
        tell,
    }
}
