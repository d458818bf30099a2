//! Sums of spend: one packed row per hour, changed by what a batch adds and takes away.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{OptionalExtension, params};
use rustc_hash::FxBuildHasher;

use super::additions::{Added, Additions, Row};
use super::codec::{Calls, PackedRows, Rows, Summing};
use super::failed;
use super::names::{CodecError, StoredNames};
use super::parts;
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::MoneyError;
use crate::domain::period::Hour;
use crate::domain::spend::{HourRows, SpendKey, SpendRows, Sums, metered_key};
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
    let packed = PackedRows::parse(body)?;
    for row in 0..packed.len() {
        let (key, sums) = packed.get(row, hour, names)?;
        visit(key, sums.bounded())?;
    }
    Ok(())
}

/// Adds the new calls of a batch, and what changed of older ones, to the hourly sums.
pub fn apply(
    names: &mut StoredNames<'_>,
    additions: &mut Additions,
    added: Added<'_>,
    delta: Delta,
) -> Result<(), CodecError> {
    let mut changed: BTreeMap<Hour, Vec<(SpendKey, Sums)>> = BTreeMap::new();
    for (key, sums) in delta {
        changed.entry(key.hour).or_default().push((key, sums));
    }
    additions.sort();
    let (mut packed, mut body) = (Rows::default(), Vec::new());
    let mut plain = Vec::with_capacity(Calls::TOGETHER);
    let common = parts::common(names, additions.hours().map(|(hour, _)| hour))?;
    let mut parts_of_hours = parts::inserting(names)?;
    for (hour, groups) in additions.hours() {
        let rows = groups.iter().map(|group| additions.row(*group, added));
        let more = changed.remove(&hour);
        let layer = match common {
            Some(layer) => Some(layer),
            None => parts::next(names, hour)?,
        };
        if let (None, Some(layer)) = (&more, layer) {
            packed.clear();
            for row in rows {
                match row? {
                    Row::Plain(row) => {
                        plain.push(row);
                        if plain.len() >= Calls::TOGETHER {
                            packed.extend(&plain, names)?;
                            plain.clear();
                        }
                    }
                    Row::Call(event, charge) => {
                        packed.push(&metered_key(event), &Sums::of(event, &charge), names)?;
                    }
                    Row::Sums((key, sums)) => packed.push(key, sums, names)?,
                }
            }
            packed.extend(&plain, names)?;
            plain.clear();
            body.clear();
            packed.put(&mut body);
            parts_of_hours.insert(names, layer, hour, &body)?;
            continue;
        }
        let mut all = more.unwrap_or_default();
        for row in rows {
            all.push(row?.summed(hour));
        }
        add_to(names, hour, all, layer)?;
    }
    changed
        .into_iter()
        .try_for_each(|(hour, rows)| add_part(names, hour, rows))
}

/// Adds the rows of a new bill, in which no key comes twice, and hands those of each hour over as they are packed.
pub fn append(
    names: &mut StoredNames<'_>,
    rows: &SpendRows,
    mut keep: impl FnMut(&StoredNames<'_>, Hour, &[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let (mut packed, mut body) = (Rows::default(), Vec::new());
    for part in rows.hours() {
        let Some(hour) = part.hour() else { continue };
        pack_hour(names, part, &mut packed, &mut body)?;
        keep(names, hour, &body)?;
        let plain = !part.packed().any(|row| row.is_empty());
        match parts::next(names, hour)?.filter(|_| plain) {
            Some(layer) => parts::insert(names, layer, hour, &body)?,
            None => add_part(names, hour, part.iter().collect())?,
        }
    }
    Ok(())
}

/// Adds rows to those of an hour; a key may come twice.
pub fn add_part(names: &mut StoredNames<'_>, hour: Hour, rows: Vec<(SpendKey, Sums)>) -> Result<(), CodecError> {
    let layer = parts::next(names, hour)?;
    add_to(names, hour, rows, layer)
}

/// Adds rows to an hour in a layer that has none of it; without one, to all that there is of the hour.
fn add_to(
    names: &mut StoredNames<'_>,
    hour: Hour,
    rows: Vec<(SpendKey, Sums)>,
    layer: Option<i64>,
) -> Result<(), CodecError> {
    let (layer, rows) = match layer {
        Some(layer) => (layer, merged(names, hour, rows, &[])?),
        None => {
            let bodies = parts::take(names, hour)?;
            (0, merged(names, hour, rows, &bodies)?)
        }
    };
    if rows.is_empty() {
        return Ok(());
    }
    let mut body = Vec::new();
    pack(names, rows, &mut Rows::default(), &mut body)?;
    parts::insert(names, layer, hour, &body)
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

/// Packs the rows of an hour of a bill, in place of what `packed` and `body` held.
pub fn pack_hour(
    names: &mut StoredNames<'_>,
    rows: HourRows<'_>,
    packed: &mut Rows,
    body: &mut Vec<u8>,
) -> Result<(), CodecError> {
    packed.clear();
    packed.extend_from(rows, names)?;
    body.clear();
    packed.put(body);
    Ok(())
}

/// Packs rows of one hour, in place of what `packed` and `body` held.
pub fn pack(
    names: &mut StoredNames<'_>,
    rows: impl IntoIterator<Item = (SpendKey, Sums)>,
    packed: &mut Rows,
    body: &mut Vec<u8>,
) -> Result<(), CodecError> {
    packed.clear();
    for (key, sums) in rows {
        packed.push(&key, &sums, names)?;
    }
    body.clear();
    packed.put(body);
    Ok(())
}

/// Visits the rows of the hours `first..end`, each key once.
pub fn visit(
    names: &mut StoredNames<'_>,
    first: i64,
    end: i64,
    visit: &mut dyn FnMut(&SpendKey, &Sums) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    by_hour(names, [first, end], |names, hour, bodies| match bodies {
        [one] => unpack(names, hour, one, |key, sums| visit(&key, &sums)),
        many => {
            let rows = merged(names, hour, Vec::new(), many)?;
            rows.iter().try_for_each(|(key, sums)| visit(key, sums))
        }
    })
}

/// Visits the same summed over the dimensions that are not wanted.
pub fn visit_summed(
    names: &mut StoredNames<'_>,
    hours: [i64; 2],
    wanted: &[Dimension],
    memory: &mut Summing,
    visit: &mut dyn FnMut(&SpendKey, &Sums),
) -> Result<(), CodecError> {
    let wanted = Dimension::ALL.map(|d| wanted.contains(&d));
    let wanted = |d: Dimension| wanted.get(d as usize).is_some_and(|wanted| *wanted);
    let mut rows: HashMap<(SpendKey, bool), Sums, FxBuildHasher> = HashMap::default();
    by_hour(names, hours, |names, hour, bodies| {
        rows.clear();
        let packed: Vec<PackedRows<'_>> = bodies.iter().map(|b| PackedRows::parse(b)).collect::<Result<_, _>>()?;
        if packed.len() > 1 && packed.iter().any(PackedRows::has_searches) {
            // Whether a row has searches is known when its parts are added up.
            for (mut key, sums) in merged(names, hour, Vec::new(), bodies)? {
                let unwanted = Dimension::ALL.into_iter().filter(|d| !wanted(*d));
                unwanted.for_each(|d| key.dimensions.set(d, Label::EMPTY));
                visit(&key, &sums);
            }
            return Ok(());
        }
        for packed in packed {
            packed.summed(hour, wanted, names, memory, |key, sums| {
                let [searches, ..] = sums.requests;
                rows.entry((key, searches != 0)).or_default().add(&sums).map_err(money)
            })?;
        }
        let some = rows.iter().filter(|(_, sums)| !sums.is_empty());
        some.for_each(|((key, _), sums)| visit(key, sums));
        Ok(())
    })
}

/// Visits the packed rows of the hours `first..end`, all of an hour together.
fn by_hour(
    names: &mut StoredNames<'_>,
    [first, end]: [i64; 2],
    mut visit: impl FnMut(&mut StoredNames<'_>, Hour, &[Vec<u8>]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    // Hours of days that were folded: few, and seldom with parts of their own.
    let mut days: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
    {
        let mut statement = conn
            .prepare_cached("SELECT hour, body FROM spend_day WHERE hour >= ? AND hour < ?")
            .map_err(fail)?;
        let mut rows = statement
            .query([first - Hour::FOLDED, end - Hour::FOLDED])
            .map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            days.insert(row.get(0).map_err(fail)?, vec![row.get(1).map_err(fail)?]);
        }
    }
    parts::each(names, [first, end], |names, hour, mut bodies| {
        // A folded day has the number of its first hour, to which the rows of bills that are replaced go.
        let mut hour = Hour(hour);
        for day in days.extract_if(..=hour.0, |_, _| true) {
            if day.0 == hour.0 {
                bodies.extend(day.1);
                hour = hour.folded();
            } else {
                visit(names, Hour(day.0).folded(), &day.1)?;
            }
        }
        visit(names, hour, &bodies)
    })?;
    days.into_iter()
        .try_for_each(|(day, bodies)| visit(names, Hour(day).folded(), &bodies))
}

/// Folds the hours before `end` into days, but for those of the days that begin at the hours `kept`. Totals do not change.
pub fn fold(names: &mut StoredNames<'_>, end: Hour, kept: &BTreeSet<Hour>) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut days: BTreeMap<Hour, Delta> = BTreeMap::new();
    parts::each(names, [i64::MIN, end.0], |names, hour, bodies| {
        let hour = Hour(hour);
        if kept.contains(&hour.day()) {
            return Ok(());
        }
        let day = days.entry(hour.day()).or_default();
        bodies.iter().try_for_each(|body| {
            unpack(names, hour, body, |mut key, sums| {
                key.hour = hour.day();
                day.entry(key).or_default().add(&sums).map_err(money)
            })
        })
    })?;
    for (day, rows) in days {
        let old: Option<Vec<u8>> = conn
            .prepare_cached("SELECT body FROM spend_day WHERE hour = ?")
            .and_then(|mut s| s.query_row([day.0], |row| row.get(0)).optional())
            .map_err(fail)?;
        let rows = merged(names, day, rows.into_iter().collect(), old.as_slice())?;
        let mut body = Vec::new();
        pack(names, rows, &mut Rows::default(), &mut body)?;
        conn.prepare_cached("INSERT OR REPLACE INTO spend_day (hour, body) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![day.0, body]))
            .map_err(fail)?;
    }
    let mut from = i64::MIN;
    for day in kept.range(..end) {
        parts::delete_between(names, [from, day.0])?;
        from = day.0 + 24;
    }
    parts::delete_between(names, [from, end.0])
}

/// The first and the last hour that have spend. Of a bill that was taken back, or replaced by one that ends earlier, hours have parts that
/// come to nothing: they do not count beside others.
pub fn span(names: &mut StoredNames<'_>) -> Result<Option<(Hour, Hour)>, CodecError> {
    let Some(first) = outermost(names, false)? else {
        // Nothing is left of all that was recorded: that something was is told all the same.
        let all = stored(names, [i64::MIN, i64::MAX])?;
        return Ok(all.map(|(first, last)| (Hour(first), Hour(last))));
    };
    Ok(outermost(names, true)?.map(|last| (first, last)))
}

/// The last hour that has spend, or else the first: day by day from the end, most often the first that is looked at.
fn outermost(names: &mut StoredNames<'_>, last: bool) -> Result<Option<Hour>, CodecError> {
    let mut within = [i64::MIN, i64::MAX];
    while let Some((earliest, latest)) = stored(names, within)? {
        let day = Hour(if last { latest } else { earliest }).day();
        let mut hours = Vec::new();
        by_hour(names, [day.0, day.0 + 24], |_, hour, bodies| {
            hours.push((hour, bodies.to_vec()));
            Ok(())
        })?;
        hours.sort_by_key(|(hour, _)| *hour);
        if last {
            hours.reverse();
        }
        for (hour, bodies) in hours {
            let is_spent = match bodies.as_slice() {
                [one] => PackedRows::parse(one)?.len() > 0,
                many => !merged(names, hour, Vec::new(), many)?.is_empty(),
            };
            if is_spent {
                return Ok(Some(hour));
            }
        }
        within = if last {
            [i64::MIN, day.0]
        } else {
            [day.0 + 24, i64::MAX]
        };
    }
    Ok(None)
}

/// The first and the last of the hours `from..end` of which something is stored; of folded days the hour that they begin with.
fn stored(names: &StoredNames<'_>, [from, end]: [i64; 2]) -> Result<Option<(i64, i64)>, CodecError> {
    let days: (Option<i64>, Option<i64>) = names
        .conn
        .prepare_cached(
            "SELECT (SELECT min(hour) FROM spend_day WHERE hour >= ?1 AND hour < ?2),
                    (SELECT max(hour) FROM spend_day WHERE hour >= ?1 AND hour < ?2)",
        )
        .and_then(|mut s| s.query_row([from, end], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
    let both = [parts::span(names.conn, names.path, [from, end])?, days.0.zip(days.1)];
    let first = both.iter().flatten().map(|(first, _)| *first).min();
    let last = both.iter().flatten().map(|(_, last)| *last).max();
    Ok(first.zip(last))
}
