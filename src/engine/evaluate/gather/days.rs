//! The days of the period itself, as far as they are in it.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::Gathering;
use crate::domain::money::{MoneyError, add_exact};

impl Gathering<'_> {
    /// The day on which all of the amount had been spent, if it has been.
    pub(super) fn spent_up(&self) -> Result<Option<NaiveDate>, MoneyError> {
        let amount = self.budget.amount.amount();
        if self.spent.is_zero() || self.spent < amount {
            return Ok(None);
        }
        let mut sum = Decimal::ZERO;
        for (day, cost) in self.in_period() {
            sum = add_exact(sum, cost)?;
            if sum >= amount {
                return Ok(Some(day));
            }
        }
        Ok(None)
    }

    /// The days of the period that have spend, with what of it is in the period.
    pub(super) fn in_period(&self) -> impl Iterator<Item = (NaiveDate, Decimal)> {
        let [first, last] = self.edges;
        let days = self.daily.range(first..).take_while(move |(day, _)| **day <= last);
        days.map(|(day, cost)| {
            let outside = self.outside.get(day).copied().unwrap_or_default();
            (*day, cost.checked_sub(outside).unwrap_or(*cost))
        })
    }
}
