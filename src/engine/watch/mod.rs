//! Alerts on other things than budgets, with the same life: pending, firing, told once, resolved when it is over.

mod coverage;
mod message;
mod provider;
mod received;
mod runs;
mod sources;
mod unpriced;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

pub use coverage::{CoveragePolicy, coverage};
pub use provider::second_witness;
pub use received::remember_received;
pub(super) use runs::{FIRST, SOURCE, remembered};
pub use runs::{RunPolicy, last_run, remember};
pub(super) use sources::failing_sources;
pub use sources::{failing, watch_sources};
pub use unpriced::UnpricedPolicy;

use super::collect::Complete;
use crate::domain::alert::{Alert, Behaviour, Silence, Step, Verdict, step};
use crate::domain::notification::{Fact, Told};
use crate::domain::signal::{ANOMALIES, BUDGETS, Signals};
use crate::ports::{AlertCommit, AlertStore, Ledger, Pricer, StoreError};

/// Times that a decision is made anew because another run changed what it was based on.
const ATTEMPTS: usize = 5;

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchPolicy {
    /// Calls without a price; none: not watched.
    pub unpriced: Option<UnpricedPolicy>,
    /// How much of each bill metering has seen; none: not watched.
    pub coverage: Option<CoveragePolicy>,
    /// The job itself.
    pub runs: RunPolicy,
    /// What providers say, by account; none: nobody is asked.
    pub signals: Vec<Signals>,
}

impl WatchPolicy {
    /// The channels that are told of alerts of a kind; none: all.
    #[must_use]
    pub fn named(&self, kind: &str) -> &[String] {
        let named = match kind {
            unpriced::KIND => self.unpriced.as_ref().map(|policy| &policy.channels),
            coverage::KIND => self.coverage.as_ref().map(|policy| &policy.channels),
            _ => None,
        };
        named.map_or(&[], Vec::as_slice)
    }
}

/// Something that holds now and that people are to be told of.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The alert, as [`Alert::new`] makes it, with its title: its identity is the condition's.
    pub alert: Alert,
    /// Channels; empty: all.
    pub channels: Vec<String>,
    /// One or two sentences: how bad, and what to do.
    pub summary: String,
    /// Labelled figures.
    pub facts: Vec<Fact>,
    /// Names to route and filter by.
    pub labels: BTreeMap<String, String>,
    /// The figures for programs.
    pub data: serde_json::Value,
    /// What it may cost at most, where it is about that: told again when it is ten times what was told.
    pub cost: Option<Decimal>,
    /// What it has cost beyond what was expected, in USD, where somebody says so: many that are told at once tell the sum.
    pub impact: Option<Decimal>,
}

/// Why an alert of something that no longer holds is over.
type Over<'a> = &'a dyn Fn(&Alert) -> &'static str;

/// What watching changed.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Alerts that changed state, with what was decided to tell.
    pub changed: Vec<(Alert, Option<Told>)>,
    /// Alerts that are firing or acknowledged now.
    pub active: Vec<Alert>,
    /// Messages put into the outbox.
    pub messages: usize,
}

/// Moves the alerts on everything that the policy names.
pub fn watch_all(
    policy: &WatchPolicy,
    pricer: &dyn Pricer,
    channels: &[String],
    ledger: &mut dyn Ledger,
    store: &mut dyn AlertStore,
    complete: Complete,
    now: DateTime<Utc>,
) -> Result<Watched, StoreError> {
    let mut all = unpriced::watch_unpriced(policy.unpriced.as_ref(), channels, ledger, store, complete.usage, now)?;
    if policy.runs.every.is_some() {
        let missed = runs::missed(&policy.runs, last_run(ledger)?, now);
        all.absorb(watch(
            runs::MISSED,
            &missed,
            &|_| runs::ON_TIME,
            channels,
            store,
            true,
            now,
        )?);
    }
    if policy.runs.stale_after.is_some() {
        let stale = runs::stale(&policy.runs, ledger, now)?;
        all.absorb(watch(
            runs::STALE,
            &stale,
            &|_| runs::FRESH,
            channels,
            store,
            true,
            now,
        )?);
    }
    let found = match &policy.coverage {
        Some(policy) => coverage(ledger, pricer, policy, now)?,
        None => Vec::new(),
    };
    all.absorb(watch(
        coverage::KIND,
        &found,
        &|_| coverage::OVER,
        channels,
        store,
        complete.bills,
        now,
    )?);
    all.absorb(watch_providers(
        &policy.signals,
        channels,
        ledger,
        store,
        complete.bills,
        now,
    )?);
    Ok(all)
}

/// Moves the alerts on what providers say. A part that could not be asked resolves nothing; of one that is switched off the alerts end,
/// with words that claim nothing.
fn watch_providers(
    signals: &[Signals],
    channels: &[String],
    ledger: &mut dyn Ledger,
    store: &mut dyn AlertStore,
    complete: bool,
    now: DateTime<Utc>,
) -> Result<Watched, StoreError> {
    let ours = store.alerts(Some(now))?;
    let anomalies: Vec<Condition> = signals.iter().flat_map(|s| provider::anomalies(s, now)).collect();
    let spent: Vec<Condition> = signals.iter().flat_map(|s| provider::spent(s, &ours, now)).collect();
    let mut dead = Vec::new();
    for one in signals {
        dead.extend(provider::dead(one, ledger, now)?);
    }
    let mut all = Watched::default();
    for (kind, conditions, part) in [
        (provider::ANOMALY, anomalies, ANOMALIES),
        (provider::BUDGET, spent, BUDGETS),
        (provider::DEAD, dead, BUDGETS),
    ] {
        let known = !signals.iter().any(|s| s.is_unknown(part));
        let off = signals.iter().all(|s| s.off.iter().any(|name| name == part));
        if off && !ours.iter().any(|alert| alert.kind == kind && alert.is_open()) {
            continue;
        }
        let why = |alert: &Alert| match off {
            true => provider::OFF,
            false => provider::over(alert, signals, now),
        };
        // Whether all was read is nothing to something that is not looked at any more.
        let whole = off || (complete && known);
        all.absorb(watch(kind, &conditions, &why, channels, store, whole, now)?);
    }
    Ok(all)
}

impl Watched {
    /// Adds what watching something else changed.
    pub fn absorb(&mut self, other: Watched) {
        self.changed.extend(other.changed);
        self.active.extend(other.active);
        self.messages += other.messages;
    }
}

/// Moves the alerts of one kind: a condition that is given holds, one that is not is over for the reason `over`.
/// `complete` says whether everything was read: with data missing nothing is resolved.
pub fn watch(
    kind: &str,
    conditions: &[Condition],
    over: Over<'_>,
    channels: &[String],
    store: &mut dyn AlertStore,
    complete: bool,
    now: DateTime<Utc>,
) -> Result<Watched, StoreError> {
    // A condition may be about a month that is over, and its alert resolved long ago: it is the same alert all the same.
    let ends = conditions.iter().map(|c| c.alert.period.end - TimeDelta::seconds(1));
    let reach = ends.min().map_or(now, |end| end.min(now));
    let mut attempt = 0;
    loop {
        let mut known = store.alerts(Some(reach))?;
        known.retain(|alert| alert.kind == kind);
        let silences = store.silences()?;
        let silenced = |alert: &Alert| {
            let silence = silences.iter().find(|s| s.mutes(&alert.policy, now));
            silence.map(Silence::text)
        };
        let (mut watched, mut commit) = (Watched::default(), AlertCommit::default());
        let mut tellings = Vec::new();
        let mut left: BTreeMap<&str, &Alert> = known.iter().map(|a| (a.id.as_str(), a)).collect();
        for condition in conditions {
            let mut before = left
                .remove(condition.alert.id.as_str())
                .unwrap_or(&condition.alert)
                .clone();
            before.title.clone_from(&condition.alert.title);
            let suppressed = silenced(&before);
            let behaviour = if condition.has_grown(&before) { AGAIN } else { ONCE };
            if let Some(mut after) = step(&before, &Verdict::Above, suppressed, behaviour, now) {
                if after.tell == Some(Told::Firing) {
                    let named = &condition.channels;
                    after.alert.told_to = if named.is_empty() { channels } else { named }.to_vec();
                }
                // Of what an earlier version told, it is not known how much it was.
                if after.tell.is_some() || (after.alert.told_firing && after.alert.told_cost.is_none()) {
                    after.alert.told_cost = condition.cost;
                }
                absorb(&mut watched, &mut commit, &mut tellings, after, Some(condition), "");
            }
        }
        for before in left.into_values().filter(|_| complete) {
            let over = over(before);
            if let Some(after) = step(before, &Verdict::Clear(over), silenced(before), ONCE, now) {
                absorb(&mut watched, &mut commit, &mut tellings, after, None, over);
            }
        }
        commit.messages = message::messages(&tellings, now);
        watched.messages = commit.messages.len();
        attempt += 1;
        match store.commit(&commit) {
            Ok(()) => return Ok(watched),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// Told when it begins and when it ends, and not again in between.
const ONCE: Behaviour = Behaviour {
    confirmations: 1,
    remind_after: None,
};

/// Told again now, unless somebody looks after it.
const AGAIN: Behaviour = Behaviour {
    confirmations: 1,
    remind_after: Some(TimeDelta::zero()),
};

/// How many times what was told it may cost before that is told again.
const GROWN: Decimal = Decimal::TEN;

impl Condition {
    /// Whether it may cost so much more than was told that nobody knows of it.
    fn has_grown(&self, before: &Alert) -> bool {
        self.cost.zip(before.told_cost).is_some_and(|(cost, told)| {
            let bound = told.checked_mul(GROWN);
            cost > told && bound.is_some_and(|bound| cost >= bound)
        })
    }
}

/// What is told of one alert.
struct Telling<'a> {
    alert: Alert,
    told: Told,
    /// What holds; nothing when it is over.
    condition: Option<&'a Condition>,
    over: &'static str,
}

fn absorb<'a>(
    watched: &mut Watched,
    commit: &mut AlertCommit,
    tellings: &mut Vec<Telling<'a>>,
    mut after: Step,
    condition: Option<&'a Condition>,
    over: &'static str,
) {
    if let Some(told) = after.tell {
        // Kept as they were told, for whoever looks at the alert later.
        if let Some(condition) = condition {
            after.alert.facts.clone_from(&condition.facts);
            after.alert.figures_at = Some(after.alert.evaluated_at);
        }
        tellings.push(Telling {
            alert: after.alert.clone(),
            told,
            condition,
            over,
        });
    }
    if after.alert.state.is_active() {
        watched.active.push(after.alert.clone());
    }
    if !after.transitions.is_empty() || after.tell.is_some() {
        watched.changed.push((after.alert.clone(), after.tell));
    }
    commit.alerts.push(after.alert);
    commit.transitions.extend(after.transitions);
}

/// One labelled figure.
fn fact(label: &str, value: String) -> Fact {
    Fact {
        label: label.to_owned(),
        value,
    }
}
