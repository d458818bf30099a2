//! Usage in the objects of a bucket: listed by prefix and day, fetched several at a time, each read once.
//!
//! Days that are over are closed and not listed again; of those that are open the objects that were read are remembered, each as it was
//! written: one that is written anew is read anew, and its calls are known. An object that cannot be fetched is told, and keeps its day
//! open, and no other: such days come last, so that they keep nothing new waiting. A folder that cannot be listed does the same to its day;
//! one above the days keeps all of them open, since nobody knows which are in it.

mod fetch;
mod find;
mod kept;

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};

use crate::domain::label::Label;
use crate::ports::{Checkpoint, Checkpoints, Progress, Rest, Sink, SourceError, UsageSource};

use self::kept::{Progressed, named};
use super::FileSourceOptions;
use super::read::Run;
use super::readers::Shared;
use super::spans::Spans;
use super::stop::Stop;

/// Objects fetched, and folders listed, at a time: so many objects are in memory, packed, with one that waits to be read.
const AT_A_TIME: usize = 8;

/// Bytes of an object, packed, that are fetched: several are in memory. Bedrock cuts its log files far below.
pub const LARGEST_OBJECT: u64 = 64 << 20;

/// Days that stay open: logs are delivered late.
const OPEN_DAYS: u64 = 3;

/// Told with how many there are.
const BILL: &str = "objects that hold bills or costs, tables in Parquet or a database are not read from a bucket: copy them to a folder and \
                    name that";

/// Told of a place whose listing took all the time.
const UNLISTED: &str = "was not listed to its end in the time for reading, and nothing of it was read: where each run says so, name folders \
                        further down, or raise `limits.time_budget_seconds`";

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name in the bucket.
    pub key: String,
    /// Bytes as stored.
    pub size: u64,
    /// What changes whenever it is written anew; empty where that is not told.
    pub version: String,
    /// When it was written; nothing where that is not told.
    pub changed: Option<DateTime<Utc>>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Folders right below the prefix, each with its slash at the end.
    pub folders: Vec<String>,
    /// Objects right below the prefix.
    pub objects: Vec<Object>,
    /// What the next page is asked with, if there is one.
    pub next: Option<String>,
}

/// Where objects are. Errors are words for people, without secrets.
pub trait ObjectStore: Send + Sync {
    /// One page of what is right below a prefix.
    fn list(&self, prefix: &str, next: Option<&str>) -> Result<Listed, String>;
    /// One page of all that is below a prefix, however deep: objects alone.
    fn list_below(&self, prefix: &str, next: Option<&str>) -> Result<Listed, String>;
    /// The bytes of an object, bounded.
    fn get(&self, key: &str) -> Result<Vec<u8>, String>;
}

/// Usage in the objects of one bucket.
pub struct ObjectSource {
    options: FileSourceOptions,
    store: Box<dyn ObjectStore>,
    /// What `prefixes` are below: `s3://bucket`, for people and checkpoints.
    place: String,
    prefixes: Vec<String>,
    now: DateTime<Utc>,
    spans: Spans,
}

impl ObjectSource {
    /// A source over these prefixes of a bucket. Bills are replaced as a whole and are no streams of objects.
    pub fn new(
        options: FileSourceOptions,
        store: Box<dyn ObjectStore>,
        place: String,
        prefixes: Vec<String>,
        now: DateTime<Utc>,
    ) -> Result<Self, String> {
        if let Some(format) = options.format.filter(|format| format.is_bill()) {
            return Err(format!(
                "the format {format} is a bill, which is not read from a bucket object by object"
            ));
        }
        Ok(ObjectSource {
            options,
            store,
            place,
            prefixes,
            now,
            spans: Spans::default(),
        })
    }

    /// The same with what other sources of the run know of traces.
    #[must_use]
    pub fn with_spans(self, spans: Spans) -> Self {
        ObjectSource { spans, ..self }
    }

    fn failed(&self, what: &str, cause: String) -> SourceError {
        SourceError::Read {
            what: format!("{}/{what}", self.place),
            cause,
            hint: "what was read is recorded; the next run goes on from there".to_owned(),
        }
    }

    fn prefix(
        &self,
        prefix: &str,
        shared: &Shared,
        known: &Checkpoints,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
        let place = format!("{}/{prefix}", self.place);
        let mut done: Progressed = known
            .get(&place)
            .and_then(|Checkpoint(kept)| serde_json::from_slice(kept).ok())
            .unwrap_or_default();
        done.reopen(self.options.latest);
        // Where no day is closed, none is without what lies in such folders.
        done.into_data |= done.closed.is_none();
        let open_from = self.now.date_naive().checked_sub_days(Days::new(OPEN_DAYS));
        let open_from = open_from.unwrap_or_default();
        // A clock that was ahead closed days that are still being written.
        done.closed = done.closed.min(open_from.pred_opt());
        let had_time = !sink.enough();
        let Some((found, unlisted)) = self.days(prefix, &done, sink) else {
            if had_time {
                sink.warn(&format!("what lies below {place} {UNLISTED}"), 1);
            }
            sink.left(Rest::default());
            return Ok(());
        };
        let is_whole = unlisted.is_none();
        if is_whole && found.is_empty() && done.closed.is_none() {
            sink.warn(
                &format!("nothing to read lies below {place}: a path in a bucket is a folder, no single object and no pattern"),
                1,
            );
        }
        if is_whole {
            // What lacked something and is gone is not looked for again.
            done.lacking.retain(|day| found.contains_key(&Some(*day)));
            if !found.contains_key(&None) {
                done.forget_dayless();
            }
        }
        let mut is_read = is_whole;
        let (mut read, mut failed, mut bills) = (unlisted.map_or(Ok(()), Err), 0, 0);
        let days = found.into_iter().map(|(day, of_day)| (done.order(day), of_day));
        let mut days: BTreeMap<_, _> = days.collect();
        // One day after the other: what is read is kept, however long it takes to list all.
        while let Some(((_, day), (folders, mut objects))) = days.pop_first() {
            let mut later = Vec::new();
            let mut is_later = |folder: &str| {
                let of = done.day(folder).filter(|of| Some(*of) > day);
                later.extend(of.map(|of| (of, folder.to_owned())));
                of.is_some()
            };
            let listed = self.find(folders, &mut is_later, sink);
            for (of, folder) in later {
                done.nest(&folder);
                if !done.is_closed(of) {
                    days.entry(done.order(Some(of))).or_default().0.push(folder);
                }
            }
            let Some(further) = listed else {
                sink.left(Rest::default());
                is_read = false;
                break;
            };
            for object in further.objects {
                match done.day(&object.key) {
                    // Below the partition of a day, all of which is listed at once, is one of a later day.
                    Some(of) if Some(of) > day => {
                        done.nest(&object.key);
                        if !done.is_closed(of) {
                            days.entry(done.order(Some(of))).or_default().1.push(object);
                        }
                    }
                    _ => objects.push(object),
                }
            }
            let is_listed = further.unlisted.is_none();
            read = read.and(further.unlisted.map_or(Ok(()), Err));
            if is_whole && is_listed {
                done.keep(day, &objects);
            }
            objects.retain(|object| !done.has(day, object));
            sink.progress(Progress {
                expected_bytes: objects.iter().map(|object| object.size).sum(),
                ..Progress::default()
            });
            let of_day = self.day(&objects, shared, sink)?;
            let left = objects
                .len()
                .saturating_sub(of_day.read.len() + of_day.failed + of_day.bills.len());
            failed += of_day.failed;
            if let Some(until) = of_day.until {
                let known = done.until.entry(named(day)).or_insert(until);
                *known = until.min(*known);
            }
            done.read.entry(named(day)).or_default().extend(of_day.read);
            // They are told again while their day is open, and fetched again only when they are written anew.
            let known = done.bills.entry(named(day)).or_default();
            known.extend(of_day.bills);
            bills += known.len();
            let is_lacking = of_day.failed > 0 || !is_listed;
            // A closed one, too, that is looked at once more for what an earlier version passed over.
            done.lacking.extend(day.filter(|_| is_lacking));
            if let Some(day) = day.filter(|day| !done.is_closed(*day)) {
                if !is_lacking && left == 0 && is_whole {
                    done.lacking.remove(&day);
                }
                if left == 0 && is_whole && day < open_from {
                    done.closed = done.closed.max(Some(day));
                }
            }
            done.forget_closed();
            let kept = serde_json::to_vec(&done).unwrap_or_default();
            sink.checkpoint(&place, Checkpoint(kept))?;
            if left > 0 {
                sink.left(Rest::default());
                is_read = false;
                break;
            }
        }
        if is_read && !done.into_data {
            done.into_data = true;
            done.forget_closed();
            let kept = serde_json::to_vec(&done).unwrap_or_default();
            sink.checkpoint(&place, Checkpoint(kept))?;
        }
        Run::new(&self.options, shared.clone(), sink)
            .settle_traces()
            .map_err(Stop::source)?;
        if bills > 0 && read.is_ok() {
            read = Err(self.failed(prefix, format!("{BILL} ({bills})")));
        }
        read.and(match failed {
            0 => Ok(()),
            1 => Err(self.failed(prefix, "an object cannot be fetched".to_owned())),
            more => Err(self.failed(prefix, format!("{more} objects cannot be fetched"))),
        })
    }
}

impl UsageSource for ObjectSource {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let traces = self.spans.begin(&self.options, known, sink)?;
        let shared = Shared::new(Vec::new(), traces, self.options.columns.clone());
        let mut read = Ok(());
        for prefix in &self.prefixes {
            match self.prefix(prefix, &shared, known, sink) {
                Err(error @ SourceError::Store(_)) => return Err(error),
                // What is below one prefix keeps nobody from what is below the others.
                other => read = read.and(other),
            }
        }
        read
    }
}
