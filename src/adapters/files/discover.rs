//! Finds the files of a source, each real file once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::domain::glob::glob_matches;

/// Endings of usage files; each also with `.gz` and `.zst`.
const ENDINGS: [&str; 4] = [".jsonl", ".json", ".csv", ".ndjson"];

/// The folders where Claude Code keeps its logs: `CLAUDE_CONFIG_DIR` (a comma-separated list), else the two usual ones.
pub fn claude_folders(env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let listed = env("CLAUDE_CONFIG_DIR").filter(|l| !l.trim().is_empty());
    let roots: Vec<PathBuf> = match listed {
        Some(list) => list.split(',').map(|p| home(p.trim(), env)).collect(),
        None => ["~/.config/claude", "~/.claude"].iter().map(|p| home(p, env)).collect(),
    };
    roots
        .into_iter()
        .map(|root| {
            if root.ends_with("projects") {
                root
            } else {
                root.join("projects")
            }
        })
        .collect()
}

/// The folders where Codex keeps its logs: below `CODEX_HOME` (a comma-separated list), else `~/.codex`.
pub fn codex_folders(env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let list = env("CODEX_HOME")
        .filter(|l| !l.trim().is_empty())
        .unwrap_or_else(|| "~/.codex".to_owned());
    let roots = list.split(',').map(|p| home(p.trim(), env)).collect::<Vec<_>>();
    roots
        .iter()
        .flat_map(|root| ["sessions", "archived_sessions"].map(|sub| root.join(sub)))
        .collect()
}

/// Replaces a leading `~` by the home folder.
pub fn home(path: &str, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    match path
        .strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        Some(rest) => {
            let home = env("HOME").or_else(|| env("USERPROFILE")).unwrap_or_default();
            PathBuf::from(home + rest)
        }
        None => PathBuf::from(path),
    }
}

/// The files that a path names: itself, everything in a folder that looks like usage, or what a glob matches.
/// Sorted; an error names a path that does not exist.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let text = path.to_string_lossy();
    let mut found = BTreeSet::new();
    if text.contains(['*', '?']) && !path.exists() {
        let fixed: PathBuf = path
            .iter()
            .take_while(|part| !part.to_string_lossy().contains(['*', '?']))
            .collect();
        for file in walk(&fixed) {
            if glob_matches(&text, &file.to_string_lossy()) {
                found.insert(real(&file));
            }
        }
    } else if path.is_dir() {
        found.extend(walk(path).filter(|f| is_usage_file(f)).map(|f| real(&f)));
    } else if path.exists() {
        found.insert(real(path));
    } else {
        return Err("no such file or folder".to_owned());
    }
    Ok(found.into_iter().collect())
}

fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = walkdir::WalkDir::new(folder)
        .follow_links(true)
        .max_depth(32)
        .into_iter()
        .filter_map(Result::ok);
    entries
        .filter(|e| e.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
}

fn is_usage_file(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.ends_with(".expected.json")
}

/// The canonical path, so that a file met through a link or two globs is one file.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
