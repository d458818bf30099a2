//! The tail of a bill that is late: metered spend, scaled by how bill and meter compared last.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use rustc_hash::FxHashMap;

use super::billed::month;
use super::names::Names;
use super::standing::Standing;
use super::standings::{Collected, Standings, compared_from};
use crate::domain::budget::Scope;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::ports::{Ledger, StoreError};

/// Decimals of what a factor scales: an estimate.
const COST_DECIMALS: u32 = 12;

/// Values of dimensions, and the first hour of each.
type Values = BTreeMap<Dimension, BTreeMap<Label, Hour>>;

/// How the bills of all providers stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// By provider, in the spelling of [`Names`].
    standings: Standings,
    /// What the rows of its bill name, by provider.
    told: BTreeMap<Label, Values>,
    /// What its metered use names, by provider.
    metered: BTreeMap<Label, Values>,
    /// Those that bill models in other currencies, and those whose bills name none.
    elsewhere: BTreeSet<Label>,
    of_else: BTreeSet<Label>,
    /// Companies with several services, as in [`Names::several`].
    several: BTreeSet<Label>,
}

/// Metered use that stands for rows of a bill which do not tell it apart.
#[derive(Clone, Copy, Debug)]
pub struct Scaled<'a> {
    /// Whose bill it is, in the spelling of [`Names`].
    pub provider: Label,
    account: Label,
    standings: &'a Standings,
}

impl Scaled<'_> {
    /// What a metered row of a billed day stands for; nothing of another.
    #[must_use]
    pub fn of(&self, key: &SpendKey, sums: &Sums) -> Option<Sums> {
        let standing = self.standings.at(self.provider, self.account, key.hour)?;
        standing.is_billed(key.hour).then(|| scaled(sums, standing.factor()))
    }

    /// What has to be said beside a figure with it.
    #[must_use]
    pub fn note(&self) -> String {
        let standing = self.standings.last(self.provider, self.account);
        format!(
            "the bill of {} does not tell this scope apart: on billed days metered × {}, as bill and meter compared",
            self.provider,
            standing.map_or(Decimal::ONE, Standing::factor).normalize()
        )
    }
}

impl Fill {
    /// Compares bills with metered spend up to an instant, for figures that begin at another.
    pub fn read(ledger: &mut dyn Ledger, from: DateTime<Utc>, now: DateTime<Utc>) -> Result<Fill, StoreError> {
        Fill::of(from, now, |period, visit| ledger.spend(period, visit))
    }

    /// The same of the rows that this visits.
    pub(super) fn of(
        from: DateTime<Utc>,
        now: DateTime<Utc>,
        spend: impl FnOnce(Period, &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError>,
    ) -> Result<Fill, StoreError> {
        let (mut elsewhere, mut of_else) = (BTreeSet::new(), BTreeSet::new());
        let mut failed: Option<MoneyError> = None;
        let mut seen: FxHashMap<(Basis, Label, Dimensions), Hour> = FxHashMap::default();
        let mut collected = Collected::new(now);
        let start = compared_from(now).min(month(Hour::of(from)));
        let read = |visit: &mut dyn FnMut(&SpendKey, &Sums)| spend(Period::new(start.start(), now), visit);
        let names = Names::of(read, &mut |names, key, sums| {
            if !is_usage(key) {
                return;
            }
            let provider = match key.basis {
                Basis::Billed => names.billed(key),
                Basis::Metered => Some(names.metered(key)),
                Basis::Effective | Basis::BilledFilled => return,
            };
            let Some(provider) = provider else {
                of_else.extend(names.company(key));
                return;
            };
            if key.currency != Currency::USD {
                elsewhere.insert(provider);
                return;
            }
            let first = seen.entry((key.basis, provider, key.dimensions)).or_insert(key.hour);
            *first = (*first).min(key.hour);
            let account = key.dimensions.get(Dimension::Account);
            let added = match key.basis {
                Basis::Billed => collected.billed(provider, account, key.hour, sums.cost),
                Basis::Metered | Basis::Effective | Basis::BilledFilled => {
                    collected.metered(provider, account, key.hour, sums.cost)
                }
            };
            failed = failed.take().or(added.err());
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let standings = collected.stand(true)?;
        let (mut told, mut metered): (BTreeMap<Label, Values>, _) = (BTreeMap::new(), BTreeMap::new());
        for ((basis, provider, dimensions), hour) in seen {
            let side = match basis {
                Basis::Billed => &mut told,
                Basis::Metered | Basis::Effective | Basis::BilledFilled => &mut metered,
            };
            let values: &mut Values = side.entry(provider).or_default();
            for dimension in Dimension::ALL {
                let values = values.entry(dimension).or_default();
                let first = values.entry(dimensions.get(dimension)).or_insert(hour);
                *first = (*first).min(hour);
            }
        }
        Ok(Fill {
            standings,
            told,
            metered,
            elsewhere,
            of_else,
            several: names.several(),
        })
    }

    /// Names of the rows that it is of.
    #[must_use]
    pub fn row_names(&self) -> Names {
        Names::calling(self.metered.keys().copied(), &self.several)
    }

    /// Whether a provider has a bill.
    #[must_use]
    pub fn has_bill(&self, provider: Label) -> bool {
        self.told.contains_key(&provider)
    }

    /// The first day behind those that a row of a bill at this hour is of, where it is of several, as far as can be told.
    #[must_use]
    pub fn row_end(&self, provider: Label, account: Label, hour: Hour) -> Option<Hour> {
        self.standings.at(provider, account, hour)?.row_end(hour)
    }

    /// Whether a bill says what metered use of an hour cost, and what that is multiplied by where it does not.
    #[must_use]
    pub fn billed(&self, provider: Label, account: Label, hour: Hour) -> (bool, Decimal) {
        let standing = self.standings.at(provider, account, hour);
        standing.map_or((false, Decimal::ONE), |standing| {
            (standing.is_billed(hour), standing.factor())
        })
    }

    /// Providers with a bill.
    #[must_use]
    pub fn providers(&self) -> BTreeSet<Label> {
        self.standings.providers().collect()
    }

    /// The row of the filled basis that a row of another one makes.
    pub(super) fn row(&self, names: &mut Names, key: &SpendKey, sums: &Sums) -> Option<(SpendKey, Sums)> {
        let filled = SpendKey {
            basis: Basis::BilledFilled,
            ..*key
        };
        let account = key.dimensions.get(Dimension::Account);
        match key.basis {
            // Rows of a day or month of which more was metered give way to that.
            Basis::Billed if is_usage(key) && key.currency == Currency::USD && !is_refund(sums) => {
                let standing = names.billed(key).and_then(|p| self.standings.at(p, account, key.hour));
                standing
                    .is_none_or(|standing| standing.is_billed(key.hour))
                    .then_some((filled, *sums))
            }
            Basis::Billed => Some((filled, *sums)),
            Basis::Metered if is_usage(key) => {
                let standing = self.standings.at(names.metered(key), account, key.hour);
                if standing.is_some_and(|standing| standing.is_billed(key.hour)) {
                    return None;
                }
                let factor = standing.map_or(Decimal::ONE, Standing::factor);
                Some((filled, scaled(sums, factor)))
            }
            Basis::Metered | Basis::Effective | Basis::BilledFilled => None,
        }
    }

    /// The same of a row within a scope that bills of some providers do not tell apart: none of a row of theirs, which nobody can
    /// divide; metered use stands for it. What is no use stands beside it.
    pub(super) fn row_apart(
        &self,
        names: &mut Names,
        key: &SpendKey,
        sums: &Sums,
        untold: &BTreeSet<Label>,
    ) -> Option<(SpendKey, Sums)> {
        let divides = |provider| untold.contains(&provider);
        if key.basis == Basis::Billed && is_usage(key) && names.billed(key).is_some_and(divides) {
            return None;
        }
        let row = self.row(names, key, sums);
        if row.is_some() || key.basis != Basis::Metered || !is_usage(key) {
            return row;
        }
        let provider = names.metered(key);
        let scaled = self.scaled(provider, key.dimensions.get(Dimension::Account));
        let sums = scaled.filter(|_| untold.contains(&provider))?.of(key, sums)?;
        let filled = SpendKey {
            basis: Basis::BilledFilled,
            ..*key
        };
        Some((filled, sums))
    }

    /// How metered use of an account stands for rows of a bill; nothing where it is not billed.
    fn scaled(&self, provider: Label, account: Label) -> Option<Scaled<'_>> {
        self.standings.last(provider, account).map(|_| Scaled {
            provider,
            account,
            standings: &self.standings,
        })
    }

    /// How a metered row stands for rows of a bill within a scope that asks for something which that bill never names: its
    /// rows are all outside, though some of what they charge is inside.
    #[must_use]
    pub fn untold(&self, names: &mut Names, key: &SpendKey, scope: &Scope) -> Option<Scaled<'_>> {
        if key.basis != Basis::Metered || !is_usage(key) {
            return None;
        }
        let provider = names.metered(key);
        let scaled = self.scaled(provider, key.dimensions.get(Dimension::Account));
        scaled.filter(|_| self.is_untold(provider, scope))
    }

    /// What has to be said beside a figure of a scope which bills do not tell apart.
    #[must_use]
    pub fn untold_notes(&self, scope: &Scope) -> Vec<String> {
        let untold = self.metered.keys().filter(|provider| self.is_untold(**provider, scope));
        let notes = untold.flat_map(|provider| {
            let accounts = self.standings.of_provider(*provider);
            accounts.map(|(account, _)| {
                let scaled = Scaled {
                    provider: *provider,
                    account,
                    standings: &self.standings,
                };
                scaled.note()
            })
        });
        notes.collect()
    }

    /// What has to be said beside a figure of this basis of less time than a row of a bill is of.
    #[must_use]
    pub fn short_notes(&self, wanted: &BTreeSet<Label>, period: Period) -> Vec<String> {
        let length = (period.end - period.start).num_hours();
        let is_long = |provider: &&Label| {
            let mut standings = self.standings.of_provider(**provider);
            standings.any(|(_, standing)| standing.row_hours().is_some_and(|hours| length < hours))
        };
        let notes = wanted.iter().filter(is_long).map(|provider| {
            format!("the bill of {provider} has rows of more days than this period: each counts on the day that it begins on, and the days behind it are billed with it")
        });
        notes.collect()
    }

    /// What has to be said beside a figure of this basis within a scope: how far each provider has billed, and what is estimated since.
    #[must_use]
    pub fn notes(&self, wanted: &BTreeSet<Label>, scope: &Scope, currency: Currency) -> Vec<String> {
        let mut notes = Vec::new();
        if currency != Currency::USD {
            let alone = wanted.iter().map(|provider| {
                format!("what {provider} bills in {currency} counts as far as it is billed: calls are metered in USD and fill none of it")
            });
            notes.extend(alone);
            return notes;
        }
        for provider in wanted {
            let alone = self.is_billed_alone(*provider, scope);
            let (told, more) = self.accounts(*provider, scope, alone);
            for (account, standing) in told {
                let whose = match account.is_empty() {
                    true => provider.to_string(),
                    false => format!("{provider} account {account}"),
                };
                let through = standing.through();
                if alone {
                    notes.push(format!(
                        "{whose} is billed to {through}; no metered use is of this scope, so that what was used since then is not in it"
                    ));
                    continue;
                }
                let mut note = format!(
                    "{whose} is billed to {through}; since then metered × {}, as bill and meter compared up to then",
                    standing.factor().normalize()
                );
                let parts: Vec<String> = standing.parts().collect();
                let parts = match parts.as_slice() {
                    [] => String::new(),
                    [one] => one.clone(),
                    [first, last] => format!("{first} and {last}"),
                    [first, between @ .., last] => format!("{first}, {last} and {} between", between.len()),
                };
                if !parts.is_empty() {
                    note += &format!("; the bill of {parts} may be a part, of which more is metered: that counts");
                }
                notes.push(note);
            }
            notes.extend(more);
            if let Some((dimension, values)) = self.untold_beside(*provider, scope) {
                let more = match values.len() {
                    1 => String::new(),
                    n => format!(" and {} more", n - 1),
                };
                let value = values.first().copied().unwrap_or_default();
                notes.push(format!(
                    "the bill of {provider} names others of this scope and not {dimension} `{value}`{more}: on billed days what it names counts alone"
                ));
            }
            let others: Vec<String> = self.standings.unbilled(*provider).map(|a| a.to_string()).collect();
            if let [first, more @ ..] = others.as_slice() {
                let more = match more.len() {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                notes.push(format!(
                    "{provider} account {first}{more} has no bill yet: metered as it is"
                ));
            }
        }
        let billed = self.providers();
        let unbilled = wanted.iter().filter(|provider| !billed.contains(*provider));
        notes.extend(unbilled.map(|provider| {
            let bill = match (self.elsewhere.contains(provider), self.of_else.contains(provider)) {
                (true, _) => "bill in dollars",
                (false, true) => "bill of models",
                (false, false) => "bill yet",
            };
            format!("{provider} has no {bill}: metered as it is")
        }));
        notes
    }
}

/// The same with its amounts scaled.
fn scaled(sums: &Sums, factor: Decimal) -> Sums {
    let scaled = |amount: Decimal| {
        let product = amount.checked_mul(factor).unwrap_or(amount);
        product.round_dp_with_strategy(COST_DECIMALS, RoundingStrategy::MidpointAwayFromZero)
    };
    Sums {
        cost: scaled(sums.cost),
        unpriced_worst_case: scaled(sums.unpriced_worst_case),
        ..*sums
    }
}

/// Whether a row is about use, as opposed to taxes, credits and purchases.
#[must_use]
pub fn is_usage(key: &SpendKey) -> bool {
    let category = key.dimensions.get(Dimension::Category);
    category.is_empty() || category.as_str().eq_ignore_ascii_case("usage")
}

/// Whether a row takes back what was billed, as a credit does: it stands beside use and says nothing of how much of it is billed.
#[must_use]
pub(super) fn is_refund(sums: &Sums) -> bool {
    sums.cost < Decimal::ZERO
}

/// Whether a row is a purchase, such as a fee of a commitment.
#[must_use]
pub fn is_purchase(key: &SpendKey) -> bool {
    let category = key.dimensions.get(Dimension::Category);
    category.as_str().eq_ignore_ascii_case("purchase")
}
