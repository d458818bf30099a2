//! Finds the files that a configured path means: a file, a folder, a glob, `~`, or `-`.

mod pattern;

use std::collections::HashSet;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::ports::SourceError;

use super::database;
use super::one_file::same_file;

use pattern::expand;

/// What makes a path a pattern.
const GLOB: [char; 4] = ['*', '?', '[', '{'];

/// One file to read.
pub(super) struct Found {
    /// Canonical path; the key of its checkpoint.
    pub path: PathBuf,
    /// Its size and time.
    pub metadata: Metadata,
    /// Named by the user rather than found in a folder.
    pub named: bool,
}

/// What the paths of a source lead to.
#[derive(Default)]
pub(super) struct Search {
    /// Every real file once, in order of path.
    pub found: Vec<Found>,
    /// Whether standard input is among the paths.
    pub stdin: bool,
    /// Whether these are the places where tools keep their logs.
    pub usual: bool,
    /// Files in folders that are passed over, since their names do not end as those of usage.
    pub passed: u64,
    /// Patterns that mean files and that only folders match, in which there is what would be read.
    of_folders: Vec<String>,
    /// The first place that could not be looked into. What it holds is unknown, which is not the same as nothing.
    unread: Option<SourceError>,
    /// How many more there are.
    more: u64,
}

impl Search {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.stdin
    }

    /// What is told of patterns that mean files and that only folders match.
    pub fn told(&self) -> Option<String> {
        let patterns: Vec<String> = self.of_folders.iter().map(|given| format!("`{given}`")).collect();
        (!patterns.is_empty()).then(|| {
            format!(
                "only folders match {}, and a pattern that ends in `*` means files: without the `*` at its end what is in them is read",
                patterns.join(", ")
            )
        })
    }

    /// Whether a file is one of them, by whatever name.
    pub fn holds(&self, path: &Path) -> bool {
        self.found.iter().any(|found| same_file(&found.path, path))
    }

    /// Whether all of the paths could be looked into.
    pub fn is_whole(&self) -> bool {
        self.unread.is_none()
    }

    /// The failure of the source, where a part of it could not be looked into.
    pub fn failure(self) -> Result<(), SourceError> {
        match (self.unread, self.more) {
            (None, _) => Ok(()),
            (Some(SourceError::Read { what, cause, hint }), more) if more > 0 => Err(SourceError::Read {
                what,
                cause: format!(
                    "{cause}; and {more} more {}",
                    if more == 1 { "place" } else { "places" }
                ),
                hint,
            }),
            (Some(error), _) => Err(error),
        }
    }

    /// Notes a place that could not be looked into. However many there are, one is named.
    pub fn miss(&mut self, error: SourceError) {
        match &self.unread {
            Some(_) => self.more += 1,
            None => self.unread = Some(error),
        }
    }

    fn fail(&mut self, what: &Path, cause: &impl ToString) {
        let inside = what.strip_prefix(".").ok().filter(|path| !path.as_os_str().is_empty());
        let what = inside.unwrap_or(what);
        self.miss(SourceError::Read {
            what: what.display().to_string(),
            cause: cause.to_string(),
            hint: "check the path and its permissions; what could be read is recorded".to_owned(),
        });
    }

    /// Notes what a walk could not look into. Vanished files, broken links and links to a folder above hold nothing.
    fn pass_by(&mut self, error: &walkdir::Error, matters: impl Fn(&Path) -> bool) {
        let Some(cause) = error.io_error().filter(|e| e.kind() != ErrorKind::NotFound) else {
            return;
        };
        let path = error.path().unwrap_or(Path::new(""));
        if matters(path) {
            self.fail(path, cause);
        }
    }

    /// Leaves out pipes and devices, and says so: one would wait at them.
    pub fn keep_files(&mut self) {
        let found = std::mem::take(&mut self.found);
        let (files, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.metadata.is_file());
        self.found = files;
        for other in others {
            let cause = "it is no regular file, and what comes through a pipe is read by `finops record PATH` alone";
            self.fail(&other.path, &cause);
        }
    }

    fn add(&mut self, path: PathBuf, named: bool) {
        match path.metadata() {
            // A pipe or device has no size and no offset, but can be read when it is named.
            Ok(metadata) if metadata.is_file() || named => self.found.push(Found { path, metadata, named }),
            Err(cause) if cause.kind() != ErrorKind::NotFound => self.fail(&path, &cause),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Looks for the files of the paths. What cannot be looked into keeps nothing else from being found.
pub(super) fn discover(paths: &[String], base: &Path, env: fn(&str) -> Option<String>) -> Result<Search, SourceError> {
    let mut search = Search::default();
    for path in paths {
        if path == "-" {
            search.stdin = true;
            continue;
        }
        let given = home(path, env);
        let full = base.join(&given);
        match full.try_exists() {
            Ok(true) => collect(&full, &mut search),
            _ if path.starts_with("s3://") => search.miss(SourceError::Read {
                what: path.clone(),
                cause: "no path of this machine".to_owned(),
                hint: "buckets are read where a `[[source]]` of the settings has them among its `paths`".to_owned(),
            }),
            _ if path.contains(GLOB) => expand(base, &given, &mut search)?,
            Ok(false) => search.miss(SourceError::Read {
                what: path.clone(),
                cause: "no such file or folder".to_owned(),
                hint: format!(
                    "check the spelling; looked for it at `{}`",
                    std::path::absolute(&full).unwrap_or(full).display()
                ),
            }),
            Err(cause) => search.fail(&full, &cause),
        }
    }
    search
        .found
        .sort_by(|a, b| a.path.cmp(&b.path).then(b.named.cmp(&a.named)));
    let mut seen = HashSet::new();
    let mut inodes = HashSet::new();
    search
        .found
        .retain(|f| seen.insert(f.path.clone()) && inode(&f.metadata).is_none_or(|id| inodes.insert(id)));
    Ok(search)
}

#[cfg(unix)]
pub(super) fn inode(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn inode(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Replaces a leading `~`.
pub(super) fn home(path: &str, env: fn(&str) -> Option<String>) -> PathBuf {
    let rest = match path.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    let home = rest.and_then(|rest| Some(Path::new(&env("HOME")?).join(rest)));
    home.unwrap_or_else(|| PathBuf::from(path))
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

fn collect(path: &Path, search: &mut Search) {
    if !path.is_dir() {
        // The other end of a pipe (`/dev/fd/63`) has a name, but no path that leads to it.
        return search.add(path.canonicalize().unwrap_or_else(|_| path.to_owned()), true);
    }
    let mut canonical = Canonical::default();
    for entry in WalkDir::new(path).follow_links(true) {
        match entry {
            Ok(entry) => {
                let path = canonical.path(&entry);
                if entry.file_type().is_file() && !is_body(entry.path()) {
                    match usable(entry.path()) || database::are_in(entry.path()) {
                        true => search.add(path, false),
                        false => search.passed += u64::from(may_be_usage(entry.path())),
                    }
                }
            }
            Err(error) => search.pass_by(&error, |_| true),
        }
    }
}

/// Whether it is the body of a call beside Bedrock's logs: the log counts it, a body on its own would be a second call.
fn is_body(path: &Path) -> bool {
    let mut parts = path.components().map(Component::as_os_str);
    parts.any(|part| part == "BedrockModelInvocationLogs") && parts.rev().nth(1).is_some_and(|folder| folder == "data")
}

/// Whether a file that is passed over may be meant. What is hidden, and what only lists a delivery, is not.
fn may_be_usage(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    !name.starts_with('.') && !is_manifest(&name)
}

/// Whether it is the name of what lists a delivery.
fn is_manifest(name: &str) -> bool {
    name == "manifest.json" || name.ends_with("-manifest.json")
}

/// Endings under which usage is found in folders.
fn usable(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    // Of a delivery: it holds no usage.
    if is_manifest(&name) {
        return false;
    }
    let name = unpacked(&name);
    [".jsonl", ".ndjson", ".json", ".csv", ".parquet"]
        .iter()
        .any(|ending| name.ends_with(ending))
        || is_set_aside(name)
}

fn unpacked(name: &str) -> &str {
    let inner = name.strip_suffix(".gz");
    inner.or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}

/// Whether it is the name of a log that was set aside under a number or a date: `a.jsonl.1`, `a.jsonl-20261101`, `a.jsonl.2026-11-01_00`.
/// Not that of a table, which may be a bill: an older one beside the newer would count, too.
fn is_set_aside(name: &str) -> bool {
    [".jsonl", ".ndjson", ".json"].iter().any(|ending| {
        let Some((_, rest)) = name.rsplit_once(ending) else {
            return false;
        };
        let packed = rest.strip_prefix(".gz").or_else(|| rest.strip_prefix(".zst"));
        let aside = packed.unwrap_or(rest).strip_prefix(['.', '-', '_']).unwrap_or("");
        let number = |c: char| c.is_ascii_digit();
        aside.starts_with(number) && aside.chars().all(|c| number(c) || "-_.:tz".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_usage_are_known_also_where_logs_are_set_aside() {
        for name in [
            "a.jsonl",
            "a.NDJSON",
            "a.csv.gz",
            "a.parquet",
            "a.jsonl.1",
            "a.jsonl.2.gz",
            "a.jsonl.gz.3",
            "a.json-20261101",
            "a.jsonl-20261101.zst",
            "a.jsonl.2026-11-01_00",
            "a.json.2026-11-01T10:00:00Z.gz",
        ] {
            assert!(usable(Path::new(name)), "{name}");
        }
        for name in [
            "a",
            "a.log",
            "a.gz",
            "a.csv.1",
            "a.jsonl.bak",
            "a.jsonl~",
            "a.jsonl.1.tmp",
            "manifest.json",
        ] {
            assert!(!usable(Path::new(name)), "{name}");
        }
    }
}
