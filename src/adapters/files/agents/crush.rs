//! Sessions of Crush: its database (`crush.db`, one for each project), or as `crush session show --json` prints them. A session tells what its
//! calls cost so far. Its counts are those of the last call alone, so that no sum of tokens is known: the call has the cost that is told, no
//! price, and no tokens. Identity is the session's id; the one that was changed last counts. What a subagent cost is in its parent's cost.

use std::path::Path;

use chrono::DateTime;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::CLOCK_SKEW;
use super::super::database::{End, Look, Span};
use super::super::line::{Context, Fault, LineFormat, NO_USAGE, Output};
use super::super::object;
use super::super::read::Run;
use super::super::scalar::{Scalar, reported};
use super::super::stores::columns;
use super::super::value::Value;

/// Columns of `sessions` that are Crush's.
pub(in super::super) const COLUMNS: [&str; 7] = [
    "id",
    "parent_session_id",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "updated_at",
    "created_at",
];
/// Sessions of one look.
pub(in super::super) const ROWS: i64 = 1000;

/// Times are in seconds, whatever the comments of Crush say; in milliseconds they would be of another century.
const SESSIONS: &str =
    "SELECT rowid, id, CASE WHEN updated_at > 100000000000 THEN updated_at ELSE updated_at * 1000 END AS changed,
        created_at, coalesce(parent_session_id, ''), CAST(cost AS TEXT), message_count
     FROM sessions WHERE rowid > ?1 AND rowid <= ?2 AND coalesce(changed, ?3) >= ?3 ORDER BY rowid LIMIT ?4";

/// What a session says of itself.
struct Session<'a> {
    id: &'a str,
    created: Value<'a>,
    /// In milliseconds of the epoch; nothing where that is not known.
    changed: Option<i64>,
    cost: &'a str,
    answered: bool,
    number: u64,
}

/// Who answered, as far as all answers of a session name the same.
#[derive(Default)]
struct Answered {
    provider: Option<Label>,
    model: Option<Label>,
}

impl Answered {
    fn by(&mut self, provider: Label, model: Label) {
        for (known, told) in [(&mut self.provider, provider), (&mut self.model, model)] {
            if told.is_empty() {
                continue;
            }
            *known = match *known {
                Some(other) if other != told => Some(Label::EMPTY),
                Some(_) | None => Some(told),
            };
        }
    }
}

impl Session<'_> {
    fn read(&self, by: &Answered, project: Label, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let id = EventId::of(&[b"crush-session", self.id.as_bytes()]);
        let Some(cost) = reported(Some(self.cost), "cost")? else {
            if self.answered {
                // A subscription, a machine of one's own, or a model whose price it does not know.
                out.warnings.push(NO_USAGE);
                out.excluded_once.push(("calls_without_usage", id));
            }
            return Ok(());
        };
        let at = context.time(self.created, "created_at", out)?;
        let [provider, model] = [by.provider, by.model].map(|name| name.unwrap_or(Label::EMPTY));
        let mut event = UsageEvent::new(id, at, provider, model);
        event.session = context.label(Value::Text(self.id), "id")?;
        event.dimensions.set(Dimension::Project, project);
        event.rank = Rank {
            authority: Rank::COST_ALONE,
            complete: true,
            at: self.changed.and_then(DateTime::from_timestamp_millis).unwrap_or(at),
            line: self.number,
        };
        event.reported_cost = Some(cost);
        out.events.push(event);
        Ok(())
    }
}

fn seller(provider: &str, model: &str, context: &mut Context) -> Label {
    let provider = match provider {
        "copilot" => "github-copilot",
        own => own,
    };
    context.labels.get(super::seller(provider, model))
}

impl Run<'_> {
    /// Reads some of the sessions of a span.
    pub fn crush(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let messages = columns(conn, "messages")?;
        let has = |wanted: &str| messages.iter().any(|own| own == wanted);
        let provider = if has("provider") { "provider" } else { "NULL" };
        let mut answers = match has("model") && has("role") && has("session_id") {
            true => Some(conn.prepare_cached(&format!(
                "SELECT DISTINCT {provider}, model FROM messages WHERE session_id = ?1 AND role = 'assistant'"
            ))?),
            false => None,
        };
        let mut sessions = conn.prepare_cached(SESSIONS)?;
        let mut rows = sessions.query((span.after, span.to, span.since, ROWS))?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let folder = Path::new(name).parent().filter(|folder| folder.ends_with(".crush"));
        let folder = folder.and_then(Path::parent).map(|folder| folder.to_string_lossy());
        let project = self.context.labels.get(&folder.unwrap_or_default());
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            let id = row.get_ref(1)?.as_str().unwrap_or_default();
            // A clock that was ahead once keeps nothing from being read.
            let changed = row.get_ref(2)?.as_i64().unwrap_or(now).min(now);
            seen.row(at, id, changed);
            // What it cost is, or will be, in its parent's.
            if !row.get_ref(4)?.as_str().is_ok_and(str::is_empty) {
                continue;
            }
            let session = Session {
                id,
                created: match row.get_ref(3)? {
                    ValueRef::Integer(time) => u64::try_from(time).map_or(Value::Negative(time), Value::Whole),
                    ValueRef::Null => Value::Null,
                    ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => Value::Other,
                },
                changed: Some(changed),
                cost: row.get_ref(5)?.as_str().unwrap_or_default(),
                answered: row.get_ref(6)?.as_i64().is_ok_and(|count| count > 0),
                number: u64::try_from(at).unwrap_or(0),
            };
            let by = match answers.as_mut() {
                Some(answers) => answered(answers, id, &mut self.context)?,
                None => Answered::default(),
            };
            if let Err(fault) = session.read(&by, project, &mut self.context, &mut self.out) {
                let number = session.number;
                self.refuse(name, number, fault, id.as_bytes());
            }
        }
        Ok(seen)
    }
}

/// Who answered in a session.
fn answered(answers: &mut CachedStatement<'_>, id: &str, context: &mut Context) -> rusqlite::Result<Answered> {
    let mut by = Answered::default();
    let mut rows = answers.query([id])?;
    while let Some(row) = rows.next()? {
        let text = |at| row.get_ref(at).map(|cell| cell.as_str().unwrap_or_default());
        let (provider, model) = (text(0)?, text(1)?);
        by.by(seller(provider, model, context), context.labels.get(model));
    }
    Ok(by)
}

/// Reads sessions that were printed.
pub(in super::super) struct Crush;

#[derive(Deserialize)]
struct Printed<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    meta: Option<Meta<'a>>,
    #[serde(borrow, default, deserialize_with = "object::list")]
    messages: Option<Vec<Message<'a>>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default)]
    uuid: Scalar<'a>,
    #[serde(borrow, default)]
    created: Scalar<'a>,
    #[serde(borrow, default)]
    modified: Scalar<'a>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    provider: Scalar<'a>,
    #[serde(borrow, default)]
    model: Scalar<'a>,
}

impl LineFormat for Crush {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let printed: Printed<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(meta) = printed.meta.filter(|meta| !meta.uuid.is_null()) else {
            return Ok(());
        };
        // A subagent's has the message and the call of a tool that it is asked by.
        if meta.uuid.str().contains("$$") {
            return Ok(());
        }
        let answers = printed.messages.unwrap_or_default();
        let mut by = Answered::default();
        for answer in answers.iter().filter(|message| message.role.str() == "assistant") {
            let model = context.label(&answer.model, "model")?;
            by.by(seller(answer.provider.str(), model.as_str(), context), model);
        }
        let changed = match meta.modified.is_null() {
            true => None,
            false => Some(context.time(&meta.modified, "modified", out)?.timestamp_millis()),
        };
        let session = Session {
            id: meta.uuid.str(),
            created: Value::from(&meta.created),
            changed,
            cost: meta.cost.map_or("", RawValue::get),
            answered: !answers.is_empty(),
            number,
        };
        session.read(&by, Label::EMPTY, context, out)
    }
}
