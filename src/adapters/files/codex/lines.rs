//! The shapes of Codex's lines.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::usage::EventId;

use super::super::line::{Fault, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::forks::Base;

#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default)]
    pub timestamp: Scalar<'a>,
    /// Its number in the session, in newer logs.
    #[serde(borrow, default)]
    pub ordinal: Scalar<'a>,
    #[serde(borrow, default)]
    pub r#type: Scalar<'a>,
    #[serde(borrow, default)]
    pub payload: Option<&'a RawValue>,
}

impl Line<'_> {
    pub fn number(&self) -> Option<u64> {
        whole(&self.ordinal)
    }
}

#[derive(Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default)]
    pub id: Scalar<'a>,
    #[serde(borrow, default)]
    pub cwd: Scalar<'a>,
    #[serde(borrow, default)]
    forked_from_id: Scalar<'a>,
    #[serde(borrow, default)]
    parent_thread_id: Scalar<'a>,
    #[serde(borrow, default)]
    thread_source: Scalar<'a>,
    /// `"cli"`, or an object that tells of whom this is a subagent.
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subagent_history_start_ordinal: Scalar<'a>,
    /// Where in its parent's file a session goes on whose own file holds none of the parent's lines.
    #[serde(borrow, default)]
    history_base: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model_provider: Scalar<'a>,
}

#[derive(Deserialize)]
struct HistoryBase<'a> {
    #[serde(borrow, default)]
    thread_id: Scalar<'a>,
    #[serde(borrow, default)]
    end_ordinal_exclusive: Scalar<'a>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    subagent: Subagent<'a>,
}

#[derive(Deserialize)]
struct Subagent<'a> {
    #[serde(borrow)]
    thread_spawn: Spawn<'a>,
}

#[derive(Deserialize)]
struct Spawn<'a> {
    #[serde(borrow, default)]
    parent_thread_id: Scalar<'a>,
}

impl Meta<'_> {
    /// The session that this one began as a copy of, as told in the three ways that versions of Codex have; empty where none.
    pub fn parent(&self) -> String {
        let source = self
            .source
            .and_then(|raw| serde_json::from_str::<Source<'_>>(raw.get()).ok());
        let spawned = source.map(|source| source.subagent.thread_spawn.parent_thread_id);
        let told = [
            Some(&self.forked_from_id),
            Some(&self.parent_thread_id),
            spawned.as_ref(),
        ];
        let parent = told.into_iter().flatten().map(Scalar::str).find(|id| !id.is_empty());
        parent.unwrap_or_default().to_owned()
    }

    pub fn is_subagent(&self) -> bool {
        self.thread_source.str() == "subagent"
    }

    /// Whether its file may begin with copies of its parent's lines.
    pub fn may_copy(&self) -> bool {
        self.history_base.is_none()
    }

    /// Where the session goes on whose lines its file does not hold.
    pub fn base(&self) -> Option<Base> {
        let base: HistoryBase<'_> = serde_json::from_str(self.history_base?.get()).ok()?;
        Some((base.thread_id.str().to_owned(), whole(&base.end_ordinal_exclusive)?))
    }

    /// The number of the first line that is no copy.
    pub fn history_start(&self) -> Option<u64> {
        whole(&self.subagent_history_start_ordinal)
    }
}

fn whole(value: &Scalar<'_>) -> Option<u64> {
    match value {
        Scalar::Whole(n) => Some(*n),
        Scalar::Null | Scalar::Text(_) | Scalar::Negative(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Other => {
            None
        }
    }
}

/// What a turn, or the session from here on, is asked with.
#[derive(Deserialize)]
pub(super) struct Settings<'a> {
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    #[serde(borrow, default)]
    pub service_tier: Scalar<'a>,
    #[serde(borrow, default)]
    pub model_provider_id: Scalar<'a>,
}

/// What one answer used, which newer versions tell before the counter has grown by it, and also where it never does.
#[derive(Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow, default)]
    pub thread_id: Scalar<'a>,
    #[serde(borrow, default)]
    pub response_id: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Usage<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    thread_token_usage: Option<Usage<'a>>,
}

impl Answer<'_> {
    /// Its usage, where it says anything of it, and that of all answers of the session so far.
    pub fn counts(&self) -> Result<Option<(Counts, Counts)>, Fault> {
        let Some(usage) = self.usage.as_ref().filter(|usage| usage.tells()) else {
            return Ok(None);
        };
        let own = usage.counts("payload.usage")?;
        let all = self.thread_token_usage.as_ref();
        let all = all.map(|all| all.counts("payload.thread_token_usage")).transpose()?;
        Ok(Some((own, all.unwrap_or(own))))
    }

    /// Whether its total says that the input does not contain what was cached.
    pub fn excludes(&self) -> bool {
        self.usage.as_ref().is_some_and(Usage::excludes)
    }
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub r#type: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub info: Option<Info<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    pub thread_settings: Option<Settings<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Info<'a> {
    #[serde(borrow, default)]
    pub model: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    total_token_usage: Option<Usage<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    last_token_usage: Option<Usage<'a>>,
}

impl Info<'_> {
    /// Whether it says anything of what was used.
    pub fn tells(&self) -> bool {
        let told = [&self.last_token_usage, &self.total_token_usage];
        told.into_iter().flatten().any(Usage::tells)
    }

    /// Whether a total says that the input does not contain what was cached.
    pub fn excludes(&self) -> bool {
        let told = [&self.last_token_usage, &self.total_token_usage];
        told.into_iter().flatten().next().is_some_and(Usage::excludes)
    }

    /// The counter and the usage of the last request.
    pub fn counts(&self) -> Result<(Option<Counts>, Option<Counts>), Fault> {
        let one = |usage: &Option<Usage<'_>>, path: &str| usage.as_ref().map(|u| u.counts(path)).transpose();
        Ok((
            one(&self.total_token_usage, "payload.info.total_token_usage")?,
            one(&self.last_token_usage, "payload.info.last_token_usage")?,
        ))
    }
}

/// The usage that a line tells, if it tells any.
pub(super) fn info<'a>(line: &Line<'a>) -> Option<Info<'a>> {
    if line.r#type.str() != "event_msg" {
        return None;
    }
    let message: Message<'a> = serde_json::from_str(line.payload?.get()).ok()?;
    message.info.filter(|_| message.r#type.str() == "token_count")
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cached_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    total_tokens: Scalar<'a>,
}

impl Usage<'_> {
    fn tells(&self) -> bool {
        let counts = [&self.input_tokens, &self.output_tokens, &self.total_tokens];
        counts.into_iter().any(|count| !count.is_null())
    }

    /// Whether its total says that the input does not contain what was cached.
    fn excludes(&self) -> bool {
        let Ok(counts) = self.counts("") else { return false };
        let (cached, plain) = (
            counts.cached.saturating_add(counts.written),
            counts.input.saturating_add(counts.output),
        );
        let total = self.total_tokens.count("total_tokens").unwrap_or_default();
        cached > 0 && total == plain.saturating_add(cached) && total != plain.saturating_add(counts.reasoning)
    }

    fn counts(&self, path: &str) -> Result<Counts, Fault> {
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("{path}.{field}"));
        Ok(Counts {
            input: count(&self.input_tokens, "input_tokens")?,
            cached: count(&self.cached_input_tokens, "cached_input_tokens")?,
            output: count(&self.output_tokens, "output_tokens")?,
            reasoning: count(&self.reasoning_output_tokens, "reasoning_output_tokens")?,
            written: count(&self.cache_write_input_tokens, "cache_write_input_tokens")?,
        })
    }
}

/// A counter, or its growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "[u64; 5]")]
pub(super) struct Counts {
    /// With what was read from caches and written to them.
    pub input: u64,
    pub cached: u64,
    /// With reasoning.
    pub output: u64,
    pub reasoning: u64,
    /// Written to caches.
    pub written: u64,
}

impl From<Counts> for [u64; 5] {
    fn from(counts: Counts) -> Self {
        [
            counts.input,
            counts.cached,
            counts.output,
            counts.reasoning,
            counts.written,
        ]
    }
}

/// States of versions that did not know writes have four numbers.
impl From<Vec<u64>> for Counts {
    fn from(saved: Vec<u64>) -> Self {
        let mut saved = saved.into_iter();
        let mut next = || saved.next().unwrap_or_default();
        Counts {
            input: next(),
            cached: next(),
            output: next(),
            reasoning: next(),
            written: next(),
        }
    }
}

impl Counts {
    /// The growth since `before`; none where the counter fell. What was written is part of the input, and versions of Codex that do not
    /// know it leave it away: where it alone is less, the counter has not fallen.
    pub fn since(&self, before: &Counts) -> Option<Counts> {
        Some(Counts {
            input: self.input.checked_sub(before.input)?,
            cached: self.cached.checked_sub(before.cached)?,
            output: self.output.checked_sub(before.output)?,
            reasoning: self.reasoning.checked_sub(before.reasoning)?,
            written: self.written.saturating_sub(before.written),
        })
    }

    /// Field by field the larger of both.
    pub fn most(&self, other: &Counts) -> Counts {
        Counts {
            input: self.input.max(other.input),
            cached: self.cached.max(other.cached),
            output: self.output.max(other.output),
            reasoning: self.reasoning.max(other.reasoning),
            written: self.written.max(other.written),
        }
    }

    /// The sum of both.
    pub fn plus(&self, other: &Counts) -> Counts {
        Counts {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            written: self.written.saturating_add(other.written),
        }
    }

    /// What tells a step of the counter apart: without writes, so that calls keep the identity that they had before those were read.
    pub fn identity(&self) -> Vec<u8> {
        [self.input, self.cached, self.output, self.reasoning]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect()
    }
}

/// Versions before the counter.
const EARLY: &str = "sessions of Codex that hold no usage (versions of 2025, before it counted): coverage gap";

/// The first line of a session of such a version, which has the session's id where later ones have a type.
#[derive(Deserialize)]
struct Early<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
}

/// Tells a session whose calls nobody counted.
pub(super) fn tell_early(text: &str, out: &mut Output) {
    let Ok(first) = serde_json::from_str::<Early<'_>>(text) else {
        return;
    };
    if first.r#type.is_null() && !first.id.str().is_empty() && !first.timestamp.is_null() {
        let id = EventId::of(&[b"codex-session", first.id.str().as_bytes()]);
        out.excluded_once.push(("calls_without_usage", id));
        out.warnings.push(EARLY);
    }
}
