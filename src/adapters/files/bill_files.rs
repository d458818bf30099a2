//! The files of bills, read after all others: which of them count is known when all of them are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::bills::Delivery;
use super::copies::{Alike, alike, held_by_others};
use super::discover::{Found, Search};
use super::manifests::Manifests;
use super::position::{Position, digest};
use super::read::Run;
use super::side_by_side::Todo;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Bill, SpendRows};
use crate::ports::{Checkpoint, Checkpoints, SourceError};

/// Names that a file's checkpoint holds at most: what it told is known of files with fewer bills.
const MOST_NAMES: usize = 4096;
/// Files that have gone of which it is kept how far they were read: they may come back. All of it is loaded at each run.
const MOST_GONE: usize = 10_000;

impl Run<'_> {
    /// Reads the files of bills, if one of them is new, has changed, or has gone: a bill is replaced as a whole.
    pub fn bill_files(
        &mut self,
        current: Vec<Todo<'_>>,
        search: &Search,
        known: &Checkpoints,
    ) -> Result<(), SourceError> {
        self.defer = false;
        let deferred = std::mem::take(&mut self.deferred);
        let deferred = search.found.iter().filter(|found| deferred.contains(&found.path));
        let mut todo: Vec<Todo<'_>> = deferred
            .map(|found| {
                let position = known.get(found.path.to_string_lossy().as_ref());
                (found, position.and_then(Position::parse))
            })
            .collect();
        let (gone, others): (Vec<_>, Vec<_>) = gone(search, known).into_iter().partition(|(_, p)| p.is_of_bill());
        self.forget(others)?;
        let of_bill = |p: &Option<Position>| p.as_ref().is_some_and(Position::is_of_bill);
        let (bills, _): (Vec<_>, Vec<_>) = current.into_iter().partition(|(_, p)| of_bill(p));
        let piped = !self.bills.told(self.options.name).is_empty();
        // Files of one bill that were recorded one by one replaced each other: where more are given together than before, they are read anew.
        let beside = bills.iter().filter_map(|(_, p)| p.as_ref()?.beside.as_ref());
        let sets: BTreeSet<&(usize, String)> = beside.collect();
        let apart = sets.len() > 1 && sets.iter().all(|(files, _)| *files < bills.len());
        let nothing_new = todo.is_empty() && gone.is_empty() && self.bill_positions.is_empty() && !piped && !apart;
        todo.extend(bills);
        let manifests = self.manifests(&todo);
        // One may be written after the files that it names.
        let as_before = |(name, now): &(String, Position)| {
            let before = known.get(name).and_then(Position::parse);
            before.is_some_and(|before| (before.size, before.modified) == (now.size, now.modified))
        };
        if nothing_new && manifests.iter().all(as_before) {
            return Ok(());
        }
        todo.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let counted = self.counted(&todo);
        let (mut formats, mut mixed): (BTreeMap<String, String>, BTreeSet<String>) = Default::default();
        for (at, (file, position)) in todo.iter().enumerate() {
            let name = file.path.to_string_lossy().into_owned();
            let before = position.as_ref().filter(|p| p.is_of_bill());
            let before = before.map(Position::names).unwrap_or_default();
            let Some(delivery) = counted.get(&file.path) else {
                // It is known what it holds: nothing that counts.
                self.told_before.extend(before);
                let seen = self.as_now.of_bill(&file.metadata);
                self.bill_positions.push((name, Some(seen)));
                continue;
            };
            self.bills.begin(delivery.as_ref());
            self.bills.ended_before = position.as_ref().is_some_and(|position| position.line_end);
            self.one(file, position.clone())?;
            let told = self.bills.told(self.options.name);
            let silent = told.is_empty() && !before.is_empty();
            // Where a row was refused it has no place: what it may be of stays, too.
            if let Some((last, Some(position))) = self.bill_positions.last_mut()
                && *last == name
            {
                position.line_end = !self.bills.cut;
                let names = if silent { &before } else { &told };
                if names.len() <= MOST_NAMES {
                    position.name(names);
                }
                // Nothing is not the same as a bill that comes to nothing: what it told alone stays.
                if silent {
                    self.sink.warn(
                        "files of bills have no rows any more: what they told stays where no other file tells it, and `finops bill drop` takes it back",
                        1,
                    );
                } else {
                    for bill in &told {
                        let first = formats.entry(bill.clone()).or_insert_with(|| position.format.clone());
                        if *first != position.format {
                            mixed.insert(bill.clone());
                        }
                    }
                    self.told_before.extend(before);
                }
            }
            if self.leaves(todo.get(at..).unwrap_or_default()) {
                self.bills_left = true;
                return Ok(());
            }
        }
        let paths: Vec<_> = todo.iter().map(|(file, _)| file.path.to_string_lossy()).collect();
        let beside = Some((paths.len(), digest(paths.join("\0").as_bytes())));
        for (_, position) in &mut self.bill_positions {
            position
                .iter_mut()
                .for_each(|position| position.beside.clone_from(&beside));
        }
        self.bills.begin(None);
        if let Some(first) = mixed.first() {
            let about = format!(
                "bills are told by files of FOCUS and by files of a Cost and Usage Report, such as `{first}`: they are added up, and what both hold counts twice"
            );
            self.sink.warn(&about, mixed.len() as u64);
        }
        // What they told alone stays: a folder may roll over.
        let gone = gone.into_iter().map(|(name, _)| (name, Position::default()));
        let noted = gone.chain(manifests).map(|(name, position)| (name, Some(position)));
        self.bill_positions.extend(noted);
        Ok(())
    }

    /// The manifests of these files, as they are now.
    fn manifests(&self, files: &[Todo<'_>]) -> Vec<(String, Position)> {
        let paths: Vec<&Path> = files.iter().map(|(found, _)| found.path.as_path()).collect();
        let manifests = Manifests::paths(&paths).into_iter().filter_map(|path| {
            let now = self.as_now.of_bill(&path.metadata().ok()?);
            Some((path.to_string_lossy().into_owned(), now))
        });
        manifests.collect()
    }

    /// Forgets how far files were read that have gone, if they are many: those that were changed last are kept. What comes back is read
    /// anew, and its calls are known.
    fn forget(&mut self, mut gone: Vec<(String, Position)>) -> Result<(), SourceError> {
        if gone.len() > MOST_GONE {
            gone.sort_by_key(|(_, position)| Reverse(position.modified));
            for (name, _) in gone.split_off(MOST_GONE) {
                self.sink.checkpoint(&name, Checkpoint::NONE)?;
            }
        }
        Ok(())
    }

    /// The files that count, with the folder that is told apart from those beside it.
    fn counted(&mut self, todo: &[Todo<'_>]) -> BTreeMap<PathBuf, Option<Delivery>> {
        let paths: Vec<&Path> = todo.iter().map(|(found, _)| found.path.as_path()).collect();
        // One alone is what is meant, whatever it is named; a bill is not replaced by one of its parts.
        let alone = paths.len() < 2;
        let whole = |paths: &[&Path]| paths.iter().map(|path| (path.to_path_buf(), None)).collect();
        if alone && self.options.asked.is_some() {
            return whole(&paths);
        }
        let manifests = Manifests::of(&paths);
        for (path, missing) in &manifests.incomplete {
            let files = match missing {
                1 => "a file of a bill that is not there; bills stay as they were until it is".to_owned(),
                _ => format!("{missing} files of a bill that are not there; bills stay as they were until they are"),
            };
            self.unread(&path.to_string_lossy(), &format!("it names {files}"));
            self.bills_whole = false;
        }
        if alone {
            return whole(&paths);
        }
        if let Some(first) = manifests.beside.first() {
            let about = format!(
                "files of bills are not among those that the manifest beside them names, such as `{}`: they do not count",
                first.display()
            );
            self.sink.warn(&about, manifests.beside.len() as u64);
        }
        let paths: Vec<&Path> = paths
            .into_iter()
            .filter(|path| !manifests.superseded.contains(*path))
            .collect();
        // Of runs it is known which of them is the newest, but not what else lies in their folders.
        let unnamed = paths.iter().filter(|path| !manifests.named.contains(**path));
        let mixed: BTreeSet<&Path> = unnamed.filter_map(|path| path.parent()).collect();
        let runs = |path: &&Path| {
            path.parent()
                .is_some_and(|folder| manifests.submitted.contains_key(folder) && !mixed.contains(folder))
        };
        let others: Vec<&Path> = paths.iter().copied().filter(|path| !runs(path)).collect();
        let mut held: BTreeSet<PathBuf> = held_by_others(&others).into_iter().collect();
        let others: Vec<&Path> = others.into_iter().filter(|path| !held.contains(*path)).collect();
        let Alike { held: more, doubts } = alike(&others);
        held.extend(more);
        if let Some(first) = held.first() {
            let about = format!(
                "files of bills hold nothing that another one does not hold, such as `{}`: they do not count",
                first.display()
            );
            self.sink.warn(&about, held.len() as u64);
        }
        if let Some((one, other)) = doubts.first() {
            let about = format!(
                "files of bills have most of their rows in common, such as `{}` and `{}`, and are added up; where one is the other one \
                 of another day, move the older one away",
                one.display(),
                other.display()
            );
            self.sink.warn(&about, doubts.len() as u64);
        }
        let folders = siblings(&paths);
        let mut changed: BTreeMap<&Path, u64> = BTreeMap::new();
        for (found, _) in todo {
            if let Some(folder) = found.path.parent() {
                let slot = changed.entry(folder).or_default();
                *slot = Position::fresh(&found.metadata, b"").modified.max(*slot);
            }
        }
        let counted = paths.iter().filter(|path| !held.contains(**path)).map(|path| {
            let folder = path.parent().filter(|folder| folders.contains(folder));
            let delivery = folder.map(|folder| Delivery {
                folder: folder.to_owned(),
                submitted: manifests.submitted.get(folder).copied().unwrap_or(0),
                changed: changed.get(folder).copied().unwrap_or(0),
            });
            (path.to_path_buf(), delivery)
        });
        counted.collect()
    }

    /// Bills that files told before which are still there and tell them no more, as they are now: of nothing.
    pub fn emptied(&self, told: &BTreeSet<String>) -> Vec<Bill> {
        let start = DateTime::UNIX_EPOCH;
        let gone = self.told_before.iter().filter(|identity| !told.contains(*identity));
        gone.map(|identity| Bill {
            identity: identity.clone(),
            period: Period::new(start, Hour::of(start).start()),
            rows: SpendRows::default(),
            settled_before: None,
            formerly: None,
        })
        .collect()
    }
}

/// Files that were read before and are not there now. Where not all places could be looked into, nobody knows.
fn gone(search: &Search, known: &Checkpoints) -> Vec<(String, Position)> {
    if !search.is_whole() || search.found.is_empty() {
        return Vec::new();
    }
    let there: BTreeSet<String> = search
        .found
        .iter()
        .map(|f| f.path.to_string_lossy().into_owned())
        .collect();
    // One that is there and not meant now, as `finops record` means one after the other, has not gone.
    let gone = known
        .iter()
        .filter(|(name, _)| !there.contains(*name) && Path::new(name).try_exists().is_ok_and(|there| !there));
    let gone = gone.filter_map(|(name, at)| Some((name.clone(), Position::parse(at)?)));
    gone.collect()
}

/// The folders that have others beside them, and are not named for what they hold, as in `date=2026-11-01`.
pub(super) fn siblings<'p>(files: &[&'p Path]) -> BTreeSet<&'p Path> {
    let plain = |folder: &Path| {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| !name.contains('='))
    };
    let folders: BTreeSet<&Path> = files
        .iter()
        .filter_map(|file| file.parent())
        .filter(|f| plain(f))
        .collect();
    let mut beside: BTreeMap<Option<&Path>, u32> = BTreeMap::new();
    for folder in &folders {
        *beside.entry(folder.parent()).or_default() += 1;
    }
    let many = |folder: &&Path| beside.get(&folder.parent()).is_some_and(|count| *count > 1);
    folders.into_iter().filter(many).collect()
}

/// Whether folders of files lie beside each other, so that all must be known of bills in them.
pub(super) fn lie_beside(found: &[Found]) -> bool {
    let paths: Vec<&Path> = found.iter().map(|found| found.path.as_path()).collect();
    !siblings(&paths).is_empty()
}
