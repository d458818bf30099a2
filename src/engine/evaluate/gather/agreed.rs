//! What is agreed at a flat cost: the settings say to the hour what it comes to, so that nothing of it is expected by what was usual.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::parts::add;
use super::{Gathering, HISTORY_DAYS, day_in};
use crate::domain::money::MoneyError;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::SpendKey;
use crate::ports::{Ledger, StoreError};

/// Costs by day.
pub(super) type Daily = BTreeMap<NaiveDate, Decimal>;

/// Days ahead that a forecast looks at, with one for zones.
const AHEAD_DAYS: i64 = 401;
/// Days read at a time.
const TOGETHER_DAYS: i64 = 28;

/// The hours of one flat cost.
#[derive(Debug)]
pub(in super::super) struct Flat {
    key: SpendKey,
    hours: Vec<(Hour, Decimal)>,
}

/// Reads the flat costs of the days that forecasts look at, some weeks at a time: what is known of an hour is much more than its cost.
pub(in super::super) fn flat(ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Vec<Flat>, StoreError> {
    let end = now + TimeDelta::days(AHEAD_DAYS);
    let mut found: Vec<Flat> = Vec::new();
    let mut from = now - TimeDelta::days(HISTORY_DAYS);
    while from < end {
        let to = end.min(from + TimeDelta::days(TOGETHER_DAYS));
        for (key, sums) in ledger.agreed(Period::new(from, to))? {
            let same = |flat: &Flat| flat.key.dimensions == key.dimensions && flat.key.currency == key.currency;
            let hour = (key.hour, sums.cost);
            match found.iter_mut().find(|flat| same(flat)) {
                Some(flat) => flat.hours.push(hour),
                None => found.push(Flat { key, hours: vec![hour] }),
            }
        }
        from = to;
    }
    Ok(found)
}

impl Gathering<'_> {
    /// What counts of flat costs by day: what has come, also before the period, and what is to come within it.
    pub(super) fn agreed(&self, all: &[Flat]) -> Result<[Daily; 2], MoneyError> {
        let [mut come, mut to_come] = [Daily::new(), Daily::new()];
        for flat in all.iter().filter(|flat| self.budget.counts(&flat.key)) {
            for (hour, cost) in &flat.hours {
                // An hour that has begun is paid for.
                let daily = match hour.start() < self.now {
                    true => &mut come,
                    false if self.period.contains(hour.start()) => &mut to_come,
                    false => continue,
                };
                add(daily, day_in(*hour, self.budget), *cost)?;
            }
        }
        Ok([come, to_come])
    }
}
