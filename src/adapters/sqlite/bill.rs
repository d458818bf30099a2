//! Bills as they were recorded last, hour by hour: what a newer one of the same identity is compared with.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::Rows;
use super::failed;
use super::names::{CodecError, StoredNames};
use super::spend::{self, Delta, money};
use crate::domain::dimension::Dimension;
use crate::domain::period::Hour;
use crate::domain::spend::{Bill, Former, HourRows, KnownBill, Restatement, SpendKey, SpendRows, restatements};
use crate::ports::StoreError;

/// Records a bill in place of the one that is known; answers what that restates.
pub fn replace(names: &mut StoredNames<'_>, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, CodecError> {
    let path = names.path;
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let known = number_of(names, &bill.identity)?;
    let taken = match &bill.formerly {
        Some(former) if former.identity != bill.identity => take_over(names, former)?,
        Some(_) | None => SpendRows::default(),
    };
    let before = match known {
        Some(number) => rows(names, number)?,
        None => SpendRows::default(),
    };
    let told = told_of(names.conn, path, &bill.identity).map_err(CodecError::Store)?;
    let restated = restatements(bill, taken.iter().chain(before.iter()), &told, now).map_err(money)?;
    if let Some(number) = known {
        let mut changed = false;
        for (hour, old, new) in by_hour(&before, &bill.rows) {
            changed |= change(names, number, hour, old, new)?;
        }
        if changed {
            names
                .conn
                .prepare_cached("UPDATE bill SET recorded_at = ? WHERE no = ?")
                .and_then(|mut s| s.execute([now.timestamp(), number]))
                .map_err(fail)?;
        }
    } else {
        let number = add(names, &bill.identity, now.timestamp())?;
        spend::append(names, &bill.rows, |names, hour, body| put(names, number, hour, body))?;
    }
    for restatement in &restated {
        let text = serde_json::to_string(restatement).map_err(|_| CodecError::Broken)?;
        names
            .conn
            .prepare_cached("INSERT INTO restatement (body) VALUES (?)")
            .and_then(|mut s| s.execute([text]))
            .map_err(fail)?;
    }
    Ok(restated)
}

fn number_of(names: &StoredNames<'_>, identity: &str) -> Result<Option<i64>, CodecError> {
    names
        .conn
        .prepare_cached("SELECT no FROM bill WHERE identity = ?")
        .and_then(|mut s| s.query_row([identity], |row| row.get(0)).optional())
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// Takes the rows of a provider out of a bill that was recorded by a former version.
fn take_over(names: &mut StoredNames<'_>, former: &Former) -> Result<SpendRows, CodecError> {
    let Some(number) = number_of(names, &former.identity)? else {
        return Ok(SpendRows::default());
    };
    let all = rows(names, number)?;
    let is_of = |key: &SpendKey| key.dimensions.get(Dimension::Provider) == former.provider;
    let taken: SpendRows = all.iter().filter(|(key, _)| is_of(key)).collect();
    if !taken.is_empty() {
        let rest: SpendRows = all.iter().filter(|(key, _)| !is_of(key)).collect();
        for (hour, old, new) in by_hour(&all, &rest) {
            change(names, number, hour, old, new)?;
        }
    }
    Ok(taken)
}

/// All bills that have rows.
pub fn all(names: &mut StoredNames<'_>) -> Result<Vec<KnownBill>, CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut statement = conn
        .prepare_cached("SELECT no, identity FROM bill ORDER BY identity")
        .map_err(fail)?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(fail)?;
    let mut all = Vec::new();
    for bill in found {
        let (number, identity): (i64, String) = bill.map_err(fail)?;
        let rows = rows(names, number)?;
        all.extend(KnownBill::of(identity, rows.iter()));
    }
    Ok(all)
}

/// What was restated so far, in order.
pub fn told(conn: &Connection, path: &str) -> Result<Vec<Restatement>, StoreError> {
    let fail = |e: rusqlite::Error| failed(path, &e);
    let mut statement = conn
        .prepare_cached("SELECT body FROM restatement ORDER BY no")
        .map_err(fail)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
    texts
        .map(|text| serde_json::from_str(&text.map_err(fail)?).map_err(|_| CodecError::Broken.at(path)))
        .collect()
}

/// What was restated of one bill so far, in order.
fn told_of(conn: &Connection, path: &str, identity: &str) -> Result<Vec<Restatement>, StoreError> {
    let fail = |e: rusqlite::Error| failed(path, &e);
    // A delivery may have a bill for each of hundreds of accounts. Ledgers of former versions get the index with their next bill.
    conn.execute_batch("CREATE INDEX IF NOT EXISTS restatement_bill ON restatement (json_extract(body, '$.bill'))")
        .map_err(fail)?;
    let mut statement = conn
        .prepare_cached("SELECT body FROM restatement WHERE json_extract(body, '$.bill') = ? ORDER BY no")
        .map_err(fail)?;
    let texts = statement
        .query_map([identity], |row| row.get::<_, String>(0))
        .map_err(fail)?;
    texts
        .map(|text| serde_json::from_str(&text.map_err(fail)?).map_err(|_| CodecError::Broken.at(path)))
        .collect()
}

/// The identities of all bills.
pub fn identities(conn: &Connection, path: &str) -> Result<Vec<String>, StoreError> {
    let fail = |e: rusqlite::Error| failed(path, &e);
    let mut statement = conn.prepare_cached("SELECT identity FROM bill").map_err(fail)?;
    let found = statement.query_map([], |row| row.get(0)).map_err(fail)?;
    found.collect::<Result<_, _>>().map_err(fail)
}

/// Adds a bill that has no rows yet; answers its number.
pub fn add(names: &StoredNames<'_>, identity: &str, recorded_at: i64) -> Result<i64, CodecError> {
    names
        .conn
        .prepare_cached("INSERT INTO bill (identity, recorded_at) VALUES (?, ?)")
        .and_then(|mut s| s.insert(params![identity, recorded_at]))
        .map_err(|e| CodecError::Store(failed(names.path, &e)))
}

/// Keeps the packed rows of an hour of a bill.
pub fn put(names: &StoredNames<'_>, number: i64, hour: Hour, body: &[u8]) -> Result<(), CodecError> {
    names
        .conn
        .prepare_cached("INSERT OR REPLACE INTO bill_hour (bill, hour, body) VALUES (?, ?, ?)")
        .and_then(|mut s| s.execute(params![number, hour.0, body]))
        .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
    Ok(())
}

/// All rows of a bill.
fn rows(names: &mut StoredNames<'_>, number: i64) -> Result<SpendRows, CodecError> {
    let (conn, path) = (names.conn, names.path);
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut all = SpendRows::default();
    let mut statement = conn
        .prepare_cached("SELECT hour, body FROM bill_hour WHERE bill = ? ORDER BY hour")
        .map_err(fail)?;
    let mut found = statement.query([number]).map_err(fail)?;
    while let Some(row) = found.next().map_err(fail)? {
        let body = row.get_ref(1).and_then(|body| Ok(body.as_blob()?)).map_err(fail)?;
        spend::unpack(names, Hour(row.get(0).map_err(fail)?), body, |key, sums| {
            all.extend([(key, sums)]);
            Ok(())
        })?;
    }
    Ok(all)
}

/// The rows of two bills, hour by hour.
fn by_hour<'a>(
    old: &'a SpendRows,
    new: &'a SpendRows,
) -> impl Iterator<Item = (Hour, Option<HourRows<'a>>, Option<HourRows<'a>>)> {
    let (mut old, mut new) = (old.hours().peekable(), new.hours().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.hour().cmp(&new.hour()),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let old = old.next_if(|_| order.is_le());
        let new = new.next_if(|_| order.is_ge());
        let hour = old.or(new)?.hour()?;
        Some((hour, old, new))
    })
}

/// Makes what an hour of a bill was into what it is; whether that is something else.
fn change(
    names: &mut StoredNames<'_>,
    number: i64,
    hour: Hour,
    old: Option<HourRows<'_>>,
    new: Option<HourRows<'_>>,
) -> Result<bool, CodecError> {
    let mut delta = Delta::default();
    for (key, sums) in old.into_iter().flat_map(HourRows::iter) {
        delta.entry(key).or_default().subtract(&sums).map_err(money)?;
    }
    for (key, sums) in new.into_iter().flat_map(HourRows::iter) {
        delta.entry(key).or_default().add(&sums).map_err(money)?;
    }
    delta.retain(|_, sums| !sums.is_empty());
    if delta.is_empty() {
        return Ok(false);
    }
    match new {
        Some(rows) => {
            let mut body = Vec::new();
            spend::pack_hour(names, rows, &mut Rows::default(), &mut body)?;
            put(names, number, hour, &body)?;
        }
        None => {
            names
                .conn
                .prepare_cached("DELETE FROM bill_hour WHERE bill = ? AND hour = ?")
                .and_then(|mut s| s.execute([number, hour.0]))
                .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        }
    }
    spend::add_part(names, hour, delta.into_iter().collect())?;
    Ok(true)
}
