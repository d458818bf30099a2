//! Finds objects: folder by folder, several at a time, days apart from each other.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::kept::{Progressed, ends_with_day, is_partition};
use super::{AT_A_TIME, Listed, Object, ObjectSource};
use crate::ports::{Sink, SourceError};

/// Pages of one listing at most, of a thousand objects each.
const MAX_PAGES: u32 = 10_000;

/// How deep folders are gone into below the prefix: account, service, region, year, month, day, hour, and some to spare.
const DEEPEST: u32 = 12;

/// Folders with bodies that were too large for the log itself: they hold no usage.
const BODIES: &str = "/data/";

/// What is below folders.
#[derive(Default)]
pub(super) struct Below {
    pub objects: Vec<Object>,
    /// Why a folder could not be listed: the first of them.
    pub unlisted: Option<SourceError>,
}

/// By day: folders whose objects are still to be listed, and objects.
pub(super) type Found = BTreeMap<Option<NaiveDate>, (Vec<String>, Vec<Object>)>;

impl ObjectSource {
    /// All that is right below a folder; of a partition of a day, where exporters begin a folder every minute, all that is below it at once.
    fn list(&self, folder: &str) -> Result<Listed, SourceError> {
        let mut all = Listed::default();
        let is_partition = is_partition(folder);
        let is_body = |key: &str| {
            let below = folder.len().checked_sub(1).and_then(|slash| key.get(slash..));
            is_partition && below.is_some_and(|below| below.contains(BODIES))
        };
        for _ in 0..MAX_PAGES {
            let page = match is_partition {
                true => self.store.list_below(folder, all.next.as_deref()),
                false => self.store.list(folder, all.next.as_deref()),
            };
            let page = page.map_err(|cause| self.failed(folder, cause))?;
            all.folders.extend(page.folders);
            let holds = |o: &Object| o.size > 0 && !o.key.ends_with('/') && !is_body(&o.key);
            all.objects.extend(page.objects.into_iter().filter(holds));
            all.next = page.next;
            if all.next.is_none() {
                return Ok(all);
            }
        }
        Err(self.failed(folder, "the listing does not end".to_owned()))
    }

    /// The objects below folders, several of which are listed at a time, but for what is below folders that are left out; nothing where the
    /// time is used up. A folder that cannot be listed keeps nobody from what is in the others.
    pub(super) fn find(
        &self,
        mut folders: Vec<String>,
        left_out: &mut dyn FnMut(&str) -> bool,
        sink: &dyn Sink,
    ) -> Option<Below> {
        let mut below = Below::default();
        for _ in 0..=DEEPEST {
            let mut further = Vec::new();
            for some in folders.chunks(AT_A_TIME) {
                if sink.enough() {
                    return below.unlisted.is_some().then_some(below);
                }
                let listed: Vec<_> = std::thread::scope(|scope| {
                    let begun: Vec<_> = some
                        .iter()
                        .map(|folder| scope.spawn(move || self.list(folder)))
                        .collect();
                    let ended = begun.into_iter().map(std::thread::ScopedJoinHandle::join);
                    ended
                        .map(|list| list.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                        .collect()
                });
                // Where none answers, the others are not asked for either.
                let is_out = some.len() == AT_A_TIME && listed.iter().all(Result::is_err);
                for listed in listed {
                    match listed {
                        Ok(listed) => {
                            below.objects.extend(listed.objects);
                            further.extend(listed.folders);
                        }
                        Err(error) => below.unlisted = below.unlisted.or(Some(error)),
                    }
                }
                if is_out {
                    return Some(below);
                }
            }
            further.retain(|folder| !folder.ends_with(BODIES) && !left_out(folder));
            folders = further;
        }
        Some(below)
    }

    /// What is below a prefix by day, without days that are closed: objects, and the folders of the day, in which more of them are; and why a
    /// folder above the days could not be listed.
    pub(super) fn days(
        &self,
        prefix: &str,
        done: &Progressed,
        sink: &dyn Sink,
    ) -> Option<(Found, Option<SourceError>)> {
        let mut found = Found::new();
        let mut of_day = |folder: &str| match done.day(folder).filter(|_| ends_with_day(folder)) {
            Some(day) if done.is_closed(day) => true,
            Some(day) => {
                found.entry(Some(day)).or_default().0.push(folder.to_owned());
                true
            }
            None => false,
        };
        let below = self.find(vec![prefix.to_owned()], &mut of_day, sink)?;
        for object in below.objects {
            let day = done.day(&object.key);
            // A day that was closed inside of a prefix that names it.
            if !day.is_some_and(|day| done.is_closed(day)) {
                found.entry(day).or_default().1.push(object);
            }
        }
        Some((found, below.unlisted))
    }
}
