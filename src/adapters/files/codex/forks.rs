//! Forks and subagents: sessions that begin with a copy of their parent's lines, and where the parent's own are.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memchr::memmem::Finder;

use super::super::position::Position;
use super::super::records::Records;
use super::super::sniff::{Input, unpack};
use super::lines::{Counts, Line, Meta, info};
use super::state::{Copied, State};
use crate::ports::Checkpoints;

/// The counter after a step, and the usage of its last request.
pub(super) type Step = (Counts, Option<Counts>);

/// Where a session goes on that holds no line of its parent: whose lines come before its own, and the number of the first one that does not.
pub(super) type Base = (String, u64);

type Elsewhere = Box<dyn Fn() -> Vec<PathBuf> + Send + Sync>;

/// Lines that are looked at for the id of a session: what comes before it is blank or damaged.
const LINES_BEFORE: usize = 16;

/// Sessions that are asked behind each other for the counter that another one took over: such as have told none themselves.
const FORKS: usize = 16;

/// Where the session files are, by the id that their front tells; filled when the first fork is met.
#[derive(Default)]
pub(in super::super) struct Sessions {
    files: Vec<PathBuf>,
    /// Looks for those of other sources.
    others: Option<Elsewhere>,
    by_id: OnceLock<HashMap<String, Vec<PathBuf>>>,
    /// What forks that were read before had of their parents, by their id.
    copied: HashMap<String, Copied>,
}

impl Sessions {
    /// Looks among these files.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Sessions {
            files,
            ..Sessions::default()
        }
    }

    /// Looks among these files too.
    pub fn and_in(self, others: impl Fn() -> Vec<PathBuf> + Send + Sync + 'static) -> Self {
        Sessions {
            others: Some(Box::new(others)),
            ..self
        }
    }

    /// Takes up what was known of forks when they were read before. Their files may have been moved or packed since, and be read from
    /// their front, while those of their parents are gone.
    pub fn knowing(mut self, known: &Checkpoints) -> Self {
        // The states of all others are not worth parsing.
        let forked = Finder::new(br#""history\"#);
        for checkpoint in known.values().filter(|known| forked.find(&known.0).is_some()) {
            let state = Position::parse(checkpoint).and_then(|position| State::parse(&position.state));
            if let Some((session, copied)) = state.and_then(State::into_copied) {
                let most = self.copied.entry(session).or_default();
                // An older copy of the same file has less of the same.
                if copied.events > most.events {
                    *most = copied;
                }
            }
        }
        self
    }

    /// What a fork had of its parent when it was read before.
    pub(super) fn copied(&self, id: &str) -> Option<&Copied> {
        self.copied.get(id)
    }

    fn paths(&self, id: &str) -> &[PathBuf] {
        let by_id = self.by_id.get_or_init(|| {
            let mut known: HashMap<String, Vec<PathBuf>> = HashMap::new();
            let others = self.others.as_ref().map(|look| look()).unwrap_or_default();
            for path in self.files.iter().chain(&others) {
                if let Some(id) = first_session(path) {
                    known.entry(id).or_default().push(path.clone());
                }
            }
            known
        });
        by_id.get(id).map_or(&[], Vec::as_slice)
    }

    /// The distinct steps of a session's counter, in order. Of a session that lies in several files some may be older copies, so that the
    /// longest goes first, and what only others have follows.
    pub(super) fn history(&self, id: &str) -> Option<Vec<Step>> {
        let mut all: Vec<Vec<Step>> = self.paths(id).iter().filter_map(|path| steps(path)).collect();
        all.sort_by_key(|steps| Reverse(steps.len()));
        let mut all = all.into_iter();
        let mut longest = all.next()?;
        let mut known: HashSet<Step> = HashSet::new();
        for steps in all {
            if known.is_empty() {
                known.extend(&longest);
            }
            longest.extend(steps.into_iter().filter(|step| known.insert(*step)));
        }
        Some(longest)
    }
}

impl Sessions {
    /// What the counter stood at before a line; nothing where no file that goes so far is there.
    pub(super) fn counter_before(&self, base: &Base) -> Option<Counts> {
        let mut base = base.clone();
        for _ in 0..FORKS {
            let (id, end) = &base;
            let found = self.paths(id).iter().find_map(|path| counter_before(path, *end))?;
            match found {
                Before::Counter(counter) => return Some(counter),
                Before::Base(further) => base = further,
            }
        }
        None
    }
}

/// What a file tells of the counter before a line.
enum Before {
    Counter(Counts),
    /// Nothing, and its session goes on from there.
    Base(Base),
}

fn counter_before(path: &Path, end: u64) -> Option<Before> {
    let mut records = open(path).ok()?;
    let (mut next, mut base, mut counter) = (0, None, None);
    while next < end
        && let Ok(Some(record)) = records.line()
    {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(record.bytes.trim_ascii()) else {
            continue;
        };
        let Some(number) = line.number() else { continue };
        if number >= end {
            break;
        }
        next = number + 1;
        if line.r#type.str() == "session_meta" {
            let meta = line
                .payload
                .and_then(|raw| serde_json::from_str::<Meta<'_>>(raw.get()).ok());
            base = base.or_else(|| meta?.base());
        } else if let Some((Some(total), _)) = info(&line).and_then(|info| info.counts().ok()) {
            counter = Some(total);
        }
    }
    // An older copy of the session may end before, and its last counter is not the last one.
    if next < end {
        return None;
    }
    counter.map(Before::Counter).or_else(|| base.map(Before::Base))
}

fn steps(path: &Path) -> Option<Vec<Step>> {
    let mut records = open(path).ok()?;
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

/// Codex packs sessions that nobody has touched for a week.
fn open(path: &Path) -> io::Result<Records<Input<'static>>> {
    let (input, _) = unpack(Box::new(File::open(path)?))?;
    let mut records = Records::new(input, 0, 0);
    records.skip_mark()?;
    records.skip_zeros()?;
    Ok(records)
}

/// The id of a file's session, which its first line tells that can be read.
fn first_session(path: &Path) -> Option<String> {
    let mut records = open(path).ok()?;
    for _ in 0..LINES_BEFORE {
        let record = records.line().ok()??;
        let Ok(line) = serde_json::from_slice::<Line<'_>>(record.bytes.trim_ascii()) else {
            continue;
        };
        if line.r#type.str() != "session_meta" {
            return None;
        }
        let meta: Meta<'_> = serde_json::from_str(line.payload?.get()).ok()?;
        return Some(meta.id.str().to_owned());
    }
    None
}
