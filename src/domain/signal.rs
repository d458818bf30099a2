//! What a provider itself says about spend: anomalies that it found, budgets that it keeps, its own forecast.
//!
//! These are witnesses beside our own figures, never their replacement.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::money::Currency;
use super::period::Period;

/// An anomaly that the provider found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAnomaly {
    /// The provider's id, for feedback.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// When it began.
    pub start: DateTime<Utc>,
    /// The first instant after it; none while it goes on.
    pub end: Option<DateTime<Utc>>,
    /// What it cost beyond what was expected, so far.
    pub impact: Decimal,
    /// What was spent.
    pub actual: Option<Decimal>,
    /// What was expected.
    pub expected: Option<Decimal>,
    /// Where it comes from, the greatest part first: `Amazon Bedrock · us-east-1 · 123456789012 · USE1-…`.
    pub causes: Vec<String>,
    /// What a person said about it: `YES`, `NO`, `PLANNED_ACTIVITY`.
    pub feedback: Option<String>,
}

/// A budget that the provider keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderBudget {
    /// Its name.
    pub name: String,
    /// The account that it is in.
    pub account: String,
    /// The amount.
    pub limit: Decimal,
    /// What the provider counts as spent; none where it has not said so yet.
    pub actual: Option<Decimal>,
    /// What the provider expects to be spent.
    pub forecast: Option<Decimal>,
    /// Of all three.
    pub currency: Currency,
    /// The part of its time that it counts: the one that ran when the provider was asked; the first where it had not begun, the last where it had
    /// ended.
    pub period: Option<Period>,
    /// The same as the calendar has it, by which its alerts are known; none in answers that were kept earlier, whose period is that.
    #[serde(default)]
    pub calendar: Option<Period>,
    /// When it was made or changed last, where the provider says so.
    #[serde(default)]
    pub changed_at: Option<DateTime<Utc>>,
    /// Services that it is filtered by; empty: not by service.
    pub services: Vec<String>,
    /// Whether it is filtered by anything else, of which we do not know what it leaves.
    pub filtered: bool,
    /// Whether it leaves out credits and refunds, so that they take nothing off what was used.
    #[serde(default)]
    pub gross: bool,
}

impl ProviderBudget {
    /// Whether it is about `now`: an answer that was kept may be about the period before.
    #[must_use]
    pub fn is_current(&self, now: DateTime<Utc>) -> bool {
        self.period.is_none_or(|period| period.contains(now))
    }

    /// Whether the provider counts at least its amount as spent.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        !self.limit.is_zero() && self.actual.is_some_and(|actual| actual >= self.limit)
    }
}

/// The provider's forecast of the rest of the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderForecast {
    /// The account that was asked.
    pub account: String,
    /// What is still to come.
    pub mean: Decimal,
    /// Bounds of the interval, where the provider gives them.
    pub bounds: Option<(Decimal, Decimal)>,
    /// Of all three.
    pub currency: Currency,
    /// What it is about: from now on, to the end of the month.
    pub period: Period,
}

/// Everything that a provider said at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When a part that could not be asked was tried last.
    #[serde(default)]
    pub tried_at: Option<DateTime<Utc>>,
    /// Requests that were paid for.
    pub paid_requests: u64,
    /// Anomalies, the newest first.
    pub anomalies: Vec<ProviderAnomaly>,
    /// Budgets by name.
    pub budgets: Vec<ProviderBudget>,
    /// The forecast, where there is one.
    pub forecast: Option<ProviderForecast>,
    /// What could not be asked, and why. What is unknown resolves nothing.
    pub unknown: Vec<String>,
    /// What is not asked, since the settings say so: [`ANOMALIES`], [`BUDGETS`], [`FORECAST`].
    #[serde(default)]
    pub off: Vec<String>,
}

/// The parts of what a provider is asked: its anomalies.
pub const ANOMALIES: &str = "anomalies";
/// Its budgets.
pub const BUDGETS: &str = "budgets";
/// Its forecast.
pub const FORECAST: &str = "forecast";

impl Signals {
    /// Whether a part could not be asked.
    #[must_use]
    pub fn is_unknown(&self, part: &str) -> bool {
        self.unknown.iter().any(|why| why.starts_with(part))
    }
}
