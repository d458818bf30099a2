//! Explains one recorded call: its receipt, and its way from the raw record into sums and budgets. Finds calls, too.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use thiserror::Error;

use super::report::{Filter, selects_call};
use crate::domain::budget::Budget;
use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::price::{Books, FreeSearches, Quote};
use crate::domain::spend::{Basis, SpendKey, Sums, metered_key};
use crate::domain::usage::{EventId, UsageEvent};
use crate::engine::view::allowance::of_calls;
use crate::ports::{Ledger, Located, RecordFinder, StoreError};

/// The fewest digits by which a call may be named.
pub const MIN_PREFIX: usize = 4;

/// Digits of a whole id.
const DIGITS: usize = 32;

/// A call cannot be found.
#[derive(Debug, Error)]
pub enum FindError {
    /// Not hexadecimal, too short or too long.
    #[error("`{text}` is not an event id of 32 hexadecimal digits, or the first {MIN_PREFIX} or more of them")]
    NotAnId {
        /// The start of what was given.
        text: String,
    },
    /// No such call.
    #[error("no call `{text}` is recorded, or its detail has expired")]
    Unknown {
        /// What was given.
        text: String,
    },
    /// Several calls begin so.
    #[error("`{text}` is the beginning of several calls: {first}, {second}, …")]
    Ambiguous {
        /// What was given.
        text: String,
        /// One of them.
        first: EventId,
        /// Another.
        second: EventId,
    },
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every instant that a record can carry: the years 1 to 9999, which every format can write.
#[must_use]
pub fn always() -> Period {
    let year = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Period::new(year(-62_135_596_800), year(253_402_300_800))
}

/// Finds a call by its id or the beginning of it. A whole id is looked up; a beginning is searched for in every call.
pub fn find(ledger: &mut dyn Ledger, text: &str) -> Result<(UsageEvent, Charge), FindError> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits || text.len() < MIN_PREFIX || text.len() > DIGITS {
        return Err(FindError::NotAnId {
            text: text.chars().take(40).collect(),
        });
    }
    if let Ok(id) = text.parse::<EventId>() {
        return ledger.event(id)?.ok_or(FindError::Unknown { text });
    }
    let mut found: Vec<(UsageEvent, Charge)> = Vec::new();
    let (low, high) = bounds(&text);
    ledger.events(always(), &mut |event, charge| {
        if low <= event.id && event.id <= high {
            found.push((*event, *charge));
        }
        if found.len() > 1 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    match found.as_slice() {
        [] => Err(FindError::Unknown { text }),
        [(first, _), (second, _), ..] => Err(FindError::Ambiguous {
            text,
            first: first.id,
            second: second.id,
        }),
        [one] => Ok(*one),
    }
}

/// The first and the last id that begins so.
fn bounds(prefix: &str) -> (EventId, EventId) {
    let filled = |digit: &str| {
        let text = format!("{prefix}{}", digit.repeat(DIGITS.saturating_sub(prefix.len())));
        text.parse().unwrap_or(EventId([0; 16]))
    };
    (filled("0"), filled("f"))
}

/// Which calls are listed.
#[derive(Clone, Debug)]
pub struct TopQuery {
    /// Calls made within it.
    pub period: Period,
    /// Which calls count.
    pub filters: Vec<Filter>,
    /// Only calls without a price, by what they may cost at most.
    pub unpriced: bool,
    /// How many.
    pub count: usize,
}

/// The most expensive calls whose detail is kept, the most expensive first; of two equal ones the earlier.
pub fn top(ledger: &mut dyn Ledger, query: &TopQuery) -> Result<Vec<(UsageEvent, Charge)>, StoreError> {
    // Ordered by rank, so that the cheapest of those kept is the last.
    let mut kept: BTreeSet<(Reverse<Decimal>, DateTime<Utc>, EventId)> = BTreeSet::new();
    ledger.events(query.period, &mut |event, charge| {
        let wanted = query.unpriced != charge.is_priced() && selects_call(&query.filters, &event.dimensions);
        let rank = (Reverse(charge.worst_case), event.at, event.id);
        if wanted && (kept.len() < query.count || kept.last().is_some_and(|last| rank < *last)) {
            kept.insert(rank);
            if kept.len() > query.count {
                kept.pop_last();
            }
        }
        ControlFlow::Continue(())
    })?;
    let mut calls = Vec::with_capacity(kept.len());
    for (_, _, id) in kept {
        calls.extend(ledger.event(id)?);
    }
    Ok(calls)
}

/// What a budget has to do with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The budget.
    pub budget: Budget,
    /// Its period around the call.
    pub period: Period,
    /// What is spent of it in that period.
    pub spent: Decimal,
    /// The sum in which it counts this call: of the call's hour and dimensions, on the budget's basis.
    pub row: Decimal,
}

/// One call, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The call.
    pub event: UsageEvent,
    /// Its charge as stored and summed.
    pub charge: Charge,
    /// What the price books say now, with the receipt.
    pub quote: Quote,
    /// What of its search fees is not due.
    pub free: Option<FreeSearches>,
    /// The inputs of its source from which it may have been read: those whose name holds its session, or all.
    pub inputs: Vec<String>,
    /// The row of spend that it is summed in.
    pub key: SpendKey,
    /// The sums of that row within the call's hour; of its day where hours have been folded.
    pub hour: Sums,
    /// Whether the hours of that day have been folded.
    pub folded: bool,
    /// The sums of the same dimensions within the UTC day.
    pub day: Sums,
    /// The budgets that count it.
    pub budgets: Vec<Counted>,
}

impl Explanation {
    /// What of a budget it takes: its cost without what is free, on the budget's basis in proportion.
    #[must_use]
    pub fn share(&self, counted: &Counted) -> Decimal {
        let free = self.free.as_ref().map_or(Decimal::ZERO, |free| free.amount);
        let at_most = match counted.budget.count_unpriced && !self.charge.is_priced() {
            true => self.charge.worst_case,
            false => Decimal::ZERO,
        };
        let cost = self.charge.cost - free + at_most;
        if counted.budget.basis == self.key.basis {
            return cost;
        }
        let of_hour = counted.budget.cost_of(&self.hour).unwrap_or_default();
        let in_proportion = cost.checked_mul(counted.row).and_then(|all| all.checked_div(of_hour));
        in_proportion.unwrap_or(counted.row)
    }

    /// Whether the books still say what is stored.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.quote.charge == self.charge
    }
}

/// Explains a call.
pub fn explain(
    ledger: &mut dyn Ledger,
    books: &Books,
    budgets: &[Budget],
    (event, charge): (UsageEvent, Charge),
) -> Result<Explanation, StoreError> {
    let key = metered_key(&event);
    let day = Period::new(key.hour.day().start(), Hour(key.hour.day().0 + 24).start());
    let (mut hour_sums, mut day_sums, mut folded) = (Sums::default(), Sums::default(), false);
    let mut failed = None;
    ledger.spend(day, &mut |row, sums| {
        let same = row.dimensions == key.dimensions && row.basis == key.basis && row.currency == key.currency;
        if same {
            failed = failed.take().or_else(|| day_sums.add(sums).err());
            if row.hour == key.hour {
                failed = failed.take().or_else(|| hour_sums.add(sums).err());
            }
        }
    })?;
    if hour_sums.events <= 0 && day_sums.events > 0 {
        (hour_sums, folded) = (day_sums, true);
    }
    let mut counted: Vec<Counted> = Vec::new();
    for budget in budgets {
        // Of metered use some budgets count what it stands for on their basis, where no bill says that.
        let basis = match budget.basis {
            Basis::Effective | Basis::BilledFilled => budget.basis,
            Basis::Metered | Basis::Billed => key.basis,
        };
        let asked = SpendKey { basis, ..key };
        // A call counts to where its hour begins, as in sums.
        let at = key.hour.start();
        let period = budget.period_at(at);
        if !budget.counts(&asked) || !period.contains(at) {
            continue;
        }
        let (mut spent, mut own, mut of_day) = (Decimal::ZERO, None, None);
        ledger.spend(period, &mut |other, sums| {
            if !budget.counts(other) {
                return;
            }
            let cost = match budget.cost_of(sums) {
                Ok(cost) => cost,
                Err(error) => {
                    failed.get_or_insert(error);
                    return;
                }
            };
            failed = failed.take().or_else(|| add_to(&mut spent, cost).err());
            // The hour at which a folded day stands is an ordinary one of other days.
            let row = match other.hour {
                hour if hour == key.hour => &mut own,
                hour if hour == key.hour.folded() => &mut of_day,
                _ => return,
            };
            if other.dimensions == key.dimensions && other.basis == basis {
                let row = row.get_or_insert_with(Decimal::default);
                failed = failed.take().or_else(|| add_to(row, cost).err());
            }
        })?;
        if let Some(row) = own.or(of_day) {
            counted.push(Counted {
                budget: budget.clone(),
                period,
                spent,
                row,
            });
        }
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let hour = Period::new(key.hour.start(), Hour(key.hour.0 + 1).start());
    let free = match event.requests.web_searches {
        0 => None,
        _ => of_calls(ledger, hour)?.remove(&event.id),
    };
    Ok(Explanation {
        quote: books.quote(&event),
        free,
        inputs: inputs(ledger, &event)?,
        event,
        charge,
        key,
        hour: hour_sums,
        folded,
        day: day_sums,
        budgets: counted,
    })
}

fn add_to(sum: &mut Decimal, more: Decimal) -> Result<(), MoneyError> {
    *sum = add_exact(*sum, more)?;
    Ok(())
}

/// Finds the record that the usage of a call was read from, in what its source has read.
pub fn locate(
    ledger: &mut dyn Ledger,
    finder: &mut dyn RecordFinder,
    event: &UsageEvent,
    enough: &(dyn Fn() -> bool + Sync),
) -> Result<Located, StoreError> {
    let source = event.dimensions.get(Dimension::Source);
    Ok(finder.find(event, &ledger.checkpoints(source.as_str())?, enough))
}

fn inputs(ledger: &mut dyn Ledger, event: &UsageEvent) -> Result<Vec<String>, StoreError> {
    let source = event.dimensions.get(Dimension::Source);
    let mut known: Vec<String> = ledger.checkpoints(source.as_str())?.into_keys().collect();
    known.sort();
    let session = event.session.as_str();
    if !session.is_empty() && known.iter().any(|input| input.contains(session)) {
        known.retain(|input| input.contains(session));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_covers_exactly_the_ids_that_begin_so() {
        let (low, high) = bounds("12af3");
        assert_eq!(low.to_string(), "12af3000000000000000000000000000");
        assert_eq!(high.to_string(), "12af3fffffffffffffffffffffffffff");
    }
}
