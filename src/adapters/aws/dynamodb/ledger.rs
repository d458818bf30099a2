//! The [`Ledger`] on DynamoDB. `docs/aws.md` shows the layout with sizes and costs.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};

use super::again::{all_places, final_trouble, recharge, visit_all};
use super::bytes::{Broken, Reader, deflate, inflate, put_bytes};
use super::checkpoints::{add_checkpoints, known_checkpoints};
use super::head::{Bundle, Head, What};
use super::identities;
use super::record::{OfRun, apply, day_of, details, places, record};
use super::rows::{self, Rows};
use super::store::{Bodies, Draft, Store, Trouble};
use super::table::{Meter, Table};
use crate::adapters::counting::counting;
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, Former, KnownBill, Restatement, SpendKey, Sums, restatements};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

/// Changes of checkpoints or restatements that are made one when there are more.
pub(super) const MAX_CHANGES: usize = 16;

/// A ledger in a DynamoDB table.
pub struct DynamoLedger {
    store: Store,
    keep: Retention,
    opened: DateTime<Utc>,
    met: HashSet<EventId>,
    run: OfRun,
}

impl DynamoLedger {
    /// A ledger in `table`. `keep` sets the time to live of detail that is recorded; what has outlived it at `now` is not
    /// shown, whether DynamoDB has deleted it or not.
    #[must_use]
    pub fn new(table: Table, keep: Retention, now: DateTime<Utc>) -> Self {
        DynamoLedger {
            store: Store::new(table),
            keep,
            opened: now,
            met: HashSet::new(),
            run: OfRun::default(),
        }
    }

    /// Requests and units used so far.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.store.table.meter()
    }

    fn keep_micros(&self) -> i64 {
        i64::from(self.keep.detail_days).saturating_mul(86_400_000_000)
    }
}

impl Ledger for DynamoLedger {
    fn begin(&mut self) {
        self.run = OfRun::default();
    }

    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        let keep = self.keep_micros();
        let run = &mut self.run;
        let outcome = self.store.change(|store, head, draft| {
            // What is joined once more, since another writer came between, is the same.
            let outcome = record(store, head, draft, (&batch.events, &mut *run), pricer, keep, now)?;
            add_checkpoints(store, head, draft, &batch.checkpoints)?;
            Ok(outcome)
        })?;
        let mut recorded = outcome.recorded;
        recorded.duplicates += batch.events.repeated();
        recorded.known = outcome.known.into_iter().map(|id| u64::from(self.met.insert(id))).sum();
        outcome
            .fresh
            .iter()
            .for_each(|id| self.run.besides.add(&batch.events, *id));
        self.run.calls.extend(&outcome.fresh);
        self.met.extend(outcome.fresh);
        Ok(recorded)
    }

    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        let digest = digest(&bill.identity);
        self.store.change(|store, head, draft| {
            let known = head.bills.get(&digest);
            let mut before = match known {
                Some(bundle) => read_bill(store, *bundle, &bill.identity)?,
                None => Vec::new(),
            };
            let taken = match &bill.formerly {
                Some(former) if former.identity != bill.identity => take_over(store, head, draft, former)?,
                Some(_) | None => Vec::new(),
            };
            let settled = known.is_some() && taken.is_empty();
            before.extend(taken);
            let told = known_restatements(store, head)?;
            let restated = restatements(bill, before.iter().copied(), &told, now)?;
            let mut delta = Rows::new();
            for (key, sums) in &before {
                delta.entry(*key).or_default().subtract(sums)?;
            }
            for (key, sums) in bill.rows.iter() {
                delta.entry(key).or_default().add(&sums)?;
            }
            delta.retain(|_, sums| !sums.is_empty());
            if delta.is_empty() && settled {
                return Ok(restated);
            }
            apply(store, draft, delta, false)?;
            let bundle = draft.add(What::Bill, 0, &packed(&bill.identity, bill.rows.iter()));
            if let Some(old) = draft.head.bills.insert(digest, bundle) {
                draft.drop(old);
            }
            add_restatements(store, head, draft, &restated)?;
            Ok(restated)
        })
    }

    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        self.store.view(|store, head| {
            let bodies = store.load(head.bills.values().copied())?;
            let broken = store.broken("a bill");
            let mut all = Vec::new();
            for bundle in head.bills.values() {
                let mut reader = Reader(body_of(&bodies, *bundle));
                let identity = reader.text().map_err(&broken)?.to_owned();
                let rows = rows::unpack(reader.0).map_err(&broken)?;
                all.extend(KnownBill::of(identity, rows.into_iter()));
            }
            all.sort_by(|a, b| a.identity.cmp(&b.identity));
            Ok(all)
        })
    }

    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        let all = self.store.view(known_checkpoints)?;
        let of_source = all.into_iter().filter(|((of, _), _)| of == source);
        Ok(of_source.map(|((_, key), at)| (key, Checkpoint(at))).collect())
    }

    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        let days = day_of(Hour::of(period.start))..=day_of(Hour::of(period.end));
        // Read whole before the first visit: a view that has to begin again must not visit twice.
        let found = self.store.view(|store, head| {
            let bundles: Vec<(i64, Bundle)> = head.days.range(days.clone()).map(|(n, d)| (*n, d.bundle(*n))).collect();
            let bodies = store.load(bundles.iter().map(|(_, bundle)| *bundle))?;
            let broken = store.broken("the spend of a day");
            let mut all = Vec::new();
            for (day, bundle) in bundles {
                let body = bodies.get(&(bundle, day)).map(|b| b.as_slice()).unwrap_or_default();
                all.extend(rows::unpack(body).map_err(&broken)?);
            }
            Ok(all)
        })?;
        let inside = found.iter().filter(|(key, _)| period.contains(key.hour.start()));
        inside.for_each(|(key, sums)| visit(key, &sums.bounded()));
        Ok(())
    }

    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        self.store.view(|_, head| Ok(head.span()))
    }

    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        let (keep, now) = (self.keep_micros(), self.opened);
        self.store.view(|store, head| {
            let places = places(store, head, &[id])?;
            Ok(details(store, head, &places, keep, now)?.remove(&id))
        })
    }

    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (keep, now) = (self.keep_micros(), self.opened);
        let (head, places) = self
            .store
            .view(|store, head| Ok((head.clone(), all_places(store, head)?)))?;
        // Blocks of calls are never rewritten: no writer can take them away meanwhile.
        let mut visit = counting(visit);
        let visited = visit_all(&mut self.store, &head, places, keep, now, period, &mut visit);
        visited.map_err(|e| final_trouble(&self.store, e))
    }

    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        let keep = self.keep_micros();
        self.store
            .change(|store, head, draft| recharge(store, head, draft, ids, pricer, keep, now))
    }

    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        self.store.view(known_restatements)
    }

    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = now - TimeDelta::days(i64::from(retention.detail_days));
        let last_day = day_of(Hour::of(before));
        let before = before.timestamp_micros();
        self.store.change(|store, head, draft| {
            let mut gone = 0;
            if before > head.detail_before {
                gone = expire_origins(store, head, draft, before)?;
            }
            let is_kept = |day: i64| kept.contains(&Hour(day * 24));
            let unfolded = head
                .days
                .range(..last_day)
                .filter(|(at, day)| !day.is_whole() && !is_kept(**at));
            let mut fold = Rows::new();
            for (day, _) in unfolded {
                let any = SpendKey {
                    hour: Hour(day * 24),
                    basis: crate::domain::spend::Basis::Metered,
                    currency: crate::domain::money::Currency::USD,
                    dimensions: crate::domain::dimension::Dimensions::default(),
                };
                fold.insert(any, Sums::default());
            }
            apply(store, draft, fold, true)?;
            Ok(gone)
        })
    }
}

/// Moves the mark before which detail has expired; how many calls lose theirs.
fn expire_origins(store: &mut Store, head: &Head, draft: &mut Draft, before: i64) -> Result<u64, Trouble> {
    let touched: Vec<usize> = (0..head.segments.len())
        .filter(|at| head.segments.get(*at).is_some_and(|s| s.oldest < before))
        .collect();
    if touched.is_empty() {
        return Ok(0);
    }
    let lists = touched
        .iter()
        .filter_map(|at| head.segments.get(*at))
        .map(|s| s.origins());
    let bodies = store.load(lists)?;
    let broken = store.broken("a segment of identities");
    let mut gone = 0;
    for at in touched {
        let Some(segment) = draft.head.segments.get_mut(at) else {
            continue;
        };
        let body = bodies
            .get(&(segment.origins(), 0))
            .map(|b| b.as_slice())
            .unwrap_or_default();
        let origins = identities::unpack_origins(body).map_err(&broken)?;
        let live = |mark: i64| origins.iter().filter(move |o| o.recorded_at >= mark);
        let newly = live(head.detail_before).filter(|o| o.recorded_at < before);
        gone += newly.map(|o| o.calls).sum::<u64>();
        segment.oldest = live(before).map(|o| o.recorded_at).min().unwrap_or(i64::MAX);
    }
    draft.head.detail_before = before;
    Ok(gone)
}

fn digest(identity: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = EventId::of(&[b"bill", identity.as_bytes()]).0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn packed(identity: &str, bill: impl Iterator<Item = (SpendKey, Sums)>) -> Vec<u8> {
    let mut body = Vec::new();
    put_bytes(&mut body, identity.as_bytes());
    body.extend(rows::pack(bill));
    body
}

/// Takes the rows of a provider out of a bill that was recorded by a former version.
fn take_over(
    store: &mut Store,
    head: &Head,
    draft: &mut Draft,
    former: &Former,
) -> Result<Vec<(SpendKey, Sums)>, Trouble> {
    let digest = digest(&former.identity);
    let Some(bundle) = head.bills.get(&digest) else {
        return Ok(Vec::new());
    };
    let all = read_bill(store, *bundle, &former.identity)?;
    let is_of = |(key, _): &(SpendKey, Sums)| key.dimensions.get(Dimension::Provider) == former.provider;
    let (taken, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(is_of);
    if !taken.is_empty() {
        draft.drop(*bundle);
        draft.head.bills.remove(&digest);
        if !rest.is_empty() {
            // Two bundles of one commit have keys of their own.
            let bundle = draft.add(What::Bill, 1, &packed(&former.identity, rest.into_iter()));
            draft.head.bills.insert(digest, bundle);
        }
    }
    Ok(taken)
}

fn body_of(bodies: &Bodies, bundle: Bundle) -> &[u8] {
    bodies
        .get(&(bundle, bundle.first))
        .map(|b| b.as_slice())
        .unwrap_or_default()
}

fn read_bill(store: &mut Store, bundle: Bundle, identity: &str) -> Result<Vec<(SpendKey, Sums)>, Trouble> {
    let bodies = store.load([bundle])?;
    let broken = store.broken("a bill");
    let mut reader = Reader(body_of(&bodies, bundle));
    if reader.text().map_err(&broken)? != identity {
        return Err(broken(Broken));
    }
    rows::unpack(reader.0).map_err(broken)
}

fn known_restatements(store: &mut Store, head: &Head) -> Result<Vec<Restatement>, Trouble> {
    let bodies = store.load(head.restatements.iter().copied())?;
    let broken = store.broken("restatements");
    let mut all = Vec::new();
    for bundle in &head.restatements {
        let body = bodies.get(&(*bundle, 0)).map(|b| b.as_slice()).unwrap_or_default();
        let plain = inflate(body).map_err(&broken)?;
        let some: Vec<Restatement> = serde_json::from_slice(&plain).map_err(|_| broken(Broken))?;
        all.extend(some);
    }
    Ok(all)
}

/// Adds restatements behind those that are there.
pub fn add_restatements(store: &mut Store, head: &Head, draft: &mut Draft, new: &[Restatement]) -> Result<(), Trouble> {
    if new.is_empty() {
        return Ok(());
    }
    let mut written = Vec::new();
    if head.restatements.len() >= MAX_CHANGES {
        written = known_restatements(store, head)?;
        std::mem::take(&mut draft.head.restatements)
            .into_iter()
            .for_each(|old| draft.drop(old));
    }
    written.extend(new.iter().cloned());
    let text = serde_json::to_vec(&written).map_err(|_| store.broken("restatements")(Broken))?;
    let bundle = draft.add(What::Restatements, 0, &deflate(&text));
    draft.head.restatements.push(bundle);
    Ok(())
}
