//! What one run remembers across the files of a source: records that are no spend, and spans of traces.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints};

use super::otel::Traces;
use super::read::Run;
use super::stop::Stop;

/// Key of the checkpoint that holds the newest spans. No file has such a name: paths are absolute.
pub(super) const TRACES: &str = "otel:spans";

/// Records without spend that are told apart; beyond that counting them starts anew, which changes no sum of spend.
const REMEMBERED: usize = 1 << 20;

/// Records that are no spend, so that one delivered twice is told as a repetition.
#[derive(Default)]
pub(super) struct NoSpend {
    seen: HashSet<EventId, rustc_hash::FxBuildHasher>,
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

/// The spans that the run before knew.
pub(super) fn resume_traces(known: &Checkpoints) -> Rc<RefCell<Traces>> {
    let mut traces = Traces::default();
    if let Some(saved) = known.get(TRACES) {
        traces.load(&saved.0);
    }
    Rc::new(RefCell::new(traces))
}

/// Events without a moment at which no agent span waits, after which the waiting ones are priced: a file of agent spans
/// alone would get no checkpoint otherwise.
const PATIENCE: u64 = 4 * 65_536;

impl Run<'_> {
    /// Whether a checkpoint is possible now: none of the agent spans before it is waiting.
    pub fn traces_ready(&mut self, since_checkpoint: u64) -> Result<bool, Stop> {
        let (waiting, full) = {
            let traces = self.shared.traces.borrow();
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

    /// Prices the agent spans that no call was met for.
    pub fn settle_traces(&mut self) -> Result<(), Stop> {
        let events = self.shared.traces.borrow_mut().settle();
        if !events.is_empty() {
            self.sink.warn(
                "agent spans priced themselves, since no call below them is known",
                events.len() as u64,
            );
            self.out.events.extend(events);
            self.hand_over()?;
        }
        self.keep_traces()
    }

    fn keep_traces(&mut self) -> Result<(), Stop> {
        if let Some(saved) = self.shared.traces.borrow_mut().save() {
            self.sink.checkpoint(TRACES, Checkpoint(saved))?;
        }
        Ok(())
    }
}
