//! Recording: find what is known, merge, price, and write what is new as one origin with its identities and sums.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Days, Utc};

use super::head::{Bundle, Day, Head, What};
use super::identities::{self, Origin, Place};
use super::merge::{add_segment, expired};
use super::rows::{self, Rows};
use super::store::{Draft, Store, Trouble};
use crate::domain::charge::Charge;
use crate::domain::money::add_exact;
use crate::domain::period::Hour;
use crate::domain::spend::{Sums, metered_key};
use crate::domain::usage::{Besides, EventBatch, EventId, UsageEvent};
use crate::ports::{Pricer, Recorded, StoreError};

/// Calls in detail by identity.
pub type Details = HashMap<EventId, (UsageEvent, Charge)>;

/// Where calls were recorded: those that are known.
pub fn places(store: &mut Store, head: &Head, ids: &[EventId]) -> Result<HashMap<EventId, Place>, Trouble> {
    let mut open: Vec<EventId> = ids.to_vec();
    let mut found = HashMap::new();
    // The newest entry of a call is the one that holds.
    for segment in head.segments.iter().rev() {
        if open.is_empty() {
            break;
        }
        let numbers: BTreeSet<u32> = open.iter().map(|id| identities::chunk_of(*id, segment.bits)).collect();
        let bundle = segment.chunks();
        let mut parts: Vec<(Bundle, i64)> = numbers.iter().map(|n| (bundle, i64::from(*n))).collect();
        parts.push((segment.origins(), 0));
        let bodies = store.load_parts(parts)?;
        let broken = store.broken("a segment of identities");
        let body = |part: (Bundle, i64)| {
            let gone = || part.0.keys_of(part.1).next().unwrap_or_default().0;
            bodies.get(&part).ok_or_else(|| Trouble::Gone(gone()))
        };
        let origins = identities::unpack_origins(body((segment.origins(), 0))?).map_err(&broken)?;
        let mut chunks = HashMap::new();
        for number in numbers {
            let chunk = identities::unpack(body((bundle, i64::from(number)))?).map_err(&broken)?;
            chunks.insert(number, chunk);
        }
        open.retain(|id| {
            let hit = chunks
                .get(&identities::chunk_of(*id, segment.bits))
                .and_then(|c| c.find(*id));
            let place = hit.and_then(|(origin, rank)| {
                let origin = *origins.get(usize::try_from(origin).ok()?)?;
                Some(Place { origin, rank })
            });
            match place {
                Some(place) => {
                    found.insert(*id, place);
                    false
                }
                None => true,
            }
        });
    }
    Ok(found)
}

/// The block that holds the detail of a call.
pub fn block_of(place: &Place) -> (Bundle, i64) {
    let size = u64::from(place.origin.block.max(1));
    let bundle = Bundle {
        what: What::Calls,
        stamp: place.origin.stamp,
        first: 0,
        parts: u32::try_from(place.origin.calls.div_ceil(size)).unwrap_or(u32::MAX),
        pieces: 1,
    };
    (bundle, i64::try_from(place.rank / size).unwrap_or(i64::MAX))
}

/// The detail of calls at their places, where it is still kept at `now`. DynamoDB deletes what has expired late: it is left
/// out here even while it is still there. Age is counted to a day after the newest spend at most, as where detail expires.
pub fn details(
    store: &mut Store,
    head: &Head,
    places: &HashMap<EventId, Place>,
    keep_micros: i64,
    now: DateTime<Utc>,
) -> Result<Details, Trouble> {
    let newest = head.span().and_then(|span| span.end.checked_add_days(Days::new(1)));
    let seen = newest.map_or(now, |newest| newest.min(now));
    let oldest = seen.timestamp_micros().saturating_sub(keep_micros);
    let mut wanted: BTreeMap<(Bundle, i64), Vec<(EventId, usize)>> = BTreeMap::new();
    for (id, place) in places {
        let origin = &place.origin;
        if expired(head, origin) || origin.recorded_at <= oldest {
            continue;
        }
        let inside = place.rank % u64::from(origin.block.max(1));
        let inside = usize::try_from(inside).unwrap_or(usize::MAX);
        wanted.entry(block_of(place)).or_default().push((*id, inside));
    }
    let bodies = store.load_parts(wanted.keys().copied().collect())?;
    let broken = store.broken("a block of calls");
    let mut found = Details::new();
    for (part, calls) in wanted {
        // A block that is gone has outlived the time to live it was written with: its calls are known, not more.
        let Some(body) = bodies.get(&part) else { continue };
        let block = super::calls::unpack(body).map_err(&broken)?;
        for (id, inside) in calls {
            let (event, charge) = block.get(inside).ok_or(super::bytes::Broken).map_err(&broken)?;
            found.insert(id, (UsageEvent { id, ..*event }, *charge));
        }
    }
    Ok(found)
}

/// What a run has recorded.
#[derive(Default)]
pub struct OfRun {
    /// Calls that were not known before.
    pub calls: HashSet<EventId>,
    /// What is kept beside them.
    pub besides: Besides,
}

/// What recording found out beside its outcome.
#[derive(Default)]
pub struct Outcome {
    /// For the caller.
    pub recorded: Recorded,
    /// Calls whose detail was known.
    pub known: Vec<EventId>,
    /// Calls that were not known.
    pub fresh: Vec<EventId>,
}

/// Adds observations, each call once, to the draft.
pub fn record(
    store: &mut Store,
    head: &Head,
    draft: &mut Draft,
    (batch, run): (&EventBatch, &mut OfRun),
    pricer: &dyn Pricer,
    keep_micros: i64,
    now: DateTime<Utc>,
) -> Result<Outcome, Trouble> {
    let places = places(store, head, batch.ids())?;
    let details = details(store, head, &places, keep_micros, now)?;
    let mut out = Outcome::default();
    let mut delta = Rows::new();
    let mut written: Vec<(UsageEvent, Charge)> = Vec::new();
    for event in batch.events() {
        if !places.contains_key(&event.id) {
            let charge = pricer.price(event);
            delta
                .entry(metered_key(event))
                .or_default()
                .add(&Sums::of(event, &charge))?;
            let counts = !event.is_taken_back();
            out.recorded.recorded += u64::from(counts);
            out.recorded.unpriced += u64::from(counts && !charge.is_priced());
            out.recorded.cost = add_exact(out.recorded.cost, charge.cost)?;
            out.fresh.push(event.id);
            written.push((*event, charge));
            continue;
        }
        out.recorded.duplicates += 1;
        let Some((old, old_charge)) = details.get(&event.id) else {
            continue;
        };
        out.known.push(event.id);
        let of_run = run.calls.contains(&event.id);
        let better = run.besides.join(old, of_run, batch, event);
        if better == *old {
            continue;
        }
        let charge = pricer.price(&better);
        delta
            .entry(metered_key(old))
            .or_default()
            .subtract(&Sums::of(old, old_charge))?;
        delta
            .entry(metered_key(&better))
            .or_default()
            .add(&Sums::of(&better, &charge))?;
        out.recorded.cost = add_exact(out.recorded.cost, charge.cost - old_charge.cost)?;
        written.push((better, charge));
    }
    if !written.is_empty() {
        write_calls(store, draft, written, keep_micros, now)?;
    }
    apply(store, draft, delta, false)?;
    Ok(out)
}

/// Writes calls as one origin.
pub fn write_calls(
    store: &mut Store,
    draft: &mut Draft,
    mut written: Vec<(UsageEvent, Charge)>,
    keep_micros: i64,
    now: DateTime<Utc>,
) -> Result<(), Trouble> {
    written.sort_unstable_by_key(|(event, _)| event.id);
    let Some((block, bodies)) = super::calls::blocks(&written) else {
        return Err(Trouble::Store(StoreError::Failed {
            path: format!("dynamodb:{}", store.table.name()),
            cause: "a call is larger than an item".to_owned(),
        }));
    };
    let ttl = now.timestamp().saturating_add(keep_micros / 1_000_000);
    draft.add_parts(What::Calls, bodies, Some(ttl));
    let origin = Origin {
        stamp: draft.stamp,
        calls: written.len() as u64,
        block,
        recorded_at: now.timestamp_micros(),
    };
    add_segment(store, draft, written.iter().map(|(event, _)| event.id.0), origin)
}

/// The day of an hour, since 1970-01-01.
pub fn day_of(hour: Hour) -> i64 {
    hour.0.div_euclid(24)
}

/// Adds changes to the days' sums; with `fold`, the hours of these days become one. What comes to the first hour of a day that was folded,
/// where bills have the rows of their days, stands with its sum: there is what they replace.
pub fn apply(store: &mut Store, draft: &mut Draft, mut delta: Rows, fold: bool) -> Result<(), Trouble> {
    delta.retain(|_, sums| fold || !sums.is_empty());
    let mut days: BTreeMap<i64, Rows> = BTreeMap::new();
    for (key, sums) in delta {
        days.entry(day_of(key.hour)).or_default().insert(key, sums);
    }
    let old: Vec<Bundle> = days
        .keys()
        .filter_map(|day| Some(draft.head.days.get(day)?.bundle(*day)))
        .collect();
    let bodies = store.load(old.iter().copied())?;
    let broken = store.broken("the spend of a day");
    for (day, mut rows) in days {
        let known = draft.head.days.get(&day).copied();
        let was_folded = known.is_some_and(|known| known.folded);
        if let Some(bundle) = known.map(|known| known.bundle(day)) {
            let body = bodies.get(&(bundle, day)).map(|b| b.as_slice()).unwrap_or_default();
            for (key, sums) in rows::unpack(body).map_err(&broken)? {
                rows.entry(key).or_default().add(&sums)?;
            }
            draft.drop(bundle);
        }
        if fold || was_folded {
            let mut folded = Rows::new();
            for (mut key, sums) in rows {
                if fold || key.hour == key.hour.day() {
                    key.hour = key.hour.folded();
                }
                folded.entry(key).or_default().add(&sums)?;
            }
            rows = folded;
        }
        rows.retain(|_, sums| !sums.is_empty());
        let (Some((first, _)), Some((last, _))) = (rows.first_key_value(), rows.last_key_value()) else {
            draft.head.days.remove(&day);
            continue;
        };
        let of_day = |hour: Hour| u8::try_from(hour.0.rem_euclid(24)).unwrap_or(0);
        let hours = (of_day(first.hour), of_day(last.hour));
        let bundle = draft.add(What::Day, day, &rows::pack(&rows));
        let day_entry = Day {
            stamp: bundle.stamp,
            pieces: bundle.pieces,
            folded: fold || was_folded,
            hours,
        };
        draft.head.days.insert(day, day_entry);
    }
    Ok(())
}
