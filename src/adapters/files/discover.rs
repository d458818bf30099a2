//! Finds the files that a configured path means: a file, a folder, a glob, `~`, or `-`.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::ports::SourceError;

/// One file to read.
pub(super) struct Found {
    /// Canonical path; the key of its checkpoint.
    pub path: PathBuf,
    /// Its size and time.
    pub metadata: Metadata,
    /// Named by the user rather than found in a folder.
    pub named: bool,
}

/// Every real file once, in order of path, and whether standard input is among the paths.
pub(super) fn discover(
    paths: &[String],
    base: &Path,
    env: fn(&str) -> Option<String>,
) -> Result<(Vec<Found>, bool), SourceError> {
    let mut found = Vec::new();
    let mut stdin = false;
    for path in paths {
        if path == "-" {
            stdin = true;
            continue;
        }
        let full = base.join(home(path, env));
        if full.exists() {
            collect(&full, &mut found)?;
        } else if path.contains(['*', '?', '[', '{']) {
            expand(base, &home(path, env), &mut found)?;
        } else {
            return Err(SourceError::Read {
                what: path.clone(),
                cause: "no such file or folder".to_owned(),
                hint: format!("check the spelling; looked for it at `{}`", full.display()),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path).then(b.named.cmp(&a.named)));
    let mut seen = HashSet::new();
    let mut inodes = HashSet::new();
    found.retain(|f| seen.insert(f.path.clone()) && inode(&f.metadata).is_none_or(|id| inodes.insert(id)));
    Ok((found, stdin))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Replaces a leading `~`.
pub(super) fn home(path: &str, env: fn(&str) -> Option<String>) -> PathBuf {
    let rest = match path.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    match (rest, env("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

fn failed(what: &Path, cause: impl ToString) -> SourceError {
    SourceError::Read {
        what: what.display().to_string(),
        cause: cause.to_string(),
        hint: "check the path and its permissions".to_owned(),
    }
}

fn add(path: &Path, named: bool, found: &mut Vec<Found>) -> Result<(), SourceError> {
    // The other end of a pipe (`/dev/fd/63`) has a name, but no path that leads to it.
    add_canonical(path.canonicalize().unwrap_or_else(|_| path.to_owned()), named, found)
}

fn add_canonical(path: PathBuf, named: bool, found: &mut Vec<Found>) -> Result<(), SourceError> {
    let metadata = path.metadata().map_err(|e| failed(&path, e))?;
    // A pipe or device has no size and no offset, but can be read when it is named.
    if metadata.is_file() || named {
        found.push(Found { path, metadata, named });
    }
    Ok(())
}

/// The canonical paths of what a walk comes by. Only links are looked up: all else lies where its folder does.
#[derive(Default)]
struct Canonical {
    /// Of the folders that the walk is in, the outermost first.
    folders: Vec<PathBuf>,
}

impl Canonical {
    fn path(&mut self, entry: &DirEntry) -> PathBuf {
        self.folders.truncate(entry.depth());
        let path = match self.folders.last() {
            Some(folder) if !entry.path_is_symlink() => folder.join(entry.file_name()),
            _ => entry.path().canonicalize().unwrap_or_else(|_| entry.path().to_owned()),
        };
        if entry.file_type().is_dir() {
            self.folders.push(path.clone());
        }
        path
    }
}

fn collect(path: &Path, found: &mut Vec<Found>) -> Result<(), SourceError> {
    if !path.is_dir() {
        return add(path, true, found);
    }
    let mut canonical = Canonical::default();
    for entry in WalkDir::new(path).follow_links(true).into_iter().flatten() {
        let path = canonical.path(&entry);
        // Vanished files, broken links and closed folders below a folder are not what the user named.
        if entry.file_type().is_file() && usable(entry.path()) {
            let _ = add_canonical(path, false, found);
        }
    }
    Ok(())
}

/// Endings under which usage is found in folders.
fn usable(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    [".jsonl", ".ndjson", ".json", ".csv", ".parquet"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Finds what a glob means. The base folder is taken as it is, whatever characters its name has.
fn expand(base: &Path, given: &Path, found: &mut Vec<Found>) -> Result<(), SourceError> {
    let wrong = |e: globset::Error| SourceError::Read {
        what: given.display().to_string(),
        cause: e.to_string(),
        hint: "`*`, `**`, `?`, `[ab]` and `{a,b}` are understood".to_owned(),
    };
    let base: PathBuf = base.components().collect();
    let given: PathBuf = given.components().filter(|c| *c != Component::CurDir).collect();
    let pattern = Path::new(&globset::escape(&base.to_string_lossy())).join(&given);
    let glob = globset::GlobBuilder::new(&pattern.to_string_lossy())
        .literal_separator(true)
        .build()
        .map_err(wrong)?
        .compile_matcher();
    let fixed: PathBuf = given
        .components()
        .take_while(|c| match c {
            Component::Normal(part) => !part.to_string_lossy().contains(['*', '?', '[', '{']),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => true,
        })
        .collect();
    let mut canonical = Canonical::default();
    for entry in WalkDir::new(base.join(fixed)).follow_links(true).into_iter().flatten() {
        let path = canonical.path(&entry);
        if entry.file_type().is_file() && glob.is_match(entry.path()) {
            let _ = add_canonical(path, true, found);
        }
    }
    Ok(())
}
