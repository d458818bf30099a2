//! What a manifest says of the deliveries of a bill: which files are the newest one, and when it was made.
//!
//! Cost Management of Azure writes a `manifest.json` into the folder of each run. A Cost and Usage Report has one per billing period, which
//! names the files of the assembly that counts; so have AWS Data Exports, in a tree called `metadata` beside that of the `data`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::bills::names_a_run;

/// Bytes of a manifest at most.
const LARGEST: u64 = 32 << 20;

/// What browsers and file managers put behind the name of a copy, without its number.
const COPIES: [&str; 5] = ["()", " ", " -", " copy", " Copy"];

/// What all manifests say.
#[derive(Default)]
pub(super) struct Manifests {
    /// When the run of a folder was submitted, in nanoseconds.
    pub submitted: BTreeMap<PathBuf, i64>,
    /// Files that a manifest names.
    pub named: BTreeSet<PathBuf>,
    /// Files that were delivered before those that a manifest names.
    pub superseded: BTreeSet<PathBuf>,
    /// Of these the ones that lie among those that count.
    pub beside: BTreeSet<PathBuf>,
    /// Manifests that name files of which some are not there, and how many.
    pub incomplete: Vec<(PathBuf, usize)>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    report_keys: Vec<String>,
    data_files: Vec<String>,
    blobs: Vec<Blob>,
    run_info: RunInfo,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Blob {
    blob_name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RunInfo {
    submitted_time: Option<DateTime<Utc>>,
}

impl Manifests {
    /// Where the manifests beside and above these files are.
    pub fn paths(files: &[&Path]) -> Vec<PathBuf> {
        let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        let scopes = scopes(folders.into_iter());
        scopes.keys().flat_map(|place| listed(place)).collect()
    }

    /// Reads the manifests beside and above these files.
    pub fn of(files: &[&Path]) -> Self {
        let mut folders: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
        for (folder, file) in files.iter().filter_map(|file| Some((file.parent()?, *file))) {
            folders.entry(folder).or_default().push(file);
        }
        let mut below: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
        for folder in folders.keys() {
            below.entry(folder.parent().unwrap_or(folder)).or_default().push(folder);
        }
        let mut found = Manifests::default();
        for (place, scope) in scopes(folders.keys().copied()) {
            let (mut named, mut first) = (BTreeSet::new(), None);
            for path in listed(&place) {
                let Some(manifest) = read(&path) else { continue };
                if let Some(at) = manifest.run_info.submitted_time.filter(|_| !manifest.blobs.is_empty()) {
                    found
                        .submitted
                        .insert(place.clone(), at.timestamp_nanos_opt().unwrap_or(0));
                }
                let blobs = manifest.blobs.into_iter().map(|blob| blob.blob_name);
                let keys = manifest.report_keys.into_iter().chain(manifest.data_files).chain(blobs);
                named.extend(keys.map(|key| local(&scope, &key)));
                first.get_or_insert(path);
            }
            let there: BTreeSet<&PathBuf> = named.iter().filter(|path| path.exists()).collect();
            // One that was copied without its files tells nothing of those that are here.
            if there.is_empty() {
                continue;
            }
            // Of files that are not read here it says nothing, either.
            let ours = files.iter().any(|file| named.contains(*file));
            if let Some(path) = first.filter(|_| ours && there.len() < named.len()) {
                found.incomplete.push((path, named.len() - there.len()));
            }
            let newest = Newest::of(&scope, &there);
            let inside = below.get(scope.as_path()).into_iter().flatten();
            let inside = inside.copied().chain([scope.as_path()]);
            let inside = inside.filter_map(|folder| folders.get_key_value(folder));
            for (folder, file) in inside.flat_map(|(folder, files)| files.iter().map(move |file| (folder, *file))) {
                if named.contains(file) || !newest.replaces(folder, file) {
                    continue;
                }
                if newest.folders.contains(folder) {
                    found.beside.insert(file.to_owned());
                }
                found.superseded.insert(file.to_owned());
            }
            found.named.extend(named);
        }
        found
    }
}

/// The files that a manifest names and that are there.
struct Newest<'m> {
    /// The folder that the manifest is about.
    scope: &'m Path,
    folders: BTreeSet<&'m Path>,
    /// How they are named.
    names: BTreeSet<String>,
}

impl<'m> Newest<'m> {
    fn of(scope: &'m Path, files: &BTreeSet<&'m PathBuf>) -> Self {
        Newest {
            scope,
            folders: files.iter().filter_map(|file| file.parent()).collect(),
            names: files.iter().map(|file| stem(file)).collect(),
        }
    }

    /// Whether a file that is not named is of an older delivery of the same report: it has the name of one, and lies among them or in the
    /// folder of another run. What else lies there is of another report, of which the manifest says nothing.
    fn replaces(&self, folder: &Path, file: &Path) -> bool {
        let in_scope = |folder: &Path| folder == self.scope;
        let run = folder
            .file_name()
            .is_some_and(|name| names_a_run(&name.to_string_lossy()));
        let placed = self.folders.contains(folder)
            || (self.folders.iter().any(|own| !in_scope(own)) && (in_scope(folder) || !named_by_value(folder)))
            || (!in_scope(folder) && run);
        placed && self.names.contains(&stem(file))
    }
}

/// Whether a folder's name says what it holds, as `date=2026-11-01` does.
fn named_by_value(folder: &Path) -> bool {
    folder
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains('='))
}

/// The name of a file without its numbers, the marks of a copy, and what its form is called: `bill-` of `bill-00001 (1).csv.gz`, `part__` of
/// `part_1_0001.csv`.
fn stem(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut stem = name.unwrap_or_default();
    while let Some((front, form)) = stem.rsplit_once('.')
        && form.bytes().all(|b| b.is_ascii_alphabetic())
    {
        stem = front.to_owned();
    }
    stem.retain(|c| !c.is_ascii_digit());
    let mut stem = stem.as_str();
    while let Some(front) = COPIES.iter().find_map(|mark| stem.strip_suffix(mark)) {
        stem = front;
    }
    stem.to_owned()
}

/// Where AWS Data Exports keep the manifest of a folder below `data`.
fn metadata(folder: &Path) -> Option<PathBuf> {
    let name = folder.file_name()?;
    let data = folder
        .parent()
        .filter(|above| above.file_name().is_some_and(|name| name == "data"))?;
    Some(data.parent()?.join("metadata").join(name))
}

/// The places where manifests of files in these folders lie, each with the folder that they are about.
fn scopes<'f>(folders: impl Iterator<Item = &'f Path>) -> BTreeMap<PathBuf, PathBuf> {
    let mut scopes = BTreeMap::new();
    for folder in folders.flat_map(|folder| [Some(folder), folder.parent()]).flatten() {
        scopes.insert(folder.to_owned(), folder.to_owned());
        if let Some(metadata) = metadata(folder) {
            scopes.insert(metadata, folder.to_owned());
        }
    }
    scopes
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
            name.is_some_and(|name| name == "manifest.json" || name.ends_with("-manifest.json"))
        })
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Option<Manifest> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Where the file of a key is in a folder that was copied: behind that folder's own name in it, or right in it.
fn local(scope: &Path, key: &str) -> PathBuf {
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
    let name = scope
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let behind = match parts.iter().rposition(|part| *part == name) {
        Some(at) => parts.get(at + 1..).unwrap_or_default(),
        None => parts.last().map(std::slice::from_ref).unwrap_or_default(),
    };
    let inside = behind.iter().map(Path::new).flat_map(Path::components);
    // Nothing that a manifest says leads out of its folder.
    scope.join(
        inside
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect::<PathBuf>(),
    )
}
