//! The time that the live sources of a run have together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The time of several sources that are read one after another: each has its share of what is left, so that one whose provider does not
/// answer leaves the others theirs.
#[derive(Clone, Debug)]
pub struct Shares {
    until: Duration,
    waiting: Arc<AtomicU32>,
}

impl Shares {
    /// So much time from an instant on (see `Clock::elapsed`) for so many sources.
    #[must_use]
    pub fn new(begun: Duration, time: Duration, sources: u32) -> Self {
        Shares {
            until: begun.saturating_add(time),
            waiting: Arc::new(AtomicU32::new(sources)),
        }
    }

    /// The share of the next source.
    pub(super) fn take(&self, elapsed: Duration) -> Duration {
        let left = self.until.saturating_sub(elapsed);
        let waiting = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                Some(waiting.saturating_sub(1))
            })
            .unwrap_or_default();
        left / waiting.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_source_leaves_is_the_others_and_one_that_takes_all_of_its_share_takes_no_more() {
        let second = Duration::from_secs;
        let shares = Shares::new(second(10), second(90), 3);
        assert_eq!(shares.clone().take(second(10)), second(30));
        assert_eq!(shares.take(second(40)), second(30), "all of it was used");
        assert_eq!(shares.take(second(41)), second(59), "little was");
        assert_eq!(shares.take(second(50)), second(50), "read again");
        assert_eq!(shares.take(second(200)), Duration::ZERO);
    }
}
