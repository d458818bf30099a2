//! What reading tells beside what was read: how far it is, what was not usable, what is left, where a record stands, how a source
//! tells usage.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::label::Label;

/// A record that was not usable. The rest of its file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The file, `-` for standard input.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// The offending field, where one is to blame.
    pub field: Option<String>,
    /// What is wrong with it, lower case, no full stop.
    pub reason: String,
    /// The record as read, cut at [`Rejection::RAW_LIMIT`].
    pub raw: Vec<u8>,
}

impl Rejection {
    /// Bytes of a rejected record that are kept.
    pub const RAW_LIMIT: usize = 1 << 20;
}

/// What a request costs that is paid for, in dollars. Every page and every retry is one.
pub const PAID_REQUEST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// What was read since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files opened with something new in them.
    pub files: u64,
    /// Files that could not be read, or not to their end: what they hold is unknown.
    pub unread: u64,
    /// Rows of bills and of costs that were refused, and bills that were not told: what they cost is unknown.
    pub unknown_costs: u64,
    /// Lines or records.
    pub lines: u64,
    /// Bytes as stored (compressed where the file is).
    pub bytes: u64,
    /// Requests that the provider charges for, [`PAID_REQUEST`] each.
    pub paid_requests: u64,
    /// Bytes found that are still to be read: told once per source, before reading.
    pub expected_bytes: u64,
}

impl Progress {
    /// Adds what was read after this.
    pub fn add(&mut self, more: Progress) {
        let Progress {
            files,
            unread,
            unknown_costs,
            lines,
            bytes,
            paid_requests,
            expected_bytes,
        } = more;
        self.files += files;
        self.unread += unread;
        self.unknown_costs += unknown_costs;
        self.lines += lines;
        self.bytes += bytes;
        self.paid_requests += paid_requests;
        self.expected_bytes += expected_bytes;
    }
}

/// Input that was found and not read, or not to its end, since the time was used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Files.
    pub files: u64,
    /// Bytes as stored.
    pub bytes: u64,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The file.
    pub file: String,
    /// Line on which it begins, from 1.
    pub line: u64,
}

/// What looking for the record of a call came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The record that the usage of the call was read from.
    pub found: Option<RecordPlace>,
    /// Other observations of the call that were met on the way.
    pub others: u64,
    /// The first of them.
    pub another: Option<RecordPlace>,
    /// Files that were read to their end, or to the record.
    pub searched: u64,
    /// Files that are gone or cannot be read.
    pub unreadable: u64,
    /// The first of them, with the cause.
    pub first_unreadable: Option<String>,
    /// Files that were not read, or not to their end, since the time was used up.
    pub left: u64,
    /// Inputs that are no files: a bucket, an interface.
    pub elsewhere: u64,
}

/// How a source tells usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// The providers of which it has sums over all calls of an account.
    pub sums: BTreeSet<Label>,
    /// Whether it has single calls.
    pub calls: bool,
}

/// Where an adapter stands in one of its inputs (a file, a page of an API). Its content is the adapter's own business; the
/// ledger stores it in the same transaction as the events that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint(pub Vec<u8>);

impl Checkpoint {
    /// That of an input of which nothing is kept any more: a ledger that is given it forgets the one it has.
    pub const NONE: Checkpoint = Checkpoint(Vec::new());
}

/// The source under which a ledger keeps what is of all of them: no source of the settings can have a name with a space at its end.
pub const ALL_SOURCES: &str = "all sources ";

/// How the keys of checkpoints begin that are of all sources, whichever hands them over.
pub const OF_ALL: &str = "all:";
