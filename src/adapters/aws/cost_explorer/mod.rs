//! Cost Explorer as a source of bills: what the account will be charged, by day, with record types apart.
//!
//! Every request costs money: two questions cover everything open (usage in the chosen detail, all else by record type), and
//! nothing is asked again before it can have changed. A month is asked until it is closed; each answer replaces the month's bill
//! whole, and what changes on a day that AWS had called final becomes a restatement.

mod ask;
mod rows;

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

pub use ask::{client, retried};
pub use rows::Grouping;

use super::client::{Aws, LATE};
use super::failure::{Failure, Kind};
use super::identity;
use super::paid::SharedBudget;
use super::permissions::Permission;
use super::request::Deadline;
use super::rest;
use crate::adapters::clock::SystemClock;
use crate::adapters::files::bills::{CostBucket, of_bucket};
use crate::domain::billed::TAX;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Bill;
use crate::ports::{Checkpoint, Checkpoints, Clock as _, Progress, Rest, Sink, SourceError, UsageSource};

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

/// The first month that was asked for: until one is closed, all since then are open.
const FROM: &str = "from";

/// Months that can be asked for.
const MOST: u32 = 13;

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
    /// The role that is taken, and its external id.
    pub as_whom: [Option<String>; 2],
    /// The accounts that may be asked; empty: any.
    pub allowed_accounts: Vec<String>,
    /// Time within which nothing is asked again.
    pub refresh: TimeDelta,
    /// Time that a run has for all that it reads.
    pub patience: Duration,
    /// When the run has to go on; nothing where it takes the time that it needs.
    pub deadline: Option<Deadline>,
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

    fn failed(&self, failure: &Failure) -> SourceError {
        SourceError::Read {
            what: self.what(),
            cause: failure.to_string(),
            hint: format!("nothing of this answer was recorded; {}", hint(failure)),
        }
    }

    /// Whether the time of the run is used up.
    fn is_late(&self) -> bool {
        let deadline = self.options.deadline;
        deadline.is_some_and(|deadline| SystemClock.elapsed() >= deadline.reading)
    }

    fn what(&self) -> String {
        format!("Cost Explorer of {}", self.options.name)
    }
}

/// What to do about a failure of Cost Explorer, or of what is asked beside it.
#[must_use]
pub fn hint(failure: &Failure) -> &'static str {
    match failure.to_string().contains(LATE) {
        true => {
            "where answers take that long each time, raise `limits.time_budget_seconds`, in the function its timeout too"
        }
        false => failure.hint(),
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

/// When the source was asked last.
fn asked(known: &Checkpoints) -> Option<DateTime<Utc>> {
    text(known, "asked").and_then(|at| at.parse().ok())
}

/// The first day that has to be asked for, also of a time in which nobody asked.
fn start(options: &Options, known: &Checkpoints) -> NaiveDate {
    let this = first_of_month(options.now.date_naive());
    let month = |key| text(known, key).and_then(|month| format!("{month}-01").parse::<NaiveDate>().ok());
    if let Some(closed) = month(CLOSED) {
        return (closed + Months::new(1)).min(this);
    }
    let first = Months::new(options.months.clamp(1, MOST) - 1);
    // Earlier builds did not keep where they began.
    let from = month(FROM).or(asked(known).map(|at| first_of_month(at.date_naive()) - first));
    from.map_or(this - first, |from| from.min(this - first))
}

/// The same, and how many months before it are too long ago to be asked for.
fn within_reach(start: NaiveDate, now: DateTime<Utc>) -> (NaiveDate, u64) {
    let first = first_of_month(now.date_naive()) - Months::new(MOST - 1);
    let before = std::iter::successors(Some(start), |month| month.checked_add_months(Months::new(1)));
    let lost = before.take_while(|month| *month < first).count();
    (start.max(first), lost as u64)
}

impl UsageSource for CostExplorer {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let options = &self.options;
        let asked = asked(known);
        if asked.is_some_and(|at| options.now >= at && options.now - at < options.refresh) {
            return Ok(());
        }
        let settings = format!(
            "{:?} {:?} {} {} {} {:?} {:?}",
            options.services,
            options.group_by,
            options.hourly,
            options.net,
            options.months,
            self.paid.hold().caps(),
            options.as_whom,
        );
        let question = rest::Question::of(&settings, options.patience);
        if let Some(rests) = rest::rests(known, asked, options.refresh, options.now, &question, self.what()) {
            return Err(rests);
        }
        // What there is no time to wait for would be paid for in vain.
        if sink.enough() || self.is_late() {
            sink.left(Rest::default());
            return Ok(());
        }
        let settled: Option<NaiveDate> = text(known, "settled").and_then(|day| day.parse().ok());
        let today = options.now.date_naive();
        // The end of a period is exclusive here.
        let end = today + Days::new(1);
        let (start, lost) = within_reach(start(options, known), options.now);
        let calls = options.deadline.map(|deadline| deadline.calls);
        let account = identity::allowed_until(&self.aws, &options.allowed_accounts, calls);
        let account = account.map_err(|e| self.failed(&e))?;
        let account = Label::new(&account);
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
                    sink.checkpoint(rest::FAILED, rest::failed(options.now, &question, &failure.to_string()))?;
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
        if lost > 0 {
            sink.warn("months in which nobody asked are too long ago for Cost Explorer: what is recorded of them stays as it was", lost);
        }
        if !answer.taxes.is_empty() {
            let taxes: Vec<String> = answer
                .taxes
                .iter()
                .map(|(unit, tax)| format!("{} {unit}", tax.normalize()))
                .collect();
            let about = format!(
                "{} of taxes are not recorded: Cost Explorer tells those of the whole account, and of no service. `{TAX}` among `services` records them",
                taxes.join(" and "),
            );
            sink.warn(&about, answer.tax_rows);
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
        mark(FROM, start.format("%Y-%m").to_string())?;
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
        let options = |now: &str, months| Options {
            name: "aws".into(),
            services: Vec::new(),
            group_by: Vec::new(),
            hourly: false,
            net: false,
            months,
            allowed_accounts: Vec::new(),
            refresh: TimeDelta::hours(8),
            as_whom: [None, None],
            patience: Duration::from_secs(60),
            deadline: None,
            now: now.parse().unwrap(),
        };
        let closed = |month| vec![(CLOSED, month), ("asked", "2026-11-20T00:00:00Z"), (FROM, "2026-10")];
        let open = |from| vec![(FROM, from), ("asked", "2026-11-14T00:00:00Z")];
        let before = |asked| vec![("asked", asked)];
        for (now, months, known, expected) in [
            ("2026-11-10T00:00:00Z", 2, vec![], "2026-10-01"),
            ("2026-11-20T00:00:00Z", 2, closed("2026-10"), "2026-11-01"),
            // Open until the 15th, and longer where nobody asked then.
            ("2026-12-03T00:00:00Z", 2, closed("2026-10"), "2026-11-01"),
            ("2027-03-03T00:00:00Z", 2, closed("2026-10"), "2026-11-01"),
            ("2026-12-03T00:00:00Z", 1, open("2026-11"), "2026-11-01"),
            ("2027-01-03T00:00:00Z", 1, open("2026-11"), "2026-11-01"),
            ("2026-12-20T00:00:00Z", 4, open("2026-11"), "2026-09-01"),
            // An earlier build told when it asked, and no more.
            ("2026-12-03T00:00:00Z", 1, before("2026-11-14T00:00:00Z"), "2026-11-01"),
            ("2027-01-05T00:00:00Z", 2, before("2026-11-14T00:00:00Z"), "2026-10-01"),
            // A clock that went back.
            ("2026-11-20T00:00:00Z", 2, closed("2027-01"), "2026-11-01"),
        ] {
            let known = known.into_iter();
            let known: Checkpoints = known
                .map(|(key, value): (&str, &str)| (key.to_owned(), Checkpoint(value.into())))
                .collect();
            let found = start(&options(now, months), &known);
            assert_eq!(found.to_string(), expected, "{now} {months} {known:?}");
        }
    }

    #[test]
    fn months_that_are_out_of_reach_are_counted() {
        let reach = |start: &str| {
            let (start, lost) = within_reach(start.parse().unwrap(), "2026-11-20T00:00:00Z".parse().unwrap());
            (start.to_string(), lost)
        };
        assert_eq!(reach("2026-10-01"), ("2026-10-01".to_owned(), 0));
        assert_eq!(reach("2025-11-01"), ("2025-11-01".to_owned(), 0));
        assert_eq!(reach("2025-08-01"), ("2025-11-01".to_owned(), 3));
    }
}
