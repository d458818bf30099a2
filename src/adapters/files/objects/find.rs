//! Finds objects: folder by folder, several at a time, days apart from each other.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::kept::{Progressed, ends_with_day};
use super::{AT_A_TIME, Listed, Object, ObjectSource};
use crate::ports::{Sink, SourceError};

/// Pages of one listing at most, of a thousand objects each.
const MAX_PAGES: u32 = 10_000;

/// How deep folders are gone into below the prefix: account, service, region, year, month, day, hour, and some to spare.
const DEEPEST: u32 = 12;

/// Folders with bodies that were too large for the log itself: they hold no usage.
const BODIES: &str = "/data/";

/// By day: folders whose objects are still to be listed, and objects.
pub(super) type Found = BTreeMap<Option<NaiveDate>, (Vec<String>, Vec<Object>)>;

impl ObjectSource {
    /// All that is right below a folder.
    fn list(&self, folder: &str) -> Result<Listed, SourceError> {
        let mut all = Listed::default();
        for _ in 0..MAX_PAGES {
            let page = self.store.list(folder, all.next.as_deref());
            let page = page.map_err(|cause| self.failed(folder, cause))?;
            all.folders.extend(page.folders);
            let holds = |o: &Object| o.size > 0 && !o.key.ends_with('/');
            all.objects.extend(page.objects.into_iter().filter(holds));
            all.next = page.next;
            if all.next.is_none() {
                return Ok(all);
            }
        }
        Err(self.failed(folder, "the listing does not end".to_owned()))
    }

    /// The objects below folders, several of which are listed at a time, but for what is below folders that are left out; nothing where the
    /// time is used up.
    pub(super) fn find(
        &self,
        mut folders: Vec<String>,
        left_out: &mut dyn FnMut(&str) -> bool,
        sink: &dyn Sink,
    ) -> Result<Option<Vec<Object>>, SourceError> {
        let mut objects = Vec::new();
        for _ in 0..=DEEPEST {
            let mut further = Vec::new();
            for some in folders.chunks(AT_A_TIME) {
                if sink.enough() {
                    return Ok(None);
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
                for listed in listed {
                    let listed = listed?;
                    objects.extend(listed.objects);
                    further.extend(listed.folders);
                }
            }
            further.retain(|folder| !folder.ends_with(BODIES) && !left_out(folder));
            folders = further;
        }
        Ok(Some(objects))
    }

    /// What is below a prefix by day, without days that are closed: objects, and the folders of the day, in which more of them are.
    pub(super) fn days(&self, prefix: &str, done: &Progressed, sink: &dyn Sink) -> Result<Option<Found>, SourceError> {
        let mut found = Found::new();
        let mut of_day = |folder: &str| match done.day(folder).filter(|_| ends_with_day(folder)) {
            Some(day) if done.is_closed(day) => true,
            Some(day) => {
                found.entry(Some(day)).or_default().0.push(folder.to_owned());
                true
            }
            None => false,
        };
        let Some(objects) = self.find(vec![prefix.to_owned()], &mut of_day, sink)? else {
            return Ok(None);
        };
        for object in objects {
            let day = done.day(&object.key);
            // A day that was closed inside of a prefix that names it.
            if !day.is_some_and(|day| done.is_closed(day)) {
                found.entry(day).or_default().1.push(object);
            }
        }
        Ok(Some(found))
    }
}
