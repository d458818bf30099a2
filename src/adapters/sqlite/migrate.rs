//! From rows whose numbers stand one behind the other, as older schemas had them, to columns.

use rusqlite::{Connection, params};

use super::codec::{Broken, Calls, Reader, Rows, get_event, get_spend};
use super::names::{CodecError, NameCache, StoredNames};
use super::{bill, blocks, failed, parts, spend};
use crate::domain::period::Hour;
use crate::domain::spend::SpendRows;

/// Rows of a bill that are sorted together.
const TOGETHER: usize = 4096;

/// Packs calls and sums by column.
pub fn by_column(conn: &Connection, path: &str) -> Result<(), CodecError> {
    calls(conn, path)?;
    sums(conn, path)
}

fn calls(conn: &Connection, path: &str) -> Result<(), CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut cache = NameCache::default();
    let cache = &mut cache;
    let mut names = StoredNames { conn, path, cache };
    let numbers: Vec<u32> = conn
        .prepare("SELECT no FROM event_block")
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .map_err(fail)?;
    let mut calls = Calls::default();
    for number in numbers {
        let old = blocks::body(&names, number)?.ok_or(Broken)?;
        let mut reader = Reader(&old);
        calls.clear();
        while !reader.done() {
            let (event, charge) = get_event(&mut reader, &mut names)?;
            calls.extend(&[(&event, charge)], &mut names)?;
        }
        blocks::store(&names, number, &mut calls)?;
    }
    Ok(())
}

fn sums(conn: &Connection, path: &str) -> Result<(), CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut cache = NameCache::default();
    let cache = &mut cache;
    let mut names = StoredNames { conn, path, cache };
    for (number, table) in [("no", "spend_part"), ("hour", "spend_day")] {
        let numbers: Vec<i64> = conn
            .prepare(&format!("SELECT {number} FROM {table}"))
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .map_err(fail)?;
        for at in numbers {
            let old: Vec<u8> = conn
                .query_row(&format!("SELECT body FROM {table} WHERE {number} = ?"), [at], |row| {
                    row.get(0)
                })
                .map_err(fail)?;
            let mut reader = Reader(&old);
            let mut rows = Vec::new();
            while !reader.done() {
                // The hour is kept by the number.
                rows.push(get_spend(&mut reader, Hour(0), &mut names)?);
            }
            let mut body = Vec::new();
            spend::pack(&mut names, rows, &mut Rows::default(), &mut body)?;
            // Parts of an hour had stood side by side; an hour of today has another number in each layer.
            let new = if table == "spend_part" {
                parts::number(at.rem_euclid(64), at.div_euclid(64))
            } else {
                at
            };
            conn.execute(
                &format!("UPDATE {table} SET {number} = ?, body = ? WHERE {number} = ?"),
                params![new, body, at],
            )
            .map_err(fail)?;
        }
    }
    Ok(())
}

/// Takes each bill, all rows of which lay in one piece, apart into its hours.
pub fn bills_by_hour(conn: &Connection, path: &str) -> Result<(), CodecError> {
    let fail = |e: rusqlite::Error| CodecError::Store(failed(path, &e));
    let mut cache = NameCache::default();
    let cache = &mut cache;
    let mut names = StoredNames { conn, path, cache };
    let identities: Vec<String> = conn
        .prepare("SELECT identity FROM bill_whole ORDER BY identity")
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .map_err(fail)?;
    for identity in identities {
        let (recorded_at, whole): (i64, Vec<u8>) = conn
            .query_row(
                "SELECT recorded_at, body FROM bill_whole WHERE identity = ?",
                [&identity],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(fail)?;
        let mut rows = Vec::new();
        let mut all = SpendRows::default();
        let mut reader = Reader(&whole);
        while !reader.done() {
            let hour = Hour(i64::try_from(reader.u64()?).map_err(|_| Broken)?);
            rows.push(get_spend(&mut reader, hour, &mut names)?);
            if rows.len() >= TOGETHER || reader.done() {
                all.extend(rows.drain(..));
            }
        }
        let number = bill::add(&names, &identity, recorded_at)?;
        let (mut packed, mut body) = (Rows::default(), Vec::new());
        for part in all.hours() {
            let Some(hour) = part.hour() else { continue };
            spend::pack_hour(&mut names, part, &mut packed, &mut body)?;
            bill::put(&names, number, hour, &body)?;
        }
    }
    conn.execute_batch("DROP TABLE bill_whole").map_err(fail)
}
