//! Where the period of a budget will end, from what is known whole: neither a bill nor a source of usage that is late counts as nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::agreed::Daily;
use super::parts::{Part, add};
use super::{Billed, Gathering, Kind, Sources};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::forecast::{Forecast, forecast};
use crate::domain::label::Label;
use crate::domain::money::{Money, MoneyError, add_exact};
use crate::domain::period::{Hour, midnight};
use crate::domain::spend::Basis;
use crate::domain::stats::RunRate;
use crate::engine::view::fill::Fill;

/// Days behind the others after which a provider's bill, or what a source tells, has ended, and is not just late.
const ENDED_DAYS: u32 = 7;

/// Days with spend after which it is known how long a source of usage pauses.
const KNOWN_DAYS: u32 = 5;

/// The same of one that is known to fail.
const FAILING_DAYS: u32 = 2;

impl Gathering<'_> {
    /// Where the period will end, and what has to be said of it; `fill` where bills are filled.
    pub(super) fn forecast(
        &self,
        fill: Option<&Fill>,
        sources: &Sources,
    ) -> Result<(Option<Forecast>, Vec<String>), MoneyError> {
        if !self.period.contains(self.now) {
            return Ok((None, Vec::new()));
        }
        let (found, mut notes) = if self.billed.is_empty() || self.filled {
            self.of_usage(fill, sources)?
        } else {
            let (found, said) = self.of_bills()?;
            (found, said.into_iter().collect())
        };
        // What is awaited is not spent yet.
        let found = found.map(|found| Forecast {
            spent: self.spent,
            ..found
        });
        notes.extend(found.as_ref().and_then(|found| self.unusual(found)));
        Ok((found, notes))
    }

    /// Whether all is of the first days of months: rows of whole months, as far as can be told.
    pub(super) fn is_by_months(&self) -> bool {
        self.daily.iter().all(|(day, cost)| day.day() == 1 || cost.is_zero())
    }

    fn of_bills(&self) -> Result<(Option<Forecast>, Option<String>), MoneyError> {
        let known_to = self.known_to();
        let is_late = known_to < self.today;
        if is_late && self.is_by_months() {
            let note = "the bill has rows of whole months, of which no forecast can be made".to_owned();
            return Ok((None, Some(note)));
        }
        let goes_on = self.going_on_from(known_to)?;
        // What has come in since may come to more.
        let (zone, amount) = (self.budget.zone, self.budget.amount.amount());
        let none = Daily::new();
        let days = self.days_before(known_to, &none)?;
        let as_it_is = forecast(self.period, zone, &days, self.spent, amount, self.now, &none);
        let found = match (goes_on, as_it_is) {
            (Some(goes_on), Some(as_it_is)) if as_it_is.end > goes_on.end => Some(as_it_is),
            (goes_on, _) => goes_on,
        };
        let note = known_to
            .pred_opt()
            .filter(|_| is_late && found.is_some())
            .map(|day| format!("all is billed to {day}; the forecast goes on from there"));
        Ok((found, note))
    }

    /// A source that is late goes on as before, from its last day on, and so does a bill that no metered use fills; the others are as they
    /// are.
    fn of_usage(&self, fill: Option<&Fill>, sources: &Sources) -> Result<(Option<Forecast>, Vec<String>), MoneyError> {
        let (zone, amount) = (self.budget.zone, self.budget.amount.amount());
        let [come, to_come] = self.agreed(&sources.flat)?;
        let (mut days, mut spent) = (self.days_before(self.today, &come)?, self.spent);
        let mut late: Vec<(NaiveDate, Label)> = Vec::new();
        let mut all = Vec::new();
        for (source, newest) in self.late_sources(sources) {
            let parts = if fill.is_some() { &self.measured } else { &self.parts };
            let mut awaited = Vec::new();
            for part in parts.iter().filter(|part| part.source == source) {
                let of = self.awaited(&part.daily, newest)?.into_iter();
                awaited.extend(of.filter_map(|(day, cost)| Some((day, self.behind(fill, part, day, cost)?))));
            }
            if !awaited.is_empty() {
                late.push((newest, source));
            }
            all.extend(awaited);
        }
        let mut billed_to = self.today;
        for (part, known_to) in self.parts.iter().filter_map(|p| Some((p, self.billed_alone_to(p)?))) {
            let awaited = self.awaited(&part.daily, known_to)?;
            if awaited.iter().any(|(_, cost)| !cost.is_zero()) {
                billed_to = billed_to.min(known_to);
            }
            all.extend(awaited);
        }
        let mut expected: BTreeMap<NaiveDate, Decimal> = BTreeMap::new();
        for (at, cost) in all {
            if let Some((_, known)) = days.iter_mut().find(|(day, _)| *day == at) {
                *known = add_exact(*known, cost)?;
            }
            if midnight(at, zone) >= self.period.start {
                spent = add_exact(spent, cost)?;
                add(&mut expected, at, cost)?;
            }
        }
        late.sort_unstable();
        let told = late
            .iter()
            .map(|(day, source)| format!("`{source}` has come in to {day}"));
        let told: Vec<String> = told.collect();
        let late = (!told.is_empty()).then(|| {
            let told = told.join(", of ");
            format!("usage of the source {told}; the forecast goes on from there")
        });
        let billed = billed_to.pred_opt().filter(|_| billed_to < self.today);
        let billed =
            billed.map(|day| format!("what no calls fill is billed to {day}; the forecast goes on from there"));
        let notes = late.into_iter().chain(billed).collect();
        let mut found = forecast(self.period, zone, &days, spent, amount, self.now, &to_come);
        if let Some(found) = found.as_mut().filter(|_| self.spent < amount && spent >= amount) {
            // By what has not come in yet it has run out.
            let mut sum = self.spent;
            for (day, cost) in expected {
                sum = add_exact(sum, cost)?;
                if sum >= amount && found.runs_out.is_none() {
                    found.runs_out = Some(day);
                }
            }
        }
        Ok((found, notes))
    }

    /// What a source that has told nothing since a day is expected to tell yet of that day and the ones up to now, by its days before.
    fn awaited(
        &self,
        daily: &BTreeMap<NaiveDate, Decimal>,
        newest: NaiveDate,
    ) -> Result<Vec<(NaiveDate, Decimal)>, MoneyError> {
        let Some(first) = self.oldest(daily) else {
            return Ok(Vec::new());
        };
        let of = |day: NaiveDate| daily.get(&day).copied().unwrap_or_default();
        let weekday = |day: NaiveDate| day.weekday().num_days_from_monday() as usize;
        let known = first.iter_days().take_while(|day| *day < newest);
        let known: Vec<(usize, Decimal)> = known.map(|day| (weekday(day), of(day).max(Decimal::ZERO))).collect();
        let Some(rate) = RunRate::of(&known) else {
            return Ok(Vec::new());
        };
        let mut awaited = Vec::new();
        for day in newest.iter_days().take_while(|day| *day <= self.today) {
            let missing = add_exact(rate.day(weekday(day)), -of(day))?;
            let (start, end) = (
                midnight(day, self.budget.zone),
                midnight(day + Days::new(1), self.budget.zone),
            );
            let passed = Decimal::from((self.now.min(end) - start).num_seconds());
            let share = passed.checked_div(Decimal::from((end - start).num_seconds()));
            let missing = missing.max(Decimal::ZERO) * share.unwrap_or_default();
            awaited.push((day, missing.round_dp(6)));
        }
        Ok(awaited)
    }

    /// What counts of metered use that is awaited of a day: where bills are filled nothing of one that is billed.
    fn behind(&self, fill: Option<&Fill>, part: &Part, day: NaiveDate, cost: Decimal) -> Option<Decimal> {
        let Some(fill) = fill else { return Some(cost) };
        let [provider, account] = part.whose;
        let (is_billed, factor) = fill.billed(provider, account, Hour::of(midnight(day, self.budget.zone)));
        if is_billed && !part.untold {
            return None;
        }
        Some(cost.checked_mul(factor).unwrap_or(cost).round_dp(6))
    }

    /// The first day that is not known whole of what the bill of a provider tells alone; nothing where metered use fills it.
    pub(super) fn billed_alone_to(&self, part: &Part) -> Option<NaiveDate> {
        let [provider, biller] = part.whose;
        if !part.is_bill() || self.measured.iter().any(|Part { whose: [of, _], .. }| *of == provider) {
            return None;
        }
        let known_to = self.billed.get(&biller)?.next();
        let newest = self.billed.values().map(Billed::next).max()?;
        // One that ends a week before others has stopped.
        (known_to + Days::new(u64::from(ENDED_DAYS)) >= newest).then(|| known_to.min(self.today))
    }

    /// The projection of the days before `day`: what is not told of it and later ones is unknown and not nothing.
    fn going_on_from(&self, day: NaiveDate) -> Result<Option<Forecast>, MoneyError> {
        let (zone, amount) = (self.budget.zone, self.budget.amount.amount());
        let none = Daily::new();
        let days = self.days_before(day, &none)?;
        let start = midnight(day, zone).max(self.period.start);
        let (mut known, mut passed) = (Decimal::ZERO, None);
        for (at, cost) in self.in_period().take_while(|(at, _)| *at < day) {
            known = add_exact(known, cost)?;
            passed = passed.filter(|_| known >= amount).or((known >= amount).then_some(at));
        }
        let found = forecast(self.period, zone, &days, known, amount, start, &none);
        Ok(found.map(|found| Forecast {
            // What has come in since may have taken it back.
            runs_out: found.runs_out.or(passed.filter(|_| self.spent < amount)),
            end: found.end.max(self.spent),
            low: found.low.max(self.spent),
            high: found.high.max(self.spent),
            ..found
        }))
    }

    /// The first day that is not known whole: today, or where a bill ends.
    pub(super) fn known_to(&self) -> NaiveDate {
        // Where metered use goes on behind the bill, nothing is awaited.
        let awaited = |(provider, billed): &(&Label, &Billed)| {
            self.derived.get(*provider).is_none_or(|last| *last <= billed.last)
        };
        let awaited: Vec<&Billed> = self.billed.iter().filter(awaited).map(|(_, billed)| billed).collect();
        let newest = awaited.iter().map(|billed| billed.next()).max().unwrap_or(self.today);
        let late = awaited
            .into_iter()
            .map(Billed::next)
            .filter(|day| *day + Days::new(u64::from(ENDED_DAYS)) >= newest);
        late.min().unwrap_or(self.today).min(self.today)
    }

    /// The first day of which the bill of a provider tells nothing yet, where more is awaited of it: bills of others may go further.
    pub(super) fn billed_to(&self, provider: Label) -> Option<NaiveDate> {
        let billed = self.billed.get(&provider)?;
        let is_awaited = self.derived.get(&provider).is_none_or(|last| *last <= billed.last);
        let newest = self.billed.values().map(Billed::next).max()?;
        // Of one that has stopped nothing more comes in, as far as others tell.
        let is_late = billed.next() + Days::new(u64::from(ENDED_DAYS)) >= newest;
        let is_of_today = billed.last.start().date_naive() >= self.today;
        (is_awaited && !is_of_today).then(|| if is_late { billed.next() } else { newest })
    }

    /// The day of the period before from which on what stands against it in this one is not billed yet, where it is up to a day.
    pub(super) fn unknown_from(&self, known_to: NaiveDate) -> Option<NaiveDate> {
        if self.billed.is_empty() || !self.period.contains(self.now) || known_to > self.today {
            return None;
        }
        let day = |at: DateTime<Utc>| at.with_timezone(&self.budget.zone).date_naive();
        Some(day(self.before.start) + (known_to - day(self.period.start)))
    }

    /// The sources of usage that are behind, and the last day of which each has told something, maybe not all. One that fails may tell a part.
    fn late_sources(&self, sources: &Sources) -> Vec<(Label, NaiveDate)> {
        let filled = self.budget.basis == Basis::BilledFilled;
        if self.budget.basis != Basis::Metered && !filled {
            return Vec::new();
        }
        let day = |at: DateTime<Utc>| at.with_timezone(&self.budget.zone).date_naive();
        let late = self.days_by_source(filled).into_iter().filter_map(|(source, days)| {
            let newest = day(sources.newest.get(&source)?.start());
            let fails = sources.failing.get(source.as_str());
            // A file of its may be what cannot be read: what has come in since shows that this is read on.
            let silent = |since: &NaiveDate| {
                let age = u32::try_from((self.today - *since).num_days()).unwrap_or(0);
                let later = 1_u64.checked_shl(age).map_or(u64::MAX, |bit| bit - 1);
                days & later == 0
            };
            let since = fails.map(|since| day(*since)).filter(silent);
            // What was told of the day before may lie where nobody may look, too.
            let newest = since.map_or(newest, |since| newest.min(since - Days::new(1)));
            let age = u32::try_from((self.today - newest).num_days()).ok()?;
            let least = if fails.is_some() { FAILING_DAYS } else { KNOWN_DAYS };
            let is_late = is_regular(days, age, least) && (fails.is_some() || age <= ENDED_DAYS + 1);
            is_late.then_some((source, newest))
        });
        late.collect()
    }

    /// The days with spend by source, or those with metered use that fills bills: bit 0 is today.
    fn days_by_source(&self, fills: bool) -> Vec<(Label, u64)> {
        let mut all: Vec<(Label, u64)> = Vec::new();
        // What is agreed ends when it is said to.
        let told = |kind: &&Kind<'_>| kind.usage || self.budget.basis != Basis::Metered;
        let kinds = self.kinds.iter().filter(told);
        for kind in kinds.filter(|kind| !fills || kind.measured.is_some()) {
            let source = kind.dimensions.get(Dimension::Source);
            match all.iter_mut().find(|(known, _)| *known == source) {
                Some((_, days)) => *days |= kind.days,
                None => all.push((source, kind.days)),
            }
        }
        all
    }

    /// What has to be said of sources that cannot be read: those that this is spent through, and those that have told nothing of anything
    /// yet and may tell something of this.
    pub(super) fn failing(&self, sources: &Sources) -> Vec<String> {
        let used = self.days_by_source(false);
        let is_used = |name: &str| used.iter().any(|(source, _)| source.as_str() == name);
        let is_new = |name: &str| !sources.told.iter().any(|source| source.as_str() == name);
        let is_asked_for = |name: &str| {
            let of = self.budget.scope.0.get(&Dimension::Source);
            let source = Dimensions::default().with(Dimension::Source, name);
            of.is_none_or(|patterns| {
                patterns
                    .iter()
                    .any(|pattern| source.are_like(Dimension::Source, pattern))
            })
        };
        let failing = sources.failing.iter();
        failing
            .filter(|(name, _)| is_used(name) || (is_new(name) && is_asked_for(name)))
            .map(|(name, since)| {
                let since = since.format("%Y-%m-%d %H:%M UTC");
                format!("the source `{name}` could not be read since {since}: what it would tell is in no figure")
            })
            .collect()
    }

    /// What has to be said of the day, or the dearest of those, that is in what is spent and not expected again.
    fn unusual(&self, found: &Forecast) -> Option<String> {
        // Of a day that is in it in part nobody knows which part was far above the others.
        let is_whole = |day: &NaiveDate| !self.outside.contains_key(day);
        let days = self
            .in_period()
            .filter(|(day, _)| found.unusual.contains(day) && is_whole(day));
        let (day, cost) = days.max_by_key(|(_, cost)| *cost)?;
        let cost = Money::new(cost.round_dp(2), self.budget.amount.currency());
        Some(format!(
            "{cost} on {day} is far above other days and not expected again"
        ))
    }
}

impl Billed {
    /// The first day that is not known whole.
    fn next(&self) -> NaiveDate {
        let day = self.last.start().date_naive();
        let is_part = self.hourly && self.last.0.rem_euclid(24) != 23;
        if is_part { day } else { day + Days::new(1) }
    }
}

/// Whether a source whose newest spend is so many days old told something on most days before, `least` at least, and never paused so long.
fn is_regular(days: u64, age: u32, least: u32) -> bool {
    let known = days.checked_shr(age).unwrap_or(0);
    let length = u64::BITS - known.leading_zeros();
    let count = known.count_ones();
    let (mut longest, mut pause) = (0, 0);
    for bit in 0..length {
        pause = if known >> bit & 1 == 1 { 0 } else { pause + 1 };
        longest = longest.max(pause);
    }
    // Today is not over, and what is missing of yesterday may be a night.
    age >= 2 && count >= least && count * 2 > length && age - 1 > longest
}

#[cfg(test)]
mod tests {
    use super::is_regular;

    #[test]
    fn a_source_is_late_when_it_pauses_longer_than_ever() {
        let daily = |age: u32| (u64::MAX >> 40) << age;
        assert!(is_regular(daily(2), 2, 5) && is_regular(daily(9), 9, 5));
        assert!(!is_regular(daily(1), 1, 5), "yesterday is there");
        // Monday to Friday, seen on a Monday and on a Wednesday.
        let week = 0b1_1111_0011_1110_0111_1100_u64;
        assert!(!is_regular(week << 1, 3, 5), "a weekend");
        assert!(is_regular(week << 3, 5, 5), "Monday and Tuesday are missing too");
        assert!(!is_regular(0b10_0000_1000_0010_0000, 5, 2), "once a week");
    }
}
