//! Sessions of Factory's Droid (`ID.settings.json`): what a session used so far, as one sum that grows; nothing tells it call by call. Input
//! excludes cached tokens; thoughts are within the output. Identity is the session: of several sums of it the later one counts, as a whole. A
//! session that goes on from a compacted one begins with its sum: it counts as the session that it goes on from.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::formerly::{DROID as END, Formerly};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::Scalar;
use super::super::value::Value;
use super::{seller, written};

/// How far the first lines of a session's messages are looked for.
const FRONT: u64 = 4 << 20;
/// Lines among which the time of a session stands.
const LINES: usize = 50;

/// Reads the sums of sessions.
pub(in super::super) struct Droid {
    formerly: Arc<Formerly>,
    /// The session as which the sum of the file counts.
    counts_as: String,
}

impl Droid {
    /// The reader of a file, where so much is known of those that were read before.
    pub fn new(formerly: &Arc<Formerly>) -> Self {
        Droid {
            formerly: Arc::clone(formerly),
            counts_as: String::new(),
        }
    }

    /// Whether a file holds the messages of a session, whose sum lies beside it.
    pub fn are_messages(file: &Path) -> bool {
        let id = file.file_name().and_then(|name| name.to_str()?.strip_suffix(".jsonl"));
        id.is_some_and(|id| file.with_file_name(format!("{id}{END}")).exists())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    #[serde(borrow, default)]
    model: Scalar<'a>,
    #[serde(borrow, default)]
    provider_lock: Scalar<'a>,
    #[serde(borrow, default)]
    provider_lock_timestamp: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    token_usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_creation_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    thinking_tokens: Scalar<'a>,
}

impl LineFormat for Droid {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let settings: Settings<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        let Some(used) = &settings.token_usage else {
            return Ok(());
        };
        let model = settings.model.str();
        // What is no model of Factory's is asked with a key of one's own, under a name of one's own.
        let (paid, model) = match model.strip_prefix("custom:") {
            Some(own) => (seller(settings.provider_lock.str(), own), own),
            None => ("factory", model),
        };
        let counts = Counts {
            input: used.input_tokens.count("tokenUsage.inputTokens")?,
            read: used.cache_read_tokens.count("tokenUsage.cacheReadTokens")?,
            output: used.output_tokens.count("tokenUsage.outputTokens")?,
            reasoning: used.thinking_tokens.count("tokenUsage.thinkingTokens")?,
            ..written(
                paid,
                used.cache_creation_tokens.count("tokenUsage.cacheCreationTokens")?,
            )
        };
        let tokens = counts.tokens(Input::Excludes, "Droid", out);
        if tokens.total() == 0 {
            // It was opened, and nothing asked in it.
            out.excluded.push("records_without_usage");
            return Ok(());
        }
        let session = Session::beside(&context.file, &self.formerly);
        let begun = Scalar::Text(session.begun.as_str().into());
        let at = match session.begun.is_empty() {
            true => context.time(&settings.provider_lock_timestamp, "providerLockTimestamp", out)?,
            false => context.time(&begun, "timestamp", out)?,
        };
        let id = match session.root.as_str() {
            // Of what is no file of this machine.
            "" => EventId::of(&[b"droid-begun", at.to_rfc3339().as_bytes()]),
            root => EventId::of(&[b"droid", root.as_bytes()]),
        };
        let (paid, model) = (context.labels.get(paid), context.label(Value::Text(model), "model")?);
        let mut event = UsageEvent::new(id, at, paid, model);
        event.tokens = tokens;
        event.rank.authority = Rank::REPORT;
        // Sums of one session are of one time, whether its messages lay beside them or not: the later reading counts.
        if !session.begun.is_empty() && !settings.provider_lock_timestamp.is_null() {
            let locked = context.time(&settings.provider_lock_timestamp, "providerLockTimestamp", out);
            event.rank.at = locked.unwrap_or(at);
        }
        event.rank.line = number;
        event.session = context.labels.get(&session.id);
        event
            .dimensions
            .set(Dimension::Project, context.labels.get(&session.folder));
        out.events.push(event);
        self.counts_as = session.root;
        Ok(())
    }

    fn save(&self) -> String {
        self.counts_as.clone()
    }

    fn load(&mut self, state: &str) {
        state.clone_into(&mut self.counts_as);
    }
}

/// What lies beside the sum of a session; empty where it does not.
#[derive(Default)]
struct Session {
    id: String,
    /// The session that this one goes on from, however often it was compacted since.
    root: String,
    folder: String,
    /// The time of the first record that has one.
    begun: String,
}

/// The first lines of a session's messages.
#[derive(Deserialize, Default)]
struct Line {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
}

impl Session {
    fn beside(file: &Path, formerly: &Formerly) -> Self {
        let name = file.file_name().map(|name| name.to_string_lossy());
        let (Some(id), Some(folder)) = (name.as_deref().and_then(|name| name.strip_suffix(END)), file.parent()) else {
            return Session::default();
        };
        let first = lines(folder, id);
        let of = |part: fn(&Line) -> Option<&String>| first.iter().find_map(part).cloned().unwrap_or_default();
        // Sessions that it goes on from may be deleted since it, or one of them, was recorded.
        let recorded = |id: &str| formerly.droid(&folder.join(format!("{id}{END}"))).map(str::to_owned);
        let mut root = id.to_owned();
        // Nobody wrote a circle; if somebody did, it ends.
        let mut met = HashSet::from([root.clone()]);
        let mut at = handed_on(&first);
        loop {
            if let Some(known) = recorded(&root) {
                root = known;
                break;
            }
            let Some(parent) = at.filter(|parent| met.insert(parent.clone())) else {
                break;
            };
            at = handed_on(&lines(folder, &parent));
            root = parent;
        }
        Session {
            id: id.to_owned(),
            root,
            folder: of(|line| line.cwd.as_ref()),
            begun: of(|line| line.timestamp.as_ref()),
        }
    }
}

/// The session whose sum this one began with: one that was compacted, and is gone on with here.
fn handed_on(lines: &[Line]) -> Option<String> {
    let [begin, next, ..] = lines else { return None };
    let compacted = next.r#type == "compaction_state";
    begin.parent.clone().filter(|parent| compacted && is_name(parent))
}

/// Whether it is the name of a file, and leads nowhere else.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.')
}

/// The first lines of a session, to the first that tells a time.
fn lines(folder: &Path, id: &str) -> Vec<Line> {
    let path = folder.join(format!("{id}.jsonl"));
    // What is no file may be a pipe, at which one would wait.
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let Some(file) = is_file.then(|| File::open(&path).ok()).flatten() else {
        return Vec::new();
    };
    let mut lines: Vec<Line> = Vec::new();
    for line in BufReader::new(file.take(FRONT)).split(b'\n').take(LINES) {
        let Ok(line) = line else { break };
        let line: Line = serde_json::from_slice(&line).unwrap_or_default();
        let timed = line.timestamp.is_some();
        lines.push(line);
        if timed && lines.len() > 1 {
            break;
        }
    }
    lines
}
