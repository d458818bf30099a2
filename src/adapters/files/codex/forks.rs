//! Forks and subagents: sessions that begin with a copy of their parent's lines, and where the parent's own are.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::super::records::Records;
use super::super::sniff::{Input, unpack};
use super::lines::{Counts, Line, Meta, info};

/// The counter after a step, and the usage of its last request.
pub(super) type Step = (Counts, Option<Counts>);

/// Where the session files are, by the id in their first line; filled when the first fork is met.
pub(in super::super) struct Sessions {
    files: Vec<PathBuf>,
    by_id: OnceLock<HashMap<String, PathBuf>>,
}

impl Sessions {
    /// Looks among these files.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Sessions {
            files,
            by_id: OnceLock::new(),
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
    pub(super) fn history(&self, id: &str) -> Option<Vec<Step>> {
        let mut records = open(self.path(id)?).ok()?;
        let mut steps: Vec<Step> = Vec::new();
        while let Ok(Some(record)) = records.line() {
            let Ok(line) = serde_json::from_slice::<Line<'_>>(record.bytes) else {
                continue;
            };
            let Some((Some(total), last)) = info(&line).and_then(|i| i.counts().ok()) else {
                continue;
            };
            if steps.last().is_none_or(|(before, _)| *before != total) {
                steps.push((total, last));
            }
        }
        Some(steps)
    }
}

/// Codex packs sessions that nobody has touched for a week.
fn open(path: &Path) -> io::Result<Records<Input<'static>>> {
    let (input, _) = unpack(Box::new(File::open(path)?))?;
    Ok(Records::new(input, 0, 0))
}

fn first_session(path: &Path) -> Option<String> {
    let mut records = open(path).ok()?;
    let record = records.line().ok()??;
    let line: Line<'_> = serde_json::from_slice(record.bytes.trim_ascii()).ok()?;
    if line.r#type.str() != "session_meta" {
        return None;
    }
    let meta: Meta<'_> = serde_json::from_str(line.payload?.get()).ok()?;
    Some(meta.id.str().to_owned())
}
