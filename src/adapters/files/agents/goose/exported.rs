//! Sessions of Goose outside its database: as `goose session export` printed them until 1.38, and the files that it kept before 1.10, whose first
//! line tells of the session and the others are its messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::super::line::{Context, Fault, LineFormat, Output};
use super::super::super::object;
use super::super::super::scalar::{Scalar, reported};
use super::{Session, Used, is_numbered};

/// Reads sessions as JSON.
#[derive(Default)]
pub(in super::super::super) struct Goose {
    /// A session whose first message is still to come.
    waiting: Option<Waiting>,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    line: u64,
    session: String,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    created_at: Scalar<'a>,
    #[serde(borrow, default)]
    updated_at: Scalar<'a>,
    #[serde(borrow, default)]
    working_dir: Scalar<'a>,
    #[serde(borrow, default)]
    session_type: Scalar<'a>,
    #[serde(borrow, default)]
    provider_name: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    model_config: Option<Config<'a>>,
    #[serde(borrow, default)]
    accumulated_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    accumulated_output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    accumulated_total_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    accumulated_cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    accumulated_usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    role: Scalar<'a>,
    #[serde(borrow, default)]
    created: Scalar<'a>,
}

#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow, default)]
    model_name: Scalar<'a>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    created: i64,
}

impl LineFormat for Goose {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let record: Record<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if record.accumulated_usage.is_some() {
            return Err(Fault::whole(
                "a session that Goose since 1.39 exported: not read, its database tells its calls",
            ));
        }
        if !record.role.is_null() {
            return match self.waiting.take() {
                Some(waiting) => {
                    let at = context.time(&record.created, "created", out)?;
                    let session: Record<'_> = serde_json::from_str(&waiting.session).map_err(|e| Fault::json(&e))?;
                    session.read((at, at), Some(at), waiting.line, context, out)
                }
                None => Ok(()),
            };
        }
        let used = record.used()?;
        if used == Used::default() {
            return Ok(());
        }
        let begun = record.begun();
        if begun.is_none() && !is_numbered(record.id.str()) {
            self.waiting = Some(Waiting {
                line: number,
                session: text.to_owned(),
            });
            return Ok(());
        }
        let created = context.time(&record.created_at, "created_at", out)?;
        let changed = match record.updated_at.is_null() {
            true => created,
            false => context.time(&record.updated_at, "updated_at", out)?,
        };
        record.read((created, changed), begun, number, context, out)
    }

    fn save(&self) -> String {
        let state = self.waiting.as_ref().map(serde_json::to_string);
        state.and_then(Result::ok).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.waiting = serde_json::from_str(state).ok();
    }
}

impl Record<'_> {
    fn used(&self) -> Result<Used, Fault> {
        Ok(Used {
            input: self.accumulated_input_tokens.count("accumulated_input_tokens")?,
            output: self.accumulated_output_tokens.count("accumulated_output_tokens")?,
            total: self.accumulated_total_tokens.count("accumulated_total_tokens")?,
            ..Used::default()
        })
    }

    /// When the first of its messages was written, where it holds them.
    fn begun(&self) -> Option<DateTime<Utc>> {
        let messages: Vec<Message> = serde_json::from_str(self.conversation?.get()).ok()?;
        let first = messages.iter().map(|message| message.created).min()?;
        DateTime::from_timestamp(first, 0)
    }

    fn read(
        &self,
        (created, changed): (DateTime<Utc>, DateTime<Utc>),
        begun: Option<DateTime<Utc>>,
        number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let session = Session {
            id: self.id.str(),
            created,
            begun: begun.and_then(|begun| u64::try_from(begun.timestamp()).ok()),
            changed,
            folder: self.working_dir.str(),
            kind: self.session_type.str(),
            provider: self.provider_name.str(),
            model: self.model_config.as_ref().map_or("", |config| config.model_name.str()),
            number,
        };
        let cost = reported(self.accumulated_cost.map(RawValue::get), "accumulated_cost")?;
        session.rest(self.used()?, cost, context, out)
    }
}
