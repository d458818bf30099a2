//! Single calls as the store keeps them: visiting all of them, and pricing some anew.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use rust_decimal::Decimal;

use super::additions::{Added, Additions};
use super::blocks;
use super::codec::{Broken, Calls, PackedCalls};
use super::failed;
use super::later::Later;
use super::names::{CodecError, NameCache, StoredNames};
use super::spend::{self, Delta, apply, give, money, take};
use crate::domain::charge::Charge;
use crate::domain::money::{Currency, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, REPRICED, Restatement, metered_key};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Pricer, Recharged, StoreError};

/// Visits the calls of a period, block by block, within one read transaction: a batch recorded meanwhile is seen whole or
/// not at all.
pub(super) fn visit(
    conn: &mut Connection,
    path: &str,
    cache: &mut NameCache,
    period: Period,
    visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let fail = |e: rusqlite::Error| failed(path, &e);
    let tx = conn.savepoint().map_err(fail)?;
    let numbers: Vec<u32> = tx
        .prepare_cached("SELECT no FROM event_block ORDER BY no")
        .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
        .map_err(fail)?;
    let mut names = StoredNames { conn: &tx, path, cache };
    for number in numbers {
        let rows = load(&mut names, number).map_err(|e| e.at(path))?;
        for (event, charge) in rows.iter().flatten().filter(|(event, _)| period.contains(event.at)) {
            if visit(event, charge).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The calls of a block; `None` when its detail has expired.
fn load(names: &mut StoredNames<'_>, block: u32) -> Result<Option<Vec<(UsageEvent, Charge)>>, CodecError> {
    let Some(body) = blocks::body(names, block)? else {
        return Ok(None);
    };
    let (packed, later) = (PackedCalls::parse(&body)?, Later::load(names, block)?);
    let calls = 0..packed.ids().len();
    calls
        .map(|place| blocks::call(names, &packed, &later, place))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Prices the wanted calls of these blocks anew.
pub(super) fn recharge(
    names: &mut StoredNames<'_>,
    wanted: BTreeMap<u32, Vec<EventId>>,
    pricer: &dyn Pricer,
    now: DateTime<Utc>,
) -> Result<Recharged, CodecError> {
    let mut out = Recharged::default();
    let mut delta = Delta::default();
    let mut days: BTreeMap<Hour, Decimal> = BTreeMap::new();
    for (block, ids) in wanted {
        let ids: HashSet<EventId> = ids.into_iter().collect();
        let Some(body) = blocks::body(names, block)? else {
            continue;
        };
        let packed = PackedCalls::parse(&body)?;
        let mut changed: Option<Calls> = None;
        for (place, _) in packed.ids().enumerate().filter(|(_, id)| ids.contains(id)) {
            let (event, old) = packed.get(place, names)?;
            let charge = pricer.price(&event);
            if charge == old {
                continue;
            }
            let day = metered_key(&event).hour.day();
            if let Entry::Vacant(slot) = days.entry(day) {
                slot.insert(metered_on(names, day)?);
            }
            take(&mut delta, &event, &old)?;
            give(&mut delta, &event, &charge)?;
            out.changed += 1;
            out.cost = add_exact(out.cost, charge.cost - old.cost).map_err(money)?;
            let calls = changed.get_or_insert_with(|| {
                let mut calls = Calls::default();
                calls.resume(&packed);
                calls
            });
            calls.replace(place, &event, &charge, names)?;
        }
        if let Some(mut calls) = changed {
            blocks::store(names, block, &mut calls)?;
        }
    }
    apply(names, &mut Additions::default(), Added::NOTHING, delta)?;
    for (day, old) in days {
        let new = metered_on(names, day)?;
        if new == old {
            continue;
        }
        let restatement = Restatement {
            seen_at: now,
            bill: REPRICED.to_owned(),
            day,
            basis: Basis::Metered,
            currency: Currency::USD,
            old: old.normalize(),
            new: new.normalize(),
        };
        let text = serde_json::to_string(&restatement).map_err(|_| Broken)?;
        names
            .conn
            .execute("INSERT INTO restatement (body) VALUES (?)", [text])
            .map_err(|e| CodecError::Store(failed(names.path, &e)))?;
        out.restatements.push(restatement);
    }
    Ok(out)
}

/// Metered cost of a UTC day, in dollars.
fn metered_on(names: &mut StoredNames<'_>, day: Hour) -> Result<Decimal, CodecError> {
    let mut sum = Decimal::ZERO;
    spend::visit(names, day.0, day.0 + 24, &mut |key, sums| {
        if key.basis == Basis::Metered && key.currency == Currency::USD {
            sum = add_exact(sum, sums.cost).map_err(money)?;
        }
        Ok(())
    })?;
    Ok(sum)
}
