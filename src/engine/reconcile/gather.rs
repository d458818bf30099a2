//! Reads the three sides of a reconciliation, at the finest grain that both meter and bill have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::meet::meet;
use super::{Billed, Metered, Priced, Reported};
use crate::domain::contract::Terms;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Calendar, Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums, TokenSums};
use crate::engine::view::allowance::of_calls;
use crate::engine::view::billed::{BilledDays, Weeks, month};
use crate::engine::view::fill::{is_purchase, is_usage};
use crate::engine::view::names::Names;
use crate::ports::{Ledger, Pricer, StoreError};

/// Day, provider, model.
pub(super) type Place = (Hour, Label, Label);

/// What each side says of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides {
    pub(super) metered: Metered,
    pub(super) reported: Reported,
    pub(super) billed: Billed,
    /// Rows of the bill that are about use.
    pub(super) use_rows: i64,
    /// Searches, fetches and executions that were metered.
    pub(super) requests: [i64; 4],
    /// What of the fees of searches is in no sum, since they are free.
    pub(super) free: Decimal,
    /// The model whose rates hold; empty: the one that the place names.
    pub(super) priced_as: Label,
    /// An account of the calls: the owner's map of names may ask for it.
    pub(super) account: Label,
}

impl Sides {
    pub(super) fn is_metered(&self) -> bool {
        self.metered.calls > 0 || !self.metered.list.is_zero()
    }

    pub(super) fn rates_of(&self, model: Label) -> Label {
        if self.priced_as.is_empty() {
            model
        } else {
            self.priced_as
        }
    }

    /// Adds what another place says.
    pub(super) fn add(&mut self, other: &Sides) -> Result<(), MoneyError> {
        let (m, r, b) = (&mut self.metered, &mut self.reported, &mut self.billed);
        for (sum, more) in [
            (&mut m.list, other.metered.list),
            (&mut m.contracted, other.metered.contracted),
            (&mut m.worst_case, other.metered.worst_case),
            (&mut r.cost, other.reported.cost),
            (&mut r.computed, other.reported.computed),
            (&mut b.usage, other.billed.usage),
            (&mut b.credits, other.billed.credits),
            (&mut b.other, other.billed.other),
            (&mut self.free, other.free),
        ] {
            *sum = add_exact(*sum, more)?;
        }
        m.calls += other.metered.calls;
        m.unpriced += other.metered.unpriced;
        m.tokens = plus(&m.tokens, &other.metered.tokens);
        r.calls += other.reported.calls;
        r.priced.add(&other.reported.priced)?;
        b.rows += other.billed.rows;
        b.tokens = plus(&b.tokens, &other.billed.tokens);
        self.use_rows += other.use_rows;
        for (sum, more) in self.requests.iter_mut().zip(other.requests) {
            *sum += more;
        }
        if self.account.is_empty() {
            self.account = other.account;
        }
        Ok(())
    }
}

pub(super) struct Gathered {
    pub(super) cells: BTreeMap<Place, Sides>,
    /// The last billed day of each provider; of a bill by months, the last day of the last month.
    pub(super) through: BTreeMap<Label, Hour>,
    /// Of bills that are not compared.
    pub(super) other_currencies: BTreeSet<Currency>,
    /// Providers that bill whole months or weeks, of which the period has only a part.
    pub(super) by_month: BTreeSet<Label>,
}

pub(super) fn gather(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    terms: &Terms,
    period: Period,
    detail: bool,
    now: DateTime<Utc>,
) -> Result<Gathered, StoreError> {
    let mut names = Names::default();
    let mut bills = BilledDays::new(now);
    // And the weeks before, which may reach into the period.
    let mut rows = BilledDays::new(now);
    // Since the month before this one.
    let mut lately = BilledDays::new(now);
    let this = month(Hour::of(now));
    let last = month(Hour(this.0 - 1));
    let mut used: BTreeMap<Label, BTreeSet<Hour>> = BTreeMap::new();
    let mut by_model: BTreeSet<Label> = BTreeSet::new();
    let mut other_currencies = BTreeSet::new();
    // How far a provider has billed is said by the bills of later days too, and whether by months by those of the first.
    let first = month(Hour::of(period.start));
    let earlier = month(Hour(first.0 - 1));
    let around = Period::new(earlier.min(last).start(), now.max(period.end));
    ledger.spend(around, &mut |key, _| {
        if key.basis == Basis::Metered && is_usage(key) {
            used.entry(names.metered(key)).or_default().insert(key.hour.day());
        }
        if key.basis != Basis::Billed {
            return;
        }
        let Some(provider) = names.billed(key) else { return };
        if key.currency == Currency::USD && is_usage(key) {
            rows.add(provider, key.hour);
            if key.hour >= last {
                lately.add(provider, key.hour);
            }
        }
        if key.hour < first {
            return;
        }
        if key.currency != Currency::USD {
            if period.contains(key.hour.start()) {
                other_currencies.insert(key.currency);
            }
            return;
        }
        // Taxes, credits and fees come when they come: they do not say how far use is billed.
        if is_usage(key) {
            bills.add(provider, key.hour);
            if !key.dimensions.get(Dimension::Model).is_empty() {
                by_model.insert(provider);
            }
        }
    })?;
    let billing: BTreeSet<Label> = bills.providers().collect();
    let weeks = billing.iter().filter_map(|provider| {
        let used = used.get(provider)?;
        let weeks = bills.weeks(*provider, used).or_else(|| lately.weeks(*provider, used))?;
        Some((*provider, weeks))
    });
    let weeks: BTreeMap<Label, Weeks> = weeks.collect();
    let mut by_month = BTreeSet::new();
    // While a month goes on its row is of all of it so far, where the month before had one row too.
    let is_monthly = |provider: Label, hour: Hour| {
        let goes_on = || {
            [this, last]
                .iter()
                .all(|month| lately.is_of_first_days(provider, *month))
        };
        bills.is_monthly(provider, hour) || (month(hour) == this && goes_on())
    };
    let mut place = |provider: Label, model: Label, hour: Hour| -> Option<Place> {
        if !is_monthly(provider, hour) {
            let row = weeks.get(&provider).and_then(|weeks| {
                let start = rows.row(provider, hour, weeks)?;
                Some((start, weeks.end(start).start()))
            });
            let Some((start, end)) = row else {
                return Some((hour.day(), provider, model));
            };
            // A week that goes on has come as far as the period.
            if start.start() < period.start || (period.end < end && period.end < now) {
                by_month.insert(provider);
                return None;
            }
            return Some((start, provider, model));
        }
        let start = month(hour);
        let whole = Calendar::Month.around(start.start(), chrono_tz::Tz::UTC);
        if whole.start < period.start || whole.end > period.end {
            by_month.insert(provider);
            return None;
        }
        Some((start, provider, model))
    };
    let mut cells: BTreeMap<Place, Sides> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    ledger.spend(period, &mut |key, sums| {
        // Flat costs are no use of models.
        let bought = key.basis == Basis::Metered && is_purchase(key);
        if key.currency != Currency::USD || bought {
            return;
        }
        let provider = match key.basis {
            Basis::Metered => Some(names.metered(key)),
            Basis::Billed => names.billed(key),
            Basis::Effective | Basis::BilledFilled => None,
        };
        let place = provider.and_then(|provider| place(provider, key.dimensions.get(Dimension::Model), key.hour));
        if let Some(place) = place {
            let cell = cells.entry(place).or_default();
            failed = failed.take().or_else(|| add(cell, terms, key, sums).err());
        }
    })?;
    for (key, free) in ledger.free_searches(period)? {
        let place = place(names.metered(&key), key.dimensions.get(Dimension::Model), key.hour);
        if let Some(cell) = place.and_then(|place| cells.get_mut(&place)) {
            cell.free = add_exact(cell.free, free.amount)?;
        }
    }
    if detail {
        let free = of_calls(ledger, period)?;
        ledger.events(period, &mut |event, charge| {
            let key = crate::domain::spend::metered_key(event);
            if let Some(cost) = event.reported_cost
                && let Some(place) = place(names.metered(&key), event.model(), key.hour)
            {
                let cell = cells.entry(place).or_default();
                cell.reported.calls += 1;
                let free = free.get(&event.id).map_or(Decimal::ZERO, |free| free.amount);
                let computed = add_exact(charge.cost, -free).and_then(|net| add_exact(cell.reported.computed, net));
                let sums = add_exact(cell.reported.cost, cost).and_then(|sum| Ok((sum, computed?)));
                match sums {
                    Ok((cost, computed)) => (cell.reported.cost, cell.reported.computed) = (cost, computed),
                    Err(error) => failed = Some(error),
                }
                if charge.is_priced() {
                    let agreed = terms.agreed(&key.dimensions, key.hour.start(), charge.cost);
                    let sums = agreed.and_then(|agreed| {
                        cell.reported.priced.add(&Priced {
                            calls: 1,
                            cost,
                            list: charge.cost,
                            contracted: agreed.contracted,
                        })
                    });
                    failed = failed.take().or_else(|| sums.err());
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let without_models = billing.difference(&by_model).copied().collect();
    let through = billing
        .iter()
        .filter_map(|provider| Some((*provider, bills.through(*provider)?)))
        .collect();
    Ok(Gathered {
        cells: meet(pricer, cells, &without_models)?,
        by_month,
        through,
        other_currencies,
    })
}

fn add(cell: &mut Sides, terms: &Terms, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
    let category = key.dimensions.get(Dimension::Category);
    if key.basis == Basis::Metered {
        let metered = &mut cell.metered;
        let contracted = terms.agreed(&key.dimensions, key.hour.start(), sums.cost)?.contracted;
        cell.account = key.dimensions.get(Dimension::Account);
        for (sum, more) in cell.requests.iter_mut().zip(sums.requests) {
            *sum += more;
        }
        metered.calls += sums.events;
        metered.unpriced += sums.unpriced_events;
        metered.worst_case = add_exact(metered.worst_case, sums.unpriced_worst_case)?;
        metered.tokens = plus(&metered.tokens, &sums.tokens);
        metered.list = add_exact(metered.list, sums.cost)?;
        metered.contracted = add_exact(metered.contracted, contracted)?;
        return Ok(());
    }
    if is_usage(key) {
        cell.use_rows += sums.events;
    }
    let billed = &mut cell.billed;
    billed.rows += sums.events;
    billed.tokens = plus(&billed.tokens, &sums.tokens);
    let slot = match category.as_str().to_ascii_lowercase().as_str() {
        "" | "usage" => &mut billed.usage,
        "credit" | "adjustment" => &mut billed.credits,
        _ => &mut billed.other,
    };
    *slot = add_exact(*slot, sums.cost)?;
    Ok(())
}

fn plus(a: &TokenSums, b: &TokenSums) -> TokenSums {
    let mut sum = *a;
    for bucket in crate::domain::usage::Bucket::ALL {
        sum.set(bucket, a.get(bucket) + b.get(bucket));
    }
    sum.reasoning += b.reasoning;
    sum
}
