//! A bill in Athena: one statement sums up a report of any size where it lies, and its rows are recorded.
//!
//! Only the partitions of open months are read: those that were not invoiced when they were last read, and the month before, to which
//! refunds come late. Scanning is stopped beyond a bound, and an answer is recorded whole or not at all.

mod months;
pub mod sql;
mod statement;
mod tail;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::client::Aws;
use super::failure::{Failure, Kind, TOO_LONG};
use super::permissions::Permission;
use super::request::{Deadline, Service};
use super::{identity, rest};
use crate::adapters::files::CurRows;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, SpendRows};
use crate::ports::{Checkpoint, Checkpoints, Progress, Rest, Sink, SourceError, StoreError, UsageSource};
use months::Read;
use sql::{LAST_HOUR, OPEN, Table};

/// What the source calls.
pub const PERMISSION: Permission = Permission {
    sid: "Athena",
    actions: &[
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StopQueryExecution",
    ],
};

/// How a source asks.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name, the `source` of its rows.
    pub name: Label,
    /// What is read.
    pub table: Table,
    /// The workgroup whose settings apply.
    pub workgroup: String,
    /// Where Athena keeps its answers, `s3://…`; nothing where the workgroup says it.
    pub output: Option<String>,
    /// Bytes that one statement may scan.
    pub most_bytes: u64,
    /// Months that the first run reads, this one included.
    pub months: u32,
    /// Values for dimensions that rows leave empty.
    pub defaults: Vec<(Dimension, Label)>,
    /// Time within which nothing is asked again.
    pub refresh: TimeDelta,
    /// Time that a statement may take.
    pub patience: Duration,
    /// When the run has to go on; nothing where it takes the time that it needs.
    pub deadline: Option<Deadline>,
    /// The role that is taken, and its external id.
    pub as_whom: [Option<String>; 2],
    /// The accounts whose tables may be read; empty: any.
    pub allowed_accounts: Vec<String>,
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
}

/// A source.
pub struct Athena {
    aws: Aws,
    service: Service,
    options: Options,
}

impl Athena {
    /// A source.
    ///
    /// # Errors
    /// A name of the settings that is none.
    pub fn new(aws: &Aws, options: Options) -> Result<Self, String> {
        options.table.check()?;
        let calls = options.deadline.map(|deadline| deadline.calls);
        Ok(Athena {
            aws: aws.clone(),
            service: Service::new(aws, "athena", None).until(calls),
            options,
        })
    }

    fn what(&self) -> String {
        let table = &self.options.table;
        format!("the Athena table {}.{}", table.database, table.table)
    }

    /// Whether the table is in an account that may be read.
    fn allowed(&self) -> Result<(), Failure> {
        let allowed = &self.options.allowed_accounts;
        if allowed.is_empty() {
            return Ok(());
        }
        let calls = self.options.deadline.map(|deadline| deadline.calls);
        identity::allowed_until(&self.aws, allowed, calls).map(drop)
    }

    fn failed(&self, failure: &Failure) -> SourceError {
        SourceError::Read {
            what: self.what(),
            cause: failure.to_string(),
            hint: format!("nothing of this answer was recorded; {}", failure.hint()),
        }
    }

    /// The same of what rests now.
    fn paid_for(&self, failure: &Failure) -> SourceError {
        let lost = matches!(failure.kind, Kind::Unavailable | Kind::Unreachable);
        // It does not go on at the next run.
        let hint = match lost && !failure.to_string().contains(TOO_LONG) {
            true => String::new(),
            false => format!("{}; ", failure.hint()),
        };
        SourceError::Read {
            what: self.what(),
            cause: failure.to_string(),
            hint: format!("nothing of this answer was recorded; {hint}{RESTS}"),
        }
    }
}

/// When a statement that failed is sent again.
const RESTS: &str = "it may be paid for, and is asked again after half of `aws.refresh_hours`";

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

impl UsageSource for Athena {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let options = &self.options;
        let before = Read::of(known);
        if before
            .asked
            .is_some_and(|at| options.now >= at && options.now - at < options.refresh)
        {
            return Ok(());
        }
        let months = before.open(options.now.date_naive(), options.months);
        let named: Vec<String> = months.iter().map(|month| month.format("%Y-%m").to_string()).collect();
        let statement = options.table.statement(&named);
        let settings = (
            &options.workgroup,
            options.most_bytes,
            &options.output,
            &options.as_whom,
        );
        let question = rest::Question::of(&format!("{statement} {settings:?}"), options.patience);
        if let Some(rests) = rest::rests(
            known,
            before.asked,
            options.refresh,
            options.now,
            &question,
            self.what(),
        ) {
            return Err(rests);
        }
        // What there is no time to wait for would be paid for in vain.
        if sink.enough() || self.is_late() {
            sink.left(Rest::default());
            return Ok(());
        }
        self.allowed().map_err(|failure| self.failed(&failure))?;
        let mut paid = false;
        self.asked(&before, &months, &statement, sink, &mut paid)
            .or_else(|failure| match failure {
                Unanswered::Store(error) => Err(error.into()),
                Unanswered::Failed(failure) => {
                    if !paid || !rest::is_due(&failure) {
                        return Err(self.failed(&failure));
                    }
                    sink.checkpoint(rest::FAILED, rest::failed(options.now, &question, &failure.to_string()))?;
                    Err(self.paid_for(&failure))
                }
            })
    }
}

/// Why nothing is recorded.
enum Unanswered {
    Failed(Failure),
    Store(StoreError),
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Unanswered::Failed(failure)
    }
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Self {
        Unanswered::Store(error)
    }
}

impl Athena {
    /// Asks for the months that are open, and records the answer.
    fn asked(
        &self,
        before: &Read,
        months: &[NaiveDate],
        statement: &str,
        sink: &mut dyn Sink,
        paid: &mut bool,
    ) -> Result<(), Unanswered> {
        let options = &self.options;
        let mut answer = self.ask(statement, paid)?;
        if answer.scanned > options.most_bytes {
            sink.warn(&beyond(answer.scanned, options.most_bytes), 1);
        }
        // Where rows were told before, their silence has words of its own.
        if answer.rows.is_empty() && before.told.is_empty() {
            sink.warn(&nowhere(&options.table, months), 1);
        }
        sink.progress(Progress {
            lines: answer.rows.len() as u64,
            bytes: answer.scanned,
            ..Progress::default()
        });
        let refused = |cause: String| Failure::new(Kind::Refused, cause);
        let latest = options.now + TimeDelta::days(62);
        let mut rows = CurRows::new(&answer.names, options.name, options.defaults.clone(), latest);
        let column = |name: &str| answer.names.iter().position(|known| known == name);
        let (period, open) = (column("bill_billing_period_start_date"), column(OPEN));
        let day = column("line_item_usage_start_date");
        let part = tail::part_of_day(&answer.rows, day, column(LAST_HOUR), options.now);
        // A row that cannot be read makes its month's sum wrong: the answer is refused as a whole.
        let (mut seen, mut uninvoiced) = (BTreeSet::new(), BTreeSet::new());
        for row in &mut answer.rows {
            if let (Some((part, at)), Some(cell)) = (&part, day.and_then(|day| row.get_mut(day)))
                && cell.parse() == Ok(*part)
            {
                cell.clone_from(at);
            }
            rows.add(row).map_err(refused)?;
            let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map_or("", String::as_str);
            let month: Option<NaiveDate> = cell(period)
                .get(..7)
                .and_then(|month| format!("{month}-01").parse().ok());
            seen.extend(month);
            uninvoiced.extend(month.filter(|_| cell(open) != "0"));
        }
        let settled = Hour::of(midnight(before.settled(months, options.now)));
        if let Some((about, count)) = rows.rounded() {
            sink.warn(&about, count);
        }
        let mut told = BTreeSet::new();
        for mut bill in rows.finish().map_err(refused)? {
            bill.settled_before = Some(settled);
            told.insert(bill.identity.clone());
            sink.bill(bill)?;
        }
        let (gone, silent) = before.untold(months, &told, &seen);
        // The month is there and the payer's rows are not: they are now another's, or nobody's.
        for identity in gone {
            sink.bill(nothing(identity, settled))?;
        }
        if !silent.is_empty() {
            let about = "bills of which Athena has no row of their month any more: what they told stays, and `finops bill drop` takes it back";
            sink.warn(about, silent.len() as u64);
        }
        told.extend(silent);
        let closed = before.closed(months, options.now.date_naive(), &seen, &uninvoiced);
        if let Some(closed) = closed {
            sink.checkpoint("closed", Checkpoint(closed.to_string().into_bytes()))?;
        }
        if let Some(first) = months.first() {
            sink.checkpoint(months::FROM, Checkpoint(first.to_string().into_bytes()))?;
        }
        let told: Vec<String> = told.into_iter().collect();
        sink.checkpoint("told", Checkpoint(told.join("\n").into_bytes()))?;
        sink.checkpoint("asked", Checkpoint(options.now.to_rfc3339().into_bytes()))?;
        Ok(())
    }
}

/// What is told of a statement that was over before it could be stopped: what is paid for is used.
fn beyond(scanned: u64, most: u64) -> String {
    format!(
        "a statement had scanned {scanned} bytes when it ended, `max_scan_gb` allows {most}: its answer is recorded, since it is paid for. Raise it, or name \
         fewer `products` or months; a workgroup can have a limit that Athena itself keeps"
    )
}

/// What is told where no answer had a row so far.
fn nowhere(table: &Table, months: &[NaiveDate]) -> String {
    let months: Vec<String> = months.iter().map(|month| month.format("%Y-%m").to_string()).collect();
    format!(
        "no row of {}.{} has its `{}` among {}: check `partition` and `products` if it has rows",
        table.database,
        table.table,
        table.partition,
        months.join(", ")
    )
}

/// A bill that comes to nothing.
fn nothing(identity: String, settled: Hour) -> Bill {
    let start = DateTime::UNIX_EPOCH;
    Bill {
        identity,
        period: Period::new(start, Hour::of(start).start()),
        rows: SpendRows::default(),
        settled_before: Some(settled),
        formerly: None,
    }
}
