//! The tail of a bill that is late: metered spend, scaled by how bill and meter compared last.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use rustc_hash::FxHashSet;

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

/// Values of dimensions.
type Values = BTreeMap<Dimension, BTreeSet<Label>>;

/// How the bills of all providers stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// By provider, in the spelling of [`Names`].
    standings: Standings,
    /// What the rows of its bill name, by provider.
    told: BTreeMap<Label, Values>,
    /// What its metered use names, by provider.
    metered: BTreeMap<Label, Values>,
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
        let mut names = Names::default();
        let mut failed: Option<MoneyError> = None;
        let (mut told, mut metered) = (BTreeMap::new(), BTreeMap::new());
        let mut seen: FxHashSet<(Basis, Label, Dimensions)> = FxHashSet::default();
        let mut collected = Collected::new(now);
        let start = compared_from(now).min(month(Hour::of(from)));
        spend(Period::new(start.start(), now), &mut |key, sums| {
            if !is_usage(key) || key.currency != Currency::USD {
                return;
            }
            let (provider, values) = match key.basis {
                Basis::Billed => (names.billed(key), &mut told),
                Basis::Metered => (Some(names.metered(key)), &mut metered),
                Basis::Effective | Basis::BilledFilled => return,
            };
            let Some(provider) = provider else { return };
            if seen.insert((key.basis, provider, key.dimensions)) {
                let values: &mut Values = values.entry(provider).or_default();
                for dimension in Dimension::ALL {
                    values
                        .entry(dimension)
                        .or_default()
                        .insert(key.dimensions.get(dimension));
                }
            }
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
        Ok(Fill {
            standings,
            told,
            metered,
        })
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

    /// How a metered row stands for rows of a bill within a scope that asks for something which that bill never names: its
    /// rows are all outside, though some of what they charge is inside.
    #[must_use]
    pub fn untold(&self, names: &mut Names, key: &SpendKey, scope: &Scope) -> Option<Scaled<'_>> {
        if key.basis != Basis::Metered || !is_usage(key) {
            return None;
        }
        let provider = names.metered(key);
        let account = key.dimensions.get(Dimension::Account);
        self.standings.last(provider, account)?;
        self.is_untold(provider, scope).then_some(Scaled {
            provider,
            account,
            standings: &self.standings,
        })
    }

    /// Whether a scope asks for something that the bill of a provider never names. Where it names one of several values, use of the
    /// others may be in the rows of that one.
    fn is_untold(&self, provider: Label, scope: &Scope) -> bool {
        let told = |pattern: &String, dimension| names_any(self.told.get(&provider), dimension, pattern);
        let mut asked = scope.0.iter();
        self.has_bill(provider) && asked.any(|(dimension, patterns)| !patterns.iter().any(|p| told(p, *dimension)))
    }

    /// The values of metered use that a scope asks for beside others, which alone the bill of the provider names.
    fn untold_beside(&self, provider: Label, scope: &Scope) -> Option<(Dimension, Vec<Label>)> {
        if self.is_untold(provider, scope) {
            return None;
        }
        let values = self.metered.get(&provider)?;
        scope.0.iter().find_map(|(dimension, patterns)| {
            let told = |pattern: &&String| names_any(self.told.get(&provider), *dimension, pattern);
            let (told, untold): (Vec<&String>, Vec<&String>) = patterns.iter().partition(told);
            let asks = |patterns: &[&String], value| patterns.iter().any(|p| dimension.is_like(p, value));
            let values = values.get(dimension).into_iter().flatten().copied();
            let beside: Vec<Label> = values.filter(|v| asks(&untold, *v) && !asks(&told, *v)).collect();
            (!beside.is_empty()).then_some((*dimension, beside))
        })
    }

    /// Whether rows of the bill of a provider are within a scope, and none of its metered use is: nothing stands for what comes behind.
    fn is_billed_alone(&self, provider: Label, scope: &Scope) -> bool {
        let has = |values: Option<&Values>| {
            values.is_some_and(|values| {
                let mut asked = scope.0.iter();
                asked.all(|(dimension, patterns)| patterns.iter().any(|p| names_any(Some(values), *dimension, p)))
            })
        };
        has(self.told.get(&provider)) && !has(self.metered.get(&provider))
    }

    /// The row of the filled basis that a metered row of a billed day makes within a scope which the bill does not tell apart.
    pub(super) fn stand_in(
        &self,
        names: &mut Names,
        key: &SpendKey,
        sums: &Sums,
        scope: &Scope,
    ) -> Option<(SpendKey, Sums)> {
        if scope.0.is_empty() || !scope.matches(&key.dimensions) {
            return None;
        }
        let sums = self.untold(names, key, scope)?.of(key, sums)?;
        let filled = SpendKey {
            basis: Basis::BilledFilled,
            ..*key
        };
        Some((filled, sums))
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

    /// What has to be said beside a figure of this basis within a scope: how far each provider has billed, and what is estimated since.
    #[must_use]
    pub fn notes(&self, wanted: &BTreeSet<Label>, scope: &Scope) -> Vec<String> {
        let mut notes = Vec::new();
        for provider in wanted {
            let alone = self.is_billed_alone(*provider, scope);
            for (account, standing) in self.standings.of_provider(*provider) {
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
                if let [first, more @ ..] = parts.as_slice() {
                    let last = more.last().map_or(String::new(), |last| format!(" to {last}"));
                    note +=
                        &format!("; the bill of {first}{last} may be a part, of which more is metered: that counts");
                }
                notes.push(note);
            }
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
        notes.extend(unbilled.map(|provider| format!("{provider} has no bill yet: metered as it is")));
        notes
    }
}

/// Whether a pattern meets one of these values of a dimension.
fn names_any(values: Option<&Values>, dimension: Dimension, pattern: &str) -> bool {
    let mut values = values.and_then(|values| values.get(&dimension)).into_iter().flatten();
    values.any(|value| dimension.is_like(pattern, *value))
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
