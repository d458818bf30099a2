//! The alert about a budget that may be spent: what has no price would, at its most, pass a threshold that what has one does not.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::judge::{exact_percent, known};
use super::status::BudgetStatus;
use super::text::amount;
use crate::domain::alert::{Alert, Verdict};
use crate::domain::budget::ThresholdKind;
use crate::domain::notification::Severity;

/// The kind of these alerts.
const KIND: &str = "budget_unpriced";

/// One for each budget and period.
pub(super) fn new_alert(status: &BudgetStatus, now: DateTime<Utc>) -> Alert {
    let budget = &status.budget;
    Alert::new(
        &budget.name,
        KIND,
        "a threshold, with what has no price".to_owned(),
        &budget.scope.text(),
        budget.basis.name(),
        status.period,
        Severity::Warning,
        now,
    )
}

/// Whether what has no price may pass an actual rung, or all of the amount where there is none, that is not passed yet.
pub(super) fn judge(status: &BudgetStatus, complete: bool) -> Verdict {
    let rungs = &status.budget.thresholds;
    let actual = rungs.iter().filter(|t| t.kind == ThresholdKind::Actual);
    let mut rungs: Vec<Decimal> = actual.map(|t| t.percent).collect();
    if rungs.is_empty() {
        rungs.push(Decimal::ONE_HUNDRED);
    }
    let spent = exact_percent(status, status.spent);
    let most = at_most(status).map_or(spent, |most| exact_percent(status, most));
    let found = match rungs.iter().any(|rung| spent < *rung && *rung <= most) {
        true => Verdict::Above,
        false => Verdict::Clear("what has no price passes no threshold more"),
    };
    known(found, complete)
}

/// What may be spent at most; nothing where what has no price counts already, or is none.
fn at_most(status: &BudgetStatus) -> Option<Decimal> {
    let worst = status.unpriced_worst_case;
    let counts = !status.budget.count_unpriced && worst > Decimal::ZERO;
    counts.then(|| status.spent.checked_add(worst)).flatten()
}

/// What happened to whom.
pub(super) fn title(status: &BudgetStatus) -> String {
    let most = at_most(status).unwrap_or(status.spent);
    format!(
        "{}: up to {} % of this {}'s budget may be spent, calls without a price included",
        status.budget.name,
        status.whole_percent(most),
        status.budget.period_name(),
    )
}

/// How bad, and what to do.
pub(super) fn summary(status: &BudgetStatus) -> String {
    format!(
        "{} of {} spent ({} %), and up to {} more by calls without a price. `finops price missing` says which, and what to write.",
        amount(status.spent, status),
        amount(status.budget.amount.amount(), status),
        status.percent(status.spent),
        amount(status.unpriced_worst_case, status),
    )
}
