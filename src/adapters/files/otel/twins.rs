//! Calls that look like one call told by two instrumentations side by side: neither span lies below the other, so that nothing says it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, UsageEvent};

/// Calls remembered; beyond that remembering starts anew.
const REMEMBERED: usize = 1 << 14;

/// The call of these tokens that was met last.
struct Seen {
    id: EventId,
    emitter: Label,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// The newest calls of a source.
#[derive(Default)]
pub(super) struct Twins(HashMap<(Label, u64, u64), Seen, rustc_hash::FxBuildHasher>);

impl Twins {
    /// The emitter of another call of the same provider with as much input and output at the same time, where that is another emitter.
    pub fn meet(&mut self, call: &UsageEvent, emitter: Label, end: DateTime<Utc>) -> Option<Label> {
        let (input, output) = (call.tokens.prompt(), call.tokens.get(Bucket::Output));
        if output == 0 {
            return None;
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let seen = Seen {
            id: call.id,
            emitter,
            start: call.at,
            end,
        };
        let before = self.0.insert((call.provider(), input, output), seen)?;
        let together = before.start <= end && call.at <= before.end;
        (together && before.id != call.id && before.emitter != emitter).then_some(before.emitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_tokens_at_the_same_time_from_another_emitter_are_suspicious() {
        let at = |second: i64| DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap();
        let call = |id: u8, second, output| {
            let mut call = UsageEvent::new(EventId([id; 16]), at(second), "p".into(), "m".into());
            call.tokens.set(Bucket::Output, output);
            call
        };
        let mut twins = Twins::default();
        let mut meet = |id, emitter: &str, start, end, output| {
            let other = twins.meet(&call(id, start, output), emitter.into(), at(end));
            other.map(|label| label.as_str())
        };
        assert_eq!(meet(1, "a", 0, 9, 100), None);
        assert_eq!(meet(2, "b", 1, 8, 100), Some("a"));
        assert_eq!(meet(3, "b", 2, 8, 100), None, "two calls of one emitter");
        assert_eq!(meet(4, "a", 9, 12, 100), None, "later");
        assert_eq!(meet(4, "b", 9, 12, 100), None, "the same identity");
        assert_eq!(meet(5, "a", 9, 12, 101), None, "other tokens");
    }
}
