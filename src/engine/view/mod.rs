//! The ledger as its account sees it: with flat costs, and with the effective cost of what is not billed yet.
//!
//! What is agreed is applied when spend is read and never stored. The rules:
//!
//! - web searches within a free allowance cost nothing: the earliest of a day or month, over all models that share it. Only
//!   the sums know how many there were, so that the fee of each call stays whole and the sums carry what is free;
//! - a commitment adds rows of category `Purchase` to the metered and the effective basis, hour by hour up to now;
//! - metered use of models becomes effective cost (list → contracted → effective), but only on days on which no bill has
//!   effective cost of use of the same account: a bill knows better, and nothing counts twice. Taxes, credits and purchases
//!   stand beside use, and so do rows below zero. Of a day that may be billed in part the greater counts;
//! - where it is asked for, the basis "billed, metered where late" has the bill's rows, and behind the last day that an account
//!   has billed its metered rows, scaled by how the two compared last.

pub mod allowance;
pub mod billed;
pub mod fill;
mod known;
pub mod names;
mod standing;
pub(super) mod standings;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::budget::Scope;
use crate::domain::charge::Charge;
use crate::domain::contract::Terms;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::price::{AllowancePeriod, Books, FreeSearches};
use crate::domain::spend::{Basis, Bill, KnownBill, Restatement, SpendKey, Sums};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoints, Ledger, Pricer, Recharged, RecordBatch, Recorded, Retention, StoreError};

use allowance::{Allowances, is_searching, searching};
use billed::{effective, month};
use fill::{Fill, is_purchase, is_refund, is_usage};
use known::{Elsewhere, Known, Purchases, whole_months};
use names::Names;
use standings::{Collected, compared_from};

/// Loads the price books when they are needed; the cause when they cannot be used.
pub type LoadBooks = Box<dyn Fn() -> Result<Books, String> + Send>;

/// A ledger with the terms of its account.
pub struct View {
    inner: Box<dyn Ledger>,
    terms: Terms,
    books: LoadBooks,
    loaded: Option<Arc<Books>>,
    /// What figures with late bills are of; nothing where they are not wanted.
    fill: Option<Scope>,
    now: DateTime<Utc>,
}

impl View {
    /// Puts terms over a ledger.
    #[must_use]
    pub fn new(inner: Box<dyn Ledger>, terms: Terms, books: LoadBooks, now: DateTime<Utc>) -> Self {
        View {
            inner,
            terms,
            books,
            loaded: None,
            fill: None,
            now,
        }
    }

    /// The same with the basis [`Basis::BilledFilled`], which costs a further look at the bills. Within a scope that a bill does not tell
    /// apart metered use stands for its rows; within all, nothing does.
    #[must_use]
    pub fn filling(mut self, fill: Option<Scope>) -> Self {
        self.fill = fill;
        self
    }

    /// What errors about price books name in place of a store.
    pub const BOOKS: &str = "price books";

    fn books(&mut self) -> Result<Arc<Books>, StoreError> {
        if let Some(books) = &self.loaded {
            return Ok(Arc::clone(books));
        }
        let books = (self.books)().map_err(|cause| StoreError::Failed {
            path: View::BOOKS.to_owned(),
            cause,
        })?;
        Ok(Arc::clone(self.loaded.insert(Arc::new(books))))
    }

    /// The stored rows of a period, with searches that cost nothing taken off.
    fn stored(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        // Rows with searches wait until it is known which are free; they are few.
        let mut waiting: Vec<(SpendKey, Sums)> = Vec::new();
        self.inner.spend(period, &mut |key, sums| {
            if is_searching(key, sums) {
                waiting.push((*key, *sums));
            } else {
                visit(key, sums);
            }
        })?;
        self.less_free(waiting, period, visit)
    }

    /// Visits rows with searches, those that cost nothing taken off.
    fn less_free(
        &mut self,
        waiting: Vec<(SpendKey, Sums)>,
        period: Period,
        visit: &mut dyn FnMut(&SpendKey, &Sums),
    ) -> Result<(), StoreError> {
        for (key, mut sums, free) in self.free(waiting, period)? {
            if let Some(free) = free {
                sums.cost = add_exact(sums.cost, -free.amount)?;
            }
            visit(&key, &sums);
        }
        Ok(())
    }

    /// Which searches of these rows are free.
    fn free(
        &mut self,
        mut waiting: Vec<(SpendKey, Sums)>,
        period: Period,
    ) -> Result<Vec<(SpendKey, Sums, Option<FreeSearches>)>, StoreError> {
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let books = self.books()?;
        let mut allowances = Allowances::new(&books);
        if waiting.iter().any(|(key, _)| allowances.of(key).is_some()) {
            // What was used before the period began, in the day or month around it.
            let before = Period::new(AllowancePeriod::Month.around(period.start).start, period.start);
            let mut earlier = searching(self.inner.as_mut(), before)?;
            earlier.sort_by_key(|(key, _)| *key);
            for (key, sums) in &earlier {
                allowances.take(key, sums)?;
            }
        }
        waiting.sort_by_key(|(key, _)| *key);
        let taken = waiting.into_iter().map(|(key, sums)| {
            let free = allowances.take(&key, &sums)?;
            Ok((key, sums, free))
        });
        taken.collect()
    }

    /// The rows of a period with what is agreed.
    fn agreed(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        if self.terms.is_empty() {
            return self.stored(period, visit);
        }
        let (billed, mut names) = self.billed(period)?;
        let terms = self.terms.clone();
        let terms = &terms;
        let mut failed: Option<MoneyError> = None;
        self.stored(period, &mut |key, sums| {
            let account = key.dimensions.get(Dimension::Account);
            // Rows of a day or month of which more was metered give way to that, which is in dollars.
            let gives_way = key.basis == Basis::Effective
                && key.currency == Currency::USD
                && is_usage(key)
                && !is_refund(sums)
                && names
                    .billed(key)
                    .and_then(|provider| billed.use_of_models.at(provider, account, key.hour))
                    .is_some_and(|standing| !standing.is_billed(key.hour));
            if !gives_way {
                visit(key, sums);
            }
            let derived = key.basis == Basis::Metered
                && key.currency == Currency::USD
                && billed
                    .use_of_models
                    .at(names.metered(key), account, key.hour)
                    .is_none_or(|standing| !standing.is_billed(key.hour));
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
                let known = basis == Basis::Effective && billed.has_flat(names.metered(&key), &key);
                if !known {
                    visit(&key, &sums);
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What bills have effective cost of, and the names of all.
    fn billed(&mut self, period: Period) -> Result<(Known, Names), StoreError> {
        // The row of a month that reaches into the period may stand before it, and whether a day is whole is told by those after it.
        let start = month(Hour::of(period.start)).min(compared_from(self.now));
        let whole = Period::new(start.start(), period.end.max(self.now));
        let terms = self.terms.clone();
        let mut purchases = Purchases::new(&terms);
        let now = self.now;
        let mut collected = Collected::new(now);
        let mut elsewhere: BTreeMap<Currency, Elsewhere> = BTreeMap::new();
        let mut failed: Option<MoneyError> = None;
        let read = |visit: &mut dyn FnMut(&SpendKey, &Sums)| self.stored(whole, visit);
        let names = Names::of(read, &mut |names, key, sums| {
            let account = key.dimensions.get(Dimension::Account);
            let usd = key.currency == Currency::USD;
            let added = match key.basis {
                Basis::Effective if is_purchase(key) => purchases.add(key, names.billed(key), sums),
                Basis::Effective => match names.billed(key) {
                    Some(provider) if is_usage(key) && usd => collected.billed(provider, account, key.hour, sums.cost),
                    // What is billed in another currency says nothing of dollars.
                    Some(provider) if is_usage(key) && !sums.cost.is_zero() => {
                        let days = elsewhere.entry(key.currency);
                        days.or_insert_with(|| Elsewhere::new(now))
                            .add(provider, key.hour, sums.cost)
                    }
                    Some(_) | None => Ok(()),
                },
                Basis::Metered if usd && is_usage(key) => terms
                    .agreed(&key.dimensions, key.hour.start(), sums.cost)
                    .and_then(|cost| collected.metered(names.metered(key), account, key.hour, cost.effective)),
                Basis::Metered | Basis::Billed | Basis::BilledFilled => Ok(()),
            };
            failed = failed.take().or(added.err());
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => {
                let known = Known {
                    use_of_models: collected.stand(false)?,
                    elsewhere,
                    purchases,
                    months: whole_months(&terms, period, self.now)?,
                };
                Ok((known, names))
            }
        }
    }
}

impl Ledger for View {
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        if let Some(scope) = self.fill.clone() {
            // Of the rows that it scales: what is free of them is in no bill either.
            let (from, now) = (period.start, self.now);
            let fill = Fill::of(from, now, |period, visit| self.stored(period, visit))?;
            let untold = fill.untold_by(&scope);
            let mut names = fill.row_names();
            return self.agreed(period, &mut |key, sums| {
                visit(key, sums);
                let row = match !untold.is_empty() && scope.matches(&key.dimensions) {
                    true => fill.row_apart(&mut names, key, sums, &untold),
                    false => fill.row(&mut names, key, sums),
                };
                if let Some((key, sums)) = row {
                    visit(&key, &sums);
                }
            });
        }
        self.agreed(period, visit)
    }

    fn spend_by(
        &mut self,
        period: Period,
        wanted: &[Dimension],
        visit: &mut dyn FnMut(&SpendKey, &Sums),
    ) -> Result<(), StoreError> {
        // What is agreed may depend on any dimension.
        if self.fill.is_some() || !self.terms.is_empty() {
            return self.spend(period, visit);
        }
        let mut any = false;
        self.inner.spend_by(period, wanted, &mut |key, sums| {
            if is_searching(key, sums) {
                any = true;
            } else {
                visit(key, sums);
            }
        })?;
        if !any {
            return Ok(());
        }
        // Which searches are free is decided among the rows as they are stored.
        let waiting = searching(self.inner.as_mut(), period)?;
        self.less_free(waiting, period, visit)
    }

    fn agreed(&mut self, period: Period) -> Result<Vec<(SpendKey, Sums)>, StoreError> {
        let rows = self.terms.flat(period, period.end, Basis::Metered);
        Ok(rows.collect::<Result<_, MoneyError>>()?)
    }

    fn free_searches(&mut self, period: Period) -> Result<Vec<(SpendKey, FreeSearches)>, StoreError> {
        let waiting = searching(self.inner.as_mut(), period)?;
        let rows = self.free(waiting, period)?.into_iter();
        Ok(rows.filter_map(|(key, _, free)| Some((key, free?))).collect())
    }

    fn begin(&mut self) {
        self.inner.begin();
    }

    fn record(&mut self, batch: &RecordBatch, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<Recorded, StoreError> {
        self.inner.record(batch, pricer, now)
    }

    fn record_ahead(
        &mut self,
        batch: &RecordBatch,
        pricer: &dyn Pricer,
        now: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        self.inner.record_ahead(batch, pricer, now)
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.inner.settle()
    }

    fn is_settled(&self) -> bool {
        self.inner.is_settled()
    }

    fn hold(&mut self, held: bool) -> Result<(), StoreError> {
        self.inner.hold(held)
    }

    fn replace_bill(&mut self, bill: &Bill, now: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        self.inner.replace_bill(bill, now)
    }

    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        self.inner.bills()
    }

    fn bill_identities(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        self.inner.bill_identities()
    }

    fn sources(&mut self) -> Result<Option<Vec<Label>>, StoreError> {
        self.inner.sources()
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

    fn expire(&mut self, retention: Retention, kept: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.expire(retention, kept, now)
    }
}
