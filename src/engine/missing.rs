//! Which calls have no price: by provider, model and reason, with what they may cost at most.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::report::{Filter, selects};
use crate::domain::charge::{Outcome, UnpricedReason};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Period;
use crate::domain::spend::Basis;
use crate::domain::usage::Bucket;
use crate::ports::{Ledger, Pricer, StoreError};

/// Calls of one provider and model that have no price for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The provider.
    pub provider: Label,
    /// The model.
    pub model: Label,
    /// Why; none where the detail of the calls has expired and only their sums are left.
    pub reason: Option<UnpricedReason>,
    /// How many.
    pub calls: i64,
    /// Their tokens.
    pub tokens: i128,
    /// The most they may cost.
    pub worst_case: Decimal,
    /// The first of them: its time, or the start of its hour where the detail is gone.
    pub first: DateTime<Utc>,
    /// The last of them.
    pub last: DateTime<Utc>,
    /// How many of them have a price in the books of today: pricing anew gives it to them.
    pub priced_now: i64,
    /// Which kinds of tokens they have, in the order of [`Bucket::ALL`]; none where the detail is gone.
    pub kinds: [bool; Bucket::ALL.len()],
}

type Key = (Label, Label, Option<UnpricedReason>);

/// The calls without a price, those that may cost most first.
pub fn missing(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    period: Period,
    filters: &[Filter],
) -> Result<Vec<Missing>, StoreError> {
    let mut found: BTreeMap<Key, Missing> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    ledger.events(period, &mut |event, charge| {
        let Outcome::Unpriced(reason) = charge.outcome else {
            return ControlFlow::Continue(());
        };
        if selects(filters, &event.dimensions) {
            let one = Missing {
                provider: event.provider(),
                model: event.model(),
                reason: Some(reason),
                calls: 1,
                tokens: i128::from(event.tokens.total()),
                worst_case: charge.worst_case,
                first: event.at,
                last: event.at,
                priced_now: i64::from(pricer.price(event).is_priced()),
                kinds: Bucket::ALL.map(|bucket| event.tokens.get(bucket) > 0),
            };
            failed = failed.take().or_else(|| absorb(&mut found, one).err());
        }
        ControlFlow::Continue(())
    })?;
    let detailed: BTreeMap<(Label, Label), (i64, i128, Decimal)> =
        found.values().fold(BTreeMap::new(), |mut sums, m| {
            let slot: &mut (i64, i128, Decimal) = sums.entry((m.provider, m.model)).or_default();
            *slot = (slot.0 + m.calls, slot.1 + m.tokens, slot.2 + m.worst_case);
            sums
        });
    let mut summed: BTreeMap<Key, Missing> = BTreeMap::new();
    ledger.spend(period, &mut |key, sums| {
        let counts = key.basis == Basis::Metered && sums.unpriced_events != 0 && selects(filters, &key.dimensions);
        if counts {
            let one = Missing {
                provider: key.dimensions.get(Dimension::Provider),
                model: key.dimensions.get(Dimension::Model),
                reason: None,
                calls: sums.unpriced_events,
                tokens: sums.unpriced_tokens,
                worst_case: sums.unpriced_worst_case,
                first: key.hour.start(),
                last: key.hour.start(),
                priced_now: 0,
                kinds: [false; Bucket::ALL.len()],
            };
            failed = failed.take().or_else(|| absorb(&mut summed, one).err());
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut all: Vec<Missing> = found.into_values().collect();
    // What the sums have more than the calls is what has expired.
    for mut rest in summed.into_values() {
        if let Some((calls, tokens, worst)) = detailed.get(&(rest.provider, rest.model)) {
            rest.calls -= calls;
            rest.tokens -= tokens;
            rest.worst_case -= worst;
        }
        if rest.calls > 0 {
            all.push(rest);
        }
    }
    all.sort_by(|a, b| {
        let order = |m: &Missing| (m.provider, m.model, m.reason);
        b.worst_case.cmp(&a.worst_case).then_with(|| order(a).cmp(&order(b)))
    });
    Ok(all)
}

fn absorb(found: &mut BTreeMap<Key, Missing>, one: Missing) -> Result<(), MoneyError> {
    let Some(slot) = found.get_mut(&(one.provider, one.model, one.reason)) else {
        found.insert((one.provider, one.model, one.reason), one);
        return Ok(());
    };
    slot.calls += one.calls;
    slot.tokens += one.tokens;
    slot.worst_case = add_exact(slot.worst_case, one.worst_case)?;
    slot.first = slot.first.min(one.first);
    slot.last = slot.last.max(one.last);
    slot.priced_now += one.priced_now;
    for (has, more) in slot.kinds.iter_mut().zip(one.kinds) {
        *has |= more;
    }
    Ok(())
}
