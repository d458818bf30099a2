//! Requests that AWS charges for: counted before they are made, never more than allowed in a run or a month.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::dynamodb::Table;
use super::failure::{Failure, Kind};

/// What one request to Cost Explorer costs, in USD. Every page is a request.
pub const PRICE: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// Counts requests of a month for all processes that share the store.
pub trait MonthMeter: Send {
    /// Takes one of the month's requests, if fewer than `cap` are taken. It stays taken whatever happens then: a process that
    /// dies after the request must not give it back.
    fn take(&mut self, month: &str, cap: u32) -> Result<bool, Failure>;
}

/// What may be asked in this run.
pub struct PaidBudget {
    meter: Box<dyn MonthMeter>,
    run_cap: u32,
    month_cap: u32,
    taken: u32,
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
        }
    }

    /// Takes one request. An error when none is left: nothing may be asked then.
    pub fn take(&mut self, now: DateTime<Utc>) -> Result<(), Failure> {
        if self.taken >= self.run_cap {
            return Err(Failure::new(
                Kind::Refused,
                format!(
                    "the {} paid requests of a run are used up (`aws.paid_requests_per_run`)",
                    self.run_cap
                ),
            ));
        }
        let month = now.format("%Y-%m").to_string();
        if !self.meter.take(&month, self.month_cap)? {
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
            granted += (0..10).filter(|_| run.take(now).is_ok()).count();
            assert!(run.taken() <= 3);
        }
        assert_eq!(granted, 5);
        assert!(budget().take(next).is_ok(), "a new month");
        assert!(
            PaidBudget::new(Box::new(MemoryMeter::default()), 3, 0)
                .take(now)
                .is_err()
        );
        assert_eq!(PRICE.to_string(), "0.01");
    }
}
