//! What a pattern means: the files that match it, or what is in the folders that do.

use std::path::{Component, Path, PathBuf};

use globset::GlobMatcher;
use walkdir::WalkDir;

use super::{Canonical, GLOB, Search, collect, is_body};
use crate::ports::SourceError;

/// Finds what a glob means. The folder that it starts from is taken as it is, whatever its name is made of.
pub(super) fn expand(base: &Path, given: &Path, search: &mut Search) -> Result<(), SourceError> {
    // Where no folder is given, the current one has a name to start from.
    let base: PathBuf = Path::new(".").join(base).components().collect();
    let given: PathBuf = given.components().filter(|c| *c != Component::CurDir).collect();
    let glob = matcher(&given)?;
    let fixed: PathBuf = given
        .components()
        .take_while(|c| match c {
            Component::Normal(part) => !part.to_string_lossy().contains(GLOB),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => true,
        })
        .collect();
    let start = base.join(fixed);
    if let Ok(false) = start.try_exists() {
        search.fail(&start, &"no such folder");
        return Ok(());
    }
    // A pattern that begins at the root is matched with the whole path.
    let relative = |path: &Path| match given.is_absolute() {
        true => path.to_owned(),
        false => path.strip_prefix(&base).unwrap_or(path).to_owned(),
    };
    let mut canonical = Canonical::default();
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut files = false;
    for entry in WalkDir::new(&start).follow_links(true) {
        match entry {
            Ok(entry) => {
                let path = canonical.path(&entry);
                if is_body(entry.path()) || !glob.is_match(relative(entry.path())) {
                    continue;
                }
                if entry.file_type().is_file() {
                    files = true;
                    search.add(path, true);
                } else if entry.file_type().is_dir() && !folders.last().is_some_and(|f| entry.path().starts_with(f)) {
                    folders.push(entry.into_path());
                }
            }
            Err(error) => search.pass_by(&error, |path| leads_on(&given, &relative(path))),
        }
    }
    // A pattern of folders (`logs/*/chats`) means what is in them. One of anything (`logs/*`) means files, and what lies in folders beside
    // them may be what was set aside: where there are only folders, that is told.
    if files || given.ends_with("**") {
        return Ok(());
    }
    if !given.ends_with("*") {
        folders.iter().for_each(|folder| collect(folder, search));
        return Ok(());
    }
    let mut within = Search::default();
    folders.iter().for_each(|folder| collect(folder, &mut within));
    if !within.found.is_empty() {
        search.of_folders.push(given.display().to_string());
    }
    Ok(())
}

fn matcher(pattern: &Path) -> Result<GlobMatcher, SourceError> {
    let text = pattern.to_string_lossy();
    let built = globset::GlobBuilder::new(&text).literal_separator(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|e| SourceError::Read {
        what: pattern.display().to_string(),
        cause: e.to_string(),
        hint: "`*`, `**`, `?`, `[ab]` and `{a,b}` are understood".to_owned(),
    })
}

/// Whether what lies at or below a path may match a pattern, as far as its folders tell.
fn leads_on(pattern: &Path, path: &Path) -> bool {
    let mut front = PathBuf::new();
    let mut parts = pattern.components();
    for _ in path.components() {
        let Some(part) = parts.next() else { return false };
        if part.as_os_str().to_string_lossy().contains("**") {
            return true;
        }
        front.push(part);
    }
    // A pattern that is cut within its braces is none.
    matcher(&front).map_or(true, |glob| glob.is_match(path))
}
