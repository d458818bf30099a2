//! The messages of opencode and of what is made of it, in its database: a message is a row, which is written anew while it is answered.

mod second;
mod steps;

use chrono::{DateTime, TimeDelta};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::CLOCK_SKEW;
use super::agents::Row;
use super::database::{End, Look, Span};
use super::line::Fault;
use super::read::Run;
use super::records::RECORD_LIMIT;
use steps::Steps;

/// Rows of one look: while it lasts, what others write cannot be taken over from the log.
pub(super) const ROWS: i64 = 1000;
/// An answer that nobody has gone on with for that long never ends.
const ANSWERING: TimeDelta = TimeDelta::hours(1);

/// A row, and what is told beside it.
#[derive(Clone, Copy)]
struct Place<'a> {
    at: i64,
    id: &'a str,
    session: &'a str,
    changed: i64,
    /// In opencode 2 what the message is, and where its session works.
    second: Option<(&'a str, &'a str)>,
}

impl Run<'_> {
    /// Reads some of the messages of a span.
    pub fn messages(&mut self, conn: &Connection, name: &str, span: &Span) -> Result<Look, End> {
        let mut look = conn.prepare_cached(
            "SELECT rowid, id, session_id, time_updated, CASE WHEN octet_length(data) <= ?5 THEN data END FROM message
             WHERE rowid > ?1 AND rowid <= ?2 AND time_updated >= ?3 ORDER BY rowid LIMIT ?4",
        )?;
        let limit = i64::try_from(RECORD_LIMIT).unwrap_or(i64::MAX);
        let mut rows = look.query((span.after, span.to, span.since, ROWS, limit))?;
        let mut steps = Steps::of(conn)?;
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let mut seen = Look::default();
        while let Some(row) = rows.next()? {
            let place = Place {
                at: row.get(0)?,
                id: row.get_ref(1)?.as_str().unwrap_or_default(),
                session: row.get_ref(2)?.as_str().unwrap_or_default(),
                // A clock that was ahead once keeps nothing from being read.
                changed: row.get_ref(3)?.as_i64().unwrap_or(now).min(now),
                second: None,
            };
            let data = row.get_ref(4)?;
            let parts = steps.within(place.id, data)?;
            if self.message(name, place, data, parts) {
                seen.answering = seen.answering.min(place.changed);
            }
            seen.row(place.at, place.id, place.changed);
        }
        Ok(seen)
    }

    /// Reads a row with the ends of its steps; whether it is still being answered, so that nothing is missing of it.
    fn message(&mut self, name: &str, place: Place<'_>, data: ValueRef<'_>, steps: Vec<String>) -> bool {
        let number = u64::try_from(place.at).unwrap_or(0);
        let (events, open) = (self.out.events.len(), self.out.unended.len());
        let text = match data {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| "not valid UTF-8".to_owned()),
            ValueRef::Null => Err(format!("longer than {RECORD_LIMIT} bytes")),
            ValueRef::Blob(_) | ValueRef::Integer(_) | ValueRef::Real(_) => Err("expected text".to_owned()),
        };
        let read = text.map_err(|reason| Fault::field("data", reason)).and_then(|data| {
            let row = Row {
                id: place.id,
                session: place.session,
                data,
                number,
                second: place.second,
                steps,
            };
            row.read(&mut self.context, &mut self.out)
        });
        if let Err(fault) = read {
            self.out.events.truncate(events);
            let raw = data.as_bytes_or_null().ok().flatten().unwrap_or_default();
            self.refuse(name, number, fault, raw);
        }
        if let Some(changed) = DateTime::from_timestamp_millis(place.changed) {
            for event in self.out.events.iter_mut().skip(events) {
                event.rank.at = changed + (event.rank.at - event.at);
            }
        }
        let now = (self.options.latest - CLOCK_SKEW).timestamp_millis();
        let answering =
            self.out.unended.len() > open && now.abs_diff(place.changed) < ANSWERING.num_milliseconds().unsigned_abs();
        if answering {
            self.out.unended.truncate(open);
        }
        answering
    }
}
