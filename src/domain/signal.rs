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
    /// What the provider counts as spent.
    pub actual: Decimal,
    /// What the provider expects to be spent.
    pub forecast: Option<Decimal>,
    /// Of all three.
    pub currency: Currency,
    /// The period that runs now.
    pub period: Option<Period>,
    /// Services that it is filtered by; empty: not by service.
    pub services: Vec<String>,
    /// Whether it is filtered by anything.
    pub filtered: bool,
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
}
