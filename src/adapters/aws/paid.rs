//! Requests that AWS charges for: counted before they are made, never more than allowed in a run or a month.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, TimeDelta, Utc};

use super::dynamodb::Table;
use super::failure::{Failure, Kind};
use crate::domain::period::Calendar;

/// Counts requests of a month for all processes that share the store.
pub trait MonthMeter: Send {
    /// Takes one of the month's requests, if fewer than `cap` are taken. It stays taken whatever happens then: a process that
    /// dies after the request must not give it back.
    fn take(&mut self, month: &str, cap: u32) -> Result<bool, Failure>;
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The bill, or what a person asks: budgets are measured against it.
    Bill,
    /// What AWS says beside it: only from what the bills of the rest of the month leave.
    Beside,
}

/// What may be asked in this run.
pub struct PaidBudget {
    meter: Box<dyn MonthMeter>,
    run_cap: u32,
    month_cap: u32,
    taken: u32,
    /// Requests for all bills, each time that they are asked, and how often that is.
    bills: (u32, TimeDelta),
}

impl PaidBudget {
    /// At most `run_cap` requests now, and `month_cap` in a calendar month (UTC).
    #[must_use]
    pub fn new(meter: Box<dyn MonthMeter>, run_cap: u32, month_cap: u32) -> Self {
        PaidBudget {
            meter,
            run_cap,
            month_cap,
            taken: 0,
            bills: (0, TimeDelta::zero()),
        }
    }

    /// Keeps what bills need: `requests` each time, asked again after `refresh`. Without a pause nobody knows how often that is, and a
    /// month keeps nothing.
    #[must_use]
    pub fn keeping(mut self, requests: u32, refresh: TimeDelta) -> Self {
        self.bills = (requests, refresh);
        self
    }

    /// What bills still need in the month of `now`.
    fn kept(&self, now: DateTime<Utc>) -> u32 {
        let (requests, refresh) = self.bills;
        let left = Calendar::Month.around(now, chrono_tz::Tz::UTC).end - now;
        let Some(times) = left.num_minutes().checked_div(refresh.num_minutes()) else {
            return 0;
        };
        u32::try_from(times + 1).unwrap_or(u32::MAX).saturating_mul(requests)
    }

    /// Takes one request. An error when none is left: nothing may be asked then.
    pub fn take(&mut self, purpose: Purpose, now: DateTime<Utc>) -> Result<(), Failure> {
        let (of_run, of_month) = match purpose {
            Purpose::Bill => (0, 0),
            Purpose::Beside => (self.bills.0, self.kept(now)),
        };
        if self.taken >= self.run_cap.saturating_sub(of_run) {
            if of_run > 0 && self.taken < self.run_cap {
                return Err(Failure::new(
                    Kind::Refused,
                    format!(
                        "the bill needs the rest of the {} paid requests of a run (`aws.paid_requests_per_run`)",
                        self.run_cap
                    ),
                ));
            }
            return Err(Failure::new(
                Kind::Refused,
                format!(
                    "the {} paid requests of a run are used up (`aws.paid_requests_per_run`)",
                    self.run_cap
                ),
            ));
        }
        let month = now.format("%Y-%m").to_string();
        if !self.meter.take(&month, self.month_cap.saturating_sub(of_month))? {
            if of_month > 0 {
                return Err(Failure::new(
                    Kind::Refused,
                    format!(
                        "the bill needs the rest of the {} paid requests of {month} (`aws.paid_requests_per_month`)",
                        self.month_cap
                    ),
                ));
            }
            return Err(Failure::new(
                Kind::Refused,
                format!(
                    "the {} paid requests of {month} are used up (`aws.paid_requests_per_month`)",
                    self.month_cap
                ),
            ));
        }
        self.taken += 1;
        Ok(())
    }

    /// Requests taken in this run.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Requests that a run and a month may take.
    #[must_use]
    pub fn caps(&self) -> (u32, u32) {
        (self.run_cap, self.month_cap)
    }
}

/// The budget of a run, shared by everything that asks.
#[derive(Clone)]
pub struct SharedBudget(Arc<Mutex<PaidBudget>>);

impl SharedBudget {
    /// Shares a budget.
    #[must_use]
    pub fn new(budget: PaidBudget) -> Self {
        SharedBudget(Arc::new(Mutex::new(budget)))
    }

    /// Takes hold of it. A holder that panicked left a count that is still true.
    pub fn hold(&self) -> MutexGuard<'_, PaidBudget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counter in the ledger's table, exact for any number of processes.
pub struct TableMeter(pub Table);

impl MonthMeter for TableMeter {
    fn take(&mut self, month: &str, cap: u32) -> Result<bool, Failure> {
        let values =
            [(":one", 1), (":cap", cap)].map(|(name, value)| (name.to_owned(), AttributeValue::N(value.to_string())));
        // Without the second condition a cap of 0 would let the first request through.
        let condition = if cap == 0 {
            "attribute_exists(nothing) AND taken < :cap"
        } else {
            "attribute_not_exists(taken) OR taken < :cap"
        };
        let key = ("paid".to_owned(), month.to_owned());
        self.0.update(key, "ADD taken :one", Some(condition), values.into())
    }
}

/// A counter in a file, under a lock of the operating system.
pub struct FileMeter(pub PathBuf);

impl MonthMeter for FileMeter {
    fn take(&mut self, month: &str, cap: u32) -> Result<bool, Failure> {
        let fail = |e: std::io::Error| {
            Failure::new(
                Kind::Refused,
                format!("cannot count paid requests in `{}`: {e}", self.0.display()),
            )
        };
        if let Some(folder) = self.0.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(&self.0)
            .map_err(fail)?;
        file.lock().map_err(fail)?;
        // One line a request: what is there is never rewritten, so that a crash cannot lose the count.
        let mut text = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut text))
            .map_err(fail)?;
        let taken = text.lines().filter(|line| line.starts_with(month)).count();
        if u32::try_from(taken).unwrap_or(u32::MAX) >= cap {
            return Ok(false);
        }
        writeln!(file, "{month}")
            .and_then(|()| file.sync_data())
            .map_err(fail)?;
        Ok(true)
    }
}

/// A counter that lives as long as the process.
#[derive(Default)]
pub struct MemoryMeter(std::collections::BTreeMap<String, u32>);

impl MonthMeter for MemoryMeter {
    fn take(&mut self, month: &str, cap: u32) -> Result<bool, Failure> {
        let taken = self.0.entry(month.to_owned()).or_default();
        let granted = *taken < cap;
        *taken += u32::from(granted);
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_run_nor_a_month_exceeds_its_cap() {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-11-30T23:59:00Z".parse().unwrap();
        let next = "2026-12-01T00:00:00Z".parse().unwrap();
        let budget = || PaidBudget::new(Box::new(FileMeter(folder.path().join("paid"))), 3, 5);
        let mut granted = 0;
        for _ in 0..4 {
            // Each run with a fresh handle: the file counts.
            let mut run = budget();
            granted += (0..10).filter(|_| run.take(Purpose::Bill, now).is_ok()).count();
            assert!(run.taken() <= 3);
        }
        assert_eq!(granted, 5);
        assert!(budget().take(Purpose::Bill, next).is_ok(), "a new month");
        assert!(
            PaidBudget::new(Box::new(MemoryMeter::default()), 3, 0)
                .take(Purpose::Bill, now)
                .is_err()
        );
    }
    /// A month of runs every eight hours, each of which asks for a bill (2) and two things beside it: how many of each were granted.
    fn month(cap: u32) -> (u32, u32) {
        let folder = tempfile::tempdir().unwrap();
        let (mut bills, mut beside) = (0, 0);
        for refresh in 0..93 {
            let now = "2026-12-01T00:30:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(8 * refresh);
            let meter = Box::new(FileMeter(folder.path().join("paid")));
            let mut run = PaidBudget::new(meter, 6, cap).keeping(2, TimeDelta::hours(8));
            for (purpose, granted) in [(Purpose::Beside, &mut beside), (Purpose::Bill, &mut bills)] {
                *granted += (0..2).filter(|_| run.take(purpose, now).is_ok()).count() as u32;
            }
        }
        (bills, beside)
    }

    #[test]
    fn bills_come_before_what_is_asked_beside_them() {
        assert_eq!(month(500), (186, 186), "the usual cap is enough for all");
        assert_eq!(
            month(300),
            (186, 114),
            "with less it is the bill that is asked to the end"
        );
    }
}
