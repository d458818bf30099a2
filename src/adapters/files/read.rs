//! Reads files from where their checkpoints stand and hands their records to the format.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::ports::{Checkpoints, Progress, Sink, SourceError};

use super::asked::Asked;
use super::bedrock::exported;
use super::bill_files::lie_beside;
use super::bills::Bills;
use super::database::SQLITE;
use super::discover::{Found, Search};
use super::formerly::Formerly;
use super::joined::Joined;
use super::line::{Context, Fault, LineFormat, Output};
use super::mixed::OF_LOG;
use super::one::GAVE_OTHERWISE;
use super::position::{Position, ReadAs};
use super::readers::{Shared, reader};
use super::records::{RECORD_LIMIT, Record, Records};
use super::remember::NoSpend;
use super::side_by_side::{self, Rest, by_itself};
use super::sniff::{DETECT_BYTES, Framing, Input, begins_as_log, framing, is_foreign, recognise, unpack};
use super::stop::{Stop, Whole};
use super::{CLOCK_SKEW, FileFormat, FileSourceOptions, detect};

pub(super) fn read_found(
    options: &FileSourceOptions,
    search: &Search,
    shared: Shared,
    known: &Checkpoints,
    sink: &mut dyn Sink,
) -> Result<(), SourceError> {
    let Search { found, stdin, .. } = search;
    // Which of several deliveries counts is told by all that they tell.
    let wide = options
        .asked
        .as_ref()
        .filter(|_| lie_beside(found))
        .map(|asked| FileSourceOptions {
            asked: Some(Asked {
                basis: asked.basis,
                ..Asked::everything()
            }),
            ..options.clone()
        });
    let options = wide.as_ref().unwrap_or(options);
    let unread = shared.unread.clone();
    let mut run = Run::new(options, shared, sink);
    run.shared.formerly = Arc::new(Formerly::of(known, &run.as_now, options.columns.is_some()));
    (run.defer, run.usual) = (true, search.usual);
    let position = |f: &Found| known.get(f.path.to_string_lossy().as_ref()).and_then(Position::parse);
    let is_current = |f: &Found, p: &Position| {
        let log = p.reached.as_ref().is_none_or(|reached| reached.is_log_of(&f.path));
        log && p.is_current(&f.metadata, &run.as_now)
    };
    let (current, todo): (Vec<_>, Vec<_>) = found
        .iter()
        .map(|f| (f, position(f)))
        .partition(|(f, p)| p.as_ref().is_some_and(|p| is_current(f, p)));
    let expected_bytes = todo
        .iter()
        .map(|(f, p)| {
            let done = p.as_ref().filter(|p| p.resumable && p.offset <= f.metadata.len());
            f.metadata.len() - done.map_or(0, |p| p.offset)
        })
        .sum();
    run.sink.progress(Progress {
        expected_bytes,
        ..Progress::default()
    });
    let Rest { in_order, left } = side_by_side::read(options, &run.shared, todo, run.sink)?;
    if run.leaves_behind(&left, &in_order) {
        return run.settle_traces().map_err(Stop::source);
    }
    for (at, (file, position)) in in_order.iter().enumerate() {
        run.one(file, position.clone())?;
        if run.leaves(in_order.get(at..).unwrap_or_default()) {
            // Bills of which files are still to be read stay as they are.
            return run.settle_traces().map_err(Stop::source);
        }
    }
    if *stdin {
        // Nobody can come back to it when all files are known.
        run.defer = false;
        // What comes without a time comes now, as far as anyone can tell.
        run.context.fallback = Some(options.latest - CLOCK_SKEW);
        let input = unpack(Box::new(io::stdin().lock())).map_err(Stop::from);
        input
            .and_then(|(input, _)| run.stream(input, "-", true, None, None))
            .map_err(Stop::source)?;
        run.tell(true);
    }
    run.settle_traces().map_err(Stop::source)?;
    run.bill_files(current, search, known)?;
    if run.bills_left {
        return Ok(());
    }
    // Rows of the same bills may lie where nobody may look.
    run.bills_whole &= (search.is_whole() && unread.is_empty()) || run.bill_positions.is_empty();
    run.finish_bills()
}

pub(super) struct Run<'a> {
    pub options: &'a FileSourceOptions,
    /// How files are read now.
    pub as_now: ReadAs,
    pub context: Context,
    pub out: Output,
    pub progress: Progress,
    pub bills: Bills,
    pub bills_whole: bool,
    /// Of the records of the file before.
    buffer: Vec<u8>,
    pub packed: bool,
    /// Whether what is at hand may be left for the next run, which finds it again.
    pub returns: bool,
    pub stopped: bool,
    /// Whether only files are read that are understood each by itself.
    pub by_itself: bool,
    /// Whether tools keep their logs where these are.
    pub usual: bool,
    /// The files that bills were read from; without a place where a row of it was refused, so that it is read and told again.
    pub bill_positions: Vec<(String, Option<Position>)>,
    /// Records refused so far.
    pub refused: u64,
    /// The same when the file at hand was begun.
    pub refused_before: u64,
    /// Whether anything was understood of the file at hand.
    pub understood: bool,
    /// Whether a call was read of it.
    pub gave: bool,
    /// Whether the file at hand may still be written.
    pub written: bool,
    /// Whether a last row without an end is left for the next run.
    pub waits_for_ends: bool,
    pub shared: Shared,
    pub no_spend: NoSpend,
    /// Whether files of bills are left for later, until all of them are known.
    pub defer: bool,
    /// Those that were.
    pub deferred: BTreeSet<std::path::PathBuf>,
    /// The time was used up before all of them were read.
    pub bills_left: bool,
    /// Identities of the bills that the files told when they were read before.
    pub told_before: BTreeSet<String>,
    pub sink: &'a mut dyn Sink,
}

impl<'a> Run<'a> {
    /// A run that has read nothing yet.
    pub fn new(options: &'a FileSourceOptions, shared: Shared, sink: &'a mut dyn Sink) -> Self {
        Run {
            options,
            as_now: ReadAs::new(options, sink.keeps_rejections()),
            context: Context::new(options.latest).with_defaults(&options.defaults),
            out: Output::default(),
            progress: Progress::default(),
            bills: Bills::of(options.asked.clone()),
            bills_whole: true,
            buffer: Vec::new(),
            packed: false,
            returns: false,
            stopped: false,
            by_itself: false,
            usual: false,
            bill_positions: Vec::new(),
            refused: 0,
            refused_before: 0,
            understood: false,
            gave: false,
            written: false,
            waits_for_ends: false,
            shared,
            no_spend: NoSpend::default(),
            defer: false,
            deferred: BTreeSet::new(),
            bills_left: false,
            told_before: BTreeSet::new(),
            sink,
        }
    }

    /// Reads a decoded stream. `resumed` is the format of one whose beginning was read before.
    pub fn stream(
        &mut self,
        input: Input<'_>,
        name: &str,
        named: bool,
        position: Option<Position>,
        resumed: Option<FileFormat>,
    ) -> Result<(), Stop> {
        let (offset, newlines) = position.as_ref().map_or((0, 0), |p| (p.offset, p.newlines));
        let mut records = Records::with_buffer(input, offset, newlines, std::mem::take(&mut self.buffer));
        records.grows = self.written;
        if let Some(position) = &position {
            records.stood_before(&position.behind);
        }
        let (format, framing, is_log) = if let Some(format) = resumed {
            (format, Framing::Lines, false)
        } else {
            self.refuse_utf_16(name, named, records.peek(2)?)?;
            self.refuse_file(records.peek(SQLITE.len())?)?;
            records.skip_mark()?;
            records.skip_zeros()?;
            let front = records.peek(DETECT_BYTES)?;
            if front.iter().all(u8::is_ascii_whitespace) {
                return Ok(());
            }
            if self.shared.formerly.gave_otherwise(front) {
                self.sink.warn(GAVE_OTHERWISE, 1);
            }
            let foreign = is_foreign(front, name, self.shared.columns.is_some(), self.options.format);
            let framing = match framing(front) {
                Framing::Lines if foreign => Framing::Table,
                known @ (Framing::Lines | Framing::Values | Framing::Table) => known,
            };
            let format = self.options.format.or_else(|| recognise(front, framing));
            let begins_as_log = self.options.format.is_none() && begins_as_log(front, framing);
            match format.or_else(|| detect::by_path(name)).or(self.shared.else_as) {
                Some(FileFormat::Body) if begins_as_log => (FileFormat::Body, framing, true),
                Some(format) => (format, framing, false),
                None if self.by_itself => return Err(Stop::Later),
                None if self.holds_calls(&mut records, framing)? => (FileFormat::Body, framing, true),
                None => return self.tell_unknown(name, named, &mut records),
            }
        };
        if self.by_itself && !by_itself(format) {
            return Err(Stop::Later);
        }
        let mut position = position.map(|p| Position {
            format: format.name().to_owned(),
            resumable: p.resumable && framing == Framing::Lines && !format.is_bill(),
            ..p
        });
        if format == FileFormat::Plain && framing == Framing::Table {
            let whole = self.plain_table(records, name)?;
            return self.done(name, position.map(|p| p.ended(whole)));
        }
        if matches!(format, FileFormat::Focus | FileFormat::Cur) {
            if self.defer {
                return Err(Stop::Later);
            }
            let sound = self.bill(|run| run.bill_table(records, name, format))?;
            self.bill_read(name, position, sound);
            return Ok(());
        }
        let mut reader = reader(format, self.options.format.is_none(), &self.shared);
        if is_log {
            reader.load(OF_LOG);
        }
        if let Some(p) = position.as_ref().filter(|_| resumed.is_some()) {
            reader.load(&p.state);
        }
        if framing == Framing::Table {
            let whole = self.record_table(records, name, reader.as_mut())?;
            return self.done(name, position.map(|p| p.ended(whole)));
        }
        if format.is_bill() {
            let sound = self.bill_records(&mut records, name, framing, reader.as_mut())?;
            self.bill_read(name, position, sound);
            return Ok(());
        }
        self.records(&mut records, name, framing, reader.as_mut(), position.as_mut())?;
        if let Some(about) = reader.untold() {
            self.sink.warn(&about, 1);
        }
        self.buffer = records.into_buffer();
        self.done(name, position)
    }

    pub fn records(
        &mut self,
        records: &mut Records<Input<'_>>,
        name: &str,
        framing: Framing,
        reader: &mut dyn LineFormat,
        mut position: Option<&mut Position>,
    ) -> Result<(), Stop> {
        let mut since_checkpoint = 0;
        loop {
            if framing == Framing::Lines {
                self.lines_ahead(records, name, reader, position.as_deref_mut(), &mut since_checkpoint)?;
            }
            let (offset, newlines) = (records.offset, records.newlines);
            let next = match framing {
                Framing::Values => records.value(),
                Framing::Lines | Framing::Table => records.line(),
            };
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    self.hand_over()?;
                    return Err(error.into());
                }
            };
            let Some(record) = next else { break };
            let refused = self.refused;
            let whole = self.record(&record, name, reader)?;
            if self.refused > refused
                && let Some(position) = position.as_deref_mut()
            {
                position.refuse(record.at, record.bytes);
            }
            if whole == Whole::Incomplete {
                let left = self.unended(name, &record);
                self.hand_over()?;
                if let Some(position) = position.as_deref_mut() {
                    position.reach(&records.behind(offset, newlines), reader.save());
                    // If nobody goes on with it, the run after that tells so.
                    if left {
                        position.leave_last(records.offset);
                    }
                }
                return Ok(());
            }
            if records.passed_zeros() {
                self.tell_zeros();
            }
            self.progress.lines += 1;
            self.progress.bytes += records.offset - offset;
            let position = position.as_deref().filter(|_| framing == Framing::Lines);
            let at = || records.behind(records.offset, records.newlines);
            self.go_on(name, position, at, reader, &mut since_checkpoint)?;
        }
        self.hand_over()?;
        if let Some(position) = position {
            position.reach(&records.end(), reader.save());
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, name: &str, reader: &mut dyn LineFormat) -> Result<Whole, Stop> {
        if record.too_long {
            let reason = format!("longer than {RECORD_LIMIT} bytes");
            self.refuse(name, record.line, Fault::whole(reason), record.bytes);
            return Ok(Whole::Complete);
        }
        let bytes = record.trimmed();
        if bytes.is_empty() {
            return Ok(Whole::Complete);
        }
        if record.broken {
            self.refuse(name, record.line, record.fault(), bytes);
            return Ok(Whole::Complete);
        }
        let text = match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) if !record.ended => return Ok(Whole::Incomplete),
            Err(error) => {
                let reason = format!("not valid UTF-8 at byte {}", error.valid_up_to());
                self.refuse(name, record.line, Fault::whole(reason), bytes);
                return Ok(Whole::Complete);
            }
        };
        let whole = record.ended || serde_json::from_str::<IgnoredAny>(exported(text).unwrap_or(text)).is_ok();
        if whole {
            return Ok(self.text(text, record, name, reader));
        }
        Ok(match Joined::of(text) {
            Some(joined) => self.joined(&joined, record, name, reader),
            None => Whole::Incomplete,
        })
    }

    /// Reads the text of a record that is whole.
    pub fn text(&mut self, text: &str, record: &Record<'_>, name: &str, reader: &mut dyn LineFormat) -> Whole {
        if let Err(fault) = self.understand(text, record.line, reader) {
            if let Some(joined) = Joined::of(text) {
                return self.joined(&joined, record, name, reader);
            }
            self.refuse(name, record.line, fault, text.as_bytes());
        }
        self.parts(name, record.line, text.as_bytes());
        Whole::Complete
    }
}
