//! The ledger as its account sees it: with flat costs, and with the effective cost of what is not billed yet.
//!
//! What is agreed is applied when spend is read and never stored. The rules:
//!
//! - a commitment adds rows of category `Purchase` to the metered and the effective basis, hour by hour up to now;
//! - metered use of models becomes effective cost (list → contracted → effective), but only on days on which no bill has
//!   effective cost of the same provider: a bill knows better, and nothing counts twice.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use crate::domain::billed::billed_provider;
use crate::domain::charge::Charge;
use crate::domain::contract::Terms;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError};
use crate::domain::period::{Hour, Period};
use crate::domain::price::provider_key;
use crate::domain::spend::{Basis, Bill, Restatement, SpendKey, Sums};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

/// A ledger with the terms of its account.
pub struct View {
    inner: Box<dyn Ledger>,
    terms: Terms,
    now: DateTime<Utc>,
}

impl View {
    /// Puts terms over a ledger.
    #[must_use]
    pub fn new(inner: Box<dyn Ledger>, terms: Terms, now: DateTime<Utc>) -> Self {
        View { inner, terms, now }
    }

    /// Days on which bills have effective cost, by provider.
    fn billed_days(&mut self, period: Period) -> Result<HashSet<(Label, Hour)>, StoreError> {
        // The day of an hour that lies within may have begun before.
        let whole = Period::new(Hour::of(period.start).day().start(), period.end);
        let mut names = Names::default();
        let mut days = HashSet::new();
        self.inner.spend(whole, &mut |key, _| {
            if key.basis == Basis::Effective
                && let Some(provider) = names.billed(key)
            {
                days.insert((provider, key.hour.day()));
            }
        })?;
        Ok(days)
    }
}

/// Providers in one spelling, found once per name.
#[derive(Default)]
struct Names {
    billed: HashMap<(Label, Label, bool), Option<Label>>,
    metered: HashMap<Label, Label>,
}

impl Names {
    fn billed(&mut self, key: &SpendKey) -> Option<Label> {
        let of = |d| key.dimensions.get(d);
        let name = (
            of(Dimension::Provider),
            of(Dimension::Service),
            of(Dimension::Model).is_empty(),
        );
        *self
            .billed
            .entry(name)
            .or_insert_with(|| billed_provider(&key.dimensions))
    }

    fn metered(&mut self, key: &SpendKey) -> Label {
        let name = key.dimensions.get(Dimension::Provider);
        *self
            .metered
            .entry(name)
            .or_insert_with(|| Label::new(&provider_key(name.as_str())))
    }
}

fn effective(terms: &Terms, key: &SpendKey, sums: &Sums) -> Result<(SpendKey, Sums), MoneyError> {
    let at = key.hour.start();
    let cost = |amount| Ok(terms.agreed(&key.dimensions, at, amount)?.effective);
    let key = SpendKey {
        basis: Basis::Effective,
        ..*key
    };
    let sums = Sums {
        cost: cost(sums.cost)?,
        unpriced_worst_case: cost(sums.unpriced_worst_case)?,
        ..*sums
    };
    Ok((key, sums))
}

impl Ledger for View {
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        if self.terms.is_empty() {
            return self.inner.spend(period, visit);
        }
        let billed = self.billed_days(period)?;
        let terms = &self.terms;
        let mut names = Names::default();
        let mut failed: Option<MoneyError> = None;
        self.inner.spend(period, &mut |key, sums| {
            visit(key, sums);
            let derived = key.basis == Basis::Metered
                && key.currency == Currency::USD
                && !billed.contains(&(names.metered(key), key.hour.day()));
            if derived {
                match effective(terms, key, sums) {
                    Ok((key, sums)) => visit(&key, &sums),
                    Err(error) => failed = Some(error),
                }
            }
        })?;
        for basis in [Basis::Metered, Basis::Effective] {
            for row in terms.flat(period, self.now, basis) {
                let (key, sums) = row?;
                let known = basis == Basis::Effective && billed.contains(&(names.metered(&key), key.hour.day()));
                if !known {
                    visit(&key, &sums);
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        self.inner.record(batch, pricer, now)
    }

    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        self.inner.replace_bill(bill, now)
    }

    fn checkpoints(&mut self, source: &str) -> Result<Checkpoints, StoreError> {
        self.inner.checkpoints(source)
    }

    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        self.inner.span()
    }

    fn event(&mut self, id: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        self.inner.event(id)
    }

    fn events(
        &mut self,
        period: Period,
        visit: &mut dyn FnMut(&UsageEvent, &Charge) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.inner.events(period, visit)
    }

    fn recharge(&mut self, ids: &[EventId], pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recharged, StoreError> {
        self.inner.recharge(ids, pricer, now)
    }

    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        self.inner.restatements()
    }

    fn expire(&mut self, retention: Retention, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.expire(retention, now)
    }
}
