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

/// Folders in which Bedrock puts bodies that were too large for the log itself: they hold no usage. Others call theirs so, too.
const DATA: &str = "/data/";

/// What Bedrock's logs lie in.
const OF_BEDROCK: &str = "BedrockModelInvocationLogs";

/// Objects with which services of AWS try whether they may write: exports of CloudWatch, Bedrock's logs, reports of costs.
const TRIALS: [&str; 3] = [
    "aws-logs-write-test",
    "amazon-bedrock-logs-permission-check",
    "aws-programmatic-access-test-object",
];

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
            let named = folder.len().saturating_sub(1);
            is_partition && data_folders(key).any(|(at, above)| at >= named && is_of_bedrock(above))
        };
        let is_body = |key: &str| is_body(key) || is_called_as_body(key);
        let is_trial = |key: &str| key.rsplit('/').next().is_some_and(|name| TRIALS.contains(&name));
        for _ in 0..MAX_PAGES {
            let page = match is_partition {
                true => self.store.list_below(folder, all.next.as_deref()),
                false => self.store.list(folder, all.next.as_deref()),
            };
            let page = page.map_err(|cause| self.failed(folder, cause))?;
            all.folders.extend(page.folders);
            let holds = |o: &Object| o.size > 0 && !o.key.ends_with('/') && !is_body(&o.key) && !is_trial(&o.key);
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
            further.retain(|folder| !holds_bodies(folder) && !left_out(folder));
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
            // What an earlier version passed over may lie in a day that it closed.
            Some(day) if done.is_closed(day) && (done.into_data || data_folders(folder).next().is_none()) => true,
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

/// Where folders `data` are in a path, each with what is above it.
fn data_folders(path: &str) -> impl Iterator<Item = (usize, &str)> {
    path.match_indices(DATA)
        .filter_map(|(at, _)| Some((at, path.get(..=at)?)))
}

/// Whether Bedrock's logs lie in a folder: below the one with their name, or in that of an hour, as where they were copied.
fn is_of_bedrock(folder: &str) -> bool {
    let is_of_hour = || {
        let above = folder.strip_suffix('/').and_then(|folder| folder.rsplit_once('/'));
        above.is_some_and(|(day, hour)| {
            hour.len() == 2 && hour.parse::<u8>().is_ok_and(|hour| hour < 24) && is_plain_day(day)
        })
    };
    folder.split('/').any(|part| part == OF_BEDROCK) || is_of_hour()
}

fn is_plain_day(folder: &str) -> bool {
    ends_with_day(folder) && !is_partition(folder)
}

/// Whether an object is one of Bedrock's bodies by its name, wherever the logs were copied to: beside the log they would count once more.
fn is_called_as_body(key: &str) -> bool {
    let Some((folder, name)) = key.rsplit_once('/') else {
        return false;
    };
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let is_in_data = folder == "data" || folder.ends_with("/data");
    is_in_data && (name.ends_with("_input.json") || name.ends_with("_output.json"))
}

/// Whether it is a folder of bodies itself.
fn holds_bodies(folder: &str) -> bool {
    let above = folder.strip_suffix(DATA);
    above.is_some_and(|above| is_of_bedrock(&format!("{above}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_its_name_wherever_the_logs_were_copied_to() {
        for body in [
            "copied/dt=2026-11-10/08/data/r1_output.json",
            "copied/2026/11/10/data/r1_input.json.gz",
            "data/r1_output.json.gz",
        ] {
            assert!(is_called_as_body(body), "{body}");
        }
        for other in [
            "litellm/data/r1.json",
            "batch/data/output.jsonl",
            "batch/r1_output.json",
            "r1_output.json",
        ] {
            assert!(!is_called_as_body(other), "{other}");
        }
    }

    #[test]
    fn a_folder_of_bodies_is_one_where_bedrock_puts_them() {
        for bodies in [
            "AWSLogs/1/BedrockModelInvocationLogs/us-east-1/2026/11/20/08/data/",
            "BedrockModelInvocationLogs/data/",
            "copied/2026/11/20/08/data/",
        ] {
            assert!(holds_bodies(bodies), "{bodies}");
        }
        for other in [
            "data/",
            "litellm/data/",
            "litellm/data/2026/11/20/08/",
            "2026/11/20/data/",
            "x/dt=2026-11-20/08/data/",
            "BedrockModelInvocationLogsOld/data/",
        ] {
            assert!(!holds_bodies(other), "{other}");
        }
    }
}
