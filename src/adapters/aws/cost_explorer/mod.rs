//! Cost Explorer as a source of bills: what the account will be charged, by day, with record types apart.
//!
//! Every request costs money: two questions cover everything open (usage in the chosen detail, all else by record type), and
//! nothing is asked again before it can have changed. A month is asked until it is closed; each answer replaces the month's bill
//! whole, and what changes on a day that AWS had called final becomes a restatement.

mod ask;
mod rows;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

pub use ask::{client, retried};
pub use rows::Grouping;

use super::client::Aws;
use super::failure::{Failure, Kind, NOT_ALLOWED};
use super::identity;
use super::paid::SharedBudget;
use super::permissions::Permission;
use super::rest;
use crate::adapters::files::bills::{CostBucket, of_bucket};
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Bill;
use crate::ports::{Checkpoint, Checkpoints, Progress, Sink, SourceError, UsageSource};

/// What the source calls.
pub const PERMISSION: Permission = Permission {
    sid: "CostExplorer",
    actions: &["ce:GetCostAndUsage"],
};

/// The day of a month from which the month before counts as final, unless AWS still says that it is estimated.
const CLOSED_FROM_DAY: u32 = 15;

/// The last month that is not asked any more. Earlier builds kept it under `closed`: what they recorded had other names, and is asked once
/// more.
const CLOSED: &str = "closed-2";

/// Days for which Cost Explorer knows hours.
const HOURLY_DAYS: u64 = 13;

/// How the source asks.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name, the `source` of its rows.
    pub name: Label,
    /// Services that are recorded, as patterns.
    pub services: Vec<String>,
    /// What usage is broken down by: at most two.
    pub group_by: Vec<Grouping>,
    /// Whether the last two weeks are asked by the hour. AWS charges for keeping hours.
    pub hourly: bool,
    /// Whether discounts and credits are spread over what they belong to (net costs).
    pub net: bool,
    /// Months that the first run asks for, this one included.
    pub months: u32,
    /// The accounts that may be asked; empty: any.
    pub allowed_accounts: Vec<String>,
    /// Time within which nothing is asked again.
    pub refresh: TimeDelta,
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
}

/// A source.
pub struct CostExplorer {
    aws: Aws,
    options: Options,
    paid: SharedBudget,
}

impl CostExplorer {
    /// Of one account.
    #[must_use]
    pub fn new(aws: Aws, options: Options, paid: SharedBudget) -> Self {
        CostExplorer { aws, options, paid }
    }

    /// Who is asked, if it may be.
    fn account(&self) -> Result<Label, Failure> {
        let account = identity::account(&self.aws)?;
        let allowed = &self.options.allowed_accounts;
        if allowed.is_empty() || allowed.contains(&account) {
            return Ok(Label::new(&account));
        }
        Err(Failure::new(
            Kind::Denied,
            format!("the account `{account}` {NOT_ALLOWED}"),
        ))
    }

    fn failed(&self, failure: &Failure) -> SourceError {
        SourceError::Read {
            what: self.what(),
            cause: failure.to_string(),
            hint: format!("nothing of this answer was recorded; {}", failure.hint()),
        }
    }

    fn what(&self) -> String {
        format!("Cost Explorer of {}", self.options.name)
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn text<'a>(known: &'a Checkpoints, key: &str) -> Option<&'a str> {
    known.get(key).and_then(|Checkpoint(at)| std::str::from_utf8(at).ok())
}

/// The first day that has to be asked for.
fn start(options: &Options, known: &Checkpoints) -> NaiveDate {
    let this = first_of_month(options.now.date_naive());
    match text(known, CLOSED).and_then(|month| format!("{month}-01").parse::<NaiveDate>().ok()) {
        Some(closed) => (closed + Months::new(1)).min(this),
        None => this - Months::new(options.months.clamp(1, 13) - 1),
    }
}

impl UsageSource for CostExplorer {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let options = &self.options;
        let asked: Option<DateTime<Utc>> = text(known, "asked").and_then(|at| at.parse().ok());
        if asked.is_some_and(|at| options.now >= at && options.now - at < options.refresh) {
            return Ok(());
        }
        let digest = rest::digest(&format!(
            "{:?} {:?} {} {} {} {:?}",
            options.services,
            options.group_by,
            options.hourly,
            options.net,
            options.months,
            self.paid.hold().caps(),
        ));
        if let Some(rests) = rest::rests(known, asked, options.refresh, options.now, &digest, self.what()) {
            return Err(rests);
        }
        let settled: Option<NaiveDate> = text(known, "settled").and_then(|day| day.parse().ok());
        let today = options.now.date_naive();
        // The end of a period is exclusive here.
        let end = today + Days::new(1);
        let start = start(options, known);
        let account = self.account().map_err(|e| self.failed(&e))?;
        let before = self.paid.hold().taken();
        let mut paid = self.paid.hold();
        let answer = ask::all(&self.aws, options, account, start, end, &mut paid);
        drop(paid);
        let made = self.paid.hold().taken() - before;
        sink.progress(Progress {
            paid_requests: u64::from(made),
            ..Progress::default()
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                if made > 0 && rest::is_due(&failure) {
                    sink.checkpoint(rest::FAILED, rest::failed(options.now, &digest, &failure.to_string()))?;
                }
                return Err(self.failed(&failure));
            }
        };
        sink.progress(Progress {
            lines: answer.rows.len() as u64,
            ..Progress::default()
        });
        if answer.estimated_days > 0 {
            sink.warn(
                "days of Cost Explorer are estimated and may still change",
                answer.estimated_days,
            );
        }
        if answer.unread > 0 {
            sink.warn(
                "amounts of usage of Cost Explorer cannot be read: what they cost counts, without tokens",
                answer.unread,
            );
        }
        let mut rows = answer.rows;
        let mut bills = Vec::new();
        let mut month = start;
        while month < end {
            let next = month + Months::new(1);
            let period = Period::new(midnight(month), midnight(next));
            let (of_month, rest) = rows.into_iter().partition(|row| period.contains(row.at));
            rows = rest;
            let bucket = CostBucket {
                account: "cost-explorer",
                period,
                rows: of_month,
                continues: false,
            };
            let bill = of_bucket(&bucket, options.name)
                .map_err(|fault| self.failed(&Failure::new(Kind::Refused, fault.reason)))?;
            bills.push(Bill {
                identity: format!("cost-explorer/{}/{}/{}", options.name, account, month.format("%Y-%m")),
                settled_before: Some(Hour::of(midnight(settled.unwrap_or(start)))),
                ..bill
            });
            month = next;
        }
        bills.into_iter().try_for_each(|bill| sink.bill(bill))?;
        let mut mark = |key: &str, value: String| sink.checkpoint(key, Checkpoint(value.into_bytes()));
        let final_until = answer.first_estimated.unwrap_or(today);
        let previous = first_of_month(today) - Months::new(1);
        if today.day() >= CLOSED_FROM_DAY && final_until >= first_of_month(today) {
            mark(CLOSED, previous.format("%Y-%m").to_string())?;
        }
        mark("settled", final_until.max(settled.unwrap_or(start)).to_string())?;
        mark("asked", options.now.to_rfc3339())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_asked_until_it_is_closed() {
        let options = |now: &str| Options {
            name: "aws".into(),
            services: Vec::new(),
            group_by: Vec::new(),
            hourly: false,
            net: false,
            months: 2,
            allowed_accounts: Vec::new(),
            refresh: TimeDelta::hours(8),
            now: now.parse().unwrap(),
        };
        let closed = |month: &str| Checkpoints::from([(CLOSED.to_owned(), Checkpoint(month.into()))]);
        let begins = |now: &str, known: &Checkpoints| start(&options(now), known).to_string();
        assert_eq!(begins("2026-11-10T00:00:00Z", &Checkpoints::new()), "2026-10-01");
        assert_eq!(begins("2026-11-20T00:00:00Z", &closed("2026-10")), "2026-11-01");
        assert_eq!(
            begins("2026-12-03T00:00:00Z", &closed("2026-10")),
            "2026-11-01",
            "open until the 15th"
        );
        assert_eq!(
            begins("2026-11-20T00:00:00Z", &closed("2027-01")),
            "2026-11-01",
            "a clock that went back"
        );
    }
}
