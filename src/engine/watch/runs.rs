//! Alerts about the job itself: a run was missed, or nothing new has come in for too long.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Condition, fact};
use crate::domain::alert::Alert;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::notification::Severity;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Basis;
use crate::engine::explain::always;
use crate::ports::{Checkpoint, Ledger, RecordBatch, StoreError};

/// The kinds of these alerts.
pub const MISSED: &str = "run_missed";
/// See [`MISSED`].
pub const STALE: &str = "data_stale";

/// Why they end.
pub const ON_TIME: &str = "runs come on time again";
/// See [`ON_TIME`].
pub const FRESH: &str = "new spend has come in";

/// The checkpoints of the job itself; no source of the settings can have a name with a space at its end.
pub(in crate::engine) const SOURCE: &str = "finops run ";
const LAST: &str = "last";
pub(in crate::engine) const FIRST: &str = "first";

/// The name under which the job itself is alerted on.
pub(super) const POLICY: &str = "finops run";

/// When the job itself is alerted on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunPolicy {
    /// Runs come at least so often. A pause of twice that is a missed run.
    pub every: Option<TimeDelta>,
    /// Spend is at most so old.
    pub stale_after: Option<TimeDelta>,
    /// Sources that tell usage as sums of whole days: what they tell of today stands at its first hour, however new it is.
    pub by_days: Vec<Label>,
}

/// When the job ran before, as the ledger remembers.
pub fn last_run(ledger: &mut dyn Ledger) -> Result<Option<DateTime<Utc>>, StoreError> {
    remembered(ledger, LAST)
}

/// An instant that the job keeps under a name.
pub(in crate::engine) fn remembered(ledger: &mut dyn Ledger, key: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    let text = known.get(key).and_then(|Checkpoint(at)| std::str::from_utf8(at).ok());
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Remembers that the job ran.
pub fn remember(
    ledger: &mut dyn Ledger,
    pricer: &dyn crate::ports::Pricer,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut batch = RecordBatch::default();
    let mut keep = |key: &str, at: DateTime<Utc>| {
        let at = Checkpoint(at.to_rfc3339().into_bytes());
        batch.checkpoints.push((SOURCE.to_owned(), key.to_owned(), at));
    };
    keep(LAST, now);
    if remembered(ledger, FIRST)?.is_none() {
        keep(FIRST, last_run(ledger)?.unwrap_or(now));
    }
    ledger.record(&batch, pricer, now)?;
    Ok(())
}

/// Whether a run was missed before this one.
pub fn missed(policy: &RunPolicy, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Vec<Condition> {
    let (Some(every), Some(last)) = (policy.every, last) else {
        return Vec::new();
    };
    if now - last <= every * 2 {
        return Vec::new();
    }
    let title = format!("no run for {}, one is due every {}", span(now - last), span(every));
    let facts = vec![
        fact("Last run before", last.format("%Y-%m-%d %H:%M UTC").to_string()),
        fact("This run", now.format("%Y-%m-%d %H:%M UTC").to_string()),
    ];
    let data = serde_json::json!({ "last_run": last, "run": now, "due_every_seconds": every.num_seconds() });
    vec![condition(
        MISSED,
        "missed run",
        title,
        "Alerts of that time come late. Look at what starts the runs (cron, or the schedule and the errors of the function).",
        facts,
        data,
        now,
    )]
}

/// Days before now in which the newest spend is looked for where there is some of later, too.
const DAYS: i64 = 62;

/// The last row of a bill that stands at midnight, and the hours of those within a day.
#[derive(Default)]
struct Rows {
    midnight: Option<DateTime<Utc>>,
    within: BTreeSet<DateTime<Utc>>,
}

/// Hours of the day before that a bill by hours has at least. One by days may have some: fees have the second at which they were due.
const HOURS: usize = 12;

impl Rows {
    fn add(&mut self, hour: Hour) {
        if hour == hour.day() {
            self.midnight = self.midnight.max(Some(hour.start()));
        } else if hour != hour.folded() {
            // Days that are folded stand at an hour of theirs, whatever they were.
            self.within.insert(hour.start());
        }
    }

    /// The end of the day that its last row at midnight is of; none where rows of the day before tell that it is of an hour.
    fn day_end(&self) -> Option<DateTime<Utc>> {
        let (midnight, day) = (self.midnight?, TimeDelta::days(1));
        let is_hourly = self.within.range(midnight - day..midnight).count() >= HOURS;
        (!is_hourly).then_some(midnight + day)
    }
}

/// When the newest spend was, seen from now, looked for where that may be longer ago than `after`: a row that is dated ahead (a yearly fee, a
/// clock that was wrong) hides none. A row at midnight of a bill that tells of days is one of its whole day.
fn newest(
    by_days: &[Label],
    after: TimeDelta,
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let Some(all) = ledger.span()? else {
        return Ok(None);
    };
    let past = (all.end <= now).then_some(all.end);
    // Days only make it later.
    if past.is_some_and(|end| now - end <= after) {
        return Ok(past);
    }
    // A day that ends later than the last hour is the day of that hour; the day before tells whether a bill is one of hours.
    let from = past.map_or(now - TimeDelta::days(DAYS), |end| {
        Hour::of(end - TimeDelta::seconds(1)).day().start() - TimeDelta::days(1)
    });
    let wanted = [Dimension::Source, Dimension::Provider, Dimension::Account];
    let (mut newest, mut bills) = (None, BTreeMap::<(Label, Label), Rows>::new());
    ledger.spend_by(Period::new(from, now), &wanted, &mut |key, _| {
        let of = |dimension| key.dimensions.get(dimension);
        let end = match by_days.contains(&of(Dimension::Source)) {
            true => key.hour.day().start() + TimeDelta::days(1),
            false => key.hour.start() + TimeDelta::hours(1),
        };
        newest = newest.max(Some(end));
        if key.basis == Basis::Billed {
            // One account may be billed by days and another one by hours.
            let bill = (of(Dimension::Provider), of(Dimension::Account));
            bills.entry(bill).or_default().add(key.hour);
        }
    })?;
    let newest = bills.values().filter_map(Rows::day_end).max().max(newest);
    let newest = newest.or(past).or((all.start < from).then_some(from));
    Ok(newest.map(|end| end.min(now)))
}

/// Whether nothing new has come in for too long; where nothing ever came, since the first run.
pub fn stale(policy: &RunPolicy, ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Vec<Condition>, StoreError> {
    let Some(after) = policy.stale_after else {
        return Ok(Vec::new());
    };
    let found = newest(&policy.by_days, after, ledger, now)?;
    let Some(since) = found.or(remembered(ledger, FIRST)?) else {
        return Ok(Vec::new());
    };
    if now - since <= after {
        return Ok(Vec::new());
    }
    let at = since.format("%Y-%m-%d %H:%M UTC").to_string();
    let (title, fact) = match found {
        Some(_) => (
            format!("the newest spend is {} old", span(now - since)),
            fact("Newest spend", at),
        ),
        None => (
            format!("no spend has come in since the first run, {} ago", span(now - since)),
            fact("First run", at),
        ),
    };
    let facts = vec![fact];
    let data = serde_json::json!({ "newest": found, "run": now, "stale_after_seconds": after.num_seconds() });
    let summary =
        "Budgets are evaluated on old figures. Look at the sources: a path, a role or a permission may have changed.";
    Ok(vec![condition(STALE, "stale data", title, summary, facts, data, now)])
}

pub(super) fn condition(
    kind: &str,
    threshold: &str,
    title: String,
    summary: &str,
    facts: Vec<crate::domain::notification::Fact>,
    data: serde_json::Value,
    now: DateTime<Utc>,
) -> Condition {
    let for_ever = Period::new(DateTime::UNIX_EPOCH, always().end);
    let severity = Severity::Warning;
    let mut alert = Alert::new(
        POLICY,
        kind,
        threshold.to_owned(),
        "the job",
        "clock",
        for_ever,
        severity,
        now,
    );
    alert.title = title;
    Condition {
        alert,
        channels: Vec::new(),
        summary: summary.to_owned(),
        facts,
        labels: BTreeMap::new(),
        data,
        cost: None,
        impact: None,
    }
}

pub(super) fn span(of: TimeDelta) -> String {
    match of.num_hours() {
        0 => format!("{} min", of.num_minutes()),
        hours @ 1..=72 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}
