//! What an account has agreed on top of list prices: discounts and margins in percent, and capacity at a flat cost.
//!
//! Both are applied when spend is read, never stored: a contract that is corrected corrects its whole past.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::dimension::{Dimension, Dimensions};
use super::label::Label;
use super::money::{Money, MoneyError, add_exact, mul_bounded, mul_exact};
use super::period::{Calendar, Hour, Period};
use super::spend::{Basis, SpendKey, Sums};
use super::which::Which;

/// What a contract does to a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractKind {
    /// Less than list, by so many percent.
    Discount,
    /// More than what is paid, by so many percent: resale.
    Margin,
}

impl ContractKind {
    /// The name in receipts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ContractKind::Discount => "discount",
            ContractKind::Margin => "margin",
        }
    }
}

/// A percentage on the cost of some calls for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// In receipts.
    pub name: String,
    /// On which calls.
    pub which: Which,
    /// First UTC day; none: always.
    pub from: Option<NaiveDate>,
    /// First UTC day on which it no longer holds.
    pub to: Option<NaiveDate>,
    /// Discount or margin.
    pub kind: ContractKind,
    /// Percent, not negative.
    pub percent: Decimal,
}

/// The span that an amount is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Every hour.
    Hour,
    /// Every calendar month, UTC; the hours of a month share it.
    Month,
}

/// Capacity or seats at a flat cost, used or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Becomes the `service` dimension.
    pub name: String,
    /// Dimensions of its cost: provider, model, team, …
    pub dimensions: Dimensions,
    /// What it costs, all units together.
    pub amount: Money,
    /// For how long that pays.
    pub per: Per,
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after; none: it goes on.
    pub to: Option<DateTime<Utc>>,
    /// Calls that it pays for: their effective cost is zero.
    pub covers: Option<Which>,
}

/// One line between list and effective cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermLine {
    /// Of the contract or commitment.
    pub name: String,
    /// `12 % discount`, `8 % margin`, `covered by the commitment`.
    pub what: String,
    /// What it changes, USD, exact.
    pub amount: Decimal,
}

/// From list to effective cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// After percentages.
    pub contracted: Decimal,
    /// After commitments, too: what the call costs the account.
    pub effective: Decimal,
    /// How it comes about; the list cost and these lines add up to the effective cost exactly.
    pub lines: Vec<TermLine>,
}

/// Everything that an account has agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Percentages, applied one on the other in this order.
    pub contracts: Vec<Contract>,
    /// Flat costs.
    pub commitments: Vec<Commitment>,
}

/// Decimals of an hour's part of a monthly amount. The parts of a month add up to the amount exactly.
const PART_DECIMALS: u32 = 9;

impl Contract {
    fn holds(&self, dimensions: &Dimensions, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to) && self.which.matches(dimensions)
    }

    fn change(&self, cost: Decimal) -> Result<Decimal, MoneyError> {
        let part = mul_bounded(cost, mul_exact(self.percent, Decimal::new(1, 2))?.normalize())?.normalize();
        Ok(match self.kind {
            ContractKind::Discount => -part,
            ContractKind::Margin => part,
        })
    }
}

impl Commitment {
    fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// The cost of one hour. Amounts per month are spread so that the first `k` hours of a month have `k / n` of it,
    /// rounded; whatever hours are added up, no rounding accumulates.
    fn hour(&self, hour: Hour) -> Result<Decimal, MoneyError> {
        let amount = self.amount.amount();
        if self.per == Per::Hour {
            return Ok(amount);
        }
        let month = Calendar::Month.around(hour.start(), chrono_tz::Tz::UTC);
        let (first, hours) = (Hour::of(month.start), month.length().num_hours());
        let until = |k: i64| -> Result<Decimal, MoneyError> {
            let part = mul_exact(amount, Decimal::from(k))?
                .checked_div(Decimal::from(hours))
                .ok_or(MoneyError::Overflow)?;
            Ok(part.round_dp_with_strategy(PART_DECIMALS, RoundingStrategy::MidpointAwayFromZero))
        };
        let k = hour.0 - first.0;
        add_exact(until(k + 1)?, -until(k)?)
    }
}

impl Terms {
    /// Whether nothing is agreed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contracts.is_empty() && self.commitments.is_empty()
    }

    /// What a call or a sum of calls of one hour costs the account.
    pub fn agreed(&self, dimensions: &Dimensions, at: DateTime<Utc>, list: Decimal) -> Result<Agreed, MoneyError> {
        let mut lines = Vec::new();
        let mut contracted = list;
        for contract in self.contracts.iter().filter(|c| c.holds(dimensions, at.date_naive())) {
            let amount = contract.change(contracted)?;
            contracted = add_exact(contracted, amount)?.normalize();
            lines.push(TermLine {
                name: contract.name.clone(),
                what: format!("{} % {}", contract.percent.normalize(), contract.kind.name()),
                amount,
            });
        }
        let cover = self
            .commitments
            .iter()
            .find(|c| c.holds(at) && c.covers.as_ref().is_some_and(|w| w.matches(dimensions)));
        let mut effective = contracted;
        if let Some(commitment) = cover {
            effective = Decimal::ZERO;
            lines.push(TermLine {
                name: commitment.name.clone(),
                what: "covered by the commitment".to_owned(),
                amount: -contracted,
            });
        }
        Ok(Agreed {
            contracted,
            effective,
            lines,
        })
    }

    /// The flat costs of a period up to `now`, hour by hour, in one basis.
    pub fn flat(
        &self,
        period: Period,
        now: DateTime<Utc>,
        basis: Basis,
    ) -> impl Iterator<Item = Result<(SpendKey, Sums), MoneyError>> + '_ {
        self.commitments.iter().flat_map(move |commitment| {
            let start = commitment.from.max(period.start);
            let end = commitment.to.unwrap_or(now).min(period.end).min(now);
            let first = Hour::of(start);
            let first = if first.start() < start { first.0 + 1 } else { first.0 };
            // An hour that has begun is paid for.
            let last = if end > start {
                Hour::of(end - chrono::TimeDelta::nanoseconds(1)).0
            } else {
                first - 1
            };
            let mut dimensions = commitment.dimensions;
            dimensions.set(Dimension::Service, Label::new(&commitment.name));
            dimensions.set(Dimension::Category, Label::new("Purchase"));
            (first..=last).map(move |hour| {
                let hour = Hour(hour);
                let key = SpendKey {
                    hour,
                    basis,
                    currency: commitment.amount.currency(),
                    dimensions,
                };
                let sums = Sums {
                    cost: commitment.hour(hour)?,
                    ..Sums::default()
                };
                Ok((key, sums))
            })
        })
    }

    /// The earliest year that a commitment may begin in: a flat cost is spread hour by hour.
    #[must_use]
    pub fn plausible(from: DateTime<Utc>) -> bool {
        (2000..=2200).contains(&from.year())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::parse_decimal;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn contract(name: &str, kind: ContractKind, percent: &str, from: Option<&str>) -> Contract {
        Contract {
            name: name.to_owned(),
            which: Which {
                provider: "aws".to_owned(),
                ..Which::default()
            },
            from: from.map(|d| d.parse().unwrap()),
            to: None,
            kind,
            percent: parse_decimal(percent).unwrap(),
        }
    }

    fn seats(amount: &str, per: Per, to: Option<&str>) -> Commitment {
        Commitment {
            name: "seats".to_owned(),
            dimensions: Dimensions::default().with(Dimension::Provider, "bedrock"),
            amount: Money::usd(amount).unwrap(),
            per,
            from: at("2026-10-15T00:00:00Z"),
            to: to.map(at),
            covers: None,
        }
    }

    #[test]
    fn percentages_stack_and_every_line_is_exact() {
        let mut terms = Terms {
            contracts: vec![
                contract("edp", ContractKind::Discount, "12.5", None),
                contract("later", ContractKind::Discount, "50", Some("2026-12-01")),
                contract("resale", ContractKind::Margin, "8", None),
            ],
            commitments: Vec::new(),
        };
        let calls = Dimensions::default().with(Dimension::Provider, "bedrock");
        let list = parse_decimal("0.000000003").unwrap();
        let agreed = terms.agreed(&calls, at("2026-11-30T23:59:59Z"), list).unwrap();
        let sum: Decimal = agreed.lines.iter().map(|l| l.amount).sum();
        assert_eq!(agreed.effective.to_string(), "0.000000002835");
        assert_eq!(list + sum, agreed.effective);
        assert_eq!(agreed.lines.len(), 2, "one does not hold yet");
        let other = Dimensions::default().with(Dimension::Provider, "openai");
        assert_eq!(
            terms
                .agreed(&other, at("2026-11-01T00:00:00Z"), list)
                .unwrap()
                .effective,
            list
        );

        terms.commitments.push(Commitment {
            covers: Some(Which::default()),
            ..seats("20", Per::Month, None)
        });
        let covered = terms.agreed(&calls, at("2026-11-30T23:59:59Z"), list).unwrap();
        assert_eq!(
            (covered.effective, covered.contracted),
            (Decimal::ZERO, agreed.effective)
        );
        let before = terms.agreed(&calls, at("2026-10-14T23:59:59Z"), list).unwrap();
        assert_eq!(before.effective, agreed.effective);
    }

    #[test]
    fn the_hours_of_a_month_add_up_to_its_amount_exactly() {
        let sum = |terms: &Terms, from: &str, to: &str, now: &str| -> (usize, Decimal) {
            let rows: Vec<_> = terms
                .flat(Period::new(at(from), at(to)), at(now), Basis::Metered)
                .map(Result::unwrap)
                .collect();
            (rows.len(), rows.iter().map(|(_, s)| s.cost).sum())
        };
        let terms = Terms {
            contracts: Vec::new(),
            commitments: vec![seats("1000", Per::Month, None)],
        };
        let november = sum(
            &terms,
            "2026-11-01T00:00:00Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        assert_eq!(november, (720, Decimal::from(1000)));
        let days: Decimal = (1..=30)
            .map(|d| {
                sum(
                    &terms,
                    &format!("2026-11-{d:02}T00:00:00Z"),
                    "2026-12-01T00:00:00Z",
                    &format!("2026-11-{d:02}T23:59:59Z"),
                )
                .1
            })
            .sum();
        assert_eq!(days, Decimal::from(1000), "day by day, too");
        let (hours, half) = sum(
            &terms,
            "2026-10-01T00:00:00Z",
            "2026-11-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        assert_eq!((hours, half.round_dp(2)), (17 * 24, parse_decimal("548.39").unwrap()));
        let ended = Terms {
            contracts: Vec::new(),
            commitments: vec![seats("2.5", Per::Hour, Some("2026-10-15T03:00:00Z"))],
        };
        let all = sum(
            &ended,
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        assert_eq!(all, (3, parse_decimal("7.5").unwrap()));
        let begun = sum(
            &ended,
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2026-10-15T01:10:00Z",
        );
        assert_eq!(begun.0, 2, "nothing of the future");
    }
}
