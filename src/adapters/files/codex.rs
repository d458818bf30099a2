//! OpenAI Codex session logs: usage is the growth of each session's cumulative counter.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::json::{Count, Text, When, not_json};
use super::{LineFormat, Parsed, time};
use crate::domain::dimension::Dimension;
use crate::domain::label::LabelCache;
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};

/// Reads Codex lines of one file.
pub(crate) struct Codex {
    latest: DateTime<Utc>,
    labels: LabelCache,
    session: Session,
    forks: u64,
}

/// What later lines of a file depend on.
#[derive(Default, Serialize, Deserialize)]
struct Session {
    id: String,
    /// The session whose history this file begins with a copy of. Its identity is shared: the copy counts once.
    family: String,
    cwd: String,
    model: String,
    total: Counter,
    last_seen: String,
    resets: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Counter {
    input: u64,
    cached: u64,
    output: u64,
    reasoning: u64,
}

impl Codex {
    pub(crate) fn new(latest: DateTime<Utc>) -> Self {
        Codex {
            latest,
            labels: LabelCache::default(),
            session: Session::default(),
            forks: 0,
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    timestamp: When<'a>,
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    cwd: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    forked_from_id: Text<'a>,
    #[serde(borrow, default)]
    parent_thread_id: Text<'a>,
    #[serde(borrow, default)]
    info: Option<Info<'a>>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(default)]
    total_token_usage: Option<Usage>,
    #[serde(default)]
    last_token_usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    cached_input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    reasoning_output_tokens: Count,
}

impl Usage {
    fn counter(&self) -> Result<Counter, Parsed> {
        Ok(Counter {
            input: self.input_tokens.get("payload.info.input_tokens")?,
            cached: self.cached_input_tokens.get("payload.info.cached_input_tokens")?,
            output: self.output_tokens.get("payload.info.output_tokens")?,
            reasoning: self
                .reasoning_output_tokens
                .get("payload.info.reasoning_output_tokens")?,
        })
    }
}

impl Counter {
    /// The growth since an earlier state; `None` when the counter was reset in between.
    fn since(self, earlier: Counter) -> Option<Counter> {
        Some(Counter {
            input: self.input.checked_sub(earlier.input)?,
            cached: self.cached.checked_sub(earlier.cached)?,
            output: self.output.checked_sub(earlier.output)?,
            reasoning: self.reasoning.checked_sub(earlier.reasoning)?,
        })
    }
}

impl LineFormat for Codex {
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed {
        match serde_json::from_slice::<Line<'_>>(record) {
            Ok(parsed) => self.read(&parsed, line, out).unwrap_or_else(|rejected| rejected),
            Err(error) => not_json(record, &error),
        }
    }

    fn state(&self) -> String {
        serde_json::to_string(&self.session).unwrap_or_default()
    }

    fn restore(&mut self, state: &str) {
        self.session = serde_json::from_str(state).unwrap_or_default();
    }

    fn warnings(&mut self) -> Vec<(String, u64)> {
        let forks = std::mem::take(&mut self.forks);
        let text = "forked sessions share their parent's history, which is counted once";
        if forks > 0 {
            vec![(text.to_owned(), forks)]
        } else {
            Vec::new()
        }
    }
}

impl Codex {
    fn read(&mut self, parsed: &Line<'_>, line: u64, out: &mut Vec<UsageEvent>) -> Result<Parsed, Parsed> {
        let Some(payload) = &parsed.payload else {
            return Ok(Parsed::Other);
        };
        match (parsed.kind.as_str(), payload.kind.as_str()) {
            // A fork repeats its parent's `session_meta` behind its own: the first one names the session.
            ("session_meta", _) if self.session.id.is_empty() => {
                self.session.id = payload.id.as_str().to_owned();
                self.session.cwd = payload.cwd.as_str().to_owned();
                let parent = if payload.forked_from_id.is_empty() {
                    &payload.parent_thread_id
                } else {
                    &payload.forked_from_id
                };
                self.session.family = if parent.is_empty() { &payload.id } else { parent }.as_str().to_owned();
                self.forks += u64::from(!parent.is_empty());
                Ok(Parsed::Other)
            }
            ("turn_context", _) => {
                if !payload.model.is_empty() {
                    self.session.model = payload.model.as_str().to_owned();
                }
                Ok(Parsed::Other)
            }
            ("event_msg", "token_count") => match &payload.info {
                Some(info) => self.count(&parsed.timestamp, info, line, out),
                None => Ok(Parsed::Other),
            },
            _ => Ok(Parsed::Other),
        }
    }

    fn count(
        &mut self,
        when: &When<'_>,
        info: &Info<'_>,
        line: u64,
        out: &mut Vec<UsageEvent>,
    ) -> Result<Parsed, Parsed> {
        let at = time::of_field(when, "timestamp", self.latest)?.at;
        let total = info.total_token_usage.as_ref().map(Usage::counter).transpose()?;
        let last = info.last_token_usage.as_ref().map(Usage::counter).transpose()?;
        let growth = match (total, last) {
            (Some(total), last) => {
                let growth = total.since(self.session.total).unwrap_or_else(|| {
                    self.session.resets += 1;
                    last.unwrap_or(total)
                });
                self.session.total = total;
                growth
            }
            (None, Some(last)) => {
                let seen = format!("{at} {} {} {} {}", last.input, last.cached, last.output, last.reasoning);
                if seen == self.session.last_seen {
                    return Ok(Parsed::Excluded("reemissions"));
                }
                self.session.last_seen = seen;
                last
            }
            (None, None) => return Ok(Parsed::Other),
        };
        if growth == Counter::default() {
            return Ok(Parsed::Excluded("reemissions"));
        }
        let identity = match total {
            Some(t) => format!(
                "{} {} {} {} {}",
                self.session.resets, t.input, t.cached, t.output, t.reasoning
            ),
            None => self.session.last_seen.clone(),
        };
        let id = EventId::of(&[b"codex", self.session.family.as_bytes(), identity.as_bytes()]);
        let model = if info.model.is_empty() {
            Text(self.session.model.as_str().into())
        } else {
            info.model.clone()
        };
        let model = model.label("payload.info.model", &mut self.labels)?;
        let mut event = UsageEvent::new(id, at, self.labels.get("openai"), model);
        event.session = self.labels.get(&self.session.id);
        event
            .dimensions
            .set(Dimension::Project, self.labels.get(&self.session.cwd));
        event.dimensions.set(Dimension::Tier, self.labels.get("standard"));
        event.rank.line = line;
        // Input includes cached tokens; where the data says otherwise, all of it is uncached.
        let uncached = growth.input.checked_sub(growth.cached).unwrap_or(growth.input);
        event.tokens = Tokens::default()
            .with(Bucket::InputUncached, uncached)
            .with(Bucket::CacheRead, growth.cached)
            .with(Bucket::Output, growth.output);
        event.tokens.reasoning = growth.reasoning.min(growth.output);
        out.push(event);
        Ok(Parsed::Usage)
    }
}
