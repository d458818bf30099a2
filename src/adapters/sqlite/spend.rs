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
    spare: Vec<u128>,
    charges: Vec<Charge>,
}

impl Additions {
    /// Forgets everything; the memory is used again.
    pub fn clear(&mut self) {
        self.places.clear();
        self.charges.clear();
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
        &mut self,
        events: &[UsageEvent],
        mut hour_done: impl FnMut(Hour, Vec<(SpendKey, Sums)>) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let bounds = self.places.iter().min().zip(self.places.iter().max());
        let (first, last) = bounds.map_or((0, 0), |(a, b)| (*a, *b));
        // What tells places apart, in 32 bits, so that spreading them needs no wide division.
        let shift = (128 - (last - first).leading_zeros()).saturating_sub(32);
        let span = ((last - first) >> shift) as u64 + 1;
        sort_spread(&mut self.places, &mut self.spare, |place, buckets| {
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
    additions: &mut Additions,
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
        add_part(names, hour, rows, distinct)
    })?;
    changed
        .into_iter()
        .try_for_each(|(hour, rows)| add_part(names, hour, rows, false))
}

/// Parts of an hour that are made into one when there are more. A batch adds a part where it can: rewriting every hour that it
/// touches would cost a load of many batches over the same time far more than reading a few parts.
const MAX_PARTS: i64 = 8;
/// Numbers of parts per hour.
const PARTS: i64 = 64;

/// The numbers that the parts of an hour may have.
fn parts_of(hour: Hour) -> [i64; 2] {
    [hour.0 * PARTS, (hour.0 + 1) * PARTS]
}

/// Adds rows to those of an hour. Unless they are `distinct`, a key may come twice.
fn add_part(
    names: &mut StoredNames<'_>,
    hour: Hour,
    mut rows: Vec<(SpendKey, Sums)>,
    distinct: bool,
) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(no) FROM spend_part WHERE no >= ? AND no < ?")
        .and_then(|mut s| s.query_row(parts_of(hour), |row| row.get(0)))
        .map_err(fail)?;
    let [first, _] = parts_of(hour);
    let mut next = last.map_or(first, |no| no + 1);
    if next - first >= MAX_PARTS {
        rows = merged(names, hour, rows, &part_bodies(names, hour)?)?;
        conn.prepare_cached("DELETE FROM spend_part WHERE no >= ? AND no < ?")
            .and_then(|mut s| s.execute(parts_of(hour)))
            .map_err(fail)?;
        next = first;
    } else if !distinct {
        rows = merged(names, hour, rows, &[])?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    let body = pack(names, &rows)?;
    conn.prepare_cached("INSERT INTO spend_part (no, body) VALUES (?, ?)")
        .and_then(|mut s| s.execute(params![next, body]))
        .map_err(fail)?;
    Ok(())
}

fn part_bodies(names: &StoredNames<'_>, hour: Hour) -> Result<Vec<Vec<u8>>, CodecError> {
    names
        .conn
        .prepare_cached("SELECT body FROM spend_part WHERE no >= ? AND no < ?")
        .and_then(|mut s| s.query_map(parts_of(hour), |row| row.get(0))?.collect())
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// Rows and packed rows of an hour, each key once, without those of which nothing is left.
fn merged(
    names: &mut StoredNames<'_>,
    hour: Hour,
    rows: Vec<(SpendKey, Sums)>,
    bodies: &[Vec<u8>],
) -> Result<Vec<(SpendKey, Sums)>, CodecError> {
    let mut sums_by_key = Delta::with_capacity_and_hasher(rows.len(), FxBuildHasher);
    for (key, sums) in rows {
        sums_by_key.entry(key).or_default().add(&sums).map_err(money)?;
    }
    for body in bodies {
        unpack(names, hour, body, |key, sums| {
            sums_by_key.entry(key).or_default().add(&sums).map_err(money)
        })?;
    }
    Ok(sums_by_key.into_iter().filter(|(_, sums)| !sums.is_empty()).collect())
}

fn pack(names: &mut StoredNames<'_>, rows: &[(SpendKey, Sums)]) -> Result<Vec<u8>, CodecError> {
    let mut body = Vec::with_capacity(rows.len() * 64);
    for (key, sums) in rows {
        put_spend(&mut body, key, sums, names)?;
    }
    Ok(body)
}

/// Visits the rows of the hours `first..end`, each key once.
pub fn visit(
    names: &mut StoredNames<'_>,
    first: i64,
    end: i64,
    visit: &mut dyn FnMut(&SpendKey, &Sums) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    // Hours of days that were folded: few, and seldom with parts of their own.
    let mut days: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    {
        let mut statement = conn
            .prepare_cached("SELECT hour, body FROM spend_day WHERE hour >= ? AND hour < ?")
            .map_err(fail)?;
        let mut rows = statement.query([first, end]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            days.insert(row.get(0).map_err(fail)?, vec![row.get(1).map_err(fail)?]);
        }
    }
    let mut statement = conn
        .prepare_cached("SELECT no, body FROM spend_part WHERE no >= ? AND no < ? ORDER BY no")
        .map_err(fail)?;
    let mut rows = statement
        .query([first.saturating_mul(PARTS), end.saturating_mul(PARTS)])
        .map_err(fail)?;
    let mut here: (i64, Vec<Vec<u8>>) = (first, Vec::new());
    let mut hour_done = |names: &mut StoredNames<'_>, (hour, bodies): (i64, Vec<Vec<u8>>)| match bodies.as_slice() {
        [] => Ok(()),
        [one] => unpack(names, Hour(hour), one, |key, sums| visit(&key, &sums)),
        many => {
            let rows = merged(names, Hour(hour), Vec::new(), many)?;
            rows.iter().try_for_each(|(key, sums)| visit(key, sums))
        }
    };
    while let Some(row) = rows.next().map_err(fail)? {
        let hour = row.get::<_, i64>(0).map_err(fail)?.div_euclid(PARTS);
        if hour != here.0 {
            let bodies = days.remove(&hour).unwrap_or_default();
            hour_done(names, std::mem::replace(&mut here, (hour, bodies)))?;
        }
        here.1.push(row.get(1).map_err(fail)?);
    }
    hour_done(names, here)?;
    days.into_iter().try_for_each(|day| hour_done(names, day))
}

/// Folds the hours before `end` into days. Totals do not change.
pub fn fold(names: &mut StoredNames<'_>, end: Hour) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut days: BTreeMap<Hour, Delta> = BTreeMap::new();
    {
        let mut statement = conn
            .prepare("SELECT no, body FROM spend_part WHERE no < ?")
            .map_err(fail)?;
        let mut rows = statement.query([end.0 * PARTS]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let hour = Hour(row.get::<_, i64>(0).map_err(fail)?.div_euclid(PARTS));
            let body: Vec<u8> = row.get(1).map_err(fail)?;
            let day = days.entry(hour.day()).or_default();
            unpack(names, hour, &body, |mut key, sums| {
                key.hour = hour.day();
                day.entry(key).or_default().add(&sums).map_err(money)
            })?;
        }
    }
    for (day, rows) in days {
        let old: Option<Vec<u8>> = conn
            .prepare_cached("SELECT body FROM spend_day WHERE hour = ?")
            .and_then(|mut s| s.query_row([day.0], |row| row.get(0)).optional())
            .map_err(fail)?;
        let rows = merged(names, day, rows.into_iter().collect(), old.as_slice())?;
        let body = pack(names, &rows)?;
        conn.prepare_cached("INSERT OR REPLACE INTO spend_day (hour, body) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![day.0, body]))
            .map_err(fail)?;
    }
    conn.execute("DELETE FROM spend_part WHERE no < ?", [end.0 * PARTS])
        .map_err(fail)?;
    Ok(())
}

/// The first and the last hour that have spend.
pub fn span(conn: &rusqlite::Connection, path: &str) -> Result<Option<(Hour, Hour)>, CodecError> {
    let (first, last): (Option<i64>, Option<i64>) = conn
        .query_row(
            "SELECT min(hour), max(hour) FROM (SELECT min(no) >> 6 AS hour FROM spend_part UNION ALL SELECT max(no) >> 6
             FROM spend_part UNION ALL SELECT min(hour) FROM spend_day UNION ALL SELECT max(hour) FROM spend_day)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(|e| CodecError::Store(failed(path, &e)))?;
    Ok(first.zip(last).map(|(a, b)| (Hour(a), Hour(b))))
}
