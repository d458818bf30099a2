//! Codex session logs: usage is the growth of a cumulative counter, and forks begin with a copy of their parent.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

use super::line::{Context, Fault, LineFormat, Output};
use super::records::Records;
use super::scalar::Scalar;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    timestamp: Scalar<'a>,
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default)]
    id: Scalar<'a>,
    #[serde(borrow, default)]
    cwd: Scalar<'a>,
    #[serde(borrow, default)]
    forked_from_id: Scalar<'a>,
    #[serde(borrow, default)]
    parent_thread_id: Scalar<'a>,
    #[serde(borrow, default)]
    thread_source: Scalar<'a>,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    r#type: Scalar<'a>,
    #[serde(borrow, default)]
    info: Option<Info<'a>>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    total_token_usage: Option<Usage<'a>>,
    #[serde(borrow, default)]
    last_token_usage: Option<Usage<'a>>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cached_input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_output_tokens: Scalar<'a>,
}

/// Input (cached included), cached, output (reasoning included), reasoning.
type Counts = [u64; 4];

fn counts(usage: &Usage<'_>, path: &str) -> Result<Counts, Fault> {
    let count = |value: &Scalar<'_>, field: &str| value.count(&format!("payload.info.{path}.{field}"));
    Ok([
        count(&usage.input_tokens, "input_tokens")?,
        count(&usage.cached_input_tokens, "cached_input_tokens")?,
        count(&usage.output_tokens, "output_tokens")?,
        count(&usage.reasoning_output_tokens, "reasoning_output_tokens")?,
    ])
}

/// The growth from `before` to `now`; none where a field fell.
fn growth(before: &Counts, now: &Counts) -> Option<Counts> {
    let mut grown = *now;
    for (slot, old) in grown.iter_mut().zip(before) {
        *slot = slot.checked_sub(*old)?;
    }
    Some(grown)
}

fn number(counts: &Counts) -> Vec<u8> {
    counts.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// What later lines of a session depend on.
#[derive(Default, Serialize, Deserialize)]
struct State {
    session: String,
    parent: String,
    child: bool,
    cwd: String,
    model: String,
    total: Option<Counts>,
    /// Times that the counter began anew: the same counter after a reset is another call.
    resets: u64,
    /// The last event without a counter: its time and usage.
    lone: Option<(String, Counts)>,
    /// Events of the parent that were met again; none once the child's own events have begun.
    copied: Option<usize>,
}

/// Where the session files are, by the id in their first line; filled when the first fork is met.
pub(super) struct Sessions {
    files: Vec<PathBuf>,
    by_id: std::sync::OnceLock<HashMap<String, PathBuf>>,
}

impl Sessions {
    /// Looks among these files.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Sessions {
            files,
            by_id: std::sync::OnceLock::new(),
        }
    }

    fn path(&self, id: &str) -> Option<&PathBuf> {
        let by_id = self.by_id.get_or_init(|| {
            let mut known = HashMap::new();
            for path in &self.files {
                if let Some(id) = first_session(path) {
                    known.entry(id).or_insert_with(|| path.clone());
                }
            }
            known
        });
        by_id.get(id)
    }

    /// The distinct steps of a session's counter, in order.
    fn history(&self, id: &str) -> Option<Vec<(Counts, Option<Counts>)>> {
        let mut records = Records::new(File::open(self.path(id)?).ok()?, 0, 0);
        let mut steps: Vec<(Counts, Option<Counts>)> = Vec::new();
        while let Ok(Some(record)) = records.line() {
            let Ok(line) = serde_json::from_slice::<Line<'_>>(record.bytes) else {
                continue;
            };
            let Some((Some(total), last)) = info(&line).and_then(|i| pair(&i).ok()) else {
                continue;
            };
            if steps.last().is_none_or(|(before, _)| *before != total) {
                steps.push((total, last));
            }
        }
        Some(steps)
    }
}

fn first_session(path: &PathBuf) -> Option<String> {
    let mut records = Records::new(File::open(path).ok()?, 0, 0);
    let record = records.line().ok()??;
    let line: Line<'_> = serde_json::from_slice(record.bytes.trim_ascii()).ok()?;
    if line.r#type.str() != "session_meta" {
        return None;
    }
    let meta: Meta<'_> = serde_json::from_str(line.payload?.get()).ok()?;
    Some(meta.id.str().to_owned())
}

fn info<'a>(line: &Line<'a>) -> Option<Info<'a>> {
    if line.r#type.str() != "event_msg" {
        return None;
    }
    let message: Message<'a> = serde_json::from_str(line.payload?.get()).ok()?;
    message.info.filter(|_| message.r#type.str() == "token_count")
}

fn pair(info: &Info<'_>) -> Result<(Option<Counts>, Option<Counts>), Fault> {
    let one = |usage: &Option<Usage<'_>>, path: &str| usage.as_ref().map(|u| counts(u, path)).transpose();
    Ok((
        one(&info.total_token_usage, "total_token_usage")?,
        one(&info.last_token_usage, "last_token_usage")?,
    ))
}

/// Reads the lines of one session.
pub(super) struct Codex {
    state: State,
    sessions: Arc<Sessions>,
    parent: Option<Vec<(Counts, Option<Counts>)>>,
    kinds: [Finder<'static>; 3],
}

impl Codex {
    /// A reader for one file.
    pub fn new(sessions: Arc<Sessions>) -> Self {
        Codex {
            state: State::default(),
            sessions,
            parent: None,
            kinds: ["\"token_count\"", "\"session_meta\"", "\"turn_context\""].map(Finder::new),
        }
    }

    fn begin(&mut self, meta: &Meta<'_>) {
        // The copy of a parent brings its own meta line along; the first one is this session's.
        if !self.state.session.is_empty() {
            return;
        }
        self.state.session = meta.id.str().to_owned();
        self.state.cwd = meta.cwd.str().to_owned();
        let parent = [&meta.forked_from_id, &meta.parent_thread_id]
            .into_iter()
            .find(|id| !id.str().is_empty());
        self.state.parent = parent.map_or("", Scalar::str).to_owned();
        self.state.child = parent.is_some() || meta.thread_source.str() == "subagent";
        self.state.copied = self.state.child.then_some(0);
    }

    /// Whether an event is a copy of the parent's; the first that is not ends the copy.
    fn is_copy(&mut self, total: &Counts, last: Option<&Counts>, out: &mut Output) -> bool {
        let Some(copied) = self.state.copied else { return false };
        if self.parent.is_none() {
            self.parent = self.sessions.history(&self.state.parent);
        }
        let Some(steps) = &self.parent else {
            out.warnings
                .push("forked sessions whose parent is missing: history not verified");
            // What the counter held before this event was the parent's.
            self.state.total = last.and_then(|last| growth(last, total));
            self.state.copied = None;
            return false;
        };
        if self.state.total.as_ref() == Some(total) {
            return true;
        }
        match steps.get(copied) {
            Some((step, step_last)) if step == total && step_last.as_ref() == last => {
                self.state.total = Some(*total);
                self.state.copied = Some(copied + 1);
                true
            }
            Some(_) | None => {
                self.state.copied = None;
                false
            }
        }
    }

    /// The usage of an event and what tells it apart, or nothing for one that repeats.
    fn step(
        &mut self,
        total: Option<Counts>,
        last: Option<Counts>,
        stamp: &str,
        out: &mut Output,
    ) -> Option<(Counts, EventId)> {
        let session = self.state.session.clone();
        let Some(total) = total else {
            let last = last?;
            let lone = (stamp.to_owned(), last);
            if self.state.lone.as_ref() == Some(&lone) {
                return None;
            }
            self.state.lone = Some(lone);
            let id = EventId::of(&[b"codex-last", session.as_bytes(), stamp.as_bytes(), &number(&last)]);
            return Some((last, id));
        };
        if self.is_copy(&total, last.as_ref(), out) {
            return None;
        }
        let before = self.state.total.replace(total).unwrap_or_default();
        let used = growth(&before, &total).unwrap_or_else(|| {
            self.state.resets += 1;
            last.unwrap_or(total)
        });
        let resets = self.state.resets.to_le_bytes();
        let id = EventId::of(&[b"codex", session.as_bytes(), &number(&total), &resets]);
        (used != Counts::default()).then_some((used, id))
    }
}

impl LineFormat for Codex {
    fn record(&mut self, text: &str, line_number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let whole = text.starts_with('{') && text.ends_with('}');
        if whole && self.kinds.iter().all(|kind| kind.find(text.as_bytes()).is_none()) {
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let shape = |e: serde_json::Error| Fault::field("payload", format!("unexpected shape: {e}"));
        let Some(payload) = line.payload.map(RawValue::get) else {
            return Ok(());
        };
        match line.r#type.str() {
            "session_meta" => self.begin(&serde_json::from_str(payload).map_err(shape)?),
            "turn_context" => {
                let turn: Turn<'_> = serde_json::from_str(payload).map_err(shape)?;
                if !turn.model.str().is_empty() {
                    self.state.model = turn.model.str().to_owned();
                }
            }
            "event_msg" => {
                let message: Message<'_> = serde_json::from_str(payload).map_err(shape)?;
                if let Some(info) = message.info.filter(|_| message.r#type.str() == "token_count") {
                    return self.observe(&line, &info, line_number, context, out);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> String {
        serde_json::to_string(&self.state).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.state = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Codex {
    fn observe(
        &mut self,
        line: &Line<'_>,
        info: &Info<'_>,
        line_number: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let (total, last) = pair(info)?;
        let at = context.time(&line.timestamp, "timestamp", out)?;
        let Some((used, id)) = self.step(total, last, &at.to_rfc3339(), out) else {
            out.excluded.push("repeated_counters");
            return Ok(());
        };
        let [input, cached, output, reasoning] = used;
        let named = context.label(&info.model, "payload.info.model")?;
        let state = |text: &str| Scalar::Text(text.to_owned().into());
        let model = if named.is_empty() {
            context.label(&state(&self.state.model), "turn_context.model")?
        } else {
            named
        };
        let mut event = UsageEvent::new(id, at, context.labels.get("openai"), model);
        let uncached = input.checked_sub(cached).unwrap_or_else(|| {
            out.warnings.push("input excludes cached tokens (Codex)");
            input
        });
        event.tokens.set(Bucket::InputUncached, uncached);
        event.tokens.set(Bucket::CacheRead, cached);
        event.tokens.set(Bucket::Output, output);
        event.tokens.reasoning = reasoning.min(output);
        // Several requests may lie between two events: of the last one the prompt is known, of those before it what is left.
        if let Some([asked, ..]) = last {
            event.asked_at_most(input.saturating_sub(asked).max(asked));
        }
        event.session = context.label(&state(&self.state.session), "session_meta.id")?;
        let project = context.label(&state(&self.state.cwd), "session_meta.cwd")?;
        event.dimensions.set(Dimension::Project, project);
        event.rank.line = line_number;
        out.events.push(event);
        Ok(())
    }
}
