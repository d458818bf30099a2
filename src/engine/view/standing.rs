//! How far bills go, account by account, and where metering knows of more than a bill that may be a part.
//!
//! A bill does not say whether a day or month of it is whole: it may have been delivered at noon, costs come late, and a row of the
//! first of a month may be all of that month or its first day. So a day counts as billed whole when it has ended a day ago and a
//! later one of the account is billed, or when it has ended a week ago and the bill has at least half of what was metered; a month
//! of which only the first has rows needs that half in any case. Of other days and months the greater of bill and metered spend
//! counts: neither does a first row hide what is known to be spent, nor is anything counted twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use rustc_hash::FxHashMap;

use super::billed::{month, month_of};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Hour;

/// Decimals of a factor; what it comes to may be off by as much.
const FACTOR_DECIMALS: u32 = 4;

/// Hours after its end in which a day may still get rows of a bill.
const LATE_HOURS: i64 = 24;

/// Days after which no further rows are awaited; behind the others of its provider, an account's bill has then ended.
const ENDED_DAYS: i64 = 7;

/// What both sides say of one day.
#[derive(Clone, Copy, Default)]
struct Sides {
    billed: Option<Decimal>,
    /// Whether some of it is billed in a currency that cannot be compared.
    elsewhere: bool,
    metered: Decimal,
}

/// A day of an account.
type Day = (Label, Hour, Sides);

/// Days of bills and of metered use, being collected.
pub(super) struct Collected {
    now: DateTime<Utc>,
    days: FxHashMap<(Label, Label, Hour), Sides>,
}

impl Collected {
    pub fn new(now: DateTime<Utc>) -> Self {
        Collected {
            now,
            days: FxHashMap::default(),
        }
    }

    /// A row of a bill about use; no cost where its currency is another.
    pub fn billed(
        &mut self,
        provider: Label,
        account: Label,
        hour: Hour,
        cost: Option<Decimal>,
    ) -> Result<(), MoneyError> {
        let sides = self.days.entry((provider, account, hour.day())).or_default();
        match cost {
            Some(cost) => sides.billed = Some(add_exact(sides.billed.unwrap_or_default(), cost)?),
            None => sides.elsewhere = true,
        }
        Ok(())
    }

    /// Metered use.
    pub fn metered(&mut self, provider: Label, account: Label, hour: Hour, cost: Decimal) -> Result<(), MoneyError> {
        let sides = self.days.entry((provider, account, hour.day())).or_default();
        sides.metered = add_exact(sides.metered, cost)?;
        Ok(())
    }

    /// Compares the sides. Factors come from days at and after `compared`; none are used without it, and a whole day without a row is
    /// then not billed.
    pub fn stand(self, start: Hour, compared: Option<Hour>) -> Result<Standings, MoneyError> {
        let mut accounts: BTreeMap<Label, BTreeMap<Label, Named>> = BTreeMap::new();
        for ((provider, account, _), sides) in &self.days {
            let named = accounts.entry(*provider).or_default().entry(*account).or_default();
            named.billed |= sides.billed.is_some() || sides.elsewhere;
            named.metered |= !sides.metered.is_zero();
        }
        let mut told: BTreeMap<Label, Told> = BTreeMap::new();
        for (provider, accounts) in &accounts {
            if accounts.values().any(|named| named.billed) {
                told.insert(*provider, Told::of(accounts));
            }
        }
        let mut grouped: BTreeMap<(Label, Label), Vec<Day>> = BTreeMap::new();
        for ((provider, account, day), sides) in self.days {
            let group = told.get(&provider).and_then(|told| told.group(account));
            if let Some(group) = group {
                let days = grouped.entry((provider, group)).or_default();
                days.push((account, day, sides));
            }
        }
        let mut standings = BTreeMap::new();
        for (group, days) in grouped {
            if let Some(standing) = Standing::of(&days, self.now, start, compared)? {
                standings.insert(group, standing);
            }
        }
        Ok(Standings { told, standings })
    }
}

/// Which sides name an account.
#[derive(Clone, Copy, Default)]
struct Named {
    billed: bool,
    metered: bool,
}

/// How far the accounts of a provider can be told apart on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// Not at all: no account is named by both, so that the names may be of two kinds.
    Together,
    /// Some metered use names no account, and may be that of any that is billed; others, named, are not billed.
    Partly(BTreeSet<Label>, BTreeSet<Label>),
    /// Each for itself; the others are not billed.
    Each(BTreeSet<Label>, BTreeSet<Label>),
}

impl Told {
    fn of(accounts: &BTreeMap<Label, Named>) -> Self {
        if !accounts.iter().any(|(a, n)| !a.is_empty() && n.billed && n.metered) {
            return Told::Together;
        }
        let names = |is: fn(&Label, &Named) -> bool| -> BTreeSet<Label> {
            let found = accounts.iter().filter(|(account, named)| is(account, named));
            found.map(|(account, _)| *account).collect()
        };
        let billed = names(|_, named| named.billed);
        let others = names(|account, named| !account.is_empty() && !named.billed && named.metered);
        match accounts.get(&Label::EMPTY).is_some_and(|named| named.metered) {
            true => Told::Partly(billed, others),
            false => Told::Each(billed, others),
        }
    }

    /// What an account is compared with; nothing where it is not billed.
    fn group(&self, account: Label) -> Option<Label> {
        match self {
            Told::Together => Some(Label::EMPTY),
            Told::Partly(billed, _) => (account.is_empty() || billed.contains(&account)).then_some(Label::EMPTY),
            Told::Each(billed, _) => billed.contains(&account).then_some(account),
        }
    }

    fn unbilled(&self) -> impl Iterator<Item = Label> + '_ {
        let others = match self {
            Told::Together => None,
            Told::Partly(_, others) | Told::Each(_, others) => Some(others),
        };
        others.into_iter().flatten().copied()
    }
}

/// How bill and meter stand, by provider and account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    told: BTreeMap<Label, Told>,
    standings: BTreeMap<(Label, Label), Standing>,
}

impl Standings {
    /// How the bill of an account stands; nothing where it is not billed.
    #[must_use]
    pub fn of(&self, provider: Label, account: Label) -> Option<&Standing> {
        let group = self.told.get(&provider)?.group(account)?;
        self.standings.get(&(provider, group))
    }

    /// Those of a provider with their accounts; no account is all that are billed.
    pub fn of_provider(&self, provider: Label) -> impl Iterator<Item = (Label, &Standing)> {
        let of = self
            .standings
            .range((provider, Label::EMPTY)..)
            .take_while(move |((other, _), _)| *other == provider);
        of.map(|((_, account), standing)| (*account, standing))
    }

    /// Accounts of a provider that no bill names, though it names others.
    pub fn unbilled(&self, provider: Label) -> impl Iterator<Item = Label> + '_ {
        self.told.get(&provider).into_iter().flat_map(Told::unbilled)
    }

    /// Providers with a bill.
    pub fn providers(&self) -> impl Iterator<Item = Label> + '_ {
        self.told.keys().copied()
    }
}

/// How a bill stands against metered spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Months of which all rows are of the first day: rows of whole months, as far as can be told.
    months: BTreeSet<Hour>,
    /// The first day or month that is billed; nothing where bills begin before the days that were read.
    since: Option<Hour>,
    /// The last one, by its first hour.
    last: Hour,
    /// Days and months that have rows, and whether those rows count.
    units: BTreeMap<Hour, bool>,
    /// The first that may be a part.
    whole: Hour,
    /// Whether what has no row between the first and the last is billed at nothing.
    gaps: bool,
    /// Billed by metered, where both are whole; 1 where nothing was metered.
    factor: Decimal,
}

impl Standing {
    fn of(
        days: &[Day],
        now: DateTime<Utc>,
        start: Hour,
        compared: Option<Hour>,
    ) -> Result<Option<Standing>, MoneyError> {
        let has_rows = |sides: &Sides| sides.billed.is_some() || sides.elsewhere;
        let billed: BTreeSet<Hour> = days
            .iter()
            .filter(|(_, _, s)| has_rows(s))
            .map(|(_, d, _)| *d)
            .collect();
        // Once days were told apart, a month that has only its first has that day alone so far.
        let apart = billed.iter().find(|day| month(**day) != **day).map(|day| month(*day));
        let months: BTreeSet<Hour> = billed
            .iter()
            .copied()
            .filter(|day| apart.is_none_or(|apart| *day < apart))
            .collect();
        let unit = |day: Hour| unit(&months, day);
        let mut lasts: BTreeMap<Label, Hour> = BTreeMap::new();
        for (account, day, _) in days.iter().filter(|(_, _, sides)| has_rows(sides)) {
            let last = lasts.entry(*account).or_insert(*day);
            *last = (*last).max(*day);
        }
        let (Some(first), Some(last)) = (billed.first().copied(), billed.last().copied()) else {
            return Ok(None);
        };
        let late = |day: &Hour| day.0 + 24 * ENDED_DAYS >= last.0;
        let earliest = lasts.values().copied().filter(late).min().unwrap_or(last);
        let mut sums: BTreeMap<Hour, Sides> = BTreeMap::new();
        for (_, day, sides) in days {
            let sum = sums.entry(unit(*day)).or_default();
            sum.metered = add_exact(sum.metered, sides.metered)?;
            sum.elsewhere |= sides.elsewhere;
            if let Some(billed) = sides.billed {
                sum.billed = Some(add_exact(sum.billed.unwrap_or_default(), billed)?);
            }
        }
        let passed = |unit: Hour| {
            let end = match months.contains(&unit) {
                true => month_of(unit).end,
                false => unit.start() + TimeDelta::hours(24),
            };
            now - end
        };
        let is_whole = |unit: Hour, sum: &Sides| {
            let billed = sum.billed.unwrap_or_default();
            let half = sum.elsewhere || billed.checked_add(billed).is_none_or(|twice| twice >= sum.metered);
            let followed = unit < earliest && passed(unit) >= TimeDelta::hours(LATE_HOURS);
            let ended = passed(unit) >= TimeDelta::days(ENDED_DAYS) && half;
            ended || (followed && (half || !months.contains(&unit)))
        };
        let mut factor = Decimal::ONE;
        if let Some(compared) = compared {
            let (mut of_bill, mut of_meter) = (Decimal::ZERO, Decimal::ZERO);
            let both = sums.range(first.max(compared)..=last);
            for (_, sum) in both.filter(|(unit, sum)| is_whole(**unit, sum)) {
                of_bill = add_exact(of_bill, sum.billed.unwrap_or_default())?;
                of_meter = add_exact(of_meter, sum.metered)?;
            }
            factor = of_bill
                .checked_div(of_meter)
                .filter(|factor| !factor.is_sign_negative())
                .unwrap_or(Decimal::ONE)
                .round_dp_with_strategy(FACTOR_DECIMALS, RoundingStrategy::MidpointAwayFromZero);
        }
        // No more than what rounding it may have added.
        let least = match compared {
            Some(_) => factor - Decimal::new(1, FACTOR_DECIMALS),
            None => factor,
        };
        let counts = |unit: Hour, sum: &Sides| {
            let metered = sum.metered.checked_mul(least).unwrap_or(sum.metered);
            is_whole(unit, sum) || sum.elsewhere || sum.billed.is_some_and(|billed| billed >= metered)
        };
        let units: BTreeMap<Hour, bool> = sums
            .iter()
            .filter(|(_, sum)| has_rows(sum))
            .map(|(unit, sum)| (*unit, counts(*unit, sum)))
            .collect();
        let open = sums
            .iter()
            .find(|(unit, sum)| has_rows(sum) && !is_whole(**unit, sum))
            .map(|(unit, _)| *unit);
        Ok(Some(Standing {
            since: Some(first).filter(|first| *first > start),
            last,
            whole: open.unwrap_or(last),
            units,
            months,
            gaps: compared.is_some(),
            factor,
        }))
    }

    /// Whether the bill says what that hour cost; otherwise metered spend does.
    #[must_use]
    pub fn is_billed(&self, hour: Hour) -> bool {
        let unit = unit(&self.months, hour);
        let between = self.gaps && unit < self.whole && self.since.is_none_or(|since| since <= unit);
        self.units.get(&unit).copied().unwrap_or(between)
    }

    /// What metered spend is multiplied by where the bill does not say it.
    #[must_use]
    pub fn factor(&self) -> Decimal {
        self.factor
    }

    /// The last day or month that is billed, as people write it.
    #[must_use]
    pub fn through(&self) -> String {
        self.name(self.last)
    }

    /// The days and months whose rows do not count, since more was metered.
    pub fn parts(&self) -> impl Iterator<Item = String> + '_ {
        self.units
            .iter()
            .filter(|(_, counts)| !**counts)
            .map(|(unit, _)| self.name(*unit))
    }

    fn name(&self, unit: Hour) -> String {
        let form = if self.months.contains(&unit) {
            "%Y-%m"
        } else {
            "%Y-%m-%d"
        };
        unit.start().format(form).to_string()
    }
}

/// The day or month that an hour is billed with.
fn unit(months: &BTreeSet<Hour>, hour: Hour) -> Hour {
    let month = month(hour);
    if months.contains(&month) { month } else { hour.day() }
}
