//! The [`Ledger`] in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::adapters::counting::counting;
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::money::{Currency, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{
    Basis, Bill, KnownBill, REPRICED, Restatement, SpendKey, SpendRows, Sums, metered_key, restatements,
};
use crate::domain::usage::{Besides, EventBatch, EventId, UsageEvent};
use crate::ports::{Checkpoint, Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

#[derive(Clone)]
struct Detail {
    event: UsageEvent,
    charge: Charge,
    recorded_at: DateTime<Utc>,
}

/// A ledger that lives as long as the process. The reference that the other stores are compared with.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    details: HashMap<EventId, Option<Detail>>,
    spend: BTreeMap<SpendKey, Sums>,
    /// Days of which hours were folded.
    folded: BTreeSet<Hour>,
    bills: BTreeMap<String, SpendRows>,
    restatements: Vec<Restatement>,
    checkpoints: BTreeMap<(String, String), Checkpoint>,
    met: HashSet<EventId>,
    /// Calls that this run has recorded.
    of_run: HashSet<EventId>,
    besides: Besides,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn move_spend(&mut self, mut key: SpendKey, sums: &Sums, add: bool) -> Result<(), StoreError> {
        // The rows of bills stand at the first hour of their days, and where a day was folded with its sum.
        if self.folded.contains(&key.hour) {
            key.hour = key.hour.folded();
        }
        let slot = self.spend.entry(key).or_default();
        if add {
            slot.add(sums)?
        } else {
            slot.subtract(sums)?
        }
        if slot.is_empty() {
            self.spend.remove(&key);
        }
        Ok(())
    }

    fn metered_on(&self, day: Hour) -> Result<Decimal, StoreError> {
        let of_day = self
            .spend
            .iter()
            .filter(|(key, _)| key.basis == Basis::Metered && key.currency == Currency::USD && key.hour.day() == day);
        let mut sum = Decimal::ZERO;
        for (_, sums) in of_day {
            sum = add_exact(sum, sums.cost)?;
        }
        Ok(sum)
    }

    fn observe(
        &mut self,
        event: &UsageEvent,
        batch: &EventBatch,
        pricer: &dyn Pricer,
        now: DateTime<Utc>,
        out: &mut Recorded,
    ) -> Result<(), StoreError> {
        let first_met = self.met.insert(event.id);
        let Some(known) = self.details.get(&event.id).cloned() else {
            let charge = pricer.price(event);
            self.move_spend(metered_key(event), &Sums::of(event, &charge), true)?;
            self.details.insert(
                event.id,
                Some(Detail {
                    event: *event,
                    charge,
                    recorded_at: now,
                }),
            );
            self.of_run.insert(event.id);
            self.besides.add(batch, event.id);
            let counts = !event.is_taken_back();
            out.recorded += u64::from(counts);
            out.unpriced += u64::from(counts && !charge.is_priced());
            out.cost = add_exact(out.cost, charge.cost)?;
            return Ok(());
        };
        out.duplicates += 1;
        let Some(old) = known else { return Ok(()) };
        out.known += u64::from(first_met);
        let of_run = self.of_run.contains(&event.id);
        let better = self.besides.join(&old.event, of_run, batch, event);
        if better != old.event {
            let charge = pricer.price(&better);
            self.move_spend(metered_key(&old.event), &Sums::of(&old.event, &old.charge), false)?;
            self.move_spend(metered_key(&better), &Sums::of(&better, &charge), true)?;
            out.cost = add_exact(out.cost, charge.cost - old.charge.cost)?;
            self.details.insert(
                event.id,
                Some(Detail {
                    event: better,
                    charge,
                    recorded_at: old.recorded_at,
                }),
            );
        }
        Ok(())
    }
}

impl Ledger for MemoryLedger {
    fn begin(&mut self) {
        self.of_run.clear();
        self.besides.clear();
    }

    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        let mut out = Recorded {
            duplicates: batch.events.repeated(),
            ..Recorded::default()
        };
        for event in batch.events.events() {
            self.observe(event, &batch.events, pricer, now, &mut out)?;
        }
        for (source, key, checkpoint) in &batch.checkpoints {
            let key = (source.clone(), key.clone());
            match *checkpoint == Checkpoint::NONE {
                true => self.checkpoints.remove(&key),
                false => self.checkpoints.insert(key, checkpoint.clone()),
            };
        }
        Ok(out)
    }

    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        let mut old: Vec<(SpendKey, Sums)> = Vec::new();
        if let Some(former) = bill.formerly.as_ref().filter(|former| former.identity != bill.identity)
            && let Some(all) = self.bills.remove(&former.identity)
        {
            let is_of = |key: &SpendKey| key.dimensions.get(Dimension::Provider) == former.provider;
            old.extend(all.iter().filter(|(key, _)| is_of(key)));
            let rest = all.iter().filter(|(key, _)| !is_of(key)).collect();
            self.bills.insert(former.identity.clone(), rest);
        }
        let known = self.bills.insert(bill.identity.clone(), bill.rows.clone());
        old.extend(known.iter().flat_map(SpendRows::iter));
        let restated = restatements(bill, old.iter().copied(), &self.restatements, now)?;
        for (key, sums) in old {
            self.move_spend(key, &sums, false)?;
        }
        for (key, sums) in bill.rows.iter() {
            self.move_spend(key, &sums, true)?;
        }
        self.restatements.extend(restated.iter().cloned());
        Ok(restated)
    }

    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        let mut all = Vec::new();
        for (identity, rows) in &self.bills {
            all.extend(KnownBill::of(identity.clone(), rows.iter()));
        }
        Ok(all)
    }

    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        let of_source = self.checkpoints.iter().filter(|((s, _), _)| s == source);
        Ok(of_source
            .map(|((_, key), checkpoint)| (key.clone(), checkpoint.clone()))
            .collect())
    }

    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        self.spend
            .iter()
            .filter(|(key, _)| period.contains(key.hour.start()))
            .for_each(|(key, sums)| visit(key, sums));
        Ok(())
    }

    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        let (first, last) = (self.spend.keys().next(), self.spend.keys().next_back());
        Ok(first
            .zip(last)
            .map(|(a, b)| Period::new(a.hour.start(), Hour(b.hour.0 + 1).start())))
    }

    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        Ok(self
            .details
            .get(&id)
            .and_then(|d| d.as_ref())
            .map(|d| (d.event, d.charge)))
    }

    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let kept = self.details.values().flatten().filter(|d| period.contains(d.event.at));
        let mut visit = counting(visit);
        for detail in kept {
            if visit(&detail.event, &detail.charge).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        let mut out = Recharged::default();
        let mut days: BTreeMap<Hour, Decimal> = BTreeMap::new();
        for id in ids {
            let Some(Some(old)) = self.details.get(id).cloned() else {
                continue;
            };
            let charge = pricer.price(&old.event);
            if charge == old.charge {
                continue;
            }
            let key = metered_key(&old.event);
            if let std::collections::btree_map::Entry::Vacant(slot) = days.entry(key.hour.day()) {
                slot.insert(self.metered_on(key.hour.day())?);
            }
            self.move_spend(key, &Sums::of(&old.event, &old.charge), false)?;
            self.move_spend(key, &Sums::of(&old.event, &charge), true)?;
            out.changed += 1;
            out.cost = add_exact(out.cost, charge.cost - old.charge.cost)?;
            self.details.insert(*id, Some(Detail { charge, ..old }));
        }
        for (day, old) in days {
            let new = self.metered_on(day)?;
            if new != old {
                out.restatements.push(Restatement {
                    seen_at: now,
                    bill: REPRICED.to_owned(),
                    day,
                    basis: Basis::Metered,
                    currency: Currency::USD,
                    old: old.normalize(),
                    new: new.normalize(),
                });
            }
        }
        self.restatements.extend(out.restatements.iter().cloned());
        Ok(out)
    }

    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        Ok(self.restatements.clone())
    }

    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = now - TimeDelta::days(i64::from(retention.detail_days));
        let last_hour = Hour::of(before).day();
        let old: Vec<(SpendKey, Sums)> = self
            .spend
            .iter()
            .filter(|(key, _)| key.hour < last_hour && !kept.contains(&key.hour.day()))
            .map(|(k, s)| (*k, *s))
            .collect();
        let mut days = BTreeSet::new();
        for (key, sums) in old {
            self.move_spend(key, &sums, false)?;
            self.move_spend(
                SpendKey {
                    hour: key.hour.folded(),
                    ..key
                },
                &sums,
                true,
            )?;
            days.insert(key.hour.day());
        }
        self.folded.extend(days);
        let mut gone = 0;
        for detail in self.details.values_mut() {
            if detail.as_ref().is_some_and(|d| d.recorded_at < before) {
                *detail = None;
                gone += 1;
            }
        }
        Ok(gone)
    }
}
