//! The store of Copilot CLI (`session-store.db`): a row for each call. It says neither which response a row is of nor whose key was asked, and
//! the file of the session (`session-state/ID/events.jsonl`) tells the same calls in most versions: its records one by one, or their sum when
//! a process ends. The store counts where that file tells nothing and nobody has gone on with the session for a week.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, UsageEvent};

use super::super::super::CLOCK_SKEW;
use super::super::super::counts::{Counts, Input};
use super::super::super::database::{End, Look, Span, open};
use super::super::super::line::{Context, Fault, Output};
use super::super::super::read::Run;
use super::super::super::records::RECORD_LIMIT;
use super::super::super::scalar::Scalar;
use super::super::super::stores::columns;
use super::super::super::value::Value;
use super::super::{without_tokens, written};
use super::{Begin, GITHUB, Line, Record, sums};

/// The table of its calls.
pub(in super::super::super) const TABLE: &str = "assistant_usage_events";
/// Columns of it that are Copilot's.
pub(in super::super::super) const COLUMNS: [&str; 8] = [
    "id",
    "session_id",
    "created_at",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
];
/// Rows of one look.
pub(in super::super::super) const ROWS: i64 = 1000;
/// What tells a row.
pub(in super::super::super) const ID: &str = "coalesce(session_id, '') || ' ' || id || ' ' || coalesce(created_at, '')";

/// Its name, beside the folder of the sessions' files.
pub(in super::super::super) const STORE: &str = "session-store.db";
const SESSIONS: &str = "session-state";
const EVENTS: &str = "events.jsonl";

/// Nobody has gone on with a session for that long: what its process used is told by no sum, as a rule.
const SILENT: TimeDelta = TimeDelta::days(7);
/// The day before which no version took calls from the store (2026-12-01): sums of sessions that went on after a silence before then were
/// recorded.
const SINCE: i64 = 1_796_083_200;

const ALONE: &str =
    "calls in the store of Copilot CLI whose session has no file, which may have told them before: coverage gap";
const INSTEAD: &str =
    "sessions of Copilot CLI whose file tells no calls for a week: they count where `session-store.db` is read";

/// What the file of a session tells.
#[derive(Default)]
struct Told {
    /// Any call or sum.
    any: bool,
    /// The store counts, also for what is told later.
    by_store: bool,
    /// The time of its last line.
    last: Option<DateTime<Utc>>,
    /// When the first process began that tells each call.
    records: Option<DateTime<Utc>>,
    folder: String,
}

/// Whether a call in the store counts.
enum Counted {
    Yes,
    No,
    /// It may from then on.
    Then(DateTime<Utc>),
}

impl Told {
    /// Reads the file of a session, as far as it matters.
    fn of(path: &Path) -> std::io::Result<Told> {
        let mut lines = BufReader::new(File::open(path)?);
        let (mut told, mut begun, mut text) = (Told::default(), None, Vec::new());
        loop {
            text.clear();
            let limit = RECORD_LIMIT as u64 + 1;
            if Read::by_ref(&mut lines).take(limit).read_until(b'\n', &mut text)? == 0 {
                return Ok(told);
            }
            let Ok(line) = serde_json::from_slice::<Line<'_>>(&text) else {
                continue;
            };
            told.line(&line, &mut begun);
            if told.any && !told.by_store {
                return Ok(told);
            }
        }
    }

    fn line(&mut self, line: &Line<'_>, begun: &mut Option<DateTime<Utc>>) {
        if let Some(at) = time(line.timestamp.str()) {
            let silent = self.last.is_some_and(|last| at - last > SILENT);
            self.by_store |= !self.any && silent && at.timestamp() >= SINCE;
            self.last = Some(at);
        }
        let data = line.data.map_or("", serde_json::value::RawValue::get);
        match line.r#type.str() {
            "session.start" | "session.resume" => {
                *begun = self.last;
                let begin = serde_json::from_str::<Begin<'_>>(data).ok();
                if let Some(place) = begin.and_then(|begin| begin.context) {
                    place.cwd.str().clone_into(&mut self.folder);
                }
            }
            "session.usage_record"
                if serde_json::from_str::<Record<'_>>(data).is_ok_and(|told| told.usage.is_some()) =>
            {
                self.any = true;
                self.records = self.records.or(*begun).or(self.last);
            }
            "session.shutdown" => {
                let end = serde_json::from_str::<sums::End<'_>>(data).ok();
                let sums = end.and_then(|end| end.sums().ok()).unwrap_or_default();
                self.any |= sums.values().any(|sum| !sum.is_nothing());
            }
            _ => {}
        }
    }

    /// Whether a call of the store counts.
    fn counts(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> Counted {
        let ends = self.last.unwrap_or(at) + SILENT;
        match self.any || self.by_store {
            true if self.by_store && self.records.is_none_or(|records| at < records) => Counted::Yes,
            true => Counted::No,
            false if ends < now => Counted::Yes,
            false => Counted::Then(ends),
        }
    }
}

/// A time of an event, or of a row; those without a zone are UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|at| at.and_utc());
    zoned.or_else(|_| plain()).ok()
}

/// Whether the store beside the file of a session that is read tells its calls, and not this; says so.
pub(super) fn counts_instead(session: &str, context: &Context, out: &mut Output) -> bool {
    let home = context.file.parent().and_then(Path::parent).and_then(Path::parent);
    let Some(store) = home.map(|home| home.join(STORE)).filter(|store| store.is_file()) else {
        return false;
    };
    let now = context.latest - CLOCK_SKEW;
    let of_store = |told: Told| told.by_store || told.last.is_some_and(|last| !told.any && last + SILENT < now);
    let instead = Told::of(&context.file).is_ok_and(of_store) && knows(&store, session).unwrap_or(false);
    if instead {
        out.warnings.push(INSTEAD);
    }
    instead
}

fn knows(store: &Path, session: &str) -> rusqlite::Result<bool> {
    let conn = open(store)?;
    let mut rows = conn.prepare(&format!("SELECT 1 FROM {TABLE} WHERE session_id = ?1 LIMIT 1"))?;
    rows.exists([session])
}

impl Run<'_> {
    /// Reads some of the calls of a span.
    pub fn copilot(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let own = columns(conn, TABLE)?;
        let also = ["reasoning_tokens", "total_nano_aiu"].map(|column| match own.iter().any(|own| own == column) {
            true => format!("CAST({column} AS INTEGER)"),
            false => "NULL".to_owned(),
        });
        let [reasoning, cost] = also;
        let mut rows = conn.prepare_cached(&format!(
            "SELECT rowid, {ID}, CAST(strftime('%s', created_at) AS INTEGER) * 1000 AS changed, session_id, created_at, model,
                input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, {reasoning}, {cost}
             FROM {TABLE} WHERE rowid > ?1 AND rowid <= ?2 AND coalesce(changed, ?3) >= ?3 ORDER BY rowid LIMIT ?4"
        ))?;
        let mut rows = rows.query((span.after, span.to, span.since, ROWS))?;
        let now = self.options.latest - CLOCK_SKEW;
        let sessions = self
            .context
            .file
            .parent()
            .map(|home| home.join(SESSIONS))
            .unwrap_or_default();
        let mut known: HashMap<String, Option<Told>> = HashMap::new();
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            let changed = row.get_ref(2)?.as_i64().unwrap_or(i64::MIN).min(now.timestamp_millis());
            seen.row(at, text(row, 1), changed);
            let session = text(row, 3);
            if !known.contains_key(session) {
                let told = file_of(&sessions, session).and_then(|file| Told::of(&file).ok());
                known.insert(session.to_owned(), told);
            }
            let told = known.get(session).and_then(Option::as_ref);
            let before = self.out.lengths();
            if let Err(fault) = call(row, told, now, &mut self.context, &mut self.out) {
                self.out.back_to(before);
                self.refuse(name, at.unsigned_abs(), fault, session.as_bytes());
            }
        }
        Ok(seen)
    }
}

/// The file of a session of this name.
fn file_of(sessions: &Path, session: &str) -> Option<PathBuf> {
    let is_name = Path::new(session).file_name().is_some_and(|name| name == session);
    is_name.then(|| sessions.join(session).join(EVENTS))
}

/// Reads a row, as far as it counts.
fn call(
    row: &Row<'_>,
    told: Option<&Told>,
    now: DateTime<Utc>,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let told_at = match time(text(row, 4)) {
        Some(at) => at.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => text(row, 4).to_owned(),
    };
    let at = context.time(Value::Text(&told_at), "created_at", out)?;
    let id = EventId::of(&[b"copilot-cli-store", text(row, 1).as_bytes()]);
    let Some(told) = told else {
        out.warnings.push(ALONE);
        out.excluded_once.push(("calls_without_usage", id));
        return Ok(());
    };
    match told.counts(at, now) {
        Counted::Yes => {}
        Counted::No => return Ok(()),
        Counted::Then(ends) => {
            // The store is read again then.
            let until = (ends + CLOCK_SKEW).timestamp().saturating_add(1);
            context.refused_until = Some(context.refused_until.map_or(until, |known| known.min(until)));
            return Ok(());
        }
    }
    let counts = Counts {
        input: count(row, 6, "input_tokens")?,
        output: count(row, 7, "output_tokens")?,
        read: count(row, 8, "cache_read_tokens")?,
        reasoning: count(row, 10, "reasoning_tokens")?,
        ..written(GITHUB, count(row, 9, "cache_write_tokens")?)
    };
    let model = context.label(Value::Text(text(row, 5)), "model")?;
    let mut event = UsageEvent::new(id, at, context.labels.get(GITHUB), model);
    event.tokens = counts.tokens(Input::Includes, "Copilot CLI", out);
    if event.tokens.total() == 0 {
        without_tokens(id, false, out);
        return Ok(());
    }
    event.rank.line = count(row, 0, "id")?;
    event.session = context.label(Value::Text(text(row, 3)), "session_id")?;
    let project = context.label(&Scalar::Text(told.folder.as_str().into()), "cwd")?;
    event.dimensions.set(Dimension::Project, project);
    // A thousand millionth of one of GitHub's credits, which are cents.
    let cost = count(row, 11, "total_nano_aiu")?;
    event.reported_cost = i64::try_from(cost)
        .ok()
        .filter(|cost| *cost > 0)
        .map(|cost| Decimal::new(cost, 11).normalize());
    out.events.push(event);
    Ok(())
}

/// A text of a row; empty where it is none.
fn text<'r>(row: &'r Row<'_>, at: usize) -> &'r str {
    row.get_ref(at)
        .ok()
        .and_then(|value| value.as_str().ok())
        .unwrap_or_default()
}

/// A count of a row.
fn count(row: &Row<'_>, at: usize, field: &str) -> Result<u64, Fault> {
    match row.get_ref(at).unwrap_or(ValueRef::Null) {
        ValueRef::Null => Ok(0),
        ValueRef::Integer(count) => u64::try_from(count).map_err(|_| Fault::field(field, "negative")),
        ValueRef::Text(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(Fault::field(field, "expected a natural number"))
        }
    }
}
