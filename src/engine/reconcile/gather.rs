//! Reads the three sides of a reconciliation, at the finest grain that both meter and bill have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use super::{Billed, Metered, Reported};
use crate::domain::contract::Terms;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums, TokenSums};
use crate::engine::view::billed::{BilledDays, month};
use crate::engine::view::names::Names;
use crate::ports::{Ledger, StoreError};

/// Day, provider, model.
pub(super) type Place = (Hour, Label, Label);

/// What each side says of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides {
    pub(super) metered: Metered,
    pub(super) reported: Reported,
    pub(super) billed: Billed,
}

pub(super) struct Gathered {
    pub(super) cells: BTreeMap<Place, Sides>,
    /// The last billed day of each provider; of a bill by months, the last day of the last month.
    pub(super) through: BTreeMap<Label, Hour>,
    /// Of bills that are not compared.
    pub(super) other_currencies: BTreeSet<Currency>,
}

pub(super) fn gather(
    ledger: &mut dyn Ledger,
    terms: &Terms,
    period: Period,
    detail: bool,
    now: DateTime<Utc>,
) -> Result<Gathered, StoreError> {
    let mut names = Names::default();
    let mut bills = BilledDays::new(now);
    let mut by_model: BTreeSet<Label> = BTreeSet::new();
    let mut other_currencies = BTreeSet::new();
    ledger.spend(period, &mut |key, _| {
        if key.basis != Basis::Billed {
            return;
        }
        let Some(provider) = names.billed(key) else { return };
        if key.currency != Currency::USD {
            other_currencies.insert(key.currency);
            return;
        }
        // Taxes, credits and fees come when they come: they do not say how far use is billed.
        if matches!(key.dimensions.get(Dimension::Category).as_str(), "" | "Usage") {
            bills.add(provider, key.hour);
            if !key.dimensions.get(Dimension::Model).is_empty() {
                by_model.insert(provider);
            }
        }
    })?;
    let billing: BTreeSet<Label> = bills.providers().collect();
    let place = |provider: Label, model: Label, hour: Hour| -> Place {
        let day = if bills.is_monthly(provider, hour) {
            month(hour)
        } else {
            hour.day()
        };
        let all = billing.contains(&provider) && !by_model.contains(&provider);
        (day, provider, if all { Label::EMPTY } else { model })
    };
    let mut cells: BTreeMap<Place, Sides> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    ledger.spend(period, &mut |key, sums| {
        // Flat costs are no use of models.
        let bought = key.basis == Basis::Metered && key.dimensions.get(Dimension::Category).as_str() == "Purchase";
        if key.currency != Currency::USD || bought {
            return;
        }
        let provider = match key.basis {
            Basis::Metered => Some(names.metered(key)),
            Basis::Billed => names.billed(key),
            Basis::Effective | Basis::BilledFilled => None,
        };
        if let Some(provider) = provider {
            let cell = cells.entry(place(provider, key.dimensions.get(Dimension::Model), key.hour));
            failed = failed.take().or_else(|| add(cell.or_default(), terms, key, sums).err());
        }
    })?;
    if detail {
        ledger.events(period, &mut |event, charge| {
            if let Some(cost) = event.reported_cost {
                let key = crate::domain::spend::metered_key(event);
                let cell = cells
                    .entry(place(names.metered(&key), event.model(), key.hour))
                    .or_default();
                cell.reported.calls += 1;
                let sums = add_exact(cell.reported.cost, cost)
                    .and_then(|sum| Ok((sum, add_exact(cell.reported.computed, charge.cost)?)));
                match sums {
                    Ok((cost, computed)) => (cell.reported.cost, cell.reported.computed) = (cost, computed),
                    Err(error) => failed = Some(error),
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let through = billing
        .into_iter()
        .filter_map(|provider| Some((provider, bills.through(provider)?)))
        .collect();
    Ok(Gathered {
        cells,
        through,
        other_currencies,
    })
}

fn add(cell: &mut Sides, terms: &Terms, key: &SpendKey, sums: &Sums) -> Result<(), MoneyError> {
    let category = key.dimensions.get(Dimension::Category);
    if key.basis == Basis::Metered {
        let metered = &mut cell.metered;
        let contracted = terms.agreed(&key.dimensions, key.hour.start(), sums.cost)?.contracted;
        metered.calls += sums.events;
        metered.unpriced += sums.unpriced_events;
        metered.tokens = plus(&metered.tokens, &sums.tokens);
        metered.list = add_exact(metered.list, sums.cost)?;
        metered.contracted = add_exact(metered.contracted, contracted)?;
        return Ok(());
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
