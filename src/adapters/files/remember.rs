//! What one run remembers across records and files of a source (records that are no spend, spans of traces, bills) and hands over.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use crate::domain::label::MAX_LABEL_BYTES;
use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Rejection, SourceError};

use super::bills::Told;
use super::line::{Fault, LineFormat, NO_USAGE};
use super::otel::Found;
use super::position::Position;
use super::read::Run;
use super::readers::held;
use super::records::Records;
use super::sniff::{Framing, Input};
use super::stop::Stop;

/// Key of the checkpoint in which earlier versions kept the newest spans of a source. No file has such a name: paths are absolute.
pub(super) const TRACES: &str = "otel:spans";

/// Records without spend that are told apart; beyond that counting them starts anew, which changes no sum of spend.
const REMEMBERED: usize = 1 << 20;

/// Calls by their identity.
type Calls = HashSet<EventId, rustc_hash::FxBuildHasher>;

/// Records that are no spend, so that one delivered twice is told as a repetition.
#[derive(Default)]
pub(super) struct NoSpend {
    seen: Calls,
    /// Calls of the file whose streams have not told their usage so far.
    streams: Calls,
    /// What is told of files of another kind than the settings say, each with the first such file.
    pub files: BTreeMap<String, String>,
}

impl NoSpend {
    /// The kind of a record: its own at the first sight, a repetition after that.
    pub fn kind(&mut self, kind: &'static str, id: EventId) -> &'static str {
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        if self.seen.insert(id) {
            kind
        } else {
            "duplicate_records"
        }
    }
}

/// Events without a moment at which no agent span waits, after which the waiting ones are priced: a file of agent spans
/// alone would get no checkpoint otherwise.
pub(super) const PATIENCE: u64 = 4 * 65_536;

impl Run<'_> {
    /// Whether a checkpoint is possible now: none of the agent spans before it is waiting.
    pub fn traces_ready(&mut self, since_checkpoint: u64) -> Result<bool, Stop> {
        let (waiting, full) = {
            let traces = held(&self.shared.traces);
            (traces.waiting(), traces.full())
        };
        if full || since_checkpoint >= PATIENCE {
            self.settle_traces()?;
        } else if waiting {
            return Ok(false);
        }
        self.keep_traces()?;
        Ok(true)
    }

    /// Gives what records yielded to the sink; answers how many events.
    pub fn hand_over(&mut self) -> Result<u64, Stop> {
        self.out.identify();
        // Any JSON is such a record for who reads rows of LiteLLM's.
        let unknown = self
            .out
            .excluded
            .iter()
            .filter(|kind| **kind == "records_without_usage");
        self.understood |= self.out.held() > unknown.count();
        let count = self.out.events.len() as u64;
        self.gave |= self.out.events.iter().any(|event| !event.is_taken_back());
        let streams = &mut self.no_spend.streams;
        for id in self.out.ended.drain(..) {
            streams.remove(&id);
        }
        streams.extend(self.out.unended.drain(..));
        if !streams.is_empty() {
            for event in &self.out.events {
                streams.remove(&event.id);
            }
            if streams.len() >= REMEMBERED {
                self.tell_streams();
            }
        }
        if count > 0 {
            let own = self.options.fill_in(&mut self.out.events);
            if !own {
                // Of a source before it, whose spans turned out to be of one trace with this one's.
                let traces = held(&self.shared.traces);
                self.out.events.iter_mut().for_each(|event| traces.fill_in(event));
            }
            self.sink.usage(&self.out.events)?;
            self.out.events.clear();
        }
        for kind in self.out.excluded.drain(..) {
            self.sink.exclude(kind, 1);
        }
        for (kind, id) in self.out.excluded_once.drain(..) {
            self.sink.exclude(self.no_spend.kind(kind, id), 1);
        }
        for about in self.out.warnings.drain(..) {
            self.sink.warn(about, 1);
        }
        self.tell_cut();
        Ok(count)
    }

    fn tell_cut(&mut self) {
        let cut = std::mem::take(&mut self.context.cut);
        if cut > 0 {
            let about = format!("names longer than {MAX_LABEL_BYTES} bytes were cut, and end in a digest of the whole");
            self.sink.warn(&about, cut);
        }
    }

    pub fn reject(&mut self, file: &str, line: u64, fault: Fault, raw: &[u8]) {
        self.out.excluded.clear();
        self.refuse(file, line, fault, raw);
    }

    /// Rejects a record and leaves what those before it yielded.
    pub fn refuse(&mut self, file: &str, line: u64, fault: Fault, raw: &[u8]) {
        self.refused += 1;
        self.out.faults_of_usage += u64::from(fault.costs_count);
        self.sink.reject(Rejection {
            file: file.to_owned(),
            line,
            field: fault.field,
            reason: fault.reason,
            raw: raw.get(..Rejection::RAW_LIMIT).unwrap_or(raw).to_vec(),
        });
    }

    /// Prices the agent spans that no call was met for.
    pub fn settle_traces(&mut self) -> Result<(), Stop> {
        let mut found = Found::default();
        let events = held(&self.shared.traces).settle(&mut found);
        if !events.is_empty() || !found.gaps.is_empty() || !found.repeats.is_empty() {
            let stand_in = (events.len() as u64).saturating_sub(found.calls);
            if stand_in > 0 {
                self.sink.warn(
                    "spans of agents and of unknown operations priced themselves, since no call below them is known",
                    stand_in,
                );
            }
            self.out.events.extend(events);
            found.tell(&mut self.out);
            self.hand_over()?;
        }
        self.keep_traces()
    }

    /// Tells the calls whose streams have ended without their usage.
    fn tell_streams(&mut self) {
        for id in std::mem::take(&mut self.no_spend.streams) {
            self.sink.warn(NO_USAGE, 1);
            self.sink.exclude(self.no_spend.kind("calls_without_usage", id), 1);
        }
    }

    /// Notes where a file stands that was read.
    pub fn done(&mut self, name: &str, position: Option<Position>) -> Result<(), Stop> {
        self.tell_streams();
        if let Some(mut position) = position {
            self.note(&mut position);
            self.sink.checkpoint(name, position.checkpoint())?;
        }
        Ok(())
    }

    fn keep_traces(&mut self) -> Result<(), Stop> {
        let saved = held(&self.shared.traces).save();
        if !saved.is_empty() {
            self.sink.checkpoint(TRACES, Checkpoint::NONE)?;
        }
        saved
            .into_iter()
            .try_for_each(|(key, at)| Ok(self.sink.checkpoint(&key, at)?))
    }

    /// What a record yielded beside its calls: costs of periods, and parts that are not usable.
    pub fn parts(&mut self, name: &str, line: u64, bytes: &[u8]) {
        if self.out.buckets.is_empty() && self.out.faults.is_empty() {
            return;
        }
        self.understood |= !self.out.buckets.is_empty();
        for mut bucket in self.out.buckets.drain(..) {
            let rows = bucket.rows.iter_mut();
            rows.for_each(|row| self.options.place(&mut row.dimensions));
            self.bills.bucket(bucket, self.context.fallback);
        }
        for fault in std::mem::take(&mut self.out.faults) {
            self.refuse(name, line, fault, bytes);
        }
    }

    /// Tells that a file cannot be read: what it holds is unknown.
    pub fn unread(&mut self, name: &str, cause: &str) {
        self.progress.unread += 1;
        self.reject(name, 0, Fault::whole(cause), b"");
    }

    /// Reads rows of a bill; whether no cost was refused: what that would be is unknown. One that is read in part must not replace a whole one.
    pub fn bill(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<bool, Stop> {
        let (whole, refused) = (std::mem::replace(&mut self.bills_whole, false), self.refused);
        read(self)?;
        self.bills_whole = whole;
        let of_usage = std::mem::take(&mut self.out.faults_of_usage);
        let costs = (self.refused - refused).saturating_sub(of_usage);
        self.progress.unknown_costs += costs;
        Ok(costs == 0)
    }

    /// Reads a bill that consists of records; whether no cost was refused.
    pub fn bill_records(
        &mut self,
        records: &mut Records<Input<'_>>,
        name: &str,
        framing: Framing,
        reader: &mut dyn LineFormat,
    ) -> Result<bool, Stop> {
        let sound = self.bill(|run| {
            // A part of a bill tells nothing.
            run.returns = false;
            run.records(records, name, framing, reader, None)?;
            if let Some(fault) = reader.unfinished() {
                run.refuse(name, 0, fault, b"");
            }
            Ok(())
        })?;
        // A part of an answer must not replace a whole one.
        self.bills_whole &= reader.unfinished().is_none();
        Ok(sound)
    }

    /// Tells where rows of a bill stood before and none could be read now: what the other files have of it is not all of it.
    pub fn miss_bill(&mut self, of_bill: bool, name: &str) {
        if !of_bill || self.bill_positions.last().is_some_and(|(last, _)| last == name) {
            return;
        }
        self.bills_whole = false;
        // Of one that was moved meanwhile the next run knows that it has gone.
        if self.refused == self.refused_before && Path::new(name).exists() {
            let cause = "it held a bill when it was read before and has no header of one now: bills stay as they were until it has, or is taken away";
            self.unread(name, cause);
        }
    }

    /// Tells the bills, now that all files of the source are read.
    pub fn finish_bills(&mut self) -> Result<(), SourceError> {
        self.tell_cut();
        if let Some((about, count)) = self.context.rounded.told() {
            self.sink.warn(&about, count);
        }
        if !self.bills_whole {
            let about = match self.options.asked {
                Some(_) => {
                    "no bill is told, since a file of theirs cannot be read; a report without that file tells the others"
                }
                None => "bills were kept as they are, since a file of theirs cannot be read",
            };
            self.sink.warn(about, 1);
            self.progress.unknown_costs += 1;
            self.tell(true);
            return Ok(());
        }
        let (bills, Told { faults, warnings }) = std::mem::take(&mut self.bills).finish(self.options.name);
        let sound = faults.is_empty();
        for fault in faults {
            self.progress.unknown_costs += 1;
            self.reject("", 0, fault, b"");
        }
        warnings.iter().for_each(|about| self.sink.warn(about, 1));
        self.tell(true);
        let mut told = BTreeSet::new();
        for bill in bills {
            told.insert(bill.identity.clone());
            self.sink.bill(bill)?;
        }
        for bill in self.emptied(&told).into_iter().filter(|_| sound) {
            self.sink.bill(bill)?;
        }
        for (name, position) in std::mem::take(&mut self.bill_positions) {
            if let Some(position) = position {
                self.sink.checkpoint(&name, position.checkpoint())?;
            }
        }
        Ok(())
    }
}
