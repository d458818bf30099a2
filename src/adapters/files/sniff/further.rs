//! Looks further into a file whose first records are of no known format: a log of a service begins with how that was started.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use memchr::memmem::Finder;

use super::super::columns::unknown;
use super::super::database::SQLITE;
use super::super::line::{Context, LineFormat, Output};
use super::super::mixed::Mixed;
use super::super::otel::Traces;
use super::super::read::Run;
use super::super::readers::Shared;
use super::super::records::Records;
use super::super::stop::Stop;
use super::super::{FileFormat, detect};
use super::{DETECT_BYTES, Framing, LOOK_BYTES, PARQUET};

/// How texts of two bytes a character begin.
const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];
/// What is told of them.
const IN_UTF_16: &str = "it is UTF-16, as `>` of Windows PowerShell writes it: save it as UTF-8";

/// What is told of files that hold no call within what is looked at.
const UNKNOWN: &str = "files of no known usage format in their first 4 MiB";

impl Run<'_> {
    /// Whether a stream whose first records are of no format holds a call further in: then it is read record by record.
    pub fn holds_calls<R: Read>(&self, records: &mut Records<R>, framing: Framing) -> io::Result<bool> {
        let front = records.peek(LOOK_BYTES)?;
        let mut look = Look::new(Context::new(self.options.latest));
        look.context.fallback = self.context.fallback;
        Ok(match framing {
            Framing::Table => false,
            Framing::Lines => front.split(|byte| *byte == b'\n').any(|line| look.finds_call(line)),
            Framing::Values => {
                let mut values = Records::new(front, 0, 0);
                values.grows = true;
                while let Some(value) = values.value()? {
                    if look.finds_call(value.bytes) {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }

    /// Refuses a text that is no UTF-8 by its beginning. In a folder of anything it may be no usage: there it is told.
    pub fn refuse_utf_16(&mut self, name: &str, named: bool, front: &[u8]) -> Result<(), Stop> {
        if !UTF_16.contains(&front.get(..2).unwrap_or_default()) {
            return Ok(());
        }
        if named || self.options.format.is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, IN_UTF_16).into());
        }
        self.sink.warn(&format!("{name}: {IN_UTF_16}"), 1);
        Ok(())
    }

    /// Refuses what is no text where it comes as a stream, packed or piped: it can only be read as a file, from several places of it.
    pub fn refuse_file(&mut self, front: &[u8]) -> Result<(), Stop> {
        let what = match front {
            parquet if parquet.starts_with(PARQUET) => "a Parquet file",
            database if database.starts_with(SQLITE) => "a database of SQLite",
            _ => return Ok(()),
        };
        if self.by_itself {
            return Err(Stop::Later);
        }
        // It may be a part of any bill.
        self.bills_whole &= !front.starts_with(PARQUET);
        let cause = format!("it is {what}, packed or piped, and that is only read as the file itself: unpack it");
        Err(io::Error::new(io::ErrorKind::InvalidData, cause).into())
    }

    /// Tells a file of no format: one that was named is refused, those of folders are told together.
    pub fn tell_unknown<R: Read>(&mut self, name: &str, named: bool, records: &mut Records<R>) -> Result<(), Stop> {
        if named {
            let front = records.peek(DETECT_BYTES)?;
            let first = front.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.reject(name, 1, unknown(front), first.trim_ascii());
        } else {
            let first = self.no_spend.files.entry(UNKNOWN.to_owned());
            let first = first.or_insert_with(|| name.to_owned());
            self.sink.warn(&format!("{UNKNOWN}, such as `{first}`"), 1);
        }
        Ok(())
    }
}

/// Reads what may be calls, and keeps nothing of them.
struct Look {
    /// Of these a record that counts something has one; they are found faster than its format.
    signs: [Finder<'static>; 3],
    reader: Mixed,
    context: Context,
}

impl Look {
    fn new(context: Context) -> Self {
        let shared = Shared::new(Vec::new(), Arc::new(Mutex::new(Traces::default())), None);
        Look {
            signs: ["usage", "Usage", "oken"].map(Finder::new),
            reader: Mixed::new(FileFormat::Body, &shared),
            context,
        }
    }

    /// Whether a record is a call, or one of whose usage nothing is told. Others have a key or two of a format, too.
    fn finds_call(&mut self, record: &[u8]) -> bool {
        let record = record.trim_ascii();
        if !self.signs.iter().any(|sign| sign.find(record).is_some()) {
            return false;
        }
        let Ok(text) = std::str::from_utf8(record) else {
            return false;
        };
        match detect::by_record(text) {
            None => false,
            // Its spans may wait for others.
            Some(FileFormat::Otel) => true,
            Some(_) => {
                let mut out = Output::default();
                let read = self.reader.record(text, 1, &mut self.context, &mut out);
                read.is_ok() && out.held() > out.excluded.len() + out.warnings.len()
            }
        }
    }
}
