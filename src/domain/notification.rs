//! What people are told: a snapshot of what was true when it was decided. Delivery never looks anything up.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How urgent a message is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know: a resolved alert.
    Info,
    /// Needs a look today: a forecast above budget.
    Warning,
    /// Needs a look now: a budget is spent.
    Critical,
}

/// Which step of an alert's life a message tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The alert began to fire.
    Firing,
    /// It still fires, nobody acknowledged it.
    Reminder,
    /// Someone acknowledged it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Told::Firing => "firing",
            Told::Reminder => "reminder",
            Told::Acknowledged => "acknowledged",
            Told::Resolved => "resolved",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        })
    }
}

/// One labelled figure of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// What it is, such as `Spent`.
    pub label: String,
    /// Its value for people, such as `$1,240.00 of $2,000.00 (62 %)`.
    pub value: String,
}

/// One message for one channel.
///
/// All text is plain, without any channel's markup; each channel escapes it its own way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// Identity of the message: the same for every attempt to deliver it, so that a receiver can drop a repetition.
    /// Derived from alert, step and channel.
    pub id: String,
    /// The channel it goes to, by its configured name.
    pub channel: String,
    /// The alert it tells of; also the thread that groups its messages.
    pub alert_id: String,
    /// The step it tells.
    pub told: Told,
    /// Urgency.
    pub severity: Severity,
    /// What kind of alert: `budget_actual`, `budget_forecast`, `anomaly`, …
    pub kind: String,
    /// One line: what happened to whom.
    pub title: String,
    /// One or two sentences: how bad, and what to do.
    pub summary: String,
    /// Labelled figures, most important first.
    pub facts: Vec<Fact>,
    /// Further lines, such as the biggest contributors and what is unpriced.
    pub lines: Vec<String>,
    /// Who owns what is alerted on.
    pub owner: Option<String>,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// Names to route and filter by: `budget`, `team`, `period`, …
    pub labels: BTreeMap<String, String>,
    /// The same figures for programs: money as decimal strings, instants as RFC 3339.
    pub data: serde_json::Value,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// A test message: marked as such wherever it is shown.
    pub test: bool,
}

impl Notification {
    /// As of when it is true: it may have waited for its channel.
    #[must_use]
    pub fn as_of(&self) -> String {
        self.decided_at.format("as of %Y-%m-%d %H:%M UTC").to_string()
    }

    /// How many alerts it tells of, where it is one message for many that came at once.
    #[must_use]
    pub fn of_many(&self) -> Option<u64> {
        let data = &self.data;
        data.get("alerts").filter(|alerts| alerts.is_array())?;
        data.get("count")?.as_u64()
    }

    /// What it is about, for who wants to do something with it: `alert 3f9c…`, or the command that lists the many.
    #[must_use]
    pub fn about(&self) -> String {
        match self.of_many() {
            Some(count) => format!("{count} alerts: `{}`", self.in_full()),
            None => format!("alert {}", self.alert_id),
        }
    }

    /// The command that shows all that it tells of.
    #[must_use]
    pub fn in_full(&self) -> String {
        match self.of_many() {
            Some(_) if self.told == Told::Resolved => "finops alert list --all".to_owned(),
            Some(_) => "finops alert list".to_owned(),
            None => format!("finops alert show {}", self.alert_id),
        }
    }

    /// Whether somebody can take it over: it goes on, and is not a test.
    #[must_use]
    pub fn can_be_acknowledged(&self) -> bool {
        matches!(self.told, Told::Firing | Told::Reminder) && !self.test
    }
}
