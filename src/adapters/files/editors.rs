//! Where Visual Studio Code, and what is made of it, keep what their extensions store.

use std::path::{Path, PathBuf};

/// Editors, by the names of their folders.
const EDITORS: [&str; 8] = [
    "Antigravity",
    "Code",
    "Code - Insiders",
    "Code - OSS",
    "Cursor",
    "Positron",
    "VSCodium",
    "Windsurf",
];

/// What runs for an editor on another machine, by the names of its folders.
const SERVERS: [&str; 4] = [
    ".cursor-server",
    ".vscode-server",
    ".vscode-server-insiders",
    ".windsurf-server",
];

/// The folders of a user that those of programs lie in.
pub(super) struct Homes {
    pub home: PathBuf,
    /// Of their settings: on Linux, on macOS, on Windows.
    pub config: Vec<PathBuf>,
    pub data: PathBuf,
}

impl Homes {
    /// The folders of an extension that are there.
    pub fn of_extension(&self, extension: &str) -> Vec<PathBuf> {
        let of_editors = self
            .config
            .iter()
            .flat_map(|config| EDITORS.iter().map(|editor| config.join(editor)));
        let of_servers = SERVERS.iter().map(|server| self.home.join(server).join("data"));
        let all = of_editors.chain(of_servers).chain([self.data.join("code-server")]);
        all.map(|folder| folder.join("User/globalStorage").join(extension))
            .filter(|folder| is_there(folder))
            .collect()
    }
}

/// Whether a folder is there. An editor's folder that may not be looked into says nothing of an extension in it.
fn is_there(folder: &Path) -> bool {
    folder.try_exists().unwrap_or(false)
}
