//! Alerts about single sources: one that cannot be read for long, and one from which nothing comes any more while others go on.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::received::received;
use super::runs::{FRESH, RunPolicy, SOURCE, STALE, condition, span};
use super::{Condition, Watched, fact, watch};
use crate::domain::alert::Alert;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::notification::Severity;
use crate::domain::period::Period;
use crate::engine::collect::Collection;
use crate::ports::{AlertStore, Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// The kind of the alert about a source that cannot be read.
pub const FAILED: &str = "source_failed";

/// Why it ends.
const READ: &str = "it can be read again";

/// Why alerts on a source end that is not configured any more.
const GONE: &str = "it is not configured any more";

/// Why the alert on a received source ends that nothing was heard of for as long as anything is looked at.
const FORGOTTEN: &str = "nothing of it has been received for two months";

/// What to do about a silent source of the settings, and about one that is received.
const LOOK: &str = "Others go on. Where it is meant to be quiet, acknowledge this or take it out of the settings; else look at its path, role or permission.";
/// See [`LOOK`].
const LOOK_AT_SENDERS: &str = "Others go on. Where it is meant to be quiet, acknowledge this; else look at what sends to `finops serve`, which tells on standard error what it refuses.";

/// The kind of the alert about a source from which nothing comes any more.
const SILENT: &str = "source_silent";

/// Where it is kept which sources fail, and since when.
const FAILING: &str = "failing";

/// Days that are looked at.
const DAYS: u64 = 62;

/// Days with spend after which it is known how long a source pauses.
const KNOWN_DAYS: usize = 7;

/// How much longer than ever before a source may pause.
const LONGER: i32 = 3;

/// Moves the alerts on sources: `names` are those of the settings, `collection` is what this run read. What `finops serve` receives is
/// watched too: senders keep to themselves that they are refused.
#[expect(clippy::too_many_arguments, reason = "both what was read and what is kept decide")]
pub fn watch_sources(
    policy: &RunPolicy,
    names: &[Label],
    collection: &Collection,
    channels: &[String],
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    store: &mut dyn AlertStore,
    now: DateTime<Utc>,
) -> Result<Watched, StoreError> {
    let since = failing(names, collection, ledger, pricer, now)?;
    let Some(after) = policy.stale_after else {
        return Ok(Watched::default());
    };
    let gone = |alert: &Alert| !names.iter().any(|name| threshold(name.as_str()) == alert.threshold);
    let failed = since
        .iter()
        .filter(|(_, since)| now - **since >= after)
        .map(|(name, since)| failed(name, *since, collection, now));
    let failed: Vec<Condition> = failed.collect();
    let over = |alert: &Alert| if gone(alert) { GONE } else { READ };
    let mut all = watch(FAILED, &failed, &over, channels, store, true, now)?;
    let known = store.alerts(Some(now))?;
    let told: Told<'_> = known
        .iter()
        .filter(|alert| alert.kind == SILENT && alert.is_open())
        .map(|alert| (alert.threshold.as_str(), alert.opened_at.min(now)))
        .collect();
    let stale = known.iter().any(|alert| alert.kind == STALE && alert.state.is_active());
    let mut received = received(ledger)?;
    received.retain(|name| !names.contains(name));
    let days = days_of(names, &received, &told, ledger, now)?;
    let heard = |alert: &Alert| days.keys().any(|name| threshold(name.as_str()) == alert.threshold);
    let is_received = |alert: &Alert| received.iter().any(|name| threshold(name.as_str()) == alert.threshold);
    let mut silent = silent(&days, &received, after, &told, now);
    // What cannot be read is told as such, and what is told of all sources is told once. What was told before is not over for that.
    silent.retain(|(name, condition)| {
        told.contains_key(condition.alert.threshold.as_str()) || !(stale || since.contains_key(name.as_str()))
    });
    let silent: Vec<Condition> = silent.into_iter().map(|(_, condition)| condition).collect();
    let over = |alert: &Alert| match (heard(alert), is_received(alert)) {
        (true, _) => FRESH,
        (false, true) => FORGOTTEN,
        (false, false) => GONE,
    };
    all.absorb(watch(
        SILENT,
        &silent,
        &over,
        channels,
        store,
        collection.complete().usage,
        now,
    )?);
    Ok(all)
}

/// What tells the alerts on a source from those on others.
fn threshold(name: &str) -> String {
    format!("source {name}")
}

/// The sources that could not be read at the last run, and since when.
pub(in crate::engine) fn failing_sources(
    ledger: &mut dyn Ledger,
) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    let kept = known.get(FAILING);
    Ok(kept
        .and_then(|Checkpoint(at)| serde_json::from_slice(at).ok())
        .unwrap_or_default())
}

/// Since when sources fail, which is kept. One that was not begun in this run is as it was.
pub fn failing(
    names: &[Label],
    collection: &Collection,
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
    let before = failing_sources(ledger)?;
    let mut since = BTreeMap::new();
    for name in names {
        let fails = collection.failed_sources.iter().any(|failed| failed.source == *name);
        let unknown = collection
            .left
            .iter()
            .any(|left| left.source == *name && left.rest.is_none());
        let first = before.get(name.as_str()).copied();
        // A clock that was ahead once does not put it off.
        let first = first.map(|at| at.min(now));
        if fails {
            since.insert(name.to_string(), first.unwrap_or(now));
        } else if let Some(first) = first.filter(|_| unknown) {
            since.insert(name.to_string(), first);
        }
    }
    if since != before
        && let Ok(body) = serde_json::to_vec(&since)
    {
        let mut batch = RecordBatch::default();
        batch
            .checkpoints
            .push((SOURCE.to_owned(), FAILING.to_owned(), Checkpoint(body)));
        ledger.record(&batch, pricer, now)?;
    }
    Ok(since)
}

fn failed(name: &str, since: DateTime<Utc>, collection: &Collection, now: DateTime<Utc>) -> Condition {
    let why = collection
        .failed_sources
        .iter()
        .find(|failed| failed.source == Label::new(name));
    let mut facts = vec![fact("Fails since", since.format("%Y-%m-%d %H:%M UTC").to_string())];
    facts.extend(why.map(|failed| fact("Why", failed.message.clone())));
    facts.extend(why.map(|failed| fact("What to do", failed.hint.clone())));
    let data =
        serde_json::json!({ "source": name, "since": since, "run": now, "why": why.map(|failed| &failed.message) });
    condition(
        FAILED,
        &threshold(name),
        format!("the source {name} has not been readable for {}", span(now - since)),
        "What it would tell is in no figure, and nothing is called over while it fails but what ends with its period.",
        facts,
        data,
        now,
    )
}

/// The alerts on silent sources, by their threshold, with when they fell silent.
type Told<'a> = BTreeMap<&'a str, DateTime<Utc>>;

/// The days on which sources told something, of those that did, or that are `told` to be silent and stand in the settings: what is received
/// can be taken out of none.
fn days_of(
    names: &[Label],
    received: &[Label],
    told: &Told<'_>,
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<BTreeMap<Label, Vec<NaiveDate>>, StoreError> {
    let mut days: BTreeMap<Label, Vec<NaiveDate>> = BTreeMap::new();
    for name in names
        .iter()
        .filter(|name| told.contains_key(threshold(name.as_str()).as_str()))
    {
        days.insert(*name, Vec::new());
    }
    ledger.spend_by(Period::new(first_day(now), now), &[Dimension::Source], &mut |key, _| {
        let name = key.dimensions.get(Dimension::Source);
        if names.contains(&name) || received.contains(&name) {
            days.entry(name).or_default().push(key.hour.start().date_naive());
        }
    })?;
    for days in days.values_mut() {
        days.sort_unstable();
        days.dedup();
    }
    Ok(days)
}

/// From when on days are looked at.
fn first_day(now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_sub_days(Days::new(DAYS)).unwrap_or(now)
}

/// Sources that told something on most days and tell nothing any more: for longer than `after`, and for much longer than they ever paused.
/// One that was `told` before stays so until something new comes, however long that takes, and however late it is.
fn silent(
    days: &BTreeMap<Label, Vec<NaiveDate>>,
    received: &[Label],
    after: TimeDelta,
    told: &Told<'_>,
    now: DateTime<Utc>,
) -> Vec<(Label, Condition)> {
    let from = first_day(now);
    let mut found = Vec::new();
    for (name, days) in days {
        let newest = days.last().and_then(|day| day.succ_opt());
        let newest = newest.map_or(from, |day| day.and_time(NaiveTime::MIN).and_utc());
        let pauses = days.windows(2).filter_map(|two| match two {
            [a, b] => Some(*b - *a),
            _ => None,
        });
        let longest = pauses.max().unwrap_or_default() * LONGER;
        let holds = match told.get(threshold(name.as_str()).as_str()) {
            // A bill may be later than `after` at all times: what had not come by then tells that it goes on.
            Some(since) => days.is_empty() || newest <= *since - after,
            None => days.len() >= KNOWN_DAYS && now - newest >= after.max(longest),
        };
        if !holds {
            continue;
        }
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
        let facts = vec![fact(
            "Newest spend",
            match days.last() {
                Some(_) => day(newest - TimeDelta::days(1)),
                None => format!("before {}", day(from)),
            },
        )];
        let data = serde_json::json!({ "source": name.as_str(), "newest_before": newest, "run": now });
        let mut silent = condition(
            SILENT,
            &threshold(name.as_str()),
            format!("nothing has come from the source {name} for {}", span(now - newest)),
            if received.contains(name) { LOOK_AT_SENDERS } else { LOOK },
            facts,
            data,
            now,
        );
        silent.alert.severity = Severity::Info;
        found.push((*name, silent));
    }
    found
}
