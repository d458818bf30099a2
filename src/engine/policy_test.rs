//! Runs a test of a policy through the evaluation that `finops run` makes.

use rust_decimal::Decimal;

use super::collect::Complete;
use super::evaluate::{BudgetStatus, evaluate};
use crate::domain::alert::{Alert, State};
use crate::domain::budget::{Budget, Threshold};
use crate::domain::policy_test::{PolicyTest, Standing};
use crate::ports::{AlertStore, Ledger, StoreError};

/// Something that is not as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// What: a threshold, `spent`, `forecast`.
    pub what: String,
    /// What the test expects.
    pub expected: String,
    /// What is so.
    pub found: String,
}

/// What a test found.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Where the budget stands at the last evaluation.
    pub status: Option<BudgetStatus>,
    /// What is not as expected; empty: passed.
    pub differences: Vec<Difference>,
}

/// Runs a test on a ledger that holds its spend and nothing else, and an empty store.
pub fn run(
    test: &PolicyTest,
    budget: &Budget,
    ledger: &mut dyn Ledger,
    store: &mut dyn AlertStore,
) -> Result<Outcome, StoreError> {
    let mut status = None;
    for now in &test.evaluations {
        let evaluated = evaluate(std::slice::from_ref(budget), &[], ledger, store, Complete::ALL, *now)?;
        status = evaluated.statuses.into_iter().next();
    }
    let alerts = store.alerts(None)?;
    let mut differences = Vec::new();
    let mut compare = |what: String, expected: String, found: String| {
        if expected != found {
            differences.push(Difference { what, expected, found });
        }
    };
    if let Some(status) = &status {
        for threshold in &budget.thresholds {
            let expected = test.expect.iter().find(|e| e.is_of(threshold));
            let expected = expected.map_or(Standing::None, |e| e.standing);
            let found = standing(&alerts, status, threshold);
            compare(name(threshold), expected.name().to_owned(), found.name().to_owned());
        }
        if let Some(spent) = test.spent {
            compare("spent".to_owned(), shown(spent), shown(status.spent));
        }
        if let Some(expected) = test.forecast {
            let found = status.forecast.as_ref().map(|f| f.end.round_dp(expected.scale()));
            let found = found.map_or_else(|| "none".to_owned(), shown);
            compare("forecast".to_owned(), shown(expected), found);
        }
    }
    let ladder: Vec<String> = budget.thresholds.iter().map(name).collect();
    for unknown in test
        .expect
        .iter()
        .filter(|e| !budget.thresholds.iter().any(|t| e.is_of(t)))
    {
        compare(
            format!("{} % {}", unknown.percent.normalize(), unknown.kind.name()),
            unknown.standing.name().to_owned(),
            format!("no such threshold: there are {}", ladder.join(", ")),
        );
    }
    Ok(Outcome { status, differences })
}

fn standing(alerts: &[Alert], status: &BudgetStatus, threshold: &Threshold) -> Standing {
    let kind = format!("budget_{}", threshold.kind.name());
    let name = name(threshold);
    let alert = alerts
        .iter()
        .find(|a| a.kind == kind && a.threshold == name && a.period == status.period);
    match alert {
        Some(alert) if alert.state == State::Pending => Standing::Pending,
        Some(alert) if alert.state.is_active() && alert.suppressed.is_some() => Standing::Suppressed,
        Some(alert) if alert.state.is_active() => Standing::Firing,
        Some(_) | None => Standing::None,
    }
}

/// A threshold as alerts name it.
fn name(threshold: &Threshold) -> String {
    format!("{} % {}", threshold.percent.normalize(), threshold.kind.name())
}

fn shown(amount: Decimal) -> String {
    amount.normalize().to_string()
}
