//! Readers of files that hold records of several formats.

use std::collections::BTreeMap;

use memchr::memmem::{self, Finder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FileFormat;
use super::detect;
use super::line::{Context, Fault, LineFormat, Output};
use super::readers::{Shared, single};
use super::scan::Lines;

/// Tells record by record which format it is.
pub(super) struct Mixed {
    /// The format of records that do not tell.
    usual: FileFormat,
    shared: Shared,
    readers: Vec<(FileFormat, Box<dyn LineFormat>)>,
    /// Whether it is a log in which calls are few: its lines that are no JSON are no damaged records.
    of_log: bool,
}

/// What makes a reader one of a log that does not begin with calls, and the name of that in its state.
pub(super) const OF_LOG: &str = r#"{"log":"1"}"#;
const LOG: &str = "log";

impl Mixed {
    /// A reader of records most of which are of one format.
    pub fn new(usual: FileFormat, shared: &Shared) -> Self {
        Mixed {
            usual,
            shared: shared.clone(),
            readers: Vec::new(),
            of_log: false,
        }
    }

    fn of(&mut self, format: FileFormat) -> Option<&mut dyn LineFormat> {
        let at = match self.readers.iter().position(|(known, _)| *known == format) {
            Some(at) => at,
            None => {
                self.readers.push((format, single(format, &self.shared)));
                self.readers.len() - 1
            }
        };
        self.readers
            .get_mut(at)
            .map(|(_, reader)| reader.as_mut() as &mut dyn LineFormat)
    }

    fn read(
        &mut self,
        format: FileFormat,
        text: &str,
        line: u64,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        if format.is_bill() {
            return Err(Fault::whole(format!(
                "a record of the format {format}, which needs a file of its own"
            )));
        }
        match self.of(format) {
            Some(reader) => reader.record(text, line, context, out),
            None => Ok(()),
        }
    }

    fn states(&self) -> BTreeMap<String, String> {
        let states = self.readers.iter().map(|(format, reader)| (*format, reader.save()));
        let kept = states.filter(|(_, state)| !state.is_empty());
        let kept = kept.map(|(format, state)| (format.name().to_owned(), state));
        let log = self.of_log.then(|| (LOG.to_owned(), "1".to_owned()));
        kept.chain(log).collect()
    }

    fn take_up(&mut self, states: &BTreeMap<String, String>) {
        self.of_log |= states.contains_key(LOG);
        for (format, state) in states {
            if let Some(reader) = format.parse().ok().and_then(|format| self.of(format)) {
                reader.load(state);
            }
        }
    }
}

impl LineFormat for Mixed {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let format = match detect::by_record(text) {
            Some(format) => format,
            // What is no JSON at all is told as the damaged record that it is.
            None if (!self.of_log || text.starts_with('{'))
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() =>
            {
                self.usual
            }
            None => {
                untold(text, out);
                return Ok(());
            }
        };
        self.read(format, text, line, context, out)
    }

    fn save(&self) -> String {
        let states = self.states();
        match states.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&states).unwrap_or_default(),
        }
    }

    fn load(&mut self, state: &str) {
        self.take_up(&serde_json::from_str(state).unwrap_or_default());
    }
}

/// What is told of records that may be calls.
const UNREAD: &str = "records that count tokens in a `usage` (or `tokens`) where no format that is known has one: not read, a coverage gap";

/// What records are that tell no usage.
const WITHOUT_USAGE: &str = "records_without_usage";

/// Tells a record of no format.
pub(super) fn untold(text: &str, out: &mut Output) {
    out.excluded.push(WITHOUT_USAGE);
    if counts_tokens(text) {
        out.warnings.push(UNREAD);
    }
}

/// Names of usage, in small letters.
const NAMES: [&str; 6] = [
    "usage",
    "usagemetadata",
    "usage_metadata",
    "token_usage",
    "tokenusage",
    "tokens",
];

/// What these names end in, as they are written.
const ENDS: [&str; 5] = ["usage", "Usage", "sageMetadata", "usage_metadata", "okens"];

/// Whether a record holds an object with a name of usage, however deep, that counts tokens, also in texts of JSON where loggers put them.
#[cold]
fn counts_tokens(text: &str) -> bool {
    // What people say has its quotes escaped, as has what a logger keeps as a text.
    let ends = |mark: char| ENDS.iter().map(move |end| format!("{end}{mark}"));
    let named = |name: String| memmem::find(text.as_bytes(), name.as_bytes()).is_some();
    ends('"').chain(ends('\\')).any(named)
        && serde_json::from_str(text).is_ok_and(|value: Value| counts_within(&value, TEXTS))
}

/// Texts in texts that are looked into.
const TEXTS: u32 = 3;

fn counts_within(value: &Value, texts: u32) -> bool {
    match value {
        Value::Object(map) => {
            let counts = |(name, used): (&String, &Value)| {
                let name = name.to_ascii_lowercase();
                let used = used.as_object().filter(|_| NAMES.contains(&name.as_str()));
                used.is_some_and(|used| used.iter().any(|count| is_count(name.contains("token"), count)))
            };
            let as_text = |(name, value): (&String, &Value)| {
                let text = value
                    .as_str()
                    .filter(|_| texts > 0 && detect::is_logged(name.as_bytes()));
                let text = text.filter(|text| text.trim_start().starts_with('{'));
                let value = text.and_then(|text| serde_json::from_str(text).ok());
                value.is_some_and(|value| counts_within(&value, texts - 1))
            };
            map.iter().any(|entry| counts(entry) || as_text(entry))
                || map.values().any(|inner| counts_within(inner, texts))
        }
        Value::Array(list) => list.iter().any(|inner| counts_within(inner, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether it is a count of tokens above zero. In objects of tokens their names are short: `input`.
fn is_count(of_tokens: bool, (name, count): (&String, &Value)) -> bool {
    let name = name.to_ascii_lowercase();
    let short = || {
        of_tokens
            && ["input", "output", "prompt", "completion"]
                .iter()
                .any(|n| name.contains(n))
    };
    (name.ends_with("tokens") || name.ends_with("tokencount") || short())
        && count.as_u64().is_some_and(|count| count > 0)
}

/// Reads records of one format, which costs what that format costs, and those of others among them.
pub(super) struct Mostly<R> {
    usual: FileFormat,
    /// What most records of the usual format begin with, and none of others, so that the format of those without usage need not be told.
    signs: Vec<Finder<'static>>,
    reader: R,
    others: Mixed,
}

/// Bytes within which a record shows its sign.
const SIGN_WITHIN: usize = 160;

/// The states of the usual format and of the others.
#[derive(Serialize, Deserialize)]
struct States {
    usual: String,
    others: BTreeMap<String, String>,
}

impl<R: LineFormat> Mostly<R> {
    /// A reader of `usual` records; `signs` are texts that they, and no others, have near their beginning.
    pub fn new(usual: FileFormat, signs: &[&'static str], reader: R, shared: &Shared) -> Self {
        Mostly {
            usual,
            signs: signs.iter().map(|sign| Finder::new(*sign)).collect(),
            reader,
            others: Mixed::new(usual, shared),
        }
    }

    fn shows_sign(&self, text: &str) -> bool {
        let front = text.as_bytes().get(..SIGN_WITHIN).unwrap_or(text.as_bytes());
        self.signs.iter().any(|sign| sign.find(front).is_some())
    }
}

impl<R: LineFormat> LineFormat for Mostly<R> {
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let before = out.lengths();
        let read = self.reader.record(text, line, context, out);
        let [events, ..] = before;
        if read.is_ok() && (out.events.len() > events || self.shows_sign(text)) {
            return read;
        }
        match detect::by_record(text) {
            Some(format) if format != self.usual => {
                out.back_to(before);
                self.others.read(format, text, line, context, out)
            }
            None if read.is_ok() && out.lengths() == before && counts_tokens(text) => {
                out.excluded.push(WITHOUT_USAGE);
                out.warnings.push(UNREAD);
                read
            }
            Some(_) | None => read,
        }
    }

    fn calls(&mut self, lines: &mut Lines<'_>, most: usize, context: &mut Context, out: &mut Output) {
        // What is a call to the usual reader needs no other one.
        self.reader.calls(lines, most, context, out);
    }

    fn save(&self) -> String {
        let (usual, others) = (self.reader.save(), self.others.states());
        match others.is_empty() {
            true => usual,
            false => serde_json::to_string(&States { usual, others }).unwrap_or_default(),
        }
    }

    fn load(&mut self, state: &str) {
        match serde_json::from_str::<States>(state) {
            Ok(states) => {
                self.reader.load(&states.usual);
                self.others.take_up(&states.others);
            }
            Err(_) => self.reader.load(state),
        }
    }
}
