//! How the bill of one account stands against what was metered.
//!
//! A bill does not say whether a day or month of it is whole: it may have been delivered at noon, some services bill days after the
//! others, and a row of the first of a month may be all of that month or its first day. So a day counts as billed whole when it has
//! ended a day ago and a later one of the account is billed, or when it has ended a week ago, and in both cases the bill has at least
//! half of what is to be expected of what was metered. Days without a row belong to the row before them: a bill by weeks covers
//! them, and a late bill has too little for that. The last row of a bill by weeks covers its week where it has enough for that. Of
//! other days and months the greater of bill and metered spend counts: neither does a first row hide what is known to be spent, nor is
//! anything counted twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

use super::billed::{Weeks, month, month_of};
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Hour;

/// Decimals of a factor; what it comes to may be off by as much.
const FACTOR_DECIMALS: u32 = 4;

/// Hours after its end in which a day may still get rows of a bill.
const LATE_HOURS: i64 = 24;

/// Days and months that have ended, of which that many tell what a bill has of what is metered: one alone may be a part.
const MANY_RATIOS: usize = 5;

/// Days after which no further rows are awaited; behind the others of its provider, an account's bill has then ended.
pub(super) const ENDED_DAYS: i64 = 7;

/// Days of the shortest month.
const LEAST_MONTH_DAYS: i64 = 28;

/// What both sides say of one day.
#[derive(Clone, Copy, Default)]
pub(super) struct Sides {
    /// The rows of a bill that are not below zero.
    pub billed: Option<Decimal>,
    /// Those that are.
    pub refunded: Decimal,
    pub metered: Decimal,
}

/// A day of an account.
pub(super) type Day = (Label, Hour, Sides);

/// How a bill stands against metered spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Months whose row of the first day is of the whole month, as far as can be told.
    months: BTreeSet<Hour>,
    /// The days of those months that have rows, and what each month is billed and metered at.
    within: BTreeSet<Hour>,
    sums: BTreeMap<Hour, [Decimal; 2]>,
    /// The last day or month that is billed, by its first hour.
    last: Hour,
    /// The first day behind those that the last row is of.
    end: Hour,
    /// What each row reaches at most, where the bill has rows of weeks.
    weeks: Option<Weeks>,
    /// Days and months that have rows, and whether those rows count.
    units: BTreeMap<Hour, bool>,
    /// Days before the last one of which a bill has nothing but what it takes back, as where the ledger adds that to what was billed.
    refunded: BTreeSet<Hour>,
    /// Whether days without a row belong to the row before them.
    gaps: bool,
    /// Billed by metered, where both are whole; 1 where nothing was metered.
    factor: Decimal,
}

impl Standing {
    /// What these days tell, up to one; nothing where none is billed.
    pub(super) fn of(
        days: &[Day],
        until: Hour,
        now: DateTime<Utc>,
        factors: bool,
    ) -> Result<Option<Standing>, MoneyError> {
        let has_rows = |sides: &Sides| sides.billed.is_some();
        let billed: BTreeSet<Hour> = days
            .iter()
            .filter(|(_, _, s)| has_rows(s))
            .map(|(_, d, _)| *d)
            .collect();
        let months = months_of(days, &billed, now)?;
        let mut lasts: BTreeMap<Label, Hour> = BTreeMap::new();
        for (account, day, _) in days.iter().filter(|(_, _, sides)| has_rows(sides)) {
            let day = begun(&months, *day);
            let last = lasts.entry(*account).or_insert(day);
            *last = (*last).max(day);
        }
        let Some(last) = billed.last().map(|last| begun(&months, *last)) else {
            return Ok(None);
        };
        let mut end = Hour(last.0 + 24);
        let row = |day: Hour| {
            billed
                .range(..=day)
                .next_back()
                .copied()
                .filter(|_| factors && day <= last)
        };
        let unit = |day: Hour| unit(&months, day, row);
        let late = |day: &Hour| day.0 + 24 * ENDED_DAYS >= last.0;
        let earliest = lasts.values().copied().filter(late).min().unwrap_or(last);
        let used = days.iter().filter(|(_, _, sides)| !sides.metered.is_zero());
        let used: BTreeSet<Hour> = used.map(|(_, day, _)| *day).collect();
        let rows = billed.iter().filter(|day| !months.contains(&month(**day)));
        let rows: BTreeSet<Hour> = rows.copied().collect();
        let weeks = Weeks::of(&rows, &used).filter(|_| factors);
        // What a bill by weeks or months takes back is of its rows.
        let is_own = |day: &Hour| weeks.is_none() && !months.contains(&month(*day));
        let is_refunded = |day: &Hour| *day < last && !billed.contains(day) && is_own(day);
        let refunds = days.iter().filter(|(_, _, sides)| !sides.refunded.is_zero());
        let refunded: BTreeSet<Hour> = refunds.map(|(_, day, _)| *day).filter(is_refunded).collect();
        let mut sums: BTreeMap<Hour, Sides> = BTreeMap::new();
        for (_, day, sides) in days.iter().filter(|(_, day, _)| !refunded.contains(day)) {
            let sum = sums.entry(unit(*day)).or_default();
            sum.metered = add_exact(sum.metered, sides.metered)?;
            sum.refunded = add_exact(sum.refunded, sides.refunded)?;
            if let Some(billed) = sides.billed {
                sum.billed = Some(add_exact(sum.billed.unwrap_or_default(), billed)?);
            }
        }
        // A discount in a row of its own lowers what is billed; what is more than that was billed before, and says nothing of this.
        for sum in sums.values_mut() {
            let net = add_exact(sum.billed.unwrap_or_default(), sum.refunded)?;
            sum.billed = sum.billed.map(|billed| if net < Decimal::ZERO { billed } else { net });
        }
        let ended = |unit: Hour, end: Hour| match (months.contains(&unit), unit == last) {
            (true, _) => month_of(unit).end,
            (false, true) => end.start(),
            (false, false) => unit.start() + TimeDelta::hours(24),
        };
        let passed = |unit: Hour, end: Hour| now - ended(unit, end);
        sums.retain(|_, sum| has_rows(sum));
        // A contract may take off more than half.
        let mut ratios: Vec<Decimal> = sums
            .iter()
            .filter(|(unit, _)| passed(**unit, end) >= TimeDelta::days(ENDED_DAYS))
            .filter_map(|(_, sum)| sum.billed.unwrap_or_default().checked_div(sum.metered))
            .collect();
        ratios.sort();
        let middle = ratios.get(ratios.len() / 2).filter(|_| ratios.len() >= MANY_RATIOS);
        let expected = middle.copied().unwrap_or(Decimal::ONE);
        let expected = expected.clamp(Decimal::ZERO, Decimal::ONE);
        let has_half = |sum: &Sides| {
            let billed = sum.billed.unwrap_or_default();
            let least = sum.metered.checked_mul(expected).unwrap_or(sum.metered);
            billed.checked_add(billed).is_none_or(|twice| twice >= least)
        };
        if let Some(weeks) = weeks.filter(|_| !months.contains(&last)) {
            let reached = weeks.end(last);
            let behind = days.iter().filter(|(_, day, _)| end <= *day && *day < reached);
            let mut whole = sums.get(&last).copied().unwrap_or_default();
            for (_, _, sides) in behind {
                whole.metered = add_exact(whole.metered, sides.metered)?;
            }
            if has_half(&whole) {
                end = reached;
                sums.insert(last, whole);
            }
        }
        let is_whole = |unit: Hour, sum: &Sides| {
            let passed = passed(unit, end);
            let followed = unit < earliest && passed >= TimeDelta::hours(LATE_HOURS);
            has_half(sum) && (followed || passed >= TimeDelta::days(ENDED_DAYS))
        };
        let mut factor = Decimal::ONE;
        if factors {
            let (mut of_bill, mut of_meter) = (Decimal::ZERO, Decimal::ZERO);
            // Where nothing was metered, calls were not seen, or none were made: it says nothing of how those cost that were.
            // Nor does a row of days of which the last ones are not looked at.
            let is_cut = |unit: Hour| unit == last && until < end;
            let compared =
                |(unit, sum): &(&Hour, &Sides)| !sum.metered.is_zero() && is_whole(**unit, sum) && !is_cut(**unit);
            for (_, sum) in sums.iter().filter(compared) {
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
        let least = match factors {
            true => factor - Decimal::new(1, FACTOR_DECIMALS),
            false => factor,
        };
        let counts = |unit: Hour, sum: &Sides| {
            let metered = sum.metered.checked_mul(least).unwrap_or(sum.metered);
            is_whole(unit, sum) || sum.billed.is_some_and(|billed| billed >= metered)
        };
        let of_months = sums.iter().filter(|(unit, _)| months.contains(unit));
        let of_months = of_months.map(|(unit, sum)| (*unit, [sum.billed.unwrap_or_default(), sum.metered]));
        let of_months = of_months.collect();
        let units: BTreeMap<Hour, bool> = sums.iter().map(|(unit, sum)| (*unit, counts(*unit, sum))).collect();
        Ok(Some(Standing {
            within: billed
                .iter()
                .filter(|day| months.contains(&month(**day)))
                .copied()
                .collect(),
            sums: of_months,
            last,
            end,
            weeks,
            units,
            refunded,
            months,
            gaps: factors,
            factor,
        }))
    }

    /// Whether the bill says what that hour cost; otherwise metered spend does.
    #[must_use]
    pub fn is_billed(&self, hour: Hour) -> bool {
        if self.refunded.contains(&hour.day()) {
            let before = self.units.range(..hour.day()).next_back();
            return before.is_none_or(|(_, counts)| *counts);
        }
        let before = |day| self.units.range(..=day).next_back().map(|(day, _)| *day);
        let unit = unit(&self.months, hour, |day| {
            before(day).filter(|_| self.gaps && day < self.end)
        });
        self.units.get(&unit).copied().unwrap_or(false)
    }

    /// Whether the bill has a flat cost of an hour, which comes to so much in its month. A row of the first that may be of all of the month or
    /// of that day has half of that and of what was metered, or is taken for one of its day.
    #[must_use]
    pub fn has_flat(&self, hour: Hour, in_month: Decimal) -> bool {
        let has_half = |[billed, metered]: &[Decimal; 2]| {
            let expected = metered.checked_add(in_month);
            expected
                .zip(billed.checked_add(*billed))
                .is_none_or(|(least, twice)| least <= twice)
        };
        let of_month = self.sums.get(&month(hour));
        self.is_billed(hour) && (self.within.contains(&hour.day()) || of_month.is_none_or(has_half))
    }

    /// The first day behind those that the row of that hour is of, where it is of several.
    #[must_use]
    pub fn row_end(&self, hour: Hour) -> Option<Hour> {
        let day = hour.day();
        if self.months.contains(&day) {
            return Some(Hour::of(month_of(day).end));
        }
        let reached = self.weeks?.end(day);
        let next = self.units.range(Hour(day.0 + 1)..).next().map(|(next, _)| *next);
        Some(next.unwrap_or(self.end).min(reached)).filter(|end| end.0 > day.0 + 24)
    }

    /// The same with the factor of all accounts, where that is known: calls that name none may be of this one.
    pub(super) fn scaled_as(self, all: Option<Decimal>) -> Standing {
        let factor = all.unwrap_or(self.factor);
        Standing { factor, ..self }
    }

    /// Whether an hour is no later than what the last row is of.
    #[must_use]
    pub fn reaches(&self, hour: Hour) -> bool {
        hour < self.end || (month(hour) == self.last && self.months.contains(&self.last))
    }

    /// The least hours that each row is of, where it is of several days.
    #[must_use]
    pub fn row_hours(&self) -> Option<i64> {
        // The first row of a first of a month may be of that day.
        let monthly = self.months.len() > 1 && self.months.contains(&self.last);
        match monthly {
            true => Some(24 * LEAST_MONTH_DAYS),
            false => self.weeks.map(|weeks| weeks.hours),
        }
    }

    /// What metered spend is multiplied by where the bill does not say it.
    #[must_use]
    pub fn factor(&self) -> Decimal {
        self.factor
    }

    /// The last day or month that is billed, as people write it.
    #[must_use]
    pub fn through(&self) -> String {
        let is_part = self.units.get(&self.last).is_some_and(|counts| !*counts);
        match self.months.contains(&self.last) || is_part {
            true => self.name(self.last),
            false => self.name(Hour(self.end.0 - 24)),
        }
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

/// The months whose row of the first is of all of them: those before any day was told apart, and those later ones whose amounts say so,
/// such as months with a row of another day for what was forgotten. Of a month that goes on too little is known for that, but where
/// the one before is such a month.
fn months_of(days: &[Day], billed: &BTreeSet<Hour>, now: DateTime<Utc>) -> Result<BTreeSet<Hour>, MoneyError> {
    let apart = billed.iter().find(|day| month(**day) != **day).map(|day| month(*day));
    let Some(apart) = apart else {
        return Ok(billed.clone());
    };
    let mut amounts: BTreeMap<Hour, BTreeMap<Hour, (Decimal, Decimal)>> = BTreeMap::new();
    for (_, day, sides) in days {
        let (of_bill, of_meter) = amounts.entry(month(*day)).or_default().entry(*day).or_default();
        *of_bill = add_exact(*of_bill, sides.billed.unwrap_or_default())?;
        *of_meter = add_exact(*of_meter, sides.metered)?;
    }
    let mut months: BTreeSet<Hour> = BTreeSet::new();
    // What months and days before had of what was metered.
    let mut ratios: Vec<Decimal> = Vec::new();
    let mut before = None;
    for (first, days) in amounts {
        let (mut of_bill, mut of_meter) = (Decimal::ZERO, Decimal::ZERO);
        for (billed, metered) in days.values() {
            of_bill = add_exact(of_bill, *billed)?;
            of_meter = add_exact(of_meter, *metered)?;
        }
        ratios.sort();
        let expected = ratios.get(ratios.len() / 2).copied().unwrap_or(Decimal::ONE);
        let (row, of_day) = days.get(&first).copied().unwrap_or_default();
        let others = add_exact(of_bill, -row)?;
        // Half of it, as elsewhere; what is too large to be compared is no month.
        let of = |metered: Decimal| metered.checked_mul(expected);
        let twice = |amount: Decimal| amount.checked_add(amount);
        let is_more_than_its_day = || of(of_day).and_then(twice).is_some_and(|explained| explained < row);
        let has_half = || twice(row).zip(of(of_meter)).is_some_and(|(row, least)| least <= row);
        let is_most = || twice(others).is_some_and(|others| others < row);
        // A bill that has a row for most days of use, as far as it goes, is one by days, whatever else stands on the first.
        let has_few = || {
            let later = || days.range(Hour(first.0 + 24)..);
            let rows = later().filter(|(_, (billed, _))| !billed.is_zero());
            let last = rows.clone().next_back().map(|(day, _)| *day);
            let used =
                later().filter(|(day, (_, metered))| last.is_none_or(|last| **day <= last) && !metered.is_zero());
            let used = used.count();
            let rows = rows.count();
            rows == 0 || 2 * rows < used
        };
        let is_known = || month_of(first).end <= now || before.is_some_and(|month| months.contains(&month));
        let is_one = match first < apart {
            true => billed.contains(&first),
            false => is_known() && is_more_than_its_day() && has_half() && is_most() && has_few(),
        };
        match is_one {
            true => {
                months.insert(first);
                ratios.extend(of_bill.checked_div(of_meter));
            }
            false => {
                let told = days
                    .values()
                    .filter(|(billed, metered)| !billed.is_zero() && !metered.is_zero());
                ratios.extend(told.filter_map(|(billed, metered)| billed.checked_div(*metered)));
            }
        }
        before = Some(first);
    }
    Ok(months)
}

/// The first day of the month of a row that is of a month, and the day of another.
fn begun(months: &BTreeSet<Hour>, day: Hour) -> Hour {
    Some(month(day)).filter(|first| months.contains(first)).unwrap_or(day)
}

/// The day or month that an hour is billed with, given the last row up to a day where that row may be of several days.
fn unit(months: &BTreeSet<Hour>, hour: Hour, row: impl Fn(Hour) -> Option<Hour>) -> Hour {
    let (month_of_it, day) = (month(hour), hour.day());
    if months.contains(&month_of_it) {
        return month_of_it;
    }
    row(day).filter(|row| !months.contains(row)).unwrap_or(day)
}
