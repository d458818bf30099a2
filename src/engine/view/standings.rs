//! How far bills go, account by account, and where metering knows of more than a bill that may be a part.
//!
//! What a day stands at depends on that day and on when this is asked, not on the time that a figure is of: lately, everything since
//! a fixed day is looked at; earlier, the month of the day and the two after it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::billed::{month, month_of};
use super::standing::{Day, ENDED_DAYS, Sides, Standing};
use super::told::{Named, Told};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Hour;

/// Days that are compared at least: two billing periods.
const COMPARED_DAYS: i64 = 62;

/// Months that a window of the past has: what comes after the first tells whether its last days are whole. Whole ones, since the row of
/// a month would be compared with as much of it as the window has.
const WINDOW_MONTHS: usize = 3;

/// Days of bills and of metered use, being collected.
pub(in crate::engine) struct Collected {
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

    /// A row of a bill about use.
    pub fn billed(&mut self, provider: Label, account: Label, hour: Hour, cost: Decimal) -> Result<(), MoneyError> {
        let sides = self.days.entry((provider, account, hour.day())).or_default();
        if cost < Decimal::ZERO {
            sides.refunded = add_exact(sides.refunded, cost)?;
            return Ok(());
        }
        sides.billed = Some(add_exact(sides.billed.unwrap_or_default(), cost)?);
        Ok(())
    }

    /// Metered use.
    pub fn metered(&mut self, provider: Label, account: Label, hour: Hour, cost: Decimal) -> Result<(), MoneyError> {
        let sides = self.days.entry((provider, account, hour.day())).or_default();
        sides.metered = add_exact(sides.metered, cost)?;
        Ok(())
    }

    /// Compares the sides. Where factors are used, a whole day without a row is billed at nothing.
    pub fn stand(self, factors: bool) -> Result<Standings, MoneyError> {
        let recent = compared_from(self.now);
        let days = &self.days;
        let months: BTreeSet<Hour> = days
            .keys()
            .map(|(_, _, day)| month(*day))
            .filter(|month| *month < recent)
            .collect();
        let mut windows = BTreeMap::new();
        for start in months.into_iter().chain([recent]) {
            let end = if start == recent {
                Hour(i64::MAX)
            } else {
                (0..WINDOW_MONTHS).fold(start, |month, _| Hour::of(month_of(month).end))
            };
            let within = days.iter().filter(|((_, _, day), _)| start <= *day && *day < end);
            windows.insert(start, Window::of(within, end, self.now, factors)?);
        }
        Ok(Standings { windows })
    }
}

/// What is told within one window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    told: BTreeMap<Label, Told>,
    standings: BTreeMap<(Label, Label), Standing>,
}

impl Window {
    fn of<'a>(
        days: impl Iterator<Item = (&'a (Label, Label, Hour), &'a Sides)> + Clone,
        end: Hour,
        now: DateTime<Utc>,
        factors: bool,
    ) -> Result<Window, MoneyError> {
        let mut accounts: BTreeMap<Label, BTreeMap<Label, Named>> = BTreeMap::new();
        for ((provider, account, day), sides) in days.clone() {
            let named = accounts.entry(*provider).or_default().entry(*account).or_default();
            named.billed = named.billed.max(sides.billed.map(|_| *day));
            named.metered = named.metered.max((!sides.metered.is_zero()).then_some(*day));
        }
        let mut told: BTreeMap<Label, Told> = BTreeMap::new();
        for (provider, accounts) in &accounts {
            if accounts.values().any(|named| named.billed.is_some()) {
                told.insert(*provider, Told::of(accounts));
            }
        }
        let mut grouped: BTreeMap<(Label, Label), Vec<Day>> = BTreeMap::new();
        for ((provider, account, day), sides) in days {
            let group = told.get(provider).and_then(|told| told.group(*account));
            if let Some(group) = group {
                let days = grouped.entry((*provider, group)).or_default();
                days.push((*account, *day, *sides));
            }
        }
        let mut standings = BTreeMap::new();
        let mut stopped = Vec::new();
        for (provider, account) in told
            .iter()
            .flat_map(|(p, told)| told.stopped().map(|account| (*p, account)))
        {
            let days = grouped.remove(&(provider, account)).unwrap_or_default();
            if let Some(standing) = Standing::of(&days, end, now, factors)? {
                // As far as it is billed, calls without an account may be its own.
                let billed = days.into_iter().filter(|(_, day, _)| standing.reaches(*day));
                grouped.entry((provider, Label::EMPTY)).or_default().extend(billed);
                stopped.push((provider, account, standing));
            }
        }
        for (group, days) in grouped {
            if let Some(standing) = Standing::of(&days, end, now, factors)? {
                standings.insert(group, standing);
            }
        }
        for (provider, account, standing) in stopped {
            let all = standings.get(&(provider, Label::EMPTY)).map(Standing::factor);
            standings.insert((provider, account), standing.scaled_as(all));
        }
        Ok(Window { told, standings })
    }

    fn standing(&self, provider: Label, account: Label) -> Option<&Standing> {
        let group = self.told.get(&provider)?.group(account)?;
        self.standings.get(&(provider, group))
    }

    fn of_provider(&self, provider: Label) -> impl Iterator<Item = (Label, &Standing)> {
        let of = self
            .standings
            .range((provider, Label::EMPTY)..)
            .take_while(move |((other, _), _)| *other == provider);
        of.map(|((_, account), standing)| (*account, standing))
    }
}

/// How bill and meter stand, by provider and account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// By the month that each is for; the last one is for all since then.
    windows: BTreeMap<Hour, Window>,
}

impl Standings {
    /// How the bill of an account stands at an hour; nothing where it is not billed.
    #[must_use]
    pub fn at(&self, provider: Label, account: Label, hour: Hour) -> Option<&Standing> {
        self.window(hour)?.standing(provider, account)
    }

    /// The account that use is compared with the bill of, as of the time around an hour: none where its provider's accounts are not told apart,
    /// or rows of the bill may be of any. Of one whose bill has stopped, what is as far as that goes may also be of calls that name none.
    #[must_use]
    pub fn whose(&self, provider: Label, account: Label, around: Hour, hour: Hour) -> Label {
        let Some(window) = self.window(around) else {
            return Label::EMPTY;
        };
        let told = window.told.get(&provider).filter(|told| !told.has_unnamed_rows());
        let Some(told) = told else { return Label::EMPTY };
        let has_stopped = told.stopped().any(|stopped| stopped == account);
        let standing = window.standing(provider, account).filter(|_| has_stopped);
        match standing.is_some_and(|standing| standing.reaches(hour)) {
            true => Label::EMPTY,
            false => told.group(account).unwrap_or(account),
        }
    }

    /// Whether further rows may come of a day, and more of it is metered than billed.
    #[must_use]
    pub fn is_part(&self, (provider, account): (Label, Label), day: Hour, now: DateTime<Utc>) -> bool {
        let is_awaited = now - day.start() < TimeDelta::days(ENDED_DAYS + 1);
        let standing = self.at(provider, account, day).filter(|_| is_awaited);
        match account.is_empty() {
            // All together: a day that one of its accounts is billed for whole is no part for the rows that name none.
            true => standing.is_some() && !self.is_billed(provider, day),
            false => standing.is_some_and(|standing| !standing.is_billed(day)),
        }
    }

    /// Whether an account of a provider is billed at an hour that is.
    #[must_use]
    pub fn is_billed(&self, provider: Label, hour: Hour) -> bool {
        let window = self.window(hour);
        window.is_some_and(|window| {
            window
                .of_provider(provider)
                .any(|(_, standing)| standing.is_billed(hour))
        })
    }

    /// Whether the bill of an account, or of any where none is named, has a flat cost of an hour that comes to so much in its month.
    #[must_use]
    pub fn has_flat(&self, (provider, account): (Label, Label), hour: Hour, in_month: Decimal) -> bool {
        let has = |standing: &Standing| standing.has_flat(hour, in_month);
        match account.is_empty() {
            true => self
                .window(hour)
                .is_some_and(|window| window.of_provider(provider).any(|(_, of)| has(of))),
            false => self.at(provider, account, hour).is_some_and(has),
        }
    }

    /// Whether two accounts are told apart around an hour.
    #[must_use]
    pub fn are_apart(&self, provider: Label, one: Label, other: Label, hour: Hour) -> bool {
        let told = self.window(hour).and_then(|window| window.told.get(&provider));
        told.is_some_and(|told| told.are_apart(one, other))
    }

    /// The last of an account that is known.
    #[must_use]
    pub fn last(&self, provider: Label, account: Label) -> Option<&Standing> {
        self.newest(provider)?.standing(provider, account)
    }

    /// The last of a provider that are known, with their accounts; no account is all that are billed.
    pub fn of_provider(&self, provider: Label) -> impl Iterator<Item = (Label, &Standing)> {
        self.newest(provider)
            .into_iter()
            .flat_map(move |window| window.of_provider(provider))
    }

    /// Accounts of a provider that no bill names, though it names others.
    pub fn unbilled(&self, provider: Label) -> impl Iterator<Item = Label> + '_ {
        let told = self.newest(provider).and_then(|window| window.told.get(&provider));
        told.into_iter().flat_map(Told::unbilled)
    }

    /// Providers with a bill.
    pub fn providers(&self) -> impl Iterator<Item = Label> + '_ {
        self.windows.values().flat_map(|window| window.told.keys().copied())
    }

    fn window(&self, hour: Hour) -> Option<&Window> {
        let (recent, last) = self.windows.last_key_value()?;
        if *recent <= hour {
            Some(last)
        } else {
            self.windows.get(&month(hour))
        }
    }

    fn newest(&self, provider: Label) -> Option<&Window> {
        let mut windows = self.windows.values().rev();
        windows.find(|window| window.told.contains_key(&provider))
    }
}
/// From when on bill and meter are compared as of now: the first of a month, so that the row of a whole month is not cut off.
pub(in crate::engine) fn compared_from(now: DateTime<Utc>) -> Hour {
    month(Hour::of(now - TimeDelta::days(COMPARED_DAYS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(n: u8) -> Label {
        ["", "a", "b", "c"].map(Label::new)[usize::from(n)]
    }

    proptest! {
        /// Days of bills and of metered use, by days before now, account and cost: whatever they are, they stand somehow, and what a day
        /// stands at does not depend on how far back was read.
        #[test]
        fn a_day_stands_at_the_same_however_far_back_was_read(
            billed in prop::collection::vec((0..400_i64, 0..4_u8, -2..5_i64), 0..20),
            metered in prop::collection::vec((0..400_i64, 0..4_u8, 0..5_i64), 0..20),
            from in 0..400_i64,
            factors in any::<bool>(),
        ) {
            let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
            let day = |ago: i64| Hour(Hour::of(now).day().0 - 24 * ago);
            let provider = Label::new("p");
            let stand = |since: Hour| {
                let mut collected = Collected::new(now);
                for (ago, account_no, cost) in billed.iter().filter(|(ago, ..)| day(*ago) >= since) {
                    collected.billed(provider, account(*account_no), day(*ago), Decimal::from(*cost)).unwrap();
                }
                for (ago, account_no, cost) in metered.iter().filter(|(ago, ..)| day(*ago) >= since) {
                    collected.metered(provider, account(*account_no), day(*ago), Decimal::from(*cost)).unwrap();
                }
                collected.stand(factors).unwrap()
            };
            let since = compared_from(now).min(month(day(from)));
            let (all, some) = (stand(Hour(0)), stand(since));
            for hour in (0..=400).map(day).filter(|hour| *hour >= since) {
                for account in (0..4).map(account) {
                    prop_assert_eq!(all.at(provider, account, hour), some.at(provider, account, hour));
                }
            }
        }
    }
}
