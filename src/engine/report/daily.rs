//! The cost of a row by the days of a period, of which a row among very many has few.

use rust_decimal::Decimal;

use crate::domain::money::{MoneyError, add_exact};

/// Costs by the number of the day within the period, the first being 0; ascending, days without spend left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daily(Vec<(usize, Decimal)>);

impl Daily {
    /// Adds what a day cost.
    pub fn add(&mut self, day: usize, cost: Decimal) -> Result<(), MoneyError> {
        // Rows come hour by hour: mostly it is the last day, or one behind it.
        match self.0.last_mut() {
            Some((last, slot)) if *last == day => {
                *slot = add_exact(*slot, cost)?;
                return Ok(());
            }
            Some((last, _)) if *last < day => {
                self.0.push((day, cost));
                return Ok(());
            }
            Some(_) | None => {}
        }
        match self.0.binary_search_by_key(&day, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, slot)) = self.0.get_mut(at) {
                    *slot = add_exact(*slot, cost)?;
                }
            }
            Err(at) => self.0.insert(at, (day, cost)),
        }
        Ok(())
    }

    /// Adds those of another row.
    pub fn absorb(&mut self, other: &Daily) -> Result<(), MoneyError> {
        other.0.iter().try_for_each(|(day, cost)| self.add(*day, *cost))
    }

    /// The first so many days, those without spend included.
    #[must_use]
    pub fn series(&self, days: usize) -> Vec<Decimal> {
        let mut series = vec![Decimal::ZERO; days];
        for (day, cost) in &self.0 {
            if let Some(slot) = series.get_mut(*day) {
                *slot = *cost;
            }
        }
        series
    }
}

impl FromIterator<Decimal> for Daily {
    fn from_iter<I: IntoIterator<Item = Decimal>>(costs: I) -> Self {
        Daily(costs.into_iter().enumerate().collect())
    }
}
