//! Where reading a file stands: what a checkpoint of this adapter holds.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints};

use super::database::Reached;
use super::records::Behind;
use super::remember::TRACES;
use super::{FileFormat, FileSourceOptions};

/// Bytes at the front of a file that tell whether it is still the same file.
pub(super) const HEAD: usize = 1024;

/// Changes when readers understand more than before, so that what earlier ones left out is read. Bills are not read anew for it: one by itself
/// would replace all of its files, and what was taken back would come again.
const READERS: &[u8] = b"2";

/// What it was before.
const EARLIER_READERS: &[u8] = b"1";

/// Refused records that are looked at again when their file has grown, and how much of each.
const REFUSED: usize = 8;
const REFUSED_BYTES: usize = 64 << 10;

/// Serialised as JSON; a checkpoint that does not parse is as good as none, since identities make reading again safe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Size of the file when it was read.
    pub size: u64,
    /// Its time of change, in nanoseconds.
    pub modified: u64,
    /// Bytes read of the decoded stream.
    pub offset: u64,
    /// Line ends before that.
    pub newlines: u64,
    /// Length of the digested front.
    pub head_len: usize,
    /// Digest of the front.
    pub head: String,
    /// Name of the format.
    pub format: String,
    /// Whether reading can go on at `offset`.
    pub resumable: bool,
    /// State of the format.
    pub state: String,
    /// How many bytes before `offset` are digested: files of one program may begin alike.
    #[serde(default)]
    pub tail_len: usize,
    /// Digest of these bytes, which end in the last record that was read.
    #[serde(default)]
    pub tail: String,
    /// Digest of what the file was read as; empty where an earlier version read it.
    #[serde(default)]
    pub read_as: String,
    /// Whether a call was recorded of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gave: bool,
    /// Whether a record was refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Whether a line end stood behind the last row of a bill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub line_end: bool,
    /// The earliest time, in seconds of the epoch, of the records that were refused because it was still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Where records were refused, how long they are and their digests: one may be mended where it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_at: Vec<(u64, usize, String)>,
    /// How far the rows of a database were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// Whether all that it told of bills was taken back since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// How many files of bills were read together with it, itself among them, and a digest of their paths; nothing where an earlier version
    /// read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<(usize, String)>,
    /// The size of a packed file that was read in part, to `offset` of what is packed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<u64>,
    /// The last bytes before `offset`, where reading goes on there.
    #[serde(skip)]
    pub behind: Vec<u8>,
}

impl Position {
    /// Where a file begins whose front is `head`.
    pub fn fresh(metadata: &Metadata, head: &[u8]) -> Self {
        Position {
            size: metadata.len(),
            modified: modified(metadata),
            head_len: head.len(),
            head: digest(head),
            ..Position::default()
        }
    }

    /// Keeps the identities of the bills that a file told.
    pub fn name(&mut self, bills: &[String]) {
        self.state = serde_json::to_string(bills).unwrap_or_default();
    }

    /// These identities.
    pub fn names(&self) -> Vec<String> {
        serde_json::from_str(&self.state).unwrap_or_default()
    }

    /// Reads a checkpoint.
    pub fn parse(checkpoint: &Checkpoint) -> Option<Self> {
        serde_json::from_slice(&checkpoint.0).ok()
    }

    /// Writes it.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether rows of a bill were read there.
    pub fn is_of_bill(&self) -> bool {
        self.format.parse().is_ok_and(FileFormat::is_bill)
    }

    /// Whether the file is as it was, and would be read as it was.
    pub fn is_current(&self, metadata: &Metadata, as_now: &ReadAs) -> bool {
        self.size == metadata.len() && self.modified == modified(metadata) && self.is_of(as_now)
    }

    /// Whether what was read here stays. What calls are told apart by may depend on the settings: where some were recorded, reading anew
    /// in another way could count them twice.
    pub fn is_of(&self, as_now: &ReadAs) -> bool {
        let refused = self.refused && as_now.refused_ones;
        let over = self.until.is_some_and(|until| until <= as_now.latest.timestamp());
        let alike = match self.read_as.as_str() {
            "" => as_now.format.is_none_or(|format| format.name() == self.format),
            read_as => self.gave || read_as == as_now.read_as || (self.is_of_bill() && read_as == as_now.read_before),
        };
        alike && !refused && !over
    }

    /// Takes up reading of a file that begins with `head` and is so long: answers the bytes behind which it goes on, if all that was read
    /// before is still there. The file stands there then.
    pub fn resume(&self, file: &mut File, head: &[u8], size: u64, as_now: &ReadAs) -> io::Result<Option<Vec<u8>>> {
        // One that was changed and is no longer may tell what was refused in another way: by its time of change, for one.
        let touched = self.refused && self.size == size;
        if !self.resumable
            || !self.begins(head)
            || touched
            || self.offset > size
            || self.size > size
            || !self.is_of(as_now)
        {
            return Ok(None);
        }
        if self.is_mended(file)? {
            return Ok(None);
        }
        let kept = Behind::MOST.min(usize::try_from(self.offset).unwrap_or(usize::MAX));
        let mut behind = Vec::with_capacity(kept);
        file.seek(SeekFrom::Start(self.offset - kept as u64))?;
        Read::by_ref(file).take(kept as u64).read_to_end(&mut behind)?;
        // An earlier version noted its front alone.
        if self.offset <= self.head_len as u64 || self.read_as.is_empty() {
            return Ok(Some(behind));
        }
        let from = behind.len().checked_sub(self.tail_len).filter(|_| self.tail_len > 0);
        let tail = from.and_then(|from| behind.get(from..));
        Ok(match tail.is_some_and(|tail| digest(tail) == self.tail) {
            true => Some(behind),
            false => None,
        })
    }

    /// Whether reading goes on at `offset` of what is packed in a file, which is as it was when `fresh` is where it begins.
    pub fn goes_on(&self, fresh: &Position, head: &[u8], as_now: &ReadAs) -> bool {
        let alike = self.packed == Some(fresh.size) && self.modified == fresh.modified && self.begins(head);
        alike && self.is_of(as_now)
    }

    /// Where a run ends in the middle of a file it has read so many bytes of: the next one does not take it for read.
    pub fn in_part(&self, read: u64) -> Self {
        Position {
            size: self.size.checked_sub(1).map_or(read, |less| read.min(less)),
            packed: (!self.resumable).then_some(self.size),
            ..self.clone()
        }
    }

    /// Notes that the last record is left for the next run, which is to find a file of another size. One that had none yet when it was
    /// found has what was read of it.
    pub fn leave_last(&mut self, read: u64) {
        self.size = self.size.checked_sub(1).unwrap_or(read.saturating_sub(1));
    }

    /// Notes that the record at a place of the file was refused.
    pub fn refuse(&mut self, offset: u64, record: &[u8]) {
        if self.resumable && self.refused_at.len() < REFUSED {
            let front = record.get(..REFUSED_BYTES).unwrap_or(record);
            self.refused_at.push((offset, front.len(), digest(front)));
        }
    }

    /// Whether a record that was refused is another one now.
    fn is_mended(&self, file: &mut File) -> io::Result<bool> {
        for (offset, length, known) in &self.refused_at {
            let mut record = Vec::with_capacity(REFUSED_BYTES.min(*length));
            file.seek(SeekFrom::Start(*offset))?;
            Read::by_ref(file).take(*length as u64).read_to_end(&mut record)?;
            if digest(&record) != *known {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether calls were recorded of the file when it was read in another way than now.
    pub fn gave_otherwise(&self, as_now: &ReadAs) -> bool {
        let known = [as_now.read_as.as_str(), as_now.read_before.as_str(), ""];
        self.gave && !known.contains(&self.read_as.as_str())
    }

    /// Whether it is the one that begins so.
    pub fn begins(&self, head: &[u8]) -> bool {
        head.get(..self.head_len)
            .is_some_and(|front| digest(front) == self.head)
    }

    /// The same; of a file whose last row is left for the next run it is not current.
    pub fn ended(self, whole: bool) -> Self {
        Position {
            size: self.size.wrapping_sub(u64::from(!whole)),
            ..self
        }
    }

    /// Notes that a file is read so far, with the state of its format.
    pub fn reach(&mut self, at: &Behind<'_>, state: String) {
        (self.offset, self.newlines, self.state) = (at.offset, at.newlines, state);
        // What lies within the front is told by it.
        let told = !self.resumable || self.offset <= self.head_len as u64;
        let tail = if told { &[][..] } else { at.bytes };
        self.tail_len = tail.len();
        self.tail = if tail.is_empty() { String::new() } else { digest(tail) };
    }
}

/// Whether files of these checkpoints are missed where none is there: what they told counts.
pub(super) fn are_missed(known: &Checkpoints) -> bool {
    let is_taken_back = |at| Position::parse(at).is_some_and(|position| position.taken_back);
    known.iter().any(|(key, at)| key != TRACES && !is_taken_back(at))
}

/// The format of an input of which calls were recorded; none where none were, or where that is not known.
pub(crate) fn gave(at: &Checkpoint) -> Option<FileFormat> {
    Position::parse(at).filter(|at| at.gave)?.format.parse().ok()
}

/// The checkpoints, as they are to be, of files of which all bills are `taken` back: nobody misses what they held.
pub fn taken_back(known: &Checkpoints, taken: impl Fn(&str) -> bool) -> Vec<(String, Checkpoint)> {
    let noted = known.iter().filter_map(|(key, at)| {
        let position = Position::parse(at).filter(Position::is_of_bill)?;
        let names = position.names();
        let all = !names.is_empty() && names.iter().all(|name| taken(name));
        let noted = || Position {
            taken_back: true,
            ..position
        };
        all.then(|| (key.clone(), noted().checkpoint()))
    });
    noted.collect()
}

/// How files are read now.
pub(super) struct ReadAs {
    read_as: String,
    /// The same, as earlier readers had it.
    read_before: String,
    format: Option<FileFormat>,
    latest: DateTime<Utc>,
    /// Whether files of which a record was refused are read anew, so that it is told again.
    refused_ones: bool,
}

impl ReadAs {
    /// As these options have it.
    pub fn new(options: &FileSourceOptions, refused_ones: bool) -> Self {
        let columns = options.columns.as_ref();
        let columns = columns.map_or_else(String::new, |columns| format!("{columns:?}"));
        let format = options.format.map_or("", FileFormat::name);
        let as_of = |readers: &[u8]| {
            let mut read_as = EventId::of(&[b"read as", readers, format.as_bytes(), columns.as_bytes()]).to_string();
            read_as.truncate(16);
            read_as
        };
        ReadAs {
            read_as: as_of(READERS),
            read_before: as_of(EARLIER_READERS),
            format: options.format,
            latest: options.latest,
            refused_ones,
        }
    }

    /// Where a file begins that is read so.
    pub fn fresh(&self, metadata: &Metadata, head: &[u8]) -> Position {
        Position {
            read_as: self.read_as.clone(),
            ..Position::fresh(metadata, head)
        }
    }

    /// Where the end of a file of bills is of which nothing counts.
    pub fn of_bill(&self, metadata: &Metadata) -> Position {
        Position {
            format: FileFormat::Focus.name().to_owned(),
            ..self.fresh(metadata, b"")
        }
    }
}

/// Time of change in nanoseconds of the epoch; 0 where the system does not tell.
fn modified(metadata: &Metadata) -> u64 {
    metadata
        .modified()
        .ok()
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .and_then(|d| u64::try_from(d.as_nanos()).ok())
        .unwrap_or(0)
}

/// Digest of bytes of a file, or of names of files.
pub(super) fn digest(head: &[u8]) -> String {
    EventId::of(&[b"head", head]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::label::Label;

    #[test]
    fn readers_that_understand_more_leave_bills_as_they_are() {
        let options = FileSourceOptions {
            name: Label::new("test"),
            format: None,
            paths: Vec::new(),
            base: "/".into(),
            defaults: Vec::new(),
            columns: None,
            asked: None,
            latest: DateTime::UNIX_EPOCH,
            env: |_| None,
        };
        let now = ReadAs::new(&options, false);
        let of = |format: FileFormat, read_as: &str| Position {
            format: format.name().to_owned(),
            read_as: read_as.to_owned(),
            ..Position::default()
        };
        // What gave nothing before may give something now. One file of a bill would replace all of them.
        assert!(!of(FileFormat::Body, &now.read_before).is_of(&now));
        assert!(of(FileFormat::Body, &now.read_as).is_of(&now));
        assert!(of(FileFormat::Focus, &now.read_before).is_of(&now));
        assert!(!of(FileFormat::Focus, "of other columns").is_of(&now));
    }
}
