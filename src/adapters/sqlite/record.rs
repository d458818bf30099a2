//! Recording a batch: what of it is known, what is better than what is known, what is new.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};
use rustc_hash::FxBuildHasher;

use super::additions::Added;
use super::blocks::{self, Appender};
use super::codec::{Broken, Calls, Charged, PackedCalls};
use super::failed;
use super::later::Later;
use super::ledger::State;
use super::names::{CodecError, StoredNames};
use super::spend::{Delta, apply, give, money, take};
use crate::domain::charge::Charge;
use crate::domain::money::{Total, add_exact};
use crate::domain::usage::{Bucket, EventBatch, EventId, Rank, UsageEvent};
use crate::ports::{Checkpoint, Pricer, RecordBatch, Recorded, StoreError};

/// Calls up to which each is looked for among the calls of a block one after another.
const FEW: usize = 32;

/// Records a batch within a transaction.
pub fn record(
    conn: &Connection,
    path: &str,
    state: &mut State,
    batch: &RecordBatch,
    pricer: &dyn Pricer,
    now: DateTime<Utc>,
) -> Result<Recorded, CodecError> {
    let events = batch.events.events();
    let mut outcome = Recorded {
        duplicates: batch.events.repeated(),
        ..Recorded::default()
    };
    let mut delta = Delta::default();
    let known = improve(conn, path, state, &batch.events, pricer, &mut delta, &mut outcome)?;
    let mut names = StoredNames {
        conn,
        path,
        cache: &mut state.names,
    };
    let ids = batch.events.ids();
    let (additions, blocks) = (&mut state.additions, &mut state.blocks);
    additions.clear();
    blocks.clear();
    let mut appender = Appender::new(&names, now, &mut state.calls)?;
    let mut position = appender.len();
    let State { places, charges, .. } = state;
    places.clear();
    charges.clear();
    let all = u32::try_from(events.len()).map_err(|_| Broken)?;
    // Of a load mostly none is known.
    let is_any_known = known.contains(&true);
    match is_any_known {
        false => places.extend(0..all),
        true => {
            let fresh = (0..all).zip(&known).filter(|(_, known)| !**known);
            places.extend(fresh.map(|(call, _)| call));
        }
    }
    let (mut next, mut calls): (_, Vec<Charged<'_>>) = (Vec::new(), Vec::new());
    let mut costs = Total::default();
    for (from, added) in (0..).step_by(Calls::TOGETHER).zip(places.chunks(Calls::TOGETHER)) {
        next.clear();
        match stretch(events, added) {
            Some(stretch) => next.extend(stretch),
            None => next.extend(added.iter().filter_map(|place| events.get(*place as usize))),
        }
        fetch(&next);
        pricer.price_all(&next, charges);
        if charges.len() != from + added.len() {
            return Err(CodecError::Store(StoreError::Failed {
                path: path.to_owned(),
                cause: format!("{} of {} calls were priced", charges.len(), from + added.len()),
            }));
        }
        let priced = charges.get(from..).unwrap_or(&[]);
        calls.clear();
        calls.extend(next.iter().copied().zip(priced.iter().copied()));
        for (event, charge) in &calls {
            let counts = !event.is_taken_back();
            outcome.recorded += u64::from(counts);
            outcome.unpriced += u64::from(counts && !charge.is_priced());
            costs.add(charge.cost).map_err(money)?;
        }
        appender.extend(&mut names, &calls, now, blocks)?;
        let added = Added {
            events,
            places,
            charges,
        };
        additions.extend(&calls, added, from)?;
    }
    outcome.cost = add_exact(outcome.cost, costs.sum().map_err(money)?).map_err(money)?;
    appender.flush(&names)?;
    for same in blocks.chunk_by(|a, b| a == b) {
        if let Some(block) = same.first() {
            let new = position..position + same.len();
            state.met.note(*block, new.clone());
            state.of_run.note(*block, new);
        }
        position = 0;
    }
    match is_any_known {
        false => {
            state.besides.add_all(&batch.events, ids.iter());
            let calls = ids.iter().zip(blocks.iter());
            state.index.add(conn, path, calls.map(|(id, block)| (*id, *block)))?;
        }
        true => {
            let fresh_ids = ids.iter().zip(&known).filter(|(_, known)| !**known);
            state
                .besides
                .add_all(&batch.events, fresh_ids.clone().map(|(id, _)| id));
            let calls = fresh_ids.zip(blocks.iter()).map(|((id, _), block)| (*id, *block));
            state.index.add(conn, path, calls)?;
        }
    }
    apply(
        &mut names,
        additions,
        Added {
            events,
            places,
            charges,
        },
        delta,
    )?;
    for (source, key, Checkpoint(body)) in &batch.checkpoints {
        let kept = match body.is_empty() {
            true => conn
                .prepare_cached("DELETE FROM checkpoint WHERE source = ? AND key = ?")
                .and_then(|mut s| s.execute(params![source, key])),
            false => conn
                .prepare_cached("INSERT OR REPLACE INTO checkpoint (source, key, body) VALUES (?, ?, ?)")
                .and_then(|mut s| s.execute(params![source, key, body])),
        };
        kept.map_err(|e| CodecError::Store(failed(path, &e)))?;
    }
    Ok(outcome)
}

/// The calls of a batch that stand at these places, where nothing stands between them.
fn stretch<'e>(events: &'e [UsageEvent], places: &[u32]) -> Option<&'e [UsageEvent]> {
    let [first, last] = [places.first()?, places.last()?].map(|place| *place as usize);
    let stretch = events.get(first..=last)?;
    (stretch.len() == places.len()).then_some(stretch)
}

/// Reads a little of every part of some calls, which lie far from the processor: so it waits for many of them at a time, where it would wait for
/// each when it is priced.
fn fetch(calls: &[&UsageEvent]) {
    let parts = |call: &UsageEvent| {
        u64::from(call.id.digits() as u32)
            ^ call.tokens.get(Bucket::InputUncached)
            ^ call.tokens.get(Bucket::VideoIn)
            ^ call.rank.line
            ^ call.model().index() as u64
            ^ u64::from(call.at.timestamp_subsec_nanos())
    };
    std::hint::black_box(calls.iter().fold(0, |all, call| all ^ parts(call)));
}

/// Merges observations of known calls into what is stored; answers which calls are known.
fn improve(
    conn: &Connection,
    path: &str,
    state: &mut State,
    batch: &EventBatch,
    pricer: &dyn Pricer,
    delta: &mut Delta,
    outcome: &mut Recorded,
) -> Result<Vec<bool>, CodecError> {
    let events = batch.events();
    let mut known = vec![false; events.len()];
    let mut mark = |call: u32| -> Result<(), Broken> {
        *known.get_mut(call as usize).ok_or(Broken)? = true;
        Ok(())
    };
    let mut names = StoredNames {
        conn,
        path,
        cache: &mut state.names,
    };
    let mut wanted: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (call, block) in state.index.find(conn, path, batch.ids().iter().copied())? {
        wanted.entry(block).or_default().push(call);
    }
    for (block, candidates) in wanted {
        let Some(body) = blocks::body(&names, block)? else {
            // The detail has expired: the fingerprint is all that is left to know the call by.
            for call in candidates {
                mark(call)?;
                outcome.duplicates += 1;
            }
            continue;
        };
        let packed = PackedCalls::parse(&body)?;
        let mut places: HashMap<EventId, usize, FxBuildHasher> = HashMap::default();
        if candidates.len() > FEW {
            places.extend(packed.ids().zip(0..));
        }
        let mut later = Later::load(&names, block)?;
        // What of the block got better, by place; a call may come more than once.
        let mut better_rows: BTreeMap<usize, (UsageEvent, Charge)> = BTreeMap::new();
        for call in candidates {
            let event = events.get(call as usize).ok_or(Broken)?;
            let place = if places.is_empty() {
                packed.place(event.id)
            } else {
                places.get(&event.id).copied()
            };
            let Some(place) = place else { continue };
            mark(call)?;
            outcome.duplicates += 1;
            outcome.known += u64::from(state.met.first_time(block, place));
            let row = match better_rows.get(&place) {
                Some(row) => *row,
                None => blocks::call(&mut names, &packed, &later, place)?,
            };
            let of_run = state.of_run.has(block, place);
            let better = state.besides.join(&row.0, of_run, batch, event);
            if better == row.0 {
                continue;
            }
            // Often only the line is a later one: then nothing that is summed has changed.
            let rank = Rank {
                authority: better.rank.authority,
                ..row.0.rank
            };
            if (UsageEvent { rank, ..better }) == row.0 && better.is_taken_back() == row.0.is_taken_back() {
                let line = better.rank.line;
                if better.rank == (Rank { line, ..rank }) && !better_rows.contains_key(&place) {
                    later.note(place, line);
                } else {
                    better_rows.insert(place, (better, row.1));
                }
                continue;
            }
            let charge = pricer.price(&better);
            take(delta, &row.0, &row.1)?;
            give(delta, &better, &charge)?;
            outcome.cost = add_exact(outcome.cost, charge.cost - row.1.cost).map_err(money)?;
            better_rows.insert(place, (better, charge));
        }
        if !better_rows.is_empty() {
            let calls = &mut state.calls;
            calls.resume(&packed);
            for (place, (event, charge)) in &better_rows {
                calls.replace(*place, event, charge, &mut names)?;
                later.forget(*place);
            }
            blocks::store(&names, block, calls)?;
        }
        later.store(&names, block)?;
    }
    Ok(known)
}
