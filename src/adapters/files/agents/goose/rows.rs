//! The rows of Goose's database: sessions, and the calls of each in `usage_ledger`.

use chrono::DateTime;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::usage::EventId;

use super::super::super::CLOCK_SKEW;
use super::super::super::database::{End, Look, Span};
use super::super::super::line::{Context, Fault, NO_USAGE, Output};
use super::super::super::read::Run;
use super::super::super::scalar::{Scalar, reported};
use super::super::super::stores::columns;
use super::super::super::value::Value;
use super::{Session, Used};

/// Columns of `sessions` that are Goose's.
pub(in super::super::super) const COLUMNS: [&str; 6] = [
    "id",
    "working_dir",
    "created_at",
    "updated_at",
    "accumulated_input_tokens",
    "accumulated_output_tokens",
];
/// Sessions of one look: with all their calls.
pub(in super::super::super) const ROWS: i64 = 50;

/// Why a session is not read.
enum Wrong {
    Database(rusqlite::Error),
    Fault(Fault),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Wrong::Database(error)
    }
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Wrong::Fault(fault)
    }
}

#[derive(Deserialize, Default)]
struct ModelConfig<'a> {
    #[serde(borrow, default)]
    model_name: Scalar<'a>,
}

/// What is asked of each session, where its database has that.
struct Asked<'c> {
    calls: Option<CachedStatement<'c>>,
    begun: Option<CachedStatement<'c>>,
}

impl Run<'_> {
    /// Reads some of the sessions of a span, each with its calls.
    pub fn goose(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let mut sessions = conn.prepare_cached(&query(&columns(conn, "sessions")?))?;
        let mut asked = Asked {
            calls: match columns(conn, "usage_ledger")?.is_empty() {
                true => None,
                false => Some(conn.prepare_cached(CALLS)?),
            },
            begun: match columns(conn, "messages")?
                .iter()
                .any(|name| name == "created_timestamp")
            {
                true => Some(conn.prepare_cached(BEGUN)?),
                false => None,
            },
        };
        let mut rows = sessions.query((span.after, span.to, span.since, ROWS))?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let at = row.get(0)?;
            // A clock that was ahead once keeps nothing from being read.
            let changed = row.get_ref(2)?.as_i64().unwrap_or(now).min(now);
            seen.row(at, text(row, 1)?, changed);
            let (number, before) = (u64::try_from(at).unwrap_or(0), self.out.lengths());
            match session(row, (number, changed), &mut asked, &mut self.context, &mut self.out) {
                Ok(()) => {}
                Err(Wrong::Database(error)) => return Err(error.into()),
                Err(Wrong::Fault(fault)) => {
                    self.out.back_to(before);
                    self.refuse(name, number, fault, text(row, 1)?.as_bytes());
                }
            }
        }
        Ok(seen)
    }
}

/// Sessions in the order in which they were made. What a database of an older version does not tell is nothing.
fn query(known: &[String]) -> String {
    let own = |name: &'static str| match known.iter().any(|own| own == name) {
        true => name,
        false => "NULL",
    };
    let cost = own("accumulated_cost");
    let later = [
        "session_type",
        "provider_name",
        "model_config_json",
        "total_tokens",
        "accumulated_total_tokens",
        "accumulated_cache_read_tokens",
        "accumulated_cache_write_tokens",
    ];
    let later = later.map(own).join(", ");
    format!(
        "SELECT rowid, id, unixepoch(updated_at, 'auto') * 1000 AS changed, unixepoch(created_at, 'auto'), working_dir,
            accumulated_input_tokens, accumulated_output_tokens, CAST({cost} AS TEXT), {later}
         FROM sessions WHERE rowid > ?1 AND rowid <= ?2 AND coalesce(changed, ?3) >= ?3 ORDER BY rowid LIMIT ?4"
    )
}

const CALLS: &str = "SELECT id, created_timestamp, model, cost_source, CAST(cost AS TEXT),
        input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens
     FROM usage_ledger WHERE session_id = ?1 ORDER BY id";

/// Times were in milliseconds once.
const BEGUN: &str =
    "SELECT min(CASE WHEN created_timestamp > 100000000000 THEN created_timestamp / 1000 ELSE created_timestamp END)
     FROM messages WHERE session_id = ?1";

/// A text of a row; empty where it is none.
fn text<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(at)?.as_str().unwrap_or_default())
}

fn value<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Value<'r>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => u64::try_from(n).map_or(Value::Negative(n), Value::Whole),
        ValueRef::Real(n) => Value::Float(n),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or(Value::Other, Value::Text),
        ValueRef::Blob(_) => Value::Other,
    })
}

/// Counts of a row: of input, output, the total, and what was read from and written to a cache.
fn used(row: &Row<'_>, at: [usize; 5]) -> Result<Used, Wrong> {
    let [input, output, total, read, written] = at;
    Ok(Used {
        input: value(row, input)?.count("input_tokens")?,
        output: value(row, output)?.count("output_tokens")?,
        total: value(row, total)?.count("total_tokens")?,
        read: value(row, read)?.count("cache_read_tokens")?,
        written: value(row, written)?.count("cache_write_tokens")?,
    })
}

/// Reads a session and its calls.
fn session(
    row: &Row<'_>,
    (number, changed): (u64, i64),
    asked: &mut Asked<'_>,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Wrong> {
    let created = context.time(value(row, 3)?, "created_at", out)?;
    let id = text(row, 1)?;
    let begun = match asked.begun.as_mut() {
        Some(begun) if !super::is_numbered(id) => begun.query_row([id], |row| row.get::<_, Option<i64>>(0))?,
        Some(_) | None => None,
    };
    // One that cannot be read names no model.
    let config: ModelConfig<'_> = serde_json::from_str(text(row, 10)?).unwrap_or_default();
    let session = Session {
        id,
        created,
        begun: begun.and_then(|begun| u64::try_from(begun).ok()),
        changed: DateTime::from_timestamp_millis(changed).unwrap_or(created),
        folder: text(row, 4)?,
        kind: text(row, 8)?,
        provider: text(row, 9)?,
        model: config.model_name.str(),
        number,
    };
    let all = used(row, [5, 6, 12, 13, 14])?;
    let calls = match asked.calls.as_mut() {
        Some(calls) => session.calls(calls, context, out)?,
        None => Calls::default(),
    };
    // What is carried forward is a part of the session's own sums.
    let summed = calls.own.with(u64::saturating_add, calls.carried);
    let rest = all.with(u64::max, summed).with(u64::saturating_sub, calls.own);
    let cost = match calls.count {
        0 => reported(Some(text(row, 7)?), "accumulated_cost")?,
        _ => calls.carried_cost,
    };
    if calls.count > 0 && rest.input == 0 && rest.output == 0 {
        return Ok(());
    }
    if rest == Used::default() && calls.count == 0 && value(row, 11)?.count("total_tokens")? > 0 {
        // A version that kept no sums: these are the tokens of the last call alone.
        out.warnings.push(NO_USAGE);
        out.excluded_once.push(("calls_without_usage", session.identity()));
        return Ok(());
    }
    Ok(session.rest(rest, cost, context, out)?)
}

/// What the rows of a session's calls tell together.
#[derive(Default)]
struct Calls {
    count: u64,
    own: Used,
    /// Of versions that kept sums alone.
    carried: Used,
    carried_cost: Option<Decimal>,
}

impl Session<'_> {
    /// Reads the calls that are told one by one.
    fn calls(&self, calls: &mut CachedStatement<'_>, context: &mut Context, out: &mut Output) -> Result<Calls, Wrong> {
        let mut seen = Calls::default();
        let mut rows = calls.query([self.id])?;
        while let Some(row) = rows.next()? {
            let used = used(row, [5, 6, 7, 8, 9])?;
            let cost = reported(Some(text(row, 4)?), "cost")?;
            if text(row, 3)? == "carried_forward" {
                seen.carried = seen.carried.with(u64::saturating_add, used);
                seen.carried_cost = match (seen.carried_cost, cost) {
                    (Some(known), Some(more)) => known.checked_add(more),
                    (known, more) => known.or(more),
                };
                continue;
            }
            seen.count += 1;
            seen.own = seen.own.with(u64::saturating_add, used);
            let at = context.time(value(row, 1)?, "created_timestamp", out)?;
            let model = match text(row, 2)? {
                "" => self.model,
                own => own,
            };
            let number: i64 = row.get(0)?;
            // Rows of a copy that somebody else went on with have these numbers, too.
            let own = format!(
                "{} {} {number} {} {} {}",
                self.id,
                self.created.timestamp(),
                at.timestamp(),
                used.input,
                used.output
            );
            let id = EventId::of(&[b"goose-call", own.as_bytes()]);
            if let Some(mut event) = self.event(id, (at, model), used, context, out)? {
                event.rank.line = self.number;
                event.reported_cost = cost;
                out.events.push(event);
            }
        }
        Ok(seen)
    }
}
