//! Sessions of Goose: its database (`sessions.db`, since 1.10), sessions that it exported, and the files that it kept before.
//!
//! Since 1.42 each call is a row of `usage_ledger`, which never changes. What a session used beyond these rows is told as a sum alone: one
//! record, whose counts grow while an older version goes on with the session. The one that was changed last counts; a row that is carried
//! forward tells a part of the same sum and is no call. Input includes cached tokens. A session that another agent was asked in is left out:
//! that agent's own sessions tell its calls.

mod exported;
mod rows;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, Output};
use super::super::thoughts::Thoughts;
use super::super::value::Value;
use super::{without_tokens, written};

pub(in super::super) use exported::Goose;
pub(in super::super) use rows::{COLUMNS, ROWS};

/// What a session says of all its calls.
struct Session<'a> {
    id: &'a str,
    created: DateTime<Utc>,
    /// When its first message was written, in seconds of the epoch.
    begun: Option<u64>,
    changed: DateTime<Utc>,
    folder: &'a str,
    kind: &'a str,
    provider: &'a str,
    model: &'a str,
    number: u64,
}

/// Tokens as Goose counts them, of one call or summed up.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    input: u64,
    output: u64,
    total: u64,
    read: u64,
    written: u64,
}

impl Used {
    fn with(self, of: fn(u64, u64) -> u64, other: Used) -> Used {
        Used {
            input: of(self.input, other.input),
            output: of(self.output, other.output),
            total: of(self.total, other.total),
            read: of(self.read, other.read),
            written: of(self.written, other.written),
        }
    }

    fn counts(self, seller: &str, model: &str) -> Counts {
        // Until 1.47 what Gemini thought is in the total alone. Others' totals are no evidence: of Bedrock's, which hold what was cached,
        // Goose makes some that hold it twice.
        let of_gemini = model.contains("gemini");
        let cached = self.read > 0 || self.written > 0;
        Counts {
            input: self.input,
            read: self.read,
            output: self.output,
            total: if of_gemini || !cached { self.total } else { 0 },
            thoughts: if of_gemini && self.output > 0 {
                Thoughts::Rest
            } else {
                Thoughts::Within
            },
            ..written(seller, self.written)
        }
    }
}

/// Who is paid for what Goose asks of a provider of this name. Its own names are those of sellers; a name of somebody's own settings, or a
/// gateway's, says where requests go: then the model tells.
fn seller<'a>(provider: &'a str, model: &str) -> &'a str {
    let known = match provider {
        "azure_foundry" => "azure",
        "gcp_vertex_ai" => "vertex",
        "gemini_oauth" => "google",
        "chatgpt_codex" => "openai",
        "xai_oauth" => "xai",
        "kimi_code" => "moonshot",
        "opencode_go" => "opencode",
        own => own,
    };
    match known == "litellm" || known.starts_with("custom_") {
        true => super::seller(known, model),
        // Of no model: a name that nobody knows stays.
        false if !known.is_empty() => super::seller(known, ""),
        false => super::seller("", model),
    }
}

/// Providers that are other agents, whose own sessions hold the same calls.
const AGENTS: [&str; 7] = [
    "claude-code",
    "claude-acp",
    "codex",
    "codex-acp",
    "gemini-cli",
    "copilot-acp",
    "pi-acp",
];

/// Whether an id is a date and a number of that day, as those of the database are. Before they were times, or names that people gave.
fn is_numbered(id: &str) -> bool {
    id.split_once('_').is_some_and(|(date, number)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        date.len() == 8 && digits(date) && digits(number) && number.len() < 6
    })
}

impl Session<'_> {
    /// Who it is. Each machine counts its sessions anew each day: when it was made tells them apart. Of one that began in a file the database
    /// does not tell that time, but that of its first message.
    fn identity(&self) -> EventId {
        let own = match self.began() {
            Some(begun) => format!("began {begun}"),
            None if is_numbered(self.id) => format!("{} {}", self.id, self.created.timestamp()),
            None => self.id.to_owned(),
        };
        EventId::of(&[b"goose-session", own.as_bytes()])
    }

    /// When its first message was written, of one that began in a file.
    fn began(&self) -> Option<u64> {
        self.begun.filter(|_| !is_numbered(self.id))
    }

    /// A call of it; nothing of one without tokens or of another agent's.
    fn event(
        &self,
        id: EventId,
        (at, model): (DateTime<Utc>, &str),
        used: Used,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<Option<UsageEvent>, Fault> {
        if AGENTS.contains(&self.provider) {
            out.excluded_once.push(("calls_of_other_agents", id));
            return Ok(None);
        }
        let provider = context.labels.get(seller(self.provider, model));
        let model = context.label(Value::Text(model), "model")?;
        let mut event = UsageEvent::new(id, at, provider, model);
        let counts = used.counts(provider.as_str(), model.as_str());
        event.tokens = counts.tokens(Input::Includes, "Goose", out);
        if event.tokens.total() == 0 {
            without_tokens(id, false, out);
            return Ok(None);
        }
        event.session = context.label(Value::Text(self.id), "id")?;
        event
            .dimensions
            .set(Dimension::Project, self.name(self.folder, "working_dir", context)?);
        if self.kind == "sub_agent" {
            event
                .dimensions
                .set(Dimension::Agent, self.name(self.kind, "session_type", context)?);
        }
        Ok(Some(event))
    }

    fn name(&self, name: &str, field: &str, context: &mut Context) -> Result<Label, Fault> {
        context.label(Value::Text(name), field)
    }

    /// What it used beyond the calls that are told one by one.
    fn rest(&self, used: Used, cost: Option<Decimal>, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        if used == Used::default() {
            return Ok(());
        }
        let began = self.began().and_then(|began| i64::try_from(began).ok());
        let began = began.and_then(|began| DateTime::from_timestamp(began, 0));
        let at = (began.unwrap_or(self.created), self.model);
        if let Some(mut event) = self.event(self.identity(), at, used, context, out)? {
            event.rank = Rank {
                // No call of it is longer than a price threshold, as far as is known.
                authority: Rank::REPORT,
                complete: true,
                at: self.changed,
                line: self.number,
            };
            event.reported_cost = cost;
            out.events.push(event);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goose_names_sellers_in_its_own_way() {
        for (provider, model, paid) in [
            ("anthropic", "claude-sonnet-4-6", "anthropic"),
            ("aws_bedrock", "us.anthropic.claude-sonnet-4-6-v1:0", "bedrock"),
            ("gcp_vertex_ai", "gemini-2.5-pro", "vertex"),
            ("chatgpt_codex", "gpt-5.1-codex", "openai"),
            ("github_copilot", "gpt-5", "github-copilot"),
            ("databricks", "goose-claude-4-sonnet", "databricks"),
            ("local", "qwen2.5-coder", "local"),
            ("custom_mine", "claude-sonnet-4-6", "anthropic"),
            ("litellm", "openai/gpt-5", "openai"),
            ("", "gpt-5", "openai"),
            ("", "", ""),
        ] {
            assert_eq!(seller(provider, model), paid, "{provider} {model}");
        }
    }

    #[test]
    fn numbers_of_a_day_are_told_from_times_and_names() {
        for (id, numbered) in [
            ("20261120_1", true),
            ("20261120_99999", true),
            ("20250901_101112", false),
            ("shop", false),
            ("20261120_", false),
        ] {
            assert_eq!(is_numbered(id), numbered, "{id}");
        }
    }
}
