//! Requests that were refused: their senders are told, and mostly tell nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Requests that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// Where they were sent to; empty where that is not known, or where there are many such places.
    pub path: String,
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub times: u64,
}

/// Paths told apart: strangers try many. Longer ones are none of ours.
const PATHS: usize = 16;
const LONGEST: usize = 100;

/// Counts them until they are told.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    paths: Vec<String>,
    times: BTreeMap<(u16, &'static str, String), u64>,
}

impl Refusals {
    /// Counts one.
    pub fn add(&self, status: u16, reason: &'static str, path: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = if path.len() > LONGEST { "" } else { path };
        let known = counts.paths.iter().any(|known| known == path);
        let path = if known || counts.paths.len() < PATHS { path } else { "" };
        if !known && !path.is_empty() {
            counts.paths.push(path.to_owned());
        }
        *counts.times.entry((status, reason, path.to_owned())).or_default() += 1;
    }

    /// Those that were not told yet.
    pub fn take(&self) -> Vec<Refused> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |((status, reason, path), times)| Refused {
            status,
            path,
            reason,
            times,
        };
        std::mem::take(&mut counts.times).into_iter().map(refused).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_reason_and_by_a_few_paths() {
        let refusals = Refusals::default();
        for _ in 0..2 {
            refusals.add(404, "nothing there", "/v1/logs");
        }
        let refused = |path: &str, times| Refused {
            status: 404,
            path: path.to_owned(),
            reason: "nothing there",
            times,
        };
        assert_eq!(refusals.take(), [refused("/v1/logs", 2)]);
        for n in 0..100 {
            refusals.add(404, "nothing there", &format!("/{n}"));
        }
        refusals.add(404, "nothing there", &"/".repeat(1000));
        let many = refusals.take();
        assert_eq!(many.len(), PATHS);
        assert_eq!(many[0], refused("", 86));
        assert!(refusals.take().is_empty());
    }
}
