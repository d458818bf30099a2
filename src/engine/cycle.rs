//! One whole run: collect → record → evaluate → alert → notify.

use std::time::Duration;

use chrono::{DateTime, Days, Utc};

use super::collect::{Collection, collect};
use super::evaluate::{Evaluation, evaluate, remember_budgets};
use super::notify::{Delivery, DeliveryLimits, DeliverySummary, Routes, deliver_routed};
use super::told_twice::{Tells, ToldTwice, any_tells_sums, first_of, lately, told_twice};
use super::watch::{WatchPolicy, failing, remember, watch_all, watch_sources};
use crate::domain::alert::Alert;
use crate::domain::budget::Budget;
use crate::domain::label::Label;
use crate::ports::{AlertsAndOutbox, Clock, Ledger, Notifier, Pricer, Progress, Retention, StoreError, UsageSource};

/// What a run works with.
pub struct Parts<'a> {
    /// Where usage comes from.
    pub sources: &'a mut [Box<dyn UsageSource>],
    /// How they tell usage.
    pub tells: Tells,
    /// Prices.
    pub pricer: &'a dyn Pricer,
    /// The record of spend.
    pub ledger: &'a mut dyn Ledger,
    /// Alerts and messages on their way.
    pub alerts: &'a mut dyn AlertsAndOutbox,
    /// What may be spent.
    pub budgets: &'a [Budget],
    /// What else is watched.
    pub watch: &'a WatchPolicy,
    /// Who can be told now.
    pub channels: &'a [Box<dyn Notifier>],
    /// Names of all configured channels: messages for one that cannot be used now wait for it.
    pub channel_names: &'a [String],
    /// Real time, for pauses between attempts.
    pub clock: &'a dyn Clock,
    /// Bounds of delivering; its time is what the run has left by then.
    pub limits: DeliveryLimits,
    /// Time for the whole run.
    pub time_budget: Duration,
    /// How long detail is kept.
    pub retention: Retention,
    /// Told of progress in reading.
    pub observer: &'a mut (dyn FnMut(&Progress) + Send),
}

/// What a run did.
#[derive(Debug)]
pub struct Cycle {
    /// Collecting and recording.
    pub collection: Collection,
    /// Budgets and alerts.
    pub evaluation: Evaluation,
    /// Telling.
    pub delivery: DeliverySummary,
    /// What was metered twice lately, as far as that can be told.
    pub told_twice: Vec<ToldTwice>,
    /// Calls whose detail has expired.
    pub expired: u64,
}

/// The share of a run's time that is kept for evaluating and telling, however much there is to read: one part in four.
const KEPT_SHARE: u32 = 4;

/// The part of a run's time in which reading may go on.
#[must_use]
pub fn time_for_reading(budget: Duration) -> Duration {
    budget - budget / KEPT_SHARE
}

/// The instant from which the age of detail is counted: no later than a day after the newest spend. What is folded away is gone for good,
/// and a clock that is ahead once must not do that to all of it.
fn seen(ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
    let newest = ledger.span()?.and_then(|span| span.end.checked_add_days(Days::new(1)));
    Ok(newest.map_or(now, |newest| newest.min(now)))
}

/// Runs once. Reading stops while there is time left to evaluate what was read and to tell; the next run goes on from there.
/// A step that is killed leaves the ledger as it was before or after it; the next run goes on from there.
pub fn cycle(parts: Parts<'_>, now: DateTime<Utc>) -> Result<Cycle, StoreError> {
    let (clock, started) = (parts.clock, parts.clock.elapsed());
    let passed = || clock.elapsed().saturating_sub(started);
    let for_reading = time_for_reading(parts.time_budget);
    let enough = || passed() >= for_reading;
    // Before anything is read: what is recorded by now is of earlier runs.
    remember_budgets(parts.budgets, parts.ledger, parts.pricer, parts.alerts, now)?;
    let mut collection = collect(
        parts.sources,
        parts.ledger,
        parts.pricer,
        now,
        parts.observer,
        None,
        &enough,
    )?;
    let complete = collection.complete();
    let names: Vec<Label> = parts.sources.iter().map(|source| source.name()).collect();
    // What is told of a budget names the sources that fail now, and none that was read again.
    let noted = failing(&names, &collection, parts.ledger, parts.pricer, now);
    let evaluated = evaluate(
        parts.budgets,
        parts.channel_names,
        parts.ledger,
        parts.alerts,
        complete,
        now,
    );
    // What fails here keeps nobody from being told what is decided.
    let others = watch_all(
        parts.watch,
        parts.pricer,
        parts.channel_names,
        parts.ledger,
        parts.alerts,
        complete,
        now,
    );
    let sources = watch_sources(
        &parts.watch.runs,
        &names,
        &collection,
        parts.channel_names,
        parts.ledger,
        parts.pricer,
        parts.alerts,
        now,
    );
    // The seed spreads the pauses of many installations; the clock's own digits do.
    let seed = parts.clock.now().timestamp_micros().unsigned_abs();
    // One attempt at least is made, even where reading one huge file took all the time.
    let left = parts.time_budget.saturating_sub(passed()).max(parts.limits.timeout);
    let limits = DeliveryLimits {
        budget: parts.limits.budget.min(left),
        ..parts.limits
    };
    let routes = Routes {
        configured: parts.channel_names,
        named: &|alert| named(parts.budgets, parts.watch, alert).to_vec(),
    };
    let delivery = Delivery {
        channels: parts.channels,
        clock: parts.clock,
        limits,
        jitter_seed: seed,
    };
    let delivery = deliver_routed(parts.alerts, &routes, delivery)?;
    let mut evaluation = evaluated?;
    noted?;
    for watched in [others?, sources?] {
        evaluation.changed.extend(watched.changed);
        evaluation.active.extend(watched.active);
        evaluation.messages += watched.messages;
    }
    if parts.watch.runs.every.is_some() || parts.watch.runs.stale_after.is_some() {
        remember(parts.ledger, parts.pricer, now)?;
    }
    let names = parts.sources.iter().map(|source| source.name());
    let told_twice = match any_tells_sums(parts.ledger, parts.tells, names)? {
        true => told_twice(
            parts.ledger,
            parts.tells,
            lately(collection.met, now),
            &[],
            parts.budgets,
        )?,
        false => Vec::new(),
    };
    let undecided = told_twice.iter().filter(|pair| !pair.is_decided);
    let told = first_of(undecided, ToldTwice::advice);
    collection.warnings.extend(told.into_iter().map(|about| (about, 1)));
    let until = seen(parts.ledger, now)?;
    let at = [now, until];
    let budgets = parts.budgets.iter();
    let divided = budgets.flat_map(|budget| at.iter().flat_map(|at| budget.divided_days(*at)));
    let expired = parts.ledger.expire(parts.retention, &divided.collect(), until)?;
    Ok(Cycle {
        collection,
        evaluation,
        delivery,
        told_twice,
        expired,
    })
}

/// The channels that the policy behind an alert names; none: all.
#[must_use]
pub fn named<'a>(budgets: &'a [Budget], watch: &'a WatchPolicy, alert: &Alert) -> &'a [String] {
    let budget = budgets
        .iter()
        .find(|b| b.name == alert.policy && alert.kind.starts_with("budget_"));
    budget.map_or_else(|| watch.named(&alert.kind), |b| &b.channels)
}
