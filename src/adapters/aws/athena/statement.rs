//! One statement: sent once, however often its request is repeated, looked at until it has ended, stopped where nobody waits for it any
//! more, and its answer fetched page by page.

use std::time::Duration;

use serde_json::{Value, json};

use super::sql::MOST_ROWS;
use super::{Athena, Deadline};
use crate::adapters::aws::failure::{Failure, Kind, TOO_LONG};
use crate::adapters::clock::SystemClock;
use crate::domain::usage::EventId;
use crate::ports::Clock as _;

/// How often a statement under way is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What is said of a statement that did not begin in time.
const WAITED: &str =
    "the statement waited in the workgroup's queue until there was no time left, and was stopped: it cost nothing";

/// The answer of a statement: names, and rows.
pub(super) struct Answer {
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Bytes that it read.
    pub scanned: u64,
}

impl Athena {
    /// Whether the time of the run is used up.
    pub(super) fn is_late(&self) -> bool {
        let deadline = self.options.deadline;
        deadline.is_some_and(|deadline| SystemClock.elapsed() >= deadline.reading)
    }

    /// When waiting that begins now ends.
    fn until(&self, of_run: impl Fn(Deadline) -> Duration) -> Duration {
        let own = SystemClock.elapsed().saturating_add(self.options.patience);
        self.options.deadline.map_or(own, |deadline| own.min(of_run(deadline)))
    }

    /// What makes the repetitions of a request one statement, and no other statement the same: Athena answers one that it knows with the
    /// statement that it began with it. SDKs add it to the request, which fails without.
    fn token(&self, statement: &str) -> String {
        let now = SystemClock.now().timestamp_micros().to_le_bytes();
        let process = std::process::id().to_le_bytes();
        let parts: [&[u8]; 5] = [
            b"statement",
            self.options.name.as_str().as_bytes(),
            statement.as_bytes(),
            &now,
            &process,
        ];
        let EventId(digest) = EventId::of(&parts);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn call(&self, action: &'static str, body: &Value) -> Result<Value, Failure> {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        self.service.json(action, &format!("AmazonAthena.{name}"), body)
    }

    /// Sends the statement and waits for its answer; whether it is `paid` for.
    pub(super) fn ask(&self, statement: &str, paid: &mut bool) -> Result<Answer, Failure> {
        let options = &self.options;
        let mut request = json!({
            "QueryString": statement,
            "QueryExecutionContext": { "Database": options.table.database },
            "WorkGroup": options.workgroup,
            "ClientRequestToken": self.token(statement),
        });
        if let (Some(output), Some(request)) = (&options.output, request.as_object_mut()) {
            request.insert("ResultConfiguration".to_owned(), json!({ "OutputLocation": output }));
        }
        let started = match self.call("athena:StartQueryExecution", &request) {
            Ok(started) => started,
            Err(failure) => {
                // Where the answer was lost it may be under way all the same.
                *paid = failure.ambiguous;
                return Err(failure);
            }
        };
        *paid = true;
        let id = started
            .get("QueryExecutionId")
            .and_then(Value::as_str)
            .ok_or_else(odd)?;
        let id = json!({ "QueryExecutionId": id });
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
        let until = self.until(|deadline| deadline.reading);
        loop {
            let answer = self.call("athena:GetQueryExecution", id)?;
            let execution = answer.get("QueryExecution").ok_or_else(odd)?;
            let scanned = execution
                .pointer("/Statistics/DataScannedInBytes")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            let state = execution.pointer("/Status/State").and_then(Value::as_str).unwrap_or("");
            match state {
                "SUCCEEDED" => return Ok(scanned),
                "FAILED" | "CANCELLED" => {
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
            if scanned > self.options.most_bytes {
                return Err(Failure::new(
                    Kind::Refused,
                    format!(
                        "the statement was stopped: it scanned {scanned} bytes, `max_scan_gb` allows {}",
                        self.options.most_bytes
                    ),
                ));
            }
            if SystemClock.elapsed() >= until {
                // What has not begun has scanned nothing.
                *paid = state != "QUEUED" || scanned > 0;
                let words = if *paid { TOO_LONG } else { WAITED };
                return Err(Failure::new(Kind::Unreachable, words));
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
        // A statement that ended in time is paid for: of the time that is kept for evaluating, its answer may take some.
        let (until, mut token) = (self.until(|deadline| deadline.calls), None::<String>);
        // Pages may be empty: neither their number nor that of the rows says that they come to an end.
        while SystemClock.elapsed() <= until {
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
}

fn odd() -> Failure {
    Failure::new(Kind::Unreachable, "athena: the answer is not what this service answers")
}
