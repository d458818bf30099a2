//! Events of Anthropic's streams: the first one holds the message with its prompt, a later one why it ended and what all of it used.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::record::Record;

/// Streams whose end may still follow.
const STREAMS: usize = 16;

/// Messages that have begun and not ended, the newest last.
#[derive(Default)]
pub(super) struct Streams {
    begun: Vec<Map<String, Value>>,
    /// Whether the last of these events was a beginning.
    just_begun: bool,
}

/// What an event says of the end of a message.
pub(super) enum End {
    /// The message as it is then.
    Of(String),
    /// The same of the newest of several, where nobody knows of which.
    OfSome(String),
    /// Its beginning was not seen, or it is no such event.
    Unknown,
}

/// What is told of ends of which nobody knows where they belong.
pub(super) const OF_SOME: &str = "ends of Anthropic's streams that may belong to any of several: their output counts as that of the one that began last";

/// The counts of a prompt.
const PROMPT: [&str; 3] = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];

impl Streams {
    /// Keeps a message that has begun.
    pub fn begin(&mut self, record: &Record<'_>) {
        let message = record.message.filter(|_| record.kind.str() == "message_start");
        let Some(mut message) = message.and_then(|raw| object(raw.get())) else {
            return;
        };
        let Some(id) = message.get("id").filter(|id| id.is_string()) else {
            return;
        };
        // The same event may be told twice.
        self.begun.retain(|known| known.get("id") != Some(id));
        if self.begun.len() >= STREAMS {
            self.begun.remove(0);
        }
        message.remove("content");
        self.begun.push(message);
        self.just_begun = true;
    }

    /// The message that an event ends. Of several that have begun it is one with the same prompt, the newest, else the newest of all: streams break
    /// off, and their ends never come.
    pub fn end(&mut self, record: &Record<'_>, text: &str) -> End {
        #[derive(Deserialize)]
        struct Event {
            #[serde(default)]
            delta: Map<String, Value>,
            usage: Map<String, Value>,
        }
        if self.begun.is_empty() || record.kind.str() != "message_delta" || !record.own_id().is_empty() {
            return End::Unknown;
        }
        let Ok(event) = serde_json::from_str::<Event>(text) else {
            return End::Unknown;
        };
        let asked = prompt(&event.usage);
        let fits = |message: &Map<String, Value>| {
            let told = message.get("usage").and_then(Value::as_object).and_then(prompt);
            asked.is_some() && told == asked
        };
        let fitting = self.begun.iter().filter(|message| fits(message)).count();
        let candidates = |message: &Map<String, Value>| fitting == 0 || fits(message);
        let Some(place) = self.begun.iter().rposition(candidates) else {
            return End::Unknown;
        };
        let may_be: Vec<_> = self.begun.iter().filter(|message| candidates(message)).collect();
        let of_one_model = may_be.windows(2).all(|two| match two {
            [one, other] => one.get("model") == other.get("model"),
            _ => true,
        });
        let is_known = (std::mem::take(&mut self.just_begun) && of_one_model) || may_be.len() == 1;
        let Some(mut message) = self.begun.get(place).cloned() else {
            return End::Unknown;
        };
        if event.delta.get("stop_reason").is_some_and(Value::is_string) {
            self.begun.remove(place);
        }
        message.extend(event.delta);
        // Counts are those of all of it so far; what the event leaves out is as it was.
        let usage = message.entry("usage").or_insert_with(|| Map::new().into());
        if let Some(usage) = usage.as_object_mut() {
            usage.extend(event.usage.into_iter().filter(|(_, count)| !count.is_null()));
        }
        let message = Value::Object(message).to_string();
        match is_known {
            true => End::Of(message),
            false => End::OfSome(message),
        }
    }

    /// As JSON text; empty where nothing has begun.
    pub fn save(&self) -> String {
        match self.begun.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&self.begun).unwrap_or_default(),
        }
    }

    /// Takes up what was saved.
    pub fn load(&mut self, saved: &str) {
        self.begun = serde_json::from_str(saved).unwrap_or_default();
    }
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// How much was asked; nothing where it is not told.
fn prompt(usage: &Map<String, Value>) -> Option<u64> {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    count("input_tokens")?;
    Some(PROMPT.into_iter().filter_map(count).fold(0, u64::saturating_add))
}
