//! Calls that a session log has no line of: a search of the web, of which the answer stands in the log, and what made a session shorter.

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::line::{Context, Fault, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::Asked;

/// What is told of searches: the model that makes them is asked beside the session.
const SEARCHED: &str = "Claude Code's searches: the fee is charged (unpriced where the session's model has no price), the tokens of the calls that made them are in no log: coverage gap";

/// What is told of sessions that were made shorter. Versions before kept a log of it.
const COMPACTED: &str =
    "Claude Code's compactions, of whose calls only older versions keep a log (`agent-acompact-…`): coverage gap";

/// Bytes at the end of a line within which the answer of a search ends. Behind it stand a folder and a branch.
const TAIL: usize = 1024;
/// Bytes at the beginning of a line within which one that begins a session anew says so.
const FRONT: usize = 128;

/// Knows lines that tell of such calls by a key of theirs, which is looked for where they have it.
pub(super) struct Signs {
    searched: Finder<'static>,
    compacted: Finder<'static>,
}

/// A line that is no answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    subtype: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default)]
    uuid: Scalar<'a>,
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
    #[serde(borrow, default)]
    is_sidechain: Scalar<'a>,
    #[serde(borrow, default)]
    attribution_agent: Scalar<'a>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_use_result: Option<&'a RawValue>,
}

/// What a tool answered the session.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "object::list")]
    content: Option<Vec<Answer<'a>>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    tool_use_id: Scalar<'a>,
}

/// The answer of a search.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search<'a> {
    #[serde(borrow, default)]
    query: Scalar<'a>,
    #[serde(borrow, default)]
    search_count: Scalar<'a>,
    #[serde(borrow, default)]
    results: Option<Vec<&'a RawValue>>,
}

impl Signs {
    pub fn new() -> Self {
        Signs {
            searched: Finder::new(b"\"durationSeconds\""),
            compacted: Finder::new(b"\"logicalParentUuid\""),
        }
    }

    /// Whether a line may tell of such a call.
    pub fn are_in(&self, line: &[u8]) -> bool {
        let tail = line.get(line.len().saturating_sub(TAIL)..).unwrap_or(line);
        self.searched.find(tail).is_some() || self.compacted.find(line.get(..FRONT).unwrap_or(line)).is_some()
    }
}

/// Reads such a line.
#[cold]
pub(super) fn read(
    text: &str,
    number: u64,
    asked: Asked,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let Ok(line) = serde_json::from_str::<Line<'_>>(text) else {
        return Ok(());
    };
    if line.subtype.str() == "compact_boundary" {
        // Copies of a session have lines with ids of their own.
        let id = EventId::of(&[b"claude-code-compaction", line.timestamp.str().as_bytes()]);
        out.excluded_once.push(("calls_without_usage", id));
        out.warnings.push(COMPACTED);
        return Ok(());
    }
    let answer = line.tool_use_result.filter(|raw| raw.get().starts_with('{'));
    let search = answer.and_then(|raw| serde_json::from_str::<Search<'_>>(raw.get()).ok());
    match search {
        Some(search) if !search.query.str().is_empty() => searched(&line, &search, number, asked, context, out),
        Some(_) | None => Ok(()),
    }
}

/// A search is charged to the session, as who sold its last answer sells it.
fn searched(
    line: &Line<'_>,
    search: &Search<'_>,
    number: u64,
    (provider, model): Asked,
    context: &mut Context,
    out: &mut Output,
) -> Result<(), Fault> {
    let searches = match (&search.search_count, &search.results) {
        (Scalar::Null, Some(results)) => {
            // Older versions do not count: what was found by one search stands together, and between is text.
            let found = results.iter().filter(|raw| raw.get().starts_with('{')).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        }
        (Scalar::Null, None) => return Ok(()),
        (count, _) => count.small("toolUseResult.searchCount")?,
    };
    let message = line
        .message
        .and_then(|raw| serde_json::from_str::<Message<'_>>(raw.get()).ok());
    let answers = message.and_then(|message| message.content).unwrap_or_default();
    let used = answers
        .iter()
        .map(|answer| answer.tool_use_id.str())
        .find(|id| !id.is_empty());
    let id = EventId::of(&[b"claude-code-search", used.unwrap_or(line.uuid.str()).as_bytes()]);
    out.warnings.push(SEARCHED);
    if searches == 0 {
        out.excluded_once.push(("calls_without_usage", id));
        return Ok(());
    }
    let at = context.time(&line.timestamp, "timestamp", out)?;
    let provider = if provider.is_empty() {
        context.labels.get("anthropic")
    } else {
        provider
    };
    let mut event = UsageEvent::new(id, at, provider, model);
    event.requests.web_searches = searches;
    event.session = context.label(&line.session_id, "sessionId")?;
    for (dimension, name, field) in [
        (Dimension::Project, &line.cwd, "cwd"),
        (Dimension::Agent, &line.attribution_agent, "attributionAgent"),
    ] {
        let name: Label = context.label(name, field)?;
        event.dimensions.set(dimension, name);
    }
    event.sidechain = matches!(line.is_sidechain, Scalar::Bool(true));
    event.rank = Rank {
        authority: 0,
        complete: true,
        at,
        line: number,
    };
    out.events.push(event);
    Ok(())
}
