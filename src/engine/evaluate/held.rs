//! Since when budgets are as they are: nobody is held against a period that had ended before the rung was there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::status::BudgetStatus;
use crate::domain::alert::Alert;
use crate::domain::budget::{Budget, Threshold};
use crate::engine::watch::{FIRST, SOURCE, remembered};
use crate::ports::{AlertStore, Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// Where it is kept.
const KEY: &str = "budgets";

/// By rung, the second of the first run that saw it so.
type Since = BTreeMap<String, i64>;

fn kept(ledger: &mut dyn Ledger) -> Result<Option<Since>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    let body = known.get(KEY).map(|Checkpoint(body)| body.as_slice());
    Ok(body.and_then(|body| serde_json::from_slice(body).ok()))
}

fn name(definition: &str, threshold: &Threshold) -> String {
    format!(
        "{definition} {} {}",
        threshold.percent.normalize(),
        threshold.kind.name()
    )
}

/// Remembers which rungs are there. A rung that was taken away and comes back is a new one. Where it was not kept yet, the first run, what
/// was recorded before this one, and alerts on a budget say that there were runs before. To be called before anything is read.
pub fn remember_budgets(
    budgets: &[Budget],
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    alerts: &mut dyn AlertStore,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let before = kept(ledger)?;
    let (first, known) = match &before {
        Some(_) => (now, Vec::new()),
        None => {
            let recorded = ledger.span()?.map_or(now, |span| span.end);
            let first = remembered(ledger, FIRST)?.unwrap_or(now).min(recorded);
            (first, alerts.alerts(Some(now - Budget::LATEST))?)
        }
    };
    let before = before.unwrap_or_default();
    let mut since = Since::new();
    for budget in budgets {
        let definition = budget.definition();
        let of_it = |alert: &&Alert| {
            let same = alert.definition.as_ref().is_none_or(|known| *known == definition);
            alert.kind.starts_with("budget_") && alert.policy == budget.name && same
        };
        let opened = known.iter().filter(of_it).map(|alert| alert.opened_at).min();
        let none = opened.map_or(first, |at| at.min(first)).min(now).timestamp();
        for threshold in &budget.thresholds {
            let name = name(&definition, threshold);
            // Earlier versions kept it by the way in which the scope is written.
            let formerly = || before.get(&self::name(&budget.definition_as_written(), threshold));
            // A clock that was ahead once does not put it off.
            let at = before
                .get(&name)
                .or_else(formerly)
                .copied()
                .unwrap_or(none)
                .min(now.timestamp());
            since.insert(name, at);
        }
    }
    if since != before
        && let Ok(body) = serde_json::to_vec(&since)
    {
        let mut batch = RecordBatch::default();
        batch
            .checkpoints
            .push((SOURCE.to_owned(), KEY.to_owned(), Checkpoint(body)));
        ledger.record(&batch, pricer, now)?;
    }
    Ok(())
}

/// Leaves of statuses of periods that have ended the rungs that were seen before the end. Where nothing is remembered, as in a test of a
/// policy, all of them held.
pub(super) fn held(statuses: &mut [BudgetStatus], ledger: &mut dyn Ledger) -> Result<(), StoreError> {
    if !statuses.iter().any(BudgetStatus::has_ended) {
        return Ok(());
    }
    let Some(since) = kept(ledger)? else {
        return Ok(());
    };
    for status in statuses.iter_mut().filter(|status| status.has_ended()) {
        let (definition, end) = (status.budget.definition(), status.period.end.timestamp());
        status.budget.thresholds.retain(|threshold| {
            let at = since.get(&name(&definition, threshold));
            at.is_none_or(|at| *at < end)
        });
    }
    Ok(())
}
