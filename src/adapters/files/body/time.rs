//! When a call was made, as its body or whoever kept it says.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::outer::Outer;
use super::record::Record;

impl<'a> Record<'a> {
    /// Where its time may stand, the better ones first.
    pub fn times(&self) -> [(&Scalar<'a>, &'static str); 9] {
        [
            (&self.created, "created"),
            (&self.created_at, "created_at"),
            (&self.create_time, "createTime"),
            (&self.python_time, "create_time"),
            (&self.timestamp, "timestamp"),
            (&self.time, "time"),
            (&self.ts, "ts"),
            (&self.at_timestamp, "@timestamp"),
            (&self.processed_time, "processed_time"),
        ]
    }

    /// Where logs have theirs, which others may use for anything.
    pub fn times_of_logs(&self) -> [(&Scalar<'a>, &'static str); 3] {
        [
            (&self.processed_at, "processed_at"),
            (&self.datetime, "datetime"),
            (&self.date, "date"),
        ]
    }

    /// Where spans have theirs.
    fn times_of_spans(&self) -> [(&Scalar<'a>, &'static str); 2] {
        [(&self.start_time, "start_time"), (&self.started_at, "started_at")]
    }
}

/// The time that the body has, else the one that its envelope has, else that of the answer's headers, else that of the file.
pub(super) fn instant(
    record: &Record<'_>,
    outer: Outer<'_, '_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<DateTime<Utc>, Fault> {
    let records = || [Some(record), outer.record].into_iter().flatten();
    for record in records() {
        for (value, field) in record.times() {
            if says_nothing(value) {
                continue;
            }
            match context.time(value, field, out) {
                // How long something took, or a clock without its day.
                Err(_) if field == "time" && !is_to_come(value, context) => {}
                told => return told,
            }
        }
    }
    for record in records() {
        // Under these names there may be anything.
        for (value, field) in record.times_of_logs().into_iter().chain(record.times_of_spans()) {
            if !value.is_null()
                && let Ok(at) = context.time(value, field, out)
            {
                return Ok(at);
            }
        }
    }
    for record in records() {
        let header = record
            .aws
            .and_then(of_headers)
            .or_else(|| record.google.and_then(of_headers));
        if let Some(at) = header
            && let Ok(at) = context.time(&Scalar::Text(at.to_rfc3339().into()), "date", out)
        {
            return Ok(at);
        }
    }
    let at = context.fallback.ok_or_else(|| Fault::field("timestamp", "missing"))?;
    out.warnings
        .push("records without a time are charged at their file's time of change, or when they came");
    Ok(at)
}

/// Whether it is a time, and one that is still to come: such a call is read when it has.
fn is_to_come(value: &Scalar<'_>, context: &Context) -> bool {
    value.time("").is_ok_and(|(at, _)| at > context.latest)
}

/// Whether it is what programs write where they know no time.
fn says_nothing(value: &Scalar<'_>) -> bool {
    match value {
        Scalar::Null | Scalar::Whole(0) => true,
        Scalar::Text(text) => matches!(&**text, "" | "0" | "0001-01-01T00:00:00Z" | "1970-01-01T00:00:00Z"),
        Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => false,
    }
}

/// The time of an HTTP answer, as SDKs keep its headers.
fn of_headers(kept: &RawValue) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow, alias = "HTTPHeaders")]
        headers: Headers<'a>,
    }
    #[derive(Deserialize)]
    struct Headers<'a> {
        #[serde(borrow, alias = "Date")]
        date: Scalar<'a>,
    }
    let kept: Kept<'_> = serde_json::from_str(kept.get()).ok()?;
    let date = DateTime::parse_from_rfc2822(kept.headers.date.str()).ok()?;
    Some(date.to_utc())
}
