//! Alerts about single sources: one that cannot be read for long, and one from which nothing comes any more while others go on.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::runs::{FRESH, RunPolicy, SOURCE, STALE, condition, span};
use super::{Condition, Watched, fact, watch};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::notification::Severity;
use crate::domain::period::Period;
use crate::engine::collect::Collection;
use crate::ports::{AlertStore, Checkpoint, Ledger, Pricer, RecordBatch, StoreError};

/// The kind of the alert about a source that cannot be read.
pub const FAILED: &str = "source_failed";

/// Why it ends.
const READ: &str = "the source was read, or is not configured any more";

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

/// Moves the alerts on sources: `names` are those of the settings, `collection` is what this run read.
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
    let Some(after) = policy.stale_after else {
        return Ok(Watched::default());
    };
    let since = failing(names, collection, ledger, pricer, now)?;
    let failed = since
        .iter()
        .filter(|(_, since)| now - **since >= after)
        .map(|(name, since)| failed(name, *since, collection, now));
    let failed: Vec<Condition> = failed.collect();
    let mut all = watch(FAILED, &failed, READ, channels, store, true, now)?;
    let mut silent = silent(names, after, ledger, now)?;
    // What cannot be read is told as such, and what is told of all sources is told once.
    silent.retain(|(name, _)| !since.contains_key(name.as_str()));
    let known = store.alerts(Some(now))?;
    if known.iter().any(|alert| alert.kind == STALE && alert.state.is_active()) {
        silent.clear();
    }
    let silent: Vec<Condition> = silent.into_iter().map(|(_, condition)| condition).collect();
    all.absorb(watch(
        SILENT,
        &silent,
        FRESH,
        channels,
        store,
        collection.complete().usage,
        now,
    )?);
    Ok(all)
}

/// Since when sources fail. One that was not begun in this run is as it was.
fn failing(
    names: &[Label],
    collection: &Collection,
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
    let known = ledger.checkpoints(SOURCE)?;
    let before: BTreeMap<String, DateTime<Utc>> = known
        .get(FAILING)
        .and_then(|Checkpoint(at)| serde_json::from_slice(at).ok())
        .unwrap_or_default();
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
        &format!("source {name}"),
        format!("the source {name} cannot be read for {}", span(now - since)),
        "What it would tell is in no figure, and nothing is called over while it fails.",
        facts,
        data,
        now,
    )
}

/// Sources of the settings that told something on most days and tell nothing any more: for longer than `after`, and for much longer than
/// they ever paused.
fn silent(
    names: &[Label],
    after: TimeDelta,
    ledger: &mut dyn Ledger,
    now: DateTime<Utc>,
) -> Result<Vec<(Label, Condition)>, StoreError> {
    let from = now.checked_sub_days(Days::new(DAYS)).unwrap_or(now);
    let mut days: BTreeMap<Label, Vec<chrono::NaiveDate>> = BTreeMap::new();
    ledger.spend_by(Period::new(from, now), &[Dimension::Source], &mut |key, _| {
        let name = key.dimensions.get(Dimension::Source);
        if names.contains(&name) {
            days.entry(name).or_default().push(key.hour.start().date_naive());
        }
    })?;
    let mut found = Vec::new();
    for (name, mut days) in days {
        days.sort_unstable();
        days.dedup();
        let Some(newest) = days.last().and_then(|day| day.succ_opt()) else {
            continue;
        };
        let newest = newest.and_time(chrono::NaiveTime::MIN).and_utc();
        let pauses = days.windows(2).filter_map(|two| match two {
            [a, b] => Some(*b - *a),
            _ => None,
        });
        let longest = pauses.max().unwrap_or_default() * LONGER;
        if days.len() < KNOWN_DAYS || now - newest < after.max(longest) {
            continue;
        }
        let facts = vec![fact(
            "Newest spend",
            (newest - TimeDelta::days(1)).format("%Y-%m-%d").to_string(),
        )];
        let data = serde_json::json!({ "source": name.as_str(), "newest_before": newest, "run": now });
        let mut silent = condition(
            SILENT,
            &format!("source {name}"),
            format!("nothing comes from the source {name} since {}", span(now - newest)),
            "Others go on. Where it is meant to be quiet, acknowledge this or take it out of the settings; else look at its path, role or permission.",
            facts,
            data,
            now,
        );
        silent.alert.severity = Severity::Info;
        found.push((name, silent));
    }
    Ok(found)
}
