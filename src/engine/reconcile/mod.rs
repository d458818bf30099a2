//! Lays metered, provider-reported and billed cost side by side, and says where they part.

mod gap;
mod gather;
mod meet;
mod rows;
mod shape;

use std::collections::btree_map::Entry;
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
    /// The same without what commitments pay for.
    pub effective: Decimal,
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
    /// The cost that came with calls whose detail is not kept any more: nothing is compared with it.
    pub expired: Decimal,
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
    /// The same without what commitments pay for.
    pub effective: Decimal,
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
    /// Its taxes and purchases, which are not compared.
    pub other: Decimal,
    /// Why they differ.
    pub gap: Gap,
    /// Of what is billed, what metering has seen, at most all of it per day and model.
    pub covered: Decimal,
    /// What metering has beyond what is billed, on days and of models that are.
    pub beyond: Decimal,
    /// What of the rest may be of metered calls without a price: nobody knows whether it was seen.
    pub unknown: Decimal,
    /// Last day that is billed, of all accounts.
    pub through: Option<Hour>,
}

impl Totals {
    /// What is charged of which it is known whether metering has seen it.
    #[must_use]
    pub fn known(&self) -> Decimal {
        self.charged - self.unknown
    }

    /// Percent of the billed use that metering has seen, to one decimal; none where nothing is billed, or not known. What is taken back hides
    /// nothing.
    #[must_use]
    pub fn coverage(&self) -> Option<Decimal> {
        let percent = self
            .covered
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(self.known())?;
        (self.known() > Decimal::ZERO).then(|| percent.round_dp(1))
    }

    /// The same as far as metering has more than all that is billed: above 100 then.
    #[must_use]
    pub fn metered_percent(&self) -> Option<Decimal> {
        let seen = self.coverage()?;
        if seen < Decimal::ONE_HUNDRED {
            return Some(seen);
        }
        let all = add_exact(self.known(), self.beyond).ok()?;
        let percent = all.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(self.known())?;
        Some(percent.round_dp(1))
    }

    /// Whether metering may have seen less than `least` percent: calls without a price hide how much.
    #[must_use]
    pub fn may_be_short_of(&self, least: Decimal) -> bool {
        let percent = self.covered.checked_mul(Decimal::ONE_HUNDRED);
        let percent = percent.and_then(|covered| covered.checked_div(self.charged));
        self.unknown > Decimal::ZERO && percent.is_some_and(|percent| percent.round_dp(1) < least)
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
        self.charged <= Decimal::ZERO && self.effective > Decimal::ZERO
    }

    /// Adds those of another provider.
    pub fn add(&mut self, other: &Totals) -> Result<(), MoneyError> {
        for (sum, more) in [
            (&mut self.metered, other.metered),
            (&mut self.contracted, other.contracted),
            (&mut self.effective, other.effective),
            (&mut self.billed, other.billed),
            (&mut self.charged, other.charged),
            (&mut self.credits, other.credits),
            (&mut self.other, other.other),
            (&mut self.covered, other.covered),
            (&mut self.beyond, other.beyond),
            (&mut self.unknown, other.unknown),
            (&mut self.worst_case, other.worst_case),
            (&mut self.reported.cost, other.reported.cost),
            (&mut self.reported.computed, other.reported.computed),
            (&mut self.reported.expired, other.reported.expired),
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
    /// Companies whose bills have use that is not known to be of models.
    pub of_else: BTreeSet<Label>,
    /// What is metered of accounts that bills tell apart and not billed yet, by provider and account.
    pub late: BTreeMap<(Label, Label), Decimal>,
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
        of_else: gathered.of_else,
        ..Reconciliation::default()
    };
    let last = Hour::of(period.end - TimeDelta::hours(1)).day();
    let used = gathered.cells.iter().filter(|(_, sides)| sides.is_metered());
    let used: BTreeSet<rows::Whose> = used.map(|((_, whose, _), _)| *whose).collect();
    let is_apart = |provider: Label| used.iter().filter(|(of, _)| *of == provider).count() > 1;
    let mut cells: BTreeMap<(Hour, Label, Label), Cell> = BTreeMap::new();
    for ((start, whose, model), sides) in gathered.cells {
        let (provider, account) = whose;
        let billing = gathered.billing.get(&(start, whose)).copied();
        let split = gap::split(
            pricer,
            (start, whose, model),
            &sides,
            billing.unwrap_or(rows::Billing::None),
        )?;
        let gap::Split {
            gap,
            covered,
            beyond,
            unknown,
        } = split;
        if is_apart(provider) && !account.is_empty() && !gap.lag.is_zero() {
            let late = out.late.entry(whose).or_default();
            *late = add_exact(*late, -gap.lag)?;
        }
        let through = gathered.through.get(&whose).map(|through| (*through).min(last));
        let totals = out.providers.entry(provider).or_default();
        totals.through = totals.through.max(through);
        let one = Totals {
            metered: sides.metered.list,
            contracted: sides.metered.contracted,
            effective: sides.metered.effective,
            calls: sides.metered.calls,
            unpriced: sides.metered.unpriced,
            worst_case: sides.metered.worst_case,
            reported: sides.reported,
            billed: sides.billed.usage,
            charged: sides.billed.usage.max(Decimal::ZERO),
            credits: sides.billed.credits,
            other: sides.billed.other,
            gap,
            covered,
            beyond,
            unknown,
            through,
        };
        totals.add(&one)?;
        // Accounts are compared each for itself, and told together.
        match cells.entry((start, provider, model)) {
            Entry::Vacant(place) => {
                place.insert(Cell {
                    start,
                    provider,
                    model,
                    metered: sides.metered,
                    reported: sides.reported,
                    billed: sides.billed,
                    gap,
                });
            }
            Entry::Occupied(mut place) => {
                let cell = place.get_mut();
                let mut both = gather::Sides::of(cell);
                both.add(&sides)?;
                (cell.metered, cell.reported, cell.billed) = (both.metered, both.reported, both.billed);
                cell.gap.add(&gap)?;
            }
        }
    }
    out.cells = cells.into_values().collect();
    Ok(out)
}
