//! Batches that were recorded, whose memory is filled again.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::domain::usage::EventBatch;

/// Where recorded batches come back to.
pub(super) struct Emptied {
    back: Receiver<EventBatch>,
    /// Whether there is one processor alone.
    alone: bool,
}

impl Emptied {
    /// A way for batches to come back by.
    pub fn channel() -> (Sender<EventBatch>, Self) {
        let (give, back) = mpsc::channel();
        let alone = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        (give, Emptied { back, alone })
    }

    /// A batch to be filled while the one that was just handed over is recorded: that one was taken when the one before was recorded.
    ///
    /// On one processor nothing is gained by reading meanwhile: a second batch would be memory touched for the first time, and both would drive
    /// each other out of the caches. There it is waited for, until the recorder gives it back or has failed.
    pub fn take(&self) -> EventBatch {
        let back = match self.alone {
            true => self.back.recv().ok(),
            false => self.back.try_recv().ok(),
        };
        back.unwrap_or_default()
    }
}
