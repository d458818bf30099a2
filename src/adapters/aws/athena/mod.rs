//! A bill in Athena: one statement sums up a report of any size where it lies, and its rows are recorded.
//!
//! Only the partitions of open months are read: those that were not invoiced when they were last read, and the month before, to which
//! refunds come late. Scanning is stopped beyond a bound, and an answer is recorded whole or not at all.

mod months;
pub mod sql;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::client::Aws;
use super::failure::{Failure, Kind};
use super::permissions::Permission;
use super::request::Service;
use super::rest;
use crate::adapters::clock::SystemClock;
use crate::adapters::files::CurRows;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, SpendRows};
use crate::ports::{Checkpoint, Checkpoints, Clock as _, Progress, Sink, SourceError, StoreError, UsageSource};
use months::{Read, first_of};
use sql::{MOST_ROWS, OPEN, Table};

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

/// How often a statement under way is looked at.
const LOOK: Duration = Duration::from_millis(500);

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
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
}

/// A source.
pub struct Athena {
    service: Service,
    options: Options,
}

/// The answer of a statement: names, and rows.
struct Answer {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    scanned: u64,
}

impl Athena {
    /// A source.
    ///
    /// # Errors
    /// A name of the settings that is none.
    pub fn new(aws: &Aws, options: Options) -> Result<Self, String> {
        options.table.check()?;
        Ok(Athena {
            service: Service::new(aws, "athena", None),
            options,
        })
    }

    fn call(&self, action: &'static str, body: &Value) -> Result<Value, Failure> {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        self.service.json(action, &format!("AmazonAthena.{name}"), body)
    }

    /// Sends the statement and waits for its answer; whether it is `paid` for.
    fn ask(&self, statement: &str, paid: &mut bool) -> Result<Answer, Failure> {
        let options = &self.options;
        let mut request = json!({
            "QueryString": statement,
            "QueryExecutionContext": { "Database": options.table.database },
            "WorkGroup": options.workgroup,
        });
        if let (Some(output), Some(request)) = (&options.output, request.as_object_mut()) {
            request.insert("ResultConfiguration".to_owned(), json!({ "OutputLocation": output }));
        }
        let started = self.call("athena:StartQueryExecution", &request)?;
        let id = started
            .get("QueryExecutionId")
            .and_then(Value::as_str)
            .ok_or_else(odd)?;
        let id = json!({ "QueryExecutionId": id });
        *paid = true;
        let scanned = match self.finished(&id, paid) {
            Ok(scanned) => scanned,
            Err(failure) => {
                // What nobody waits for is not to be paid for; if it has ended, there is nothing to stop.
                let _ = self.call("athena:StopQueryExecution", &id);
                return Err(failure);
            }
        };
        self.rows(&id, scanned)
    }

    /// Waits until a statement has ended; the bytes that it scanned.
    fn finished(&self, id: &Value, paid: &mut bool) -> Result<u64, Failure> {
        let began = SystemClock.elapsed();
        loop {
            let answer = self.call("athena:GetQueryExecution", id)?;
            let execution = answer.get("QueryExecution").ok_or_else(odd)?;
            let scanned = execution
                .pointer("/Statistics/DataScannedInBytes")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            if scanned > self.options.most_bytes {
                return Err(Failure::new(
                    Kind::Refused,
                    format!(
                        "the statement was stopped: it scanned {scanned} bytes, `max_scan_gb` allows {}",
                        self.options.most_bytes
                    ),
                ));
            }
            match execution.pointer("/Status/State").and_then(Value::as_str).unwrap_or("") {
                "SUCCEEDED" => return Ok(scanned),
                state @ ("FAILED" | "CANCELLED") => {
                    // What fails is not charged, unlike what was stopped.
                    *paid = state == "CANCELLED";
                    let cause = execution
                        .pointer("/Status/StateChangeReason")
                        .and_then(Value::as_str)
                        .unwrap_or("no reason");
                    return Err(Failure::new(Kind::Refused, format!("the statement failed: {cause}")));
                }
                _ => {}
            }
            if SystemClock.elapsed().saturating_sub(began) > self.options.patience {
                return Err(Failure::new(
                    Kind::Unreachable,
                    "the statement took too long and was stopped",
                ));
            }
            SystemClock.sleep(LOOK);
        }
    }

    fn rows(&self, id: &Value, scanned: u64) -> Result<Answer, Failure> {
        let mut answer = Answer {
            names: Vec::new(),
            rows: Vec::new(),
            scanned,
        };
        let mut request = id.clone();
        let (began, mut token) = (SystemClock.elapsed(), None::<String>);
        // Pages may be empty: neither their number nor that of the rows says that they come to an end.
        while SystemClock.elapsed().saturating_sub(began) <= self.options.patience {
            let page = self.call("athena:GetQueryResults", &request)?;
            let set = page.get("ResultSet").ok_or_else(odd)?;
            let list = |pointer: &str| set.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            let first = answer.names.is_empty();
            if first {
                let names = list("/ResultSetMetadata/ColumnInfo").filter_map(|column| column.get("Name")?.as_str());
                answer.names = names.map(str::to_owned).collect();
            }
            for (at, row) in list("/Rows").enumerate() {
                let cells = row.get("Data").and_then(Value::as_array).into_iter().flatten();
                let cells = cells.map(|cell| {
                    cell.get("VarCharValue")
                        .and_then(Value::as_str)
                        .unwrap_or("")
                        .to_owned()
                });
                let cells: Vec<String> = cells.collect();
                // The first row of a SELECT repeats the names.
                if first && at == 0 && cells == answer.names {
                    continue;
                }
                answer.rows.push(cells);
            }
            if answer.rows.len() > MOST_ROWS {
                return Err(Failure::new(
                    Kind::Refused,
                    format!("the answer has more than {MOST_ROWS} rows: name `products`, or fewer `tags`"),
                ));
            }
            match page.get("NextToken").and_then(Value::as_str) {
                Some(next) if token.as_deref() == Some(next) => {
                    return Err(Failure::new(
                        Kind::Unreachable,
                        "athena: the answer names a page that was asked for as the next one",
                    ));
                }
                Some(next) => {
                    token = Some(next.to_owned());
                    if let Some(request) = request.as_object_mut() {
                        request.insert("NextToken".to_owned(), next.into());
                    }
                }
                None => return Ok(answer),
            }
        }
        Err(Failure::new(
            Kind::Unreachable,
            "athena: the answer did not end in time",
        ))
    }

    fn what(&self) -> String {
        let table = &self.options.table;
        format!("the Athena table {}.{}", table.database, table.table)
    }

    fn failed(&self, failure: &Failure) -> SourceError {
        SourceError::Read {
            what: self.what(),
            cause: failure.to_string(),
            hint: format!("nothing of this answer was recorded; {}", failure.hint()),
        }
    }
}

fn odd() -> Failure {
    Failure::new(Kind::Unreachable, "athena: the answer is not what this service answers")
}

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
        let digest = rest::digest(&format!("{statement} {} {}", options.workgroup, options.most_bytes));
        if let Some(rests) = rest::rests(known, before.asked, options.refresh, options.now, &digest, self.what()) {
            return Err(rests);
        }
        let mut paid = false;
        self.asked(&before, &months, &statement, sink, &mut paid)
            .or_else(|failure| match failure {
                Unanswered::Store(error) => Err(error.into()),
                Unanswered::Failed(failure) => {
                    if paid && rest::is_due(&failure) {
                        sink.checkpoint(rest::FAILED, rest::failed(options.now, &digest, &failure.to_string()))?;
                    }
                    Err(self.failed(&failure))
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
        let answer = self.ask(statement, paid)?;
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
        // A row that cannot be read makes its month's sum wrong: the answer is refused as a whole.
        let (mut seen, mut uninvoiced) = (BTreeSet::new(), BTreeSet::new());
        for row in &answer.rows {
            rows.add(row).map_err(refused)?;
            let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map_or("", String::as_str);
            let month: Option<NaiveDate> = cell(period)
                .get(..7)
                .and_then(|month| format!("{month}-01").parse().ok());
            seen.extend(month);
            uninvoiced.extend(month.filter(|_| cell(open) != "0"));
        }
        // The months that were over when they were last read had their final days.
        let settled = before.asked.map_or(options.now, |at| at).date_naive();
        let settled = Hour::of(midnight(first_of(settled)));
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
        let told: Vec<String> = told.into_iter().collect();
        sink.checkpoint("told", Checkpoint(told.join("\n").into_bytes()))?;
        sink.checkpoint("asked", Checkpoint(options.now.to_rfc3339().into_bytes()))?;
        Ok(())
    }
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
