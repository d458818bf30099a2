//! Alerts and their lifecycle, as one pure function.
//!
//! Two axes: the *state* (pending → firing → acknowledged → resolved) and the *suppression* (a silence, or a graver alert
//! that says the same). A suppressed alert lives on; it is only not told. What it would have told in the meantime is owed, so
//! that nobody is left believing that something still fires.

mod step;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use step::{APART, acknowledge, resolve, step};

use super::glob::glob_matches;
use super::notification::{Fact, Severity, Told};
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
    /// Since when it is pending or, once it is confirmed, since when it fires, this time.
    pub opened_at: DateTime<Utc>,
    /// When it was last evaluated.
    pub evaluated_at: DateTime<Utc>,
    /// The first instant, of evaluations as of one before `evaluated_at`, since the last that was not: they change nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<DateTime<Utc>>,
    /// When it was last told.
    pub told_at: Option<DateTime<Utc>>,
    /// Whether people believe that it fires: they were told so, and not since that it is over.
    #[serde(default)]
    pub told_firing: bool,
    /// A telling that is due as soon as nothing suppresses it: that it is over, or that nobody looks after it any more.
    #[serde(default)]
    pub owed: Option<Told>,
    /// The channels that were told that it fires: they are told how it goes on, whatever the policy says by then, as long as one of
    /// them is configured.
    #[serde(default)]
    pub told_to: Vec<String>,
    /// A person called it over while its condition held: it stays over until the condition was seen to be gone.
    #[serde(default)]
    pub dismissed: bool,
    /// Messages decided so far: numbers them.
    pub tellings: u64,
    /// Until when it is acknowledged, and by whom.
    pub acknowledged: Option<(DateTime<Utc>, String)>,
    /// The amount of the budget that it was measured against last; nothing where there is none.
    #[serde(default)]
    pub against: Option<Decimal>,
    /// The definition of that budget ([`crate::domain::budget::Budget::definition`]).
    #[serde(default)]
    pub definition: Option<String>,
    /// What it was told to cost at most; nothing where nothing is.
    #[serde(default)]
    pub told_cost: Option<Decimal>,
    /// Title at the last evaluation.
    pub title: String,
    /// The figures as they were told last.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// When these were so; nothing where an earlier version told them.
    #[serde(default)]
    pub figures_at: Option<DateTime<Utc>>,
    /// Further lines as they were told last.
    #[serde(default)]
    pub lines: Vec<String>,
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

/// How a suppression by a silence begins, as against one by a graver alert.
const SILENCED: &str = "silenced";

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
    /// What an alert says that it suppresses.
    #[must_use]
    pub fn text(&self) -> String {
        let until = self.until.format("%Y-%m-%d %H:%M UTC");
        format!("{SILENCED} by {} until {until}: {}", self.by, self.reason)
    }

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
    /// Whether later evaluations have to look at it whatever its period: it is not over, or its end is still to be told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != State::Resolved || self.owed.is_some()
    }

    /// The same with the suppression that holds at `now`: silences come and go between evaluations, what a graver alert
    /// mutes is known from the last one.
    #[must_use]
    pub fn under(mut self, silences: &[Silence], now: DateTime<Utc>) -> Self {
        let inhibited = self.suppressed.take().filter(|s| !s.starts_with(SILENCED));
        let silence = silences.iter().find(|s| s.mutes(&self.policy, now));
        self.suppressed = silence.map(Silence::text).or(inhibited);
        self
    }

    /// The same about another period that begins at the same instant, such as the month after the day that a budget was for: what was
    /// told and done about one of them says nothing of the other.
    #[must_use]
    pub fn told_apart_by_its_end(&self) -> Self {
        Alert {
            id: digest(&["alert", &self.id, &self.period.end.to_rfc3339()]),
            ..self.clone()
        }
    }

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
            behind_since: None,
            told_at: None,
            told_firing: false,
            owed: None,
            told_to: Vec::new(),
            dismissed: false,
            tellings: 0,
            acknowledged: None,
            against: None,
            definition: None,
            told_cost: None,
            title: String::new(),
            facts: Vec::new(),
            figures_at: None,
            lines: Vec::new(),
        }
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
