//! Where the packed sums of hours lie: in layers, each with at most one part of every hour.
//!
//! What a batch adds to hours goes into the lowest layer that has nothing of them yet. Parts of an hour side by side would change every page
//! with every batch, and so do parts that are strewn over the layers there are: where the hours of a batch would go into many of them, as
//! those of a load of sessions do, all go into one of the upper layers, above what these have of them. So the store grows at its end.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Rows, Statement, params};
use rustc_hash::FxBuildHasher;

use super::failed;
use super::names::{CodecError, StoredNames};
use crate::domain::period::Hour;

/// Parts of an hour in the lower layers that are made into one when there are more, with those in the upper ones: reading a few costs less than
/// rewriting an hour with each batch.
const MAX_PARTS: i64 = 32;
/// All layers that there can be: what lies behind the lower ones is for batches as a whole.
const LAYERS: i64 = u64::BITS as i64;
/// Behind the last layer for a batch: each part of an hour costs a report a little.
const UPPER_END: i64 = MAX_PARTS + 16;

/// Bits of the hour within the number of a part. All hours of all calendars fit, those before 1970 too.
const HOUR_BITS: u32 = 40;
const FIRST_HOUR: i64 = -(1 << (HOUR_BITS - 1));
const LAST_HOUR: i64 = -FIRST_HOUR - 1;

/// The number of a part.
pub fn number(layer: i64, hour: i64) -> i64 {
    (layer << HOUR_BITS) + hour.clamp(FIRST_HOUR, LAST_HOUR) - FIRST_HOUR
}

fn hour_of(number: i64) -> i64 {
    (number & ((1 << HOUR_BITS) - 1)) + FIRST_HOUR
}

/// Neighbouring hours of a batch that may go into different layers; with more, all go into one.
const MAX_TURNS: usize = 16;

/// The layers that have parts, as far as a handle knows them: one bit each. Another process may add to them.
#[derive(Default)]
pub struct Known {
    of_hours: HashMap<Hour, u64, FxBuildHasher>,
    all: Option<u64>,
}

impl Known {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.of_hours.clear();
        self.all = None;
    }
}

/// The layers that have any part.
fn layers(conn: &Connection, path: &str) -> Result<u64, CodecError> {
    let (mut all, mut from) = (0, 0);
    while from < LAYERS {
        let least: Option<i64> = conn
            .prepare_cached("SELECT min(no) FROM spend_part WHERE no >= ?")
            .and_then(|mut s| s.query_row([number(from, i64::MIN)], |row| row.get(0)))
            .map_err(|e| CodecError::Store(failed(path, &e)))?;
        let Some(layer) = least.map(|least| least >> HOUR_BITS).filter(|layer| *layer < LAYERS) else {
            break;
        };
        all |= 1 << layer;
        from = layer + 1;
    }
    Ok(all)
}

/// These layers, one by one.
fn each_of(layers: u64) -> impl Iterator<Item = i64> {
    (0..LAYERS).filter(move |layer| layers >> layer & 1 == 1)
}

/// The layers that have a part of an hour.
fn taken(names: &mut StoredNames<'_>, hour: Hour) -> Result<u64, CodecError> {
    if let Some(taken) = names.cache.parts.of_hours.get(&hour) {
        return Ok(*taken);
    }
    let all = match names.cache.parts.all {
        Some(all) => all,
        None => layers(names.conn, names.path)?,
    };
    names.cache.parts.all = Some(all);
    let mut taken = 0;
    for layer in each_of(all) {
        let known = names
            .conn
            .prepare_cached("SELECT 1 FROM spend_part WHERE no = ?")
            .and_then(|mut s| s.exists([number(layer, hour.0)]))
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        taken |= u64::from(known) << layer;
    }
    names.cache.parts.of_hours.insert(hour, taken);
    Ok(taken)
}

fn lowest(taken: u64) -> Option<i64> {
    let layer = i64::from(taken.trailing_ones());
    (layer < MAX_PARTS).then_some(layer)
}

/// The layer for a further part of an hour; `None` when it has as many as may be.
pub fn next(names: &mut StoredNames<'_>, hour: Hour) -> Result<Option<i64>, CodecError> {
    taken(names, hour).map(lowest)
}

/// The layer for all hours of a batch, which come in order, if they are better put into one.
pub fn common(names: &mut StoredNames<'_>, hours: impl Iterator<Item = Hour>) -> Result<Option<i64>, CodecError> {
    let (mut all, mut turns, mut before) = (0, 0, None);
    for hour in hours {
        let taken = taken(names, hour)?;
        all |= taken;
        turns += usize::from(before.is_some_and(|before| before != lowest(taken)));
        before = Some(lowest(taken));
    }
    let above = i64::from(u64::BITS - all.leading_zeros()).max(MAX_PARTS);
    Ok((turns > MAX_TURNS && above < UPPER_END).then_some(above))
}

fn body(names: &StoredNames<'_>, layer: i64, hour: Hour) -> Result<Option<Vec<u8>>, CodecError> {
    names
        .conn
        .prepare_cached("SELECT body FROM spend_part WHERE no = ?")
        .and_then(|mut s| s.query_row([number(layer, hour.0)], |row| row.get(0)).optional())
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// Adds a part of an hour to a layer that has none of it.
pub fn insert(names: &mut StoredNames<'_>, layer: i64, hour: Hour, body: &[u8]) -> Result<(), CodecError> {
    inserting(names)?.insert(names, layer, hour, body)
}

/// Adds many parts.
pub struct Inserting<'c>(CachedStatement<'c>);

/// Begins to add parts.
pub fn inserting<'c>(names: &StoredNames<'c>) -> Result<Inserting<'c>, CodecError> {
    let conn: &'c Connection = names.conn;
    let statement = conn.prepare_cached("INSERT INTO spend_part (no, body) VALUES (?, ?)");
    statement
        .map(Inserting)
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

impl Inserting<'_> {
    /// The same as [`insert`].
    pub fn insert(
        &mut self,
        names: &mut StoredNames<'_>,
        layer: i64,
        hour: Hour,
        body: &[u8],
    ) -> Result<(), CodecError> {
        let inserted = self.0.execute(params![number(layer, hour.0), body]);
        inserted.map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        let known = &mut names.cache.parts;
        let taken = known.of_hours.get_mut(&hour).into_iter().chain(&mut known.all);
        taken.for_each(|taken| *taken |= 1 << layer);
        Ok(())
    }
}

/// Takes all parts of an hour out of the store.
pub fn take(names: &mut StoredNames<'_>, hour: Hour) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut bodies = Vec::new();
    let taken = taken(names, hour)?;
    for layer in each_of(taken) {
        let Some(body) = body(names, layer, hour)? else {
            continue;
        };
        names
            .conn
            .prepare_cached("DELETE FROM spend_part WHERE no = ?")
            .and_then(|mut s| s.execute([number(layer, hour.0)]))
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        bodies.push(body);
    }
    names.cache.parts.of_hours.insert(hour, 0);
    Ok(bodies)
}

/// Deletes the parts of the hours `first..end`.
pub fn delete_between(names: &mut StoredNames<'_>, [first, end]: [i64; 2]) -> Result<(), CodecError> {
    for layer in each_of(layers(names.conn, names.path)?) {
        names
            .conn
            .prepare_cached("DELETE FROM spend_part WHERE no >= ? AND no < ?")
            .and_then(|mut s| s.execute([number(layer, first), number(layer, end)]))
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
    }
    names.cache.parts.clear();
    Ok(())
}

/// Visits the parts of the hours `first..end`, all of an hour together, in the order of hours.
pub fn each(
    names: &mut StoredNames<'_>,
    [first, end]: [i64; 2],
    mut visit: impl FnMut(&mut StoredNames<'_>, i64, Vec<Vec<u8>>) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let all = layers(conn, path)?;
    let mut statements = each_of(all)
        .map(|_| conn.prepare("SELECT no, body FROM spend_part WHERE no >= ? AND no < ? ORDER BY no"))
        .collect::<Result<Vec<Statement<'_>>, _>>()
        .map_err(fail)?;
    let mut layers = Vec::new();
    for (layer, statement) in each_of(all).zip(&mut statements) {
        let rows = statement
            .query([number(layer, first), number(layer, end)])
            .map_err(fail)?;
        let mut layer = Layer { rows, head: None };
        layer.advance().map_err(fail)?;
        layers.push(layer);
    }
    while let Some(hour) = layers
        .iter()
        .filter_map(|l| l.head.as_ref().map(|(hour, _)| *hour))
        .min()
    {
        let mut bodies = Vec::new();
        for layer in &mut layers {
            if let Some((_, body)) = layer.head.take_if(|(at, _)| *at == hour) {
                bodies.push(body);
                layer.advance().map_err(fail)?;
            }
        }
        visit(names, hour, bodies)?;
    }
    Ok(())
}

/// A layer being read.
struct Layer<'s> {
    rows: Rows<'s>,
    head: Option<(i64, Vec<u8>)>,
}

impl Layer<'_> {
    fn advance(&mut self) -> rusqlite::Result<()> {
        self.head = match self.rows.next()? {
            Some(row) => Some((hour_of(row.get(0)?), row.get(1)?)),
            None => None,
        };
        Ok(())
    }
}

/// The first and the last of the hours `from..end` that have a part.
pub fn span(conn: &Connection, path: &str, [from, end]: [i64; 2]) -> Result<Option<(i64, i64)>, CodecError> {
    let mut span: Option<(i64, i64)> = None;
    for layer in each_of(layers(conn, path)?) {
        let hours: (Option<i64>, Option<i64>) = conn
            .query_row(
                // Each by itself is where the tree begins or ends; both in one are found by reading all that is between.
                "SELECT (SELECT min(no) FROM spend_part WHERE no >= ?1 AND no < ?2),
                        (SELECT max(no) FROM spend_part WHERE no >= ?1 AND no < ?2)",
                [number(layer, from), number(layer, end)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(|e| CodecError::Store(failed(path, &e)))?;
        if let (Some(first), Some(last)) = hours {
            let (first, last) = (hour_of(first), hour_of(last));
            span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        }
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::super::SqliteLedger;
    use super::*;
    use crate::domain::charge::{Charge, UnpricedReason};
    use crate::domain::period::Period;
    use crate::domain::usage::{Bucket, EventId, UsageEvent};
    use crate::ports::{Ledger, Pricer, RecordBatch};

    #[test]
    fn numbers_and_hours_are_told_from_each_other() {
        for hour in [FIRST_HOUR, -1, 0, 498_192, LAST_HOUR] {
            for layer in [0, 1, MAX_PARTS, LAYERS - 1] {
                assert_eq!(hour_of(number(layer, hour)), hour);
                assert_eq!(number(layer, hour) >> HOUR_BITS, layer);
            }
        }
        assert_eq!(number(0, i64::MAX), number(0, LAST_HOUR));
    }

    struct Unpriced;

    impl Pricer for Unpriced {
        fn price(&self, _: &UsageEvent) -> Charge {
            Charge::unpriced(UnpricedReason::NoRate, Default::default())
        }
    }

    const FIRST: i64 = 498_000;
    const HOURS: i64 = 90;

    /// Calls of these hours, each with as many tokens as the number of the batch.
    fn batch(number: u64, hours: impl Iterator<Item = i64>) -> RecordBatch {
        let call = |hour: i64| {
            let id = EventId::of(&[b"call", &number.to_le_bytes(), &hour.to_le_bytes()]);
            let mut call = UsageEvent::new(id, Hour(FIRST + hour).start(), "p".into(), "m".into());
            call.tokens.set(Bucket::Output, number);
            call
        };
        RecordBatch {
            events: hours.map(call).collect(),
            checkpoints: Vec::new(),
        }
    }

    fn outputs(ledger: &mut SqliteLedger) -> BTreeMap<i64, u64> {
        let period = Period::new(Hour(FIRST).start(), Hour(FIRST + HOURS).start());
        let mut found = BTreeMap::new();
        ledger
            .spend(period, &mut |key, sums| {
                assert!(
                    found
                        .insert(key.hour.0 - FIRST, sums.tokens.get(Bucket::Output) as u64)
                        .is_none()
                );
            })
            .unwrap();
        found
    }

    fn layers_of(path: &std::path::Path) -> Vec<(i64, i64)> {
        let conn = Connection::open(path).unwrap();
        let mut all = conn
            .prepare("SELECT no >> 40, count(*) FROM spend_part GROUP BY 1")
            .unwrap();
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn strewn_batches_go_into_a_layer_each_and_others_to_the_lowest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut ledger = SqliteLedger::open(&path).unwrap();
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(FIRST);
        let mut record = |batch: &RecordBatch| ledger.record(batch, &Unpriced, now).map(drop).unwrap();
        record(&batch(1, (0..HOURS).filter(|hour| hour % 2 == 0)));
        record(&batch(2, 0..HOURS));
        record(&batch(3, (0..HOURS).filter(|hour| hour % 3 == 0)));
        assert_eq!(layers_of(&path), [(0, 45), (32, 90), (33, 30)]);
        // In order of time, each beginning in the last hour of the one before.
        record(&batch(4, HOURS..HOURS + 6));
        record(&batch(5, HOURS + 5..HOURS + 10));
        assert_eq!(layers_of(&path), [(0, 55), (1, 1), (32, 90), (33, 30)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        /// Wherever parts lie, and however often the ledger is opened anew: beyond as many parts as an hour may have, too.
        #[test]
        fn sums_are_those_of_all_batches(
            batches in prop::collection::vec((prop::bits::u64::ANY, 0..3_u8, any::<bool>()), 1..90),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let mut ledger = SqliteLedger::open(&path).unwrap();
            let now = DateTime::UNIX_EPOCH + TimeDelta::hours(FIRST);
            let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
            for (number, (bits, kind, again)) in (1..).zip(&batches) {
                let wanted: Vec<i64> = match kind {
                    0 => (0..64).filter(|hour| bits >> hour & 1 == 1).collect(),
                    1 => (0..HOURS).collect(),
                    _ => vec![(bits % 5) as i64],
                };
                wanted.iter().for_each(|hour| *expected.entry(*hour).or_default() += number);
                if *again {
                    ledger = SqliteLedger::open(&path).unwrap();
                }
                prop_assert!(ledger.record(&batch(number, wanted.into_iter()), &Unpriced, now).is_ok());
            }
            prop_assert_eq!(&outputs(&mut ledger), &expected);
            prop_assert!(layers_of(&path).iter().all(|(layer, _)| *layer < UPPER_END));
            let mut fresh = SqliteLedger::open(&path).unwrap();
            prop_assert_eq!(&outputs(&mut fresh), &expected);
        }
    }
}
