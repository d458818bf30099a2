//! Searches that cost nothing: the earliest of a day or month, over all models that share an allowance.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact, mul_bounded};
use crate::domain::period::{Hour, Period};
use crate::domain::price::{Allowance, AllowancePeriod, Books, FreeSearches, provider_key};
use crate::domain::spend::{Basis, SpendKey, Sums, metered_key};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Ledger, StoreError};

pub(super) fn is_searching(key: &SpendKey, sums: &Sums) -> bool {
    let [searches, ..] = sums.requests;
    searches > 0 && key.basis == Basis::Metered && key.currency == Currency::USD
}

/// The rows with searches.
pub(super) fn searching(ledger: &mut dyn Ledger, period: Period) -> Result<Vec<(SpendKey, Sums)>, StoreError> {
    let mut rows: Vec<(SpendKey, Sums)> = Vec::new();
    ledger.spend(period, &mut |key, sums| {
        if is_searching(key, sums) {
            rows.push((*key, *sums));
        }
    })?;
    Ok(rows)
}

/// How much of each allowance is used.
pub(super) struct Allowances<'a> {
    books: &'a Books,
    /// The day whose terms hold on all days.
    as_of: Option<NaiveDate>,
    /// By provider, account, group and day or month.
    used: HashMap<(String, Label, String, Period), u64>,
}

impl<'a> Allowances<'a> {
    pub(super) fn new(books: &'a Books) -> Self {
        Allowances {
            books,
            as_of: None,
            used: HashMap::new(),
        }
    }

    pub(super) fn of(&self, key: &SpendKey) -> Option<(Decimal, Allowance)> {
        let of = |d| key.dimensions.get(d);
        let (provider, model) = (of(Dimension::Provider), of(Dimension::Model));
        let mut call = UsageEvent::new(EventId([0; 16]), key.hour.start(), provider, model);
        call.dimensions = key.dimensions;
        let terms = self.books.search_terms(&call, self.as_of)?;
        Some((terms.rate, terms.free?))
    }

    /// Uses up the searches of a row; answers those that are free.
    pub(super) fn take(&mut self, key: &SpendKey, sums: &Sums) -> Result<Option<FreeSearches>, MoneyError> {
        let [searches, ..] = sums.requests;
        let (Some((rate, allowance)), Ok(searches)) = (self.of(key), u64::try_from(searches)) else {
            return Ok(None);
        };
        let period = allowance.per.around(key.hour.start());
        let of = |d| key.dimensions.get(d);
        let provider = provider_key(of(Dimension::Provider).as_str());
        let shared = (provider, of(Dimension::Account), allowance.group.clone(), period);
        let used = self.used.entry(shared).or_default();
        let (used_before, free) = (*used, searches.min(allowance.count.saturating_sub(*used)));
        *used = used.saturating_add(searches);
        let charged = free.saturating_sub(without_price(sums, rate));
        Ok(Some(FreeSearches {
            amount: mul_bounded(Decimal::from(charged), rate)?.min(sums.cost.max(Decimal::ZERO)),
            allowance,
            used_before,
            free,
            rate,
        }))
    }
}

/// How many searches of a row may be of calls without a price, whose fee is in no sum: what those may cost at most has the fees of
/// theirs. So no more is charged too much than what these calls are told to cost at most.
fn without_price(sums: &Sums, rate: Decimal) -> u64 {
    if sums.unpriced_events == 0 {
        return 0;
    }
    let most = sums.unpriced_worst_case.checked_div(rate).map(|most| most.floor());
    most.and_then(|most| u64::try_from(most).ok()).unwrap_or(u64::MAX)
}

/// A call with searches, of a row some of which are free.
struct Searching {
    at: DateTime<Utc>,
    id: EventId,
    searches: u64,
    cost: Decimal,
}

/// The free searches of each call of the days that the period touches: of those that are summed in one row the earliest are
/// free, behind what was searched by calls whose detail has expired.
pub fn of_calls(ledger: &mut dyn Ledger, period: Period) -> Result<HashMap<EventId, FreeSearches>, StoreError> {
    let days = whole_days(period);
    let rows = ledger.free_searches(days)?.into_iter().collect();
    among_calls(ledger, days, &rows)
}

/// The same were all days' prices those that books have on one.
pub fn of_calls_as_of(
    ledger: &mut dyn Ledger,
    period: Period,
    books: &Books,
    day: NaiveDate,
) -> Result<HashMap<EventId, FreeSearches>, StoreError> {
    let days = whole_days(period);
    let mut allowances = Allowances {
        as_of: Some(day),
        ..Allowances::new(books)
    };
    // With what was used before, in the day or month around it.
    let all = Period::new(AllowancePeriod::Month.around(days.start).start, days.end);
    let mut searched = searching(ledger, all)?;
    searched.sort_by_key(|(key, _)| *key);
    let mut rows = HashMap::new();
    for (key, sums) in &searched {
        if let Some(free) = allowances.take(key, sums)?
            && days.contains(key.hour.start())
        {
            rows.insert(*key, free);
        }
    }
    among_calls(ledger, days, &rows)
}

/// The days that a period touches: what is folded of one stands at an hour of it.
fn whole_days(period: Period) -> Period {
    let start = Hour::of(period.start).day();
    Period::new(start.start(), Hour(Hour::of(period.end).day().0 + 24).start())
}

/// What is free of rows, call by call.
fn among_calls(
    ledger: &mut dyn Ledger,
    days: Period,
    rows: &HashMap<SpendKey, FreeSearches>,
) -> Result<HashMap<EventId, FreeSearches>, StoreError> {
    let mut searched: HashMap<SpendKey, u64> = HashMap::new();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    ledger.spend(days, &mut |key, sums| {
        if rows.contains_key(key) {
            let [searches, ..] = sums.requests;
            searched.insert(*key, u64::try_from(searches).unwrap_or(0));
        }
    })?;
    let mut calls: BTreeMap<SpendKey, Vec<Searching>> = BTreeMap::new();
    ledger.events(days, &mut |event, charge| {
        let hourly = metered_key(event);
        let daily = SpendKey {
            hour: hourly.hour.folded(),
            ..hourly
        };
        let row = [hourly, daily].into_iter().find(|key| rows.contains_key(key));
        if let Some(row) = row.filter(|_| event.requests.web_searches > 0) {
            calls.entry(row).or_default().push(Searching {
                at: event.at,
                id: event.id,
                searches: u64::from(event.requests.web_searches),
                cost: charge.cost,
            });
        }
        ControlFlow::Continue(())
    })?;
    let mut out = HashMap::new();
    for (key, mut calls) in calls {
        let Some(row) = rows.get(&key) else { continue };
        calls.sort_by_key(|call| (call.at, call.id));
        let known: u64 = calls.iter().map(|call| call.searches).sum();
        let mut used = searched.get(&key).copied().unwrap_or(known).saturating_sub(known);
        let mut left = row.amount;
        for call in calls {
            let free = call.searches.min(row.free.saturating_sub(used));
            let amount = mul_bounded(Decimal::from(free), row.rate)?
                .min(call.cost.max(Decimal::ZERO))
                .min(left);
            left = add_exact(left, -amount)?;
            let used_before = row.used_before.saturating_add(used);
            used = used.saturating_add(call.searches);
            let of_call = FreeSearches {
                used_before,
                free,
                amount,
                ..row.clone()
            };
            out.insert(call.id, of_call);
        }
    }
    Ok(out)
}
