//! Fetches the objects of a day, several at a time, and reads them one after the other.

use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use super::super::bills::Bills;
use super::super::database::SQLITE;
use super::super::line::Fault;
use super::super::read::Run;
use super::super::readers::Shared;
use super::super::sniff::{Input, PARQUET, unpack};
use super::super::stop::Stop;
use super::kept::digest;
use super::{AT_A_TIME, LARGEST_OBJECT, Object, ObjectSource};
use crate::ports::{Sink, SourceError};

/// What became of the objects of a day. The others are left for the next run.
#[derive(Default)]
pub(super) struct Day {
    /// Digests of those that were read.
    pub read: Vec<String>,
    /// How many could not be fetched.
    pub failed: usize,
    /// Digests of those that hold bills.
    pub bills: Vec<String>,
    /// The earliest time of a record that was refused because it is still to come.
    pub until: Option<i64>,
}

impl ObjectSource {
    /// Reads the objects of a day until the time is used up.
    pub(super) fn day(&self, objects: &[Object], shared: &Shared, sink: &mut dyn Sink) -> Result<Day, SourceError> {
        let mut done = Day::default();
        let todo = Mutex::new(objects.iter());
        let stop = AtomicBool::new(false);
        let (sender, fetched) = sync_channel(0);
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(objects.len()) {
                let (sender, todo, stop) = (sender.clone(), &todo, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Acquire) {
                        let Some(object) = todo.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                            return;
                        };
                        if sender.send((object, self.fetch(object))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut run = Run::new(&self.options, shared.clone(), sink);
            let mut result = Ok(());
            for (object, bytes) in &fetched {
                // What was given up since the time is used up is left for the next run.
                if bytes.is_err() && run.sink.enough() {
                    break;
                }
                result = self.one(&mut run, object, bytes, &mut done);
                if result.is_err() || run.sink.enough() {
                    break;
                }
            }
            // Those that wait to hand something over find nobody, and end.
            stop.store(true, Ordering::Release);
            drop(fetched);
            result
        })?;
        Ok(done)
    }

    fn fetch(&self, object: &Object) -> Result<Vec<u8>, String> {
        match object.size {
            ..=LARGEST_OBJECT => self.store.get(&object.key),
            size => Err(format!(
                "it has {size} bytes, and {LARGEST_OBJECT} of one object are fetched at most: pack it (gzip or Zstandard), have it written in \
                 smaller parts, or copy it to a folder and name that"
            )),
        }
    }

    fn one(
        &self,
        run: &mut Run<'_>,
        object: &Object,
        bytes: Result<Vec<u8>, String>,
        done: &mut Day,
    ) -> Result<(), SourceError> {
        let name = format!("{}/{}", self.place, object.key);
        run.progress.files += 1;
        run.returns = true;
        run.context.fallback = object.changed;
        let mut whole_file = None;
        let outcome = match bytes {
            Ok(bytes) => unpack(Box::new(Cursor::new(bytes)))
                .and_then(|(input, _)| begun(input))
                .map_err(Stop::from)
                .and_then(|(input, what)| {
                    whole_file = what;
                    match what {
                        Some(_) => Ok(()),
                        None => run.stream(input, &name, false, None, None),
                    }
                })
                .and_then(|()| run.hand_over().map(|_| ())),
            Err(cause) => {
                run.unread(&name, &format!("cannot be fetched: {cause}"));
                run.tell(true);
                done.failed += 1;
                return Ok(());
            }
        };
        run.progress.bytes = object.size;
        done.until = [done.until, run.context.refused_until].into_iter().flatten().min();
        match outcome {
            Ok(()) if run.bills.is_empty() && whole_file.is_none() => done.read.push(digest(object)),
            Ok(()) => {
                run.bills = Bills::of(self.options.asked.clone());
                let what = whole_file.unwrap_or("a bill");
                run.reject(&name, 0, Fault::whole(format!("{what} is not read from a bucket")), b"");
                done.bills.push(digest(object));
            }
            Err(Stop::Store(error)) => return Err(error.into()),
            // Objects are read one after another: none is left for later.
            Err(Stop::Time | Stop::Later) => {}
            // It will not be better until it is written anew.
            Err(Stop::Io(error)) => {
                run.reject(&name, 0, Fault::whole(format!("cannot be read: {error}")), b"");
                done.read.push(digest(object));
            }
        }
        run.tell(true);
        Ok(())
    }
}

/// What can only be read as a file, from several places of it; the input from its beginning all the same.
fn begun(mut input: Input<'_>) -> std::io::Result<(Input<'_>, Option<&'static str>)> {
    let mut front = Vec::with_capacity(SQLITE.len());
    Read::by_ref(&mut input)
        .take(SQLITE.len() as u64)
        .read_to_end(&mut front)?;
    let what = match front.as_slice() {
        parquet if parquet.starts_with(PARQUET) => Some("a table in Parquet"),
        SQLITE => Some("a database of SQLite"),
        _ => None,
    };
    Ok((Box::new(Cursor::new(front).chain(input)), what))
}
