//! Channels on this machine: standard output and files.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::webhook::document;
use crate::domain::notification::Notification;
use crate::domain::screen;
use crate::ports::{DeliveryError, Notifier, Receipt, Retry};

/// Writes messages as text.
pub struct StdoutChannel {
    name: String,
    out: Mutex<Box<dyn Write + Send>>,
}

impl StdoutChannel {
    /// A channel that writes to `out`.
    #[must_use]
    pub fn new(name: String, out: Box<dyn Write + Send>) -> Self {
        StdoutChannel {
            name,
            out: Mutex::new(out),
        }
    }
}

/// A message as text. Control characters in foreign names are replaced, so that they cannot steer a terminal.
#[must_use]
pub fn text(message: &Notification) -> String {
    let test = if message.test { "[TEST] " } else { "" };
    let mut text = format!(
        "{test}[{} {}] {}\n",
        message.severity,
        message.told,
        shown(&message.title)
    );
    if !message.summary.is_empty() {
        text += &format!("  {}\n", shown(&message.summary));
    }
    let width = message
        .facts
        .iter()
        .map(|f| shown(&f.label).chars().count())
        .max()
        .unwrap_or_default();
    for fact in &message.facts {
        text += &format!("  {:width$}  {}\n", shown(&fact.label), shown(&fact.value));
    }
    for line in &message.lines {
        text += &format!("  - {}\n", shown(line));
    }
    let owner = message.owner.iter().map(|o| format!(", owner {}", shown(o)));
    let runbook = message.runbook.iter().map(|r| format!(", runbook {}", shown(r)));
    text += &format!(
        "  {}, {}{}\n",
        message.as_of(),
        shown(&message.about()),
        owner.chain(runbook).collect::<String>()
    );
    text
}

/// Foreign text that stays on its line and steers no terminal.
fn shown(text: &str) -> String {
    screen::shown(text, '\u{fffd}')
}

fn io(error: &std::io::Error) -> DeliveryError {
    DeliveryError {
        message: error.to_string(),
        retry: Retry::Backoff,
    }
}

impl Notifier for StdoutChannel {
    fn channel(&self) -> &str {
        &self.name
    }

    fn deliver(&self, message: &Notification, _timeout: Duration) -> Result<Receipt, DeliveryError> {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        out.write_all(text(message).as_bytes())
            .and_then(|()| out.flush())
            .map_err(|e| io(&e))?;
        Ok(Receipt {
            answer: "written".to_owned(),
        })
    }
}

/// Appends messages to a file, one JSON document a line.
pub struct FileChannel {
    name: String,
    path: PathBuf,
}

impl FileChannel {
    /// A channel that appends to the file at `path`.
    #[must_use]
    pub fn new(name: String, path: PathBuf) -> Self {
        FileChannel { name, path }
    }

    fn failed(&self, cause: &std::io::Error) -> DeliveryError {
        let what = match self.is_without_folder() {
            true => "the folder is not there",
            false => "check its permissions and the free space",
        };
        DeliveryError {
            message: format!("cannot write `{}`: {cause}; {what}", self.path.display()),
            ..io(cause)
        }
    }

    /// Whether the folder of the file is not there: none is made, since a disk may be missing under its name.
    #[must_use]
    pub fn is_without_folder(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.is_some_and(|folder| folder.try_exists().is_ok_and(|there| !there))
    }
}

impl Notifier for FileChannel {
    fn channel(&self) -> &str {
        &self.name
    }

    fn deliver(&self, message: &Notification, _timeout: Duration) -> Result<Receipt, DeliveryError> {
        let line = document(message)? + "\n";
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(|e| self.failed(&e))?;
        // One write in append mode: two processes do not interleave, a killed one leaves a whole line or none.
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(|e| self.failed(&e))?;
        Ok(Receipt {
            answer: "appended".to_owned(),
        })
    }
}
