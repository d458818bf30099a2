//! Reads one file from where its checkpoint stands.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};

use crate::ports::SourceError;

use super::database::SQLITE;
use super::discover::Found;
use super::position::{HEAD, Position};
use super::read::Run;
use super::sniff::{PARQUET, unpack};
use super::stop::{Extent, Stop};
use super::unread::Unread;

/// Why calls may count twice.
pub(super) const GAVE_OTHERWISE: &str = "files have changed, or were moved, since they were read with another `kind` or other columns in the settings: read as a whole, what they held before may count twice";

impl Run<'_> {
    /// Reads one file; one that cannot be read is told and does not stop the others.
    pub fn one(&mut self, found: &Found, position: Option<Position>) -> Result<Extent, SourceError> {
        let name = found.path.to_string_lossy().into_owned();
        let mut extent = Extent::Whole;
        let of_bill = position.as_ref().is_some_and(Position::is_of_bill);
        if of_bill && self.by_itself {
            return Ok(Extent::Nothing);
        }
        match self.file(found, &name, position) {
            Ok(()) => self.check_kind(found),
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(Stop::Time) => (self.stopped, extent) = (true, Extent::Part),
            Err(Stop::Later) => {
                self.progress.files -= 1;
                self.progress.bytes = 0;
                if self.defer {
                    self.deferred.insert(found.path.clone());
                }
                return Ok(Extent::Nothing);
            }
            Err(Stop::Io(error)) if Unread::is_of_system(&error) => {
                self.out.excluded.clear();
                self.progress.unread += 1;
                self.shared.unread.note(&name, &error);
                // A part of a bill must not replace a whole one.
                self.bills_whole &= !of_bill;
                self.tell(true);
                return Ok(extent);
            }
            Err(Stop::Io(error)) => self.unread(&name, &format!("cannot be read: {error}")),
        }
        self.miss_bill(of_bill, &name);
        self.tell(true);
        Ok(extent)
    }

    fn file(&mut self, found: &Found, name: &str, known: Option<Position>) -> Result<(), Stop> {
        let mut file = match File::open(&found.path) {
            // It was moved, or packed, since it was found.
            Err(error) if error.kind() == ErrorKind::NotFound && !found.named => return Ok(()),
            opened => opened?,
        };
        self.begin_file();
        self.context.file.clone_from(&found.path);
        self.returns = found.metadata.is_file();
        self.written = self.is_new(found) && self.returns;
        self.context.fallback = found.metadata.modified().ok().map(Into::into);
        self.progress.files += 1;
        let mut head = Vec::with_capacity(HEAD);
        Read::by_ref(&mut file).take(HEAD as u64).read_to_end(&mut head)?;
        let fresh = self.as_now.fresh(&found.metadata, &head);
        if head.starts_with(PARQUET) {
            return match self.by_itself || self.defer {
                true => Err(Stop::Later),
                false => self.parquet(file, name, fresh),
            };
        }
        if head.starts_with(SQLITE) && found.metadata.is_file() {
            return match self.by_itself {
                true => Err(Stop::Later),
                false => self.database(found, name, known, fresh),
            };
        }
        let known = known.filter(|_| found.metadata.is_file());
        if let Some(known) = &known {
            if let Some(behind) = known.resume(&mut file, &head, fresh.size, &self.as_now)? {
                // What the rest holds says little of the whole.
                self.understood = true;
                let format = known.format.parse().ok();
                let position = Position {
                    size: fresh.size,
                    modified: fresh.modified,
                    head_len: fresh.head_len,
                    head: fresh.head,
                    behind,
                    ..known.clone()
                };
                return self.stream(Box::new(file), name, found.named, Some(position), format);
            }
            // What was read under other columns is looked for among all that was.
            if self.shared.columns.is_none() && known.gave_otherwise(&self.as_now) && known.begins(&head) {
                self.sink.warn(GAVE_OTHERWISE, 1);
            }
            file.seek(SeekFrom::Start(head.len() as u64))?;
        }
        let whole = Box::new(Cursor::new(head.clone()).chain(file));
        let (mut input, packed) = unpack(whole)?;
        let goes_on = |known: &Position| packed && known.goes_on(&fresh, &head, &self.as_now);
        let known = known.filter(goes_on);
        let format = known.as_ref().and_then(|known| known.format.parse().ok());
        // A pipe has no place to go back to.
        let position = found.metadata.is_file().then_some(Position {
            resumable: !packed,
            ..fresh.clone()
        });
        let position = match known.filter(|_| format.is_some()) {
            Some(known) => {
                io::copy(&mut Read::by_ref(&mut input).take(known.offset), &mut io::sink())?;
                self.understood = true;
                Some(Position {
                    size: fresh.size,
                    packed: None,
                    ..known
                })
            }
            None => position,
        };
        self.packed = packed;
        // Of what is packed nothing follows, and who reports keeps nothing for another time.
        self.written &= !packed;
        self.waits_for_ends = self.written && self.options.asked.is_none();
        let read = self.stream(input, name, found.named, position, format);
        if std::mem::take(&mut self.packed) {
            // Progress is told in bytes as stored, which only the whole file has.
            self.progress.bytes = found.metadata.len();
        }
        read
    }
}
