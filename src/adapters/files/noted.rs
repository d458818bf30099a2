//! What is noted of the file at hand beside the place where reading it stands.

use std::fs::File;
use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::agents::Droid;
use super::discover::Found;
use super::line::Fault;
use super::position::Position;
use super::read::Run;
use super::records::{Record, Records};
use super::sniff::{DETECT_BYTES, framing, recognise, unpack};
use super::{CLOCK_SKEW, FileFormat};

/// Who writes a table goes on within that time, as a rule: until then a last row without a line end may be a part of one.
const STILL_WRITTEN: TimeDelta = TimeDelta::hours(1);

impl Run<'_> {
    /// Begins a file.
    pub fn begin_file(&mut self) {
        self.refused_before = self.refused;
        self.understood = false;
        self.gave = false;
        (self.written, self.waits_for_ends) = (false, false);
        self.context.refused_until = None;
    }

    /// Notes what was refused of the file at hand.
    pub fn note(&self, position: &mut Position) {
        position.refused |= self.refused > self.refused_before;
        position.gave |= self.gave;
        let until = [position.until, self.context.refused_until];
        position.until = until.into_iter().flatten().min();
    }

    /// Notes that rows of bills were read from a file, which are told later; of one that is not sound it is not kept that it was read.
    pub fn bill_read(&mut self, name: &str, position: Option<Position>, sound: bool) {
        if let Some(mut position) = position {
            self.note(&mut position);
            let position = Some(position).filter(|_| sound);
            self.bill_positions.push((name.to_owned(), position));
        }
    }

    /// Tells a last record that has no end; whether it is left for the next run, as it may still be written.
    pub fn unended(&mut self, name: &str, record: &Record<'_>) -> bool {
        if self.written {
            self.sink.warn("last records that are not complete yet", 1);
        } else {
            // Nobody goes on with it.
            let reason = "it ends in the middle of a record";
            self.refuse(name, record.line, Fault::whole(reason), record.bytes);
        }
        self.written
    }

    /// Whether a file was changed just now. A time that is far from now, also ahead of it, is that of another clock.
    pub fn is_new(&self, found: &Found) -> bool {
        let changed: Option<DateTime<Utc>> = found.metadata.modified().ok().map(Into::into);
        let now = self.options.latest - CLOCK_SKEW;
        changed.is_some_and(|changed| (now - changed).abs() < STILL_WRITTEN)
    }

    /// Tells a file of which nothing was understood, where the settings say what it holds and it does not look so.
    pub fn check_kind(&mut self, found: &Found) {
        let foreign = self.shared.columns.is_some() || !found.metadata.is_file();
        // These refuse what is none of their rows.
        let refuses = |kind: &FileFormat| matches!(kind, FileFormat::Focus | FileFormat::Cur);
        let Some(kind) = self.options.format.filter(|kind| !foreign && !refuses(kind)) else {
            return;
        };
        if self.understood || self.refused > self.refused_before {
            return;
        }
        if kind == FileFormat::Droid && Droid::are_messages(&found.path) {
            return;
        }
        let about = match looks_like(found, kind) {
            Ok(Some(other)) if other != kind => {
                format!("files hold no record of the kind `{kind}`, and look like `{other}`")
            }
            // Sessions without an answer have lines of many kinds.
            Ok(None) if !self.usual && kind != FileFormat::ClaudeCode && kind != FileFormat::Codex => {
                format!("files hold no record of the kind `{kind}`")
            }
            // Whether it can be read was told.
            Ok(Some(_) | None) | Err(_) => return,
        };
        // As many texts as kinds, however many files there are.
        let first = || found.path.display().to_string();
        let first = self.no_spend.files.entry(about.clone()).or_insert_with(first);
        self.sink.warn(&format!("{about}, such as `{first}`"), 1);
    }
}

/// What a file looks like that should be of a kind. Of one that holds no record nothing can be told: it fails.
fn looks_like(found: &Found, kind: FileFormat) -> io::Result<Option<FileFormat>> {
    let (input, _) = unpack(Box::new(File::open(&found.path)?))?;
    let mut records = Records::new(input, 0, 0);
    records.skip_mark()?;
    records.skip_zeros()?;
    let front = records.peek(DETECT_BYTES)?;
    if front.iter().all(u8::is_ascii_whitespace) || is_empty_answer(front) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let looks = recognise(front, framing(front));
    // Around calls there may be pages of nothing but spans.
    // Requests to LiteLLM that are no calls have no counts.
    let own = [
        (FileFormat::Langfuse, "\"traceId\""),
        (FileFormat::Litellm, "\"call_type\""),
    ];
    let own = own.into_iter().find_map(|(own, key)| (own == kind).then_some(key));
    let is_own = looks.is_none() && own.is_some_and(|key| memmem::find(front, key.as_bytes()).is_some());
    Ok(if is_own { Some(kind) } else { looks })
}

/// Whether a text is an empty list, or one or more pages without a record: what an interface answers where nothing was used.
fn is_empty_answer(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Page {
        #[serde(alias = "observations", alias = "results")]
        data: [IgnoredAny; 0],
    }
    if serde_json::from_slice::<[IgnoredAny; 0]>(text).is_ok() {
        return true;
    }
    let mut pages = serde_json::Deserializer::from_slice(text).into_iter::<Page>();
    pages.all(|page| page.is_ok_and(|page| page.data.is_empty()))
}
