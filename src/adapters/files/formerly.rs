//! What the checkpoints of a source tell of files that are not under their names any more: moved, or gone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::ports::Checkpoints;

use super::FileFormat;
use super::position::{Position, ReadAs, digest};

/// What is known of files that were read before.
#[derive(Default)]
pub(super) struct Formerly {
    /// The digests of the fronts of files, by how much of them is digested, of which calls were recorded under other columns alone.
    otherwise: BTreeMap<usize, HashSet<String>>,
    /// Under which session the sum of a file of Droid's was recorded.
    droid: HashMap<String, String>,
}

impl Formerly {
    /// What these checkpoints tell.
    pub fn of(known: &Checkpoints, as_now: &ReadAs, with_columns: bool) -> Self {
        let mut formerly = Formerly::default();
        let mut as_they_are = Vec::new();
        let wanted = |key: &str| with_columns || key.ends_with(DROID);
        for (key, at) in known.iter().filter(|(key, _)| wanted(key)) {
            let Some(at) = Position::parse(at) else { continue };
            if at.format == FileFormat::Droid.name() && !at.state.is_empty() {
                formerly.droid.insert(key.clone(), at.state);
            } else if with_columns && at.gave_otherwise(as_now) {
                formerly.otherwise.entry(at.head_len).or_default().insert(at.head);
            } else if with_columns && at.gave {
                as_they_are.push((at.head_len, at.head));
            }
        }
        for (length, head) in as_they_are {
            if let Some(heads) = formerly.otherwise.get_mut(&length) {
                heads.remove(&head);
            }
        }
        formerly
    }

    /// Whether calls of a file that begins like this were recorded under other columns.
    pub fn gave_otherwise(&self, front: &[u8]) -> bool {
        let begins = |(length, heads): (&usize, &HashSet<String>)| {
            let head = front.get(..*length);
            !heads.is_empty() && head.is_some_and(|head| heads.contains(&digest(head)))
        };
        self.otherwise.iter().any(begins)
    }

    /// The session under which the sum in a file of Droid's was recorded.
    pub fn droid(&self, file: &Path) -> Option<&str> {
        self.droid.get(file.to_string_lossy().as_ref()).map(String::as_str)
    }
}

/// How the names of files end in which Droid keeps the sums of its sessions.
pub(super) const DROID: &str = ".settings.json";
