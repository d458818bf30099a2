//! What is known of traces, which is one for all sources of a run: their spans may lie in several. The ledger keeps it for all of them, apart
//! from what a run of other sources knows, which may be under way at the same time.

use std::sync::{Arc, Mutex};

use crate::domain::alert::digest;
use crate::domain::label::Label;
use crate::ports::{Checkpoint, Checkpoints, Sink, StoreError};

use super::FileSourceOptions;
use super::otel::{OF_RUN, Traces};
use super::readers::held;
use super::remember::TRACES;

/// The traces of the run that is under way, which sources that have the same read one after the other.
#[derive(Clone, Default)]
pub struct Spans {
    /// Who keeps them in the ledger.
    owner: Label,
    current: Arc<Mutex<Current>>,
    /// The run in which this source has read last.
    read_in: u64,
}

#[derive(Default)]
struct Current {
    /// Counted from the first.
    run: u64,
    traces: Arc<Mutex<Traces>>,
}

impl Spans {
    /// Those of the sources of these names.
    #[must_use]
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Spans {
            owner: Label::new(&format!("{OF_RUN}{}", digest(&names))),
            ..Spans::default()
        }
    }

    /// The traces, now that a source begins to read that has these checkpoints of its own. Where it is the first, or has read before, so that this is
    /// another run, they are what the ledger keeps.
    pub(super) fn begin(
        &mut self,
        options: &FileSourceOptions,
        known: &Checkpoints,
        sink: &dyn Sink,
    ) -> Result<Arc<Mutex<Traces>>, StoreError> {
        let mut current = held(&self.current);
        if self.read_in == current.run {
            let traces = Traces::resume_run(self.owner, &sink.of_all()?);
            current.traces = Arc::new(Mutex::new(traces));
            current.run += 1;
        }
        self.read_in = current.run;
        let mut traces = held(&current.traces);
        traces.told_by(options.name, options.defaults.clone());
        if let Some(formerly) = known.get(TRACES).filter(|at| **at != Checkpoint::NONE) {
            traces.load_formerly(&formerly.0);
        }
        drop(traces);
        Ok(Arc::clone(&current.traces))
    }
}
