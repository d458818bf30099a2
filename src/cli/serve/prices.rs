//! The prices of what is received, read anew when their files change: a server runs for months.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::CliError;
use super::super::price::load_from;
use crate::adapters::clock::SystemClock;
use crate::adapters::owners::is_owners;
use crate::adapters::prices::BookPricer;
use crate::config::Config;
use crate::ports::{Clock, Pricer};

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The files with prices as they were when they were read: size and time of the last change, where they are there.
type Seen = Vec<(PathBuf, Option<(u64, SystemTime)>)>;

/// Price books that follow their files.
pub(super) struct Prices {
    /// As they were read last, also where their books cannot be read yet.
    config: Config,
    pricer: BookPricer,
    seen: Seen,
    looked: Duration,
}

impl Prices {
    /// Reads the books of the settings.
    pub fn read(config: &Config) -> Result<Self, CliError> {
        // Looked at before: what changes while they are read is read again.
        let seen = seen(config);
        Ok(Prices {
            config: config.clone(),
            pricer: load_from(config)?,
            seen,
            looked: SystemClock.elapsed(),
        })
    }

    /// Reads them again if they have changed since; why they cannot be used, in which case those of before hold. Nothing where nothing has
    /// changed.
    pub fn follow(&mut self) -> Option<Result<(), String>> {
        let now = SystemClock.elapsed();
        if now.saturating_sub(self.looked) < LOOK {
            return None;
        }
        self.looked = now;
        let found = seen(&self.config);
        if found == self.seen {
            return None;
        }
        // One that cannot be used is told once.
        self.seen = found;
        Some(self.read_again())
    }

    fn read_again(&mut self) -> Result<(), String> {
        // Maps of names stand in the settings.
        if let Some(file) = &self.config.file {
            self.config = Config::read(file).map_err(|error| error.to_string())?;
            // What they name is looked at from now on, be it there or not; they themselves, which come first, were before they were read.
            self.seen.truncate(1);
            self.seen.extend(seen(&self.config).into_iter().skip(1));
        }
        self.pricer = load_from(&self.config).map_err(|error| error.message)?;
        Ok(())
    }

    /// The books as they are now.
    pub fn pricer(&self) -> &dyn Pricer {
        &self.pricer
    }
}

fn seen(config: &Config) -> Seen {
    let books = config.price_books.iter().map(|book| config.base.join(&book.path));
    let own = config.policies_dir().join("prices");
    let mut all: Vec<PathBuf> = config.file.iter().cloned().collect();
    for path in books.chain([own]) {
        if path.is_dir() {
            all.extend(files_in(&path));
        } else {
            all.push(path);
        }
    }
    let stamp = |path: PathBuf| {
        let found = fs::metadata(&path).ok();
        let stamp = found.and_then(|found| Some((found.len(), found.modified().ok()?)));
        (path, stamp)
    };
    all.into_iter().map(stamp).collect()
}

/// The files of a folder of prices that are read: an editor puts others beside them.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| is_owners(path)).collect();
    files.sort();
    files
}
