//! Where the packed sums of hours lie: in layers, each with at most one part of every hour.
//!
//! What a batch adds to hours goes into the lowest layer that has nothing of them yet. A load whose batches touch all hours fills one
//! layer after another, and the store grows at its end; parts of an hour side by side would change every page with every batch.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Rows, Statement, params};

use super::failed;
use super::names::{CodecError, StoredNames};
use crate::domain::period::Hour;

/// Parts of an hour that are made into one when there are more: reading a few costs less than rewriting an hour with each batch.
const MAX_PARTS: i64 = 32;

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

/// The layer for a further part of an hour; `None` when it has as many as may be.
pub fn next(names: &mut StoredNames<'_>, hour: Hour) -> Result<Option<i64>, CodecError> {
    if let Some(layer) = names.cache.parts.get(&hour) {
        return Ok((*layer < MAX_PARTS).then_some(*layer));
    }
    let mut layer = 0;
    while layer < MAX_PARTS && body(names, layer, hour)?.is_some() {
        layer += 1;
    }
    names.cache.parts.insert(hour, layer);
    Ok((layer < MAX_PARTS).then_some(layer))
}

fn body(names: &StoredNames<'_>, layer: i64, hour: Hour) -> Result<Option<Vec<u8>>, CodecError> {
    names
        .conn
        .prepare_cached("SELECT body FROM spend_part WHERE no = ?")
        .and_then(|mut s| s.query_row([number(layer, hour.0)], |row| row.get(0)).optional())
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// Adds a part of an hour to a layer that [`next`] has told.
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
        names.cache.parts.insert(hour, layer + 1);
        Ok(())
    }
}

/// Takes all parts of an hour out of the store.
pub fn take(names: &mut StoredNames<'_>, hour: Hour) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut bodies = Vec::new();
    while let Some(body) = body(names, bodies.len() as i64, hour)? {
        names
            .conn
            .prepare_cached("DELETE FROM spend_part WHERE no = ?")
            .and_then(|mut s| s.execute([number(bodies.len() as i64, hour.0)]))
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        bodies.push(body);
    }
    names.cache.parts.remove(&hour);
    Ok(bodies)
}

/// Deletes the parts of the hours `first..end`.
pub fn delete_between(names: &mut StoredNames<'_>, [first, end]: [i64; 2]) -> Result<(), CodecError> {
    for layer in 0..layers(names.conn, names.path)? {
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
    let mut statements = (0..layers(conn, path)?)
        .map(|_| conn.prepare("SELECT no, body FROM spend_part WHERE no >= ? AND no < ? ORDER BY no"))
        .collect::<Result<Vec<Statement<'_>>, _>>()
        .map_err(fail)?;
    let mut layers = Vec::new();
    for (layer, statement) in (0..).zip(&mut statements) {
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

fn layers(conn: &Connection, path: &str) -> Result<i64, CodecError> {
    let last: Option<i64> = conn
        .query_row("SELECT max(no) FROM spend_part", [], |row| row.get(0))
        .map_err(|e| CodecError::Store(failed(path, &e)))?;
    Ok(last.map_or(0, |no| (no >> HOUR_BITS) + 1))
}

/// The first and the last of the hours `from..end` that have a part.
pub fn span(conn: &Connection, path: &str, [from, end]: [i64; 2]) -> Result<Option<(i64, i64)>, CodecError> {
    let mut span: Option<(i64, i64)> = None;
    for layer in 0..layers(conn, path)? {
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
    use super::*;

    #[test]
    fn numbers_and_hours_are_told_from_each_other() {
        for hour in [FIRST_HOUR, -1, 0, 498_192, LAST_HOUR] {
            for layer in [0, 1, MAX_PARTS] {
                assert_eq!(hour_of(number(layer, hour)), hour);
                assert_eq!(number(layer, hour) >> HOUR_BITS, layer);
            }
        }
        assert_eq!(number(0, i64::MAX), number(0, LAST_HOUR));
    }
}
