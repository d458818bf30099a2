//! Days of spend by what is awaited together: a source of usage, or the bill of a provider.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};

/// The days of one source.
pub(super) struct Part {
    pub(super) source: Label,
    /// Of a row of a bill that metered use may fill its provider, in one spelling, and who bills it; of what fills it the provider and the
    /// account. Else none.
    pub(super) whose: [Label; 2],
    /// Whether bills do not tell it apart, so that it stands for what they say of billed days, too.
    pub(super) untold: bool,
    pub(super) daily: BTreeMap<NaiveDate, Decimal>,
}

impl Part {
    /// Whether it is of a bill that metered use may fill.
    pub(super) fn is_bill(&self) -> bool {
        self.whose != [Label::EMPTY; 2]
    }
}

/// Where the days of a source and of whom are; a new place where they have none.
pub(super) fn part(parts: &mut Vec<Part>, source: Label, whose: [Label; 2]) -> usize {
    let known = parts
        .iter()
        .position(|part| (part.source, part.whose) == (source, whose));
    known.unwrap_or_else(|| {
        parts.push(Part {
            source,
            whose,
            untold: false,
            daily: BTreeMap::new(),
        });
        parts.len() - 1
    })
}

/// Adds a cost to a day.
pub(super) fn add(daily: &mut BTreeMap<NaiveDate, Decimal>, day: NaiveDate, cost: Decimal) -> Result<(), MoneyError> {
    let slot = daily.entry(day).or_default();
    *slot = add_exact(*slot, cost)?;
    Ok(())
}

/// Adds a cost to its day; where it is of several, as much to each.
pub(super) fn spread(
    daily: &mut BTreeMap<NaiveDate, Decimal>,
    first: NaiveDate,
    last: Option<NaiveDate>,
    cost: Decimal,
) -> Result<(), MoneyError> {
    let mut rest = cost;
    if let Some(last) = last {
        let days = Decimal::from((last - first).num_days().max(0) + 1);
        let share = cost.checked_div(days).unwrap_or_default().round_dp(6);
        for day in first.iter_days().skip(1).take_while(|day| *day <= last) {
            add(daily, day, share)?;
            rest = add_exact(rest, -share)?;
        }
    }
    add(daily, first, rest)
}
