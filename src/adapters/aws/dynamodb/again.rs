//! Going over what is recorded: every call of a period, and calls priced anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::bytes::Broken;
use super::head::Head;
use super::identities::{self, Place};
use super::record::{apply, block_of, day_of, details, places, write_calls};
use super::rows::{self, Rows};
use super::store::{Draft, Store, Trouble};
use crate::domain::charge::Charge;
use crate::domain::money::{Currency, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, REPRICED, Restatement, Sums, metered_key};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Pricer, Recharged, StoreError};

/// Blocks read at once while going over all calls: some megabytes.
const BLOCKS_AT_ONCE: usize = 16;

/// The place of every call: of several entries of one call the newest.
pub fn all_places(store: &mut Store, head: &Head) -> Result<HashMap<EventId, Place>, Trouble> {
    let mut found = HashMap::new();
    for segment in &head.segments {
        let (chunks, list) = (segment.chunks(), segment.origins());
        let bodies = store.load([list])?;
        let broken = store.broken("a segment of identities");
        let body = bodies.get(&(list, 0)).map(|b| b.as_slice()).unwrap_or_default();
        let origins = identities::unpack_origins(body).map_err(&broken)?;
        let bodies = store.load([chunks])?;
        for part in 0..i64::from(chunks.parts) {
            let body = bodies.get(&(chunks, part)).map(|b| b.as_slice()).unwrap_or_default();
            let chunk = identities::unpack(body).map_err(&broken)?;
            for (id, origin, rank) in chunk.places() {
                let at = usize::try_from(origin).unwrap_or(usize::MAX);
                let origin = *origins.get(at).ok_or(Broken).map_err(&broken)?;
                // Entries of one call within a segment stand in the order of their origins.
                found.insert(EventId(id), Place { origin, rank });
            }
        }
    }
    Ok(found)
}

/// Visits calls at these places whose detail is kept, block by block, until told to stop.
pub fn visit_all(
    store: &mut Store,
    head: &Head,
    places: HashMap<EventId, Place>,
    keep_micros: i64,
    now: DateTime<Utc>,
    period: Period,
    visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
) -> Result<(), Trouble> {
    let mut blocks: BTreeMap<_, Vec<(EventId, Place)>> = BTreeMap::new();
    for (id, place) in places {
        blocks.entry(block_of(&place)).or_default().push((id, place));
    }
    let mut blocks = blocks.into_values().peekable();
    while blocks.peek().is_some() {
        let some: HashMap<EventId, Place> = blocks.by_ref().take(BLOCKS_AT_ONCE).flatten().collect();
        for (event, charge) in details(store, head, &some, keep_micros, now)?.values() {
            if period.contains(event.at) && visit(event, charge).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The cost of a day from usage, in USD.
fn metered_on(store: &mut Store, head: &Head, day: i64) -> Result<Decimal, Trouble> {
    let mut sum = Decimal::ZERO;
    let Some(bundle) = head.days.get(&day).map(|d| d.bundle(day)) else {
        return Ok(sum);
    };
    let bodies = store.load([bundle])?;
    let body = bodies.get(&(bundle, day)).map(|b| b.as_slice()).unwrap_or_default();
    for (key, sums) in rows::unpack(body).map_err(store.broken("the spend of a day"))? {
        if key.basis == Basis::Metered && key.currency == Currency::USD {
            sum = add_exact(sum, sums.cost)?;
        }
    }
    Ok(sum)
}

/// Prices calls anew, in the draft.
pub fn recharge(
    store: &mut Store,
    head: &Head,
    draft: &mut Draft,
    ids: &[EventId],
    pricer: &dyn Pricer,
    keep_micros: i64,
    now: DateTime<Utc>,
) -> Result<Recharged, Trouble> {
    let ids: Vec<EventId> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let places = places(store, head, &ids)?;
    let known = details(store, head, &places, keep_micros, now)?;
    let mut out = Recharged::default();
    let mut delta = Rows::new();
    let mut moved: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut written = Vec::new();
    for id in &ids {
        let Some((event, old)) = known.get(id) else { continue };
        let charge = pricer.price(event);
        if charge == *old {
            continue;
        }
        let key = metered_key(event);
        let slot = delta.entry(key).or_default();
        slot.subtract(&Sums::of(event, old))?;
        slot.add(&Sums::of(event, &charge))?;
        let difference = charge.cost - old.cost;
        out.changed += 1;
        out.cost = add_exact(out.cost, difference)?;
        let day = moved.entry(day_of(key.hour)).or_default();
        *day = add_exact(*day, difference)?;
        written.push((*event, charge));
    }
    if written.is_empty() {
        return Ok(out);
    }
    for (day, difference) in moved.into_iter().filter(|(_, d)| !d.is_zero()) {
        let old = metered_on(store, head, day)?;
        out.restatements.push(Restatement {
            seen_at: now,
            bill: REPRICED.to_owned(),
            day: Hour(day.saturating_mul(24)),
            basis: Basis::Metered,
            currency: Currency::USD,
            old,
            new: add_exact(old, difference)?,
        });
    }
    write_calls(store, draft, written, keep_micros, now)?;
    apply(store, draft, delta, false)?;
    super::ledger::add_restatements(store, head, draft, &out.restatements)?;
    Ok(out)
}

/// A trouble while calls are visited, which cannot begin again.
pub fn final_trouble(store: &Store, trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Store(error) => error,
        Trouble::Gone(key) => super::damaged(store.table.name(), &format!("the item `{key}` is missing")),
    }
}
