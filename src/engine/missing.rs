//! Which calls have no price: by provider, model and reason, with what they may cost at most.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::report::{Filter, selects, selects_call};
use crate::domain::charge::{Outcome, UnpricedReason};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_most};
use crate::domain::period::{Hour, Period};
use crate::domain::price::{is_no_place, is_standard_speed, is_standard_tier};
use crate::domain::spend::Basis;
use crate::domain::usage::{Bucket, Extras, UnitKey, UsageEvent};
use crate::ports::{Ledger, Pricer, StoreError};

/// Calls of one provider and model that have no price for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What they have; nothing where the detail is gone.
    pub needs: Needs,
}

/// What calls have that needs a price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Which kinds of tokens, in the order of [`Bucket::ALL`].
    pub kinds: [bool; Bucket::ALL.len()],
    /// Seconds, pictures and the like.
    pub units: BTreeSet<UnitKey>,
    /// Web searches, file searches, code executions.
    pub fees: [bool; 3],
    /// Tiers, speeds and geographies that not every price has.
    pub terms: BTreeSet<(Term, Label)>,
}

/// What a price may have terms for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// A service tier.
    Tier,
    /// A speed.
    Speed,
    /// A geography.
    Geography,
}

impl Needs {
    fn of(event: &UsageEvent) -> Self {
        let usual = |term: Term, name: Label| {
            let name = name.as_str().to_lowercase();
            match term {
                Term::Tier => is_standard_tier(&name),
                Term::Speed => is_standard_speed(&name),
                Term::Geography => is_no_place(&name),
            }
        };
        let named = [
            (Term::Tier, event.tier()),
            (Term::Speed, event.speed),
            (Term::Geography, event.geo),
        ];
        let requests = &event.requests;
        let fees = [requests.web_searches, requests.file_searches, requests.code_executions];
        Needs {
            kinds: Bucket::ALL.map(|bucket| event.tokens.get(bucket) > 0),
            units: Extras::of(event.extras)
                .units()
                .iter()
                .map(|(key, _)| key.clone())
                .collect(),
            fees: fees.map(|count| count > 0),
            terms: named.into_iter().filter(|(term, name)| !usual(*term, *name)).collect(),
        }
    }

    /// Adds what other calls have.
    pub fn add(&mut self, more: &Needs) {
        let flags = self.kinds.iter_mut().zip(more.kinds);
        for (has, more) in flags.chain(self.fees.iter_mut().zip(more.fees)) {
            *has |= more;
        }
        self.units.extend(more.units.iter().cloned());
        self.terms.extend(more.terms.iter().copied());
    }
}

type Key = (Label, Label, Option<UnpricedReason>);

/// By day and hour, what the sums have more than the calls.
#[derive(Default)]
struct Expired(BTreeMap<Hour, BTreeMap<Hour, i64>>);

impl Expired {
    fn add(&mut self, hour: Hour, calls: i64) {
        *self.0.entry(hour.day()).or_default().entry(hour).or_default() += calls;
    }

    /// The first and the last hour. The sums of a folded day stand at an hour of it, so that it is the day that tells.
    fn ends(&self) -> Option<(Hour, Hour)> {
        let days = self.0.values().filter(|hours| hours.values().sum::<i64>() > 0);
        let hours = days.flat_map(|hours| hours.iter().filter(|(_, calls)| **calls > 0));
        let mut hours = hours.map(|(hour, _)| *hour);
        let first = hours.next()?;
        Some((first, hours.next_back().unwrap_or(first)))
    }
}

/// The calls without a price, those that may cost most first.
pub fn missing(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    period: Period,
    filters: &[Filter],
) -> Result<Vec<Missing>, StoreError> {
    let mut found: BTreeMap<Key, Missing> = BTreeMap::new();
    let mut failed: Option<MoneyError> = None;
    // Sums are of whole hours: what they have more than the calls is compared within these.
    let hours = period.in_hours();
    let mut detailed: BTreeMap<(Label, Label), (i64, i128, Decimal)> = BTreeMap::new();
    let mut expired: BTreeMap<(Label, Label), Expired> = BTreeMap::new();
    ledger.events(hours, &mut |event, charge| {
        let Outcome::Unpriced(reason) = charge.outcome else {
            return ControlFlow::Continue(());
        };
        if selects_call(filters, &event.dimensions) {
            let model = (event.provider(), event.model());
            expired.entry(model).or_default().add(Hour::of(event.at), -1);
            let (calls, tokens, worst) = detailed.entry(model).or_default();
            *calls += 1;
            *tokens += i128::from(event.tokens.total());
            match add_most(*worst, charge.worst_case) {
                Ok(sum) => *worst = sum,
                Err(error) => failed = Some(error),
            }
            if !period.contains(event.at) {
                return ControlFlow::Continue(());
            }
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
                needs: Needs::of(event),
            };
            failed = failed.take().or_else(|| absorb(&mut found, one).err());
        }
        ControlFlow::Continue(())
    })?;
    let mut summed: BTreeMap<Key, Missing> = BTreeMap::new();
    ledger.spend(hours, &mut |key, sums| {
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
                needs: Needs::default(),
            };
            let model = (one.provider, one.model);
            expired.entry(model).or_default().add(key.hour, sums.unpriced_events);
            failed = failed.take().or_else(|| absorb(&mut summed, one).err());
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut all: Vec<Missing> = found.into_values().collect();
    // What the sums have more than the calls is what has expired.
    for mut rest in summed.into_values() {
        let model = (rest.provider, rest.model);
        if let Some((calls, tokens, worst)) = detailed.get(&model) {
            rest.calls -= calls;
            rest.tokens -= tokens;
            rest.worst_case = add_most(rest.worst_case, -*worst)?;
        }
        if rest.calls > 0 {
            if let Some((first, last)) = expired.get(&model).and_then(Expired::ends) {
                (rest.first, rest.last) = (first.start(), last.start());
            }
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
    slot.worst_case = add_most(slot.worst_case, one.worst_case)?;
    slot.first = slot.first.min(one.first);
    slot.last = slot.last.max(one.last);
    slot.priced_now += one.priced_now;
    slot.needs.add(&one.needs);
    Ok(())
}
