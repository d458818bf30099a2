//! Lays metered, provider-reported and billed cost side by side, and says where they part.

mod gap;
mod gather;
mod meet;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

pub use gap::Gap;

use crate::domain::contract::Terms;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, add_exact};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::TokenSums;
use crate::ports::{Ledger, Pricer, StoreError};

/// What was computed from usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Calls.
    pub calls: i64,
    /// Calls without a price; their cost is not in `list`.
    pub unpriced: i64,
    /// The most that these may cost.
    pub worst_case: Decimal,
    /// Their tokens.
    pub tokens: TokenSums,
    /// At list price.
    pub list: Decimal,
    /// After the contract's percentages.
    pub contracted: Decimal,
}

/// What the sources themselves say that calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Calls that come with a cost, while their detail is kept.
    pub calls: i64,
    /// The cost that comes with them.
    pub cost: Decimal,
    /// What was computed for the same calls.
    pub computed: Decimal,
    /// Of these calls the ones that have a price.
    pub priced: Priced,
}

/// Calls with a cost of their own that price books have a price for, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priced {
    /// How many.
    pub calls: i64,
    /// The cost that comes with them.
    pub cost: Decimal,
    /// What they cost at list price, with the fees of searches that are free: a source that prices each call by itself has them.
    pub list: Decimal,
    /// The same as agreed in contracts.
    pub contracted: Decimal,
}

impl Priced {
    /// Adds others.
    ///
    /// # Errors
    /// A sum that is too large.
    pub fn add(&mut self, other: &Priced) -> Result<(), MoneyError> {
        self.calls += other.calls;
        for (sum, more) in [
            (&mut self.cost, other.cost),
            (&mut self.list, other.list),
            (&mut self.contracted, other.contracted),
        ] {
            *sum = add_exact(*sum, more)?;
        }
        Ok(())
    }
}

/// What a bill says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Rows.
    pub rows: i64,
    /// Tokens, where the bill counts them.
    pub tokens: TokenSums,
    /// Charges for use.
    pub usage: Decimal,
    /// Credits and adjustments, mostly negative.
    pub credits: Decimal,
    /// Taxes and purchases: no use, and no part of the comparison.
    pub other: Decimal,
}

/// One day, provider and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// First hour of the UTC day; of the month where the bill has only whole months.
    pub start: Hour,
    /// The provider, in one spelling.
    pub provider: Label,
    /// The model; empty where the bill names none: all models together.
    pub model: Label,
    /// From usage.
    pub metered: Metered,
    /// From the sources.
    pub reported: Reported,
    /// From the bill.
    pub billed: Billed,
    /// Why billed and metered differ.
    pub gap: Gap,
}

/// The sums of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// From usage, at list price.
    pub metered: Decimal,
    /// From usage, after the contract's percentages.
    pub contracted: Decimal,
    /// Calls.
    pub calls: i64,
    /// Calls without a price.
    pub unpriced: i64,
    /// The most that these may cost.
    pub worst_case: Decimal,
    /// From the sources.
    pub reported: Reported,
    /// The bill's charges for use.
    pub billed: Decimal,
    /// The same without days and models of which more is taken back than charged: what metering may have seen.
    pub charged: Decimal,
    /// The bill's credits and adjustments.
    pub credits: Decimal,
    /// Why they differ.
    pub gap: Gap,
    /// Of what is billed, what metering has seen, at most all of it per day and model.
    pub covered: Decimal,
    /// Last day that is billed.
    pub through: Option<Hour>,
}

impl Totals {
    /// Percent of the billed use that metering has seen, to one decimal; none where nothing is billed. What is taken back hides nothing.
    #[must_use]
    pub fn coverage(&self) -> Option<Decimal> {
        let percent = self
            .covered
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(self.charged)?;
        (self.charged > Decimal::ZERO).then(|| percent.round_dp(1))
    }

    /// The coverage where it is below `least` percent, of a bill of at least `above` dollars.
    #[must_use]
    pub fn short_of(&self, least: Decimal, above: Decimal) -> Option<Decimal> {
        self.coverage()
            .filter(|percent| *percent < least && self.charged >= above)
    }

    /// Whether there are calls that cost something, and no bill of them: how much of it metering has seen cannot be told.
    #[must_use]
    pub fn is_unbilled(&self) -> bool {
        self.coverage().is_none() && self.contracted > Decimal::ZERO
    }

    /// Adds those of another provider.
    pub fn add(&mut self, other: &Totals) -> Result<(), MoneyError> {
        for (sum, more) in [
            (&mut self.metered, other.metered),
            (&mut self.contracted, other.contracted),
            (&mut self.billed, other.billed),
            (&mut self.charged, other.charged),
            (&mut self.credits, other.credits),
            (&mut self.covered, other.covered),
            (&mut self.worst_case, other.worst_case),
            (&mut self.reported.cost, other.reported.cost),
            (&mut self.reported.computed, other.reported.computed),
        ] {
            *sum = add_exact(*sum, more)?;
        }
        self.calls += other.calls;
        self.unpriced += other.unpriced;
        self.reported.calls += other.reported.calls;
        self.reported.priced.add(&other.reported.priced)?;
        self.gap.add(&other.gap)
    }
}

/// A reconciliation.
#[derive(Clone, Debug, Default)]
pub struct Reconciliation {
    /// By day, provider and model.
    pub cells: Vec<Cell>,
    /// By provider.
    pub providers: BTreeMap<Label, Totals>,
    /// Currencies of bills that are not compared, by provider.
    pub other_currencies: BTreeMap<Label, BTreeSet<Currency>>,
    /// Providers that bill whole months or weeks, of some of which the period has only a part: those are not compared.
    pub by_month: BTreeSet<Label>,
}

impl Reconciliation {
    /// All providers together; the last billed day is that of none.
    pub fn total(&self) -> Result<Totals, MoneyError> {
        let mut total = Totals::default();
        self.providers.values().try_for_each(|totals| total.add(totals))?;
        Ok(total)
    }
}

/// Reconciles a period up to now. `detail` reads single calls too, for what the sources say they cost.
pub fn reconcile(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    terms: &Terms,
    period: Period,
    detail: bool,
    now: DateTime<Utc>,
) -> Result<Reconciliation, StoreError> {
    let gathered = gather::gather(ledger, pricer, terms, period.until(now), detail, now)?;
    let mut out = Reconciliation {
        other_currencies: gathered.other_currencies,
        by_month: gathered.by_month,
        ..Reconciliation::default()
    };
    let last = Hour::of(period.end - TimeDelta::hours(1)).day();
    for ((start, provider, model), sides) in gathered.cells {
        let through = gathered.through.get(&provider).copied();
        let lagging = through.is_none_or(|through| start > through);
        let gap::Split { gap, covered } = gap::split(pricer, (start, provider, model), &sides, lagging)?;
        let through = through.map(|through| through.min(last));
        let totals = out.providers.entry(provider).or_default();
        totals.through = through;
        let one = Totals {
            metered: sides.metered.list,
            contracted: sides.metered.contracted,
            calls: sides.metered.calls,
            unpriced: sides.metered.unpriced,
            worst_case: sides.metered.worst_case,
            reported: sides.reported,
            billed: sides.billed.usage,
            charged: sides.billed.usage.max(Decimal::ZERO),
            credits: sides.billed.credits,
            gap,
            covered,
            through,
        };
        totals.add(&one)?;
        out.cells.push(Cell {
            start,
            provider,
            model,
            metered: sides.metered,
            reported: sides.reported,
            billed: sides.billed,
            gap,
        });
    }
    Ok(out)
}
