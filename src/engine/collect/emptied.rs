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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::domain::usage::{EventId, UsageEvent};

    fn batch() -> EventBatch {
        let at = DateTime::from_timestamp_nanos(0);
        let call = UsageEvent::new(EventId([1; 16]), at, "p".into(), "m".into());
        std::iter::once(call).collect()
    }

    #[test]
    fn on_one_processor_the_batch_is_waited_for_until_it_comes_or_nobody_records_any_more() {
        let (give, back) = mpsc::channel();
        let emptied = Emptied { back, alone: true };
        let recorder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            give.send(batch()).unwrap();
        });
        assert_eq!(emptied.take().len(), 1);
        recorder.join().unwrap();
        assert!(emptied.take().is_empty());
    }

    #[test]
    fn on_several_processors_a_batch_that_is_not_back_is_not_waited_for() {
        let (give, back) = mpsc::channel();
        let emptied = Emptied { back, alone: false };
        assert!(emptied.take().is_empty());
        give.send(batch()).unwrap();
        assert_eq!(emptied.take().len(), 1);
    }
}
