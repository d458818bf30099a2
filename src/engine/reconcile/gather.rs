//! Reads the three sides of a reconciliation, at the finest grain that both meter and bill have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::meet::{Families, meet};
use super::rows::{Billing, Rows, Whose};
use super::{Billed, Cell, Metered, Priced, Reported};
use crate::domain::contract::Terms;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact, bounded};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums, TokenSums};
use crate::engine::view::allowance::of_calls;
use crate::engine::view::fill::{is_purchase, is_usage};
use crate::engine::view::names::Names;
use crate::ports::{Ledger, Pricer, StoreError};

/// Day, whose bill, model.
pub(super) type Place = (Hour, Whose, Label);

/// Day and whose bill, the family that a model is of where the call was made, and the model.
pub(super) type Named = ((Hour, Whose), Label, Label);

/// What each side says of one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides {
    pub(super) metered: Metered,
    pub(super) reported: Reported,
    pub(super) billed: Billed,
    /// Rows of the bill that are about use.
    pub(super) use_rows: i64,
    /// What was metered, by the names whose rates hold for it.
    pub(super) parts: Vec<Part>,
    /// What of the fees of searches is in no sum, since they are free.
    pub(super) free: Decimal,
}

/// What was metered under one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) model: Label,
    /// An account of the calls: the owner's map of names may ask for it.
    pub(super) account: Label,
    pub(super) tokens: TokenSums,
    /// Searches, fetches and executions.
    pub(super) requests: [i64; 4],
}

impl Part {
    fn of(model: Label, account: Label) -> Part {
        let tokens = TokenSums::default();
        Part {
            model,
            account,
            tokens,
            requests: [0; 4],
        }
    }
}

impl Sides {
    /// What a place says that was compared.
    pub(super) fn of(cell: &Cell) -> Sides {
        Sides {
            metered: cell.metered,
            reported: cell.reported,
            billed: cell.billed,
            ..Sides::default()
        }
    }

    pub(super) fn is_metered(&self) -> bool {
        self.metered.calls > 0 || !self.metered.list.is_zero()
    }

    /// Whether rows of use count tokens.
    pub(super) fn counts_tokens(&self) -> bool {
        self.use_rows > 0 && self.billed.tokens.total() != 0
    }

    /// Adds what another place says.
    pub(super) fn add(&mut self, other: &Sides) -> Result<(), MoneyError> {
        let (m, r, b) = (&mut self.metered, &mut self.reported, &mut self.billed);
        for (sum, more) in [
            (&mut m.list, other.metered.list),
            (&mut m.contracted, other.metered.contracted),
            (&mut m.effective, other.metered.effective),
            (&mut m.worst_case, other.metered.worst_case),
            (&mut r.cost, other.reported.cost),
            (&mut r.computed, other.reported.computed),
            (&mut r.expired, other.reported.expired),
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
        self.parts.extend(other.parts.iter().copied());
        Ok(())
    }
}

pub(super) struct Gathered {
    pub(super) cells: BTreeMap<Place, Sides>,
    /// How far the day of each is billed.
    pub(super) billing: BTreeMap<(Hour, Whose), Billing>,
    /// The last billed day of each; of a bill by months, the last day of the last month.
    pub(super) through: BTreeMap<Whose, Hour>,
    /// Of bills that are not compared.
    pub(super) other_currencies: BTreeMap<Label, BTreeSet<Currency>>,
    /// Providers that bill whole months or weeks, of which the period has only a part.
    pub(super) by_month: BTreeSet<Label>,
    /// Companies with rows of use that are not known to be of models.
    pub(super) of_else: BTreeSet<Label>,
}

pub(super) fn gather(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    terms: &Terms,
    period: Period,
    detail: bool,
    now: DateTime<Utc>,
) -> Result<Gathered, StoreError> {
    let mut rows = Rows::new(period, now);
    let mut of_else = BTreeSet::new();
    let mut other_currencies: BTreeMap<Label, BTreeSet<Currency>> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    // A model is of one family in all of this time, of which the period may be the end.
    let mut lasting = Families::new(pricer);
    let around = rows.around();
    let read = |visit: &mut dyn FnMut(&SpendKey, &Sums)| ledger.spend(around, visit);
    let mut names = Names::of(read, &mut |names, key, sums| {
        let of = |dimension| key.dimensions.get(dimension);
        let (model, account) = (of(Dimension::Model), of(Dimension::Account));
        let mut at = |provider| {
            let family = lasting.of(key.hour.day(), provider, model, account);
            (provider, account, family, key.hour)
        };
        // What a commitment pays for is not awaited on a bill.
        if key.basis == Basis::Metered && key.currency == Currency::USD && is_usage(key) {
            let agreed = terms.agreed(&key.dimensions, key.hour.start(), sums.cost);
            let added = agreed.and_then(|agreed| rows.metered(at(names.metered(key)), agreed.effective));
            failed = failed.take().or_else(|| added.err());
        }
        if key.basis != Basis::Billed {
            return;
        }
        let Some(provider) = names.billed(key) else {
            of_else.extend(names.company(key).filter(|_| is_usage(key)));
            return;
        };
        if key.currency != Currency::USD {
            if period.contains(key.hour.start()) {
                other_currencies.entry(provider).or_default().insert(key.currency);
            }
            return;
        }
        // Taxes, credits and fees come when they come: they do not say how far use is billed.
        if is_usage(key) {
            let added = rows.billed(at(provider), !model.is_empty(), sums);
            failed = failed.take().or_else(|| added.err());
        }
    })?;
    let places = rows.places()?;
    let mut by_month = BTreeSet::new();
    let mut families = Families::new(pricer);
    let mut place = |provider: Label, key: &SpendKey| -> Option<Named> {
        let of = |dimension| key.dimensions.get(dimension);
        let (model, account) = (of(Dimension::Model), of(Dimension::Account));
        let whose = places.whose(provider, account, key.hour);
        let row = lasting.of(key.hour.day(), provider, model, account);
        let Some(start) = places.start(whose, row, key.hour) else {
            by_month.insert(provider);
            return None;
        };
        let family = families.of(key.hour.day(), provider, model, account);
        Some(((start, whose), family, model))
    };
    let mut cells: BTreeMap<Named, Sides> = BTreeMap::new();
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
        let place = provider.and_then(|provider| place(provider, key));
        if let Some(place) = place {
            let cell = cells.entry(place).or_default();
            failed = failed.take().or_else(|| add(cell, terms, key, sums).err());
            if detail && key.basis == Basis::Metered {
                let sum = add_exact(cell.reported.expired, sums.reported_cost);
                match sum {
                    Ok(sum) => cell.reported.expired = sum,
                    Err(error) => failed = Some(error),
                }
            }
        }
    })?;
    for (key, free) in ledger.free_searches(period)? {
        let place = place(names.metered(&key), &key);
        if let Some(cell) = place.and_then(|place| cells.get_mut(&place)) {
            cell.free = add_exact(cell.free, free.amount)?;
        }
    }
    if detail {
        let free = of_calls(ledger, period)?;
        ledger.events(period, &mut |event, charge| {
            let key = crate::domain::spend::metered_key(event);
            if let Some(cost) = event.reported_cost
                && let Some(place) = place(names.metered(&key), &key)
            {
                let cell = cells.entry(place).or_default();
                cell.reported.calls += 1;
                let free = free.get(&event.id).map_or(Decimal::ZERO, |free| free.amount);
                let computed = add_exact(charge.cost, -free).and_then(|net| add_exact(cell.reported.computed, net));
                let reported = &mut cell.reported;
                let sums = add_exact(reported.cost, cost)
                    .and_then(|sum| Ok((sum, add_exact(reported.expired, -bounded(cost))?, computed?)));
                match sums {
                    Ok(sums) => (reported.cost, reported.expired, reported.computed) = sums,
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
    let days: BTreeSet<(Hour, Whose)> = cells.keys().map(|(at, ..)| *at).collect();
    let billing = days.into_iter().map(|at| (at, places.billing(at.1, at.0)));
    Ok(Gathered {
        billing: billing.collect(),
        cells: meet(pricer, cells, &places.without_models())?,
        by_month,
        of_else,
        through: places.through(),
        other_currencies,
    })
}

fn add(cell: &mut Sides, terms: &Terms, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
    let category = key.dimensions.get(Dimension::Category);
    if key.basis == Basis::Metered {
        let metered = &mut cell.metered;
        let agreed = terms.agreed(&key.dimensions, key.hour.start(), sums.cost)?;
        if cell.parts.is_empty() {
            let of = |dimension| key.dimensions.get(dimension);
            cell.parts.push(Part::of(of(Dimension::Model), of(Dimension::Account)));
        }
        if let Some(part) = cell.parts.first_mut() {
            part.tokens = plus(&part.tokens, &sums.tokens);
            for (sum, more) in part.requests.iter_mut().zip(sums.requests) {
                *sum += more;
            }
        }
        metered.calls += sums.events;
        metered.unpriced += sums.unpriced_events;
        metered.worst_case = add_exact(metered.worst_case, sums.unpriced_worst_case)?;
        metered.tokens = plus(&metered.tokens, &sums.tokens);
        metered.list = add_exact(metered.list, sums.cost)?;
        metered.contracted = add_exact(metered.contracted, agreed.contracted)?;
        metered.effective = add_exact(metered.effective, agreed.effective)?;
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
