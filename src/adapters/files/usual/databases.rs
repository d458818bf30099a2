//! Where agents that keep their sessions in databases have them: OpenClaw, Goose and Crush.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::database;
use super::{Folders, Place, is_missing};

/// Bytes of a list of projects at most.
const MOST_BYTES: u64 = 16 << 20;

/// Whether a database has no sessions: some versions kept other things in it alone.
pub(super) fn is_of_none(path: &Path) -> bool {
    let names = ["crush.db", "openclaw-agent.sqlite"];
    names.into_iter().any(|name| path.ends_with(name)) && !database::are_in(path)
}

/// The projects that Crush was used in.
#[derive(Deserialize, Default)]
struct Projects {
    #[serde(default)]
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    data_dir: PathBuf,
}

impl Folders<'_> {
    /// Where OpenClaw keeps sessions, which are pi's: also those that it set aside, under a time. It had other names before.
    pub(super) fn openclaw(&self) -> Vec<Place> {
        // A list of the sessions lies beside them.
        let inside = [
            "agents/*/agent/openclaw-agent.sqlite",
            "agents/*/sessions/*.jsonl",
            "agents/*/sessions/*Z",
            "agents/*/sessions/*.zst",
            // What no session was known of any more when the others were copied into the database.
            "agents/*/session-sqlite-import-archive/archive-tier.*",
        ];
        self.of_openclaw(&inside)
    }

    /// Where Codex keeps sessions that OpenClaw has it work on, if that is there.
    pub(super) fn codex_of_openclaw(&self) -> Vec<Place> {
        let inside = [
            "agents/*/agent/codex-home/sessions",
            "agents/*/agent/codex-home/archived_sessions",
            "agents/*/agent/cli-auth/codex/*/sessions",
            "agents/*/agent/cli-auth/codex/*/archived_sessions",
        ];
        let mut places = self.of_openclaw(&inside);
        places.retain(|place| !is_missing(&place.folder));
        // One that is missing is told as a place of its own sessions.
        places.iter_mut().for_each(|place| place.named = None);
        places
    }

    fn of_openclaw(&self, inside: &[&'static str]) -> Vec<Place> {
        let variables = ["OPENCLAW_STATE_DIR", "CLAWDBOT_STATE_DIR"];
        let mut places = self.places(&variables, "~/.openclaw", "", inside);
        if places.iter().all(|place| place.named.is_none()) {
            let before = ["~/.clawdbot", "~/.moltbot", "~/.moldbot"];
            for folder in before.into_iter().filter(|folder| !is_missing(&self.of(folder))) {
                places.extend(self.places(&[], folder, "", inside));
            }
        }
        places
    }

    /// Where Goose keeps its sessions: in the data folder of the system, or in a folder of its own for all that it has.
    pub(super) fn goose(&self) -> Vec<Place> {
        let root = (self.env)("GOOSE_PATH_ROOT").filter(|root| Path::new(root.trim()).is_absolute());
        // Others than whole paths it does not heed.
        if root.is_some() {
            return self.places(&["GOOSE_PATH_ROOT"], "", "data", &["sessions"]);
        }
        // Other systems have other folders.
        let others = [
            "~/Library/Application Support/Block/goose",
            "~/AppData/Roaming/Block/goose/data",
        ];
        let others = others.map(|folder| self.of(folder)).into_iter();
        let folders = [self.data("goose")]
            .into_iter()
            .chain(others.filter(|folder| !is_missing(folder)));
        let place = |folder: PathBuf| Place {
            folder,
            inside: "sessions",
            named: None,
        };
        folders.map(place).collect()
    }

    /// Where Crush keeps its databases: one in each project, which it lists, and that of its server.
    pub(super) fn crush(&self) -> Vec<Place> {
        let data = self.data("crush");
        let (folder, named) = self.named(&["CRUSH_GLOBAL_DATA"], &data.to_string_lossy());
        let mut folders = vec![folder];
        let of_windows = self.of("~/AppData/Local/crush");
        if named.is_none() && !is_missing(&of_windows) {
            folders.push(of_windows);
        }
        let mut places = Vec::new();
        for folder in folders {
            let list = list_of(&folder.join("projects.json"));
            // What is no list names no project.
            let list: Projects = serde_json::from_slice(&list).unwrap_or_default();
            places.extend(list.projects.into_iter().map(|project| Place {
                folder: self.base.join(project.data_dir),
                inside: "crush.db",
                named: None,
            }));
            places.push(Place {
                folder,
                inside: ".crush/crush.db",
                named: named.clone(),
            });
        }
        places
    }
}

/// A list of projects; nothing of what is no file, or far larger than such a list.
fn list_of(path: &Path) -> Vec<u8> {
    match path.metadata() {
        Ok(found) if found.is_file() && found.len() <= MOST_BYTES => std::fs::read(path).unwrap_or_default(),
        Ok(_) | Err(_) => Vec::new(),
    }
}
