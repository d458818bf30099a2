//! Answers of providers' administration interfaces: usage and cost in buckets of time. A bucket that is delivered again is a restatement
//! and replaces the one before; a usage bucket is identified by its period and the values that it is grouped by.

mod analytics;
mod anthropic;
mod cuts;
mod openai;
mod openai_costs;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::bills::{BillRow, CostBucket};
use super::line::{Context, Fault, LineFormat, Output};
use super::scalar::Scalar;

pub(super) use anthropic::AnthropicAdmin;
pub(super) use openai::OpenaiAdmin;

/// Whose interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// OpenAI's organization usage and costs.
    Openai,
    /// Anthropic's usage and cost reports.
    Anthropic,
}

/// What a question is about. A bucket without results does not tell by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Tokens and requests.
    Usage,
    /// Costs.
    Costs,
}

/// What one page of an answer holds.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Usage.
    pub events: Vec<UsageEvent>,
    /// Costs.
    pub buckets: Vec<CostBucket>,
    /// Starts of its buckets, also of empty ones.
    pub told: Vec<DateTime<Utc>>,
    /// Of those the ones in which something is not usable.
    pub partial: Vec<DateTime<Utc>>,
    /// Things worth telling once.
    pub warnings: Vec<&'static str>,
    /// Records that are no spend.
    pub excluded: Vec<&'static str>,
    /// What is to be told of amounts that were rounded, and of how many.
    pub rounded: Option<(String, u64)>,
    /// Parts that are not usable: the field and what is wrong with it.
    pub faults: Vec<(Option<String>, String)>,
    /// What the next page is asked with, if there is one.
    pub next: Option<String>,
}

/// Reads one page of an answer about something, given at `answered`, where `now` counts as now. What is no page is no answer: it must not pass for one that says that nothing was used.
pub(crate) fn page(
    whose: Admin,
    about: About,
    text: &str,
    answered: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Page, String> {
    #[derive(Deserialize)]
    struct Paging<'a> {
        #[serde(borrow, default)]
        data: Scalar<'a>,
        #[serde(borrow, default)]
        has_more: Scalar<'a>,
        #[serde(borrow, default)]
        next_page: Scalar<'a>,
    }
    // A list would be taken for the fields of a page in their order.
    if !text.trim_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    let paging: Paging<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if paging.data.is_null() {
        return Err("it has no `data`".to_owned());
    }
    let next = paging.next_page.str();
    if paging.has_more.is_true() && next.is_empty() {
        return Err("it has more pages and does not name the next in `next_page`".to_owned());
    }
    let mut context = Context::new(answered.max(now) + TimeDelta::days(1));
    context.fallback = Some(answered);
    let mut out = Output::default();
    let (read, told) = match whose {
        Admin::Openai => {
            let mut reader = OpenaiAdmin::of(about, now);
            (reader.record(text, 1, &mut context, &mut out), reader.told)
        }
        Admin::Anthropic => {
            let mut reader = AnthropicAdmin::of(about, now);
            (reader.record(text, 1, &mut context, &mut out), reader.told)
        }
    };
    let partial = told.iter().filter(|bucket| bucket.faults > 0);
    read.map_err(|fault| match fault.field {
        Some(field) => format!("`{field}`: {}", fault.reason),
        None => fault.reason,
    })?;
    Ok(Page {
        events: out.events,
        buckets: out.buckets,
        partial: partial.map(|bucket| bucket.start).collect(),
        told: told.iter().map(|bucket| bucket.start).collect(),
        warnings: out.warnings,
        rounded: context.rounded.told(),
        excluded: out.excluded,
        faults: out.faults.into_iter().map(|f| (f.field, f.reason)).collect(),
        // Whoever names a next page without saying whether there is one has one.
        next: (paging.has_more.is_true() || paging.has_more.is_null() && !next.is_empty()).then(|| next.to_owned()),
    })
}

/// A bucket of a live answer.
pub(super) struct Told {
    pub start: DateTime<Utc>,
    /// How many of its results are not usable.
    pub faults: usize,
}

/// The costs of a bucket before its results are read: none yet, unless it is one of costs whether it has results or not. A live answer
/// has to name its results, so that a bucket that was cut short is not taken for an empty one.
fn begun(about: Option<About>, named: bool, results: usize) -> Result<Option<Vec<BillRow>>, Fault> {
    match about {
        Some(_) if !named => Err(Fault::field("results", "missing")),
        Some(About::Costs) if results == 0 => Ok(Some(Vec::new())),
        _ => Ok(None),
    }
}

/// A year: no bucket is longer.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// The period of a bucket. Its end is a part of what it is known by, so that it would count again once a wrong one is mended.
fn period(start: DateTime<Utc>, end: &Scalar<'_>, field: &str) -> Result<Period, Fault> {
    let (end, _) = end.time(field)?;
    match end.signed_duration_since(start) {
        length if length <= TimeDelta::zero() => Err(Fault::field(field, "not after the start")),
        length if length > LONGEST => Err(Fault::field(field, "more than a year after the start")),
        _ => Ok(Period::new(start, end)),
    }
}

/// What a result is known by: a name space, and what it is grouped by.
fn identity(space: &str, keys: &[&Scalar<'_>]) -> EventId {
    let told: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
    let mut parts: Vec<&[u8]> = vec![space.as_bytes()];
    parts.extend(told.iter().map(|t| t.as_bytes()));
    EventId::of(&parts)
}

/// A usage bucket as an event: the sum of many calls. What is delivered later counts.
fn bucket_event(
    id: EventId,
    at: DateTime<Utc>,
    (provider, model): (Label, Label),
    line: u64,
    context: &Context,
) -> UsageEvent {
    let mut event = UsageEvent::new(id, at, provider, model);
    event.rank = Rank {
        authority: Rank::REPORT,
        complete: true,
        at: context.fallback.unwrap_or(at),
        line,
    };
    event
}

/// The usage of a UTC day stands at an hour that is of the same date nearly everywhere, as where the hours of old days are summed up. What is
/// told before that hour has come stands at midnight until it is told again.
fn stand(event: &mut UsageEvent, day: Option<DateTime<Utc>>, known_until: Option<DateTime<Utc>>) {
    let Some(day) = day else { return };
    let hour = Hour::of(day).folded().start();
    if known_until.is_some_and(|until| hour <= until) {
        event.at = hour;
    } else {
        // Whoever is on a side track gives way.
        event.sidechain = true;
    }
}

/// Whether this is a day of UTC.
fn is_day(start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    Hour::of(start).day().start() == start && end - start == TimeDelta::days(1)
}

/// What does not count beside a result, as a call of nothing.
fn nothing(event: &UsageEvent, id: EventId) -> UsageEvent {
    // Where it was counted before it stays there.
    let at = event.at + TimeDelta::seconds(1);
    let mut nothing = UsageEvent::new(id, at, event.provider(), event.model());
    nothing.dimensions.set(Dimension::Tier, event.tier());
    nothing.sidechain = true;
    // Above whatever is told of it, in any file.
    nothing.rank.authority = Rank::REPORT_LONG;
    nothing
}

/// A fault of a live answer with the result that it is in: nothing is kept in which anybody could look for it.
fn placed(fault: Fault, start: DateTime<Utc>, names: &[(&str, &Scalar<'_>)]) -> Fault {
    let named = names.iter().filter(|(_, name)| !name.str().is_empty());
    let named: String = named
        .map(|(what, name)| format!(", {what} `{}`", short(name.str())))
        .collect();
    Fault {
        reason: format!("{} ({}{named})", fault.reason, start.date_naive()),
        ..fault
    }
}

/// Strangers may choose the name: it is cut before it goes into a text.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// What is told of usage without a model; live it was asked for.
fn no_model(is_live: bool) -> &'static str {
    match is_live {
        true => "usage that the provider knows no model of cannot be priced",
        false => "usage without a model cannot be priced: ask for it with `group_by[]=model`",
    }
}

fn set(
    event: &mut UsageEvent,
    dimension: Dimension,
    value: &Scalar<'_>,
    field: &str,
    context: &mut Context,
) -> Result<(), Fault> {
    let label = context.label(value, field)?;
    event.dimensions.set(dimension, label);
    Ok(())
}
