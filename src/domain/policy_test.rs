//! A test of a policy: given this spend, at these instants, a budget's thresholds stand so.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::budget::{Threshold, ThresholdKind};
use super::spend::{SpendKey, Sums};

/// How a threshold stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its condition does not hold.
    None,
    /// Seen once; a forecast has to hold at two evaluations in a row before it fires.
    Pending,
    /// It fires and is told.
    Firing,
    /// It fires and is not told, since a graver alert says the same.
    Suppressed,
}

impl Standing {
    /// The name in tests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Standing::None => "none",
            Standing::Pending => "pending",
            Standing::Firing => "firing",
            Standing::Suppressed => "suppressed",
        }
    }
}

/// What is expected of one threshold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// Percent of the amount.
    pub percent: Decimal,
    /// What is compared.
    pub kind: ThresholdKind,
    /// How it stands.
    pub standing: Standing,
}

impl Expectation {
    /// Whether it is about this threshold.
    #[must_use]
    pub fn is_of(&self, threshold: &Threshold) -> bool {
        self.percent == threshold.percent && self.kind == threshold.kind
    }
}

/// One test of one budget.
#[derive(Clone, PartialEq, Debug)]
pub struct PolicyTest {
    /// What it shows, in words.
    pub name: String,
    /// The budget.
    pub budget: String,
    /// The instants at which budgets are evaluated, in order; what is expected holds after the last.
    pub evaluations: Vec<DateTime<Utc>>,
    /// The spend that there is.
    pub spend: Vec<(SpendKey, Sums)>,
    /// What is expected. A threshold that is not named is expected not to hold.
    pub expect: Vec<Expectation>,
    /// What is expected to be spent, exactly.
    pub spent: Option<Decimal>,
    /// What the forecast of the period's end is expected to be, rounded to as many decimals as are given.
    pub forecast: Option<Decimal>,
}
