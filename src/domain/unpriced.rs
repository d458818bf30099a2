//! Whether two costs can be compared although calls without a price are in neither.

use rust_decimal::Decimal;

use super::money::{MoneyError, add_most};
use super::spend::Sums;

/// Times the worst case of what has no price that a cost has to be for a comparison to be about the cost.
const FAR_MORE: Decimal = Decimal::TEN;

/// Calls without a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpriced {
    /// How many.
    pub events: i64,
    /// The most that they may cost.
    pub worst_case: Decimal,
}

impl Unpriced {
    /// Those in sums.
    #[must_use]
    pub fn of(sums: &Sums) -> Self {
        Unpriced {
            events: sums.unpriced_events,
            worst_case: sums.unpriced_worst_case,
        }
    }

    /// Adds those in sums.
    pub fn add(&mut self, sums: &Sums) -> Result<(), MoneyError> {
        if sums.unpriced_events != 0 {
            self.events += sums.unpriced_events;
            self.worst_case = add_most(self.worst_case, sums.unpriced_worst_case)?;
        }
        Ok(())
    }
}

/// Whether the change between two costs says something: not where nothing of one side has a price, nor where what has none may have cost
/// more than a tenth of the greater side. What was not there before is new, whatever it costs.
#[must_use]
pub fn is_comparable(costs: [Decimal; 2], unpriced: [Unpriced; 2]) -> bool {
    let ([cost_before, _], [before, _]) = (costs, unpriced);
    if cost_before.is_zero() && before.events == 0 {
        return true;
    }
    let greater = costs.iter().map(Decimal::abs).max().unwrap_or_default();
    costs.iter().zip(unpriced).all(|(cost, unpriced)| {
        let bound = unpriced.worst_case.checked_mul(FAR_MORE);
        unpriced.events == 0 || (!cost.is_zero() && bound.is_some_and(|bound| bound <= greater))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_makes_a_comparison_only_where_it_may_matter() {
        let none = Unpriced::default();
        let worst = |worst: i64| Unpriced {
            events: 3,
            worst_case: worst.into(),
        };
        for (before, now, unpriced, said) in [
            (0, 69, [none, none], true),
            (0, 69, [none, worst(345)], true),
            (0, 69, [worst(345), none], false),
            (0, 69, [worst(0), none], false),
            (76, 7, [none, worst(345)], false),
            (76, 0, [none, worst(1)], false),
            (400, 480, [none, worst(18)], true),
            (400, 480, [worst(49), none], false),
        ] {
            let costs = [before, now].map(Decimal::from);
            assert_eq!(is_comparable(costs, unpriced), said, "{before} to {now}");
        }
    }
}
