//! What figures say of a threshold, and how its alert behaves.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::status::BudgetStatus;
use crate::domain::alert::{Alert, Behaviour, State, Verdict, verdict};
use crate::domain::budget::{BudgetPeriod, Threshold, ThresholdKind};
use crate::domain::money::add_most;

/// Percentage points below its threshold at which a forecast alert is over. Forecasts waver; alerts must not.
const HYSTERESIS: u32 = 5;

/// Why an alert is over whatever the figures say.
pub(super) const ENDED: &str = "the period has ended";

/// Why an alert is over whose budget is there, and about something else.
pub(super) const CHANGED: &str = "the budget was changed";

/// Why an alert on a forecast is over of which nothing is left to make one of.
const BARE: &str = "nothing of it is recorded any more";

/// How the alert of a threshold behaves.
pub(super) fn behaviour(status: &BudgetStatus, kind: ThresholdKind) -> Behaviour {
    let hours = status.budget.remind_every_hours;
    Behaviour {
        // A forecast must hold at two evaluations in a row; what is spent is spent.
        confirmations: if kind == ThresholdKind::Forecast { 2 } else { 1 },
        remind_after: (hours > 0).then(|| TimeDelta::hours(i64::from(hours))),
    }
}

/// What mutes the lower rungs of one budget, as far as its ladder was gone down: actual ones first, each from the highest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Muting {
    /// The highest actual rung that fires.
    spent: Option<Decimal>,
    /// The highest rung of a forecast that fires.
    expected: Option<Decimal>,
}

impl Muting {
    /// A rung fires, or was called over by somebody who has heard of it.
    pub(super) fn fires(&mut self, threshold: &Threshold) {
        let slot = match threshold.kind {
            ThresholdKind::Actual => &mut self.spent,
            ThresholdKind::Forecast => &mut self.expected,
        };
        *slot = (*slot).max(Some(threshold.percent));
    }

    /// Why a rung is muted, if it is.
    pub(super) fn of(&self, status: &BudgetStatus, threshold: &Threshold, before: &Alert) -> Option<&'static str> {
        const HIGHER: &str = "inhibited: a higher threshold is passed";
        let reaches = |mark: Option<Decimal>| mark.is_some_and(|percent| percent >= threshold.percent);
        match threshold.kind {
            ThresholdKind::Actual => reaches(self.spent).then_some(HIGHER),
            // What is spent is told: nobody needs to hear that as much is to be expected. Where a lower rung told it, it may have been less
            // then: of a height that was told in no way yet that is not enough.
            ThresholdKind::Forecast
                if reaches(self.spent)
                    || (before.told_firing && reaches(self.spent.and(Some(status.exact_percent(status.spent))))) =>
            {
                Some("inhibited: the budget is already spent")
            }
            ThresholdKind::Forecast => reaches(self.expected).then_some(HIGHER),
        }
    }
}

/// Whether it is a recurring period that has ended: the budget is about the next one by now.
pub(super) fn is_late(status: &BudgetStatus) -> bool {
    status.has_ended() && matches!(status.budget.period, BudgetPeriod::Calendar(_))
}

/// What the figures say of a threshold, whose alert stood so `before`.
pub(super) fn judge(status: &BudgetStatus, threshold: &Threshold, before: &Alert, complete: bool) -> Verdict {
    if !status.period.contains(status.now) {
        let lately = status.has_ended() && status.now - status.period.end < status.budget.late();
        // What came in late: it is told once, and over at the next evaluation. What fired before ends here.
        let unseen =
            before.version == 0 || (before.state == State::Resolved && before.evaluated_at < status.period.end);
        let is_above = status.exact_percent(status.spent) >= threshold.percent;
        return if threshold.kind == ThresholdKind::Actual && lately && unseen && is_above {
            Verdict::Above
        } else {
            Verdict::Over(ENDED)
        };
    }
    let cleared = |otherwise| changed(status, before).unwrap_or(otherwise);
    let found = match threshold.kind {
        ThresholdKind::Actual => verdict(
            status.exact_percent(status.spent),
            threshold.percent,
            threshold.percent,
            cleared("spend was restated below the threshold"),
        ),
        ThresholdKind::Forecast => match &status.forecast {
            Some(f) => {
                let clear = threshold.percent - Decimal::from(HYSTERESIS);
                verdict(
                    status.exact_percent(f.end),
                    threshold.percent,
                    clear,
                    cleared("the forecast has fallen below the threshold"),
                )
            }
            // What was recorded was taken back, such as a bill: nothing is expected of nothing.
            None if status.is_bare => Verdict::Over(BARE),
            None => Verdict::Unknown,
        },
    };
    // What has no price may be what is missing below the threshold, unless it is the budget that is another one. That holds what was told:
    // what is pending or over is to be seen anew in what is known.
    let value = match threshold.kind {
        ThresholdKind::Actual => Some(status.spent),
        ThresholdKind::Forecast => status.forecast.as_ref().map(|f| f.end),
    };
    let holds = before.state.is_active() && changed(status, before).is_none();
    let hidden = holds && value.is_some_and(|value| may_reach(status, threshold, value));
    known(found, complete && !hidden)
}

/// Whether what calls without a price may cost brings a figure to its threshold.
fn may_reach(status: &BudgetStatus, threshold: &Threshold, value: Decimal) -> bool {
    let counted = status.budget.count_unpriced || status.unpriced_events == 0;
    let most = add_most(value, status.unpriced_worst_case);
    !counted && most.is_ok_and(|most| status.exact_percent(most) >= threshold.percent)
}

/// Missing data makes spend look smaller than it is.
pub(super) fn known(found: Verdict, complete: bool) -> Verdict {
    if complete || found == Verdict::Above {
        found
    } else {
        Verdict::Unknown
    }
}

/// What was done to the budget since its alert was measured against it, where that may be why it is over.
fn changed(status: &BudgetStatus, before: &Alert) -> Option<&'static str> {
    let was = before.against?;
    let now = status.budget.amount.amount();
    let other = before
        .definition
        .as_ref()
        .is_some_and(|definition| *definition != status.budget.definition());
    match (was < now, other || was != now) {
        (true, _) => Some("the budget was raised"),
        (false, true) => Some(CHANGED),
        (false, false) => None,
    }
}
