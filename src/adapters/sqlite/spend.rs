//! Sums of spend: one packed row per hour, changed by what a batch adds and takes away.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use rusqlite::{OptionalExtension, params};
use rustc_hash::{FxBuildHasher, FxHasher};

use super::codec::{Reader, get_spend, put_spend};
use super::failed;
use super::names::{CodecError, StoredNames};
use super::sort::sort_spread;
use crate::domain::charge::Charge;
use crate::domain::money::MoneyError;
use crate::domain::period::Hour;
use crate::domain::spend::{SpendKey, Sums, metered_key};
use crate::domain::usage::UsageEvent;

/// Changes by key.
pub type Delta = HashMap<SpendKey, Sums, FxBuildHasher>;

/// A money error as an error of the store.
pub fn money(error: MoneyError) -> CodecError {
    CodecError::Store(error.into())
}

/// Adds a call.
pub fn give(delta: &mut Delta, event: &UsageEvent, charge: &Charge) -> Result<(), CodecError> {
    let slot = delta.entry(metered_key(event)).or_default();
    slot.add_event(event, charge).map_err(money)
}

/// Takes a call away.
pub fn take(delta: &mut Delta, event: &UsageEvent, charge: &Charge) -> Result<(), CodecError> {
    let slot = delta.entry(metered_key(event)).or_default();
    slot.subtract(&Sums::of(event, charge)).map_err(money)
}

/// Visits the rows that are packed into `body`.
pub fn unpack(
    names: &mut StoredNames<'_>,
    hour: Hour,
    body: &[u8],
    mut visit: impl FnMut(SpendKey, Sums) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let mut reader = Reader(body);
    while !reader.done() {
        let (key, sums) = get_spend(&mut reader, hour, names)?;
        visit(key, sums)?;
    }
    Ok(())
}

/// Where a new call goes, as one number to sort by: its hour, the mix of its dimensions, its positions in the batch and among
/// the charges. Calls of one key have one mix; calls of one mix nearly always have one key.
#[derive(Clone, Copy)]
struct Place(u128);

impl Place {
    fn new(hour: Hour, mix: u32, call: u32, charge: u32) -> Self {
        // Hours of all instants fit into 32 bits; the offset keeps the order of those before 1970.
        let hour = (hour.0 as u32) ^ (1 << 31);
        Place(u128::from(hour) << 96 | u128::from(mix) << 64 | u128::from(call) << 32 | u128::from(charge))
    }

    fn hour(self) -> Hour {
        let hour = ((self.0 >> 96) as u32) ^ (1 << 31);
        Hour(i64::from(hour.cast_signed()))
    }

    fn hour_and_mix(self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn call(self) -> usize {
        ((self.0 >> 32) as u32) as usize
    }

    fn charge(self) -> usize {
        (self.0 as u32) as usize
    }
}

/// The new calls of a batch, to be summed by key. Sorting costs much less memory than a map of sums when nearly every call has a
/// key of its own.
#[derive(Default)]
pub struct Additions {
    /// [`Place`]s.
    places: Vec<u128>,
    charges: Vec<Charge>,
}

impl Additions {
    /// Room for so many.
    pub fn with_capacity(calls: usize) -> Self {
        Additions {
            places: Vec::with_capacity(calls),
            charges: Vec::with_capacity(calls),
        }
    }

    /// Notes the call at `call` of the batch.
    pub fn push(&mut self, call: u32, event: &UsageEvent, charge: Charge) {
        let mut hasher = FxHasher::default();
        event.dimensions.hash(&mut hasher);
        let mix = (hasher.finish() >> 32) as u32;
        // No batch has more than 32 bits of calls, of which `call` is one.
        let place = u32::try_from(self.charges.len()).unwrap_or(u32::MAX);
        self.places.push(Place::new(Hour::of(event.at), mix, call, place).0);
        self.charges.push(charge);
    }

    /// The sums by key, hour by hour.
    fn sums(
        mut self,
        events: &[UsageEvent],
        mut hour_done: impl FnMut(Hour, Vec<(SpendKey, Sums)>) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let bounds = self.places.iter().min().zip(self.places.iter().max());
        let (first, last) = bounds.map_or((0, 0), |(a, b)| (*a, *b));
        // What tells places apart, in 32 bits, so that spreading them needs no wide division.
        let shift = (128 - (last - first).leading_zeros()).saturating_sub(32);
        let span = ((last - first) >> shift) as u64 + 1;
        sort_spread(&mut self.places, |place, buckets| {
            let spread = ((place - first) >> shift) as u64 * buckets as u64 / span;
            usize::try_from(spread).unwrap_or(usize::MAX)
        });
        for hour in self.places.chunk_by(|a, b| Place(*a).hour() == Place(*b).hour()) {
            let mut rows: Vec<(SpendKey, Sums)> = Vec::new();
            for same in hour.chunk_by(|a, b| Place(*a).hour_and_mix() == Place(*b).hour_and_mix()) {
                let first = rows.len();
                for place in same.iter().copied().map(Place) {
                    let charge = self.charges.get(place.charge());
                    let (Some(event), Some(charge)) = (events.get(place.call()), charge) else {
                        continue;
                    };
                    let key = metered_key(event);
                    let known = rows.iter().skip(first).position(|(k, _)| *k == key);
                    let slot = match known.and_then(|n| rows.get_mut(first + n)) {
                        Some((_, sums)) => sums,
                        None => {
                            rows.push((key, Sums::default()));
                            let Some((_, sums)) = rows.last_mut() else { continue };
                            sums
                        }
                    };
                    slot.add_event(event, charge).map_err(money)?;
                }
            }
            if let Some(place) = hour.first() {
                hour_done(Place(*place).hour(), rows)?;
            }
        }
        Ok(())
    }
}

/// Adds the new calls of a batch, and what changed of older ones, to the hourly sums.
pub fn apply(
    names: &mut StoredNames<'_>,
    additions: Additions,
    events: &[UsageEvent],
    delta: Delta,
) -> Result<(), CodecError> {
    let mut changed: BTreeMap<Hour, Vec<(SpendKey, Sums)>> = BTreeMap::new();
    for (key, sums) in delta {
        changed.entry(key.hour).or_default().push((key, sums));
    }
    additions.sums(events, |hour, mut rows| {
        let more = changed.remove(&hour).unwrap_or_default();
        let distinct = more.is_empty();
        rows.extend(more);
        merge_into(names, "spend_hour", hour, rows, distinct)
    })?;
    changed
        .into_iter()
        .try_for_each(|(hour, rows)| merge_into(names, "spend_hour", hour, rows, false))
}

/// Adds rows to those of an hour. Unless they are `distinct`, a key may come twice.
pub fn merge_into(
    names: &mut StoredNames<'_>,
    table: &str,
    hour: Hour,
    rows: Vec<(SpendKey, Sums)>,
    distinct: bool,
) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let old: Option<Vec<u8>> = conn
        .prepare_cached(&format!("SELECT body FROM {table} WHERE hour = ?"))
        .and_then(|mut s| s.query_row([hour.0], |row| row.get(0)).optional())
        .map_err(fail)?;
    let rows = match old {
        None if distinct => rows,
        _ => {
            let mut merged = Delta::with_capacity_and_hasher(rows.len(), FxBuildHasher);
            for (key, sums) in rows {
                merged.entry(key).or_default().add(&sums).map_err(money)?;
            }
            unpack(names, hour, old.as_deref().unwrap_or_default(), |key, sums| {
                merged.entry(key).or_default().add(&sums).map_err(money)
            })?;
            merged.into_iter().filter(|(_, sums)| !sums.is_empty()).collect()
        }
    };
    if rows.is_empty() {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE hour = ?"))
            .and_then(|mut s| s.execute([hour.0]))
            .map_err(fail)?;
        return Ok(());
    }
    let mut body = Vec::with_capacity(rows.len() * 64);
    for (key, sums) in &rows {
        put_spend(&mut body, key, sums, names)?;
    }
    conn.prepare_cached(&format!("INSERT OR REPLACE INTO {table} (hour, body) VALUES (?, ?)"))
        .and_then(|mut s| s.execute(params![hour.0, body]))
        .map_err(fail)?;
    Ok(())
}
